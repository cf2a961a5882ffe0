"""Distance correlation against its definitions and affine images."""

import math

import numpy as np
import pytest
import tolerance
from scipy.spatial.distance import pdist, squareform
from spaces import correlated, normal

from helpers.similarity import _distances
from helpers.similarity.dependence import distance_correlation, distance_correlation_unbiased


def doubly_centred(d):
    return d - d.mean(0) - d.mean(1)[:, None] + d.mean()


def u_centred(d):
    n = len(d)
    out = d - d.sum(0) / (n - 2) - d.sum(1)[:, None] / (n - 2) + d.sum() / ((n - 1) * (n - 2))
    np.fill_diagonal(out, 0)
    return out


def test_distance_correlation_is_its_definition(monkeypatch):
    x, y = correlated(50)
    a, b = squareform(pdist(x)), squareform(pdist(y))
    for entries in (_distances.BLOCK, 700):
        monkeypatch.setattr(_distances, "BLOCK", entries)
        for form, measure, power in (
            (doubly_centred, distance_correlation, 0.5),
            (u_centred, distance_correlation_unbiased, 1),
        ):
            s, t = form(a), form(b)
            expected = ((s * t).sum() / math.sqrt((s * s).sum() * (t * t).sum())) ** power
            assert measure(x, y) == pytest.approx(expected, abs=near(form, a, b))


def near(form, *distances):
    """Sums over rows of sums over columns; what centring leaves of the distances."""
    left = max(np.sum(d**2) / np.sum(form(d) ** 2) for d in distances)
    return tolerance.apart(2 * len(distances[0]), condition=left)


def test_distance_correlation_of_affine_images_is_one():
    x = normal(40, 1)
    d = squareform(pdist(x))
    assert distance_correlation(x, 5 - 3 * x) == pytest.approx(1, abs=near(doubly_centred, d))
    assert distance_correlation_unbiased(x, 5 - 3 * x) == pytest.approx(1, abs=near(u_centred, d))
