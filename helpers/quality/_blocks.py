"""What several qualities take from a representation, a block of rows at a time and in float64."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from array_api_compat import array_namespace

from helpers.arrays import to_numpy, unit_rows

__all__ = ["ROWS", "exponential_entropy", "positive", "singular_values", "unit_blocks"]

Array = Any

ROWS = 4096
"""Rows of a block."""


def singular_values(x: Array) -> Array:
    """Singular values in float64, the largest first; a tall matrix is first reduced to its triangular factor."""
    xp = array_namespace(x)
    n, p = x.shape
    rows = max(ROWS, p)
    factor = xp.astype(x[:rows, :], xp.float64)
    for start in range(rows, n, rows):
        block = xp.astype(x[start : start + rows, :], xp.float64)
        factor = xp.linalg.qr(xp.concat([factor, block], axis=0), mode="reduced")[1]
    return xp.linalg.svdvals(factor)


def exponential_entropy(share: Array) -> float:
    """Exponential of the entropy of shares, 0 log 0 read as 0."""
    xp = array_namespace(share)
    return float(xp.exp(-xp.sum(share * xp.log(xp.where(share > 0, share, xp.ones_like(share))))))


def positive(total: Array) -> Array:
    if not float(total) > 0:
        raise ValueError("x is zero everywhere; its rank says nothing")
    return total


def unit_blocks(x: Array) -> Iterator[Array]:
    """Rows of length 1 in float64, a block at a time; ``ValueError`` for a row of zeros, which has no direction."""
    xp = array_namespace(x)
    for start in range(0, x.shape[0], ROWS):
        block = xp.astype(x[start : start + ROWS, :], xp.float64)
        void = ~xp.any(block != 0, axis=1)
        if bool(xp.any(void)):
            row = start + int(np.argmax(to_numpy(void)))
            raise ValueError(f"row {row} is zero and has no direction; leave it out")
        yield unit_rows(block)
