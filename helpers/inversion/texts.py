"""Headlines: read, normalised, and split so that near duplicates stay on one side."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from helpers.arrays import check_number
from helpers.locations import expand

__all__ = [
    "Split",
    "natural_paraphrases",
    "near_duplicates",
    "normalise",
    "paraphrased_across",
    "read_headlines",
    "split_texts",
]

AGENCIES = ("cnbc", "guardian", "reuters")
_QUOTES = str.maketrans({"‘": "'", "’": "'", "‚": "'", "“": '"', "”": '"', "„": '"', "–": "-", "—": "-", "…": "..."})
_UPDATE = re.compile(r"^(?:(?:update|refile|correct(?:ed|ion)|wrapup|exclusive|breaking)\s*\d*\s*[-:]\s*)+", re.I)
_INITIALS = re.compile(r"\b(?:[A-Z] ?\. ){1,}[A-Z] ?\.(?=\W|$)")
_DECIMAL = re.compile(r"(?<=\d) ?\. ?(?=\d)|(?<=\d) , (?=\d{3}\b)")
_TIGHT = re.compile(r"\s+([,.;:!?%)\]])|([(\[$€£])\s+")


def normalise(text: str) -> str:
    """One spelling of a headline: composed characters, plain quotes and dashes, no space before a comma or in a number.

    Parameters
    ----------
    text
        A headline as an agency wrote it.

    Returns
    -------
    str
        The text; what an agency puts before it ("UPDATE 1-") is taken away, letters keep their size.

    Examples
    --------
    >>> normalise("UPDATE 2-Oil  falls , ‘sharply’ : WSJ")
    "Oil falls, 'sharply': WSJ"
    >>> normalise("U . S . bank cuts 1 , 200 jobs , saves USD 1 . 5 billion")
    'U.S. bank cuts 1,200 jobs, saves USD 1.5 billion'
    """
    text = " ".join(unicodedata.normalize("NFKC", text).translate(_QUOTES).split())
    text = _DECIMAL.sub(lambda found: found[0].strip(), text)
    text = _INITIALS.sub(lambda found: found[0].replace(" ", ""), text)
    text = _TIGHT.sub(lambda found: found[1] or found[2], text)
    return _UPDATE.sub("", text).strip()


def read_headlines(folder: str | os.PathLike[str], agencies: Sequence[str] = AGENCIES) -> pd.DataFrame:
    """Headlines of the agencies in a folder, normalised.

    Parameters
    ----------
    folder
        Folder with ``cnbc_headlines.csv``, ``guardian_headlines.csv`` and ``reuters_headlines.csv``: date and headline
        in each line, with or without a header; ``$VARIABLES`` are expanded.
    agencies
        Which of them are read.

    Returns
    -------
    DataFrame
        ``agency``, ``date`` (text, YYYY-MM-DD), ``text``; in the order of the files. ``attrs["blank"]`` counts lines
        without a headline.

    Raises
    ------
    FileNotFoundError
        If a file is missing; the message names it.
    ValueError
        If a line has not two columns.
    """
    parts, blank = [], 0
    for agency in agencies:
        path = Path(expand(folder)) / f"{agency}_headlines.csv"
        if not path.is_file():
            raise FileNotFoundError(f"{path} is missing; a folder with a file of headlines of each agency is needed")
        table = pd.read_csv(path, header=None, dtype=str, keep_default_na=False)
        if table.shape[1] != 2:
            raise ValueError(f"{path} has {table.shape[1]} columns; date and headline are needed")
        table.columns = ["date", "text"]
        if table["date"].iloc[0] == "date":
            table = table.iloc[1:]
        table["text"] = table["text"].map(normalise)
        empty = table["text"] == ""
        blank += int(empty.sum())
        parts.append(table[~empty].assign(agency=agency)[["agency", "date", "text"]])
    out = pd.concat(parts, ignore_index=True)
    out.attrs["blank"] = blank
    return out


def near_duplicates(texts: Sequence[str], *, least: float = 0.7, block: int = 2048) -> np.ndarray:
    """Which texts say nearly the same: the number of its group for each.

    Two texts are near if their words, those that are rare weighing more (TF-IDF), have at least this cosine; groups
    are what chains of near texts connect.

    Parameters
    ----------
    texts
        Texts, at least one.
    least
        Least cosine of two near texts, in (0, 1].
    block
        Rows that are compared with all at a time.

    Returns
    -------
    ndarray of int, shape (n,)
        Groups, numbered in the order of their first text.

    Raises
    ------
    ValueError
        If there are no texts, or ``least`` is out of range.

    Examples
    --------
    >>> near_duplicates(["Oil falls in May", "Gold rises a lot", "Oil falls in May again"]).tolist()
    [0, 1, 0]
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components
    from sklearn.feature_extraction.text import TfidfVectorizer

    check_number(least, "least", lambda value: 0 < value <= 1, "a cosine above 0 and at most 1")
    if not len(texts):
        raise ValueError("texts is empty; at least one text is needed")
    words = TfidfVectorizer(token_pattern=r"\w+", sublinear_tf=True, dtype=np.float32)
    x = words.fit_transform([text if re.search(r"\w", text) else f"blank{i}" for i, text in enumerate(texts)])
    lefts, rights = [], []
    transposed = x.T.tocsr()
    for at in range(0, x.shape[0], block):
        near = (x[at : at + block] @ transposed).tocoo()
        close = near.data >= least - 1e-6
        lefts.append(near.row[close] + at)
        rights.append(near.col[close])
    left, right = np.concatenate(lefts), np.concatenate(rights)
    graph = coo_matrix((np.ones(len(left), dtype=bool), (left, right)), shape=(x.shape[0],) * 2)
    labels = connected_components(graph, directed=False)[1]
    _, first = np.unique(labels, return_index=True)
    return np.argsort(np.argsort(first))[labels]


