"""convert: between tables and translators' files, through files and pipes."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

TBX = """<tbx type="TBX-Basic" style="dca" xml:lang="en" xmlns="urn:iso:std:iso:30042:ed-2"><text><body>
<conceptEntry><langSec xml:lang="en-US"><termSec><term>house</term></termSec></langSec>
<langSec xml:lang="en-GB"><termSec><term>building</term></termSec></langSec>
<langSec xml:lang="de"><termSec><term>haus</term></termSec></langSec>
<langSec xml:lang="fr"><termSec><term>maison</term></termSec></langSec></conceptEntry>
<conceptEntry><langSec xml:lang="en"><termSec><term>dog</term></termSec></langSec></conceptEntry>
</body></text></tbx>"""
LANGUAGES = ["--source-language", "en", "--target-language", "de"]


@pytest.fixture
def tbx(tmp_path):
    path = tmp_path / "terms.tbx"
    path.write_text(TBX, encoding="utf-8")
    return path


def test_pairs_go_to_standard_output_and_remarks_do_not(tbx, lexenc):
    shown = lexenc("convert", tbx, *LANGUAGES)
    assert shown.lines == ["house\thaus", "building\thaus"]
    warned = [line for line in shown.stderr.splitlines() if line.startswith("warning")]
    assert warned == [
        f"warning: {tbx}: Several varieties were read as source: en-US (1), en-GB (1), en (1).",
        f"warning: {tbx}: Skipped 1 unit without text on one side.",
    ]
    assert shown.stderr.splitlines()[-1] == "convert: 2 pairs en to de of 2 units -> standard output"


def test_round_through_every_format(tbx, lexenc, tmp_path):
    table = lexenc("convert", tbx, *LANGUAGES).stdout
    for name in ("a.tmx", "a.tbx", "a.xlf", "a.xliff"):
        lexenc("convert", tbx, *LANGUAGES, "--out", tmp_path / name)
        assert lexenc("convert", tmp_path / name).stdout == table
    lexenc("convert", tbx, *LANGUAGES, "--to", "xliff2", "--out", tmp_path / "b.xlf")
    assert b'version="2.0"' in (tmp_path / "b.xlf").read_bytes()
    assert lexenc("convert", tmp_path / "b.xlf").stdout == table


def test_bundled_dictionaries_are_read_like_files(lexenc, tmp_path):
    lexenc("convert", "bundled:lexicon/en-de.test.tsv", *LANGUAGES, "--out", tmp_path / "terms.tbx")
    assert "abkürzung" in (tmp_path / "terms.tbx").read_text(encoding="utf-8").lower()


@pytest.mark.parametrize("packed", [False, True])
def test_standard_input(tbx, lexenc, packed):
    body = tbx.read_bytes()
    shown = lexenc("convert", "-", *LANGUAGES, "--quiet", stdin=gzip.compress(body) if packed else body)
    assert shown.lines[0] == "house\thaus"


def test_answers_of_translate_become_a_termbase_with_scores(mapped, lexenc, tmp_path):
    answers = lexenc("translate", "--vectors", mapped, "--top", 2, stdin="house\ndog\n").stdout
    shown = lexenc("convert", "-", *LANGUAGES, "--out", tmp_path / "x.tbx", "--json", stdin=answers)
    assert json.loads(shown.stdout) == {
        "pairs": 4, "source_language": "en", "target_language": "de", "out": str(tmp_path / "x.tbx"),
    }  # fmt: skip
    text = (tmp_path / "x.tbx").read_text(encoding="utf-8")
    assert text.count("<note>score ") == 4


def test_commands_take_termbases_as_dictionaries(world, tmp_path, lexenc, fails):
    lexenc("convert", world / "train.tsv", *LANGUAGES, "--out", tmp_path / "train.tmx")
    files = ["--source", world / "en.vec", "--target", world / "de.vec", "--dictionary"]
    lexenc("map", *files, tmp_path / "train.tmx", "--out", tmp_path / "a")
    lexenc("map", *files, world / "train.tsv", "--out", tmp_path / "b")
    same = [(tmp_path / each / "source" / "vectors.npy").read_bytes() for each in "ab"]
    assert same[0] == same[1]
    (tmp_path / "three.tbx").write_text(TBX, encoding="utf-8")
    failed = fails("map", *files, tmp_path / "three.tbx", "--out", tmp_path / "c")
    assert failed.message.endswith("but a pair has two languages.")
    assert "--source-language" in failed.hint


@pytest.mark.parametrize(
    ("args", "message", "hint"),
    [
        (["{tbx}"], "holds 5 languages", "Choose two"),
        (["{tbx}", "--source-language", "English"], "must be a language code", "Use its code"),
        (["{tbx}", *LANGUAGES, "--out", "{tbx}"], "is the file that is read", "another name"),
        (["{tbx}", *LANGUAGES, "--out", "{there}"], "is already there", "--force"),
        (["{tbx}", *LANGUAGES, "--out", "{folder}"], "is a folder", "Name a file"),
        (["{tbx}", *LANGUAGES, "--out", "x.docx"], "cannot tell a format", "--to"),
        (["{table}", "--to", "tmx"], "names its languages", "--source-language"),
        (["{there}"], "holds no pairs", "TAB"),
        (["nowhere.tmx"], "There is no file", "Check the path"),
    ],
)
def test_mistakes(tbx, tmp_path, world, fails, args, message, hint):
    (tmp_path / "there.tsv").write_text("")
    places = {"tbx": tbx, "there": tmp_path / "there.tsv", "folder": tmp_path, "table": world / "train.tsv"}
    failed = fails("convert", *(each.format(**places) for each in args))
    assert message in failed.message
    assert hint in failed.hint
    assert tbx.read_text(encoding="utf-8") == TBX


def test_nothing_is_left_half_written(tbx, tmp_path, fails):
    broken = tmp_path / "broken.tmx"
    unit = '<tu><tuv xml:lang="en"><seg>a</seg></tuv><tuv xml:lang="de"><seg>b</seg></tuv></tu>'
    broken.write_text(f"<tmx><header/><body>{unit * 2000}</bdy></tmx>")
    failed = fails("convert", broken, *LANGUAGES, "--out", tmp_path / "x.tsv")
    assert failed.message.startswith(f"{broken}, line 1: not well-formed XML")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.tmx", "terms.tbx"]


def test_json_gives_an_object_per_pair(tbx, lexenc):
    shown = lexenc("convert", tbx, *LANGUAGES, "--json", "--quiet")
    assert json.loads(shown.lines[0]) == {"source": "house", "target": "haus"}
    assert json.loads(lexenc("convert", "-", "--json", stdin="a\tb\t0.5\n").stdout)["score"] == 0.5


def test_force_replaces(tbx, tmp_path, lexenc):
    (tmp_path / "x.tsv").write_text("old")
    lexenc("convert", tbx, *LANGUAGES, "--out", tmp_path / "x.tsv", "--force")
    assert (tmp_path / "x.tsv").read_text() == "house\thaus\nbuilding\thaus\n"


CASE = Path(__file__).parents[1] / "data" / "cases" / "tbx-forbidden" / "weblate.tbx"


def test_what_is_left_out_is_counted_and_kept_on_request(lexenc, fails, tmp_path):
    shown = lexenc("convert", CASE)
    assert len(shown.lines) == 3
    assert f"warning: {CASE}: Skipped 5 deprecated, forbidden or obsolete terms." in shown.stderr
    assert "hint:  lexenc convert keeps them with --keep deprecated." in shown.stderr
    for option in (["--keep", "deprecated"], ["--keep", "tags, deprecated"], ["--deprecated"]):
        shown = lexenc("convert", CASE, *option)
        assert (len(shown.lines), "Skipped" in shown.stderr) == (8, False)
        assert "Kept 5 deprecated, forbidden or obsolete terms, which the result does not mark." in shown.stderr
    assert "Skipped 5" in lexenc("convert", CASE, "--json").stderr
    counts = json.loads(lexenc("convert", CASE, "--out", tmp_path / "x.tsv", "--json").stdout)
    assert (counts["units"], counts["pairs"], counts["left_out"]) == (3, 3, {"deprecated": 5})
    failed = fails("convert", CASE, "--keep", "depricated")
    assert failed.message == "--keep cannot be 'depricated'."
    assert "deprecated, untranslated, rejected, translate-no, tags" in failed.hint
    assert "nothing to --keep" in fails("convert", "-", "--keep", "tags", stdin="a\tb\n").message
    assert fails("convert", "-", stdin="a\n").message.startswith("standard input, line 1: not source")
