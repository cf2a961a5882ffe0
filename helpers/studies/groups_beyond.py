"""Groups beyond drawings: clients, documents, days of news, intents; does a learned readout beat the mean elsewhere?

Each data set has groups to train on, others of the same source (``"in"``), and others still of a source that differs:
another bank, other libraries, another year, intents that no training saw (``"out"``). A readout makes one vector of
each group; what follows, a linear probe or a search, is the same for all.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from helpers.arrays import check_count, generator, unit_rows
from helpers.groups import LEARNED, READOUTS, GroupEncoder, group_codes
from helpers.inference import crossed_mean

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = [
    "DATASETS",
    "LEARNED_NAMES",
    "PARTS",
    "WORDS",
    "Grouped",
    "count_verdicts",
    "counts_of",
    "facts",
    "figure",
    "gains_over_mean",
    "judge_gains",
    "load_groups",
    "right_or_wrong",
    "shown",
    "vectors_of",
]

PARTS = ("train", "in", "out")
"""Groups that are trained on; others of their source; others of another source."""

LEARNED_NAMES = tuple(f"learned {readout}" for readout in LEARNED)
"""Readouts that are trained together with the encoder of the items, among the methods."""

WORDS = {
    "centroid": "mean",
    "medoid": "medoid",
    "geometric_median": "geometric median",
    "trimmed_mean": "trimmed mean",
    "moments": "mean and spread",
    "side by side": "all of these side by side + PCA",
    "qp": "quadratic program over these",
    "learned centroid": "mean of trained items",
    "learned deep_sets": "Deep Sets",
    "learned attention": "attention",
    "learned set_transformer": "Set Transformer",
    "mean + learned": "mean beside the best trained, PCA",
}
"""Methods, in the order of a table, and what a page calls them."""

LIBRARIES = {"train": ("scipy", "pandas", "sklearn"), "out": ("torch", "sympy", "numpy")}
KINDS = ("class", "function", "method")
PAPERS = ("cnbc", "guardian", "reuters")
ITEMS = (2, 4)
"""Fewest and most sentences of a document, headlines of a day; questions of an intent are two at a time."""


class Grouped(NamedTuple):
    """Items of groups.

    Attributes
    ----------
    x : ndarray of shape (n, p), float32
        Items, one a row.
    groups : ndarray of shape (n,), int
        Number of the group of each item, from 0.
    y : ndarray of shape (n_groups,), int
        Class of each group.
    part : ndarray of shape (n_groups,), str
        One of :data:`PARTS`.
    search : bool
        Whether classes of ``"out"`` are new, so that vectors are judged by a search and not by a probe.
    fixed : bool
        Whether a group is the same with every seed.
    """

    x: np.ndarray
    groups: np.ndarray
    y: np.ndarray
    part: np.ndarray
    search: bool = False
    fixed: bool = False


def load_groups(name: str, *, n_groups: int = 600, encoder: str = "thenlper/gte-small", rng: int = 0) -> Grouped:
    """A data set of groups by name.

    Parameters
    ----------
    name
        One of :data:`DATASETS`: ``"clients"`` of the simulated bank, their transactions as items and their age as the
        class; ``"documents"``, docstrings of installed libraries with their sentences, the class being the kind of
        object; ``"news"``, a newspaper's headlines of one day (``$BOOK_DATA/financial_headlines``), the class being the
        paper; ``"intents"``, two questions of bank customers each (``$BOOK_DATA/banking77``), the class what they want.
    n_groups
        About how many groups, at least 30.
    encoder
        What makes vectors of texts: as :func:`helpers.encoders.extraction.extract` takes it; the mean over the tokens
        of its last layer.
    rng
        Seed of the draws: of everything for clients; of texts, of who is trained on.

    Raises
    ------
    ValueError
        If the name is unknown.
    FileNotFoundError
        If the data or the encoder are not there.
    """
    if name not in DATASETS:
        raise ValueError(f"name is {name!r}; it is one of {', '.join(map(repr, DATASETS))}")
    return DATASETS[name](check_count(n_groups, "n_groups", least=30), encoder, rng)


def _clients(n_groups: int, encoder: str, rng: int) -> Grouped:
    """Transactions as features; the other bank has stronger individuals, weaker ages and another time of the year."""
    from helpers.clients.simulator import bank, simulate

    n_out = n_groups // 3
    other = bank(strength={"channel": 0.5, "income": 0.5}, taste=5, habit=2)
    banks = [
        simulate(n_groups - n_out, events=(15, 45), rng=[rng, 0]),
        simulate(n_out, events=(15, 45), start="2026-04-01", days=180, model=other, rng=[rng, 1]),
    ]
    x, groups, y = [], [], []
    for found in banks:
        names = {client: number for number, client in enumerate(found.target.index, start=sum(map(len, y)))}
        x.append(_events(found.events))
        groups.append(found.events["client"].map(names).to_numpy())
        y.append(found.target.to_numpy())
    part = np.array(["train"] * (n_groups - n_out) + ["out"] * n_out)
    return _parted(np.concatenate(x), np.concatenate(groups), np.concatenate(y), part, rng)


def _events(events: pd.DataFrame) -> np.ndarray:
    """Features of transactions: log-amount, and a column for each category, channel, weekday and week of the month."""
    from helpers.clients.simulator import CATEGORIES, CHANNELS

    day = events["time"].dt
    columns = [np.log(events["amount"].abs().to_numpy())[:, None] / 2]
    for values, names in (
        (events["category"], list(CATEGORIES)),
        (events["channel"], CHANNELS),
        (day.dayofweek, range(7)),
        ((day.day - 1) // 7, range(5)),
    ):
        columns.append((values.to_numpy()[:, None] == np.array(list(names))).astype(float))
    return np.hstack(columns).astype(np.float32)


def _documents(n_groups: int, encoder: str, rng: int) -> Grouped:
    from helpers.tasks import corpus

    draw, chosen = generator(0), []  # the same texts for each seed, so that they are encoded once
    for part, libraries in LIBRARIES.items():
        n = (2 if part == "train" else 1) * n_groups // 9
        found = [thing for thing in corpus.objects() if thing.package in libraries]
        for kind in KINDS:
            fit = [thing for thing in found if thing.kind == kind and len(thing.sentences) >= ITEMS[0]]
            rows = draw.permutation(len(fit))[:n]
            chosen += [(part, KINDS.index(kind), fit[row].sentences[: ITEMS[1]]) for row in rows]
    return _of_texts(chosen, encoder, rng)._replace(fixed=True)


def _news(n_groups: int, encoder: str, rng: int) -> Grouped:
    from helpers.locations import resolve

    folder = Path(resolve("financial_headlines"))
    if not folder.is_dir():
        raise FileNotFoundError("financial_headlines is not in $BOOK_DATA; three files of headlines by date are needed")
    draw, chosen = generator(0), []
    for paper in PAPERS:
        days: dict[str, list[str]] = {}
        with (folder / f"{paper}_headlines.csv").open(newline="", encoding="utf-8") as file:
            for row in csv.reader(file):
                if len(row) == 2 and row[0][:2] == "20" and row[1].strip():
                    days.setdefault(row[0][:10], []).append(row[1].strip())
        names = sorted(day for day, lines in days.items() if len(set(lines)) >= ITEMS[0])
        for part in ("train", "out"):
            fit = [day for day in names if (day >= "2020") == (part == "out")]
            rows = draw.permutation(len(fit))[: (2 if part == "train" else 1) * n_groups // 9]
            chosen += [(part, PAPERS.index(paper), _few(days[fit[row]], draw)) for row in rows]
    return _of_texts(chosen, encoder, rng)._replace(fixed=True)


def _few(lines: list[str], rng: np.random.Generator) -> list[str]:
    """Some of the lines, two to four at random."""
    lines = list(dict.fromkeys(lines))
    return [lines[i] for i in rng.permutation(len(lines))[: rng.integers(ITEMS[0], ITEMS[1] + 1)]]


def _intents(n_groups: int, encoder: str, rng: int) -> Grouped:
    from helpers.locations import resolve

    folder = Path(resolve("banking77"))
    if not folder.is_dir():
        raise FileNotFoundError("banking77 is not in $BOOK_DATA; its train.csv and test.csv are needed")
    texts: dict[str, dict[str, list[str]]] = {}
    for file in ("train", "test"):
        with (folder / f"{file}.csv").open(newline="", encoding="utf-8") as rows:
            for row in csv.DictReader(rows):
                texts.setdefault(row["category"], {}).setdefault(file, []).append(row["text"].strip())
    names, chosen = sorted(texts), []
    seen = set(generator(rng).permutation(len(names))[: len(names) // 2].tolist())
    per = max(2, n_groups // (2 * len(names)))
    for number, name in enumerate(names):
        parts = {"train": "train", "in": "test"} if number in seen else {"out": "test"}
        for part, file in parts.items():
            lines = texts[name][file]
            count = 2 * per if part == "train" else per
            few = [lines[at : at + ITEMS[0]] for at in range(0, len(lines) - ITEMS[0] + 1, ITEMS[0])]
            chosen += [(part, number, one) for one in few[:count]]
    return _of_texts(chosen, encoder, rng)._replace(search=True)


def _of_texts(chosen: list[tuple[str, int, Any]], encoder: str, rng: int) -> Grouped:
    """Groups of texts, encoded."""
    from helpers.encoders.extraction import extract

    texts = [text for _, _, lines in chosen for text in lines]
    layers = extract(encoder, texts, progress=False)
    x = unit_rows(np.asarray(layers[list(layers)[-1]], dtype=np.float32))
    groups = np.repeat(np.arange(len(chosen)), [len(lines) for _, _, lines in chosen])
    part = np.array([part for part, _, _ in chosen])
    return _parted(x, groups, np.array([label for _, label, _ in chosen]), part, rng)


def _parted(x: np.ndarray, groups: np.ndarray, y: np.ndarray, part: np.ndarray, rng: int) -> Grouped:
    """A quarter of the groups to train on become those of the same source, where there are none yet."""
    if "in" not in part:
        rows = generator([rng, 2]).permutation(np.flatnonzero(part == "train"))
        part = part.astype("<U5")
        part[rows[: len(rows) // 4]] = "in"
    return Grouped(x.astype(np.float32), groups, y, part)


DATASETS: dict[str, Callable[[int, str, int], Grouped]] = {
    "clients": _clients,
    "documents": _documents,
    "news": _news,
    "intents": _intents,
}
"""Data sets by name."""


def vectors_of(data: Grouped, *, steps: int = 300, width: int = 32, rng: int = 0) -> dict[str, np.ndarray]:
    """One vector for each group by every method of :data:`WORDS`; whatever is fitted is fitted on groups to train on.

    Parameters
    ----------
    data
        The groups, as :func:`load_groups` gives them.
    steps
        How long each encoder is trained.
    width
        How many features trained embeddings have.
    rng
        Seed of training.

    Returns
    -------
    dict of str to ndarray of shape (n_groups, width of the method)
    """
    members, train = group_codes(data.groups, len(data.x)), data.part == "train"
    fixed = {name: READOUTS[name](data.x, members).vectors for name in READOUTS}
    out = dict(fixed)
    out["side by side"], out["qp"] = _combined(fixed, data.y, train)
    items = train[data.groups]
    for readout in ("centroid", *LEARNED):
        model = GroupEncoder(
            loss="group_group", readout=readout, width=width, steps=steps, batch_items=4, single_group="halve",
            random_state=rng,
        )  # fmt: skip
        model.fit(data.x[items], data.y[data.groups][items], data.groups[items])
        out[f"learned {readout}"] = model.transform(data.x, members)
    trained = [f"learned {readout}" for readout in ("centroid", *LEARNED)]
    best = max(trained, key=lambda name: _cross_validated(out[name][train], data.y[train]))
    out["mean + learned"] = _beside({name: out[name] for name in ("centroid", best)}, train)
    return {name: out[name] for name in WORDS}


def _beside(spaces: Mapping[str, np.ndarray], train: np.ndarray) -> np.ndarray:
    """Representations of unit length side by side, on principal axes of the groups to train on."""
    from helpers.ensembles import ConcatPCA

    width = min(spaces["centroid"].shape[1], int(train.sum()) // 2)
    model = ConcatPCA(width, normalize="unit").fit({name: x[train] for name, x in spaces.items()})
    return model.transform(dict(spaces))


def _combined(spaces: Mapping[str, np.ndarray], y: np.ndarray, train: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Representations of groups side by side, and summed with the weights of the quadratic program."""
    from helpers.ensembles import QP

    plain = {name: x for name, x in spaces.items() if READOUTS[name].same_width}
    quality = [_cross_validated(x[train], y[train]) for x in plain.values()]
    model = QP(normalize="unit", align="pad").fit({name: x[train] for name, x in plain.items()}, quality=quality)
    return _beside(spaces, train), model.transform(plain)


