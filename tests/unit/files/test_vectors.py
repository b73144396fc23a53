from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest

from lexenc.errors import ConfigError, DataError
from lexenc.files.chosen import chosen_vectors
from lexenc.files.hubs import is_hub
from lexenc.files.vec_binary import write_word2vec_binary
from lexenc.files.vec_fasttext import Subwords
from lexenc.files.vec_report import Finding
from lexenc.files.vec_text import line_blocks
from lexenc.files.vectors import (
    index_of,
    load_vectors,
    read_two,
    read_vectors,
    save_vectors,
    write_vec,
)
from lexenc.stages.encoders.train_static import _zeroed_memory


@pytest.fixture
def write(tmp_path):
    def make(content: bytes, name: str = "x.vec"):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return make


def same(vectors, words, rows):
    assert vectors.words == words
    assert vectors.matrix.dtype == np.float32
    assert vectors.matrix.flags.c_contiguous
    np.testing.assert_array_equal(vectors.matrix, np.array(rows, np.float32))


def findings(vectors):
    return {finding: (count, vectors.report.first_lines[finding]) for finding, count in vectors.report.counts.items()}


def test_a_regular_file_has_nothing_to_report(write):
    vectors = read_vectors(write(b"2 3\nthe 0.1 -0.25 3\ncat 1e-3 .5 -7.\n"))
    same(vectors, ["the", "cat"], [[0.1, -0.25, 3], [1e-3, 0.5, -7]])
    assert vectors.report.counts == {}
    assert vectors.report.declared_rows == 2


def test_trailing_spaces_of_fasttext_are_no_finding(write):
    vectors = read_vectors(write(b"2 2\na 1 2 \nb 3 4 \n"))
    same(vectors, ["a", "b"], [[1, 2], [3, 4]])
    assert vectors.report.counts == {}


def test_headerless_text(write):
    vectors = read_vectors(write(b"a 1 2\nb 3 4", "glove.txt"))
    same(vectors, ["a", "b"], [[1, 2], [3, 4]])
    assert findings(vectors) == {Finding.NO_HEADER: (1, 1)}


def test_every_tolerated_oddity_is_counted_with_its_first_line(write):
    content = b"\xef\xbb\xbf9 2\na 1 2\r\nb c 3 4\na 9 9\n\n 5 6\nz 0 -0\nf\xfcr 1 1\n"
    content += b"d\xc2\xa0e\xe2\x80\xa8f\xc2\x85\t1 1\r\n"
    vectors = read_vectors(write(content))
    words = ["a", "b c", "z", "f\udcfcr", "d\u00a0e\u2028f\u0085"]
    same(vectors, words, [[1, 2], [3, 4], [0, 0], [1, 1], [1, 1]])
    assert findings(vectors) == {
        Finding.BOM: (1, 1),
        Finding.CRLF: (2, 2),
        Finding.SPACED: (1, 3),
        Finding.DUPLICATE: (1, 4),
        Finding.BLANK: (1, 5),
        Finding.EMPTY_WORD: (1, 6),
        Finding.ZERO: (1, 7),
        Finding.NOT_UTF8: (1, 8),
        Finding.HEADER_COUNT: (1, 1),
    }
    said = [sentence.removeprefix(f"{vectors.report.source}: ") for sentence in vectors.report.sentences()]
    assert set(said) == {
        "byte order mark dropped.",
        "2 lines with a carriage return at the end (first: line 2).",
        "1 word with spaces kept (line 3).",
        "1 row with a repeated word skipped (line 4).",
        "1 blank line skipped (line 5).",
        "1 line without a word skipped (line 6).",
        "1 vector of zeros kept (line 7).",
        "1 word that is not UTF-8 kept byte for byte (line 8).",
        "header with a wrong number of rows.",
    }


