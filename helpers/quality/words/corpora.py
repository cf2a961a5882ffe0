"""Vectors of the words of a corpus: positive pointwise mutual information with the words around, and its SVD."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

import numpy as np
from scipy import sparse

from helpers.arrays import check_count, check_number, svd
from helpers.quality.words.vectors import WordVectors

__all__ = ["corpus_vectors", "cooccurrences", "positive_information", "split_words"]

WORD = re.compile(r"[^\W\d_]+")


def split_words(text: str) -> list[str]:
    """The words of a text: runs of letters, in lower case.

    >>> from helpers.quality.words.corpora import split_words
    >>> split_words("It uses NumPy's arrays, e.g. float64.")
    ['it', 'uses', 'numpy', 's', 'arrays', 'e', 'g', 'float']
    """
    return WORD.findall(text.lower())


def corpus_vectors(
    texts: Iterable[str],
    *,
    width: int = 200,
    window: int = 5,
    min_count: int = 5,
    smoothing: float = 0.75,
    shift: float = 1.0,
    power: float = 0.5,
    name: str = "",
) -> WordVectors:
    r"""Vectors of the words of a corpus, from the words that stand around them.

    With :math:`n_{wc}` weighted numbers of how often c stands near w,

    .. math:: M_{wc} = \max\Bigl(0,\ \log \frac{n_{wc} \sum_{c'} n_{c'}^{a}}{n_w\, n_c^{a}} - \log k\Bigr)
              \approx U S V^\top, \qquad x = U S^{b}

    Parameters
    ----------
    texts
        The texts, in any order; words of two texts are never neighbours.
    width
        Number of features of the vectors.
    window
        How many words to either side count; the one at distance d counts 1 / d.
    min_count
        How often a word occurs at least.
    smoothing
        The power a of the counts of contexts, above 0 and at most 1: below 1 it takes weight from rare contexts.
    shift
        The shift k, at least 1: information below log k counts as none, as with k negative samples.
    power
        The power b of the singular values, at least 0.
    name
        What tables call them.

    Returns
    -------
    WordVectors
        float32, the most frequent words first, equally frequent ones in alphabetical order. Fewer features where the
        matrix has a lower rank. Words that have no information with any other are left out and counted.

    Raises
    ------
    TypeError, ValueError
        If texts is a single string, an option is out of range, fewer than two words are frequent enough, or no two of
        them stand near each other more often than by chance.

    Notes
    -----
    O(tokens · window) for the counts, O(nonzeros · width) for the SVD, by Lanczos iterations with a fixed start: equal
    texts give equal vectors. Levy, Goldberg and Dagan (2015), Improving distributional similarity with lessons learned
    from word embeddings, TACL 3.

    Examples
    --------
    >>> from helpers.quality.words import corpus_vectors
    >>> texts = ["the cat eats fish", "the dog eats meat", "a cat sees a dog"] * 3
    >>> corpus_vectors(texts, width=2, min_count=3)
    WordVectors(8 words, 2 features)
    """
    from threadpoolctl import threadpool_limits

    check_count(width, "width")
    check_number(smoothing, "smoothing", lambda a: 0 < a <= 1, "a number above 0 and at most 1")
    check_number(shift, "shift", lambda k: 1 <= k < np.inf, "a number of at least 1")
    check_number(power, "power", lambda b: 0 <= b < np.inf, "a number of at least 0")
    words, counts = cooccurrences(texts, window=window, min_count=min_count)
    matrix = positive_information(counts, smoothing=smoothing, shift=shift)
    told = np.diff(matrix.indptr) > 0
    if not told.any():
        raise ValueError("texts: no two words stand near each other more often than by chance; more text is needed")
    with threadpool_limits(1):
        left, values = _leading(matrix, width)
    x = left[told] * values**power
    zero = ~x.astype(np.float32).any(axis=1)
    kept = np.flatnonzero(told)[~zero]
    left_out = {"no information": len(words) - len(kept)}
    return WordVectors([words[i] for i in kept], x[~zero].astype(np.float32), name, left_out)


def cooccurrences(texts: Iterable[str], *, window: int = 5, min_count: int = 5) -> tuple[list[str], sparse.csr_matrix]:
    """How often words stand near each other, weighted by 1 over their distance.

    Parameters
    ----------
    texts, window, min_count
        Same meaning as in :func:`corpus_vectors`. Words that are too rare are taken out of the text before neighbours
        are counted.

    Returns
    -------
    words : list of str
        The most frequent first.
    counts : csr_matrix of shape (n_words, n_words)
        A symmetric matrix of sums of 1 / distance, in float64.

    Raises
    ------
    TypeError, ValueError
        If texts is a single string or holds something else, or fewer than two words are frequent enough.

    Examples
    --------
    >>> from helpers.quality.words.corpora import cooccurrences
    >>> words, counts = cooccurrences(["a b c", "b a"], window=2, min_count=1)
    >>> words, counts.toarray()[0].tolist()
    (['a', 'b', 'c'], [0.0, 2.0, 0.5])
    """
    if isinstance(texts, str):
        raise TypeError("texts is a single string; pass a list of texts")
    window, min_count = check_count(window, "window"), check_count(min_count, "min_count")
    found = []
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"texts[{i}] is a {type(text).__name__}; a string is needed")
        found.append(split_words(text))
    tally = Counter(word for text in found for word in text)
    words = sorted((w for w, c in tally.items() if c >= min_count), key=lambda w: (-tally[w], w))
    if len(words) < 2:
        raise ValueError(f"texts have {len(words)} words that occur {min_count} times; at least two are needed")
    row = {word: i for i, word in enumerate(words)}
    ids = [[row[word] for word in text if word in row] for text in found]
    owner = np.repeat(np.arange(len(ids)), [len(text) for text in ids])
    flat = np.fromiter((i for text in ids for i in text), dtype=np.int32, count=len(owner))
    n, total = len(words), None
    for gap in range(1, min(window, max(len(flat) - 1, 1)) + 1):
        near = owner[gap:] == owner[:-gap]
        i, j = flat[:-gap][near], flat[gap:][near]
        one = sparse.coo_matrix((np.full(len(i), 1 / gap), (i, j)), shape=(n, n)).tocsr()
        total = one if total is None else total + one
    return words, (total + total.T).tocsr()


def positive_information(
    counts: sparse.csr_matrix, *, smoothing: float = 0.75, shift: float = 1.0
) -> sparse.csr_matrix:
    """Positive pointwise mutual information of a matrix of counts; see :func:`corpus_vectors`.

    Parameters
    ----------
    counts : csr_matrix of shape (n, m)
        Numbers of at least 0.
    smoothing, shift
        Same meaning as in :func:`corpus_vectors`.

    Returns
    -------
    csr_matrix of shape (n, m)
        Entries above 0 alone, in natural logarithms.
    """
    coo = counts.tocoo()
    of_word = np.asarray(counts.sum(axis=1)).ravel()
    of_context = np.asarray(counts.sum(axis=0)).ravel() ** smoothing
    with np.errstate(divide="ignore"):
        value = np.log(coo.data * of_context.sum() / (of_word[coo.row] * of_context[coo.col])) - np.log(shift)
    kept = value > 0
    return sparse.coo_matrix((value[kept], (coo.row[kept], coo.col[kept])), shape=counts.shape).tocsr()


def _leading(matrix: sparse.csr_matrix, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Left singular vectors with a fixed sign, and singular values, the largest first; none that are rounding."""
    from scipy.sparse.linalg import svds

    if width < min(matrix.shape):
        start = np.random.default_rng(0).standard_normal(min(matrix.shape))
        u, s, _ = svds(matrix, k=width, v0=start)
        u, s = u[:, ::-1], s[::-1]
    else:
        u, s, _ = svd(matrix.toarray())
        u, s = u[:, :width], s[:width]
    real = s > s[0] * 1e-10
    u, s = u[:, real], s[real]
    return u * np.sign(u[np.abs(u).argmax(axis=0), np.arange(len(s))]), s
