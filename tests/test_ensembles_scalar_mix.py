"""Learned weights: gradients against finite differences, the layer with the signal."""

import numpy as np
import pytest
from sklearn.base import clone
from spaces import five_layers, two_classes

from helpers import ensembles
from helpers.ensembles import ScalarMix

layers = pytest.fixture(five_layers)
y = pytest.fixture(two_classes)


@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_gradient_of_the_head_loss_is_that_of_finite_differences(kind):
    from scipy.optimize import check_grad

    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 20) if kind == "classification" else rng.normal(size=20)
    loss = ensembles.scalar_mix._HeadLoss(rng.normal(size=(3, 20, 4)), y, kind, 1.0)
    theta = rng.normal(size=loss.size)
    # A difference over √u = 1.5e-8 is off by u over that, and by it times the curvature: some for each parameter.
    assert check_grad(lambda t: loss(t)[0], lambda t: loss(t)[1], theta) < 1e-5


def test_gradient_of_the_pair_loss_is_that_of_finite_differences_and_its_value_the_correlation():
    from scipy.optimize import check_grad

    rng = np.random.default_rng(0)
    stack, pairs, y = rng.normal(size=(3, 30, 4)), rng.integers(0, 30, (15, 2)), rng.normal(size=15)
    loss = ensembles.scalar_mix._PairLoss(lambda rows: stack[:, rows], pairs, y)
    logits = rng.normal(size=3)
    assert check_grad(lambda t: loss(t)[0], lambda t: loss(t)[1], logits) < 1e-6  # three parameters
    mix = np.tensordot(np.exp(logits) / np.exp(logits).sum(), stack, 1)
    mix /= np.linalg.norm(mix, axis=1, keepdims=True)
    cosine = np.sum(mix[pairs[:, 0]] * mix[pairs[:, 1]], axis=1)
    assert loss(logits)[0] == pytest.approx(1 - np.corrcoef(cosine, y)[0, 1])


def test_scalar_mix_finds_the_layer_with_the_signal(layers, y):
    rng = np.random.default_rng(1)
    signal = rng.normal(size=60)
    for target, informative in ((y, 4.0 * y), (np.array(["no", "yes"])[y], 4.0 * y), (signal, 2 * signal)):
        data = {name: x - x.mean(0) for name, x in layers.items()}
        data["b"] = data["b"] + informative[:, None]
        fitted = ScalarMix().fit(data, target)
        assert fitted.converged_ and fitted.weights_.idxmax() == "b" and fitted.weights_["b"] > 0.4
    pairs = rng.integers(0, 60, (200, 2))
    unit = data["b"] / np.linalg.norm(data["b"], axis=1, keepdims=True)
    fitted = ScalarMix().fit(data, np.sum(unit[pairs[:, 0]] * unit[pairs[:, 1]], axis=1), pairs=pairs)
    assert fitted.weights_["b"] > 0.99 and fitted.loss_ < 1e-3  # where the loss of the others is 1
    assert fitted.weights_.equals(clone(fitted).fit(data, fitted_target(unit, pairs), pairs=pairs).weights_)
    assert ScalarMix(max_rows=40).fit(data, y).weights_.sum() == pytest.approx(1)


def fitted_target(unit, pairs):
    return np.sum(unit[pairs[:, 0]] * unit[pairs[:, 1]], axis=1)
