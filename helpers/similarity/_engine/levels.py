"""The rule by which distances that are ranked tie: levels that rounding does not tell apart."""

from __future__ import annotations

import math

__all__ = ["LEVELS", "rank_scale"]

LEVELS = 40  # bits of a distance that decide its rank, counted from those of the largest


def rank_scale(largest: float) -> float:
    """The power of two that, times distances in double precision, makes levels of them.

    The level of a distance is the nearest whole number, at most 2 ** LEVELS. Rounding moves distances by far less than
    a level; so that none that are equal but for rounding come apart at the border of two levels, neighbouring levels
    tie as equal ones do.
    """
    return math.ldexp(1.0, min(1000, LEVELS - math.frexp(largest)[1]))
