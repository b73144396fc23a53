from __future__ import annotations

import json
import shutil
import warnings

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from lexenc.device import CPU
from lexenc.encoders.encode import encode_texts
from lexenc.encoders.folder import MODULES_PATH, read_modules
from lexenc.encoders.load import encoder_kind, load_encoder
from lexenc.encoders.static import StaticEncoder
from lexenc.encoders.word_vectors import word_encoder
from lexenc.errors import ConfigError, DataError, ExitCode, LexencError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import (
        Dense,
        Dropout,
        LayerNorm,
        Normalize,
        StaticEmbedding,
    )

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


@pytest.mark.parametrize("pooling", ["cls", "first-last"])
def test_a_static_encoder_has_no_layers(encoder, tmp_path, pooling):
    encoder.save(tmp_path)
    with pytest.raises(ConfigError, match=f"static, so pooling {pooling} does not fit"):
        StaticEncoder.load(tmp_path, pooling=pooling)


def test_a_static_encoder_knows_no_languages(encoder):
    tokens = encoder.tokenise(["dog", "hot dog"])
    assert torch.equal(encoder.embed(tokens, [0, 0]), encoder.embed(tokens))
    with pytest.raises(ConfigError, match="no vectors for languages"):
        encoder.embed(tokens, [0, 1])


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


def test_static_texts_are_not_padded_and_cut_where_the_tokenizer_or_the_caller_says():
    text = "new hot dog " * 1000
    whole = StaticEncoder(tokenizer(), numbers()).tokenise([text])[0]
    assert len(whole) == 3000
    for limit, most, expected in [(None, 5, 5), (2, None, 2), (2, 5, 2), (5, 2, 2)]:
        for direction in ("left", "right"):
            own = tokenizer()
            own.enable_padding(length=9)
            if limit:
                own.enable_truncation(limit, direction=direction)
            rows = StaticEncoder(own, numbers(), max_length=most).tokenise([text, "dog"])
            kept = whole[-expected:] if limit and direction == "left" else whole[:expected]
            assert rows == [kept, [0]]


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


def reference(folder, texts, alone=False):
    """What sentence-transformers computes from a folder, in float32."""
    model = SentenceTransformer(str(folder), device="cpu").float()
    return np.stack([model.encode(text) for text in texts]) if alone else model.encode(texts)


def agree(folder, encoder=None):
    """Compare all texts of a folder, in a batch and alone."""
    vectors = embed(encoder or load_encoder(folder, device=CPU), TEXTS)
    for alone in (False, True):
        theirs = reference(folder, TEXTS, alone)
        assert theirs.shape == vectors.shape
        np.testing.assert_allclose(vectors, theirs, atol=1e-5)
    return vectors


def theirs(folder, *parts, own=None, **settings):
    """A folder that sentence-transformers saves."""
    torch.manual_seed(3)
    parts = [StaticEmbedding(own or tokenizer(), embedding_weights=numbers().numpy()), *(make() for make in parts)]
    SentenceTransformer(modules=parts, device="cpu", **settings).save(str(folder), create_model_card=False)
    return folder


HEADS = {
    "nothing": [],
    "normalised": [Normalize],
    "narrower": [lambda: Dense(5, 3)],
    "linear": [lambda: Dense(5, 8, bias=False, activation_function=torch.nn.Identity()), Normalize],
    "residual": [lambda: Dense(5, 4, use_residual=True), lambda: LayerNorm(4), lambda: Dropout(0.5)],
    "two": [lambda: Dense(5, 7, activation_function=torch.nn.GELU()), lambda: Dense(7, 2), Normalize],
}


@pytest.mark.parametrize("name", HEADS)
def test_static_head_computes_the_same_loaded_and_saved_again(name, tmp_path):
    folder = theirs(tmp_path / "theirs", *HEADS[name])
    assert encoder_kind(folder) == "static"
    first = load_encoder(folder, device=CPU)
    vectors = agree(folder, first)
    first.save(tmp_path / "again")
    assert agree(tmp_path / "again") == pytest.approx(vectors, abs=1e-6)
    assert [each.kind for each in read_modules(tmp_path / "again")] == [each.kind for each in read_modules(folder)]


