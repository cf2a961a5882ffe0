"""The chapter "Where it stands": quality against cost, with intervals, of floors, bags and published encoders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import check_count
from helpers.book import data
from helpers.book.style import INK
from helpers.inference import Claim, Finding, absent, weakest
from helpers.studies.russian_runs import check_staged_choices, recipe_from, train_line
from helpers.studies.standing import (
    FLOORS,
    RECALLS,
    bag_outputs,
    find_navec,
    floor_encoder,
    standing_rows,
    titles_and_distractors,
)
from helpers.tasks.recall import pareto_front

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from helpers.pairs import PairCorpus

__all__ = [
    "CLAIMS",
    "check_standing_choices",
    "tokens_figure",
    "tokens_table",
    "findings",
    "flattered_table",
    "quality_cost_figure",
    "quality_cost_table",
    "live_facts",
    "live_standing",
    "mean_scores_with_intervals",
    "published_encoders",
    "published_speeds",
    "recall_table",
    "shown_by_task",
    "standing_facts",
]

NOT_YET = "not recorded"
FASTTEXT = "fastText on GeoWAC"
GOLDEN = {"hashed words, 300": "hashing, 300 words", "hashed words, 1000": "hashing, 1000 words"}
LEVEL = 0.95

CLAIMS = {
    "hashed": Claim(
        "Counts of words, hashed to 300 and 1000 numbers, have the mean scores of the benchmark's list",
        "largest distance of the two from their published mean S",
        side="less",
        null=0.005,
        models="counts that are hashed",
        source="dale2022encodechka",
        spec=".3f",
    ),
    "fasttext": Claim(
        "A trained bag of word pieces of 12 MB is as good as fastText vectors of 1910 MB, or better",
        "mean S of the bag less the published 0.617",
        models="bags of word pieces",
        source="dale2022encodechka",
        spec="+.3f",
    ),
    "rungs": Claim(
        "It is better than every encoder that learned from no pair",
        "mean S of the bag less that of the best of them",
        models="bags of word pieces",
        spec="+.3f",
    ),
    "user": Claim(
        "The encoder USER is on the front of quality and speed",
        "mean S by which it exceeds every encoder that is as fast",
        models="transformers of 85 million parameters",
        source="deepvk2024user",
        spec="+.3f",
    ),
}
"""What is said of quality and cost."""


def check_standing_choices(
    *, language: str, width: int, steps: Sequence[int], n_resamples: int, evaluation: str = "", navec: str = ""
) -> None:
    """Refuse what the page could not do.

    Parameters
    ----------
    language
        ``"ru"`` or ``"en"``.
    width, steps
        Features of the bag; updates of stage 1, symmetric and asymmetric pairs.
    n_resamples
        Bootstrap samples, at least 19.
    evaluation
        Folder of encodechka; empty for none.
    navec
        Archive of word vectors; empty to look for one.

    Raises
    ------
    FileNotFoundError, TypeError, ValueError
        If one of them is out of range, or there is no such folder or file.
    """
    from pathlib import Path

    from helpers.locations import expand

    check_staged_choices(language, width, steps)
    check_count(n_resamples, "n_resamples", least=19)
    if evaluation and language != "ru":
        raise ValueError(f"language is {language!r}, and encodechka asks in Russian; leave evaluation empty")
    if evaluation and not Path(expand(evaluation)).is_dir():
        raise FileNotFoundError(f"evaluation: there is no folder {expand(evaluation)}")
    find_navec(navec)


def live_standing(
    corpus: PairCorpus,
    folder: str,
    *,
    width: int,
    steps: Sequence[int],
    evaluation: str = "",
    navec: str = "",
    n_resamples: int = 100,
    rng: int = 0,
) -> pd.DataFrame:
    """Floors and a bag that is trained here, measured here: tasks where there is a benchmark, titles, and speed.

    Parameters
    ----------
    corpus, folder
        Corpus to train on; folder in which stages are kept.
    width, steps
        Features, updates of the three stages; the last two train one model on all pairs.
    evaluation
        Folder of encodechka; empty for none.
    navec
        Archive of word vectors; where there is none, this floor is left out.
    n_resamples
        Bootstrap samples of the texts of a test.
    rng
        Seed of the training.

    Returns
    -------
    DataFrame
        As :func:`helpers.studies.standing.standing_rows` gives, with ``seed`` and ``updates``.
    """
    import pandas as pd

    made = {"language": corpus.language, "width": width, "steps": tuple(steps), "instructions": False}
    line = "without splitting and merging"
    recipe = recipe_from(base="bag", pieces=1500, batch=8, rate=5e-3, examples=32, line=line, **made)
    trained = train_line(corpus, recipe, folder, rng=rng)
    names = [name for name in FLOORS if name != "navec" or find_navec(navec) is not None]
    found = {name: floor_encoder(name, corpus, navec=navec) for name in names}
    bag, size = f"bag of {width}", 2 * sum(weight.numel() for weight in trained.model.parameters()) / 1e6
    encoders = {name: encode for name, (encode, _) in found.items()} | {bag: bag_outputs(trained.model)}
    megabytes = {name: size for name, (_, size) in found.items()} | {bag: size}
    texts = list(corpus.paragraphs["text"][:300])
    titles = titles_and_distractors(corpus, recipe.examples, most=2000)
    rows = standing_rows(encoders, megabytes, evaluation, texts, titles=titles, n_resamples=n_resamples)
    return pd.DataFrame(rows).assign(seed=rng, updates=np.where(rows["encoder"] == bag, int(sum(steps)), 0), tokens=0.0)


def live_facts(live: pd.DataFrame) -> dict[str, Any]:
    """What the text says of rows of :func:`live_standing`: titles, texts, chance among ten, and speeds in words."""
    rows = live.drop_duplicates("encoder").set_index("encoder")
    at = live[live["task"] == "recall@10"].iloc[0]
    one = live.loc[live["task"] == "recall@1", "chance"].iloc[0]
    floors, bags = rows[rows["updates"] == 0], rows[rows["updates"] > 0]
    return {
        "titles": int(at["n"]),
        "texts": round(1 / one),
        "chance": float(at["chance"]),
        "slowest": f"{floors['per_second'].min():,.0f}",
        "bag": f"{bags['per_second'].iloc[0]:,.0f}",
    }


# Means with intervals


def mean_scores_with_intervals(found: pd.DataFrame, task: str = "mean S", rule: str = "published") -> pd.DataFrame:
    """A score of each encoder over its seeds, with its interval and cost.

    The variance is that of the texts of the tests, which all seeds share, and that of the seeds divided by their
    number; degrees of freedom are those of Welch and Satterthwaite. Of one seed the second part is not known.

    Parameters
    ----------
    found
        Rows of :func:`helpers.studies.standing.standing_rows` with ``seed`` and ``updates``.
    task
        A task, or ``"mean S"``.
    rule
        Rule of choice: ``"published"`` or ``"honest"``.

    Returns
    -------
    DataFrame
        By encoder and updates: ``score``, ``se``, ``df``, ``ci_low``, ``ci_high``, ``n`` (texts), ``seeds``,
        ``tokens`` (millions), ``megabytes`` and ``ms`` for a sentence.
    """
    import pandas as pd
    from scipy import stats

    rows = {}
    tested = found[~found["task"].str.startswith(("mean", "recall"))]  # a mean is over the texts of all its tasks
    texts = tested.groupby(["encoder", "updates", "seed"])["n"].sum().groupby(["encoder", "updates"]).max().to_dict()
    for key, own in found[found["task"] == task].groupby(["encoder", "updates"], sort=False):
        scores, n = own[rule].to_numpy(float), len(own)
        items = float((own[f"se_{rule}"] ** 2).mean())
        seeds = float(np.var(scores, ddof=1)) / n if n > 1 else 0.0
        error = np.sqrt(items + seeds)
        df = (n - 1) * (error**2 / seeds) ** 2 if seeds else np.inf
        reach = float(stats.t.ppf((1 + LEVEL) / 2, df)) * error
        rows[key] = {
            "score": scores.mean(),
            "se": error,
            "df": df,
            "ci_low": scores.mean() - reach,
            "ci_high": scores.mean() + reach,
            "n": int(texts[key] if np.isnan(own["n"].iloc[0]) else own["n"].iloc[0]),
            "seeds": n,
            "tokens": float(own["tokens"].mean()),
            "megabytes": float(own["megabytes"].mean()),
            "ms": float((1000 / own["per_second"]).mean()),
        }
    index = pd.MultiIndex.from_tuples(rows, names=["encoder", "updates"])
    columns = ["score", "se", "df", "ci_low", "ci_high", "n", "seeds", "tokens", "megabytes", "ms"]
    return pd.DataFrame(list(rows.values()), index=index, columns=columns)


def _most_trained(table: pd.DataFrame) -> pd.DataFrame:
    """The row with the most updates of each encoder, by encoder."""
    flat = table.reset_index("updates").sort_values("updates", kind="stable")
    return flat[~flat.index.duplicated(keep="last")].reindex(table.index.get_level_values("encoder").unique())


def _with_interval(row: Any) -> str:
    return f"{row.score:.3f} [{row.ci_low:.3f}, {row.ci_high:.3f}]"


def published_encoders() -> pd.DataFrame:
    """Encoders of the source by their published numbers, which were not measured here :cite:`deepvk2024user`.

    Returns
    -------
    DataFrame
        By encoder, best first: ``"million parameters"`` without the embedding table, ``"mean S"``, ``"mean CLF"``.
    """
    told = data.table("published/russian_encoder.csv")
    wide = told[told["table"] == "comparison"].pivot(index="row", columns="column", values="value")
    names = {
        "params_million_without_embeddings": "million parameters",
        "encodechka_mean_s": "mean S",
        "encodechka_mean_clf": "mean CLF",
    }
    table = wide[list(names)].rename(columns=names).rename_axis(index="encoder", columns=None)
    return table.sort_values("mean S", ascending=False)


def published_speeds() -> pd.DataFrame:
    """The benchmark's own list :cite:`dale2022encodechka`: by encoder, ``score``, ``ms`` and ``megabytes``."""
    told = data.table("published/encodechka.csv").set_index("encoder")
    return told.rename(columns={"mean_s": "score", "milliseconds": "ms"})[["score", "ms", "megabytes"]]


