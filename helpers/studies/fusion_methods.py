"""What the page about ways to fuse shows on real layers: paths, searches, clusters, choices, scores on test data."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import check_count, check_not_negative
from helpers.book.style import INK
from helpers.ensembles.programs import local_weights
from helpers.inference import interval, paired

if TYPE_CHECKING:
    import pandas as pd
    from pandas.io.formats.style import Styler

__all__ = [
    "ORDER",
    "baselines",
    "check_fusion_choices",
    "choice_noise",
    "encode_splits",
    "facts",
    "facts_of_masked",
    "facts_of_noise",
    "facts_of_path",
    "facts_of_results",
    "facts_of_search",
    "figure_clusters",
    "figure_path",
    "figure_weights",
    "local_search",
    "scored_pairs",
    "show_chosen",
    "show_results",
    "slsqp",
    "table_pca_variants",
    "table_results",
]

ORDER = (
    "last layer",
    "best layer",
    "QP",
    "QP + selection + PCA",
    "cluster + PCA",
    "greedy",
    "masked, global",
    "masked, SLSQP",
    "masked, diagonal kept",
    "mean of all",
    "mean of the last four",
    "all layers + PCA",
    "learned mix",
    "best without labels",
    "last, centred",
    "last, whitened",
)
"""Methods in the order of the page: the published ones first."""

Layers = Mapping[str, np.ndarray]


def check_fusion_choices(
    encoder: str,
    *,
    lam: float,
    lambdas: Sequence[float],
    n_clusters: int,
    n_lambdas: int,
    n_starts: int,
    n_labelled: int,
    n_resamples: int,
) -> None:
    """Refuse within seconds what the page could not do: the encoder reads one short text.

    Parameters
    ----------
    encoder
        Folder, or name on the hub.
    lam, lambdas
        Penalty where it is not chosen, and penalties from which validation chooses, at least one; none below 0.
    n_clusters
        Clusters of layers, at most as many as there are layers.
    n_lambdas, n_starts
        Points of the λ-paths, at least 2, and starts of the local solver, at least 1.
    n_labelled, n_resamples
        Labelled sentences, from 40 to 4000, and bootstrap draws, at least 10.

    Raises
    ------
    TypeError, ValueError, FileNotFoundError
        If the encoder is not there or cannot be read, or a number is out of range.
    """
    from helpers.encoders.extraction import extract

    if not lambdas:
        raise ValueError("lambdas is empty; at least one number of at least 0 is needed")
    for value in lambdas:
        check_not_negative(value, "a value of lambdas")
    check_not_negative(lam, "lam")
    check_count(n_lambdas, "n_lambdas", least=2)
    check_count(n_starts, "n_starts")
    check_count(n_labelled, "n_labelled", least=40, most=4000, why="(more would be encoded and fitted for minutes)")
    check_count(n_resamples, "n_resamples", least=10)
    size = len(extract(encoder, ["One short text."], progress=False))
    check_count(n_clusters, "n_clusters", most=size, why=f"({size} representations)")


def encode_splits(encoder: str, task: Any) -> dict[str, dict[str, np.ndarray]]:
    """Layers of an encoder on the texts of each split.

    Parameters
    ----------
    encoder
        Folder, or name on the hub.
    task
        A task of :func:`helpers.tasks.load_tasks`.

    Returns
    -------
    dict of str to dict of str to ndarray
        Arrays (texts, width) by the number of the layer, by split.

    Raises
    ------
    ValueError
        If the task is not one of pairs with scores.
    """
    from helpers import tasks
    from helpers.encoders.extraction import extract

    if task.metadata.type != "STS":
        raise ValueError(f"task_name is {task.metadata.name!r}, which is of type {task.metadata.type}; STS is needed")

    layers = {}
    for split in ("train", "validation", "test"):
        with warnings.catch_warnings(action="ignore"):  # of texts that are longer than what the encoder reads
            found = extract(encoder, tasks.texts(task, split), progress=False)
        layers[split] = {name.removeprefix("layer "): np.asarray(x) for name, x in found.items()}
    return layers


def scored_pairs(task: Any, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Training pairs of a task as rows (n, 2) of ``texts``, and their scores (n,)."""
    splits = task.dataset.get("default", task.dataset)
    train, row = splits["train"], {text: i for i, text in enumerate(texts)}
    both = zip(train["sentence1"], train["sentence2"], strict=True)
    return np.array([(row[a], row[b]) for a, b in both]), np.array(train["score"], dtype=float)


