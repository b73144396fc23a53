"""Tables of scores, built in the same way for every task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from lexenc.encoders.base import Pooling
from lexenc.errors import ConfigError
from lexenc.evaluation import TASKS
from lexenc.evaluation.bootstrap import MACRO, Columns, Difference
from lexenc.evaluation.pairing import strong_controls
from lexenc.evaluation.task import Metric, Task
from lexenc.files.evaluations import (
    CONTROL,
    TRACK,
    UNFAIR,
    Convention,
    EvaluationWriter,
    Item,
    Score,
    ScoredSystem,
    name_of_test,
    writing_evaluation,
)
from lexenc.files.text import counted
from lexenc.lexical.text_vectors import TextVectors, WordTable
from lexenc.parameters import param
from lexenc.randomness import generator
from lexenc.stage import Input, Job, Outcome, Table
from lexenc.stages.lexical.shared import batches, open_words, repeated_weight
from lexenc.stages.lineage import Seen, unfair_note
from lexenc.stages.reading import (
    POOLING,
    encode_words,
    folding_of,
    language_param,
    lowercase_param,
    open_encoder,
    set_language,
    unicode_param,
)
from lexenc.text.folding import UnicodeForm, check_language
from lexenc.text.words import segmenter

WIDTH = 80
_FEW = 20  # items below which a bootstrap interval is far too narrow
PAPER_WEIGHTS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0)  # the columns of Table 8
_MOST_SHARED = 0.01  # share of test sentences that occur in training data by chance, because they are short
_HIDDEN = ("seed", "search_space_words")  # they never tell systems apart
_NOTED = ("retrieval", "direction", "search_space", "ties", "seed")
_MOST_WARNED = 3  # test sets that have a warning of their own for a control
_SENTENCE_LANGUAGE = (
    "BCP-47 code of the left sentences. An encoder that was trained with languages gets its vector; with static "
    "vectors it is for --lowercase. By default none."
)


@dataclass(frozen=True)
class IntervalParams:
    """Parameters of every stage that resamples a test set."""

    draws: int = param(10_000, "Number of bootstrap resamplings of the test set.", ge=100)
    level: float = param(0.95, "Level of the confidence intervals.", gt=0, le=0.999)


@dataclass(frozen=True)
class EncoderParams(IntervalParams):
    """Parameters of every evaluation of an encoder of sentences."""

    pooling: Pooling = param("auto", POOLING)
    max_length: int | None = param(None, "Longest sentence in tokens. Longer sentences are cut.", ge=1)


@dataclass(frozen=True)
class SentenceParams(EncoderParams):
    """Parameters of every evaluation of sentences."""

    lowercase: bool = lowercase_param()
    unicode: UnicodeForm = unicode_param()
    source_language: str | None = param(None, _SENTENCE_LANGUAGE, check=check_language)
    target_language: str | None = language_param("right")


@dataclass(frozen=True)
class SentenceVectors:
    """Vectors of sentences, by an encoder, one for each side, or static vectors.

    Args:
        embed: Function from texts, side (`source` or `target`) and language to vectors.
        languages: Languages of which an encoder has a vector that is added to its input.
    """

    embed: Callable[[Sequence[str], str, str | None], TextVectors]
    languages: tuple[str, ...] = ()

    def __call__(self, texts: Sequence[str], side: str, language: str | None = None) -> TextVectors:
        """Return the vectors of texts. `language` stands for that of the parameters, if the encoder has it."""
        return self.embed(texts, side, language)


def sentence_vectors(inputs: Mapping[str, Any], params: SentenceParams, job: Job) -> SentenceVectors:
    """Open what `SENTENCE_SYSTEM` names, and return the function from texts and side to vectors.

    With static vectors, of one language or of a shared space, a sentence is the mean of its words.

    Raises:
        ConfigError: If there is nothing, or an encoder does not have a language of the parameters, or the encoders of
            both sides have vectors of different length.
    """
    if inputs.get("encoder"):
        return _encoded(inputs["encoder"], inputs.get("target_encoder") or inputs["encoder"], params, job)
    vectors = inputs.get("vectors")
    if vectors is None:
        raise ConfigError("There is nothing to score.", hint="Give --encoder or --vectors.")
    tables, words, folding = open_words(vectors, params, job), segmenter("words"), folding_of(params)

    def mean(texts: Sequence[str], side: str, language: str | None) -> TextVectors:
        own = language or getattr(params, f"{side}_language")
        folded = [folding.fold(text, own) for text in texts]
        table: WordTable = getattr(tables, side)
        return table.look_up([" ".join(words(text)) for text in folded], average=True)

    return SentenceVectors(mean)


def _encoded(source: Path, target: Path, params: SentenceParams, job: Job) -> SentenceVectors:
    """Return vectors by the encoder of each side, which may be the same."""
    paths = {"source": source, "target": target}
    opened: dict[Path, Any] = {
        path: open_encoder(path, params.pooling, job, max_length=params.max_length)
        for path in dict.fromkeys(paths.values())
    }
    for side, path in paths.items():
        if name := getattr(params, f"{side}_language"):
            set_language(opened[path], path, name)
    sizes = [opened[path].dimensions for path in paths.values()]
    if sizes[0] != sizes[1]:
        raise ConfigError(
            f"The vectors of --target-encoder have {sizes[1]:,} numbers, those of --encoder {sizes[0]:,}.",
            hint="Use encoders of one width, or project them into one space.",
        )

    def embed(texts: Sequence[str], side: str, language: str | None) -> TextVectors:
        encoder = opened[paths[side]]
        if known := getattr(encoder, "languages", ()):
            given = getattr(params, f"{side}_language") if language is None else language
            encoder.language = given if given in known else None
        return TextVectors.encoded(texts, encode_words(encoder, texts, job))

    languages = (name for each in opened.values() for name in getattr(each, "languages", ()))
    return SentenceVectors(embed, tuple(dict.fromkeys(languages)))


SENTENCE_SYSTEM = {
    "encoder": Input("Encoder.", kind="encoder", required=False),
    "target_encoder": Input(
        "Encoder of the right sentences, if it is not --encoder: one of their language, whose vectors are in the same "
        "space.",
        kind="encoder",
        required=False,
    ),
    "vectors": Input("Shared space, or vectors of one language. A sentence is the mean of its words.", required=False),
}
"""The inputs of which an evaluation of sentences takes encoders or vectors; `check_sentence_system` demands it."""


def check_sentence_system(inputs: Mapping[str, Any]) -> list[ConfigError]:
    """Return the error of an evaluation of sentences that has not exactly one of --encoder and --vectors."""
    if inputs.get("target_encoder") and not inputs.get("encoder"):
        return [ConfigError("--target-encoder needs --encoder.", hint="Give an encoder of the left sentences too.")]
    wrong = bool(inputs.get("encoder")) == bool(inputs.get("vectors"))
    return [ConfigError("Give either --encoder or --vectors.", hint="For an encoder: --encoder mini.")] if wrong else []


class Items(Protocol):
    """Items that can be counted and read several times, e.g. a list."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Item]: ...


