"""What single embeddings and their ensembles are worth on a target, measured on rows that nothing was fitted on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import check_count, generator
from helpers.ensembles.estimators import (
    QP,
    ClusterPCA,
    ConcatPCA,
    Ensemble,
    Greedy,
    MeanOfLayers,
    QPSelectionPCA,
)
from helpers.ensembles.representations import Representations
from helpers.inference import Paired, interval, paired
from helpers.report.moments import Moments, leading_axes, linear_cka

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "BEST",
    "PLAIN",
    "Evaluation",
    "Plan",
    "by_qrels",
    "by_labels",
    "by_pairs",
    "ensembles",
    "evaluate",
    "fit_ensemble",
    "folds_of",
    "gains",
    "kind_of",
    "scores",
]

BEST = "best single"
PLAIN = "concatenation + PCA"
WEIGHTED = "QP + selection + PCA"
LEAST_FOLDS = 3
#: The λ of quadratic programs among which the training part of each fold chooses.
LAMBDAS = (0.05, 0.2, 1.0)
BLOCKS = 1000
SEARCHED = 10_000  # objects, where groups alone say what is relevant
RESAMPLES = 1999
DRAWN = 1 << 21
STEP = 2048


@dataclass(frozen=True)
class Evaluation:
    """Scores on held-out items, of every single embedding, of the best single one and of every ensemble.

    Attributes
    ----------
    metric
        ``"accuracy"``, ``"R²"``, ``"Spearman"`` or ``"nDCG@10"``; larger is better.
    chance
        What knows nothing of the objects scores.
    items : DataFrame (items, methods)
        What each held-out item adds: the score is the mean of a column. For pairs: their cosines.
    groups : ndarray of shape (items,)
        Items with one number are not independent of each other.
    folds : DataFrame
        For each fold the single embedding that its training part chose (``best single``), the quality of each embedding
        there, and ``items``.
    weights : DataFrame
        Rows (method, fold), a column for each embedding.
    target : ndarray or None
        For pairs: their scores and folds, (items, 2).
    notes : list of str
        What had to be done differently from what was asked for.
    """

    metric: str
    chance: float
    items: pd.DataFrame
    groups: np.ndarray
    folds: pd.DataFrame
    weights: pd.DataFrame
    target: np.ndarray | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def methods(self) -> list[str]:
        """Names of the ensembles."""
        return list(dict.fromkeys(self.weights["method"]))


@dataclass(frozen=True)
class Plan:
    """How :func:`by_labels`, :func:`by_pairs` and :func:`by_judgements` evaluate; their keyword arguments.

    Attributes
    ----------
    groups
        As :func:`helpers.report.same_groups` gives them; each embedding for itself by default.
    width, normalize, added
        Of the ensembles, see :func:`ensembles`; by default as wide as the widest embedding.
    folds
        At least 3.
    lambdas
        The λ of quadratic programs to choose among.
    rng
        Of the folds.
    step
        ``step(what, function)`` calls a function, or gives what it gave before, as :class:`helpers.report.Steps` does.
    """

    groups: Mapping[str, Sequence[str]] | None = None
    width: int | None = None
    folds: int = 5
    lambdas: Sequence[float] = LAMBDAS
    normalize: str | None = "unit"
    added: bool = False
    rng: int | np.random.Generator = 0
    step: Callable[[str, Callable[[], Any]], Any] = lambda what, function: function()

    def __post_init__(self) -> None:
        check_count(self.folds, "folds", least=LEAST_FOLDS)

    def groups_of(self, names: Sequence[str]) -> Mapping[str, Sequence[str]]:
        return {name: [name] for name in names} if self.groups is None else self.groups

    def width_of(self, widths: Sequence[int], rows: int) -> int:
        """The width of the ensembles that so many training rows allow."""
        most = min(sum(widths), rows - 1)
        if self.width is not None and check_count(self.width, "width") > most:
            raise ValueError(
                f"width is {self.width}; {rows} training rows of {sum(widths)} features have at most {most} principal "
                "axes"
            )
        return min(max(widths), most) if self.width is None else self.width

    def recipes(self, names, widths, quality, width: int, lam: float) -> dict[str, tuple[list[str], Ensemble]]:
        """What :func:`ensembles` gives for this λ."""
        shared = {"normalize": self.normalize, "added": self.added}
        return ensembles(names, widths, quality, self.groups_of(names), width=width, lam=lam, **shared)


def ensembles(
    names: Sequence[str],
    widths: Sequence[int],
    quality: Sequence[float],
    groups: Mapping[str, Sequence[str]],
    *,
    width: int,
    lam: float = 0.1,
    normalize: str | None = "unit",
    added: bool = False,
) -> dict[str, tuple[list[str], Ensemble]]:
    """The ensembles of a report: label → the embeddings it is given, and the unfitted estimator.

    Parameters
    ----------
    names, widths, quality
        Of the embeddings.
    groups
        As :func:`helpers.report.same_groups` gives them: *one of each group* takes the best member of each.
    width
        Of the result; less where fewer features go in.
    lam
        λ of the quadratic program.
    normalize
        As in :class:`helpers.ensembles.Ensemble`.
    added
        The embeddings have coordinates in common, as the layers of one model do: also the ensembles that add them up.
    """
    names, total = list(names), int(sum(widths))
    of = dict(zip(names, quality, strict=True))
    kept = [max(members, key=lambda name: of[name]) for members in groups.values()]
    kept = [name for name in names if name in kept]
    shared = {"normalize": normalize}
    all_of = min(width, total)
    out: dict[str, tuple[list[str], Ensemble]] = {
        PLAIN: (names, ConcatPCA(all_of, **shared)),
        "concatenation + PCA, whitened": (names, ConcatPCA(all_of, whiten=1.0, **shared)),
        WEIGHTED: (names, QPSelectionPCA(lam, all_of, **shared)),
    }
    if 0 < len(kept) < len(names):
        fewer = min(width, sum(w for name, w in zip(names, widths, strict=True) if name in kept))
        out["one of each group + PCA"] = (kept, ConcatPCA(fewer, **shared))
    if added:
        pad = {"align": "pad", **shared}
        count = max(1, min(len(groups), len(names)))
        out["mean"] = (names, MeanOfLayers(**pad))
        out["QP"] = (names, QP(lam, **pad))
        out["greedy"] = (names, Greedy(min(4, len(names)), lam=lam, **pad))
        out["cluster + PCA"] = (names, ClusterPCA(min(4, count), min(width, max(widths)), lam=lam, **pad))
    return out


def folds_of(
    n: int, folds: int, *, labels: np.ndarray | None = None, together: np.ndarray | None = None, rng: Any = 0
) -> np.ndarray:
    """The fold of each row: classes spread evenly, rows of one group in one fold.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.report.evaluation import folds_of
    >>> found = folds_of(6, 3, labels=np.array([0, 0, 0, 1, 1, 1]))
    >>> sorted(found[:3]), sorted(found[3:])
    ([np.int64(0), np.int64(1), np.int64(2)], [np.int64(0), np.int64(1), np.int64(2)])
    """
    rng = generator(rng)
    _, first, group = np.unique(np.arange(n) if together is None else together, return_index=True, return_inverse=True)
    order = rng.permutation(len(first))
    if labels is not None:
        order = order[np.argsort(labels[first][order], kind="stable")]
    fold = np.empty(len(first), dtype=np.int64)
    fold[order] = np.arange(len(first)) % folds
    return fold[group]


def evaluate(inputs: Any, **options: Any) -> Evaluation | None:
    """The evaluation that the input allows: by labels, by pairs, by judgements or by groups; ``None`` without any.

    Parameters
    ----------
    inputs : helpers.inputs.Inputs
        The first that it has of labels, pairs, judgements and groups counts. Beside labels, groups say which rows stay
        in one fold; alone they are judgements: the members of the group of an object are relevant to it, for at most
        1000 objects, among at most 10 000, both drawn at random, which ``notes`` say.
    **options
        Those of :class:`Plan`.
    """
    kind = kind_of(inputs)
    if kind == "labels":
        return by_labels(inputs.representations, inputs.labels, together=inputs.groups, **options)
    if kind == "pairs":
        pairs = inputs.pairs
        return by_pairs(inputs.representations, pairs[["left", "right"]].to_numpy(), pairs["score"], **options)
    if kind == "qrels":
        if inputs.qrels is not None:
            return by_qrels(inputs.representations, inputs.qrels, **options)
        n, few = len(inputs.groups), np.arange(len(inputs.groups))
        if n > SEARCHED:
            few = np.sort(generator(0).choice(n, SEARCHED, replace=False))
        found = by_qrels(Representations(inputs.representations)[few], _judged(inputs.groups[few]), **options)
        if n > SEARCHED:
            found.notes.append(f"The search is among {SEARCHED} of the {n} objects, drawn at random.")
        return found
    return None


def kind_of(inputs: Any) -> str | None:
    """``"labels"``, ``"pairs"``, ``"qrels"`` or ``None``: what :func:`evaluate` goes by."""
    if inputs.labels is not None:
        return "labels"
    if inputs.pairs is not None:
        return "pairs"
    return "qrels" if inputs.qrels is not None or inputs.groups is not None else None


def _judged(groups: np.ndarray, queries: int = 1000) -> pd.DataFrame:
    """Judgements by which the members of a group are relevant to each other."""
    import pandas as pd

    codes = np.unique(groups, return_inverse=True)[1]
    asked = generator(0).permutation(np.flatnonzero(np.bincount(codes)[codes] > 1))[:queries]
    members = np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1])
    parts = [
        pd.DataFrame({"query": query, "document": np.setdiff1d(members[codes[query]], [query]), "grade": 1.0})
        for query in asked
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["query", "document", "grade"])


def by_labels(
    representations: Mapping[str, Any],
    labels: Any,
    *,
    together: np.ndarray | None = None,
    **options: Any,
) -> Evaluation:
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
        Those of :class:`Plan`. There are fewer folds than asked for where a class has fewer members, which ``notes``
        say; classes with fewer than 3 members are left out. Of the λ, each fitted without one more fold, the best on
        that fold is taken.

    Returns
    -------
    Evaluation

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

    plan = Plan(**options)
    representations = Representations(representations)
    n, names, widths = len(representations), representations.names, representations.widths
    labels = np.asarray(labels)
    if labels.shape != (n,):
        raise ValueError(f"labels has shape {labels.shape}; one label for each of the {n} objects is needed")
    targets, used, folds, notes = _targets(labels, plan.folds)
    together = _together(representations, together)
    fold = np.full(n, -1)
    fold[used] = folds_of(
        int(used.sum()), folds, labels=targets[used] if targets.dtype.kind == "i" else None, together=together[used],
        rng=plan.rng,
    )  # fmt: skip
    least = int(used.sum()) - int(np.bincount(fold[used], minlength=folds).max())
    if np.bincount(fold[used], minlength=folds).min() == 0:
        raise ValueError(f"{len(set(together[used]))} independent rows do not fill {folds} folds")
    width = plan.width_of(widths, least)
    moments = _Once(lambda: Moments(representations, fold, targets, plan.normalize, lambda rows: None))
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
    return Evaluation(metric, chance, items, together[np.sort(rows)], chosen, weights, notes=notes)


def _inner(moments: Moments, folds: int) -> pd.DataFrame:
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


def _single(moments: Moments, train: Sequence[int], part: slice) -> tuple[np.ndarray, np.ndarray]:
    """Probe of one embedding, for shifted features: coefficients and intercept."""
    probe = moments.probe(train, moments.scatter(train, part), moments.toward(train, part))
    return probe.coefficients, probe.intercept - moments.mean(train)[part] @ probe.coefficients


def _items(scores: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """1 where the class is right, else 0; for numbers the squared error."""
    if targets.dtype.kind in "iu":
        return (scores.argmax(axis=1) == targets).astype(np.float64)
    return (scores[:, 0] - targets) ** 2


def _outer(
    moments: Moments, folds: int, k: int, quality: np.ndarray, width: int, plan: Plan
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

    def __init__(self, moments: Moments, train: Sequence[int]):
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


def _predicted(moments: Moments, k: int, maps: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Iterator[pd.DataFrame]:
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
    moments: Moments,
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


def mixing_of(
    estimator: Ensemble, names: Sequence[str], widths: Sequence[int], quality: np.ndarray, similarity: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Weights and mixing matrix that an ensemble finds from qualities and similarities alone."""
    blank = Representations({n: np.broadcast_to(np.float32(0), (2, w)) for n, w in zip(names, widths, strict=True)})
    takes = "similarity" in estimator.get_params(deep=False)
    return estimator._mix(blank, None, quality if takes else None, similarity if takes else None)


