"""Classical embeddings of sentences: real representations that need no model, only counts and linear algebra."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any

import numpy as np

__all__ = ["CLASSICAL", "classical_embeddings"]


def classical_embeddings(
    texts: Sequence[str], *, width: int = 64, seed: int = 0, names: Iterable[str] | None = None
) -> dict[str, np.ndarray]:
    """Several embeddings of the same sentences, each learnt from these sentences alone.

    Parameters
    ----------
    texts
        At least ``width + 1`` sentences.
    width
        Features of each embedding, except ``"surface"``, which has eight.
    seed
        Of the random projections and of the randomised decompositions.
    names
        Which ones, of :data:`CLASSICAL`; all by default.

    Returns
    -------
    dict
        Name → float64 array of shape (len(texts), width), in the order of :data:`CLASSICAL`. No row is zero: a sentence
        without a known word receives the mean of all others.

    Raises
    ------
    ValueError
        If a name is unknown, or there are fewer than ``width + 1`` texts or different words.
    TypeError
        If ``texts`` is one string, or holds something else than strings.

    Notes
    -----
    Deerwester et al. (1990), Indexing by latent semantic analysis; Levy and Goldberg (2014), Neural word embedding as
    implicit matrix factorization; Arora, Liang and Ma (2017), A simple but tough-to-beat baseline for sentence
    embeddings.

    Examples
    --------
    >>> texts = ["a cat sat", "a dog sat", "the cat ran off", "the dog ran home", "no cat ran home"]
    >>> {name: z.shape for name, z in classical_embeddings(texts, width=2, names=["word LSA", "surface"]).items()}
    {'word LSA': (5, 2), 'surface': (5, 8)}
    """
    if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
        raise TypeError("texts must be a sequence of strings")
    chosen = list(CLASSICAL) if names is None else list(names)
    if unknown := [name for name in chosen if name not in CLASSICAL]:
        raise ValueError(f"no embedding {unknown[0]!r}; there are {list(CLASSICAL)}")
    if len(texts) <= width:
        raise ValueError(f"{len(texts)} texts are too few for width {width}; at least {width + 1} are needed")
    counts = _Counts(list(texts))
    if counts.words.shape[1] <= width:
        raise ValueError(
            f"the texts have {counts.words.shape[1]} different words; width {width} needs at least {width + 1}"
        )
    return {name: _no_zero_row(make(counts, width, seed)) for name, make in CLASSICAL.items() if name in chosen}


class _Counts:
    """The sparse matrices that several embeddings share, each made once."""

    def __init__(self, texts: list[str]):
        from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer

        self.texts = texts
        pattern = r"(?u)\b\w+\b"
        self.words = CountVectorizer(token_pattern=pattern, dtype=np.float64).fit_transform(texts)
        self.tfidf = TfidfTransformer(sublinear_tf=True).fit_transform(self.words)
        self.word_vectors = cache(self._word_vectors)

    def letters(self):
        """TF-IDF of runs of three and four letters inside words."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        return TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 4), sublinear_tf=True, min_df=2).fit_transform(
            self.texts
        )

    def _word_vectors(self, width: int, seed: int) -> np.ndarray:
        """Square roots of the leading components of positive pointwise mutual information within sentences."""
        from scipy.sparse import coo_array

        present = self.words.sign()
        together = (present.T @ present).tocoo()
        inside = together.row != together.col
        row, column, count = together.row[inside], together.col[inside], together.data[inside]
        marginal = np.bincount(row, weights=count, minlength=self.words.shape[1])
        # Contexts are smoothed to the power 3/4, so that rare words do not dominate.
        smooth = marginal**0.75
        pmi = np.log(count * smooth.sum() / (np.maximum(marginal[row], 1) * np.maximum(smooth[column], 1e-12)))
        keep = pmi > 0
        ppmi = coo_array((pmi[keep], (row[keep], column[keep])), shape=together.shape).tocsr()
        u, s = _svd(ppmi, width, seed)
        return u * np.sqrt(s)


def _svd(matrix, width: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Leading left singular vectors and singular values of a sparse matrix, largest first."""
    from scipy.sparse.linalg import svds

    start = np.random.default_rng(seed).normal(size=min(matrix.shape))
    u, s, _ = svds(matrix, k=width, v0=start)
    order = np.argsort(-s)
    return u[:, order], s[order]


def _word_lsa(counts: _Counts, width: int, seed: int) -> np.ndarray:
    u, s = _svd(counts.tfidf, width, seed)
    return u * s


def _letter_lsa(counts: _Counts, width: int, seed: int) -> np.ndarray:
    u, s = _svd(counts.letters(), width, seed)
    return u * s


def _count_lsa(counts: _Counts, width: int, seed: int) -> np.ndarray:
    u, s = _svd(counts.words, width, seed)
    return u * s


def _random_projection(counts: _Counts, width: int, seed: int) -> np.ndarray:
    from sklearn.random_projection import GaussianRandomProjection

    return GaussianRandomProjection(width, random_state=seed).fit_transform(counts.tfidf)


def _mean_of_words(counts: _Counts, width: int, seed: int) -> np.ndarray:
    return _weighted_mean(counts.words, counts.word_vectors(width, seed))


def _smooth_inverse_frequency(counts: _Counts, width: int, seed: int) -> np.ndarray:
    frequency = np.asarray(counts.words.sum(axis=0)).ravel()
    weights = 1e-3 / (1e-3 + frequency / frequency.sum())
    sentences = _weighted_mean(counts.words.multiply(weights).tocsr(), counts.word_vectors(width, seed))
    common = np.linalg.svd(sentences, full_matrices=False)[2][:1]
    return sentences - (sentences @ common.T) @ common


def _surface(counts: _Counts, width: int, seed: int) -> np.ndarray:
    """Eight numbers that know nothing of meaning: lengths and shares of kinds of characters, standardised."""

    def features(text: str) -> list[float]:
        words, size = text.split(), max(len(text), 1)
        kinds = (str.isupper, str.isdigit, lambda c: c in "aeiou", lambda c: not c.isalnum() and not c.isspace())
        shares = [sum(map(kind, text)) / size for kind in kinds]
        lengths = [len(word) for word in words] or [0]
        return [np.log1p(len(text)), np.log1p(len(words)), float(np.mean(lengths)), float(max(lengths)), *shares]

    table = np.array([features(text) for text in counts.texts])
    spread = table.std(axis=0)
    return (table - table.mean(axis=0)) / np.where(spread > 0, spread, 1.0)


#: Name → how it is made. LSA is the truncated singular value decomposition of a matrix of counts.
CLASSICAL: dict[str, Callable[[Any, int, int], np.ndarray]] = {
    "word LSA": _word_lsa,
    "letter LSA": _letter_lsa,
    "count LSA": _count_lsa,
    "random projection": _random_projection,
    "mean of words": _mean_of_words,
    "weighted words": _smooth_inverse_frequency,
    "surface": _surface,
}


def _weighted_mean(weights, vectors: np.ndarray) -> np.ndarray:
    """Mean of word vectors by rows of sparse weights; zero where a row has none."""
    total = np.asarray(weights.sum(axis=1)).ravel()
    return (weights @ vectors) / np.maximum(total, 1e-12)[:, None]


def _no_zero_row(z: np.ndarray) -> np.ndarray:
    empty = ~z.any(axis=1)
    if empty.any():
        z = z.copy()
        z[empty] = z[~empty].mean(axis=0)
    return z
