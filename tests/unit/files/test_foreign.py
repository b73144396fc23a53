"""Files of other kinds are named, with what converts them, by every reader of text and of vectors."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickle
import struct
import tarfile
import zipfile

import numpy as np
import pytest

from lexenc.errors import DataError
from lexenc.files.chosen import chosen_vectors
from lexenc.files.concepts import stream_mentions
from lexenc.files.dictionaries import read_pairs
from lexenc.files.exchange.xml import root_name
from lexenc.files.lexicons import read_review
from lexenc.files.parallel import parallel_text
from lexenc.files.similarity import read_similarity_file
from lexenc.files.text import read_lines
from lexenc.files.vec_fasttext import Subwords
from lexenc.files.vectors import read_vectors
from lexenc.files.vocabularies import read_vocabulary

VEC = b"2 3\ncat 1 2 3\nh\xc3\xa4u 3 2 1\n"


def old_fasttext() -> bytes:
    settings = struct.pack("<12id", 10, 5, 5, 1, 5, 1, 2, 2, 2000, 3, 6, 100, 1e-4)
    return settings + struct.pack("<3iq", 2, 2, 0, 100) + b"cat\0" + struct.pack("<qb", 5, 0) + bytes(200)


def archive(*names: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as packed:
        for name in names:
            packed.writestr(name, VEC)
    return made.getvalue()


def tarred() -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as packed:
        packed.addfile(tarfile.TarInfo("x.vec"))
    return made.getvalue()


def npz() -> bytes:
    made = io.BytesIO()
    np.savez(made, words=np.array(["a"]), vectors=np.eye(1))
    return made.getvalue()


GENSIM = b"cgensim.models.keyedvectors\nKeyedVectors\nq\x00)\x81q\x01."
KINDS = {
    "old fastText": (old_fasttext(), "a fastText model from before 2017", "print-vectors PATH <"),
    **{
        f"pickle {protocol}": (pickle.dumps({"cat": [1.0]}, protocol), f"(protocol {protocol})", ".vec")
        for protocol in (2, 3, 4, 5)
    },
    "gensim model": (
        b"\x80\x04\x95\x00\x8c\x15gensim.models.word2vec\x94\x8c\x08Word2Vec\x94\x93",
        "(protocol 4)",
        "from gensim.models.word2vec import Word2Vec; Word2Vec.load('PATH').wv.save_word2vec_format('PATH.vec')",
    ),
    "gensim": (b"\x80\x03" + GENSIM, "(protocol 3)", "KeyedVectors.load('PATH').save_word2vec_format('PATH.vec')"),
    "old PyTorch": (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M", "a PyTorch file", "--encoder"),
    "PyTorch": (archive("archive/data.pkl"), "a PyTorch file", "--encoder"),
    "bzip2": (bz2.compress(VEC), "packed with bzip2", "bzip2 -dc PATH"),
    "xz twice": (lzma.compress(lzma.compress(VEC)), "packed twice with xz", "xz -dc < PATH"),
    "Zstandard": (b"\x28\xb5\x2f\xfd\x04\x00" + VEC, "packed with Zstandard", "zstd -dc PATH"),
    "gzip twice": (gzip.compress(VEC), "packed twice with gzip", "gzip -dc < PATH"),
    "zip": (archive("en.vec"), "a zip archive", "unzip PATH"),
    "tar": (tarred(), "a tar archive", "tar -xf PATH"),
    "npz": (npz(), "a NumPy archive", ".vec text"),
    "npy": (b"\x93NUMPY\x01\x00v\x00{'descr': '<f4'}\n", "a NumPy array", "words.txt"),
    "Excel": (archive("[Content_Types].xml", "xl/workbook.xml"), "a spreadsheet or document", "CSV in UTF-8"),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + bytes(99), "an HDF5 file", "pandas.read_hdf('PATH').to_csv('PATH.vec', sep=' '"),
    "Parquet": (b"PAR1\x15\x04" + bytes(99), "a Parquet file", "pandas.read_parquet('PATH').to_csv('PATH.tsv'"),
    "Arrow": (b"ARROW1\0\0" + bytes(99), "an Arrow file", "pandas.read_feather('PATH')"),
    "safetensors": (struct.pack("<Q", 9) + b'{"a":{}} ' + bytes(9), "a safetensors file", "no words"),
    "Magnitude": (b"SQLite format 3\0" + bytes(99), "an SQLite database", ".vec"),
    "Git LFS": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n",
        "a pointer of Git LFS",
        "git lfs pull",
    ),
    "web page": (b"\n<!DOCTYPE html>\n<html><body>404</body></html>\n", "HTML, a web page", "download the file again"),
    "refusal": (b"<?xml version='1.0'?>\n<Error><Code>NoSuchKey", "an error message of a server", "Download the file"),
    "picture": (b"\x89PNG\r\n\x1a\n", "a picture", "UTF-8 text"),
}
READERS = {
    "vectors": read_vectors,
    "subwords": Subwords,
    "lines": lambda path: list(read_lines(path)),
    "dictionary": read_pairs,
    "vocabulary": read_vocabulary,
    "review": read_review,
    "parallel text": lambda path: list(parallel_text(path)),
    "similarity": read_similarity_file,
    "XML": root_name,
    "chosen vectors": lambda path: chosen_vectors(path, ["cat"]),
    "mentions": lambda path: list(stream_mentions(path)),
}


def refusal(reader, path):
    with pytest.raises(DataError) as caught:
        READERS[reader](path)
    assert caught.value.message.startswith(f"{path} is ")
    return caught.value


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_named_by_every_reader(tmp_path, kind, reader):
    content, named, hint = KINDS[kind]
    path = tmp_path / "x.vec"
    for packed in (False, True):
        path.write_bytes(gzip.compress(content) if packed or kind == "gzip twice" else content)
        error = refusal(reader, path)
        assert named in error.message
        assert hint.replace("PATH", str(path)) in error.hint


@pytest.mark.parametrize("reader", ["vectors", "lines", "dictionary", "parallel text", "vocabulary"])
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("mark", ["\ufeff", ""])
def test_utf_16_is_named_by_every_reader(tmp_path, reader, encoding, mark):
    path = tmp_path / "x.vec"
    path.write_bytes((mark + VEC.decode()).encode(encoding))
    error = refusal(reader, path)
    assert error.message.startswith(f"{path} is not UTF-8 but UTF-16")
    name = "utf-16" if mark else encoding.replace("16-", "16")
    assert error.hint == f"Convert it: iconv -f {name} -t utf-8 {path}"


def test_text_and_vectors_are_no_other_kind(tmp_path):
    """Numbers that begin like those of another kind, and texts about pages and pickles."""
    for content in (b"PAR1\tprotein\n", b"<h1>\ttitle\n", b"html\tHTML\n", b"a\x00b\tc\n", b"BZh\tBozen\n"):
        path = tmp_path / "x"
        path.write_bytes(content)
        assert len(read_pairs(path)) == 1
