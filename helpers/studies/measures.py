"""The chapter "When are two representations the same?": its spaces, tables, figures and facts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from helpers.arrays import check_count, generator, svd
from helpers.book.style import INK, heatmap
from helpers.encoders.classical import classical_embeddings
from helpers.similarity import MEASURES, cross_barcode, jaccard, rsa, rtd, rtd_matrix, similarity_matrices
from helpers.similarity import similarity_matrix as matrix_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = [
    "MAPS",
    "agreement",
    "barcode_figure",
    "barcode_of_clusters",
    "core_measures",
    "core_tables",
    "disguises_figure",
    "embeddings_figure",
    "facts",
    "facts_of_stretching",
    "invariance_figure",
    "invariance_table",
    "maps_of",
    "nearest_sentences",
    "same_value",
    "shared_neighbours",
    "stretching",
    "stretching_figure",
    "three_clusters",
    "topology_figure",
    "two_spaces",
    "word_spaces",
]

MAPS = ("permutation", "rotation", "scale", "translation", "feature scales", "invertible map")
"""Maps of the features, in the order of the tables."""

DISTANCES = ("RTD-lite", "RTD")
"""Core measures of which less is more alike."""


class Roles(NamedTuple):
    """Names of the embeddings that the text speaks of."""

    word: str = "words svd"
    letter: str = "characters svd"
    projection: str = "words projected"
    mean_of_words: str = "word vectors mean"
    weighted_words: str = "word vectors sif"
    surface: str = "surface"


def word_spaces(
    texts: Sequence[str], width: int, *, names: Iterable[str] | None = None, rng: int | np.random.Generator = 0
) -> dict[str, np.ndarray]:
    """Classical embeddings of the same texts, by names that can be read.

    Parameters
    ----------
    texts, width, names, rng
        Same meaning as in :func:`helpers.encoders.classical.classical_embeddings`.

    Returns
    -------
    dict of str to ndarray of shape (n_texts, width)
        Names with spaces, such as ``"words svd"``.
    """
    found = classical_embeddings(texts, width=width, rng=rng, names=names)
    return {name.replace("_", " "): z for name, z in found.items()}


def two_spaces(
    texts: Sequence[str], width: int, *, rng: int | np.random.Generator = 0
) -> tuple[np.ndarray, np.ndarray]:
    """The pair that both pages follow: words against letters.

    Parameters
    ----------
    texts, width, rng
        Same meaning as in :func:`word_spaces`.

    Returns
    -------
    tuple of ndarray of shape (n_texts, width)
        Latent semantic analyses of words and of runs of letters.
    """
    x, y = word_spaces(texts, width, names=("words_svd", "characters_svd"), rng=rng).values()
    return x, y


def nearest_sentences(
    texts: Sequence[str], x: np.ndarray, y: np.ndarray, n: int, *, shown: int = 2
) -> tuple[pd.DataFrame, int]:
    """The nearest sentence of each of the first ones, by the cosine in two spaces.

    Parameters
    ----------
    texts
        Sentences, all of which may be the nearest.
    x, y
        Two representations of the sentences.
    n
        How many of the first sentences are asked.
    shown
        Number of rows of each kind in the table.

    Returns
    -------
    table : DataFrame
        Sentences for which both spaces name the same one, then some for which they do not.
    agreed : int
        For how many of the ``n`` they name the same one.
    """
    import pandas as pd

    names = [_nearest(z, check_count(n, "n")) for z in (x, y)]
    same = np.equal(*names)
    chosen = [*np.flatnonzero(same)[:shown], *np.flatnonzero(~same)[:shown]]
    rows = [
        {
            "sentence": texts[i],
            "nearest by words": texts[names[0][i]],
            "nearest by letters": texts[names[1][i]],
        }
        for i in chosen
    ]
    return pd.DataFrame(rows), int(same.sum())


def _nearest(z: np.ndarray, n: int) -> np.ndarray:
    unit = z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-12)
    cosines = unit[:n] @ unit.T
    cosines[np.arange(n), np.arange(n)] = -np.inf
    return np.argmax(cosines, axis=1)


def disguises_figure(x: np.ndarray, n: int = 300) -> list[Axes]:
    """The first two principal coordinates of some objects under six maps, coloured by the first."""
    import matplotlib.pyplot as plt
    import seaborn as sns

    plane = _plane(x, n)
    turn = np.array([[np.cos(1), np.sin(1)], [-np.sin(1), np.cos(1)]])
    disguises = {
        "original": plane,
        "rotated": plane @ turn,
        "features exchanged": plane[:, ::-1],
        "scaled": 0.6 * plane,
        "moved": plane + [0.5, -0.4],
        "any invertible map": plane @ np.array([[1.2, 0.9], [0.1, 0.35]]),
    }
    _, axes = plt.subplots(2, 3, figsize=(7.5, 5.0), sharex=True, sharey=True)
    for ax, (title, points) in zip(axes.flat, disguises.items(), strict=True):
        ax.scatter(*points.T, c=plane[:, 0], s=9)
        ax.axhline(0, color=INK, lw=0.4, zorder=0)
        ax.axvline(0, color=INK, lw=0.4, zorder=0)
        ax.set(title=title, aspect="equal", xticks=[], yticks=[])
    sns.despine(left=True, bottom=True)
    return list(axes.flat)


def _plane(x: np.ndarray, n: int) -> np.ndarray:
    """First two principal coordinates of the first n objects, at most 1."""
    centred = x - x.mean(axis=0)
    plane = (centred @ svd(centred)[2][:2].T)[:n]
    return plane / np.abs(plane).max()


# All pairs of embeddings


def core_tables(
    embeddings: Mapping[str, np.ndarray],
    *,
    n_few: int,
    k: int,
    rtd_batch: int,
    rtd_trials: int,
    rng: int | np.random.Generator = 0,
) -> dict[str, pd.DataFrame]:
    """Values of the core measures for all pairs of embeddings.

    Parameters
    ----------
    embeddings
        Name → representation, rows in the same order.
    n_few
        How many of the first objects Gaussian CKA and RTD-lite see, which need a matrix for each embedding; linear CKA
        of the same objects is beside them.
    k
        Number of neighbours of the Jaccard similarity.
    rtd_batch, rtd_trials
        Size and number of the random subsets that RTD sees, the same for all pairs.
    rng
        Seed or generator of the subsets.

    Returns
    -------
    dict of str to DataFrame
        Measures in the order of the page; ``"CKA, few"`` is linear CKA of the first ``n_few`` objects.
    """
    found = similarity_matrices(
        embeddings,
        ["cca", "svcca", "pwcca", "cka", "cka_unbiased", "rsa", "distance_correlation", "jaccard"],
        options={"jaccard": {"k": k}},
        progress=False,
    )
    few = {name: z[:n_few] for name, z in embeddings.items()}
    few = similarity_matrices(few, ["cka", "cka_rbf", "rtd_lite"], progress=False)
    n = len(next(iter(embeddings.values())))
    divergence = rtd_matrix(embeddings, trials=rtd_trials, batch=min(rtd_batch, n), rng=rng, progress=False)
    return {
        "CCA": found["cca"],
        "SVCCA": found["svcca"],
        "PWCCA": found["pwcca"],
        "CKA": found["cka"],
        "CKA, unbiased": found["cka_unbiased"],
        "CKA, few": few["cka"],
        "CKA, Gaussian": few["cka_rbf"],
        "RSA, correlation": found["rsa"],
        "RSA, Euclidean": matrix_of(embeddings, "rsa", distance="euclidean", progress=False),
        "dCor": found["distance_correlation"],
        "Jaccard": found["jaccard"],
        "RTD-lite": few["rtd_lite"],
        "RTD": divergence,
    }


def embeddings_figure(tables: Mapping[str, pd.DataFrame]) -> list[Axes]:
    """Heat maps of similarities side by side, with their values in the cells."""
    import matplotlib.pyplot as plt

    size = (1.4 + 2.2 * len(tables), 3.4)
    _, axes = plt.subplots(1, len(tables), figsize=size, sharey=True, squeeze=False)
    for ax, (title, values) in zip(axes.flat, tables.items(), strict=True):
        heatmap(values, ax, title=title)
        for text in ax.texts:  # .62 for 0.62: the cells are small
            text.set_fontsize(7)
            text.set_text(text.get_text().replace("0.", ".").replace("1.00", "1"))
    return list(axes.flat)


def topology_figure(tables: Mapping[str, pd.DataFrame]) -> list[Axes]:
    """Heat maps of the distances RTD-lite and RTD, each on a scale of its own."""
    import matplotlib.pyplot as plt

    _, axes = plt.subplots(1, len(DISTANCES), figsize=(5.8, 3.4), sharey=True)
    for ax, title in zip(axes, DISTANCES, strict=True):
        heatmap(tables[title], ax, high=float(tables[title].max().max()), digits=0, title=title)
    return list(axes)


def _apart(table: pd.DataFrame) -> np.ndarray:
    """Entries above the diagonal."""
    return table.to_numpy()[np.triu_indices(len(table), 1)]


def agreement(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Spearman correlations, over the pairs of embeddings, of the measures, distances with their sign turned."""
    import pandas as pd

    values = {
        name: (-1 if name in DISTANCES else 1) * _apart(table) for name, table in tables.items() if name != "CKA, few"
    }
    return pd.DataFrame(values).corr("spearman")


