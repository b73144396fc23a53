"""TMX, XLIFF and TBX: what counts as text, which languages are meant, and what damaged files say."""

from __future__ import annotations

import gzip
import io
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexenc.errors import DataError
from lexenc.files.dictionaries import read_pairs
from lexenc.files.exchange.pairs import PairFile, matches, remarks
from lexenc.files.exchange.units import UnitFile
from lexenc.files.exchange.writing import PairRow, read_rows, write_rows
from lexenc.files.exchange.xml import looks_like_xml

TMX = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE tmx SYSTEM "tmx14.dtd">
<tmx version="1.4">
  <header creationtool="x" srclang="de" segtype="sentence"><note>a note</note></header>
  <body>
    <tu tuid="1">
      <note>no text</note>
      <tuv xml:lang="de"><prop type="x">no text</prop>
        <seg>Das ist <bpt i="1">&lt;b&gt;</bpt>gut<ept i="1">&lt;/b&gt;</ept>.</seg></tuv>
      <tuv xml:lang="en-US"><seg>This is <bpt i="1">&lt;b&gt;</bpt>good<ept i="1">&lt;/b&gt;</ept>.</seg></tuv>
    </tu>
    <tu>
      <tuv xml:lang="DE"><seg>Öffnen<ph x="1">{0}</ph>Sie
         die\tDatei &amp; mehr</seg></tuv>
      <tuv xml:lang="en-US"><seg>Open<ph/>the <hi>fi</hi>le<ph>code<sub>inner</sub></ph></seg></tuv>
    </tu>
    <tu><tuv xml:lang="de"><seg>Leer</seg></tuv><tuv xml:lang="en-US"><seg> <ph/> </seg></tuv></tu>
  </body>
</tmx>
"""

DOCTYPE = '<!DOCTYPE tmx SYSTEM "tmx14.dtd">\n'

XLIFF1 = """<xliff version="1.2" xmlns="urn:oasis:names:tc:xliff:document:1.2"><file original="a" datatype="plaintext"
 source-language="en" target-language="fr-FR"><header><note>x</note></header><body><group><trans-unit id="1">
<source>Press <g id="1">Save</g><x id="2"/> now</source><target>Appuyez<x id="2"/>sur</target>
<note>no</note><alt-trans><source>old</source><target>vieux</target></alt-trans></trans-unit></group>
<trans-unit id="2"><source>One. Two.</source>
<seg-source><mrk mtype="seg" mid="1">One.</mrk> <mrk mtype="seg" mid="2"><mrk mtype="term">Two</mrk>.</mrk></seg-source>
<target><mrk mtype="seg" mid="1">Un.</mrk> <mrk mtype="seg" mid="2">Deux.</mrk></target></trans-unit>
<trans-unit id="3"><source>Untranslated</source></trans-unit>
</body></file></xliff>"""

XLIFF2 = """<xliff xmlns="urn:oasis:names:tc:xliff:document:2.0" xmlns:mtc="urn:oasis:names:tc:xliff:matches:2.0"
 version="2.1" srcLang="en" trgLang="de"><file id="f"><unit id="u"><mtc:matches><mtc:match ref="#s"><source>no</source>
<target>nein</target></mtc:match></mtc:matches><notes><note>x</note></notes>
<segment id="s"><source>Hello <pc id="1">world</pc><ph id="2"/></source>
<target>Hallo <pc id="1">Welt</pc></target></segment>
<ignorable><source> </source></ignorable><segment><source>a<cp hex="0001"/>b</source><target>c</target></segment></unit>
</file></xliff>"""

TBX3 = """<tbx type="TBX-Basic" style="{style}" xml:lang="en" xmlns="urn:iso:std:iso:30042:ed-2"
 xmlns:min="http://www.tbxinfo.net/ns/min"><tbxHeader><fileDesc><sourceDesc><p>x</p></sourceDesc></fileDesc></tbxHeader>
