"""Shape distances: the best map, small angles, whitening, permutations, triangle inequalities."""

import math
from functools import partial

import numpy as np
import pytest
import tolerance
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import orthogonal_procrustes, subspace_angles
from spaces import random_pair, rotation

from helpers.similarity.shape import (
    aligned_cosine,
    angular_shape,
    permutation_procrustes,
    procrustes,
    procrustes_normalized,
)


def test_procrustes_is_the_residual_of_the_best_map():
    x, y = random_pair(q=4)
    x, y = x - x.mean(0), y - y.mean(0)
    best, _ = orthogonal_procrustes(x, y)
    residual, both = np.linalg.norm(x @ best - y), np.linalg.norm(x) + np.linalg.norm(y)
    assert procrustes(x, y) == pytest.approx(residual, abs=tolerance.apart(30) * both)
    a, b = x / np.linalg.norm(x), y / np.linalg.norm(y)
    assert procrustes_normalized(x, y) == pytest.approx(np.linalg.norm(a @ orthogonal_procrustes(a, b)[0] - b))


@pytest.mark.parametrize(("n", "p", "q"), [(5, 40, 30), (5, 3, 40), (20, 12, 30), (2, 1, 9), (3, 50, 1)])
def test_wide_representations_are_reduced_without_loss(n, p, q):
    x, y = random_pair(1, n, p, q)
    x, y = x - x.mean(0), y - y.mean(0)
    nuclear = np.linalg.svd(x.T @ y, compute_uv=False).sum()
    expected = math.sqrt(np.sum(x**2) + np.sum(y**2) - 2 * nuclear)
    # The root of a difference of squares is off by what they lose over itself, or by the root of that.
    lost = tolerance.apart(n + p + q) * (np.sum(x**2) + np.sum(y**2))
    assert procrustes(x, y) == pytest.approx(expected, abs=min(lost / max(expected, lost), np.sqrt(lost)))
    u, _, vt = np.linalg.svd(x.T @ y, full_matrices=False)
    cosines = np.sum((x @ u @ vt) * y, axis=1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)
    # The best map moves with the gap of the products from 0 (Li, 1995): largest over smallest singular value.
    values = np.linalg.svd(x.T @ y, compute_uv=False)
    near = tolerance.apart(n + p + q, condition=values[0] / values[values > 1e-10 * values[0]][-1])
    assert aligned_cosine(x, y) == pytest.approx(cosines.mean(), abs=near)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("p", [6, 60])
def test_rotated_copies_are_at_zero_to_the_last_digits(dtype, p):
    digits = tolerance.inner(max(40, p), dtype)
    x = random_pair(2, 40, p)[0]
    y = (x @ rotation(p) + 3).astype(dtype)
    x = x.astype(dtype)
    assert procrustes(x, y) < digits * np.linalg.norm(x)
    assert procrustes_normalized(x, y) < digits
    assert angular_shape(x, 5 * y) < digits
    assert procrustes(x, x) < digits * np.linalg.norm(x)
    # A copy with redundant features is the same shape.
    assert angular_shape(x, np.hstack([y, y]).astype(dtype)) < digits


def test_small_angles_keep_their_digits():
    x, other = (a - a.mean(0) for a in random_pair(3, q=4))
    x, other = x / np.linalg.norm(x), other / np.linalg.norm(other)
    other = other - x * np.sum(x * other)  # orthogonal to x, so that cos t x + sin t other is at angle about t
    for t in (1e-2, 1e-5, 1e-8):
        best, _ = orthogonal_procrustes(x, y := x * math.cos(t) + other * math.sin(t))
        residual = np.linalg.norm(x @ best / np.linalg.norm(x) - y / np.linalg.norm(y))
        # 1 - cos is computed as such above 1e-6, where the arc loses so many digits as it is small, and from the
        # differences below: then lengths of 1 are off by rounding alone.
        near = tolerance.apart(30) / (residual if residual**2 / 2 > 1e-6 else 1)
        assert angular_shape(x, y) == pytest.approx(2 * math.asin(residual / 2), abs=near)


def test_angle_and_chord_are_one_measure():
    x, y = random_pair(4)
    chord = math.sqrt(2 - 2 * math.cos(angular_shape(x, y)))
    assert procrustes_normalized(x, y) == pytest.approx(chord, abs=tolerance.apart(30) / chord)


