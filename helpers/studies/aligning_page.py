"""What the page about aligned spaces shows: noisy copies, shares that a mean keeps, gains of mixtures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.book.style import INK
from helpers.inference import format_interval
from helpers.studies.combining import AboutMethods, differences_over_experiments
from helpers.studies.hand_made import SHOWN
from helpers.studies.headline import difference_by_classifier

if TYPE_CHECKING:
    import pandas as pd

    from helpers.inference import Finding

__all__ = [
    "MIXTURES",
    "facts",
    "facts_of_alignment",
    "facts_of_autoencoders",
    "facts_of_copies",
    "facts_of_measures",
    "facts_of_mixtures",
    "facts_of_questions",
    "facts_of_rounds",
    "facts_of_shares_kept",
    "facts_of_undone",
    "figure_copies",
    "figure_shares_kept",
    "share_kept",
    "shares_kept",
    "shares_undone",
    "table_program_weights",
    "table_questions",
    "table_two_scorers",
    "verdicts_of_mixtures",
    "with_noisy_copies",
]

MIXTURES = {
    "mean": "mean",
    "mean_standardized": "mean, standardised",
    "qp_cka": "QP, CKA",
    "qp_rsa": "QP, RSA",
    "qp_distance_correlation": "QP, distance correlation",
    "qp_angular_shape": "QP, angular shape",
    "procrustes_mean": "Procrustes, mean",
    "procrustes_qp": "Procrustes, QP",
    "generalized_procrustes_mean": "generalised Procrustes, mean",
    "generalized_procrustes_qp": "generalised Procrustes, QP",
    "multiset_cca_mean": "multi-set CCA, mean",
    "linear_autoencoder_mean": "linear autoencoder, mean",
    "autoencoder_mean": "autoencoder, mean",
    "concat_pca": "concatenation + PCA",
    "concat": "concatenation, all columns",
    "best_on_test": "best on test",
} | SHOWN
"""Mixtures and what they are compared with, and what they are called."""

OTHERS = {"mean": "the plain mean", "best": "the best model", "concat_pca": "concatenation + PCA"}
SCORED = ("procrustes_qp", "qp_cka")
ALIGNED = [name for name in MIXTURES if name.endswith(("_mean", "_qp"))]
WEIGHTED = [name for name in MIXTURES if name.startswith("qp_")]


def with_noisy_copies(
    sizes: Sequence[int], n_repetitions: int, rng: np.random.Generator, *, n: int = 600, p: int = 8, noise: float = 1.5
) -> pd.DataFrame:
    """Accuracy of a linear classifier on combinations of noisy copies of one space, each turned at random.

    Parameters
    ----------
    sizes
        Numbers of copies.
    n_repetitions, rng
        Repetitions for each number, and the generator of classes, copies and rotations.
    n, p, noise
        Objects, of which one half trains and the other tests; features; standard deviation of the noise.

    Returns
    -------
    DataFrame
        Index (copies, repetition); accuracies of the ``mean``, the ``aligned mean`` and ``concatenation + PCA``, which
        of one copy are the copy.
    """
    import pandas as pd
    from scipy.stats import ortho_group
    from sklearn.linear_model import LogisticRegression

    from helpers.ensembles import ConcatPCA, GeneralizedProcrustes, MeanOfLayers

    def accuracies(n_copies):
        y = rng.integers(2, size=n)
        truth = rng.normal(size=(n, p))
        truth[:, 0] += 1.5 * y
        turns = [ortho_group.rvs(p, random_state=rng) for _ in range(n_copies)]
        copies = [truth @ turn + noise * rng.normal(size=truth.shape) for turn in turns]
        half = n // 2
        seen, unseen = [c[:half] for c in copies], [c[half:] for c in copies]
        methods = {"mean": MeanOfLayers(), "aligned mean": GeneralizedProcrustes(), "concatenation + PCA": ConcatPCA(p)}
        if n_copies == 1:
            methods = {name: MeanOfLayers() for name in methods}
        found = {}
        for name, ensemble in methods.items():
            model = LogisticRegression().fit(ensemble.fit(seen).transform(seen), y[:half])
            found[name] = model.score(ensemble.transform(unseen), y[half:])
        return found

    runs = {k: pd.DataFrame([accuracies(k) for _ in range(n_repetitions)]) for k in sizes}
    return pd.concat(runs, names=["copies", "repetition"])


def share_kept(codes: Iterable[np.ndarray]) -> float:
    """Share of the variance of representations that their mean keeps, after centring and one scale for each.

    Parameters
    ----------
    codes
        Arrays (objects, features); narrower ones are filled with zero columns.

    Returns
    -------
    float
        Share in [0, 1]: 1 for equal ones, 1/L for L that have nothing in common, 0 for those that cancel.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.studies.aligning_page import share_kept
    >>> x = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    >>> round(share_kept([x, 2 * x + 1]), 9), share_kept([x, -x])
    (1.0, 0.0)
    """
    codes = [x - x.mean(axis=0) for x in codes]
    width = max(x.shape[1] for x in codes)
    codes = [np.pad(x, ((0, 0), (0, width - x.shape[1]))) for x in codes]
    stacked = np.array([x / np.linalg.norm(x) for x in codes])
    return float(np.sum(stacked.mean(axis=0) ** 2) / np.mean(np.sum(stacked**2, axis=(1, 2))))


def shares_kept(
    aligners: Mapping[str, Any], seen: Mapping[str, np.ndarray], unseen: Mapping[str, np.ndarray]
) -> pd.DataFrame:
    """Share that the mean keeps before and after each alignment, on the objects of its fit and on others.

    Parameters
    ----------
    aligners
        Alignments by name, which are fitted here.
    seen, unseen
        Arrays by model, of the objects of the fit and of others.

    Returns
    -------
    DataFrame
        Row ``as they are``, then one for each alignment; columns ``training`` and ``validation``.
    """
    import pandas as pd

    rows = {"as they are": {"training": share_kept(seen.values()), "validation": share_kept(unseen.values())}}
    for name, aligner in aligners.items():
        fitted = aligner.fit(seen)
        both = {"training": seen, "validation": unseen}
        rows[name] = {split: share_kept(fitted.aligned(models).values()) for split, models in both.items()}
    return pd.DataFrame(rows).T


def shares_undone(
    sums: Mapping[str, Any], seen: Mapping[str, np.ndarray], unseen: Mapping[str, np.ndarray]
) -> pd.Series:
    """Mean share of the variance of a model that a linear map finds in each sum, on objects that it has not seen.

    Parameters
    ----------
    sums
        Ensembles by name, which are fitted here.
    seen, unseen
        Arrays by model, of the objects of the fit and of others.

    Returns
    -------
    Series
        A share for each ensemble, and for ``one other model``, on average.
    """
    import pandas as pd
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def found_in(z, unseen_z):
        shares = []
        for name, x in seen.items():
            if z is not x:
                linear = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-2, 4, 7))).fit(z, x)
                error = np.sum((unseen[name] - linear.predict(unseen_z)) ** 2)
                shares.append(1 - error / np.sum((unseen[name] - x.mean(axis=0)) ** 2))
        return float(np.mean(shares))

    found = {name: found_in(one.fit(seen).transform(seen), one.transform(unseen)) for name, one in sums.items()}
    found["one other model"] = np.mean([found_in(x, unseen[name]) for name, x in seen.items()])
    return pd.Series(found, name="share of the variance of a model")


def verdicts_of_mixtures(table: pd.DataFrame, against: str) -> pd.DataFrame:
    """Aligned mixtures against another method: differences over experiments, and what is left after Holm's correction.

    Parameters
    ----------
    table
        Table with ``experiment``, ``method`` and ``accuracy``.
    against
        Method with which they are compared.

    Returns
    -------
    DataFrame
        Rows of :func:`helpers.studies.combining.differences_over_experiments`, with ``verdict``: ``better``, ``worse``
        or ``open``, which is not distinguishable.
    """
    found = differences_over_experiments(table, against)
    found = found.loc[[name for name in ALIGNED if name in found.index]]
    sign = np.sign(found["ci_low"]) + np.sign(found["ci_high"])
    sure = (sign != 0) & (found["p_holm"] <= 0.05)
    return found.assign(verdict=np.where(~sure, "open", np.where(sign > 0, "better", "worse")))


# Tables


def table_program_weights(ensembles: Mapping[tuple[int, str], Any], experiment: int) -> pd.DataFrame:
    """Weights of the quadratic program with each measure in one experiment: measures × models.

    Parameters
    ----------
    ensembles
        Fitted ensembles by experiment and method.
    experiment
        Number of the experiment.
    """
    import pandas as pd

    weights = {MIXTURES[name]: ensembles[experiment, name].weights_ for name in WEIGHTED}
    return pd.DataFrame(weights).T.rename_axis("weight of model", axis=1)


def table_questions(table: pd.DataFrame) -> pd.DataFrame:
    """Aligned mixtures against the plain mean, the best model and concatenation + PCA: points, wins, verdict."""
    import pandas as pd

    def written(row):
        points = format_interval(row, scale=100)
        return f"{points}, won {row['wins']:.0f} of {row['n']:.0f}: {row['verdict']}"

    columns = {called: verdicts_of_mixtures(table, name).apply(written, axis=1) for name, called in OTHERS.items()}
    found = pd.DataFrame(columns).rename(index=MIXTURES).rename_axis(None)
    return found.rename_axis("points from", axis=1)


def table_two_scorers(headline: pd.DataFrame) -> pd.DataFrame:
    """Differences of weighted mixtures, with and without alignment, by both scorers.

    Parameters
    ----------
    headline
        Recorded table of :func:`helpers.studies.headline.score_by_classifiers`.
    """
    import pandas as pd

    rows = {}
    for name in SCORED:
        for against, called in OTHERS.items():
            one = difference_by_classifier(headline, name, against)
            rows[f"{MIXTURES[name]}, against {called}"] = {
                "fast scorer": format_interval(one.loc["fast"], scale=100),
                "LightAutoML": format_interval(one.loc["lightautoml"], scale=100),
                "experiments": int(one.loc["fast", "n"]),
            }
    return pd.DataFrame.from_dict(rows, orient="index")


# Figures


def figure_copies(toy: pd.DataFrame) -> Any:
    """Accuracy against the number of copies, mean and two standard errors, from :func:`with_noisy_copies`."""
    import matplotlib.pyplot as plt

    _, ax = plt.subplots(figsize=(5.6, 3.1))
    middle, error = toy.groupby("copies").mean(), 2 * toy.groupby("copies").sem()
    sizes = middle.index.to_numpy()
    for offset, (name, line) in enumerate(middle.items()):
        ax.errorbar(sizes * (1 + 0.03 * (offset - 1)), line, error[name], fmt="o-", ms=4, label=name)
    ax.axhline(0.5, color=INK, ls=":")
    ax.set(xscale="log", xlabel="copies", ylabel="accuracy", xticks=sizes, xticklabels=sizes)
    ax.minorticks_off()
    ax.legend()
    return ax


def figure_shares_kept(shares: pd.DataFrame, n_models: int) -> Any:
    """Bars of :func:`shares_kept`, and a line where models with nothing in common would be."""
    import matplotlib.pyplot as plt

    _, ax = plt.subplots(figsize=(6.4, 3.2))
    place = np.arange(len(shares))[::-1]
    ax.barh(place + 0.19, shares["training"], 0.36, label="training clients")
    ax.barh(place - 0.19, shares["validation"], 0.36, label="validation clients")
    ax.axvline(1 / n_models, color=INK, ls=":")
    ax.set_yticks(place, shares.index)
    ax.set(xlabel="share kept by the mean", xlim=(0, 1))
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, fontsize="small")
    return ax


# Facts


def facts(seen: Mapping[str, np.ndarray], unseen: Mapping[str, np.ndarray], n_experiments: int) -> dict[str, float]:
    """How far the models of an experiment are from aligned, and how similar they are all the same.

    Parameters
    ----------
    seen, unseen
        Arrays by model, of training and of validation clients.
    n_experiments
        Number of experiments of the run.
    """
    from helpers.quality import rankme
    from helpers.similarity import similarity_matrix

    alike = similarity_matrix(seen, "cka", progress=False).to_numpy()
    return {
        "models": len(seen),
        "rank": np.mean([rankme(x) for x in seen.values()]),
        "width": max(x.shape[1] for x in seen.values()),
        "n_experiments": n_experiments,
        "kept_before": share_kept(unseen.values()),
        "kept_chance": 1 / len(seen),
        "cka_mean": alike[np.triu_indices(len(seen), 1)].mean(),
    }


def facts_of_copies(toy: pd.DataFrame) -> dict[str, float]:
    """Accuracies of one copy and of most copies, in percent, from :func:`with_noisy_copies`."""
    middle = toy.groupby("copies").mean()
    found = {f"toy_{name.split()[0]}": 100 * middle[name].iloc[-1] for name in middle}
    found |= {"toy_one": 100 * middle.iloc[0].mean(), "toy_copies": middle.index[-1]}
    return found | {"toy_runs": toy.index.get_level_values("repetition").nunique()}


def facts_of_alignment(before: float, after: float) -> dict[str, float]:
    """Cosine of two representations before and after the rotation of one to the other."""
    return {"cosine_before": before, "cosine_after": after}


def facts_of_rounds(general: Any, n_models: int, width: int) -> dict[str, float]:
    """Rounds of a fitted generalised Procrustes, and the share of the variance that is not shared, first and last."""
    objective = general.objective_ / (n_models * width)
    return {"rounds": len(objective) - 1, "share_left": objective[-1], "share_first": objective[0]}


def facts_of_autoencoders(linear: Any, curved: Any) -> dict[str, float]:
    """What fitted autoencoders leave unexplained on held-out objects, and the epoch at which training stopped."""
    losses, epoch = curved.losses_, curved.epoch_
    found = {"linear_loss": linear.loss_, "curved_start": losses[0], "curved_end": losses[epoch]}
    return found | {"epoch": epoch}


def facts_of_shares_kept(shares: pd.DataFrame) -> dict[str, float]:
    """Shares that the mean keeps on validation clients after the alignments that the text names."""
    names = {
        "procrustes": "Procrustes",
        "general": "generalised Procrustes",
        "cca": "multi-set CCA, r = 0.1",
        "linear": "linear autoencoder",
    }
    found = {f"kept_{key}": shares.loc[name, "validation"] for key, name in names.items()}
    return found | {"kept_cca_train": shares.loc[names["cca"], "training"]}


def facts_of_mixtures(recorded: pd.DataFrame) -> dict[str, Any]:
    """Differences of every mixture to the best model, the mean and concatenation + PCA, in points with intervals."""
    tables = {key: differences_over_experiments(recorded, against) for key, against in _KEYS.items()}
    found = {
        f"{name.replace(' ', '_')}_{key}": format_interval(table.loc[name], scale=100)
        for key, table in tables.items()
        for name in MIXTURES
        if name in table.index
    }
    spread = 100 * np.ptp(tables["best"].loc[WEIGHTED, "difference"])
    return found | {"qp_spread": spread, "n_qp": len(WEIGHTED)}


def facts_of_measures(
    judged: pd.DataFrame, about: Mapping[str, AboutMethods], by_scorer: Mapping[str, Mapping[str, Finding]]
) -> dict[str, Any]:
    """How many claims about weights are reproduced, and which methods both scorers have judged.

    Parameters
    ----------
    judged, about, by_scorer
        Verdicts, claims by key, and findings of each scorer, ``"LightAutoML"`` among them.
    """
    found = {}
    for against in ("mean", "best"):
        for kind, end in (("difference", ""), ("share", "_share")):
            verdicts = judged.loc[[key for key in about if key.endswith(f"_{against}{end}")], "verdict"]
            found[f"{kind}_{against}"] = int((verdicts == "reproduced").sum())
            found[f"{kind}_{against}_not"] = int((verdicts == "not reproduced").sum())
    scored = [key for key, one in by_scorer["LightAutoML"].items() if one.n]
    return found | {"twice": ", ".join(dict.fromkeys(MIXTURES[about[key].first] for key in scored))}


def facts_of_questions(recorded: pd.DataFrame, headline: pd.DataFrame) -> dict[str, Any]:
    """How many aligned mixtures are better than the simple methods, which is best, and what the slow scorer says.

    Parameters
    ----------
    recorded, headline
        Recorded comparison, and the recorded table of the scorers.
    """
    found = {}
    for key, against in _KEYS.items():
        table = verdicts_of_mixtures(recorded, against)
        found |= {f"{key}_{word}": int((table["verdict"] == word).sum()) for word in ("better", "open", "worse")}
    best, pca = (differences_over_experiments(recorded, against) for against in ("best", "concat_pca"))
    aligned = [name for name in ALIGNED if name in best.index]
    top = best.loc[aligned, "difference"].idxmax()
    found |= {"n_aligned": len(aligned), "top": MIXTURES[top]}
    found |= {
        "top_best": format_interval(best.loc[top], scale=100),
        "top_pca": format_interval(pca.loc[top], scale=100),
    }
    for against in OTHERS:
        slow = difference_by_classifier(headline, "procrustes_qp", against).loc["lightautoml"]
        found[f"slow_{against}"] = format_interval(slow, scale=100) or "not scored"
        found["slow_n"] = int(slow["n"])
    return found


def facts_of_undone(shares: pd.Series) -> dict[str, float]:
    """Shares of :func:`shares_undone`, in the order of the page: mean, Procrustes, PCA, one other model."""
    return {f"in_{key}": value for key, value in zip(("mean", "procrustes", "pca", "other"), shares, strict=True)}


_KEYS = {"mean": "mean", "best": "best", "pca": "concat_pca"}
