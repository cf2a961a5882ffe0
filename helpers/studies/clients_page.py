"""What the page about simulated clients shows: the bank, what an ideal observer knows of its clients, a population.

The bank and its observer are :mod:`helpers.clients`; encoders of clients are :mod:`helpers.studies.encoders_page`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.book.style import INK
from helpers.clients import FEATURES

if TYPE_CHECKING:
    import pandas as pd

    from helpers.clients import Clients
    from helpers.clients.simulator import Bank

__all__ = [
    "facts_of_ideal",
    "facts_of_target",
    "figure_evidence",
    "figure_ideal",
    "table_order",
    "table_population",
]


# The bank and what can be known of its clients


def figure_evidence(model: Bank) -> Any:
    """What each feature of a transaction says about the age, by the tables of the bank.

    Parameters
    ----------
    model
        Bank whose tables are drawn.
    """
    import matplotlib.pyplot as plt
    import pandas as pd
    import seaborn as sns

    from helpers.clients.simulator import AGES, CATEGORIES, CHANNELS

    shares = model.lifestyle @ (model.taste / model.taste.sum(axis=1, keepdims=True))
    week = model.lifestyle @ model.week @ model.week_profile
    month = model.payday @ model.month_profile
    habits = model.channel / model.channel.sum(axis=1, keepdims=True)
    income = np.linspace(-1.6, 1.6, 200)
    density = np.exp(-0.5 * ((income - model.income[:, None]) / model.income_spread) ** 2)

    fig = plt.figure(figsize=(7.6, 4.6))
    top, bottom = fig.subfigures(2, 1, height_ratios=[1.15, 1])
    ax = top.subplots()
    look = {"annot": True, "fmt": ".0f", "annot_kws": {"size": 8}, "linewidths": 0.5, "linecolor": "none"}
    shown = pd.DataFrame(100 * shares, AGES, list(CATEGORIES))
    sns.heatmap(shown, ax=ax, cmap="viridis", cbar=False, **look)
    ax.tick_params(length=0, labelsize=8)
    ax.tick_params(axis="x", rotation=45)
    plt.setp(ax.get_xticklabels(), ha="right", rotation_mode="anchor")
    panels = bottom.subplots(1, 4)
    lines = [
        ("income", np.exp(income), density),
        ("channel", np.arange(len(CHANNELS)), habits),
        ("weekday", np.arange(7), week / week.mean(axis=1, keepdims=True)),
        ("day of the month", np.arange(1, 32), month / month.mean(axis=1, keepdims=True)),
    ]
    for panel, (name, x, values) in zip(panels, lines, strict=True):
        for age, (label, row) in enumerate(zip(AGES, values, strict=True)):
            panel.plot(x, row, color=f"C{age}", lw=1.5, ls=["-", "--", "-.", ":"][age], label=label)
        panel.set(xlabel=name, ylim=(0, None))
        panel.tick_params(labelsize=8)
    panels[0].set(yticks=[], xscale="log", xticks=[0.3, 1, 3], xticklabels=["0.3", "1", "3"])
    panels[0].minorticks_off()
    panels[1].set_xticks(range(len(CHANNELS)), CHANNELS, rotation=45, ha="right")
    panels[2].set_xticks(range(7), list("MTWTFSS"))
    bottom.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=8)
    return [ax, *panels]


def facts_of_ideal(ideal: pd.DataFrame, by_habit: pd.DataFrame) -> dict[str, float]:
    """What the ideal observer reaches with some features, what amounts and weekdays add to it, and order to all.

    Parameters
    ----------
    ideal
        Table of :func:`helpers.clients.ideal_table`.
    by_habit
        Table of :func:`table_order`.
    """
    at = ideal["accuracy"]
    found = {f"ideal_{name}": at[name] for name in ("category", "amount", "weekday", "channel")}
    found |= {f"gain_{name}": at[f"category + {name}"] - at["category"] for name in ("amount", "weekday")}
    reached = by_habit["all features"]
    found |= {"order_without": reached["counts alone"], "order_with": reached["and all four"]}
    return found | {"ideal_all": at[" + ".join(FEATURES)], "ideal_error": ideal["error"].max()}


def figure_ideal(ideal: pd.DataFrame) -> Any:
    """Accuracy of the ideal observer by subset of the features, over a matrix of dots that names the features.

    Parameters
    ----------
    ideal
        Table of :func:`helpers.clients.ideal_table`.
    """
    import matplotlib.pyplot as plt

    _, axes = plt.subplots(2, 1, figsize=(7.6, 4.2), sharex=True, height_ratios=[2, 1])
    upper, lower = axes
    places = np.arange(len(ideal))
    upper.errorbar(places, ideal["accuracy"], ideal["error"], fmt="o", ms=5, color="C0", elinewidth=1)
    upper.axhline(0.25, color=INK, lw=1, ls="--")
    upper.set(ylabel="accuracy", ylim=(0.2, None))
    for row, feature in enumerate(FEATURES):
        seen = np.array([feature in name.split(" + ") for name in ideal.index])
        lower.scatter(places, np.full(len(places), row), s=12, color=INK, alpha=0.25)
        lower.scatter(places[seen], np.full(seen.sum(), row), s=22, color="C1")
    lower.set(xticks=[], ylim=(len(FEATURES) - 0.5, -0.5))
    lower.set_yticks(range(len(FEATURES)), FEATURES, fontsize=9)
    for side in ("left", "bottom"):
        lower.spines[side].set_visible(False)
    lower.tick_params(length=0)
    return axes


def table_order(*, n_clients: int = 1000, rng: int = 0) -> pd.DataFrame:
    """What the order of transactions tells an ideal observer: of one habit, and of all.

    Parameters
    ----------
    n_clients, rng
        Number of fresh clients, and their seed; the clients of all rows differ in the order of their transactions
        alone.

    Returns
    -------
    DataFrame
        A row for no order, each habit at full strength and all together; ``categories`` and ``all features`` are
        accuracies of the ideal observer of these, ``gain`` what the order adds to all features.
    """
    import pandas as pd

    from helpers.clients import ideal_posterior, simulate
    from helpers.clients.ordering import HABITS

    banks = {"counts alone": 0, **{f"and {name}": {name: 1} for name in HABITS}, "and all four": 1}
    rows = {}
    for name, order in banks.items():
        model = {"order": order}
        clients = simulate(n_clients, model=model, rng=rng)
        rows[name] = {
            called: float(ideal_posterior(clients, features, model=model, rng=rng).max(axis=1).mean())
            for called, features in (("categories", ["category"]), ("all features", FEATURES))
        }
    found = pd.DataFrame.from_dict(rows, orient="index")
    return found.assign(gain=found["all features"] - found.loc["counts alone", "all features"])


# The clients of this run


def table_population(here: Any, source: str) -> pd.DataFrame:
    """What the encoders see of the clients of this run, a line for each fact.

    Parameters
    ----------
    here
        Clients of :func:`helpers.clients.load_clients`.
    source
        Where they come from; of a path the last part is shown.

    Raises
    ------
    ValueError
        If fewer than two classes are known.
    """
    import pandas as pd

    from helpers.clients import coles

    shares, events = here.target.value_counts(normalize=True), here.events
    if len(shares) < 2:
        found = f"{len(shares)} classes of clients are known; two are needed"
        raise ValueError(f"{found}: options name them by targets, and columns names the target")
    each, days = events.groupby("client").size(), events["time"]
    classes = ", ".join(f"{name} ({share:.0%})" for name, share in shares[:6].items())
    facts = {
        "source": source if source == "simulated" else Path(source).name,
        "clients": f"{len(here):,}, of which {here.target.notna().sum():,} with a class",
        "classes": classes + f" and {len(shares) - 6} more" * (len(shares) > 6),
        "transactions": f"{len(events):,}; {each.median():.0f} of a client in the median",
        "from, to": f"{days.min():%Y-%m-%d}, {days.max():%Y-%m-%d}",
        "features": ", ".join(coles.features_of(here)),
        "categories": str(events["category"].nunique()),
    }
    return pd.Series(facts, name="what the encoders see").to_frame()


def facts_of_target(clients: Clients, metric: str = "", binary_from: str = "") -> dict[str, str]:
    """What chapters score of these clients, and by which metric, in words.

    Parameters
    ----------
    clients
        Clients of :func:`helpers.clients.load_clients`.
    metric, binary_from
        Metric, or empty for the one that suits the classes, and class from which on the target is 1, or empty.

    Returns
    -------
    dict of str to str
        ``metric`` and ``target``, as :meth:`helpers.studies.sweep.Sweep.setting` says them.
    """
    import pandas as pd

    from helpers.clients import binary_target
    from helpers.studies.sweep import Sweep

    target = clients.target if binary_from == "" else binary_target(clients.target, binary_from)
    return Sweep(pd.DataFrame(), {}, {}, {0: target.dropna()}).setting(metric, binary_from)
