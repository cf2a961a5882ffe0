"""Distances between groups: against brute force, SciPy and POT, exact and by random features."""

import tracemalloc

import numpy as np
import ot
import pytest
from scipy import optimize, stats
from scipy.spatial.distance import cdist
from tolerance import FALSE_ALARM

from helpers.groups.distances import (
    DISTANCES,
    bures,
    centroid_distance,
    energy,
    group_distances,
    mmd,
    sliced_wasserstein,
    wasserstein,
)

EPS = np.finfo(float).eps
SIZES = (7, 20, 33, 5, 35)


def items(p=3, sizes=SIZES, seed=0):
    rng = np.random.default_rng(seed)
    groups = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    return rng.normal(size=(len(groups), p)) * (1 + groups[:, None] / 4) + groups[:, None] / 3, groups


def by_pairs(x, groups, kernel, unbiased):
    names = np.unique(groups)
    out = np.zeros((len(names), len(names)))
    for i, g in enumerate(names):
        for j, h in enumerate(names):
            if i == j:
                continue
            a, b = x[groups == g], x[groups == h]
            aa, bb, ab = kernel(cdist(a, a)), kernel(cdist(b, b)), kernel(cdist(a, b))
            if unbiased:
                own = [(np.sum(m) - np.trace(m)) / (len(m) * (len(m) - 1)) for m in (aa, bb)]
            else:
                own = [aa.mean(), bb.mean()]
            out[i, j] = sum(own) - 2 * ab.mean()
    return out if unbiased else np.sqrt(np.maximum(out, 0))


KERNELS = {
    "energy": (energy, {"n_slices": None}, lambda d: -d),
    "mmd": (mmd, {"n_frequencies": None, "bandwidth": 1.7}, lambda d: np.exp(-(d**2) / 2 / 1.7**2)),
}


@pytest.mark.parametrize("pairs", [1 << 22, 250])
@pytest.mark.parametrize("unbiased", [False, True])
@pytest.mark.parametrize("name", KERNELS)
def test_exact_distances_are_those_of_all_pairs_in_blocks_of_any_size(name, unbiased, pairs, monkeypatch):
    monkeypatch.setattr("helpers.groups.distances.PAIRS", pairs)
    function, options, kernel = KERNELS[name]
    x, groups = items()
    found = function(x + 100, groups, unbiased=unbiased, **options)
    expected = by_pairs(x, groups, kernel, unbiased)
    np.testing.assert_allclose(found.distances, expected, rtol=0, atol=1e3 * EPS * 100)
    assert found.standard_errors is None and found.counts.tolist() == list(SIZES)


def test_along_a_line_the_energy_distance_is_that_of_scipy():
    x, groups = items(p=1)
    found = energy(x, groups).distances
    for g in range(1, 5):
        expected = stats.energy_distance(x[groups == 0, 0], x[groups == g, 0])
        assert found[0, g] == pytest.approx(expected, rel=1e3 * EPS)


def test_the_same_items_in_another_order_are_at_distance_zero():
    x, _ = items(p=4, sizes=(30,))
    twice = np.vstack([x, x[::-1]]) + 1e3
    groups = np.repeat([0, 1], 30)
    for name, bound in {
        "energy": 1e-6,
        "mmd": 1e-6,
        "sliced_wasserstein": 1e-6,
        "wasserstein": 0,
        "bures": 1e-5,
    }.items():
        assert group_distances(twice, groups, name).distances[0, 1] <= bound, name


@pytest.mark.parametrize("unbiased", [False, True])
@pytest.mark.parametrize("p", [1, 4, 30])
@pytest.mark.parametrize("name", KERNELS)
def test_random_features_are_off_by_no_more_than_their_standard_errors_say(name, p, unbiased):
    function, exact, _ = KERNELS[name]
    x, groups = items(p, sizes=(40, 25, 60, 33))
    sampled = {key: 640 if value is None else value for key, value in exact.items()}
    found = function(x, groups, unbiased=unbiased, rng=1, **sampled)
    expected = function(x, groups, unbiased=unbiased, **exact).distances
    upper = np.triu_indices(4, 1)
    power = 1 if unbiased else 2  # the squares are unbiased: compared as squares
    off = (found.distances**power - expected**power)[upper]
    error = found.standard_errors[upper] * (1 if unbiased else 2 * found.distances[upper])
    limit = stats.t.isf(FALSE_ALARM / 2 / len(off), 31)
    assert (np.abs(off) <= limit * error).all(), off / error
    assert (error > 0).all()
    if (name, p) != ("mmd", 30):  # there the kernel is too narrow for the groups to meet
        assert np.mean(error) < 0.2 * np.mean(expected[upper] ** power)


