"""map: vectors of two languages, with or without a dictionary -> one shared space."""

from __future__ import annotations

import collections.abc
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from lexenc.artifact import UNFINISHED, Manifest, maker_of, unknown_origin
from lexenc.device import CPU, choose_device
from lexenc.durable import share
from lexenc.errors import ConfigError, DataError, LexencError, unknown_name
from lexenc.evaluation.bli import ask
from lexenc.files.dictionaries import Pairs, write_pairs
from lexenc.files.logs import StepLog
from lexenc.files.spaces import Space, load_space, save_space
from lexenc.files.tensors import read_tensors, write_tensors
from lexenc.files.text import counted
from lexenc.files.vectors import Vectors, index_of, read_two
from lexenc.lexical import MAPPINGS
from lexenc.lexical.confidence import Confidence
from lexenc.lexical.map_learning import FIRST_PAIRS, Fit, MappingSettings, VocabularyPair, first_pairs, judge
from lexenc.lexical.mapping import Mapping, normalise
from lexenc.lexical.self_learning import Iteration, Learning, learn, rotation
from lexenc.parameters import build, param, parameters
from lexenc.randomness import generator
from lexenc.resources import read_preset
from lexenc.search.retrieval import retrieve
from lexenc.stage import Input, Job, Notices, Outcome, Stage, Table
from lexenc.stages.lexical.shared import READING, ReadingParams, as_read, mapped, save_mapping
from lexenc.stages.lineage import unchanged
from lexenc.stages.reading import folding_of, language_param, read_dictionary, uncovered, usable_rows
from lexenc.structured import checked
from lexenc.text.folding import SAME_TEXT, Folding

LOG = "iterations.jsonl"
DICTIONARY = "induced.tsv"
_ACTIONS = ("unit", "center", "unitdim", "centeremb", "none")
_ADVANCED, _SELF, _RCSLS = "Advanced mapping", "Self-learning", "RCSLS"

Preset = Literal[
    "supervised",
    "semi-supervised",
    "identical",
    "unsupervised",
    "aaai2018",
    "acl2017",
    "emnlp2016",
    "refinement",
    "rcsls",
]
# The preset of each kind of supervision.
_PRESET_OF = {
    "dictionary": "supervised",
    "semi": "semi-supervised",
    "identical": "identical",
    "numerals": "identical",
    "none": "unsupervised",
}