def fit_ensemble(estimator: Ensemble, representations: Any, quality: np.ndarray, similarity: np.ndarray) -> Ensemble:
    """The fitted ensemble; of a projection no wider than the rows and the features that it selects allow."""
    data = Representations(representations)
    if estimator._projects:
        mixing = mixing_of(estimator, data.names, data.widths, quality, similarity)[1]
        size = sum(max(width for width, c in zip(data.widths, part, strict=True) if c) for part in mixing)
        estimator.set_params(width=min(estimator.width, size, len(data) - 1))
    return estimator.fit(data, quality=quality, similarity=similarity)


def linear_map(
    estimator: Ensemble,
    mixing: np.ndarray,
    at: Sequence[int],
    scatter: np.ndarray,
    edges: np.ndarray,
    count: float,
    known: dict,
) -> np.ndarray:
    """What the fitted ensemble does to centred features, (all features, its width), from their scatter.

    ``known`` keeps axes, which ensembles that differ in whitening only share.
    """
    widths = np.diff(edges)[list(at)]
    parts = [int(max(widths[g != 0])) for g in mixing]
    lefts = np.cumsum([0, *parts])
    blocks = [
        (g, int(edges[at[i]]), int(widths[i]), coefficient)
        for g, row in enumerate(mixing)
        for i, coefficient in enumerate(row)
        if coefficient
    ]
    if not estimator._projects:
        out = np.zeros((len(scatter), lefts[-1]))
        for g, left, size, coefficient in blocks:
            out[left : left + size, lefts[g] : lefts[g] + size] += coefficient * np.eye(size)
        return out
    key = mixing.tobytes(), tuple(at), estimator.width
    if key not in known:
        if len(blocks) == len(parts):  # side by side
            columns = np.concatenate([np.arange(left, left + size) for _, left, size, _ in blocks])
            scale = np.repeat([c for *_, c in blocks], [size for _, _, size, _ in blocks]).astype(scatter.dtype)
            whole = len(columns) == len(scatter) and np.all(scale == scale[0])
            combined = scatter * scale[0] ** 2 if whole else scatter[np.ix_(columns, columns)] * scale * scale[:, None]
        else:
            combined = np.zeros((lefts[-1], lefts[-1]), scatter.dtype)
            for g, left, size, c in blocks:
                for h, other, length, d in blocks:
                    target = combined[lefts[g] : lefts[g] + size, lefts[h] : lefts[h] + length]
                    target += c * d * scatter[left : left + size, other : other + length]
        known[key] = leading_axes(combined, min(estimator.width, int(count) - 1), lefts, known)
    values, axes = known[key]
    axes = axes * (values / (count - 1)) ** (-estimator.whiten / 2)
    out = np.zeros((len(scatter), axes.shape[1]))
    for g, left, size, coefficient in blocks:
        out[left : left + size] += coefficient * axes[lefts[g] : lefts[g] + size]
    return out


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


