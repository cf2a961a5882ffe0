"""What the page about layers shows: tables, facts and figures of :mod:`helpers.studies.layers`, here and recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.book.data import table as recorded_table
from helpers.book.style import INK
from helpers.inference import Finding, Interval, absent
from helpers.metrics import spearman
from helpers.similarity import MEASURES
from helpers.studies.layers import (
    CLAIMS,
    VIEWS,
    LayerStudy,
    as_similarities,
    blocks_finding,
    claimed_partitions,
    cut_tree,
    findings,
    pooler_finding,
    rank_ends,
    rank_partitions,
    similarity_rows,
)

if TYPE_CHECKING:
    import pandas as pd
    from pandas.io.formats.style import Styler

__all__ = [
    "ABOUT_ALL",
    "NAMES",
    "changes_with_depth",
    "encode_views",
    "facts_of_agreement",
    "facts_of_beyond",
    "facts_of_depth",
    "facts_of_falls",
    "facts_of_leads",
    "facts_of_spread",
    "fall_with_depth",
    "figure_agreement",
    "figure_depth",
    "figure_heat",
    "figure_trees",
    "from_chance",
    "leads_of",
    "own_findings",
    "recorded_findings",
    "recorded_leads",
    "recorded_maps",
    "rows_of",
    "show_plain",
    "table_agreement",
    "table_beyond",
    "table_between",
    "table_by_run",
    "table_ends",
    "table_partitions",
    "table_pooler",
    "table_recorded",
    "without_pooler",
]

NAMES = {"cka": "CKA", "rsa": "RSA", "jaccard": "Jaccard", "distance_correlation": "dCor", "rtd": "RTD"}
"""Measures as the page writes them."""
ABOUT_ALL = {key: CLAIMS[key] for key in ("agree", "first", "last", "centre")}
"""Claims about every encoder, not about one network."""

Maps = Mapping[str, Mapping[str, "pd.DataFrame"]]


# Layers


def encode_views(
    encoders: Sequence[str], texts: Sequence[str], with_pooler: Sequence[str] = ()
) -> tuple[dict[str, dict[str, np.ndarray]], pd.DataFrame]:
    """All layers of encoders on the same texts, and what was computed.

    Parameters
    ----------
    encoders
        Folders, or names on the hub.
    texts
        Sentences that every encoder reads.
    with_pooler
        Encoders whose pooler output is one more view.

    Returns
    -------
    views : dict of str to dict of str to ndarray
        Arrays (texts, width) by the number of the layer, or ``"pooler"``, by the last part of the encoder's name.
    table : DataFrame
        A row for each encoder: ``views``, ``width``, ``sentences``, ``truncated`` and the digest of its ``weights``.
    """
    import warnings
    from pathlib import PurePath

    import pandas as pd

    from helpers.encoders.extraction import extract

    views, rows = {}, []
    for encoder in encoders:
        pooling = ["mean", "pooler"] if encoder in with_pooler else "mean"
        with warnings.catch_warnings(action="ignore"):  # truncation is in the table
            found = extract(encoder, texts, pooling=pooling, progress=False)
        name = PurePath(encoder).name
        views[name] = {layer.removeprefix("layer "): np.asarray(x) for layer, x in found.items()}
        row = {"encoder": name, "views": len(found), "width": found["layer 0"].shape[1], "sentences": len(texts)}
        weights = next(digest for file, digest in found.files.items() if "safetensors" in file)
        rows.append(row | {"truncated": int(np.count_nonzero(found.tokens_lost)), "weights": weights[:12]})
    return views, pd.DataFrame(rows)


def without_pooler(compared: Mapping[str, LayerStudy]) -> dict[str, LayerStudy]:
    """The same comparisons of the layers alone."""

    def layers(found: LayerStudy) -> list[str]:
        return [layer for layer in found.matrices["cka"].index if layer != "pooler"]

    return {name: found.of(layers(found)) for name, found in compared.items()}


def changes_with_depth(views: Mapping[str, Mapping[str, np.ndarray]]) -> pd.DataFrame:
    """What changes from layer to layer, over all sentences; the pooler does not count.

    Parameters
    ----------
    views
        Arrays by layer, by encoder, from :func:`encode_views`.

    Returns
    -------
    DataFrame
        A row for each layer: ``encoder``, ``layer``, mean ``length`` against that of layer 0, mean ``cosine with the
        layer before`` of the same sentence (NaN for layer 0), and mean ``cosine of two sentences``.
    """
    import pandas as pd

    from helpers.arrays import unit_rows
    from helpers.quality import mean_cosine

    rows = []
    for name, x in views.items():
        layers, before = [layer for layer in x if layer != "pooler"], None
        first = np.linalg.norm(x[layers[0]], axis=1).mean()
        for at, layer in enumerate(layers):
            unit = unit_rows(x[layer])
            row = {"encoder": name, "layer": at, "length": np.linalg.norm(x[layer], axis=1).mean() / first}
            row["cosine with the layer before"] = np.nan if before is None else np.mean(np.sum(unit * before, axis=1))
            rows.append(row | {"cosine of two sentences": mean_cosine(x[layer])})
            before = unit
    return pd.DataFrame(rows)


def rows_of(compared: Mapping[str, LayerStudy]) -> pd.DataFrame:
    """Rows of :func:`helpers.studies.layers.similarity_rows` of all encoders, with a column ``run`` that names them."""
    import pandas as pd

    found = pd.concat({name: similarity_rows(one) for name, one in compared.items()}, names=["run"])
    return found.reset_index("run").reset_index(drop=True)


def from_chance(found: LayerStudy) -> dict[str, pd.DataFrame]:
    """Matrices of a comparison on a scale from the chance level of each measure, 0, to identity, 1, by measure."""
    return {measure: _from_chance(found.matrices[measure], found.chance[measure], measure) for measure in VIEWS}


def recorded_maps(corpus: str = "STSBenchmark") -> dict[str, dict[str, pd.DataFrame]]:
    """Matrices as :func:`from_chance` gives them, of the recorded encoders on one corpus.

    Parameters
    ----------
    corpus
        Corpus that is taken; where an encoder has none, its first one.
    """
    import pandas as pd

    grid = {}
    for name, runs in recorded_table("results/layers.csv").groupby("encoder", sort=False):
        runs = runs[runs["corpus"] == (corpus if (runs["corpus"] == corpus).any() else runs["corpus"].iloc[0])]
        i, j = (runs[side].str.removeprefix("layer ").astype(int) for side in ("layer_a", "layer_b"))
        size = max(i.max(), j.max()) + 1
        grid[name] = found = {}
        for measure in VIEWS:
            part = runs["measure"] == measure
            matrix, chance = np.zeros((size, size)), np.full((size, size), 0.5)
            for values, column in ((matrix, "value"), (chance, "chance")):
                values[i[part], j[part]] = values[j[part], i[part]] = runs.loc[part, column]
            names = [str(layer) for layer in range(size)]
            found[measure] = _from_chance(pd.DataFrame(matrix, names, names), chance, measure)
    return grid


def fall_with_depth(maps: Maps) -> pd.DataFrame:
    """How similarity goes with the distance in depth, without the pooler.

    Parameters
    ----------
    maps
        Encoder → measure → matrix from :func:`from_chance`.

    Returns
    -------
    DataFrame
        A row for each encoder and measure: ``encoder``, ``measure``, the rank correlation of similarity ``with
        distance`` over all pairs of layers, and the mean similarity of layers ``one layer apart``.
    """
    import pandas as pd

    rows = []
    for name, found in maps.items():
        for measure, matrix in found.items():
            values = matrix.drop(index="pooler", columns="pooler", errors="ignore").to_numpy()
            i, j = np.triu_indices(len(values), 1)
            rows.append((name, measure, spearman(j - i, values[i, j]), np.diag(values, 1).mean()))
    return pd.DataFrame(rows, columns=["encoder", "measure", "with distance", "one layer apart"])


# Tables


def show_plain(table: pd.DataFrame, **formats: str) -> Styler:
    """A table without an index, no cell broken into lines, text to the left and numbers to the right.

    Parameters
    ----------
    table
        Table whose index does not count.
    formats
        Format of a column, by its name.
    """
    columns = {name: f"{{:{one}}}" for name, one in formats.items()}
    sides = {name: "left" if table[name].dtype == object else "right" for name in table}
    looks = {name: f"text-align: {side}; white-space: nowrap;" for name, side in sides.items()}
    styles = {name: [{"selector": tag, "props": look} for tag in ("th", "td")] for name, look in looks.items()}
    return table.style.hide(axis="index").format(columns, na_rep="—").set_table_styles(styles)


def table_between(pairs: pd.DataFrame, layer_a: str, layer_b: str) -> pd.DataFrame:
    """Value and interval of one pair of layers by measure and encoder, beside the mean chance level."""
    part = pairs[(pairs["layer_a"] == layer_a) & (pairs["layer_b"] == layer_b)]
    cells = [f"{row.value:.2f} [{row.ci_low:.2f}, {row.ci_high:.2f}]" for row in part.itertuples()]
    order = list(dict.fromkeys(part["run"]))
    found = part.assign(cell=cells).pivot(index="measure", columns="run", values="cell")[order]
    chance = part.groupby("measure")["chance"].mean().round(2) + 0.0  # no "-0.00"
    found = found.assign(**{"by chance": chance.map("{:.2f}".format)}).loc[list(VIEWS)].rename(NAMES)
    return found.rename_axis(index=None, columns=None)


def table_agreement(agreement: pd.DataFrame) -> Styler:
    """Table of :func:`helpers.studies.layers.measure_agreement` of one encoder, with the names of the page."""
    names = {"spearman": "correlation", "ci_low": "low", "ci_high": "high"}
    names |= {"ci_low_layers": "low (layers)", "ci_high_layers": "high (layers)"}
    shown = agreement.assign(measures=_both(agreement)).rename(columns=names)
    columns = [*names.values(), "p"]
    return show_plain(shown[["measures", *columns]], **dict.fromkeys(columns, ".3f"))


def table_beyond(agreements: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Correlation beyond depth: a row for each two measures, a column for each encoder and for the drift."""
    import pandas as pd

    first = next(iter(agreements.values()))
    return pd.DataFrame({name: one["beyond_depth"].to_numpy() for name, one in agreements.items()}, _both(first))