def baselines(n_layers: int, *, lam: float) -> dict[str, Any]:
    """Ensembles of the page that have no parameter to choose, not yet fitted.

    Parameters
    ----------
    n_layers
        How many layers there are; the mean of the last four takes as many as there are.
    lam
        λ of the masked program, whose global solution does not depend on it.
    """
    from helpers import ensembles as e

    return {
        "last layer": e.LastLayer(),
        "best layer": e.BestLayer(),
        "mean of all": e.MeanOfLayers(),
        "mean of the last four": e.MeanOfLastFour(min(4, n_layers)),
        "all layers + PCA": e.ConcatPCA(),
        "last, centred": e.CentredLast(),
        "last, whitened": e.WhitenedLast(),
        "best without labels": e.BestUnsupervised(),
        "masked, global": e.MaskedQP(lam=lam),
    }


# Searches


def slsqp(quality: Any, similarity: Any, lam: float, start: np.ndarray, **options: Any) -> np.ndarray:
    """Weights that SciPy's local solver returns for the masked program.

    Parameters
    ----------
    quality, similarity
        Qualities (L,) and similarities (L, L) of the layers.
    lam
        Similarity penalty λ of the program.
    start
        Weights (L,) from which it starts.
    options
        Passed to ``scipy.optimize.minimize`` as ``options``.
    """
    q, s = np.asarray(quality), np.asarray(similarity)
    return local_weights(q, np.where(q[:, None] < q[None, :], s, 0), lam, start, **options)


def local_search(quality: pd.Series, similarity: Any, lambdas: Sequence[float], starts: np.ndarray) -> pd.DataFrame:
    """Local maxima of the masked program, and where a local solver ends.

    Parameters
    ----------
    quality, similarity
        Qualities by layer and their similarities.
    lambdas
        Similarity penalties λ of the program.
    starts
        Weights (starts, layers) to start from, equal ones first.

    Returns
    -------
    DataFrame
        Index ``λ``; ``local maxima`` by :math:`q_i - q_j < \\lambda S_{ij}` for all other i; the layer that equal
        weights lead to; shares of the starts that end ``at one layer`` and at the best one.
    """
    import pandas as pd

    q, s, rows = quality.to_numpy(), np.asarray(similarity), []
    for lam in lambdas:
        below = q[:, None] - q[None, :] < lam * s
        ends = np.array([slsqp(q, s, lam, start, ftol=1e-12, maxiter=1000) for start in starts])
        single, where = ends.max(axis=1) > 0.999, ends.argmax(axis=1)
        row = {"λ": lam, "local maxima": int((below | np.eye(len(q), dtype=bool)).all(axis=0).sum())}
        row |= {"from equal weights": quality.index[where[0]] if single[0] else "a mixture"}
        rows.append(row | {"ends at one layer": single.mean(), "at the best": (single & (where == q.argmax())).mean()})
    return pd.DataFrame(rows).set_index("λ")


