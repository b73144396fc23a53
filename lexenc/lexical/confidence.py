"""How far a mapping learnt without a dictionary can be trusted, judged without one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lexenc.lexical.self_learning import rotation
from lexenc.search.both_ways import Partners, PartnerSearch, partner_search

Matrix = NDArray[Any]
Indices = NDArray[np.int64]
Verdict = Literal["found", "doubtful", "not found"]

CONFIDENCE_WORDS = 5000
# Words written alike say something from that many on.
_ALIKE = 20


class Bar(NamedTuple):
    """What a mapping that translates reaches at least, and what one that does not stays below."""

    found: float
    lost: float


# English and German vectors of 300 dimensions, the 2,000 to 5,000 most frequent words. Mappings that translate, from
# words written alike, numbers, few pairs or nothing: gain on held-out pairs 0.5 to 0.6, frequencies 0.5 to 0.6, words
# written alike 0.4 to 0.5. Self-learning from random pairs, which is what failing looks like: 0.2 to 0.4, 0.2 to 0.3
# and 0.0; of 100 dimensions its gain is 0.6, so that gain alone proves nothing. A rotation drawn at random: 0, 0.1, 0.
# Frequencies at the level of such noise speak against a mapping, as nothing else tells the two apart in few dimensions;
# a mapping is called found where every sign is clearly beyond noise, half-way or further to what others reached.
_GAIN, _FREQUENCY, _SPELLING = Bar(0.4, 0.1), Bar(0.4, 0.3), Bar(0.25, 0.02)


class Sign(NamedTuple):
    """Something that speaks for a mapping or against it.

    Args:
        name: What it is.
        value: How strong; None where it was not looked at.
        bar: From where on it speaks for the mapping, and below which against.
    """

    name: str
    value: float | None
    bar: Bar


@dataclass(frozen=True)
class Confidence:
    """Signs that a mapping translates.

    Args:
        mutual: Share of the frequent words that choose a word that chooses them.
        consistency: Share of such pairs that a rotation learnt from the other half of them finds again.
        chance_consistency: The same for a rotation drawn at random and the pairs that choose each other under it.
        frequency_agreement: Spearman correlation of the frequency ranks within the pairs; translations are about
            equally frequent, and nothing in self-learning looks at frequency.
        identical_agreement: Share of the words that both languages have, written alike, whose best partner is that
            same word; None where there are too few, or where self-learning started from them.
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
        """Give what the verdict rests on, beside its bars."""
        return [
            Sign("held-out pairs found again, beyond chance", _gain(self.consistency, self.chance_consistency), _GAIN),
            Sign("agreement of frequency ranks", self.frequency_agreement, _FREQUENCY),
            Sign("words written alike that are partners", self.identical_agreement, _SPELLING),
        ]

    @property
    def sentence(self) -> str:
        """Say it to a person."""
        what = {
            "found": "A mapping was found",
            "doubtful": "Whether the mapping translates is doubtful, and it must not be used unchecked",
            "not found": "No mapping was found that translates: the result is of no use",
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
    """Judge dictionary pairs by what half of them say about the other half, by frequency, and by spelling.

    Args:
        source: Normalised source vectors of the most frequent words, by frequency, shape [n, d].
        target: Normalised target vectors, shape [m, d].
        rows: Source rows of the pairs, shape [p].
        columns: Target rows of the pairs, shape [p].
        generator: Deals the pairs into halves, and draws the rotation of the control.
        alike: Source rows and target rows of words written alike, where nothing was learnt from them.
        neighbours: For CSLS.
        device: `cpu`, or a device of PyTorch.
    """
    search = partner_search(target, neighbours=neighbours, device=device)
    chance, _ = np.linalg.qr(generator.normal(size=(source.shape[1],) * 2))
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


def _gain(found: float, control: float) -> float:
    """Compute how far the pairs found again go beyond chance: 0 at its level, 1 for all."""
    return (found - control) / (1 - control) if control < 1 else 0.0


def _verdict(signs: list[Sign]) -> Verdict:
    """Every sign must speak for the mapping; one that speaks clearly against it is enough."""
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
    """Compute the share of the pairs that a rotation learnt from the other half of them finds again."""
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
    """Find the best partner of every word under a rotation."""
    return search.search(source @ matrix, *(np.ones(size, dtype=np.int64) for size in (len(source), search.size)))


def _rank_correlation(rows: Indices, columns: Indices) -> float:
    """Compute Spearman's correlation of two lists without ties."""
    first, second = (np.argsort(np.argsort(each)).astype(np.float64) for each in (rows, columns))
    return float(np.corrcoef(first, second)[0, 1])
