"""Word intrusion: is a word's far neighbour told apart from its near ones by somebody else?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import check_count, check_number, generator
from helpers.quality.words.vectors import as_word_vectors

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["OPTIONS", "intrusion", "intrusion_questions", "pick_intruders"]

OPTIONS = ("near", "next", "intruder")
"""Columns of a question beside its target: two near neighbours, and the word that does not belong."""


def intrusion_questions(
    vectors: Any,
    *,
    n_questions: int = 300,
    ranks: tuple[int, int, int] = (1, 2, 100),
    targets: Iterable[str] | None = None,
    frequent: tuple[int, int] = (100, 3000),
    among: Iterable[str] | None = None,
    rng: int | np.random.Generator = 0,
) -> pd.DataFrame:
    """Questions of which a space knows the answer: a word, two of its nearest neighbours, and one that is farther.

    Parameters
    ----------
    vectors
        What :func:`~helpers.quality.words.as_word_vectors` takes: the space to be judged.
    n_questions
        How many; fewer where there are not so many targets.
    ranks
        Which of a target's neighbours by cosine are asked about, from 1 for the nearest: two that belong to it, then
        the intruder.
    targets
        Words to ask about. By default they are drawn from the rows ``frequent``, which of most vectors are the frequent
        words but for the most frequent ones; of vectors with fewer words, from all.
    frequent
        First row, and the row behind the last, among which targets are drawn.
    among
        Words that a question may have, such as those of the judge; by default all. Others are no neighbours.
    rng
        Seed or generator of the targets.

    Returns
    -------
    DataFrame
        ``target``, ``near``, ``next`` and ``intruder``. ``attrs`` has ``unknown``, targets without a vector.

    Raises
    ------
    ValueError
        If ranks do not rise, there are fewer words than the last rank, or no target is known.

    Notes
    -----
    Schnabel, Labutov, Mimno and Joachims (2015), Evaluation methods for unsupervised word embeddings, EMNLP.

    Examples
    --------
    >>> from helpers.quality.words import intrusion_questions
    >>> vectors = {"cat": [9, 0], "dog": [9, 1], "cow": [9, 2], "car": [0, 9]}
    >>> intrusion_questions(vectors, ranks=(1, 2, 3), targets=["cat"]).iloc[0].tolist()
    ['cat', 'dog', 'cow', 'car']
    """
    import pandas as pd

    rng, vectors = generator(rng), as_word_vectors(vectors)
    ranks = tuple(check_count(rank, "ranks") for rank in ranks)
    if len(ranks) != 3 or not ranks[0] < ranks[1] < ranks[2]:
        raise ValueError(f"ranks is {ranks}; three ranks are needed that rise")
    kept = np.arange(len(vectors))
    if among is not None:
        kept = np.unique(vectors.rows(among))
        kept = kept[kept >= 0]
    if len(kept) <= ranks[2]:
        raise ValueError(f"{len(kept)} words may be in a question; more than ranks[2] = {ranks[2]} are needed")
    unknown: list[str] = []
    if targets is None:
        start, end = frequent
        inside = kept[(kept >= start) & (kept < end)]
        inside = inside if len(inside) > ranks[2] else kept
        chosen = np.sort(rng.permutation(inside)[: check_count(n_questions, "n_questions")])
    else:
        asked = list(dict.fromkeys(targets))
        rows = vectors.rows(asked)
        bad = (rows < 0) | ~np.isin(rows, kept)
        unknown = [word for word, out in zip(asked, bad, strict=True) if out]
        chosen = rows[~bad][:n_questions]
        if not len(chosen):
            raise ValueError(f"targets: none of {len(asked)} has a vector; unknown are {', '.join(unknown[:5])} …")
    unit, found = vectors.unit, []
    table = unit[kept]
    for start in range(0, len(chosen), 256):
        rows = chosen[start : start + 256]
        cosines = unit[rows] @ table.T
        cosines[np.arange(len(rows)), np.searchsorted(kept, rows)] = -np.inf
        near = np.argpartition(-cosines, np.array(ranks) - 1, axis=1)[:, np.array(ranks) - 1]
        found += [
            [vectors.words[row], *(vectors.words[kept[j]] for j in js)] for row, js in zip(rows, near, strict=True)
        ]
    questions = pd.DataFrame(found, columns=["target", *OPTIONS])
    questions.attrs |= {"unknown": unknown, "ranks": ranks, "vectors": vectors.name}
    return questions


def pick_intruders(questions: pd.DataFrame, judge: Any) -> pd.DataFrame:
    """The word of each question that a judge takes for the intruder: the one with the least sum of cosines.

    Parameters
    ----------
    questions
        Questions from :func:`intrusion_questions`.
    judge
        What :func:`~helpers.quality.words.as_word_vectors` takes.

    Returns
    -------
    DataFrame
        The questions with a column ``pick``: of the three words beside the target the one whose cosines with the other
        two and the target have the least sum.

    Raises
    ------
    ValueError
        If the judge does not know a word of the questions.
    """
    judge = as_word_vectors(judge)
    columns = ["target", *OPTIONS]
    rows = np.stack([judge.rows(questions[column]) for column in columns], axis=1)
    if (rows < 0).any():
        row, column = np.argwhere(rows < 0)[0]
        word = questions[columns[column]].iloc[row]
        raise ValueError(f"questions, row {row}: the judge does not know {word!r}; pass among= where they are made")
    four = judge.unit[rows].astype(np.float64)
    cosines = np.einsum("qip,qjp->qij", four, four)
    sums = cosines.sum(axis=2) - np.einsum("qii->qi", cosines)
    pick = sums[:, 1:].argmin(axis=1)
    return questions.assign(pick=[questions[OPTIONS[j]].iloc[i] for i, j in enumerate(pick)])


def intrusion(
    vectors: Any,
    judge: Any,
    *,
    n_questions: int = 300,
    ranks: tuple[int, int, int] = (1, 2, 100),
    targets: Iterable[str] | None = None,
    frequent: tuple[int, int] = (100, 3000),
    confidence_level: float = 0.95,
    rng: int | np.random.Generator = 0,
) -> pd.DataFrame:
    """How often another space picks the word that does not belong: an automatic judge instead of people.

    Of the three words beside the target the judge picks the one that has the least sum of cosines with the other two
    and the target.

    Parameters
    ----------
    vectors
        What :func:`~helpers.quality.words.as_word_vectors` takes: the space to be judged.
    judge
        Vectors of another space. It judges by what *it* takes for related: two spaces that were made of the same text
        agree because of the text. Take one of another text or of another method, and say which.
    n_questions, ranks, targets, frequent, rng
        Same meaning as in :func:`intrusion_questions`. Words that the judge does not know are not asked about, and no
        neighbours.
    confidence_level
        Level of the interval, for the choice of targets.

    Returns
    -------
    DataFrame
        One row: ``found``, the share of intruders that the judge picks, in [0, 1], larger is better; ``ci_low`` and
        ``ci_high`` (Wilson); ``chance``, 1/3; ``questions``; ``words`` of the space, ``covered`` of them that the judge
        knows, and ``coverage``; ``judge``.

    Raises
    ------
    TypeError, ValueError
        If the two spaces share too few words, or an option is out of range.

    Examples
    --------
    >>> from helpers.quality.words import intrusion
    >>> vectors = {"cat": [9, 0], "dog": [9, 1], "cow": [9, 2], "car": [0, 9]}
    >>> other = {"cat": [1, 0, 0], "dog": [1, 1, 0], "cow": [1, 0, 1], "car": [-1, 1, 1]}
    >>> intrusion(vectors, other, ranks=(1, 2, 3), targets=["cat"])[["found", "covered"]].values.tolist()
    [[1.0, 4.0]]
    """
    import pandas as pd
    from scipy import stats

    check_number(confidence_level, "confidence_level", lambda level: 0 < level < 1, "a number between 0 and 1")
    vectors, judge = as_word_vectors(vectors), as_word_vectors(judge)
    shared = [word for word, row in zip(vectors.words, judge.rows(vectors.words), strict=True) if row >= 0]
    questions = intrusion_questions(
        vectors, n_questions=n_questions, ranks=ranks, targets=targets, frequent=frequent, among=shared, rng=rng
    )
    picked = pick_intruders(questions, judge)
    pick = (picked["pick"] == picked["intruder"]).to_numpy()
    right = int(pick.sum())
    limits = stats.binomtest(right, len(pick)).proportion_ci(confidence_level, "wilson")
    table = pd.DataFrame(
        {
            "found": [right / len(pick)],
            "ci_low": limits.low,
            "ci_high": limits.high,
            "chance": 1 / 3,
            "questions": len(pick),
            "words": len(vectors),
            "covered": len(shared),
            "coverage": len(shared) / len(vectors),
            "judge": judge.name,
        },
        index=pd.Index([vectors.name], name="vectors"),
    )
    table.attrs["unknown"] = questions.attrs["unknown"]
    return table