def choice_noise(
    task: Any, layers: Mapping[str, Layers], *, n_resamples: int = 500, rng: int | np.random.Generator = 0
) -> pd.DataFrame:
    """How sure the choice of the best layer is: its scores on two splits, and how often each layer comes first.

    Parameters
    ----------
    task
        A task of :func:`helpers.tasks.load_tasks`.
    layers
        Arrays by layer, by split, from :func:`encode_splits`.
    n_resamples, rng
        Bootstrap samples of the items, the same for all layers; seed or generator.

    Returns
    -------
    DataFrame
        A row for each layer: ``validation`` and ``test`` score, and ``first on validation`` and ``first on test``, the
        share of the samples in which it has the highest score.
    """
    import pandas as pd

    from helpers import tasks
    from helpers.arrays import integer_seed

    seed, found = integer_seed(rng), {}
    for split in ("validation", "test"):
        results = {name: tasks.evaluate_task(task, x, split) for name, x in layers[split].items()}
        draws = pd.DataFrame({name: one.bootstrap(seed, n_resamples) for name, one in results.items()})
        found[split] = pd.Series({name: one.score for name, one in results.items()})
        leading = draws.eq(draws.max(axis=1), axis=0)
        found[f"first on {split}"] = leading.div(leading.sum(axis=1), axis=0).mean()
    return pd.DataFrame(found).rename_axis("layer")


# Tables


def table_pca_variants(
    layers: Mapping[str, Layers], score: Callable[[np.ndarray], float], plain: Any, **similarities: Any
) -> pd.DataFrame:
    """Concatenation and sum before PCA, beside the weighted sum with the mean of the training texts taken off.

    Parameters
    ----------
    layers
        Arrays by layer, by split.
    score
        Function from a representation of the validation texts to its score.
    plain
        Fitted :class:`helpers.ensembles.QP`, whose λ the others take.
    similarities
        ``quality`` and ``similarity`` of the layers.

    Returns
    -------
    DataFrame
        A row for each variant: ``layers in use``, ``width before PCA``, ``width``, ``validation score``.
    """
    import pandas as pd

    from helpers.ensembles import QPSelectionPCA

    rows, columns = {}, ["layers in use", "width before PCA", "width", "validation score"]
    for combine in ("concat", "sum"):
        fused = QPSelectionPCA(lam=plain.lam, combine=combine).fit(layers["train"], **similarities)
        shape = fused.axes_.components.shape
        rows[combine] = [len(fused.used_), *shape, score(fused.transform(layers["validation"]))]
    z, mean = plain.transform(layers["validation"]), plain.transform(layers["train"]).mean(axis=0)
    rows["weighted sum, centred"] = [len(plain.used_), z.shape[1], z.shape[1], score(z - mean)]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def show_chosen(chosen: Mapping[str, Any]) -> Styler:
    """What validation chose for each method, from the results of :func:`helpers.ensembles.select`."""
    import pandas as pd

    names = {"lam": "λ", "n_clusters": "K", "score": "validation score"}
    rows = {name: one.table.loc[one.table["score"].idxmax()].to_dict() for name, one in chosen.items()}
    rows = {name: row | {"tried": len(chosen[name].table)} for name, row in rows.items()}
    table = pd.DataFrame(rows).T.rename(columns=names)
    shown = table.style.format("{:.3f}", na_rep="")
    return shown.format("{:.0f}", na_rep="", subset=[name for name in ("K", "k", "tried") if name in table])


def table_results(
    ensembles: Mapping[str, Any],
    task: Any,
    layers: Mapping[str, Layers],
    *,
    n_resamples: int = 500,
    rng: int | np.random.Generator = 0,
) -> pd.DataFrame:
    """Scores of fitted ensembles on validation and on test data, compared with the last and the best layer.

    Parameters
    ----------
    ensembles
        Fitted ensembles by name, ``"last layer"`` and ``"best layer"`` among them.
    task
        A task of :func:`helpers.tasks.load_tasks`.
    layers
        Arrays by layer, by split.
    n_resamples, rng
        Bootstrap samples of the test items, the same for all ensembles; seed or generator.

    Returns
    -------
    DataFrame
        A row for each ensemble: ``validation`` and ``test`` score, limits ``ci_low`` and ``ci_high`` of the latter, the
        verdicts ``against last`` and ``against best`` (empty for themselves), and ``n`` test items.
    """
    import pandas as pd

    from helpers import tasks
    from helpers.arrays import integer_seed

    seed, draws, rows = integer_seed(rng), {}, {}
    for name, ensemble in ensembles.items():
        result = tasks.evaluate_task(task, ensemble.transform(layers["test"]), "test")
        validation = tasks.evaluate_task(task, ensemble.transform(layers["validation"]), "validation")
        draws[name] = result.bootstrap(seed, n_resamples)
        limits = interval(draws[name], None)
        rows[name] = {"validation": validation.score, "test": result.score}
        rows[name] |= {"ci_low": limits.low, "ci_high": limits.high, "n": result.n}
    for name, row in rows.items():
        for other in ("last", "best"):
            against = f"{other} layer"
            both = draws[name], draws[against]
            found = paired(row["test"], rows[against]["test"], draws=both)
            row[f"against {other}"] = "" if name == against else found.verdict
    return pd.DataFrame(rows).T.infer_objects()


