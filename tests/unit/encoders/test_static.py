from __future__ import annotations

import shutil
import warnings

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from lexenc.device import CPU
from lexenc.encoders.base import read_modules
from lexenc.encoders.encode import encode_texts
from lexenc.encoders.load import encoder_kind, load_encoder
from lexenc.encoders.static import StaticEncoder
from lexenc.errors import DataError, LexencError

PIECES = ["dog", "##s", "hot", "new", "york", "haus", "d", "##o", "##g", "straße", "\ufffd", "##\ufffd", "[UNK]"]
TEXTS = ["dog", "hot dogs", "", "New York", "zzz", "   ", "haus", "dog", "hot dog hot dog hot dog", "d og", "straße"]


def tokenizer() -> Tokenizer:
    made = Tokenizer(models.WordPiece({piece: i for i, piece in enumerate(PIECES)}, unk_token="[UNK]"))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    return made


def numbers():
    return torch.randn(len(PIECES), 5, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def encoder():
    return StaticEncoder(tokenizer(), numbers())


@pytest.fixture
def saved(encoder, tmp_path):
    encoder.save(tmp_path / "encoder")
    return tmp_path / "encoder"


def embed(encoder, texts):
    with torch.no_grad():
        return encoder.embed(encoder.tokenise(texts)).numpy()


def test_static_is_the_mean_of_the_subwords(encoder):
    rows = numbers().numpy()
    index = {piece: row for row, piece in enumerate(PIECES)}
    for text, pieces in {
        "dogs": ["dog", "##s"],
        "Hot dog": ["hot", "dog"],
        "zzz": ["[UNK]"],
        "dog dog": ["dog"],
    }.items():
        expected = rows[[index[piece] for piece in pieces]].mean(axis=0)
        np.testing.assert_allclose(embed(encoder, [text])[0], expected, atol=1e-6)
    assert encoder.dimensions == 5
    assert encoder.kind == "static"


def test_static_vectors_do_not_depend_on_order_or_neighbours(encoder):
    together = embed(encoder, TEXTS)
    assert together.dtype == np.float32
    alone = np.concatenate([embed(encoder, [text]) for text in TEXTS])
    np.testing.assert_array_equal(together, alone)
    order = np.random.default_rng(0).permutation(len(TEXTS))
    np.testing.assert_array_equal(embed(encoder, [TEXTS[i] for i in order]), together[order])


@pytest.mark.parametrize("token_budget", [1, 3, 1000])
def test_static_batches_do_not_change_vectors(encoder, token_budget):
    np.testing.assert_allclose(
        encode_texts(encoder, TEXTS, token_budget=token_budget), embed(encoder, TEXTS), atol=1e-6
    )


@pytest.mark.parametrize("text", ["", "   "])
def test_static_text_without_subwords_is_the_zero_vector(encoder, text):
    assert encoder.tokenise([text]) == [[]]
    assert embed(encoder, [text]).tolist() == [[0.0] * 5]
    mixed = embed(encoder, [text, "dog", text, text])
    np.testing.assert_array_equal(mixed[[0, 2, 3]], np.zeros((3, 5), np.float32))
    np.testing.assert_array_equal(mixed[1], embed(encoder, ["dog"])[0])


def test_static_nothing_at_all(encoder):
    assert encoder.tokenise([]) == []
    assert embed(encoder, []).shape == (0, 5)
    assert encode_texts(encoder, []).shape == (0, 5)


def test_static_undecodable_bytes_count_as_the_replacement_character(encoder):
    broken = b"dog \xff".decode("utf-8", "surrogateescape")
    assert encoder.tokenise([broken]) == encoder.tokenise(["dog \ufffd"])
    assert encoder.tokenise([b"stra\xc3\x9fe".decode("ascii", "surrogateescape")]) == encoder.tokenise(["straße"])


def test_static_long_texts_are_neither_cut_nor_padded(encoder):
    own = tokenizer()
    own.enable_truncation(2)
    own.enable_padding(length=9)
    for made in (encoder, StaticEncoder(own, numbers())):
        assert [len(row) for row in made.tokenise(["dog " * 3000, "dog"])] == [3000, 1]


def test_static_gradient_reaches_only_the_subwords_of_the_text(encoder):
    encoder.embed(encoder.tokenise(["hot dog", ""])).sum().backward()
    (gradient,) = [each.grad for each in encoder.module.parameters()]
    touched = {PIECES[row] for row in gradient.abs().sum(1).nonzero().flatten().tolist()}
    assert touched == {"hot", "dog"}


def test_static_does_not_share_the_weights_it_was_given():
    weights = numbers()
    made = StaticEncoder(tokenizer(), weights)
    weights.zero_()
    assert embed(made, ["dog"]).any()


# ---------------------------------------------------------------- on disk


def test_static_saved_encoder_encodes_the_same(encoder, saved):
    assert encoder_kind(saved) == "static"
    for loaded in (StaticEncoder.load(saved), load_encoder(saved, device=CPU)):
        np.testing.assert_array_equal(embed(loaded, TEXTS), embed(encoder, TEXTS))
    assert all(path.suffix in (".json", ".safetensors") for path in saved.iterdir()), "no pickles"


def test_static_sentence_transformers_encodes_the_same(encoder, saved):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sentence_transformers import SentenceTransformer

        theirs = SentenceTransformer(str(saved), device="cpu")
        vectors = theirs.encode(TEXTS)
    np.testing.assert_allclose(vectors, embed(encoder, TEXTS), atol=1e-6)


def test_static_folder_of_sentence_transformers_is_read(encoder, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sentence_transformers import SentenceTransformer
        from sentence_transformers.sentence_transformer.modules import StaticEmbedding

        module = StaticEmbedding(tokenizer(), embedding_weights=numbers().numpy())
        SentenceTransformer(modules=[module], device="cpu").save(str(tmp_path / "theirs"), create_model_card=False)
    assert encoder_kind(tmp_path / "theirs") == "static"
    np.testing.assert_array_equal(embed(StaticEncoder.load(tmp_path / "theirs"), TEXTS), embed(encoder, TEXTS))


def test_static_half_precision_weights_are_read_as_float32(encoder, saved):
    save_file({"embedding.weight": numbers().to(torch.float16)}, saved / "model.safetensors")
    loaded = StaticEncoder.load(saved)
    np.testing.assert_allclose(embed(loaded, TEXTS), embed(encoder, TEXTS), atol=2e-3)
    assert embed(loaded, TEXTS).dtype == np.float32


def rewrite(name, change):
    """A damage: the bytes of a file changed."""

    def damage(folder):
        (folder / name).write_bytes(change((folder / name).read_bytes()))

    return damage


def other_weights(change):
    """A damage: other tensors in a file that is whole."""

    def damage(folder):
        path = folder / "model.safetensors"
        save_file(change(load_file(path)["embedding.weight"]), path)

    return damage


DAMAGES = {
    "no weights": lambda folder: (folder / "model.safetensors").unlink(),
    "no tokenizer": lambda folder: (folder / "tokenizer.json").unlink(),
    "short weights": rewrite("model.safetensors", lambda content: content[:-7]),
    "empty weights": rewrite("model.safetensors", lambda content: b""),
    "other weights": other_weights(lambda table: {"something": table}),
    "flat weights": other_weights(lambda table: {"embedding.weight": table.flatten()}),
    "too few weights": other_weights(lambda table: {"embedding.weight": table[:-3].contiguous()}),
    "tokenizer of something else": rewrite("tokenizer.json", lambda content: b"{}"),
    "short tokenizer": rewrite("tokenizer.json", lambda content: content[:-20]),
    "modules no json": rewrite("modules.json", lambda content: b"{"),
    "modules no table": rewrite("modules.json", lambda content: b"[5]"),
    "modules elsewhere": rewrite(
        "modules.json", lambda content: content.replace(b'"path": ""', b'"path": "0_nowhere"')
    ),
}


@pytest.mark.parametrize("what", DAMAGES)
def test_static_damaged_folder_is_a_lexenc_error(saved, what):
    DAMAGES[what](saved)
    with pytest.raises(LexencError) as caught:
        StaticEncoder.load(saved)
    assert str(saved) in caught.value.message
    assert caught.value.hint
    with pytest.raises(LexencError):
        load_encoder(saved, device=CPU)


def test_static_other_folders_are_not_static(tmp_path, saved):
    assert encoder_kind(tmp_path) != "static"
    assert read_modules(tmp_path) == []
    shutil.copytree(saved, tmp_path / "other")
    (tmp_path / "other" / "modules.json").write_text(
        '[{"type": "sentence_transformers.models.Transformer", "path": ""}]'
    )
    assert encoder_kind(tmp_path / "other") != "static"
    (tmp_path / "other" / "modules.json").write_text("[]")
    assert encoder_kind(tmp_path / "other") != "static"
    with pytest.raises(DataError):
        StaticEncoder.load(tmp_path)
