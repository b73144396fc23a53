"""Static encoders: one vector per subword, and a text is the mean of the vectors of its subwords."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer

from lexenc.arrays import Ragged
from lexenc.device import CPU, Device
from lexenc.encoders.base import OWN, Languages, Pooling, Tokens, check_no_languages, printable
from lexenc.encoders.folder import (
    MODULES_PATH,
    SETTINGS,
    STATIC_CLASS,
    check_files,
    check_vocabulary,
    guarded,
    read_model_settings,
    read_settings,
    saving,
    splitting,
    static_modules,
)
from lexenc.encoders.heads import Head, load_head, read_weights
from lexenc.errors import ConfigError, DataError

_WEIGHT = "embedding.weight"
_NEW: dict[str, Any] = {"model_type": "SentenceTransformer", "similarity_fn_name": "cosine", "prompts": {}}

_FILES = {
    "tokenizer.json": "Copy it there again, or save it: tokenizer.save('tokenizer.json') of tokenizers.",
    "model.safetensors": "Save it again with safetensors weights.",
}


class StaticEncoder:
    """A tokenizer without special tokens, one vector per subword, and the modules that follow their mean.

    Args:
        tokenizer: Splits text into subwords, and truncates it if it is set to.
        weights: One row per subword. Shape [v, width].
        head: What turns the mean of the subwords into the vector of the text. None for nothing.
        settings: Settings of sentence-transformers, which are saved with the encoder. Its default prompt precedes every
            text.
        device: Device of the weights. The precision is always float32, as there is little to speed up.
        max_length: Longest text in subwords, the prompt included. None for the limit of the tokenizer, if it has one.
    """

    kind = "static"

    def __init__(
        self,
        tokenizer: Tokenizer,
        weights: torch.Tensor,
        *,
        head: Head | None = None,
        settings: Mapping[str, Any] | None = None,
        device: Device = CPU,
        max_length: int | None = None,
    ) -> None:
        self.tokenizer = tokenizer
        tokenizer.no_padding()
        own = tokenizer.truncation or {"max_length": max_length, "direction": "right"}
        if max_length is not None and max_length <= own["max_length"]:
            tokenizer.enable_truncation(max_length, direction=own["direction"])
        self.settings = dict(_NEW if settings is None else settings)
        self._prompt = (self.settings.get("prompts") or {}).get(self.settings.get("default_prompt_name")) or ""
        bag = torch.nn.EmbeddingBag(*weights.shape, mode="mean", _weight=weights.to(torch.float32).clone())
        self._bag, self._head = bag.to(device.torch), (head or Head()).to(device.torch)
        self.module: torch.nn.Module = torch.nn.Sequential(self._bag, self._head).eval()
        self.dimensions = int(self._head(self._bag.weight[:0]).shape[1])

    def tokenise(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the subword ids of texts; bytes that cannot be decoded count as the replacement character."""
        prompted = [self._prompt + printable(text) for text in texts]
        with splitting():
            return [each.ids for each in self.tokenizer.encode_batch_fast(prompted, add_special_tokens=False)]

    def embed(self, tokens: Tokens, languages: Languages | None = None) -> torch.Tensor:
        """Return the mean of the subword vectors of every text, zeros without subwords, as the head changes it.

        Args:
            tokens: Subword ids. Ragged, n rows.
            languages: None or zeros, because a static encoder knows no languages.

        Returns:
            Shape [n, d], float32, differentiable.

        Raises:
            ConfigError: If a text has a language.
        """
        check_no_languages(languages)
        ragged, device = Ragged.of(tokens), self._bag.weight.device
        ids, starts = (torch.from_numpy(each).to(device) for each in (ragged.values, ragged.starts[:-1]))
        vectors: torch.Tensor = self._head(self._bag(ids, starts))
        return vectors

    def states(self, tokens: Sequence[int] | np.ndarray) -> torch.Tensor:
        """Return the vectors of single subwords, without the head. Shape [t] -> [t, width], float32."""
        ids = torch.from_numpy(np.asarray(tokens, dtype=np.int64)).to(self._bag.weight.device)
        vectors: torch.Tensor = self._bag.weight[ids]
        return vectors

    def finish(self, means: np.ndarray) -> np.ndarray:
        """Return the vectors of texts whose subwords have these means. Shape [t, width] -> [t, d], float32."""
        with torch.inference_mode():
            vectors: np.ndarray = self._head(torch.from_numpy(means).to(self._bag.weight.device)).cpu().numpy()
            return vectors

    def chosen(self, tokenizer: Tokenizer, rows: np.ndarray) -> StaticEncoder:
        """Return the encoder with only some subwords.

        Args:
            tokenizer: Its tokenizer.
            rows: Number of each subword so far. Shape [v].
        """
        return StaticEncoder(tokenizer, self.states(rows).detach(), head=self._head, settings=self.settings)

    def reference(self, texts: Sequence[str]) -> np.ndarray:
        """Encode texts one by one, as means of rows. Shape [n, d], float32."""
        rows, means = self._bag.weight.detach().cpu().numpy(), []
        for text in texts:
            found = self.tokenizer.encode(self._prompt + printable(text), add_special_tokens=False).ids
            means.append(rows[found].mean(axis=0) if found else np.zeros_like(rows[0]))
        return self.finish(np.stack(means))

    def save(self, folder: Path) -> None:
        """Write tokenizer, weights (safetensors), modules and settings, as sentence-transformers reads them."""
        with saving(folder) as place:
            self._save(place)

    def _save(self, folder: Path) -> None:
        save_file({_WEIGHT: self._bag.weight.detach().cpu().contiguous()}, folder / "model.safetensors")
        self.tokenizer.save(str(folder / "tokenizer.json"))
        modules = [{"idx": 0, "name": "0", "path": "", "type": MODULES_PATH + STATIC_CLASS}]
        for place, part in enumerate(self._head.parts, start=1):
            name = type(part).__name__
            modules.append({"idx": place, "name": str(place), "path": f"{place}_{name}", "type": MODULES_PATH + name})
            (folder / f"{place}_{name}").mkdir(exist_ok=True)
            part.save(str(folder / f"{place}_{name}"))
        settings = {name: value for name, value in self.settings.items() if name != "truncate_dim"}
        if self._head.dimensions:
            settings["truncate_dim"] = self._head.dimensions
        for file, content in (("modules.json", modules), (SETTINGS, settings)):
            (folder / file).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(
        cls, folder: Path, *, pooling: Pooling = "auto", device: Device = CPU, max_length: int | None = None
    ) -> StaticEncoder:
        """Load a folder that lexenc, sentence-transformers or model2vec wrote.

        Args:
            folder: The folder.
            pooling: See `lexenc.encoders.load.load_encoder`.
            device: Device of the weights.
            max_length: Longest text in subwords. None for the limit of the tokenizer, if it has one.

        Raises:
            ConfigError: If a module cannot be used.
            DataError: If a file is missing or damaged.
        """
        check_files(folder)
        modules, settings = static_modules(folder), read_model_settings(folder)
        place = folder / modules[0].path if modules else folder
        for name, hint in _FILES.items():
            if not (place / name).is_file():
                raise DataError(f"The encoder {folder} has no {name}.", hint=hint)
        with guarded(f"{place / 'tokenizer.json'} cannot be read", "Copy the encoder or make it again."):
            tokenizer = Tokenizer.from_buffer((place / "tokenizer.json").read_bytes())
        check_vocabulary(tokenizer)
        weights = _read_rows(place / "model.safetensors", max(tokenizer.get_vocab().values(), default=-1) + 1)
        if pooling not in (*OWN, "mean"):
            raise ConfigError(
                f"The encoder {folder} is static, so pooling {pooling} does not fit it.", hint="Use pooling mean."
            )
        head = Head()
        if pooling != "mean":
            head = load_head(folder, modules[1:], width=weights.shape[1], dimensions=settings.truncate_dim)
        own = read_settings(folder / SETTINGS) or None
        return cls(tokenizer, weights, head=head, settings=own, device=device, max_length=max_length)


