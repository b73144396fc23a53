"""eval alignment: word links against gold links, with intervals, beside controls, and by kind of link."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lexenc.errors import ConfigError
from lexenc.files.link_counts import NAME, write_link_counts
from lexenc.parameters import param
from lexenc.stage import Input, Job, Outcome, Stage, Table
from lexenc.stages.evaluation.alignment_tables import band_table, score_table
from lexenc.stages.evaluation.judged_links import (
    LinkFile,
    Sentences,
    check_range,
    read_gold_and_predicted,
    read_sentences,
    were_cut,
)

if TYPE_CHECKING:
    import numpy as np

    from lexenc.evaluation.alignment import Judged

_BASE = (
    "Whether words are counted from 1 in {}. If left out they are counted from 0, and refused where the two files do "
    "not look alike."
)


@dataclass(frozen=True)
class EvalAlignmentParams:
    """Parameters of `eval alignment`."""

    gold_one_based: bool | None = param(None, _BASE.format("the gold file"))
    system_one_based: bool | None = param(None, _BASE.format("the links that are scored"))
    draws: int = param(10_000, "Bootstrap resamplings of the sentence pairs.", ge=100)
    level: float = param(0.95, "Share of draws inside the intervals.", gt=0, le=0.999)


@dataclass(frozen=True)
class _Counted:
    """Links of one kind, counted by sentence pair.

    Args:
        keys: What they are.
        counts: Shape [n, 5].
    """

    keys: dict[str, Any]
    counts: np.ndarray


def check_eval_alignment(inputs: Mapping[str, Any], params: EvalAlignmentParams) -> list[ConfigError]:
    """Give the faults that only several values together show."""
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
    """Score the links, and where the sentences are known the controls and every kind of link."""
    gold, predicted = read_gold_and_predicted(
        inputs["gold"], inputs["predicted"], params.gold_one_based, params.system_one_based
    )
    sentences = read_sentences(inputs)
    if sentences is not None:
        check_range(gold, sentences)
        check_range(predicted, sentences)
    _tell(gold, predicted, sentences, job)
    if not inputs.get("pairs") and not inputs.get("source") and were_cut(inputs["predicted"]):
        job.notices.warn(
            f"{inputs['predicted']} cut the sentences into words by itself: the gold links may be of other words.",
            "Give the sentences of the gold links as --pairs, which are compared; --words spaces keeps their words.",
        )
    judged = _judge(predicted.sure, gold)
    systems = list(_systems(judged, gold, sentences, job))
    results = _scored(systems, _shared_keys(gold, predicted), params, job)
    if job.kept:
        write_link_counts(job.out / NAME, systems[0].counts.tolist())
    head = results[0]
    summary = {key: head[key] for key in ("sentences", "aer", "precision", "recall", "f1")}
    return Outcome(summary, results, _tables(results))


def _tell(gold: LinkFile, predicted: LinkFile, sentences: Sentences | None, job: Job) -> None:
    """Warn of what makes scores mean less than they seem to."""
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


def _judge(links: np.ndarray, gold: LinkFile) -> Judged:
    from lexenc.evaluation.alignment import judge

    return judge(links, gold.sure, gold.possible, gold.lines)


def _systems(judged: Judged, gold: LinkFile, sentences: Sentences | None, job: Job) -> Iterator[_Counted]:
    """Count the links of the system, of the controls, and by band."""
    from lexenc.evaluation.alignment import counts_of

    own = counts_of(judged)
    yield _Counted({}, own)
    if sentences is not None:
        for name, links in _controls(own[:, 0], sentences, job):
            yield _Counted({"control": name}, counts_of(_judge(links, gold)))
        yield from _bands(judged, sentences)


def _controls(links: np.ndarray, sentences: Sentences, job: Job) -> Iterator[tuple[str, np.ndarray]]:
    from lexenc.evaluation.alignment import diagonal_links, random_links
    from lexenc.randomness import generator

    lengths = sentences.source_lengths, sentences.target_lengths
    yield "diagonal", diagonal_links(*lengths)
    yield "as many links at random", random_links(links, *lengths, generator(job.seed, "random links"))


def _bands(judged: Judged, sentences: Sentences) -> Iterator[_Counted]:
    from lexenc.evaluation.alignment import DISTANCES, FREQUENCIES, counts_of, distance_bands, frequency_bands

    lengths = sentences.source_lengths, sentences.target_lengths
    for by, names, bands in (
        ("frequency", FREQUENCIES, frequency_bands(sentences.frequencies(judged.rows))),
        ("distance", DISTANCES, distance_bands(judged.rows, *lengths)),
    ):
        for place, name in enumerate(names):
            yield _Counted({"by": by, "band": name}, counts_of(judged, bands == place))


# ---------------------------------------------------------------- results


def _shared_keys(gold: LinkFile, predicted: LinkFile) -> dict[str, Any]:
    return {
        "task": "alignment",
        "sentences": gold.lines,
        "average": "corpus",
        "gold_links": "sure ones are possible too",
        "gold_counts_from": gold.first,
        "predicted_counts_from": predicted.first,
    }


def _scored(
    systems: list[_Counted], shared: dict[str, Any], params: EvalAlignmentParams, job: Job
) -> list[dict[str, Any]]:
    """Score everything on the same draws of sentence pairs."""
    import numpy as np

    from lexenc.evaluation.alignment import COUNTS, drawn_counts, summary
    from lexenc.randomness import generator

    table = np.concatenate([each.counts for each in systems], axis=1)
    drawn = drawn_counts(table, generator=generator(job.seed, "bootstrap"), draws=params.draws)
    totals = table.sum(axis=0)
    results = []
    for place, each in enumerate(systems):
        part = slice(place * len(COUNTS), (place + 1) * len(COUNTS))
        scores = summary(totals[part], drawn[:, part], level=params.level)
        counts = dict(zip(COUNTS, totals[part].tolist(), strict=True))
        results.append(
            {**shared, **each.keys, **scores, **counts, "draws": params.draws, "level": params.level, "seed": job.seed}
        )
    return results


def _tables(results: list[dict[str, Any]]) -> list[Table]:
    """Lay out systems, and bands with anything in them."""
    tables = [score_table([each for each in results if "by" not in each])]
    for by in ("frequency", "distance"):
        bands = [each for each in results if each.get("by") == by and (each["sure"] or each["predicted"])]
        tables += [band_table(bands)] if bands else []
    return tables


EVAL_ALIGNMENT = Stage(
    name="eval alignment",
    version=1,
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
    makes=f"{NAME}: for every sentence pair its links and how many of them are right, for compare.",
    examples=(
        ("lexenc eval alignment --gold enfr.gold --gold-one-based --predicted enfr.out --pairs enfr.src-tgt", ""),
        ("lexenc eval alignment --gold test.gold --predicted runs/alignments --out runs/alignment-scores", ""),
        ("lexenc compare runs/alignment-scores runs/other-scores", ""),
    ),
    uses_seed=True,
    out_required=False,
    check=check_eval_alignment,
)
