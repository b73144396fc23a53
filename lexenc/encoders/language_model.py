"""Masked language models: fresh ones of the architecture of XLM-R or BERT, and folders with the prediction head."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from transformers import BertConfig, BertForMaskedLM, PreTrainedTokenizerFast, XLMRobertaConfig, XLMRobertaForMaskedLM

from lexenc.arrays import Ragged
from lexenc.device import Device
from lexenc.encoders.folder import saving, splitting
from lexenc.encoders.load import load_encoder
from lexenc.encoders.masked_language import MaskedHead
from lexenc.encoders.pretrained import quiet_transformers
from lexenc.encoders.subwords import WordTokenizer, uncut_tokenizer
from lexenc.encoders.transformer import TransformerEncoder
from lexenc.encoders.unigram import SPECIAL
from lexenc.errors import ConfigError
from lexenc.randomness import torch_generator


@dataclass(frozen=True)
class Shape:
    """Sizes of a transformer.

    Args:
        layers: Number of layers.
        dimensions: Width of the layers. The inner layers are four times as wide.
        heads: Number of attention heads; a divisor of `dimensions`.
        max_length: Longest input in subwords, special ones included.
    """

    layers: int
    dimensions: int
    heads: int
    max_length: int


class LanguageModel(NamedTuple):
    """An encoder, and the head that predicts masked subwords from its states."""

    encoder: TransformerEncoder
    head: MaskedHead

    @property
    def tokenizer(self) -> Any:
        """The tokenizer, of transformers."""
        return cast(Any, self.encoder.module)[0].tokenizer

    @property
    def regular(self) -> NDArray[np.bool_]:
        """Which subwords are not special. Shape [v]."""
        model = cast(Any, self.encoder.module)[0].auto_model
        regular = np.zeros(model.get_input_embeddings().num_embeddings, dtype=bool)
        regular[list(self.tokenizer.get_vocab().values())] = True
        regular[self.tokenizer.all_special_ids] = False
        return regular

    @property
    def names(self) -> list[str]:
        """The subwords by number; numbers that the tokenizer does not use stand in brackets. Shape [v]."""
        found = self.tokenizer.convert_ids_to_tokens(list(range(len(self.regular))))
        return [name if isinstance(name, str) else f"[{number}]" for number, name in enumerate(found)]

    @property
    def fresh(self) -> bool:
        """Whether the head is new, so that it starts from random weights."""
        return self.head.fresh

    @property
    def room(self) -> int:
        """Longest text in subwords, without special ones."""
        return self.encoder.longest - WordTokenizer(self.encoder.tokenizer).single.size

    def splitter(self) -> Callable[[Sequence[str]], Ragged]:
        """Return a function that splits lines of any length into subwords, without special ones."""
        own = uncut_tokenizer(self.encoder.tokenizer)

        def split(lines: Sequence[str]) -> Ragged:
            with splitting():
                found = own.encode_batch_fast(list(lines), add_special_tokens=False)
            return Ragged.of([each.ids for each in found], dtype=np.int32)

        return split

    def unknown(self, numbers: NDArray[Any]) -> NDArray[np.bool_]:
        """Return which subwords stand for what the vocabulary lacks. Shape as `numbers`."""
        found: NDArray[np.bool_] = np.asarray(numbers == self.tokenizer.unk_token_id)
        return found


def save_new_language_model(
    folder: Path, tokenizer: Any, shape: Shape, *, seed: int, architecture: Literal["xlm-r", "bert"] = "xlm-r"
) -> None:
    """Write a masked language model with random weights.

    Args:
        folder: Output folder.
        tokenizer: Tokenizer with the special subwords of XLM-R, or one of transformers with a mask.
        shape: Sizes.
        seed: Seed of the weights.
        architecture: xlm-r: that of XLM-R. bert: that of BERT.

    Raises:
        ConfigError: If a tokenizer of transformers has no mask.

    Source: Conneau et al. 2020, "Unsupervised Cross-lingual Representation Learning at Scale", section 3; Devlin et
    al. 2019, "BERT", section 3.
    """
    fast = _with_names(tokenizer, shape.max_length) if isinstance(tokenizer, Tokenizer) else tokenizer
    if fast.mask_token_id is None or fast.pad_token_id is None:
        raise ConfigError(
            "The tokenizer has no subword for masks or for padding, which masked language modelling needs.",
            hint="Leave --tokenizer out, or use the tokenizer of a language model.",
        )
    sizes: dict[str, Any] = {
        "vocab_size": max(fast.get_vocab().values()) + 1,
        "hidden_size": shape.dimensions,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "intermediate_size": 4 * shape.dimensions,
        "pad_token_id": fast.pad_token_id,
        "bos_token_id": fast.cls_token_id,
        "eos_token_id": fast.sep_token_id,
    }
    if architecture == "bert":
        config, kind = BertConfig(**sizes, max_position_embeddings=shape.max_length), BertForMaskedLM
    else:
        # Positions are counted from the number of the padding on.
        places = shape.max_length + fast.pad_token_id + 1
        kind = XLMRobertaForMaskedLM
        config = XLMRobertaConfig(**sizes, max_position_embeddings=places, type_vocab_size=1, layer_norm_eps=1e-5)
    with saving(folder) as place, torch.random.fork_rng(devices=[]), quiet_transformers():
        torch.manual_seed(torch_generator(seed, "new language model").initial_seed())
        kind(config).save_pretrained(place)
        fast.save_pretrained(place)


def _with_names(tokenizer: Tokenizer, max_length: int) -> PreTrainedTokenizerFast:
    begin, pad, end, unknown, mask = SPECIAL
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=max_length,
        bos_token=begin,
        cls_token=begin,
        eos_token=end,
        sep_token=end,
        pad_token=pad,
        unk_token=unknown,
        mask_token=mask,
    )


def open_language_model(folder: Path, *, device: Device, max_length: int | None = None) -> LanguageModel:
    """Load a masked language model to train it. Its vectors are the means of its states.

    Args:
        folder: Folder of transformers or sentence-transformers.
        device: Device and precision of the computation.
        max_length: Longest input in subwords. None for the limit of the model.

    Raises:
        ConfigError: If it is no masked language model, see `load_encoder` and `MaskedHead`.
        DataError: If it is damaged.
    """
    encoder = cast(TransformerEncoder, load_encoder(folder, pooling="mean", device=device, max_length=max_length))
    model = cast(Any, encoder.module)[0].auto_model
    if getattr(model, "pooler", None) is not None:
        model.pooler = None  # it predicts nothing, and would be saved untrained
    return LanguageModel(encoder, MaskedHead(folder, encoder))


def save_language_model(folder: Path, model: LanguageModel) -> None:
    """Write a folder that AutoModelForMaskedLM loads with its head, and SentenceTransformer with mean pooling.

    Args:
        folder: Output folder.
        model: The model. Its head predicts the whole vocabulary.
    """
    model.encoder.save(folder)
    whole: Any = model.head.module
    inner, base = whole.base_model, cast(Any, model.encoder.module)[0].auto_model
    setattr(whole, whole.base_model_prefix, base)
    try:
        with saving(folder) as place, quiet_transformers():
            whole.save_pretrained(place)
    finally:
        setattr(whole, whole.base_model_prefix, inner)
