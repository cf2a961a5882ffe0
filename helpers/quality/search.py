"""Search judged on a sample: reciprocal rank, nDCG, recall, precision, MAP, and what a reader of k passages gets."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import as_matrix, check_count, generator, unit_rows
from helpers.metrics import ndcg_of_ranking, top_k

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SearchQuality", "qrels_from_answers", "search_quality"]

BLOCK = 512
MEASURES = ("mrr", "ndcg", "recall", "precision", "map", "hit rate", "context precision")


@dataclass(frozen=True, eq=False, repr=False)
class SearchQuality:
    """What :func:`search_quality` found.

    Attributes
    ----------
    table : pandas.DataFrame
        A row for each measure at k: ``value``, its mean over queries, ``ci_low`` and ``ci_high`` of 95 % over queries
        (NaN for a single one), and ``chance``, its expectation if documents are in random order.
    queries : pandas.DataFrame
        A row for each query that was judged: ``query``, its name; ``relevant``, number of its relevant documents; a
        column for each measure; ``first``, the rank of its first relevant document, NaN if that is beyond k.
    found : ndarray of shape (n_queries, k)
        Names of the documents found for each of these queries, the best first.
    k : int
        Number of documents that are read.
    left_out : list
        Names of the queries without any relevant document, which no measure is defined for.
    """

    table: pd.DataFrame
    queries: pd.DataFrame
    found: np.ndarray
    k: int
    left_out: list[Any]

    def __repr__(self) -> str:
        lines = [
            f"Search of {len(self.queries)} queries, {self.k} documents each:",
            *self.table.round(3).to_string().splitlines(),
        ]
        if self.left_out:
            lines.append(
                f"{len(self.left_out)} queries without a relevant document are left out: {self.left_out[:3]} …"
            )
        return "\n".join(lines)


def search_quality(
    queries: Any,
    documents: Any,
    qrels: Any,
    *,
    k: int = 10,
    query_ids: Sequence[Any] | None = None,
    document_ids: Sequence[Any] | None = None,
    n_queries: int | None = None,
    n_resamples: int = 999,
    rng: int | np.random.Generator = 0,
) -> SearchQuality:
    r"""How good search by cosine is: what the first k documents of a query hold of what is relevant to it.

    With :math:`v_i` whether the document at rank i is relevant, :math:`P_i = \frac1i \sum_{j \le i} v_j` and R relevant
    documents in all,

    ===================== ===========================================================================================
    ``mrr``               1 over the rank of the first relevant document, 0 if it is beyond k
    ``ndcg``              :func:`helpers.metrics.ndcg_of_ranking`, the only one that looks at grades
    ``recall``            :math:`\sum_{i \le k} v_i / R`, of passages: the context recall without a judge
    ``precision``         :math:`P_k`
    ``map``               :math:`\sum_{i \le k} v_i P_i / \min(R, k)`
    ``hit rate``          whether any of the k is relevant
    ``context precision`` :math:`\sum_{i \le k} v_i P_i / \sum_{i \le k} v_i`, 0 if none is relevant
    ===================== ===========================================================================================

    Parameters
    ----------
    queries : array_like of shape (m, p)
        Vectors of the queries.
    documents : array_like of shape (n, p)
        Vectors of all documents.
    qrels
        What is relevant: a mapping from each query to a mapping from documents to grades, to a collection of documents
        or to one; or a ``DataFrame`` with the columns ``query``, ``document`` and, if grades differ, ``relevance``.
        Documents that it does not name are not relevant; grades are not negative, and 0 is not relevant.
    k
        Documents that are read, at most n.
    query_ids, document_ids : sequence, optional
        Names by which ``qrels`` calls rows; row numbers by default.
    n_queries
        Take so many of the queries with a relevant document, at random; all by default.
    n_resamples
        Bootstrap draws of the queries, for the intervals.
    rng
        Seed or generator of all draws.

    Returns
    -------
    SearchQuality

    Raises
    ------
    TypeError, ValueError
        If a matrix is not real and finite, widths differ, a row is zero, names are repeated or not as many as rows,
        ``qrels`` names a query or document that is not there, grades are negative, or no query has a relevant document.

    Notes
    -----
    Of documents at the same cosine the one with the smaller row is first, as in an index that keeps their order. Chance
    is exact: of all but nDCG in closed form, of nDCG by the mean discount. The intervals are over queries, given the
    documents. The two for passages are the rank-based forms, without a language model, of what Es et al. (2024), RAGAS:
    automated evaluation of retrieval augmented generation, EACL, have a model judge.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.quality import search_quality
    >>> documents = np.eye(4)
    >>> found = search_quality(documents[:2] + 0.1, documents, {0: [0], 1: {3: 1}}, k=2)
    >>> found.queries[["mrr", "recall"]].values.tolist()
    [[1.0, 1.0], [0.0, 0.0]]
    """
    import pandas as pd

    from helpers.inference import interval

    q, d = _directions(queries, "queries"), _directions(documents, "documents")
    if q.shape[1] != d.shape[1]:
        raise ValueError(f"queries have {q.shape[1]} features and documents {d.shape[1]}; the same are needed")
    n = len(d)
    check_count(k, "k", most=n, why="(as many as there are documents)")
    names = _names(query_ids, len(q), "query_ids"), _names(document_ids, n, "document_ids")
    grades = _grades(qrels, *names)
    judged = np.array([row for row in range(len(q)) if any(g > 0 for g in grades.get(row, {}).values())], dtype=int)
    left_out = [names[0][row] for row in np.setdiff1d(np.arange(len(q)), judged)]
    if not len(judged):
        raise ValueError("qrels: no query has a relevant document; at least one with a grade above 0 is needed")
    rng = generator(rng)
    if n_queries is not None:
        judged = np.sort(rng.permutation(judged)[: check_count(n_queries, "n_queries")])

    found = np.concatenate([top_k(q[rows] @ d.T, k) for rows in np.array_split(judged, -(-len(judged) // BLOCK))])
    gains = np.array([[grades[row].get(int(at), 0) for at in line] for row, line in zip(judged, found, strict=True)])
    every = [list(grades[row].values()) for row in judged]
    total = np.array([sum(grade > 0 for grade in one) for one in every])
    values = _scores(gains.astype(float), every, total, k)
    seed = int(rng.integers(2**63))
    chance = _chance(every, total, n, k)
    rows = {}
    for name in MEASURES:
        limits = (math.nan, math.nan)  # of a single query nothing can be drawn
        if len(judged) > 1:
            limits = interval(values[name], method="percentile", n_resamples=n_resamples, rng=seed)[1:3]
        rows[name] = (float(values[name].mean()), *limits, chance[name])
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["value", "ci_low", "ci_high", "chance"])
    called = [names[0][row] for row in judged]
    each = pd.DataFrame({"query": called, "relevant": total, **values})
    documents_found = np.array(names[1], dtype=object)[found]
    return SearchQuality(table.rename_axis("measure"), each, documents_found, k, left_out)


def qrels_from_answers(
    answers: Mapping[Any, Any] | Sequence[Any], passages: Sequence[str], *, whole_words: bool = True
) -> dict[Any, set[int]]:
    """Which passages hold an answer to each question: those in which it is written, whatever its case and spaces.

    Parameters
    ----------
    answers
        For each question the answer, or several of which any will do; a mapping, or a sequence in the order of the
        questions.
    passages
        Texts that are searched.
    whole_words
        Whether the answer must not begin or end within a word.

    Returns
    -------
    dict
        Question → row numbers of the passages, for :func:`search_quality`; an empty set where no passage has it.

    Raises
    ------
    ValueError
        If an answer is blank or a passage is no string.

    Notes
    -----
    A passage may hold the words of an answer without answering, and say the same in other words.

    Examples
    --------
    >>> from helpers.quality import qrels_from_answers
    >>> qrels_from_answers(["Oslo", ["in 1905", "1905"]], ["Oslo is old.", "Free since  1905.", "Osloer"])
    {0: {0}, 1: {1}}
    """
    texts = []
    for row, text in enumerate(passages):
        if not isinstance(text, str):
            raise ValueError(f"passages[{row}] is {text!r}; a string is needed")
        texts.append(" ".join(text.casefold().split()))
    out: dict[Any, set[int]] = {}
    for question, given in answers.items() if isinstance(answers, Mapping) else enumerate(answers):
        wanted = [given] if isinstance(given, str) else list(given)
        if not wanted or any(not isinstance(one, str) or not one.strip() for one in wanted):
            raise ValueError(f"answers[{question!r}] is {given!r}; a text, or several, that are not blank are needed")
        plain = [re.escape(" ".join(one.casefold().split())) for one in wanted]
        words = r"(?<!\w)(?:{})(?!\w)" if whole_words else "(?:{})"
        pattern = re.compile(words.format("|".join(plain)))
        out[question] = {row for row, text in enumerate(texts) if pattern.search(text)}
    return out


def _directions(x: Any, name: str) -> np.ndarray:
    return unit_rows(np.asarray(as_matrix(x, name, rows=1)), zero="raise", name=name).astype(np.float32)


def _names(ids: Sequence[Any] | None, n: int, name: str) -> list[Any]:
    if ids is None:
        return list(range(n))
    ids = np.asarray(ids).tolist()
    if len(ids) != n:
        raise ValueError(f"{name} has {len(ids)} entries; one for each of the {n} rows is needed")
    seen: set[Any] = set()
    for one in ids:
        if one in seen:
            raise ValueError(f"{name}: {one!r} is there more than once; each row needs a name of its own")
        seen.add(one)
    return ids


def _grades(qrels: Any, queries: list[Any], documents: list[Any]) -> dict[int, dict[int, float]]:
    """Grades by the row of the query and of the document."""
    if hasattr(qrels, "columns"):
        lacking = {"query", "document"} - set(qrels.columns)
        if lacking:
            raise ValueError(f"qrels has the columns {list(qrels.columns)}; query, document (and relevance) are needed")
        grades = qrels["relevance"] if "relevance" in qrels.columns else [1] * len(qrels)
        triples = list(zip(qrels["query"].tolist(), qrels["document"].tolist(), list(grades), strict=True))
    elif isinstance(qrels, Mapping):
        triples = [(query, name, grade) for query, given in qrels.items() for name, grade in _listed(given)]
    else:
        raise TypeError(f"qrels is a {type(qrels).__name__}; a mapping or a DataFrame is needed")
    places = [{name: row for row, name in enumerate(known)} for known in (queries, documents)]
    out: dict[int, dict[int, float]] = {}
    for query, document, grade in triples:
        for kind, name, place in zip(("query", "document"), (query, document), places, strict=True):
            if name not in place:
                raise ValueError(f"qrels names the {kind} {name!r}, which is not there; there are {len(place)}")
        if not (isinstance(grade, (int, float, np.number)) and 0 <= grade < math.inf):
            raise ValueError(f"qrels: the grade of {document!r} for {query!r} is {grade!r}; a number ≥ 0 is needed")
        out.setdefault(places[0][query], {})[places[1][document]] = float(grade)
    return out


def _listed(given: Any) -> list[tuple[Any, float]]:
    if isinstance(given, Mapping):
        return list(given.items())
    if isinstance(given, (list, tuple, set, frozenset, np.ndarray)):
        return [(name, 1.0) for name in (given.tolist() if isinstance(given, np.ndarray) else given)]
    return [(given, 1.0)]


def _scores(gains: np.ndarray, every: list[list[float]], total: np.ndarray, k: int) -> dict[str, np.ndarray]:
    right = gains > 0
    count = np.cumsum(right, axis=1)
    rank = np.arange(1, k + 1)
    any_, first = right.any(axis=1), right.argmax(axis=1) + 1.0
    average = np.sum(right * count / rank, axis=1)
    return {
        "mrr": np.where(any_, 1 / first, 0.0),
        "ndcg": ndcg_of_ranking(gains, every, k=k),
        "recall": count[:, -1] / total,
        "precision": count[:, -1] / k,
        "map": average / np.minimum(total, k),
        "hit rate": any_.astype(float),
        "context precision": average / np.maximum(count[:, -1], 1),
        "first": np.where(any_, first, np.nan),
    }


def _chance(every: list[list[float]], total: np.ndarray, n: int, k: int) -> dict[str, float]:
    """Expectations over all orders of the documents."""
    from scipy.stats import hypergeom

    from helpers.metrics import discounted_gain

    rank = np.arange(1, k + 1)
    found: dict[str, list[float]] = {name: [] for name in MEASURES}
    for grades, many in zip(every, total, strict=True):
        share, pair = many / n, (many - 1) / max(n - 1, 1)
        # The first relevant document is at rank r, if the r - 1 before it are among the others.
        none = hypergeom.pmf(0, n, many, np.arange(k + 1))
        at = none[:-1] - none[1:]
        average = share * np.sum((1 + (rank - 1) * pair) / rank)
        inside = np.arange(1, min(many, k) + 1)
        given = np.array([np.sum((1 + (rank - 1) * (m - 1) / max(k - 1, 1)) / rank) / k for m in inside])
        best = discounted_gain(np.sort(np.array(grades))[::-1], k=k)
        found["mrr"].append(float(np.sum(at / rank)))
        found["ndcg"].append(float(discounted_gain(np.full(k, np.sum(grades) / n)) / best))
        found["recall"].append(k / n)
        found["precision"].append(share)
        found["map"].append(float(average / min(many, k)))
        found["hit rate"].append(float(1 - none[-1]))
        found["context precision"].append(float(hypergeom.pmf(inside, n, many, k) @ given))
    return {name: float(np.mean(values)) for name, values in found.items()}
