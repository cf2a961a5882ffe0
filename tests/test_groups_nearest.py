"""The nearest groups: those of the whole matrix, from few of its pairs where groups are apart."""

import numpy as np
import pytest
from tolerance import apart

from helpers.groups import nearest_groups
from helpers.groups.distances import DISTANCES, bures


def items(n_groups=40, n=12, p=5, distance=1.0, seed=0):
    rng = np.random.default_rng(seed)
    centres, widths = distance * rng.normal(size=(n_groups, 1, p)), np.exp(0.5 * rng.normal(size=(n_groups, 1, p)))
    return (centres + widths * rng.normal(size=(n_groups, n, p))).reshape(-1, p), np.repeat(np.arange(n_groups), n)


@pytest.mark.parametrize("n, p", [(12, 5), (4, 9), (1, 3)])
@pytest.mark.parametrize("distance", [0.0, 1.0, 100.0])
def test_they_are_those_of_the_whole_matrix(n, p, distance):
    x, groups = items(n=n, p=p, distance=distance)
    if n == 1 and not distance:
        x = x + np.random.default_rng(1).normal(size=x.shape)
    whole = bures(x, groups).distances
    np.fill_diagonal(whole, np.inf)
    found = nearest_groups(x, groups, 3)
    expected = np.sort(whole, axis=1)[:, :3]
    # A squared distance is a difference of numbers of the size of the largest; its root is taken.
    size = np.abs(x).max() * np.sqrt(p)
    np.testing.assert_allclose(found.distances**2, expected**2, rtol=0, atol=p * apart(n * p) * size**2)
    np.testing.assert_allclose(
        np.take_along_axis(whole, found.neighbors, axis=1) ** 2, expected**2, rtol=0, atol=p * apart(n * p) * size**2
    )
    assert found.names.tolist() == list(range(40)) and (found.counts == n).all()


def test_groups_that_are_apart_need_few_pairs_and_equal_ones_all():
    x, groups = items(n_groups=100, distance=3.0)
    assert nearest_groups(x, groups, 5).n_measured < 100 * 99 / 2 / 4
    same = np.tile(x[:12], (10, 1))
    assert nearest_groups(same, np.repeat(np.arange(10), 12), 2).n_measured == 45


def test_without_measuring_distances_are_those_of_square_roots_of_covariances():
    x, groups = items(n_groups=12)
    found = nearest_groups(x, groups, 11, exact=False)
    whole = bures(x, groups).distances
    roots = []
    for g in range(12):
        values, axes = np.linalg.eigh(np.cov(x[groups == g].T, bias=True))
        roots.append(axes * np.sqrt(np.maximum(values, 0)) @ axes.T)
    means = x.reshape(12, 12, 5).mean(axis=1)
    by_hand = [
        [np.sum((means[g] - means[h]) ** 2) + np.sum((roots[g] - roots[h]) ** 2) for h in range(12)] for g in range(12)
    ]
    by_hand = np.take_along_axis(np.sqrt(by_hand), found.neighbors, axis=1)
    # inner products of 15 entries in single precision, and roots of their differences, which are not small here
    np.testing.assert_allclose(found.distances, by_hand, rtol=8 * apart(15, "float32"))
    ratio = found.distances / np.take_along_axis(whole, found.neighbors, axis=1)
    assert 1 - 8 * apart(15, "float32") <= ratio.min() and ratio.max() <= np.sqrt(2)
    assert found.n_measured == 0


def test_of_other_distances_the_whole_matrix_is_sorted():
    x, groups = items(n_groups=6)
    for name in ("centroid", "energy"):
        whole = DISTANCES[name](x, groups).distances
        np.fill_diagonal(whole, np.inf)
        found = nearest_groups(x, groups, 2, name)
        np.testing.assert_array_equal(found.neighbors, np.argsort(whole, axis=1)[:, :2])
        assert found.n_measured == 15


@pytest.mark.parametrize("k, message", [(40, "n_neighbors is 40 and there are 40 groups"), (0, "n_neighbors is 0")])
def test_there_must_be_so_many_others(k, message):
    with pytest.raises(ValueError, match=message):
        nearest_groups(*items(), k)


def test_bounds_alone_are_asked_of_bures_alone():
    with pytest.raises(ValueError, match="exact is False and metric is 'energy'; only 'bures'"):
        nearest_groups(*items(), 2, "energy", exact=False)