def test_static_prompts_and_dimensions_are_kept(tmp_path):
    prompts = {"query": "hot dog ", "other": "new "}
    folder = theirs(tmp_path / "theirs", Normalize, prompts=prompts, default_prompt_name="query", truncate_dim=4)
    first = load_encoder(folder, device=CPU)
    assert first.dimensions == 4
    assert np.abs(agree(folder, first)[2]).max() > 0, "the prompt of an empty text"
    first.save(tmp_path / "again")
    agree(tmp_path / "again")
    kept = SentenceTransformer(str(tmp_path / "again"), device="cpu")
    assert (kept.prompts["other"], kept.default_prompt_name, kept.truncate_dim) == ("new ", "query", 4)


def test_static_tokenizer_that_truncates_does(tmp_path):
    own = tokenizer()
    own.enable_truncation(2, direction="left")
    agree(theirs(tmp_path / "theirs", own=own))


def test_static_pooling_mean_leaves_the_modules_out(encoder, tmp_path):
    folder = theirs(tmp_path / "theirs", *HEADS["narrower"], truncate_dim=2)
    plain = load_encoder(folder, pooling="mean", device=CPU)
    np.testing.assert_array_equal(embed(plain, TEXTS), embed(encoder, TEXTS))
    plain.save(tmp_path / "again")
    agree(tmp_path / "again", encoder)


def test_static_training_reaches_the_dense_and_saves_it(tmp_path):
    encoder = load_encoder(theirs(tmp_path / "theirs", *HEADS["two"]), device=CPU)
    before = embed(encoder, TEXTS)
    optimiser = torch.optim.SGD(encoder.module.parameters(), lr=1.0)
    encoder.embed(encoder.tokenise(["hot dog", "haus"]))[:, 0].sum().backward()
    assert len([each for each in encoder.module.parameters() if each.grad is not None]) == 5
    optimiser.step()
    encoder.save(tmp_path / "trained")
    assert np.abs(agree(tmp_path / "trained", encoder) - before).max() > 1e-3


def test_static_words_have_the_vectors_of_texts_of_their_own(tmp_path):
    folder = theirs(tmp_path / "theirs", *HEADS["two"], prompts={"query": "hot "}, default_prompt_name="query")
    encoder = load_encoder(folder, device=CPU)
    plain = SentenceTransformer(str(folder), device="cpu")
    words = word_encoder(encoder, unit="words")([["dogs", "", "haus"], ["d"]])
    np.testing.assert_allclose(words.values, plain.encode(["dogs", "haus", "d"], prompt=""), atol=1e-6)
    subwords = word_encoder(encoder, unit="subwords")([["dogs", "haus"]])
    np.testing.assert_allclose(subwords.values[[0, 2]], plain.encode(["dog", "haus"], prompt=""), atol=1e-6)


# ---------------------------------------------------------------- model2vec

ROWS = {
    "plain": lambda: {"embeddings": numbers()},
    "double": lambda: {"embeddings": numbers().double()},
    "half": lambda: {"embeddings": numbers().half()},
    "half weighted": lambda: {"embeddings": numbers().half(), "weights": torch.linspace(0.1, 2, len(PIECES))},
    "int8": lambda: {"embeddings": (numbers() * 40).to(torch.int8), "weights": torch.full((len(PIECES),), 1 / 40)},
    "mapped": lambda: {"embeddings": numbers()[:4].contiguous(), "mapping": torch.arange(len(PIECES)) % 4},
    "both": lambda: {
        "embeddings": numbers()[:4].contiguous(),
        "mapping": (torch.arange(len(PIECES)) % 4).to(torch.int32),
        "weights": torch.linspace(0.1, 2, len(PIECES)).double(),
    },
}


