"""Regression, eigenspaces and GULP against their formulas, with redundant features and few objects."""

from functools import partial

import numpy as np
import pytest
from spaces import random_pair, rotation

from helpers.similarity.subspace import eigenspace_overlap, gulp, linear_regression


def test_linear_regression_is_r_squared():
    x, y = random_pair(12)
    x0, y0 = x - x.mean(0), y - y.mean(0)
    residual = x0 - y0 @ np.linalg.lstsq(y0, x0, rcond=None)[0]
    assert linear_regression(x, y) == pytest.approx(1 - np.sum(residual**2) / np.sum(x0**2), rel=1e-10)
    assert linear_regression(x, y, predict="y") == linear_regression(y, x)


def test_redundant_features_change_no_subspace():
    x, y = random_pair(13)
    redundant = np.hstack([x, x @ [[1.0], [2.0], [3.0], [4.0]], np.ones((30, 1))])
    assert linear_regression(y, redundant) == pytest.approx(linear_regression(y, x), rel=1e-10)
    assert gulp(y, redundant) == pytest.approx(gulp(y, x), rel=1e-10)
    rank = partial(eigenspace_overlap, normalise="rank")
    assert rank(redundant[:, :5], redundant[:, :5]) == pytest.approx(1)
    assert eigenspace_overlap(redundant[:, :5], redundant[:, :5]) == pytest.approx(4 / 5)


@pytest.mark.parametrize("regularisation", [0.0, 1e-3, 1.0])
def test_gulp_is_the_distance_of_the_ridge_operators(regularisation):
    operators = []
    for a in random_pair(14):
        a = a - a.mean(0)
        a = a / np.linalg.norm(a)
        operators.append(a @ np.linalg.inv(a.T @ a + regularisation * np.eye(a.shape[1])) @ a.T)
    expected = np.linalg.norm(operators[0] - operators[1])
    assert gulp(*random_pair(14), regularisation=regularisation) == pytest.approx(expected, rel=1e-9)


def test_gulp_near_zero_keeps_its_digits():
    x, other = random_pair(15, q=4)
    assert gulp(x, x @ rotation(4) * 3 + 1) < 1e-13
    tiny = [gulp(x, x + t * other) / t for t in (1e-4, 1e-7, 1e-9)]
    assert tiny == pytest.approx([tiny[0]] * 3, rel=1e-3)


def test_more_features_than_objects_span_everything():
    x, y = random_pair(16, n=8, p=20, q=9)
    assert linear_regression(x, y) == pytest.approx(1)
    assert gulp(x, y) == pytest.approx(0, abs=1e-6)
    assert gulp(x, y, regularisation=0.1) > 1e-3
