"""eval retrieval: accuracy by line in both directions, Tatoeba lists, ceilings and controls."""

from __future__ import annotations

import numpy as np
import pytest

from lexenc.errors import ConfigError, DataError
from lexenc.evaluation.characters import character_cosines, character_neighbours
from lexenc.files.tatoeba import LISTS, tatoeba_files
from lexenc.stages.evaluation.retrieval import _read, _Track
from tests.faults.tiny import give_languages

FEW = {"draws": 100}
KEYS = ["source_to_target", "target_to_source", "mean"]


def values(result):
    return [result[key] for key in KEYS]


@pytest.fixture(scope="module")
def sides(world, tmp_path_factory):
    """Line-aligned files of a tiny world, of which the last line repeats the first English one."""
    folder = tmp_path_factory.mktemp("sides")
    rows = [line.split("\t") for line in (world / "text.tsv").read_text(encoding="utf-8").splitlines()]
    rows += [[rows[0][0], "etwas anderes"]]
    for column, name in enumerate(("test.en", "test.de")):
        (folder / name).write_text("".join(f"{row[column]}\n" for row in rows), encoding="utf-8")
    return folder


def test_accuracy_equals_a_loop_and_both_directions_of_a_line_are_one_item(stage, static, sides, tmp_path):
    both = {"source": [sides / "test.en"], "target": [sides / "test.de"]}
    made = stage("eval retrieval", tmp_path / "out", FEW, encoder=static, **both)
    head, shuffled, characters = made.manifest.results
    unit = []
    for name in ("en", "de"):
        stage("encode", tmp_path / name, words=sides / f"test.{name}", encoder=static)
        matrix = np.load(tmp_path / name / "vectors.npy").astype(np.float64)
        unit.append(matrix / np.linalg.norm(matrix, axis=1, keepdims=True))
    cosines, rows = unit[0] @ unit[1].T, range(len(unit[0]))
    there = [int(cosines[row].argmax() == row) for row in rows]
    back = [int(cosines[:, row].argmax() == row) for row in rows]
    assert values(head) == pytest.approx([np.mean(there), np.mean(back), np.mean(there + back)])
    items = made.json_lines("items.jsonl")
    assert [each["numbers"] for each in items] == [
        dict(zip(KEYS, each, strict=False)) for each in zip(there, back, strict=True)
    ]
    assert [items[3]["answers"][0]["line"], items[0]["answers"][1]["line"]] == [
        cosines[3].argmax() + 1,
        cosines[:, 0].argmax() + 1,
    ]
    assert (head["pairs"], head["ceilings"], head["retrieval"], head["ties"]) == (
        41,
        [40 / 41, 1.0],
        "nearest",
        "lower line",
    )
    assert [name for name in head if "mean" in name or name in KEYS][:3] == KEYS
    assert 0.7 / 41 < shuffled["mean"] < 1.3 / 41
    assert (shuffled["control"], characters["control"]) == ("shuffled targets", "characters only")
    assert "test.en-de repeats lines: at most 97.6 to target and 100.0 to source" in made.manifest.tables[0].note
    same = stage("compare", params=FEW, first=made.out, second=made.out).manifest.results
    assert [each["difference"] for each in same] == [0] * 3
    other = stage("eval retrieval", None, FEW | {"retrieval": "csls", "characters_up_to": 9}, encoder=static, **both)
    assert other.manifest.results[0]["retrieval"] == "csls"
    assert len(other.manifest.results) == 2
    assert any("no control by characters" in each for each in other.said)


def test_a_file_against_itself_is_perfect_and_tracks_have_a_mean(stage, sides, world):
    files = [sides / "test.de", world / "en.txt"]
    made = stage("eval retrieval", None, FEW, source=files, target=files, vectors=world / "en.vec")
    mean, de, en = made.manifest.results[:3]
    assert values(en) == [1, 1, 1]
    assert (mean["track"], mean["pairs"]) == ("macro mean", 41 + 40)
    assert mean["mean"] == pytest.approx((de["mean"] + 1) / 2)
    assert (de["coverage"], *values(de)) == pytest.approx((2 / 41,) * 4), "'hand' and 'land' are English too"
    rows = [row[0] for row in made.manifest.tables[0].rows]
    assert rows[-2:] == ["control: shuffled targets", "control: characters only"], "of the mean alone"


