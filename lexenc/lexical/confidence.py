"""How far a mapping learned without a dictionary can be trusted, judged without one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, get_args

import numpy as np

from lexenc.arrays import Doubles, Indices, Matrix
from lexenc.lexical.mapping import subspace
from lexenc.lexical.self_learning import rotation
from lexenc.search.both_ways import Partners, PartnerSearch, partner_search

Verdict = Literal["not found", "doubtful", "found"]  # the worst first

CONFIDENCE_WORDS = 5000
_ALIKE = 20  # minimum number of words written alike for them to be evidence


class Bar(NamedTuple):
    """The value from which on a sign supports a mapping, and the value below which it is noise."""

    found: float
    lost: float


# Measured on English and German vectors of 300 dimensions, the 2,000 to 5,000 most frequent words. Mappings that
# translate, learned from words written alike, numbers, few pairs or nothing: gain on held-out pairs 0.5 to 0.6,
# frequencies 0.5 to 0.6, words written alike 0.4 to 0.5. Self-learning from random pairs, i.e. failure: 0.2 to 0.4, 0.2
# to 0.3 and 0.0; with 100 dimensions its gain is 0.6, so gain alone proves nothing. A random rotation: 0, 0.1, 0.
# Frequencies at noise level count against a mapping, as no other sign separates the two in few dimensions. A mapping
# counts as found if every sign is clearly beyond noise, at least half-way to what other mappings reached.
_GAIN, _FREQUENCY, _SPELLING = Bar(0.4, 0.1), Bar(0.4, 0.3), Bar(0.25, 0.02)


class Sign(NamedTuple):
    """Evidence for or against a mapping.

    Args:
        name: What it measures.
        value: Its value; None if it was not measured.
        bar: Values from which on it supports the mapping, and below which it is noise.
    """

    name: str
    value: float | None
    bar: Bar


@dataclass(frozen=True)
class Confidence:
    """Signs that a mapping translates.

    Args:
        mutual: Share of the frequent words in pairs that choose each other.
        consistency: Share of such pairs that a rotation learned from the other half of them finds again.
        chance_consistency: The same for a random rotation and the pairs that choose each other under it.
        frequency_agreement: Spearman correlation of the frequency ranks within the pairs. Translations are about
            equally frequent, and self-learning does not use frequency.
        identical_agreement: Share of the words written alike in both languages whose best partner is that same word;
            None if there are too few, or if self-learning started from them.
        verdict: `found`, `doubtful` or `not found`.
    """

    mutual: float
    consistency: float
    chance_consistency: float
    frequency_agreement: float
    identical_agreement: float | None
    verdict: Verdict

    @property
    def signs(self) -> list[Sign]:
        """The values that the verdict is based on, with their bars."""
        # 0 at the level of chance, 1 if all pairs are found.
        chance = self.chance_consistency
        gain = (self.consistency - chance) / (1 - chance) if chance < 1 else 0.0
        return [
            Sign("held-out pairs found again, beyond chance", gain, _GAIN),
            Sign("agreement of frequency ranks", self.frequency_agreement, _FREQUENCY),
            Sign("words written alike that are partners", self.identical_agreement, _SPELLING),
        ]

    @property
    def grade(self) -> int:
        """The verdict as a number that is larger for a better one."""
        return get_args(Verdict).index(self.verdict)

    @property
    def sentence(self) -> str:
        """The verdict and its signs in words."""
        what = {
            "found": "A mapping was found",
            "doubtful": "It is doubtful whether the mapping translates; check it before use",
            "not found": "No mapping was found that translates; the result is useless",
        }
        shown = [
            f"{sign.name} {sign.value:.2f} (found from {sign.bar.found:g}, noise below {sign.bar.lost:g})"
            for sign in self.signs
            if sign.value is not None
        ]
        return f"{what[self.verdict]}: {'; '.join(shown)}."


def confidence_of(
    source: Matrix,
    target: Matrix,
    rows: Indices,
    columns: Indices,
    *,
    generator: np.random.Generator,
    alike: tuple[Indices, Indices] | None = None,
    neighbours: int = 10,
    device: str = "cpu",
) -> Confidence:
    """Judge dictionary pairs by whether half of them predict the other half, by frequency, and by spelling.

    Args:
        source: Normalised source vectors of the most frequent words, by frequency, shape [n, d].
        target: Normalised target vectors, shape [m, d].
        rows: Source rows of the pairs, shape [p].
        columns: Target rows of the pairs, shape [p].
        generator: Splits the pairs into halves, and draws the rotation of the control.
        alike: Source rows and target rows of words written alike, unless self-learning started from them.
        neighbours: Neighbours averaged for CSLS.
        device: `cpu`, or a PyTorch device.
    """
    search = partner_search(target, neighbours=neighbours, device=device)
    chance = _random_rotation(source, target, generator)
    by_chance = _partners(source, chance.astype(source.dtype), search).mutual()
    partners = _partners(source, rotation(source, target, rows, columns), search)
    pairs = partners.mutual()
    found, control = (_consistency(source, target, *each, search, generator) for each in (pairs, by_chance))
    frequency = _rank_correlation(*pairs) if len(pairs[0]) > 2 else 0.0
    spelling = None
    if alike is not None and len(alike[0]) >= _ALIKE:
        spelling = float((partners.forward[alike[0]] == alike[1]).mean())
    judged = Confidence(len(pairs[0]) / len(source), found, control, frequency, spelling, "doubtful")
    return replace(judged, verdict=_verdict(judged.signs))


def _random_rotation(source: Matrix, target: Matrix, generator: np.random.Generator) -> Doubles:
    """Draw a rotation of the dimensions that the source vectors have to those of the target, shape [d, d]."""
    left, right = subspace(source), subspace(target)
    size = max(left.shape[1], right.shape[1])
    turn: Doubles = np.linalg.qr(generator.normal(size=(size, size)))[0]
    if left.shape[1] == right.shape[1] == source.shape[1]:
        return turn
    # Among all columns, it would take the source out of the space of the target, where nothing is found by chance.
    result: Doubles = left @ turn[: left.shape[1], : right.shape[1]] @ right.T
    return result


def _verdict(signs: list[Sign]) -> Verdict:
    """Return `found` if every sign supports the mapping, and `not found` if one of them is noise."""
    known = [(value, bar) for _, value, bar in signs if value is not None]
    if any(value < bar.lost for value, bar in known):
        return "not found"
    return "found" if all(value >= bar.found for value, bar in known) else "doubtful"


def _consistency(
    source: Matrix,
    target: Matrix,
    rows: Indices,
    columns: Indices,
    search: PartnerSearch,
    generator: np.random.Generator,
) -> float:
    """Compute the share of the pairs that a rotation learned from the other half finds again."""
    if len(rows) < 4:
        return 0.0
    order = generator.permutation(len(rows))
    halves = order[: len(order) // 2], order[len(order) // 2 :]
    hits = []
    for known, asked in (halves, halves[::-1]):
        found = _partners(source, rotation(source, target, rows[known], columns[known]), search)
        hits.append(found.forward[rows[asked]] == columns[asked])
    return float(np.concatenate(hits).mean())


def _partners(source: Matrix, matrix: Matrix, search: PartnerSearch) -> Partners:
    """Find the best partner of every word after a rotation."""
    return search.search(source @ matrix, *(np.ones(size, dtype=np.int64) for size in (len(source), search.size)))


def _rank_correlation(rows: Indices, columns: Indices) -> float:
    """Compute the Spearman correlation of two lists without ties."""
    first, second = (np.argsort(np.argsort(each)).astype(np.float64) for each in (rows, columns))
    return float(np.corrcoef(first, second)[0, 1])