def facts(tables: Mapping[str, pd.DataFrame], agreed: pd.DataFrame) -> dict[str, float | str]:
    """What the text says of the pairs of embeddings in numbers.

    Parameters
    ----------
    tables
        Tables from :func:`core_tables`.
    agreed
        Correlations from :func:`agreement`.
    """
    from scipy.stats import spearmanr

    role, cka, small, kernel = Roles(), tables["CKA"], tables["CKA, few"], tables["CKA, Gaussian"]
    names, far = list(cka), _apart(tables["RTD"])
    rows, columns = np.triu_indices(len(names), 1)
    pair = {
        key: f"{names[rows[at]]} and {names[columns[at]]}"
        for key, at in (("rtd_closest", far.argmin()), ("rtd_farthest", far.argmax()))
    }
    off = _apart(agreed)
    return pair | {
        "n_measures": len(MEASURES),
        "n_pairs": len(rows),
        "cca_means": tables["CCA"].loc[role.mean_of_words, role.weighted_words],
        "cca_projection": tables["CCA"].loc[role.word, role.projection],
        "cka_most": cka.to_numpy()[~np.eye(len(cka), dtype=bool)].max(),
        "cka_least": cka.min().min(),
        "cka_word_mean": cka.loc[role.word, role.mean_of_words],
        "kernel_gap": np.mean(np.abs(_apart(kernel) - _apart(small))),
        "fewer_gap": np.mean(np.abs(_apart(small) - _apart(cka))),
        "rsa_euclidean": tables["RSA, Euclidean"].loc[role.word, role.mean_of_words],
        "dcor_surface": tables["dCor"].loc[role.letter, role.surface],
        "jaccard_pair": tables["Jaccard"].loc[role.word, role.letter],
        "rtd_orders": spearmanr(far, _apart(tables["RTD-lite"])).statistic,
        "agreement_odd": agreed.mean().idxmin(),
        "agreement_least": off.min(),
        "agreement_median": np.median(off),
    }


