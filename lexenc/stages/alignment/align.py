"""align: sentences and their translations -> links between their words, with scores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from lexenc.alignment import ALIGNERS, Model, Symmetrisation
from lexenc.alignment.aligners import Aligner, AlignerKind, AlignerSetup, CorpusAligner
from lexenc.alignment.counting import LinkCounts, WordNumbers
from lexenc.alignment.grids import first_grids, html_page, text_grid
from lexenc.artifact import UNFINISHED, Manifest
from lexenc.durable import share
from lexenc.errors import ConfigError, DataError
from lexenc.files.alignments import NAME, SCORES, SENTENCES
from lexenc.files.dictionaries import LEXICON, LEXICON_HEAD
from lexenc.files.lexicons import writable
from lexenc.files.parallel import parallel_text, write_parallel
from lexenc.files.text import counted, write_lines, writing
from lexenc.parameters import as_dict, param
from lexenc.stage import Input, Job, Outcome, Stage, Table
from lexenc.stages.alignment.shared import AlignedWords, LinkFiles, cutters, read_aligned
from lexenc.stages.reading import language_param
from lexenc.stages.unfinished import once
from lexenc.text.folding import Folding
from lexenc.text.words import Segmentation, split_at_spaces

PAGE = "alignments.html"
# Sentence pairs that are aligned together. Work that is stopped continues after the last part.
_PART = 1024
# A sound alignment has fewer links per word.
_DENSE = 3


_VECTORS, _CORPUS, _LEXICON = "Encoders and vectors", "Statistical aligner", "Lexicon and page"


@dataclass(frozen=True)
class AlignParams:
    """Parameters of `align`."""

    method: str | None = param(
        None,
        "argmax: words that are most similar to each other. itermax: the same, repeated among the words that are left. "
        "match: the best one-to-one matching. softmax: words that are probable in both directions. span: the predicted "
        "span in the other sentence. statistical: learnt from the corpus alone. eflomal: the program of that name, if "
        "installed. If left out, itermax with --encoder or --vectors, else statistical.",
        choices=ALIGNERS,
    )
    words: Segmentation | None = param(
        None,
        "What is linked. words: Unicode words and punctuation. spaces: the text between spaces. characters: for "
        "languages without spaces. spacy: tokens of spaCy, if installed. If left out, spaces for 'source ||| target' "
        "and for text that is tokenised already, else words.",
    )
    source_words: Segmentation | None = param(None, "As --words, for the source alone.")
    target_words: Segmentation | None = param(None, "As --words, for the target alone.")
    threshold: float | None = param(
        None,
        "Smallest score of a link. If left out, 0.45 for statistical, 0.4 for span, 0.001 for softmax, else 0. A "
        "statistical link of one direction alone scores up to 0.5; close languages do better without such links.",
        ge=0,
        le=1,
    )
    symmetrise: Symmetrisation | None = param(
        None,
        "How the directions of statistical and eflomal are combined. threshold: by their mean probability. All others "
        "combine the most probable links of each. If left out, threshold, for eflomal intersection.",
    )
    lowercase: bool = param(True, "Ignore case in counts, vectors and the lexicon. Words are written as they are.")
    source_language: str | None = language_param("source")
    target_language: str | None = language_param("target")
    layer: int | None = param(
        None,
        "Layer of the encoder that vectors are taken from; negative from the end. If left out, 8, or the last.",
        group=_VECTORS,
    )
    unit: Literal["words", "subwords"] = param(
        "subwords",
        "What is compared. words: means of their subwords. subwords: a word is linked if any subword is.",
        group=_VECTORS,
    )
    distortion: float = param(
        0.0,
        "Share of the similarity that the most distant positions lose (argmax, itermax).",
        ge=0,
        le=1,
        group=_VECTORS,
    )
    model: Model = param(
        "fertility",
        "fertility: an HMM with fertilities. diagonal: IBM model 2 by the distance from the diagonal, faster.",
        group=_CORPUS,
    )
    chains: int = param(3, "Sampling chains of each direction that are averaged.", ge=1, group=_CORPUS)
    sweeps: float = param(1.0, "Multiplies the usual number of sweeps of each chain.", gt=0, group=_CORPUS)
    dictionary_weight: float = param(
        10.0,
        "Links that a pair of --dictionary counts as, times its probability if the file is a lexicon.",
        gt=0,
        group=_CORPUS,
    )
    max_words: int = param(200, "Sentence pairs with a longer side get no links.", ge=1, group=_CORPUS)
    min_count: int = param(2, "Minimum number of links of a pair in the lexicon.", ge=1, group=_LEXICON)
    min_probability: float = param(
        0.05, "Minimum share of the links of its source word that a pair has.", ge=0, le=1, group=_LEXICON
    )
    drawn: int = param(50, "Number of sentence pairs in alignments.html.", ge=0, group=_LEXICON)


# Options that only some methods have; `AlignerKind.options` lists them.
_SPECIFIC = ("layer", "unit", "distortion", "symmetrise", "model", "chains", "sweeps", "dictionary_weight", "max_words")


def resolve_align(inputs: Mapping[str, Any], params: AlignParams) -> AlignParams:
    """Fill in what depends on the inputs and on the method."""
    method = params.method or ("itermax" if inputs.get("encoder") or inputs.get("vectors") else "statistical")
    kind: AlignerKind = ALIGNERS[method]
    return replace(
        params,
        method=method,
        threshold=kind.threshold if params.threshold is None else params.threshold,
        symmetrise=params.symmetrise or kind.symmetrise,
        source_words=params.source_words or params.words,
        target_words=params.target_words or params.words,
    )


def check_align(inputs: Mapping[str, Any], params: AlignParams) -> list[ConfigError]:
    """Return the errors that involve more than one option."""
    resolved = resolve_align(inputs, params)
    kind: AlignerKind = ALIGNERS[str(resolved.method)]
    given = {name for name, path in inputs.items() if path}
    faults = [ConfigError(message, hint=hint) for message, hint in (
        *_faults_of_text(given), *_faults_of_inputs(str(resolved.method), kind, given)
    )]  # fmt: skip
    usual = AlignParams()
    for name in _SPECIFIC:
        if name not in kind.options and getattr(params, name) != getattr(usual, name):
            users = ", ".join(method for method in ALIGNERS if name in ALIGNERS[method].options)
            message = f"--{name.replace('_', '-')} has no effect with --method {resolved.method}."
            faults.append(ConfigError(message, hint=f"It is for {users}."))
    if "vectors" in given and params.layer is not None:
        faults.append(ConfigError("--layer has no effect with --vectors.", hint="It is for --encoder."))
    if "symmetrise" in kind.options and resolved.symmetrise != "threshold" and params.threshold is not None:
        message = f"--threshold has no effect with --symmetrise {resolved.symmetrise}."
        faults.append(ConfigError(message, hint="It is for --symmetrise threshold."))
    try:
        kind.check()
    except ConfigError as fault:
        faults.append(fault)
    return faults


def _faults_of_text(given: set[str]) -> Iterator[tuple[str, str]]:
    sides = [name for name in ("source", "target") if name in given]
    if "pairs" in given and sides:
        yield "--pairs already has both sides.", "Leave --source and --target out."
    elif "pairs" not in given and not sides:
        yield "align needs --pairs, or --source and --target.", "Give one file of both sides, or two files."
    elif len(sides) == 1:
        missing = "target" if sides == ["source"] else "source"
        yield f"align needs --{missing} too.", "Or give one file of both sides as --pairs."


def _faults_of_inputs(method: str, kind: AlignerKind, given: set[str]) -> Iterator[tuple[str, str]]:
    if kind.needs and not given & set(kind.needs):
        needed = " or ".join(f"--{name}" for name in kind.needs)
        yield f"--method {method} needs {needed}.", "Without an encoder or vectors: --method statistical."
    for name in ("encoder", "vectors", "dictionary"):
        if name in given and name not in (*kind.needs, *kind.takes):
            users = (each for each in ALIGNERS if name in (*ALIGNERS[each].needs, *ALIGNERS[each].takes))
            yield f"--method {method} takes no --{name}.", f"Leave it out. It is for {', '.join(users)}."
    if {"encoder", "vectors"} <= given:
        yield "--encoder and --vectors exclude each other.", "Give one of them."


def align(inputs: dict[str, Any], params: AlignParams, job: Job) -> Outcome:
    """Align the words of parallel sentences."""
    work = job.out / UNFINISHED
    work.mkdir(exist_ok=True)
    text = once(work / "read.json", job, lambda: _read_words(inputs, params, work, job))
    folding = Folding(params.lowercase, "nfc")
    folds = [partial(folding.fold, language=code) for code in (params.source_language, params.target_language)]
    numbers = WordNumbers(folds[0]), WordNumbers(folds[1])
    kind: AlignerKind = ALIGNERS[str(params.method)]
    setup = AlignerSetup(
        method=str(params.method),
        inputs={name: path for name, path in inputs.items() if path},
        options=as_dict(params),
        numbers=numbers,
        folder=work,
        seed=job.seed,
        device=lambda: job.device,
        progress=job.progress,
        say=lambda message: job.notices.say(f"align: {message}"),
    )
    lexicon = LinkCounts(*numbers)
    counts = _write_links(kind.open(setup), lexicon, text["pairs"], work, job)
    for message, hint in kind.warnings(counts, setup):
        job.notices.warn(message, hint)
    links, empty = lexicon.total, text["empty"] + text["half_empty"]
    _warn(text, links, job)
    summary = {"sentence_pairs": text["pairs"]} | {name: counts[name] for name in kind.counts if name in counts}
    # Whether the words are those between spaces, of which gold links are.
    summary |= {"newly_cut": text["newly_cut"]} | ({"empty": empty} if empty else {})
    pairs = lexicon.lexicon(min_count=params.min_count, min_probability=params.min_probability)
    rows = [
        f"{source}\t{target}\t{share:.4f}\t{backward:.4f}\t{count}"
        for source, target, share, backward, count in pairs
        if writable(source) and writable(target)
    ]
    write_lines(job.out / LEXICON, ["\t".join((*LEXICON_HEAD, "backward_probability", "links")), *rows])
    with writing(job.out / PAGE) as stream:
        stream.write(html_page(first_grids(read_aligned(work), params.drawn)).encode("utf-8", "replace"))
    for name in (SENTENCES, NAME, SCORES):
        share(work / name, job.out / name)
    return Outcome(summary | {"links": links, "lexicon_pairs": len(rows)})


def _read_words(
    inputs: Mapping[str, Any], params: AlignParams, folder: Path, job: Job
) -> tuple[dict[str, Any], list[Path]]:
    """Write the words of all sentence pairs; return counts of them, and the file."""
    languages = (params.source_language, params.target_language)
    other = None if inputs.get("pairs") else inputs["target"]
    text = parallel_text(inputs.get("pairs") or inputs["source"], other, languages=languages)
    cut = cutters(text, job, (params.source_words, params.target_words), languages)
    counts = dict.fromkeys(("pairs", "empty", "half_empty", "words", "newly_cut"), 0)

    def sentences() -> Iterator[tuple[str, str]]:
        with job.progress.task("read", None, "sentence pairs") as task:
            for _, source, target in text:
                words = cut[0](source), cut[1](target)
                counts["pairs"] += 1
                counts["words"] += max(map(len, words))
                counts["empty"] += not any(words)
                counts["half_empty"] += bool(words[0]) != bool(words[1])
                counts["newly_cut"] += words != (split_at_spaces(source), split_at_spaces(target))
                task.advance(1)
                yield " ".join(words[0]), " ".join(words[1])

    write_parallel(folder / SENTENCES, sentences())
    if counts["pairs"] == counts["empty"]:
        raise DataError(f"{text.name}: there is no sentence pair in it.", hint="Check the files.")
    return {"name": text.name, "remarks": text.remarks} | counts, [folder / SENTENCES]


def _write_links(
    aligner: Aligner | CorpusAligner, lexicon: LinkCounts, pairs: int, folder: Path, job: Job
) -> Mapping[str, int]:
    """Align all sentence pairs, write and count their links; return the counts of the aligner."""
    corpus = AlignedWords(folder)
    words = iter(corpus)
    with LinkFiles(folder, pairs) as files:
        if files.pairs:
            job.notices.say(f"align: {counted(files.pairs, 'sentence pair')} are finished already.")
        before, written = Counter(files.counts), files.written(_PART)
        if isinstance(aligner, CorpusAligner):
            parts = aligner.align_corpus(corpus, start=files.pairs)
        else:
            rest = islice(corpus, files.pairs, None)
            parts = map(aligner.align, iter(lambda: list(islice(rest, _PART)), []))

        def counts() -> Mapping[str, int]:
            return aligner.counts if isinstance(aligner, CorpusAligner) else before + Counter(aligner.counts)

        with job.progress.task("align", pairs, "sentence pairs") as task:
            for done in written:
                lexicon.add(islice(words, len(done)), done)
                task.advance(len(done))
            for links in parts:
                found = list(links.sentences())
                files.write(found, counts())
                lexicon.add(islice(words, len(found)), found)
                task.advance(len(found))
        return counts()


def _warn(text: Mapping[str, Any], links: int, job: Job) -> None:
    """Warn of what was not read, of sentences without a translation, and of links that cannot be right."""
    for message, hint in text["remarks"]:
        job.notices.warn(message, hint)
    if not links:
        hint = "Are there only a few sentences, the same one repeated, or no translations?"
        job.notices.warn("No words were linked.", hint)
    if links > _DENSE * text["words"] > 0:
        job.notices.warn(
            f"{links / text['words']:.0f} links per word: these are no translations.",
            "An encoder that is not fine-tuned for softmax gives such links. --method itermax works with any.",
        )
    if text["half_empty"]:
        job.notices.warn(
            f"{text['name']}: {counted(text['half_empty'], 'sentence')} without words on the other side; no links.",
            "Are both files of the same text, line by line?",
        )


def grids(folder: Path, count: int) -> list[Table]:
    """Return the first sentence pairs as tables: a row per source word, a column per target word."""
    return [Table(*text_grid(grid)) for grid in first_grids(read_aligned(folder), count)]


def _next_step(made: Manifest) -> str:
    """Return the command that scores the links, unless the words are not those that gold links are of."""
    if made.summary.get("newly_cut"):
        return "lexenc map --source VECTORS --target OTHER-VECTORS --dictionary {out}/lexicon.tsv --out {new:mapped}"
    return "lexenc eval alignment --gold GOLD --predicted {out}"


ALIGN = Stage(
    name="align",
    version=3,
    inputs={
        "pairs": Input(
            "Sentence pairs: 'source ||| target', or source, TAB, target; or a TMX or XLIFF file.", required=False
        ),
        "source": Input("Sentences, one per line, instead of --pairs.", required=False),
        "target": Input("Their translations, line by line.", required=False),
        "dictionary": Input(
            "Known translations: a dictionary, or the lexicon.tsv of another corpus (statistical).", required=False
        ),
        "encoder": Input(
            "Encoder. For span, a model that predicts spans (align-train span).", kind="encoder", required=False
        ),
        "vectors": Input("Shared space (folder of map or interpolate), instead of an encoder.", required=False),
    },
    params=AlignParams,
    run=align,
    makes="alignments.txt (Pharaoh: i-j from 0), scores.txt and sentences.txt (its words), line by line; lexicon.tsv, "
    "which every command reads as a dictionary; alignments.html to look at.",
    examples=(
        "lexenc align --pairs corpus.src-tgt --method statistical --out runs/alignments",
        "lexenc align --source a.txt --target b.txt --method itermax --encoder ENC --layer 8 --out runs/alignments "
        "--lexicon lexicon.tsv",
        "cat corpus.tsv | lexenc align --pairs - --dictionary words.tsv > links.txt",
    ),
    next_step=_next_step,
    out_required=False,
    files={".txt": NAME, ".tsv": LEXICON, ".html": PAGE},
    uses_device=True,
    uses_seed=True,
    resumable=True,
    check=check_align,
    resolve=resolve_align,
    copies={"lexicon": LEXICON, "html": PAGE},
    draw=grids,
)
