"""Similarity of many representations at once, and many measures of one pair."""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import alike, as_pair, check_count, generator
from helpers.similarity._engine.resources import Progress, available_threads, memory_in_bytes
from helpers.similarity._engine.sources import Source, open_sources
from helpers.similarity._engine.state import SAVE_EVERY
from helpers.similarity.registry import MEASURES, Measure
from helpers.similarity.streaming import Objects, Requirements, gather, shared_passes

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["STREAMED", "compare", "similarity_matrices", "similarity_matrix"]

#: Measures that one pass over blocks of pairs of objects computes for all pairs of representations together.
STREAMED = tuple(name for name, measure in MEASURES.items() if measure.streamed)
STUDY = ("cka", "rsa", "jaccard", "distance_correlation")


def similarity_matrix(
    representations: Any,
    measure: str = "cka",
    *,
    max_memory: int | str = "2GB",
    block_rows: int | None = None,
    progress: bool = True,
    scheduler: Any = None,
    checkpoint: str | os.PathLike[str] | None = None,
    **options: Any,
) -> pd.DataFrame:
    """One measure between all pairs of representations.

    Parameters
    ----------
    representations
        Mapping from names to matrices of shape (n, p), the rows of all being the same n objects: NumPy arrays, memory
        maps, paths of ``.npy`` files (opened as memory maps), torch tensors (on a CPU or a GPU) or Dask arrays. A list
        gets the names "0", "1", …. Of more than 1024 objects, if all are float32 (or half precision, which becomes
        float32), the products are taken in float32 and summed in float64; else, and to rank distances of up to 4096
        objects, all is computed in float64.
    measure
        A name of :data:`~helpers.similarity.registry.MEASURES`.
    max_memory
        Bytes, or text such as ``"500MB"``: what the computation may use beyond the representations themselves; on the
        GPU if they are there, on each worker if there is a scheduler. Kept for :data:`STREAMED` measures.
    block_rows
        Objects on a side of a block, in place of a size chosen for the memory; rounded up to a multiple of the side of
        a matrix product: 192, or less of up to 1024 objects in double precision.
    progress
        Show what runs and the time left.
    scheduler
        A Dask ``Client`` or the address of a scheduler (by default the variable ``DASK_SCHEDULER_ADDRESS``, if it is
        set and a representation is a Dask array): the pairs of blocks become tasks of the cluster.
    checkpoint
        A file that keeps the state of a long computation every 30 seconds: the same call goes on where it was stopped.
        It is removed at the end, and a file of other representations or options is refused.
    **options
        Options of the measure.

    Returns
    -------
    DataFrame of shape (L, L)
        Entry (a, b) is ``measure(a, b)``; rows and columns bear the names. ``attrs`` tells the orientation, and for
        RSA in two passes ``rank_error_bound``, by which no entry is further from the exact one.

    Raises
    ------
    KeyError
        If there is no such measure.
    TypeError, ValueError
        If a representation is no finite real matrix, a file is truncated, numbers of rows differ (the message names
        the representations), the memory does not suffice (it says for how much), or the measure is undefined.

    Notes
    -----
    The function of a :data:`STREAMED` measure goes the same way with two representations. Measures of neighbours are
    the same to the last bit in both, whatever the blocks, threads, precision and device; so is RSA by ranks of up to
    4096 objects where the memory holds all distances of all representations in float64, whatever the blocks and threads
    of a CPU. The other measures are sums over pairs of objects, whose terms are the same to the last bit for any blocks
    and threads if the precision is the same. They are added in double precision in the order of the blocks, so that a
    sum of products differs by at most (2300 + number of blocks) 2⁻⁵³ of the product of the two norms: some 10⁻¹²
    of a CKA, and that over dCov² / (‖D‖ ‖D'‖) of a distance correlation. What is stated of RSA by ranks of more
    objects is besides; and linear CKA differs by the rounding of the precision where fewer representations make the
    products of features the cheaper way. On a GPU blocks change terms by the rounding of the precision too.
    Linear CKA, RSA, kNN overlaps and distance correlation never hold n × n numbers: O(n² Σp / 2 + L² n² / 2)
    operations (twice for RSA by ranks), or for CKA alone O(n (Σp)² / 2) if that is less. Where the shortest rows are
    more than 30 times shorter than the mean row, float32 leaves no digits of their directions, and cosines and
    correlations are computed in float64. All other measures are computed pair by pair, what concerns one
    representation once.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.similarity.matrices import similarity_matrix
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(50, 4))
    >>> layers = {"first": x, "second": x + rng.normal(size=(50, 4)), "turned": x[:, ::-1]}
    >>> similarity_matrix(layers, "cka", progress=False).round(2)
            first  second  turned
    first    1.00    0.45    1.00
    second   0.45    1.00    0.45
    turned   1.00    0.45    1.00
    """
    return similarity_matrices(
        representations,
        [measure],
        options={measure: options},
        max_memory=max_memory,
        block_rows=block_rows,
        progress=progress,
        scheduler=scheduler,
        checkpoint=checkpoint,
    )[measure]


