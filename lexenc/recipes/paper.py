"""The tables of a paper: their cells, the paper's figures in them, and templates of the steps behind them."""

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
# In a column: the weight of the row, as in Table 1.
_ROWS_WEIGHT = "λ"


@dataclass(frozen=True)
class PaperCell:
    """One score of one system on one language pair; `pair` is empty where a data set has none."""

    dataset: str
    size: str
    pair: str
    configuration: str
    metric: str
    encoder: str | None = None
    weight: float | None = None


@dataclass(frozen=True)
class PaperEntry:
    """One position of a table."""

    row: str
    column: str
    cells: tuple[PaperCell, ...]
    figure: float | None


@dataclass(frozen=True)
class RecipeTable:
    """One table of a paper: of scores, or of the settings that a preset of `pretrain` has."""

    name: str
    title: str
    columns: list[str]
    rows: dict[str, list[PaperEntry]]
    averages: list[float] = field(default_factory=list)
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    preset: str = ""

    def entries(self) -> Iterator[PaperEntry]:
        """Yield all entries, row by row."""
        for row in self.rows.values():
            yield from row

    def cells(self) -> list[PaperCell]:
        """Return the distinct cells in order."""
        return list(dict.fromkeys(cell for entry in self.entries() for cell in entry.cells))


@dataclass(frozen=True)
class Paper:
    """What the tables of a paper share. Its file explains the form."""

    name: str
    title: str
    encoders: dict[str, str]  # names on the hub by names in the paper
    sizes: dict[str, str]  # parts of `lexenc fetch` by size of the seed dictionary
    configurations: dict[str, dict[str, Any]]
    datasets: dict[str, dict[str, Any]]
    common: dict[str, Any]  # parameters of every step that has them
    steps: dict[str, dict[str, Any]]  # templates
    codes: dict[str, str] = field(default_factory=dict)  # of languages, where files of tests have others

    def pairs(self, dataset: str) -> list[str]:
        """Return the language pairs of a data set."""
        return str(self.datasets[dataset].get("pairs", "")).split()

    def languages_of(self, cell: PaperCell) -> dict[str, str]:
        """Return the values of a cell for templates: its pair, both languages, and their codes in files of tests."""
        source, _, target = cell.pair.partition("-")
        codes = {f"{side}_code": self.codes.get(own, own) for side, own in (("source", source), ("target", target))}
        return {"pair": cell.pair, "source": source, "target": target, "size": cell.size, **codes}

    def is_quoted(self, cell: PaperCell) -> bool:
        """Return whether the paper only quotes a system, so that there is nothing to compute."""
        return bool(self.configurations[cell.configuration].get("quoted"))

    @cached_property
    def figures(self) -> dict[PaperCell, float]:
        """Figure of every cell that some table of the paper shows on its own."""
        found: dict[PaperCell, float] = {}
        for name in table_names(self.name):
            for entry in read_table(self, name).entries():
                if len(entry.cells) == 1 and entry.figure is not None:
                    found[entry.cells[0]] = entry.figure
        return found

    def notes(self, table: RecipeTable) -> list[str]:
        """Return remarks on the data sets of a table."""
        owners: dict[str, list[str]] = {}
        for name in dict.fromkeys(cell.dataset for cell in table.cells()):
            owners.setdefault(" ".join(str(self.datasets[name]["note"]).split()), []).append(name)
        notes = list(owners) if len(owners) == 1 else [f"{', '.join(own)}: {text}" for text, own in owners.items()]
        quoted = [label for label, row in table.rows.items() if all(map(self.is_quoted, row[0].cells))]
        return [*notes, *([f"Quoted by the paper, not computed: {', '.join(quoted)}."] if quoted else [])]

    def mean_figure(self, cells: Sequence[PaperCell]) -> float | None:
        """Return the mean of the paper over some cells; None unless it has all of them."""
        known = [self.figures[cell] for cell in cells if cell in self.figures]
        return fmean(known) if known and len(known) == len(cells) else None


