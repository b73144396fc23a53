"""SemCor in all its forms, XML with keys, lists of first senses, and archives made to do harm."""

import gzip
import io
import lzma
import tarfile
from collections import Counter

import pytest

from lexenc.errors import DataError
from lexenc.files.semcor import NOT_A_FILE, NOT_SEMCOR, UNMAPPED, read_semcor
from lexenc.files.sense_keys import (
    SenseTag,
    TaggedSentence,
    part_of_speech,
    read_first_senses,
    read_sense_keys,
    read_tagged_xml,
)
from lexenc.files.text import read_lines

SEMCOR = """<contextfile concordance="brown">
<context filename="br-a01" paras="yes">
<p pnum="1">
<s snum="1">
<wf cmd="ignore" pos="DT">The</wf>
<wf cmd="done" pos="NN" lemma="jury" wnsn="1" lexsn="1:14:00::">jury</wf>
<wf cmd="done" pos="VB" lemma="point_out" wnsn="2;1" lexsn="2:32:01::;2:32:00::">pointed_out</wf>
<wf cmd="done" pos="JJ" lemma="such" wnsn="0" lexsn="5:00:01:specified:00">such</wf>
<wf cmd="done" pos="JJ" lemma="r&amp;d" wnsn="0;3" lexsn="5:00:00:x:00;3:00:00::">R&amp;D</wf>
<wf cmd="done" ot="notag">of</wf>
<punc>.</punc>
</s>
</p>
</context>
</contextfile>
"""
SENTENCE = TaggedSentence(
    "br-a01",
    ["The", "jury", "pointed", "out", "such", "R&D", "of", "."],
    [
        SenseTag(1, 2, "jury", "n", ("jury%1:14:00::",), (1,)),
        SenseTag(2, 4, "point_out", "v", ("point_out%2:32:01::", "point_out%2:32:00::"), (2, 1)),
        SenseTag(4, 5, "such", "a", unmapped=1),
        SenseTag(5, 6, "r&d", "a", ("r&d%3:00:00::",), (3,), 1),
    ],
)
XML = """<?xml version="1.0" encoding="UTF-8" ?>
<corpus lang="en">
<text id="d000">
<sentence id="d000.s000">
<wf lemma="we" pos="PRON">We</wf>
<instance id="d000.s000.t000" lemma="point_out" pos="VERB">pointed out</instance>
<!-- a remark --><instance id="d000.s000.t001" lemma="Plan" pos="NN">plans</instance>
</sentence>
</text>
</corpus>
"""
KEYS = {"d000.s000.t000": ("point_out%2:32:01::", "point_out%2:32:00::"), "else": ("x%1:03:00::",)}


def tarred(*members, kind=None):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, body in members:
            member = tarfile.TarInfo(name)
            member.size, member.linkname = len(body), "/etc/passwd"
            member.type = kind or member.type
            archive.addfile(member, io.BytesIO(body) if kind is None else None)
    return stream.getvalue()


def read(path):
    left_out = Counter()
    return list(read_semcor(path, left_out)), +left_out


def refused(read, path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError) as caught:
        read(path)
    return caught.value.message


def unquoted():
    return SEMCOR.replace('"', "").replace("<wf", "<WF").replace("\n", "\r\n")


