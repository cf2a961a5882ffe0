"""What the page about difference and gain shows: gains of pairs, their correlations, tests, verdicts and power.

The gains and measures of pairs are :mod:`helpers.studies.pair_gains`, what correlates with what
:mod:`helpers.studies.gain_correlations`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.book.data import table as recorded_table
from helpers.book.style import INK
from helpers.inference import CLAIM_VERDICTS
from helpers.studies.comparing import LEAST_UNITS
from helpers.studies.gain_correlations import gain_correlations, noise_share
from helpers.studies.pair_gains import COMBINATIONS

if TYPE_CHECKING:
    import pandas as pd

    from helpers.inference import Claim

__all__ = [
    "as_score",
    "add_truth",
    "correlation_words",
    "experiments_needed",
    "explained_by_accuracies",
    "facts_of_correlations",
    "facts_of_detection",
    "facts_of_null",
    "facts_of_pair_gains",
    "facts_of_published",
    "facts_of_stability",
    "facts_of_truth",
    "facts_within",
    "figure_detection",
    "figure_forest",
    "figure_null",
    "figure_pair_gains",
    "figure_pairs",
    "finite_measures",
    "recorded_pairs",
    "residual_gains",
    "slopes_within",
    "table_by_combination",
    "table_correlations",
    "table_noise",
    "table_verdict_counts",
    "table_within",
    "try_correlations",
]


def as_score(name: str) -> str:
    """A column of a table of pairs as a page calls it, whatever the metric.

    Examples
    --------
    >>> from helpers.studies.difference_page import as_score
    >>> as_score("accuracy_a"), as_score("cka")
    ('score of a', 'cka')
    """
    return name.replace("accuracy_", "score of ")


def correlation_words(row: pd.Series, name: str = "pearson") -> str:
    """A correlation and its interval, if there is one, on one line that does not break.

    Parameters
    ----------
    row
        Row of a table of :func:`helpers.studies.gain_correlations.gain_correlations`.
    name
        ``"pearson"`` or ``"spearman"``.

    Examples
    --------
    >>> import pandas as pd
    >>> from helpers.studies.difference_page import correlation_words
    >>> row = pd.Series({"pearson": -0.591, "pearson_ci_low": -0.7, "pearson_ci_high": -0.47})
    >>> correlation_words(row).replace("\\N{MINUS SIGN}", "-").replace("\\N{NO-BREAK SPACE}", " ")
    '-0.59 [-0.70, -0.47]'
    """
    low, high = row[f"{name}_ci_low"], row[f"{name}_ci_high"]
    limits = "" if np.isnan(low) or np.isnan(high) else f" [{_signed(low)}, {_signed(high)}]"
    text = _signed(row[name]) + limits
    return text.replace(" ", "\N{NO-BREAK SPACE}").replace("-", "\N{MINUS SIGN}")


def _signed(value: float) -> str:
    """Two digits with a sign, and none of a zero."""
    return f"{round(value, 2) + 0.0:+.2f}"


# Gains


def recorded_pairs() -> tuple[pd.DataFrame, pd.DataFrame]:
    """The recorded pairs, and the recorded runs of which they are made, by experiment and model."""
    runs = recorded_table("results/clients_runs.csv").set_index(["experiment", "model"])
    return recorded_table("results/clients_difference.csv"), runs


def table_noise(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """How much of the spread of the residual gains is chance, by table of pairs and combination.

    Parameters
    ----------
    tables
        Tables of :func:`helpers.studies.pair_gains.measure_pairs`, by what they are called; those of fewer than five
        pairs are left out, too few for a regression.
    """
    import pandas as pd

    return pd.concat({name: noise_share(of) for name, of in tables.items() if len(of) >= 5})


def facts_of_pair_gains(tables: Mapping[str, pd.DataFrame], noise: pd.DataFrame, runs: pd.DataFrame) -> dict[str, Any]:
    """Sizes of the two tables of pairs, and what each combination gains in the recorded one.

    Parameters
    ----------
    tables
        The pairs of this page and the recorded ones, under the names ``"this page"`` and ``"recorded"``.
    noise
        Table of :func:`table_noise`.
    runs
        Recorded runs, by experiment and model.
    """
    pairs, recorded = tables["this page"], tables["recorded"]
    share = noise["share"].get(("this page", "concatenation"))
    found = {
        "n_pairs": len(pairs),
        "n_recorded": len(recorded),
        "n_recorded_experiments": recorded["experiment"].nunique(),
        "recorded_models": int(runs.groupby(level="experiment").size().max()),
        "n_test": int(recorded["n_test"].median()),
        "n_experiments": pairs["experiment"].nunique(),
        "recorded_date": recorded["date"].max(),
        "recorded_minutes": recorded.groupby("experiment")["minutes"].first().sum(),
        "share_here": f"{100 * share:.0f} %" if share is not None else "an unknown part",
    }
    for how in COMBINATIONS:
        row = noise.loc[("recorded", how)]
        found |= {f"gain_{how}": 100 * row["gain"], f"share_{how}": 100 * row["share"]}
        found |= {f"ceiling_{how}": row["ceiling"], f"wins_{how}": 100 * (recorded[f"gain_{how}"] > 0).mean()}
    return found


def figure_pair_gains(tables: Mapping[str, pd.DataFrame], *, rng: int = 0) -> Any:
    """Gain of each pair over the better of its two models, a panel for each table and a column for each combination.

    Parameters
    ----------
    tables
        Tables of pairs, by what they are called.
    rng
        Seed of the sideways shifts that keep points apart.
    """
    import matplotlib.pyplot as plt

    drawn = np.random.default_rng(rng)
    _, axes = plt.subplots(1, len(tables), figsize=(7.4, 3.2), sharey=True)
    for ax, (name, of) in zip(axes, tables.items(), strict=True):
        for place, how in enumerate(COMBINATIONS):
            values, shift = 100 * of[f"gain_{how}"], drawn.uniform(-0.25, 0.25, len(of))
            ax.scatter(place + shift, values, s=8, alpha=0.5, color=f"C{place}")
            ax.plot([place - 0.35, place + 0.35], [values.mean()] * 2, color=INK, lw=2.5)
        ax.axhline(0, color=INK, lw=1, ls="--")
        ax.set_xticks(range(len(COMBINATIONS)), COMBINATIONS)
        ax.set(title=f"{name}, {len(of)} pairs", ylabel="gain, points" if ax is axes[0] else "")
    return axes


# Correlations


def finite_measures(pairs: pd.DataFrame) -> list[str]:
    """Measures of the registry that have a value for every pair of a table."""
    from helpers.similarity import MEASURES

    return [name for name in pairs if name in MEASURES and np.isfinite(pairs[name]).all()]


def table_correlations(found: pd.DataFrame) -> pd.DataFrame:
    """Correlations with their intervals and p-values, "≤" where the test can give no less, narrow enough for a page.

    Parameters
    ----------
    found
        Table of :func:`helpers.studies.gain_correlations.gain_correlations`, or rows of it.
    """
    import pandas as pd

    columns = {
        f"{name} [95 %]": found.apply(correlation_words, axis=1, name=name, result_type="reduce")
        for name in ("pearson", "spearman")
    }
    at_floor = found["p"] <= found["p_floor"] * (1 + 1e-9)
    for shown, name in (("p", "p"), ("p (Holm)", "p_holm")):
        written = zip(found[name], at_floor, strict=True)
        columns[shown] = pd.Series([f"{'≤ ' * bool(floor)}{value:.4f}" for value, floor in written])
    return pd.DataFrame({name: column.to_numpy() for name, column in columns.items()}, found.index)


def explained_by_accuracies(pairs: pd.DataFrame, values: Any) -> float:
    """Share of the variance of values of pairs that is linear in the smaller and the larger accuracy of a pair.

    Parameters
    ----------
    pairs
        Table with the columns ``accuracy_a`` and ``accuracy_b``.
    values : array_like of shape (pairs,)
        Values of the pairs.
    """
    accuracy = pairs[["accuracy_a", "accuracy_b"]]
    design = np.column_stack([np.ones(len(pairs)), accuracy.min(axis=1), accuracy.max(axis=1)])
    centred = np.asarray(values, float) - np.mean(values)
    left = centred - design @ np.linalg.lstsq(design, centred, rcond=None)[0]
    return float(1 - left @ left / (centred @ centred))


def try_correlations(pairs: pd.DataFrame, **settings: Any) -> tuple[pd.DataFrame | None, str]:
    """Correlations of the measures of a table of pairs with its gains, or why there are none.

    Parameters
    ----------
    pairs
        Table of pairs, perhaps too few of them.
    settings
        Passed to :func:`helpers.studies.gain_correlations.gain_correlations`.

    Returns
    -------
    table : DataFrame or None
        What that function returns, without limits (NaN) where there are fewer experiments than
        :data:`helpers.studies.comparing.LEAST_UNITS`; None where it refuses the pairs.
    why : str
        Why it refuses them; empty where it does not.
    """
    try:
        found = gain_correlations(pairs, finite_measures(pairs), **settings)
    except ValueError as error:
        return None, str(error)
    if pairs["experiment"].nunique() < LEAST_UNITS:
        found[[name for name in found if name.endswith(("_ci_low", "_ci_high"))]] = np.nan
    return found, ""


def facts_of_correlations(large: pd.DataFrame, live: pd.DataFrame | None, pairs: pd.DataFrame) -> dict[str, Any]:
    """How many measures say that difference pays, and how many significantly; which one most clearly.

    Parameters
    ----------
    large
        Correlations of the recorded pairs.
    live
        Correlations of the pairs of this page; None where there are none.
    pairs
        Pairs of this page, whose ``attrs`` name the measures without a value.
    """
    undefined = sorted({name for _, name in pairs.attrs.get("undefined", {})})
    found: dict[str, Any] = {
        "undefined": ", ".join(undefined) or "none",
        "n_measures": large["measure"].nunique(),
        "n_live": 0 if live is None else live["measure"].nunique(),
        "live_cka": "not measured",
    }
    for how in COMBINATIONS:
        of = large[large["combination"] == how]
        found[f"significant_{how}"] = int((of["p_holm"] <= 0.05).sum())
        found[f"toward_{how}"] = int((of["toward"] > 0).sum())
    main = large[large["combination"] == "concatenation"].set_index("measure")
    best = main["toward"].idxmax()
    found |= {"best": best, "best_value": correlation_words(main.loc[best])}
    for short, name in {"cka": "cka", "angular": "angular_shape", "dcor": "distance_correlation"}.items():
        found[short] = correlation_words(main.loc[name])
    cka = main.loc["cka"]
    found["cka_spearman"] = correlation_words(cka, "spearman")
    sign = "≤" if cka["p"] <= cka["p_floor"] * (1 + 1e-9) else "="
    found |= {f"{name}_cka{end}": f"{sign} {cka[f'p{end}']:.4f}" for name, end in (("p", ""), ("p", "_holm"))}
    if live is not None:
        small = live[live["combination"] == "concatenation"].set_index("measure")
        found |= {"live_cka": correlation_words(small.loc["cka"])} if "cka" in small.index else {}
    return found


def residual_gains(pairs: pd.DataFrame, combination: str = "concatenation") -> np.ndarray:
    """What a linear regression on the smaller and the larger accuracy of a pair leaves of its gain.

    Parameters
    ----------
    pairs
        Table of pairs.
    combination
        Way of combining whose gain it is.
    """
    accuracy = pairs[["accuracy_a", "accuracy_b"]]
    design = np.column_stack([np.ones(len(pairs)), accuracy.min(axis=1), accuracy.max(axis=1)])
    gain = pairs[f"gain_{combination}"].to_numpy()
    return gain - design @ np.linalg.lstsq(design, gain, rcond=None)[0]


def slopes_within(pairs: pd.DataFrame, measure: str = "cka", *, combination: str = "concatenation") -> pd.DataFrame:
    """The residual gain against a measure in each experiment by itself: ``correlation``, ``slope`` and ``intercept``.

    Parameters
    ----------
    pairs
        Table of pairs.
    measure
        Column of the measure.
    combination
        Way of combining whose gain it is.
    """
    import pandas as pd

    table = pd.DataFrame({"left": residual_gains(pairs, combination), "x": pairs[measure].to_numpy()})
    rows = {}
    for experiment, one in table.groupby(pairs["experiment"].to_numpy()):
        slope, intercept = np.polyfit(one["x"], one["left"], 1)
        rows[experiment] = {"correlation": one["x"].corr(one["left"]), "slope": slope, "intercept": intercept}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("experiment")


def figure_pairs(pairs: pd.DataFrame, measure: str = "cka", *, combination: str = "concatenation") -> Any:
    """Every pair: its gain, and what its two accuracies leave of it, against a measure, with a line an experiment.

    Parameters
    ----------
    pairs
        Table of pairs.
    measure
        Column of the measure.
    combination
        Way of combining whose gain it is.
    """
    import matplotlib.pyplot as plt

    x, weaker = pairs[measure].to_numpy(), 100 * pairs[["accuracy_a", "accuracy_b"]].min(axis=1)
    gain, left = 100 * pairs[f"gain_{combination}"].to_numpy(), 100 * residual_gains(pairs, combination)
    fig, axes = plt.subplots(1, 2, figsize=(7.4, 3.4), sharex=True)
    for ax, values, title in zip(axes, (gain, left), ("gain", "what the accuracies leave"), strict=True):
        points = ax.scatter(x, values, c=weaker, s=14, cmap="viridis", zorder=2)
        ax.axhline(0, color=INK, lw=1)
        ax.set(xlabel={"cka": "CKA"}.get(measure, measure.replace("_", " ")), title=title)
    for experiment, line in slopes_within(pairs, measure, combination=combination).iterrows():
        ends = np.array([np.min(x[pairs["experiment"] == experiment]), np.max(x[pairs["experiment"] == experiment])])
        axes[1].plot(ends, 100 * (line["intercept"] + line["slope"] * ends), color=INK, lw=0.7, alpha=0.5, zorder=1)
    both = np.sort(x)[[0, -1]]
    axes[1].plot(both, np.polyval(np.polyfit(x, left, 1), both), color="C1", lw=3, zorder=3)
    axes[0].set(ylabel="points of accuracy")
    fig.colorbar(points, ax=axes, label="the weaker of the two, %", shrink=0.9)
    return axes


def table_within(pooled: pd.DataFrame, within: pd.DataFrame, measures: Sequence[str]) -> pd.DataFrame:
    """Correlations of all pairs beside those within experiments, with their intervals, and the corrected p of these.

    Parameters
    ----------
    pooled, within
        Tables of :func:`helpers.studies.gain_correlations.gain_correlations` for one combination, by measure.
    measures
        Measures to show.
    """
    import pandas as pd

    shown = {name: table_correlations(table.loc[list(measures)]) for name, table in (("all", pooled), ("in", within))}
    columns = {"all pairs [95 %]": shown["all"]["pearson [95 %]"], "within experiments [95 %]": shown["in"].iloc[:, 0]}
    columns |= {"p (Holm), within": shown["in"]["p (Holm)"]}
    return pd.DataFrame(columns).rename(index=lambda name: name.replace("_", " ")).rename_axis(None)


def facts_within(pairs: pd.DataFrame, within: pd.DataFrame, measures: Sequence[str]) -> dict[str, Any]:
    """CKA within experiments: its correlation, in how many of them by themselves it has this sign, and all measures.

    Parameters
    ----------
    pairs
        Table of pairs.
    within
        Correlations within experiments, by measure.
    measures
        Measures that are counted.
    """
    alone = slopes_within(pairs)["correlation"]
    rows = within.loc[list(measures)]
    return {
        "within_cka": correlation_words(within.loc["cka"]),
        "within_sign": int((np.sign(alone) == np.sign(within.loc["cka", "pearson"])).sum()),
        "within_lowest": alone.min(),
        "within_highest": alone.max(),
        "within_significant": int((rows["p_holm"] <= 0.05).sum()),
        "within_toward": int((rows["toward"] > 0).sum()),
    }


def facts_of_null(seen: float, nulls: Mapping[str, Any], pearson: float, explained: float) -> dict[str, float]:
    """The partial correlation, its distribution under relabelled models and shuffled pairs, and what CKA is left with.

    Parameters
    ----------
    seen
        Partial correlation of CKA with the gain.
    nulls
        Draws of :func:`helpers.studies.gain_correlations.null_correlations`, by unit.
    pearson
        Correlation of CKA as it is with the residual gain.
    explained
        Share of the variance of CKA that the two accuracies predict.
    """
    return {
        "null_models": float(np.std(nulls["models"])),
        "null_pairs": float(np.std(nulls["pairs"])),
        "null_centre": float(np.mean(nulls["models"])),
        "seen": seen,
        "pearson": pearson,
        "foretold": 100 * explained,
    }


def figure_null(seen: float, nulls: Mapping[str, Any]) -> Any:
    """Histograms of the partial correlation under shuffles, and a line at the one that was seen.

    Parameters
    ----------
    seen
        Partial correlation that was seen.
    nulls
        Draws by what was shuffled.
    """
    import matplotlib.pyplot as plt

    _, ax = plt.subplots(figsize=(6.0, 3.0))
    for i, (unit, drawn) in enumerate(nulls.items()):
        look = {"bins": 40, "density": True, "histtype": "step", "lw": 1.8}
        ax.hist(drawn, color=f"C{i}", label=f"{unit} shuffled", **look)
    ax.axvline(seen, color=INK, lw=2)
    ax.annotate("seen", (seen, 0.95), xycoords=("data", "axes fraction"), xytext=(4, 0), textcoords="offset points")
    ax.set(xlabel="correlation", yticks=[])
    ax.spines["left"].set_visible(False)
    ax.legend(loc="upper center")
    return ax


# The published correlations


def table_by_combination(judged: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Verdicts on the published correlations, measures × combinations."""
    import pandas as pd

    said = {how: one["verdict"].drop("stable") for how, one in judged.items()}
    return pd.DataFrame(said).rename(index=lambda name: name.replace("_", " ")).rename_axis(None)