# Tables


def shown_by_task(found: pd.DataFrame, rule: str = "published") -> pd.DataFrame:
    """Scores by encoder and task, each with the standard error over the texts of its test, and sentences a second."""
    import pandas as pd

    last = found["updates"] == found.groupby("encoder")["updates"].transform("max")
    some = found[last & ~found["task"].str.contains("one output")]
    told = [f"{score:.2f} ± {error:.2f}" for score, error in zip(some[rule], some[f"se_{rule}"], strict=True)]
    wide = some.assign(told=told).pivot_table(index="encoder", columns="task", values="told", aggfunc="first")
    table = wide[list(dict.fromkeys(some["task"]))].loc[list(dict.fromkeys(some["encoder"]))]
    speed = some.groupby("encoder")["per_second"].first()
    return pd.DataFrame(table.assign(**{"sentences a second": speed.map("{:,.0f}".format)})).rename_axis(columns=None)


def recall_table(found: pd.DataFrame | None) -> pd.DataFrame:
    """How often a title finds its text among the k nearest, with intervals and chance; dashes without records."""
    import pandas as pd

    names = [f"recall@{k}" for k in RECALLS]
    if found is None or not found["task"].isin(names).any():
        return pd.DataFrame("—", index=pd.Index([NOT_YET], name="encoder"), columns=names)
    tables = {name: _most_trained(mean_scores_with_intervals(found, name)) for name in names}
    told = pd.DataFrame(
        {
            name: [
                f"{row.score:.2f} [{max(0, row.ci_low):.2f}, {min(1, row.ci_high):.2f}]" for row in table.itertuples()
            ]
            for name, table in tables.items()
        },
        index=tables[names[0]].index,
    )
    chance = found[found["task"].isin(names)].groupby("task")["chance"].mean()
    told.loc["chance"] = [f"{chance[name]:.2f}" if chance[name] >= 0.005 else "< 0.01" for name in names]
    return told


