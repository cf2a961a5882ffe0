"""One vector for each group: against brute force and SciPy, and every statement of the registry."""

import tracemalloc
import warnings

import numpy as np
import pytest
import torch
from scipy import linalg, stats
from scipy.spatial.distance import cdist

from helpers.groups import (
    READOUTS,
    GroupVectors,
    centroid,
    geometric_median,
    medoid,
    medoid_items,
    moments,
    readout,
    trimmed_mean,
)

EPS = np.finfo(float).eps


def items(n=60, p=5, n_groups=6, seed=0):
    rng = np.random.default_rng(seed)
    groups = np.concatenate([np.arange(n_groups), rng.integers(0, n_groups, n - n_groups)])
    return rng.normal(size=(n, p)) + groups[:, None], groups


def brute(x, groups, function):
    return np.array([function(x[groups == name]) for name in np.unique(groups)])


def test_the_centroid_is_the_mean_also_far_from_the_origin():
    x, groups = items()
    found = centroid(x + 2.0**30, groups)  # adding it rounds the entries to multiples of 2**-22
    exact = brute((x + 2.0**30) - 2.0**30, groups, lambda rows: rows.mean(axis=0))
    np.testing.assert_allclose(found.vectors - 2.0**30, exact, rtol=0, atol=2 * EPS * 2.0**30)
    assert found.names.tolist() == list(range(6)) and found.counts.sum() == 60


@pytest.mark.parametrize("n, p", [(300, 2), (300, 40), (40, 3)])
def test_the_medoid_is_the_member_with_the_least_sum_of_distances(n, p):
    x, groups = items(n, p)
    found = brute(x, groups, lambda rows: rows[np.argmin(cdist(rows, rows).sum(axis=1))])
    np.testing.assert_array_equal(medoid(x, groups).vectors, found)
    np.testing.assert_array_equal(x[medoid_items(x, groups)], found)


def test_of_members_that_tie_the_medoid_is_the_first():
    square = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    shifted = np.vstack([square + 0.3, square[::-1] * 1e-9, np.tile(square[2], (4, 1))])
    assert medoid_items(shifted, np.repeat([0, 1, 2], 4)).tolist() == [0, 4, 8]
    assert medoid_items([[5.0], [1.0]], ["a", "a"]).tolist() == [0]


def test_the_medoid_of_a_group_larger_than_a_block_is_found(monkeypatch):
    x, _ = items(500, 3)
    expected = np.argmin(cdist(x, x).sum(axis=1))
    monkeypatch.setattr("helpers.groups.readouts.PAIRS", 700)
    assert medoid_items(x, np.zeros(500, dtype=int)).tolist() == [expected]


@pytest.mark.parametrize("n, p", [(60, 1), (60, 2), (300, 5), (90, 40)])
def test_at_the_geometric_median_the_items_pull_no_way(n, p):
    x, groups = items(n, p)
    found = geometric_median(x, groups).vectors
    for name, centre in enumerate(found):
        rows = x[groups == name]
        distance = np.linalg.norm(rows - centre, axis=1)
        free = distance > 0
        pull = np.sum((rows[free] - centre) / distance[free, None], axis=0)
        if free.all():  # the last step was shorter than the tolerance, and the one after it is no longer
            step = np.linalg.norm(pull) / np.sum(1 / distance)
            assert step <= 1e-8 * distance.mean() * (1 + 1e-6) or p == 1
        else:
            assert np.linalg.norm(pull) <= np.sum(~free)


def test_where_an_item_is_the_minimum_the_geometric_median_is_exactly_that_item():
    rng = np.random.default_rng(1)
    star = rng.normal(size=(6, 3))
    star = np.vstack([star, -star, [[0.0, 0.0, 0.0]]]) + 0.1  # the others cancel in pairs
    line = np.outer([-3.0, -1.0, 0.5, 2.0, 50.0], [1.0, 2.0, 2.0])
    same = np.full((4, 3), 0.7)
    heavy = np.vstack([np.full((5, 3), 0.2), rng.normal(size=(4, 3))])  # a majority at one place
    x = np.vstack([star, line, same, heavy])
    groups = np.repeat([0, 1, 2, 3], [13, 5, 4, 9])
    found = geometric_median(x, groups).vectors
    np.testing.assert_array_equal(found, [star[-1], line[2], same[0], heavy[0]])