def _by_size(one: pd.DataFrame, published: pd.Series) -> tuple[int, int]:
    """How many estimates have the published sign, and how many intervals contain the published size."""
    value = published[one.index]
    within = (one["ci_low"] <= value) & (value <= one["ci_high"])
    return int((np.sign(one["estimate"]) == np.sign(value)).sum()), int(within.sum())


def table_verdict_counts(judged: Mapping[str, pd.DataFrame], asked: Mapping[str, Claim]) -> pd.DataFrame:
    """Of the published correlations, how many have each verdict, the published sign and the published size.

    Parameters
    ----------
    judged
        Tables of :func:`helpers.inference.judge`, by combination.
    asked
        Claims by key, with what was published.
    """
    import pandas as pd

    rows = {}
    for how, one in judged.items():
        one = one.drop("stable")
        counts = one["verdict"].value_counts()
        rows[how] = {verdict: int(counts.get(verdict, 0)) for verdict in CLAIM_VERDICTS}
        sign, size = _by_size(one, pd.Series({name: asked[name].published for name in one.index}))
        rows[how] |= {"published sign": sign, "size in interval": size, "of": len(one)}
    return pd.DataFrame(rows).T


def facts_of_published(judged: Mapping[str, pd.DataFrame], asked: Mapping[str, Claim]) -> dict[str, Any]:
    """Counts of :func:`table_verdict_counts` for each combination, and three published values.

    Parameters
    ----------
    judged, asked
        Same meaning as in :func:`table_verdict_counts`.
    """
    counts, found = table_verdict_counts(judged, asked), {}
    for how, row in counts.iterrows():
        found |= {f"{how}_{word}": row[said] for word, said in zip(("yes", "no", "open"), CLAIM_VERDICTS, strict=True)}
        found |= {f"sign_{how}": row["published sign"], f"size_{how}": row["size in interval"]}
    names = {"cka": "cka", "angular": "angular_shape", "dcor": "distance_correlation"}
    found |= {f"{short}_published": asked[name].published for short, name in names.items()}
    return found | {"n_published": int(counts["of"].max())}


