"""The senses that a language model has learned: in files beside the encoder, and ready to choose from."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from lexenc.arrays import Doubles, Floats, Indices, starts_of
from lexenc.correlation import unit_rows
from lexenc.errors import ConfigError, DataError
from lexenc.files.tensors import read_tensors, write_tensors
from lexenc.files.text import writing
from lexenc.structured import checked, read_json
from lexenc.training.sense_aware.inventory import SenseInventory
from lexenc.training.sense_aware.settings import SenseSettings
from lexenc.training.sense_aware.table import SenseTable

TABLES, FACTS = "senses.safetensors", "senses.json"
_HINT = "Train the model again, or give a folder that pretrain --senses made."
_KEPT = ("sizes", "slots", "centres", "enabled", "selected", "means", "projection")


@dataclass(frozen=True)
class _Facts:
    """What `FACTS` contains.

    Args:
        words: The words of the output vocabulary.
        tables: The inventory of each table, by name of the table.
        context: States by which senses are chosen. own: of the direction of the table. both: of both directions.
            masked: of the masked word.
        settings: The settings.
    """

    words: list[str]
    tables: dict[str, int]
    context: Literal["own", "both", "masked"]
    settings: dict[str, Any]


def save_senses(
    folder: Path, words: Sequence[str], tables: Mapping[str, SenseTable], *, context: Literal["own", "both", "masked"]
) -> None:
    """Write the senses of a language model beside its encoder, which does not need them.

    Args:
        folder: Folder of the encoder.
        words: The words of the output vocabulary.
        tables: The tables by name, e.g. one for each direction.
        context: States by which senses are chosen, see `SenseBank`.
    """
    inventories = list({id(each.inventory): each.inventory for each in tables.values()}.values())
    tensors: dict[str, Any] = {}
    for number, inventory in enumerate(inventories):
        tensors |= {f"inventory.{number}.{name}": getattr(inventory, name) for name in _KEPT}
    for name, table in tables.items():
        tensors |= {f"{name}.vectors": table.vectors, f"{name}.bias": table.bias}
    numbers = {name: [each is table.inventory for each in inventories].index(True) for name, table in tables.items()}
    facts = _Facts(list(words), numbers, context, asdict(inventories[0].settings))
    write_tensors(folder / TABLES, tensors)
    with writing(folder / FACTS) as stream:
        stream.write(json.dumps(asdict(facts), ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n")


class SenseBank:
    """Senses of the words of a language model.

    Args:
        facts: What the model is.
        inventories: Its inventories.
        vectors: Vector of every row by name of the table. Shape [r, d].

    Attributes:
        words: The words that have several senses.
        tables: Names of the tables: `senses`, or `forward` and `backward`.
        context: States by which senses are chosen. own: of the direction of the table. both: those of the forward and
            the backward direction, concatenated. masked: of the place of the word, most often masked.
        width: Length of a state by which senses are chosen.
    """

    def __init__(self, facts: _Facts, inventories: Sequence[SenseInventory], vectors: Mapping[str, Floats]) -> None:
        self._facts, self._inventories, self._vectors = facts, inventories, vectors
        self._numbers = {word: number for number, word in enumerate(facts.words)}
        self.tables, self.context = tuple(facts.tables), facts.context
        self.width = inventories[0].centres.shape[1]
        several = torch.nonzero(inventories[0].sizes > 1)[:, 0].tolist()
        self.words = [facts.words[number] for number in several]

    def __contains__(self, word: str) -> bool:
        return word in self._numbers and int(self._inventories[0].sizes[self._numbers[word]]) > 1

    def _rows(self, word: str, table: str | None) -> tuple[SenseInventory, Indices]:
        """Return the enabled rows of a word."""
        if word not in self:
            raise ConfigError(
                f"The model has one sense of '{word}'."
                if word in self._numbers
                else f"The model has no word '{word}'.",
                hint="Ask for another word, or cluster its occurrences (lexenc senses without --model).",
            )
        inventory = self._inventories[self._facts.tables[table or self.tables[0]]]
        rows, valid = inventory.rows_of(torch.tensor([self._numbers[word]]))
        return inventory, rows[valid].numpy()

    def centres(self, word: str, table: str | None = None) -> Floats:
        """Return the centres of the senses of a word. Shape [k, s].

        Args:
            word: A word of several senses.
            table: Name of the table. None for the first.

        Raises:
            ConfigError: If the model has no senses of the word.
        """
        inventory, rows = self._rows(word, table)
        found: Floats = inventory.centres[rows].numpy()
        return found

    def shares(self, word: str, table: str | None = None) -> np.ndarray:
        """Return the share of each sense in the occurrences of a word during training. Shape [k]."""
        inventory, rows = self._rows(word, table)
        counts = inventory.selected[rows].double().numpy()
        return np.asarray((counts + 1e-9) / (counts + 1e-9).sum())

    def vectors(self, word: str, table: str | None = None) -> Floats:
        """Return the sense vectors of a word. Shape [k, d]."""
        _, rows = self._rows(word, table)
        found: Floats = self._vectors[table or self.tables[0]][rows]
        return found

    def choose(self, word: str, states: Floats, table: str | None = None) -> Indices:
        """Return the sense of each occurrence of a word, as in training.

        Args:
            word: A word of several senses.
            states: States of the top layer at the occurrences, see `context`. Shape [n, s].
            table: Name of the table whose senses are meant. None for the first.

        Returns:
            Places in `centres`. Shape [n].

        Raises:
            ConfigError: If the model has no senses of the word, or the states have another length.
        """
        inventory, rows = self._rows(word, table)
        if states.ndim != 2 or states.shape[1] != self.width:
            raise ConfigError(
                f"States of shape {list(states.shape)} for centres of length {self.width}.",
                hint="Use the states of the encoder of this model.",
            )
        words = torch.full((len(states),), self._numbers[word])
        chosen = inventory.choose(words, torch.from_numpy(np.asarray(states, dtype=np.float32)))
        places: Indices = np.searchsorted(rows, chosen.numpy())
        return places

    def vectors_of(self, wanted: Callable[[str], bool]) -> tuple[list[tuple[str, int]], Doubles]:
        """Return the vectors of all senses of some words, those of the tables with the senses of the first in a row.

        Args:
            wanted: Returns whether a word is meant.

        Returns:
            Word of each vector, and the place of the sense in `centres`, -1 for the only one of a word. Vectors, each
            part of unit length, shape [n, d].
        """
        number = self._facts.tables[self.tables[0]]
        inventory = self._inventories[number]
        numbers = np.array([at for at, word in enumerate(self._facts.words) if wanted(word)], dtype=np.int64)
        found, valid = inventory.rows_of(torch.from_numpy(numbers))
        rows = found[valid].numpy()
        owners = np.broadcast_to(numbers[:, None], valid.shape)[valid.numpy()]
        places = np.arange(len(rows)) - np.searchsorted(owners, owners)
        places[inventory.sizes.numpy()[owners] == 1] = -1
        parts = [unit_rows(self._vectors[name][rows]) for name in self.tables if self._facts.tables[name] == number]
        names = [self._facts.words[owner] for owner in owners.tolist()]
        return list(zip(names, places.tolist(), strict=True)), np.concatenate(parts, axis=1)


def has_senses(folder: Path) -> bool:
    """Return whether a folder contains the senses of a language model."""
    return (folder / TABLES).is_file() and (folder / FACTS).is_file()


def load_bank(folder: Path) -> SenseBank:
    """Read the senses of a language model.

    Args:
        folder: Folder that `pretrain --senses` made.

    Raises:
        ConfigError: If the folder contains no senses.
        DataError: If they are damaged.
    """
    if not has_senses(folder):
        raise ConfigError(f"{folder} is no model with senses: it has no {FACTS}.", hint=_HINT)
    path = folder / TABLES
    facts = checked(_Facts, read_json(folder / FACTS, hint=_HINT), folder / FACTS, hint=_HINT)
    settings = checked(SenseSettings, facts.settings, folder / FACTS, hint=_HINT)
    tensors, _ = read_tensors(path, hint=_HINT)
    try:
        inventories = [
            _inventory({name: tensors[f"inventory.{number}.{name}"] for name in _KEPT}, len(facts.words), settings)
            for number in range(1 + max(facts.tables.values(), default=0))
        ]
        vectors = {name: tensors[f"{name}.vectors"] for name in facts.tables}
        if not facts.tables or min(facts.tables.values()) < 0:
            raise ValueError("no tables")
        for name, number in facts.tables.items():
            if vectors[name].ndim != 2 or len(vectors[name]) != len(inventories[number].enabled):
                raise ValueError(f"{name}.vectors has shape {list(vectors[name].shape)}")
    except (KeyError, ValueError) as error:
        raise DataError(f"{path} does not fit {FACTS} ({error}).", hint=_HINT) from None
    return SenseBank(facts, inventories, vectors)


def _inventory(tables: Mapping[str, np.ndarray], words: int, settings: SenseSettings) -> SenseInventory:
    sizes, slots, projection, means = (tables[name] for name in ("sizes", "slots", "projection", "means"))
    if sizes.shape != (words,) or sizes.dtype != np.int64 or sizes.min(initial=1) < 1 or sizes.sum() > (1 << 31):
        raise ValueError("sizes of the words")
    rows = int(sizes.sum())
    for name, kind, shape in (
        ("centres", "float32", (rows, len(projection))),
        ("enabled", "bool", (rows,)),
        ("selected", "int64", (rows,)),
        ("slots", "int64", (words,)),
        ("projection", "float32", projection.shape[:2]),
        ("means", "float32", (len(means), len(projection))),
    ):
        if str(tables[name].dtype) != kind or tables[name].shape != shape:
            raise ValueError(f"{name} has shape {list(tables[name].shape)}")
    centred = settings.projection == "word-centred"
    if slots.max(initial=-1) >= (len(means) if centred else words) or (slots[sizes > 1] < 0).any():
        raise ValueError("slots of the words")
    first = np.asarray(starts_of(sizes)[:-1])
    if not np.logical_or.reduceat(tables["enabled"], first).all():
        raise ValueError("a word without senses")
    return SenseInventory.of_tables({name: torch.from_numpy(each) for name, each in tables.items()}, settings)
