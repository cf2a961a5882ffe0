"""What the page with our own table shows: every method on every task, its cells counted, ranked, costed and judged.

The experiment itself is :mod:`helpers.studies.fusion`, the figures are in :mod:`helpers.studies.benchmark_figures`. A
cell is one encoder on one task.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import check_count
from helpers.book.data import table as recorded_table
from helpers.inference import CLAIM_VERDICTS, verdict_of
from helpers.studies import fusion

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "LEADERBOARD",
    "METHOD_NAMES",
    "cell_layers",
    "cell_methods",
    "check_choices",
    "check_leaderboard",
    "count_outcomes",
    "facts_of_cell",
    "facts_of_documentation",
    "facts_of_fusing_costs",
    "facts_of_judged",
    "facts_of_mean_ranks",
    "facts_of_pooler",
    "facts_of_public",
    "facts_of_table",
    "gain_verdicts",
    "join_cells",
    "judge_fusion",
    "reading_seconds",
    "recorded_public",
    "short_name",
    "table_costs",
    "table_counts",
    "table_documentation",
    "table_encoders",
    "table_grids",
    "table_mean_ranks",
    "table_outcomes",
    "table_task_data",
    "table_tasks",
    "telling_cell",
    "wide_scores",
]

METHOD_NAMES = {
    "last_layer": "last layer",
    "best_layer": "best layer",
    "qp_weighted": "QP",
    "qp_pca": "QP + PCA",
    "cluster_pca": "cluster + PCA",
    "greedy": "greedy",
    "qp_masked": "masked QP",
    "mean_of_layers": "mean of all",
    "mean_of_last_four": "mean of last four",
    "concat_pca": "concatenation + PCA",
    "centred_last": "last, centred",
    "whitened_last": "last, whitened",
    "scalar_mix": "learned mix",
    "best_unsupervised": "best by RankMe",
}
"""Methods of :func:`helpers.studies.fusion.fusion_methods` as the page calls them."""
LEADERBOARD = {"all-mpnet-base-v2": 83.4, "gte-small": 85.6, "all-MiniLM-L6-v2": 82.0}
"""Published scores of the last layer on the STS benchmark, from the leaderboard of MTEB."""
BOTH = ("published", "extra")
_TASKS = {"STSBenchmark": "STS-B", "TweetSentimentExtraction": "Tweets", "NFCorpus": "NFCorpus"}


def short_name(name: str) -> str:
    """An encoder or a task in few letters.

    Examples
    --------
    >>> from helpers.studies.benchmark_page import short_name
    >>> [short_name(name) for name in ("encoders/bert", "DocumentationRelatednessSTS", "sentences/gte-small")]
    ['bert', 'Relatedness STS', 'gte-small']
    """
    name = name.split("/")[-1].removeprefix("Documentation").removesuffix("Classification")
    if "-" in name:
        return name
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return _TASKS.get(name, spaced[:1] + spaced[1:].replace("STS", "sTS").lower().replace("sts", "STS"))


# Cells


def check_choices(
    poolings: Mapping[str, str | Sequence[str]],
    methods: Callable[[int], Mapping[str, fusion.Method]],
    *,
    n_fit: int,
    n_resamples: int,
    **reading: Any,
) -> None:
    """Refuse within seconds what the experiment could not do: every encoder reads one short text.

    Parameters
    ----------
    poolings
        Pooling, or several, of each encoder by its folder or name on the hub.
    methods
        Function from the number of representations to methods, as for :func:`helpers.studies.fusion.score_methods`.
    n_fit, n_resamples
        Training texts, at least 10, and bootstrap draws, at least 10.
    **reading
        Options of :func:`helpers.encoders.extraction.extract`.

    Raises
    ------
    TypeError, ValueError, FileNotFoundError
        If there is no encoder, a number is too small, an encoder is not there or cannot be read in that way, or a grid
        of parameters suits none of its representations.
    """
    from helpers.encoders.extraction import extract

    if not poolings:
        raise ValueError("encoders is empty; at least one folder or name on the hub is needed")
    check_count(n_fit, "n_fit", least=10)
    check_count(n_resamples, "n_resamples", least=10)
    for encoder, pooling in poolings.items():
        methods(len(extract(encoder, ["One short text."], pooling=pooling, **reading)))


def table_tasks(loaded: Mapping[str, Any]) -> pd.DataFrame:
    """Tasks in few letters: type, metric, items to validate and to test with, and the score of chance."""
    from helpers import tasks

    overview = tasks.describe_tasks(loaded).rename(index=short_name)
    return overview[["type", "metric", "validation", "test", "chance", "label"]].round(3)


def join_cells(found: Mapping[tuple[str, str], fusion.Fusion]) -> pd.DataFrame:
    """Tables of all cells, one below the other, with a column ``encoder``.

    Parameters
    ----------
    found
        Results of :func:`helpers.studies.fusion.score_methods`, by encoder and task.
    """
    import pandas as pd

    return pd.concat([cell.table.assign(encoder=encoder) for (encoder, _), cell in found.items()])


def telling_cell(found: Mapping[tuple[str, str], fusion.Fusion]) -> tuple[str, str]:
    """The cell in which most methods are better than the last layer, the first of equal ones.

    It is chosen by its test scores, so that it shows what an effect looks like and not how frequent effects are.

    Parameters
    ----------
    found
        Results of :func:`helpers.studies.fusion.score_methods`, by encoder and task.

    Returns
    -------
    tuple of str
        Encoder and task.
    """
    better = {cell: int((cell_methods(one)["verdict"] == "better").sum()) for cell, one in found.items()}
    return max(better, key=better.get)


def wide_scores(part: pd.DataFrame, value: str = "score", kinds: Sequence[str] = ("published",)) -> pd.DataFrame:
    """Cells × methods of a tidy table, with the names of the page.

    Parameters
    ----------
    part
        Table with the columns of :class:`helpers.studies.fusion.Fusion` and ``encoder``.
    value
        Column that fills the table.
    kinds
        Kinds of methods to show.

    Returns
    -------
    DataFrame
        Index (encoder, task) in short, in order of appearance; a column for each method.
    """
    import pandas as pd

    chosen = part[part["kind"].isin(kinds) & (part["split"] == "test")]
    cells = chosen.pivot(index=["encoder", "task"], columns="representation", values=value)
    order = pd.MultiIndex.from_frame(chosen[["encoder", "task"]].drop_duplicates())
    cells = cells.loc[order, [name for name in METHOD_NAMES if name in cells]]
    return cells.rename(columns=METHOD_NAMES).rename(index=short_name).rename_axis(columns=None)


def gain_verdicts(part: pd.DataFrame, against: str, kinds: Sequence[str] = BOTH) -> pd.DataFrame:
    """Cells × methods: better, worse or not distinguishable, where interval and test of a difference agree.

    Parameters
    ----------
    part
        Table as for :func:`wide_scores`.
    against
        ``"last"`` or ``"best"``, the layer to which all others are compared.
    kinds
        Kinds of methods to show.
    """
    import pandas as pd

    low, high, p = (wide_scores(part, f"diff_{against}_{end}", kinds) for end in ("ci_low", "ci_high", "p"))
    said = pd.DataFrame(verdict_of(low, high, p), low.index, low.columns)
    return said.drop(columns=f"{against} layer")


def _outcomes(part: pd.DataFrame, against: str) -> pd.DataFrame:
    """In how many cells each method is better, not distinguishable and worse."""
    import pandas as pd

    said = gain_verdicts(part, against)
    better, worse = (said == "better").sum(), (said == "worse").sum()
    return pd.DataFrame({"better": better, "open": len(said) - better - worse, "worse": worse})


def table_outcomes(part: pd.DataFrame) -> pd.DataFrame:
    """In how many cells each method is better than the last and than the best layer, open, or worse."""
    import pandas as pd

    both = {f"against the {other} layer": _outcomes(part, other) for other in ("last", "best")}
    joined = pd.concat(both, axis=1).astype("Int64").astype(object).fillna("—")
    return joined.loc[[name for name in METHOD_NAMES.values() if name in joined.index]]


def count_outcomes(part: pd.DataFrame, prefix: str) -> dict[str, float]:
    """How many comparisons of published methods are wins and losses.

    Parameters
    ----------
    part
        Table as for :func:`wide_scores`; without rows all numbers are 0.
    prefix
        First part of the names.

    Returns
    -------
    dict
        ``PREFIX_cells``; ``PREFIX_better_last``, ``…_worse_last`` and ``…_all_last`` of the published methods against
        the last layer; with ``_best`` those of the ensembles against the layer that validation chose; and
        ``PREFIX_luck``, how many of each kind intervals of 95 % would give of the latter if nothing differed.
    """
    found = {f"{prefix}_cells": 0, f"{prefix}_luck": 0.0}
    for against, methods in (("last", fusion.PUBLISHED[1:]), ("best", fusion.ENSEMBLES)):
        names = [METHOD_NAMES[name] for name in methods]
        counts = _outcomes(part, against).loc[names] if len(part) else None
        for word in ("better", "worse"):
            found[f"{prefix}_{word}_{against}"] = int(counts[word].sum()) if len(part) else 0
        found[f"{prefix}_all_{against}"] = int(counts.sum().sum()) if len(part) else 0
    if len(part):
        found[f"{prefix}_cells"] = len(wide_scores(part))
    return found | {f"{prefix}_luck": 0.025 * found[f"{prefix}_all_best"]}


def table_counts(parts: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Wins and losses of the published methods, a row for each set of cells.

    Parameters
    ----------
    parts
        Tables as for :func:`wide_scores`, by what they are called.

    Returns
    -------
    DataFrame
        Columns ``cells``; ``better``, ``worse`` and ``of``, against the last layer and, of the ensembles, against the
        layer that validation chose; ``by luck``, of each kind against the latter.
    """
    import pandas as pd

    rows = {}
    for name, part in parts.items():
        counts = count_outcomes(part, "n")
        rows[name] = {("", "cells"): counts["n_cells"]}
        for against, words in (("last", "the last layer"), ("best", "the chosen layer")):
            kinds = {"better": "better", "worse": "worse", "all": "of"}
            rows[name] |= {(f"against {words}", kinds[k]): counts[f"n_{k}_{against}"] for k in kinds}
        rows[name] |= {("against the chosen layer", "by luck"): f"{counts['n_luck']:.0f}"}
    return pd.DataFrame(rows).T