def show_results(results: pd.DataFrame) -> Styler:
    """The table of :func:`table_results` with its limits in one column."""
    limits = [f"[{low:.3f}, {high:.3f}]" for low, high in zip(results["ci_low"], results["ci_high"], strict=True)]
    shown = results[["validation", "test"]].assign(interval=limits)
    shown = shown.join(results[["against last", "against best"]])
    return shown.style.format({"validation": "{:.3f}", "test": "{:.3f}"})


# Facts


def facts(task: Any, layers: Mapping[str, Layers], quality: pd.Series) -> dict[str, Any]:
    """What the page works on: the task, the layers and their qualities."""
    last = list(layers["train"])[-1]
    return {
        "layers": len(layers["train"]),
        "width": layers["train"][last].shape[1],
        "task": task.metadata.name,
        "metric": str(task.metadata.main_score).replace("_", " "),
        "best": quality.idxmax(),
        "best_q": quality.max(),
        "last_q": quality.iloc[-1],
    }


def facts_of_path(paths: pd.DataFrame, along: Sequence[float]) -> dict[str, Any]:
    """How many layers the λ-path uses, which at its end, and where its validation score is highest."""
    return {
        "path_most": int((paths > 1e-3).sum(axis=1).max()),
        "path_end": ", ".join(paths.columns[paths.iloc[-1] > 1e-3]),
        "path_top": max(along),
        "path_lam": float(paths.index[int(np.argmax(along))]),
    }


def facts_of_search(local: pd.DataFrame) -> dict[str, Any]:
    """What the table of :func:`local_search` says."""
    return {
        "local_first": local["local maxima"].iloc[0],
        "first_best": 100 * local["at the best"].iloc[0],
        "local_most": local["local maxima"].max(),
        "single": 100 * local["ends at one layer"].mean(),
        "at_best": 100 * local["at the best"].mean(),
    }


def facts_of_masked(scores: pd.DataFrame) -> dict[str, Any]:
    """How often the masked program beats the best layer in a table of cells × methods, and by how many points."""
    gain = 100 * (scores["masked QP"] - scores["best layer"]).dropna()
    return {"masked_cells": len(gain), "masked_better": int((gain > 0).sum()), "masked_most": gain.max()}


def facts_of_results(results: pd.DataFrame) -> dict[str, Any]:
    """How many methods are better and worse than the last and the best layer, and how many would be so by luck."""
    found = {"n_test": results["n"].iloc[0], "others": len(results) - 1, "by_chance": 0.05 * (len(results) - 1)}
    for other in ("last", "best"):
        for word in ("better", "worse", "not distinguishable"):
            n = int((results[f"against {other}"] == word).sum())
            found[f"{other}_{word.replace(' ', '_')}"] = n
    return found


def facts_of_noise(noise: pd.DataFrame) -> dict[str, Any]:
    """How sure the choice of the layer is that is best on validation data, and what it costs on test data."""
    chosen = noise["validation"].idxmax()
    return {
        "noise_first": 100 * noise.loc[chosen, "first on validation"],
        "noise_test": noise.loc[chosen, "test"],
        "noise_rank": int((noise["test"] > noise.loc[chosen, "test"]).sum()) + 1,
        "noise_lost": 100 * (noise["test"].max() - noise.loc[chosen, "test"]),
        "noise_agree": noise["validation"].corr(noise["test"], method="spearman"),
    }


