"""What TMX, XLIFF and TBX files hold besides translations: it is left out, counted by reason, and kept on request."""

from __future__ import annotations

from pathlib import Path

import pytest

from lexenc.errors import DataError
from lexenc.files.exchange.pairs import PairFile, remarks

CASES = Path(__file__).parents[2] / "data" / "cases"


@pytest.fixture
def file(tmp_path):
    def make(text, name="x.xml"):
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return make


def read(path, *languages, keep=()):
    found = PairFile(path, *languages, keep=keep)
    pairs = [pair[1:] for pair in found]
    return pairs, +found.counts.left_out, [message.removeprefix(f"{path}: ") for message, _ in remarks(found)]


def hints(path, keep=()):
    found = PairFile(path, keep=keep)
    assert list(found)
    return [hint for _, hint in remarks(found) if hint]


def xliff(units, attributes='version="1.2" xmlns="urn:oasis:names:tc:xliff:document:1.2"'):
    return (
        f'<xliff {attributes} xmlns:mq="MQXliff" xmlns:sdl="http://sdl.com/FileTypes/SdlXliff/1.0">'
        f'<file original="a" source-language="en" target-language="de"><body>{units}</body></file></xliff>'
    )


def unit(target, more="", source="a"):
    return f"<trans-unit {more}><source>{source}</source>{target}</trans-unit>"


def memory(*units, header='srclang="en"'):
    body = "".join(
        f'<tu><tuv xml:lang="en"><seg>{source}</seg></tuv><tuv xml:lang="de"><seg>{target}</seg></tuv></tu>'
        for source, target in units
    )
    return f'<tmx version="1.4"><header {header}/><body>{body}</body></tmx>'


# ---------------------------------------------------------------- tracked changes


def test_deleted_text_is_left_out_and_added_text_stays():
    pairs, left_out, said = read(CASES / "sdlxliff-tracked" / "sdl.xlf")
    assert pairs == [("red door", "rote Tür"), ("One.", "Eins."), ("A b c", "D e f")]
    assert left_out == {"one-sided": 3, "deletions": 1}, "a segment that one side lacks is counted"
    assert said[-1] == "Removed deletions of tracked changes from 1 text."


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ('rote <mrk mtype="x-sdl-feedback-deleted">große </mrk>Tür', "rote Tür"),
        ("<g id='1'>rote <del xmlns='urn:w'><r>Tor</r></del> <ins xmlns='urn:w'>Tür</ins></g>", "rote Tür"),
        ('rote <mrk mtype="x-sdl-deleted">kleine <mrk mtype="x-sdl-added">alte</mrk></mrk> Tür', "rote Tür"),
        ('<mrk mtype="x-sdl-deleted">rote </mrk>Tür', "Tür"),
    ],
)  # fmt: skip
def test_deleted_text_of_other_kinds(file, target, text):
    pairs, left_out, _ = read(file(xliff(unit(f"<target>{target}</target>"))))
    assert pairs == [("a", text)]
    assert left_out == {"deletions": 1}


# ---------------------------------------------------------------- states of translations


def test_units_that_are_not_translated_are_left_out():
    path = CASES / "xliff-states" / "states.xlf"
    pairs, left_out, said = read(path)
    assert pairs == [("window", "Fenster")]
    assert left_out == {"untranslated": 2, "translate-no": 1}
    assert said == ['Skipped 2 units that are not translated yet, 1 unit marked translate="no".']
    assert hints(path) == ["lexenc convert keeps them with --keep untranslated,translate-no."]
    assert hints(path, keep=["tags", "translate-no"])[0].endswith("--keep untranslated,translate-no,tags.")
    pairs, left_out, said = read(path, keep=["untranslated"])
    assert "Kept 2 units that are not translated yet, which the result does not mark." in said
    assert pairs == [("window", "Fenster"), ("door", "door"), ("chair", "chair")]
    assert left_out == {"translate-no": 1}
    assert "2 of 3 targets are equal to their sources." in said
    assert len(read(path, keep=["untranslated", "translate-no"])[0]) == 4
    assert read(CASES / "xliff-states" / "x2state.xlf")[:2] == ([("Hello", "Hallo")], {"untranslated": 1})


