"""translate: words -> their nearest words in the other language, or in their own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lexenc.artifact import DigestStore, maker_of
from lexenc.errors import DataError
from lexenc.stage import Job
from lexenc.stages.reading import open_encoder

if TYPE_CHECKING:
    import numpy as np

    from lexenc.encoders.base import Encoder, Pooling
    from lexenc.lexical.translation import Answer
    from lexenc.search.retrieval import Criterion

Side = Literal["source", "target"]
_BATCH = 4096


class Translator:
    """A shared space, ready to be asked.

    Args:
        folder: A shared space.
        asks: Language of the words asked for.
        answers: Language of the answers; the same one lists neighbours within it.
        retrieval: `nearest`, `csls` or `inverted-softmax`.
        top: Answers per word.
        job: Device, progress, remarks.
        encoder: Encodes words that the space does not hold; only for spaces of the encoder's own dimensions.

    Raises:
        DataError: If the folder holds no space, or the encoder's dimensions are not the space's.
    """

    def __init__(
        self,
        folder: Path,
        *,
        asks: Side,
        answers: Side,
        retrieval: Criterion,
        top: int,
        job: Job,
        encoder: Path | None = None,
    ) -> None:
        from lexenc.files.spaces import load_space
        from lexenc.files.vectors import index_of
        from lexenc.lexical.mapping import normalise
        from lexenc.search.retrieval import fit_correction

        space = load_space(folder)
        self._words = {side: space.side(side).words for side in (asks, answers)}
        self._unit = {side: normalise(space.side(side).matrix, ["unit"])[0] for side in (asks, answers)}
        self._index = index_of(self._words[asks])
        self._asks, self._answers, self._top, self._job = asks, answers, top, job
        self._correction = fit_correction(
            self._unit[answers], self._unit[asks], criterion=retrieval, device=job.device.name, progress=job.progress
        )
        self._encoder = _encoder_of(folder, encoder, job) if encoder is not None else None
        size = space.source.matrix.shape[1]
        if self._encoder is not None and self._encoder.dimensions != size:
            raise DataError(
                f"The encoder has {self._encoder.dimensions} dimensions, the space {size}.",
                hint="Use the encoder that the space was blended with.",
            )
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
        if self._encoder is not None and missing:
            table |= dict(zip(missing, self._encoded(missing), strict=True))
        else:
            self.unknown += missing
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

    def _encoded(self, words: list[str]) -> Any:
        from lexenc.lexical.mapping import normalise
        from lexenc.stages.reading import encode_words

        if self._encoder is None:
            return []
        return normalise(encode_words(self._encoder, words, self._job), ["unit"])[0]


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
