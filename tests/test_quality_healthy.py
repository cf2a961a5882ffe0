"""Healthy spaces and faults made on purpose: what is drawn is what is said."""

import numpy as np
import pytest

from helpers.quality import DAMAGES, damaged_space, healthy_space, mean_cosine
from helpers.quality.healthy import _turned


def test_a_seed_gives_a_space_and_the_population_is_wide():
    np.testing.assert_array_equal(healthy_space(40, 8, rng=3), healthy_space(40, 8, rng=3))
    rng = np.random.default_rng(0)
    spaces = [healthy_space(100, 32, rng=rng) for _ in range(60)]
    cones = [mean_cosine(x) for x in spaces]
    assert min(cones) < 0.1 and 0.9 < max(cones) <= 0.995
    unit = [np.ptp(np.linalg.norm(x, axis=1)) < 1e-12 for x in spaces]  # rounding of roots
    assert 0.2 < np.mean(unit) < 0.8
    repeated = [len(np.unique(x, axis=0)) < 100 for x in spaces]
    assert 0.1 < np.mean(repeated) < 0.7


def test_turning_keeps_all_distances():
    x = np.random.default_rng(0).normal(size=(20, 7))
    turned = _turned(x, np.random.default_rng(1))
    np.testing.assert_allclose(turned @ turned.T, x @ x.T)
    assert abs(turned - x).max() > 0.1


@pytest.mark.parametrize("finding", DAMAGES)
def test_a_damage_leaves_the_space_as_it_was_and_keeps_its_shape(finding):
    x = healthy_space(60, 20, rng=0)
    before = x.copy()
    out = damaged_space(x, finding, rng=1)
    np.testing.assert_array_equal(x, before)
    assert out.shape == x.shape and np.isfinite(out).all() and not np.array_equal(out, x)
