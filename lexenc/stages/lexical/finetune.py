"""finetune: text pairs (+ hard negatives) or synonym sets + encoder -> fine-tuned encoder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from lexenc.encoders import ENCODERS
from lexenc.encoders.base import Pooling
from lexenc.errors import ConfigError, DataError
from lexenc.files.dictionaries import Pairs
from lexenc.files.negatives import read_negatives
from lexenc.files.parallel import parallel_text
from lexenc.files.synonyms import FORMS, SynonymReport, check_umls_language, read_synonyms, synonym_form, umls_language
from lexenc.files.text import counted
from lexenc.parameters import param
from lexenc.randomness import generator
from lexenc.stage import Input, Job, Outcome, Stage
from lexenc.stages.reading import (
    POOLING,
    fold_pairs,
    folding_of,
    language_param,
    lowercase_param,
    open_encoder,
    read_dictionary,
    result_name,
    unicode_param,
)
from lexenc.stages.training import mean_loss_of, train_in_folder
from lexenc.text.folding import SAME_TEXT, UnicodeForm, trim
from lexenc.training import LOSSES
from lexenc.training.data import PairData, number_pairs, store_tokens, with_pair_classes
from lexenc.training.schedule import StepSchedule
from lexenc.training.synonyms import SynonymSets, gather_sets, number_synonyms, shuffled_sets, synonym_pairs

# Defaults that depend on the data: as sentence-transformers and the paper train on pairs, and as SapBERT trains on
# synonyms. Parameters that have no meaning for the data stay None, in the manifest too.
_BY_DATA: dict[str, dict[str, Any]] = {
    "pairs": {"epochs": 5, "batch_size": 128, "loss": "mneg", "schedule": "linear", "warmup": 0.1, "clip": 1.0},
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
_MULTI_SIMILARITY = {"similarity_alpha": 1.0, "similarity_beta": 60.0, "similarity_base": 0.5, "triplet_margin": 0.2}
_RANKING = {"scale": 20.0}
_HARD_ONLY = ("own-hard", "printed")
# UMLS code of the language whose case has a rule of its own.
_OWN_CASE = {"TUR": "tr"}
_ENTRIES = 8192


@dataclass(frozen=True)
class FinetuneParams(StepSchedule):
    """Parameters of `finetune`. None stands for a default that depends on the data or the loss."""

    epochs: int | None = param(  # type: ignore[assignment]
        None, "Passes over the pairs. By default 5, and 1 with --synonyms.", ge=1
    )
    batch_size: int | None = param(  # type: ignore[assignment]
        None,
        "Pairs per step. The other pairs of a step are the in-batch negatives of each pair. By default 128, and 256 "
        "with --synonyms.",
        ge=1,
    )
    learning_rate: float | None = param(  # type: ignore[assignment]
        None, "Peak learning rate. By default 2e-5, and 1e-3 for static encoders.", gt=0
    )
    schedule: Literal["linear", "constant"] | None = param(  # type: ignore[assignment]
        None,
        "Learning rate after the warm-up. linear: falls to 0. constant: stays at the peak. By default linear, and "
        "constant with --synonyms.",
    )
    warmup: float | None = param(  # type: ignore[assignment]
        None,
        "Share of the steps in which the learning rate rises to its peak. By default 0.1, and 0 with --synonyms.",
        ge=0,
        le=1,
    )
    clip: float | None = param(  # type: ignore[assignment]
        None, "Maximum norm of the gradient. Use 0 for no clipping. By default 1, and 0 with --synonyms.", ge=0
    )
    chunk_tokens: int = param(
        32_768,
        "Maximum number of tokens in one pass. A larger step is cached in chunks, which is slower, needs less memory "
        "and changes only dropout.",
        ge=1,
    )
    evaluate_every: int | None = param(
        None, "With --dev: number of steps between evaluations. By default the steps of an epoch.", ge=1
    )
    loss: str | None = param(
        None,
        "mneg: as sentence-transformers. own-hard: without the hard negatives of other pairs. symmetric: both "
        "directions. printed: the formula as printed in the paper. multi-similarity: hard pairs of the batch, as "
        "SapBERT. By default mneg, and multi-similarity with --synonyms.",
        choices=LOSSES,
    )
    scale: float | None = param(
        None,
        "Factor on the cosine (C in the paper), the inverse of the temperature. By default 20. Not for "
        "multi-similarity.",
        gt=0,
    )
    similarity_alpha: float | None = param(None, "For multi-similarity: weight of hard positives. By default 1.", gt=0)
    similarity_beta: float | None = param(None, "For multi-similarity: weight of hard negatives. By default 60.", gt=0)
    similarity_base: float | None = param(
        None,
        "For multi-similarity: cosine at which positives are near enough and negatives far enough. By default 0.5.",
        ge=-1,
        le=1,
    )
    triplet_margin: float | None = param(
        None,
        "For multi-similarity: a pair counts if a positive is not nearer than a negative by this margin (Euclidean "
        "distance of unit vectors). By default 0.2. With 2 all pairs count.",
        ge=0,
        le=2,
    )
    mask_known: bool = param(
        True, "Do not count known translations, and names of a common concept, as negatives in a batch."
    )
    pairs_per_concept: int | None = param(
        None, "With --synonyms: maximum number of pairs per concept, drawn at random. By default 50.", ge=1
    )
    languages: tuple[str, ...] = param(
        (),
        "With MRCONSO.RRF: languages to keep, as UMLS codes or ISO codes, e.g. ENG,GER or en,de. By default all.",
        check=check_umls_language,
    )
    suppressible: Literal["drop", "keep"] | None = param(
        None,
        "With MRCONSO.RRF: whether to drop rows whose SUPPRESS is not N (obsolete and abbreviated names). By default "
        "drop. SapBERT keeps them.",
    )
    control: Literal["none", "shuffled-pairs"] = param(
        "none",
        "shuffled-pairs: train on random pairs of the same texts, to measure the effect of training without knowledge.",
    )
    pooling: Pooling = param("auto", POOLING)
    max_length: int | None = param(None, "Maximum length of an input in tokens. The rest is cut off.", ge=1)
    lowercase: bool = lowercase_param()
    unicode: UnicodeForm = unicode_param()
    source_language: str | None = language_param("source")
    target_language: str | None = language_param("target")


def resolve_finetune(inputs: Mapping[str, Any], params: FinetuneParams) -> FinetuneParams:
    """Return the parameters with the defaults that depend on the kind of data and on the loss."""
    table = _BY_DATA["synonyms" if inputs.get("synonyms") else "pairs"]
    loss = params.loss or table["loss"]
    table = table | (_MULTI_SIMILARITY if loss == "multi-similarity" else _RANKING)
    if params.steps is not None:
        table.pop("epochs")
    found = {name: value for name, value in table.items() if getattr(params, name) is None}
    return replace(params, languages=tuple(sorted({umls_language(each) for each in params.languages})), **found)


@dataclass(frozen=True)
class TrainingPairs:
    """The pairs that an encoder is trained on.

    Args:
        data: The pairs.
        counts: Counts for the summary, pairs first.
        files: Names of the files, for people.
        noun: What a pair is.
    """

    data: PairData
    counts: dict[str, Any]
    files: list[str]
    noun: str = "pair"


def finetune(inputs: dict[str, Any], params: FinetuneParams, job: Job) -> Outcome:
    """Fine-tune an encoder on pairs or synonym sets and write it as a sentence-transformers folder."""
    from lexenc.training.contrastive import PairObjective
    from lexenc.training.development import retrieval_accuracy
    from lexenc.training.trainer import Trainer, Validation

    read = read_synonym_data if inputs.get("synonyms") else _read_pair_data
    pairs = read(inputs, params, job)
    encoder = open_encoder(inputs["encoder"], params.pooling, job, max_length=params.max_length, training=True)
    schedule = replace(params, learning_rate=params.learning_rate or ENCODERS[encoder.kind].learning_rate)
    tokens = store_tokens(encoder.tokenise, pairs.data.texts, progress=job.progress)
    loss = partial(LOSSES[str(params.loss)], **_loss_settings(params))
    objective = PairObjective(encoder, pairs.data, tokens, loss=loss, mask_known=params.mask_known)
    evaluation = None
    if inputs.get("dev"):
        dev = read_dictionary(inputs["dev"], params, job, roles=("anchor", "positive"))
        score = partial(retrieval_accuracy, encoder, number_pairs(dev.sources, dev.targets, []))
        evaluation = Validation(score, params.evaluate_every or schedule.epoch_steps(len(pairs.data)))
    trainer = Trainer(objective, schedule=schedule, seed=job.seed, evaluation=evaluation)
    steps = train_in_folder(trainer, job, stage="finetune", examples=counted(len(pairs.data), "pair"))
    encoder.save(job.out)
    _write_card(job.out, inputs, schedule, pairs)
    return Outcome(
        {
            **pairs.counts,
            "steps": trainer.total,
            "warmup_steps": trainer.warmup,
            "peak_learning_rate": max(step["learning_rate"] for step in steps),
            "first_epoch_loss": mean_loss_of([step for step in steps if step["epoch"] == steps[0]["epoch"]]),
            "last_epoch_loss": mean_loss_of([step for step in steps if step["epoch"] == steps[-1]["epoch"]]),
            **({"best_step": trainer.best.step, "dev_accuracy": trainer.best.score} if trainer.best else {}),
        }
    )


def _loss_settings(params: FinetuneParams) -> dict[str, float]:
    """Return the settings of the loss by the names of its arguments."""
    names = _MULTI_SIMILARITY if params.loss == "multi-similarity" else _RANKING
    return {name.rsplit("_", 1)[-1]: getattr(params, name) for name in names}


def _write_card(folder: Path, inputs: dict[str, Any], params: FinetuneParams, pairs: TrainingPairs) -> None:
    from lexenc.encoders.card import model_card, write_card

    settings = ", ".join(f"{name} {value:g}" for name, value in _loss_settings(params).items())
    files = ", ".join(f"`{name}`" for name in pairs.files)
    length = counted(params.steps, "step") if params.steps else counted(params.epochs or 0, "epoch")
    lines = [
        f"Fine-tuned with lexenc from `{Path(inputs['encoder']).name}` on "
        f"{counted(len(pairs.data), pairs.noun, pairs.noun.replace('pair', 'pairs'))} of {files}.",
        f"Loss {params.loss}, {settings}, {length}, batch size {params.batch_size}, "
        f"AdamW, learning rate {params.learning_rate:g} ({params.schedule}), weight decay {params.weight_decay:g}, "
        f"warm-up {params.warmup:.0%} of the steps.",
    ]
    if params.control != "none":
        lines.append(f"A control, not for use: {params.control}.")
    write_card(folder, model_card(result_name(folder), lines))


# ---------------------------------------------------------------- pairs


def _read_pair_data(inputs: Mapping[str, Any], params: FinetuneParams, job: Job) -> TrainingPairs:
    if inputs.get("pairs"):
        pairs, files = read_dictionary(inputs["pairs"], params, job, roles=("anchor", "positive")), ["pairs"]
    else:
        pairs, files = _side_by_side(inputs["source"], inputs["target"], params, job), ["source", "target"]
    negatives: list[list[str]] = []
    if inputs.get("negatives") is not None:
        pairs, negatives = _with_negatives(pairs, inputs["negatives"], params, job)
    if params.control == "shuffled-pairs":
        order = generator(job.seed, "shuffled pairs").permutation(len(pairs))
        pairs = Pairs(pairs.sources, [pairs.targets[i] for i in order], pairs.lines, pairs.name)
    # Both languages are folded alike here: a Turkish source may occur as a target in another row.
    fold = partial(SAME_TEXT.fold, language=params.source_language)
    data = number_pairs(pairs.sources, pairs.targets, negatives, fold=fold)
    if params.loss == "multi-similarity":
        data = with_pair_classes(data)
    return TrainingPairs(data, {"pairs": len(pairs)}, [Path(inputs[each]).name for each in files])


def _side_by_side(source: Path, target: Path, params: FinetuneParams, job: Job) -> Pairs:
    """Read two files line by line. Lines with an empty side are left out."""
    text = parallel_text(source, target)
    rows = list(text)
    kept = [(trim(row.source), trim(row.target), row.line) for row in rows if trim(row.source) and trim(row.target)]
    if not kept:
        raise DataError(f"{text.name} hold no pairs.", hint="Both files need one text per line, in the same order.")
    if len(kept) < len(rows):
        job.notices.say(f"{counted(len(rows) - len(kept), 'line')} of {len(rows):,} with an empty side left out.")
    sources, targets, lines = (list(column) for column in zip(*kept, strict=True))
    return fold_pairs(Pairs(sources, targets, lines, text.name), params)


def _with_negatives(pairs: Pairs, path: Path, params: FinetuneParams, job: Job) -> tuple[Pairs, list[list[str]]]:
    """Find the hard negatives of every pair. Rows mined in the other direction become pairs of their own."""
    folding = folding_of(params)
    folds = [partial(folding.fold, language=each) for each in (params.source_language, params.target_language)]
    found: dict[tuple[str, str], list[str]] = {}
    back = []
    for row in read_negatives(path):
        backward = row.direction == "target-to-source"
        own, other = folds[::-1] if backward else folds
        pair, negatives = (own(row.source), other(row.target)), [other(word) for word, _ in row.negatives]
        if backward:
            back.append((*pair, negatives))
        else:
            found[pair] = negatives
    table = [found.get(pair, []) for pair in pairs]
    without = sum(not each for each in table)
    hint = "Mine them from the same pairs file, with the same --lowercase and --unicode."
    if without == len(pairs):
        raise DataError(f"None of the {len(pairs):,} pairs has hard negatives in {path}.", hint=hint)
    if without:
        job.notices.warn(f"{without:,} of {len(pairs):,} pairs have no hard negatives in {path}.", hint)
    both = Pairs(pairs.sources + [each[0] for each in back], pairs.targets + [each[1] for each in back], [], pairs.name)
    return both, table + [each[2] for each in back]


# ---------------------------------------------------------------- synonym sets


def read_synonym_data(inputs: Mapping[str, Any], params: FinetuneParams, job: Job) -> TrainingPairs:
    """Read files of synonyms and pair the names of every concept.

    Args:
        inputs: Inputs of the stage: `synonyms`, a list of files.
        params: How to read and pair them.
        job: Device, seed, progress and messages of the run.

    Raises:
        DataError: If a file cannot be used, or no concept has two names.
        ConfigError: If no file has a language in `params.languages`.
    """
    paths: Sequence[Path] = inputs["synonyms"]
    forms = {path: synonym_form(path) for path in paths}
    report = SynonymReport()
    sets = gather_sets(_entries(paths, params, report, job))
    if params.languages:
        _check_languages("MRCONSO" in forms.values(), params, report)
    sizes = sets.sizes()
    if not (sizes > 1).any():
        raise DataError(
            f"No concept of {paths[0] if len(paths) == 1 else counted(len(paths), 'file')} has two names "
            f"({counted(len(sizes), 'concept')}, {counted(len(sets.texts), 'name')}).",
            hint="Synonyms are lines with one identifier: C0032821||potassium, then C0032821||kalium.",
        )
    if params.control == "shuffled-pairs":
        sets = shuffled_sets(sets, seed=job.seed)
    limit = params.pairs_per_concept or 1
    pairs = synonym_pairs(sets, per_concept=limit, seed=job.seed)
    data = number_synonyms(sets, pairs, fold=partial(SAME_TEXT.fold, language=params.source_language))
    for path, form in forms.items():
        job.notices.say(f"{path}: {FORMS[form]}.")
    counts = {"pairs": len(pairs)} | _count_sets(sets, sizes, limit, job)
    if "MRCONSO" in forms.values():
        counts |= _count_rows(params, report, job)
    alike = int((data.folds[data.anchors] == data.folds[data.positives]).sum())
    if alike:
        job.notices.warn(
            f"{counted(alike, 'pair')} of {len(data):,} {'differs' if alike == 1 else 'differ'} only in case or "
            "Unicode form.",
            "Use --lowercase, as SapBERT does, and --unicode nfc to treat such names as equal.",
        )
    return TrainingPairs(data, counts, [path.name for path in paths], "pair of synonyms")


def _entries(
    paths: Sequence[Path], params: FinetuneParams, report: SynonymReport, job: Job
) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Yield concepts and names of every line, folded if the parameters say so."""
    keep, folding = params.suppressible == "keep", folding_of(params)
    with job.progress.task("read synonyms", None, "names") as task:
        number = 0
        for path in paths:
            for concepts, names, language in read_synonyms(
                path, languages=params.languages, keep_suppressible=keep, report=report
            ):
                if folding:
                    own = _OWN_CASE.get(language, "en") if language else params.source_language
                    names = tuple(folding.fold(name, own) for name in names)
                yield concepts, names
                number += 1
                if number % _ENTRIES == 0:
                    task.advance(_ENTRIES)
        task.advance(number % _ENTRIES)