# Ranks and costs


def table_mean_ranks(part: pd.DataFrame, *, n_resamples: int = 500, rng: int | np.random.Generator = 0) -> pd.DataFrame:
    """Mean ranks of the published methods, with intervals over encoders and tasks.

    Parameters
    ----------
    part
        Table as for :func:`wide_scores`.
    n_resamples, rng
        Bootstrap draws of encoders and tasks, and their seed or generator.

    Returns
    -------
    DataFrame
        A row for each method, the best first: ``mean rank``, ``ci_low``, ``ci_high``, ``first in share of draws`` and
        ``mean score`` (times a hundred). Of a single encoder the tasks are drawn, of a single task the encoders; of a
        single cell nothing can be drawn, and limits and shares are NaN.
    """
    import pandas as pd

    from helpers.inference import bootstrap_mean_ranks, interval, mean_ranks

    cells = wide_scores(part)
    means, columns = mean_ranks(cells), ["mean rank", "ci_low", "ci_high", "first in share of draws"]
    by = [level for level in ("encoder", "task") if cells.index.get_level_values(level).nunique() > 1]
    found = pd.DataFrame(np.nan, cells.columns, columns).assign(**{"mean rank": means})
    if by:
        draws = bootstrap_mean_ranks(cells, by=by, n_resamples=n_resamples, rng=rng).dropna()
        for name in cells:
            found.loc[name, columns[1:3]] = interval(draws[name], None, estimate=means[name])[1:3]
        found[columns[3]] = draws.rank(axis=1, method="min").eq(1).mean()
    return found.assign(**{"mean score": cells.mean() * 100}).sort_values("mean rank")


