"""What several embeddings of the same objects are, and how similar they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import check_count, generator
from helpers.quality import mean_cosine, rankme
from helpers.report.defaults import CONFIDENCE_LEVEL, N_OBJECTS
from helpers.similarity.matrices import similarity_matrices

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MEASURES", "describe_spaces", "matrix_of", "pairwise_similarity", "sample_rows"]


#: The measures of a report, and what sentences and figures call them.
MEASURES = {
    "cka": "CKA",
    "rsa": "RSA",
    "jaccard": "Jaccard",
    "distance_correlation": "distance correlation",
}


def describe_spaces(
    representations: Mapping[str, Any],
    *,
    n_objects: int = N_OBJECTS,
    n_halves: int = 6,
    confidence_level: float = CONFIDENCE_LEVEL,
    rng: int | np.random.Generator = 0,
) -> pd.DataFrame:
    """Counts, norms, anisotropy and effective rank of each embedding.

    Parameters
    ----------
    representations
        Name → array of shape (n, p), memory maps included; all entries finite.
    n_objects
        Number of objects, drawn at random, on which all but the counts is computed (all if there are fewer).
    n_halves
        Number of random halves of these objects; the spread of a value over them gives its interval.
    confidence_level
        Coverage of the intervals.
    rng
        Seed for the draws of objects and of halves.

    Returns
    -------
    DataFrame
        One row per embedding: ``objects``, ``width``; ``norm`` (median) with its quantiles ``norm_q05`` and
        ``norm_q95``; ``anisotropy`` (the mean cosine of two rows; 0, the chance level, if directions spread evenly) and
        ``effective_rank`` (:func:`helpers.quality.rankme`), each with ``..._ci_low`` and ``..._ci_high``;
        ``isotropic_rank``, what Gaussian noise of the same shape has. Zero rows have no direction and do not count in
        the last three.

    Raises
    ------
    TypeError, ValueError
        If an option is out of range or an array is no finite real matrix.
    """
    import pandas as pd

    check_count(n_objects, "n_objects", least=4)
    check_count(n_halves, "n_halves", least=2)
    rng = generator(rng)
    n = next(iter(representations.values())).shape[0]
    chosen = sample_rows(representations, n_objects, rng)
    splits = [np.sort(rng.permutation(len(chosen))[: len(chosen) // 2]) for _ in range(n_halves)]
    rows = {}
    for name, x in representations.items():
        few = np.asarray(x[chosen], dtype=np.float64)
        norms = np.linalg.norm(few, axis=1)
        low, middle, high = np.quantile(norms, [0.05, 0.5, 0.95])
        row = {"objects": n, "width": x.shape[1], "norm": middle, "norm_q05": low, "norm_q95": high}
        few = few[norms > 0]
        for label, function in (("anisotropy", mean_cosine), ("effective_rank", _effective_rank)):
            value = function(few)
            reach = _reach(np.array([function(few[split[split < len(few)]]) for split in splits]), confidence_level)
            row |= {label: value, f"{label}_ci_low": value - reach, f"{label}_ci_high": value + reach}
        row["isotropic_rank"] = _effective_rank(rng.standard_normal(few.shape))
        rows[str(name)] = row
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("embedding")


def pairwise_similarity(
    representations: Mapping[str, Any],
    measures: Sequence[str] = tuple(MEASURES),
    *,
    n_objects: int = N_OBJECTS,
    n_halves: int = 10,
    confidence_level: float = CONFIDENCE_LEVEL,
    rng: int | np.random.Generator = 0,
    progress: bool = False,
) -> pd.DataFrame:
    """Similarity of all pairs by several measures, each with its interval and its chance level.

    Parameters
    ----------
    representations
        Name → array of shape (n, p), rows being the same objects.
    measures
        Names of similarities in :data:`helpers.similarity.MEASURES`.
    n_objects
        Number of objects, drawn at random, on which values are computed (all if there are fewer).
    n_halves
        Number of random halves of these objects. The spread of a value over halves is its standard error for all of
        them, and Student's t with ``n_halves - 1`` degrees of freedom makes the interval.
    confidence_level
        Coverage of the intervals.
    rng
        Seed for the draws of objects, of halves and of the order that gives the chance level.
    progress
        Whether to show a bar.

    Returns
    -------
    DataFrame
        One row per measure and pair: ``measure``, ``a``, ``b``, ``value``, ``ci_low``, ``ci_high``, and ``chance``:
        the value when the rows of one of the two are shuffled.

    Raises
    ------
    KeyError, TypeError, ValueError
        In the same cases as :func:`helpers.similarity.similarity_matrices`; if there are fewer than two embeddings.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.report import pairwise_similarity
    >>> x = np.random.default_rng(0).normal(size=(200, 4))
    >>> pairwise_similarity({"x": x, "scaled": 2 * x}, ["cka"])[["a", "b", "value"]].round(6).values.tolist()
    [['x', 'scaled', 1.0]]
    """
    import pandas as pd

    check_count(n_objects, "n_objects", least=4)
    check_count(n_halves, "n_halves", least=2)
    names = [str(name) for name in representations]
    if len(names) < 2:
        raise ValueError(f"only one embedding is given, {names}; similarity needs at least two")
    rng = generator(rng)
    chosen = sample_rows(representations, n_objects, rng)
    arrays = {str(name): np.ascontiguousarray(x[chosen]) for name, x in representations.items()}
    n, count = len(chosen), len(names)
    order = rng.permutation(n)
    shuffled = {f"{name}, shuffled": x[order] for name, x in arrays.items()}
    whole = similarity_matrices(arrays | shuffled, measures, progress=progress)
    found: dict[str, list[np.ndarray]] = {name: [] for name in measures}
    for _ in range(n_halves):
        half = np.sort(rng.permutation(n)[: n // 2])
        part = similarity_matrices({name: x[half] for name, x in arrays.items()}, measures, progress=progress)
        for name in measures:
            found[name].append(part[name].to_numpy())
    rows = []
    for measure in measures:
        values = whole[measure].to_numpy()
        chance = (values[:count, count:] + values[:count, count:].T) / 2
        reach = _reach(np.array(found[measure]), confidence_level)
        for i in range(count):
            for j in range(i + 1, count):
                value = values[i, j]
                around = {"value": value, "ci_low": value - reach[i, j], "ci_high": value + reach[i, j]}
                rows.append({"measure": measure, "a": names[i], "b": names[j], **around, "chance": chance[i, j]})
    return pd.DataFrame(rows)


def matrix_of(table: pd.DataFrame, measure: str, column: str = "value", *, diagonal: float = 1.0) -> pd.DataFrame:
    """One column of :func:`pairwise_similarity` as a symmetric matrix."""
    import pandas as pd

    part = table[table["measure"] == measure]
    names = list(dict.fromkeys([*part["a"], *part["b"]]))
    out = pd.DataFrame(diagonal, names, names, dtype=float)
    for a, b, value in zip(part["a"], part["b"], part[column], strict=True):
        out.loc[a, b] = out.loc[b, a] = value
    return out


def _effective_rank(x: np.ndarray) -> float:
    """RankMe; of many rows from the triangular factor of their inner products, which has the same singular values."""
    if len(x) > 2 * x.shape[1]:
        try:
            x = np.linalg.cholesky(x.T @ x)
        except np.linalg.LinAlgError:  # fewer directions than features
            pass
    return rankme(x)


def sample_rows(representations: Mapping[str, Any], most: int, rng: np.random.Generator) -> np.ndarray:
    """Numbers of so many rows, drawn at random and in order; all if there are fewer."""
    n = next(iter(representations.values())).shape[0]
    return np.arange(n) if n <= most else np.sort(rng.choice(n, most, replace=False))


def _reach(parts: np.ndarray, confidence_level: float) -> np.ndarray:
    """Half the width of the interval of a value of n objects, from its values on halves of them."""
    from scipy import stats

    return stats.t.isf((1 - confidence_level) / 2, len(parts) - 1) * parts.std(axis=0, ddof=1)
