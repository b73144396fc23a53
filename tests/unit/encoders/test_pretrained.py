"""Folders whose weights are not those of their model are refused, whatever loads them."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, LayerNorm, Normalize, Pooling, Transformer
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForQuestionAnswering,
    AutoTokenizer,
    BertConfig,
    BertForMaskedLM,
    BertForPreTraining,
    BertForQuestionAnswering,
    BertModel,
    DebertaV2Config,
    DebertaV2ForMaskedLM,
    DistilBertConfig,
    DistilBertForMaskedLM,
    ElectraConfig,
    ElectraForMaskedLM,
    GPT2Config,
    GPT2Model,
    M2M100Config,
    M2M100ForConditionalGeneration,
    M2M100Model,
    MarianConfig,
    MarianMTModel,
    MBartConfig,
    MBartModel,
    ModernBertConfig,
    ModernBertForMaskedLM,
    MPNetConfig,
    MPNetForMaskedLM,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForMaskedLM,
    RobertaModel,
    T5Config,
    T5ForConditionalGeneration,
    XLMConfig,
    XLMModel,
    XLMRobertaConfig,
    XLMRobertaForMaskedLM,
    XLNetConfig,
    XLNetModel,
    XmodConfig,
    XmodModel,
)

from lexenc.alignment.span_model import SpanModel, all_questions
from lexenc.device import CPU
from lexenc.encoders import load
from lexenc.encoders.encode import encode_texts
from lexenc.encoders.load import load_encoder
from lexenc.encoders.masked_language import MaskedHead, MaskedText
from lexenc.encoders.pretrained import UNLIMITED
from lexenc.errors import ConfigError, DataError, LexencError

TEXTS = ["dog", "the hot dog", "zzz runs", "", "Dog the"]
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "¶", "dog", "the", "runs", "hot", *"abcdefghijklmnopqrstuvwxyz"]
BERT = {
    "vocab_size": 40,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 24,
}
SEQ2SEQ = {
    "vocab_size": 40,
    "d_model": 16,
    "encoder_layers": 2,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
    "max_position_embeddings": 24,
    "pad_token_id": 0,
}
T5 = {"vocab_size": 40, "d_model": 16, "d_kv": 8, "num_layers": 2, "num_heads": 2, "d_ff": 32}


def write(folder: Path, model: torch.nn.Module, *, limit: int | None = 24, words: list[str] = WORDS) -> Path:
    """A folder of transformers, whose weights are far from the start."""
    torch.manual_seed(3)
    for values in model.parameters():
        values.data.add_(torch.randn_like(values) * 0.2)
    model.save_pretrained(folder)
    inner = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    inner.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "mask_token": "[MASK]"}
    given = {"model_max_length": limit} if limit else {}
    PreTrainedTokenizerFast(tokenizer_object=inner, **names, **given).save_pretrained(folder)
    return folder


def write_modules(folder: Path, backbone: Path, *parts: torch.nn.Module, **settings: object) -> Path:
    """A folder of sentence-transformers."""
    modules = [Transformer(str(backbone)), *parts]
    SentenceTransformer(modules=modules, device="cpu", **settings).save(str(folder), create_model_card=False)
    return folder


def change(folder: Path, out: Path, edit: Callable[[dict[str, torch.Tensor]], object], part: str = "") -> Path:
    """A copy of a folder with other tensors."""
    shutil.copytree(folder, out)
    tensors = load_file(out / part / "model.safetensors")
    edit(tensors)
    save_file(tensors, out / part / "model.safetensors", metadata={"format": "pt"})
    return out


def configure(folder: Path, out: Path, **settings: object) -> Path:
    """A copy of a folder with other settings in its config.json."""
    shutil.copytree(folder, out)
    config = json.loads((out / "config.json").read_text(encoding="utf-8"))
    (out / "config.json").write_text(json.dumps(config | settings), encoding="utf-8")
    return out


def retokenise(folder: Path, out: Path, **settings: object) -> Path:
    """A copy of a folder with other settings of its tokenizer; None removes one."""
    shutil.copytree(folder, out)
    old = json.loads((out / "tokenizer_config.json").read_text(encoding="utf-8"))
    new = {name: value for name, value in (old | settings).items() if value is not None}
    (out / "tokenizer_config.json").write_text(json.dumps(new), encoding="utf-8")
    return out


def vectors(folder: Path) -> np.ndarray:
    return encode_texts(load_encoder(folder, device=CPU), TEXTS)


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("bert"), BertModel(BertConfig(**BERT)))


LOADERS = {
    "encoder": lambda folder: load_encoder(folder, device=CPU),
    "mean of an encoder": lambda folder: load_encoder(folder, pooling="mean", device=CPU),
    "new span model": lambda folder: SpanModel.load(folder, new_head=True),
}


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize(
    "name",
    ["embeddings.LayerNorm.bias", "embeddings.position_embeddings.weight", "encoder.layer.1.output.dense.weight"],
)
def test_a_missing_tensor_is_refused(bert: Path, tmp_path: Path, loader: str, name: str) -> None:
    folder = change(bert, tmp_path / "missing", lambda tensors: tensors.pop(name))
    with pytest.raises(DataError, match=rf"{folder} lacks weights: 1 tensor \((bert\.)?{re.escape(name)}\)"):
        LOADERS[loader](folder)


def test_only_an_unused_pooler_may_be_missing(bert: Path, tmp_path: Path) -> None:
    def without(tensors: dict[str, torch.Tensor]) -> None:
        del tensors["pooler.dense.weight"], tensors["pooler.dense.bias"]

    np.testing.assert_array_equal(vectors(change(bert, tmp_path / "poolerless", without)), vectors(bert))


def test_weights_under_other_names_are_refused(bert: Path, tmp_path: Path) -> None:
    def rename(tensors: dict[str, torch.Tensor]) -> None:
        for name in list(tensors):
            tensors[f"text_encoder.encoder_q.{name}"] = tensors.pop(name)

    with pytest.raises(DataError, match=r"lacks weights: 37 tensors \(embeddings.LayerNorm.bias, .*, \.\.\.\)"):
        load_encoder(change(bert, tmp_path / "prefixed", rename), device=CPU)


def test_weights_of_another_architecture_are_refused(bert: Path, tmp_path: Path) -> None:
    def gate(tensors: dict[str, torch.Tensor]) -> None:
        for name in [name for name in tensors if ".intermediate." in name]:
            tensors[name.replace("intermediate.dense", "mlp.gated_layers")] = tensors.pop(name)
        del tensors["embeddings.position_embeddings.weight"]

    with pytest.raises(DataError, match=r"lacks weights: 5 tensors .* and has weights that BertModel does not use: 4 "):
        load_encoder(change(bert, tmp_path / "gated", gate), device=CPU)


def test_more_layers_than_the_configuration_says_are_refused(bert: Path, tmp_path: Path) -> None:
    folder = configure(bert, tmp_path / "cut", num_hidden_layers=1)
    with pytest.raises(DataError, match=r"does not use: 16 tensors \(encoder.layer.1"):
        load_encoder(folder, device=CPU)


@pytest.mark.parametrize("kind", [BertForMaskedLM, BertForPreTraining, BertForQuestionAnswering])
def test_heads_of_other_tasks_are_harmless(tmp_path: Path, kind: type) -> None:
    folder = write(tmp_path, kind(BertConfig(**BERT)))
    model = AutoModel.from_pretrained(folder).eval()
    encoder = load_encoder(folder, device=CPU)
    tokens = encoder.tokenise(["the dog"])
    with torch.no_grad():
        expected = model(input_ids=torch.tensor(tokens)).last_hidden_state[0].mean(0)
    np.testing.assert_allclose(encode_texts(encoder, ["the dog"])[0], expected, atol=1e-5)


def test_constants_that_were_saved_with_the_weights_are_harmless(bert: Path, tmp_path: Path) -> None:
    numbers = {"embeddings.position_ids": torch.arange(24)[None], "embeddings.token_type_ids": torch.zeros(1, 24)}
    np.testing.assert_array_equal(vectors(change(bert, tmp_path / "old", lambda each: each.update(numbers))),
                                  vectors(bert))  # fmt: skip
    gpt = write(tmp_path / "gpt", GPT2Model(GPT2Config(vocab_size=40, n_embd=16, n_layer=1, n_head=2, n_positions=24)))
    masks = {"h.0.attn.bias": torch.ones(1, 1, 24, 24), "h.0.attn.masked_bias": torch.tensor(-1e4)}
    np.testing.assert_array_equal(vectors(change(gpt, tmp_path / "old gpt", lambda each: each.update(masks))),
                                  vectors(gpt))  # fmt: skip


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_refused(bert: Path, tmp_path: Path, number: float) -> None:
    def spoil(tensors: dict[str, torch.Tensor]) -> None:
        tensors["embeddings.word_embeddings.weight"][33, 2] = number  # in no text that is encoded

    with pytest.raises(DataError, match=r"not finite \(embeddings.word_embeddings.weight\)"):
        load_encoder(change(bert, tmp_path / "spoilt", spoil), device=CPU)


@pytest.mark.parametrize("scale", [1.5e38, -1.5e38])
def test_large_weights_are_no_infinite_ones(bert: Path, tmp_path: Path, scale: float) -> None:
    def enlarge(tensors: dict[str, torch.Tensor]) -> None:
        tensors["pooler.dense.bias"][:] = scale  # unused; the sum is infinite

    np.testing.assert_array_equal(vectors(change(bert, tmp_path / "large", enlarge)), vectors(bert))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_hidden_layers": 0}, "has no layers"),
        ({"num_hidden_layers": 3}, "lacks weights: 16 tensors"),
        ({"vocab_size": 41}, r"shape \(40, 16\), expected \(41, 16\) \((bert\.)?embeddings.word_embeddings.weight\)"),
        ({"hidden_size": 0}, "cannot be loaded|of shape"),
        ({"hidden_size": 32}, "of shape"),
        ({"num_attention_heads": 0}, "cannot be loaded"),
        ({"num_attention_heads": 3}, "cannot be loaded"),
        ({"max_position_embeddings": -1}, "cannot be loaded|of shape"),
        ({"hidden_act": "nothing"}, "cannot be loaded"),
        ({"vocab_size": "many"}, "cannot be loaded"),
    ],
)
@pytest.mark.parametrize("loader", LOADERS)
def test_impossible_settings_are_refused(
    bert: Path, tmp_path: Path, loader: str, settings: dict[str, object], message: str
) -> None:
    with pytest.raises(LexencError, match=message):
        LOADERS[loader](configure(bert, tmp_path / "odd", **settings))


def test_a_model_without_width_is_refused(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="zero-element"):
        model = BertModel(BertConfig(**BERT | {"intermediate_size": 0}))
    with pytest.warns(UserWarning, match="zero-element"), pytest.raises(DataError, match="empty weights"):
        load_encoder(write(tmp_path / "narrow", model), device=CPU)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_weights_in_half_precision_are_computed_in_float32(bert: Path, tmp_path: Path, dtype: torch.dtype) -> None:
    model = AutoModel.from_pretrained(bert).to(dtype)
    short, rounded = write(tmp_path / "short", model), tmp_path / "rounded"
    shutil.copytree(short, rounded)
    AutoModel.from_pretrained(short).float().save_pretrained(rounded)
    np.testing.assert_array_equal(vectors(short), vectors(rounded))


MODULES = {
    "dense": lambda: [Pooling(16, "cls"), Dense(16, 8), Normalize()],
    "norm": lambda: [Pooling(16, ("cls", "max")), LayerNorm(32)],
    "several dense": lambda: [Pooling(16, ["mean", "lasttoken"]), Dense(32, 16), Dense(16, 8, bias=False)],
}


@pytest.mark.parametrize("name", MODULES)
def test_all_modules_of_a_folder_are_used_and_kept(bert: Path, tmp_path: Path, name: str) -> None:
    prompts = {"prompts": {"query": "hot ", "none": ""}, "default_prompt_name": "query"}
    folder = write_modules(tmp_path / "made", bert, *MODULES[name](), **prompts)
    expected = SentenceTransformer(str(folder), device="cpu").encode(TEXTS)
    encoder = load_encoder(folder, device=CPU)
    np.testing.assert_allclose(encode_texts(encoder, TEXTS), expected, atol=1e-5)
    encoder.save(tmp_path / "saved")
    np.testing.assert_allclose(SentenceTransformer(str(tmp_path / "saved")).encode(TEXTS), expected, atol=1e-5)
    np.testing.assert_allclose(vectors(tmp_path / "saved"), expected, atol=1e-5)


def test_a_dense_without_a_tensor_is_refused(bert: Path, tmp_path: Path) -> None:
    folder = write_modules(tmp_path / "made", bert, *MODULES["dense"]())
    broken = change(folder, tmp_path / "broken", lambda tensors: tensors.pop("linear.bias"), "2_Dense")
    with pytest.raises(DataError, match=r"describes linear.bias of shape \(8,\), but .* has no such tensor"):
        load_encoder(broken, device=CPU)


def test_an_encoder_that_computes_something_else_is_refused(bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lexenc.encoders.transformer import TransformerEncoder

    plain = TransformerEncoder.embed
    monkeypatch.setattr(TransformerEncoder, "embed", lambda self, tokens: plain(self, tokens) * 1.001)
    with pytest.raises(ConfigError, match=r"differ by 0\.00"):
        load_encoder(bert, device=CPU)
    monkeypatch.setattr(TransformerEncoder, "embed", lambda self, tokens: plain(self, tokens)[:, 1:])
    with pytest.raises(ConfigError, match=r"have shape \(3, 15\), expected \(3, 16\)"):
        load_encoder(bert, device=CPU)
    monkeypatch.setattr(TransformerEncoder, "embed", lambda self, tokens: plain(self, tokens) / 0)
    with pytest.raises(DataError, match="not finite"):
        load_encoder(bert, device=CPU)


def test_errors_of_a_model_name_the_encoder(tmp_path: Path) -> None:
    folder = write(tmp_path, BertModel(BertConfig(**BERT)), words=[*WORDS, *(f"w{i}" for i in range(9))])
    encoder = load_encoder(folder, device=CPU)
    assert encode_texts(encoder, ["dog"]).shape == (1, 16)
    with pytest.raises(DataError, match=f"The encoder {folder} cannot compute: index out of range"):
        encode_texts(encoder, ["w8"])


def test_memory_is_no_fault_of_the_encoder(bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    encoder = load_encoder(bert, device=CPU)
    monkeypatch.setattr(encoder, "_pool", fail)
    with pytest.raises(MemoryError):
        encode_texts(encoder, ["dog"])
    with pytest.raises(torch.OutOfMemoryError):  # which training reports
        encoder.embed([[2, 3]])


def test_language_adapters_need_a_language(tmp_path: Path) -> None:
    folder = write(tmp_path / "xmod", XmodModel(XmodConfig(**BERT, pad_token_id=0, languages=["en_XX", "de_DE"])))
    for load_it in LOADERS.values():
        with pytest.raises(ConfigError, match=r"\(xmod\) needs a language \(en_XX, de_DE\)") as caught:
            load_it(folder)
        assert '"default_language": "en_XX"' in (caught.value.hint or "")
    found = {}
    for language in ("en_XX", "de_DE"):
        chosen = configure(folder, tmp_path / language, default_language=language)
        found[language] = vectors(chosen)
        np.testing.assert_allclose(found[language], SentenceTransformer(str(chosen)).encode(TEXTS), atol=1e-5)
    assert np.abs(found["en_XX"] - found["de_DE"]).max() > 0.01


@pytest.mark.parametrize("kind", [M2M100Model, M2M100ForConditionalGeneration])
def test_encoders_of_m2m100_have_their_own_weights(tmp_path: Path, kind: type) -> None:
    folder = write(tmp_path / "m2m", kind(M2M100Config(**SEQ2SEQ)))
    encoder = load_encoder(folder, device=CPU)
    model = M2M100Model.from_pretrained(folder).encoder.eval()
    with torch.no_grad():
        expected = [model(torch.tensor([ids])).last_hidden_state[0].mean(0).numpy() for ids in encoder.tokenise(TEXTS)]
    np.testing.assert_allclose(vectors(folder), expected, atol=1e-6)
    np.testing.assert_array_equal(vectors(folder), vectors(folder))
    encoder.save(tmp_path / "saved")
    np.testing.assert_array_equal(vectors(tmp_path / "saved"), vectors(folder))
    name = "model.encoder.layers.1.fc1.weight" if kind is not M2M100Model else "encoder.layers.1.fc1.weight"
    with pytest.raises(DataError, match=r"lacks weights: 1 tensor \(encoder.layers.1.fc1.weight\)"):
        load_encoder(change(folder, tmp_path / "broken", lambda tensors: tensors.pop(name)), device=CPU)


def test_positions_that_are_computed_may_be_missing(tmp_path: Path) -> None:
    folder = write(tmp_path / "marian", MarianMTModel(MarianConfig(**SEQ2SEQ, decoder_start_token_id=2)))
    assert not [name for name in load_file(folder / "model.safetensors") if "embed_positions" in name]
    encoder = load_encoder(folder, device=CPU)
    model = MarianMTModel.from_pretrained(folder).get_encoder().eval()
    with torch.no_grad():
        expected = [model(torch.tensor([ids])).last_hidden_state[0].mean(0).numpy() for ids in encoder.tokenise(TEXTS)]
    np.testing.assert_allclose(vectors(folder), expected, atol=1e-6)
    encoder.save(tmp_path / "saved")
    np.testing.assert_array_equal(vectors(tmp_path / "saved"), vectors(folder))


def test_encoders_that_cannot_be_saved_alone_are_not_trained(tmp_path: Path) -> None:
    folder = write(tmp_path / "mbart", MBartModel(MBartConfig(**SEQ2SEQ)))
    encoder = load_encoder(folder, device=CPU)
    assert encoder.partial
    with pytest.raises(ConfigError, match="cannot be saved alone"):
        encoder.save(tmp_path / "saved")
    assert not (tmp_path / "saved").exists()
    made = write_modules(tmp_path / "made", folder, Pooling(16, "mean"))
    with pytest.raises(ConfigError, match="takes its vectors from the decoder"):
        load_encoder(made, device=CPU)
    mean = load_encoder(made, pooling="mean", device=CPU)
    np.testing.assert_array_equal(encode_texts(mean, TEXTS), vectors(folder))


def test_a_model_without_a_limit_reads_the_whole_text(tmp_path: Path) -> None:
    folder = write(tmp_path, T5ForConditionalGeneration(T5Config(**T5)), limit=None)
    encoder = load_encoder(folder, device=CPU)
    long = " ".join(["dog", "the", "hot"] * 300)
    assert encoder.longest >= UNLIMITED
    assert len(encoder.tokenise([long])[0]) == 902
    expected = SentenceTransformer(str(folder), device="cpu").encode([long, "dog"])
    np.testing.assert_allclose(encode_texts(encoder, [long, "dog"]), expected, atol=1e-5)
    cut = load_encoder(folder, device=CPU, max_length=64)
    assert len(cut.tokenise([long])[0]) == 64


def test_texts_are_no_messages_of_a_chat(bert: Path, tmp_path: Path) -> None:
    template = "{% for each in messages %}hot {{ each['content'] }}{% endfor %}"
    folder = retokenise(bert, tmp_path / "chat", chat_template=template)
    np.testing.assert_array_equal(vectors(folder), vectors(bert))
    made = write_modules(tmp_path / "made", folder, Pooling(16, "mean"))
    np.testing.assert_array_equal(encode_texts(load_encoder(made, pooling="mean", device=CPU), TEXTS), vectors(bert))
    with pytest.raises(ConfigError, match="differ by"):  # sentence-transformers encodes the message
        load_encoder(made, device=CPU)


def test_tokenizers_without_padding(bert: Path, tmp_path: Path) -> None:
    np.testing.assert_array_equal(vectors(retokenise(bert, tmp_path / "bare", pad_token=None)), vectors(bert))


@pytest.mark.parametrize("limit", [-1, 0, 2])
def test_impossible_limits_are_refused(bert: Path, tmp_path: Path, limit: int) -> None:
    with pytest.raises(ConfigError, match=f"at least 3 tokens, got {limit}"):
        load_encoder(retokenise(bert, tmp_path / "short", model_max_length=limit), device=CPU)
    with pytest.raises(ConfigError, match=f"at least 3 tokens, got {limit}"):
        load_encoder(bert, device=CPU, max_length=limit)


def test_positions_begin_after_the_padding_number(tmp_path: Path) -> None:
    config = RobertaConfig(**BERT | {"pad_token_id": 4}, type_vocab_size=2)
    folder = write(tmp_path, RobertaModel(config), limit=None)
    encoder = load_encoder(folder, device=CPU)
    tokens = encoder.tokenise(["dog the hot " * 30])
    assert len(tokens[0]) == 19  # 24 places - 4 - 1
    with torch.no_grad():
        states = AutoModel.from_pretrained(folder).eval()(input_ids=torch.tensor(tokens)).last_hidden_state
    np.testing.assert_allclose(encoder.embed(tokens).detach()[0], states[0].mean(0), atol=1e-5)


@pytest.mark.parametrize("kind", ["bert", "roberta", "electra"])
def test_encoders_of_short_texts_are_packed_too(tmp_path: Path, kind: str) -> None:
    model, config = HEADS[kind]
    encoder = load_encoder(write(tmp_path, model(config)), device=CPU)
    assert encoder.longest < 30
    assert encoder.side_by_side


def test_positions_of_other_models_begin_at_zero(tmp_path: Path) -> None:
    sizes = {"vocab_size": 40, "emb_dim": 16, "n_layers": 1, "n_heads": 2, "max_position_embeddings": 24}
    model = XLMModel(XLMConfig(**sizes, pad_index=2, n_langs=1))
    encoder = load_encoder(write(tmp_path, model, limit=None), device=CPU)
    assert encoder.longest == 24
    assert len(encoder.tokenise(["dog the hot " * 30])[0]) == 24
    assert np.isfinite(encode_texts(encoder, ["dog the hot " * 30])).all()


DISTILBERT = {
    "vocab_size": 40,
    "n_layers": 2,
    "n_heads": 2,
    "dim": 16,
    "hidden_dim": 32,
    "max_position_embeddings": 24,
}
HEADS = {
    "bert": (BertForMaskedLM, BertConfig(**BERT)),
    "roberta": (RobertaForMaskedLM, RobertaConfig(**BERT, pad_token_id=0)),
    "electra": (ElectraForMaskedLM, ElectraConfig(**BERT, embedding_size=8)),
    "mpnet": (MPNetForMaskedLM, MPNetConfig(**BERT, pad_token_id=0)),
    "distilbert": (DistilBertForMaskedLM, DistilBertConfig(**DISTILBERT)),
    "xlm-roberta": (XLMRobertaForMaskedLM, XLMRobertaConfig(**BERT, pad_token_id=0)),
    "untied": (BertForMaskedLM, BertConfig(**BERT, tie_word_embeddings=False)),
    "deberta": (DebertaV2ForMaskedLM, DebertaV2Config(**BERT)),
    "modernbert": (ModernBertForMaskedLM, ModernBertConfig(**BERT, pad_token_id=0, bos_token_id=2, eos_token_id=3,
                                                           cls_token_id=2, sep_token_id=3)),
}  # fmt: skip


@pytest.mark.parametrize("name", HEADS)
def test_masked_heads_equal_the_whole_model(tmp_path: Path, name: str) -> None:
    kind, config = HEADS[name]
    folder = write(tmp_path, kind(config))
    encoder = load_encoder(folder, device=CPU)
    head = MaskedHead(folder, encoder)
    assert not head.fresh
    tokens = encoder.tokenise(["the hot dog"])
    with torch.no_grad():
        expected = AutoModelForMaskedLM.from_pretrained(folder).eval()(input_ids=torch.tensor(tokens)).logits[0]
        np.testing.assert_allclose(head.logits(encoder.states(tokens)), expected, atol=1e-4)


VOCABULARY = np.array([31, 6, 7, 9, 10, 6])
MASKED = [
    MaskedText(np.array([2, 4, 7, 3]), np.array([1]), np.array([6])),
    MaskedText(np.array([2, 4, 4, 4, 3]), np.array([1, 3]), np.array([9, 31])),
]


@pytest.mark.parametrize("name", HEADS)
def test_masked_heads_score_some_subwords_only(tmp_path: Path, name: str) -> None:
    kind, config = HEADS[name]
    folder = write(tmp_path, kind(config))
    encoder, other = load_encoder(folder, device=CPU), load_encoder(folder, device=CPU)
    whole, head = MaskedHead(folder, encoder), MaskedHead(folder, other, VOCABULARY)
    assert head.vocabulary is not None
    assert head.vocabulary.tolist() == [6, 7, 9, 10, 31]
    assert not head.fresh
    states = encoder.states(encoder.tokenise(["the hot dog"])).detach()
    expected = whole.logits(states)[:, head.vocabulary]
    torch.testing.assert_close(head.logits(states), expected, atol=1e-5, rtol=1e-5)
    # The gradient is that of a softmax over these subwords.
    losses = head.losses(other, MASKED)
    losses.sum().backward()
    by_hand = []
    for text in MASKED:
        scores = whole.logits(encoder.states([text.ids])[text.places])[:, head.vocabulary]
        right = torch.from_numpy(np.searchsorted(head.vocabulary, text.right))
        by_hand.append(torch.nn.functional.cross_entropy(scores, right))
    torch.testing.assert_close(losses, torch.stack(by_hand), atol=1e-5, rtol=1e-5)
    torch.stack(by_hand).sum().backward()
    for mine, theirs in ((encoder.module, other.module), (whole.module, head.module)):
        wanted = [each.grad for each in mine.parameters()]
        for found, gradient in zip(theirs.parameters(), wanted, strict=True):
            assert (found.grad is None) == (gradient is None)
            if gradient is not None:
                torch.testing.assert_close(found.grad, gradient, atol=1e-5, rtol=1e-4)


def test_places_of_masked_texts_have_weights(tmp_path: Path) -> None:
    kind, config = HEADS["bert"]
    folder = write(tmp_path, kind(config))
    encoder = load_encoder(folder, device=CPU)
    head = MaskedHead(folder, encoder)
    text = MASKED[1]
    alone = [head.losses(encoder, [MaskedText(text.ids, text.places[[i]], text.right[[i]])]) for i in range(2)]
    weighted = MaskedText(text.ids, text.places, text.right, np.array([0.25, 2.0]))
    torch.testing.assert_close(head.losses(encoder, [weighted]), 0.25 * alone[0] + 2 * alone[1])
    torch.testing.assert_close(head.losses(encoder, [text]), (alone[0] + alone[1]) / 2)


def test_other_subwords_than_those_of_the_head_cannot_be_predicted(tmp_path: Path) -> None:
    kind, config = HEADS["bert"]
    folder = write(tmp_path, kind(config))
    encoder = load_encoder(folder, device=CPU)
    head = MaskedHead(folder, encoder, VOCABULARY)
    for right in (8, 39):
        with pytest.raises(AssertionError, match="vocabulary"):
            head.losses(encoder, [MaskedText(np.array([2, 4, 3]), np.array([1]), np.array([right]))])


def test_a_folder_of_sentence_transformers_gets_a_new_head(bert: Path, tmp_path: Path) -> None:
    folder = write_modules(tmp_path / "made", bert, Pooling(16, "mean"))
    encoder = load_encoder(folder, device=CPU)
    head = MaskedHead(folder, encoder, VOCABULARY)
    assert head.fresh
    assert torch.isfinite(head.losses(encoder, MASKED)).all()


@pytest.mark.parametrize("vocabulary", [None, VOCABULARY])
def test_vectors_that_are_not_trained_are_not_trained_by_the_head(tmp_path: Path, vocabulary) -> None:
    kind, config = HEADS["xlm-roberta"]
    folder = write(tmp_path, kind(config))
    encoder = load_encoder(folder, device=CPU)
    table = encoder.module[0].auto_model.get_input_embeddings().weight
    table.requires_grad_(False)
    head = MaskedHead(folder, encoder, vocabulary)
    head.losses(encoder, MASKED).sum().backward()
    assert table.grad is None
    assert all(each.requires_grad == (each is not table) for each in head.module.parameters())


def test_a_masked_head_that_needs_more_than_states_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path, DebertaV2ForMaskedLM(DebertaV2Config(**BERT, legacy=False)))
    with pytest.raises(DataError, match="cannot compute"):
        MaskedHead(folder, load_encoder(folder, device=CPU))


def test_a_span_model_may_only_lack_its_head(bert: Path, tmp_path: Path) -> None:
    SpanModel.load(bert, new_head=True)
    with pytest.raises(ConfigError, match=r"answers no questions \(qa_outputs"):
        SpanModel.load(bert)
    whole = write(tmp_path / "whole", BertForQuestionAnswering(BertConfig(**BERT)))
    SpanModel.load(whole)
    AutoModelForQuestionAnswering.from_pretrained(whole)
    name = "bert.encoder.layer.0.attention.self.key.bias"
    broken = change(whole, tmp_path / "broken", lambda tensors: tensors.pop(name))
    with pytest.raises(DataError, match=rf"lacks weights: 1 tensor \({name}\)"):
        SpanModel.load(broken)


def test_span_models_get_the_types_of_their_tokenizer(tmp_path: Path) -> None:
    model = XLNetModel(XLNetConfig(vocab_size=40, d_model=16, n_layer=1, n_head=2, d_inner=32))
    names = ["input_ids", "token_type_ids", "attention_mask"]
    folder = retokenise(write(tmp_path / "made", model), tmp_path / "typed", model_input_names=names)
    inner = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    special = [("[CLS]", 2), ("[SEP]", 3)]
    template = processors.TemplateProcessing(
        single="$A [SEP] [CLS]:2", pair="$A [SEP] $B:1 [SEP]:1 [CLS]:2", special_tokens=special
    )
    inner["post_processor"] = json.loads(template.__getstate__())
    (folder / "tokenizer.json").write_text(json.dumps(inner), encoding="utf-8")
    span = SpanModel.load(folder, new_head=True)
    source, target = (span.words.cut([line.split()]) for line in ("the dog", "hot dog runs"))
    batch = span.batch(source, target, all_questions(source, target, np.ones(1, dtype=np.bool_)).chosen(slice(1)))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert batch.types[0].tolist() == tokenizer("¶ the ¶ dog", "hot dog runs")["token_type_ids"]
    assert batch.types[0].tolist() == [0] * 5 + [1] * 4 + [2]
    with torch.no_grad():
        start, _ = span.logits(batch)
        plain = span.module(input_ids=batch.ids, token_type_ids=batch.types, attention_mask=batch.real).start_logits
    np.testing.assert_array_equal(start[start.isfinite()], plain[start.isfinite()])


def test_loading_leaves_transformers_as_it_was(bert: Path) -> None:
    from transformers import PreTrainedModel

    before = PreTrainedModel.__dict__["from_pretrained"]
    load_encoder(bert, device=CPU)
    with pytest.raises(ConfigError):
        load.load_encoder(bert / "nowhere", device=CPU)
    assert PreTrainedModel.__dict__["from_pretrained"] is before
