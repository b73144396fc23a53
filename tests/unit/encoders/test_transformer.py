from __future__ import annotations

import json
import os
import shutil
import warnings
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    AlbertConfig,
    AlbertModel,
    AutoModel,
    AutoTokenizer,
    BertConfig,
    BertModel,
    DistilBertConfig,
    DistilBertModel,
    ElectraConfig,
    ElectraModel,
    MPNetConfig,
    MPNetModel,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaModel,
    XLMRobertaConfig,
    XLMRobertaModel,
)

from lexenc.device import CPU, Device
from lexenc.encoders.encode import encode_texts
from lexenc.encoders.load import load_encoder
from lexenc.encoders.transformer import TransformerEncoder
from lexenc.errors import ConfigError, DataError, LexencError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling, Transformer

BF16 = Device("cpu", "bfloat16", "")
TEXTS = [
    "dog", "", "a hot dog", "Hund", "x" * 600, "dog " * 70, "dog", "the dog runs", "runs the", "ab", "the " * 9,
    "hot " * 27, "a", "the hot dog runs a", "zzz",
]  # fmt: skip
SIZES = {"vocab_size": 60, "num_hidden_layers": 2, "num_attention_heads": 4, "hidden_size": 32}
BERT = {**SIZES, "intermediate_size": 64, "max_position_embeddings": 64}
KINDS = {
    "bert": (BertModel, BertConfig, BERT),
    "bert-relu": (BertModel, BertConfig, {**BERT, "hidden_act": "relu"}),
    "roberta": (RobertaModel, RobertaConfig, {**BERT, "pad_token_id": 1, "type_vocab_size": 1}),
    "xlm-roberta": (XLMRobertaModel, XLMRobertaConfig, {**BERT, "pad_token_id": 1, "type_vocab_size": 1}),
    "electra": (ElectraModel, ElectraConfig, {**BERT, "embedding_size": 16}),
    "mpnet": (MPNetModel, MPNetConfig, {**BERT, "pad_token_id": 1}),
    "distilbert": (
        DistilBertModel,
        DistilBertConfig,
        {"vocab_size": 60, "n_layers": 2, "n_heads": 4, "dim": 32, "hidden_dim": 64, "max_position_embeddings": 64},
    ),
    "albert": (AlbertModel, AlbertConfig, {**BERT, "embedding_size": 16}),
}


