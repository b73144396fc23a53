"""Encoders that keep only the subwords of a corpus."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Pooling, Transformer
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    AutoModelForMaskedLM,
    BertConfig,
    BertForMaskedLM,
    BertModel,
    BertTokenizer,
    DistilBertConfig,
    DistilBertForMaskedLM,
    ElectraConfig,
    ElectraForMaskedLM,
    MBartConfig,
    MBartModel,
    MPNetConfig,
    MPNetForMaskedLM,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForMaskedLM,
    RobertaTokenizer,
    T5Config,
    T5EncoderModel,
    T5ForConditionalGeneration,
    XLMRobertaConfig,
    XLMRobertaForMaskedLM,
    XLMRobertaTokenizer,
)

from lexenc.device import CPU
from lexenc.encoders.encode import encode_texts
from lexenc.encoders.load import load_encoder
from lexenc.encoders.masked_language import MaskedHead
from lexenc.encoders.static import StaticEncoder
from lexenc.encoders.trimming import Trimmed, trim_vocabulary
from lexenc.errors import ConfigError, DataError

ENGLISH = [
    "the hot dog runs over the old bridge", "a house by the river", "Where is the station?", "naïve cafés in 1984",
    "dogs and cats and houses", "the water is cold, isn't it?", "she said: go home", "an unbelievable story",
]  # fmt: skip
GERMAN = [
    "der heiße Hund läuft über die alte Brücke", "ein Haus am Fluss", "Wo ist der Bahnhof?", "Größe und Süße",
    "Hunde und Katzen und Häuser", "das Wasser ist kalt, nicht wahr?", "日本 und Москва",
    "eine unglaubliche Geschichte",
]  # fmt: skip
CORPUS = [*ENGLISH, "👍🏽 ok", b"gr\xfcn dog".decode("utf-8", "surrogateescape"), "", "the " * 40]
SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
BERT = {**SIZES, "max_position_embeddings": 40}
DISTILBERT = {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32, "max_position_embeddings": 40}
XLM_SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
BERT_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
NAMES = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}


def train(tokenizer: Tokenizer, kind: type, size: int, special: Sequence[str], **settings: object) -> Tokenizer:
    lines = [*ENGLISH, *GERMAN] * 8
    trainer = kind(vocab_size=size, special_tokens=list(special), show_progress=False, **settings)
    tokenizer.train_from_iterator(lines, trainer)
    return tokenizer


def unigram() -> PreTrainedTokenizerFast:
    """The shape of XLM-R: special subwords first, the mask last, spaces as a character."""
    made = Tokenizer(models.Unigram())
    made.normalizer = normalizers.NFKC()
    made.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    train(made, trainers.UnigramTrainer, 190, XLM_SPECIAL, unk_token="<unk>")
    vocabulary = [(piece, score) for piece, score in json.loads(made.to_str())["model"]["vocab"]]
    return XLMRobertaTokenizer(vocab=vocabulary)


def bytelevel() -> PreTrainedTokenizerFast:
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    train(made, trainers.BpeTrainer, 420, special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    model = json.loads(made.to_str())["model"]
    return RobertaTokenizer(vocab=model["vocab"], merges=[tuple(each) for each in model["merges"]])


def wordpiece() -> PreTrainedTokenizerFast:
    made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.normalizer, made.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    train(made, trainers.WordPieceTrainer, 200, BERT_SPECIAL)
    return BertTokenizer(vocab=made.get_vocab())


def plain(special: Sequence[str] = BERT_SPECIAL) -> PreTrainedTokenizerFast:
    """BPE over characters, with byte fallback, and its special subwords at the end."""
    made = Tokenizer(models.BPE(unk_token="[UNK]", byte_fallback=True))
    made.pre_tokenizer, made.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    train(made, trainers.BpeTrainer, 240, [f"<0x{byte:02X}>" for byte in range(256)])
    train(made, trainers.BpeTrainer, 400, [*(f"<0x{byte:02X}>" for byte in range(256)), "[UNK]"])
    body = json.loads(made.to_str())
    body["added_tokens"] = []
    made = Tokenizer.from_str(json.dumps(body))
    made.add_special_tokens(list(special))
    numbers = [(name, made.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    made.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=numbers)
    return PreTrainedTokenizerFast(tokenizer_object=made, **NAMES)


def model_of(kind: str, tokenizer: PreTrainedTokenizerFast) -> torch.nn.Module:
    own = {"vocab_size": len(tokenizer), "pad_token_id": tokenizer.pad_token_id}
    made = {
        "bert": lambda: BertForMaskedLM(BertConfig(**BERT, **own)),
        "untied": lambda: BertForMaskedLM(BertConfig(**BERT, **own, tie_word_embeddings=False)),
        "headless": lambda: BertModel(BertConfig(**BERT, **own)),
        "roberta": lambda: RobertaForMaskedLM(RobertaConfig(**BERT, **own)),
        "xlm-roberta": lambda: XLMRobertaForMaskedLM(XLMRobertaConfig(**BERT, **own)),
        "distilbert": lambda: DistilBertForMaskedLM(DistilBertConfig(**DISTILBERT, **own)),
        "mpnet": lambda: MPNetForMaskedLM(MPNetConfig(**BERT, **own)),
        "electra": lambda: ElectraForMaskedLM(ElectraConfig(**BERT, **own, embedding_size=8)),
        "padded": lambda: BertModel(BertConfig(**BERT, **own | {"vocab_size": len(tokenizer) + 7})),
    }[kind]()
    for values in made.parameters():
        values.data.add_(torch.randn_like(values) * 0.2)
    return made


def write(folder: Path, kind: str, tokenizer: PreTrainedTokenizerFast) -> Path:
    torch.manual_seed(3)
    model_of(kind, tokenizer).save_pretrained(folder)
    tokenizer.model_max_length = 30
    tokenizer.save_pretrained(folder)
    return folder


KINDS: dict[str, tuple[str, Callable[[], PreTrainedTokenizerFast]]] = {
    "xlm-roberta": ("xlm-roberta", unigram),
    "bert with unigram": ("bert", unigram),
    "roberta": ("roberta", bytelevel),
    "bert": ("bert", wordpiece),
    "untied": ("untied", wordpiece),
    "headless": ("headless", wordpiece),
    "distilbert": ("distilbert", wordpiece),
    "electra": ("electra", wordpiece),
    "mpnet": ("mpnet", unigram),
    "plain bpe": ("bert", plain),
    "padded": ("padded", plain),
}


def trim(folder: Path, out: Path, texts: Sequence[str] = CORPUS) -> Trimmed:
    return trim_vocabulary(folder, out, lambda: iter(texts))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", KINDS)
def test_texts_keep_their_subwords_and_vectors(tmp_path: Path, name: str) -> None:
    kind, make = KINDS[name]
    folder = write(tmp_path / "whole", kind, make())
    found = trim(folder, tmp_path / "small")
    before, after = (load_encoder(each, device=CPU) for each in (folder, tmp_path / "small"))
    np.testing.assert_array_equal(encode_texts(after, CORPUS), encode_texts(before, CORPUS))
    for text in CORPUS:
        pieces = [[each.tokenizer.id_to_token(i) for i in each.tokenise([text])[0]] for each in (before, after)]
        assert pieces[0] == pieces[1]
    assert found.texts == len(CORPUS)
    assert found.subwords == tuple(len(each.tokenizer.get_vocab()) for each in (before, after))
    assert found.subwords[1] < found.subwords[0] - 15
    assert found.parameters[1] < found.parameters[0]
    assert found.size[1] < found.size[0]
    config = json.loads((tmp_path / "small" / "config.json").read_text())
    assert config["vocab_size"] == found.subwords[1]
    # Other libraries open it.
    peer = SentenceTransformer(str(tmp_path / "small"), device="cpu")
    texts = [text for text in CORPUS if text.isprintable()]
    np.testing.assert_allclose(peer.encode(texts), encode_texts(before, texts), atol=1e-5)
    # So does the next step: it can be trimmed again, to itself.
    again = trim(tmp_path / "small", tmp_path / "again")
    assert again.subwords == (found.subwords[1],) * 2


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [name for name in KINDS if name not in ("headless", "padded")])
def test_the_head_is_trimmed_too(tmp_path: Path, name: str) -> None:
    kind, make = KINDS[name]
    folder = write(tmp_path / "whole", kind, make())
    trim(folder, tmp_path / "small")
    encoders = [load_encoder(each, device=CPU) for each in (folder, tmp_path / "small")]
    heads = [MaskedHead(each, encoder) for each, encoder in zip((folder, tmp_path / "small"), encoders, strict=True)]
    assert not heads[1].fresh
    vocabulary = encoders[1].tokenizer.get_vocab()
    rows = [0] * len(vocabulary)
    for piece, row in vocabulary.items():
        rows[row] = encoders[0].tokenizer.token_to_id(piece)
    states = [encoder.states(encoder.tokenise(ENGLISH)) for encoder in encoders]
    assert torch.equal(*states)
    torch.testing.assert_close(heads[1].logits(states[1]), heads[0].logits(states[0])[:, rows])
    assert heads[1].mask == vocabulary[encoders[0].tokenizer.id_to_token(heads[0].mask)]
    AutoModelForMaskedLM.from_pretrained(tmp_path / "small")


@pytest.mark.filterwarnings("ignore")
def test_modules_and_prompts_stay(tmp_path: Path) -> None:
    plain_folder = write(tmp_path / "plain", "bert", unigram())
    modules = [Transformer(str(plain_folder)), Pooling(16, "cls"), Dense(16, 8)]
    prompts = {"query": "GRÖSSE: ", "passage": "日本: "}
    peer = SentenceTransformer(modules=modules, device="cpu", prompts=prompts, default_prompt_name="query")
    peer.save(str(tmp_path / "whole"), create_model_card=False)
    trim(tmp_path / "whole", tmp_path / "small")
    texts = [text for text in CORPUS if text.isprintable()]
    small = SentenceTransformer(str(tmp_path / "small"), device="cpu")
    for name in ("query", "passage", None):
        expected = peer.encode(texts, prompt_name=name)
        np.testing.assert_allclose(small.encode(texts, prompt_name=name), expected, atol=1e-5)
    assert {path.name for path in (tmp_path / "small").iterdir()} >= {"1_Pooling", "2_Dense", "modules.json"}


@pytest.mark.parametrize("kind", ["unigram", "bpe", "wordpiece"])
def test_static_encoders_are_trimmed(tmp_path: Path, kind: str) -> None:
    from lexenc.encoders.fresh import train_tokenizer

    made = train_tokenizer(iter([*ENGLISH, *GERMAN] * 4), kind=kind, vocabulary_size=190, lowercase=True, special=False)
    made.enable_truncation(20)
    rows = torch.randn(made.get_vocab_size() + 2, 6, generator=torch.Generator().manual_seed(1))
    settings = {"prompts": {"query": "süß "}, "default_prompt_name": "query"}
    StaticEncoder(made, rows, settings=settings).save(tmp_path / "whole")
    found = trim(tmp_path / "whole", tmp_path / "small")
    before, after = (load_encoder(tmp_path / each, device=CPU) for each in ("whole", "small"))
    np.testing.assert_array_equal(encode_texts(after, CORPUS), encode_texts(before, CORPUS))
    assert found.parameters == (rows.numel(), found.subwords[1] * 6)
    assert found.subwords[1] < found.subwords[0]


@pytest.mark.parametrize("name", ["xlm-roberta", "roberta", "bert", "plain bpe"])
def test_new_words_of_the_characters_are_not_unknown(tmp_path: Path, name: str) -> None:
    kind, make = KINDS[name]
    folder = write(tmp_path / "whole", kind, make())
    trim(folder, tmp_path / "small", ["abcdefghijklmnopqrstuvwxyz"])
    after = load_encoder(tmp_path / "small", device=CPU)
    unknown = after.module[0].tokenizer.unk_token_id
    assert all(unknown not in ids for ids in after.tokenise(["zebra", "house", "dog"]))


def test_words_without_subwords_stay_unknown(tmp_path: Path) -> None:
    """Greedy matching without some subwords could find a way that it did not find before."""
    words = [*BERT_SPECIAL, "a", "ab", "##c", "##bx", "d", "dab"]
    tokenizer = BertTokenizer(vocab={word: i for i, word in enumerate(words)})
    folder = write(tmp_path / "whole", "bert", tokenizer)
    trim(folder, tmp_path / "small", ["a abx", "ab"])
    trim(folder, tmp_path / "smaller", ["abx", "a"])
    for name, pieces in (("small", ["a", "[UNK]"]), ("smaller", ["a", "[UNK]"])):
        after = load_encoder(tmp_path / name, device=CPU)
        assert [after.tokenizer.id_to_token(each) for each in after.tokenise(["a abx"])[0]][1:-1] == pieces
    assert "dab" not in load_encoder(tmp_path / "smaller", device=CPU).tokenizer.get_vocab()


def test_weights_in_parts(tmp_path: Path) -> None:
    folder = write(tmp_path / "whole", "xlm-roberta", unigram())
    split = tmp_path / "split"
    shutil.copytree(folder, split)
    AutoModelForMaskedLM.from_pretrained(folder).save_pretrained(split, max_shard_size="10KB")
    (split / "model.safetensors").unlink()
    assert len(list(split.glob("*.safetensors"))) > 1
    trim(folder, tmp_path / "one")
    trim(split, tmp_path / "other")
    one, other = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "other"))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_encoders_whose_vocabulary_cannot_be_trimmed(tmp_path: Path) -> None:
    from tests.unit.encoders.test_pretrained import SEQ2SEQ
    from tests.unit.encoders.test_pretrained import write as write_words

    words = write_words(tmp_path / "words", BertModel(BertConfig(**BERT, vocab_size=40)))
    with pytest.raises(ConfigError, match="of the type WordLevel, expected Unigram, BPE, WordPiece"):
        trim(words, tmp_path / "a")
    folder = write(tmp_path / "whole", "bert", wordpiece())
    (folder / "tokenizer.json").rename(folder / "other.json")
    vocabulary = wordpiece().get_vocab()
    lines = sorted(vocabulary, key=lambda piece: vocabulary[piece])
    (folder / "vocab.txt").write_text("".join(f"{line}\n" for line in lines))
    with pytest.raises((ConfigError, DataError), match=r"no tokenizer\.json|cannot be"):
        trim(folder, tmp_path / "b")
    (folder / "other.json").rename(folder / "tokenizer.json")
    with pytest.raises(DataError, match="no texts"):
        trim(folder, tmp_path / "c", [])
    tokenizer = unigram()
    MBartModel(MBartConfig(**SEQ2SEQ | {"vocab_size": len(tokenizer), "pad_token_id": 1})).save_pretrained(
        tmp_path / "mbart"
    )
    tokenizer.save_pretrained(tmp_path / "mbart")
    with pytest.raises(ConfigError, match="shared with other parts"):
        trim(tmp_path / "mbart", tmp_path / "d")


@pytest.mark.parametrize("kind", [T5EncoderModel, T5ForConditionalGeneration])
def test_encoders_of_t5_are_trimmed(tmp_path: Path, kind: type) -> None:
    from tests.unit.encoders.test_pretrained import T5

    tokenizer = unigram()
    kind(T5Config(**T5 | {"vocab_size": len(tokenizer)})).save_pretrained(tmp_path / "t5")
    tokenizer.save_pretrained(tmp_path / "t5")
    found = trim(tmp_path / "t5", tmp_path / "small")
    assert found.subwords[1] < found.subwords[0]


def test_changed_vectors_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lexenc.encoders import trimming

    folder = write(tmp_path / "whole", "headless", wordpiece())
    plain_save = save_file

    def wrong(tensors: dict[str, torch.Tensor], path: Path, **settings: object) -> None:
        name = "embeddings.word_embeddings.weight"
        plain_save(tensors | {name: tensors[name] + 1e-3}, path, **settings)

    monkeypatch.setattr(trimming, "save_file", wrong)
    with pytest.raises(DataError, match="vectors of some texts differ by"):
        trim(folder, tmp_path / "small")
