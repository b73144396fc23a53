"""The tables of a paper: which cells there are, what the paper has in them, and what steps its pipeline knows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Any

import yaml

from lexenc.errors import ConfigError, several, unknown_name
from lexenc.resources import ROOT

FOLDER = ROOT / "recipes"
_PIPELINE = "pipeline.yaml"
_PAIR = re.compile(r"[a-z]{2,3}-[a-z]{2,3}")
_WEIGHT = re.compile(r"[01](\.\d+)?")
# In a column: the weight that the row names, as Table 1 writes it.
_ROWS_WEIGHT = "λ"


@dataclass(frozen=True)
class Cell:
    """One number: a system scored on one pair of languages.

    Args:
        dataset: What it is scored on.
        size: Seed pairs.
        pair: Languages.
        configuration: What is done with the encoder.
        metric: What is measured.
        encoder: Its name in the paper; None for static vectors alone.
        weight: Lambda; None where nothing is blended.
    """

    dataset: str
    size: str
    pair: str
    configuration: str
    metric: str
    encoder: str | None = None
    weight: float | None = None


@dataclass(frozen=True)
class Entry:
    """One place of a table.

    Args:
        row: Label of its row.
        column: Label of its column.
        cells: What its number is the mean of; one cell in most tables.
        figure: What the paper has there; None where it has nothing.
    """

    row: str
    column: str
    cells: tuple[Cell, ...]
    figure: float | None


@dataclass(frozen=True)
class RecipeTable:
    """One table of a paper.

    Args:
        name: Of the recipe, with the paper's.
        title: What it shows.
        columns: Labels of the columns, in order.
        rows: Entries by label of the row, in order; as many as columns.
        averages: The paper's average of each column; empty where the table has none.
    """

    name: str
    title: str
    columns: list[str]
    rows: dict[str, list[Entry]]
    averages: list[float] = field(default_factory=list)

    def entries(self) -> Iterator[Entry]:
        """Give all places, row by row."""
        for row in self.rows.values():
            yield from row

    def cells(self) -> list[Cell]:
        """Give the distinct cells in the order in which they come."""
        return list(dict.fromkeys(cell for entry in self.entries() for cell in entry.cells))


@dataclass(frozen=True)
class Paper:
    """What the tables of a paper share; the form of the file is explained at its head.

    Args:
        name: Folder of its recipes.
        title: Authors and title.
        encoders: Name on the hub by name in the paper.
        sizes: Part of `lexenc fetch` by number of seed pairs.
        configurations: Values by configuration.
        datasets: Values by data set.
        common: Parameters of every step that has them.
        steps: Templates of steps by name.
    """

    name: str
    title: str
    encoders: dict[str, str]
    sizes: dict[str, str]
    configurations: dict[str, dict[str, str]]
    datasets: dict[str, dict[str, Any]]
    common: dict[str, Any]
    steps: dict[str, dict[str, Any]]

    def pairs(self, dataset: str) -> list[str]:
        """Give the language pairs of a data set."""
        return str(self.datasets[dataset]["pairs"]).split()

    @cached_property
    def figures(self) -> dict[Cell, float]:
        """The paper's number of every cell that any of its tables has by itself."""
        found: dict[Cell, float] = {}
        for name in table_names(self.name):
            for entry in read_table(self, name).entries():
                if len(entry.cells) == 1 and entry.figure is not None:
                    found[entry.cells[0]] = entry.figure
        return found

    def notes(self, table: RecipeTable) -> list[str]:
        """Say what to know about the data sets of a table."""
        names = list(dict.fromkeys(cell.dataset for cell in table.cells()))
        texts = [" ".join(str(self.datasets[name]["note"]).split()) for name in names]
        return texts if len(names) == 1 else [f"{name}: {text}" for name, text in zip(names, texts, strict=True)]

    def is_static(self, configuration: str) -> bool:
        """Tell whether a configuration has no encoder."""
        return self.configurations[configuration]["model"] == ""

    def mean_figure(self, cells: Sequence[Cell]) -> float | None:
        """Give the paper's mean over some cells; None unless it has all of them."""
        known = [self.figures[cell] for cell in cells if cell in self.figures]
        return fmean(known) if known and len(known) == len(cells) else None


# ---------------------------------------------------------------- finding and reading


def recipe_names() -> list[str]:
    """List all recipes: `PAPER/TABLE`, in the papers' order."""
    return [name for folder in sorted(FOLDER.iterdir()) if folder.is_dir() for name in table_names(folder.name)]


def table_names(paper: str) -> list[str]:
    """List the recipes of a paper, in the order of its tables."""
    stems = [path.stem for path in (FOLDER / paper).glob("*.yaml") if path.name != _PIPELINE]
    return [f"{paper}/{stem}" for stem in sorted(stems, key=_natural)]


def _natural(text: str) -> list[Any]:
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", text)]


