"""ELMo: both directions, their layers, characters, and damaged folders."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

from lexenc.arrays import Ragged
from lexenc.device import CPU
from lexenc.encoders.elmo import CharacterSettings, ElmoEncoder, ElmoSettings, new_elmo
from lexenc.encoders.encode import encode_texts
from lexenc.encoders.load import load_encoder
from lexenc.encoders.word_vectors import word_encoder
from lexenc.errors import ConfigError, LexencError
from lexenc.text.words import segmenter, word_expression

WORDS = ["<unk>", "<s>", "</s>", "the", "dog", "barks", "cat", "sleeps", "well-known", "."]
SIZES = CharacterSettings([(1, 4), (2, 6), (3, 5)], width=3, highway=2, longest=9)
SHAPES = {
    "words": ElmoSettings(6),
    "clipped": ElmoSettings(6, 3, cells=10, clip=0.2, vector="concat"),
    "characters": ElmoSettings(6, characters=SIZES, vector=2),
}


def tokenizer():
    made = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<unk>"))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.Split(Regex(word_expression()), "removed", invert=True)
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    return made


@pytest.fixture(scope="module", params=SHAPES)
def encoder(request) -> ElmoEncoder:
    made = new_elmo(tokenizer(), SHAPES[request.param], seed=1)
    with torch.no_grad():  # far from the start, so that limits and gates matter
        for each in made.module.parameters():
            each.mul_(3)
    return made


def test_words_are_split_as_everywhere():
    split = pre_tokenizers.Split(Regex(word_expression()), "removed", invert=True)
    for text in ("Don't, U.S. 1,234.5 `` well-known !!", "日本 東京", "é ก็ 👍🏽 🇩🇪🇫🇷 a‍b", "x\x00y\tz q", ""):
        assert [word for word, _ in split.pre_tokenize_str(text)] == segmenter("words")(text)


def test_saved_it_equals_the_computation_word_by_word(encoder, tmp_path):
    encoder.save(tmp_path)
    again = load_encoder(tmp_path, device=CPU)  # compares vectors with those of the reference
    texts = ["The dog barks.", "cat", "", "zebra DOG zebras sleeps the well-known cat barks"]
    assert np.abs(encode_texts(again, texts) - encoder.reference(texts)).max() < 1e-5
    assert again.dimensions == (48 if encoder.settings.vector == "concat" else 12)
    assert np.abs(again.reference(texts)[[0, 1, 3]]).min(1).max() > 0


def test_each_direction_reads_its_own_side_of_a_word(encoder):
    """A word changes forward states from itself on, and backward states up to itself; the padding changes nothing."""
    base = Ragged.of([[1, 3, 4, 5, 9, 2], [1, 6, 2]])
    changed = Ragged(base.starts, base.values.copy())
    changed.values[2] = 6
    with torch.no_grad():
        one, other = encoder.run(base), encoder.run(changed)
    for layer in range(1, encoder.layers + 1):
        for direction, same in (("forward", [0, 1]), ("backward", [3, 4, 5])):
            pair = (getattr(each, direction)[layer][0] for each in (one, other))
            alike = torch.isclose(*pair, atol=1e-6).all(1)
            assert alike.nonzero().flatten().tolist() == same
    with torch.no_grad():
        alone = encoder.states([[1, 6, 2]], "concat")
    assert torch.allclose(alone, one.layer("concat")[1, :3], atol=1e-6)


def test_words_have_the_states_of_their_layer(encoder):
    sentences = [["The", "dog", "barks", "."], [], ["well-known", "cat sleeps", "zebra"]]
    ids = encoder.tokenise([" ".join(each) for each in sentences])
    with torch.no_grad():
        layers = [encoder.states(ids, layer).numpy() for layer in range(encoder.layers + 1)]
    inner = [1, 2, 3, 4, 9, 10, 11, 12]
    for layer in (0, 1, -1):
        found = word_encoder(encoder, layer=layer)(sentences)
        assert found.words.tolist() == [0, 1, 2, 3, 0, 1, 1, 2]
        assert found.starts.tolist() == [0, 4, 4, 8]
        assert not found.missing.any()
        assert np.abs(found.values - layers[layer][inner]).max() < 1e-5
    found = word_encoder(encoder, layer=1, unit="words")(sentences)
    assert np.abs(found.values[5] - layers[1][[10, 11]].mean(0)).max() < 1e-5
    for layer, expected in (("mean", np.mean(layers, axis=0)), ("concat", np.concatenate(layers, axis=1))):
        assert np.abs(word_encoder(encoder, layer=layer)(sentences).values - expected[inner]).max() < 1e-5
    halves = np.split(layers[0], 2, axis=1)
    assert (halves[0] == halves[1]).all()
    expected = np.concatenate([layers[-1], layers[0]], axis=1)[inner]
    assert np.abs(word_encoder(encoder, layer=(-1, 0))(sentences).values - expected).max() < 1e-5
    for wrong in (9, (0, 9)):
        with pytest.raises(ConfigError, match="no layer 9"):
            word_encoder(encoder, layer=wrong)


def test_unknown_words_differ_by_their_characters_only():
    plain, spelled = (new_elmo(tokenizer(), SHAPES[name], seed=1) for name in ("words", "characters"))
    one, other = ["the zebra sleeps"], ["the lion sleeps"]
    assert (encode_texts(plain, one) == encode_texts(plain, other)).all()
    assert (encode_texts(spelled, one) != encode_texts(spelled, other)).any()
    assert spelled.tokenise(["Zebra lion ZEBRA dog"]) == [[1, 10, 11, 10, 4, 2]]
    assert spelled.tokenise(["a zebra"])[0][2] == 10


def test_characters_of_a_word_are_cut_and_marked():
    spelled = new_elmo(tokenizer(), SHAPES["characters"], seed=1)
    [ids] = spelled.tokenise(["dog extraordinary ä"])
    found = spelled._spelling.characters(np.array(ids))
    assert found[0].tolist() == [256, 259, 257] + [258] * 6
    assert found[1].tolist() == [256, *b"dog", 257] + [258] * 4
    assert found[2].tolist() == [256, *b"extraor", 257]
    assert found[3].tolist() == [256, *"ä".encode(), 257] + [258] * 5
    assert found[4].tolist() == [256, 260, 257] + [258] * 6


def test_limits_hold():
    clipped = new_elmo(tokenizer(), SHAPES["clipped"], seed=1)
    with torch.no_grad():
        for each in clipped.module.parameters():
            each.mul_(20)
        found = clipped.run([[1, 3, 4, 5, 2]])
    assert float(found.forward[1].abs().max()) == pytest.approx(0.2)


def test_longest_text(tmp_path):
    encoder = new_elmo(tokenizer(), SHAPES["words"], seed=1)
    encoder.save(tmp_path)
    cut = load_encoder(tmp_path, device=CPU, max_length=4)
    assert cut.tokenise(["the dog barks the cat"]) == [[1, 3, 4, 2]]
    assert cut.longest == 4
    assert load_encoder(tmp_path, device=CPU, pooling="mean").settings.vector == 2
    with pytest.raises(ConfigError, match="pooling cls"):
        load_encoder(tmp_path, device=CPU, pooling="cls")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("missing", "has no model.safetensors"),
        ("shape", "expected shape"),
        ("nan", "not finite"),
        ("settings", "layers must be positive"),
        ("text", "config.json"),
        ("tokenizer", "tokenizer.json cannot be read"),
        ("frame", "special word at each end"),
        ("more", "expected missing"),
    ],
)
def test_damaged_folders_are_refused(tmp_path, damage, message):
    new_elmo(tokenizer(), SHAPES["words"], seed=1).save(tmp_path)
    weights, settings = load_file(tmp_path / "model.safetensors"), json.loads((tmp_path / "config.json").read_text())
    if damage == "missing":
        (tmp_path / "model.safetensors").unlink()
    elif damage in ("shape", "nan", "more"):
        name = next(iter(weights))
        value = {"shape": torch.zeros(2, 2), "nan": weights[name] * np.nan, "more": weights[name] + 1}[damage]
        save_file(weights | {"other" if damage == "more" else name: value}, tmp_path / "model.safetensors")
    elif damage in ("settings", "text"):
        settings["layers"] = 0 if damage == "settings" else "two"
        (tmp_path / "config.json").write_text(json.dumps(settings))
    else:
        bare = tokenizer()
        bare.post_processor = processors.TemplateProcessing(single="$A", pair="$A $B", special_tokens=[])
        text = "{" if damage == "tokenizer" else bare.to_str()
        (tmp_path / "tokenizer.json").write_text(text)
    with pytest.raises(LexencError, match=message):
        load_encoder(tmp_path, device=CPU)
