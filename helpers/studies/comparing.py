"""Differences between methods on the same units: one row for each question, corrected for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from helpers.inference import Paired

__all__ = ["paired_or_open", "paired_table"]


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
        Values a and b of the same units (experiments, or clients), by the name of the question. One unit has a
        difference, and neither interval nor p.
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


def paired_or_open(a: Any, b: Any, *, confidence_level: float = 0.95, **options: Any) -> Paired:
    """:func:`helpers.inference.paired`, which leaves the limits of a single unit open (NaN) in place of an error."""
    from helpers.inference import Paired, paired

    if len(a) != 1 or len(b) != 1:
        return paired(a, b, confidence_level=confidence_level, **options)
    difference = float(a[0] - b[0])
    return Paired(difference, np.nan, np.nan, np.nan, "not distinguishable", 1, confidence_level)
