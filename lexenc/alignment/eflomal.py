"""Word alignment by eflomal, a separate program (GPL-3). It is run if installed, and never imported."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path

import numpy as np

from lexenc.alignment import Symmetrisation
from lexenc.alignment.counting import WordPair
from lexenc.arrays import starts_of
from lexenc.errors import ConfigError, WorkError
from lexenc.files.alignments import read_alignments
from lexenc.files.parallel import write_parallel
from lexenc.files.text import read_lines
from lexenc.text.links import Links

_PART = 4096


def eflomal_program() -> str:
    """Return the path of the program.

    Raises:
        ConfigError: If it is not installed.
    """
    beside = Path(sys.executable).parent / "eflomal-align"
    found = str(beside) if beside.is_file() else shutil.which("eflomal-align")
    if found is None:
        raise ConfigError(
            "eflomal is not installed.", hint="pip install eflomal (GPL-3); --method statistical needs no program."
        )
    return found


class EflomalAligner:
    """Runs eflomal in both directions and combines their links.

    Args:
        folder: Folder for its files. Links that it contains already are used again.
        how: As in `links_of`.
    """

    def __init__(self, folder: Path, how: Symmetrisation = "intersection") -> None:
        self._folder, self._how = folder, how
        self.counts: Mapping[str, int] = {}

    def align_corpus(self, corpus: Iterable[WordPair], *, start: int = 0) -> Iterator[Links]:
        """Align all sentence pairs and return their links, part by part, from sentence pair `start` on.

        Raises:
            ConfigError: If eflomal is not installed.
            WorkError: If it fails.
        """
        made = [self._folder / f"eflomal.{name}" for name in ("forward", "backward")]
        if all(path.is_file() for path in made):
            sentences = sum(1 for _ in corpus)
            if all(sum(1 for _ in read_lines(path)) == sentences for path in made):
                return self._joined(corpus, made, start)
        text = self._folder / "eflomal.input"
        write_parallel(text, ((" ".join(source), " ".join(target)) for source, target in corpus))
        aside = [path.with_name(f"{path.name}.partial") for path in made]
        command = [eflomal_program(), "-i", text, "-f", aside[0], "-r", aside[1], "--overwrite", "--model", "3"]
        run = subprocess.run([str(each) for each in command], capture_output=True, text=True, check=False)  # noqa: S603
        if run.returncode:
            last = (run.stderr.strip().splitlines() or ["no message"])[-1]
            raise WorkError(f"eflomal stopped with {run.returncode}: {last}", hint="Run it by itself to see more.")
        for path, place in zip(aside, made, strict=True):
            path.replace(place)
        return self._joined(corpus, made, start)

    def _joined(self, corpus: Iterable[WordPair], made: list[Path], start: int) -> Iterator[Links]:
        from lexenc.alignment.symmetrise import links_of

        rows = islice(zip(corpus, *map(read_alignments, made), strict=True), start, None)
        while part := list(islice(rows, _PART)):
            widths, heights = (np.array([len(pair[side]) for pair, *_ in part]) for side in range(2))
            cells = starts_of(widths * heights)
            forward, backward = np.zeros((2, cells[-1]), dtype=np.int32)
            for (_, ahead, back), start, width, height in zip(part, cells[:-1], widths, heights, strict=True):
                forward[[start + j * width + i for i, j in ahead.sure]] = 1
                backward[[start + i * height + j for i, j in back.sure]] = 1
            yield links_of(widths, heights, forward, backward, self._how)