<text><body><conceptEntry id="c1"><descrip type="subjectField">it</descrip>
<langSec xml:lang="en"><termSec><term>folder</term></termSec><termSec><term>directory</term>{status}</termSec></langSec>
<langSec xml:lang="de"><termSec><term>Ordner</term></termSec><termSec><term>Verzeichnis</term></termSec></langSec>
<langSec xml:lang="fr"><termSec><term>dossier</term></termSec></langSec></conceptEntry></body></text></tbx>"""
DCA = '<termNote type="administrativeStatus">deprecatedTerm-admn-sts</termNote>'
DCT = "<min:administrativeStatus>deprecatedTerm-admn-sts</min:administrativeStatus>"

TBX2 = """<martif type="TBX" xml:lang="en"><text><body><termEntry id="1"><langSet xml:lang="en"><ntig><termGrp>
<term>mouse</term><termNote type="partOfSpeech">noun</termNote></termGrp></ntig></langSet><langSet xml:lang="de"><tig>
<term>Maus</term></tig></langSet></termEntry></body></text></martif>"""


@pytest.fixture
def file(tmp_path):
    def make(text, name="x.xml"):
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return make


def pairs(path, *languages, **more):
    return [(source, target) for _, source, target in PairFile(path, *languages, **more)]


# ---------------------------------------------------------------- reading


def test_tmx_takes_text_and_leaves_code_out(file):
    read = PairFile(file(TMX))
    assert list(read) == [
        (6, "Das ist gut.", "This is good."),
        (12, "Öffnen Sie die Datei & mehr", "Open the file"),
    ]
    assert (read.found.source, read.found.target) == ("de", "en-US"), "srclang comes first"
    assert (read.counts.units, read.counts.empty, read.counts.cleaned) == (3, 1, 1)
    assert +read.counts.left_out == {"one-sided": 1}
    assert pairs(file(TMX), "en", "de")[0] == ("This is good.", "Das ist gut.")


def test_xliff_1_takes_segments_and_no_alternatives(file):
    read = PairFile(file(XLIFF1))
    assert [pair[1:] for pair in read] == [("Press Save now", "Appuyez sur"), ("One.", "Un."), ("Two.", "Deux.")]
    assert (read.found.source, read.found.target) == ("en", "fr-FR")
    assert +read.counts.left_out == {"one-sided": 1}
    assert pairs(file(XLIFF1), "fr", "en")[1] == ("Un.", "One.")


def test_xliff_1_without_target_language(file):
    text = XLIFF1.replace(' target-language="fr-FR"', "")
    assert pairs(file(text))[0] == ("Press Save now", "Appuyez sur")
    assert pairs(file(text), "en", "fr")[0] == ("Press Save now", "Appuyez sur")


def test_xliff_2_takes_segments_and_no_matches(file):
    assert pairs(file(XLIFF2)) == [("Hello world", "Hallo Welt"), ("a b", "c")]


@pytest.mark.parametrize(("style", "status"), [("dca", DCA), ("dct", DCT)])
def test_tbx_gives_every_combination_and_no_deprecated_term(file, style, status):
    path = file(TBX3.format(style=style, status=status))
    read = PairFile(path, "en", "de")
    assert [pair[1:] for pair in read] == [("folder", "Ordner"), ("folder", "Verzeichnis")]
    assert +read.counts.left_out == {"deprecated": 1}
    assert len(pairs(path, "en", "de", keep=["deprecated"])) == 4
    assert any("deprecated" in message for message, _ in remarks(read))


def test_tbx_2(file):
    assert pairs(file(TBX2)) == [("mouse", "Maus")]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "iso-8859-1", "windows-1252"])
def test_declared_encodings(file, encoding):
    name = encoding.removesuffix("-sig")
    text = TMX.replace('encoding="UTF-8"', f'encoding="{name}"').replace("Öffnen", "Öffnen")
    path = file(text.encode(encoding))
    assert looks_like_xml(path)
    assert pairs(path)[1][0].startswith("Öffnen Sie")


def test_gzip(file):
    assert pairs(file(gzip.compress(TMX.encode())))[0] == ("Das ist gut.", "This is good.")


def test_prefixes_do_not_matter(file):
    text = TBX2.replace("<", "<t:").replace("<t:/", "</t:").replace("<t:martif", '<t:martif xmlns:t="urn:x"')
    assert pairs(file(text)) == [("mouse", "Maus")]


@pytest.mark.parametrize("before", ["<!-- a comment -->", '<?xml-stylesheet href="x.css"?>', "<!-- one --><?two?>"])
def test_what_stands_before_the_root_does_not_matter(file, before):
    plain = TMX.replace('<!DOCTYPE tmx SYSTEM "tmx14.dtd">\n', "")
    head, _, rest = plain.partition("\n")
    assert pairs(file(f"{head}\n{before}\n{rest}")) == pairs(file(plain, "plain.xml"))


# ---------------------------------------------------------------- languages


@pytest.mark.parametrize(
    ("wanted", "language", "answer"),
    [
        ("en", "en", True),
        ("en", "EN-us", True),
        ("en", "en_GB", True),
        ("en-US", "en-us", True),
        ("en-US", "en", False),
        ("en", "eng", False),
        ("zh-Hant", "zh-Hant-TW", True),
    ],
)
def test_matching(wanted, language, answer):
    assert matches(wanted, language) is answer


def memory(*units):
    body = "".join(
        "<tu>" + "".join(f'<tuv xml:lang="{language}"><seg>{text}</seg></tuv>' for language, text in unit) + "</tu>"
        for unit in units
    )
    return f'<tmx version="1.4"><header srclang="*all*"/><body>{body}</body></tmx>'


def test_varieties_count_and_are_told(file):
    path = file(memory([("en-US", "color"), ("en-GB", "colour"), ("de", "Farbe")], [("en-US", "a"), ("de", "b")]))
    read = PairFile(path)
    assert [pair[1:] for pair in read] == [("color", "Farbe"), ("colour", "Farbe"), ("a", "b")]
    assert remarks(read) == [
        (
            f"{path}: Several varieties were read as source: en-US (2), en-GB (1).",
            "To read one of them: --source-language en-US",
        )
    ]
    assert pairs(path, "en-GB", "de") == [("colour", "Farbe")]


def test_two_varieties_of_one_language_are_a_pair(file):
    assert pairs(file(memory([("zh-CN", "a"), ("zh-TW", "b")]))) == [("a", "b")]


def test_one_language_given_is_enough_where_there_are_two(file):
    path = file(memory([("en", "a"), ("de", "b")]))
    assert pairs(path, None, "en") == [("b", "a")]
    assert pairs(path, "de") == [("b", "a")]


def test_more_than_two_languages_must_be_chosen(file):
    path = file(memory([("en", "a"), ("de", "b"), ("fr", "c")]))
    with pytest.raises(DataError, match=r"holds 3 languages: en \(1\), de \(1\), fr \(1\)") as error:
        pairs(path)
    assert error.value.hint == "Choose two: --source-language en --target-language de"
    with pytest.raises(DataError, match="holds 1 language: en"):
        pairs(file(memory([("en", "a")])))


def test_a_language_that_is_not_there(file):
    with pytest.raises(DataError, match="none of 1 unit has text in en and fi") as error:
        pairs(file(memory([("en", "a"), ("de", "b")])), "en", "fi")
    assert error.value.hint == "It holds 2 languages: en (1), de (1)."


@pytest.mark.parametrize("languages", [(), ("en", "de")])
def test_nothing_in_it(file, languages):
    with pytest.raises(DataError, match="holds no units"):
        pairs(file(memory()), *languages)


# ---------------------------------------------------------------- damage and malice


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            TMX.replace("</seg></tuv>\n    </tu>", "</tuv>\n    </tu>", 1),
            r"line 10: not well-formed XML \(Opening and ending tag mismatch: seg line 10 and tuv\)",
        ),
        (TMX[:700], r"line 15: not well-formed XML \(Premature end of data"),
        (TMX.replace("&amp;", "&"), r"line 14: not well-formed XML \(xmlParseEntityRef: no name\)"),
        ("<!-- x --><page><body/></page>", "root is <page>"),
        ("<html><body/></html>", "HTML, a web page"),
        (TMX.replace('encoding="UTF-8"', 'encoding="klingon"'), "line 1: .*Unsupported encoding: klingon"),
        (TMX.replace("Öffnen", "&nbsp;"), "line 13: not well-formed XML .Entity 'nbsp' not defined"),
        (
            TMX.replace("Öffnen", "&nbsp;").replace(DOCTYPE, ""),
            "line 12: not well-formed XML .Entity 'nbsp' not defined",
        ),
    ],
)
def test_damage_is_named_with_its_line(file, text, message):
    with pytest.raises(DataError, match=message) as error:
        pairs(file(text))
    assert error.value.hint


@pytest.mark.parametrize(
    "declared",
    [
        '<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">',
        '<!ENTITY a SYSTEM "file:///etc/hostname">',
        '<!ENTITY % a SYSTEM "http://127.0.0.1:9/x.dtd">',
    ],
)
def test_entities_are_refused_before_they_grow(file, declared):
    text = f'<?xml version="1.0"?><!DOCTYPE tmx [{declared}]><tmx><header/><body/></tmx>'
    with pytest.raises(DataError, match="line 1: it declares the entity 'a'"):
        pairs(file(text))


def test_entities_in_attributes_do_not_grow(file):
    grown = "".join(f'<!ENTITY {new} "{f"&{old};" * 10}">' for old, new in pairwise("abcdefgh"))
    with pytest.raises(DataError, match="line 1"):
        pairs(file(f'<!DOCTYPE tmx [<!ENTITY a "aaaaaaaaaa">{grown}]><tmx x="&h;"><header/><body/></tmx>'))


@pytest.mark.parametrize("place", [*range(TMX.index("<body>") + 6, TMX.index("</body>"), 7)])
@pytest.mark.parametrize("prefix", ["", "other:"])
def test_a_file_that_is_cut_anywhere_is_told(file, place, prefix):
    text = TMX.replace("<note>", f"<{prefix}note>").replace("</note>", f"</{prefix}note>")
    with pytest.raises(DataError, match="not well-formed XML") as error:
        pairs(file(text[:place]), "de", "en")
    assert error.value.hint == "It ends too early. Was it copied completely?"


def test_a_file_that_is_cut_after_a_prefix_is_told(file):
    with pytest.raises(DataError, match="not well-formed XML") as error:
        pairs(file(TMX[: TMX.rindex("xml:") + 4]), "de", "en")
    assert error.value.hint == "It ends too early. Was it copied completely?"


def test_prefixes_that_are_not_declared_do_not_matter(file):
    text = memory([("en", "a"), ("de", "b")]).replace("<tu>", "<tu><own:note>x</own:note>")
    assert pairs(file(text)) == [("a", "b")]


MEMORY = """
import sys
from pathlib import Path
from lexenc.files.exchange.pairs import PairFile
for name in sys.argv[1:]:
    count = sum(1 for _ in PairFile(Path(name), "en", "de"))
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    print(count, peak.split()[1])
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="NO PEAK MEMORY can be read without /proc")
def test_memory_does_not_grow_with_the_file(tmp_path):
    sides = '<tuv xml:lang="en"><seg>word number {0}</seg></tuv><tuv xml:lang="de"><seg>Wort {0}</seg></tuv>'
    unit = f'<tu><prop type="x">y</prop>{sides}</tu>\n'
    paths = tmp_path / "small.tmx", tmp_path / "large.tmx"
    for path, count in zip(paths, (2_000, 50_000), strict=True):
        with path.open("w") as stream:
            stream.write('<tmx><header srclang="en"/><body>')
            stream.writelines(unit.format(number) for number in range(count))
            stream.write("</body></tmx>")
    # The parser's own memory is not Python's, so the whole process is measured.
    done = subprocess.run([sys.executable, "-c", MEMORY, *paths], capture_output=True, check=True, text=True)
    (few, small), (many, large) = (map(int, line.split()) for line in done.stdout.splitlines())
    assert (few, many) == (2_000, 50_000)
    assert paths[1].stat().st_size > 6_000_000
    assert large - small < 3_000, "kilobytes"


