"""What several embeddings of the same objects are, how alike they are, and which of them say nothing new."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import check_count, generator
from helpers.quality import mean_cosine, rankme
from helpers.similarity.cka import cka_unbiased
from helpers.similarity.dependence import distance_correlation_unbiased
from helpers.similarity.matrices import STUDY, similarity_matrices
from helpers.similarity.neighbours import jaccard

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["alike", "describe", "matrix_of", "relations", "same_groups"]

#: How close to 1 linear CKA must be for two spaces to be one up to rotation, scale and shift: half precision is.
ISOMETRIC = 1e-4
#: What remains of an embedding after the best rotation of another one counts as noise up to this likeness to anything.
UNRELATED = 0.05  # three times as much if the rotation had to be estimated
#: A space with more noise than this is not called a noisy copy.
MOST_NOISE = 0.75
JUDGED = 1000


def describe(
    representations: Mapping[str, Any],
    *,
    n_objects: int = 4000,
    halves: int = 6,
    confidence_level: float = 0.95,
    rng: int | np.random.Generator = 0,
) -> pd.DataFrame:
    """Counts, norms, anisotropy and effective rank of each embedding.

    Parameters
    ----------
    representations
        Name → array of shape (n, p), memory maps included; all entries finite.
    n_objects
        All but the counts is of so many objects, drawn at random (all if there are fewer).
    halves
        Random halves of these objects whose spread gives the intervals, as in :func:`helpers.similarity.compare`.
    confidence_level, rng
        Of the intervals; of the draws.

    Returns
    -------
    DataFrame
        One row per embedding: ``objects``, ``width``; ``norm`` (median) with its 5 % and 95 % quantiles; ``anisotropy``
        (0 is the chance level: directions spread evenly) and ``effective rank`` (:func:`helpers.quality.rankme`), each
        with ``ci_low`` and ``ci_high``; ``isotropic rank``, what Gaussian noise of the same shape has. Zero rows have
        no direction and do not count in the last three.

    Raises
    ------
    TypeError, ValueError
        If an option is out of range or an array is no finite real matrix.
    """
    import pandas as pd

    check_count(n_objects, "n_objects", least=4)
    check_count(halves, "halves", least=2)
    rng = generator(rng)
    n = _count(representations)
    chosen = _sample(n, n_objects, rng)
    splits = [np.sort(rng.permutation(len(chosen))[: len(chosen) // 2]) for _ in range(halves)]
    rows = {}
    for name, x in representations.items():
        few = np.asarray(x[chosen], dtype=np.float64)
        norms = np.linalg.norm(few, axis=1)
        low, middle, high = np.quantile(norms, [0.05, 0.5, 0.95])
        row = {"objects": n, "width": x.shape[1], "norm": middle, "norm 5%": low, "norm 95%": high}
        few = few[norms > 0]
        for label, function in (("anisotropy", mean_cosine), ("effective rank", _effective_rank)):
            value = function(few)
            reach = _reach(np.array([function(few[split[split < len(few)]]) for split in splits]), confidence_level)
            row |= {label: value, f"{label} low": value - reach, f"{label} high": value + reach}
        row["isotropic rank"] = _effective_rank(rng.standard_normal(few.shape))
        rows[str(name)] = row
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("embedding")


def alike(
    representations: Mapping[str, Any],
    measures: Sequence[str] = STUDY,
    *,
    n_objects: int = 4000,
    halves: int = 10,
    confidence_level: float = 0.95,
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
        Values are those of so many objects, drawn at random (all if there are fewer).
    halves
        Random halves of these objects. The spread of the value over halves is its standard error for all of them, and
        Student's t with ``halves - 1`` degrees of freedom makes the interval.
    confidence_level, rng, progress
        Of the intervals; of the draws; whether to show bars.

    Returns
    -------
    DataFrame
        One row per measure and pair: ``measure``, ``a``, ``b``, ``value``, ``ci_low``, ``ci_high``, and ``chance``: the
        value when the rows of one of the two are shuffled.

    Raises
    ------
    KeyError, TypeError, ValueError
        As :func:`helpers.similarity.similarity_matrices`; if there are fewer than two embeddings.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.report import alike
    >>> x = np.random.default_rng(0).normal(size=(200, 4))
    >>> alike({"x": x, "scaled": 2 * x}, ["cka"])[["a", "b", "value"]].round(6).values.tolist()
    [['x', 'scaled', 1.0]]
    """
    import pandas as pd

    check_count(n_objects, "n_objects", least=4)
    check_count(halves, "halves", least=2)
    names = [str(name) for name in representations]
    if len(names) < 2:
        raise ValueError(f"only one embedding is given, {names}; similarity needs at least two")
    rng = generator(rng)
    chosen = _sample(_count(representations), n_objects, rng)
    arrays = {str(name): np.ascontiguousarray(x[chosen]) for name, x in representations.items()}
    n, count = len(chosen), len(names)
    order = rng.permutation(n)
    shuffled = {f"{name}, shuffled": x[order] for name, x in arrays.items()}
    whole = similarity_matrices(arrays | shuffled, measures, progress=progress)
    found: dict[str, list[np.ndarray]] = {name: [] for name in measures}
    for _ in range(halves):
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
    """One column of :func:`alike` as a symmetric matrix."""
    import pandas as pd

    part = table[table["measure"] == measure]
    names = list(dict.fromkeys([*part["a"], *part["b"]]))
    out = pd.DataFrame(diagonal, names, names, dtype=float)
    for a, b, value in zip(part["a"], part["b"], part[column], strict=True):
        out.loc[a, b] = out.loc[b, a] = value
    return out


