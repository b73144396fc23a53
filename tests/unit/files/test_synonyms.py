"""Files of synonyms: three forms told apart by content, rows left out and counted, bad lines named."""

from __future__ import annotations

import gzip

import pytest

from lexenc.errors import ConfigError, DataError
from lexenc.files.synonyms import SynonymReport, read_synonyms, synonym_form, umls_language


def row(concept, language, name, suppress="N"):
    """A row of MRCONSO.RRF, made up."""
    cells = [concept, language, "P", "L1", "PF", "S1", "Y", "A1", "", "M1", "D1", "MSH", "PT", "D1", name, "0"]
    return "|".join([*cells, suppress, "256", ""])


MRCONSO = "\n".join([
    row("C1", "ENG", "Potassium"), row("C1", "GER", "Kalium"), row("C1", "ENG", "K <1>", "O"),
    row("C1", "TUR", "Potasyum"), row("C2", "ENG", "Iron", "Y"), row("C2", "GER", "Eisen"),
]) + "\n"  # fmt: skip


@pytest.fixture
def write(tmp_path):
    def made(text, name="names.txt"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
        return path

    return made


def read(path, **more):
    return [(list(concepts), list(names)) for concepts, names, _ in read_synonyms(path, **more)]


@pytest.mark.parametrize(
    ("text", "form"),
    [("C1||potassium\n", "names"), ("\n \nC1 || potassium || K+\n", "pairs"), (MRCONSO, "MRCONSO"),
     (MRCONSO.replace("|\n", "\n"), "MRCONSO"), ("C1|C2||K+\n", "names"), ("C1||a|b\n", "names")],
)  # fmt: skip
def test_forms_are_told_apart_by_content(write, text, form):
    assert synonym_form(write(text)) == form
    assert synonym_form(write(gzip.compress(text.encode()), "packed")) == form


def test_names_stay_whole_and_composites_belong_to_several_concepts(write):
    path = write("C1||K+\r\nC1 | C2||magnezyum (Mg2+)\n\n C3 || a|b \nC1||K+\nC4||\u00a0x\u2028y\n")
    assert read(path) == [
        (["C1"], ["K+"]), (["C1", "C2"], ["magnezyum (Mg2+)"]), (["C3"], ["a|b"]), (["C1"], ["K+"]),
        (["C4"], ["x\u2028y"]),
    ]  # fmt: skip


def test_pairs_have_two_names(write):
    assert read(write("C1||a||b\nC2 || c d || e\n")) == [(["C1"], ["a", "b"]), (["C2"], ["c d", "e"])]


def test_mrconso_without_suppressible_rows(write):
    report = SynonymReport()
    found = list(read_synonyms(write(MRCONSO), report=report))
    assert [(each.concepts[0], each.names[0], each.language) for each in found] == [
        ("C1", "Potassium", "ENG"), ("C1", "Kalium", "GER"), ("C1", "Potasyum", "TUR"), ("C2", "Eisen", "GER"),
    ]  # fmt: skip
    assert (report.suppressible, report.other_languages) == (2, 0)
    assert report.languages == {"ENG": 1, "GER": 2, "TUR": 1}


def test_mrconso_with_all_rows_of_some_languages(write):
    report = SynonymReport()
    found = read(write(MRCONSO), languages=["ENG", "TUR"], keep_suppressible=True, report=report)
    assert [names[0] for _, names in found] == ["Potassium", "K <1>", "Potasyum", "Iron"]
    assert (report.suppressible, report.other_languages) == (0, 2)


@pytest.mark.parametrize(
    ("code", "wanted"),
    [("en", "ENG"), ("ENG", "ENG"), ("de", "GER"), ("deu", "GER"), ("ger", "GER"), ("hr", "SCR"), ("eu", "BAQ"),
     ("nb", "NOR"), ("no", "NOR"), ("zh", "CHI"), ("XYZ", "XYZ")],
)  # fmt: skip
def test_languages_by_iso_code_or_as_umls_writes_them(code, wanted):
    assert umls_language(code) == wanted


@pytest.mark.parametrize("code", ["xx", "english", "", "e1g", "de-DE"])
def test_languages_that_umls_has_not(code):
    with pytest.raises(ConfigError, match="no language of UMLS"):
        umls_language(code)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", r"names\.txt holds no names"),
        ("\n \n", r"names\.txt holds no names"),
        ("dog\thund\n", r"line 1: neither .* 'dog\\thund'"),
        ("\x00" * 300, r"line 1: neither .*\.\.\.'"),
        ("C1||a\n\nC1||a||b\n", r"line 3: 3 fields, expected 2 \(concept\|\|name\): 'C1\|\|a\|\|b'"),
        ("C1||a||b\nC1||a\n", r"line 2: 2 fields, expected 3"),
        ("C1||a\nC1\n", r"line 2: 1 field, expected 2"),
        ("C1||a\n||b\n", r"line 2: the identifier is empty: '\|\|b'"),
        ("C1||a\n | ||b\n", r"line 2: the identifier is empty"),
        ("C1||a\nC2|| \n", r"line 2: the name is empty"),
        ("C1||a||\n", r"line 1: the name is empty"),
        ("C1||heart||the <tgt>heart</tgt> beats\n", r"line 1: a mention in its sentence"),
        (MRCONSO + "C3|ENG|P|L1\n", r"line 7: 4 columns, expected 18 \(MRCONSO\.RRF\): 'C3\|ENG"),
        (MRCONSO + row("", "ENG", "a") + "\n", r"line 7: CUI is empty"),
        (MRCONSO + row("C3", "ENG", " ") + "\n", r"line 7: STR is empty"),
        (b"C1||a\nC1||\xff\n", r"is not UTF-8 \(byte 0xff at offset 10, line 2\)"),
    ],
)
def test_bad_lines_are_named(write, text, says):
    with pytest.raises(DataError, match=says) as caught:
        read(write(text))
    assert caught.value.hint


@pytest.mark.data
@pytest.mark.parametrize("language", ["de", "en", "fi", "ru", "tr"])
def test_xlbel_parses_whole(data, language):
    found = read(data / "xel" / "xlbel-v0" / f"{language}_1k_test_query.txt")
    assert len(found) == 1000
