"""align: sentences and their translations -> which words belong together, with scores."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexenc.artifact import UNFINISHED
from lexenc.errors import DataError
from lexenc.files.dictionaries import read_pairs
from lexenc.files.parallel import parallel_text
from lexenc.files.text import counted
from lexenc.stage import Input, Job, Outcome, Stage
from lexenc.stages.alignment.align_eflomal import align_by_eflomal
from lexenc.stages.alignment.align_params import AlignParams, check_align, resolve_align
from lexenc.stages.alignment.align_statistical import Joining, KnownPairs, number_corpus, sample_corpus, write_joined
from lexenc.stages.alignment.aligned_files import LEXICON, LINKS, AlignmentFiles, WordPairs
from lexenc.stages.alignment.aligners import open_aligner
from lexenc.stages.alignment.alignment_lexicon import Case, Counted, count_links, write_lexicon
from lexenc.stages.alignment.alignment_page import PAGE, grids, write_page

if TYPE_CHECKING:
    from lexenc.alignment.numbered import Bitext
    from lexenc.text.words import Segmenter

# Sentence pairs aligned at a time; work that is stopped goes on behind the last part.
_PART = 1024
# More links a word than a sound alignment has.
_DENSE = 3


def align(inputs: dict[str, Any], params: AlignParams, job: Job) -> Outcome:
    """Align a corpus."""
    parts = _Parts(inputs, params)
    case = Case(params.lowercase, params.source_language, params.target_language)
    if params.method == "statistical":
        summary, counts = _by_counting(parts, inputs, case, params, job)
    else:
        summary = _by_others(parts, inputs, params, job)
        counts = count_links(job, case)
    links = counts.links.total
    summary |= _tell(parts, links, job)
    lexicon = write_lexicon(job, counts, min_count=params.min_count, min_probability=params.min_probability)
    write_page(job.out, params.drawn)
    shutil.rmtree(job.out / UNFINISHED, ignore_errors=True)
    return Outcome(summary | {"links": links, "lexicon_pairs": lexicon})


class _Parts:
    """The sentence pairs of the inputs in parts, cut into words; counts on the way what was read last."""

    def __init__(self, inputs: Mapping[str, Any], params: AlignParams) -> None:
        from lexenc.text.words import segmenter

        path: Path = inputs.get("pairs") or inputs["source"]
        languages = (params.source_language, params.target_language)
        self._text = parallel_text(path, None if inputs.get("pairs") else inputs["target"], languages=languages)
        self._cut: tuple[Segmenter, Segmenter] = (
            segmenter(params.source_words or params.words, params.source_language),
            segmenter(params.target_words or params.words, params.target_language),
        )
        self.name = self._text.name
        self.pairs = self.empty = self.half_empty = self.words = 0

    def __iter__(self) -> Iterator[WordPairs]:
        self.pairs = self.empty = self.half_empty = self.words = 0
        part: list[tuple[list[str], list[str]]] = []
        for _, source, target in self._text:
            words = self._cut[0].segment(source), self._cut[1].segment(target)
            self.pairs += 1
            self.words += max(map(len, words))
            self.empty += not words[0] and not words[1]
            self.half_empty += bool(words[0]) != bool(words[1])
            part.append(words)
            if len(part) == _PART:
                yield part
                part = []
        if part:
            yield part
        if self.pairs == self.empty:
            raise DataError(f"{self.name}: there is no sentence pair in it.", hint="Check the files.")


def _by_counting(
    parts: _Parts, inputs: Mapping[str, Any], case: Case, params: AlignParams, job: Job
) -> tuple[dict[str, Any], Counted]:
    """Learn from the corpus alone."""
    from lexenc.alignment.sampling import usual_sweeps
    from lexenc.alignment.statistical import Sampling, usual_priors

    known = _known(inputs.get("dictionary"), case, params.dictionary_weight)
    bitext, too_long = number_corpus(parts, case, params.max_words, known, job)
    if too_long:
        job.notices.warn(
            f"{counted(too_long, 'sentence pair')} with more than {params.max_words:,} words on a side: no links.",
            "Split long lines; --max-words takes longer ones, whose time grows with the product of both lengths.",
        )
    sampling = Sampling(usual_sweeps(len(bitext), params.model, factor=params.sweeps), job.seed,
                        usual_priors(params.model))  # fmt: skip
    counts = sample_corpus(bitext, sampling, params.chains, job)
    joining = Joining(params.symmetrise or "threshold", params.threshold or 0.0)
    counted_links = write_joined(bitext, counts, sampling.sure, joining, job)
    summary = {"sentence_pairs": len(bitext), "too_long": too_long}
    return summary | _tell_known(bitext, known, job), counted_links


def _known(path: Path | None, case: Case, weight: float) -> KnownPairs | None:
    """Read a dictionary as words are counted."""
    if path is None:
        return None
    pairs = read_pairs(path, languages=case.languages)
    return KnownPairs(pairs.folded(*case.languages) if case.folded else pairs, weight)


def _tell_known(bitext: Bitext, known: KnownPairs | None, job: Job) -> dict[str, Any]:
    """Say how much of a dictionary is in the corpus."""
    if known is None or bitext.known is None:
        return {}
    found = int((bitext.known.pairs > 0).sum())
    if not found:
        job.notices.warn(
            f"{known.pairs.name}: no pair of it stands in a sentence pair.",
            f"Are its columns source and target? Its first pair is {known.pairs.first()}.",
        )
    return {"known_pairs": found}


def _by_others(parts: _Parts, inputs: Mapping[str, Any], params: AlignParams, job: Job) -> dict[str, Any]:
    """Align with another program, or part by part with an encoder or vectors."""
    if params.method == "eflomal":
        return {"sentence_pairs": align_by_eflomal(parts, params.symmetrise or "intersection", job)}
    aligner = open_aligner(inputs, params, job)
    with AlignmentFiles(job.out) as files, job.progress.task("align", None, "sentence pairs") as task:
        if files.pairs:
            job.notices.say(f"align: {counted(files.pairs, 'sentence pair')} are there already.")
        done = 0
        for part in parts:
            if done >= files.pairs:
                files.write(pairs=part, links=aligner.align(part))
            done += len(part)
            task.advance(len(part))
        pairs = files.pairs
    return {"sentence_pairs": pairs} | aligner.finish(job)


def _tell(parts: _Parts, links: int, job: Job) -> dict[str, Any]:
    """Warn of sentences without a translation, and of links that cannot be right."""
    if not links:
        job.notices.warn(
            "No words were linked.", "Too few sentences, the same one again and again, or no translations?"
        )
    if links > _DENSE * parts.words > 0:
        job.notices.warn(
            f"{links / parts.words:.0f} links a word: these are no translations.",
            "An encoder that is not tuned for softmax gives such links; --method itermax takes any.",
        )
    if parts.half_empty:
        job.notices.warn(
            f"{parts.name}: {counted(parts.half_empty, 'sentence')} without words on the other side; no links.",
            "Are both files of the same text, line by line?",
        )
    return {"empty": parts.empty + parts.half_empty} if parts.empty or parts.half_empty else {}


ALIGN = Stage(
    name="align",
    version=1,
    inputs={
        "pairs": Input(
            "Sentence pairs: 'source ||| target', or source, TAB, target; or a TMX or XLIFF file.", required=False
        ),
        "source": Input("Sentences, one to a line, in place of --pairs.", required=False),
        "target": Input("Their translations, line by line.", required=False),
        "dictionary": Input(
            "Translations known beforehand, a dictionary or the lexicon.tsv of another corpus (statistical).",
            required=False,
        ),
        "encoder": Input("Encoder; for span one that finds spans (align-train span).", kind="encoder", required=False),
        "vectors": Input("Shared space (a folder of map or interpolate), in place of an encoder.", required=False),
    },
    params=AlignParams,
    run=align,
    makes="alignments.txt (Pharaoh: i-j from 0), scores.txt and sentences.txt (its words), line by line; lexicon.tsv, "
    "which every command reads as a dictionary; alignments.html to look at.",
    examples=(
        ("lexenc align --pairs corpus.src-tgt --method statistical --out runs/alignments", ""),
        (
            "lexenc align --source a.txt --target b.txt --method itermax --encoder ENC --layer 8 --out runs/alignments "
            "--lexicon lexicon.tsv",
            "",
        ),
        ("cat corpus.tsv | lexenc align --pairs - --words spaces --dictionary words.tsv > links.txt", ""),
    ),
    next_step=(
        "lexenc eval alignment --gold GOLD --pairs {pairs} --predicted {out}",
        "lexenc eval alignment --gold GOLD --source {source} --target {target} --predicted {out}",
    ),
    out_required=False,
    files={".txt": LINKS, ".tsv": LEXICON, ".html": PAGE},
    uses_device=True,
    uses_seed=True,
    resumable=True,
    check=check_align,
    resolve=resolve_align,
    copies={"lexicon": LEXICON, "html": PAGE},
    draw=grids,
)
