"""Words of both languages on a plane: which pairs, which spaces, and the projection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lexenc.artifact import owner_of
from lexenc.device import choose_device
from lexenc.errors import LexencError
from lexenc.files.chosen import chosen_vectors
from lexenc.randomness import generator
from lexenc.report.questions import Question, same_as_then
from lexenc.report.runs import Run, Runs
from lexenc.report.systems import System

if TYPE_CHECKING:
    from lexenc.artifact import InputRecord

PAIRS = 150


@dataclass(frozen=True)
class Pair:
    """A word, its translation, and whether the first answer was a gold one."""

    source: str
    target: str
    right: bool


@dataclass(frozen=True)
class Plane:
    """Pairs in one space, seen from where they are spread most.

    Args:
        title: The space.
        pairs: The pairs that have vectors on both sides in it.
        source: Places of the source words. Shape [n, 2].
        target: Places of their translations. Shape [n, 2].
        explained: Share of the variance of the chosen words along each axis. Shape [2].
        together: Mean cosine of the pairs in the whole space.
        apart: The same of words and the translations of other words.
    """

    title: str
    pairs: tuple[Pair, ...]
    source: np.ndarray
    target: np.ndarray
    explained: np.ndarray
    together: float
    apart: float


def choose_pairs(questions: Sequence[Question], seed: int, count: int = PAIRS) -> list[Pair]:
    """Draw as many words answered rightly as wrongly, where there are enough of both; some of each at least.

    Args:
        questions: Covered questions.
        seed: The user's seed.
        count: How many pairs.
    """
    order = generator(seed, "report pairs").permutation(len(questions))
    drawn = [questions[place] for place in order]
    sides = [[one for one in drawn if one.right], [one for one in drawn if not one.right]]
    half = count // 2
    first = sides[0][: max(half, count - len(sides[1]))]
    chosen = [*first, *sides[1][: count - len(first)]]
    # Of several translations the one that was answered; it surely has a vector.
    return [Pair(one.word, one.answers[0] if one.right else one.golds[0], one.right) for one in chosen]


def project(title: str, pairs: Sequence[Pair], source: np.ndarray, target: np.ndarray) -> Plane:
    """Project both languages together on their first two principal components (Hotelling 1933).

    Args:
        title: The space.
        pairs: n pairs.
        source: Vectors of the source words. Shape [n, d].
        target: Vectors of their translations. Shape [n, d].
    """
    left, right = _unit(source), _unit(target)
    stacked = np.concatenate([left, right])
    centred = stacked - stacked.mean(axis=0)
    _, strengths, directions = np.linalg.svd(centred, full_matrices=False)
    axes = directions[:2]
    # The sign of a component is arbitrary; its largest entry decides, so that every machine draws the same picture.
    signs = np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])
    # Words of a single dimension lie on a line.
    places = np.pad(centred @ (axes * signs[:, None]).T, ((0, 0), (0, 2 - len(axes))))
    share = np.pad(strengths**2, (0, 2)) / max(float((strengths**2).sum()), 1e-30)
    cosines = left @ right.T
    n = len(pairs)
    apart = (float(cosines.sum()) - float(np.trace(cosines))) / (n * (n - 1)) if n > 1 else float("nan")
    return Plane(title, tuple(pairs), places[:n], places[n:], share[:2], float(np.trace(cosines)) / max(n, 1), apart)


def _unit(rows: np.ndarray) -> np.ndarray:
    rows = np.asarray(rows, dtype=np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: np.ndarray = rows / np.where(lengths > 0, lengths, 1.0)
    return unit


# ---------------------------------------------------------------- spaces


@dataclass(frozen=True)
class Missing:
    """A space that cannot be drawn, and why."""

    title: str
    why: str


def planes_of(runs: Runs, system: System, pairs: Sequence[Pair], device: str) -> list[Plane | Missing]:
    """Draw the spaces that a system went through: as they were, mapped, as encoded before and after tuning, blended.

    Args:
        runs: All results.
        system: The system whose questions the pairs are.
        pairs: From `choose_pairs`, in the direction of the system.
        device: Where encoders compute.
    """
    own = runs.ancestors(system.run)
    mapped = [run for run in own if run.manifest.stage == "map"][:1]
    blended = [run for run in own if run.manifest.stage == "interpolate"][:1] or _blend_of(runs, own)
    drawn: list[Plane | Missing] = []
    for run in mapped:
        drawn.append(_try("Raw vectors, before mapping", lambda run=run: _raw(runs, run), system, pairs))  # type: ignore[misc]
        drawn.append(_try(f"Mapped ({run.name})", lambda run=run: _space(run), system, pairs))  # type: ignore[misc]
    for title, record, run in _encoders(runs, own):
        path = run.path_of(record)
        drawn.append(_try_encoder(title, path, system, pairs, device))
    for run in blended:
        title = f"Blended at lambda {run.manifest.params['lambda']:g} ({run.name})"
        drawn.append(_try(title, lambda run=run: _space(run), system, pairs))  # type: ignore[misc]
    return drawn


_Sides = tuple[Path, Path]
_Finder = Callable[[], _Sides]


def _blend_of(runs: Runs, own: Sequence[Run]) -> list[Run]:
    """Give a blended space of the same parts, for a system that blended in memory."""
    names = {run.name for run in own}
    made = [run for run in runs.of_stage("interpolate") if {each.name for each in runs.parents(run)} <= names]
    return [run for run in made if runs.parents(run)][:1]


def _raw(runs: Runs, run: Run) -> _Sides:
    places = [run.input_path(side) for side in ("source", "target")]
    if not all(same_as_then(runs, run, side) for side in ("source", "target")):
        gone = {runs.absence(run, run.manifest.inputs[side][0]) for side in ("source", "target")}
        raise FileNotFoundError(f"the vectors {'are not here' if 'not here' in gone else 'have been replaced since'}")
    left, right = (place for place in places if place is not None)
    return left, right


def _space(run: Run) -> _Sides:
    return run.folder / "source", run.folder / "target"


def _encoders(runs: Runs, own: Sequence[Run]) -> list[tuple[str, InputRecord, Run]]:
    """Give the encoder of a system after and before tuning, the earliest first."""
    found: list[tuple[str, InputRecord, Run]] = []
    user = next(
        (run for run in own if "encoder" in run.manifest.inputs and run.manifest.stage != "mine-negatives"), None
    )
    while user is not None and len(found) < 2:
        record = user.manifest.inputs["encoder"][0]
        maker = runs.maker(record)
        tuned = maker is not None and maker.manifest.stage == "finetune"
        name = maker.name if maker is not None else Path(record.given).name
        when = " after tuning" if tuned else " before tuning" if found else ""
        found.append((f"Encoder{when} ({name})", record, user))
        user = maker if tuned else None
    return found[::-1]


def _try(title: str, sides: _Finder, system: System, pairs: Sequence[Pair]) -> Plane | Missing:
    """Read the vectors of the pairs from two files or folders."""
    params = system.run.manifest.params
    try:
        tables = []
        for side, path in zip(("source", "target"), sides(), strict=True):
            words = {one.source for one in pairs} if _asks(system) == side else {one.target for one in pairs}
            names, matrix = chosen_vectors(
                path, words, lowercase=bool(params.get("lowercase")), language=params.get(f"{side}_language")
            )
            tables.append(dict(zip(names, matrix, strict=True)))
    except (LexencError, OSError) as error:
        return Missing(title, str(error))
    left, right = tables if _asks(system) == "source" else tables[::-1]
    return _plane(title, pairs, left, right)


def _asks(system: System) -> str:
    return str(system.head.get("direction", "source-target")).split("-")[0]


def _plane(
    title: str, pairs: Sequence[Pair], left: dict[str, np.ndarray], right: dict[str, np.ndarray]
) -> Plane | Missing:
    kept = [one for one in pairs if one.source in left and one.target in right]
    if len(kept) < 3:
        return Missing(title, f"only {len(kept)} of the {len(pairs)} pairs have vectors in it")
    first, second = (np.array([table[word] for word in words]) for table, words in
                     ((left, [one.source for one in kept]), (right, [one.target for one in kept])))  # fmt: skip
    if first.shape[1] != second.shape[1]:
        return Missing(title, f"the languages have {first.shape[1]} and {second.shape[1]} dimensions")
    return project(title, kept, first, second)


def _try_encoder(title: str, path: Path, system: System, pairs: Sequence[Pair], device: str) -> Plane | Missing:
    """Encode the pairs."""
    from lexenc.encoders.encode import encode_texts
    from lexenc.encoders.load import load_encoder

    folder = owner_of(path) or path
    if not folder.is_dir():
        return Missing(title, f"the encoder is not at {path} any more")
    try:
        pooling = system.run.manifest.params.get("pooling", "auto")
        encoder = load_encoder(folder, pooling=pooling, device=choose_device(device, "float32"))
        words = sorted({word for one in pairs for word in (one.source, one.target)})
        table = dict(zip(words, encode_texts(encoder, words), strict=True))
    except (LexencError, OSError) as error:
        return Missing(title, str(error))
    return _plane(title, pairs, table, table)
