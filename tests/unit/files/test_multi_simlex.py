"""Multi-SimLex in both of its forms."""

from __future__ import annotations

import pytest

from lexenc.errors import DataError
from lexenc.files.multi_simlex import read_scored_pairs

TRANSLATION = "ID,ENG 1,ENG 2,FIN 1,FIN 2\n7,pain,misery,kipu,kurjuus\n9,allow,permit,sallia,antaa lupa\n"
SCORES = "ID,ENG,FIN\n9,5.5,5\n7,3.5,4.25\n"


@pytest.fixture
def official(tmp_path):
    (tmp_path / "translation.csv").write_text(TRANSLATION)
    (tmp_path / "scores.csv").write_text(SCORES)
    return tmp_path


@pytest.mark.parametrize("name", ["", "translation.csv", "scores.csv"])
def test_official_words_and_scores_are_joined_by_identifier(official, name):
    pairs = read_scored_pairs(official / name, "fi")
    assert (pairs.first, pairs.second) == (["kipu", "sallia"], ["kurjuus", "antaa lupa"])
    assert (pairs.scores, pairs.keys, pairs.scale) == ([4.25, 5.0], ["7", "9"], (0.0, 6.0))


@pytest.mark.parametrize("language", ["en", "eng", "en-GB"])
def test_languages_go_by_any_code(official, language):
    assert read_scored_pairs(official, language).first == ["pain", "allow"]


def test_official_without_identifiers_goes_line_by_line(official):
    for name in ("translation.csv", "scores.csv"):
        lines = (official / name).read_text().splitlines()
        (official / name).write_text("".join(line.split(",", 1)[1] + "\n" for line in lines))
    assert read_scored_pairs(official, "en").scores == [5.5, 3.5]


HEAD = (
    "NUMBER\tSIMLEX_IDS\tLINKS\tENGLISH\tFINNISH\tENGLISH_IN_SOURCE\tFINNISH_IN_SOURCE\tENGLISH_SCORE\tFINNISH_SCORE\n"
)
CONCEPTS = (
    HEAD
    + "1\t2:1 10:2\t2 3\tdisease (illness/mild illness)\tsairaus\tmild illness disease\tsairaus sairaus\t5 1\t4.5 2\n"
    + "2\t2:2\t1\tmisery\tkurjuus\tmisery\tkurjuus\t5\t4.5\n"
    + "3\t10:1\t1\tpermit\tantaa lupa\tpermit\tantaa lupa\t1\t2\n"
)


@pytest.fixture
def concepts(tmp_path):
    def write(text: str = CONCEPTS):
        (tmp_path / "concepts.tsv").write_text(text, encoding="utf-8")
        return tmp_path / "concepts.tsv"

    return write


def test_concepts_are_put_together_to_pairs_with_the_word_of_each_pair(concepts):
    pairs = read_scored_pairs(concepts(), "en")
    assert (pairs.first, pairs.second) == (["mild illness", "permit"], ["misery", "disease"])
    assert (pairs.scores, pairs.keys) == ([5.0, 1.0], ["2", "10"])
    assert read_scored_pairs(concepts(), "fi").first == ["sairaus", "antaa lupa"]


@pytest.mark.parametrize(
    ("language", "words"), [(None, ["2 languages", "none was chosen"]), ("de", ["no language 'de'"])]
)
def test_a_language_must_be_chosen_of_those_there(official, concepts, language, words):
    for path in (official, concepts()):
        with pytest.raises(DataError) as caught:
            read_scored_pairs(path, language)
        assert all(word in caught.value.message for word in words)
        assert "en, fi" in caught.value.hint


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("misery\tkurjuus\t5\t", "misery\tkurjuus\t4\t", ["pair 2", "5 and 4"]),
        ("\t5\t4.5\n", "\tx\t4.5\n", ["line 3", "'x'"]),
        ("\t5\t4.5\n", "\t7\t4.5\n", ["line 3", "0 to 6"]),
        ("\t5 1\t", "\t5\t", ["line 2", "2 pairs and 1 score"]),
        ("mild illness disease\t", "mild flu disease\t", ["line 2", "cannot be split"]),
        ("3\t10:1\t1\t", "3\t11:1\t1\t", ["has no other word"]),
        ("\t1\t2\n", "\t1\n", ["line 4", "8 columns"]),
    ],
)
def test_broken_concepts_are_named(concepts, before, after, words):
    assert before in CONCEPTS
    with pytest.raises(DataError) as caught:
        read_scored_pairs(concepts(CONCEPTS.replace(before, after, 1)), "en")
    assert all(word in caught.value.message for word in words), caught.value.message


def test_words_need_their_scores(official):
    (official / "scores.csv").write_text("ID,ENG,FIN\n7,1,1\n")
    with pytest.raises(DataError, match="pair 9 has no line"):
        read_scored_pairs(official, "en")
    (official / "scores.csv").unlink()
    with pytest.raises(DataError, match="words without scores"):
        read_scored_pairs(official / "translation.csv", "en")


@pytest.mark.data
@pytest.mark.parametrize("language", ["ar", "zh", "cy", "et", "fi", "fr", "he", "pl", "ru", "es", "yue", "en"])
def test_every_language_has_1888_pairs(data, language):
    assert len(read_scored_pairs(data / "xlsim" / "multi-simlex.tsv", language)) == 1888
