"""The experiment of Part II: the layers of an encoder, fused for a task by every method and scored on unseen texts.

What may be learnt from where: the statistics of representations (similarity of layers, means, principal axes) from
training texts; the quality of a layer and the parameters of a method from the validation split; nothing from the test
split, which gives the scores.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from helpers.arrays import check_count, check_not_negative, integer_seed
from helpers.inference import Claim

if TYPE_CHECKING:
    import pandas as pd

    from helpers.inference import Finding

__all__ = [
    "CLAIMS",
    "ENSEMBLES",
    "EXTRA",
    "Fusion",
    "Method",
    "PUBLISHED",
    "findings",
    "findings_in_cells",
    "fusion_methods",
    "recorded_scores",
    "score_methods",
    "method_scores",
]

PUBLISHED = ("last_layer", "best_layer", "qp_weighted", "qp_pca", "cluster_pca", "greedy", "qp_masked")
"""The methods of the published table, by the names that it uses."""
EXTRA = (
    "mean_of_layers",
    "mean_of_last_four",
    "concat_pca",
    "centred_last",
    "whitened_last",
    "scalar_mix",
    "best_unsupervised",
)
"""Rows that the published table does not have."""
ENSEMBLES = PUBLISHED[2:]
"""Those of them that mix or choose layers by weights."""

_MADE = {"source": "popov2025automatic", "place": "section 2.6", "models": "BERT, RoBERTa and SimCSE"}
CLAIMS = {
    "last": Claim(
        "Almost any method beats the last layer",
        "points over the last layer, of the second weakest of five ensembles",
        smallest=1.0,
        **_MADE,
    ),
    "best": Claim(
        "The best layer is hard to beat",
        "points over the layer that is best on validation, of the strongest of five ensembles",
        "less",
        null=1.0,
        **_MADE,
    ),
    "rank": Claim(
        "The weighted QP has the best mean rank",
        "mean ranks by which it is ahead of its strongest rival",
        spec="+.2f",
        **_MADE,
    ),
    "greedy": Claim(
        "The greedy choice is second by mean rank",
        "mean ranks by which it is ahead of its strongest rival but the weighted QP",
        spec="+.2f",
        **_MADE,
    ),
    "quality": Claim(
        "The weighted QP has the highest mean quality", "points by which it is ahead of its strongest rival", **_MADE
    ),
    "duplicates": Claim(
        "The variants with PCA win on duplicates",
        "points by which the better of the two is ahead of the best method without PCA, on duplicates",
        smallest=1.0,
        **_MADE,
    ),
    "pooler": Claim(
        "Beside the pooler of SimCSE other layers still add",
        "points over the pooler, median of five ensembles",
        smallest=1.0,
        **_MADE | {"models": "SimCSE"},
    ),
}
"""What the published study claims of its methods.

