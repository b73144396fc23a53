"""plot: pictures of the spaces of encoders, and the numbers beside them."""

from __future__ import annotations

import re

import numpy as np
import pytest

from lexenc.errors import ConfigError, DataError
from lexenc.files.text import table_rows
from lexenc.stages.encoders.plot import HEADS

EVIL = "<script>alert(1)</script> & \"'\tx"


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("texts")
    pairs = [(f"the house {i} is here", f"das haus {i} ist hier") for i in range(40)]
    pairs[4], pairs[7] = (EVIL, "böse"), ("", "nur dort")
    for name, lines in zip(("en", "de"), zip(*pairs, strict=True), strict=True):
        (folder / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return folder


@pytest.fixture
def two(texts):
    return [f"{name}={texts / name}" for name in ("en", "de")]


def rows_of(made):
    return [row for _, row in table_rows(made.out / "points.tsv", HEADS)]


def points_of(made):
    return np.array([(float(row["x"]), float(row["y"])) for row in rows_of(made)])


def test_the_same_lines_in_every_space_and_again_the_same_picture(stage, static, transformer, two, tmp_path):
    params = {"points": 12, "mark": ["5", "20"], "perplexity": 5}
    made, again = (stage("plot", tmp_path / name, params, text=two, encoder=[static, transformer])
                   for name in ("one", "two"))  # fmt: skip
    assert (made.out / "plot.svg").read_bytes() == (again.out / "plot.svg").read_bytes()
    rows = rows_of(made)
    assert len(rows) == 2 * 2 * 12
    lines = [[row["line"] for row in rows if (row["space"], row["language"]) == each]
             for each in (("static", "en"), ("static", "de"), ("transformer", "de"))]  # fmt: skip
    assert lines[0] == lines[1] == lines[2]
    assert {"5", "20"} < {*lines[0]}
    assert "8" not in lines[0], "a blank line"
    assert [row["mark"] for row in rows if row["line"] == "5"] == ["5"] * 4
    assert [each["space"] for each in made.manifest.results] == ["static", "transformer"]
    assert made.manifest.summary == {"texts": 24, "left_out": {"a blank line": 1}}


def test_the_picture_stands_alone_and_no_text_harms_it(stage, static, two, tmp_path):
    made = stage("plot", tmp_path / "out", {"method": "pca", "mark": ["5"]}, text=two, encoder=static)
    svg = (made.out / "plot.svg").read_text(encoding="utf-8")
    assert svg.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<svg xmlns="http://www.w3.org/2000/svg"')
    assert "<script" not in svg
    assert "&lt;script&gt;" in svg
    assert not re.search(r"var\(|currentColor|href=", svg)
    for shown in ("en", "de", "Mean cosine between languages", "Cosines and nearest texts", "% of the variance"):
        assert shown in svg


def test_numbers_are_those_of_the_whole_space(stage, mapped, world, tmp_path):
    texts = [f"{name}={world / name}.txt" for name in ("en", "de")]
    given = {"text": texts, "vectors": mapped.out, "dictionary": world / "train.tsv"}
    params = {"words": True, "points": 28, "method": "pca", "mark": ["dog"]}
    made = stage("plot", tmp_path / "out", params, **given)
    (found,) = made.manifest.results
    rows = [mapped.unit(side)[:28] for side in ("source", "target")]
    cosines = rows[0] @ rows[1].T
    assert (found["texts"], found["translations"]) == (56, 28)
    assert found["translation_cosine"] == pytest.approx(np.diag(cosines).mean(), abs=1e-6)
    assert found["other_cosine"] == pytest.approx(cosines[~np.eye(28, dtype=bool)].mean(), abs=1e-6)
    every = np.concatenate(rows)
    near = every @ every.T - 9 * np.eye(56)
    assert found["nearest_same_language"] == pytest.approx((near.argmax(axis=1) // 28 == np.arange(56) // 28).mean())
    assert found["same_language_by_chance"] == pytest.approx(27 / 55)
    marked = [(row["text"], row["mark"]) for row in rows_of(made) if row["mark"]]
    assert marked == [("dog", "dog"), ("hund", "dog")], "a word and its translation"
    assert points_of(made).var(axis=0).sum() / (every - every.mean(0)).var(axis=0).sum() == pytest.approx(
        found["first_component"] + found["second_component"], abs=1e-3
    )


def test_words_of_texts_come_from_the_embedding_layer(stage, transformer, two, tmp_path):
    from lexenc.device import CPU
    from lexenc.encoders.load import load_encoder
    from lexenc.encoders.word_vectors import word_encoder

    made = stage("plot", tmp_path / "out", {"words": True, "points": 3}, text=two, encoder=transformer)
    words = [row["text"] for row in rows_of(made)]
    assert words == ["the", "das", "house", "haus", "is", "ist"], "by frequency, in turn"
    vectors = word_encoder(load_encoder(transformer, device=CPU), layer=0, unit="words")([[each] for each in words])
    unit = vectors.values / np.linalg.norm(vectors.values, axis=1, keepdims=True)
    others = (unit[::2] @ unit[1::2].T).mean()
    assert made.manifest.results[0]["other_cosine"] == pytest.approx(float(others), abs=1e-6)
    assert made.manifest.results[0]["translation_cosine"] is None


def test_sentences_of_static_vectors_and_texts_without_any(stage, mapped, tmp_path):
    for name, lines in (("en", "the house\nsun moon\nhello\nstar\n"), ("de", "haus\nsonne\nmond\nstern\n")):
        (tmp_path / name).write_text(lines)
    given = [f"{name}={tmp_path / name}" for name in ("en", "de")]
    made = stage("plot", tmp_path / "out", {}, text=given, vectors=mapped.out)
    assert {row["line"] for row in rows_of(made)} == {"1", "2", "4"}, "line 3 has no vector in English"
    assert any("without a vector" in warning for warning in made.warnings)
    assert any("the perplexity is" in warning for warning in made.warnings)


@pytest.mark.parametrize(
    ("params", "change", "error", "says"),
    [
        ({}, {"encoder": []}, ConfigError, "no space to draw"),
        ({}, {"text": ["en=en"]}, ConfigError, "--text is given once"),
        ({}, {"text": ["en=en", "de"]}, ConfigError, "de has no language"),
        ({}, {"text": ["en=en", "de=short"]}, DataError, "has 40 lines, .*short 1"),
        ({}, {"text": ["en=none", "de=none"]}, DataError, "no line with a text in every file"),
        ({"mark": ["8"]}, {}, ConfigError, "no line 8 to draw, it is blank in .*en"),
        ({"mark": ["99"]}, {}, ConfigError, "no line 99 to draw, the texts have 40 lines"),
        ({"mark": ["dog"], "words": True}, {}, ConfigError, "no text has the word 'dog'"),
        ({}, {"dictionary": "en"}, ConfigError, "--dictionary needs --words"),
    ],
)
def test_what_cannot_be_drawn_is_refused(stage, static, texts, monkeypatch, params, change, error, says):
    monkeypatch.chdir(texts)
    (texts / "short").write_text("x\n")
    (texts / "none").write_text("")
    given = {"text": ["en=en", "de=de"], "encoder": [static]} | change
    with pytest.raises(error, match=says):
        stage("plot", None, params, **given)
