"""Values of every option on held-out items: labels by a probe, pairs by their cosines, queries by a search."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from helpers.arrays import generator, unit_rows
from helpers.ensembles.representations import Representations
from helpers.metrics import pair_cosines, spearman
from helpers.report.by_labels import targets_of, together_of
from helpers.report.evaluation import folds_of
from helpers.report.keeping.options import Option, list_options
from helpers.report.keeping.searching import Search
from helpers.report.keeping.vectors import Vectors
from helpers.report.moments import fit_probe
from helpers.report.targets import qrels_of_groups, target_kind

__all__ = ["Judged", "judged_by_target"]

#: Objects of labels at most, and documents of a search, if so many are not relevant; more are drawn at random.
OBJECTS = 10_000
#: Queries of a search at most: of each the scores of all documents are held.
QUERIES = 1_000
FOLDS = 2


@dataclass(frozen=True, eq=False)
class Judged:
    """Values of held-out items under each option.

    Attributes
    ----------
    options : list of Option
    metric : str
        ``"accuracy"``, ``"R²"``, ``"Spearman"`` or ``"nDCG@10"``.
    items : ndarray of shape (items, options)
        What each item adds: the score is the mean of a column; for pairs their cosines.
    groups : ndarray of shape (items,)
        Items with one number are not independent of each other.
    target : ndarray of shape (items,), or None
        For pairs: their given scores.
    notes : list of str
        What was drawn or left out.
    """

    options: list[Option]
    metric: str
    items: np.ndarray
    groups: np.ndarray
    target: np.ndarray | None
    notes: list[str]


def judged_by_target(inputs: Any, *, rng: int = 0, told: Callable[[str], Any] = lambda words: None) -> Judged:
    """Every option on the target that :func:`helpers.report.target_kind` names.

    Axes, rotations, weights, quantisers and probes are learnt from one half of the objects and tried on the other, by
    turns; of pairs and searches, which need no labels to be learnt from, axes, rotations and quantisers come from all
    objects that are searched, and weights from the other half of the items.

    Parameters
    ----------
    inputs : helpers.inputs.Inputs
    rng
        Seed of what is drawn and of the halves.
    told
        Called with what is done next.

    Raises
    ------
    ValueError
        If there is no target, or there are more than 6 embeddings.
    """
    kind = target_kind(inputs)
    if kind is None:
        raise ValueError("nothing says what the embeddings are for; give labels, pairs, qrels or groups")
    return {"labels": _by_labels, "pairs": _by_pairs, "qrels": _by_qrels}[kind](inputs, rng, told)


def _by_labels(inputs: Any, rng: int, told: Callable[[str], Any]) -> Judged:
    targets, used, _, notes = targets_of(np.asarray(inputs.labels), FOLDS + 1)
    rows = np.flatnonzero(used)
    rows, notes = _drawn(rows, rng, "objects", notes)
    targets = targets[rows]
    together = together_of(Representations(inputs.representations), inputs.groups)[rows]
    classes = targets.dtype.kind == "i"
    fold = folds_of(len(rows), FOLDS, labels=targets if classes else None, together=together, rng=rng)
    spaces = {name: np.asarray(x[rows]) for name, x in inputs.representations.items()}
    options = list_options(list(spaces), [x.shape[1] for x in spaces.values()], most=int(np.bincount(fold).min()) - 1)
    items = np.zeros((len(rows), len(options)), dtype=np.float32)
    place = {option: column for column, option in enumerate(options)}
    for k in range(FOLDS):
        told(f"options on half {k + 1} of {FOLDS}")
        train, test = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
        quality = {name: _probed(unit_rows(x.astype(np.float32)), targets, train[::2], train[1::2], classes)[0].mean()
                   for name, x in spaces.items()}  # fmt: skip
        quality = quality if classes else {name: 1 / (1 + value) for name, value in quality.items()}
        penalties: dict[Any, float] = {}
        for option, x in Vectors(spaces, train, quality).made(options):
            key = option.embeddings, option.fusion, option.width
            values, penalty = _probed(x, targets, train, test, classes, penalties.get(key))
            penalties[key] = penalty
            items[test, place[option]] = values
    if not classes:
        items = 1 - items / np.float32(np.var(targets))
    return Judged(options, "accuracy" if classes else "R²", items, together, None, notes)


def _probed(
    x: np.ndarray, targets: np.ndarray, train: np.ndarray, test: np.ndarray, classes: bool, penalty: float | None = None
) -> tuple[np.ndarray, float]:
    """1 where the class of a test row is right, or its squared error; and the penalty of the probe."""
    seen = x[train].astype(np.float32)
    mean = seen.mean(axis=0)
    seen -= mean
    scale = np.sqrt(np.mean(seen * seen)) or np.float32(1)
    seen /= scale
    given = targets[train]
    if classes:
        shown = (given[:, None] == np.arange(targets.max() + 1)).astype(np.float64)
        told = {"counts": shown.sum(axis=0)}
    else:
        shown = given[:, None].astype(np.float64)
        told = {"numbers": (float(len(given)), float(given.sum()), float(np.sum(given * given)))}
    scatter = (seen.T @ seen).astype(np.float64)
    probe = fit_probe(scatter, (seen.T @ shown.astype(np.float32)).astype(np.float64), penalty=penalty, **told)
    scores = ((x[test] - mean) / scale) @ probe.coefficients + probe.intercept
    if classes:
        return (scores.argmax(axis=1) == targets[test]).astype(np.float64), probe.penalty
    return (scores[:, 0] - targets[test]) ** 2, probe.penalty


def _by_pairs(inputs: Any, rng: int, told: Callable[[str], Any]) -> Judged:
    pairs = inputs.pairs[["left", "right"]].to_numpy()
    given = inputs.pairs["score"].to_numpy(dtype=np.float64)
    if np.ptp(given) == 0:
        raise ValueError("all pairs have one score; nothing can be correlated with it")
    rows, at = np.unique(pairs, return_inverse=True)
    at = at.reshape(pairs.shape)
    spaces = {name: np.asarray(x[rows]) for name, x in inputs.representations.items()}
    fold = generator(rng).permutation(len(pairs)) % FOLDS
    options = list_options(list(spaces), [x.shape[1] for x in spaces.values()], most=len(rows) - 1)
    items = np.zeros((len(pairs), len(options)), dtype=np.float32)
    place = {option: column for column, option in enumerate(options)}
    for k in range(FOLDS):
        told(f"options on half {k + 1} of {FOLDS}")
        rest, test = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
        quality = {
            name: max(0.0, spearman(pair_cosines(x[at[rest, 0]], x[at[rest, 1]]), given[rest], undefined=0.0))
            for name, x in spaces.items()
        }
        for option, x in Vectors(spaces, np.arange(len(rows)), quality).made(options):
            if k == 0 or option.fusion == "QP + PCA":
                items[test, place[option]] = pair_cosines(x[at[test, 0]], x[at[test, 1]])
                if option.fusion != "QP + PCA":
                    items[rest, place[option]] = pair_cosines(x[at[rest, 0]], x[at[rest, 1]])
    return Judged(options, "Spearman", items, np.arange(len(pairs)), given, [])


def _by_qrels(inputs: Any, rng: int, told: Callable[[str], Any]) -> Judged:
    notes: list[str] = []
    qrels = inputs.qrels if inputs.qrels is not None else qrels_of_groups(inputs.groups)
    relevant = qrels[qrels["relevance"] > 0]
    queries = np.unique(relevant["query"].to_numpy())
    n = len(next(iter(inputs.representations.values())))
    documents = np.setdiff1d(np.arange(n), qrels["query"].to_numpy())
    if not np.isin(relevant["document"].to_numpy(), documents).all():
        documents = np.arange(n)
    if len(queries) < 2 * FOLDS:
        raise ValueError(f"{len(queries)} queries have a relevant document; at least {2 * FOLDS} are needed")
    queries, notes = _drawn(queries, rng, "queries", notes, QUERIES)
    relevant = relevant[relevant["query"].isin(queries)]
    needed, before = np.unique(relevant["document"].to_numpy()), len(documents)
    if before > OBJECTS:
        others, _ = _drawn(np.setdiff1d(documents, needed), rng, "documents", [], OBJECTS - len(needed))
        documents = np.union1d(needed, others)
    if len(documents) < before:
        kept = f"{len(documents)} of {before} documents"
        notes.append(f"Options are judged on {kept}, drawn at random but for relevant ones.")
    rows = np.union1d(documents, queries)
    spaces = {name: np.asarray(x[rows]) for name, x in inputs.representations.items()}
    texts = None if inputs.texts is None else [str(text) for text in np.asarray(inputs.texts)[rows]]
    search = Search(
        np.searchsorted(rows, queries), np.searchsorted(rows, documents), _relevances(relevant, rows), texts
    )
    options = list_options(
        list(spaces), [x.shape[1] for x in spaces.values()], most=len(documents) - 1, search=True,
        text_bytes=search.text_bytes,
    )  # fmt: skip
    fold = folds_of(len(queries), FOLDS, rng=rng)
    told("options of a search")
    return Judged(options, "nDCG@10", search.values(spaces, options, fold, told), np.arange(len(queries)), None, notes)


def _relevances(relevant: Any, rows: np.ndarray) -> dict[int, dict[int, float]]:
    """Query → document → relevance, by places among ``rows``."""
    found: dict[int, dict[int, float]] = {}
    for query, document, grade in relevant[["query", "document", "relevance"]].itertuples(index=False):
        of = found.setdefault(int(np.searchsorted(rows, query)), {})
        of[int(np.searchsorted(rows, document))] = float(grade)
    return found


def _drawn(
    rows: np.ndarray, rng: int, what: str, notes: Sequence[str], most: int = OBJECTS
) -> tuple[np.ndarray, list[str]]:
    """At most so many of the rows, drawn at random and sorted, with a note that says so."""
    if len(rows) <= most:
        return rows, list(notes)
    kept = np.sort(generator(rng).choice(rows, max(0, most), replace=False))
    return kept, [*notes, f"Options are judged on {most} of {len(rows)} {what}, drawn at random."]
