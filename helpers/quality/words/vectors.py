"""Words with their vectors, from whatever holds them; looked up by spelling, then without regard to case."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from helpers.arrays import as_matrix, check_count, to_numpy, unit_rows

__all__ = ["WordVectors", "as_word_vectors"]


@dataclass(frozen=True, eq=False)
class WordVectors:
    """Words with their vectors, the most frequent first where that is known.

    Attributes
    ----------
    words : tuple of str
        The words; no two are the same.
    x : ndarray of shape (n, p)
        A vector for each word, finite and not zero.
    name : str
        What tables call them.
    left_out : dict of str to int
        Words of the source that are not here, counted by the reason.
    """

    words: tuple[str, ...]
    x: np.ndarray
    name: str = ""
    left_out: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self):
        words = self.words
        if isinstance(words, str):
            raise TypeError("words is a single string; pass a list of words")
        words = tuple(words)
        for i, word in enumerate(words):
            if not isinstance(word, str) or not word:
                raise ValueError(f"words[{i}] is {word!r}; a word that is not empty is needed")
        x = to_numpy(as_matrix(self.x, rows=1))
        if len(words) != len(x):
            raise ValueError(f"words has {len(words)} entries and x {len(x)} rows; one vector for each word is needed")
        object.__setattr__(self, "words", words)
        object.__setattr__(self, "x", x)
        if len(self._exact) < len(words):
            seen: set[str] = set()
            twice = next(word for word in words if word in seen or seen.add(word))
            raise ValueError(f"words has {twice!r} twice; one vector for each word is needed")
        zero = ~x.any(axis=1)
        if zero.any():
            row = int(np.argmax(zero))
            raise ValueError(f"x: row {row}, of {words[row]!r}, is zero and has no direction; pass drop=True")

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: str) -> bool:
        return self.rows([word])[0] >= 0

    def __repr__(self) -> str:
        return f"WordVectors({len(self)} words, {self.x.shape[1]} features{f', {self.name}' if self.name else ''})"

    @cached_property
    def _exact(self) -> dict[str, int]:
        return {word: i for i, word in enumerate(self.words)}

    @cached_property
    def _folded(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for i, word in enumerate(self.words):
            found.setdefault(word.casefold(), i)
        return found

    @cached_property
    def unit(self) -> np.ndarray:
        """Vectors of length 1, of shape (n, p), in the type of x."""
        return to_numpy(unit_rows(self.x))

    def rows(self, words: Iterable[str]) -> np.ndarray:
        """Rows of words: the word as it is spelled, else the first one that differs by case alone, else -1.

        Parameters
        ----------
        words
            Words, in any order and any number of times.

        Returns
        -------
        ndarray of int64
            A row for each word; -1 for a word that is not known.

        Examples
        --------
        >>> from helpers.quality.words import WordVectors
        >>> WordVectors(["paris", "Rome"], [[1.0, 0.0], [0.0, 1.0]]).rows(["Paris", "Rome", "Oslo"]).tolist()
        [0, 1, -1]
        """
        exact, folded = self._exact, self._folded
        return np.array([exact.get(w, folded.get(str(w).casefold(), -1)) for w in words], dtype=np.int64)

    def first(self, n_words: int | None = None, *, width: int | None = None) -> WordVectors:
        """The first words, which are the most frequent ones of most files, and the first features alone.

        Parameters
        ----------
        n_words
            How many words; all by default.
        width
            How many features; all by default. Of vectors of :func:`~helpers.quality.words.corpus_vectors` the first
            ones are what a smaller width would have given.
        """
        n = len(self) if n_words is None else check_count(n_words, "n_words", most=len(self))
        p = self.x.shape[1] if width is None else check_count(width, "width", most=self.x.shape[1])
        return WordVectors(self.words[:n], self.x[:n, :p], self.name, self.left_out)


def as_word_vectors(source: Any, *, name: str = "", drop: bool = False) -> WordVectors:
    """Word vectors from whatever holds them.

    Parameters
    ----------
    source
        A :class:`WordVectors`; a path of a file of word2vec (text or binary), GloVe or fastText (``.vec``), of an
        archive of navec (``.tar``), or of any format that :func:`helpers.inputs.read` reads with ids; a mapping from
        words to vectors; a DataFrame whose index has the words; an object with ``index_to_key`` and ``vectors``, such
        as gensim's ``KeyedVectors``; or a pair (words, matrix).
    name
        What tables call them; by default the name of the file.
    drop
        Whether to leave out words whose vector is zero or not finite; by default they raise. ``left_out`` counts them.

    Returns
    -------
    WordVectors
        The words in the order of the source.

    Raises
    ------
    TypeError, ValueError
        If the source is of another kind, a word is there twice or is no string, vectors differ in length, or a vector
        is zero or not finite and ``drop`` is false.

    Examples
    --------
    >>> from helpers.quality.words import as_word_vectors
    >>> as_word_vectors({"cat": [1.0, 0.0], "dog": [0.8, 0.6], "of": [0.0, 0.0]}, drop=True)
    WordVectors(2 words, 2 features)
    """
    if isinstance(source, WordVectors):
        return source
    if isinstance(source, (str, os.PathLike)):
        from pathlib import Path

        if Path(source).suffix == ".tar":
            from helpers.quality.words.navec import read_navec

            return as_word_vectors(read_navec(source), name=name or Path(source).stem, drop=drop)
        from helpers.inputs import read

        found = read(os.fspath(source), progress=False)
        if len(found.representations) != 1:
            raise ValueError(
                f"source: {os.fspath(source)} holds {len(found.representations)} matrices, "
                f"{', '.join(found.representations)}; pass one of them as (words, matrix)"
            )
        words, x = found.ids.tolist(), next(iter(found.representations.values()))
        name = name or Path(source).stem
    elif hasattr(source, "index_to_key"):
        words, x = list(source.index_to_key), source.vectors
    elif hasattr(source, "index") and hasattr(source, "to_numpy"):
        words, x = list(source.index), source.to_numpy()
    elif isinstance(source, Mapping):
        words = list(source)
        widths = {word: np.size(vector) for word, vector in source.items()}
        if odd := [word for word in words if widths[word] != widths[words[0]]]:
            raise ValueError(
                f"source: the vector of {odd[0]!r} has {widths[odd[0]]} entries and that of {words[0]!r} "
                f"{widths[words[0]]}; equally many are needed"
            )
        x = np.array([np.ravel(vector) for vector in source.values()])
    elif isinstance(source, (tuple, list)) and len(source) == 2:
        words, x = list(source[0]), source[1]
    else:
        raise TypeError(
            f"source is a {type(source).__name__}; a path, a mapping, a DataFrame, an object with index_to_key, or a "
            "pair (words, matrix) is needed"
        )
    left_out: dict[str, int] = {}
    if drop:
        x = to_numpy(x)
        finite = np.isfinite(x).all(axis=1)
        zero = ~x.any(axis=1)
        left_out = {"not finite": int((~finite).sum()), "zero": int(zero.sum())}
        keep = finite & ~zero
        words, x = [word for word, kept in zip(words, keep, strict=True) if kept], x[keep]
    return WordVectors(words, x, name, left_out)
