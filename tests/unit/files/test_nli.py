from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path

import pytest

from lexenc.errors import DataError
from lexenc.files.nli import aligned_columns, aligned_files, language_files, nli_text

THREE = [("A", "a", "entailment"), ("B", "b", "neutral"), ("C", "c", "contradiction")]
BODY = "".join(f"{one}\t{two}\t{label}\n" for one, two, label in THREE)


@pytest.fixture
def write(tmp_path):
    def make(body: str | bytes, name: str = "x.tsv") -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(body.encode() if isinstance(body, str) else body)
        return path

    return make


def triples(path: Path):
    return [row[1:4] for row in nli_text(path)]


def fault(read, *given) -> DataError:
    with pytest.raises(DataError) as caught:
        list(read(*given))
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize(
    "body",
    [
        BODY,
        "premise\thypothesis\tlabel\n" + BODY,
        "premise\thypo\tlabel\n" + BODY.replace("contradiction", "contradictory"),  # XNLI, machine translated
        "language\tpremise\thypothesis\tlabel\n" + "".join(f"\t{line}\n" for line in BODY.splitlines()),
        "pair_ID\tsentence_A\tsentence_B\trelatedness_score\tentailment_judgment\n"
        + "".join(f"1\t{a}\t{b}\t4.5\t{c.upper()}\n" for a, b, c in THREE),  # SICK
        "gold_label\tsentence1_binary_parse\tsentence1\tsentence2\tpairID\n"
        + "".join(f"{c}\t( {a} )\t{a}\t{b}\tx\n" for a, b, c in THREE),  # SNLI, MultiNLI
        "premise,hypothesis,label\n" + "".join(f"{a},{b},{place}\n" for place, (a, b, _) in enumerate(THREE)),
        "".join(f"{a},{b},{place}\n" for place, (a, b, _) in enumerate(THREE)),
        "".join(f'{{"gold_label": "{c}", "sentence1": "{a}", "sentence2": "{b}", "x": null}}\n' for a, b, c in THREE),
        "".join(f'{{"label": {n}, "premise": "{a}", "hypothesis": "{b}"}}\n' for n, (a, b, _) in enumerate(THREE)),
    ],
)
@pytest.mark.parametrize("change", ["none", "bom", "crlf", "gzip", "blank lines", "no last line end"])
def test_all_forms_are_the_same_rows(write, body, change):
    data = body.encode()
    changed = {"bom": b"\xef\xbb\xbf" + data, "crlf": data.replace(b"\n", b"\r\n"), "gzip": gzip.compress(data),
               "blank lines": b"\n" + data.replace(b"\n", b"\n\n"), "no last line end": data[:-1]}  # fmt: skip
    data = changed.get(change, data)
    path = write(data)
    assert triples(path) == THREE
    assert nli_text(path).form == "labelled pairs"


def test_lines_are_counted_from_one_and_labels_may_be_missing(write):
    text = nli_text(write('premise,hypothesis,label\n"a, so","b\nc",-\n,x,hidden\n'))
    rows = list(text)
    assert [tuple(row) for row in rows] == [
        (3, "a, so", "b c", "", "", None, ""),
        (4, "", "x", "", "", None, ""),
    ]
    assert list(text) == rows, "it can be read again"
    (row,) = nli_text(write("language\tpremise\thypothesis\tlabel\nsw\ta\tb\t-1\n"))
    assert (row.language, row.label) == ("sw", "")


@pytest.mark.parametrize(
    "body", ["sent0,sent1,hard_neg\nA,a,x\n", '{"anchor": "A", "positive": "a", "negative": "x"}\n']
)
def test_triplets(write, body):
    (row,) = nli_text(write(body))
    assert row[1:5] == ("A", "a", "entailment", "x")


def test_pairs_without_a_label_are_entailments(write):
    assert triples(write("A\ta\nB\tb, c\n")) == [("A", "a", "entailment"), ("B", "b, c", "entailment")]
    assert triples(write("sent0,sent1\nA,a\n")) == [("A", "a", "entailment")]


