"""Parts shared by stages for word vectors: reading of vectors, saved mappings, and blending with an encoder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np

from lexenc.artifact import maker_of, recorded_input, recorded_param
from lexenc.encoders.base import Encoder
from lexenc.errors import DataError
from lexenc.files.dictionaries import Pairs
from lexenc.files.spaces import SIDES, Space, load_space
from lexenc.files.tensors import read_tensors, write_tensors
from lexenc.files.vectors import Vectors, new_table, read_vectors
from lexenc.lexical.mapping import Mapping
from lexenc.lexical.procrustes import fit_procrustes, procrustes_announcement, share_lost
from lexenc.lexical.text_vectors import WordTable, WordTables
from lexenc.parameters import param
from lexenc.stage import Job
from lexenc.stages.reading import (
    CasePolicy,
    encode_words,
    fold_vectors,
    folding_of,
    lowercase_param,
    tell_findings,
    unicode_param,
    usable_rows,
    wider,
)
from lexenc.text.folding import Folding, UnicodeForm

MAPPING = "mapping.safetensors"
READING = "Reading"
Item = TypeVar("Item")


@dataclass(frozen=True)
class ReadingParams:
    """How vector files are read."""

    limit: int | None = param(None, "Read only the first words of each file.", ge=1, group=READING)
    duplicates: Literal["first", "last"] = param(
        "first", "Vector of a repeated word: first: the first one; last: the last one, as VecMap.", group=READING
    )
    bad_lines: Literal["error", "skip"] = param(
        "error", "Lines that are not a vector: error: stop; skip: ignore them.", group=READING
    )
    lowercase: bool = lowercase_param(READING)
    unicode: UnicodeForm = unicode_param(READING)

    @property
    def options(self) -> dict[str, Any]:
        """Arguments for `read_vectors` and `read_two`."""
        return {name: getattr(self, name) for name in ("limit", "duplicates", "bad_lines")}


def as_read(vectors: Vectors, params: ReadingParams, language: str | None, job: Job) -> Vectors:
    """Warn about irregular lines, and fold the words as requested."""
    tell_findings(vectors, job)
    return fold_vectors(vectors, folding_of(params), language)


def open_words(path: Path, policy: CasePolicy, job: Job, *, limit: int | None = None) -> WordTables:
    """Open a shared space (a folder with source/ and target/), or vectors of one language in any format.

    Args:
        path: Folder or file.
        policy: Case and languages.
        job: Device, seed, progress and messages of the run.
        limit: Number of first words of each vocabulary to use.

    Raises:
        DataError: If it holds no vectors.
    """

    def table(vectors: Vectors, language: str | None) -> WordTable:
        return WordTable.of(vectors, limit=limit, folding=folding_of(policy), language=language)

    if any((path / side / "words.txt").is_file() for side in SIDES):
        space = load_space(path, mmap=True)
        for vectors in (space.source, space.target):
            tell_findings(vectors, job)
        return WordTables(
            table(space.source, policy.source_language), table(space.target, policy.target_language), True
        )
    vectors = read_vectors(path, limit=limit, progress=job.progress)
    tell_findings(vectors, job)
    first = table(vectors, policy.source_language)
    same = not policy.lowercase or policy.source_language == policy.target_language
    return WordTables(first, first if same else table(vectors, policy.target_language), shared=False)


def batches(items: Iterable[Item], size: int = 4096) -> Iterator[list[Item]]:
    """Yield lists of `size` items; the last one may be shorter."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


# ---------------------------------------------------------------- saved mappings


def mapped(vectors: Vectors, mapping: Mapping, side: str) -> Vectors:
    """Map the vectors of one language, in place if the dimensions stay the same and the array is writable."""
    matrix, apply = (
        (mapping.source, mapping.apply_source) if side == "source" else (mapping.target, mapping.apply_target)
    )
    in_place = matrix.shape[0] == matrix.shape[1] and vectors.matrix.flags.writeable
    return replace(vectors, matrix=apply(vectors.matrix, out=vectors.matrix if in_place else None))


def save_mapping(folder: Path, mapping: Mapping) -> None:
    """Write the matrices of a mapping and the normalisation of both languages."""
    tensors, facts = mapping.as_tensors()
    write_tensors(folder / MAPPING, tensors, {"mapping": facts})


def load_mapping(place: Path) -> Mapping:
    """Read a mapping that `save_mapping` wrote.

    Args:
        place: The folder, or the file itself.

    Raises:
        DataError: If there is none, or it is damaged.
    """
    path = place / MAPPING if place.is_dir() else place
    if not path.is_file():
        hint = "Use a folder of lexenc map, or of one language in a folder of map-hub."
        raise DataError(f"{place} holds no {MAPPING}.", hint=hint)
    tensors, facts = read_tensors(path, hint="Make it again with lexenc map.")
    return Mapping.from_tensors(tensors, facts.get("mapping"), path)


