"""Methods of the chapter on replacing coordinates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from helpers.arrays import integer_seed
from helpers.inference import Claim
from helpers.studies.combining import AboutMethods, Tuned, baseline_methods

__all__ = ["CLAIMS", "replacing_methods"]

_MADE = {"source": "popov2025automatic", "models": "CoLES encoders of bank clients"}
_POINTS = {"statistic": "points of accuracy", **_MADE}
_SHARE = {"statistic": "share of the experiments won", "null": 0.5, "spec": ".0%", **_MADE}
_HALF = {"side": "equal", "published": 0.5, "margin": 0.25, "better": "greater", **_SHARE}
CLAIMS = {
    "concat": AboutMethods(
        "concat",
        "best",
        Claim("Concatenation is better than the best model", published=1.2, place="section 3.4.1", **_POINTS),
    ),
    "mean": AboutMethods(
        "mean",
        "best",
        Claim("The mean is worse than the best model", side="less", better="greater", place="section 3.4.1", **_POINTS),
    ),
    "half": AboutMethods(
        "replacement_inverse",
        "best",
        Claim(
            "Replacement without labels, of N p / CKA columns, wins in half of the experiments",
            place="section 3.4.2",
            **_HALF,
        ),
        share=True,
    ),
    "half_capped": AboutMethods(
        "replacement_capped",
        "best",
        Claim(
            "Replacement without labels, of a share of p at most, wins in half of the experiments",
            place="section 3.4.2",
            **_HALF,
        ),
        share=True,
    ),
    "complement": AboutMethods(
        "replacement",
        "best",
        Claim(
            "Replacement without labels, with the gain 1 − CKA, wins in half of the experiments",
            place="section 3.4.2",
            **_HALF,
        ),
        share=True,
    ),
    "quality": AboutMethods(
        "quality_replacement_tuned",
        "best",
        Claim("Replacement with quality is better than the best model", place="section 3.5", **_POINTS),
    ),
    "share": AboutMethods(
        "quality_replacement_tuned",
        "concat",
        Claim(
            "Replacement with quality is above plain concatenation in most experiments",
            published=0.88,
            place="section 3.5",
            **_SHARE,
        ),
        share=True,
    ),
    "plain_share": AboutMethods(
        "quality_replacement",
        "concat",
        Claim(
            "Replacement with quality, not tuned, is above plain concatenation in most experiments",
            published=0.88,
            place="section 3.5",
            **_SHARE,
        ),
        share=True,
    ),
    "pca": AboutMethods(
        "quality_replacement_tuned",
        "concat_pca",
        Claim("Replacement with quality is above concatenation + PCA", place="section 3.5", **_POINTS),
    ),
}
"""What the published study claims of replacement and of what it is compared with.

Half of the experiments means between a quarter and three quarters of them. The study says in two ways how many columns
a step replaces, so that this claim is judged on both readings.
"""


def replacing_methods(
    width: int,
    *,
    ps: Sequence[float] = (0.1, 0.2, 0.4),
    alphas: Sequence[float] = (0.25, 0.5, 0.75),
    n_train: int | None = None,
    rng: int | np.random.Generator = 0,
) -> dict[str, Tuned]:
    """The methods of fixed width that are compared with replacement, and replacement.

    Parameters
    ----------
    width
        Width of a single model, and of all results; at most ``n_train`` - 1 principal axes are kept.
    ps, alphas
        Parameters among which validation chooses for the methods whose names end in ``_tuned``; those whose names do
        not have p = 0.2, α = 0.5 and as many steps as there are other models. ``replacement_inverse`` has the product
        N p / CKA that p does not cap, ``replacement_capped`` the same with p as cap and steps that weigh 1 / t, as
        ``quality_replacement_harmonic`` has them.
    n_train, rng
        Number of training rows, if known, and seed of the importances.

    Examples
    --------
    >>> from helpers.studies.replacing import replacing_methods
    >>> list(replacing_methods(64))[:2]
    ['mean', 'concat_pca']
    """
    from helpers.ensembles import GreedyReplacement, QualityReplacement

    seed = integer_seed(rng)
    grid = {"p": list(ps)}
    return baseline_methods(width, n_train) | {
        "replacement": Tuned(GreedyReplacement()),
        "replacement_inverse": Tuned(GreedyReplacement(gain="inverse", capped=False)),
        "replacement_capped": Tuned(GreedyReplacement(gain="inverse", schedule="harmonic")),
        "replacement_agreement": Tuned(GreedyReplacement(start="agreement")),
        "replacement_tuned": Tuned(GreedyReplacement(), grid, path=True),
        "quality_replacement": Tuned(QualityReplacement(random_state=seed)),
        "quality_replacement_harmonic": Tuned(QualityReplacement(schedule="harmonic", random_state=seed)),
        "quality_replacement_tuned": Tuned(
            QualityReplacement(random_state=seed), {"alpha": list(alphas)} | grid, path=True
        ),
    }