def make_tokenizer(padding: int) -> PreTrainedTokenizerFast:
    special = ["[PAD]", "[UNK]"] if padding == 0 else ["[UNK]", "[PAD]"]
    words = [*special, "[CLS]", "[SEP]", "dog", "the", "runs", "hot", "hund"]
    words += [*"abcdefghijklmnopqrstuvwxyz", "##x", "##z", "##b"]
    inner = Tokenizer(models.WordPiece({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    inner.normalizer = normalizers.Lowercase()
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    inner.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    return PreTrainedTokenizerFast(tokenizer_object=inner, model_max_length=62, **names)


def make_model(kind: str, folder: Path) -> Path:
    torch.manual_seed(4)
    model_class, config_class, sizes = KINDS[kind]
    model = model_class(config_class(**sizes))
    for values in model.parameters():  # far from the near-zero start, so that attention and biases matter
        torch.nn.init.normal_(values, std=0.25) if values.ndim > 1 else values.data.add_(torch.randn_like(values) * 0.2)
    model.save_pretrained(folder)
    make_tokenizer(sizes.get("pad_token_id", 0)).save_pretrained(folder)
    return folder


def plain_mean(folder: Path, texts: list[str]) -> np.ndarray:
    """The definition: each text alone through the model of transformers, mean over all its tokens."""
    model, tokenizer = AutoModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    rows = []
    for text in texts:
        tokens = tokenizer(text, return_tensors="pt", truncation=True, max_length=62)
        with torch.no_grad():
            rows.append(model(**{k: tokens[k] for k in ("input_ids", "attention_mask")}).last_hidden_state[0].mean(0))
    return torch.stack(rows).numpy()


def cosines(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return (one * other).sum(1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("encoders")
    return {kind: make_model(kind, root / kind) for kind in KINDS}


@pytest.fixture(scope="session")
def bert(folders: dict[str, Path]) -> TransformerEncoder:
    return TransformerEncoder.load_folder(folders["bert"])


@pytest.fixture(scope="session")
def headed(folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sentence-transformers folder with cls pooling, Dense and Normalize."""
    torch.manual_seed(5)
    parts = [Transformer(str(folders["bert"])), Pooling(32, "cls"), Dense(32, 12), Normalize()]
    folder = tmp_path_factory.mktemp("headed")
    SentenceTransformer(modules=parts, device="cpu").save(str(folder), create_model_card=False)
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_encode_equals_each_text_alone(folders: dict[str, Path], kind: str) -> None:
    encoder = TransformerEncoder.load_folder(folders[kind])
    assert encoder.side_by_side == (kind != "albert")
    expected = plain_mean(folders[kind], TEXTS)
    vectors = encode_texts(encoder, TEXTS)
    assert cosines(vectors, expected).min() > 1 - 1e-6
    np.testing.assert_allclose(vectors, expected, atol=2e-5)
    np.testing.assert_allclose(encoder.embed(encoder.tokenise(TEXTS)).detach().numpy(), expected, atol=2e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_bfloat16_stays_close(folders: dict[str, Path], kind: str) -> None:
    vectors = encode_texts(TransformerEncoder.load_folder(folders[kind], device=BF16), TEXTS)
    assert vectors.dtype == np.float32
    assert cosines(vectors, plain_mean(folders[kind], TEXTS)).min() > 0.995


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore")
def test_gradients_equal_the_unpacked_model(folders: dict[str, Path], kind: str) -> None:
    encoder = TransformerEncoder.load_folder(folders[kind])
    tokens = encoder.tokenise(TEXTS)
    weights = torch.randn(len(TEXTS), encoder.dimensions, generator=torch.Generator().manual_seed(1))
    (encoder.embed(tokens) * weights).sum().backward()
    model = AutoModel.from_pretrained(folders[kind]).eval()
    loss = sum(
        (model(input_ids=torch.tensor([row])).last_hidden_state[0].mean(0) * weight).sum()
        for row, weight in zip(tokens, weights, strict=True)
    )
    loss.backward()
    expected = {name: values.grad for name, values in model.named_parameters() if values.grad is not None}
    found = {name: values.grad for name, values in encoder._model.named_parameters() if values.grad is not None}
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, atol=2e-4, rtol=1e-3, msg=name)


@pytest.mark.parametrize("kind", KINDS)
def test_vectors_and_states_come_from_one_pass(folders: dict[str, Path], kind: str) -> None:
    encoder = TransformerEncoder.load_folder(folders[kind])
    tokens = encoder.tokenise(TEXTS)
    vectors, states = encoder.embed_with_states(tokens)
    assert torch.equal(vectors, encoder.embed(tokens))
    assert torch.equal(states, encoder.states(tokens))
    parts = states.split([len(each) for each in tokens])
    torch.testing.assert_close(torch.stack([part.mean(0) for part in parts]), vectors)
    (vectors.sum() + states[3].sum()).backward()
    assert all(each.grad is not None for name, each in encoder._model.named_parameters() if "pooler" not in name)


def test_vectors_and_states_of_nothing(bert: TransformerEncoder) -> None:
    vectors, states = bert.embed_with_states([])
    assert (vectors.shape, states.shape) == ((0, 32), (0, 32))
    vectors, states = bert.embed_with_states([[], [2, 4, 3]])
    assert (vectors.shape, states.shape) == ((2, 32), (3, 32))


def test_dropout_is_the_same_for_vectors_and_states(bert: TransformerEncoder) -> None:
    tokens = bert.tokenise(["the hot dog", "dog"])
    bert.module.train()
    try:
        vectors, states = bert.embed_with_states(tokens)
        torch.testing.assert_close(vectors[0], states[: len(tokens[0])].mean(0))
    finally:
        bert.module.eval()


def test_languages_are_refused_by_an_encoder_without(bert: TransformerEncoder) -> None:
    tokens = bert.tokenise(TEXTS)
    assert torch.equal(bert.embed(tokens, [0] * len(tokens)), bert.embed(tokens))
    with pytest.raises(ConfigError, match="no vectors for languages"):
        bert.embed(tokens, [0, 1] + [0] * (len(tokens) - 2))


def test_places_in_the_text_of_tokens(folders: dict[str, Path], tmp_path: Path) -> None:
    parts = [Transformer(str(folders["bert"])), Pooling(32, "mean")]
    peer = SentenceTransformer(modules=parts, device="cpu", prompts={"query": "the hot "}, default_prompt_name="query")
    peer.save(str(tmp_path), create_model_card=False)
    encoder = TransformerEncoder.load_folder(tmp_path)
    found = encoder.tokenise_with_offsets(TEXTS)
    assert [ids for ids, _ in found] == encoder.tokenise(TEXTS)
    assert found[TEXTS.index("ab")][1].tolist() == [[-1, -1]] * 3 + [[0, 1], [1, 2], [-1, -1]]
    assert encoder.tokenise_with_offsets([]) == []


@pytest.mark.parametrize("budget", [1, 7, 40, 5000])
def test_batches_and_order_do_not_matter(bert: TransformerEncoder, budget: int) -> None:
    expected = encode_texts(bert, TEXTS)
    order = np.random.default_rng(budget).permutation(len(TEXTS))
    vectors = encode_texts(bert, [TEXTS[i] for i in order], token_budget=budget)
    assert cosines(vectors, expected[order]).min() > 1 - 1e-6


def test_encode_writes_into_a_memory_map_window_by_window(
    bert: TransformerEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lexenc.encoders.encode.WINDOW", 4)
    out = np.memmap(tmp_path / "vectors", dtype=np.float32, mode="w+", shape=(len(TEXTS), 32))
    assert encode_texts(bert, TEXTS, out=out) is out
    np.testing.assert_allclose(out, encode_texts(bert, TEXTS), atol=1e-5)


def test_encode_embeds_a_repeated_text_once() -> None:
    class Counting:
        dimensions = 1
        seen = 0

        def tokenise(self, texts: list[str]) -> list[list[int]]:
            return [[len(text)] for text in texts]

        def embed(self, tokens: list[tuple[int, ...]]) -> torch.Tensor:
            self.seen += len(tokens)
            return torch.tensor(tokens, dtype=torch.float32)

    encoder = Counting()
    vectors = encode_texts(encoder, ["a", "bb", "c", "ddd", "ee", "f"])
    assert vectors[:, 0].tolist() == [1, 2, 1, 3, 2, 1]
    assert encoder.seen == 3


def test_encode_leaves_threads_as_they_were(bert: TransformerEncoder) -> None:
    threads = torch.get_num_threads()
    encode_texts(bert, TEXTS, token_budget=3)
    assert torch.get_num_threads() == threads


def test_nothing_to_encode(bert: TransformerEncoder) -> None:
    assert encode_texts(bert, []).shape == (0, 32)
    assert bert.embed([]).shape == (0, 32)
    assert bert.embed([[], [2, 4, 3]]).shape == (2, 32)


def test_own_modules_by_default_and_mean_on_demand(headed: Path, folders: dict[str, Path]) -> None:
    encoder = TransformerEncoder.load_folder(headed)
    expected = SentenceTransformer(str(headed), device="cpu").encode(TEXTS)
    assert encoder.dimensions == 12
    np.testing.assert_allclose(encode_texts(encoder, TEXTS), expected, atol=1e-5)
    mean = TransformerEncoder.load_folder(headed, pooling="mean")
    np.testing.assert_allclose(encode_texts(mean, TEXTS), plain_mean(folders["bert"], TEXTS), atol=2e-5)


@pytest.mark.parametrize("mode", ["cls", "mean", "max", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"])
def test_every_pooling_mode(folders: dict[str, Path], tmp_path: Path, mode: str) -> None:
    parts = [Transformer(str(folders["distilbert"])), Pooling(32, mode)]
    peer = SentenceTransformer(modules=parts, device="cpu")
    peer.save(str(tmp_path), create_model_card=False)
    vectors = encode_texts(TransformerEncoder.load_folder(tmp_path), TEXTS)
    np.testing.assert_allclose(vectors, peer.encode(TEXTS), atol=2e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pooling", ["cls", "first-last"])
@pytest.mark.filterwarnings("ignore")
def test_other_poolings_are_saved(folders: dict[str, Path], tmp_path: Path, kind: str, pooling: str) -> None:
    encoder = load_encoder(folders[kind], pooling=pooling, device=CPU)
    model = AutoModel.from_pretrained(folders[kind]).eval()
    expected = []
    for ids in encoder.tokenise(TEXTS):
        with torch.no_grad():
            states = model(input_ids=torch.tensor([ids]), output_hidden_states=True).hidden_states
        expected.append(states[-1][0, 0] if pooling == "cls" else ((states[1] + states[-1]) / 2)[0].mean(0))
    np.testing.assert_allclose(encode_texts(encoder, TEXTS), torch.stack(expected), atol=2e-5)
    encoder.save(tmp_path / "saved")
    peer = SentenceTransformer(str(tmp_path / "saved"), device="cpu", trust_remote_code=False)
    np.testing.assert_allclose(peer.encode(TEXTS), torch.stack(expected), atol=2e-5)
    for again in ("auto", "model"):
        found = encode_texts(load_encoder(tmp_path / "saved", pooling=again, device=CPU), TEXTS)
        np.testing.assert_allclose(found, torch.stack(expected), atol=2e-5)
    mean = load_encoder(tmp_path / "saved", pooling="mean", device=CPU)
    np.testing.assert_allclose(encode_texts(mean, TEXTS), plain_mean(folders[kind], TEXTS), atol=2e-5)
    mean.save(tmp_path / "mean")
    assert "output_hidden_states" not in json.loads((tmp_path / "mean" / "config.json").read_text())


def test_first_and_last_layer_come_from_one_pass(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = TransformerEncoder.load_folder(folders["bert"], pooling="first-last")
    calls = []
    plain = type(encoder._backbone).__call__
    monkeypatch.setattr(
        type(encoder._backbone), "__call__", lambda *given: calls.append(1) or plain(*given)
    )  # fmt: skip
    tokens = encoder.tokenise(TEXTS)
    vectors, states = encoder.embed_with_states(tokens)
    assert len(calls) == 1
    assert torch.equal(states, encoder.states(tokens))
    both = (encoder.states(tokens, 1) + states) / 2
    parts = both.split([len(each) for each in tokens])
    torch.testing.assert_close(vectors, torch.stack([part.mean(0) for part in parts]))
    vectors.sum().backward()
    assert encoder.module[1].layer_weights.grad is None


def test_first_and_last_of_one_layer(tmp_path: Path) -> None:
    BertModel(BertConfig(**BERT | {"num_hidden_layers": 1})).save_pretrained(tmp_path / "one")
    make_tokenizer(0).save_pretrained(tmp_path / "one")
    both = load_encoder(tmp_path / "one", pooling="first-last", device=CPU)
    mean = load_encoder(tmp_path / "one", pooling="mean", device=CPU)
    np.testing.assert_allclose(encode_texts(both, TEXTS), encode_texts(mean, TEXTS), atol=1e-6)


def weigh(folder: Path, out: Path, weights: list[float], **settings: object) -> Path:
    """A copy of a folder whose layers have other weights."""
    shutil.copytree(folder, out)
    place = out / "1_WeightedLayerPooling"
    save_file({"layer_weights": torch.tensor(weights)}, place / "model.safetensors")
    old = json.loads((place / "config.json").read_text())
    (place / "config.json").write_text(json.dumps(old | settings))
    return out


def test_layers_of_any_weights(folders: dict[str, Path], tmp_path: Path) -> None:
    load_encoder(folders["bert"], pooling="first-last", device=CPU).save(tmp_path / "saved")
    other = weigh(tmp_path / "saved", tmp_path / "other", [0.5, 0.0, 2.0], layer_start=0)
    expected = SentenceTransformer(str(other), device="cpu").encode(TEXTS)
    np.testing.assert_allclose(encode_texts(load_encoder(other, device=CPU), TEXTS), expected, atol=2e-5)
    wrong = {
        "three": ([1.0, 1.0, 1.0], {}, "describes layer_weights of shape"),
        "more": ([1.0, 1.0, 1.0], {"num_hidden_layers": 3}, "but there are 2 layers"),
        "negative": ([1.0] * 4, {"layer_start": -1}, "but there are 2 layers"),
        "nothing": ([1.0, -1.0], {}, "but there are 2 layers"),
        "infinite": ([1.0, float("inf")], {}, "not finite"),
    }
    for name, (weights, settings, message) in wrong.items():
        folder = weigh(tmp_path / "saved", tmp_path / name, weights, **settings)
        with pytest.raises(LexencError, match=message):
            load_encoder(folder, device=CPU)
        load_encoder(folder, pooling="mean", device=CPU)
    silent = shutil.copytree(tmp_path / "saved", tmp_path / "silent")
    config = json.loads((silent / "config.json").read_text())
    del config["output_hidden_states"]
    (silent / "config.json").write_text(json.dumps(config))
    with pytest.raises(ConfigError, match="does not ask for the states of all layers"):
        load_encoder(silent, device=CPU)
    (silent / "1_WeightedLayerPooling" / "model.safetensors").rename(
        silent / "1_WeightedLayerPooling" / "pytorch_model.bin"
    )
    with pytest.raises(ConfigError, match="pickled"):
        load_encoder(silent, device=CPU)


@pytest.mark.parametrize("include", [True, False])
def test_default_prompt_is_honoured(folders: dict[str, Path], tmp_path: Path, include: bool) -> None:
    parts = [Transformer(str(folders["bert"])), Pooling(32, "mean", include_prompt=include)]
    peer = SentenceTransformer(modules=parts, device="cpu", prompts={"query": "the hot "}, default_prompt_name="query")
    peer.save(str(tmp_path), create_model_card=False)
    vectors = encode_texts(TransformerEncoder.load_folder(tmp_path), TEXTS)
    np.testing.assert_allclose(vectors, peer.encode(TEXTS), atol=2e-5)


def own_activation(place: Path) -> None:
    settings = json.loads((place / "config.json").read_text())
    (place / "config.json").write_text(json.dumps(settings | {"activation_function": "my_code.Swish"}))


def another_kind(place: Path) -> None:
    path = place.parent / "config_sentence_transformers.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"model_type": "SparseEncoder"}))


def not_finite(place: Path) -> None:
    weights = load_file(place / "model.safetensors")
    weights["linear.weight"][1, 2] = float("nan")
    save_file(weights, place / "model.safetensors")


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (own_activation, "config.json names .* 'my_code.Swish'"),
        (not_finite, "'linear.weight' of .*2_Dense"),
        (another_kind, "belongs to a SparseEncoder"),
    ],
)
def test_module_that_would_compute_something_else_is_refused(headed: Path, tmp_path: Path, damage, says) -> None:
    shutil.copytree(headed, tmp_path / "copy")
    damage(tmp_path / "copy" / "2_Dense")
    with pytest.raises(LexencError, match=says):
        TransformerEncoder.load_folder(tmp_path / "copy")
    TransformerEncoder.load_folder(tmp_path / "copy", pooling="mean")


def test_dimensions_that_the_folder_cuts_are_cut(folders: dict[str, Path], tmp_path: Path) -> None:
    parts = [Transformer(str(folders["bert"])), Pooling(32, "mean"), Normalize()]
    peer = SentenceTransformer(modules=parts, device="cpu", truncate_dim=5)
    peer.save(str(tmp_path / "first"), create_model_card=False)
    encoder = TransformerEncoder.load_folder(tmp_path / "first")
    encoder.save(tmp_path / "again")
    for each in (encoder, TransformerEncoder.load_folder(tmp_path / "again")):
        assert each.dimensions == 5
        np.testing.assert_allclose(encode_texts(each, TEXTS), peer.encode(TEXTS), atol=2e-5)


@pytest.mark.parametrize("kind", ["roberta", "headed"])
def test_saved_folder_encodes_the_same_in_sentence_transformers(
    folders: dict[str, Path], headed: Path, tmp_path: Path, kind: str
) -> None:
    encoder = TransformerEncoder.load_folder({**folders, "headed": headed}[kind], max_length=20, device=BF16)
    encoder.save(tmp_path / "saved")
    assert not list((tmp_path / "saved").rglob("*.bin"))
    expected = encode_texts(TransformerEncoder(encoder.module), TEXTS)
    peer = SentenceTransformer(str(tmp_path / "saved"), device="cpu")
    np.testing.assert_allclose(peer.encode(TEXTS), expected, atol=1e-5)
    again = TransformerEncoder.load_folder(tmp_path / "saved")
    np.testing.assert_allclose(encode_texts(again, TEXTS), expected, atol=1e-5)


def test_long_texts_are_cut(bert: TransformerEncoder, folders: dict[str, Path]) -> None:
    assert max(map(len, bert.tokenise(TEXTS))) == 62
    short = TransformerEncoder.load_folder(folders["bert"], max_length=5)
    assert max(map(len, short.tokenise(TEXTS))) == 5


def test_changed_parameters_change_bfloat16_vectors(folders: dict[str, Path]) -> None:
    encoder = TransformerEncoder.load_folder(folders["bert"], device=BF16)
    before = encode_texts(encoder, ["dog"])
    optimiser = torch.optim.SGD(encoder.module.parameters(), lr=0.5)
    encoder.embed(encoder.tokenise(["dog"])).sum().backward()
    optimiser.step()
    assert np.abs(encode_texts(encoder, ["dog"]) - before).max() > 1e-3
    assert all(values.dtype == torch.float32 for values in encoder.module.parameters())


def test_dropout_only_in_training(bert: TransformerEncoder) -> None:
    tokens = bert.tokenise(["the hot dog", "dog"])
    assert torch.equal(bert.embed(tokens), bert.embed(tokens))
    bert.module.train()
    try:
        assert not torch.equal(bert.embed(tokens), bert.embed(tokens))
    finally:
        bert.module.eval()


def test_pickled_weights_are_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = shutil.copytree(folders["bert"], tmp_path / "pickled")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ConfigError, match="pickled") as caught:
        TransformerEncoder.load_folder(folder)
    assert "save_pretrained" in (caught.value.hint or "")


def test_folders_that_hold_no_encoder(folders: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no encoder"):
        TransformerEncoder.load_folder(tmp_path / "missing")
    with pytest.raises(ConfigError, match="no encoder"):
        TransformerEncoder.load_folder(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "nonsense"}), encoding="utf-8")
    with pytest.raises(DataError, match="cannot be loaded"):
        TransformerEncoder.load_folder(tmp_path)
    with pytest.raises(ConfigError, match="plain language model"):
        TransformerEncoder.load_folder(folders["bert"], pooling="model")
