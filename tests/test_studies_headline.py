"""The comparisons that carry a claim: one representation for every scorer, and what their agreement says."""

import numpy as np
import pandas as pd
import pytest

from helpers.clients.scoring import score
from helpers.studies.combining import compare_methods
from helpers.studies.headline import difference_agreement, difference_by_classifier, score_by_classifiers
from helpers.studies.label_free import weigh_models
from helpers.studies.replacing import replacing_methods

FEW = ("best", "concat", "concat_pca", "mean", "quality_replacement_tuned", "procrustes_qp", "qp_agreement")


def clients(n=160, seed=0, width=5):
    """Three embeddings of clients of two classes, one of them without a use; some clients without a class."""
    rng = np.random.default_rng(seed)
    target = pd.Series(rng.choice(["old", "young"], n), index=[f"c{i}" for i in range(n)])
    target.iloc[:4] = None
    part = pd.Series(np.resize(["train", "train", "validation", "test"], n), index=target.index)
    signal = (target == "young").to_numpy()[:, None] * 1.0
    models = {
        name: pd.DataFrame(rng.normal(size=(n, width)) + strength * signal, index=target.index)
        for name, strength in (("a", 0.8), ("b", 0.5), ("c", 0.0))
    }
    return models, target, part


def table(scores):
    """Experiments × methods × scorers as :func:`score_by_classifiers` gives them."""
    rows = [
        {"experiment": e, "method": f"m{m}" if m else "best", "fast": fast, "lightautoml": slow}
        for e, experiment in enumerate(scores)
        for m, (fast, slow) in enumerate(experiment)
    ]
    return pd.DataFrame(rows)


def test_every_scorer_scores_what_compare_has_made():
    models, target, part = clients()
    grid = {"ps": [0.3], "alphas": [0.5]}
    found = score_by_classifiers(
        models, target, part, methods=FEW, classifiers=["fast", "logistic"], lambdas=[0.1], **grid
    )
    found = found.set_index("method")
    made = compare_methods(
        models, target, part, lambda *a, **k: replacing_methods(*a, **k, **grid), selection_classifier="logistic"
    )
    made = made.table.set_index("method")
    same = ["best", "concat", "concat_pca", "mean", "quality_replacement_tuned"]
    assert list(found.index) == list(FEW)
    assert np.array_equal(found.loc[same, "fast"], made.loc[same, "accuracy"])
    assert (found.loc[same, "chosen"] == made.loc[same, "chosen"]).all()
    side_by_side = pd.concat([x.add_prefix(name) for name, x in models.items()], axis=1)
    by_hand = score(side_by_side, target, part, classifier="logistic").accuracy
    assert found.loc["concat", "logistic"] == by_hand and found.loc["concat", "width"] == 15


def test_agreement_is_the_weighting_of_the_study_without_labels():
    models, target, part = clients()
    found = score_by_classifiers(models, target, part, methods=["best", "qp_agreement"], classifiers=["logistic"])
    known = target.notna()
    labelled = {name: x[known] for name, x in models.items()}
    rows = weigh_models(
        labelled, target[known], part[known], names=["agreement"], raw=(), classifier="logistic"
    ).methods
    by_hand = rows[(rows["quality"] == "agreement") & (rows["combine"] == "sum")]["accuracy"].item()
    assert found.set_index("method").loc["qp_agreement", "logistic"] == by_hand


def test_test_clients_change_no_choice():
    models, target, part = clients()
    test = (part == "test").to_numpy()
    shuffled = target.copy()
    shuffled[test] = np.random.default_rng(0).permutation(target[test])
    options = {"methods": FEW, "classifiers": ["logistic"], "ps": [0.3], "alphas": [0.5]}
    here, there = (score_by_classifiers(models, y, part, **options) for y in (target, shuffled))
    assert here["chosen"].tolist() == there["chosen"].tolist()
    assert not np.array_equal(here["logistic"], there["logistic"])


def test_unknown_methods_and_scorers_are_named():
    models, target, part = clients()
    with pytest.raises(ValueError, match="methods has 'sum'; it can have 'best', 'concat'"):
        score_by_classifiers(models, target, part, methods=["best", "sum"], classifiers=["logistic"])
    with pytest.raises(ValueError, match="classifiers has 'slow'; it can have 'fast'"):
        score_by_classifiers(models, target, part, classifiers=["slow"])


def test_agreement_of_differences_by_hand():
    found = difference_agreement(
        table([[(0.5, 0.6), (0.6, 0.7), (0.41, 0.65)], [(0.3, 0.3), (0.35, 0.32), (0.2, 0.1)]]), n_resamples=99
    )
    fast, slow = [0.1, -0.09, 0.05, -0.1], [0.1, 0.05, 0.02, -0.2]
    row = found.loc["fast"]
    assert np.isclose(row["correlation"], pd.Series(fast).corr(pd.Series(slow), method="spearman"))
    apart = np.array(fast) - np.array(slow)
    assert np.isclose(row["shift"], apart.mean()) and np.isclose(row["spread"], apart.std(ddof=1))
    assert row["same_sign"] == 0.75 and row["n"] == 4


def test_intervals_of_scorers_without_relation_hold_zero():
    held = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        noise = rng.normal(size=(12, 6, 2))
        noise[:, 0] = 0  # what the others are compared with, without noise of its own
        row = difference_agreement(table(noise), n_resamples=199, rng=seed).loc["fast"]
        held += row["ci_low"] <= 0 <= row["ci_high"]
    assert held >= 34


def test_each_difference_takes_the_experiments_that_have_both_methods():
    rows = table([[(0.5, 0.5), (0.6, 0.6), (0.7, 0.4)]] * 6)
    rows = rows[(rows["method"] != "m2") | (rows["experiment"] < 3)]
    found = difference_by_classifier(rows, "m2", "best", n_resamples=99)
    assert np.allclose(found["difference"], [0.2, -0.1]) and found["n"].tolist() == [3, 3]
    unscored = rows.assign(lightautoml=rows["lightautoml"].where(rows["experiment"] < 2))
    assert difference_by_classifier(unscored, "m2", "best", n_resamples=99)["n"].tolist() == [3, 2]
    assert difference_agreement(unscored, n_resamples=99).loc["fast", "n"] == 4
    one = rows[rows["experiment"] == 0]
    assert np.isnan(difference_agreement(one).loc["fast", ["ci_low", "ci_high"]].to_numpy(dtype=float)).all()
    nothing = difference_by_classifier(rows, "m9", "best")
    assert nothing["difference"].isna().all() and (nothing["n"] == 0).all()


def test_a_reference_that_is_missing_somewhere_is_refused():
    rows = table([[(0.5, 0.6), (0.6, 0.7)], [(0.3, 0.3), (0.35, 0.32)]])
    with pytest.raises(ValueError, match="against is 'best', which is not there once in each experiment"):
        difference_agreement(rows.iloc[1:])
    with pytest.raises(ValueError, match="reference is 'slow'; the scorers of the table are 'fast', 'lightautoml'"):
        difference_agreement(rows, reference="slow")