def similarity_matrices(
    representations: Any,
    measures: Iterable[str] = STUDY,
    *,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    max_memory: int | str = "2GB",
    block_rows: int | None = None,
    progress: bool = True,
    scheduler: Any = None,
    checkpoint: str | os.PathLike[str] | None = None,
) -> dict[str, pd.DataFrame]:
    """Several measures between all pairs of representations; the :data:`STREAMED` ones share one pass.

    Parameters
    ----------
    representations, max_memory, block_rows, progress, scheduler, checkpoint
        Same meaning as in :func:`similarity_matrix`.
    measures
        Names of :data:`~helpers.similarity.registry.MEASURES`.
    options
        Options of single measures, such as ``{"jaccard": {"k": 20}}``.

    Returns
    -------
    dict of str to DataFrame
        Matrix of every measure, as :func:`similarity_matrix` gives it.

    Raises
    ------
    KeyError, TypeError, ValueError
        In the same cases as :func:`similarity_matrix`; if ``options`` names a measure that is not asked for.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.similarity.matrices import similarity_matrices
    >>> x = np.random.default_rng(0).normal(size=(50, 4))
    >>> found = similarity_matrices({"x": x, "square": x**2}, ["cka", "distance_correlation"], progress=False)
    >>> {name: round(float(matrix.loc["x", "square"]), 2) for name, matrix in found.items()}
    {'cka': 0.06, 'distance_correlation': 0.54}
    """
    measures = [measures] if isinstance(measures, str) else list(dict.fromkeys(measures))
    options = {name: dict(of) for name, of in (options or {}).items()}
    for name in measures:
        MEASURES[name]
    if stray := set(options) - set(measures):
        raise ValueError(f"options names {', '.join(map(repr, sorted(stray)))}, not among the measures asked for")
    sources = open_sources(representations)
    memory = memory_in_bytes(max_memory)
    if block_rows is not None:
        check_count(block_rows, "block_rows")
    path = None if checkpoint is None else Path(checkpoint)
    bound = {name: MEASURES[name].with_defaults(options.get(name, {})) for name in measures}
    required = {name: _requirements(MEASURES[name], bound[name], sources) for name in measures}
    values: dict[str, np.ndarray] = {}
    notes: dict[str, dict[str, Any]] = {name: {} for name in measures}
    from helpers.similarity._engine.cluster import cluster_for

    with cluster_for(scheduler, sources) as cluster:
        shared = {"memory": memory, "progress": progress, "cluster": cluster, "block_rows": block_rows}
        groups = shared_passes({name: own for name, own in required.items() if own is not None})
        for number, (requirements, names) in enumerate(groups):
            totals = gather(sources, requirements, checkpoint=_numbered(path, number), **shared)
            for name in names:
                declaration = MEASURES[name].declaration
                values[name] = declaration.finish(totals, **bound[name])
                notes[name] = declaration.notes(totals) if declaration.notes else {}
        for name in measures:
            if required[name] is None:
                own = None if path is None else path.with_name(f"{path.name}.{name}")
                values[name] = _pair_by_pair(name, options.get(name, {}), sources, progress, own, cluster)
    labels = [source.name for source in sources]
    return {name: _labelled(values[name], labels, name, notes[name]) for name in measures}


