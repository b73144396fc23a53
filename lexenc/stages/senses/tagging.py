"""Running text tagged with the senses of a lexicon."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from lexenc.encoders.base import WordEncoder
from lexenc.errors import ConfigError
from lexenc.files.text import read_lines, write_table
from lexenc.stage import Job, Outcome
from lexenc.stages.senses.lexicon import SenseChoice, SenseLexicon, encoder_of, read_sense_lexicon
from lexenc.stages.senses.reading import open_bank, open_word_encoder
from lexenc.stages.senses.settings import SensesParams
from lexenc.text.words import segmenter
from lexenc.word_senses.contexts import span_vectors
from lexenc.word_senses.description import SenseEntry
from lexenc.word_senses.occurrences import Headword, HeadwordFinder, Occurrence

TAGS = "tags.tsv"
TAG_HEADS = ("line", "token", "sense", "confidence")
_TOGETHER = 256  # lines that are tagged at once


class SenseTagger:
    """Chooses the senses of headwords in lines of text.

    Args:
        lexicon: The senses.
        choices: What chooses the senses of each headword.
        encoder: Encoder of words in sentences, at the layer of the lexicon.
        language: Language of the lines.
    """

    def __init__(
        self, lexicon: SenseLexicon, choices: Sequence[SenseChoice], encoder: WordEncoder, language: str
    ) -> None:
        self._entries, self._choices, self._encoder = lexicon.headwords, choices, encoder
        heads = {
            number: Headword(entry.language, tuple(entry.word.split(" ")))
            for number, entry in enumerate(lexicon.headwords)
            if entry.language == language
        }
        self._finder = HeadwordFinder(heads, lexicon.folding, language)
        self._cut = segmenter(lexicon.words, language)

    def tag(self, lines: Sequence[str]) -> Iterator[tuple[list[str], list[tuple[int, int, SenseEntry | None, float]]]]:
        """Yield the words of each line, and its headwords: first word, the word after the last, sense, confidence.

        The sense is None if a reviewer dropped it, or if the headword has no vector.
        """
        words = [self._cut(line) for line in lines]
        found = [self._finder.find(each) if self._finder.may_be_in(line) else []
                 for line, each in zip(lines, words, strict=True)]  # fmt: skip
        places = [(row, *each) for row, own in enumerate(found) for each in own]
        shown = [Occurrence.of(row, lines[row], words[row], start, end) for row, _, start, end in places]
        tagged: dict[int, list[tuple[int, int, SenseEntry | None, float]]] = {}
        if shown:
            vectors, has = span_vectors(
                self._encoder, [one.words for one in shown], [(one.start, one.end) for one in shown]
            )
            for number in {number for _, number, _, _ in places}:
                rows = [row for row, place in enumerate(places) if place[1] == number]
                labels, confidence = self._choices[number].choose(vectors[rows])
                for row, label, sure in zip(rows, labels.tolist(), confidence.tolist(), strict=True):
                    line, _, start, end = places[row]
                    sense = self._entries[number].senses[label] if label >= 0 and has[row] else None
                    tagged.setdefault(line, []).append((start, end, sense, sure if sense else 0.0))
        for row, own in enumerate(words):
            yield own, sorted(tagged.get(row, []), key=lambda each: each[0])


def tag_with_known(inputs: Mapping[str, Any], params: SensesParams, job: Job) -> Outcome:
    """Tag a text with senses that were found before."""
    folder = inputs["senses"]
    lexicon, choices = read_sense_lexicon(folder)
    if params.layer is not None and params.layer != lexicon.layer:
        raise ConfigError(f"{folder} was made at layer {lexicon.layer}, not {params.layer}.", hint="Leave --layer out.")
    path = encoder_of(lexicon, folder, inputs.get("encoder"))
    encoder, _ = open_word_encoder(path, lexicon.layer, job)
    if lexicon.learned:
        bank = open_bank(path)
        choices = [each.opened(bank) for each in choices]
    return Outcome(tag_text(inputs["tag"], lexicon, choices, encoder, job))


def tag_text(
    texts: Mapping[str, Path],
    lexicon: SenseLexicon,
    choices: Sequence[SenseChoice],
    encoder: WordEncoder,
    job: Job,
) -> dict[str, int]:
    """Tag a text line by line; return counts."""
    ((name, path),) = texts.items()
    language = name or lexicon.languages[0]
    if not any(entry.language == language for entry in lexicon.headwords):
        known = ", ".join(dict.fromkeys(entry.language for entry in lexicon.headwords))
        raise ConfigError(f"--tag {language}={path}: no headword is of the language {language}.", hint=f"Use: {known}.")
    counts = dict.fromkeys(("tagged_lines", "tokens", "headwords_found", "tagged"), 0)

    def rows() -> Iterator[list[str]]:
        tagger = SenseTagger(lexicon, choices, encoder, language)
        lines = read_lines(path)
        with job.progress.task("tag", None, "lines") as task:
            while part := list(islice(lines, _TOGETHER)):
                for (line, _), (words, found) in zip(part, tagger.tag([text for _, text in part]), strict=True):
                    counts["tagged_lines"] += 1
                    counts["tokens"] += len(words)
                    cells = [("", "")] * len(words)
                    for start, end, sense, confidence in found:
                        counts["headwords_found"] += 1
                        if sense is not None:
                            counts["tagged"] += 1
                            cells[start:end] = [(sense.sense, f"{confidence:.4f}")] * (end - start)
                    for word, cell in zip(words, cells, strict=True):
                        yield [str(line), word, *cell]
                task.advance(len(part))

    write_table(job.out / TAGS, TAG_HEADS, rows())
    if not counts["headwords_found"]:
        job.notices.warn(f"There is no headword in {path}.", "Is it of the same language?")
    return counts