def table_partitions(compared: Mapping[str, LayerStudy], measure: str = "cka") -> pd.DataFrame:
    """How the claimed partitions fit, by one measure.

    Returns
    -------
    DataFrame
        A row for each partition and encoder: ``fit``, its ``rank`` among contiguous partitions, that ``beyond depth``,
        the ``best`` partition, the cut of the ``tree``, and the share of halves with the ``same tree``.
    """
    import pandas as pd

    names = {"p": "rank", "p_beyond_depth": "beyond depth", "tree_support": "same tree"}
    found = {
        name: rank_partitions(one, claimed_partitions(len(one.matrices[measure])), [measure])
        for name, one in compared.items()
    }
    rows = pd.concat(found, names=["encoder"]).reset_index("encoder").rename(columns=names)
    rows = rows.sort_values("partition", kind="stable", ignore_index=True)
    return rows[["partition", "encoder", "fit", "rank", "beyond depth", "best", "tree", "same tree"]]


def table_ends(compared: Mapping[str, LayerStudy], measure: str = "cka") -> pd.DataFrame:
    """Rows of :func:`helpers.studies.layers.rank_ends` by one measure, of all encoders, the first layers first."""
    import pandas as pd

    found = pd.concat({name: rank_ends(one, [measure]) for name, one in compared.items()}, names=["encoder"])
    rows = found.reset_index("encoder").drop(columns="measure")
    rows = rows.sort_values("layer", key=lambda layers: layers != "0", kind="stable", ignore_index=True)
    return rows[["layer", "encoder", "step", "others", "rank", "support"]]