def _targets(labels: np.ndarray, folds: int) -> tuple[np.ndarray, np.ndarray, int, list[str]]:
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


def _together(representations: Representations, together: Any) -> np.ndarray:
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


def by_pairs(representations: Mapping[str, Any], pairs: Any, given: Any, **options: Any) -> Evaluation:
    """Rank correlation of cosines with the scores of pairs, on pairs that no quality, weight or axis has seen.

    Pairs that share objects, directly or through other pairs, stay in one fold as long as such a chain is not longer
    than half of all pairs; else pairs are dealt at random, and only scores, not objects, are new in a test fold, which
    ``notes`` say. Of single embeddings the rows as they are and the rows less the training mean are both candidates
    for the best one, because the ensembles with axes are centred as well.

    Parameters
    ----------
    representations
        As in :func:`by_labels`.
    pairs : array_like of shape (m, 2)
        Row numbers.
    given : array_like of shape (m,)
        The score of each pair.
    **options
        Those of :class:`Plan`.

    Returns
    -------
    Evaluation
        The score is the mean over folds of Spearman's correlation.

    Raises
    ------
    ValueError
        If there are fewer than 4 pairs a fold, pairs point outside the rows, or all scores are equal.
    """
    plan = Plan(**options)
    pairs, given = np.asarray(pairs), np.asarray(given, dtype=np.float64)
    representations = Representations(representations)
    n = len(representations)
    if pairs.ndim != 2 or pairs.shape[1] != 2 or pairs.dtype.kind not in "iu" or given.shape != (len(pairs),):
        raise ValueError(f"pairs has shape {pairs.shape} and its scores {given.shape}; (m, 2) and (m,) are needed")
    if pairs.min() < 0 or pairs.max() >= n:
        raise ValueError(f"pairs name rows {pairs.min()} to {pairs.max()}; there are rows 0 to {n - 1}")
    if np.ptp(given) == 0:
        raise ValueError("all pairs have one score; nothing can be correlated with it")
    if len(pairs) < 4 * plan.folds:
        raise ValueError(f"{len(pairs)} pairs are too few for {plan.folds} folds; at least {4 * plan.folds} are needed")
    linked = _linked(n, pairs)[pairs[:, 0]]
    notes = []
    if np.bincount(linked).max() > len(pairs) / 2:
        notes.append(
            "Most pairs are chained by the objects that they share, so a test fold has new pairs of objects that "
            "training pairs know too; principal axes, which see no scores, are those of all objects."
        )
        linked, apart = np.arange(len(pairs)), False
    else:
        apart = True
    fold = folds_of(len(pairs), plan.folds, together=linked, rng=plan.rng)

    def quality(vectors: Callable[[np.ndarray], np.ndarray], which: np.ndarray) -> float:
        return _spearman(_cosines(vectors, pairs[which]), given[which])

    def held(vectors: Callable[[np.ndarray], np.ndarray], which: np.ndarray) -> np.ndarray:
        return _cosines(vectors, pairs[which])

    def train_rows(k: int) -> np.ndarray:
        keep = np.ones(n, bool)
        if apart:
            keep[pairs[fold == k].ravel()] = False
        return np.flatnonzero(keep)

    found = _by_cosine(representations, fold, train_rows, quality, held, plan)
    return Evaluation(
        "Spearman", 0.0, found["items"], linked, found["folds"], found["weights"],
        np.column_stack([given, fold]), notes,
    )  # fmt: skip


