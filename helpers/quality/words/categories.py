"""Categorisation: do clusters of vectors find the categories that people put words in?"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from helpers.arrays import check_count, check_number, generator
from helpers.metrics import purity
from helpers.quality.words.sets import as_categories
from helpers.quality.words.vectors import as_word_vectors

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["categorisation"]


def categorisation(
    vectors: Any,
    categories: Any,
    *,
    n_clusters: int | None = None,
    n_words: int = 2000,
    n_halves: int = 8,
    n_permutations: int = 20,
    confidence_level: float = 0.95,
    rng: int | np.random.Generator = 0,
) -> pd.DataFrame:
    """k-means of words against their categories, by eight indices, each beside its chance level.

    Parameters
    ----------
    vectors
        What :func:`~helpers.quality.words.as_word_vectors` takes; they are scaled to length 1.
    categories
        A path of :func:`~helpers.quality.words.read_categories`, a DataFrame with ``word`` and ``category``, or a
        mapping from categories to words.
    n_clusters
        Number of clusters; by default that of the categories that are left.
    n_words
        How many words are clustered at most; a random sample of more.
    n_halves
        Random halves of the words, each clustered anew; the spread of a value over them is its standard error.
    n_permutations
        Shuffles of the clusters, which keep their sizes, for the chance level.
    confidence_level
        Level of the intervals, for the choice of words.
    rng
        Seed or generator of samples, starts of k-means and shuffles.

    Returns
    -------
    DataFrame
        Index ``purity``, ``rand``, ``adjusted_rand``, ``nmi``, ``homogeneity``, ``completeness``, ``v_measure`` and
        ``silhouette`` (of the categories themselves, by cosines); ``value``, ``ci_low``, ``ci_high`` and ``chance``;
        larger is better. In each row ``words`` of the set, ``covered`` of them and ``coverage``; ``several``, covered
        words in more than one category and left out of the clustering; ``clustered``, how many words the values are of;
        ``clusters``. ``attrs`` has lists of words that are ``unknown`` or in ``several`` categories.

    Raises
    ------
    TypeError, ValueError
        If fewer than two categories are covered, there are not more words than clusters, or an option is out of range.

    Notes
    -----
    The V-measure, the harmonic mean of homogeneity and completeness, is the NMI over the mean of both entropies
    (Rosenberg and Hirschberg 2007, V-measure, EMNLP; Vinh, Epps and Bailey 2010, JMLR 11): they are one number under
    two names, and both stand here because papers give either.

    Examples
    --------
    >>> from helpers.quality.words import categorisation
    >>> vectors = {"cat": [9, 1], "dog": [8, 1], "cow": [9, 2], "car": [1, 9], "bus": [2, 9], "tram": [1, 8]}
    >>> found = categorisation(vectors, {"animals": ["cat", "dog", "cow", "yak"], "vehicles": ["car", "bus", "tram"]})
    >>> found.loc["purity", ["value", "words", "covered"]].tolist()
    [1.0, 7.0, 6.0]
    """
    import pandas as pd
    from sklearn.metrics import pairwise_distances

    check_number(confidence_level, "confidence_level", lambda level: 0 < level < 1, "a number between 0 and 1")
    check_count(n_halves, "n_halves", least=2)
    check_count(n_permutations, "n_permutations")
    rng, vectors, table = generator(rng), as_word_vectors(vectors), as_categories(categories)
    words = table["word"].drop_duplicates()
    row_of = dict(zip(words, vectors.rows(words), strict=True))
    several = set(table["word"][table["word"].duplicated(keep=False)])
    unknown = sorted(word for word, row in row_of.items() if row < 0)
    kept = table[~table["word"].isin(several | set(unknown))]
    sizes = kept["category"].value_counts()
    if len(sizes) < 2:
        raise ValueError(
            f"categories: {len(sizes)} has words with a vector and no other category, and two are needed; of "
            f"{len(words)} words {len(unknown)} are unknown and {len(several)} in several categories"
        )
    kept = kept.iloc[np.sort(rng.permutation(len(kept))[: check_count(n_words, "n_words", least=4)])]
    labels = np.unique(kept["category"], return_inverse=True)[1]
    k = int(labels.max()) + 1 if n_clusters is None else check_count(n_clusters, "n_clusters", least=2)
    if len(kept) <= k:
        raise ValueError(f"n_clusters is {k} and {len(kept)} words are left; more words than clusters are needed")
    x = vectors.unit[[row_of[word] for word in kept["word"]]].astype(np.float64)
    distances = np.maximum(pairwise_distances(x, metric="cosine"), 0)
    np.fill_diagonal(distances, 0)
    clusters = _clusters(x, k, rng)
    value = pd.Series(_indices(labels, clusters, distances))
    orders = [rng.permutation(len(labels)) for _ in range(n_permutations)]
    shuffled = [_indices(labels[order], clusters, distances) for order in orders]
    halves = []
    for _ in range(n_halves):
        half = np.sort(rng.permutation(len(x))[: len(x) // 2])
        inside = min(k, len(np.unique(labels[half])) if n_clusters is None else k, len(half) - 1)
        halves.append(_indices(labels[half], _clusters(x[half], inside, rng), distances[np.ix_(half, half)]))
    error = pd.DataFrame(halves).std(ddof=1) * stats.t.isf((1 - confidence_level) / 2, n_halves - 1)
    least = pd.Series({"adjusted_rand": -0.5, "silhouette": -1.0}).reindex(value.index, fill_value=0.0)
    low, high = (value - error).clip(lower=least), (value + error).clip(upper=1.0)
    out = pd.DataFrame({"value": value, "ci_low": low, "ci_high": high})
    out["chance"] = pd.DataFrame(shuffled).mean()
    out["words"], out["covered"] = len(words), len(words) - len(unknown)
    out["coverage"] = out["covered"] / out["words"]
    out["several"], out["clustered"], out["clusters"] = len(several - set(unknown)), len(kept), k
    out.attrs |= {"unknown": unknown, "several": sorted(several), "vectors": vectors.name}
    return out.rename_axis("index")


def _clusters(x: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():  # fewer different rows than clusters: some stay empty
        warnings.simplefilter("ignore", ConvergenceWarning)
        return KMeans(k, n_init=4, random_state=int(rng.integers(2**31))).fit_predict(x)


def _indices(labels: np.ndarray, clusters: np.ndarray, distances: np.ndarray) -> dict[str, float]:
    """All indices of clusters, and the silhouette of the labels where it is defined."""
    from sklearn import metrics

    homogeneity, completeness, v = metrics.homogeneity_completeness_v_measure(labels, clusters)
    n_labels = len(np.unique(labels))
    defined = 1 < n_labels < len(labels)
    return {
        "purity": purity(labels, clusters),
        "rand": metrics.rand_score(labels, clusters),
        "adjusted_rand": metrics.adjusted_rand_score(labels, clusters),
        "nmi": metrics.normalized_mutual_info_score(labels, clusters),
        "homogeneity": homogeneity,
        "completeness": completeness,
        "v_measure": v,
        "silhouette": metrics.silhouette_score(distances, labels, metric="precomputed") if defined else np.nan,
    }
