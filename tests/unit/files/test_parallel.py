"""Sentence pairs: every form is recognised, every line keeps its place, every fault is named."""

from __future__ import annotations

import gzip
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexenc.errors import DataError
from lexenc.files.parallel import SentencePair, parallel_text, write_parallel


@pytest.fixture
def write(tmp_path):
    def to(text: str | bytes, name: str = "text"):
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return to


def rows(*arguments, **more):
    return [tuple(pair) for pair in parallel_text(*arguments, **more)]


# ---------------------------------------------------------------- forms


@pytest.mark.parametrize(
    ("text", "form"),
    [("a b ||| c\nd ||| e f\n", "source ||| target"), ("a b\tc\nd\te f\n", "source TAB target")],
)
def test_the_form_of_a_file_shows_in_its_content(write, text, form):
    path = write(text)
    assert parallel_text(path).form == form
    assert rows(path) == [(1, "a b", "c"), (2, "d", "e f")]


def test_scores_before_the_pairs_are_not_read(write):
    path = write("1.25\t12\t12\n1.2\ta b ||| c\td\n\n1e-1\te\tf\n")
    assert parallel_text(path).form == "score TAB source TAB target"
    assert rows(path) == [(1, "12", "12"), (2, "a b ||| c", "d"), (3, "", ""), (4, "e", "f")]
    path.rename(path.parent / "pairs.tsv")
    assert len(rows(path.parent)) == 4
    with pytest.raises(DataError, match="line 2: not a score, a sentence and its translation"):
        rows(write("1.2\ta\tb\na\tb\tc\n"))
    with pytest.raises(DataError, match="line 1: TAB 2 times"):
        rows(write("12\tzwölf\t0.5\n"))


def test_a_table_with_heads_may_have_further_columns(write):
    path = write("source\ttarget\tscore\nin the sun\tin der Sonne\t0.9\n\na\t\t0\n")
    assert parallel_text(path).form == "table"
    assert rows(path) == [(2, "in the sun", "in der Sonne"), (3, "", ""), (4, "a", "")]
    with pytest.raises(DataError, match="line 2: 2 columns, expected 3"):
        rows(write("source\ttarget\tscore\na\tb\n"))
    assert rows(write("source\ttarget\n")) == [(1, "source", "target")]


def test_a_translation_memory_is_read_unit_by_unit(write):
    def unit(*texts):
        return "<tu>" + "".join(f'<tuv xml:lang="{code}"><seg>{text}</seg></tuv>' for code, text in texts) + "</tu>\n"

    units = [unit(("en", "a dog"), ("fr", "un chien")), unit(("en", "alone")), unit(("fr", "chat"), ("en", "cat"))]
    path = write(f'<tmx version="1.4"><header srclang="en"/><body>\n{"".join(units)}</body></tmx>', "memory.tmx")
    assert parallel_text(path).form == "units"
    assert rows(path) == [(2, "a dog", "un chien"), (4, "cat", "chat")]
    assert rows(path, languages=("fr", "en"))[0][1:] == ("un chien", "a dog")


def test_two_files_are_read_line_by_line(write):
    source, target = write("a b\nd\n", "a.txt"), write(gzip.compress(b"c\ne f"), "b.txt.gz")
    assert parallel_text(source, target).form == "two files"
    assert rows(source, target) == [(1, "a b", "c"), (2, "d", "e f")]


def test_pairs_have_names_and_are_read_again_by_every_loop(write):
    text = parallel_text(write("a ||| b\n"))
    assert list(text) == list(text) == [SentencePair(line=1, source="a", target="b")]


def test_bars_part_where_they_stand_alone(write):
    assert rows(write("a|||b ||| ||||\nx \t|||\ty\n")) == [(1, "a|||b", "||||"), (2, "x", "y")]


def test_in_a_file_with_tabs_bars_are_words(write):
    assert rows(write("a\tb\nx ||| y\tz\n")) == [(1, "a", "b"), (2, "x ||| y", "z")]


def test_bars_are_words_in_two_files(write):
    assert rows(write("x ||| y\n", "a"), write("z\tz\n", "b")) == [(1, "x ||| y", "z\tz")]


# ---------------------------------------------------------------- empty lines