@dataclass(frozen=True)
class LearningParams:
    """How a mapping is learned. The preset (`resources/presets/*.yaml`) gives a value to every None."""

    supervision: Literal["dictionary", "semi", "identical", "numerals", "none"] | None = param(
        None,
        "dictionary: learn from it alone (default); semi: start self-learning from it; identical: from equal strings; "
        "numerals: from equal numbers; none: from the vectors alone.",
    )
    preset: Preset | None = param(None, "Published method. Other options replace its values.")
    kind: str | None = param(
        None,
        "advanced: both languages move (default); orthogonal: rotation; unconstrained: least squares; rcsls: "
        "optimised for CSLS.",
        choices=MAPPINGS,
    )
    normalise: tuple[str, ...] | None = param(
        None, "Steps in order: unit, center, unitdim, centeremb, none. Default: unit,center,unit."
    )
    reduce_to: int | None = param(None, "Dimensions to keep.", ge=1)
    poor_dictionary: Literal["rotate", "truncate", "refuse"] = param(
        "rotate", "With fewer pairs than dimensions: rotate: do not whiten; truncate: drop dimensions; refuse: stop."
    )
    control: Literal["none", "shuffled-pairs"] = param("none", "none: no control; shuffled-pairs: wrong translations.")
    whiten: bool | None = param(None, "Decorrelate the dictionary rows first. Default: yes.", group=_ADVANCED)
    source_reweight: float | None = param(
        None, "Exponent of the singular values; 0: off. Default: 0.5.", group=_ADVANCED
    )
    target_reweight: float | None = param(None, "The same for the target.", group=_ADVANCED)
    source_dewhiten: Literal["source", "target", "none"] | None = param(
        None, "Whitening to undo. source: its own (default); target: the target's; none: keep it.", group=_ADVANCED
    )
    target_dewhiten: Literal["source", "target", "none"] | None = param(
        None, "source: the source's; target: its own (default); none: keep it.", group=_ADVANCED
    )
    vocabulary_cutoff: int | None = param(
        None, "Most frequent words to use; more take longer. Default: 20000.", ge=2, group=_SELF
    )
    csls_neighbours: int | None = param(
        None, "Neighbours for CSLS, also of rcsls; 0: cosine. Default: 10.", ge=0, group=_SELF
    )
    induction: Literal["union", "forward", "backward", "mutual"] | None = param(
        None,
        "Best partners: union: of both languages (default); forward: of the source; backward: of the target; mutual: "
        "of each other.",
        group=_SELF,
    )
    keep_start: float | None = param(None, "First share of candidates. Default: 0.1.", gt=0, le=1, group=_SELF)
    keep_growth: float | None = param(None, "Growth of that share. Default: 2.", gt=1, group=_SELF)
    patience: tuple[int, ...] | None = param(
        None,
        "Iterations without gain until then. With several values, learning starts again with the next one unless a "
        "mapping was found. Default: 10,50,50.",
        ge=1,
        group=_SELF,
    )
    max_iterations: int | None = param(None, "Maximum number of iterations.", ge=1, group=_SELF)
    start_vocabulary: int | None = param(
        None, "Words compared with --supervision none. Default: 4000.", ge=2, group=_SELF
    )
    arithmetic: Literal["float32", "float64"] = param("float32", "Number type.", group=_SELF)
    checkpoint_seconds: float = param(60.0, "Time between checkpoints.", ge=0, affects_result=False, group=_SELF)
    rcsls_steps: int | None = param(None, "Gradient steps. Default: 10.", ge=1, group=_RCSLS)
    rcsls_rate: float | None = param(None, "First step size, halved if the loss rises. Default: 1.", gt=0, group=_RCSLS)
    rcsls_spectral: bool = param(False, "Keep singular values at most 1.", group=_RCSLS)

    def settings(self) -> MappingSettings:
        """Return the settings for learning, once the preset is filled in. Every start has a patience of its own."""
        names = [each.name for each in fields(MappingSettings) if each.name != "patience"]
        return MappingSettings(**{name: getattr(self, name) for name in names})


@dataclass(frozen=True)
class MapParams(ReadingParams, LearningParams):
    """Parameters of `map`."""

    source_language: str | None = language_param("source", READING)
    target_language: str | None = language_param("target", READING)
    validate_every: int = param(10, "Iterations between scores.", ge=1, group=_SELF)


def fill_in(params: Any) -> Any:
    """Fill in the values of the preset, where no option gave another one."""
    name = params.preset or _PRESET_OF[params.supervision or "dictionary"]
    preset: dict[str, Any] = read_preset(name) | {"preset": name}
    return replace(params, **{key: value for key, value in preset.items() if getattr(params, key) is None})


def check_learning(params: LearningParams) -> list[ConfigError]:
    """Return errors for normalisation steps that do not exist, and for a patience without a value."""
    faults = [
        unknown_name("normalisation step", step, _ACTIONS) for step in params.normalise or () if step not in _ACTIONS
    ]
    if params.patience == ():
        faults.append(ConfigError("--patience must have a value.", hint="Write it as --patience 10, or 10,50,50."))
    return faults


def check_map(inputs: collections.abc.Mapping[str, Any], params: MapParams) -> list[ConfigError]:
    """Return the errors that involve more than one option."""
    resolved = fill_in(params)
    faults = check_learning(resolved)
    dictionary = bool(inputs.get("dictionary"))
    needed = resolved.supervision in ("dictionary", "semi")
    if needed and not dictionary:
        hint = "Without a dictionary: --supervision identical, numerals or none."
        faults.append(ConfigError(f"--supervision {resolved.supervision} needs --dictionary.", hint=hint))
    if dictionary and not needed:
        hint = "Use --supervision semi, which starts from it, or leave --dictionary out."
        faults.append(ConfigError(f"--supervision {resolved.supervision} takes no --dictionary.", hint=hint))
    if inputs.get("validation") and resolved.supervision == "dictionary":
        faults.append(ConfigError("--validation is for self-learning.", hint="Score the result with: lexenc eval bli"))
    return faults