def natural_paraphrases(table: pd.DataFrame, *, least: float = 0.45, most: float = 0.9, n: int = 5) -> list[list[str]]:
    """For each headline those of other agencies on the same day that tell of the same event in other words.

    Parameters
    ----------
    table
        ``agency``, ``date`` and ``text``, from :func:`read_headlines`.
    least, most
        Cosines of words, those that are rare weighing more, between which two headlines tell of one event in other
        words.
    n
        Most paraphrases of a headline, the nearest first.

    Returns
    -------
    list of list of str
        In the order of the table; empty where there are none, which is most often.

    Raises
    ------
    ValueError
        If a column is missing, or the cosines are out of order.

    Examples
    --------
    >>> rows = [("a", "2020-01-01", "Boeing halts 737 output"), ("b", "2020-01-01", "Boeing to halt output of 737")]
    >>> rows += [("b", "2020-01-02", "Boeing halts 737 output"), ("b", "2020-01-01", "Oil falls")]
    >>> natural_paraphrases(pd.DataFrame(rows, columns=["agency", "date", "text"]), least=0.3)[0]
    ['Boeing to halt output of 737']
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    for name in ("agency", "date", "text"):
        if name not in table:
            raise ValueError(f"table has columns {list(table)}; {name} is missing")
    check_number(least, "least", lambda value: 0 < value < most <= 1, f"a cosine above 0 and below most = {most}")
    texts, agencies = table["text"].tolist(), table["agency"].to_numpy()
    x = TfidfVectorizer(token_pattern=r"\w+", sublinear_tf=True, dtype=np.float32).fit_transform(texts)
    out: list[list[str]] = [[] for _ in texts]
    for rows in table.reset_index(drop=True).groupby("date", sort=False).indices.values():
        near = (x[rows] @ x[rows].T).toarray()
        near[agencies[rows][:, None] == agencies[rows][None]] = 0
        for row, cosines in zip(rows, near, strict=True):
            order = np.argsort(-cosines, kind="stable")
            fine = [texts[rows[i]] for i in order if least <= cosines[i] <= most]
            out[row] = list(dict.fromkeys(fine))[:n]
    return out


def paraphrased_across(
    table: pd.DataFrame, train: Sequence[str], test: Sequence[str], *, least: float = 0.4
) -> np.ndarray:
    """Which test headlines have, in the training part, one of another agency on the same day in other words.

    Parameters
    ----------
    table
        ``agency``, ``date`` and ``text`` of all headlines, from :func:`read_headlines`; a headline that stands in it
        several times counts with every agency and date.
    train, test
        Headlines of both parts, whose capitals do not matter.
    least
        Least cosine of words, those that are rare in the table weighing more; in (0, 1].

    Returns
    -------
    ndarray of bool, shape (n_test,)

    Raises
    ------
    ValueError
        If a column is missing, the cosine is out of range, or a headline is not in the table.

    Examples
    --------
    >>> rows = [("a", "2020-01-01", "Boeing halts 737 output"), ("b", "2020-01-01", "Boeing to halt output of 737")]
    >>> rows += [("a", "2020-01-01", "Oil falls"), ("b", "2020-01-02", "Oil falls again")]
    >>> table = pd.DataFrame(rows, columns=["agency", "date", "text"])
    >>> paraphrased_across(table, table["text"][1::2], table["text"][::2], least=0.3).tolist()
    [True, False]
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    for name in ("agency", "date", "text"):
        if name not in table:
            raise ValueError(f"table has columns {list(table)}; {name} is missing")
    check_number(least, "least", lambda value: 0 < value <= 1, "a cosine above 0 and at most 1")
    lower = table["text"].str.lower()
    known, asked = ({text.lower() for text in part} for part in (train, test))
    if lacking := sorted((known | asked) - set(lower)):
        raise ValueError(f"the table has no headline {lacking[0]!r}")
    x = TfidfVectorizer(token_pattern=r"\w+", sublinear_tf=True, dtype=np.float32).fit_transform(lower)
    agencies, found = table["agency"].to_numpy(), set()
    inside, wanted = lower.isin(known).to_numpy(), lower.isin(asked).to_numpy()
    for rows in table.reset_index(drop=True).groupby("date", sort=False).indices.values():
        left, right = rows[wanted[rows]], rows[inside[rows]]
        if not len(left) or not len(right):
            continue
        near = (x[left] @ x[right].T).toarray() >= least
        near &= agencies[left][:, None] != agencies[right][None]
        found |= set(lower.iloc[left[near.any(1)]])
    return np.array([text.lower() in found for text in test], dtype=bool)


