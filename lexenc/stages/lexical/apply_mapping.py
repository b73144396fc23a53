"""apply-mapping: a saved mapping and vectors of new words -> the space of the mapping."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lexenc.errors import ConfigError, DataError
from lexenc.files.hubs import share_files
from lexenc.files.text import counted, write_lines
from lexenc.files.vec_fasttext import Subwords, is_fasttext
from lexenc.files.vec_report import ReadReport
from lexenc.files.vectors import Vectors, index_of, read_two, read_vectors, save_vectors
from lexenc.files.vocabularies import read_vocabulary
from lexenc.stage import Input, Job, Outcome, Stage
from lexenc.stages.lexical.map import check_device
from lexenc.stages.lexical.shared import READING, ReadingParams, as_read, load_mapping, mapped, save_mapping
from lexenc.stages.reading import folding_of, language_param

_SIDES = ("source", "target")
_SHOWN = 5


@dataclass(frozen=True)
class ApplyMappingParams(ReadingParams):
    """Parameters of `apply-mapping`."""

    source_language: str | None = language_param("source", READING)
    target_language: str | None = language_param("target", READING)

    def language(self, side: str) -> str | None:
        """Return the language code of `source` or `target`."""
        return self.source_language if side == "source" else self.target_language


def check_apply_mapping(inputs: Mapping[str, Any], params: ApplyMappingParams) -> list[ConfigError]:
    """Return the errors that involve more than one option."""
    del params
    faults = []
    if not any(inputs.get(side) for side in _SIDES):
        hint = "They are the vectors of the new words."
        faults.append(ConfigError("apply-mapping needs --source or --target.", hint=hint))
    for side in _SIDES:
        if inputs.get(f"{side}_vocabulary") and not inputs.get(side):
            hint = "A word list has no vectors. Give vectors, or a fastText .bin, which makes them."
            faults.append(ConfigError(f"--{side}-vocabulary needs --{side}.", hint=hint))
    return faults


def apply_mapping(inputs: dict[str, Any], params: ApplyMappingParams, job: Job) -> Outcome:
    """Map one language or both. A language without new vectors is copied from the folder of the mapping."""
    check_device(job)
    mapping = load_mapping(inputs["mapping"])
    summary: dict[str, Any] = {}
    for side, vectors in _read(inputs, params, job).items():
        made = mapped(vectors, mapping, side)
        save_vectors(job.out / side, made.words, made.matrix)
        summary[f"{side}_words"] = len(made.words)
    for side in _SIDES:
        known = inputs["mapping"] / side
        if f"{side}_words" not in summary and (known / "words.txt").is_file():
            share_files(known, job.out / side)
            job.notices.say(f"The {side} side is that of {inputs['mapping']}.")
    save_mapping(job.out, mapping)
    return Outcome(summary | {"dimensions": mapping.source.shape[1], "pairs_used": mapping.pairs, "rank": mapping.rank})


def _read(inputs: dict[str, Any], params: ApplyMappingParams, job: Job) -> dict[str, Vectors]:
    """Read the new vectors, two whole files at the same time."""
    given = [side for side in _SIDES if inputs.get(side) is not None]
    if len(given) == 1 or any(inputs.get(f"{side}_vocabulary") for side in given):
        return {side: _read_one(side, inputs, params, job) for side in given}
    both = read_two(inputs["source"], inputs["target"], progress=job.progress, **params.options)
    return {side: as_read(each, params, params.language(side), job) for side, each in zip(given, both, strict=True)}


def _read_one(side: str, inputs: dict[str, Any], params: ApplyMappingParams, job: Job) -> Vectors:
    path, listed = inputs[side], inputs.get(f"{side}_vocabulary")
    language = params.language(side)
    if listed is None:
        return as_read(read_vectors(path, progress=job.progress, **params.options), params, language, job)
    words = read_vocabulary(listed, limit=params.limit, folding=folding_of(params), language=language).words
    if is_fasttext(path):
        # The model makes vectors of unknown words from their subwords; a word without any known subword gets zeros.
        matrix = Subwords(path).vectors(words)
        kept = np.flatnonzero(matrix.any(axis=1))
        found = Vectors(words, matrix, ReadReport(str(path))).chosen(kept, [words[row] for row in kept])
    else:
        whole = read_vectors(path, progress=job.progress, **params.options | {"limit": None})
        known = as_read(whole, params, language, job)
        index = index_of(known.words)
        own = [word for word in words if word in index]
        found = replace(known, words=own, matrix=known.matrix[[index[word] for word in own]])
    _tell_missing(side, words, set(found.words), path, job)
    return found


def _tell_missing(side: str, words: list[str], known: set[str], path: Path, job: Job) -> None:
    """Warn about words without a vector, and list them in a file.

    Raises:
        DataError: If no word has a vector.
    """
    missing = [word for word in words if word not in known]
    if not missing:
        return
    if not known:
        raise DataError(
            f"{path} has a vector for none of {counted(len(words), 'word')}.",
            hint="Check the case of the words. A fastText .bin with subwords has vectors of unknown words.",
        )
    write_lines(job.out / f"missing.{side}.txt", missing)
    shown = ", ".join(f"'{word}'" for word in missing[:_SHOWN]) + (", ..." if len(missing) > _SHOWN else "")
    job.notices.warn(
        f"{len(missing):,} of {counted(len(words), f'{side} word')} have no vector in {path}: {shown}.",
        f"They are left out, and listed in missing.{side}.txt of the result.",
    )


APPLY_MAPPING = Stage(
    name="apply-mapping",
    version=2,
    inputs={
        "mapping": Input("Saved mapping: a folder of map, or of one language in a folder of map-hub."),
        "source": Input("Source vectors of new words, in the form that the mapping was learned from.", required=False),
        "target": Input("Target vectors of new words.", required=False),
        "source_vocabulary": Input(
            "Word list: map only these words. If --source is a fastText .bin, it makes vectors of unknown words.",
            required=False,
        ),
        "target_vocabulary": Input("The same for --target.", required=False),
    },
    params=ApplyMappingParams,
    run=apply_mapping,
    makes="source/ and target/ (vectors.npy, words.txt) and mapping.safetensors. A side that is not given is that of "
    "--mapping.",
    examples=(
        "lexenc apply-mapping --mapping runs/mapped --source new.vec --out runs/new",
        "lexenc apply-mapping --mapping runs/mapped --source model.bin --source-vocabulary words.txt --out runs/new",
    ),
    next_step="lexenc translate --vectors {out} WORDS",
    uses_device=True,
    check=check_apply_mapping,
)