def by_qrels(representations: Mapping[str, Any], qrels: Any, **options: Any) -> Evaluation:
    """nDCG@10 of a search by cosine, on queries that no quality, weight or axis has seen.

    Parameters
    ----------
    representations
        As in :func:`by_labels`.
    qrels : DataFrame
        ``query`` and ``document``, row numbers, and ``grade`` (0 is irrelevant). Every object that is nobody's query is
        searched; if a query is also a document of another one, all objects but the query itself are.
    **options
        Those of :class:`Plan`.

    Returns
    -------
    Evaluation
        One item per query. ``chance`` is the mean score of a random order.

    Raises
    ------
    ValueError
        If fewer than two queries a fold have a relevant document.

    Notes
    -----
    Järvelin and Kekäläinen (2002), Cumulated gain-based evaluation of IR techniques, ACM TOIS 20, with the grade as
    gain.
    """
    plan = Plan(**options)
    representations = Representations(representations)
    n, least = len(representations), 2 * plan.folds
    relevant = qrels[qrels["grade"] > 0]
    queries = np.unique(relevant["query"].to_numpy())
    if len(queries) < least:
        raise ValueError(f"{len(queries)} queries have a relevant document; {plan.folds} folds need at least {least}")
    documents = np.setdiff1d(np.arange(n), qrels["query"].to_numpy())
    if not np.isin(relevant["document"].to_numpy(), documents).all():
        documents = np.arange(n)
    place = np.full(n, -1)
    place[documents] = np.arange(len(documents))
    grades: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    for query, part in relevant.groupby("query"):
        grades[int(query)] = place[part["document"].to_numpy()], part["grade"].to_numpy(dtype=np.float64)
    fold = folds_of(len(queries), plan.folds, rng=plan.rng)

    def held(vectors: Callable[[np.ndarray], np.ndarray], which: np.ndarray) -> np.ndarray:
        asked = queries[which]
        return _ndcg(vectors, asked, documents, [grades[int(q)] for q in asked], place[asked])

    def quality(vectors: Callable[[np.ndarray], np.ndarray], which: np.ndarray) -> float:
        return float(held(vectors, which).mean())

    def train_rows(k: int) -> np.ndarray:
        keep = np.ones(n, bool)
        if len(documents) < n:
            keep[queries[fold == k]] = False
        return np.flatnonzero(keep)

    found = _by_cosine(representations, fold, train_rows, quality, held, plan)
    tops = min(10, len(documents))
    # A random order has this on average, whatever the grades: the expected gain at each place is the mean grade.
    discount = 1 / np.log2(np.arange(2, tops + 2))
    chance = np.mean([
        g.sum() / len(documents) * discount.sum() / _ideal(g) for _, g in grades.values()
    ])  # fmt: skip
    return Evaluation(
        "nDCG@10", float(chance), found["items"], np.arange(len(queries)), found["folds"], found["weights"]
    )  # fmt: skip


