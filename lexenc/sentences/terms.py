"""What a term of the objective of a sentence encoder offers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lexenc.arrays import Indices, Ragged, ranges
from lexenc.encoders.base import Encoder
from lexenc.encoders.masked_language import MaskedHead
from lexenc.encoders.transformer import TransformerEncoder
from lexenc.errors import ConfigError
from lexenc.sentences.words import LinkedWords
from lexenc.training.data import PairData


@dataclass(frozen=True)
class PairStates:
    """States of the subwords of some pairs after the last layer, special tokens included, in the order of the pairs.

    They come from the same pass as the vectors of the sentences, and have a gradient.

    Args:
        source: States of all anchors, end to end. Shape [t, width], float32.
        source_starts: Where the states of each anchor begin, and the end of the last. Shape [n + 1].
        target: States of all positives, end to end. Shape [u, width], float32.
        target_starts: Where the states of each positive begin, and the end of the last. Shape [n + 1].
    """

    source: Tensor
    source_starts: Indices
    target: Tensor
    target_starts: Indices


class Term(Protocol):
    """A loss of single rows, pairs of sentences, which is added to the ranking of whole sentences.

    The loss of a row depends on no other row, so that a step may be split wherever memory requires it. A step adds
    `weight * sum of losses / rows of the step`. Random choices are drawn by
    `generator(seed, f"... of step {step}, row {row}")`, so that they do not depend on how a step is split.
    """

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        """What learns besides the encoder, by name; empty for nothing.

        A head that terms share has the same name and is the same object in all of them.
        """

    @property
    def uses_states(self) -> bool:
        """Whether `losses` reads the states of the sentences themselves, and does not only encode texts of its own."""

    def sizes(self, rows: Indices) -> Indices:
        """Return the number of subwords in the passes of its own that some rows need. Shape as `rows`."""

    def losses(self, rows: Indices, step: int, states: PairStates | None) -> Tensor:
        """Return the loss of each row, 0 and finite where a row has nothing to learn. Shape as `rows`.

        Args:
            rows: Rows of the pairs.
            step: Number of the step, from 0.
            states: States of the sentences of these rows, in their order. None unless `uses_states`.
        """


@dataclass(frozen=True)
class TermInputs:
    """What terms are made from: every one of `OBJECTIVES` is called with it and its own settings.

    Args:
        encoder: The encoder to train.
        data: The rows.
        tokens: Token ids of `data.texts`, special ones included.
        parallel: Which rows are a sentence and its translation. Shape [n], bool.
        words: Words and links of the rows; None without an alignment.
        head: Prediction of masked subwords; None for none.
        seed: Seed of all random choices.
    """

    encoder: Encoder
    data: PairData
    tokens: Ragged
    parallel: NDArray[np.bool_]
    words: LinkedWords | None = None
    head: MaskedHead | None = None
    seed: int = 0

    @property
    def transformer(self) -> TransformerEncoder:
        """The encoder, if it has states and can predict from them.

        Raises:
            ConfigError: If it is not a transformer.
        """
        if not isinstance(self.encoder, TransformerEncoder):
            raise ConfigError(
                f"A {self.encoder.kind} encoder has no states of subwords in their context.",
                hint="Use a transformer, or the objective tr, translation ranking.",
            )
        return self.encoder

    @property
    def linked(self) -> LinkedWords:
        """The words and links.

        Raises:
            ConfigError: If there are none.
        """
        if self.words is None:
            raise ConfigError(
                "Objectives over words need word links.", hint="Align the same files with lexenc align: --alignments."
            )
        return self.words

    @property
    def prediction(self) -> MaskedHead:
        """The prediction of masked subwords.

        Raises:
            ConfigError: If there is none.
        """
        if self.head is None:
            raise ConfigError("Objectives that predict subwords need a prediction head.", hint="Give one.")
        return self.head


def sums_of_rows(values: Tensor, owners: Indices, count: int) -> Tensor:
    """Add up values by row, in the same order every time on every device. Shape [p] -> [count].

    Args:
        values: Shape [p].
        owners: Row of each value, never falling. Shape [p].
        count: Number of rows.
    """
    counts = np.bincount(owners, minlength=count)
    places = ranges(np.arange(count) * counts.max(initial=0), counts)
    table = values.new_zeros(count * int(counts.max(initial=0)))
    return table.index_put((torch.from_numpy(places).to(values.device),), values).reshape(count, -1).sum(1)


def distinct_subwords(tokens: Ragged) -> Indices:
    """Return the subwords that occur in some texts, in order: the vocabulary of a corpus. Shape [v]."""
    found: Indices = np.flatnonzero(np.bincount(tokens.values))
    return found
