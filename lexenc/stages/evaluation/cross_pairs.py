"""cross-pairs: similarity pairs in two languages -> cross-lingual similarity pairs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from lexenc.errors import ConfigError
from lexenc.evaluation.similarity_pairs import cross, known_scale
from lexenc.files.multi_simlex import read_scored_pairs
from lexenc.files.similarity import PAIRS
from lexenc.files.text import write_table
from lexenc.parameters import param
from lexenc.stage import Input, Job, Outcome, Stage, Table
from lexenc.text.folding import check_language

_COLUMN = "Code of the language to read from a --{side} file of many languages, such as Multi-SimLex."


@dataclass(frozen=True)
class CrossPairsParams:
    """Parameters of `cross-pairs`."""

    max_difference: float = param(
        0.2, "Drop rows whose two scores differ by more than this share of the scale (Multi-SimLex: 0.2).", ge=0, le=1
    )
    highest_score: float | None = param(
        None, "Upper end of the scale, which starts at 0. If left out, 6 for Multi-SimLex and 10 for other files.", gt=0
    )
    repeated: Literal["keep", "drop"] = param(
        "keep", "Repeated pairs, which synonyms make: keep all, or drop all but the first."
    )
    source_language: str | None = param(None, _COLUMN.format(side="source"), check=check_language)
    target_language: str | None = param(None, _COLUMN.format(side="target"), check=check_language)


def run_cross_pairs(inputs: dict[str, Any], params: CrossPairsParams, job: Job) -> Outcome:
    """Cross the pairs of two languages and write them."""
    target = inputs.get("target") or inputs["source"]
    first = read_scored_pairs(inputs["source"], params.source_language)
    second = read_scored_pairs(target, params.target_language)
    scale = known_scale(first, second, inputs["source"], params.highest_score)
    highest = max(*first.scores, *second.scores)
    if params.highest_score is None and None in (first.scale, second.scale) and 2 * highest <= scale[1]:
        # One fifth of a scale that is too wide would be too much.
        job.notices.warn(
            f"The scale is taken to be {scale[0]:g} to {scale[1]:g}, but no score is above {highest:g}.",
            "Give its upper end: --highest-score.",
        )
    found = cross(
        first,
        second,
        scale=scale,
        max_difference=params.max_difference,
        drop_repeated=params.repeated == "drop",
        names=(str(inputs["source"]), str(target)),
    )
    rows = [
        [left, right, repr(score), key]
        for (left, right), score, key in zip(found.pairs, found.scores, found.keys, strict=True)
    ]
    write_table(job.out / PAIRS, ["word 1", "word 2", "score", "row"], rows)
    result = {
        "task": "cross-pairs",
        "pairs": len(found.pairs),
        "rows": found.rows,
        "rows_rejected": found.rejected,
        "repeated_pairs": found.repeated,
        "repeated": params.repeated,
        "identical_words": sum(left == right for left, right in found.pairs),
        "max_difference": params.max_difference * (scale[1] - scale[0]),
        "scale": list(scale),
        "source_format": first.form,
        "target_format": second.form,
    }
    summary = {key: result[key] for key in ("pairs", "rows", "rows_rejected")}
    return Outcome(summary, [result], [_table(result)])


def _table(result: dict[str, Any]) -> Table:
    rows = [
        ["cross-lingual pairs", f"{result['pairs']:,}"],
        ["rows of both sets", f"{result['rows']:,}"],
        ["rows dropped: scores too far apart", f"{result['rows_rejected']:,}"],
        [f"repeated pairs ({'kept' if result['repeated'] == 'keep' else 'dropped'})",
         f"{result['repeated_pairs']:,}"],
        ["pairs of identical words (kept)", f"{result['identical_words']:,}"],
    ]  # fmt: skip
    low, high = result["scale"]
    note = (
        "Each row makes two pairs, the left word of one language with the right word of the other, with the mean of "
        f"both scores. Rows are kept if their scores differ by at most {result['max_difference']:g} on the scale from "
        f"{low:g} to {high:g}."
    )
    return Table("Cross-lingual pairs", ["what", "count"], rows, note)


def check_cross_pairs(inputs: Mapping[str, Any], params: CrossPairsParams) -> list[ConfigError]:
    """Return the errors that involve more than one option."""
    if inputs.get("target") or (params.source_language and params.target_language):
        return []
    hint = "Or, with one file of many languages, --source-language and --target-language."
    return [ConfigError("cross-pairs needs --target.", hint=hint)]


CROSS_PAIRS = Stage(
    name="cross-pairs",
    version=1,
    inputs={
        "source": Input("Similarity pairs of the first language, or a file of many languages."),
        "target": Input(
            "The same pairs in the second language, row by row. Not needed for a file of many languages.",
            required=False,
        ),
    },
    params=CrossPairsParams,
    run=run_cross_pairs,
    makes="pairs.tsv: word, word of the other language, mean score, row; for eval xlsim.",
    examples=(
        "lexenc cross-pairs --source simlex-english.txt --target simlex-german.txt --out runs/pairs\n"
        "cross-pairs: pairs 1,460, rows 999, rows rejected 269 -> runs/pairs",
        "lexenc cross-pairs --source multi-simlex.tsv --source-language en --target-language fi --out runs/pairs",
    ),
    next_step="lexenc eval xlsim --pairs {out} --encoder mini",
    check=check_cross_pairs,
)