@dataclass(frozen=True)
class TestSet:
    """A system's answers to one test set.

    Args:
        name: Name of the test set.
        items: The questions with the answers. They are read twice, so that they may be made on the way.
        facts: What else to report of it.
        left_out: Numbers of lines of the file that were left out, by reason.
        controls: By name, functions of a random `generator` that return the scores of a control on this test set.
        own: Facts of the system that are not those of its controls.
    """

    __test__ = False  # no class of tests

    name: str
    items: Items
    facts: Mapping[str, Any] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)
    controls: Mapping[str, Callable[..., tuple[Score, ...]]] = field(default_factory=dict)
    own: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, path: Path, items: Items, **settings: Any) -> TestSet:
        """Make a test set that is named after its file."""
        return cls(name_of_test(path), items, **settings)


def shared_facts(name: str, seen: Seen, shared: int, total: int, job: Job) -> dict[str, Any]:
    """Return what a result says of test sentences that were seen, and warn of those that the training data has too.

    Args:
        name: Name of the test set.
        seen: Test sentences that the encoder was trained on.
        shared: Number of those that are in the training data of the evaluation.
        total: Number of all.
        job: Messages of the run.
    """
    facts: dict[str, Any] = {**seen.facts, "sentences_in_training_data": shared}
    if shared:
        message = f"{name}: {counted(shared, 'test sentence')} also in the training data"
        if shared > _MOST_SHARED * total:
            reason = f"{shared:,} of {counted(total, 'test sentence')} are in the training data."
            facts[UNFAIR] = [*facts[UNFAIR], reason]
            job.notices.warn(f"{message}: the scores are too high.", "Train on other text.")
        else:
            job.notices.say(f"{message}.")
    return facts


