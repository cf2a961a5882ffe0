"""Weights without labels: how well label-free qualities rank models, and what ensembles weighted by them are worth."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from helpers.arrays import integer_seed
from helpers.inference import Claim

if TYPE_CHECKING:
    import pandas as pd

    from helpers.clients.data import Clients
    from helpers.inference import Finding
    from helpers.studies.sweep import Sweep

__all__ = [
    "FURTHER",
    "PUBLISHED",
    "QualityStudy",
    "differences_to",
    "claims",
    "findings",
    "split_histories",
    "quality_table",
    "weigh_models",
    "views_of",
    "with_views",
]

PUBLISHED = ("pseudo_condition_number", "rankme", "mean_cosine", "clustering", "persistence_h0")
"""The qualities of the published table, in its order."""

FURTHER = (
    "alpha_req",
    "nesum",
    "stable_rank",
    "leverage",
    "self_clustering",
    "uniformity",
    "alignment",
    "lidar",
    "agreement",
)
"""Those that it does not have."""


class QualityStudy(NamedTuple):
    """What :func:`weigh_models` found about one experiment.

    Attributes
    ----------
    models : DataFrame
        A row per model: ``model``, each quality so turned that larger counts as better, ``validation`` and ``test``
        accuracy, and ``half_a`` and ``half_b``: accuracy on two halves of the test clients.
    methods : DataFrame
        A row per method: ``quality`` (of the weights, or what else decides), ``combine``, ``scale``, ``lam``,
        ``labels`` (whether any label entered), test ``accuracy``, ``width``, and ``weights``.
    """

    models: pd.DataFrame
    methods: pd.DataFrame


def quality_table(
    models: Mapping[Any, Any],
    names: Sequence[str] = PUBLISHED + FURTHER,
    *,
    views: Mapping[Any, Any] | None = None,
    similarity: Any = None,
    rng: int | np.random.Generator = 0,
) -> pd.DataFrame:
    """Label-free qualities of several models of the same clients.

    Parameters
    ----------
    models : mapping from names to arrays (clients, p)
    names
        Names of qualities in :data:`helpers.quality.QUALITIES`.
    views : mapping from the same names to arrays (views, clients, p), optional
        Views for ``alignment`` and ``lidar``. By default stand-ins made of the embeddings, see
        :func:`helpers.quality.dropout_views`.
    similarity : array of shape (L, L), optional
        Similarities of the models from which ``agreement`` is taken; linear CKA by default.
    rng
        Seed of the stand-ins.

    Returns
    -------
    DataFrame
        Models × qualities; larger counts as better in every column.

    Raises
    ------
    ValueError
        If a quality is unknown, or as the qualities raise.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.studies.label_free import quality_table
    >>> rng = np.random.default_rng(0)
    >>> found = quality_table({"a": rng.normal(size=(50, 4)), "b": rng.normal(size=(50, 1)) * np.ones(4)}, ["rankme"])
    >>> found.round(1)["rankme"].to_dict()
    {'a': 4.0, 'b': 1.0}
    """
    import pandas as pd

    from helpers.quality import QUALITIES, dropout_views

    seed = integer_seed(rng)
    if unknown := [name for name in names if name not in QUALITIES]:
        raise ValueError(f"{', '.join(unknown)} is not a label-free quality; there are {', '.join(QUALITIES)}")
    labels = list(models)
    s = np.asarray(_similarity(models) if similarity is None and "agreement" in names else similarity)
    rows = []
    for i, label in enumerate(labels):
        x, row = np.asarray(models[label]), {}
        seen = None
        if any(QUALITIES[name].needs == "views" for name in names):
            seen = dropout_views(x, rng=seed) if views is None else views[label]
        for name in names:
            if name == "agreement":
                row[name] = float(np.delete(s[i], i).mean())
                continue
            try:
                row[name] = QUALITIES[name](x, views=seen)
            except ValueError as error:
                raise ValueError(f"{name} of model {label!r}: {error}") from error
        rows.append(row)
    return pd.DataFrame(rows, index=pd.Index(labels, name="model"))


def weigh_models(
    models: Mapping[Any, Any],
    target: pd.Series,
    split: pd.Series,
    *,
    names: Sequence[str] = PUBLISHED + FURTHER,
    views: Mapping[Any, Any] | None = None,
    extra: pd.DataFrame | None = None,
    lam: float = 1.0,
    lambdas: Sequence[float] = (),
    raw: Sequence[str] = PUBLISHED,
    combine: Sequence[str] = ("sum", "concat"),
    classifier: str = "fast",
    metric: str = "accuracy",
    rng: int | np.random.Generator = 0,
) -> QualityStudy:
    r"""All weightings of one experiment: the quadratic program with each quality, and what it is measured against.

    Qualities and the similarity S (linear CKA) are taken from the training clients without their labels, and the
    classifier is trained on them with labels; validation clients choose the best model and are the ``validation``
    quality; everything is reported on the test clients.

    Parameters
    ----------
    models : mapping from names to DataFrames or arrays (clients, p)
        Models by name; arrays have their rows in the order of ``target``.
    target, split
        Class of each client, and whether it is for training, validation or test: see :func:`helpers.clients.score`.
    names
        Names of the qualities; see :func:`quality_table`.
    views
        Views of the training clients, in their order, as for :func:`quality_table`.
    extra : DataFrame, optional
        Further qualities: a row per model, a column per quality, larger is better.
    lam
        λ of the program, after the qualities have been brought to [0, 1] within the experiment, so that it means the
        same for each of them. It is fixed in advance: choosing it would need labels.
    lambdas
        Further values of λ, for the published qualities in the sum.
    raw
        Qualities that also enter as they are, in their own units.
    combine
        ``"sum"``: Σ wᵢ Xᵢ, the published way (narrower models are filled with zeros). ``"concat"``: the models side by
        side, each times √wᵢ, on as many principal axes as the widest model has features.
    classifier, metric, rng
        Classifier, metric and seed of the accuracies: see :func:`helpers.clients.score`.

    Returns
    -------
    Study

    Raises
    ------
    ValueError
        If there are fewer than two models, or as the functions that are called raise.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from helpers.studies.label_free import weigh_models
    >>> rng = np.random.default_rng(0)
    >>> target = pd.Series(rng.integers(0, 2, 200))
    >>> split = pd.Series((["train"] * 2 + ["validation", "test"]) * 50)
    >>> models = {i: target.to_numpy()[:, None] + rng.normal(size=(200, 3)) for i in range(3)}
    >>> found = weigh_models(models, target, split, names=["rankme"], raw=(), classifier="logistic")
    >>> found.methods[found.methods["quality"] == "equal"]["combine"].tolist()
    ['sum', 'concat', 'side by side']
    """
    import pandas as pd

    from helpers.clients.scoring import score, score_splits

    seed = integer_seed(rng)
    if len(models) < 2:
        raise ValueError(f"there are {len(models)} models; at least two are needed to weigh them")
    if unknown := set(combine) - {"sum", "concat"}:
        raise ValueError(f"combine has {sorted(unknown)}; it can have 'sum' and 'concat'")
    arrays = {
        str(name): np.asarray(model.loc[target.index] if hasattr(model, "loc") else model)
        for name, model in models.items()
    }
    train = (split.loc[target.index] == "train").to_numpy()
    seen = {name: x[train] for name, x in arrays.items()}
    s = _similarity(seen)
    views = None if views is None else {str(name): view for name, view in views.items()}
    found = quality_table(seen, names, views=views, similarity=s, rng=seed)
    if extra is not None:
        found = found.join(extra.set_axis(extra.index.map(str), axis=0))
        names = [*names, *extra]
        if found.isna().any(axis=None):
            raise ValueError(f"extra lacks a value for one of the models {list(found.index)}")
    options = {"classifier": classifier, "metric": metric, "rng": seed}
    scored = {name: score_splits(x, target, split, **options) for name, x in arrays.items()}
    rated = _rated(found, scored, seed)
    made = _Methods(arrays, seen, s, lambda x: score(x, target, split, **options).value)
    made.add_best(rated, [*names, "validation", "test"])
    made.add_equal(rated, combine)
    made.add_weighted("difference", np.zeros(len(arrays)), "none", 1.0, combine)
    sums = [way for way in combine if way == "sum"]
    for quality in [*names, "validation"]:
        q = rated[quality].to_numpy(dtype=float)
        made.add_weighted(quality, unit_range(q), "unit", lam, combine)
        if quality in raw:
            made.add_weighted(quality, q, "raw", lam, sums)
        if quality in (*PUBLISHED, "validation"):
            for other in lambdas:
                if other != lam:
                    made.add_weighted(quality, unit_range(q), "unit", other, sums)
    return QualityStudy(rated.reset_index(), pd.DataFrame(made.rows))


def _rated(found: pd.DataFrame, scored: Mapping[str, Mapping], seed: Any) -> pd.DataFrame:
    """The qualities of the models beside their accuracies, those on two random halves of the test clients included."""
    tests = [one["test"] for one in scored.values()]
    half = np.random.default_rng(seed).permutation(len(tests[0].correct)) % 2 == 0
    return found.assign(
        validation=[one["validation"].value for one in scored.values()],
        test=[one.value for one in tests],
        half_a=[float(one.contributions.to_numpy()[half].mean()) for one in tests],
        half_b=[float(one.contributions.to_numpy()[~half].mean()) for one in tests],
    )


class _Methods:
    """The rows of :attr:`Study.methods`, as they are found."""

    def __init__(self, arrays: Mapping, seen: Mapping, similarity: np.ndarray, accuracy: Callable[[np.ndarray], float]):
        self.arrays, self.seen, self.similarity, self.accuracy = arrays, seen, similarity, accuracy
        self.rows: list[dict] = []

    def add(self, quality: str, way: str, scale: str, lam: float, value: float, width: int, weights: Any) -> None:
        """One row."""
        labels = quality in ("validation", "test")
        text = " ".join(f"{weight:.3f}" for weight in weights)
        row = {"quality": quality, "combine": way, "scale": scale, "lam": lam, "labels": labels}
        self.rows.append(row | {"accuracy": value, "width": width, "weights": text})

    def add_best(self, rated: pd.DataFrame, names: Sequence[str]) -> None:
        """The model that each quality puts first."""
        one, test = np.eye(len(self.arrays)), rated["test"].to_numpy()
        for quality in names:
            best = int(np.argmax(rated[quality].to_numpy()))
            width = self.arrays[rated.index[best]].shape[1]
            self.add(quality, "best", "order", math.nan, float(test[best]), width, one[best])

    def add_equal(self, rated: pd.DataFrame, ways: Sequence[str]) -> None:
        """Equal weights, all models side by side, and a model at random."""
        from helpers.ensembles import ConcatPCA, MeanOfLayers

        flat = np.full(len(self.arrays), 1 / len(self.arrays))
        for way in ways:
            made = (MeanOfLayers(align="pad") if way == "sum" else ConcatPCA()).fit(self.seen)
            combined = made.transform(self.arrays)
            self.add("equal", way, "none", math.nan, self.accuracy(combined), combined.shape[1], flat)
        whole = np.hstack(list(self.arrays.values()))
        self.add("equal", "side by side", "none", math.nan, self.accuracy(whole), whole.shape[1], flat)
        width = max(x.shape[1] for x in self.arrays.values())
        self.add("random", "best", "none", math.nan, float(rated["test"].mean()), width, flat)

    def add_weighted(self, quality: str, q: np.ndarray, scale: str, lam: float, ways: Sequence[str]) -> None:
        """The quadratic program with one quality."""
        from helpers.ensembles import QP, QPSelectionPCA

        for way in ways:
            made = QP(lam, align="pad") if way == "sum" else QPSelectionPCA(lam)
            made.fit(self.seen, quality=q, similarity=self.similarity)
            combined = made.transform(self.arrays)
            weights = made.weights_.to_numpy()
            self.add(quality, way, scale, float(lam), self.accuracy(combined), combined.shape[1], weights)


def differences_to(
    methods: pd.DataFrame,
    reference: Mapping[str, Any],
    *,
    by: str = "experiment",
    keys: Sequence[str] = ("quality", "combine", "scale", "lam"),
    confidence_level: float = 0.95,
    n_resamples: int = 9999,
    rng: int = 0,
) -> pd.DataFrame:
    """Every method against one, over experiments.

    Parameters
    ----------
    methods : DataFrame
        Methods that :func:`weigh_models` gives, with a column ``by``.
    reference
        Columns and values that name the one, such as ``{"quality": "equal", "combine": "sum"}``.
    by, keys
        The experiment, and the columns that tell one method from another.
    confidence_level, n_resamples, rng
        Arguments of :func:`helpers.inference.paired`.

    Returns
    -------
    DataFrame
        A row per method that every experiment has: mean ``percent`` by which its accuracy is larger, relative to that
        of the reference, with limits ``ci_low`` and ``ci_high``, ``std`` over the experiments, ``win`` (percent of the
        experiments in which it is larger; equal ones count half), ``p`` by flipping signs, ``p_holm`` over the rows,
        ``accuracy``, ``experiments`` and ``verdict`` (from the interval and ``p``, before the correction by Holm).

    Raises
    ------
    ValueError
        If the reference is no method or several, or there are fewer than two experiments.
    """
    import pandas as pd

    from helpers.studies.comparing import paired_table

    named = methods[list(reference)].eq(pd.Series(reference)).all(axis=1)
    base = methods[named].set_index(by)["accuracy"]
    if base.empty or base.index.has_duplicates:
        raise ValueError(
            f"{dict(reference)} names {len(base)} rows over {base.index.nunique()} experiments, not one each"
        )
    if len(base) < 2:
        raise ValueError(f"there is one {by}, {base.index[0]}; at least two are needed to compare methods over them")
    rows, percents = [], []
    for key, part in methods[~named].groupby(list(keys), dropna=False, sort=False):
        other = part.set_index(by)["accuracy"]
        if len(other) == len(base) and not other.index.has_duplicates:
            percents.append(100 * (other.loc[base.index] / base - 1).to_numpy())
            rows.append(dict(zip(keys, key, strict=True)) | {"accuracy": float(other.mean())})
    zero = np.zeros(len(base))
    options = {"confidence_level": confidence_level, "n_resamples": n_resamples, "rng": rng}
    found = paired_table({number: (percent, zero) for number, percent in enumerate(percents)}, **options)
    found = found.rename(columns={"difference": "percent", "n": "experiments"})
    found["std"], found["win"] = [percent.std(ddof=1) for percent in percents], 100 * found["wins"]
    columns = ["percent", "ci_low", "ci_high", "std", "win", "p", "p_holm", "accuracy", "experiments", "verdict"]
    return pd.DataFrame(rows).join(found)[[*keys, *columns]]


def claims(published: pd.DataFrame, names: Mapping[str, str] | None = None) -> dict[str, Claim]:
    """The published finding that no label-free quality helps, as a claim about each of them.

    Parameters
    ----------
    published
        Index quality (of :data:`PUBLISHED`), column ``mean_percent``.
    names
        What the qualities are called.

    Returns
    -------
    dict of str to Claim
        Claims by quality. That a quality does not help means that weights by it gain less than one percent of the
        accuracy of the mean.

    Examples
    --------
    >>> import pandas as pd
    >>> from helpers.studies.label_free import claims
    >>> claims(pd.DataFrame({"mean_percent": {"rankme": -3.07}}))["rankme"].text
    'Weights by rankme do not help'
    """
    return {
        name: Claim(
            f"Weights by {(names or {}).get(name, name)} do not help",
            "percent by which the accuracy is larger than that of the plain mean",
            "less",
            null=1.0,
            published=float(published.loc[name, "mean_percent"]),
            smallest=1.0,
            spec="+.2f",
            better="greater",
            source="popov2025automatic",
            place="section 3.6.1",
            models="CoLES encoders of bank clients",
        )
        for name in PUBLISHED
        if name in published.index
    }


def findings(
    methods: pd.DataFrame,
    claims: Mapping[str, Claim],
    *,
    by: str = "experiment",
    confidence_level: float = 0.95,
    n_resamples: int = 9999,
    rng: int = 0,
) -> dict[str, Finding]:
    """What the weighted sums of a study say of :func:`claims`, for :func:`helpers.inference.judge`.

    Parameters
    ----------
    methods
        Methods that :func:`weigh_models` gives, with a column ``by``; sums with qualities brought to [0, 1] are
        compared with the plain mean.
    claims
        Key → claim, keys are qualities.
    by, confidence_level, n_resamples, rng
        Arguments of :func:`differences_to`.

    Returns
    -------
    dict of str to Finding
        Findings by quality, in percent, with experiments as units.
    """
    from helpers.inference import paired_finding

    sums = methods[methods["combine"] == "sum"]
    mean = sums[sums["quality"] == "equal"].set_index(by)["accuracy"]
    sums = sums[(sums["scale"] == "unit") & (sums["lam"] == 1)]
    found = {}
    for key, claim in claims.items():
        percent = 100 * (sums[sums["quality"] == key].set_index(by)["accuracy"].loc[mean.index] / mean - 1)
        options = {"confidence_level": confidence_level, "n_resamples": n_resamples, "rng": rng}
        found[key] = paired_finding(claim, percent.to_numpy(), np.zeros(len(percent)), "experiments", **options)
    return found


def split_histories(clients: Clients, *, rng: int | np.random.Generator = 0) -> tuple[Clients, Clients]:
    """Each client's events cut in two at random: two views of everyone.

    Parameters
    ----------
    clients
        Clients with one event are in both views as they are.
    rng
        Seed or generator of the cut.

    Returns
    -------
    tuple of Clients
        The same clients in the same order twice; events keep their order, each goes to one of the two.

    Examples
    --------
    >>> from helpers.clients import simulate
    >>> from helpers.studies.label_free import split_histories
    >>> clients = simulate(10, rng=0)
    >>> first, second = split_histories(clients)
    >>> len(first.events) + len(second.events) == len(clients.events)
    True
    """
    from helpers.arrays import generator
    from helpers.clients.data import Clients

    events = clients.events
    draw = generator(rng).random(len(events))
    # Of each client as many events on one side as on the other, up to one.
    place = events.assign(draw=draw).groupby("client", sort=False, observed=True)["draw"].rank(method="first")
    count = events.groupby("client", sort=False, observed=True)["time"].transform("size")
    side = (place.to_numpy() > count.to_numpy() / 2).astype(int)
    alone = count.to_numpy() == 1
    return tuple(Clients(events[(side == which) | alone].reset_index(drop=True), clients.target) for which in (0, 1))


def with_views(
    clients: Clients, split: pd.Series, *, halves_rng: int | np.random.Generator = 0, **settings: Any
) -> tuple[pd.DataFrame, np.ndarray]:
    """Train one model as :func:`helpers.clients.coles.embed` does, and embed two random halves of each history too.

    Parameters
    ----------
    clients, split, settings
        Arguments of :func:`~helpers.clients.coles.embed`, its ``rng`` among them; the training sees what it sees
        there, so that the same settings give the same model.
    halves_rng
        Seed or generator of the cut of histories into halves.

    Returns
    -------
    embeddings : DataFrame of shape (clients, hidden)
        Embeddings of whole histories.
    views : ndarray of shape (2, clients, hidden)
        Embeddings of their halves: views for :func:`helpers.quality.alignment` and :func:`helpers.quality.lidar`.
    """
    import pandas as pd

    from helpers.clients.coles import embed
    from helpers.clients.data import Clients

    n, known = len(clients), pd.Index(clients.target.index)
    three = [clients, *split_histories(clients, rng=halves_rng)]
    # Halves follow as clients of their own, of no part that is trained on.
    events = pd.concat(
        [one.events.assign(client=known.get_indexer(one.events["client"]) + i * n) for i, one in enumerate(three)],
        ignore_index=True,
    )
    target = pd.Series(np.tile(clients.target.to_numpy(), 3))
    where = pd.Series(np.concatenate([split.loc[known].to_numpy(), np.repeat("none", 2 * n)]))
    values = embed(Clients(events, target), where, **settings).embeddings.to_numpy()
    return pd.DataFrame(values[:n], index=known), values[n:].reshape(2, n, -1)


def views_of(
    sweep: Sweep,
    experiment: int,
    *,
    source: str = "simulated",
    options: Mapping[str, Any] | None = None,
    n_clients: int = 2000,
    rng: int | np.random.Generator = 0,
) -> tuple[dict[int, np.ndarray], dict[int, float]]:
    """Embeddings of two halves of the history of each training client, by every model of an experiment.

    A sweep keeps embeddings, not models: each model is trained once more, by its recorded settings and seed.

    Parameters
    ----------
    sweep, experiment
        Sweep that :func:`helpers.studies.sweep.read_sweep` gives, and the number of one of its experiments.
    source, options, n_clients, rng
        Arguments that the sweep was given.

    Returns
    -------
    views : dict
        Model → array of shape (2, training clients, hidden), clients in the order of the sweep.
    differences : dict
        Model → largest difference of an embedding of a whole history from that of the sweep, over the standard
        deviation of the embeddings: whether it is the same model.

    Raises
    ------
    ValueError
        If the clients are not those of the sweep.
    """
    from helpers.clients import load_clients
    from helpers.clients.coles import SPACE
    from helpers.clients.data import Clients

    seed = integer_seed(rng)
    population = [seed, experiment] if source == "simulated" else seed
    clients = load_clients(source, n_clients=n_clients or None, rng=population, **(options or {}))
    parts = sweep.split[experiment]
    if not parts.index.equals(clients.target.index):
        raise ValueError(f"the clients of {source!r} are not those of experiment {experiment} of the sweep")
    index = parts.index[parts == "train"]
    events = clients.events[clients.events["client"].isin(index)].reset_index(drop=True)
    training = Clients(events, clients.target.loc[index])
    views, differences = {}, {}
    for model, run in sweep.runs.loc[experiment].iterrows():
        settings = {name: run[name] for name in (*SPACE, "features")}
        whole, views[model] = with_views(training, parts.loc[index], rng=int(run["training_seed"]), **settings)
        known = sweep.embeddings[experiment, model].loc[index].to_numpy()
        differences[model] = float(np.abs(whole.to_numpy() - known).max() / known.std())
    return views, differences


def _similarity(models: Mapping[Any, Any]) -> np.ndarray:
    """Linear CKA between all models."""
    from helpers.similarity.cka import cka

    arrays = [np.asarray(x) for x in models.values()]
    for name, x in zip(models, arrays, strict=True):
        if np.ptp(x, axis=0).max() == 0:
            raise ValueError(f"model {name!r} is constant over the {len(x)} clients; nothing is similar to it")
    out = np.eye(len(arrays))
    for i, x in enumerate(arrays):
        for j in range(i):
            out[i, j] = out[j, i] = cka(x, arrays[j])
    return out


def unit_range(q: np.ndarray) -> np.ndarray:
    """Brought to [0, 1]; all equal gives 0."""
    spread = np.ptp(q)
    return (q - q.min()) / spread if spread > 0 else np.zeros_like(q)
