"""compare: two evaluations of the same questions -> paired bootstrap of their difference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from lexenc.errors import DataError
from lexenc.files.text import counted
from lexenc.parameters import param
from lexenc.stage import Input, Job, Outcome, Stage, Table

if TYPE_CHECKING:
    import numpy as np

    from lexenc.files.predictions import Prediction


@dataclass(frozen=True)
class CompareParams:
    """Parameters of `compare`."""

    metric: Literal["precision_at_1", "precision_at_5", "precision_at_10", "reciprocal_rank", "average_precision"] = (
        param("precision_at_1", "What is compared, question by question.")
    )
    questions: Literal["covered", "all"] = param(
        "covered", "covered: those with vectors on both sides in both evaluations; all: what has none is wrong."
    )
    draws: int = param(10_000, "Bootstrap resamplings.", ge=100)
    level: float = param(0.95, "Share of draws inside the interval.", gt=0, le=0.999)


def compare(inputs: dict[str, Any], params: CompareParams, job: Job) -> Outcome:
    """Compare two evaluations."""
    from lexenc.evaluation.bootstrap import paired_difference
    from lexenc.files.predictions import read_predictions
    from lexenc.randomness import generator

    first, second = read_predictions(inputs["first"]), read_predictions(inputs["second"])
    pairs = _matched(first, second, params.questions)
    left, right = (_values([pair[side] for pair in pairs], params.metric) for side in (0, 1))
    found = paired_difference(
        left, right, generator=generator(job.seed, "paired bootstrap"), draws=params.draws, level=params.level
    )
    result = {
        "task": "compare",
        "metric": params.metric,
        "questions": params.questions,
        "count": len(pairs),
        "first": float(left.mean()),
        "second": float(right.mean()),
        "difference": found.mean,
        "difference_low": found.low,
        "difference_high": found.high,
        "p_value": found.p_value,
        "shown": found.shown,
        "draws": params.draws,
        "level": params.level,
        "seed": job.seed,
    }
    return Outcome({"difference": found.mean, "shown": found.shown}, [result], [_table(result, inputs)])


def _matched(
    first: Sequence[Prediction], second: Sequence[Prediction], questions: str
) -> list[tuple[Prediction, Prediction]]:
    """Pair the answers to the same questions.

    Raises:
        DataError: If the two evaluations asked different questions, or none that counts is left.
    """
    known = {row.source: row for row in second}
    sources = {row.source for row in first}
    if sources != set(known):
        only = len(sources ^ set(known))
        words = f"{counted(only, 'source word')} {'is' if only == 1 else 'are'} in one of them only"
        raise DataError(
            f"The evaluations asked different questions ({words}).",
            hint="Evaluate both with the same test dictionary, --direction and --lowercase.",
        )
    for row in first:
        if set(row.gold) != set(known[row.source].gold):
            raise DataError(f"The gold translations of '{row.source}' differ.", hint="Use the same test dictionary.")
    pairs = [(row, known[row.source]) for row in first]
    kept = pairs if questions == "all" else [pair for pair in pairs if pair[0].covered and pair[1].covered]
    if not kept:
        raise DataError("No question is covered by both evaluations.", hint="Use --questions all.")
    return kept


def _values(rows: Sequence[Prediction], metric: str) -> np.ndarray:
    import numpy as np

    from lexenc.evaluation.ranking import average_precisions, best_of, hits_at, reciprocal_ranks

    ranks = [np.array(row.ranks if row.covered else [], dtype=np.int64) for row in rows]
    if metric == "average_precision":
        return average_precisions(ranks, [len(row.gold) for row in rows])
    best = best_of(ranks)
    return reciprocal_ranks(best) if metric == "reciprocal_rank" else hits_at(best, int(metric.rsplit("_", 1)[1]))


def _table(result: dict[str, Any], inputs: dict[str, Any]) -> Table:
    answer = "yes" if result["shown"] else "no: the interval covers zero"
    rows = [
        [f"first: {inputs['first']}", f"{100 * result['first']:.2f}"],
        [f"second: {inputs['second']}", f"{100 * result['second']:.2f}"],
        ["difference", f"{100 * result['difference']:+.2f}"],
        [
            f"{100 * result['level']:.0f} % interval",
            f"{100 * result['difference_low']:+.2f} to {100 * result['difference_high']:+.2f}",
        ],
        ["p value (two-sided)", f"{result['p_value']:.4f}"],
        ["difference shown", answer],
    ]
    note = (
        f"{counted(result['count'], 'question')} ({result['questions']}), paired bootstrap, {result['draws']:,} draws."
    )
    return Table(f"{result['metric'].replace('_', ' ')} (x100)", ["what", "value"], rows, note)


COMPARE = Stage(
    name="compare",
    version=1,
    summary="Compare two evaluations of the same questions by paired bootstrap.",
    inputs={
        "first": Input(
            "Predictions: a folder that eval bli --out wrote, or a file of it (one lambda of a sweep).", positional=True
        ),
        "second": Input("The other system's.", positional=True),
    },
    params=CompareParams,
    run=compare,
    examples=(("lexenc compare runs/scores-tuned runs/scores-untuned", ""),),
    uses_seed=True,
    out_required=False,
)