def evaluate(  # noqa: PLR0913 - what is scored, and what else its results say
    task: Task,
    test_sets: Iterable[TestSet],
    params: IntervalParams,
    job: Job,
    *,
    convention: Convention,
    controls: Mapping[str, Callable[..., Score]] | None = None,
    facts_of_all: Mapping[str, Any] | None = None,
    note: str = "",
    named: bool = False,
) -> Outcome:
    """Score a system on one or more test sets: write its items and scores, and report them.

    Args:
        task: The task.
        test_sets: Test sets. They may be made one after the other. Of those with one name, the second one and the
            following ones are numbered.
        params: Settings of the intervals.
        job: Device, seed, progress and messages of the run.
        convention: How the answers were found.
        controls: By name, functions of columns and a random `generator` that return the score without any knowledge.
        facts_of_all: What else to report of every test set, and of their mean.
        note: What to say below the table.
        named: Whether a single test set is a track too, because no input has its name.
    """
    with writing_evaluation(job.out, task.name) as writer:
        found = _Collected.of(task, test_sets, writer, job, controls=controls or {}, named=named)
        unfair = {name: own.get(UNFAIR, []) for name, own in found.facts.items()}
        several = [f"{name}: {reason}" for name, own in unfair.items() for reason in own]
        coverage = float(np.mean([own["coverage"] for own in found.facts.values()]))
        found.facts[MACRO] = {"coverage": coverage, UNFAIR: several}
        note += unfair_note(several if len(unfair) > 1 else next(iter(unfair.values())))
        scores = task.measure.track_scores(
            found.columns,
            generators=lambda name: generator(job.seed, f"bootstrap {name}"),
            draws=params.draws,
            level=params.level,
        )
        rows = [*((name, dict[str, str](), own) for name, own in scores.items()), *found.rows_of_controls()]
        settings = {**(facts_of_all or {}), "draws": params.draws, "level": params.level}
        parts = {MACRO: list(found.columns.values())} | {name: [own] for name, own in found.columns.items()}
        writer.systems = [
            ScoredSystem(
                task.name,
                own_scores,
                replace(convention, seed=job.seed),
                ({TRACK: name} if named or len(found.columns) > 1 else {}) | labels,
                found.facts[name]
                | ({} if labels else {**found.own.get(name, {}), **task.facts(parts[name])})
                | settings,
                task.items or f"{task.item}s",
            )
            for name, labels, own_scores in rows
        ]
    warn_of_scores(task, writer.systems, job)
    flat = [each.flat() for each in writer.systems]
    table = score_table(_shown(writer.systems), level=params.level, first="test set", note=note)
    summary = {key: flat[0][key] for key in (writer.systems[0].counted, *task.measure.metrics)}
    return Outcome(summary, flat, [table])


