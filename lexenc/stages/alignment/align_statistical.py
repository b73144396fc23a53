"""align without a model: the corpus as numbers on disk, chains that are kept when they are done, links in the end."""

from __future__ import annotations

import json
import os
from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexenc.artifact import UNFINISHED
from lexenc.device import cores
from lexenc.files.alignments import SCORES, SENTENCES
from lexenc.stages.alignment.aligned_files import LINKS, AlignmentFiles, WordPairs
from lexenc.stages.alignment.alignment_lexicon import Case, Counted

if TYPE_CHECKING:
    from lexenc.alignment.numbered import Bitext, Side, Translations
    from lexenc.alignment.sampling import Counts
    from lexenc.alignment.statistical import Chain, Sampling
    from lexenc.alignment.symmetrise import Symmetrisation
    from lexenc.files.dictionaries import Pairs
    from lexenc.stage import Job
    from lexenc.text.links import Links

_NUMBERED, _SIDES = "numbered.json", ("source", "target")


@dataclass(frozen=True)
class KnownPairs:
    """A dictionary, and how much it counts.

    Args:
        pairs: Words as they are counted.
        weight: Links that each pair counts as, times its probability where it has one.
    """

    pairs: Pairs
    weight: float

    def numbered(self, source: list[str], target: list[str]) -> Translations:
        """Give the pairs by the numbers of their words.

        Args:
            source: Source words of the corpus by number.
            target: Target words.
        """
        import numpy as np

        from lexenc.alignment.numbered import Translations

        def numbers(words: list[str], wanted: list[str]) -> Any:
            table = {word: number for number, word in enumerate(words)}
            return np.array([table.get(word, -1) for word in wanted], dtype=np.int64)

        shares = np.array(self.pairs.probabilities or [1.0] * len(self.pairs))
        return Translations(
            numbers(source, self.pairs.sources),
            numbers(target, self.pairs.targets),
            np.maximum(1, np.rint(self.weight * shares)).astype(np.int64),
        )


class _Numbering:
    """Writes the words of one language as numbers, sentence by sentence, and what they stand for in the end."""

    def __init__(self, path: Path, folded: Callable[[str], str]) -> None:
        from lexenc.alignment.counting import WordNumbers

        self.words, self._starts = WordNumbers(folded), array("q", [0])
        self._path, self._stream = path, path.open("wb")

    def add(self, words: list[str]) -> None:
        numbers = array("i", self.words.numbers(words))
        numbers.tofile(self._stream)
        self._starts.append(self._starts[-1] + len(numbers))

    def __enter__(self) -> _Numbering:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()
        with self._path.with_suffix(".starts").open("wb") as stream:
            self._starts.tofile(stream)
        self._path.with_suffix(".json").write_text(json.dumps(self.words.words), encoding="utf-8")


def number_corpus(
    parts: Iterable[WordPairs], case: Case, max_words: int, known: KnownPairs | None, job: Job
) -> tuple[Bitext, int]:
    """Write the words of a corpus, and their numbers; what was numbered before is taken as it is.

    Args:
        parts: Words of the sentence pairs, part by part.
        case: How words are counted.
        max_words: A sentence pair with a longer side is left without links.
        known: Translations that are known beforehand.
        job: Its place.

    Returns:
        The corpus, on disk, and how many sentence pairs were too long.
    """
    folder = job.out / UNFINISHED
    folder.mkdir(exist_ok=True)
    done = folder / _NUMBERED
    if not (done.is_file() and (job.out / SENTENCES).is_file()):
        folded = [case.fold(language) for language in case.languages]
        too_long = 0
        with (
            _Numbering(folder / "source.words", folded[0]) as source,
            _Numbering(folder / "target.words", folded[1]) as target,
            AlignmentFiles(job.out, [SENTENCES], fresh=True) as files,
            job.progress.task("read", None, "sentence pairs") as task,
        ):
            sides = (source, target)
            for part in parts:
                files.write(pairs=part)
                for pair in part:
                    fits = max(map(len, pair)) <= max_words
                    too_long += not fits
                    for side, words in zip(sides, pair, strict=True):
                        side.add(words if fits else [])
                task.advance(len(part))
        state = {"types": [len(side.words) for side in sides], "too_long": too_long}
        done.write_text(json.dumps(state), encoding="utf-8")
    state = json.loads(done.read_text(encoding="utf-8"))
    numbered = [_open_side(folder / name, types) for name, types in zip(_SIDES, state["types"], strict=True)]
    translations = None if known is None else known.numbered(*_forms(folder))
    return _open_pairs(numbered[0], numbered[1], translations, folder / "pairs.numbers", job), state["too_long"]


def _forms(folder: Path) -> tuple[list[str], list[str]]:
    """Give the words of both sides, by number, as they are counted."""
    source, target = (json.loads((folder / f"{name}.json").read_text(encoding="utf-8")) for name in _SIDES)
    return source, target


