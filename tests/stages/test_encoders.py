"""new-encoder, encode, mine-negatives, finetune, train-static: encoders from text to tuned folder."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load

from lexenc.artifact import read_manifest
from lexenc.device import CPU
from lexenc.encoders.load import load_encoder
from lexenc.errors import ConfigError, DataError
from lexenc.files.dictionaries import read_pairs
from lexenc.training.data import number_pairs
from lexenc.training.development import retrieval_accuracy


@pytest.fixture(scope="module")
def tune(stage, world, tmp_path_factory):
    """Tune an encoder on the training pairs; each recipe once."""
    made = {}

    def run(encoder, params=None, **inputs):
        label = json.dumps([str(encoder), params, sorted(map(str, inputs.items()))])
        if label not in made:
            out = tmp_path_factory.mktemp("tuned") / "tuned"
            settings = {"epochs": 3, "batch_size": 8} | (params or {})
            made[label] = stage("finetune", out, settings, pairs=world / "train.tsv", encoder=encoder, **inputs)
        return made[label]

    return run


def encoded(stage, encoder, words, out, params=None):
    out.mkdir(exist_ok=True)
    (out / "words.txt").write_text("".join(f"{word}\n" for word in words), encoding="utf-8")
    return stage("encode", out / "result", params, words=out / "words.txt", encoder=encoder)


def test_new_encoders_hold_what_sentence_transformers_loads(static, transformer):
    names = {path.name for path in static.iterdir()}
    assert names >= {"model.safetensors", "tokenizer.json", "modules.json", "README.md", "manifest.json"}
    assert {path.name for path in transformer.iterdir()} >= names | {"config.json", "1_Pooling"}
    assert "backbone" not in {path.name for path in transformer.iterdir()}
    for folder in (static, transformer):
        title = re.search("^# (.*)$", (folder / "README.md").read_text(), re.MULTILINE)
        assert title.group(1) == folder.name


def test_seed_decides_the_first_weights(stage, world, tmp_path):
    def weights(name, seed):
        made = stage("new-encoder", tmp_path / name, {"dimensions": 4, "vocabulary_size": 150}, seed,
                     text=[world / "text.tsv"])  # fmt: skip
        return (made.out / "model.safetensors").read_bytes()

    assert weights("a", 1) == weights("b", 1)
    assert weights("a", 1) != weights("c", 2)


def test_a_new_transformer_has_the_same_bytes_on_every_run(stage, world, tmp_path):
    size = {"kind": "transformer", "dimensions": 4, "layers": 1, "heads": 2, "max_length": 32, "vocabulary_size": 150}

    def contents(name, seed):
        folder = stage("new-encoder", tmp_path / name / "new", size, seed, text=[world / "text.tsv"]).out
        files = [path for path in folder.rglob("*") if path.is_file() and path.name != "manifest.json"]
        return {path.relative_to(folder): path.read_bytes() for path in files}

    first = contents("a", 1)
    torch.rand(7)
    assert contents("b", 1) == first
    drawn, others = load(first[Path("model.safetensors")]), load(contents("c", 2)[Path("model.safetensors")])
    assert not torch.equal(drawn["pooler.dense.weight"], others["pooler.dense.weight"])


def test_encode_in_a_language(stage, transformer, static, tmp_path):
    encoder = load_encoder(transformer, device=CPU)
    encoder.add_languages(["en", "sw"], seed=1)
    encoder.save(tmp_path / "spoken")
    words = ["dog", "the dog", ""]
    plain = np.load(encoded(stage, tmp_path / "spoken", words, tmp_path / "plain").out / "vectors.npy")
    before = np.load(encoded(stage, transformer, words, tmp_path / "before").out / "vectors.npy")
    np.testing.assert_array_equal(plain, before)
    made = encoded(stage, tmp_path / "spoken", words, tmp_path / "sw", {"language": "sw"})
    expected = encoder.embed(encoder.tokenise(words), [2, 2, 2]).detach()
    np.testing.assert_allclose(np.load(made.out / "vectors.npy"), expected, atol=1e-5)
    assert read_manifest(made.out).params["language"] == "sw"
    with pytest.raises(ConfigError, match="no vector for the language 'de'") as caught:
        encoded(stage, tmp_path / "spoken", words, tmp_path / "de", {"language": "de"})
    assert caught.value.hint == "It has: en, sw."
    for folder in (transformer, static):
        with pytest.raises(ConfigError, match="no vectors for languages"):
            encoded(stage, folder, words, tmp_path / folder.name, {"language": "sw"})


def test_encode_keeps_lines_and_their_order(stage, encoder, tmp_path):
    words = ["house", " cat ", "dog", "house", "a whole sentence about a dog", "x" * 600, "größe"]
    made = encoded(stage, encoder, words, tmp_path)
    assert made.files == {"vectors.npy", "words.txt", "manifest.json"}
    assert made.words() == words
    matrix = made.matrix()
    assert matrix.shape == (len(words), 16)
    assert np.isfinite(matrix).all()
    assert (matrix[0] == matrix[3]).all(), "the same text has the same vector"
    assert not np.allclose(matrix[0], matrix[2])


def test_encode_keeps_blank_lines_as_rows_and_says_so(stage, static, tmp_path):
    words = ["house", "", "dog", "  ", "\t\u3000"]
    made = encoded(stage, static, words, tmp_path)
    assert made.words() == words
    assert made.matrix().shape == (5, 16)
    remark = "3 lines without a text; the vectors of these lines are meaningless."
    assert made.warnings == [f"{tmp_path / 'words.txt'}: {remark}"]


@pytest.mark.parametrize("text", ["", "\n", "  \n\t\n   "])
def test_encode_refuses_a_file_without_a_text(stage, static, tmp_path, text):
    (tmp_path / "words.txt").write_text(text)
    with pytest.raises(DataError, match=r"words\.txt contains no texts\."):
        stage("encode", tmp_path / "out", words=tmp_path / "words.txt", encoder=static)


def test_encode_does_not_depend_on_neighbours_or_batches(stage, encoder, tmp_path):
    words = [f"{a} {b}" for a in ("house", "dog", "cat tree") for b in ("red", "blue", "green night", "")]
    whole = encoded(stage, encoder, words, tmp_path / "whole").unit()
    small = encoded(stage, encoder, words, tmp_path / "small", {"token_budget": 5}).unit()
    alone = np.stack([encoded(stage, encoder, [w], tmp_path / f"alone{i}").unit()[0] for i, w in enumerate(words)])
    turned = encoded(stage, encoder, words[::-1], tmp_path / "turned").unit()[::-1]
    for other in (small, alone, turned):
        assert np.einsum("nd,nd->n", whole, other).min() > 1 - 1e-5


def test_encode_drops_counts_on_request(stage, static, world, tmp_path):
    made = stage("encode", tmp_path / "out", {"counts": True}, words=world / "de.txt", encoder=static)
    assert made.words()[:2] == ["haus", "hund"]


# ---------------------------------------------------------------- finetune


def test_finetuned_folder_encodes_the_same_in_sentence_transformers(stage, encoder, tune, tmp_path):
    from sentence_transformers import SentenceTransformer

    tuned = tune(encoder)
    words = ["house", "haus", "a red house", "größe", "dog"]
    ours = encoded(stage, tuned.out, words, tmp_path).matrix()
    theirs = SentenceTransformer(str(tuned.out), device="cpu").encode(words, convert_to_numpy=True)
    assert np.abs(ours - theirs).max() < 1e-4 * np.abs(theirs).max()
    before = SentenceTransformer(str(encoder), device="cpu").encode(words, convert_to_numpy=True)
    assert np.abs(before - theirs).max() > 1e-4, "tuning changes something"


def test_finetune_keeps_the_modules_and_prompts_of_a_static_encoder(stage, static, tune, tmp_path):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Dense, Normalize

    parts = [SentenceTransformer(str(static), device="cpu")[0], Dense(16, 6), Normalize()]
    own = {"prompts": {"query": "the house "}, "default_prompt_name": "query"}
    SentenceTransformer(modules=parts, device="cpu", **own).save(str(tmp_path / "theirs"), create_model_card=False)
    tuned = tune(tmp_path / "theirs").out
    words = ["house", "haus", "a red house", "größe", "dog"]
    for name, folder in {"before": tmp_path / "theirs", "after": tuned}.items():
        reference = SentenceTransformer(str(folder), device="cpu")
        ours = encoded(stage, folder, words, tmp_path / name).matrix()
        np.testing.assert_allclose(ours, reference.encode(words), atol=1e-5)
        assert [type(part).__name__ for part in reference] == ["StaticEmbedding", "Dense", "Normalize"]
        assert reference.default_prompt_name == "query"
    moved = load((tuned / "1_Dense/model.safetensors").read_bytes())["linear.weight"]
    assert np.abs(parts[1].linear.weight.detach().numpy() - moved.numpy()).max() > 1e-4, "Dense is trained too"


def test_tuning_brings_pairs_together(stage, static, tune, world, tmp_path):
    pairs = [line.split("\t") for line in (world / "train.tsv").read_text(encoding="utf-8").splitlines()]

    def mean(folder, name):
        left = encoded(stage, folder, [a for a, _ in pairs], tmp_path / f"{name}-en").unit()
        right = encoded(stage, folder, [b for _, b in pairs], tmp_path / f"{name}-de").unit()
        return np.einsum("nd,nd->n", left, right).mean()

    tuned = tune(static, {"epochs": 20, "learning_rate": 0.02})
    assert mean(tuned.out, "tuned") > mean(static, "static") + 0.2


def test_finetune_files_and_history(tune, encoder):
    made = tune(encoder)
    assert {"training.jsonl", "model.safetensors", "modules.json", "README.md", "manifest.json"} <= made.files
    assert not any("unfinished" in name or "checkpoint" in name for name in made.files)
    steps = made.json_lines("training.jsonl")
    assert [step["step"] for step in steps] == list(range(1, 13))
    rates = [step["learning_rate"] for step in steps]
    peak = {"static": 1e-3, "transformer": 2e-5}[encoder.name]
    assert max(rates) == pytest.approx(peak)
    assert made.manifest.summary["peak_learning_rate"] == pytest.approx(peak)
    assert rates[-1] < peak / 5
    for epoch, name in ((1, "first_epoch_loss"), (3, "last_epoch_loss")):
        losses = [step["loss"] for step in steps if step["epoch"] == epoch]
        assert len(losses) == 4
        assert made.manifest.summary[name] == pytest.approx(np.mean(losses))
    title = re.search("^# (.*)$", (made.out / "README.md").read_text(), re.MULTILINE)
    assert title.group(1) == "tuned"


def test_finetune_keeps_the_weights_that_are_best_on_development_pairs(stage, encoder, world, tmp_path):
    # Shuffled pairs and a growing rate make the last weights worse than earlier ones.
    params = {"steps": 10, "batch_size": 8, "learning_rate": 0.5, "warmup": 1.0, "control": "shuffled-pairs"}
    inputs = {"pairs": world / "train.tsv", "encoder": encoder}
    made = stage("finetune", tmp_path / "best", params | {"evaluate_every": 2}, dev=world / "train.tsv", **inputs)
    steps = made.json_lines("training.jsonl")
    scores = {step["step"]: step["score"] for step in steps if "score" in step}
    assert list(scores) == [2, 4, 6, 8, 10]
    best = max(scores, key=scores.get)
    summary = made.manifest.summary
    assert (summary["steps"], summary["best_step"], summary["dev_accuracy"]) == (10, best, scores[best])
    kept = load_encoder(made.out, device=CPU)
    dev = read_pairs(world / "train.tsv")
    assert retrieval_accuracy(kept, number_pairs(dev.sources, dev.targets, [])) == pytest.approx(scores[best])
    assert "10 steps" in (made.out / "README.md").read_text()
    last = stage("finetune", tmp_path / "last", params, **inputs)
    assert [step["loss"] for step in last.json_lines("training.jsonl")] == [step["loss"] for step in steps]
    one, other = ((each.out / "model.safetensors").read_bytes() for each in (last, made))
    assert (one == other) == (best == 10)


def test_finetune_evaluates_every_epoch_by_default(stage, static, world, tmp_path):
    made = stage("finetune", tmp_path / "out", {"epochs": 3, "batch_size": 8}, dev=world / "train.tsv",
                 pairs=world / "train.tsv", encoder=static)  # fmt: skip
    assert [step["step"] for step in made.json_lines("training.jsonl") if "score" in step] == [4, 8, 12]


@pytest.mark.parametrize(
    ("params", "says"),
    [({"evaluate_every": 2}, "--evaluate-every needs --dev"), ({"steps": 2, "epochs": 1}, "--steps cannot be used")],
)
def test_finetune_settings_that_contradict(stage, static, world, tmp_path, params, says):
    with pytest.raises(ConfigError, match=says):
        stage("finetune", tmp_path / "out", params, pairs=world / "train.tsv", encoder=static)


def test_same_seed_same_weights(stage, encoder, tune, world, tmp_path):
    def run(name, seed):
        made = stage("finetune", tmp_path / name, {"epochs": 3, "batch_size": 8}, seed, pairs=world / "train.tsv",
                     encoder=encoder)  # fmt: skip
        return (made.out / "model.safetensors").read_bytes()

    first = (tune(encoder).out / "model.safetensors").read_bytes()
    assert run("again", 0) == first
    assert run("other", 1) != first


def test_shuffled_pairs_control_changes_the_positives(static, tune):
    normal, shuffled = tune(static), tune(static, {"control": "shuffled-pairs"})
    assert normal.json_lines("training.jsonl") != shuffled.json_lines("training.jsonl")
    assert "control" in (shuffled.out / "README.md").read_text()
    assert shuffled.manifest.params["control"] == "shuffled-pairs"


def test_chunks_give_the_same_steps_to_rounding(static, tune):
    """Only without dropout, whose masks are drawn pass by pass."""
    whole = tune(static).json_lines("training.jsonl")
    parts = tune(static, {"chunk_tokens": 16}).json_lines("training.jsonl")
    for name in ("loss", "gradient_norm", "learning_rate"):
        assert [step[name] for step in parts] == pytest.approx([step[name] for step in whole], rel=1e-3)


# ---------------------------------------------------------------- mine-negatives


def mine(stage, world, encoder, out, **params):
    inputs = {"pairs": world / "train.tsv", "encoder": encoder, "target_vocabulary": world / "de.txt",
              "source_vocabulary": world / "en.txt"}  # fmt: skip
    return stage("mine-negatives", out, {"count": 3} | params, **inputs)


def test_both_directions_reach_the_training(stage, static, tune, world, tmp_path):
    both = mine(stage, world, static, tmp_path / "both", direction="both")
    rows = both.json_lines("negatives.jsonl")
    assert len(rows) == 56
    english = set((world / "en.txt").read_text().split())
    for row in rows[28:]:
        assert row["direction"] == "target-to-source"
        assert {each["text"] for each in row["negatives"]} <= english
    tuned = tune(static, negatives=both.out)
    assert tuned.manifest.summary["pairs"] == 56
    assert tuned.manifest.summary["steps"] == 3 * 7
    one = tune(static, negatives=mine(stage, world, static, tmp_path / "one").out)
    assert one.manifest.summary["pairs"] == 28


def test_negatives_are_the_nearest_words_that_are_no_translations(stage, encoder, world, tmp_path):
    made = mine(stage, world, encoder, tmp_path / "out")
    vocabulary = [line.split(" ")[0] for line in (world / "de.txt").read_text(encoding="utf-8").splitlines()]
    targets = encoded(stage, encoder, vocabulary, tmp_path / "de").unit()
    gold = dict(line.split("\t") for line in (world / "train.tsv").read_text(encoding="utf-8").splitlines())
    anchors = encoded(stage, encoder, list(gold), tmp_path / "en").unit()
    for row, anchor in zip(made.json_lines("negatives.jsonl"), anchors, strict=True):
        scores = dict(zip(vocabulary, targets @ anchor, strict=True))
        allowed = {word: s for word, s in scores.items() if word not in (row["source"], gold[row["source"]])}
        wanted = sorted(allowed.values(), reverse=True)[:3]
        assert [each["score"] for each in row["negatives"]] == pytest.approx(wanted, abs=1e-5)
        assert row["score"] == pytest.approx(scores[row["target"]], abs=1e-5)


@pytest.mark.parametrize(
    "params",
    [{"range_min": 5}, {"max_score": 0.3}, {"absolute_margin": 0.2}, {"relative_margin": 0.5},
     {"sampling": "random", "range_max": 20}, {"vocabulary_limit": 20}],
    ids=lambda params: next(iter(params)),
)  # fmt: skip
def test_margins_and_ranges_change_the_list(stage, static, world, tmp_path, params):
    usual = mine(stage, world, static, tmp_path / "usual").json_lines("negatives.jsonl")
    other = mine(stage, world, static, tmp_path / "other", **params)
    rows = other.json_lines("negatives.jsonl")
    assert [row["negatives"] for row in rows] != [row["negatives"] for row in usual]
    short = sum(len(row["negatives"]) < 3 for row in rows)
    assert other.manifest.summary["short_pairs"] == short
    assert any("fewer than 3 negatives" in warning for warning in other.warnings) == bool(short)


def test_translations_anywhere_in_the_dictionary_are_left_out(stage, static, world, pairs_file, tmp_path):
    pairs = pairs_file(tmp_path / "p.tsv", [("dog", "hund"), ("Dog", "Katze"), ("cat", "katze"), ("dog", "baum")])
    made = stage("mine-negatives", tmp_path / "out", {"count": 37}, pairs=pairs, encoder=static,
                 target_vocabulary=world / "de.txt")  # fmt: skip
    for row in made.json_lines("negatives.jsonl"):
        words = {each["text"] for each in row["negatives"]}
        if row["source"].lower() == "dog":
            assert not words & {"hund", "katze", "baum"}
            assert len(words) == 37


def test_swapped_columns_are_told(stage, static, world, pairs_file, tmp_path):
    pairs = [line.split("\t") for line in (world / "train.tsv").read_text(encoding="utf-8").splitlines()]
    swapped = pairs_file(tmp_path / "swapped.tsv", [(target, source) for source, target in pairs])
    inputs = {"encoder": static, "target_vocabulary": world / "de.txt"}
    made = stage("mine-negatives", tmp_path / "out", {"count": 3}, pairs=swapped, **inputs)
    known = len({source for source, _ in pairs} & set((world / "de.txt").read_text(encoding="utf-8").split()))
    share = f"{100 * known / len(pairs):.0f} %"
    assert made.warnings[0] == f"Only {known} of 28 pairs have a target word of the target vocabulary ({share})."
    assert not any("target vocabulary" in each for each in mine(stage, world, static, tmp_path / "right").warnings)
    few = stage("mine-negatives", tmp_path / "few", {"count": 3, "vocabulary_limit": 5},
                pairs=world / "train.tsv", **inputs)  # fmt: skip
    assert not any("target vocabulary" in each for each in few.warnings), "a short vocabulary is no such sign"


# ---------------------------------------------------------------- train-static


@pytest.mark.parametrize("options", [{}, {"words_only": False}])
def test_train_static_tells_that_no_spaces_separate_the_words(stage, tmp_path, options):
    params = {"dimensions": 4, "minimum_count": 1, "buckets": 100} | options
    texts = {
        "thai": "เหลือเวลาอีกกี่ชั่วโมง กว่าจะเดินทางไปถึง\n",
        "split": "เหลือ เวลา อีก กี่ ชั่วโมง\n",
        "english": "two dogs in the snow\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text * 20, encoding="utf-8")
    made = stage("train-static", tmp_path / "out", params, text=[tmp_path / name for name in texts])
    assert made.warnings == [f"{tmp_path / 'thai'}: 20 lines became 40 words, as no spaces separate its words."]
    (hint,) = made.hints
    assert hint == "Split the text into words first, with a program for its language, and give --no-words-only."


@pytest.mark.parametrize("subwords", [(3, 6), (0, 0)])
@pytest.mark.parametrize("dimensions", [6, 20])
def test_train_static_depends_on_its_seed_only(stage, world, tmp_path, subwords, dimensions):
    """Memory that was used before must not shine through: fastText leaves most of its matrix as it finds it."""
    text = tmp_path / "text.txt"
    text.write_text((world / "text.tsv").read_text(encoding="utf-8") * 50, encoding="utf-8")

    def vectors(name, seed):
        params = {"dimensions": dimensions, "minimum_count": 2, "epochs": 1, "buckets": 20_000,
                  "shortest_subword": subwords[0], "longest_subword": subwords[1]}  # fmt: skip
        used = [np.full(size, 7e30) for size in range(1000, 200_000, 4000)]
        del used
        return stage("train-static", tmp_path / name, params, seed, text=[text])

    first = vectors("a", 1)
    assert first.files == {"vectors.npy", "words.txt", "manifest.json"}
    matrix = first.matrix()
    assert np.abs(matrix).max() < 10
    assert np.linalg.matrix_rank(matrix) == dimensions
    assert (matrix == vectors("b", 1).matrix()).all()
    assert not (matrix == vectors("c", 2).matrix()).all()
    assert read_manifest(first.out).summary["lines"] == 2000


def test_train_static_needs_a_frequent_word(stage, tmp_path):
    """The ends of lines are frequent, and fastText counts them as a word."""
    (tmp_path / "text").write_text("".join(f"word{letter}\n" for letter in "abcdef"))
    params = {"dimensions": 4, "minimum_count": 2, "buckets": 100}
    with pytest.raises(DataError, match="No word occurs 2 times or more"):
        stage("train-static", tmp_path / "out", params, text=[tmp_path / "text"])


def test_encode_warns_where_lines_look_like_words_with_counts(stage, static, tmp_path):
    (tmp_path / "words.txt").write_text("haus 12\nroute 66\t3\n\nhaus 1\n")
    inputs = {"words": tmp_path / "words.txt", "encoder": static}
    made = stage("encode", tmp_path / "whole", **inputs)
    assert made.words() == ["haus 12", "route 66\t3", "", "haus 1"]
    assert made.warnings[1:] == ["Every line ends with a number, which is encoded as part of its text ('haus 12')."]
    bare = stage("encode", tmp_path / "bare", {"counts": True}, **inputs)
    assert (bare.words(), bare.warnings) == (["haus", "route 66"], [])


@pytest.mark.parametrize("text", ["route 66\n", "haus\nroute 66\n", "12\n13\n"])
def test_encode_does_not_take_every_number_for_a_count(stage, static, tmp_path, text):
    (tmp_path / "words.txt").write_text(text)
    made = stage("encode", tmp_path / "out", words=tmp_path / "words.txt", encoder=static)
    assert (made.words(), made.warnings) == (text.splitlines(), [])


def test_encode_refuses_counts_where_there_are_none(stage, static, tmp_path):
    (tmp_path / "words.txt").write_text("haus 3\nroute\n")
    with pytest.raises(DataError, match=r"not every line of .*words\.txt ends with a number"):
        stage("encode", tmp_path / "out", {"counts": True}, words=tmp_path / "words.txt", encoder=static)