def figure_forest(judged: pd.DataFrame, asked: Mapping[str, Claim], live: pd.DataFrame | None) -> Any:
    """Published, recorded and live correlation of each published measure with the gain of concatenation.

    Parameters
    ----------
    judged
        Table of :func:`helpers.inference.judge` for concatenation.
    asked
        Claims by key, with what was published.
    live
        Correlations of this page; None where there are none.
    """
    import matplotlib.pyplot as plt

    order = sorted(judged.index.drop("stable"), key=lambda name: asked[name].published)
    small = None if live is None else live[live["combination"] == "concatenation"].set_index("measure")
    fig, ax = plt.subplots(figsize=(7.0, 4.8))
    for place, name in enumerate(order):
        row, first = judged.loc[name], place == 0
        ax.plot(asked[name].published, place + 0.22, "D", color="C1", ms=6, label="published" * first)
        ax.plot([row["ci_low"], row["ci_high"]], [place] * 2, color="C0", lw=2)
        ax.plot(row["estimate"], place, "o", color="C0", ms=6, label="recorded" * first)
        if small is not None and name in small.index:
            one, y = small.loc[name], place - 0.22
            ax.plot([one["pearson_ci_low"], one["pearson_ci_high"]], [y, y], color="C2", lw=1.2)
            ax.plot(one["pearson"], y, "s", color="C2", ms=5, mfc="none", label="this page" * first)
    ax.axvline(0, color=INK, lw=1)
    ax.axhline(sum(asked[name].published < 0 for name in order) - 0.5, color=INK, lw=0.8, ls=":")
    ax.set_yticks(range(len(order)), [name.replace("_", " ") for name in order])
    ax.set(xlabel="correlation with the residual gain", xlim=(-1, 1))
    fig.legend(loc="outside upper center", ncols=3)
    return ax


