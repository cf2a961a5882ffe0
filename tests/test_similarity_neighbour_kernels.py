"""Sparse kernels against matrices that hold every zero."""

import numpy as np
import pytest
import tolerance
from scipy.optimize import brentq
from scipy.spatial.distance import cdist
from spaces import correlated, normal

from helpers.similarity import similarity_matrix
from helpers.similarity.neighbour_kernels import cknna, cycle_knn, mka

NEAR = tolerance.apart(60)


def neighbours(x, k, metric):
    distances = cdist(x, x, metric) + np.diag(np.full(len(x), np.inf))
    return np.argsort(distances, axis=1)[:, :k], distances


def masked(x, k, other=None):
    """Cosines to the k nearest neighbours, to those that are neighbours in another space too; zeros elsewhere."""
    mask = np.zeros((len(x), len(x)))
    np.put_along_axis(mask, neighbours(x, k, "cosine")[0], 1.0, axis=1)
    if other is not None:
        mask *= masked(other, k) != 0
    return mask * (1 - cdist(x, x, "cosine"))


def unbiased(a, b):
    n, one = len(a), np.ones(len(a))
    lines = (a @ one) @ (b @ one) + (one @ a) @ (one @ b)
    return np.sum(a * b) + a.sum() * b.sum() / ((n - 1) * (n - 2)) - lines / (n - 2)


def test_cknna_is_the_unbiased_product_of_the_masked_kernels():
    x, y = correlated()
    numerator = unbiased(masked(x, 10, y), masked(y, 10, x))
    expected = numerator / np.sqrt(unbiased(masked(x, 10), masked(x, 10)) * unbiased(masked(y, 10), masked(y, 10)))
    assert cknna(x, y) == pytest.approx(expected, abs=NEAR)


def test_the_unbiased_product_of_symmetric_kernels_is_that_of_u_centred_ones():
    a, b = (z @ z.T for z in (normal(9, 3), normal(9, 4, seed=1)))
    for of in (a, b):
        np.fill_diagonal(of, 0)

    def centred(m):
        n = len(m)
        rows = m.sum(axis=0) / (n - 2)
        out = m - rows[:, None] - rows[None, :] + m.sum() / ((n - 1) * (n - 2))
        return out - np.diag(np.diag(out))

    assert unbiased(a, b) == pytest.approx(np.sum(centred(a) * centred(b)), rel=tolerance.apart(81, condition=10))


def test_cycle_knn_goes_to_a_neighbour_in_y_and_comes_back_in_x():
    x, y = correlated()
    in_x, in_y = (neighbours(z, 3, "cosine")[0] for z in (x, y))
    back = [any(i in in_x[j] for j in in_y[i]) for i in range(len(x))]
    assert cycle_knn(x, y, k=3) == np.mean(back)
    assert 0 < np.mean(back) < 1


def test_mka_is_the_cosine_of_row_centred_kernels_of_the_graph():
    kernels = []
    for z in correlated():
        near, distances = neighbours(z, 15, "euclidean")
        kernel = np.eye(len(z))
        for i, own in enumerate(near):
            beyond = distances[i, own] - distances[i, own[0]]
            width = brentq(lambda s, beyond=beyond: np.exp(-beyond / s).sum() - np.log2(15), 1e-3, 1e3, xtol=1e-15)
            kernel[i, own] = np.exp(-beyond / width)
        kernels.append(kernel - kernel.mean(axis=1, keepdims=True))
    a, b = kernels
    expected = np.sum(a * b) / np.linalg.norm(a) / np.linalg.norm(b)
    # The widths come from a root finder that stops at some digits less than double precision has.
    assert mka(*correlated()) == pytest.approx(expected, abs=1e-9)


def test_mka_does_not_see_how_dense_a_region_is_and_cka_of_gaussian_kernels_does():
    from helpers.similarity.cka import cka_rbf

    groups = np.repeat([0, 1], 60)
    x = normal(120, 3) + 30 * groups[:, None]
    y = np.where(groups[:, None] == 1, 30 + (x - 30) / 50, x)
    assert mka(x, y) == pytest.approx(1)
    assert cka_rbf(x + 0 * y, x) - cka_rbf(x, y) > 1e-4


def test_equally_near_neighbours_share_the_weight():
    x = np.eye(30)  # all distances are equal
    assert mka(x, x) == pytest.approx(1, abs=NEAR)


def test_a_matrix_holds_both_orders_of_cycle_knn():
    x, y = correlated()
    matrix = similarity_matrix({"x": x, "y": y}, "cycle_knn", k=3, progress=False)
    assert matrix.loc["x", "y"] == cycle_knn(x, y, k=3) != cycle_knn(y, x, k=3) == matrix.loc["y", "x"]


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda x, y: cknna(x, y, k=1), "k is 1; it must be between 2 and 59"),
        (lambda x, y: cknna(x, y, metric="euclidean"), "metric is 'euclidean'; it must be one of 'cosine'"),
        (lambda x, y: cycle_knn(x, y, k=60), "k is 60; it must be between 1 and 59"),
        (lambda x, y: mka(x, y, k=2), "k is 2; it must be between 3 and 59"),
        (lambda x, y: mka(x, y, metric="manhattan"), "metric is 'manhattan'"),
        (lambda x, y: cknna(x[:3], y[:3], k=2), "at least 4"),
        (lambda x, y: mka(x, y[1:]), "x has 60 rows and y has 59"),
    ],
)
def test_wrong_options_are_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call(*correlated())
