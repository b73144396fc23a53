"""Every family of encoders equals the library that made it: a text alone, and in batches padded on either side."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertModel,
    DebertaV2Config,
    DebertaV2Model,
    ElectraConfig,
    ElectraModel,
    GPT2Config,
    GPT2Model,
    M2M100Config,
    M2M100Model,
    MBartConfig,
    MBartModel,
    ModernBertConfig,
    ModernBertModel,
    MPNetConfig,
    MPNetModel,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaModel,
    T5Config,
    T5EncoderModel,
    T5Model,
    XLMRobertaConfig,
    XLMRobertaModel,
    XLNetConfig,
    XLNetModel,
)

from lexenc.device import CPU
from lexenc.encoders.encode import encode_texts
from lexenc.encoders.load import load_encoder
from lexenc.encoders.word_vectors import word_encoder

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

TEXTS = ["dog", "a hot dog", "zzz", "the dog runs " * 5, "dog the", "Hund", "the hot dog runs a", "ab", "hot dog"]
LIMIT = 32  # tokens; one of the texts is longer
WORDS = ["dog", "the", "runs", "hot", "hund", *"abcdefghijklmnopqrstuvwxyz", "##x", "##z", "##b", "##d"]
BERT = {
    "vocab_size": 50,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 40,
}
ROBERTA = BERT | {"pad_token_id": 3, "type_vocab_size": 1}
SEQ2SEQ = {
    "vocab_size": 50,
    "d_model": 16,
    "encoder_layers": 2,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
    "max_position_embeddings": 40,
    "pad_token_id": 1,
}


@dataclass(frozen=True)
class Family:
    """A model of transformers that is built in place, and what it is compared with.

    Args:
        model: Its class.
        config: Its configuration.
        template: Special tokens around a text, as the tokenizers library writes them.
        padding: Number of the padding token.
        typed: Whether the tokenizer returns token type ids.
        pooling: How the states of the tokens become one vector.
        counted: Whether the model counts padding on the left, so that positions have to be given.
        encoder: The part that is compared.
        sides: Sides of padding that the model can be used with.
    """

    model: Any
    config: Any
    template: str = "[CLS] $A [SEP]"
    padding: int = 0
    typed: bool = False
    pooling: str = "mean"
    counted: bool = False
    encoder: Callable[[Any], Any] = lambda model: model
    sides: tuple[str, ...] = ("left", "right")

    def make(self, folder: Path) -> None:
        """Write model and tokenizer, as transformers does; with another pooling, as sentence-transformers does."""
        torch.manual_seed(7)
        model = self.model(self.config)
        for values in model.parameters():  # far from the start, so that attention, biases and types matter
            spread = 0.3 if values.ndim > 1 else 0.2
            values.data.add_(torch.randn_like(values) * spread)
        model.save_pretrained(folder)
        names = ["<pad1>", "<pad2>", "<pad3>", "<pad4>"]
        names[self.padding] = "[PAD]"
        words = {word: i for i, word in enumerate([*names, "[UNK]", "[CLS]", "[SEP]", *WORDS])}
        inner = Tokenizer(models.WordPiece(words, unk_token="[UNK]"))
        inner.normalizer, inner.pre_tokenizer = normalizers.Lowercase(), pre_tokenizers.Whitespace()
        special = [(name, words[name]) for name in ("[CLS]", "[SEP]") if name in self.template]
        inner.post_processor = processors.TemplateProcessing(single=self.template, special_tokens=special)
        given = ["input_ids", "attention_mask", *(["token_type_ids"] if self.typed else [])]
        names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "model_max_length": LIMIT, "model_input_names": given}
        PreTrainedTokenizerFast(tokenizer_object=inner, **names).save_pretrained(folder)
        if self.pooling != "mean":
            parts = [Transformer(str(folder)), Pooling(self.config.hidden_size, self.pooling)]
            SentenceTransformer(modules=parts, device="cpu").save(str(folder), create_model_card=False)

    def states(self, folder: Path, texts: list[str], side: str, layer: int = -1) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the states of a padded batch at a layer, and which of them are real."""
        tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
        tokenizer.padding_side = side
        given = tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
        mask = given["attention_mask"]
        if self.counted:
            given["position_ids"] = (mask.cumsum(1) - 1).clamp(min=0)
        model = self.encoder(self.model.from_pretrained(folder)).eval()
        with torch.no_grad():
            found = model(**given, output_hidden_states=True)
        states = found.last_hidden_state if layer == -1 else found.hidden_states[layer]
        return states, mask

    def vectors(self, folder: Path, texts: list[str], side: str) -> np.ndarray:
        """Return the vectors of a padded batch."""
        states, mask = self.states(folder, texts, side)
        if self.pooling == "lasttoken":
            last = mask.shape[1] - 1 - mask.flip(1).argmax(1)
            return states[torch.arange(len(states)), last].numpy()
        real = mask.unsqueeze(-1)
        return ((states * real).sum(1) / real.sum(1)).numpy()


