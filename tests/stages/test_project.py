"""project: layers of an encoder mapped into the space of another, and what the result is good for."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from lexenc.device import CPU
from lexenc.encoders.encode import encode_texts
from lexenc.encoders.load import load_encoder
from lexenc.encoders.word_vectors import word_encoder
from lexenc.errors import ConfigError, DataError, ManyFaultsError
from lexenc.lexical.anchors import average_contexts

ALL = {"minimum_count": 1, "vocabulary": 0}
MAPS = "layer-projections.safetensors"
SENTENCES = ["the house is here".split(), "the dog and the cat".split(), "a cat".split()]
TEXTS = [" ".join(words) for words in SENTENCES]


def states(folder, layer):
    return word_encoder(load_encoder(folder, device=CPU), layer=layer, unit="words")(SENTENCES).values


def encoded(folder):
    return encode_texts(load_encoder(folder, device=CPU), TEXTS)


def permuted(folder, out):
    """Write a copy of a BERT whose dimensions are in another order: the same model, in a rotated space."""
    shutil.copytree(folder, out, ignore=shutil.ignore_patterns("manifest.json"))
    path = out / "model.safetensors"
    tensors = load_file(path)
    order = np.random.default_rng(0).permutation(16)
    for name, each in tensors.items():
        if "embeddings.weight" in name or "intermediate" in name or ".self." in name:
            tensors[name] = each[:, order] if each.ndim == 2 else each
        elif "LayerNorm" in name or "output.dense" in name:
            tensors[name] = each[order]
    save_file({name: np.ascontiguousarray(each) for name, each in tensors.items()}, path, metadata={"format": "pt"})
    return out


@pytest.fixture(scope="module")
def texts(world, tmp_path_factory):
    folder = tmp_path_factory.mktemp("texts")
    rows = [line.split("\t") for line in (world / "text.tsv").read_text(encoding="utf-8").splitlines()]
    for side, name in enumerate(("en.txt", "de.txt")):
        (folder / name).write_text("".join(f"{row[side]}\n" for row in rows), encoding="utf-8")
    (folder / "same.tsv").write_text("house\thouse\ndog\tdog\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def elmos(stage, world, tmp_path_factory):
    """Two fresh ELMos of different width."""
    folder, made = tmp_path_factory.mktemp("elmos"), []
    for size in (12, 20):
        params = {"kind": "elmo", "dimensions": size, "layers": 2, "max_length": 32, "vocabulary_size": 200}
        made.append(stage("new-encoder", folder / f"e{size}", params, size, text=[world / "text.tsv"]).out)
    return made


@pytest.fixture(scope="module")
def projected(stage, world, texts, transformer, tmp_path_factory):
    """German words of an encoder in the space of another one of 24 dimensions."""
    folder = tmp_path_factory.mktemp("projected")
    size = {"dimensions": 24, "layers": 1, "heads": 2, "max_length": 32, "vocabulary_size": 200}
    wide = stage("new-encoder", folder / "wide", {"kind": "transformer"} | size, text=[world / "text.tsv"]).out
    return stage("project", folder / "out", ALL | {"layers": [0, 1]}, encoder=[f"en={wide}", f"de={transformer}"],
                 text=[f"en={texts}/en.txt", f"de={texts}/de.txt"], dictionary=world / "train.tsv")  # fmt: skip


@pytest.mark.parametrize("method", ["procrustes", "lstsq"])
def test_a_rotated_copy_is_recovered(stage, texts, transformer, method, tmp_path):
    copy = permuted(transformer, tmp_path / "copy")
    assert np.abs(states(copy, 1) - states(transformer, 1)).max() > 0.5
    made = stage("project", tmp_path / "out", ALL | {"layers": [0, 1], "method": method},
                 encoder=[f"one={transformer}", f"two={copy}"], text=[f"one={texts}/en.txt", f"two={texts}/en.txt"],
                 dictionary=texts / "same.tsv")  # fmt: skip
    for layer in (0, 1):
        assert np.abs(states(made.out / "two", layer) - states(transformer, layer)).max() < 1e-4
    assert np.abs(encoded(made.out / "two") - encoded(transformer)).max() < 1e-4
    assert np.array_equal(encoded(made.out / "one"), encoded(transformer))
    summary = made.manifest.summary
    assert summary["identical_strings"] == summary["pairs"] == summary["words"]["one"] > 40, "each counts once"
    assert summary["pairs_of_dictionary"] == 2
    assert "held_out_words" not in made.manifest.results[0]
    spread = made.manifest.results[1]["spread"]
    assert spread["one"] == pytest.approx(spread["two"], abs=1e-5)
    assert 0 <= spread["one"]["within"] < spread["one"]["between"]


def test_widths_may_differ(projected, transformer):
    folder = projected.out / "de"
    assert projected.manifest.summary["dimensions"] == 24
    assert not (projected.out / "anchors-before").exists(), "two encoders share nothing before"
    assert (projected.matrix("anchors/source").shape[1], projected.matrix("anchors/target").shape[1]) == (24, 24)
    maps = load_file(folder / MAPS)
    assert np.allclose(states(folder, "mean"), (states(folder, 0) + states(folder, 1)) / 2, atol=1e-5)
    assert {name: each.shape for name, each in maps.items()} == {"layer.0": (16, 24), "layer.1": (16, 24)}
    assert np.array_equal(states(folder, (1, 0)), states(folder, "concat")[:, [*range(24, 48), *range(24)]])
    for layer in (0, 1):
        expected = states(transformer, layer) @ maps[f"layer.{layer}"]
        np.testing.assert_allclose(states(folder, layer), expected, atol=1e-5)
    np.testing.assert_allclose(encoded(folder), encoded(transformer) @ maps["layer.1"], atol=1e-4)


def test_least_squares_of_the_anchors(stage, projected, texts, transformer):
    """The map is that of NumPy between anchors that are computed one by one."""
    lines = (texts / "de.txt").read_text(encoding="utf-8").split("\n")
    encoder = word_encoder(load_encoder(transformer, device=CPU), layer=1, unit="words")
    line = next(line for line in lines if "hund" in line.split())
    own = encoder([line.split()]).values[line.split().index("hund")]
    target = projected.words("anchors/target").index("hund")
    expected = own @ load_file(projected.out / "de" / MAPS)["layer.1"]
    np.testing.assert_allclose(projected.matrix("anchors/target")[target], expected, atol=1e-4)


def test_scores_stand_beside_controls(projected):
    for each in projected.manifest.results:
        assert each["held_out_words"] == 3
        assert each["low"] <= each["precision_at_1"] <= each["high"]
        assert each["precision_at_1_before"] is None, "the widths differ"
        assert each["residual_shuffled"] > 0
    assert [each["layer"] for each in projected.manifest.results] == [0, 1]


def test_sentence_transformers_opens_it(projected):
    from sentence_transformers import SentenceTransformer

    for name in ("en", "de"):
        theirs = SentenceTransformer(str(projected.out / name), device="cpu").encode(TEXTS)
        assert np.abs(theirs - encoded(projected.out / name)).max() < 1e-5


def test_both_languages_of_one_elmo(stage, world, texts, elmos, tmp_path):
    made = stage("project", tmp_path / "out", ALL | {"method": "procrustes"}, encoder=elmos[0],
                 text=[f"en={texts}/en.txt", f"de={texts}/de.txt"], dictionary=world / "train.tsv")  # fmt: skip
    assert [each["layer"] for each in made.manifest.results] == [0, 1, 2], "all that vectors of texts are made of"
    assert np.array_equal(encoded(made.out / "en"), encoded(elmos[0]))
    maps = load_file(made.out / "de" / MAPS)
    mean = np.mean([states(made.out / "de", layer)[:4].mean(axis=0) for layer in range(3)], axis=0)
    np.testing.assert_allclose(encoded(made.out / "de")[0], mean, atol=1e-5)
    np.testing.assert_allclose(maps["layer.2"] @ maps["layer.2"].T, np.eye(12), atol=1e-5)
    before = made.matrix("anchors-before/target")
    np.testing.assert_allclose(made.matrix("anchors/target"), before @ maps["layer.2"], atol=1e-5)
    assert np.array_equal(made.matrix("anchors/source"), made.matrix("anchors-before/source"))


def test_layers_are_averaged_in_one_pass_if_memory_allows(stage, world, texts, elmos, tmp_path, monkeypatch):
    passes = []

    def counted(*given, **more):
        passes.append(more["layers"])
        return average_contexts(*given, **more)

    monkeypatch.setattr("lexenc.stages.lexical.project.average_contexts", counted)
    made = []
    for memory in (2**29, 0):
        monkeypatch.setattr("lexenc.stages.lexical.project._MEMORY", memory)
        made.append(stage("project", tmp_path / str(memory), ALL, encoder=elmos[0], dictionary=world / "train.tsv",
                          text=[f"en={texts}/en.txt", f"de={texts}/de.txt"]))  # fmt: skip
    assert passes == [3, 3, 1, 1, 1, 1, 1, 1]
    one, other = (load_file(each.out / "de" / MAPS) for each in made)
    for name, each in one.items():
        np.testing.assert_allclose(each, other[name], atol=1e-5)
    assert made[0].manifest.results == made[1].manifest.results


def test_elmos_of_different_width(stage, world, texts, elmos, tmp_path):
    made = stage("project", tmp_path / "out", ALL | {"layers": [-1], "pooling": "mean"},
                 encoder=[f"en={elmos[0]}", f"de={elmos[1]}"], text=[f"en={texts}/en.txt", f"de={texts}/de.txt"],
                 dictionary=world / "train.tsv")  # fmt: skip
    assert encoded(made.out / "en").shape == encoded(made.out / "de").shape == (3, 12)
    np.testing.assert_allclose(encoded(made.out / "de")[2], states(made.out / "de", 2)[-2:].mean(axis=0), atol=1e-5)


def test_the_result_is_an_encoder_and_a_space(stage, projected, world, texts, tmp_path):
    scored = stage("eval bli", tmp_path / "bli", {"direction": "target-source"}, vectors=projected.out / "anchors",
                   dictionary=world / "test.tsv")  # fmt: skip
    assert scored.manifest.results[0]["unfair"] == []
    leaked = stage("eval bli", tmp_path / "leaked", {"direction": "target-source"}, vectors=projected.out / "anchors",
                   dictionary=world / "train.tsv")  # fmt: skip
    assert leaked.manifest.results[0]["unfair"] == ["28 test pairs were learnt from."]
    done = stage("encode", tmp_path / "encoded", words=texts / "de.txt", encoder=projected.out / "de")
    assert done.matrix().shape[1] == 24
    assert done.manifest.inputs["encoder"][0].made_by == projected.manifest.key
    stage("align", tmp_path / "linked", {"layer": 1}, pairs=world / "text.tsv", encoder=projected.out / "de")


def test_similarity_across_languages_takes_an_encoder_for_each(stage, projected, static, tmp_path):
    (tmp_path / "pairs.tsv").write_text("".join(f"{text}\t{text[::-1]}\t{score}\n" for score, text in enumerate(TEXTS)))
    made = stage("eval sts", tmp_path / "out", {"draws": 100}, pairs=tmp_path / "pairs.tsv",
                 encoder=projected.out / "en", target_encoder=projected.out / "de")  # fmt: skip
    left, right = encoded(projected.out / "en"), encode_texts(load_encoder(projected.out / "de", device=CPU),
                                                              [text[::-1] for text in TEXTS])  # fmt: skip
    expected = np.vecdot(left, right) / np.linalg.norm(left, axis=1) / np.linalg.norm(right, axis=1)
    cosines = [each["numbers"]["cosine"] for each in made.json_lines("items.jsonl")][: len(TEXTS)]
    np.testing.assert_allclose(cosines, expected, atol=1e-5)
    with pytest.raises(ConfigError, match="of --target-encoder have 24 numbers, those of --encoder 16"):
        stage("eval sts", pairs=tmp_path / "pairs.tsv", encoder=static, target_encoder=projected.out / "de")


def test_it_is_not_trained_and_not_projected_again(stage, projected, world, texts, tmp_path):
    folder = projected.out / "de"
    with pytest.raises(ConfigError, match="is projected into the space of another"):
        stage("finetune", tmp_path / "tuned", {"epochs": 1}, pairs=world / "train.tsv", encoder=folder)
    with pytest.raises(ConfigError, match="is projected into the space of another"):
        stage("project", tmp_path / "again", ALL, encoder=folder, dictionary=world / "train.tsv",
              text=[f"en={texts}/en.txt", f"de={texts}/de.txt"])  # fmt: skip
    with pytest.raises(ConfigError, match="needs a transformer"):
        stage("align-train softmax", tmp_path / "aligner", {"epochs": 1}, pairs=world / "text.tsv", encoder=folder)
    with pytest.raises(ConfigError, match="pooling mean does not fit"):
        load_encoder(folder, pooling="mean", device=CPU)
    with pytest.raises(ConfigError, match="kind cannot be 'projected'"):
        stage("new-encoder", tmp_path / "new", {"kind": "projected"}, text=[texts / "en.txt"])


def test_a_layer_without_a_map_is_refused(stage, world, texts, transformer, tmp_path):
    made = stage("project", tmp_path / "out", ALL, encoder=transformer, dictionary=world / "train.tsv",
                 text=[f"en={texts}/en.txt", f"de={texts}/de.txt"])  # fmt: skip
    with pytest.raises(ConfigError, match=r"Layer 0 of the encoder .*/de is not projected"):
        states(made.out / "de", 0)
    with pytest.raises(ConfigError, match="there is no layer 7"):
        states(made.out / "de", 7)


def test_damage_is_found(projected, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(projected.out / "de", folder)
    maps = load_file(folder / MAPS)
    for wrong, match in (
        ({"layer.1": maps["layer.1"] * 2}, "is not the map of layer 1"),
        ({"layer.0": maps["layer.0"]}, "is not the map of layer 1"),
        (maps | {"layer.2": maps["layer.1"]}, "the map of layer 2 has shape"),
        (maps | {"layer.0": maps["layer.0"][:, :3].copy()}, "do not have the same shape"),
        (maps | {"other": maps["layer.0"]}, "'other' has shape"),
        (maps | {"layer.0": maps["layer.0"] * np.float32("nan")}, "finite float32"),
    ):
        save_file(wrong, folder / MAPS)
        with pytest.raises(DataError, match=match):
            load_encoder(folder, device=CPU)


def failing(stage, texts, world, out, params=None, **more):
    given = {"encoder": world / "transformer", "dictionary": world / "train.tsv",
             "text": [f"en={texts}/en.txt", f"de={texts}/de.txt"]}  # fmt: skip
    with pytest.raises((ConfigError, DataError)) as found:
        stage("project", out, ALL | (params or {}), **given | more)
    error = found.value
    return error.faults[0] if isinstance(error, ManyFaultsError) else error


def test_errors(stage, world, texts, transformer, static, elmos, tmp_path):
    def fails(params=None, **more):
        error = failing(stage, texts, world, tmp_path / "out", params, **more)
        assert error.hint
        return error.message

    assert "there is no layer 5" in fails({"layers": [1, 5]})
    assert "--layers lacks layer 1" in fails({"layers": [0]})
    assert "--layers lacks layer -1" in fails(
        {"layers": [0], "pooling": "mean"}, encoder=[f"en={transformer}", f"de={elmos[0]}"]
    )
    assert "got 1 text" in fails(text=f"en={texts}/en.txt")
    assert "got no name" in fails(text=[f"{texts}/en.txt", f"de={texts}/de.txt"])
    assert "has none for de" in fails(encoder=[f"en={transformer}"])
    assert "has fr, of which" in fails(encoder=[f"{name}={transformer}" for name in ("en", "de", "fr")])
    assert "words have the same vector" in fails(encoder=static)
    assert "different numbers of layers" in fails(encoder=[f"en={transformer}", f"de={elmos[0]}"])
    assert "only 2 pairs of words that occur in both texts" in fails(dictionary=texts / "same.tsv"), "hand and land"
    assert "only 0 pairs" in fails({"minimum_count": 9, "identical": False})
    empty = tmp_path / "empty.txt"
    empty.write_text("\n")
    assert "There is no text" in fails(text=[f"en={texts}/en.txt", f"de={empty}"])


def test_swapped_columns_are_noticed(stage, world, texts, transformer, tmp_path):
    swapped = tmp_path / "swapped.tsv"
    rows = [line.split("\t") for line in (world / "train.tsv").read_text(encoding="utf-8").splitlines()]
    swapped.write_text("".join(f"{b}\t{a}\n" for a, b in rows), encoding="utf-8")
    error = failing(stage, texts, world, tmp_path / "out", dictionary=swapped)
    assert "The columns look swapped" in error.hint
