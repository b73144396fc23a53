"""Linear maps that bring the word vectors of two languages into one space, from a dictionary.

Three steps, each a function of its own: `fit_normalisation` (what the whole vocabulary tells), `fit_mapping` (what
the dictionary tells) and `Mapping.apply_source` / `apply_target`, which need neither and so serve new words too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from lexenc.errors import ConfigError, DataError, WorkError, unknown_name

Action = Literal["unit", "center", "unitdim", "centeremb", "none"]
Kind = Literal["advanced", "orthogonal", "unconstrained"]
Side = Literal["source", "target"]
RankPolicy = Literal["rotate", "truncate", "refuse"]
Matrix = NDArray[Any]
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

# Singular values below this share of the largest count as zero. Rounding vectors to float32 leaves a noise of about
# 1e-8 of it, the weakest real direction of trained vectors lies above 1e-3.
RANK_TOLERANCE = 1e-6
# Float64 bytes of the rows worked on at a time: they stay in the processor's cache from step to step.
_BLOCK_BYTES = 1 << 20
# Rows multiplied at a time: small products keep the threads of the linear algebra library waiting for each other.
_PRODUCT_ROWS = 8192


@dataclass(frozen=True)
class Normalisation:
    """Normalisation steps with what they learnt from a vocabulary, so that new words get the same treatment.

    Args:
        actions: The steps, in order.
        columns: For every step the column means (`center`) or column lengths (`unitdim`) found, shape [d], or None.
    """

    actions: tuple[Action, ...]
    columns: tuple[Doubles | None, ...]

    def apply(self, matrix: Matrix, *, out: Floats | None = None) -> Floats:
        """Normalise rows, of the same vocabulary or new ones.

        Args:
            matrix: Shape [n, d], any float type.
            out: Where to put the result; may be `matrix` itself. None makes a new array.

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
            _change(rows, action, columns)


def normalise(matrix: Matrix, actions: Sequence[str], *, out: Floats | None = None) -> tuple[Floats, Normalisation]:
    """Normalise a whole vocabulary.

    Args:
        matrix: All vectors of the vocabulary, shape [n, d], any float type.
        actions: Steps in order: `unit` (rows of length 1), `center` (columns of mean 0), `unitdim` (columns of
            length 1), `centeremb` (rows of mean 0), `none`.
        out: Where to put the result; may be `matrix` itself, which then takes hardly any memory.

    Returns:
        The vectors, float32, and what new words need.

    Raises:
        ConfigError: If there is no such step.

    Source: Artetxe et al. 2018 (AAAI), section 3.1. Means and lengths are computed in float64; a row or column of
    zeros stays as it is.
    """
    normalisation = fit_normalisation(matrix, actions)
    return normalisation.apply(matrix, out=out), normalisation


def fit_normalisation(matrix: Matrix, actions: Sequence[str]) -> Normalisation:
    """Learn column means and lengths from a whole vocabulary, without changing it.

    Args:
        matrix: All vectors of the vocabulary, shape [n, d]; fewer rows give other means, so other results.
        actions: As in `normalise`.

    Raises:
        ConfigError: If there is no such step.
        DataError: If a value is not finite.
    """
    done = Normalisation((), ())
    for action in actions:
        if action not in get_args(Action):
            raise unknown_name("normalisation step", action, get_args(Action))
        columns = None
        if action in ("center", "unitdim"):
            columns = _column_totals(matrix, done, squared=action == "unitdim")
            if not np.isfinite(columns).all():
                raise DataError("A vector has a value that is not finite.", hint="Remove it, or make it again.")
            columns = np.sqrt(columns) if action == "unitdim" else columns / max(1, len(matrix))
        done = Normalisation((*done.actions, action), (*done.columns, columns))  # type: ignore[arg-type]
    return done


