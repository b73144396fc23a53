"""cross-pairs: similarity pairs in two languages -> cross-lingual similarity pairs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from lexenc.errors import ConfigError
from lexenc.files.text import check_language
from lexenc.parameters import param
from lexenc.stage import Input, Job, Outcome, Stage, Table
from lexenc.stages.evaluation.similarity_sets import cross, known_scale

if TYPE_CHECKING:
    from lexenc.files.similarity import ScoredPairs
    from lexenc.lexical.similarity_pairs import CrossPairs

_COLUMN = "Code of the language to take from a --{side} file that holds many, such as Multi-SimLex."


@dataclass(frozen=True)
class CrossPairsParams:
    """Parameters of `cross-pairs`."""

    max_difference: float = param(
        0.2,
        "Rows are kept where both scores differ by at most this share of the scale (Multi-SimLex: 0.2).",
        ge=0,
        le=1,
    )
    highest_score: float | None = param(
        None, "Upper end of the scale; its lower end is 0. If left out 6 for Multi-SimLex, else 10.", gt=0
    )
    repeated: Literal["keep", "drop"] = param(
        "keep", "Pairs that came before, which synonyms make: keep all, or drop all but the first."
    )
    source_language: str | None = param(None, _COLUMN.format(side="source"), check=check_language)
    target_language: str | None = param(None, _COLUMN.format(side="target"), check=check_language)


def run_cross_pairs(inputs: dict[str, Any], params: CrossPairsParams, job: Job) -> Outcome:
    """Cross the pairs of two languages and write them."""
    from lexenc.files.multi_simlex import read_scored_pairs

    target = inputs.get("target") or inputs["source"]
    first = read_scored_pairs(inputs["source"], params.source_language)
    second = read_scored_pairs(target, params.target_language)
    scale = known_scale(first, second, inputs["source"], params.highest_score)
    _check_scale((first, second), scale, params, job)
    found, keys = cross(
        first,
        second,
        scale=scale,
        max_difference=params.max_difference,
        drop_repeated=params.repeated == "drop",
        names=(str(inputs["source"]), str(target)),
    )
    _write(found, keys, job)
    result = {
        "task": "cross-pairs",
        "pairs": len(found.pairs),
        "rows": len(keys),
        "rows_rejected": found.rejected,
        "repeated_pairs": found.repeated,
        "repeated": params.repeated,
        "identical_words": found.identical,
        "max_difference": params.max_difference * (scale[1] - scale[0]),
        "scale": list(scale),
        "source_format": first.form,
        "target_format": second.form,
    }
    summary = {key: result[key] for key in ("pairs", "rows", "rows_rejected")}
    return Outcome(summary, [result], [_table(result)])


def _check_scale(
    both: tuple[ScoredPairs, ScoredPairs], scale: tuple[float, float], params: CrossPairsParams, job: Job
) -> None:
    """Warn where a scale that nobody gave looks too wide: one fifth of it would be too much."""
    highest = max(max(each.scores) for each in both)
    if params.highest_score is None and None in (both[0].scale, both[1].scale) and 2 * highest <= scale[1]:
        job.notices.warn(
            f"The scale is taken to be {scale[0]:g} to {scale[1]:g}, but no score is above {highest:g}.",
            "Say how far it goes: --highest-score.",
        )


def _write(found: CrossPairs, keys: list[str], job: Job) -> None:
    from lexenc.files.similarity import PAIRS
    from lexenc.files.text import write_table

    rows = [
        [left, right, repr(score), keys[row]]
        for (left, right), score, row in zip(found.pairs, found.scores, found.rows, strict=True)
    ]
    write_table(job.out / PAIRS, ["word 1", "word 2", "score", "row"], rows)


def _table(result: dict[str, Any]) -> Table:
    rows = [
        ["cross-lingual pairs", f"{result['pairs']:,}"],
        ["rows of both sets", f"{result['rows']:,}"],
        ["rows left out: scores too far apart", f"{result['rows_rejected']:,}"],
        [f"pairs that came before ({'kept' if result['repeated'] == 'keep' else 'dropped'})",
         f"{result['repeated_pairs']:,}"],
        ["pairs of identical words (kept)", f"{result['identical_words']:,}"],
    ]  # fmt: skip
    low, high = result["scale"]
    note = (
        "Of each row both words change sides, which makes two pairs with the mean of both scores. Rows are kept where "
        f"the scores differ by at most {result['max_difference']:g} on the scale from {low:g} to {high:g}."
    )
    return Table("Cross-lingual pairs", ["what", "count"], rows, note)


def check_cross_pairs(inputs: Mapping[str, Any], params: CrossPairsParams) -> list[ConfigError]:
    """Give the faults that only several values together show."""
    if inputs.get("target") or (params.source_language and params.target_language):
        return []
    hint = "Or, with one file of many languages, --source-language and --target-language."
    return [ConfigError("cross-pairs needs --target.", hint=hint)]


CROSS_PAIRS = Stage(
    name="cross-pairs",
    version=1,
    inputs={
        "source": Input("Similarity pairs of the first language, or a file that holds many languages."),
        "target": Input("The same pairs, row by row, in the second; not needed with many in one file.", required=False),
    },
    params=CrossPairsParams,
    run=run_cross_pairs,
    makes="pairs.tsv: word, word of the other language, mean score, row; for eval xlsim.",
    examples=(
        (
            "lexenc cross-pairs --source simlex-english.txt --target simlex-german.txt --out runs/pairs",
            "cross-pairs: pairs 1,460, rows 999, rows rejected 269 -> runs/pairs",
        ),
        ("lexenc cross-pairs --source multi-simlex.tsv --source-language en --target-language fi --out runs/pairs", ""),
    ),
    next_step="lexenc eval xlsim --pairs {out} --encoder mini",
    check=check_cross_pairs,
)
