"""Qualities that need several views of the same objects, and stand-ins for such views."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from helpers.arrays import as_matrix, check_count, check_number, generator, to_numpy
from helpers.quality._blocks import exponential_entropy, unit_blocks
from helpers.quality.entry import Quality

__all__ = ["alignment", "dropout_views", "lidar"]

Array = Any


def alignment(views: Any, *, power: float = 2.0) -> float:
    r"""Alignment of Wang and Isola: the mean distance between two views of one object, on the unit sphere.

    .. math:: \operatorname{mean}_{i,\,a<b}\ \|u_i^{(a)} - u_i^{(b)}\|^{\alpha}, \qquad u = v/\|v\|

    Parameters
    ----------
    views : array_like of shape (q, n, p), or q arrays or tensors of shape (n, p); q ≥ 2
        Representations of the same n objects under q augmentations: row i of each is object i.
    power
        The power α of the distance, above 0.

    Returns
    -------
    float
        In [0, 2 ** power]; **smaller is better aligned**. Unchanged by one rotation of all views and by the scale of
        single rows; not by translation. A representation that is constant is aligned perfectly: read it beside
        :func:`~helpers.quality.uniformity`.

    Raises
    ------
    TypeError, ValueError
        If there are fewer than two views, they differ in shape, an entry is not finite, or a row is zero.

    Notes
    -----
    O(q² n p). Wang and Isola (2020), Understanding contrastive representation learning through alignment and uniformity
    on the hypersphere, ICML.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.quality import alignment
    >>> round(alignment([[[1.0, 0.0]], [[0.0, 3.0]]]), 9)
    2.0
    """
    check_number(power, "power", lambda power: 0 < power < math.inf, "a number above 0")
    views = [np.concatenate([to_numpy(block) for block in unit_blocks(view)]) for view in _views(views)]
    pairs = [(a, b) for i, a in enumerate(views) for b in views[i + 1 :]]
    return float(np.mean([np.linalg.norm(a - b, axis=1) ** power for a, b in pairs]))


def lidar(views: Any, *, delta: float = 1e-4, epsilon: float = 1e-7) -> float:
    r"""LiDAR: the effective rank of linear discriminant analysis whose classes are the objects, seen in several views.

    With the scatter :math:`\Sigma_b` of the means of the objects and the scatter :math:`\Sigma_w` of the views around
    them, the :func:`~helpers.quality.rankme` entropy of the eigenvalues of

    .. math:: (\Sigma_w + \delta I)^{-1/2}\ \Sigma_b\ (\Sigma_w + \delta I)^{-1/2}

    Parameters
    ----------
    views : array_like of shape (q, n, p), or q arrays or tensors of shape (n, p); q ≥ 2
        Representations of the same n objects under q augmentations: row i of each is object i. The paper draws 50
        views of 1000 objects; with two the within scatter is rough.
    delta
        The ridge δ on the within scatter, in the units of x squared.
    epsilon
        What is added to each share of the spectrum, as in :func:`~helpers.quality.rankme`.

    Returns
    -------
    float
        Between 1 and p, up to ε; larger is better: directions count that tell objects apart more than views of one
        object. Unchanged by rotation and translation, and for δ → 0 by every invertible linear map of all views.

    Raises
    ------
    TypeError, ValueError
        In the same cases as :func:`alignment`, but for zero rows; if all objects have the same mean; if δ is not above
        0.

    Notes
    -----
    O(q n p² + p³), in float64. Thilak et al. (2024), LiDAR: sensing linear probing performance in joint embedding SSL
    architectures, ICLR.

    Examples
    --------
    Two directions tell objects apart, one only views:

    >>> import numpy as np
    >>> from helpers.quality import lidar
    >>> x = np.array([[1.0, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]])
    >>> round(lidar([x + [0, 0, 1], x - [0, 0, 1]]), 2)
    2.0
    """
    for name, value in (("delta", delta), ("epsilon", epsilon)):
        if not isinstance(value, (int, float)) or not 0 <= value < math.inf or (name == "delta" and value == 0):
            raise ValueError(f"{name} is {value!r}; a finite number above 0 is needed")
    views = np.stack([to_numpy(view).astype(np.float64) for view in _views(views)])
    q, n, p = views.shape
    means = views.mean(axis=0)
    within = (views - means).reshape(q * n, p)
    between = means - means.mean(axis=0)
    values, vectors = np.linalg.eigh(within.T @ within / (q * n))
    whitened = between @ (vectors / np.sqrt(np.maximum(values, 0) + delta))
    spectrum = np.linalg.svd(whitened, compute_uv=False) ** 2
    if not spectrum.sum() > 0:
        raise ValueError("views: all objects have the same mean over their views; nothing tells them apart")
    return exponential_entropy(spectrum / spectrum.sum() + epsilon)


def dropout_views(x: Any, *, rate: float = 0.5, count: int = 2, rng: int | np.random.Generator = 0) -> np.ndarray:
    """Stand-ins for augmented views, where inputs cannot be encoded again: entries of x set to 0 at random.

    What is seen of two such views of a row is how evenly its information is spread over the features, *not* what the
    model does to a changed input. Prefer views of the inputs.

    Parameters
    ----------
    x : array_like or tensor of shape (n, p)
        The representation of which views are made.
    rate
        Share of entries that are dropped, at least 0 and below 1; each row keeps at least one. The others are divided
        by 1 - rate.
    count
        How many views are made.
    rng
        Seed or generator of the entries that are dropped.

    Returns
    -------
    ndarray of shape (count, n, p)
        Views in the dtype of x.

    Raises
    ------
    TypeError, ValueError
        If ``x`` is not a finite real matrix, or an option is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.quality import dropout_views
    >>> dropout_views(np.ones((3, 4)), rate=0).shape
    (2, 3, 4)
    """
    check_number(rate, "rate", lambda rate: 0 <= rate < 1, "a number of at least 0 and below 1")
    x, rng = to_numpy(as_matrix(x, rows=1)), generator(rng)
    draw = rng.random((check_count(count, "count"), *x.shape), dtype=np.float32)
    keep = (draw >= rate) | (draw == draw.max(axis=2, keepdims=True))
    return np.where(keep, x / x.dtype.type(1 - rate), x.dtype.type(0))


def _views(views: Any) -> list[Array]:
    """At least two finite matrices of one shape."""
    if getattr(views, "ndim", 3) != 3:
        raise ValueError(f"views has shape {tuple(views.shape)}; (views, objects, features) is needed")
    found = [as_matrix(view, f"views[{i}]", rows=1) for i, view in enumerate(views)]
    if len(found) < 2:
        raise ValueError(f"views has {len(found)} view; at least 2 of the same objects are needed")
    for i, view in enumerate(found):
        if view.shape != found[0].shape:
            raise ValueError(
                f"views[{i}] has shape {tuple(view.shape)} and views[0] {tuple(found[0].shape)}; they must be alike"
            )
    return found


QUALITIES = {
    "alignment": Quality(
        alignment,
        "smaller",
        "[0, 4]",
        ("rotation", "scale"),
        "q² n p",
        "Wang and Isola 2020",
        "mean squared distance between two views of an object on the sphere",
        "views",
        misses="a constant representation, which is aligned perfectly",
        sampled=True,
        citation="wang2020understanding",
        formula=r"\operatorname{mean}_{i, a < b} \lVert u_i^{(a)} - u_i^{(b)} \rVert^2, \quad u = v / \lVert v \rVert",
        fooled="collapse",
    ),
    "lidar": Quality(
        lidar,
        "larger",
        "[1, p]",
        ("rotation", "translation"),
        "q n p²",
        "Thilak et al. 2024",
        "effective rank of the directions that tell objects apart more than views",
        "views",
        misses="directions that neither objects nor views vary in; rough with two views",
        sampled=True,
        citation="thilak2024lidar",
        formula=r"\text{RankMe of the eigenvalues of } (\Sigma_w + \delta I)^{-1/2} \Sigma_b (\Sigma_w + "
        r"\delta I)^{-1/2}",
        fooled="noise",
    ),
}
"""The qualities of this module by name."""
