"""align, align-train and eval alignment as a person types them."""

from __future__ import annotations

import json
import signal
import sys
import time

import numpy as np
import pytest

from lexenc.stage import Table

EN = "house dog cat tree water fire stone bread milk green red blue".split()
FR = "maison chien chat arbre eau feu pierre pain lait vert rouge bleu".split()


@pytest.fixture(scope="module")
def sentences():
    draw = np.random.default_rng(0)
    rows = [draw.choice(len(EN), size=draw.integers(3, 7), replace=False).tolist() for _ in range(60)]
    return [(" ".join(EN[each] for each in row), " ".join(FR[each] for each in row)) for row in rows]


@pytest.fixture(scope="module")
def corpus(sentences, tmp_path_factory):
    path = tmp_path_factory.mktemp("corpus") / "corpus.src-tgt"
    path.write_text("".join(f"{source} ||| {target}\n" for source, target in sentences))
    return path


@pytest.fixture(scope="module")
def aligned(lexenc, corpus, tmp_path_factory):
    out = tmp_path_factory.mktemp("aligned") / "alignments"
    lexenc("align", "--pairs", corpus, "--method", "statistical", "--out", out)
    return out


def gold(sentences, *, base=0):
    lines = [" ".join(f"{i + base}-{i + base}" for i in range(len(source.split()))) for source, _ in sentences]
    return "\n".join(lines) + "\n"


def test_links_go_from_the_corpus_to_their_error_rate(lexenc, sentences, corpus, aligned, tmp_path):
    (tmp_path / "toy.gold").write_text(gold(sentences, base=1))
    shown = lexenc("eval", "alignment", "--gold", tmp_path / "toy.gold", "--predicted", aligned, "--gold-one-based",
                   "--pairs", corpus, "--json")  # fmt: skip
    scores = json.loads(shown.lines[0])
    assert 0 <= scores["aer"] < 0.1
    assert all(0.9 < scores[name] <= 1 for name in ("precision", "recall"))


def test_an_encoder_two_files_and_a_lexicon(lexenc, sentences, tmp_path, static):
    for name, side in (("a.txt", 0), ("b.txt", 1)):
        (tmp_path / name).write_text("".join(pair[side] + "\n" for pair in sentences))
    shown = lexenc("align", "--source", tmp_path / "a.txt", "--target", tmp_path / "b.txt", "--method", "itermax",
                   "--encoder", static, "--out", tmp_path / "out", "--lexicon", tmp_path / "lexicon.tsv",
                   "--html", tmp_path / "grids.html")  # fmt: skip
    assert (tmp_path / "lexicon.tsv").read_bytes() == (tmp_path / "out/lexicon.tsv").read_bytes()
    assert (tmp_path / "grids.html").read_text().startswith("<!doctype html>")
    assert "next: lexenc eval alignment" in shown.stderr


def test_a_corpus_may_be_piped_and_shown(lexenc, corpus, tmp_path):
    shown = lexenc("align", "--pairs", "-", "--words", "spaces", "--out", tmp_path / "out", "--show", 2,
                   stdin=corpus.read_text())  # fmt: skip
    source, target = corpus.read_text().splitlines()[0].split(" ||| ")
    assert all(word in shown.stdout for word in source.split())
    assert all(word in shown.stderr for word in target.split())


def test_a_tuned_aligner_aligns(lexenc, corpus, aligned, transformer, tmp_path):
    lexenc("align-train", "span", "--pairs", corpus, "--alignments", aligned, "--encoder", transformer,
           "--out", tmp_path / "aligner", "--epochs", 1, "--batch-size", 64)  # fmt: skip
    lexenc("align", "--pairs", corpus, "--method", "span", "--encoder", tmp_path / "aligner", "--threshold", 0,
           "--out", tmp_path / "spans")  # fmt: skip
    assert len((tmp_path / "spans/alignments.txt").read_text().splitlines()) == 60


def test_without_a_place_the_links_are_printed(lexenc, fails, corpus, aligned, tmp_path):
    shown = lexenc("align", "--pairs", corpus, "--lexicon", tmp_path / "lexicon.tsv")
    assert shown.stdout == (aligned / "alignments.txt").read_text()
    assert (tmp_path / "lexicon.tsv").read_bytes() == (aligned / "lexicon.tsv").read_bytes()
    lexenc("align", "--pairs", corpus, "--out", tmp_path / "links.txt")
    assert (tmp_path / "links.txt").read_bytes() == (aligned / "alignments.txt").read_bytes()
    assert "--show" in fails("align", "--pairs", corpus, "--show", 1).message


