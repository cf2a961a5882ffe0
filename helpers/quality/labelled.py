"""Qualities that need a label for each object: probes, neighbours and clusters against classes."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from helpers.arrays import as_matrix, check_count, check_row_labels, to_numpy
from helpers.metrics import purity
from helpers.quality._space import Space
from helpers.quality.entry import Quality

__all__ = [
    "adjusted_rand_index",
    "cluster_purity",
    "knn_accuracy",
    "normalized_mutual_information",
    "probe_accuracy",
    "rand_index",
    "silhouette",
]


def probe_accuracy(x: Any, labels: Any, *, n_folds: int = 5, rng: int = 0) -> float:
    """Accuracy of a linear probe on objects that it was not fitted on.

    Parameters
    ----------
    x : array_like or tensor of shape (n, p)
        The representation of n objects.
    labels : array_like of shape (n,)
        Class of each object; classes of one object are in no test fold together with their training.
    n_folds
        Folds of the stratified cross-validation.
    rng
        Seed of the folds.

    Returns
    -------
    float
        In [0, 1]; larger is better; chance is the share of the largest class. Unchanged by scale and translation, up
        to the rounding of the fit.

    Raises
    ------
    TypeError, ValueError
        If ``x`` is not a finite real matrix, labels are not one for each row or are of one class, or each class has
        one object.

    Notes
    -----
    Discriminant analysis of scikit-learn with Ledoit and Wolf's shrinkage; O(n p² + p³) a fold.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.quality import probe_accuracy
    >>> y = np.arange(40) % 2
    >>> probe_accuracy(np.random.default_rng(0).normal(size=(40, 2)) + 9 * y[:, None], y)
    1.0
    """
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.model_selection import StratifiedKFold

    x, labels, classes = _checked(x, labels)
    n_folds = min(check_count(n_folds, "n_folds", least=2), int(np.bincount(classes).max()))
    if n_folds < 2:
        raise ValueError("labels gives each class one object; a probe has nothing to learn from")
    probe = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class")
        warnings.filterwarnings("ignore", message="Only one sample available")  # its class has no spread of its own
        folds, right = StratifiedKFold(n_folds, shuffle=True, random_state=rng), np.zeros(len(x), dtype=bool)
        for train, test in folds.split(x, classes):
            known = np.unique(classes[train])  # one, where the only object of the other class is in the test fold
            right[test] = classes[test] == (
                probe.fit(x[train], classes[train]).predict(x[test]) if len(known) > 1 else known[0]
            )
        return float(np.mean(right))


def knn_accuracy(x: Any, labels: Any, *, k: int = 10, metric: str = "cosine") -> float:
    """Share of objects whose class is the most frequent one among their k nearest others.

    Parameters
    ----------
    x : array_like or tensor of shape (n, p), n > k
        The representation of n objects.
    labels : array_like of shape (n,)
        Class of each object.
    k, metric
        Same meaning as in :func:`~helpers.quality.hubness`; of equally frequent classes the nearest one counts.

    Returns
    -------
    float
        In [0, 1]; larger is better; chance is about the share of the largest class. For cosine unchanged by rotation
        and by the scale of single rows.

    Raises
    ------
    TypeError, ValueError
        In the same cases as :func:`~helpers.quality.hubness`; if labels are not one for each row or are of one class.

    Examples
    --------
    >>> from helpers.quality import knn_accuracy
    >>> knn_accuracy([[0.0, 1.0], [0.1, 1.0], [1.0, 0.0], [1.0, 0.1]], ["a", "a", "b", "b"], k=1)
    1.0
    """
    _, _, classes = _checked(x, labels)
    index = Space(x, k=k, metric=metric).neighbours.index
    votes = np.zeros((len(classes), classes.max() + 1))
    for j in range(index.shape[1]):  # a vote is worth a little more the nearer it is
        votes[np.arange(len(votes)), classes[index[:, j]]] += 1 + 1e-6 * (index.shape[1] - j)
    return float(np.mean(votes.argmax(axis=1) == classes))


def cluster_purity(x: Any, labels: Any, *, rng: int = 0) -> float:
    """Purity of k-means with as many clusters as classes: the share of objects in the largest class of their cluster.

    Parameters
    ----------
    x : array_like or tensor of shape (n, p)
        The representation of n objects.
    labels : array_like of shape (n,)
        Class of each object.
    rng
        Seed of k-means++, which starts four times.

    Returns
    -------
    float
        In [0, 1]; larger is better; chance is at least the share of the largest class. Unchanged by rotation, scale and
        translation.

    Raises
    ------
    TypeError, ValueError
        If ``x`` is not a finite real matrix, labels are not one for each row or are of one class, or there are no more
        objects than classes.

    Notes
    -----
    O(n p k) a step. Manning, Raghavan and Schütze (2008), Introduction to information retrieval, section 16.3.

    Examples
    --------
    >>> from helpers.quality import cluster_purity
    >>> cluster_purity([[0.0], [0.1], [5.0], [5.1]], [0, 0, 1, 1])
    1.0
    """
    return _of_clusters(purity, x, labels, rng)


def silhouette(x: Any, labels: Any) -> float:
    """Silhouette of the classes: how much nearer objects are to their own class than to the next one.

    Parameters
    ----------
    x : array_like or tensor of shape (n, p)
        The representation, compared by Euclidean distances.
    labels : array_like of shape (n,)
        Class of each object.

    Returns
    -------
    float
        In [-1, 1]; larger is better; about 0, or below, where classes say nothing. Unchanged by rotation, scale and
        translation.

    Raises
    ------
    TypeError, ValueError
        If ``x`` is not a finite real matrix, labels are not one for each row or are of one class, or there are no more
        objects than classes.

    Notes
    -----
    O(n² p), by scikit-learn. Rousseeuw (1987), Silhouettes: a graphical aid to the interpretation and validation of
    cluster analysis, Journal of Computational and Applied Mathematics 20.

    Examples
    --------
    >>> from helpers.quality import silhouette
    >>> round(silhouette([[0.0], [0.0], [5.0], [5.0]], [0, 0, 1, 1]), 6)
    1.0
    """
    from sklearn.metrics import silhouette_score

    x, _, classes = _checked(x, labels)
    _more_than_classes(classes)
    return float(silhouette_score(x, classes))


def rand_index(x: Any, labels: Any, *, rng: int = 0) -> float:
    """Rand index of k-means, with as many clusters as classes: share of pairs that both put together or apart.

    Parameters
    ----------
    x, labels, rng
        Same meaning as in :func:`cluster_purity`.

    Returns
    -------
    float
        In [0, 1]; larger is better; chance is far above 0 with many classes. Invariances are those of k-means.

    Raises
    ------
    TypeError, ValueError
        In the same cases as :func:`cluster_purity`.

    Notes
    -----
    Rand (1971), Objective criteria for the evaluation of clustering methods, JASA 66.

    Examples
    --------
    >>> from helpers.quality import rand_index
    >>> rand_index([[0.0], [0.1], [5.0], [5.1]], [0, 0, 1, 1])
    1.0
    """
    from sklearn.metrics import rand_score

    return _of_clusters(rand_score, x, labels, rng)


def adjusted_rand_index(x: Any, labels: Any, *, rng: int = 0) -> float:
    """Rand index of k-means less what chance gives, over what is left.

    Parameters
    ----------
    x, labels, rng
        Same meaning as in :func:`cluster_purity`.

    Returns
    -------
    float
        In [-0.5, 1]; larger is better; 0 in expectation by chance. Invariances are those of k-means.

    Raises
    ------
    TypeError, ValueError
        In the same cases as :func:`cluster_purity`.

    Notes
    -----
    Hubert and Arabie (1985), Comparing partitions, Journal of Classification 2.

    Examples
    --------
    >>> from helpers.quality import adjusted_rand_index
    >>> adjusted_rand_index([[0.0], [0.1], [5.0], [5.1]], [0, 0, 1, 1])
    1.0
    """
    from sklearn.metrics import adjusted_rand_score

    return _of_clusters(adjusted_rand_score, x, labels, rng)


def normalized_mutual_information(x: Any, labels: Any, *, rng: int = 0) -> float:
    """Mutual information of classes and k-means clusters over the mean of their entropies.

    Parameters
    ----------
    x, labels, rng
        Same meaning as in :func:`cluster_purity`.

    Returns
    -------
    float
        In [0, 1]; larger is better; chance is well above 0 with many classes. Invariances are those of k-means.

    Raises
    ------
    TypeError, ValueError
        In the same cases as :func:`cluster_purity`.

    Notes
    -----
    Vinh, Epps and Bailey (2010), Information theoretic measures for clusterings comparison, JMLR 11.

    Examples
    --------
    >>> from helpers.quality import normalized_mutual_information
    >>> round(normalized_mutual_information([[0.0], [0.1], [5.0], [5.1]], [0, 0, 1, 1]), 6)
    1.0
    """
    from sklearn.metrics import normalized_mutual_info_score

    return _of_clusters(normalized_mutual_info_score, x, labels, rng)


def _checked(x: Any, labels: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    check_row_labels({"x": x, "labels": labels})
    x = to_numpy(as_matrix(x))
    return x, *checked_labels(labels, len(x))


def checked_labels(labels: Any, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels of n rows, none missing, and the number of the class of each."""
    import pandas as pd

    labels = np.asarray(labels)
    if labels.shape != (n,):
        raise ValueError(f"labels has shape {labels.shape}; one for each of the {n} rows of x is needed")
    missing = pd.isna(labels)
    if missing.any():
        raise ValueError(f"labels[{int(np.argmax(missing))}] is missing; each row needs a class")
    found, classes = np.unique(labels, return_inverse=True)
    if len(found) < 2:
        raise ValueError(f"labels holds one class, {found.tolist()[0]!r}; at least two are needed")
    return labels, classes