def model2vec(folder, tensors, *, normalize=True, table=True):
    """A folder that model2vec saves; before 0.3 it had no table of modules."""
    folder.mkdir()
    save_file(tensors, folder / "model.safetensors")
    tokenizer().save(str(folder / "tokenizer.json"))
    (folder / "config.json").write_text(json.dumps({"model_type": "model2vec", "normalize": normalize}))
    names = ["StaticEmbedding", *(["Normalize"] if normalize else [])]
    modules = [{"idx": i, "name": f"{i}", "path": f"{i}_{name}" if i else ".", "type": MODULES_PATH + name}
               for i, name in enumerate(names)]  # fmt: skip
    if table:
        (folder / "modules.json").write_text(json.dumps(modules))
    return folder


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("rows", ROWS)
def test_model2vec_computes_the_same_loaded_and_saved_again(rows, normalize, tmp_path):
    folder = model2vec(tmp_path / "m2v", ROWS[rows](), normalize=normalize)
    vectors = agree(folder) if rows != "half" else embed(load_encoder(folder, device=CPU), TEXTS)
    load_encoder(folder, device=CPU).save(tmp_path / "again")
    np.testing.assert_allclose(agree(tmp_path / "again"), vectors, atol=1e-6)
    old = load_encoder(model2vec(tmp_path / "old", ROWS[rows](), normalize=normalize, table=False), device=CPU)
    np.testing.assert_array_equal(embed(old, TEXTS), vectors)


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


def tensors(change):
    """A damage: some tensors changed, or None for none."""

    def damage(folder):
        path = folder / "model.safetensors"
        made = load_file(path) | change
        save_file({name: each for name, each in made.items() if each is not None}, path)

    return damage


def setting(file, **values):
    """A damage: other values in a file of settings."""

    def damage(folder):
        path = folder / file
        path.write_text(json.dumps((json.loads(path.read_text()) if path.exists() else {}) | values))

    return damage


def another_module(kind):
    """A damage: a further module in the table."""

    def damage(folder):
        modules = [
            *json.loads((folder / "modules.json").read_text()),
            {"idx": 9, "name": "9", "path": "9_Other", "type": kind},
        ]
        (folder / "modules.json").write_text(json.dumps(modules))

    return damage


def spoilt(number):
    table = numbers().double()
    table[3, 1] = number
    return {"embedding.weight": table}


