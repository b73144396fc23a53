"""align-train: sentence pairs, links + encoder -> a model that aligns words better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lexenc.errors import ConfigError, DataError
from lexenc.files.text import counted
from lexenc.parameters import param
from lexenc.stage import Input, Job, Outcome, Stage
from lexenc.stages.alignment.align_training import (
    HISTORY,
    PAIRS,
    VALIDATION,
    VALIDATION_PAIRS,
    TuningParams,
    check_inputs,
    error_rate,
    read_linked,
    remove_unfinished,
    run_to_end,
    start_tuning,
    tell_left_out,
)
from lexenc.stages.reading import open_encoder, result_name

if TYPE_CHECKING:
    from lexenc.alignment.span_model import SpanModel
    from lexenc.alignment.tuning_softmax import SoftmaxLessons
    from lexenc.alignment.tuning_spans import SpanLessons
    from lexenc.encoders.transformer import TransformerEncoder

_MADE = f"and {HISTORY} with loss and learning rate per step."


# ---------------------------------------------------------------- span


@dataclass(frozen=True)
class SpanTrainParams(TuningParams):
    """Parameters of `align-train span`."""

    batch_size: int = param(32, "Words asked about per step.", ge=1)
    learning_rate: float = param(3e-5, "Peak; small encoders learn little below 1e-4.", gt=0)
    min_score: float = param(
        0.0, "Links with a lower score are not learnt, and words that have no other are left out.", ge=0, le=1
    )
    words_per_sentence: int | None = param(
        None, "Words asked about per sentence and epoch, drawn anew each time; all where left out.", ge=1
    )
    threshold: float = param(0.4, "Score from which two words are linked in the error rate.", ge=0, le=1)


def align_train_span(inputs: dict[str, Any], params: SpanTrainParams, job: Job) -> Outcome:
    """Teach an encoder to answer what a word is translated by, and write it for `align --method span`."""
    from lexenc.alignment.span_model import SpanModel
    from lexenc.alignment.tuning_spans import SpanLessons
    from lexenc.device import CPU
    from lexenc.training.steps import own_randomness

    _check_transformer(inputs["encoder"])
    with own_randomness(job.seed, "new head", CPU.torch):
        model = SpanModel.load(inputs["encoder"], device=job.device, new_head=True)
    text = read_linked(inputs.get("pairs"), inputs["alignments"], model.words.cut, one_based=params.one_based, job=job)
    lessons = SpanLessons(
        model, text, min_score=params.min_score, words_per_sentence=params.words_per_sentence, seed=job.seed
    )
    counts: dict[str, Any] = {"sentence_pairs": len(text), "questions": len(lessons.questions.pairs),
              "without_answer": int((lessons.answers.first < 0).sum()), "uncertain": lessons.uncertain,
              "too_long": lessons.too_long, "empty": lessons.empty}  # fmt: skip
    tell_left_out(counts, model.limit, job)
    tuning = start_tuning(lessons, params, job)
    held_out = _SpansHeldOut(inputs, params, model, job)
    before = held_out.numbers("before")
    counts |= run_to_end(tuning, job, name="align-train span")
    counts |= before | held_out.numbers("after")
    model.save(job.out)
    _write_card(job.out, inputs, params, "question-answering", _use_of_spans(job.out))
    remove_unfinished(job)
    return Outcome(counts)


class _SpansHeldOut:
    """Sentence pairs held out, if there are any."""

    def __init__(self, inputs: Mapping[str, Any], params: SpanTrainParams, model: SpanModel, job: Job) -> None:
        from lexenc.alignment.tuning_spans import SpanLessons

        self._inputs, self._params, self._model = inputs, params, model
        self._lessons: SpanLessons | None = None
        if inputs.get("validation"):
            text = read_linked(inputs.get("validation_pairs"), inputs["validation"], model.words.cut,
                               one_based=params.gold_one_based, job=job)  # fmt: skip
            self._lessons = SpanLessons(model, text)

    def numbers(self, when: str) -> dict[str, float]:
        """Give loss and error rate."""
        from lexenc.alignment.spans import SpanAligner
        from lexenc.alignment.tuning import mean_loss

        if self._lessons is None:
            return {}
        aligner = SpanAligner(self._model, threshold=self._params.threshold)
        rate = error_rate(self._inputs, aligner.align, one_based=self._params.gold_one_based)
        return {f"validation_loss_{when}": mean_loss(self._lessons), f"validation_aer_{when}": rate}


def check_span(inputs: Mapping[str, Any], params: SpanTrainParams) -> list[ConfigError]:
    """Give the faults that only several values together show."""
    return check_inputs(inputs, needs_links=True)


# ---------------------------------------------------------------- softmax


@dataclass(frozen=True)
class SoftmaxTrainParams(TuningParams):
    """Parameters of `align-train softmax`."""

    batch_size: int = param(8, "Sentence pairs per step.", ge=1)
    learning_rate: float = param(2e-5, "Peak; small encoders take more.", gt=0)
    objectives: tuple[Literal["so", "co", "tlm", "supervised"], ...] = param(
        ("so", "tlm"),
        "so: make the links probable that the encoder finds itself; co: make both directions agree; tlm: guess masked "
        "subwords of sentence and translation together; supervised: make the links of --alignments probable.",
    )
    layer: int | None = param(
        None, "Layer whose states are compared; negative from the end. By default 8, or the last."
    )
    min_score: float = param(0.0, "With supervised: links with a lower score are not learnt.", ge=0, le=1)


def align_train_softmax(inputs: dict[str, Any], params: SoftmaxTrainParams, job: Job) -> Outcome:
    """Tune an encoder on sentence pairs, and write it for `align --method softmax`."""
    from lexenc.alignment.tuning_softmax import SoftmaxLessons, cut_pieces
    from lexenc.device import CPU
    from lexenc.training.steps import own_randomness

    _check_transformer(inputs["encoder"])
    # An encoder without a part that nobody asks, such as a pooler, gets one that is drawn, and saved with it.
    with own_randomness(job.seed, "new encoder", CPU.torch):
        encoder: Any = open_encoder(inputs["encoder"], "auto", job)
    text = read_linked(
        inputs.get("pairs"),
        inputs.get("alignments"),
        lambda sentences: cut_pieces(encoder, sentences),
        one_based=params.one_based,
        job=job,
    )
    with own_randomness(job.seed, "new head", job.device.torch):
        head = _head(inputs["encoder"], encoder, job) if "tlm" in params.objectives else None
    lessons = SoftmaxLessons(
        encoder,
        text,
        objectives=params.objectives,
        layer=params.layer,
        min_score=params.min_score,
        head=head,
        seed=job.seed,
    )
    counts: dict[str, Any] = {"sentence_pairs": len(text), "layer": lessons.layer,
                              "too_long": lessons.too_long, "empty": lessons.empty}  # fmt: skip
    tell_left_out(counts, encoder.longest, job)
    tuning = start_tuning(lessons, params, job)
    before = _softmax_numbers("before", inputs, params, encoder, lessons)
    counts |= run_to_end(tuning, job, name="align-train softmax")
    counts |= before | _softmax_numbers("after", inputs, params, encoder, lessons)
    encoder.save(job.out)
    _write_card(job.out, inputs, params, "feature-extraction", _use_of_softmax(job.out, lessons.layer))
    remove_unfinished(job)
    return Outcome(counts)


def _head(folder: Path, encoder: TransformerEncoder, job: Job) -> Any:
    from lexenc.encoders.masked_language import MaskedHead

    head = MaskedHead(folder, encoder)
    if head.fresh:
        job.notices.warn(
            "The encoder has no head of its own that guesses masked subwords; a new one is learnt beside it.",
            "Without: --objectives so",
        )
    return head


def _softmax_numbers(
    when: str, inputs: Mapping[str, Any], params: SoftmaxTrainParams, encoder: TransformerEncoder,
    lessons: SoftmaxLessons,
) -> dict[str, float]:  # fmt: skip
    """Give the error rate of `align --method softmax` on the links held out, if there are any."""
    from lexenc.alignment.embedding import EmbeddingAligner, Matching
    from lexenc.encoders.word_vectors import word_encoder

    if not inputs.get("validation"):
        return {}
    aligner = EmbeddingAligner(word_encoder(encoder, layer=lessons.layer), how=Matching("softmax"))
    rate = error_rate(inputs, aligner.align, one_based=params.gold_one_based)
    return {f"validation_aer_{when}": rate}


def check_softmax(inputs: Mapping[str, Any], params: SoftmaxTrainParams) -> list[ConfigError]:
    """Give the faults that only several values together show."""
    faults = check_inputs(inputs, needs_links="supervised" in params.objectives)
    if not params.objectives:
        faults.append(ConfigError("There is nothing to learn without --objectives.", hint="Use so,tlm."))
    return faults


# ---------------------------------------------------------------- both


def _check_transformer(folder: Path) -> None:
    """Refuse a bag of subwords, which has no states of words in their sentence."""
    from lexenc.encoders.load import encoder_kind

    if encoder_kind(folder) != "transformer":
        raise DataError(
            f"The encoder {folder} is a {encoder_kind(folder)} encoder; align-train needs a transformer.",
            hint="Make one: lexenc new-encoder --kind transformer",
        )


def _use_of_spans(folder: Path) -> str:
    return (
        "The word asked about stands between two ¶ in its sentence, the question; the other sentence is the context."
        "\n\n"
        f"```\nlexenc align --pairs corpus.tsv --method span --encoder {result_name(folder)} --out runs/alignments\n```"
    )


def _use_of_softmax(folder: Path, layer: int) -> str:
    name = result_name(folder)
    return (
        f"```\nlexenc align --pairs corpus.tsv --method softmax --encoder {name} --layer {layer} "
        "--out runs/alignments\n```"
    )


def _write_card(folder: Path, inputs: Mapping[str, Any], params: TuningParams, task: str, use: str) -> None:
    """Write the model card that hubs and people read."""
    names = [Path(inputs[name]).name for name in ("pairs", "alignments") if inputs.get(name)]
    files = ", ".join(f"`{name}`" for name in names)
    body = (
        f"A word aligner, tuned with lexenc from `{Path(inputs['encoder']).name}` on {files}: "
        f"{counted(params.epochs, 'epoch')}, batch size {params.batch_size}, AdamW, learning rate "
        f"{params.learning_rate:g} ({params.schedule})."
    )
    head = f"---\nlibrary_name: transformers\npipeline_tag: {task}\n---\n"
    (folder / "README.md").write_text(f"{head}\n# {result_name(folder)}\n\n{body}\n\n{use}\n", encoding="utf-8")


ALIGN_TRAIN_SPAN = Stage(
    name="align-train span",
    version=1,
    inputs={
        "pairs": PAIRS,
        "alignments": Input("Links to learn from: a result of align, or a file (i-j, from 0), gold or not."),
        "encoder": Input("Encoder to start from: a folder or a hub name.", kind="encoder"),
        "validation": VALIDATION,
        "validation_pairs": VALIDATION_PAIRS,
    },
    params=SpanTrainParams,
    run=align_train_span,
    makes=f"a model that AutoModelForQuestionAnswering loads, {_MADE}",
    examples=(
        (
            "lexenc align-train span --pairs corpus.tsv --alignments runs/alignments --encoder ENC --out runs/aligner",
            "",
        ),
    ),
    next_step="lexenc align --pairs corpus.tsv --method span --encoder {out} --out runs/aligned",
    uses_device=True,
    uses_seed=True,
    resumable=True,
    check=check_span,
)

ALIGN_TRAIN_SOFTMAX = Stage(
    name="align-train softmax",
    version=1,
    inputs={
        "pairs": PAIRS,
        "alignments": Input("Links to learn from, for supervised; its sentence pairs, for all.", required=False),
        "encoder": Input("Encoder to start from: a folder or a hub name.", kind="encoder"),
        "validation": VALIDATION,
        "validation_pairs": VALIDATION_PAIRS,
    },
    params=SoftmaxTrainParams,
    run=align_train_softmax,
    makes=f"an encoder that SentenceTransformer(folder) and AutoModel load, {_MADE}",
    examples=(("lexenc align-train softmax --pairs corpus.tsv --encoder ENC --out runs/aligner", ""),),
    next_step="lexenc align --pairs corpus.tsv --method softmax --encoder {out} --out runs/aligned",
    uses_device=True,
    uses_seed=True,
    resumable=True,
    check=check_softmax,
)
