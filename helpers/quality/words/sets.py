"""Sets of words that people or programs made: pairs with scores, analogies, categories; read, and checked."""

from __future__ import annotations

import csv
import math
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["as_categories", "as_questions", "as_scored_pairs", "read_categories", "read_questions", "read_scored_pairs"]

PAIR = ["left", "right", "score"]
QUESTION = ["category", "a", "b", "c", "d"]


def read_scored_pairs(path: str | os.PathLike[str], *, columns: Sequence[int | str] | None = None) -> pd.DataFrame:
    """Pairs of words with a score, such as those of WordSim-353, SimLex-999, MEN, RG-65 and RareWords.

    Parameters
    ----------
    path
        A text file with a pair in each line: columns between tabs, semicolons, commas or blanks. Lines that begin with
        # and a first line without a number are no pairs.
    columns
        Where the two words and the score stand, as numbers from 0 or, where there is a first line with names, as names.
        By default there are three columns.

    Returns
    -------
    DataFrame
        ``left``, ``right`` and ``score``, in the order of the file.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such file, a line has another number of columns or no score, or there is no pair.
    """
    import pandas as pd

    path = Path(path)
    lines = [(i, line) for i, line in _lines(path) if not line.startswith("#")]
    if not lines:
        raise ValueError(f"{path.name} has no line with a pair")
    separator = next((sign for sign in "\t;," if sign in lines[0][1]), None)
    rows = [(i, _cells(line, separator)) for i, line in lines]
    names = rows[0][1]
    first = columns is not None and any(isinstance(column, str) for column in columns)
    if first or not any(map(_is_number, names)):
        rows = rows[1:]
    where = _where(columns, names, path)
    need = 3 if columns is None else max(where) + 1
    found = []
    for i, cells in rows:
        if len(cells) < need or (columns is None and len(cells) != 3):
            raise ValueError(
                f"{path.name}, line {i}: {len(cells)} columns, and {'' if columns is None else 'at least '}{need} "
                "are needed: two words and a score; pass columns=(0, 1, 3), say, to name them"
            )
        left, right, score = (cells[column] for column in where)
        if not _is_number(score):
            raise ValueError(f"{path.name}, line {i}: the score is {score!r}; a number is needed")
        found.append((left, right, float(score)))
    if not found:
        raise ValueError(f"{path.name} has no line with a pair")
    return pd.DataFrame(found, columns=PAIR)