@pytest.mark.parametrize(
    ("line", "finding", "text"),
    [
        (b"w 1", Finding.WRONG_LENGTH, "2 cells, expected 3 (the word and 2 numbers)"),
        (b"w 1 nan", Finding.NON_FINITE, "cell 3 is 'nan', not a finite number"),
        (b"w 1e39 1", Finding.NON_FINITE, "cell 2 is '1e39'"),
        (b"w x 1", Finding.NOT_A_NUMBER, "cell 2 is 'x', not a number"),
        (b"w 1  2", Finding.NOT_A_NUMBER, "cell 3 is empty"),
        (b"w 1 1_0", Finding.NOT_A_NUMBER, "'1_0'"),
    ],
)
def test_bad_lines(write, line, finding, text):
    path = write(b"3 2\na 1 2\n" + line + b"\nb 3 4\n")
    with pytest.raises(DataError, match=r"x\.vec, line 3: ") as error:
        read_vectors(path)
    assert text in error.value.message
    assert "add --bad-lines skip (map, map-hub, apply-mapping)" in error.value.hint
    vectors = read_vectors(path, bad_lines="skip")
    same(vectors, ["a", "b"], [[1, 2], [3, 4]])
    assert findings(vectors) == {finding: (1, 3)}


def test_line_numbers_beyond_the_first_block(write):
    lines = [b"w%d 0.125 2 3 4" % i for i in range(50_000)]
    lines[40_000] = b"w 1 2 3"
    lines[45_000] = b"w7 1 2 3 4"
    path = write(b"\n".join([b"50000 4", *lines]))
    with pytest.raises(DataError, match="line 40002: 4 cells, expected 5"):
        read_vectors(path)
    vectors = read_vectors(path, bad_lines="skip")
    assert len(vectors.words) == 49_998
    assert findings(vectors) == {Finding.WRONG_LENGTH: (1, 40_002), Finding.DUPLICATE: (1, 45_002)}
    assert (vectors.matrix == [0.125, 2, 3, 4]).all()


def test_last_duplicate(write):
    vectors = read_vectors(write(b"4 1\na 1\nb 2\na 3\nc 4\n"), duplicates="last")
    same(vectors, ["b", "a", "c"], [[2], [3], [4]])
    assert findings(vectors) == {Finding.DUPLICATE: (1, 4)}


def test_the_limit_counts_words_and_stops_before_a_fault(write):
    path = write(b"5 2\na 1 2\na 8 8\nb 3 4\nbroken\nc 1 1\n")
    same(read_vectors(path, limit=2), ["a", "b"], [[1, 2], [3, 4]])
    assert read_vectors(path, limit=9, bad_lines="skip").words == ["a", "b", "c"]
    with pytest.raises(ConfigError, match="at least 1"):
        read_vectors(path, limit=0)


@pytest.mark.parametrize("declared", [0, 1, 7, 10**15])
def test_a_wrong_header_count_does_not_matter(write, declared):
    vectors = read_vectors(write(b"%d 2\na 1 2\nb 3 4\n" % declared))
    same(vectors, ["a", "b"], [[1, 2], [3, 4]])
    assert findings(vectors) == {Finding.HEADER_COUNT: (1, 1)}


def test_more_numbers_than_the_header_says_do_not_become_words(write):
    with pytest.raises(DataError, match="line 1: the header says 2 columns, but most lines have 4"):
        read_vectors(write(b"2 2\na 1 2 3 4\nb 1 2 3 4\n"))


PHRASE_LINES = [b"windows 10 0.1 0.2 0.3", b"new york 0.2 0.3 0.4", b"1984 0.3 0.4 0.5", b"cat 0.5 0.6 0.7"]
PHRASE_LINES.append(b"1 000 1 0 0.5")


@pytest.mark.parametrize("header", [b"", b"5 3\n", b"\xef\xbb\xbf5 3\r\n"])
@pytest.mark.parametrize("first", range(5))
@pytest.mark.parametrize("tabs", ["no", "after words", "all"])
def test_the_order_of_phrases_with_numbers_does_not_matter(write, header, first, tabs):
    lines = PHRASE_LINES[first:] + PHRASE_LINES[:first]
    split = [line.rsplit(b" ", 3) for line in lines]
    if tabs != "no":
        mark = b" " if tabs == "after words" else b"\t"
        lines = [word + b"\t" + mark.join(numbers) for word, *numbers in split]
    vectors = read_vectors(write(header + b"\n".join(lines)))
    same(vectors, [word.decode() for word, *_ in split], [[float(cell) for cell in row] for _, *row in split])
    assert vectors.report.counts.get(Finding.NO_HEADER, 0) == (not header)
    found = chosen_vectors(write(header + b"\n".join(lines)), {"windows 10", "1984", "10"})
    assert sorted(found[0]) == ["1984", "windows 10"]
    assert found[1].shape == (2, 3)


