"""The mapping: worked values, an evaluation of its own, VecMap's own output, and dictionaries that are too poor."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from lexenc.errors import ConfigError, DataError, WorkError
from lexenc.lexical.hub import anchored
from lexenc.lexical.mapping import Mapping, Normalisation, fit_mapping, fit_normalisation, normalise, space_rank
from lexenc.resources import read_preset
from lexenc.search.retrieval import NEAREST, Correction, fit_correction, retrieve


def unit(matrix: NDArray[Any]) -> NDArray[Any]:
    return matrix / np.linalg.norm(matrix, axis=1, keepdims=True)


UNCONSTRAINED = {"kind": "unconstrained", "normalise": ("unit", "center", "unit")}
SWITCHES = ("kind", "whiten", "source_reweight", "target_reweight", "source_dewhiten", "target_dewhiten")


def preset_values(preset: str) -> dict[str, Any]:
    """The values of a preset as it is bundled, or of least squares, which has none."""
    return UNCONSTRAINED if preset == "unconstrained" else read_preset(preset)


def switches(preset: str, **changes: Any) -> dict[str, Any]:
    """The arguments of `fit_mapping` in a preset."""
    return {key: value for key, value in preset_values(preset).items() if key in SWITCHES} | changes


def map_both(left: Any, right: Any, pairs: Any, preset: str, actions: Any = None, **changes: Any) -> Any:
    """Map two raw vocabularies: (mapping, source, target)."""
    actions = preset_values(preset)["normalise"] if actions is None else actions
    norms = fit_normalisation(left, actions), fit_normalisation(right, actions)
    rows = norms[0].apply(left[pairs[:, 0]]), norms[1].apply(right[pairs[:, 1]])
    ranks = space_rank(left, steps=norms[0]), space_rank(right, steps=norms[1])
    mapping = fit_mapping(*rows, ranks=lambda: ranks, **switches(preset, **changes)).normalised_by(*norms)
    return mapping, mapping.apply_source(left), mapping.apply_target(right)


def plain(left: Any, right: Any, pairs: Any, actions: Any, a: float, b: float, dewhiten: bool = True) -> Any:
    """Evaluate the published steps one after another on all rows, in float64, with textbook decompositions."""
    spaces = []
    for space in (left, right):
        x = space.astype(np.float64)
        for action in actions:
            x = x - x.mean(0) if action == "center" else x / np.linalg.norm(x, axis=1, keepdims=True)
        spaces.append(x)
    whitening = []
    for x, rows in zip(spaces, pairs.T, strict=True):
        _, s, v = np.linalg.svd(x[rows], full_matrices=False)
        whitening.append(v.T @ np.diag(1 / s) @ v)
    x, z = spaces[0] @ whitening[0], spaces[1] @ whitening[1]
    u, s, vt = np.linalg.svd(x[pairs[:, 0]].T @ z[pairs[:, 1]])
    # Dimensions of the larger space that the other one lacks do not correspond to anything.
    s, t = (np.pad(s, (0, len(each) - len(s))) for each in (u, vt))
    x, z = x @ u * s**a, z @ vt.T * t**b
    if dewhiten:
        x, z = x @ u.T @ np.linalg.inv(whitening[0]) @ u, z @ vt @ np.linalg.inv(whitening[1]) @ vt.T
    return x, z


@pytest.fixture(scope="module")
def toy() -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
    """200 words of 8 dimensions, the target a noisy linear image of the source; 60 dictionary lines with repeats."""
    chance = np.random.default_rng(5)
    left = chance.normal(size=(200, 8)) * np.arange(1, 9) + 0.5
    right = left @ chance.normal(size=(8, 8)) + chance.normal(size=(200, 8))
    lines = np.r_[np.arange(50), np.arange(10)]
    return left.astype(np.float32), right.astype(np.float32), np.stack([lines, lines], axis=1)


# --- normalisation


@pytest.mark.parametrize(
    ("actions", "expected"),
    [
        (["none"], [[3, 4], [0, 0], [0, 2]]),
        (["unit"], [[0.6, 0.8], [0, 0], [0, 1]]),
        (["center"], [[2, 2], [-1, -2], [-1, 0]]),
        (["unit", "center"], [[0.4, 0.2], [-0.2, -0.6], [-0.2, 0.4]]),
        (["unitdim"], [[1, 4 / 20**0.5], [0, 0], [0, 2 / 20**0.5]]),
        (["centeremb"], [[-0.5, 0.5], [0, 0], [-1, 1]]),
        (["centeremb", "unit"], [[-(0.5**0.5), 0.5**0.5], [0, 0], [-(0.5**0.5), 0.5**0.5]]),
    ],
)
def test_normalise_gives_the_values_worked_out_by_hand(actions: list[str], expected: list[list[float]]) -> None:
    matrix = np.array([[3, 4], [0, 0], [0, 2]], dtype=np.float32)
    before = matrix.copy()
    result, _ = normalise(matrix, actions)
    np.testing.assert_allclose(result, expected, atol=1e-6)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(matrix, before)


def test_normalise_in_place_fills_the_array_given() -> None:
    matrix = np.random.default_rng(0).normal(size=(3000, 70)).astype(np.float32)
    expected, _ = normalise(matrix, ["unit", "center", "unit"])
    result, _ = normalise(matrix, ["unit", "center", "unit"], out=matrix)
    assert result is matrix
    np.testing.assert_array_equal(matrix, expected)


def test_normalise_serves_a_new_word_as_one_of_the_vocabulary() -> None:
    matrix = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    result, learnt = normalise(matrix, ["unit", "center", "unitdim", "centeremb", "unit", "center"])
    np.testing.assert_array_equal(learnt.apply(matrix[7:8]), result[7:8])


def test_normalise_names_the_step_that_was_probably_meant() -> None:
    with pytest.raises(ConfigError, match="'centre'") as error:
        normalise(np.ones((2, 2), dtype=np.float32), ["unit", "centre"])
    assert error.value.hint == "Did you mean 'center'?"


def test_normalise_refuses_a_vocabulary_with_nan() -> None:
    with pytest.raises(DataError, match="not finite"):
        normalise(np.array([[1, np.nan], [1, 2]], dtype=np.float32), ["unit", "center"])


# --- the mapping itself


@pytest.mark.parametrize("exponents", [(0.5, 0.5), (0.0, 1.0), (0.0, 0.0), (1.0, 0.3)])
@pytest.mark.parametrize("dewhiten", [True, False])
@pytest.mark.parametrize("actions", [("unit", "center", "unit"), ("unit", "center")])
def test_fit_mapping_agrees_with_the_steps_taken_one_by_one(
    toy: Any, exponents: Any, dewhiten: bool, actions: Any
) -> None:
    left, right, pairs = toy
    sides: Any = ("source", "target") if dewhiten else (None, None)
    _, x, z = map_both(left, right, pairs, "supervised", actions, source_reweight=exponents[0],
                       target_reweight=exponents[1], source_dewhiten=sides[0], target_dewhiten=sides[1])  # fmt: skip
    a, b = plain(left, right, pairs, actions, *exponents, dewhiten=dewhiten)
    np.testing.assert_allclose(unit(x) @ unit(z).T, unit(a) @ unit(b).T, atol=2e-6)


def test_fit_mapping_changes_cosines_with_every_switch(toy: Any) -> None:
    left, right, pairs = toy
    changes: list[dict[str, Any]] = [
        {}, {"whiten": False}, {"source_reweight": 0.0}, {"target_reweight": 1.0}, {"source_dewhiten": None},
        {"target_dewhiten": None}, {"source_dewhiten": "target"}, {"target_dewhiten": "source"}, {"reduce_to": 5},
        {"kind": "orthogonal"}, {"kind": "unconstrained"}, {"actions": ("unit",)}, {"actions": ("unit", "center")},
        {"actions": ("none",)}, {"actions": ("unitdim", "centeremb")},
    ]  # fmt: skip
    cosines = []
    for change in changes:
        _, x, z = map_both(left, right, pairs, "supervised", **change)
        cosines.append(unit(x) @ unit(z).T)
    for (i, a), (j, b) in product(enumerate(cosines), enumerate(cosines)):
        assert i >= j or np.abs(a - b).max() > 1e-3, (changes[i], changes[j])


def test_fit_mapping_weighs_repeated_lines_more(toy: Any) -> None:
    left, right, pairs = toy
    _, x, _ = map_both(left, right, pairs, "supervised")
    _, y, _ = map_both(left, right, pairs[:50], "supervised")
    assert np.abs(x - y).max() > 1e-3


def test_fit_mapping_finds_a_rotation_again() -> None:
    chance = np.random.default_rng(1)
    left = chance.normal(size=(40, 6))
    turn = np.linalg.qr(chance.normal(size=(6, 6)))[0]
    mapping = fit_mapping(left, left @ turn, kind="orthogonal")
    np.testing.assert_allclose(mapping.source, turn, atol=1e-12)
    np.testing.assert_array_equal(mapping.target, np.eye(6))
    advanced = fit_mapping(left, left @ turn)
    np.testing.assert_allclose(left @ advanced.source, left @ turn @ advanced.target, atol=1e-9)
    np.testing.assert_allclose(advanced.singular_values, np.ones(6), atol=1e-9)


def test_fit_mapping_unconstrained_is_least_squares(toy: Any) -> None:
    left, right, pairs = toy
    x, z = left[pairs[:, 0]].astype(np.float64), right[pairs[:, 1]].astype(np.float64)
    mapping = fit_mapping(x, z, kind="unconstrained")
    np.testing.assert_allclose(mapping.source, np.linalg.lstsq(x, z, rcond=None)[0], atol=1e-8)
    np.testing.assert_array_equal(mapping.target, np.eye(8))


@pytest.mark.parametrize("kind", ["advanced", "orthogonal"])
def test_fit_mapping_reduced_keeps_the_first_dimensions(toy: Any, kind: str) -> None:
    left, right, pairs = toy
    mapping, x, z = map_both(left, right, pairs, "supervised", kind=kind, reduce_to=3)
    assert x.shape == z.shape == (200, 3)
    if kind == "advanced":
        _, whole, _ = map_both(left, right, pairs, "supervised")
        np.testing.assert_allclose(x, whole[:, :3], atol=1e-6)
    else:
        np.testing.assert_allclose(mapping.source.T @ mapping.source, np.eye(3), atol=1e-12)


@pytest.mark.parametrize("kind", ["advanced", "orthogonal", "unconstrained"])
@pytest.mark.parametrize("sizes", [(5, 7), (7, 5)])
def test_fit_mapping_takes_spaces_of_different_size(kind: Any, sizes: tuple[int, int]) -> None:
    chance = np.random.default_rng(2)
    core = chance.normal(size=(100, 5))
    left, right = (core @ np.linalg.qr(chance.normal(size=(size, 5)))[0].T for size in sizes)
    # The larger space needs a little of everything, or the dictionary would have too few independent rows.
    left, right = (space + 0.01 * chance.normal(size=space.shape) for space in (left, right))
    mapping = fit_mapping(left[:60], right[:60], kind=kind)
    assert mapping.announcement is None
    x, z = unit(mapping.apply_source(left)), unit(mapping.apply_target(right))
    assert x.shape == z.shape
    assert ((x @ z.T).argmax(axis=1) == np.arange(100)).mean() > 0.9


def test_fit_mapping_leaves_its_input_as_it_is(toy: Any) -> None:
    left, right, pairs = toy
    before = left.copy(), right.copy()
    map_both(left, right, pairs, "supervised")
    np.testing.assert_array_equal(left, before[0])
    np.testing.assert_array_equal(right, before[1])


def test_apply_source_in_place_and_in_blocks_gives_the_same(toy: Any) -> None:
    left, right, pairs = toy
    mapping, x, _ = map_both(left, right, pairs, "supervised")
    many = np.tile(left, (101, 1))
    result = mapping.apply_source(many, out=many)
    assert result is many
    np.testing.assert_allclose(many, np.tile(x, (101, 1)), atol=1e-6)
    normalised = mapping.source_normalisation.apply(left)
    np.testing.assert_allclose(replace(mapping, source_normalisation=None).apply_source(normalised), x, atol=1e-6)


def test_apply_source_names_both_sizes(toy: Any) -> None:
    mapping, _, _ = map_both(*toy, "supervised")
    with pytest.raises(ConfigError, match=r"9 columns.*8"):
        mapping.apply_source(np.ones((2, 9), dtype=np.float32))


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"kind": "linear"}, "'linear'"),
        ({"rank_policy": "ignore"}, "'ignore'"),
        ({"reduce_to": 9}, "9 dimensions"),
        ({"reduce_to": 0}, "0 dimensions"),
        ({"reduce_to": 2, "kind": "unconstrained"}, "unconstrained"),
    ],
)
def test_fit_mapping_refuses_what_it_cannot_do(toy: Any, changes: Any, fault: str) -> None:
    left, right, pairs = toy
    with pytest.raises(ConfigError, match=fault):
        fit_mapping(left[pairs[:, 0]], right[pairs[:, 1]], **changes)


@pytest.mark.parametrize("count", [0, 3])
def test_fit_mapping_refuses_a_dictionary_without_vectors(count: int) -> None:
    with pytest.raises(WorkError, match="No dictionary pair"):
        fit_mapping(np.zeros((count, 4)), np.ones((count, 4)))


# --- poor dictionaries


def test_fit_mapping_counts_repeated_lines_once_for_the_rank() -> None:
    rows = np.tile(np.random.default_rng(0).normal(size=(5, 8)), (10, 1))
    mapping = fit_mapping(rows, rows)
    assert (mapping.rank, mapping.pairs, mapping.whitened) == (5, 50, False)
    assert mapping.announcement is not None
    assert "50 dictionary pairs determine only 5 of 8" in mapping.announcement


def test_fit_mapping_finds_float32_rounding_no_dimension() -> None:
    chance = np.random.default_rng(0)
    rows = (chance.normal(size=(500, 6)) @ chance.normal(size=(6, 8))).astype(np.float32)
    assert fit_mapping(rows, rows).rank == 6


@pytest.mark.parametrize("kind", ["advanced", "unconstrained"])
@pytest.mark.parametrize("side", [0, 1])
def test_fit_mapping_refuses_a_poor_dictionary_if_told_to(kind: Any, side: int) -> None:
    rows = list(np.random.default_rng(0).normal(size=(2, 20, 8)))
    rows[side][5:] = rows[side][:1]
    with pytest.raises(WorkError, match="20 dictionary pairs determine only 5 of 8"):
        fit_mapping(*rows, kind=kind, rank_policy="refuse")
    assert fit_mapping(*rows, kind="orthogonal", rank_policy="refuse").rank == 5


def test_fit_mapping_warns_where_whitening_is_hardly_determined() -> None:
    rows = np.random.default_rng(0).normal(size=(2, 20, 8))
    assert fit_mapping(rows[0, :15], rows[1, :15]).announcement is not None
    assert fit_mapping(rows[0], rows[1]).announcement is None
    assert fit_mapping(rows[0, :15], rows[1, :15], whiten=False).announcement is None


def precision(x: Any, z: Any, test: Any, correction: Correction = NEAREST) -> float:
    """P@1 in percent."""
    found = retrieve(unit(x[test[:, 0]]), unit(z), k=1, correction=correction).indices[:, 0]
    return float((found == test[:, 1]).mean() * 100)


@pytest.mark.data
@pytest.mark.parametrize("preset", ["supervised", "aaai2018", "unconstrained"])
def test_fit_mapping_with_sixty_pairs_is_no_worse_than_a_rotation(captions: Any, preset: str) -> None:
    left, right, train, test = captions.source.vectors, captions.target.vectors, captions.train, captions.test
    scores = []
    for draw in range(4):
        pairs = np.random.default_rng(draw).permutation(train)[:60]
        mapping, x, z = map_both(left, right, pairs, preset)
        assert mapping.rank <= 60
        assert mapping.announcement is not None
        _, a, b = map_both(left, right, pairs, "emnlp2016", preset_values(preset)["normalise"])
        scores.append((precision(x, z, test), precision(a, b, test)))
    assert all(ours >= rotation for ours, rotation in scores), scores
    assert np.mean([ours for ours, _ in scores]) > 2, scores


# --- spaces with fewer dimensions than columns


def widened(space: NDArray[Any], how: str) -> NDArray[Any]:
    """Store a space of 8 dimensions in more columns, or take away one dimension or two."""
    chance = np.random.default_rng(3)
    match how:
        case "zero columns":
            return np.insert(space, [2, 5, 8], 0, axis=1)
        case "repeated columns":
            return np.concatenate([space, space[:, :2]], axis=1)
        case "mixed columns":
            return (space @ chance.normal(size=(8, 11))).astype(np.float32)
        case "reduced, stored wide":
            first = np.linalg.svd(space - space.mean(axis=0), full_matrices=False)[2][:6]
            return (space @ first.T @ first).astype(np.float32)
    return space


def narrow(space: NDArray[Any], actions: Any) -> NDArray[np.float64]:
    """Normalise, and express all vectors in as many coordinates as the space has dimensions."""
    x = normalise(space.astype(np.float64), actions)[0].astype(np.float64)
    _, values, axes = np.linalg.svd(x, full_matrices=False)
    return x @ axes[values > 1e-5 * values[0]].T


WIDE = ["zero columns", "repeated columns", "mixed columns", "reduced, stored wide"]
STEPS = ("unit", "center", "unit")


@pytest.mark.parametrize(
    ("how", "actions", "rank"),
    [*((how, STEPS, 6 if how == WIDE[-1] else 8) for how in WIDE), ("none", ("unit", "centeremb", "unit"), 7)],
)
@pytest.mark.parametrize("which", ["source", "target", "both"])
@pytest.mark.parametrize("exponents", [(0.5, 0.5), (0.0, 1.0), (0.5, 0.0)])
def test_fit_mapping_whitens_in_the_dimensions_that_the_vectors_have(
    toy: Any, how: str, actions: Any, rank: int, which: str, exponents: Any
) -> None:
    left, right, pairs = toy
    left = widened(left, how) if which != "target" else left
    right = widened(right, how) if which != "source" else right
    given = {"source_reweight": exponents[0], "target_reweight": exponents[1]}
    mapping, x, z = map_both(left, right, pairs, "supervised", actions, **given)
    assert (mapping.rank, mapping.whitened, mapping.announcement) == (rank, True, None)
    # The published steps, in coordinates of which none is missing.
    a, b = plain(narrow(left, actions), narrow(right, actions), pairs, (), *exponents)
    size = min(a.shape[1], b.shape[1])
    np.testing.assert_allclose(unit(x) @ unit(z).T, unit(a)[:, :size] @ unit(b)[:, :size].T, atol=3e-6)


@pytest.mark.parametrize("how", WIDE)
def test_fit_mapping_unconstrained_is_least_squares_in_fewer_dimensions(toy: Any, how: str) -> None:
    left, right, pairs = toy
    left = widened(left, how)
    mapping, x, _ = map_both(left, right, pairs, "unconstrained")
    assert mapping.announcement is None
    rows = [normalise(side, STEPS)[0].astype(np.float64) for side in (left, right)]
    exact = rows[0] @ np.linalg.lstsq(rows[0][pairs[:, 0]], rows[1][pairs[:, 1]], rcond=1e-5)[0]
    np.testing.assert_allclose(x, exact, atol=3e-6)


@pytest.mark.parametrize("how", WIDE)
def test_anchored_stays_in_the_dimensions_of_the_hub(toy: Any, how: str) -> None:
    left, right, pairs = toy
    left, right = widened(left, how), widened(right, how)
    settings = {"source_reweight": 0.5, "target_reweight": 0.0, "source_dewhiten": "target"}
    mapping, x, z = map_both(left, right, pairs, "supervised", **settings)
    fixed = anchored(mapping)
    np.testing.assert_array_equal(fixed.target, np.eye(right.shape[1]))
    cosines = unit(fixed.apply_source(left)) @ unit(fixed.apply_target(right)).T
    np.testing.assert_allclose(cosines, unit(x) @ unit(z).T, atol=3e-6)


@pytest.mark.parametrize("how", WIDE)
@pytest.mark.parametrize("kind", ["advanced", "orthogonal", "unconstrained"])
def test_fit_mapping_tells_a_poor_dictionary_from_a_space_with_fewer_dimensions(toy: Any, how: str, kind: Any) -> None:
    left, right, pairs = toy
    left, right = widened(left, how), widened(right, how)
    size = 6 if how.startswith("reduced") else 8
    poor, _, _ = map_both(left, right, pairs[:5], "supervised", kind=kind)
    assert poor.announcement is not None
    assert f"The 5 dictionary pairs determine only 5 of {size} dimensions" in poor.announcement
    assert not poor.whitened
    with pytest.raises(WorkError, match=f"5 of {size} dimensions"):
        map_both(left, right, pairs[:5], "supervised", rank_policy="refuse")
    few, _, _ = map_both(left, right, pairs[: 2 * size - 1], "supervised")
    assert few.announcement is not None
    assert f"pairs for {size} dimensions hardly determine" in few.announcement


def test_fit_mapping_names_the_side_of_which_the_dictionary_determines_less(toy: Any) -> None:
    left, right, pairs = toy
    narrow_side = left[:, :3]
    mapping = fit_mapping(narrow_side[pairs[:5, 0]], right[pairs[:5, 1]], ranks=lambda: (3, 8))
    assert mapping.announcement is not None
    assert "determine only 5 of 8" in mapping.announcement
    assert mapping.rank == 3


def test_fit_mapping_asks_for_the_rank_of_a_space_only_if_columns_are_missing(toy: Any) -> None:
    left, right, pairs = toy

    def never() -> tuple[int, int]:
        raise AssertionError

    rows = left[pairs[:, 0]], right[pairs[:, 1]]
    whole, plain_call = fit_mapping(*rows, ranks=never), fit_mapping(*rows)
    np.testing.assert_array_equal(whole.source, plain_call.source)
    np.testing.assert_array_equal(whole.target, plain_call.target)


def test_fit_mapping_with_a_negative_exponent_stays_finite(toy: Any) -> None:
    left, right, pairs = toy
    mapping, x, _ = map_both(widened(left, "zero columns"), right, pairs, "supervised", source_reweight=-0.5)
    assert np.isfinite(mapping.source).all()
    _, y, _ = map_both(left, right, pairs, "supervised", source_reweight=-0.5)
    np.testing.assert_allclose(np.linalg.norm(x, axis=1), np.linalg.norm(y, axis=1), rtol=1e-4)


def test_space_rank_counts_dimensions_not_columns() -> None:
    space = np.random.default_rng(0).normal(size=(200, 8)).astype(np.float32)
    assert space_rank(space) == 8
    assert [space_rank(widened(space, how)) for how in WIDE] == [8, 8, 8, 6]
    steps = fit_normalisation(space, ["unit", "centeremb", "unit"])
    assert space_rank(space, steps=steps) == 7
    # Parts of a space, each of which lacks something.
    assert space_rank(space * ([1] * 4 + [0] * 4), space * ([0] * 3 + [1] * 2 + [0] * 3)) == 5


def test_space_rank_does_not_take_few_words_for_few_dimensions() -> None:
    space = np.random.default_rng(0).normal(size=(5, 8))
    assert space_rank(space) == 8
    assert space_rank(space, steps=fit_normalisation(space, ["center"])) == 8
    assert space_rank(np.concatenate([space, np.zeros((9, 8))])) == 8
    assert space_rank(space[:, :3] @ np.ones((3, 8))) == 1


# --- real vectors

EXPECTED = {
    "supervised": ("supervised", 11.84, 15.69),
    "emnlp2016": ("orthogonal_unit_center", 11.57, 14.76),
    "aaai2018": ("aaai2018", 11.97, 14.89),
    "unconstrained": ("unconstrained_unit_center_unit", 8.38, 13.43),
}


@pytest.fixture(scope="module")
def mapped(english_german: Any) -> dict[str, tuple[Mapping, Any, Any]]:
    source, target, train, _ = english_german
    return {preset: map_both(source.vectors, target.vectors, train, preset) for preset in EXPECTED}


@pytest.mark.data
@pytest.mark.parametrize("preset", EXPECTED)
def test_mapping_gives_the_cosines_of_vecmap(data: Path, english_german: Any, mapped: Any, preset: str) -> None:
    table = pd.read_csv(data / "expected/vecmap-en-de-cosines.tsv", sep="\t", quoting=3, keep_default_na=False)
    assert len(table) == 1000
    _, x, z = mapped[preset]
    source = unit(x[[english_german.source.rows[word] for word in table["source"]]])
    target = unit(z[[english_german.target.rows[word] for word in table["target"]]])
    expected = table[EXPECTED[preset][0]].astype(float)
    assert np.abs((source * target).sum(axis=1) - expected).max() < 2e-5
    assert mapped[preset][0].announcement is None


@pytest.mark.data
@pytest.mark.parametrize("preset", EXPECTED)
def test_mapping_reaches_the_precision_of_vecmap(english_german: Any, mapped: Any, preset: str) -> None:
    _, x, z = mapped[preset]
    assert round(precision(x, z, english_german.test), 2) == EXPECTED[preset][1]


@pytest.mark.data
@pytest.mark.parametrize(
    "preset", ["supervised", *(pytest.param(name, marks=pytest.mark.slow) for name in EXPECTED if name != "supervised")]
)
def test_mapping_reaches_the_precision_of_vecmap_with_csls(english_german: Any, mapped: Any, preset: str) -> None:
    _, x, z = mapped[preset]
    correction = fit_correction(unit(z), unit(x), criterion="csls")
    assert round(precision(x, z, english_german.test, correction), 2) == EXPECTED[preset][2]


@pytest.mark.data
def test_mapping_agrees_with_a_float64_evaluation_on_real_vectors(english_german: Any, mapped: Any) -> None:
    source, target, train, test = english_german
    a, b = plain(source.vectors, target.vectors, train, ("unit", "center", "unit"), 0.5, 0.5)
    _, x, z = mapped["supervised"]
    queries = np.r_[test[:, 0], np.arange(248)]
    exact, ours = unit(a)[queries] @ unit(b).T, unit(x)[queries] @ unit(z).T
    assert np.abs(exact - ours).max() < 1e-5
    assert (exact.argmax(axis=1) == ours.argmax(axis=1)).mean() >= 0.99


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"source": None}, "holds no 'source'"),
        ({"source": np.ones(3)}, r"'source' has shape \[3\] and type float64, expected finite floats of shape nxn"),
        ({"source": np.ones((3, 2), int)}, "type int64"),
        ({"source": np.array([[np.nan, 1.0]])}, "expected finite floats"),
        ({"target": np.ones((3, 1))}, "expected finite floats of shape nx2"),
        ({"source_columns_1": None}, "holds no 'source_columns_1'"),
        ({"source_columns_1": np.ones(2)}, "'source_columns_1' has shape"),
        ({"more": np.ones(2)}, "an unknown array: 'more'"),
    ],
)
def test_a_saved_mapping_is_checked(change, said):
    steps = Normalisation(("unit", "center"), (None, np.zeros(3)))
    made = Mapping(np.ones((3, 2)), np.ones((4, 2)), np.ones(2), 2, 5, "orthogonal", False).normalised_by(steps, steps)
    made = replace(made, target_normalisation=None)
    tensors, facts = made.as_tensors()
    again = Mapping.from_tensors(tensors, facts)
    assert (again.rank, again.kind, again.source_normalisation.actions) == (2, "orthogonal", ("unit", "center"))
    with pytest.raises(DataError, match=said):
        Mapping.from_tensors({name: each for name, each in (tensors | change).items() if each is not None}, facts, "m")


@pytest.mark.parametrize("facts", [None, [], {"kind": 3}, {"source_actions": ["other"]}, {"rank": "2"}, {"more": 1}])
def test_the_facts_of_a_saved_mapping_are_checked(facts):
    tensors, own = Mapping(np.ones((3, 2)), np.ones((4, 2)), np.ones(2), 2, 5, "orthogonal", False).as_tensors()
    with pytest.raises(DataError, match="m: "):
        Mapping.from_tensors(tensors, own | facts if isinstance(facts, dict) else facts, "m")
