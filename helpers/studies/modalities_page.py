"""What the page about several modalities shows: windows, ceilings, ensembles, and what each modality adds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from helpers.book.data import table as recorded_table
from helpers.book.style import INK, heatmap
from helpers.clients.modalities import KINDS
from helpers.clients.scoring import METRIC_NAMES
from helpers.inference import format_interval, format_p
from helpers.studies.hand_made import recorded_by_hand
from helpers.studies.modalities import ALL_LINKS, METHODS, Experiment, compare_columns, run_experiment

if TYPE_CHECKING:
    import pandas as pd
    from pandas.io.formats.style import Styler

    from helpers.clients.data import Clients
    from helpers.clients.modalities import Modalities
    from helpers.studies.sweep import Sweep

__all__ = [
    "ASKED",
    "BY_HAND",
    "QUESTION_WORDS",
    "WHOLE",
    "ModalityRuns",
    "facts",
    "facts_of_ceilings",
    "facts_of_questions_asked",
    "facts_of_recorded_modalities",
    "figure_losses",
    "figure_sets",
    "figure_two_similarities",
    "gains_over_single",
    "judge_questions",
    "load_populations",
    "losses_without",
    "recorded_accuracies",
    "run_all_experiments",
    "show_sets",
    "show_windows",
    "table_ceilings",
    "table_links",
    "table_points",
    "table_set_spaces",
    "table_similarities",
    "units_of_clients",
]

WHOLE = " + ".join(KINDS)
"""The set of one space of each modality."""
BY_HAND = ("features made by hand", "best single")
"""Set and method of the recorded scores of features made by hand of the transactions."""
_PCA = "concatenation + PCA"
ASKED = {
    "qp": ("QP of three less best single", (WHOLE, "QP"), (WHOLE, "best single")),
    "mean": ("mean of three less best single", (WHOLE, "mean"), (WHOLE, "best single")),
    "replacement": ("replacement over three less best single", (WHOLE, "replacement"), (WHOLE, "best single")),
    "pca": ("concatenation + PCA of three less best single", (WHOLE, _PCA), (WHOLE, "best single")),
    "pca_qp": ("concatenation + PCA less QP, of three", (WHOLE, _PCA), (WHOLE, "QP")),
    "pca_concatenation": (
        "concatenation + PCA less plain concatenation, of three",
        (WHOLE, _PCA),
        (WHOLE, "concatenation"),
    ),
    "text_six": ("adding text less adding five more models", ("transactions + text", _PCA), ("all models", _PCA)),
    "graph_six": (
        "adding the graph less adding five more models",
        ("transactions + graph", _PCA),
        ("all models", _PCA),
    ),
    "both_six": (
        "six models, text and graph with all links less six models",
        ("all models + text + graph, all links", _PCA),
        ("all models", _PCA),
    ),
    "replacement_pca": ("replacement less concatenation + PCA, of three", (WHOLE, "replacement"), (WHOLE, _PCA)),
    "links": ("three with all links less three out of sample", (f"{WHOLE}, all links", _PCA), (WHOLE, _PCA)),
    "by_hand": ("features made by hand less best encoder", BY_HAND, ("transactions", "best single")),
}
"""What is asked of the recorded experiments: what it is called, and the two (set, method) that are compared.

