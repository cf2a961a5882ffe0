"""Pictures of a space that say how far to believe them, and which of their objects are not where they belong."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import as_matrix, check_count, generator, to_numpy
from helpers.quality._space import metric_rows

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["PICTURES", "Picture", "draw_picture", "judge_picture", "picture"]

PICTURES = ("pca", "tsne", "umap")
"""Ways to draw a space in the plane."""

BLOCK = 256
CONFIDENCE = 0.95


@dataclass(frozen=True, eq=False, repr=False)
class Picture:
    """A picture, and how far to believe it.

    Attributes
    ----------
    coordinates : ndarray of shape (m, 2)
        Places of the objects in the plane.
    table : pandas.DataFrame
        A row each for ``trustworthiness``, ``continuity`` and ``neighbours kept``: ``value``, ``ci_low`` and
        ``ci_high`` of 95 % over objects, ``chance``, the expectation if objects are placed at random.
    objects : pandas.DataFrame
        A row for each object in the picture: ``row``, its number in x; ``trustworthiness`` and ``continuity``, whose
        means are those of the picture; ``kept``, the share of its k neighbours in the picture that are so in the space;
        ``misplaced``, whether these are no more than 95 of 100 objects that are placed at random have.
    method : str
        One of :data:`PICTURES`, or what the caller said.
    k : int
        Number of neighbours.
    """

    coordinates: np.ndarray
    table: pd.DataFrame
    objects: pd.DataFrame
    method: str
    k: int

    def __repr__(self) -> str:
        rows = (f"{name} {row.value:.2f} (chance {row.chance:.2f})" for name, row in self.table.iterrows())
        share = self.objects["misplaced"].mean()
        return f"{self.method}: {', '.join(rows)}; {share:.0%} of the objects have other neighbours than in the space"


def picture(
    x: Any,
    *,
    method: str = "pca",
    k: int = 10,
    metric: str = "cosine",
    n_objects: int | None = 2000,
    n_resamples: int = 999,
    rng: int = 0,
    **options: Any,
) -> Picture:
    """A space in the plane, with its trustworthiness and continuity, and the objects that it misplaces.

    Parameters
    ----------
    x : array_like or tensor of shape (n, p)
        The representation of n objects.
    method
        ``"pca"``, ``"tsne"`` (both of scikit-learn) or ``"umap"``, which needs the package umap-learn.
    k
        Neighbours that the picture is judged by, less than half of the objects.
    metric
        How objects are compared in the space: ``"cosine"``, ``"euclidean"`` or ``"hamming"``.
    n_objects
        Objects that are drawn at random if there are more; None takes all.
    n_resamples
        Bootstrap draws of the objects, for the intervals.
    rng
        Seed of all draws.
    options
        Passed to the estimator, such as ``perplexity`` for t-SNE or ``n_neighbors`` for UMAP.

    Returns
    -------
    Picture

    Raises
    ------
    ImportError
        If the method is ``"umap"`` and umap-learn is not installed.
    TypeError, ValueError
        If ``x`` is no finite real matrix of at least two features, the method is unknown, k is not below half of the
        objects, or a row is zero where cosines are compared.

    Notes
    -----
    O(m² p) for m objects, and what the method takes. Rows are divided by their lengths before they are drawn where
    cosines are compared. van der Maaten and Hinton (2008), Visualizing data using t-SNE, JMLR 9; McInnes, Healy and
    Melville (2018), UMAP, arXiv 1802.03426.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.quality import picture
    >>> plane = np.random.default_rng(0).normal(size=(60, 2))
    >>> found = picture(plane @ np.eye(2, 5), metric="euclidean", k=5)
    >>> float(found.table.value["trustworthiness"].round(6)), int(found.objects.misplaced.sum())
    (1.0, 0)
    """
    if method not in PICTURES:
        raise ValueError(f"method is {method!r}; it must be one of {', '.join(map(repr, PICTURES))}")
    x = to_numpy(as_matrix(x, rows=5))
    if x.shape[1] < 2:
        raise ValueError(f"x has shape {x.shape}; a picture needs at least two features")
    rows = np.arange(len(x))
    if n_objects is not None and len(x) > check_count(n_objects, "n_objects", least=5):
        rows = np.sort(generator(rng).permutation(len(x))[:n_objects])
    _check_k(k, len(rows))
    if metric == "dot":
        raise ValueError("metric is 'dot', which is no distance; 'cosine', 'euclidean' or 'hamming' is needed")
    drawn = metric_rows(x[rows], metric)
    if np.ptp(drawn, axis=0).max() <= 4 * np.finfo(drawn.dtype).eps:  # entries are at most 1, and rounded
        raise ValueError(
            f"x: the {len(drawn)} objects are at one place when compared by {metric}; there is nothing to draw"
        )
    coordinates = _drawn(drawn, method, rng, options)
    return _judged(drawn, coordinates, rows, method, k, n_resamples, rng)


def judge_picture(
    x: Any, coordinates: Any, *, k: int = 10, metric: str = "cosine", n_resamples: int = 999, rng: int = 0
) -> Picture:
    """The same for a picture that somebody else drew.

    Parameters
    ----------
    x : array_like or tensor of shape (n, p)
        The representation of n objects.
    coordinates : array_like of shape (n, d)
        Places of its objects in the picture, in the same order; d is usually 2.
    k, metric, n_resamples, rng
        Same meaning as in :func:`picture`.

    Returns
    -------
    Picture

    Raises
    ------
    TypeError, ValueError
        If the numbers of rows differ, and as :func:`picture` raises.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.quality import judge_picture
    >>> x = np.random.default_rng(0).normal(size=(60, 3))
    >>> float(judge_picture(x, x, metric="euclidean", k=5).table.value["continuity"])
    1.0
    """
    if metric == "dot":
        raise ValueError("metric is 'dot', which is no distance; 'cosine', 'euclidean' or 'hamming' is needed")
    x, places = to_numpy(as_matrix(x, rows=5)), to_numpy(as_matrix(coordinates, "coordinates", rows=5))
    if len(x) != len(places):
        raise ValueError(f"x has {len(x)} rows and coordinates {len(places)}; the same objects are needed")
    _check_k(k, len(x))
    return _judged(metric_rows(x, metric), places, np.arange(len(x)), "picture", k, n_resamples, rng)


def draw_picture(found: Picture, *, values: Any = None, ax: Axes | None = None) -> Axes:
    """Objects as dots, the misplaced ones as crosses; the title says how far to believe the picture.

    Parameters
    ----------
    found : Picture
        What :func:`picture` gives.
    values : sequence of length m, optional
        A number or class of each object in the picture, for its colour.
    ax
        Axes to draw on; the current ones by default.

    Returns
    -------
    matplotlib.axes.Axes
    """
    import matplotlib.pyplot as plt

    from helpers.drawing import INK

    ax = plt.gca() if ax is None else ax
    x, y = found.coordinates[:, :2].T
    off = found.objects["misplaced"].to_numpy()
    colour = None
    if values is not None:
        values = np.asarray(values)
        if values.shape != (len(x),):
            raise ValueError(f"values has shape {values.shape}; one for each of the {len(x)} objects is needed")
        colour = values if values.dtype.kind in "iuf" else np.unique(values, return_inverse=True)[1]
    kept = {"c": None if colour is None else colour[~off], "cmap": "viridis"} if colour is not None else {"color": "C0"}
    ax.scatter(x[~off], y[~off], s=8, lw=0, alpha=0.8, **kept)
    ax.scatter(x[off], y[off], s=14, marker="x", lw=0.7, color=INK)
    value = found.table["value"]
    ax.set(
        title=f"{found.method}: trust {value['trustworthiness']:.2f}, continuity {value['continuity']:.2f}",
        xticks=[],
        yticks=[],
    )
    return ax


def _check_k(k: int, n: int) -> None:
    check_count(k, "k", most=(n - 1) // 2, why=f"(less than half of the {n} objects)")


def _drawn(x: np.ndarray, method: str, rng: int, options: dict[str, Any]) -> np.ndarray:
    seed = int(np.random.default_rng(rng).integers(2**31))
    if method == "pca":
        from sklearn.decomposition import PCA

        return PCA(2, **{"random_state": seed, "svd_solver": "full"} | options).fit_transform(x)
    if method == "tsne":
        from sklearn.manifold import TSNE

        settings = {"perplexity": min(30.0, (len(x) - 1) / 3), "init": "pca", "random_state": seed}
        return TSNE(2, **settings | options).fit_transform(x)
    if importlib.util.find_spec("umap") is None:
        raise ImportError("method is 'umap', which needs the package umap-learn; 'pca' and 'tsne' need none")
    from umap import UMAP

    return UMAP(n_components=2, random_state=seed, **options).fit_transform(x)


def _judged(
    x: np.ndarray, places: np.ndarray, rows: np.ndarray, method: str, k: int, n_resamples: int, rng: int
) -> Picture:
    import pandas as pd
    from scipy.stats import hypergeom

    from helpers.inference import interval

    n = len(x)
    strange, lost, kept = _misplacements(x, metric_rows(places, "euclidean"), k)
    worst = k * (2 * n - 3 * k - 1) / 2
    found = {"trustworthiness": 1 - strange / worst, "continuity": 1 - lost / worst, "neighbours kept": kept}
    # At random each of k neighbours has any rank, and is beyond k by (n - k)(n - 1 - k) / (2 (n - 1)) on average.
    random = 1 - (n - k) * (n - 1 - k) / ((n - 1) * (2 * n - 3 * k - 1))
    chance = {"trustworthiness": random, "continuity": random, "neighbours kept": k / (n - 1)}
    table = {}
    for name, values in found.items():
        mean = interval(values, method="percentile", n_resamples=n_resamples, rng=rng)
        table[name] = (mean.estimate, mean.low, mean.high, chance[name])
    objects = pd.DataFrame(
        {
            "row": rows,
            "trustworthiness": found["trustworthiness"],
            "continuity": found["continuity"],
            "kept": kept,
            "misplaced": np.rint(k * kept) <= hypergeom.ppf(CONFIDENCE, n - 1, k, k),
        }
    )
    columns = ["value", "ci_low", "ci_high", "chance"]
    frame = pd.DataFrame.from_dict(table, orient="index", columns=columns).rename_axis("measure")
    return Picture(np.asarray(places), frame, objects, method, k)


def _misplacements(x: np.ndarray, y: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """By how much neighbours in y rank beyond k in x, and those in x in y; the share of neighbours in common."""
    strange, lost, kept = [], [], []
    for start in range(0, len(x), BLOCK):
        rows = np.arange(start, min(start + BLOCK, len(x)))
        ranks = [_ranks(z, rows) for z in (x, y)]
        near = [rank <= k for rank in ranks]
        strange.append(np.sum(np.where(near[1], np.maximum(ranks[0] - k, 0), 0), axis=1))
        lost.append(np.sum(np.where(near[0], np.maximum(ranks[1] - k, 0), 0), axis=1))
        kept.append(np.sum(near[0] & near[1], axis=1) / k)
    return tuple(np.concatenate(part) for part in (strange, lost, kept))


def _ranks(z: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Ranks, from 1, of all other objects by their distance from each row; its own is beyond all."""
    z = z.astype(np.float64)
    square = np.einsum("ij,ij->i", z, z)
    apart = square[rows, None] + square - 2 * z[rows] @ z.T
    apart[np.arange(len(rows)), rows] = np.inf
    ranks = np.empty(apart.shape, dtype=np.int64)
    np.put_along_axis(ranks, np.argsort(apart, axis=1, kind="stable"), np.arange(1, len(z) + 1), axis=1)
    return ranks
