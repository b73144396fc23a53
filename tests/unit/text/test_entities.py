"""Entities of tags: conlleval's rule by hand and by brute force, the strict rule, and the way back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lexenc.text.entities import Entity, entities_of, iob2_tags

TAGS = st.lists(st.sampled_from(["O", *(f"{letter}-{kind}" for letter in "BIES" for kind in ("X", "Y"))]), max_size=9)


def conlleval(tags):
    """Follow the tables of conlleval: where a chunk starts and where it ends, from each pair of neighbours."""
    found, start = [], None
    padded = ["O", *tags, "O"]
    for place in range(1, len(padded)):
        (before, _, kind_before), (now, _, kind) = padded[place - 1].partition("-"), padded[place].partition("-")
        ends = (before, now) in {("B", "B"), ("B", "O"), ("I", "B"), ("I", "O"), ("E", "E"), ("E", "I"), ("E", "O"),
                                 ("B", "S"), ("I", "S")} or before == "S" or (before == "E")  # fmt: skip
        ends = before != "O" and (ends or kind_before != kind)
        starts = (before, now) in {("O", "I"), ("O", "E"), ("E", "E"), ("E", "I"), ("S", "E"), ("S", "I")}
        starts = now != "O" and (starts or now in "BS" or kind_before != kind)
        if ends and start is not None:
            found.append(Entity(start, place - 1, kind_before))
            start = None
        if starts:
            start = place - 1
    return found


def test_entities_by_hand():
    assert entities_of("O B-X I-X O I-X B-X I-Y I-Y".split()) == [(1, 3, "X"), (4, 5, "X"), (5, 6, "X"), (6, 8, "Y")]
    assert entities_of("O B-X I-X O I-X B-X I-Y I-Y".split(), strict=True) == [(1, 3, "X"), (5, 6, "X")]
    assert entities_of("B-X E-X S-X B-Y I-Y E-Y I-Y".split()) == [(0, 2, "X"), (2, 3, "X"), (3, 6, "Y"), (6, 7, "Y")]
    assert entities_of([]) == []


@given(TAGS)
def test_entities_are_those_of_conlleval(tags):
    found = entities_of(tags)
    assert found == conlleval(tags)
    again = iob2_tags(found, len(tags))
    assert entities_of(again) == entities_of(again, strict=True) == found
