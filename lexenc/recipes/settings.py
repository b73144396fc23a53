"""A table of settings: those of a preset of `pretrain` next to those of the paper."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from lexenc.recipes.paper import RecipeTable
from lexenc.stage import Table
from lexenc.stages.encoders.pretrain import PretrainParams, resolve_pretrain


@dataclass(frozen=True)
class PaperSetting:
    """One setting, here and in the paper.

    Args:
        name: Name in the paper.
        paper: Value in the paper.
        ours: Our value. None if there is no such setting.
        option: Option of `pretrain` that sets it. None for what is the same in every model.
        same: Whether both mean the same.
        because: Why they differ, or why they mean the same. Empty if they are equal.
    """

    name: str
    paper: Any
    ours: Any
    option: str | None
    same: bool
    because: str


def settings_in(table: RecipeTable) -> list[PaperSetting]:
    """Return the settings of a table, in its order."""
    preset: Any = table.preset
    # The values of a preset do not depend on the files, only on whether there is a dictionary.
    values = vars(resolve_pretrain({"dictionary": "dictionary"}, PretrainParams(preset=preset)))
    found = []
    for name, row in table.settings.items():
        option = row.get("option")
        ours = values[option] if option else row["ours"]
        same = bool(row.get("same", ours == row["paper"]))
        shown = None if option is None else f"--{option.replace('_', '-')}"
        found.append(PaperSetting(name, row["paper"], ours, shown, same, row.get("because", "")))
    return found


def as_settings_table(table: RecipeTable, settings: Sequence[PaperSetting]) -> Table:
    """Return a table with a row for each setting, and why values differ below it."""
    rows = [
        [each.name, _shown(each.paper), " ".join(filter(None, [each.option, _shown(each.ours)])), _sign(each)]
        for each in settings
    ]
    reasons: dict[str, list[str]] = {}
    for each in settings:
        if each.because:
            reasons.setdefault(each.because, []).append(each.name)
    why = "; ".join(f"{', '.join(names)}: {because}" for because, names in reasons.items())
    note = f"Ours: lexenc pretrain --preset {table.preset}. = equal; ~ another number for the same; ≠ not the same."
    return Table(f"{table.name}: {table.title}", ["setting", "paper", "ours", "same"], rows, f"{note} {why}.")


def as_setting_objects(table: RecipeTable, settings: Sequence[PaperSetting]) -> Iterator[dict[str, Any]]:
    """Yield every setting as a JSON object."""
    for each in settings:
        values = vars(each).copy()
        yield {"recipe": table.name, "row": values.pop("name"), **values}


def _sign(setting: PaperSetting) -> str:
    if not setting.same:
        return "≠"
    return "=" if setting.ours == setting.paper else "~"


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int | float) else str(value)
