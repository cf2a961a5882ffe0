"""Qualities of a representation beside others of the same objects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from helpers.quality.entry import Quality

__all__ = ["agreement"]


def agreement(x: Any, others: Sequence[Any], *, measure: str | Callable[[Any, Any], float] = "cka") -> float:
    """Mean similarity of a representation with others of the same objects.

    Parameters
    ----------
    x : array_like or tensor of shape (n, p)
        The representation that is judged.
    others : sequence of arrays or tensors, each of shape (n, q) with any q
        Representations of the same objects, without ``x`` itself.
    measure
        Name of a symmetric similarity of :mod:`helpers.similarity`, or a function of two representations.

    Returns
    -------
    float
        In the range and with the invariances of the measure; larger counts as better: what models that were trained
        apart have in common is less likely to be an accident of one of them.

    Raises
    ------
    TypeError, ValueError
        If there are no others, the measure is not a similarity, or as the measure raises.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.quality import agreement
    >>> x = np.array([[0.0, 1.0], [1.0, 1.0], [2.0, 0.0], [0.0, 3.0]])
    >>> round(agreement(x, [2 * x, x + 1]), 6)
    1.0
    """
    if not len(others):
        raise ValueError("others is empty; agreement is with at least one other representation")
    if isinstance(measure, str):
        from helpers.similarity.registry import MEASURES

        known = [name for name, entry in MEASURES.items() if entry.symmetric and entry.orientation == "similarity"]
        if measure not in known:
            raise ValueError(f"measure is {measure!r}; the symmetric similarities are {', '.join(known)}")
        measure = MEASURES[measure].function
    return float(np.mean([measure(x, other) for other in others]))


QUALITIES = {
    "agreement": Quality(
        agreement,
        "larger",
        "[0, 1] for CKA",
        ("rotation", "scale", "translation"),
        "L n p²",
        "Kornblith et al. 2019",
        "mean similarity with other representations of the same objects",
        "others",
        misses="what all the others share by mistake, such as the length of texts",
        sampled=True,
        citation="kornblith2019similarity",
        formula=r"\frac1L \sum_j \operatorname{CKA}(X, Y_j)",
        fooled="majority",
    ),
}
"""The qualities of this module by name."""
