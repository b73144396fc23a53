"""map --mapping: words that a saved mapping has not seen -> its space."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexenc.errors import ConfigError, DataError
from lexenc.files.text import counted, write_lines
from lexenc.stage import Job, Outcome
from lexenc.stages.reading import fold_vectors, tell_findings

if TYPE_CHECKING:
    from lexenc.files.vectors import Vectors
    from lexenc.stages.lexical.map import MapParams

_SIDES = ("source", "target")
_SHOWN = 5


def check_new_words(inputs: Mapping[str, Any]) -> list[ConfigError]:
    """Give the faults in what a saved mapping is to be applied to."""
    if inputs.get("dictionary"):
        hint = "A dictionary learns a mapping; --mapping applies one that was learnt before."
        return [ConfigError("map takes --dictionary or --mapping, not both.", hint=hint)]
    faults = []
    if not any(inputs.get(side) for side in _SIDES):
        faults.append(ConfigError("--mapping needs --source or --target.", hint="They are the vectors of new words."))
    for side in _SIDES:
        if inputs.get(f"{side}_vocabulary") and not inputs.get(side):
            hint = "A word list has no vectors; a fastText .bin makes them."
            faults.append(ConfigError(f"--{side}-vocabulary needs --{side}.", hint=hint))
    return faults


def map_new_words(inputs: dict[str, Any], params: MapParams, job: Job) -> Outcome:
    """Apply a saved mapping to one side or both; a side that is not given is that of the mapping's own folder."""
    from lexenc.files.hubs import share_files
    from lexenc.files.vectors import save_vectors
    from lexenc.stages.lexical.mappings import load_mapping, moved, save_mapping

    mapping = load_mapping(inputs["mapping"])
    summary: dict[str, Any] = {}
    for side, vectors in _sides(inputs, params, job).items():
        made = moved(vectors, mapping, side)
        save_vectors(job.out / side, made.words, made.matrix)
        summary[f"{side}_words"] = len(made.words)
    for side in _SIDES:
        known = inputs["mapping"] / side
        if f"{side}_words" not in summary and (known / "words.txt").is_file():
            share_files(known, job.out / side)
            job.notices.say(f"The {side} side is that of {inputs['mapping']}.")
    save_mapping(job.out, mapping)
    return Outcome(summary | {"dimensions": mapping.source.shape[1], "pairs_used": mapping.pairs, "rank": mapping.rank})


def _sides(inputs: dict[str, Any], params: MapParams, job: Job) -> dict[str, Vectors]:
    """Read what was given; two whole files at the same time."""
    from lexenc.files.vectors import read_two

    given = [side for side in _SIDES if inputs.get(side) is not None]
    if len(given) == 1 or any(inputs.get(f"{side}_vocabulary") for side in given):
        return {side: _one_side(side, inputs, params, job) for side in given}
    both = read_two(
        inputs["source"],
        inputs["target"],
        limit=params.limit,
        duplicates=params.duplicates,
        bad_lines=params.bad_lines,
        progress=job.progress,
    )
    return {side: _told(side, each, params, job) for side, each in zip(given, both, strict=True)}


def _one_side(side: str, inputs: dict[str, Any], params: MapParams, job: Job) -> Vectors:
    from lexenc.files.vectors import is_fasttext
    from lexenc.files.vocabularies import read_vocabulary

    path, listed = inputs[side], inputs.get(f"{side}_vocabulary")
    if listed is None:
        return _told(side, _read(path, params, job, limit=params.limit), params, job)
    words = read_vocabulary(
        listed, limit=params.limit, lowercase=params.lowercase, language=_language(side, params)
    ).words
    if is_fasttext(path):
        return _made(side, path, words, job)
    known = _told(side, _read(path, params, job, limit=None), params, job)
    return _found(side, known, words, job)


def _read(path: Path, params: MapParams, job: Job, *, limit: int | None) -> Vectors:
    from lexenc.files.vectors import read_vectors

    return read_vectors(
        path, limit=limit, duplicates=params.duplicates, bad_lines=params.bad_lines, progress=job.progress
    )


def _language(side: str, params: MapParams) -> str | None:
    return params.source_language if side == "source" else params.target_language


def _told(side: str, vectors: Vectors, params: MapParams, job: Job) -> Vectors:
    """Report what the file had, and fold it where that was asked for."""
    tell_findings(vectors, job)
    return fold_vectors(vectors, _language(side, params)) if params.lowercase else vectors


def _made(side: str, path: Path, words: list[str], job: Job) -> Vectors:
    """Make vectors of words by a fastText model; what it has nothing for is left out."""
    import numpy as np

    from lexenc.files.vectors import ReadReport, Subwords, Vectors

    matrix = Subwords(path).vectors(words)
    kept = np.flatnonzero(matrix.any(axis=1))
    _tell_missing(side, words, kept.tolist(), path, job)
    return Vectors(words, matrix, ReadReport(str(path))).chosen(kept, [words[row] for row in kept])


def _found(side: str, known: Vectors, words: list[str], job: Job) -> Vectors:
    """Take words out of vectors."""
    import numpy as np

    from lexenc.files.vectors import Vectors, index_of

    index = index_of(known.words)
    kept = [place for place, word in enumerate(words) if word in index]
    _tell_missing(side, words, kept, Path(known.report.source), job)
    rows = np.array([index[words[place]] for place in kept], dtype=np.int64)
    return Vectors([words[place] for place in kept], known.matrix[rows], known.report)


def _tell_missing(side: str, words: list[str], kept: list[int], path: Path, job: Job) -> None:
    """List words without vectors in a file, and warn with their number.

    Raises:
        DataError: If no word has one.
    """
    if len(kept) == len(words):
        return
    if not kept:
        raise DataError(
            f"{path} has a vector for none of {counted(len(words), 'word')}.",
            hint="Does the case agree? A fastText .bin with subwords has vectors of words that it does not know.",
        )
    chosen = set(kept)
    missing = [word for place, word in enumerate(words) if place not in chosen]
    write_lines(job.out / f"missing.{side}.txt", missing)
    shown = ", ".join(f"'{word}'" for word in missing[:_SHOWN]) + (", ..." if len(missing) > _SHOWN else "")
    job.notices.warn(
        f"{len(missing):,} of {counted(len(words), f'{side} word')} have no vector in {path}: {shown}.",
        f"They are left out, and listed in missing.{side}.txt of the result.",
    )
