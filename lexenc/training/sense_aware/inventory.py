"""The senses of all words: how one is chosen, and how their centres follow the states (algorithms 1 and 2)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from lexenc.arrays import Ragged, starts_of
from lexenc.randomness import torch_generator
from lexenc.training.sense_aware.clustering import cluster_words
from lexenc.training.sense_aware.projection import StateQueue, principal_components
from lexenc.training.sense_aware.settings import SensePlan, SenseSettings
from lexenc.training.softmax import Negatives

_KEPT, _KEPT_BYTES = 64, 256 << 20  # states of each word for k-means, and the memory of all of them
_TOO_SHORT = 1e-6  # product of norms below which a cosine is 0
_LEAST_SHARE = 0.05  # of a sense at its start
_FEW_ROWS = 1.25  # rows of each sampled word up to which all of its senses take part
_JUDGED, _COLLAPSED = 20, 0.95  # choices of a word without which it is not judged, and the share that is one sense


class TranslationSenses(NamedTuple):
    """Translations from which one was chosen.

    Args:
        places: Predictions that have translations. Shape [m].
        rows: Rows of all of their translations' senses. Shape [m, c].
        valid: Which of `rows` can be chosen. Shape [m, c], bool.
        chosen: The row that was chosen. Shape [m].
    """

    places: Tensor
    rows: Tensor
    valid: Tensor
    chosen: Tensor


class SenseInventory(nn.Module):  # type: ignore[misc]
    """Senses of words: word i has the rows `offsets[i]` to `offsets[i + 1]`. Nothing here has a gradient.

    Until the end of the warm-up every word has only its first row. All that changes is a buffer, so that checkpoints
    contain it. Centres move once per step, after all of its parts: a sense that was chosen several times moves towards
    the mean of the states that chose it, by one `rate`.

    Args:
        plan: The senses of each word.
        width: Length of a state by which senses are chosen.

    Attributes:
        offsets: First row of each word, and the end of the last. Shape [v + 1].
        several: Whether any word has several senses.
    """

    offsets: Tensor
    sizes: Tensor
    slots: Tensor
    translation_words: Tensor
    centres: Tensor
    enabled: Tensor
    selected: Tensor
    recent: Tensor
    means: Tensor
    mean_counts: Tensor
    projection: Tensor
    kept: Tensor
    kept_counts: Tensor
    divided: Tensor
    since_refit: Tensor

    def __init__(self, plan: SensePlan, width: int) -> None:
        super().__init__()
        counts, settings, translations = plan.counts, plan.settings, plan.translations
        self.settings = settings
        rows, draw = int(counts.sum()), torch_generator(settings.seed, "centres of senses")
        several = np.flatnonzero(counts > 1)
        self.several = bool(len(several))
        translated = np.zeros(0, dtype=np.int64)
        if translations is not None:
            translated = np.union1d(np.flatnonzero(translations.lengths), translations.values)
        # Words of several senses come first.
        tracked = np.concatenate([several, np.setdiff1d(translated, several)]).astype(np.int64)
        slots = np.full(len(counts), -1, dtype=np.int64)
        slots[tracked] = np.arange(len(tracked))
        tracks = len(tracked) > 0
        self._words_of_slots, self._first_single = torch.from_numpy(tracked), len(several)
        self._fixed("offsets", torch.from_numpy(starts_of(counts)))
        self._fixed("sizes", torch.from_numpy(np.asarray(counts, dtype=np.int64)))
        self._fixed("slots", torch.from_numpy(slots))
        self._fixed("translation_words", _padded(translations, len(counts)))
        state_width, components = (width, min(settings.width, width)) if tracks else (0, 0)
        self.register_buffer("centres", torch.randn(rows, state_width, generator=draw) * settings.sigma)
        enabled = torch.zeros(rows, dtype=torch.bool)
        enabled[self.offsets[:-1]] = True
        self.register_buffer("enabled", enabled)
        self.register_buffer("selected", torch.zeros(rows, dtype=torch.int64))
        self.register_buffer("recent", torch.zeros(rows, dtype=torch.int64))
        self._centred = settings.projection == "word-centred"
        self.register_buffer("means", torch.zeros(len(tracked) if self._centred else 0, state_width))
        self.register_buffer("mean_counts", torch.zeros(len(self.means), dtype=torch.int64))
        self.register_buffer("projection", torch.randn(state_width, components, generator=draw))
        self.queue = StateQueue(settings.queue if tracks else 1, state_width)
        clustered = len(several) if settings.start == "kmeans" and not settings.reset else 0
        room = _KEPT_BYTES // max(1, 2 * clustered * state_width)
        most = min(_KEPT, max(4 * int(counts.max(initial=1)), room)) if clustered else 0
        self.register_buffer("kept", torch.zeros(clustered, most, state_width, dtype=torch.float16))
        self.register_buffer("kept_counts", torch.zeros(clustered, dtype=torch.int64))
        self.register_buffer("divided", torch.zeros((), dtype=torch.bool))
        self.register_buffer("since_refit", torch.zeros((), dtype=torch.int64))
        self._divides_at: float = math.inf
        self._prunes_from: float = math.inf
        self._seen: list[tuple[Tensor, Tensor, Tensor]] = []
        self._begun, self._ended = -1, -1
        self._shares: Tensor | None = None

    @classmethod
    def of_tables(cls, tables: Mapping[str, Tensor], settings: SenseSettings) -> SenseInventory:
        """Return an inventory to choose from, by its clusters.

        Args:
            tables: The attributes of that name: sizes, slots, centres, enabled, selected, means, projection.
            settings: The settings of its training.
        """
        settings = replace(settings, start="noise", queue=1, choice="clusters")
        found = cls(SensePlan(np.ones(len(tables["sizes"]), dtype=np.int64), settings), 1)
        for name, value in tables.items():
            found.register_buffer(name, value)
        found.register_buffer("offsets", torch.from_numpy(starts_of(tables["sizes"].numpy())))
        found.divided.fill_(True)
        return found

    def _fixed(self, name: str, value: Tensor) -> None:
        self.register_buffer(name, value, persistent=False)

    def begin(self, total: int) -> None:
        """Plan the warm-up and the pruning of a run of `total` steps."""
        share = self.settings.warmup
        self._divides_at = math.ceil(share * total) if share < 1 and self.several else math.inf
        self._prunes_from = max(self._divides_at, math.ceil(self.settings.prune_from * total))

    # ------------------------------------------------------------ choice

    def choose(
        self, words: Tensor, own: Tensor, *, scores: Tensor | None = None, labels: Tensor | None = None
    ) -> Tensor:
        """Return the row of the sense of each word. Of equally near ones it is the first.

        Args:
            words: The words. Shape [n].
            own: States at the words. Shape [n, s].
            scores: For choice=logits: the score of each of a word's rows. Shape [n, most senses of a word].
            labels: For choice=oracle: the right sense of each word, from 0; -1 for words without. Shape [n].
        """
        rows = self.offsets[words]
        if not self.divided:
            return rows
        places = torch.nonzero(self.sizes[words] > 1)[:, 0]
        if not len(places):
            return rows
        theirs = words[places]
        candidates, valid = self.rows_of(theirs)
        if self.settings.choice == "oracle" and labels is not None:
            chosen = labels[places].clamp_min(0)
        else:
            if self.settings.choice == "random":
                merit = torch.rand(candidates.shape, device=candidates.device)
            elif self.settings.choice == "logits" and scores is not None:
                merit = scores[places, : candidates.shape[1]]
            else:
                merit = self._closeness(own[places], theirs, candidates)
            chosen = merit.masked_fill(~valid, -torch.inf).argmax(1)
        return rows.index_put((places,), candidates.gather(1, chosen[:, None])[:, 0])

    def rows_of(self, words: Tensor) -> tuple[Tensor, Tensor]:
        """Return the rows of some words, and which of them are enabled. Shape [...] -> [..., most senses], bool."""
        most = int(self.sizes[words].max()) if words.numel() else 1
        steps = torch.arange(most, device=words.device)
        inside = steps < self.sizes[words][..., None]
        rows = torch.where(inside, self.offsets[words][..., None] + steps, self.offsets[words][..., None])
        return rows, inside & self.enabled[rows]

    def sampled(self, negatives: Negatives) -> tuple[Tensor, Tensor]:
        """Return rows of sampled words, and what is to be added to the score of each.

        These are all senses of the words if they are few. Else one sense of a word, any with the same chance, stands
        for all s of them, with log s added to its score: that is right in the mean, takes the time of a model with
        one sense per word, and samples as many words as it does.

        Args:
            negatives: The words. Without `draws`, all rows of each.

        Returns:
            Distinct rows, and a number for each. Shapes [q], [q].
        """
        found, enabled = self.rows_of(negatives.words)
        count = enabled.sum(1)
        if negatives.draws is None or int(count.sum()) <= _FEW_ROWS * len(count):
            rows = found[enabled]
            return rows, torch.zeros(len(rows), device=rows.device)
        rank = torch.minimum((negatives.draws * count).long(), count - 1)
        place = (enabled.cumsum(1) > rank[:, None]).int().argmax(1)
        return found.gather(1, place[:, None])[:, 0], count.float().log()

    def _closeness(self, own: Tensor, words: Tensor, rows: Tensor) -> Tensor:
        centres = self.centres[rows]
        if not self._centred:
            return _cosine(own @ self.projection, centres @ self.projection)
        mean = self.means[self.slots[words]]
        centres = (centres - mean[:, None]) @ self.projection
        # By distance: minus its square, without what is the same for all senses. By cosine, the mean of the word would
        # lie on the border of two senses, however rare one of them is.
        return 2 * torch.einsum("np,ncp->nc", (own - mean) @ self.projection, centres) - centres.square().sum(2)

    def translate(self, words: Tensor, own: Tensor) -> TranslationSenses | None:
        """Choose the sense of a translation of each word that has translations; None if no word has any.

        With word-centred projection, a state minus the mean of its word is compared with centres minus the mean of
        all centres of the translations.

        Args:
            words: The words. Shape [n].
            own: States at the words. Shape [n, s].

        Source: Liu et al. 2022, section 3.2.
        """
        if not self.translation_words.shape[1]:
            return None
        others = self.translation_words[words]
        places = torch.nonzero(others[:, 0] >= 0)[:, 0]
        if not len(places):
            return None
        others, theirs = others[places], words[places]
        rows, valid = self.rows_of(others.clamp_min(0))
        rows, valid = rows.flatten(1), (valid & (others >= 0)[:, :, None]).flatten(1)
        if self.settings.choice == "random":
            merit = torch.rand(rows.shape, device=rows.device)
        else:
            centres, state = self.centres[rows], own[places]
            if self._centred:
                share = valid / valid.sum(1, keepdim=True)
                centres = centres - torch.einsum("mc,mcs->ms", share, centres)[:, None]
                state = state - self.means[self.slots[theirs]]
            merit = _cosine(state @ self.projection, centres @ self.projection)
        chosen = merit.masked_fill(~valid, -torch.inf).argmax(1)
        return TranslationSenses(places, rows, valid, rows.gather(1, chosen[:, None])[:, 0])

    # ------------------------------------------------------------ steps

    def observe(self, words: Tensor, own: Tensor, rows: Tensor) -> None:
        """Remember what a part of the step chose, until `end_step`.

        Args:
            words: The words. Shape [n].
            own: States at the words. Shape [n, s].
            rows: The rows that were chosen. Shape [n].
        """
        tracked = self.slots[words] >= 0
        if len(self._words_of_slots):
            self._seen.append((words[tracked], own.detach()[tracked].float(), rows[tracked]))

    def begin_step(self, step: int) -> Tensor | None:
        """Forget unfinished parts of a step, and split the words at the end of the warm-up.

        Of several tables with this inventory each calls it, as well as `end_step`.

        Args:
            step: Number of the step, from 0.

        Returns:
            If words were split, the share of each row in its word. Shape [r].
        """
        if step != self._begun:
            self._seen, self._begun = [], step
            self._shares = self._divide() if step >= self._divides_at and not self.divided else None
        return self._shares

    def end_step(self, step: int, gather: Callable[[Tensor], Tensor] = lambda own: own) -> bool:
        """Move the centres, refit the projection and prune, as is due after a step.

        Args:
            step: Number of the step, from 0.
            gather: Concatenates the rows of all processes.

        Returns:
            Whether it was not done yet.
        """
        if step == self._ended:
            return False
        self._begun, self._ended = -1, step
        if not len(self._words_of_slots):
            return True
        width = self.centres.shape[1]
        nothing = self.slots.new_zeros(0)
        parts = self._seen or [(nothing, self.centres.new_zeros(0, width), nothing)]
        words, own, rows = (gather(torch.cat(part)) for part in zip(*parts, strict=True))
        self._seen = []
        self._count(rows)
        if self._centred:
            _move_means(self.means, self.mean_counts, self.slots[words], own, self.settings.rate)
        self._move_centres(rows, own)
        self._keep(step, words, own)
        self.queue.push(own, words)
        self.since_refit += 1
        if int(self.since_refit) >= self.settings.refit_every:
            self.refit()
        every = self.settings.prune_every
        if every and step + 1 >= self._prunes_from and (step + 1) % every == 0 and self.divided:
            self.prune()
        return True

    def _count(self, rows: Tensor) -> None:
        if self.divided:
            ones = torch.ones_like(rows)
            self.selected.index_put_((rows,), ones, accumulate=True)
            self.recent.index_put_((rows,), ones, accumulate=True)

    def _move_centres(self, rows: Tensor, own: Tensor) -> None:
        rate = self.settings.rate
        if self.settings.decay == "global":
            idle = torch.ones_like(self.enabled)
            idle[rows] = False
            self.centres[idle] *= 1 - rate
        chosen, mean, _ = _means_by(rows, own)
        self.centres[chosen] = (1 - rate) * self.centres[chosen] + rate * mean

    def _keep(self, step: int, words: Tensor, own: Tensor) -> None:
        """Keep the last states of words that will be split, from the middle of the warm-up on."""
        if not self.kept.numel() or self.divided or step < self._divides_at // 2:
            return
        wanted = self.slots[words] < self._first_single
        slots, states = self.slots[words][wanted], own[wanted]
        order = torch.argsort(slots, stable=True)
        slots, states = slots[order], states[order]
        _, counts = torch.unique_consecutive(slots, return_counts=True)
        starts = counts.cumsum(0) - counts
        position = torch.arange(len(slots), device=slots.device) - torch.repeat_interleave(starts, counts)
        most = self.kept.shape[1]
        # Of more states of a word than there is room for, the last ones.
        last = torch.repeat_interleave(counts, counts) - position <= most
        places = (self.kept_counts[slots] + position)[last] % most
        self.kept[slots[last], places] = states[last].to(self.kept.dtype)
        self.kept_counts.index_put_((slots,), torch.ones_like(slots), accumulate=True)

    def refit(self) -> None:
        """Compute the projection from the queue, if it has enough states."""
        states, words = self.queue.held()
        self.since_refit.zero_()
        if self._centred:
            states = states - self.means[self.slots[words]]
        if len(states) > self.projection.shape[1]:
            self.projection.copy_(principal_components(states, self.projection.shape[1], whiten=self._centred))

    def prune(self) -> None:
        """Disable senses that are chosen too rarely, but never the most frequent one of a word."""
        words = torch.nonzero(self.sizes > 1)[:, 0]
        rows, valid = self.rows_of(words)
        recent = self.recent[rows] * valid
        total = recent.sum(1)
        judged = total >= max(1, self.settings.prune_least)
        rare = valid & (recent < self.settings.prune_below * total[:, None]) & judged[:, None]
        rare[torch.arange(len(words), device=words.device), recent.argmax(1)] = False
        self.enabled[rows[rare]] = False
        self.recent[rows[judged].flatten()] = 0

    def _divide(self) -> Tensor:
        """Split every word of several senses. Return the share of each row in its word. Shape [r]."""
        settings, draw = self.settings, torch_generator(self.settings.seed, "split of senses")
        shares = 1 / torch.repeat_interleave(self.sizes, self.sizes).to(self.centres)
        states, _ = self.queue.held()
        if len(states):
            self.refit()
        words = torch.nonzero(self.sizes > 1)[:, 0]
        self.enabled.fill_(True)
        self.divided.fill_(True)
        rows, valid = self.rows_of(words)
        noise = torch.randn(len(self.centres), self.centres.shape[1], generator=draw).to(self.centres)
        if settings.reset:
            self.centres[rows[valid]] = settings.sigma * noise[rows[valid]]
            return shares
        spread = states.std() if len(states) > 1 else settings.sigma
        first = self.centres[rows[:, :1]] if not self._centred else self.means[self.slots[words]][:, None]
        self.centres[rows[valid]] = (first + spread * noise[rows])[valid]
        if self.kept.numel():
            for size in torch.unique(self.sizes[words]).tolist():
                self._cluster(words[self.sizes[words] == size], size, shares, draw)
            self.kept.zero_()
        return shares

    def _cluster(self, words: Tensor, size: int, shares: Tensor, draw: torch.Generator) -> None:
        """Start the senses of words of `size` senses from clusters of their last states."""
        counts = self.kept_counts[self.slots[words]].clamp_max(self.kept.shape[1])
        words, counts = words[counts >= 2 * size], counts[counts >= 2 * size]
        if not len(words):
            return
        slots = self.slots[words]
        # A thousand words at a time, because the states of all are large in float32.
        for part in range(0, len(words), 1000):
            own = slice(part, part + 1000)
            states = self.kept[slots[own]].float()
            centred = states - self.means[slots[own]][:, None] if self._centred else states
            labels = cluster_words(centred @ self.projection, counts[own], size, draw=draw, sphere=not self._centred)
            member = nn.functional.one_hot(labels.clamp_min(0), size) * (labels >= 0)[:, :, None]
            sizes = member.sum(1)
            rows = self.offsets[words[own]][:, None] + torch.arange(size, device=words.device)
            means = torch.einsum("mkc,mks->mcs", member.to(states), states) / sizes.clamp_min(1)[:, :, None]
            used = sizes > 0
            self.centres[rows[used]] = means[used]
            share = (sizes / sizes.sum(1, keepdim=True)).clamp_min(_LEAST_SHARE)
            shares[rows] = share / share.sum(1, keepdim=True)

    # ------------------------------------------------------------ report

    def usage(self) -> Mapping[str, float]:
        """Return how the senses are used.

        Returns:
            senses: Number of enabled rows of words that were given several. sense_entropy: Mean over words of the
            entropy of their senses, divided by that of senses used alike; 1 if all are used alike, 0 if only one is.
            one_sense_share: Share of the words of whose occurrences more than 95 % are in one sense. The last two are
            left out until a word has 20 choices; words with one sense left are not counted.
        """
        words = torch.nonzero(self.sizes > 1)[:, 0]
        rows, valid = self.rows_of(words)
        found = {"senses": float(valid.sum())}
        counts = (self.selected[rows] * valid).double()
        total, left = counts.sum(1), valid.sum(1)
        judged = (total >= _JUDGED) & (left > 1)
        if not judged.any():
            return found
        shares = counts[judged] / total[judged][:, None]
        entropy = -(shares * shares.clamp_min(1e-12).log()).sum(1) / left[judged].log()
        found["sense_entropy"] = float(entropy.mean())
        found["one_sense_share"] = float((shares.amax(1) > _COLLAPSED).double().mean())
        return found


def _padded(translations: Ragged | None, words: int) -> Tensor:
    """Return translations as a rectangle, filled up with -1. Shape [v, t]."""
    if translations is None:
        return torch.zeros(words, 0, dtype=torch.int64)
    found = np.full((words, int(translations.lengths.max(initial=0))), -1, dtype=np.int64)
    found[np.arange(found.shape[1]) < translations.lengths[:, None]] = translations.values
    return torch.from_numpy(found)


def _cosine(states: Tensor, centres: Tensor) -> Tensor:
    """Return cosines. Shape [n, p], [n, c, p] -> [n, c]."""
    norms = states.norm(dim=1, keepdim=True) * centres.norm(dim=2)
    return torch.einsum("np,ncp->nc", states, centres) / norms.clamp_min(_TOO_SHORT)


def _means_by(groups: Tensor, states: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the distinct groups, the mean of the states of each, and their number. [n], [n, s] -> [g], [g, s], [g]."""
    distinct, places, counts = torch.unique(groups, return_inverse=True, return_counts=True)
    # In the order of the states on every device, so that all processes compute the same bits.
    sums = states.new_zeros(len(distinct), states.shape[1]).index_put_((places,), states, accumulate=True)
    return distinct, sums / counts[:, None], counts


def _move_means(means: Tensor, counts: Tensor, slots: Tensor, states: Tensor, rate: float) -> None:
    """Move running means: plain means at first, and exponential ones as soon as `rate` is larger."""
    chosen, mean, new = _means_by(slots, states)
    share = (new / (counts[chosen] + new)).clamp_min(rate)[:, None].to(means)
    means[chosen] = (1 - share) * means[chosen] + share * mean
    counts[chosen] += new