def quality_cost_table(found: pd.DataFrame | None, rule: str = "published") -> pd.DataFrame:
    """Mean S, size and speed of what was measured, and whether it is on the front whatever its interval has of values.

    Published encoders stand below, by their published numbers.

    Parameters
    ----------
    found
        Recorded rows; None where nothing is recorded.
    rule
        Rule of choice: published numbers follow ``"published"``.
    """
    import pandas as pd

    columns = ["mean S", "MB", "sentences a second", "front", "from"]
    if found is None:
        own = pd.DataFrame([["—"] * 4 + ["measured"]], index=[NOT_YET], columns=columns)
    else:
        table = _most_trained(mean_scores_with_intervals(found, rule=rule))
        front = pareto_front(table, "score", "ms", low="ci_low", high="ci_high")
        own = pd.DataFrame(
            {
                "mean S": [_with_interval(row) for row in table.itertuples()],
                "MB": table["megabytes"].map("{:.1f}".format),
                "sentences a second": (1000 / table["ms"]).map("{:,.0f}".format),
                "front": front,
                "from": ["measured" + f", {n} seeds" * (n > 1) for n in table["seeds"]],
            },
            index=table.index,
        )
    told = published_speeds()
    told = told[pareto_front(told, "score", "ms") == "on"]
    listed = pd.DataFrame(
        {
            "mean S": told["score"].map("{:.3f}".format),
            "MB": told["megabytes"].map("{:.0f}".format),
            "sentences a second": (1000 / told["ms"]).map("{:,.0f}".format),
            "front": "on its list",
            "from": "published, on another machine",
        }
    )
    of_source = published_encoders()
    others = pd.DataFrame("—", index=of_source.index, columns=columns)
    others["mean S"] = of_source["mean S"].map("{:.3f}".format)
    others["from"] = [f"published, {n:.0f} M parameters without embeddings" for n in of_source["million parameters"]]
    return pd.concat([own, listed, others]).rename_axis("encoder")


