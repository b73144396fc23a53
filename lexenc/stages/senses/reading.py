"""What `senses` reads: headwords, their occurrences in texts, and the encoder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexenc.errors import ConfigError, DataError
from lexenc.files.text import counted, read_lines
from lexenc.stage import Job
from lexenc.stages.reading import open_encoder
from lexenc.stages.senses.settings import SensesParams
from lexenc.text.folding import trim
from lexenc.word_senses.occurrences import Cut, Headword, TextSample, sample_text

if TYPE_CHECKING:
    from lexenc.encoders.base import WordEncoder
    from lexenc.training.sense_aware.bank import SenseBank

_FEW = 20  # occurrences of a headword below which its senses say little


def read_headwords(inputs: Mapping[str, Any], params: SensesParams, cuts: Mapping[str, Cut]) -> dict[int, Headword]:
    """Return the distinct headwords by number, as the texts are split and folded."""
    path = inputs.get("headwords")
    typed = [*params.word, *(trim(line) for _, line in (read_lines(path) if path else ()) if trim(line))]
    if not typed:
        raise DataError(f"There is no headword in {path}.", hint="Write one per line.")
    first = next(iter(cuts))
    found: dict[Headword, None] = {}
    for each in typed:
        name, sign, rest = each.partition("=")
        language, text = (name, rest) if sign and name in cuts else (first, each)
        words = tuple(params.folding.fold(word, language) for word in cuts[language](text))
        if not words:
            raise ConfigError(f"The headword '{each}' has no word.", hint="Give a word as it stands in the text.")
        found[Headword(language, words)] = None
    return dict(enumerate(found))


def read_texts(
    inputs: Mapping[str, Any], params: SensesParams, heads: Mapping[int, Headword], cuts: Mapping[str, Cut], job: Job
) -> dict[str, TextSample]:
    """Draw occurrences and sentences from every text."""
    found = {}
    for language, path in inputs["text"].items():
        own = {number: one for number, one in heads.items() if one.language == language}
        with job.progress.task(f"read {path.name}", None, "lines") as task:
            sample = sample_text(
                _advancing(read_lines(path), task),
                own,
                cut=cuts[language],
                folding=params.folding,
                language=language,
                most=params.most_occurrences,
                sentences=params.sentences,
                seed=job.seed,
            )
        if not sample.lines:
            raise DataError(f"There is no text in {path}.", hint="Use a text file with one sentence per line.")
        found[language] = sample
    return found


def _advancing(lines: Iterator[tuple[int, str]], task: Any) -> Iterator[tuple[int, str]]:
    for line in lines:
        yield line
        task.advance(1)


def occurring(heads: Mapping[int, Headword], texts: Mapping[str, TextSample], job: Job) -> list[int]:
    """Return the headwords that occur, and warn of the others and of rare ones.

    Raises:
        DataError: If none occurs.
    """
    missing = [one for number, one in heads.items() if not texts[one.language].occurrences[number].seen]
    hints = [hint for one in missing if (hint := _meant(one, texts[one.language]))]
    told = ", ".join(f"'{one.text}'" for one in missing[:5]) + (", ..." if len(missing) > 5 else "")
    hint = hints[0] if hints else "Write it as in the text; --no-lowercase compares case too."
    if len(missing) == len(heads):
        raise DataError(f"The text has no occurrence of {told}.", hint=hint)
    if missing:
        job.notices.warn(f"{counted(len(missing), 'headword')} without an occurrence left out: {told}.", hint)
    kept = [number for number, one in heads.items() if texts[one.language].occurrences[number].seen]
    for number in kept:
        seen = texts[heads[number].language].occurrences[number].seen
        if seen < _FEW:
            job.notices.warn(
                f"{heads[number].text}: only {counted(seen, 'occurrence')}, so its senses say little.",
                "Use more text.",
            )
    return kept


def _meant(one: Headword, text: TextSample) -> str | None:
    words = {word.lower() for sentence in text.sentences.items for word in sentence}
    close = get_close_matches(one.text, sorted(words), n=1, cutoff=0.75)
    return f"Did you mean '{close[0]}'?" if close else None


def open_word_encoder(path: Path, layer: int | None, job: Job) -> tuple[WordEncoder, int]:
    """Open an encoder of words in their contexts; return it with its layer, counted from 0.

    Raises:
        ConfigError: If the encoder is static.
    """
    from lexenc.encoders.load import encoder_kind
    from lexenc.encoders.word_vectors import word_encoder
    from lexenc.word_senses.induction import default_layer

    if encoder_kind(path) == "static":
        raise ConfigError(
            f"The encoder {path} is static: a word has the same vector in every sentence, so it has no senses.",
            hint="Use an encoder with context: a folder of transformers or sentence-transformers, or of pretrain.",
        )
    encoder = open_encoder(path, "auto", job)
    layers = int(getattr(encoder, "layers", 1))
    chosen = default_layer(encoder) if layer is None else layer
    return word_encoder(encoder, layer=chosen, unit="words"), chosen % (layers + 1)


def open_bank(path: Path) -> SenseBank:
    """Return the senses of a sense-aware model."""
    from lexenc.training.sense_aware.bank import load_bank

    return load_bank(path)
