"""Which two embeddings to combine: rules that know qualities, similarities or both, and what knowing is worth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = [
    "RULES",
    "chosen_by_rules",
    "decision_facts",
    "decision_table",
    "decisions_figure",
    "pairs_without_fit",
    "shown_decisions",
]

RULES = {
    "best single": "the encoder that is best on validation clients, alone",
    "two best": "the two encoders that are best on validation clients",
    "best + least similar": "the best on validation clients, and the encoder least similar to it",
    "fitted to qualities": "the pair with the largest gain predicted from both validation accuracies",
    "fitted to qualities and similarity": "the same prediction, with the similarity of the pair besides",
    "least similar": "the least similar pair of all",
    "best pair in hindsight": "the pair that is best on test clients, which nobody can choose",
}
"""What each rule takes. Fitted rules learn from the other experiments alone."""

HINDSIGHT = "best pair in hindsight"
SAME = "the same pairs"
"""What is said of a rule that takes what the rule takes with which it is compared, in every experiment."""


def chosen_by_rules(
    pairs: pd.DataFrame, runs: pd.DataFrame, *, measure: str = "cka", combination: str = "concatenation"
) -> pd.DataFrame:
    """Test accuracy of what each rule chooses, in each experiment.

    Parameters
    ----------
    pairs
        Table of pairs; see :mod:`helpers.studies.pair_gains`.
    runs
        Table of runs: ``experiment``, ``model``, ``accuracy_validation``, ``accuracy_test``.
    measure
        Column of ``pairs`` that says how similar two embeddings are; dissimilarities are turned round.
    combination
        ``"concatenation"``, ``"sum"`` or ``"product"``.

    Returns
    -------
    DataFrame
        Index ``experiment``, a column for each of :data:`RULES`; accuracies, from 0 to 1.

    Raises
    ------
    ValueError
        If a measure or a combination is not in the table or has gaps there, a pair names a model that has no run, a
        model has two, the best one has no pair, or there are fewer than three experiments: a fitted rule learns from
        the others.

    Notes
    -----
    The fitted rules predict the accuracy of the combination less the best validation accuracy of the pair, by least
    squares with an intercept, from the larger and the smaller validation accuracy, and the second one from the
    similarity too. Of equal predictions the first pair is taken.
    """
    import pandas as pd

    from helpers.similarity import MEASURES

    accuracy = f"accuracy_{combination}"
    for name, column in (("measure", measure), ("combination", accuracy)):
        if column not in pairs:
            raise ValueError(f"{name} is {column!r}; the table of pairs has no such column")
        if (gaps := pairs[column].isna()).any():
            raise ValueError(f"{name} is {column!r}, which row {pairs.index[gaps][0]} of the table of pairs has not")
    if pairs["experiment"].nunique() < 3:
        raise ValueError(
            f"there are {pairs['experiment'].nunique()} experiments; rules are fitted to at least 2 others"
        )
    if (twice := runs.duplicated(["experiment", "model"])).any():
        experiment, model = runs.loc[twice, ["experiment", "model"]].iloc[0]
        raise ValueError(f"model {model} of experiment {experiment} has two runs; each model needs one")
    quality = runs.set_index(["experiment", "model"])["accuracy_validation"]
    test = runs.set_index(["experiment", "model"])["accuracy_test"]
    table = pairs[["experiment", "model_a", "model_b", accuracy]].reset_index(drop=True)
    sign = 1 if MEASURES[measure].orientation == "similarity" else -1
    table["similarity"] = sign * pairs[measure].to_numpy()
    for side in "ab":
        models = pd.MultiIndex.from_frame(table[["experiment", f"model_{side}"]])
        if not models.isin(quality.index).all():
            experiment, model = models[~models.isin(quality.index)][0]
            raise ValueError(f"model {model} of experiment {experiment} has no run; each model of a pair needs one")
        table[f"quality_{side}"] = quality.loc[models].to_numpy()
    both = table[["quality_a", "quality_b"]]
    table["better"], table["worse"] = both.max(axis=1), both.min(axis=1)
    rows = {}
    for experiment, here in table.groupby("experiment"):
        others = table[table["experiment"] != experiment]
        chosen = pairs_without_fit(here, quality.loc[experiment]) | {
            "fitted to qualities": _fitted(others, here, accuracy, ["better", "worse"]),
            "fitted to qualities and similarity": _fitted(others, here, accuracy, ["better", "worse", "similarity"]),
            "best pair in hindsight": here[accuracy].idxmax(),
        }
        rows[experiment] = {"best single": test[experiment, quality.loc[experiment].idxmax()]}
        rows[experiment] |= {rule: table.loc[pair, accuracy] for rule, pair in chosen.items()}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("experiment")[list(RULES)]


def pairs_without_fit(pairs: pd.DataFrame, quality: pd.Series) -> dict[str, Any]:
    """Which pair of one experiment the rules take that are fitted to nothing.

    Parameters
    ----------
    pairs
        Pairs of the experiment: ``experiment``, ``model_a``, ``model_b``, and ``similarity`` where it is known.
    quality
        Score of each model on validation clients.

    Returns
    -------
    dict
        Labels of the rows that ``"two best"``, ``"best + least similar"`` and ``"least similar"`` of :data:`RULES`
        take, the first of equal ones; the first rule alone where no similarity is known.

    Raises
    ------
    ValueError
        If the model of highest quality is in no pair.

    Examples
    --------
    >>> import pandas as pd
    >>> from helpers.studies.pair_decisions import pairs_without_fit
    >>> rows = [(0, 0, 1, 0.9), (0, 0, 2, 0.8), (0, 1, 2, 0.1)]
    >>> pairs = pd.DataFrame(rows, columns=["experiment", "model_a", "model_b", "similarity"])
    >>> taken = pairs_without_fit(pairs, pd.Series([0.7, 0.6, 0.5]))
    >>> {rule: int(row) for rule, row in taken.items()}
    {'two best': 0, 'best + least similar': 1, 'least similar': 2}
    """
    best = quality.idxmax()
    with_best = pairs[(pairs["model_a"] == best) | (pairs["model_b"] == best)]
    if not len(with_best):
        experiment = pairs["experiment"].iloc[0]
        raise ValueError(f"model {best} of experiment {experiment}, the best on validation clients, is in no pair")
    partner = with_best["model_a"].where(with_best["model_a"] != best, with_best["model_b"])
    chosen = {"two best": partner.map(quality).idxmax()}
    if "similarity" in pairs:
        chosen["best + least similar"] = with_best["similarity"].idxmin()
        chosen["least similar"] = pairs["similarity"].idxmin()
    return chosen


def decision_table(
    accuracies: pd.DataFrame, *, against: str = "two best", rng: int | np.random.Generator = 0
) -> pd.DataFrame:
    """Mean accuracy of each rule, and its difference from one of them.

    Parameters
    ----------
    accuracies
        What :func:`chosen_by_rules` returns.
    against
        Rule that the others are compared with.
    rng
        Seed or generator of the bootstrap.

    Returns
    -------
    DataFrame
        Index ``rule``; ``takes``, what it chooses; mean ``accuracy`` in per cent; ``difference`` from ``against`` in
        points with its interval ``ci_low`` to ``ci_high`` (units: experiments). Of rules that somebody could follow,
        ``p`` by Holm over these and ``verdict``; :data:`SAME` of a rule that takes the same everywhere, which is no
        test. The best pair in hindsight has neither: it is a ceiling.

    Raises
    ------
    ValueError
        If ``against`` is no column.
    """
    import pandas as pd

    from helpers.inference import holm, paired, verdict_of

    if against not in accuracies:
        raise ValueError(f"against is {against!r}; it can be {', '.join(map(repr, accuracies))}")
    found = {
        rule: paired(100 * accuracies[rule], 100 * accuracies[against], rng=rng)
        for rule in accuracies
        if rule != against
    }
    same = {rule for rule in found if (accuracies[rule] == accuracies[against]).all()}
    tested = [rule for rule in found if rule not in same and rule != HINDSIGHT]
    p = dict(zip(tested, holm([found[rule].p for rule in tested]), strict=True)) if tested else {}
    rows = {}
    for rule in accuracies:
        rows[rule] = {"takes": RULES[rule], "accuracy": 100 * accuracies[rule].mean()}
        if one := found.get(rule):
            rows[rule] |= {"difference": one.difference, "ci_low": one.low, "ci_high": one.high, "p": p.get(rule)}
        if rule in p:
            rows[rule]["verdict"] = verdict_of(one.low, one.high, p[rule])
        elif rule in same:
            rows[rule]["verdict"] = SAME
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("rule")


def shown_decisions(decided: pd.DataFrame, *, against: str = "two best") -> pd.DataFrame:
    """The table of decisions in words, narrow enough for a page: the difference with its interval in one column.

    Parameters
    ----------
    decided
        What :func:`decision_table` returns.
    against
        Rule that the others were compared with.
    """
    import pandas as pd

    from helpers.inference import format_interval, format_p

    rows = {}
    for rule, row in decided.iterrows():
        rows[rule] = {
            "accuracy": f"{row['accuracy']:.1f}",
            f"above the {against} [95 %]": format_interval(row, "difference") if rule != against else "–",
            "p (Holm)": format_p(row["p"]) if row["p"] == row["p"] else "–",
            "verdict": row["verdict"] if isinstance(row["verdict"], str) else "–",
            "takes": row["takes"],
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(None)


def decision_facts(accuracies: pd.DataFrame, *, rng: int | np.random.Generator = 0) -> dict[str, Any]:
    """What a second encoder is worth, and what knowing how similar it is adds to that, against the two best.

    Parameters
    ----------
    accuracies
        What :func:`chosen_by_rules` returns.
    rng
        Seed or generator of the bootstrap.

    Returns
    -------
    dict
        ``NAME``, points with their interval, and ``NAME_verdict`` of four rows of :func:`decision_table`: ``alone``,
        the best single one; ``partner``, the best with the least similar; ``worth``, the rule that weighs qualities and
        similarity; ``blind``, the least similar pair of all. Besides, numbers of ``experiments``, of those in which the
        rule with similarity takes another pair than the two best, ``choices``, and of those in which the rule fitted to
        qualities alone does, ``by_quality``.
    """
    from helpers.inference import format_interval

    decided = decision_table(accuracies, rng=rng)
    rules = {
        "alone": "best single",
        "partner": "best + least similar",
        "worth": "fitted to qualities and similarity",
        "blind": "least similar",
    }
    facts: dict[str, Any] = {}
    for key, rule in rules.items():
        row = decided.loc[rule]
        facts |= {key: format_interval(row, "difference"), f"{key}_verdict": row["verdict"]}
    for key, rule in (("choices", rules["worth"]), ("by_quality", "fitted to qualities")):
        facts[key] = int((accuracies[rule] != accuracies["two best"]).sum())
    return facts | {"experiments": len(accuracies)}


def decisions_figure(accuracies: pd.DataFrame) -> Axes:
    """Accuracy of each rule: a line an experiment, the mean as a bar."""
    import matplotlib.pyplot as plt

    from helpers.book.style import INK

    order = accuracies.mean().sort_values().index
    _, ax = plt.subplots(figsize=(6.4, 0.42 * len(order) + 0.9))
    place = np.arange(len(order))
    for values in accuracies[order].to_numpy():
        ax.plot(100 * values, place, color=INK, lw=0.6, alpha=0.25)
    ax.plot(100 * accuracies[order].mean(), place, "|", ms=16, mew=3, color="C0")
    ax.set(yticks=place, xlabel="accuracy on test clients, %")
    ax.set_yticklabels(order)
    return ax


def _fitted(others: pd.DataFrame, here: pd.DataFrame, accuracy: str, names: list[str]) -> Any:
    """Label of the pair of ``here`` with the largest prediction by least squares on ``others``."""
    design = np.column_stack([np.ones(len(others)), others[names]])
    gains = others[accuracy] - others["better"]
    weights = np.linalg.lstsq(design, gains, rcond=None)[0]
    predicted = np.column_stack([np.ones(len(here)), here[names]]) @ weights + here["better"].to_numpy()
    return here.index[int(np.argmax(predicted))]
