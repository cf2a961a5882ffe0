"""Finding a passage for a query among many others, and how many texts an encoder makes into vectors in a second."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from helpers.arrays import check_count, generator, unit_rows

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["pareto_front", "recall_among", "texts_per_second"]

Encode = Callable[[list[str]], Any]
_CELLS = 2**24  # numbers of one block of cosines


def recall_among(
    encode: Encode,
    queries: Sequence[str],
    passages: Sequence[str],
    distractors: Sequence[str] = (),
    *,
    k: Sequence[int] = (1, 10, 100),
    instructions: tuple[str, str] = ("", ""),
    n_resamples: int = 500,
    confidence_level: float = 0.95,
    rng: int | np.random.Generator = 0,
) -> pd.DataFrame:
    """How often the passage of a query is among the k that are nearest to it by cosine.

    Parameters
    ----------
    encode
        Function from texts to vectors of shape (n_texts, n_features).
    queries, passages
        Queries, and the passage that answers each; passages of equal letters count as one.
    distractors
        Further passages among which it is looked for.
    k
        Numbers of nearest passages that are looked at.
    instructions
        Words before each query and before each passage.
    n_resamples
        Bootstrap samples of the queries, for the intervals.
    confidence_level
        Level of the intervals, in (0, 1).
    rng
        Seed or generator of the samples.

    Returns
    -------
    DataFrame
        A row for each k: ``recall`` in [0, 1], ``ci_low``, ``ci_high``, ``chance`` (k over the number of passages).
        ``attrs["ranks"]`` has the rank of the right passage of each query, from 1: one more than the passages that are
        nearer, and half of those that are as near.

    Raises
    ------
    ValueError
        If there are no queries, not one passage for each, or vectors are not one finite row for each text.

    Examples
    --------
    >>> letters = lambda texts: np.array([[t.count(c) for c in "abcdefghi"] for t in texts], float)
    >>> recall_among(letters, ["abc", "def"], ["abc!", "fed"], ["ghi"], k=[1])["recall"].tolist()
    [1.0]
    """
    import pandas as pd

    if not len(queries) or len(queries) != len(passages):
        raise ValueError(
            f"there are {len(queries)} queries and {len(passages)} passages; one passage for each is needed"
        )
    for number in k:
        check_count(number, "k")
    check_count(n_resamples, "n_resamples")
    place: dict[str, int] = {}
    for text in (*passages, *distractors):
        place.setdefault(" ".join(text.lower().split()), len(place))
    first: dict[int, str] = {}
    for text in (*passages, *distractors):
        first.setdefault(place[" ".join(text.lower().split())], text)
    right = np.array([place[" ".join(text.lower().split())] for text in passages])
    ask, tell = instructions
    vectors = [
        _rows(encode, [ask + text for text in queries]),
        _rows(encode, [tell + first[i] for i in range(len(first))]),
    ]
    ranks = np.empty(len(queries))
    block = max(1, _CELLS // len(first))
    for start in range(0, len(queries), block):
        cosines = vectors[0][start : start + block] @ vectors[1].T
        own = cosines[np.arange(len(cosines)), right[start : start + block]][:, None]
        ranks[start : start + block] = 1 + (cosines > own).sum(axis=1) + ((cosines == own).sum(axis=1) - 1) / 2
    chosen = generator(rng).integers(0, len(queries), (n_resamples, len(queries)))
    tails = np.array([1 - confidence_level, 1 + confidence_level]) / 2
    rows = {}
    for number in k:
        hits = (ranks <= number).astype(float)
        low, high = np.quantile(hits[chosen].mean(axis=1), tails)
        rows[number] = {
            "recall": float(hits.mean()),
            "ci_low": float(low),
            "ci_high": float(high),
            "chance": min(1.0, number / len(first)),
        }
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("k")
    table.attrs["ranks"] = ranks
    return table


def _rows(encode: Encode, texts: list[str]) -> np.ndarray:
    vectors = np.asarray(encode(list(texts)))
    if vectors.ndim != 2 or len(vectors) != len(texts) or vectors.dtype.kind not in "biuf":
        raise ValueError(f"encode gave an array of shape {vectors.shape} for {len(texts)} texts")
    if not np.isfinite(vectors).all():
        raise ValueError("encode gave NaN or infinity; finite numbers are needed")
    return unit_rows(vectors)


def texts_per_second(
    encode: Encode, texts: Sequence[str], *, n_repeats: int = 3, clock: Literal["wall", "processor"] = "wall"
) -> pd.Series:
    """Speed of an encoder: distinct texts that become vectors in a second.

    Parameters
    ----------
    encode
        Function from texts to vectors; it is called once before the clock starts.
    texts
        Texts, at least one.
    n_repeats
        Times that all texts are encoded.
    clock
        ``"wall"``: seconds that pass; ``"processor"``: seconds of all cores that this process takes, which other
        processes on the machine hardly change.

    Returns
    -------
    Series
        ``median``, ``slowest`` and ``fastest`` of the repeats, in texts per second.
    """
    import pandas as pd

    if not len(texts):
        raise ValueError("texts is empty; at least one text is needed")
    check_count(n_repeats, "n_repeats")
    clocks = {"wall": time.perf_counter, "processor": time.process_time}
    if clock not in clocks:
        raise ValueError(f"clock is {clock!r}; it is 'wall' or 'processor'")
    now = clocks[clock]
    encode(list(texts[:1]))
    speeds = []
    for _ in range(n_repeats):
        began = now()
        encode(list(texts))
        speeds.append(len(texts) / max(now() - began, 1e-9))
    return pd.Series({"median": np.median(speeds), "slowest": min(speeds), "fastest": max(speeds)})


def pareto_front(table: pd.DataFrame, quality: str, cost: str, *, low: str = "", high: str = "") -> pd.Series:
    """Which rows are on the front of quality and cost: no other is better in one and no worse in the other.

    Parameters
    ----------
    table
        A row for each encoder.
    quality
        Column that is better when higher.
    cost
        Column that is better when lower, such as the time per text or the size.
    low, high
        Columns with the limits of the intervals of the quality; without them the quality counts as exact.

    Returns
    -------
    Series
        ``"on"``: on the front whatever the qualities are within their intervals; ``"off"``: behind another one whatever
        they are; ``"open"``: neither is certain.

    Raises
    ------
    ValueError
        If a column is missing or has NaN.

    Examples
    --------
    >>> import pandas as pd
    >>> models = pd.DataFrame({"score": [0.6, 0.7, 0.5], "ms": [1.0, 5.0, 2.0]}, index=["bag", "large", "slow"])
    >>> pareto_front(models, "score", "ms").to_dict()
    {'bag': 'on', 'large': 'on', 'slow': 'off'}
    """
    import pandas as pd

    names = [quality, cost, low or quality, high or quality]
    absent = [name for name in names if name not in table.columns]
    if absent:
        raise ValueError(f"table has no column {', '.join(map(repr, absent))}; its columns are {list(table.columns)}")
    values = table[list(dict.fromkeys(names))].to_numpy(dtype=float)
    if np.isnan(values).any():
        row, column = np.argwhere(np.isnan(values))[0]
        raise ValueError(f"{list(dict.fromkeys(names))[column]} of {table.index[row]!r} is NaN; a number is needed")
    worst, best, costs = (table[name].to_numpy(dtype=float) for name in (low or quality, high or quality, cost))

    def behind(own: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Rows behind another one, with these qualities of their own and of the others."""
        better = (others[None] > own[:, None]) & (costs[None] <= costs[:, None])
        cheaper = (others[None] >= own[:, None]) & (costs[None] < costs[:, None])
        return ((better | cheaper) & ~np.eye(len(own), dtype=bool)).any(axis=1)

    found = np.where(behind(best, worst), "off", np.where(behind(worst, best), "open", "on"))
    return pd.Series(found, index=table.index, name="front")