@pytest.mark.parametrize(
    "unit",
    [
        '<tu>\n<tuv xml:lang="en">\n <seg>a</seg></tuv><tuv xml:lang="de"><seg>b</seg></tuv></tu>\n',
        '<tu><tuv xml:lang="en"><seg><ph/>a\nb</seg></tuv><tuv xml:lang="de"><seg>b</seg>\n</tuv></tu>\n',
        '\n<tu><tuv xml:lang="en"><seg>a</seg></tuv><tuv xml:lang="de"><seg>b</seg></tuv></tu>',
    ],
)
def test_lines_are_right_beyond_those_that_the_parser_stores(file, unit):
    body, count = unit * 40_000, unit.count("\n")
    first = 2 + unit.index("<tu>")
    path = file(f'<tmx><header srclang="en"/><body>\n{body}</body></tmx>')
    expected = [first + count * number for number in range(40_000)]
    assert [line for line, _, _ in PairFile(path, "en", "de")] == expected


# ---------------------------------------------------------------- as a dictionary


def test_read_pairs_takes_them(file):
    read = read_pairs(file(TBX3.format(style="dca", status="")), languages=("en", "fr"))
    assert list(read) == [("folder", "dossier"), ("directory", "dossier")]
    assert read.lines == [3, 3]
    assert list(read_pairs(file("a\tb\n"))) == [("a", "b")]


