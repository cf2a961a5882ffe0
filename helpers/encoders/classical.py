"""Classical embeddings of sentences: counts, projections and factorisations, in seconds and without training.

They are real representation spaces with known relations to each other (some share their counts, some their reduction),
which makes them good subjects for measures of similarity.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import TYPE_CHECKING

from helpers.arrays import integer_seed, svd

if TYPE_CHECKING:
    import numpy as np
    from scipy.sparse import csr_matrix

__all__ = ["EMBEDDINGS", "classical_embeddings"]

ROUNDING = 1e-10  # of a largest singular value, or length of a row: what is smaller is zero, up to rounding


def classical_embeddings(
    texts: Iterable[str], *, width: int = 64, rng: int | np.random.Generator = 0, names: Iterable[str] | None = None
) -> dict[str, np.ndarray]:
    """Several embeddings of the same texts, each an array of shape (n_texts, width), row for row.

    ============================  ==================================================================================
    name                          what it is
    ============================  ==================================================================================
    ``words_svd``                 TF-IDF of words, truncated SVD: latent semantic analysis (Deerwester et al., 1990)
    ``characters_svd``            TF-IDF of runs of 3 to 5 characters within words, truncated SVD
    ``presence_svd``              which words occur (0 or 1), truncated SVD
    ``words_projected``           TF-IDF of words, Gaussian random projection (Johnson and Lindenstrauss, 1984)
    ``words_hashed``              counts of words added up, with signs, in ``width`` buckets (Weinberger et al., 2009)
    ``word_vectors_mean``         mean of the vectors of the words: positive pointwise mutual information of words that
                                  stand within 5 words of each other, truncated SVD (Levy and Goldberg, 2014)
    ``word_vectors_sif``          the same word vectors, weighted by a / (a + p) with a = 0.001 and p the relative
                                  frequency of the word, less their first principal direction (Arora et al., 2017)
    ``surface``                   standardised statistics of the form only: length, words, punctuation, letter cases,
                                  digits and the frequencies of single characters; at most ``width`` of them
    ============================  ==================================================================================

    Words are runs of letters, digits and underscores in lower case; words that occur in one text only do not count.
    Everything is fitted on ``texts`` themselves.

    Parameters
    ----------
    texts
        At least 2 strings, none of them blank.
    width
        Number of features. A factorisation has at most as many as there are texts or words, and ``surface`` may have
        fewer.
    rng
        Seed for the random projection; nothing else is random, and the factorisations are exact.
    names
        Names of the embeddings that are wanted, in the order of the result; all of them by default.

    Returns
    -------
    dict of str to numpy.ndarray
        float64, rows not normalised, finite. No row is all zero: a text without a known word gets the mean of the
        other rows, and so does one whose features cancel out. Equal arguments give equal arrays up to rounding: the
        sign of an SVD feature makes its largest entry positive. (Where two singular values coincide, as they may in
        made-up texts, their two features are defined only up to a rotation.)

    Raises
    ------
    TypeError
        If ``texts`` is a single string or has an entry that is no string.
    ValueError
        If a text is blank (named by its position), if there are fewer than 2 texts or no word is shared by two of them,
        if ``width`` is not a positive whole number, or if a name is unknown.

    Notes
    -----
    Time is linear in the number of words. 5000 sentences of documentation take a few seconds on two cores for all
    embeddings together.

    References
    ----------
    S. Deerwester et al., Indexing by latent semantic analysis, JASIS 41(6), 1990.
    W. B. Johnson and J. Lindenstrauss, Extensions of Lipschitz mappings into a Hilbert space, 1984.
    K. Weinberger et al., Feature hashing for large scale multitask learning, ICML 2009.
    O. Levy and Y. Goldberg, Neural word embedding as implicit matrix factorization, NeurIPS 2014.
    S. Arora, Y. Liang and T. Ma, A simple but tough-to-beat baseline for sentence embeddings, ICLR 2017.

    Examples
    --------
    >>> texts = ["the cat sat", "the dog sat", "a cat ran", "a dog ran"]
    >>> spaces = classical_embeddings(texts, width=2, names=["words_svd", "words_projected"])
    >>> {name: space.shape for name, space in spaces.items()}
    {'words_svd': (4, 2), 'words_projected': (4, 2)}
    """
    from threadpoolctl import threadpool_limits

    seed = integer_seed(rng)
    texts = _checked(texts)
    if isinstance(width, bool) or width != int(width) or width < 1:
        raise ValueError(f"width is {width!r}; it is a whole number of features, at least 1")
    chosen = list(EMBEDDINGS if names is None else [names] if isinstance(names, str) else names)
    if unknown := [name for name in chosen if name not in EMBEDDINGS]:
        raise ValueError(f"unknown embedding {', '.join(map(repr, unknown))}; there are {', '.join(EMBEDDINGS)}")
    corpus = _Corpus(texts, int(width), seed)
    import_module("scipy.linalg")  # it brings its own BLAS, which the limit sees only if it is there by then
    with threadpool_limits(1):  # rounding must not depend on the number of cores; so thin factors gain nothing by them
        return {name: _without_zero_rows(EMBEDDINGS[name](corpus)) for name in chosen}


def _checked(texts: Iterable[str]) -> list[str]:
    """The texts as a list."""
    if isinstance(texts, str):
        raise TypeError("texts is a single string; pass a list of texts")
    texts = list(texts)
    for position, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"texts[{position}] is a {type(text).__name__}; a string is needed")
        if not text.strip():
            raise ValueError(f"texts[{position}] is blank; leave blank texts out")
    if len(texts) < 2:
        raise ValueError(f"there are {len(texts)} texts; at least 2 are needed")
    return texts


class _Corpus:
    """The texts and what several embeddings share, each counted once."""

    def __init__(self, texts: list[str], width: int, seed: int):
        self.texts, self.width, self.seed = texts, width, seed
        self._kept: dict[str, object] = {}

    def once(self, name: str, compute: Callable[[], object]):
        """``compute()``, the first time."""
        if name not in self._kept:
            self._kept[name] = compute()
        return self._kept[name]

    @property
    def tokens(self) -> list[list[str]]:
        """The words of each text that occur in two texts at least."""
        return self.once("tokens", self._tokens)

    def _tokens(self) -> list[list[str]]:
        import re
        from collections import Counter

        tokens = [re.findall(r"\w+", text.lower()) for text in self.texts]
        shared = Counter(word for words in tokens for word in set(words))
        if not any(count > 1 for count in shared.values()):
            raise ValueError("no word occurs in two of the texts, so their words say nothing about how alike they are")
        return [[word for word in words if shared[word] > 1] for words in tokens]

    @property
    def counts(self) -> csr_matrix:
        """How often each word (in alphabetical order) occurs in each text."""
        return self.once("counts", self._counts)

    def _counts(self) -> csr_matrix:
        from sklearn.feature_extraction.text import CountVectorizer

        counts = CountVectorizer(analyzer=list).fit_transform(self.tokens)
        counts.sort_indices()  # sums of rows must not depend on who sorted them before
        return counts

    @property
    def tfidf(self) -> csr_matrix:
        """TF-IDF of the words, rows of length 1."""
        from sklearn.feature_extraction.text import TfidfTransformer

        return self.once("tfidf", lambda: TfidfTransformer(sublinear_tf=True).fit_transform(self.counts))

    def reduced(self, matrix: csr_matrix, *, symmetric: bool = False) -> np.ndarray:
        """The leading left singular vectors, scaled by the singular values (by their roots if ``symmetric``)."""
        import numpy as np
        from scipy.sparse.linalg import svds

        if self.width < min(matrix.shape):
            # Lanczos iteration is exact; randomised methods blur the last features, which measures of similarity see.
            start = np.random.default_rng(0).standard_normal(min(matrix.shape))
            u, s, _ = svds(matrix.astype(float), k=self.width, v0=start)
            u, s = u[:, ::-1], s[::-1]
        else:
            u, s, _ = svd(matrix.toarray())
        u = u[:, s > s[0] * ROUNDING]
        s = s[: u.shape[1]]
        u = u * np.sign(u[np.abs(u).argmax(axis=0), np.arange(len(s))])
        return u * (np.sqrt(s) if symmetric else s)

    @property
    def word_vectors(self) -> np.ndarray:
        """One vector for each word, from the words that it stands beside."""
        return self.once("word_vectors", self._word_vectors)

    def _word_vectors(self) -> np.ndarray:
        import numpy as np
        from scipy.sparse import coo_matrix

        words = {word: i for i, word in enumerate(sorted({word for words in self.tokens for word in words}))}
        ids = np.array([words[word] for words_ in self.tokens for word in words_])
        owner = np.repeat(np.arange(len(self.tokens)), [len(words_) for words_ in self.tokens])
        left, right = [], []
        for gap in range(1, 6):
            together = owner[gap:] == owner[:-gap]
            left.append(ids[:-gap][together])
            right.append(ids[gap:][together])
        i, j = np.concatenate(left + right), np.concatenate(right + left)
        pairs = coo_matrix((np.ones(len(i)), (i, j)), shape=(len(words), len(words))).tocsr().tocoo()
        of_word = np.asarray(pairs.sum(axis=1)).ravel()
        information = np.log(pairs.data * of_word.sum() / (of_word[pairs.row] * of_word[pairs.col]))
        pairs.data = np.maximum(information, 0)
        pairs.eliminate_zeros()
        if pairs.nnz == 0:
            raise ValueError("no two words stand beside each other more often than by chance; more text is needed")
        return self.reduced(pairs.tocsr(), symmetric=True)


def _words_svd(corpus: _Corpus) -> np.ndarray:
    """Latent semantic analysis."""
    return corpus.reduced(corpus.tfidf)


def _characters_svd(corpus: _Corpus) -> np.ndarray:
    """The same of runs of characters."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    counter = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), min_df=2, sublinear_tf=True)
    try:
        matrix = counter.fit_transform(corpus.texts)
    except ValueError:
        raise ValueError("no run of three characters occurs in two of the texts") from None
    return corpus.reduced(matrix)


