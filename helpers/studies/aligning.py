"""Methods of the chapter on aligning before mixing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from helpers.studies.combining import MEASURES, Tuned, baselines

__all__ = ["aligning_methods"]


def aligning_methods(
    width: int,
    *,
    lams: Sequence[float] = (0.1, 0.3, 1.0),
    ridges: Sequence[float] = (0.1, 1.0),
    measures: Mapping[str, Any] = MEASURES,
    n_train: int | None = None,
    seed: int = 0,
) -> dict[str, Tuned]:
    """Weighted sums of representations as they are, and after each alignment.

    Parameters
    ----------
    width
        Of a single model, and of all results; at most ``n_train`` - 1 principal axes are kept.
    lams, ridges
        Among which validation chooses λ of the quadratic program, and the ridge of CCA and the linear autoencoder.
    measures
        Similarities of the program without alignment, by name.
    n_train, seed
        Number of training rows, if known; seed of the autoencoder.

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

    lam, ridge = {"lam": list(lams)}, {"ridge": list(ridges)}
    aligned = {
        "procrustes": (OrthogonalProcrustes, {}, {}),
        "generalized_procrustes": (GeneralizedProcrustes, {}, {}),
        "multiset_cca": (MultisetCCA, {}, ridge),
        "linear_autoencoder": (SharedLinearAutoencoder, {}, ridge),
        "autoencoder": (SharedAutoencoder, {"rng": seed}, {}),
    }
    out = baselines(width, n_train)
    out["mean_standardized"] = Tuned(MeanOfLayers(normalize="standardize", align="pad"))
    out |= {f"qp_{name}": Tuned(QP(similarity=rule, align="pad"), lam) for name, rule in measures.items()}
    for name, (make, options, grid) in aligned.items():
        out[f"{name}_mean"] = Tuned(make(width=width, **options), grid)
        if name in ("procrustes", "generalized_procrustes"):
            out[f"{name}_qp"] = Tuned(make(width=width, mix="qp", **options), lam)
    return out
