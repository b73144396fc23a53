"""Names of concepts."""

from __future__ import annotations

import pytest

from lexenc.errors import DataError
from lexenc.files.concepts import ConceptName, read_concept_names


def test_concepts_names_stay_whole_and_composites_hit_on_any_overlap(tmp_path):
    path = tmp_path / "names.txt"
    path.write_text("C1||K+\nC1|C2||magnezyum (Mg2+)\nC3 || a|b\nC4||heart||the <tgt>heart</tgt> beats\n")
    names = read_concept_names(path)
    assert [name.text for name in names] == ["K+", "magnezyum (Mg2+)", "a|b", "heart"]
    assert names[0].shares(names[1])
    assert not names[0].shares(names[2])
    assert names[3].context == "the <tgt>heart</tgt> beats"


@pytest.mark.parametrize("text", ["K+\n", "C1||\n", "||K+\n", "\n"])
def test_concepts_bad_lines_are_errors(tmp_path, text):
    path = tmp_path / "names.txt"
    path.write_text(text)
    with pytest.raises(DataError):
        read_concept_names(path)


@pytest.mark.data
@pytest.mark.parametrize(("language", "composites"), [("de", 86), ("en", 38), ("fi", 78), ("ru", 99), ("tr", 87)])
def test_concepts_xlbel_parses_whole(data, language, composites):
    names = read_concept_names(data / "xel" / "xlbel-v0" / f"{language}_1k_test_query.txt")
    assert len(names) == 1000
    assert sum(len(name.concepts) > 1 for name in names) == composites
    if language == "tr":
        assert ConceptName(("C0024467",), "magnezyum (Mg2+)") in names