def test_columns_are_those_of_most_lines_beyond_the_first_block(write):
    """Many phrases in front end in a number, and a damaged line has too few."""
    phrases = [b"area %d 0.25 0.5 0.125" % i for i in range(20, 6000)]
    words = [b"w%d 0.25 0.5 0.125" % i for i in range(7000)]
    vectors = read_vectors(write(b"\n".join(phrases + words)))
    assert (len(vectors.words), vectors.words[0], vectors.matrix.shape[1]) == (12_980, "area 20", 3)
    with pytest.raises(DataError, match="line 12981: 3 cells, expected 4"):
        read_vectors(write(b"\n".join([*phrases, *words, b"cut 0.25 0.5"])))
    with pytest.raises(DataError, match="line 1: 3 cells, expected 4"):
        read_vectors(write(b"\n".join([b"cut 0.25 0.5", *phrases, *words])))


def test_columns_that_are_not_certain_are_refused(write):
    lines = b"windows 10 0.1 0.2\narea 51 0.2 0.3\nroute 66 0.5 0.5\n"
    with pytest.raises(DataError, match="line 1: there is no header, and the lines do not show") as error:
        read_vectors(write(lines), bad_lines="skip")
    assert "first line" in error.value.hint
    assert read_vectors(write(b"3 2\n" + lines)).words == ["windows 10", "area 51", "route 66"]
    assert read_vectors(write(b"3 3\n" + lines)).words == ["windows", "area", "route"]
    with pytest.raises(DataError, match="the header says 2 columns, but most lines have 4"):
        read_vectors(write(b"4 2\na b 1 2\n" + b"c 0.5 0.5 0.5 0.5\n" * 9))


@pytest.mark.parametrize("content", [b"", b"\n\n", b"2 3\n", b"\xef\xbb\xbf", b"word\nother\n", b"3 0\na\n"])
def test_nothing_to_read(write, content):
    with pytest.raises(DataError):
        read_vectors(write(content))


@pytest.mark.parametrize("magic", [b"\x93NUMPY", b"PK\x03\x04", b"\x80\x02}q"])
def test_other_formats_are_named(write, magic):
    with pytest.raises(DataError) as error:
        read_vectors(write(magic + b"x" * 50))
    assert error.value.hint


def test_gzip_is_seen_by_content(write):
    packed = gzip.compress(b"2 2\na 1 2\nb 3 4\n" * 1)
    same(read_vectors(write(packed, "plain-name")), ["a", "b"], [[1, 2], [3, 4]])
    with pytest.raises(DataError, match="damaged"):
        read_vectors(write(packed[:-12]))


def test_a_missing_file(tmp_path):
    with pytest.raises(DataError, match="no file"):
        read_vectors(tmp_path / "none.vec")


def test_long_numbers_and_long_lines(write):
    row = [f"{(-1) ** i * i / 7:.17g}" for i in range(3000)]
    vectors = read_vectors(write(b"a " + " ".join(row).encode() + b"\n"))
    np.testing.assert_array_equal(vectors.matrix[0], np.array(row, np.float64).astype(np.float32))


def test_blocks_are_whole_lines(write):
    path = write(b"ab\n" + b"x" * 100 + b"\ncd")
    with path.open("rb") as stream:
        blocks = [bytes(room[start:end]) for room, start, end in line_blocks(stream, 8)]
    assert all(block.endswith(b"\n") for block in blocks)
    assert b"".join(blocks) == path.read_bytes() + b"\n"
    assert len(blocks) > 1


def test_two_files_at_once(write):
    first, second = write(b"1 2\na 1 2\n", "a.vec"), write(b"b 3 4 5\n", "b.vec")
    left, right = read_two(first, second)
    same(left, ["a"], [[1, 2]])
    same(right, ["b"], [[3, 4, 5]])


WORDS = ["the", "a\u00a0b", "f\udcfcr", "", "日本"]
MATRIX = np.arange(20, dtype=np.float32).reshape(5, 4) / 7 - 1