def run_map(inputs: dict[str, Any], params: MapParams, job: Job) -> Outcome:
    """Learn a mapping and map both languages.

    Raises:
        ConfigError: If this machine has no such device, whether or not the mapping needs one.
    """
    check_device(job)
    source, target = read_both(inputs, params, job)
    left, right = source.matrix.shape[1], target.matrix.shape[1]
    crossed = params.source_dewhiten == "target" or params.target_dewhiten == "source"
    learns = params.supervision != "dictionary" or params.kind == "rcsls"
    if left != right and (crossed or learns or params.reduce_to is None):
        raise ConfigError(
            f"Source vectors have {counted(left, 'column')}, target vectors {right}.",
            hint=f"Use vectors of equal size, or --reduce-to {min(left, right)}.",
        )
    pairs = None if inputs.get("dictionary") is None else read_dictionary(inputs["dictionary"], params, job)
    languages = (params.source_language, params.target_language)
    validation = None
    if inputs.get("validation") is not None:
        validation = read_dictionary(inputs["validation"], params, job), params.validate_every
    learned = learn_mapping(
        source, target, pairs, params, job, folding=folding_of(params), languages=languages, validation=validation
    )
    mapping = learned.mapping
    save_space(job.out, Space(mapped(source, mapping, "source"), mapped(target, mapping, "target")))
    save_mapping(job.out, mapping)
    counts = {
        "source_words": len(source.words),
        "target_words": len(target.words),
        "dimensions": mapping.source.shape[1],
        "pairs_used": mapping.pairs,
        "rank": mapping.rank,
    }
    found = learned.confidence
    tables = [] if found is None else [_confidence_table(found, learned.summary)]
    return Outcome(counts | learned.summary, tables=tables, answer=found is None or found.verdict != "not found")


def check_device(job: Job) -> None:
    """Refuse a device that this machine does not have, even if the work needs none."""
    if job.device_name not in ("auto", CPU.name):
        choose_device(job.device_name, job.precision)


def read_both(inputs: collections.abc.Mapping[str, Any], params: MapParams, job: Job) -> tuple[Vectors, Vectors]:
    """Read the vectors of both languages at the same time."""
    source, target = read_two(inputs["source"], inputs["target"], progress=job.progress, **params.options)
    return as_read(source, params, params.source_language, job), as_read(target, params, params.target_language, job)


# ---------------------------------------------------------------- learning


@dataclass(frozen=True)
class Learned:
    """A learned mapping.

    Args:
        mapping: The mapping, with the normalisation of both languages.
        summary: Counts and scores of self-learning; empty without it.
        confidence: How far the result of self-learning can be trusted; None without it.
    """

    mapping: Mapping
    summary: dict[str, Any]
    confidence: Confidence | None = None


def learn_mapping(  # noqa: PLR0913 - two languages, what is known of them, and how to learn
    source: Vectors,
    target: Vectors,
    dictionary: Pairs | None,
    params: LearningParams,
    job: Job,
    *,
    folding: Folding,
    languages: tuple[str | None, str | None],
    validation: tuple[Pairs, int] | None = None,
    target_normalise: Sequence[str] | None = None,
) -> Learned:
    """Learn a mapping with self-learning or without, writing the log and checkpoints of self-learning to `job.out`.

    The checkpoints stay there, so that nothing is learned again if what follows is interrupted.

    Args:
        source: Source words and raw vectors.
        target: Target words and raw vectors.
        dictionary: Training pairs; None if `params.supervision` needs none.
        params: How to learn, with the preset filled in.
        job: Device, seed, progress and messages of the run.
        folding: How words are folded already, for hints.
        languages: Language codes, for hints.
        validation: Pairs that nothing is learned from, to score every so many iterations of self-learning.
        target_normalise: Normalisation steps of the target, if they differ from those of the source.
    """
    settings = params.settings()
    pair = VocabularyPair.of(source, target, settings.normalise, target_normalise)
    if dictionary is not None:
        found = usable_rows(dictionary, source.words, target.words, job, folding=folding, languages=languages)
        rows, columns = found.source, found.target
    else:
        rows, columns = first_pairs(pair, params.supervision, settings)  # type: ignore[arg-type]
        if params.supervision in FIRST_PAIRS:
            job.notices.say(f"Self-learning starts from {len(rows):,} {FIRST_PAIRS[params.supervision]}.")
    if params.control == "shuffled-pairs":
        columns = generator(job.seed, "shuffled pairs").permutation(columns)
    summary: dict[str, Any] = {}
    confidence = None
    if params.supervision != "dictionary":
        best, iterations = _self_learn(pair, rows, columns, params, validation, job)
        confidence = best.confidence
        summary = {"first_pairs": len(rows), "iterations": iterations, "patience": best.patience}
        summary |= {"objective": best.state.best} | asdict(confidence)
        rows, columns = best.state.source, best.state.target
        _warn_unless_found(confidence, params, job)
    fit: Fit = MAPPINGS[settings.kind]
    fitted, remark = fit(pair, rows, columns, settings, device=lambda: job.device.name, progress=job.progress)
    if remark:
        job.notices.say(remark)
    if fitted.announcement:
        job.notices.warn(fitted.announcement, "Use a larger dictionary, or vectors with fewer dimensions.")
    return Learned(fitted.normalised_by(pair.left, pair.right), summary, confidence)


