"""pretrain: text of some languages -> a language model with its own tokenizer."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lexenc.arrays import Ragged
from lexenc.artifact import UNFINISHED
from lexenc.durable import flush_tree, remove_tree, share
from lexenc.encoders import ENCODERS
from lexenc.encoders.card import model_card, write_card
from lexenc.encoders.load import check_transformer, encoder_kind
from lexenc.errors import ConfigError
from lexenc.files.text import counted
from lexenc.parameters import param
from lexenc.stage import Input, Job, Outcome, Stage, Table
from lexenc.stages.encoders.pretraining_presets import (
    NO_OBJECTIVES,
    SHAPE,
    SPECIFIC,
    USUAL_MODEL,
    kind_of,
    published_senses,
    values_of,
)
from lexenc.stages.encoders.pretraining_senses import (
    SenseParams,
    check_senses,
    give_senses_to,
    has_divided,
    rand_indices,
    read_pseudo_words,
    sense_values,
    tell_rand_indices,
    tell_usage,
    usage_of,
    uses_senses,
)
from lexenc.stages.encoders.pretraining_text import CutText, LanguageText, LineTokeniser, read_corpora, read_pairs
from lexenc.stages.reading import result_name
from lexenc.stages.training import mean_loss_of, train_in_folder
from lexenc.training import HISTORY, LANGUAGE_MODELS
from lexenc.training.schedule import StepSchedule, UpdateRule

if TYPE_CHECKING:
    from lexenc.training.language_models import HeldOut, LanguageModelKind, TextObjective, TrainableModel
    from lexenc.training.sense_aware.table import SenseTable
    from lexenc.training.trainer import StepRecord, Trainer

_EVALUATIONS, _APART = 20, 50  # of a run, by default, and the least number of steps between two of them

_OWN = "Leave it out: pretrain makes one of its own."
STEPS = "steps"
"""Folder with the copies of the model that --keep-every keeps."""


_MASKED, _WHOLE, _ELMO = (f"Options of --model {names}" for names in ("xlm-r and bert", "bert and elmo", "elmo"))


@dataclass(frozen=True)
class PretrainParams(SenseParams, StepSchedule):
    """Parameters of `pretrain`. None stands for a default that depends on the preset."""

    objective: tuple[Literal["mlm", "tlm"], ...] = param(
        ("mlm",),
        "What a masked language model learns. mlm: predict masked subwords of a line of --text. tlm: predict masked "
        "subwords of a sentence and its translation together (--pairs). Several, such as mlm,tlm, are mixed at random.",
    )
    preset: Literal["tiny", "small", "paper", "saelmo", "sabert-tiny", "bi-saelmo"] | None = param(
        None,
        "Sizes and length of the training. tiny: minutes on two cores. small: an afternoon on two cores for xlm-r, a "
        "day on a GPU for elmo. paper: the published model, XLM-R base, ELMo, or BERT-Tiny of the paper on senses. "
        "The models of that paper with senses: saelmo: of English, its Table 6. sabert-tiny: Table 7. bi-saelmo: of "
        "two languages, Table 8. Other options replace single values. By default small.",
    )
    layers: int | None = param(None, "Number of layers; of elmo in each direction.", ge=1)
    dimensions: int | None = param(
        None, "Width of the layers. A vector of xlm-r is as long, one of elmo twice: forward and backward.", ge=1
    )
    vocabulary: int | None = param(None, "Largest number of subwords, for bert and elmo of words.", ge=20)
    max_length: int | None = param(
        None,
        "Longest input in subwords, for elmo in words, special ones included. Longer lines are cut into several texts.",
        ge=8,
    )
    model: str | None = param(
        None, "Kind of language model. By default that of --preset, else xlm-r.", choices=LANGUAGE_MODELS
    )
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
    keep_every: int | None = param(
        None, "Steps after which a copy of the model is kept, in the folder steps of the result.", ge=1
    )
    max_steps: int | None = param(
        None,
        "Stop after so many steps, before the end of the schedule. The same command continues from there.",
        ge=1,
        affects_result=False,
    )
    epochs: int | None = param(None, "Passes over the text, instead of --steps.", ge=1)  # type: ignore[assignment]
    batch_size: int | None = param(None, "Texts per step.", ge=1)  # type: ignore[assignment]
    learning_rate: float | None = param(None, "Peak learning rate.", gt=0)  # type: ignore[assignment]
    optimiser: Literal["adamw", "adagrad"] | None = param(
        None, "adamw: AdamW. adagrad: Adagrad, by which the published ELMo was trained."
    )
    weight_decay: float | None = param(  # type: ignore[assignment]
        None, "Weight decay of AdamW. Biases and normalisation layers have none.", ge=0
    )
    schedule: Literal["linear", "constant"] | None = param(  # type: ignore[assignment]
        None, "Learning rate after the warm-up. linear: falls to 0. constant: stays at the peak."
    )
    warmup: float | None = param(  # type: ignore[assignment]
        None, "Share of the steps in which the learning rate rises to its peak.", ge=0, le=1
    )
    clip: float | None = param(  # type: ignore[assignment]
        None, "Maximum norm of the gradient. Use 0 for no clipping.", ge=0
    )
    heads: int | None = param(None, "Number of attention heads.", ge=1, group=_MASKED)
    input: Literal["words", "characters"] | None = param(
        None,
        "What the vector of a word is made of. words: a table with a vector per word. characters: a convolutional "
        "network over its characters, which knows no unknown words and is slower.",
        group=_ELMO,
    )
    cells: int | None = param(
        None,
        "Cells of each LSTM. If they are more or fewer than --dimensions, their output is projected, and cells and "
        "projections are limited to 3.",
        ge=1,
        group=_ELMO,
    )
    negatives: int | None = param(
        None,
        "Words that are sampled for the softmax of a step. With half of the vocabulary or more it is exact. More are "
        "slower.",
        ge=1,
        group=_ELMO,
    )
    sampling: Literal["log-uniform", "uniform"] | None = param(
        None,
        "How these words are sampled. log-uniform: by the rank of their frequency, with a correction. uniform: all "
        "alike.",
        group=_ELMO,
    )
    minimum_count: int | None = param(
        None, "Occurrences below which a word is not in the vocabulary.", ge=1, group=_WHOLE
    )
    cased: bool = param(False, "Distinguish upper and lower case.", group=_WHOLE)
    words: Literal["words", "spaces"] | None = param(
        None,
        "How text is split into words. words: words and punctuation by the classes of Unicode. spaces: at spaces only, "
        "for tokenised text.",
        group=_WHOLE,
    )
    vector: str | None = param(
        None,
        "Layer of text vectors: mean (of all layers), concat (all of them), or a number, 0 for the input.",
        group=_ELMO,
    )

    @property
    def update_rule(self) -> UpdateRule:
        """The optimiser."""
        return self.optimiser or "adamw"


def resolve_pretrain(inputs: Mapping[str, Any], params: PretrainParams) -> PretrainParams:
    """Return the parameters with the values of the preset."""
    preset = None if inputs.get("encoder") else params.preset or "small"
    params = _with_kind(params)
    table = dict(values_of(str(params.model), preset))
    if params.model in NO_OBJECTIVES:
        params = replace(params, objective=())
    if params.epochs is not None:
        table.pop("steps")
    if inputs.get("tokenizer"):
        table.pop("vocabulary", None)
    if not inputs.get("dev"):
        table["dev_share"] = 0.01
    table |= sense_values(inputs, replace(params, preset=preset))
    found = {name: value for name, value in table.items() if getattr(params, name) is None}
    return replace(params, preset=preset, **found)


def _with_kind(params: PretrainParams) -> PretrainParams:
    """Return the parameters with a kind of models and a number of senses."""
    kind = kind_of(params.preset)
    senses = published_senses(kind, params.preset)["senses"] if kind else 1
    return replace(params, model=params.model or kind or USUAL_MODEL, senses=params.senses or senses)


def check_pretrain(inputs: Mapping[str, Any], params: PretrainParams) -> list[ConfigError]:
    """Return the errors that involve more than one option."""
    faults: list[ConfigError] = []
    params, kind = _with_kind(params), kind_of(params.preset)
    if kind and params.model != kind:
        message = f"--preset {params.preset} is of --model {kind}, not {params.model}."
        return [ConfigError(message, hint="Leave --model out.")]
    kept = "The encoder of --encoder has a shape and a tokenizer, which stay as they are."
    if inputs.get("encoder"):
        given = [name for name in ("preset", *SHAPE) if getattr(params, name) not in (None, False)]
        given += ["tokenizer"] if inputs.get("tokenizer") else []
        faults += [
            ConfigError(f"--encoder and --{name.replace('_', '-')} exclude each other.", hint=kept) for name in given
        ]
    if inputs.get("tokenizer") and params.vocabulary is not None:
        faults.append(
            ConfigError("--tokenizer and --vocabulary exclude each other.", hint="The tokenizer has its own subwords.")
        )
    if params.epochs is not None and params.steps is not None:
        faults.append(ConfigError("--epochs and --steps exclude each other.", hint="Give one of them."))
    if inputs.get("dev") and params.dev_share is not None:
        faults.append(ConfigError("--dev and --dev-share exclude each other.", hint="Give one of them."))
    faults += _check_model(inputs, params)
    faults += check_senses(inputs, params)
    if params.model in NO_OBJECTIVES:
        return faults
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


def _check_model(inputs: Mapping[str, Any], params: PretrainParams) -> list[ConfigError]:
    """Return the errors of options that the kind of model does not have."""
    named = [name for name, kinds in SPECIFIC.items() if params.model not in kinds]
    given = [name.replace("_", "-") for name in named if getattr(params, name) not in (None, False)]
    if params.model in NO_OBJECTIVES:
        given += ["objective"] if params.objective != ("mlm",) else []
        given += ["pairs"] if inputs.get("pairs") else []
    faults = [
        ConfigError(f"--{name} has no effect with --model {params.model}.", hint="Leave it out.") for name in given
    ]
    vector, layers = params.vector, resolve_pretrain(inputs, params).layers
    if vector and vector not in ("mean", "concat"):
        if not vector.isdecimal():
            faults.append(
                ConfigError(f"There is no layer '{vector}'.", hint="Use mean, concat, or a number from 0 on.")
            )
        elif layers and int(vector) > layers:
            faults.append(
                ConfigError(f"There is no layer {vector}.", hint=f"Use a layer from 0 to {layers}, mean or concat.")
            )
    return faults


# ---------------------------------------------------------------- model


def _open_model(
    kind: LanguageModelKind,
    inputs: Mapping[str, Any],
    params: PretrainParams,
    corpora: Sequence[LanguageText],
    job: Job,
) -> TrainableModel:
    """Load the model to continue with, or make one."""
    from lexenc.device import CPU
    from lexenc.training.trainer import own_randomness

    options = vars(params)
    with own_randomness(job.seed, "new head", CPU.torch):
        if inputs.get("encoder"):
            _check_kind(inputs["encoder"], kind, params.model)
            model: TrainableModel = kind.open(inputs["encoder"], device=job.device, max_length=params.max_length)
            if model.fresh:
                job.notices.warn(
                    f"The encoder has no head that predicts {kind.predicts}. A new one is trained with it.",
                    "Use the language model that it was made from.",
                )
            return model
        if inputs.get("tokenizer"):
            _check_kind(inputs["tokenizer"], kind, params.model)
            tokenizer = kind.tokenizer_of(inputs["tokenizer"])
        else:
            with job.progress.task(f"learn {kind.unit}", None, "lines") as task:
                lines = {corpus.name: _advancing(corpus.lines(), task) for corpus in corpora}
                tokenizer = kind.tokenizer(lines, options)
            size, wanted = tokenizer.get_vocab_size(), params.vocabulary or 0
            if size < wanted:
                job.notices.say(f"The text has {size:,} {kind.unit}, fewer than the vocabulary of {wanted:,}.")
        start = job.out / "start"
        try:
            kind.create(start, tokenizer, options, seed=job.seed)
            opened: TrainableModel = kind.open(start, device=job.device, max_length=params.max_length)
            return opened
        finally:
            remove_tree(start)


def _check_kind(folder: Path, kind: LanguageModelKind, model: str | None) -> None:
    found = encoder_kind(folder)
    if found == kind.encoder_kind:
        return
    if kind.encoder_kind == "transformer":
        check_transformer(folder, "pretrain", hint="Add --model elmo." if found == "elmo" else _OWN)
    raise ConfigError(
        f"--model {model} needs an encoder of kind {kind.encoder_kind}, and {folder} is of kind {found}.", hint=_OWN
    )


def _advancing(lines: Iterable[str], task: Any) -> Iterator[str]:
    for line in lines:
        yield line
        task.advance(1)


# ---------------------------------------------------------------- run


@dataclass(frozen=True)
class _Lesson:
    """A model, what it learns and what it is scored on.

    Args:
        kind: Kind of the model.
        model: The model.
        cut: The training text of each language, with pseudo-words.
        pairs: Number of sentence pairs. None without.
        pairs_held_out: Number of pairs that were left out for a held-out line.
        pseudo: Pseudo-words, see `read_pseudo_words`.
        tables: Tables of senses, by name. Empty for a plain model.
        facts: Numbers of them for the result.
        objective: What the model learns.
        held_out: What it is scored on.
        unseen: Number of held-out lines that are scored.
        seen: Number of held-out lines that are not, because they are in the training text.
    """

    kind: LanguageModelKind
    model: Any
    cut: Mapping[str, CutText]
    pairs: int | None
    pairs_held_out: int
    pseudo: Sequence[tuple[int, int]]
    tables: Mapping[str, SenseTable]
    facts: Mapping[str, Any]
    objective: TextObjective
    held_out: HeldOut
    unseen: int
    seen: int


def _prepare(inputs: dict[str, Any], params: PretrainParams, job: Job) -> _Lesson:
    """Read the text, and make the model or load it."""
    from lexenc.training.language_models import LanguageTexts
    from lexenc.training.sense_aware.pseudo_words import merge_words

    kind: LanguageModelKind = LANGUAGE_MODELS[str(params.model)]
    corpora = read_corpora(inputs, params.dev_share, kind.most_held_out, job)
    model = _open_model(kind, inputs, params, corpora, job)
    tokeniser = LineTokeniser(model)
    cut = {corpus.name: tokeniser.cut(corpus.lines(), job) for corpus in corpora}
    pairs, pairs_held_out = read_pairs(inputs, tokeniser, corpora, job)
    pseudo = read_pseudo_words(inputs.get("pseudo_words"), model, job)
    merged = {name: merge_words(each.texts, pseudo) for name, each in cut.items()}
    cut = {name: replace(each, texts=merged[name][0]) for name, each in cut.items()}
    labels = Ragged.joined([own for _, own in merged.values()]) if pseudo else None
    texts = LanguageTexts.of({name: each.texts for name, each in cut.items()})
    tables: dict[str, SenseTable] = {}
    facts: dict[str, Any] = {}
    if uses_senses(inputs, params):
        model, tables, facts = give_senses_to(kind, model, inputs.get("dictionary"), params, texts.texts, pseudo, job)
    objective = kind.objective(model, texts, pairs, vars(params) | {"labels": labels}, seed=job.seed)
    dev = {corpus.name: merge_words(tokeniser.cut(corpus.unseen, job).texts, pseudo)[0] for corpus in corpora}
    unseen = sum(len(corpus.unseen) for corpus in corpora)
    return _Lesson(
        kind=kind,
        model=model,
        cut=cut,
        pairs=len(pairs[0]) if pairs else None,
        pairs_held_out=pairs_held_out,
        pseudo=pseudo,
        tables=tables,
        facts=facts,
        objective=objective,
        held_out=kind.held_out(model, LanguageTexts.of(dev), seed=job.seed),
        unseen=unseen,
        seen=sum(len(corpus.held_out) for corpus in corpora) - unseen,
    )


def _train(lesson: _Lesson, params: PretrainParams, job: Job) -> tuple[Trainer, list[dict[str, Any]]]:
    """Train the model, and keep copies of it. Return the trainer after its run, and what it did in each step."""
    from lexenc.training.trainer import Trainer, Validation

    held_out, objective, kind = lesson.held_out, lesson.objective, lesson.kind
    scoring = 0.0

    def score() -> float:
        nonlocal scoring
        begin = time.monotonic()
        # The weights of the warm-up have no senses yet.
        losses = held_out.losses().values() if has_divided(lesson.tables) else [math.nan]
        scoring += time.monotonic() - begin
        return -sum(losses) / len(losses)

    trainer = Trainer(objective, schedule=params, seed=job.seed)
    if held_out.names:
        trainer.evaluation = Validation(score, params.evaluate_every or max(_APART, trainer.total // _EVALUATIONS))
    copies = job.out / UNFINISHED / STEPS

    def keep(done: StepRecord) -> None:
        if params.keep_every and done.step % params.keep_every == 0:
            place = copies / f"{done.step:0{len(str(trainer.total))}}"
            remove_tree(place)
            place.mkdir(parents=True)
            kind.save(place, lesson.model)
            flush_tree(copies)  # before the checkpoint, after which no one makes them again

    begin, objective.seen = time.monotonic(), 0
    examples = counted(len(objective.rows(0)), "text")
    records = train_in_folder(
        trainer, job, stage="pretrain", examples=examples, record=keep, stop_after=params.max_steps
    )
    # A second name each: killed from here on, the next run resumes after the last step and finds them still.
    for path in sorted(each for each in copies.rglob("*") if each.is_file()):
        target = job.out / STEPS / path.relative_to(copies)
        target.parent.mkdir(parents=True, exist_ok=True)
        share(path, target)
    spent = time.monotonic() - begin - scoring
    job.notices.say(f"{objective.seen / max(spent, 1e-9):,.0f} {kind.unit}/s ({objective.seen:,} in {spent:,.0f} s).")
    return trainer, records


def pretrain(inputs: dict[str, Any], params: PretrainParams, job: Job) -> Outcome:
    """Train a language model on text and write it with its head."""
    lesson = _prepare(inputs, params, job)
    kind, held_out = lesson.kind, lesson.held_out
    _tell(lesson, job)
    before = held_out.losses()
    trainer, records = _train(lesson, params, job)
    after = held_out.losses()
    kind.save(job.out, lesson.model)
    chance = held_out.frequency_losses({name: each.texts for name, each in lesson.cut.items()})
    results = [_result(kind, name, each, before, after, chance) for name, each in lesson.cut.items()]
    _warn_of_control(kind, results, job)
    _write_card(kind, job.out, inputs, params, results)
    usage = usage_of(lesson.tables)
    summary = _summary(lesson, trainer, records)
    if usage:
        summary["senses"] = usage
    if lesson.pseudo:
        rand = rand_indices(lesson.objective, lesson.tables, [one for one, _ in lesson.pseudo])
        summary |= {"pseudo_words": len(lesson.pseudo), "pseudo_words_rand_index": rand}
        tell_rand_indices(rand, job)
    return Outcome(summary, results, [_table(kind, results), *([tell_usage(usage, job)] if usage else [])])


def _summary(lesson: _Lesson, trainer: Trainer, records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    model, objective, tenth = lesson.model, lesson.objective, max(1, len(records) // 10)
    return {
        "languages": len(lesson.cut),
        "texts": sum(len(each.texts) for each in lesson.cut.values()),
        **({} if lesson.pairs is None else {"pairs": lesson.pairs, "pairs_held_out": lesson.pairs_held_out}),
        lesson.kind.unit: int(model.regular.sum()),
        "parameters": sum(each.numel() for each in model.encoder.module.parameters()),
        "held_out_lines": lesson.unseen,
        "held_out_in_text": lesson.seen,
        "lines_split": sum(each.split for each in lesson.cut.values()),
        "empty": objective.empty,
        "too_long": objective.too_long,
        "steps": trainer.total,
        "warmup_steps": trainer.warmup,
        "first_loss": mean_loss_of(records[:tenth]),
        "last_loss": mean_loss_of(records[-tenth:]),
        **({"best_step": trainer.best.step, "held_out_loss": -trainer.best.score} if trainer.best else {}),
        **lesson.facts,
    }


def _tell(lesson: _Lesson, job: Job) -> None:
    """Tell what was held out, cut or left out."""
    others = f" {lesson.seen:,} others are in the training text, and not scored." if lesson.seen else ""
    job.notices.say(f"{counted(lesson.unseen, 'line')} held out.{others}")
    if split := sum(each.split for each in lesson.cut.values()):
        job.notices.say(f"{counted(split, 'long line')} cut into several texts.")
    if lesson.pairs_held_out:
        job.notices.say(f"{counted(lesson.pairs_held_out, 'sentence pair')} with a held-out line left out.")
    if too_long := lesson.objective.too_long:
        job.notices.warn(
            f"{counted(too_long, 'sentence pair')} longer than the model accepts: left out.", "Raise --max-length."
        )
    if not lesson.held_out.names:
        job.notices.warn(
            "No lines are held out, so nothing shows what the model learned.", "Use more text, or give --dev."
        )


def _result(
    kind: LanguageModelKind,
    name: str,
    cut: CutText,
    before: Mapping[str, float],
    after: Mapping[str, float],
    chance: Mapping[str, float],
) -> dict[str, Any]:
    found: dict[str, Any] = {"task": "pretrain", "language": name, "texts": len(cut.texts)}
    size = len(cut.texts.values)
    found |= {"subwords_per_word": size / max(1, cut.words)} if kind.unit == "subwords" else {kind.unit: size}
    found["unknown_share"] = cut.unknown / max(1, size)
    named = (("perplexity", after), ("perplexity_before", before), ("perplexity_of_frequencies", chance))
    return found | {key: math.exp(min(700.0, losses[name])) for key, losses in named if name in losses}


def _warn_of_control(kind: LanguageModelKind, results: Sequence[Mapping[str, Any]], job: Job) -> None:
    named = "perplexity", "perplexity_of_frequencies"
    worse = [each["language"] for each in results if named[0] in each and each[named[0]] >= each[named[1]]]
    if worse:
        job.notices.warn(
            f"The model predicts {kind.predicts} of {', '.join(worse)} no better than the control, which predicts "
            f"every {kind.unit.removesuffix('s')} by its frequency.",
            "Train longer (--steps), or on more text.",
        )


def _table(kind: LanguageModelKind, results: Sequence[Mapping[str, Any]]) -> Table:
    subwords = kind.unit == "subwords"
    columns = ["language", "texts", "subwords per word" if subwords else kind.unit, "unknown %"]
    names = ("perplexity", "perplexity_before", "perplexity_of_frequencies")
    rows = [
        [
            str(each["language"]),
            f"{each['texts']:,}",
            f"{each['subwords_per_word']:.2f}" if subwords else f"{each[kind.unit]:,}",
            f"{100 * each['unknown_share']:.2f}",
            *(f"{each[name]:,.1f}" if name in each else "-" for name in names),
        ]
        for each in results
    ]
    one = kind.unit.removesuffix("s")
    note = (
        f"Perplexity of {kind.predicts} of held-out lines, which depends on the {'tokenizer' if subwords else 'words'}"
    )
    note += " of the vocabulary. " if not subwords else ". "
    note += f"By frequency: the control, which predicts every {one} by its frequency in the language."
    return Table("Pretrained", [*columns, "perplexity", "before", "by frequency"], rows, note)


def _write_card(
    kind: LanguageModelKind,
    folder: Path,
    inputs: Mapping[str, Any],
    params: PretrainParams,
    results: Sequence[Mapping[str, Any]],
) -> None:
    files = ", ".join(f"`{path.name}` ({name})" for name, path in inputs["text"].items())
    start = f" It continues `{Path(inputs['encoder']).name}`." if inputs.get("encoder") else ""
    scores = ", ".join(
        f"{each['language']} {each['perplexity']:,.1f} (by frequency alone {each['perplexity_of_frequencies']:,.1f})"
        for each in results
        if "perplexity" in each
    )
    optimiser = {"adagrad": "Adagrad", "adamw": "AdamW"}[params.update_rule]
    lines = [
        f"{kind.card(vars(params))}, trained with lexenc on {files}, batch size {params.batch_size}, {optimiser}, "
        f"learning rate {params.learning_rate:g} ({params.schedule}).{start}",
        *([f"Perplexity of {kind.predicts} of held-out lines: {scores}."] if scores else []),
        "It is a start for training, such as `lexenc train`: its sentence vectors, the means of its states, were "
        "never trained to be compared.",
    ]
    library = getattr(ENCODERS[kind.encoder_kind], "library", "sentence-transformers")
    write_card(folder, model_card(result_name(folder), lines, library=library))


PRETRAIN = Stage(
    name="pretrain",
    version=2,
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
        "dictionary": Input(
            "Word pairs of two languages, source and target. Each word also learns to predict the sense of its "
            "translation that fits the context. Both directions are used.",
            required=False,
        ),
        "pseudo_words": Input(
            "For elmo: pairs of words to merge into one, whose right senses are then known. A control of how senses "
            "are chosen.",
            required=False,
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
    makes=f"a language model (xlm-r: AutoModelForMaskedLM and SentenceTransformer load it), and {HISTORY} with loss "
    "and learning rate per step.",
    examples=(
        "lexenc pretrain --text en=en.txt --text sw=sw.txt --preset tiny --out runs/lm",
        "lexenc pretrain --text en=en.txt --text sw=sw.txt --objective mlm,tlm --pairs en-sw.tsv --out runs/lm",
        "lexenc pretrain --text sw=sw.txt --encoder runs/lm --out runs/lm-sw",
        "lexenc pretrain --model elmo --preset tiny --text en=en.txt --out runs/elmo",
        "lexenc pretrain --model elmo --senses 3 --text en=en.txt --text de=de.txt --dictionary d.tsv --out runs/bi",
    ),
    next_step="lexenc train --data PAIRS --encoder {out} --direction both --learning-rate 2e-4 --out {new:encoder}",
    uses_device=True,
    uses_seed=True,
    resumable=True,
    check=check_pretrain,
    resolve=resolve_pretrain,
)
