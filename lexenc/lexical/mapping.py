"""Linear maps that bring the word vectors of two languages into one space, learned from a dictionary.

Three steps: `fit_normalisation` uses the whole vocabulary, `fit_mapping` uses the dictionary, and
`Mapping.apply_source` / `apply_target` need neither, so that they also map new words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from lexenc.arrays import Doubles, Floats, Matrix, blocks
from lexenc.errors import ConfigError, DataError, WorkError, unknown_name
from lexenc.structured import checked, shown

Action = Literal["unit", "center", "unitdim", "centeremb", "none"]
Kind = Literal["advanced", "orthogonal", "unconstrained"]
Side = Literal["source", "target"]
RankPolicy = Literal["rotate", "truncate", "refuse"]

# Singular values below this share of the largest count as zero. Rounding vectors to float32, or to six digits of text,
# leaves noise of about 1e-8 to 1e-7 of the largest, and the weakest real direction of trained vectors lies above 1e-3.
RANK_TOLERANCE = 1e-6
# Float64 bytes of the rows normalised at a time, so that they stay in the processor's cache from step to step.
_BLOCK_BYTES = 1 << 20
# Rows multiplied at a time. In smaller products, the threads of the linear algebra library wait for each other.
_PRODUCT_ROWS = 8192


@dataclass(frozen=True)
class Normalisation:
    """Normalisation steps with their column statistics, so that new words are normalised in the same way.

    Args:
        actions: The steps, in order.
        columns: Column means (`center`) or column lengths (`unitdim`) of every step, shape [d], or None.
    """

    actions: tuple[Action, ...]
    columns: tuple[Doubles | None, ...]

    def apply(self, matrix: Matrix, *, out: Floats | None = None) -> Floats:
        """Normalise rows of the same vocabulary or of new words.

        Args:
            matrix: Shape [n, d], any float type.
            out: Array for the result; may be `matrix` itself. None creates a new array.

        Returns:
            Shape [n, d], float32.
        """
        result = np.empty(matrix.shape, dtype=np.float32) if out is None else out
        for part, rows in _blocks(matrix):
            self.change(rows)
            result[part] = rows
        return result

    def change(self, rows: Doubles) -> None:
        """Normalise float64 rows in place."""
        for action, columns in zip(self.actions, self.columns, strict=True):
            if action == "unit":
                rows *= (1 / _divisors(np.sqrt(np.vecdot(rows, rows))))[:, None]
            elif action == "center" and columns is not None:
                rows -= columns
            elif action == "unitdim" and columns is not None:
                rows *= 1 / _divisors(columns)
            elif action == "centeremb":
                rows -= rows.mean(axis=1, keepdims=True)


def normalise(matrix: Matrix, actions: Sequence[str], *, out: Floats | None = None) -> tuple[Floats, Normalisation]:
    """Normalise a whole vocabulary.

    Args:
        matrix: All vectors of the vocabulary, shape [n, d], any float type.
        actions: Steps in order: `unit` (rows of length 1), `center` (columns of mean 0), `unitdim` (columns of
            length 1), `centeremb` (rows of mean 0), `none`.
        out: Array for the result; may be `matrix` itself, which saves memory.

    Returns:
        The vectors, float32, and the normalisation for new words.

    Raises:
        ConfigError: If a step is unknown.

    Source: Artetxe et al. 2018 (AAAI), section 3.1. Means and lengths are computed in float64. A row or column of zeros
    does not change.
    """
    normalisation = fit_normalisation(matrix, actions)
    return normalisation.apply(matrix, out=out), normalisation


def fit_normalisation(matrix: Matrix, actions: Sequence[str]) -> Normalisation:
    """Compute column means and lengths of a whole vocabulary, without changing it.

    Args:
        matrix: All vectors of the vocabulary, shape [n, d]. The result depends on all rows.
        actions: As in `normalise`.

    Raises:
        ConfigError: If a step is unknown.
        DataError: If a value is not finite.
    """
    done = Normalisation((), ())
    for action in actions:
        if action not in get_args(Action):
            raise unknown_name("normalisation step", action, get_args(Action))
        columns = None
        if action in ("center", "unitdim"):
            columns = np.zeros(matrix.shape[1])
            for _, rows in _blocks(matrix):
                done.change(rows)
                columns += (np.square(rows) if action == "unitdim" else rows).sum(axis=0)
            if not np.isfinite(columns).all():
                raise DataError("A vector has a value that is not finite.", hint="Remove the vector, or make it again.")
            columns = np.sqrt(columns) if action == "unitdim" else columns / max(1, len(matrix))
        done = Normalisation((*done.actions, action), (*done.columns, columns))  # type: ignore[arg-type]
    return done


def row_rank(rows: Matrix) -> int:
    """Count the independent dimensions of rows, shape [p, d]: singular values above `RANK_TOLERANCE` of the largest."""
    return _directions(np.asarray(rows, dtype=np.float64)).rank


def subspace(*spaces: Matrix, steps: Normalisation | None = None) -> Doubles:
    """Find the independent dimensions of a space, which may be fewer than its columns.

    Columns of zeros, repeated columns, rows of mean 0 and vectors with their dimensions reduced take some away.

    Args:
        spaces: All vectors of the space, in one or several matrices, shape [n, d].
        steps: Normalisation to apply to the vectors first; None for none.

    Returns:
        An orthonormal basis, shape [d, r]. It has r = d if the vectors are too few to know r: n vectors have at most n
        independent dimensions, or n - 1 if they are centred. Rows of zeros do not count.
    """
    size = spaces[0].shape[1]
    total, count = np.zeros((size, size)), 0
    for matrix in spaces:
        for _, rows in _blocks(matrix):
            if steps is not None:
                steps.change(rows)
            total += rows.T @ rows
            count += int(rows.any(axis=1).sum())
    found = _directions_of(total)
    rank = found.rank if found.rank < count - 1 else size
    basis: Doubles = found.vectors[:, size - rank :]
    return basis


def space_rank(*spaces: Matrix, steps: Normalisation | None = None) -> int:
    """Count the independent dimensions of a space, those of `subspace`."""
    return int(subspace(*spaces, steps=steps).shape[1])


@dataclass(frozen=True)
class _Facts:
    """The values of a saved mapping that are no arrays."""

    kind: str
    rank: int
    pairs: int
    whitened: bool
    announcement: str | None = None
    source_actions: tuple[Action, ...] | None = None
    target_actions: tuple[Action, ...] | None = None


@dataclass(frozen=True)
class Mapping:
    """One matrix per language that maps its normalised vectors into the shared space.

    Args:
        source: Shape [d_source, k], float64.
        target: Shape [d_target, k], float64.
        singular_values: Singular values of the rotation, the largest first (with whitening: canonical correlations in
            [0, 1]). Empty for an unconstrained mapping.
        rank: Number of independent dimensions that the dictionary determines, in the space that has fewer of them.
        pairs: Dictionary rows used, including repeats.
        kind: The kind of mapping, a name in `lexenc.lexical.MAPPINGS`.
        whitened: Whether the dictionary rows were whitened.
        announcement: A sentence for the user if the dictionary is too small for the method, else None.
        source_normalisation: Normalisation of raw source vectors; None if unknown.
        target_normalisation: The same for the target.
    """

    source: Doubles
    target: Doubles
    singular_values: Doubles
    rank: int
    pairs: int
    kind: str
    whitened: bool
    announcement: str | None = None
    source_normalisation: Normalisation | None = None
    target_normalisation: Normalisation | None = None

    def normalised_by(self, source: Normalisation, target: Normalisation) -> Mapping:
        """Return the mapping with the normalisation of both languages, so that it maps raw vectors."""
        return replace(self, source_normalisation=source, target_normalisation=target)

    def apply_source(self, matrix: Matrix, *, out: Floats | None = None) -> Floats:
        """Map source vectors, of the vocabulary or of new words.

        Args:
            matrix: Shape [n, d_source], any float type.
            out: Array for the result, shape [n, k]; may be `matrix` itself if k = d_source.

        Returns:
            Shape [n, k], float32, not of unit length.

        Raises:
            ConfigError: If `matrix` does not have d_source columns.
        """
        return _apply(matrix, self.source, self.source_normalisation, side="source", out=out)

    def apply_target(self, matrix: Matrix, *, out: Floats | None = None) -> Floats:
        """Map target vectors, as `apply_source` does."""
        return _apply(matrix, self.target, self.target_normalisation, side="target", out=out)

    def as_tensors(self) -> tuple[dict[str, Doubles], dict[str, Any]]:
        """Return the arrays of the mapping by name, and its other values, which JSON can hold."""
        tensors = {"source": self.source, "target": self.target, "singular_values": self.singular_values}
        names = ("kind", "rank", "pairs", "whitened", "announcement")
        facts: dict[str, Any] = {name: getattr(self, name) for name in names}
        for side, steps in (("source", self.source_normalisation), ("target", self.target_normalisation)):
            if steps is not None:
                facts[f"{side}_actions"] = list(steps.actions)
                tensors |= {f"{side}_columns_{i}": each for i, each in enumerate(steps.columns) if each is not None}
        return tensors, facts

    @classmethod
    def from_tensors(cls, tensors: dict[str, Any], facts: Any, place: Path | str = "mapping") -> Mapping:
        """Create a mapping from what `as_tensors` returned.

        Args:
            tensors: Its arrays.
            facts: Its other values.
            place: Where they were read, for messages.

        Raises:
            DataError: If an array or value is missing, unknown, of another type or shape, or not finite.
        """
        hint, known = "Make it again with lexenc map.", checked(_Facts, facts, place)
        taken = dict(tensors)

        def take(name: str, *shape: int | None, least: int = 1) -> Doubles:
            if name not in taken:
                raise DataError(f"{place} holds no '{name}'.", hint=hint)
            array: np.ndarray = taken.pop(name)
            fits = len(shape) == array.ndim and all(
                size >= least and wanted in (None, size) for size, wanted in zip(array.shape, shape, strict=True)
            )
            if array.dtype.kind != "f" or not (fits and np.isfinite(array).all()):
                wanted = "x".join("n" if size is None else str(size) for size in shape)
                raise DataError(
                    f"{place}: '{name}' has shape {list(array.shape)} and type {array.dtype}, expected finite floats "
                    f"of shape {wanted}.",
                    hint=hint,
                )
            return array

        source = take("source", None, None)
        target = take("target", None, source.shape[1])
        values = take("singular_values", None, least=0)
        steps: list[Normalisation | None] = []
        for side, matrix in (("source", source), ("target", target)):
            actions = getattr(known, f"{side}_actions")
            columns = tuple(take(f"{side}_columns_{i}", len(matrix)) if action in ("center", "unitdim") else None
                            for i, action in enumerate(actions or ()))  # fmt: skip
            steps.append(None if actions is None else Normalisation(actions, columns))
        if taken:
            raise DataError(f"{place} holds an unknown array: {shown(next(iter(taken)))}.", hint=hint)
        own = {name: getattr(known, name) for name in ("rank", "pairs", "kind", "whitened", "announcement")}
        return cls(source, target, values, **own, source_normalisation=steps[0], target_normalisation=steps[1])


def fit_mapping(  # noqa: PLR0913 - one argument per switch of the method
    source_rows: Matrix,
    target_rows: Matrix,
    *,
    kind: Kind = "advanced",
    whiten: bool = True,
    source_reweight: float = 0.5,
    target_reweight: float = 0.5,
    source_dewhiten: Side | None = "source",
    target_dewhiten: Side | None = "target",
    reduce_to: int | None = None,
    rank_policy: RankPolicy = "rotate",
    ranks: Callable[[], tuple[int, int]] | None = None,
) -> Mapping:
    """Learn a mapping from the dictionary rows of two normalised spaces.

    Args:
        source_rows: Source vector of every dictionary line, shape [p, d_source]. Repeated lines weigh more.
        target_rows: Target vector of the same line, shape [p, d_target].
        kind: `advanced` (whiten, rotate, re-weight, de-whiten; both languages move), `orthogonal` (rotate the source)
            or `unconstrained` (least squares; only the source moves).
        whiten: Make the dimensions of the dictionary rows uncorrelated before the rotation. Only `advanced`.
        source_reweight: Exponent of the singular values that multiply the source dimensions; 0 is off. Only `advanced`.
        target_reweight: The same for the target.
        source_dewhiten: Language whose whitening is undone on the source side, or None. Only after whitening.
        target_dewhiten: The same for the target side.
        reduce_to: Number of dimensions to keep, those that correspond best. Not for `unconstrained`.
        rank_policy: What to do if the dictionary has fewer independent rows than a space has independent dimensions, so
            that whitening (or least squares) is not determined: `rotate` without whitening, `truncate` to the
            directions that are determined, or `refuse` with an error.
        ranks: Returns the independent dimensions of the source space and of the target space (`space_rank`). Called
            only if the dictionary rows determine fewer dimensions than there are columns. None: all columns are
            independent.

    Returns:
        The mapping. Its `announcement` says whether the policy was needed. In a space whose rank is below its columns,
        whitening is that of the subspace of its vectors.

    Raises:
        WorkError: If there are no pairs, or the dictionary is too small and the policy is `refuse`.
        ConfigError: If the numbers of rows differ or a setting cannot be used.

    Source: Artetxe et al. 2018 (AAAI), section 3, with the settings of Artetxe et al. 2018 (ACL). All in float64.
    """
    left, right = np.asarray(source_rows, dtype=np.float64), np.asarray(target_rows, dtype=np.float64)
    _check_rows(left, right, kind, rank_policy, reduce_to)
    directions = _directions(left), _directions(right)
    found, sizes = (directions[0].rank, directions[1].rank), (left.shape[1], right.shape[1])
    if ranks is not None and found != sizes:
        sizes = ranks()
    cover = _Cover(len(left), *min(zip(found, sizes, strict=True), key=lambda side: side[0] - side[1]), max(sizes))
    poor = cover.rank < cover.size
    inverts = kind == "unconstrained" or (kind == "advanced" and whiten)
    if poor and inverts and rank_policy == "refuse":
        raise WorkError(cover.sentence + ".", hint=_POOR_HINT)
    rotates = poor and inverts and rank_policy == "rotate"
    if kind == "orthogonal" or (kind == "unconstrained" and rotates):
        source, target, values = _rotation(left, right, reduce_to)
    elif kind == "unconstrained":
        # The matrix that brings the source rows closest to the target rows (Mikolov et al. 2013).
        inverse = directions[0].power(-1)
        source, target, values = inverse @ (inverse @ (left.T @ right)), np.eye(right.shape[1]), np.zeros(0)
    else:
        source, target, values = _advanced(
            left, right, directions if whiten and not rotates else None,
            exponents=(source_reweight, target_reweight), dewhiten=(source_dewhiten, target_dewhiten),
        )  # fmt: skip
        source, target = source[:, :reduce_to], target[:, :reduce_to]
    return Mapping(
        source=source, target=target, singular_values=values, rank=min(found), pairs=len(left), kind=kind,
        whitened=kind == "advanced" and whiten and not rotates,
        announcement=_announcement(cover, inverts=inverts, rotates=rotates),
    )  # fmt: skip


class _Cover(NamedTuple):
    """How much of a space its dictionary rows determine, for the space of which they determine less.

    Args:
        pairs: Number of dictionary rows.
        rank: Independent dimensions of the rows.
        size: Independent dimensions of the space.
        largest: Independent dimensions of the larger one of both spaces.
    """

    pairs: int
    rank: int
    size: int
    largest: int

    @property
    def sentence(self) -> str:
        return f"The {self.pairs:,} dictionary pairs determine only {self.rank} of {self.size} dimensions"


class _Directions(NamedTuple):
    """Right singular vectors of dictionary rows, the weakest first, shape [d, d], their values [d], and the rank."""

    vectors: Doubles
    values: Doubles
    rank: int

    def power(self, exponent: float) -> Doubles:
        """Compute (rows' rows)^(exponent / 2) on the non-zero directions, shape [d, d]."""
        kept = self.vectors[:, -self.rank :]
        product: Doubles = (kept * self.values[-self.rank :] ** exponent) @ kept.T
        return product


def _directions(rows: Doubles) -> _Directions:
    # The eigenvalues of rows' rows keep half the digits, i.e. singular values down to 1e-8 of the largest, which is
    # finer than RANK_TOLERANCE, and take a tenth of the time of a decomposition of the rows themselves.
    return _directions_of(rows.T @ rows)


def _directions_of(products: Doubles) -> _Directions:
    squares, vectors = np.linalg.eigh(products)
    values = np.sqrt(np.maximum(squares, 0.0))
    return _Directions(vectors, values, int((values > RANK_TOLERANCE * values.max(initial=0.0)).sum()))


def _advanced(
    left: Doubles,
    right: Doubles,
    directions: tuple[_Directions, _Directions] | None,
    *,
    exponents: tuple[float, float],
    dewhiten: tuple[Side | None, Side | None],
) -> tuple[Doubles, Doubles, Doubles]:
    """Whiten (if `directions` are given), rotate, re-weight and de-whiten; return one matrix for each side.

    In the paper's symbols: W_x = (X'X)^(-1/2), W_z = (Z'Z)^(-1/2) whiten; U S V' = svd(W_x X'Z W_z) rotates;
    S^exponent re-weights; U' W_x^(-1) U and V' W_z^(-1) V de-whiten.
    """
    cross = left.T @ right
    whitening = None if directions is None else (directions[0].power(-1), directions[1].power(-1))
    if whitening is not None:
        cross = whitening[0] @ cross @ whitening[1]
    first, values, second = np.linalg.svd(cross, full_matrices=False)
    bases = {"source": first, "target": second.T}
    # A negative exponent does not blow up dimensions that do not correspond at all.
    positive = np.where(values > RANK_TOLERANCE * values.max(), values, np.inf) if min(exponents) < 0 else values
    result = [bases["source"] * positive ** exponents[0], bases["target"] * positive ** exponents[1]]
    if whitening is not None and directions is not None:
        undo = {"source": directions[0].power(1), "target": directions[1].power(1)}
        for side, whose in enumerate(dewhiten):
            result[side] = whitening[side] @ result[side]
            if whose is not None:
                result[side] = result[side] @ (bases[whose].T @ undo[whose] @ bases[whose])
    return result[0], result[1], values


def _rotation(left: Doubles, right: Doubles, reduce_to: int | None) -> tuple[Doubles, Doubles, Doubles]:
    """Compute the rotation of the source onto the target (Procrustes; Schönemann 1966).

    For spaces of different size, the matrix has orthonormal rows or columns. With `reduce_to`, both sides are expressed
    in the rotated basis, whose first dimensions correspond best.
    """
    first, values, second = np.linalg.svd(left.T @ right, full_matrices=False)
    if reduce_to is not None:
        return first[:, :reduce_to], second[:reduce_to].T, values
    return first @ second, np.eye(right.shape[1]), values


_POOR_HINT = "Use a larger dictionary, or vectors with fewer dimensions."


def _announcement(cover: _Cover, *, inverts: bool, rotates: bool) -> str | None:
    if cover.rank < cover.size:
        text = cover.sentence
        # Measured on word vectors of image captions (d = 100, 60 pairs, six draws, P@1 nearest neighbour): en-de
        # orthogonal 2.1, truncated whitening 3.7, ridge-regularised whitening 3.9 to 5.2, rotation with re-weighting
        # and no whitening 5.3; en-fr 1.6, 4.3, 4.6 to 6.4, 6.4. With 100 pairs: 3.8, 2.5, 3.3 to 8.1, 8.3.
        if rotates:
            return text + ", so they are rotated without whitening."
        return text + (", so the others are dropped." if inverts else "; the others are matched by chance.")
    if inverts and cover.pairs < 2 * cover.largest:
        return (
            f"{cover.pairs:,} dictionary pairs for {cover.largest} dimensions hardly determine "
            "this mapping; one without whitening is usually better."
        )
    return None


def _apply(
    matrix: Matrix, transform: Doubles, steps: Normalisation | None, *, side: Side, out: Floats | None
) -> Floats:
    """Normalise and multiply block by block, in one pass over the memory."""
    if matrix.shape[1] != transform.shape[0]:
        raise ConfigError(
            f"The {side} vectors have {matrix.shape[1]} columns, the mapping was learnt from {transform.shape[0]}.",
            hint="Use vectors from the file that the mapping was learnt from.",
        )
    result = np.empty((len(matrix), transform.shape[1]), dtype=np.float32) if out is None else out
    if transform.shape[0] == transform.shape[1] and np.array_equal(transform, np.eye(len(transform))):
        return (steps or Normalisation((), ())).apply(matrix, out=result)
    single = transform.astype(np.float32)
    for part in blocks(len(matrix), _PRODUCT_ROWS):
        # A copy of the rows, so that the result may overwrite the input.
        rows = matrix[part].astype(np.float32) if steps is None else steps.apply(matrix[part])
        np.matmul(rows, single, out=result[part])
    return result


def _blocks(matrix: Matrix) -> Iterator[tuple[slice, Doubles]]:
    """Yield copies of the rows block by block, in one float64 array that the next block overwrites."""
    size = max(1, _BLOCK_BYTES // (8 * max(1, matrix.shape[1])))
    rows = np.empty((min(size, len(matrix)), matrix.shape[1]))
    for part in blocks(len(matrix), size):
        block = rows[: part.stop - part.start]
        block[:] = matrix[part]
        yield part, block


def _divisors(lengths: Doubles) -> Doubles:
    return np.where(lengths == 0, 1.0, lengths)


def _check_rows(left: Doubles, right: Doubles, kind: str, rank_policy: str, reduce_to: int | None) -> None:
    if kind not in get_args(Kind):
        raise unknown_name("kind of mapping", kind, get_args(Kind))
    if rank_policy not in get_args(RankPolicy):
        raise unknown_name("rank policy", rank_policy, get_args(RankPolicy))
    if len(left) != len(right):
        raise ConfigError(f"There are {len(left):,} source rows and {len(right):,} target rows; each is one pair.")
    if not left.any() or not right.any():
        raise WorkError(
            "No dictionary pair has vectors on both sides.",
            hint="Check that the columns are source, then target, and that upper and lower case agree.",
        )
    if reduce_to is None:
        return
    if kind == "unconstrained":
        raise ConfigError("An unconstrained mapping cannot reduce dimensions.", hint="Use the kind advanced.")
    if not 1 <= reduce_to <= min(left.shape[1], right.shape[1]):
        raise ConfigError(
            f"Cannot reduce to {reduce_to} dimensions; the vectors have {left.shape[1]} and {right.shape[1]}."
        )
