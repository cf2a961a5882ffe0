"""Features made by hand beside trained encoders: who predicts the client's class better, and as one more model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.book.data import table
from helpers.clients import SCORE_METRICS, Clients, hand_made, load_clients
from helpers.clients.scoring import score_splits

if TYPE_CHECKING:
    import pandas as pd

    from helpers.studies.sweep import Sweep

__all__ = [
    "HAND_MADE",
    "SHOWN",
    "as_one_more_model",
    "beside_encoders",
    "gain_facts",
    "recorded_beside_encoders",
    "recorded_by_hand",
    "score_by_hand",
    "with_hand_made",
    "with_recorded",
]

HAND_MADE = "hand made"
"""What features made by hand are called among the models of an experiment."""

SHOWN = {HAND_MADE: "features made by hand"}
"""What tables and figures of methods call them."""

SCORERS = ("logistic", "fast")


def score_by_hand(
    clients: Clients, parts: pd.Series, *, scorers: Sequence[str] = SCORERS, rng: int | np.random.Generator = 0
) -> pd.DataFrame:
    """Scores of hand-made features on validation and test clients, by every metric.

    Parameters
    ----------
    clients
        Clients of an experiment.
    parts
        Part of each client, from :func:`helpers.clients.split`.
    scorers
        Some of :data:`helpers.clients.CLASSIFIERS`.
    rng
        Seed or generator of what is random in the scorers.

    Returns
    -------
    DataFrame
        One row a scorer: ``classifier``, ``features`` (their number), and for each part its metrics as
        ``METRIC_PART`` and number of clients ``n_PART``.
    """
    import pandas as pd

    features = hand_made(clients)
    rows = []
    for scorer in scorers:
        found = score_splits(features, clients.target, parts, classifier=scorer, rng=rng)
        row: dict[str, Any] = {"classifier": scorer, "features": features.shape[1]}
        for part, one in found.items():
            row |= {f"{metric}_{part}": one.by(metric) for metric in SCORE_METRICS} | {f"n_{part}": len(one.correct)}
        rows.append(row)
    return pd.DataFrame(rows)


def beside_encoders(by_hand: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Test accuracy of hand-made features beside that of the encoders of the same experiment.

    Parameters
    ----------
    by_hand
        Recorded rows of :func:`score_by_hand` with the column ``experiment``.
    runs
        Recorded runs: ``experiment``, ``accuracy_validation``, ``accuracy_test``, ``n_test``.

    Returns
    -------
    DataFrame
        One row an experiment: a column for each scorer of ``by_hand``; ``chosen``, the encoder that was best on
        validation clients; ``best``, the one that happened to be best on test clients.

    Raises
    ------
    ValueError
        If an experiment has other test clients in the two tables, or only one of them has it.
    """
    wide = by_hand.pivot(index="experiment", columns="classifier", values="accuracy_test")
    of = runs.groupby("experiment")
    sizes = by_hand.groupby("experiment")["n_test"].first()
    if not sizes.equals(of["n_test"].first()):
        odd = sizes.index.symmetric_difference(of["n_test"].first().index)
        raise ValueError(
            f"experiments {odd.tolist()} are in one table only"
            if len(odd)
            else "the two tables have other numbers of test clients in the same experiment"
        )
    chosen = runs.loc[of["accuracy_validation"].idxmax()].set_index("experiment")["accuracy_test"]
    return wide.assign(chosen=chosen, best=of["accuracy_test"].max()).rename_axis(columns=None)