def _by_cosine(
    representations: Representations,
    fold: np.ndarray,
    train_rows: Callable[[int], np.ndarray],
    quality: Callable[..., float],
    held: Callable[..., np.ndarray],
    plan: Plan,
) -> dict[str, pd.DataFrame]:
    """Fold by fold: qualities on training items, ensembles fitted on training rows, values of the held-out items."""
    import pandas as pd

    names, widths, folds = representations.names, representations.widths, plan.folds
    width = plan.width_of(widths, min(len(train_rows(k)) for k in range(folds)))

    def one(k: int) -> dict[str, pd.DataFrame]:
        rows = train_rows(k)
        train = representations[rows]
        test, rest = np.flatnonzero(fold == k), np.flatnonzero(fold != k)
        candidates = {}
        for i, name in enumerate(names):
            mean = np.mean([train.block(i, *at).mean(axis=0) for at in train.starts(widths[i])], axis=0)
            for label, shift in ((name, 0), (f"{name}, centred", mean)):
                candidates[label] = lambda at, i=i, shift=shift: representations[at].block(i) - shift
        found = {label: quality(vectors, rest) for label, vectors in candidates.items()}
        of = np.array([max(found[name], found[f"{name}, centred"]) for name in names])
        best = max(found, key=found.__getitem__)
        few = train if len(train) <= 5000 else train[np.sort(generator(k).choice(len(train), 5000, replace=False))]
        blocks = [few.block(i).astype(np.float64) for i in range(len(names))]
        blocks = [x - x.mean(axis=0) for x in (_unit(x) if plan.normalize == "unit" else x for x in blocks)]
        joined = np.concatenate(blocks, axis=1)
        similarity = linear_cka(joined.T @ joined, np.cumsum([0, *widths]))
        values = {label: held(vectors, test) for label, vectors in candidates.items()}

        def fitted(label: str, lam: float) -> tuple[Ensemble, Callable[[np.ndarray], np.ndarray]]:
            subset, estimator = recipes(lam)[label]
            at = [names.index(name) for name in subset]
            part = Representations({name: _View(representations, i) for name, i in zip(subset, at, strict=True)})
            fit_ensemble(estimator, part[rows], of[at], similarity[np.ix_(at, at)])
            return estimator, lambda which: estimator.transform(part[which])

        recipes, lambdas = partial(plan.recipes, names, widths, of, width), plan.lambdas
        tried = (
            {lam: quality(fitted(WEIGHTED, lam)[1], rest) for lam in lambdas} if len(lambdas) > 1 else {lambdas[0]: 0.0}
        )
        lam = max(tried, key=tried.__getitem__)
        weights = []
        for label in recipes(lam):
            estimator, vectors = fitted(label, lam)
            values[label] = held(vectors, test)
            weights.append({"method": label, "fold": k, **dict.fromkeys(names, 0.0), **estimator.weights_.to_dict()})
        items = pd.DataFrame({"row": test, **values, BEST: values[best]})
        about = {BEST: best, "lambda": lam, "items": len(test)}
        about |= {f"quality of {name}": q for name, q in zip(names, of, strict=True)}
        return {"items": items, "folds": pd.DataFrame([about]), "weights": pd.DataFrame(weights)}

    parts = [plan.step(f"ensembles on fold {k + 1} of {folds}", lambda k=k: one(k)) for k in range(folds)]
    items = pd.concat([part["items"] for part in parts]).set_index("row").sort_index()
    chosen = pd.concat([part["folds"] for part in parts], ignore_index=True)
    return {"items": items, "folds": chosen, "weights": pd.concat([part["weights"] for part in parts])}