@dataclass(frozen=True)
class Mapping:
    """One matrix per language that brings its normalised vectors into the common space.

    Args:
        source: Shape [d_source, k], float64.
        target: Shape [d_target, k], float64.
        singular_values: Of the rotation, the largest first (with whitening: canonical correlations in [0, 1]).
            Empty for an unconstrained mapping.
        rank: Independent dimensions that the dictionary determines.
        pairs: Dictionary rows used, repeats counted.
        kind: The kind of mapping that was asked for, or `rcsls`.
        whitened: Whether whitening took place.
        announcement: A sentence for the user where the dictionary was too poor for the method, else None.
        source_normalisation: What raw source vectors go through first; None if unknown.
        target_normalisation: The same for the target.
    """

    source: Doubles
    target: Doubles
    singular_values: Doubles
    rank: int
    pairs: int
    kind: Kind | Literal["rcsls"]
    whitened: bool
    announcement: str | None = None
    source_normalisation: Normalisation | None = None
    target_normalisation: Normalisation | None = None

    def normalised_by(self, source: Normalisation, target: Normalisation) -> Mapping:
        """Remember how both vocabularies were normalised, so that `apply_source` takes raw vectors."""
        return replace(self, source_normalisation=source, target_normalisation=target)

    def apply_source(
        self, matrix: Matrix, *, normalised: bool = False, out: Floats | None = None, device: str = "cpu"
    ) -> Floats:
        """Map source vectors, known or new.

        Args:
            matrix: Shape [n, d_source], any float type.
            normalised: Whether the rows are normalised already.
            out: Where to put the result, shape [n, k]; may be `matrix` itself if k = d_source.
            device: `cpu`, or a device of PyTorch for the product.

        Returns:
            Shape [n, k], float32; not of length 1.

        Raises:
            ConfigError: If the number of columns is another one than that of the mapping.
        """
        steps = None if normalised else self.source_normalisation
        return _apply(matrix, self.source, steps, side="source", out=out, device=device)

    def apply_target(
        self, matrix: Matrix, *, normalised: bool = False, out: Floats | None = None, device: str = "cpu"
    ) -> Floats:
        """Map target vectors; as `apply_source`."""
        steps = None if normalised else self.target_normalisation
        return _apply(matrix, self.target, steps, side="target", out=out, device=device)


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
) -> Mapping:
    """Learn a mapping from the dictionary rows of two normalised spaces.

    Args:
        source_rows: The source vector of every dictionary line, shape [p, d_source]; repeats are kept and weigh more.
        target_rows: The target vector of the same line, shape [p, d_target].
        kind: `advanced` (whiten, rotate, re-weight, de-whiten; both languages move), `orthogonal` (a rotation of the
            source, the target stays) or `unconstrained` (least squares, the target stays).
        whiten: Make the dimensions of the dictionary rows uncorrelated before the rotation. Only `advanced`.
        source_reweight: Exponent of the singular values that multiply the source dimensions; 0 is off. Only `advanced`.
        target_reweight: The same for the target.
        source_dewhiten: Undo the whitening of this language on the source side; None leaves it. Only after whitening.
        target_dewhiten: The same on the target side.
        reduce_to: Keep only that many dimensions, the best corresponding ones. Not for `unconstrained`.
        rank_policy: What to do if the dictionary has fewer independent rows than a space has dimensions, so that
            whitening (or least squares) is not determined: `rotate` does without it, `truncate` works in the
            directions that are determined, `refuse` raises.

    Returns:
        The mapping; its `announcement` says if the policy was needed.

    Raises:
        WorkError: If there is no pair, or the dictionary is too poor and the policy is `refuse`.
        ConfigError: If the numbers of rows differ or a switch cannot be used.

    Source: Artetxe et al. 2018 (AAAI), section 3, in the setting of Artetxe et al. 2018 (ACL). Everything is float64.
    """
    left, right = np.asarray(source_rows, dtype=np.float64), np.asarray(target_rows, dtype=np.float64)
    _check_rows(left, right, kind, rank_policy, reduce_to)
    directions = _directions(left), _directions(right)
    rank = min(directions[0].rank, directions[1].rank)
    poor = directions[0].rank < left.shape[1] or directions[1].rank < right.shape[1]
    inverts = kind == "unconstrained" or (kind == "advanced" and whiten)
    if poor and inverts and rank_policy == "refuse":
        raise WorkError(_poverty(len(left), rank, left, right) + ".", hint=_POOR_HINT)
    rotates = poor and inverts and rank_policy == "rotate"
    if kind == "orthogonal" or (kind == "unconstrained" and rotates):
        source, target, values = _rotation(left, right, reduce_to)
    elif kind == "unconstrained":
        source, target, values = _least_squares(directions[0], left, right), np.eye(right.shape[1]), np.zeros(0)
    else:
        source, target, values = _advanced(
            left, right, directions if whiten and not rotates else None,
            exponents=(source_reweight, target_reweight), dewhiten=(source_dewhiten, target_dewhiten),
        )  # fmt: skip
        source, target = source[:, :reduce_to], target[:, :reduce_to]
    return Mapping(
        source=source, target=target, singular_values=values, rank=rank, pairs=len(left), kind=kind,
        whitened=kind == "advanced" and whiten and not rotates,
        announcement=_announcement(left, right, rank, poor=poor, inverts=inverts, rotates=rotates),
    )  # fmt: skip


