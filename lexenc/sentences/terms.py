"""What a term of the objective of a sentence encoder offers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn

from lexenc.arrays import Indices


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
