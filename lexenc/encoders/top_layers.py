"""A copy of the last layers of an encoder, which reads states and predicts a text that it does not see."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lexenc.arrays import Indices
from lexenc.encoders.packing import Attention, pack
from lexenc.encoders.transformer import TransformerEncoder
from lexenc.errors import ConfigError


class TopLayers(nn.Module):  # type: ignore[misc]
    """The last layers of an encoder, and the input of one subword at every position, both copied and trained apart.

    Args:
        encoder: The encoder. Its weights are copied.
        count: Number of layers; all if it has fewer.
        subword: The subword, e.g. the mask.
        positions: Number of positions at which the subword can be.

    Raises:
        ConfigError: If the layers of the encoder are of an architecture that is not computed without padding.
    """

    def __init__(self, encoder: TransformerEncoder, count: int, *, subword: int, positions: int) -> None:
        super().__init__()
        backbone = encoder.packed
        if backbone is None:
            raise ConfigError(
                "The last layers of the encoder cannot be copied, because its architecture is not known.",
                hint="Use a model like BERT or XLM-R, or another objective.",
            )
        self._layers = [deepcopy(layer) for layer in backbone.layers[-count:]]
        self.layers = nn.ModuleList(
            nn.ModuleDict({name: part for name, part in vars(layer).items() if isinstance(part, nn.Module)})
            for layer in self._layers
        )
        place = next(encoder.module.parameters()).device
        numbers = torch.arange(positions, device=place)[None]
        training = encoder.module.training
        encoder.module.eval()
        with torch.no_grad():
            inputs = backbone.embed(torch.full_like(numbers, subword), numbers + backbone.offset, None)[0]
        encoder.module.train(training)
        self.inputs = nn.Parameter(inputs.clone())
        self._heads, self._bias, self._weights = backbone.heads, backbone.bias, backbone.weights
        self.eval()  # like an encoder that was loaded

    def forward(self, states: Tensor, known: Sequence[Indices], wanted: Sequence[Indices]) -> Tensor:
        """Return the states of texts that stand for one subword each, after known states.

        Every row attends to its own known states and subwords.

        Args:
            states: Shape [t, width].
            known: Places in `states` of the known states of each row. n arrays of shape [k].
            wanted: Positions of the subwords of each row, in the text that they are of. n arrays of shape [m].

        Returns:
            Shape [all wanted, width], float32, in the order given.
        """
        places = np.concatenate([np.zeros(0, dtype=np.int64), *wanted])
        inputs = self.inputs[torch.from_numpy(places).to(states.device)]
        inputs = F.dropout(inputs, self._layers[0].output_dropout, self.training)
        numbers = np.split(len(states) + np.arange(len(places)), np.cumsum([len(each) for each in wanted])[:-1])
        packed = pack([np.concatenate(each) for each in zip(known, numbers, strict=True)], states.device)
        found = torch.cat([states, inputs])[packed.tokens].to(self._weights.dtype)
        for layer in self._layers:
            dropout = layer.attention_dropout if self.training else 0.0
            found = layer(found, packed, self._weights, Attention(self._heads, dropout, self._bias))
        order = torch.argsort(packed.tokens)[len(packed.tokens) - len(places) :]
        return found[order].float()