class _Directions(NamedTuple):
    """The right singular vectors of dictionary rows, shape [d, d], their singular values [d], and how many count."""

    vectors: Doubles
    values: Doubles
    rank: int

    def power(self, exponent: float) -> Doubles:
        """Compute (rows' rows)^(exponent / 2) on the directions that count, shape [d, d]."""
        kept = self.vectors[:, -self.rank :]
        product: Doubles = (kept * self.values[-self.rank :] ** exponent) @ kept.T
        return product


def _directions(rows: Doubles) -> _Directions:
    """Find the directions of dictionary rows, the weakest first. Shape [p, d]."""
    # From the eigenvalues of rows' rows: squaring leaves half the digits, singular values down to 1e-8 of the largest,
    # which is finer than RANK_TOLERANCE, and takes a tenth of the time of decomposing the rows themselves.
    squares, vectors = np.linalg.eigh(rows.T @ rows)
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
    """Whiten (where directions are given), rotate, re-weight, de-whiten; each side as one matrix.

    In the paper's symbols: W_x = (X'X)^(-1/2), W_z = (Z'Z)^(-1/2) whiten; U S V' = svd(W_x X'Z W_z) rotates;
    S^exponent re-weights; U' W_x^(-1) U and V' W_z^(-1) V de-whiten.
    """
    cross = left.T @ right
    whitening = None if directions is None else (directions[0].power(-1), directions[1].power(-1))
    if whitening is not None:
        cross = whitening[0] @ cross @ whitening[1]
    first, values, second = np.linalg.svd(cross, full_matrices=False)
    bases = {"source": first, "target": second.T}
    result = [bases["source"] * values ** exponents[0], bases["target"] * values ** exponents[1]]
    if whitening is not None and directions is not None:
        undo = {"source": directions[0].power(1), "target": directions[1].power(1)}
        for side, whose in enumerate(dewhiten):
            result[side] = whitening[side] @ result[side]
            if whose is not None:
                result[side] = result[side] @ (bases[whose].T @ undo[whose] @ bases[whose])
    return result[0], result[1], values


def _rotation(left: Doubles, right: Doubles, reduce_to: int | None) -> tuple[Doubles, Doubles, Doubles]:
    """Find the rotation of the source onto the target (Procrustes; Schönemann 1966).

    Spaces of different size get a matrix with orthonormal rows or columns. With fewer dimensions wanted, both sides
    are written in the rotated basis, where the first dimensions correspond best.
    """
    first, values, second = np.linalg.svd(left.T @ right, full_matrices=False)
    if reduce_to is not None:
        return first[:, :reduce_to], second[:reduce_to].T, values
    return first @ second, np.eye(right.shape[1]), values


def _least_squares(directions: _Directions, left: Doubles, right: Doubles) -> Doubles:
    """Find the matrix that brings the source rows closest to the target rows (Mikolov et al. 2013)."""
    inverse = directions.power(-1)
    solution: Doubles = inverse @ (inverse @ (left.T @ right))
    return solution


_POOR_HINT = "Use a larger dictionary, or vectors with fewer dimensions."


def _poverty(pairs: int, rank: int, left: Doubles, right: Doubles) -> str:
    """Say how much too poor a dictionary is."""
    return f"The {pairs:,} dictionary pairs determine only {rank} of {max(left.shape[1], right.shape[1])} dimensions"


