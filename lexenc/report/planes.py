"""The section with pictures of spaces: those of `plot`, and words of both languages on planes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lexenc import charts
from lexenc.artifact import InputRecord, owner_of
from lexenc.correlation import unit_rows
from lexenc.device import choose_device
from lexenc.errors import DataError, LexencError
from lexenc.evaluation.projection import closeness, principal_plane
from lexenc.files.chosen import chosen_vectors
from lexenc.files.evaluations import Item
from lexenc.files.text import table_rows
from lexenc.pages import Cell, Figure, Part, Remark, Section, number, numbers_of_chart, readable, word
from lexenc.randomness import generator
from lexenc.report.answers import NOTHING
from lexenc.report.data import ReportData
from lexenc.report.results import ResultFolder, ResultFolders
from lexenc.report.systems import System, grouped
from lexenc.stages.encoders.plot import HEADS, POINTS, axes, measures, note, points
from lexenc.text.folding import Folding

_PAIRS = 150
_FEWEST = 3
_ROWS = 500  # texts in the table below a picture
_BLEND = (
    "lexenc interpolate --vectors runs/mapped --encoder runs/encoder --dictionary train.tsv --lambda 0.4 "
    "--out runs/blended"
)


class Pair(NamedTuple):
    """A word, its translation, and whether it was answered correctly."""

    source: str
    target: str
    right: bool


@dataclass(frozen=True)
class Plane:
    """Translation pairs of one space, projected on two dimensions."""

    title: str
    pairs: tuple[Pair, ...]  # those with vectors on both sides
    places: np.ndarray  # positions of the words and of the translations; shape [2, n, 2]
    explained: np.ndarray  # share of the variance along each axis; shape [2]
    together: float  # mean cosine of the pairs in the whole space
    apart: float  # mean cosine of words and the translations of other words


def space(data: ReportData) -> Section:
    """Return the section with the pictures of `plot`, and translation pairs in every space of the main system."""
    section = Section("space", "Map", "Languages in one picture", "", _pictures(data))
    system = next((one for one in data.main if one.task.test == "dictionary"), None)
    items = [each for each in system.covered() if each.gold and each.answers] if system is not None else []
    if system is None or len(items) < _FEWEST:
        return section if section.parts else replace(section, parts=[NOTHING])
    lead = (
        "Each line joins a word to its translation. Where mapping and fine-tuning work, translations move together and "
        "lines become short. A plane keeps a small part of the variance, which the axes show. The cosines are those of "
        "the whole space."
    )
    pairs = choose_pairs(items, data.seed)
    figures, remarks = [], []
    for title, read in _spaces(data, system, pairs):
        try:
            figures.append(_figure(_plane(title, pairs, *read())))
        except (LexencError, OSError) as error:
            remarks.append(Remark(readable(f"{title}: not drawn, {str(error).rstrip('.')}.")))
    if not any("Blended" in figure.title for figure in figures):
        remarks.append(Remark("There is no blended space to draw. To make one:", _BLEND))
    return replace(section, lead=lead, parts=[*section.parts, *figures, *remarks])


def _pictures(data: ReportData) -> list[Part]:
    """Return the pictures of `plot`, each space as a figure of its own."""
    parts: list[Part] = []
    for result in data.results.of_stage("plot"):
        numbers = {str(each.get("space")): each for each in result.manifest.results}
        try:
            rows = grouped((row for _, row in table_rows(result.folder / POINTS, HEADS)), lambda row: row["space"])
            parts += [_picture(result, numbers[name], own) for name, own in rows.items()]
        except (LexencError, OSError, LookupError, TypeError, ValueError) as error:
            parts.append(Remark(readable(f"{result.name}: not drawn, {str(error).rstrip('.')}.")))
    return parts


def _picture(result: ResultFolder, numbers: Mapping[str, Any], rows: Sequence[Mapping[str, str]]) -> Figure:
    params = result.manifest.params
    drawn = points(rows, words=bool(params.get("words")))
    languages = list(dict.fromkeys(row["language"] for row in rows))
    title = f"{numbers['space']} ({result.name})"
    about = f"{title}: {len(rows)} texts in {', '.join(languages)}. {' '.join(measures(numbers))}."
    drawing = charts.draw(charts.scatter(drawn, languages, axes(numbers)), about)
    cells = [[Cell(row["language"]), word(row["text"]), number(each["x"], 2), number(each["y"], 2)]
             for row, each in zip(rows[:_ROWS], drawn, strict=False)]  # fmt: skip
    told = " ".join([*(f"{each}." for each in measures(numbers)), *note([numbers], str(params.get("method")))])
    told += f" The table has the first {_ROWS:,} of {len(rows):,} texts." if len(rows) > _ROWS else ""
    data = numbers_of_chart(["language", "text", "#x", "#y"], cells)
    return Figure(readable(title), readable(about), {"any": drawing}, data, readable(told), half=True)


def choose_pairs(items: Sequence[Item], seed: int, count: int = _PAIRS) -> list[Pair]:
    """Draw as many correct as wrong answers, if there are enough of both."""
    drawn = [items[place] for place in generator(seed, "report pairs").permutation(len(items))]
    answers = [(each, str(each.answers[0]["target"])) for each in drawn]
    # Of several translations the one that was answered, since it is known to have a vector.
    right = [Pair(each.asked[0], answer, True) for each, answer in answers if answer in each.gold]
    wrong = [Pair(each.asked[0], each.gold[0], False) for each, answer in answers if answer not in each.gold]
    first = right[: max(count // 2, count - len(wrong))]
    return [*first, *wrong[: count - len(first)]]


def project(title: str, pairs: Sequence[Pair], source: np.ndarray, target: np.ndarray) -> Plane:
    """Project the vectors of pairs on their first two principal components (Hotelling 1933). Shape [n, d] each."""
    left, right = unit_rows(source), unit_rows(target)
    n = len(pairs)
    places, explained = principal_plane(np.concatenate([left, right]))
    both = np.arange(2 * n)
    found = closeness(np.concatenate([left, right]), both // n, both.reshape(2, n).T)
    return Plane(title, tuple(pairs), places.reshape(2, n, 2), explained, found.together, found.apart)


def _figure(shown: Plane) -> Figure:
    right = sum(one.right for one in shown.pairs)
    about = f"{shown.title}: {len(shown.pairs)} words and their translations on a plane, {right} answered correctly."
    rows = [
        [word(pair.source), word(pair.target), Cell("right" if pair.right else "wrong"),
         *(number(float(value), 3) for value in shown.places[:, place].ravel())]
        for place, pair in enumerate(shown.pairs)
    ]  # fmt: skip
    columns = ["word", "translation", "answered", "#x", "#y", "#x of translation", "#y of translation"]
    drawing = charts.draw(charts.plane(shown.pairs, shown.places, shown.explained.tolist()), about)
    note = (
        f"{len(shown.pairs)} pairs. Mean cosine of a word and its translation {shown.together:.2f}, of words from "
        f"different pairs {shown.apart:.2f}."
    )
    data = numbers_of_chart(columns, rows)
    return Figure(readable(shown.title), readable(about), {"any": drawing}, data, note, half=True)


_Vectors = dict[str, np.ndarray]
_Reader = Callable[[], tuple[_Vectors, _Vectors]]
"""Reads the vectors of the words and of the translations."""


def _spaces(data: ReportData, system: System, pairs: Sequence[Pair]) -> Iterator[tuple[str, _Reader]]:
    """Yield the spaces of a system: raw, mapped, encoded before and after fine-tuning, blended."""
    results = data.results
    own = results.ancestors(system.result)
    for result in [each for each in own if each.manifest.stage == "map"][:1]:
        yield "Raw vectors, before mapping", partial(_read_raw, results, result, system, pairs)
        sides = [result.folder / "source", result.folder / "target"]
        yield f"Mapped ({result.name})", partial(_read, sides, system, pairs)
    for title, record, user in _encoders(results, own):
        yield title, partial(_encode, user.path_of(record), system, pairs, data.device)
    names = {each.name for each in own}
    blended = [each for each in own if each.manifest.stage == "interpolate"] or [
        # A system that blended in memory: a blended space with the same parts.
        each
        for each in results.of_stage("interpolate")
        if (parents := results.parents(each)) and {one.name for one in parents} <= names
    ]
    for result in blended[:1]:
        title = f"Blended at lambda {result.manifest.params['lambda']:g} ({result.name})"
        yield title, partial(_read, [result.folder / "source", result.folder / "target"], system, pairs)


def _encoders(results: ResultFolders, own: Sequence[ResultFolder]) -> list[tuple[str, InputRecord, ResultFolder]]:
    """Return the encoder of a system before and after fine-tuning."""
    found: list[tuple[str, InputRecord, ResultFolder]] = []
    users = (each for each in own if "encoder" in each.manifest.inputs and each.manifest.stage != "mine-negatives")
    user = next(users, None)
    while user is not None and len(found) < 2:
        record = user.manifest.inputs["encoder"][0]
        maker = results.maker(record)
        tuned = maker if maker is not None and maker.manifest.stage == "finetune" else None
        when = " after fine-tuning" if tuned else " before fine-tuning" if found else ""
        found.append((f"Encoder{when} ({maker.name if maker else Path(record.given).name})", record, user))
        user = tuned
    return found[::-1]


def _read_raw(
    results: ResultFolders, result: ResultFolder, system: System, pairs: Sequence[Pair]
) -> tuple[_Vectors, _Vectors]:
    records = [result.manifest.inputs[side][0] for side in ("source", "target")]
    gone = set()
    for record in records:
        maker, owner = results.maker(record), owner_of(result.path_of(record))
        same = owner is not None and maker is not None and owner.samefile(maker.folder)
        if record.made_by is not None and not same:  # raw files are not checked
            gone.add(results.absence(result, record) or "replaced since")
    if gone:
        raise DataError(f"the vectors {'are not here' if 'not here' in gone else 'have been replaced since'}")
    return _read([result.path_of(record) for record in records], system, pairs)


def _read(paths: Sequence[Path], system: System, pairs: Sequence[Pair]) -> tuple[_Vectors, _Vectors]:
    params = system.result.manifest.params
    forward = system.head.convention.direction != "target-source"
    wanted = [{one.source for one in pairs}, {one.target for one in pairs}]
    tables = []
    for side, path, words in zip(("source", "target"), paths, wanted if forward else wanted[::-1], strict=True):
        folding = Folding(bool(params.get("lowercase")), params.get("unicode", "keep"))
        names, matrix = chosen_vectors(path, words, folding=folding, language=params.get(f"{side}_language"))
        tables.append(dict(zip(names, matrix, strict=True)))
    return (tables[0], tables[1]) if forward else (tables[1], tables[0])


def _encode(path: Path, system: System, pairs: Sequence[Pair], device: str) -> tuple[_Vectors, _Vectors]:
    from lexenc.encoders.encode import encode_texts
    from lexenc.encoders.load import load_encoder

    folder = owner_of(path) or path
    if not folder.is_dir():
        raise DataError(f"the encoder is not at {path} any more")
    pooling = system.result.manifest.params.get("pooling", "auto")
    encoder = load_encoder(folder, pooling=pooling, device=choose_device(device, "float32"))
    words = sorted({text for one in pairs for text in (one.source, one.target)})
    table = dict(zip(words, encode_texts(encoder, words), strict=True))
    return table, table


def _plane(title: str, pairs: Sequence[Pair], left: _Vectors, right: _Vectors) -> Plane:
    kept = [one for one in pairs if one.source in left and one.target in right]
    if len(kept) < _FEWEST:
        raise DataError(f"only {len(kept)} of the {len(pairs)} pairs have vectors in it")
    first = np.array([left[one.source] for one in kept])
    second = np.array([right[one.target] for one in kept])
    if first.shape[1] != second.shape[1]:
        raise DataError(f"the languages have {first.shape[1]} and {second.shape[1]} dimensions")
    return project(title, kept, first, second)
