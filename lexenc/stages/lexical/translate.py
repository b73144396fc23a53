"""translate: words -> their nearest words in another language, or in their own."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from lexenc.artifact import DigestStore, maker_of, recorded_input, recorded_param
from lexenc.encoders.base import Encoder, Pooling
from lexenc.errors import ConfigError, DataError
from lexenc.files.hubs import is_hub, load_languages
from lexenc.files.vec_fasttext import Subwords, check_fasttext
from lexenc.files.vectors import Vectors, index_of
from lexenc.lexical.mapping import normalise
from lexenc.lexical.translation import Answer, answers
from lexenc.search.retrieval import fit_correction, retrieve
from lexenc.stage import Job
from lexenc.stages.lexical.shared import MAPPING, batches, load_mapping
from lexenc.stages.reading import encode_words, open_encoder

_PROBES = 100  # words that are compared to check whether a space was made from a model
_SAME = 0.99  # mean cosine of these words from which on it was


class Translator:
    """Translates words in a shared space.

    Args:
        folder: A shared space: of `source` and `target`, or of many languages by name.
        asks: Language of the words.
        answers: Language of the answers; with the same language, the answers are neighbours within it.
        retrieval: A name in `lexenc.search.RETRIEVAL`.
        top: Answers per word.
        job: Device, seed, progress and messages of the run.
        encoder: Encodes words that the space does not contain; the one that the space was blended with.
        subwords: A fastText model that makes vectors of words that the space does not contain; the one that the space
            was mapped from.

    Raises:
        DataError: If the folder contains no space or no such language, or dimensions do not agree.
        ConfigError: If both an encoder and a fastText model are given.
    """

    def __init__(
        self,
        folder: Path,
        *,
        asks: str,
        answers: str,
        retrieval: str,
        top: int,
        job: Job,
        encoder: Path | None = None,
        subwords: Path | None = None,
    ) -> None:
        if encoder is not None and subwords is not None:
            raise ConfigError("translate takes --encoder or --subwords, not both.", hint="Leave one out.")
        model = None if subwords is None else _MappedSubwords(folder, asks, subwords)
        space = dict(zip((asks, answers), load_languages(folder, (asks, answers)), strict=True))
        size = space[asks].matrix.shape[1]
        if model is not None:
            model.check(space[asks], job)
        self._words = {side: space[side].words for side in space}
        self._unit = {side: normalise(space[side].matrix, ["unit"])[0] for side in space}
        space.clear()
        self._index = index_of(self._words[asks])
        self._asks, self._answers, self._top, self._job = asks, answers, top, job
        self._correction = fit_correction(
            self._unit[answers], self._unit[asks], criterion=retrieval, device=job.device.name, progress=job.progress
        )
        self._made: Callable[[list[str]], Any] | None = None if model is None else model.vectors
        if encoder is not None:
            opened = _encoder_of(folder, encoder, job)
            if opened.dimensions != size:
                raise DataError(
                    f"The encoder has {opened.dimensions} dimensions, the space {size}.",
                    hint="Use the encoder that the space was blended with.",
                )
            self._made = lambda words: encode_words(opened, words, job)
        self.unknown: list[str] = []

    def ask(self, words: Iterable[str]) -> Iterator[Answer]:
        """Yield answers word by word; words without a vector are collected in `unknown`."""
        for batch in batches(words):
            yield from self._ask_batch(batch)

    def _ask_batch(self, words: list[str]) -> Iterator[Answer]:
        own, targets = self._unit[self._asks], self._unit[self._answers]
        table = {word: own[self._index[word]] for word in words if word in self._index}
        missing = [word for word in dict.fromkeys(words) if word not in self._index]
        if missing and self._made is not None:
            unit = normalise(self._made(missing), ["unit"])[0]
            table |= {word: row for word, row in zip(missing, unit, strict=True) if row.any()}
        self.unknown += [word for word in missing if word not in table]
        asked = [word for word in words if word in table]
        if not asked:
            return
        exclude = None
        if self._asks == self._answers:
            # A word is not a neighbour of itself.
            rows = ([self._index[word]] if word in self._index else [] for word in asked)
            exclude = [np.array(each, dtype=np.int64) for each in rows]
        found = retrieve(
            np.stack([table[word] for word in asked]),
            targets,
            correction=self._correction,
            k=self._top,
            device=self._job.device.name,
            exclude=exclude,
        )
        yield from answers(asked, found, self._words[self._answers])


class _MappedSubwords:
    """Makes vectors of words with a fastText model and the mapping of a space.

    Args:
        folder: The space.
        side: Language of the words.
        path: The model.

    Raises:
        DataError: If the file is not a model, or the space has no mapping.
    """

    def __init__(self, folder: Path, side: str, path: Path) -> None:
        self._folder, self._path = folder, path
        check_fasttext(path)
        own = folder / side if is_hub(folder) else folder
        if not (own / MAPPING).is_file():
            raise DataError(
                f"{own} holds no {MAPPING}, which maps new words.", hint="Give the folder that lexenc map made."
            )
        # In a hub, every language is the source of its own mapping.
        self._source = is_hub(folder) or side == "source"
        self._mapping = load_mapping(own)

    @cached_property
    def _model(self) -> Subwords:
        return Subwords(self._path)

    def vectors(self, words: list[str]) -> Any:
        """Return a vector per word; zero for a word without any known subword. Shape [n, d]."""
        raw = self._model.vectors(words)
        mapped = self._mapping.apply_source(raw) if self._source else self._mapping.apply_target(raw)
        # Centring moves the zero vector of a word without any known subword.
        mapped[~raw.any(axis=1)] = 0
        return mapped

    def check(self, known: Vectors, job: Job) -> None:
        """Warn if the space was not made from this model.

        Raises:
            DataError: If the model and the mapping have different dimensions.
        """
        size = len(self._mapping.source if self._source else self._mapping.target)
        if self._model.dimensions != size:
            raise DataError(
                f"{self._path} has {self._model.dimensions} dimensions, {self._folder} was mapped from {size}.",
                hint="Use the model that the space was made from.",
            )
        made, there = (normalise(each, ["unit"])[0]
                       for each in (self.vectors(known.words[:_PROBES]), known.matrix[:_PROBES]))  # fmt: skip
        cosine = float((made * there).sum(axis=1).mean())
        if cosine < _SAME:
            job.notices.warn(
                f"{self._folder} was not made from {self._path}: the vectors of the same words have a mean cosine of "
                f"{cosine:.2f}. Answers to words that the space does not contain mean little.",
                "Use the model that the space was made from, or map again from this one.",
            )


def _encoder_of(folder: Path, encoder: Path, job: Job) -> Encoder:
    """Load an encoder with the pooling of the blend, and warn if the space was blended with another one or none."""
    maker = maker_of(folder)
    pooling: Pooling = "auto"
    if maker is not None and maker.stage == "interpolate":
        pooling = recorded_param(folder, maker, "pooling", Pooling)
        own = recorded_input(folder, maker, "encoder")
        if DigestStore.default().of(encoder) != own.sha256:
            job.notices.warn(
                f"{folder} was blended with another encoder than {encoder}: {own.given}. Answers to words that the "
                "space does not contain mean little.",
                f"Use --encoder {shlex.quote(own.given)}, or blend again with lexenc interpolate.",
            )
    elif maker is not None:
        job.notices.warn(
            f"{folder} was made by {maker.stage} and is not blended with an encoder. Answers to words that it does not "
            "contain mean little.",
            "Blend it first: lexenc interpolate.",
        )
    return open_encoder(encoder, pooling, job)