@pytest.mark.parametrize(
    ("more", "target", "reason"),
    [
        ("", '<target state="needs-review-translation">b</target>', ""),
        ("", '<target state="translated">b</target>', ""),
        ('approved="no"', "<target>b</target>", ""),
        ("", '<target state="translated" state-qualifier="rejected-inaccurate">b</target>', "rejected"),
        ("", '<target state="translated" state-qualifier="leveraged-mt">b</target>', ""),
        ('mq:status="NotStarted"', "<target>b</target>", "untranslated"),
        ('mq:status="Rejected"', "<target>b</target>", "rejected"),
        ('mq:status="ManuallyConfirmed"', "<target>b</target>", ""),
        ('translate="yes"', "<target>b</target>", ""),
    ],
)
def test_states_of_xliff_1(file, more, target, reason):
    path = file(xliff(unit("<target>x</target>") + unit(target, more)))
    assert read(path)[1] == ({reason: 1} if reason else {})
    assert len(read(path, keep=[reason])[0]) == 2


def test_translate_no_holds_for_all_units_of_a_group_but_those_that_say_otherwise(file):
    inner = unit("<target>b</target>") + unit("<target>c</target>", 'translate="yes"')
    assert read(file(xliff(f'<group translate="no">{inner}</group>')))[:2] == ([("a", "c")], {"translate-no": 1})


def test_states_of_xliff_2_and_subordinate_states(file):
    segment = '<segment state="{}"{}><source>a</source><target>{}</target></segment>'
    units = (
        f'<unit id="1">{segment.format("initial", " subState=" + chr(34) + "x:y" + chr(34), "b")}'
        f'{segment.format("reviewed", "", "c")}<segment><source>a</source><target>d</target></segment></unit>'
        f'<unit id="2" translate="no">{segment.format("final", "", "e")}</unit>'
    )
    path = file(
        '<xliff version="2.1" srcLang="en" trgLang="de" xmlns="urn:oasis:names:tc:xliff:document:2.0"><file id="f">'
        f"{units}</file></xliff>"
    )
    assert read(path)[:2] == ([("a", "c"), ("a", "d")], {"untranslated": 1, "translate-no": 1})


def test_states_of_trados_studio(file):
    states = ('conf="Translated"', 'conf="Draft"', 'conf="Draft" origin="source"', "", 'conf="RejectedTranslation"')
    sides = [
        f"<{side}>" + "".join(f'<mrk mtype="seg" mid="{n}">{letter}{n}</mrk>' for n in range(5)) + f"</{side}>"
        for side, letter in (("seg-source", "a"), ("target", "b"))
    ]
    definitions = "".join(f'<sdl:seg id="{n}" {state}/>' for n, state in enumerate(states))
    path = file(xliff(unit("".join(sides) + f"<sdl:seg-defs>{definitions}</sdl:seg-defs>", 'id="1"')))
    assert read(path)[:2] == ([("a0", "b0"), ("a1", "b1")], {"untranslated": 2, "rejected": 1})


def test_a_file_without_any_translation_says_why(file):
    with pytest.raises(DataError) as caught:
        read(file(xliff(unit('<target state="new">a</target>'))))
    assert caught.value.message.endswith("holds no pairs of en and de: 1 unit that is not translated yet left out.")
    assert "--keep untranslated" in caught.value.hint


# ---------------------------------------------------------------- status of terms


def test_forbidden_terms_are_left_out():
    path = CASES / "tbx-forbidden" / "weblate.tbx"
    pairs, left_out, said = read(path)
    assert pairs == [("folder", "Ordner"), ("file", "Datei"), ("abort", "abbrechen")]
    assert left_out == {"deprecated": 5}
    assert said == ["Skipped 5 deprecated, forbidden or obsolete terms."]
    assert len(read(path, keep=["deprecated"])[0]) == 8