def relations(
    representations: Mapping[str, Any],
    table: pd.DataFrame,
    *,
    rerun: Sequence[str] = (),
    threshold: float = 0.95,
    n_objects: int = 2000,
    rng: int | np.random.Generator = 0,
) -> pd.DataFrame:
    """Embeddings that say nothing that another one does not say, and embeddings that say nothing at all.

    Rules, in this order; an embedding is reported by the first that holds, and is not an original for later ones. The
    earlier of two embeddings counts as the original, except where noise tells which of them is the copy.

    - *noise*: no similarity of the embedding to any other one is above chance: every interval includes the chance
      level, or the excess is below one hundredth of what is possible.
    - *rotated copy*: linear CKA is within 10⁻⁴ of 1 and the same nearest neighbours are found; that is one space up to
      rotation, reflection, scale and shift (*copy* if it is the same up to one factor and one shift).
    - *noisy copy*: what is left of the embedding after the best rotation and scale of the other one is related to
      none of the embeddings: unbiased CKA and unbiased distance correlation are below 0.05, or below 0.15 where the
      rotation had to be estimated. ``noise`` is its share of the variance, at most three quarters.
    - *redundant*: at least as alike as a re-run of the same model is, by every measure (the lower ends of the intervals
      of the pair ``rerun``), if a re-run is given; else CKA, RSA and distance correlation all at least ``threshold``.

    Parameters
    ----------
    representations, table
        As given to, and as found by, :func:`alike`, with all four measures.
    rerun
        Names of two embeddings from one model trained twice (two seeds), or none.
    threshold
        Used where there is no re-run.
    n_objects, rng
        Objects, half of which find the rotation while residuals are judged on the others (on 1000 of them at most); at
        least four times as many as features, if there are, because a rotation takes many objects to find.

    Returns
    -------
    DataFrame
        ``embedding``, ``finding``, ``of`` (the other one; empty for noise), ``noise`` (share, of a noisy copy) and
        ``evidence``, a sentence.

    Raises
    ------
    ValueError
        If ``rerun`` does not name two of the embeddings, or ``threshold`` is not in (0, 1].
    """
    import pandas as pd

    names = [str(name) for name in representations]
    rerun = [str(name) for name in rerun]
    if rerun and (len(rerun) != 2 or rerun[0] == rerun[1] or set(rerun) - set(names)):
        raise ValueError(f"rerun is {rerun}; two of the embeddings are needed: {names}")
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold is {threshold!r}; a similarity above 0 and up to 1 is needed")
    rng = generator(rng)
    widest = max(x.shape[1] for x in representations.values())
    rows = _sample(_count(representations), max(n_objects, 4 * widest), rng)
    rng.shuffle(rows)
    arrays = {str(name): _centred(x[rows]) for name, x in representations.items()}
    noise = [name for name in names if _at_chance(table, name)]
    found = [
        {"embedding": name, "finding": "noise", "of": "", "noise": 1.0, "evidence": _noise_evidence(table, name)}
        for name in noise
    ]
    pairs = table.pivot(index=["a", "b"], columns="measure", values=["value", "ci_low"])
    least = pairs.loc[tuple(sorted(rerun, key=names.index)), "ci_low"] if rerun else None

    def left() -> list[tuple[str, str]]:
        known = {entry["embedding"] for entry in found}
        free = [name for name in names if name not in known]
        return [(a, b) for i, a in enumerate(free) for b in free[i + 1 :]]

    for a, b in left():
        if any(entry["embedding"] in (a, b) for entry in found):
            continue
        if entry := _copy(a, b, pairs.loc[(a, b), ("value", "cka")], arrays):
            found.append({"embedding": b, "of": a, "noise": 0.0, **entry})
    noisy = [entry for a, b in left() if (entry := _noisy_copy(a, b, arrays))]
    best: dict[str, dict[str, Any]] = {}
    for entry in sorted(noisy, key=lambda entry: entry["noise"]):
        if entry["of"] not in best:
            best.setdefault(entry["embedding"], entry)
    found += best.values()
    for a, b in left():
        if any(entry["embedding"] in (a, b) for entry in found):
            continue
        value = pairs.loc[(a, b), "value"]
        compared = value if rerun else value.drop("jaccard")
        if {a, b} != set(rerun) and (compared >= (least if rerun else threshold)).all():
            bar = f"as alike as the re-run {rerun[0]} and {rerun[1]}" if rerun else f"all at least {threshold:g}"
            evidence = f"{_listed(compared)}: {bar}"
            found.append({"embedding": b, "finding": "redundant", "of": a, "noise": np.nan, "evidence": evidence})
    columns = ["embedding", "finding", "of", "noise", "evidence"]
    return pd.DataFrame(found, columns=columns)