def test_words_that_look_like_markup_are_drawn_as_they_are(capsys, monkeypatch):
    from lexenc_cli.ui import show_table

    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    show_table(Table("Line 1: [/b]=[red]x", ["", "[b]"], [["[/i]", "##"]], "[note]"))
    shown = capsys.readouterr().out
    assert all(each in shown for each in ("[/b]=[red]x", "[b]", "[/i]", "[note]"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--method", "softmax", "--encoder", "mini", "--chains", 9], "--chains has no effect with --method softmax"),
        (["--distortion", 0.5], "--distortion has no effect with --method statistical"),
        (["--symmetrise", "union", "--threshold", 0.5], "--threshold has no effect with --symmetrise union"),
        (["--method", "itermax", "--encoder", "mini", "--dictionary", "d.tsv"], "takes no --dictionary"),
        (["--vectors", "bundled:static/en", "--layer", 3], "--layer has no effect with --vectors"),
    ],
)
def test_options_without_effect_are_refused(fails, corpus, tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d.tsv").write_text("dog\tchien\n")
    assert message in fails("align", "--pairs", corpus, "--out", "out", *options).message


def test_layer_of_an_encoder_without_layers_is_refused(fails, corpus, tmp_path):
    options = ("--pairs", corpus, "--encoder", "mini", "--layer", 3, "--out", tmp_path / "out")
    assert "a static encoder, which has no layers" in fails("align", *options, early=False).message
    assert not (tmp_path / "out").exists()


def test_gold_links_are_not_scored_against_words_cut_here(lexenc, fails, sentences, tmp_path):
    (tmp_path / "toy.tsv").write_text("".join(f"{one}.\t{other}.\n" for one, other in sentences))
    (tmp_path / "toy.gold").write_text(gold(sentences))
    lexenc("align", "--pairs", tmp_path / "toy.tsv", "--sweeps", 0.1, "--out", tmp_path / "cut")
    command = ["eval", "alignment", "--gold", tmp_path / "toy.gold", "--predicted", tmp_path / "cut"]
    assert "the gold links may be of other words" in fails(*command).message
    assert lexenc(*command, "--pairs", tmp_path / "cut/sentences.txt").code == 0


def test_no_links_and_far_too_many_are_told(lexenc, tmp_path, static):
    (tmp_path / "half.txt").write_text("the house is red ||| \n" * 50)
    assert "No words were linked" in lexenc("align", "--pairs", tmp_path / "half.txt", "--out", tmp_path / "a").stderr
    (tmp_path / "one.txt").write_text("x y z u v w ||| x y z u v w\n")
    shown = lexenc("align", "--pairs", tmp_path / "one.txt", "--method", "softmax", "--encoder", static,
                   "--out", tmp_path / "b")  # fmt: skip
    assert "links per word" in shown.stderr


def test_a_sentence_pair_too_long_to_draw_is_not_drawn(lexenc, corpus, tmp_path):
    long = " ".join(["dog"] * 300)
    (tmp_path / "long.txt").write_text(f"{long} ||| {long}\n{corpus.read_text()}")
    lexenc("align", "--pairs", tmp_path / "long.txt", "--out", tmp_path / "out")
    page = (tmp_path / "out/alignments.html").read_text()
    assert len(page) < 1_000_000
    assert "Line 1<" not in page
    assert "Line 2<" in page


def test_the_wrong_base_is_refused(fails, sentences, corpus, aligned, tmp_path):
    (tmp_path / "toy.gold").write_text(gold(sentences, base=1))
    failed = fails("eval", "alignment", "--gold", tmp_path / "toy.gold", "--predicted", aligned, "--pairs", corpus,
                   code=2, early=False)  # fmt: skip
    assert "--gold-one-based" in failed.hint


def test_a_message_of_an_aligner_names_the_command_once(lexenc, corpus, tmp_path):
    lexenc("new-encoder", "--text", corpus, "--kind", "transformer", "--layers", 2, "--dimensions", 16, "--heads", 2,
           "--vocabulary-size", 150, "--out", tmp_path / "encoder")  # fmt: skip
    shown = lexenc("align", "--pairs", corpus, "--encoder", tmp_path / "encoder", "--out", tmp_path / "out")
    assert "align: words are taken from layer 2" in shown.stderr
    assert "align: align" not in shown.stderr


@pytest.mark.parametrize(
    ("content", "options", "named"),
    [
        (b"", [], "no sentence pair"),
        (b"only one side\n", [], "line 1"),
        (b"a b ||| c d\n\xff ||| b\n", [], "line 2"),
        (b"a b ||| c d\n", ["--method", "itermax"], "--encoder"),
        (b"a b ||| c d\n", ["--method", "itermx"], "itermx"),
    ],
)
def test_what_cannot_be_aligned_is_one_error_and_leaves_nothing(fails, tmp_path, content, options, named):
    (tmp_path / "corpus.txt").write_bytes(content)
    failed = fails("align", "--pairs", tmp_path / "corpus.txt", "--out", tmp_path / "out", *options)
    assert named in failed.message + failed.hint
    assert not (tmp_path / "out").exists()


def test_an_interrupted_alignment_continues(fork, lexenc, corpus, aligned, tmp_path):
    many = tmp_path / "many.txt"
    many.write_text(corpus.read_text() * 80)
    command = ["align", "--pairs", many, "--out", tmp_path / "out", "--sweeps", 5]
    process = fork(*command, "--no-progress")
    while not list(tmp_path.glob(".out.partial/unfinished/*.counts")):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate()
    assert process.returncode == 130
    assert b"Traceback" not in stderr
    assert not (tmp_path / "out").exists()
    assert "chains are finished already" in lexenc(*command).stderr
    assert len((tmp_path / "out/alignments.txt").read_text().splitlines()) == 60 * 80


def test_documents_become_one_file_or_a_table_on_standard_output(lexenc, world, static, tmp_path):
    given = ["--source", world / "en.txt", "--target", world / "en.txt", "--encoder", static]
    done = lexenc("align-documents", *given, "--out", tmp_path / "aligned.tmx", "--json")
    assert json.loads(done.stdout)["kinds"] == {"1:1": len((world / "en.txt").read_text(encoding="utf-8").split())}
    assert 'xml:lang="x-source"' in (tmp_path / "aligned.tmx").read_text(encoding="utf-8")
    assert lexenc("align-documents", *given).stdout.startswith("source\ttarget\tscore\tsentences\n")