# ---------------------------------------------------------------- blending with an encoder


def encode_to_file(encoder: Encoder, words: Sequence[str], path: Path, job: Job) -> np.ndarray:
    """Encode words into a `.npy` file, in constant memory. Shape [n, d], float32."""
    from lexenc.encoders.encode import encode_texts

    vectors = new_table(path, len(words), encoder.dimensions)
    return encode_texts(encoder, words, out=vectors, progress=job.progress)


def learn_projection(
    space: Space, encoded: tuple[np.ndarray, np.ndarray], dictionary: Pairs, job: Job, *, folding: Folding
) -> np.ndarray:
    """Learn the orthogonal map from static vectors to encodings, from all dictionary words of both languages.

    Args:
        space: Mapped static vectors.
        encoded: Encodings of the source and the target words, row by row as in `space`.
        dictionary: Training pairs. A repeated word counts each time.
        job: Device, seed, progress and messages of the run.
        folding: How words are folded already, for a hint.

    Returns:
        W of section 2 of the paper. Shape [d1, d2], float64.
    """
    rows = usable_rows(dictionary, space.source.words, space.target.words, job, folding=folding)
    static = np.concatenate([space.source.matrix[rows.source], space.target.matrix[rows.target]])
    other = np.concatenate([encoded[0][rows.source], encoded[1][rows.target]])
    both = space.source.matrix, space.target.matrix
    poor = procrustes_announcement(static, other, both, encoded)
    if poor is not None:
        job.notices.warn(poor, "Use a larger dictionary.")
    projection = fit_procrustes(static, other)
    lost = share_lost(projection, both)
    if lost:
        small, large = static.shape[1], other.shape[1]
        job.notices.warn(
            f"Static vectors have {small} dimensions, the encoder {large}: the projection loses {100 * lost:.2g} % of "
            "the static vectors, and lambda 0 does not reproduce their scores.",
            f"Reduce the static vectors first: lexenc map --reduce-to {large}.",
        )
    return projection


def projection_between(tables: WordTables, encoder: Encoder, train: Pairs, job: Job, *, folding: Folding) -> np.ndarray:
    """Learn the map of `learn_projection`, encoding only the words of the dictionary.

    Args:
        tables: Both languages of a shared space.
        encoder: The encoder.
        train: Training pairs, folded as the words of `tables` are.
        job: Device, seed, progress and messages of the run.
        folding: How words are folded already, for a hint.
    """
    # Words in the other column or folded otherwise are not encoded; a hint may find that they were meant.
    wanted = [*train.sources, *train.targets]
    wanted += [other.fold(word) for other in wider(folding) for word in wanted]
    both, encoded = [], []
    for table, column in ((tables.source, train.sources), (tables.target, train.targets)):
        vectors, own = table.chosen(wanted), set(column)
        rows = [row for row, word in enumerate(vectors.words) if word in own]
        matrix = np.zeros((len(vectors.words), encoder.dimensions), dtype=np.float32)
        matrix[rows] = encode_words(encoder, [vectors.words[row] for row in rows], job)
        both.append(vectors)
        encoded.append(matrix)
    return learn_projection(Space(*both), (encoded[0], encoded[1]), train, job, folding=folding)


def repeated_weight(weights: Sequence[float]) -> str | None:
    """Return the first weight that occurs twice, as tables and file names show it."""
    written = [f"{weight + 0.0:g}" for weight in weights]  # the sum makes 0 of -0
    return next((each for place, each in enumerate(written) if each in written[:place]), None)


def warn_of_second_blend(folder: Path, weights: Sequence[float], job: Job) -> None:
    """Warn if a space is already blended with an encoder, with the weights that would result.

    Args:
        folder: The space that is about to be blended.
        weights: Weights of the encoder.
        job: Device, seed, progress and messages of the run.
    """
    maker = maker_of(folder)
    if maker is None or maker.stage != "interpolate" or not any(weights):
        return
    origin = recorded_input(folder, maker, "vectors").given
    first, weight = recorded_param(folder, maker, "lambda", float), next(each for each in weights if each)
    static = (1 - first) * (1 - weight)
    job.notices.warn(
        f"{folder} is already blended, with lambda {first:g}: with {weight:g} more its static vectors weigh about "
        f"{static:.2g}, encodings {1 - static:.2g}.",
        f"For lambda {weight:g} give the space that it was blended from: {origin}",
    )
