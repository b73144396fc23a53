"""Static encoders: one vector per subword, and a text is the mean of the vectors of its subwords."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from lexenc.arrays import Ragged
from lexenc.device import CPU, Device
from lexenc.encoders.base import printable, read_modules
from lexenc.errors import DataError

_WEIGHT = "embedding.weight"
# The path under which every release of sentence-transformers since 3.2 finds the class.
_TYPE = "sentence_transformers.models.StaticEmbedding"


class StaticEncoder:
    """A tokenizer without special tokens and one vector per subword (`StaticEmbedding` of sentence-transformers).

    Args:
        tokenizer: Splits text into subwords.
        weights: One row per subword. Shape [v, d].
        device: Device of the weights. The precision is always float32, as there is no product to speed up.
    """

    kind = "static"

    def __init__(self, tokenizer: Tokenizer, weights: torch.Tensor, *, device: Device = CPU) -> None:
        self.tokenizer = tokenizer
        tokenizer.no_padding()
        tokenizer.no_truncation()
        bag = torch.nn.EmbeddingBag(*weights.shape, mode="mean", _weight=weights.to(torch.float32).clone())
        self.module: torch.nn.Module = bag.to(device.torch)
        self._bag = bag

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        return int(self._bag.embedding_dim)

    def tokenise(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the subword ids of texts; bytes that cannot be decoded count as the replacement character."""
        clean = [printable(text) for text in texts]
        return [each.ids for each in self.tokenizer.encode_batch_fast(clean, add_special_tokens=False)]

    def embed(self, tokens: Sequence[Sequence[int]] | Sequence[np.ndarray]) -> torch.Tensor:
        """Return the mean of the subword vectors of every text; zeros for a text without subwords.

        Args:
            tokens: Subword ids. Ragged, n rows.

        Returns:
            Shape [n, d], float32, differentiable.
        """
        ragged, device = Ragged.of(tokens), self._bag.weight.device
        ids, starts = (torch.from_numpy(each).to(device) for each in (ragged.values, ragged.starts[:-1]))
        vectors: torch.Tensor = self._bag(ids, starts)
        return vectors

    def states(self, tokens: Sequence[int] | np.ndarray) -> torch.Tensor:
        """Return the vectors of single subwords. Shape [t] -> [t, d], float32."""
        ids = torch.from_numpy(np.asarray(tokens, dtype=np.int64)).to(self._bag.weight.device)
        vectors: torch.Tensor = self._bag.weight[ids]
        return vectors

    def save(self, folder: Path) -> None:
        """Write tokenizer, weights (safetensors) and the table of modules that sentence-transformers reads."""
        folder.mkdir(parents=True, exist_ok=True)
        save_file({_WEIGHT: self._bag.weight.detach().cpu().contiguous()}, folder / "model.safetensors")
        self.tokenizer.save(str(folder / "tokenizer.json"))
        modules = [{"idx": 0, "name": "0", "path": "", "type": _TYPE}]
        settings = {"model_type": "SentenceTransformer", "similarity_fn_name": "cosine", "prompts": {}}
        for name, content in (("modules", modules), ("config_sentence_transformers", settings)):
            (folder / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, *, device: Device = CPU) -> StaticEncoder:
        """Load a folder that lexenc or sentence-transformers wrote.

        Raises:
            DataError: If a file is missing or damaged.
        """
        modules = read_modules(folder)
        place = folder / modules[0].get("path", "") if modules else folder
        for name in ("tokenizer.json", "model.safetensors"):
            if not (place / name).is_file():
                raise DataError(f"The encoder {folder} has no {name}.", hint="Save it again with safetensors weights.")
        try:
            weights = load_file(place / "model.safetensors")
            tokenizer = Tokenizer.from_file(str(place / "tokenizer.json"))
        except (SafetensorError, ValueError) as error:
            raise DataError(f"The encoder {folder} is damaged: {error}.", hint="Copy it or make it again.") from None
        except Exception as error:  # the tokenizers library raises bare exceptions
            raise DataError(f"The tokenizer of {folder} cannot be read: {error}.", hint="Make it again.") from None
        if _WEIGHT not in weights:
            raise DataError(f"The encoder {folder} has no '{_WEIGHT}'.", hint="Use a StaticEmbedding.")
        shape, needed = tuple(weights[_WEIGHT].shape), max(tokenizer.get_vocab().values(), default=-1) + 1
        if len(shape) != 2 or shape[0] < needed:
            raise DataError(
                f"The encoder {folder} has weights of shape {shape} for {needed:,} subwords.",
                hint="Its tokenizer belongs to other weights. Copy it or make it again.",
            )
        return cls(tokenizer, weights[_WEIGHT], device=device)
