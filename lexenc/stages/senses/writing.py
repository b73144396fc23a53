"""What `senses` writes and shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexenc.files.sense_reviews import REVIEW, write_sense_review
from lexenc.files.text import counted, write_table, writing
from lexenc.stage import Job, Table
from lexenc.stages.senses.finding import LEAST, FoundHeadword
from lexenc.stages.senses.lexicon import CONCORDANCE, CONCORDANCE_HEADS, SenseLexicon, write_sense_lexicon
from lexenc.stages.senses.settings import SensesParams
from lexenc.word_senses.description import HeadwordEntry
from lexenc.word_senses.occurrences import TextSample
from lexenc.word_senses.page import SensePlane, listed, picture, senses_page

if TYPE_CHECKING:
    from lexenc.training.sense_aware.bank import SenseBank
    from lexenc.word_senses.contexts import WordAverages

PICTURE, PAGE = "senses.svg", "senses.html"
_OF_MODEL = {
    "own": "Those of the model, chosen by the states of its forward direction at the word.",
    "both": "Those of the model, chosen by the states of both directions at the word.",
    "masked": "Those of the model, chosen by its state at the word, which is not masked here as it mostly was in "
    "training.",
}
_PICTURE_OF_MODEL = (
    "The sense vectors of the model, by which it predicts words: those of the headword, and the nearest ones of other "
    "words by cosine, after the mean of the language is subtracted. The axes are the principal components of the sense "
    "vectors of all frequent words. A word of both languages counts for the one where it is more frequent."
)


def notes_of(
    params: SensesParams,
    texts: Mapping[str, TextSample],
    averages: Mapping[str, WordAverages],
    layer: int,
    bank: SenseBank | None,
) -> dict[str, str]:
    """Return what the numbers of a lexicon mean, by their names."""
    compared = ", ".join(
        f"{language}: {counted(len(averages[language].words), 'word')} that occur at least {min(LEAST, text.lines)} "
        f"times in {counted(averages[language].total, 'sentence')} of {text.lines:,}"
        for language, text in texts.items()
    )
    own = {} if bank is None else {"senses": _OF_MODEL[bank.context], "picture": _PICTURE_OF_MODEL}
    return own | {
        "share": f"Of the sampled occurrences, at most {params.most_occurrences:,} of each headword.",
        "confidence": "Mean probability of the sense that an occurrence has, if senses are spheres of one size, three "
        "times as wide as the clusters.",
        "nearest": f"By cosine with the average vectors at layer {layer} of the frequent words of the text "
        f"({compared}). The mean of each language is subtracted, and {params.contrast:g} of that of the headword.",
        "context_words": "By log-likelihood ratio against the other senses of the word, over sentences.",
        "translations": "From word links where there are any, else the nearest words in the other language.",
    }


def write_senses(
    lexicon: SenseLexicon, found: Mapping[int, FoundHeadword], planes: Mapping[int, SensePlane], job: Job
) -> None:
    """Write the files of a result."""
    write_sense_lexicon(job.out, lexicon, [one.choice for one in found.values()])
    write_table(job.out / CONCORDANCE, CONCORDANCE_HEADS, _concordance(lexicon, [*found.values()]))
    write_sense_review(job.out / REVIEW, review_lines(lexicon.headwords))
    drawn = [(lexicon.headwords[place], plane) for place, plane in planes.items()]
    of_encoder = [lexicon.notes["nearest"], "Each picture: the principal components of the senses of the word."]
    told = [lexicon.notes["picture"]] if "picture" in lexicon.notes else of_encoder
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


def _concordance(lexicon: SenseLexicon, found: Sequence[FoundHeadword]) -> Iterator[list[str]]:
    for entry, one in zip(lexicon.headwords, found, strict=True):
        induced = one.choice.induced
        order = sorted(range(len(one.occurrences)), key=lambda row, own=induced: (own.labels[row], row))  # type: ignore[misc]
        for row in order:
            each = one.occurrences[row]
            sense = entry.senses[int(induced.labels[row])].sense
            left, right, sure = each.left.strip(), each.right.strip(), f"{induced.confidence[row]:.4f}"
            yield [entry.word, sense, sure, left, each.form, right, str(each.line)]


def sense_rows(entries: Sequence[HeadwordEntry]) -> list[dict[str, Any]]:
    """Return the senses as rows of JSON."""
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