def shared_neighbours(similarity: float, k: int, n: int) -> dict[str, float]:
    """How many of k neighbours are common at a Jaccard similarity, and how many are by chance among n objects."""
    return {"jaccard_common": 2 * k * similarity / (1 + similarity), "jaccard_random": k * k / (n - 1)}


# Topology


def three_clusters() -> tuple[np.ndarray, np.ndarray]:
    """Thirty points in three clusters, and the same points with two of the clusters on top of each other."""
    centres = np.array([[0.0, 0.0], [2.4, 0.2], [1.1, 2.0]])
    rng = np.random.default_rng(3)
    first = np.repeat(centres, 10, axis=0) + rng.normal(scale=0.22, size=(30, 2))
    return first, first + np.repeat([[0.0, 0.0], [-1.75, 0.1], [0.0, 0.0]], 10, axis=0)


def barcode_of_clusters() -> np.ndarray:
    """Bars (birth, death) of :func:`three_clusters`, the longest last; an array of shape (n_bars, 2)."""
    bars = cross_barcode(*three_clusters())
    return bars[np.argsort(bars[:, 1] - bars[:, 0])]


def barcode_figure(bars: np.ndarray) -> list[Axes]:
    """The two clouds with their spanning trees, and the bars by which they differ."""
    import matplotlib.pyplot as plt
    import seaborn as sns
    from scipy.sparse.csgraph import minimum_spanning_tree
    from scipy.spatial.distance import pdist, squareform

    _, axes = plt.subplots(1, 3, figsize=(9.0, 3.1))
    cluster = np.repeat(sns.color_palette()[:3], 10, axis=0)
    for ax, z, title in zip(axes, three_clusters(), ("X", "Y"), strict=False):
        for i, j in zip(*minimum_spanning_tree(squareform(pdist(z))).nonzero(), strict=True):
            ax.plot(*z[[i, j]].T, color=INK, lw=0.9, zorder=0)
        ax.scatter(*z.T, c=cluster, s=18)
        ax.set(title=title, aspect="equal", xticks=[], yticks=[])
        sns.despine(ax=ax, left=True, bottom=True)
    axes[2].hlines(np.arange(len(bars)), bars[:, 0], bars[:, 1], color="C0", lw=2.5)
    axes[2].set(title="R-cross-barcode", xlabel="scale $\\alpha$", yticks=[])
    sns.despine(ax=axes[2], left=True)
    return list(axes)