def _announcement(left: Doubles, right: Doubles, rank: int, *, poor: bool, inverts: bool, rotates: bool) -> str | None:
    """Say what was done about a poor dictionary, if anything was to be done."""
    if poor:
        text = _poverty(len(left), rank, left, right)
        # Measured on word vectors of image captions (d = 100, 60 pairs, six draws, P@1 nearest neighbour): en-de
        # orthogonal 2.1, truncated whitening 3.7, ridge-regularised whitening 3.9 to 5.2, rotation with re-weighting
        # and no whitening 5.3; en-fr 1.6, 4.3, 4.6 to 6.4, 6.4. With 100 pairs: 3.8, 2.5, 3.3 to 8.1, 8.3.
        if rotates:
            return text + ", so they are rotated without whitening."
        return text + (", so the others are dropped." if inverts else "; the others are matched by chance.")
    if inverts and len(left) < 2 * max(left.shape[1], right.shape[1]):
        return (
            f"{len(left):,} dictionary pairs for {max(left.shape[1], right.shape[1])} dimensions hardly determine "
            "this mapping; one without whitening is usually better."
        )
    return None


def _apply(
    matrix: Matrix,
    transform: Doubles,
    steps: Normalisation | None,
    *,
    side: Side,
    out: Floats | None,
    device: str,
) -> Floats:
    """Normalise and multiply, block by block, so that one pass over the memory does both."""
    if matrix.shape[1] != transform.shape[0]:
        raise ConfigError(
            f"The {side} vectors have {matrix.shape[1]} columns, the mapping was learnt from {transform.shape[0]}.",
            hint="Use vectors from the file that the mapping was learnt from.",
        )
    result = np.empty((len(matrix), transform.shape[1]), dtype=np.float32) if out is None else out
    if transform.shape[0] == transform.shape[1] and np.array_equal(transform, np.eye(len(transform))):
        return (steps or Normalisation((), ())).apply(matrix, out=result)
    multiply = _product(transform, device)
    for start in range(0, len(matrix), _PRODUCT_ROWS):
        part = slice(start, start + _PRODUCT_ROWS)
        # A copy of the rows, so that the result may take the place of the input.
        rows = matrix[part].astype(np.float32) if steps is None else steps.apply(matrix[part])
        multiply(rows, result[part])
    return result


def _product(transform: Doubles, device: str) -> Callable[[Floats, Floats], None]:
    """Give the function that multiplies rows with a matrix in float32 and puts the product where it is told."""
    matrix = transform.astype(np.float32)
    if device == "cpu":

        def multiply_here(rows: Floats, out: Floats) -> None:
            np.matmul(rows, matrix, out=out)

        return multiply_here
    import torch

    right = torch.from_numpy(matrix).to(device)

    def multiply(rows: Floats, out: Floats) -> None:
        out[:] = (torch.from_numpy(rows).to(device) @ right).cpu().numpy()

    return multiply


def _blocks(matrix: Matrix) -> Iterator[tuple[slice, Doubles]]:
    """Copy the rows, block by block, into a float64 array that is used again for the next block."""
    size = max(1, _BLOCK_BYTES // (8 * max(1, matrix.shape[1])))
    rows = np.empty((min(size, len(matrix)), matrix.shape[1]))
    for start in range(0, len(matrix), size):
        part = slice(start, min(start + size, len(matrix)))
        block = rows[: part.stop - start]
        block[:] = matrix[part]
        yield part, block


def _column_totals(matrix: Matrix, done: Normalisation, *, squared: bool) -> Doubles:
    """Add up the columns (or their squares) as they are after the steps already known."""
    totals = np.zeros(matrix.shape[1])
    for _, rows in _blocks(matrix):
        done.change(rows)
        totals += np.square(rows).sum(axis=0) if squared else rows.sum(axis=0)
    return totals


def _change(rows: Doubles, action: Action, columns: Doubles | None) -> None:
    """Take one normalisation step on float64 rows in place."""
    if action == "unit":
        rows *= (1 / _divisors(np.sqrt(np.vecdot(rows, rows))))[:, None]
    elif action == "center" and columns is not None:
        rows -= columns
    elif action == "unitdim" and columns is not None:
        rows *= 1 / _divisors(columns)
    elif action == "centeremb":
        rows -= rows.mean(axis=1, keepdims=True)


def _divisors(lengths: Doubles) -> Doubles:
    """Give lengths to divide by: zero becomes 1."""
    return np.where(lengths == 0, 1.0, lengths)


def _check_rows(left: Doubles, right: Doubles, kind: str, rank_policy: str, reduce_to: int | None) -> None:
    """Refuse dictionary rows and switches from which nothing can be learnt."""
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
