"""What pairs of embeddings gain by being combined, and how similar they are.

A *table of pairs* has one row per experiment and pair: ``experiment``, ``model_a``, ``model_b``, ``accuracy_a``,
``accuracy_b``, for each combination ``accuracy_NAME``, ``gain_NAME`` and ``error_NAME`` (the standard error of the
gain over test clients), and one column per measure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations as choose
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import integer_seed

if TYPE_CHECKING:
    import pandas as pd

    from helpers.studies.sweep import Sweep

__all__ = ["COMBINATIONS", "SLOW", "combine_pair", "pair_gains", "pair_measures", "measure_pairs"]

COMBINATIONS = ("concatenation", "sum", "product")

SLOW = ("rtd", "rtd_lite", "geometry_score", "imd")
"""Measures that are taken on fewer clients."""


OPTIONS = {"rtd": {"trials": 4, "batch": 150}}


def combine_pair(x: Any, y: Any, how: str = "concatenation", *, train: Any = None) -> np.ndarray:
    """One representation of two.

    Parameters
    ----------
    x, y : array_like of shapes (n, p) and (n, q)
        Rows are the same clients.
    how
        ``"concatenation"`` (width p + q), ``"sum"`` or ``"product"`` of the coordinates (width max(p, q)).
    train : array_like of bool of shape (n,), optional
        The rows from which the scale of each coordinate is learnt; all by default.

    Returns
    -------
    ndarray of shape (n, width), float64

    Raises
    ------
    ValueError
        If ``how`` is unknown, the numbers of rows differ, or no row is for training.

    Notes
    -----
    Each coordinate is first standardised: otherwise the sum would be that of the representation with the larger
    numbers, and the product of two coordinates around a large mean nearly their sum. A coordinate that is constant
    on the training rows becomes 0. Of unequal widths, the last coordinates of the wider one are kept as they are. Which
    coordinate is added to which is an accident of the training; nothing is aligned here.

    Examples
    --------
    >>> from helpers.studies.pair_gains import combine_pair
    >>> combine_pair([[1.0], [3.0]], [[0.0, 5.0], [2.0, 5.0]], "sum").tolist()
    [[-2.0, 0.0], [2.0, 0.0]]
    """
    if how not in COMBINATIONS:
        raise ValueError(f"how is {how!r}; it can be {', '.join(map(repr, COMBINATIONS))}")
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if x.ndim != 2 or y.ndim != 2 or len(x) != len(y):
        raise ValueError(f"x has shape {x.shape} and y {y.shape}; two matrices with a row for each client are needed")
    rows = np.ones(len(x), dtype=bool) if train is None else np.asarray(train, dtype=bool)
    if rows.shape != (len(x),) or not rows.any():
        raise ValueError(f"train has shape {rows.shape} and names {int(rows.sum())} rows; some of {len(x)} are needed")
    x, y = _standardised(x, rows), _standardised(y, rows)
    if how == "concatenation":
        return np.hstack([x, y])
    shared = min(x.shape[1], y.shape[1])
    mixed = x[:, :shared] + y[:, :shared] if how == "sum" else x[:, :shared] * y[:, :shared]
    return np.hstack([mixed, x[:, shared:], y[:, shared:]])


def pair_gains(
    embeddings: Mapping[Any, Any],
    target: pd.Series,
    split: pd.Series,
    *,
    combinations: Sequence[str] = COMBINATIONS,
    classifier: str = "fast",
    metric: str = "accuracy",
    on: str = "test",
    rng: int | np.random.Generator = 0,
    n_jobs: int = 1,
) -> pd.DataFrame:
    """What each pair of models gains by being combined.

    Parameters
    ----------
    embeddings
        Model → matrix with a row for each client of ``target``, at least two models.
    target, split
        Class and part of each client.
    combinations
        Ways of combining, some of :data:`COMBINATIONS`.
    classifier, metric, on, rng
        Arguments of :func:`helpers.clients.score`. Scales are learnt from training clients, like the classifier.
    n_jobs
        Number of processes that score at a time.

    Returns
    -------
    DataFrame
        One row per pair, the columns of a table of pairs without ``experiment`` and measures.

    Raises
    ------
    ValueError
        If there are fewer than two models; and as :func:`helpers.clients.score`.

    Notes
    -----
    One fit of the scorer for each model, and one for each pair and combination.
    """
    import pandas as pd
    from joblib import Parallel, delayed

    seed = integer_seed(rng)
    if len(embeddings) < 2:
        raise ValueError(f"there are {len(embeddings)} models; at least two are needed to make a pair")
    arrays = {name: np.asarray(values) for name, values in embeddings.items()}
    train = (split.reindex(target.index) == "train").to_numpy() & target.notna().to_numpy()
    pairs = list(choose(arrays, 2))
    jobs_ = [(arrays[name],) for name in arrays]
    jobs_ += [(arrays[a], arrays[b], how) for a, b in pairs for how in combinations]
    correct = Parallel(n_jobs=n_jobs)(
        delayed(_correct)(job, train, target, split, classifier=classifier, metric=metric, on=on, rng=seed)
        for job in jobs_
    )
    single = dict(zip(arrays, correct, strict=False))
    combined = iter(correct[len(arrays) :])
    rows = []
    for a, b in pairs:
        best = max(single[a], single[b], key=np.mean)
        row = {"model_a": a, "model_b": b, "accuracy_a": single[a].mean(), "accuracy_b": single[b].mean()}
        for how in combinations:
            right = next(combined)
            row[f"accuracy_{how}"] = right.mean()
            row[f"gain_{how}"] = right.mean() - best.mean()
            row[f"error_{how}"] = (right - best).std(ddof=1) / np.sqrt(len(right)) if len(right) > 1 else np.nan
        rows.append(row)
    return pd.DataFrame(rows)


def pair_measures(
    embeddings: Mapping[Any, Any],
    split: pd.Series,
    *,
    measures: Iterable[str] | None = None,
    on: str = "validation",
    n_clients: int = 1000,
    n_slow: int = 300,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    rng: int | np.random.Generator = 0,
) -> pd.DataFrame:
    """Similarity of the models of an experiment, by each measure.

    Parameters
    ----------
    embeddings
        Model → matrix with a row for each client of ``split``.
    split
        Part of each client.
    measures
        Names of :data:`~helpers.similarity.registry.MEASURES`; all by default.
    on
        Part whose clients are compared. No label is read, and of the test clients nothing.
    n_clients, n_slow
        Largest number of clients, and that for the measures of :data:`SLOW`: the first of them in a random order.
    options
        Options of single measures by their names; by default RTD takes 4 subsets of 150 clients.
    rng
        Seed of the choice of clients and of the measures that draw something.

    Returns
    -------
    DataFrame
        One row per pair (index ``model_a``, ``model_b``), one column per measure. A measure that depends on the order
        of the two is averaged over both. One that is not defined for the representations of this experiment is missing,
        and ``attrs["undefined"]`` says why, by its name.

    Raises
    ------
    KeyError, ValueError
        If there is no such measure, or fewer than 10 clients in the part.
    """
    import pandas as pd

    from helpers.similarity.matrices import STREAMED, similarity_matrices
    from helpers.similarity.registry import MEASURES

    seed = integer_seed(rng)
    names = list(MEASURES if measures is None else measures)
    for name in names:
        MEASURES[name]
    rows = np.flatnonzero((split == on).to_numpy())
    if len(rows) < 10:
        raise ValueError(f"there are {len(rows)} clients in the part {on!r}; at least 10 are needed")
    rows = np.random.default_rng(seed).permutation(rows)[:n_clients]
    arrays = {str(i): np.asarray(values, dtype=np.float64) for i, values in enumerate(embeddings.values())}
    models = list(embeddings)
    pairs = list(choose(range(len(models)), 2))
    options = {**OPTIONS, **(options or {})}
    together = [name for name in names if name in STREAMED]
    found, undefined = {}, {}
    groups = [together] * bool(together) + [[name] for name in names if name not in STREAMED]
    for group in groups:
        few = rows[:n_slow] if group[0] in SLOW else rows
        chosen = {name: dict(options.get(name, {})) for name in group}
        for name in group:
            if MEASURES[name].stochastic:
                chosen[name].setdefault("rng", seed)
            if "batch" in chosen[name]:
                chosen[name]["batch"] = min(chosen[name]["batch"], len(few))
        try:
            matrices = similarity_matrices(
                {name: values[few] for name, values in arrays.items()}, group, options=chosen, progress=False
            )
        except ValueError as error:
            if len(group) > 1:  # one of them is undefined; each on its own tells which
                groups += [[name] for name in group]
            else:
                undefined[group[0]] = str(error)
            continue
        for name, matrix in matrices.items():
            both = (matrix.to_numpy() + matrix.to_numpy().T) / 2
            found[name] = [both[a, b] for a, b in pairs]
    index = pd.MultiIndex.from_tuples([(models[a], models[b]) for a, b in pairs], names=["model_a", "model_b"])
    table = pd.DataFrame(found, index=index).reindex(columns=names)
    table.attrs["undefined"] = undefined
    return table


def measure_pairs(
    sweep: Sweep,
    *,
    experiments: Iterable[int] | None = None,
    measures: Iterable[str] | None = None,
    combinations: Sequence[str] = COMBINATIONS,
    classifier: str = "fast",
    metric: str = "accuracy",
    n_clients: int = 1000,
    n_slow: int = 300,
    rng: int | np.random.Generator = 0,
    n_jobs: int = 1,
) -> pd.DataFrame:
    """The table of pairs of a sweep: gains on test clients, measures on validation clients.

    Parameters
    ----------
    sweep
        Sweep that :func:`helpers.studies.sweep.read_sweep` gives.
    experiments
        Numbers of the experiments; all by default. An experiment with fewer than two finished runs is left out.
    measures, n_clients, n_slow, rng
        Arguments of :func:`pair_measures`.
    combinations, classifier, metric, n_jobs
        Arguments of :func:`pair_gains`.

    Returns
    -------
    DataFrame
        ``attrs["undefined"]`` says which measures are missing in which experiment, and why.

    Raises
    ------
    ValueError
        If no experiment has two finished runs.
    """
    import pandas as pd

    wanted = sorted(sweep.split) if experiments is None else list(experiments)
    tables, undefined = [], {}
    for experiment in wanted:
        embeddings = {model: values for (e, model), values in sweep.embeddings.items() if e == experiment}
        if len(embeddings) < 2:
            continue
        target, parts = sweep.target[experiment], sweep.split[experiment]
        scoring = {"classifier": classifier, "metric": metric, "rng": rng, "n_jobs": n_jobs}
        gains = pair_gains(embeddings, target, parts, combinations=combinations, **scoring)
        similarity = pair_measures(embeddings, parts, measures=measures, n_clients=n_clients, n_slow=n_slow, rng=rng)
        undefined |= {(experiment, name): why for name, why in similarity.attrs["undefined"].items()}
        columns = [pd.Series(experiment, gains.index, name="experiment"), gains, similarity.reset_index(drop=True)]
        tables.append(pd.concat(columns, axis=1))
    if not tables:
        raise ValueError(f"no experiment of {wanted} has two finished runs")
    table = pd.concat(tables, ignore_index=True)
    table.attrs["undefined"] = undefined
    return table


def _correct(job, train, target, split, **options) -> np.ndarray:
    """What each test client contributes to the score of one representation, or of two combined."""
    from helpers.clients.scoring import score

    x = job[0] if len(job) == 1 else combine_pair(*job, train=train)
    return score(x, target, split, **options).contributions.to_numpy(dtype=float)


def _standardised(x: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Mean 0 and variance 1 on the given rows; 0 where a coordinate is constant there."""
    mean, spread = x[rows].mean(axis=0), x[rows].std(axis=0)
    fine = spread > 1e-9 * np.maximum(1, np.abs(mean))
    return np.where(fine, (x - mean) / np.where(fine, spread, 1.0), 0.0)