def facts_of_stability(stable: pd.DataFrame, lead: float) -> dict[str, Any]:
    """Where CKA stands among measures ordered by the least of their correlations.

    Parameters
    ----------
    stable
        Table of :func:`helpers.studies.gain_correlations.stability`.
    lead
        By how much the least of CKA is above that of its strongest rival.
    """
    return {
        "cka_place": int(stable.index.get_loc("cka")) + 1,
        "cka_share": 100 * stable.loc["cka", "most_stable"],
        "cka_least": stable.loc["cka", "least"],
        "stable_first": stable.index[int(stable.index[0] == "cka")].replace("_", " "),
        "stable_lead": f"{lead:+.2f}",
    }


# The truth, and power


def add_truth(recorded: pd.DataFrame, runs: pd.DataFrame, ideal: pd.Series) -> pd.DataFrame:
    """Recorded pairs with what an ideal observer gains by seeing both sets of features, and the share of common ones.

    Parameters
    ----------
    recorded
        Table of pairs.
    runs
        Recorded runs with ``features``, by experiment and model.
    ideal
        Accuracy of the ideal observer, by subset of the features.

    Returns
    -------
    DataFrame
        ``recorded`` with the columns ``ideal_gain`` and ``shared_features``.
    """
    from helpers.clients import FEATURES

    seen = runs["features"].str.split(" + ", regex=False).map(set)

    def evidence(features: set[str]) -> float:
        return ideal[" + ".join(name for name in FEATURES if name in features)]

    both = [(seen[e, i], seen[e, j]) for e, i, j in recorded[["experiment", "model_a", "model_b"]].to_numpy()]
    return recorded.assign(
        ideal_gain=[evidence(a | b) - max(evidence(a), evidence(b)) for a, b in both],
        shared_features=[len(a & b) / len(a | b) for a, b in both],
    )


