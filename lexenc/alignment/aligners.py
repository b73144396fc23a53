"""The aligners that `align` offers: what each needs, which options it has, and how it is opened."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from lexenc.alignment import Symmetrisation
from lexenc.alignment.counting import WordNumbers, WordPair
from lexenc.alignment.eflomal import EflomalAligner, eflomal_program
from lexenc.artifact import MANIFEST, read_manifest
from lexenc.device import Device
from lexenc.errors import ConfigError
from lexenc.files.dictionaries import Pairs, read_pairs
from lexenc.files.spaces import load_space
from lexenc.files.text import counted
from lexenc.progress import Progress
from lexenc.text.links import Links

Warned = tuple[str, str | None]


class Aligner(Protocol):
    """Links the words of sentence pairs, a part of the corpus at a time."""

    @property
    def counts(self) -> Mapping[str, int]:
        """Counts of what was unusual so far, by name."""

    def align(self, pairs: Sequence[WordPair], /) -> Links:
        """Return the links of every sentence pair, in order."""


@runtime_checkable
class CorpusAligner(Protocol):
    """Links the words of a whole corpus, from which it learns."""

    @property
    def counts(self) -> Mapping[str, int]:
        """Counts of what was unusual in the corpus, by name."""

    def align_corpus(self, corpus: Iterable[WordPair], /, *, start: int = 0) -> Iterator[Links]:
        """Learn from all sentence pairs and return their links, part by part, from sentence pair `start` on."""


@dataclass(frozen=True)
class AlignerSetup:
    """All that an aligner is opened with.

    Args:
        method: Its name.
        inputs: Paths by the name of the option: `encoder`, `vectors` or `dictionary`.
        options: Values of the options of `align`, by name with underscores.
        numbers: Numbers of source words and of target words, as the lexicon counts them.
        folder: Folder for intermediate data. What it contains already is used again.
        seed: Seed of the run.
        device: Returns the device to compute on.
        progress: Progress bar to update.
        say: Called with a remark for the user.
    """

    method: str
    inputs: Mapping[str, Path]
    options: Mapping[str, Any]
    numbers: tuple[WordNumbers, WordNumbers]
    folder: Path
    seed: int
    device: Callable[[], Device]
    progress: Progress
    say: Callable[[str], None]


@dataclass(frozen=True)
class AlignerKind:
    """A method of `align`.

    Args:
        open: Returns the aligner.
        needs: Inputs of which one must be given.
        takes: Other inputs that have an effect.
        options: Options that have an effect, beside those that every method has.
        threshold: Smallest score of a link unless the user sets it.
        symmetrise: Symmetrisation unless the user sets it.
        counts: Counts of the aligner that are part of the summary.
        warnings: Returns warnings about the final counts: message and hint.
        check: Raises ConfigError if the method cannot be used on this machine.
        summary: One sentence for lists of methods.
    """

    open: Callable[[AlignerSetup], Aligner | CorpusAligner]
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    threshold: float = 0.0
    symmetrise: Symmetrisation = "threshold"
    counts: tuple[str, ...] = ()
    warnings: Callable[[Mapping[str, int], AlignerSetup], Iterable[Warned]] = lambda counts, setup: ()
    check: Callable[[], object] = lambda: None
    summary: str = ""


def _open_embedding(setup: AlignerSetup) -> Aligner:
    from lexenc.alignment.matching import EmbeddingAligner, Matching
    from lexenc.encoders.word_vectors import TableWords

    least: float = setup.options["threshold"]
    how = Matching(setup.method, distortion=setup.options["distortion"])
    if setup.method == "softmax":
        how, least = replace(how, threshold=least), 0.0
    if "vectors" in setup.inputs:
        space = load_space(setup.inputs["vectors"])
        case: Any = "fallback" if setup.options["lowercase"] else "exact"
        sides = (TableWords(side.words, side.matrix, case=case) for side in (space.source, space.target))
        return EmbeddingAligner(*sides, how=how, least=least)
    return EmbeddingAligner(_word_encoder(setup), how=how, least=least)


def _word_encoder(setup: AlignerSetup) -> Any:
    from lexenc.encoders.load import load_encoder
    from lexenc.encoders.word_vectors import LAYER, word_encoder

    folder = setup.inputs["encoder"]
    encoder = load_encoder(folder, pooling="auto", device=setup.device())
    layers, layer = getattr(encoder, "layers", 0), setup.options["layer"]
    if layer is not None and not layers:
        raise ConfigError(
            f"--layer has no effect with {folder}, a {encoder.kind} encoder, which has no layers.", hint="Leave it out."
        )
    if layer is None and (folder / MANIFEST).is_file():
        manifest = read_manifest(folder)
        layer = manifest.summary.get("layer") if manifest.stage == "align-train softmax" else None
    if layer is None:
        layer = LAYER if layers >= LAYER else -1
        if 0 < layers < LAYER:
            setup.say(f"words are taken from layer {layers}, the last; --layer takes another.")
    return word_encoder(encoder, layer=layer, unit=setup.options["unit"])


def _warn_of_vectors(counts: Mapping[str, int], setup: AlignerSetup) -> Iterator[Warned]:
    if without := counts.get("without_vector"):
        yield f"{counted(without, 'word')} without a vector: no links.", None
    if windowed := counts.get("windowed"):
        setup.say(f"{counted(windowed, 'sentence')} longer than the encoder takes, read in overlapping windows.")
    if large := counts.get("too_large"):
        yield f"{counted(large, 'sentence pair')} too long on both sides: no links.", "Split long lines."


_BY_VECTORS = AlignerKind(
    _open_embedding,
    needs=("encoder", "vectors"),
    options=("layer", "unit"),
    counts=("without_vector", "windowed", "too_large"),
    warnings=_warn_of_vectors,
)
ARGMAX = ITERMAX = replace(_BY_VECTORS, options=("layer", "unit", "distortion"))
MATCH = _BY_VECTORS
SOFTMAX = replace(_BY_VECTORS, threshold=0.001)


def _open_spans(setup: AlignerSetup) -> Aligner:
    from lexenc.alignment.spans import SpanAligner

    return SpanAligner.load(setup.inputs["encoder"], device=setup.device(), threshold=setup.options["threshold"])


def _warn_of_spans(counts: Mapping[str, int], setup: AlignerSetup) -> Iterator[Warned]:
    if long := counts.get("too_long"):
        hint = "Split long lines; --method statistical takes any length."
        yield f"{counted(long, 'sentence pair')} longer than the model takes: no links.", hint


SPAN = AlignerKind(
    _open_spans, needs=("encoder",), threshold=0.4, counts=("too_long", "unasked"), warnings=_warn_of_spans
)


def _open_statistical(setup: AlignerSetup) -> CorpusAligner:
    from lexenc.alignment.statistical import StatisticalAligner, StatisticalSettings

    known = None
    if "dictionary" in setup.inputs:
        pairs, weight = _dictionary(setup), setup.options["dictionary_weight"]
        shares = pairs.probabilities or [1.0] * len(pairs)
        known = [(*pair, weight * share) for pair, share in zip(pairs, shares, strict=True)]
    names = (field.name for field in fields(StatisticalSettings) if field.name != "seed")
    how = StatisticalSettings(**{name: setup.options[name] for name in names}, seed=setup.seed)
    return StatisticalAligner(setup.folder, setup.numbers, how=how, known=known, progress=setup.progress, say=setup.say)


def _dictionary(setup: AlignerSetup) -> Pairs:
    languages = setup.options["source_language"], setup.options["target_language"]
    return read_pairs(setup.inputs["dictionary"], languages=languages)


def _warn_of_corpus(counts: Mapping[str, int], setup: AlignerSetup) -> Iterator[Warned]:
    if long := counts["too_long"]:
        most = setup.options["max_words"]
        hint = "Split long lines, or raise --max-words; the time grows with the product of both lengths."
        yield f"{counted(long, 'sentence pair')} with more than {most:,} words on a side: no links.", hint
    if "dictionary" in setup.inputs:
        pairs = _dictionary(setup)
        yield from pairs.remarks
        if counts.get("known_pairs") == 0:
            hint = f"Are its columns source and target? Its first pair is {pairs.first()}."
            yield f"{pairs.name}: no pair of it occurs in a sentence pair.", hint


STATISTICAL = AlignerKind(
    _open_statistical,
    takes=("dictionary",),
    options=("symmetrise", "model", "chains", "sweeps", "dictionary_weight", "max_words"),
    threshold=0.45,
    counts=("too_long", "known_pairs"),
    warnings=_warn_of_corpus,
)
EFLOMAL = AlignerKind(
    lambda setup: EflomalAligner(setup.folder, setup.options["symmetrise"]),
    options=("symmetrise",),
    threshold=0.45,
    symmetrise="intersection",
    check=eflomal_program,
)
