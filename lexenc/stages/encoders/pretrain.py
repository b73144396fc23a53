"""pretrain: text of some languages -> a masked language model with its own tokenizer."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lexenc.durable import remove_tree
from lexenc.encoders.card import model_card, write_card
from lexenc.encoders.load import check_transformer
from lexenc.errors import ConfigError
from lexenc.files.text import counted
from lexenc.parameters import param
from lexenc.stage import Input, Job, Outcome, Stage, Table
from lexenc.stages.encoders.pretraining_text import Corpus, CutText, LineTokeniser, read_corpora, read_pairs
from lexenc.stages.reading import result_name
from lexenc.stages.training import mean_loss_of, train_in_folder
from lexenc.training import HISTORY, LANGUAGE_MODELS
from lexenc.training.schedule import StepSchedule

if TYPE_CHECKING:
    from lexenc.encoders.language_model import LanguageModel
    from lexenc.training.masked import HeldOutTexts, LanguageModelKind

_EVALUATIONS, _APART = 20, 50  # of a run, by default, and the least number of steps between two of them

# Sizes and schedules. The last one is that of XLM-R base (Conneau et al. 2020), whose peak learning rate is that of
# RoBERTa base.
_PRESETS: dict[str, dict[str, Any]] = {
    "tiny": {"layers": 2, "dimensions": 128, "heads": 2, "vocabulary": 8_000, "max_length": 64,
             "batch_size": 64, "learning_rate": 2e-3, "steps": 3_000},
    "small": {"layers": 6, "dimensions": 384, "heads": 6, "vocabulary": 16_000, "max_length": 128,
              "batch_size": 64, "learning_rate": 6e-4, "steps": 12_000},
    "paper": {"layers": 12, "dimensions": 768, "heads": 12, "vocabulary": 250_002, "max_length": 512,
              "batch_size": 8_192, "learning_rate": 6e-4, "steps": 1_500_000},
}  # fmt: skip
_CONTINUED: dict[str, Any] = {"batch_size": 32, "learning_rate": 1e-4, "steps": 3_000}
_OWN = "Leave it out: pretrain makes one of its own."
_SHAPE = ("layers", "dimensions", "heads", "vocabulary")


@dataclass(frozen=True)
class PretrainParams(StepSchedule):
    """Parameters of `pretrain`. None stands for a default that depends on the preset."""

    objective: tuple[Literal["mlm", "tlm"], ...] = param(
        ("mlm",),
        "mlm: predict masked subwords of a line of --text. tlm: predict masked subwords of a sentence and its "
        "translation together (--pairs). Several, such as mlm,tlm, are mixed at random.",
    )
    preset: Literal["tiny", "small", "paper"] | None = param(
        None,
        "Sizes and length of the training. tiny: 2 layers of 128, minutes on two cores. small: 6 layers of 384, an "
        "afternoon on two cores. paper: XLM-R base, for a cluster. Other options replace single values. By default "
        "small.",
    )
    layers: int | None = param(None, "Number of layers.", ge=1)
    dimensions: int | None = param(None, "Width of the layers, and length of a vector.", ge=1)
    heads: int | None = param(None, "Number of attention heads.", ge=1)
    vocabulary: int | None = param(None, "Largest number of subwords.", ge=20)
    max_length: int | None = param(
        None, "Longest input in subwords, special ones included. Longer lines are cut into several texts.", ge=8
    )
    model: str = param("xlm-r", "Kind of language model.", choices=LANGUAGE_MODELS)
    language_sampling: float = param(
        0.3,
        "Exponent of the share of each language, of its words in the tokenizer and of its texts in training. 1: as in "
        "--text. 0: all languages alike. Lower values favour languages with little text.",
        ge=0,
        le=1,
    )
    dev_share: float | None = param(
        None,
        "Share of the lines of each language that is held out to find the best weights; at least 100 of 2,000 lines, "
        "at most 5,000. Use 0 for none. By default 0.01, unless --dev names files.",
        ge=0,
        le=0.5,
    )
    evaluate_every: int | None = param(
        None, "Steps between evaluations on held-out lines. By default a twentieth of all steps, at least 50.", ge=1
    )
    epochs: int | None = param(None, "Passes over the text, instead of --steps.", ge=1)  # type: ignore[assignment]
    batch_size: int | None = param(None, "Texts per step.", ge=1)  # type: ignore[assignment]
    learning_rate: float | None = param(None, "Peak learning rate.", gt=0)  # type: ignore[assignment]


def resolve_pretrain(inputs: Mapping[str, Any], params: PretrainParams) -> PretrainParams:
    """Return the parameters with the values of the preset."""
    preset = None if inputs.get("encoder") else params.preset or "small"
    table = dict(_PRESETS[preset] if preset else _CONTINUED)
    if params.epochs is not None:
        table.pop("steps")
    if inputs.get("tokenizer"):
        table.pop("vocabulary", None)
    if not inputs.get("dev"):
        table["dev_share"] = 0.01
    found = {name: value for name, value in table.items() if getattr(params, name) is None}
    return replace(params, preset=preset, **found)


def check_pretrain(inputs: Mapping[str, Any], params: PretrainParams) -> list[ConfigError]:
    """Return the errors that involve more than one option."""
    faults = []
    kept = "The encoder of --encoder has a shape and a tokenizer, which stay as they are."
    if inputs.get("encoder"):
        given = [name for name in ("preset", *_SHAPE) if getattr(params, name) is not None]
        given += ["tokenizer"] if inputs.get("tokenizer") else []
        faults += [ConfigError(f"--encoder and --{name} exclude each other.", hint=kept) for name in given]
    if inputs.get("tokenizer") and params.vocabulary is not None:
        faults.append(
            ConfigError("--tokenizer and --vocabulary exclude each other.", hint="The tokenizer has its own subwords.")
        )
    if params.epochs is not None and params.steps is not None:
        faults.append(ConfigError("--epochs and --steps exclude each other.", hint="Give one of them."))
    if inputs.get("dev") and params.dev_share is not None:
        faults.append(ConfigError("--dev and --dev-share exclude each other.", hint="Give one of them."))
    if not params.objective:
        faults.append(ConfigError("There is nothing to learn without --objective.", hint="Use mlm."))
    if ("tlm" in params.objective) != bool(inputs.get("pairs")):
        hint = "Add --pairs." if "tlm" in params.objective else "Add --objective mlm,tlm, or leave --pairs out."
        faults.append(ConfigError("--objective tlm and --pairs belong together.", hint=hint))
    resolved = resolve_pretrain(inputs, params)
    if resolved.heads and resolved.dimensions and resolved.dimensions % resolved.heads:
        best = max(each for each in range(1, resolved.heads + 1) if resolved.dimensions % each == 0)
        faults.append(
            ConfigError(
                f"--dimensions {resolved.dimensions} is not a multiple of --heads {resolved.heads}.",
                hint=f"Use --heads {best}.",
            )
        )
    return faults


# ---------------------------------------------------------------- model


def _open_model(
    kind: LanguageModelKind, inputs: Mapping[str, Any], params: PretrainParams, corpora: Sequence[Corpus], job: Job
) -> LanguageModel:
    """Load the model to continue with, or make one."""
    from lexenc.device import CPU
    from lexenc.encoders.language_model import Shape
    from lexenc.encoders.pretrained import load_tokenizer
    from lexenc.encoders.unigram import train_language_tokenizer
    from lexenc.training.trainer import own_randomness

    with own_randomness(job.seed, "new head", CPU.torch):
        if inputs.get("encoder"):
            check_transformer(inputs["encoder"], "pretrain", hint=_OWN)
            model = kind.open(inputs["encoder"], device=job.device, max_length=params.max_length)
            if model.head.fresh:
                job.notices.warn(
                    "The encoder has no head that predicts masked subwords. A new one is trained with it.",
                    "Use the language model that it was made from.",
                )
            return model
        if inputs.get("tokenizer"):
            check_transformer(inputs["tokenizer"], "pretrain", hint=_OWN)
            tokenizer = load_tokenizer(inputs["tokenizer"])
        else:
            with job.progress.task("learn subwords", None, "lines") as task:
                lines = {corpus.name: _advancing(corpus.lines(), task) for corpus in corpora}
                tokenizer = train_language_tokenizer(
                    lines, vocabulary_size=_value(params.vocabulary), exponent=params.language_sampling
                )
            size = tokenizer.get_vocab_size()
            if size < _value(params.vocabulary):
                job.notices.say(f"The text has {size:,} subwords, fewer than the vocabulary of {params.vocabulary:,}.")
        shape = Shape(*(_value(getattr(params, name)) for name in ("layers", "dimensions", "heads", "max_length")))
        start = job.out / "start"
        try:
            kind.create(start, tokenizer, shape, seed=job.seed)
            return kind.open(start, device=job.device, max_length=shape.max_length)
        finally:
            remove_tree(start)


def _advancing(lines: Iterable[str], task: Any) -> Iterator[str]:
    for line in lines:
        yield line
        task.advance(1)


def _value(number: int | None) -> int:
    """Return a parameter that the preset has filled in."""
    assert number is not None
    return number


# ---------------------------------------------------------------- run


def pretrain(inputs: dict[str, Any], params: PretrainParams, job: Job) -> Outcome:
    """Train a language model on text and write it with its head."""
    from lexenc.training.masked import LanguageTexts
    from lexenc.training.trainer import Trainer, Validation

    kind: LanguageModelKind = LANGUAGE_MODELS[params.model]
    corpora = read_corpora(inputs, params.dev_share, job)
    model = _open_model(kind, inputs, params, corpora, job)
    tokeniser = LineTokeniser(model)
    cut = {corpus.name: tokeniser.cut(corpus.lines(), job) for corpus in corpora}
    texts = LanguageTexts.of({name: each.texts for name, each in cut.items()})
    pairs, held_out_pairs = read_pairs(inputs, tokeniser, corpora, job)
    learnt = texts if "mlm" in params.objective else LanguageTexts.of({})
    objective = kind.objective(model, learnt, pairs, exponent=params.language_sampling, seed=job.seed)
    dev = {corpus.name: tokeniser.cut(corpus.unseen, job).texts for corpus in corpora}
    held_out = kind.held_out(model, LanguageTexts.of(dev), seed=job.seed)
    unseen = sum(len(corpus.unseen) for corpus in corpora)
    seen = sum(len(corpus.held_out) for corpus in corpora) - unseen
    others = f" {seen:,} others are in the training text, and not scored." if seen else ""
    job.notices.say(f"{counted(unseen, 'line')} held out.{others}")
    _tell(cut, objective.too_long, held_out_pairs, held_out, job)

    seconds = 0.0

    def score() -> float:
        nonlocal seconds
        begin = time.monotonic()
        losses = held_out.losses().values()
        seconds += time.monotonic() - begin
        return -sum(losses) / len(losses)

    trainer = Trainer(objective, schedule=params, seed=job.seed)
    if held_out.names:
        trainer.evaluation = Validation(score, params.evaluate_every or max(_APART, trainer.total // _EVALUATIONS))
    before = held_out.losses()
    begin, objective.seen, seconds = time.monotonic(), 0, 0.0
    records = train_in_folder(trainer, job, stage="pretrain", examples=counted(len(objective.rows(0)), "text"))
    spent = time.monotonic() - begin - seconds
    after = held_out.losses()
    kind.save(job.out, model)
    job.notices.say(f"{objective.seen / max(spent, 1e-9):,.0f} subwords/s ({objective.seen:,} in {spent:,.0f} s).")

    counts = {name: np.bincount(each.texts.values, minlength=len(model.regular)) for name, each in cut.items()}
    chance = held_out.frequency_losses(counts)
    results = [_result(name, each, before, after, chance) for name, each in cut.items()]
    _warn_of_control(results, job)
    _write_card(job.out, inputs, params, results)
    tenth = max(1, len(records) // 10)
    return Outcome(
        {
            "languages": len(cut),
            "texts": len(texts.texts),
            **({"pairs": len(pairs[0]), "pairs_held_out": held_out_pairs} if pairs else {}),
            "subwords": int(model.regular.sum()),
            "parameters": sum(each.numel() for each in model.encoder.module.parameters()),
            "held_out_lines": unseen,
            "held_out_in_text": seen,
            "lines_split": sum(each.split for each in cut.values()),
            "empty": objective.empty,
            "too_long": objective.too_long,
            "steps": trainer.total,
            "warmup_steps": trainer.warmup,
            "first_loss": mean_loss_of(records[:tenth]),
            "last_loss": mean_loss_of(records[-tenth:]),
            **({"best_step": trainer.best.step, "held_out_loss": -trainer.best.score} if trainer.best else {}),
        },
        results,
        [_table(results)],
    )


def _tell(cut: Mapping[str, CutText], too_long: int, held_out_pairs: int, held_out: HeldOutTexts, job: Job) -> None:
    """Tell what was cut or left out."""
    if split := sum(each.split for each in cut.values()):
        job.notices.say(f"{counted(split, 'long line')} cut into several texts.")
    if held_out_pairs:
        job.notices.say(f"{counted(held_out_pairs, 'sentence pair')} with a held-out line left out.")
    if too_long:
        job.notices.warn(
            f"{counted(too_long, 'sentence pair')} longer than the model accepts: left out.", "Raise --max-length."
        )
    if not held_out.names:
        job.notices.warn(
            "No lines are held out, so nothing shows what the model learned.", "Use more text, or give --dev."
        )


def _result(
    name: str, cut: CutText, before: Mapping[str, float], after: Mapping[str, float], chance: Mapping[str, float]
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "task": "pretrain",
        "language": name,
        "texts": len(cut.texts),
        "subwords_per_word": len(cut.texts.values) / max(1, cut.words),
        "unknown_share": cut.unknown / max(1, len(cut.texts.values)),
    }
    named = (("perplexity", after), ("perplexity_before", before), ("perplexity_of_frequencies", chance))
    return found | {key: math.exp(min(700.0, losses[name])) for key, losses in named if name in losses}


def _warn_of_control(results: Sequence[Mapping[str, Any]], job: Job) -> None:
    named = "perplexity", "perplexity_of_frequencies"
    worse = [each["language"] for each in results if named[0] in each and each[named[0]] >= each[named[1]]]
    if worse:
        job.notices.warn(
            f"The model predicts masked subwords of {', '.join(worse)} no better than the control, which predicts "
            "every subword by its frequency.",
            "Train longer (--steps), or on more text.",
        )


def _table(results: Sequence[Mapping[str, Any]]) -> Table:
    columns = ["language", "texts", "subwords per word", "unknown %", "perplexity", "before", "by frequency"]
    names = ("perplexity", "perplexity_before", "perplexity_of_frequencies")
    rows = [
        [
            str(each["language"]),
            f"{each['texts']:,}",
            f"{each['subwords_per_word']:.2f}",
            f"{100 * each['unknown_share']:.2f}",
            *(f"{each[name]:,.1f}" if name in each else "-" for name in names),
        ]
        for each in results
    ]
    note = (
        "Perplexity of masked subwords of held-out lines, which depends on the tokenizer. By frequency: the control, "
        "which predicts every subword by its frequency in the language."
    )
    return Table("Pretrained", columns, rows, note)


def _write_card(
    folder: Path, inputs: Mapping[str, Any], params: PretrainParams, results: Sequence[Mapping[str, Any]]
) -> None:
    files = ", ".join(f"`{path.name}` ({name})" for name, path in inputs["text"].items())
    start = f" It continues `{Path(inputs['encoder']).name}`." if inputs.get("encoder") else ""
    scores = ", ".join(
        f"{each['language']} {each['perplexity']:,.1f} (by frequency alone {each['perplexity_of_frequencies']:,.1f})"
        for each in results
        if "perplexity" in each
    )
    lines = [
        f"A masked language model, trained with lexenc on {files}: {' and '.join(params.objective)}, batch size "
        f"{params.batch_size}, AdamW, learning rate {params.learning_rate:g} ({params.schedule}).{start}",
        *([f"Perplexity of masked subwords of held-out lines: {scores}."] if scores else []),
        "It is a start for training, such as `lexenc train`: its sentence vectors, the means of its states, were "
        "never trained to be compared.",
    ]
    write_card(folder, model_card(result_name(folder), lines))


PRETRAIN = Stage(
    name="pretrain",
    version=1,
    inputs={
        "text": Input(
            "Text of a language with its name, e.g. en=en.txt; one sentence or paragraph per line. Give it once per "
            "language.",
            many=True,
            named=True,
        ),
        "pairs": Input(
            "For tlm: sentence pairs, 'source ||| target', source, TAB, target, TMX or XLIFF. Can be repeated.",
            required=False,
            many=True,
        ),
        "dev": Input(
            "Held-out text of a language with its name, e.g. en=dev.txt, or the share of the lines to hold out.",
            required=False,
            many=True,
            named=True,
            number="dev_share",
        ),
        "tokenizer": Input("Encoder whose tokenizer to use instead of a new one.", kind="encoder", required=False),
        "encoder": Input(
            "Language model to continue with, e.g. for a new language. It keeps its tokenizer.",
            kind="encoder",
            required=False,
        ),
    },
    params=PretrainParams,
    run=pretrain,
    makes=f"a language model that AutoModelForMaskedLM and SentenceTransformer load, and {HISTORY} with loss and "
    "learning rate per step.",
    examples=(
        "lexenc pretrain --text en=en.txt --text sw=sw.txt --preset tiny --out runs/lm",
        "lexenc pretrain --text en=en.txt --text sw=sw.txt --objective mlm,tlm --pairs en-sw.tsv --out runs/lm",
        "lexenc pretrain --text sw=sw.txt --encoder runs/lm --out runs/lm-sw",
    ),
    next_step="lexenc train --data PAIRS --encoder {out} --direction both --learning-rate 2e-4 --out {new:encoder}",
    uses_device=True,
    uses_seed=True,
    resumable=True,
    check=check_pretrain,
    resolve=resolve_pretrain,
)