@pytest.mark.parametrize(
    ("status", "kept"),
    [
        ('<termNote type="administrativeStatus">supersededTerm-admn-sts</termNote>', False),
        ('<termNote type="normativeAuthorization">supersededTerm</termNote>', False),
        ('<termNote type="temporalQualifier">obsoleteTerm</termNote>', False),
        ('<termNote type="Status">Do not use</termNote>', False),
        ("<min:administrativeStatus>deprecatedTerm-admn-sts</min:administrativeStatus>", False),
        ("<ling:normativeAuthorization>deprecatedTerm</ling:normativeAuthorization>", False),
        ('<termNoteGrp><termNote type="administrativeStatus">Forbidden</termNote></termNoteGrp>', False),
        ('<termNote type="administrativeStatus">admittedTerm-admn-sts</termNote>', True),
        ('<termNote type="partOfSpeech">obsolete</termNote>', True),
        ('<termNote type="administrativeStatus">deprecatedTerm-admn-sts</termNote>'
         '<termNote type="normativeAuthorization">standardizedTerm</termNote>', False),
    ],
)  # fmt: skip
def test_status_of_a_term(file, status, kept):
    sides = [f'<langSec xml:lang="{code}"><termSec><term>{word}</term>{more}</termSec></langSec>'
             for code, word, more in (("en", "a", ""), ("de", "b", status), ("de-AT", "c", ""))]  # fmt: skip
    path = file(
        '<tbx type="TBX-Basic" style="dct" xml:lang="en" xmlns="urn:iso:std:iso:30042:ed-2" xmlns:min="urn:min" '
        f'xmlns:ling="urn:ling"><text><body><conceptEntry id="1">{"".join(sides)}</conceptEntry></body></text></tbx>'
    )
    pairs, left_out, said = read(path, "en", "de")
    assert pairs == ([("a", "b"), ("a", "c")] if kept else [("a", "c")])
    assert left_out == ({} if kept else {"deprecated": 1})
    assert "unknown" not in "".join(said)
    assert read(path, "en", "de-AT")[:2] == ([("a", "c")], {}), "a term of another variety is not counted"


def test_an_unknown_status_is_reported(file):
    note = '<termNote type="administrativeStatus">verboten</termNote>'
    path = file(
        '<martif type="TBX"><text><body><termEntry><langSet xml:lang="en"><tig><term>a</term></tig></langSet>'
        f'<langSet xml:lang="de"><tig><term>b</term>{note}</tig></langSet></termEntry></body></text></martif>'
    )
    pairs, _, said = read(path)
    assert pairs == [("a", "b")]
    assert said == ["Kept 1 term with an unknown status: verboten (1)."]


# ---------------------------------------------------------------- escaped tags, and spaces around code


def test_tags_of_omegat_are_removed():
    path = CASES / "omegat-tags" / "omegat.tmx"
    pairs, left_out, said = read(path)
    assert pairs == [("This is the house that Jack built", "Dies ist das Haus das Jack baute")]
    assert left_out == {"tags": 2}
    assert said == ["Removed escaped tags, such as <f0> or </b>, from 2 texts."]
    assert read(path, keep=["tags"])[0][0][0].startswith("This <f0>is the </f0>house")
    assert read(CASES / "omegat-tags" / "ph2.tmx")[0] == [("Click to open", "Klick zum Öffnen")]


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("one<br1/>two", "one two"),
        ("one<br>two", "one two"),
        ("<a0>one</a0> <i1/> two", "one two"),
        ("<b>bold</b> text", "bold text"),
        ('see <a href="x" class=\'y\'>here</a>.', "see here."),
        ("press <F1> or <Enter>", "press <F1> or <Enter>"),
        ("if a < b and c > d", "if a < b and c > d"),
        ("usage: copy <file> <folder>", "usage: copy <file> <folder>"),
        ("<1>one</1> two <2>", "one two <2>"),
    ],
)
def test_escaped_tags_but_not_words_in_angle_brackets(file, written, text):
    escaped = written.replace("<", "&lt;").replace(">", "&gt;")
    pairs, left_out, _ = read(file(memory((escaped, "x"))))
    assert pairs == [(text, "x")]
    assert left_out == ({} if text == written else {"tags": 1})
    assert read(file(xliff(unit("<target>x</target>", source=escaped))))[0] == [(text, "x")]


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("one <bpt/>two<ept/> three", "one two three"),
        ("one <bpt/> two <ept/> three", "one two three"),
        ("one<ph/>two <ph/><ph/> three<ph/>.", "one two three."),
        ("<ph/> one <ph/>", "one"),
        ("one <hi> two </hi> three", "one two three"),
        ("o<hi>n</hi>e", "one"),
        ("one  two", "one  two"),
        ("one <ph/>\n two", "one two"),
    ],
)
def test_code_between_spaces_leaves_one_of_them(file, written, text):
    assert read(file(memory((written, "x"))))[0] == [(text, "x")]