NONE = {"embedding.weight": None}
SETTINGS = "config_sentence_transformers.json"
DAMAGES = {
    "no weights": (lambda folder: (folder / "model.safetensors").unlink(), "no model.safetensors"),
    "no tokenizer": (lambda folder: (folder / "tokenizer.json").unlink(), "no tokenizer.json"),
    "short weights": (rewrite("model.safetensors", lambda content: content[:-7]), "model.safetensors is damaged"),
    "empty weights": (rewrite("model.safetensors", lambda content: b""), "model.safetensors is damaged"),
    "other weights": (tensors(NONE | {"something": torch.ones(13, 5)}), "neither 'embedding.weight' nor 'embeddings'"),
    "flat weights": (tensors({"embedding.weight": torch.ones(65)}), "'embedding.weight' .* no table of vectors"),
    "no width": (tensors({"embedding.weight": torch.ones(13, 0)}), "no table of vectors"),
    "too few weights": (tensors({"embedding.weight": numbers()[:-3].contiguous()}), "not fit the 13 subwords"),
    "whole numbers": (tensors({"embedding.weight": torch.ones(13, 5, dtype=torch.int8)}), "whole numbers"),
    "not a number": (tensors(spoilt(torch.nan)), "'embedding.weight' of .* not finite"),
    "infinite": (tensors(spoilt(-torch.inf)), "'embedding.weight' of .* not finite"),
    "too large": (tensors(spoilt(1e300)), "'embedding.weight' of .* not finite"),
    "int8 without weights": (tensors(NONE | {"embeddings": torch.ones(13, 5, dtype=torch.int8)}), "without 'weights'"),
    "rows without mapping": (tensors(NONE | {"embeddings": torch.ones(4, 5)}), "13 .* there is no 'mapping'"),
    "short mapping": (tensors(NONE | {"embeddings": torch.ones(4, 5), "mapping": torch.ones(9).long()}),
                      "'mapping' .* not fit the 13"),
    "mapping outside": (tensors(NONE | {"embeddings": torch.ones(4, 5), "mapping": torch.arange(13)}), "from 0 to 12"),
    "mapping below": (tensors(NONE | {"embeddings": torch.ones(4, 5), "mapping": -torch.ones(13).long()}), "from -1"),
    "mapping of numbers": (tensors(NONE | {"embeddings": torch.ones(4, 5), "mapping": torch.zeros(13)}), "'mapping'"),
    "weights of a column": (tensors(NONE | {"embeddings": torch.ones(13, 5), "weights": torch.ones(13, 1)}),
                            "'weights' .*no list of a number"),
    "weight not a number": (tensors(NONE | {"embeddings": torch.ones(13, 5), "weights": torch.full((13,), torch.nan)}),
                            "'weights' of .* not finite"),
    "tokenizer of something else": (rewrite("tokenizer.json", lambda content: b"{}"), "tokenizer.json cannot be read"),
    "short tokenizer": (rewrite("tokenizer.json", lambda content: content[:-20]), "tokenizer.json cannot be read"),
    "tokenizer without subwords": (lambda folder: Tokenizer(models.WordLevel({}, unk_token="x")).save(
        str(folder / "tokenizer.json")), "not fit the 0 subwords"),
    "modules no json": (rewrite("modules.json", lambda content: b"{"), "modules.json: not JSON"),
    "modules no table": (rewrite("modules.json", lambda content: b"[5]"), r"modules.json: \[0\] is 5"),
    "modules elsewhere": (rewrite("modules.json", lambda content: content.replace(b'"path": ""', b'"path": "0_no"')),
                          "no tokenizer.json"),
    "modules outside": (rewrite("modules.json", lambda content: content.replace(b'"path": ""', b'"path": "../x"')),
                        "outside the folder: '../x'"),
    "settings no json": (rewrite(SETTINGS, lambda content: b"["), "not JSON"),
    "settings no object": (rewrite(SETTINGS, lambda content: b"[1]"), "the whole is a list, expected a table"),
    "sparse": (setting(SETTINGS, model_type="SparseEncoder"), "belongs to a SparseEncoder"),
    "prompts no table": (setting(SETTINGS, prompts=["a"]), "prompts is a list, expected a table"),
    "prompts no text": (setting(SETTINGS, prompts={"a": 5}), "prompts.a is 5, expected a text"),
    "no default prompt": (setting(SETTINGS, default_prompt_name="no"), "default prompt 'no', but"),
    "no dimensions": (setting(SETTINGS, truncate_dim=-1), "truncate_dim -1"),
    "unknown module": (another_module("sentence_transformers.models.WordWeights"), "the module .*WordWeights"),
    "own module": (another_module("my_code.Dense"), "the module my_code.Dense"),
    "module without files": (another_module("sentence_transformers.models.Dense"), "9_Other/.*in_features is missing"),
}  # fmt: skip
HEAD_DAMAGES = {
    "width": (setting("1_Dense/config.json", in_features=4), r"describes linear.weight of shape \(3, 4\), but"),
    "another width": (tensors({"embedding.weight": torch.ones(13, 4)}), "Dense in .*1_Dense cannot be used: mat"),
    "activation": (setting("1_Dense/config.json", activation_function="my.Act"), "the activation function 'my.Act'"),
    "no weights": (lambda folder: (folder / "1_Dense/model.safetensors").unlink(), "1_Dense cannot be used: Could not"),
    "pickle": (lambda folder: (folder / "1_Dense/model.safetensors").rename(folder / "1_Dense/pytorch_model.bin"),
               "1_Dense contains pickled weights only"),
    "short weights": (rewrite("1_Dense/model.safetensors", lambda content: content[:-7]), "1_Dense/model.* is damaged"),
    "not finite": (lambda folder: tensors({"linear.bias": torch.full((3,), torch.nan)})(folder / "1_Dense"),
                   "'linear.bias' of .*1_Dense"),
    "no bias": (lambda folder: tensors({"linear.bias": None})(folder / "1_Dense"), "describes linear.bias"),
}  # fmt: skip


@pytest.mark.parametrize("what", [*DAMAGES, *(f"head: {name}" for name in HEAD_DAMAGES)])
def test_static_damaged_folder_is_a_lexenc_error(saved, what, tmp_path):
    folder, (damage, says) = saved, DAMAGES.get(what) or HEAD_DAMAGES[what.removeprefix("head: ")]
    if what not in DAMAGES:
        folder = theirs(tmp_path / "headed", *HEADS["narrower"])
    damage(folder)
    with pytest.raises(LexencError, match=says) as caught:
        StaticEncoder.load(folder)
    assert str(folder) in caught.value.message
    assert caught.value.hint
    assert caught.value.exit_code == ExitCode.USAGE
    with pytest.raises(LexencError):
        load_encoder(folder, device=CPU)


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
