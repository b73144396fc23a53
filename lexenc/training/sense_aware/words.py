"""Senses in an ELMo: a table for each direction, with senses of its own or with those of both."""

from __future__ import annotations

from typing import Any, Literal

from torch import nn

from lexenc.training.sense_aware.inventory import SenseInventory
from lexenc.training.sense_aware.settings import SensePlan
from lexenc.training.sense_aware.table import SenseTable


def give_senses(model: Any, plan: SensePlan, *, context: Literal["own", "both"] = "both") -> None:
    """Replace the tables of a model of words by tables of senses, which start from the vectors and biases of words.

    Args:
        model: The model, with a table for each direction in `head`, each with a `weight` and a `bias`.
        plan: The senses of each word.
        context: own: each direction has senses of its own, chosen by its states. both: they share them.
    """
    tables, shared = nn.ModuleDict(), None
    for name, plain in model.head.items():
        width = plain.weight.shape[1]
        inventory = shared
        if inventory is None:
            inventory = SenseInventory(plan, 2 * width if context == "both" else width)
        first = shared is None
        shared = inventory if context == "both" else None
        tables[name] = SenseTable(
            inventory, width, start=(plain.weight, plain.bias), purpose=f"senses, {name}", observes=first
        )
    model.head = tables.to(next(model.head.parameters()).device)


def sense_tables(head: nn.ModuleDict) -> dict[str, SenseTable]:
    """Return the tables of senses of a model of words, by direction. Empty for a plain model."""
    return {name: each for name, each in head.items() if isinstance(each, SenseTable)}
