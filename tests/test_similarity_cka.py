"""CKA against its definitions with n x n matrices and the correlation of single features."""

import itertools
import math
from functools import partial

import numpy as np
import pytest
import tolerance
from scipy.spatial.distance import pdist, squareform
from scipy.stats import pearsonr
from spaces import correlated, normal

from helpers.similarity.cka import cka, cka_rbf, cka_sampled_features, cka_unbiased


def hsic(k, m):
    n = len(k)
    h = np.eye(n) - 1 / n
    return np.trace(k @ h @ m @ h)


def hsic_unbiased(k, m):
    n = len(k)
    k, m = k - np.diag(np.diag(k)), m - np.diag(np.diag(m))
    whole = np.trace(k @ m) + k.sum() * m.sum() / ((n - 1) * (n - 2)) - 2 / (n - 2) * (k @ m).sum()
    return whole / (n * (n - 3))


def alignment(k, m, form):
    return form(k, m) / math.sqrt(form(k, k) * form(m, m))


def gaussian(x, bandwidth):
    distances = pdist(x)
    return np.exp(-(squareform(distances) ** 2) / (2 * (bandwidth * np.median(distances)) ** 2))


def near(x, y, kernel, unbiased=False):
    """How far two alignments of kernels may be apart: sums of magnitudes over what is left of them.

    Centring puts the means of row, column and all beside an entry; without bias their weights are 8 / 3 and 4 at most.
    """
    lost = []
    for z in (x, y):
        k, size = kernel(z)
        n = len(k)
        if unbiased:
            off = size - np.diag(np.diag(size))
            lost.append(8 * np.sum(off**2) / (n * (n - 3) * hsic_unbiased(k, k)))
        else:
            lost.append(4 * np.sum(size**2) / hsic(k, k))
    return tolerance.apart(len(x) + max(x.shape[1], y.shape[1]), condition=max(lost))


def linear(z):
    """A kernel and what its errors are relative to."""
    length = np.linalg.norm(z, axis=1)
    return z @ z.T, np.outer(length, length)


def rbf(z, bandwidth):
    k = gaussian(z, bandwidth)
    return k, k * (1 - np.log(k))  # a distance is off by a share of itself


@pytest.mark.parametrize("shape", [(60, 6, 9), (20, 30, 25), (20, 5, 90), (20, 3, 30), (5, 2, 2), (4, 9, 3)])
class TestKernelAlignment:
    def test_linear_is_its_definition(self, shape):
        x, y = correlated(*shape)
        assert cka(x, y) == pytest.approx(alignment(x @ x.T, y @ y.T, hsic), abs=near(x, y, linear))

    def test_unbiased_is_its_definition_with_and_without_grams(self, shape):
        x, y = correlated(*shape)
        expected = alignment(x @ x.T, y @ y.T, hsic_unbiased)
        assert cka_unbiased(x + 3, y) == pytest.approx(expected, abs=near(x + 3, y, linear, True))

    @pytest.mark.parametrize("bandwidth", [0.3, 1, 2.5])
    def test_gaussian_is_its_definition(self, shape, bandwidth):
        x, y = correlated(*shape)
        k, m = gaussian(x, bandwidth), gaussian(y, bandwidth)
        kernel = partial(rbf, bandwidth=bandwidth)
        assert cka_rbf(x, y, bandwidth=bandwidth) == pytest.approx(alignment(k, m, hsic), abs=near(x, y, kernel))
        unbiased = cka_unbiased(x, y, kernel="rbf", bandwidth=bandwidth)
        assert unbiased == pytest.approx(alignment(k, m, hsic_unbiased), abs=near(x, y, kernel, True))

    def test_a_function_as_kernel(self, shape):
        x, y = correlated(*shape)
        assert cka(x, y, kernel=lambda z: z @ z.T) == pytest.approx(cka(x, y), abs=near(x, y, linear))
        unbiased = cka(x, y, kernel=lambda z: z @ z.T, unbiased=True)
        assert unbiased == pytest.approx(cka_unbiased(x, y), abs=near(x, y, linear, True))


def test_cka_of_single_features_is_the_squared_correlation():
    x, y = normal(30, 1), normal(30, 1, seed=1)
    y += x
    assert cka(x, y) == pytest.approx(pearsonr(x[:, 0], y[:, 0])[0] ** 2, abs=tolerance.apart(30))


def test_sampled_features_are_averages_over_different_objects_and_different_features():
    x, y = (latent(9, 3, seed, noise=0.2) for seed in (0, 1))

    def own(v, w):
        return hsic_unbiased(np.outer(v, v), np.outer(w, w))

    between = np.mean([own(x[:, a], y[:, b]) for a in range(3) for b in range(3)])
    sides = [np.mean([own(z[:, a], z[:, b]) for a, b in itertools.permutations(range(3), 2)]) for z in (x, y)]
    expected = between / np.sqrt(sides[0] * sides[1])
    assert cka_sampled_features(x, y) == pytest.approx(expected, rel=tolerance.apart(81, condition=100))


def latent(n, p, seed, noise=0.7):
    """p noisy features of one space of two dimensions, the same for every seed."""
    space = np.random.default_rng(0).normal(size=(n, 2))
    rng = np.random.default_rng(seed + 100)
    return space @ rng.normal(size=(2, p)) + noise * rng.normal(size=(n, p))


def test_two_samples_of_the_features_of_one_space_are_alike_however_few_they_are():
    found = [
        [f(latent(200, 10, s), latent(200, 10, 50 + s)) for s in range(40)]
        for f in (cka_unbiased, cka_sampled_features)
    ]
    low, right = (np.mean(values) for values in found)
    assert low < 0.85
    # A ratio of estimates has a bias of the order of its variance.
    assert right == pytest.approx(1, abs=tolerance.of_a_mean(np.std(found[1]), 40) + np.var(found[1]))


def test_a_feature_on_both_sides_is_one_draw():
    x = latent(60, 8, 0)
    assert cka_sampled_features(x, 3 - 2 * x[:, ::-1]) == pytest.approx(1, abs=tolerance.apart(60, condition=10))


def test_features_that_share_nothing_are_refused():
    x, y = latent(60, 8, 0), latent(60, 5, 1)
    noise = np.linalg.qr(np.random.default_rng(0).normal(size=(60, 5)))[0]
    with pytest.raises(ValueError, match="y: its features have nothing in common"):
        cka_sampled_features(x, noise - noise.mean(axis=0))
    with pytest.raises(ValueError, match="x has one feature"):
        cka_sampled_features(x[:, :1], y)
