"""What the page about duplicates shows: tables, facts and figures of :mod:`helpers.studies.duplicates`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import check_count, check_not_negative, check_number
from helpers.book.data import table as recorded_table
from helpers.book.style import INK
from helpers.inference import verdict_of
from helpers.postprocessing import TREATMENTS, treatments
from helpers.studies.duplicates import CLAIMS, findings, pair_scores, pairs_in_a_cone, score_treatments

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "SHOWN",
    "STEPS",
    "by_encoder",
    "check_duplicate_choices",
    "count_encoders",
    "dose_response",
    "facts",
    "facts_of_doses",
    "facts_of_records",
    "facts_of_run",
    "facts_of_steps",
    "facts_of_verdicts",
    "figure_doses",
    "figure_layers",
    "figure_treatments",
    "join_treatments",
    "judge_treatments",
    "layer_gains",
    "recorded_treatments",
    "score_encoders",
    "table_fused",
    "table_prediction",
    "table_runs",
    "table_steps",
]

SHOWN = ("raw", "centred", "pca_half", "svd_half", "top_1_removed", "whitened")
"""Treatments of made-up pairs that the page compares."""
STEPS = {
    "side by side": ("QP, concatenated", "raw"),
    "+ centred": ("QP, concatenated", "centred"),
    "+ PCA (published)": ("QP, concatenated", "pca"),
    "QP, centred": ("QP", "centred"),
    "QP, whitened": ("QP", "whitened"),
}
"""The way from the weighted sum to the published variant with PCA, and two shortcuts."""


def check_duplicate_choices(
    encoders: Sequence[str],
    task: Any,
    *,
    n_pairs: int,
    n_features: int,
    n_fit: int,
    n_resamples: int,
    lam: float,
    confidence_level: float,
    max_length: int | None = None,
) -> None:
    """Refuse within seconds what the page could not do: every encoder reads one short text.

    Parameters
    ----------
    encoders, task, max_length
        Same meaning as in :func:`score_encoders`.
    n_pairs, n_features
        Made-up pairs, at least 10, and features of their vectors, at least 3.
    n_fit, n_resamples
        Texts from which treatments are learnt, at least 10, and bootstrap draws, at least 10.
    lam, confidence_level
        Similarity penalty, at least 0, and level between 0 and 1.

    Raises
    ------
    TypeError, ValueError, FileNotFoundError
        If there is no encoder, one of them is not there or cannot be read in that way, the task is none of pairs, or a
        number is out of range.
    """
    from helpers.encoders.extraction import extract

    about = task.metadata
    if about.type != "PairClassification":
        raise ValueError(f"task_name is {about.name!r}, which is of type {about.type}; PairClassification is needed")
    if not encoders:
        raise ValueError("encoders is empty; at least one folder or name on the hub is needed")
    check_count(n_pairs, "n_pairs", least=10)
    check_count(n_features, "n_features", least=3)
    check_count(n_fit, "n_fit", least=10)
    check_count(n_resamples, "n_resamples", least=10)
    check_not_negative(lam, "lam")
    check_number(confidence_level, "confidence_level", lambda level: 0 < level < 1, "a number between 0 and 1")
    for encoder in encoders:
        extract(encoder, ["One short text."], max_length=max_length, progress=False)


def dose_response(
    kind: str,
    doses: Sequence[float],
    n: int,
    p: int,
    *,
    spread: float = 0.3,
    rng: int | np.random.Generator = 0,
) -> pd.DataFrame:
    """What treatments make of made-up pairs, by the dose of a common vector or of a rogue direction.

    Parameters
    ----------
    kind
        ``"common"`` or ``"rogue"``.
    doses
        Values of that parameter of :func:`pairs_in_a_cone`.
    n, p
        Pairs of which treatments are learnt, and as many that are scored; features.
    spread, rng
        Same meaning as in :func:`pairs_in_a_cone`.

    Returns
    -------
    DataFrame
        A row for each dose: average precision by the cosine after each treatment of :data:`SHOWN`; that by the
        ``distance`` of the raw vectors; ``mean cosine``; and ``RankMe`` as a share of the features.
    """
    import pandas as pd

    from helpers.quality import mean_cosine, rankme

    if kind not in ("common", "rogue"):
        raise ValueError(f"kind is {kind!r}; 'common' or 'rogue' is needed")
    rows, learn = [], np.arange(2 * n) % 2 == 0
    for dose in doses:
        pairs = pairs_in_a_cone(2 * n, p, spread=spread, rng=rng, **{kind: dose})
        maps = treatments(np.vstack([pairs.x[learn], pairs.y[learn]]), names=SHOWN)
        x, y, labels = (part[~learn] for part in pairs)
        row = {name: pair_scores(change(x), change(y), labels)["cosine"] for name, change in maps.items()}
        row |= {"distance": pair_scores(x, y, labels)["euclidean"]}
        rows.append(row | {"mean cosine": mean_cosine(x), "RankMe": rankme(x) / p})
    return pd.DataFrame(rows, index=doses)


def score_encoders(encoders: Sequence[str], task: Any, *, max_length: int = 128, **options: Any) -> pd.DataFrame:
    """Tables of :func:`score_treatments` of several encoders, one below the other, with a column ``encoder``.

    Parameters
    ----------
    encoders
        Folders or names on the hub.
    task
        A pair classification; without training texts, its validation texts replace them.
    max_length
        Tokens that are read of a text.
    options
        Passed to :func:`score_treatments`.
    """
    from functools import partial

    import pandas as pd

    from helpers.encoders.extraction import extract

    splits = task.dataset.get("default", task.dataset)
    splits.setdefault("train", splits["validation"])
    found = {}
    for encoder in encoders:
        encode = partial(extract, encoder, max_length=max_length, progress=False)
        found[encoder.rsplit("/", 1)[-1]] = score_treatments(encode, task, **options).table
    return pd.concat(found, names=["encoder"]).reset_index("encoder").reset_index(drop=True)


def recorded_treatments() -> pd.DataFrame:
    """The recorded table of this experiment on pretrained encoders and duplicates from Quora."""
    recorded = recorded_table("results/duplicates.csv")
    return recorded[~recorded["encoder"].str.startswith("encoders/")]


def table_runs() -> pd.DataFrame:
    """What made the rows of the recorded table, by encoder."""
    about = recorded_table("results/duplicates_runs.csv").set_index("encoder")
    about = about[["task", "layers", "n_texts", "dtype", "weights_sha256", "date", "minutes"]]
    return about.assign(weights_sha256=about["weights_sha256"].str[:12])


def join_treatments(live: pd.DataFrame, recorded: pd.DataFrame, here: str) -> pd.DataFrame:
    """Both tables, with encoders called after what they were tried on: ``here``, or Quora; ``live`` says which."""
    import pandas as pd

    both = pd.concat([live.assign(live=True), recorded.assign(live=False)], ignore_index=True)
    both["encoder"] = both["encoder"].str.rsplit("/").str[-1] + np.where(both["live"], f", {here}", ", Quora")
    return both


def by_encoder(
    table: pd.DataFrame, representation: str, treatment: str, column: str, metric: str = "cosine"
) -> pd.Series:
    """One column of one treatment of one representation, by encoder."""
    rows = table[
        (table["representation"] == representation) & (table["treatment"] == treatment) & (table["metric"] == metric)
    ]
    return rows.set_index("encoder")[column]


def count_encoders(table: pd.DataFrame, representation: str, treatment: str, against: str = "raw") -> tuple[int, int]:
    """For how many encoders a treatment is better, and worse, than another: interval and test agree."""
    ends = ("ci_low", "ci_high", "p")
    found = verdict_of(*(by_encoder(table, representation, treatment, f"diff_{against}_{end}") for end in ends))
    return int((found == "better").sum()), int((found == "worse").sum())


def table_fused(live: pd.DataFrame) -> pd.DataFrame:
    """Average precision of the weighted sum by the cosine: treatments × encoders."""
    rows = live[(live["metric"] == "cosine") & (live["representation"] == "QP")]
    found = rows.pivot(index="treatment", columns="encoder", values="score")
    return found.loc[list(TREATMENTS), list(live["encoder"].unique())].rename_axis("cosine AP of QP")


def table_steps(both: pd.DataFrame) -> pd.DataFrame:
    """Gain of each of :data:`STEPS` over the raw weighted sum, in points with its interval, by encoder."""
    import pandas as pd

    steps = {}
    for step, (representation, treatment) in STEPS.items():
        ends = [100 * by_encoder(both, representation, treatment, f"diff_qp{e}") for e in ("", "_ci_low", "_ci_high")]
        steps[step] = pd.concat(ends, axis=1).apply(lambda row: "{:+.1f} [{:+.1f}, {:+.1f}]".format(*row), axis=1)
    return pd.DataFrame(steps).loc[both["encoder"].unique()].rename_axis("points over QP")


def layer_gains(both: pd.DataFrame) -> pd.DataFrame:
    """Layers of all encoders: the mean cosine of the raw layer, and the gain of centring and whitening in points.

    Returns
    -------
    DataFrame
        Index (encoder, representation); columns ``live``, ``mean cosine``, ``centred`` and ``whitened``.
    """
    layers = both[both["representation"].str.startswith("layer ") & (both["metric"] == "cosine")]
    by = {name: rows.set_index(["encoder", "representation"]) for name, rows in layers.groupby("treatment")}
    found = by["raw"][["live", "mean_cosine"]].rename(columns={"mean_cosine": "mean cosine"})
    return found.assign(**{name: 100 * by[name]["diff_raw"] for name in ("centred", "whitened")})


def table_prediction(gains: pd.DataFrame) -> pd.DataFrame:
    """Rank correlation of the mean cosine of a layer with what centring and whitening gain, within each encoder."""
    import pandas as pd
    from scipy.stats import spearmanr

    rows = {}
    for encoder, own in gains.groupby(level="encoder", sort=False):
        rows[encoder] = {name: spearmanr(own["mean cosine"], own[name]).statistic for name in ("centred", "whitened")}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("Spearman, over layers")


def judge_treatments(live: pd.DataFrame, recorded: pd.DataFrame) -> pd.DataFrame:
    """Verdicts on :data:`CLAIMS`: on the encoders of the run, and whether they transfer to sentence encoders."""
    import pandas as pd

    from helpers.inference import judge

    claims = {key: question.claim for key, question in CLAIMS.items()}
    far = judge(claims, findings(recorded), on="sentence encoders, Quora", transfer=True)
    return pd.concat([judge(claims, findings(live), on="encoders of this run"), far])


# Facts


def facts() -> dict[str, float]:
    """Points by which the published variant with PCA leads the weighted sum on duplicates."""
    published = recorded_table("published/layer_fusion.csv")
    published = published[published["task"] == "SprintDuplicateQuestions"]
    scores = 100 * published.pivot(index="model", columns="method", values="score")
    lead = scores["qp_pca"] - scores["qp_weighted"]
    names = {"bert": "bert-base", "roberta": "roberta-base", "simcse": "sup-simcse-bert-base"}
    return {f"published_{name}": lead[model] for name, model in names.items()} | {"published_mean": lead.mean()}


def facts_of_doses(response: Mapping[str, pd.DataFrame]) -> dict[str, float]:
    """What the largest dose of each kind does, from tables of :func:`dose_response`."""
    found = {}
    for kind, rows in response.items():
        last = rows.iloc[-1]
        found[f"{kind}_raw"], found[f"{kind}_cosine"] = last["raw"], abs(last["mean cosine"])
        found[f"{kind}_rankme"] = 100 * last["RankMe"]
    common, rogue = response["common"], response["rogue"].iloc[-1]
    found |= {"common_none": common["raw"].iloc[0], "common_distance": common["distance"].iloc[-1]}
    return found | {"rogue_centred": rogue["centred"], "rogue_top": rogue["top_1_removed"]}


def facts_of_run(live: pd.DataFrame) -> dict[str, float]:
    """What centring and whitening do to the weighted sums of the encoders of the run."""
    cosines = by_encoder(live, "QP", "raw", "mean_cosine")
    found = {
        "n_live": int(live["n_pairs"].iloc[0]),
        "n_encoders": live["encoder"].nunique(),
        "live_cosine_ci_low": cosines.min(),
        "live_cosine_ci_high": cosines.max(),
        "live_cosine_after": by_encoder(live, "QP", "centred", "mean_cosine").max(),
    }
    for treatment in ("centred", "whitened"):
        found[f"live_{treatment}"], found[f"live_{treatment}_worse"] = count_encoders(live, "QP", treatment)
        found[f"live_{treatment}_mean"] = 100 * by_encoder(live, "QP", treatment, "diff_raw").mean()
    return found


def facts_of_records(recorded: pd.DataFrame) -> dict[str, float]:
    """What centring and whitening do to the weighted sums and the plain means of the recorded encoders."""
    cosines = by_encoder(recorded, "QP", "raw", "mean_cosine")
    lost = 100 * by_encoder(recorded, "mean of layers", "raw", "diff_qp")
    weights = recorded[recorded["weight"] >= 1e-3].groupby(["encoder", "representation"]).size()
    found = {
        "n_quora": int(recorded["n_pairs"].max()),
        "n_real": recorded["encoder"].nunique(),
        "mean_lost_ci_low": lost.min(),
        "mean_lost_ci_high": lost.max(),
        "real_single": int((weights.groupby("encoder").size() == 1).sum()),
        "real_cosine_ci_low": cosines.min(),
        "real_cosine_ci_high": cosines.max(),
    }
    for representation, short in (("QP", "real"), ("mean of layers", "mean")):
        for treatment in ("centred", "whitened"):
            name, gains = f"{short}_{treatment}", 100 * by_encoder(recorded, representation, treatment, "diff_raw")
            found[name], found[f"{name}_worse"] = count_encoders(recorded, representation, treatment)
            found[f"{name}_ci_low"], found[f"{name}_ci_high"] = gains.min(), gains.max()
    return found


def facts_of_steps(both: pd.DataFrame, prediction: pd.DataFrame) -> dict[str, float]:
    """What PCA does beyond centring, and how well the mean cosine predicts the gain by centring."""
    step = by_encoder(both, "QP, concatenated", "pca", "diff_centred")
    return {
        "pca_step": 100 * step.abs().max(),
        "pca_step_sure": sum(count_encoders(both, "QP, concatenated", "pca", "centred")),
        "predict_ci_low": prediction["centred"].min(),
        "predict_ci_high": prediction["centred"].max(),
        "predict_positive": int((prediction["centred"] > 0).sum()),
        "predict_n": len(prediction),
    }


def facts_of_verdicts(both: pd.DataFrame, judged: pd.DataFrame) -> dict[str, str]:
    """Least and largest gain of each question over the encoders, and the verdicts on questions without a source."""
    found = {}
    for key, (representation, treatment, against, _, metric) in CLAIMS.items():
        gains = 100 * by_encoder(both, representation, treatment, f"diff_{against}", metric)
        found[f"range_{key}"] = f"{gains.min():+.1f} … {gains.max():+.1f}"
    rivals = judged.loc[(judged["source"] == "") & ~judged["transfer"], "verdict"]
    return found | {f"verdict_{key}": verdict for key, verdict in rivals.items()}


# Figures

_LOOKS = {
    "raw": ("C3", "-"),
    "centred": ("C0", "-"),
    "pca_half": ("C0", ":"),
    "svd_half": ("C3", ":"),
    "top_1_removed": ("C2", "-"),
    "whitened": ("C4", "--"),
    "distance": (INK, "--"),
}


def figure_doses(response: Mapping[str, pd.DataFrame], chance: float) -> Any:
    """Average precision by dose and treatment, above what is measured of anisotropy.

    Parameters
    ----------
    response
        Tables of :func:`dose_response`, by kind.
    chance
        Share of duplicates, as a grey line.
    """
    import matplotlib.pyplot as plt

    rows = {"sharex": True, "sharey": "row", "gridspec_kw": {"height_ratios": [2, 1]}}
    fig, axes = plt.subplots(2, 2, figsize=(7.2, 5.4), **rows)
    titles = {"common": ("common vector", "dose $t$"), "rogue": ("rogue direction", "dose $r$")}
    for (kind, rows), (ax, below) in zip(response.items(), axes.T, strict=True):
        x = np.arange(len(rows))
        for name, (color, line) in _LOOKS.items():
            ax.plot(x, rows[name], line, color=color, lw=2, label=name.replace("_", " "))
        ax.axhline(chance, color=INK, lw=3, alpha=0.3)
        below.plot(x, rows["mean cosine"], "o-", color="C1", label="mean cosine")
        below.plot(x, rows["RankMe"], "s-", color="C5", label="RankMe / width")
        title, label = titles[kind]
        ax.set(title=title)
        below.set_xticks(x, [f"{dose:g}" for dose in rows.index])
        below.set(xlabel=label, ylim=(-0.08, 1.08))
    axes[0, 0].set(ylabel="average precision", ylim=(0.25, 1.0))
    axes[1, 0].legend(fontsize=9, loc="center left")
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncol=4, fontsize=9)
    return axes


def figure_treatments(table: pd.DataFrame) -> Any:
    """Gains of all treatments over raw, one panel for each encoder: of QP, and of the plain mean of layers."""
    import matplotlib.pyplot as plt
    import seaborn as sns

    encoders = table["encoder"].unique()
    order = [name for name in TREATMENTS if name != "raw"][::-1]
    size, shared = (1.2 + 2.1 * len(encoders), 4.0), {"sharex": True, "sharey": True, "squeeze": False}
    fig, axes = plt.subplots(1, len(encoders), figsize=size, **shared)
    looks = {"QP": ("C0", "o", 0.15), "mean of layers": ("C1", "s", -0.15)}
    for ax, encoder in zip(axes.flat, encoders, strict=True):
        own = table[(table["encoder"] == encoder) & (table["metric"] == "cosine")]
        for representation, (color, marker, shift) in looks.items():
            rows = own[own["representation"] == representation].set_index("treatment").loc[order]
            rows, y = 100 * rows.filter(like="diff_raw"), np.arange(len(order)) + shift
            ax.hlines(y, rows["diff_raw_ci_low"], rows["diff_raw_ci_high"], color=color, lw=2)
            ax.plot(rows["diff_raw"], y, marker, color=color, ms=5, label=representation)
        ax.axvline(0, color=INK, lw=0.8)
        ax.set_yticks(np.arange(len(order)), [name.replace("_", " ") for name in order])
        ax.set(title=str(encoder).rsplit("/", 1)[-1])
        ax.tick_params(axis="y", length=0)
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncol=2)
    fig.supxlabel("gain over raw, points of AP", fontsize=10, color=INK)
    sns.despine(left=True)
    return axes


def figure_layers(gains: pd.DataFrame) -> Any:
    """Gain by centring and by whitening against the mean cosine of the raw layer, a point for each layer."""
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(1, 2, figsize=(7.2, 3.8), sharex=True)
    for ax, treatment in zip(axes, ("centred", "whitened"), strict=True):
        for i, (encoder, own) in enumerate(gains.groupby(level="encoder", sort=False)):
            marker = "o" if own["live"].all() else "^"
            look = {"color": f"C{i}", "ms": 5, "alpha": 0.8, "label": encoder}
            ax.plot(own["mean cosine"], own[treatment], marker, **look)
        ax.axhline(0, color=INK, lw=0.8)
        ax.set(title=treatment, xlabel="mean cosine of the raw layer")
    axes[0].set(ylabel="gain over raw, points")
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncol=2, fontsize=8)
    return axes
