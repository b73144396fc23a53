"""Files that vectors and encoders were trained on, found in manifests, and test items among them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lexenc.artifact import DigestStore, InputRecord, maker_of, owner_of
from lexenc.files.dictionaries import read_pairs, write_pairs
from lexenc.files.hubs import HubDictionaries, read_hub
from lexenc.files.synonyms import read_synonyms
from lexenc.files.text import counted
from lexenc.lexical.audit import find_leaks
from lexenc.lexical.hub import composed
from lexenc.stage import Job
from lexenc.text.folding import fold_case

PAIRS = ("dictionary", "pairs", "train_dictionary", "dev")  # inputs with pairs that training or selection uses
SYNONYMS = ("synonyms",)
_Pair = tuple[str, str]


@dataclass(frozen=True)
class Lesson:
    """A file that something was trained on.

    Args:
        folder: The result that was trained on it.
        name: Name of the input.
        given: The text that the user typed for it.
        path: Its path. None if it is gone or has changed.
        tuned: Whether an encoder was fine-tuned on it.
    """

    folder: Path
    name: str
    given: str
    path: Path | None
    tuned: bool

    @property
    def gap(self) -> str:
        """The remark that it cannot be read any more."""
        return f"{self.given}, on which {self.folder} was trained, is gone or has changed"


@dataclass(frozen=True)
class NoManifest:
    """A folder without a manifest, so that its training data is not known; `tuned` as for `Lesson`."""

    folder: Path
    tuned: bool


def lessons(
    folder: Path, at_hand: Mapping[str, Path], *, names: Sequence[str] = PAIRS, tuned: bool = False
) -> Iterator[Lesson | NoManifest]:
    """Follow manifests back from a result to all files that it was trained on.

    Args:
        folder: The result, e.g. a space or an encoder.
        at_hand: Files by digest, any of which may be a training file under another name.
        names: Names of the inputs with training data.
        tuned: Whether the result is an encoder.

    Yields:
        The files, and folders without a manifest.
    """
    maker = maker_of(folder)
    if maker is None:
        yield NoManifest(folder, tuned)
        return
    # With lambda 1 a blend is the encoder alone.
    encoder_only = maker.stage == "interpolate" and maker.params.get("lambda") == 1
    inputs = {name: own for name, own in maker.inputs.items() if name == "encoder" or not encoder_only}
    for name, record in ((name, record) for name, records in inputs.items() for record in records):
        if name in names:
            yield Lesson(folder, name, record.given, at_hand.get(record.sha256) or unchanged(folder, record), tuned)
        elif name not in (*PAIRS, *SYNONYMS):
            within = owner_of(place_of(folder, record))
            if within is not None:
                yield from lessons(within, at_hand, names=names, tuned=tuned or name == "encoder")


def place_of(folder: Path, record: InputRecord) -> Path:
    """Return the path of an input of a result when it was made."""
    return Path(os.path.normpath(folder.absolute().parent / record.path))


def unchanged(folder: Path, record: InputRecord) -> Path | None:
    """Return the path of an input of a result, or None if it is gone or has changed."""
    path = place_of(folder, record)
    same = path.exists() and DigestStore.default().of(path) == record.sha256
    return path if same else None


# ---------------------------------------------------------------- leaks


@dataclass
class Seen:
    """Distinct test pairs that were used for training, in which files, and a remark for each that cannot be checked."""

    pairs: list[_Pair] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)


def seen_pairs(
    made: Iterable[Path | None], test: Sequence[_Pair], test_file: Path, *, taught: Iterable[Path | None] = ()
) -> Seen:
    """Find test pairs that vectors or encoders were trained on, regardless of case and order of columns.

    Args:
        made: Folders of spaces, vectors and encoders. None stands for an optional input.
        test: Test pairs.
        test_file: Their file, which may be a training file under another name.
        taught: Dictionaries for the training to come. None stands for an optional input.
    """
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
    """Count mentions that are names of one of their concepts in the training data of an encoder, regardless of case.

    Returns:
        Their number, and where they were found.
    """
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
    """Yield each training file once."""
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


def seen_in_hub(folder: Path, first: str, second: str, test: Sequence[_Pair]) -> Seen:
    """Find the test pairs of two languages that the training dictionaries of a hub contain or imply.

    If neither language is the hub, pairs follow from the dictionaries of both with it.
    """
    space, seen, known = read_hub(folder), Seen(), list[HubDictionaries]()
    maker = maker_of(folder)
    if maker is None:
        seen.gaps.append(f"{folder} has no manifest with its training data")
    place: Path | None = folder
    while maker is not None and place is not None:
        given = {}
        for record in maker.inputs.get("dictionaries", []):
            path = unchanged(place, record)
            if path is None:
                seen.gaps.append(f"{record.given}, on which {place} was trained, is gone or has changed")
            else:
                given[record.name or ""] = path
        known.append(HubDictionaries(given, space.languages, "--dictionaries"))
        into = maker.inputs.get("into", [])
        place = owner_of(place_of(place, into[0])) if into else None
        maker = maker_of(place) if place is not None else None

    def learned(name: str) -> set[_Pair]:
        read = (each.read(name, space.hub) for each in known)
        return {(fold_case(a), fold_case(b)) for pairs in read if pairs is not None for a, b in pairs}

    folded = [(fold_case(left), fold_case(right)) for left, right in test]
    if space.hub == second:
        own = learned(first)
    elif space.hub == first:
        own = {pair[::-1] for pair in learned(second)}
    else:
        own = composed(learned(first), learned(second), folded)
    seen.pairs = list(dict.fromkeys(pair for pair, each in zip(test, folded, strict=True) if each in own))
    seen.files = [f"the dictionaries of {folder}"] if seen.pairs else []
    return seen


def tell_seen_pairs(found: Seen, total: int, job: Job) -> None:
    """Warn of test pairs that were used for training, list them in `leaks.tsv`, and warn of what cannot be checked."""
    if found.pairs:
        listed = "With --out they are listed in leaks.tsv of the result."
        if job.kept:
            write_pairs(job.out / "leaks.tsv", found.pairs)
            listed = "They are listed in leaks.tsv of the result."
        was, files = "was" if len(found.pairs) == 1 else "were", ", ".join(found.files)
        job.notices.warn(
            f"{len(found.pairs):,} of {counted(total, 'test pair')} {was} used for training ({files}), so the scores "
            "are too high for new words.",
            f"Test on pairs that were not used for training. {listed}",
        )
    tell_gaps(found, job)


def tell_gaps(found: Seen, job: Job) -> None:
    """Warn if training data cannot be checked for test items."""
    if found.gaps:
        job.notices.warn(f"Whether test items were used for training cannot be checked: {found.gaps[0]}.", None)