class _Start(NamedTuple):
    """A start of self-learning: its result with the rows of the vocabularies, how far to trust it, and its patience."""

    state: Learning
    confidence: Confidence
    patience: int


def _self_learn(
    pair: VocabularyPair,
    rows: np.ndarray,
    columns: np.ndarray,
    params: LearningParams,
    validation: tuple[Pairs, int] | None,
    job: Job,
) -> tuple[_Start, int]:
    """Run self-learning from the first pairs, or from a checkpoint of earlier work; write its last dictionary.

    A quick schedule may end in a poor optimum that a patient one leaves. So self-learning starts again with the next
    value of the patience as long as no mapping was found: from the pairs of a doubtful mapping, some of which are
    right, or else from the first pairs.

    Returns:
        The best start, by its verdict and then by its objective, and the iterations of all starts.
    """
    settings = params.settings()
    words = pair.compared(rows, columns, settings.vocabulary_cutoff)
    source, target = (each.astype(params.arithmetic) for each in (words.source, words.target))
    score = _scorer(pair, *validation, (source, target), job) if validation else lambda state: None
    starts: list[_Start] = []
    begin, done, drawn = (words.rows, words.columns), 0, generator(job.seed, "self-learning")
    recorder = _Recorder(job.out / UNFINISHED, seconds=params.checkpoint_seconds, score=score, drawn=drawn,
                         words=(len(source), len(target)), cutoff=settings.vocabulary_cutoff,
                         say=lambda message: job.notices.say(f"map: {message}"))  # fmt: skip
    for number, patience in enumerate(params.patience or ()):
        if starts:
            last = f"Self-learning with patience {starts[-1].patience}: {starts[-1].confidence.verdict}."
            job.notices.say(f"{last} Starting again with patience {patience}.")
        state = recorder.begun(number, Learning(*begin, iteration=done, improved=done))
        if not state.finished:
            with recorder.recording(number) as record:
                state = learn(source, target, state, settings=replace(settings, patience=patience), generator=drawn,
                              record=record, device=job.device.name, progress=job.progress)  # fmt: skip
        done, learned = state.iteration, (state.source, state.target)
        # If nothing was induced, the first pairs are left, which may lie beyond the cut-off.
        state = replace(state, source=words.kept[0][state.source], target=words.kept[1][state.target])
        starts.append(_Start(state, _judge(pair, state.source, state.target, params, job), patience))
        verdict = starts[-1].confidence.verdict
        if verdict == "found" or done == settings.max_iterations:
            break
        begin = learned if verdict == "doubtful" else (words.rows, words.columns)
    share(job.out / UNFINISHED / LOG, job.out / LOG)
    best = max(starts, key=lambda each: (each.confidence.grade, each.state.best))
    # Every pair once, in the order of the source words.
    distinct = sorted(set(zip(best.state.source.tolist(), best.state.target.tolist(), strict=True)))
    write_pairs(job.out / DICTIONARY, [(pair.source.words[row], pair.target.words[other]) for row, other in distinct])
    return best, done


