"""Some words out of files of vectors and words."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from lexenc.errors import DataError
from lexenc.files.chosen import chosen_vectors
from lexenc.files.vec_binary import write_word2vec_binary
from lexenc.files.vectors import read_vectors, save_vectors, write_vec
from lexenc.text.folding import Folding

WORDS = ["the", "House", "new york", "house", "5", "größe"]


@pytest.fixture
def matrix():
    return np.random.default_rng(0).normal(size=(len(WORDS), 4)).astype(np.float32)


@pytest.fixture(params=["folder", "header", "no header", "gzip"])
def place(request, tmp_path, matrix):
    path = tmp_path / "vectors.vec"
    if request.param == "folder":
        save_vectors(tmp_path / "folder", WORDS, matrix)
        return tmp_path / "folder"
    write_vec(path, WORDS, matrix, header=request.param != "no header")
    if request.param == "gzip":
        path.write_bytes(gzip.compress(path.read_bytes()))
    return path


def test_chosen_vectors_are_those_of_the_whole_file(place):
    words, rows = chosen_vectors(place, ["größe", "new york", "5", "absent"])
    assert words == ["new york", "5", "größe"]
    whole = read_vectors(place)
    np.testing.assert_array_equal(rows, whole.matrix[[WORDS.index(word) for word in words]])


def test_the_first_of_forms_that_become_equal_counts(place):
    words, rows = chosen_vectors(place, ["house"], folding=Folding(lowercase=True))
    assert words == ["house"]
    np.testing.assert_array_equal(rows[0], read_vectors(place).matrix[1])
    assert chosen_vectors(place, ["house"])[1][0].tolist() == read_vectors(place).matrix[3].tolist()


def test_nothing_wanted_is_nothing_found(place):
    assert chosen_vectors(place, [])[0] == []


def test_binary_vectors_are_refused(tmp_path, matrix):
    path = tmp_path / "vectors.bin"
    write_word2vec_binary(path, [word.replace(" ", "_") for word in WORDS], matrix)
    with pytest.raises(DataError, match="not a file of text vectors"):
        chosen_vectors(path, ["the"])
