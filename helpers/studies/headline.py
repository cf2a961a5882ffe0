"""The comparisons that carry a claim: the same combinations of embeddings, scored by several scorers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import integer_seed
from helpers.clients.scoring import CLASSIFIERS

if TYPE_CHECKING:
    import pandas as pd

    from helpers.studies.combining import Tuned

__all__ = ["METHODS", "difference_by_classifier", "difference_agreement", "score_by_classifiers"]

METHODS = (
    "best",
    "concat",
    "concat_pca",
    "mean",
    "replacement",
    "replacement_inverse",
    "quality_replacement",
    "quality_replacement_tuned",
    "qp_cka",
    "procrustes_qp",
    "qp_agreement",
)
"""What the claims compare: names of :func:`helpers.studies.combining.compare_methods`, and ``qp_agreement``, see
below."""


def score_by_classifiers(
    representations: Mapping[str, Any],
    target: pd.Series,
    split: pd.Series,
    *,
    methods: Sequence[str] = METHODS,
    classifiers: Sequence[str] = CLASSIFIERS,
    ps: Sequence[float] = (0.1, 0.2, 0.4),
    alphas: Sequence[float] = (0.25, 0.75),
    lambdas: Sequence[float] = (0.1, 0.3, 1.0),
    selection_classifier: str = "logistic",
    metric: str = "accuracy",
    timeout: int = 600,
    rng: int | np.random.Generator = 0,
) -> pd.DataFrame:
    """Combinations of the embeddings of one experiment, each scored on the test clients by several scorers.

    Fits and choices are those of :func:`helpers.studies.combining.compare_methods` with ``classifier="fast"``, so that
    every scorer judges the same representation and none of them takes part in making it.

    Parameters
    ----------
    representations, target, split
        Arguments of :func:`helpers.studies.combining.compare_methods`.
    methods
        Names of the methods: ``best``, the single model of highest validation accuracy, ``concat``, all columns side by
        side, methods of :func:`helpers.studies.replacing.replacing_methods` and
        :func:`helpers.studies.aligning.aligning_methods`, and ``qp_agreement``: the weighted sum of
        :class:`helpers.ensembles.QP` with λ = 1 whose quality is the mean linear CKA of a model with the others,
        brought to [0, 1]. No label enters the last one.
    classifiers
        Names of classifiers: see :func:`helpers.clients.score`.
    ps, alphas, lambdas
        Parameters among which validation chooses; see the functions that name the methods.
    selection_classifier
        Classifier that scores these candidates.
    metric
        Metric of all scores, one of :data:`helpers.clients.SCORE_METRICS`.
    timeout
        Seconds that LightAutoML may take for one fit, wide enough that it does not decide what is fitted.
    rng
        Seed of whatever is random.

    Returns
    -------
    DataFrame
        A row per method: ``method``, ``width``, ``chosen`` parameters as JSON, for each scorer its test accuracy in
        a column of its name, and what it took, in ``seconds_SCORER``.

    Raises
    ------
    ValueError
        If a method or classifier is unknown, or as the functions that are called raise.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from helpers.studies.headline import score_by_classifiers
    >>> rng = np.random.default_rng(0)
    >>> target = pd.Series(rng.integers(0, 2, 120))
    >>> split = pd.Series(["train", "validation", "test"] * 40)
    >>> models = {name: target.to_numpy()[:, None] + rng.normal(size=(120, 3)) for name in "ab"}
    >>> asked = {"methods": ["best", "concat", "mean"], "classifiers": ["logistic", "lightgbm"]}
    >>> found = score_by_classifiers(models, target, split, **asked)
    >>> found["width"].tolist()
    [3, 6, 3]
    """
    import pandas as pd

    from helpers.clients.scoring import score
    from helpers.studies.combining import aligned_rows, compare_methods

    seed = integer_seed(rng)
    if unknown := [name for name in classifiers if name not in CLASSIFIERS]:
        raise ValueError(f"classifiers has {unknown[0]!r}; it can have {', '.join(map(repr, CLASSIFIERS))}")
    few = partial(_tuned, methods=methods, ps=ps, alphas=alphas, lambdas=lambdas)
    scoring = {"classifier": "fast", "selection_classifier": selection_classifier, "metric": metric, "rng": seed}
    found = compare_methods(representations, target, split, few, **scoring)
    target = target[target.notna()]
    split = split.loc[target.index]
    arrays = {str(name): aligned_rows(x, target, split, name) for name, x in representations.items()}
    chosen = found.table.set_index("method")["chosen"]
    rows, known = [], {}
    for name in methods:
        if name == "best":
            combined = arrays[json.loads(chosen[name])["model"]]
        elif name == "concat":
            combined = np.hstack(list(arrays.values()))
        elif name == "qp_agreement":
            combined = _by_agreement(arrays, (split == "train").to_numpy())
        else:
            combined = found.ensembles[name].transform(arrays)
        row = {"method": name, "width": combined.shape[1], "chosen": chosen.get(name, "{}")}
        if (key := combined.tobytes()) not in known:  # a program may give one model all the weight
            options = {"rng": seed, "timeout": timeout, "metric": metric}
            known[key] = {
                classifier: score(combined, target, split, classifier=classifier, **options)
                for classifier in classifiers
            }
        scored = known[key]
        row |= {classifier: one.value for classifier, one in scored.items()}
        rows.append(row | {f"seconds_{classifier}": one.seconds for classifier, one in scored.items()})
    return pd.DataFrame(rows)


def difference_by_classifier(table: pd.DataFrame, first: str, second: str, **options: Any) -> pd.DataFrame:
    """The difference of two methods in accuracy by each scorer, over the experiments in which it has scored both.

    Parameters
    ----------
    table
        Table of :func:`score_by_classifiers` with a column ``experiment``.
    first, second
        Names of the two methods.
    options
        Arguments of :func:`helpers.studies.combining.differences_over_experiments`.

    Returns
    -------
    DataFrame
        A row for each scorer: what :func:`helpers.studies.combining.differences_over_experiments` says of the first
        against the second; NaN, and ``n`` 0, where no experiment has both.

    Examples
    --------
    >>> import pandas as pd
    >>> from helpers.studies.headline import difference_by_classifier
    >>> rows = [(e, m, 0.5 + d + 0.01 * e) for e in range(5) for m, d in (("best", 0.0), ("mean", 0.02))]
    >>> table = pd.DataFrame(rows, columns=["experiment", "method", "fast"])
    >>> difference_by_classifier(table, "mean", "best").loc["fast", ["difference", "n"]].round(3).tolist()
    [0.02, 5.0]
    """
    import pandas as pd

    from helpers.studies.combining import differences_over_experiments

    rows = {}
    for classifier in (name for name in CLASSIFIERS if name in table):
        pair = _pair(table, first, second, classifier)
        found = differences_over_experiments(pair, second, **options).loc[first] if len(pair) else pd.Series({"n": 0})
        rows[classifier] = found
    out = pd.DataFrame.from_dict(rows, orient="index").rename_axis("classifier")
    return out.reindex(columns=list(dict.fromkeys(["difference", "ci_low", "ci_high", "p", *out]))).astype({"n": int})


def _pair(table: pd.DataFrame, first: str, second: str, classifier: str) -> pd.DataFrame:
    """The rows of two methods in the experiments in which a classifier has scored both, with its accuracy."""
    if classifier not in table:
        raise ValueError(f"classifiers has {classifier!r}; the columns are {list(table)}")
    rows = table[table["method"].isin([first, second]) & table[classifier].notna()]
    rows = rows[rows.groupby("experiment")["method"].transform("nunique") == 2]
    return rows.assign(accuracy=rows[classifier])


def difference_agreement(
    table: pd.DataFrame,
    against: str = "best",
    *,
    reference: str = "lightautoml",
    confidence_level: float = 0.95,
    n_resamples: int = 2000,
    rng: int | np.random.Generator = 0,
) -> pd.DataFrame:
    """Whether scorers agree about differences: of each method to one of them, in each experiment.

    Parameters
    ----------
    table
        Table of :func:`score_by_classifiers` with a column ``experiment``; rows that one of the classifiers has not
        scored are left out.
    against
        A method that every experiment has.
    reference
        The scorer with which the others are compared.
    confidence_level, n_resamples, rng
        Confidence level, number of resamples, and seed or generator of the bootstrap interval (percentiles), which
        draws whole experiments: the differences of one of them share
        clients, models, and what they are taken to.

    Returns
    -------
    DataFrame
        One row per other scorer: Spearman's ``correlation`` of the differences with ``ci_low`` and ``ci_high`` (NaN for
        one experiment); ``shift``, by how much the classifier's differences are larger on average, and ``spread``, the
        standard deviation of that; ``same_sign``, the share of the differences that both see on one side of zero; and
        ``n`` differences.

    Raises
    ------
    ValueError
        If the reference is no scorer of the table, or ``against`` is no method of every experiment.

    Examples
    --------
    >>> import pandas as pd
    >>> from helpers.studies.headline import difference_agreement
    >>> rows = [(e, m, 0.5 + d, 0.6 + 2 * d) for e in range(3) for m, d in (("best", 0), ("a", 0.01 * e), ("b", -0.02))]
    >>> table = pd.DataFrame(rows, columns=["experiment", "method", "fast", "lightautoml"])
    >>> difference_agreement(table, n_resamples=99).loc["fast", ["correlation", "same_sign"]].round(6).tolist()
    [1.0, 1.0]
    """
    import pandas as pd

    from helpers import metrics
    from helpers.clients.scoring import rank_agreement
    from helpers.inference import Interval

    classifiers = [name for name in CLASSIFIERS if name in table]
    if reference not in classifiers:
        raise ValueError(
            f"reference is {reference!r}; the scorers of the table are {', '.join(map(repr, classifiers))}"
        )
    table = table.dropna(subset=classifiers)
    base = table[table["method"] == against].set_index("experiment")[classifiers]
    if base.index.has_duplicates or set(base.index) != set(table["experiment"]):
        raise ValueError(f"against is {against!r}, which is not there once in each experiment")
    others = table[table["method"] != against]
    labels = others["experiment"].to_numpy()
    differences = others[classifiers].to_numpy() - base.loc[labels].to_numpy()
    differences = pd.DataFrame(differences.round(9), columns=classifiers)  # equal ones stay equal

    options = {"confidence_level": confidence_level, "n_resamples": n_resamples, "rng": rng}
    rows = {}
    for name in classifiers:
        if name == reference:
            continue
        pairs = differences[[name, reference]].to_numpy()
        if len(base) > 1:
            found = rank_agreement(pairs, groups=labels, **options)
        else:
            found = Interval(metrics.spearman(*pairs.T, undefined=0.0), np.nan, np.nan, confidence_level)
        apart = pairs[:, 0] - pairs[:, 1]
        rows[name] = {
            "correlation": found.estimate,
            "ci_low": found.low,
            "ci_high": found.high,
            "shift": apart.mean(),
            "spread": apart.std(ddof=1),
            "same_sign": float(np.mean(np.sign(pairs[:, 0]) == np.sign(pairs[:, 1]))),
            "n": len(pairs),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("classifier")


def _tuned(
    width: int,
    *,
    methods: Sequence[str],
    ps: Any,
    alphas: Any,
    lambdas: Any,
    n_train: int | None,
    rng: int | np.random.Generator,
) -> dict[str, Tuned]:
    """Of all methods those that are asked for."""
    from helpers.studies.aligning import aligning_methods
    from helpers.studies.replacing import replacing_methods

    known = replacing_methods(width, ps=ps, alphas=alphas, n_train=n_train, rng=rng)
    known |= aligning_methods(width, lambdas=lambdas, n_train=n_train, rng=rng)
    others = ("best", "concat", "qp_agreement")
    if unknown := [name for name in methods if name not in {*known, *others}]:
        raise ValueError(f"methods has {unknown[0]!r}; it can have {', '.join(map(repr, (*others, *known)))}")
    return {name: known[name] for name in methods if name in known}


def _by_agreement(arrays: Mapping[str, np.ndarray], train: np.ndarray) -> np.ndarray:
    """The weighted sum of models by their agreement with each other."""
    from helpers.ensembles import QP
    from helpers.similarity import similarity_matrix
    from helpers.studies.label_free import quality_table, unit_range

    seen = {name: x[train] for name, x in arrays.items()}
    similarity = similarity_matrix(seen, "cka", progress=False).to_numpy()
    quality = quality_table(seen, ["agreement"], similarity=similarity)["agreement"].to_numpy()
    return QP(1.0, align="pad").fit(seen, quality=unit_range(quality), similarity=similarity).transform(arrays)