@pytest.mark.parametrize("head", ["", "sentence1,sentence2,score\n", "id,sentence1,sentence2,similarity_score\n"])
def test_pairs_with_a_score(write, head):
    own = "x," if head.startswith("id") else ""
    text = nli_text(write(f"{head}{own}A,a,4.0\n{own}B,b,1\n{own}C,c,2\n"))
    assert text.form == "scored pairs"
    assert [(row.score, row.label) for row in text] == [(4.0, ""), (1.0, ""), (2.0, "")]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("", "holds no sentences"),
        ("\n \n", "holds no sentences"),
        (",\n,,", "holds no sentences"),
        ("a\tb\t\n", "columns are not known"),
        ("a dog\na cat\n", "columns are not known: a dog"),
        ("a dog, b\nc, d\n", "columns are not known"),
        ("a\tb\tentailed\n", "columns are not known"),
        ("a\tb\tc\td\n", "columns are not known"),
        ("premise\thypothesis\na\tb\n", "columns are not known"),
        ("premise\thypothesis\tlabel\na\tb\n", "line 2: 2 columns, expected 3"),
        ("premise\thypothesis\tlabel\na\tb\tyes\n", "line 2: 'yes' is not a label"),
        ("sentence1\tsentence2\tscore\na\tb\thigh\n", "line 2: the score is 'high', not a number"),
        ("sentence1\tsentence2\tscore\na\tb\tnan\n", "the score is 'nan'"),
        ('{"premise": "a"}\n', "line 1: it has no premise, hypothesis and label"),
        ('{"premise": "a", "hypothesis": "b", "label": 0}\n[]\n', "line 2: it is not an object"),
        ('{"premise": "a", "hypothesis": ["b"], "label": 0}\n', "line 1: 'hypothesis' is neither text nor a number"),
        ('{"premise": "a", "hypothesis": "b", "label": true}\n', "'label' is neither"),
        ('{"premise": "a", "hypothesis": "b", "label": 1.5}\n', "'1.5' is not a label"),
        ('{"premise": "a"\n', "line 1"),
        ('premise,hypothesis,label\n"a,b,0\n' + "x" * 200_000, "line 2"),
        (b"premise\thypothesis\tlabel\na\xff\tb\t0\n", "is not UTF-8"),
    ],
)
def test_what_cannot_be_read_is_an_error_with_its_place(write, body, said):
    path = write(body)
    found = fault(lambda: nli_text(path))
    assert said in found.message
    assert str(path) in found.message


def test_files_of_languages_side_by_side(write, tmp_path):
    for language, mark in (("sw", ""), ("zh-Hant", ".gz"), ("en", "")):
        write(f"premise\thypothesis\tlabel\n{language}1\tx\t0\n{language}2\ty\t2\n", f"d/m.train.{language}.tsv{mark}")
    write("x", "d/README.md")
    write("x", "d/m.dev.tsv")
    files = language_files(tmp_path / "d")
    assert list(files) == ["en", "sw", "zh-Hant"]
    rows = list(aligned_files({each: files[each] for each in ("sw", "en")}))
    assert [[(row.premise, row.language, row.label) for row in each] for each in rows] == [
        [("sw1", "sw", "entailment"), ("en1", "en", "entailment")],
        [("sw2", "sw", "contradiction"), ("en2", "en", "contradiction")],
    ]
    write("premise\thypothesis\tlabel\na\tx\t0\n\nb\ty\t1\n", "d/m.train.sw.tsv")
    found = fault(aligned_files, files)
    assert "m.train.sw.tsv, line 4: the label is neutral, but contradiction in" in found.message
    assert found.message.endswith("m.train.en.tsv, line 3.")
    write("premise\thypothesis\tlabel\na\tx\t0\n", "d/m.train.sw.tsv")
    assert "m.train.sw.tsv has 1 row, " in fault(aligned_files, files).message
    write("x", "d/other.en.tsv")
    assert "several data sets: m.train, other" in fault(language_files, tmp_path / "d").message
    (tmp_path / "empty").mkdir()
    assert "has no files such as" in fault(language_files, tmp_path / "empty").message


def test_one_file_of_several_languages(write):
    head = "language\tgold_label\tsentence1\tsentence2\n"
    path = write(head + "en\tneutral\ta\tb\nen\tentailment\tc\td\nsw\tneutral\ta2\tb2\nsw\tentailment\tc2\td2\n")
    rows = list(aligned_columns(path))
    assert [[row.premise for row in each] for each in rows] == [["a", "a2"], ["c", "c2"]]
    path = write(head + "en\tneutral\ta\tb\nsw\tentailment\tc\td\n")
    assert "line 3: the label is entailment, but neutral" in fault(aligned_columns, path).message
    assert "has no column 'language'" in fault(aligned_columns, write(BODY)).message


def test_real_data(data):
    labels = Counter(row.label for row in nli_text(data / "nli" / "sick" / "SICK_train.txt.gz"))
    assert labels == {"neutral": 2536, "entailment": 1299, "contradiction": 665}
    scored = nli_text(data / "sts" / "stsb" / "stsb-en-train.csv.gz")
    assert scored.form == "scored pairs"
    assert sum(row.score >= 4 for row in scored) == 1406
    files = {each: data / "nli" / "americas" / f"test.{each}.tsv.gz" for each in ("aym", "gn", "quy", "shp")}
    rows = list(aligned_files(files))
    assert Counter(Counter(tuple(row.premise for row in each) for each in rows).values()) == {3: 250}
    assert len({each[1].premise for each in rows}) == 249
