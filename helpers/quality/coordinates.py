"""Qualities of lengths and of single coordinates, which a rotation would hide."""

from __future__ import annotations

from typing import Any

import numpy as np

from helpers.arrays import as_matrix, to_numpy, unit_rows
from helpers.quality._blocks import ROWS
from helpers.quality._space import Space
from helpers.quality.entry import Quality

__all__ = ["norm_spread", "rogue_share"]


def norm_spread(x: Any) -> float:
    """Spread of the lengths of rows: the standard deviation of their logarithm.

    Parameters
    ----------
    x : array_like or tensor of shape (n, p)
        The representation, which is not centred; no row may be zero.

    Returns
    -------
    float
        At least 0, and 0 for rows of one length, which counts as better; 0.1 says that lengths differ by 10 %.
        Unchanged by rotation and scale.

    Raises
    ------
    TypeError, ValueError
        If ``x`` is not a finite real matrix, or a row is zero.

    Notes
    -----
    O(n p). With inner products, rows that are long are near everything.

    Examples
    --------
    >>> from helpers.quality import norm_spread
    >>> round(norm_spread([[3.0, 4.0], [0.0, 5.0]]), 6)
    0.0
    """
    x = to_numpy(as_matrix(x))
    lengths = np.concatenate([_lengths(x[start : start + ROWS], start) for start in range(0, len(x), ROWS)])
    return float(np.std(np.log(lengths)))


def _lengths(x: np.ndarray, start: int) -> np.ndarray:
    x = x.astype(np.float64)
    peak = np.max(np.abs(x), axis=1)
    if not peak.all():
        raise ValueError(f"row {start + int(np.argmin(peak))} is zero and has no direction; leave it out")
    return peak * np.linalg.norm(x / peak[:, None], axis=1)


def rogue_share(x: Any) -> float:
    """Share of the largest coordinate in the squares of rows of length 1: how far one dimension rules cosines.

    Parameters
    ----------
    x : array_like or tensor of shape (n, p)
        The representation, which is not centred; no row may be zero.

    Returns
    -------
    float
        In [1/p, 1]; smaller is better: near 1 one coordinate decides which objects are near. Unchanged by the scale of
        single rows; not by rotation.

    Raises
    ------
    TypeError, ValueError
        If ``x`` is not a finite real matrix, or a row is zero.

    Notes
    -----
    O(n p). Timkey and van Schijndel (2021), All bark and no bite: rogue dimensions in transformer language models
    obscure representational quality, EMNLP.

    Examples
    --------
    >>> from helpers.quality import rogue_share
    >>> round(rogue_share([[1.0, 1.0, 10.0], [1.0, -1.0, 10.0]]), 2)
    0.98
    """
    x = to_numpy(as_matrix(x))
    total = np.zeros(x.shape[1])
    for start in range(0, len(x), ROWS):
        total += np.sum(unit_rows(x[start : start + ROWS].astype(np.float64), zero="raise") ** 2, axis=0)
    return float(total.max()) / len(x)


def _rogue_share(space: Space) -> float:
    return float(np.diag(space.directions[1]).max()) / len(space.x)


QUALITIES = {
    "norm_spread": Quality(
        norm_spread,
        "smaller",
        "[0, ∞)",
        ("rotation", "scale"),
        "n p",
        "spread of lengths",
        "standard deviation of the logarithm of the lengths of rows",
        misses="whether lengths mean something, as frequency or confidence",
        citation="",
        formula=r"\operatorname{sd}_i \log \lVert x_i \rVert",
        fooled="circle",
    ),
    "rogue_share": Quality(
        rogue_share,
        "smaller",
        "[1/p, 1]",
        ("scale",),
        "n p",
        "Timkey and van Schijndel 2021",
        "share of the largest coordinate in the squares of unit rows",
        misses="rogue directions that are no coordinate; the effective ranks see those",
        shared=_rogue_share,
        citation="timkey2021bark",
        formula=r"\max_j \frac1n \sum_i x_{ij}^2 / \lVert x_i \rVert^2",
        fooled="noise",
    ),
}
"""The qualities of this module by name."""