def _probe() -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))


def _cross_validated(x: np.ndarray, y: np.ndarray) -> float:
    """Accuracy of the probe in three folds."""
    from sklearn.model_selection import StratifiedKFold, cross_val_score

    return float(cross_val_score(_probe(), x, y, cv=StratifiedKFold(3, shuffle=True, random_state=0)).mean())


def right_or_wrong(data: Grouped, vectors: Mapping[str, np.ndarray], *, seed: int = 0) -> pd.DataFrame:
    """Whether the class of each group is right, on groups like those of training and on groups of another source.

    Parameters
    ----------
    data
        The groups, as :func:`load_groups` gives them.
    vectors
        As :func:`vectors_of` gives them.
    seed
        What the data were drawn with, for names of groups.

    Returns
    -------
    DataFrame
        A row per group that is not trained on: ``source`` ("in", "out"), ``unit`` (its name, the same for a text that
        comes with every seed), ``cluster`` (groups with one are not independent) and a column from 0 to 1 per method,
        by a linear probe that was fitted on groups to train on; where classes are new, by whether the nearest other
        group is of the class.
    """
    import pandas as pd

    from helpers.groups.evaluation import retrieval

    train, right = data.part == "train", {}
    for name, z in vectors.items():
        if data.search:
            unit, right[name] = unit_rows(z - z[train].mean(axis=0)), np.zeros(len(z))
            for rows in (np.flatnonzero(data.part == part) for part in PARTS[1:]):
                right[name][rows] = retrieval(unit[rows], data.y[rows])
        else:
            right[name] = (_probe().fit(z[train], data.y[train]).predict(z) == data.y).astype(float)
    parts = []
    for part in PARTS[1:]:
        rows = np.flatnonzero(data.part == part)
        units = [str(row) if data.fixed else f"{seed}/{row}" for row in rows]
        cluster = [f"class {label}" for label in data.y[rows]] if data.search else units
        found = {"source": part, "unit": units, "cluster": cluster}
        parts.append(pd.DataFrame(found | {name: values[rows] for name, values in right.items()}))
    return pd.concat(parts, ignore_index=True)


