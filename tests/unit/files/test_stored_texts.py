"""Texts on the disk are those that were written, in any order."""

from __future__ import annotations

import numpy as np

from lexenc.files.stored_texts import StoredTexts, write_texts

TEXTS = ["a b", "", "\u2028é日", "c\udcff"]


def test_texts_are_read_one_by_one_and_in_slices(tmp_path):
    starts = write_texts(tmp_path / "texts", TEXTS)
    stored = StoredTexts(tmp_path / "texts", starts[:-1], starts[1:] - 1)
    assert list(stored) == stored[:] == TEXTS
    assert (len(stored), stored[-1], stored[1:3], stored[9:]) == (4, TEXTS[-1], TEXTS[1:3], [])
    rows = np.array([2, 0, 2])
    assert StoredTexts(tmp_path / "texts", starts[rows], starts[rows + 1] - 1)[:] == [TEXTS[2], TEXTS[0], TEXTS[2]]


def test_no_texts(tmp_path):
    starts = write_texts(tmp_path / "texts", [])
    assert list(StoredTexts(tmp_path / "texts", starts[:-1], starts[1:])) == []