def _scorer(
    pair: VocabularyPair, pairs: Pairs, every: int, vectors: tuple[np.ndarray, np.ndarray], job: Job
) -> Callable[[Learning], float | None]:
    """Return a function that scores an iteration: precision at 1, nearest neighbour, whole target vocabulary."""
    asked = ask(pairs, index_of(pair.source.words), index_of(pair.target.words))
    covered = np.flatnonzero(asked.covered)
    if not len(covered):
        raise uncovered("validation word", len(asked.words), pairs, None)
    queries, targets = pair.rows(asked.rows[covered], slice(None))
    normalise(targets, ["unit"], out=targets)

    def score(state: Learning) -> float | None:
        if state.iteration % every and not state.finished:
            return None
        matrix = rotation(*vectors, state.source, state.target)
        found = retrieve(normalise(queries @ matrix, ["unit"])[0], targets, k=1, device=job.device.name)
        hits = [found.indices[row, 0] in asked.gold_rows[place] for row, place in enumerate(covered)]
        return float(np.mean(hits))

    return score


class _Recorder:
    """The log and the checkpoints of self-learning, from which all of its starts are resumed.

    Args:
        folder: Folder of unfinished work.
        seconds: Time between checkpoints.
        score: Scores an iteration if it is its turn.
        drawn: The generator of self-learning, whose state is kept as well.
        words: Number of words of each language that are compared.
        cutoff: Number of them that the dictionary is induced among.
        say: Called with a remark on where a start begins.
    """

    def __init__(
        self,
        folder: Path,
        *,
        seconds: float,
        score: Callable[[Learning], float | None],
        drawn: np.random.Generator,
        words: tuple[int, int],
        cutoff: int,
        say: Callable[[str], None],
    ) -> None:
        self._words, self._cutoff = words, cutoff
        self._folder, self._seconds, self._score, self._drawn, self._say = folder, seconds, score, drawn, say
        self._log = StepLog(folder / LOG)
        folder.mkdir(exist_ok=True)

    def begun(self, start: int, first: Learning) -> Learning:
        """Return the state from which a start goes on: the last one that was saved, else `first`.

        A state counts only if the log has all iterations up to it. The generator is as it was then.
        """
        path = self._path(start)
        if path.is_file():
            before = self._drawn.bit_generator.state
            try:
                state = self._read(path)
                if self._log.resume(state.iteration):
                    if not state.finished:
                        self._say(f"continuing from iteration {state.iteration:,} (same settings).")
                    return state
                fault = f"{self._folder / LOG} lacks iterations of {path.name}."
            except DataError as error:
                fault = error.message
            self._drawn.bit_generator.state = before
            self._say(f"{fault} Beginning this start anew.")
        self._log.resume(first.iteration)
        return first

    @contextmanager
    def recording(self, start: int) -> Iterator[Callable[[Iteration, Learning], None]]:
        """Log every iteration and save regularly; also the last finished one, both at the end and when interrupted."""
        saved = time.monotonic()
        last: tuple[Learning, dict[str, Any]] | None = None

        def record(step: Iteration, state: Learning) -> None:
            nonlocal saved, last
            line: dict[str, Any] = asdict(step)
            precision = self._score(state)
            if precision is not None:
                line["validation_precision_at_1"] = precision
            self._log.add(line)
            # The next iteration changes the generator, and a later checkpoint needs its state of now.
            last = state, dict(self._drawn.bit_generator.state)
            if time.monotonic() - saved >= self._seconds:
                self._save(start, *last)
                saved = time.monotonic()

        try:
            yield record
        except KeyboardInterrupt:
            if last is not None:
                self._save(start, *last)
            raise
        if last is not None:
            self._save(start, *last)

    def _path(self, start: int) -> Path:
        return self._folder / f"learning-{start}.safetensors"

    def _save(self, start: int, state: Learning, drawn: dict[str, Any]) -> None:
        tensors = {"source": state.source, "target": state.target}
        tensors |= {f"bars_{number}": each for number, each in enumerate(state.bars)}
        numbers = {each.name: getattr(state, each.name) for each in fields(_Saved) if each.name != "drawn"}
        self._log.save()
        write_tensors(self._path(start), tensors, {"saved": numbers | {"drawn": drawn}})

    def _read(self, path: Path) -> Learning:
        tensors, facts = read_tensors(path)
        try:
            saved = checked(_Saved, facts["saved"], path)
            self._drawn.bit_generator.state = saved.drawn
            numbers = {each.name: getattr(saved, each.name) for each in fields(_Saved) if each.name != "drawn"}
            bars = tuple(tensors[f"bars_{number}"] for number in range(len(tensors) - 2))
            state = Learning(tensors["source"], tensors["target"], **numbers, bars=bars)
        except (KeyError, ValueError, TypeError) as error:
            raise DataError(f"{path} is damaged ({error}).", hint="Begin again with --force.") from None
        if not self._fits(state):
            raise DataError(f"{path} is of other vectors.", hint="Begin again with --force.")
        return state

    def _fits(self, state: Learning) -> bool:
        """Return whether all rows exist, and the search can go on from the bars, which it has three of per side."""
        bars = [(min(size, self._cutoff),) for size in self._words for _ in range(3)]
        return (
            state.source.shape == state.target.shape
            and all(
                rows.dtype == np.int64 and rows.ndim == 1 and rows.min(initial=0) >= 0 and rows.max(initial=0) < size
                for rows, size in zip((state.source, state.target), self._words, strict=True)
            )
            and [each.shape for each in state.bars] in ([], bars)
        )