def test_empty_lines_and_sides_stay_in_their_place(write):
    assert rows(write("\n ||| b\na |||\n|||\n\na ||| b\n")) == [
        (1, "", ""), (2, "", "b"), (3, "a", ""), (4, "", ""), (5, "", ""), (6, "a", "b"),
    ]  # fmt: skip
    assert rows(write("\tb\na\t\n\t\n \na\tb")) == [(1, "", "b"), (2, "a", ""), (3, "", ""), (4, "", ""), (5, "a", "b")]
    assert rows(write("\na\n", "a"), write("b\n\n", "b")) == [(1, "", "b"), (2, "a", "")]


@pytest.mark.parametrize(("text", "lines"), [("", 0), ("\n\n", 2)])
def test_a_file_with_nothing_in_it_has_its_lines(write, text, lines):
    assert parallel_text(write(text)).form == "empty"
    assert rows(write(text)) == [(number, "", "") for number in range(1, lines + 1)]


def test_other_line_breaks_stay_inside(write):
    assert rows(write("a\u2028b ||| c\x85d\r\ne ||| f\r\n")) == [(1, "a\u2028b", "c\x85d"), (2, "e", "f")]


def test_a_line_of_ten_thousand_words_is_whole(write):
    long = " ".join(["word"] * 10_000)
    assert rows(write(f"{long} ||| {long}\n")) == [(1, long, long)]


# ---------------------------------------------------------------- faults


@pytest.mark.parametrize(("left", "right", "counts"), [
    ("a\n\nc\n", "a\n", "a.txt has 3 lines, {}b.txt 1: lines from 2 on"),
    ("a\n", "b\nc\n\n\n", "b.txt has 4 lines, {}a.txt 1: lines from 2 on"),
    ("", "b\n", "b.txt has 1 line, {}a.txt 0: lines from 1 on"),
])  # fmt: skip
def test_unequal_numbers_of_lines_are_an_error_with_both(write, tmp_path, left, right, counts):
    source, target = write(left, "a.txt"), write(right, "b.txt")
    with pytest.raises(DataError) as caught:
        rows(source, target)
    assert counts.format(f"{tmp_path}/") in caught.value.message
    assert "same order" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("a ||| b\n\nno bars\n", "line 3: ' ||| ' nowhere, expected once: 'no bars'", "Put ' ||| ' between"),
        ("a ||| b ||| c\n", "line 1: ' ||| ' 2 times, expected once", "If a sentence contains"),
        ("a\tb\na b\n", "line 2: TAB nowhere, expected once: 'a b'", "Put TAB between"),
        ("a\tb\tc\n", "line 1: TAB 2 times", "two files"),
        (
            "\nplain text\n",
            "line 2: there is neither ' ||| ' nor a TAB between two sentences: 'plain text'",
            "--target",
        ),
        (f"{'x' * 50}\n", f"'{'x' * 40}...'", "--source"),
    ],
)
def test_a_line_without_two_sides_is_an_error(write, text, message, hint):
    with pytest.raises(DataError) as caught:
        rows(write(text))
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_what_is_not_utf8_is_an_error_with_its_line(write):
    with pytest.raises(DataError, match=r"not UTF-8 \(byte 0xe4 at offset 9, line 2\)"):
        rows(write(b"a ||| b\nh\xe4 ||| b\n"))


# ---------------------------------------------------------------- writing


def test_pairs_that_cannot_be_told_apart_are_not_written(tmp_path):
    with pytest.raises(DataError, match=r"Sentence pair 2 has ' \|\|\| ' inside a sentence: 'c \|\|\| d'"):
        write_parallel(tmp_path / "out", [("a", "b"), ("c ||| d", "e")])
    with pytest.raises(DataError, match="line break"):
        write_parallel(tmp_path / "out", [("a", "b\nc")])
    assert not (tmp_path / "out").exists()


SENTENCES = st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs"]), min_size=1), max_size=4).map(
    " ".join
)


@given(pairs=st.lists(st.tuples(SENTENCES, SENTENCES)))
def test_what_is_written_is_read_again(tmp_path_factory, pairs):
    path = tmp_path_factory.mktemp("pairs") / "text"
    kept = [pair for pair in pairs if all("|||" not in side.split(" ") and not side.startswith("\ufeff")
                                          for side in pair)]  # fmt: skip
    write_parallel(path, kept)
    read = [tuple(pair[1:]) for pair in parallel_text(path)]
    assert read == kept


def test_memory_does_not_grow_with_the_file(write):
    path = write("some words of a sentence ||| and as many of its translation\n" * 50_000)
    tracemalloc.start()
    assert sum(1 for _ in parallel_text(path)) == 50_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 500_000