The graph is the one out of sample.
"""

QUESTION_WORDS = {key: words for key, (words, *_) in ASKED.items()}
"""Key of each question → what it is called."""

GUIDED = ("qp", "replacement", "pca", "text_six", "graph_six")
"""Questions whose answers the guide to methods tells."""

MEASURES_SHOWN = {
    "cka": "CKA",
    "rsa": "RSA",
    "jaccard": "Jaccard",
    "distance_correlation": "distance correlation",
}
LINKS = ("links to training clients", "all links")
MARKERS = dict(zip(METHODS, "osD^vP", strict=True))


class ModalityRuns(NamedTuple):
    """Experiments of a run.

    Attributes
    ----------
    experiments : dict of int to Experiment
        What :func:`helpers.studies.modalities.run_experiment` found, by number.
    rows : DataFrame
        All rows of :meth:`helpers.studies.modalities.Experiment.rows`, with a column ``experiment``.
    metric : str
        Metric of their scores, one of :data:`helpers.clients.SCORE_METRICS`.
    """

    experiments: dict[int, Experiment]
    rows: pd.DataFrame
    metric: str = "accuracy"

    @property
    def accuracy(self) -> pd.DataFrame:
        """Scores on test clients, by the metric of the run: experiments × (set, method)."""
        rows = self.rows[self.rows["kind"] == "accuracy"]
        return rows.pivot(index="experiment", columns=["set", "method"], values="value")

    @property
    def correct(self) -> pd.DataFrame:
        """Whether each test client of each experiment is predicted, by (set, method), as numbers."""
        import pandas as pd

        return pd.concat({e: one.comparison.correct for e, one in self.experiments.items()}).astype(float)

    @property
    def sets(self) -> list[str]:
        """Sets of spaces in the order of the first experiment."""
        first = self.experiments[min(self.experiments)]
        return list(dict.fromkeys(first.comparison.table["set"]))

    @property
    def singles(self) -> list[str]:
        """Modalities that there are."""
        return [name for name in KINDS if name in self.sets]

    @property
    def everything(self) -> str:
        """The set of one space of each modality that there is."""
        return " + ".join(self.singles)


def load_populations(
    sweep: Sweep,
    source: str,
    *,
    n_clients: int = 0,
    options: Mapping[str, Any] | None = None,
    binary_from: str = "",
    rng: int = 0,
) -> dict[int, Clients]:
    """Clients of each experiment of a sweep: of a file the same for all, simulated ones drawn anew.

    Parameters
    ----------
    sweep, source, n_clients, options, binary_from, rng
        Sweep that :func:`helpers.studies.sweep.read_sweep` gives, and the arguments that it was given.

    Raises
    ------
    ValueError
        If the clients are not those of the sweep.
    """
    from dataclasses import replace

    from helpers.clients import binary_target, load_clients

    found = {}
    for number in sweep.split:
        drawn = [rng, number] if source == "simulated" else rng
        clients = load_clients(source, n_clients=n_clients or None, rng=drawn, **(options or {}))
        binary = binary_from != ""
        found[number] = replace(clients, target=binary_target(clients.target, binary_from)) if binary else clients
        if not found[number].target.equals(sweep.target[number]):
            raise ValueError(f"source is {source!r}, whose clients are not those of experiment {number} of the sweep")
    return found


def run_all_experiments(
    sweep: Sweep, populations: Mapping[int, Clients], *, n_jobs: int = 2, rng: int = 0, **options: Any
) -> ModalityRuns:
    """Spaces, similarities, ensembles and ceilings of each experiment.

    Parameters
    ----------
    sweep, populations
        Sweep that :func:`helpers.studies.sweep.read_sweep` gives, and its clients by experiment.
    n_jobs, rng
        Experiments at a time, and seed of text, graph and classifier.
    options
        Passed to :func:`helpers.studies.modalities.run_experiment`.
    """
    import pandas as pd

    def run(number):
        models = {m: x for (e, m), x in sweep.embeddings.items() if e == number}
        return run_experiment(models, populations[number], sweep.split[number], rng=[rng, number], **options)

    with ThreadPoolExecutor(n_jobs) as pool:
        found = dict(zip(populations, pool.map(run, populations), strict=True))
    rows = [one.rows().assign(experiment=number) for number, one in found.items()]
    return ModalityRuns(found, pd.concat(rows, ignore_index=True), options.get("metric", "accuracy"))


def table_links(scores: pd.DataFrame, everything: str = WHOLE) -> pd.DataFrame:
    """What the graph gives out of sample, and what it would give if the links of test clients were known.

    Parameters
    ----------
    scores
        Scores by (set, method), a row for each experiment.
    everything
        Name of the set of all modalities.

    Returns
    -------
    DataFrame
        Mean scores of the graph alone, and by concatenation + PCA of all modalities, with links to training clients
        alone and with all links; empty without a graph.
    """
    import pandas as pd

    if (ALL_LINKS, "best single") not in scores:
        return pd.DataFrame()
    rows = {
        "graph alone": ("graph", ALL_LINKS, "best single"),
        everything: (everything, f"{everything}, all links", _PCA),
    }
    both = {}
    for name, (*sets, method) in rows.items():
        here = scores[[(one, method) for one in sets]].dropna()
        both[name] = dict(zip(LINKS, here.mean(), strict=True))
    return pd.DataFrame.from_dict(both, orient="index")


def units_of_clients(correct: pd.DataFrame, simulated: bool) -> np.ndarray | None:
    """Labels of test clients that are one unit: experiments on one file share their clients, simulated ones do not."""
    import pandas as pd

    return None if simulated else pd.factorize(correct.index.get_level_values(1))[0]


def gains_over_single(correct: pd.DataFrame, everything: str, **options: Any) -> pd.DataFrame:
    """Each ensemble over all modalities against the best single space.

    Parameters
    ----------
    correct, everything
        Scores by (set, method), a row for each unit, and the name of the set of all modalities.
    options
        Passed to :func:`helpers.studies.modalities.compare_columns`, whose table is returned; empty for one space.
    """
    import pandas as pd

    whole = {method: (everything, method) for method in METHODS}
    pairs = {name: (whole[name], whole["best single"]) for name in METHODS[1:] if whole[name] in correct}
    if not pairs:
        return pd.DataFrame(columns=["difference", "ci_low", "ci_high", "p_holm", "wins", "verdict"])
    return compare_columns(correct, pairs, **options)


def losses_without(scores: pd.DataFrame, names: Sequence[str], **options: Any) -> pd.DataFrame:
    """What each ensemble loses without each modality: the score of all of them less that of the others.

    Parameters
    ----------
    scores, names
        Scores by (set, method), a row for each unit, and the modalities.
    options
        Passed to :func:`helpers.studies.modalities.compare_columns`.

    Returns
    -------
    DataFrame
        A row for each (without, method); one other modality alone has the best single space for every ensemble.
    """
    import pandas as pd

    whole, pairs = " + ".join(names), {}
    for gone in names if len(names) > 1 else []:
        rest = " + ".join(name for name in names if name != gone)
        for method in METHODS:
            fewer = (rest, method if (rest, method) in scores else "best single")
            if (whole, method) in scores and fewer in scores:
                pairs[gone, method] = ((whole, method), fewer)
    if not pairs:
        return pd.DataFrame()
    index = pd.MultiIndex.from_tuples(list(pairs), names=["without", "method"])
    return compare_columns(scores, pairs, **options).set_axis(index)


def recorded_accuracies(kind: str = "accuracy") -> pd.DataFrame:
    """Recorded accuracies, experiments × (set, method), or values of CKA, experiments × sets, for ``"similarity"``.

    Parameters
    ----------
    kind
        ``"accuracy"`` or ``"similarity"``. Among the accuracies are those of features made by hand
        (:data:`BY_HAND`), which were scored on the same test clients. The graph out of sample has a table of its own,
        of the same encoders; what both tables have is taken from the first.
    """
    first, second = (_recorded_values(name, kind) for name in ("clients_modalities", "clients_modalities_unseen"))
    found = first.join(second[second.columns.difference(first.columns, sort=False)])
    if kind == "accuracy":
        by_hand = recorded_by_hand().set_index("experiment")["accuracy"]
        found[BY_HAND] = by_hand.reindex(found.index)
    return found


def _recorded_values(name: str, kind: str) -> pd.DataFrame:
    recorded = recorded_table(f"results/{name}.csv")
    recorded = recorded[recorded["kind"] == kind]
    if kind == "accuracy":
        return recorded.pivot(index="experiment", columns=["set", "method"], values="value")
    return recorded[recorded["method"] == "cka"].pivot(index="experiment", columns="set", values="value")


def judge_questions(accuracy: pd.DataFrame, **options: Any) -> pd.DataFrame:
    """Answers to :data:`ASKED`, by key, over experiments and after Holm's correction.

    Parameters
    ----------
    accuracy
        Accuracies, experiments × (set, method), of :func:`recorded_accuracies`.
    options
        Passed to :func:`helpers.studies.modalities.compare_columns`.
    """
    return compare_columns(accuracy, {key: pair for key, (_, *pair) in ASKED.items()}, **options)


# Tables


def show_windows(clients: Clients, made: Modalities) -> Styler:
    """The first client, as each modality sees it: purchases, messages, payments."""
    import pandas as pd

    somebody, verb = clients.target.index[0], "pays" if clients.latents is not None else "is linked with"
    mine = clients.events[clients.events["client"] == somebody].head(3)
    bought = [f"{row.time:%d %b}: {row.category}, {row.amount:,.2f}" for row in mine.itertuples()]
    links = []
    if made.payments is not None:
        theirs = made.payments[(made.payments[["payer", "payee"]] == somebody).any(axis=1)]
        links = [f"{row.payer} {verb} {row.payee}" for row in theirs.head(4).itertuples()]
    windows = {
        "transactions": "; ".join(bought) + "; …",
        "text": " | ".join(made.texts[somebody].split("\n")[:2]) if made.texts is not None else "no text",
        "graph": "; ".join(links) or "no link",
    }
    origin = {"transactions": "simulated" if clients.latents is not None else "as the source has them"} | made.origin
    shown = pd.DataFrame({f"client {somebody}": windows, "origin": origin})
    return shown.style.set_properties(**{"text-align": "left", "white-space": "normal"})


def table_ceilings(runs: ModalityRuns, chance: float) -> pd.DataFrame:
    """What an ideal observer could tell from each set, what is reached, and what guessing reaches.

    Parameters
    ----------
    runs, chance
        Experiments of the run, and what guessing the most frequent class reaches by their metric.

    Returns
    -------
    DataFrame
        A row for each set without further models; no column of the ideal observer where clients are not simulated. Of
        the graph it is an upper bound, out of sample and with all links.
    """
    import pandas as pd

    ceilings, accuracy = runs.rows[runs.rows["kind"] == "ceiling"], runs.accuracy
    ideal = ceilings.groupby("set", sort=False)["value"].mean()
    sets = [name for name in runs.sets if "models" not in name]
    method = {name: "best single" if " + " not in name else "concatenation" for name in sets}
    reached = pd.Series({name: accuracy[name][method[name]].mean() for name in sets})
    known = pd.Series({name: ideal.get(name.removesuffix(", all links"), np.nan) for name in sets})
    columns = {"ideal observer": known, "reached": reached, "guessing": chance}
    return pd.DataFrame(columns).dropna(axis=1, how="all")


def table_set_spaces(runs: ModalityRuns) -> pd.DataFrame:
    """Width of each space of the first experiment, and its mean score on validation clients over all of them."""
    import pandas as pd

    widths = {name: x.shape[1] for name, x in runs.experiments[min(runs.experiments)].spaces.items()}
    quality = pd.DataFrame({number: one.comparison.quality for number, one in runs.experiments.items()}).mean(axis=1)
    return pd.DataFrame({"width": widths, "on validation clients": quality}).reindex(widths)


def table_similarities(runs: ModalityRuns) -> pd.DataFrame:
    """Mean similarity within the models of transactions, between modalities, and by chance: pairs × measures."""
    rows = runs.rows[runs.rows["kind"] == "similarity"]
    found = rows.pivot_table(index="set", columns="method", values="value", sort=False)
    return found.rename(columns=MEASURES_SHOWN).rename_axis(None).rename_axis(None, axis=1)


def show_sets(runs: ModalityRuns) -> Styler:
    """Mean score of each ensemble over each set of spaces, the highest of a set in bold."""
    mean = runs.accuracy.mean().unstack("method").reindex(runs.sets).reindex(columns=list(METHODS))
    mean = mean.rename_axis(None).rename_axis(None, axis=1)
    return mean.style.format("{:.3f}", na_rep="").highlight_max(axis=1, props="font-weight: bold")


def table_points(found: pd.DataFrame, names: Mapping[Any, str] | None = None) -> pd.DataFrame:
    """Differences of accuracy in points with their intervals, corrected p, share of units won, and verdict.

    Parameters
    ----------
    found
        Table of :func:`helpers.studies.modalities.compare_columns`.
    names
        What the differences are called, by key.
    """
    import pandas as pd

    columns = {
        "points": [_points(row) for _, row in found.iterrows()],
        "p, Holm": ["" if np.isnan(p) else format_p(p) for p in found["p_holm"]],
        "won": found["wins"].map("{:.0%}".format).tolist(),
        "verdict": found["verdict"].tolist(),
    }
    return pd.DataFrame(columns, index=[(names or {}).get(key, key) for key in found.index])


# Figures


def figure_two_similarities(similarity: Mapping[str, pd.DataFrame]) -> Any:
    """CKA and Jaccard's similarity of neighbourhoods between all spaces of an experiment."""
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(1, 2, figsize=(7.6, 3.9))
    for ax, (measure, title) in zip(axes, {"cka": "CKA", "jaccard": "Jaccard of 10 neighbours"}.items(), strict=True):
        matrix = similarity[measure]
        short = [label.replace("model ", "") for label in matrix]
        digits = 2 if len(short) < 10 else -1
        heatmap(matrix.set_axis(short).set_axis(short, axis=1), ax, title=title, digits=digits)
        ax.tick_params(axis="x", rotation=45)
        ax.tick_params(axis="y", rotation=0)
    return axes


