"""What several stages read in the same way: vectors, dictionaries and encodings, with one policy."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from lexenc.errors import DataError
from lexenc.files.dictionaries import Pairs, read_pairs, write_pairs
from lexenc.files.text import check_language, counted, fold_case
from lexenc.parameters import param
from lexenc.stage import Job

if TYPE_CHECKING:
    import numpy as np

    from lexenc.encoders.base import Encoder, Pooling
    from lexenc.files.vectors import Vectors

LOWERCASE = "Lower-case all words. The first of words that become equal is kept."
LANGUAGE = "BCP-47 code of the {side} words, for --lowercase and for TMX, XLIFF and TBX files of several languages."


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


def lowercase_param(group: str = "") -> Any:
    """Declare `--lowercase`."""
    return param(False, LOWERCASE, group=group)


def language_param(side: str, group: str = "") -> Any:
    """Declare `--source-language` or `--target-language`."""
    return param(None, LANGUAGE.format(side=side), check=check_language, group=group)


def read_dictionary(path: Path, policy: CasePolicy, *, roles: tuple[str, str] = ("source", "target")) -> Pairs:
    """Read word pairs under a case policy."""
    languages = (policy.source_language, policy.target_language)
    return fold_pairs(read_pairs(path, roles=roles, languages=languages), policy)


def fold_pairs(pairs: Pairs, policy: CasePolicy) -> Pairs:
    """Fold word pairs where the policy says so."""
    return pairs.folded(policy.source_language, policy.target_language) if policy.lowercase else pairs


def tell_findings(vectors: Vectors, job: Job) -> None:
    """Warn once for every kind of irregularity that a vector file had."""
    for sentence in vectors.report.sentences():
        job.notices.warn(sentence, None)


def fold_vectors(vectors: Vectors, language: str | None) -> Vectors:
    """Lower-case a vocabulary; the first of the forms that become equal keeps its vector."""
    from lexenc.files.spaces import first_forms

    words, kept = first_forms(vectors.words, language)
    return vectors.chosen(kept, words)


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


def usable_rows(
    pairs: Pairs,
    source: Sequence[str],
    target: Sequence[str],
    job: Job,
    *,
    lowercase: bool,
    languages: tuple[str | None, str | None] | None = None,
) -> Rows:
    """Look up a dictionary, list what is missing in `missing.tsv`, and warn with number and share.

    Args:
        pairs: The dictionary.
        source: Words with vectors.
        target: The same of the other language.
        job: Where remarks go.
        lowercase: Whether case is folded already.
        languages: Of the columns, for a stage whose `--lowercase` folds the words of the vectors too.

    Raises:
        DataError: If no pair has vectors on both sides.
    """
    rows = rows_of(pairs, source, target)
    lost, total = len(rows.missing), len(pairs)
    advice = None
    if 2 * lost > total:
        advice = coverage_advice(pairs, source, target, lowercase=lowercase, languages=languages)
    if not rows.kept:
        raise uncovered("dictionary pair", total, pairs, advice)
    if lost:
        listed = ""
        if job.kept:
            write_pairs(job.out / "missing.tsv", rows.missing)
            listed = f" {'It is' if lost == 1 else 'They are'} listed in missing.tsv of the result."
        if 2 * lost > total:
            hint = advice or f"The others are left out.{listed}"
            job.notices.warn(low_coverage("dictionary pair", len(rows.kept), total), hint)
        else:
            words = "has a word without a vector and is" if lost == 1 else "have a word without a vector and are"
            job.notices.warn(
                f"{lost:,} of {counted(total, 'dictionary pair')} {words} left out ({100 * lost / total:.0f} %).",
                listed.strip() or "Pairs without vectors teach nothing.",
            )
    return rows


def low_coverage(what: str, covered: int, total: int) -> str:
    """Say that few have vectors, with number and share."""
    has = "has" if covered == 1 else "have"
    share = f"{100 * covered / total:.0f} %"
    return f"Only {covered:,} of {counted(total, what)} {has} vectors on both sides ({share})."


def uncovered(what: str, total: int, pairs: Pairs, advice: str | None) -> DataError:
    """Give the error for a dictionary of which nothing has vectors."""
    hint = advice or "Check that the columns are source, then target, and the languages those of the vectors."
    return DataError(
        f"No {what} has vectors on both sides (0 of {total:,}).", hint=f"{hint} First pair read: {pairs.first()}."
    )


def coverage_advice(
    pairs: Pairs,
    source: Collection[str],
    target: Collection[str],
    *,
    lowercase: bool,
    languages: tuple[str | None, str | None] | None = None,
) -> str | None:
    """Look for a slip that explains why few pairs have vectors: columns swapped, or another case.

    Args:
        pairs: The dictionary.
        source: Words with vectors.
        target: The same of the other language.
        lowercase: Whether case is folded already.
        languages: Of the columns, where `--lowercase` folds the words of the vectors too.

    Returns:
        What to do, with the number of pairs that would then have vectors; None where neither helps clearly.
    """
    left, right = set(source), set(target)
    now, total = _covered(pairs, left, right), len(pairs)
    of_all = f"of {counted(total, 'pair')} would have vectors on both sides."

    swapped = _covered(pairs, right, left)
    if clearly_more(swapped, now, total):
        return f"The columns look swapped: the other way round {swapped:,} {of_all} Put the source words first."
    if not lowercase:
        if languages is not None:
            left, right = ({fold_case(word, own) for word in words}
                           for words, own in zip((left, right), languages, strict=True))  # fmt: skip
        folded = _covered(pairs.folded(*(languages or ())), left, right)
        if clearly_more(folded, now, total):
            return f"Do the cases differ? With --lowercase {folded:,} {of_all}"
    return None


def clearly_more(other: int, now: int, total: int) -> bool:
    """Tell whether another reading of a dictionary covers so much more that the present one looks like a slip."""
    return other - now >= max(1, total / 10)


def _covered(pairs: Pairs, source: set[str], target: set[str]) -> int:
    return sum(left in source and right in target for left, right in pairs)


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
