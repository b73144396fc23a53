"""What every encoder offers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

if TYPE_CHECKING:
    import torch

Pooling = Literal["auto", "mean", "model"]


class Encoder(Protocol):
    """Text in, vectors out; also the part that training changes."""

    @property
    def dimensions(self) -> int:
        """Length of a vector."""

    @property
    def module(self) -> torch.nn.Module:
        """The weights."""

    @property
    def kind(self) -> Literal["static", "transformer"]:
        """A bag of subwords, or a transformer."""

    def tokenise(self, texts: Sequence[str]) -> list[list[int]]:
        """Turn texts into token ids, special tokens included, cut at the encoder's longest input."""

    def embed(self, tokens: Sequence[Sequence[int]] | Sequence[np.ndarray]) -> torch.Tensor:
        """Encode token ids in one packed pass. Differentiable. Shape [n, d], float32."""

    def save(self, folder: Path) -> None:
        """Write a folder that `SentenceTransformer(folder)` loads and that encodes the same."""


def printable(text: str) -> str:
    """Put the replacement character for bytes that are not UTF-8; no tokenizer takes them."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
