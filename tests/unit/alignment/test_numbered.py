"""A corpus as numbers: the same pair of words has the same number wherever it stands."""

from __future__ import annotations

import numpy as np
import pytest

from lexenc.alignment import numbered
from lexenc.alignment.numbered import Bitext, Side
from lexenc.errors import WorkError


def side(sentences, types):
    starts = np.concatenate([[0], np.cumsum([len(each) for each in sentences])])
    flat = np.array([word for each in sentences for word in each], dtype=np.int32)
    return Side(starts.astype(np.int64), flat, types)


def corpus(count=40, types=(9, 7)):
    draw = np.random.default_rng(0)
    sides = [[draw.integers(0, each, size=draw.integers(0, 6)).tolist() for _ in range(count)] for each in types]
    return sides, [side(each, size) for each, size in zip(sides, types, strict=True)]


def test_hand_worked_numbers():
    # Word 0 stands with 2 and 1, word 1 with 1; the second sentence pair repeats a pair of the first.
    bitext = Bitext.of(side([[0, 1], [0], []], 2), side([[1], [2, 1], [0]], 3))
    assert bitext.cells.tolist() == [0, 2, 4, 4]
    assert bitext.numbers.tolist() == [0, 2, 1, 0]
    assert bitext.pairs == 3


@pytest.mark.parametrize("cells", [1, 20, 1 << 20])
def test_every_pair_has_one_number_and_every_number_one_pair(monkeypatch, cells):
    monkeypatch.setattr(numbered, "_CELLS", cells)
    (source, target), sides = corpus()
    bitext = Bitext.of(*sides)
    found, starts = {}, bitext.cells
    for number, (ours, theirs) in enumerate(zip(source, target, strict=True)):
        table = bitext.numbers[starts[number] : starts[number + 1]].reshape(len(theirs), len(ours))
        for (row, place), pair in np.ndenumerate(table):
            assert found.setdefault((ours[place], theirs[row]), pair) == pair
    assert sorted(found.values()) == list(range(bitext.pairs))


def test_progress_counts_every_sentence_pair_and_filled_numbers_are_kept():
    _, sides = corpus()
    seen = []
    room = np.empty(numbered.cells_of(*sides)[-1], dtype=np.int32)
    first = Bitext.of(*sides, numbers=room, advance=seen.append)
    assert sum(seen) == 40
    again = Bitext.of(*sides, numbers=room, numbered=True, advance=seen.append)
    assert sum(seen) == 40
    assert again.numbers is first.numbers is room
    assert again.pairs == first.pairs


def test_too_many_pairs_are_refused(monkeypatch):
    monkeypatch.setattr(numbered, "_MOST_PAIRS", 3)
    with pytest.raises(WorkError, match="different pairs"):
        Bitext.of(*corpus()[1])


def test_hand_worked_known_translations():
    # As above; 0-1 twice, 1-1, 1-2 (never together), a word that is not in the corpus.
    translations = tuple(np.array(each) for each in ([0, 0, 1, 1, -1], [1, 1, 1, 2, 0], [3, 4, 5, 6, 7]))
    bitext = Bitext.of(side([[0, 1], [0], []], 2), side([[1], [2, 1], [0]], 3), translations)
    assert bitext.known.pairs.tolist() == [7, 0, 5]
    assert bitext.known.source.tolist() == [7, 11]
    assert bitext.known.target.tolist() == [7, 12, 6]
    assert bitext.swapped.known.source.tolist() == [7, 12, 6]
