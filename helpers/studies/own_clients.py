"""What a run on own clients found: who gains how much, whether so many experiments can decide it, and what would.

Experiments on one table share their clients: each has its own split and its own encoders. So a difference is judged
with the variance of Nadeau and Bengio (2003), which knows that training and test clients come from one table.
"""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from helpers.clients.scoring import METRIC_NAMES
from helpers.studies.combining import without_singles
from helpers.studies.comparing import LEAST_UNITS
from helpers.studies.encoders_page import guessing
from helpers.studies.hand_made import HAND_MADE

if TYPE_CHECKING:
    import pandas as pd

    from helpers.clients import Clients
    from helpers.studies.sweep import Sweep

__all__ = [
    "COUNTED",
    "MAPPED",
    "PAIRED",
    "Answer",
    "answer_of",
    "answer_of_table",
    "experiments_to_decide",
    "judge_methods",
    "table_of_counting",
    "table_of_maps",
    "table_of_modalities",
    "table_of_pairs",
    "table_of_weightings",
]

COUNTED = {"hand": "features made by hand", "both": "best encoder and features made by hand"}
"""Methods of :func:`table_of_counting`, and what they are called."""
PAIRED = {
    "two best": "the two best on validation clients",
    "best + least similar": "the best and the one least similar to it",
    "least similar": "the least similar pair",
}
"""Methods of :func:`table_of_pairs`, and what they are called."""
MAPPED = {
    "both": "the two best side by side",
    "nothing": "after a map that keeps nothing",
    "reconstruction": "after a map that keeps reconstruction",
    "labels": "after a map that keeps labels",
}
"""Methods of :func:`table_of_maps`, and what they are called."""
POWER = 0.8
"""How often a study is to find a difference that is there."""
FAR = 25.0
"""Standard errors beyond which a difference is found for certain, by any number of experiments from six on."""
MOST_EXPERIMENTS = 40
"""More experiments on one table than this hardly make an interval shorter."""
MOST_CLIENTS = 20
"""A difference that takes more than so many times the clients is too small to be looked for."""


class Answer(NamedTuple):
    """What a page says on top of a run on own clients; a notebook shows it.

    Attributes
    ----------
    about : str
        Clients of the run, their number, and the metric of their scores.
    table : DataFrame
        A row for each method: its mean score, its difference from the reference in points, and whether that is decided.
    decided : str
        Which methods are better or worse than the reference, as far as that can be said.
    next_step : str
        What to record to decide the rest.
    """

    about: str
    table: pd.DataFrame
    decided: str
    next_step: str

    def _repr_html_(self) -> str:
        table = self.table.to_html(border=0, classes="dataframe") if len(self.table) else ""
        texts = [f"<p>{html.escape(text)}</p>" for text in (self.decided, self.next_step)]
        title = f'<p class="admonition-title">{html.escape(self.about)}</p>'
        return f'<div class="admonition important own-answer">{title}{table}{"".join(texts)}</div>'