def _presence_svd(corpus: _Corpus) -> np.ndarray:
    """The same of the mere presence of words."""
    return corpus.reduced((corpus.counts > 0).astype(float))


def _words_projected(corpus: _Corpus) -> np.ndarray:
    """A Gaussian random projection."""
    import numpy as np

    directions = np.random.default_rng(corpus.seed).standard_normal((corpus.tfidf.shape[1], corpus.width))
    return corpus.tfidf @ directions / np.sqrt(corpus.width)


def _words_hashed(corpus: _Corpus) -> np.ndarray:
    """Feature hashing; it needs no vocabulary and no seed."""
    from sklearn.feature_extraction import FeatureHasher

    return FeatureHasher(corpus.width, input_type="string").transform(corpus.tokens).toarray()


def _word_vectors_mean(corpus: _Corpus) -> np.ndarray:
    """Mean word vectors."""
    import numpy as np

    length = np.asarray(corpus.counts.sum(axis=1), dtype=float)
    return (corpus.counts @ corpus.word_vectors) / np.maximum(length, 1)


def _word_vectors_sif(corpus: _Corpus) -> np.ndarray:
    """Mean word vectors by smooth inverse frequency, less what is common to all."""
    import numpy as np

    frequency = np.asarray(corpus.counts.sum(axis=0), dtype=float).ravel()
    weight = 1e-3 / (1e-3 + frequency / frequency.sum())
    length = np.asarray(corpus.counts.sum(axis=1), dtype=float)
    mean = (corpus.counts @ (corpus.word_vectors * weight[:, None])) / np.maximum(length, 1)
    common = svd(mean)[2][:1] if mean.shape[1] > 1 else np.zeros((1, 1))
    return mean - mean @ common.T @ common


