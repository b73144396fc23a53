"""Representation translation learning (RTL): predict a translation from the states of the sentence.

Source: Li et al. 2023, "Dual-Alignment Pre-training for Cross-lingual Sentence Embedding" (DAP), section 3.2.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor, nn

from lexenc.arrays import Indices, positions
from lexenc.encoders.subwords import WordTokenizer
from lexenc.encoders.top_layers import TopLayers
from lexenc.sentences.terms import PairStates, TermInputs, sums_of_rows

_LAYERS = 2


class RepresentationTranslation:
    """Predict every subword of the translation from the states of the sentence, by a copy of the last two layers.

    The layers read the states of the sentence after the last layer, and a mask in the place of every subword of the
    translation, whose positions start again. The first special subword of both is left out. The loss of a row is the
    mean cross entropy of the subwords of the translation, the special one at its end included.

    Args:
        given: With a prediction head.
        layers: Number of layers that are copied. They learn apart from the encoder, and are not part of it.

    Raises:
        ConfigError: If there is no head, or the encoder is not a transformer of an architecture that is computed
            without padding.
    """

    uses_states = needs_head = needs_parallel = True

    def __init__(self, given: TermInputs, *, layers: int = _LAYERS) -> None:
        encoder, self._head = given.transformer, given.prediction
        self._given, self._skipped = given, len(WordTokenizer(encoder.tokenizer).single.before)
        lengths = given.tokens.lengths[given.data.positives[given.parallel]]
        self._translator = TopLayers(
            encoder, layers, subword=self._head.mask, positions=max(1, int(lengths.max(initial=0)))
        )
        self.modules: dict[str, nn.Module] = {"head": self._head.module, "translator": self._translator}

    def sizes(self, rows: Indices) -> Indices:
        """Return the number of subwords of both sentences, 0 for rows that are no translations. Shape as `rows`."""
        data, lengths = self._given.data, self._given.tokens.lengths
        both = lengths[data.anchors[rows]] + lengths[data.positives[rows]]
        sizes: Indices = np.where(self._given.parallel[rows], both, 0)
        return sizes

    def losses(self, rows: Indices, step: int, states: PairStates | None) -> Tensor:
        """Return the loss of each row. Shape as `rows`."""
        assert states is not None
        targets = self._given.tokens.take(self._given.data.positives[rows])
        counts = np.where(self._given.parallel[rows], np.maximum(targets.lengths - self._skipped, 0), 0)
        learned = np.flatnonzero(counts)
        if not len(learned):
            return states.source.new_zeros(len(rows))
        begins, ends = states.source_starts[learned] + self._skipped, states.source_starts[learned + 1]
        known = [np.arange(begin, end) for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)]
        wanted = [np.arange(self._skipped, self._skipped + count) for count in counts[learned].tolist()]
        found = self._translator(states.source, known, wanted)
        places = np.repeat(targets.starts[:-1] + self._skipped, counts) + positions(counts)
        losses = self._head.token_losses(found, targets.values[places].astype(np.int64))
        owners = np.repeat(np.arange(len(rows)), counts)
        weights = losses.new_tensor(1 / counts[owners])
        return sums_of_rows(losses * weights, owners, len(rows))
