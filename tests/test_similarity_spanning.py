"""Spanning trees against SciPy's, and the order of the three divergences."""

import numpy as np
import pytest
import tolerance
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import cophenet, linkage
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial.distance import pdist, squareform
from scipy.stats import spearmanr
from spaces import correlated, random_pair

from helpers.similarity.spanning import max_rtd_lite, nts, srtd_lite
from helpers.similarity.topology import rtd_lite


def tree(distances):
    return minimum_spanning_tree(distances)


def normalised(x):
    distances = squareform(pdist(x))
    return distances / np.quantile(distances, 0.9)


@pytest.mark.parametrize("n", [12, 60])
def test_the_divergences_are_differences_of_lengths_of_trees(n):
    x, y = correlated(n)
    a, b = normalised(x), normalised(y)
    least, most = tree(np.minimum(a, b)).sum(), tree(np.maximum(a, b)).sum()
    own = (tree(a).sum() + tree(b).sum()) / 2
    near = tolerance.apart(n, condition=tolerance.offset(x, y)) * most
    assert srtd_lite(x, y) == pytest.approx(most - least, abs=near)
    assert max_rtd_lite(x, y) == pytest.approx(most - own, abs=near)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.integers(3, 30), st.integers(1, 6), st.integers(1, 6))
def test_max_is_no_less_than_half_of_the_symmetric_one_and_that_no_less_than_the_lite_one(seed, n, p, q):
    x, y = random_pair(seed, n, p, q)
    most, whole, least = max_rtd_lite(x, y), srtd_lite(x, y), rtd_lite(x, y)
    near = tolerance.apart(n, condition=100) * (1 + whole)
    assert whole == pytest.approx(most + least, abs=near)
    assert most >= whole / 2 - near and whole / 2 >= least - near


def test_blocks_and_single_precision_change_nothing_but_the_rounding():
    x, y = correlated(400)
    for measure in (srtd_lite, max_rtd_lite, nts):
        whole = measure(x, y)
        assert measure(x, y, max_memory=1 << 20) == pytest.approx(whole, rel=tolerance.apart(400, condition=10))
    x, y = x.astype("f4"), y.astype("f4")
    for measure in (srtd_lite, max_rtd_lite):
        wide = measure(x.astype("f8"), y.astype("f8"))
        assert measure(x, y) == pytest.approx(wide, rel=tolerance.apart(9, "float32", condition=100))


def core(x, y):
    edges = [np.sort(np.argwhere(tree(squareform(pdist(z))).toarray() > 0), axis=1) for z in (x, y)]
    return np.unique(np.concatenate(edges), axis=0)


def test_nts_compares_the_scales_of_single_linkage_over_the_edges_of_both_trees():
    x, y = correlated()
    i, j = core(x, y).T
    scales = [squareform(cophenet(linkage(z, "single")))[i, j] for z in (x, y)]
    assert nts(x, y) == pytest.approx(spearmanr(*scales).statistic, abs=tolerance.apart(len(i)))
    distances = [squareform(pdist(z))[i, j] for z in (x, y)]
    assert nts(x, y, values="distance") == pytest.approx(spearmanr(*distances).statistic, abs=tolerance.apart(len(i)))


def test_nts_does_not_grow_with_the_objects_as_the_divergences_do():
    few, many = correlated(60), correlated(480)
    assert abs(nts(*many) - nts(*few)) < 0.2
    assert srtd_lite(*many) > 3 * srtd_lite(*few)


def test_shuffled_objects_give_a_value_below_zero_that_has_to_be_known():
    x, y = correlated(80)
    rng = np.random.default_rng(0)
    found = [nts(x, y[rng.permutation(80)]) for _ in range(20)]
    assert np.mean(found) < -tolerance.of_a_mean(np.std(found), 20) < 0 < nts(x, y)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda x, y: nts(x, y, values="edge"), "values is 'edge'; it must be one of 'merge', 'distance'"),
        (lambda x, y: nts(np.eye(60), y), "x: all scales are equal"),
        (lambda x, y: nts(x[:2], y[:2]), "at least 3"),
        (lambda x, y: nts(x, np.ones_like(y)), "y: the mean of the distances is 0"),
        (lambda x, y: srtd_lite(x, y, normalize="max"), "normalize is 'max'"),
        (lambda x, y: max_rtd_lite(x, y, max_memory=5), "max_memory is 5"),
        (lambda x, y: srtd_lite(x, y[1:]), "x has 60 rows and y has 59"),
    ],
)
def test_wrong_options_are_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call(*correlated())
