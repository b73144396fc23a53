from __future__ import annotations

import pytest

from lexenc.errors import DataError
from lexenc.files.negatives import NegativeRow, read_negatives, write_negatives

ROWS = [
    NegativeRow("Straße", "New York", [("a b", 0.5), ('quote " \\', -0.25)], 0.75),
    NegativeRow("x\u2028y", "z", [], -1.0, "target-to-source"),
]


def test_negatives_round_trip_from_a_file_and_from_a_folder(tmp_path):
    write_negatives(tmp_path / "negatives.jsonl", ROWS)
    assert list(read_negatives(tmp_path / "negatives.jsonl")) == ROWS
    assert list(read_negatives(tmp_path)) == ROWS
    assert len((tmp_path / "negatives.jsonl").read_bytes().splitlines()) == 2


def test_negatives_scores_are_written_with_six_places(tmp_path):
    write_negatives(tmp_path / "n", [NegativeRow("a", "b", [("c", 1 / 3)], 2 / 3)])
    (row,) = read_negatives(tmp_path / "n")
    assert row.negatives == [("c", 0.333333)]
    assert row.score == 0.666667


def test_negatives_of_other_tools_need_no_scores(tmp_path):
    (tmp_path / "n").write_text('{"source": "a", "target": "b", "negatives": [{"text": "c"}]}\n')
    assert list(read_negatives(tmp_path / "n")) == [NegativeRow("a", "b", [("c", 0.0)], 0.0)]


@pytest.mark.parametrize(
    "line",
    [
        "7",
        "[]",
        "{}",
        '{"source": "a", "target": "b"}',
        '{"source": "a", "negatives": []}',
        '{"source": "a", "target": "b", "negatives": ["c"]}',
        '{"source": "a", "target": "b", "negatives": [{"word": "c"}]}',
        '{"source": "a", "target": "b", "negatives": [{"text": "c", "score": "high"}]}',
        '{"source": "a", "target": "b", "negatives": 5}',
        '{"source": "a", "target": "b", "negatives": [], "score": null}',
        '{"source": null, "target": "b", "negatives": []}',
        '{"source": "a", "target": ["b"], "negatives": []}',
        '{"source": "a", "target": "b", "negatives": [{"text": null}]}',
        "not json",
    ],
)
def test_negatives_faults_name_the_line(tmp_path, line):
    path = tmp_path / "n"
    write_negatives(path, ROWS[:1])
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(DataError, match="line 2"):
        list(read_negatives(path))


def test_negatives_missing(tmp_path):
    with pytest.raises(DataError):
        list(read_negatives(tmp_path))
