"""Embeddings and ensembles judged by labels: nested cross-validation of a linear probe."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.ensembles.base import Ensemble
from helpers.ensembles.representations import Representations
from helpers.report.evaluation import BEST, LEAST_FOLDS, EvaluationPlan, TargetEvaluation, folds_of
from helpers.report.moments import FoldMoments, linear_cka
from helpers.report.recipes import WEIGHTED, linear_map, mixing_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["evaluate_by_labels", "targets_of", "together_of"]

STEP = 2048


def evaluate_by_labels(
    representations: Mapping[str, Any],
    labels: Any,
    *,
    together: np.ndarray | None = None,
    **options: Any,
) -> TargetEvaluation:
    """Nested cross-validation of a linear probe on every embedding and on every ensemble.

    For each fold, everything is learnt from the other folds: the quality of each embedding by a cross-validation among
    them, similarities, the choice of the best single one, weights, principal axes, the penalty of the probe. The fold
    is then predicted once.

    Parameters
    ----------
    representations
        Name → array of shape (n, p).
    labels : array_like of shape (n,)
        Classes (strings, whole numbers): accuracy of penalised linear discriminant analysis. Floating-point numbers
        with fractions, or with more values than half the objects: R² of ridge regression. For both see
        :func:`helpers.report.moments.fit_probe`.
    together : ndarray of shape (n,)
        Rows that are not independent of each other have one number here and stay in one fold. Rows that are equal in
        all embeddings always do.
    **options
        Fields of :class:`helpers.report.EvaluationPlan`. There are fewer folds than asked for where a class has fewer
        members, which ``notes`` say; classes with fewer than 3 members are left out. Of the λ, each fitted without one
        more fold, the best on that fold is taken.

    Returns
    -------
    TargetEvaluation

    Raises
    ------
    ValueError
        If labels are missing or of one class, ``width`` is more than the training rows allow, or an option is out of
        range.

    Notes
    -----
    O(n P²) for P features in all, once for all folds, plus O(K P² width) for the axes of each ensemble.
    """
    import pandas as pd

    plan = EvaluationPlan(**options)
    representations = Representations(representations)
    n, names, widths = len(representations), representations.names, representations.widths
    labels = np.asarray(labels)
    if labels.shape != (n,):
        raise ValueError(f"labels has shape {labels.shape}; one label for each of the {n} objects is needed")
    targets, used, folds, notes = targets_of(labels, plan.folds)
    together = together_of(representations, together)
    fold = np.full(n, -1)
    fold[used] = folds_of(
        int(used.sum()), folds, labels=targets[used] if targets.dtype.kind == "i" else None, together=together[used],
        rng=plan.rng,
    )  # fmt: skip
    least = int(used.sum()) - int(np.bincount(fold[used], minlength=folds).max())
    if np.bincount(fold[used], minlength=folds).min() == 0:
        raise ValueError(f"{len(set(together[used]))} independent rows do not fill {folds} folds")
    width = plan.width_of(widths, least)
    moments = _Once(lambda: FoldMoments(representations, fold, targets, plan.normalize))
    inner = plan.step("quality inside the training folds", lambda: _inner(moments(), folds))
    parts = []
    for k in range(folds):
        quality = inner[inner["outer"] == k].set_index("embedding")["quality"].reindex(names).to_numpy()
        parts.append(
            plan.step(
                f"ensembles on fold {k + 1} of {folds}",
                lambda k=k, quality=quality: _outer(moments(), folds, k, quality, width, plan),
            )
        )
    rows = np.concatenate([part["items"]["row"] for part in parts])
    items = pd.concat([part["items"] for part in parts]).set_index("row").sort_index()
    chosen = pd.concat([part["folds"] for part in parts], ignore_index=True)
    weights = pd.concat([part["weights"] for part in parts], ignore_index=True)
    metric = "accuracy" if targets.dtype.kind == "i" else "R²"
    if metric == "accuracy":
        chance = float(np.bincount(targets[used]).max() / used.sum())
    else:
        chance = 0.0
        items = 1 - items / float(np.var(targets[used]))
    return TargetEvaluation(metric, chance, items, together[np.sort(rows)], chosen, weights, notes=notes)


def _inner(moments: FoldMoments, folds: int) -> pd.DataFrame:
    """For each outer fold and each embedding its cross-validated quality among the other folds."""
    import pandas as pd

    names, edges = moments.representations.names, moments.edges
    parts = [slice(edges[i], edges[i + 1]) for i in range(len(names))]
    probes = {}
    for a in range(folds):
        for b in range(a + 1, folds):
            train = [f for f in range(folds) if f not in (a, b)]
            probes[a, b] = [_single(moments, train, part) for part in parts]
    total = np.zeros((folds, len(names)))  # [outer fold, embedding]
    for inner in range(folds):
        for rows in moments.blocks(inner):
            x = moments.rows(rows) - moments.origin
            for outer in range(folds):
                if outer != inner:
                    for i, part in enumerate(parts):
                        weights, intercept = probes[min(inner, outer), max(inner, outer)][i]
                        scores = x[:, part] @ weights.astype(x.dtype) + intercept
                        total[outer, i] += _items(scores, moments.targets[rows]).sum()
    rows = []
    for outer in range(folds):
        train = [f for f in range(folds) if f != outer]
        count = moments.count(train)
        for i, name in enumerate(names):
            quality = total[outer, i] / count
            if not moments.classes:
                spread = moments.squares[train].sum(axis=0)
                quality = 1 - quality / (spread[1] / count - (spread[0] / count) ** 2)
            rows.append({"outer": outer, "embedding": name, "quality": quality})
    return pd.DataFrame(rows)


def _single(moments: FoldMoments, train: Sequence[int], part: slice) -> tuple[np.ndarray, np.ndarray]:
    """Probe of one embedding, for shifted features: coefficients and intercept."""
    probe = moments.probe(train, moments.scatter(train, part), moments.toward(train, part))
    return probe.coefficients, probe.intercept - moments.mean(train)[part] @ probe.coefficients


def _items(scores: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """1 where the class is right, else 0; for numbers the squared error."""
    if targets.dtype.kind in "iu":
        return (scores.argmax(axis=1) == targets).astype(np.float64)
    return (scores[:, 0] - targets) ** 2


def _outer(
    moments: FoldMoments, folds: int, k: int, quality: np.ndarray, width: int, plan: EvaluationPlan
) -> dict[str, pd.DataFrame]:
    """Everything that fold k is predicted by, learnt from the other folds; then the predictions."""
    import pandas as pd

    names, widths, edges = moments.representations.names, moments.representations.widths, moments.edges
    train = [f for f in range(folds) if f != k]
    learnt = _Learnt(moments, train)
    maps = {}
    for i, name in enumerate(names):
        weights, intercept = _single(moments, train, slice(edges[i], edges[i + 1]))
        maps[name] = _spread(weights, slice(edges[i], edges[i + 1]), edges[-1]), intercept

    recipes = partial(plan.recipes, names, widths, quality, width)
    lam = _best_lambda(moments, folds, k, quality, recipes, plan.lambdas)
    rows = []
    for label, (subset, estimator) in recipes(lam).items():
        maps[label], given = learnt.map(subset, estimator, quality)
        rows.append({"method": label, "fold": k, **dict.fromkeys(names, 0.0), **given})
    best = names[int(np.argmax(quality))]
    items = pd.concat(list(_predicted(moments, k, maps)), ignore_index=True)
    items[BEST] = items[best]
    about = {BEST: best, "lambda": lam, "items": len(items)}
    about |= {f"quality of {name}": q for name, q in zip(names, quality, strict=True)}
    return {"items": items, "folds": pd.DataFrame([about]), "weights": pd.DataFrame(rows)}


class _Learnt:
    """What the rows of some folds say: turns ensembles into maps from shifted features to scores."""

    def __init__(self, moments: FoldMoments, train: Sequence[int]):
        self.moments, self.train = moments, train
        self.scatter, self.toward = moments.scatter(train), moments.toward(train)
        self.mean, self.count = moments.mean(train), moments.count(train)
        self.similarity = linear_cka(self.scatter, moments.edges)
        self.axes: dict = {}

    def weights(self, subset: Sequence[str], estimator: Ensemble, quality: np.ndarray) -> tuple:
        """Weights and mixing matrix of an ensemble of some of the embeddings, and where these are."""
        names, widths = self.moments.representations.names, self.moments.representations.widths
        at = [names.index(name) for name in subset]
        chosen = [widths[i] for i in at]
        return *mixing_of(estimator, subset, chosen, quality[at], self.similarity[np.ix_(at, at)]), at

    def map(self, subset: Sequence[str], estimator: Ensemble, quality: np.ndarray) -> tuple[tuple, dict[str, float]]:
        """Coefficients and intercepts of the scores of the probe on an ensemble, and the weights of the ensemble."""
        given, mixing, at = self.weights(subset, estimator, quality)
        linear = linear_map(estimator, mixing, at, self.scatter, self.moments.edges, self.count, self.axes)
        image = self.scatter @ linear.astype(self.scatter.dtype)
        projected = np.sum(linear * image, axis=0) if estimator._projects else linear.T @ image
        probe = self.moments.probe(self.train, projected, linear.T @ self.toward)
        back = linear @ probe.coefficients
        return (back, probe.intercept - self.mean @ back), dict(zip(subset, given.tolist(), strict=True))


def _predicted(
    moments: FoldMoments, k: int, maps: Mapping[str, tuple[np.ndarray, np.ndarray]]
) -> Iterator[pd.DataFrame]:
    """What each map gets right of the rows of a fold, block by block."""
    import pandas as pd

    stacked = np.concatenate([coefficients for coefficients, _ in maps.values()], axis=1)
    for rows in moments.blocks(k):
        x = moments.rows(rows) - moments.origin
        parts = np.split(x @ stacked.astype(x.dtype), len(maps), axis=1)
        values = {
            label: _items(part + intercept, moments.targets[rows])
            for (label, (_, intercept)), part in zip(maps.items(), parts, strict=True)
        }
        yield pd.DataFrame({"row": rows, **values})


def _best_lambda(
    moments: FoldMoments,
    folds: int,
    k: int,
    quality: np.ndarray,
    recipes: Callable[[float], dict],
    lambdas: Sequence[float],
) -> float:
    """The λ whose quadratic program with selection and PCA, fitted without fold k and the next one, is best there."""
    hold = (k + 1) % folds
    learnt = _Learnt(moments, [f for f in range(folds) if f not in (k, hold)]) if len(lambdas) > 1 else None
    maps, seen = {}, set()
    for lam in lambdas if learnt else ():
        subset, estimator = recipes(lam)[WEIGHTED]
        key = tuple(np.round(learnt.weights(subset, estimator, quality)[0], 3))
        if key not in seen:
            seen.add(key)
            maps[lam] = learnt.map(subset, estimator, quality)[0]
    if len(maps) < 2:
        return float(lambdas[0])
    total = sum(part.drop(columns="row").sum() for part in _predicted(moments, hold, maps))
    return float(total.idxmax() if moments.classes else total.idxmin())


def _spread(weights: np.ndarray, part: slice, size: int) -> np.ndarray:
    out = np.zeros((size, weights.shape[1]))
    out[part] = weights
    return out


class _Once:
    """Computes at the first call, if there is one."""

    def __init__(self, function: Callable[[], Any]):
        self.function, self.value = function, None

    def __call__(self) -> Any:
        if self.value is None:
            self.value = self.function()
        return self.value


def targets_of(labels: np.ndarray, folds: int) -> tuple[np.ndarray, np.ndarray, int, list[str]]:
    """Class numbers or numbers, which rows count, the number of folds, and notes."""
    n, notes = len(labels), []
    if labels.dtype.kind == "f":
        if not np.isfinite(labels).all():
            raise ValueError(f"labels[{int(np.flatnonzero(~np.isfinite(labels))[0])}] is not finite")
        if np.any(labels != np.round(labels)) or 2 * len(np.unique(labels)) > n:
            if np.ptp(labels) == 0:
                raise ValueError("labels has one value only; nothing can be learnt from it")
            if n < 2 * folds:
                raise ValueError(f"{n} objects are too few for {folds} folds")
            return labels.astype(np.float64), np.ones(n, bool), folds, notes
    classes, codes, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    if len(classes) < 2:
        raise ValueError(f"labels has one class only, {str(classes[0])!r}; at least two are needed")
    rare = sizes < LEAST_FOLDS
    if rare.any():
        listed = ", ".join(str(name) for name in classes[rare][:5]) + ", …" * int(rare.sum() > 5)
        notes.append(
            f"{int(rare.sum())} classes have fewer than {LEAST_FOLDS} members and are left out of the evaluation "
            f"({int(sizes[rare].sum())} objects): {listed}."
        )
        if (~rare).sum() < 2:
            raise ValueError(
                f"only {int((~rare).sum())} class of labels has {LEAST_FOLDS} members or more; two are needed"
            )
    smallest = int(sizes[~rare].min())
    if smallest < folds:
        name = classes[~rare][int(np.argmin(sizes[~rare]))]
        notes.append(
            f"{folds} folds were asked for, but class {str(name)!r} has {smallest} members: {smallest} folds are used."
        )
        folds = smallest
    place = np.cumsum(~rare) - 1
    return place[codes].astype(np.int64), ~rare[codes], folds, notes


def together_of(representations: Representations, together: Any) -> np.ndarray:
    """A number for each row, the same for rows that are equal in all embeddings or that are said to belong together."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    n = len(representations)
    seen: dict[int, int] = {}
    equal = np.empty(n, np.int64)
    for start in range(0, n, STEP):
        blocks = [np.ascontiguousarray(representations.block(i, start, start + STEP)) for i in
                  range(len(representations.names))]  # fmt: skip
        for row in range(len(blocks[0])):
            key = hash(tuple(block[row].tobytes() for block in blocks))
            equal[start + row] = seen.setdefault(key, len(seen))
    if together is None:
        return equal
    together = np.asarray(together)
    if together.shape != (n,):
        raise ValueError(f"together has shape {together.shape}; one group for each of the {n} objects is needed")
    codes = np.unique(together, return_inverse=True)[1] + len(seen)
    size = int(codes.max()) + 1
    graph = coo_matrix((np.ones(n), (equal, codes)), shape=(size, size))
    return connected_components(graph, directed=False)[1][equal]
