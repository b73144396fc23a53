"""Vectors of words and subwords against the models of transformers, one sentence at a time."""

from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    AlbertConfig,
    AlbertModel,
    AutoModel,
    AutoTokenizer,
    BertConfig,
    BertModel,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaModel,
    XLMRobertaConfig,
    XLMRobertaModel,
)

from lexenc.device import Device
from lexenc.encoders.base import WordVectors
from lexenc.encoders.static import StaticEncoder
from lexenc.encoders.subwords import uncut_tokenizer
from lexenc.encoders.transformer import TransformerEncoder
from lexenc.encoders.word_vectors import TableWords, TransformerWords, word_encoder
from lexenc.errors import ConfigError

SIZES = {"vocab_size": 90, "num_hidden_layers": 3, "num_attention_heads": 4, "hidden_size": 32}
SIZES |= {"intermediate_size": 64, "max_position_embeddings": 64, "pad_token_id": 1}
KINDS = {
    "bert": (BertModel, BertConfig, {}),
    "xlm-roberta": (XLMRobertaModel, XLMRobertaConfig, {"type_vocab_size": 1}),
    "roberta": (RobertaModel, RobertaConfig, {"type_vocab_size": 1}),
    "albert": (AlbertModel, AlbertConfig, {"embedding_size": 16}),
}
TEXT = ["the dogs don't run", "hot dogs", "a hot day", "dogs and the runs of a day", "don't run hot"]
SENTENCES = [
    ["the", "dogs", "don't", "run"],
    [],
    ["hot"],
    ["a", "hottest", "day", ","],
    ["The", "day"],
    ["run", "run", "run"],
]
LONG = ["dogs", "run", "hottest", "and", "a"] * 13
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]


def wordpiece() -> Tokenizer:
    pieces = [*SPECIAL, "the", "dog", "##s", "don", "run", "hot", "##test", "day", "and", "a", ",", "!", "'", "t"]
    made = Tokenizer(models.WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token="<unk>"))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return made


def unigram() -> Tokenizer:
    made = Tokenizer(models.Unigram())
    made.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    trainer = trainers.UnigramTrainer(vocab_size=60, special_tokens=SPECIAL, unk_token="<unk>", show_progress=False)
    made.train_from_iterator(TEXT * 9, trainer)
    return made


def of_bytes() -> Tokenizer:
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.train_from_iterator(TEXT * 9, trainers.BpeTrainer(vocab_size=80, special_tokens=SPECIAL, show_progress=False))
    return made


TOKENIZERS = {"bert": wordpiece, "albert": wordpiece, "xlm-roberta": unigram, "roberta": of_bytes}


def make_model(kind: str, folder: Path) -> Path:
    torch.manual_seed(4)
    model_class, config_class, own = KINDS[kind]
    model = model_class(config_class(**SIZES, **own))
    for values in model.parameters():
        torch.nn.init.normal_(values, std=0.25) if values.ndim > 1 else values.data.add_(torch.randn_like(values) * 0.2)
    model.save_pretrained(folder)
    inner = TOKENIZERS[kind]()
    inner.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    names = {"unk_token": "<unk>", "pad_token": "<pad>", "cls_token": "<s>", "sep_token": "</s>"}
    PreTrainedTokenizerFast(tokenizer_object=inner, model_max_length=20, **names).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("word-encoders")
    return {kind: make_model(kind, root / kind) for kind in KINDS}


@pytest.fixture(scope="session")
def encoders(folders):
    return {kind: TransformerEncoder.load_folder(folder) for kind, folder in folders.items()}


def plain(folder: Path, words: list[str], layer: int):
    """One sentence through transformers. Values [t, d] without special tokens, and the word of each."""
    model, tokenizer = AutoModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    if "Ġ" in tokenizer.get_vocab():
        words = [" " + word for word in words]
    tokens = tokenizer(words, is_split_into_words=True, return_tensors="pt")
    with torch.no_grad():
        states = model(tokens["input_ids"], output_hidden_states=True).hidden_states[layer][0]
    kept = [(i, word) for i, word in enumerate(tokens.word_ids(0)) if word is not None]
    return states[[i for i, _ in kept]].numpy(), [word for _, word in kept]


def rows_of(vectors: WordVectors, sentence: int):
    part = vectors.part(sentence, sentence + 1)
    return part.values, part.words.tolist()


