"""Asymmetric measures against ranks and fits done one object at a time."""

import numpy as np
import pytest
import tolerance
from scipy.spatial.distance import cdist
from scipy.stats import rankdata
from sklearn.linear_model import Ridge
from spaces import correlated, normal

from helpers.similarity import similarity_matrix
from helpers.similarity.containment import PENALTIES, information_imbalance, probe_transfer


def ranks(x, metric):
    """Ranks from 1 of the other objects by their distance from each."""
    distances = cdist(x, x, metric)
    np.fill_diagonal(distances, -1)
    return np.apply_along_axis(rankdata, 1, distances).astype(int) - 1


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("k", [1, 4])
def test_imbalance_is_the_mean_rank_of_the_nearest_brought_between_0_and_1(k, metric):
    x, y = correlated()
    own, other = ranks(x, metric), ranks(y, metric)
    mean = np.mean(other[(own >= 1) & (own <= k)])
    expected = (2 * mean - k - 1) / (60 - k - 1)
    assert information_imbalance(x, y, k=k, metric=metric) == pytest.approx(expected, abs=tolerance.inner(60))


def test_imbalance_is_small_from_the_whole_to_the_part_and_large_back():
    both = normal(300, 2)
    there, back = information_imbalance(both, both[:, :1]), information_imbalance(both[:, :1], both)
    assert there < 0.15 < 0.3 < back


def test_imbalance_of_independent_spaces_is_one_on_average():
    found = [information_imbalance(normal(60, 3, seed=s), normal(60, 4, seed=100 + s)) for s in range(40)]
    assert np.mean(found) == pytest.approx(1, abs=tolerance.of_a_mean(np.std(found), 40))


def test_imbalance_of_opposite_orders_is_two():
    # The nearest of the three on one side is the farthest on the other.
    x, y = np.array([[0.0], [1.0], [2.9]]), np.array([[0.0], [2.0], [1.0]])
    assert information_imbalance(x, y) == 2


def test_duplicates_are_the_nearest_to_each_other_on_both_sides():
    x = np.repeat(normal(20, 3), 2, axis=0)
    assert information_imbalance(x, 5 - 2 * x) == 0


def test_a_matrix_of_imbalances_has_both_directions():
    x, y = correlated()
    matrix = similarity_matrix({"x": x, "y": y, "z": x[:, :2]}, "information_imbalance", k=2, progress=False)
    assert matrix.loc["x", "y"] == information_imbalance(x, y, k=2)
    assert matrix.loc["y", "x"] == information_imbalance(y, x, k=2) != matrix.loc["x", "y"]
    assert matrix.loc["z", "z"] == 0


def test_probe_predicts_each_object_by_a_fit_to_the_others():
    x, y = correlated(30)
    whole = x - x.mean(axis=0)
    unit = np.sum(whole**2) / x.shape[1]
    values = []
    for penalty in PENALTIES * unit:
        errors = baseline = 0.0
        for i in range(30):
            rest = np.arange(30) != i
            # With the means of all, as the shortcut of leaving out takes them.
            errors += np.sum((y[i] - Ridge(penalty).fit(x[rest], y[rest]).predict(x[i : i + 1])) ** 2)
            baseline += np.sum((y[i] - y[rest].mean(axis=0)) ** 2)
        values.append(1 - errors / baseline)
    found = probe_transfer(x, y)
    # Leaving out by the formula is exact where the penalty is small, and the best of 15 penalties is among these.
    assert found == pytest.approx(max(values), abs=0.02)
    assert found <= 1


def test_without_penalty_leaving_out_by_the_formula_is_exact():
    x = normal(40, 3)
    y = x @ normal(3, 5, seed=1) + 1e-3 * normal(40, 5, seed=2)  # next to no noise: the smallest penalty is the best
    errors = baseline = 0.0
    for i in range(40):
        rest = np.arange(40) != i
        design = np.column_stack([np.ones(39), x[rest]])
        fit = np.linalg.lstsq(design, y[rest], rcond=None)[0]
        errors += np.sum((y[i] - np.append(1, x[i]) @ fit) ** 2)
        baseline += np.sum((y[i] - y[rest].mean(axis=0)) ** 2)
    left_out = 1 - errors / baseline
    assert 1 - probe_transfer(x, y) == pytest.approx(1 - left_out, rel=1e-3)  # penalties are powers of ten


def test_probe_does_not_grow_with_the_width_as_regression_in_sample_does():
    from helpers.similarity.subspace import linear_regression

    found = [(normal(60, 40, seed=s), normal(60, 5, seed=100 + s)) for s in range(20)]
    probes = [probe_transfer(x, y) for x, y in found]
    assert np.mean([linear_regression(y, x) for x, y in found]) > 0.6
    assert np.mean(probes) < 0.1 and max(probes) < 0.3


def test_probe_says_which_of_two_spaces_can_go():
    whole = normal(80, 6)
    part = whole[:, :2] @ normal(2, 4, seed=3)
    assert probe_transfer(whole, part) == pytest.approx(1)
    assert probe_transfer(part, whole) < 0.5


def test_more_features_than_objects_leave_a_finite_value():
    assert -1 < probe_transfer(normal(30, 200), normal(30, 5, seed=1)) < 1


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda x, y: information_imbalance(x, y, k=59), "k is 59; it must be between 1 and 58"),
        (lambda x, y: information_imbalance(x, y, metric="manhattan"), "metric is 'manhattan'"),
        (lambda x, y: probe_transfer(x, np.ones_like(y)), "y: every feature is constant"),
        (lambda x, y: probe_transfer(x, y[1:]), "x has 60 rows and y has 59"),
        (lambda x, y: probe_transfer(x[:2], y[:2]), "at least 3"),
    ],
)
def test_wrong_input_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call(*correlated())
