"""The folder of a lexicon: its senses as JSON and as vectors, and what recognises them in a text."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from lexenc.arrays import Doubles, Floats, Indices
from lexenc.artifact import DigestStore
from lexenc.encoders.locate import locate_encoder
from lexenc.errors import ConfigError, DataError, LexencError
from lexenc.files.tensors import read_tensors, write_tensors
from lexenc.files.text import writing
from lexenc.files.vectors import save_vectors, write_vec
from lexenc.structured import checked, read_json
from lexenc.text.folding import Folding
from lexenc.text.words import Segmentation
from lexenc.word_senses.description import HeadwordEntry
from lexenc.word_senses.induction import InducedSenses
from lexenc.word_senses.learned import LearnedSenses

if TYPE_CHECKING:
    from lexenc.training.sense_aware.bank import SenseBank

Clusters = InducedSenses | LearnedSenses
SENSES, TENSORS, VEC, CONCORDANCE = "senses.json", "senses.safetensors", "senses.vec", "concordance.tsv"
CONCORDANCE_HEADS = ("word", "sense", "confidence", "left", "form", "right", "line")
# Of the occurrences that senses were found from, and of an open model: not kept.
_NOT_KEPT = ("labels", "confidence", "bank")
_AGAIN = "Make it again with lexenc senses."
_DROPPED = -1


@dataclass(frozen=True)
class SenseLexicon:
    """The senses of some headwords, as `senses.json` has them.

    Args:
        encoder: The encoder, as the user named it.
        encoder_sha256: Its digest.
        layer: The layer whose states its vectors are.
        words: How texts are split into words.
        lowercase: Whether case is ignored.
        languages: Languages of the texts, that of plain headwords first.
        notes: What the numbers mean.
        headwords: The headwords.
        learned: Whether the encoder is a model that has learned the senses itself.
        format: Version of the file.
    """

    encoder: str
    encoder_sha256: str
    layer: int
    words: Segmentation
    lowercase: bool
    languages: list[str]
    notes: dict[str, str]
    headwords: list[HeadwordEntry]
    learned: bool = False
    format: Literal[2] = 2

    @property
    def folding(self) -> Folding:
        """How words are compared."""
        return Folding(self.lowercase, "nfc")


@dataclass(frozen=True)
class SenseChoice:
    """What chooses the senses of a headword.

    Args:
        induced: The clusters of its occurrences, or what a model has learned.
        entries: The sense of each cluster, as its place in the entry of the headword; -1 for none. Shape [k].
        weights: Number of occurrences of each cluster. Shape [k].
    """

    induced: Clusters
    entries: Indices
    weights: Doubles

    @classmethod
    def of(cls, induced: Clusters) -> SenseChoice:
        """Return the choice among the clusters as they were found."""
        count = len(induced.centres)
        sizes = np.bincount(induced.labels, minlength=count).astype(np.float64)
        return cls(induced, np.arange(count, dtype=np.int64), sizes)

    def choose(self, vectors: Floats) -> tuple[Indices, Doubles]:
        """Return the place of the sense of each occurrence, -1 for none, and the confidence in its cluster."""
        labels, confidence = self.induced.assign(vectors)
        return np.where(labels >= 0, self.entries[labels], _DROPPED), confidence

    def opened(self, bank: SenseBank) -> SenseChoice:
        """Return the choice with the model that it needs."""
        return replace(self, induced=replace(cast(LearnedSenses, self.induced), bank=bank))

    def centres(self, count: int) -> Floats:
        """Return the vectors of `count` senses: means of their clusters, weighted by size. Shape [count, d]."""
        weights = np.maximum(self.weights, 1e-9)
        rows = np.zeros((count, self.induced.centres.shape[1]))
        for sense in range(count):
            own = self.entries == sense
            rows[sense] = weights[own] @ self.induced.centres[own] / weights[own].sum()
        return np.ascontiguousarray(rows, dtype=np.float32)


def write_sense_lexicon(folder: Path, lexicon: SenseLexicon, choices: Sequence[SenseChoice]) -> None:
    """Write senses.json, senses.safetensors, senses.vec, and the same vectors as a folder of vectors."""
    body = json.dumps(asdict(lexicon), ensure_ascii=False, indent=1)
    with writing(folder / SENSES) as stream:
        stream.write(body.encode("utf-8", "backslashreplace") + b"\n")
    tensors: dict[str, np.ndarray] = {}
    facts: dict[str, dict[str, Any]] = {}
    for number, each in enumerate(choices):
        arrays, facts[str(number)] = fields_of(each.induced, _NOT_KEPT)
        arrays |= {"entries": each.entries, "weights": each.weights}
        tensors |= {f"{number}.{name}": array for name, array in arrays.items()}
    write_tensors(folder / TENSORS, tensors, facts)
    names = [one.sense for entry in lexicon.headwords for one in entry.senses]
    rows = [each.centres(len(entry.senses)) for entry, each in zip(lexicon.headwords, choices, strict=True)]
    matrix = np.concatenate(rows)
    write_vec(folder / VEC, names, matrix)
    save_vectors(folder, names, matrix)


def fields_of(induced: Clusters, without: Collection[str]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the arrays and the other values of clusters by name, except some."""
    values = {each.name: getattr(induced, each.name) for each in fields(induced) if each.name not in without}
    arrays = {name: value for name, value in values.items() if isinstance(value, np.ndarray)}
    return arrays, {name: value for name, value in values.items() if name not in arrays}


