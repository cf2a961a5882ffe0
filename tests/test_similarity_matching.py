"""Matching of features against the correlations and every order of the features."""

import itertools

import numpy as np
import pytest
import tolerance
from scipy.optimize import linprog
from spaces import random_pair

from helpers.similarity.matching import (
    hard_correlation_match,
    partial_soft_matching,
    soft_correlation_match,
    soft_matching,
)


def test_matching_follows_the_correlations():
    x, y = random_pair(10)
    correlations = np.corrcoef(x.T, y.T)[:4, 4:]
    near = tolerance.apart(30, condition=tolerance.offset(x, y))
    soft = (correlations.max(0).mean() + correlations.max(1).mean()) / 2
    assert soft_correlation_match(x, y) == pytest.approx(soft, abs=near)
    orders = itertools.permutations(range(6), 4)
    hard = max(sum(correlations[i, j] for i, j in enumerate(order)) / 4 for order in orders)
    assert hard_correlation_match(x, y) == pytest.approx(hard, abs=near)
    assert hard_correlation_match(x, x * [1, 2, 3, 4] + 7) == pytest.approx(1)
    assert hard_correlation_match(x[:, :1], -x[:, :1]) == pytest.approx(-1)


def test_a_constant_feature_correlates_with_nothing():
    x, y = random_pair(11)
    with_constant = np.column_stack([x, np.full(30, 0.1)])
    assert soft_correlation_match(with_constant, with_constant) == pytest.approx(4 / 5)


def test_transport_is_the_linear_program():
    x, y = random_pair(12)
    correlations = np.corrcoef(x.T, y.T)[:4, 4:]
    for mass in (1.0, 0.7):
        rows = np.kron(np.eye(4), np.ones(6))
        columns = np.kron(np.ones(4), np.eye(6))
        bounds = {"A_ub": np.vstack([rows, columns]), "b_ub": np.repeat([1 / 4, 1 / 6], [4, 6])}
        total = {"A_eq": np.ones((1, 24)), "b_eq": [mass]}
        best = -linprog(-correlations.ravel(), **bounds, **total, bounds=(0, None)).fun / mass
        found = soft_matching(x, y) if mass == 1 else partial_soft_matching(x, y, mass=mass)
        # The program is solved to HiGHS's own tolerance.
        assert found == pytest.approx(best, abs=1e-6)


def test_transport_between_equal_widths_is_the_matching():
    x, y = random_pair(13, q=4)
    assert soft_matching(x, y) == pytest.approx(hard_correlation_match(x, y), abs=tolerance.apart(30))
    assert partial_soft_matching(x, y, mass=1) == soft_matching(x, y)


def test_features_of_noise_are_left_alone():
    x, noise = random_pair(14, n=300, p=6)[0], random_pair(15, n=300, p=6)[0]
    y = np.column_stack([x[:, :4], noise[:, :2]])
    assert partial_soft_matching(x, y, mass=4 / 6) == pytest.approx(1)
    assert soft_matching(x, y) < 0.8


def test_a_larger_mass_matches_no_better():
    x, y = random_pair(16)
    found = [partial_soft_matching(x, y, mass=mass) for mass in (0.2, 0.5, 0.8, 1.0)]
    assert np.all(np.diff(found) <= tolerance.apart(30))


@pytest.mark.parametrize("mass", [0, 1.5, True])
def test_a_mass_that_is_no_share_is_refused(mass):
    with pytest.raises(ValueError, match="mass is"):
        partial_soft_matching(*random_pair(10), mass=mass)