def reading_seconds(
    encoder: str, texts: Sequence[str], *, pooling: str = "mean", max_length: int | None = None
) -> float:
    """Seconds in which an encoder reads a thousand texts, its loading included and nothing taken from a store.

    Parameters
    ----------
    encoder
        Folder or name on the hub.
    texts
        Texts that are read.
    pooling, max_length
        Same meaning as in :func:`helpers.encoders.extraction.extract`.
    """
    import tempfile
    import time

    from helpers.encoders.extraction import extract

    with tempfile.TemporaryDirectory() as store:
        began = time.perf_counter()
        extract(encoder, texts, pooling=pooling, max_length=max_length, store=store, progress=False)
        return 1000 * (time.perf_counter() - began) / len(texts)


def table_costs(ours: pd.DataFrame, methods: Mapping[str, fusion.Method]) -> pd.DataFrame:
    """What each method needs, means over the cells.

    Parameters
    ----------
    ours
        Table as for :func:`wide_scores`, with the columns ``weights``, ``width`` and the seconds.
    methods
        Methods by name, for their grids.

    Returns
    -------
    DataFrame
        Columns ``candidates``, ``width``, ``layers used``, ``depth`` that has to be computed (1 is the whole encoder),
        ``fit`` (seconds) and ``per 1000 texts`` (seconds).
    """
    import pandas as pd

    one = ours[(ours["split"] == "test") & (ours["kind"] != "layer")]
    weights = [np.array(json.loads(row)) for row in one["weights"]]
    one = one.assign(
        depth=[max(np.flatnonzero(w), default=0) / (len(w) - 1) for w in weights],
        used=[np.count_nonzero(w) for w in weights],
    )
    cost = one.groupby("representation", sort=False).agg(
        width=("width", "max"),
        used=("used", "mean"),
        depth=("depth", "mean"),
        fit=("fit_seconds", "mean"),
        per_1000=("seconds_per_1000", "mean"),
    )
    sizes = {name: [len(values) for values in method.grid.values()] for name, method in methods.items()}
    cost.insert(0, "candidates", pd.Series({name: int(np.prod(n)) if n else 0 for name, n in sizes.items()}))
    shown = {"used": "layers used", "fit": "fit, s", "per_1000": "1000 texts, s"}
    return cost.rename(index=METHOD_NAMES, columns=shown).rename_axis(None)


