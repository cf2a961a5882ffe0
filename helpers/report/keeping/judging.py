"""Options with intervals that hold for all of them at once, the front, and what to keep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import generator
from helpers.metrics import spearman
from helpers.report.defaults import CONFIDENCE_LEVEL
from helpers.report.keeping.by_target import Judged, judged_by_target
from helpers.report.keeping.options import CONCATENATION, SINGLE, TEXT, Option

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Options", "judge_options", "simultaneous"]

RESAMPLES = 999
#: Independent groups of items that are resampled at most; more are dealt to as many blocks at random.
BLOCKS = 2000


@dataclass(frozen=True, eq=False)
class Options:
    """What :func:`judge_options` found.

    Attributes
    ----------
    table : pandas.DataFrame
        One row for each option: ``embeddings``, ``encoders``, ``fusion``, ``width``, ``storage``, ``bytes`` of each
        object, ``score``, ``gain`` over the reference with ``ci_low``, ``ci_high`` and ``p`` that hold for all options
        at once, ``kept`` (``ci_low`` is above -margin) and ``front`` (none is better, smaller and has fewer encoders).
    metric : str
        What ``score`` is; larger is better.
    reference : str
        The option that all are compared with: everything side by side, in single precision.
    margin : float
        Loss that is accepted.
    names : list of str
        Names of all embeddings, in order.
    n : int
        Objects, for what is saved.
    notes : list of str
        What was drawn or left out.
    """

    table: pd.DataFrame
    metric: str
    reference: str
    margin: float
    names: list[str]
    n: int
    notes: list[str]

    @property
    def chosen(self) -> str:
        """The option to take: of those that are kept the one with the fewest encoders, then the fewest bytes."""
        kept = self.table[self.table["kept"]]
        order = kept.sort_values(["encoders", "bytes", "score"], ascending=[True, True, False], kind="stable")
        return str(order.index[0])

    @property
    def smallest(self) -> str:
        """Of the options that are kept the one with the fewest bytes, whatever encoders it needs."""
        kept = self.table[self.table["kept"]]
        order = kept.sort_values(["bytes", "encoders", "score"], ascending=[True, True, False], kind="stable")
        return str(order.index[0])


def judge_options(
    inputs: Any,
    *,
    margin: float = 0.01,
    confidence_level: float = CONFIDENCE_LEVEL,
    rng: int = 0,
    told: Callable[[str], Any] = lambda words: None,
) -> Options:
    """All subsets of the embeddings, by every kind of fusion, width and storage, on the same held-out items.

    Parameters
    ----------
    inputs : helpers.inputs.Inputs
        With a target: labels, pairs, qrels or groups. At most 6 embeddings.
    margin
        Loss in the metric, at least 0, that is accepted for what is saved.
    confidence_level
        Probability that the intervals of all options hold together.
    rng
        Seed of draws, halves and resamples.
    told
        Called with what is done next.

    Returns
    -------
    Options

    Raises
    ------
    ValueError
        If there is no target, there are more than 6 embeddings, or an argument is out of range.

    Notes
    -----
    Intervals are d ± c s, with s the bootstrap's standard deviation of a difference d and c the quantile of the largest
    standardised deviation over all options (Romano and Wolf, 2005), so that one may look at all and take the best.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.inputs import read
    >>> from helpers.report.keeping import judge_options
    >>> rng = np.random.default_rng(0)
    >>> labels = rng.integers(2, size=200)
    >>> good = rng.normal(size=(200, 4)) + 3 * labels[:, None]
    >>> found = judge_options(read({"good": good, "noise": rng.normal(size=(200, 4))}, labels=labels), margin=0.05)
    >>> found.table.loc[found.chosen, "embeddings"]
    'good'
    """
    if not 0 <= margin:
        raise ValueError(f"margin is {margin!r}; a loss of at least 0 is needed")
    if not 0 < confidence_level < 1:
        raise ValueError(f"confidence_level is {confidence_level!r}; a number between 0 and 1 is needed")
    judged = judged_by_target(inputs, rng=rng, told=told)
    told("intervals of all options")
    names = list(inputs.representations)
    reference = next(
        i
        for i, option in enumerate(judged.options)
        if set(option.embeddings) == set(names) and option.fusion in (SINGLE, CONCATENATION)
        and option.storage == "float32"
    )  # fmt: skip
    draws, scores = _draws(judged, rng)
    found = simultaneous(draws, scores, reference, confidence_level=confidence_level)
    table = _table(judged.options, scores, found, margin, reference)
    return Options(table, judged.metric, str(judged.options[reference]), margin, names, len(inputs), judged.notes)


def simultaneous(
    draws: np.ndarray, scores: np.ndarray, reference: int, *, confidence_level: float = CONFIDENCE_LEVEL
) -> dict[str, np.ndarray]:
    """Differences from one column, with intervals and p-values that hold for all columns at once.

    Parameters
    ----------
    draws : ndarray of shape (B, m)
        Bootstrap draws of m scores, from the same resamples.
    scores : ndarray of shape (m,)
        The scores themselves.
    reference
        Column to compare with.
    confidence_level
        Probability that all intervals hold together.

    Returns
    -------
    dict of str to ndarray
        ``gain``, ``ci_low``, ``ci_high``, ``p``, each of shape (m,). A column that equals the reference in every draw
        has the interval [0, 0] and p = 1.
    """
    gain = scores - scores[reference]
    deviations = draws - draws[:, [reference]] - gain
    spread = deviations.std(axis=0, ddof=1)
    # Differences of equal columns are rounding, not variation.
    varies = spread > 1e-9 * max(1e-30, float(np.abs(scores).max()))
    ratios = np.abs(deviations[:, varies]) / spread[varies]
    largest = ratios.max(axis=1) if varies.any() else np.zeros(len(draws))
    width = float(np.quantile(largest, confidence_level)) * np.where(varies, spread, 0)
    seen = np.divide(np.abs(gain), spread, out=np.zeros_like(gain), where=varies)
    p = (1 + (largest[:, None] >= seen[None]).sum(axis=0)) / (len(draws) + 1)
    p = np.where(varies, p, 1.0)
    return {"gain": gain, "ci_low": gain - width, "ci_high": gain + width, "p": p}


def _draws(judged: Judged, rng: int) -> tuple[np.ndarray, np.ndarray]:
    """Bootstrap draws (B, options) of all scores from the same resampled items, and the scores."""
    made = generator(rng)
    if judged.target is not None:
        n = len(judged.items)
        counts = made.multinomial(n, np.full(n, 1 / n), size=RESAMPLES)
        items, given = judged.items.T.astype(np.float64), judged.target
        draws = np.empty((RESAMPLES, len(items)))
        for at in range(0, RESAMPLES, 100):
            some = counts[at : at + 100]
            for column, values in enumerate(items):
                draws[at : at + 100, column] = spearman(values, given, counts=some, undefined=0.0)
        return draws, np.array([spearman(values, given, undefined=0.0) for values in items])
    codes = np.unique(judged.groups, return_inverse=True)[1]
    count = int(codes.max()) + 1
    if count > BLOCKS:
        codes = (made.permutation(count) % BLOCKS)[codes]
        count = BLOCKS
    sums = np.zeros((count, judged.items.shape[1]))
    np.add.at(sums, codes, judged.items)
    sizes = np.bincount(codes, minlength=count)
    weights = made.multinomial(count, np.full(count, 1 / count), size=RESAMPLES).astype(np.float64)
    return (weights @ sums) / (weights @ sizes)[:, None], sums.sum(axis=0) / sizes.sum()


def _table(
    options: list[Option], scores: np.ndarray, found: dict[str, np.ndarray], margin: float, reference: int
) -> pd.DataFrame:
    import pandas as pd

    table = pd.DataFrame(
        {
            "embeddings": [" + ".join(option.embeddings) for option in options],
            "encoders": [option.encoders for option in options],
            "fusion": [option.fusion for option in options],
            "width": [option.width for option in options],
            "storage": ["index" if option.embeddings == (TEXT,) else option.storage for option in options],
            "bytes": [option.size for option in options],
            "score": scores,
            **found,
        },
        index=pd.Index([str(option) for option in options], name="option"),
    )
    table["kept"] = (table["ci_low"] >= -margin) | (np.arange(len(options)) == reference)
    table["front"] = _front(table[["score", "bytes", "encoders"]].to_numpy(dtype=np.float64) * [1, -1, -1])
    return table


def _front(values: np.ndarray) -> np.ndarray:
    """Rows of (options, criteria), larger is better, that no other row beats in one and equals in the rest."""
    at_least = (values[:, None, :] >= values[None, :, :]).all(axis=2)
    better = (values[:, None, :] > values[None, :, :]).any(axis=2)
    return ~(at_least & better).any(axis=0)
