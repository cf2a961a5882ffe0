"""What the page about weights without labels shows of weightings: by hand on small tables, and the recorded ones."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from helpers.book.data import table
from helpers.inference import Paired
from helpers.studies import label_free_page as study
from helpers.studies.label_free import PUBLISHED, differences_to

FEW = {"n_resamples": 1999, "rng": 0}


@pytest.fixture(scope="module")
def sweep():
    """Two experiments of three models of 150 clients, classes seen through more and more noise."""
    rng = np.random.default_rng(0)
    numbers = pd.MultiIndex.from_product([range(2), range(3)], names=["experiment", "model"])
    columns = {"features": [["amount"], ["amount", "time"], ["time"]] * 2, "cell": "gru", "projector": 8}
    runs = pd.DataFrame(columns | {"noise": 0.1, "learning_rate": 0.01, "epochs": 3}, index=numbers)
    clients = [f"c{i}" for i in range(150)]
    target = {e: pd.Series(rng.integers(0, 3, 150), index=clients) for e in range(2)}
    split = {e: pd.Series(["train"] * 70 + ["validation"] * 30 + ["test"] * 50, index=clients) for e in range(2)}
    embeddings = {}
    for e, m in numbers:
        seen = np.eye(3)[target[e]] @ rng.normal(size=(3, 5))
        embeddings[e, m] = pd.DataFrame(seen + (0.4 + m) * rng.normal(size=(150, 5)), index=clients)
    return SimpleNamespace(runs=runs, embeddings=embeddings, target=target, split=split)


def weightings(n=16):
    """Accuracies of each weighting; the mean has 0.5, RankMe gains 2 % and persistence loses 2 %, up to noise."""
    cells = [
        ("equal", "sum", "none", np.nan, 0.5),
        ("equal", "concat", "none", np.nan, 0.51),
        ("equal", "side by side", "none", np.nan, 0.48),
        ("random", "best", "none", np.nan, 0.4),
        ("validation", "best", "order", np.nan, 0.47),
        ("test", "best", "order", np.nan, 0.475),
    ]
    for name in [*PUBLISHED, "validation", "difference"]:
        gain = {"rankme": 2.0, "persistence_h0": -2.0}.get(name, 0.0)
        scale = "none" if name == "difference" else "unit"
        cells.append((name, "sum", scale, 1.0, 0.5 * (1 + gain / 100)))
        cells.append((name, "concat", scale, 1.0, 0.51 * (1 + gain / 100)))
        if scale == "unit":
            cells.append((name, "sum", scale, 0.1, 0.5 * (1 + (gain - 1) / 100)))
        if name in PUBLISHED:
            cells.append((name, "sum", "raw", 1.0, 0.49))
    one = pd.DataFrame(cells, columns=["quality", "combine", "scale", "lam", "accuracy"])
    one["weights"] = np.where(
        (one["scale"] == "raw") & (one["quality"] == "persistence_h0"), "1.000 0.000", "0.600 0.400"
    )
    noise = np.random.default_rng(0).normal(scale=0.0005, size=(n, len(one)))
    noise = noise - noise.mean(axis=0)
    rows = [one.assign(experiment=e, accuracy=one["accuracy"] + noise[e]) for e in range(n)]
    return pd.concat(rows, ignore_index=True)


@pytest.fixture(scope="module")
def methods():
    return weightings()


@pytest.fixture(scope="module")
def plain(methods):
    fixed = study.at_fixed_penalty(methods)
    return fixed[fixed["scale"] != "raw"]


def test_every_experiment_of_a_sweep_is_weighed_and_columns_are_counted(sweep):
    found = study.weigh_sweep(sweep, [0, 1], classifier="logistic")
    assert (
        found.models["columns"].tolist() == [1, 2, 1] * 2 and found.models["experiment"].tolist() == [0] * 3 + [1] * 3
    )
    assert found.methods.groupby("experiment").size().nunique() == 1
    facts = study.facts(
        found._replace(
            methods=found.methods.assign(
                **dict.fromkeys(["n_train", "n_test"], 50.0), classifier="logistic", date="2026-01-02", minutes=1.0
            )
        ),
        2,
        6,
    )
    assert (facts["rec_models"], facts["rec_experiments"], facts["seen_twice"]) == (6, 2, 0)
    spread = found.models.groupby("experiment")["test"].agg(lambda t: 100 * (t.max() - t.min())).mean()
    assert facts["spread"] == pytest.approx(spread)
    with pytest.raises(ValueError, match="no experiment of the sweep has two models"):
        study.weigh_sweep(sweep, [])
    shown = study.table_sweep_settings(sweep, 2)
    assert shown.loc["0, 1", "columns of an event"] == "amount, time" and shown["network"].tolist() == ["GRU", "GRU"]

    penalties = study.accuracies_by_penalty(sweep, found.models, [1.0, 1e-4], experiments=[0, 1])
    assert penalties.iloc[0]["side by side, training"] > penalties.iloc[1]["side by side, training"]
    told = study.facts_of_penalties(penalties, table("results/clients_headline.csv"))
    weak = penalties.iloc[0]
    assert told["gap_weak"] == pytest.approx(100 * (weak["side by side, test"] - weak["best model, test"]))
    assert told["headline_experiments"] == 17


def test_five_qualities_are_held_against_the_plain_mean(methods):
    five = study.against_sum(study.at_fixed_penalty(methods), **FEW)
    assert list(five.index) == [*PUBLISHED, "validation"]
    assert five.loc["rankme", "percent"] == pytest.approx(2, abs=0.1)  # of noise with a mean of zero
    found = study.facts_of_five(five)
    assert (found["five_better"], found["five_worse"], found["five_best"]) == (1, 1, "RankMe")
    assert found["five_worst"] == "persistence H0" and found["ideal_word"] == "not distinguishable"
    shown = study.table_five_published({"recorded": five}, study.published_weightings())
    assert list(shown) == ["published", "recorded", "won, published", "won, recorded"]
    assert shown.loc["RankMe", "won, recorded"] == "100.0" and shown.loc["validation labels", "published"] == ""


def test_units_and_penalties_are_columns(methods):
    scales = study.table_scales(methods)
    assert list(scales) == ["λ = 1", "λ = 0.1", "own units"] and np.isnan(scales.loc["validation", "own units"])
    found = study.facts_of_scales(methods)
    named = {"raw_single_pseudo_condition_number", "raw_single_persistence_h0", "lams_worse"}
    assert set(found) == named and found["lams_worse"] == 5
    assert (found["raw_single_persistence_h0"], found["raw_single_pseudo_condition_number"]) == (100, 0)


def test_methods_that_saw_a_label_are_left_out_and_the_rest_is_named(plain):
    free = study.seen_no_label(differences_to(plain, study.PLAIN_MEAN, **FEW))
    assert free.index[0] == "RankMe, side by side + PCA" and "one at random, best one" in free.index
    assert not any("labels" in name for name in free.index)
    best = study.seen_no_label(differences_to(plain, study.BEST_SINGLE, **FEW))
    shown = study.table_label_free(free, best, 3)
    assert len(shown) == 4 and list(shown) == ["against mean, %", "against best single, %", "accuracy"]
    found = study.facts_of_weightings(plain, best, **FEW)
    assert found["pca_tried"] == 5 and found["pca_better"] == 1 and found["pca_top"] == "RankMe"
    assert found["single_mean"] == pytest.approx(100 * (0.5 / 0.47 - 1), abs=0.2)  # of noise with a mean of zero


def test_features_made_by_hand_have_a_row_by_the_scorer_of_the_study_and_enter_no_choice():
    plain = study.at_fixed_penalty(study.recorded_weightings().methods)
    plain = plain[plain["scale"] != "raw"]
    known = study.beside_hand_made(plain)
    assert len(known) == len(plain) + plain["experiment"].nunique()
    to_best = differences_to(known, study.BEST_SINGLE, n_resamples=99)
    pd.testing.assert_frame_equal(
        to_best[to_best["quality"] != "hand made"].drop(columns="p_holm").reset_index(drop=True),
        differences_to(plain, study.BEST_SINGLE, n_resamples=99).drop(columns="p_holm"),
    )
    shown = study.table_label_free(
        *(
            study.seen_no_label(differences_to(known, one, n_resamples=99))
            for one in (study.PLAIN_MEAN, study.BEST_SINGLE)
        )
    )
    rows = table("results/clients_hand_made.csv").query("classifier == 'logistic'").set_index("experiment")
    assert shown.loc["features made by hand", "accuracy"] == f"{rows['accuracy_test'].mean():.4f}"
    best = plain[(plain[["quality", "combine"]] == ["validation", "best"]).all(axis=1)].set_index("experiment")
    expected = 100 * (rows["accuracy_test"] / best["accuracy"] - 1).mean()
    assert shown.loc["features made by hand", "against best single, %"].startswith(f"{expected:+.2f}")
    assert study.facts_of_hand_made(to_best)["hand_made"].startswith(f"{expected:+.2f} [")
    assert (
        len(
            study.table_label_free(
                *(
                    study.seen_no_label(differences_to(plain, one, n_resamples=99))
                    for one in (study.PLAIN_MEAN, study.BEST_SINGLE)
                )
            )
        )
        == len(shown) - 1
    )


def test_the_winner_is_that_of_the_other_experiments():
    rows = [
        {"experiment": e, "quality": q, "combine": "sum", "accuracy": 0.5 + (0.3 if (q == "nesum") == (e == 0) else 0)}
        for e in range(3)
        for q in ("rankme", "nesum")
    ]
    winners, fair = study.winner_elsewhere(pd.DataFrame(rows))
    assert winners.tolist() == ["RankMe, sum"] * 3 or winners.iloc[0] == "RankMe, sum"
    assert fair.loc[0] == 0.5  # the others chose what is worse here


def test_fair_winners_are_compared_with_what_labels_choose(plain):
    winners, fair = study.winner_elsewhere(plain)
    gains = study.fair_gains(plain, fair)
    assert set(winners) == {"RankMe, side by side + PCA"} and all(isinstance(one, Paired) for one in gains.values())
    found = study.facts_of_winners(winners, gains)
    assert found["winner_share"] == 100 and found["fair_single_verdict"] == "better"
    by_test, by_validation = (gains[f"best single, by {kind} labels"].difference for kind in ("test", "validation"))
    assert 0 < by_test < by_validation


def test_a_dot_is_drawn_for_each_of_the_usual_methods(plain):
    import matplotlib.pyplot as plt

    to_best = differences_to(plain, study.BEST_SINGLE, **FEW)
    ax = study.figure_label_free(to_best, "mean_cosine")
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert "RankMe, sum" in labels and "mean cosine, sum" in labels and "clustering, sum" not in labels
    plt.close("all")


def test_the_recorded_tables_fit_the_page():
    recorded = study.recorded_weightings()
    found = study.facts(recorded, 4, 24)
    assert found["rec_models"] == 6 * found["rec_experiments"] == 102 and found["seen_twice"] == 17
    assert set(PUBLISHED) <= set(study.published_weightings().index)
    shown = study.table_scorers_of_width(table("results/clients_headline.csv"))
    assert list(shown) == ["side by side", "side by side + PCA", "equal weights, sum"] and "LightAutoML" in shown.index