def test_semcor_in_every_form_reads_alike(tmp_path):
    text = SEMCOR.encode()
    archive = tarred(("brown1_", b""), ("../../brown1/br-a01", text), ("a/README", b"no tags"))
    forms = {
        "plain": text, "unquoted": unquoted().encode(), "mark": b"\xef\xbb\xbf" + text, "gz": gzip.compress(text),
        "declared": b'<?xml version="1.0"?>\n<!DOCTYPE contextfile>\n' + text, "one.line": text.replace(b"\n", b" "),
        "tar": archive, "tgz": gzip.compress(archive), "txz": lzma.compress(archive),
    }  # fmt: skip
    for name, content in forms.items():
        (tmp_path / name).write_bytes(content)
        found, left_out = read(tmp_path / name)
        assert found == [SENTENCE], name
        assert left_out == {UNMAPPED: 1} | ({NOT_SEMCOR: 1} if name.startswith("t") else {}), name
    folder = tmp_path / "semcor" / "brown1" / "tagfiles"
    folder.mkdir(parents=True)
    for name in ("br-a01", "br-a02.gz"):
        (folder / name).write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    (folder / "picture.png").write_bytes(b"\x89PNG\r\n")
    found, left_out = read(tmp_path / "semcor")
    assert (found, left_out) == ([SENTENCE] * 2, {UNMAPPED: 2, NOT_SEMCOR: 1})


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("1:14:00::", "1:1x", "line 6: lexsn '1:1x' is no sense"),
        ('wnsn="1"', 'wnsn="one"', "line 6: wnsn 'one' is no number"),
        ('wnsn="1"', 'wnsn="1;2"', "line 6: lexsn and wnsn differ in length"),
        ('lemma="jury" ', "", "line 6: a word with a sense, but without a lemma"),
        ('<s snum="1">', "", "line 5: a word outside of a sentence"),
        ("</s>", '<s snum="2">', "line 12: a sentence begins inside of one"),
        ("<p pnum", "x</s>\n<p pnum", "text outside of <wf> and <punc>"),
        ("<p pnum", "</s>\n<p pnum", "line 3: a sentence ends outside of one"),
        ("</contextfile>\n", "", "it ends too early, without </contextfile>"),
        ("</context>\n", "<<<", "no tag: <<<"),
        ("<contextfile", "<corpus", "has no sentences of SemCor"),
    ],
)
def test_a_fault_of_semcor_is_named_with_its_line(tmp_path, old, new, message):
    assert message in refused(read, tmp_path / "x", SEMCOR.replace(old, new, 1))


def test_tags_are_read_across_chunks(tmp_path, monkeypatch):
    (tmp_path / "x").write_text(SEMCOR.replace("The", "Thé"))
    whole = read(tmp_path / "x")
    for size in (1, 7, 50):
        monkeypatch.setattr("lexenc.files.semcor._CHUNK", size)
        assert read(tmp_path / "x") == whole
    monkeypatch.setattr("lexenc.files.semcor._LONGEST", 40)
    assert "no tag: <contextfile" in refused(read, tmp_path / "x", SEMCOR.replace("brown", "x" * 90))
    assert "not UTF-8" in refused(read, tmp_path / "x", SEMCOR.encode().replace(b"The", b"Th\xe9"))