@dataclass(frozen=True)
class _Collected:
    """What is known of test sets whose items are written, each by the name of the test set.

    Args:
        columns: Columns of the items.
        facts: Facts that its controls share.
        own: Facts of the system alone.
        baselines: Scores of controls, by the name of the control first.
    """

    columns: dict[str, Columns] = field(default_factory=dict)
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    own: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    baselines: dict[str, dict[str, tuple[Score, ...]]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        task: Task,
        test_sets: Iterable[TestSet],
        writer: EvaluationWriter,
        job: Job,
        *,
        controls: Mapping[str, Callable[..., Score]],
        named: bool,
    ) -> _Collected:
        """Write the items of all test sets, and return what is known of them."""
        found, names, waiting = cls(), Counter[str](), list[TestSet]()
        for given in test_sets:
            names[given.name] += 1
            count = names[given.name]
            each = given if count == 1 else replace(given, name=f"{given.name} ({count})")
            found._add(each, task, job, controls)
            waiting.append(each)
            # The only test set has no track, which is known when the second one comes.
            for one in waiting if named or len(found.columns) > 1 else ():
                writer.write(one.items, {TRACK: one.name})
            waiting = waiting if not named and len(found.columns) == 1 else []
        for one in waiting:
            writer.write(one.items)
        return found

    def rows_of_controls(self) -> Iterator[tuple[str, dict[str, str], tuple[Score, ...]]]:
        """Yield the test set, the labels and the scores of every control; first their means over all test sets."""
        for control, known in self.baselines.items():
            whole = {MACRO: _mean_scores(list(known.values()))} if 1 < len(known) == len(self.columns) else {}
            yield from ((name, {CONTROL: control}, own) for name, own in {**whole, **known}.items())

    def _add(self, each: TestSet, task: Task, job: Job, controls: Mapping[str, Callable[..., Score]]) -> None:
        self.columns[each.name] = own = _columns(task, each.items)
        self.facts[each.name] = {"coverage": own.shape[1] / max(1, len(each.items)), **each.facts}
        self.own[each.name] = each.own
        functions: dict[str, Callable[..., Any]] = {**controls, **each.controls}
        for name, score in functions.items():
            random = generator(job.seed, f"{name} {each.name}")
            known = score(generator=random) if name in each.controls else (score(own, generator=random),)
            self.baselines.setdefault(name, {})[each.name] = known
        if each.left_out:
            self.facts[each.name]["left_out"] = dict(each.left_out)
            reasons = ", ".join(f"{reason}: {count:,}" for reason, count in each.left_out.items())
            lines = counted(sum(each.left_out.values()), "line")
            job.notices.warn(f"{each.name}: {lines} left out ({reasons}).", None)


def _shown(systems: Sequence[ScoredSystem]) -> list[ScoredSystem]:
    """Return the systems that a table shows: of controls the mean over test sets is enough, if there is one."""
    averaged = {each.labels[CONTROL] for each in systems if each.is_control and each.labels.get(TRACK) == MACRO}
    return [each for each in systems if each.labels.get(CONTROL) not in averaged or each.labels.get(TRACK) == MACRO]


def _columns(task: Task, items: Iterable[Item]) -> Columns:
    """Return the columns of the items that are covered, without holding all items."""
    parts = [task.columns(part, False) for part in batches(item for item in items if item.covered)]
    return np.concatenate(parts, axis=1) if parts else task.columns([], False)


def _mean_scores(tracks: Sequence[Sequence[Score]]) -> tuple[Score, ...]:
    """Return the means of a control over test sets; not defined where a test set has no value."""
    found = []
    for own in zip(*tracks, strict=True):
        values = [each.value for each in own if each.value is not None]
        mean = float(np.mean(values)) if len(values) == len(own) else None
        found.append(Score(own[0].metric, mean, n=sum(each.n for each in own)))
    return tuple(found)


