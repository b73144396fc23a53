"""The command to type next goes on where the last one stopped, and the object of a result says where it is."""

from __future__ import annotations

import json
import re
import shlex
import shutil

import pytest

from lexenc.report import planes, scores
from lexenc.stages import STAGES

# A command of every stage that names the next one. Files are those of the world, in a folder with a space in its name.
COMMANDS = {
    "train-static": "--text F/text.tsv --dimensions 8 --minimum-count 1 --buckets 100 --language de",
    "new-encoder": "--text F/text.tsv --dimensions 16 --vocabulary-size 200",
    "pretrain": "--text en=F/text.tsv --preset tiny --layers 1 --dimensions 16 --heads 2 --vocabulary 100 --steps 2",
    "trim-vocabulary": "--encoder F/transformer --text F/text.tsv",
    "mine-negatives": "--pairs F/train.tsv --encoder F/static --target-vocabulary F/de.txt --count 3",
    "train": "--data F/text.tsv --encoder F/static --batch-size 16",
    "mine-bitext": "--source F/en.txt --target F/de.txt --encoder F/static --top 9",
    "finetune": "--pairs F/train.tsv --encoder F/static --epochs 1",
    "map": "--source F/en.vec --target F/de.vec --dictionary F/train.tsv",
    "map-hub": "--vectors en=F/en.vec --vectors de=F/de.vec --hub en --dictionaries en-de=F/train.tsv",
    "apply-mapping": "--mapping F/mapped --source F/en.vec",
    "encode": "F/en.txt --encoder F/static",
    "senses": "house --encoder F/transformer --text en=F/text.tsv --count 2 --drawn 0",
    "project": "--encoder F/transformer --text en=F/en.lines --text de=F/de.lines --dictionary F/train.tsv "
    "--minimum-count 1 --vocabulary 9",
    "interpolate": "--vectors F/mapped --encoder F/static --dictionary F/train.tsv --lambda 0.3",
    "cross-pairs": "--source F/rated.en --target F/rated.de",
    "encode-concepts": "F/kb.txt --encoder F/static",
    "align": "--pairs F/text.tsv --words spaces --method statistical",
    "align-documents": "--source F/en.txt --target F/loud.txt --encoder F/static",
    "align-train span": "--pairs F/text.tsv --alignments F/linked --encoder F/transformer --epochs 1",
    "align-train softmax": "--pairs F/text.tsv --encoder F/transformer --epochs 1",
}
FILL = {
    "OTHER-VECTORS": "F/de.vec", "VECTORS": "F/en.vec", "DICTIONARY": "F/train.tsv", "TEST-DICTIONARY": "F/test.tsv",
    "TEST-DICTIONARIES": "F/tests", "SPACE": "F/mapped", "PAIRS": "F/text.tsv", "WORDS": "F/en.txt",
    "SENTENCES": "F/en.txt", "MENTIONS": "F/kb.txt", "KNOWLEDGE-BASE": "F/kb.txt", "GOLD": "F/linked/alignments.txt",
}  # fmt: skip


def last_line(shown):
    return shown.stderr.splitlines()[-1]


def filled(line):
    """Take the words of a `next:` line, with everything in capitals replaced by a file of that kind."""
    words = shlex.split(line.removeprefix("next: "))
    assert words[0] == "lexenc"
    capitals = [word for word in words if word.isupper()]
    assert set(capitals) <= set(FILL), capitals
    return [FILL.get(word, word).replace("F/", "my files/") for word in words[1:]]


@pytest.fixture(scope="module")
def files(lexenc, world, static, transformer, mapped, tmp_path_factory):
    """The world in a folder `my files`, and what commands need besides."""
    folder = tmp_path_factory.mktemp("next") / "my files"
    shutil.copytree(world, folder)
    (folder / "tests").mkdir()
    shutil.copy(world / "test.tsv", folder / "tests" / "en-de.tsv")
    words = (folder / "en.txt").read_text(encoding="utf-8").split()
    (folder / "loud.txt").write_text("".join(f"{word}!\n" for word in words), encoding="utf-8")
    rows = [line.split("\t") for line in (folder / "text.tsv").read_text(encoding="utf-8").splitlines()]
    for side, name in enumerate(("en.lines", "de.lines")):
        (folder / name).write_text("".join(f"{row[side]}\n" for row in rows), encoding="utf-8")
    (folder / "kb.txt").write_text("C1||house\nC2||dog\nC2||hound\nC3||cat\n", encoding="utf-8")
    for name, words in (("en", "dog cat sun moon"), ("de", "hund katze sonne mond")):
        first, second, third, fourth = words.split()
        lines = [f"{first}\t{second}\t5", f"{third}\t{fourth}\t7", f"{first}\t{third}\t1"]
        (folder / f"rated.{name}").write_text("\n".join(lines) + "\n", encoding="utf-8")
    given = ["--pairs", folder / "text.tsv", "--words", "spaces", "--method", "statistical"]
    lexenc("align", *given, "--out", folder / "linked")
    return folder.parent


def run(name, lexenc, *more, out="my runs/out"):
    words = [word.replace("F/", "my files/") for word in COMMANDS[name].split()]
    return lexenc(*name.split(), *words, *more, "--out", out)


