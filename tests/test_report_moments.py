"""What follows from second moments is what fits on rows give."""

import numpy as np
import pytest
import tolerance
from report_data import halves
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import Ridge

from helpers.ensembles import Representations
from helpers.report import (
    candidate_ensembles,
)
from helpers.report import moments as moments_module
from helpers.report.evaluation import folds_of
from helpers.report.moments import FoldMoments, fit_probe, leading_axes
from helpers.report.recipes import linear_map, mixing_of


@pytest.mark.parametrize("normalize", ["unit", None])
def test_maps_from_moments_are_those_of_the_fitted_ensembles(normalize):
    found, labels = halves(90)
    found["other"] = np.c_[found["other"], found["one"][:, 0]]
    data = Representations(found)
    fold = folds_of(90, 3, labels=labels)
    moments = FoldMoments(data, fold, labels, normalize)
    train = np.flatnonzero(fold != 0)
    quality, similarity = np.array([0.5, 0.6, 0.3]), np.array([[1, 0.2, 0.1], [0.2, 1, 0.1], [0.1, 0.1, 1]])
    recipes = candidate_ensembles(
        data.names,
        data.widths,
        quality,
        {"one": ["one"], "other": ["other"]},
        width=4,
        lam=0.1,
        normalize=normalize,
        allow_sums=True,
    )
    assert len(recipes) == 9
    rows = moments.rows(np.arange(90)) - moments.origin - moments.mean([1, 2])
    for label, (subset, estimator) in recipes.items():
        at = [data.names.index(name) for name in subset]
        widths = [data.widths[i] for i in at]
        weights, mixing = mixing_of(estimator, subset, widths, quality[at], similarity[np.ix_(at, at)])
        linear = linear_map(estimator, mixing, at, moments.scatter([1, 2]), moments.edges, len(train), {})
        part = Representations({name: found[name] for name in subset})
        estimator.fit(part[train], quality=quality[at], similarity=similarity[np.ix_(at, at)])
        expected = estimator.transform(part)
        expected = expected - expected[train].mean(axis=0)
        # Moments square the condition of what is whitened.
        size = np.linalg.norm(expected, 2) ** 2
        off = tolerance.apart(90, condition=tolerance.condition(np.hstack(list(found.values()))) ** 2) * max(1, size)
        assert np.allclose(rows @ linear @ (rows @ linear).T, expected @ expected.T, rtol=0, atol=off), label
        assert np.allclose(weights, estimator.weights_)


def test_few_axes_of_many_features_are_nearly_the_best(monkeypatch):
    monkeypatch.setattr(moments_module, "EXACT", 10)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 120)) @ np.diag(1.0 / np.arange(1, 121)) @ rng.normal(size=(120, 120))
    scatter = x.T @ x
    values, axes = leading_axes(scatter, 20, [0, 60, 120])
    best = np.linalg.eigvalsh(scatter)[::-1][:20].sum()
    single = tolerance.apart(120, "float32")
    assert np.trace(axes.T @ scatter @ axes) == pytest.approx(values.sum(), rel=single)
    assert best * 0.995 < values.sum() <= best * (1 + single)
    assert np.allclose(axes.T @ axes, np.eye(20), rtol=0, atol=single)


def test_the_probe_is_discriminant_analysis_and_ridge_regression():
    found, labels = halves(120)
    x = found["one"] - found["one"].mean(axis=0)
    counts = np.bincount(labels).astype(float)
    probe = fit_probe(x.T @ x, x.T @ np.eye(3)[labels], counts=counts)
    shrunk = LinearDiscriminantAnalysis(solver="lsqr", covariance_estimator=_Within(probe.penalty)).fit(x, labels)
    ours = x @ probe.coefficients + probe.intercept
    theirs = shrunk.decision_function(x)
    assert np.allclose(ours - ours.mean(axis=1, keepdims=True), theirs - theirs.mean(axis=1, keepdims=True))
    y = x @ [1.0, 2.0, 3.0] + np.random.default_rng(0).normal(size=120)
    ridge = fit_probe(x.T @ x, (x.T @ y)[:, None], numbers=(120, y.sum(), np.sum(y * y)))
    same = Ridge(alpha=ridge.penalty).fit(x, y)
    assert np.allclose(ridge.coefficients[:, 0], same.coef_) and np.isclose(ridge.intercept[0], same.intercept_)


class _Within:
    """Covariance of a class such that the pooled one is (within-class scatter + penalty) / (n - classes)."""

    def __init__(self, penalty):
        self.penalty = penalty

    def get_params(self, deep=True):
        return {"penalty": self.penalty}

    def set_params(self, **_):
        return self

    def fit(self, x):
        n, groups = 120, 3  # priors are 1/3, so the pooled covariance is the mean of these
        scatter = (x - x.mean(axis=0)).T @ (x - x.mean(axis=0)) * groups
        self.covariance_ = (scatter + self.penalty * np.eye(x.shape[1])) / (n - groups)
        return self
