"""Analogies: a is to b as c is to which word? Four methods, with and without the question's own words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import check_count, check_number
from helpers.quality.words.sets import as_questions
from helpers.quality.words.shared_members import share_interval
from helpers.quality.words.vectors import WordVectors, as_word_vectors

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ANALOGY_METHODS", "analogies", "analogy_answers"]

ANALOGY_METHODS = {
    "3CosAdd": "cosine with c, plus that with b, less that with a",
    "3CosMul": "their product in place of the sum, cosines shifted to between 0 and 1",
    "PairDirection": "cosine of the step from c with the step from a to b",
    "only c": "cosine with c, whatever a and b are",
}
"""Methods by name: what of a word is largest."""

ENTRIES = 4_000_000  # scores that are in memory at once


def analogies(
    vectors: Any,
    questions: Any,
    *,
    methods: str | Sequence[str] = tuple(ANALOGY_METHODS),
    exclude: bool | Sequence[bool] = (True, False),
    by_category: bool = False,
    n_candidates: int | None = None,
    epsilon: float = 1e-3,
    confidence_level: float = 0.95,
) -> pd.DataFrame:
    r"""Share of analogies that vectors complete, by method, with and without the question's own words as answers.

    Of the question *a is to b as c is to d*, with unit vectors, the answer is the word x that has the largest

    .. math:: \text{3CosAdd}\quad x \cdot b - x \cdot a + x \cdot c, \qquad
              \text{3CosMul}\quad \frac{s(x, b)\, s(x, c)}{s(x, a) + \varepsilon},\ s = \frac{1 + \cos}{2}, \qquad
              \text{PairDirection}\quad \cos(x - c,\ b - a)

    Parameters
    ----------
    vectors
        What :func:`~helpers.quality.words.as_word_vectors` takes.
    questions
        A path of Google's format, a DataFrame with ``a``, ``b``, ``c``, ``d`` and perhaps ``category``, or quadruples.
    methods
        Some of :data:`ANALOGY_METHODS`. ``"only c"`` is what one gets without any analogy.
    exclude
        Whether a, b and c may not be the answer, or both ways. PairDirection has no step from c to c, so that c is
        never its answer.
    by_category
        Whether each category has rows of its own, below those of all questions.
    n_candidates
        How many of the first words may be answers, besides the words of the questions; all by default.
    epsilon
        What keeps the quotient of 3CosMul finite, above 0.
    confidence_level
        Level of the intervals.

    Returns
    -------
    DataFrame
        Index ``category`` (``"all"``), ``method`` and ``excluded``; ``accuracy`` in [0, 1] over covered questions, with
        ``ci_low`` and ``ci_high``; ``chance``, one over the number of candidates; ``questions``, ``covered`` and
        ``coverage``; ``accuracy_all``, where questions that are not covered count as wrong; ``own_words``, how often
        the answer is a, b or c; ``unanswerable``, covered questions whose d is among the words that are excluded.
        ``attrs["unknown"]`` lists words without a vector.

    Raises
    ------
    TypeError, ValueError
        If a method is unknown, an option is out of range, or no question is covered.

    Notes
    -----
    O(covered questions · candidates), in blocks, after one matrix product for each category. Questions of one category
    are all pairs of a few pairs of words (506 questions of 23 capitals): intervals are Wilson's, for as many
    independent questions as the standard error for pairs that share members is worth.

    3CosAdd and PairDirection: Mikolov, Yih and Zweig (2013), Linguistic regularities in continuous space word
    representations, NAACL. 3CosMul: Levy and Goldberg (2014), Linguistic regularities in sparse and explicit word
    representations, CoNLL. Answers without exclusion, and without a and b: Linzen (2016), Issues in evaluating semantic
    spaces using word analogies, RepEval.

    Examples
    --------
    >>> from helpers.quality.words import analogies
    >>> vectors = {"man": [1, 0, 0.1], "woman": [1, 1, 0.1], "king": [0.3, 0, 1], "queen": [0.3, 1, 1]}
    >>> found = analogies(vectors, [("man", "woman", "king", "queen")], methods="3CosAdd", exclude=True)
    >>> found["accuracy"].tolist()
    [1.0]
    """
    import pandas as pd

    check_number(confidence_level, "confidence_level", lambda level: 0 < level < 1, "a number between 0 and 1")
    methods, ways = _checked(methods, exclude, epsilon)
    vectors, questions = as_word_vectors(vectors), as_questions(questions)
    ids, known, lost = _covered(vectors, questions)
    candidates = _candidates(vectors, ids[known], n_candidates)
    answers = _answers(vectors, ids, known, candidates, questions["category"], methods, ways, epsilon)
    parts = {"all": np.ones(len(ids), bool)}
    if by_category:
        parts |= {name: (questions["category"] == name).to_numpy() for name in questions["category"].unique()}
    rows = {}
    for name, part in parts.items():
        for key, found in answers.items():
            rows[(name, *key)] = _row(found, ids, part, known, key[1], confidence_level, len(candidates))
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index = pd.MultiIndex.from_tuples(table.index, names=["category", "method", "excluded"])
    table.attrs |= {"unknown": lost, "candidates": len(candidates), "vectors": vectors.name}
    return table


def analogy_answers(
    vectors: Any,
    questions: Any,
    *,
    methods: str | Sequence[str] = tuple(ANALOGY_METHODS),
    exclude: bool | Sequence[bool] = (True, False),
    n_candidates: int | None = None,
    epsilon: float = 1e-3,
) -> pd.DataFrame:
    """The word that each method answers to each analogy, of which :func:`analogies` gives the shares that are right.

    Parameters
    ----------
    vectors, questions, methods, exclude, n_candidates, epsilon
        Same meaning as in :func:`analogies`.

    Returns
    -------
    DataFrame
        The questions, in their order, and behind ``category``, ``a``, ``b``, ``c``, ``d`` a column for each method,
        called ``"3CosAdd"`` where the question's words are excluded and ``"3CosAdd, nothing excluded"`` where not; None
        where a word of the question has no vector.

    Raises
    ------
    TypeError, ValueError
        In the same cases as :func:`analogies`.

    Examples
    --------
    >>> from helpers.quality.words import analogy_answers
    >>> vectors = {"man": [1, 0, 0.1], "woman": [1, 1, 0.1], "king": [0.3, 0, 1], "queen": [0.3, 1, 1]}
    >>> analogy_answers(vectors, [("man", "woman", "king", "queen")], methods="only c").iloc[0, 5:].tolist()
    ['queen', 'king']
    """
    methods, ways = _checked(methods, exclude, epsilon)
    vectors, questions = as_word_vectors(vectors), as_questions(questions)
    ids, known, _ = _covered(vectors, questions)
    candidates = _candidates(vectors, ids[known], n_candidates)
    found = _answers(vectors, ids, known, candidates, questions["category"], methods, ways, epsilon)
    for (method, excluded), rows in found.items():
        name = method if excluded else f"{method}, nothing excluded"
        questions[name] = [vectors.words[row] if row >= 0 else None for row in rows]
    return questions


def _checked(methods: Any, exclude: Any, epsilon: float) -> tuple[list[str], list[bool]]:
    """Methods and ways as lists."""
    methods = [methods] if isinstance(methods, str) else list(methods)
    if odd := [method for method in methods if method not in ANALOGY_METHODS]:
        raise ValueError(f"methods has {odd[0]!r}; the methods are {', '.join(ANALOGY_METHODS)}")
    ways = [exclude] if isinstance(exclude, bool) else [bool(way) for way in exclude]
    if not methods or not ways:
        raise ValueError("methods and exclude must each name at least one way")
    check_number(epsilon, "epsilon", lambda e: 0 < e < np.inf, "a number above 0")
    return methods, ways


def _covered(vectors: WordVectors, questions: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Rows of the words of each question, which questions have four, and the words that have none."""
    ids = np.stack([vectors.rows(questions[column]) for column in "abcd"], axis=1)
    known = (ids >= 0).all(axis=1)
    lost = sorted({w for i, column in enumerate("abcd") for w in questions[column][ids[:, i] < 0]})
    if not known.any():
        raise ValueError(f"questions: none of {len(ids)} has four known words; unknown are {', '.join(lost[:5])} …")
    return ids, known, lost


