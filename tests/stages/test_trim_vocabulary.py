"""trim-vocabulary: an encoder with the subwords of a corpus only."""

from __future__ import annotations

import json

import numpy as np
import pytest

from lexenc.artifact import read_manifest
from lexenc.device import CPU
from lexenc.encoders.encode import encode_texts
from lexenc.encoders.load import load_encoder
from lexenc.errors import DataError


@pytest.mark.parametrize("kind", ["static", "transformer"])
def test_the_texts_keep_their_vectors(stage, request, tmp_path, kind):
    folder = request.getfixturevalue(kind)
    first, second = tmp_path / "first.txt", tmp_path / "second.tsv"
    first.write_text("dog\nthe cat\n\n", encoding="utf-8")
    second.write_text("dog\tcat and dog\n", encoding="utf-8")
    made = stage("trim-vocabulary", tmp_path / "small", encoder=folder, text=[first, second])
    texts = ["dog", "the cat", "cat and dog"]
    before, after = (load_encoder(each, device=CPU) for each in (folder, made.out))
    np.testing.assert_array_equal(encode_texts(after, texts), encode_texts(before, texts))
    summary = read_manifest(made.out).summary
    assert summary["texts"] == 4
    assert summary["subwords"] == len(json.loads((made.out / "tokenizer.json").read_text())["model"]["vocab"])
    assert summary["subwords"] < summary["subwords_before"]
    assert summary["parameters"] < summary["parameters_before"]
    assert summary["megabytes"] <= summary["megabytes_before"]
    assert f"{summary['subwords']:,} of its {summary['subwords_before']:,} subwords" in (
        made.out / "README.md"
    ).read_text(encoding="utf-8")


def test_a_trimmed_encoder_can_be_used_and_trained(stage, world, transformer, tmp_path):
    text = world / "text.tsv"
    small = stage("trim-vocabulary", tmp_path / "small", encoder=transformer, text=[text]).out
    tuned = stage("finetune", tmp_path / "tuned", {"steps": 2, "batch_size": 4}, pairs=text, encoder=small).out
    made = read_manifest(tuned)
    assert str(made.inputs["encoder"][0].path).endswith("small")
    assert load_encoder(tuned, device=CPU).dimensions == load_encoder(transformer, device=CPU).dimensions


def test_a_corpus_without_text_is_an_error(stage, static, tmp_path):
    (tmp_path / "empty.txt").write_text("\n \n", encoding="utf-8")
    with pytest.raises(DataError, match="no text in"):
        stage("trim-vocabulary", tmp_path / "small", encoder=static, text=[tmp_path / "empty.txt"])
    assert not (tmp_path / "small").exists()