One point of the main score is the smallest gain that counts: a method that beats the last layer by less than a point,
or the best layer by more, contradicts the claim.
"""


class Method(NamedTuple):
    """An ensemble, and the parameters among which validation chooses; without any it is taken as it is."""

    ensemble: Any
    grid: Mapping[str, Sequence] = {}


class Fusion(NamedTuple):
    """What :func:`score_methods` found for one encoder and one task.

    Attributes
    ----------
    table : DataFrame
        A row for each layer or method and split; see :func:`score_methods`.
    draws : DataFrame
        Bootstrap draws of the test scores, a column for each layer or method. A row is one resample of the test items,
        the same for all columns, so that differences of columns are paired.
    quality : Series
        Validation score of each layer: all that the methods of :data:`PUBLISHED` know of the task.
    similarity : DataFrame
        Linear CKA of the layers on training texts.
    ensembles : dict
        The fitted ensemble of each layer and method.
    searches : dict
        Candidates of each method with a grid, and their validation scores.
    representations
        What ``encode`` returned.
    """

    table: pd.DataFrame
    draws: pd.DataFrame
    quality: pd.Series
    similarity: pd.DataFrame
    ensembles: dict[str, Any]
    searches: dict[str, pd.DataFrame]
    representations: Mapping[str, Any]


def fusion_methods(
    n_layers: int,
    *,
    lambdas: Sequence[float] = (0.02, 0.05, 0.1, 0.2, 0.5),
    n_clusters: Sequence[int] = (2, 3, 4),
    n_selected: Sequence[int] = (2, 3, 4),
    rng: int | np.random.Generator = 0,
) -> dict[str, Method]:
    """The seven methods of :data:`PUBLISHED` and the rows of :data:`EXTRA`, with their grids.

    Parameters
    ----------
    n_layers
        How many representations there are.
    lambdas
        Values of λ, for all methods that have it.
    n_clusters
        Values of K of ``cluster_pca``; those above ``n_layers`` are left out.
    n_selected
        Values of k of ``greedy``; those above ``n_layers`` are left out.
    rng
        Seed or generator of the choice of the rows from which ``scalar_mix`` learns, if there are more than 1000.

    Returns
    -------
    dict of str to Method
        Fixed in advance: projections have the width of the layers; weights below 1e-3 are dropped; ``qp_masked`` is the
        local optimum from equal weights, as published, because the global one is ``best_layer``.

    Raises
    ------
    TypeError, ValueError
        If a grid has no value left, λ is negative or not finite, or a number is no whole one of at least 1.

    Examples
    --------
    >>> from helpers.studies.fusion import fusion_methods
    >>> fusion_methods(3, lambdas=[0.1])["greedy"].grid
    {'k': [2, 3], 'lam': [0.1]}
    """
    from helpers import ensembles as e

    seed = integer_seed(rng)
    for value in lambdas:
        check_not_negative(value, "a value of lambdas")
    grids = {"lambdas": list(lambdas)}
    for name, values in (("n_clusters", n_clusters), ("n_selected", n_selected)):
        grids[name] = [value for value in values if check_count(value, f"a value of {name}") <= n_layers]
    for name, values in grids.items():
        if not values:
            most = "" if name == "lambdas" else f" of at most {n_layers}, as many as there are representations"
            raise ValueError(f"{name} is empty or too large; it needs a value{most}")
    lam = {"lam": grids["lambdas"]}
    return {
        "last_layer": Method(e.LastLayer()),
        "best_layer": Method(e.BestLayer()),
        "qp_weighted": Method(e.QP(), lam),
        "qp_pca": Method(e.QPSelectionPCA(), lam),
        "cluster_pca": Method(e.ClusterPCA(), {"n_clusters": grids["n_clusters"], **lam}),
        "greedy": Method(e.Greedy(), {"k": grids["n_selected"], **lam}),
        "qp_masked": Method(e.MaskedQP(solver="slsqp"), lam),
        "mean_of_layers": Method(e.MeanOfLayers()),
        "mean_of_last_four": Method(e.MeanOfLastFour(min(4, n_layers))),
        "concat_pca": Method(e.ConcatPCA()),
        "centred_last": Method(e.CentredLast()),
        "whitened_last": Method(e.WhitenedLast()),
        "scalar_mix": Method(e.ScalarMix(max_rows=1000, random_state=seed)),
        "best_unsupervised": Method(e.BestUnsupervised()),
    }


def score_methods(
    encode: Callable[[list[str]], Mapping[str, Any]],
    task: Any,
    *,
    methods: Callable[[int], Mapping[str, Method]] = fusion_methods,
    n_fit: int = 2000,
    n_resamples: int = 1000,
    confidence_level: float = 0.95,
    rng: int | np.random.Generator = 0,
) -> Fusion:
    """Score every layer of an encoder, and every method of fusing them, on one task.

    Parameters
    ----------
    encode
        Function from texts to representations by name, of which the last one is what is used by default: mostly
        ``functools.partial(helpers.encoders.extraction.extract, model)``. Called once, with all texts.
    task
        A task of :func:`helpers.tasks.load_tasks`, or another that :func:`helpers.tasks.evaluate_task` takes and
        that has the splits ``"train"``, ``"validation"`` and ``"test"``.
    methods
        Function from the number of representations to methods by name: :func:`fusion_methods`, or that with other grids
        by ``functools.partial``; ``last_layer`` and ``best_layer`` have to be among them.
    n_fit
        Training texts, drawn at random, from which similarities, means and principal axes are learnt; all if fewer.
    n_resamples, confidence_level, rng
        Bootstrap draws of the test items, level of the intervals, seed of everything that is random.

    Returns
    -------
    Fusion
        Columns of its ``table``: ``task``, ``type``, ``metric``, ``representation`` (the name of a layer or a method),
        ``kind`` (``"layer"``, ``"published"`` or ``"extra"``), ``split``, ``score`` (at most 1); for the test split
        ``ci_low`` and ``ci_high`` of its interval, and the paired differences ``diff_last`` and ``diff_best`` (to the
        methods of these names), each with ``_ci_low``, ``_ci_high`` and ``_p``; ``width``; ``deepest``, the last
        representation that has to be computed; ``fit_seconds`` and ``seconds_per_1000`` texts, without the encoder;
        ``weights``, in the order of the representations; ``chosen`` parameters; ``n_items``, ``n_fit``; of methods the
        first 200 ``draws`` of the test score, int16 in units of 1e-4, the same items for all methods. The validation
        score of a method with a grid is the best of many, that of a single layer decides about ``best_layer``.

    Raises
    ------
    ValueError
        If ``last_layer`` or ``best_layer`` is missing; as :func:`helpers.tasks.evaluate_task` and the ensembles.

    Notes
    -----
    Cost: every distinct text through the encoder once; then an evaluation of each layer, candidate and method, of which
    the ensembles themselves are a small part. Where the documents of a retrieval are the same in all splits, they are
    among the texts of ``fit``; test queries never are.
    """
    import pandas as pd
    from sklearn.base import clone

    from helpers import tasks
    from helpers.ensembles import BestLayer, Representations, ScalarMix, select
    from helpers.similarity.matrices import similarity_matrix

    seed = integer_seed(rng)
    learnt = _learnt_from(task, n_fit, seed)
    everything = list(dict.fromkeys([*learnt.texts, *learnt.pool, *tasks.texts(task, ("validation", "test"))]))
    representations = encode(everything)
    layers = {str(name): np.asarray(array) for name, array in representations.items()}
    at = {text: i for i, text in enumerate(everything)}
    compared = methods(len(layers))
    if missing := [name for name in ("last_layer", "best_layer") if name not in compared]:
        raise ValueError(f"methods lacks {missing}, to which the others are compared; it has {list(compared)}")

    def taken(texts: Iterable[str]) -> Representations:
        return Representations(layers)[[at[text] for text in texts]]

    known: dict[Any, Any] = {}

    def evaluated(ensemble: Any, *splits: str) -> list[Any]:
        """Ensembles, or sums of layers with equal weights, once each; splits asked for together share work."""
        plain = ensemble.axes_ is None and ensemble.normalize is None
        found = known.setdefault(ensemble.mixing_.round(12).tobytes() if plain else ensemble, {})
        if missing := [split for split in splits if split not in found]:
            found |= tasks.evaluate_task(task, lambda texts: ensemble.transform(taken(texts)), missing)
        return [found[split] for split in splits]

    fit, rows = taken(learnt.texts), [at[text] for text in learnt.texts]
    similarity = similarity_matrix({name: array[rows] for name, array in layers.items()}, "cka", progress=False)
    fitted = {name: BestLayer().fit(fit, quality=one) for name, one in zip(layers, np.eye(len(layers)), strict=True)}
    quality = pd.Series(
        {name: evaluated(one, "validation", "test")[0].score for name, one in fitted.items()}, name="quality"
    )
    searches: dict[str, pd.DataFrame] = {}
    seconds = dict.fromkeys(layers, 0.0)
    for name, (ensemble, grid) in compared.items():
        if grid:
            ensemble, searches[name] = select(
                ensemble,
                grid,
                lambda candidate: evaluated(candidate, "validation")[0].score,
                fit,
                quality=quality,
                similarity=similarity,
            )
        began = time.perf_counter()
        if isinstance(ensemble, ScalarMix):
            again = clone(ensemble).fit(taken(learnt.pool), learnt.y, pairs=learnt.pairs)
        else:
            again = clone(ensemble).fit(fit, quality=quality, similarity=similarity)
        seconds[name] = time.perf_counter() - began
        fitted[name] = ensemble if grid else again

    results = {name: evaluated(one, "validation", "test") for name, one in fitted.items()}
    draws = pd.DataFrame({name: test.bootstrap(seed, n_resamples) for name, (_, test) in results.items()}).dropna()
    table = []
    for name, (validation, test) in results.items():
        kind = "layer" if name in layers else "published" if name in PUBLISHED else "extra"
        row = {"task": task.metadata.name, "type": task.metadata.type, "metric": test.metric}
        row |= {"representation": name, "kind": kind, "fit_seconds": round(seconds[name], 4), "n_fit": len(fit)}
        row |= _about(fitted[name], fit, compared[name].grid if name in compared else {})
        few = None if name in layers else np.rint(1e4 * draws[name].to_numpy()[:200]).astype(np.int16)
        table.append(row | {"split": "validation", "n_items": validation.n, "score": validation.score})
        table.append(row | {"split": "test", "n_items": test.n, "score": test.score, "draws": few})
        tests = {other: result[1].score for other, result in results.items()}
        table[-1] |= _test_limits(name, tests, draws, confidence_level)
    return Fusion(pd.DataFrame(table)[_COLUMNS], draws, quality, similarity, fitted, searches, representations)


def _about(ensemble: Any, fit: Any, grid: Mapping[str, Any]) -> dict[str, Any]:
    """What a fitted ensemble is: its width, weights and choices, and how long it takes to apply."""
    began = time.perf_counter()
    width = ensemble.transform(fit).shape[1]
    return {
        "width": width,
        "deepest": ensemble.used_[-1],
        "seconds_per_1000": round(1000 * (time.perf_counter() - began) / len(fit), 4),
        "weights": json.dumps(ensemble.weights_.round(4).tolist()),
        "chosen": json.dumps(_chosen(ensemble, grid)),
    }


def _test_limits(
    name: str, tests: Mapping[str, float], draws: pd.DataFrame, confidence_level: float
) -> dict[str, float]:
    """Limits of a test score, and its paired differences to those of the last and of the best layer."""
    from helpers import inference

    score, own = tests[name], draws[name]
    row = _limits("", inference.interval(own, statistic=None, estimate=score, confidence_level=confidence_level))
    for other in ("last", "best"):
        against = f"{other}_layer"
        both = own, draws[against]
        difference = inference.paired(score, tests[against], draws=both, confidence_level=confidence_level)
        row |= {f"diff_{other}": difference.difference, **_limits(f"diff_{other}_", difference)}
        row[f"diff_{other}_p"] = difference.p
    return row


_COLUMNS = [
    *("task", "type", "metric", "representation", "kind", "split", "score", "ci_low", "ci_high"),
    *(f"diff_{other}{part}" for other in ("last", "best") for part in ("", "_ci_low", "_ci_high", "_p")),
    *("width", "deepest", "fit_seconds", "seconds_per_1000", "weights", "chosen", "n_items", "n_fit", "draws"),
]


class _Learnt(NamedTuple):
    """``texts`` for statistics; for the learned mix ``y`` of the texts of ``pool``, or of ``pairs`` of them."""

    texts: list[str]
    pool: list[str]
    y: np.ndarray
    pairs: np.ndarray | None


def _learnt_from(task: Any, n: int, seed: int) -> _Learnt:
    """Training texts; labelled ones of them or, where the task is about pairs, pairs of validation texts.

    A task without training texts gives its validation texts in their place.
    """
    from helpers import tasks

    rng, validation = np.random.default_rng(seed), tasks.texts(task, "validation")
    data = task.dataset.get("default", task.dataset)
    if task.metadata.type == "Classification":
        train = data[task.train_split]
        texts, labels = list(train[task.input_column_name]), np.array(list(train[task.label_column_name]))
        rows = np.sort(rng.permutation(len(texts))[:n])
        texts = [texts[row] for row in rows]
        return _Learnt(list(dict.fromkeys(texts)), texts, labels[rows], None)
    texts = tasks.texts(task, "train") if "train" in data else validation
    texts = [texts[row] for row in np.sort(rng.permutation(len(texts))[:n])]
    left, right, y = _pairs(task, rng)
    pool = list(dict.fromkeys([*left, *right]))
    at = {text: i for i, text in enumerate(pool)}
    return _Learnt(texts, pool, y, np.array([[at[a], at[b]] for a, b in zip(left, right, strict=True)]))


def _pairs(task: Any, rng: np.random.Generator) -> tuple[list[str], list[str], np.ndarray]:
    """Pairs of validation texts and their scores; of a retrieval as many random pairs (0) as relevant ones (1)."""
    from helpers.tasks.evaluation import scoring_plan

    plan = scoring_plan(task, "validation")
    left, right = plan.columns.values()
    if hasattr(plan, "truth"):
        return left, right, plan.truth
    relevant = [(query, document) for query, gains in enumerate(plan.gains) for document in gains]
    rows = rng.permutation(len(relevant))[:1000]
    queries, documents = np.array(relevant)[rows].T
    random = rng.integers(len(right), size=len(rows))
    left = [left[i] for i in [*queries, *queries]]
    return left, [right[i] for i in [*documents, *random]], np.repeat([1.0, 0.0], len(rows))


def _limits(prefix: str, found: Any) -> dict[str, float]:
    return {f"{prefix}ci_low": found.low, f"{prefix}ci_high": found.high}


def _chosen(ensemble: Any, grid: Mapping[str, Sequence]) -> dict[str, Any]:
    """The parameters that were not fixed in advance, and the layer of a method that takes one."""
    chosen = {name: value for name, value in ensemble.get_params(deep=False).items() if name in grid}
    return chosen | ({"layer": ensemble.used_[0]} if len(ensemble.used_) == 1 else {})


def recorded_scores(table: str = "results/fusion.csv", draws: str = "results/fusion_draws.parquet") -> pd.DataFrame:
    """The recorded table of this experiment, over encoders and tasks, with its draws.

    Parameters
    ----------
    table, draws
        Names below ``data/``: what :func:`score_methods` tells of each layer and method but its draws, and the draws.

    Returns
    -------
    DataFrame
        Columns as of the table of :class:`Fusion`, in front ``encoder`` and ``source``, behind how the texts were read
        (see :meth:`helpers.encoders.extraction.Layers.about`), ``seed`` and what made the row.
    """
    from helpers.book import data

    few = data.table(draws).assign(split="test")
    return data.table(table).merge(
        few, how="left", on=["encoder", "source", "task", "representation", "split"], validate="one_to_one"
    )


def method_scores(table: pd.DataFrame, kind: str | Sequence[str] = "published", *, split: str = "test") -> pd.DataFrame:
    """Cells × methods: the scores of a tidy table, as :mod:`helpers.inference` takes them.

    Parameters
    ----------
    table
        Table with the columns ``encoder``, ``task``, ``representation``, ``kind``, ``split`` and ``score``.
    kind
        ``"published"``, ``"extra"``, ``"layer"`` or several of them.
    split
        ``"test"`` or ``"validation"``.

    Returns
    -------
    DataFrame
        Index (encoder, task), a column for each method in order of appearance; NaN where there is none.
    """
    kinds = [kind] if isinstance(kind, str) else list(kind)
    chosen = table[table["kind"].isin(kinds) & (table["split"] == split)]
    wide = chosen.pivot(index=["encoder", "task"], columns="representation", values="score")
    return wide[list(dict.fromkeys(chosen["representation"]))].rename_axis(columns=None)


def findings(
    table: pd.DataFrame, *, confidence_level: float = 0.95, n_resamples: int = 4000, rng: int | np.random.Generator = 0
) -> dict[str, Finding]:
    """What a table of scores says of :data:`CLAIMS`, for :func:`helpers.inference.judge`.

    Parameters
    ----------
    table
        Table as for :func:`method_scores`, with a row of every method of :data:`PUBLISHED` in every cell, and with the
        columns ``type`` and, for the error of a score, ``draws``. Cells of the type ``"PairClassification"`` are the
        duplicates; encoders with a representation called ``"pooler"`` are those of the claim about the pooler.
    confidence_level
        Confidence level of the intervals.
    n_resamples, rng
        How many; seed or generator. A resample draws the encoders, the tasks (independently: the pigeonhole bootstrap)
        and the items of each cell.

    Returns
    -------
    dict of str to Finding
        Findings with tasks as units, by the key of the claim.

    Raises
    ------
    ValueError
        If a method is missing; the message names it and the cell.

    Notes
    -----
    Three or four encoders are no sample of encoders: an interval is about the encoders of the table.
    Owen (2007), The pigeonhole bootstrap, Annals of Applied Statistics 1.
    """
    from helpers.arrays import generator
    from helpers.inference import absent
    from helpers.metrics import average_ranks

    wide = method_scores(table).reindex(columns=list(PUBLISHED))
    if wide.isna().any(axis=None):
        cell, name = wide.isna().stack().idxmax()[:2], wide.columns[wide.isna().any()][0]
        raise ValueError(f"table has no test score of {name} in every cell; the first gap is at {cell}")
    drawn = 100 * _drawn(table, wide)  # (1 + draws, cells, methods), the scores themselves first
    rng = generator(rng)
    n_tasks = wide.index.get_level_values("task").nunique()
    points, places = _resampled((drawn, average_ranks(-drawn)), wide.index, n_resamples, rng)
    methods = {name: i for i, name in enumerate(PUBLISHED)}

    def gain(_: Claim, a: str, b: str) -> Finding:
        return _limited(points[:, methods[a]] - points[:, methods[b]], n_tasks, confidence_level)

    def ahead(_: Claim, a: str, b: str) -> Finding:
        return _limited(places[:, methods[b]] - places[:, methods[a]], n_tasks, confidence_level)

    found = _compared(gain, ahead, PUBLISHED, confidence_level)
    types = table.drop_duplicates("task").set_index("task")["type"]
    with_pooler = table.loc[table["representation"] == "pooler", "encoder"].unique()
    parts = {
        "duplicates": (
            wide.index.get_level_values("task").map(types) == "PairClassification",
            drawn[..., 3:5].max(axis=-1) - drawn[..., [0, 1, 2, 5, 6]].max(axis=-1),
            "one task of duplicates; the next chapter takes pairs as units",
        ),
        "pooler": (
            wide.index.get_level_values("encoder").isin(with_pooler),
            np.median(drawn[..., 2:] - drawn[..., :1], axis=-1),
            "no encoder with a trained pooler",
        ),
    }
    for key, (cells, values, why) in parts.items():
        n = wide.index[cells].get_level_values("task").nunique()
        if n < 2:
            found[key] = absent(why if n or key == "pooler" else "no task of duplicates")
            continue
        (means,) = _resampled((values[:, cells, None],), wide.index[cells], n_resamples, rng)
        found[key] = _limited(means[:, 0], n, confidence_level)
    return found


def findings_in_cells(
    scores: pd.DataFrame, *, confidence_level: float = 0.95, n_resamples: int = 9999, rng: int = 0
) -> dict[str, Finding]:
    """What a table of one number for each cell says of :data:`CLAIMS`, the cells taken as they are.

    Parameters
    ----------
    scores
        Index (model, task), a column for each method of :data:`PUBLISHED`; where the best layer is missing (NaN), the
        default was the pooler.
    confidence_level, n_resamples, rng
        Same meaning as in :func:`helpers.inference.paired`.

    Returns
    -------
    dict of str to Finding
        Findings with cells as units: flipping the signs of the differences of two methods asks whether they differ in
        these cells, not in others.
    """
    from helpers.inference import paired_finding, ranks

    points, options = (
        100 * scores[list(PUBLISHED)],
        {"confidence_level": confidence_level, "n_resamples": n_resamples, "rng": rng},
    )
    rivals = [name for name in PUBLISHED if scores[name].notna().all()]
    places = ranks(points[rivals])

    def gain(claim: Claim, a: str, b: str) -> Finding:
        both = points[[a, b]].dropna()
        return paired_finding(claim, both[a], both[b], "cells", **options)

    def ahead(claim: Claim, a: str, b: str) -> Finding:
        return paired_finding(claim, places[b], places[a], "cells", **options)

    found = _compared(gain, ahead, rivals, confidence_level)
    parts = {
        "duplicates": points[points.index.get_level_values("task").str.contains("Duplicate")],
        "pooler": points[points["best_layer"].isna()],
    }
    pca = ["qp_pca", "cluster_pca"]
    one, rest = parts["duplicates"], parts["pooler"]
    found["duplicates"] = paired_finding(
        CLAIMS["duplicates"], one[pca].max(axis=1), one.drop(columns=pca).max(axis=1), "cells", **options
    )
    gains = rest[list(ENSEMBLES)].sub(rest["last_layer"], axis=0).median(axis=1)
    found["pooler"] = paired_finding(CLAIMS["pooler"], gains, 0 * gains, "cells", **options)
    return found


def _compared(
    gain: Callable[[Claim, str, str], Finding],
    ahead: Callable[[Claim, str, str], Finding],
    rivals: Sequence[str],
    confidence_level: float,
) -> dict[str, Finding]:
    """Findings about all claims that compare two methods in every cell, in points (``gain``) or ranks (``ahead``)."""
    from helpers.inference import weakest

    def each(key: str, by: Callable, pairs: Iterable[tuple[str, str]], spare: int = 0) -> Finding:
        claim = CLAIMS[key]
        return weakest(claim, [by(claim, a, b) for a, b in pairs], spare=spare, confidence_level=confidence_level)

    others = {name: [rival for rival in rivals if rival != name] for name in ("qp_weighted", "greedy")}
    return {
        "last": each("last", gain, ((name, "last_layer") for name in ENSEMBLES), spare=1),
        "best": each("best", gain, ((name, "best_layer") for name in ENSEMBLES)),
        "rank": each("rank", ahead, (("qp_weighted", name) for name in others["qp_weighted"])),
        "greedy": each("greedy", ahead, (("greedy", name) for name in others["greedy"] if name != "qp_weighted")),
        "quality": each("quality", gain, (("qp_weighted", name) for name in others["qp_weighted"])),
    }


def _resampled(
    values: Sequence[np.ndarray], index: pd.MultiIndex, n_resamples: int, rng: np.random.Generator
) -> list[np.ndarray]:
    """Means over cells, of shape (1 + resamples, methods): those of the table, then those of resampled ones.

    ``values`` have shape (1 + draws, cells, methods); all of them are resampled together.
    """
    import pandas as pd

    weights = np.ones((n_resamples, len(index)))
    for at in range(2):
        codes, labels = pd.factorize(index.get_level_values(at))
        weights *= rng.multinomial(len(labels), np.full(len(labels), 1 / len(labels)), n_resamples)[:, codes]
    weights = weights[weights.sum(axis=1) > 0]
    n_draws = len(values[0])
    which = rng.integers(min(1, n_draws - 1), n_draws, weights.shape)
    cells = np.arange(len(index))
    total = weights.sum(axis=1, keepdims=True)
    return [
        np.vstack([array[0].mean(axis=0), np.einsum("rc,rcm->rm", weights, array[which, cells]) / total])
        for array in values
    ]


def _limited(means: np.ndarray, n: int, confidence_level: float) -> Finding:
    """The finding of a number, which comes first, and its resamples."""
    from helpers.inference import Finding, interval

    return Finding(
        *interval(means[1:], statistic=None, estimate=means[0], confidence_level=confidence_level)[:3], n, "tasks"
    )


def _drawn(table: pd.DataFrame, wide: pd.DataFrame) -> np.ndarray:
    """The scores and behind them their draws, of shape (1 + draws, cells, methods)."""
    if "draws" not in table:
        return wide.to_numpy()[None]
    chosen = table[(table["split"] == "test") & table["representation"].isin(wide.columns)]
    parsed = {
        (row.encoder, row.task, row.representation): np.asarray(row.draws, float) / 1e4 for row in chosen.itertuples()
    }
    count = min(map(len, parsed.values()))
    draws = np.array([[parsed[(*cell, name)][:count] for name in wide.columns] for cell in wide.index])
    return np.concatenate([wide.to_numpy()[None], draws.transpose(2, 0, 1)])