def compare(
    x: Any,
    y: Any,
    measures: Iterable[str] | None = None,
    *,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    n_permutations: int = 0,
    interval: str | None = None,
    confidence_level: float = 0.95,
    n_resamples: int = 200,
    rng: int | np.random.Generator = 0,
    progress: bool = False,
) -> pd.DataFrame:
    """Many measures of one pair of representations, each beside what chance gives.

    Parameters
    ----------
    x, y
        Representations of shape (n, p) and (n, q).
    measures
        Names of :data:`~helpers.similarity.registry.MEASURES`; all by default. By default a measure that is undefined
        for this pair has a note in place of a value; a measure asked for by name raises its error.
    options
        Options of single measures.
    n_permutations
        How often the rows of ``y`` are shuffled: the mean value is the chance level, and the p-value is the share of
        shuffles (the order as given counted as one) that look at least as alike. 0: neither. Measures that take no
        notice of which row belongs to which, such as ``magnitude_difference``, have p-value 1.
    interval
        ``"subsample"``: how far the value would move with other objects from the same source, from random halves of
        the objects, drawn without replacement. (The usual bootstrap draws objects twice, and duplicates are each
        other's neighbours at distance 0, which biases every measure of distances or neighbours.) The deviations from
        the mean over the halves, times √(m / (n - m)) for halves of m, are those of n objects; they are put around the
        value, so that the interval speaks of chance in the choice of objects, not of the bias of a measure.
        ``"permutation"``: the central range of the values under shuffling. None: no interval.
    confidence_level
        Probability of the interval.
    n_resamples
        Number of halves.
    rng
        Seed or generator.
    progress
        Show what runs.

    Returns
    -------
    DataFrame
        One row per measure: ``value``, ``orientation``; with n_permutations ``chance`` and ``p``; with an interval
        ``ci_low`` and ``ci_high``; ``seconds`` for the one value; and ``note`` if any measure is undefined.

    Raises
    ------
    KeyError, TypeError, ValueError
        If the measures raise them; if ``interval`` is unknown, or "permutation" without permutations.

    Notes
    -----
    Cost: (1 + permutations + resamples) times the measure; what concerns ``x`` alone once for all shuffles. Politis
    and Romano (1994), Large sample confidence regions based on subsamples under minimal assumptions, Annals of
    Statistics 22.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.similarity.matrices import compare
    >>> x = np.random.default_rng(0).normal(size=(60, 5))
    >>> table = compare(x, x**3, ["cka", "jaccard"], n_permutations=99, interval="subsample")
    >>> print(table[["value", "chance", "p"]].round(2).to_string(index_names=False))
             value  chance     p
    cka       0.59    0.07  0.01
    jaccard   0.47    0.10  0.01
    """
    import pandas as pd

    n_permutations = check_count(n_permutations, "n_permutations", least=0)
    n_resamples = check_count(n_resamples, "n_resamples", least=2)
    if interval not in (None, "subsample", "permutation"):
        raise ValueError(f"interval is {interval!r}; it must be None, 'subsample' or 'permutation'")
    if interval == "permutation" and not n_permutations:
        raise ValueError("interval='permutation' needs permutations")
    if not 0 < confidence_level < 1:
        raise ValueError(f"confidence_level is {confidence_level!r}; it must be between 0 and 1")
    names = list(MEASURES) if measures is None else [measures] if isinstance(measures, str) else list(measures)
    options = options or {}
    for name in {*names, *options}:
        MEASURES[name]
    x, y, _ = as_pair(x, y)
    n, rng = x.shape[0], generator(rng)
    shuffles = [rng.permutation(n) for _ in range(n_permutations)]
    half = max(2, n // 2)
    halves = [np.sort(rng.permutation(n)[:half]) for _ in range(n_resamples if interval == "subsample" else 0)]
    rows: dict[str, dict[str, Any]] = {}
    bar = Progress(progress)
    with bar:
        for name in names:
            bar.start(name, 1 + len(shuffles) + len(halves))
            try:
                rows[name] = _compare_one(
                    name, x, y, dict(options.get(name, {})), shuffles, halves, interval, confidence_level, bar
                )
            except (ValueError, TypeError) as error:
                if measures is not None:
                    raise type(error)(f"{name}: {error}") from error
                rows[name] = {"orientation": MEASURES[name].orientation, "value": math.nan, "note": str(error)}
    columns = ["value", "orientation"]
    columns += ["chance", "p"] * bool(n_permutations) + ["ci_low", "ci_high"] * (interval is not None) + ["seconds"]
    columns += ["note"] * any("note" in row for row in rows.values())
    table = pd.DataFrame.from_dict(rows, orient="index").reindex(columns=columns)
    return table.rename_axis("measure")


def _compare_one(name, x, y, options, shuffles, halves, interval, confidence_level, bar) -> dict[str, Any]:
    measure = MEASURES[name]
    start = time.perf_counter()
    value = measure(x, y, **options)
    out = {"value": value, "orientation": measure.orientation, "seconds": time.perf_counter() - start}
    bar.advance(1)
    null = []
    if shuffles:
        prepared = measure.prepare(x, name="x", **options) if measure.prepare else None
        for order in shuffles:
            other = _take(y, order)
            if measure.prepare:
                null.append(measure.between(prepared, measure.prepare(other, name="y", **options)))
            else:
                null.append(measure(x, other, **options))
            bar.advance(1)
        null = np.array(null)
        sign = 1 if measure.orientation == "similarity" else -1
        tolerance = 1e-9 * max(abs(value), 1e-300)
        out["chance"] = float(null.mean())
        out["p"] = (1 + int((sign * null >= sign * value - tolerance).sum())) / (1 + len(null))
    tails = [(1 - confidence_level) / 2, (1 + confidence_level) / 2]
    if interval == "permutation":
        out["ci_low"], out["ci_high"] = (float(q) for q in np.quantile(null, tails))
    elif interval == "subsample":
        found = []
        for chosen in halves:
            found.append(measure(_take(x, chosen), _take(y, chosen), **options))
            bar.advance(1)
        m, n = len(halves[0]), x.shape[0]
        moved = (np.array(found) - np.mean(found)) * math.sqrt(m / max(1, n - m))
        low, high = np.quantile(moved, tails)
        out["ci_low"] = float(max(value - high, measure.range[0]))
        out["ci_high"] = float(min(value - low, measure.range[1]))
    return out


def _take(x: Any, rows: np.ndarray) -> Any:
    """Rows of an array or of a tensor, in the given order."""
    if isinstance(x, np.ndarray):
        return x[rows]
    import torch

    return x[torch.as_tensor(rows, device=x.device)]


def _requirements(measure: Measure, options: dict[str, Any], sources: list[Source]) -> Requirements | None:
    """What a pass must gather for a measure, or None if it is computed pair by pair."""
    if not measure.streamed:
        return None
    return measure.declaration.requires(Objects(sources[0].shape[0], sources[0].name), **options)


def _numbered(path: Path | None, number: int) -> Path | None:
    return path if path is None or number == 0 else path.with_name(f"{path.name}.{number}")


def _pair_by_pair(
    name: str, options: dict[str, Any], sources: list[Source], progress: bool, path: Path | None, cluster: Any
) -> np.ndarray:
    """Any measure: what concerns one representation once, then every pair; several at a time."""
    measure, count = MEASURES[name], len(sources)
    labels = [source.name for source in sources]
    # A mode chosen by name, such as a direction, may take a measure's symmetry away.
    symmetric = measure.symmetric and not any(isinstance(value, str) for value in options.values())
    pairs = [(i, j) for i in range(count) for j in range(i if symmetric else 0, count)]
    if cluster:
        return _filled(cluster.values(measure, options, sources, pairs, progress), pairs, count)
    arrays = [source.whole() for source in sources]
    if len({source.kind == "torch" for source in sources}) == 2 and not any(source.device for source in sources):
        arrays = [x.numpy() if source.kind == "torch" else x for x, source in zip(arrays, sources, strict=True)]
    if measure.whole_matrix is not None and count > 1:
        named = dict(zip(labels, arrays, strict=True))
        whole = measure.whole_matrix(named, checkpoint=path, progress=progress, **options)
        if whole is not None:
            return whole
    shared = isinstance(options.get("rng"), np.random.Generator)
    threads = 1 if shared or any(source.device for source in sources) else min(available_threads(), len(pairs))
    saved = _Values(path, name, options, labels, arrays, len(pairs))
    bar = Progress(progress)
    with _limited(threads), ThreadPoolExecutor(threads) as pool, bar:
        states = arrays
        if measure.prepare:
            bar.start(f"{name}: each representation", count)
            states = []
            for state in pool.map(
                lambda pair: measure.prepare(pair[1], name=pair[0], **options), zip(labels, arrays, strict=True)
            ):
                states.append(state)
                bar.advance(1)

        def one(pair: tuple[int, int]) -> float:
            a, b = states[pair[0]], states[pair[1]]
            try:
                return float(measure.between(*_matched(a, b)) if measure.prepare else measure(a, b, **options))
            except (ValueError, TypeError) as error:
                raise type(error)(f"{name} of x = {labels[pair[0]]} and y = {labels[pair[1]]}: {error}") from error

        bar.start(f"{name}: all pairs", len(pairs))
        todo = [number for number in range(len(pairs)) if math.isnan(saved.values[number])]
        bar.advance(len(pairs) - len(todo))
        try:
            for number, value in zip(todo, pool.map(one, [pairs[number] for number in todo]), strict=True):
                saved.put(number, value)
                bar.advance(1)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            saved.write()
            raise
    saved.remove()
    return _filled(saved.values, pairs, count)


def _matched(a: Any, b: Any) -> tuple[Any, Any]:
    """Prepared matrices of different types in one type."""
    if hasattr(a, "dtype") and hasattr(b, "dtype") and hasattr(a, "ndim") and a.ndim == 2 and a.dtype != b.dtype:
        a, b, _ = alike(a, b)
    return a, b


def _filled(values: Iterable[float], pairs: list[tuple[int, int]], count: int) -> np.ndarray:
    out = np.full((count, count), np.nan)
    for (i, j), value in zip(pairs, values, strict=True):
        out[i, j] = value
    lower = np.isnan(out)
    out[lower] = out.T[lower]
    return out


@contextlib.contextmanager
def _limited(threads: int):
    """One thread per matrix product where several pairs run at a time."""
    if threads == 1:
        yield
        return
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):
        yield


