"""Which changes of a text an encoder sees: cosines of texts and what was changed of them, by kind of change."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import check_count, generator
from helpers.metrics import pair_cosines, roc_auc
from helpers.pairs.changes import check_made_pairs

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["changes_seen"]


def changes_seen(
    encode: Callable[[list[str]], Any],
    made: pd.DataFrame,
    *,
    n_resamples: int = 500,
    confidence_level: float = 0.95,
    rng: int | np.random.Generator = 0,
) -> pd.DataFrame:
    """How near texts are to what was changed of them, and whether that tells negatives from positives.

    Parameters
    ----------
    encode
        Function from texts to vectors of shape (n_texts, n_features).
    made
        Texts beside their changes, as :func:`made_pairs` gives: columns ``text``, ``changed``, ``kind``, ``positive``.
    n_resamples
        Bootstrap samples of the texts, whole with all their changes, for the intervals.
    confidence_level
        Level of the intervals, in (0, 1).
    rng
        Seed or generator of the samples.

    Returns
    -------
    DataFrame
        A row for each kind of change: ``positive``, ``n`` (pairs), ``cosine`` (mean), ``low`` and ``high`` (quantiles
        of 5 % and 95 % of the cosines); for negatives ``auc``, how often a positive is nearer to its text than a
        negative of this kind to its own, 1/2 for a change that the encoder does not see, with ``ci_low`` and
        ``ci_high``; NaN without positives. The last row, ``"all negatives"``, has them together.
        ``attrs["cosines"]`` has the cosine of each pair, to draw the distributions before and after a training.

    Raises
    ------
    ValueError
        If vectors are not one for each text, or in the cases of :func:`check_made_pairs`.

    Examples
    --------
    >>> from helpers.pairs import made_pairs
    >>> made = made_pairs(["Если идёт дождь, мы сидим дома.", "Он купил 3 яблока."], kinds=["numbers", "clause order"])
    >>> letters = lambda texts: np.array([[t.lower().count(c) for c in "абеимнор0123456789"] for t in texts], float)
    >>> float(changes_seen(letters, made).loc["numbers", "auc"])  # numbers are seen, the order of clauses is not
    1.0
    """
    import pandas as pd

    if absent := [name for name in ("kind",) if name not in made.columns]:
        raise ValueError(f"made has no {', '.join(absent)}; a table as of helpers.pairs.made_pairs is needed")
    check_made_pairs(made)
    check_count(n_resamples, "n_resamples")
    if not 0 < confidence_level < 1:
        raise ValueError(f"confidence_level is {confidence_level!r}; a number between 0 and 1 is needed")
    texts = list(dict.fromkeys([*made["text"], *made["changed"]]))
    vectors = np.asarray(encode(list(texts)))
    if vectors.ndim != 2 or len(vectors) != len(texts):
        raise ValueError(f"encode gave an array of shape {vectors.shape} for {len(texts)} texts")
    place = {text: row for row, text in enumerate(texts)}
    rows = [np.array([place[text] for text in made[side]]) for side in ("text", "changed")]
    cosines = pair_cosines(vectors[rows[0]], vectors[rows[1]])
    positive, kinds = made["positive"].to_numpy(bool), made["kind"].to_numpy(object)
    groups = np.unique(rows[0], return_inverse=True)[1]
    draws = generator(rng).multinomial(groups.max() + 1, np.ones(groups.max() + 1) / (groups.max() + 1), n_resamples)
    counts = draws[:, groups]
    names = [*dict.fromkeys(kinds), "all negatives"]
    found = {}
    for name in names:
        own = ~positive if name == "all negatives" else kinds == name
        if not own.any():
            continue
        low, high = np.quantile(cosines[own], [0.05, 0.95])
        row = {"positive": bool(positive[own].all()), "n": int(own.sum()), "cosine": float(cosines[own].mean())}
        row |= {"low": float(low), "high": float(high), "auc": np.nan, "ci_low": np.nan, "ci_high": np.nan}
        if not row["positive"] and positive.any():
            some = own | positive
            row["auc"] = roc_auc(positive[some], cosines[some])
            tails = np.array([1 - confidence_level, 1 + confidence_level]) / 2
            row["ci_low"], row["ci_high"] = np.nanquantile(
                roc_auc(positive[some], cosines[some], counts=counts[:, some]), tails
            )
        found[name] = row
    table = pd.DataFrame.from_dict(found, orient="index").rename_axis("kind")
    table.attrs["cosines"] = cosines
    return table
