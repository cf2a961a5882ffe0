"""How many clients and epochs an encoder needs: learning curves beside features made by hand and ideal observers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import check_count, integer_seed
from helpers.book.data import table as recorded_table
from helpers.book.style import INK
from helpers.locations import DATA

if TYPE_CHECKING:
    import pandas as pd

    from helpers.clients import Clients

__all__ = ["RECORDED", "SETTINGS", "facts_of_learning", "figure_learning", "recorded_learning", "score_learning"]

RECORDED = "results/clients_learning.csv"

SETTINGS = {
    "category_width": 16,
    "other_width": 4,
    "cell": "gru",
    "hidden": 64,
    "slices": 4,
    "shortest": 15,
    "longest": 60,
    "learning_rate": 0.004,
    "batch": 64,
}
"""Settings of the encoder of every point of a curve; it sees all features."""


def score_learning(
    clients: Clients,
    parts: pd.Series,
    sizes: Sequence[int],
    *,
    most_epochs: int = 40,
    patience: int = 3,
    epochs: Sequence[int] = (),
    at: int | None = None,
    settings: Mapping[str, Any] = SETTINGS,
    model: Any = None,
    n_ideal: int = 1000,
    classifier: str = "fast",
    rng: int | np.random.Generator = 0,
) -> pd.DataFrame:
    """Encoders of the first so many training clients, and of so many epochs, scored on the same test clients.

    Parameters
    ----------
    clients, parts
        Simulated clients and the part of each.
    sizes
        Numbers of training clients; the smaller sets are in the larger ones.
    most_epochs, patience
        Arguments ``epochs`` and ``patience`` of :func:`helpers.clients.coles.embed`: validation clients stop it.
    epochs, at
        Numbers of epochs after which a training is stopped besides, with ``at`` training clients, the most by default.
    settings
        Settings of the encoders.
    model
        Bank that the clients were drawn from, as for :func:`helpers.clients.ideal_posterior`.
    n_ideal
        Test clients that the ideal observers are averaged over, at most.
    classifier, rng
        Scorer, as of :func:`helpers.clients.score`, and seed of it and of the trainings.

    Returns
    -------
    DataFrame
        A row for each training: ``n_train``, ``stopped_by`` (``"validation"``, ``"limit"`` where ``most_epochs`` came
        before, or ``"epochs"``), ``epochs`` that its weights have seen, ``loss`` (least, of validation clients; missing
        where epochs were given), for ``encoder``, ``hand_made`` and ``both`` side by side the ``…_accuracy`` and
        ``…_auc``, ``n_test``, and the accuracies of the ``ideal`` observer and of the one who sees counts but no order,
        ``ideal_counts``.

    Raises
    ------
    ValueError
        If a size is not between 7 and the number of training clients.
    """
    import pandas as pd

    from helpers.clients import hand_made, ideal_posterior
    from helpers.clients.coles import embed, features_of
    from helpers.clients.scoring import score_splits

    seed = integer_seed(rng)
    known = parts.index[parts == "train"]
    for size in [*sizes, *([] if at is None else [at])]:
        check_count(size, "sizes", least=7, most=len(known), why="(the training clients)")
    by_hand, features = hand_made(clients), list(features_of(clients))
    asked = [(size, {"epochs": most_epochs, "patience": patience}) for size in sizes]
    asked += [(max(sizes) if at is None else at, {"epochs": number}) for number in epochs]
    scored: dict[tuple[str, int], dict] = {}
    rows = []
    for size, budget in asked:
        own = parts.where(~parts.index.isin(known[size:]), "not used")
        found = embed(clients, own, features=features, packed=True, rng=seed, **settings, **budget)
        least = int(np.argmin(found.validation)) if found.validation else len(found.losses)
        row = {"n_train": size, "stopped_by": _ended_by(found, least, patience), "epochs": least}
        row["loss"] = min(found.validation, default=np.nan)
        spaces = {"encoder": found.embeddings, "hand_made": by_hand}
        spaces["both"] = pd.concat(spaces.values(), axis=1).set_axis(
            range(sum(x.shape[1] for x in spaces.values())), axis=1
        )
        for name, x in spaces.items():
            key = (name, size)
            if key not in scored or name != "hand_made":
                test = score_splits(x, clients.target, own, classifier=classifier, rng=seed)["test"]
                scored[key] = {f"{name}_accuracy": test.by("accuracy"), f"{name}_auc": test.by("roc_auc")}
            row |= scored[key]
        rows.append(row)
    some = clients.target.loc[parts.index[parts == "test"][:n_ideal]]
    test = type(clients)(clients.events[clients.events["client"].isin(some.index)].reset_index(drop=True), some)
    for name, order in (("ideal", True), ("ideal_counts", False)):
        value = float(ideal_posterior(test, features, model=model, order=order).max(axis=1).mean())
        rows = [row | {name: value} for row in rows]
    return pd.DataFrame(rows).assign(n_test=int((parts == "test").sum()))


def _ended_by(found: Any, least: int, patience: int) -> str:
    if not found.validation:
        return "epochs"
    return "validation" if len(found.losses) - least >= patience else "limit"


def recorded_learning() -> pd.DataFrame | None:
    """Recorded rows of :func:`score_learning`, with ``experiment``; None where there are none."""
    return recorded_table(RECORDED) if (DATA / RECORDED).is_file() else None


def figure_learning(rows: pd.DataFrame | None) -> Any:
    """Accuracy by training clients, stopped by validation clients, and by epochs; lines for the ideal observers.

    Parameters
    ----------
    rows
        Rows of :func:`score_learning`, of several experiments with a column ``experiment``: a thin line each. Where
        there are none, the figure says so.
    """
    import matplotlib.pyplot as plt

    shown = {"encoder": "CoLES", "hand_made": "by hand", "both": "both"}
    _, axes = plt.subplots(1, 2, figsize=(7.4, 3.4), sharey=True, width_ratios=(3, 2))
    if rows is None:
        for ax, label in zip(axes, ("training clients", "epochs"), strict=True):
            ax.annotate("not recorded", (0.5, 0.5), xycoords="axes fraction", ha="center")
            ax.set(xlabel=label, xticks=[], yticks=[])
        return axes
    by_size = rows[rows["stopped_by"] != "epochs"]
    stopped = rows[rows["stopped_by"] == "epochs"]
    at = stopped["n_train"].max() if len(stopped) else by_size["n_train"].max()
    by_epoch = rows[rows["n_train"] == at]
    for ax, table, x in ((axes[0], by_size, "n_train"), (axes[1], by_epoch, "epochs")):
        for place, (name, called) in enumerate(shown.items()):
            look = {"color": f"C{place}", "marker": "os^"[place], "ms": 4}
            for i, (_, one) in enumerate(table.groupby("experiment")):
                line = one.sort_values(x)
                ax.plot(line[x], line[f"{name}_accuracy"], lw=1.2, alpha=0.8, label=called * (i == 0), **look)
        for column, style in (("ideal", "--"), ("ideal_counts", ":")):
            ax.axhline(rows[column].mean(), color=INK, lw=1, ls=style)
    axes[0].set(xscale="log", xlabel="training clients", ylabel="accuracy, four classes")
    ticks = sorted(by_size["n_train"].unique())
    axes[0].set_xticks(ticks, ticks)
    axes[0].minorticks_off()
    axes[1].set(xlabel=f"epochs, {at} clients")
    for column, words in (("ideal", "ideal observer"), ("ideal_counts", "… of counts, without order")):
        axes[0].annotate(words, (ticks[0], rows[column].mean()), xytext=(0, 3), textcoords="offset points", fontsize=8)
    axes[0].legend(fontsize=8, loc="lower right")
    return axes


def facts_of_learning(rows: pd.DataFrame | None) -> dict[str, Any]:
    """What the curves say: accuracies with the most and the fewest clients, ceilings, and where they cross.

    Parameters
    ----------
    rows
        Rows of :func:`score_learning` with a column ``experiment``; None where there are none.

    Returns
    -------
    dict
        Words, dashes where nothing is recorded. ``learning_level``: whether the encoder is level with the features made
        by hand, on average over the experiments, and from how many training clients on; ``learning_gap_first`` and
        ``learning_gap_last``: encoder less features made by hand, in points; ``learning_limited``: trainings that
        ``most_epochs`` ended, of all that validation clients could have stopped.
    """
    names = "experiments fewest most first last both ideal counts".split()
    if rows is None:
        return dict.fromkeys([f"learning_{n}" for n in (*names, "level", "gap_first", "gap_last", "limited")], "–")
    free = rows[rows["stopped_by"] != "epochs"]
    by_size = free.groupby("n_train").mean(numeric_only=True)
    first, last = by_size.iloc[0], by_size.iloc[-1]
    ahead = by_size["encoder_accuracy"] >= by_size["hand_made_accuracy"]
    level = by_size.index[ahead[::-1].cummin()[::-1]]  # there and with every larger number
    values = (
        str(rows["experiment"].nunique()),
        *map(str, by_size.index[[0, -1]]),
        *(f"{row['encoder_accuracy']:.3f}" for row in (first, last)),
        f"{last['both_accuracy']:.3f}",
        *(f"{rows[name].mean():.3f}" for name in ("ideal", "ideal_counts")),
    )
    found = {f"learning_{name}": value for name, value in zip(names, values, strict=True)}
    for name, row in (("first", first), ("last", last)):
        found[f"learning_gap_{name}"] = f"{100 * (row['encoder_accuracy'] - row['hand_made_accuracy']):+.1f}"
    found["learning_limited"] = f"{(free['stopped_by'] == 'limit').sum()} of {len(free)}"
    found["learning_level"] = f"from {level[0]} training clients on" if len(level) else "with none of these numbers"
    return found
