"""Embeddings and labels that tests of several modules of the report share."""

import numpy as np

from helpers.report import (
    evaluate_by_labels,
    gains_of_ensembles,
)

LEFT = {"index.html", "tables", "ensemble", "combined.npy", "combined.ids.txt", "report.json"}


def spaces(n=300, seed=0):
    """Two unlike embeddings with decaying spectra and their suspects."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(n, 12)) * 0.8 ** np.arange(12)
    x = np.tanh(hidden @ rng.normal(size=(12, 10))) + 0.5
    y = np.tanh(hidden @ rng.normal(size=(12, 8)) * 2) - 0.2
    turn = np.linalg.qr(rng.normal(size=(10, 10)))[0]
    suspects = {
        "turned": 3 * x @ turn + 1,
        "noisy": x + 0.6 * x.std() * rng.normal(size=x.shape),
        "turned and noisy": x @ turn + 0.5 * x.std() * rng.normal(size=x.shape),
        "dice": rng.normal(size=(n, 9)),
    }
    return {"x": x, "y": y} | suspects


def halves(n, seed=0, strength=1.3, classes=3):
    """Two embeddings that hold complementary halves of what tells the classes apart, a third that holds nothing."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    z = rng.normal(size=(n, 6)) + strength * rng.normal(size=(classes, 6))[labels]
    return {"one": z[:, :3], "other": z[:, 3:], "dice": rng.normal(size=(n, 3))}, labels


def small_gains(found, labels, seed, **options):
    evaluation = evaluate_by_labels(found, labels, folds=3, rng=seed, **{"width": 3, "lambdas": (0.2,)} | options)
    return evaluation, gains_of_ensembles(evaluation, rng=seed)
