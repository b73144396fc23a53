"""An encoder as a model of mteb, the Massive Text Embedding Benchmark (Muennighoff et al. 2023)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lexenc.arrays import Matrix
from lexenc.encoders.base import Encoder
from lexenc.encoders.encode import encode_texts
from lexenc.errors import ConfigError
from lexenc.progress import SILENT, Progress


class MtebModel:
    """An encoder with the members of `mteb.models.EncoderProtocol`, so that `mteb.evaluate` takes it.

    All texts get the prompt, pooling and longest input of the encoder, whether they are queries or documents.

    Args:
        encoder: The encoder, on its device.
        name: Its name in the metadata of mteb.
        progress: Progress bar to update.
    """

    def __init__(self, encoder: Encoder, name: str, *, progress: Progress = SILENT) -> None:
        self._encoder, self._name, self._progress = encoder, name, progress

    def encode(self, inputs: Iterable[Mapping[str, Any]], **settings: Any) -> Matrix:
        """Encode batches of texts in their order.

        Args:
            inputs: Batches, each with a list of texts as `text`.
            settings: What mteb says of the task, and settings of batches, which do not change a vector.

        Returns:
            Shape [n, d], float32.

        Raises:
            ConfigError: If the inputs have no text, e.g. images only.
        """
        texts: list[str] = []
        for batch in inputs:
            if "text" not in batch:
                raise ConfigError(
                    f"The task has {', '.join(batch)} and no text.", hint="Use tasks of text only, e.g. --tasks STS17."
                )
            texts += batch["text"]
        return encode_texts(self._encoder, texts, progress=self._progress)

    def similarity(self, embeddings1: Any, embeddings2: Any) -> Any:
        """Return the cosines of all pairs of rows, as a tensor. Shape [n, d] and [m, d] to [n, m]."""
        from sentence_transformers.util import cos_sim

        return cos_sim(embeddings1, embeddings2)

    def similarity_pairwise(self, embeddings1: Any, embeddings2: Any) -> Any:
        """Return the cosine of every pair of rows, as a tensor. Shape [n, d] and [n, d] to [n]."""
        from sentence_transformers.util import pairwise_cos_sim

        return pairwise_cos_sim(embeddings1, embeddings2)

    @property
    def mteb_model_meta(self) -> Any:
        """What mteb records of the model."""
        from mteb.models import ModelMeta

        known = {"name": f"lexenc/{self._name}", "embed_dim": self._encoder.dimensions}
        return ModelMeta.create_empty(overwrites=known)