def judge_methods(
    table: pd.DataFrame, *, overlap: float, against: str = "best", confidence_level: float = 0.95
) -> pd.DataFrame:
    """Differences of methods to one of them over experiments that share clients.

    Parameters
    ----------
    table
        Table with ``experiment``, ``method`` and ``accuracy``, a score by any metric.
    overlap
        Number of test clients over that of training clients, in one experiment.
    against
        Method that the others are compared with.
    confidence_level
        Level of the intervals.

    Returns
    -------
    DataFrame
        Index ``method``, the reference first: mean ``score``, ``difference`` in points, ``spread`` of it over the
        experiments, ``ci_low``, ``ci_high``, ``p_holm`` and ``verdict``. With fewer than
        :data:`helpers.studies.comparing.LEAST_UNITS` experiments their spread is known too roughly: there are no
        limits and no p (NaN), and the verdict is ``"open"``.

    Raises
    ------
    ValueError
        If ``against`` is no method.

    Notes
    -----
    Student's t with the variance (1 / experiments + overlap) s² of Nadeau and Bengio; of equal differences s is 0, and
    nothing is judged.
    """
    import pandas as pd

    from helpers.inference import holm, paired, verdict_of

    if against not in set(table["method"]):
        raise ValueError(f"against is {against!r}; the methods are {', '.join(dict.fromkeys(table['method']))}")
    wide = table.pivot(index="experiment", columns="method", values="accuracy")
    wide = wide[[against, *(name for name in dict.fromkeys(table["method"]) if name != against)]].dropna(axis=1)
    rows = {against: {"score": wide[against].mean()}}
    for name in wide.columns[1:]:
        points = 100 * (wide[name] - wide[against]).to_numpy()
        row = {"score": wide[name].mean(), "difference": points.mean()}
        row["spread"] = points.std(ddof=1) if len(points) > 1 else np.nan
        if len(points) >= LEAST_UNITS and row["spread"] > 0:
            found = paired(points, np.zeros(len(points)), overlap=overlap, confidence_level=confidence_level)
            row |= {"ci_low": found.low, "ci_high": found.high, "p": found.p}
        rows[name] = row
    columns = ["score", "difference", "spread", "ci_low", "ci_high", "p"]
    judged = pd.DataFrame.from_dict(rows, orient="index").reindex(columns=columns).rename_axis("method")
    tested = judged["p"].notna()
    judged["p_holm"] = np.nan
    judged["verdict"] = "open"
    if tested.any():
        judged.loc[tested, "p_holm"] = holm(judged.loc[tested, "p"])
        ends = (judged.loc[tested, name] for name in ("ci_low", "ci_high", "p_holm"))
        judged.loc[tested, "verdict"] = verdict_of(*ends, confidence_level)
    judged.loc[judged["verdict"] == "not distinguishable", "verdict"] = "open"
    judged.loc[against, "verdict"] = ""
    return judged.drop(columns="p")


def experiments_to_decide(difference: float, spread: float, overlap: float, *, n_tests: int = 1) -> tuple[int, float]:
    """How many experiments would find a difference in 80 % of the cases, and with how many times the clients.

    Parameters
    ----------
    difference, spread
        Difference as it is, and its standard deviation over experiments.
    overlap
        Number of test clients over that of training clients.
    n_tests
        Number of differences that are tested together, by Bonferroni's correction.

    Returns
    -------
    experiments : int
        At least :data:`helpers.studies.comparing.LEAST_UNITS`, at most :data:`MOST_EXPERIMENTS`.
    clients : float
        1.0 if the clients that there are suffice, otherwise by how much their number has to be multiplied, the variance
        of a difference falling with their number; infinite for no difference.

    Examples
    --------
    >>> from helpers.studies.own_clients import experiments_to_decide
    >>> experiments_to_decide(4.0, 1.0, 0.6)
    (6, 1.0)
    >>> experiments_to_decide(1.0, 1.0, 0.6)[1] > 4
    True
    """
    from scipy import optimize, stats

    def power(n: int, shift: float) -> float:
        """How often n experiments find a difference of so many of its standard errors, with the right sign."""
        return float(stats.nct.sf(stats.t.isf(0.025 / n_tests, n - 1), n - 1, shift))

    def shift(n: int) -> float:
        return abs(difference) / (spread * math.sqrt(1 / n + overlap))

    sizes = range(LEAST_UNITS, MOST_EXPERIMENTS + 1)
    enough = next((n for n in sizes if shift(n) > FAR or power(n, shift(n)) >= POWER), None)
    if enough is not None:
        return enough, 1.0
    if not difference:
        return MOST_EXPERIMENTS, math.inf
    needed = optimize.brentq(lambda x: power(MOST_EXPERIMENTS, x) - POWER, 0.0, 8.0)
    return MOST_EXPERIMENTS, (needed / shift(MOST_EXPERIMENTS)) ** 2


