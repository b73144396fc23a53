"""Names of concepts."""

from __future__ import annotations

import pytest

from lexenc.errors import DataError
from lexenc.files.concepts import (
    ConceptName,
    read_knowledge_base,
    stream_concept_names,
    stream_mentions,
    write_knowledge_base,
)
from lexenc.text.folding import Folding


def test_concepts_names_stay_whole_and_composites_have_several_concepts(tmp_path):
    path = tmp_path / "names.txt"
    path.write_text("C1||K+\nC1|C2||magnezyum (Mg2+)\nC3 || a|b\nC4||heart||the <tgt>heart</tgt> beats\n")
    names = list(stream_concept_names(path))
    assert [name.text for name in names] == ["K+", "magnezyum (Mg2+)", "a|b", "heart"]
    assert [name.concepts for name in names] == [("C1",), ("C1", "C2"), ("C3",), ("C4",)]
    assert names[3].context == "the <tgt>heart</tgt> beats"


@pytest.mark.parametrize("text", ["K+\n", "C1||\n", "||K+\n", "\n"])
def test_concepts_bad_lines_are_errors(tmp_path, text):
    path = tmp_path / "names.txt"
    path.write_text(text)
    with pytest.raises(DataError):
        read_knowledge_base([path])


@pytest.mark.data
@pytest.mark.parametrize(("language", "composites"), [("de", 86), ("en", 38), ("fi", 78), ("ru", 99), ("tr", 87)])
def test_concepts_xlbel_parses_whole(data, language, composites):
    names = list(stream_concept_names(data / "xel" / "xlbel-v0" / f"{language}_1k_test_query.txt"))
    assert len(names) == 1000
    assert sum(len(name.concepts) > 1 for name in names) == composites
    if language == "tr":
        assert ConceptName(("C0024467",), "magnezyum (Mg2+)") in names


# ---------------------------------------------------------------- mentions


def test_mentions_are_read_by_what_a_line_holds(tmp_path):
    path = tmp_path / "mentions.txt"
    lines = ["K+", "a|b", "C1||K+", "C1|C2||magnezyum (Mg2+)||a <tgt>b</tgt>", "", "heart attack || MI", "C3 || MI "]
    path.write_text("\n".join([*lines, "||x", "C4||"]))
    assert [(name.concepts, name.text) for name in stream_mentions(path)] == [
        ((), "K+"),
        ((), "a|b"),
        (("C1",), "K+"),
        (("C1", "C2"), "magnezyum (Mg2+)"),
        ((), "heart attack || MI"),
        (("C3",), "MI"),
        ((), "||x"),
        ((), "C4||"),
    ]


# ---------------------------------------------------------------- knowledge bases


def base_of(tmp_path, text, **more):
    path = tmp_path / "kb.txt"
    path.write_text(text)
    return read_knowledge_base([path], **more)


LINES = "C1||Heart\nC2||K+\nC3||heart\nC1||Heart\nC2|C4||magnezyum (Mg2+)\nC1||heart\nC5|C5||K+\n"


def test_lines_of_one_name_lie_side_by_side(tmp_path):
    base = base_of(tmp_path, LINES)
    assert base.names == ["Heart", "K+", "heart", "magnezyum (Mg2+)"]
    assert base.line_offsets.tolist() == [0, 1, 3, 5, 6]
    shown = [("|".join(base.identifiers_of(line)), base.name_of(line)) for line in range(base.lines)]
    assert shown == [("C1", "Heart"), ("C2", "K+"), ("C5", "K+"), ("C3", "heart"), ("C1", "heart"),
                     ("C2|C4", "magnezyum (Mg2+)")]  # fmt: skip
    assert (base.repeated, base.identifiers) == (1, ["C1", "C2", "C3", "C4", "C5"])


def test_names_that_differ_in_case_only_are_one_where_case_is_folded(tmp_path):
    base = base_of(tmp_path, LINES, folding=Folding(lowercase=True))
    assert base.names == ["Heart", "K+", "magnezyum (Mg2+)"], "as written where each first appeared"
    assert base.texts() == ["heart", "k+", "magnezyum (mg2+)"]
    assert [base.identifiers_of(line) for line in range(2)] == [["C1"], ["C3"]]
    assert base.repeated == 2
    turkish = base_of(tmp_path, "C1||I\nC2||ı\n", folding=Folding(lowercase=True), language="tr")
    assert (turkish.names, turkish.lines) == (["I"], 2)


@pytest.mark.parametrize("lowercase", [False, True])
def test_a_base_that_was_written_is_the_same_again(tmp_path, lowercase):
    base = base_of(tmp_path, LINES, folding=Folding(lowercase=lowercase))
    write_knowledge_base(tmp_path / "again.txt", base)
    again = read_knowledge_base([tmp_path / "again.txt"], folding=Folding(lowercase=lowercase))
    assert again.names == base.names
    assert again.digest() == base.digest()
    for name in ("line_offsets", "concept_offsets"):
        assert getattr(again, name).tolist() == getattr(base, name).tolist()
    assert [again.identifiers_of(line) for line in range(again.lines)] == [
        base.identifiers_of(line) for line in range(base.lines)
    ]


def test_what_follows_a_name_is_an_error_unless_it_is_a_sentence(tmp_path):
    with pytest.raises(DataError, match=r"kb\.txt, line 2: unexpected text after the name: b"):
        base_of(tmp_path, "C1||x\nC1||a||b\n")
    assert base_of(tmp_path, "C1||a||the <tgt>a</tgt>\n").names == ["a"]


def test_a_file_without_names_among_others_is_named(tmp_path):
    (tmp_path / "empty.txt").write_text("\n")
    (tmp_path / "kb.txt").write_text("C1||x\n")
    with pytest.raises(DataError, match=r"empty\.txt holds no names"):
        read_knowledge_base([tmp_path / "kb.txt", tmp_path / "empty.txt"])
