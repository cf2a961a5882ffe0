"""Factors of covariances, and Bures distances of all pairs from few: bounds, exact cases, errors that are stated."""

import numpy as np
import pytest
from tolerance import inner, of_a_share

from helpers.groups import distances
from helpers.groups.covariances import covariance_factors, inferred_shapes
from helpers.groups.distances import bures
from helpers.groups.membership import grouped


def turned(n_groups, n, p, rng, *, turn=True, means=0.0):
    """Groups of items whose variances differ, along axes of their own or along the same."""
    x = rng.normal(size=(n_groups, n, p)) * np.exp(rng.normal(size=(n_groups, 1, p)) / 2)
    if turn:
        x = x @ np.linalg.qr(rng.normal(size=(n_groups, p, p)))[0]
    x = x + means * rng.normal(size=(n_groups, 1, p))
    return x.reshape(-1, p), np.repeat(np.arange(n_groups), n)


def shapes(x, groups, n_pairs, rng=0):
    return inferred_shapes(covariance_factors(*grouped(x, groups))[1], n_pairs, np.random.default_rng(rng))


@pytest.mark.parametrize("n", [4, 30])  # with fewer items than features, and with more
def test_factors_give_means_and_covariances(n):
    x, groups = turned(5, n, 6, np.random.default_rng(0))
    means, factors = covariance_factors(*grouped(x, groups))
    for g, part in enumerate(x.reshape(5, n, 6)):
        np.testing.assert_allclose(means[g], part.mean(axis=0))
        np.testing.assert_allclose(
            factors[g].T @ factors[g], np.cov(part.T, bias=True), atol=inner(n) * np.sum(part**2)
        )


@pytest.mark.parametrize("n, p", [(40, 8), (5, 8), (3, 20)])
def test_no_squared_distance_is_above_its_bound(n, p):
    x, groups = turned(20, n, p, np.random.default_rng(1))
    found = shapes(x, groups, 190)
    assert found.measured.all()
    single = 20 * np.finfo(np.float32).eps * np.sum(x**2) / len(x)  # inner products of float32, of some such lengths
    assert (found.squares <= found.bounds + single).all()
    assert 0.5 < found.ratio <= 1


def test_of_covariances_with_the_same_axes_the_bound_is_the_distance():
    x, groups = turned(12, 50, 6, np.random.default_rng(2), turn=False)
    centred = x.reshape(12, 50, 6) - x.reshape(12, 50, 6).mean(axis=1, keepdims=True)
    exact = [
        part @ np.linalg.inv(np.linalg.cholesky(np.cov(part.T, bias=True)).T) * (g + 1) ** np.arange(6)
        for g, part in enumerate(centred)
    ]  # covariances are diagonal, but for rounding
    found = shapes(np.concatenate(exact) / 12**5, groups, 10)
    sds = np.array([(g + 1.0) ** np.arange(6) for g in range(12)]) / 12**5
    expected = np.sum((sds[:, None] - sds) ** 2, axis=2)
    largest = expected.max()
    np.testing.assert_allclose(found.bounds, expected, rtol=0, atol=20 * np.finfo(np.float32).eps * largest)


def test_distances_told_by_few_pairs_are_off_by_what_is_stated():
    x, groups = turned(40, 30, 10, np.random.default_rng(3), means=0.3)
    exact = bures(x, groups, n_pairs=None)
    found = bures(x, groups, n_pairs=200)
    assert exact.standard_errors is None
    told = np.triu(found.standard_errors > 0, 1)
    assert told.sum() == 40 * 39 / 2 - 200
    measured = np.triu(found.standard_errors == 0, 1)
    np.testing.assert_allclose(found.distances[measured], exact.distances[measured])
    far = np.abs(found.distances - exact.distances)[told] > 3 * found.standard_errors[told]
    assert far.mean() < 1 / 9 + of_a_share(1 / 9, 200)  # Chebyshev, whatever the law
    assert np.median(found.standard_errors[told] / found.distances[told]) < 0.05


def test_all_pairs_measured_are_the_exact_distances():
    x, groups = turned(8, 12, 5, np.random.default_rng(4), means=1.0)
    found = bures(x, groups, n_pairs=28)
    np.testing.assert_allclose(found.distances, bures(x, groups).distances)
    assert not found.standard_errors.any()


def test_many_pairs_are_told_unless_all_are_asked_for(monkeypatch):
    x, groups = turned(30, 10, 5, np.random.default_rng(5))
    assert bures(x, groups).standard_errors is None
    monkeypatch.setattr(distances, "AFFORDED", 1000)
    assert bures(x, groups, n_pairs=None).standard_errors is None
    np.testing.assert_array_equal(bures(x, groups).distances, bures(x, groups, n_pairs=2000).distances)


def test_groups_of_one_and_equal_groups_have_no_shape_between_them():
    x = np.array([[0.0, 0.0], [3.0, 4.0], [1.0, 1.0], [2.0, 2.0], [1.0, 1.0], [2.0, 2.0]])
    found = bures(x, [0, 1, 2, 2, 3, 3], n_pairs=1)
    assert found.distances[0, 1] == pytest.approx(5) and found.distances[2, 3] <= np.sqrt(
        inner(2, np.float32)
    )  # of single precision squared


@pytest.mark.parametrize("n_pairs", [0, -3, 2.5, "all"])
def test_a_number_of_pairs_that_is_none_is_refused(n_pairs):
    with pytest.raises((TypeError, ValueError), match="n_pairs"):
        bures([[0.0], [1.0], [2.0]], [0, 1, 1], n_pairs=n_pairs)
