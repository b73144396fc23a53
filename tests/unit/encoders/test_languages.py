"""Vectors of languages: rows of the token type embedding."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer
from transformers import AutoModel

from lexenc.device import CPU
from lexenc.encoders.encode import encode_texts
from lexenc.encoders.load import load_encoder
from lexenc.encoders.masked_language import MaskedHead, MaskedText
from lexenc.encoders.transformer import TransformerEncoder
from lexenc.errors import ConfigError, DataError
from tests.unit.encoders.test_pretrained import HEADS, write
from tests.unit.encoders.test_transformer import TEXTS, make_model

ROWS = {"bert": 2, "roberta": 1, "xlm-roberta": 1, "electra": 2, "albert": 2}


@pytest.fixture(scope="module", params=ROWS)
def plain(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    kind = request.param
    return make_model(kind, tmp_path_factory.mktemp(kind)), ROWS[kind]


def by_hand(encoder: TransformerEncoder, rows: list[int]) -> np.ndarray:
    """Each text alone through the model of transformers, with the same type for all tokens."""
    found = []
    for ids, row in zip(encoder.tokenise(TEXTS), rows, strict=True):
        given = {"input_ids": torch.tensor([ids]), "token_type_ids": torch.full((1, len(ids)), row)}
        with torch.no_grad():
            found.append(encoder.module[0].auto_model(**given).last_hidden_state[0].mean(0).numpy())
    return np.stack(found)


@pytest.mark.filterwarnings("ignore")
def test_languages_are_types_after_those_of_the_model(plain: tuple[Path, int], tmp_path: Path) -> None:
    folder, first = plain
    encoder, before = load_encoder(folder, device=CPU), load_encoder(folder, device=CPU)
    assert isinstance(encoder, TransformerEncoder)
    expected = encode_texts(before, TEXTS)
    encoder.add_languages(["en", "sw"], seed=3)
    encoder.add_languages(["ka"], seed=4)
    assert encoder.languages == ("en", "sw", "ka")
    np.testing.assert_array_equal(encode_texts(encoder, TEXTS), expected)
    table = encoder.module[0].auto_model.embeddings.token_type_embeddings.weight
    assert len(table) == first + 3
    assert 0.01 < float((table[first:] - table[0]).std()) < 0.03
    tokens, languages = encoder.tokenise(TEXTS), [i % 4 for i in range(len(TEXTS))]
    rows = [0 if each == 0 else first + each - 1 for each in languages]
    vectors = encoder.embed(tokens, languages)
    np.testing.assert_allclose(vectors.detach(), by_hand(encoder, rows), atol=2e-5)
    again, states = encoder.embed_with_states(tokens, np.array(languages))
    assert torch.equal(again, vectors)
    assert torch.equal(states, encoder.states(tokens, languages=languages))
    each = [np.full(len(text), number) for text, number in zip(tokens, languages, strict=True)]
    assert torch.equal(states, encoder.states(tokens, languages=each))
    encoder.save(tmp_path / "saved")
    peer = SentenceTransformer(str(tmp_path / "saved"), device="cpu", trust_remote_code=False)
    np.testing.assert_allclose(peer.encode(TEXTS), expected, atol=2e-5)
    AutoModel.from_pretrained(tmp_path / "saved")
    loaded = load_encoder(tmp_path / "saved", device=CPU)
    assert isinstance(loaded, TransformerEncoder)
    assert loaded.languages == ("en", "sw", "ka")
    assert torch.equal(loaded.embed(tokens, languages), vectors)
    assert loaded.language is None
    np.testing.assert_array_equal(encode_texts(loaded, TEXTS), expected)
    loaded.language = "ka"
    np.testing.assert_allclose(encode_texts(loaded, TEXTS), by_hand(loaded, [first + 2] * len(TEXTS)), atol=2e-5)
    assert torch.equal(loaded.embed(tokens, [0] * len(tokens)), before.embed(tokens))
    with pytest.raises(ConfigError, match="no vector for the language 'de'") as caught:
        loaded.language = "de"
    assert caught.value.hint == "It has: en, sw, ka."
    with pytest.raises(ConfigError, match="3 languages, but a text has the language number 4"):
        loaded.embed(tokens, [4] * len(tokens))


def test_only_the_languages_of_the_texts_are_trained(tmp_path: Path) -> None:
    encoder = TransformerEncoder.load_folder(make_model("xlm-roberta", tmp_path))
    encoder.add_languages(["en", "sw"])
    encoder.embed(encoder.tokenise(["dog", "the hot dog"]), [2, 2]).sum().backward()
    gradient = encoder.module[0].auto_model.embeddings.token_type_embeddings.weight.grad
    assert gradient is not None
    assert gradient.abs().sum(1).bool().tolist() == [False, False, True]


def test_the_seed_decides_the_vectors(tmp_path: Path) -> None:
    make_model("bert", tmp_path)
    tables = []
    for seed in (1, 1, 2):
        encoder = TransformerEncoder.load_folder(tmp_path)
        encoder.add_languages(["en"], seed=seed)
        tables.append(encoder.module[0].auto_model.embeddings.token_type_embeddings.weight)
    assert torch.equal(tables[0], tables[1])
    assert not torch.equal(tables[0], tables[2])


@pytest.mark.parametrize("kind", ["distilbert", "mpnet"])
def test_models_without_types_have_no_languages(tmp_path: Path, kind: str) -> None:
    encoder = TransformerEncoder.load_folder(make_model(kind, tmp_path))
    with pytest.raises(ConfigError, match="no token type embedding"):
        encoder.add_languages(["en"])
    with pytest.raises(ConfigError, match="no vectors for languages"):
        encoder.language = "en"


@pytest.mark.parametrize("names", [["en", "en"], [""], ["sw"]])
def test_languages_have_names_of_their_own(tmp_path: Path, names: list[str]) -> None:
    encoder = TransformerEncoder.load_folder(make_model("bert", tmp_path))
    encoder.add_languages(["sw"])
    with pytest.raises(ConfigError, match="name of a language"):
        encoder.add_languages(names)


@pytest.mark.parametrize("names", ["en", ["en", "en"], ["en", 3], [""], ["a", "b"], {"en": 1}, 7])
def test_damaged_names_are_refused(tmp_path: Path, names: object) -> None:
    folder = make_model("bert", tmp_path / "plain")
    shutil.copytree(folder, tmp_path / "damaged")
    path = tmp_path / "damaged" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"lexenc_languages": names}))
    with pytest.raises(DataError, match="lexenc_languages"):
        load_encoder(tmp_path / "damaged", device=CPU)


def test_weights_that_lack_the_rows_are_refused(tmp_path: Path) -> None:
    encoder = TransformerEncoder.load_folder(make_model("bert", tmp_path / "plain"))
    encoder.add_languages(["en"])
    encoder.save(tmp_path / "saved")
    assert load_file(tmp_path / "saved" / "model.safetensors")["embeddings.token_type_embeddings.weight"].shape[0] == 3
    shutil.copy(tmp_path / "plain" / "model.safetensors", tmp_path / "saved" / "model.safetensors")
    with pytest.raises(DataError, match="token_type_embeddings"):
        load_encoder(tmp_path / "saved", device=CPU)


def test_masked_texts_have_languages(tmp_path: Path) -> None:
    kind, config = HEADS["xlm-roberta"]
    folder = write(tmp_path, kind(config))
    encoder = load_encoder(folder, device=CPU)
    assert isinstance(encoder, TransformerEncoder)
    encoder.add_languages(["en", "sw"])
    head = MaskedHead(folder, encoder)
    ids, place, right = np.array([2, 4, 7, 3]), np.array([1]), np.array([6])
    texts = [MaskedText(ids, place, right, languages=each) for each in (None, np.array([1, 1, 2, 2]))]
    none, mixed = head.losses(encoder, texts)
    torch.testing.assert_close(none, head.losses(encoder, [MaskedText(ids, place, right)])[0])
    assert abs(float(none - mixed)) > 1e-6
    encoder.language = "sw"
    own = head.losses(encoder, [MaskedText(ids, place, right, languages=np.full(4, 2)), MaskedText(ids, place, right)])
    torch.testing.assert_close(own[0], own[1])
