"""Regression, eigenspaces and GULP against their formulas, with redundant features and few objects."""

from functools import partial

import numpy as np
import pytest
import tolerance
from spaces import random_pair, rotation

from helpers.similarity.subspace import eigenspace_overlap, gulp, linear_regression


def test_linear_regression_is_r_squared():
    x, y = random_pair(12)
    x0, y0 = x - x.mean(0), y - y.mean(0)
    residual = x0 - y0 @ np.linalg.lstsq(y0, x0, rcond=None)[0]
    near = tolerance.apart(30, condition=tolerance.condition(x, y))
    assert linear_regression(x, y) == pytest.approx(1 - np.sum(residual**2) / np.sum(x0**2), abs=near)
    assert linear_regression(x, y, predict="y") == linear_regression(y, x)


def test_redundant_features_change_no_subspace():
    x, y = random_pair(13)
    redundant = np.hstack([x, x @ [[1.0], [2.0], [3.0], [4.0]], np.ones((30, 1))])
    near = tolerance.apart(30, condition=tolerance.condition(x, redundant, y))
    assert linear_regression(y, redundant) == pytest.approx(linear_regression(y, x), abs=near)
    assert gulp(y, redundant) == pytest.approx(gulp(y, x), abs=4 * near)  # norms of operators of rank 4 at most
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
    of_normal_equations = tolerance.condition(*random_pair(14)) ** 2
    near = tolerance.apart(30, condition=of_normal_equations) * sum(np.linalg.norm(each) for each in operators)
    assert gulp(*random_pair(14), regularisation=regularisation) == pytest.approx(expected, abs=near)


def test_gulp_near_zero_keeps_its_digits():
    x, other = random_pair(15, q=4)
    near = tolerance.apart(30, condition=tolerance.condition(x)) * 2  # norms of operators of rank 4
    assert gulp(x, x @ rotation(4) * 3 + 1) < near
    steps = np.array([1e-4, 1e-7, 1e-9])
    tiny = np.array([gulp(x, x + t * other) for t in steps]) / steps
    # What is not linear grows with the step, over the smallest singular value; rounding is divided by it.
    bent = steps[0] * (np.linalg.norm(other) / np.linalg.svd(x - x.mean(0), compute_uv=False)[-1]) ** 2
    assert (abs(tiny - tiny[0]) < bent + near / steps).all()
    assert near / steps[-1] < 1e-3 * tiny[0]  # so that there are digits left to see


def test_more_features_than_objects_span_everything():
    x, y = random_pair(16, n=8, p=20, q=9)
    assert linear_regression(x, y) == pytest.approx(1)
    spans = tolerance.apart(20, condition=tolerance.condition(x, y)) * np.sqrt(7)  # seven dimensions
    assert gulp(x, y) == pytest.approx(0, abs=spans)
    assert gulp(x, y, regularisation=0.1) > 1e-3  # no rounding: operators that differ