@pytest.mark.parametrize("shift", [0.0, 0.1, 1e3 / 3])
def test_the_geometric_median_does_not_stay_at_an_item_that_is_the_mean(shift):
    """Weiszfeld's iteration starts at the mean; an item there holds it, although three others pull to one side."""
    x = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 0.1], [1.0, -0.1], [-3.0, 0.0]]) + shift
    found = geometric_median(x, ["a"] * 5).vectors[0]
    by_hand = (
        np.array([1 - 0.1 / np.sqrt(3), 0.0]) + shift
    )  # two items to the left, one to the right, two at 60 degrees
    slow = 2.0  # the tolerance is of a step; the steps that are left add up to no more than this many of the last
    np.testing.assert_allclose(found, by_hand, rtol=0, atol=slow * 1e-8 * cdist(x, [by_hand]).mean())


def test_a_geometric_median_that_has_not_converged_is_named():
    x, groups = items()
    with pytest.warns(RuntimeWarning, match="0, 1, 2, 3, 4 and 1 more not converged after 1 steps"):
        geometric_median(x, groups, max_iter=1)


def test_the_trimmed_mean_is_that_of_scipy():
    x, groups = items(200)
    for cut in (0.0, 0.1, 0.3, 0.45):
        expected = brute(x, groups, lambda rows, cut=cut: stats.trim_mean(rows, cut, axis=0))
        np.testing.assert_allclose(trimmed_mean(x, groups, proportiontocut=cut).vectors, expected, rtol=1e3 * EPS)


def test_moments_are_means_and_standard_deviations_or_the_root_of_the_covariance():
    x, groups = items(90, 4)
    x[groups == 5] = x[groups == 5][0]
    found = moments(x, groups).vectors
    expected = brute(x, groups, lambda rows: np.hstack([rows.mean(axis=0), rows.std(axis=0, ddof=1)]))
    np.testing.assert_allclose(found, expected, rtol=0, atol=100 * EPS * np.abs(x).max())
    root = moments(x, groups, second="root").vectors
    assert root.shape == (6, 4 + 10)
    i, j = np.triu_indices(4)
    for name in range(5):
        matrix = np.zeros((4, 4))
        matrix[i, j] = root[name, 4:] / np.where(i == j, 1, np.sqrt(2))
        matrix = matrix + np.triu(matrix, 1).T
        cov = np.cov(x[groups == name].T)
        np.testing.assert_allclose(matrix @ matrix, cov, rtol=0, atol=1e3 * EPS * linalg.norm(cov))
    assert not root[5, 4:].any()


@pytest.mark.parametrize("name", READOUTS)
def test_every_readout_moves_with_the_maps_that_its_entry_names(name):
    rng = np.random.default_rng(3)
    x, groups = items(120, 4)
    q = linalg.qr(rng.normal(size=(4, 4)))[0]
    maps = {
        "translation": lambda z: z + [1.0, -2.0, 3.0, 0.5],
        "scale": lambda z: 8 * z,
        "rotation": lambda z: z @ q,
        "linear": lambda z: z @ np.diag([1.0, 5.0, 0.2, 3.0]) @ q,
    }
    entry = READOUTS[name]
    vectors = entry(x, groups).vectors
    if not entry.same_width:
        assert entry.moves_with == () and vectors.shape[1] != 4
        return
    scale = 100 * np.abs(x).max()
    near = 1e-5 * scale if name == "geometric_median" else 100 * EPS * scale  # it stops within its own tolerance
    for kind, mapped in maps.items():
        off = np.abs(entry(mapped(x), groups).vectors - mapped(vectors)).max()
        assert (off <= near) == (kind in entry.moves_with), (kind, off)