def facts_of_truth(truth: pd.DataFrame, told: pd.DataFrame) -> dict[str, Any]:
    """How the truth about a pair correlates with its residual gain, and with CKA.

    Parameters
    ----------
    truth
        Table of :func:`add_truth`.
    told
        Correlations of its columns, by combination and measure.
    """
    names = {"ideal_gain": "ideal_versus_cka", "shared_features": "shared_versus_cka"}
    found = {name: correlation_words(told.loc[("concatenation", name)]) for name in names}
    return found | {to: truth[name].corr(truth["cka"], method="spearman") for name, to in names.items()}


def experiments_needed(curve: pd.Series, share: float = 0.8) -> str:
    """Experiments for a power, between the sizes that were tried.

    Parameters
    ----------
    curve
        Power by number of experiments.
    share
        Power that is wanted.

    Examples
    --------
    >>> import pandas as pd
    >>> from helpers.studies.difference_page import experiments_needed
    >>> experiments_needed(pd.Series([0.5, 0.9], [4, 8]))
    'about 7'
    >>> experiments_needed(pd.Series([0.5, 0.7], [4, 8]))
    'more than 8'
    """
    enough = np.flatnonzero(curve.to_numpy() >= share)
    if not len(enough):
        return f"more than {curve.index[-1]}"
    at = enough[0]
    if at == 0:
        return f"at most {curve.index[0]}"
    low, high = curve.iloc[at - 1], curve.iloc[at]
    step = curve.index[at] - curve.index[at - 1]
    return f"about {curve.index[at - 1] + (share - low) / (high - low) * step:.0f}"