def table_pooler(compared: Mapping[str, LayerStudy]) -> pd.DataFrame:
    """Where the pooler joins the tree of all representations, for the encoders that have one.

    Returns
    -------
    DataFrame
        A row for each encoder and measure: the ``nearest layer`` to the pooler and the ``similarity`` to it, the
        ``mean step`` between layers, whether the pooler is ``alone`` among four groups, and the ``support``, the share
        of halves in which it is.
    """
    import pandas as pd

    columns = ["encoder", "measure", "nearest layer", "similarity", "mean step", "alone", "support"]
    rows = []
    for name, found in compared.items():
        names = found.matrices["cka"].index
        if "pooler" not in names or len(names) < 5:
            continue
        for measure in VIEWS:
            matrix, draws = as_similarities(found, measure)
            groups = [cut_tree(one, 4) for one in (matrix, *draws)]
            alone = [np.sum(one == one[-1]) == 1 for one in groups]
            near, step = np.argmax(matrix[-1, :-1]), np.diagonal(matrix[:-1, :-1], 1).mean()
            row = [name, NAMES[measure], names[near], matrix[-1, near], step]
            rows.append([*row, "yes" if alone[0] else "no", np.mean(alone[1:])])
    return pd.DataFrame(rows, columns=columns)


def table_recorded() -> pd.DataFrame:
    """What made the recorded tables, a row for each encoder and corpus."""
    about = recorded_table("results/layers_runs.csv")
    about = about.assign(weights=about["weights_sha256"].str[:8])
    return about[["encoder", "corpus", "n", "layers", "width", "weights", "minutes"]]