def same_groups(names: Sequence[str], found: pd.DataFrame) -> dict[str, list[str]]:
    """Groups of embeddings that :func:`relations` links: the first name of each → its members, in order.

    Noise and noisy copies are in no group.
    """
    leader = {str(name): str(name) for name in names}
    noise = set(found.loc[found["finding"].isin(["noise", "noisy copy"]), "embedding"])
    linked = found[~found["finding"].isin(["noise", "noisy copy"])]
    for a, b in zip(linked["of"], linked["embedding"], strict=True):
        old, new = sorted((leader[a], leader[b]), key=[str(name) for name in names].index, reverse=True)
        leader = {name: new if of == old else of for name, of in leader.items()}
    groups: dict[str, list[str]] = {}
    for name, of in leader.items():
        if name not in noise:
            groups.setdefault(of, []).append(name)
    return groups


def _effective_rank(x: np.ndarray) -> float:
    """RankMe; of many rows from the triangular factor of their inner products, which has the same singular values."""
    if len(x) > 2 * x.shape[1]:
        try:
            x = np.linalg.cholesky(x.T @ x)
        except np.linalg.LinAlgError:  # fewer directions than features
            pass
    return rankme(x)


def _count(representations: Mapping[str, Any]) -> int:
    return next(iter(representations.values())).shape[0]


def _sample(n: int, most: int, rng: np.random.Generator) -> np.ndarray:
    return np.arange(n) if n <= most else np.sort(rng.choice(n, most, replace=False))


def _reach(parts: np.ndarray, confidence_level: float) -> np.ndarray:
    """Half the width of the interval of a value of n objects, from its values on halves of them."""
    from scipy import stats

    return stats.t.isf((1 - confidence_level) / 2, len(parts) - 1) * parts.std(axis=0, ddof=1)


def _centred(x: np.ndarray) -> np.ndarray:
    x = np.asarray(x, dtype=np.float64)
    return x - x.mean(axis=0)


