"""compare, for two evaluations of word alignment: paired bootstrap of the difference of their error rates."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexenc.errors import ConfigError, DataError
from lexenc.files.link_counts import read_link_counts
from lexenc.files.text import counted
from lexenc.stage import Job, Outcome, Table

if TYPE_CHECKING:
    import numpy as np

    from lexenc.evaluation.bootstrap import Difference

_NAMES = {"aer": "AER", "precision": "precision", "recall": "recall", "f1": "F1"}


def compare_alignments(
    first: Path, second: Path, job: Job, *, metric: str, questions: str, draws: int, level: float
) -> Outcome:
    """Compare two evaluations of `eval alignment`; beside the error rate, the other scores too.

    Args:
        first: Folder or file of counts.
        second: The other system's.
        job: Seed.
        metric: What was asked for; only the default can mean the error rate.
        questions: What was asked for; every sentence pair counts.
        draws: Resamplings.
        level: Share of draws inside the interval.

    Raises:
        ConfigError: If metric or questions are not of word alignment.
        DataError: If the evaluations are not of the same gold links, or no error rate is defined.
    """
    from lexenc.evaluation.alignment import differences
    from lexenc.randomness import generator

    _check_asked(metric, questions)
    counts = _matched(first, second)
    found = differences(*counts, generator=generator(job.seed, "paired bootstrap"), draws=draws, level=level)
    if found["aer"].mean != found["aer"].mean:
        raise DataError("There are neither gold links nor others.", hint="Evaluate links that are there.")
    result = {
        "task": "compare",
        "questions": "all",
        "count": len(counts[0]),
        **_values(counts, found, "aer"),
        "draws": draws,
        "level": level,
        "seed": job.seed,
    }
    others = [{**result, **_values(counts, found, name)} for name in _NAMES if name != "aer"]
    difference = {"difference": result["difference"], "shown": result["shown"]}
    return Outcome(difference, [result, *others], [_table([result, *others], str(first), str(second))])


def _check_asked(metric: str, questions: str) -> None:
    if metric != "precision_at_1":
        raise ConfigError(f"--metric {metric} means nothing for word alignment.", hint="Leave it out: it is the AER.")
    if questions != "covered":
        raise ConfigError("--questions means nothing for word alignment.", hint="Leave it out: all lines count.")


def _matched(first: Path, second: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read the counts of both, which must be of the same gold links. Shape [n, 5] each."""
    import numpy as np

    left, right = (np.array(read_link_counts(each), dtype=np.int64) for each in (first, second))
    shared = min(len(left), len(right))
    differing = np.flatnonzero((left[:shared, 1:3] != right[:shared, 1:3]).any(axis=1))
    if len(left) != len(right) or len(differing):
        line = int(differing[0]) + 1 if len(differing) else shared + 1
        raise DataError(
            f"The evaluations have different gold links (from line {line:,} on; {len(left):,} and {len(right):,} "
            "sentence pairs).",
            hint="Evaluate both with the same --gold.",
        )
    return left, right


def _values(counts: tuple[np.ndarray, np.ndarray], found: dict[str, Difference], name: str) -> dict[str, Any]:
    """Give one score of both and its difference, None for what has no value."""
    from lexenc.evaluation.alignment import scores_of

    first, second = (float(scores_of(each.sum(axis=0))[name]) for each in counts)
    own = found[name]
    values = {
        "first": first,
        "second": second,
        "difference": own.mean,
        "difference_low": own.low,
        "difference_high": own.high,
        "p_value": own.p_value,
    }
    known = {key: None if value != value else value for key, value in values.items()}
    return {"metric": name, **known, "shown": own.shown}


def _table(results: list[dict[str, Any]], first: str, second: str) -> Table:
    head = results[0]
    level = f"{100 * head['level']:g} % interval"
    columns = ["score", "first", "second", "difference", level, "p value", "shown"]
    note = (
        f"First: {first}; second: {second}. {counted(head['count'], 'sentence pair')}, paired bootstrap, "
        f"{head['draws']:,} draws, seed {head['seed']}. A lower AER is better; shown: the interval leaves out zero."
    )
    return Table("Word alignment (x 100)", columns, [_row(each) for each in results], note)


def _row(one: dict[str, Any]) -> list[str]:
    if one["difference"] is None or one["p_value"] is None:
        return [_NAMES[one["metric"]], *["-"] * 5, "no"]
    return [
        _NAMES[one["metric"]],
        f"{100 * one['first']:.2f}",
        f"{100 * one['second']:.2f}",
        f"{100 * one['difference']:+.2f}",
        f"{100 * one['difference_low']:+.2f} to {100 * one['difference_high']:+.2f}",
        f"{one['p_value']:.4f}",
        "yes" if one["shown"] else "no",
    ]
