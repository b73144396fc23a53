"""A BiLSTM over the states of the tokens of a frozen encoder, with max pooling, and dense layers on what it finds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from lexenc.arrays import Indices, Ragged, blocks, positions, ranges, starts_of
from lexenc.encoders.base import Encoder, WordEncoder
from lexenc.encoders.elmo import turned_places
from lexenc.encoders.word_vectors import word_encoder
from lexenc.progress import SILENT, Progress
from lexenc.randomness import torch_generator
from lexenc.training.classification import Classifier, Examples, Store, Texts, dense_layers, device_of, in_memory

_CELLS = 300  # of each direction, as in the BiLSTM of MultiNLI
_CHUNK = 1024  # texts encoded at a time
_STORED = np.float16


class BiLstm(Classifier):
    """A BiLSTM and two dense layers on the states of a frozen encoder. A text is the maximum of its outputs.

    The dense layers read u of one text; u, v, |u - v| and u * v of a pair. Every state is that of a subword in the last
    layer of the encoder (of ELMo, in the layers that its text vectors are made of), brought to mean 0 and variance 1
    over its dimensions. Special tokens have none. A text is cut where the encoder cuts it.

    Source: Conneau et al. 2017, "Supervised Learning of Universal Sentence Representations", section 3.2.3; the number
    of cells is that of Williams et al. 2018, "MultiNLI", section 3.

    Memory: the states of one step. All states are stored as 2 bytes per number, each distinct text once.
    """

    tunes, pooling = False, "auto"
    epochs, batch_size, learning_rate = 5, 64, 1e-3

    def __init__(self, encoder: Encoder, *, texts: int, classes: int, seed: int) -> None:
        width = self.width(encoder)
        self._device = device_of(encoder)
        both = [_lstm(width, seed, name) for name in ("forward", "backward")]
        self._lstms = nn.ModuleList(both).to(self._device).eval()
        features = 2 * _CELLS * (4 if texts > 1 else 1)
        self._head = dense_layers(features, classes, seed).to(self._device).eval()
        self.modules = {"lstm": self._lstms, "head": self._head}

    @staticmethod
    def width(encoder: Encoder) -> int:
        """Return the length of a state."""
        return int(_words(encoder)([["a"]]).values.shape[1])

    @staticmethod
    def read(
        encoder: Encoder, texts: Sequence[Texts], *, store: Store = in_memory, progress: Progress = SILENT
    ) -> Examples:
        """Encode every text."""
        places = {text: place for place, text in enumerate(dict.fromkeys(chain.from_iterable(texts)))}
        lengths, truncated = np.zeros(len(places), dtype=np.int64), np.zeros(len(places), dtype=np.bool_)
        blocks_of_states = _states(encoder, list(places), lengths, truncated, progress)
        values = store(blocks_of_states, BiLstm.width(encoder))
        sides = np.array([[places[text] for text in each] for each in texts], dtype=np.int64)
        sizes: Indices = np.maximum(1, lengths)[sides].max(axis=1) * sides.shape[1]
        return Examples(sizes, (Ragged(starts_of(lengths), values), sides), int(truncated[sides].any(axis=1).sum()))

    def logits(self, examples: Examples, rows: Indices) -> Tensor:
        """Score some examples by the states of their texts."""
        states, sides = examples.data
        found = self._texts(states.take(sides[rows].T.ravel()))
        u, *others = found.chunk(sides.shape[1])
        parts = [u, *(part for v in others for part in (v, (u - v).abs(), u * v))]
        logits: Tensor = self._head(torch.cat(parts, dim=1))
        return logits

    def _texts(self, states: Ragged) -> Tensor:
        """Return the vectors of texts from the states of their tokens. Shape [n, 2 cells]."""
        lengths = np.maximum(1, states.lengths)  # a text without a token is one state of zeros
        padded = np.zeros((len(lengths), int(lengths.max()), states.values.shape[1]), dtype=np.float32)
        padded[states.rows, positions(states.lengths)] = states.values
        inputs, sizes = torch.from_numpy(padded).to(self._device), torch.from_numpy(lengths).to(self._device)
        turned = turned_places(sizes, padded.shape[1])[:, :, None]
        forward, backward = self._lstms
        outputs = [forward(inputs)[0], backward(inputs.gather(1, turned.expand(inputs.shape)))[0]]
        outside = torch.arange(padded.shape[1], device=self._device)[None] >= sizes[:, None]
        return torch.cat([each.masked_fill(outside[:, :, None], -torch.inf).amax(dim=1) for each in outputs], dim=1)


def _states(
    encoder: Encoder, texts: Sequence[str], lengths: Indices, truncated: NDArray[np.bool_], progress: Progress
) -> Iterator[NDArray[np.float16]]:
    """Yield the states of texts, block by block, and note how many each text has, and which were cut."""
    words = _words(encoder)
    with progress.task("Encoding", len(texts), "texts") as task:
        for part in blocks(len(texts), _CHUNK):
            found = words([[text] for text in texts[part]])
            counts, most = np.diff(found.starts), np.array([len(each) for each in encoder.tokenise(texts[part])])
            lengths[part], truncated[part] = np.minimum(counts, most), counts > most
            values = torch.from_numpy(found.values[ranges(found.starts[:-1], lengths[part])])
            yield F.layer_norm(values, values.shape[1:], eps=1e-12).numpy().astype(_STORED)
            task.advance(len(counts))


def _words(encoder: Encoder) -> WordEncoder:
    layer = getattr(getattr(encoder, "settings", None), "vector", -1)
    return word_encoder(encoder, layer=layer)


def _lstm(width: int, seed: int, name: str) -> nn.LSTM:
    """Return an LSTM with random weights."""
    # Made without numbers first, so that no other random stream is drawn from.
    lstm = nn.LSTM(width, _CELLS, batch_first=True, device="meta").to_empty(device="cpu")
    draw = torch_generator(seed, f"{name} LSTM")
    for each in lstm.parameters():
        nn.init.uniform_(each, -(_CELLS**-0.5), _CELLS**-0.5, generator=draw)
    return lstm