def test_lines_that_are_not_pairs(stage, static, tmp_path):
    (tmp_path / "a.en").write_text("one\n\n two\tthree \nfour\n", encoding="utf-8")
    (tmp_path / "a.de").write_text("eins\nzwei\ndrei\n \n", encoding="utf-8")
    given = {"encoder": static, "source": [tmp_path / "a.en"], "target": [tmp_path / "a.de"]}
    made = stage("eval retrieval", tmp_path / "out", FEW, **given)
    assert made.manifest.results[0]["left_out"] == {"an empty sentence": 2}
    assert made.json_lines("items.jsonl")[1]["asked"] == ["two\tthree", "drei"]
    assert any("1 line of" in each and "has a TAB" in each and "line 3" in each for each in made.warnings)
    (tmp_path / "a.de").write_text("eins\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"a\.en has 4 lines, .*a\.de 1"):
        stage("eval retrieval", None, FEW, **given)
    (tmp_path / "a.en").write_text("\n", encoding="utf-8")
    with pytest.raises(DataError, match="no sentence pair"):
        stage("eval retrieval", None, FEW, **given)


def test_what_does_not_match_is_refused(stage, static, sides):
    wrong = [
        ({"source": [sides / "test.en"]}, {}, "given 1 times, --target 0 times"),
        ({}, {}, "either --source and --target, or --tatoeba"),
        ({"tatoeba": sides, "source": [sides / "test.en"], "target": [sides / "test.de"]}, {}, "or --tatoeba"),
        ({"tatoeba": sides}, {"source_language": "de"}, "languages are those of the files"),
        ({"source": [sides / "test.en"], "target": [sides / "test.de"]}, {"list": "4"}, "without --tatoeba"),
    ]
    for inputs, params, message in wrong:
        with pytest.raises(ConfigError, match=message):
            stage("eval retrieval", None, FEW | params, encoder=static, **inputs)
    with pytest.raises(ConfigError, match="no vectors for languages"):
        both = {"source": [sides / "test.en"], "target": [sides / "test.de"]}
        stage("eval retrieval", None, FEW | {"source_language": "en"}, encoder=static, **both)


# ---------------------------------------------------------------- Tatoeba


def test_lists_of_languages():
    lengths = {name: len(set(own)) for name, own in LISTS.items()}
    assert lengths == {"14": 14, "36": 36, "8": 8, "5": 5, "4": 4, "msimcse": 10}
    assert set(LISTS["14"]) < set(LISTS["36"])
    assert set(LISTS["4"]) < set(LISTS["5"]) < set(LISTS["8"]) < set(LISTS["36"])


def test_languages_of_the_folder_and_their_vectors(stage, transformer, tmp_path):
    for code, text in (("swh", "mbwa\npaka\n"), ("jav", "asu\nkucing\n")):
        for side, body in ((code, text), ("eng", "a dog\na cat\n")):
            (tmp_path / f"tatoeba.{code}-eng.{side}").write_text(body * 10, encoding="utf-8")
    give_languages(transformer, tmp_path / "spoken")
    given = {"tatoeba": tmp_path, "encoder": tmp_path / "spoken"}
    made = stage("eval retrieval", None, FEW | {"list": "8"}, **given)
    mean, jav, swh = made.manifest.results[:3]
    assert [each["track"] for each in (mean, jav, swh)] == ["macro mean", "jav", "swh"]
    assert (swh["language_vectors"], jav["language_vectors"]) == (["sw", "en"], [None, "en"])
    missing = next(each for each in made.warnings if "6 of the 8 languages of the list 8" in each)
    assert "tel, kat, kaz, mal, tgl, mar" in missing
    with pytest.raises(DataError, match=r"no files of a language of the list 14.*ara, bul"):
        (tmp_path / "tatoeba.swh-eng.swh").rename(tmp_path / "x")
        (tmp_path / "tatoeba.swh-eng.eng").rename(tmp_path / "y")
        stage("eval retrieval", None, FEW | {"list": "14"}, **given)
    (tmp_path / "tatoeba.jav-eng.eng").unlink()
    with pytest.raises(DataError, match=r"no file tatoeba\.jav-eng\.eng"):
        stage("eval retrieval", None, FEW, **given)


def test_real_lists_and_short_files(data):
    folder = data / "tatoeba"
    for name, own in LISTS.items():
        found, missing = tatoeba_files(folder, name)
        assert [*found] == [code for code in own if code not in missing]
        assert missing == (["gle", "amh"] if name == "msimcse" else [])
    found = tatoeba_files(folder).found
    assert set(found) == set(LISTS["36"])
    lengths = {code: [path.read_bytes().count(b"\n") for path in both] for code, both in found.items()}
    short = {"jav": 205, "mal": 687, "tam": 307, "tel": 234, "kat": 746, "tha": 548, "swh": 390, "kaz": 575}
    assert lengths == {code: [short.get(code, 1000)] * 2 for code in found}


# ---------------------------------------------------------------- controls, on real data


def test_ceilings_of_repeated_lines(data):
    folder = data / "parallel" / "lafand" / "en-swa"
    files = [next(folder.glob(f"test.{side}.gz")) for side in ("en", "swa")]
    track = _read(_Track("test", (files[0], files[1])), None)
    assert [round(100 * each, 1) for each in track.ceilings.values()] == [98.9, 99.3]


def test_characters_alone(data):
    folder = data / "parallel" / "multi30k"
    track = _read(_Track("", (folder / "test_2016_flickr.en.gz", folder / "test_2016_flickr.de.gz")), None)
    forward, backward = character_neighbours(track.sources, track.targets)
    rows = np.arange(1000)
    assert [round(100 * (found == rows).mean(), 1) for found in (forward, backward)] == [35.2, 35.7]


def test_characters_by_hand():
    assert [part.tolist() for part in character_neighbours(["abc", "x", "abc"], ["q", "abc", "abc"])] == [
        [1, -1, 1],
        [-1, 0, 0],
    ]
    assert [part.tolist() for part in character_neighbours([""], [""])] == [[-1], [-1]]
    assert character_cosines(["abc", "abc", ""], ["abc", "xyz", ""]) == pytest.approx([1, 0, 0])
    assert character_cosines([""], [""]) == [0]
