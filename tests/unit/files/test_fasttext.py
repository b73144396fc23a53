"""fastText models: the vectors of the library, bit for bit, and damaged files."""

import random
import struct
from pathlib import Path

import fasttext
import numpy as np
import pytest

from lexenc.errors import DataError, WorkError
from lexenc.files.vec_fasttext import Subwords, check_whole
from lexenc.files.vectors import read_vectors
from lexenc.stages.encoders.train_static import _save, _zeroed_memory

WORDS = ["the", "cät", "sat", "日本語", "a", "🙂🙃", "ко́шка", *(f"w{number}" for number in range(300))]
# Known and unknown words, with one character, no character, a space, bytes that are not UTF-8, and very long.
TEXTS = ["", "</s>", "cät", "a", "日", "new york", "\udce4\udc80x", "\udc80\udc80", "long" * 9000, "<", "W1", "日本"]
# Places of some numbers of the header: dimensions, buckets, shortest and longest n-gram, entries, words, labels.
PLACES = {"dim": 8, "bucket": 40, "minn": 44, "maxn": 48, "entries": 64, "words": 68, "labels": 72, "kept": 84}


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "text"
    chosen = random.Random(1)
    lines = [" ".join(chosen.choices(WORDS, k=10)).encode() for _ in range(300)]
    path.write_bytes(b"\n".join(lines) + b"\n" + b"b\xe4d \x80\x81 c\xe4t\n" * 20)
    (path.parent / "labelled").write_bytes(b"\n".join(b"__label__x " + line for line in lines))
    return path


@pytest.fixture
def train(text, tmp_path):
    """Train a model; return its path and the model as the library reads it."""

    def make(kind="unsupervised", quantise=None, **settings):
        path = text if kind == "unsupervised" else text.parent / "labelled"
        settings = {"dim": 4, "minCount": 1, "epoch": 1, "thread": 1, "verbose": 0, "bucket": 500, **settings}
        with _zeroed_memory():
            model = getattr(fasttext, f"train_{kind}")(str(path), **settings)
        if quantise is not None:
            model.quantize(input=str(path), thread=1, **quantise)
        model.save_model(str(tmp_path / "model.bin"))
        return tmp_path / "model.bin", fasttext.load_model(str(tmp_path / "model.bin"))

    return make


def of_library(model, words):
    return np.array([model.get_word_vector(word.encode("utf-8", "surrogateescape")) for word in words])


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"dim": 1},
        {"dim": 2, "minn": 1, "maxn": 3},
        {"dim": 50, "minn": 0, "maxn": 8},
        {"minn": 0, "maxn": 0},
        {"minn": 5, "maxn": 4},
        {"kind": "supervised", "minn": 2, "maxn": 3},
        {"kind": "supervised", "dim": 7, "minn": 2, "maxn": 3, "quantise": {}},
        {"kind": "supervised", "minn": 2, "maxn": 3, "quantise": {"qnorm": True}},
        {"kind": "supervised", "dim": 5, "minn": 2, "maxn": 3, "quantise": {"cutoff": 300, "retrain": True}},
    ],
    ids=str,
)
def test_vectors_are_those_of_the_library(train, settings):
    path, model = train(**settings)
    words = model.get_words(on_unicode_error="surrogateescape")
    ours = Subwords(path)
    assert (ours.words, ours.dimensions) == (words, model.get_dimension())
    assert (ours.vectors([*TEXTS, *words]).view(np.uint32) == of_library(model, [*TEXTS, *words]).view(np.uint32)).all()
    np.testing.assert_array_equal(read_vectors(path).matrix, of_library(model, words))


