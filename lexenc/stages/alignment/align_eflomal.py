"""align by eflomal, a program of its own (GPL-3): run beside ours where it is installed, never imported."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from lexenc.artifact import UNFINISHED
from lexenc.errors import ConfigError, WorkError
from lexenc.files.alignments import SCORES, SENTENCES
from lexenc.files.parallel import parallel_text
from lexenc.files.text import read_lines
from lexenc.stages.alignment.aligned_files import LINKS, AlignmentFiles, WordPairs, words_of

if TYPE_CHECKING:
    from lexenc.alignment.symmetrise import Symmetrisation
    from lexenc.stage import Job
    from lexenc.text.links import Links

_PART = 4096


def eflomal_program() -> str:
    """Find the program.

    Raises:
        ConfigError: If it is not installed.
    """
    beside = Path(sys.executable).parent / "eflomal-align"
    found = str(beside) if beside.is_file() else shutil.which("eflomal-align")
    if found is None:
        raise ConfigError(
            "eflomal is not installed.", hint="pip install eflomal (GPL-3); --method statistical needs nothing."
        )
    return found


def align_by_eflomal(parts: Iterable[WordPairs], how: Symmetrisation, job: Job) -> int:
    """Write the words of a corpus, have them aligned in both directions, and write the links.

    Args:
        parts: Words of the sentence pairs, part by part.
        how: How the directions become one.
        job: Its place.

    Returns:
        How many sentence pairs there are.
    """
    program = eflomal_program()
    with AlignmentFiles(job.out, [SENTENCES], fresh=True) as files:
        for part in parts:
            files.write(pairs=part)
        pairs = files.pairs
    made = [job.out / UNFINISHED / f"eflomal.{name}" for name in ("forward", "backward")]
    command = [program, "-i", job.out / SENTENCES, "-f", made[0], "-r", made[1], "--overwrite", "--model", "3"]
    run = subprocess.run([str(each) for each in command], capture_output=True, text=True, check=False)  # noqa: S603
    if run.returncode:
        last = (run.stderr.strip().splitlines() or ["no message"])[-1]
        raise WorkError(f"eflomal stopped with {run.returncode}: {last}", hint="Run it by itself to see more.")
    with AlignmentFiles(job.out, [LINKS, SCORES]) as files:
        for links in _joined(job.out / SENTENCES, made, how):
            files.write(links=links)
    for each in made:
        each.unlink()
    return pairs


def _joined(sentences: Path, made: list[Path], how: Symmetrisation) -> Iterator[Links]:
    """Join both directions, part by part."""
    import numpy as np

    from lexenc.alignment.symmetrise import symmetrise
    from lexenc.text.links import Links

    lines = zip(parallel_text(sentences), *(read_lines(path) for path in made), strict=True)
    while part := list(islice(lines, _PART)):
        found = []
        for pair, (_, forward), (_, backward) in part:
            tables = np.zeros((2, len(words_of(pair.source)), len(words_of(pair.target))))
            for table, links in zip(tables, (forward, backward), strict=True):
                for link in links.split():
                    table[tuple(map(int, link.split("-")))] = 1
            kept = symmetrise(tables[0], tables[1], how)
            found.append([(int(i), int(j), float(tables[:, i, j].mean())) for i, j in np.argwhere(kept)])
        yield Links.of(found)
