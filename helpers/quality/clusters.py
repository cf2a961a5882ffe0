"""Qualities of how far the objects fall into groups."""

from __future__ import annotations

from typing import Any

import numpy as np

from helpers.arrays import as_matrix, centred, check_count, to_numpy
from helpers.quality.entry import Quality

__all__ = ["clustering"]


def clustering(x: Any, *, n_clusters: int = 8, relative: bool = True, rng: int = 0) -> float:
    r"""Clustering quality: the mean squared distance of an object to the centre that k-means gives it.

    Parameters
    ----------
    x : array_like or tensor of shape (n, p), n > n_clusters
        The representation, compared by Euclidean distances.
    n_clusters
        How many clusters k-means makes, at least 2.
    relative
        Whether to divide by the same with one cluster, which is the total variance, so that the share of the variance
        *within* clusters is left. False gives the mean squared distance itself, which has the units of x.
    rng
        Seed of k-means++, which starts four times; the best of the four counts.

    Returns
    -------
    float
        In [0, 1] if relative; **smaller is more clustered**, which counts as better. Unchanged by rotation and
        translation, and by scale if relative.

    Raises
    ------
    TypeError, ValueError
        If ``x`` is not a finite real matrix or is constant, or has no more rows than clusters.

    Notes
    -----
    O(n p k) a step of k-means, by scikit-learn, in the dtype of ``x``. For Gaussian data without any cluster it is not
    1: k centres explain variance of anything, the more the fewer the dimensions.
    Lloyd (1982), Least squares quantization in PCM, IEEE Transactions on Information Theory 28.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.quality import clustering
    >>> clustering(np.repeat([[0.0, 0.0], [1.0, 0.0]], 5, axis=0), n_clusters=2)
    0.0
    """
    from sklearn.cluster import KMeans

    x = to_numpy(centred(as_matrix(x)))
    n_clusters = check_count(n_clusters, "n_clusters", least=2, most=len(x) - 1, why=f"({len(x)} rows)")
    # A number of clusters above that of distinct rows is answered by a warning there, by 0 here.
    if len(np.unique(x, axis=0)) <= n_clusters:
        return 0.0
    within = KMeans(n_clusters, n_init=4, random_state=rng).fit(x).inertia_
    return float(within) / (float(np.sum(np.square(x, dtype=np.float64))) if relative else len(x))


QUALITIES = {
    "clustering": Quality(
        clustering,
        "smaller",
        "[0, 1]",
        ("rotation", "scale", "translation"),
        "n p k a step",
        "Lloyd 1982",
        "share of the variance within the clusters of k-means",
        misses="clusters of unlike sizes or shapes, and more of them than k",
        sampled=True,
        citation="lloyd1982least",
        formula=r"\frac{\min \sum_i \lVert x_i - c(x_i) \rVert^2}{\sum_i \lVert x_i - \bar x \rVert^2}, "
        r"\quad c(x_i) \text{ the centre of its cluster}",
        fooled="heaps",
    ),
}
"""The qualities of this module by name."""
