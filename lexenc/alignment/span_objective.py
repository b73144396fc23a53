"""Span prediction learned from word links: every word is a question, the words it is linked to are the answer."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from lexenc.alignment.span_model import Questions, SpanModel, all_questions
from lexenc.arrays import Indices, positions
from lexenc.randomness import generator
from lexenc.text.links import LinkedText, is_certain
from lexenc.training.objective import Objective


class SpanAnswers(NamedTuple):
    """The span of words that each word is linked to.

    Args:
        first: First word of the span, from 0. -1 for a word without links. Shape [q].
        last: Last word of the span. Shape [q].
        known: False where all links of the word are too uncertain. Shape [q].
    """

    first: Indices
    last: Indices
    known: NDArray[np.bool_]


def answers_of(text: LinkedText, questions: Questions, *, min_score: float = 0.0) -> SpanAnswers:
    """Return the answer to each question: the longest run of words that the word is linked to.

    A word without links has no answer, which is learned as well. A word whose links are all below `min_score`, or all
    merely possible, is not learned: its answer is unknown.

    Args:
        text: Sentence pairs with links.
        questions: Questions about its words.
        min_score: Links with a lower score are not learned.
    """
    first, last = (np.full(len(questions.pairs), -1, dtype=np.int64) for _ in range(2))
    known = np.ones(len(first), dtype=np.bool_)
    pairs = np.repeat(np.arange(len(text)), np.diff(text.links.starts))
    sure = is_certain(text.links.scores, min_score)
    sides = text.links.source.astype(np.int64), text.links.target.astype(np.int64)
    for swapped, own, other in ((False, *sides), (True, *sides[::-1])):
        rows = np.flatnonzero(questions.swapped == swapped)
        width = int(max(own.max(initial=0), questions.words.max(initial=0))) + 1
        asked = questions.pairs[rows] * width + questions.words[rows]
        keys = pairs * width + own
        linked, begins, ends = longest_runs(keys[sure], other[sure], text.links.scores[sure])
        place = np.minimum(np.searchsorted(linked, asked), max(0, len(linked) - 1))
        found = linked[place] == asked if len(linked) else np.zeros(len(asked), dtype=np.bool_)
        first[rows[found]], last[rows[found]] = begins[place[found]], ends[place[found]]
        known[rows] = found | ~np.isin(asked, keys)
    return SpanAnswers(first, last, known)


def longest_runs(keys: Indices, others: Indices, scores: NDArray[np.floating]) -> tuple[Indices, Indices, Indices]:
    """Find for every word the longest run of neighbours that it is linked to.

    Of equally long runs, the one with the larger sum of scores is chosen, then the first.

    Args:
        keys: The word of each link. Shape [p].
        others: Position of the word that it is linked to. No link occurs twice. Shape [p].
        scores: Score of each link. Shape [p].

    Returns:
        The words in rising order, and the first and the last word of the run of each. Shape [r] each.
    """
    if not len(keys):
        return keys, others, others
    order = np.lexsort((others, keys))
    keys, others, scores = keys[order], others[order], scores[order]
    fresh = np.ones(len(keys), dtype=np.bool_)
    fresh[1:] = (keys[1:] != keys[:-1]) | (others[1:] != others[:-1] + 1)
    begins = np.flatnonzero(fresh)
    lengths = np.diff(begins, append=len(keys))
    sums = np.add.reduceat(scores.astype(np.float64), begins)
    best = np.lexsort((begins, -sums, -lengths, keys[begins]))
    _, places = np.unique(keys[begins][best], return_index=True)
    chosen = best[places]
    starts = begins[chosen]
    return keys[starts], others[starts], others[starts] + lengths[chosen] - 1


class SpanObjective(Objective):
    """Questions with answers. The loss is the mean cross entropy of the begin and the end of the answer.

    They are predicted among the subwords of the other sentence and the first subword, which means no answer.

    Args:
        model: The model to train, in place.
        text: Sentence pairs with links.
        min_score: Links with a lower score are not learned.
        words_per_sentence: Number of words asked about per sentence, drawn anew for each epoch. None for all words.
        seed: Seed of the draw.

    Attributes:
        questions: The questions.
        answers: The right answers.
        empty: Number of sentence pairs with an empty side.
        too_long: Number of sentence pairs that are longer than the model accepts. Nothing is learned from them.
        uncertain: Number of words left out because all their links are too uncertain.
    """

    def __init__(
        self,
        model: SpanModel,
        text: LinkedText,
        *,
        min_score: float = 0.0,
        words_per_sentence: int | None = None,
        seed: int = 0,
    ) -> None:
        self._model, self._text, self._seed = model, text, seed
        self._most = words_per_sentence
        self.modules = {"model": model.module}
        empty = (text.source.sizes == 0) | (text.target.sizes == 0)
        self._sizes = model.sizes(text.source, text.target)
        long = ~empty & (self._sizes > model.limit)
        self.empty, self.too_long = int(empty.sum()), int(long.sum())
        asked = all_questions(text.source, text.target, ~empty & ~long)
        answers = answers_of(text, asked, min_score=min_score)
        # An answer for which the tokenizer returns no subword cannot be learned.
        known = answers.known & self._placed(asked, answers)
        self.uncertain = int((~known).sum())
        self.questions = asked.chosen(known)
        self.answers = SpanAnswers(answers.first[known], answers.last[known], answers.known[known])

    def _placed(self, asked: Questions, answers: SpanAnswers) -> NDArray[np.bool_]:
        """Return which answers begin and end with a word that has subwords. Shape [q]."""
        placed = np.ones(len(asked.pairs), dtype=np.bool_)
        for swapped, side in ((False, self._text.target), (True, self._text.source)):
            rows = np.flatnonzero((asked.swapped == swapped) & (answers.first >= 0))
            counts = np.diff(side.words)
            begin = side.sentences[asked.pairs[rows]]
            placed[rows] = (counts[begin + answers.first[rows]] > 0) & (counts[begin + answers.last[rows]] > 0)
        return placed

    def rows(self, epoch: int) -> Indices:
        """Return the questions of an epoch. Shape [n]."""
        count = len(self.questions.pairs)
        if self._most is None:
            return np.arange(count)
        keys = generator(self._seed, f"words of epoch {epoch}").random(count)
        groups = self.questions.pairs * 2 + self.questions.swapped
        order = np.lexsort((keys, groups))
        begins = np.flatnonzero(np.diff(groups[order], prepend=-1))
        rank = positions(np.diff(begins, append=count))
        return np.sort(order[rank < self._most])

    def sizes(self, rows: Indices) -> Indices:
        """Return the number of subwords of some questions. Shape as `rows`."""
        found: Indices = self._sizes[self.questions.pairs[rows]]
        return found

    def losses(self, rows: Indices, step: int) -> Tensor:
        """Return the loss of each of some questions. Shape as `rows`."""
        batch = self._model.batch(self._text.source, self._text.target, self.questions.chosen(rows))
        # The positions of the first and the last subword of each answer, 0 without one.
        begin, end = np.zeros((2, len(rows)), dtype=np.int64)
        for place, row in enumerate(rows.tolist()):
            first, last = int(self.answers.first[row]), int(self.answers.last[row])
            if first >= 0:
                side = self._text.source if self.questions.swapped[row] else self._text.target
                bounds = side.sentence(int(self.questions.pairs[row]))[1]
                begin[place], end[place] = batch.first[place] + bounds[first], batch.first[place] + bounds[last + 1] - 1
        start_logits, end_logits = self._model.logits(batch)
        one, other = (
            F.cross_entropy(logits, torch.from_numpy(places).to(logits.device), reduction="none")
            for logits, places in ((start_logits, begin), (end_logits, end))
        )
        return (one + other) / 2
