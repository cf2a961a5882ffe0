"""Which of several embeddings say nothing that another one does not say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import generator
from helpers.report.defaults import THRESHOLD
from helpers.report.spaces import MEASURES, sample_rows
from helpers.similarity.cka import cka_unbiased
from helpers.similarity.dependence import distance_correlation_unbiased
from helpers.similarity.neighbours import jaccard

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["check_same_model", "check_threshold", "find_redundant", "redundancy_groups"]

#: How close to 1 linear CKA must be for two spaces to be one up to rotation, scale and shift: half precision is.
ISOMETRIC = 1e-4
#: What remains of an embedding after the best rotation of another one is noise up to this similarity to anything.
UNRELATED = 0.05  # three times as much if the rotation had to be estimated
#: A space with more noise than this is not called a noisy copy.
MOST_NOISE = 0.75
JUDGED = 1000


def find_redundant(
    representations: Mapping[str, Any],
    table: pd.DataFrame,
    *,
    same_model: Sequence[str] = (),
    threshold: float = THRESHOLD,
    n_rotation: int = 2000,
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
    - *redundant*: at least as similar as two runs of one model are, by every measure (the lower ends of the intervals
      of the pair ``same_model``), if such a pair is named; else CKA, RSA and distance correlation all at least
      ``threshold``.

    Parameters
    ----------
    representations, table
        What :func:`pairwise_similarity` was given, and what it found, with all four measures.
    same_model
        Names of two embeddings from one model trained twice (two seeds), or none.
    threshold
        Similarity, above 0 and up to 1, that counts as redundant where no two runs of one model are named.
    n_rotation
        Objects, half of which find the rotation while residuals are judged on the others (on 1000 of them at most); at
        least four times as many as features, if there are, because a rotation takes many objects to find.
    rng
        Seed for the draw of these objects.

    Returns
    -------
    DataFrame
        ``embedding``, ``finding``, ``of`` (the other one; empty for noise), ``noise`` (share, of a noisy copy) and
        ``evidence``, a sentence.

    Raises
    ------
    ValueError
        If ``same_model`` does not name two of the embeddings, or ``threshold`` is not in (0, 1].
    """
    import pandas as pd

    names = [str(name) for name in representations]
    same_model = check_same_model(names, same_model)
    check_threshold(threshold)
    rng = generator(rng)
    widest = max(x.shape[1] for x in representations.values())
    rows = sample_rows(representations, max(n_rotation, 4 * widest), rng)
    rng.shuffle(rows)
    arrays = {str(name): _centred(x[rows]) for name, x in representations.items()}
    noise = [name for name in names if _at_chance(table, name)]
    found = [
        {"embedding": name, "finding": "noise", "of": "", "noise": 1.0, "evidence": _noise_evidence(table, name)}
        for name in noise
    ]
    pairs = table.pivot(index=["a", "b"], columns="measure", values=["value", "ci_low"])
    least = pairs.loc[tuple(sorted(same_model, key=names.index)), "ci_low"] if same_model else None

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
        compared = value if same_model else value.drop("jaccard")
        if {a, b} != set(same_model) and (compared >= (least if same_model else threshold)).all():
            runs = " and ".join(same_model)
            bar = f"as similar as {runs}, two runs of one model" if same_model else f"all at least {threshold:g}"
            evidence = f"{_listed(compared)}: {bar}"
            found.append({"embedding": b, "finding": "redundant", "of": a, "noise": np.nan, "evidence": evidence})
    columns = ["embedding", "finding", "of", "noise", "evidence"]
    return pd.DataFrame(found, columns=columns)


def check_same_model(names: Iterable[str], same_model: Sequence[str]) -> list[str]:
    """Two names of embeddings, or none."""
    names, pair = [str(name) for name in names], [str(name) for name in same_model]
    if pair and (len(pair) != 2 or pair[0] == pair[1] or set(pair) - set(names)):
        raise ValueError(f"same_model is {pair}; two of the embeddings are needed: {names}")
    return pair


def check_threshold(threshold: float) -> None:
    """A similarity above 0 and up to 1."""
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold is {threshold!r}; a similarity above 0 and up to 1 is needed")


def redundancy_groups(names: Sequence[str], found: pd.DataFrame) -> dict[str, list[str]]:
    """Groups of embeddings that :func:`find_redundant` links: the first name of each → its members, in order.

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
        f"at chance against everything; most similar {other} by {MEASURES[worst['measure']]}: "
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
    """The largest similarity of a residual to others, or the first one above the bound."""
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
    return ", ".join(f"{MEASURES[name]} {value:.2f}" for name, value in scores.items())