def test_many_items_take_random_features_by_themselves(monkeypatch):
    x, groups = items()
    monkeypatch.setattr("helpers.groups.distances.EXACT", 99)
    assert energy(x, groups).standard_errors is not None and mmd(x, groups).standard_errors is not None
    assert energy(x, groups, n_slices=None).standard_errors is None


@pytest.mark.parametrize("name", KERNELS)
def test_unbiased_distances_of_groups_from_one_distribution_are_zero_on_average(name):
    rng = np.random.default_rng(2)
    x, groups = rng.normal(size=(1200, 3)), np.repeat(np.arange(200), 6)
    found = KERNELS[name][0](x, groups, unbiased=True).distances
    pairs = found[np.arange(0, 200, 2), np.arange(1, 200, 2)]  # independent pairs
    assert abs(pairs.mean()) <= stats.t.isf(FALSE_ALARM / 2, 99) * pairs.std(ddof=1) / 10
    assert pairs.min() < 0


def test_sliced_wasserstein_along_a_line_is_that_of_pot_where_sizes_divide_the_quantiles():
    x, groups = items(p=1, sizes=(5, 20, 10, 4))
    found = sliced_wasserstein(x, groups).distances
    for g in range(4):
        for h in range(4):
            expected = np.sqrt(ot.wasserstein_1d(x[groups == g], x[groups == h], p=2).item())
            assert found[g, h] == pytest.approx(expected, abs=1e-7)  # the root of a rounding of the squares
    other = sliced_wasserstein(x, groups, n_quantiles=97).distances
    assert 0 < np.max(found - other) < 0.05 and np.min(found - other) > -1e-7


def test_sliced_wasserstein_is_that_of_pot_within_the_error_of_the_directions():
    x, groups = items(p=5, sizes=(10, 20, 25))
    found = sliced_wasserstein(x, groups, n_slices=640)
    for g, h in ((0, 1), (0, 2), (1, 2)):
        a, b = x[groups == g], x[groups == h]
        many = [ot.sliced_wasserstein_distance(a, b, n_projections=100, seed=seed) ** 2 for seed in range(40)]
        error = np.hypot(np.std(many, ddof=1) / np.sqrt(40), 2 * found.distances[g, h] * found.standard_errors[g, h])
        limit = stats.t.isf(FALSE_ALARM / 6, 31)
        assert abs(found.distances[g, h] ** 2 - np.mean(many)) <= limit * error


@pytest.mark.parametrize("p", [2, 12])
def test_bures_is_that_of_pot_also_with_more_features_than_items(p):
    x, groups = items(p)
    found = bures(x, groups).distances
    for g in range(5):
        for h in range(g):
            a, b = x[groups == g], x[groups == h]
            s, t = np.cov(a.T, bias=True), np.cov(b.T, bias=True)
            if p == 2:
                expected = ot.gaussian.bures_wasserstein_distance(a.mean(axis=0), b.mean(axis=0), s, t)
                assert found[g, h] == pytest.approx(expected, rel=1e5 * EPS)
            roots = np.sqrt(np.maximum(np.linalg.eigvals(s @ t).real, 0)).sum()
            expected = np.sum((a.mean(axis=0) - b.mean(axis=0)) ** 2) + np.trace(s) + np.trace(t) - 2 * roots
            near = p * np.sqrt(1e3 * EPS * np.trace(s) * np.trace(t))  # roots of eigenvalues that should be zero
            assert found[g, h] ** 2 == pytest.approx(expected, rel=0, abs=near)


