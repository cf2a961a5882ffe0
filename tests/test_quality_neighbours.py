"""Qualities of neighbours: values by hand, values of scikit-dimension, definitions by brute force, bad input."""

import numpy as np
import pytest
import tolerance
from scipy.spatial.distance import pdist, squareform
from scipy.stats import skew

from helpers import quality
from helpers.quality._space import Neighbours, fitting_metric, metric_rows


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(0).normal(size=(120, 6)) * np.arange(1, 7) + 1


@pytest.mark.parametrize("metric", ["cosine", "euclidean", "dot"])
def test_neighbours_are_those_of_all_distances(x, metric):
    apart = -(x @ x.T) if metric == "dot" else squareform(pdist(x, metric))
    np.fill_diagonal(apart, np.inf)
    order = np.argsort(apart, axis=1, kind="stable")[:, :7]
    found = Neighbours(metric_rows(x, metric), 7, dot=metric == "dot")
    np.testing.assert_array_equal(found.index, order)
    occurrence = np.bincount(order.ravel(), minlength=len(x))
    assert quality.hubness(x, k=7, metric=metric) == pytest.approx(skew(occurrence))
    assert quality.antihubs(x, k=7, metric=metric) == np.mean(occurrence == 0)


def test_all_others_are_neighbours_where_there_are_no_more(x):
    found = Neighbours(x[:6], 5)
    assert [sorted(row) for row in found.index.tolist()] == [[j for j in range(6) if j != i] for i in range(6)]
    assert quality.hubness(x[:6], k=5) == 0


def test_the_spread_of_distances_is_that_of_all_pairs(x):
    apart = pdist(x)
    assert quality.distance_concentration(x) == pytest.approx(apart.std() / apart.mean())
    noise = np.random.default_rng(1).normal(size=(400, 200))
    # Squared distances of p normal entries have a relative variance of 2 / p, distances a quarter of that; to 1 / p.
    assert quality.distance_concentration(noise) == pytest.approx(1 / np.sqrt(400), rel=0.05)


def test_intrinsic_dimensions_are_those_of_scikit_dimension():
    rng = np.random.default_rng(5)
    x = rng.normal(size=(300, 4)) @ rng.normal(size=(4, 20))
    # skdim.id.TwoNN() and skdim.id.MLE().fit(x, n_neighbors=10, comb="mle") of scikit-dimension 0.5.0.
    assert quality.two_nn(x) == pytest.approx(3.734562065087568)
    assert quality.mle_dimension(x, k=10) == pytest.approx(4.0230192630479635)


def test_intrinsic_dimensions_by_their_definitions(x):
    apart = np.sort(squareform(pdist(x)), axis=1)[:, 1:]
    logs = np.log(apart[:, :8])
    assert quality.mle_dimension(x, k=8) == pytest.approx(1 / (logs[:, -1:] - logs[:, :-1]).mean())
    ratio = np.sort(np.log(apart[:, 1] / apart[:, 0]))
    height = -np.log(1 - np.arange(1, 61) / 120)
    assert quality.two_nn(x, discard=0.5) == pytest.approx((ratio[:60] @ height) / (ratio[:60] @ ratio[:60]))
    assert quality.two_nn(np.vstack([x, x])) == pytest.approx(quality.two_nn(x))


def test_a_graph_that_falls_apart_has_no_connection(x):
    assert quality.knn_connectivity(np.vstack([x, x + 1e4]), metric="euclidean") == pytest.approx(
        0, abs=tolerance.apart(240)
    )
    assert quality.knn_connectivity(x, metric="euclidean") > 0.01
    # A complete graph of n objects has n - 1 eigenvalues n / (n - 1).
    assert quality.knn_connectivity(np.eye(5), k=4) == pytest.approx(5 / 4)


def test_duplicates_are_found_wherever_they_are_and_noise_is_none():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(5000, 16)).astype(np.float32)
    x[4000:4400] = x[100:500]
    x[4400:4500] = x[7]
    assert quality.duplicate_share(x) == pytest.approx((800 + 101) / 5000)
    groups = quality.equal_groups(x)
    assert (groups[4000:4400] == groups[100:500]).all() and len(set(groups)) == 4500
    near = x[:300] + 1e-4 * rng.normal(size=(300, 16))
    assert quality.duplicate_share(np.vstack([x[:300], near])) == 0
    assert len(set(quality.equal_groups(np.vstack([x[:300], near]), tolerance=1e-3))) == 300


def test_the_metric_fits_the_values():
    bits = np.random.default_rng(0).integers(0, 2, (40, 16))
    assert [fitting_metric(z) for z in (bits, bits > 0, 2 * bits - 1, bits + 0.5, 3.0 * bits)] == [
        "hamming", "hamming", "hamming", "cosine", "cosine"
    ]  # fmt: skip
    apart = squareform(pdist(bits, "hamming") * 16)
    np.fill_diagonal(apart, np.inf)
    found = Neighbours(metric_rows(bits.astype(float), "hamming"), 5)
    np.testing.assert_array_equal(found.index, np.argsort(apart, axis=1, kind="stable")[:, :5])
    assert quality.hubness(bits, metric="hamming") == pytest.approx(quality.hubness(2 * bits - 1, metric="hamming"))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: quality.hubness(x, k=120), "k is 120; it must be between 1 and 119"),
        (lambda x: quality.hubness(np.vstack([x, 0 * x[:1]])), "row 120 is zero"),
        (lambda x: quality.hubness(x, metric="hamming"), "more than two values"),
        (lambda x: quality.hubness(x, metric="manhattan"), "metric is 'manhattan'"),
        (lambda x: quality.outlyingness(x, metric="dot"), "is no distance"),
        (lambda x: quality.distance_concentration(np.ones((5, 2))), "all rows are the same"),
        (lambda x: quality.mle_dimension(np.repeat(x[:4], 9, axis=0)), "4 different rows"),
        (lambda x: quality.two_nn(x, discard=1), "discard is 1"),
        (lambda x: quality.outlyingness(np.repeat(x[:2], 30, axis=0)), "half of the objects"),
    ],
)
def test_bad_input_is_refused_and_named(x, call, message):
    with pytest.raises(ValueError, match=message):
        call(x)
