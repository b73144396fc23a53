"""train: sentences, pairs of them, or natural language inference + encoder -> sentence encoder."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lexenc.arrays import blocks
from lexenc.artifact import UNFINISHED, Manifest
from lexenc.encoders import ENCODERS
from lexenc.encoders.base import Encoder, Pooling
from lexenc.encoders.load import check_transformer
from lexenc.errors import ConfigError, unknown_name
from lexenc.files.text import counted
from lexenc.files.vectors import new_table
from lexenc.parameters import param
from lexenc.sentences import OBJECTIVES, RANKING, TEACHER
from lexenc.stage import Input, Job, Outcome, Stage
from lexenc.stages.reading import POOLING, open_encoder, result_name
from lexenc.stages.sentences.links import read_word_links
from lexenc.stages.sentences.sources import (
    DATA,
    DATA_GROUP,
    DEV,
    DEV_GROUP,
    SOURCE,
    TARGET,
    DevelopmentSet,
    SourceParams,
    Sources,
    check_sources,
    given_sources,
    number_of_sources,
    read_sources,
    resolve_sources,
)
from lexenc.stages.training import mean_loss_of, train_in_folder
from lexenc.training import LOSSES
from lexenc.training.data import PairData, number_pairs, store_tokens
from lexenc.training.schedule import StepSchedule

if TYPE_CHECKING:
    from lexenc.arrays import Ragged
    from lexenc.encoders.masked_language import MaskedHead
    from lexenc.sentences.objective import Teacher
    from lexenc.sentences.terms import Term
    from lexenc.sentences.words import LinkedWords
    from lexenc.training.losses import Loss
    from lexenc.training.trainer import Validation

_TOGETHER = 8192
# Parameters that have a meaning with some objectives or data only, and their defaults there.
_OF_RANKING = {"direction": "forward", "margin": 0.0, "temperature": 0.05, "hard_negative_weight": 0.0,
               "projection": "none"}  # fmt: skip
_OF_SEVERAL = {"mix": "rows", "language_sampling": 1.0}
_OF_WORDS = {"min_score": 0.0, "word_temperature": 0.05, "masked_words": 0.5, "output_vocabulary": "corpus"}
_BY_NEED = {"min_score": "needs_links", "output_vocabulary": "needs_head"}


def _check_objective(text: str, label: str) -> None:
    _weighted(text, label)


def _weighted(text: str, label: str) -> tuple[str, float]:
    """Split `NAME:WEIGHT`; the weight is 1 without one."""
    name, sign, number = text.partition(":")
    if name not in (names := (RANKING, *OBJECTIVES, TEACHER)):
        raise unknown_name("objective", name, names)
    try:
        weight = float(number) if sign else 1.0
    except ValueError:
        weight = -1.0
    if not 0 < weight < float("inf"):
        raise ConfigError(
            f"{label}: the weight of {name} must be a number above 0, got '{number}'.",
            hint="E.g. tr:0.8,awp:0.1,wtr:0.1.",
        )
    return name, weight


def _weights(objective: Sequence[str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, weight in (_weighted(each, "--objective") for each in objective):
        if name in found:
            raise ConfigError(f"--objective names {name} twice.", hint="Give each objective once, with one weight.")
        found[name] = weight
    return found


def _shown(weights: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {weight:g}" for name, weight in weights.items())


def _needing(need: str, names: Iterable[str]) -> list[str]:
    """Return the objectives whose classes have an attribute such as `needs_links`."""
    return [name for name in names if name in OBJECTIVES and getattr(OBJECTIVES[name], need, False)]


def _options(name: str) -> Mapping[str, str]:
    """Return the arguments of an objective by the parameters that they are taken from."""
    found: Mapping[str, str] = getattr(OBJECTIVES[name], "options", {}) if name in OBJECTIVES else {}
    return found


def _reading(option: str, names: Iterable[str]) -> list[str]:
    """Return the objectives that a parameter of `_OF_WORDS` has a meaning for."""
    if option in _BY_NEED:
        return _needing(_BY_NEED[option], names)
    return [name for name in names if option in _options(name)]


_RANK, _WORDS = "Ranking of sentences", "Objectives over words"


@dataclass(frozen=True)
class TrainParams(SourceParams, StepSchedule):
    """Parameters of `train`. None stands for a default that depends on the encoder or the data."""

    epochs: int | None = param(  # type: ignore[assignment]
        None, "Passes over the training data. By default 1, unless --steps is given.", ge=1
    )
    batch_size: int = param(
        128, "Pairs per step. The other pairs of a step are the in-batch negatives of each pair.", ge=1
    )
    learning_rate: float | None = param(  # type: ignore[assignment]
        None, "Peak learning rate. By default 2e-5, and 1e-3 for static encoders.", gt=0
    )
    weight_decay: float = param(0.0, "Weight decay of AdamW. Biases and normalisation layers have none.", ge=0)
    warmup: float = param(0.0, "Share of the steps in which the learning rate rises to its peak.", ge=0, le=1)
    chunk_tokens: int = param(
        32_768,
        "Maximum number of tokens in one pass. A larger step is cached in chunks: the same negatives and the same "
        "gradient with less memory, more slowly. It changes only dropout.",
        ge=1,
    )
    objective: tuple[str, ...] = param(
        (),
        "Objectives with weights, as in tr:0.8,awp:0.1,wtr:0.1. tr: rank the positive above the other sentences of the "
        "step. awp: predict a word from its masked translation. wtr: rank the translation of a word above the other "
        "words of its sentence. rtl: predict a translation from the states of a sentence. tlm: predict masked subwords "
        "of a sentence and its translation together. mlm: of a sentence alone. teacher: match the vectors of "
        "--teacher. awp and wtr need --alignments; they are sums over the words of a pair, and tens of times larger "
        "than tr. By default tr; with --teacher, teacher alone.",
        check=_check_objective,
    )
    direction: Literal["forward", "both"] | None = param(
        None,
        "forward: only positives are ranked for anchors, as in the papers. both: anchors are ranked for positives too. "
        "By default forward.",
        group=_RANK,
    )
    temperature: float | None = param(
        None,
        "Divides the cosines. Smaller values weigh hard negatives more. By default 0.05.",
        ge=0.001,
        group=_RANK,
    )
    margin: float | None = param(
        None,
        "Additive margin: the cosine of a pair must exceed those of its negatives by it. By default 0.",
        ge=0,
        le=2,
        group=_RANK,
    )
    hard_negative_weight: float | None = param(
        None,
        "Added to the logit of the own hard negatives of a pair, as in SimCSE. Larger values weigh them more. By "
        "default 0.",
        group=_RANK,
    )
    projection: Literal["none", "train-only"] | None = param(
        None,
        "train-only: rank the outputs of a dense layer with tanh, which is not kept, as mSimCSE does. none: rank the "
        "vectors themselves. By default none.",
        group=_RANK,
    )
    mix: Literal["rows", "batches"] | None = param(
        None,
        "rows: a step mixes the pairs of all --data. batches: the pairs of a step are of one of them. By default rows.",
        group=DATA_GROUP,
    )
    language_sampling: float | None = param(
        None,
        "Exponent on the sizes of the --data. 1: every pair once per epoch. Smaller values draw more pairs of small "
        "files, and 0 equally many of all. By default 1.",
        ge=0,
        le=1,
        group=DATA_GROUP,
    )
    language_embedding: bool = param(
        False,
        "Learn an embedding of the language of each text, which is added to its subwords. Files need languages: "
        "--data en-sw=train.tsv. Use it afterwards with encode --language.",
        group=DATA_GROUP,
    )
    min_score: float | None = param(None, "Minimum score of a word link. By default 0.", ge=0, le=1, group=_WORDS)
    word_temperature: float | None = param(
        None, "Divides the cosines of words in wtr. By default 0.05.", ge=0.001, group=_WORDS
    )
    masked_words: float | None = param(
        None,
        "Share of the linked words that awp masks at a time, drawn anew in every step; the loss counts for all. "
        "Smaller values leave more context and take less time. By default 0.5. The paper masks one word at a time.",
        gt=0,
        le=1,
        group=_WORDS,
    )
    output_vocabulary: Literal["corpus", "full"] | None = param(
        None,
        "Subwords among which masked ones are predicted. corpus: those that occur in the texts, which is faster. full: "
        "the whole vocabulary. By default corpus.",
        group=_WORDS,
    )
    dev_metric: Literal["retrieval", "sts"] | None = param(
        None,
        "retrieval: how often the nearest text of the other side is a translation, the mean of both directions and of "
        "all --dev files. A text that occurs several times counts once, and each of its translations is right, unlike "
        "in eval retrieval, which counts lines. sts: Spearman correlation with scores. By default retrieval.",
        group=DEV_GROUP,
    )
    evaluate_every: int | None = param(
        None, "Number of steps between evaluations. By default the steps of an epoch.", ge=1, group=DEV_GROUP
    )
    freeze: Literal["none", "embeddings"] = param(
        "none",
        "embeddings: do not train the vectors of subwords, which saves memory and leaves the subword vectors of other "
        "languages unchanged. A prediction head with subword vectors of its own is still trained.",
    )
    pooling: Pooling = param("auto", POOLING + " The papers use cls.")
    max_length: int | None = param(
        None,
        "Longest text in tokens, also of the trained encoder. Longer texts are truncated. The papers use 32.",
        ge=1,
    )


def _objective(inputs: Mapping[str, Any], params: TrainParams) -> tuple[str, ...]:
    return params.objective or (TEACHER if inputs.get("teacher") else RANKING,)


def resolve_train(inputs: Mapping[str, Any], params: TrainParams) -> TrainParams:
    """Return the parameters with the defaults that depend on others."""
    objective = _objective(inputs, params)
    names = _weights(objective)
    table: dict[str, Any] = {option: value for option, value in _OF_WORDS.items() if _reading(option, names)}
    table |= _OF_RANKING if RANKING in names else {}
    table |= _OF_SEVERAL if number_of_sources(inputs) > 1 else {}
    if params.steps is None:
        table["epochs"] = 1
    if inputs.get("dev") or params.dev_share:
        table["dev_metric"] = "retrieval"
    found = {name: value for name, value in table.items() if getattr(params, name) is None}
    return replace(params, objective=objective, **found, **resolve_sources(inputs, params))


def train(inputs: dict[str, Any], params: TrainParams, job: Job) -> Outcome:
    """Train a sentence encoder and write it as a sentence-transformers folder."""
    from lexenc.sentences.objective import SentenceObjective
    from lexenc.training.mixture import Mixture
    from lexenc.training.trainer import Trainer

    weights = _weights(params.objective)
    encoder = open_encoder(inputs["encoder"], params.pooling, job, max_length=params.max_length, training=True)
    sources = read_sources(inputs, params, job)
    _check_encoder(encoder, inputs["encoder"], sources, weights)
    sources = _with_languages(encoder, sources, params.language_embedding, job)
    data = sources.data
    if params.freeze == "embeddings":
        _freeze_embeddings(encoder)
    _warn_of_temperature(params, len(data), job)
    schedule = replace(params, learning_rate=params.learning_rate or ENCODERS[encoder.kind].learning_rate)
    tokens = store_tokens(encoder.tokenise, data.texts, progress=job.progress)
    cut = _truncated(encoder, tokens, job)
    job.notices.say(f"Objective: {_shown(weights)}.")
    words = _words(inputs, params, job, encoder, sources) if _needing("needs_links", weights) else None
    terms = _terms(inputs, params, job, encoder, sources, tokens, words, weights)
    objective = SentenceObjective(
        encoder,
        data,
        tokens,
        ranking=_ranking(params) if RANKING in weights else None,
        terms=terms,
        weights=weights,
        projection=_projection(params, encoder, job),
        teacher=_teacher(inputs["teacher"], encoder, sources, job) if TEACHER in weights else None,
        mixture=Mixture(*_mixing(params), job.seed),
    )
    evaluation = _validation(
        params, encoder, sources, params.evaluate_every or len(objective.steps(0, schedule.batch_size, job.seed))
    )
    before = _score_before(encoder, evaluation)
    trainer = Trainer(objective, schedule=schedule, seed=job.seed, evaluation=evaluation)
    pairs = counted(len(sources.data), "pair")
    steps = train_in_folder(trainer, job, stage="train", examples=pairs)
    encoder.save(job.out)
    _write_card(job.out, inputs, schedule, sources, weights)
    tenth = max(1, len(steps) // 10)
    counts = {
        "left_out": sum(sum(each["left_out"].values()) for each in sources.counts),
        "truncated_texts": cut,
        **_counts_of_links(words),
        **_pairs_too_long(terms, job),
    }
    return Outcome(
        {
            "pairs": len(data),
            "sources": sources.counts,
            **({"development_pairs": sources.development_pairs} if sources.development else {}),
            **{name: count for name, count in counts.items() if count},
            **({"languages": sources.languages} if params.language_embedding else {}),
            **(
                {"effective_negatives": round(objective.effective_negatives(schedule.batch_size, job.seed), 1)}
                if RANKING in weights
                else {}
            ),
            "steps": trainer.total,
            "warmup_steps": trainer.warmup,
            "peak_learning_rate": max(step["learning_rate"] for step in steps),
            "first_loss": mean_loss_of(steps[:tenth]),
            "last_loss": mean_loss_of(steps[-tenth:]),
            **({} if before is None else {"dev_score_before": before}),
            **({"best_step": trainer.best.step, "dev_score": trainer.best.score} if trainer.best else {}),
        }
    )


# ---------------------------------------------------------------- encoder


def _check_encoder(encoder: Encoder, folder: Path, sources: Sources, weights: Mapping[str, float]) -> None:
    """Refuse an encoder that cannot learn what is wanted."""
    words = [name for name in weights if name in OBJECTIVES]
    if words:
        check_transformer(folder, f"The objective {words[0]}", hint="Use --objective tr, or another encoder.")
    if any(each["kind"] == "unsupervised" for each in sources.counts) and not _has_dropout(encoder):
        raise ConfigError(
            f"The encoder {folder} has no dropout, so that both views of a sentence would be the same vector.",
            hint="Unsupervised data needs a transformer with dropout. Use pairs: --data parallel:PATH or nli:PATH.",
        )


def _has_dropout(encoder: Encoder) -> bool:
    from torch import nn

    return any(isinstance(part, nn.Dropout) and part.p > 0 for part in encoder.module.modules())


def _freeze_embeddings(encoder: Any) -> None:
    """Keep the vectors of subwords as they are."""
    if not ENCODERS[encoder.kind].language_model:
        raise ConfigError(
            f"--freeze embeddings would leave nothing to learn in a {encoder.kind} encoder.", hint="Use --freeze none."
        )
    encoder.module[0].auto_model.get_input_embeddings().weight.requires_grad_(False)


def _truncated(encoder: Encoder, tokens: Ragged, job: Job) -> int:
    """Return the number of texts that fill the longest input of the encoder, and warn of them."""
    longest = getattr(encoder, "longest", None)
    found = int((tokens.lengths >= longest).sum()) if longest else 0
    if found:
        job.notices.warn(
            f"{found:,} of {counted(len(tokens), 'text')} have {longest:,} subwords or more, and are truncated there.",
            "Use a larger --max-length, if the encoder can take it.",
        )
    return found


def _with_languages(encoder: Any, sources: Sources, wanted: bool, job: Job) -> Sources:
    """Give the encoder a vector for each language that it lacks, and number languages from here on as it does.

    Without a language embedding, no text has a language from here on.
    """
    data, names = sources.data, sources.languages
    if not wanted:
        return replace(sources, data=replace(data, languages=None))
    if data.languages is None:
        raise ConfigError(
            "--language-embedding needs the languages of the data.", hint="Name them: --data en-sw=train.tsv."
        )
    if not ENCODERS[encoder.kind].language_model:
        raise ConfigError(
            f"--language-embedding needs a transformer, and the encoder is of kind {encoder.kind}.",
            hint="Leave it out.",
        )
    if nameless := int((data.languages == 0).sum()):
        job.notices.warn(
            f"{nameless:,} of {counted(len(data.texts), 'text')} get no language embedding, because their data do not "
            "name the language.",
            "Name it: --data en-sw=train.tsv.",
        )
    encoder.add_languages([name for name in names if name not in encoder.languages], seed=job.seed)
    numbers = np.array([0, *(1 + encoder.languages.index(name) for name in names)])[data.languages]
    return replace(sources, data=replace(data, languages=numbers), languages=list(encoder.languages))


def _projection(params: TrainParams, encoder: Encoder, job: Job) -> Any:
    from lexenc.sentences.objective import train_only_projection

    if params.projection != "train-only":
        return None
    return train_only_projection(encoder.dimensions, seed=job.seed).to(job.device.torch)


# ---------------------------------------------------------------- objective


def _ranking(params: TrainParams) -> Loss:
    loss: Loss = LOSSES["mneg" if params.direction == "forward" else "symmetric"]
    assert params.temperature is not None
    return partial(
        loss, scale=1 / params.temperature, margin=params.margin, negative_weight=params.hard_negative_weight
    )


def _mixing(params: TrainParams) -> tuple[Literal["rows", "batches"], float]:
    """Return how sources are mixed. One source alone has no such parameters."""
    return params.mix or "rows", 1.0 if params.language_sampling is None else params.language_sampling


def _warn_of_temperature(params: TrainParams, pairs: int, job: Job) -> None:
    """Warn of a temperature at which even perfect vectors have a large loss, because cosines lie between -1 and 1."""
    if params.temperature is None or params.margin is None:
        return
    others = min(params.batch_size, pairs) - 1
    floor = math.log1p(others * math.exp((params.margin - 2) / params.temperature))
    if floor > 1:
        job.notices.warn(
            f"With a temperature of {params.temperature:g} and {others:,} negatives the ranking loss cannot fall below "
            f"{floor:.2f}, so that near and far sentences count almost alike.",
            "The usual temperature is 0.05.",
        )


def _words(inputs: Mapping[str, Any], params: TrainParams, job: Job, encoder: Any, sources: Sources) -> LinkedWords:
    return read_word_links(
        inputs["alignments"],
        sources.parallel,
        sources.data,
        encoder,
        min_score=params.min_score or 0.0,
        progress=job.progress,
    )


def _terms(
    inputs: Mapping[str, Any],
    params: TrainParams,
    job: Job,
    encoder: Any,
    sources: Sources,
    tokens: Ragged,
    words: LinkedWords | None,
    weights: Mapping[str, float],
) -> dict[str, Term]:
    """Make the objectives over words and subwords."""
    wanted = [name for name in weights if name in OBJECTIVES]
    if not wanted:
        return {}
    from lexenc.sentences.terms import TermInputs

    head = _head(inputs["encoder"], params, job, encoder, tokens) if _needing("needs_head", wanted) else None
    given = TermInputs(encoder, sources.data, tokens, sources.translated, words, head, job.seed)
    settings = {name: {own: getattr(params, option) for option, own in _options(name).items()} for name in wanted}
    return {name: OBJECTIVES[name](given, **settings[name]) for name in wanted}


def _counts_of_links(words: LinkedWords | None) -> dict[str, int]:
    """Return the number of word links, and of those that do not count, by reason."""
    counts = words.counts if words else {}
    return {name if name == "links" else f"links_{name}": count for name, count in counts.items()}


def _pairs_too_long(terms: Mapping[str, Term], job: Job) -> dict[str, int]:
    """Return the number of pairs that an objective cannot read as one input, and warn of them."""
    counts = {name: getattr(term, "too_long", None) for name, term in terms.items()}
    found = {f"{name}_pairs_too_long": count for name, count in counts.items() if count is not None}
    for name, count in counts.items():
        if count:
            job.notices.warn(
                f"{name} learns nothing from {counted(count, 'pair')}, which are longer than the model accepts.",
                "A smaller --max-length cuts sentences, so that both together are short enough.",
            )
    return found


def _head(folder: Path, params: TrainParams, job: Job, encoder: Any, tokens: Ragged) -> MaskedHead:
    """Load the head that predicts masked subwords, a fresh one if the encoder has none."""
    from lexenc.encoders.masked_language import MaskedHead
    from lexenc.sentences.terms import distinct_subwords
    from lexenc.training.trainer import own_randomness

    vocabulary = distinct_subwords(tokens) if params.output_vocabulary == "corpus" else None
    with own_randomness(job.seed, "new head", job.device.torch):
        head = MaskedHead(folder, encoder, vocabulary)
    if head.fresh:
        job.notices.warn(
            "The encoder has no head that predicts masked subwords. A new one is trained with it.",
            "lexenc pretrain makes encoders with a head. The objectives tr, wtr and teacher need none.",
        )
    return head


def _teacher(folder: Path, encoder: Encoder, sources: Sources, job: Job) -> Teacher:
    """Encode the source sentences of all parallel rows with the teacher.

    The vectors lie in a file, so that the memory stays constant.
    """
    from lexenc.encoders.encode import encode_texts
    from lexenc.sentences.objective import Teacher

    teacher = open_encoder(folder, "auto", job)
    if teacher.dimensions != encoder.dimensions:
        raise ConfigError(
            f"The teacher {folder} has {teacher.dimensions:,} dimensions, the encoder {encoder.dimensions:,}.",
            hint="Use a teacher whose vectors are as long as those of the encoder.",
        )
    data, place = sources.data, job.out / UNFINISHED
    place.mkdir(parents=True, exist_ok=True)
    rows = np.flatnonzero(sources.translated)
    anchors, places = np.unique(data.anchors[rows], return_inverse=True)
    vectors = new_table(place / "teacher.npy", len(anchors), teacher.dimensions)
    for part in blocks(len(anchors), _TOGETHER):
        vectors[part] = encode_texts(teacher, [data.texts[text] for text in anchors[part]])
    vectors.flush()
    table = np.full(len(data), -1, dtype=np.int64)
    table[rows] = places
    return Teacher(vectors, table)


# ---------------------------------------------------------------- development data


def _validation(params: TrainParams, encoder: Encoder, sources: Sources, every: int) -> Validation | None:
    """Return how to score the encoder on the development data, None without any."""
    if not sources.development:
        return None
    from lexenc.training.development import mean_retrieval_accuracy, mean_spearman
    from lexenc.training.trainer import Validation

    for each in sources.development:
        _check_metric(each, str(params.dev_metric))
    names = sources.languages if params.language_embedding else []
    pairs = [_numbered(each, names) for each in sources.development]
    if params.dev_metric == "sts":
        scores = [each.scores for each in sources.development]
        return Validation(partial(mean_spearman, encoder, list(zip(pairs, scores, strict=True))), every)
    return Validation(partial(mean_retrieval_accuracy, encoder, pairs), every)


def _score_before(encoder: Encoder, evaluation: Validation | None) -> float | None:
    """Return the score of the encoder before it is trained, None if there is none."""
    if evaluation is None:
        return None
    encoder.module.eval()
    score = evaluation.score()
    return score if math.isfinite(score) else None


def _numbered(given: DevelopmentSet, languages: Sequence[str]) -> PairData:
    """Return development data as numbers, with the languages of texts that the encoder has."""
    data = number_pairs(given.sources, given.targets, [])
    places = [languages.index(name) + 1 if name in languages else 0 for name in given.languages]
    if not any(places):
        return data
    table = np.zeros(len(data.texts), dtype=np.int64)
    table[data.positives], table[data.anchors] = places[1], places[0]
    return replace(data, languages=table)


def _check_metric(given: DevelopmentSet, metric: str) -> None:
    if bool(given.scores) != (metric == "sts"):
        kind, other = ("pairs with scores", "sts") if given.scores else ("translations", "retrieval")
        raise ConfigError(
            f"The development data {given.name} are {kind}, and --dev-metric is {metric}.",
            hint=f"Use --dev-metric {other}.",
        )


# ---------------------------------------------------------------- results and checks


def _write_card(
    folder: Path, inputs: Mapping[str, Any], params: StepSchedule, sources: Sources, weights: Mapping[str, float]
) -> None:
    from lexenc.encoders.card import model_card, write_card

    kinds = []
    for each in sources.counts:
        files = " and ".join(f"`{Path(file).name}`" for file in each["files"])
        kinds.append(f"{counted(each['rows'], 'pair')} of {files} ({each['kind']})")
    length = counted(params.steps, "step") if params.steps else counted(params.epochs or 1, "epoch")
    lines = [
        f"A sentence encoder, trained with lexenc from `{Path(inputs['encoder']).name}` on {', '.join(kinds)}.",
        f"Objective {_shown(weights)}, {length}, batch size {params.batch_size}, AdamW, learning rate "
        f"{params.learning_rate:g} ({params.schedule}).",
    ]
    write_card(folder, model_card(result_name(folder), lines, languages=sources.languages))


def check_train(inputs: Mapping[str, Any], params: TrainParams) -> list[ConfigError]:
    """Return the errors that involve more than one option."""
    faults = check_sources(inputs, params)
    try:
        names = _weights(_objective(inputs, params))
    except ConfigError as fault:
        return [*faults, fault]
    if params.steps and params.epochs:
        faults.append(ConfigError("--steps cannot be used with --epochs.", hint="Leave one of them out."))
    given, linked = bool(inputs.get("alignments")), _needing("needs_links", names)
    if linked and not given:
        hint = "Align the same file: lexenc align --pairs train.tsv --out runs/links, then --alignments runs/links."
        faults.append(ConfigError(f"--objective {linked[0]} needs word links.", hint=hint))
    if given and not linked:
        which = " or ".join(_needing("needs_links", OBJECTIVES))
        faults.append(ConfigError(f"--alignments has no meaning without {which}.", hint="E.g. --objective tr,awp,wtr."))
    pairwise = _needing("needs_parallel", names) + [TEACHER] * (TEACHER in names)
    kinds = {source.kind for source in given_sources(inputs)} | ({"parallel"} if inputs.get("source") else set())
    if pairwise and kinds and "parallel" not in kinds:
        hint = "Add some: --data parallel:en-sw=train.tsv, or --source and --target."
        faults.append(ConfigError(f"--objective {pairwise[0]} needs parallel data.", hint=hint))
    if (TEACHER in names) != bool(inputs.get("teacher")):
        hint = "Give the teacher's encoder, and teacher among the objectives, e.g. --objective tr:0.5,teacher."
        faults.append(ConfigError("--teacher and the objective teacher belong together.", hint=hint))
    faults += _check_meaning(inputs, params, names)
    if not names.keys() - {"mlm", "tlm"}:
        hint = "Use lexenc pretrain, or add tr: --objective tr,mlm."
        faults.append(ConfigError("Masked language modelling alone makes no sentence encoder.", hint=hint))
    developed = bool(inputs.get("dev")) or params.dev_share is not None
    if params.evaluate_every and not developed:
        faults.append(
            ConfigError("--evaluate-every needs --dev.", hint="Give development data, or a share: --dev 0.05.")
        )
    if params.dev_metric and not developed:
        faults.append(ConfigError("--dev-metric needs --dev.", hint="Give development data, or a share: --dev 0.05."))
    return faults


def _check_meaning(inputs: Mapping[str, Any], params: TrainParams, names: Mapping[str, float]) -> list[ConfigError]:
    """Return an error for every parameter without a meaning for the objectives and the data."""
    wrong = {} if RANKING in names else dict.fromkeys(_OF_RANKING, f"without {RANKING}")
    wrong |= {} if number_of_sources(inputs) > 1 else dict.fromkeys(_OF_SEVERAL, "with one source of data")
    for option in _OF_WORDS:
        if getattr(params, option) is not None and not _reading(option, names):
            wrong[option] = f"without {' or '.join(_reading(option, OBJECTIVES))}"
    return [
        ConfigError(f"--{option.replace('_', '-')} has no meaning {reason}.", hint="Leave it out.")
        for option, reason in wrong.items()
        if getattr(params, option) is not None
    ]


def _next_step(made: Manifest) -> str:
    known = made.summary.get("languages")
    language = f"--language {known[0]} " if known else ""
    return f"lexenc encode --encoder {{out}} {language}--out {{new:vectors}} SENTENCES"


TRAIN = Stage(
    name="train",
    version=1,
    inputs={
        "data": DATA,
        "source": SOURCE,
        "target": TARGET,
        "encoder": Input("Encoder to start from: 'mini', a folder, or a hub name.", kind="encoder"),
        "alignments": Input(
            "Word links of a parallel source, for awp and wtr: a result of align, or a Pharaoh file. Once for each, in "
            "order; --source and --target count first.",
            required=False,
            many=True,
        ),
        "teacher": Input(
            "Encoder whose vectors of the source sentences are to be learned, for both sides.",
            kind="encoder",
            required=False,
        ),
        "dev": DEV,
    },
    params=TrainParams,
    run=train,
    makes="an encoder that SentenceTransformer(folder) loads, and training.jsonl with loss and learning rate per step.",
    examples=(
        "lexenc train --data en-sw.tsv --encoder xlm-roberta-base --pooling cls --out runs/encoder",
        "lexenc train --source train.en --target train.de --encoder runs/static --epochs 3 --learning-rate 0.02 "
        "--dev 0.02 --out runs/encoder",
        "lexenc train --data nli:nli.tsv --data parallel:en-sw.tsv --encoder xlm-roberta-base --out runs/mixed",
        "lexenc train --data cross-lingual-nli:xnli/ --languages en,sw,ur --encoder xlm-roberta-base --out runs/xnli",
        "lexenc train --data unsupervised:wiki.txt --encoder xlm-roberta-base --pooling cls --projection train-only "
        "--out runs/unsupervised",
        "lexenc train --data en-sw.tsv --alignments runs/links --objective tr:0.8,awp:0.1,wtr:0.1 "
        "--encoder xlm-roberta-base --out runs/wacse",
    ),
    next_step=_next_step,
    uses_device=True,
    uses_seed=True,
    resumable=True,
    check=check_train,
    resolve=resolve_train,
)