def table_by_run(leads: pd.DataFrame) -> pd.DataFrame:
    """Table of :func:`leads_of`, or several one below the other, with values and limits in one cell."""
    keys = {"agree": "agreement", "first": "first", "last": "last", "centre": "central block"}
    out = leads[["run"]].copy()
    for key, name in keys.items():
        out[name] = [_with_limits(one, CLAIMS[key].spec) for one in leads[key]]
    return out


# Claims


def leads_of(
    compared: Mapping[str, LayerStudy], agreements: Mapping[str, pd.DataFrame], n_objects: int
) -> pd.DataFrame:
    """What each encoder by itself says of the claims about every encoder.

    Parameters
    ----------
    compared, agreements, n_objects
        Same meaning as in :func:`own_findings`.

    Returns
    -------
    DataFrame
        A row for each encoder: ``run``, its name, and a :class:`helpers.inference.Finding` (or None) for each key of
        :data:`ABOUT_ALL`.
    """
    import pandas as pd

    own = pd.concat({name: agreements[name] for name in compared}, names=["run"]).reset_index("run")
    return _leads(rows_of(compared), own, dict.fromkeys(compared, n_objects))


def recorded_leads() -> pd.DataFrame:
    """The same of each recorded run, named ``ENCODER, CORPUS``."""
    return _leads(*_recorded())


def own_findings(
    compared: Mapping[str, LayerStudy], agreements: Mapping[str, pd.DataFrame], n_objects: int
) -> dict[str, Finding]:
    """What the encoders of the page say of the claims.

    Parameters
    ----------
    compared
        Comparisons of their layers, with the pooler where there is one; one named ``bert-base-uncased`` is the network
        of the claim about blocks.
    agreements
        Tables of :func:`helpers.studies.layers.measure_agreement` by encoder; others do not count.
    n_objects
        How many sentences the layers represent.
    """
    import pandas as pd

    own = pd.concat({name: agreements[name] for name in compared}, names=["run"]).reset_index("run")
    found = findings(rows_of(compared), own, dict.fromkeys(compared, n_objects))
    network = without_pooler(compared).get("bert-base-uncased")
    pooled = next((one for one in compared.values() if "pooler" in one.matrices["cka"].index), None)
    blocks = claimed_partitions(13)["four blocks"]
    found["blocks"] = absent("that BERT is not here") if network is None else blocks_finding(network, n_objects, blocks)
    found["pooler"] = (
        absent("no encoder with a trained pooler") if pooled is None else pooler_finding(pooled, n_objects)
    )
    return found


def recorded_findings() -> dict[str, Finding]:
    """What the recorded encoders say of the claims about every encoder."""
    return findings(*_recorded())


# Facts


def facts_of_depth(path: pd.DataFrame) -> dict[str, float]:
    """Ends of the cosines of two sentences, and the least cosine with the layer before."""
    cosines = path["cosine of two sentences"]
    before = path["cosine with the layer before"].min()
    return {"aniso_ci_low": cosines.min(), "aniso_ci_high": cosines.max(), "before": before}


def facts_of_falls(falls: pd.DataFrame) -> dict[str, Any]:
    """Ends of the correlation with distance, and the measures that keep most and least from layer to layer."""
    steps = falls.groupby("measure", sort=False)["one layer apart"].mean()
    found = {"falls_ci_low": falls["with distance"].min(), "falls_ci_high": falls["with distance"].max()}
    return found | {"one_most": NAMES[steps.idxmax()], "one_least": NAMES[steps.idxmin()]}


def facts_of_agreement(agreements: Mapping[str, pd.DataFrame]) -> dict[str, float]:
    """Lowest correlation between two of the four measures, for the drift and over the encoders."""
    lowest = {name: _four(one)["spearman"].min() for name, one in agreements.items()}
    return {"drift_ci_low": lowest.pop("drift"), "trained_ci_low": min(lowest.values())}


def facts_of_beyond(beyond: pd.DataFrame) -> dict[str, float]:
    """Mean correlations beyond depth of :func:`table_beyond`, of RTD with the four measures and among these."""
    rtd = beyond.index.str.contains("RTD")
    trained = beyond.drop(columns="drift").mean(axis=1)
    found = {"beyond_rtd": trained[rtd].mean(), "beyond_rtd_drift": beyond.loc[rtd, "drift"].mean()}
    return found | {"beyond_rest": trained[~rtd].mean(), "beyond_rest_drift": beyond.loc[~rtd, "drift"].mean()}


