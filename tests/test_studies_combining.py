"""Ensembles compared on clients: nothing looks at test clients, statistics do what they say."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import tolerance

from helpers.book.data import table
from helpers.clients import score
from helpers.ensembles import MeanOfLayers
from helpers.inference import CLAIM_VERDICTS, Claim, judge
from helpers.studies.aligning import PUBLISHED_NAMES, aligning_methods
from helpers.studies.aligning import claims as aligning_claims
from helpers.studies.combining import (
    MEASURES,
    AboutMethods,
    Tuned,
    compare_methods,
    compare_methods_by_experiment,
    deciding_findings,
    differences_over_experiments,
    findings,
)
from helpers.studies.replacing import CLAIMS as REPLACING_CLAIMS
from helpers.studies.replacing import replacing_methods

REPLACING = partial(replacing_methods, ps=[0.3], alphas=[0.5])
ALIGNING = partial(aligning_methods, lambdas=[0.1], ridges=[0.1])


def clients(n=160, seed=0, width=6):
    """Three embeddings of clients of two classes, one of them without a use; some clients without a class."""
    rng = np.random.default_rng(seed)
    target = pd.Series(rng.choice(["old", "young"], n), index=[f"c{i}" for i in range(n)])
    target.iloc[:4] = None
    part = pd.Series(np.resize(["train", "train", "validation", "test"], n), index=target.index)
    signal = (target == "young").to_numpy()[:, None] * 1.0
    embeddings = {
        model: pd.DataFrame(rng.normal(size=(n, width)) + strength * signal, index=target.index)
        for model, strength in ((0, 0.8), (1, 0.5), (2, 0.0))
    }
    return embeddings, target, part


def sweep(experiments=3):
    """What a sweep gives."""
    found = {e: clients(seed=e) for e in range(experiments)}
    runs = pd.MultiIndex.from_tuples([(e, m) for e in found for m in range(3)], names=["experiment", "model"])
    return SimpleNamespace(
        runs=pd.DataFrame({"source": "simulated"}, index=runs),
        embeddings={(e, m): x for e, (all_, _, _) in found.items() for m, x in all_.items()},
        target={e: target for e, (_, target, _) in found.items()},
        split={e: part for e, (_, _, part) in found.items()},
    )


def settled(found):
    """Everything that a comparison chose or learnt."""
    columns = ["method", "kind", "width", "validation", "chosen", "weights"]
    table = found.table[found.table["method"] != "best_on_test"][columns]
    return table.to_csv() + found.curves.to_csv()


@pytest.mark.parametrize("methods", [REPLACING, ALIGNING], ids=["replacing", "aligning"])
def test_test_clients_change_no_fit_and_no_choice(methods):
    embeddings, target, part = clients()
    test = (part == "test").to_numpy()
    rng = np.random.default_rng(5)
    found = compare_methods(embeddings, target, part, methods, classifier="logistic")
    shuffled = target.copy()
    shuffled[test] = rng.permutation(target[test])
    moved = {model: x.mask(pd.Series(test, x.index), 100 * rng.normal(size=x.shape)) for model, x in embeddings.items()}
    for other in (
        compare_methods(embeddings, shuffled, part, methods, classifier="logistic"),
        compare_methods(moved, target, part, methods, classifier="logistic"),
    ):
        assert settled(other) == settled(found)
        for name, ensemble in found.ensembles.items():
            seen = {str(model): x[~test].to_numpy() for model, x in embeddings.items()}
            assert np.array_equal(other.ensembles[name].transform(seen), ensemble.transform(seen)), name


def test_validation_labels_change_choices_but_no_map():
    embeddings, target, part = clients()
    valid = (part == "validation").to_numpy()
    shuffled = target.copy()
    shuffled[valid] = np.random.default_rng(0).permutation(target[valid])
    here, there = (compare_methods(embeddings, y, part, ALIGNING, classifier="logistic") for y in (target, shuffled))
    assert settled(here) != settled(there)
    everyone = {str(model): x.to_numpy() for model, x in embeddings.items()}
    for name in ("procrustes_mean", "generalized_procrustes_mean", "autoencoder_mean"):
        assert np.array_equal(*(found.ensembles[name].transform(everyone) for found in (here, there)))


def test_the_table_tells_what_was_chosen_and_differences_by_hand():
    embeddings, target, part = clients()
    found = compare_methods(embeddings, target, part, REPLACING, classifier="logistic")
    table = found.table.set_index("method")
    assert table["kind"].value_counts().to_dict() == {"method": 10, "single": 3, "reference": 3}
    singles = table[table["kind"] == "single"]
    assert table.loc["best", "chosen"] == f'{{"model": "{singles["validation"].idxmax()}"}}'
    assert table.loc["best_on_test", "accuracy"] == singles["accuracy"].max()
    assert table.loc["concat", "width"] == 18 and (table.drop("concat")["width"] == 6).all()
    assert np.allclose(table["diff_best"], table["accuracy"] - table.loc["best", "accuracy"])
    assert (table["diff_best_ci_low"] <= table["diff_best"]).all() and table.loc["best", "diff_best_ci_high"] == 0
    assert found.correct.shape == (39, 16) and np.allclose(found.correct.mean(), table["accuracy"])
    tuned = found.curves[found.curves["method"] == "quality_replacement_tuned"]
    assert tuned["steps"].tolist() == [0, 1, 2] and tuned["chosen"].sum() == 1
    top = tuned[tuned["validation"] == tuned["validation"].max()]
    assert tuned.loc[tuned["chosen"], "steps"].item() == top["steps"].min()


def test_what_is_reported_is_of_test_clients_and_what_is_chosen_by_of_validation_clients():
    embeddings, target, part = clients()
    found = compare_methods(embeddings, target, part, REPLACING, classifier="logistic")
    table = found.table.set_index("method")
    for model, x in embeddings.items():
        on = {
            which: score(x, target, part, classifier="logistic", on=which).accuracy for which in ("validation", "test")
        }
        assert on["validation"] != on["test"]
        assert table.loc[str(model), ["validation", "accuracy"]].tolist() == list(on.values())
    mean = np.mean([x.to_numpy() for x in embeddings.values()], axis=0)
    assert table.loc["mean", "accuracy"] == score(mean, target, part, classifier="logistic").accuracy
    tested = target.index[(part == "test") & target.notna()]
    assert len(found.correct) == len(tested)


@pytest.mark.parametrize("metric", ["roc_auc", "balanced_accuracy"])
def test_another_metric_chooses_and_is_reported(metric):
    embeddings, target, part = clients(seed=4)
    found = compare_methods(embeddings, target, part, REPLACING, classifier="logistic", metric=metric, n_resamples=50)
    table, known = found.table.set_index("method"), target.notna()
    for on, column in (("validation", "validation"), ("test", "accuracy")):
        expected = [
            score(x[known], target[known], part[known], classifier="logistic", on=on).by(metric)
            for x in embeddings.values()
        ]
        assert np.allclose(table.loc[["0", "1", "2"], column], expected)
    assert table.loc["best", "accuracy"] == table.loc[str(np.argmax(table["validation"][:3])), "accuracy"]
    np.testing.assert_allclose(found.correct.mean(), table["accuracy"], rtol=tolerance.apart(len(found.correct)))
    difference = table["accuracy"] - table.loc["best", "accuracy"]
    np.testing.assert_allclose(table["diff_best"], difference, atol=tolerance.apart(len(found.correct)))


@pytest.mark.parametrize("name", ["best", "concat", "mean"])
def test_a_representation_with_the_name_of_a_method_is_refused(name):
    embeddings, target, part = clients()
    first, *others = embeddings
    named = {name: embeddings[first]} | {str(other): embeddings[other] for other in others}
    with pytest.raises(ValueError, match=f"'{name}' names a representation and a (reference|method)"):
        compare_methods(named, target, part, REPLACING, classifier="logistic")


def test_experiments_come_one_below_the_other_and_lone_models_are_left_out():
    found = sweep()
    for model in (1, 2):
        del found.embeddings[2, model]
    mean = lambda width, **_: {"mean": Tuned(MeanOfLayers())}  # noqa: E731
    both = compare_methods_by_experiment(found, mean, classifier="logistic", n_resamples=50)
    assert both.table["experiment"].unique().tolist() == [0, 1]
    assert set(both.ensembles) == {(0, "mean"), (1, "mean")}
    one = compare_methods_by_experiment(found, mean, experiments=[1], classifier="logistic", n_resamples=50)
    pd.testing.assert_frame_equal(one.table, both.table[both.table["experiment"] == 1].reset_index(drop=True))
    with pytest.raises(ValueError, match="two models"):
        compare_methods_by_experiment(found, mean, experiments=[2])


def test_the_published_measures_are_all_there():
    assert set(MEASURES) == {"cka", "rsa", "distance_correlation", "angular_shape"}


def table_of(differences, base=0.5):
    rows = [(e, m, base + d) for e, d in enumerate(differences) for m, d in (("best", 0), ("new", d))]
    return pd.DataFrame(rows, columns=["experiment", "method", "accuracy"])


def test_differences_and_wins_over_experiments():
    found = differences_over_experiments(table_of([0.01, 0.02, 0.03, 0.0, -0.01, 0.02])).loc["new"]
    assert np.isclose(found["difference"], 0.07 / 6)
    assert (found["wins"], found["ties"], found["n"]) == (4, 1, 6)
    assert found["ci_low"] < found["difference"] < found["ci_high"] and found["p_holm"] == found["p"]
    assert found["win_ci_low"] < 4 / 6 < found["win_ci_high"]
    with pytest.raises(ValueError, match="against is 'mean'"):
        differences_over_experiments(table_of([0.1, 0.2]), "mean")
    lone = differences_over_experiments(table_of([0.1])).loc["new"]
    assert (
        np.isclose(lone["difference"], 0.1) and np.isnan(lone[["ci_low", "ci_high", "p", "p_holm"]].astype(float)).all()
    )


def test_without_a_difference_the_level_is_kept():
    rng = np.random.default_rng(0)
    sure = [
        differences_over_experiments(table_of(rng.normal(size=12) / 100), n_resamples=499, rng=i).loc["new"]
        for i in range(200)
    ]
    level = np.mean([row["p"] <= 0.05 for row in sure])
    off = tolerance.of_a_share(0.05, 200)
    assert level == pytest.approx(0.05, abs=off)
    assert np.mean([row["win_ci_low"] <= 0.5 <= row["win_ci_high"] for row in sure]) >= 0.95 - off


@pytest.mark.parametrize(
    ("differences", "about", "verdict"),
    [
        ([0.01, 0.012, 0.014] * 5, Claim("c", published=1.2), 0),
        ([0.01, 0.012, 0.014] * 5, Claim("c"), 0),
        ([0.01, 0.012, 0.014] * 5, Claim("c", side="less"), 1),
        ([0.01, -0.01, 0.001] * 5, Claim("c", published=5.0), 1),
        ([0.01, -0.01, 0.001] * 5, Claim("c"), 2),
        ([0.01, 0.02], Claim("c", published=1.5), 2),
        ([0.003, 0.004] * 2, Claim("c", published=1.2), 2),  # beyond zero without being sure of it
        ([0.01], Claim("c", published=1.5), 2),
        ([0.01] * 15 + [-0.01] * 2, Claim("c", null=0.5, published=0.88), 0),
        ([0.01] * 8 + [-0.01] * 9, Claim("c", side="equal", null=0.5, margin=0.25), 2),
        ([0.01] * 3 + [-0.01] * 14, Claim("c", null=0.5, published=0.88), 1),
        ([0.01] * 17, Claim("c", side="equal", null=0.5, margin=0.25), 1),
        ([0.01] * 2 + [-0.01] * 2, Claim("c", side="equal", null=0.5, margin=0.25), 2),
    ],
)
def test_claims_about_two_methods_are_asked_of_experiments(differences, about, verdict):
    claims = {"c": AboutMethods("new", "best", about, share=about.null == 0.5)}
    found = findings(table_of(differences), claims, n_resamples=999)
    judged = judge({"c": about}, found).loc["c"]
    assert judged["verdict"] == CLAIM_VERDICTS[verdict] and judged["n"] == len(differences)
    share = np.mean(np.array(differences) > 0)
    assert np.isclose(judged["estimate"], share if about.null == 0.5 else 100 * np.mean(differences))


def test_a_claim_is_asked_of_the_experiments_that_a_scorer_has_scored():
    table = table_of([0.01, 0.02, 0.03, 0.02, 0.01, 0.02, 0.03])
    table["slow"] = table["accuracy"].where(table["experiment"] < 5)
    claims = {
        "gain": AboutMethods("new", "best", Claim("new gains")),
        "other": AboutMethods("other", "best", Claim("another gains")),
    }
    slow, fast = (findings(table, claims, classifier=classifier, n_resamples=99) for classifier in ("slow", "accuracy"))
    assert (slow["gain"].n, fast["gain"].n) == (5, 7)
    assert fast["other"].why == "no other among the methods"
    chosen, by = deciding_findings({"LightAutoML": slow, "fast": fast})
    assert by == {"gain": "fast", "other": "LightAutoML"} and chosen["gain"] == fast["gain"]
    nothing = findings(table.assign(slow=np.nan), claims, classifier="slow")["gain"]
    assert nothing.why == "no experiment has both methods"
    with pytest.raises(ValueError, match="classifier is 'medium'; the columns are"):
        findings(table, claims, classifier="medium")


def test_the_published_claims_compare_methods_that_are_there():
    replacing = {*replacing_methods(8), "best", "concat"}
    assert {name for about in REPLACING_CLAIMS.values() for name in about[:2]} <= replacing
    published = table("published/client_qp_ensemble.csv")
    found = aligning_claims(published, {name: name for name in PUBLISHED_NAMES.values()})
    assert len(found) == 16 and {name for about in found.values() for name in about[:2]} <= {
        *aligning_methods(8),
        "best",
    }
    assert sum(about.claim.side == "greater" for about in found.values()) == 8
    assert judge({key: about.claim for key, about in (REPLACING_CLAIMS | found).items()}, {})["note"].nunique() == 1


def test_bad_input_of_a_comparison_is_refused():
    embeddings, target, part = clients()
    with pytest.raises(ValueError, match="at least two"):
        compare_methods({0: embeddings[0]}, target, part, REPLACING)
    with pytest.raises(ValueError, match="representation 1 lacks 1 clients"):
        compare_methods(embeddings | {1: embeddings[1].iloc[:-1]}, target, part, REPLACING)
    with pytest.raises(ValueError, match="representation 1 has 159 rows"):
        compare_methods(embeddings | {1: embeddings[1].to_numpy()[1:]}, target, part, REPLACING)
