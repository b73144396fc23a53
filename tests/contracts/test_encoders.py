"""Every kind of encoder: order kept, neighbours without influence, empty texts, saved and loaded again."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lexenc.device import CPU
from lexenc.encoders.encode import encode_texts
from lexenc.encoders.fresh import save_new_transformer, train_tokenizer
from lexenc.encoders.kinds import ELMO, STATIC
from lexenc.encoders.load import load_encoder
from lexenc.encoders.projected import save_projected

LINES = [f"the {word} is here and the {word} was there" for word in "house dog cat tree water fire stone bread".split()]
TEXTS = ["house", "", "a dog and a cat", "dog", "house", "   ", "größe", "x" * 600, "the water is here", "dog cat"]
KINDS = ("static", "transformer", "elmo", "projected", "projected-elmo")
OWN = ("elmo", "projected-elmo")  # those that sentence-transformers cannot load


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A folder of every kind, 12 dimensions."""
    places = {kind: tmp_path_factory.mktemp(kind) / "encoder" for kind in KINDS}
    tokenizer = train_tokenizer(LINES, kind="unigram", vocabulary_size=120, lowercase=True, special=False)
    STATIC.create(places["static"], tokenizer, dimensions=12, deviation=0.1, seed=0)
    tokenizer = train_tokenizer(LINES, kind="wordpiece", vocabulary_size=120, lowercase=True, special=True)
    places["transformer"].mkdir()
    save_new_transformer(places["transformer"], tokenizer, dimensions=12, layers=1, heads=2, max_length=24, seed=0)
    places["elmo"].mkdir()
    ELMO.create(places["elmo"], tokenizer, dimensions=12, layers=2, max_length=24, seed=0)
    random = np.random.default_rng(0)
    for kind in ("transformer", "elmo"):
        encoder = load_encoder(places[kind], device=CPU)
        place = places["projected" if kind == "transformer" else "projected-elmo"]
        place.mkdir()
        save_projected(place, encoder, {layer: random.normal(size=(12, 12)) for layer in range(encoder.layers + 1)})
    return places


@pytest.fixture(params=KINDS)
def encoder(request, folders):
    return load_encoder(folders[request.param], device=CPU)


@pytest.fixture
def loads_elsewhere(request):
    """Whether sentence-transformers loads the encoder of the test."""
    return request.node.callspec.params["encoder"] not in OWN


def unit(matrix):
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    return matrix / np.where(lengths, lengths, 1)


def test_kind_and_dimensions(encoder):
    assert encoder.kind in KINDS
    assert encoder.dimensions == 12
    assert isinstance(encoder.module, torch.nn.Module)


def test_order_is_kept_and_the_same_text_has_the_same_vector(encoder):
    vectors = encode_texts(encoder, TEXTS)
    assert vectors.shape == (len(TEXTS), 12)
    assert vectors.dtype == np.float32
    assert np.isfinite(vectors).all()
    assert (vectors[0] == vectors[4]).all()
    turned = encode_texts(encoder, TEXTS[::-1])[::-1]
    assert np.abs(unit(turned) - unit(vectors)).max() < 1e-5


@pytest.mark.parametrize("budget", [1, 7, 30, 10_000])
def test_batches_do_not_matter(encoder, budget):
    whole, other = encode_texts(encoder, TEXTS), encode_texts(encoder, TEXTS, token_budget=budget)
    assert np.abs(unit(other) - unit(whole)).max() < 1e-5


def test_one_by_one_is_the_same(encoder):
    whole = encode_texts(encoder, TEXTS)
    alone = np.concatenate([encode_texts(encoder, [text]) for text in TEXTS])
    assert np.abs(unit(alone) - unit(whole)).max() < 1e-5


def test_no_texts(encoder):
    assert encode_texts(encoder, []).shape == (0, 12)


def test_empty_texts_have_a_vector(encoder):
    assert np.isfinite(encode_texts(encoder, ["", " "])).all()


def test_undecodable_words_have_a_vector(encoder):
    assert np.isfinite(encode_texts(encoder, [b"gr\xfcn".decode("utf-8", "surrogateescape")])).all()


def test_saved_and_loaded_it_encodes_the_same(encoder, tmp_path):
    folder = tmp_path / "saved"
    folder.mkdir()
    encoder.save(folder)
    again = load_encoder(folder, device=CPU)
    assert again.kind == encoder.kind
    assert np.abs(encode_texts(again, TEXTS) - encode_texts(encoder, TEXTS)).max() < 1e-6


def test_saved_it_encodes_the_same_in_sentence_transformers(encoder, loads_elsewhere, tmp_path):
    from sentence_transformers import SentenceTransformer

    if not loads_elsewhere:
        return
    folder = tmp_path / "saved"
    folder.mkdir()
    encoder.save(folder)
    texts = [text for text in TEXTS if text.strip()]
    theirs = SentenceTransformer(str(folder), device="cpu").encode(texts, convert_to_numpy=True)
    assert np.abs(unit(theirs) - unit(encode_texts(encoder, texts))).max() < 1e-5


def test_vectors_can_be_trained(encoder):
    tokens = encoder.tokenise(["house", "dog"])
    vectors = encoder.embed(tokens)
    assert vectors.requires_grad
    vectors.sum().backward()
    gradients = [each.grad for each in encoder.module.parameters() if each.grad is not None]
    assert gradients
    assert all(torch.isfinite(each).all() for each in gradients)
    encoder.module.zero_grad()


def test_encoding_does_not_train(encoder):
    before = {name: each.clone() for name, each in encoder.module.state_dict().items()}
    first = encode_texts(encoder, TEXTS)
    second = encode_texts(encoder, TEXTS)
    assert (first == second).all(), "no dropout outside training"
    assert all((each == before[name]).all() for name, each in encoder.module.state_dict().items())