def answer_of(
    table: pd.DataFrame | Callable[[], pd.DataFrame],
    sweep: Sweep,
    *,
    source: str,
    metric: str,
    against: str = "best",
    names: Mapping[str, str] | None = None,
) -> Answer | None:
    """What a page says on top of a run on own clients; nothing of a run on simulated ones.

    Parameters
    ----------
    table
        Table with ``experiment``, ``method`` and ``accuracy``, the score by ``metric``, or a function that makes it,
        which is not called for simulated clients; a column ``kind`` may mark single models, which are left out, as is
        the method ``"best_on_test"``, which nobody can choose.
    sweep
        Sweep of the run.
    source
        Where the clients come from.
    metric
        One of :data:`helpers.clients.SCORE_METRICS`.
    against
        Method that the others are compared with: the encoder that validation clients choose.
    names
        Methods that are shown, and what they are called; all by default.

    Returns
    -------
    Answer or None
    """
    if source == "simulated":
        return None
    table = table() if callable(table) else table
    table = without_singles(table)
    names = {name: name for name in dict.fromkeys(table["method"])} if names is None else dict(names)
    for name in (against, "best_on_test"):
        names.pop(name, None)
    table = table[table["method"].isin([against, *names])]
    overlap = _overlap(sweep)
    judged = judge_methods(table, overlap=overlap, against=against)
    best = "best model" if HAND_MADE in judged.index else "best encoder"  # which may be no encoder
    shown = judged.rename(index={against: f"{best}, chosen on validation clients"} | names)
    n = table["experiment"].nunique()
    decided = _decided(shown, n, best)
    return Answer(_about(sweep, source, metric), _written(shown, metric), decided, _next(shown, n, overlap))


def answer_of_table(
    clients: Clients,
    *,
    source: str,
    fractions: Sequence[float] = (0.5, 0.2, 0.3),
    metric: str = "",
    binary_from: str = "",
) -> Answer | None:
    """What a page says on top of a run that has read own clients and trained nothing; nothing of simulated ones.

    Parameters
    ----------
    clients
        Clients of the run, with the report of what was wrong with their table.
    source
        Where they come from.
    fractions
        Shares of training, validation and test clients in each experiment.
    metric, binary_from
        Metric, one of :data:`helpers.clients.SCORE_METRICS` or empty for the one that suits the classes, and class from
        which on the target is 1, or empty.

    Returns
    -------
    Answer or None
        Clients, metric and what guessing reaches; a table of the checks that found anything: how many, what share, and
        what was done; how far so many test clients reach.
    """
    import pandas as pd

    from helpers.clients import binary_target
    from helpers.studies.sweep import Sweep

    if source == "simulated":
        return None
    target = clients.target if binary_from == "" else binary_target(clients.target, binary_from)
    read = Sweep(pd.DataFrame(), {}, {}, {0: target.dropna()})
    metric = read.metric(metric)
    report = clients.report
    found = pd.DataFrame() if report is None else report.loc[report["found"] > 0, ["found", "share", "done"]]
    if len(found):
        found = found.assign(share=found["share"].map("{:.1%}".format)).astype(str).rename_axis(None)
    wrong = "The table below has what was found wrong with it." if len(found) else "Nothing was found wrong with it."
    about = (
        f"Your clients: {_called(source)}, {target.notna().sum():,} of {target.nunique()} classes; "
        f"transactions: {len(clients.events):,}; scored by {METRIC_NAMES[metric]}, guessing gives "
        f"{guessing(read, metric):.2f}"
    )
    n_test = max(1, round(target.notna().sum() * fractions[2]))
    reach = f"±{98 / math.sqrt(n_test):.0f} points"
    decided = f"{wrong} What encoders and combinations are worth on these clients, the chapters that follow say."
    step = (
        f"Each experiment scores on about {n_test:,} test clients, on which a share of one half is known to {reach}. "
        "Differences between encoders of one experiment are known better, since they share these clients."
    )
    return Answer(about, found, decided, step)


def _called(source: str) -> str:
    return source if source.partition(":")[0] == "berka" else Path(source).name


def _overlap(sweep: Sweep) -> float:
    parts = [split[sweep.target[number].notna()].value_counts() for number, split in sweep.split.items()]
    return float(np.mean([part["test"] / part["train"] for part in parts]))


def _about(sweep: Sweep, source: str, metric: str) -> str:
    target = next(iter(sweep.target.values()))
    models = int(sweep.runs.groupby("experiment").size().max())
    return (
        f"Your clients: {_called(source)}, {target.notna().sum():,} of {target.nunique()} classes; experiments: "
        f"{len(sweep.target)}, encoders in each: {models}; scored by {METRIC_NAMES[metric]}, guessing gives "
        f"{guessing(sweep, metric):.2f}"
    )


