"""translate: words -> their nearest words in another language, or in their own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from lexenc.artifact import DigestStore, maker_of
from lexenc.errors import ConfigError, DataError
from lexenc.stage import Job
from lexenc.stages.reading import open_encoder

if TYPE_CHECKING:
    import numpy as np

    from lexenc.encoders.base import Encoder, Pooling
    from lexenc.files.vectors import Subwords, Vectors
    from lexenc.lexical.mapping import Mapping
    from lexenc.lexical.translation import Answer

_BATCH = 4096
# Words that tell whether a space was made from a model, and the mean cosine below which it was not.
_PROBES, _SAME = 100, 0.99


class _Maker(Protocol):
    """Makes vectors in a space for words that it does not hold."""

    def vectors(self, words: list[str]) -> np.ndarray:
        """Give a vector per word, of any length; zero for a word that there is nothing for. Shape [n, d]."""


class Translator:
    """A shared space, ready to be asked.

    Args:
        folder: A shared space: of `source` and `target`, or of many languages by name.
        asks: Language of the words asked for.
        answers: Language of the answers; the same one lists neighbours within it.
        retrieval: `nearest`, `csls` or `inverted-softmax`.
        top: Answers per word.
        job: Device, progress, remarks.
        encoder: Encodes words that the space does not hold; only for spaces of the encoder's own dimensions.
        subwords: A fastText model that makes vectors of words that the space does not hold, from which the space's own
            mapping was learnt.

    Raises:
        DataError: If the folder holds no space or no such language, or dimensions do not agree.
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
        from lexenc.files.hubs import load_languages
        from lexenc.files.vectors import index_of
        from lexenc.lexical.mapping import normalise
        from lexenc.search.retrieval import fit_correction

        if encoder is not None and subwords is not None:
            raise ConfigError("translate takes --encoder or --subwords, not both.", hint="Leave one out.")
        maker = None if subwords is None else _MappedSubwords(folder, asks, subwords)
        space = dict(zip((asks, answers), load_languages(folder, (asks, answers)), strict=True))
        size = space[asks].matrix.shape[1]
        self._maker: _Maker | None = maker
        if maker is not None:
            maker.check(space[asks], job)
        self._words = {side: space[side].words for side in space}
        self._unit = {side: normalise(space[side].matrix, ["unit"])[0] for side in space}
        space.clear()
        self._index = index_of(self._words[asks])
        self._asks, self._answers, self._top, self._job = asks, answers, top, job
        self._correction = fit_correction(
            self._unit[answers], self._unit[asks], criterion=retrieval, device=job.device.name, progress=job.progress
        )
        if encoder is not None:
            self._maker = _Encoded(_encoder_of(folder, encoder, job), size, job)
        self.unknown: list[str] = []

    def ask(self, words: Iterable[str]) -> Iterator[Answer]:
        """Answer word by word; those without a vector are collected in `unknown`."""
        batch: list[str] = []
        for word in words:
            batch.append(word)
            if len(batch) == _BATCH:
                yield from self._ask_batch(batch)
                batch = []
        if batch:
            yield from self._ask_batch(batch)

    def _ask_batch(self, words: list[str]) -> Iterator[Answer]:
        import numpy as np

        from lexenc.lexical.translation import answers
        from lexenc.search.retrieval import retrieve

        known = [word for word in words if word in self._index]
        missing = [word for word in dict.fromkeys(words) if word not in self._index]
        table = {word: self._unit[self._asks][self._index[word]] for word in known}
        made = self._made(missing)
        table |= made
        self.unknown += [word for word in missing if word not in made]
        asked = [word for word in words if word in table]
        if not asked:
            return
        targets = self._unit[self._answers]
        found = retrieve(
            np.stack([table[word] for word in asked]),
            targets,
            correction=self._correction,
            k=self._top,
            device=self._job.device.name,
            exclude=[self._own(word) for word in asked] if self._asks == self._answers else None,
        )
        yield from answers(asked, found, self._words[self._answers])

    def _own(self, word: str) -> np.ndarray:
        """Give the row of the word itself, which is no neighbour of its own."""
        import numpy as np

        return np.array([self._index[word]] if word in self._index else [], dtype=np.int64)

    def _made(self, words: list[str]) -> dict[str, np.ndarray]:
        """Make vectors of length 1 for words that the space does not hold, as far as that can be done."""
        from lexenc.lexical.mapping import normalise

        if self._maker is None or not words:
            return {}
        unit = normalise(self._maker.vectors(words), ["unit"])[0]
        return {word: row for word, row in zip(words, unit, strict=True) if row.any()}