def test_full_whitening_leaves_the_canonical_correlations():
    x, y = random_pair(5, p=4, q=4)
    cosines = np.cos(subspace_angles(x - x.mean(0), y - y.mean(0)))
    near = tolerance.apart(30, condition=4 * tolerance.condition(x, y))  # of the map 4
    assert angular_shape(x, y, alpha=0) == pytest.approx(math.acos(cosines.mean()), abs=near)
    assert angular_shape(x, x @ np.diag([1, 2, 3, 4]) @ rotation(4), alpha=0) < near


def test_whitening_scales_with_the_data_where_it_is_partial():
    x, y = random_pair(6)
    for alpha in (0.0, 1.0):
        near = tolerance.apart(30, condition=tolerance.condition(x, y))
        assert angular_shape(9 * x, y, alpha=alpha) == pytest.approx(angular_shape(x, y, alpha=alpha), abs=near)
    assert abs(angular_shape(9 * x, y, alpha=0.5) - angular_shape(x, y, alpha=0.5)) > 1e6 * near
    for extreme in (1e-200, 1e200):
        assert 0 <= angular_shape(extreme * x, extreme * y, alpha=0.5) <= math.pi / 2


def test_procrustes_of_a_constant_representation_is_the_size_of_the_other():
    x, _ = random_pair(7)
    assert procrustes(x, np.ones((30, 2))) == pytest.approx(np.linalg.norm(x - x.mean(0)))
    assert procrustes(np.ones((30, 2)), np.ones((30, 2))) == 0


def test_permutation_procrustes_finds_the_permutation():
    x, _ = random_pair(8, p=7)
    assert permutation_procrustes(x, x[:, np.random.default_rng(0).permutation(7)]) == 0
    padded = permutation_procrustes(x, x[:, [3, 1]])
    assert padded == pytest.approx(np.linalg.norm(np.delete(x, [1, 3], axis=1)))
    assert permutation_procrustes(x, 4 * x[:, ::-1], angular=True) < tolerance.apart(30)
    lost = tolerance.apart(30) * np.linalg.norm(x + 5)
    assert permutation_procrustes(x, x + 5, centre=True) == pytest.approx(0, abs=lost)


def test_padding_breaks_the_triangle_inequality_of_the_permutation_distance():
    u = np.array([[1.0], [2.0], [3.0]])
    between = np.hstack([u, -u]) / 2
    direct = permutation_procrustes(u, -u)
    assert direct > permutation_procrustes(u, between) + permutation_procrustes(between, -u) + 1


def test_rows_without_direction_are_left_out_of_the_aligned_cosine():
    x, y = random_pair(9)
    x[:3], y[3:5] = 0, 0
    values = np.linalg.svd(x[5:].T @ y[5:], compute_uv=False)
    near = tolerance.apart(30, condition=values[0] / values[-1])
    assert aligned_cosine(x, y) == pytest.approx(aligned_cosine(x[5:], y[5:]), abs=near)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.integers(2, 12), *[st.integers(1, 9)] * 3)
def test_shape_metrics_obey_the_triangle_inequality_across_widths(seed, n, p, q, r):
    rng = np.random.default_rng(seed)
    x, y, z = (rng.normal(size=(n, width)) for width in (p, q, r))
    for measure in (procrustes, procrustes_normalized, angular_shape, partial(angular_shape, alpha=0.3)):
        near = tolerance.apart(12 + 9) * max(1, np.linalg.norm(x), np.linalg.norm(y), np.linalg.norm(z))
        near *= tolerance.condition(x, y, z) if isinstance(measure, partial) else 1  # whitened in part
        assert measure(x, z) <= measure(x, y) + measure(y, z) + near


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.integers(2, 12), st.integers(1, 9))
def test_permutation_distance_is_a_metric_at_one_width(seed, n, p):
    rng = np.random.default_rng(seed)
    x, y, z = (rng.normal(size=(n, p)) for _ in range(3))
    near = tolerance.apart(12) * (np.linalg.norm(x) + np.linalg.norm(y) + np.linalg.norm(z))
    assert permutation_procrustes(x, z) <= permutation_procrustes(x, y) + permutation_procrustes(y, z) + near
