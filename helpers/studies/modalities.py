"""Ensembles over transactions, text and graph of the same clients: what each modality adds, and by what method."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from helpers.arrays import integer_seed
from helpers.clients.modalities import KINDS, Modalities, ceilings, embed_graph, embed_texts, make_modalities
from helpers.inference import verdict_of
from helpers.studies.combining import Scored, Tuned, compare_methods
from helpers.studies.comparing import paired_table

if TYPE_CHECKING:
    import pandas as pd

    from helpers.clients.data import Clients

__all__ = [
    "ALL_LINKS",
    "METHODS",
    "Experiment",
    "SetComparison",
    "by_modality",
    "compare_columns",
    "compare_sets",
    "embed_both_graphs",
    "run_experiment",
]

ALL_LINKS = "graph, all links"
"""The space of a graph whose axes know the links of validation and test clients, too."""
METHODS = ("best single", "mean", "QP", "replacement", "concatenation + PCA", "concatenation")
"""What :func:`compare_sets` compares; all but the plain concatenation have the width of one space."""
WEIGHED = ("QP", "replacement")
NAMES = {"best single": "best", "concatenation": "concat"}
LAMBDAS = (0.02, 0.1, 0.5)
STEPS = (0.2, 0.5)


class SetComparison(NamedTuple):
    """What :func:`compare_sets` found.

    Attributes
    ----------
    table : DataFrame
        One row for each set and method: ``set``, ``method``, ``accuracy`` on test clients, ``width``, and ``weights``,
        text that says which single space or, where they are not equal, what weight of each.
    correct : DataFrame
        Whether the class of each test client is predicted, a column for each (set, method).
    quality : Series
        Accuracy of each space alone on validation clients: all that is known of the target when ensembles are chosen.
    """

    table: pd.DataFrame
    correct: pd.DataFrame
    quality: pd.Series


def compare_sets(
    spaces: Mapping[str, Any],
    target: pd.Series,
    split: pd.Series,
    sets: Mapping[str, Sequence[str]],
    *,
    width: int | None = None,
    lambdas: Sequence[float] = LAMBDAS,
    steps: Sequence[float] = STEPS,
    classifier: str = "fast",
    selection_classifier: str = "",
    metric: str = "accuracy",
    rng: int | np.random.Generator = 0,
    known: dict | None = None,
) -> SetComparison:
    """Ensembles over sets of spaces, scored on test clients.

    Parameters
    ----------
    spaces
        Spaces by name: DataFrames indexed by client, or arrays with a row for each client of ``target``.
    target, split
        Class of each client, and whether it is for training, validation or test; clients without a class are left out.
    sets
        Names of the spaces that each of :data:`METHODS` combines, by the name of the set. ``"best single"`` is the
        space of highest validation accuracy; ``"mean"`` and ``"QP"`` add standardised features, the narrower spaces
        filled with zeros, the QP with the validation accuracy as quality and CKA as similarity; ``"replacement"`` is
        :class:`helpers.ensembles.QualityReplacement` with the same quality; ``"concatenation + PCA"`` projects
        standardised features; ``"concatenation"`` does not.
    width
        Width of the projection: that of the widest space by default.
    lambdas, steps
        Values of λ of the QP and of p of the replacement, of which validation accuracy chooses.
    classifier, selection_classifier, metric, rng, known
        Arguments of :func:`helpers.studies.combining.compare_methods`, which does the work.

    Returns
    -------
    SetComparison
        A set of one space has the row ``"best single"`` only.

    Raises
    ------
    ValueError
        If a set names an unknown space or none.

    Notes
    -----
    Statistics, axes and importances come from training clients, qualities, λ and p from validation clients; test
    clients enter only what is reported.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from helpers.studies.modalities import compare_sets
    >>> rng = np.random.default_rng(0)
    >>> target = pd.Series([0, 1] * 100)
    >>> split = pd.Series((["train"] * 12 + ["validation"] * 4 + ["test"] * 4) * 10)
    >>> spaces = {name: target.to_numpy()[:, None] + rng.normal(size=(200, 2)) for name in "ab"}
    >>> found = compare_sets(spaces, target, split, {"a": ["a"], "both": ["a", "b"]}, classifier="logistic")
    >>> found.table.groupby("set").size().to_dict()
    {'a': 1, 'both': 6}
    """
    import pandas as pd

    seed = integer_seed(rng)
    tables = {
        name: x if isinstance(x, pd.DataFrame) else pd.DataFrame(np.asarray(x), index=target.index)
        for name, x in spaces.items()
    }
    for name, members in sets.items():
        if not members or set(members) - set(tables):
            raise ValueError(f"the set {name!r} is {list(members)}; some of {list(tables)} are needed")
    width = width or max(x.shape[1] for x in tables.values())
    known = {} if known is None else known
    classes = target[target.notna()]
    scored = Scored(classes, split.loc[classes.index], classifier, seed, known, metric)
    rows, correct, quality = [], {}, {}
    for label, members in sets.items():
        here = {name: tables[name] for name in members}
        if len(here) == 1:
            (name,) = here
            x = here[name].loc[classes.index].to_numpy()
            found, quality[name] = scored(x, "test"), scored(x, "validation").value
            about = {"accuracy": found.value, "width": x.shape[1], "weights": name}
            rows.append({"set": label, "method": "best single"} | about)
            correct[label, "best single"] = found.correct if metric == "accuracy" else found.contributions
            continue
        total = sum(x.shape[1] for x in here.values())
        methods = partial(_methods, min(width, total), lambdas, steps)
        options = {"classifier": classifier, "selection_classifier": selection_classifier, "rng": seed, "known": known}
        options |= {"metric": metric}
        found = compare_methods(here, target, split, methods, n_resamples=2, **options)
        table = found.table.set_index("method", drop=False)
        quality |= table.loc[table["kind"] == "single", "validation"].to_dict()
        for method, key in {name: NAMES.get(name, name) for name in METHODS}.items():
            row = table.loc[key]
            shares = zip(members, map(float, row["weights"].split()), strict=False)
            said = ", ".join(f"{name} {value:.2f}" for name, value in shares if value > 0.005)
            said = json.loads(row["chosen"]).get("model", said if method in WEIGHED else "")
            about = {"accuracy": row["accuracy"], "width": row["width"], "weights": said}
            rows.append({"set": label, "method": method} | about)
            correct[label, method] = found.correct[key]
    return SetComparison(pd.DataFrame(rows), pd.DataFrame(correct), pd.Series(quality, name="quality"))


class Experiment(NamedTuple):
    """What :func:`run_experiment` found.

    Attributes
    ----------
    made : Modalities
        Text and graph of the clients.
    spaces : dict of str to DataFrame
        ``"model 0"``, … of transactions, then ``"text"``, ``"graph"`` (out of sample: only links to training clients
        are seen) and :data:`ALL_LINKS` (transductive) as far as there are any.
    best : str
        Name of the model of transactions with the highest validation accuracy.
    comparison : SetComparison
        Ensembles over sets of these spaces.
    similarity : dict of str to DataFrame
        Similarities by measure, between all spaces but :data:`ALL_LINKS` and ``"shuffled"``, the best model with its
        clients in random order, whose similarity to a space of another modality is what chance gives.
    ceilings : DataFrame or None
        What an ideal observer reaches with simulated clients, where the metric is the accuracy of all ages and
        order tells nothing.
    """

    made: Modalities
    spaces: dict[str, pd.DataFrame]
    best: str
    comparison: SetComparison
    similarity: dict[str, pd.DataFrame]
    ceilings: pd.DataFrame | None

    def rows(self) -> pd.DataFrame:
        """Everything in one long table: ``kind``, ``set``, ``method``, ``value``, ``width``, ``weights``."""
        import pandas as pd

        table = self.comparison.table.rename(columns={"accuracy": "value"}).assign(kind="accuracy")
        parts = [table, _rows("quality", {("validation", name): q for name, q in self.comparison.quality.items()})]
        for measure, matrix in self.similarity.items():
            parts.append(_rows("similarity", {(measure, pair): v for pair, v in by_modality(matrix).items()}))
        if self.ceilings is not None:
            parts.append(_rows("ceiling", {("ideal observer", s): v for s, v in self.ceilings["accuracy"].items()}))
        found = pd.concat(parts, ignore_index=True)
        found["width"] = found["width"].astype("Int64")
        return found[["kind", "set", "method", "value", "width", "weights"]]


def run_experiment(
    models: Mapping[Any, pd.DataFrame],
    clients: Clients,
    split: pd.Series,
    *,
    strength: float | Mapping[str, float] = 1.0,
    text_width: int = 32,
    graph_width: int = 16,
    text_model: str = "",
    measures: Sequence[str] = ("cka", "rsa", "jaccard", "distance_correlation"),
    n_similar: int = 1000,
    lambdas: Sequence[float] = LAMBDAS,
    steps: Sequence[float] = STEPS,
    classifier: str = "fast",
    selection_classifier: str = "logistic",
    metric: str = "accuracy",
    graph_only: bool = False,
    rng: int | Sequence[int] | np.random.Generator = 0,
) -> Experiment:
    """Text and graph beside the transactions' models of one experiment: similarities, ensembles, ceilings.

    Parameters
    ----------
    models
        Embeddings of one experiment (:class:`helpers.studies.sweep.Sweep`) by the number of the model.
    clients, split
        Clients of these embeddings, and the split by which the models were trained.
    strength
        How much text and graph of simulated clients tell: see :func:`helpers.clients.modalities.make_modalities`.
    text_width, text_model
        Width of the text embeddings, and the encoder that makes them: see
        :func:`helpers.clients.modalities.embed_texts`.
    graph_width
        Width of the graph embeddings: see :func:`helpers.clients.modalities.embed_graph`. The graph of all sets is
        the one *out of sample*; where no training clients are linked with each other there is none.
    measures, n_similar
        Names of similarity measures, and number of test clients on which they are taken at most.
    lambdas, steps, classifier, selection_classifier, metric
        Arguments of :func:`compare_sets`, whose sets are: each of ``transactions`` (the best model), ``text`` and
        ``graph`` alone, two together, all three; :data:`ALL_LINKS` alone, and among all three instead of the graph;
        ``all models``; and all of everything.
    graph_only
        Whether only sets with the graph out of sample are scored, beside single spaces.
    rng
        Seed, sequence of seeds or generator of text and graph; the first seed is that of the classifier, too.

    Returns
    -------
    Experiment

    Raises
    ------
    ValueError
        If a model does not have the clients of ``clients``.
    """
    from helpers.similarity.matrices import similarity_matrices

    seed = integer_seed(rng)
    spaces: dict[str, pd.DataFrame] = {f"model {number}": table for number, table in models.items()}
    for name, table in spaces.items():
        if not table.index.equals(clients.target.index):
            raise ValueError(f"{name} embeds {len(table)} clients, and not the {len(clients)} that are given")
    made = make_modalities(clients, strength=strength, rng=seed)
    several = list(spaces)
    if made.texts is not None:
        spaces["text"] = embed_texts(made.texts, split, width=text_width, model=text_model)
    spaces |= embed_both_graphs(made.payments, split, clients.target.index, width=graph_width)
    first = int(np.ravel(seed)[0])
    options = {"lambdas": lambdas, "steps": steps, "rng": first, "known": {}}
    options |= {"classifier": classifier, "selection_classifier": selection_classifier, "metric": metric}
    alone = compare_sets(spaces, clients.target, split, {name: [name] for name in several}, **options)
    best = str(alone.quality.idxmax())
    single = {"transactions": best} | {name: name for name in KINDS[1:] if name in spaces}
    sets = {
        " + ".join(chosen): [single[name] for name in chosen]
        for size in range(1, len(single) + 1)
        for chosen in combinations(single, size)
    }
    if ALL_LINKS in spaces:
        sets[ALL_LINKS] = [ALL_LINKS]
        sets[f"{' + '.join(single)}, all links"] = [*list(single.values())[:-1], ALL_LINKS]
    if len(several) > 1:
        sets["all models"] = several
        sets[" + ".join(["all models", *list(single)[1:]])] = [*several, *list(single.values())[1:]]
    if graph_only:
        sets = {name: members for name, members in sets.items() if len(members) == 1 or "graph" in members}
    found = compare_sets(spaces, clients.target, split, sets, width=spaces[best].shape[1], **options)
    test = np.flatnonzero(split.reindex(clients.target.index) == "test")[:n_similar]
    shown = {name: x.to_numpy()[test] for name, x in spaces.items() if name != ALL_LINKS}
    shown["shuffled"] = shown[best][np.random.default_rng(first).permutation(len(test))]
    similarity = similarity_matrices(shown, measures, progress=False)
    latents = clients.latents
    ages = latents is not None and "streak" not in latents and np.array_equal(clients.target, latents["age"])
    known = ceilings(clients, made) if ages and metric == "accuracy" else None
    return Experiment(made, spaces, best, found, similarity, known)


def embed_both_graphs(
    payments: pd.DataFrame | None, split: pd.Series, clients: Any, *, width: int = 16
) -> dict[str, pd.DataFrame]:
    """The graph embedding out of sample, and the one that knows all links.

    Parameters
    ----------
    payments
        Links as of :func:`helpers.clients.modalities.embed_graph`, or None.
    split, clients
        Part of each client, and the clients that are embedded.
    width
        Number of features.

    Returns
    -------
    dict of str to DataFrame
        ``"graph"``, from links to training clients alone, and :data:`ALL_LINKS`; empty if no two training clients are
        linked with each other.

    Examples
    --------
    >>> import pandas as pd
    >>> from helpers.studies.modalities import embed_both_graphs
    >>> paid = pd.DataFrame({"payer": [0, 2, 2], "payee": [1, 0, 3], "payments": 1})
    >>> split = pd.Series(["train", "train", "test", "test"])
    >>> {name: bool(x.loc[3].any()) for name, x in embed_both_graphs(paid, split, range(4), width=2).items()}
    {'graph': False, 'graph, all links': True}
    """
    train = split.index[split == "train"]
    if payments is None or not (payments["payer"].isin(train) & payments["payee"].isin(train)).any():
        return {}
    seen = {"graph": train, ALL_LINKS: None}
    return {name: embed_graph(payments, clients, width=width, seen=who) for name, who in seen.items()}


def by_modality(matrix: pd.DataFrame) -> dict[str, float]:
    """Mean similarity within the models of transactions, between modalities, and by chance.

    >>> import pandas as pd
    >>> names = ["model 0", "model 1", "text", "shuffled"]
    >>> matrix = pd.DataFrame([[1, 0.8, 0.2, 0], [0.8, 1, 0.4, 0], [0.2, 0.4, 1, 0.1], [0, 0, 0.1, 1]], names, names)
    >>> {pair: round(value, 2) for pair, value in by_modality(matrix).items()}
    {'models of transactions': 0.8, 'transactions and text': 0.3, 'chance': 0.1}
    """
    kind = ["transactions" if name.startswith("model ") else name for name in matrix.columns]
    others = [name for name in KINDS[1:] if name in kind]
    values, kind = matrix.to_numpy(), np.array(kind)

    def between(a: str, b: str) -> float:
        return float(values[np.ix_(kind == a, kind == b)].mean())

    found = {}
    several = values[np.ix_(kind == "transactions", kind == "transactions")]
    if len(several) > 1:
        found["models of transactions"] = float(several[np.triu_indices(len(several), 1)].mean())
    found |= {f"transactions and {name}": between("transactions", name) for name in others}
    if len(others) == 2:
        found["text and graph"] = between(*others)
    if others:
        found["chance"] = float(np.mean([between(name, "shuffled") for name in others]))
    return found


def _rows(kind: str, values: Mapping[tuple[str, str], float]) -> pd.DataFrame:
    import pandas as pd

    columns = {"method": [m for m, _ in values], "set": [s for _, s in values], "value": list(values.values())}
    return pd.DataFrame({"kind": kind} | columns)


def compare_columns(
    scores: pd.DataFrame, pairs: Mapping[Any, tuple[Any, Any]], *, confidence_level: float = 0.95, **options: Any
) -> pd.DataFrame:
    """Paired differences between columns; the verdicts are those after Holm's correction.

    Parameters
    ----------
    scores
        One row per unit (an experiment, or a client), one column for each method.
    pairs
        Two columns a and b, of which a - b is wanted, by the name of the difference.
    confidence_level, options
        Arguments of :func:`helpers.studies.comparing.paired_table`.

    Returns
    -------
    DataFrame
        Table of :func:`helpers.studies.comparing.paired_table`, with the verdict of the corrected p.

    Examples
    --------
    >>> import pandas as pd
    >>> from helpers.studies.modalities import compare_columns
    >>> scores = pd.DataFrame({"a": [6, 7, 6, 8, 7, 9, 7, 8], "b": [5, 6, 5, 6, 6, 7, 6, 7]}) / 10
    >>> compare_columns(scores, {"a less b": ("a", "b")})["verdict"].tolist()
    ['better']
    """
    both = {name: scores[[a, b]].dropna().to_numpy(dtype=float).T for name, (a, b) in pairs.items()}
    table = paired_table(both, confidence_level=confidence_level, **options)
    table["verdict"] = verdict_of(table["ci_low"], table["ci_high"], table["p_holm"], confidence_level)
    return table


def _methods(
    size: int, lambdas, steps, width: int, *, n_train: int, rng: int | np.random.Generator
) -> dict[str, Tuned]:
    """The ensembles of :data:`METHODS`, projections of one size whatever the best single space has."""
    from helpers.ensembles import QP, ConcatPCA, MeanOfLayers, QualityReplacement

    add = {"normalize": "standardize", "align": "pad"}
    return {
        "mean": Tuned(MeanOfLayers(**add)),
        "QP": Tuned(QP(**add), {"lam": list(lambdas)}),
        "replacement": Tuned(QualityReplacement(random_state=rng), {"p": list(steps)}),
        "concatenation + PCA": Tuned(ConcatPCA(min(size, n_train - 1), normalize="standardize")),
    }