def facts_of_detection(power: pd.DataFrame, here: int, there: int) -> dict[str, Any]:
    """How many experiments each correlation needs, and the power for 0.3 of this page and of the recorded sweep.

    Parameters
    ----------
    power
        Table of :func:`helpers.studies.gain_correlations.detection_power`, with a column for 0.3.
    here, there
        Experiments of this page, and recorded.
    """
    found = {f"needed_{int(10 * value)}": experiments_needed(curve) for value, curve in power.items()}
    return found | {"power_here": 100 * power.loc[here, 0.3], "power_there": 100 * power.loc[there, 0.3]}


def figure_detection(power: pd.DataFrame) -> Any:
    """Power by number of experiments, a curve for each true correlation.

    Parameters
    ----------
    power
        Table of :func:`helpers.studies.gain_correlations.detection_power`.
    """
    import matplotlib.pyplot as plt

    _, ax = plt.subplots(figsize=(6.0, 3.2))
    for i, (correlation, curve) in enumerate(power.items()):
        ax.plot(power.index, curve, marker="os^D"[i % 4], color=f"C{i}", label=f"{correlation:.1f}")
    ax.axhline(0.8, color=INK, lw=1, ls="--")
    ax.set(xlabel="experiments", ylabel="power", xscale="log", ylim=(0, 1.02))
    ax.set_xticks(power.index, power.index)
    ax.minorticks_off()
    ax.legend(title="true correlation", fontsize=8)
    return ax
