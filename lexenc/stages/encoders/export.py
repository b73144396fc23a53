"""export: vectors -> files that other programs read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lexenc.errors import DataError
from lexenc.files.spaces import SIDES, load_space
from lexenc.files.text import counted
from lexenc.files.vec_binary import write_word2vec_binary
from lexenc.files.vec_report import Finding
from lexenc.files.vectors import Vectors, read_vectors, write_vec
from lexenc.parameters import param
from lexenc.stage import Input, Job, Outcome, Stage
from lexenc.stages.reading import tell_findings

# Characters at which a program in C or Python ends a word; a word contains no line feed.
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
        "How to write words with spaces, which many programs cannot read: underscore: as new_york; keep: unchanged, "
        "for lexenc only; drop: not at all.",
    )


def export(inputs: dict[str, Any], params: ExportParams, job: Job) -> Outcome:
    """Write vectors, or both languages of a shared space."""
    words = phrases = 0
    sets = _sets(inputs["vectors"])
    if params.phrases == "keep" and params.format == "word2vec":
        # Before anything is written.
        for vectors in sets.values():
            if found := sum(" " in vectors.words[row] for row in _spaced(vectors.words)):
                raise DataError(
                    f"{vectors.report.source}: {found:,} of {counted(len(vectors.words), 'word')} with spaces, at "
                    "which the word2vec format ends a word.",
                    hint="Use --phrases underscore or drop, or --format vec.",
                )
    for name, vectors in sets.items():
        vectors.report.counts.pop(Finding.SPACED, None)  # reported below, with what is done about it
        tell_findings(vectors, job)
        vectors = _without_blanks(vectors, job)
        spaced = _spaced(vectors.words)
        if spaced:
            vectors = _without_spaces(vectors, spaced, params.phrases, job)
        if params.format == "word2vec":
            write_word2vec_binary(job.out / f"{name}.bin", vectors.words, vectors.matrix)
        else:
            suffix = "vec" if params.format == "vec" else "txt"
            write_vec(job.out / f"{name}.{suffix}", vectors.words, vectors.matrix, header=params.format == "vec")
        words, phrases = words + len(vectors.words), phrases + len(spaced)
    return Outcome({"files": len(sets), "words": words, "phrases": phrases})


def _spaced(words: list[str]) -> list[int]:
    return [row for row, word in enumerate(words) if word.strip(_SPACES) and _SPACE.search(word)]


def _without_blanks(vectors: Vectors, job: Job) -> Vectors:
    kept = [row for row, word in enumerate(vectors.words) if word.strip(_SPACES)]
    lost = len(vectors.words) - len(kept)
    if not lost:
        return vectors
    if not kept:
        raise DataError(f"{vectors.report.source} contains only words of spaces.", hint="Check that the file is right.")
    job.notices.warn(f"{vectors.report.source}: dropped {counted(lost, 'word')} of spaces only.", None)
    return vectors.chosen(kept, [vectors.words[row] for row in kept])


def _without_spaces(vectors: Vectors, spaced: list[int], phrases: str, job: Job) -> Vectors:
    """Treat the words of some rows, which contain spaces, as `--phrases` says."""
    source = vectors.report.source
    holding = f"{source}: {len(spaced):,} of {counted(len(vectors.words), 'word')} with spaces"
    if phrases == "keep":
        hint = "Other programs read the part after a space as a number. Use --phrases underscore or drop for them."
        job.notices.warn(f"{holding}, written unchanged.", hint)
        return vectors
    words, lost = list(vectors.words), set(spaced)
    if phrases == "drop":
        job.notices.say(f"{holding}, dropped.")
    else:
        taken = set(words)
        for row in spaced:
            words[row] = _SPACE.sub("_", words[row])
            if words[row] not in taken:
                lost.remove(row)
            taken.add(words[row])
        repeats = f" ({len(lost):,} dropped because the word exists already)" if lost else ""
        example = vectors.words[spaced[0]]
        job.notices.warn(
            f"{holding}, written with underscores{repeats}.",
            f"In other programs a word ends at a space. '{example}' is now '{words[spaced[0]]}'. "
            "Use --phrases drop to drop such words.",
        )
    kept = [row for row in range(len(words)) if row not in lost]
    if not kept:
        raise DataError(f"{source} contains only words with spaces.", hint="Use --phrases underscore.")
    return vectors.chosen(kept, [words[row] for row in kept])


def _sets(path: Path) -> dict[str, Vectors]:
    """Read the vectors, each under the name of its output file."""
    if path.is_dir() and not (path / "vectors.npy").is_file():
        if not (path / "source").is_dir():
            raise DataError(
                f"{path} contains no vectors.", hint="Use a result of map, interpolate, encode or train-static."
            )
        space = load_space(path, mmap=True)
        return {side: space.side(side) for side in SIDES}
    return {"vectors": read_vectors(path)}


EXPORT = Stage(
    name="export",
    version=2,
    inputs={
        "vectors": Input("Result of map, interpolate, encode or train-static, or any vector file.", positional=True)
    },
    params=ExportParams,
    run=export,
    makes="source.vec and target.vec, or vectors.vec (.bin for word2vec, .txt for glove).",
    examples=("lexenc export runs/mapped --format vec --out vectors",),
)
