"""A head of masked language models that predicts senses of subwords."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lexenc.arrays import Indices
from lexenc.encoders.language_model import LanguageModel, save_language_model
from lexenc.encoders.masked_language import MaskedHead
from lexenc.errors import ConfigError
from lexenc.training.sense_aware.bank import save_senses
from lexenc.training.sense_aware.inventory import SenseInventory
from lexenc.training.sense_aware.settings import SensePlan
from lexenc.training.sense_aware.table import SenseTable
from lexenc.training.softmax import Negatives, Predictions


class SenseHead(MaskedHead):
    """A head whose last layer has a vector for every sense, of its own even if the subword vectors were shared with it.

    In training its losses are those of senses; otherwise those of subwords, whichever of their senses is right. The
    sense of a masked subword is chosen by the state of the encoder at its place.

    Args:
        head: The head of the language model. Its vectors and biases are those of the first sense.
        width: Length of a state of the encoder.
        plan: The senses of each subword.

    Attributes:
        table: The sense vectors.
        negatives: Subwords that are sampled for the softmax of the step. None for the exact softmax.

    Raises:
        ConfigError: If the head does more than one linear layer after its last other one.
    """

    def __init__(self, head: MaskedHead, width: int, plan: SensePlan) -> None:
        whole: Any = head.module
        self.vocabulary, self.fresh, self.mask, self._folder = None, head.fresh, head.mask, head._folder
        self._whole, self._output = whole, whole.get_output_embeddings()
        weight, bias = self._output.weight, self._output.bias
        bias = weight.new_zeros(len(weight)) if bias is None else bias
        inventory = SenseInventory(plan, width)
        self.table = SenseTable(inventory, weight.shape[1], start=(weight, bias)).to(weight.device)
        self.negatives: Negatives | None = None
        _replace(whole, self._output, nn.Identity())
        self.module = nn.ModuleDict({"head": whole, "senses": self.table}).eval()
        with torch.no_grad():
            found = self.transformed(torch.zeros(2, width, device=weight.device))
        if found.shape != (2, weight.shape[1]):
            raise ConfigError(
                "The head of this model is not a linear layer after others, so that it cannot have senses.",
                hint="Use another --encoder, or leave --senses out.",
            )

    def transformed(self, states: Tensor) -> Tensor:
        """Return the states from which senses are predicted. Shape [t, s] -> [t, d]."""
        return self._scores_of(self._whole, states)

    def token_losses(self, states: Tensor, right: Indices) -> Tensor:
        """Return the cross entropy of senses in training, else of subwords. Shape [t, s], [t] -> [t]."""
        words = torch.from_numpy(np.asarray(right, dtype=np.int64)).to(states.device)
        made = Predictions(self.transformed(states), words, states.detach())
        return self.table.losses(made, self.negatives) if self.module.training else self.table.exact_losses(made)

    def save(self, folder: Path, model: LanguageModel) -> None:
        """Write the model as one of subwords, whose head has the most frequent sense of each, and the senses beside it.

        Args:
            folder: Output folder.
            model: The model whose head this is.
        """
        vectors, biases = self.table.word_vectors()
        output = nn.Linear(vectors.shape[1], len(vectors), device=vectors.device)
        with torch.no_grad():
            output.weight.copy_(vectors)
            output.bias.copy_(biases)
        identity = self._whole.get_output_embeddings()
        tied = getattr(self._whole.config, "tie_word_embeddings", None)
        _replace(self._whole, identity, output)
        inner = self.module
        self.module, self._whole.config.tie_word_embeddings = self._whole, False
        try:
            save_language_model(folder, model)
        finally:
            _replace(self._whole, output, identity)
            self.module, self._whole.config.tie_word_embeddings = inner, tied
        save_senses(folder, model.names, {"senses": self.table}, context="masked")


def _replace(module: nn.Module, child: nn.Module, other: nn.Module) -> None:
    """Put another module wherever a module has a child."""
    for part in list(module.modules()):
        for name, own in list(part.named_children()):
            if own is child:
                setattr(part, name, other)
