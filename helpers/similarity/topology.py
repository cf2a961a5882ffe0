"""Representation topology divergence: barcodes of what one distance graph joins and another does not, yet.

The R-cross-barcode of two distance graphs r1, r2 on the same vertices compares the Vietoris-Rips complexes of r1 and of
min(r1, r2) at every scale. Its bars live from the scale where min(r1, r2) makes a connection to the scale where r1
makes it too. First homology gives RTD; the components alone (minimum spanning trees) give RTD-lite.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from array_api_compat import array_namespace, device, is_torch_array

from helpers.arrays import as_matrix, as_pair, check_count, check_row_labels, generator, to_numpy
from helpers.similarity._checkpoint import ValueLog
from helpers.similarity._distances import METRICS, Points, distance_block, pair_distances, points, rescaled, row_blocks

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["cross_barcode", "rtd", "rtd_lite", "rtd_lite_barcode", "rtd_matrix"]

Array = Any
DIRECTIONS = ("both", "xy", "yx")
NORMALIZERS = ("quantile", "median", "mean")
# As in the original definition: distances below this share of the mean distance of r1 are 0.
NEGLIGIBLE = 1e-6
SORTED_AT_ONCE = 1 << 22  # distances


def rtd(
    x: Any,
    y: Any,
    *,
    trials: int = 10,
    batch: int = 500,
    direction: str = "both",
    normalize: str = "quantile",
    quantile: float = 0.9,
    distance: str = "euclidean",
    rng: int | np.random.Generator = 0,
    n_jobs: int | None = None,
) -> float:
    r"""Representation topology divergence (RTD): the total length of the bars of the R-cross-barcode, exactly.

    A **distance** in [0, ∞), 0 for representations with proportional distances. It **grows with the number of
    points**: values of different ``batch`` are not comparable. Symmetric with ``direction="both"``; not a metric.

    Parameters
    ----------
    x, y : array_like or tensor of shape (n, p) and (n, q)
        Two representations of the same n objects. Distances are computed in float64; of CUDA tensors on their device,
        from which only the ``batch`` × ``batch`` distances travel.
    trials
        How many random subsets to average over.
    batch
        Points in a subset, drawn without replacement. With n ≤ ``batch`` there is one trial, of all points.
    direction
        ``"xy"``: bars that live from the scale where min(r_x, r_y) makes a connection to the scale where r_x makes it;
        ``"yx"``: the same with x and y exchanged; ``"both"``: the mean of the two.
    normalize, quantile
        Each distance matrix of a subset is divided by its quantile (``quantile`` of all n² entries, the zero diagonal
        counted), its ``"median"``, or its ``"mean"``.
    distance
        ``"euclidean"``, ``"sqeuclidean"``, ``"cosine"`` or ``"correlation"``.
    rng
        Seed or generator of the subsets.
    n_jobs
        Threads; by default one for each core. The value does not depend on it.

    Returns
    -------
    float

    Raises
    ------
    TypeError
        If the entries are not real numbers, or only one of x and y is a torch tensor.
    ValueError
        If the shapes do not fit, an entry is NaN or infinite, an option is unknown or out of range, or the distances of
        a subset cannot be normalised because their quantile (median, mean) is 0.

    Notes
    -----
    First homology of the R-cross-barcode is that of the pair VR(min(r1, r2)), VR(r1) on n vertices, which is what is
    computed, over Z/2. Invariant to rotations, permutations of features, translations and (separate) changes of scale.
    O(batch² · (p + batch / 64)) time in practice and O(batch²) memory for each trial and thread.

    References
    ----------
    Barannikov, Trofimov, Balabin, Burnaev (2022), "Representation topology divergence: a method for comparing neural
    network representations", ICML.

    Examples
    --------
    A square, and the square stretched to a rectangle: its short sides join before those of the square do.

    >>> import numpy as np
    >>> from helpers.similarity.topology import rtd
    >>> x = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    >>> rtd(x, 2 * x)
    0.0
    >>> round(rtd(x, x * [1.0, 4.0]), 3)
    0.728
    """
    x, y, _ = as_pair(x, y)
    options = GraphOptions(direction, normalize, quantile, distance)
    subsets = _subsets(x.shape[0], trials, batch, rng)

    def value(rows: np.ndarray) -> float:
        parts = _take(x, rows), _take(y, rows)
        order = _central_first(parts)
        first, second = (_graph(_take(part, order), name, options) for part, name in zip(parts, "xy", strict=True))
        return _score(first, second, options.direction)

    with _pool(n_jobs, len(subsets)) as pool:
        return float(np.mean(list(pool.map(value, subsets))))


def cross_barcode(
    x: Any,
    y: Any,
    *,
    dimension: int = 1,
    batch: int | None = 500,
    normalize: str = "quantile",
    quantile: float = 0.9,
    distance: str = "euclidean",
    rng: int | np.random.Generator = 0,
) -> np.ndarray:
    """R-cross-barcode of x and y: the bars whose total length is the divergence from x to y.

    Parameters
    ----------
    x, y : array_like or tensor of shape (n, p) and (n, q)
        Two representations of the same n objects.
    dimension
        1: cycles, the bars of :func:`rtd`; 0: components, the bars of :func:`rtd_lite`.
    batch
        Points in the subset, drawn as the first of :func:`rtd`; ``None`` takes all.
    normalize, quantile, distance, rng
        Same meaning as in :func:`rtd`.

    Returns
    -------
    ndarray of shape (m, 2)
        Birth and death of every bar of positive length, by birth and then by death: born in min(r_x, r_y), dead in r_x.
        ``rtd(x, y, direction="xy", trials=1)`` is the sum of death - birth.

    Raises
    ------
    TypeError, ValueError
        In the same cases as :func:`rtd`, and if ``dimension`` is neither 0 nor 1.

    References
    ----------
    Barannikov, Trofimov, Balabin, Burnaev (2022), "Representation topology divergence", ICML.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.similarity.topology import cross_barcode
    >>> x = np.array([[0.0], [1.0], [9.0]])
    >>> y = np.array([[0.0], [8.0], [9.0]])
    >>> cross_barcode(x, y, normalize="mean").round(2)  # y joins the last two at 0.25 of its mean, x at 2
    array([[0.25, 2.  ]])
    """
    x, y, _ = as_pair(x, y)
    if check_count(dimension, "dimension", least=0, most=1, why="(components or cycles)") == 0:
        if batch is not None:
            rows = _subsets(x.shape[0], 1, batch, rng)[0]
            x, y = _take(x, rows), _take(y, rows)
        return rtd_lite_barcode(x, y, normalize=normalize, quantile=quantile, distance=distance)
    options = GraphOptions("xy", normalize, quantile, distance)
    rows = _subsets(x.shape[0], 1, x.shape[0] if batch is None else batch, rng)[0]
    bars = _bars(_graph(_take(x, rows), "x", options), _graph(_take(y, rows), "y", options))
    return bars[np.lexsort((bars[:, 1], bars[:, 0]))]


def rtd_matrix(
    representations: Mapping[str, Any],
    *,
    trials: int = 10,
    batch: int = 500,
    normalize: str = "quantile",
    quantile: float = 0.9,
    distance: str = "euclidean",
    rng: int | np.random.Generator = 0,
    n_jobs: int | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """RTD, mean of both directions, between all pairs of representations.

    All pairs see the same subsets; of every representation the distances of a subset are computed, normalised and
    sorted once. The entries are those of :func:`rtd` with the same options.

    Parameters
    ----------
    representations
        Name → array_like or tensor of shape (n, p), the rows of all being the same n objects.
    trials, batch, normalize, quantile, distance, rng, n_jobs
        Same meaning as in :func:`rtd`.
    checkpoint
        A file that receives each value as it is computed. Called again with the same file, representations and options,
        the function goes on where it was stopped; a file of others is refused.
    progress
        Show a bar with the time left.

    Returns
    -------
    DataFrame of shape (L, L)
        Symmetric with zero diagonal; rows and columns bear the names.

    Raises
    ------
    TypeError, ValueError
        In the same cases as :func:`rtd`, the representation named; if there are fewer than two; if ``checkpoint`` is of
        other representations or options.

    Notes
    -----
    O(trials · L · batch² · (p + L · batch / 64)) time in practice, O(L · batch²) memory beyond the input.
    Ctrl-C stops within a fraction of a second and loses nothing that the checkpoint holds.

    References
    ----------
    Barannikov, Trofimov, Balabin, Burnaev (2022), "Representation topology divergence", ICML.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.similarity.topology import rtd_matrix
    >>> x = np.random.default_rng(0).normal(size=(40, 5))
    >>> rtd_matrix({"x": x, "scaled": 2 * x, "squared": x**2}, progress=False).round(2)
                x  scaled  squared
    x        0.00    0.00     2.47
    scaled   0.00    0.00     2.47
    squared  2.47    2.47     0.00
    """
    import pandas as pd
    from tqdm.auto import tqdm

    options = GraphOptions("both", normalize, quantile, distance)
    names = list(representations)
    if len(names) < 2:
        raise ValueError(f"representations has {len(names)} entries; at least two are needed")
    check_row_labels(representations)
    arrays = [as_matrix(representations[name], f"representations[{name!r}]") for name in names]
    for name, array in zip(names, arrays, strict=True):
        if array.shape[0] != arrays[0].shape[0]:
            raise ValueError(
                f"representations[{name!r}] has {array.shape[0]} rows and representations[{names[0]!r}] has "
                f"{arrays[0].shape[0]}; all must describe the same objects"
            )
    subsets = _subsets(arrays[0].shape[0], trials, batch, rng)
    pairs = list(itertools.combinations(range(len(names)), 2))
    values = np.full((len(subsets), len(pairs)), np.nan)
    where = {pair: column for column, pair in enumerate(pairs)}
    log = None
    if checkpoint is not None:
        log = ValueLog(Path(checkpoint), _digest(names, arrays, subsets, options))
        for subset, i, j, value in log.values:
            values[subset, where[i, j]] = value
    done = int(np.isfinite(values).sum())
    bar = tqdm(total=values.size, initial=done, desc=f"RTD of {len(pairs)} pairs", unit="barcode", disable=not progress)
    with bar, _pool(n_jobs, values.size) as pool:
        for subset, rows in enumerate(subsets):
            todo = [pairs[column] for column in np.flatnonzero(np.isnan(values[subset]))]
            if not todo:
                continue
            needed = sorted({i for pair in todo for i in pair})
            order = rows[_central_first([_take(arrays[i], rows) for i in needed])]

            def graph(i: int, rows: np.ndarray = order) -> _Graph:
                return _graph(_take(arrays[i], rows), f"representations[{names[i]!r}]", options)

            graphs = dict(zip(needed, pool.map(graph, needed), strict=True))
            futures = {pool.submit(_score, graphs[i], graphs[j], "both"): (i, j) for i, j in todo}
            for future in as_completed(futures):
                i, j = futures[future]
                values[subset, where[i, j]] = future.result()
                if log is not None:
                    log.append(subset, i, j, future.result())
                bar.update()
    out = np.zeros((len(names), len(names)))
    for (i, j), mean in zip(pairs, values.mean(axis=0), strict=True):
        out[i, j] = out[j, i] = mean
    return pd.DataFrame(out, index=names, columns=names)


def rtd_lite(
    x: Any,
    y: Any,
    *,
    direction: str = "both",
    normalize: str = "quantile",
    quantile: float = 0.9,
    distance: str = "euclidean",
    max_memory: int = 1 << 29,
) -> float:
    r"""RTD-lite: how much the minimum spanning trees lose when the two distance graphs are joined, on all points.

    A **distance** in [0, ∞), 0 for representations with proportional distances. It grows with n. Symmetric with
    ``direction="both"``.

    Parameters
    ----------
    x, y : array_like or tensor of shape (n, p) and (n, q)
        Two representations of the same n objects. float32 (and half, which becomes float32) chooses the trees by
        float32 distances; the lengths of their edges, and everything of other types, are in float64.
    direction
        ``"xy"``: T(r_x) - T(min(r_x, r_y)), where T is the total length of the minimum spanning tree; ``"yx"``:
        T(r_y) - T(min(r_x, r_y)); ``"both"``: the mean of the two.
    normalize, quantile, distance
        Same meaning as in :func:`rtd`, of the distances of all points.
    max_memory
        Bytes for blocks of distances. If all of them fit, each is computed once, else three or four times.

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError
        In the same cases as :func:`rtd`.

    Notes
    -----
    The trees grow block by block of rows: an edge not shorter than the longest edge between its ends in the tree so far
    is dropped at once. Zero distances (duplicates) count as edges. O(n² (p + q)) time, O(n + ``max_memory``) memory.

    References
    ----------
    Tulchinskii, Voronkova, Trofimov, Burnaev, Barannikov (2025), "RTD-Lite: scalable topological analysis for comparing
    weighted graphs in learning tasks", AISTATS.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.similarity.topology import rtd_lite
    >>> x = np.array([[0.0], [1.0], [9.0]])
    >>> y = np.array([[0.0], [8.0], [9.0]])
    >>> rtd_lite(x, y, normalize="mean")  # (0.25 + 2) - (0.25 + 0.25)
    1.75
    """
    options = GraphOptions(direction, normalize, quantile, distance)
    _, joined, own = _spanning_lengths(x, y, options, max_memory)
    return max(0.0, float(np.mean([lengths.sum() for lengths in own]) - joined.sum()))


def rtd_lite_barcode(
    x: Any,
    y: Any,
    *,
    normalize: str = "quantile",
    quantile: float = 0.9,
    distance: str = "euclidean",
    max_memory: int = 1 << 29,
) -> np.ndarray:
    """Bars of RTD-lite from x to y: [scale at which min(r_x, r_y) merges two components, scale at which r_x does].

    Parameters
    ----------
    x, y, normalize, quantile, distance, max_memory
        Same meaning as in :func:`rtd_lite`.

    Returns
    -------
    ndarray of shape (m, 2)
        Birth and death of every bar of positive length, by birth and then by death; at most n - 1 of them.
        ``rtd_lite(x, y, direction="xy")`` is the sum of death - birth.

    Raises
    ------
    TypeError, ValueError
        In the same cases as :func:`rtd`.

    Notes
    -----
    The edges of the tree of min(r_x, r_y) are the births. An edge of the tree of r_x, from the shortest, takes the
    place of the longest edge not yet replaced on the cycle that it closes there, and is its death.

    References
    ----------
    Tulchinskii et al. (2025), "RTD-Lite", AISTATS.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.similarity.topology import rtd_lite_barcode
    >>> x = np.array([[0.0], [1.0], [9.0]])
    >>> y = np.array([[0.0], [8.0], [9.0]])
    >>> rtd_lite_barcode(x, y, normalize="mean").round(2)
    array([[0.25, 2.  ]])
    """
    from helpers.similarity._cone import merge_scales

    options = GraphOptions("xy", normalize, quantile, distance)
    trees, births, (deaths,) = _spanning_lengths(x, y, options, max_memory)
    union, first = np.argsort(births, kind="stable"), np.argsort(deaths, kind="stable")
    births, deaths = births[union], deaths[first]
    deaths = deaths[merge_scales(trees[0][union], trees[1][first])]
    bars = np.stack([births, deaths], axis=1)[deaths > births]
    return bars[np.lexsort((bars[:, 1], bars[:, 0]))]


class GraphOptions:
    """Checked options that all functions share."""

    def __init__(self, direction: str, normalize: str, quantile: float, distance: str) -> None:
        for name, value, known in (
            ("direction", direction, DIRECTIONS),
            ("normalize", normalize, NORMALIZERS),
            ("distance", distance, METRICS),
        ):
            if value not in known:
                raise ValueError(f"{name} is {value!r}; it must be one of {', '.join(map(repr, known))}")
        if isinstance(quantile, bool) or not isinstance(quantile, (int, float, np.integer, np.floating)):
            raise TypeError(f"quantile is {quantile!r}; a number is needed")
        if not 0 < quantile <= 1:
            raise ValueError(f"quantile is {quantile}; it must be above 0 and at most 1")
        self.direction, self.normalize, self.distance = direction, normalize, distance
        self.quantile = 0.5 if normalize == "median" else float(quantile)

    def check_unit(self, unit: float, name: str) -> float:
        """``unit``, which distances are divided by, or an error if it is 0."""
        if unit > 0:
            return unit
        what = f"{self.quantile:g} quantile" if self.normalize == "quantile" else self.normalize
        cure = "every row is the same" if self.normalize == "mean" else 'too many rows coincide; try normalize="mean"'
        raise ValueError(f"{name}: the {what} of the distances is 0, so that they cannot be normalised ({cure})")


class _Graph(NamedTuple):
    """A normalised distance graph with its edges from the shortest."""

    edges: np.ndarray  # int32 codes of the edges
    lengths: np.ndarray  # float64
    n: int
    negligible: float  # the length below which the original definition takes 0


def _graph(x: Array, name: str, options: GraphOptions) -> _Graph:
    """Distances between the rows of x, normalised and sorted."""
    n = x.shape[0]
    distances = _pairwise(x, options.distance)
    order = np.argsort(distances)
    lengths = distances[order]
    mean = 2 * float(lengths.sum()) / n**2
    if options.normalize == "mean":
        unit = mean
    else:
        unit = _full_quantile(n, options.quantile, lambda low, high: (float(lengths[low]), float(lengths[high])))
    unit = options.check_unit(unit, name)
    return _Graph(_codes(n)[order], lengths / unit, n, NEGLIGIBLE * mean / unit)


@functools.lru_cache(maxsize=4)
def _codes(n: int) -> np.ndarray:
    """Codes of all edges, row by row, as the kernels take them."""
    from helpers.similarity._cone import SHIFT

    i, j = np.triu_indices(n, 1)
    return (i << SHIFT | j).astype(np.int32)


def _central_first(arrays: Sequence[Array]) -> np.ndarray:
    """Rows from the centre outwards: the first have neighbours in common with most others, which saves time."""
    away = np.zeros(arrays[0].shape[0])
    for x in arrays:
        xp = array_namespace(x)
        gap = rescaled(x)[0]
        gap = gap - xp.mean(gap, axis=0, keepdims=True)
        far = np.sqrt(to_numpy(xp.sum(gap * gap, axis=1)).astype(np.float64))
        away += far / (far.mean() or 1.0)
    return np.argsort(away)


def _pairwise(x: Array, distance: str) -> np.ndarray:
    """float64 distances of the pairs i < j of rows, row by row, on the host."""
    xp = array_namespace(x)
    x = xp.astype(rescaled(x)[0], xp.float64, copy=False)
    if distance not in ("euclidean", "sqeuclidean") or (is_torch_array(x) and x.is_cuda):
        return to_numpy(distance_block(points(x, distance), (0, x.shape[0])))[np.triu_indices(x.shape[0], 1)]
    from helpers.similarity._cone import squared_distances

    squared = squared_distances(np.ascontiguousarray(to_numpy(x)))
    return np.sqrt(squared) if distance == "euclidean" else squared


def _full_quantile(n: int, quantile: float, ranked: Callable[[int, int], tuple[float, float]]) -> float:
    """Quantile of all n² distances, linearly interpolated.

    ``ranked`` gives the values at two ranks among the n(n - 1)/2 distances; in the matrix each of these stands twice,
    after n zeros.
    """
    position = quantile * (n**2 - 1)
    low = int(position)
    ranks = [(rank - n) // 2 if rank >= n else -1 for rank in (low, min(low + 1, n**2 - 1))]
    a, b = ranked(max(ranks[0], 0), max(ranks[1], 0))
    a, b = (a if ranks[0] >= 0 else 0.0), (b if ranks[1] >= 0 else 0.0)
    return a + (b - a) * (position - low)


def _bars(first: _Graph, second: _Graph) -> np.ndarray:
    """H1 bars of the R-cross-barcode."""
    from helpers.similarity._cone import first_homology

    bars = first_homology(first.edges, first.lengths, second.edges, second.lengths, first.n)
    bars[bars < first.negligible] = 0
    return bars[bars[:, 1] > bars[:, 0]]


def _score(first: _Graph, second: _Graph, direction: str) -> float:
    """Total length of the bars, in one direction or the mean of both."""
    sides = {"xy": [(first, second)], "yx": [(second, first)], "both": [(first, second), (second, first)]}[direction]
    # Sorted, so that the sum does not depend on the order of the rows.
    totals = [float(np.sort(bars[:, 1] - bars[:, 0]).sum()) for bars in itertools.starmap(_bars, sides)]
    return sum(totals) / len(totals)


def _subsets(n: int, trials: int, batch: int, rng: int | np.random.Generator) -> list[np.ndarray]:
    """Rows of every trial, in increasing order."""
    check_count(trials, "trials")
    check_count(batch, "batch", least=2, most=1 << 15, why="points")
    if n <= batch:
        return [np.arange(n)]
    rng = generator(rng)
    return [np.sort(rng.choice(n, batch, replace=False)) for _ in range(trials)]


def _take(x: Array, rows: np.ndarray) -> Array:
    """Some rows of x, where x is."""
    if is_torch_array(x):
        import torch

        return x[torch.as_tensor(rows, device=x.device)]
    return x[rows]


def _pool(n_jobs: int | None, tasks: int) -> ThreadPoolExecutor:
    """Threads (the kernels hold no lock); leaving the block by an exception drops the tasks that have not begun."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return _Pool(min(cores if n_jobs is None else check_count(n_jobs, "n_jobs"), max(tasks, 1)))


