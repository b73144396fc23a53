"""Training data of sentence encoders: every source is read into rows, and all rows become numbers together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from lexenc.arrays import Indices
from lexenc.errors import ConfigError, DataError
from lexenc.files.nli import (
    OTHER_LANGUAGE,
    NliRow,
    aligned_columns,
    aligned_files,
    is_scored,
    language_files,
    nli_text,
    rows_in,
)
from lexenc.files.parallel import parallel_text
from lexenc.files.text import counted, read_lines
from lexenc.parameters import param
from lexenc.planning import texts_of
from lexenc.randomness import generator
from lexenc.stage import GivenSource, Input, Job
from lexenc.stages.reading import tell_remarks
from lexenc.stages.sentences.links import ParallelRows
from lexenc.text.folding import SAME_TEXT, check_language, trim

if TYPE_CHECKING:
    from lexenc.sentences.strategies import NumberedRows, TrainingRow
    from lexenc.training.data import PairData

_Item = TypeVar("_Item")
KINDS = ("parallel", "nli", "unsupervised", "cross-lingual-nli")
DATA_GROUP, DEV_GROUP = "Data", "Development data"
MOST_HELD_OUT = 10_000
"""Development pairs of two languages at most: the papers evaluate on so many, and time grows with the square."""

DATA = Input(
    "Training data; several are mixed. parallel: sentences with translations, the best data if there are some thousand "
    "(text, TMX or XLIFF). nli: premise, hypothesis and label, or pairs with scores; English alone also brings the "
    "other languages of a multilingual encoder together. cross-lingual-nli: the same rows in several languages, in a "
    "folder with one file per language or in one file with a language column. unsupervised: one sentence per line, for "
    "a transformer, if there is nothing else. NAME is the language, or the two of parallel text: en-sw.",
    required=False,
    kinds=KINDS,
)
SOURCE = Input("Sentences of two line-aligned files, as one more parallel source.", required=False)
TARGET = Input("Translations of --source, line by line.", required=False)
DEV = Input(
    "Development data: parallel text, one file or several, with the languages as NAME; or sentence pairs with scores. "
    "A number such as 0.05 is the share of the parallel training rows to hold out. At most 10,000 pairs of a file are "
    "used.",
    required=False,
    kinds=("pairs",),
    number="dev_share",
)


@dataclass(frozen=True)
class SourceParams:
    """Parameters of how training data is read."""

    languages: tuple[str, ...] = param(
        (), "Languages to use of nli and cross-lingual-nli data, e.g. en,sw. By default all.", group=DATA_GROUP
    )
    limit: int | None = param(
        None,
        "Maximum number of rows of each source, drawn at random. By default all. Less memory is needed for "
        "all kinds but nli, whose files are read whole.",
        ge=1,
        group=DATA_GROUP,
    )
    hard_negatives: Literal["keep", "drop"] | None = param(
        None,
        "Hard negatives of nli data. keep: rows that have some use them. drop: no row has any, as mSimCSE does if a "
        "source without hard negatives is mixed in. By default keep.",
        group=DATA_GROUP,
    )
    missing_negatives: Literal["keep", "drop", "random"] | None = param(
        None,
        "An entailment whose premise has no contradiction. keep: it is trained without a hard negative. drop: it is "
        "left out. random: it gets a contradiction of another premise. By default keep for nli, and drop for "
        "cross-lingual-nli, as most of its rows have one.",
        group=DATA_GROUP,
    )
    negatives_per_row: int | None = param(
        None,
        "Maximum number of hard negatives of a row of nli data. A triplet has one. By default 1.",
        ge=1,
        group=DATA_GROUP,
    )
    min_similarity: float | None = param(
        None,
        "For nli data with scores: lowest score at which two sentences are a positive pair. STS has 0 to 5. By default "
        "4.",
        group=DATA_GROUP,
    )
    dev_share: float | None = param(
        None,
        f"Share of the parallel rows to hold out as development data, at most {MOST_HELD_OUT:,} rows of two "
        "languages. They share no text with the training data.",
        gt=0,
        le=0.5,
        group=DEV_GROUP,
    )
    source_language: str | None = param(
        None,
        "Language of the sentences of parallel data without a NAME, e.g. en.",
        check=check_language,
        group=DATA_GROUP,
    )
    target_language: str | None = param(None, "Language of their translations.", check=check_language, group=DATA_GROUP)


OF_NLI: Mapping[str, Any] = {"hard_negatives": "keep", "negatives_per_row": 1, "min_similarity": 4.0}
"""Parameters with a meaning for nli and cross-lingual-nli data only, and their defaults."""


def resolve_sources(inputs: Mapping[str, Any], params: SourceParams) -> dict[str, Any]:
    """Return the defaults of the parameters that have a meaning for some data."""
    table = OF_NLI if any("nli" in source.kind for source in given_sources(inputs)) else {}
    return {name: value for name, value in table.items() if getattr(params, name) is None}


@dataclass(frozen=True)
class DevelopmentSet:
    """Development data of one pair of languages.

    Args:
        name: Languages, or name of the file.
        sources: Sentences. Shape [n].
        targets: Their translations, or the sentences that they are compared with. Shape [n].
        scores: Similarity of each pair. Empty if they are translations.
        languages: Languages of both sides. Empty texts if they are not known.
    """

    name: str
    sources: list[str]
    targets: list[str]
    scores: list[float] = field(default_factory=list)
    languages: tuple[str, str] = ("", "")

    def __len__(self) -> int:
        return len(self.sources)


@dataclass(frozen=True)
class Sources:
    """The training data of a run.

    Args:
        data: All rows, with classes, sources, and the languages of texts if any are known.
        lines: Line or row of each row in its source, counted from 1. Shape [n].
        parallel: The rows of each parallel source, for their word links.
        counts: For each source its name, files and kind; `read`, the number of its rows, once per language; and what
            became of them: `rows` to train on, `held_out`, `contradictions`, which are hard negatives, `not_drawn` with
            --limit, and `left_out` by reason.
        languages: Names of the languages: text `i` has the language `languages[data.languages[i] - 1]`.
        development: Development data, held out or from files.
    """

    data: PairData
    lines: Indices
    parallel: list[ParallelRows]
    counts: list[dict[str, Any]]
    languages: list[str]
    development: list[DevelopmentSet]

    @property
    def translated(self) -> NDArray[np.bool_]:
        """Which rows are a sentence and its translation. Shape [n]."""
        table = np.zeros(len(self.data), dtype=np.bool_)
        for each in self.parallel:
            table[each.rows] = True
        return table

    @property
    def development_pairs(self) -> int:
        """Number of development pairs."""
        return sum(map(len, self.development))


@dataclass
class Reading:
    """One source while it is read.

    Args:
        kind: Its kind.
        name: Its files, for messages.
        files: Files by language; one file under the name that the user gave it; or two files line by line.
        counts: Rows that are left out, by reason.
        total: Number of its rows, those that are left out included.
        languages: Languages of nli data that it has, those that are not used included.
        width: Number of languages that each of its rows has.
        highest: Highest score of a row, if there are scores.
    """

    kind: str
    name: str
    files: dict[str, Path]
    counts: Counter[str] = field(default_factory=Counter)
    total: int = 0
    languages: dict[str, None] = field(default_factory=dict)
    width: int = 1
    highest: float | None = None

    def used(self, wanted: Sequence[str]) -> list[str]:
        """Return the languages to use: those of the wanted ones that it has, or all if none are wanted.

        Raises:
            ConfigError: If it has none of them.
        """
        found = [each for each in dict.fromkeys(wanted or self.languages) if each in self.languages]
        if found:
            return found
        listed = ", ".join(filter(None, self.languages))
        hint = f"It has {listed}." if listed else f"Name its language, e.g. --data {self.kind}:en={self.name}."
        shown = " or ".join(f"'{each}'" for each in wanted)
        raise ConfigError(f"{self.name} has no language {shown}.", hint=hint)


def given_sources(inputs: Mapping[str, Any], name: str = "data") -> list[GivenSource]:
    """Return the sources of `data` or `dev` as the user named them, without looking at any file."""
    one, found = {"data": DATA, "dev": DEV}[name], texts_of(inputs.get(name))
    return [one.source(str(text), Path(one.split(str(text))[1])) for text in found]


def number_of_sources(inputs: Mapping[str, Any]) -> int:
    """Return how many sources there are. Files of one language each, of cross-lingual-nli, are one."""
    given = given_sources(inputs)
    sides = [each for each in given if each.kind == "cross-lingual-nli" and each.name and "," not in each.name]
    sides = [each for each in sides if not each.path.is_dir()]
    return bool(inputs.get("source")) + len(given) - max(0, len(sides) - 1)


def check_sources(inputs: Mapping[str, Any], params: SourceParams) -> list[ConfigError]:
    """Return the errors that involve more than one option, and those in the names of sources."""
    given, sides = texts_of(inputs.get("data")), [inputs.get(name) for name in ("source", "target")]
    faults = []
    if any(sides) != all(sides):
        faults.append(ConfigError("--source and --target belong together.", hint="Give both files, or --data."))
    elif not given and not all(sides):
        hint = "E.g. --data train.tsv, --data nli:nli.tsv, or --source train.en --target train.sw."
        faults.append(ConfigError("There is no training data.", hint=hint))
    sources = given_sources(inputs)
    faults += _check_meaning(sources, any(sides), params)
    for source in sources + given_sources(inputs, "dev"):
        try:
            languages_of(source)
        except ConfigError as fault:
            faults.append(fault)
    if params.languages and not any("nli" in source.kind for source in sources):
        hint = "Name the languages of parallel text as in --data en-sw=train.tsv."
        faults.append(ConfigError("--languages has no meaning without nli or cross-lingual-nli data.", hint=hint))
    return faults


def _check_meaning(given: Sequence[GivenSource], sides: bool, params: SourceParams) -> list[ConfigError]:
    """Return an error for every parameter without a meaning for the data."""
    no_nli = not any("nli" in source.kind for source in given)
    unnamed = sides or any(source.kind == "parallel" and not source.name for source in given)
    wrong = {name: "nli or cross-lingual-nli data" for name in (*OF_NLI, "missing_negatives") if no_nli}
    wrong |= {} if unnamed else dict.fromkeys(("source_language", "target_language"), "parallel data that has no NAME")
    return [
        ConfigError(f"--{name.replace('_', '-')} has no meaning without {data}.", hint="Leave it out.")
        for name, data in wrong.items()
        if getattr(params, name) is not None
    ]


def languages_of(source: GivenSource) -> tuple[str, ...]:
    """Return the languages in the name of a source; none if it has no name.

    Raises:
        ConfigError: If a code is wrong, or there are too many or too few for the kind.
    """
    if not source.name:
        return ()
    parallel = source.kind in ("parallel", *DEV.kinds)
    found = source.name.split("," if "," in source.name or not parallel else "-")
    for code in found:
        check_language(code, f"The name of {source.path}")
    wanted = "two languages, such as en-sw" if parallel else "one language"
    if source.kind != "cross-lingual-nli" and len(found) != (2 if parallel else 1):
        hint = "Put a comma between them if a code has a hyphen: zh-Hant,en." if parallel else "Leave it out."
        raise ConfigError(f"{source.name}={source.path} needs {wanted}.", hint=hint)
    return tuple(found) if parallel else tuple(dict.fromkeys(found))


# ---------------------------------------------------------------- reading


def read_sources(inputs: Mapping[str, Any], params: SourceParams, job: Job) -> Sources:
    """Read all training data and the development data.

    Args:
        inputs: `data`, a list of sources; `source` and `target`, two files or None; `dev`, a list of sources.
        params: How to read them.
        job: Seed, progress and messages of the run.

    Raises:
        DataError: If a file cannot be used, or a source has no row to train on.
        ConfigError: If the languages of a source cannot be used.
    """
    from lexenc.sentences.strategies import number_rows, sample

    readings = list(_given_readings(inputs))
    rows, usable = [], Counter[int]()
    with job.progress.task("read data", len(readings), "sources") as task:
        for number, each in enumerate(readings):
            stream = _rows(each, params, job, generator(job.seed, f"rows of source {number}"))
            if params.hard_negatives == "drop":
                stream = (row._replace(negatives=(), languages=row.languages[:2]) for row in stream)
            stream = _counting(stream, usable, number)
            rows.append(sample(stream, params.limit, generator(job.seed, f"sample of source {number}")))
            if not rows[-1]:
                raise _unusable(each)
            task.advance(1)
    _check_languages(readings, params.languages)
    numbered = number_rows(rows)
    del rows
    development = _read_development(inputs.get("dev") or [], numbered, job)
    kept = np.arange(len(numbered.data))
    if params.dev_share is not None:
        kept, held = _held_out(numbered, readings, params.dev_share, job)
        development += held
    found = _chosen(numbered, kept, readings, usable, development)
    for own in found.counts:
        job.notices.say(_sentence(own))
    return found


def _counting(items: Iterable[_Item], counts: Counter[int], place: int) -> Iterator[_Item]:
    for each in items:
        counts[place] += 1
        yield each


def _given_readings(inputs: Mapping[str, Any]) -> Iterator[Reading]:
    if inputs.get("source"):
        files = {"source": inputs["source"], "target": inputs["target"]}
        yield Reading("parallel", f"{files['source']} and {files['target']}", files)
    yield from to_read(inputs.get("data") or [])


def to_read(given: Iterable[GivenSource]) -> list[Reading]:
    """Return sources as they are read. Files of one language each, of cross-lingual-nli, are one source.

    Raises:
        ConfigError: If a language is given twice, or is not in a folder.
        DataError: If a folder has no files of languages.
    """
    found: list[Reading] = []
    side: Reading | None = None
    for source in given:
        languages, files = languages_of(source), {source.name: source.path}
        if one_language_of_several(source):
            if side is None:
                side = Reading(source.kind, "", {})
                found.append(side)
            if languages[0] in side.files:
                raise ConfigError(f"{source.path}: there are two files in {languages[0]}.", hint="Give one of them.")
            side.files[languages[0]] = source.path
            side.name = ", ".join(map(str, dict.fromkeys(side.files.values())))
            continue
        if source.kind == "cross-lingual-nli" and source.path.is_dir():
            files = _restricted(language_files(source.path), languages, str(source.path))
        elif source.kind == "cross-lingual-nli" and languages:
            files = dict.fromkeys(languages, source.path)
        found.append(Reading(source.kind, str(source.path), files))
    return found


def one_language_of_several(source: GivenSource) -> bool:
    """Return whether it is a file of one language of cross-lingual-nli, which belongs to those of the others."""
    return source.kind == "cross-lingual-nli" and source.path.is_file() and len(languages_of(source)) == 1


def _restricted(files: Mapping[str, Path], languages: Sequence[str], name: str) -> dict[str, Path]:
    """Return the files of some languages; all if none are given."""
    for each in languages:
        if each not in files:
            raise ConfigError(f"{name} has no language '{each}'.", hint=f"It has {', '.join(files)}.")
    return {each: files[each] for each in languages or files}


def _rows(reading: Reading, params: SourceParams, job: Job, random: np.random.Generator) -> Iterable[TrainingRow]:
    from lexenc.sentences.strategies import nli_rows, parallel_rows, unsupervised_rows

    if reading.kind == "parallel":
        pairs, languages = _sentence_pairs(reading, params, job)
        return parallel_rows(pairs, languages, reading.counts)
    if reading.kind == "unsupervised":
        ((name, path),) = reading.files.items()
        return unsupervised_rows(_numbered((trim(line) for _, line in read_lines(path)), reading), name, reading.counts)
    across = reading.kind == "cross-lingual-nli"
    if is_scored(next(iter(reading.files.values()))):
        job.notices.say(
            f"{reading.name} has scores: pairs with a score of at least {_threshold(params):g} are positives."
        )
    elif params.min_similarity is not None:
        job.notices.warn(
            f"{reading.name} has labels: --min-similarity is not used for it.",
            "To use scores, give a file with the columns sentence1, sentence2 and score.",
        )
    table = nli_table(reading, params.languages)
    if across and table and len(table[0]) == 1:
        job.notices.warn(
            f"{reading.name} has one language ({table[0][0].language}), so that nothing is across languages.",
            "Give files of more languages, or use --data nli:FILE.",
        )
    return nli_rows(
        table,
        reading.counts,
        missing=params.missing_negatives or ("drop" if across else "keep"),
        random=random,
        threshold=_threshold(params),
        per_row=params.negatives_per_row or OF_NLI["negatives_per_row"],
    )


def _threshold(params: SourceParams) -> float:
    return float(OF_NLI["min_similarity"] if params.min_similarity is None else params.min_similarity)


def _sentence_pairs(
    reading: Reading, params: SourceParams, job: Job
) -> tuple[Iterator[tuple[int, str, str]], tuple[str, str]]:
    (name, path), *others = reading.files.items()
    known = languages_of(GivenSource("parallel", "" if others else name, path))
    source, target = known or (params.source_language, params.target_language)
    text = parallel_text(path, others[0][1] if others else None, languages=(source, target))

    def pairs() -> Iterator[tuple[int, str, str]]:
        for number, (_, one, other) in enumerate(text, start=1):
            reading.total = number
            yield number, one, other
        tell_remarks(text, job)

    return pairs(), (source or "", target or "")


def _numbered(texts: Iterable[str], reading: Reading) -> Iterator[tuple[int, str]]:
    for number, text in enumerate(texts, start=1):
        reading.total = number
        yield number, text


def nli_table(reading: Reading, languages: Sequence[str] = ()) -> list[tuple[NliRow, ...]]:
    """Read a source of nli or cross-lingual-nli: the same row in each language, or one language each.

    All rows are in memory, as entailments need the contradictions of their premises.

    Args:
        reading: The source. Receives its languages and the number of its rows, counted once per language.
        languages: Languages to use, of which it need not have all. All if none are given.

    Raises:
        ConfigError: If it has none of the languages.
        DataError: If a file cannot be read.
    """
    table = (_table_across if reading.kind == "cross-lingual-nli" else _table_alone)(reading, languages)
    reading.total = sum(map(len, table)) + reading.counts[OTHER_LANGUAGE]
    reading.width = len(table[0]) if table else 1
    reading.highest = max((rows[0].score for rows in table if rows[0].score is not None), default=None)
    reading.counts += Counter()  # nothing is left out for a reason that does not occur
    return table


def _table_alone(reading: Reading, languages: Sequence[str]) -> list[tuple[NliRow, ...]]:
    ((name, path),) = reading.files.items()
    text = nli_text(path)
    rows = list(rows_in(text, name, reading.counts) if name else text)
    reading.languages = dict.fromkeys(row.language for row in rows)
    if languages and rows:
        used = set(reading.used(languages))
        count = len(rows)
        rows = [row for row in rows if row.language in used]
        reading.counts[OTHER_LANGUAGE] += count - len(rows)
    return [(row,) for row in rows]


def _table_across(reading: Reading, languages: Sequence[str]) -> list[tuple[NliRow, ...]]:
    if "" not in reading.files:
        reading.languages = dict.fromkeys(reading.files)
        return list(aligned_files({each: reading.files[each] for each in reading.used(languages)}))
    table = list(aligned_columns(reading.files[""]))
    places = {row.language: place for place, row in enumerate(table[0] if table else ())}
    reading.languages = dict.fromkeys(places)
    used = [places[each] for each in reading.used(languages)] if table else []
    reading.counts[OTHER_LANGUAGE] += len(table) * (len(places) - len(used))
    return [tuple(rows[place] for place in used) for rows in table]


def _check_languages(readings: Sequence[Reading], wanted: Sequence[str]) -> None:
    """Refuse a language that no source has."""
    known = dict.fromkeys(name for each in readings for name in each.languages if name)
    for name in wanted:
        if name not in known:
            hint = f"The nli and cross-lingual-nli data has {', '.join(known)}."
            raise ConfigError(f"No training data has the language '{name}' of --languages.", hint=hint)


def _unusable(reading: Reading) -> DataError:
    from lexenc.sentences.strategies import CONTRADICTION, LOW_SCORE, NO_NEGATIVE

    reasons = ", ".join(f"{count:,} {reason}" for reason, count in reading.counts.most_common())
    hint = {
        "parallel": "One sentence pair per line: sentence, TAB, translation.",
        "unsupervised": "One sentence per line.",
    }.get(reading.kind, "One pair per line: premise, hypothesis, label. Scores count from --min-similarity on.")
    if reading.counts[NO_NEGATIVE]:
        where = "of these premises" if reading.counts[CONTRADICTION] else "at all"
        hint = f"There is no contradiction {where}: use --missing-negatives keep."
    elif reading.counts[LOW_SCORE]:
        hint = f"The highest score is {reading.highest:g}: use a lower --min-similarity."
    return DataError(f"{reading.name} has no row to train on ({reasons or 'it is empty'}).", hint=hint)


def _counts(
    readings: Sequence[Reading], data: PairData, all_rows: Indices, usable: Counter[int]
) -> list[dict[str, Any]]:
    """Return what became of the rows of each source. `all_rows` is its number of rows, those held out included."""
    from lexenc.sentences.strategies import CONTRADICTION, repeats

    found = []
    for number, (reading, repeated) in enumerate(zip(readings, repeats(data, len(readings)), strict=True)):
        own, left = data.sources == number, Counter(reading.counts)
        files = [str(path) for path in dict.fromkeys(reading.files.values())]
        each: dict[str, Any] = {"source": reading.name, "files": files, "kind": reading.kind, "read": reading.total}
        each["rows"] = int(np.count_nonzero(own))
        if "nli" in reading.kind:
            each["languages"] = reading.width
            each["with_hard_negatives"] = int((data.negatives[own] >= 0).any(axis=1).sum())
            each["contradictions"] = left.pop(CONTRADICTION, 0)
        each["held_out"] = int(all_rows[number]) - each["rows"]
        each["not_drawn"] = usable[number] - int(all_rows[number])
        found.append(each | {"repeated_rows": repeated, "left_out": dict(left)})
    return found


def _sentence(counts: Mapping[str, Any]) -> str:
    """Return the counts of a source as one sentence."""
    width = counts.get("languages", 1)
    if width > 1:
        lines = (counts["read"] - counts["left_out"].get(OTHER_LANGUAGE, 0)) // width
        read = f"{counted(lines, 'line')} in each of {width} languages, which count {width} times"
    else:
        read = counted(counts["read"], "line")
    parts = [f"{counted(counts['rows'], 'row')} of {read}"]
    parts += [f"{counts['with_hard_negatives']:,} with hard negatives"] if "with_hard_negatives" in counts else []
    shown = {"repeated_rows": "repeated", "held_out": "held out", "contradictions": "contradictions",
             "not_drawn": "not drawn"}  # fmt: skip
    parts += [f"{counts[name]:,} {text}" for name, text in shown.items() if counts.get(name)]
    left = [f"{number:,} {reason}" for reason, number in counts["left_out"].items()]
    parts += [f"left out: {', '.join(left)}"] if left else []
    return f"{counts['source']} ({counts['kind']}): {'; '.join(parts)}."


# ---------------------------------------------------------------- development data


def _read_development(given: Sequence[GivenSource], numbered: NumberedRows, job: Job) -> list[DevelopmentSet]:
    found = [_development_set(source, number, job) for number, source in enumerate(given)]
    if not found:
        return []
    data, fold = numbered.data, SAME_TEXT.fold
    wanted = {fold(text) for each in found for text in each.sources + each.targets}
    own = ((fold(text), number) for text, number in zip(data.texts, data.folds.tolist(), strict=True))
    forms = {form: number for form, number in own if form in wanted}
    size = int(data.folds.max(initial=-1)) + 1
    for each in found:
        heads, tails = (np.array([forms.get(fold(text), -1) for text in side]) for side in (each.sources, each.targets))
        known = np.isin(heads * size + tails, data.known) | np.isin(tails * size + heads, data.known)
        same = int(np.count_nonzero(known & (heads >= 0) & (tails >= 0)))
        if same:
            job.notices.warn(
                f"{same:,} of {counted(len(each), 'development pair')} ({each.name}) are in the training data.",
                "Remove them there. Otherwise the best checkpoint is chosen on training data.",
            )
    return found


def _development_set(source: GivenSource, number: int, job: Job) -> DevelopmentSet:
    from lexenc.sentences.strategies import sample

    path, name = source.path, source.name or source.path.name
    languages = languages_of(source)
    own = (languages[0], languages[1]) if languages else ("", "")
    scored, text = is_scored(path), None
    if scored:
        rows = ((row.premise, row.hypothesis, float(row.score or 0)) for row in nli_text(path))
    else:
        text = parallel_text(path, languages=own if languages else (None, None))
        rows = ((one, other, 0.0) for _, one, other in text)
    total = Counter[int]()
    stream = _counting((row for row in rows if row[0] and row[1]), total, 0)
    pairs = sample(stream, MOST_HELD_OUT, generator(job.seed, f"development pairs of {number}"))
    if text is not None:
        tell_remarks(text, job)
    if not pairs:
        raise DataError(f"{path} has no development pairs.", hint="One pair per line: sentence, TAB, translation.")
    if len(pairs) < total[0]:
        job.notices.say(f"{len(pairs):,} of {total[0]:,} development pairs ({name}), drawn at random.")
    sources, targets, scores = (list(each) for each in zip(*pairs, strict=True))
    if scored and len(set(scores)) == 1:
        what = f"all {len(pairs):,} scores are {scores[0]:g}" if len(pairs) > 1 else "it has one pair with a score"
        raise DataError(f"{path}: {what}, so that no correlation exists.", hint="Give pairs with different scores.")
    return DevelopmentSet(name, sources, targets, scores if scored else [], own)


def _held_out(
    numbered: NumberedRows, readings: Sequence[Reading], share: float, job: Job
) -> tuple[Indices, list[DevelopmentSet]]:
    """Return the rows that stay, and parallel rows as development data, by languages."""
    from lexenc.sentences.strategies import hold_out

    data = numbered.data
    parallel = np.array([each.kind == "parallel" for each in readings])[data.sources]
    rows = np.flatnonzero(parallel)
    if share * len(rows) < 1 <= len(rows):
        message = f"--dev {share:g} of {counted(len(rows), 'parallel row')} is less than one row."
        raise DataError(message, hint=f"Use a share of at least {1 / len(rows):.2g}, or give a file: --dev FILE.")
    texts = np.zeros(len(data.texts), dtype=np.int64) if data.languages is None else data.languages
    keys = texts[data.anchors[rows]] * (1 + len(numbered.languages)) + texts[data.positives[rows]]
    own_rows = [rows[keys == key] for key in np.unique(keys)]
    groups = [(each, min(MOST_HELD_OUT, round(share * len(each)))) for each in own_rows]
    number = sum(each for _, each in groups)
    held = hold_out(data, groups, generator(job.seed, "development rows"))
    if not len(held):
        hint = "Only parallel rows are held out, and only those that share no text with others. Give a file: --dev."
        raise DataError(f"No row of the training data can be held out with --dev {share:g}.", hint=hint)
    if 2 * len(held) < number:
        job.notices.warn(
            f"Only {len(held):,} of {number:,} rows are held out: the others share a text with the training data.",
            "Give development data of its own: --dev FILE.",
        )
    job.notices.say(f"{counted(len(held), 'parallel row')} held out as development data.")
    names = ["", *numbered.languages]
    found: dict[tuple[str, str], list[int]] = {}
    for row in held.tolist():
        sides = (data.anchors[row], data.positives[row])
        own = ("", "") if data.languages is None else tuple(names[data.languages[each]] for each in sides)
        found.setdefault((own[0], own[1]), []).append(row)
    made = [
        DevelopmentSet(
            "-".join(filter(None, own)) or "held out",
            [data.texts[each] for each in data.anchors[rows]],
            [data.texts[each] for each in data.positives[rows]],
            languages=own,
        )
        for own, rows in found.items()
    ]
    return np.setdiff1d(np.arange(len(data)), held), made


def _chosen(
    numbered: NumberedRows,
    kept: Indices,
    readings: Sequence[Reading],
    usable: Counter[int],
    development: list[DevelopmentSet],
) -> Sources:
    from lexenc.sentences.strategies import pairs_at

    data, lines = pairs_at(numbered.data, kept), numbered.lines[kept]
    own = data.sources if data.sources is not None else np.zeros(len(data), dtype=np.int64)
    parallel = []
    for number, each in enumerate(readings):
        if each.kind == "parallel":
            rows = np.flatnonzero(own == number)
            parallel.append(ParallelRows(each.name, each.total, rows, lines[rows] - 1))
    all_rows = np.bincount(
        np.zeros(0, dtype=np.int64) if numbered.data.sources is None else numbered.data.sources, minlength=len(readings)
    )
    counts = _counts(readings, data, all_rows, usable)
    return Sources(data, lines, parallel, counts, numbered.languages, development)