def _read_rows(path: Path, subwords: int) -> torch.Tensor:
    """Read one vector per subword from the weights of sentence-transformers or of model2vec.

    model2vec may store fewer vectors than subwords. Then `mapping` has the vector of every subword, and `weights` the
    number by which it is multiplied.

    Args:
        path: File of the weights.
        subwords: Number of subwords of the tokenizer.

    Returns:
        Shape [v, width], float32, with v >= `subwords`.

    Raises:
        DataError: If the file is damaged, or its tensors do not fit each other or the tokenizer.
    """
    tensors = read_weights(path)
    name = _WEIGHT if _WEIGHT in tensors else "embeddings"
    if name not in tensors:
        raise DataError(
            f"{path} has neither '{_WEIGHT}' nor 'embeddings'.", hint="Use the weights of a StaticEmbedding."
        )
    rows = tensors[name]
    mapping, weights = (None if name == _WEIGHT else tensors.get(each) for each in ("mapping", "weights"))
    if rows.ndim != 2 or not rows.numel():
        raise _unfit(path, name, rows, "is no table of vectors")
    if not rows.is_floating_point() and weights is None:
        raise _unfit(path, name, rows, "has whole numbers, without 'weights' that scale them")
    if mapping is not None:
        name, rows = "mapping", _mapped(path, rows, mapping)
    if not subwords or len(rows) < subwords:
        lone = ", and there is no 'mapping'" if name == "embeddings" else ""
        raise _unfit(path, name, tensors[name], f"does not fit the {subwords:,} subwords of the tokenizer{lone}")
    if weights is None:
        return rows.float()
    if weights.shape != rows.shape[:1]:
        raise _unfit(path, "weights", weights, f"is no list of a number for each of {len(rows):,} subwords")
    return rows.float() * weights[:, None].float()


def _mapped(path: Path, rows: torch.Tensor, mapping: torch.Tensor) -> torch.Tensor:
    """Return the row of every subword. Shapes [r, width] and [v] -> [v, width]."""
    if mapping.ndim != 1 or mapping.is_floating_point() or not len(mapping):
        raise _unfit(path, "mapping", mapping, "is no list of row numbers")
    if not 0 <= int(mapping.min()) <= int(mapping.max()) < len(rows):
        limits = f"from {mapping.min()} to {mapping.max()}"
        raise _unfit(path, "mapping", mapping, f"has row numbers {limits}, for {len(rows):,} rows of 'embeddings'")
    return rows[mapping.long()]


def _unfit(path: Path, name: str, tensor: torch.Tensor, what: str) -> DataError:
    kind = str(tensor.dtype).removeprefix("torch.")
    return DataError(
        f"The tensor '{name}' of {path} (shape {tuple(tensor.shape)}, {kind}) {what}.",
        hint="Copy the encoder or make it again.",
    )
