"""Real vectors and dictionaries from the shared data folder, loaded once, without the project's own readers."""

from __future__ import annotations

import gzip
import os
import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

DATA = Path(os.environ.get("LEXENC_TEST_DATA", Path(__file__).parents[3] / "../shared/data"))


class Words(NamedTuple):
    """The vectors of one language and where each word is."""

    vectors: NDArray[np.float32]
    rows: dict[str, int]


class Benchmark(NamedTuple):
    """Two languages with a dictionary; training and test lines as row numbers, shape [p, 2]."""

    source: Words
    target: Words
    train: NDArray[np.int64]
    test: NDArray[np.int64]


@pytest.fixture(scope="session")
def data() -> Path:
    """The shared data folder."""
    if not (DATA / "static").is_dir():
        pytest.skip(f"The data folder {DATA} is not there; set LEXENC_TEST_DATA.")
    return DATA


def read_dictionary(path: Path, source: dict[str, int], target: dict[str, int]) -> NDArray[np.int64]:
    """Read the lower-cased lines whose words both have vectors, repeats kept."""
    lines = [line.lower().split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    return np.array([(source[a], target[b]) for a, b in lines if a in source and b in target])


def read_vectors(path: Path) -> Words:
    frame = pd.read_csv(path, sep=" ", quoting=3, header=None, skiprows=1, usecols=range(301), dtype={0: str},
                        keep_default_na=False, na_values=[])  # fmt: skip
    words = frame[0].tolist()
    assert len(set(words)) == len(words) > 20_000
    return Words(frame.iloc[:, 1:].to_numpy(np.float32), {word: row for row, word in enumerate(words)})


@pytest.fixture(scope="session")
def english_german(data: Path) -> Benchmark:
    """Real fastText vectors, 300 dimensions, with GT-BLI."""
    source, target = (read_vectors(data / f"static/{language}.fasttext300.vec.gz") for language in ("en", "de"))
    train, test = (
        read_dictionary(data / f"bli/gt/en-de/{name}.tsv", source.rows, target.rows)
        for name in ("train.freq.5k", "test.freq.2k")
    )
    assert (len(train), len(test)) == (3717, 752)
    return Benchmark(source, target, train, test)


def caption_vectors(path: Path, *, size: int = 1000, dimensions: int = 100) -> Words:
    """Count the words around every word of a corpus of captions and reduce the matrix (PPMI and SVD)."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        sentences = [re.findall(r"\w+", line.lower()) for line in lines]
    words = [word for word, _ in Counter(word for words in sentences for word in words).most_common(size)]
    rows = {word: row for row, word in enumerate(words)}
    # Four fillers between sentences, so that no window crosses them.
    text = np.array([rows.get(word, size) for words in sentences for word in [*words, "", "", "", ""]])
    counts = np.zeros((size + 1) ** 2)
    for distance in range(1, 5):
        cells = text[:-distance] * (size + 1) + text[distance:]
        counts += np.bincount(cells, minlength=len(counts)) / distance
    counts = counts.reshape(size + 1, size + 1)[:size, :size]
    counts = counts + counts.T
    context = counts.sum(axis=0) ** 0.75
    share = counts * context.sum() / (counts.sum(axis=1, keepdims=True) * context)
    information = np.log(np.maximum(share, 1.0))
    squares, directions = np.linalg.eigh(information @ information.T)
    vectors = directions[:, -dimensions:] * np.sqrt(np.sqrt(squares[-dimensions:]))
    return Words(vectors.astype(np.float32), rows)


@pytest.fixture(scope="session")
def captions(data: Path) -> Benchmark:
    """Vectors of 1,000 frequent caption words, 100 dimensions: translations are found even with a tiny dictionary."""
    source, target = (caption_vectors(data / f"parallel/multi30k/train.{language}.gz") for language in ("en", "de"))
    pairs = np.concatenate(
        [
            read_dictionary(data / f"bli/gt/en-de/{name}.tsv", source.rows, target.rows)
            for name in ("train.freq.5k", "test.freq.2k")
        ]
    )
    pairs = np.random.default_rng(0).permutation(pairs)
    assert len(pairs) > 300
    return Benchmark(source, target, pairs[:-150], pairs[-150:])