def full_name(name: str) -> str:
    """Give the whole name of a recipe; `table-6` stands for the only one that ends so.

    Raises:
        ConfigError: If there is no such recipe, or several.
    """
    known = recipe_names()
    found = [each for each in known if each == name or each.split("/")[1] == name]
    if len(found) == 1:
        return found[0]
    if found:
        raise ConfigError(f"'{name}' names several recipes.", hint=f"Choose one of: {', '.join(found)}.")
    short = [each.split("/")[1] for each in known]
    raise unknown_name("recipe", name, known if "/" in name else short)


def read_paper(name: str) -> Paper:
    """Read what the tables of a paper share."""
    body = _load(FOLDER / name / _PIPELINE)
    return Paper(
        name=name,
        title=body["paper"],
        encoders=body["encoders"],
        sizes=body["sizes"],
        configurations=body["configurations"],
        datasets=body["datasets"],
        common=body["common"],
        steps=body["steps"],
    )


def read_table(paper: Paper, name: str) -> RecipeTable:
    """Read one table of a paper.

    Args:
        paper: The paper.
        name: Of the recipe.

    Raises:
        ConfigError: If a label means nothing, or a row has not as many figures as there are columns.
    """
    body = _load(FOLDER / f"{name}.yaml")
    shared, labels = str(body["cells"]), [str(each) for each in body["columns"]]
    alone = {str(label): float(value) for label, value in body.get("averages_only", {}).items()}
    rows = {}
    for label, figures in body["rows"].items():
        if len(figures) != len(labels):
            raise ConfigError(f"{name}, row {label}: {len(figures)} figures, expected {len(labels)}.")
        whole = [*figures, *([None] * len(alone))]
        rows[str(label)] = [
            Entry(str(label), column, _cells(paper, f"{shared} {label} {column}"), figure)
            for column, figure in zip([*labels, *alone], whole, strict=True)
        ]
    averages = [*body["average"], *alone.values()] if "average" in body else []
    return RecipeTable(name, body["title"], [*labels, *alone], rows, averages)


def wanted_cells(tables: Sequence[RecipeTable], pairs: Sequence[str]) -> list[Cell]:
    """Give the distinct cells of some tables, of all language pairs or of some.

    Args:
        tables: The tables.
        pairs: Language pairs; nothing: all.

    Raises:
        ConfigError: If no table has such a pair.
    """
    cells = list(dict.fromkeys(cell for table in tables for cell in table.cells()))
    known = list(dict.fromkeys(cell.pair for cell in cells))
    faults = [unknown_name("language pair in these tables", pair, known) for pair in pairs if pair not in known]
    if faults:
        raise several("--pairs", faults)
    return [cell for cell in cells if not pairs or cell.pair in pairs]


def table_title(name: str) -> str:
    """Give the title of a recipe without reading its figures."""
    return str(_load(FOLDER / f"{name}.yaml")["title"])


def _load(path: Path) -> dict[str, Any]:
    # The parser in C, where there is one, is ten times as fast.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    body: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506 - safe ones both
    return body


# ---------------------------------------------------------------- labels


def _cells(paper: Paper, label: str) -> tuple[Cell, ...]:
    """Read a label such as `GT-BLI 5k P@1 en-de LaBSE +CL 0.3`; without a pair it means all of the data set."""
    fields: dict[str, Any] = {}
    for word in label.split():
        fields |= _field(paper, word)
    row_weight = fields.pop("row_weight", None)
    if fields.get("weight") == _ROWS_WEIGHT:
        fields["weight"] = row_weight
    if paper.is_static(fields["configuration"]):
        fields |= {"encoder": None, "weight": None}
    if "pair" in fields:
        return (Cell(**fields),)
    blank = Cell(pair="", **fields)
    return tuple(replace(blank, pair=pair) for pair in paper.pairs(blank.dataset))


def _field(paper: Paper, word: str) -> dict[str, Any]:
    """Tell what one word of a label says.

    Raises:
        ConfigError: If it says nothing.
    """
    metrics = [metric for dataset in paper.datasets.values() for metric in dataset["metrics"]]
    tables: Mapping[str, Sequence[str] | Mapping[str, Any]] = {
        "encoder": paper.encoders,
        "configuration": paper.configurations,
        "dataset": paper.datasets,
        "size": paper.sizes,
        "metric": metrics,
    }
    for name, known in tables.items():
        if word in known:
            return {name: word}
    if _PAIR.fullmatch(word):
        return {"pair": word}
    if word == _ROWS_WEIGHT:
        return {"weight": word}
    weight = word.removeprefix(f"{_ROWS_WEIGHT}=")
    if _WEIGHT.fullmatch(weight):
        return {"weight" if weight == word else "row_weight": float(weight)}
    raise ConfigError(f"'{word}' in a recipe of {paper.name} means nothing.", hint="See its pipeline.yaml.")