def facts_of_spread(agreements: Mapping[str, pd.DataFrame]) -> dict[str, float]:
    """Lowest correlation between two of the four measures, here and recorded, and the median widths of its intervals.

    Parameters
    ----------
    agreements
        Tables of the encoders of the page; one of the drift does not count.
    """
    import pandas as pd

    own = [one for name, one in agreements.items() if name != "drift"]
    every = pd.concat([_four(one) for one in (*own, _recorded()[1])], ignore_index=True)
    widths = {over: (every[f"ci_high{over}"] - every[f"ci_low{over}"]).median() for over in ("", "_layers")}
    return {"lowest": every["spearman"].min()} | {f"width{over}": width for over, width in widths.items()}


def facts_of_leads(leads: pd.DataFrame) -> dict[str, Any]:
    """In how many encoders an end stands apart, and in how many it does not, on every corpus.

    Parameters
    ----------
    leads
        Table of :func:`recorded_leads`.

    Returns
    -------
    dict
        ``encoders`` and ``corpora``, how many there are; for ``first`` and ``last`` the number of encoders whose whole
        intervals lie above (``…_apart``) and below (``…_not``) zero on every corpus.
    """
    names = leads["run"].str.split(", ").str
    found: dict[str, Any] = {"encoders": names[0].nunique(), "corpora": names[1].nunique()}
    for key in ("first", "last"):
        apart = leads[key].map(lambda one: one.low > 0).groupby(names[0]).all()
        below = leads[key].map(lambda one: one.high < 0).groupby(names[0]).all()
        found |= {f"{key}_apart": int(apart.sum()), f"{key}_not": int(below.sum())}
    return found


# Figures


def figure_depth(path: pd.DataFrame) -> Any:
    """The three quantities of :func:`changes_with_depth`, a line for each encoder."""
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(1, 3, figsize=(8.0, 2.8))
    for ax, quantity in zip(axes, path.columns[2:], strict=True):
        for marker, (name, part) in zip("osD^vP", path.groupby("encoder", sort=False), strict=False):
            ax.plot(part["layer"], part[quantity], marker=marker, ms=3.5, label=name)
        ax.set(xlabel="layer", title=quantity)
        ax.title.set_fontsize("small")
        ax.set_ylim(bottom=min(0, ax.get_ylim()[0]))
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return axes


def figure_heat(maps: Maps, measures: Sequence[str] = VIEWS) -> Any:
    """Heat maps of layers by layers, encoders across and measures down, from chance, 0, to identity, 1.

    Parameters
    ----------
    maps
        Encoder → measure → matrix from :func:`from_chance`.
    measures
        Measures that are drawn.
    """
    import matplotlib.pyplot as plt

    size = 7.4 / max(3, len(maps))
    shape = {"figsize": (size * len(maps) + 0.8, size * len(measures)), "squeeze": False}
    fig, axes = plt.subplots(len(measures), len(maps), **shape)
    for line, measure in zip(axes, measures, strict=True):
        for ax, (name, found) in zip(line, maps.items(), strict=True):
            picture = _heat(ax, found[measure])
            if ax in axes[0]:
                ax.set_title(name)
        line[0].set_ylabel(NAMES[measure])
    bar = fig.colorbar(picture, ax=axes, shrink=0.5, label="chance → the same", aspect=30)
    bar.outline.set_visible(False)
    return axes


def figure_agreement(agreements: Mapping[str, pd.DataFrame]) -> Any:
    """Correlation between two measures by encoder, intervals over sentences (thick) and layers (thin)."""
    import matplotlib.pyplot as plt

    keys = ["measure_a", "measure_b"]
    first = next(iter(agreements.values())).sort_values("spearman")
    order = list(first[keys].apply(tuple, axis=1))
    fig, ax = plt.subplots(figsize=(6.4, 4.4))
    for shift, (marker, (name, one)) in enumerate(zip("osD^vPX", agreements.items(), strict=False)):
        found, drift = one.set_index(keys).loc[order], name == "drift"
        y = np.arange(len(found)) + 0.16 * (shift - len(agreements) / 2 + 0.5)
        color = INK if drift else f"C{shift}"
        ax.hlines(y, found["ci_low_layers"].clip(lower=0), found["ci_high_layers"], color=color, lw=0.6)
        ax.hlines(y, found["ci_low"], found["ci_high"], color=color, lw=2.4)
        ax.plot(found["spearman"], y, "x" if drift else marker, color=color, ms=4, label=name, ls="")
    ax.axvline(0.9, color=INK, ls=":", lw=1)
    ax.set_yticks(range(len(order)), [f"{NAMES[a]}, {NAMES[b]}" for a, b in order])
    ax.set(xlabel="Spearman's correlation", xlim=(None, 1.01))
    fig.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return ax


