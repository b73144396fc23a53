"""Untrained encoders with tokenizers of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from lexenc.encoders.folder import saving
from lexenc.randomness import torch_generator

TokenizerKind = Literal["unigram", "bpe", "wordpiece"]
_UNKNOWN = "[UNK]"
_SPECIAL = ["[PAD]", _UNKNOWN, "[CLS]", "[SEP]", "[MASK]"]


def train_tokenizer(
    lines: Iterator[str], *, kind: TokenizerKind, vocabulary_size: int, lowercase: bool, special: bool
) -> Tokenizer:
    """Learn a subword vocabulary.

    Args:
        lines: Text.
        kind: Algorithm.
        vocabulary_size: Largest number of subwords.
        lowercase: Whether to lower-case the text.
        special: Whether to add special tokens: [CLS] and [SEP] around every text, and [PAD] and [MASK].
    """
    tokenizer, trainer = _untrained(kind, vocabulary_size, _SPECIAL if special else [_UNKNOWN])
    steps = [normalizers.NFKC(), *([normalizers.Lowercase()] if lowercase else [])]
    tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.train_from_iterator(lines, trainer=trainer)
    if special:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]",
            pair="[CLS] $A [SEP] $B:1 [SEP]:1",
            special_tokens=[(name, tokenizer.token_to_id(name)) for name in ("[CLS]", "[SEP]")],
        )
    return tokenizer


def _untrained(kind: TokenizerKind, size: int, special: list[str]) -> tuple[Tokenizer, Any]:
    settings: dict[str, Any] = {"vocab_size": size, "special_tokens": special, "show_progress": False}
    if kind == "wordpiece":
        tokenizer = Tokenizer(models.WordPiece(unk_token=_UNKNOWN))
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        tokenizer.decoder = decoders.WordPiece()
        return tokenizer, trainers.WordPieceTrainer(**settings)
    tokenizer = Tokenizer(models.Unigram() if kind == "unigram" else models.BPE(unk_token=_UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Metaspace(), pre_tokenizers.Punctuation()])
    tokenizer.decoder = decoders.Metaspace()
    if kind == "bpe":
        return tokenizer, trainers.BpeTrainer(**settings)
    return tokenizer, trainers.UnigramTrainer(**settings, unk_token=_UNKNOWN)


def save_new_transformer(
    folder: Path, tokenizer: Tokenizer, *, dimensions: int, layers: int, heads: int, max_length: int, seed: int
) -> None:
    """Write an untrained BERT with mean pooling as a sentence-transformers folder.

    Args:
        folder: Output folder.
        tokenizer: Tokenizer with [CLS] and [SEP].
        dimensions: Width of the layers.
        layers: Number of layers.
        heads: Number of attention heads; a divisor of `dimensions`.
        max_length: Longest input in tokens.
        seed: Seed of the weights.
    """
    with saving(folder) as place:
        from sentence_transformers import SentenceTransformer
        from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
        from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

        names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), _SPECIAL, strict=True))
        fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=max_length, **names)
        config = BertConfig(
            vocab_size=len(fast),
            hidden_size=dimensions,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            intermediate_size=4 * dimensions,
            max_position_embeddings=max_length,
            pad_token_id=fast.pad_token_id,
        )
        backbone = place / "backbone"
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(torch_generator(seed, "new encoder").initial_seed())
            BertModel(config, add_pooling_layer=False).save_pretrained(backbone)
            fast.save_pretrained(backbone)
            # Loading draws the weights of the pooler, which are not used, but would be missed when it is loaded.
            transformer = Transformer(str(backbone), max_seq_length=max_length)
        SentenceTransformer(modules=[transformer, Pooling(dimensions, pooling_mode="mean")], device="cpu").save(
            str(place), create_model_card=False
        )
        for leftover in backbone.iterdir():
            leftover.unlink()
        backbone.rmdir()
