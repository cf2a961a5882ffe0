"""Last, best, mean and concatenated layers: by hand, against scikit-learn."""

import numpy as np
import pytest
import tolerance
from sklearn.base import clone
from sklearn.decomposition import PCA
from spaces import five_layers, five_qualities, two_classes

from helpers.ensembles import (
    BestLayer,
    BestUnsupervised,
    CentredLast,
    ConcatPCA,
    LastLayer,
    MeanOfLastFour,
    MeanOfLayers,
    WhitenedLast,
)
from helpers.quality import stable_rank

layers = pytest.fixture(five_layers)
given_quality = pytest.fixture(five_qualities)
y = pytest.fixture(two_classes)


def test_last_best_and_means(layers, given_quality):
    assert np.array_equal(LastLayer().fit_transform(layers), layers["e"])
    assert np.array_equal(BestLayer().fit_transform(layers, quality=given_quality), layers["c"])
    assert np.allclose(MeanOfLayers().fit_transform(layers), sum(layers.values()) / 5)
    assert np.allclose(MeanOfLastFour().fit_transform(layers), (sum(layers.values()) - layers["a"]) / 4)
    assert np.allclose(CentredLast().fit_transform(layers), layers["e"] - layers["e"].mean(axis=0))


def test_best_without_labels_does_not_look_at_labels(layers, y):
    layers["c"] = np.random.default_rng(1).normal(size=(60, 4))

    def blind(x, labels):
        assert labels is None
        return stable_rank(x)

    for quality in (blind, "stable_rank", "isotropy"):
        assert BestUnsupervised(quality).fit(layers, y, quality=[1, 0, 0, 0, 0]).used_ in (["c"], ["a"])


@pytest.mark.parametrize("whiten", [0, 0.5, 1])
def test_whitening_strength_is_the_power_taken_off_the_variance(layers, whiten):
    scaled = {"x": layers["a"] * [1, 2, 5, 9]}
    variance = np.var(WhitenedLast(whiten).fit_transform(scaled), axis=0, ddof=1)
    raw = np.sort(np.linalg.eigvalsh(np.cov(scaled["x"].T)))[::-1]
    assert np.allclose(variance, raw ** (1 - whiten))


@pytest.mark.parametrize("n", [8, 300])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_principal_axes_agree_with_scikit_learn_and_have_fixed_signs(n, dtype):
    rng = np.random.default_rng(0)
    data = [(rng.normal(size=(n, 6)) @ rng.normal(size=(6, 6)) + 50).astype(dtype) for _ in range(3)]
    fitted = ConcatPCA(5).fit(data)
    ours, peer = fitted.transform(data), PCA(5).fit(np.hstack(data).astype(np.float64))
    whole = np.hstack(data).astype(np.float64)
    values = np.linalg.svd(whole - whole.mean(axis=0), compute_uv=False)
    # Axes and variances of features that lie 50 off their spread, by the gaps of the singular values.
    one = tolerance.apart(n, dtype, condition=tolerance.offset(whole))
    axes = one * values[0] / np.min(values[:5] - values[1:6])
    assert ours.dtype == dtype and fitted.axes_.total == pytest.approx(
        peer.explained_variance_.sum() / sum(peer.explained_variance_ratio_), rel=one
    )
    assert np.allclose(np.abs(fitted.axes_.components), np.abs(peer.components_.T), rtol=0, atol=axes)
    assert np.allclose(fitted.axes_.variance, peer.explained_variance_, rtol=0, atol=one * peer.explained_variance_[0])
    peaks = np.abs(fitted.axes_.components).argmax(axis=0)
    assert np.all(fitted.axes_.components[peaks, range(5)] > 0)
    assert np.array_equal(ours, clone(fitted).fit_transform(data))


def test_default_width_is_the_widest_or_what_varies(layers):
    assert ConcatPCA().fit_transform(layers).shape == (60, 4)
    assert ConcatPCA().fit_transform({name: x[:4] for name, x in layers.items()}).shape == (4, 3)
    flat = {"x": layers["a"] @ np.diag([1, 1, 0, 0])}
    assert WhitenedLast().fit_transform(flat).shape == (60, 2)
    with pytest.raises(ValueError, match="only 2 directions vary"):
        WhitenedLast(width=3).fit(flat)
    with pytest.raises(ValueError, match="width is 21 but 60 rows of 20 combined features"):
        ConcatPCA(21).fit(layers)
    with pytest.raises(ValueError, match="nothing varies"):
        ConcatPCA().fit([np.ones((5, 3))])