def figure_trees(compared: Mapping[str, LayerStudy]) -> Any:
    """CKA between the layers of each encoder, and below it their tree by average linkage with the cut into four."""
    import matplotlib.pyplot as plt
    from scipy.cluster.hierarchy import dendrogram, linkage

    shape = {"figsize": (8.0, 4.6), "squeeze": False, "height_ratios": (1, 1.2)}
    _, axes = plt.subplots(2, len(compared), **shape)
    look = {"color_threshold": 0, "above_threshold_color": "C0", "leaf_font_size": 7}
    for (name, found), (top, bottom) in zip(compared.items(), axes.T, strict=True):
        matrix = found.matrices["cka"]
        _heat(top, matrix)
        top.set_title(name)
        tree = linkage((1 - matrix.to_numpy())[np.triu_indices(len(matrix), 1)], "average")
        with plt.rc_context({"lines.linewidth": 1.2}):
            dendrogram(tree, labels=[_short(layer) for layer in matrix.index], ax=bottom, **look)
        if len(tree) > 3:
            bottom.axhline(tree[-4:-2, 2].mean(), color=INK, ls="--", lw=0.8)
        bottom.tick_params(axis="x", rotation=90)
        bottom.tick_params(axis="y", labelsize=7)
    axes[1, 0].set_ylabel("1 − CKA")
    return axes


def _recorded() -> tuple[pd.DataFrame, pd.DataFrame, dict[str, int]]:
    """Recorded pairs and agreements with a column ``run``, and the number of sentences of each run."""

    def named(name: str) -> pd.DataFrame:
        table = recorded_table(f"results/{name}.csv")
        return table.assign(run=table["encoder"] + ", " + table["corpus"])

    about = named("layers_runs")
    return named("layers"), named("layers_agreement"), dict(zip(about["run"], about["n"], strict=True))


def _leads(pairs: pd.DataFrame, agreements: pd.DataFrame, n_objects: Mapping[str, int]) -> pd.DataFrame:
    import pandas as pd

    rows = []
    for run in dict.fromkeys(pairs["run"]):
        found = findings(pairs[pairs["run"] == run], agreements[agreements["run"] == run], n_objects)
        rows.append({"run": run} | {key: found.get(key) for key in ABOUT_ALL})
    return pd.DataFrame(rows, dtype=object)


def _with_limits(found: Finding | None, spec: str) -> str:
    if found is None:
        return "—"
    ends = [round(end, 2) + 0.0 for end in found[:3]]  # no "-0.00"
    return f"{Interval(*ends, confidence_level=0.95):{spec}}"


def _four(agreement: pd.DataFrame) -> pd.DataFrame:
    """Rows without RTD."""
    return agreement[(agreement[["measure_a", "measure_b"]] != "rtd").all(axis=1)]


def _both(agreement: pd.DataFrame) -> pd.Series:
    return (agreement["measure_a"].map(NAMES) + ", " + agreement["measure_b"].map(NAMES)).rename(None)


def _from_chance(matrix: pd.DataFrame, chance: Any, measure: str) -> pd.DataFrame:
    """0 at chance, 1 for the same; the diagonal is 1."""
    chance = np.asarray(chance, float)
    distance = MEASURES[measure].orientation == "distance"
    found = 1 - matrix / chance if distance else (matrix - chance) / (1 - chance)
    return found.mask(np.eye(len(found), dtype=bool), 1.0)


def _heat(ax: Any, matrix: pd.DataFrame) -> Any:
    picture = ax.imshow(matrix, vmin=0, vmax=1)
    names = list(matrix.index)
    at = sorted({*range(0, len(names) - 2, 4), len(names) - 1})
    ax.set_xticks(at, [_short(names[i]) for i in at])
    ax.set_yticks(at, [_short(names[i]) for i in at])
    ax.tick_params(length=2, labelsize=8)
    return picture


def _short(layer: str) -> str:
    return "P" if layer == "pooler" else layer