def test_folders(tmp_path):
    save_vectors(tmp_path / "f", WORDS, MATRIX)
    assert (tmp_path / "f" / "words.txt").read_bytes() == b"the\na\xc2\xa0b\nf\xfcr\n\n\xe6\x97\xa5\xe6\x9c\xac\n"
    for mmap in (False, True):
        same(load_vectors(tmp_path / "f", mmap=mmap), WORDS, MATRIX)
    vectors = read_vectors(tmp_path / "f", limit=3)
    same(vectors, WORDS[:3], MATRIX[:3])
    assert vectors.report.form == "folder"
    assert findings(vectors) == {Finding.NOT_UTF8: (1, 3)}
    assert [path.name for path in sorted((tmp_path / "f").iterdir())] == ["vectors.npy", "words.txt"]


def test_folder_precisions_and_faults(tmp_path):
    (tmp_path / "words.txt").write_bytes(b"a\nb\na\n")
    for kind in (np.float16, np.float64):
        np.save(tmp_path / "vectors.npy", np.array([[1, 2], [3, 4], [5, 6]], kind))
        same(load_vectors(tmp_path), ["a", "b", "a"], [[1, 2], [3, 4], [5, 6]])
        same(read_vectors(tmp_path), ["a", "b"], [[1, 2], [3, 4]])
        same(read_vectors(tmp_path, duplicates="last"), ["b", "a"], [[3, 4], [5, 6]])
    np.save(tmp_path / "vectors.npy", np.array([[1, 2], [3, np.inf], [5, 6]], np.float32))
    with pytest.raises(DataError, match="row 2: the vector of 'b'"):
        read_vectors(tmp_path)
    np.save(tmp_path / "vectors.npy", np.zeros((2, 2), np.float32))
    with pytest.raises(DataError, match="3 words and 2 vectors"):
        load_vectors(tmp_path)
    np.save(tmp_path / "vectors.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(DataError, match=r"vectors\.npy"):
        load_vectors(tmp_path)
    (tmp_path / "vectors.npy").unlink()
    with pytest.raises(DataError, match="There is no"):
        load_vectors(tmp_path)


def test_vec_bytes(tmp_path):
    write_vec(tmp_path / "x.vec", ["f\udcfcr", "%d"], np.array([[0.1, -1e-7], [123456.7, 0]], np.float32))
    assert (tmp_path / "x.vec").read_bytes() == b"2 2\nf\xfcr 0.1 -1e-07\n%d 123457 0\n"
    write_vec(tmp_path / "y.txt", ["a"], np.ones((1, 2), np.float32), header=False)
    assert (tmp_path / "y.txt").read_bytes() == b"a 1 1\n"


def test_a_failed_write_leaves_nothing(tmp_path):
    for write in (write_vec, write_word2vec_binary):
        with pytest.raises(DataError):
            write(tmp_path / "x", ["a\nb"], np.ones((1, 2), np.float32))
    with pytest.raises(DataError):
        write_word2vec_binary(tmp_path / "x", ["a", "b c"], np.ones((2, 2), np.float32))
    with pytest.raises(ValueError, match="1 words"):
        write_vec(tmp_path / "x", ["a"], np.ones((2, 2), np.float32))
    assert list(tmp_path.iterdir()) == []


def test_word2vec_binary(tmp_path, write):
    words = ["the", "a\u00a0b", "f\udcfcr"]
    write_word2vec_binary(tmp_path / "x.vec", words, MATRIX[:3])
    vectors = read_vectors(tmp_path / "x.vec")
    same(vectors, words, MATRIX[:3])
    assert vectors.report.form == "word2vec binary"
    same(read_vectors(tmp_path / "x.vec", limit=2), words[:2], MATRIX[:2])
    packed = write(gzip.compress((tmp_path / "x.vec").read_bytes()), "x.bin.gz")
    same(read_vectors(packed), words, MATRIX[:3])
    with pytest.raises(DataError, match="ends in row 3"):
        read_vectors(write((tmp_path / "x.vec").read_bytes()[:-3], "short.bin"))


def test_word2vec_binary_whose_bytes_read_as_a_line(write):
    """The bytes of this number are `0`, a line feed, and two letters."""
    (value,) = struct.unpack("<f", b"0\n'I")
    for end in (b"\n", b""):
        vectors = read_vectors(write(b"1 1\na " + struct.pack("<f", value) + end, "x.bin"))
        assert (vectors.words, vectors.matrix.tolist()) == (["a"], [[value]])
    assert read_vectors(write(b"2 1\na 0\nb 1\n", "text.bin")).words == ["a", "b"]


def test_word2vec_binary_with_line_feeds_and_duplicates(write):
    rows = [(b"a", 1.0), (b"b", 2.0), (b"a", 3.0), (b"n", float("nan"))]
    content = b"4 1\n" + b"".join(word + b" " + struct.pack("<f", value) + b"\n" for word, value in rows)
    path = write(content, "x.bin")
    with pytest.raises(DataError, match="row 4"):
        read_vectors(path)
    same(read_vectors(path, bad_lines="skip"), ["a", "b"], [[1], [2]])
    last = read_vectors(path, bad_lines="skip", duplicates="last")
    same(last, ["b", "a"], [[2], [3]])
    assert findings(last) == {Finding.DUPLICATE: (1, 3), Finding.NON_FINITE: (1, 4)}


def binary(words, matrix, end=b"", header=None):
    rows = [word.encode() + b" " + vector.tobytes() + end for word, vector in zip(words, matrix, strict=True)]
    return b"%d %d\n" % (header or len(words), matrix.shape[1]) + b"".join(rows)


TRAINED = np.random.default_rng(0).standard_normal((9, 300)).astype(np.float32)
PHRASES = ["a", "new york", "tree", "print preview", "New York City", "x", " y", "windows 10", "für immer"]


@pytest.mark.parametrize("end", [b"", b"\n"])
@pytest.mark.parametrize("width", [16, 50, 300])
@pytest.mark.parametrize("first", range(4))
def test_words_with_spaces_in_word2vec_binary_are_whole(write, end, width, first):
    words, matrix = PHRASES[first:], TRAINED[first:, :width] * 0.01
    for content in (binary(words, matrix, end), gzip.compress(binary(words, matrix, end))):
        vectors = read_vectors(write(content, "x.bin"), bad_lines="skip")
        same(vectors, words, matrix)
        spaced = [row for row, word in enumerate(words, 1) if " " in word]
        assert findings(vectors) == {Finding.SPACED: (len(spaced), spaced[0])}


def test_a_row_of_word2vec_binary_whose_end_is_not_certain_is_refused(write):
    """After a byte more, as when a file is copied as text, or less, no row fits; nothing may be skipped."""
    content = binary(["cat", "dog", "tree", "sun"], TRAINED[:4, :50])
    at = content.index(b"tree")
    for damaged in (
        content[:at] + b"\r" + content[at + 9 :],
        content[: at + 20] + b"\r" + content[at + 20 :],
        content[: at - 1] + content[at:],
    ):
        for bad_lines in ("error", "skip"):
            with pytest.raises(DataError, match=r"x\.bin, row [23]: the word that begins with '(dog|tree)'") as error:
                read_vectors(write(damaged, "x.bin"), bad_lines=bad_lines)
            assert "underscores" in error.value.hint


def test_odd_words_and_numbers_of_word2vec_binary_are_no_wrong_position(write):
    """Words in Latin-1, control characters, and numbers far from usual, one at a time."""
    for word in ("f\udcfcr", "a\rb", "\x1f", "\u0085"):
        content = binary(["cat", "dog"], TRAINED[:2, :50]).replace(b"dog", word.encode("utf-8", "surrogateescape"))
        assert read_vectors(write(content, "x.bin")).words == ["cat", word]
    for number in (1e30, -1e-30, 1e-42, 3e38):
        matrix = TRAINED[:4, :50].copy()
        matrix[2, 7] = number
        vectors = read_vectors(write(binary(["a", "b", "c", "d"], matrix), "x.bin"))
        same(vectors, ["a", "b", "c", "d"], matrix)
        assert findings(vectors) == {Finding.UNUSUAL: (1, 3)}


@pytest.mark.parametrize("end", [b"", b"\n"])
@pytest.mark.parametrize("header", [1, 3, 99])
def test_a_wrong_number_of_rows_in_word2vec_binary_does_not_matter(write, end, header):
    words, matrix = ["cat", "dog", "new york", "tree"], TRAINED[:4, :3]
    content = binary(words, matrix, end, header)
    vectors = read_vectors(write(content, "x.bin"))
    same(vectors, words, matrix)
    assert findings(vectors) == {Finding.SPACED: (1, 3), Finding.HEADER_COUNT: (1, 1)}
    assert read_vectors(write(content, "x.bin"), limit=2).report.counts == {}


def test_words_of_word2vec_binary_that_are_utf8_only_together(write):
    content = binary([f"w{row}" for row in range(300)], np.tile(TRAINED[:1, :20], (300, 1)))
    content = content.replace(b"w150", b"w15\xc3").replace(b"w151", b"\xa451")
    vectors = read_vectors(write(content, "x.bin"))
    assert (vectors.words[150:152], len(vectors.words)) == (["w15\udcc3", "\udca451"], 300)
    assert findings(vectors) == {Finding.NOT_UTF8: (2, 151)}


def test_a_header_of_word2vec_binary_with_too_many_columns(write):
    with pytest.raises(DataError, match="999,999,999 columns, at most 65,536"):
        read_vectors(write(b"3 999999999\n" + binary(["cat", "dog"], TRAINED[:2])[6:], "x.bin"))


def test_bytes_after_the_last_row_of_word2vec_binary_are_reported(write):
    vectors = read_vectors(write(binary(["cat", "dog"], TRAINED[:2]) + b"end of file", "x.bin"))
    assert findings(vectors) == {Finding.BYTES_LEFT: (1, 3)}
    with pytest.raises(DataError, match="ends in row 2 of 2"):
        read_vectors(write(binary(["cat", "dog"], TRAINED[:2])[:-700], "x.bin"))


def test_fasttext_models(tmp_path):
    fasttext = pytest.importorskip("fasttext")
    (tmp_path / "text").write_bytes(b"the c\xe4t sat on the mat\n" * 30)
    with _zeroed_memory():
        model = fasttext.train_unsupervised(str(tmp_path / "text"), dim=4, minCount=1, epoch=1, thread=1, verbose=0)
    model.save_model(str(tmp_path / "m.vec"))
    vectors = read_vectors(tmp_path / "m.vec", limit=3)
    assert vectors.words == ["the", "c\udce4t", "sat"]
    assert vectors.report.form == "fastText model"
    (tmp_path / "m.vec.gz").write_bytes(gzip.compress((tmp_path / "m.vec").read_bytes()))
    for reader in (read_vectors, Subwords):
        with pytest.raises(DataError, match="is a packed fastText model"):
            reader(tmp_path / "m.vec.gz")
    np.testing.assert_array_equal(vectors.matrix[2], model.get_word_vector("sat"))
    np.testing.assert_array_equal(
        Subwords(tmp_path / "m.vec").vectors(["matted", "sat"]),
        [model.get_word_vector("matted"), model.get_word_vector("sat")],
    )


def test_index():
    assert index_of(["a", "b", "a"]) == {"a": 0, "b": 1}


@pytest.mark.parametrize(
    ("matrix", "said"),
    [
        (np.array([[1, np.nan]], "f4"), "row 1: the vector of 'a' has a number that is not finite"),
        (np.array([[1, 1e300]], "f8"), "row 1: the vector of 'a' has a number that is not finite"),
        (np.ones((1, 0), "f4"), "vectors without a number"),
        (np.ones((2, 2), "f4"), "1 word and 2 vectors"),
        (np.ones((1, 2), "i4"), "expected a table of floats"),
        (np.ones(2, "f4"), "expected a table of floats"),
    ],
)
@pytest.mark.parametrize("mmap", [False, True])
def test_a_damaged_folder_is_one_error(tmp_path, matrix, said, mmap):
    np.save(tmp_path / "vectors.npy", matrix)
    (tmp_path / "words.txt").write_text("a\n")
    with pytest.raises(DataError, match=said):
        load_vectors(tmp_path, mmap=mmap)


def test_vectors_in_the_order_of_columns_are_read(tmp_path):
    np.save(tmp_path / "vectors.npy", np.asfortranarray(np.arange(6, dtype="f4").reshape(3, 2)))
    (tmp_path / "words.txt").write_text("a\nb\nc\n")
    assert load_vectors(tmp_path).matrix.tolist() == [[0, 1], [2, 3], [4, 5]]


def test_a_list_of_words_without_measure_is_refused(tmp_path):
    np.save(tmp_path / "vectors.npy", np.ones((1, 2), "f4"))
    with (tmp_path / "words.txt").open("wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(DataError, match="only 0 were ever written"):
        load_vectors(tmp_path)


def test_a_path_that_no_file_can_have_is_no_hub(tmp_path):
    assert not is_hub(tmp_path / ("x" * 300))