def test_every_stage_with_a_next_step_is_run_here():
    assert set(COMMANDS) == {name for name in STAGES if STAGES[name].next_step}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_next_command_runs_as_it_stands(name, lexenc, files, monkeypatch, tmp_path):
    monkeypatch.chdir(files)
    place = f"my runs {name.replace(' ', '-')}/out"
    line = last_line(run(name, lexenc, out=place))
    assert line.startswith("next: lexenc ")
    assert shlex.quote(place) in line or f"'{place}" in line
    lexenc(*filled(line))
    # Again, where the folder of the next result is there already.
    lexenc(*filled(last_line(run(name, lexenc, out=place))))


def test_an_encoder_of_names_links_next(lexenc, files, monkeypatch, tmp_path):
    monkeypatch.chdir(files)
    given = ["--synonyms", "my files/kb.txt", "--encoder", "my files/static", "--epochs", 1]
    line = last_line(lexenc("finetune", *given, "--out", tmp_path / "linker"))
    assert line.startswith("next: lexenc eval xel ")
    lexenc(*filled(line))


def test_a_pipe_is_not_named_again(lexenc, files, monkeypatch):
    monkeypatch.chdir(files)
    given = ["--encoder", "my files/static", "--target-vocabulary", "my files/de.txt", "--count", 3]
    text = (files / "my files" / "train.tsv").read_text(encoding="utf-8")
    line = last_line(lexenc("mine-negatives", "--pairs", "-", *given, "--out", "piped", stdin=text))
    assert line == "next: lexenc finetune --pairs PAIRS --negatives piped --encoder 'my files/static' --out encoder"


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("encode-concepts", "--no-lowercase --max-length 8 --precision bfloat16"),
        ("mine-negatives", "--lowercase --source-language tr"),
        ("map", "--lowercase --unicode nfc"),
    ],
)
def test_settings_go_on(name, options, lexenc, files, monkeypatch, tmp_path):
    monkeypatch.chdir(files)
    line = last_line(run(name, lexenc, *options.split(), out=tmp_path / "out"))
    assert line.endswith(options)
    lexenc(*filled(line))


def test_text_that_was_lower_cased_is_mapped_so(lexenc, files, monkeypatch, tmp_path):
    monkeypatch.chdir(files)
    line = last_line(run("train-static", lexenc, out=tmp_path / "out"))
    assert line.endswith(" --lowercase --source-language de")
    assert "--lowercase" not in last_line(run("train-static", lexenc, "--no-lowercase", out=tmp_path / "plain"))


def test_links_of_other_words_are_not_scored_next(lexenc, files, monkeypatch, tmp_path):
    monkeypatch.chdir(files)
    (files / "cut.tsv").write_text("the dog's.\tder hund.\nthe sun's!\tdie sonne!\n" * 4, encoding="utf-8")
    line = last_line(lexenc("align", "--pairs", "cut.tsv", "--words", "words", "--out", tmp_path / "cut"))
    assert line.startswith("next: lexenc map --source VECTORS")


def test_next_step_keeps_case_and_languages(world, static, lexenc, tmp_path):
    files = ["--source", world / "en.vec", "--target", world / "de.vec", "--dictionary", world / "train.tsv"]
    out = tmp_path / "my maps"
    case = ["--lowercase", "--source-language", "tr", "--target-language", "de-DE"]
    told = last_line(lexenc("map", *files, *case, "--out", out))
    assert told.startswith(f"next: lexenc eval bli --vectors '{out}' ")
    assert told.endswith(" --lowercase --source-language tr --target-language de-DE")
    assert "--lowercase" not in last_line(lexenc("map", *files, "--out", tmp_path / "plain"))


def test_nothing_is_said_where_a_program_reads(lexenc, files, monkeypatch, tmp_path):
    monkeypatch.chdir(files)
    assert "next:" not in run("map", lexenc, "--json", out=tmp_path / "m").stderr
    assert "next:" not in run("map", lexenc, "--quiet", out=tmp_path / "m").stderr


def test_the_pipeline_that_init_writes_is_named_so_that_a_shell_reads_it(lexenc, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    line = last_line(lexenc("init", "my pipeline.yaml"))
    assert line.endswith("lexenc check 'my pipeline.yaml'")


def test_hints_quote_what_a_shell_would_split(fails, lexenc, pipeline, tmp_path):
    place = tmp_path / "my pipeline.yaml"
    pipeline.rename(place)
    found = fails("run", place, "--only", "scores", early=False)
    assert f"lexenc run '{place}' --until mapped" in found.hint
    review = tmp_path / "my review.csv"
    review.write_text("source,target,decision\na,b,yes\n", encoding="utf-8")
    found = fails("audit", "--train", review, "--test", review, early=False)
    assert f"lexenc read-review '{review}' --out" in found.hint


def test_commands_that_the_report_proposes_exist(attempt):
    commands = [value for module in (planes, scores) for value in vars(module).values()
                if isinstance(value, str) and value.startswith("lexenc ")]  # fmt: skip
    assert len(commands) >= 3
    for line in commands:
        words = shlex.split(line)[1:]
        shown = attempt(*words, "--dry-run")
        assert not re.search("No such option|no such command|There is no parameter", shown.stderr), line
        assert re.search("is not t?here", shown.stderr), "only the files are missing"


def test_object_of_a_stage_without_scores_names_stage_and_place(world, mapped, lexenc, tmp_path):
    body = json.loads(lexenc("export", mapped, "--out", tmp_path / "out", "--json").stdout)
    assert (body["stage"], body["out"]) == ("export", str(tmp_path / "out"))
    assert body["files"] == 2
    again = json.loads(lexenc("export", mapped, "--out", tmp_path / "out", "--json").stdout)
    assert again == body
