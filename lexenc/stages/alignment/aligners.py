"""What aligns sentence pairs part by part: encoders, static vectors, and models that find spans."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from lexenc.alignment import ALIGNERS
from lexenc.artifact import MANIFEST, read_manifest
from lexenc.files.text import counted

if TYPE_CHECKING:
    from lexenc.alignment.embedding import EmbeddingAligner
    from lexenc.alignment.spans import SpanAligner
    from lexenc.stage import Job
    from lexenc.stages.alignment.align_params import AlignParams
    from lexenc.stages.alignment.aligned_files import WordPairs
    from lexenc.text.links import Links


class Aligner(Protocol):
    """Links the words of sentence pairs."""

    def align(self, pairs: WordPairs) -> Links:
        """Give the links of every pair, in order."""

    def finish(self, job: Job) -> dict[str, Any]:
        """Warn of what was unusual, and give counts of it."""


def open_aligner(inputs: Mapping[str, Any], params: AlignParams, job: Job) -> Aligner:
    """Open the aligner that the parameters name."""
    opened = ALIGNERS[params.method or "itermax"]
    if opened is not None:
        aligner: Aligner = opened(inputs, params, job)
        return aligner
    if params.method == "span":
        return _Spans(inputs["encoder"], params, job)
    return _Vectors(inputs, params, job)


class _Vectors:
    """Words by their vectors: of an encoder, or of a shared space."""

    def __init__(self, inputs: Mapping[str, Any], params: AlignParams, job: Job) -> None:
        from lexenc.alignment.embedding import EmbeddingAligner
        from lexenc.alignment.matching import Matching

        softmax = params.method == "softmax"
        how = Matching(params.method or "itermax", distortion=params.distortion)
        how = replace(how, threshold=params.threshold or 0.0) if softmax else how
        self._least = 0.0 if softmax else params.threshold or 0.0
        sides = _tables(inputs["vectors"], params) if inputs.get("vectors") else (_words(inputs, params, job),)
        self._aligner: EmbeddingAligner = EmbeddingAligner(*sides, how=how)

    def align(self, pairs: WordPairs) -> Links:
        """Give the links of every pair, in order."""
        links = self._aligner.align(pairs)
        return links.at_least(self._least) if self._least else links

    def finish(self, job: Job) -> dict[str, Any]:
        """Warn of what was unusual, and give counts of it."""
        seen = self._aligner
        if seen.without_vector:
            job.notices.warn(f"{counted(seen.without_vector, 'word')} without a vector: no links.", None)
        if seen.windowed:
            lone = f"{counted(seen.windowed, 'sentence')} longer than the encoder takes, read in windows that overlap."
            job.notices.say(f"align: {lone}")
        if seen.too_large:
            job.notices.warn(f"{counted(seen.too_large, 'sentence pair')} too long on both sides: no links.", None)
        names = ("without_vector", "windowed", "too_large")
        return {name: getattr(seen, name) for name in names if getattr(seen, name)}


def _words(inputs: Mapping[str, Any], params: AlignParams, job: Job) -> Any:
    """Open an encoder for words."""
    from lexenc.encoders.load import load_encoder
    from lexenc.encoders.word_vectors import LAYER, word_encoder

    encoder = load_encoder(inputs["encoder"], pooling="auto", device=job.device)
    layers = getattr(encoder, "layers", 0)
    layer = params.layer if params.layer is not None else _tuned_layer(inputs["encoder"])
    if layer is None:
        layer = LAYER if layers >= LAYER else -1
        if 0 < layers < LAYER:
            job.notices.say(f"align: words are taken from layer {layers}, the last; --layer takes another.")
    return word_encoder(encoder, layer=layer, unit=params.unit)


def _tuned_layer(encoder: Path) -> int | None:
    """Give the layer whose states were tuned for alignment, if the encoder is a result of that."""
    if not (encoder / MANIFEST).is_file():
        return None
    manifest = read_manifest(encoder)
    layer = manifest.summary.get("layer")
    return layer if manifest.stage == "align-train softmax" and isinstance(layer, int) else None


def _tables(path: Path, params: AlignParams) -> tuple[Any, Any]:
    """Open a shared space."""
    from lexenc.encoders.word_vectors import Case, TableWords
    from lexenc.files.spaces import load_space

    space = load_space(path)
    case: Case = "fallback" if params.lowercase else "exact"
    source, target = (TableWords(side.words, side.matrix, case=case) for side in (space.source, space.target))
    return source, target


class _Spans:
    """Words by a model that finds the span of one in the other sentence."""

    def __init__(self, folder: Path, params: AlignParams, job: Job) -> None:
        from lexenc.alignment.spans import SpanAligner

        self._aligner: SpanAligner = SpanAligner.load(folder, device=job.device, threshold=params.threshold or 0.0)

    def align(self, pairs: WordPairs) -> Links:
        """Give the links of every pair, in order."""
        return self._aligner.align(pairs)

    def finish(self, job: Job) -> dict[str, Any]:
        """Warn of what was unusual, and give counts of it."""
        seen = self._aligner.counts
        if seen.too_long:
            job.notices.warn(
                f"{counted(seen.too_long, 'sentence pair')} longer than the model takes: no links.",
                "Split long lines; --method statistical takes any length.",
            )
        return {name: getattr(seen, name) for name in ("too_long", "unasked") if getattr(seen, name)}
