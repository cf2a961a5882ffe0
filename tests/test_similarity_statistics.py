"""Differences of statistics against their formulas."""

import math

import numpy as np
import pytest
import tolerance
from scipy.spatial.distance import cdist, pdist
from spaces import random_pair

from helpers.similarity.statistics import concentricity_difference, magnitude_difference, uniformity_difference


def test_statistics_are_their_formulas():
    x, y = random_pair(17)
    x, y = x / np.linalg.norm(x, axis=1, keepdims=True), 0.2 * y

    def uniformity(a, t=2.0):
        return math.log((len(a) + 2 * np.exp(-t * pdist(a) ** 2).sum()) / len(a) ** 2)

    def concentricity(a):
        return np.mean(a @ a.mean(0) / np.linalg.norm(a, axis=1)) / np.linalg.norm(a.mean(0))

    # Of a mean of exp(-t d²) in which t d² exp(-t d²) is below 1, its logarithm is off by so much over the mean.
    near = 2 * tolerance.apart(30, condition=max(math.exp(-uniformity(a)) for a in (x, y)))
    assert uniformity_difference(x, y) == pytest.approx(abs(uniformity(x) - uniformity(y)), abs=near)
    assert uniformity_difference(x, y, t=0.5) == pytest.approx(abs(uniformity(x, 0.5) - uniformity(y, 0.5)), abs=near)
    near = 2 * tolerance.apart(30, condition=max(np.linalg.norm(a) / np.linalg.norm(a.mean(0)) for a in (x, y)))
    assert concentricity_difference(x, y) == pytest.approx(abs(concentricity(x) - concentricity(y)), abs=near)
    lengths = [np.linalg.norm(a.mean(0)) for a in (x, y)]
    assert magnitude_difference(x, y) == pytest.approx(abs(lengths[0] - lengths[1]), abs=tolerance.apart(30))


def test_uniformity_goes_through_several_blocks_of_rows():
    rng = np.random.default_rng(0)
    x, y = 0.5 * rng.normal(size=(2500, 3)), 0.1 * rng.normal(size=(2500, 3))
    expected = [math.log(np.exp(-2 * cdist(a, a) ** 2).mean()) for a in (x, y)]
    near = 2 * tolerance.apart(2 * 2500, condition=math.exp(-min(expected)))  # sums over rows of sums of rows
    assert uniformity_difference(x, y) == pytest.approx(abs(expected[0] - expected[1]), abs=near)


def test_a_centred_cloud_has_no_concentricity():
    x, _ = random_pair(18)
    direction = np.ones((30, 2))
    assert concentricity_difference(x - x.mean(0), direction) == pytest.approx(1)
    assert concentricity_difference(np.zeros((30, 1)), direction) == pytest.approx(1)
