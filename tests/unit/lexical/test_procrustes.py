"""The map from static vectors to encodings, and the blend of both."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lexenc.errors import ConfigError, WorkError
from lexenc.lexical.procrustes import (
    blend,
    blends,
    fit_procrustes,
    interpolate,
    join_views,
    procrustes_announcement,
    share_lost,
)


def unit(matrix: NDArray[Any]) -> NDArray[Any]:
    return matrix / np.linalg.norm(matrix, axis=1, keepdims=True)


def views(d1: int, d2: int, rows: int = 60) -> tuple[NDArray[Any], NDArray[Any]]:
    """Noisy views of the same words."""
    chance = np.random.default_rng(d1 * 100 + d2)
    core = chance.normal(size=(rows, 4))
    static = core @ chance.normal(size=(4, d1)) + 0.3 * chance.normal(size=(rows, d1))
    return static, core @ chance.normal(size=(4, d2)) + 0.3 * chance.normal(size=(rows, d2))


def announcement(static: NDArray[Any], encoder: NDArray[Any], count: int) -> str | None:
    """Announce the map from the first words."""
    return procrustes_announcement(static[:count], encoder[:count], [static[:9], static[9:]], [encoder])


SIZES = [(6, 9), (9, 6), (7, 7)]


@pytest.mark.parametrize(("d1", "d2"), SIZES)
def test_fit_procrustes_is_semi_orthogonal(d1: int, d2: int) -> None:
    matrix = fit_procrustes(*views(d1, d2))
    assert matrix.shape == (d1, d2)
    product = matrix @ matrix.T if d1 <= d2 else matrix.T @ matrix
    np.testing.assert_allclose(product, np.eye(min(d1, d2)), atol=1e-12)


@pytest.mark.parametrize(("d1", "d2"), SIZES[::2])
def test_fit_procrustes_beats_a_thousand_other_maps(d1: int, d2: int) -> None:
    static, encoder = map(unit, views(d1, d2))
    best = np.linalg.norm(static @ fit_procrustes(static, encoder) - encoder)
    chance = np.random.default_rng(0)
    for _ in range(1000):
        other = np.linalg.qr(chance.normal(size=(d2, d1)))[0].T
        assert best <= np.linalg.norm(static @ other - encoder)


@pytest.mark.parametrize(("d1", "d2"), SIZES)
def test_fit_procrustes_equals_the_padded_square_form(d1: int, d2: int) -> None:
    static, encoder = map(unit, views(d1, d2))
    u, _, v = np.linalg.svd(static.T @ encoder, full_matrices=True)
    padded = np.zeros((d1, d2))
    np.fill_diagonal(padded, 1)
    np.testing.assert_allclose(fit_procrustes(static, encoder), u @ padded @ v, atol=1e-10)


def test_fit_procrustes_finds_a_rotation_again() -> None:
    static, _ = views(6, 6)
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(6, 6)))[0]
    np.testing.assert_allclose(fit_procrustes(static, static @ turn * 7), turn, atol=1e-12)


def test_fit_procrustes_does_not_look_at_lengths() -> None:
    static, encoder = views(6, 9)
    scale = np.random.default_rng(0).uniform(0.1, 10, size=(len(static), 1))
    np.testing.assert_allclose(fit_procrustes(static * scale, encoder * 3), fit_procrustes(static, encoder), atol=1e-12)


def test_interpolate_gives_the_values_worked_out_by_hand() -> None:
    static, encoder = np.array([[2.0, 0.0]]), np.array([[0.0, 3.0, 4.0]])
    matrix = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    np.testing.assert_allclose(interpolate(static, encoder, matrix, 0.25), [[0, 0.15, 0.95]], atol=1e-7)


@pytest.mark.parametrize(("d1", "d2"), SIZES)
def test_interpolate_reaches_both_ends(d1: int, d2: int) -> None:
    static, encoder = views(d1, d2)
    matrix = fit_procrustes(static, encoder)
    none, whole = interpolate(static, encoder, matrix, 0), interpolate(static, encoder, matrix, 1)
    np.testing.assert_allclose(none, unit(static @ matrix), atol=1e-6)
    np.testing.assert_allclose(whole, unit(encoder), atol=1e-7)
    np.testing.assert_allclose(np.linalg.norm(none, axis=1), 1, atol=1e-6)
    if d1 <= d2:
        np.testing.assert_allclose(none @ none.T, unit(static) @ unit(static).T, atol=1e-6)
    np.testing.assert_allclose(interpolate(static * 10, encoder, matrix, 0.3),
                               interpolate(static, encoder, matrix, 0.3), atol=1e-6)  # fmt: skip


def test_blends_gives_the_same_as_interpolate() -> None:
    static, encoder = views(6, 9)
    matrix = fit_procrustes(static, encoder)
    weights = [0, 0.2, 0.5, 1]
    found = [(weight, result.copy()) for weight, result in blends(join_views(static, encoder, matrix), weights)]
    assert [weight for weight, _ in found] == weights
    for weight, result in found:
        np.testing.assert_array_equal(result, interpolate(static, encoder, matrix, weight))


def test_interpolate_leaves_a_word_without_static_vector_to_the_encoder() -> None:
    static, encoder = views(6, 9)
    matrix = fit_procrustes(static, encoder)
    static[3] = 0
    np.testing.assert_allclose(interpolate(static, encoder, matrix, 0.4)[3], 0.4 * unit(encoder)[3], atol=1e-7)


def test_procrustes_announcement_counts_what_is_missing() -> None:
    static, encoder = views(6, 9)
    assert announcement(static, encoder, 60) is None
    text = announcement(static, encoder, 4)
    assert text is not None
    assert "4 words determine only 4 of 6" in text


@pytest.mark.parametrize("wide", ["static", "encoder"])
def test_procrustes_announcement_counts_dimensions_not_columns(wide: str) -> None:
    static, encoder = views(6, 6)
    chance = np.random.default_rng(0)
    if wide == "static":
        static = static[:, :5] @ chance.normal(size=(5, 7))
    else:
        encoder = np.insert(encoder[:, :5], [0, 3], 0, axis=1)
    assert announcement(static, encoder, 60) is None
    assert announcement(static, encoder, 30) is None
    text = announcement(static, encoder, 4)
    assert text is not None
    assert "4 words determine only 4 of 5" in text


def test_share_lost_is_that_of_what_the_encoder_has_no_room_for() -> None:
    static, encoder = views(9, 6)
    matrix = fit_procrustes(static, encoder)
    exact = 1 - np.square(unit(static) @ matrix).sum() / len(static)
    assert exact > 0.01
    assert share_lost(matrix, [static[:20], static[20:]]) == pytest.approx(exact, abs=1e-6)
    # Six dimensions in nine columns lose nothing, and no cosine changes.
    wide = (static[:, :6] @ np.random.default_rng(0).normal(size=(6, 9))).astype(np.float32)
    matrix = fit_procrustes(wide, encoder)
    assert share_lost(matrix, [wide]) == 0
    np.testing.assert_allclose((unit(wide) @ matrix) @ (unit(wide) @ matrix).T, unit(wide) @ unit(wide).T, atol=1e-6)
    assert share_lost(fit_procrustes(*views(6, 9)), [views(6, 9)[0]]) == 0


def test_procrustes_announcement_is_not_given_for_weak_dimensions() -> None:
    static, encoder = views(6, 6)
    scale = np.geomspace(1, 1e-4, 6)
    assert announcement(static * scale, encoder * scale, 30) is None


def test_procrustes_names_what_does_not_fit() -> None:
    static, encoder = views(6, 9)
    with pytest.raises(ConfigError, match="60 static vectors and 59"):
        fit_procrustes(static, encoder[:-1])
    with pytest.raises(WorkError, match="No word"):
        fit_procrustes(static[:0], encoder[:0])
    matrix = fit_procrustes(static, encoder)
    with pytest.raises(ConfigError, match=r"\(60, 9\)"):
        join_views(static, encoder, matrix.T)
    with pytest.raises(ConfigError, match=r"1\.5"):
        blend(join_views(static, encoder, matrix), 1.5)
