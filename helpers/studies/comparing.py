"""Differences between methods on the same units: one row for each question, corrected for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from helpers.inference import Paired

__all__ = ["LEAST_UNITS", "least_p", "paired_or_open", "paired_table"]

LEAST_UNITS = 6
"""With fewer units no two-sided test of signs gives p below 0.05, and there are no intervals."""


def least_p(n: int) -> float:
    """The least p that a two-sided sign-flip test of so many units can give.

    Parameters
    ----------
    n
        Number of units, at least 1.

    Examples
    --------
    >>> from helpers.studies.comparing import least_p
    >>> least_p(5), least_p(6)
    (0.0625, 0.03125)
    """
    return 2.0 ** (1 - n)


def paired_table(
    pairs: Mapping[Any, tuple[Any, Any]],
    *,
    groups: Any = None,
    confidence_level: float = 0.95,
    n_resamples: int = 9999,
    rng: int | np.random.Generator = 0,
) -> pd.DataFrame:
    """Paired differences a - b, with intervals, tests, and Holm's correction over all of them.

    Parameters
    ----------
    pairs
        Values a and b of the same units (experiments, or clients), by the name of the question. Fewer units than
        :data:`LEAST_UNITS` have a difference and no interval, a single one has no p either.
    groups
        Label of each unit, if units of one group belong together; as for :func:`helpers.inference.paired`.
    confidence_level, n_resamples, rng
        Confidence level, number of resamples, and seed or generator of :func:`helpers.inference.paired`. With a seed
        each question has the same draws, whatever else is asked.

    Returns
    -------
    DataFrame
        A row for each question: mean ``difference``, its limits ``ci_low`` and ``ci_high``, ``p`` of the sign-flip test
        and ``p_holm``, ``wins`` (share of the units in which a is larger; equal ones count half), ``n`` units, and the
        ``verdict`` of interval and ``p`` before the correction.

    Raises
    ------
    ValueError
        If a and b have different lengths, or none; and as :func:`helpers.inference.paired`.

    Examples
    --------
    >>> from helpers.studies.comparing import paired_table
    >>> a, b = [0.6, 0.7, 0.6, 0.8, 0.7, 0.9, 0.7, 0.8], [0.5, 0.6, 0.5, 0.6, 0.6, 0.7, 0.6, 0.7]
    >>> paired_table({"a less b": (a, b)})["verdict"].to_dict()
    {'a less b': 'better'}
    """
    import pandas as pd

    from helpers.inference import holm

    rows = {}
    for name, both in pairs.items():
        a, b = (np.asarray(values, dtype=float) for values in both)
        options = {"confidence_level": confidence_level, "n_resamples": n_resamples, "rng": rng}
        found = paired_or_open(a, b, groups=groups, **options)
        rows[name] = {
            "difference": found.difference,
            "ci_low": found.low,
            "ci_high": found.high,
            "p": found.p,
            "p_holm": np.nan,
            "wins": float(np.mean((a > b) + 0.5 * (a == b))),
            "n": len(a),
            "verdict": found.verdict,
        }
    table = pd.DataFrame.from_dict(rows, orient="index")
    tested = table["p"].notna()
    if tested.any():
        table.loc[tested, "p_holm"] = holm(table.loc[tested, "p"])
    return table


def paired_or_open(a: Any, b: Any, *, groups: Any = None, confidence_level: float = 0.95, **options: Any) -> Paired:
    """:func:`helpers.inference.paired`, which leaves the limits of fewer than :data:`LEAST_UNITS` units open (NaN).

    Parameters
    ----------
    a, b, confidence_level, options
        Arguments of :func:`helpers.inference.paired`.
    groups
        Label of each unit, if units of one group belong together and count as one.

    Returns
    -------
    Paired
        With limits that are NaN and the verdict ``"not distinguishable"`` where there are too few units; p is that of
        the test, and NaN of a single unit.
    """
    from helpers.inference import Paired, paired

    number = len(a) if groups is None else len(set(np.asarray(groups).tolist()))
    if number > 1 or len(a) != len(b):
        found = paired(a, b, groups=groups, confidence_level=confidence_level, **options)
        if number >= LEAST_UNITS:
            return found
    else:
        found = Paired(float(np.mean(a) - np.mean(b)), np.nan, np.nan, np.nan, "", len(a), confidence_level)
    return found._replace(low=np.nan, high=np.nan, verdict="not distinguishable")
