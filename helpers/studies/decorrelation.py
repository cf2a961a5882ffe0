"""The experiment of the chapter on decorrelation: what maps do to dependence and to accuracy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import as_matrix, check_count, integer_seed, to_numpy
from helpers.clients.scoring import score
from helpers.ensembles.decorrelation import KEEP, Decorrelator
from helpers.inference import Claim

if TYPE_CHECKING:
    import pandas as pd

    from helpers.inference import Finding

__all__ = ["CLAIMS", "HALVED", "map_settings", "findings", "score_maps", "choose_pair"]


HALVED = ("", "same", "other")
"""Whose clients train the classifiers of :func:`score_maps`."""

_MADE = {
    "side": "less",
    "source": "popov2025automatic",
    "place": "section 3.3",
    "models": "CoLES encoders of bank clients",
}
CLAIMS = {
    "dependence": Claim("The dependence on Y falls", "change of the dependence on Y", spec="+.2f", **_MADE),
    "alone": Claim("X′ alone is worse than X", "points of accuracy", **_MADE),
    "union": Claim("X′ ∪ Y is worse than X ∪ Y", "points of accuracy", spec="+.2f", **_MADE),
}
"""What the published study claims of a map that only lowers dependence."""


def map_settings(
    mus: Sequence[float],
    penalties: Sequence[str] = ("modified_distance_correlation",),
    others: Sequence[float] | None = None,
) -> list[dict]:
    """Settings of maps for :func:`score_maps`: each penalty alone, as published, then with something kept at each μ.

    Parameters
    ----------
    mus
        Weights μ of what is kept.
    penalties
        Names in :data:`helpers.ensembles.decorrelation.PENALTIES`. The first is tried with reconstruction and with
        labels, and both of these without any penalty; the others with labels.
    others
        Prices at which these others keep labels; the first of ``mus`` by default.

    Examples
    --------
    >>> from helpers.studies.decorrelation import map_settings
    >>> [(one["keep"], one["mu"]) for one in map_settings([0.5])]
    [('nothing', 0.0), ('reconstruction', 0.5), ('reconstruction', inf), ('labels', 0.5), ('labels', inf)]
    """
    out = [{"penalty": penalty, "keep": "nothing", "mu": 0.0} for penalty in penalties]
    for keep in KEEP[1:]:
        out += [{"penalty": penalties[0], "keep": keep, "mu": float(mu)} for mu in (*mus, math.inf)]
    others = mus[:1] if others is None else others
    return out + [{"penalty": name, "keep": "labels", "mu": float(mu)} for name in penalties[1:] for mu in others]


def findings(
    table: pd.DataFrame,
    *,
    penalty: str = "modified_distance_correlation",
    dependence: str = "distance_correlation_unbiased",
    classifier: str = "",
    confidence_level: float = 0.95,
    n_resamples: int = 9999,
    rng: int = 0,
) -> dict[str, Finding]:
    """What fronts of several experiments say of :data:`CLAIMS`, for :func:`helpers.inference.judge`.

    Parameters
    ----------
    table
        Table from :func:`score_maps`, with a column ``experiment``; the rows of X as it is and of the map that keeps
        nothing are compared.
    penalty, dependence
        The map, and the measure of its dependence on Y; a constant X′ depends on nothing.
    classifier
        One of the further scorers of the table; its main one if empty. Experiments that it has not scored are left out.
    confidence_level, n_resamples, rng
        Same meaning as in :func:`helpers.inference.paired_finding`.

    Returns
    -------
    dict of str to Finding
        Findings with experiments as units, by the key of the claim.

    Raises
    ------
    ValueError
        If an experiment has several such rows, or none has both.
    """
    from helpers.inference import paired_finding

    end = f"_{classifier}" if classifier else ""
    table = table.dropna(subset=[f"accuracy{end}"])
    before = table[table["penalty"] == "none"].set_index("experiment")
    after = table[(table["penalty"] == penalty) & (table["keep"] == "nothing")].set_index("experiment")
    shared = before.index.intersection(after.index)
    if shared.empty or len(after) != after.index.nunique() or len(before) != before.index.nunique():
        raise ValueError(
            f"table has {len(before)} rows of X and {len(after)} of {penalty!r}; one of each per experiment"
        )
    columns = {"dependence": (dependence, 1), "alone": (f"accuracy{end}", 100), "union": (f"accuracy_union{end}", 100)}
    options = {"confidence_level": confidence_level, "n_resamples": n_resamples, "rng": rng}
    return {
        key: paired_finding(
            CLAIMS[key],
            scale * after.loc[shared, column].fillna(0),
            scale * before.loc[shared, column],
            "experiments",
            **options,
        )
        for key, (column, scale) in columns.items()
    }


def choose_pair(
    models: Mapping[Any, Any],
    target: pd.Series,
    split: pd.Series,
    *,
    classifier: str = "fast",
    metric: str = "accuracy",
    rng: int | np.random.Generator = 0,
) -> tuple[Any, Any]:
    """Which two models of an experiment to study: the best by validation accuracy is Y, the second best X.

    Raises
    ------
    ValueError
        If there are fewer than two models.
    """

    if len(models) < 2:
        raise ValueError(f"there are {len(models)} models; a pair is needed")
    known = {
        name: score(x, target, split, classifier=classifier, metric=metric, on="validation", rng=rng).value
        for name, x in models.items()
    }
    second, best = sorted(known, key=known.get)[-2:]
    return second, best


def score_maps(
    x: Any,
    y: Any,
    target: pd.Series,
    split: pd.Series,
    *,
    settings: Sequence[Mapping[str, Any]],
    measures: Sequence[str] = ("distance_correlation_unbiased", "cka", "cca"),
    measured: int = 1000,
    classifier: str = "fast",
    metric: str = "accuracy",
    also: Sequence[str] = (),
    halved: str = "",
    rng: int | np.random.Generator = 0,
    **shared: Any,
) -> pd.DataFrame:
    """What maps of X do to its dependence on Y and to the accuracy of X′ and of X′ ∪ Y.

    Parameters
    ----------
    x, y : DataFrame or array of shape (clients, p) and (clients, q)
        Embeddings of the clients, in the order of ``target``.
    target, split
        Classes and parts of the clients, as :func:`helpers.clients.score` takes them. Maps are trained on the training
        clients, stopped by the validation clients, and everything is reported on the test clients, whose targets no map
        sees.
    settings
        Parameters of :class:`Decorrelator`, one mapping for each map.
    measures
        Measures of :mod:`helpers.similarity` with which the dependence on the test clients is reported.
    measured
        On so many of them, drawn by ``rng``, if there are more.
    classifier, metric, rng
        Classifier that scores, metric, and seed or generator of the scores, the maps and the halves.
    also
        Further classifiers that score the same representations.
    halved
        Empty: maps and classifiers learn from all training clients. ``"other"``: maps from a random half of them,
        classifiers from the other half, so that no classifier learns from clients whose X′ the map has fitted already.
        ``"same"``: both from the first half, for comparison.
    shared
        Parameters of all maps.

    Returns
    -------
    DataFrame
        First a row ``penalty = "none"`` for X as it is, then one for each map: ``penalty``, ``keep``, ``mu``, the
        measures, ``chance_MEASURE`` (mean over three draws of the same with the rows of Y shuffled), ``accuracy`` (of
        X′), ``accuracy_union`` (of X′ ∪ Y), ``accuracy_y`` (of Y), the same three with ``_SCORER`` at the end for each
        further one, ``halved``, ``epochs`` of the weights and ``seconds``.

    Raises
    ------
    ValueError
        If the clients of x, y and the parts do not fit, or as :class:`Decorrelator` and the scorer raise.

    Examples
    --------
    >>> import pandas as pd
    >>> from helpers.studies.decorrelation import score_maps
    >>> rng = np.random.default_rng(0)
    >>> target = pd.Series(rng.integers(0, 2, 120))
    >>> split = pd.Series(["train", "validation", "test"] * 40)
    >>> x, y = target.to_numpy()[:, None] + rng.normal(size=(2, 120, 3))
    >>> found = score_maps(x, y, target, split, settings=[{"mu": 0.0}], classifier="logistic", epochs=2)
    >>> found["penalty"].tolist()
    ['none', 'modified_distance_correlation']
    """
    import time

    import pandas as pd

    seed = integer_seed(rng)
    x, y = (
        np.ascontiguousarray(
            to_numpy(as_matrix(z.loc[target.index].to_numpy() if hasattr(z, "loc") else z, name, rows=1)), np.float32
        )
        for name, z in (("x", x), ("y", y))
    )
    if len(x) != len(target) or len(y) != len(target):
        raise ValueError(f"x has {len(x)} rows, y {len(y)} and target {len(target)}; one row a client is needed")
    part = split.loc[target.index].to_numpy()
    known = target.notna().to_numpy()
    test = np.flatnonzero(part == "test")
    if check_count(measured, "measured", least=4) < len(test):
        test = np.sort(np.random.default_rng(seed).choice(test, measured, replace=False))
    if halved not in HALVED:
        raise ValueError(f"halved is {halved!r}; it can be {', '.join(map(repr, HALVED))}")
    judges = split.loc[target.index]
    if halved:
        train = np.flatnonzero((part == "train") & known)
        half = np.random.default_rng(seed).permutation(len(train)) < len(train) / 2
        part = part.astype(object)
        judges = pd.Series(part.copy(), target.index)
        judges.iloc[train[half != (halved == "same")]] = "none"
        part[train[~half]] = "none"

    by = {"metric": metric, "rng": seed}

    def accuracies(z: np.ndarray, name: str) -> dict[str, float]:
        """By every scorer."""
        classifiers = {name if one == classifier else f"{name}_{one}": one for one in (classifier, *also)}
        return {key: score(z, target, judges, classifier=one, **by).value for key, one in classifiers.items()}

    of_y = accuracies(y, "accuracy_y")
    found = []
    for setting in ({}, *settings):
        began = time.perf_counter()
        row: dict[str, Any] = {"penalty": "none", "keep": "everything", "mu": math.nan}
        mapped, epochs = x, 0
        if setting:
            decorrelator = Decorrelator(**{"random_state": seed} | shared | dict(setting))
            with_labels = decorrelator.keep == "labels"
            learn, stop = (np.flatnonzero((part == which) & known) for which in ("train", "validation"))
            train, held = (
                (x[rows], y[rows], target.to_numpy()[rows] if with_labels else None) for rows in (learn, stop)
            )
            decorrelator.fit(train[0], train[1], labels=train[2], validation=held)
            mapped, epochs = decorrelator.transform(x), decorrelator.best_epoch_
            name = decorrelator.penalty
            row |= {"penalty": name if isinstance(name, str) else name.__name__}
            row |= {"keep": decorrelator.keep, "mu": 0.0 if decorrelator.keep == "nothing" else decorrelator.mu}
        row |= _dependence(mapped[test], y[test], measures, seed)
        row |= accuracies(mapped, "accuracy") | accuracies(np.hstack([mapped, y]), "accuracy_union") | of_y
        row |= {"halved": halved, "epochs": epochs, "seconds": round(time.perf_counter() - began, 2)}
        found.append(row)
    return pd.DataFrame(found)


def _dependence(x: np.ndarray, y: np.ndarray, measures: Sequence[str], seed: int) -> dict[str, float]:
    """Measures of X′ and Y, and of X′ and Y with its rows shuffled; NaN where X′ is constant.

    Canonical correlations are all 1 where the columns span every direction: NaN too, unless there are more rows.
    """
    from helpers.similarity.registry import MEASURES

    rng = np.random.default_rng(seed)
    shuffled = [y[rng.permutation(len(y))] for _ in range(3)]
    constant = np.ptp(x, axis=0).max() <= 1e-6 * np.abs(x).max()
    out = {}
    for name in measures:
        measure = MEASURES[name].function
        void = constant or (name.endswith("cca") and len(x) <= x.shape[1] + y.shape[1])
        out[name] = math.nan if void else float(measure(x, y))
        out[f"chance_{name}"] = math.nan if void else float(np.mean([measure(x, z) for z in shuffled]))
    return out