def _open_side(path: Path, types: int) -> Side:
    import numpy as np

    from lexenc.alignment.numbered import Side

    starts = np.fromfile(path.with_suffix(".starts"), dtype=np.int64)
    return Side(_on_disk(path.with_suffix(".words"), np.int32, int(starts[-1])), starts, max(1, types))


def _open_pairs(source: Side, target: Side, translations: Translations | None, path: Path, job: Job) -> Bitext:
    """Number the pairs of words on disk, if that is not done yet."""
    import numpy as np

    from lexenc.alignment.numbered import Bitext, PairNumbers, Partners, cells_of, number_pairs

    cells, done = int(cells_of(source, target)[-1]), path.with_suffix(".done")
    partners = Partners.of(source, target)
    if not done.is_file():
        with job.progress.task("number", len(source.starts) - 1, "sentence pairs") as task:
            number_pairs(source, target, partners, _on_disk(path, np.int32, cells, fresh=True), told=task.advance)
        done.touch()
    known = None if translations is None else partners.known(translations, source.types, target.types)
    return Bitext(source, target, PairNumbers(_on_disk(path, np.int32, cells), len(partners.words)), known)


def _on_disk(path: Path, kind: Any, size: int, *, fresh: bool = False) -> Any:
    """Open numbers that lie on disk, or make room for them. Shape [size]."""
    import numpy as np

    if not size:
        # What is empty cannot be mapped into memory.
        path.touch()
        return np.zeros(0, dtype=kind)
    if fresh:
        _reserve(path, size * np.dtype(kind).itemsize)
    return np.memmap(path, dtype=kind, mode="r+" if fresh else "r", shape=(size,))


def _reserve(path: Path, size: int) -> None:
    """Make a file of zeros for which there is room; a page that finds none when it is written would end the program."""
    with path.open("wb") as stream:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(stream.fileno(), 0, size)
        else:
            stream.truncate(size)


def sample_corpus(bitext: Bitext, sampling: Sampling, chains: int, job: Job) -> tuple[list[Counts], list[Counts]]:
    """Run the chains that are missing; give the counts of all of them, those of each direction."""
    import numpy as np

    from lexenc.alignment.statistical import all_chains, run_chains

    folder, cells = job.out / UNFINISHED, int(bitext.cells[-1])
    wanted = all_chains(chains)

    def place(chain: Chain) -> Path:
        return folder / f"{chain.name}.counts"

    def space(chain: Chain) -> Counts:
        counts: Counts = _on_disk(place(chain).with_suffix(".partial"), np.uint16, cells, fresh=True)
        return counts

    def finished(chain: Chain, counts: Counts) -> None:
        if isinstance(counts, np.memmap):
            counts.flush()
        place(chain).with_suffix(".partial").replace(place(chain))

    missing = [chain for chain in wanted if not place(chain).is_file()]
    if len(missing) < len(wanted):
        job.notices.say(f"align: {len(wanted) - len(missing)} of {len(wanted)} chains are there already.")
    # A sentence pair counts as often as it is gone through.
    work = len(missing) * sampling.sweeps.total * len(bitext)
    with job.progress.task("sample", work, "sentence pairs") as task:
        run_chains(bitext, missing, sampling, space=space, finished=finished, threads=cores(), told=task.advance)
    read = {chain: _on_disk(place(chain), np.uint16, cells) for chain in wanted}
    forward, backward = ([read[each] for each in wanted if each.direction == name] for name in ("forward", "backward"))
    return forward, backward


@dataclass(frozen=True)
class Joining:
    """How the links of two directions become one set.

    Args:
        how: As in `symmetrise`.
        threshold: Least mean probability, where that decides.
    """

    how: Symmetrisation
    threshold: float


def write_joined(
    bitext: Bitext, counts: tuple[list[Counts], list[Counts]], sure: int, joining: Joining, job: Job
) -> Counted:
    """Join both directions, write the links and count them.

    Args:
        bitext: The corpus.
        counts: Of the chains of each direction.
        sure: What a certain link counts in one chain.
        joining: How.
        job: Its place.
    """
    from lexenc.alignment.counting import LinkCounts
    from lexenc.alignment.statistical import joined_links

    linked = LinkCounts()
    with AlignmentFiles(job.out, [LINKS, SCORES]) as files:
        parts = joined_links(bitext, *counts, sure=sure, how=joining.how, threshold=joining.threshold)
        with job.progress.task("write", len(bitext), "sentence pairs") as task:
            done = 0
            for links in parts:
                linked.add(*_linked_words(bitext, links, done))
                if done >= files.pairs:
                    files.write(links=links)
                done += len(links)
                task.advance(len(links))
    return Counted(linked, *_forms(job.out / UNFINISHED))


def _linked_words(bitext: Bitext, links: Links, first: int) -> list[Any]:
    """Give the numbers of the words linked in sentence pairs from `first` on: source, and target. Shape [p] each."""
    import numpy as np

    owners = np.repeat(np.arange(first, first + len(links)), np.diff(links.starts))
    sides = ((bitext.source, links.source), (bitext.target, links.target))
    return [side.words[side.starts[owners] + places] for side, places in sides]
