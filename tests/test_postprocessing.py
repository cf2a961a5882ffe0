"""Maps learnt from rows: what each of them does to the rows, what it leaves alone, and what is refused."""

import numpy as np
import pytest
import tolerance
from scipy.linalg import subspace_angles
from sklearn.decomposition import PCA

from helpers import postprocessing
from helpers.ensembles import QPSelectionPCA, WhitenedLast
from helpers.postprocessing import TREATMENTS, Affine, treatments


def cloud(n=200, p=6, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, p)) @ rng.normal(size=(p, p)) + 5 * rng.normal(size=p)


@pytest.mark.parametrize("n", [200, 5])
def test_each_treatment_is_what_its_name_says(n):
    x = cloud(n)
    maps = treatments(x)
    assert set(maps) == set(TREATMENTS)
    centred = x - x.mean(axis=0)
    assert np.allclose(maps["raw"](x), x) and np.allclose(maps["centred"](x), centred)
    assert np.allclose(maps["standardised"](x).std(axis=0), 1)
    pca = maps["pca"](x)
    assert np.allclose(pca @ pca.T, centred @ centred.T)  # a rotation
    _, s, v = np.linalg.svd(centred, full_matrices=False)
    for removed in (1, 3):
        rest = centred - centred @ v[:removed].T @ v[:removed]
        treated = maps[f"top_{removed}_removed"](x)
        lost = tolerance.apart(n, condition=tolerance.gap(s[s > 1e-9 * s[0]]))
        assert np.allclose(treated @ treated.T, rest @ rest.T, rtol=0, atol=lost * s[0] ** 2)
    rank = pca.shape[1]
    assert rank == min(6, n - 1)
    assert maps["pca_half"](x).shape[1] == rank // 2
    half = np.linalg.svd(x, full_matrices=False)[2][: rank // 2].T
    off = tolerance.apart(n, condition=tolerance.gap(np.linalg.svd(x, compute_uv=False)))
    assert subspace_angles(maps["svd_half"].matrix, half).max() < off
    off = tolerance.apart(n, condition=(s[0] / s[rank - 1]) ** 2 * tolerance.offset(x))  # of inverse squares
    assert np.allclose(np.cov(maps["whitened"](x).T, bias=True), np.eye(rank), rtol=0, atol=off)
    expected = np.diag(s[:rank] / np.sqrt(n))
    assert np.allclose(np.cov(maps["half_whitened"](x).T, bias=True), expected, rtol=0, atol=off * s[0])


def test_whitening_and_pca_agree_with_the_ensembles():
    x = cloud()
    ours, theirs = treatments(x)["whitened"](x), WhitenedLast().fit_transform([x])
    assert np.allclose(ours @ ours.T * 199 / 200, theirs @ theirs.T)
    layers, quality = [x, cloud(seed=1)], [0.5, 0.6]
    published = QPSelectionPCA(width=6).fit(layers, quality=quality, similarity=np.eye(2))
    side_by_side = np.hstack([np.sqrt(w) * z for w, z in zip(published.weights_, layers, strict=True)])
    ours = treatments(side_by_side, width=6)["pca"](side_by_side)
    theirs = published.transform(layers)
    assert np.allclose(ours @ ours.T, theirs @ theirs.T)


def test_treatments_learn_from_one_set_and_apply_to_another():
    x, other = cloud(), cloud(seed=3)
    assert np.allclose(treatments(x)["centred"](other), other - x.mean(axis=0))


def test_constant_features_and_few_rows_are_no_trouble():
    x = np.c_[cloud(4), np.ones(4)]
    for change in treatments(x).values():
        assert np.isfinite(change(x)).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": np.ones((5, 2))}, "all rows of x are equal"),
        ({"x": np.eye(2)}, "at least 3"),
        ({"x": np.eye(3), "names": ["wet"]}, "wet"),
        ({"x": np.eye(3), "width": 4}, "width is 4"),
    ],
)
def test_bad_treatments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        treatments(**arguments)


def test_an_affine_map_without_matrix_only_shifts():
    assert Affine(np.ones(2))([[1, 2]]).tolist() == [[0, 1]]


@pytest.mark.parametrize("n", [200, 5])
def test_each_function_is_the_treatment_of_that_name(n):
    x, maps = cloud(n), treatments(cloud(n))
    half = max(1, maps["pca"].matrix.shape[1] // 2)
    same = {
        "centred": postprocessing.centring(x),
        "standardised": postprocessing.standardising(x),
        "pca": postprocessing.principal_axes(x),
        "pca_half": postprocessing.principal_axes(x, width=half),
        "svd_half": postprocessing.principal_axes(x, width=half, centred=False),
        "top_1_removed": postprocessing.all_but_the_top(x),
        "top_3_removed": postprocessing.all_but_the_top(x, 3),
        "half_whitened": postprocessing.whitening(x, power=0.5),
        "whitened": postprocessing.whitening(x),
    }
    assert set(same) == set(TREATMENTS) - {"raw"}
    for name, change in same.items():
        assert np.allclose(abs(change(x)), abs(maps[name](x))), name  # an axis has no sign


def test_principal_axes_are_those_of_scikit_learn():
    x = cloud()
    found = postprocessing.principal_axes(x, width=4)(x)
    assert np.allclose(abs(found), abs(PCA(4).fit_transform(x)))


def test_all_but_the_top_is_the_subtracted_projection_up_to_a_rotation():
    x = cloud()
    centred = x - x.mean(axis=0)
    top = np.linalg.svd(centred, full_matrices=False)[2][:2]
    published = centred - centred @ top.T @ top
    found = postprocessing.all_but_the_top(x, 2)(x)
    assert found.shape == (200, 4) and np.allclose(found @ found.T, published @ published.T)
    assert np.allclose(postprocessing.all_but_the_top(x, 0)(x), postprocessing.principal_axes(x)(x))


def test_a_power_of_zero_leaves_the_axes_as_they_are():
    x = cloud()
    assert np.allclose(postprocessing.whitening(x, power=0)(x), postprocessing.principal_axes(x)(x))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: postprocessing.centring(np.eye(2)), "at least 3"),
        (lambda: postprocessing.standardising([[1.0, np.nan]] * 3), r"x\[0, 1\] is NaN"),
        (lambda: postprocessing.principal_axes(np.eye(4), width=5), "width is 5"),
        (lambda: postprocessing.all_but_the_top(np.eye(4), -1), "n_removed is -1"),
        (lambda: postprocessing.whitening(np.eye(4), power=np.nan), "power is nan"),
        (lambda: postprocessing.whitening(np.ones((4, 2))), "all rows of x are equal"),
    ],
)
def test_bad_arguments_of_single_maps_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