def _at_chance(table: pd.DataFrame, name: str) -> bool:
    part = table[(table["a"] == name) | (table["b"] == name)]
    excess = (part["value"] - part["chance"]) / (1 - part["chance"])
    return bool(((part["ci_low"] <= part["chance"]) | (excess < 0.01)).all())


def _noise_evidence(table: pd.DataFrame, name: str) -> str:
    part = table[(table["a"] == name) | (table["b"] == name)]
    worst = part.loc[(part["value"] - part["chance"]).idxmax()]
    other = worst["b"] if worst["a"] == name else worst["a"]
    return (
        f"at chance against everything; most alike {other} by {worst['measure']}: "
        f"{worst['value']:.3f}, chance {worst['chance']:.3f}"
    )


def _copy(a: str, b: str, cka: float, arrays: Mapping[str, np.ndarray]) -> dict[str, Any] | None:
    """Whether two spaces are one up to rotation, scale and shift."""
    if cka < 1 - ISOMETRIC:
        return None
    x, y = arrays[a], arrays[b]
    few = slice(0, 500)
    near = jaccard(x[few], y[few], k=min(10, len(x[few]) - 1), metric="euclidean")
    if near < 0.95:  # a few dominant directions may bring CKA close to 1
        return None
    same = x.shape == y.shape and np.linalg.norm(y - _scale(x, y) * x) < 0.01 * np.linalg.norm(y)
    kind = "copy" if same else "rotated copy"
    return {"finding": kind, "evidence": f"CKA {cka:.6f}, {near:.0%} of the neighbours shared"}


def _noisy_copy(a: str, b: str, arrays: Mapping[str, np.ndarray]) -> dict[str, Any] | None:
    """Whether one of two is the other plus noise: of both directions the one whose residual is less related."""
    best = None
    for original, copy in ((a, b), (b, a)):
        y = arrays[copy]
        for residual, rows, bound in _residuals(arrays[original], y):
            share = float(np.sum(residual**2) / np.sum(y[rows] ** 2))
            if not 0.001 < share < MOST_NOISE:
                continue
            bound = bound if best is None else min(bound, best[0])
            related = _related(residual, [arrays[original][rows]], bound)
            if related < bound:
                related = max(
                    related, _related(residual, [z[rows] for name, z in arrays.items() if name != copy], bound)
                )
            if related < bound:
                best = related, original, copy, share
    if best is None:
        return None
    related, original, copy, share = best
    evidence = (
        f"{1 - share:.0%} of its variance is {original}, rotated and scaled; the rest is related to no other embedding "
        f"(unbiased CKA and distance correlation at most {max(related, 0):.2f})"
    )
    return {"embedding": copy, "finding": "noisy copy", "of": original, "noise": share, "evidence": evidence}


def _related(residual: np.ndarray, others: Sequence[np.ndarray], bound: float) -> float:
    """The largest likeness of a residual to others, or the first one above the bound."""
    most = -1.0
    for z in others:
        for measure in (cka_unbiased, distance_correlation_unbiased):
            most = max(most, measure(residual, z))
            if most >= bound:
                return most
    return most


def _residuals(x: np.ndarray, y: np.ndarray) -> list[tuple[np.ndarray, np.ndarray, float]]:
    """What is left of y without x, the rows it is of, and how related it may be.

    In the same coordinates; and after a rotation found on the other half, whose error leaves some of x behind.
    """
    half = len(x) // 2
    rows = np.arange(half, min(len(x), half + JUDGED))
    out = []
    if x.shape == y.shape:
        out.append((y[rows] - _scale(x, y) * x[rows], rows, UNRELATED))
    if half >= 2 * max(x.shape[1], y.shape[1]):
        left, values, right = np.linalg.svd(x[:half].T @ y[:half], full_matrices=False)
        turned = x @ (left @ right) * (values.sum() / np.sum(x[:half] ** 2))
        out.append((y[rows] - turned[rows], rows, 3 * UNRELATED))
    return out


def _scale(x: np.ndarray, y: np.ndarray) -> float:
    """The factor that brings x closest to y."""
    return float(np.sum(x * y) / np.sum(x * x))


def _listed(scores: pd.Series) -> str:
    return ", ".join(f"{name} {value:.2f}" for name, value in scores.items())
