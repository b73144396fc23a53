"""Sizes and schedules of `pretrain`, by kind of language model, and the options that only some kinds have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lexenc.resources import PUBLISHED_MODELS, read_pretraining

NO_OBJECTIVES = ("elmo",)
"""Kinds that learn in one way, so that they have no --objective."""
USUAL_MODEL = "xlm-r"
"""The usual kind, whose values hold for kinds of other packages."""
SHAPE = ("layers", "dimensions", "heads", "vocabulary", "cells", "input", "minimum_count", "cased", "words", "vector")
"""Options of a new model, which one that is continued has already."""
SPECIFIC: dict[str, tuple[str, ...]] = {
    "heads": ("xlm-r", "bert"),
    **dict.fromkeys(("minimum_count", "cased", "words"), ("bert", "elmo")),
    **dict.fromkeys(("cells", "input", "vector", "negatives", "sampling", "optimiser"), ("elmo",)),
}
"""Options that only some kinds have, and which kinds."""
_KINDS = ("xlm-r", "bert", "elmo")


def kind_of(preset: str | None) -> str | None:
    """Return the kind of the model that a preset is the whole of. None for other presets."""
    return read_pretraining(preset)["kind"] if preset in PUBLISHED_MODELS else None


def values_of(model: str, preset: str | None) -> Mapping[str, Any]:
    """Return the values of a preset of a kind of models. None for those of a model that is continued."""
    found = _found(model, preset)
    return found if isinstance(found, Mapping) else _part(found, "model") | _part(found, "training")


def published_senses(model: str, preset: str | None) -> Mapping[str, Any]:
    """Return the values of senses of a preset that is of a published model. Empty for other presets."""
    found = _found(model, preset)
    if preset == "paper" and not isinstance(found, str):
        found = _found("bert", preset)  # a masked language model, which was published without senses
    return _part(found, "senses") if isinstance(found, str) else {}


def _found(model: str, preset: str | None) -> Mapping[str, Any] | str:
    """Return the values of a preset, or the name of the published model that has them."""
    if preset in PUBLISHED_MODELS:
        return str(preset)
    found: Mapping[str, Any] | str = read_pretraining(model if model in _KINDS else USUAL_MODEL)[preset or "continued"]
    return found


def _part(name: str, part: str) -> dict[str, Any]:
    found: dict[str, Any] = read_pretraining(name)[part]
    return found
