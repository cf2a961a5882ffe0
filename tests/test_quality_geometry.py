"""Qualities of the geometry: special cases, definitions by hand, what libraries give, bad input."""

import numpy as np
import pytest
import tolerance
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial.distance import pdist, squareform

from helpers import quality


@pytest.fixture(scope="module")
def x():
    rng = np.random.default_rng(0)
    return rng.normal(size=(60, 5)) @ np.diag([3.0, 2.0, 1.0, 1.0, 0.5]) + 1


def test_self_clustering_is_zero_on_the_sphere_one_on_a_line_and_counts_pairs(x):
    rng = np.random.default_rng(0)
    assert abs(quality.self_clustering(rng.normal(size=(4000, 8)))) < 0.005
    assert quality.self_clustering(np.outer([1.0, -2, 3], [1.0, 1, 0])) == pytest.approx(1)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    n, p = x.shape
    expected = n + n * (n - 1) / p
    assert quality.self_clustering(x) == pytest.approx((np.sum((unit @ unit.T) ** 2) - expected) / (n**2 - expected))


def test_uniformity_by_its_definition(x):
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    assert quality.uniformity(x, t=3) == pytest.approx(np.log(np.exp(-3 * pdist(unit, "sqeuclidean")).mean()))
    assert quality.uniformity(np.ones((4, 2))) == pytest.approx(0, abs=tolerance.apart(4))
    assert quality.uniformity([[1.0, 0], [-1.0, 0]]) == pytest.approx(-8)
    even = np.random.default_rng(0).normal(size=(1500, 500))
    # Cosines have a variance of 1 / 500, so that the mean of exp(4 cos) is exp(8 / 500); then the mean of pairs.
    expected = -4 + 16 / 2 / 500
    assert quality.uniformity(even) == pytest.approx(expected, abs=1 / 500 + tolerance.of_a_mean(0.18, 1500))


def test_persistence_is_the_length_of_the_minimum_spanning_tree(x):
    tree = minimum_spanning_tree(squareform(pdist(x))).sum()
    assert quality.persistence_h0(x, relative=False) == pytest.approx(tree)
    spread = np.sqrt(np.mean(pdist(x) ** 2))
    assert quality.persistence_h0(x) == pytest.approx(tree / spread)
    assert quality.persistence_h0(x, total=False) == pytest.approx(tree / spread / 59)
    assert quality.persistence_h0(np.array([[0.0, 0], [3, 4], [3, 4]]), relative=False) == pytest.approx(5)
    part = quality.persistence_h0(x, subset=20, rng=3)
    assert part == quality.persistence_h0(x, subset=20, rng=3) and part != quality.persistence_h0(x, subset=20, rng=4)


def test_persistence_is_what_a_library_for_homology_gives(x):
    ripser = pytest.importorskip("ripser")
    bars = ripser.ripser(x, maxdim=0)["dgms"][0]
    assert quality.persistence_h0(x, relative=False) == pytest.approx(
        bars[np.isfinite(bars[:, 1]), 1].sum(), rel=tolerance.inner(5, "float32")
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: quality.self_clustering(np.ones((3, 1))), "one feature"),
        (lambda: quality.uniformity([[1.0], [0.0]]), "row 1 is zero"),
        (lambda: quality.uniformity(np.eye(2), t=0), "t is 0"),
        (lambda: quality.persistence_h0(np.ones((3, 2))), "every feature is constant"),
        (lambda: quality.persistence_h0(np.eye(3), subset=1), "subset is 1"),
    ],
)
def test_bad_input_is_refused_and_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
