"""Qualities of one representation that need no labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from array_api_compat import array_namespace

from helpers.similarity._arrays import as_matrix

__all__ = ["QUALITIES", "anisotropy", "rankme", "stable_rank"]

Array = Any

ROWS = 4096


def rankme(x: Any, *, epsilon: float = 1e-7) -> float:
    r"""RankMe: the exponential of the entropy of the singular values, a smooth count of the directions in use.

    .. math:: \exp\Big(-\sum_k p_k \log p_k\Big), \qquad p_k = \sigma_k / \textstyle\sum_j \sigma_j + \varepsilon

    Parameters
    ----------
    x : array_like or tensor of shape (n, p)
        Not centred (the definition takes the representation as it is). Computed in float64.
    epsilon
        The paper's ε; 0 gives the effective rank of Roy and Vetterli (2007), 0 log 0 read as 0.

    Returns
    -------
    float
        Between 1 and min(n, p), up to ε: 1 if all rows lie on one line, min(n, p) if all singular values are equal.
        Unchanged by rotation, reflection and scale; not by translation.

    Raises
    ------
    TypeError, ValueError
        If ``x`` is not a finite real matrix, or is zero.

    Notes
    -----
    O(n p min(n, p)) time; blocks of rows, so that a memory-mapped array is never held whole while n > p.
    Garrido, Balestriero, Najman and LeCun (2023), RankMe: assessing the downstream performance of pretrained
    self-supervised representations by their rank, ICML.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.quality import rankme
    >>> round(rankme(np.eye(4)), 4)
    4.0
    """
    values = _singular_values(as_matrix(x, rows=1))
    xp = array_namespace(values)
    share = values / _positive(xp.sum(values)) + epsilon
    return float(xp.exp(-xp.sum(share * xp.log(xp.where(share > 0, share, xp.ones_like(share))))))


def stable_rank(x: Any) -> float:
    r"""Stable rank :math:`\|X\|_F^2 / \|X\|_2^2`: total energy over that of the strongest direction.

    Parameters, errors and cost as :func:`rankme`; at least 1 and at most the rank. Unchanged by rotation and scale.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.quality import stable_rank
    >>> stable_rank(np.diag([2.0, 1.0, 1.0]))
    1.5
    """
    values = _singular_values(as_matrix(x, rows=1))
    xp = array_namespace(values)
    energy = (values / _positive(xp.max(values))) ** 2
    return float(xp.sum(energy))


def anisotropy(x: Any) -> float:
    r"""Mean cosine between two different objects: 0 for directions spread evenly, near 1 for a narrow cone.

    Parameters
    ----------
    x : array_like or tensor of shape (n, p), n ≥ 2
        No row may be zero: it has no direction.

    Returns
    -------
    float
        In [-1/(n-1), 1]. Unchanged by rotation and by the scale of single rows; not by translation.

    Raises
    ------
    TypeError, ValueError
        If ``x`` is not a finite real matrix, or a row is zero.

    Notes
    -----
    All n(n-1)/2 pairs in O(np), from the norm of the sum of the unit vectors, in float64 over blocks of rows.
    Ethayarajh (2019), How contextual are contextualized word representations?, EMNLP.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.quality import anisotropy
    >>> anisotropy(np.array([[1.0, 0.0], [0.0, 2.0]])), anisotropy(np.array([[3.0, 4.0], [-3.0, -4.0]]))
    (0.0, -1.0)
    """
    x = as_matrix(x)
    xp = array_namespace(x)
    n, total = x.shape[0], 0.0
    for start in range(0, n, ROWS):
        block = xp.astype(x[start : start + ROWS, :], xp.float64)
        largest = xp.max(xp.abs(block), axis=1, keepdims=True)
        if not bool(xp.all(largest > 0)):
            raise ValueError(f"row {start + int(xp.argmin(largest))} is zero and has no direction; leave it out")
        block = block / largest
        total = total + xp.sum(block / xp.sqrt(xp.sum(block * block, axis=1, keepdims=True)), axis=0)
    return (float(xp.sum(total * total)) - n) / (n * (n - 1))


def _singular_values(x: Array) -> Array:
    """Singular values in float64; a tall matrix is reduced to its triangular factor, a block of rows at a time."""
    xp = array_namespace(x)
    n, p = x.shape
    rows = max(ROWS, p)
    factor = xp.astype(x[:rows, :], xp.float64)
    for start in range(rows, n, rows):
        block = xp.astype(x[start : start + rows, :], xp.float64)
        factor = xp.linalg.qr(xp.concat([factor, block], axis=0), mode="reduced")[1]
    return xp.linalg.svdvals(factor)


def _positive(total: Array) -> Array:
    if not float(total) > 0:
        raise ValueError("x is zero everywhere; its rank says nothing")
    return total


QUALITIES: dict[str, Callable[[Any], float]] = {
    "rankme": rankme,
    "stable_rank": stable_rank,
    "isotropy": lambda x: 1 - anisotropy(x),
}
"""Label-free qualities by name; larger counts as better."""
