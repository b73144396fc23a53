"""eval alignment: word links against gold links, with intervals, beside controls, and by kind of link."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lexenc.artifact import maker_of
from lexenc.errors import ConfigError, DataError
from lexenc.evaluation import TASKS
from lexenc.evaluation.alignment import (
    COUNTS,
    DISTANCES,
    FREQUENCIES,
    MEASURE,
    Judged,
    counts_of,
    diagonal_links,
    distance_bands,
    frequency_bands,
    judge,
    random_links,
)
from lexenc.files.alignments import result_of, sentences_file
from lexenc.files.evaluations import CONTROL, ITEMS, SCORES, UNFAIR, Convention, Item, ScoredSystem, writing_evaluation
from lexenc.files.link_sets import LinkFile, Sentences, check_range, read_gold_and_predicted, read_sentences
from lexenc.files.parallel import parallel_text
from lexenc.files.text import counted
from lexenc.parameters import param
from lexenc.randomness import generator
from lexenc.stage import Input, Job, Outcome, Stage, Table
from lexenc.stages.evaluation.shared import IntervalParams, score_table, warn_of_scores
from lexenc.stages.lineage import SeenSentences, seen_sentences, unfair_note

_BASE = (
    "Whether words are counted from 1 in {}. If left out they are counted from 0, and refused where the two files do "
    "not look alike."
)


@dataclass(frozen=True)
class EvalAlignmentParams(IntervalParams):
    """Parameters of `eval alignment`."""

    gold_one_based: bool | None = param(None, _BASE.format("the gold file"))
    system_one_based: bool | None = param(None, _BASE.format("the links that are scored"))


def check_eval_alignment(inputs: Mapping[str, Any], params: EvalAlignmentParams) -> list[ConfigError]:
    """Return the errors that involve more than one option."""
    pairs, source, target = (bool(inputs.get(name)) for name in ("pairs", "source", "target"))
    table = [
        (
            source != target,
            f"--{'source' if source else 'target'} needs --{'target' if source else 'source'}.",
            "Give both files of sentences, or one of both as --pairs.",
        ),
        (pairs and (source or target), "--pairs stands for --source and --target.", "Leave out one or the other."),
    ]
    return [ConfigError(message, hint=hint) for wrong, message, hint in table if wrong]


def eval_alignment(inputs: dict[str, Any], params: EvalAlignmentParams, job: Job) -> Outcome:
    """Score the links, and if the sentences are known the controls and every kind of link."""
    gold, predicted = read_gold_and_predicted(
        inputs["gold"], inputs["predicted"], params.gold_one_based, params.system_one_based
    )
    given = {name: inputs.get(name) for name in ("pairs", "source", "target")}
    if not any(given.values()):
        _check_words(inputs["predicted"])
    sentences = read_sentences(inputs["predicted"], **given)
    if sentences is not None:
        check_range(gold, sentences)
        check_range(predicted, sentences)
    _tell(gold, predicted, sentences, job)
    seen = _seen(inputs["predicted"], inputs["gold"], given, job)
    judged = judge(predicted.sure, gold.sure, gold.possible, gold.lines)
    counted_links = dict(_counted_links(judged, gold, sentences, job))
    with writing_evaluation(job.out, "alignment") as writer:
        writer.systems = _scored(counted_links, gold, predicted, seen, params, job)
        writer.write(_items(judged, counts_of(judged)))
    warn_of_scores(TASKS["alignment"], writer.systems, job)
    results = [each.flat() for each in writer.systems]
    summary = {key: results[0][key] for key in ("sentences", "aer", "precision", "recall", "f1")}
    return Outcome(summary, results, _tables(writer.systems, params.level))


def _check_words(predicted: Path) -> None:
    """Refuse a result of words that align cut itself, because gold links are of the words of their own sentences."""
    maker = maker_of(result_of(predicted))
    recut = maker.summary.get("newly_cut", 0) if maker else 0
    if recut:
        raise DataError(
            f"{predicted}: {counted(recut, 'sentence pair')} of other words than those between the spaces of the text, "
            "so the gold links may be of other words.",
            hint="Give the sentences of the gold links, words between spaces, as --pairs. They are compared.",
        )


def _seen(predicted: Path, gold: Path, given: Mapping[str, Path | None], job: Job) -> SeenSentences:
    """Warn of gold links that the aligner was trained on, and report sentences that it was trained on without them."""
    first = given["source"] or given["pairs"] or sentences_file(predicted)
    text = () if first is None else parallel_text(first, given["target"] if given["source"] else None)
    seen = seen_sentences(predicted, gold, ((source, target) for _, source, target in text))
    for reason in seen.unfair:
        job.notices.warn(f"{reason[:-1]}: the scores are too high.", "Test on sentences with links of another origin.")
    for gap in seen.gaps[:1]:
        job.notices.warn(f"Whether sentences were used for training cannot be checked: {gap}.", None)
    for name, count in seen.trained.items():
        job.notices.say(f"The aligner was trained on {counted(count, 'test sentence pair')} without links ({name}).")
    return seen


def _tell(gold: LinkFile, predicted: LinkFile, sentences: Sentences | None, job: Job) -> None:
    """Warn of what limits the meaning of the scores."""
    if predicted.empty:
        job.notices.warn(f"{predicted.path} holds no links.", "There is no precision then.")
    elif sentences is not None and gold.counting is None and predicted.counting is None:
        job.notices.warn(
            "Neither file holds an index 0; both are read as counting words from 0.",
            "If they count from 1, add --gold-one-based and --system-one-based: the scores stay, the bands do not.",
        )
    if not len(gold.sure):
        job.notices.warn(f"{gold.path} holds no sure links.", "There is no recall then.")


# ---------------------------------------------------------------- what is counted

_Label = tuple[tuple[str, str], ...]


def _counted_links(
    judged: Judged, gold: LinkFile, sentences: Sentences | None, job: Job
) -> Iterator[tuple[_Label, np.ndarray]]:
    """Count the links of the system, of the controls, and by band."""
    own = counts_of(judged)
    yield (), own
    if sentences is None:
        return
    lengths = sentences.source_lengths, sentences.target_lengths
    for name, links in (
        ("diagonal", diagonal_links(*lengths)),
        ("as many links at random", random_links(own[:, 0], *lengths, generator(job.seed, "random links"))),
    ):
        yield ((CONTROL, name),), counts_of(judge(links, gold.sure, gold.possible, gold.lines))
    for by, names, bands in (
        ("frequency", FREQUENCIES, frequency_bands(sentences.frequencies(judged.rows))),
        ("distance", DISTANCES, distance_bands(judged.rows, *lengths)),
    ):
        for place, name in enumerate(names):
            yield (("by", by), ("band", name)), counts_of(judged, bands == place)


def _items(judged: Judged, counts: np.ndarray) -> Iterator[Item]:
    """Yield every sentence pair with its gold links, as a gold file has them, and the links of the system."""
    starts = np.searchsorted(judged.rows[:, 0], np.arange(judged.sentences + 1)).tolist()
    for number, row in enumerate(counts.tolist()):
        part = slice(starts[number], starts[number + 1])
        gold, answers = [], []
        for (_, source, target), own, sure, possible in zip(
            *(column[part].tolist() for column in judged[:4]), strict=True
        ):
            gold += [f"{source}{'-' if sure else 'p'}{target}"] if possible else []
            answers += [{"target": f"{source}-{target}"}] if own else []
        yield Item((str(number + 1),), tuple(gold), True, tuple(answers), dict(zip(COUNTS, row, strict=True)))


# ---------------------------------------------------------------- results


def _scored(
    counts: Mapping[_Label, np.ndarray],
    gold: LinkFile,
    predicted: LinkFile,
    seen: SeenSentences,
    params: EvalAlignmentParams,
    job: Job,
) -> list[ScoredSystem]:
    """Score everything on the same draws of sentence pairs."""
    scores = MEASURE.scores(
        [each.T for each in counts.values()],
        generator=generator(job.seed, "bootstrap"),
        draws=params.draws,
        level=params.level,
    )
    shared = {
        "average": "corpus",
        "gold_links": "sure ones are possible too",
        "gold_counts_from": gold.first,
        "predicted_counts_from": predicted.first,
        "draws": params.draws,
        "level": params.level,
        "sentences_trained_on": max(seen.trained.values(), default=0),
        UNFAIR: [*seen.unfair, *seen.unchecked],
    }
    return [
        ScoredSystem(
            "alignment",
            own,
            Convention(seed=job.seed),
            dict(labels),
            shared | dict(zip(COUNTS, table.sum(axis=0).tolist(), strict=True)),
            counted="sentences",
        )
        for (labels, table), own in zip(counts.items(), scores, strict=True)
    ]


_BANDS = {
    "frequency": "Band: how often the source word occurs in these sentences.",
    "distance": "Band: how many words the target word is from the diagonal.",
}


def _tables(systems: Sequence[ScoredSystem], level: float) -> list[Table]:
    """Lay out systems, and the bands that have any links."""
    facts = systems[0].facts
    note = (
        f"{systems[0].scores[0].n:,} sentence pairs, {facts['sure']:,} sure and {facts['possible']:,} more possible "
        "links. A possible link is right if the system has it, and not missed if it has not. Words are counted from "
        f"{facts['gold_counts_from']} in the gold file, from {facts['predicted_counts_from']} in the other. A smaller "
        f"AER is better. {facts['draws']:,} bootstrap draws of the sentence pairs."
    )
    trained = facts["sentences_trained_on"]
    note += f" The aligner was trained on {trained:,} of them without gold links, as is usual." if trained else ""
    note += unfair_note(facts[UNFAIR])
    shown = [each for each in systems if "by" not in each.labels]
    tables = [score_table(shown, level=level, note=note, first="links of", extra={"predicted": "links"})]
    for by, words in _BANDS.items():
        bands = [each for each in systems if each.labels.get("by") == by]
        bands = [each for each in bands if each.facts["sure"] or each.facts["predicted"]]
        if bands:
            extra = {"sure": "sure links", "predicted": "links"}
            title = f"Word alignment by {by}"
            tables.append(score_table(bands, level=level, title=title, note=words, first="band", extra=extra))
    return tables


EVAL_ALIGNMENT = Stage(
    name="eval alignment",
    version=3,
    inputs={
        "gold": Input("Gold links, one line per sentence pair: 0-0 for a sure link, 1p2 for a possible one."),
        "predicted": Input("Links to score: a file of 0-0 1-2 lines, or a folder of align."),
        "pairs": Input(
            "Their sentences, words between spaces: source ||| target, or source, TAB, target. With them come controls "
            "and scores by kind of link.",
            required=False,
        ),
        "source": Input("Source sentences in a file of their own, in place of --pairs.", required=False),
        "target": Input("Target sentences, line by line.", required=False),
    },
    params=EvalAlignmentParams,
    run=eval_alignment,
    makes=f"{SCORES}, and {ITEMS} with the links of every sentence pair, for lexenc compare and results.",
    examples=(
        "lexenc eval alignment --gold enfr.gold --gold-one-based --predicted enfr.out --pairs enfr.src-tgt",
        "lexenc eval alignment --gold test.gold --predicted runs/alignments --out runs/alignment-scores",
        "lexenc compare runs/alignment-scores runs/other-scores",
    ),
    uses_seed=True,
    out_required=False,
    check=check_eval_alignment,
)