def gains_over_mean(evaluated: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """What each method gains over a mean, on the same groups.

    Parameters
    ----------
    evaluated
        As :func:`right_or_wrong` gives it, for each seed; a group that comes with several counts once, with its mean.

    Returns
    -------
    DataFrame
        A row per ``source``, ``reference`` (the mean of items as they are, ``"centroid"``, or trained as those of
        learned readouts are, ``"learned centroid"``, for these alone) and ``method``: ``accuracy`` and
        ``reference_accuracy`` in percent, ``gain`` in points with ``ci_low``, ``ci_high`` and ``p`` by
        :func:`helpers.inference.crossed_mean` over ``n_clusters`` clusters of ``n`` groups and over the seeds, each
        cluster with its mean; ``seed_sd``, the standard deviation of the gain from seed to seed (NaN of one seed).
    """
    import pandas as pd

    rows = []
    seeds = pd.concat([found.assign(seed=number) for number, found in enumerate(evaluated)])
    for source, found in seeds.groupby("source", sort=False):
        methods = [name for name in WORDS if name in found]
        weights = 1 / found.groupby("unit")["seed"].transform("size")
        weights /= found.groupby("cluster")["unit"].transform("nunique")
        share = (weights / weights.sum()).to_numpy()
        about = {"n": found["unit"].nunique(), "n_clusters": found["cluster"].nunique()}
        for reference in ("centroid", "learned centroid"):
            for method in methods if reference == "centroid" else [name for name in LEARNED_NAMES if name in found]:
                gained = 100 * (found[method] - found[reference])
                one = crossed_mean(gained, found["cluster"], found["seed"], weights=share)
                row = {"source": source, "reference": reference, "method": method}
                row |= {"accuracy": 100 * share @ found[method], "reference_accuracy": 100 * share @ found[reference]}
                row |= {"gain": one.difference, "ci_low": one.low, "ci_high": one.high, "p": one.p}
                rows.append(row | {"seed_sd": gained.groupby(found["seed"]).mean().std()} | about)
    return pd.DataFrame(rows)


def judge_gains(recorded: pd.DataFrame, *, reference: str = "centroid") -> pd.DataFrame:
    """Recorded gains over one mean, with verdicts that allow for the number of methods.

    Parameters
    ----------
    recorded
        Rows of ``data/results/groups_beyond.csv``: those of :func:`gains_over_mean` by ``dataset``.
    reference
        Which mean: ``"centroid"`` or ``"learned centroid"``.

    Returns
    -------
    DataFrame
        The rows of that reference but its own, with ``p_holm`` over the methods of a data set and source, and
        ``verdict`` by :func:`helpers.inference.verdict_of`.
    """
    from helpers.inference import holm, verdict_of

    found = recorded[(recorded["reference"] == reference) & (recorded["method"] != reference)].copy()
    found["p_holm"] = found.groupby(["dataset", "source"])["p"].transform(lambda p: holm(p.to_numpy()))
    found["verdict"] = verdict_of(found["ci_low"], found["ci_high"], found["p_holm"])
    return found.reset_index(drop=True)


def shown(compared: pd.DataFrame) -> pd.DataFrame:
    """Gains over the mean as a page shows them: methods × data sets and sources, a star where the verdict is clear.

    Parameters
    ----------
    compared
        As :func:`judge_gains` gives it.

    Returns
    -------
    DataFrame
        Text; the first row is the accuracy of the mean itself, in percent.
    """
    import pandas as pd

    star = compared["verdict"].map({"better": " *", "worse": " *"}).fillna("")
    texts = compared["gain"].map("{:+.1f}".format) + star
    wide = compared.assign(text=texts).pivot(index="method", columns=["dataset", "source"], values="text")
    order = list(dict.fromkeys(zip(compared["dataset"], compared["source"], strict=True)))
    wide = wide[order].reindex([name for name in WORDS if name in wide.index]).rename(index=WORDS)
    mean = compared.groupby(["dataset", "source"])["reference_accuracy"].first().map("{:.1f} %".format)
    return pd.concat([mean[order].to_frame(WORDS["centroid"]).T.set_axis(wide.columns, axis=1), wide]).rename_axis("")


def count_verdicts(compared: pd.DataFrame) -> dict[str, Any]:
    """How often readouts and ensembles beat the mean, or lose to it, on another source.

    Parameters
    ----------
    compared
        As :func:`judge_gains` gives it.

    Returns
    -------
    dict
        ``learned_n``, ``learned_better``, ``learned_worse`` and likewise ``fixed_…`` (medoid, medians, spread) and
        ``ensemble_…``, and ``learned_least``, ``learned_most``: extremes of the gain in points.
    """
    out = compared[compared["source"] == "out"]
    kinds = {
        "learned": list(LEARNED_NAMES),
        "fixed": [name for name in READOUTS if name != "centroid"],
        "ensemble": ["side by side", "qp", "mean + learned"],
    }
    counts: dict[str, Any] = {}
    for kind, names in kinds.items():
        rows = out[out["method"].isin(names)]
        counts |= {f"{kind}_n": len(rows)}
        counts |= {f"{kind}_{word}": int((rows["verdict"] == word).sum()) for word in ("better", "worse")}
    learned = out[out["method"].isin(LEARNED_NAMES)]["gain"]
    return counts | {"learned_least": float(learned.min()), "learned_most": float(learned.max())}


def facts(recorded: pd.DataFrame) -> dict[str, Any]:
    """What the page says of the recorded table.

    Parameters
    ----------
    recorded
        Rows of ``data/results/groups_beyond.csv``.

    Returns
    -------
    dict
        As :func:`count_verdicts`; ``fair_learned_better`` and ``fair_learned_worse`` hold learned readouts against the
        mean of trained items; ``seeds`` of each training, and ``seed_sd``, the median over learned readouts elsewhere
        of the standard deviation of their gain from seed to seed, in points.
    """
    fair = count_verdicts(judge_gains(recorded, reference="learned centroid"))
    learned = recorded[(recorded["source"] == "out") & recorded["method"].isin(LEARNED_NAMES)]
    of_seeds = learned[learned["reference"] == "centroid"]["seed_sd"].median()
    out = count_verdicts(judge_gains(recorded)) | {"seeds": int(recorded["seeds"].min()), "seed_sd": float(of_seeds)}
    return out | {f"fair_{name}": fair[name] for name in ("learned_better", "learned_worse")}


def counts_of(data: Grouped) -> dict[str, int]:
    """How many items and groups there are: ``n_items``, ``n_train``, ``n_in``, ``n_out``."""
    return {"n_items": len(data.x)} | {f"n_{part}": int((data.part == part).sum()) for part in PARTS}


def figure(compared: pd.DataFrame) -> Axes:
    """Gains over the mean: a panel for each data set, a line for each method, hollow where the source is another."""
    import matplotlib.pyplot as plt

    from helpers.book.style import INK

    names = list(dict.fromkeys(compared["dataset"]))
    methods = [name for name in WORDS if name in set(compared["method"])]
    _, axes = plt.subplots(1, len(names), sharey=True, figsize=(2.8 + 1.8 * len(names), 0.32 * len(methods) + 1.1))
    for ax, dataset in zip(np.atleast_1d(axes), names, strict=True):
        for source, shift, face in (("in", 0.14, "C0"), ("out", -0.14, "white")):
            found = compared[(compared["dataset"] == dataset) & (compared["source"] == source)].set_index("method")
            at = np.array([len(methods) - methods.index(name) for name in found.index]) + shift
            ends = np.abs(found[["ci_low", "ci_high"]].sub(found["gain"], axis=0)).T.to_numpy()
            ax.errorbar(found["gain"], at, xerr=ends, fmt="o", color="C0", mfc=face, ms=4, lw=1, label=source)
        ax.axvline(0, color=INK, lw=0.8)
        ax.set(title=dataset, xlabel="points")
    first = np.atleast_1d(axes)[0]
    first.set_yticks(range(len(methods), 0, -1), [WORDS[name] for name in methods])
    np.atleast_1d(axes)[-1].legend(title="source", loc="center left", bbox_to_anchor=(1, 0.5))
    return first