# Invariances


def core_measures(k: int = 10) -> dict[str, Callable[[np.ndarray, np.ndarray], float]]:
    """The measures that the page defines, with the options under which it measures them, by their short names."""
    return {
        "CCA": MEASURES["cca"],
        "SVCCA": MEASURES["svcca"],
        "PWCCA": MEASURES["pwcca"],
        "CKA": MEASURES["cka"],
        "CKA, unbiased": MEASURES["cka_unbiased"],
        "CKA, Gaussian": MEASURES["cka_rbf"],
        "RSA, correlation": rsa,
        "RSA, cosine": lambda x, y: rsa(x, y, distance="cosine"),
        "RSA, Euclidean": lambda x, y: rsa(x, y, distance="euclidean"),
        "dCor": MEASURES["distance_correlation"],
        "dCor, unbiased": MEASURES["distance_correlation_unbiased"],
        "Jaccard": lambda x, y: jaccard(x, y, k=k),
        "RTD-lite": MEASURES["rtd_lite"],
        "RTD": lambda x, y: rtd(x, y, batch=len(x)),  # all objects
    }


def maps_of(x: np.ndarray, *, rng: int | np.random.Generator = 0) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """One random map of each kind in :data:`MAPS`, for representations as wide as ``x``; each call draws anew."""
    rng, p = generator(rng), x.shape[1]
    orthogonal = np.linalg.qr(rng.normal(size=(p, p)))[0]
    return {
        "permutation": lambda z: z[:, rng.permutation(p)],
        "rotation": lambda z: z @ orthogonal,
        "scale": lambda z: 3 * z,
        "translation": lambda z: z + rng.normal(scale=z.std(), size=p),
        "feature scales": lambda z: z * np.exp(rng.normal(size=p)),
        "invertible map": lambda z: z @ (np.eye(p) + rng.normal(size=(p, p)) / np.sqrt(p)),
    }


def same_value(after: float, before: float) -> bool:
    """Whether a value has not changed, up to rounding: a relative 1e-6."""
    return bool(np.isclose(after, before, rtol=1e-6, atol=1e-9))


def invariance_table(x: np.ndarray, y: np.ndarray, *, k: int = 10, rng: int | np.random.Generator = 0) -> pd.DataFrame:
    """Values of the core measures before and after each map of x.

    Parameters
    ----------
    x, y
        Two representations of the same objects; y stays as it is, but for the last column.
    k
        Number of neighbours of the Jaccard similarity.
    rng
        Seed or generator of the maps.

    Returns
    -------
    DataFrame
        A row for each measure: ``before``, a column for each of :data:`MAPS`, and ``objects``, after the objects of
        both sides have been permuted alike.
    """
    import pandas as pd

    rng = generator(rng)
    maps = maps_of(x, rng=rng)
    order = rng.permutation(len(x))
    rows = {}
    for name, measure in core_measures(k).items():
        rows[name] = {"before": measure(x, y)} | {title: measure(apply(x), y) for title, apply in maps.items()}
        rows[name]["objects"] = measure(x[order], y[order])
    return pd.DataFrame.from_dict(rows, orient="index")