def flattered_table(found: pd.DataFrame | None) -> pd.DataFrame:
    """Mean S by encoder: of its first output alone, of the best output and classifier on the test part, of those that
    are best on the training part; and what choosing on the test part adds."""
    import pandas as pd

    columns = ["one output", "best on the test part", "best on the training part", "flattered"]
    if found is None:
        return pd.DataFrame("—", index=pd.Index([NOT_YET], name="encoder"), columns=columns)
    best, honest = (_most_trained(mean_scores_with_intervals(found, rule=rule)) for rule in ("published", "honest"))
    one = _most_trained(mean_scores_with_intervals(found, "mean S, one output"))["score"]
    table = pd.DataFrame(
        {
            columns[0]: one.reindex(best.index).astype(float).fillna(best["score"]),
            columns[1]: best["score"],
            columns[2]: honest["score"],
        }
    )
    table[columns[3]] = table[columns[1]] - table[columns[2]]
    return table.map("{:.3f}".format)


def tokens_table(found: pd.DataFrame | None, rule: str = "published") -> pd.DataFrame:
    """Mean S of the bag by updates and tokens of its training, with intervals, and what the step before added."""
    import pandas as pd

    columns = ["million tokens", "mean S", "gain", "gain per doubling", "seeds"]
    curve = _curve(found, rule)
    if curve is None:
        return pd.DataFrame("—", index=pd.Index([NOT_YET], name="updates"), columns=columns)
    gain, doublings = curve["score"].diff(), np.log2(curve["tokens"]).diff()
    told = pd.DataFrame(
        {
            columns[0]: curve["tokens"].map("{:.1f}".format),
            columns[1]: [_with_interval(row) for row in curve.itertuples()],
            columns[2]: gain.map("{:+.3f}".format),
            columns[3]: (gain / doublings).map("{:+.3f}".format),
            columns[4]: curve["seeds"],
        }
    )
    told.iloc[0, 2:4] = "—"
    return told


