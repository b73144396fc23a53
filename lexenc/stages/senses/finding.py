"""The senses of a headword, found in the vectors of its occurrences, and what is said of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lexenc.arrays import Floats
from lexenc.artifact import UNFINISHED
from lexenc.correlation import unit_rows
from lexenc.durable import flush_tree
from lexenc.evaluation.projection import leading_plane, principal_plane
from lexenc.files.tensors import read_tensors, write_tensors
from lexenc.files.text import counted
from lexenc.stage import Job
from lexenc.stages.senses.lexicon import Clusters, SenseChoice, fields_of
from lexenc.stages.senses.settings import SensesParams
from lexenc.stages.unfinished import once
from lexenc.word_senses.description import (
    HeadwordEntry,
    SenseEntry,
    SenseTranslations,
    good_examples,
    nearest_words,
    sense_names,
    typical_words,
)
from lexenc.word_senses.occurrences import Headword, Occurrence, Reservoir, TextSample
from lexenc.word_senses.page import SensePlane

if TYPE_CHECKING:
    from lexenc.encoders.base import WordEncoder
    from lexenc.training.sense_aware.bank import SenseBank
    from lexenc.word_senses.contexts import WordAverages
    from lexenc.word_senses.induction import InducedSenses

LEAST = 5  # occurrences of a word among the sampled sentences, from which on its average is compared with senses
_SPOKES = 6  # words that are drawn for each sense and language


@dataclass(frozen=True)
class FoundHeadword:
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


def find_senses(
    number: int,
    head: Headword,
    sample: Reservoir[Occurrence],
    encoder: WordEncoder,
    bank: SenseBank | None,
    params: SensesParams,
    job: Job,
) -> FoundHeadword | None:
    """Find the senses of a headword, unless interrupted work has found them; None, with a warning, if there are none.

    They are clusters of its occurrences, or those of a model.
    """
    from lexenc.word_senses.induction import InducedSenses
    from lexenc.word_senses.learned import LearnedSenses

    items = sorted(sample.items, key=lambda one: (one.line, one.left))
    path = job.out / UNFINISHED / f"word-{number}.safetensors"

    def work() -> tuple[dict[str, Any], list[Path]]:
        rows, induced = _senses_of(head, items, encoder, bank, params, job)
        if induced is None:
            return {"rows": []}, []
        write_tensors(path, *fields_of(induced, ["bank"]))
        flush_tree(path.parent)
        return {"rows": rows}, [path]

    rows = once(path.with_suffix(".json"), job, work)["rows"]
    if not rows:
        return None
    arrays, values = read_tensors(path)
    known: dict[str, Any] = {**arrays, **values}
    induced = InducedSenses(**known) if bank is None else LearnedSenses(**known, bank=bank)
    return FoundHeadword(head, [items[row] for row in rows], sample.seen, SenseChoice.of(induced))


def _senses_of(
    head: Headword,
    items: Sequence[Occurrence],
    encoder: WordEncoder,
    bank: SenseBank | None,
    params: SensesParams,
    job: Job,
) -> tuple[list[int], Clusters | None]:
    """Return the senses of a headword, and the rows of the occurrences that have a vector."""
    from lexenc.word_senses.background import Background
    from lexenc.word_senses.contexts import span_vectors
    from lexenc.word_senses.learned import LearnedSenses, known_as

    word = None if bank is None else known_as(bank, head.text)
    if bank is not None and word is None:
        job.notices.warn(
            f"{head.text}: the model has no senses of it, left out.",
            "Give --encoder instead of --model to find them by clusters. pretrain gives no senses to the words of "
            "--skip-top, nor to those below --sense-min-count.",
        )
        return [], None
    background = Background(encoder)
    vectors, has = span_vectors(
        background, [one.words for one in items], [(one.start, one.end) for one in items], progress=job.progress
    )
    if not has.all():
        lost = counted(int((~has).sum()), "occurrence")
        job.notices.warn(f"{head.text}: {lost} without a vector left out.", "The tokenizer makes nothing of them.")
    if not has.any():
        return [], None
    rows = np.flatnonzero(has).tolist()
    if bank is not None and word is not None:
        return rows, LearnedSenses.of(vectors[has], word, bank)
    whitening = background.whitening({word for one in items for word in one.words[one.start : one.end]})
    return rows, _clusters(head, vectors[has], whitening, params, job)


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


def averages_of(
    texts: Mapping[str, TextSample], encoder: WordEncoder, params: SensesParams, job: Job
) -> dict[str, WordAverages]:
    """Return the average vectors of the frequent words of every text, unless interrupted work has, by language."""
    from lexenc.word_senses.contexts import WordAverages, average_words

    found = {}
    for number, (language, text) in enumerate(texts.items()):
        path = job.out / UNFINISHED / f"text-{number}.safetensors"

        def work(
            language: str = language, text: TextSample = text, path: Path = path
        ) -> tuple[dict[str, Any], list[Path]]:
            made = average_words(
                encoder,
                text.sentences.items,
                fold=lambda word: params.folding.fold(word, language),
                least=min(LEAST, text.lines),
                progress=job.progress,
            )
            write_tensors(path, {"matrix": made.matrix})
            flush_tree(path.parent)
            return {"words": made.words, "sentences": dict(made.sentences), "total": made.total}, [path]

        made = once(path.with_suffix(".json"), job, work)
        matrix = read_tensors(path)[0]["matrix"]
        found[language] = WordAverages(made["words"], matrix, Counter(made["sentences"]), made["total"])
    return found


def described(
    found: FoundHeadword,
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


def plane_of(entry: HeadwordEntry, vectors: Floats, averages: Mapping[str, WordAverages]) -> SensePlane:
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


def planes_of_model(
    bank: SenseBank,
    found: Iterable[FoundHeadword],
    entries: Iterable[HeadwordEntry],
    averages: Mapping[str, WordAverages],
    params: SensesParams,
) -> list[SensePlane]:
    """Place the sense vectors of headwords, and those nearest to each, on the plane of all of the frequent words."""
    from lexenc.word_senses.learned import SenseVectors

    induced: list[Any] = [one.choice.induced for one in found]
    space = SenseVectors.of(bank, averages, {one.word for one in induced}, params.folding.fold)
    numbers = {sense: row for row, sense in enumerate(space.senses)}
    places, explained = principal_plane(space.vectors)
    planes = []
    for entry, one in zip(entries, induced, strict=False):  # not all headwords are drawn
        own = [numbers[one.word, place] for place in one.rows.tolist()]
        nearest = {language: space.neighbours(own, language, _SPOKES) for language in entry.senses[0].nearest}
        words: dict[int, int] = {}
        spokes = [
            (sense, words.setdefault(near[sense][rank], len(words)))
            for rank in range(_SPOKES)
            for sense in range(len(own))
            for near in nearest.values()
            if rank < len(near[sense])
        ]
        shown = [(space.languages[row], space.names[row]) for row in words]
        basis = "the sense vectors of all frequent words"
        planes.append(SensePlane(places[own], shown, places[[*words]], spokes, explained, basis))
    return planes


def names_of(found: Mapping[int, FoundHeadword]) -> dict[int, list[str]]:
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