@dataclass(frozen=True)
class Model2Vec:
    """A static encoder of model2vec, with fewer rows than subwords. It knows no padding."""

    sides: tuple[str, ...] = ("right",)

    def make(self, folder: Path) -> None:
        """Write tensors and tokenizer, as model2vec does."""
        words = {word: i for i, word in enumerate(["[UNK]", *WORDS])}
        draw = np.random.default_rng(7)
        tensors = {
            "embeddings": draw.normal(size=(10, 16)).astype(np.float16),
            "mapping": draw.integers(0, 10, len(words)),
            "weights": draw.uniform(0.1, 2, len(words)).astype(np.float32),
        }
        folder.mkdir()
        save_file(tensors, folder / "model.safetensors")
        inner = Tokenizer(models.WordPiece(words, unk_token="[UNK]"))
        inner.normalizer, inner.pre_tokenizer = normalizers.Lowercase(), pre_tokenizers.Whitespace()
        inner.save(str(folder / "tokenizer.json"))
        settings = {"model_type": "model2vec", "normalize": True}
        (folder / "config.json").write_text(json.dumps(settings), encoding="utf-8")
        types = ["sentence_transformers.models.StaticEmbedding", "sentence_transformers.models.Normalize"]
        rows = [{"idx": i, "name": f"{i}", "path": f"{i}_Normalize" * i, "type": each} for i, each in enumerate(types)]
        (folder / "modules.json").write_text(json.dumps(rows), encoding="utf-8")

    def vectors(self, folder: Path, texts: list[str], side: str) -> np.ndarray:
        """Return the vectors of sentence-transformers."""
        return SentenceTransformer(str(folder), device="cpu").encode(texts)


def encoder_of(model: Any) -> Any:
    return model.get_encoder()


FAMILIES = {
    "bert": Family(BertModel, BertConfig(**BERT), typed=True, counted=True),
    "bert-types": Family(BertModel, BertConfig(**BERT), "[CLS]:1 $A [SEP]:1", typed=True, counted=True),
    "roberta": Family(RobertaModel, RobertaConfig(**ROBERTA), padding=3),
    "xlm-r": Family(XLMRobertaModel, XLMRobertaConfig(**ROBERTA | {"pad_token_id": 1}), padding=1),
    "xlnet": Family(
        XLNetModel, XLNetConfig(vocab_size=50, d_model=16, n_layer=2, n_head=2, d_inner=32),
        "$A [SEP] [CLS]:2", typed=True,
    ),
    "electra": Family(ElectraModel, ElectraConfig(**BERT, embedding_size=8), typed=True, counted=True),
    "deberta": Family(
        DebertaV2Model,
        DebertaV2Config(**BERT, relative_attention=True, pos_att_type=["p2c", "c2p"], position_buckets=8,
                        position_biased_input=False, norm_rel_ebd="layer_norm", share_att_key=True),
        typed=True,
    ),
    "modernbert": Family(
        ModernBertModel,
        ModernBertConfig(**BERT, pad_token_id=0, bos_token_id=5, eos_token_id=6, cls_token_id=5, sep_token_id=6,
                         local_attention=4, global_attn_every_n_layers=2),
    ),
    "mpnet": Family(MPNetModel, MPNetConfig(**BERT | {"pad_token_id": 1}), padding=1),
    "t5": Family(
        T5EncoderModel, T5Config(vocab_size=50, d_model=16, d_kv=8, num_layers=2, num_heads=2, d_ff=32), "$A [SEP]"
    ),
    "t5 with decoder": Family(
        T5Model, T5Config(vocab_size=50, d_model=16, d_kv=8, num_layers=2, num_heads=2, d_ff=32), "$A [SEP]",
        encoder=encoder_of,
    ),
    "m2m100": Family(M2M100Model, M2M100Config(**SEQ2SEQ), padding=1, encoder=encoder_of),
    "mbart": Family(
        MBartModel, MBartConfig(**SEQ2SEQ), "$A [SEP] [CLS]", padding=1, encoder=encoder_of, sides=("right",)
    ),
    "gpt2": Family(
        GPT2Model, GPT2Config(vocab_size=50, n_embd=16, n_layer=2, n_head=2, n_positions=40), "$A",
        pooling="lasttoken", counted=True,
    ),
    "model2vec": Model2Vec(),
}  # fmt: skip


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("families")
    for name, family in FAMILIES.items():
        family.make(root / name)
    return {name: root / name for name in FAMILIES}


def farthest(one: np.ndarray, other: np.ndarray) -> float:
    assert one.shape == other.shape
    return float(np.abs(one - other).max() / max(1.0, np.abs(other).max()))


@pytest.mark.parametrize("name", FAMILIES)
def test_vectors_equal_the_reference(folders: dict[str, Path], name: str) -> None:
    family, folder = FAMILIES[name], folders[name]
    found = encode_texts(load_encoder(folder, device=CPU), TEXTS)
    alone = np.concatenate([family.vectors(folder, [text], "right") for text in TEXTS])
    distances = {"alone": farthest(found, alone)}
    distances |= {side: farthest(found, family.vectors(folder, TEXTS, side)) for side in family.sides}
    assert max(distances.values()) < 1e-5, distances


@pytest.mark.parametrize("name", [name for name in FAMILIES if name != "model2vec"])
def test_words_at_a_layer_equal_the_reference(folders: dict[str, Path], name: str) -> None:
    family, folder = FAMILIES[name], folders[name]
    encoder = load_encoder(folder, device=CPU)
    sentence = ["the", "dog", "runs"]  # one subword each
    first = family.template.index("$A") // 6  # special tokens before the text
    for layer in (0, 1, -1):
        states, _ = family.states(folder, [" ".join(sentence)], "right", layer)
        expected = states[0, first : first + 3].numpy()
        assert farthest(word_encoder(encoder, layer=layer)([sentence]).values, expected) < 1e-5, layer
