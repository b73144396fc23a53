"""What align writes: links, their scores and the words that they are of, sentence pair by sentence pair."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from lexenc.artifact import UNFINISHED
from lexenc.files.alignments import NAME, SCORES, SENTENCES, link_line, read_alignments, score_line
from lexenc.files.parallel import joined, parallel_text

if TYPE_CHECKING:
    from lexenc.text.links import Links

LINKS, LEXICON = NAME, "lexicon.tsv"
_DONE = "done.json"

WordPairs = Sequence[tuple[list[str], list[str]]]


class AlignmentFiles:
    """Three files that grow together; work that was stopped goes on behind the last part that was written whole.

    Args:
        folder: Of the result.
        names: The files to write: all three, or those that are still missing.
        fresh: Begin anew whatever is there.
    """

    def __init__(self, folder: Path, names: Sequence[str] = (LINKS, SCORES, SENTENCES), *, fresh: bool = False) -> None:
        self._folder, self._names, self._fresh = folder, tuple(names), fresh
        self._state = folder / UNFINISHED / _DONE
        self._streams: dict[str, IO[bytes]] = {}
        self._closing = ExitStack()
        self.pairs = 0  # sentence pairs that are written

    def __enter__(self) -> AlignmentFiles:
        self._state.parent.mkdir(exist_ok=True)
        known = {} if self._fresh else _read_state(self._state)
        sizes = known.get("sizes", {})
        whole = all((self._folder / name).is_file() and name in sizes for name in self._names)
        self.pairs = known["pairs"] if whole else 0
        for name in self._names:
            stream = (self._folder / name).open("r+b" if whole else "wb")
            self._streams[name] = self._closing.enter_context(stream)
            stream.truncate(sizes[name] if whole else 0)
            stream.seek(0, 2)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._closing.close()
        if kind is None:
            self._state.unlink(missing_ok=True)

    def write(self, *, pairs: WordPairs | None = None, links: Links | None = None) -> None:
        """Write a part.

        Args:
            pairs: Words of the sentence pairs, where they are to be written.
            links: Their links, where they are to be written.
        """
        if pairs is not None:
            lines = (joined(" ".join(source), " ".join(target), self.pairs + number)
                     for number, (source, target) in enumerate(pairs, start=1))  # fmt: skip
            self._append(SENTENCES, lines)
        if links is not None:
            listed = list(links.sentences())
            self._append(LINKS, map(link_line, listed))
            self._append(SCORES, map(score_line, listed))
        self.pairs += len(pairs) if pairs is not None else len(links or ())
        for stream in self._streams.values():
            stream.flush()
        sizes = {name: stream.tell() for name, stream in self._streams.items()}
        aside = self._state.with_suffix(".new")
        aside.write_text(json.dumps({"pairs": self.pairs, "sizes": sizes}), encoding="utf-8")
        aside.replace(self._state)

    def _append(self, name: str, lines: Iterator[str]) -> None:
        self._streams[name].write("".join(f"{line}\n" for line in lines).encode())


def _read_state(path: Path) -> dict[str, Any]:
    try:
        state: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return state


def read_aligned(folder: Path) -> Iterator[tuple[list[str], list[str], list[tuple[int, int, float]]]]:
    """Give the sentence pairs of a result with their links, one after the other."""
    for pair, links in zip(parallel_text(folder / SENTENCES), read_alignments(folder), strict=True):
        found = [(i, j, score) for (i, j), score in zip(links.sure, links.scores, strict=True)]
        yield words_of(pair.source), words_of(pair.target), found


def words_of(sentence: str) -> list[str]:
    """Take a sentence apart again; only a space parts words, as a no-break space may stand in one."""
    return sentence.split(" ") if sentence else []
