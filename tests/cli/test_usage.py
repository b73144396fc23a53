"""Wrong usage, help, and what both look like."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from lexenc_cli.main import build_app
from typer.main import get_command

from lexenc.errors import ExitCode


def all_commands():
    def walk(command, path):
        if hasattr(command, "commands"):
            for name in command.commands:
                yield from walk(command.loaded(name), [*path, name])
        else:
            yield tuple(path)

    return sorted(walk(get_command(build_app()), []))


COMMANDS = all_commands()


def test_the_walk_found_the_commands_of_the_specification():
    names = {" ".join(path) for path in COMMANDS}
    assert names >= {
        "mine-negatives", "finetune", "map", "interpolate", "eval bli", "translate", "encode", "train-static", "audit",
        "export", "compare", "run", "status", "check", "show", "list", "init", "env", "new-encoder", "demo",
    }  # fmt: skip


@pytest.mark.parametrize("words", [(), ("eval",)])
def test_no_arguments_show_help_and_exit_2(attempt, words):
    shown = attempt(*words)
    assert shown.code == 2
    text = shown.stdout + shown.stderr
    assert "Usage: lexenc" in text
    assert "error:" not in text


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_fits_a_narrow_window_and_has_an_example(attempt, path):
    shown = attempt(*path, "--help", env={"COLUMNS": "80", "TERMINAL_WIDTH": "80"})
    assert shown.code == 0
    assert shown.stderr == ""
    assert max(len(line) for line in shown.lines) <= 80
    assert "\\b" not in shown.stdout
    assert "…" not in shown.stdout, "no option is cut off"
    assert f"$ lexenc {' '.join(path)}" in shown.stdout
    arguments = r"( [\[{][A-Z_]+[\]}](\.\.\.)?)*"
    assert re.fullmatch(r"( Usage: lexenc [a-z -]+)( \[OPTIONS\])?" + arguments + " *", shown.lines[1]), "arguments"
    examples = shown.stdout.partition("Example")[2].partition("╭")[0].splitlines()[1:]
    assert all(line.startswith("   ") for line in examples if line), "the window breaks no example"
    assert not re.search(r"<[a-z0-9|-]*\|", shown.stdout), "choices are in the text, which breaks between them"
    about = [line.strip() for line in re.split(" Example|╭", shown.stdout)[0].splitlines()[3:]]
    assert all(len(line) + len(after.split()[0]) > 77 for line, after in pairwise(about) if line and after)


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_option_is_named_like_the_others_and_has_help(path):
    command = get_command(build_app())
    for name in path:
        command = command.loaded(name)
    for option in command.params:
        if option.param_type_name == "argument":
            assert option.help
            continue
        assert option.help, option.name
        for each in [*option.opts, *option.secondary_opts]:
            assert re.fullmatch(r"--[a-z0-9]+(-[a-z0-9]+)*|-[ovqhfy]", each), each


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["mapp"], "No such command 'mapp'.", "Did you mean 'map'?"),
        (["trasnlate"], "No such command 'trasnlate'.", "Did you mean 'translate'?"),
        (["eval", "bil"], "No such command 'bil'.", "Did you mean 'bli'?"),
        (["qqqq"], "No such command 'qqqq'.", "See: lexenc --help"),
        (["map", "--sorce", "x"], "No such option: --sorce.", "--source"),
        (["map", "--qqqq", "x"], "No such option: --qqqq.", "See: lexenc map --help"),
        (
            ["export", "--vectors", "x"],
            "No such option: --vectors.",
            "VECTORS is given without an option name: lexenc export VECTORS",
        ),
        (["translate", "--words=x"], "No such option: --words.", "WORDS is given without an option name"),
        (["compare", "--a", "x"], "No such option: --a.", "FIRST and SECOND are given without an option name: lexenc"),
        (["export", "--fromat", "x"], "No such option: --fromat.", "--format"),
        (["run", "--pipeline", "x"], "No such option: --pipeline.", "lexenc run PIPELINE"),
        (["map"], "Missing option '--source'", "See: lexenc map --help"),
        (["eval", "bli"], "Missing option '--dictionary'.", "See: lexenc eval bli --help"),
        (["compare", "a"], "Missing argument 'SECOND'.", "See: lexenc compare --help"),
        (["show", "a", "b"], "Got unexpected extra argument", "See: lexenc show --help"),
        (["map", "--source"], "Option '--source' requires an argument.", "See: lexenc"),
        (["translate", "--vectors", "x", "--top", "many"], "it must be a whole number", "See: lexenc translate"),
        (["translate", "--vectors", "x", "--top", "0"], "it must be greater than or equal to 1", "See: lexenc"),
        (["list", "stage"], "There is no list called 'stage'.", "Did you mean 'stages'?"),
        (["eval", "bli", "--dictionary", "x", "--precision", "float8"], "is not one of", "See: lexenc eval bli"),
        (["map", "--seed", "-1"], "it must be greater than or equal to 0", "See: lexenc map --help"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_typos_and_wrong_usage(fails, words, message, hint):
    found = fails(*words)
    assert message in found.message
    assert hint in found.hint


def options(world, tmp_path, *more):
    files = ["--source", world / "en.vec", "--target", world / "de.vec", "--dictionary", world / "train.tsv"]
    return ["map", *files, "--out", tmp_path / "out", *more]


@pytest.mark.parametrize(
    ("more", "message", "hint"),
    [
        (["--kind", "ortogonal"], "--kind cannot be 'ortogonal'.", "Did you mean 'orthogonal'?"),
        (["--kind", "x"], "--kind cannot be 'x'.", "Choose one of: advanced, orthogonal, unconstrained, rcsls."),
        (["--limit", "x"], "--limit must be a whole number, got 'x'.", "first words"),
        (["--limit", "1.5"], "--limit must be a whole number, got '1.5'.", "first words"),
        (["--limit", "-3"], "--limit must be at least 1, got -3.", "first words"),
        (["--source-reweight", "half"], "--source-reweight must be a number, got 'half'.", "Exponent"),
        (["--source-reweight", "nan"], "--source-reweight must be a finite number, got 'nan'.", "Exponent"),
        (["--normalise", "unit,centre"], "There is no normalisation step called 'centre'.", "Did you mean 'center'?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_wrong_values(world, fails, tmp_path, more, message, hint):
    found = fails(*options(world, tmp_path, *more))
    assert found.message == message
    assert hint in found.hint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("eval bli --dictionary W/test.tsv", "eval bli has nothing to score."),
        ("eval bli --dictionary W/test.tsv --vectors W --encoder E", "needs --train-dictionary."),
        ("eval bli --dictionary W/test.tsv --vectors W --lambda 0.5", "--lambda needs --vectors and --encoder."),
        ("interpolate --vectors W --encoder E --dictionary W/train.tsv --lambda 2 --out O", "must be at most 1"),
        ("map --source W/en.vec --target W/de.vec --out O", "--supervision dictionary needs --dictionary."),
        ("map --source - --target - --dictionary W/train.tsv --out O", "cannot both be standard input."),
        ("mine-negatives --pairs W/train.tsv --encoder E --target-vocabulary W/de.txt --sampling random --out O",
         "--sampling random needs --range-max."),
        ("mine-negatives --pairs W/train.tsv --encoder E --target-vocabulary W/de.txt --direction both --out O",
         "--direction both needs --source-vocabulary."),
        ("finetune --pairs W/train.tsv --encoder E --loss own-hard --out O", "--loss own-hard needs --negatives."),
        ("finetune --encoder E --out O", "finetune needs either --pairs or --synonyms, got neither."),
        ("finetune --pairs W/train.tsv --synonyms W/en.txt --encoder E --out O", "--pairs or --synonyms, not both."),
        ("finetune --pairs W/train.tsv --languages de --encoder E --out O", "has no meaning without --synonyms."),
        ("finetune --synonyms W/en.txt --languages english --encoder E --out O", "no language of UMLS called"),
        ("new-encoder --text W/text.tsv --kind transformer --dimensions 10 --heads 3 --out O", "is not a multiple"),
        ("train-static --text W/text.tsv --write zip --out O", "There is no format called 'zip'."),
        ("encode W/en.txt --encoder min --out O", "There is no encoder called 'min'"),
        ("encode W/en.txt --encoder ./none/at/all --out O", "The encoder is not there"),
        ("encode W/en.txt --encoder W/en.vec --out O", "is a file, expected a folder"),
        ("encode W/en.txt --encoder E --max-length 0 --out O", "--max-length must be at least 1, got 0."),
    ],
)  # fmt: skip
def test_options_that_do_not_go_together(world, static, fails, tmp_path, words, says):
    table = {"W": world, "E": static, "O": tmp_path / "out"}
    given = [table.get(word, word.replace("W/", f"{world}/")) for word in words.split()]
    assert says in fails(*given, stdin="").message
    assert list(tmp_path.iterdir()) == []


def test_hub_name_without_network_is_a_failure_of_the_work(world, fails, tmp_path):
    found = fails("encode", world / "en.txt", "--encoder", "some/encoder", "--out", tmp_path / "out", code=1)
    assert "some/encoder" in found.message
    assert "mini" in found.hint


def test_exit_codes_are_those_of_the_specification():
    assert {code.name: int(code) for code in ExitCode} == {
        "DONE": 0, "FAILED": 1, "USAGE": 2, "BUG": 70, "INTERRUPTED": 130,
    }  # fmt: skip