@pytest.mark.parametrize("layer", [0, 1, 2, 3, -1, -2, -4])
@pytest.mark.parametrize("kind", KINDS)
def test_subwords_are_states_of_the_layer(folders, encoders, kind, layer):
    assert encoders[kind].side_by_side == (kind != "albert")
    vectors = word_encoder(encoders[kind], layer=layer)(SENTENCES)
    assert vectors.values.dtype == np.float32
    assert vectors.missing.tolist() == [0] * 6
    assert not vectors.windowed.any()
    for number, words in enumerate(SENTENCES):
        values, owners = rows_of(vectors, number)
        expected, expected_owners = plain(folders[kind], words, layer) if words else (np.empty((0, 32)), [])
        assert owners == expected_owners
        np.testing.assert_allclose(values, expected, atol=2e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_several_layers_are_concatenated(encoders, kind):
    found = word_encoder(encoders[kind], layer=(-1, 0, 2))(SENTENCES).values
    alone = [word_encoder(encoders[kind], layer=layer)(SENTENCES).values for layer in (3, 0, 2)]
    np.testing.assert_allclose(found, np.concatenate(alone, axis=1), atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_words_are_means_of_their_subwords(encoders, kind):
    subwords = word_encoder(encoders[kind], layer=2)(SENTENCES)
    words = word_encoder(encoders[kind], layer=2, unit="words")(SENTENCES)
    for number, sentence in enumerate(SENTENCES):
        values, owners = rows_of(words, number)
        assert owners == list(range(len(sentence)))
        pieces, piece_owners = rows_of(subwords, number)
        for word in owners:
            expected = pieces[np.array(piece_owners) == word].mean(0)
            np.testing.assert_allclose(values[word], expected, atol=1e-5)


def test_subwords_of_bytes_are_those_of_running_text(encoders):
    tokenizer = uncut_tokenizer(encoders["roberta"].tokenizer)
    for words in SENTENCES:
        vectors = word_encoder(encoders["roberta"], layer=0)([words])
        expected = tokenizer.encode(" " + " ".join(words), add_special_tokens=False).ids if words else []
        joined = tokenizer.encode("".join(" " + word for word in words), add_special_tokens=False).ids
        assert len(vectors.values) == len(expected) == len(joined)


def test_all_tokenisers_give_every_word_a_vector(encoders):
    for encoder in encoders.values():
        vectors = word_encoder(encoder, layer=1, unit="words")(SENTENCES)
        assert vectors.words.tolist() == [i for words in SENTENCES for i in range(len(words))]
        assert np.diff(vectors.starts).tolist() == [len(words) for words in SENTENCES]


@pytest.mark.parametrize("budget", [1, 9, 5000])
@pytest.mark.parametrize("threads", [1, 2])
def test_neighbours_and_batches_do_not_matter(encoders, budget, threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        together = TransformerWords(encoders["bert"], 2, token_budget=budget)([*SENTENCES, LONG])
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    for number, words in enumerate([*SENTENCES, LONG]):
        alone = word_encoder(encoders["bert"], layer=2)([words])
        np.testing.assert_allclose(rows_of(together, number)[0], alone.values, atol=1e-5)


def test_bfloat16_stays_close(folders, encoders):
    lower = TransformerEncoder.load_folder(folders["bert"], device=Device("cpu", "bfloat16", ""))
    mine, exact = (word_encoder(each, layer=3)(SENTENCES).values for each in (lower, encoders["bert"]))
    assert mine.dtype == np.float32
    cosines = (mine * exact).sum(1) / np.linalg.norm(mine, axis=1) / np.linalg.norm(exact, axis=1)
    assert cosines.min() > 0.99


@pytest.mark.parametrize("kind", KINDS)
def test_long_sentences_go_through_in_windows(folders, encoders, kind):
    vectors = word_encoder(encoders[kind], layer=3)([["hot"], LONG, ["run"]])
    assert vectors.windowed.tolist() == [False, True, False]
    _, owners = rows_of(vectors, 1)
    assert sorted(set(owners)) == list(range(len(LONG)))
    assert owners == sorted(owners)
    np.testing.assert_allclose(rows_of(vectors, 2)[0], plain(folders[kind], ["run"], 3)[0], atol=2e-5)
    assert np.isfinite(vectors.values).all()


def test_a_word_is_taken_from_the_window_where_it_is_most_central(folders, encoders):
    # 18 subwords fit beside the special tokens, windows begin at 0, 9, 10: words of one subword each.
    words = ["run", "hot", "day", "the"] * 7
    vectors = word_encoder(encoders["bert"], layer=3)([words])
    whole = [plain(folders["bert"], words[start : start + 18], 3)[0] for start in (0, 9, 10)]
    # Between 0 and 9 the middle of the overlap is 13; between 9 and 10 it is 18, of 10 to 27.
    expected = [*whole[0][:13], *whole[1][13 - 9 : 18 - 9], *whole[2][18 - 10 :]]
    np.testing.assert_allclose(vectors.values, expected, atol=2e-5)


def test_windows_do_not_cut_words(encoders):
    # Two subwords each: the middle of the first overlap, 13, is within a word.
    words = ["dogs"] * 14
    vectors = word_encoder(encoders["bert"], layer=3)([words])
    assert vectors.words.tolist() == [i for i in range(14) for _ in range(2)]
    body = uncut_tokenizer(encoders["bert"].tokenizer).encode("dogs " * 14, add_special_tokens=False).ids
    with torch.inference_mode():
        windows = [encoders["bert"].states([[0, *body[start : start + 18], 2]]).numpy()[1:-1] for start in (0, 9, 10)]
    np.testing.assert_allclose(vectors.values[:12], windows[0][:12], atol=2e-5)
    np.testing.assert_allclose(vectors.values[12], windows[1][12 - 9], atol=2e-5)


def test_a_word_longer_than_the_model_has_all_its_subwords(encoders):
    vectors = word_encoder(encoders["roberta"], layer=2)([["the", "tyhu" * 30, "day"]])
    tokenizer = uncut_tokenizer(encoders["roberta"].tokenizer)
    expected = len(tokenizer.encode(" the " + "tyhu" * 30 + " day", add_special_tokens=False).ids)
    assert len(vectors.values) == expected > 40
    assert np.isfinite(vectors.values).all()
    assert word_encoder(encoders["roberta"], layer=2, unit="words")([["the", "tyhu" * 30]]).words.tolist() == [0, 1]


def test_words_without_subwords_are_counted(encoders):
    vectors = word_encoder(encoders["bert"], layer=1)([["the", "", " ", "day"], ["", " "], ["run"]])
    assert vectors.words.tolist() == [0, 3, 0]
    assert vectors.missing.tolist() == [2, 2, 0]
    assert vectors.starts.tolist() == [0, 2, 2, 3]


def test_undecodable_bytes_count_as_the_replacement_character(encoders):
    encode = word_encoder(encoders["roberta"], layer=2)
    broken = b"day\xff".decode("utf-8", "surrogateescape")
    np.testing.assert_allclose(encode([["a", broken]]).values, encode([["a", "day\ufffd"]]).values, atol=1e-6)


def test_nothing_at_all(encoders):
    for sentences in ([], [[]], [[], []]):
        for unit in ("words", "subwords"):
            vectors = word_encoder(encoders["bert"], layer=1, unit=unit)(sentences)
            assert vectors.values.shape == (0, 32)
            assert vectors.starts.tolist() == [0] * (len(sentences) + 1)


@pytest.mark.parametrize("layer", [4, 8, -5])
def test_layers_that_do_not_exist_are_refused(encoders, layer):
    with pytest.raises(ConfigError, match=f"has 3 layers, so there is no layer {layer}") as caught:
        word_encoder(encoders["bert"], layer=layer)
    assert "0 to 3" in (caught.value.hint or "")


def test_units_that_do_not_exist_are_refused(encoders):
    with pytest.raises(ConfigError, match="no unit called 'word'") as caught:
        word_encoder(encoders["bert"], layer=1, unit="word")
    assert "words" in (caught.value.hint or "")


def test_tokenisers_that_cannot_tell_words_are_refused(encoders, monkeypatch):
    monkeypatch.setattr(encoders["bert"], "tokenizer", object())
    with pytest.raises(ConfigError, match="which word a subword"):
        word_encoder(encoders["bert"], layer=1)


# ---------------------------------------------------------------- tables


def test_bag_of_subwords_gives_its_vectors():
    table = torch.randn(18, 5, generator=torch.Generator().manual_seed(0))
    encoder = StaticEncoder(wordpiece(), table)
    subwords, words = (
        word_encoder(encoder, unit=unit)([["dogs", "", "run"], [], ["A"]]) for unit in ("subwords", "words")
    )
    assert subwords.words.tolist() == [0, 0, 2, 0]
    assert subwords.starts.tolist() == [0, 3, 3, 4]
    assert subwords.missing.tolist() == [1, 0, 0]
    np.testing.assert_array_equal(subwords.values, table[[5, 6, 8, 13]].numpy())
    np.testing.assert_allclose(words.values, np.stack([table[5:7].mean(0), table[8], table[13]]), atol=1e-6)


@pytest.mark.parametrize(
    ("case", "expected"), [("exact", [0, None, None, None]), ("fallback", [0, 0, 2, None]), ("lower", [0, 0, 2, 1])]
)
def test_table_treats_case_as_told(case, expected):
    matrix = np.eye(4, dtype=np.float32)
    found = TableWords(["dog", "Hund", "run", "DOG"], matrix, case=case)([["dog", "Dog", "RUN", "hund"], ["x"], []])
    kept = [i for i, row in enumerate(expected) if row is not None]
    assert found.words.tolist() == kept
    np.testing.assert_array_equal(found.values, matrix[[expected[i] for i in kept]])
    assert found.missing.tolist() == [4 - len(kept), 1, 0]
    assert found.starts.tolist() == [0, len(kept), len(kept), len(kept)]


def test_table_refuses_what_does_not_fit():
    with pytest.raises(ConfigError, match="2 words and 3 vectors"):
        TableWords(["a", "b"], np.eye(3, dtype=np.float32))
    with pytest.raises(ConfigError, match="folded"):
        TableWords(["a"], np.eye(1, dtype=np.float32), case="folded")