def _check_languages(known: bool, params: FinetuneParams, report: SynonymReport) -> None:
    if not known:
        raise ConfigError(
            "--languages needs MRCONSO.RRF: other files do not contain the language of a name.",
            hint="Leave it out, and give the files of the languages you want.",
        )
    missing = [code for code in params.languages if not report.languages[code]]
    if missing:
        raise ConfigError(
            f"MRCONSO.RRF has no name in the language {missing[0]}"
            f"{' that is not suppressible' if params.suppressible == 'drop' else ''}.",
            hint="List its languages with counts: cut -d'|' -f2 MRCONSO.RRF | sort | uniq -c",
        )


def _count_sets(sets: SynonymSets, sizes: np.ndarray, limit: int, job: Job) -> dict[str, int]:
    own = sets.names.lengths
    single, drawn = int((sizes == 1).sum()), int((own * (own - 1) // 2 > limit).sum())
    sentence = f"{counted(len(sets.concepts), 'concept')} with {counted(len(sets.texts), 'name')}."
    if single:
        sentence += f" {counted(single, 'concept')} with only one name: no pair."
    if drawn:
        sentence += f" {counted(drawn, 'concept')} with more than {counted(limit, 'pair')}: {limit:,} drawn of each."
    job.notices.say(sentence)
    return {
        "concepts": len(sets.concepts),
        "names": len(sets.texts),
        "concepts_with_one_name": single,
        "concepts_with_pairs_drawn": drawn,
    }


def _count_rows(params: FinetuneParams, report: SynonymReport, job: Job) -> dict[str, Any]:
    table: dict[str, Any] = {"suppressible": params.suppressible}
    if params.suppressible == "drop":
        table["suppressible_rows"] = report.suppressible
        job.notices.say(
            f"{counted(report.suppressible, 'suppressible row')} left out. SapBERT keeps such rows, as does "
            "--suppressible keep."
        )
    if params.languages:
        table["rows_of_other_languages"] = report.other_languages
    return table


# ---------------------------------------------------------------- checks


def check_finetune(inputs: Mapping[str, Any], params: FinetuneParams) -> list[ConfigError]:
    """Return the errors that involve more than one option."""
    sides = [name for name in ("source", "target") if inputs.get(name)]
    if len(sides) == 1:
        hint = "Give both files, whose lines belong together, or --pairs."
        return [ConfigError("--source and --target belong together.", hint=hint)]
    given = [name for name in ("pairs", "synonyms") if inputs.get(name)] + (["pairs"] if sides else [])
    if len(given) != 1:
        hint = "Pairs have two columns, or are two files: --source and --target. Synonym sets are lines: CUI||name."
        which = "not both" if given else "got neither"
        return [ConfigError(f"finetune needs either --pairs or --synonyms, {which}.", hint=hint)]
    faults = [*_check_data(given[0], inputs, params), *_check_loss(given[0], inputs, params)]
    if params.steps and params.epochs:
        faults.append(ConfigError("--steps cannot be used with --epochs.", hint="Leave one of them out."))
    if params.evaluate_every and not inputs.get("dev"):
        faults.append(ConfigError("--evaluate-every needs --dev.", hint="Give development pairs."))
    return faults


def _check_data(given: str, inputs: Mapping[str, Any], params: FinetuneParams) -> list[ConfigError]:
    if given == "pairs":
        return [
            ConfigError(f"--{name.replace('_', '-')} has no meaning without --synonyms.", hint="Leave it out.")
            for name in ("pairs_per_concept", "languages", "suppressible")
            if getattr(params, name)
        ]
    faults = []
    if inputs.get("negatives"):
        hint = "The other concepts of a batch are the negatives."
        faults.append(ConfigError("--negatives needs --pairs and cannot be used with --synonyms.", hint=hint))
    if params.target_language:
        hint = "Use --source-language for the names of all files. A row of MRCONSO.RRF has its own language."
        faults.append(ConfigError("--target-language has no meaning with --synonyms.", hint=hint))
    return faults


def _check_loss(given: str, inputs: Mapping[str, Any], params: FinetuneParams) -> list[ConfigError]:
    loss = params.loss or _BY_DATA[given]["loss"]
    searching = loss == "multi-similarity"
    faults = [
        ConfigError(f"--{name.replace('_', '-')} has no meaning for --loss {loss}.", hint="Leave it out.")
        for name in (_RANKING if searching else _MULTI_SIMILARITY)
        if getattr(params, name) is not None
    ]
    if searching and given == "pairs" and inputs.get("negatives"):
        hint = "It finds negatives in the batch. Leave --negatives out, or choose another loss."
        faults.append(ConfigError("--loss multi-similarity does not use --negatives.", hint=hint))
    if loss in _HARD_ONLY and given == "synonyms":
        hint = "Choose one of: multi-similarity, mneg, symmetric."
        faults.append(ConfigError(f"--loss {loss} needs hard negatives, which --synonyms does not have.", hint=hint))
    elif loss in _HARD_ONLY and not inputs.get("negatives"):
        hint = "Make them with: lexenc mine-negatives"
        faults.append(ConfigError(f"--loss {loss} needs --negatives.", hint=hint))
    return faults


_LINK = "lexenc eval xel --knowledge-base KNOWLEDGE-BASE --mentions MENTIONS --encoder {out}"
_BLEND = "lexenc interpolate --vectors SPACE --encoder {out} --dictionary DICTIONARY --lambda 0.3 --out {new:blended}"

FINETUNE = Stage(
    name="finetune",
    version=2,
    inputs={
        "pairs": Input("Pairs of words, phrases or sentences: anchor, TAB, positive.", required=False),
        "source": Input("Anchors, if the pairs are two line-aligned files instead of --pairs.", required=False),
        "target": Input("Positives of --source, line by line.", required=False),
        "synonyms": Input(
            "Synonym sets instead of pairs, in one file or several: CUI||name, CUI||name||name, or MRCONSO.RRF.",
            required=False,
            many=True,
        ),
        "encoder": Input("Encoder to start from: 'mini', a folder, or a hub name.", kind="encoder"),
        "negatives": Input(
            "Hard negatives from mine-negatives. Without them, only in-batch negatives are used.", required=False
        ),
        "dev": Input(
            "Development pairs. The weights with the best retrieval accuracy on them are kept, instead of the last.",
            required=False,
        ),
    },
    params=FinetuneParams,
    run=finetune,
    makes="an encoder that SentenceTransformer(folder) loads, and training.jsonl with loss and learning rate per step.",
    examples=(
        "lexenc finetune --pairs train.tsv --negatives runs/negatives --encoder mini --epochs 5 --out runs/encoder",
        "lexenc finetune --synonyms umls.txt --loss multi-similarity --encoder mini --out runs/linker",
    ),
    next_step=lambda made: _LINK if "synonyms" in made.inputs else _BLEND,
    uses_device=True,
    uses_seed=True,
    resumable=True,
    check=check_finetune,
    resolve=resolve_finetune,
)
