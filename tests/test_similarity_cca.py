"""Canonical correlations against other routines, their invariances, redundant features and few rows."""

import warnings

import numpy as np
import pytest
import tolerance
from scipy.stats import pearsonr
from spaces import correlated, normal

from helpers.similarity.cca import cca, pwcca, svcca


def test_canonical_correlations_are_those_of_the_generalised_eigenproblem():
    from scipy.linalg import eigh

    x, y = correlated(80, 5, 7)
    xc, yc = x - x.mean(0), y - y.mean(0)
    cross = xc.T @ yc
    squares = eigh(cross @ np.linalg.solve(yc.T @ yc, cross.T), xc.T @ xc, eigvals_only=True)
    # Normal equations square the condition, and a root moves by half the error over itself.
    near = tolerance.apart(80, condition=tolerance.condition(x, y) ** 2) / np.sqrt(squares.min())
    assert cca(x, y) == pytest.approx(np.sqrt(squares).mean(), abs=near)


def test_cca_agrees_with_scikit_learn():
    from sklearn.cross_decomposition import CCA

    x, y = correlated(100, 3, 4)
    tol = 1e-12  # of the square of a step, so that its root is how far the weights are off
    u, v = CCA(3, tol=tol, max_iter=10_000).fit_transform(x, y)
    found = np.mean([pearsonr(u[:, m], v[:, m])[0] for m in range(3)])
    assert cca(x, y) == pytest.approx(found, abs=np.sqrt(tol))


def cut(z, k):
    """By how much more than the data the span of the first k principal components moves (Davis and Kahan)."""
    values = np.linalg.svd(z - z.mean(0), compute_uv=False)
    return values[0] / (values[k - 1] - values[k])


def test_svcca_is_cca_of_the_principal_components():
    from sklearn.decomposition import PCA

    x, y = normal(90, 12) * np.arange(1, 13), normal(90, 10, seed=1) * np.arange(1, 11)
    y[:, :4] += x[:, 8:]
    a, b = (PCA(0.9, svd_solver="full").fit_transform(z) for z in (x, y))
    kept = max(cut(z, part.shape[1]) for z, part in ((x, a), (y, b)))
    near = tolerance.apart(90, condition=tolerance.condition(a, b) + kept)
    assert svcca(x, y, keep=0.9) == pytest.approx(cca(a, b), abs=near)
    near = tolerance.apart(90, condition=tolerance.condition(x, y))
    assert svcca(x, y, keep=1.0) == pytest.approx(cca(x, y), abs=near)
    first = [PCA(1).fit_transform(z)[:, 0] for z in (x, y)]
    near = tolerance.apart(90, condition=max(cut(x, 1), cut(y, 1)))
    assert svcca(x, y, components=1) == pytest.approx(abs(pearsonr(*first)[0]), abs=near)


def test_pwcca_weighs_canonical_correlations_by_their_projections():
    x, y = correlated(80, 4, 6)
    a, b = (np.linalg.svd(z - z.mean(0), full_matrices=False)[0] for z in (x, y))
    u, rho, _ = np.linalg.svd(a.T @ b, full_matrices=False)
    weights = np.abs((a @ u).T @ (x - x.mean(0))).sum(1)
    near = tolerance.apart(80, condition=tolerance.condition(x, y) * tolerance.gap(rho))
    assert pwcca(x, y) == pytest.approx(np.average(rho, weights=weights), abs=near)
    assert pwcca(y, x, weights="y") == pytest.approx(pwcca(x, y), abs=near)


def test_cca_does_not_see_invertible_maps():
    x, y = correlated()
    moved = x @ (normal(6, 6, seed=5) + 3 * np.eye(6)) * 100 - 7
    near = tolerance.apart(60, condition=tolerance.condition(x, moved, y))
    assert cca(x, moved) == pytest.approx(1, abs=near)
    assert cca(moved, y) == pytest.approx(cca(x, y), abs=near)


def test_constant_duplicate_and_dependent_features_do_not_change_cca():
    x, y = correlated()
    wider = np.column_stack([x, np.full(60, 1e6 / 3), x[:, 0], x[:, 1] - 2 * x[:, 2]])
    of_all = tolerance.condition(np.delete(wider, 6, axis=1), y)
    near = tolerance.apart(60, condition=of_all)
    assert cca(wider, y) == pytest.approx(cca(x, y), abs=near)
    rounded = tolerance.of_rounded(6, "float32", condition=of_all)  # the rest is in double precision
    assert cca(wider.astype("f4")[:, :8], y) == pytest.approx(cca(x, y), abs=rounded)
    assert svcca(wider, y, keep=1) == pytest.approx(cca(x, y), abs=near)


def test_dependent_features_in_float32_are_found_dependent():
    x, y = (z.astype("f4") for z in correlated(200))
    mixed = x @ normal(6, 12, seed=8).astype("f4")
    of_products = 6 * tolerance.unit("float32") * np.sqrt(12)  # sums of six terms in twelve features
    assert cca(mixed, y) == pytest.approx(cca(x, y), abs=2 * tolerance.condition(x, mixed, y) * of_products)


def test_features_of_very_different_size_keep_their_correlations():
    x, y = correlated(300)
    sizes = 10.0 ** np.arange(-9, 9, 3)
    of_both = tolerance.condition(x, y)  # sizes of features change no relative error
    assert cca(x * sizes, y) == pytest.approx(cca(x, y), abs=tolerance.apart(300, condition=of_both))
    rounded = tolerance.of_rounded(6, "float32", condition=of_both)
    assert cca((x * sizes).astype("f4"), y) == pytest.approx(cca(x, y), abs=rounded)


@pytest.mark.parametrize("measure", [cca, pwcca, lambda x, y: svcca(x, y, keep=1.0)])
def test_saturated_canonical_correlations_come_with_a_warning(measure):
    with pytest.warns(RuntimeWarning, match="whatever the data"):
        assert measure(normal(10, 12), normal(10, 4, seed=1)) == pytest.approx(1)


def test_svcca_with_few_components_is_fine_with_few_rows():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert 0 < svcca(normal(10, 12), normal(10, 40, seed=1), components=2) < 1
