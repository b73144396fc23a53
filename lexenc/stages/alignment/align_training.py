"""What both commands of align-train share: sentence pairs with links, the run that can be continued, the numbers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal

from lexenc.artifact import UNFINISHED
from lexenc.errors import ConfigError, DataError
from lexenc.files.alignments import Alignment, read_alignments, sentences_file
from lexenc.files.parallel import SentencePair, parallel_text
from lexenc.files.text import counted
from lexenc.parameters import param
from lexenc.stage import Input, Job
from lexenc.stages.step_log import step_log

if TYPE_CHECKING:
    from lexenc.alignment.tuning import Lessons, Tuning
    from lexenc.text.links import LinkedText, Links, Pieces

HISTORY = "training.jsonl"
_PART = 4096

Words = list[str]
Link = tuple[int, int, float]
Row = tuple[Words, Words, list[Link]]

PAIRS = Input(
    "Sentence pairs, words parted by spaces: 'source ||| target' or source, TAB, target. Not needed where --alignments "
    "is a result of align, which has the words it linked.",
    required=False,
)
VALIDATION = Input("Links held out, a file or a result of align: loss and error rate before and after.", required=False)
VALIDATION_PAIRS = Input("Sentence pairs of --validation, as --pairs.", required=False)


@dataclass(frozen=True)
class TuningParams:
    """How long and how fast to tune."""

    epochs: int = param(1, "Passes over the sentence pairs.", ge=1)
    batch_size: int = param(32, "Lessons per step.", ge=1)
    learning_rate: float = param(3e-5, "Peak, after the warm-up.", gt=0)
    weight_decay: float = param(0.01, "Of AdamW; none on biases and normalisation.", ge=0)
    schedule: Literal["linear", "constant"] = param(
        "linear", "Learning rate after the warm-up. linear: falls to 0; constant: stays."
    )
    warmup: float = param(0.1, "Share of the steps in which the learning rate rises to its peak.", ge=0, le=1)
    clip: float = param(1.0, "Largest norm of the gradient; 0 does not clip.", ge=0)
    one_based: bool = param(False, "The links of --alignments count words from 1.")
    gold_one_based: bool = param(False, "The links of --validation count words from 1.")
    chunk_tokens: int = param(
        16_384, "Subwords in one pass; a step with more goes through in chunks, equal but for dropout.", ge=1
    )
    checkpoint_seconds: float = param(60.0, "Time between checkpoints.", ge=0, affects_result=False)


# ---------------------------------------------------------------- sentence pairs with links


def check_inputs(inputs: Mapping[str, Any], *, needs_links: bool) -> list[ConfigError]:
    """Give the faults of inputs that only several together show.

    Args:
        inputs: As they were given.
        needs_links: Whether nothing can be learnt without links.
    """
    faults = []
    for pairs, links in (("pairs", "alignments"), ("validation_pairs", "validation")):
        first, second = (f"--{name.replace('_', '-')}" for name in (pairs, links))
        if inputs.get(links) and not inputs.get(pairs) and Path(inputs[links]).is_file():
            faults.append(
                ConfigError(f"{second} is a file of links without words.", hint=f"Give the sentence pairs as {first}.")
            )
    if not inputs.get("alignments") and (needs_links or not inputs.get("pairs")):
        missing = "--alignments" if needs_links else "--pairs or --alignments"
        faults.append(
            ConfigError(f"There is nothing to learn from without {missing}.", hint="Make links: lexenc align")
        )
    if inputs.get("validation_pairs") and not inputs.get("validation"):
        faults.append(ConfigError("--validation-pairs needs --validation.", hint="Give the links held out."))
    return faults


def read_rows(pairs: Path | None, alignments: Path | None, *, one_based: bool) -> Iterator[Row]:
    """Give the words of sentence pairs and their links, one pair after the other.

    Args:
        pairs: Sentence pairs; not looked at where the links come with their words.
        alignments: A file of links, or a result of align; None for sentence pairs without links.
        one_based: Whether the links count words from 1.

    Returns:
        Words of a sentence, words of its translation, links. A link of a file without scores has 1, one that a gold
        file calls possible 0.

    Raises:
        DataError: If pairs and links are not as many, or a link points behind the end of a sentence.
    """
    from lexenc.text.words import Spaces

    own = sentences_file(alignments) if alignments is not None else None
    place = own or pairs
    if place is None:
        raise DataError(f"{alignments} has no sentence pairs.", hint="Give them as --pairs.")
    links = read_alignments(alignments, one_based=one_based) if alignments is not None else None
    if own is not None and pairs is not None:
        _check_same(pairs, own)
    segment = Spaces().segment
    for pair, alignment in _in_step(parallel_text(place), links, f"{place} and {alignments}"):
        source, target = segment(pair.source), segment(pair.target)
        found = _scored(alignment)
        _check_range(found, source, target, f"{alignments}, line {pair.line}", one_based)
        yield source, target, found


def _check_same(pairs: Path, own: Path) -> None:
    """Refuse sentence pairs that are not those that were aligned; their letters and digits are compared."""
    for number, (given, aligned) in enumerate(zip_longest(parallel_text(pairs), parallel_text(own)), start=1):
        if given is None or aligned is None:
            more = pairs if aligned is None else own
            raise DataError(f"{more} has more lines than the other: {pairs} and {own}.", hint="Leave --pairs out.")
        if any(_letters(one) != _letters(other) for one, other in zip(given[1:], aligned[1:], strict=True)):
            raise DataError(
                f"{pairs}, line {given.line}: not the sentence pair {number:,} that was aligned ({own}).",
                hint="Leave --pairs out: the result of align has its words.",
            )


def _letters(sentence: str) -> str:
    return "".join(filter(str.isalnum, sentence))


def _in_step(
    pairs: Iterable[SentencePair], links: Iterable[Alignment] | None, names: str
) -> Iterator[tuple[SentencePair, Alignment | None]]:
    """Read sentence pairs and their links side by side."""
    if links is None:
        yield from ((pair, None) for pair in pairs)
        return
    number = 0
    for pair, alignment in zip_longest(pairs, links):
        number += 1
        if pair is None or alignment is None:
            missing = "sentence pair" if pair is None else "line of links"
            raise DataError(f"{names}: line {number:,} has no {missing}.", hint="Both need the same lines.")
        yield pair, alignment


def _scored(alignment: Alignment | None) -> list[Link]:
    if alignment is None:
        return []
    scores = alignment.scores or [1.0] * len(alignment.sure)
    table = dict.fromkeys(alignment.possible, 0.0) | dict(zip(alignment.sure, scores, strict=True))
    return [(source, target, score) for (source, target), score in table.items()]


def _check_range(links: list[Link], source: Words, target: Words, place: str, one_based: bool) -> None:
    for i, j, _ in links:
        if i >= len(source) or j >= len(target):
            shown = f"{i + one_based}-{j + one_based}"
            hint = "Are these the words that were linked?"
            hint += "" if one_based else " If links count from 1: --one-based, or --gold-one-based for --validation."
            raise DataError(
                f"{place}: link {shown}, but there are {counted(len(source), 'word')} and {len(target):,}.", hint=hint
            )


def read_linked(
    pairs: Path | None, alignments: Path | None, cut: Callable[[Sequence[Words]], Pieces], *, one_based: bool, job: Job
) -> LinkedText:
    """Read sentence pairs with links and keep them as numbers, part by part.

    Args:
        pairs: As in `read_rows`.
        alignments: As in `read_rows`.
        cut: Cuts words into subwords.
        one_based: As in `read_rows`.
        job: Whom to show how far it is.

    Raises:
        DataError: As `read_rows`, and if there is no sentence pair.
    """
    from lexenc.text.links import LinkedText, Links, Pieces

    rows = read_rows(pairs, alignments, one_based=one_based)
    sides: tuple[list[Pieces], list[Pieces]] = ([], [])
    links: list[Links] = []
    with job.progress.task("read", None, "sentence pairs") as task:
        while part := list(islice(rows, _PART)):
            for number, side in enumerate(sides):
                side.append(cut([_words(row, number) for row in part]))
            links.append(Links.of([row[2] for row in part]))
            task.advance(len(part))
    if not links:
        raise DataError(f"{alignments or pairs}: there is no sentence pair in it.", hint="Check the files.")
    return LinkedText(Pieces.joined(sides[0]), Pieces.joined(sides[1]), Links.joined(links))


def _words(row: Row, side: int) -> Words:
    return row[1] if side else row[0]


def tell_left_out(counts: Mapping[str, int], limit: int, job: Job) -> None:
    """Warn once of sentence pairs of which nothing is learnt.

    Args:
        counts: `too_long` and `empty`.
        limit: Subwords that the encoder takes.
        job: Where remarks go.
    """
    if counts["too_long"]:
        job.notices.warn(
            f"{counted(counts['too_long'], 'sentence pair')} longer than the {limit:,} subwords the encoder takes: "
            "left out.",
            "Split long sentences, or use an encoder that takes more.",
        )
    if counts["empty"]:
        job.notices.warn(f"{counted(counts['empty'], 'sentence pair')} with an empty side: left out.", None)


# ---------------------------------------------------------------- the run


def start_tuning(lessons: Lessons, params: TuningParams, job: Job) -> Tuning:
    """Set up a run.

    Raises:
        DataError: If there is nothing to learn.
    """
    from lexenc.alignment.tuning import Schedule, Tuning

    schedule = Schedule(
        epochs=params.epochs,
        batch_size=params.batch_size,
        learning_rate=params.learning_rate,
        weight_decay=params.weight_decay,
        warmup=params.warmup,
        shape=params.schedule,
        clip=params.clip,
        chunk_tokens=params.chunk_tokens,
        checkpoint_seconds=params.checkpoint_seconds,
    )
    tuning = Tuning(lessons, schedule=schedule, seed=job.seed)
    if not tuning.total:
        raise DataError("There is nothing to learn: no sentence pair can be used.", hint="Check pairs and links.")
    return tuning


def run_to_end(tuning: Tuning, job: Job, *, name: str) -> dict[str, Any]:
    """Run to the end, continuing what was begun, and give the numbers of it.

    Args:
        tuning: The run.
        job: Its place.
        name: Of the command, for messages.
    """
    from lexenc.alignment.tuning import run_tuning

    unfinished, history = job.out / UNFINISHED, job.out / HISTORY
    unfinished.mkdir(exist_ok=True)
    job.notices.say(
        f"{counted(tuning.total, 'step')}, learning rate {tuning.schedule.learning_rate:g} after {tuning.warmup} "
        "warm-up steps."
    )
    with step_log(history, unfinished, job, name) as record:
        run_tuning(tuning, folder=unfinished, record=record, progress=job.progress)
    steps = [json.loads(line) for line in history.read_text(encoding="utf-8").splitlines()]
    return {
        "steps": tuning.total,
        "warmup_steps": tuning.warmup,
        # One batch is easier than another; means over many can be compared.
        "first_loss": _mean_of(steps[: max(1, len(steps) // 10)]),
        "last_loss": _mean_of(steps[-max(1, len(steps) // 10) :]),
    }


def remove_unfinished(job: Job) -> None:
    """Remove what a continued run would have needed, when the result is written."""
    from lexenc.training.checkpoints import remove_checkpoints

    remove_checkpoints(job.out / UNFINISHED)
    (job.out / UNFINISHED).rmdir()


def _mean_of(steps: Sequence[Mapping[str, Any]]) -> float:
    return fmean(step["loss"] for step in steps)


# ---------------------------------------------------------------- held-out links


def error_rate(
    inputs: Mapping[str, Any],
    align: Callable[[Sequence[tuple[Words, Words]]], Links],
    *,
    one_based: bool,
) -> float:
    """Give the alignment error rate on the links held out.

    Args:
        inputs: Of the stage: `validation`, and `validation_pairs` where the links come without words.
        align: Gives the links of sentence pairs.
        one_based: Whether the links held out count words from 1.

    Raises:
        DataError: If there are no links at all.
    """
    import numpy as np

    from lexenc.evaluation.alignment import counts_of, judge, scores_of

    rows = read_rows(inputs.get("validation_pairs"), inputs["validation"], one_based=one_based)
    counts = []
    while part := list(islice(rows, _PART)):
        found = align([(source, target) for source, target, _ in part]).sentences()
        gold = [links for _, _, links in part]
        sure = [[link for link in links if link[2] > 0] for links in gold]
        counts.append(counts_of(judge(_flat(found), _flat(sure), _flat(gold), len(part))).sum(axis=0))
    if not np.any(counts):
        raise DataError(f"{inputs['validation']} holds no links.", hint="Give links that are known to be right.")
    return float(scores_of(np.sum(counts, axis=0))["aer"])


def _flat(sentences: Iterable[Sequence[Link]]) -> Any:
    """List links with the sentence pair they are of. Shape [p, 3]."""
    import numpy as np

    rows = [(number, i, j) for number, links in enumerate(sentences) for i, j, _ in links]
    return np.array(rows, dtype=np.int64).reshape(-1, 3)