def read_questions(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Analogies in Google's format: lines of four words, below lines such as ``: capital-world``.

    Parameters
    ----------
    path
        A text file. Questions above any category have the category ``""``.

    Returns
    -------
    DataFrame
        ``category``, ``a``, ``b``, ``c`` and ``d``: a is to b as c is to d.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such file, a line has not four words, or there is no question.
    """
    import pandas as pd

    category, found, path = "", [], Path(path)
    for i, line in _lines(path):
        if line.startswith(":"):
            category = line[1:].strip()
            continue
        words = line.split()
        if len(words) != 4:
            raise ValueError(f"{path.name}, line {i}: {len(words)} words, and 4 are needed: a is to b as c is to d")
        found.append((category, *words))
    if not found:
        raise ValueError(f"{path.name} has no line with four words")
    return pd.DataFrame(found, columns=QUESTION)


def read_categories(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Words with the category that people put them in, such as those of SEMCAT, AP, BLESS and Battig.

    Parameters
    ----------
    path
        A folder with a text file for each category, named after it (a number behind a last hyphen is no part of the
        name), with a word in each line; or one text file with a word and its category in each line.

    Returns
    -------
    DataFrame
        ``word`` and ``category``, in the order of the files; a word is there once for each of its categories.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is nothing at the path, a line of a table has not two columns, or there is no word.
    """
    import pandas as pd

    path = Path(path)
    found: list[tuple[str, str]] = []
    if path.is_dir():
        for file in sorted(path.glob("*.txt")):
            name = re.sub(r"-\d+$", "", file.stem)
            found += [(line, name) for _, line in _lines(file)]
    else:
        lines = list(_lines(path))
        separator = next((sign for sign in "\t;," if lines and sign in lines[0][1]), None)
        for i, line in lines:
            cells = _cells(line, separator)
            if len(cells) != 2:
                raise ValueError(f"{path.name}, line {i}: {len(cells)} columns, and 2 are needed: a word, its category")
            found.append((cells[0], cells[1]))
        if found and found[0] == ("word", "category"):
            found = found[1:]
    if not found:
        raise ValueError(f"{path} holds no word with a category; .txt files are read")
    return pd.DataFrame(found, columns=["word", "category"]).drop_duplicates(ignore_index=True)


def as_scored_pairs(pairs: Any, name: str = "pairs") -> pd.DataFrame:
    """Pairs with scores from a path, a frame with ``left``, ``right`` and ``score``, or triples.

    Raises
    ------
    TypeError, ValueError
        If a column is missing, a word is no string, a score is no finite number, or there is no pair.
    """
    import pandas as pd

    if isinstance(pairs, (str, os.PathLike)):
        return read_scored_pairs(pairs)
    if not isinstance(pairs, pd.DataFrame):
        triples = [tuple(row) for row in pairs]
        if odd := [i for i, row in enumerate(triples) if len(row) != 3]:
            raise ValueError(f"{name}[{odd[0]}] has {len(triples[odd[0]])} entries; two words and a score are needed")
        pairs = pd.DataFrame(triples, columns=PAIR)
    found = _with_words(pairs, PAIR, ["left", "right"], name)
    for row, score in enumerate(found["score"].tolist()):
        if isinstance(score, (bool, str)) or score is None or not math.isfinite(float(score)):
            raise ValueError(f"{name}, row {row}: the score is {score!r}; a finite number is needed")
    return found.assign(score=found["score"].astype(float))


def as_questions(questions: Any, name: str = "questions") -> pd.DataFrame:
    """Analogies from a path, a frame with ``a``, ``b``, ``c``, ``d`` and perhaps ``category``, or quadruples.

    Raises
    ------
    TypeError, ValueError
        If a column is missing, a word is no string, or there is no question.
    """
    import pandas as pd

    if isinstance(questions, (str, os.PathLike)):
        return read_questions(questions)
    if not isinstance(questions, pd.DataFrame):
        rows = [tuple(row) for row in questions]
        if odd := [i for i, row in enumerate(rows) if len(row) != 4]:
            raise ValueError(f"{name}[{odd[0]}] has {len(rows[odd[0]])} entries; four words are needed")
        questions = pd.DataFrame(rows, columns=QUESTION[1:])
    if "category" not in questions:
        questions = questions.assign(category="")
    return _with_words(questions, QUESTION, QUESTION, name)


def as_categories(categories: Any, name: str = "categories") -> pd.DataFrame:
    """Words with categories from a path, a frame with ``word`` and ``category``, or lists of words by category.

    Raises
    ------
    TypeError, ValueError
        If a column is missing, a word is no string, or there is no word.
    """
    import pandas as pd

    if isinstance(categories, (str, os.PathLike)):
        return read_categories(categories)
    if isinstance(categories, Mapping):
        rows = [(word, str(category)) for category, words in categories.items() for word in words]
        categories = pd.DataFrame(rows, columns=["word", "category"])
    return _with_words(categories, ["word", "category"], ["word"], name).drop_duplicates(ignore_index=True)


def _with_words(table: Any, columns: list[str], words: list[str], name: str) -> pd.DataFrame:
    """The columns of a table, with a string wherever there is to be a word."""
    import pandas as pd

    if not isinstance(table, pd.DataFrame):
        raise TypeError(
            f"{name} is a {type(table).__name__}; a path or a DataFrame with {', '.join(columns)} is needed"
        )
    if missing := [column for column in columns if column not in table]:
        raise ValueError(f"{name} has no column {missing[0]!r}; it has {', '.join(map(str, table.columns))}")
    if not len(table):
        raise ValueError(f"{name} is empty; at least one row is needed")
    table = table[columns].reset_index(drop=True)
    for column in words:
        for row, word in enumerate(table[column]):
            if not isinstance(word, str):
                raise ValueError(f"{name}, row {row}, column {column!r}: {word!r} is no word")
    return table


def _lines(path: Path) -> list[tuple[int, str]]:
    """Lines that are not blank, with their numbers from 1."""
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    return [(i, line.strip(" \r\n")) for i, line in enumerate(text.split("\n"), start=1) if line.strip()]


def _cells(line: str, separator: str | None) -> list[str]:
    if separator is None:
        return line.split()
    return [cell.strip() for cell in next(csv.reader([line], delimiter=separator))]


def _is_number(cell: str) -> bool:
    try:
        return bool(np.isfinite(float(cell)))
    except ValueError:
        return False


def _where(columns: Sequence[int | str] | None, names: list[str], path: Path) -> list[int]:
    """The numbers of the columns."""
    if columns is None:
        return [0, 1, 2]
    if len(columns) != 3:
        raise ValueError(f"columns has {len(columns)} entries; those of two words and of a score are needed")
    if odd := [column for column in columns if isinstance(column, str) and column not in names]:
        raise ValueError(f"columns has {odd[0]!r}; the first line of {path.name} has {', '.join(names)}")
    return [names.index(column) if isinstance(column, str) else int(column) for column in columns]
