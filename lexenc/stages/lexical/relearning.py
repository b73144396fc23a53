"""What vectors were learnt from, told by manifests, and the same vectors learnt again without some entries.

A mapping brings the pairs that it was learnt from closer together than others like them. What is to be known of new
words can therefore be seen only on entries that the mapping never saw.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexenc.artifact import DigestStore, Manifest, maker_of
from lexenc.errors import LexencError
from lexenc.files.dictionaries import Pairs, read_pairs, write_pairs
from lexenc.files.text import fold_case
from lexenc.parameters import build, parameters
from lexenc.stage import Job, Notices, Stage
from lexenc.stages.lineage import NoManifest, lessons, unchanged

if TYPE_CHECKING:
    import numpy as np

    from lexenc.files.spaces import Space
    from lexenc.files.vectors import Vectors


@dataclass
class Origin:
    """Words that vectors were learnt from, in lower case; both columns of the dictionaries.

    Args:
        mapped: Words of the dictionaries that the languages were mapped or blended with.
        tuned: Words of the pairs that an encoder was tuned on.
        gaps: What could not be found out, one sentence each.
    """

    mapped: tuple[set[str], set[str]] = field(default_factory=lambda: (set(), set()))
    tuned: tuple[set[str], set[str]] = field(default_factory=lambda: (set(), set()))
    gaps: list[str] = field(default_factory=list)

    def seen(self, side: int) -> set[str]:
        """Give all words of one column."""
        return self.mapped[side] | self.tuned[side]


def trace(folder: Path, dictionaries: Sequence[Path]) -> Origin:
    """Follow manifests back to the dictionaries that a space was learnt from.

    Args:
        folder: The space.
        dictionaries: Files at hand; one of them may be what was learnt from under another name.
    """
    digests = DigestStore.default()
    origin = Origin()
    for each in lessons(folder, {digests.of(path): path for path in dictionaries}):
        if isinstance(each, NoManifest):
            if not each.tuned:
                origin.gaps.append(f"{each.folder} has no manifest that says what it was learnt from")
        elif each.path is None:
            origin.gaps.append(each.gap)
        else:
            seen = origin.tuned if each.tuned else origin.mapped
            for left, right in read_pairs(each.path):
                seen[0].add(fold_case(left))
                seen[1].add(fold_case(right))
    return origin


# ---------------------------------------------------------------- learning again


class NotAgainError(LexencError):
    """Vectors that cannot be learnt again; the message says why."""


class Relearner:
    """Learns a space of `map` or `interpolate` again, as it was, without the entries of some words.

    Args:
        folder: The space.
        side: Column of the words to do without: 0 or 1.
        job: Device, progress; its folder is used for a while.

    Raises:
        NotAgainError: If something that is needed is gone, or the space was made in another way.
    """

    def __init__(self, folder: Path, side: int, job: Job) -> None:
        from lexenc.files.spaces import load_space
        from lexenc.stages.lexical.map import MAP

        self._side, self._job = side, job
        self._folder, self._maker = folder, _maker(folder)
        self._blend = self._maker if self._maker.stage == "interpolate" else None
        if self._blend is not None:
            self._folder = _input(folder, self._blend, "vectors")
            self._blended = load_space(folder)
        self._map = _maker(self._folder)
        if self._map.stage != "map" or "dictionary" not in self._map.inputs:
            raise NotAgainError(f"{self._folder} was not learnt by map from a dictionary")
        self._static = load_space(self._folder, mmap=True)
        self._inputs = {name: _input(self._folder, self._map, name) for name in self._map.inputs}
        self._settings = _params(MAP, self._map, self._inputs)
        if self._blend is not None:
            self._dictionary = _input(folder, self._blend, "dictionary")
            self._encoded = self._encodings(folder)

    def without(self, words: Collection[str]) -> Space:
        """Learn the space again without the entries of some words (in lower case).

        Raises:
            LexencError: If the entries that are left do not suffice.
        """
        from lexenc.files.spaces import load_space
        from lexenc.stages.lexical.map import MAP

        place = self._job.out / "again"
        place.mkdir()
        try:
            reduced = place / "dictionary.tsv"
            write_pairs(reduced, self._remaining(read_pairs(self._inputs["dictionary"]), words))
            out = place / "mapped"
            out.mkdir()
            quiet = replace(self._job, out=out, seed=self._map.seed, notices=Notices(), kept=False)
            MAP.run({**self._inputs, "dictionary": reduced}, self._settings, quiet)
            space = load_space(out)
            self._check_words(space)
            return space if self._blend is None else self._blended_again(space, words, quiet)
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def _remaining(self, pairs: Pairs, words: Collection[str]) -> Pairs:
        kept = [place for place, pair in enumerate(pairs) if fold_case(pair[self._side]) not in words]
        return pairs.chosen(kept)

    def _check_words(self, space: Space) -> None:
        for side in ("source", "target"):
            if space.side(side).words != self._static.side(side).words:
                raise NotAgainError(f"the {side} words of {self._folder} come out otherwise when learnt again")

    def _encodings(self, folder: Path) -> list[np.ndarray]:
        """Take the encodings out of the blend: what is left of it without its static part, exactly.

        Every row of a blend is (1 - lambda) u + lambda e with u and e of length 1, u being known.
        """
        from safetensors.numpy import load_file

        from lexenc.lexical.procrustes import interpolate

        maker = self._maker
        weight = float(maker.params["lambda"])
        if weight == 0:
            raise NotAgainError(f"{folder} holds nothing of its encoder (lambda 0)")
        projection = load_file(folder / "projection.safetensors")["projection"]
        found = []
        for side in ("source", "target"):
            static, blended = self._static.side(side), self._blended.side(side)
            known = len(static.words)
            if blended.words[:known] != static.words:
                raise NotAgainError(f"the {side} words of {folder} are not those of {self._folder}")
            if len(blended.words) > known and maker.params.get("missing") == "average":
                raise NotAgainError(f"{folder} has averages for words without a static vector")
            encoded = blended.matrix.copy()
            part = encoded[:known]
            # The second argument of weight 0 does not count.
            part -= (1 - weight) * interpolate(static.matrix, blended.matrix[:known], projection, 0.0)
            part /= weight
            found.append(encoded)
        return found

    def _blended_again(self, static: Space, words: Collection[str], job: Job) -> Space:
        from lexenc.files.spaces import Space
        from lexenc.files.vectors import Vectors
        from lexenc.lexical.procrustes import interpolate
        from lexenc.stages.lexical.interpolate import INTERPOLATE
        from lexenc.stages.lexical.shared import learn_projection
        from lexenc.stages.reading import fold_pairs

        params = _params(INTERPOLATE, self._maker, {})
        pairs = self._remaining(read_pairs(self._dictionary), words)
        known = [each[: len(static.side(side).words)] for each, side in zip(self._encoded, _NAMES, strict=True)]
        projection = learn_projection(
            static, (known[0], known[1]), fold_pairs(pairs, params), job, lowercase=params.lowercase
        )
        sides: list[Vectors] = []
        for name, encoded in zip(_NAMES, self._encoded, strict=True):
            own, whole = static.side(name), self._blended.side(name)
            matrix = encoded.copy()
            matrix[: len(own.words)] = interpolate(
                own.matrix, encoded[: len(own.words)], projection, float(self._maker.params["lambda"])
            )
            sides.append(Vectors(whole.words, matrix, whole.report))
        return Space(*sides)


_NAMES = ("source", "target")


def _maker(folder: Path) -> Manifest:
    maker = maker_of(folder)
    if maker is None:
        raise NotAgainError(f"{folder} has no manifest that says how it was made")
    return maker


def _input(folder: Path, maker: Manifest, name: str) -> Path:
    if len(maker.inputs.get(name, [])) != 1:
        raise NotAgainError(f"the manifest of {folder} names no single input '{name}'")
    (record,) = maker.inputs[name]
    path = unchanged(folder, record)
    if path is None:
        raise NotAgainError(f"{record.given}, from which {folder} was made, is not there any more or has changed")
    return path


def _params(stage: Stage, maker: Manifest, inputs: Mapping[str, Any]) -> Any:
    """Give the parameters of a result as its stage takes them."""
    known = parameters(stage.params)
    params, faults = build(stage.params, {k: v for k, v in maker.params.items() if k in known}, owner=maker.stage)
    if faults or maker.stage_version != stage.version:
        raise NotAgainError(f"it was made by another version of {maker.stage}")
    return params if stage.resolve is None else stage.resolve(inputs, params)
