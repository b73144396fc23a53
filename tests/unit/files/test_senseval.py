"""Lexical samples of Senseval, as NLTK has them and as they were published."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from lexenc.errors import DataError
from lexenc.files.senseval import NO_SENSE, NO_WORD, SEVERAL, read_senseval

POS = """<corpus lang="en">

<lexelt item="bass-n">

<instance id="bass-n.1">
<answer instance="bass-n.1" senseid="FISH"/>
<context>

 <wf pos="PRP">he</wf> <wf pos="VBD">sat</wf> <wf pos=".">.</wf>
<s snum="2"/> <wf pos='"'>"</wf> <wf pos="DT">the</wf> <head> <wf pos="NN">bass</wf></head> <wf pos="VB">bit</wf>
</context>
</instance>
<instance id="bass-n.2">
<answer instance="bass-n.2" senseid="MUSIC"/>
<context>
 <head> <wf pos="NNS">basses</wf></head> <compound> <wf>a</wf> <wf>b &amp; c</wf></compound>
</context>
</instance>
</lexelt>
</corpus>
"""


def _write(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    return path


@pytest.mark.parametrize("change", [str, lambda text: "\ufeff" + text, lambda text: text.replace("\n", "\r\n")])
def test_words_sentences_and_senses_are_read(tmp_path, change):
    found, left_out = read_senseval(_write(tmp_path / "bass.pos", change(POS)))
    (first, second), *others = found.values()
    assert (list(found), others, left_out) == (["bass-n"], [], {})
    assert (first.name, first.sense, first.sentence, first.first, first.last) == ("bass-n.1", "FISH", 1, 2, 3)
    assert first.sentences == [["he", "sat", "."], ['"', "the", "bass", "bit"]]
    assert (second.words, second.sentence, second.first, second.sense) == (["basses", "a", "b & c"], 0, 0, "MUSIC")


def test_plain_text_and_several_words(tmp_path):
    text = (
        '<corpus><lexelt item="art.n"><instance id="1"><answer instance="1" senseid="a"/><answer senseid="a"/>'
        "<context>The <head>art of war</head> , he said\nNext .</context></instance></lexelt>"
        '<lexelt item="bar.n"><instance id="1"><answer senseid="b"/><context>a <head>bar</head></context></instance>'
        '<instance id="2"><answer senseid="a"/><answer senseid="b"/><context><head>bar</head></context></instance>'
        '<instance id="3"><answer senseid=""/><context><head>bar</head></context></instance>'
        '<instance id="4"><answer senseid="b"/><context>bar <head> </head></context></instance></lexelt></corpus>'
    )
    found, left_out = read_senseval(_write(tmp_path / "art.xml", text))
    (art,), (bar,) = found["art.n"], found["bar.n"]
    assert (art.words[art.first : art.last], art.sentences[1], bar.first) == (["art", "of", "war"], ["Next", "."], 1)
    assert left_out == {SEVERAL: 1, NO_SENSE: 1, NO_WORD: 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: not well-formed"),
        ("no XML\n", "line 1: not well-formed.* It is not XML, which begins with <"),
        (POS[:500], "It ends too early"),
        (POS.encode().replace(b"sat", b"s\xff\xfet"), "line 9: not well-formed"),
        (POS.replace("bass-n.2", "bass-n.1"), "line 13: the instance 'bass-n.1' is there twice"),
        (POS.replace("head>", "tail>"), r"all of its 2 instances were left out \(no marked word: 2\)"),
        ("<corpus></corpus>", "it has no <instance>"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "declares the entity 'b'"),
    ],
)
def test_other_files_are_refused(tmp_path, text, message):
    with pytest.raises(DataError) as error:
        read_senseval(_write(tmp_path / "bass.pos", text))
    assert re.search(message, f"{error.value} {error.value.hint}")


def test_real_words(data):
    found, left_out = read_senseval(data / "wsd" / "senseval" / "interest.pos.gz")
    ((word, instances),) = found.items()
    assert (word, len(instances), left_out) == ("interest-n", 2368, {})
    assert list(dict(Counter(each.sense for each in instances).most_common()).values()) == [1252, 500, 361, 178, 66, 11]
    assert all(each.words[each.first].startswith("interest") and each.last == each.first + 1 for each in instances)
    assert sum(len(each.sentences) > 1 for each in instances) == 1
