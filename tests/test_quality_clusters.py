"""Clustering: the share of variance within clusters, and bad input."""

import numpy as np
import pytest

from helpers import quality


def test_clustering_is_the_share_of_variance_within_clusters():
    centres = np.repeat([[0.0, 0.0], [10.0, 0.0]], 50, axis=0)
    noise = np.random.default_rng(0).normal(size=(100, 2))
    x = centres + noise
    within = sum(np.sum((part - part.mean(axis=0)) ** 2) for part in (x[:50], x[50:]))
    total = np.sum((x - x.mean(axis=0)) ** 2)
    assert quality.clustering(x, n_clusters=2) == pytest.approx(within / total)
    assert quality.clustering(x, n_clusters=2, relative=False) == pytest.approx(within / 100)
    assert quality.clustering(centres, n_clusters=5) == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: quality.clustering(np.eye(3), n_clusters=8), r"clusters is 8; it must be between 2 and 2 \(3 rows\)"),
    ],
)
def test_bad_input_is_refused_and_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
