"""Seconds and megabytes of the measures beside those of other packages, as recorded in one run on one machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from helpers.book.data import table
from helpers.book.style import INK

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from pandas.io.formats.style import Styler

__all__ = [
    "beside",
    "calibrated",
    "calibrated_facts",
    "machines",
    "matrix_facts",
    "matrix_figure",
    "reading",
    "reading_facts",
    "recorded",
    "show_seconds",
    "wins",
]

OURS = "helpers"
STUDY = ("cka", "rsa", "jaccard", "distance_correlation")
"""Measures of the original study, which the row ``study`` computes in one call."""


def recorded(most_objects: int) -> pd.DataFrame:
    """Recorded runs of all contestants.

    Parameters
    ----------
    most_objects
        Number of objects beyond which runs are left out.

    Returns
    -------
    DataFrame
        One row a run: contestant (``measure``, ``package``, ``scope``, ``n``), ``seconds``, ``peak_mb``, ``value``.

    Raises
    ------
    ValueError
        If no run has so few objects.
    """
    runs = table("results/benchmark.csv")
    chosen = runs[runs["n"] <= most_objects]
    if chosen.empty:
        raise ValueError(f"most_objects is {most_objects}; the smallest recorded runs have {runs['n'].min()} objects")
    return chosen


def machines(runs: pd.DataFrame) -> pd.DataFrame:
    """Rates of the machines that the runs were recorded on: least and greatest, by machine and date."""
    rates = runs["machine"].str.extract(r"(?P<machine>.+?), (?P<gflops>\d+) GFLOP/s, (?P<copy>\d+) GB/s")
    rates = rates.astype({"gflops": int, "copy": int}).assign(date=runs["date"])
    ranges = rates.groupby(["machine", "date"]).agg(["min", "max"])
    return ranges.rename(columns={"gflops": "matrix product, GFLOP/s", "copy": "copy, GB/s"})


def beside(runs: pd.DataFrame, n: int, scope: str) -> pd.DataFrame:
    """Cost of this package and of its fastest peer, by measure.

    Parameters
    ----------
    runs
        What :func:`recorded` returns.
    n
        Number of objects.
    scope
        ``"matrix"``, all pairs of thirteen layers, or ``"pair"``.

    Returns
    -------
    DataFrame
        Seconds and megabytes of both; ``times faster``: seconds of the peer divided by ours; ``times the floor``: our
        seconds divided by those that the arithmetic alone takes on the machine.
    """
    import pandas as pd

    chosen = runs[(runs["n"] == n) & (runs["scope"] == scope) & runs["seconds"].notna()]
    mine = chosen["package"] == OURS
    ours, peers = chosen[mine].set_index("measure"), chosen[~mine]
    peers = peers.sort_values("seconds").groupby("measure").first()
    out = pd.DataFrame(
        {
            "seconds": ours["seconds"],
            "MB": ours["peak_mb"],
            "fastest peer": peers["package"],
            "its seconds": peers["seconds"],
            "its MB": peers["peak_mb"],
        }
    )
    out["times faster"] = out["its seconds"] / out["seconds"]
    out["times the floor"] = out["seconds"] / ours["floor_seconds"]
    return out.loc[ours.index]


def show_seconds(costs: pd.DataFrame) -> Styler:
    """The table of costs with three digits a number."""
    numbers = {name: _three_digits for name in costs.columns if name != "fastest peer"}
    return costs.style.format(numbers, na_rep="")


def wins(costs: pd.DataFrame) -> dict[str, int]:
    """Number of ``contests`` with a peer, and of those that this package ``wins``."""
    contests = costs["times faster"].dropna()
    return {"wins": int((contests > 1).sum()), "contests": len(contests)}


def matrix_facts(costs: pd.DataFrame) -> dict[str, Any]:
    """Facts about the full matrix that the text names.

    Parameters
    ----------
    costs
        What :func:`beside` returns.

    Returns
    -------
    dict
        ``wins`` of ``contests``; ``median`` and ``least`` of the factors, and ``least_of``, the measure of the least;
        seconds of the study's measures in one call (``together``), of the fastest peer of each added up (``apart``),
        and their ratio.
    """
    factors = costs["times faster"].dropna()
    together, apart = costs.loc["study", "seconds"], costs.loc[list(STUDY), "its seconds"].sum()
    return wins(costs) | {
        "median": factors.median(),
        "least": factors.min(),
        "least_of": factors.idxmin().replace("_", " "),
        "together": together,
        "apart": apart,
        "study_ratio": apart / together,
    }


def matrix_figure(costs: pd.DataFrame) -> Axes:
    """Seconds of this package (dots), of the fastest peer (crosses) and of the floor (ticks), by measure."""
    import matplotlib.pyplot as plt
    import numpy as np

    order = costs.sort_values("seconds")
    ours, place = order["seconds"], np.arange(len(order))
    _, ax = plt.subplots(figsize=(6.0, 0.28 * len(order) + 0.8))
    ax.hlines(place, ours, order["its seconds"].fillna(ours), color=INK, lw=0.8, alpha=0.6)
    ax.plot(ours, place, "o", label="this package")
    ax.plot(order["its seconds"], place, "x", label="fastest peer", mew=2)
    ax.plot(ours / order["times the floor"], place, "|", ms=10, label="floor", color=INK)
    ax.set(xscale="log", xlabel="seconds", yticks=place)
    ax.set_yticklabels([name.replace("_", " ") for name in order.index])
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
    return ax


def reading() -> pd.DataFrame:
    """Processor seconds of reading all layers of an encoder, by contestant, with ``times ours`` beside them."""
    loops = table("results/extraction.csv").set_index("contestant")
    seconds = loops["processor_seconds"]
    return loops.assign(**{"times ours": seconds / seconds["ours"]})


def reading_facts(loops: pd.DataFrame) -> dict[str, Any]:
    """Facts about reading that the text names: encoder, texts, tokens, factors and the largest difference."""
    ours = loops.loc["ours"]
    return {
        "reader": ours["model"],
        "texts": int(ours["texts"]),
        "tokens_least": int(ours["tokens_least"]),
        "tokens_most": int(ours["tokens_most"]),
        "loop": loops["times ours"].max(),
        "one_pass": loops.loc["loop, one pass for all layers", "times ours"],
        "gap": loops["largest_difference"].max(),
    }


def calibrated() -> pd.DataFrame:
    """What each measure had in one call of :func:`helpers.similarity.calibrate` with a budget, by measure.

    Returns
    -------
    DataFrame
        ``objects`` that it was computed of, where its ``chance level`` comes from, ``shuffles`` of each pair, and
        ``seconds`` of all pairs; the longest first. The call itself, with what it took, is in ``attrs``.
    """
    found = table("results/calibration.csv").set_index("measure").sort_values("seconds", ascending=False)
    names = {"n": "objects", "null": "chance level", "n_permutations": "shuffles", "seconds": "seconds"}
    shown = found[list(names)].rename(columns=names)
    shown.attrs = found[["budget", "wall_seconds", "objects", "layers", "pairs", "machine", "date"]].iloc[0].to_dict()
    return shown


def calibrated_facts(shown: pd.DataFrame) -> dict[str, Any]:
    """Facts about the calibration that the text names: measures, objects, layers, pairs, minutes, and the machine."""
    call = shown.attrs
    return {
        "measures": len(shown),
        "whole": int((shown["objects"] == call["objects"]).sum()),
        "fewest": int(shown["objects"].min()),
        "sentences": int(call["objects"]),
        "layers": int(call["layers"]),
        "pairs": int(call["pairs"]),
        "budget_minutes": call["budget"] / 60,
        "wall_minutes": call["wall_seconds"] / 60,
        "calibration_machine": call["machine"],
    }


def _three_digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