def test_a_label_without_a_row_has_no_vector(train):
    path, _ = train(kind="supervised")
    assert not Subwords(path).vectors(["__label__x"]).any()


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("dim", 0, "0 dimensions"),
        ("dim", 2**31 - 1, "its matrix has 4"),
        ("bucket", 0, "0 buckets"),
        ("bucket", 10**6, "needs 1,000,3"),
        ("minn", -1, "-1 to 6 characters"),
        ("maxn", 2**31 - 1, "3 to 2147483647 characters"),
        ("entries", 2**31 - 1, "entries"),
        ("words", -1, "entries"),
        ("kept", 2**30, "ends too early"),
        ("kept", 0, "it is not quantised"),
    ],
)
def test_a_wrong_header_is_found_before_memory_is_reserved(train, place, value, message):
    path, _ = train()
    raw = bytearray(path.read_bytes())
    raw[PLACES[place] : PLACES[place] + 4] = struct.pack("<i", value)
    if place == "kept":
        raw[88:92] = bytes(4)
    path.write_bytes(raw)
    with pytest.raises(DataError, match=message) as error:
        read_vectors(path)
    assert str(path) in str(error.value)


def test_a_matrix_without_rows_may_not_claim_any_width(tmp_path):
    # Damage at random: 0 rows of very many numbers, which are too many for an array.
    damaged = (
        "ba164f2f0c00000000000040050000002c0500000001000000050000000100000003000000640000002d431cebe2361a"
        "3f0000000020000000000000000000000000000000000000000000000000000000300000000000000000008000000000"
        "0000000000e280cd072cd8be6f"
    )
    path = tmp_path / "model.bin"
    path.write_bytes(bytes.fromhex(damaged))
    with pytest.raises(DataError):
        read_vectors(path)


def test_numbers_that_are_not_finite_are_refused(train):
    path, _ = train(minn=0, maxn=0)
    raw = path.read_bytes()
    # The number of columns of the first of two matrices of the same size, and its first number.
    at = raw.rindex(struct.pack("<q", 4), 0, len(raw) // 2 + 60) + 8
    path.write_bytes(raw[:at] + struct.pack("<f", np.nan) + raw[at + 4 :])
    with pytest.raises(DataError, match=r"the vector of '.*' has a number that is not finite"):
        read_vectors(path)


@pytest.mark.parametrize("settings", [{}, {"kind": "supervised", "minn": 2, "maxn": 3, "quantise": {"qnorm": True}}])
def test_a_file_cut_anywhere_is_refused(train, settings):
    path, _ = train(**settings)
    raw, whole = path.read_bytes(), len(path.read_bytes())
    for length in [*range(4, 120), *range(120, whole, whole // 50), whole - 1]:
        path.write_bytes(raw[:length])
        with pytest.raises(DataError):
            read_vectors(path)


@pytest.mark.parametrize("settings", [{}, {"kind": "supervised", "minn": 2, "maxn": 3, "quantise": {"qnorm": True}}])
def test_changed_bytes_give_vectors_or_an_error(train, settings):
    path, _ = train(**settings)
    raw, chosen = path.read_bytes(), random.Random(3)
    for _ in range(150):
        changed = bytearray(raw)
        at = chosen.randrange(chosen.choice([100, 400, len(raw) - 8]))
        changed[at : at + 4] = struct.pack("<i", chosen.choice([0, -1, 2**31 - 1, chosen.randrange(1 << 20)]))
        path.write_bytes(changed)
        try:
            assert np.isfinite(Subwords(path).vectors(TEXTS[:3])).all()
        except DataError:
            continue


@pytest.mark.parametrize("change", [-1, -3000, 1])
def test_a_model_of_another_size_is_not_whole(train, change):
    path, _ = train()
    check_whole(path)
    data = path.read_bytes()
    path.write_bytes(data[:change] if change < 0 else data + b"x")
    with pytest.raises(DataError, match="ends too early" if change < 0 else "1 bytes follow its end"):
        check_whole(path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_model_that_does_not_fit_on_the_disk_is_an_error(train, tmp_path):
    _, model = train()
    (tmp_path / "full").symlink_to("/dev/full")
    with pytest.raises(WorkError, match="could not be written as a whole"):
        _save(model, tmp_path / "full")
    with pytest.raises(WorkError, match="could not be written as a whole"):
        _save(model, tmp_path / "missing" / "model.bin")
