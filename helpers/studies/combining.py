"""Embeddings of the same clients combined: fitted on training, chosen on validation, compared on test clients.

Accuracies are shares, their differences too (0.01 is one point). Experiments are the independent units of every
statement over several of them: the models of one experiment share clients.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from helpers.arrays import integer_seed
from helpers.studies.comparing import LEAST_UNITS, paired_table
from helpers.studies.hand_made import HAND_MADE

if TYPE_CHECKING:
    import pandas as pd

    from helpers.inference import Claim, Finding
    from helpers.studies.sweep import Sweep

__all__ = [
    "MEASURES",
    "AboutMethods",
    "Comparison",
    "Tuned",
    "angular_cosine",
    "baseline_methods",
    "compare_methods",
    "compare_methods_by_experiment",
    "deciding_findings",
    "draw_differences",
    "findings",
    "differences_over_experiments",
    "without_singles",
]


class Tuned(NamedTuple):
    """An ensemble, the parameters among which validation chooses, and whether it chooses the number of steps too."""

    ensemble: Any
    grid: Mapping[str, Sequence] = {}
    path: bool = False


class AboutMethods(NamedTuple):
    """A claim about two methods: by how many points of accuracy the first is better, or how often it wins.

    Attributes
    ----------
    first, second : str
        Names of the two methods.
    claim : Claim
        Claim about the difference in points (0.01 of accuracy is one), or about a share from 0 to 1.
    share : bool
        Whether it is about the share of the experiments that the first wins.
    """

    first: str
    second: str
    claim: Claim
    share: bool = False


class Comparison(NamedTuple):
    """What :func:`compare_methods` found.

    Attributes
    ----------
    table : DataFrame
        A row for each single model, reference and method; see :func:`compare_methods`.
    correct : DataFrame
        Whether the class of each test client (rows) is predicted, by each of them (columns).
    curves : DataFrame
        The validation accuracy of each candidate of each method that is tuned, and whether it was ``chosen``.
    ensembles : dict
        The fitted ensemble of each method.
    """

    table: pd.DataFrame
    correct: pd.DataFrame
    curves: pd.DataFrame
    ensembles: dict[Any, Any]


def angular_cosine(x: Any, y: Any) -> float:
    """Cosine of the angular shape distance: the angle as a similarity in [0, 1].

    >>> import numpy as np
    >>> from helpers.studies.combining import angular_cosine
    >>> x = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    >>> round(angular_cosine(x, 3 * x[:, ::-1] + 1), 9)
    1.0
    """
    from helpers.similarity.shape import angular_shape

    return float(np.cos(angular_shape(x, y)))


MEASURES: dict[str, Any] = {
    "cka": "cka",
    "rsa": "rsa",
    "distance_correlation": "distance_correlation",
    "angular_shape": angular_cosine,
}
"""The similarities of the published weights; that of the angle is its cosine."""


def baseline_methods(width: int, n_train: int | None) -> dict[str, Tuned]:
    """What every method of that width is held against; fewer axes where there are fewer training rows."""
    from helpers.ensembles import ConcatPCA, MeanOfLayers

    axes = width if n_train is None else min(width, n_train - 1)
    return {
        "mean": Tuned(MeanOfLayers(align="pad")),
        "concat_pca": Tuned(ConcatPCA(axes), {"normalize": [None, "standardize"]}),
    }


def compare_methods(
    representations: Mapping[str, Any],
    target: pd.Series,
    split: pd.Series,
    methods: Callable[..., Mapping[str, Tuned]],
    *,
    classifier: str = "fast",
    selection_classifier: str = "",
    metric: str = "accuracy",
    rng: int | np.random.Generator = 0,
    confidence_level: float = 0.95,
    n_resamples: int = 1000,
    known: dict | None = None,
) -> Comparison:
    """Every single model and every method, on the test clients of one experiment.

    Parameters
    ----------
    representations
        Representations by name, at least two: DataFrames, aligned with ``target`` by their index, or arrays whose rows
        are its clients.
    target, split
        Class of each client, and whether it is for training, validation or test; clients without a class are left out.
    methods
        ``methods(width, n_train=n, rng=rng)`` gives the methods by name, as :func:`replacing_methods` does, for the
        width of the single model that is best on validation.
    classifier, rng
        Classifier that scores, and seed or generator of whatever is random: see :func:`helpers.clients.score`.
    selection_classifier
        Scorer of the candidates of a method on the validation clients, for instance ``"logistic"``, which costs a
        tenth of ``"fast"``; the scorer itself if empty. The validation accuracy of single models is by the scorer.
    metric
        What is reported and by what is chosen, one of :data:`helpers.clients.SCORE_METRICS`; columns are called
        ``accuracy`` and ``validation`` whatever it is, and ``correct`` holds what each client contributes.
    confidence_level, n_resamples
        Confidence level and number of resamples of the bootstrap over test clients of a difference.
    known
        Mapping that keeps the scores for later calls with the same target, split, classifier and seed, so that what
        several sets of representations have in common is scored once.

    Returns
    -------
    Comparison
        Comparison whose table has ``method``; ``kind``: ``"single"``, ``"reference"`` (``best``: the single model of
        highest validation accuracy; ``best_on_test``, which nobody can choose; ``concat`` of all at full width) or
        ``"method"``; ``width``; ``validation`` and test ``accuracy``; ``chosen`` parameters as JSON; ``weights`` of the
        representations; ``diff_best`` and ``diff_concat_pca`` with ``_ci_low`` and ``_ci_high``: the difference in test
        accuracy to the best single model and to concatenation with PCA, if that is among the methods.

    Raises
    ------
    ValueError
        If there are fewer than two representations, or one has the name of a reference or method; and as
        :func:`helpers.clients.score` and the ensembles raise.

    Notes
    -----
    The ensembles are fitted on the training clients and their labels; their quality is the validation accuracy of each
    model. Of the candidates of a method the one of highest validation accuracy is kept, of equal ones that with the
    fewest steps, then the first in the grid. Test clients enter only what is reported.
    """
    import pandas as pd

    from helpers.ensembles import Representations
    from helpers.inference import interval

    seed = integer_seed(rng)
    if len(representations) < 2:
        raise ValueError(f"representations holds {len(representations)}; at least two are needed to combine them")
    target = target[target.notna()]
    split = split.loc[target.index]
    arrays = {name: aligned_rows(x, target, split, name) for name, x in representations.items()}
    whole = Representations(arrays)
    seen = (split == "train").to_numpy()
    train, y = whole[seen], target[seen].to_numpy()
    known = {} if known is None else known
    scored, tried = (
        Scored(target, split, which, seed, known, metric) for which in (classifier, selection_classifier or classifier)
    )
    valid = {name: scored(x, "validation").value for name, x in arrays.items()}
    best = max(valid, key=valid.get)
    rows, correct, curves, ensembles, similarities = [], {}, [], {}, {}

    def report(name, kind, x, validation, chosen, weights):
        if name in correct:
            raise ValueError(f"{name!r} names a representation and a {kind}; call the representation otherwise")
        found = scored(x, "test")
        correct[name] = found.correct if metric == "accuracy" else found.contributions
        shares = " ".join(f"{value:.3f}" for value in weights) if weights is not None else ""
        row = {"method": name, "kind": kind, "width": x.shape[1], "validation": validation}
        rows.append(row | {"accuracy": found.value, "chosen": json.dumps(chosen), "weights": shares})

    for name, x in arrays.items():
        report(str(name), "single", x, valid[name], {}, None)
    report("best", "reference", arrays[best], valid[best], {"model": str(best)}, None)
    top = max(arrays, key=lambda name: correct[str(name)].mean())
    report("best_on_test", "reference", arrays[top], valid[top], {"model": str(top)}, None)
    report("concat", "reference", np.hstack(list(arrays.values())), np.nan, {}, None)
    for name, method in methods(arrays[best].shape[1], n_train=int(seen.sum()), rng=seed).items():
        candidates = list(_candidates(method, train, y, valid, similarities))
        if len(candidates) == 1:
            (chosen, fitted), validation = candidates[0], np.nan
        else:
            values = [tried(each.transform(whole), "validation").value for _, each in candidates]
            order = sorted(range(len(values)), key=lambda i: (-values[i], candidates[i][0].get("steps", 0)))
            (chosen, fitted), validation = candidates[order[0]], values[order[0]]
            curves += [
                {"method": name, **point, "validation": value, "chosen": i == order[0]}
                for i, ((point, _), value) in enumerate(zip(candidates, values, strict=True))
            ]
        ensembles[name] = fitted
        report(name, "method", fitted.transform(whole), validation, chosen, fitted.weights_)
    correct = pd.DataFrame(correct)
    table = pd.DataFrame(rows)
    for against in ("best", "concat_pca"):
        if against in correct:
            differences = correct.astype(float).sub(correct[against].astype(float), axis=0)
            found = [
                interval(
                    differences[name],
                    method="percentile",
                    confidence_level=confidence_level,
                    n_resamples=n_resamples,
                    rng=seed,
                )
                for name in table["method"]
            ]
            for end, field in (("", "estimate"), ("_ci_low", "low"), ("_ci_high", "high")):
                table[f"diff_{against}{end}"] = [getattr(one, field) for one in found]
    return Comparison(table, correct, pd.DataFrame(curves), ensembles)


def compare_methods_by_experiment(
    sweep: Sweep,
    methods: Callable[..., Mapping[str, Tuned]],
    *,
    experiments: Iterable[int] | None = None,
    **options: Any,
) -> Comparison:
    """:func:`compare_methods` for each experiment of a sweep; experiments with one finished model only are left out.

    Parameters
    ----------
    sweep
        Sweep that :func:`helpers.studies.sweep.read_sweep` gives; or any object with ``embeddings``, ``target`` and
        ``split`` like those.
    methods, options
        Arguments of :func:`compare_methods`.
    experiments
        Numbers of the experiments; all by default.

    Returns
    -------
    Comparison
        Tables of all experiments, one below the other, with ``experiment`` in front; ``ensembles`` has keys
        (experiment, method), and ``correct`` the experiment as the first level of its index.

    Raises
    ------
    ValueError
        If no experiment has two models.
    """
    import pandas as pd

    wanted = sorted(sweep.target) if experiments is None else list(experiments)
    tables, correct, curves, ensembles = {}, {}, {}, {}
    for number in wanted:
        models = {str(model): x for (e, model), x in sweep.embeddings.items() if e == number}
        if len(models) < 2:
            continue
        found = compare_methods(models, sweep.target[number], sweep.split[number], methods, **options)
        tables[number], correct[number], curves[number] = found.table, found.correct, found.curves
        ensembles |= {(number, name): ensemble for name, ensemble in found.ensembles.items()}
    if not tables:
        raise ValueError(f"none of the experiments {wanted} has two models to combine")

    def together(parts):
        return pd.concat(parts, names=["experiment"]).reset_index("experiment").reset_index(drop=True)

    return Comparison(together(tables), pd.concat(correct, names=["experiment"]), together(curves), ensembles)


def differences_over_experiments(
    table: pd.DataFrame, against: str = "best", *, confidence_level: float = 0.95, n_resamples: int = 9999, rng: int = 0
) -> pd.DataFrame:
    """Each method against one of them, with experiments as units.

    Parameters
    ----------
    table
        Table with ``experiment``, ``method`` and ``accuracy``, as :func:`compare_methods_by_experiment` gives it;
        single models are left out, and methods that are missing in an experiment.
    against
        A method or reference.
    confidence_level, n_resamples, rng
        Confidence level, number of resamples, and seed or generator of the intervals and of the random signs.

    Returns
    -------
    DataFrame
        A row for each method: mean ``accuracy`` and ``difference`` with ``ci_low`` and ``ci_high`` (BCa bootstrap over
        experiments), sign-flip ``p`` and Holm's ``p_holm`` over the methods, ``wins`` and ``ties`` of ``n``
        experiments, and the share of ``wins`` with its exact binomial interval: ``win_rate``, ``win_ci_low``,
        ``win_ci_high``. Fewer than :data:`helpers.studies.comparing.LEAST_UNITS` experiments have no interval (NaN),
        one has no p either.

    Raises
    ------
    ValueError
        If ``against`` is not there.

    Examples
    --------
    >>> import pandas as pd
    >>> from helpers.studies.combining import differences_over_experiments
    >>> rows = [(e, m, a) for e in range(8) for m, a in (("best", 0.5 + 0.01 * e), ("new", 0.52 + 0.01 * e))]
    >>> table = pd.DataFrame(rows, columns=["experiment", "method", "accuracy"])
    >>> differences_over_experiments(table).loc["new", ["difference", "win_rate"]].round(3).tolist()
    [0.02, 1.0]
    """
    import pandas as pd

    wide = _wide(table)
    if against not in wide:
        raise ValueError(f"against is {against!r}; the methods are {', '.join(map(str, wide))}")
    names = wide.columns.drop(against)
    both = {name: (wide[name].to_numpy(), wide[against].to_numpy()) for name in names}
    options = {"confidence_level": confidence_level, "n_resamples": n_resamples, "rng": rng}
    out = paired_table(both, **options)[["difference", "ci_low", "ci_high", "p", "p_holm"]].rename_axis("method")
    out.insert(0, "accuracy", wide[names].mean())
    wins = {name: _wins(wide[name], wide[against], confidence_level) for name in names}
    out = out.join(pd.DataFrame.from_dict(wins, orient="index"))
    return out.astype({"wins": int, "ties": int, "n": int})


def findings(
    table: pd.DataFrame,
    claims: Mapping[str, AboutMethods],
    *,
    classifier: str = "accuracy",
    confidence_level: float = 0.95,
    n_resamples: int = 9999,
    rng: int = 0,
) -> dict[str, Finding]:
    """What a table says of claims about two methods, for :func:`helpers.inference.judge`.

    Parameters
    ----------
    table
        Table with ``experiment``, ``method`` and a column of accuracies, as :func:`compare_methods_by_experiment` gives
        it; single models are left out.
    claims
        Key → claim.
    classifier
        The column of accuracies. A claim is asked of the experiments in which both methods have one.
    confidence_level, n_resamples, rng
        Confidence level, number of resamples, and seed or generator, as of :func:`differences_over_experiments`.

    Returns
    -------
    dict of str to Finding
        Findings by key, with experiments as units: a paired difference with its sign-flip test, without an interval
        where there are fewer than :data:`helpers.studies.comparing.LEAST_UNITS`, or a share with its exact interval and
        test.

    Raises
    ------
    ValueError
        If there is no such column.

    Examples
    --------
    >>> import pandas as pd
    >>> from helpers.inference import Claim
    >>> from helpers.studies.combining import AboutMethods, findings
    >>> rows = [(e, m, a) for e in range(8) for m, a in (("best", 0.5), ("new", 0.52 + 0.01 * (e == 3)))]
    >>> table = pd.DataFrame(rows, columns=["experiment", "method", "accuracy"])
    >>> found = findings(table, {"gain": AboutMethods("new", "best", Claim("new gains"))})["gain"]
    >>> round(found.estimate, 3), found.n
    (2.125, 8)
    """
    from helpers.inference import absent, paired_finding, share_finding

    if classifier not in table:
        raise ValueError(f"classifier is {classifier!r}; the columns are {list(table)}")
    wide = _wide(table.assign(accuracy=table[classifier]), complete=False)
    found = {}
    for key, (first, second, claim, share) in claims.items():
        if missing := [name for name in (first, second) if name not in wide]:
            found[key] = absent(f"no {missing[0]} among the methods")
            continue
        both = wide[[first, second]].dropna()
        if both.empty:
            found[key] = absent("no experiment has both methods")
        elif share:
            wins = int((both[first] > both[second]).sum())
            found[key] = share_finding(claim, wins, len(both), "experiments", confidence_level=confidence_level)
        else:
            options = {"confidence_level": confidence_level, "n_resamples": n_resamples, "rng": rng}
            one = paired_finding(claim, 100 * both[first], 100 * both[second], "experiments", **options)
            found[key] = one if len(both) >= LEAST_UNITS else one._replace(low=np.nan, high=np.nan)
    return found


def deciding_findings(found: Mapping[str, Mapping[str, Finding]]) -> tuple[dict[str, Finding], dict[str, str]]:
    """Of each claim the finding that decides: by the first scorer that has scored as many experiments as any other.

    Parameters
    ----------
    found
        Scorer → findings of the same claims, the scorer of the publication first.

    Returns
    -------
    dict of str to Finding, dict of str to str
        The findings, and by which scorer each of them is.

    Examples
    --------
    >>> from helpers.inference import Finding
    >>> from helpers.studies.combining import deciding_findings
    >>> few, many = Finding(1.0, 0.0, 2.0, 3, "experiments"), Finding(1.0, 0.5, 1.5, 17, "experiments")
    >>> deciding_findings({"slow": {"a": few, "b": many}, "fast": {"a": many, "b": many}})[1]
    {'a': 'fast', 'b': 'slow'}
    """
    chosen, by = {}, {}
    for key in next(iter(found.values())):
        most = max(one[key].n for one in found.values())
        by[key] = next(classifier for classifier, one in found.items() if one[key].n == most)
        chosen[key] = found[by[key]][key]
    return chosen, by


def draw_differences(
    table: pd.DataFrame, against: str = "best", *, names: Mapping[str, str] | None = None, ax: Any = None
):
    """Draw the differences of methods to one of them, in points: a small dot for each experiment, the mean with its
    interval over experiments, filled if the interval excludes 0 and the test that is corrected for all methods agrees.

    Parameters
    ----------
    table, against
        Arguments of :func:`differences_over_experiments`.
    names
        The methods to show, from top to bottom, and what they are called, all by default; one that the table lacks has
        an empty row.
    ax
        Axes to draw on; the current ones by default.

    Returns
    -------
    matplotlib.axes.Axes
    """
    import matplotlib.pyplot as plt

    from helpers.book.style import INK
    from helpers.inference import verdict_of

    ax = plt.gca() if ax is None else ax
    found, wide = differences_over_experiments(table, against), _wide(table)
    names = {name: name for name in found.index} if names is None else names
    for y, name in enumerate(reversed(names)):
        if name not in found.index:
            continue
        row = found.loc[name]
        each = 100 * (wide[name] - wide[against])
        ax.plot(each, np.full(len(each), y), "o", color="C0", ms=3, alpha=0.35, mec="none", zorder=1)
        sure = verdict_of(row["ci_low"], row["ci_high"], row["p_holm"]) != "not distinguishable"
        ax.plot(100 * row[["ci_low", "ci_high"]], [y, y], color="C1", lw=2, zorder=2)
        ax.plot(100 * row["difference"], y, "o", color="C1", mfc="C1" if sure else "none", ms=7, zorder=3)
    ax.axvline(0, color=INK, lw=1, zorder=0)
    ax.set_yticks(range(len(names)), [names[name] for name in reversed(names)])
    return ax


class Scored:
    """Scores of arrays on validation and test clients by one classifier; what was scored before is not scored again."""

    def __init__(
        self, target: pd.Series, split: pd.Series, classifier: str, seed: int, known: dict, metric: str = "accuracy"
    ):
        self.target, self.split, self.seed, self.known = target, split, seed, known
        self.classifier, self.metric = classifier, metric

    def __call__(self, x: np.ndarray, on: str):
        from helpers.clients.scoring import score_splits

        key = hashlib.sha256(np.ascontiguousarray(x)).digest(), x.shape, self.classifier
        if key not in self.known:
            self.known[key] = score_splits(x, self.target, self.split, classifier=self.classifier, rng=self.seed)
        return replace(self.known[key][on], metric=self.metric)  # one fit serves every metric


def _candidates(method: Tuned, train: Any, y: np.ndarray, quality: Mapping, similarities: dict) -> Iterable[tuple]:
    """The fitted candidates of a method, each with the parameters that tell it from the others."""
    from sklearn.base import clone

    from helpers.ensembles.arguments import as_similarity

    rule = getattr(method.ensemble, "similarity", None)
    if rule is not None and getattr(method.ensemble, "mix", "qp") == "qp" and rule not in similarities:
        similarities[rule] = as_similarity(rule, train)
    for point in _points(method.grid):
        ensemble = clone(method.ensemble).set_params(**point)
        ensemble.fit(train, y, quality={str(k): v for k, v in quality.items()}, similarity=similarities.get(rule))
        if not method.path:
            yield point, ensemble
            continue
        for steps in range(len(ensemble.steps_) + 1):
            yield point | {"steps": steps}, ensemble.up_to(steps)


def _points(grid: Mapping[str, Sequence]) -> list[dict]:
    from sklearn.model_selection import ParameterGrid

    return list(ParameterGrid(dict(grid)))


def aligned_rows(x: Any, target: pd.Series, split: pd.Series, name: Any) -> np.ndarray:
    """The rows of the clients of ``target``, which all have a class."""
    if hasattr(x, "loc"):
        if missing := len(target.index.difference(x.index)):
            raise ValueError(f"representation {name!r} lacks {missing} clients of the target")
        x = x.loc[target.index]
    x = np.asarray(x)
    if len(x) != len(target):
        raise ValueError(
            f"representation {name!r} has {len(x)} rows and {len(target)} clients have a class; pass a DataFrame with "
            "the clients as its index"
        )
    return x


def without_singles(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of references and methods, among them features made by hand, which are a model that nobody trained.

    Parameters
    ----------
    table
        Table with ``method`` and, where it has single models, ``kind``.
    """
    if "kind" not in table:
        return table
    return table[(table["kind"] != "single") | (table["method"] == HAND_MADE)]


def _wide(table: pd.DataFrame, *, complete: bool = True) -> pd.DataFrame:
    """Experiments × methods, without single models, methods in the order of the table; those of all experiments."""
    table = without_singles(table)
    wide = table.pivot(index="experiment", columns="method", values="accuracy")
    wide = wide[list(dict.fromkeys(table["method"]))]
    return wide.dropna(axis=1) if complete else wide


def _wins(first: pd.Series, second: pd.Series, confidence_level: float) -> dict[str, float]:
    """Strict wins among the experiments, with the exact interval of Clopper and Pearson."""
    from scipy.stats import binomtest

    wins, n = int((first > second).sum()), len(first)
    limits = binomtest(wins, n).proportion_ci(confidence_level, method="exact")
    ties = int((first == second).sum())
    return {
        "wins": wins,
        "ties": ties,
        "n": n,
        "win_rate": wins / n,
        "win_ci_low": limits.low,
        "win_ci_high": limits.high,
    }
