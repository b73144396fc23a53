"""export: vectors of ours -> files that other programs open."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lexenc.errors import DataError
from lexenc.files.text import counted
from lexenc.parameters import param
from lexenc.stage import Input, Job, Outcome, Stage
from lexenc.stages.reading import tell_findings

if TYPE_CHECKING:
    from lexenc.files.vectors import Vectors

# Where some program in C or Python ends a word; a line feed cannot be in one.
_SPACES = " \t\r\v\f"
_SPACE = re.compile(f"[{_SPACES}]")


@dataclass(frozen=True)
class ExportParams:
    """Parameters of `export`."""

    format: Literal["vec", "word2vec", "glove"] = param(
        "vec",
        "vec: fastText text with a header (VecMap, MUSE, gensim); word2vec: binary; glove: text without a header.",
    )
    phrases: Literal["underscore", "keep", "drop"] = param(
        "underscore",
        "Words with spaces, at which other programs end a word: underscore: new_york; keep: as they are, which "
        "lexenc alone reads; drop: left out.",
    )


def export(inputs: dict[str, Any], params: ExportParams, job: Job) -> Outcome:
    """Write vectors, or both languages of a shared space."""
    from lexenc.files.vectors import Finding

    files = words = phrases = 0
    sets = _sets(inputs["vectors"])
    if params.phrases == "keep" and params.format == "word2vec":
        _check_no_phrase(sets.values())
    for name, vectors in sets.items():
        vectors.report.counts.pop(Finding.SPACED, None)  # what becomes of them is said below
        tell_findings(vectors, job)
        vectors = _without_blanks(vectors, job)
        spaced = _spaced(vectors.words)
        if spaced:
            vectors = _without_spaces(vectors, spaced, params.phrases, job)
        words += _write(job.out, name, vectors, params.format)
        files, phrases = files + 1, phrases + len(spaced)
    return Outcome({"files": files, "words": words, "phrases": phrases})


def _spaced(words: list[str]) -> list[int]:
    """Give the rows of phrases."""
    return [row for row, word in enumerate(words) if word.strip(_SPACES) and _SPACE.search(word)]


def _check_no_phrase(sets: Iterable[Vectors]) -> None:
    """Refuse to keep phrases in a format that has no place for them, before anything is said of them or written."""
    for vectors in sets:
        found = sum(" " in vectors.words[row] for row in _spaced(vectors.words))
        if found:
            raise DataError(
                f"{vectors.report.source}: {found:,} of {counted(len(vectors.words), 'word')} with spaces, at which "
                "the word2vec format ends a word.",
                hint="Use --phrases underscore or drop, or --format vec.",
            )


def _without_blanks(vectors: Vectors, job: Job) -> Vectors:
    """Leave out words that hold nothing but spaces, which no program could ask for.

    Raises:
        DataError: If no word would be left.
    """
    kept = [row for row, word in enumerate(vectors.words) if word.strip(_SPACES)]
    lost = len(vectors.words) - len(kept)
    if not lost:
        return vectors
    if not kept:
        raise DataError(f"{vectors.report.source} holds nothing but words of spaces.", hint="Is it the right file?")
    job.notices.warn(f"{vectors.report.source}: {counted(lost, 'word')} of nothing but spaces left out.", None)
    return vectors.chosen(kept, [vectors.words[row] for row in kept])


def _without_spaces(vectors: Vectors, spaced: list[int], phrases: str, job: Job) -> Vectors:
    """Do what was asked for with words that hold spaces, and say how many there are.

    Args:
        vectors: What is to be written.
        spaced: Rows of such words.
        phrases: `underscore`, `keep` or `drop`.
        job: For the remark.

    Raises:
        DataError: If no word would be left.
    """
    names = vectors.report.source
    holding = f"{names}: {len(spaced):,} of {counted(len(vectors.words), 'word')} with spaces"
    if phrases == "keep":
        hint = "Other programs take what follows a space for a number: use --phrases underscore or drop for them."
        job.notices.warn(f"{holding}, written as read.", hint)
        return vectors
    if phrases == "drop":
        words, lost = vectors.words, set(spaced)
        job.notices.say(f"{holding}, left out.")
    else:
        words, lost = _underscored(vectors.words, spaced)
        repeats = f" ({len(lost):,} left out, as there is such a word already)" if lost else ""
        example = vectors.words[spaced[0]]
        job.notices.warn(
            f"{holding}, written with underscores{repeats}.",
            f"Other programs end a word at a space. '{example}' is now '{_SPACE.sub('_', example)}'; "
            "--phrases drop leaves such words out.",
        )
    kept = [row for row in range(len(words)) if row not in lost]
    if not kept:
        raise DataError(f"{names} holds nothing but words with spaces.", hint="Use --phrases underscore.")
    return vectors.chosen(kept, [words[row] for row in kept])


def _underscored(words: list[str], spaced: list[int]) -> tuple[list[str], set[int]]:
    """Put underscores in place of spaces.

    Args:
        words: All words.
        spaced: Rows of those with spaces.

    Returns:
        The new words, and the rows of those that would repeat another.
    """
    made, taken, lost = list(words), set(words), set()
    for row in spaced:
        word = _SPACE.sub("_", words[row])
        if word in taken:
            lost.add(row)
        taken.add(word)
        made[row] = word
    return made, lost


def _sets(path: Path) -> dict[str, Vectors]:
    """Give the vector sets of a place by the name that their files will have."""
    from lexenc.files.spaces import SIDES, load_space
    from lexenc.files.vectors import read_vectors

    if path.is_dir() and not (path / "vectors.npy").is_file():
        if not (path / "source").is_dir():
            raise DataError(
                f"{path} holds no vectors.", hint="Export what map, interpolate, encode or train-static made."
            )
        space = load_space(path, mmap=True)
        return {side: space.side(side) for side in SIDES}
    return {"vectors": read_vectors(path)}


def _write(folder: Path, name: str, vectors: Vectors, kind: str) -> int:
    from lexenc.files.vectors import write_vec, write_word2vec_binary

    if kind == "word2vec":
        write_word2vec_binary(folder / f"{name}.bin", vectors.words, vectors.matrix)
    else:
        suffix = "vec" if kind == "vec" else "txt"
        write_vec(folder / f"{name}.{suffix}", vectors.words, vectors.matrix, header=kind == "vec")
    return len(vectors.words)


EXPORT = Stage(
    name="export",
    version=1,
    inputs={
        "vectors": Input("What map, interpolate, encode or train-static made, or any vector file.", positional=True)
    },
    params=ExportParams,
    run=export,
    makes="source.vec and target.vec, or vectors.vec (.bin for word2vec, .txt for glove).",
    examples=(("lexenc export runs/mapped --format vec --out vectors", ""),),
)
