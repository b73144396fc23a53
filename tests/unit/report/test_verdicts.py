"""What self-learning judged of itself stands at the top of a report, whatever else there is."""

from __future__ import annotations

import pytest

from lexenc.report.page import SECTIONS, build_page
from lexenc.report.verdicts import headline, verdict_table, warnings

SIGNS = {
    "consistency": 0.8024, "chance_consistency": 0.4785, "mutual": 0.691, "frequency_agreement": -0.0053,
    "identical_agreement": None, "objective": 0.5231, "iterations": 308,
}  # fmt: skip


@pytest.fixture
def root(make, tmp_path):
    make(tmp_path / "runs" / "noise", summary={**SIGNS, "verdict": "not found"})
    make(tmp_path / "runs" / "good", summary={**SIGNS, "frequency_agreement": 0.5, "verdict": "found"})
    make(tmp_path / "runs" / "half", summary={**SIGNS, "identical_agreement": 0.2, "verdict": "doubtful"})
    make(tmp_path / "runs" / "taught", summary={"pairs_used": 9})
    return tmp_path / "runs"


def test_maps_alone_are_judged_in_the_headline(data_of, root):
    page = build_page(data_of(root), title="t", sections=[*SECTIONS])
    assert page.headline == "Self-learning found a mapping in 1 of 3 results; noise is noise; half is doubtful."
    assert "Nothing has been scored yet" not in page.html
    top = page.html[: page.html.index("<nav")]
    assert "Not to be relied on" in top
    assert "noise: no mapping was found, the result is noise (80 % of held-out pairs recovered, by chance 48 %" in top


def test_a_single_result_is_called_by_its_name(make, data_of, tmp_path):
    make(tmp_path / "noise", summary={**SIGNS, "verdict": "not found"})
    assert headline(data_of(tmp_path).verdicts) == "noise: no mapping was found, the result is noise."


def test_what_was_found_is_not_warned_of(make, data_of, tmp_path):
    make(tmp_path / "good", summary={**SIGNS, "verdict": "found"})
    page = build_page(data_of(tmp_path), title="t", sections=["claims"])
    assert "Not to be relied on" not in page.html


def test_warnings_name_what_was_made_of_noise(make, data_of, root):
    make(root / "lexicon", stage="induce", inputs={"vectors": ("noise", "noise")})
    data = data_of(root)
    lines = warnings(data.results, data.verdicts)
    assert [line.split(":")[0] for line in lines] == ["noise", "half"]
    assert lines[0].endswith("Made from it: lexicon.")
    assert "20 % of identically spelled words are paired" in lines[1]


def test_many_warnings_are_counted(make, data_of, tmp_path):
    for place in range(9):
        make(tmp_path / f"n{place}", summary={**SIGNS, "verdict": "not found"})
    data = data_of(tmp_path)
    assert warnings(data.results, data.verdicts)[6].startswith("3 more are noise or doubtful")


def test_the_table_has_every_sign_and_the_worst_first(data_of, root):
    table = verdict_table(data_of(root).verdicts)
    assert [row[0].text for row in table.rows] == ["noise", "half", "good"]
    assert [cell.text for cell in table.rows[0]] == [
        "noise", "✗ noise: not found", "80", "48", "-0.01", "", "69", "0.523", "308",
    ]  # fmt: skip
    assert len(table.columns) == len(table.rows[0])


def test_every_language_of_a_hub_is_judged(make, data_of, tmp_path):
    reports = [{"task": "map", "language": "de", **SIGNS, "verdict": "found"},
               {"task": "map", "language": "fi", **SIGNS, "verdict": "not found"}]  # fmt: skip
    make(tmp_path / "hub", results=reports)
    data = data_of(tmp_path)
    assert [one.name for one in data.verdicts] == ["hub (de)", "hub (fi)"]
    assert warnings(data.results, data.verdicts)[0].startswith("hub (fi): no mapping was found")


@pytest.mark.parametrize("signs", [{}, {"consistency": "much"}, {"consistency": True}])
def test_signs_of_another_form_are_left_out(make, data_of, tmp_path, signs):
    make(tmp_path / "odd", summary={"verdict": "a new word", **signs})
    data = data_of(tmp_path)
    assert warnings(data.results, data.verdicts) == ["odd: a new word."]
    assert verdict_table(data.verdicts).rows[0][2].text == ""
