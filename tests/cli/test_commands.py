"""Every command of the program does its work through the real parser."""

from __future__ import annotations

import gzip
import json
import shutil

import numpy as np
import pytest


def read_vec(path, header=True):
    lines = path.read_text(encoding="utf-8").splitlines()[int(header) :]
    return {line.split(" ")[0]: np.array(line.split(" ")[1:], float) for line in lines}


def table(text):
    return [line.split("\t") for line in text.splitlines()]


def test_mine_negatives_gives_the_wanted_count_and_no_translation(negatives):
    rows = [json.loads(line) for line in (negatives / "negatives.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 28
    for row in rows:
        words = [each["text"] for each in row["negatives"]]
        assert len(set(words)) == len(words) == 3
        assert not {row["source"], row["target"]} & set(words)
        assert [each["score"] for each in row["negatives"]] == sorted(
            (each["score"] for each in row["negatives"]), reverse=True
        )


def test_mine_negatives_of_both_directions(world, static, lexenc, tmp_path):
    files = ["--pairs", world / "train.tsv", "--encoder", static, "--target-vocabulary", world / "de.txt"]
    more = ["--source-vocabulary", world / "en.txt", "--direction", "both", "--count", 2]
    shown = lexenc("mine-negatives", *files, *more, "--out", tmp_path / "out")
    rows = [json.loads(line) for line in (tmp_path / "out" / "negatives.jsonl").read_text().splitlines()]
    assert [row["direction"] for row in rows] == ["source-to-target"] * 28 + ["target-to-source"] * 28
    assert rows[28]["source"] == "haus"
    assert "pairs 56" in shown.stderr


def test_finetune_tells_what_it_did_and_what_comes_next(world, static, lexenc, tmp_path):
    shown = lexenc(
        "finetune", "--pairs", world / "train.tsv", "--encoder", static, "--epochs", 1, "--out", tmp_path / "tuned"
    )
    assert shown.stdout == ""
    assert "learning rate 0.001" in shown.stderr, "bags of subwords have a larger default"
    last = shown.stderr.splitlines()[-1]
    assert last.startswith("next: lexenc interpolate")
    assert str(tmp_path / "tuned") in last
    steps = [json.loads(line) for line in (tmp_path / "tuned" / "training.jsonl").read_text().splitlines()]
    assert [set(step) for step in steps] == [{"step", "epoch", "loss", "learning_rate", "gradient_norm"}] * len(steps)
    assert not (tmp_path / "tuned" / "unfinished").exists()


def test_finetune_tunes_a_transformer(world, transformer, lexenc, tmp_path):
    shown = lexenc(
        "finetune", "--pairs", world / "train.tsv", "--encoder", transformer, "--epochs", 1, "--out", tmp_path / "tuned"
    )
    assert "learning rate 2e-05" in shown.stderr
    assert (tmp_path / "tuned" / "model.safetensors").is_file()


@pytest.mark.parametrize("loss", ["mneg", "own-hard", "symmetric", "printed"])
def test_finetune_knows_every_loss(world, static, negatives, lexenc, tmp_path, loss):
    files = ["--pairs", world / "train.tsv", "--negatives", negatives, "--encoder", static]
    lexenc("finetune", *files, "--loss", loss, "--epochs", 1, "--out", tmp_path / "out", "--quiet")


@pytest.fixture
def synonyms(world, tmp_path):
    """Every pair of the training dictionary as the two names of a concept, a few with a third."""
    path = tmp_path / "umls.txt"
    pairs = [line.split("\t") for line in (world / "train.tsv").read_text(encoding="utf-8").splitlines()]
    lines = [f"C{i}||{name}" for i, pair in enumerate(pairs) for name in [*pair, "Haus", "x"][: 2 + (i == 0)]]
    path.write_text("\n".join([*lines, "C99||alone", ""]), encoding="utf-8")
    return path


def test_finetune_on_synonyms_as_documented(static, synonyms, lexenc, tmp_path):
    files = ["--synonyms", synonyms, "--loss", "multi-similarity", "--encoder", static]
    shown = lexenc("finetune", *files, "--out", tmp_path / "linker")
    lines = shown.stderr.splitlines()
    assert shown.stdout == ""
    assert f"{synonyms}: concept||name." in lines
    assert "29 concepts with 58 names. 1 concept with only one name: no pair." in lines
    assert "30 pairs, 1 step, learning rate 0.001 after 0 warm-up steps." in lines
    assert lines[-1] == (
        f"next: lexenc eval xel --knowledge-base KNOWLEDGE-BASE --mentions MENTIONS --encoder {tmp_path / 'linker'}"
    )
    body = json.loads(lexenc("finetune", *files, "--out", tmp_path / "linker", "--json").stdout)
    assert (body["pairs"], body["concepts"], body["names"], body["concepts_with_one_name"]) == (30, 29, 58, 1)


def test_finetune_takes_synonyms_from_a_pipe_and_from_several_files(static, synonyms, lexenc, tmp_path):
    more = tmp_path / "more.txt"
    more.write_text("C99 || solo || alone\n")
    files = ["--synonyms", "-", "--synonyms", more, "--encoder", static]
    shown = lexenc("finetune", *files, "--out", tmp_path / "linker", "--json", stdin=synonyms.read_text("utf-8"))
    assert json.loads(shown.stdout)["pairs"] == 31
    assert "standard input: concept||name." in shown.stderr.splitlines()


def test_map_moves_both_languages(world, mapped, lexenc):
    for side in ("source", "target"):
        assert len((mapped / side / "words.txt").read_text(encoding="utf-8").splitlines()) == 40
        assert np.load(mapped / side / "vectors.npy").shape == (40, 8)
    assert (mapped / "mapping.safetensors").is_file()


def test_interpolate_has_the_encoders_dimensions(blended):
    assert np.load(blended / "source" / "vectors.npy").shape == (40, 16)
    assert np.load(blended / "target" / "vectors.npy").shape == (40, 16)


def test_eval_bli_of_vectors(world, mapped, lexenc):
    shown = lexenc("eval", "bli", "--vectors", mapped, "--dictionary", world / "test.tsv")
    rows = table(shown.stdout)
    assert rows[0][:3] == ["convention", "queries", "P@1"]
    assert rows[1][1:3] == ["12", "100.00"]


@pytest.mark.parametrize("retrieval", ["nearest", "csls", "inverted-softmax"])
def test_eval_bli_retrieval(world, mapped, lexenc, retrieval):
    shown = lexenc(
        "eval", "bli", "--vectors", mapped, "--dictionary", world / "test.tsv", "--retrieval", retrieval, "--json"
    )
    head = json.loads(shown.lines[0])
    assert head["retrieval"] == retrieval
    assert head["precision_at_1"] > 0.8


def test_eval_bli_sweep_has_the_shape_of_the_papers_table(world, mapped, tuned, lexenc):
    files = ["--vectors", mapped, "--encoder", tuned, "--train-dictionary", world / "train.tsv"]
    shown = lexenc("eval", "bli", *files, "--dictionary", world / "test.tsv", "--lambda", "0,0.1,0.2,1")
    rows = table(shown.stdout)
    assert rows[0] == ["lambda", "0", "0.1", "0.2", "1"]
    assert rows[1][1] == "100.0", "lambda 0 is the mapped space"
    assert all(0 <= float(cell) <= 100 for cell in rows[1][1:])


def test_eval_bli_of_an_encoder_alone(world, tuned, lexenc):
    files = ["--source-vocabulary", world / "en.txt", "--target-vocabulary", world / "de.txt"]
    shown = lexenc("eval", "bli", "--encoder", tuned, *files, "--dictionary", world / "test.tsv", "--json")
    head = json.loads(shown.lines[0])
    assert (head["queries"], head["search_space_words"]) == (12, 40)


def test_eval_bli_writes_predictions_with_scores(world, mapped, lexenc, tmp_path):
    lexenc("eval", "bli", "--vectors", mapped, "--dictionary", world / "test.tsv", "--out", tmp_path / "scores")
    rows = [json.loads(line) for line in (tmp_path / "scores" / "items.jsonl").read_text().splitlines()]
    assert len(rows) == 12
    assert len(rows[0]["answers"]) == 10
    assert set(rows[0]["answers"][0]) == {"target", "score"}


def test_eval_bli_fail_under_answers_no(world, mapped, attempt, tmp_path):
    (tmp_path / "wrong.tsv").write_text("dog\tkatze\n")
    assert (
        attempt("eval", "bli", "--vectors", mapped, "--dictionary", world / "test.tsv", "--fail-under", 0.5).code == 0
    )
    shown = attempt("eval", "bli", "--vectors", mapped, "--dictionary", tmp_path / "wrong.tsv", "--fail-under", 0.5)
    assert (shown.code, shown.lines[1].split("\t")[2]) == (1, "0.00")
    assert "warning: Precision at 1 is 0.0000, below --fail-under 0.5." in shown.stderr


def test_eval_bli_fail_under_answers_no_again(world, mapped, attempt, tmp_path):
    (tmp_path / "wrong.tsv").write_text("dog\tkatze\n")
    words = ["--vectors", mapped, "--dictionary", tmp_path / "wrong.tsv", "--fail-under", 0.5]
    words += ["--out", tmp_path / "out"]
    first, again = (attempt("eval", "bli", *words) for _ in range(2))
    assert (first.code, again.code) == (1, 1)
    assert f"warning: eval bli: the answer saved in {tmp_path / 'out'} is no." in again.stderr
    assert "the answer kept" not in first.stderr


@pytest.mark.parametrize(("weights", "code"), [("0,1", 0), ("1,0", 1)])
def test_eval_bli_fail_under_asks_the_first_lambda(world, mapped, static, attempt, weights, code):
    files = ["--vectors", mapped, "--encoder", static, "--train-dictionary", world / "train.tsv"]
    shown = attempt(
        "eval", "bli", *files, "--dictionary", world / "test.tsv", "--lambda", weights, "--fail-under", 1, "--json"
    )
    heads = [json.loads(line) for line in shown.lines[:2]]
    assert {head["lambda"]: head["precision_at_1"] == 1 for head in heads} == {0: True, 1: False}
    assert shown.code == code
    told = "The first lambda decides." in shown.stderr
    assert told == ("Precision at 1 at lambda 1 is" in shown.stderr) == bool(code)


def test_encode_reads_a_file_and_standard_input(world, static, lexenc, tmp_path):
    lexenc("encode", "--encoder", static, "--out", tmp_path / "file", world / "en.txt")
    shown = lexenc(
        "encode", "--encoder", static, "--out", tmp_path / "piped", "-", stdin=(world / "en.txt").read_text()
    )
    assert "dimensions 16" in shown.stderr
    for name in ("vectors.npy", "words.txt"):
        assert (tmp_path / "file" / name).read_bytes() == (tmp_path / "piped" / name).read_bytes()
    manifest = json.loads((tmp_path / "piped" / "manifest.json").read_text())
    assert manifest["inputs"]["words"][0]["given"] == "-"


def test_train_static_writes_all_formats(world, lexenc, tmp_path):
    small = ["--dimensions", 8, "--epochs", 1, "--minimum-count", 2, "--buckets", 100_000, "--write", "vec,bin"]
    (tmp_path / "text.txt").write_text((world / "text.tsv").read_text(encoding="utf-8") * 50, encoding="utf-8")
    lexenc("train-static", "--text", tmp_path / "text.txt", *small, "--out", tmp_path / "static")
    words = (tmp_path / "static" / "words.txt").read_text(encoding="utf-8").splitlines()
    assert "house" in words
    assert np.load(tmp_path / "static" / "vectors.npy").shape == (len(words), 8)
    assert set(read_vec(tmp_path / "static" / "vectors.vec")) == set(words)
    # What fastText wrote can be read again.
    lexenc("export", tmp_path / "static" / "model.bin", "--out", tmp_path / "again")
    again = read_vec(tmp_path / "again" / "vectors.vec")
    table = np.load(tmp_path / "static" / "vectors.npy")
    assert np.allclose(again["house"], table[words.index("house")], atol=1e-5)


def test_train_static_that_diverges_is_no_bug(world, fails, tmp_path):
    small = ["--dimensions", 8, "--minimum-count", 2, "--buckets", 100, "--learning-rate", 1e30]
    (tmp_path / "text.txt").write_text((world / "text.tsv").read_text(encoding="utf-8") * 50, encoding="utf-8")
    found = fails("train-static", "--text", tmp_path / "text.txt", *small, "--out", tmp_path / "o", code=1, early=False)
    assert "--learning-rate" in found.hint


def test_audit_finds_leaks(world, lexenc, attempt, tmp_path):
    (tmp_path / "test.tsv").write_text("house\thaus\nhouse\theim\nnew\tneu\n", encoding="utf-8")
    files = ["--train", world / "train.tsv", "--test", tmp_path / "test.tsv"]
    asked = attempt("audit", *files, "--json")
    assert asked.code == 1
    found = json.loads(asked.stdout)
    assert (found["leaked_pairs"], found["leaked_sources"], found["train_kept"]) == (1, 1, 27)
    lexenc("audit", *files, "--out", tmp_path / "clean")
    assert attempt("audit", *files, "--out", tmp_path / "strict", "--fail-on-leak").code == 1
    assert "house" not in (tmp_path / "clean" / "train.tsv").read_text(encoding="utf-8")
    again = json.loads(
        lexenc("audit", "--train", tmp_path / "clean" / "train.tsv", "--test", files[3], "--json").stdout
    )
    assert again["leaked_pairs"] == 0


def test_audit_counts_words_without_vectors(world, lexenc):
    files = ["--train", world / "train.tsv", "--test", world / "test.tsv"]
    for known in (world / "en.vec", world / "en.txt"):
        found = json.loads(lexenc("audit", *files, "--source-vectors", known, "--json").stdout)
        assert found["test_source_words_out_of_vocabulary"] == 0


@pytest.mark.parametrize("kind", ["vec", "word2vec", "glove"])
def test_export_reads_back_the_same(world, mapped, lexenc, tmp_path, kind):
    out = tmp_path / kind
    lexenc("export", mapped, "--format", kind, "--out", out)
    suffix = {"vec": "vec", "word2vec": "bin", "glove": "txt"}[kind]
    assert {path.name for path in out.iterdir()} == {f"source.{suffix}", f"target.{suffix}", "manifest.json"}
    lexenc("export", out / f"source.{suffix}", "--format", "vec", "--out", tmp_path / "back")
    back = read_vec(tmp_path / "back" / "vectors.vec")
    words = (mapped / "source" / "words.txt").read_text(encoding="utf-8").splitlines()
    assert list(back) == words
    assert np.allclose(np.stack(list(back.values())), np.load(mapped / "source" / "vectors.npy"), atol=1e-5)


def test_export_vec_is_what_other_programs_expect(mapped, lexenc, tmp_path):
    lexenc("export", mapped, "--out", tmp_path / "out")
    head, first, *_ = (tmp_path / "out" / "source.vec").read_text(encoding="utf-8").splitlines()
    assert head == "40 8"
    assert first.split(" ")[0] == "house"
    assert len(first.split(" ")) == 9


def test_map_reads_packed_vectors(world, lexenc, tmp_path):
    (tmp_path / "en.vec.gz").write_bytes(gzip.compress((world / "en.vec").read_bytes()))
    files = ["--source", tmp_path / "en.vec.gz", "--target", world / "de.vec", "--dictionary", world / "train.tsv"]
    lexenc("map", *files, "--out", tmp_path / "mapped")
    assert (tmp_path / "mapped" / "source" / "words.txt").is_file()


def test_compare_two_evaluations(world, mapped, blended, lexenc, tmp_path):
    for name, space in (("one", mapped), ("two", blended)):
        lexenc("eval", "bli", "--vectors", space, "--dictionary", world / "test.tsv", "--out", tmp_path / name)
    shown = lexenc("compare", tmp_path / "one", tmp_path / "two", "--draws", 200, "--json")
    found = json.loads(shown.stdout)
    assert found["count"] == 12
    assert found["difference_low"] <= found["difference"] <= found["difference_high"]
    same = json.loads(lexenc("compare", tmp_path / "one", tmp_path / "one", "--draws", 200, "--json").stdout)
    assert (same["difference"], same["shown"]) == (0, False)
    rows = table(lexenc("compare", tmp_path / "one", tmp_path / "two", "--draws", 200).stdout)
    assert (rows[0][:2], rows[1][0]) == (["metric", "first"], "P@1")


def test_show_does_not_follow_an_input_that_was_replaced(world, mapped, lexenc, tmp_path):
    files = ["--source", world / "en.vec", "--target", world / "de.vec", "--dictionary", world / "train.tsv"]
    lexenc("map", *files, "--out", tmp_path / "mapped")
    lexenc("export", tmp_path / "mapped", "--out", tmp_path / "exported")
    assert "reduce_to 4" not in lexenc("show", tmp_path / "exported").stdout
    lexenc("map", *files, "--reduce-to", 4, "--out", tmp_path / "mapped", "--force")
    text = lexenc("show", tmp_path / "exported").stdout
    assert "replaced on" in text
    assert "reduce_to 4" not in text


def test_show_follows_the_chain_to_the_raw_files(world, blended, tuned, static, mapped, lexenc):
    text = lexenc("show", blended).stdout
    for name in ("interpolate", "finetune", "mine-negatives", "map", "new-encoder"):
        assert f"({name} v" in text
    for raw in ("train.tsv", "en.vec", "de.vec", "de.txt", "text.tsv"):
        assert str(world / raw) in text
    body = json.loads(lexenc("show", blended, "--json").stdout)
    assert body["params"]["lambda"] == 0.3


@pytest.mark.parametrize("kind", ["stages", "presets", "encoders", "bundled", "losses", "retrieval", "tasks"])
def test_list(lexenc, kind):
    rows = table(lexenc("list", kind).stdout)
    assert rows[0] == ["name", "what"]
    objects = [json.loads(line) for line in lexenc("list", kind, "--json").lines]
    assert [each["name"] for each in objects] == [row[0] for row in rows[1:]]


def test_list_says_what_every_bundled_thing_is(lexenc):
    kinds = dict(row for row in table(lexenc("list", "bundled").stdout)[1:])
    assert kinds["mini"].startswith("encoder")
    assert kinds["bundled:static/de"].startswith("static vectors, German")
    assert kinds["bundled:static/en/words.txt"] == "word list, English"
    assert kinds["bundled:lexicon/en-fr.test.tsv"] == "test lexicon, English to French"
    assert kinds["bundled:lexicon/en-de.train.tsv"] == "training lexicon, English to German"
    assert len(set(kinds.values())) == len(kinds)


def test_list_has_the_commands_that_are_no_stages(lexenc):
    rows = dict(row for row in table(lexenc("list").stdout)[1:])
    assert rows["translate"].startswith("Translate words")
    assert {"run", "status", "check", "init", "demo", "show", "list", "env"} <= set(rows)
    assert all(rows.values())


def test_list_names_what_the_specification_names(lexenc):
    def names(kind):
        return {row[0] for row in table(lexenc("list", kind).stdout)[1:]}

    assert {"mine-negatives", "finetune", "map", "interpolate", "eval bli", "encode", "train-static"} <= names("stages")
    assert names("losses") >= {"mneg", "own-hard", "printed", "symmetric"}
    tasks = "alignment bli bitext clustering language-id mteb ner nli paraphrase retrieval senses sentiment sts"
    assert names("tasks") == {*tasks.split(), "topics", "wsd", "xel", "xlsim"}
    assert "mini" in names("encoders")


def test_env_names_versions_and_devices(lexenc):
    text = lexenc("env").stdout
    assert "lexenc: " in text
    assert "torch: " in text
    body = json.loads(lexenc("env", "--json").stdout)
    assert body["devices"].startswith("cpu")


def test_version(lexenc):
    import lexenc as package

    assert lexenc("--version").stdout == f"lexenc {package.__version__}\n"


def test_new_encoder_says_what_comes_next(static, world, lexenc, tmp_path):
    shown = lexenc(
        "new-encoder",
        "--text",
        world / "text.tsv",
        "--dimensions",
        4,
        "--vocabulary-size",
        150,
        "--out",
        tmp_path / "e",
    )
    assert "next: lexenc finetune" in shown.stderr
    assert (tmp_path / "e" / "README.md").read_text().splitlines()[5] == "# e"


def test_one_of_several_texts_may_be_standard_input(world, lexenc, fails, tmp_path):
    settings = ["--kind", "static", "--dimensions", 8, "--vocabulary-size", 120]
    text = (world / "en.txt").read_text()
    files = ["new-encoder", "--text", world / "de.txt", "--text"]
    lexenc(*files, world / "en.txt", *settings, "--out", tmp_path / "file")
    lexenc(*files, "-", *settings, "--out", tmp_path / "piped", stdin=text)
    for name in ("model.safetensors", "tokenizer.json"):
        assert (tmp_path / "file" / name).read_bytes() == (tmp_path / "piped" / name).read_bytes()
    given = json.loads((tmp_path / "piped" / "manifest.json").read_text())["inputs"]["text"]
    assert [one["given"] for one in given] == [str(world / "de.txt"), "-"]
    found = fails("new-encoder", "--text", "-", "--text", "-", *settings, "--out", tmp_path / "twice", stdin=text)
    assert found.hint == "Use - once."


def test_results_that_were_changed_or_damaged_are_told(lexenc, fails, mapped, static, world, tmp_path):
    space, encoder = tmp_path / "space", tmp_path / "encoder"
    shutil.copytree(mapped, space)
    shutil.copytree(static, encoder)
    for place in (space / "source" / "words.txt", space / "README.md"):
        place.write_text("zzz\n", encoding="utf-8")
    assert "words.txt" in lexenc("show", space).stderr
    assert "was changed after lexenc made it: source/words.txt." in lexenc("show", space, "--json").stderr
    (encoder / "manifest.json").write_text("{}")
    shown = lexenc("encode", world / "en.txt", "--encoder", encoder, "--out", tmp_path / "encoded")
    assert f"{encoder / 'manifest.json'} cannot be read, so it is not known" in " ".join(shown.stderr.split())
    body = dict.fromkeys(json.loads((space / "manifest.json").read_text(encoding="utf-8")), 7)
    (space / "manifest.json").write_text(json.dumps(body), encoding="utf-8")
    assert fails("show", space).hint == "Make it again elsewhere, or remove the folder first."