def figure_sets(runs: ModalityRuns, chance: float) -> Any:
    """Score of each ensemble over each set of spaces: small marks for experiments, a large one for their mean."""
    import matplotlib.pyplot as plt

    sets, accuracy = runs.sets, runs.accuracy
    fig, ax = plt.subplots(figsize=(7.2, 0.75 + 0.52 * len(sets)))
    for i, name in enumerate(sets):
        for k, method in enumerate(METHODS):
            if (name, method) in accuracy:
                values, height = accuracy[name, method], i + 0.12 * (k - 2.5)
                ax.scatter(values, np.full(len(values), height), s=7, color=f"C{k}", alpha=0.5, lw=0)
                look = {"s": 34, "color": f"C{k}", "marker": MARKERS[method]}
                ax.scatter(values.mean(), height, label=method if i == len(sets) - 1 else None, **look)
    ax.axvline(chance, color=INK, ls=":")
    broken = [name.replace(" + ", " +\n", 1) if len(name) > 24 else name for name in sets]
    ax.set_yticks(range(len(sets)), broken)
    ax.invert_yaxis()
    ax.set(xlabel=f"{METRIC_NAMES[runs.metric]} on test clients")
    fig.legend(loc="outside lower center", ncol=3, fontsize=9)
    return ax


def figure_losses(losses: pd.DataFrame, names: Sequence[str], unit: str) -> Any:
    """Points that each ensemble loses without each modality, with intervals.

    Parameters
    ----------
    losses, names
        Table of :func:`losses_without`, and the modalities.
    unit
        What the intervals are over.
    """
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots(figsize=(6.6, 0.9 + 0.62 * len(names)))
    for k, method in enumerate(METHODS):
        for i, gone in enumerate(names):
            if (gone, method) not in losses.index:
                continue
            ends = losses.loc[(gone, method), ["difference", "ci_low", "ci_high"]].astype(float)
            value, low, high = 100 * ends
            height, look = i + 0.12 * (k - 2.5), {"color": f"C{k}"}
            ax.plot([low, high], [height, height], lw=1.5, **look)
            ax.plot(value, height, MARKERS[method], ms=5, label=method if i == 0 else None, **look)
    ax.axvline(0, color=INK, ls=":")
    ax.set_yticks(range(len(names)), [f"without {name}" for name in names])
    ax.invert_yaxis()
    ax.set(xlabel=f"points lost, with 95 % intervals over {unit}")
    if len(losses):
        fig.legend(loc="outside lower center", ncol=3, fontsize=9)
    return ax


