"""The words of sentences as runs of subwords of the sentences themselves, and the links between them.

A sentence is encoded as it is written. Splitting it into words first would change its subwords. So words are looked up
in the written text, and belong to the subwords that stand for their characters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from unicodedata import category, combining, normalize

import numpy as np
from numpy.typing import NDArray

from lexenc.arrays import Indices, Ragged, ranges, starts_of
from lexenc.errors import DataError
from lexenc.text.links import Links, is_certain

Flags = NDArray[np.bool_]

OTHER_SENTENCES = "The alignment was made from other sentences. Align the same files again with lexenc align."
_SHOWN = 40
# Beyond these code points no character is invisible.
_FIRST, _TAGS = 0x30000, range(0xE0000, 0xE1000)


@dataclass(frozen=True)
class LinkedWords:
    """The words of pairs of sentences as runs of subwords, and which word is the translation of which.

    Only words that have subwords are numbered, so that numbers differ from those of the alignment.

    Args:
        source: Of every word its first subword and the one after its last, in the sentence with its special subwords.
            n rows of shape [w, 2].
        target: The same for the translations.
        links: Number of the source word and of the target word of every link, from 0 in each pair. n rows of shape
            [p, 2].
        forward: Links to the only translation of a source word, at most one per source word. Shape [all links].
        backward: Links to the only translation of a target word. Shape [all links].
        counts: Number of links read, and of those left out, by reason.
    """

    source: Ragged
    target: Ragged
    links: Ragged
    forward: Flags
    backward: Flags
    counts: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.links)

    @classmethod
    def joined(cls, parts: Sequence[LinkedWords]) -> LinkedWords:
        """Concatenate the pairs of some parts, at least one."""
        source, target, links = (Ragged.joined([getattr(part, name) for part in parts])
                                 for name in ("source", "target", "links"))  # fmt: skip
        forward, backward = (np.concatenate([getattr(part, name) for part in parts])
                             for name in ("forward", "backward"))  # fmt: skip
        counts: Counter[str] = Counter()
        for part in parts:
            counts.update(part.counts)
        return cls(source, target, links, forward, backward, counts)

    def placed(self, rows: Indices, count: int) -> LinkedWords:
        """Return `count` pairs, of which pair `rows[i]` is pair i. All others have no words.

        Args:
            rows: Rising numbers below `count`. Shape [n].
            count: Number of pairs.
        """

        def wider(part: Ragged) -> Ragged:
            sizes = np.zeros(count, dtype=np.int64)
            sizes[rows] = part.lengths
            return Ragged(starts_of(sizes), part.values)

        source, target, links = (wider(part) for part in (self.source, self.target, self.links))
        return LinkedWords(source, target, links, self.forward, self.backward, self.counts)

    def dictionary(self, rows: Indices, *, backward: bool = False) -> tuple[Indices, Indices, Indices]:
        """Return the links of some pairs in one direction, one per word.

        Returns:
            Position of the pair in `rows`, the word, and its translation. Shape [p] each.
        """
        begins, counts = self.links.starts[rows], self.links.starts[np.asarray(rows) + 1] - self.links.starts[rows]
        places = ranges(begins, counts)
        kept = (self.backward if backward else self.forward)[places]
        owners, links = np.repeat(np.arange(len(rows)), counts)[kept], self.links.values[places[kept]].astype(np.int64)
        words, translations = links.T[::-1] if backward else links.T
        return owners, words, translations


def link_words(
    sentences: tuple[Sequence[str], Sequence[str]],
    words: tuple[Sequence[Sequence[str]], Sequence[Sequence[str]]],
    links: Links,
    offsets: tuple[Sequence[NDArray[np.int64]], Sequence[NDArray[np.int64]]],
    *,
    longest: int,
    min_score: float = 0.0,
    where: Callable[[int], str] = lambda row: f"sentence pair {row + 1}",
) -> LinkedWords:
    """Find the subwords of linked words, and choose one translation of every word.

    Of several links of a word, the one with the highest score is chosen, then the one with the most similar relative
    positions |i / |X| - j / |Y||, then the first. Both directions choose from the same links. A link is left out
    if its score is too low, one of its words is cut off at the longest input or has no subwords, or neither of its
    words has chosen it.

    Args:
        sentences: Sentences as they are written, and their translations.
        words: The words of each, as they were aligned.
        links: Links between the words.
        offsets: Of every subword of each sentence its first character and the one after its last, -1 twice for special
            subwords; equal for a subword that is only a space. Shape [t, 2] each.
        longest: Number of subwords from which on a sentence may have been cut off.
        min_score: Links with a lower score, or with 0, do not count.
        where: Returns the place of a sentence pair, for messages.

    Raises:
        DataError: If the words are not those of the sentences, or a link is of a word that a sentence does not have.
    """
    counts: Counter[str] = Counter(links=len(links.scores))
    lengths = [np.fromiter(map(len, side), dtype=np.int64, count=len(side)) for side in words]
    owners = np.repeat(np.arange(len(links)), np.diff(links.starts))
    ends = [links.source.astype(np.int64), links.target.astype(np.int64)]
    _check_range(owners, ends, lengths, where)
    spans, cut = zip(*(
        subword_spans(word_places(texts, side, where), texts, own, longest=longest)
        for texts, side, own in zip(sentences, words, offsets, strict=True)
    ), strict=True)  # fmt: skip
    scores = links.scores

    def keep(kept: Flags, reason: str) -> None:
        nonlocal owners, scores
        counts[reason] += int((~kept).sum())
        owners, ends[0], ends[1], scores = owners[kept], ends[0][kept], ends[1][kept], scores[kept]

    keep(is_certain(scores, min_score), "below_score")
    chosen = [_best(owners, ends[side], ends[1 - side], scores, lengths[side], lengths[1 - side]) for side in (0, 1)]

    def of_words(table: Sequence[Flags]) -> Flags:
        """Return whether a property of words, given for both sides, holds for both words of each link."""
        one, other = (part[span.starts[owners] + end] for part, span, end in zip(table, spans, ends, strict=True))
        found: Flags = one & other
        return found

    whole = of_words([~each for each in cut])
    keep(whole, "cut_off")
    chosen = [each[whole] for each in chosen]
    usable = [span.values[:, 1] > span.values[:, 0] for span in spans]
    there = of_words(usable)
    keep(there, "without_subwords")
    chosen = [each[there] for each in chosen]
    counts["not_chosen"] = int((~(chosen[0] | chosen[1])).sum())
    parts = []
    for side, (span, own) in enumerate(zip(spans, usable, strict=True)):
        before = starts_of(own)
        starts = before[span.starts]
        ends[side] = before[span.starts[owners] + ends[side]] - starts[owners]
        parts.append(Ragged(starts, _small(span.values[own], longest)))
    table = Ragged(starts_of(np.bincount(owners, minlength=len(links))), _small(np.column_stack(ends), longest))
    return LinkedWords(parts[0], parts[1], table, chosen[0], chosen[1], counts)


def _small(values: Indices, longest: int) -> NDArray[np.integer]:
    """Store numbers up to `longest` in two bytes where they fit, because a million pairs have 50 million of them."""
    return values.astype(np.uint16 if longest < 1 << 16 else np.int32)


def _check_range(
    owners: Indices, ends: Sequence[Indices], lengths: Sequence[Indices], where: Callable[[int], str]
) -> None:
    for end, own, name in zip(ends, lengths, ("source", "target"), strict=True):
        past = np.flatnonzero(end >= own[owners])
        if len(past):
            row = int(owners[past[0]])
            raise DataError(
                f"{where(row)}: a link is of {name} word {end[past[0]]}, counted from 0, but the sentence has "
                f"{own[row]:,} words.",
                hint=OTHER_SENTENCES,
            )


def _best(
    owners: Indices, own: Indices, other: Indices, scores: NDArray[np.floating], lengths: Indices, others: Indices
) -> Flags:
    """Return the links that their own words choose, one per word. Shape [p].

    Args:
        owners: Sentence pair of each link. Shape [p].
        own: Its own word. Shape [p].
        other: The translation. Shape [p].
        scores: Shape [p].
        lengths: Number of words of each sentence. Shape [n].
        others: Number of words of each translation. Shape [n].
    """
    # |i / |X| - j / |Y|| times both lengths, so that ties are exact.
    distances = np.abs(own * others[owners] - other * lengths[owners])
    order = np.lexsort((other, distances, -scores, own, owners))
    fresh = np.ones(len(order), dtype=np.bool_)
    fresh[1:] = (np.diff(owners[order]) != 0) | (np.diff(own[order]) != 0)
    chosen = np.zeros(len(order), dtype=np.bool_)
    chosen[order[fresh]] = True
    return chosen


def subword_spans(
    places: Ragged, texts: Sequence[str], offsets: Sequence[NDArray[np.int64]], *, longest: int
) -> tuple[Ragged, Flags]:
    """Find the subwords of words.

    A subword belongs to the first word of which it contains a character. A subword that is only a space belongs to the
    word after it, as it does where words are encoded as such.

    Args:
        places: First character of every word in its text, and the one after its last. n rows of shape [w, 2].
        texts: The texts.
        offsets: As in `link_words`.
        longest: As in `link_words`.

    Returns:
        The first subword of every word in its text, and the one after its last: n rows of shape [w, 2]; equal for a
        word without subwords. And which words are cut off, which then have no subwords: shape [all words].
    """
    sizes = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
    bases, tokens = starts_of(sizes + 1), starts_of([len(each) for each in offsets])
    rows = np.repeat(np.arange(len(texts)), np.diff(tokens))
    begin, end = np.concatenate([np.zeros((0, 2), dtype=np.int64), *offsets]).T
    spoken = begin >= 0
    first, last = (column + bases[places.rows] for column in places.values.T)
    # The word of every character; of two that share one, the first. And the next character of a word from each on.
    word = np.full(bases[-1] + 1, -1, dtype=np.int64)
    widths = last - first
    word[ranges(first, widths)[::-1]] = np.repeat(np.arange(len(first)), widths)[::-1]
    following = np.where(word >= 0, np.arange(len(word)), len(word) - 1)
    following = np.minimum.accumulate(following[::-1])[::-1]
    place = following[np.where(spoken, begin + bases[rows], len(word) - 1)]
    owner = np.where(spoken & (place < end + bases[rows]), word[place], -1)
    _lend_spaces(owner, spoken & (begin == end), rows)
    cut = _cut_off(places, rows, begin, end, full=np.diff(tokens) >= longest)
    spans = np.zeros((len(first), 2), dtype=np.int64)
    owned = np.flatnonzero(owner >= 0)
    found, at = np.unique(owner[owned], return_index=True)
    spans[found, 0] = owned[at]
    found, at = np.unique(owner[owned][::-1], return_index=True)
    spans[found, 1] = owned[::-1][at] + 1
    spans[found] -= tokens[rows[spans[found, 0]]][:, None]
    spans[cut] = 0
    return Ragged(places.starts, spans), cut


def _lend_spaces(owner: Indices, spaces: Flags, rows: Indices) -> None:
    """Let subwords that are only spaces belong to the word of the next other subword of their text."""
    kept = np.where(spaces, len(owner), np.arange(len(owner)))
    after = np.minimum.accumulate(kept[::-1])[::-1][spaces]
    there = after < len(owner)
    there[there] = rows[after[there]] == rows[spaces][there]
    owner[np.flatnonzero(spaces)[there]] = owner[after[there]]


def _cut_off(places: Ragged, rows: Indices, begin: Indices, end: Indices, *, full: Flags) -> Flags:
    """Return which words are not complete because their text was cut off at either end. Shape [all words]."""
    solid = begin < end
    lowest, highest = np.full(len(full), np.iinfo(np.int64).max), np.zeros(len(full), dtype=np.int64)
    np.minimum.at(lowest, rows[solid], begin[solid])
    np.maximum.at(highest, rows[solid], end[solid])
    # A last character of several subwords may have lost some.
    pieces = np.bincount(rows[solid & (end == highest[rows]) & (end - begin == 1)], minlength=len(full))
    own = places.rows
    first, last = places.values.T
    past = (last > highest[own]) | ((last == highest[own]) & (pieces[own] > 1))
    lost: Flags = full[own] & (last > first) & (past | (first < lowest[own]))
    return lost


def word_places(
    texts: Sequence[str],
    words: Sequence[Sequence[str]],
    where: Callable[[int], str] = lambda row: f"sentence {row + 1}",
) -> Ragged:
    """Find the characters of the words of some texts.

    Words stand in the order of the text. Spaces, invisible characters, case, and the encoding of accents and widths may
    differ. Signs other than letters and digits may be missing among the words.

    Args:
        texts: Texts as they are written.
        words: The words of each.
        where: Returns the place of a text, for messages.

    Returns:
        First character of every word in its text, and the one after its last; 0 twice for a word without a visible
        character. n rows of shape [w, 2].

    Raises:
        DataError: If a word does not occur, or letters of a text belong to no word.
    """
    counts = [len(each) for each in words]
    starts = starts_of(counts)
    flat = [word for each in words for word in each]
    owners = np.repeat(np.arange(len(flat)), [len(word) for word in flat])
    codes, shown = _characters(flat)
    codes, owners = codes[shown], owners[shown]
    in_words = starts_of(np.bincount(np.repeat(np.arange(len(texts)), counts)[owners], minlength=len(texts)))
    written, visible = _characters(texts)
    sizes = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
    rows, places = np.repeat(np.arange(len(texts)), sizes)[visible], ranges(0 * sizes, sizes)[visible]
    in_texts = starts_of(np.bincount(rows, minlength=len(texts)))
    same = np.diff(in_words) == np.diff(in_texts)
    mine, theirs = (ranges(begins[:-1][same], np.diff(begins)[same]) for begins in (in_words, in_texts))
    differing = codes[mine] != written[visible][theirs]
    same[rows[theirs][differing]] = False
    spans = np.zeros((len(flat), 2), dtype=np.int64)
    mine, theirs = (ranges(begins[:-1][same], np.diff(begins)[same]) for begins in (in_words, in_texts))
    fresh = np.flatnonzero(np.diff(owners[mine], prepend=-1))
    found = owners[mine][fresh]
    spans[found, 0] = places[theirs][fresh]
    spans[found, 1] = places[theirs][np.append(fresh[1:], len(mine)) - 1 if len(mine) else fresh] + 1
    for row in np.flatnonzero(~same).tolist():
        spans[starts[row] : starts[row + 1]] = _looked_up(texts[row], words[row], where(row))
    return Ragged(starts, spans)


def _characters(texts: Sequence[str]) -> tuple[NDArray[np.uint32], Flags]:
    """Return the code points of some texts, and which of them are visible. Shape [characters] each."""
    codes = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    return codes, _visible()[np.minimum(codes, _TAGS.stop)]


@cache
def _visible() -> Flags:
    """Return which code points are visible characters, all beyond the last included. Shape [k]."""
    table = np.ones(_TAGS.stop + 1, dtype=np.bool_)
    for point in (*range(_FIRST), *_TAGS):
        table[point] = not _is_hidden(chr(point))
    return table


def _is_hidden(character: str) -> bool:
    return character.isspace() or category(character) in ("Cc", "Cf", "Cs")


def _looked_up(text: str, words: Sequence[str], where: str) -> list[tuple[int, int]]:
    """Find the words of a text whose characters are not exactly those of the words. Shape [w, 2]."""
    folded, owners = _folded(text)
    found, place = [], 0
    for word in words:
        wanted = _folded(word)[0]
        if not wanted:
            found.append((0, 0))
            continue
        at = folded.find(wanted, place)
        if at < 0 or any(map(str.isalnum, folded[place:at])):
            raise DataError(f"{where}: the word '{word}' does not occur in '{_beginning(text)}'.", hint=OTHER_SENTENCES)
        place = at + len(wanted)
        own = owners[at:place]
        found.append((min(own), max(own) + 1))
    if any(map(str.isalnum, folded[place:])):
        rest = text[owners[place] :]
        raise DataError(
            f"{where}: no word of the alignment stands for '{_beginning(rest)}' in the sentence.", hint=OTHER_SENTENCES
        )
    return found


def _folded(text: str) -> tuple[str, list[int]]:
    """Return the visible characters of a text, decomposed and without case, and the place of each in the text."""
    parts = [
        (each, place)
        for place, character in enumerate(text)
        if not _is_hidden(character)
        for each in normalize("NFKD", normalize("NFKD", character).casefold())
    ]
    # Marks on one letter in their canonical order, as whole texts are decomposed.
    start = 0
    for place in range(len(parts) + 1):
        if place == len(parts) or not combining(parts[place][0]):
            parts[start:place] = sorted(parts[start:place], key=lambda part: combining(part[0]))
            start = place
    return "".join(each for each, _ in parts), [place for _, place in parts]


def _beginning(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