class _Encoded:
    """Makes vectors by an encoder.

    Args:
        encoder: The encoder.
        size: Dimensions of the space.
        job: Device and progress.

    Raises:
        DataError: If the encoder has other dimensions.
    """

    def __init__(self, encoder: Encoder, size: int, job: Job) -> None:
        if encoder.dimensions != size:
            raise DataError(
                f"The encoder has {encoder.dimensions} dimensions, the space {size}.",
                hint="Use the encoder that the space was blended with.",
            )
        self._encoder, self._job = encoder, job

    def vectors(self, words: list[str]) -> Any:
        from lexenc.stages.reading import encode_words

        return encode_words(self._encoder, words, self._job)


class _MappedSubwords:
    """Makes vectors by a fastText model and the mapping that a space was made with.

    Args:
        folder: The space.
        side: The language of the words.
        path: The model.

    Raises:
        DataError: If the file is no model, or the space has no mapping.
    """

    def __init__(self, folder: Path, side: str, path: Path) -> None:
        from lexenc.files.hubs import is_hub
        from lexenc.files.vectors import is_fasttext
        from lexenc.stages.lexical.shared import MAPPING, load_mapping

        self._folder, self._path = folder, path
        if not is_fasttext(path):
            raise DataError(f"{path} is not a fastText model.", hint="Give a .bin file that fastText wrote.")
        own = folder / side if is_hub(folder) else folder
        if not (own / MAPPING).is_file():
            raise DataError(
                f"{own} holds no {MAPPING}, which new words go through.", hint="Give the folder that lexenc map made."
            )
        # In a space of many languages every one is the source of its own mapping.
        self._source = is_hub(folder) or side == "source"
        self._mapping: Mapping = load_mapping(own)

    @cached_property
    def _model(self) -> Subwords:
        from lexenc.files.vectors import Subwords

        return Subwords(self._path)

    def vectors(self, words: list[str]) -> Any:
        raw = self._model.vectors(words)
        mapped = self._mapping.apply_source(raw) if self._source else self._mapping.apply_target(raw)
        # Centring would give even a word without any known subword a direction.
        mapped[~raw.any(axis=1)] = 0
        return mapped

    def check(self, known: Vectors, job: Job) -> None:
        """Warn where the space was not made from this model: then its words are elsewhere than the space has them.

        Raises:
            DataError: If the model has other dimensions than the mapping takes.
        """
        from lexenc.lexical.mapping import normalise

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
                f"{cosine:.2f}. Answers to words that the space does not hold mean little.",
                "Use the model that the space was made from, or map again from this one.",
            )


def _encoder_of(folder: Path, encoder: Path, job: Job) -> Encoder:
    """Load an encoder as the space was blended with it, and warn where it was blended with another or none."""
    maker = maker_of(folder)
    pooling: Pooling = "auto"
    if maker is not None and maker.stage == "interpolate":
        pooling = maker.params["pooling"]
        (own,) = maker.inputs["encoder"]
        if DigestStore.default().of(encoder) != own.sha256:
            job.notices.warn(
                f"{folder} was blended with another encoder than {encoder}: {own.given}. Answers to words that the "
                "space does not hold mean little.",
                f"Use --encoder {own.given}, or blend again with lexenc interpolate.",
            )
    elif maker is not None:
        job.notices.warn(
            f"{folder} was made by {maker.stage} and is not blended with an encoder. Answers to words that it does not "
            "hold mean little.",
            "Blend it first: lexenc interpolate.",
        )
    return open_encoder(encoder, pooling, job)
