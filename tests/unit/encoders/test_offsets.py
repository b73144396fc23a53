"""Which characters of a text each subword stands for."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from lexenc.encoders.subwords import NO_TEXT, offset_tokens

LINES = ["the hot dog runs in 日本 and café 👍🏽 naïve query:", "größe und hund the a b c d e f g ﬁ"] * 20
BAD = b"gr\xfcn \xe2\x82 dog \xff\xff".decode("utf-8", "surrogateescape")
TEXTS = [
    "the dog", "日本 dog", "  the 👍🏽 dog ", "👍🏽", "a\u3000ﬁ ①", "größe, und Hund!", "gro\u0308ße", BAD, "", "   ",
    "\udce2\udc82\udcac x", "the " * 40,
]  # fmt: skip


def unigram() -> Tokenizer:
    made = Tokenizer(models.Unigram())
    made.normalizer = normalizers.NFKC()
    made.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    made.decoder = decoders.Metaspace()
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    made.train_from_iterator(LINES, trainers.UnigramTrainer(vocab_size=80, special_tokens=special, unk_token="<unk>",
                                                            show_progress=False))  # fmt: skip
    made.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    return made


def wordpiece() -> Tokenizer:
    made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.normalizer, made.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    special = ["[UNK]", "[CLS]", "[SEP]"]
    made.train_from_iterator(LINES, trainers.WordPieceTrainer(vocab_size=90, special_tokens=special,
                                                              show_progress=False))  # fmt: skip
    made.post_processor = processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    return made


def bytelevel(prefix: bool = False) -> Tokenizer:
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(LINES, trainers.BpeTrainer(vocab_size=330, special_tokens=["<s>", "</s>"],
                                                        initial_alphabet=alphabet, show_progress=False))  # fmt: skip
    made.post_processor = processors.RobertaProcessing(("</s>", 1), ("<s>", 0), add_prefix_space=prefix)
    return made


KINDS = {
    "unigram": unigram,
    "wordpiece": wordpiece,
    "byte-level": bytelevel,
    "byte-level with a space": lambda: bytelevel(True),
}


@pytest.fixture(scope="module", params=KINDS)
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    made = KINDS[request.param]()
    made.enable_truncation(24)
    return made


@pytest.mark.parametrize("prompt", ["", "query: ", "the"])
def test_offsets_cover_the_text_in_order(tokenizer: Tokenizer, prompt: str) -> None:
    shown = [prompt + text.encode("utf-8", "surrogateescape").decode("utf-8", "replace") for text in TEXTS]
    fast = [each.ids for each in tokenizer.encode_batch_fast(shown)]
    for text, (ids, places), expected in zip(TEXTS, offset_tokens(tokenizer, TEXTS, prompt=prompt), fast, strict=True):
        assert ids == expected
        assert places.shape == (len(ids), 2)
        own = places[places[:, 0] != NO_TEXT]
        assert (own >= 0).all()
        assert (own <= len(text)).all()
        assert (own[:, 0] <= own[:, 1]).all()
        assert (np.diff(own[:, 0]) >= 0).all()
        assert all(text[first:last] == text[first:last].strip() for first, last in own.tolist())
        covered = {place for first, last in own.tolist() for place in range(first, last)}
        wanted = {place for place, character in enumerate(text) if not character.isspace()}
        if len(ids) < 24:
            assert covered <= wanted
            # Tokenizers drop marks and what is no character.
            assert {unicodedata.category(text[place]) for place in wanted - covered} <= {"Mn", "Cs"}
        special = {tokenizer.token_to_id(name) for name in ("<s>", "</s>", "[CLS]", "[SEP]")}
        assert all(place[0] == NO_TEXT for number, place in zip(ids, places.tolist(), strict=True) if number in special)
        assert (places[:, 0] == NO_TEXT).sum() == (places[:, 1] == NO_TEXT).sum()


@pytest.mark.parametrize("text", ["the hot dog", "日本 dog", "dog 👍🏽 the", "größe und"])
def test_words_are_found(tokenizer: Tokenizer, text: str) -> None:
    words = [(text.index(word), text.index(word) + len(word)) for word in text.split()]
    _, places = offset_tokens(tokenizer, [text], prompt="query: ")[0]
    for first, last in places[places[:, 0] != NO_TEXT].tolist():
        assert first == last or any(begin <= first < last <= end for begin, end in words)


def test_subwords_of_the_prompt_stand_for_no_text(tokenizer: Tokenizer) -> None:
    ids, places = offset_tokens(tokenizer, ["dog"], prompt="the hot ")[0]
    alone = tokenizer.encode("the hot").ids
    inside = [number for number, place in zip(ids, places.tolist(), strict=True) if place[0] == NO_TEXT]
    assert inside == alone
    assert places[places[:, 0] != NO_TEXT].max() == 3


def test_spaces_have_no_characters() -> None:
    _, places = offset_tokens(unigram(), ["日本"])[0]
    assert places[1].tolist() == [0, 0]  # the first subword is the space alone


def test_bytes_that_are_not_text_are_characters() -> None:
    made = wordpiece()
    text = b"dog \xe2\x82 \xff dog".decode("utf-8", "surrogateescape")
    ids, places = offset_tokens(made, [text])[0]
    assert len(ids) == 4  # the replacement character is cleaned away
    assert places.tolist() == [[-1, -1], [0, 3], [9, 12], [-1, -1]]