class _Pool(ThreadPoolExecutor):
    def __exit__(self, kind: Any, value: Any, traceback: Any) -> None:
        self.shutdown(wait=True, cancel_futures=kind is not None)


def _digest(names: list[str], arrays: list[Array], subsets: list[np.ndarray], options: GraphOptions) -> str:
    """What the values depend on: the names, the rows that are drawn, and the options."""
    out = hashlib.sha256(json.dumps([[str(name) for name in names], vars(options)]).encode())
    for rows in subsets:
        out.update(rows.astype(np.int64).tobytes())
    drawn = np.unique(np.concatenate(subsets))
    for array in arrays:
        chosen = np.ascontiguousarray(to_numpy(_take(array, drawn)))
        out.update(f"{chosen.shape} {chosen.dtype}".encode())
        out.update(chosen)
    return out.hexdigest()


class DistanceBlocks:
    """The distances of all rows to those before them, a block of rows at a time; kept if they fit in the memory."""

    def __init__(self, x: Array, name: str, options: GraphOptions, max_memory: int) -> None:
        x = rescaled(x)[0]
        self.of: Points = points(x, options.distance)
        self.n = x.shape[0]
        size = self.of.near.dtype.itemsize
        # Beside a block there are a few temporary arrays of its size.
        fits = self.n**2 * size // 2 <= max_memory // 2
        self.ranges = list(row_blocks(self.n, entries=max(self.n, min(1 << 21, max_memory // (8 * size)))))
        self.kept: list[np.ndarray] | None = [self._block(*r) for r in self.ranges] if fits else None
        self.unit = options.check_unit(self._unit(options), name)

    def _block(self, start: int, stop: int) -> np.ndarray:
        return np.ascontiguousarray(to_numpy(distance_block(self.of, (start, stop), (0, stop))))

    def __iter__(self) -> Iterator[tuple[int, np.ndarray]]:
        for m, (start, stop) in enumerate(self.ranges):
            yield start, self.kept[m] if self.kept is not None else self._block(start, stop)

    def lengths(self, tree: np.ndarray) -> np.ndarray:
        """Normalised lengths of edges in float64."""
        i, j = tree.T.astype(np.int64)
        if is_torch_array(self.of.near):
            import torch

            i, j = (torch.as_tensor(k, device=device(self.of.near)) for k in (i, j))
        return to_numpy(pair_distances(self.of, i, j)) / self.unit

    def _unit(self, options: GraphOptions) -> float:
        from helpers.similarity._cone import sum_before

        if options.normalize == "mean":
            return 2 * sum(sum_before(block, start) for start, block in self) / self.n**2
        return _full_quantile(self.n, options.quantile, self._ranked)

    def _ranked(self, low: int, high: int) -> tuple[float, float]:
        """The values at a rank and at the same or the next one, by ever finer histograms."""
        from helpers.similarity._cone import collect_between, count_cells

        radius = math.sqrt(float(self.of.norms.max()))
        widest = {"euclidean": 2 * radius, "sqeuclidean": 4 * radius**2}.get(self.of.metric, 2.0)
        below, inside, left, right = 0, self.n * (self.n - 1) // 2, 0.0, 1.001 * widest + np.finfo(float).tiny
        while inside > SORTED_AT_ONCE and np.nextafter(left, right) < right:
            edges = np.linspace(left, right, (1 << 16) + 1)
            counts = np.zeros(len(edges) - 1, np.int64)
            for start, block in self:
                count_cells(block, start, edges, counts)
            cell = int(np.searchsorted(below + np.cumsum(counts), low, side="right"))
            below, inside, left, right = below + int(counts[:cell].sum()), int(counts[cell]), *edges[cell : cell + 2]
        values, used, following = np.empty(inside), 0, np.inf
        for start, block in self:
            used, least = collect_between(block, start, left, right, values, used)
            following = min(following, least)
        values = np.partition(values, sorted({low - below, min(high - below, inside - 1)}))
        return float(values[low - below]), float(values[high - below] if high - below < inside else following)


class SpanningForest:
    """The minimum spanning tree of min(x, y), grown by blocks of rows."""

    def __init__(self, x: DistanceBlocks, y: DistanceBlocks) -> None:
        self.scales = 1 / x.unit, 1 / y.unit
        self.ends = np.empty((0, 2), np.int32)
        self.weights = np.empty(0)
        self.reach = np.empty(x.n)

    def add(self, start: int, a: np.ndarray, b: np.ndarray) -> None:
        from helpers.similarity._cone import candidates, longest_to_root, spanning_tree

        scales = (a.dtype.type(scale) for scale in self.scales)
        ends, weights = candidates(a, b, *scales, start, self.reach)
        ends, weights = np.concatenate([self.ends, ends]), np.concatenate([self.weights, weights])
        chosen = spanning_tree(ends, np.argsort(weights), a.shape[1])
        self.ends, self.weights = ends[chosen], weights[chosen]
        longest_to_root(self.ends, self.weights, self.reach)


def _spanning_lengths(
    x: Any, y: Any, options: GraphOptions, max_memory: int
) -> tuple[list[np.ndarray], np.ndarray, list[np.ndarray]]:
    """Minimum spanning trees of min(r_x, r_y) and of the sides that the direction asks for, and their edge lengths."""
    x, y, _ = as_pair(x, y)
    check_count(max_memory, "max_memory", least=1 << 20, why="bytes")
    x, y = (DistanceBlocks(of, name, options, max_memory) for of, name in ((x, "x"), (y, "y")))
    own = {"xy": [x], "yx": [y], "both": [x, y]}[options.direction]
    forests = [SpanningForest(x, y), *(SpanningForest(side, side) for side in own)]
    with _pool(None, len(forests)) as pool:
        for (start, a), (_, b) in zip(x, y, strict=True):
            blocks = [(a, b), *((a, a) if side is x else (b, b) for side in own)]
            list(pool.map(lambda forest, pair, start=start: forest.add(start, *pair), forests, blocks))
    joined = np.minimum(x.lengths(forests[0].ends), y.lengths(forests[0].ends))
    lengths = [side.lengths(forest.ends) for side, forest in zip(own, forests[1:], strict=True)]
    return [forest.ends for forest in forests], joined, lengths


def _all_pairs(representations: Mapping[str, Any], *, direction: str = "both", **options: Any) -> np.ndarray | None:
    """The matrix of the mean of both directions; a single direction is not symmetric and is computed pair by pair."""
    return rtd_matrix(representations, **options).to_numpy() if direction == "both" else None


_MATRIX = {"rtd": _all_pairs}