# Recorded


def recorded_public() -> dict[str, pd.DataFrame]:
    """The recorded cells, in three parts.

    Returns
    -------
    dict of str to DataFrame
        ``"real"``: pretrained encoders on public data; ``"shipped"``: the encoders of the book on public data;
        ``"full"``: the encoders of the book on all items of the documentation. Columns as of
        :func:`helpers.studies.fusion.recorded_scores`.
    """
    found = fusion.recorded_scores().sort_values("encoder", kind="stable")
    own, public = found["encoder"].str.startswith("encoders/"), found["source"] == "folder"
    return {"real": found[public & ~own], "shipped": found[public & own], "full": found[~public & own]}


def table_encoders(parts: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """What was recorded of each encoder and source: layers, width, tasks, digest of the weights, date, minutes."""
    import pandas as pd

    about = pd.concat(parts).groupby(["encoder", "source"])
    about = about.agg(
        layers=("layers", "first"),
        width=("width", "max"),
        tasks=("task", "nunique"),
        computed_in=("dtype", "first"),
        weights=("weights_sha256", lambda digests: digests.iloc[0][:12] + "…"),
        recorded=("date", "max"),
        minutes=("minutes", lambda minutes: minutes.drop_duplicates().sum()),
    )
    return about.rename(index=short_name, columns={"computed_in": "computed in"})


def _task_records() -> pd.DataFrame:
    records = recorded_table("results/fusion_tasks.csv").set_index(["source", "task"])
    return records.assign(data_sha256=records["data_sha256"].str[:12] + "…").rename(index=short_name)


def table_task_data() -> pd.DataFrame:
    """Sizes of the splits of each recorded task, and the digest of its data."""
    return _task_records()[["train", "validation", "test", "corpus", "data_sha256"]]


def table_grids() -> pd.DataFrame:
    """The grids from which validation chose in the recorded runs, and the numbers of texts and draws, by source."""
    shown = _task_records()[["lambdas", "n_clusters", "n_selected", "n_fit", "n_resamples"]]
    return shown.droplevel("task").reset_index().drop_duplicates().set_index("source")


def check_leaderboard(real: pd.DataFrame) -> dict[str, float]:
    """How many encoders :data:`LEADERBOARD` has, and how far their last layers are from it in points, at most."""
    sts = real[(real["task"] == "STSBenchmark") & (real["split"] == "test")]
    last = 100 * sts[sts["representation"] == "last_layer"].set_index("encoder")["score"]
    off = [abs(last[name] - value) for name, value in LEADERBOARD.items() if name in last]
    return {"anchors": len(off), "anchor_off": max(off)}


# Claims


def judge_fusion(
    part: pd.DataFrame, on: str, *, transfer: bool = False, n_resamples: int = 2000, rng: int | np.random.Generator = 0
) -> pd.DataFrame:
    """Verdicts on the claims of the published study, by the cells of a table.

    Parameters
    ----------
    part
        Table as for :func:`helpers.studies.fusion.findings`; without rows nothing is testable.
    on, transfer
        Same meaning as in :func:`helpers.inference.judge`.
    n_resamples, rng
        Same meaning as in :func:`helpers.studies.fusion.findings`.
    """
    from helpers.inference import judge

    found = fusion.findings(part, n_resamples=n_resamples, rng=rng) if len(part) else {}
    return judge(fusion.CLAIMS, found, on=on, transfer=transfer)


def table_documentation(judged: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """What was found and the verdict on each claim, side by side for several sets of cells."""
    import pandas as pd

    from helpers.inference import claims_table

    return pd.concat({name: claims_table(one)[["here", "verdict"]] for name, one in judged.items()}, axis=1)


# Facts


def facts_of_table(found: Mapping[tuple[str, str], fusion.Fusion], ours: pd.DataFrame) -> dict[str, float]:
    """Sizes of the experiment: cells, methods, scores, texts and how many of them were truncated."""
    lost = [np.count_nonzero(one.representations.tokens_lost) for one in found.values()]
    return {
        "n_cells": len(found),
        "n_methods": len(METHOD_NAMES),
        "n_scores": int((ours["split"] == "test").sum()),
        "n_texts": sum(len(one.representations.tokens_lost) for one in found.values()),
        "n_cut": int(sum(lost)),
    }


def cell_layers(one: fusion.Fusion) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of the layers of a cell by name, first of validation, then of test."""
    layers = one.table[one.table["kind"] == "layer"].set_index("representation")
    return layers[layers["split"] == "validation"], layers[layers["split"] == "test"]


def cell_methods(one: fusion.Fusion) -> pd.DataFrame:
    """Test rows of the methods of a cell but the last layer, by the names of the page, with a column ``verdict``."""
    made = one.table[(one.table["kind"] != "layer") & (one.table["split"] == "test")].set_index("representation")
    made = made.rename(index=METHOD_NAMES).drop("last layer")
    return made.assign(verdict=verdict_of(*(made[f"diff_last_{end}"] for end in ("ci_low", "ci_high", "p"))))


def facts_of_cell(cell: tuple[str, str], one: fusion.Fusion) -> dict[str, Any]:
    """What one cell shows: the width of its intervals, its best layers, and how many methods differ from the last.

    Parameters
    ----------
    cell
        Encoder and task.
    one
        What was found for them.
    """
    (valid, test), made = cell_layers(one), cell_methods(one)
    last, chosen = test.iloc[-1], valid["score"].idxmax()
    paired = made["diff_last_ci_high"] - made["diff_last_ci_low"]
    return {
        "cell_encoder": short_name(cell[0]),
        "cell_task": short_name(cell[1]),
        "cell_n": int(last["n_items"]),
        "cell_width": 100 * (last["ci_high"] - last["ci_low"]),
        "cell_four_paired": 100 * paired["mean of last four"],
        "cell_best": chosen,
        "cell_best_test": test["score"].idxmax(),
        "cell_gap": 100 * (test["score"].max() - test["score"][chosen]),
        "cell_better": int((made["verdict"] == "better").sum()),
        "cell_worse": int((made["verdict"] == "worse").sum()),
        "cell_methods": len(made),
    }


def facts_of_mean_ranks(
    ranks: pd.DataFrame, part: pd.DataFrame, prefix: str = "", *, agreement: bool = False
) -> dict[str, Any]:
    """Who has the best mean rank, how often under resampling, and what Friedman's test says, in words.

    Parameters
    ----------
    ranks
        Table of :func:`table_mean_ranks`.
    part
        Table from which it was made.
    prefix
        First part of the names.
    agreement
        Whether Kendall's coefficient of agreement is given too.

    Returns
    -------
    dict
        ``first`` and ``first_rank``; ``first_share`` of draws in per cent, ``friedman_p`` and ``kendall_w`` as they are
        written, a dash where there is a single cell, or where all methods are equal in every cell.
    """
    from helpers.inference import friedman

    cells, share = wide_scores(part), 100 * ranks["first in share of draws"].iloc[0]
    found = {"first": ranks.index[0], "first_rank": ranks["mean rank"].iloc[0]}
    found |= {"first_share": "—" if np.isnan(share) else f"{share:.0f}", "friedman_p": "—", "kendall_w": "—"}
    if len(cells) > 1 and (cells.nunique(axis=1) > 1).any():
        test = friedman(cells)
        found |= {"friedman_p": f"{test.f_p:.2g}", "kendall_w": f"{test.kendall_w:.2f}"}
    return {f"{prefix}{name}": value for name, value in found.items() if agreement or name != "kendall_w"}


def facts_of_fusing_costs(costs: pd.DataFrame, reading: float) -> dict[str, float]:
    """How long the slowest fusion takes for a thousand texts: in milliseconds, and in per cent of the reading."""
    slowest = costs["1000 texts, s"].max()
    return {"reading": reading, "slowest": 1000 * slowest, "slowest_share": 100 * slowest / reading}


def facts_of_public(parts: Mapping[str, pd.DataFrame]) -> dict[str, float]:
    """Wins and losses in all recorded parts, and in how many cells of pretrained encoders the last layer is best."""
    real = parts["real"]
    layers = real[(real["split"] == "test") & (real["kind"] == "layer")].groupby(["encoder", "task"])["score"]
    found = {"real_last_top": int(layers.agg(lambda s: s.to_numpy().argmax() == len(s) - 1).sum())}
    for name, part in parts.items():
        found |= count_outcomes(part, name)
    return found


def facts_of_pooler(alone: Mapping[str, float]) -> dict[str, Any]:
    """On how many tasks one representation stands alone, and the mean of by how much, with its interval."""
    from helpers.inference import interval

    values = list(alone.values())
    mean = f"{interval(values):+.2f}" if len(values) > 1 else "not known"
    return {"alone_share": sum(value > 0 for value in values), "alone_all": len(values), "alone": mean}


def facts_of_judged(judged: pd.DataFrame) -> dict[str, float]:
    """How many questions are decided, and the smallest differences that the study would have found."""
    return {
        "decided": int((judged["verdict"] != CLAIM_VERDICTS[2]).sum()),
        "asked": len(judged),
        "finds_best": judged.loc["best", "detectable"].max(),
        "finds_last": judged.loc["last", "detectable"].min(),
    }


def facts_of_documentation(judged: Mapping[str, pd.DataFrame]) -> dict[str, str]:
    """What was found of each claim, as ``KEY_PLACE``."""
    from helpers.inference import claims_table

    return {
        f"{key}_{place}": here
        for place, one in judged.items()
        for key, here in zip(one.index, claims_table(one)["here"], strict=True)
    }