def invariance_figure(found: pd.DataFrame, x: np.ndarray) -> Axes:
    """What each measure ignores: a mark where a map changes nothing, the change where it is seen; the maps drawn above.

    Parameters
    ----------
    found
        Table from :func:`invariance_table`.
    x
        The representation whose first two principal coordinates show the maps.
    """
    import matplotlib.pyplot as plt
    import seaborn as sns

    figure = plt.figure(figsize=(8.4, 6.4))
    grid = figure.add_gridspec(2, len(MAPS), height_ratios=[1, 5.2], hspace=0.02)
    plane = _plane(x, 120)
    pictures = (
        plane[:, ::-1],
        plane @ np.array([[np.cos(1), np.sin(1)], [-np.sin(1), np.cos(1)]]),
        0.5 * plane,
        plane + [0.6, -0.5],
        plane * [1.1, 0.35],
        plane @ np.array([[1.1, 0.8], [0.1, 0.3]]),
    )
    for i, (title, points) in enumerate(zip(MAPS, pictures, strict=True)):
        ax = figure.add_subplot(grid[0, i])
        ax.scatter(*points.T, c=plane[:, 0], s=4)
        ax.set(xlim=(-1.3, 1.7), ylim=(-1.5, 1.3), aspect="equal", xticks=[], yticks=[])
        ax.set_title(title, fontsize=9)
        sns.despine(ax=ax, left=True, bottom=True)
    ax = figure.add_subplot(grid[1, :])
    for row, (_, values) in enumerate(found.iterrows()):
        for column, title in enumerate(MAPS):
            seen = not same_value(values[title], values["before"])
            look = {"fc": "C0", "ec": "none"} if seen else {"fc": "none", "ec": INK, "lw": 0.4}
            ax.add_patch(plt.Rectangle((column + 0.04, row + 0.08), 0.92, 0.84, **look))
            if seen:
                word = f"{values[title] - values['before']:+.2g}"
                ax.text(column + 0.5, row + 0.5, word, ha="center", va="center", color="white", fontsize=8)
    ax.set(xlim=(0, len(MAPS)), ylim=(len(found), 0), xticks=[])
    ax.set_yticks(np.arange(len(found)) + 0.5, found.index)
    ax.tick_params(length=0)
    sns.despine(ax=ax, left=True, bottom=True)
    return ax


def stretching(x: np.ndarray, *, k: int = 10, n_seeds: int = 10, rng: int | np.random.Generator = 0) -> pd.DataFrame:
    """Similarity of x and its image under a random invertible map, by the condition number of the map.

    Parameters
    ----------
    x
        A representation of shape (n, p).
    k
        Number of neighbours of the Jaccard similarity.
    n_seeds
        Shuffles of the objects, for the chance levels.
    rng
        Seed or generator of the map and of the shuffles.

    Returns
    -------
    DataFrame
        Index: condition numbers from 1 to 100 000. Columns: seven measures, and ``chance CCA`` and ``chance CKA``, the
        means over shuffled objects.
    """
    import pandas as pd

    rng, p, measures = generator(rng), x.shape[1], core_measures(k)
    conditions = np.logspace(0, 5, 11)
    u, v = (np.linalg.qr(rng.normal(size=(p, p)))[0] for _ in range(2))
    images = [x @ (u * np.logspace(0, np.log10(c), p)) @ v.T for c in conditions]
    seen = ("CCA", "PWCCA", "SVCCA", "CKA", "dCor", "RSA, Euclidean", "Jaccard")
    columns = {name: [measures[name](x, image) for image in images] for name in seen}
    for name in ("CCA", "CKA"):
        columns[f"chance {name}"] = [
            np.mean([measures[name](x, image[rng.permutation(len(x))]) for _ in range(n_seeds)]) for image in images
        ]
    return pd.DataFrame(columns, index=conditions)


def stretching_figure(curves: pd.DataFrame) -> Axes:
    """Curves of :func:`stretching` on a logarithmic axis, chance levels dotted."""
    import matplotlib.pyplot as plt
    import seaborn as sns

    _, ax = plt.subplots(figsize=(6.4, 3.8))
    chance = [name for name in curves if name.startswith("chance")]
    sns.lineplot(curves.drop(columns=chance), ax=ax, markers=True, dashes=False)
    for name, colour in zip(chance, ("C0", "C3"), strict=True):
        ax.plot(curves.index, curves[name], ls=":", color=colour)
    ax.set(xscale="log", ylim=(0, 1.04), xlabel="condition number of $A$", ylabel="similarity of $X$ and $XA$")
    ax.legend(bbox_to_anchor=(1.0, 1.0), loc="upper left")
    return ax


def facts_of_stretching(curves: pd.DataFrame) -> dict[str, float]:
    """What the text says of :func:`stretching`: CKA at condition numbers 10 and 100 000, the least of others."""
    least = {f"{name.lower()}_least": curves[name].min() for name in ("CCA", "PWCCA", "SVCCA")}
    return {"cka_10": curves["CKA"].iloc[2], "cka_last": curves["CKA"].iloc[-1]} | least
