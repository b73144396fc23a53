"""senses: words + text + encoder -> the senses of the words, and tagged text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lexenc.artifact import UNFINISHED, DigestStore, Manifest
from lexenc.errors import DataError
from lexenc.files.sense_reviews import REVIEW
from lexenc.stage import Input, Job, Outcome, Stage
from lexenc.stages.senses.finding import (
    FoundHeadword,
    averages_of,
    described,
    find_senses,
    names_of,
    plane_of,
    planes_of_model,
)
from lexenc.stages.senses.lexicon import SENSES, VEC, SenseLexicon
from lexenc.stages.senses.reading import occurring, open_bank, open_word_encoder, read_headwords, read_texts
from lexenc.stages.senses.settings import TEXT, SensesParams, check_senses
from lexenc.stages.senses.tagging import TAGS, tag_text, tag_with_known
from lexenc.stages.senses.translations import link_translations, with_links
from lexenc.stages.senses.writing import PAGE, PICTURE, notes_of, sense_rows, senses_table, write_senses
from lexenc.text.words import segmenter
from lexenc.word_senses.page import SensePlane

if TYPE_CHECKING:
    from lexenc.encoders.base import WordEncoder
    from lexenc.training.sense_aware.bank import SenseBank
    from lexenc.word_senses.occurrences import Headword, TextSample


def senses(inputs: dict[str, Any], params: SensesParams, job: Job) -> Outcome:
    """Find the senses of headwords in text, or tag text with known senses."""
    if inputs.get("senses"):
        return tag_with_known(inputs, params, job)
    cuts = {language: segmenter(params.words, language) for language in inputs["text"]}
    heads = read_headwords(inputs, params, cuts)
    path = inputs.get("model") or inputs["encoder"]
    bank = open_bank(path) if inputs.get("model") else None
    encoder, layer = open_word_encoder(path, params.layer if bank is None else -1, job)
    texts = read_texts(inputs, params, heads, cuts, job)
    (job.out / UNFINISHED).mkdir(exist_ok=True)
    found = _found(heads, texts, encoder, bank, params, job)
    averages = averages_of(texts, encoder, params, job)
    links = link_translations(inputs, found, encoder, [*texts], params, job)
    named = names_of(found)
    entries, planes = [], dict[int, SensePlane]()
    for place, (number, one) in enumerate(found.items()):
        entry, vectors = described(one, named[number], texts, averages, params)
        entries.append(with_links(entry, number, links, params.top))
        if place < params.drawn and bank is None:
            planes[place] = plane_of(entry, vectors, averages)
    drawn = entries[: params.drawn]
    if bank is not None and drawn:
        planes = dict(enumerate(planes_of_model(bank, found.values(), drawn, averages, params)))
    lexicon = SenseLexicon(
        encoder=str(path),
        encoder_sha256=DigestStore.default().of(path),
        layer=layer,
        words=params.words,
        lowercase=params.lowercase,
        languages=[*texts],
        notes=notes_of(params, texts, averages, layer, bank),
        headwords=entries,
        learned=bank is not None,
    )
    write_senses(lexicon, found, planes, job)
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
        summary |= tag_text(inputs["tag"], lexicon, choices, encoder, job)
    return Outcome(summary, sense_rows(entries), [senses_table(entries)])


def _found(
    heads: Mapping[int, Headword],
    texts: Mapping[str, TextSample],
    encoder: WordEncoder,
    bank: SenseBank | None,
    params: SensesParams,
    job: Job,
) -> dict[int, FoundHeadword]:
    """Return the headwords that have senses, by number.

    Raises:
        DataError: If none has.
    """
    found: dict[int, FoundHeadword] = {}
    for number in occurring(heads, texts, job):
        sample = texts[heads[number].language].occurrences[number]
        one = find_senses(number, heads[number], sample, encoder, bank, params, job)
        if one is not None:
            found[number] = one
    if not found:
        hint = "Use another encoder." if bank is None else f"The model has senses of: {_few(bank.words)}."
        raise DataError("No headword has a sense.", hint=hint)
    return found


def _few(words: Sequence[str]) -> str:
    return ", ".join(words[:5]) + (", ..." if len(words) > 5 else "") if words else "no word"


def _next_step(made: Manifest) -> str:
    """Return the command that reads the review of the senses, unless no senses were looked for."""
    review = f"lexenc read-review {{out}}/{REVIEW} --senses {{out}} --out {{new:reviewed}}"
    return review if "senses" in made.summary else ""


SENSES_STAGE = Stage(
    name="senses",
    version=3,
    inputs={
        "encoder": Input("Encoder with context. With --senses, only if it has moved.", kind="encoder", required=False),
        "model": Input(
            "Sense-aware model (pretrain --senses), instead of --encoder. Its own senses are used.",
            kind="encoder",
            required=False,
        ),
        "text": TEXT,
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
    resumable=True,
    files={".tsv": TAGS, ".html": PAGE, ".svg": PICTURE, ".json": SENSES, ".vec": VEC},
    copies={"plot": PICTURE, "page": PAGE},
)
