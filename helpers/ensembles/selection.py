"""Choosing the parameters of an ensemble on validation data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from helpers.ensembles.arguments import as_quality, as_similarity
from helpers.ensembles.representations import Representations

__all__ = ["Selection", "select"]


class Selection(NamedTuple):
    """The fitted ensemble that was chosen, and a ``DataFrame`` with the parameters and the score of each candidate."""

    estimator: Any
    table: Any


def select(
    estimator: Any,
    grid: Mapping[str, Sequence] | Sequence[Mapping[str, Sequence]],
    score: Callable[[Any], float],
    representations: Any,
    y: Any = None,
    *,
    quality: Any = None,
    similarity: Any = None,
) -> Selection:
    """Fit the ensemble at every point of a grid and keep the one that scores highest on validation data.

    The rule is all there is to it: the highest score wins, and of equal ones the first in the order of the grid, so
    list the simplest values first. The score of the winner is the best of many and too good to be reported: test it on
    data that neither ``score`` nor ``quality`` has seen.

    Parameters
    ----------
    estimator
        An unfitted ensemble; it is cloned.
    grid
        Values of each parameter, as in ``sklearn.model_selection.ParameterGrid``, but with the last parameter varying
        fastest; a list of grids is tried one after the other.
    score
        ``score(fitted) -> float``, larger is better, on rows that ``fit`` does not see: transform the validation
        representations and evaluate them.
    representations, y, quality, similarity
        Arguments of ``fit``. Qualities and similarities that are given by a rule are computed once for all candidates.

    Returns
    -------
    Selection
        ``estimator``, the fitted winner, and ``table``, a ``DataFrame`` with a row for each candidate and a ``score``.

    Raises
    ------
    ValueError
        If the grid is empty, a parameter is unknown, or a score is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.ensembles import MeanOfLayers, select
    >>> rng = np.random.default_rng(0)
    >>> truth = rng.normal(size=(40, 2))
    >>> layers = [truth + rng.normal(size=(40, 2)) for _ in range(4)]
    >>> train, valid = [x[:20] for x in layers], [x[20:] for x in layers]
    >>> def score(ensemble):
    ...     return -np.mean((ensemble.transform(valid) - truth[20:]) ** 2)
    >>> select(MeanOfLayers(), {"last": [1, 2, 4]}, score, train).estimator.last
    4
    """
    import pandas as pd
    from sklearn.base import clone

    candidates = [point for part in ([grid] if isinstance(grid, Mapping) else grid) for point in _points(part)]
    if not candidates:
        raise ValueError("grid is empty; name at least one parameter with one value")
    representations = Representations(representations)
    varied = {name for point in candidates for name in point}
    own = estimator.get_params(deep=False)
    unknown = sorted(varied - set(own))
    if unknown:
        raise ValueError(f"grid names {unknown}; the parameters of {type(estimator).__name__} are {sorted(own)}")
    # A rule is evaluated once, unless the grid varies the rule or the estimator has no use for it.
    if "quality" in own and "quality" not in varied:
        rule = own["quality"] if quality is None else quality
        quality = as_quality(rule, representations, y) if isinstance(rule, str) or callable(rule) else quality
    if "similarity" in own and "similarity" not in varied:
        similarity = as_similarity(own["similarity"] if similarity is None else similarity, representations)
    best, rows = None, []
    for point in candidates:
        try:
            fitted = clone(estimator).set_params(**point)
            fitted.fit(representations, y, quality=quality, similarity=similarity)
            value = float(score(fitted))
        except (TypeError, ValueError) as error:
            error.add_note(f"with {point}")
            raise
        if not np.isfinite(value):
            raise ValueError(f"the score of {point} is {value}; a finite number is needed")
        rows.append({**point, "score": value})
        if best is None or value > best[0]:
            best = value, fitted
    return Selection(best[1], pd.DataFrame(rows))


def _points(grid: Mapping[str, Sequence]) -> list[dict]:
    """All combinations, the last parameter varying fastest."""
    points: list[dict] = [{}] if grid else []
    for name, values in grid.items():
        if isinstance(values, str) or not hasattr(values, "__iter__"):
            raise TypeError(f"grid[{name!r}] is {values!r}; a sequence of values is needed")
        values = list(values)
        points = [{**point, name: value} for point in points for value in values]
    return points
