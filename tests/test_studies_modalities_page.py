"""What the page about several modalities shows: a small run with and without a graph, and the recorded experiments."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import tolerance

from helpers.book.data import table as recorded
from helpers.clients import load_clients, split
from helpers.clients.modalities import make_modalities
from helpers.studies import modalities_page as study
from helpers.studies.modalities import ALL_LINKS, METHODS, embed_both_graphs

SMALL = {"text_width": 4, "graph_width": 3, "lambdas": [0.1], "steps": [0.2], "n_similar": 40, "classifier": "logistic"}
SMALL |= {"measures": ("cka", "jaccard")}


@pytest.fixture(scope="module")
def sweep():
    """Two experiments of two models of 160 simulated clients."""
    rng = np.random.default_rng(0)
    clients = {e: load_clients("simulated", n_clients=160, rng=[0, e]) for e in range(2)}
    target = {e: one.target for e, one in clients.items()}
    embeddings = {}
    for e, y in target.items():
        for m in range(2):
            seen = np.eye(4)[pd.factorize(y, sort=True)[0]] + (1 + m) * rng.normal(size=(len(y), 4))
            embeddings[e, m] = pd.DataFrame(seen, index=y.index)
    parts = {e: split(y, experiment=e) for e, y in target.items()}
    return SimpleNamespace(split=parts, target=target, embeddings=embeddings)


@pytest.fixture(scope="module")
def populations(sweep):
    return study.load_populations(sweep, "simulated", n_clients=160)


@pytest.fixture(scope="module")
def runs(sweep, populations):
    return study.run_all_experiments(sweep, populations, n_jobs=1, **SMALL)


def test_clients_that_are_not_those_of_the_sweep_are_refused(sweep, populations):
    assert sorted(populations) == [0, 1]
    with pytest.raises(ValueError, match="not those of experiment 0"):
        study.load_populations(sweep, "simulated", n_clients=160, rng=1)


def test_all_experiments_are_in_one_table(runs):
    assert runs.singles == ["transactions", "text", "graph"] and runs.everything == study.WHOLE
    assert runs.accuracy.shape[0] == 2 and (study.WHOLE, "QP") in runs.accuracy
    first = runs.experiments[0].comparison
    assert runs.correct.loc[0].mean().to_numpy() == pytest.approx(first.correct.mean().to_numpy())
    assert runs.sets[-1] == "all models + text + graph"


def test_an_ideal_observer_is_above_what_is_reached_and_absent_where_nobody_knows(runs):
    found = study.table_ceilings(runs, 0.3)
    assert found.loc["text", "reached"] == runs.accuracy["text", "best single"].mean()
    assert list(found.index[-3:]) == [study.WHOLE, ALL_LINKS, f"{study.WHOLE}, all links"]
    assert found.loc[ALL_LINKS, "ideal observer"] == found.loc["graph", "ideal observer"]
    told = study.facts_of_ceilings(found, 1234, 2)
    assert told["n_test"] == "1,234" and told["majority"] == "0.30" and told["ideal_transactions"] != "—"
    unknown = study.ModalityRuns(runs.experiments, runs.rows[runs.rows["kind"] != "ceiling"])
    bare = study.table_ceilings(unknown, 0.3)
    assert list(bare) == ["reached", "guessing"]
    assert study.facts_of_ceilings(bare, 10, 2)["ideal_transactions"] == "—"


def test_each_ensemble_is_held_against_the_best_single_space_by_hand(runs):
    correct = runs.correct
    found = study.gains_over_single(correct, study.WHOLE, n_resamples=99)
    assert list(found.index) == list(METHODS[1:])
    by_hand = correct[study.WHOLE, "mean"].mean() - correct[study.WHOLE, "best single"].mean()
    assert found.loc["mean", "difference"] == pytest.approx(by_hand)
    points = study.table_points(found).loc["mean", "points"]
    assert float(points.split()[0]) == pytest.approx(100 * by_hand, abs=0.05)  # of one decimal
    alone = study.gains_over_single(correct["text"].set_axis([("text", "best single")], axis=1), "text")
    assert alone.empty and study.table_points(alone).empty


def test_what_is_lost_is_the_whole_less_the_rest(runs):
    correct = runs.correct
    found = study.losses_without(correct, runs.singles, n_resamples=99)
    assert len(found) == 3 * len(METHODS)
    by_hand = correct[study.WHOLE, "QP"].mean() - correct["transactions + text", "QP"].mean()
    assert found.loc[("graph", "QP"), "difference"] == pytest.approx(by_hand)
    two = study.losses_without(correct, ["transactions", "text"], n_resamples=99)
    rest = correct["text", "best single"].mean()  # one space alone has no ensemble
    assert two.loc[("transactions", "mean"), "difference"] == pytest.approx(
        correct["transactions + text", "mean"].mean() - rest
    )
    assert study.losses_without(correct, ["text"]).empty


def test_clients_of_one_file_are_one_unit_in_all_experiments():
    correct = pd.DataFrame({"a": 0.0}, index=pd.MultiIndex.from_tuples([(0, "x"), (0, "y"), (1, "x")]))
    assert study.units_of_clients(correct, True) is None
    assert study.units_of_clients(correct, False).tolist() == [0, 1, 0]


def test_windows_show_one_client_with_and_without_a_graph(populations):
    clients = populations[0]
    made = make_modalities(clients, rng=[0, 0])
    shown = study.show_windows(clients, made).data
    assert list(shown.index) == ["transactions", "text", "graph"] and shown.loc["graph", "origin"].startswith("simul")
    bare = replace(made, payments=None, texts=None)
    assert study.show_windows(clients, bare).data.iloc[:, 0].tolist()[1:] == ["no text", "no link"]
    told = study.facts(clients, bare, 4)
    assert told == {"clients": "160", "classes": str(clients.target.nunique()), "links": "0", "text_width": "4"}


def test_a_graph_is_shown_out_of_sample_and_with_all_links_and_not_at_all_without_one(runs):
    found = study.table_links(runs.accuracy, runs.everything)
    assert list(found) == ["links to training clients", "all links"] and list(found.index) == [
        "graph alone",
        study.WHOLE,
    ]
    by_hand = [runs.accuracy[name, "best single"].mean() for name in ("graph", ALL_LINKS)]
    assert found.loc["graph alone"].tolist() == pytest.approx(by_hand)
    assert study.table_links(runs.accuracy.drop(columns=ALL_LINKS, level=0)).empty


def test_no_link_of_a_test_client_decides_anything_in_the_graph_of_the_claims(populations, sweep):
    clients, split_ = populations[0], sweep.split[0]
    payments = make_modalities(clients, rng=[0, 0]).payments
    others = split_.index[split_ != "train"]
    unseen = payments["payer"].isin(others) & payments["payee"].isin(others)
    both, fewer = (
        embed_both_graphs(paid, split_, clients.target.index, width=3) for paid in (payments, payments[~unseen])
    )
    assert unseen.any() and both["graph"].equals(fewer["graph"]) and not both[ALL_LINKS].equals(fewer[ALL_LINKS])
    inside = payments["payer"].isin(others) | payments["payee"].isin(others)
    assert embed_both_graphs(payments[inside], split_, clients.target.index) == {}
    assert embed_both_graphs(None, split_, clients.target.index) == {}


def test_tables_and_figures_have_a_row_for_each_space_and_set(runs):
    import matplotlib.pyplot as plt

    spaces = study.table_set_spaces(runs)
    assert spaces["width"].to_dict() == {"model 0": 4, "model 1": 4, "text": 4, "graph": 3, ALL_LINKS: 3}
    similar = study.table_similarities(runs)
    assert list(similar) == ["CKA", "Jaccard"] and similar.index[-1] == "chance"
    assert list(study.show_sets(runs).data.index) == runs.sets
    assert [ax.get_title() for ax in study.figure_two_similarities(runs.experiments[0].similarity)][0] == "CKA"
    assert len(study.figure_sets(runs, 0.3).get_yticks()) == len(runs.sets)
    losses = study.losses_without(runs.correct, runs.singles, n_resamples=99)
    ax = study.figure_losses(losses, runs.singles, "test clients")
    assert [label.get_text() for label in ax.get_yticklabels()] == [f"without {name}" for name in runs.singles]
    plt.close("all")


def test_the_recorded_experiments_answer_every_question():
    accuracy = study.recorded_accuracies()
    judged = study.judge_questions(accuracy, n_resamples=99)
    assert list(judged.index) == list(study.ASKED)
    seen = {"text_six", "both_six", "by_hand"}  # of which no set has the graph out of sample
    assert set(judged.loc[list(seen), "n"]) == {len(accuracy)}
    assert set(judged.drop(index=list(seen))["n"]) == {accuracy["graph", "best single"].notna().sum()}
    mean = accuracy.mean()
    whole = accuracy[study.WHOLE].dropna()
    by_hand = 100 * (whole["QP"] - whole["best single"]).mean()
    told = study.facts_of_questions_asked(judged)
    assert told["rec_qp_points"] == pytest.approx(by_hand) and told["rec_qp_said"].startswith(f"{by_hand:+.1f}")
    assert study.table_points(judged, study.QUESTION_WORDS).index[0] == "QP of three less best single"
    losses = study.losses_without(accuracy, ["transactions", "text", "graph"], n_resamples=99)
    found = study.facts_of_recorded_modalities(accuracy, losses, n_resamples=99)
    assert found["rec_best"] == f"{mean[study.WHOLE, 'best single']:.3f}" and found["rec_experiments"] == "17"
    assert found["rec_alike_text_share"] == "100%" and found["rec_unseen"] == len(whole)


def test_both_recorded_tables_are_of_the_same_encoders():
    """Questions subtract across the two tables, which is right only if what both have is the same in both."""
    first, second = (recorded(f"results/clients_modalities{name}.csv") for name in ("", "_unseen"))
    wide = [
        one[one["kind"] == "accuracy"].pivot(index="experiment", columns=["set", "method"], values="value")
        for one in (first, second)
    ]
    common = ("transactions", "best single")
    pd.testing.assert_series_equal(wide[0][common], wide[1][common])
    pca, judged = "concatenation + PCA", study.judge_questions(study.recorded_accuracies(), n_resamples=99)
    near = {"abs": tolerance.apart(17, condition=10)}  # sums of the same numbers in another order
    crossing = {
        "graph_six": wide[1]["transactions + graph", pca] - wide[0]["all models", pca],
        "links": wide[0][f"{study.WHOLE}, all links", pca] - wide[1][study.WHOLE, pca],
    }
    for key, difference in crossing.items():
        assert judged.loc[key, "difference"] == pytest.approx(difference.mean(), **near) and judged.loc[key, "n"] == 17


def test_features_made_by_hand_are_held_against_the_best_encoder_of_the_same_test_clients():
    accuracy = study.recorded_accuracies()
    by_hand = recorded("results/clients_hand_made.csv").query("classifier == 'fast'").set_index("experiment")
    assert np.allclose(accuracy[study.BY_HAND], by_hand["accuracy_test"])
    difference = by_hand["accuracy_test"] - accuracy["transactions", "best single"]
    judged = study.judge_questions(accuracy, n_resamples=99).loc["by_hand"]
    assert judged["difference"] == pytest.approx(difference.mean()) and judged["n"] == len(by_hand)
    first = recorded("results/clients_modalities.csv")
    assert (by_hand["n_test"] == first.groupby("experiment")["n_test"].first()).all()
