"""align-train: sentence pairs, links + encoder -> a model that aligns words better."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lexenc.device import CPU
from lexenc.encoders.card import write_card
from lexenc.encoders.load import check_transformer
from lexenc.errors import ConfigError, DataError
from lexenc.evaluation.alignment import counts_of, judge, scores_of
from lexenc.files.alignments import Alignment, read_alignments, result_of, sentences_file
from lexenc.files.parallel import SentencePair, parallel_text
from lexenc.files.text import counted
from lexenc.parameters import param
from lexenc.stage import Input, Job, Outcome, Stage
from lexenc.stages.alignment.shared import cutters
from lexenc.stages.reading import open_encoder, result_name, tell_remarks
from lexenc.stages.training import mean_loss_of, train_in_folder
from lexenc.text.links import LinkedText, Links, Pieces
from lexenc.text.words import split_at_spaces
from lexenc.training import HISTORY
from lexenc.training.schedule import Schedule

if TYPE_CHECKING:
    from lexenc.training.objective import Objective

_PART = 4096
_MAKE_ONE = "Make one: lexenc new-encoder --kind transformer"

Words = list[str]
Link = tuple[int, int, float]
Row = tuple[Words, Words, list[Link]]
Numbers = dict[str, float]


@dataclass(frozen=True)
class AlignTrainParams(Schedule):
    """Parameters of every `align-train` command."""

    epochs: int = param(1, "Passes over the sentence pairs.", ge=1)
    one_based: bool = param(False, "The links of --alignments count words from 1.")
    gold_one_based: bool = param(False, "The links of --validation count words from 1.")


# ---------------------------------------------------------------- span


@dataclass(frozen=True)
class SpanTrainParams(AlignTrainParams):
    """Parameters of `align-train span`."""

    batch_size: int = param(32, "Words asked about per step.", ge=1)
    learning_rate: float = param(3e-5, "Peak learning rate. Small encoders learn little below 1e-4.", gt=0)
    min_score: float = param(
        0.0, "Links with a lower score are not learned, nor are words that have no other links.", ge=0, le=1
    )
    words_per_sentence: int | None = param(
        None, "Number of words asked about per sentence, drawn anew for each epoch. By default all words.", ge=1
    )
    threshold: float = param(0.4, "Minimum score of a link in the error rate.", ge=0, le=1)


def align_train_span(inputs: dict[str, Any], params: SpanTrainParams, job: Job) -> Outcome:
    """Train an encoder to answer what a word is translated by, and write it for `align --method span`."""
    from lexenc.alignment.span_model import SpanModel
    from lexenc.alignment.span_objective import SpanObjective
    from lexenc.alignment.spans import SpanAligner
    from lexenc.training.trainer import mean_loss, own_randomness

    check_transformer(inputs["encoder"], "align-train", hint=_MAKE_ONE)
    with own_randomness(job.seed, "new head", CPU.torch):
        model = SpanModel.load(inputs["encoder"], device=job.device, new_head=True)
    text = read_linked(inputs.get("pairs"), inputs["alignments"], model.words.cut, one_based=params.one_based, job=job)
    objective = SpanObjective(
        model, text, min_score=params.min_score, words_per_sentence=params.words_per_sentence, seed=job.seed
    )
    _warn_of_left_out(objective.too_long, objective.empty, model.limit, job)
    measure: Callable[[], Numbers] | None = None
    if inputs.get("validation"):
        gold = read_linked(inputs.get("validation_pairs"), inputs["validation"], model.words.cut,
                           one_based=params.gold_one_based, job=job)  # fmt: skip
        held_out = SpanObjective(model, gold)

        def measure() -> Numbers:
            aligner = SpanAligner(model, threshold=params.threshold)
            return {
                "validation_loss": mean_loss(held_out),
                "validation_aer": error_rate(inputs, params, aligner.align, job),
            }

    questions = len(objective.questions.pairs)
    numbers = _train(objective, params, job, stage="align-train span", examples=counted(questions, "question"),
                     measure=measure)  # fmt: skip
    model.save(job.out)
    use = (
        "The word asked about is enclosed in two ¶ in its sentence, the question. The other sentence is the context."
        "\n\n"
        f"```\nlexenc align --pairs corpus.tsv --method span --encoder {result_name(job.out)} --out runs/alignments\n"
        "```"
    )
    _write_card(job.out, inputs, params, "question-answering", use)
    return Outcome(
        {
            "sentence_pairs": len(text),
            "questions": questions,
            "without_answer": int((objective.answers.first < 0).sum()),
            "uncertain": objective.uncertain,
            "too_long": objective.too_long,
            "empty": objective.empty,
            **numbers,
        }
    )


def check_span(inputs: Mapping[str, Any], params: SpanTrainParams) -> list[ConfigError]:
    """Return the errors that involve more than one option."""
    return _check_inputs(inputs, needs_links=True)


# ---------------------------------------------------------------- softmax


@dataclass(frozen=True)
class SoftmaxTrainParams(AlignTrainParams):
    """Parameters of `align-train softmax`."""

    batch_size: int = param(8, "Sentence pairs per step.", ge=1)
    learning_rate: float = param(2e-5, "Peak learning rate. Small encoders need a larger one.", gt=0)
    objectives: tuple[Literal["so", "co", "tlm", "supervised"], ...] = param(
        ("so", "tlm"),
        "so: make the links probable that the encoder finds itself. co: make both directions agree. tlm: predict "
        "masked subwords of sentence and translation together. supervised: make the links of --alignments probable.",
    )
    layer: int | None = param(
        None, "Layer whose states are compared, negative from the end. By default 8, or the last."
    )
    min_score: float = param(0.0, "With supervised: links with a lower score are not learned.", ge=0, le=1)


def align_train_softmax(inputs: dict[str, Any], params: SoftmaxTrainParams, job: Job) -> Outcome:
    """Fine-tune an encoder on sentence pairs, and write it for `align --method softmax`."""
    from lexenc.alignment.matching import EmbeddingAligner, Matching
    from lexenc.alignment.softmax_objective import SoftmaxObjective
    from lexenc.encoders.masked_language import MaskedHead
    from lexenc.encoders.subwords import WordTokenizer
    from lexenc.encoders.word_vectors import word_encoder
    from lexenc.training.trainer import own_randomness

    check_transformer(inputs["encoder"], "align-train", hint=_MAKE_ONE)
    # Weights that the encoder lacks, such as those of a pooler, are drawn, and saved with it.
    with own_randomness(job.seed, "new encoder", CPU.torch):
        encoder: Any = open_encoder(inputs["encoder"], "auto", job, training=True)
    cut = WordTokenizer(encoder.tokenizer).cut
    text = read_linked(inputs.get("pairs"), inputs.get("alignments"), cut, one_based=params.one_based, job=job)
    head = None
    if "tlm" in params.objectives:
        with own_randomness(job.seed, "new head", job.device.torch):
            head = MaskedHead(inputs["encoder"], encoder)
        if head.fresh:
            job.notices.warn(
                "The encoder has no head that predicts masked subwords. A new one is trained with it.",
                "Train without it: --objectives so",
            )
    objective = SoftmaxObjective(
        encoder,
        text,
        objectives=params.objectives,
        layer=params.layer,
        min_score=params.min_score,
        head=head,
        seed=job.seed,
    )
    _warn_of_left_out(objective.too_long, objective.empty, encoder.longest, job)

    def measure() -> Numbers:
        aligner = EmbeddingAligner(word_encoder(encoder, layer=objective.layer), how=Matching("softmax"))
        return {"validation_aer": error_rate(inputs, params, aligner.align, job)}

    numbers = _train(objective, params, job, stage="align-train softmax", examples=counted(len(text), "sentence pair"),
                     measure=measure if inputs.get("validation") else None)  # fmt: skip
    encoder.save(job.out)
    use = (
        f"```\nlexenc align --pairs corpus.tsv --method softmax --encoder {result_name(job.out)} "
        f"--layer {objective.layer} --out runs/alignments\n```"
    )
    _write_card(job.out, inputs, params, "feature-extraction", use)
    return Outcome(
        {
            "sentence_pairs": len(text),
            "layer": objective.layer,
            "too_long": objective.too_long,
            "empty": objective.empty,
            **numbers,
        }
    )


def check_softmax(inputs: Mapping[str, Any], params: SoftmaxTrainParams) -> list[ConfigError]:
    """Return the errors that involve more than one option."""
    faults = _check_inputs(inputs, needs_links="supervised" in params.objectives)
    if not params.objectives:
        faults.append(ConfigError("There is nothing to learn without --objectives.", hint="Use so,tlm."))
    return faults


# ---------------------------------------------------------------- both


def _train(
    objective: Objective,
    params: AlignTrainParams,
    job: Job,
    *,
    stage: str,
    examples: str,
    measure: Callable[[], Numbers] | None,
) -> Numbers:
    """Train to the end and return the numbers of the run, with those that are measured before and after it."""
    from lexenc.training.trainer import Trainer

    trainer = Trainer(objective, schedule=params, seed=job.seed)
    before = measure() if measure else {}
    steps = train_in_folder(trainer, job, stage=stage, examples=examples)
    after = measure() if measure else {}
    tenth = max(1, len(steps) // 10)
    return {
        "steps": trainer.total,
        "warmup_steps": trainer.warmup,
        "first_loss": mean_loss_of(steps[:tenth]),
        "last_loss": mean_loss_of(steps[-tenth:]),
        **{f"{name}_before": value for name, value in before.items()},
        **{f"{name}_after": value for name, value in after.items()},
    }


def _warn_of_left_out(too_long: int, empty: int, limit: int, job: Job) -> None:
    if too_long:
        job.notices.warn(
            f"{counted(too_long, 'sentence pair')} longer than the {limit:,} subwords that the encoder accepts: "
            "left out.",
            "Split long sentences, or use an encoder that accepts longer input.",
        )
    if empty:
        job.notices.warn(f"{counted(empty, 'sentence pair')} with an empty side: left out.", None)


def _write_card(folder: Path, inputs: Mapping[str, Any], params: AlignTrainParams, task: str, use: str) -> None:
    names = [Path(inputs[name]).name for name in ("pairs", "alignments") if inputs.get(name)]
    files = ", ".join(f"`{name}`" for name in names)
    body = (
        f"A word aligner, fine-tuned with lexenc from `{Path(inputs['encoder']).name}` on {files}: "
        f"{counted(params.epochs, 'epoch')}, batch size {params.batch_size}, AdamW, learning rate "
        f"{params.learning_rate:g} ({params.schedule})."
    )
    head = f"---\nlibrary_name: transformers\npipeline_tag: {task}\n---\n"
    write_card(folder, f"{head}\n# {result_name(folder)}\n\n{body}\n\n{use}\n")


def _check_inputs(inputs: Mapping[str, Any], *, needs_links: bool) -> list[ConfigError]:
    faults = []
    for pairs, links in (("pairs", "alignments"), ("validation_pairs", "validation")):
        first, second = (f"--{name.replace('_', '-')}" for name in (pairs, links))
        if inputs.get(links) and not inputs.get(pairs) and result_of(Path(inputs[links])).is_file():
            faults.append(
                ConfigError(f"{second} is a file of links without words.", hint=f"Give the sentence pairs as {first}.")
            )
    if not inputs.get("alignments") and (needs_links or not inputs.get("pairs")):
        missing = "--alignments" if needs_links else "--pairs or --alignments"
        faults.append(
            ConfigError(f"There is nothing to learn from without {missing}.", hint="Make links: lexenc align")
        )
    if inputs.get("validation_pairs") and not inputs.get("validation"):
        faults.append(ConfigError("--validation-pairs needs --validation.", hint="Give the held-out links."))
    return faults


# ---------------------------------------------------------------- sentence pairs with links


def read_linked(
    pairs: Path | None, alignments: Path | None, cut: Callable[[Sequence[Words]], Pieces], *, one_based: bool, job: Job
) -> LinkedText:
    """Read sentence pairs with links and store them as numbers, part by part.

    Args:
        pairs: As in `read_rows`.
        alignments: As in `read_rows`.
        cut: Splits words into subwords.
        one_based: As in `read_rows`.
        job: Device, seed, progress and messages of the run.

    Raises:
        DataError: As `read_rows`, and if there is no sentence pair.
    """
    rows = read_rows(pairs, alignments, one_based=one_based, job=job)
    source: list[Pieces] = []
    target: list[Pieces] = []
    links: list[Links] = []
    with job.progress.task("read", None, "sentence pairs") as task:
        while part := list(islice(rows, _PART)):
            source.append(cut([row[0] for row in part]))
            target.append(cut([row[1] for row in part]))
            links.append(Links.of([row[2] for row in part]))
            task.advance(len(part))
    if not links:
        raise DataError(f"{alignments or pairs} contains no sentence pair.", hint="Check the files.")
    return LinkedText(Pieces.joined(source), Pieces.joined(target), Links.joined(links))


def read_rows(pairs: Path | None, alignments: Path | None, *, one_based: bool, job: Job) -> Iterator[Row]:
    """Yield the words of sentence pairs and their links.

    Links are of words between spaces. Without links, sentences are split into words as `align` does.

    Args:
        pairs: Sentence pairs. Only compared if the links come with their words.
        alignments: A file of links, or a result of align. None for sentence pairs without links.
        one_based: Whether the links count words from 1.
        job: Messages of the run.

    Yields:
        Words of a sentence, words of its translation, links. A link of a file without scores has the score 1, a
        possible link of a gold file 0.

    Raises:
        DataError: If pairs and links differ in number, or a link points beyond the end of a sentence.
    """
    own = sentences_file(alignments) if alignments is not None else None
    place = own or pairs
    if place is None:
        raise DataError(f"{alignments} has no sentence pairs.", hint="Give them as --pairs.")
    links = read_alignments(alignments, one_based=one_based) if alignments is not None else None
    if own is not None and pairs is not None:
        _check_same(pairs, own)
    text = parallel_text(place)
    cut = cutters(text, job) if links is None else (split_at_spaces, split_at_spaces)
    for pair, alignment in _side_by_side(text, links, f"{place} and {alignments}"):
        source, target = cut[0](pair.source), cut[1](pair.target)
        found = []
        if alignment is not None:
            scores = alignment.scores or [1.0] * len(alignment.sure)
            table = dict.fromkeys(alignment.possible, 0.0) | dict(zip(alignment.sure, scores, strict=True))
            found = [(i, j, score) for (i, j), score in table.items()]
        for i, j, _ in found:
            if i >= len(source) or j >= len(target):
                hint = "Are these the words that were linked?"
                hint += "" if one_based else " If links count from 1: --one-based (of --validation: --gold-one-based)."
                raise DataError(
                    f"{alignments}, line {pair.line}: link {i + one_based}-{j + one_based}, but the sentences have "
                    f"{len(source):,} and {counted(len(target), 'word')}.",
                    hint=hint,
                )
        yield source, target, found
    tell_remarks(text, job)


def _check_same(pairs: Path, own: Path) -> None:
    """Check that sentence pairs are those that were aligned, by their letters and digits."""

    def letters(sentence: str) -> str:
        return "".join(filter(str.isalnum, sentence))

    for number, (given, aligned) in enumerate(zip_longest(parallel_text(pairs), parallel_text(own)), start=1):
        if given is None or aligned is None:
            more = pairs if aligned is None else own
            raise DataError(f"{more} has more lines than the other: {pairs} and {own}.", hint="Leave --pairs out.")
        if any(letters(one) != letters(other) for one, other in zip(given[1:], aligned[1:], strict=True)):
            raise DataError(
                f"{pairs}, line {given.line}: not the sentence pair {number:,} that was aligned ({own}).",
                hint="Leave --pairs out: the result of align has its words.",
            )


def _side_by_side(
    pairs: Iterable[SentencePair], links: Iterable[Alignment] | None, names: str
) -> Iterator[tuple[SentencePair, Alignment | None]]:
    if links is None:
        yield from ((pair, None) for pair in pairs)
        return
    for number, (pair, alignment) in enumerate(zip_longest(pairs, links), start=1):
        if pair is None or alignment is None:
            missing = "sentence pair" if pair is None else "line of links"
            raise DataError(f"{names}: line {number:,} has no {missing}.", hint="Both files need the same lines.")
        yield pair, alignment


def error_rate(
    inputs: Mapping[str, Any],
    params: AlignTrainParams,
    align: Callable[[Sequence[tuple[Words, Words]]], Links],
    job: Job,
) -> float:
    """Return the alignment error rate on the held-out links.

    Args:
        inputs: Inputs of the stage: `validation`, and `validation_pairs` if the links come without words.
        params: Whether the held-out links count words from 1.
        align: Returns the links of sentence pairs.
        job: Messages of the run.

    Raises:
        DataError: If there are no links at all.
    """
    rows = read_rows(inputs.get("validation_pairs"), inputs["validation"], one_based=params.gold_one_based, job=job)
    counts = []
    while part := list(islice(rows, _PART)):
        found = align([(source, target) for source, target, _ in part])
        gold = Links.of([links for _, _, links in part])
        sure = gold.at_least(float(np.finfo(np.float32).tiny))
        counts.append(counts_of(judge(_flat(found), _flat(sure), _flat(gold), len(part))).sum(axis=0))
    if not np.any(counts):
        raise DataError(f"{inputs['validation']} contains no links.", hint="Give links that are known to be right.")
    return float(scores_of(np.sum(counts, axis=0))["aer"])


def _flat(links: Links) -> np.ndarray:
    """Return links with the number of their sentence pair. Shape [p, 3]."""
    return np.column_stack([np.repeat(np.arange(len(links)), np.diff(links.starts)), links.source, links.target])


# ---------------------------------------------------------------- stages

_MADE = f"and {HISTORY} with loss and learning rate per step."
_PAIRS = Input(
    "Sentence pairs: 'source ||| target' or source, TAB, target. Links of a file are of the words between spaces. Not "
    "needed if --alignments is a result of align, which contains the words.",
    required=False,
)
_VALIDATION = Input(
    "Held-out links, a file or a result of align, for loss and error rate before and after training.", required=False
)
_VALIDATION_PAIRS = Input("Sentence pairs of --validation, as --pairs.", required=False)
_ENCODER = Input("Encoder to start from: a folder or a hub name.", kind="encoder")

ALIGN_TRAIN_SPAN = Stage(
    name="align-train span",
    version=2,
    inputs={
        "pairs": _PAIRS,
        "alignments": Input("Links to learn from: a result of align, or a file (i-j, from 0), gold or not."),
        "encoder": _ENCODER,
        "validation": _VALIDATION,
        "validation_pairs": _VALIDATION_PAIRS,
    },
    params=SpanTrainParams,
    run=align_train_span,
    makes=f"a model that AutoModelForQuestionAnswering loads, {_MADE}",
    examples=(
        "lexenc align-train span --pairs corpus.tsv --alignments runs/alignments --encoder ENC --out runs/aligner",
    ),
    next_step="lexenc align --pairs {pairs} --method span --encoder {out} --out {new:aligned}",
    uses_device=True,
    uses_seed=True,
    resumable=True,
    check=check_span,
)

ALIGN_TRAIN_SOFTMAX = Stage(
    name="align-train softmax",
    version=2,
    inputs={
        "pairs": _PAIRS,
        "alignments": Input(
            "Links to learn from, for supervised. Its sentence pairs are used by all objectives.", required=False
        ),
        "encoder": _ENCODER,
        "validation": _VALIDATION,
        "validation_pairs": _VALIDATION_PAIRS,
    },
    params=SoftmaxTrainParams,
    run=align_train_softmax,
    makes=f"an encoder that SentenceTransformer(folder) and AutoModel load, {_MADE}",
    examples=("lexenc align-train softmax --pairs corpus.tsv --encoder ENC --out runs/aligner",),
    next_step="lexenc align --pairs {pairs} --method softmax --encoder {out} --out {new:aligned}",
    uses_device=True,
    uses_seed=True,
    resumable=True,
    check=check_softmax,
)
