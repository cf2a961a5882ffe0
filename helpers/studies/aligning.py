"""Methods of the chapter on aligning before mixing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from helpers.arrays import integer_seed
from helpers.inference import Claim
from helpers.studies.combining import MEASURES, AboutMethods, Tuned, baseline_methods

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

__all__ = ["PUBLISHED_NAMES", "aligning_methods", "claims"]

PUBLISHED_NAMES = {
    "CKA": "qp_cka",
    "RSA": "qp_rsa",
    "DistanceCorrelation": "qp_distance_correlation",
    "OrthogonalAngularShapeMetricCentered": "qp_angular_shape",
}
"""Measure of similarity in the published table → the method with that measure here."""


def claims(published: pd.DataFrame, names: Mapping[str, str]) -> dict[str, AboutMethods]:
    """The published numbers about weights without alignment, as claims.

    Parameters
    ----------
    published
        Columns ``measure`` (keys of :data:`PUBLISHED_NAMES`), ``against`` (``"mean"`` or ``"best"``), ``mean_percent``
        and ``win_percent``.
    names
        What the methods are called.

    Returns
    -------
    dict of str to AboutMethods
        Claims by key: for each row the difference in points, then for each the share of experiments won; that the mean
        is beaten and the best model is not.

    Examples
    --------
    >>> import pandas as pd
    >>> from helpers.studies.aligning import claims
    >>> row = {"measure": "CKA", "against": "mean", "mean_percent": 1.39, "win_percent": 70.6}
    >>> found = claims(pd.DataFrame([row]), {"qp_cka": "QP, CKA"})
    >>> [about.claim.text for about in found.values()]
    ['QP, CKA, is better than the mean', 'QP, CKA, beats the mean more often than not']
    """
    made = {"source": "popov2025automatic", "place": "section 3.6", "models": "CoLES encoders of bank clients"}
    words = {"mean": ("the mean", "better", "more"), "best": ("the best model", "worse", "less")}
    points, shares = {}, {}
    for row in published.to_dict("records"):
        method, (other, than, often) = PUBLISHED_NAMES[row["measure"]], words[row["against"]]
        side, key = "greater" if row["against"] == "mean" else "less", f"{method}_{row['against']}"
        shared = {"better": "greater" if side == "less" else "", **made}
        value, share = row["mean_percent"], row["win_percent"] / 100
        text = f"{names[method]}, is {than} than {other}"
        about = Claim(text, "points of accuracy", side, published=value, **shared)
        points[key] = AboutMethods(method, row["against"], about)
        text = f"{names[method]}, beats {other} {often} often than not"
        about = Claim(text, "share of the experiments won", side, null=0.5, published=share, spec=".0%", **shared)
        shares[f"{key}_share"] = AboutMethods(method, row["against"], about, share=True)
    return points | shares


def aligning_methods(
    width: int,
    *,
    lambdas: Sequence[float] = (0.1, 0.3, 1.0),
    ridges: Sequence[float] = (0.1, 1.0),
    measures: Mapping[str, Any] = MEASURES,
    n_train: int | None = None,
    rng: int | np.random.Generator = 0,
) -> dict[str, Tuned]:
    """Weighted sums of representations as they are, and after each alignment.

    Parameters
    ----------
    width
        Width of a single model, and of all results; at most ``n_train`` - 1 principal axes are kept.
    lambdas, ridges
        Values among which validation chooses λ of the quadratic program, and the ridge of CCA and the linear
        autoencoder.
    measures
        Similarities of the program without alignment, by name.
    n_train, rng
        Number of training rows, if known, and seed of the autoencoder.

    Examples
    --------
    >>> from helpers.studies.aligning import aligning_methods
    >>> [name for name in aligning_methods(64) if name.startswith("qp")]
    ['qp_cka', 'qp_rsa', 'qp_distance_correlation', 'qp_angular_shape']
    """
    from helpers.ensembles import (
        QP,
        GeneralizedProcrustes,
        MeanOfLayers,
        MultisetCCA,
        OrthogonalProcrustes,
        SharedAutoencoder,
        SharedLinearAutoencoder,
    )

    lam, ridge = {"lam": list(lambdas)}, {"ridge": list(ridges)}
    aligned = {
        "procrustes": (OrthogonalProcrustes, {}, {}),
        "generalized_procrustes": (GeneralizedProcrustes, {}, {}),
        "multiset_cca": (MultisetCCA, {}, ridge),
        "linear_autoencoder": (SharedLinearAutoencoder, {}, ridge),
        "autoencoder": (SharedAutoencoder, {"random_state": integer_seed(rng)}, {}),
    }
    out = baseline_methods(width, n_train)
    out["mean_standardized"] = Tuned(MeanOfLayers(normalize="standardize", align="pad"))
    out |= {f"qp_{name}": Tuned(QP(similarity=rule, align="pad"), lam) for name, rule in measures.items()}
    for name, (make, options, grid) in aligned.items():
        out[f"{name}_mean"] = Tuned(make(width=width, **options), grid)
        if name in ("procrustes", "generalized_procrustes"):
            out[f"{name}_qp"] = Tuned(make(width=width, mix="qp", **options), lam)
    return out