class _Values:
    """Values of the pairs computed so far, in a file if there is one."""

    def __init__(self, path: Path | None, name: str, options: dict, labels: list[str], arrays: list, count: int):
        self.path, self.values, self.last = path, np.full(count, np.nan), time.monotonic()
        if path is None:
            return
        key = hashlib.blake2b(repr((name, sorted(options.items()), labels)).encode(), digest_size=16)
        for x in arrays:
            block = np.ascontiguousarray(x if isinstance(x, np.ndarray) else x.cpu().numpy())
            key.update(f"{block.shape} {block.dtype}".encode())
            key.update(block.view(np.uint8).data)
        self.key = key.hexdigest()
        if path.exists():
            with np.load(path, allow_pickle=False) as saved:
                if str(saved["key"]) != self.key:
                    raise ValueError(f"checkpoint {path} belongs to other representations or options")
                self.values[:] = saved["values"]

    def put(self, number: int, value: float) -> None:
        self.values[number] = value
        if self.path is not None and time.monotonic() - self.last > SAVE_EVERY:
            self.write()

    def write(self) -> None:
        if self.path is None:
            return
        scratch = self.path.with_name(self.path.name + ".part")
        with scratch.open("wb") as file:
            np.savez(file, key=self.key, values=self.values)
        os.replace(scratch, self.path)
        self.last = time.monotonic()

    def remove(self) -> None:
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def _labelled(values: np.ndarray, labels: list[str], name: str, notes: dict[str, Any]) -> pd.DataFrame:
    import pandas as pd

    out = pd.DataFrame(values, index=labels, columns=labels)
    out.attrs.update(measure=name, orientation=MEASURES[name].orientation, **notes)
    return out