def warn_of_scores(task: Task, systems: Sequence[ScoredSystem], job: Job) -> None:
    """Warn of few items, undefined scores, and controls that are not significantly worse; of a sweep, the first."""
    first, head = systems[0].labels.get("lambda"), task.headline
    shown = [each for each in systems if each.labels.get("lambda") == first and "by" not in each.labels]
    found: dict[tuple[Any, Any], tuple[str, str | None]] = {}
    for system in shown:
        track = system.labels.get(TRACK, task.title.lower())
        if system.scores[0].value is None and not system.is_control:
            why = f": {system.facts['undefined']}" if system.facts.get("undefined") else ""
            hint = f"It needs at least two {task.items or task.item + 's'} that differ."
            found.setdefault((track, None), (f"{head.head} of {track} is not defined{why}.", hint))
    small: dict[str, int] = {}
    for system in shown:
        if not system.is_control and system.scores[0].value is not None and system.labels.get(TRACK) != MACRO:
            small.setdefault(system.labels.get(TRACK, ""), system.scores[0].n)
    small = {track: n for track, n in small.items() if n < _FEW}
    if small and task.measure.intervals:
        track = min(small, key=lambda name: small[name])
        of = f" of {track}" if track else ""
        more = f" ({counted(len(small) - 1, 'other test set')} on fewer than {_FEW})" if len(small) > 1 else ""
        job.notices.warn(
            f"The scores{of} are based on {counted(small[track], task.item, task.items)} only{more}.",
            f"Intervals of fewer than {_FEW} are not reliable. Test on more.",
        )
    strong = list(strong_controls(task, shown))
    tracks = Counter(each.labels[CONTROL] for _, each in strong if TRACK in each.labels)
    for system, control in strong:
        track, name = control.labels.get(TRACK, ""), control.labels[CONTROL]
        if tracks[name] > _MOST_WARNED:
            others = [str(each.labels[TRACK]) for _, each in strong if each.labels[CONTROL] == name]
            others = [each for each in others if each != MACRO]
            message = f"A control is not significantly worse on {len(others)} test sets: {name}, {', '.join(others)}."
            found.setdefault(("", name), (message, None))
            continue
        value, other = (each.scores[0].value or 0.0 for each in (system, control))
        as_well = value == other or (value < other) == head.larger_is_better
        how = "does as well" if as_well else "is not significantly worse"
        values = f"{head.head} {head.show(other)} against {head.show(value)}"
        found.setdefault((track, name), (f"A control {how}: {', '.join(filter(None, (name, track)))}, {values}.", None))
    for message, advice in found.values():
        job.notices.warn(message, advice)


def swept(
    writer: EvaluationWriter,
    results: Sequence[Sequence[ScoredSystem]],
    job: Job,
    *,
    test: Path,
    level: float = 0.95,
    note: str = "",
    sweep_note: str = "",
    more: Sequence[Table] = (),
) -> Outcome:
    """Report one system, or one for every lambda: the table of the first, and before it the sweep.

    Args:
        writer: Where the items were written.
        results: Scores of every system, its headline first.
        job: Messages of the run.
        test: The test set.
        level: Of the intervals.
        note: What to say below the table of the first system.
        sweep_note: What to say below the sweep.
        more: Further tables to show after the sweep.
    """
    heads = [own[0] for own in results]
    writer.systems = heads + [each for own in results for each in own[1:]]
    warn_of_scores(TASKS[writer.task], writer.systems, job)
    flat, tables, title = [each.flat() for each in writer.systems], [], ""
    if len(heads) > 1:
        title = f"{TASKS[writer.task].title} at lambda {heads[0].labels['lambda']:g}, the headline"
        tables = [sweep_table(heads, name=name_of_test(test), level=level, note=sweep_note), *more]
    tables.append(score_table(results[0], level=level, title=title, note=note))
    summary = (heads[0].counted, "coverage", TASKS[writer.task].headline.key)
    return Outcome({key: flat[0][key] for key in summary}, flat, tables)


def weights_param() -> Any:
    """Declare `--lambda` of evaluations that blend static vectors with an encoder."""
    shown = ", ".join(f"{weight:g}" for weight in PAPER_WEIGHTS)
    words = "With --encoder and --vectors: weights of the encoder to compare; if left out "
    return param((), f"{words}{shown}.", ge=0, le=1)


