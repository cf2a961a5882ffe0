"""A set of words of our own: what the names in the documentation of libraries say of words, made by a program."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from helpers.arrays import check_count, generator
from helpers.text import documentation
from helpers.text.sources import docstrings, read_source, sources

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["WORD_LIBRARIES", "WordSets", "documentation_word_sets", "name_words", "parameter_names", "word_sets"]

WORD_LIBRARIES = ("numpy", "scipy", "pandas", "sklearn", "networkx", "sympy")
"""Libraries whose names are read by default: they have submodules by subject."""

NAMES = re.compile(r"[A-Z]?[a-z]+")
PARAMETERS = re.compile(r"^ *Parameters\n *-{3,}\n(.*?)(?=^ *\w[\w ]*\n *-{3,}|\Z)", re.S | re.M)
ENTRY = re.compile(r"^ {0,4}([a-z]\w*(?:, [a-z]\w*)*) *:", re.M)


class WordSets(NamedTuple):
    """Word sets that need no people and no download.

    Attributes
    ----------
    pairs : DataFrame
        ``left``, ``right``, ``score``: 3 where two words stand together in the name of a parameter or an object, 2
        where they are of one submodule, 1 of one library, 0 of two libraries; equally many of each.
    categories : DataFrame
        ``word``, ``category``: the submodule that most names with the word belong to.
    questions : DataFrame
        ``category``, ``a``, ``b``, ``c``, ``d``: forms of words, such as array is to arrays as matrix is to matrices.
    """

    pairs: pd.DataFrame
    categories: pd.DataFrame
    questions: pd.DataFrame


def documentation_word_sets(
    libraries: Sequence[str] = WORD_LIBRARIES,
    *,
    min_count: int = 20,
    n_pairs: int = 100,
    n_words: int = 25,
    n_forms: int = 25,
    rng: int | np.random.Generator = 0,
) -> WordSets:
    """Pairs with scores, categories and analogies from the documentation of installed libraries.

    What is used of it are *names*, of modules, objects and parameters, and which forms of words occur. The corpus of
    :func:`helpers.text.documentation` has no names of parameters and no headings, so that vectors made of it have not
    seen the answers, though its sentences speak of many of these things.

    Parameters
    ----------
    libraries
        Libraries that are read.
    min_count
        How often a word occurs at least in the sentences of these libraries.
    n_pairs
        Pairs of each score, at most.
    n_words
        Words of each category, at most.
    n_forms
        Pairs of forms in each category of analogies, at most.
    rng
        Seed or generator of the choice of pairs.

    Returns
    -------
    WordSets
        Other versions of the libraries give other sets: record which.

    Raises
    ------
    ModuleNotFoundError
        If a library is not installed.
    ValueError
        If the names are too few for pairs or categories.
    """
    return word_sets(
        documentation(libraries),
        parameter_names(libraries),
        min_count=min_count,
        n_pairs=n_pairs,
        n_words=n_words,
        n_forms=n_forms,
        rng=rng,
    )


def parameter_names(libraries: Iterable[str]) -> list[str]:
    """Names of parameters in docstrings of NumPy's style, in the order of the sources, once for each docstring."""
    found = []
    for library in libraries:
        for _, path in sources(library):
            for _, _, doc in docstrings(read_source(path)):
                for section in PARAMETERS.findall(doc):
                    found += [name for entry in ENTRY.findall(section) for name in entry.split(", ")]
    return found


def name_words(name: str) -> list[str]:
    """Words of a name, in lower case, without those of fewer than four letters.

    >>> from helpers.quality.words.documentation import name_words
    >>> name_words("SpectralClustering.fit_predict"), name_words("n_components")
    (['spectral', 'clustering', 'predict'], ['components'])
    """
    return [word.lower() for word in NAMES.findall(name) if len(word) > 3]


def word_sets(
    table: pd.DataFrame,
    parameters: Iterable[str] = (),
    *,
    min_count: int = 20,
    n_pairs: int = 100,
    n_words: int = 25,
    n_forms: int = 25,
    rng: int | np.random.Generator = 0,
) -> WordSets:
    """What :func:`documentation_word_sets` makes, from a table of documentation and names of parameters.

    Parameters
    ----------
    table
        Columns ``library``, ``module``, ``object`` and ``text``, as of :func:`helpers.text.documentation`.
    parameters
        Names of parameters, as often as they occur.
    min_count, n_pairs, n_words, n_forms, rng
        Same meaning as in :func:`documentation_word_sets`.

    Raises
    ------
    ValueError
        If no two submodules have words of their own, or there are no pairs of some score.
    """
    for name, value in (("min_count", min_count), ("n_pairs", n_pairs), ("n_words", n_words), ("n_forms", n_forms)):
        check_count(value, name)
    from helpers.quality.words.corpora import split_words

    rng = generator(rng)
    counts = Counter(word for text in table["text"] for word in split_words(text))
    common = {word for word, count in counts.items() if count >= min_count}
    objects = table[["library", "module", "object"]].drop_duplicates()
    where: dict[str, Counter[str]] = defaultdict(Counter)
    together: Counter[tuple[str, str]] = Counter()
    for library, module, name in objects.itertuples(index=False):
        part = _submodule(library, module)
        words = sorted(set(name_words(name.rpartition(".")[2])) & common)
        together.update(combinations(words, 2))
        if part:
            for word in words:
                where[word][part] += 1
    for name in parameters:
        together.update(combinations(sorted(set(name_words(name)) & common), 2))
    categories = _categories(where, counts, n_words)
    pairs = _pairs(categories, together, n_pairs, rng)
    return WordSets(pairs, categories, _forms(counts, common, n_forms))


