"""Named entities as spans of words, and as tags of single words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

OUTSIDE = "O"
"""The tag of a word that is in no entity."""


class Entity(NamedTuple):
    """Words of a sentence that are a name.

    Args:
        start: Position of its first word, from 0.
        end: Position after its last word.
        kind: Its type, e.g. PER.
    """

    start: int
    end: int
    kind: str


def entities_of(tags: Sequence[str], *, strict: bool = False) -> list[Entity]:
    """Return the entities of a sentence, in order.

    An entity begins at B- and S-, after E- and S-, and wherever the word before is outside or of another type: an I-
    without a B- before it begins an entity too. So IOB1, IOB2 and BIOES are all read in the same way.

    Args:
        tags: `O`, or a letter of B, I, E and S, a hyphen and a type, for every word.
        strict: Read IOB2 only: an entity begins at B-, and an I- that continues none is ignored.

    Source: the program conlleval of CoNLL-2000; for `strict`, the strict mode of seqeval.
    """
    found: list[Entity] = []
    start, before, open_kind = 0, OUTSIDE, ""
    for place, tag in enumerate((*tags, OUTSIDE)):
        letter, kind = tag[0], tag[2:]
        if strict:
            continues = letter == "I" and bool(open_kind) and kind == open_kind
            begins = letter == "B"
        else:
            begins = letter in "BS" or (letter in "IE" and (before in "OES" or kind != open_kind))
            continues = letter != OUTSIDE and not begins
        if open_kind and not continues:
            found.append(Entity(start, place, open_kind))
            open_kind = ""
        if begins:
            start, open_kind = place, kind
        before = letter
    return found


def iob2_tags(entities: Iterable[Entity], size: int) -> list[str]:
    """Return the tags of a sentence of `size` words in IOB2: B- for the first word of an entity, I- for the others."""
    tags = [OUTSIDE] * size
    for start, end, kind in entities:
        tags[start:end] = [f"B-{kind}", *[f"I-{kind}"] * (end - start - 1)]
    return tags