def test_wasserstein_of_equal_sizes_is_the_best_assignment():
    x, groups = items(4, sizes=(12, 12, 12))
    found = wasserstein(x, groups).distances
    for g, h in ((0, 1), (0, 2), (1, 2)):
        cost = cdist(x[groups == g], x[groups == h], "sqeuclidean")
        best = np.sqrt(cost[optimize.linear_sum_assignment(cost)].mean())
        assert found[g, h] == pytest.approx(best, rel=1e3 * EPS)


@pytest.mark.parametrize("name", DISTANCES)
def test_every_distance_is_symmetric_zero_on_itself_and_keeps_its_statements(name):
    entry = DISTANCES[name]
    x, groups = items(2)
    found = entry(x, groups).distances
    np.testing.assert_array_equal(found, found.T)
    assert not np.diag(found).any() and (found[~np.eye(5, dtype=bool)] > 0).all()
    detours = (found[:, :, None] + found[None]).min(axis=1)
    assert entry.metric == bool((found <= detours + 1e-9).all())
    order = np.random.default_rng(1).permutation(len(x))
    options = {"n_slices": None} if name == "energy" else {}
    again = entry(x[order], groups[order], **options).distances
    # Some are roots of differences of means, which rounding leaves at 1e-15.
    np.testing.assert_allclose(again, found, rtol=0, atol=1e-7)


def test_each_distance_sees_of_a_group_what_its_entry_says():
    two = np.array([[-1.0, 0.0], [1.0, 0.0], [0.0, -1.0], [0.0, 1.0]])
    turned = two @ np.array([[1.0, 1.0], [-1.0, 1.0]]) / np.sqrt(2)  # same mean and covariance
    x, groups = np.vstack([two, turned, 2 * two]), np.repeat(["a", "b", "c"], 4)
    for name, entry in DISTANCES.items():
        found = entry(x, groups).distances
        assert (found[0, 1] > 1e-3) == (entry.sees == "distribution"), name
        assert (found[0, 2] > 1e-3) == (entry.sees != "mean"), name


@pytest.mark.parametrize("name", ["energy", "mmd", "sliced_wasserstein", "centroid"])
def test_no_distance_makes_a_matrix_of_all_pairs_of_items(name):
    rng = np.random.default_rng(3)
    x, groups = rng.normal(size=(20_000, 4)).astype(np.float32), rng.integers(0, 50, 20_000)
    options = {"energy": {"n_slices": 32}, "mmd": {"n_frequencies": 32}, "sliced_wasserstein": {"n_slices": 32}}
    DISTANCES[name](x[:400], groups[:400], **options.get(name, {}))
    tracemalloc.start()
    DISTANCES[name](x, groups, **options.get(name, {}))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000**2 * 8 / 50


def test_a_group_of_one_is_a_distribution_too():
    x = np.array([[0.0, 0.0], [3.0, 4.0]])
    for name in ("centroid", "bures", "wasserstein"):
        assert group_distances(x, ["a", "b"], name).distances[0, 1] == pytest.approx(5.0)
    assert energy(x, ["a", "b"]).distances[0, 1] == pytest.approx(np.sqrt(10.0))
    assert centroid_distance(x, ["a", "b"]).names.tolist() == ["a", "b"]


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda x, g: group_distances(x, g, "cosine"), "metric 'cosine' is unknown; it is one of 'centroid'"),
        (lambda x, g: energy(x, [*g[:-1], 9], unbiased=True), "need at least 2 items of each group; one item in 9"),
        (lambda x, g: energy(x, g, n_slices=0), "n_slices is 0"),
        (lambda x, g: energy(x, g, n_slices="all"), "n_slices is 'all'; it is a number, None or 'auto'"),
        (lambda x, g: mmd(x, g, bandwidth=0.0), "bandwidth is 0.0; a positive number"),
        (lambda x, g: mmd(np.ones_like(x), g), "all items are equal"),
        (lambda x, g: sliced_wasserstein(x, g, n_quantiles=0), "n_quantiles is 0"),
        (lambda x, g: wasserstein(x, g[:-1]), "one label for each of the 100 items"),
        (lambda x, g: bures(np.where(x == x[2, 0], np.inf, x), g), r"x\[2, 0\] is infinite"),
    ],
)
def test_bad_input_is_refused(call, message):
    x, groups = items()
    with pytest.raises(ValueError, match=message):
        call(x, groups)