def recipe_names() -> list[str]:
    """Return the names of all recipes, `PAPER/TABLE`, in the order of the papers."""
    return [name for folder in sorted(FOLDER.iterdir()) if folder.is_dir() for name in table_names(folder.name)]


def table_names(paper: str) -> list[str]:
    """Return the names of the recipes of a paper, in the order of its tables."""
    stems = [path.stem for path in (FOLDER / paper).glob("*.yaml") if path.name != _PIPELINE]
    numbered = {stem: [int(each) if each.isdecimal() else each for each in re.split(r"(\d+)", stem)] for stem in stems}
    return [f"{paper}/{stem}" for stem in sorted(stems, key=numbered.__getitem__)]


def full_name(name: str) -> str:
    """Return the full name of a recipe; `table-6` is enough if it is unique.

    Raises:
        ConfigError: If no recipe has the name, or several have it.
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
    return Paper(name, body.pop("paper"), **body)


def read_table(paper: Paper, name: str) -> RecipeTable:
    """Read one table of a paper.

    Raises:
        ConfigError: If a label is unknown, or a row has a wrong number of figures.
    """
    body = _load(FOLDER / f"{name}.yaml")
    if "settings" in body:
        return RecipeTable(name, body["title"], [], {}, settings=body["settings"], preset=body["preset"])
    shared, labels = str(body["cells"]), [str(each) for each in body["columns"]]
    alone = {str(label): float(value) for label, value in body.get("averages_only", {}).items()}
    rows = {}
    for label, figures in body["rows"].items():
        if len(figures) != len(labels):
            raise ConfigError(f"{name}, row {label}: {len(figures)} figures, expected {len(labels)}.")
        whole = [*figures, *([None] * len(alone))]
        rows[str(label)] = [
            PaperEntry(str(label), column, _cells(paper, f"{shared} {label} {column}"), figure)
            for column, figure in zip([*labels, *alone], whole, strict=True)
        ]
    averages = [*body["average"], *alone.values()] if "average" in body else []
    return RecipeTable(name, body["title"], [*labels, *alone], rows, averages)


def wanted_cells(tables: Sequence[RecipeTable], pairs: Sequence[str]) -> list[PaperCell]:
    """Return the distinct cells of some tables.

    Raises:
        ConfigError: If no table has one of the pairs.
    """
    cells = list(dict.fromkeys(cell for table in tables for cell in table.cells()))
    known = list(dict.fromkeys(cell.pair for cell in cells))
    faults = [unknown_name("language pair in these tables", pair, known) for pair in pairs if pair not in known]
    if faults:
        raise several("--pairs", faults)
    return [cell for cell in cells if not pairs or cell.pair in pairs]


def table_title(name: str) -> str:
    """Return the title of a recipe."""
    return str(_load(FOLDER / f"{name}.yaml")["title"])


def _load(path: Path) -> dict[str, Any]:
    # The C parser is ten times as fast, if it is available.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    body: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506 - both are safe
    return body


def _cells(paper: Paper, label: str) -> tuple[PaperCell, ...]:
    """Read a label such as `GT-BLI 5k P@1 en-de LaBSE +CL 0.3`; without a pair it stands for all pairs."""
    fields: dict[str, Any] = {}
    for word in label.split():
        fields |= _field(paper, word)
    row_weight = fields.pop("row_weight", None)
    if fields.get("weight") == _ROWS_WEIGHT:
        fields["weight"] = row_weight
    if paper.configurations[fields["configuration"]].get("model", "") == "":
        fields |= {"encoder": None, "weight": None}
    # A data set with one metric, or of one size, need not name it.
    metrics = paper.datasets[fields["dataset"]]["metrics"]
    cell = PaperCell(**{"size": "", "pair": "", "metric": next(iter(metrics)), **fields})
    pairs = paper.pairs(cell.dataset)
    return (cell,) if cell.pair or not pairs else tuple(replace(cell, pair=pair) for pair in pairs)


def _field(paper: Paper, word: str) -> dict[str, Any]:
    """Return the field that one word of a label sets."""
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
    raise ConfigError(f"'{word}' in a recipe of {paper.name} is unknown.", hint="See its pipeline.yaml.")