class Split(NamedTuple):
    """Rows of the parts of a corpus.

    Attributes
    ----------
    train, validation, test
        Row numbers, ascending.
    groups
        Group of near duplicates of each row.
    dropped
        Rows that repeat an earlier text, letter for letter but for capitals; in none of the parts.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    groups: np.ndarray
    dropped: np.ndarray


def split_texts(
    texts: Sequence[str],
    *,
    validation: float = 0.1,
    test: float = 0.1,
    least: float = 0.7,
    rng: int | np.random.Generator = 0,
) -> Split:
    """Parts of a corpus that share no text and no near duplicates.

    Parameters
    ----------
    texts
        Texts of the whole corpus.
    validation, test
        Shares of the distinct texts; groups of near duplicates are dealt whole, so that shares are met to within one
        group.
    least
        Least cosine of near duplicates, as in :func:`near_duplicates`.
    rng
        Seed or generator of the deal.

    Returns
    -------
    Split

    Raises
    ------
    ValueError
        If shares are negative or leave nothing to train on.
    """
    from helpers.arrays import generator

    for value, name in ((validation, "validation"), (test, "test")):
        check_number(value, name, lambda share: 0 <= share < 1, "a share of at least 0 and below 1")
    if validation + test >= 1:
        raise ValueError(f"validation and test are {validation} and {test}; nothing is left to train on")
    lower = pd.Series([text.lower() for text in texts])
    dropped = np.flatnonzero(lower.duplicated())
    kept = np.flatnonzero(~lower.duplicated())
    groups = near_duplicates(texts, least=least)
    order = generator(rng).permutation(groups.max() + 1)
    sizes = np.bincount(groups[kept], minlength=len(order))[order]
    before = np.cumsum(sizes) - sizes
    cuts = np.searchsorted([test * len(kept), (test + validation) * len(kept)], before, side="right")
    side = np.empty(len(order), dtype=int)
    side[order] = cuts
    sides = side[groups[kept]]
    return Split(kept[sides == 2], kept[sides == 1], kept[sides == 0], groups, dropped)
