"""Which files vectors and encoders were learnt from, told by manifests, and what of a test is among them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lexenc.artifact import DigestStore, InputRecord, Manifest, maker_of, owner_of
from lexenc.files.dictionaries import read_pairs, write_pairs
from lexenc.files.text import counted, fold_case
from lexenc.stage import Job

PAIRS = ("dictionary", "pairs", "train_dictionary")  # inputs with pairs from which something is learnt
SYNONYMS = ("synonyms",)
_Pair = tuple[str, str]


@dataclass(frozen=True)
class Lesson:
    """A file that something was learnt from.

    Args:
        folder: The result that was made from it.
        name: Which input it was.
        given: As the user named it.
        path: Where it is; None where it is gone or holds something else now.
        tuned: Whether an encoder was tuned on it.
    """

    folder: Path
    name: str
    given: str
    path: Path | None
    tuned: bool

    @property
    def gap(self) -> str:
        """Say that it cannot be read any more."""
        return f"{self.given}, from which {self.folder} was learnt, is not there any more or has changed"


@dataclass(frozen=True)
class NoManifest:
    """A folder that does not say what it was learnt from.

    Args:
        folder: Where it is.
        tuned: Whether it is an encoder, or part of one.
    """

    folder: Path
    tuned: bool


def lessons(
    folder: Path, at_hand: Mapping[str, Path], *, names: Sequence[str] = PAIRS, tuned: bool = False
) -> Iterator[Lesson | NoManifest]:
    """Follow manifests back from a result to all files that it was learnt from.

    Args:
        folder: The result: a space, an encoder.
        at_hand: Files by digest; one of them may be what was learnt from under another name.
        names: Inputs from which something is learnt.
        tuned: Whether the result is an encoder.

    Yields:
        What was learnt from, and what does not say so.
    """
    maker = maker_of(folder)
    if maker is None:
        yield NoManifest(folder, tuned)
        return
    for name, record in _inputs_that_count(maker):
        if name in names:
            yield Lesson(folder, name, record.given, at_hand.get(record.sha256) or unchanged(folder, record), tuned)
        elif name not in (*PAIRS, *SYNONYMS):
            within = owner_of(place_of(folder, record))
            if within is not None:
                yield from lessons(within, at_hand, names=names, tuned=tuned or name == "encoder")


def _inputs_that_count(maker: Manifest) -> Iterator[tuple[str, InputRecord]]:
    """Give the inputs that had a part in a result; with lambda 1 a blend is the encoder alone."""
    encoder_only = maker.stage == "interpolate" and maker.params.get("lambda") == 1
    for name, records in maker.inputs.items():
        if name == "encoder" or not encoder_only:
            yield from ((name, record) for record in records)


def place_of(folder: Path, record: InputRecord) -> Path:
    """Give the place where an input of a result was."""
    return Path(os.path.normpath(folder.absolute().parent / record.path))


def unchanged(folder: Path, record: InputRecord) -> Path | None:
    """Give the place of an input of a result, or None where it is gone or holds something else now."""
    path = place_of(folder, record)
    same = path.exists() and DigestStore.default().of(path) == record.sha256
    return path if same else None


# ---------------------------------------------------------------- what a test has of it


@dataclass
class Seen:
    """What of a test was learnt from.

    Args:
        pairs: Distinct test pairs; in the case of the test.
        files: Files that hold one of them, as the user named them.
        gaps: Files that could not be looked into, a sentence each.
    """

    pairs: list[_Pair] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)


def seen_pairs(
    made: Iterable[Path | None], test: Sequence[_Pair], test_file: Path, *, taught: Iterable[Path | None] = ()
) -> Seen:
    """Find the test pairs that vectors or encoders were learnt from, whatever the case and the order of columns.

    Args:
        made: Folders of spaces, vectors and encoders; None for what was not given.
        test: Test pairs.
        test_file: Where they were read, as it may be what was learnt from under another name.
        taught: Dictionaries that something is about to be learnt from; None for what was not given.
    """
    from lexenc.lexical.audit import find_leaks

    folded = [(fold_case(left), fold_case(right)) for left, right in test]
    found, seen = Seen(), set[_Pair]()
    for lesson in _distinct(made, PAIRS, test_file, taught):
        if lesson.path is None:
            found.gaps.append(lesson.gap)
            continue
        known = [(fold_case(left), fold_case(right)) for left, right in read_pairs(lesson.path)]
        own = find_leaks(known + [pair[::-1] for pair in known], folded).pairs
        seen.update(own)
        found.files += [lesson.given] if own else []
    found.pairs = list(dict.fromkeys(pair for pair, own in zip(test, folded, strict=True) if own in seen))
    return found


def seen_names(encoder: Path, mentions: Iterable[tuple[str, Sequence[str]]], mentions_file: Path) -> tuple[int, Seen]:
    """Count the mentions that are names of one of their concepts in what an encoder was tuned on, whatever the case.

    Args:
        encoder: Its folder.
        mentions: Text and concepts of every mention.
        mentions_file: Where they were read.

    Returns:
        How many, and where they were found.
    """
    from lexenc.files.synonyms import read_synonyms

    asked: dict[str, dict[str, list[int]]] = {}
    for number, (text, concepts) in enumerate(mentions):
        for concept in concepts:
            asked.setdefault(fold_case(text), {}).setdefault(concept, []).append(number)
    found, seen = Seen(), set[int]()
    for lesson in _distinct([encoder], SYNONYMS, mentions_file):
        if lesson.path is None:
            found.gaps.append(lesson.gap)
            continue
        before = len(seen)
        for entry in read_synonyms(lesson.path, keep_suppressible=True):
            for name in entry.names:
                own = asked.get(fold_case(name), {})
                seen.update(number for concept in entry.concepts for number in own.get(concept, ()))
        found.files += [lesson.given] if len(seen) > before else []
    return len(seen), found


def _distinct(
    made: Iterable[Path | None], names: Sequence[str], test_file: Path, taught: Iterable[Path | None] = ()
) -> Iterator[Lesson]:
    """Give every file that something was learnt from once."""
    own = [path for path in taught if path is not None]
    for each in own:
        yield Lesson(each, "train_dictionary", each.name, each, tuned=False)
    at_hand = {DigestStore.default().of(path): path for path in (test_file, *own) if not path.is_dir()}
    known: set[Path | str] = set(own)
    for path in made:
        folder = owner_of(path) if path is not None else None
        for lesson in lessons(folder, at_hand, names=names) if folder is not None else ():
            if isinstance(lesson, Lesson) and (lesson.path or lesson.given) not in known:
                known.add(lesson.path or lesson.given)
                yield lesson


def tell_seen_pairs(found: Seen, total: int, job: Job) -> None:
    """Warn where test pairs were learnt from, or where nobody can tell; list the pairs in `leaks.tsv`.

    Args:
        found: What was found.
        total: Distinct test pairs.
        job: Where remarks go, and the list.
    """
    if found.pairs:
        listed = "With --out they are listed in leaks.tsv of the result."
        if job.kept:
            write_pairs(job.out / "leaks.tsv", found.pairs)
            listed = "They are listed in leaks.tsv of the result."
        was = "was" if len(found.pairs) == 1 else "were"
        job.notices.warn(
            f"{len(found.pairs):,} of {counted(total, 'test pair')} {was} learnt from ({', '.join(found.files)}): the "
            "scores are too high for words that are new.",
            f"Test on pairs that nothing was learnt from. {listed}",
        )
    tell_gaps(found, job)


def tell_gaps(found: Seen, job: Job) -> None:
    """Warn where it cannot be known whether a test was learnt from."""
    if found.gaps:
        job.notices.warn(f"Whether the test was learnt from cannot be checked: {found.gaps[0]}.", None)
