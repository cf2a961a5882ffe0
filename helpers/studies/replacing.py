"""Methods of the chapter on replacing coordinates."""

from __future__ import annotations

from collections.abc import Sequence

from helpers.studies.combining import Tuned, baselines

__all__ = ["replacing_methods"]


def replacing_methods(
    width: int,
    *,
    ps: Sequence[float] = (0.1, 0.2, 0.4),
    alphas: Sequence[float] = (0.25, 0.5, 0.75),
    n_train: int | None = None,
    seed: int = 0,
) -> dict[str, Tuned]:
    """The methods of fixed width that are compared with replacement, and replacement.

    Parameters
    ----------
    width
        Of a single model, and of all results; at most ``n_train`` - 1 principal axes are kept.
    ps, alphas
        Among which validation chooses for the methods whose names end in ``_tuned``; those whose names do not have
        p = 0.2, α = 0.5 and as many steps as there are other models.
    n_train, seed
        Number of training rows, if known; seed of the importances.

    Examples
    --------
    >>> from helpers.studies.replacing import replacing_methods
    >>> list(replacing_methods(64))[:2]
    ['mean', 'concat_pca']
    """
    from helpers.ensembles import GreedyReplacement, QualityReplacement

    grid = {"p": list(ps)}
    return baselines(width, n_train) | {
        "replacement": Tuned(GreedyReplacement()),
        "replacement_inverse": Tuned(GreedyReplacement(gain="inverse")),
        "replacement_tuned": Tuned(GreedyReplacement(), grid, path=True),
        "quality_replacement": Tuned(QualityReplacement(seed=seed)),
        "quality_replacement_tuned": Tuned(QualityReplacement(seed=seed), {"alpha": list(alphas)} | grid, path=True),
    }