# Facts


def facts(clients: Clients, made: Modalities, text_width: int) -> dict[str, Any]:
    """Clients of the first experiment, their classes and links, and the width of the text."""
    return {
        "clients": str(len(clients)),
        "classes": str(clients.target.nunique()),
        "links": f"{0 if made.payments is None else len(made.payments):,}",
        "text_width": str(text_width),
    }


def facts_of_ceilings(ceilings: pd.DataFrame, n_test: int, n_experiments: int) -> dict[str, Any]:
    """What an ideal observer of the transactions could tell and what is reached; a dash where nobody knows.

    Parameters
    ----------
    ceilings
        Table of :func:`table_ceilings`.
    n_test, n_experiments
        Test clients of all experiments, and their number.
    """
    first = ceilings.iloc[0]
    whole = [name for name in ceilings.index if not name.endswith(", all links")][-1]
    ideal = first.get("ideal observer")
    return {
        "n_experiments": n_experiments,
        "n_test": f"{n_test:,}",
        "majority": f"{first['guessing']:.2f}",
        "ideal_transactions": "—" if ideal is None else f"{ideal:.2f}",
        "reached_transactions": f"{first['reached']:.2f}",
        "reached_everything": f"{ceilings.loc[whole, 'reached']:.2f}",
    }


def facts_of_recorded_modalities(accuracy: pd.DataFrame, losses: pd.DataFrame, **options: Any) -> dict[str, Any]:
    """Recorded accuracies, ceilings and similarities, and what is lost without each modality.

    Parameters
    ----------
    accuracy, losses
        Recorded accuracies as they are, and what is lost of them, from :func:`losses_without` on one level.
    options
        Passed to :func:`helpers.studies.modalities.compare_columns`.
    """
    recorded = recorded_table("results/clients_modalities.csv")
    about, mean = recorded.iloc[0], accuracy.mean()
    found = {"rec_experiments": str(len(accuracy)), "rec_date": about["date"], "rec_clients": str(about["n_clients"])}
    found |= {"rec_models": str(about["models"]), "rec_test": str(about["n_test"])}
    cells = {
        "best": (WHOLE, "best single"),
        "graph": ("graph", "best single"),
        "pca": (WHOLE, _PCA),
    }
    found |= {f"rec_{key}": f"{mean[cell]:.3f}" for key, cell in cells.items()}
    both = accuracy[[("graph", "best single"), (ALL_LINKS, "best single")]].dropna()
    found |= {"rec_graph_all": f"{both[ALL_LINKS, 'best single'].mean():.3f}", "rec_unseen": len(both)}
    bound = recorded[recorded["kind"] == "ceiling"].groupby("set")["value"].mean()
    found["rec_bound"] = f"{bound[WHOLE]:.3f}"
    for gone in KINDS:
        found[f"rec_lost_{gone}"] = _points(losses.loc[(gone, _PCA)])
    alike, within = recorded_accuracies("similarity"), "models of transactions"
    pairs = {"text": "transactions and text", "graph": "transactions and graph"}
    for key, name in {"within": within, **pairs}.items():
        found[f"rec_cka_{key}"] = f"{alike[name].mean():.2f}"
    less = compare_columns(alike, {key: (within, name) for key, name in pairs.items()}, **options)
    for key, row in less.iterrows():
        found[f"rec_alike_{key}"] = format_interval(row)
        found[f"rec_alike_{key}_share"] = f"{row['wins']:.0%}"
    return found


def facts_of_questions_asked(judged: pd.DataFrame) -> dict[str, Any]:
    """Answers to :data:`ASKED`: points, with their interval, and the verdict."""
    found = {}
    for key, row in judged.iterrows():
        found[f"rec_{key}_said"] = _points(row)
        found[f"rec_{key}_verdict"] = row["verdict"]
        if key in GUIDED:
            found[f"rec_{key}_points"] = float(100 * row["difference"])
    return found


def _points(row: pd.Series) -> str:
    return format_interval(row, scale=100, spec="+.1f")
