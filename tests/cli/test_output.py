"""Results on standard output, all else on standard error; JSON for programs, TSV through pipes."""

from __future__ import annotations

import json
import os
import re

import pytest

# Commands that print a result or only do their work; each with --json prints objects and nothing else.
COMMANDS = {
    "eval bli": "eval bli --vectors SPACE --dictionary W/test.tsv",
    "sweep": "eval bli --vectors SPACE --encoder ENC --train-dictionary W/train.tsv --dictionary W/test.tsv "
    "--lambda 0,1",
    "encoder": "eval bli --encoder ENC --source-vocabulary W/en.txt --target-vocabulary W/de.txt "
    "--dictionary W/test.tsv",
    "audit": "audit --train W/train.tsv --test W/test.tsv",
    "translate": "translate --vectors SPACE W/en.txt",
    "map": "map --source W/en.vec --target W/de.vec --dictionary W/train.tsv --out OUT",
    "encode": "encode W/en.txt --encoder ENC --out OUT",
    "mine": "mine-negatives --pairs W/train.tsv --encoder ENC --target-vocabulary W/de.txt --count 2 --out OUT",
    "finetune": "finetune --pairs W/train.tsv --encoder ENC --epochs 1 --out OUT",
    "interpolate": "interpolate --vectors SPACE --encoder ENC --dictionary W/train.tsv --out OUT",
    "export": "export SPACE --out OUT",
    "new-encoder": "new-encoder --text W/text.tsv --vocabulary-size 150 --dimensions 4 --out OUT",
    "list": "list stages",
    "env": "env",
    "show": "show SPACE",
}


@pytest.fixture
def words(world, static, mapped, tmp_path):
    table = {"ENC": static, "SPACE": mapped, "OUT": tmp_path / "out"}
    return lambda name: [
        table.get(word, word.replace("W/", f"{world}/") if word.startswith("W/") else word)
        for word in COMMANDS[name].split()
    ]


@pytest.mark.parametrize("name", COMMANDS)
def test_json_is_one_object_per_line_and_nothing_else(words, lexenc, name):
    shown = lexenc(*words(name), "--json")
    assert shown.lines, "something is printed"
    for line in shown.lines:
        assert isinstance(json.loads(line), dict)


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in ("env", "show")])
def test_standard_output_without_a_terminal_is_a_plain_table(words, lexenc, name):
    shown = lexenc(*words(name))
    rows = [line.split("\t") for line in shown.lines]
    assert not any(mark in shown.stdout for mark in "│╭━\x1b")
    if rows and name not in ("translate", "sweep", "audit"):
        assert len({len(row) for row in rows}) == 1, "every row has the same columns"


def test_quiet_keeps_results_and_drops_remarks(words, lexenc):
    shown = lexenc(*words("eval bli"), "--quiet")
    assert shown.stdout == lexenc(*words("eval bli")).stdout
    assert [line.split(":")[0] for line in shown.stderr.splitlines()] == ["warning", "hint"]


def test_through_a_pipe_the_conventions_go_to_standard_error(words, lexenc):
    shown = lexenc(*words("eval bli"), "--direction", "target-source", "--candidates", "test")
    (told,) = [line for line in shown.stderr.splitlines() if line.startswith("Word translation. Retrieval: nearest; ")]
    assert "direction: target-source; search space: test sources only (12 words);" in told
    assert "coverage: 100.0 %" in told
    assert "Word translation" not in shown.stdout
    assert [line.split("\t")[0].split(",")[0] for line in shown.lines[1:5:2]] == ["target word", "pair"]
    assert "search space: whole target vocabulary (40 words)" in lexenc(*words("eval bli")).stderr
    assert "Word translation" not in lexenc(*words("eval bli"), "--json").stderr


def test_tables_of_a_sweep_say_what_they_hold(words, world, lexenc):
    told = lexenc(*words("sweep")).stderr
    assert "Word translation over lambda. P@1 x 100 for every lambda, with its 95 % interval. Retrieval: near" in told
    assert "Word translation at lambda 0, the headline. Retrieval: nearest; direction: source-target" in told


KEYS = {
    "task", "retrieval", "direction", "search_space", "search_space_words", "gold", "ties", "seed", "coverage",
    "query_unit", "out_of_vocabulary", "queries", "precision_at_1", "precision_at_5", "precision_at_10",
    "precision_at_1_low", "precision_at_1_high", "mean_reciprocal_rank", "mean_average_precision",
    "pairs_learnt_from",
    "unfair",
}  # fmt: skip


def test_headline_of_eval_bli_comes_first(words, lexenc):
    objects = [json.loads(line) for line in lexenc(*words("eval bli"), "--json").lines]
    head = objects[0]
    assert set(head) == KEYS
    assert (head["query_unit"], head["out_of_vocabulary"]) == ("source word", "left out")
    assert head["search_space"] == "whole target vocabulary"
    assert head["gold"] == "any translation counts"
    for name, value in head.items():
        if name.startswith(("precision", "mean", "coverage")):
            assert 0 <= value <= 1, name
    assert {(o["query_unit"], o["out_of_vocabulary"]) for o in objects if "control" not in o} == {
        (unit, policy) for unit in ("source word", "pair") for policy in ("left out", "counted wrong")
    }
    assert [o["control"] for o in objects if "control" in o] == ["identity", "random"]


