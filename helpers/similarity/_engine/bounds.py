"""The numbers that stand for an object in a block, and how far what follows from them may be from its distances."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

__all__ = ["DOUBTS", "LOST", "NEAREST", "OBJECTS", "ROWS", "VECTORS", "Slack", "above", "marks", "slack_of"]

# Row numbers of the vectors of a block. "Rows" are less their own mean; "objects" are as given.
SHIFT = 0  # sqrt(p) times (mean of the row less the mean of all entries)
ROWS = 1  # four of the rows: squared norm after centring, dot product with the centre, norm, 1 / norm
OBJECTS = 5  # the same four of the objects
DOUBTS = 9  # of the rows and of the objects: what their directions may be off beyond the rounding of products
VECTORS = 11
LOST = 4.0  # a doubt beyond every distance: the direction drowned in rounding or underflow
#: First vector, vector of the doubts, and whether the objects' own means count, by metric.
NEAREST = {"euclidean": (OBJECTS, 0, 1.0), "correlation": (ROWS, DOUBTS, 0.0), "cosine": (OBJECTS, DOUBTS + 1, 1.0)}


class Slack(NamedTuple):
    """How far the numbers of a block may be from the distances of :mod:`~helpers.similarity._engine.exact`.

    With u the unit roundoff of the block and v that of double precision, a product of rows is off by at most p·u times
    half the sum of their squared lengths w, whatever the order of its terms (Higham, 2002, Accuracy and stability of
    numerical algorithms, chapter 3); sums in double precision are off by p·v. What else is rounded adds some u.
    """

    product: float  # of a squared distance, over w
    mended: float  # of a squared distance computed from differences, over itself
    entry: float  # of one entry of a prepared row, over the length
    near: float  # of 1 - cosine from squared distances, over w / the product of the lengths
    far: float  # of 1 - cosine from inner products, likewise
    length: float  # of a length
    least: float  # of a squared distance that underflows
    cosine: float  # of the exact distance itself, and its grid


@functools.cache
def slack_of(dtype: np.dtype | str, width: int) -> Slack:
    """Bounds for rows of ``width`` features in blocks of this type."""
    u, v = float(np.finfo(dtype).eps) / 2, 2.0**-53
    p = 1.1 * width
    return Slack(
        product=(p + 32) * u + (p + 16) * v,
        mended=(p + 16) * u,
        entry=16 * u + (2 * p + 16) * v,
        near=0.55 * ((p + 32) * u + (p + 16) * v),
        far=(p + 96) * u + 16 * (p + 8) * v,
        length=1.5 * (u + p * v),
        least=(p + 32) * float(np.finfo(dtype).tiny),
        cosine=(2 * p + 16) * v + 2.0**-43,
    )


def marks(metric: str, vectors: np.ndarray) -> np.ndarray:
    """Squared length, length and doubt of the objects (3, n): what :func:`above` must know of them."""
    base, doubts, _ = NEAREST[metric]
    return np.stack([vectors[base], vectors[base + 2], vectors[doubts] if doubts else np.zeros_like(vectors[base])])


def above(metric: str, width: int, keys: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Upper bounds of the distances that have the lower bounds ``keys`` (n, places).

    From the marks of the objects (3, n, 1) and of their candidates (3, n, places): the lower bound is the distance less
    an error, whose bound is as large again above it.
    """
    slack = slack_of(keys.dtype, width)
    (w, length, doubt), (v, other, more) = left.astype(np.float64), right.astype(np.float64)
    if metric == "euclidean":
        off = (slack.product + 2.0**-37) * (w + v) + slack.least
    else:
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            share = np.where(w + v > 4 * length * other, slack.far, slack.near)
            off = share * (w + v) + np.abs(length**2 - other**2) * (1.25 * slack.length) + slack.least
            off = np.where((length > 0) & (other > 0), off / (length * other), 0.0)
        off += 16 * slack.length + 2.0**-37 + slack.cosine + doubt + more
    return keys + 2.1 * off
