"""Bags of subwords: a text is the mean of the vectors of its subwords."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from lexenc.device import CPU, Device
from lexenc.encoders.base import printable
from lexenc.errors import DataError

_WEIGHT = "embedding.weight"
# The path under which every release of sentence-transformers since 3.2 finds the class.
_TYPE = "sentence_transformers.models.StaticEmbedding"


class StaticEncoder:
    """A tokenizer without special tokens and one vector per subword (StaticEmbedding of sentence-transformers).

    Args:
        tokenizer: Splits text into subwords.
        weights: One row per subword. Shape [v, d].
        device: Where the weights live; arithmetic is always float32, as there is no product to speed up.
    """

    kind: Literal["static"] = "static"

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
        """Turn texts into subword ids; undecodable bytes count as the replacement character."""
        clean = [printable(text) for text in texts]
        return [each.ids for each in self.tokenizer.encode_batch_fast(clean, add_special_tokens=False)]

    def embed(self, tokens: Sequence[Sequence[int]] | Sequence[np.ndarray]) -> torch.Tensor:
        """Average the subword vectors of every text; a text without subwords is the zero vector.

        Args:
            tokens: Subword ids. Ragged, n rows.

        Returns:
            Shape [n, d], float32, differentiable.
        """
        lengths = np.fromiter((len(each) for each in tokens), dtype=np.int64, count=len(tokens))
        flat = (
            np.concatenate([np.asarray(each, dtype=np.int64) for each in tokens]) if len(tokens) else np.zeros(0, int)
        )
        offsets = np.concatenate([[0], np.cumsum(lengths)[:-1]]) if len(tokens) else np.zeros(0, int)
        device = self._bag.weight.device
        ids = torch.from_numpy(flat.astype(np.int64)).to(device)
        vectors: torch.Tensor = self._bag(ids, torch.from_numpy(offsets.astype(np.int64)).to(device))
        return vectors

    def states(self, tokens: Sequence[int] | np.ndarray) -> torch.Tensor:
        """Give the vectors of single subwords. Shape [t] -> [t, d], float32."""
        ids = torch.from_numpy(np.asarray(tokens, dtype=np.int64)).to(self._bag.weight.device)
        vectors: torch.Tensor = self._bag.weight[ids]
        return vectors

    def save(self, folder: Path) -> None:
        """Write tokenizer, weights (safetensors) and the table of modules that sentence-transformers reads."""
        folder.mkdir(parents=True, exist_ok=True)
        save_file({_WEIGHT: self._bag.weight.detach().cpu().contiguous()}, folder / "model.safetensors")
        self.tokenizer.save(str(folder / "tokenizer.json"))
        modules = [{"idx": 0, "name": "0", "path": "", "type": _TYPE}]
        (folder / "modules.json").write_text(json.dumps(modules, indent=2) + "\n", encoding="utf-8")
        settings = {"model_type": "SentenceTransformer", "similarity_fn_name": "cosine", "prompts": {}}
        (folder / "config_sentence_transformers.json").write_text(
            json.dumps(settings, indent=2) + "\n", encoding="utf-8"
        )

    @classmethod
    def load(cls, folder: Path, *, device: Device = CPU) -> StaticEncoder:
        """Load a folder that we or sentence-transformers wrote.

        Raises:
            DataError: If a file is missing or damaged.
        """
        place = folder / _module_path(folder)
        for name in ("tokenizer.json", "model.safetensors"):
            if not (place / name).is_file():
                raise DataError(f"The encoder {folder} has no {name}.", hint="Save it again with safetensors weights.")
        try:
            weights = load_file(place / "model.safetensors")
            tokenizer = Tokenizer.from_file(str(place / "tokenizer.json"))
        except (SafetensorError, ValueError) as error:
            raise DataError(f"The encoder {folder} is damaged: {error}.", hint="Copy or make it again.") from None
        except Exception as error:  # the tokenizers library raises bare exceptions
            raise DataError(f"The tokenizer of {folder} cannot be read: {error}.", hint="Make it again.") from None
        if _WEIGHT not in weights:
            raise DataError(f"The encoder {folder} has no '{_WEIGHT}'.", hint="It is no StaticEmbedding.")
        shape, needed = tuple(weights[_WEIGHT].shape), max(tokenizer.get_vocab().values(), default=-1) + 1
        if len(shape) != 2 or shape[0] < needed:
            raise DataError(
                f"The encoder {folder} has weights of shape {shape} for {needed:,} subwords.",
                hint="Its tokenizer belongs to other weights. Copy or make it again.",
            )
        return cls(tokenizer, weights[_WEIGHT], device=device)


def read_modules(folder: Path) -> list[dict[str, str]]:
    """Give the modules of a sentence-transformers folder; none for a plain language model.

    Raises:
        DataError: If the table is not JSON.
    """
    path = folder / "modules.json"
    if not path.is_file():
        return []
    try:
        modules = json.loads(path.read_text(encoding="utf-8"))
        return [dict(each) for each in modules]
    except (ValueError, TypeError) as error:
        raise DataError(f"{path} is not a table of modules ({error}).", hint="Copy the encoder again.") from None


def is_static(folder: Path) -> bool:
    """Tell whether a folder holds a bag of subwords."""
    modules = read_modules(folder)
    return bool(modules) and modules[0].get("type", "").endswith("StaticEmbedding")


def _module_path(folder: Path) -> str:
    modules = read_modules(folder)
    return modules[0].get("path", "") if modules else ""