# ---------------------------------------------------------------- direction


def test_the_source_language_may_be_another_variety_than_that_of_the_texts(file):
    assert read(CASES / "tmx-srclang-region" / "srcvar.tmx")[0] == [("house", "Haus")]
    sides = '<tuv xml:lang="de-DE"><seg>b</seg></tuv><tuv xml:lang="en-GB"><seg>a</seg></tuv>'
    for header, units in (("EN_us", ""), ("*all*", ' srclang="en"'), ("en-GB", "")):
        text = f'<tmx><header srclang="{header}"/><body><tu{units}>{sides}</tu></body></tmx>'
        assert read(file(text))[0] == [("a", "b")]
    sides = '<tuv xml:lang="de-DE"><seg>b</seg></tuv><tuv xml:lang="de-AT"><seg>a</seg></tuv>'
    assert read(file(f'<tmx><header srclang="de-AT"/><body><tu>{sides}</tu></body></tmx>'))[0] == [("a", "b")]
    assert read(file(f'<tmx><header srclang="de-CH"/><body><tu>{sides}</tu></body></tmx>'))[0] == [("b", "a")]


# ---------------------------------------------------------------- characters that XML does not allow


def test_illegal_characters_are_removed_and_counted():
    pairs, _, said = read(CASES / "tmx-illegal-character" / "illegal.tmx")
    assert pairs == [("ab", "c"), ("d", "e")]
    assert said == ["Removed 1 character that XML does not allow: U+001F (1)."]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-be", "windows-1252"])
def test_illegal_characters_of_all_kinds(file, encoding):
    written = "a&#x1f;&#31;\x02b&#xb;c &#xFFFF;&#xD800;&#x110000; &#228;&#x1F600;ä&#9;d"
    text = f'<?xml version="1.0" encoding="{encoding}"?>' + xliff(unit("<target>x</target>", source=written))
    pairs, _, said = read(file(text.encode(encoding)))
    assert pairs == [("ab c  ä😀ä d", "x")]
    assert said[0] == (
        "Removed 7 characters that XML does not allow: U+0002 (1), U+001F (2), U+000B (1), U+FFFF (1), U+D800 (1), "
        "U+110000 (1)."
    )


def test_illegal_bytes_of_utf_8_are_removed_and_those_of_other_encodings_are_letters(file):
    text = memory(("a", "b")).encode()
    assert read(file(text.replace(b">a<", b">\xed\xa0\x80\xef\xbf\xbe\xed\x95\x9c<")))[0] == [("한", "b")]
    latin = b'<?xml version="1.0" encoding="iso-8859-1"?>' + text.replace(b">a<", b">\xef\xbf\xbe<")
    assert read(file(latin))[0] == [("ï¿¾", "b")]


@pytest.mark.parametrize("shift", range(40))
def test_illegal_characters_at_the_edge_of_a_block(file, shift):
    text = f"a&#x1F;\ud7ff&#160;b&#{31:08};\ufffdc"
    whole = memory(("x" * ((1 << 16) - 130 + shift) + text, "d"))
    pairs, _, said = read(file(whole))
    assert pairs[0][0].endswith("xa\ud7ff\xa0b\ufffdc")
    assert said == ["Removed 2 characters that XML does not allow: U+001F (2)."]


def test_a_fault_is_named_with_its_column(file):
    text = memory(("a & b", "c"))
    with pytest.raises(DataError, match=rf"line 1: not well-formed XML \(.*\) at column {text.index('& b') + 2}\.$"):
        read(file(text))
