"""Word links of parallel sentences, read for objectives over words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import compress, repeat
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lexenc.arrays import Indices, blocks
from lexenc.errors import ConfigError, DataError
from lexenc.files.alignments import Alignment, alignments_file, read_alignments, result_of, sentences_file
from lexenc.files.text import counted, read_lines
from lexenc.progress import SILENT, Progress
from lexenc.stages.alignment.shared import AlignedWords
from lexenc.text.links import Links
from lexenc.text.words import split_at_spaces

if TYPE_CHECKING:
    from lexenc.encoders.transformer import TransformerEncoder
    from lexenc.sentences.words import LinkedWords
    from lexenc.training.data import PairData

_TOGETHER = 4096


@dataclass(frozen=True)
class ParallelRows:
    """The rows that come from one parallel source.

    Args:
        name: Its files, for messages.
        count: Number of sentence pairs in them, empty lines included.
        rows: Numbers of the rows, rising. Shape [n].
        pairs: The sentence pair of each row, counted from 0, rising. Shape [n].
    """

    name: str
    count: int
    rows: Indices
    pairs: Indices


def read_word_links(
    alignments: Sequence[Path],
    sources: Sequence[ParallelRows],
    data: PairData,
    encoder: TransformerEncoder,
    *,
    min_score: float = 0.0,
    progress: Progress = SILENT,
) -> LinkedWords:
    """Read the word links of parallel sources, and find the subwords of the words.

    Args:
        alignments: One for each source, in their order: the result of `lexenc align`, or a Pharaoh file, whose words
            are those between the spaces of the sentences.
        sources: The parallel sources.
        data: All rows. The anchor is the source sentence.
        encoder: Encoder whose subwords are used.
        min_score: Links with a lower score are left out.
        progress: Progress bar to update.

    Returns:
        Words and links of all rows of `data`. Rows of other sources have none.

    Raises:
        ConfigError: If the numbers of alignments and of sources differ, or the tokenizer does not report places.
        DataError: If an alignment was made from other sentences, or has no link that can be used.
    """
    from lexenc.sentences.words import LinkedWords

    if len(alignments) != len(sources):
        verb = "is" if len(alignments) == 1 else "are"
        raise ConfigError(
            f"There {verb} {counted(len(alignments), 'alignment')} for {counted(len(sources), 'parallel source')}.",
            hint="Give --alignments once for each parallel source, in the same order.",
        )
    parts = [
        part
        for path, source in zip(alignments, sources, strict=True)
        for part in _of_source(path, source, data, encoder, min_score, progress)
    ]
    rows = np.concatenate([np.zeros(0, dtype=np.int64), *(source.rows for source in sources)])
    if not parts:
        raise DataError("There is no row with word links.", hint="Give a parallel source.")
    found = LinkedWords.joined(parts)
    if not found.forward.any() and not found.backward.any():
        reasons = ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in found.counts.items())
        raise DataError(
            f"No word link of {', '.join(map(str, alignments))} can be used ({reasons}).",
            hint="Lower the smallest score of a link, or align with another method.",
        )
    return found.placed(rows, len(data))


def _of_source(
    path: Path, source: ParallelRows, data: PairData, encoder: TransformerEncoder, min_score: float, progress: Progress
) -> Iterator[LinkedWords]:
    """Yield the words of the rows of one source, part by part."""
    from lexenc.sentences.words import link_words

    path = result_of(path)
    place, sentences = alignments_file(path), sentences_file(path)
    for file in (place, sentences):
        _check_length(file, source)
    shown = sentences or place
    given = AlignedWords(path) if sentences else repeat(None)
    pairs = compress(zip(read_alignments(path), given, strict=False), _wanted(source))
    with progress.task("links", len(source.rows), "sentence pairs") as task:
        for part in blocks(len(source.rows), _TOGETHER):
            rows, lines = source.rows[part], source.pairs[part] + 1
            texts = [[data.texts[text] for text in side[rows]] for side in (data.anchors, data.positives)]
            words, links = _read(pairs, texts)
            places = [[each for _, each in encoder.tokenise_with_offsets(side)] for side in texts]
            yield link_words(
                (texts[0], texts[1]),
                words,
                links,
                (places[0], places[1]),
                longest=encoder.longest,
                min_score=min_score,
                where=partial(_line, shown, lines),
            )
            task.advance(len(rows))


def _check_length(file: Path | None, source: ParallelRows) -> None:
    if file is not None and (lines := sum(1 for _ in read_lines(file))) != source.count:
        raise DataError(
            f"{file} has {counted(lines, 'line')}, but {source.name} has {counted(source.count, 'sentence pair')}.",
            hint="The alignment was made from other files. Align the files of this source with lexenc align.",
        )


def _wanted(source: ParallelRows) -> NDArray[np.bool_]:
    """Return which sentence pairs are rows. Shape [count]."""
    table = np.zeros(source.count, dtype=np.bool_)
    table[source.pairs] = True
    return table


def _line(place: Path, lines: Indices, row: int) -> str:
    return f"{place}, line {lines[row]}"


def _read(
    pairs: Iterator[tuple[Alignment, tuple[list[str], list[str]] | None]], texts: Sequence[Sequence[str]]
) -> tuple[tuple[list[list[str]], list[list[str]]], Links]:
    """Read the words and links of the next sentence pairs. Without words, they are those between spaces."""
    words: tuple[list[list[str]], list[list[str]]] = ([], [])
    links = []
    for *sides, (found, own) in zip(*texts, pairs, strict=False):  # the texts end first
        for column, each in zip(words, own or map(split_at_spaces, sides), strict=True):
            column.append(each)
        scores = found.scores or [1.0] * len(found.sure)
        links.append([(*link, score) for link, score in zip(found.sure, scores, strict=True)])
    return words, Links.of(links)
