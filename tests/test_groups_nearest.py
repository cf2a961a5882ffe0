"""The nearest groups: those of the whole matrix, from few of its pairs where groups are apart."""

import numpy as np
import pytest
from tolerance import apart

from helpers.groups import nearest_groups
from helpers.groups.distances import DISTANCES, bures


def items(n_groups=40, n=12, p=5, apart=1.0, seed=0):
    rng = np.random.default_rng(seed)
    centres, widths = apart * rng.normal(size=(n_groups, 1, p)), np.exp(0.5 * rng.normal(size=(n_groups, 1, p)))
    return (centres + widths * rng.normal(size=(n_groups, n, p))).reshape(-1, p), np.repeat(np.arange(n_groups), n)


@pytest.mark.parametrize("n, p", [(12, 5), (4, 9), (1, 3)])
@pytest.mark.parametrize("distance", [0.0, 1.0, 100.0])
def test_they_are_those_of_the_whole_matrix(n, p, distance):
    x, groups = items(n=n, p=p, apart=distance)
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
    x, groups = items(n_groups=100, apart=3.0)
    assert nearest_groups(x, groups, 5).n_measured < 100 * 99 / 2 / 4
    same = np.tile(x[:12], (10, 1))
    assert nearest_groups(same, np.repeat(np.arange(10), 12), 2).n_measured == 45


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
