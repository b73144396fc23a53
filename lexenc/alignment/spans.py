"""Word alignment by span prediction: a model finds the span of the other sentence that translates a word.

Source: Nagata, Chousa and Nishino 2020, section 3; Wu, Nagata and Tsuruoka 2023, "WSPAlign". The model returns the
probability that the answer begins and ends at each word of the other sentence, or that there is no answer. The score of
a span is the product of the probabilities of its beginning and its end. The answer for a word is the best span up to a
maximum length, or none if that is at least as probable; all words of the span have its score. The score of a pair of
words is the mean of both directions, where no answer counts as 0. The published threshold of WSPAlign, 0.9, is for the
sum and thus 0.45 here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lexenc.alignment.span_model import Questions, SpanModel, all_questions
from lexenc.arrays import Indices, batches, ranges
from lexenc.device import CPU, Device
from lexenc.encoders.locate import locate_encoder
from lexenc.progress import SILENT, Progress
from lexenc.text.links import Links, Pieces

THRESHOLD = 0.4
"""Score from which Nagata et al. link two words."""
LONGEST = 10
"""Largest number of words in a span. Longer translations of one word are rarer than mistakes."""
_BATCH_TOKENS = 8192

Floats = NDArray[np.float32]


class Spans(NamedTuple):
    """The best span of each question.

    Args:
        first: Its first word, from 0; -1 where there is none. Shape [b].
        last: Its last word. Shape [b].
        scores: Its probability, 0 where there is none. Shape [b].
    """

    first: Indices
    last: Indices
    scores: Floats


def best_spans(start: Floats, end: Floats, *, longest: int = LONGEST) -> Spans:
    """Find the most probable span of each question; of equally probable ones the shortest, then the first.

    Args:
        start: Probability of no answer, then that the answer begins with each word. Shape [b, 1 + n].
        end: The same for the end of the answer. Shape [b, 1 + n].
        longest: Largest number of words in a span.
    """
    rows, words = np.arange(len(start)), start.shape[1] - 1
    first, last = (np.full(len(start), -1, dtype=np.int64) for _ in range(2))
    scores = (start[:, 0] * end[:, 0]).astype(np.float32)
    for more in range(min(longest, words)):
        table = start[:, 1 : words - more + 1] * end[:, 1 + more :]
        places = table.argmax(axis=1)
        better = table[rows, places] > scores
        scores = np.where(better, table[rows, places], scores)
        first, last = np.where(better, places, first), np.where(better, places + more, last)
    return Spans(first, last, np.where(first < 0, 0, scores).astype(np.float32))


class SpanAligner:
    """Links words by span prediction for every word of both sentences.

    Args:
        model: The model.
        threshold: Score from which two words are linked.
        longest: Largest number of words in a span.
        batch_tokens: Subwords in one pass, padding included. Does not change the result.

    Attributes:
        counts: `pairs`: sentence pairs. `questions`: words that the model was asked about. `empty`: sentence pairs with
            a side that has no words, or none that the tokenizer knows. `too_long`: sentence pairs without links because
            they are longer than the model takes. `unasked`: words without subwords, such as control characters.
    """

    def __init__(
        self,
        model: SpanModel,
        *,
        threshold: float = THRESHOLD,
        longest: int = LONGEST,
        batch_tokens: int = _BATCH_TOKENS,
    ) -> None:
        self.model, self.threshold, self.longest = model, threshold, longest
        self.counts: Counter[str] = Counter()
        self._batch_tokens = batch_tokens

    @classmethod
    def load(cls, name_or_folder: str | Path, *, device: Device = CPU, threshold: float = THRESHOLD) -> SpanAligner:
        """Load an aligner from a folder or the hub; the model is one of `AutoModelForQuestionAnswering`.

        Raises:
            ConfigError: If there is no such model, or it does not answer questions.
            WorkError: If the hub cannot be reached.
        """
        model = SpanModel.load(locate_encoder(str(name_or_folder)).path, device=device)
        return cls(model, threshold=threshold)

    def align(self, pairs: Sequence[tuple[Sequence[str], Sequence[str]]], *, progress: Progress = SILENT) -> Links:
        """Link the words of sentence pairs.

        Args:
            pairs: Words of a sentence and of its translation.
            progress: Progress bar to update.

        Returns:
            Links with their scores. Pairs with an empty side and pairs that are too long have none; see `counts`.
        """
        source, target = (self.model.words.cut([pair[side] for pair in pairs]) for side in (0, 1))
        empty = (source.sizes == 0) | (target.sizes == 0)
        long = ~empty & (self.model.sizes(source, target) > self.model.limit)
        questions = all_questions(source, target, ~empty & ~long)
        self.counts += Counter(
            pairs=len(pairs),
            questions=len(questions.pairs),
            empty=int(empty.sum()),
            too_long=int(long.sum()),
            unasked=sum(int((np.diff(side.words) == 0).sum()) for side in (source, target)),
        )
        spans = self._answers(source, target, questions, progress)
        return _links(len(pairs), source, target, questions, spans, self.threshold)

    def _answers(self, source: Pieces, target: Pieces, questions: Questions, progress: Progress) -> Spans:
        """Answer all questions, sorted by length so that there is little padding."""
        sizes = self.model.sizes(source, target)[questions.pairs]
        order = np.argsort(sizes, kind="stable")
        first, last = (np.full(len(order), -1, dtype=np.int64) for _ in range(2))
        scores = np.zeros(len(order), dtype=np.float32)
        with progress.task("align", len(order), "words") as task:
            for part in batches(sizes[order], self._batch_tokens, padded=True):
                rows = order[part]
                batch = self.model.batch(source, target, questions.chosen(rows))
                spans = best_spans(*self.model.probabilities(batch), longest=self.longest)
                first[rows], last[rows], scores[rows] = spans
                task.advance(len(rows))
        return Spans(first, last, scores)


def _links(pairs: int, source: Pieces, target: Pieces, questions: Questions, spans: Spans, threshold: float) -> Links:
    """Return the pairs of words whose mean over both directions reaches the threshold."""
    counts = np.where(spans.first < 0, 0, spans.last - spans.first + 1)
    rows, others = np.repeat(np.arange(len(counts)), counts), ranges(spans.first, counts)
    swapped, words = questions.swapped[rows], questions.words[rows]
    one, other = np.where(swapped, others, words), np.where(swapped, words, others)
    wide, high = int(source.lengths.max(initial=0)) + 1, int(target.lengths.max(initial=0)) + 1
    keys, places = np.unique((questions.pairs[rows] * wide + one) * high + other, return_inverse=True)
    scores = np.bincount(places, weights=spans.scores[rows].astype(np.float64) / 2, minlength=len(keys))
    kept = scores >= threshold
    keys = keys[kept]
    return Links(
        starts=np.searchsorted(keys, np.arange(pairs + 1) * wide * high).astype(np.int64),
        source=(keys // high % wide).astype(np.int32),
        target=(keys % high).astype(np.int32),
        scores=np.minimum(scores[kept], 1).astype(np.float32),
    )