def _submodule(library: str, module: str) -> str:
    """The public submodule of a library that a module belongs to; empty where there is none."""
    parts = module.split(".")
    public = len(parts) > 1 and parts[0] == library and not parts[1].startswith("_")
    return ".".join(parts[:2]) if public else ""


def _categories(where: dict[str, Counter[str]], counts: Counter[str], n_words: int) -> pd.DataFrame:
    """The most frequent words of which at least three names, and two thirds of all, are in one submodule."""
    import pandas as pd

    found = defaultdict(list)
    for word, parts in where.items():
        part, most = parts.most_common(1)[0]
        if most >= 3 and 3 * most >= 2 * parts.total():
            found[part].append(word)
    rows = [
        (word, part)
        for part in sorted(found)
        if len(found[part]) >= 8
        for word in sorted(found[part], key=lambda word: (-counts[word], word))[:n_words]
    ]
    if len({part for _, part in rows}) < 2:
        raise ValueError("table: no two submodules have eight words of their own; pass more libraries")
    return pd.DataFrame(rows, columns=["word", "category"])


def _pairs(
    categories: pd.DataFrame, together: Counter[tuple[str, str]], n_pairs: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Equally many pairs of each score, no word in more than eight of them."""
    import pandas as pd

    part = dict(categories.itertuples(index=False))
    words = sorted(part)
    of = np.array([part[word] for word in words])
    library = np.array([name.partition(".")[0] for name in of])
    left, right = np.triu_indices(len(words), 1)
    joint = {pair for pair, count in together.items() if count >= 2}
    score = 2 * (of[left] == of[right]) + 1 * ((of[left] != of[right]) & (library[left] == library[right]))
    linked = np.array([(words[i], words[j]) in joint for i, j in zip(left, right, strict=True)])
    score[linked] = 3
    taken: dict[int, list[tuple[str, str]]] = {}
    used: Counter[str] = Counter()
    for value in (3, 2, 1, 0):
        taken[value] = []
        for k in rng.permutation(np.flatnonzero(score == value)):
            pair = words[left[k]], words[right[k]]
            if len(taken[value]) < n_pairs and max(used[word] for word in pair) < 8:
                taken[value].append(pair)
                used.update(pair)
    least = min(map(len, taken.values()))
    if least == 0:
        raise ValueError(
            f"table: there are pairs of {', '.join(str(v) for v in taken if taken[v])} only; four scores are needed"
        )
    rows = [(*pair, float(value)) for value, pairs in taken.items() for pair in pairs[:least]]
    return pd.DataFrame(rows, columns=["left", "right", "score"])


def _forms(counts: Counter[str], common: set[str], n_forms: int) -> pd.DataFrame:
    """Analogies of forms: all ordered pairs of the most frequent pairs of a base and its form."""
    import pandas as pd

    rows: list[tuple[Any, ...]] = []
    for name, form in FORMS.items():
        found = [(word, form(word)) for word in common if len(word) > 3 and form(word) in common - {word}]
        found.sort(key=lambda pair: (-min(counts[pair[0]], counts[pair[1]]), pair))
        best = found[:n_forms]
        rows += [(name, *one, *other) for one in best for other in best if one != other]
    return pd.DataFrame(rows, columns=["category", "a", "b", "c", "d"])


def _plural(word: str) -> str:
    if re.search(r"[^aeiou]y$", word):
        return word[:-1] + "ies"
    return word + ("es" if re.search(r"(?:s|x|z|ch|sh)$", word) else "s")


def _past(word: str) -> str:
    return word + "d" if word.endswith("e") else word[:-1] + "ied" if re.search(r"[^aeiou]y$", word) else word + "ed"


def _gerund(word: str) -> str:
    return word[:-1] + "ing" if re.search(r"[^e]e$", word) else word + "ing"


FORMS = {
    "-s": _plural,
    "-ed": _past,
    "-ing": _gerund,
    "-er": lambda word: word + "r" if word.endswith("e") else word + "er",
    "-ly": lambda word: word[:-1] + "ily" if re.search(r"[^aeiou]y$", word) else word + "ly",
    "un-": lambda word: "un" + word,
}
"""Rules by name: from a word to its form. Whether that is a word, the corpus says; some are none of its forms."""
