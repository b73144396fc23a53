"""translate: words in, tab-separated answers out."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess

import numpy as np
import pytest


def rows(shown):
    return [line.split("\t") for line in shown.lines]


@pytest.fixture
def words(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("house\ndog\n", encoding="utf-8")
    return path


def test_file_of_words(mapped, words, lexenc):
    found = rows(lexenc("translate", "--vectors", mapped, "--top", 3, words))
    assert [row[:2] for row in found] == [[w, str(r)] for w in ("house", "dog") for r in (1, 2, 3)]
    assert found[0][2] == "haus"
    assert found[3][2] == "hund"
    scores = [float(row[3]) for row in found[:3]]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] <= 1.0001


def test_standard_input_is_the_default(mapped, words, lexenc):
    wanted = lexenc("translate", "--vectors", mapped, words).stdout
    assert lexenc("translate", "--vectors", mapped, "-", stdin="house\ndog\n").stdout == wanted
    assert lexenc("translate", "--vectors", mapped, stdin=b"house\r\n  dog\t\n\n").stdout == wanted
    assert len(wanted.splitlines()) == 10, "five answers each"


def test_words_come_back_in_their_order_and_as_often(mapped, lexenc):
    found = rows(lexenc("translate", "--vectors", mapped, "--top", 1, stdin="dog\nhouse\ndog\n"))
    assert [row[0] for row in found] == ["dog", "house", "dog"]


def test_from_target_to_source(mapped, lexenc):
    found = rows(lexenc("translate", "--vectors", mapped, "--from", "target", "--to", "source", stdin="haus\n"))
    assert found[0][:3] == ["haus", "1", "house"]


@pytest.mark.parametrize("side", ["source", "target"])
def test_neighbours_within_a_language_leave_the_word_out(mapped, lexenc, side):
    word = {"source": "house", "target": "haus"}[side]
    found = rows(lexenc("translate", "--vectors", mapped, "--from", side, "--to", side, "--top", 4, stdin=word + "\n"))
    answers = [row[2] for row in found]
    assert len(answers) == 4
    assert word not in answers
    matrix = np.load(mapped / side / "vectors.npy")
    names = (mapped / side / "words.txt").read_text(encoding="utf-8").splitlines()
    unit = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    order = [names[i] for i in np.argsort(-(unit @ unit[names.index(word)])) if names[i] != word]
    assert answers == order[:4]


@pytest.mark.parametrize("retrieval", ["nearest", "csls", "inverted-softmax"])
def test_retrieval(mapped, lexenc, retrieval):
    found = rows(lexenc("translate", "--vectors", mapped, "--retrieval", retrieval, "--top", 1, stdin="house\n"))
    assert found[0][2] == "haus"


def test_unknown_words_are_named_once(mapped, lexenc):
    shown = lexenc("translate", "--vectors", mapped, "--top", 1, stdin="qqq\nhouse\nqqq\nzzz\n")
    assert [row[0] for row in rows(shown)] == ["house"]
    assert "2 words are not among the source vectors: 'qqq', 'zzz'." in shown.stderr
    assert shown.stderr.count("warning:") == 1


def test_one_unknown_word(mapped, lexenc):
    shown = lexenc("translate", "--vectors", mapped, stdin="qqq\n")
    assert shown.stdout == ""
    assert "1 word is not among the source vectors: 'qqq'" in shown.stderr


def test_encoder_answers_for_unknown_words(blended, tuned, lexenc):
    shown = lexenc("translate", "--vectors", blended, "--encoder", tuned, "--top", 2, stdin="doghouse\n")
    assert [row[:2] for row in rows(shown)] == [["doghouse", "1"], ["doghouse", "2"]]
    assert "warning" not in shown.stderr


def test_encoder_that_the_space_was_not_blended_with(blended, tuned, static, lexenc):
    shown = lexenc("translate", "--vectors", blended, "--encoder", static, "--top", 1, stdin="doghouse\n")
    assert len(shown.lines) == 1
    assert f"was blended with another encoder than {static}: {tuned}" in shown.stderr
    assert f"hint:  Use --encoder {tuned}" in shown.stderr


def test_encoder_for_a_space_without_any(world, lexenc, tmp_path):
    lexenc("new-encoder", "--text", world / "text.tsv", "--dimensions", 8, "--vocabulary-size", 200,
           "--out", tmp_path / "small")  # fmt: skip
    files = ["--source", world / "en.vec", "--target", world / "de.vec", "--dictionary", world / "train.tsv"]
    lexenc("map", *files, "--out", tmp_path / "mapped")
    shown = lexenc("translate", "--vectors", tmp_path / "mapped", "--encoder", tmp_path / "small", stdin="doghouse\n")
    assert "was made by map and is not blended with an encoder" in shown.stderr


def test_encoder_is_pooled_as_in_the_blend(world, mapped, transformer, lexenc, tmp_path):
    """A word encoded anew is where a blend of weight 1 has it."""
    encoder = tmp_path / "encoder"
    shutil.copytree(transformer, encoder)
    settings = (encoder / "1_Pooling" / "config.json").read_text()
    (encoder / "1_Pooling" / "config.json").write_text(settings.replace('"mean"', '"cls"'))
    files = ["--vectors", mapped, "--encoder", encoder, "--dictionary", world / "train.tsv", "--pooling", "mean"]
    out = tmp_path / "blended"
    lexenc("interpolate", *files, "--lambda", 1, "--out", out)
    words = (out / "source" / "words.txt").read_text(encoding="utf-8")
    (out / "source" / "words.txt").write_text(words.replace("house\n", "qqq\n", 1), encoding="utf-8")
    asked = ["--vectors", out, "--encoder", encoder, "--to", "source", "--top", 1]
    assert rows(lexenc("translate", *asked, stdin="house\n"))[0][2:] == ["qqq", "1.0000"]


def test_encoder_of_other_dimensions(mapped, tuned, fails):
    found = fails("translate", "--vectors", mapped, "--encoder", tuned, stdin="x\n", early=False)
    assert found.message == "The encoder has 16 dimensions, the space 8."


def test_lowercase(mapped, lexenc):
    assert rows(lexenc("translate", "--vectors", mapped, "--lowercase", stdin="HOUSE\n"))[0][2] == "haus"


def test_language_of_the_words(mapped, lexenc, fails):
    shown = lexenc("translate", "--vectors", mapped, "--lowercase", "--language", "tr", stdin="FISH\n")
    assert "'fısh'" in shown.stderr
    found = fails("translate", "--vectors", mapped, "--language", "turkish", stdin="x\n")
    assert "'turkish'" in found.message
    assert "'tr'" in found.hint


def test_more_answers_than_words(mapped, lexenc):
    assert len(rows(lexenc("translate", "--vectors", mapped, "--top", 500, stdin="house\n"))) == 40


def test_json(mapped, lexenc):
    shown = lexenc("translate", "--vectors", mapped, "--top", 2, "--json", stdin="house\n")
    objects = [json.loads(line) for line in shown.lines]
    assert [set(each) for each in objects] == [{"source", "rank", "target", "score"}] * 2


@pytest.mark.parametrize("content", ["", "\n \n\t\n"])
def test_no_words_are_an_error_wherever_they_are_not(mapped, fails, tmp_path, content):
    (tmp_path / "words.txt").write_text(content)
    found = fails("translate", "--vectors", mapped, tmp_path / "words.txt", early=False)
    assert found.message == f"{tmp_path / 'words.txt'} contains no words."
    found = fails("translate", "--vectors", mapped, stdin=content, early=False)
    assert found.message == "standard input contains no words."


def test_standard_input_is_read_as_a_file_is(mapped, words, lexenc, fails):
    wanted = lexenc("translate", "--vectors", mapped, words).stdout
    for content in (b"\xef\xbb\xbfhouse\ndog\n", b"house\rdog\r", gzip.compress(b"house\ndog")):
        assert lexenc("translate", "--vectors", mapped, stdin=content).stdout == wanted
    found = fails("translate", "--vectors", mapped, stdin=b"dog\ndr\xfccken\n", early=False)
    assert found.message == "standard input is not UTF-8 (byte 0xfc at offset 6, line 2)."
    assert found.hint == "Convert it: iconv -f latin1 -t utf-8 -"


def test_quiet_prints_answers_only(mapped, lexenc):
    assert lexenc("translate", "--vectors", mapped, "--quiet", stdin="house\n").stderr == ""


def test_missing_space_and_missing_file(mapped, fails, tmp_path):
    found = fails("translate", "--vectors", tmp_path / "none", stdin="x\n")
    assert "lexenc map" in found.hint
    assert "none.txt" in fails("translate", "--vectors", mapped, tmp_path / "none.txt", early=False).message
    hint = fails("translate", "--vectors", mapped, "ice cream", early=False).hint
    assert hint == f"It is a file of words. For a single word: echo 'ice cream' | lexenc translate --vectors {mapped} -"
    assert "no shared space" in fails("translate", "--vectors", tmp_path, stdin="x\n", early=False).message


def test_closed_pipe_is_no_error_of_ours(mapped, fork, tmp_path):
    """What `lexenc translate ... | head -1` does."""
    (tmp_path / "words.txt").write_text("house\ndog\n" * 5000)
    first = fork("translate", "--vectors", mapped, tmp_path / "words.txt")
    head = subprocess.run(["head", "-1"], stdin=first.stdout, capture_output=True, check=True)
    first.stdout.close()
    stderr = first.stderr.read().decode()
    first.stderr.close()
    assert first.wait() in (0, 1)
    assert head.stdout.decode().startswith("house\t1\thaus\t")
    assert "Traceback" not in stderr
    assert "error" not in stderr
    assert "BrokenPipe" not in stderr


# ---------------------------------------------------------------- subwords, many languages


@pytest.fixture(scope="module")
def of_subwords(lexenc, tmp_path_factory):
    """A space of a tiny fastText model and a copy of its words; and another model."""
    folder = tmp_path_factory.mktemp("subwords")
    text = "".join(f"walk{i} talk{i}er sing{i}ing\n" for i in range(12)) * 20
    (folder / "text").write_text(text)
    size = ["--minimum-count", 1, "--epochs", 2, "--buckets", 500, "--write", "bin"]
    for name, more in (("model", ["--dimensions", 6]), ("other", ["--dimensions", 6, "--seed", 5, "--epochs", 3]),
                       ("wide", ["--dimensions", 7])):  # fmt: skip
        lexenc("train-static", "--text", folder / "text", *size, *more, "--out", folder / name)
    known = (folder / "model/words.txt").read_text().split()
    (folder / "same.tsv").write_text("".join(f"{word}\t{word}\n" for word in known))
    files = [f"--source={folder}/model/model.bin", f"--target={folder}/model", f"--dictionary={folder}/same.tsv"]
    lexenc("map", *files, "--kind", "orthogonal", "--out", folder / "mapped")
    return folder


def test_subwords_answer_for_unknown_words(of_subwords, lexenc):
    from lexenc.files.spaces import load_space
    from lexenc.files.vec_fasttext import Subwords
    from lexenc.stages.lexical.shared import load_mapping

    asked = ["--vectors", of_subwords / "mapped", "--subwords", of_subwords / "model/model.bin"]
    shown = lexenc("translate", *asked, "--top", 3, stdin="walk99ing\nwalk3\n")
    found = rows(shown)
    assert [row[:2] for row in found] == [[word, str(i)] for word in ("walk99ing", "walk3") for i in (1, 2, 3)]
    assert (found[3][2], float(found[3][3]) > 0.99) == ("walk3", True), "target and source are the same words"
    space = load_space(of_subwords / "mapped")
    raw = Subwords(of_subwords / "model/model.bin").vectors(["walk99ing"])
    query = load_mapping(of_subwords / "mapped").apply_source(raw)[0]
    target = space.target.matrix / np.linalg.norm(space.target.matrix, axis=1, keepdims=True)
    assert found[0][2] == space.target.words[int(np.argmax(target @ query))]
    assert "warning" not in shown.stderr


def test_subwords_of_another_model_are_no_use(of_subwords, mapped, lexenc, fails):
    asked = ["--vectors", of_subwords / "mapped", "--subwords"]
    shown = lexenc("translate", *asked, of_subwords / "other/model.bin", stdin="walk99ing\n")
    assert "was not made from" in shown.stderr
    wrong = fails("translate", *asked, of_subwords / "wide/model.bin", stdin="x\n", early=False)
    assert "has 7 dimensions" in wrong.message
    wrong = fails("translate", *asked, of_subwords / "text", stdin="x\n", early=False)
    assert wrong.message == f"{of_subwords / 'text'} is not a fastText model."
    assert "input 'subwords' is not there: none.bin" in fails("translate", *asked, "none.bin", stdin="x\n").message


def test_subwords_need_a_mapping_and_no_encoder(of_subwords, blended, tuned, fails):
    model = of_subwords / "model/model.bin"
    found = fails("translate", "--vectors", blended, "--subwords", model, stdin="x\n", early=False)
    assert "holds no mapping.safetensors" in found.message
    both = ["--subwords", model, "--encoder", tuned]
    assert "not both" in fails("translate", "--vectors", blended, *both, stdin="x\n", early=False).message


def test_languages_of_a_hub(of_subwords, world, lexenc, fails, tmp_path):
    """From one language to another that neither is the hub, and new words of one of them."""
    folder, out = of_subwords, tmp_path / "hub"
    given = ["--vectors", f"en={folder}/model", "--vectors", f"de={folder}/model/model.bin", "--vectors"]
    pairs = ["--dictionaries", f"en-de={folder}/same.tsv", "--dictionaries", f"en-fr={folder}/same.tsv"]
    shown = lexenc("map-hub", "--hub", "en", *given, f"fr={folder}/model", *pairs, "--kind", "orthogonal", "--out", out)
    assert shown.stderr.splitlines()[-1] == f"next: lexenc eval bli --vectors {out} --dictionary TEST-DICTIONARIES"
    asked = ["--vectors", out, "--from", "de", "--to", "fr", "--subwords", folder / "model/model.bin", "--top", 1]
    found = rows(lexenc("translate", *asked, stdin="walk3\nwalk99ing\n"))
    assert (found[0][:3], float(found[0][3]) > 0.99) == (["walk3", "1", "walk3"], True)
    assert len(found) == 2
    near = rows(lexenc("translate", "--vectors", out, "--from", "fr", "--to", "fr", "--top", 1, stdin="walk3\n"))
    assert near[0][2] != "walk3"
    wrong = fails("translate", "--vectors", out, "--from", "it", "--to", "fr", stdin="x\n", early=False)
    assert wrong.message == f"There is no language in {out} called 'it'."
    assert wrong.hint == "Known: en, de, fr."


def test_languages_of_a_pair_are_source_and_target(mapped, fails):
    found = fails("translate", "--vectors", mapped, "--from", "sorce", stdin="x\n", early=False)
    assert found.message == f"There is no language in {mapped} called 'sorce'."
    assert found.hint == "Did you mean 'source'?"


def test_what_is_missing_is_said_before_anything_is_loaded(mapped, fails, monkeypatch):
    def loaded(*args, **more):
        raise AssertionError("something was loaded")

    monkeypatch.setattr("lexenc.stages.lexical.translate.Translator.__init__", loaded)
    for words in (["none.txt"], ["--encoder", "./none", "-"], ["--subwords", "none.bin", "-"]):
        assert "none" in fails("translate", "--vectors", mapped, *words).message
    assert "'none'" in fails("translate", "--vectors", "bundled:none", "-").message


def test_words_may_be_bundled(mapped, attempt):
    shown = attempt("translate", "--vectors", mapped, "bundled:static/en/words.txt", "-q")
    assert shown.code == 0
    assert any(line.startswith("window\t1\t") for line in shown.lines)
