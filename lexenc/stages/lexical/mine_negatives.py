"""mine-negatives: pairs + encoder + target vocabulary -> hard negatives of every pair."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from lexenc.encoders.base import Encoder, Pooling
from lexenc.errors import ConfigError
from lexenc.files.dictionaries import Pairs
from lexenc.files.negatives import NAME, NegativeRow, write_negatives
from lexenc.files.text import counted
from lexenc.files.vocabularies import read_vocabulary
from lexenc.lexical.mapping import normalise
from lexenc.lexical.negatives import Filter, forbidden_rows, mine_negatives
from lexenc.parameters import param
from lexenc.randomness import generator
from lexenc.stage import Input, Job, Outcome, Stage
from lexenc.stages.reading import (
    POOLING,
    clearly_more,
    encode_words,
    folding_of,
    language_param,
    lowercase_param,
    open_encoder,
    read_dictionary,
    unicode_param,
)
from lexenc.text.folding import SAME_TEXT, UnicodeForm


@dataclass(frozen=True)
class MineParams:
    """Parameters of `mine-negatives`."""

    count: int = param(10, "Negatives per pair.", ge=1)
    direction: Literal["source", "both"] = param(
        "source", "source: target words for every source word; both: also source words for every target word."
    )
    range_min: int = param(0, "Number of nearest candidates to skip.", ge=0)
    range_max: int | None = param(None, "Maximum number of candidates to consider.", ge=1)
    max_score: float | None = param(None, "Maximum cosine of a negative with its anchor.", ge=-1, le=1)
    min_score: float | None = param(None, "Minimum cosine of a negative with its anchor.", ge=-1, le=1)
    absolute_margin: float | None = param(
        None, "Minimum difference between the positive's and the negative's cosine. A larger value is stricter.", ge=0
    )
    relative_margin: float | None = param(
        None, "A negative's cosine is at most (1 - this) x the positive's. A larger value is stricter.", ge=0, le=1
    )
    sampling: Literal["top", "random"] = param(
        "top", "top: the nearest candidates; random: a random choice within the range."
    )
    vocabulary_limit: int | None = param(None, "Use only the first words of a vocabulary.", ge=1)
    pooling: Pooling = param("auto", POOLING)
    lowercase: bool = lowercase_param()
    unicode: UnicodeForm = unicode_param()
    source_language: str | None = language_param("source")
    target_language: str | None = language_param("target")


def check_mining(inputs: Mapping[str, Any], params: MineParams) -> list[ConfigError]:
    """Return the errors that involve more than one option."""
    faults = []
    if params.sampling == "random" and params.range_max is None:
        faults.append(ConfigError("--sampling random needs --range-max.", hint="E.g. --range-max 100."))
    if params.range_max is not None and params.range_max < params.range_min + params.count:
        needed = params.range_min + params.count
        faults.append(
            ConfigError(f"--range-max {params.range_max} leaves fewer than {params.count} candidates.",
                        hint=f"Use at least {needed}.")
        )  # fmt: skip
    if params.direction == "both" and not inputs.get("source_vocabulary"):
        faults.append(ConfigError("--direction both needs --source-vocabulary.", hint="A word list like the target's."))
    return faults


def mine(inputs: dict[str, Any], params: MineParams, job: Job) -> Outcome:
    """Mine hard negatives with the encoder before fine-tuning, and write them as JSON Lines."""
    pairs = read_dictionary(inputs["pairs"], params, job)
    encoder = open_encoder(inputs["encoder"], params.pooling, job)
    rows = _one_direction(pairs, inputs["target_vocabulary"], encoder, params, job, "source-to-target")
    if params.direction == "both":
        rows += _one_direction(pairs.swapped(), inputs["source_vocabulary"], encoder, params, job, "target-to-source")
    write_negatives(job.out / NAME, rows)
    counts = [len(row.negatives) for row in rows]
    short = sum(each < params.count for each in counts)
    if short:
        job.notices.warn(
            f"{short:,} of {counted(len(rows), 'pair')} {'has' if short == 1 else 'have'} fewer than "
            f"{counted(params.count, 'negative')}.",
            "Loosen the margin or the scores, or give a larger vocabulary.",
        )
    return Outcome({"pairs": len(rows), "negatives": sum(counts), "short_pairs": short})


def _one_direction(
    pairs: Pairs, vocabulary_path: Path, encoder: Encoder, params: MineParams, job: Job, direction: str
) -> list[NegativeRow]:
    languages = (params.source_language, params.target_language)
    own, language = languages if direction == "source-to-target" else languages[::-1]
    fold_anchor, fold_word = (partial(SAME_TEXT.fold, language=each) for each in (own, language))
    words = read_vocabulary(
        vocabulary_path, limit=params.vocabulary_limit, folding=folding_of(params), language=language
    ).words
    if direction == "source-to-target":
        _tell_swapped(pairs, words, job)
    anchors, positives = list(dict.fromkeys(pairs.sources)), list(dict.fromkeys(pairs.targets))
    encoded, _ = normalise(encode_words(encoder, [*anchors, *positives], job), ["unit"])
    vocabulary, _ = normalise(encode_words(encoder, words, job), ["unit"])
    anchor_row = {word: row for row, word in enumerate(anchors)}
    positive_row = {word: row + len(anchors) for row, word in enumerate(positives)}
    left = np.array([anchor_row[word] for word in pairs.sources])
    right = np.array([positive_row[word] for word in pairs.targets])
    scores = np.einsum("nd,nd->n", encoded[left], encoded[right])
    translations: dict[str, set[str]] = {}
    for source, target in pairs:
        translations.setdefault(fold_anchor(source), set()).add(fold_word(target))
    mined = mine_negatives(
        encoded[: len(anchors)],
        vocabulary,
        left,
        scores,
        forbidden=forbidden_rows(anchors, translations, words, fold_anchor, fold_word),
        wanted=Filter(**{each.name: getattr(params, each.name) for each in fields(Filter)}),
        generator=generator(job.seed, f"negatives {direction}"),
        device=job.device.name,
        progress=job.progress,
    )
    return [
        NegativeRow(
            source, target, [(words[i], float(s)) for i, s in zip(own, cosines, strict=True)], float(score), direction
        )
        for (source, target), own, cosines, score in zip(pairs, mined.rows, mined.scores, scores, strict=True)
    ]


def _tell_swapped(pairs: Pairs, vocabulary: list[str], job: Job) -> None:
    """Warn if the target vocabulary has few of the target words and clearly more of the source words."""
    known, total = set(vocabulary), len(pairs)
    targets = sum(word in known for word in pairs.targets)
    sources = sum(word in known for word in pairs.sources)
    if 2 * targets < total and clearly_more(sources, targets, total):
        job.notices.warn(
            f"Only {targets:,} of {counted(total, 'pair')} {'has' if targets == 1 else 'have'} a target word of the "
            f"target vocabulary ({100 * targets / total:.0f} %).",
            f"The columns look swapped: it holds the source word of {sources:,}. Put the source words first.",
        )


MINE_NEGATIVES = Stage(
    name="mine-negatives",
    version=2,
    inputs={
        "pairs": Input("Word pairs: source, TAB, target."),
        "encoder": Input("Encoder before fine-tuning: 'mini', a folder, or a hub name.", kind="encoder"),
        "target_vocabulary": Input("Candidate words: 'word' or 'word count' lines, or a folder with words.txt."),
        "source_vocabulary": Input("The same for the source language, for --direction both.", required=False),
    },
    params=MineParams,
    run=mine,
    makes="negatives.jsonl: source, target, and its negatives with their cosines.",
    examples=(
        "lexenc mine-negatives --pairs train.tsv --encoder mini --target-vocabulary de.txt --out runs/negatives",
    ),
    next_step="lexenc finetune --pairs {pairs} --negatives {out} --encoder {encoder} --out {new:encoder}",
    uses_device=True,
    uses_seed=True,
    check=check_mining,
)