class _View:
    """One of several representations, read by rows."""

    def __init__(self, representations: Representations, index: int):
        self.source, self.index = representations, index
        self.shape = (len(representations), representations.widths[index])
        self.dtype = representations.block(index, 0, 1).dtype

    def __getitem__(self, rows: Any) -> np.ndarray:
        return self.source[rows].block(self.index)


def _linked(n: int, pairs: np.ndarray) -> np.ndarray:
    """The component of each object in the graph of pairs."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    graph = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    return connected_components(graph, directed=False)[1]


def _unit(x: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(x, axis=1, keepdims=True)
    return x / np.where(length > 0, length, 1)


def _cosines(vectors: Callable[[np.ndarray], np.ndarray], pairs: np.ndarray) -> np.ndarray:
    parts = [
        np.sum(_unit(vectors(pairs[at : at + STEP, 0])) * _unit(vectors(pairs[at : at + STEP, 1])), axis=1)
        for at in range(0, len(pairs), STEP)
    ]
    return np.concatenate(parts).astype(np.float64)


def _spearman(a: np.ndarray, b: np.ndarray) -> Any:
    """Spearman's correlation along the last axis; 0 where one side is constant."""
    from scipy.stats import rankdata

    a, b = (rankdata(x, axis=-1) for x in (a, b))
    a, b = (x - x.mean(axis=-1, keepdims=True) for x in (a, b))
    length = np.sqrt(np.sum(a * a, axis=-1) * np.sum(b * b, axis=-1))
    return np.sum(a * b, axis=-1) / np.where(length > 0, length, 1)


