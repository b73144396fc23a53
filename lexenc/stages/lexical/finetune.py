"""finetune: pairs (+ hard negatives) or sets of synonyms + encoder -> tuned encoder."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from lexenc.artifact import UNFINISHED
from lexenc.encoders import ENCODERS
from lexenc.errors import ConfigError, DataError
from lexenc.files.synonyms import check_umls_language, umls_language
from lexenc.files.text import counted
from lexenc.parameters import param
from lexenc.stage import Input, Job, Outcome, Stage
from lexenc.stages.reading import (
    POOLING,
    PoolingChoice,
    language_param,
    lowercase_param,
    open_encoder,
    read_dictionary,
    result_name,
)
from lexenc.stages.step_log import step_log
from lexenc.training import LOSSES

if TYPE_CHECKING:
    from lexenc.encoders.base import Encoder
    from lexenc.files.dictionaries import Pairs
    from lexenc.training.data import PairData
    from lexenc.training.loop import Schedule, Training

HISTORY = "training.jsonl"


# What is used where a parameter is left out: as sentence-transformers and the paper tune on pairs, and as SapBERT tunes
# on synonyms. Everything that means nothing stays None, in the manifest too.
_BY_DATA: dict[str, dict[str, Any]] = {
    "pairs": {
        "epochs": 5,
        "batch_size": 128,
        "loss": "mneg",
        "schedule": "linear",
        "warmup": 0.1,
        "clip": 1.0,
    },
    "synonyms": {
        "epochs": 1,
        "batch_size": 256,
        "loss": "multi-similarity",
        "schedule": "constant",
        "warmup": 0.0,
        "clip": 0.0,
        "pairs_per_concept": 50,
        "suppressible": "drop",
    },
}
_MULTI_SIMILARITY = {
    "similarity_alpha": 1.0,
    "similarity_beta": 60.0,
    "similarity_base": 0.5,
    "triplet_margin": 0.2,
}
_RANKING = {"scale": 20.0}
_HARD_ONLY = ("own-hard", "printed")


@dataclass(frozen=True)
class FinetuneParams:
    """Parameters of `finetune`; None stands for a default that depends on the data or the loss."""

    epochs: int | None = param(None, "Passes over the pairs; by default 5, and 1 with --synonyms.", ge=1)
    batch_size: int | None = param(
        None,
        "Pairs per step; the others of a step are each pair's in-batch negatives. By default 128, and 256 with "
        "--synonyms.",
        ge=1,
    )
    learning_rate: float | None = param(None, "Peak; by default 2e-5, and 1e-3 for bags of subwords.", gt=0)
    loss: str | None = param(
        None,
        "mneg: as sentence-transformers; own-hard: without other pairs' hard negatives; symmetric: both directions; "
        "printed: the formula as the paper prints it; multi-similarity: hard pairs of the batch, as SapBERT. By "
        "default mneg, and multi-similarity with --synonyms.",
        choices=LOSSES,
    )
    scale: float | None = param(
        None,
        "Factor on the cosine (C in the paper); one over the temperature. By default 20; not for multi-similarity.",
        gt=0,
    )
    similarity_alpha: float | None = param(None, "Of multi-similarity: weight of hard positives; by default 1.", gt=0)
    similarity_beta: float | None = param(None, "Of multi-similarity: weight of hard negatives; by default 60.", gt=0)
    similarity_base: float | None = param(
        None,
        "Of multi-similarity: cosine at which positives are near and negatives far enough; by default 0.5.",
        ge=-1,
        le=1,
    )
    triplet_margin: float | None = param(
        None,
        "Of multi-similarity: pairs count where a positive is not nearer than a negative by this much (Euclidean "
        "distance of unit vectors); by default 0.2, and with 2 all count.",
        ge=0,
        le=2,
    )
    weight_decay: float = param(0.01, "Of AdamW; none on biases and normalisation.", ge=0)
    schedule: Literal["linear", "constant"] | None = param(
        None,
        "Learning rate after the warm-up. linear: falls to 0; constant: stays. By default linear, and constant with "
        "--synonyms.",
    )
    warmup: float | None = param(
        None,
        "Share of the steps in which the learning rate rises to its peak; by default 0.1, and 0 with --synonyms.",
        ge=0,
        le=1,
    )
    clip: float | None = param(
        None, "Largest norm of the gradient; 0 does not clip. By default 1, and 0 with --synonyms.", ge=0
    )
    mask_known: bool = param(
        True, "Known translations, and names of a common concept, in a batch do not count as negatives."
    )
    pairs_per_concept: int | None = param(
        None, "With --synonyms: pairs of a concept; where it has more, so many are drawn. By default 50.", ge=1
    )
    languages: tuple[str, ...] = param(
        (),
        "With MRCONSO.RRF: languages to keep, as UMLS writes them or by ISO code, such as ENG,GER or en,de; all where "
        "left out.",
        check=check_umls_language,
    )
    suppressible: Literal["drop", "keep"] | None = param(
        None,
        "With MRCONSO.RRF: what becomes of rows whose SUPPRESS is not N (obsolete and abbreviated names). By default "
        "drop; SapBERT keeps them.",
    )
    control: Literal["none", "shuffled-pairs"] = param(
        "none",
        "shuffled-pairs: give every source another's target, every concept names of others, to see what tuning does "
        "without knowledge.",
    )
    pooling: PoolingChoice = param("auto", POOLING)
    max_length: int | None = param(None, "Longest input in tokens; the rest is cut off.", ge=1)
    lowercase: bool = lowercase_param()
    source_language: str | None = language_param("source")
    target_language: str | None = language_param("target")
    chunk_tokens: int = param(
        32_768,
        "Tokens in one pass; a step with more is cached in chunks: slower, less memory, else equal but for dropout.",
        ge=1,
    )
    checkpoint_seconds: float = param(60.0, "Time between checkpoints.", ge=0, affects_result=False)


def resolve_finetune(inputs: Mapping[str, Any], params: FinetuneParams) -> FinetuneParams:
    """Fill in what depends on the kind of data and on the loss; what is given stays."""
    table = _BY_DATA["synonyms" if inputs.get("synonyms") else "pairs"]
    loss = params.loss or table["loss"]
    table = table | (_MULTI_SIMILARITY if loss == "multi-similarity" else _RANKING)
    found = {name: value for name, value in table.items() if getattr(params, name) is None}
    return replace(params, languages=tuple(sorted({umls_language(each) for each in params.languages})), **found)


_Value = TypeVar("_Value")


def _set(value: _Value | None) -> _Value:
    """Give a parameter that `resolve_finetune` has filled in."""
    assert value is not None
    return value


@dataclass(frozen=True)
class _Tuned:
    """What an encoder is tuned on.

    Args:
        data: The pairs.
        counts: What was found, for the summary; the pairs first.
        files: Names of the files, for people.
        noun: What the pairs are pairs of.
    """

    data: PairData
    counts: dict[str, Any]
    files: list[str]
    noun: str = "pair"


def finetune(inputs: dict[str, Any], params: FinetuneParams, job: Job) -> Outcome:
    """Tune an encoder on pairs or sets of synonyms and write it as a sentence-transformers folder."""
    from lexenc.training.checkpoints import remove_checkpoints
    from lexenc.training.loop import run_training

    tuned = _synonyms(inputs, params, job) if inputs.get("synonyms") else _pairs(inputs, params, job)
    encoder = open_encoder(inputs["encoder"], params.pooling, job, max_length=params.max_length)
    rate = params.learning_rate or ENCODERS[encoder.kind].learning_rate
    training = _training(encoder, tuned.data, params, rate, job)
    unfinished = job.out / UNFINISHED
    unfinished.mkdir(exist_ok=True)
    job.notices.say(
        f"{len(tuned.data):,} pairs, {training.total:,} steps, learning rate {rate:g} after {training.warmup} warm-up "
        "steps."
    )
    with step_log(job.out / HISTORY, unfinished, job, "finetune") as record:
        run_training(training, folder=unfinished, record=record, progress=job.progress)
    encoder.save(job.out)
    _write_card(job.out, inputs, params, rate, tuned)
    remove_checkpoints(unfinished)
    unfinished.rmdir()
    return Outcome(_summary(job.out / HISTORY, tuned, training))


def _pairs(inputs: dict[str, Any], params: FinetuneParams, job: Job) -> _Tuned:
    from lexenc.training.data import with_pair_classes

    pairs = read_dictionary(inputs["pairs"], params, roles=("anchor", "positive"))
    pairs, negatives = _with_negatives(pairs, inputs.get("negatives"), params, job)
    if params.control == "shuffled-pairs":
        pairs = _shuffled(pairs, job.seed)
    data = _numbered(pairs, negatives, params)
    if params.loss == "multi-similarity":
        data = with_pair_classes(data)
    return _Tuned(data, {"pairs": len(pairs)}, [Path(inputs["pairs"]).name])


def _synonyms(inputs: dict[str, Any], params: FinetuneParams, job: Job) -> _Tuned:
    from lexenc.stages.lexical.synonym_sets import read_synonym_data

    paths = inputs["synonyms"]
    found = read_synonym_data(paths, params, job)
    return _Tuned(found.data, found.counts, [path.name for path in paths], "pair of synonyms")


def _with_negatives(pairs: Pairs, path: Path | None, params: FinetuneParams, job: Job) -> tuple[Pairs, list[list[str]]]:
    """Find the negatives of every pair; rows mined in the other direction become pairs of their own."""
    from lexenc.files.dictionaries import Pairs
    from lexenc.files.negatives import read_negatives

    if path is None:
        return pairs, []
    found: dict[tuple[str, str], list[str]] = {}
    back = []
    source_fold, target_fold = _folds(params)
    for row in read_negatives(path):
        if row.direction == "target-to-source":
            back.append((target_fold(row.source), source_fold(row.target), [source_fold(w) for w, _ in row.negatives]))
        else:
            found[source_fold(row.source), target_fold(row.target)] = [target_fold(word) for word, _ in row.negatives]
    negatives = [found.get(pair, []) for pair in pairs]
    without = sum(not each for each in negatives)
    if without == len(pairs):
        raise DataError(
            f"None of the {len(pairs):,} pairs has hard negatives in {path}.",
            hint="Mine them from the same pairs file, with the same --lowercase.",
        )
    if without:
        job.notices.warn(
            f"{without:,} of {len(pairs):,} pairs have no hard negatives in {path}.",
            "Mine them from the same pairs file, with the same --lowercase.",
        )
    both = Pairs(pairs.sources + [b[0] for b in back], pairs.targets + [b[1] for b in back], [], pairs.name)
    return both, negatives + [each[2] for each in back]


def _folds(params: FinetuneParams) -> tuple[Callable[[str], str], Callable[[str], str]]:
    from lexenc.files.text import fold_case

    if not params.lowercase:
        return str, str
    return partial(fold_case, language=params.source_language), partial(fold_case, language=params.target_language)


def _shuffled(pairs: Pairs, seed: int) -> Pairs:
    from lexenc.files.dictionaries import Pairs
    from lexenc.randomness import generator

    order = generator(seed, "shuffled pairs").permutation(len(pairs))
    return Pairs(pairs.sources, [pairs.targets[i] for i in order], pairs.lines, pairs.name)


def _numbered(pairs: Pairs, negatives: list[list[str]], params: FinetuneParams) -> PairData:
    from lexenc.files.text import fold_case
    from lexenc.training.data import number_pairs

    # Both languages are folded alike here: a Turkish source may stand as a target in another row.
    fold = partial(fold_case, language=params.source_language)
    return number_pairs(pairs.sources, pairs.targets, negatives, fold=fold)


def _training(encoder: Encoder, data: PairData, params: FinetuneParams, rate: float, job: Job) -> Training:
    from lexenc.training.data import store_tokens
    from lexenc.training.loop import Training

    tokens = store_tokens(encoder.tokenise, data.texts, progress=job.progress)
    loss = partial(LOSSES[_set(params.loss)], **_loss_settings(params))
    return Training(encoder, data, tokens, loss=loss, schedule=_schedule(params, rate), seed=job.seed)


def _loss_settings(params: FinetuneParams) -> dict[str, float]:
    """Give the settings of the loss by the names that it has for them."""
    if params.loss != "multi-similarity":
        return {"scale": _set(params.scale)}
    return {name.rsplit("_", 1)[1]: _set(getattr(params, name)) for name in _MULTI_SIMILARITY}


def _schedule(params: FinetuneParams, rate: float) -> Schedule:
    from lexenc.training.loop import Schedule

    return Schedule(
        epochs=_set(params.epochs),
        batch_size=_set(params.batch_size),
        learning_rate=rate,
        weight_decay=params.weight_decay,
        warmup=_set(params.warmup),
        clip=_set(params.clip),
        chunk_tokens=params.chunk_tokens,
        mask_known=params.mask_known,
        checkpoint_seconds=params.checkpoint_seconds,
        shape=_set(params.schedule),
    )


def _summary(history: Path, tuned: _Tuned, training: Training) -> dict[str, Any]:
    steps = [json.loads(line) for line in history.read_text(encoding="utf-8").splitlines()]
    return {
        **tuned.counts,
        "steps": training.total,
        "warmup_steps": training.warmup,
        "peak_learning_rate": max(step["learning_rate"] for step in steps),
        # One batch is easier than another; means over an epoch can be compared.
        "first_epoch_loss": fmean(step["loss"] for step in steps if step["epoch"] == steps[0]["epoch"]),
        "last_epoch_loss": fmean(step["loss"] for step in steps if step["epoch"] == steps[-1]["epoch"]),
    }


def _write_card(folder: Path, inputs: dict[str, Any], params: FinetuneParams, rate: float, tuned: _Tuned) -> None:
    """Write the model card that hubs and people read."""
    from lexenc.encoders.card import model_card

    settings = ", ".join(f"{name} {value:g}" for name, value in _loss_settings(params).items())
    files = ", ".join(f"`{name}`" for name in tuned.files)
    lines = [
        f"Tuned with lexenc from `{Path(inputs['encoder']).name}` on "
        f"{counted(len(tuned.data), tuned.noun, tuned.noun.replace('pair', 'pairs'))} of {files}.",
        f"Loss {params.loss}, {settings}, {counted(_set(params.epochs), 'epoch')}, batch size {params.batch_size}, "
        f"AdamW, learning rate {rate:g} ({params.schedule}), weight decay {params.weight_decay:g}, warm-up "
        f"{_set(params.warmup):.0%} of the steps.",
    ]
    if params.control != "none":
        lines.append(f"A control, not for use: {params.control}.")
    (folder / "README.md").write_text(model_card(result_name(folder), lines), encoding="utf-8")


def check_finetune(inputs: Mapping[str, Any], params: FinetuneParams) -> list[ConfigError]:
    """Give the faults that only several values together show."""
    given = [name for name in ("pairs", "synonyms") if inputs.get(name)]
    if len(given) != 1:
        hint = "Pairs of two columns, or sets of synonyms: CUI||name."
        which = "not both" if given else "got neither"
        return [ConfigError(f"finetune needs either --pairs or --synonyms, {which}.", hint=hint)]
    return [*_check_data(given[0], inputs, params), *_check_loss(given[0], inputs, params)]


def _check_data(given: str, inputs: Mapping[str, Any], params: FinetuneParams) -> list[ConfigError]:
    """Give the faults of values that mean nothing for the kind of data."""
    if given == "pairs":
        return [
            ConfigError(f"--{name.replace('_', '-')} means nothing without --synonyms.", hint="Leave it out.")
            for name in ("pairs_per_concept", "languages", "suppressible")
            if getattr(params, name)
        ]
    faults = []
    if inputs.get("negatives"):
        hint = "The other concepts of a batch are the negatives."
        faults.append(ConfigError("--negatives belongs to --pairs, not to --synonyms.", hint=hint))
    if params.target_language:
        hint = "Use --source-language for the names of all files; a row of MRCONSO.RRF has its own."
        faults.append(ConfigError("--target-language means nothing with --synonyms.", hint=hint))
    return faults


def _check_loss(given: str, inputs: Mapping[str, Any], params: FinetuneParams) -> list[ConfigError]:
    """Give the faults of values that mean nothing for the loss."""
    loss = params.loss or _BY_DATA[given]["loss"]
    searching = loss == "multi-similarity"
    faults = [
        ConfigError(f"--{name.replace('_', '-')} means nothing for --loss {loss}.", hint="Leave it out.")
        for name in (_RANKING if searching else _MULTI_SIMILARITY)
        if getattr(params, name) is not None
    ]
    if searching and given == "pairs" and inputs.get("negatives"):
        hint = "It searches the batch for negatives. Leave --negatives out, or choose another loss."
        faults.append(ConfigError("--loss multi-similarity takes no --negatives.", hint=hint))
    if loss in _HARD_ONLY and given == "synonyms":
        hint = "Choose one of: multi-similarity, mneg, symmetric."
        faults.append(ConfigError(f"--loss {loss} needs hard negatives, which --synonyms has not.", hint=hint))
    elif loss in _HARD_ONLY and not inputs.get("negatives"):
        hint = "Make them with: lexenc mine-negatives"
        faults.append(ConfigError(f"--loss {loss} needs --negatives.", hint=hint))
    return faults


FINETUNE = Stage(
    name="finetune",
    version=1,
    inputs={
        "pairs": Input("Pairs of words, phrases or sentences: anchor, TAB, positive.", required=False),
        "synonyms": Input(
            "In place of pairs, names of concepts, one file or several: CUI||name, CUI||name||name, or MRCONSO.RRF.",
            required=False,
            many=True,
        ),
        "encoder": Input("Encoder to start from: 'mini', a folder, or a hub name.", kind="encoder"),
        "negatives": Input(
            "Hard negatives from mine-negatives; without them, in-batch negatives only.", required=False
        ),
    },
    params=FinetuneParams,
    run=finetune,
    makes="an encoder that SentenceTransformer(folder) loads, and training.jsonl with loss and learning rate per step.",
    examples=(
        (
            "lexenc finetune --pairs train.tsv --negatives runs/negatives --encoder mini --epochs 5 --out runs/encoder",
            "",
        ),
        ("lexenc finetune --synonyms umls.txt --loss multi-similarity --encoder mini --out runs/linker", ""),
    ),
    next_step=(
        "lexenc interpolate --vectors runs/mapped --encoder {out} --dictionary {pairs} --lambda 0.3 --out runs/blended",
        "lexenc eval xel --knowledge-base kb.txt --mentions mentions.txt --encoder {out}",
    ),
    uses_device=True,
    uses_seed=True,
    resumable=True,
    check=check_finetune,
    resolve=resolve_finetune,
)