def recorded_by_hand(classifier: str = "fast", metric: str = "accuracy") -> pd.DataFrame:
    """Recorded scores of features made by hand, as rows that tables of methods of the recorded sweep may take.

    They were scored on the test clients of that sweep. Nothing of them was trained before the scorer, so that they
    belong to every training of its encoders.

    Parameters
    ----------
    classifier
        Scorer of the rows, such as ``"fast"`` or ``"logistic"``.
    metric
        One of :data:`helpers.clients.SCORE_METRICS`.

    Returns
    -------
    DataFrame
        ``experiment``, ``method`` (:data:`HAND_MADE`) and ``accuracy``, the score on test clients by the metric.

    Raises
    ------
    ValueError
        If nothing by that scorer is recorded.
    """
    rows = table("results/clients_hand_made.csv")
    if classifier not in set(rows["classifier"]):
        known = ", ".join(map(repr, dict.fromkeys(rows["classifier"])))
        raise ValueError(f"classifier is {classifier!r}; recorded are {known}")
    rows = rows[rows["classifier"] == classifier].assign(method=HAND_MADE)
    return rows.rename(columns={f"{metric}_test": "accuracy"})[["experiment", "method", "accuracy"]]


def with_recorded(recorded: pd.DataFrame, classifier: str = "fast") -> pd.DataFrame:
    """A recorded comparison of methods, with the recorded scores of features made by hand as one more method.

    Parameters
    ----------
    recorded
        Rows of the recorded sweep: ``experiment``, ``method``, ``accuracy``.
    classifier
        Scorer of ``recorded``.

    Raises
    ------
    ValueError
        If features made by hand were not scored in an experiment, by that scorer.
    """
    import pandas as pd

    rows = recorded_by_hand(classifier)
    rows = rows[rows["experiment"].isin(recorded["experiment"])]
    if lacking := sorted(set(recorded["experiment"]) - set(rows["experiment"])):
        raise ValueError(f"recorded has experiments {lacking}, in which features made by hand were not scored")
    return pd.concat([recorded, rows], ignore_index=True)


def recorded_beside_encoders() -> pd.DataFrame:
    """:func:`beside_encoders` of the recorded sweep."""
    return beside_encoders(table("results/clients_hand_made.csv"), table("results/clients_runs.csv"))


def gain_facts(beside: pd.DataFrame, scorer: str = "fast", *, rng: int | np.random.Generator = 0) -> dict[str, Any]:
    """Facts about :func:`beside_encoders` that the text names.

    Parameters
    ----------
    beside
        What :func:`beside_encoders` returns.
    scorer
        Scorer of the hand-made features.
    rng
        Seed or generator of the bootstrap.

    Returns
    -------
    dict
        Number of ``experiments``; mean accuracies by hand (``accuracy``), of the ``chosen`` and of the ``best``
        encoder; ``gain`` over the chosen one in points with its interval ``ci_low`` to ``ci_high`` (units:
        experiments) and its ``verdict``; in how many experiments the features beat the best encoder (``beaten``).
    """
    from helpers.inference import paired

    found = paired(100 * beside[scorer], 100 * beside["chosen"], rng=rng)
    return {
        "experiments": len(beside),
        "accuracy": beside[scorer].mean(),
        "chosen": beside["chosen"].mean(),
        "best": beside["best"].mean(),
        "gain": found.difference,
        "ci_low": found.low,
        "ci_high": found.high,
        "verdict": found.verdict,
        "beaten": int((beside[scorer] > beside["best"]).sum()),
    }


