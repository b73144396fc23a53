"""A tiny encoder, pairs of sentences, and the links of their words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from lexenc.arrays import Ragged
from lexenc.encoders.fresh import save_new_transformer, train_tokenizer
from lexenc.encoders.masked_language import MaskedHead
from lexenc.encoders.transformer import TransformerEncoder
from lexenc.sentences.terms import TermInputs, distinct_subwords
from lexenc.sentences.words import link_words
from lexenc.text.links import Links
from lexenc.text.words import segmenter
from lexenc.training.data import number_pairs

PAIRS = [
    ("the house is unbelievably big.", "la maison est vraiment grande."),
    ("dogs, cats!", "chiens et chats"),
    ("house", "maison"),
    ("nothing here", "rien ici"),
    ("the big house", "la grande maison"),
]
LINKS = [
    [(0, 0, 0.9), (1, 1, 0.8), (2, 2, 0.3), (3, 3, 0.9), (3, 4, 0.7), (4, 4, 0.9)],
    [(0, 0, 1.0), (2, 2, 0.7)],
    [(0, 0, 1.0)],
    [],
    [(0, 0, 0.9), (1, 1, 0.9), (2, 2, 0.9)],
]


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("sentences") / "tiny"
    texts = [text for pair in PAIRS for text in pair] * 3
    tokenizer = train_tokenizer(iter(texts), kind="wordpiece", vocabulary_size=75, lowercase=True, special=True)
    save_new_transformer(place, tokenizer, dimensions=16, layers=3, heads=2, max_length=40, seed=0)
    return place


@pytest.fixture
def make_given(tiny_folder):
    """Make the inputs of terms, always the same: encoder and head with the same weights."""

    def make(pairs=PAIRS, links=LINKS, *, whole=False, longest=None, **changes):
        encoder = TransformerEncoder.load_folder(tiny_folder, max_length=longest)
        data = number_pairs(*(list(side) for side in zip(*pairs, strict=True)), [])
        tokens = Ragged.of(encoder.tokenise(data.texts), dtype=np.int32)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            head = MaskedHead(tiny_folder, encoder, None if whole else distinct_subwords(tokens))
        texts = tuple([pair[side] for pair in pairs] for side in (0, 1))
        cut = segmenter("words")
        words = link_words(
            texts,
            tuple([cut(text) for text in side] for side in texts),
            Links.of(links),
            tuple([places for _, places in encoder.tokenise_with_offsets(side)] for side in texts),
            longest=encoder.longest,
        )
        given = TermInputs(encoder, data, tokens, np.ones(len(pairs), dtype=bool), words, head, seed=3)
        return replace(given, **changes)

    return make