def _more_than_classes(classes: np.ndarray) -> int:
    count = int(classes.max()) + 1
    if count >= len(classes):
        raise ValueError(f"labels has {count} classes of {len(classes)} objects; more objects than classes are needed")
    return count


def _of_clusters(index: Callable[[Any, Any], float], x: Any, labels: Any, rng: int) -> float:
    """An index of the classes and the clusters of k-means."""
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    x, _, classes = _checked(x, labels)
    count = _more_than_classes(classes)
    with warnings.catch_warnings():  # fewer different rows than classes: some clusters stay empty
        warnings.simplefilter("ignore", ConvergenceWarning)
        clusters = KMeans(count, n_init=4, random_state=rng).fit_predict(x)
    return float(index(classes, clusters))


RIGID = ("rotation", "scale", "translation")


def _entry(
    function: Callable[..., float], range_: str, invariances: tuple[str, ...], *words: str, **more: str
) -> Quality:
    cost, reference, definition = words
    return Quality(function, "larger", range_, invariances, cost, reference, definition, "labels", sampled=True, **more)


QUALITIES = {
    "probe_accuracy": _entry(
        probe_accuracy,
        "[0, 1]",
        ("scale", "translation"),
        "n p² + p³",
        "Alain and Bengio 2016",
        "accuracy of a linear probe on held-out objects",
        misses="classes that no plane divides",
        citation="alain2016understanding",
        formula=r"\frac1n \#\{ i : \hat y_{-i} = y_i \}, "
        r"\quad \hat y_{-i} \text{ by a linear classifier without the fold of } i",
        fooled="rings",
    ),
    "knn_accuracy": _entry(
        knn_accuracy,
        "[0, 1]",
        ("rotation", "scale"),
        "m² p",
        "Cover and Hart 1967",
        "accuracy of the vote of the 10 nearest",
        misses="what lies beyond the neighbours",
        citation="cover1967nearest",
        formula=r"\frac1n \#\{ i : \hat y_i = y_i \}, "
        r"\quad \hat y_i \text{ the most frequent class of the } k \text{ nearest}",
        fooled="loud",
    ),
    "cluster_purity": _entry(
        cluster_purity,
        "[0, 1]",
        RIGID,
        "n p k a step",
        "Manning et al. 2008",
        "share of objects in the largest class of their cluster",
        misses="classes that are split: it grows with the number of clusters",
        citation="manning2008introduction",
        formula=r"\frac1n \sum_c \max_y \#\{ i \in c : y_i = y \}",
        fooled="split classes",
    ),
    "silhouette": _entry(
        silhouette,
        "[-1, 1]",
        RIGID,
        "n² p",
        "Rousseeuw 1987",
        "how much nearer the own class is than the next",
        misses="classes of several groups, or long ones",
        citation="rousseeuw1987silhouettes",
        formula=r"\frac1n \sum_i \frac{b_i - a_i}{\max(a_i, b_i)}, "
        r"\quad a_i, b_i \text{ mean distances to the own and the next class}",
        fooled="rings",
    ),
    "rand_index": _entry(
        rand_index,
        "[0, 1]",
        RIGID,
        "n p k a step",
        "Rand 1971",
        "share of pairs that classes and clusters both join or part",
        misses="chance: with many classes most pairs are apart in both",
        citation="rand1971objective",
        formula=r"\binom{n}{2}^{-1} \#\{ i < j : \text{class and cluster both join or both part them} \}",
        fooled="split classes",
    ),
    "adjusted_rand_index": _entry(
        adjusted_rand_index,
        "[-0.5, 1]",
        RIGID,
        "n p k a step",
        "Hubert and Arabie 1985",
        "Rand index beyond chance",
        misses="small classes: pairs of large ones decide",
        citation="hubert1985comparing",
        formula=r"\frac{\mathrm{RI} - \mathrm E \, \mathrm{RI}}{1 - \mathrm E \, \mathrm{RI}}, "
        r"\quad \mathrm{RI} \text{ the Rand index}",
        fooled="split classes",
    ),
    "normalized_mutual_information": _entry(
        normalized_mutual_information,
        "[0, 1]",
        RIGID,
        "n p k a step",
        "Vinh et al. 2010",
        "mutual information of classes and clusters over the mean entropy",
        misses="chance, which is above 0 and grows with the number of classes",
        citation="vinh2010information",
        formula=r"\frac{2 \, I(\text{class}; \text{cluster})}{H(\text{class}) + H(\text{cluster})}",
        fooled="split classes",
    ),
}
"""The qualities of this module by name."""
