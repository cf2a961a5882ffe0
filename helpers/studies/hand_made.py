"""Features made by hand beside the trained encoders of the recorded sweep: who predicts the client's class better?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from helpers.book.data import table
from helpers.clients import SCORE_METRICS, Clients, hand_made
from helpers.clients.scoring import score_splits

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

__all__ = ["beside_encoders", "gain_facts", "recorded_beside_encoders", "score_by_hand"]

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
