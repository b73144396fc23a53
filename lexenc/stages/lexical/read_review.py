"""read-review: a reviewed table of induce -> a dictionary of the accepted pairs; one of senses -> the senses left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lexenc.errors import ConfigError, DataError
from lexenc.files.dictionaries import write_pairs
from lexenc.files.lexicons import read_review
from lexenc.files.sense_reviews import is_sense_review
from lexenc.files.text import counted
from lexenc.stage import Input, Job, Outcome, Stage
from lexenc.stages.senses.review import review_senses


@dataclass(frozen=True)
class ReadReviewParams:
    """Parameters of `read-review`: none."""


def read_review_stage(inputs: dict[str, Any], params: ReadReviewParams, job: Job) -> Outcome:
    """Write the accepted and the rejected pairs."""
    del params
    if is_sense_review(inputs["review"]):
        return review_senses(inputs, job)
    if inputs.get("senses") is not None:
        raise ConfigError(f"{inputs['review']} is no review of senses.", hint="Leave --senses out.")
    review = read_review(inputs["review"])
    hint = "Write ok, wrong or other into the column 'decision'."
    if not review.accepted and not review.rejected:
        lines = counted(review.undecided, "line")
        raise DataError(f"{inputs['review']}: no line has a decision ({lines}).", hint=hint)
    write_pairs(job.out / "reviewed.tsv", review.accepted)
    write_pairs(job.out / "rejected.tsv", review.rejected)
    if review.undecided:
        lines = counted(review.undecided, "line")
        job.notices.warn(f"{inputs['review']}: {lines} without a decision left out.", hint)
    if review.corrected_lines:
        lines = counted(review.corrected_lines, "line")
        job.notices.say(f"{lines} with a correction, split at semicolons: {counted(review.corrected, 'new pair')}.")
    # Accepted pairs are those confirmed and those corrected. Undecided lines are counted among all lines.
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
    version=3,
    inputs={
        "review": Input(
            "Table with the columns source, target, decision (ok, wrong, other) and correction (several separated by "
            "semicolons: der; die; das). Or, of senses: sense, name, and decision (keep, drop, or the sense to merge "
            "with). Columns are separated by commas, semicolons or TABs, as spreadsheets do.",
            positional=True,
        ),
        "senses": Input("For a review of senses: the result of lexenc senses that it belongs to.", required=False),
    },
    params=ReadReviewParams,
    run=read_review_stage,
    makes="reviewed.tsv (accepted pairs) and rejected.tsv (rejected pairs). From a review of senses: the senses that "
    "are left, in the files of lexenc senses.",
    examples=(
        "lexenc read-review review.csv --out reviewed.tsv",
        "lexenc read-review senses.csv --senses runs/senses --out runs/reviewed",
    ),
    out_required=False,
    files={".tsv": "reviewed.tsv"},
)
