"""read-review: a table that people went through -> a dictionary of what they accepted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lexenc.errors import DataError
from lexenc.files.text import counted
from lexenc.stage import Input, Job, Outcome, Stage


@dataclass(frozen=True)
class ReadReviewParams:
    """Parameters of `read-review`: none."""


def read_review_stage(inputs: dict[str, Any], params: ReadReviewParams, job: Job) -> Outcome:
    """Turn decisions into a dictionary."""
    from lexenc.files.dictionaries import write_pairs
    from lexenc.files.lexicons import read_review

    review = read_review(inputs["review"])
    if not review.accepted and not review.rejected:
        raise DataError(
            f"{inputs['review']}: no line has a decision ({counted(review.undecided, 'line')}).",
            hint="Write ok, wrong or other into the column 'decision'.",
        )
    write_pairs(job.out / "reviewed.tsv", review.accepted)
    write_pairs(job.out / "rejected.tsv", review.rejected)
    if review.undecided:
        job.notices.warn(
            f"{inputs['review']}: {counted(review.undecided, 'line')} without a decision left out.",
            "Write ok, wrong or other into the column 'decision'.",
        )
    if review.corrected_lines:
        lines = counted(review.corrected_lines, "line")
        job.notices.say(f"{lines} with a correction, split at semicolons: {counted(review.corrected, 'new pair')}.")
    # Pairs: accepted are those confirmed and those corrected. Lines: all, and those without a decision.
    summary = {
        "accepted": len(review.accepted),
        "confirmed": len(review.accepted) - review.corrected,
        "corrected": review.corrected,
        "rejected": len(review.rejected),
        "lines": review.lines,
        "undecided": review.undecided,
    }
    return Outcome(summary, [{"task": "read-review", **summary}])


READ_REVIEW = Stage(
    name="read-review",
    version=2,
    inputs={
        "review": Input(
            "Table with the columns source, target, decision (ok, wrong, other) and correction (several "
            "with semicolons between them: der; die; das); commas, semicolons or TABs between columns, as a "
            "spreadsheet saves it.",
            positional=True,
        )
    },
    params=ReadReviewParams,
    run=read_review_stage,
    makes="reviewed.tsv (accepted pairs) and rejected.tsv (pairs that were found wrong).",
    examples=(("lexenc read-review review.csv --out reviewed.tsv", ""),),
    out_required=False,
    files={".tsv": "reviewed.tsv"},
)