def _curve(found: pd.DataFrame | None, rule: str) -> pd.DataFrame | None:
    """The bag by updates, fewest first; None where none is recorded."""
    if found is None:
        return None
    some = found[found["updates"] > 0]
    if some.empty:
        return None
    table = mean_scores_with_intervals(some, rule=rule)
    return None if table.empty else table.reset_index("encoder", drop=True).sort_index()


# Figures


def quality_cost_figure(found: pd.DataFrame | None, rule: str = "published") -> Figure:
    """Mean S against milliseconds for a sentence: measured with intervals, published hollow, by their own numbers."""
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(7.2, 4.2))
    told = published_speeds()
    ax.plot(told["ms"], told["score"], "o", mfc="none", color="C1", ms=4, label="published, on another machine")
    front = pareto_front(told, "score", "ms") == "on"
    best = told[front].sort_values("ms")
    ax.step(best["ms"], best["score"], where="post", color="C1", lw=0.8, ls=":")
    for name in (FASTTEXT, "rubert-tiny2", "multilingual-e5-large"):
        ax.annotate(name, told.loc[name, ["ms", "score"]], (4, -10), textcoords="offset points", fontsize=7, color="C1")
    if found is not None:
        table = _most_trained(mean_scores_with_intervals(found, rule=rule))
        verdict = pareto_front(table, "score", "ms", low="ci_low", high="ci_high")
        reach = np.abs(table[["ci_low", "ci_high"]].sub(table["score"], axis=0)).to_numpy().T
        ax.errorbar(table["ms"], table["score"], reach, fmt="none", color=INK, lw=1)
        words = {"on": "on the front", "open": "open", "off": "behind another one"}
        for kind, marker in (("on", "s"), ("open", "D"), ("off", "x")):
            some = table[verdict == kind]
            if len(some):
                ax.plot(some["ms"], some["score"], marker, color="C0", ls="none", label=f"measured, {words[kind]}")
        for name, row in table.iterrows():
            ax.annotate(name, row[["ms", "score"]], (5, 3), textcoords="offset points", fontsize=7)
    ax.set(xscale="log", xlabel="milliseconds of one core for a sentence", ylabel="mean S")
    ax.legend(fontsize=7, loc="lower right")
    return figure


def tokens_figure(found: pd.DataFrame | None, rule: str = "published") -> Figure:
    """Mean S of the bag against the tokens of its training; dotted: fastText by its published number."""
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(6.4, 3.4))
    curve = _curve(found, rule)
    if curve is not None:
        reach = np.abs(curve[["ci_low", "ci_high"]].sub(curve["score"], axis=0)).to_numpy().T
        ax.errorbar(curve["tokens"], curve["score"], reach, fmt="o-", color="C0", label="bag of word pieces")
        ax.set_xscale("log")
    ax.axhline(published_speeds().loc[FASTTEXT, "score"], color="C1", ls=":", label=f"{FASTTEXT}, published")
    ax.set(xlabel="millions of word pieces read in training", ylabel="mean S")
    ax.legend(fontsize=8)
    return figure


# Verdicts and facts


def _finding(difference: float, error: float, df: float, n: int, null: float = 0.0) -> Finding:
    """The finding about a number with a standard error, by Student's t."""
    from scipy import stats

    reach = float(stats.t.ppf((1 + LEVEL) / 2, df)) * error
    p = float(2 * stats.t.sf(abs(difference - null) / error, df))
    return Finding(difference, difference - reach, difference + reach, n, "texts of the tests", p, p)


