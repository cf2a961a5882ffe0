"""Matching of features against the correlations and every order of the features."""

import itertools

import numpy as np
import pytest
import tolerance
from spaces import random_pair

from helpers.similarity.matching import hard_correlation_match, soft_correlation_match


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
