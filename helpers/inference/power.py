"""How often a study of a given size would tell two methods apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import check_count, generator
from helpers.inference._checks import check_level, choice, complete_table
from helpers.inference.ranks import critical_difference, ranks

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["power"]


def power(
    table: Any,
    sizes: Sequence[int],
    *,
    test: str = "nemenyi",
    confidence_level: float = 0.95,
    missing: str = "raise",
    n_resamples: int = 2000,
    rng: int | np.random.Generator = 0,
) -> pd.DataFrame:
    """How often a study of so many cells would tell two methods apart, if cells were like those of this table.

    Parameters
    ----------
    table, missing
        Same meaning as in :func:`friedman`.
    sizes
        Numbers of cells, each at least 2.
    test
        ``"nemenyi"`` on the ranks of all methods, or ``"t"``: the paired t-test of the scores of the two methods alone.
    confidence_level, n_resamples, rng
        Level of the test; number of simulated studies of each size, whose cells are drawn from ``table`` with
        replacement; seed or generator.

    Returns
    -------
    DataFrame
        Shape (sizes, pairs), columns (a, b): the share of studies in which a is found better *or* worse than b.

    Raises
    ------
    TypeError, ValueError
        In the same cases as :func:`nemenyi`; also if a size is below 2.

    Notes
    -----
    The table is taken for the whole truth: where its own difference is an overestimate, so is the power.

    Examples
    --------
    >>> from helpers.inference import power
    >>> power([[0.9, 0.8], [0.8, 0.6], [0.6, 0.7]], [3, 100]).round(1).iloc[:, 0].tolist()
    [0.0, 0.9]
    """
    import pandas as pd
    from scipy import stats

    choice(test, "test", ("nemenyi", "t"))
    scores = complete_table(table, missing)
    sizes = [check_count(size, "sizes", least=2) for size in sizes]
    n_resamples, rng, confidence_level = (
        check_count(n_resamples, "n_resamples"),
        generator(rng),
        check_level(confidence_level),
    )
    n, k = scores.shape
    first, second = np.triu_indices(k, 1)
    values = (ranks(scores) if test == "nemenyi" else scores).to_numpy()
    difference = values[:, first] - values[:, second]
    rows = []
    for size in sizes:
        share = rng.multinomial(size, np.full(n, 1 / n), size=n_resamples) / size
        mean = share @ difference
        if test == "nemenyi":
            found = np.abs(mean) >= critical_difference(k, size, confidence_level=confidence_level)
        else:
            deviation = np.sqrt(np.maximum(share @ difference**2 - mean**2, 0) / (size - 1))
            found = np.abs(mean) > stats.t.isf((1 - confidence_level) / 2, size - 1) * deviation
        rows.append(found.mean(axis=0))
    pairs = pd.MultiIndex.from_arrays([scores.columns[first], scores.columns[second]], names=["a", "b"])
    return pd.DataFrame(rows, index=pd.Index(sizes, name="cells"), columns=pairs)