def _ndcg(
    vectors: Callable[[np.ndarray], np.ndarray],
    queries: np.ndarray,
    documents: np.ndarray,
    grades: Sequence[tuple[np.ndarray, np.ndarray]],
    own: np.ndarray,
) -> np.ndarray:
    """nDCG@10 of each query; neither all documents nor all scores are held at once."""
    asked, tops = _unit(vectors(queries)), min(10, len(documents))
    best = np.full((len(queries), tops), -np.inf, asked.dtype)
    first = np.zeros((len(queries), tops), dtype=np.int64)
    for start in range(0, len(documents), 4 * STEP):
        found = _unit(vectors(documents[start : start + 4 * STEP])).T
        place = np.arange(start, start + found.shape[1])
        for at in (slice(low, low + 512) for low in range(0, len(queries), 512)):
            scores = asked[at] @ found
            inside = own[at] - start
            itself = np.flatnonzero((inside >= 0) & (inside < len(place)))
            scores[itself, inside[itself]] = -np.inf
            scores = np.concatenate([best[at], scores], axis=1)
            known = np.concatenate([first[at], np.broadcast_to(place, (len(inside), len(place)))], axis=1)
            top = np.argpartition(-scores, tops - 1, axis=1)[:, :tops]
            best[at], first[at] = (np.take_along_axis(x, top, axis=1) for x in (scores, known))
    first = np.take_along_axis(first, np.argsort(-best, axis=1, kind="stable"), axis=1)
    out = np.empty(len(queries))
    for row, (top, (at, given)) in enumerate(zip(first, grades, strict=True)):
        known = dict(zip(at.tolist(), given.tolist(), strict=True))
        out[row] = _gain(np.array([known.get(int(d), 0.0) for d in top]), given)
    return out


def _gain(found: np.ndarray, given: np.ndarray) -> float:
    return float(np.sum(found / np.log2(np.arange(2, len(found) + 2))) / _ideal(given))


def _ideal(given: np.ndarray) -> float:
    best = np.sort(given)[::-1][:10]
    return float(np.sum(best / np.log2(np.arange(2, len(best) + 2))))


def scores(
    evaluation: Evaluation, *, confidence_level: float = 0.95, rng: int | np.random.Generator = 0
) -> pd.DataFrame:
    """The score of every single embedding, of the best single one and of every ensemble, with its interval.

    Returns
    -------
    DataFrame
        ``score``, ``ci_low``, ``ci_high``, ``chance`` by method, and ``kind``: ``"single"`` or ``"ensemble"``.
    """
    import pandas as pd

    kinds = dict.fromkeys(evaluation.methods, "ensemble")
    if evaluation.target is not None:
        draws, value = _pair_draws(evaluation, rng)
        found = {
            name: interval(draws[name], statistic=None, estimate=value[name], confidence_level=confidence_level)
            for name in evaluation.items.columns
        }
    else:
        blocks = _blocked(evaluation, rng)
        found = {
            name: interval(blocks[name], confidence_level=confidence_level, n_resamples=RESAMPLES, rng=rng)
            for name in evaluation.items.columns
        }  # fmt: skip
    rows = {
        name: {"kind": kinds.get(name, "single"), "score": of.estimate, "ci_low": of.low, "ci_high": of.high,
               "chance": evaluation.chance}
        for name, of in found.items()
    }  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("method")


