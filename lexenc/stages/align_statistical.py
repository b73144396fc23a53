"""align without a model: the corpus as numbers on disk, chains that are kept when they are done, links in the end."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lexenc.artifact import UNFINISHED
from lexenc.device import cores
from lexenc.files.alignments import SCORES, SENTENCES
from lexenc.files.text import fold_case
from lexenc.stages.aligned_files import LINKS, AlignmentFiles, WordPairs

if TYPE_CHECKING:
    from lexenc.alignment.links import Symmetrisation
    from lexenc.alignment.numbered import Bitext
    from lexenc.alignment.sampling import Counts
    from lexenc.alignment.statistical import Chain, Sampling
    from lexenc.stage import Job

_NUMBERED = "numbered.json"


@dataclass(frozen=True)
class Case:
    """Whether words are counted without their case, and by whose rules.

    Args:
        folded: Whether.
        source_language: BCP-47 code.
        target_language: BCP-47 code.
    """

    folded: bool
    source_language: str | None = None
    target_language: str | None = None

    def of(self, words: list[str], language: str | None) -> list[str]:
        """Give words as they are counted."""
        return [fold_case(word, language) for word in words] if self.folded else words


class _Numbering:
    """Writes the words of one language as numbers, sentence by sentence; complete when the block ends well."""

    def __init__(self, path: Path) -> None:
        from lexenc.alignment.counting import Vocabulary

        self.words, self._starts = Vocabulary(), array("q", [0])
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


def number_corpus(parts: Iterable[WordPairs], case: Case, max_words: int, job: Job) -> tuple[Bitext, int]:
    """Write the words of a corpus, and their numbers; what was numbered before is taken as it is.

    Args:
        parts: Words of the sentence pairs, part by part.
        case: How words are counted.
        max_words: A sentence pair with a longer side is left without links.
        job: Its place.

    Returns:
        The corpus, on disk, and how many sentence pairs were too long.
    """
    folder = job.out / UNFINISHED
    folder.mkdir(exist_ok=True)
    done = folder / _NUMBERED
    if not (done.is_file() and (job.out / SENTENCES).is_file()):
        languages = (case.source_language, case.target_language)
        too_long = 0
        with (
            _Numbering(folder / "source.words") as source,
            _Numbering(folder / "target.words") as target,
            AlignmentFiles(job.out, [SENTENCES], fresh=True) as files,
            job.progress.task("read", None, "sentence pairs") as task,
        ):
            sides = (source, target)
            for part in parts:
                files.write(pairs=part)
                for pair in part:
                    fits = max(map(len, pair)) <= max_words
                    too_long += not fits
                    for side, words, language in zip(sides, pair, languages, strict=True):
                        side.add(case.of(words, language) if fits else [])
                task.advance(len(part))
        state = {"types": [len(side.words) for side in sides], "too_long": too_long}
        done.write_text(json.dumps(state), encoding="utf-8")
    return _open_numbered(folder)


def _open_numbered(folder: Path) -> tuple[Bitext, int]:
    import numpy as np

    from lexenc.alignment.numbered import Bitext, Side

    state = json.loads((folder / _NUMBERED).read_text(encoding="utf-8"))
    sides = []
    for name, types in zip(("source", "target"), state["types"], strict=True):
        starts = np.fromfile(folder / f"{name}.starts", dtype=np.int64)
        size = int(starts[-1])
        words = np.memmap(folder / f"{name}.words", dtype=np.int32, mode="r") if size else np.zeros(0, dtype=np.int32)
        sides.append(Side(words, starts, max(1, types)))
    return Bitext(sides[0], sides[1]).with_pairs(), state["too_long"]


def sample_corpus(bitext: Bitext, sampling: Sampling, chains: int, job: Job) -> tuple[list[Counts], list[Counts]]:
    """Run the chains that are missing; give the counts of all of them, those of each direction."""
    import numpy as np

    from lexenc.alignment.statistical import all_chains, run_chains

    folder, cells = job.out / UNFINISHED, int(bitext.cells[-1])
    wanted = all_chains(chains)

    def place(chain: Chain) -> Path:
        return folder / f"{chain.name}.counts"

    def space(chain: Chain) -> Counts:
        aside = place(chain).with_suffix(".partial")
        if not cells:
            aside.touch()
            return np.zeros(0, dtype=np.uint16)
        return np.memmap(aside, dtype=np.uint16, mode="w+", shape=(cells,))

    def finished(chain: Chain, counts: Counts) -> None:
        if isinstance(counts, np.memmap):
            counts.flush()
        place(chain).with_suffix(".partial").replace(place(chain))

    missing = [chain for chain in wanted if not place(chain).is_file()]
    if len(missing) < len(wanted):
        job.notices.say(f"align: {len(wanted) - len(missing)} of {len(wanted)} chains are there already.")
    with job.progress.task("sample", len(missing) * sampling.sweeps.total, "sweeps") as task:
        run_chains(bitext, missing, sampling, space=space, finished=finished, threads=cores(),
                   told=lambda: task.advance(1))  # fmt: skip
    read = {
        chain: np.memmap(place(chain), dtype=np.uint16, mode="r") if cells else np.zeros(0, dtype=np.uint16)
        for chain in wanted
    }
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
) -> None:
    """Join both directions and write the links.

    Args:
        bitext: The corpus.
        counts: Of the chains of each direction.
        sure: What a certain link counts in one chain.
        joining: How.
        job: Its place.
    """
    from lexenc.alignment.statistical import joined_links

    with AlignmentFiles(job.out, [LINKS, SCORES]) as files:
        parts = joined_links(bitext, *counts, sure=sure, how=joining.how, threshold=joining.threshold)
        with job.progress.task("write", len(bitext), "sentence pairs") as task:
            done = 0
            for links in parts:
                if done >= files.pairs:
                    files.write(links=links)
                done += len(links)
                task.advance(len(links))
