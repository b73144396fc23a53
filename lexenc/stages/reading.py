"""Vectors, dictionaries and encodings, read in the same way by several stages."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np

from lexenc.encoders.base import unknown_language, unsavable, untrainable
from lexenc.errors import DataError
from lexenc.files.dictionaries import Pairs, read_pairs, write_pairs
from lexenc.files.parallel import ParallelText
from lexenc.files.spaces import first_forms
from lexenc.files.text import counted, read_lines
from lexenc.files.vectors import Vectors, index_of
from lexenc.parameters import param
from lexenc.stage import Job
from lexenc.text.folding import Folding, UnicodeForm, check_language

if TYPE_CHECKING:
    from lexenc.encoders.base import Encoder, Pooling

LOWERCASE = "Lower-case all words. Of words that become equal, the first one is kept."
UNICODE = (
    "Unicode normal form of all words. nfc: a letter and its accents are one character; nfkc: full-width letters and "
    "ligatures are plain letters as well; keep: as they are."
)
LANGUAGE = "BCP-47 code of the {side} words, for --lowercase and multilingual TMX, XLIFF and TBX files."


class Spelt(Protocol):
    """Parameters of how words are folded."""

    @property
    def lowercase(self) -> bool:
        """Whether words are lower-cased."""

    @property
    def unicode(self) -> UnicodeForm:
        """Unicode normal form."""


class CasePolicy(Spelt, Protocol):
    """Parameters of every stage that compares words of two languages."""

    @property
    def source_language(self) -> str | None:
        """Language of the left column."""

    @property
    def target_language(self) -> str | None:
        """Language of the right column."""


def lowercase_param(group: str = "") -> Any:
    """Declare `--lowercase`."""
    return param(False, LOWERCASE, group=group)


def unicode_param(group: str = "") -> Any:
    """Declare `--unicode`."""
    return param("keep", UNICODE, group=group)


def folding_of(params: Spelt) -> Folding:
    """Return how a stage folds words."""
    return Folding(params.lowercase, params.unicode)


def language_param(side: str, group: str = "") -> Any:
    """Declare `--source-language` or `--target-language`."""
    text = LANGUAGE if side in ("source", "left") else "The same for the {side} words."
    return param(None, text.format(side=side), check=check_language, group=group)


def read_dictionary(
    path: Path, policy: CasePolicy, job: Job, *, roles: tuple[str, str] = ("source", "target")
) -> Pairs:
    """Read word pairs, folded as the policy says, and warn of what was left out."""
    pairs = read_pairs(path, roles=roles, languages=(policy.source_language, policy.target_language))
    tell_remarks(pairs, job)
    return fold_pairs(pairs, policy)


def tell_remarks(read: Pairs | ParallelText, job: Job) -> None:
    """Warn of what was left out of a TMX, XLIFF or TBX file."""
    for message, hint in read.remarks:
        job.notices.warn(message, hint)


def fold_pairs(pairs: Pairs, policy: CasePolicy) -> Pairs:
    """Fold word pairs as the policy says."""
    folding = folding_of(policy)
    return pairs.folded(folding, policy.source_language, policy.target_language) if folding else pairs


def tell_findings(vectors: Vectors, job: Job) -> None:
    """Warn once about each kind of irregularity of a vector file."""
    for sentence in vectors.report.sentences():
        job.notices.warn(sentence, None)


def fold_vectors(vectors: Vectors, folding: Folding, language: str | None) -> Vectors:
    """Fold a vocabulary. Of words that become equal, the first one keeps its vector."""
    if not folding:
        return vectors
    words, kept = first_forms(vectors.words, folding, language)
    return vectors.chosen(kept, words)


@dataclass(frozen=True)
class Rows:
    """Pairs whose words both have vectors.

    Args:
        source: Row of each source word. Shape [n].
        target: Row of each target word. Shape [n].
        kept: Which pairs these are. Shape [n].
        missing: Pairs without vectors.
    """

    source: np.ndarray
    target: np.ndarray
    kept: list[int]
    missing: list[tuple[str, str]]


def rows_of(pairs: Pairs, source: Sequence[str], target: Sequence[str]) -> Rows:
    """Look up the pairs of a dictionary in two vocabularies."""
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
    folding: Folding,
    languages: tuple[str | None, str | None] | None = None,
) -> Rows:
    """Look up a dictionary. List pairs without vectors in `missing.tsv`, and warn of their number and share.

    Args:
        pairs: The dictionary.
        source: Words with vectors.
        target: Words of the other language with vectors.
        job: Device, seed, progress and messages of the run.
        folding: How the words are folded already.
        languages: Languages of the columns, for a stage that folds the words of vectors too.

    Raises:
        DataError: If no pair has vectors on both sides.
    """
    rows = rows_of(pairs, source, target)
    lost, total = len(rows.missing), len(pairs)
    advice = ""
    if lost >= clear_gain(total):
        advice = coverage_advice(pairs, source, target, folding=folding, languages=languages) or ""
    if not rows.kept:
        raise uncovered("dictionary pair", total, pairs, advice)
    if lost:
        listed = ""
        if job.kept:
            write_pairs(job.out / "missing.tsv", rows.missing)
            listed = f" {'It is' if lost == 1 else 'They are'} listed in missing.tsv of the result."
        if 2 * lost > total:
            hint = advice or f"The others are skipped.{listed}"
            job.notices.warn(low_coverage("dictionary pair", len(rows.kept), total), hint)
        else:
            words = "has a word without a vector and is" if lost == 1 else "have a word without a vector and are"
            job.notices.warn(
                f"{lost:,} of {counted(total, 'dictionary pair')} {words} skipped ({100 * lost / total:.0f} %).",
                f"{advice}{listed}".strip() or "Pairs without vectors cannot be used.",
            )
    return rows


def low_coverage(what: str, covered: int, total: int) -> str:
    """Return the warning that not all pairs have vectors."""
    only = "Only " if 2 * covered < total else ""
    has = "has" if covered == 1 else "have"
    share = f"{100 * covered / total:.0f} %"
    return f"{only}{covered:,} of {counted(total, what)} {has} vectors on both sides ({share})."


def uncovered(what: str, total: int, pairs: Pairs, advice: str | None) -> DataError:
    """Return the error for a dictionary without any vectors."""
    hint = advice or "Check that the columns are source, then target, and that their languages match the vectors."
    return DataError(
        f"No {what} has vectors on both sides (0 of {total:,}).", hint=f"{hint} First pair read: {pairs.first()}."
    )


def coverage_advice(
    pairs: Pairs,
    source: Collection[str],
    target: Collection[str],
    *,
    folding: Folding,
    languages: tuple[str | None, str | None] | None = None,
) -> str | None:
    """Find a mistake that explains why pairs have no vectors: swapped columns, different case or normal form.

    Args:
        pairs: The dictionary.
        source: Words with vectors.
        target: Words of the other language with vectors.
        folding: How the words are folded already.
        languages: Languages of the columns, if the stage folds the words of vectors too.

    Returns:
        A hint with the number of pairs that would then have vectors, or None if neither helps clearly.
    """
    left, right = set(source), set(target)
    now, total = _covered(pairs, left, right), len(pairs)
    most = now
    of_all = f"of {counted(total, 'pair')} would have vectors on both sides."

    swapped = _covered(pairs, right, left)
    if clearly_more(swapped, now, total):
        return f"The columns look swapped: the other way round {swapped:,} {of_all} Put the source words first."
    best = folding
    for other in wider(folding):
        known = [left, right]
        if languages is not None:
            known = [{other.fold(word, own) for word in words} for words, own in zip(known, languages, strict=True)]
        covered = _covered(pairs.folded(other, *(languages or ())), known[0], known[1])
        if clearly_more(covered, most, total):
            best, most = other, covered
    if best == folding:
        return None
    options = [("case", "--lowercase")] if best.lowercase != folding.lowercase else []
    options += [("Unicode form", f"--unicode {best.unicode}")] if best.unicode != folding.unicode else []
    names, needed = zip(*options, strict=True)
    return f"Do they differ in {' and '.join(names)}? With {' '.join(needed)} {most:,} {of_all}"


def wider(folding: Folding) -> Iterator[Folding]:
    """Yield the ways of folding under which more words are equal, those that change least first."""
    for unicode in ("keep", "nfc", "nfkc") if folding.unicode == "keep" else (folding.unicode,):
        for lowercase in (False, True) if not folding.lowercase else (True,):
            if Folding(lowercase, unicode) != folding:
                yield Folding(lowercase, unicode)


def clear_gain(total: int) -> float:
    """Return how many more of `total` pairs have vectors if one reading of a dictionary clearly beats another."""
    return max(1, total / 10)


def clearly_more(other: int, now: int, total: int) -> bool:
    """Return whether another reading of a dictionary covers so much more that this one looks like a mistake."""
    return other - now >= clear_gain(total)


def _covered(pairs: Pairs, source: set[str], target: set[str]) -> int:
    return sum(left in source and right in target for left, right in pairs)


def encode_words(encoder: Encoder, words: Sequence[str], job: Job) -> np.ndarray:
    """Encode words in isolation. Shape [n, d], float32."""
    from lexenc.encoders.encode import encode_texts

    return encode_texts(encoder, words, progress=job.progress)


def read_cells(paths: Sequence[Path]) -> Iterator[str]:
    """Yield the texts of all files; the columns of a pair file are separate texts.

    Raises:
        DataError: If there is no text.
    """
    cells = (cell for path in paths for _, line in read_lines(path) for cell in line.split("\t") if cell.strip())
    first = next(cells, None)
    if first is None:
        names = ", ".join(str(path) for path in paths)
        raise DataError(f"There is no text in {names}.", hint="Use a text file with one sentence per line.")
    yield first
    yield from cells


def result_name(folder: Path) -> str:
    """Return the final name of a result from the folder in which it is built."""
    return folder.name.removeprefix(".").removesuffix(".partial")


def open_encoder(
    folder: Path, pooling: Pooling, job: Job, *, max_length: int | None = None, training: bool = False
) -> Encoder:
    """Load an encoder on the device of the job. With `training`, refuse one that cannot be trained and saved."""
    from lexenc.encoders.load import load_encoder

    encoder = load_encoder(folder, pooling=pooling, device=job.device, max_length=max_length)
    if training and getattr(encoder, "frozen", False):
        raise untrainable(folder)
    if training and getattr(encoder, "partial", False):
        raise unsavable(folder)
    return encoder


def set_language(encoder: Encoder, folder: Path, language: str) -> None:
    """Make a language that of all texts of an encoder.

    Raises:
        ConfigError: If the encoder does not have it.
    """
    languages = getattr(encoder, "languages", ())
    if language not in languages:
        raise unknown_language(str(folder), language, languages)
    cast(Any, encoder).language = language


POOLING = (
    "mean: mean of the last layer over all tokens, including special ones; cls: the first token of the last layer; "
    "first-last: mean of the first and the last layer over all tokens; model: the modules of the encoder; "
    "auto: model if the encoder has modules, else mean."
)
