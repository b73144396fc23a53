"""eval senses: induced senses of the occurrences of a file, with their controls."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from lexenc.errors import ConfigError, DataError

FEW = {"draws": 100}


@pytest.fixture
def gold(tmp_path):
    """Occurrences of `house`, whose senses stand among different words; two words in another file."""

    def write(name, words, count=30):
        parts = []
        for word in words:
            for i in range(count):
                around = ("dog", "red cat", "bird apple")[i % 3], ("sun", "the sea")[i % 2]
                parts.append(f'{"" if i else f"""<lexelt item="{word}">"""}<instance id="{i}">'
                             f'<answer senseid="{"AB"[i % 3 > 0]}"/><context>{around[0]} <head>{word}</head> '
                             f"{around[1]}</context></instance>{'' if i < count - 1 else '</lexelt>'}")  # fmt: skip
        (tmp_path / name).write_text(f"<corpus>{''.join(parts)}</corpus>")
        return tmp_path / name

    return {"one": write("one.pos", ["house"]), "two": write("two.xml", ["dog", "cat"], 24)}


def test_scores_are_those_of_the_senses_that_are_written(stage, transformer, gold, tmp_path):
    made = stage("eval senses", tmp_path / "out", FEW, gold=[gold["one"]], encoder=transformer)
    head, *controls = made.manifest.results
    items = made.json_lines("items.jsonl")
    clusters = [each["numbers"]["cluster"] for each in items]
    assert (head["occurrences"], head["senses"], head["clusters"], head["layer"], set(clusters)) == (
        30,
        2,
        2,
        1,
        {0, 1},
    )
    assert items[1]["asked"] == ["1", "red cat [house] the sea"]
    assert head["adjusted_rand_index"] == pytest.approx(
        adjusted_rand_score([each["gold"][0] for each in items], clusters)
    )
    assert head["adjusted_rand_index_low"] <= head["adjusted_rand_index"] <= head["adjusted_rand_index_high"]
    assert head["shares"] == (np.bincount(clusters) / 30).round(6).tolist()
    assert [each["control"] for each in controls] == ["random senses", "most frequent sense"]
    assert (controls[1]["adjusted_rand_index"], controls[1]["purity"]) == (0, 2 / 3)
    same = stage("compare", params=FEW, first=made.out, second=made.out).manifest.results
    assert [each["difference"] for each in same] == [0] * 4


def test_words_are_tracks_and_large_ones_are_sampled(stage, transformer, gold):
    params = FEW | {"count": "3", "most": 20}
    made = stage("eval senses", None, params, 1, gold=[gold["one"], gold["two"]], encoder=transformer)
    tracks = [each for each in made.manifest.results if "control" not in each]
    assert [each["track"] for each in tracks] == ["macro mean", "one.pos", "two dog", "two cat"]
    assert [each["occurrences"] for each in tracks] == [60, 20, 20, 20]
    assert [each["occurrences_of_file"] for each in tracks[1:]] == [30, 24, 24]
    assert {each["clusters"] for each in tracks[1:]} == {3}
    auto = stage(
        "eval senses", None, FEW | {"count": "auto", "space": "plain"}, gold=[gold["one"]], encoder=transformer
    )
    assert auto.manifest.results[0]["clusters"] >= 1


def test_what_cannot_be_clustered_is_refused(stage, static, transformer, gold):
    with pytest.raises(DataError, match="all occurrences have the same vector"):
        stage("eval senses", None, FEW, gold=[gold["one"]], encoder=static)
    with pytest.raises(ConfigError, match="count must be gold, auto or a number from 1 to 1000, not 'many'"):
        stage("eval senses", None, FEW | {"count": "many"}, gold=[gold["one"]], encoder=transformer)
    with pytest.raises(ConfigError, match="there is no layer 9"):
        stage("eval senses", None, FEW | {"layer": 9}, gold=[gold["one"]], encoder=transformer)
