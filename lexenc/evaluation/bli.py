"""Bilingual lexicon induction: which test words count, and what they score under every convention of the field."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lexenc.evaluation.bootstrap import Columns, Means
from lexenc.evaluation.groups import BANDS, LIKENESS, SIMILAR, band_of, likeness_of
from lexenc.evaluation.ranking import CUTOFFS, average_precisions, best_of, hits_at, reciprocal_ranks
from lexenc.evaluation.task import Breakdown, Metric, Task
from lexenc.files.evaluations import Item

HEADLINE = "source word, in vocabulary"
METRICS = (
    *(Metric(f"precision_at_{cutoff}", f"P@{cutoff}") for cutoff in CUTOFFS),
    Metric("mean_reciprocal_rank", "MRR", percent=False),
    Metric("mean_average_precision", "MAP", percent=False, over="ranks"),
)
MEASURE = Means([metric.key for metric in METRICS])


@dataclass(frozen=True)
class Queries:
    """Unique source words of a test dictionary with their gold translations.

    Args:
        words: Source words in order of first appearance.
        golds: All gold translations of each.
        rows: Row of each source word in its vectors; -1 where it has none. Shape [q].
        gold_rows: Rows of the gold translations that have vectors. Ragged.
        gold_lines: On how many lines of the dictionary each of these is the translation. Ragged, like `gold_rows`.
        lines: Number of lines of the dictionary.
    """

    words: list[str]
    golds: list[list[str]]
    rows: np.ndarray
    gold_rows: list[np.ndarray]
    gold_lines: list[np.ndarray]
    lines: int

    @property
    def covered(self) -> np.ndarray:
        """Which words have a vector on both sides. Shape [q], bool."""
        answerable = np.array([len(own) > 0 for own in self.gold_rows], dtype=bool)
        covered: np.ndarray = (self.rows >= 0) & answerable
        return covered


def ask(
    pairs: Iterable[tuple[str, str]], source_index: Mapping[str, int], target_index: Mapping[str, int]
) -> Queries:
    """Look up the lines of a test dictionary, source and target, in the vectors of both sides."""
    table: dict[str, Counter[str]] = {}
    for source, target in pairs:
        table.setdefault(source, Counter())[target] += 1
    rows = np.array([source_index.get(word, -1) for word in table], dtype=np.int64)
    known = [{gold: lines for gold, lines in own.items() if gold in target_index} for own in table.values()]
    return Queries(
        list(table),
        [list(own) for own in table.values()],
        rows,
        [np.array([target_index[gold] for gold in own], dtype=np.int64) for own in known],
        [np.array(list(own.values()), dtype=np.int64) for own in known],
        sum(own.total() for own in table.values()),
    )


def rank_columns(ranks: Sequence[np.ndarray], gold_counts: Sequence[int]) -> Columns:
    """Return the columns of `METRICS` from the ranks of gold answers and their number, found or not. Shape [5, q]."""
    best = best_of(ranks)
    hits = [hits_at(best, cutoff) for cutoff in CUTOFFS]
    return np.stack([*hits, reciprocal_ranks(best), average_precisions(ranks, gold_counts)])


def conventions(questions: Queries, ranks: Sequence[np.ndarray]) -> dict[str, Columns]:
    """Score the same ranks as the tools of the field do.

    Args:
        questions: All of them, covered or not.
        ranks: Ranks of the gold rows of every question; empty for one that is not covered. Ragged.

    Returns:
        `source word, in vocabulary` (VecMap, MUSE), `source word, all lines` (fastText: what has no vector is wrong),
        `pair, in vocabulary` (xling-eval: every line by the rank of its own target, repeated or not), and
        `pair, all lines`.
    """
    covered = np.flatnonzero(questions.covered).tolist()
    inside = [ranks[i] for i in covered]
    every = [len(own) for own in questions.golds]
    pairs = [np.array([rank]) for i in covered for rank in np.repeat(ranks[i], questions.gold_lines[i])]
    lost = questions.lines - len(pairs)
    nothing = np.zeros(0, dtype=np.int64)
    return {
        HEADLINE: rank_columns(inside, [len(own) for own in inside]),
        "source word, all lines": rank_columns(list(ranks), every),
        "pair, in vocabulary": rank_columns(pairs, [1] * len(pairs)),
        "pair, all lines": rank_columns(pairs + [nothing] * lost, [1] * (len(pairs) + lost)),
    }


def control_scores(questions: Queries, target_words: Sequence[str]) -> dict[str, float]:
    """Return precision at 1 on the covered questions without any knowledge, in a search space of these words.

    Returns:
        `identity`: answering with the source word itself; `random`: the expected value of a random answer.
    """
    covered, known = np.flatnonzero(questions.covered), set(target_words)
    if not len(covered):
        return {"identity": 0.0, "random": 0.0}
    copied = [questions.words[i] in questions.golds[i] and questions.words[i] in known for i in covered]
    chance = [len(questions.gold_rows[i]) / len(target_words) for i in covered]
    return {"identity": float(np.mean(copied)), "random": float(np.mean(chance))}


def item_columns(items: Sequence[Item], every: bool) -> Columns:
    """Score items as `eval bli` does per source word: translations without a vector are wrong if every item counts."""
    ranks = [np.array(item.numbers["ranks"] if item.covered else [], dtype=np.int64) for item in items]
    return rank_columns(ranks, [len(item.gold) for item in items] if every else [len(own) for own in ranks])


_BREAKDOWNS = (
    Breakdown(
        "by frequency",
        BANDS,
        lambda item: band_of(item.numbers["frequency_rank"]) if "frequency_rank" in item.numbers else None,
        "Frequency is the rank of the source word in the vocabulary of its vectors, which is sorted by frequency.",
    ),
    Breakdown(
        "by spelling",
        LIKENESS,
        lambda item: likeness_of(item.asked[0], item.gold),
        "Identical: the closest translation is the same word, ignoring case. Similar: at most "
        f"{SIMILAR:.0%} of the letters of the longer word differ (Levenshtein distance), a proxy for cognates.",
    ),
)
TASK = Task(
    name="bli",
    title="Word translation",
    metrics=METRICS,
    measure=MEASURE,
    columns=item_columns,
    item="query",
    items="queries",
    test="dictionary",
    uncovered="counted wrong",
    alike=(("direction", "search_space", "search_space_words"),),
    options={"search_space": "--candidates", "search_space_words": "vocabularies and --limit"},
    breakdowns=_BREAKDOWNS,
    heads=("word", "translations", "answers", "#gold rank"),
    cells=lambda item: (
        item.asked[0],
        ", ".join(item.gold),
        ", ".join(str(each["target"]) for each in item.answers),
        str(min(item.numbers["ranks"], default="-")),
    ),
)