@dataclass(frozen=True)
class _Saved:
    """The numbers of a saved state: those of `Learning`, and the state of the generator."""

    iteration: int
    keep: float
    best: float
    improved: int
    finished: bool
    drawn: dict[str, Any]


# ---------------------------------------------------------------- judging self-learning


def _judge(pair: VocabularyPair, rows: np.ndarray, columns: np.ndarray, params: LearningParams, job: Job) -> Confidence:
    """Judge a result of self-learning."""
    return judge(
        pair,
        rows,
        columns,
        params.settings(),
        spelling=params.supervision != "identical",
        generator=generator(job.seed, "confidence"),
        device=job.device.name,
    )


def _warn_unless_found(found: Confidence, params: LearningParams, job: Job) -> None:
    if found.verdict == "found":
        return
    hint = "Start from a dictionary: --supervision semi --dictionary pairs.tsv"
    if params.supervision == "semi":
        hint = "Give more pairs, or use more words: --vocabulary-cutoff."
    if found.verdict == "doubtful":
        hint += " Or check it on known pairs: lexenc eval bli."
    job.notices.warn(found.sentence, hint)


def _confidence_table(found: Confidence, summary: dict[str, Any]) -> Table:
    signs = [
        [name, "not measured" if value is None else f"{value:.2f}", f"{bar.lost:g}", f"{bar.found:g}"]
        for name, value, bar in found.signs
    ]
    others = [
        ["held-out pairs found again", f"{100 * found.consistency:.1f} %"],
        ["the same by chance", f"{100 * found.chance_consistency:.1f} %"],
        ["words that choose each other", f"{100 * found.mutual:.1f} %"],
        ["objective (mean cosine to the nearest word)", f"{summary['objective']:.4f}"],
        ["iterations, of all starts", f"{summary['iterations']:,}"],
        ["patience", f"{summary['patience']:,}"],
    ]
    rows = [["mapping", found.verdict, "", ""], *signs, *([*each, "", ""] for each in others)]
    note = (
        "Judged without a dictionary, on the most frequent words, with CSLS. The verdict is 'found' if every sign "
        "reaches its bar, and 'not found' if one is no better than noise. Held-out pairs: a rotation is learned from "
        "half of the pairs that choose each other, and has to find the other half again. Chance: a random rotation."
    )
    return Table("Self-learning", ["sign", "value", "noise below", "found from"], rows, note)


# ---------------------------------------------------------------- learning again without some pairs


class NotAgainError(LexencError):
    """Vectors that cannot be learned again; the message says why."""


def made_by(folder: Path) -> Manifest:
    """Return the manifest of a folder."""
    maker = maker_of(folder)
    if maker is None:
        raise NotAgainError(unknown_origin(folder) or f"{folder} has no manifest that says how it was made")
    return maker


def input_of(folder: Path, maker: Manifest, name: str) -> Path:
    """Return the unchanged file of an input that a folder was made from."""
    if len(maker.inputs.get(name, [])) != 1:
        raise NotAgainError(f"the manifest of {folder} names no single input '{name}'")
    (record,) = maker.inputs[name]
    path = unchanged(folder, record)
    if path is None:
        raise NotAgainError(f"{record.given}, from which {folder} was made, is not there any more or has changed")
    return path


