"""Search by each option, and by fusing what several searches found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from helpers.arrays import unit_rows
from helpers.metrics import discounted_gain, top_k
from helpers.quantization import QUANTIZERS
from helpers.report.keeping.options import RANKS, SCORES, SINGLE, TEXT, Option
from helpers.report.keeping.vectors import Vectors

__all__ = ["Search", "bm25"]

TOP = 10
#: Constant of reciprocal rank fusion: Cormack, Clarke and Büttcher (2009).
CONSTANT = 60
#: Places of each search that reciprocal rank fusion takes up.
PLACES = 1000
STEPS = np.array([0.0, 0.25, 0.5, 1.0, 2.0, 4.0])


class Search:
    """Queries among documents, both of them rows of the same arrays.

    Parameters
    ----------
    queries, documents
        Row numbers; a query that is also a document does not find itself.
    relevances
        Row of a query → row of a document → relevance above 0.
    texts
        Texts of all rows, for BM25; None without texts.
    """

    def __init__(
        self,
        queries: np.ndarray,
        documents: np.ndarray,
        relevances: Mapping[int, Mapping[int, float]],
        texts: Sequence[str] | None = None,
    ):
        self.queries, self.documents, self.texts = queries, documents, texts
        place = {int(row): column for column, row in enumerate(documents)}
        self.own = np.array([place.get(int(row), -1) for row in queries])
        self.graded = np.zeros((len(queries), len(documents)), dtype=np.float32)
        for at, query in enumerate(queries):
            for document, grade in relevances[int(query)].items():
                self.graded[at, place[document]] = grade
        best = -np.sort(-self.graded, axis=1)[:, :TOP].astype(np.float64)
        self.ideal = discounted_gain(best)

    @cached_property
    def text(self) -> tuple[np.ndarray, int] | None:
        """Scores (queries, documents) of BM25 and bytes of its index for each document; None without texts."""
        if self.texts is None:
            return None
        return bm25([self.texts[row] for row in self.documents], [self.texts[row] for row in self.queries])

    @property
    def text_bytes(self) -> int | None:
        return None if self.text is None else self.text[1]

    def values(
        self,
        spaces: Mapping[str, np.ndarray],
        options: Sequence[Option],
        fold: np.ndarray,
        told: Callable[[str], Any] = lambda words: None,
    ) -> np.ndarray:
        """nDCG@10 of each query under each option, float32 of shape (queries, options).

        What depends on judgements, the weights of quadratic programs and of score fusion, is learnt from the queries of
        the other folds.
        """
        out = np.zeros((len(self.queries), len(options)), dtype=np.float32)
        place = {option: column for column, option in enumerate(options)}
        singles = {name: self.ndcg(self.scores(unit_rows(x.astype(np.float32)))) for name, x in spaces.items()}
        for k in np.unique(fold):
            quality = {name: float(values[fold != k].mean()) for name, values in singles.items()}
            vectors = Vectors(spaces, self.documents, quality)
            wanted = [o for o in options if k == fold.min() or o.fusion == "QP + PCA"]
            for option, x in vectors.made(wanted):
                rows = slice(None) if option.fusion != "QP + PCA" else fold == k
                out[rows, place[option]] = self.ndcg(self.scores(x))[rows]
        told("fusing searches")
        for storage in QUANTIZERS:
            self._fuse(out, place, options, fold, storage, self._singles(spaces, storage))
        return out

    def _singles(self, spaces: Mapping[str, np.ndarray], storage: str) -> dict[str, np.ndarray]:
        """Scores (queries, documents) of each embedding in a storage, and of BM25."""
        found = {}
        for name, x in spaces.items():
            x = unit_rows(x.astype(np.float32))
            found[name] = self.scores(QUANTIZERS[storage]().fit(x[self.documents])(x))
        return found | ({TEXT: self._masked(self.text[0].copy())} if self.text is not None else {})

    def _fuse(
        self,
        out: np.ndarray,
        place: Mapping[Option, int],
        options: Sequence[Option],
        fold: np.ndarray,
        storage: str,
        scores: Mapping[str, np.ndarray],
    ) -> None:
        ranked = {name: _reciprocal(one) for name, one in scores.items()}
        standard = {name: _standardised(one) for name, one in scores.items()}
        for option in options:
            if option.storage != storage:
                continue
            if option.fusion == RANKS:
                out[:, place[option]] = self.ndcg(self._masked(sum(ranked[name] for name in option.embeddings)))
            elif option.fusion == SCORES:
                parts = [standard[name] for name in option.embeddings]
                for k in np.unique(fold):
                    weights = self._weights(parts, np.flatnonzero(fold != k))
                    test = np.flatnonzero(fold == k)
                    mixed = sum(w * part[test] for w, part in zip(weights, parts, strict=True))
                    out[test, place[option]] = self.ndcg(mixed, test)
            elif option.fusion == SINGLE and option.embeddings == (TEXT,):
                out[:, place[option]] = self.ndcg(scores[TEXT])

    def _weights(self, parts: Sequence[np.ndarray], train: np.ndarray) -> np.ndarray:
        """Weights of standardised scores by coordinate search on training queries: two rounds from equal weights."""
        weights = np.ones(len(parts))
        chosen = [part[train] for part in parts]
        total = sum(chosen)
        best = self.ndcg(total, train).mean()
        for _ in range(2):
            for i, part in enumerate(chosen):
                rest = total - weights[i] * part
                for step in STEPS:
                    if step == weights[i] or not np.any(np.delete(weights, i)) and step == 0:
                        continue
                    value = self.ndcg(rest + step * part, train).mean()
                    if value > best:
                        best, weights[i] = value, step
                total = rest + weights[i] * part
        return weights

    def scores(self, x: np.ndarray) -> np.ndarray:
        """Cosines (queries, documents) of vectors of all rows; of a query with itself -∞."""
        x = unit_rows(x)
        return self._masked(x[self.queries] @ x[self.documents].T)

    def _masked(self, scores: np.ndarray) -> np.ndarray:
        rows = np.flatnonzero(self.own >= 0)
        scores[rows, self.own[rows]] = -np.inf
        return scores

    def ndcg(self, scores: np.ndarray, rows: np.ndarray | slice = slice(None)) -> np.ndarray:
        """nDCG@10 of scores (rows, documents) of some of the queries."""
        top = top_k(scores, min(TOP, scores.shape[1]))
        found = np.take_along_axis(self.graded[rows], top, axis=1).astype(np.float64)
        return discounted_gain(found) / self.ideal[rows]


def _reciprocal(scores: np.ndarray) -> np.ndarray:
    """1 / (60 + rank) at the first thousand places of each query, else 0."""
    out = np.zeros_like(scores)
    top = top_k(scores, min(PLACES, scores.shape[1]))
    np.put_along_axis(out, top, (1 / (CONSTANT + 1 + np.arange(top.shape[1]))).astype(scores.dtype)[None], axis=1)
    return out


def _standardised(scores: np.ndarray) -> np.ndarray:
    """Scores of each query with mean 0 and standard deviation 1 over the documents; of a query with itself far below.

    Finite, so that weights can multiply and take away: of infinite ones the difference is no number.
    """
    finite = np.where(np.isfinite(scores), scores, np.nan)
    mean = np.nanmean(finite, axis=1, keepdims=True)
    spread = np.nanstd(finite, axis=1, keepdims=True)
    standard = (finite - mean) / np.where(spread > 0, spread, 1)
    return np.where(np.isnan(standard), -1e6, standard).astype(np.float32)


def bm25(
    documents: Sequence[str], queries: Sequence[str], *, k1: float = 1.2, b: float = 0.75
) -> tuple[np.ndarray, int]:
    """Scores of BM25, and the bytes that its index takes for each document.

    Parameters
    ----------
    documents, queries
        Texts; words are what scikit-learn's ``CountVectorizer`` finds, in lower case.
    k1, b
        Saturation of repeated words, above 0, and weight of a document's length, in [0, 1].

    Returns
    -------
    scores : ndarray of float32, of shape (queries, documents)
        Sums over the words of a query of idf · f (k1 + 1) / (f + k1 (1 - b + b l / mean l)), with
        idf = log(1 + (n - d + 0.5) / (d + 0.5)) for a word in d of n documents (Robertson and Zaragoza, 2009); at
        least 0.
    size : int
        Mean number of distinct words of a document times 8: a number of 4 bytes for the word, one for its weight.

    Examples
    --------
    >>> from helpers.report.keeping.searching import bm25
    >>> scores, size = bm25(["a red fox", "a blue whale", "red wine"], ["red wine"])
    >>> scores.argmax(), size
    (np.int64(2), 16)
    """
    from sklearn.feature_extraction.text import CountVectorizer

    counter = CountVectorizer()
    try:
        counts = counter.fit_transform(documents).tocsr().astype(np.float64)
    except ValueError:  # no word in any document
        return np.zeros((len(queries), len(documents)), dtype=np.float32), 0
    lengths = np.asarray(counts.sum(axis=1)).ravel()
    seen = np.bincount(counts.indices, minlength=counts.shape[1])
    idf = np.log1p((len(documents) - seen + 0.5) / (seen + 0.5))
    rows = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
    norm = k1 * (1 - b + b * lengths[rows] / lengths.mean())
    weighted = counts.copy()
    weighted.data = idf[counts.indices] * counts.data * (k1 + 1) / (counts.data + norm)
    asked = counter.transform(queries).astype(np.float64)
    return np.asarray((asked @ weighted.T).todense(), dtype=np.float32), round(8 * counts.nnz / counts.shape[0])