# Figures


def figure_path(paths: pd.DataFrame, along: Sequence[float], quality: pd.Series) -> Any:
    """Weights of the layers along λ, and the validation score of the weighted sum.

    Parameters
    ----------
    paths
        Weights: values of λ × layers.
    along
        Validation score at each λ.
    quality
        Validation score of each layer.
    """
    import matplotlib.pyplot as plt

    _, (left, right) = plt.subplots(1, 2, figsize=(7.4, 3.0))
    lambdas = paths.index.to_numpy()
    shades = plt.get_cmap("viridis")(np.linspace(0, 1, paths.shape[1]))
    left.stackplot(lambdas, paths.to_numpy().T, colors=shades, edgecolor="none")
    left.set(xscale="log", xlabel="λ", ylabel="weight", ylim=(0, 1), xlim=(lambdas[0], lambdas[-1]))
    look = {"va": "center", "color": "white", "fontsize": "small"}
    box = {"boxstyle": "round,pad=0.15", "fc": "#444444", "ec": "none"}
    for row, at, side in ((0, lambdas[0] * 1.15, "left"), (-1, lambdas[-1] / 1.15, "right")):
        middle = paths.iloc[row].cumsum() - paths.iloc[row] / 2
        for name in paths.columns[paths.iloc[row] > 0.12]:
            left.text(at, middle[name], name, ha=side, bbox=box, **look)
    right.plot(lambdas, along)
    right.axhline(quality.max(), color=INK, ls=":")
    right.axhline(quality.iloc[-1], color=INK, ls="--")
    right.set(xscale="log", xlabel="λ", ylabel="validation score")
    return left, right


def figure_clusters(clusters: Any) -> Any:
    """The layers by average linkage, and the coefficients of the parts of a fitted cluster ensemble."""
    import matplotlib.pyplot as plt
    from scipy.cluster.hierarchy import dendrogram

    names = list(clusters.weights_.index)
    fig, (left, right) = plt.subplots(1, 2, figsize=(7.4, 2.7))
    with plt.rc_context({"lines.linewidth": 1.2}):
        dendrogram(clusters.linkage_, labels=names, ax=left, color_threshold=0, above_threshold_color="C0")
    left.set(ylabel="1 − CKA", xlabel="layer")
    left.tick_params(axis="x", rotation=0, labelsize=8)
    right.tick_params(axis="x", labelsize=8)
    picture = right.imshow(clusters.mixing_, aspect="auto", vmin=0)
    right.set_xticks(range(len(names)), names)
    right.set_yticks(range(len(clusters.mixing_)), range(1, len(clusters.mixing_) + 1))
    right.set(xlabel="layer", ylabel="part")
    fig.colorbar(picture, ax=right).outline.set_visible(False)
    return left, right


def figure_weights(ensembles: Mapping[str, Any], quality: pd.Series) -> Any:
    """The weight of each layer in each ensemble, below each layer its quality."""
    import matplotlib.pyplot as plt
    import pandas as pd

    weights = pd.DataFrame({name: ensemble.weights_ for name, ensemble in ensembles.items()}).T
    fig, ax = plt.subplots(figsize=(6.6, 4.6))
    picture = ax.imshow(weights, aspect="auto", vmin=0, vmax=1)
    ax.set_yticks(range(len(weights)), weights.index)
    labels = [f"{name}\n{value:.2f}".replace("0.", ".") for name, value in quality.items()]
    ax.set_xticks(range(len(quality)), labels)
    ax.tick_params(length=0, labelsize=8)
    ax.set_xlabel("layer, and its quality")
    fig.colorbar(picture, ax=ax, label="weight").outline.set_visible(False)
    return ax
