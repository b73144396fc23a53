"""senses: words + text + encoder -> the senses of the words, and tagged text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from itertools import islice, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lexenc.arrays import Floats
from lexenc.artifact import DigestStore, Manifest
from lexenc.errors import ConfigError, DataError
from lexenc.evaluation.projection import leading_plane, unit_rows
from lexenc.files.alignments import read_alignments, result_of, sentences_file
from lexenc.files.sense_reviews import REVIEW, write_sense_review
from lexenc.files.text import counted, read_lines, write_table, writing
from lexenc.parameters import param
from lexenc.stage import Input, Job, Outcome, Stage, Table
from lexenc.stages.alignment.shared import AlignedWords
from lexenc.stages.reading import open_encoder
from lexenc.stages.senses.lexicon import (
    CONCORDANCE,
    CONCORDANCE_HEADS,
    SENSES,
    VEC,
    SenseChoice,
    SenseLexicon,
    SenseTagger,
    encoder_of,
    read_sense_lexicon,
    write_sense_lexicon,
)
from lexenc.text.folding import Folding, trim
from lexenc.text.words import Segmentation, segmenter
from lexenc.word_senses.description import (
    HeadwordEntry,
    SenseEntry,
    SenseTranslations,
    WordScore,
    good_examples,
    nearest_words,
    sense_names,
    typical_words,
)
from lexenc.word_senses.occurrences import Cut, Headword, HeadwordFinder, Occurrence, Reservoir, TextSample, sample_text
from lexenc.word_senses.page import SensePlane, listed, picture, senses_page

if TYPE_CHECKING:
    from lexenc.encoders.base import WordEncoder
    from lexenc.training.sense_aware.bank import SenseBank
    from lexenc.word_senses.contexts import WordAverages
    from lexenc.word_senses.induction import InducedSenses

PICTURE, PAGE, TAGS = "senses.svg", "senses.html", "tags.tsv"
TAG_HEADS = ("line", "token", "sense", "confidence")
_LEAST = 5  # occurrences of a word among the sampled sentences, from which on its average is compared with senses
_FEW = 20  # occurrences of a headword below which its senses say little
_TOGETHER = 256  # lines that are tagged at once
_SPOKES = 6  # words that are drawn for each sense and language
_OF_MODEL = {
    "own": "Those of the model, chosen by the states of its forward direction at the word.",
    "both": "Those of the model, chosen by the states of both directions at the word.",
    "masked": "Those of the model, chosen by its state at the word, which is not masked here as it mostly was in "
    "training.",
}
_SHOWN, _READING = "What is shown", "Reading of texts"


@dataclass(frozen=True)
class SensesParams:
    """Parameters of `senses`."""

    word: tuple[str, ...] = param(
        (),
        "Headword. Several words in sequence are one headword if they are quoted. It belongs to the language of the "
        "first --text; of another language write de=Bank.",
        positional=True,
    )
    count: int | None = param(None, "Number of senses of each headword. auto: it is chosen.", ge=1, le=64, none="auto")
    most: int = param(8, "Largest number of senses that is chosen.", ge=1, le=64)
    layer: int | None = param(
        None,
        "Layer of the encoder whose states are clustered, negative from the end. If left out, the last but one.",
    )
    most_occurrences: int = param(
        1000, "Largest number of occurrences of a headword to use, drawn at random.", ge=2, le=1_000_000
    )
    sentences: int = param(
        4000,
        "Sentences of each text, drawn at random, over which the vectors of words are averaged to find the words "
        "nearest to a sense. More sentences: more words, and more time.",
        ge=1,
        le=10_000_000,
    )
    contrast: float = param(
        0.7,
        "How far the mean of a word is removed from its senses before the nearest words are looked up. 0: not at all, "
        "which shows what the senses have in common; 1: wholly, which shows only how they differ.",
        ge=0,
        le=1,
    )
    top: int = param(10, "Number of nearest words, typical words and translations of a sense.", ge=1, group=_SHOWN)
    examples: int = param(5, "Number of examples of a sense on the page and in senses.json.", ge=0, group=_SHOWN)
    drawn: int = param(
        8, "Number of headwords in the picture, and of those on the page that have charts.", ge=0, group=_SHOWN
    )
    words: Segmentation = param(
        "words",
        "How texts are split into words. words: Unicode words and punctuation. spaces: the text between spaces. "
        "characters: for languages without spaces. spacy: tokens of spaCy, if installed.",
        group=_READING,
    )
    lowercase: bool = param(
        True, "Ignore case when headwords and words are compared. The encoder sees words as they are.", group=_READING
    )

    @property
    def folding(self) -> Folding:
        """How words are compared."""
        return Folding(self.lowercase, "nfc")


def check_senses(inputs: Mapping[str, Any], params: SensesParams) -> list[ConfigError]:
    """Return the errors that involve more than one option."""
    given = {name for name, value in inputs.items() if value}
    if "senses" in given:
        wrong = sorted(given & {"text", "headwords", "alignments", "model"})
        faults = [
            ConfigError(f"--senses and --{name} exclude each other.", hint="--senses tags a text with known senses.")
            for name in wrong
        ]
        if params.word:
            hint = "Leave the words out, or find their senses: --text en=corpus.txt instead of --senses."
            faults.append(ConfigError("--senses has headwords already.", hint=hint))
        if "tag" not in given:
            faults.append(ConfigError("--senses needs --tag.", hint="Give the text to tag: --tag text.txt"))
        return faults
    table = [
        (not params.word and "headwords" not in given, "There is no headword.",
         "Give words, or a list of them: lexenc senses bank --encoder ENC --text en=corpus.txt --out runs/senses"),
        ("text" not in given, "senses needs --text.", "Give the text with its language: --text en=corpus.txt"),
        (not given & {"encoder", "model"}, "senses needs --encoder.",
         "Give an encoder with context: --encoder ENC, or a model of pretrain --senses: --model runs/lm"),
        ({"encoder", "model"} <= given, "--encoder and --model exclude each other.", "Give one of them."),
    ]  # fmt: skip
    if "model" in given:
        table += [
            (params.count is not None, "--count has no effect with --model.", "The model has its own senses."),
            (params.layer is not None, "--layer has no effect with --model.", "It chooses senses at its top layer."),
        ]
    faults = [ConfigError(message, hint=hint) for wrong, message, hint in table if wrong]
    texts = inputs.get("text") or []
    for each in [] if isinstance(texts, Mapping) else [texts] if isinstance(texts, str | Path) else texts:
        if not _TEXT.label(str(each)):
            faults.append(ConfigError(f"--text {each} has no language.", hint=f"Name it: --text en={each}"))
    return faults


# ---------------------------------------------------------------- headwords and texts


def _read_headwords(inputs: Mapping[str, Any], params: SensesParams, cuts: Mapping[str, Cut]) -> dict[int, Headword]:
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


def _read_texts(
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


def _tell_occurrences(heads: Mapping[int, Headword], texts: Mapping[str, TextSample], job: Job) -> list[int]:
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


# ---------------------------------------------------------------- encoder


def _word_encoder(path: Path, layer: int | None, job: Job) -> tuple[WordEncoder, int]:
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


def _bank(path: Path) -> SenseBank:
    from lexenc.training.sense_aware.bank import load_bank

    return load_bank(path)


# ---------------------------------------------------------------- induction


@dataclass(frozen=True)
class _Found:
    """A headword with its senses.

    Args:
        head: The headword.
        occurrences: Its occurrences that have a vector.
        seen: Number of occurrences in the text.
        choice: Its clusters.
    """

    head: Headword
    occurrences: list[Occurrence]
    seen: int
    choice: SenseChoice

    @property
    def count(self) -> int:
        """Number of senses."""
        return len(self.choice.induced.centres)


def _find(
    head: Headword,
    sample: Reservoir[Occurrence],
    encoder: WordEncoder,
    bank: SenseBank | None,
    params: SensesParams,
    job: Job,
) -> _Found | None:
    """Find the senses of a headword; None, with a warning, if there are none.

    They are clusters of its occurrences, or those of a model.
    """
    from lexenc.word_senses.background import Background
    from lexenc.word_senses.contexts import span_vectors
    from lexenc.word_senses.learned import LearnedSenses, known_as

    word = None if bank is None else known_as(bank, head.text)
    if bank is not None and word is None:
        job.notices.warn(
            f"{head.text}: the model has no senses of it, left out.",
            "Its senses are found without --model, by clusters: --encoder with the same folder.",
        )
        return None

    items = sorted(sample.items, key=lambda one: (one.line, one.left))
    background = Background(encoder)
    vectors, has = span_vectors(
        background, [one.words for one in items], [(one.start, one.end) for one in items], progress=job.progress
    )
    if not has.all():
        lost = counted(int((~has).sum()), "occurrence")
        job.notices.warn(f"{head.text}: {lost} without a vector left out.", "The tokenizer makes nothing of them.")
    if not has.any():
        return None
    kept = [one for one, own in zip(items, has.tolist(), strict=True) if own]
    if bank is not None and word is not None:
        return _Found(head, kept, sample.seen, SenseChoice.of(LearnedSenses.of(vectors[has], word, bank)))
    whitening = background.whitening({word for one in items for word in one.words[one.start : one.end]})
    return _Found(head, kept, sample.seen, SenseChoice.of(_clusters(head, vectors[has], whitening, params, job)))


def _clusters(
    head: Headword, vectors: Floats, whitening: Floats | None, params: SensesParams, job: Job
) -> InducedSenses:
    """Cluster the vectors of the occurrences of a headword; for `whitening` see `Background`."""
    from lexenc.word_senses.induction import induce_senses

    different = len(np.unique(vectors, axis=0))
    count = params.count
    if count is not None and count > different:
        job.notices.warn(
            f"{head.text}: {counted(different, 'different occurrence')}, so {counted(different, 'sense')}, "
            f"not {count}.",
            "Use more text, or fewer senses.",
        )
        count = different
    return induce_senses(vectors, count=count, most=params.most, seed=job.seed, whitening=whitening)


def _entry(
    found: _Found,
    names: list[str],
    texts: Mapping[str, TextSample],
    averages: Mapping[str, WordAverages],
    params: SensesParams,
) -> tuple[HeadwordEntry, Floats]:
    """Return the description of a headword, and the vectors of which the nearest words are looked up. Shape [k, d]."""
    induced, head = found.choice.induced, found.head
    own, fold = averages[head.language], params.folding.fold
    contrast = params.contrast if found.count > 1 else 0.0
    vectors = induced.centres - contrast * (induced.centres.mean(axis=0) - own.mean)
    without = {*head.words, head.text}
    nearest = {
        language: nearest_words(vectors, own.mean, each, top=params.top,
                                without=without if language == head.language else ())
        for language, each in averages.items()
    }  # fmt: skip
    contexts = [
        {fold(word, head.language) for word in (*one.words[: one.start], *one.words[one.end :])} - without
        for one in found.occurrences
    ]
    typical = typical_words(contexts, induced.labels, found.count, top=params.top,
                            elsewhere=own.sentences, total=own.total)  # fmt: skip
    examples = good_examples(found.occurrences, induced.labels, induced.confidence, found.count, top=params.examples)
    sizes = np.bincount(induced.labels, minlength=found.count)
    senses = [
        SenseEntry(
            name,
            int(sizes[sense]),
            round(float(sizes[sense] / sizes.sum()), 6),
            round(float(induced.confidence[induced.labels == sense].mean()), 4),
            nearest={language: each[sense] for language, each in nearest.items()},
            context_words=typical[sense],
            translations={
                language: SenseTranslations("nearest words", each[sense])
                for language, each in nearest.items()
                if language != head.language
            },
            examples=examples[sense],
        )
        for sense, name in enumerate(names)
    ]
    return HeadwordEntry(head.text, head.language, found.seen, len(found.occurrences), senses), vectors


def _plane(entry: HeadwordEntry, vectors: Floats, averages: Mapping[str, WordAverages]) -> SensePlane:
    """Place the senses of a headword and the words nearest to each on a plane."""
    rows = {language: {word: row for row, word in enumerate(each.words)} for language, each in averages.items()}
    words: dict[tuple[str, str], int] = {}
    spokes = []
    # The nearest words of every sense come first, as they are labelled first.
    for rank in range(_SPOKES):
        for sense, one in enumerate(entry.senses):
            for language, near in one.nearest.items():
                if rank < len(near):
                    spokes.append((sense, words.setdefault((language, near[rank].word), len(words))))
    parts = [vectors - averages[entry.language].mean]
    parts += [averages[language].matrix[None, rows[language][word]] - averages[language].mean
              for language, word in words]  # fmt: skip
    places, explained = leading_plane(unit_rows(np.concatenate(parts)), len(entry.senses))
    count = len(entry.senses)
    return SensePlane(places[:count], [*words], places[count:], spokes, explained)


# ---------------------------------------------------------------- translations


@dataclass(frozen=True)
class _Linked:
    """An occurrence of a headword in aligned text, and the words that it is linked to."""

    occurrence: Occurrence
    translation: str


def _link_languages(name: str, languages: Sequence[str]) -> tuple[str, str]:
    """Return the languages of aligned text, source first.

    Raises:
        ConfigError: If they are not given and cannot be known.
    """
    if not name and len(languages) == 2:
        return languages[0], languages[1]
    for known in languages:
        if name.startswith(f"{known}-"):
            return known, name.removeprefix(f"{known}-")
        if name.endswith(f"-{known}"):
            return name.removesuffix(f"-{known}"), known
    known = f"{languages[0]}-{languages[1] if len(languages) > 1 else 'de'}"
    raise ConfigError(
        f"--alignments {name or 'without languages'}: it has no language of --text.",
        hint=f"Name the languages of both sides: --alignments {known}=runs/links",
    )


def _aligned(path: Path) -> Iterator[tuple[int, tuple[list[str], list[str]], list[tuple[int, int]]]]:
    """Yield the number, the words and the links of every sentence pair of a result of `align`."""
    folder = result_of(path)
    if sentences_file(folder) is None:
        raise DataError(f"{path} has no sentences.txt with its words.", hint="Give a folder that lexenc align wrote.")
    for number, (words, links) in enumerate(zip_longest(AlignedWords(folder), read_alignments(folder)), start=1):
        if words is None or links is None:
            raise DataError(f"The files of {path} have different numbers of lines.", hint="Align the text again.")
        yield number, words, links.sure


def _read_links(
    path: Path, language: str, side: int, other: str, found: Mapping[int, _Found], params: SensesParams, job: Job
) -> tuple[dict[int, Reservoir[_Linked]], Counter[int]]:
    """Draw linked occurrences of headwords from one side of aligned text; return them, and how many have no link."""
    heads = {number: one.head for number, one in found.items() if one.head.language == language}
    finder = HeadwordFinder(heads, params.folding, language)
    drawn = {
        number: Reservoir[_Linked](params.most_occurrences, job.seed, f"links of {one.text} with {other}")
        for number, one in heads.items()
    }
    unlinked: Counter[int] = Counter()
    with job.progress.task("read links", None, "sentence pairs") as task:
        for line, both, links in _aligned(path):
            task.advance(1)
            words, others = both[side], both[1 - side]
            for number, start, end in finder.find(words):
                targets = sorted({link[1 - side] for link in links if start <= link[side] < end})
                if any(target >= len(others) for target in targets):
                    raise DataError(f"{path}, line {line}: a link beyond the last word.", hint="Align the text again.")
                if not targets:
                    unlinked[number] += 1
                    continue
                translation = " ".join(params.folding.fold(others[target], other) for target in targets)
                drawn[number].offer(
                    lambda place=(line, words, start, end), translation=translation: _Linked(  # type: ignore[misc]
                        Occurrence.of(place[0], " ".join(place[1]), *place[1:]), translation
                    )
                )
    return drawn, unlinked


def _link_translations(
    inputs: Mapping[str, Any],
    found: Mapping[int, _Found],
    encoder: WordEncoder,
    languages: Sequence[str],
    params: SensesParams,
    job: Job,
) -> dict[tuple[int, str], list[Counter[str]]]:
    """Count the translations of every sense: by headword and language, a counter per sense."""
    from lexenc.word_senses.contexts import span_vectors

    counts: dict[tuple[int, str], list[Counter[str]]] = {}
    for name, path in (inputs.get("alignments") or {}).items():
        pair = _link_languages(name, languages)
        for side, (language, other) in enumerate((pair, pair[::-1])):
            if not any(one.head.language == language for one in found.values()):
                continue
            drawn, unlinked = _read_links(path, language, side, other, found, params, job)
            for number, sample in drawn.items():
                items = [each.occurrence for each in sample.items]
                table = counts.setdefault((number, other), [Counter() for _ in range(found[number].count)])
                if not items:
                    job.notices.warn(
                        f"{found[number].head.text}: no linked occurrence in {path}, so no translation from links.",
                        "Its translations are the nearest words, if there is a --text of that language.",
                    )
                    continue
                vectors, has = span_vectors(
                    encoder, [one.words for one in items], [(one.start, one.end) for one in items],
                    progress=job.progress,
                )  # fmt: skip
                labels, _ = found[number].choice.choose(vectors)
                for each, label, own in zip(sample.items, labels.tolist(), has.tolist(), strict=True):
                    if own and label >= 0:
                        table[label][each.translation] += 1
                if unlinked[number]:
                    job.notices.say(
                        f"{found[number].head.text}: {unlinked[number]:,} of {unlinked[number] + sample.seen:,} "
                        f"occurrences in {path} have no link."
                    )
    return counts


def _with_links(
    entry: HeadwordEntry, number: int, counts: Mapping[tuple[int, str], list[Counter[str]]], top: int
) -> HeadwordEntry:
    """Return an entry whose translations come from word links, where there are any."""
    senses = list(entry.senses)
    for (head, language), table in counts.items():
        for sense, own in enumerate(table if head == number else ()):
            total = own.total()
            if total:
                words = [WordScore(word, round(often / total, 4)) for word, often in own.most_common(top)]
                known = senses[sense].translations | {language: SenseTranslations("word links", words, total)}
                senses[sense] = replace(senses[sense], translations=known)
    return replace(entry, senses=senses)


# ---------------------------------------------------------------- run


def senses(inputs: dict[str, Any], params: SensesParams, job: Job) -> Outcome:
    """Find the senses of headwords in text, or tag text with known senses."""
    if inputs.get("senses"):
        return _tag_with_known(inputs, params, job)
    from lexenc.word_senses.contexts import average_words

    cuts = {language: segmenter(params.words, language) for language in inputs["text"]}
    heads = _read_headwords(inputs, params, cuts)
    path = inputs.get("model") or inputs["encoder"]
    bank = _bank(path) if inputs.get("model") else None
    encoder, layer = _word_encoder(path, params.layer if bank is None else -1, job)
    texts = _read_texts(inputs, params, heads, cuts, job)
    found: dict[int, _Found] = {}
    for number in _tell_occurrences(heads, texts, job):
        sample = texts[heads[number].language].occurrences[number]
        one = _find(heads[number], sample, encoder, bank, params, job)
        if one is not None:
            found[number] = one
    if not found:
        hint = "Use another encoder." if bank is None else f"The model has senses of: {_few(bank.words)}."
        raise DataError("No headword has a sense.", hint=hint)
    averages = {
        language: average_words(
            encoder,
            text.sentences.items,
            fold=lambda word, language=language: params.folding.fold(word, language),  # type: ignore[misc]
            least=min(_LEAST, text.lines),
            progress=job.progress,
        )
        for language, text in texts.items()
    }
    links = _link_translations(inputs, found, encoder, [*texts], params, job)
    named = _names(found)
    entries, planes = [], dict[int, SensePlane]()
    for place, (number, one) in enumerate(found.items()):
        entry, vectors = _entry(one, named[number], texts, averages, params)
        entries.append(_with_links(entry, number, links, params.top))
        if place < params.drawn:
            planes[place] = _plane(entry, vectors, averages)
    lexicon = SenseLexicon(
        encoder=str(path),
        encoder_sha256=DigestStore.default().of(path),
        layer=layer,
        words=params.words,
        lowercase=params.lowercase,
        languages=[*texts],
        notes=_notes(params, texts, averages, layer, bank),
        headwords=entries,
        learned=bank is not None,
    )
    _write(lexicon, found, planes, job)
    summary: dict[str, Any] = {
        "headwords": len(entries),
        "senses": sum(one.count for one in found.values()),
        "occurrences": sum(one.seen for one in found.values()),
        "sampled": sum(len(one.occurrences) for one in found.values()),
        "lines": sum(text.lines for text in texts.values()),
        "layer": layer,
    }
    if inputs.get("tag"):
        choices = [one.choice for one in found.values()]
        summary |= _tag(inputs["tag"], lexicon, choices, encoder, job)
    return Outcome(summary, _results(entries), [senses_table(entries)])


def _few(words: Sequence[str]) -> str:
    return ", ".join(words[:5]) + (", ..." if len(words) > 5 else "") if words else "no word"


def _names(found: Mapping[int, _Found]) -> dict[int, list[str]]:
    """Return the names of the senses of every headword; with its language where two have the same one.

    Senses are numbered by frequency, those of a model by their place in it.
    """
    from lexenc.word_senses.learned import LearnedSenses

    texts = Counter(one.head.text for one in found.values())
    named = {}
    for number, one in found.items():
        induced = one.choice.induced
        places = induced.rows.tolist() if isinstance(induced, LearnedSenses) else range(one.count)
        language = one.head.language if texts[one.head.text] > 1 else ""
        every = sense_names(one.head.text, max(places) + 1, language=language)
        named[number] = [every[place] for place in places]
    return named


def _notes(
    params: SensesParams,
    texts: Mapping[str, TextSample],
    averages: Mapping[str, WordAverages],
    layer: int,
    bank: SenseBank | None,
) -> dict[str, str]:
    compared = ", ".join(
        f"{language}: {counted(len(averages[language].words), 'word')} that occur at least {min(_LEAST, text.lines)} "
        f"times in {counted(averages[language].total, 'sentence')} of {text.lines:,}"
        for language, text in texts.items()
    )
    own = {} if bank is None else {"senses": _OF_MODEL[bank.context]}
    return own | {
        "share": f"Of the sampled occurrences, at most {params.most_occurrences:,} of each headword.",
        "confidence": "How much nearer an occurrence is to its own sense than to the others, from 0 to 1.",
        "nearest": f"By cosine with the average vectors at layer {layer} of the frequent words of the text "
        f"({compared}). The mean of each language is subtracted, and {params.contrast:g} of that of the headword.",
        "context_words": "By log-likelihood ratio against the other senses of the word, over sentences.",
        "translations": "From word links where there are any, else the nearest words in the other language.",
    }


def _write(lexicon: SenseLexicon, found: Mapping[int, _Found], planes: Mapping[int, SensePlane], job: Job) -> None:
    write_sense_lexicon(job.out, lexicon, [one.choice for one in found.values()])
    write_table(job.out / CONCORDANCE, CONCORDANCE_HEADS, _concordance(lexicon, [*found.values()]))
    write_sense_review(job.out / REVIEW, review_lines(lexicon.headwords))
    drawn = [(lexicon.headwords[place], plane) for place, plane in planes.items()]
    told = [lexicon.notes["nearest"], "Each picture: the principal components of the senses of the word."]
    with writing(job.out / PICTURE) as stream:
        stream.write(picture(drawn, lexicon.languages, told).encode("utf-8", "replace"))
    write_page(job.out, lexicon, planes, drawn=len(planes))


def review_lines(entries: Sequence[HeadwordEntry]) -> Iterator[tuple[str, float, str, str, str]]:
    """Yield what a review shows of each sense: its identifier, share, name, nearest words and examples."""
    for entry in entries:
        for one in entry.senses:
            shown = " | ".join(f"{each.left}«{each.word}»{each.right}" for each in one.examples[:3])
            yield one.sense, one.share, one.name, listed(one.nearest.get(entry.language, [])), shown


def write_page(folder: Path, lexicon: SenseLexicon, planes: Mapping[int, SensePlane], *, drawn: int) -> None:
    """Write the page of a lexicon, on which the shares of the first `drawn` headwords are drawn."""
    origin = f"Senses of {Path(lexicon.encoder).name}, layer {lexicon.layer}"
    text = senses_page(
        lexicon.headwords,
        planes,
        languages=lexicon.languages,
        drawn=drawn,
        origin=origin,
        notes=[f"{name.replace('_', ' ').capitalize()}: {note}" for name, note in lexicon.notes.items()],
    )
    with writing(folder / PAGE) as stream:
        stream.write(text.encode("utf-8", "replace"))


def _concordance(lexicon: SenseLexicon, found: Sequence[_Found]) -> Iterator[list[str]]:
    for entry, one in zip(lexicon.headwords, found, strict=True):
        induced = one.choice.induced
        order = sorted(range(len(one.occurrences)), key=lambda row, own=induced: (own.labels[row], row))  # type: ignore[misc]
        for row in order:
            each = one.occurrences[row]
            sense = entry.senses[int(induced.labels[row])].sense
            left, right, sure = each.left.strip(), each.right.strip(), f"{induced.confidence[row]:.4f}"
            yield [entry.word, sense, sure, left, each.form, right, str(each.line)]


def _results(entries: Sequence[HeadwordEntry]) -> list[dict[str, Any]]:
    return [
        {
            "sense": one.sense,
            "word": entry.word,
            "language": entry.language,
            "occurrences": entry.occurrences,
            "count": one.count,
            "share": one.share,
            "confidence": one.confidence,
            "nearest": {language: [each.word for each in near] for language, near in one.nearest.items()},
            "translations": {language: [each.word for each in own.words] for language, own in one.translations.items()},
        }
        for entry in entries
        for one in entry.senses
    ]


def senses_table(entries: Sequence[HeadwordEntry]) -> Table:
    """Return the senses as a table for a terminal."""
    rows = [
        [one.sense, f"{100 * one.share:.0f}", f"{one.count:,}", f"{one.confidence:.2f}",
         listed(one.nearest.get(entry.language, []), 5),
         "; ".join(listed(each.words, 3) for each in one.translations.values())]
        for entry in entries
        for one in entry.senses
    ]  # fmt: skip
    columns = ["sense", "share %", "count", "confidence", "nearest words", "translations"]
    if not any(row[-1] for row in rows):
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    return Table("Senses", columns, rows, "Shares of the sampled occurrences. senses.html shows examples.")


# ---------------------------------------------------------------- tagging


def _tag_with_known(inputs: Mapping[str, Any], params: SensesParams, job: Job) -> Outcome:
    folder = inputs["senses"]
    lexicon, choices = read_sense_lexicon(folder)
    if params.layer is not None and params.layer != lexicon.layer:
        raise ConfigError(f"{folder} was made at layer {lexicon.layer}, not {params.layer}.", hint="Leave --layer out.")
    path = encoder_of(lexicon, folder, inputs.get("encoder"))
    encoder, _ = _word_encoder(path, lexicon.layer, job)
    if lexicon.learned:
        bank = _bank(path)
        choices = [each.opened(bank) for each in choices]
    return Outcome(_tag(inputs["tag"], lexicon, choices, encoder, job))


def _tag(
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


def _next_step(made: Manifest) -> str:
    """Return the command that reads the review of the senses, unless no senses were looked for."""
    review = f"lexenc read-review {{out}}/{REVIEW} --senses {{out}} --out {{new:reviewed}}"
    return review if "senses" in made.summary else ""


_TEXT = Input(
    "Text of a language with its name, e.g. en=corpus.txt, one sentence per line. Once per language; further ones are "
    "compared with the senses, e.g. for translations.",
    required=False,
    many=True,
    named=True,
)

SENSES_STAGE = Stage(
    name="senses",
    version=1,
    inputs={
        "encoder": Input("Encoder with context. With --senses, only if it has moved.", kind="encoder", required=False),
        "model": Input(
            "Sense-aware model (pretrain --senses), instead of --encoder. Its own senses are used.",
            kind="encoder",
            required=False,
        ),
        "text": _TEXT,
        "headwords": Input("File with one headword per line, besides WORD or instead of it.", required=False),
        "alignments": Input(
            "Word links of parallel text, for translations: a folder of lexenc align, with the languages of its sides, "
            "e.g. en-de=runs/links.",
            required=False,
            many=True,
            named=True,
        ),
        "senses": Input("Senses that were found or reviewed before, to tag another text with.", required=False),
        "tag": Input(
            "Text to tag with the senses. Of another language than the first: de=text.txt.",
            required=False,
            named=True,
        ),
    },
    params=SensesParams,
    run=senses,
    check=check_senses,
    makes="senses.json (senses with shares, nearest words, translations, examples), senses.vec (a vector per sense), "
    "concordance.tsv, review.csv for a spreadsheet (lexenc read-review), senses.html, senses.svg; with --tag tags.tsv, "
    "with --senses only that.",
    examples=(
        "lexenc senses bank spring --encoder ENC --text en=corpus.txt --out runs/senses --page senses.html",
        "lexenc senses bank --encoder ENC --text en=en.txt --text de=de.txt --alignments en-de=runs/links "
        "--count 3 --out runs/senses",
        "lexenc senses --senses runs/senses --tag new.txt --out tags.tsv",
        "lexenc senses bank --model runs/lm --text en=corpus.txt --out runs/senses",
    ),
    next_step=_next_step,
    uses_device=True,
    uses_seed=True,
    files={".tsv": TAGS, ".html": PAGE, ".svg": PICTURE, ".json": SENSES, ".vec": VEC},
    copies={"plot": PICTURE, "page": PAGE},
)
