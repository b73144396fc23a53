"""The objective of sentence encoders: a ranking of sentences, terms over their subwords, and a teacher, in one sum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from lexenc.arrays import Indices, Ragged, ranges, starts_of
from lexenc.encoders.base import Encoder
from lexenc.encoders.transformer import TransformerEncoder
from lexenc.errors import ConfigError
from lexenc.randomness import generator, torch_generator
from lexenc.sentences import RANKING, TEACHER
from lexenc.sentences.terms import PairStates, Term
from lexenc.training.contrastive import Comparison, ContrastiveObjective, Encoded, contrast_of, learn
from lexenc.training.data import PairData, batch_of
from lexenc.training.losses import Loss
from lexenc.training.mixture import Mixture
from lexenc.training.objective import StepLoss, chunks
from lexenc.training.processes import Processes

_COUNTED = 20  # steps over which effective negatives are counted


@dataclass(frozen=True)
class Teacher:
    """The vectors that both sentences of a pair are to have: those of a teacher for the anchor.

    Args:
        vectors: Shape [m, d].
        places: Which of them belongs to each pair; -1 for a pair that takes no part. Shape [n].

    Source: Reimers and Gurevych 2020, "Making Monolingual Sentence Embeddings Multilingual using Knowledge
    Distillation", section 3.
    """

    vectors: np.ndarray
    places: Indices

    def loss(self, anchors: Tensor, positives: Tensor, rows: Indices) -> Tensor:
        """Return the squared error of both vectors, its mean over all values of a step. Shape [].

        Args:
            anchors: Vectors of the anchors of some pairs. Shape [b, d].
            positives: Vectors of their positives. Shape [b, d].
            rows: The pairs. Shape [b].
        """
        places = self.places[rows]
        learned = np.flatnonzero(places >= 0)
        own = torch.from_numpy(learned).to(anchors.device)
        values = np.asarray(self.vectors[places[learned]], dtype=np.float32)
        wanted = torch.from_numpy(values).to(anchors.device)
        errors = [(side.index_select(0, own) - wanted).square().sum() for side in (anchors, positives)]
        return torch.stack(errors).sum() / (2 * max(1, anchors.numel()))


@dataclass(eq=False)
class SentenceObjective(ContrastiveObjective):
    """Pairs of sentences under a ranking, terms of single pairs, and a teacher.

    A step minimises the weighted sum of the ranking of all its pairs, of the mean loss of each term over its pairs, and
    of the squared error between the vectors of both sentences and that of the teacher for the anchor. Every pair has
    texts of its own: a sentence that is its own positive (Gao et al. 2021, "SimCSE") goes through the encoder twice.

    A step of one pair has no negatives besides its own hard ones. Without these its ranking is 0, with no gradient.

    Args:
        encoder: The encoder to train, in place.
        data: The pairs. Without sources, all are of one source; without languages, texts have none.
        tokens: Token ids of `data.texts`.
        ranking: A loss of `LOSSES` with its settings. None for no ranking.
        terms: Losses of single pairs, by name.
        weights: Weights by name, `tr` for the ranking and `teacher` for the teacher. 1 for a name that it lacks.
        projection: What the vectors go through before they are ranked; see `train_only_projection`. None for nothing.
        teacher: What the vectors of anchors and positives are to be, as long as those of the encoder. None for nothing.
        mixture: How pairs of several sources are drawn.

    Raises:
        ConfigError: If there is nothing to learn, the teacher's vectors do not fit, or two modules have the same name.

    Source: Chi et al. (WACSE), equation 11; Wang et al. 2022 (mSimCSE), section 3.
    """

    encoder: Encoder
    data: PairData
    tokens: Ragged
    ranking: Loss | None
    terms: Mapping[str, Term] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    projection: nn.Module | None = None
    teacher: Teacher | None = None
    mixture: Mixture = field(default_factory=Mixture)

    def __post_init__(self) -> None:
        self._with_states = {name: term for name, term in self.terms.items() if term.uses_states}
        self._apart = {name: term for name, term in self.terms.items() if not term.uses_states}
        names = [RANKING] * (self.ranking is not None) + [TEACHER] * (self.teacher is not None) + list(self.terms)
        if not names:
            raise ConfigError("There is nothing to learn.", hint="Give a ranking, a term or a teacher.")
        self.weights = {name: self.weights.get(name, 1.0) for name in names}
        if self.teacher is not None and self.teacher.vectors.shape[1] != self.encoder.dimensions:
            raise ConfigError(
                f"The vectors of the teacher have {self.teacher.vectors.shape[1]:,} dimensions, those of the encoder "
                f"{self.encoder.dimensions:,}.",
                hint="Use a teacher whose vectors are as long as those of the encoder.",
            )
        self.modules = _joined(self.encoder, self.projection, self.terms)
        sources = self.data.sources
        self._sources = np.zeros(len(self.data), dtype=np.int64) if sources is None else sources

    def rows(self, epoch: int) -> Indices:
        """Return the pairs of an epoch: all of them, or as many that are drawn by source. Shape [n]."""
        return self.mixture.rows(self._sources, epoch)

    def steps(self, epoch: int, batch_size: int, seed: int) -> list[Indices]:
        """Return the pairs of each step of an epoch in random order."""
        draw = generator(seed, f"order of epoch {epoch}")
        return self.mixture.steps(self._sources, self.rows(epoch), batch_size=batch_size, draw=draw)

    def sizes(self, rows: Indices) -> Indices:
        """Return the number of subwords of some pairs in the pass of the sentences. Shape as `rows`."""
        lengths = self.tokens.lengths
        hard = np.where(self.data.negatives[rows] < 0, 0, lengths[self.data.negatives[rows]]).sum(axis=1)
        sizes: Indices = lengths[self.data.anchors[rows]] + lengths[self.data.positives[rows]] + hard
        return sizes + sum(term.sizes(rows) for term in self._with_states.values())

    def prepare(self, rows: Indices, step: int) -> Comparison:
        """Encode every pair with its hard negatives together."""
        batch = batch_of(self.data, rows, own_texts=True)
        starts = np.append(batch.anchors, len(batch.texts))
        languages = None if self.data.languages is None else self.data.languages[batch.texts]

        def encode(part: slice) -> Encoded:
            texts = slice(int(starts[part.start]), int(starts[part.stop]))
            tokens = [self.tokens[text] for text in batch.texts[texts]]
            own = None if languages is None else languages[texts]
            if not self._with_states:
                return Encoded(self.encoder.embed(tokens, own))
            vectors, states = cast(TransformerEncoder, self.encoder).embed_with_states(tokens, own)
            lengths = np.array([len(each) for each in tokens])
            anchors = starts[part] - starts[part.start]

            def local() -> dict[str, Tensor]:
                pairs = _pair_states(states, lengths, anchors)
                return {name: term.losses(rows[part], step, pairs).sum() for name, term in self._with_states.items()}

            return Encoded(vectors, local)

        def losses(vectors: Tensor) -> dict[str, Tensor]:
            found = {}
            if self.ranking is not None:
                ranked = vectors if self.projection is None else self.projection(vectors)
                found[RANKING] = self.ranking(contrast_of(ranked, batch))
            if self.teacher is not None:
                pairs = contrast_of(vectors, batch)
                found[TEACHER] = self.teacher.loss(pairs.anchors, pairs.positives, rows)
            return found

        return Comparison(self.sizes(rows), starts, encode, losses, self.weights)

    def losses(self, rows: Indices, step: int) -> Tensor:
        """Return the loss of all pairs together. Shape []."""
        apart = [self.weights[name] * term.losses(rows, step, None).mean() for name, term in self._apart.items()]
        together = [super().losses(rows, step)] if self._together else []
        return torch.stack([*together, *apart]).sum()

    @property
    def _together(self) -> bool:
        """Whether anything is learned from the sentences themselves."""
        return self.ranking is not None or self.teacher is not None or bool(self._with_states)

    def backward(
        self, rows: Indices, step: int, *, chunk_tokens: int, device: torch.device, processes: Processes
    ) -> StepLoss:
        """Compute the loss of a step and add its gradient to the weights.

        Terms that encode texts of their own do so afterwards, in passes of their own, each once.
        """
        found: dict[str, float] = {}
        if self._together:
            made = self.prepare(rows, step)
            found |= learn(made, chunk_tokens=chunk_tokens, device=device, processes=processes)
        own, divisor = rows[processes.share(len(rows))], processes.divisor(len(rows))
        for name, term in self._apart.items():
            value = 0.0
            for part in chunks(term.sizes, own, chunk_tokens):
                loss = term.losses(part, step, None).sum() / divisor
                if loss.requires_grad:
                    (self.weights[name] * loss).backward()
                value += float(loss.detach())
            found[name] = processes.mean(value, device)
        return StepLoss.of({name: found[name] for name in self.weights}, self.weights)

    def effective_negatives(self, batch_size: int, seed: int) -> float:
        """Return how many negatives an anchor is compared with: the mean over the first steps, without masked ones.

        Args:
            batch_size: Pairs per step.
            seed: Seed of the run.
        """
        counts = []
        for rows in self.steps(0, batch_size, seed)[:_COUNTED]:
            batch = batch_of(self.data, rows, own_texts=True)
            negatives = (~batch.known_positives).sum(axis=1) - 1 + (~batch.known_negatives).sum(axis=(1, 2))
            counts.append(negatives)
        return float(np.concatenate(counts).mean()) if counts else 0.0


def train_only_projection(width: int, *, seed: int) -> nn.Module:
    """Return a dense layer with tanh through which vectors go in training, and never afterwards.

    Args:
        width: Length of a vector.
        seed: Seed of the weights, which are normal with deviation 0.02. Biases are 0.

    Source: Gao et al. 2021 (SimCSE), section 6.3; Wang et al. 2022 (mSimCSE).
    """
    layer = nn.Linear(width, width)
    with torch.no_grad():
        layer.weight.normal_(std=0.02, generator=torch_generator(seed, "projection"))
        layer.bias.zero_()
    return nn.Sequential(layer, nn.Tanh())


def _joined(encoder: Encoder, projection: nn.Module | None, terms: Mapping[str, Term]) -> dict[str, nn.Module]:
    """Return everything that learns, by name."""
    found = {"encoder": encoder.module} | ({"projection": projection} if projection is not None else {})
    for term in terms.values():
        for name, module in term.modules.items():
            if found.setdefault(name, module) is not module:
                raise ConfigError(f"Two modules are called '{name}'.", hint="Give each another name, or share one.")
    return found


def _pair_states(states: Tensor, lengths: Indices, anchors: Indices) -> PairStates:
    """Gather the states of anchors and positives.

    Args:
        states: States of all texts, end to end. Shape [t, width].
        lengths: Number of subwords of each text. Shape [m].
        anchors: Place of each anchor among the texts; its positive is the next. Shape [n].
    """
    begins = starts_of(lengths)
    found = []
    for side in (anchors, anchors + 1):
        rows = torch.from_numpy(ranges(begins[side], lengths[side])).to(states.device)
        found += [states.index_select(0, rows), starts_of(lengths[side])]
    return PairStates(*found)