def findings(found: pd.DataFrame | None, rule: str = "published") -> dict[str, Finding]:
    """What recorded rows say of :data:`CLAIMS`.

    Errors of two encoders on the same texts count as independent, which makes the interval of their difference too wide
    rather than too narrow.
    """
    out = dict.fromkeys(CLAIMS, absent(NOT_YET))
    out["user"] = absent("it was not run here, so that its speed beside the others is not known")
    if found is None:
        return out
    table = _most_trained(mean_scores_with_intervals(found, rule=rule))
    told = published_speeds()["score"]
    if set(GOLDEN) <= set(table.index):
        far = {name: abs(table.loc[name, "score"] - told[listed]) for name, listed in GOLDEN.items()}
        name, rounding = max(far, key=far.get), 0.0005  # the list has three digits; the texts are the same
        limits = (max(0.0, far[name] - rounding), far[name] + rounding)
        out["hashed"] = Finding(far[name], *limits, int(table.loc[name, "n"]), "texts of the tests")
    bags = table[table["updates"] > 0]
    if bags.empty:
        return out
    bag, rungs = bags.iloc[-1], table[table["updates"] == 0]
    n = int(bag["n"])
    if bag["seeds"] < 2:  # how much another training would differ is not known
        few = absent(f"{bag['seeds']:.0f} seed of the bag is recorded; two at least are needed")
        return out | dict.fromkeys(("fasttext", "rungs"), few)
    out["fasttext"] = _finding(bag["score"] - told[FASTTEXT], bag["se"], bag["df"], n)
    if len(rungs):
        parts = []
        for rung in rungs.itertuples():
            error = float(np.hypot(bag["se"], rung.se))
            df = bag["df"] * (error / bag["se"]) ** 4
            parts.append(_finding(bag["score"] - rung.score, error, df, n))
        out["rungs"] = weakest(CLAIMS["rungs"], parts)
    return out


def standing_facts(found: pd.DataFrame | None) -> dict[str, str]:
    """What the text says in numbers, in words; a dash where nothing is recorded."""
    names = ("bag", "bag_mb", "bag_honest", "bag_honest_ahead", "bag_flattered", "best_rung", "best_rung_name")
    names += ("last_gain", "tokens")
    out: dict[str, str] = dict.fromkeys(names, "—")
    told = published_speeds()
    out |= {"fasttext": f"{told.loc[FASTTEXT, 'score']:.3f}", "fasttext_mb": f"{told.loc[FASTTEXT, 'megabytes']:.0f}"}
    out |= {"published_least": f"{told['score'].min():.3f}", "published_most": f"{told['score'].max():.3f}"}
    out["published_n"] = str(len(told))
    if found is None:
        return out
    best, honest = (_most_trained(mean_scores_with_intervals(found, rule=rule)) for rule in ("published", "honest"))
    rungs, bags = best[best["updates"] == 0], best[best["updates"] > 0]
    if len(rungs):
        out |= {"best_rung": f"{rungs['score'].max():.3f}", "best_rung_name": str(rungs["score"].idxmax())}
    if len(bags):
        bag, own = bags.iloc[-1], honest.loc[bags.index[-1]]
        out |= {"bag": _with_interval(bag), "bag_mb": f"{bag['megabytes']:.1f}", "bag_honest": f"{own['score']:.3f}"}
        out |= {"bag_flattered": f"{bag['score'] - own['score']:.3f}", "tokens": f"{bag['tokens']:.0f}"}
        if own["seeds"] > 1:
            ahead = _finding(own["score"] - told.loc[FASTTEXT, "score"], own["se"], own["df"], int(own["n"]))
            out["bag_honest_ahead"] = f"{ahead.estimate:+.3f} [{ahead.low:+.3f}, {ahead.high:+.3f}]"
        out["last_gain"] = str(tokens_table(found)["gain per doubling"].iloc[-1])
    return out