@pytest.mark.parametrize("text", ["<b\tfett\n", "< >\n", "", "\ufeffa\tb\n", "<unk> x\n"])
def test_tables_are_no_xml(file, text):
    assert not looks_like_xml(file(text))


# ---------------------------------------------------------------- writing

ROWS = [PairRow("bank & trust", "Bank <1>", 0.75), PairRow("bank", "Ufer"), PairRow("\u2028x\x01", 'say "a"')]
KINDS = ["tmx", "tbx", "tbx2", "xliff", "xliff2"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_read_again(file, kind):
    stream = io.BytesIO()
    made = write_rows(stream, ROWS, kind, "en", "de-AT")
    assert (made.pairs, made.characters) == (3, 1)
    ElementTree.fromstring(stream.getvalue())
    read = PairFile(file(stream.getvalue()))
    assert [pair[1:] for pair in read] == [("bank & trust", "Bank <1>"), ("bank", "Ufer"), ("x", 'say "a"')]
    assert (read.found.source, read.found.target) == ("en", "de-AT")
    assert b"0.75" in stream.getvalue()


@pytest.mark.parametrize(("kind", "unit"), [("tbx", "conceptEntry"), ("tbx2", "termEntry")])
def test_translations_of_a_word_are_terms_of_one_concept(file, kind, unit):
    rows = [PairRow("delete", "löschen", 0.5), PairRow("print", "drucken"), PairRow("delete", "entfernen")]
    stream = io.BytesIO()
    assert write_rows(stream, rows, kind, "en", "de").pairs == 3
    assert stream.getvalue().count(f"<{unit} ".encode()) == 2
    assert stream.getvalue().count(b"<term>delete</term>") == 1
    assert [pair[1:] for pair in PairFile(file(stream.getvalue()))] == [
        ("delete", "löschen"), ("delete", "entfernen"), ("print", "drucken"),
    ]  # fmt: skip


PAIRS = st.tuples(st.text(min_size=1), st.text(min_size=1))


@given(st.lists(PAIRS, min_size=1, max_size=5, unique_by=lambda pair: pair[0]), st.sampled_from(KINDS))
def test_any_text_survives_but_for_spaces_and_control_characters(tmp_path_factory, rows, kind):
    path = tmp_path_factory.mktemp("x") / "x"
    with path.open("wb") as stream:
        write_rows(stream, [PairRow(*row) for row in rows], kind, "en", "de")
    units = list(UnitFile(path, keep=("tags",)))  # any text may look like an escaped tag
    assert len(units) == len(rows)
    for unit, row in zip(units, rows, strict=True):
        kept = ["".join(each for each in text if each.isprintable() and each not in " \ufffe\uffff") for text in row]
        told = ["".join(each for each in text if each.isprintable() and each != " ") for _, text, _ in unit.texts]
        assert [text for text in kept if text] == [text for text in told if text]


def test_rows_of_tables(file):
    text = "a\tb\nc d\te\t0.5\nfoo\t1\tbar\t0.25\nx y\n"
    assert list(read_rows(file(text))) == [
        PairRow("a", "b"),
        PairRow("c d", "e", 0.5),
        PairRow("foo", "bar", 0.25),
        PairRow("x", "y"),
    ]
    # Scores come first where the first column has numbers and the third has none.
    assert list(read_rows(file("1.5\t12\t13\n-1\ta b\tc d\n"))) == [PairRow("12", "13", 1.5), PairRow("a b", "c d", -1)]
    heads = "source\ttarget\tprobability\tnote\n"
    assert list(read_rows(file(heads + "a\tb\t0.5\tmore\n"))) == [PairRow("a", "b", 0.5)]
    for bad in (heads, heads + "a\tb\t0.5\n", "a\tb\tc\n", "a\n", "a\t\n", "a\tb\t1\t2\t3\n", ""):
        with pytest.raises(DataError):
            list(read_rows(file(bad)))