def gains(
    evaluation: Evaluation,
    against: Sequence[str] = (BEST, PLAIN),
    *,
    confidence_level: float = 0.95,
    rng: int | np.random.Generator = 0,
) -> pd.DataFrame:
    """The gain of every ensemble over references on the same held-out items, with a verdict.

    Parameters
    ----------
    evaluation
        As :func:`by_labels`, :func:`by_pairs` or :func:`by_judgements` gives it.
    against
        Columns of its items.
    confidence_level
        Probability that *all* intervals against one reference hold together: with m ensembles each has the level
        1 - (1 - level) / m (Bonferroni), because the reader will look at the best of them.
    rng
        Of the resampling.

    Returns
    -------
    DataFrame
        ``method``, ``against``, ``gain``, ``ci_low``, ``ci_high``, ``p`` and ``verdict``, one of
        :data:`helpers.inference.VERDICTS`.
    """
    import pandas as pd

    rows = []
    if evaluation.target is not None:
        draws, value = _pair_draws(evaluation, rng)
    else:
        blocks = _blocked(evaluation, rng)
    for reference in against:
        methods = [name for name in evaluation.methods if name != reference]
        each = 1 - (1 - confidence_level) / max(len(methods), 1)
        for method in methods:
            if evaluation.target is not None:
                found = paired(
                    value[method], value[reference], draws=(draws[method], draws[reference]), confidence_level=each
                )
            else:
                a, b = blocks[method], blocks[reference]
                if np.array_equal(a, b):
                    found = Paired(0.0, 0.0, 0.0, 1.0, "not distinguishable", len(a), each)
                else:
                    found = paired(a, b, confidence_level=each, n_resamples=RESAMPLES, rng=rng)
            rows.append({
                "method": method, "against": reference, "gain": found.difference,
                "ci_low": found.low, "ci_high": found.high,
                "p": found.p, "verdict": found.verdict,
            })  # fmt: skip
    return pd.DataFrame(rows, columns=["method", "against", "gain", "ci_low", "ci_high", "p", "verdict"])


def _blocked(evaluation: Evaluation, rng: int | np.random.Generator) -> dict[str, np.ndarray]:
    """Sums over groups of items, dealt at random to at most 1000 blocks, scaled so that their mean is the score."""
    codes = np.unique(evaluation.groups, return_inverse=True)[1]
    count = int(codes.max()) + 1
    if count > BLOCKS:
        codes = (generator(rng).permutation(count) % BLOCKS)[codes]
        count = BLOCKS
    scale = count / len(codes)
    return {
        name: np.bincount(codes, weights=evaluation.items[name].to_numpy(np.float64), minlength=count) * scale
        for name in evaluation.items.columns
    }


def _pair_draws(evaluation: Evaluation, rng: int | np.random.Generator) -> tuple[pd.DataFrame, pd.Series]:
    """Bootstrap draws of the mean Spearman correlation over folds, the same resampled pairs for all methods."""
    import pandas as pd

    rng = generator(rng)
    given, fold = evaluation.target[:, 0], evaluation.target[:, 1].astype(int)
    folds = np.unique(fold)
    draws = {name: np.zeros(RESAMPLES // 2) for name in evaluation.items.columns}
    value = dict.fromkeys(evaluation.items.columns, 0.0)
    for k in folds:
        rows = np.flatnonzero(fold == k)
        codes = np.unique(evaluation.groups[rows], return_inverse=True)[1]
        members = np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1])
        whole = codes.max() + 1 == len(rows)
        for name in evaluation.items.columns:
            value[name] += _spearman(evaluation.items[name].to_numpy()[rows], given[rows]) / len(folds)
        cosines = evaluation.items.to_numpy()[rows].T
        size = max(1, DRAWN // cosines.size) if whole else 1
        for start in range(0, RESAMPLES // 2, size):
            which = rng.integers(len(members), size=(min(size, RESAMPLES // 2 - start), len(members)))
            at = which if whole else np.concatenate([members[i] for i in which[0]])[None]
            found = _spearman(cosines[:, at], given[rows][at])
            for name, values in zip(evaluation.items.columns, found, strict=True):
                draws[name][start : start + len(at)] += values / len(folds)
    return pd.DataFrame(draws), pd.Series(value)
