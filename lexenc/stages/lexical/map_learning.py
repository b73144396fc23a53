"""How map learns: where the first pairs come from, self-learning with its log and checkpoints, the last fit."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from lexenc.artifact import UNFINISHED
from lexenc.errors import DataError, WorkError
from lexenc.files.dictionaries import Pairs
from lexenc.files.text import counted
from lexenc.stage import Table
from lexenc.stages.reading import read_dictionary, usable_rows

if TYPE_CHECKING:
    import numpy as np

    from lexenc.files.vectors import Vectors
    from lexenc.lexical.confidence import Confidence
    from lexenc.lexical.mapping import Mapping, Normalisation
    from lexenc.lexical.self_learning import Iteration, Learning, Schedule
    from lexenc.stage import Job
    from lexenc.stages.lexical.map import MapParams

_Value = TypeVar("_Value")
LOG = "iterations.jsonl"
DICTIONARY = "induced.tsv"
_STATE = "learning.safetensors"


def _filled(value: _Value | None) -> _Value:
    """Give a value that the preset has filled in."""
    if value is None:
        raise WorkError("A value of the preset is missing.")
    return value


@dataclass(frozen=True)
class Learnt:
    """What map has learnt.

    Args:
        mapping: Ready to apply.
        summary: Counts and scores of self-learning; empty without.
        confidence: How far the result of self-learning can be trusted; None without.
    """

    mapping: Mapping
    summary: dict[str, Any]
    confidence: Confidence | None = None


@dataclass(frozen=True)
class _Material:
    """Two vocabularies and what brings their vectors into the form in which they are compared."""

    source: Vectors
    target: Vectors
    left: Normalisation
    right: Normalisation

    def rows(self, rows: Any, columns: Any) -> tuple[np.ndarray, np.ndarray]:
        """Give the normalised vectors of some words of both languages."""
        return self.left.apply(self.source.matrix[rows]), self.right.apply(self.target.matrix[columns])


def learn_mapping(
    source: Vectors,
    target: Vectors,
    inputs: dict[str, Any],
    params: MapParams,
    job: Job,
    *,
    target_normalise: Sequence[str] | None = None,
) -> Learnt:
    """Learn a mapping as the parameters say; those that depend on a preset are filled in already.

    Args:
        source: Source words and raw vectors.
        target: The same of the target.
        inputs: Of the stage; `dictionary` is a path, or pairs that were read already.
        params: Of the stage.
        job: Its place, seed and device.
        target_normalise: Steps for the target where they are others than the source's.
    """
    from lexenc.lexical.mapping import fit_normalisation
    from lexenc.randomness import generator

    steps = _filled(params.normalise)
    material = _Material(
        source,
        target,
        fit_normalisation(source.matrix, steps),
        fit_normalisation(target.matrix, steps if target_normalise is None else target_normalise),
    )
    rows, columns = _first_pairs(material, inputs, params, job)
    if params.control == "shuffled-pairs":
        columns = generator(job.seed, "shuffled pairs").permutation(columns)
    summary: dict[str, Any] = {}
    confidence = None
    if params.supervision != "dictionary":
        state = _self_learn(material, rows, columns, inputs, params, job)
        summary = {"first_pairs": len(rows), "iterations": state.iteration, "objective": state.best}
        rows, columns = state.source, state.target
        confidence = _judge(material, rows, columns, params, job)
        summary |= asdict(confidence)
    mapping = _fit(material, rows, columns, params, job)
    _forget(job.out / UNFINISHED)
    if mapping.announcement:
        job.notices.warn(mapping.announcement, "Use a larger dictionary, or vectors with fewer dimensions.")
    return Learnt(mapping.normalised_by(material.left, material.right), summary, confidence)


# ---------------------------------------------------------------- the first pairs


def _first_pairs(
    material: _Material, inputs: dict[str, Any], params: MapParams, job: Job
) -> tuple[np.ndarray, np.ndarray]:
    """Give the pairs that learning starts from, as row numbers."""
    from lexenc.lexical.seeds import identical_pairs, numeral_pairs

    words = material.source.words, material.target.words
    if params.supervision in ("dictionary", "semi"):
        given = inputs["dictionary"]
        pairs = given if isinstance(given, Pairs) else read_dictionary(given, params)
        languages = (params.source_language, params.target_language)
        found = usable_rows(pairs, *words, job, lowercase=params.lowercase, languages=languages)
        return found.source, found.target
    if params.supervision == "none":
        return _pairs_of_vectors(material, params)
    look = identical_pairs if params.supervision == "identical" else numeral_pairs
    rows, columns = look(*words)
    kind = "words written alike" if params.supervision == "identical" else "numbers"
    if not len(rows):
        raise WorkError(
            f"The vocabularies have no {kind} in common.",
            hint="Start from a small dictionary: --supervision semi --dictionary pairs.tsv",
        )
    job.notices.say(f"Self-learning starts from {len(rows):,} {kind}.")
    return rows, columns


def _pairs_of_vectors(material: _Material, params: MapParams) -> tuple[np.ndarray, np.ndarray]:
    from lexenc.lexical.seeds import similarity_pairs

    size = _filled(params.start_vocabulary)
    left, right = material.rows(slice(size), slice(size))
    return similarity_pairs(left, right, words=size, neighbours=_filled(params.csls_neighbours))


# ---------------------------------------------------------------- self-learning


def _schedule(params: MapParams) -> Schedule:
    from lexenc.lexical.self_learning import Schedule

    return Schedule(
        vocabulary_cutoff=_filled(params.vocabulary_cutoff),
        neighbours=_filled(params.csls_neighbours),
        direction=_filled(params.induction),
        keep_start=_filled(params.keep_start),
        keep_growth=_filled(params.keep_growth),
        patience=_filled(params.patience),
        max_iterations=params.max_iterations,
    )


def _self_learn(
    material: _Material, rows: np.ndarray, columns: np.ndarray, inputs: dict[str, Any], params: MapParams, job: Job
) -> Learning:
    """Run self-learning, from the start or from where it was stopped."""
    import numpy as np

    from lexenc.lexical.self_learning import Learning, learn
    from lexenc.randomness import generator

    schedule = _schedule(params)
    kept = [np.union1d(np.arange(min(schedule.vocabulary_cutoff, len(side.words))), own)
            for side, own in ((material.source, rows), (material.target, columns))]  # fmt: skip
    source, target = (each.astype(params.arithmetic) for each in material.rows(*kept))
    drawn = generator(job.seed, "self-learning")
    start = _restored(job.out / UNFINISHED, drawn)
    if start is None:
        start = Learning(np.searchsorted(kept[0], rows), np.searchsorted(kept[1], columns))
    else:
        job.notices.say(f"map: continuing from iteration {start.iteration:,} (same settings).")
    validate = _validation(material, inputs, params, job)
    with _recorder(job, start, params, validate, (source, target), drawn) as record:
        state = learn(source, target, start, schedule=schedule, generator=drawn, record=record,
                      device=job.device.name, progress=job.progress)  # fmt: skip
    _write_induced(job.out / DICTIONARY, material, state)
    return state


@contextmanager
def _recorder(
    job: Job,
    start: Learning,
    params: MapParams,
    validate: Callable[[np.ndarray], float] | None,
    sides: tuple[np.ndarray, np.ndarray],
    drawn: np.random.Generator,
) -> Iterator[Callable[[Iteration, Learning], None]]:
    """Write one line per iteration, and a checkpoint every now and then; both go on where earlier work stopped.

    The last iteration that was finished is kept too: when learning ends, so that what follows can be stopped as well,
    and when it is interrupted.
    """
    from lexenc.lexical.self_learning import rotation

    log, folder = job.out / LOG, job.out / UNFINISHED
    folder.mkdir(exist_ok=True)
    lines = log.read_text(encoding="utf-8").splitlines(keepends=True) if log.is_file() and start.iteration else []
    saved = time.monotonic()
    last: tuple[Learning, dict[str, Any]] | None = None
    with log.open("w", encoding="utf-8") as stream:
        stream.writelines(lines[: start.iteration])

        def record(step: Iteration, state: Learning) -> None:
            nonlocal saved, last
            line: dict[str, Any] = asdict(step)
            if validate is not None and (step.iteration % params.validate_every == 0 or state.finished):
                line["validation_precision_at_1"] = validate(rotation(*sides, state.source, state.target))
            stream.write(json.dumps(line) + "\n")
            stream.flush()
            # The next iteration draws on: what is saved later needs the state of now.
            last = state, dict(drawn.bit_generator.state)
            if time.monotonic() - saved >= params.checkpoint_seconds:
                _save(folder, *last)
                saved = time.monotonic()

        try:
            yield record
        except KeyboardInterrupt:
            if last is not None:
                _save(folder, *last)
            raise
    if last is not None:
        _save(folder, *last)


def _forget(folder: Path) -> None:
    """Remove what is left of unfinished self-learning, if there was any."""
    if folder.is_dir():
        for name in (_STATE, f"{_STATE}.new"):
            (folder / name).unlink(missing_ok=True)
        folder.rmdir()


def _save(folder: Path, state: Learning, drawn: dict[str, Any]) -> None:
    """Write a checkpoint in place of the one before; a kill at any moment leaves one of the two whole."""
    from safetensors.numpy import save_file

    arrays = {"source": state.source, "target": state.target}
    arrays |= {f"bars_{number}": each for number, each in enumerate(state.bars)}
    numbers = {name: getattr(state, name) for name in ("iteration", "keep", "best", "improved", "finished")}
    about = {"state": json.dumps(numbers), "drawn": json.dumps(drawn)}
    aside = folder / f"{_STATE}.new"
    save_file(arrays, aside, metadata=about)
    aside.replace(folder / _STATE)


def _restored(folder: Path, drawn: np.random.Generator) -> Learning | None:
    """Read a checkpoint and set the generator to where it was; None where there is none."""
    from safetensors import SafetensorError, safe_open

    from lexenc.lexical.self_learning import Learning

    path = folder / _STATE
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="numpy") as stream:
            about = stream.metadata()
            arrays = {name: stream.get_tensor(name) for name in stream.keys()}
        drawn.bit_generator.state = json.loads(about["drawn"])
        bars = tuple(arrays[f"bars_{number}"] for number in range(len(arrays) - 2))
        return Learning(arrays["source"], arrays["target"], **json.loads(about["state"]), bars=bars)
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise DataError(f"{path} is damaged ({error}).", hint="Begin again with --force.") from None


def _validation(
    material: _Material, inputs: dict[str, Any], params: MapParams, job: Job
) -> Callable[[np.ndarray], float] | None:
    """Give what scores a rotation on the validation dictionary: precision at 1, nearest, whole target vocabulary."""
    if inputs.get("validation") is None:
        return None
    import numpy as np

    from lexenc.evaluation.bli import ask
    from lexenc.files.vectors import index_of
    from lexenc.lexical.mapping import normalise
    from lexenc.search.retrieval import retrieve
    from lexenc.stages.reading import uncovered

    pairs = read_dictionary(inputs["validation"], params)
    asked = ask(pairs.translations(), index_of(material.source.words), index_of(material.target.words))
    covered = np.flatnonzero(asked.covered)
    if not len(covered):
        raise uncovered("validation word", len(asked.words), pairs, None)
    queries, targets = material.rows(asked.rows[covered], slice(None))
    normalise(targets, ["unit"], out=targets)

    def score(matrix: np.ndarray) -> float:
        found = retrieve(normalise(queries @ matrix, ["unit"])[0], targets, k=1, device=job.device.name)
        hits = [found.indices[row, 0] in asked.gold_rows[place] for row, place in enumerate(covered)]
        return float(np.mean(hits))

    return score


def _write_induced(path: Path, material: _Material, state: Learning) -> None:
    """Write the last dictionary, every pair once, by the frequency of the source word."""
    from lexenc.files.dictionaries import write_pairs

    distinct = sorted(set(zip(state.source.tolist(), state.target.tolist(), strict=True)))
    write_pairs(path, [(material.source.words[row], material.target.words[column]) for row, column in distinct])


# ---------------------------------------------------------------- the last fit


def _fit(material: _Material, rows: np.ndarray, columns: np.ndarray, params: MapParams, job: Job) -> Mapping:
    from lexenc.lexical.mapping import fit_mapping

    if params.kind == "rcsls":
        return _fit_rcsls(material, rows, columns, params, job)
    return fit_mapping(
        *material.rows(rows, columns),
        kind=_filled(params.kind),
        whiten=_filled(params.whiten),
        source_reweight=_filled(params.source_reweight),
        target_reweight=_filled(params.target_reweight),
        source_dewhiten=None if params.source_dewhiten == "none" else params.source_dewhiten,
        target_dewhiten=None if params.target_dewhiten == "none" else params.target_dewhiten,
        reduce_to=params.reduce_to,
        rank_policy=params.poor_dictionary,
    )


def _fit_rcsls(material: _Material, rows: np.ndarray, columns: np.ndarray, params: MapParams, job: Job) -> Mapping:
    """Begin with the rotation and go on with RCSLS, among the most frequent words."""
    import numpy as np

    from lexenc.lexical.mapping import fit_mapping, normalise
    from lexenc.lexical.rcsls import fit_rcsls

    size = _filled(params.vocabulary_cutoff)
    kept = [np.union1d(np.arange(min(size, len(side.words))), own)
            for side, own in ((material.source, rows), (material.target, columns))]  # fmt: skip
    source, target = (normalise(each, ["unit"], out=each)[0] for each in material.rows(*kept))
    own, others = np.searchsorted(kept[0], rows), np.searchsorted(kept[1], columns)
    start = fit_mapping(source[own], target[others], kind="orthogonal")
    found = fit_rcsls(
        source,
        target,
        own,
        others,
        start.source,
        neighbours=_filled(params.csls_neighbours),
        iterations=_filled(params.rcsls_steps),
        rate=_filled(params.rcsls_rate),
        spectral=params.rcsls_spectral,
        device=job.device.name,
        progress=job.progress,
    )
    losses = [round(each, 5) for each in found.losses]
    job.notices.say(f"RCSLS: loss {losses[0]:g} -> {losses[-1]:g} in {counted(len(losses) - 1, 'step')}.")
    return replace(start, kind="rcsls", source=found.matrix, singular_values=np.zeros(0))


# ---------------------------------------------------------------- can it be trusted


def _judge(material: _Material, rows: np.ndarray, columns: np.ndarray, params: MapParams, job: Job) -> Confidence:
    """Measure how far the pairs support each other, and warn where they do not."""
    from lexenc.lexical.confidence import CONFIDENCE_WORDS, confidence_of
    from lexenc.lexical.seeds import identical_pairs
    from lexenc.randomness import generator

    size = min(_filled(params.vocabulary_cutoff), CONFIDENCE_WORDS)
    inside = (rows < size) & (columns < size)
    left, right = material.rows(slice(size), slice(size))
    alike = None
    if params.supervision != "identical":
        alike = identical_pairs(material.source.words[:size], material.target.words[:size])
    found = confidence_of(
        left,
        right,
        rows[inside],
        columns[inside],
        generator=generator(job.seed, "confidence"),
        alike=alike,
        device=job.device.name,
    )
    if found.verdict != "found":
        hint = "Start from a dictionary: --supervision semi --dictionary pairs.tsv"
        if params.supervision == "semi":
            hint = "Give more pairs, or let self-learning see more words: --vocabulary-cutoff."
        if found.verdict == "doubtful":
            hint += " Or check it on pairs you know: lexenc eval bli."
        job.notices.warn(found.sentence, hint)
    return found


def confidence_table(learnt: Learnt) -> Table:
    """Show how self-learning ended and what speaks for its result."""
    found, summary = learnt.confidence, learnt.summary
    if found is None:
        raise WorkError("There is nothing to judge without self-learning.")
    signs = [
        [
            sign.name,
            "not looked at" if sign.value is None else f"{sign.value:.2f}",
            f"{sign.bar.lost:g}",
            f"{sign.bar.found:g}",
        ]
        for sign in found.signs
    ]
    others = [
        ["held-out pairs found again", f"{100 * found.consistency:.1f} %"],
        ["the same by chance", f"{100 * found.chance_consistency:.1f} %"],
        ["words that choose each other", f"{100 * found.mutual:.1f} %"],
        ["objective (mean cosine to the nearest word)", f"{summary['objective']:.4f}"],
        ["iterations", f"{summary['iterations']:,}"],
    ]
    rows = [["mapping", found.verdict, "", ""], *signs, *([*each, "", ""] for each in others)]
    note = (
        "Judged without a dictionary on the most frequent words, CSLS: found where every sign reaches its bar, not "
        "found where one is no better than noise. Held-out pairs: of the pairs that choose each other, half teach a "
        "rotation that has to find the other half again; chance is a rotation drawn at random."
    )
    return Table("Self-learning", ["sign", "value", "noise below", "found from"], rows, note)
