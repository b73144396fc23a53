"""compare, for two evaluations of word similarity: paired bootstrap of the difference of their correlations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexenc.errors import ConfigError, DataError
from lexenc.files.similarities import read_similarities
from lexenc.files.text import counted
from lexenc.stage import Job, Outcome, Table

if TYPE_CHECKING:
    from lexenc.evaluation.bootstrap import Difference
    from lexenc.files.similarities import Similarity

_BACK_OFF = 0.0


def compare_similarities(
    first: Path, second: Path, job: Job, *, metric: str, questions: str, draws: int, level: float
) -> Outcome:
    """Compare two evaluations of `eval xlsim`.

    Args:
        first: Folder or file of similarities.
        second: The other system's.
        job: Seed.
        metric: What was asked for; only the default can mean Spearman.
        questions: `covered`: pairs with vectors in both; `all`: where a word has none the similarity is 0.
        draws: Resamplings.
        level: Share of draws inside the interval.

    Raises:
        ConfigError: If the metric is not one of word similarity.
        DataError: If the evaluations have different pairs, or no correlation is defined.
    """
    import math

    import numpy as np

    from lexenc.evaluation.similarity import spearman, spearman_difference
    from lexenc.randomness import generator

    if metric not in ("precision_at_1", "spearman"):
        raise ConfigError(f"--metric {metric} means nothing for word similarity.", hint="Leave it out: it is Spearman.")
    pairs = _matched(read_similarities(first), read_similarities(second), questions)
    left, right = (
        np.array([_BACK_OFF if pair[side].cosine is None else pair[side].cosine for pair in pairs]) for side in (0, 1)
    )
    gold = np.array([one.score for one, _ in pairs])
    drawn = generator(job.seed, "paired bootstrap")
    found = spearman_difference(left, right, gold, generator=drawn, draws=draws, level=level)
    if math.isnan(found.mean) or math.isnan(found.low):
        raise DataError(
            f"Spearman's correlation is not defined for {counted(len(pairs), 'pair')}, or for most draws of them.",
            hint="More pairs are needed, with different scores and similarities.",
        )
    result = {
        "task": "compare",
        "metric": "spearman",
        "questions": questions,
        "out_of_vocabulary": "left out" if questions == "covered" else f"similarity {_BACK_OFF:g}",
        "count": len(pairs),
        "first": spearman(left, gold),
        "second": spearman(right, gold),
        "difference": found.mean,
        "difference_low": found.low,
        "difference_high": found.high,
        "p_value": found.p_value,
        "shown": found.shown,
        "draws": draws,
        "level": level,
        "seed": job.seed,
    }
    table = _table(result, found, str(first), str(second))
    return Outcome({"difference": found.mean, "shown": found.shown}, [result], [table])


def _matched(
    first: Sequence[Similarity], second: Sequence[Similarity], questions: str
) -> list[tuple[Similarity, Similarity]]:
    """Pair the lines of both, which must ask the same in the same order."""
    if [row.asked for row in first] != [row.asked for row in second]:
        place = next(
            (n for n, (one, other) in enumerate(zip(first, second, strict=False), 1) if one.asked != other.asked),
            min(len(first), len(second)) + 1,
        )
        raise DataError(
            f"The evaluations have different pairs or scores (from pair {place} on; {len(first):,} and "
            f"{len(second):,} pairs).",
            hint="Evaluate both with the same --pairs, languages and --lowercase.",
        )
    pairs = list(zip(first, second, strict=True))
    if questions == "all":
        return pairs
    kept = [(one, other) for one, other in pairs if one.cosine is not None and other.cosine is not None]
    if not kept:
        raise DataError("No pair is covered by both evaluations.", hint="Use --questions all.")
    return kept


def _table(result: dict[str, Any], found: Difference, first: str, second: str) -> Table:
    rows = [
        [f"first: {first}", f"{100 * result['first']:.2f}"],
        [f"second: {second}", f"{100 * result['second']:.2f}"],
        ["difference", f"{100 * found.mean:+.2f}"],
        [f"{100 * result['level']:g} % interval", f"{100 * found.low:+.2f} to {100 * found.high:+.2f}"],
        ["p value (two-sided)", f"{found.p_value:.4f}"],
        ["difference shown", "yes" if found.shown else "no: the interval covers zero"],
    ]
    counts = {
        "covered": "pairs with vectors in both evaluations",
        "all": f"pairs with a word without a vector have similarity {_BACK_OFF:g}",
    }[result["questions"]]
    note = f"{counted(result['count'], 'pair')} ({result['questions']}: {counts}), paired bootstrap of the pairs, "
    note += f"{result['draws']:,} draws, seed {result['seed']}."
    return Table("Spearman (x100)", ["what", "value"], rows, note)
