"""plot: sentences or words of several languages + encoders -> a picture of each space."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lexenc import charts
from lexenc.arrays import Doubles, Floats, Indices
from lexenc.correlation import unit_rows
from lexenc.encoders.base import Pooling
from lexenc.errors import ConfigError, DataError
from lexenc.evaluation.projection import closeness, neighbour_plane, principal_plane, trustworthiness
from lexenc.files.dictionaries import read_pairs
from lexenc.files.hubs import is_hub, read_hub
from lexenc.files.spaces import SIDES, load_space
from lexenc.files.text import counted, read_lines, write_table, writing
from lexenc.files.vectors import Vectors, load_vectors, read_vectors
from lexenc.files.vocabularies import all_counted, read_vocabulary
from lexenc.lexical.text_vectors import WordTable
from lexenc.parameters import param
from lexenc.randomness import generator
from lexenc.stage import Input, Job, Outcome, Stage, Table
from lexenc.stages.reading import POOLING, encode_words, folding_of, lowercase_param, open_encoder, unicode_param
from lexenc.text.folding import UnicodeForm
from lexenc.text.words import segmenter

PICTURE, POINTS = "plot.svg", "points.tsv"
HEADS = ("space", "language", "line", "x", "y", "mark", "text")
_FEWEST = 3
_MOST = 5_000  # points of a picture


@dataclass(frozen=True)
class PlotParams:
    """Parameters of `plot`."""

    method: Literal["tsne", "pca"] = param(
        "tsne",
        "tsne: t-SNE, which keeps neighbours together; distances between groups mean little. pca: the first two "
        "principal components; fast, but neighbours in the picture are often none in the space.",
    )
    points: int = param(200, "Number of lines to draw of each text, at random; with --words of words.", ge=1)
    mark: tuple[str, ...] = param(
        (), "Numbers of lines to mark and to join with their translations, e.g. 20,110,130; with --words words."
    )
    words: bool = param(
        False,
        "Draw the most frequent words of each text. An encoder gives them the vectors of its embedding layer (the "
        "input of its first layer), as a mean over the subwords of a word.",
    )
    perplexity: float = param(30.0, "Number of neighbours that t-SNE keeps near each point, in effect.", ge=1)
    pooling: Pooling = param("auto", POOLING)
    max_length: int | None = param(None, "Longest sentence in tokens. Longer sentences are cut.", ge=1)
    lowercase: bool = lowercase_param()
    unicode: UnicodeForm = unicode_param()


@dataclass(frozen=True)
class _Texts:
    """The texts of a picture.

    Args:
        names: Names of the languages.
        languages: Number of the language of each text. Shape [n].
        texts: The texts.
        lines: Number of the line of each; of words, their rank.
        pairs: Two texts that are translations, by number. Shape [p, 2].
        marks: Texts that are joined by a line have the same mark; empty for those that are not marked.
        left_out: Number of texts that are not drawn, by reason.
    """

    names: list[str]
    languages: Indices
    texts: list[str]
    lines: list[int]
    pairs: Indices
    marks: list[str]
    left_out: Counter[str] = field(default_factory=Counter)

    def part(self, kept: NDArray[np.bool_], reason: str) -> _Texts:
        """Return some of the texts, with the pairs whose texts are both kept."""
        rows, place = np.flatnonzero(kept), np.cumsum(kept) - 1
        return replace(
            self,
            languages=self.languages[rows],
            texts=[self.texts[row] for row in rows],
            lines=[self.lines[row] for row in rows],
            pairs=place[self.pairs[kept[self.pairs].all(axis=1)]],
            marks=[self.marks[row] for row in rows],
            left_out=self.left_out + Counter({reason: int((~kept).sum())}),
        )


@dataclass(frozen=True)
class _Panel:
    """A space and its picture.

    Args:
        name: Name of the encoder or the vectors.
        places: Positions of the texts. Shape [n, 2].
        result: Numbers of the space and of the picture.
    """

    name: str
    places: Doubles
    result: dict[str, Any]


def plot(inputs: dict[str, Any], params: PlotParams, job: Job) -> Outcome:
    """Draw the same texts in every space."""
    spaces, encoders = inputs.get("vectors") or [], inputs.get("encoder") or []
    names = _names_of([*spaces, *encoders])
    texts = (_frequent_words if params.words else _drawn_lines)(inputs, params, job)
    if len(texts.texts) > _MOST:
        raise DataError(f"{len(texts.texts):,} texts are too many for a picture.", hint="Draw fewer: --points 200")
    matrices = [_static_vectors(path, texts, params, job) for path in spaces]
    matrices += [_encoded(path, texts, params, job) for path in encoders]
    covered = np.logical_and.reduce([matrix.any(axis=1) for matrix in matrices])
    if not params.words:  # the same lines in every language
        lost = {line for line, own in zip(texts.lines, covered, strict=True) if not own}
        covered = np.array([line not in lost for line in texts.lines], dtype=bool)
    shown = texts.part(covered, "no vector in one of the spaces")
    _check_shown(shown, texts, job)
    panels = []
    with job.progress.task("Drawing", len(matrices), "pictures") as task:
        for name, matrix in zip(names, matrices, strict=True):
            panels.append(_panel(name, unit_rows(matrix[covered]), shown, params, job))
            task.advance(1)
    _write(panels, shown, params, job)
    results = [panel.result for panel in panels]
    summary = {"texts": len(shown.texts), "left_out": dict(shown.left_out)}
    return Outcome(summary, results, [_table(results, params)])


def _names_of(paths: Sequence[Path]) -> list[str]:
    """Return names that tell folders apart: as many of their last parts as that takes."""
    for depth in range(1, max(len(path.parts) for path in paths) + 1):
        names = ["/".join(path.parts[-depth:]) for path in paths]
        if len({*names}) == len(names):
            break
    return names


# ---------------------------------------------------------------- texts


def _drawn_lines(inputs: Mapping[str, Any], params: PlotParams, job: Job) -> _Texts:
    """Draw lines at random, the same ones of every language."""
    files: Mapping[str, Path] = inputs["text"]
    sizes, blank = dict[str, int](), dict[int, str]()
    for name, path in files.items():
        number = 0
        for number, line in read_lines(path):
            if not line.strip():
                blank.setdefault(number, name)
        sizes[name] = number
    (first, total), *others = sizes.items()
    for name, size in others:
        if size != total:
            raise DataError(
                f"{files[first]} has {counted(total, 'line')}, {files[name]} {size:,}.",
                hint="Each line must be the translation of the same line of the other texts.",
            )
    marked: dict[int, str] = {}
    for text in params.mark:
        number = int(text) if text.isdecimal() else 0
        if not 0 < number <= total or number in blank:
            why = f"it is blank in {files[blank[number]]}" if number in blank else f"the texts have {total:,} lines"
            raise ConfigError(f"--mark: there is no line {text} to draw, {why}.", hint="Count lines from 1.")
        marked[number] = text
    usable = np.array([number for number in range(1, total + 1) if number not in blank], dtype=np.int64)
    if not len(usable):
        listed = ", ".join(map(str, files.values()))
        raise DataError(f"There is no line with a text in every file of {listed}.", hint="Give a text per line.")
    drawn = generator(job.seed, "lines of a plot").permutation(usable)[: params.points].tolist()
    # Marked lines replace others, so that the number stays.
    drawn = sorted({*marked, *[each for each in drawn if each not in marked][: max(0, params.points - len(marked))]})
    chosen = {*drawn}
    columns = [[line for number, line in read_lines(path) if number in chosen] for path in files.values()]
    rows = np.arange(len(drawn) * len(files)).reshape(len(drawn), len(files))
    pairs = [rows[:, sides] for sides in map(list, combinations(range(len(files)), 2))]
    return _Texts(
        [*files],
        np.tile(np.arange(len(files)), len(drawn)),
        [text for own in zip(*columns, strict=True) for text in own],
        [number for number in drawn for _ in files],
        np.concatenate(pairs),
        [marked.get(number, "") for number in drawn for _ in files],
        Counter({"a blank line": len(blank)} if blank else {}),
    )


def _frequent_words(inputs: Mapping[str, Any], params: PlotParams, job: Job) -> _Texts:
    """Choose the most frequent words of each language."""
    files, folding = inputs["text"], folding_of(params)
    ranked = [_by_frequency(path, params) for path in files.values()]
    marked = {folding.fold(word) for word in params.mark}
    for word in marked:
        if not any(word in words for words in ranked):
            raise ConfigError(f"--mark: no text has the word '{word}'.", hint="Write it as in the text.")
    wanted = [
        [*words[: params.points], *(word for word in words[params.points :] if word in marked)] for words in ranked
    ]
    # Words of all languages in turn: what is drawn last covers the others.
    order = sorted((rank, side) for side, words in enumerate(wanted) for rank in range(len(words)))
    place = {(side, wanted[side][rank]): number for number, (rank, side) in enumerate(order)}
    pairs: dict[tuple[int, int], None] = {}
    if inputs.get("dictionary") is not None:
        for left, right in read_pairs(inputs["dictionary"]).folded(folding):
            if (0, left) in place and (1, right) in place:
                pairs[place[0, left], place[1, right]] = None
        if not pairs:
            job.notices.warn("No pair of the dictionary is drawn.", "Draw more words (--points).")
    marks = [wanted[side][rank] if wanted[side][rank] in marked else "" for rank, side in order]
    for one, other in pairs:
        marks[one] = marks[other] = marks[one] or marks[other]
    return _Texts(
        [*files],
        np.array([side for _, side in order]),
        [wanted[side][rank] for rank, side in order],
        [rank + 1 for rank, _ in order],
        np.array([*pairs], dtype=np.int64).reshape(-1, 2),
        marks,
    )


def _by_frequency(path: Path, params: PlotParams) -> list[str]:
    """Return the words of a text, of a list of words with counts, or of a folder with vectors, the most frequent first.

    Words without a letter or digit are left out.
    """
    folding, counts = folding_of(params), Counter[str]()
    if path.is_dir() or all_counted([line for _, line in islice(read_lines(path), 100)]):
        listed = read_vocabulary(path, folding=folding)
        counts.update(dict(zip(listed.words, listed.counts or [1] * len(listed.words), strict=True)))
    else:
        split = segmenter("words")
        for _, line in read_lines(path):
            counts.update(folding.fold(word) for word in split(line))
    words = [word for word, _ in counts.most_common() if any(map(str.isalnum, word))]
    if not words:
        raise DataError(f"There are no words in {path}.", hint="Give a text, or a list of words.")
    return words


# ---------------------------------------------------------------- vectors


def _encoded(path: Path, texts: _Texts, params: PlotParams, job: Job) -> Floats:
    """Return the vectors of an encoder. Shape [n, d]."""
    encoder = open_encoder(path, params.pooling, job, max_length=params.max_length)
    if not params.words:
        return encode_words(encoder, texts.texts, job)
    from lexenc.encoders.word_vectors import word_encoder

    found = word_encoder(encoder, layer=0, unit="words")([[word] for word in texts.texts])
    has = np.diff(found.starts) > 0
    matrix = np.zeros((len(has), found.values.shape[1]), dtype=np.float32)
    matrix[has] = found.values[found.starts[:-1][has]]
    return matrix


def _static_vectors(path: Path, texts: _Texts, params: PlotParams, job: Job) -> Floats:
    """Return static vectors; those of a sentence are the mean of its words. Shape [n, d]."""
    folding, split = folding_of(params), segmenter("words")
    tables = [WordTable.of(each, limit=None, folding=folding, language=None) for each in _languages(path, texts, job)]
    parts = texts.texts if params.words else [" ".join(split(folding.fold(text))) for text in texts.texts]
    matrix = np.zeros((len(parts), tables[0].matrix.shape[1]), dtype=np.float32)
    for side, table in enumerate(tables):
        rows = np.flatnonzero(texts.languages == side)
        matrix[rows] = table.look_up([parts[row] for row in rows], average=True).matrix
    return matrix


def _languages(path: Path, texts: _Texts, job: Job) -> list[Vectors]:
    """Return the vectors of every language: of a hub by name, of a shared space by order, or one file for all."""
    names = texts.names
    if is_hub(path):
        missing = [name for name in names if name not in read_hub(path).languages]
        if missing:
            known = ", ".join(read_hub(path).languages)
            raise ConfigError(f"{path} has no language {missing[0]}.", hint=f"It has: {known}. Name --text like these.")
        return [load_vectors(path / name, mmap=True) for name in names]
    if any((path / side / "words.txt").is_file() for side in SIDES):
        if len(names) != len(SIDES):
            raise ConfigError(f"{path} is a space of two languages, and --text has {len(names)}.", hint="Give two.")
        space = load_space(path, mmap=True)
        return [space.source, space.target]
    return [read_vectors(path, progress=job.progress)] * len(names)


def _check_shown(shown: _Texts, texts: _Texts, job: Job) -> None:
    """Check that there is something to draw, and warn of what is not drawn and of what misleads."""
    for name, side in zip(shown.names, range(len(shown.names)), strict=True):
        if not (shown.languages == side).any():
            raise DataError(f"No text of {name} has a vector in every space.", hint="Check the texts and the vectors.")
    if len(shown.texts) < _FEWEST:
        raise DataError("Two texts are not enough for a picture.", hint="Draw more: --points 200")
    lost = len(texts.texts) - len(shown.texts)
    if lost:
        job.notices.warn(
            f"{counted(lost, 'text')} of {len(texts.texts):,} without a vector in one of the spaces: not drawn.",
            "Only what has a vector everywhere is drawn, so that the pictures can be compared.",
        )


# ---------------------------------------------------------------- pictures


def _panel(name: str, unit: Doubles, shown: _Texts, params: PlotParams, job: Job) -> _Panel:
    """Place the texts of one space on a plane, and measure the space."""
    found = closeness(unit, shown.languages, shown.pairs)
    places, explained = principal_plane(unit)
    if params.method == "tsne":
        # More neighbours than a third of the points cannot be told from all of them.
        perplexity = min(params.perplexity, max(1.0, (len(unit) - 1) / 3))
        if perplexity < params.perplexity:
            job.notices.warn(f"{counted(len(unit), 'point')}: the perplexity is {perplexity:.3g}.", None)
        places = neighbour_plane(unit, perplexity=perplexity)
    numbers = {
        "translation_cosine": found.together,
        "other_cosine": found.apart,
        "nearest_same_language": found.same_language,
        "same_language_by_chance": found.by_chance,
        "trustworthiness": trustworthiness(unit, places),
    }
    if params.method == "pca":
        numbers |= {"first_component": float(explained[0]), "second_component": float(explained[1])}
    known = {key: None if value is None or math.isnan(value) else value for key, value in numbers.items()}
    repeated = len(shown.texts) - len({*shown.texts})
    return _Panel(name, places, {"space": name, "texts": len(unit), "translations": len(shown.pairs),
                                 "repeated_texts": repeated, "dimensions": unit.shape[1], **known})  # fmt: skip


def measures(result: Mapping[str, Any]) -> list[str]:
    """Return the numbers of a space in words, for the lines beside its picture."""
    together, apart = (result.get(key) for key in ("translation_cosine", "other_cosine"))
    cosines = [f"translations {together:z.2f}"] if together is not None else []
    cosines += [f"others {apart:z.2f}"] if apart is not None else []
    share, chance = (100 * result[key] for key in ("nearest_same_language", "same_language_by_chance"))
    return [
        f"Mean cosine between languages: {', '.join(cosines)}",
        f"Nearest text is of the same language: {share:.0f} % (by chance {chance:.0f} %)",
    ]


def axes(result: Mapping[str, Any]) -> tuple[str, str]:
    """Return the titles of both axes; those of t-SNE have no meaning, and no title."""
    if result.get("first_component") is None or result.get("second_component") is None:
        return "", ""
    first, second = (100 * float(result[f"{which}_component"]) for which in ("first", "second"))
    return f"first component, {first:.1f} % of the variance", f"second component, {second:.1f} %"


def note(results: Sequence[Mapping[str, Any]], method: str) -> list[str]:
    """Return what a reader has to know of the pictures, as sentences."""
    trust = ", ".join("-" if (value := each.get("trustworthiness")) is None else f"{value:.2f}" for each in results)
    how = "t-SNE keeps neighbours; distances between groups mean little." if method == "tsne" else "PCA."
    repeated = max((each.get("repeated_texts", 0) for each in results), default=0)
    lines = [
        "Cosines and nearest texts are those of the whole space, not of the picture.",
        "Each picture is scaled by itself, equally along both axes.",
        f"{how} Trustworthiness of the pictures: {trust} (1: all neighbours are neighbours in the space).",
    ]
    return lines + ([f"{counted(repeated, 'text')} equal to another one."] if repeated else [])


def _write(panels: Sequence[_Panel], shown: _Texts, params: PlotParams, job: Job) -> None:
    """Write the picture, and its points as a table."""
    languages = [shown.names[side] for side in shown.languages]
    texts = [text.replace("\t", " ") for text in shown.texts]
    cells = list(zip(languages, shown.lines, shown.marks, texts, strict=True))
    table, drawings = [], []
    for panel in panels:
        rows = [{"language": language, "line": str(line), "x": f"{x:.4f}", "y": f"{y:.4f}", "mark": mark, "text": text}
                for (language, line, mark, text), (x, y) in zip(cells, panel.places.tolist(), strict=True)]  # fmt: skip
        table += [[panel.name, *row.values()] for row in rows]
        drawings.append(charts.scatter(points(rows, words=params.words), shown.names, axes(panel.result)))
    titles = [[panel.name, *measures(panel.result)] for panel in panels]
    below = note([panel.result for panel in panels], params.method)
    about = f"{counted(len(panels), 'picture')} of {counted(len(texts), 'text')} in {', '.join(shown.names)}."
    write_table(job.out / POINTS, HEADS, table)
    with writing(job.out / PICTURE) as stream:
        stream.write(charts.draw_alone(charts.panels(drawings, titles, below), about).encode("utf-8"))


def points(rows: Sequence[Mapping[str, str]], *, words: bool) -> list[dict[str, Any]]:
    """Return rows of `points.tsv` as `charts.scatter` takes them. Of a marked line the number is written once.

    Raises:
        DataError: If a place is not finite.
    """
    named, made = set[str](), list[dict[str, Any]]()
    for row in rows:
        mark, text = row["mark"], row["text"]
        name = "" if mark in named else mark
        named.add(mark)
        label = f"{row['language']}: {text if len(text) <= 80 else f'{text[:79]}…'}"
        x, y = (float(row[side]) for side in ("x", "y"))
        if not (math.isfinite(x) and math.isfinite(y)):
            raise DataError(f"A place is not a number: {row['x']}, {row['y']}.", hint="Draw the picture again.")
        made.append({"language": row["language"], "x": x, "y": y, "mark": mark, "label": label,
                     "name": text if mark and words else name, "order": len(made)})  # fmt: skip
    return made


def _table(results: Sequence[Mapping[str, Any]], params: PlotParams) -> Table:
    def number(value: float | None, scale: int = 1, digits: int = 3) -> str:
        return "-" if value is None else f"{scale * value:z.{digits}f}"

    rows = [
        [each["space"], number(each["translation_cosine"]), number(each["other_cosine"]),
         number(each["nearest_same_language"], 100, 1), number(each["same_language_by_chance"], 100, 1),
         number(each["trustworthiness"])]
        for each in results
    ]  # fmt: skip
    heads = ["space", "translations", "others", "same language %", "by chance %", "trust"]
    told = (
        "translations, others: mean cosine of texts of different languages. same language: texts whose nearest text is "
        f"of their language. All of the whole space; {params.method} keeps neighbours as far as trust says (1: all)."
    )
    return Table(f"{results[0]['texts']:,} texts in each space", heads, rows, told)


def check_plot(inputs: Mapping[str, Any], params: PlotParams) -> list[ConfigError]:
    """Return the errors that involve more than one option."""
    text = inputs.get("text") or []
    texts = [text] if isinstance(text, str | Path) else [*text]
    given = [str(each) for name in ("encoder", "vectors") for each in _listed(inputs.get(name))]
    table = [
        (not given, "There is no space to draw.", "Give --encoder or --vectors, each as often as needed."),
        (len({*given}) < len(given), "An encoder, or a space, is given twice.", "Give each once."),
        (len(texts) < 2, "--text is given once.", "Give it for two languages or more: --text en=a.txt --text de=b.txt"),
        (bool(inputs.get("dictionary")) and not params.words, "--dictionary needs --words.", "Add --words."),
    ]
    if not isinstance(text, Mapping):
        unnamed = [each for each in texts if not _TEXT.label(str(each))]
        table += [(True, f"--text {each} has no language.", f"Name it: --text en={each}") for each in unnamed]
    return [ConfigError(message, hint=hint) for wrong, message, hint in table if wrong]


def _listed(value: Any) -> list[Any]:
    return [] if value is None else [*value] if isinstance(value, list | tuple) else [value]


_TEXT = Input(
    "Sentences of a language with its name, e.g. en=a.txt, line by line; with --words a text, or words by frequency. "
    "Once per language.", many=True, named=True,
)  # fmt: skip

PLOT = Stage(
    name="plot",
    version=1,
    inputs={
        "text": _TEXT,
        "encoder": Input("Encoder. Each has a picture of its own.", kind="encoder", many=True, required=False),
        "vectors": Input(
            "Shared space (of map, interpolate or map-hub), or vectors of all languages. Sentences are means of words.",
            many=True, required=False,
        ),
        "dictionary": Input(
            "With --words: translations between the first two languages, for the cosines.", required=False
        ),
    },
    params=PlotParams,
    run=plot,
    check=check_plot,
    makes="plot.svg, and points.tsv with the places of all texts. lexenc report shows the picture too.",
    examples=(
        "lexenc plot --text en=a.txt --text sw=b.txt --encoder before --encoder runs/trained --mark 20,110,130 "
        "--out runs/plot",
        "lexenc plot --text en=a.txt --text sw=b.txt --words --encoder runs/tr --encoder runs/wacse --out words.svg",
    ),
    uses_device=True,
    uses_seed=True,
    files={".svg": PICTURE},
)  # fmt: skip