def test_sweep_gives_the_headlines_first_one_per_lambda(words, lexenc):
    objects = [json.loads(line) for line in lexenc(*words("sweep"), "--json").lines]
    assert [each["lambda"] for each in objects[:2]] == [0, 1]
    assert all(set(each) == KEYS | {"lambda"} for each in objects[:2])


def test_table_and_json_agree(words, lexenc):
    head = json.loads(lexenc(*words("eval bli"), "--json").lines[0])
    row = lexenc(*words("eval bli")).lines[1].split("\t")
    assert row[2] == f"{100 * head['precision_at_1']:.2f}"
    assert row[6] == f"{head['mean_reciprocal_rank']:.4f}"


def test_on_a_terminal_the_same_table_is_drawn(monkeypatch, capsys):
    import sys

    from lexenc_cli.ui import show_table

    from lexenc.stage import Table

    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    note = "A note that is longer than its narrow table."
    show_table(Table("Scores", ["system", "P@1"], [["one", "11.84"], ["two", "9.10"]], note, best="P@1"))
    text = capsys.readouterr().out
    assert re.search(r"\x1b\[1m *one", text), "the best row stands out"
    assert set(re.findall(r"\x1b\[([\d;]*)m", text)) <= {"0", "1", "2", "3", "2;3"}, "styles, but no colour"
    assert "Scores" in text
    assert note in text, "it has the width of the window"
    assert "11.84" in text


def test_words_of_heads_stay_whole_in_a_window_of_80(monkeypatch, capsys):
    import sys

    from lexenc_cli.ui import show_table

    from lexenc.stage import Table

    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    systems = [f"{name} noCL {weight}" for name in ("mBERT", "XLM-R", "LaBSE", "xMPNET") for weight in ("1.0", "0.3")]
    columns = ["", "x 100", "VecMap", *systems]
    show_table(Table("Table 6", columns, [["en-de", "ours", *["-43.8"] * 9], ["en-de", "95 %", *["10-14"] * 9]], ""))
    lines = re.sub("\x1b\\[[0-9;]*m", "", capsys.readouterr().out).splitlines()
    assert max(map(len, lines)) <= 80
    words = {word for line in lines for word in line.split()}
    assert {word for column in columns for word in column.split()} <= words


@pytest.mark.parametrize(("tty", "no_color", "styled"), [(True, None, True), (True, "1", False), (False, None, False)])
def test_colour_only_on_a_terminal_and_never_against_no_color(monkeypatch, capsys, tty, no_color, styled):
    import sys

    from lexenc_cli.ui import show_errors

    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color:
        monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: tty)
    show_errors([("Wrong.", "Right it.")])
    text = capsys.readouterr().err
    assert ("\x1b[" in text) is styled
    assert "error:" in text
    assert "Wrong." in text


def test_words_that_are_not_utf8_come_out_as_they_were_in_the_vectors(world, lexenc, forked, tmp_path):
    raw = (world / "en.vec").read_bytes().replace(b"\nhouse ", b"\nh\xe4us ")
    (tmp_path / "en.vec").write_bytes(raw)
    files = ["--source", tmp_path / "en.vec", "--target", world / "de.vec", "--dictionary", world / "train.tsv"]
    lexenc("map", *files, "--out", tmp_path / "mapped")
    assert b"h\xe4us\n" in (tmp_path / "mapped" / "source" / "words.txt").read_bytes()
    asked = ["--from", "target", "--to", "source", "--top", 1]
    done = forked("translate", "--vectors", tmp_path / "mapped", *asked, "-", input=b"haus\n")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(b"haus\t1\th\xe4us\t")


# ---------------------------------------------------------------- a reader that goes


def unread(run, *args):
    """Run a command whose standard output nobody reads, as after head has its lines."""
    read, write = os.pipe()
    os.close(read)
    try:
        return run(*args, stdout=write)
    finally:
        os.close(write)


@pytest.mark.parametrize("name", ["help", "command help", "version", "list", "convert", "convert json", "translate",
                                  "induce", "eval bli", "show"])  # fmt: skip
def test_a_reader_that_goes_is_no_failure(world, mapped, program, forked, name):
    table = {
        "help": ["--help"],
        "command help": ["map", "--help"],
        "version": ["--version"],
        "list": ["list"],
        "convert": ["convert", world / "train.tsv"],
        "convert json": ["convert", world / "train.tsv", "--json"],
        "translate": ["translate", "--vectors", mapped, world / "en.txt"],
        "induce": ["induce", "--vectors", mapped, "--dictionary", world / "train.tsv"],
        "eval bli": ["eval", "bli", "--vectors", mapped, "--dictionary", world / "test.tsv", "--json"],
        "show": ["show", mapped],
    }
    quick = name in ("help", "command help", "version", "list", "convert json")
    done = unread(program if quick else forked, *table[name])
    assert done.returncode == 0, done.stderr
    assert not {"error:", "Traceback", "Broken"} & set(done.stderr.decode().split())


def test_a_reader_that_goes_stops_no_other_work(pipeline, forked):
    done = unread(forked, "run", pipeline, "--json")
    assert done.returncode == 0, done.stderr
    assert (pipeline.parent / "runs" / "scores" / "manifest.json").is_file()


def test_a_reader_that_goes_does_not_turn_no_into_yes(pipeline, forked):
    assert unread(forked, "status", pipeline, "--json").returncode == 1
