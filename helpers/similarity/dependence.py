"""Distance correlation, biased and bias-corrected."""

from __future__ import annotations

from typing import Any

import numpy as np

from helpers.arrays import as_pair
from helpers.similarity.streaming import Objects, Requirements, Streamed, Totals, cosines

__all__ = ["distance_correlation", "distance_correlation_unbiased"]


def distance_correlation(x: Any, y: Any) -> float:
    r"""Distance correlation of Székely, Rizzo and Bakirov: the square root, from V-statistics.

    With :math:`A` and :math:`B` the doubly centred matrices of Euclidean distances,

    .. math:: \mathrm{dCor}^2 = \frac{\langle A, B\rangle}{\sqrt{\langle A, A\rangle\,\langle B, B\rangle}}

    and the value is dCor.

    Parameters
    ----------
    x, y
        Representations of shape (n, p) and (n, q). Distances of more than 1024 objects in float32 are computed in
        float32 and their products summed in float64; all else in float64.

    Returns
    -------
    float
        A similarity in [0, 1]. In the population it is 0 for independent variables and for no others; this estimate
        is biased upwards, the more so the more features there are: :func:`distance_correlation_unbiased`.

    Raises
    ------
    ValueError
        If every feature of one side is constant.

    Notes
    -----
    Invariant to orthogonal maps, translation and isotropic scaling of either side.
    Cost: O(n² (p + q)) time, and blocks of distances within 2 GB, never an n × n matrix.
    Székely, Rizzo and Bakirov (2007), Measuring and testing dependence by correlation of distances, Annals of
    Statistics 35.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.similarity.dependence import distance_correlation
    >>> x = np.arange(5.0)[:, None]
    >>> round(distance_correlation(x, 3 - 2 * x), 12)
    1.0
    >>> distance_correlation(x - 2, (x - 2) ** 2) > 0.4  # although their Pearson correlation is 0
    True
    """
    x, y, _ = as_pair(x, y, rows=2)
    return STREAMED["distance_correlation"](x, y)


def distance_correlation_unbiased(x: Any, y: Any) -> float:
    r"""Bias-corrected distance correlation :math:`\mathcal R^*` of Székely and Rizzo.

    With :math:`\tilde A` and :math:`\tilde B` the U-centred matrices of Euclidean distances,

    .. math:: \mathcal R^* = \frac{\langle\tilde A, \tilde B\rangle}
              {\sqrt{\langle\tilde A, \tilde A\rangle\,\langle\tilde B, \tilde B\rangle}}

    Parameters
    ----------
    x, y
        Representations of shape (n, p) and (n, q). Distances of more than 1024 objects in float32 are computed in
        float32 and their products summed in float64; all else in float64.

    Returns
    -------
    float
        A similarity in [-1, 1], on the scale of the *square* of :func:`distance_correlation`. It estimates 0 for
        independent variables whatever the number of features, and can be negative.

    Raises
    ------
    ValueError
        If n < 4, every feature of one side is constant, or all objects of one side are equally far from each other
        (nothing is left after U-centring).

    Notes
    -----
    Invariant to orthogonal maps, translation and isotropic scaling of either side.
    Cost: O(n² (p + q)) time, and blocks of distances within 2 GB, never an n × n matrix.
    Székely and Rizzo (2013), The distance correlation t-test of independence in high dimension, Journal of
    Multivariate Analysis 117; Székely and Rizzo (2014), Partial distance correlation with methods for
    dissimilarities, Annals of Statistics 42.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.similarity.dependence import distance_correlation, distance_correlation_unbiased
    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(size=(50, 200)), rng.normal(size=(50, 200))
    >>> round(distance_correlation(x, y), 2), round(distance_correlation_unbiased(x, y), 2)
    (0.97, 0.08)
    """
    x, y, _ = as_pair(x, y, rows=4)
    return STREAMED["distance_correlation_unbiased"](x, y)


def _requires(objects: Objects) -> Requirements:
    return Requirements(distance=True)


def _requires_four(objects: Objects) -> Requirements:
    objects.check_enough(4, "distance_correlation_unbiased")
    return Requirements(distance=True)


def _biased(totals: Totals) -> np.ndarray:
    """From V-statistics."""
    n, products, rows = totals.n, 2 * totals.distance, totals.distance_rows
    sums = rows.sum(axis=1)
    covariance = products - 2 / n * (rows @ rows.T) + np.outer(sums, sums) / n**2
    return np.sqrt(cosines(covariance, totals.names, 0.0, 0.0, "every feature is constant"))


def _unbiased(totals: Totals) -> np.ndarray:
    """From U-centred distances."""
    n, products, rows = totals.n, 2 * totals.distance, totals.distance_rows
    sums = rows.sum(axis=1)
    covariance = products - 2 / (n - 2) * (rows @ rows.T) + np.outer(sums, sums) / ((n - 1) * (n - 2))
    noise = 1e-12 * np.diag(products)
    return cosines(covariance, totals.names, -1.0, noise, "all objects are equally far from each other")


STREAMED = {
    "distance_correlation": Streamed(_requires, _biased),
    "distance_correlation_unbiased": Streamed(_requires_four, _unbiased),
}
