"""The files of an alignment: links, their scores, and the words that they link."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import IO

from lexenc.alignment.counting import WordPair
from lexenc.errors import DataError
from lexenc.files.alignments import NAME, SCORES, SENTENCES, link_line, read_alignments, score_line
from lexenc.files.parallel import BARS, ParallelText
from lexenc.files.text import read_lines, writing
from lexenc.stage import Job
from lexenc.structured import checked, read_json
from lexenc.text.words import SHOWING, UNSPACED_HINT, Segmentation, segmenter, spacing_of

Cut = Callable[[str], list[str]]


def cutters(
    text: ParallelText,
    job: Job,
    chosen: tuple[Segmentation | None, Segmentation | None] = (None, None),
    languages: tuple[str | None, str | None] = (None, None),
) -> tuple[Cut, Cut]:
    """Return the functions that split the sentences of a text and their translations into words.

    Where the user does not choose, words that are separated already stay as they are: in the form
    `source ||| target`, where this is the convention, and in tokenised text of any form.

    Args:
        text: Sentence pairs.
        job: Messages of the run.
        chosen: Segmentation of each side, None for one that depends on the text.
        languages: As in `segmenter`.
    """
    showing = list(islice(text, SHOWING)) if None in chosen else []
    made, kept = [], []
    for name, language, given in zip(("source", "target"), languages, chosen, strict=True):
        segmentation = given
        if segmentation is None:
            spacing = spacing_of(getattr(pair, name) for pair in showing)
            bars = text.form == "source ||| target"
            segmentation = "spaces" if spacing == "tokenised" or (bars and spacing != "unspaced") else "words"
            kept += [name] if segmentation == "spaces" else []
            if spacing == "unspaced":
                job.notices.warn(
                    f"{text.name}: the words of the {name} are single characters, as no spaces separate its words.",
                    f"{UNSPACED_HINT}.",
                )
            if segmentation == "spaces" and spacing == "written":
                job.notices.warn(
                    f"{text.name}: punctuation is not separated from the {name} words, which are those between spaces.",
                    "lexenc align --words words separates it.",
                )
        made.append(segmenter(segmentation, language))
    if kept:
        job.notices.say(f"{text.name}: the words of the {' and the '.join(kept)} are those between spaces.")
    return made[0], made[1]


@dataclass(frozen=True)
class AlignedWords:
    """The words of a result's sentence pairs. Every loop reads the file again.

    Args:
        folder: The result.
    """

    folder: Path

    def __iter__(self) -> Iterator[WordPair]:
        for _, line in read_lines(self.folder / SENTENCES):
            source, _, target = line.partition(f" {BARS} ")
            # Split at plain spaces only: a no-break space may stand inside a word.
            yield (source.split(" ") if source else [], target.split(" ") if target else [])


def read_aligned(folder: Path) -> Iterator[tuple[list[str], list[str], list[tuple[int, int, float]]]]:
    """Yield the words of every sentence pair of a result, and their links with scores."""
    for (source, target), links in zip(AlignedWords(folder), read_alignments(folder), strict=True):
        yield source, target, [(*link, score) for link, score in zip(links.sure, links.scores, strict=True)]


class LinkFiles:
    """Links and scores, written part by part. After an interruption, writing goes on after the last complete part.

    Args:
        folder: Folder of unfinished work.
        sentences: Number of sentence pairs of the corpus.

    Attributes:
        pairs: Number of sentence pairs that are written.
        counts: Counts of the aligner for these sentence pairs.
    """

    def __init__(self, folder: Path, sentences: int) -> None:
        self._folder, self._state, self._sentences = folder, folder / "done.json", sentences
        self._streams: dict[str, IO[bytes]] = {}
        self._closing = ExitStack()
        self.pairs = 0
        self.counts: dict[str, int] = {}

    def __enter__(self) -> LinkFiles:
        written = self._written()
        if written is not None:
            self.pairs, self.counts = written.pairs, written.counts
        for name in (NAME, SCORES):
            stream = self._closing.enter_context((self._folder / name).open("r+b" if written else "wb"))
            stream.truncate(written.sizes[name] if written else 0)
            stream.seek(0, 2)
            self._streams[name] = stream
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def _written(self) -> _Written | None:
        """Return what was written, unless the files lack a part of it."""
        if not self._state.is_file():
            return None
        try:
            written = checked(_Written, read_json(self._state), self._state)
            whole = all((self._folder / name).stat().st_size >= written.sizes[name] for name in (NAME, SCORES))
        except (DataError, OSError, KeyError):
            return None
        return written if whole and 0 < written.pairs <= self._sentences else None

    def written(self, size: int) -> Iterator[list[list[tuple[int, int]]]]:
        """Yield the links of the sentence pairs that are written, `size` pairs at a time, without scores."""
        rows = (row.sure for row in islice(read_alignments(self._folder / NAME), self.pairs))
        while part := list(islice(rows, size)):
            yield part

    def write(self, links: Sequence[Sequence[tuple[int, int, float]]], counts: Mapping[str, int]) -> None:
        """Write the links of the next sentence pairs, and the counts of the aligner up to them."""
        for name, line in ((NAME, link_line), (SCORES, score_line)):
            stream = self._streams[name]
            stream.write("".join(f"{line(each)}\n" for each in links).encode())
            stream.flush()
            os.fsync(stream.fileno())
        self.pairs += len(links)
        self.counts = dict(counts)
        sizes = {name: stream.tell() for name, stream in self._streams.items()}
        with writing(self._state) as state:
            state.write(json.dumps(asdict(_Written(self.pairs, self.counts, sizes))).encode())


@dataclass(frozen=True)
class _Written:
    """What is written of the links.

    Args:
        pairs: Sentence pairs.
        counts: Counts of the aligner.
        sizes: Bytes of each file.
    """

    pairs: int
    counts: dict[str, int]
    sizes: dict[str, int]
