"""finetune: pairs (+ hard negatives) + encoder -> tuned encoder."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal

from lexenc.artifact import UNFINISHED
from lexenc.errors import ConfigError, DataError
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

if TYPE_CHECKING:
    from lexenc.encoders.base import Encoder
    from lexenc.files.dictionaries import Pairs
    from lexenc.training.data import PairData
    from lexenc.training.loop import Schedule, StepRecord, Training

# A step of AdamW moves every weight by about the learning rate. A transformer's weights are small and shared by all
# words; the rows of a bag of subwords are large, and each is met by few pairs.
DEFAULT_RATES = {"transformer": 2e-5, "static": 1e-3}
HISTORY = "training.jsonl"


@dataclass(frozen=True)
class FinetuneParams:
    """Parameters of `finetune`."""

    epochs: int = param(5, "Passes over the pairs.", ge=1)
    batch_size: int = param(128, "Pairs per step; the others of a step are each pair's in-batch negatives.", ge=1)
    learning_rate: float | None = param(None, "Peak; by default 2e-5, and 1e-3 for bags of subwords.", gt=0)
    loss: Literal["mneg", "own-hard", "symmetric", "printed"] = param(
        "mneg",
        "mneg: as sentence-transformers; own-hard: without other pairs' hard negatives; symmetric: both directions; "
        "printed: the formula as the paper prints it.",
    )
    scale: float = param(20.0, "Factor on the cosine (C in the paper); one over the temperature.", gt=0)
    weight_decay: float = param(0.01, "Of AdamW; none on biases and normalisation.", ge=0)
    warmup: float = param(0.1, "Share of the steps in which the learning rate rises to its peak.", ge=0, le=1)
    clip: float = param(1.0, "Largest norm of the gradient; 0 does not clip.", ge=0)
    mask_known: bool = param(True, "Known translations in a batch do not count as negatives.")
    control: Literal["none", "shuffled-pairs"] = param(
        "none", "shuffled-pairs: give every source another's target, to see what tuning does without knowledge."
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


def finetune(inputs: dict[str, Any], params: FinetuneParams, job: Job) -> Outcome:
    """Tune an encoder on pairs and write it as a sentence-transformers folder."""
    from lexenc.training.checkpoints import remove_checkpoints
    from lexenc.training.loop import run_training

    pairs = read_dictionary(inputs["pairs"], params, roles=("anchor", "positive"))
    pairs, negatives = _with_negatives(pairs, inputs.get("negatives"), params, job)
    if params.control == "shuffled-pairs":
        pairs = _shuffled(pairs, job.seed)
    encoder = open_encoder(inputs["encoder"], params.pooling, job, max_length=params.max_length)
    rate = params.learning_rate or DEFAULT_RATES[encoder.kind]
    training = _training(encoder, _numbered(pairs, negatives, params), params, rate, job)
    unfinished = job.out / UNFINISHED
    unfinished.mkdir(exist_ok=True)
    job.notices.say(
        f"{len(pairs):,} pairs, {training.total:,} steps, learning rate {rate:g} after {training.warmup} warm-up steps."
    )
    with _recorder(job.out / HISTORY, unfinished, job) as record:
        run_training(training, folder=unfinished, record=record, progress=job.progress)
    remove_checkpoints(unfinished)
    unfinished.rmdir()
    encoder.save(job.out)
    _write_card(job.out, inputs, params, rate, len(pairs))
    return Outcome(_summary(job.out / HISTORY, len(pairs), training))


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
    from lexenc.training.losses import LOSSES

    tokens = store_tokens(encoder.tokenise, data.texts, progress=job.progress)
    loss = partial(LOSSES[params.loss], scale=params.scale)
    return Training(encoder, data, tokens, loss=loss, schedule=_schedule(params, rate), seed=job.seed)


def _schedule(params: FinetuneParams, rate: float) -> Schedule:
    from lexenc.training.loop import Schedule

    return Schedule(
        epochs=params.epochs,
        batch_size=params.batch_size,
        learning_rate=rate,
        weight_decay=params.weight_decay,
        warmup=params.warmup,
        clip=params.clip,
        chunk_tokens=params.chunk_tokens,
        mask_known=params.mask_known,
        checkpoint_seconds=params.checkpoint_seconds,
    )


@contextmanager
def _recorder(history: Path, unfinished: Path, job: Job) -> Iterator[Callable[[StepRecord], None]]:
    """Write one line per step; after a resume the lines of steps that are done again go."""
    from lexenc.training.checkpoints import load_checkpoint

    checkpoint = load_checkpoint(unfinished)
    done = checkpoint.step if checkpoint is not None else 0
    kept = history.read_text(encoding="utf-8").splitlines(keepends=True)[:done] if history.is_file() and done else []
    if done:
        job.notices.say(f"finetune: continuing from step {done:,} (same settings).")
    with history.open("w", encoding="utf-8") as stream:
        stream.writelines(kept)

        def record(step: StepRecord) -> None:
            stream.write(json.dumps(asdict(step)) + "\n")
            stream.flush()

        yield record


def _summary(history: Path, pairs: int, training: Training) -> dict[str, Any]:
    steps = [json.loads(line) for line in history.read_text(encoding="utf-8").splitlines()]
    return {
        "pairs": pairs,
        "steps": training.total,
        "warmup_steps": training.warmup,
        "peak_learning_rate": max(step["learning_rate"] for step in steps),
        # One batch is easier than another; means over an epoch can be compared.
        "first_epoch_loss": fmean(step["loss"] for step in steps if step["epoch"] == steps[0]["epoch"]),
        "last_epoch_loss": fmean(step["loss"] for step in steps if step["epoch"] == steps[-1]["epoch"]),
    }


def _write_card(folder: Path, inputs: dict[str, Any], params: FinetuneParams, rate: float, pairs: int) -> None:
    """Write the model card that hubs and people read."""
    from lexenc.encoders.card import model_card

    lines = [
        f"Tuned with lexenc from `{Path(inputs['encoder']).name}` on {pairs:,} pairs of "
        f"`{Path(inputs['pairs']).name}`.",
        f"Loss {params.loss}, scale {params.scale:g}, {params.epochs} epochs, batch size {params.batch_size}, AdamW, "
        f"learning rate {rate:g}, weight decay {params.weight_decay:g}, warm-up {params.warmup:.0%} of the steps.",
    ]
    if params.control != "none":
        lines.append(f"A control, not for use: {params.control}.")
    (folder / "README.md").write_text(model_card(result_name(folder), lines), encoding="utf-8")


def check_finetune(inputs: Any, params: FinetuneParams) -> list[ConfigError]:
    """Give the faults that only several values together show."""
    if params.loss in ("own-hard", "printed") and not inputs.get("negatives"):
        return [ConfigError(f"--loss {params.loss} needs --negatives.", hint="Make them with: lexenc mine-negatives")]
    return []


FINETUNE = Stage(
    name="finetune",
    version=1,
    summary="Tune an encoder so that the two texts of a pair come together and hard negatives stay away.",
    inputs={
        "pairs": Input("Pairs of words, phrases or sentences: anchor, TAB, positive."),
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
    ),
    next_step=(
        "lexenc interpolate --vectors runs/mapped --encoder {out} --dictionary {pairs} --lambda 0.3 --out runs/blended"
    ),
    uses_device=True,
    uses_seed=True,
    resumable=True,
    check=check_finetune,
)