def _kept_fields(kind: type[Any]) -> list[str]:
    return [each.name for each in fields(kind) if each.name not in _NOT_KEPT]


def read_sense_lexicon(folder: Path) -> tuple[SenseLexicon, list[SenseChoice]]:
    """Read a lexicon.

    Raises:
        DataError: If the folder holds none, or it is damaged.
    """
    path = folder / SENSES
    if not path.is_file():
        raise DataError(f"{folder} holds no {SENSES}.", hint="Give a folder that lexenc senses or read-review wrote.")
    lexicon = checked(SenseLexicon, read_json(path, hint=_AGAIN), path, hint=_AGAIN)
    tensors, facts = read_tensors(folder / TENSORS, hint=_AGAIN)
    choices = []
    for number, entry in enumerate(lexicon.headwords):
        kind: type[Any] = LearnedSenses if lexicon.learned else InducedSenses
        values = {name: tensors.get(f"{number}.{name}", _fact(facts, number, name)) for name in _kept_fields(kind)}
        entries, weights = (tensors.get(f"{number}.{name}") for name in ("entries", "weights"))
        induced = kind(labels=np.zeros(0, np.int64), confidence=np.zeros(0), **values)
        if not _sound(induced, entries, weights, len(entry.senses)):
            raise DataError(f"{folder / TENSORS} does not fit {SENSES} ({entry.word}).", hint=_AGAIN)
        choices.append(SenseChoice(induced, np.asarray(entries, np.int64), np.asarray(weights, np.float64)))
    return lexicon, choices


def _fact(facts: dict[str, Any], number: int, name: str) -> Any:
    own = facts.get(str(number))
    return own.get(name) if isinstance(own, dict) else None


def _sound(induced: Clusters, entries: Any, weights: Any, count: int) -> bool:
    """Return whether tensors have the shapes that they must have."""
    try:
        clusters, size = induced.centres.shape
        if isinstance(induced, LearnedSenses):
            spread, named = float(induced.spread), isinstance(induced.word, str)
            whole = named and math.isfinite(spread) and induced.rows.shape == (clusters,)
        else:
            labels, confidence = induced.assign(np.zeros((1, size), dtype=np.float32))
            whole = 0 <= int(labels[0]) < clusters and bool(np.isfinite(confidence[0]))
        return (
            whole
            and entries.shape == weights.shape == (clusters,)
            and {*range(count)} == {*entries.tolist()} - {_DROPPED}
            and bool(np.isfinite(weights).all())
            and bool(np.isfinite(induced.centres).all())
        )
    except (AttributeError, TypeError, ValueError, IndexError):
        return False


def encoder_of(lexicon: SenseLexicon, folder: Path, given: Path | None) -> Path:
    """Return the folder of the encoder of a lexicon.

    Args:
        lexicon: The lexicon.
        folder: Where it is, for messages.
        given: The encoder that the user gave, if any.

    Raises:
        ConfigError: If it is another encoder, or cannot be found.
    """
    place = given
    if place is None:
        try:
            place = locate_encoder(lexicon.encoder).path
        except LexencError:
            raise ConfigError(
                f"The encoder of {folder} is not at {lexicon.encoder}.", hint="Give it: --encoder ENC"
            ) from None
    if DigestStore.default().of(place) != lexicon.encoder_sha256:
        which = lexicon.encoder if given is None else given
        raise ConfigError(
            f"{folder} was made with another encoder than {which}: {lexicon.encoder}, as it was then.",
            hint="Give the same encoder, or find the senses again with lexenc senses.",
        )
    return place