def _written(judged: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The table as it is shown, every cell a text."""
    import pandas as pd

    def points(row: Any) -> str:
        if np.isnan(row["difference"]):
            return ""
        limits = "" if np.isnan(row["ci_low"]) else f" [{row['ci_low']:+.1f}, {row['ci_high']:+.1f}]"
        return f"{row['difference']:+.1f}{limits}"

    columns = {
        METRIC_NAMES[metric]: judged["score"].map("{:.3f}".format),
        "points gained": judged.apply(points, axis=1),
        "decided": judged["verdict"],
    }
    return pd.DataFrame(columns).rename_axis(None)


def _decided(judged: pd.DataFrame, n: int, best: str) -> str:
    others = judged.iloc[1:]
    if others.empty:
        return "Nothing was compared: a combination needs two encoders."
    if n < LEAST_UNITS:
        known = f"with fewer than {LEAST_UNITS} experiments the spread between them is known too roughly"
        why = known if n > 1 else "one experiment does not show the spread between experiments"
        return f"Not decided: {why}, so that no interval is given, and differences are to be looked at, not believed."
    said = [
        f"{verdict} than the {best}: {', '.join(others.index[others['verdict'] == verdict])}."
        for verdict in ("better", "worse")
        if (others["verdict"] == verdict).any()
    ]
    words = " ".join(said).capitalize() if said else "No difference is decided."
    return f"{words} Intervals are for other splits, trainings and clients of the same bank (p corrected by Holm)."


def _next(judged: pd.DataFrame, n: int, overlap: float) -> str:
    left = judged.iloc[1:]
    left = left[(left["verdict"] == "open") & left["spread"].gt(0)]
    least = f"To decide anything, record at least experiments: {LEAST_UNITS}." if n < LEAST_UNITS else ""
    if left.empty:
        return least
    top = left.loc[left["difference"].abs().idxmax()]
    many, factor = experiments_to_decide(top["difference"], top["spread"], overlap, n_tests=len(judged) - 1)
    first = f"The largest open difference is that of {top.name}, {top['difference']:+.1f} points."
    if factor == 1:
        rough = " (as far as so few experiments can tell)" if least else ""
        return (
            f"{least} {first} If it is real, experiments: {many} would decide it in four cases of five{rough}.".strip()
        )
    if least:
        return least
    if factor > MOST_CLIENTS:
        return f"{first} It is too small to be decided: take the simplest method."
    return (
        f"{first} No number of experiments on these clients would decide it; it takes about {math.ceil(factor)} times "
        f"as many clients, or clients of other months."
    )


def table_of_counting(sweep: Sweep, features: pd.DataFrame, runs: pd.DataFrame, **scoring: Any) -> pd.DataFrame:
    """Scores of the chosen encoder, of features made by hand, and of both side by side, in each experiment.

    Parameters
    ----------
    sweep
        Sweep of the run.
    features
        Features of :func:`helpers.clients.hand_made`, clients × features.
    runs
        Scored runs, by experiment and model, with ``accuracy_validation`` and ``accuracy_test``.
    scoring
        Arguments of :func:`helpers.clients.score`.

    Returns
    -------
    DataFrame
        ``experiment``, ``method`` (``"best"`` and those of :data:`COUNTED`) and ``accuracy``.
    """
    from helpers.clients.scoring import score

    rows = []
    for number, target in sweep.target.items():
        chosen = runs.loc[number]["accuracy_validation"].idxmax()
        counted = features.loc[target.index]
        beside = np.hstack([sweep.embeddings[number, chosen].to_numpy(dtype=float), counted.to_numpy(dtype=float)])
        values = {"best": runs.loc[(number, chosen), "accuracy_test"]}
        for name, x in (("hand", counted.to_numpy(dtype=float)), ("both", beside)):
            values[name] = score(x, target, sweep.split[number], **scoring).value
        rows += _rows(number, values)
    return _table(rows, COUNTED)


def table_of_pairs(sweep: Sweep, pairs: pd.DataFrame, **scoring: Any) -> pd.DataFrame:
    """Scores of the encoder that validation clients choose, and of two that are taken by a rule, in each experiment.

    Parameters
    ----------
    sweep
        Sweep of the run.
    pairs
        Table of pairs with ``cka`` and ``accuracy_concatenation``.
    scoring
        Arguments of :func:`helpers.studies.sweep.score_runs`.

    Returns
    -------
    DataFrame
        ``experiment``, ``method`` (``"best"`` and those of :data:`PAIRED`) and ``accuracy``; rules by similarity only
        where ``cka`` was measured.
    """
    from helpers.studies.pair_decisions import pairs_without_fit
    from helpers.studies.sweep import score_runs

    scores = score_runs(sweep, **scoring)
    rows = []
    for number, here in pairs.groupby("experiment"):
        valid = scores.loc[number]["accuracy_validation"]
        known = "cka" in here and here["cka"].notna().all()
        chosen = pairs_without_fit(here.assign(similarity=here["cka"]) if known else here, valid)
        values = {"best": scores.loc[(number, valid.idxmax()), "accuracy_test"]}
        values |= {rule: here.loc[pair, "accuracy_concatenation"] for rule, pair in chosen.items()}
        rows += _rows(number, values)
    return _table(rows, PAIRED)


def table_of_maps(maps: pd.DataFrame) -> pd.DataFrame:
    """Scores of the better of two encoders, of both side by side, and of both after a map of the other one.

    Parameters
    ----------
    maps
        Table of :func:`helpers.studies.decorrelation_page.score_sweep_maps`.

    Returns
    -------
    DataFrame
        ``experiment``, ``method`` (``"best"`` and those of :data:`MAPPED`, by what a map keeps) and ``accuracy``. Of
        the maps those of the first penalty and the first μ that each experiment has.
    """
    rows = []
    for number, here in maps.groupby("experiment"):
        before, tried = here[here["penalty"] == "none"].iloc[0], here[here["penalty"] != "none"]
        values = {"best": before["accuracy_y"], "both": before["accuracy_union"]}
        values |= tried.drop_duplicates("keep").set_index("keep")["accuracy_union"].to_dict()
        rows += _rows(number, values)
    return _table(rows, MAPPED)


def table_of_weightings(methods: pd.DataFrame) -> pd.DataFrame:
    """Scores of the encoder that validation labels choose, and of what needs no label, in each experiment.

    Parameters
    ----------
    methods
        Methods of :func:`helpers.studies.label_free.weigh_models`, with a column ``experiment``.

    Returns
    -------
    DataFrame
        ``experiment``, ``method`` (``"best"``, ``"mean"``, ``"side by side"``, ``"side by side + PCA"``, ``"best by
        agreement"``) and ``accuracy``.
    """
    wanted = {
        ("validation", "best"): "best",
        ("equal", "sum"): "mean",
        ("equal", "side by side"): "side by side",
        ("equal", "concat"): "side by side + PCA",
        ("agreement", "best"): "best by agreement",
    }
    called = [wanted.get(key) for key in zip(methods["quality"], methods["combine"], strict=True)]
    found = methods.assign(method=called).dropna(subset="method")
    order = {name: place for place, name in enumerate(wanted.values())}
    return found.sort_values("method", key=lambda column: column.map(order), kind="stable")[
        ["experiment", "method", "accuracy"]
    ]


def table_of_modalities(scores: pd.DataFrame, everything: str) -> pd.DataFrame:
    """Scores of the best encoder of transactions, and of each ensemble over all modalities, in each experiment.

    Parameters
    ----------
    scores
        Scores by (set, method), a row for each experiment.
    everything
        Name of the set of all modalities.

    Returns
    -------
    DataFrame
        ``experiment``, ``method`` (``"best"`` and the ensembles) and ``accuracy``.
    """
    rows = []
    for number, row in scores.iterrows():
        values = {"best": row["transactions", "best single"]}
        rows += _rows(number, values | {name: row[everything, name] for name in row[everything].index})
    return _table(rows)


def _rows(experiment: Any, values: Mapping[str, float]) -> list[dict[str, Any]]:
    return [{"experiment": experiment, "method": name, "accuracy": value} for name, value in values.items()]


def _table(rows: list[dict[str, Any]], names: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Rows as a table, methods by what they are called."""
    import pandas as pd

    found = pd.DataFrame(rows)
    return found.replace({"method": dict(names)}) if names else found