def params_of(stage: Stage, maker: Manifest, inputs: collections.abc.Mapping[str, Any]) -> Any:
    """Return the parameters of a result as its stage takes them."""
    known = parameters(stage.params)
    params, faults = build(stage.params, {k: v for k, v in maker.params.items() if k in known}, owner=maker.stage)
    if faults or maker.stage_version != stage.version:
        raise NotAgainError(f"it was made by another version of {maker.stage}")
    return params if stage.resolve is None else stage.resolve(inputs, params)


def remaining(pairs: Pairs, column: int, words: collections.abc.Collection[str]) -> Pairs:
    """Return the pairs without those whose word in `column` is one of `words` (folded by `SAME_TEXT`)."""
    return pairs.chosen([place for place, pair in enumerate(pairs) if SAME_TEXT.fold(pair[column]) not in words])


class MapAgain:
    """Learns a space of `map` again, without the dictionary entries of some words.

    Args:
        folder: The space.
        column: Column of the words: 0 or 1.
        job: Device, seed, progress and messages of the run. Its folder is used for temporary files.

    Raises:
        NotAgainError: If an input is gone, or the space was made in another way.
    """

    def __init__(self, folder: Path, column: int, job: Job) -> None:
        maker = made_by(folder)
        if maker.stage != "map" or "dictionary" not in maker.inputs:
            raise NotAgainError(f"{folder} was not learnt by map from a dictionary")
        inputs = {name: input_of(folder, maker, name) for name in maker.inputs}
        self._params: MapParams = params_of(MAP, maker, inputs)
        self._column = column
        self._job = replace(job, seed=maker.seed, notices=Notices(), kept=False)
        self.space = load_space(folder, mmap=True)
        self._source, self._target = read_both(inputs, self._params, self._job)
        for side, read in (("source", self._source), ("target", self._target)):
            if self.space.side(side).words != read.words:
                raise NotAgainError(f"the {side} words of {folder} come out otherwise when learnt again")
        self._pairs = read_dictionary(inputs["dictionary"], self._params, self._job)

    def without(self, words: collections.abc.Collection[str]) -> Space:
        """Learn the space without the entries of some words (folded by `SAME_TEXT`).

        Raises:
            LexencError: If the remaining entries do not suffice.
        """
        params, place = self._params, self._job.out / "again"
        place.mkdir()
        try:
            mapping = learn_mapping(
                self._source,
                self._target,
                remaining(self._pairs, self._column, words),
                params,
                replace(self._job, out=place),
                folding=folding_of(params),
                languages=(params.source_language, params.target_language),
            ).mapping
        finally:
            shutil.rmtree(place, ignore_errors=True)
        return Space(
            replace(self._source, matrix=mapping.apply_source(self._source.matrix)),
            replace(self._target, matrix=mapping.apply_target(self._target.matrix)),
        )


MAP = Stage(
    name="map",
    version=2,
    inputs={
        "source": Input("Source vectors: .vec, .vec.gz, word2vec or fastText .bin, or a folder."),
        "target": Input("Target vectors."),
        "dictionary": Input("Training dictionary: source, TAB, target.", required=False),
        "validation": Input("Dictionary to score during self-learning. Nothing is learned from it.", required=False),
    },
    params=MapParams,
    run=run_map,
    makes="source/ and target/ (vectors.npy, words.txt), mapping.safetensors for lexenc apply-mapping, and after "
    "self-learning iterations.jsonl and induced.tsv, its last dictionary.",
    examples=(
        "lexenc map --source en.vec --target de.vec --dictionary train.tsv --out runs/mapped",
        "lexenc map --supervision identical --source en.vec --target de.vec --out runs/mapped",
    ),
    next_step="lexenc eval bli --vectors {out} --dictionary TEST-DICTIONARY",
    uses_device=True,
    uses_seed=True,
    resumable=True,
    check=check_map,
    resolve=lambda inputs, params: fill_in(params),
    elsewhere=dict.fromkeys(("hub", "into", "vectors", "dictionaries"), "map-hub")
    | dict.fromkeys(("test_dictionaries", "retrieval"), "eval bli")
    | dict.fromkeys(("mapping", "apply", "source_vocabulary", "target_vocabulary"), "apply-mapping"),
)