def as_one_more_model(features: pd.DataFrame, models: Mapping[Any, Any], split: pd.Series) -> pd.DataFrame:
    """Features made by hand, on the scale of the encoders of an experiment, to be combined with them.

    Parameters
    ----------
    features
        Features of :func:`helpers.clients.hand_made`, clients × features.
    models
        Embeddings of the encoders by name: DataFrames, or arrays with the clients of ``split`` as rows.
    split
        Part of each client.

    Returns
    -------
    DataFrame
        float32, the clients of ``split`` × features: columns have mean 0 and equal variances on training clients, which
        add up to the mean total variance of the encoders, so that a sum does not hear features louder than encoders. A
        feature that is the same for all training clients is 0 for everybody.

    Raises
    ------
    ValueError
        If a client of ``split`` has no features, or no feature varies among training clients.

    Examples
    --------
    >>> import pandas as pd
    >>> from helpers.studies.hand_made import as_one_more_model
    >>> split = pd.Series(["train", "train", "test"])
    >>> features = pd.DataFrame({"count": [1.0, 3.0, 5.0], "never": [0.0, 0.0, 1.0]})
    >>> as_one_more_model(features, {"0": np.array([[0.0], [4.0], [2.0]])}, split).to_numpy().tolist()
    [[-2.0, 0.0], [2.0, 0.0], [6.0, 0.0]]
    """
    if missing := len(split.index.difference(features.index)):
        raise ValueError(f"features lacks {missing} clients of the split")
    train, x = (split == "train").to_numpy(), features.loc[split.index].astype(float)
    spread = x[train].std(ddof=0).where(x[train].nunique() > 1)
    if spread.isna().all():
        raise ValueError("features has no column that varies among training clients")
    blocks = [np.asarray(one.loc[split.index] if hasattr(one, "loc") else one, float)[train] for one in models.values()]
    whole = np.mean([block.var(axis=0).sum() for block in blocks])
    scaled = (x - x[train].mean()) / spread * np.sqrt(whole / spread.notna().sum())
    return scaled.fillna(0.0).astype(np.float32)


def with_hand_made(sweep: Sweep, populations: Mapping[int, Clients] | None = None) -> Sweep:
    """A sweep with features made by hand as one more model of each experiment.

    Parameters
    ----------
    sweep
        Sweep that :func:`helpers.studies.sweep.read_sweep` gives.
    populations
        Clients of each experiment; read or simulated again by default, as the recorded runs have them.

    Returns
    -------
    Sweep
        The same with ``(experiment, "hand made")`` among its embeddings, from :func:`as_one_more_model`; it has no row
        in ``runs``, for nothing was trained. Its width is the number of features and not that of an encoder: ensembles
        that add columns need ``align="pad"``, as those of the pages have it, and replacement keeps the width of the
        model that it starts from.

    Raises
    ------
    ValueError
        If the clients are not those of the sweep.

    Examples
    --------
    >>> from helpers.studies.hand_made import with_hand_made
    >>> from helpers.studies.sweep import read_sweep
    >>> sweep = with_hand_made(read_sweep("coles"))  # doctest: +SKIP
    """
    populations = _read_again(sweep) if populations is None else populations
    embeddings = dict(sweep.embeddings)
    for number, target in sweep.target.items():
        clients = populations[number]
        if not _same_clients(clients.target, target):
            raise ValueError(f"populations[{number}] has other clients than experiment {number} of the sweep")
        models = {model: x for (experiment, model), x in sweep.embeddings.items() if experiment == number}
        embeddings[number, HAND_MADE] = as_one_more_model(hand_made(clients), models, sweep.split[number])
    return replace(sweep, embeddings=embeddings)


def _read_again(sweep: Sweep) -> dict[int, Clients]:
    """Clients of each experiment, from what the runs recorded: of a file read once, simulated ones drawn anew."""
    found: dict[int, Clients] = {}
    known: dict[str, Clients] = {}
    for number, target in sweep.target.items():
        about = sweep.runs.loc[number].iloc[0]
        options = about.get("options")
        options = options if isinstance(options, dict) else {}
        drawn = [about["seed"], number] if about["source"] == "simulated" else about["seed"]
        key = repr((about["source"], len(target), drawn, sorted(options.items())))
        if key not in known:
            known[key] = load_clients(about["source"], n_clients=len(target), rng=drawn, **options)
        found[number] = known[key]
    return found


def _same_clients(theirs: pd.Series, ours: pd.Series) -> bool:
    """Whether both have the same clients, and each class of theirs is one of ours: two classes may be made of many."""
    if not theirs.index.equals(ours.index) or not theirs.isna().equals(ours.isna()):
        return False
    return bool(ours.groupby(theirs.astype(str)).nunique().max() <= 1)
