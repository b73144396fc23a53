"""What several stages read in the same way: vectors, dictionaries and encodings, with one policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from lexenc.errors import DataError
from lexenc.files.dictionaries import Pairs, read_pairs, write_pairs
from lexenc.parameters import param
from lexenc.stage import Job

if TYPE_CHECKING:
    import numpy as np

    from lexenc.encoders.base import Encoder, Pooling
    from lexenc.files.vectors import Vectors

LOWERCASE = "Lower-case dictionaries and vocabularies; of forms that become equal the first is kept."
LANGUAGE = "Language code (BCP-47) of the {side} words, for --lowercase: 'tr' gives I its dotless small form."


class CasePolicy(Protocol):
    """Parameters of every stage that compares words."""

    @property
    def lowercase(self) -> bool:
        """Whether case is folded."""

    @property
    def source_language(self) -> str | None:
        """Language of the left column."""

    @property
    def target_language(self) -> str | None:
        """Language of the right column."""


def lowercase_param() -> Any:
    """Declare `--lowercase`."""
    return param(False, LOWERCASE)


def language_param(side: str) -> Any:
    """Declare `--source-language` or `--target-language`."""
    return param(None, LANGUAGE.format(side=side))


def read_dictionary(path: Path, policy: CasePolicy, *, roles: tuple[str, str] = ("source", "target")) -> Pairs:
    """Read word pairs under a case policy."""
    pairs = read_pairs(path, roles=roles)
    return pairs.folded(policy.source_language, policy.target_language) if policy.lowercase else pairs


def tell_findings(vectors: Vectors, job: Job) -> None:
    """Warn once for every kind of irregularity that a vector file had."""
    for sentence in vectors.report.sentences():
        job.notices.warn(sentence, None)


def fold_vectors(vectors: Vectors, language: str | None) -> Vectors:
    """Lower-case a vocabulary; the first of the forms that become equal keeps its vector."""
    import numpy as np

    from lexenc.files.spaces import first_forms
    from lexenc.files.vectors import Vectors as Made

    words, kept = first_forms(vectors.words, language)
    matrix = vectors.matrix if len(kept) == len(vectors.words) else np.ascontiguousarray(vectors.matrix[kept])
    return Made(words, matrix, vectors.report)


@dataclass(frozen=True)
class Rows:
    """Pairs whose words both have vectors.

    Args:
        source: Row of each source word. Shape [n].
        target: Row of each target word. Shape [n].
        kept: Which pairs these are. Shape [n].
        missing: Pairs left out.
    """

    source: np.ndarray
    target: np.ndarray
    kept: list[int]
    missing: list[tuple[str, str]]


def rows_of(pairs: Pairs, source: Sequence[str], target: Sequence[str]) -> Rows:
    """Look up the pairs of a dictionary in two vocabularies."""
    import numpy as np

    from lexenc.files.vectors import index_of

    source_index, target_index = index_of(source), index_of(target)
    kept = [i for i, (left, right) in enumerate(pairs) if left in source_index and right in target_index]
    chosen = set(kept)
    return Rows(
        np.array([source_index[pairs.sources[i]] for i in kept], dtype=np.int64),
        np.array([target_index[pairs.targets[i]] for i in kept], dtype=np.int64),
        kept,
        [pair for i, pair in enumerate(pairs) if i not in chosen],
    )


def usable_rows(pairs: Pairs, source: Sequence[str], target: Sequence[str], job: Job, *, lowercase: bool) -> Rows:
    """Look up a dictionary, list what is missing in `missing.tsv`, and warn with number and share.

    Raises:
        DataError: If no pair has vectors on both sides.
    """
    rows = rows_of(pairs, source, target)
    lost, total = len(rows.missing), len(pairs)
    if not rows.kept:
        case = "" if lowercase else " Do the cases differ? --lowercase makes them one."
        raise DataError(
            f"None of the {total:,} dictionary pairs has vectors on both sides.",
            hint=f"Check that the columns are source, then target. First pair read: {pairs.first()}.{case}",
        )
    if lost:
        write_pairs(job.out / "missing.tsv", rows.missing)
        job.notices.warn(
            f"{lost:,} of {total:,} dictionary pairs have a word without a vector and are left out "
            f"({100 * lost / total:.0f} %).",
            "They are listed in missing.tsv of the result.",
        )
    return rows


def encode_words(encoder: Encoder, words: Sequence[str], job: Job) -> np.ndarray:
    """Encode words in isolation. Shape [n, d], float32."""
    from lexenc.encoders.encode import encode_texts

    return encode_texts(encoder, words, progress=job.progress)


def result_name(folder: Path) -> str:
    """Give the name that a result will have, from the folder in which it is built aside."""
    return folder.name.removeprefix(".").removesuffix(".partial")


def open_encoder(folder: Path, pooling: Pooling, job: Job, *, max_length: int | None = None) -> Encoder:
    """Load an encoder on the job's device."""
    from lexenc.encoders.load import load_encoder

    return load_encoder(folder, pooling=pooling, device=job.device, max_length=max_length)


POOLING = (
    "mean: mean of the last layer over all tokens, special ones included; model: the encoder's own modules; "
    "auto: its own where it has any, else mean."
)
PoolingChoice = Literal["auto", "mean", "model"]