def _surface(corpus: _Corpus) -> np.ndarray:
    """The form of the texts."""
    import numpy as np

    def describe(text: str) -> list[float]:
        words = text.split()
        kinds = [
            sum(map(str.isupper, text)),
            sum(map(str.isdigit, text)),
            sum(not (c.isalnum() or c.isspace()) for c in text),
        ]
        lengths = [len(word) for word in words]
        return [np.log(len(text)), np.log(len(words)), np.mean(lengths), np.std(lengths), *np.sqrt(kinds)] + [
            len({word.lower() for word in words}) / len(words)
        ]

    form = np.array([describe(text) for text in corpus.texts])
    characters = "etaoinsrhldcumfpgwybvkxqjz.,-()'\":;/_0123456789?!=*+<>[]{}%&#@$"
    counts = np.array([[text.lower().count(c) / len(text) for c in characters] for text in corpus.texts])
    features = np.hstack([form, np.sqrt(counts)])
    spread = features.std(axis=0)
    varies = spread > 1e-12
    if not varies.any():
        raise ValueError("the texts do not differ in form, so 'surface' says nothing about them")
    return ((features - features.mean(axis=0))[:, varies] / spread[varies])[:, : corpus.width]


def _without_zero_rows(features: np.ndarray) -> np.ndarray:
    """Rows of zeros, and of what rounding leaves of zeros, replaced by the mean of the others."""
    import numpy as np

    features = np.array(features, dtype=np.float64)
    lengths = np.linalg.norm(features, axis=1)
    zero = lengths <= ROUNDING * lengths.max()
    if zero.any() and not zero.all():
        features[zero] = features[~zero].mean(axis=0)
    return features


#: The embeddings of :func:`classical_embeddings` by name.
EMBEDDINGS: dict[str, Callable[[_Corpus], np.ndarray]] = {
    "words_svd": _words_svd,
    "characters_svd": _characters_svd,
    "presence_svd": _presence_svd,
    "words_projected": _words_projected,
    "words_hashed": _words_hashed,
    "word_vectors_mean": _word_vectors_mean,
    "word_vectors_sif": _word_vectors_sif,
    "surface": _surface,
}
