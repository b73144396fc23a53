"""Statistical word alignment: chains of both directions on all cores, and the links that they agree on."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any, Literal

import numpy as np

from lexenc.alignment import Model, Symmetrisation
from lexenc.alignment.counting import WordNumbers, WordPair
from lexenc.alignment.numbered import Bitext, Side, cells_of
from lexenc.alignment.sampling import Counts, Sweeps, sample_links, usual_sweeps
from lexenc.alignment.symmetrise import links_of
from lexenc.arrays import batches
from lexenc.device import cores
from lexenc.durable import reserve
from lexenc.progress import SILENT, Progress
from lexenc.text.links import Links

# Cells of the sentence pairs whose links are made together.
_CELLS = 1 << 22
_DIRECTIONS = ("forward", "backward")


@dataclass(frozen=True)
class StatisticalSettings:
    """Settings of a statistical aligner.

    Args:
        model: As in `usual_sweeps`.
        sweeps: Multiplies the usual number of sweeps.
        chains: Chains of each direction, which are averaged.
        symmetrise: As `how` in `links_of`.
        threshold: As in `links_of`. A certain link of one direction scores 0.5. Distant languages need such links.
        max_words: A sentence pair with a longer side has no links.
        seed: Seed of all chains.
    """

    model: Model = "fertility"
    sweeps: float = 1.0
    chains: int = 3
    symmetrise: Symmetrisation = "threshold"
    threshold: float = 0.45
    max_words: int = 200
    seed: int = 0


class StatisticalAligner:
    """Learns the links of a corpus from the corpus alone.

    Args:
        folder: Folder for arrays that may not fit into memory. Finished chains that it contains are used again.
        numbers: Numbers of source words and of target words.
        how: Settings.
        known: Translations that are known beforehand: source word, target word, number of links that the pair counts as
            (rounded, at least 1).
        progress: Progress bar to update.
        say: Called with a remark on what is used again.

    Attributes:
        counts: `too_long`: sentence pairs without links because of `max_words`. `known_pairs`: pairs of the dictionary
            that occur together in a sentence pair, if there is a dictionary.
    """

    def __init__(
        self,
        folder: Path,
        numbers: tuple[WordNumbers, WordNumbers] | None = None,
        *,
        how: StatisticalSettings | None = None,
        known: Sequence[tuple[str, str, float]] | None = None,
        progress: Progress = SILENT,
        say: Callable[[str], None] = lambda message: None,
    ) -> None:
        self._folder, self._how, self._known = folder, how or StatisticalSettings(), known
        self._numbers = numbers or (WordNumbers(), WordNumbers())
        self._progress, self._say = progress, say
        self.counts: dict[str, int] = {}

    def align_corpus(self, corpus: Iterable[WordPair], *, start: int = 0) -> Iterator[Links]:
        """Learn from all sentence pairs and return their links, part by part, from sentence pair `start` on."""
        bitext = self._number(corpus)
        sweeps = usual_sweeps(len(bitext), self._how.model, factor=self._how.sweeps)
        counts = self._sample(bitext, sweeps)
        return _joined(bitext, counts, sweeps.counted * sweeps.scale, self._how, start)

    def _number(self, corpus: Iterable[WordPair]) -> Bitext:
        source, target = self._read(corpus)
        translations = None
        if self._known is not None:
            translations = (
                self._numbers[0].find(word for word, *_ in self._known),
                self._numbers[1].find(word for _, word, _ in self._known),
                np.maximum(1, np.rint([weight for *_, weight in self._known])).astype(np.int64),
            )
        path, cells = self._folder / "pairs.numbers", int(cells_of(source, target)[-1])
        numbered = _is_made(path, np.int32, cells)
        with _made(path, np.int32, cells) if not numbered else nullcontext(_opened(path, np.int32, cells)) as numbers:
            with self._progress.task("number", len(source), "sentence pairs") as task:
                bitext = Bitext.of(
                    source, target, translations, numbers=numbers, numbered=numbered, advance=task.advance
                )
        if bitext.known is not None:
            self.counts["known_pairs"] = int((bitext.known.pairs > 0).sum())
        return bitext

    def _read(self, corpus: Iterable[WordPair]) -> tuple[Side, Side]:
        words, starts = (array("i"), array("i")), (array("q", [0]), array("q", [0]))
        self.counts["too_long"] = 0
        for pair in corpus:
            fits = max(map(len, pair)) <= self._how.max_words
            self.counts["too_long"] += not fits
            for side in range(2):
                if fits:
                    words[side].extend(self._numbers[side].numbers(pair[side]))
                starts[side].append(len(words[side]))
        source, target = (
            Side(np.asarray(begins), np.asarray(flat), max(1, len(numbers)))
            for begins, flat, numbers in zip(starts, words, self._numbers, strict=True)
        )
        return source, target

    def _sample(self, bitext: Bitext, sweeps: Sweeps) -> list[list[Counts]]:
        """Run the chains that are missing; return the counts of all chains of each direction."""
        # Forward, every target word is linked to a source word; backward, every source word to a target word.
        chains = {(number, backward): self._folder / f"{name}-{number}.counts"
                  for number in range(self._how.chains) for backward, name in enumerate(_DIRECTIONS)}  # fmt: skip
        cells = int(bitext.cells[-1])
        missing = [chain for chain, path in chains.items() if not _is_made(path, np.uint16, cells)]
        if len(missing) < len(chains):
            self._say(f"{len(chains) - len(missing)} of {len(chains)} chains are finished already.")
        stopped, pool = Event(), ThreadPoolExecutor(max(1, cores()))
        # A sentence pair counts once per sweep.
        with self._progress.task("sample", len(missing) * sweeps.total * len(bitext), "sentence pairs") as task:

            def advance(sentences: int) -> None:
                if stopped.is_set():
                    raise _Stopped
                task.advance(sentences)

            try:
                for each in [pool.submit(self._run, chains[one], *one, bitext, sweeps, advance) for one in missing]:
                    each.result()
            finally:
                # An interrupt waits for a part of a sweep at most.
                stopped.set()
                pool.shutdown(cancel_futures=True)
        return [[_opened(path, np.uint16, cells) for (_, backward), path in chains.items() if backward == direction]
                for direction in range(2)]  # fmt: skip

    def _run(
        self, path: Path, number: int, backward: int, bitext: Bitext, sweeps: Sweeps, advance: Callable[[int], None]
    ) -> None:
        drawn = np.random.SeedSequence([self._how.seed, number, backward])
        with _made(path, np.uint16, int(bitext.cells[-1])) as counts:
            sample_links(
                bitext.swapped if backward else bitext,
                sweeps=sweeps,
                seed=int(drawn.generate_state(1, np.uint64)[0]),
                counts=counts,
                scale=sweeps.scale,
                # As in the programs of both papers, but fewer words are left without a link.
                unlinked=0.08 if self._how.model == "diagonal" else 0.05,
                advance=advance,
            )


class _Stopped(Exception):  # noqa: N818 - nothing is wrong
    """Another chain failed, or the user interrupted."""


def _joined(
    bitext: Bitext, counts: list[list[Counts]], sure: int, how: StatisticalSettings, start: int
) -> Iterator[Links]:
    """Yield the links from a sentence pair on: chains averaged, directions symmetrised."""
    cells, lengths = bitext.cells, (bitext.source.lengths, bitext.target.lengths)
    for part in batches(np.diff(cells), _CELLS):
        first = max(part.start, start)
        if first >= part.stop:
            continue
        place = slice(cells[first], cells[part.stop])
        source, target = (each[first : part.stop] for each in lengths)
        forward, backward = (np.add.reduce([each[place] for each in chains], dtype=np.int32) for chains in counts)
        yield links_of(
            source, target, forward, backward, how.symmetrise, sure=sure * how.chains, threshold=how.threshold
        )


def _is_made(path: Path, kind: Any, size: int) -> bool:
    """Return whether an array on disk is finished."""
    return path.is_file() and path.stat().st_size == size * np.dtype(kind).itemsize


def _opened(path: Path, kind: Any, size: int, mode: Literal["r", "r+"] = "r") -> Any:
    """Open an array on disk. Shape [size]."""
    # An empty file cannot be mapped into memory.
    return np.memmap(path, dtype=kind, mode=mode, shape=(size,)) if size else np.zeros(0, dtype=kind)


@contextmanager
def _made(path: Path, kind: Any, size: int) -> Iterator[Any]:
    """Make an array of zeros on disk, shape [size], that gets its name when the block has filled it."""
    aside = path.with_name(f"{path.name}.partial")
    reserve(aside, size * np.dtype(kind).itemsize)
    array = _opened(aside, kind, size, "r+")
    yield array
    if isinstance(array, np.memmap):
        array.flush()
    aside.replace(path)