def _candidates(vectors: WordVectors, ids: np.ndarray, n_candidates: int | None) -> np.ndarray:
    """Rows of the words that may be answers, in order."""
    n = len(vectors) if n_candidates is None else check_count(n_candidates, "n_candidates", most=len(vectors))
    return np.union1d(np.arange(n), ids.ravel())


def _answers(
    vectors: WordVectors,
    ids: np.ndarray,
    known: np.ndarray,
    candidates: np.ndarray,
    categories: Any,
    methods: list[str],
    ways: list[bool],
    epsilon: float,
) -> dict[tuple[str, bool], np.ndarray]:
    """The row of the answer to each question by method and way; -1 where a question is not covered."""
    found = {(method, way): np.full(len(ids), -1) for method in methods for way in ways}
    unit = vectors.unit
    table = unit[candidates].T
    for _, rows in np.ndenumerate(_by_category(categories, known)):
        own, place = np.unique(ids[rows, :3], return_inverse=True)
        place = place.reshape(-1, 3)
        cosines = unit[own] @ table
        inside = np.searchsorted(candidates, own)
        block = max(1, ENTRIES // len(candidates))
        for start in range(0, len(rows), block):
            which = slice(start, start + block)
            here, at = rows[which], place[which]
            for method in methods:
                scores = _scores(method, cosines, at, inside, epsilon)
                for way in sorted(ways):  # without exclusion first, as it changes the scores
                    if way:
                        scores[np.arange(len(at))[:, None], inside[at]] = -np.inf
                    found[method, way][here] = candidates[scores.argmax(axis=1)]
    return found


def _by_category(categories: Any, known: np.ndarray) -> np.ndarray:
    """Numbers of the covered questions, an array for each category."""
    codes = np.unique(np.asarray(categories, dtype=str), return_inverse=True)[1]
    groups = [np.flatnonzero(known & (codes == code)) for code in np.unique(codes[known])]
    out = np.empty(len(groups), dtype=object)
    out[:] = groups
    return out


def _scores(method: str, cosines: np.ndarray, at: np.ndarray, inside: np.ndarray, epsilon: float) -> np.ndarray:
    """What is to be largest, for questions (rows) and candidates (columns)."""
    a, b, c = (cosines[at[:, i]] for i in range(3))
    if method == "only c":
        return c.copy()
    if method == "3CosAdd":
        return b - a + c
    if method == "3CosMul":
        return (1 + b) / 2 * ((1 + c) / 2) / ((1 + a) / 2 + epsilon)
    rows = np.arange(len(at))
    own = inside[at[:, 2]]
    step = b - a
    step = step - step[rows, own][:, None]  # (x - c) · (b - a)
    length = np.sqrt(np.maximum(2 - 2 * c, np.finfo(c.dtype).eps))
    scores = step / length
    scores[rows, own] = -np.inf
    return scores


def _row(
    answers: np.ndarray, ids: np.ndarray, part: np.ndarray, known: np.ndarray, excluded: bool, level: float, n: int
) -> dict[str, Any]:
    here = part & known
    row: dict[str, Any] = {name: np.nan for name in ("accuracy", "ci_low", "ci_high")}
    row |= {"chance": 1 / max(n - 3 * excluded, 1), "questions": int(part.sum()), "covered": int(here.sum())}
    row |= {"coverage": here.sum() / max(part.sum(), 1), "accuracy_all": 0.0, "own_words": np.nan, "unanswerable": 0}
    if not here.any():
        return row
    of, found = ids[here], answers[here]
    right = found == of[:, 3]
    pairs = np.unique(np.concatenate([of[:, :2], of[:, 2:]]), axis=0, return_inverse=True)[1].ravel()
    low, high = share_interval(right, pairs[: len(of)], pairs[len(of) :], level)
    row |= {"accuracy": right.mean(), "ci_low": low, "ci_high": high, "accuracy_all": right.sum() / part.sum()}
    row["own_words"] = (found[:, None] == of[:, :3]).any(axis=1).mean()
    if excluded:
        row["unanswerable"] = int((of[:, :3] == of[:, 3:]).any(axis=1).sum())
    return row