def check_blend(inputs: Mapping[str, Any], weights: Sequence[float], *, static: bool) -> list[ConfigError]:
    """Return the errors of a blend of static vectors with an encoder, and of its weights."""
    blend, repeated = static and bool(inputs.get("encoder")), repeated_weight(weights)
    table = [
        (
            blend and not inputs.get("train_dictionary"),
            "Blending vectors with an encoder needs --train-dictionary.",
            "The projection between the two is learned from this dictionary.",
        ),
        (
            bool(weights) and not blend,
            "--lambda needs --vectors and --encoder.",
            "Add what is missing, or leave --lambda out.",
        ),
        (repeated is not None, f"--lambda has {repeated} more than once.", "Give every weight once."),
    ]
    return [ConfigError(message, hint=hint) for wrong, message, hint in table if wrong]


def readable(key: str) -> str:
    """Return a JSON key as words."""
    return key.replace("_", " ")


def _span(metric: Metric, low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return "-"
    return f"{metric.show(low)}{'-' if low >= 0 else ' to '}{metric.show(high)}"


def compared(found: Difference, first: float, second: float) -> dict[str, Any]:
    """Return the values of two systems with their difference, by JSON key; None for what is not defined."""
    values = {
        "first": first,
        "second": second,
        "difference": found.mean,
        "difference_low": found.low,
        "difference_high": found.high,
        "p_value": found.p_value,
    }
    return {key: None if np.isnan(value) else value for key, value in values.items()} | {"shown": found.shown}


def difference_cells(metric: Metric, result: Mapping[str, Any]) -> list[str]:
    """Return a difference, its interval, its p-value and whether it is significant, as tables show them."""
    low, high, p_value = (result[key] for key in ("difference_low", "difference_high", "p_value"))
    return [
        metric.show(result["difference"], sign="+"),
        "-" if low is None or high is None else f"{metric.show(low, sign='+')} to {metric.show(high, sign='+')}",
        "-" if p_value is None else f"{p_value:.4f}",
        "yes" if result["shown"] else "no",
    ]


def _name_of(system: ScoredSystem, keys: Sequence[str], *, several: bool) -> str:
    """Return what tells a system apart from others, by the keys in which they differ. `several`: controls."""
    own = {**system.labels, **system.convention.known()}
    if system.is_control:
        keys = [key for key in keys if key in system.labels and (key != CONTROL or several) and own[key] != MACRO]
    parts = [f"{key} {own[key]:g}" if isinstance(own[key], float) else str(own[key]) for key in keys if key in own]
    if system.is_control:
        # Where other labels tell controls apart, the note names a single control, which would make the column too wide.
        return f"control: {', '.join([*(parts or [own[CONTROL]]), *_restricted(system)])}"
    return ", ".join([*parts, *_restricted(system)]) or TASKS[system.task].title.lower()


def _restricted(system: ScoredSystem) -> list[str]:
    """Return a search space that makes the task far easier; rows are copied without the note below them."""
    space = system.convention.search_space
    return [space] if space.startswith("test") else []


def score_table(
    systems: Sequence[ScoredSystem],
    *,
    level: float = 0.95,
    title: str = "",
    note: str = "",
    first: str = "convention",
    extra: Mapping[str, str] | None = None,
) -> Table:
    """Lay out scores: a row for every system, a column for every metric and as many intervals as fit.

    Args:
        systems: The headline first.
        level: Of the intervals.
        title: If left out, that of the task.
        note: What to say beside the convention of the headline.
        first: Head of the first column.
        extra: Heads of facts to show in place of the number of items, by JSON key.
    """
    task: Task = TASKS[systems[0].task]
    for spans in (len(task.metrics), 1):
        table = _laid_out(task, systems, level, spans, first, extra or {})
        if sum(max(map(len, column)) + 2 for column in zip(*table, strict=True)) <= WIDTH:
            break
    columns, *rows = table
    controls = dict.fromkeys(each.labels[CONTROL] for each in systems if each.is_control)
    if controls and not any(name in row[0] for name in controls for row in rows):
        note += f" Control: {', '.join(controls)}."
    hundredfold = [each.head for each in task.metrics if each.percent]
    scale = "Scores x 100." if len(hundredfold) == len(task.metrics) else f"{', '.join(hundredfold)}: x 100."
    told = " ".join(f"{convention_note(systems[0])} {scale if hundredfold else ''} {note}".split())
    return Table(title or task.title, columns, rows, told)


def _laid_out(
    task: Task, systems: Sequence[ScoredSystem], level: float, spans: int, first: str, extra: Mapping[str, str]
) -> list[list[str]]:
    """Return head and rows, with the intervals of the first metrics only."""
    with_n = not extra
    tables = [{**each.labels, **each.convention.known()} for each in systems]
    keys = [key for key in dict.fromkeys(key for table in tables for key in table)
            if key not in _HIDDEN and len({str(table.get(key)) for table in tables}) > 1]  # fmt: skip
    several = len({each.labels[CONTROL] for each in systems if each.is_control}) > 1
    head, rows = [first, *extra.values()], [[_name_of(each, keys, several=several)] for each in systems]
    for row, each in zip(rows, systems, strict=True):
        row += [f"{value:,}" if isinstance(value := each.facts.get(key, ""), int) else str(value) for key in extra]
        row += [f"{each.scores[0].n:,}"] if with_n else []
    head += [readable(systems[0].counted)] if with_n else []
    for place, metric in enumerate(task.metrics):
        scores = [each.score(metric.key) for each in systems]
        has_span = place < spans and any(own is not None and own.low is not None for own in scores)
        head += [metric.head, f"{100 * level:g} % interval"] if has_span else [metric.head]
        for row, own in zip(rows, scores, strict=True):
            row.append("" if own is None else metric.show(own.value))
            if has_span:
                row.append("" if own is None else _span(metric, own.low, own.high))
    return [head, *rows]


def sweep_table(
    heads: Sequence[ScoredSystem], *, name: str, title: str = "", level: float = 0.95, note: str = ""
) -> Table:
    """Lay out the headlines of a sweep in a row of this name: a column for every lambda."""
    task: Task = TASKS[heads[0].task]
    metric, scores = task.headline, [each.scores[0] for each in heads]
    values = [each.labels["lambda"] for each in heads]
    rows = [
        [", ".join([name, *_restricted(heads[0])]), *(metric.show(each.value, digits=1) for each in scores)],
        # Two short rows fit a narrow window where one of ranges does not.
        [f"{100 * level:g} % from", *(metric.show(each.low, digits=1) for each in scores)],
        [f"{100 * level:g} % to", *(metric.show(each.high, digits=1) for each in scores)],
    ]
    coverages = [each.facts.get("coverage") for each in heads]
    if len(set(coverages)) > 1:
        rows.append(["coverage %", *(f"{100 * each:.1f}" if each is not None else "-" for each in coverages)])
    columns = ["lambda", *(f"{value:g}" if isinstance(value, float) else str(value) for value in values)]
    told = f"{metric.head}{' x 100' if metric.percent else ''} for every lambda, with its {100 * level:g} % interval."
    return Table(
        title or f"{task.title} over lambda", columns, rows, f"{told} {convention_note(heads[0])} {note}".strip()
    )


def convention_note(system: ScoredSystem, keys: Sequence[str] = _NOTED) -> str:
    """Return the convention of a system as a sentence."""
    own: dict[str, Any] = system.convention.known()
    parts = []
    for key in keys:
        if key in own:
            words = f" ({counted(own['search_space_words'], 'word')})" if "search_space_words" in own else ""
            parts.append(f"{readable(key)}: {own[key]}{words if key == 'search_space' else ''}")
    if "coverage" in system.facts:
        parts.append(f"coverage: {100 * system.facts['coverage']:.1f} %")
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}." if text else ""
