"""Texts that an evaluation asks about, found in what shall be trained on: the same, or nearly the same."""

from __future__ import annotations

import csv
import json
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from helpers.arrays import check_number
from helpers.locations import expand
from helpers.pairs.cleaning import letters_key

__all__ = ["EvaluationTexts", "texts_in_folder"]

STEM = 5  # letters by which two forms of a word count as one
RUN = 3  # words of a run


class EvaluationTexts:
    """Finds texts of an evaluation in other texts, by the letters of their words.

    A text is the *same* as one of the evaluation if they differ in case, signs, digits, and ё for е at most. It is
    *near* one if their sets of words have a Jaccard similarity of at least ``least``, or if it has that share or more
    of the runs of three words of one that has six words or more, as a paragraph does that quotes it. Words count by
    their first five letters, so that other forms of a word count as the same.

    Parameters
    ----------
    texts
        Texts of the evaluation.
    least
        Least similarity of two texts that are near, in (0, 1].

    Attributes
    ----------
    n
        Number of distinct texts.

    Examples
    --------
    >>> asked = EvaluationTexts(["Мужчина кормит серую мышь змее.", "Погода"])
    >>> [asked.find(text) for text in ("погода!", "Мужчина кормит мышь серую, змее", "Мужчина кормит собаку")]
    ['same', 'near', '']
    """

    def __init__(self, texts: Iterable[str], *, least: float = 0.7):
        check_number(least, "least", lambda value: 0 < value <= 1, "a similarity above 0 and at most 1")
        if isinstance(texts, str):
            raise TypeError("texts is one string; pass a sequence of texts")
        self.least = least
        keys = dict.fromkeys(key for text in texts if (key := letters_key(text)))
        self.n = len(keys)
        self._keys = set(keys)
        stems = [_stems(key) for key in keys]
        self._sets = [frozenset(words) for words in stems if len(set(words)) >= RUN]
        often = Counter(word for words in self._sets for word in words)
        self._rank = {word: i for i, (word, _) in enumerate(sorted(often.items(), key=lambda item: (item[1], item[0])))}
        # two sets that share most of their words share one of the rarest words of each
        self._by_word: dict[str, list[int]] = {}
        for i, words in enumerate(self._sets):
            for word in self._rarest(words):
                self._by_word.setdefault(word, []).append(i)
        self._runs: dict[tuple[str, ...], list[int]] = {}
        self._n_runs: list[int] = []
        for words in stems:
            if len(words) >= 2 * RUN:
                runs = set(_runs(words))
                for run in runs:
                    self._runs.setdefault(run, []).append(len(self._n_runs))
                self._n_runs.append(len(runs))

    def find(self, text: str) -> str:
        """``"same"``, ``"near"``, or an empty string if the text is far from all of the evaluation."""
        key = letters_key(text)
        if key in self._keys:
            return "same"
        stems = _stems(key)
        words = frozenset(stems)
        if len(words) < RUN:
            return ""
        for i in {i for word in self._rarest(words) for i in self._by_word.get(word, ())}:
            shared = len(words & self._sets[i])
            if shared >= self.least * (len(words) + len(self._sets[i]) - shared):
                return "near"
        hits = Counter(i for run in set(_runs(stems)) for i in self._runs.get(run, ()))
        return "near" if any(often >= self.least * self._n_runs[i] for i, often in hits.items()) else ""

    def _rarest(self, words: frozenset[str]) -> list[str]:
        """The words by which a set can be found: so many that a set that is near shares one of them."""
        rare = sorted(words, key=lambda word: (self._rank.get(word, -1), word))
        return rare[: len(rare) - int(-(-self.least * len(rare) // 1)) + 1]


def _stems(key: str) -> list[str]:
    return [word[:STEM] for word in key.split()]


def _runs(words: list[str]) -> Iterable[tuple[str, ...]]:
    return zip(*(words[k:] for k in range(RUN)), strict=False)


def texts_in_folder(
    folder: str | os.PathLike[str],
    columns: Iterable[str] = ("text", "answer", "text_1", "text_2", "sentence1", "sentence2", "question1", "question2"),
) -> list[str]:
    """All texts that the tables and lists of a folder of evaluation data ask about.

    Parameters
    ----------
    folder
        Folder with files ``.csv`` (with a header), ``.json`` (a list of texts under ``"texts"``) and ``.txt`` (a text
        in each line); other files do not count.
    columns
        Names of the columns of tables that hold texts.

    Returns
    -------
    list of str
        Distinct texts, in the order of files and rows.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If a file cannot be read, or the folder has no text at all.
    """
    folder, found = Path(expand(folder)), {}
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}")
    for path in sorted(folder.iterdir()):
        if path.suffix not in (".csv", ".json", ".txt"):
            continue
        try:
            if path.suffix == ".csv":
                with path.open(encoding="utf-8-sig", newline="") as file:
                    for row in csv.DictReader(file):
                        found.update(dict.fromkeys(row[name] for name in columns if row.get(name)))
            elif path.suffix == ".json":
                texts = json.loads(path.read_text("utf-8"))
                texts = texts.get("texts", ()) if isinstance(texts, dict) else ()
                found.update(dict.fromkeys(text for text in texts if isinstance(text, str)))
            else:
                found.update(dict.fromkeys(path.read_text("utf-8-sig").splitlines()))
        except (UnicodeDecodeError, csv.Error, json.JSONDecodeError) as error:
            raise ValueError(f"{path} cannot be read: {error}") from None
    texts = [text for text in found if text.strip()]
    if not texts:
        raise ValueError(f"{folder} has no texts: no .csv with a column {', '.join(columns)}, no .json, no .txt")
    return texts
