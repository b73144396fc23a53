"""The text of `pretrain`: languages, held-out lines, and lines cut into texts that a model accepts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lexenc.arrays import Ragged, starts_of
from lexenc.errors import ConfigError, DataError
from lexenc.files.parallel import parallel_text
from lexenc.files.text import read_lines
from lexenc.randomness import generator
from lexenc.stage import Job
from lexenc.stages.reading import tell_remarks

if TYPE_CHECKING:
    from lexenc.training.language_models import TrainableModel

_PART = 8192  # lines that are tokenised at once
_LEAST, _SAFE = 100, 2000  # the least held-out lines, if there are so many lines


@dataclass
class LanguageText:
    """The text of a language.

    Args:
        name: Name of the language.
        path: Its file.
        chosen: Which of its lines are held out, from 0, blank ones not counted.
        held_out: The held-out lines, and whether each of them does not occur in the training text.
    """

    name: str
    path: Path
    chosen: frozenset[int] = frozenset()
    held_out: dict[str, bool] = field(default_factory=dict)

    def lines(self) -> Iterator[str]:
        """Yield the lines to train on. Held-out lines among them are noted."""
        for number, line in enumerate(_texts(self.path)):
            if number not in self.chosen:
                if line in self.held_out:
                    self.held_out[line] = False
                yield line

    @property
    def unseen(self) -> list[str]:
        """The held-out lines that are not in the training text."""
        return [line for line, unseen in self.held_out.items() if unseen]


def _texts(path: Path) -> Iterator[str]:
    return (line for _, each in read_lines(path) if (line := each.strip()))


def read_corpora(inputs: Mapping[str, Any], dev_share: float | None, most: int, job: Job) -> list[LanguageText]:
    """Choose the held-out lines of every language.

    Args:
        inputs: `text`, and optionally `dev`, the held-out text: files by language.
        dev_share: Share of the lines of each language to hold out. None for none.
        most: Largest number of lines to hold out.
        job: Seed of the choice.

    Raises:
        ConfigError: If a file has no language, or there is held-out text of a language without text.
        DataError: If there is no text.
    """
    texts, files = inputs["text"], inputs.get("dev") or {}
    for what, named in (("text", texts), ("dev", files)):
        if "" in named:
            raise ConfigError(
                f"--{what} {named['']} has no language.", hint=f"Name it, for example: --{what} en={named['']}"
            )
    for name in files:
        if name not in texts:
            raise ConfigError(f"--dev {name}={files[name]}: there is no --text {name}.", hint="Use the same names.")
    corpora = []
    for name, path in texts.items():
        count = sum(1 for _ in _texts(path))
        if not count:
            raise DataError(f"There is no text in {path}.", hint="Use a text file with one sentence per line.")
        if files:
            corpora.append(
                LanguageText(name, path, held_out=dict.fromkeys(_texts(files[name]), True) if name in files else {})
            )
            continue
        size = 0
        if dev_share:
            size = min(most, max(round(dev_share * count), min(_LEAST, count * _LEAST // _SAFE)))
        chosen = generator(job.seed, f"held-out lines of {name}").choice(count, size, replace=False)
        numbers = frozenset(chosen.tolist())
        lines = (line for number, line in enumerate(_texts(path)) if number in numbers) if size else ()
        corpora.append(LanguageText(name, path, numbers, dict.fromkeys(lines, True)))
    return corpora


@dataclass
class CutText:
    """Lines as subwords, or as words.

    Args:
        texts: The subwords or words, without special ones.
        words: Number of words between spaces.
        unknown: Number of unknown subwords or words.
        split: Number of lines that were cut into several texts.
    """

    texts: Ragged
    words: int = 0
    unknown: int = 0
    split: int = 0


class LineTokeniser:
    """Turns lines into subwords or words.

    Args:
        model: The language model.
    """

    def __init__(self, model: TrainableModel) -> None:
        self.ids, self._unknown, self._limit = model.splitter(), model.unknown, model.room

    def cut(self, lines: Iterable[str], job: Job) -> CutText:
        """Tokenise lines, and cut those that are longer than the model accepts."""
        made, parts = CutText(Ragged.of([], dtype=np.int32)), [Ragged.of([], dtype=np.int32)]
        lines = iter(lines)
        with job.progress.task("tokenise", None, "lines") as task:
            while part := list(islice(lines, _PART)):
                ids = self.ids(part)
                made.words += sum(len(line.split()) for line in part)
                made.unknown += int(self._unknown(ids.values).sum())
                made.split += int((ids.lengths > self._limit).sum())
                parts.append(_in_pieces(ids, self._limit))
                task.advance(len(part))
        return replace(made, texts=Ragged.joined(parts))


def _in_pieces(texts: Ragged, limit: int) -> Ragged:
    """Cut texts that are longer than `limit` into pieces of nearly equal length."""
    if texts.lengths.max(initial=0) <= limit:
        return texts
    sizes: list[int] = []
    for length in texts.lengths.tolist():
        pieces = max(1, math.ceil(length / limit))
        sizes += [length * (i + 1) // pieces - length * i // pieces for i in range(pieces)]
    return Ragged(starts_of(sizes), texts.values)


def read_pairs(
    inputs: Mapping[str, Any], tokeniser: LineTokeniser, corpora: Sequence[LanguageText], job: Job
) -> tuple[tuple[Ragged, Ragged] | None, int]:
    """Tokenise sentence pairs. Those with a held-out line are left out, and counted."""
    if not inputs.get("pairs"):
        return None, 0
    held_out = set().union(*(corpus.held_out for corpus in corpora))
    sides: tuple[list[Ragged], list[Ragged]] = ([Ragged.of([], np.int32)], [Ragged.of([], np.int32)])
    left_out = 0
    for path in inputs["pairs"]:
        text = parallel_text(path)
        pairs = iter(text)
        while part := [(one.source, one.target) for one in islice(pairs, _PART)]:
            kept = [pair for pair in part if held_out.isdisjoint(pair)]
            left_out += len(part) - len(kept)
            for side, lines in zip(sides, zip(*kept, strict=True), strict=False):
                side.append(tokeniser.ids(lines))
        tell_remarks(text, job)
    return (Ragged.joined(sides[0]), Ragged.joined(sides[1])), left_out