def test_archives_made_to_do_harm(tmp_path, monkeypatch):
    path, whole = tmp_path / "x.tar", tarred(("br-a01", SEMCOR.encode()))
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
        path.write_bytes(tarred(("link", b""), kind=kind)[:512] + whole)
        assert read(path) == ([SENTENCE], {UNMAPPED: 1, NOT_A_FILE: 1})
    end = 512 + -(-len(SEMCOR) // 512) * 512
    # tarfile ends silently in two of these cases.
    for damaged, message in (
        (whole[:700], "it ends too early"),
        (whole[:end], "it ends too early"),
        (whole[:end] + whole[:100] + b"?" + whole[101:], "the checksum of a header is wrong"),
        (whole[:512][:124] + b"99999999999\0" + whole[136:], "the checksum of a header is wrong"),
    ):
        assert message in refused(read, path, damaged)
    monkeypatch.setattr("lexenc.files.text.FREE_BYTES", 1 << 16)
    bomb = tarred(("br-a01", SEMCOR.encode()), ("zeros", bytes(1 << 20)))
    assert "more than 32 times as long" in refused(read, path, lzma.compress(bomb, preset=0))
    sparse = bytearray(whole)
    sparse[156:157] = b"S"
    sparse[148:156] = b"%06o\0 " % (256 + sum(sparse[:148]) + sum(sparse[156:512]))
    assert "has no sentences" in refused(read, path, bytes(sparse))


def test_xz_is_unpacked_in_bounded_memory(tmp_path, monkeypatch):
    text = b"one\ntwo\n" * 9
    streams = lzma.compress(text) + bytes(8) + lzma.compress(text)
    (tmp_path / "x").write_bytes(streams)
    assert len(list(read_lines(tmp_path / "x"))) == 36
    for damaged in (streams[:-5], streams[:40], streams + b"no xz"):
        assert "is damaged" in refused(lambda path: list(read_lines(path)), tmp_path / "x", damaged)
    monkeypatch.setattr("lexenc.files.text._XZ_MEMORY", 1 << 20)
    assert "Memory usage limit" in refused(lambda path: list(read_lines(path)), tmp_path / "x", streams)


def test_xml_with_keys(tmp_path):
    (tmp_path / "x").write_text(XML)
    (sentence,) = read_tagged_xml(tmp_path / "x", KEYS, Counter())
    assert (sentence.document, sentence.words) == ("d000", ["We", "pointed", "out", "plans"])
    assert sentence.tags == [
        SenseTag(1, 3, "point_out", "v", KEYS["d000.s000.t000"], name="d000.s000.t000"),
        SenseTag(3, 4, "plan", "n", name="d000.s000.t001"),
    ]
    (tmp_path / "keys").write_text("a k1 k2 k1\r\n\nb k3\n")
    assert read_sense_keys(tmp_path / "keys") == {"a": ("k1", "k2"), "b": ("k3",)}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('id="d000.s000.t000" ', "", "line 6: <instance> without 'id'"),
        ('lemma="point_out"', 'lemma=" "', "line 6: <instance> without 'lemma'"),
        ("pointed out", "_", "line 6: the instance 'd000.s000.t000' has no words"),
        ("t001", "t000", "line 7: the instance 'd000.s000.t000' comes twice"),
        ("<wf", "<word/><wf", "line 5: unknown element <word>"),
        ("d000.s000.t000", "d9", "None of the instances of"),
        ("corpus", "body", "its root is <body>"),
        (XML, "text", "it does not begin with <?xml"),
        ("</text>", "", "not well-formed XML"),
        ("<corpus", '<!DOCTYPE corpus [<!ENTITY x "y">]><corpus', "declares the entity 'x'"),
    ],
)
def test_a_fault_of_the_xml_is_named(tmp_path, old, new, message):
    text = XML.replace(old, new) if old in ("corpus", XML) else XML.replace(old, new, 1)
    found = refused(lambda path: list(read_tagged_xml(path, KEYS, Counter())), tmp_path / "x", text)
    assert message in found


def test_faults_of_keys(tmp_path):
    for text, message in (
        ("a k1\nb\n", "line 2: 'b' has no sense key"), ("a k1\na k2\n", "line 2: the instance 'a' has a line already"),
        ("\n", "has no sense keys"), (XML, "is XML"), (b"\xff\xfea\0", "UTF-16"),
    ):  # fmt: skip
        assert message in refused(read_sense_keys, tmp_path / "x", text)


def test_first_senses_of_both_lists(tmp_path):
    rows = [
        ("plan%1:09:00::", "2", "9"),
        ("plan%1:09:01::", "1", "3"),
        ("big%5:00:00:x:00", "1", "0"),
        ("big%3:00:00::", "2", "0"),
    ]
    for name, lines in (
        ("cntlist.rev", [" ".join(row) for row in rows]),
        ("index.sense", [f"{key} 00001740 {number} {count}" for key, number, count in rows]),
    ):
        (tmp_path / name).write_text("\n".join(lines))
        found = read_first_senses(tmp_path / name)
        assert found == {("plan", "n"): "plan%1:09:01::", ("big", "a"): "big%5:00:00:x:00"}
    for text, message in (
        ("plan%1:09:00:: 1\n", "line 1: 'plan%1:09:00:: 1' is no line"), ("plan%1:09:00:: 1 2\nb 1 2\n", "line 2: "),
        ("plan%1:09:00:: 1 x\n", "line 1: "), ("plan%9:09:00:: 1 2\n", "line 1: "), ("", "has no senses"),
    ):  # fmt: skip
        assert message in refused(read_first_senses, tmp_path / "x", text)


def test_tags_of_parts_of_speech():
    tags = "NOUN NN NNPS n VERB VBZ ADJ JJR s a ADV RB r bn:n"
    assert [part_of_speech(tag) for tag in tags.split()] == [*"nnnnvvaaaarrr", "bn:n"]
