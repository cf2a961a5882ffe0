"""How well embeddings tell the target: LightAutoML for the comparisons that matter, fast scorers for the many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import integer_seed

if TYPE_CHECKING:
    import pandas as pd

    from helpers.inference import Interval

__all__ = [
    "CLASSIFIERS",
    "METRIC_NAMES",
    "SCORE_METRICS",
    "Score",
    "rank_agreement",
    "score",
    "score_agreement",
    "score_splits",
]

CLASSIFIERS = ("fast", "logistic", "lightgbm", "lightautoml")
"""``fast`` is the mean of the probabilities of ``logistic`` and ``lightgbm``."""

SCORE_METRICS = ("accuracy", "balanced_accuracy", "roc_auc")
"""What :meth:`Score.by` computes."""

METRIC_NAMES = {"accuracy": "accuracy", "balanced_accuracy": "balanced accuracy", "roc_auc": "ROC-AUC"}
"""What the metrics are called on pages."""

FOLDS = 5
"""Folds of LightAutoML."""


@dataclass(frozen=True)
class Score:
    """The accuracy of one representation, and what it is the mean of.

    Attributes
    ----------
    accuracy : float
        Share of the clients of the part ``on`` whose class is predicted.
    correct : Series
        Whether the class of each of these clients is predicted, so that scores can be compared in pairs.
    probabilities : DataFrame
        Probability of each class, for each of these clients.
    truth : Series
        Class of each of these clients.
    classifier, on, seconds
        Classifier, part of the clients that it was scored on, and duration of training and scoring.
    metric : str
        Metric of :attr:`value` and :attr:`contributions`, one of :data:`SCORE_METRICS`.
    """

    accuracy: float
    correct: pd.Series = field(repr=False)
    probabilities: pd.DataFrame = field(repr=False)
    truth: pd.Series = field(repr=False)
    classifier: str
    on: str
    seconds: float
    metric: str = "accuracy"

    @property
    def value(self) -> float:
        """The score by the metric that was asked for."""
        return self.by(self.metric)

    @property
    def contributions(self) -> pd.Series:
        """What each client contributes to :attr:`value`, its mean: see :meth:`each`."""
        return self.each(self.metric)

    def by(self, metric: str) -> float:
        """The score by another metric.

        Parameters
        ----------
        metric
            ``"accuracy"``: share of clients whose class is predicted. ``"balanced_accuracy"``: mean over the classes of
            that share, which rare classes weigh in like frequent ones. ``"roc_auc"``: probability that a client of a
            class has a larger probability of it than a client of another class; of more than two classes the mean of
            each against the rest. It is the one to take where a class is rare.

        Returns
        -------
        float
            Between 0 and 1, larger is better. At chance: ``"roc_auc"`` 0.5, ``"balanced_accuracy"`` one over the number
            of classes.

        Raises
        ------
        ValueError
            If the metric is unknown, or ``"roc_auc"`` is asked for and a class has no client here, or no other.

        Examples
        --------
        Of four clients in five that are of one class, naming it always is right, and knows nothing:

        >>> import pandas as pd
        >>> from helpers.clients.scoring import score
        >>> target = pd.Series([0, 0, 0, 0, 1] * 40)
        >>> split = pd.Series(["train"] * 100 + ["test"] * 100)
        >>> found = score([[0.0]] * 200, target, split, classifier="logistic")
        >>> found.by("accuracy"), found.by("balanced_accuracy"), found.by("roc_auc")
        (0.8, 0.5, 0.5)
        """
        from sklearn.metrics import balanced_accuracy_score, roc_auc_score

        if metric not in SCORE_METRICS:
            raise ValueError(f"metric is {metric!r}; it can be {', '.join(map(repr, SCORE_METRICS))}")
        if metric == "accuracy":
            return self.accuracy
        classes = list(self.probabilities.columns)
        codes = [classes.index(value) if value in classes else -1 for value in self.truth]
        if metric == "balanced_accuracy":
            return float(balanced_accuracy_score(codes, self.probabilities.to_numpy().argmax(axis=1)))
        number = np.bincount(np.array(codes)[np.array(codes) >= 0], minlength=len(classes))
        if not number.all() or (number == len(codes)).any():
            lacks = classes[int(number.argmin())]
            raise ValueError(f"class {lacks!r} has no client among the {len(codes)} of {self.on}; roc_auc needs one")
        areas = [roc_auc_score(np.equal(codes, code), self.probabilities.iloc[:, code]) for code in range(len(classes))]
        return float(np.mean(areas))

    def each(self, metric: str = "accuracy") -> pd.Series:
        r"""What each client contributes to the score: its mean over clients is the score.

        Of two scores of the same clients the differences can then be compared in pairs, and clients resampled, whatever
        the metric.

        Parameters
        ----------
        metric
            One of :data:`SCORE_METRICS`, as in :meth:`by`.

        Returns
        -------
        Series
            float64, by client. Of the accuracy 0 or 1; of the others the score plus the influence of the client on it,
            so that the variance of their mean is that of the score in first order: of ``"roc_auc"`` with two classes
            that of :cite:t:`delong1988comparing`.

        Raises
        ------
        ValueError
            In the same cases as :meth:`by`.

        Notes
        -----
        Let :math:`V_i` be the share of the clients of the other side whose probability is on the right side of that of
        client i, ties counted by half. The area is the mean of :math:`V` on either side of a class, and client i of
        :math:`n_k` on its side among n contributes :math:`A + (n / n_k) (V_i - A)`.

        Examples
        --------
        >>> import pandas as pd
        >>> from helpers.clients.scoring import score
        >>> target = pd.Series([0, 0, 1] * 40)
        >>> split = pd.Series(["train"] * 60 + ["test"] * 60)
        >>> found = score([[0.0]] * 120, target, split, classifier="logistic")
        >>> {metric: round(float(found.each(metric).mean()), 6) for metric in ("balanced_accuracy", "roc_auc")}
        {'balanced_accuracy': 0.5, 'roc_auc': 0.5}
        """
        import pandas as pd

        whole = self.by(metric)
        if metric == "accuracy":
            return self.correct.astype(float)
        truth = self.truth.to_numpy()
        if metric == "balanced_accuracy":
            sides, values = [truth], [self.correct.to_numpy(dtype=float)]
        else:
            sides = [truth == name for name in self.probabilities]
            values = list(map(_placements, sides, self.probabilities.to_numpy().T))
        found = np.zeros(len(truth))
        for side, value in zip(sides, values, strict=True):
            codes, groups = pd.factorize(side)
            number = np.bincount(codes)
            inner = value - (np.bincount(codes, value) / number)[codes]
            # Of shares of hits each class weighs the same; of areas either side is the whole area.
            weight = 1 / len(groups) if metric == "balanced_accuracy" else 1.0
            found += weight * len(truth) / number[codes] * inner / len(sides)
        return pd.Series(whole + found, index=self.truth.index)


def _placements(side: np.ndarray, values: np.ndarray) -> np.ndarray:
    """For each client the share of those of the other side that stand on the right side of it, ties by half."""
    from scipy.stats import rankdata

    ranks, found = rankdata(values), np.empty(len(side))
    for here in (side, ~side):
        below = (ranks[here] - rankdata(values[here])) / max((~here).sum(), 1)
        found[here] = below if here is side else 1 - below
    return found


def score(
    embeddings: Any,
    target: pd.Series,
    split: pd.Series,
    *,
    classifier: str = "fast",
    on: str = "test",
    rng: int | np.random.Generator = 0,
    timeout: int = 60,
    threads: int = 1,
    metric: str = "accuracy",
) -> Score:
    """Train a classifier of the target on the training clients, and score it on clients that it never saw.

    Parameters
    ----------
    embeddings : DataFrame or array_like of shape (clients, p)
        A DataFrame is aligned with ``target`` by its index; the rows of an array are the clients of ``target``.
    target : Series
        Class of each client; clients without one are left out.
    split : Series
        Part of each client: see :func:`helpers.clients.split`.
    classifier
        ``"logistic"``: standardised features, multinomial logistic regression with C = 0.1. ``"lightgbm"``: 100 trees
        per class of at most 15 leaves, learning rate 0.05, at least 20 clients in a leaf. ``"fast"``: the mean of the
        probabilities of both. ``"lightautoml"``: ``TabularAutoML`` with ``linear_l2`` and ``lgb``, blended, its
        own five folds and its own defaults otherwise.
    on
        ``"test"``, or ``"validation"`` for what is to be chosen; the classifier sees the training clients only in both
        cases.
    rng
        Seed of whatever is random in the classifier.
    timeout
        Seconds that LightAutoML may take; the others ignore it.
    threads
        Number of threads of LightGBM and LightAutoML.
    metric
        Metric of ``value`` and ``contributions`` of the score, one of :data:`SCORE_METRICS`; see :meth:`Score.by`.

    Returns
    -------
    Score

    Raises
    ------
    ValueError
        If the scorer, the metric or the part is unknown, a value is not finite, the clients do not match or one stands
        twice, a part has no client or training only one class, or a class has fewer training clients than LightAutoML
        has folds.

    Notes
    -----
    With 900 training clients, 64 features and 4 classes, ``"fast"`` took 0.2 s of one core, LightAutoML 10 s, and 4 s
    more the first time, for its imports.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from helpers.clients.scoring import score
    >>> target = pd.Series([0, 1] * 50)
    >>> split = pd.Series((["train"] * 6 + ["test"] * 4) * 10)
    >>> score(target.to_numpy()[:, None] * 1.0, target, split, classifier="logistic").accuracy
    1.0
    """
    seed = integer_seed(rng)
    options = {"classifier": classifier, "rng": seed, "timeout": timeout, "threads": threads, "metric": metric}
    return score_splits(embeddings, target, split, on=(on,), **options)[on]


def score_splits(
    embeddings: Any,
    target: pd.Series,
    split: pd.Series,
    *,
    classifier: str = "fast",
    on: str | Sequence[str] = ("validation", "test"),
    rng: int | np.random.Generator = 0,
    timeout: int = 60,
    threads: int = 1,
    metric: str = "accuracy",
) -> dict[str, Score]:
    """:func:`score` on several parts, by one classifier.

    Parameters
    ----------
    embeddings, target, split, classifier, rng, timeout, threads, metric
        Arguments of :func:`score`.
    on
        ``"validation"``, ``"test"`` or both.

    Returns
    -------
    dict of str to Score
        Score of each part, by its name; ``seconds`` is that of training and of all parts.

    Raises
    ------
    ValueError
        In the same cases as :func:`score`.

    Examples
    --------
    >>> import pandas as pd
    >>> from helpers.clients.scoring import score_splits
    >>> target = pd.Series([0, 1] * 50)
    >>> split = pd.Series((["train"] * 6 + ["validation", "test"] * 2) * 10)
    >>> found = score_splits(target.to_numpy()[:, None] * 1.0, target, split, classifier="logistic")
    >>> {part: one.accuracy for part, one in found.items()}
    {'validation': 1.0, 'test': 1.0}
    """
    import time

    import pandas as pd

    seed = integer_seed(rng)
    if classifier not in CLASSIFIERS:
        raise ValueError(f"classifier is {classifier!r}; it can be {', '.join(map(repr, CLASSIFIERS))}")
    if metric not in SCORE_METRICS:
        raise ValueError(f"metric is {metric!r}; it can be {', '.join(map(repr, SCORE_METRICS))}")
    on = (on,) if isinstance(on, str) else on
    if wrong := [part for part in on if part not in ("test", "validation")]:
        raise ValueError(f"on is {wrong[0]!r}; it can be 'test' or 'validation'")
    x, y, parts = _aligned(embeddings, target, split)
    seen, asked = (parts == "train") & y.notna(), parts.isin(on) & y.notna()
    for part in on:
        number = int((asked & (parts == part)).sum())
        if not number or y[seen].nunique() < 2:
            raise ValueError(
                f"there are {int(seen.sum())} training clients of {y[seen].nunique()} classes and {number} {part} "
                "clients; at least two classes and one client are needed"
            )
    began = time.perf_counter()
    codes, classes = pd.factorize(y[seen], sort=True)
    if classifier == "lightautoml" and (sizes := np.bincount(codes)).min() < FOLDS:
        raise ValueError(
            f"class {classes.tolist()[sizes.argmin()]!r} has {sizes.min()} training clients; LightAutoML needs "
            f"{FOLDS}, one for each of its folds, the other scorers do not"
        )
    train, test = x[seen.to_numpy()], x[asked.to_numpy()]
    shares = _probabilities(train, codes, test, len(classes), classifier, seed, timeout, threads)
    table = pd.DataFrame(shares, index=y.index[asked], columns=list(classes))
    correct = pd.Series(np.asarray(classes)[shares.argmax(axis=1)] == y[asked].to_numpy(), index=table.index)
    seconds = round(time.perf_counter() - began, 3)
    found = {}
    for part in on:
        here = (parts[asked] == part).to_numpy()
        truth = y[asked][here]
        about = classifier, part, seconds, metric
        found[part] = Score(float(correct[here].mean()), correct[here], table[here], truth, *about)
    return found


def score_agreement(
    scores: pd.DataFrame,
    reference: str = "lightautoml",
    *,
    groups: Sequence | None = None,
    confidence_level: float = 0.95,
    n_resamples: int = 2000,
    rng: int | np.random.Generator = 0,
) -> pd.DataFrame:
    """Whether scorers rank representations alike.

    Parameters
    ----------
    scores : DataFrame
        One row per representation, one column per scorer.
    reference
        The scorer with which the others are compared.
    groups
        Label of each row; whole groups are drawn in the bootstrap, because scores of one experiment share clients.
        With groups the correlation is between scores less the mean of their group.
    confidence_level, n_resamples, rng
        Confidence level, number of resamples and seed or generator of the bootstrap interval (percentiles).

    Returns
    -------
    DataFrame
        One row per other scorer: Spearman's ``correlation`` with its limits ``ci_low`` and ``ci_high``, the mean
        ``difference`` in score (classifier less reference), and its standard deviation ``spread``.

    Raises
    ------
    ValueError
        If the reference is no column, there are fewer than 3 rows, or a scorer gives all the same score.

    Examples
    --------
    >>> import pandas as pd
    >>> from helpers.clients.scoring import score_agreement
    >>> scores = pd.DataFrame({"slow": [0.5, 0.6, 0.7, 0.8], "fast": [0.4, 0.5, 0.7, 0.9]})
    >>> round(float(score_agreement(scores, "slow", n_resamples=50).loc["fast", "correlation"]), 6)
    1.0
    """
    import pandas as pd

    if reference not in scores:
        raise ValueError(f"reference is {reference!r}; the columns are {', '.join(map(repr, scores))}")
    if len(scores) < 3:
        raise ValueError(f"there are {len(scores)} rows; at least 3 are needed")
    labels = None if groups is None else np.asarray(groups)
    within = scores if labels is None else scores - scores.groupby(labels).transform("mean")

    options = {"confidence_level": confidence_level, "n_resamples": n_resamples, "rng": rng}
    rows = {}
    for name in scores.columns.drop(reference):
        pairs = within[[name, reference]].to_numpy(dtype=float)
        if np.ptp(pairs, axis=0).min() == 0:
            raise ValueError(f"all scores of {name!r} or of {reference!r} are the same; there is nothing to rank")
        found = rank_agreement(pairs, groups=labels, **options)
        difference = scores[name] - scores[reference]
        rows[name] = {
            "correlation": found.estimate,
            "ci_low": found.low,
            "ci_high": found.high,
            "difference": difference.mean(),
            "spread": difference.std(ddof=1),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def rank_agreement(pairs: np.ndarray, *, groups: Sequence | None = None, **options: Any) -> Interval:
    """Spearman's correlation of two scorers, with its bootstrap interval (percentiles).

    Parameters
    ----------
    pairs : ndarray of shape (n, 2)
        Values of the first and of the second scorer.
    groups
        Label of each row, if whole groups are drawn.
    options
        Arguments of :func:`helpers.inference.interval`.

    Returns
    -------
    Interval
        Correlation with its limits; in a resample in which all values of a scorer are equal it counts as 0.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.clients.scoring import rank_agreement
    >>> round(rank_agreement(np.array([[1.0, 2.0], [2.0, 3.0], [4.0, 9.0]]), n_resamples=20).estimate, 6)
    1.0
    """
    from helpers import metrics
    from helpers.inference import interval

    def spearman(pairs: np.ndarray) -> float:
        return metrics.spearman(*pairs.T, undefined=0.0)

    return interval(pairs, spearman, groups=groups, method="percentile", **options)


def _aligned(embeddings: Any, target: pd.Series, split: pd.Series) -> tuple[np.ndarray, pd.Series, pd.Series]:
    import pandas as pd

    for name, of in (("target", target), ("split", split), ("embeddings", embeddings)):
        if isinstance(of, (pd.Series, pd.DataFrame)) and not of.index.is_unique:
            twice = of.index[of.index.duplicated()][:1].tolist()[0]
            raise ValueError(f"{name} has client {twice!r} twice; each client is needed once")
    if isinstance(embeddings, pd.DataFrame):
        if missing := len(target.index.difference(embeddings.index)):
            raise ValueError(f"{missing} clients of the target have no embedding")
        embeddings = embeddings.loc[target.index]
    x = np.asarray(embeddings, dtype=np.float64)
    if x.ndim != 2 or len(x) != len(target):
        raise ValueError(
            f"embeddings have the shape {x.shape}; one row for each of the {len(target)} clients is needed"
        )
    if not np.isfinite(x).all():
        row, column = np.argwhere(~np.isfinite(x))[0]
        raise ValueError(f"embeddings[{row}, {column}] is {x[row, column]}; finite numbers are needed")
    if missing := len(target.index.difference(split.index)):
        raise ValueError(f"{missing} clients of the target are in no part of the split")
    return x, target, split.loc[target.index]


def _probabilities(
    train, codes, test, n_classes: int, classifier: str, seed: int, timeout: int, threads: int
) -> np.ndarray:
    if classifier == "logistic":
        return _logistic(train, codes, test)
    if classifier == "lightgbm":
        return _lightgbm(train, codes, test, n_classes, seed, threads)
    if classifier == "fast":
        return (_logistic(train, codes, test) + _lightgbm(train, codes, test, n_classes, seed, threads)) / 2
    return _lightautoml(train, codes, test, n_classes, seed, timeout, threads)


def _logistic(train, codes, test) -> np.ndarray:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # matrices this small are slower on several cores
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000))
        return model.fit(train, codes).predict_proba(test)


def _lightgbm(train, codes, test, n_classes: int, seed: int, threads: int) -> np.ndarray:
    import lightgbm

    settings: Mapping[str, Any] = {
        "objective": "multiclass",
        "num_class": n_classes,
        "learning_rate": 0.05,
        "num_leaves": 15,
        "min_data_in_leaf": min(20, max(1, len(train) // 10)),
        "feature_fraction": 0.5,
        "max_bin": 63,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": threads,
        "verbosity": -1,
    }
    data = lightgbm.Dataset(train, codes, params=settings)
    return lightgbm.train(dict(settings), data, num_boost_round=100).predict(test, num_threads=threads)


def _lightautoml(train, codes, test, n_classes: int, seed: int, timeout: int, threads: int) -> np.ndarray:
    import contextlib
    import io
    import logging
    import warnings

    import pandas as pd

    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        from lightautoml.automl.presets.tabular_presets import TabularAutoML
        from lightautoml.tasks import Task

        logging.getLogger("lightautoml").setLevel(logging.CRITICAL)
        names = [f"e{i}" for i in range(train.shape[1])]
        automl = TabularAutoML(
            task=Task("multiclass" if n_classes > 2 else "binary"),
            timeout=timeout,
            cpu_limit=threads,
            gpu_ids=None,
            general_params={"use_algos": [["linear_l2", "lgb"]]},
            reader_params={"n_jobs": threads, "cv": FOLDS, "random_state": seed, "advanced_roles": False},
        )
        automl.fit_predict(
            pd.DataFrame(train, columns=names).assign(target=codes), roles={"target": "target"}, verbose=0
        )
        shares = automl.predict(pd.DataFrame(test, columns=names)).data
    if n_classes == 2:
        return np.column_stack([1 - shares[:, 0], shares[:, 0]])
    # Columns come in LightAutoML's own order of the classes.
    order = automl.reader.class_mapping or {code: code for code in range(n_classes)}
    return shares[:, [order[code] for code in range(n_classes)]]
