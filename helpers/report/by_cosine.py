"""Embeddings and ensembles judged by cosines: of pairs with scores, and of queries with relevant documents."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import generator, unit_rows
from helpers.ensembles.base import Ensemble
from helpers.ensembles.representations import Representations
from helpers.metrics import ndcg_of_ranking, spearman
from helpers.report.evaluation import BEST, EvaluationPlan, TargetEvaluation, folds_of
from helpers.report.moments import linear_cka
from helpers.report.recipes import WEIGHTED, fit_ensemble

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["evaluate_by_pairs", "evaluate_by_qrels"]

STEP = 2048


def evaluate_by_pairs(representations: Mapping[str, Any], pairs: Any, given: Any, **options: Any) -> TargetEvaluation:
    """Rank correlation of cosines with the scores of pairs, on pairs that no quality, weight or axis has seen.

    Pairs that share objects, directly or through other pairs, stay in one fold as long as such a chain is not longer
    than half of all pairs; else pairs are dealt at random, and only scores, not objects, are new in a test fold, which
    ``notes`` say. Of single embeddings the rows as they are and the rows less the training mean are both candidates
    for the best one, because the ensembles with axes are centred as well.

    Parameters
    ----------
    representations
        Name → array of shape (n, p).
    pairs : array_like of shape (m, 2)
        Row numbers of the two objects of each pair.
    given : array_like of shape (m,)
        The score of each pair.
    **options
        Fields of :class:`helpers.report.EvaluationPlan`.

    Returns
    -------
    TargetEvaluation
        The score is the mean over folds of Spearman's correlation.

    Raises
    ------
    ValueError
        If there are fewer than 4 pairs a fold, pairs point outside the rows, or all scores are equal.
    """
    plan = EvaluationPlan(**options)
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
        return spearman(_cosines(vectors, pairs[which]), given[which], undefined=0.0)

    def held(vectors: Callable[[np.ndarray], np.ndarray], which: np.ndarray) -> np.ndarray:
        return _cosines(vectors, pairs[which])

    def train_rows(k: int) -> np.ndarray:
        keep = np.ones(n, bool)
        if apart:
            keep[pairs[fold == k].ravel()] = False
        return np.flatnonzero(keep)

    found = _by_cosine(representations, fold, train_rows, quality, held, plan)
    return TargetEvaluation(
        "Spearman", 0.0, found["items"], linked, found["folds"], found["weights"],
        np.column_stack([given, fold]), notes,
    )  # fmt: skip


def evaluate_by_qrels(representations: Mapping[str, Any], qrels: Any, **options: Any) -> TargetEvaluation:
    """nDCG@10 of a search by cosine, on queries that no quality, weight or axis has seen.

    Parameters
    ----------
    representations
        Name → array of shape (n, p).
    qrels : DataFrame
        ``query`` and ``document``, row numbers, and ``relevance`` (0 is irrelevant). Every object that is nobody's
        query is searched; if a query is also a document of another one, all objects but the query itself are.
    **options
        Fields of :class:`helpers.report.EvaluationPlan`.

    Returns
    -------
    TargetEvaluation
        One item per query. ``chance`` is the mean score of a random order.

    Raises
    ------
    ValueError
        If fewer than two queries a fold have a relevant document.

    Notes
    -----
    Järvelin and Kekäläinen (2002), Cumulated gain-based evaluation of IR techniques, ACM TOIS 20, with the relevance
    as gain.
    """
    plan = EvaluationPlan(**options)
    representations = Representations(representations)
    n, least = len(representations), 2 * plan.folds
    relevant = qrels[qrels["relevance"] > 0]
    queries = np.unique(relevant["query"].to_numpy())
    if len(queries) < least:
        raise ValueError(f"{len(queries)} queries have a relevant document; {plan.folds} folds need at least {least}")
    documents = np.setdiff1d(np.arange(n), qrels["query"].to_numpy())
    if not np.isin(relevant["document"].to_numpy(), documents).all():
        documents = np.arange(n)
    place = np.full(n, -1)
    place[documents] = np.arange(len(documents))
    relevances: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    for query, part in relevant.groupby("query"):
        relevances[int(query)] = place[part["document"].to_numpy()], part["relevance"].to_numpy(dtype=np.float64)
    fold = folds_of(len(queries), plan.folds, rng=plan.rng)

    def held(vectors: Callable[[np.ndarray], np.ndarray], which: np.ndarray) -> np.ndarray:
        asked = queries[which]
        return _ndcg(vectors, asked, documents, [relevances[int(q)] for q in asked], place[asked])

    def quality(vectors: Callable[[np.ndarray], np.ndarray], which: np.ndarray) -> float:
        return float(held(vectors, which).mean())

    def train_rows(k: int) -> np.ndarray:
        keep = np.ones(n, bool)
        if len(documents) < n:
            keep[queries[fold == k]] = False
        return np.flatnonzero(keep)

    found = _by_cosine(representations, fold, train_rows, quality, held, plan)
    # A random order has the mean relevance at each place, in expectation.
    means = [given.sum() / len(documents) for _, given in relevances.values()]
    random_order = np.outer(means, np.ones(min(10, len(documents))))
    chance = ndcg_of_ranking(random_order, [given for _, given in relevances.values()]).mean()
    return TargetEvaluation(
        "nDCG@10", float(chance), found["items"], np.arange(len(queries)), found["folds"], found["weights"]
    )  # fmt: skip


def _by_cosine(
    representations: Representations,
    fold: np.ndarray,
    train_rows: Callable[[int], np.ndarray],
    quality: Callable[..., float],
    held: Callable[..., np.ndarray],
    plan: EvaluationPlan,
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
        blocks = [x - x.mean(axis=0) for x in (unit_rows(x) if plan.normalize == "unit" else x for x in blocks)]
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


def _cosines(vectors: Callable[[np.ndarray], np.ndarray], pairs: np.ndarray) -> np.ndarray:
    parts = [
        np.sum(unit_rows(vectors(pairs[at : at + STEP, 0])) * unit_rows(vectors(pairs[at : at + STEP, 1])), axis=1)
        for at in range(0, len(pairs), STEP)
    ]
    return np.concatenate(parts).astype(np.float64)


def _ndcg(
    vectors: Callable[[np.ndarray], np.ndarray],
    queries: np.ndarray,
    documents: np.ndarray,
    relevances: Sequence[tuple[np.ndarray, np.ndarray]],
    own: np.ndarray,
) -> np.ndarray:
    """nDCG@10 of each query; neither all documents nor all scores are held at once."""
    asked, tops = unit_rows(vectors(queries)), min(10, len(documents))
    best = np.full((len(queries), tops), -np.inf, asked.dtype)
    first = np.zeros((len(queries), tops), dtype=np.int64)
    for start in range(0, len(documents), 4 * STEP):
        found = unit_rows(vectors(documents[start : start + 4 * STEP])).T
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
    found = np.zeros(first.shape)
    for row, (top, (at, given)) in enumerate(zip(first, relevances, strict=True)):
        known = dict(zip(at.tolist(), given.tolist(), strict=True))
        found[row] = [known.get(document, 0.0) for document in top.tolist()]
    return ndcg_of_ranking(found, [given for _, given in relevances])
