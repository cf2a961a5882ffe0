"""Distances in blocks: their digits, rows without a direction, tight clusters."""

import numpy as np
import pytest
import tolerance
from scipy.spatial.distance import pdist, squareform
from spaces import normal

from helpers.similarity import _distances
from helpers.similarity._distances import condensed, distance_block, distance_matrix, pair_distances, points
from helpers.similarity.neighbours import jaccard
from helpers.similarity.rsa import rsa


def test_zero_rows_are_at_distance_one_from_all():
    x = normal(12, 4)
    x[[3, 7]] = 0
    d = squareform(condensed(points(x, "cosine")))
    assert d[3].tolist() == [1.0] * 3 + [0.0] + [1.0] * 8
    assert np.isfinite(rsa(x, normal(12, 3, seed=1), distance="cosine"))
    assert 0 <= jaccard(x, x, k=3) <= 1 and jaccard(x, x, k=3) == pytest.approx(1)


@pytest.mark.parametrize("metric", ["cosine", "correlation", "euclidean", "sqeuclidean"])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("offset, spread", [(0, 1), (1000, 1), (0, 1e-4)])
def test_distances_keep_their_digits(metric, dtype, offset, spread, monkeypatch):
    monkeypatch.setattr(_distances, "BLOCK", 1500)
    centres = np.repeat(normal(3, 20), 30, axis=0)
    x = (offset + (centres + spread * normal(90, 20, seed=1))).astype(dtype)
    x[5] = x[77]
    of = points(x, metric)
    wide = x.astype("f8")
    expected = pdist(wide, metric)
    if metric in ("cosine", "correlation"):  # SciPy's own 1 - cosine cancels
        rows = wide - wide.mean(1, keepdims=True) if metric == "correlation" else wide
        expected = pdist(rows / np.linalg.norm(rows, axis=1, keepdims=True), "sqeuclidean") / 2
    # 1 - cosine loses digits down to the squared distance at which differences take over, a product of a block down to
    # the share of the squared lengths at which its pairs are computed one by one.
    one = 2 * tolerance.inner(20) / 1e-6
    digits = one + tolerance.inner(20, dtype) / _distances.CANCELLED[np.dtype(dtype).itemsize]
    i, j = np.triu_indices(90, 1)
    np.testing.assert_allclose(pair_distances(of, i, j), expected, rtol=one)
    np.testing.assert_allclose(condensed(of), expected, rtol=digits)
    full = distance_matrix(of)
    assert (full == full.T).all() and not full.diagonal().any()
    assert (full[np.triu_indices(90, 1)] == condensed(of)).all()
    np.testing.assert_allclose(distance_block(of, (4, 9), (2, 80)), full[4:9, 2:80], rtol=digits)
    assert full[5, 77] == 0


def test_tight_clusters_far_apart_keep_their_digits_in_float32():
    x = np.repeat(100 * normal(2, 30), 200, axis=0) + 0.01 * normal(400, 30, seed=1)
    x = x.astype("f4")
    digits = tolerance.inner(30, "f4") / _distances.CANCELLED[4]
    np.testing.assert_allclose(condensed(points(x, "euclidean")), pdist(x.astype("f8")), rtol=digits)