@pytest.mark.parametrize("name", READOUTS)
def test_every_readout_stays_up_to_its_breakdown_point_and_no_further(name):
    rng = np.random.default_rng(4)
    x, entry, far = rng.normal(size=(400, 3)), READOUTS[name], 1e6

    def length(share):
        spoiled = x.copy()
        spoiled[: round(400 * share)] = far
        return np.abs(entry(spoiled, np.zeros(400, dtype=int)).vectors).max()

    assert length(max(entry.breakdown - 0.02, 0)) < 100
    assert length(entry.breakdown + 0.02) > far / 100


@pytest.mark.parametrize("name", READOUTS)
def test_a_group_does_not_depend_on_the_others_nor_on_the_order_of_items(name):
    x, groups = items(80, 3)
    together = READOUTS[name](x, groups)
    order = np.random.default_rng(5).permutation(80)
    shuffled = READOUTS[name](x[order], groups[order])
    near = 1e-6 if name == "geometric_median" else 100 * EPS * np.abs(x).max()
    np.testing.assert_allclose(shuffled.vectors, together.vectors, rtol=0, atol=near)
    for i, label in enumerate(together.names):
        alone = READOUTS[name](x[groups == label], [label] * int(together.counts[i]))
        np.testing.assert_allclose(alone.vectors[0], together.vectors[i], rtol=0, atol=near)


@pytest.mark.parametrize("name", READOUTS)
def test_a_group_of_one_is_its_item_and_every_kind_of_array_is_read(name):
    x = np.array([[1.5, -2.0], [0.0, 1.0]], dtype=np.float32)
    for data in (x, torch.from_numpy(x), x.tolist()):
        found = READOUTS[name](data, ["b", "a"])
        assert isinstance(found, GroupVectors)
        assert found.vectors[:, :2].tolist() == x[::-1].tolist() and found.vectors.dtype == np.float64
        assert found.names.tolist() == ["a", "b"] and found.counts.tolist() == [1, 1]


@pytest.mark.parametrize("name", READOUTS)
def test_no_readout_makes_a_matrix_of_all_pairs(name):
    rng = np.random.default_rng(6)
    x, groups = rng.normal(size=(20_000, 8)).astype(np.float32), rng.integers(0, 200, 20_000)
    READOUTS[name](x[:400], groups[:400])  # imports are not counted
    tracemalloc.start()
    READOUTS[name](x, groups)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000**2 * 8 / 50


def test_a_readout_has_a_name_or_is_a_function_of_the_caller():
    x, groups = items()
    np.testing.assert_array_equal(readout(x, groups, "medoid").vectors, medoid(x, groups).vectors)
    first = readout(x, groups, lambda x, groups: GroupVectors(x[:1], groups[:1], np.ones(1)))
    assert first.vectors.shape == (1, 5)
    with pytest.raises(ValueError, match="readout 'median' is unknown; it is one of 'centroid'"):
        readout(x, groups, "median")


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda x, g: centroid(np.where(x == x[3, 1], np.nan, x), g), r"x\[3, 1\] is NaN"),
        (lambda x, g: centroid(x[:0], g[:0]), "x has 0 rows"),
        (lambda x, g: medoid(x, g[:-1]), "one label for each of the 60 items"),
        (lambda x, g: trimmed_mean(x, g, proportiontocut=0.5), "proportiontocut is 0.5"),
        (lambda x, g: geometric_median(x, g, tol=0), "tol is 0"),
        (lambda x, g: geometric_median(x, g, max_iter=0), "max_iter is 0"),
        (lambda x, g: moments(x, g, second="skewness"), "second is 'skewness'"),
    ],
)
def test_bad_input_is_refused(call, message):
    x, groups = items()
    with pytest.raises(ValueError, match=message), warnings.catch_warnings():
        call(x, groups)
