"""What is said on top of a page about own clients: what is decided, what is not, and what would decide it."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import tolerance
from scipy import stats

from helpers.clients import Clients
from helpers.studies import own_clients as study


def table(gains, n):
    """Experiments in which each method gains so much on the best, with a spread of a point."""
    noise = np.random.default_rng(0).normal(size=n)
    noise = 0.01 * (noise - noise.mean()) / (noise.std(ddof=1) if n > 1 else 1)
    rows = [(e, "best", 0.6) for e in range(n)]
    rows += [(e, name, 0.6 + gain + noise[e]) for name, gain in gains.items() for e in range(n)]
    return pd.DataFrame(rows, columns=["experiment", "method", "accuracy"])


def sweep(n, train=60, test=30):
    parts = pd.Series(["train"] * train + ["validation"] * 10 + ["test"] * test)
    target = pd.Series(np.tile(["ja", "nein"], len(parts))[: len(parts)])
    runs = pd.DataFrame(index=pd.MultiIndex.from_product([range(n), range(2)], names=["experiment", "model"]))
    return SimpleNamespace(split=dict.fromkeys(range(n), parts), target=dict.fromkeys(range(n), target), runs=runs)


def asked(gains, n, **options):
    return study.answer_of(table(gains, n), sweep(n), source="kunden.csv", metric="roc_auc", **options)


def test_nothing_is_said_of_simulated_clients_and_nothing_is_computed_for_it():
    def never():
        raise AssertionError("not to be called")

    assert study.answer_of(never, sweep(4), source="simulated", metric="accuracy") is None


def test_limits_are_those_of_nadeau_and_bengio():
    found = study.judge_methods(table({"new": 0.03}, 8), overlap=0.5).loc["new"]
    reach = stats.t.isf(0.025, 7) * np.sqrt(1 / 8 + 0.5)  # of a deviation of one point
    near = tolerance.apart(8) * 100
    assert found["difference"] == pytest.approx(3, abs=near) and found["spread"] == pytest.approx(1, abs=near)
    assert (found["ci_low"], found["ci_high"]) == (
        pytest.approx(3 - reach, abs=near),
        pytest.approx(3 + reach, abs=near),
    )
    assert found["verdict"] == "better"


@pytest.mark.parametrize("n", [1, 4, 5])
def test_fewer_than_six_experiments_decide_nothing_whatever_they_show(n):
    judged = study.judge_methods(table({"new": 0.3}, n), overlap=0.5)
    assert judged.loc["new", ["ci_low", "ci_high", "p_holm"]].isna().all() and judged.loc["new", "verdict"] == "open"
    said = asked({"new": 0.3}, n)
    assert "[" not in said.table.loc["new", "points gained"] and said.table.loc["new", "points gained"].startswith(
        "+30"
    )
    assert said.decided.startswith("Not decided") and "experiments: 6" in said.next_step
    # Student's t would give a p as small as one likes: the reason is the spread, and not that no test could tell.
    assert "spread" in said.decided and "test" not in said.decided and " p " not in said.decided
    assert ("one experiment" in said.decided) == (n == 1)


def test_of_six_experiments_large_gains_and_losses_are_decided_and_small_ones_are_not():
    said = asked(
        {"good": 0.1, "bad": -0.1, "same": 0.001}, 6, names={"good": "gut", "bad": "schlecht", "same": "gleich"}
    )
    assert said.table["decided"].tolist() == ["", "better", "worse", "open"]
    assert "gut" in said.decided.lower() and "schlecht" in said.decided.lower() and "gleich" in said.next_step


def test_what_would_decide_finds_it_in_four_cases_of_five():
    rng, overlap, spread = np.random.default_rng(0), 0.5, 1.0
    n, clients = study.experiments_to_decide(3.0, spread, overlap)
    assert clients == 1 and n < study.MOST_EXPERIMENTS
    # Experiments that share clients: an error of all, with the variance that overlap stands for, and one of each.
    draws, found = 4000, 0
    for common, own in zip(rng.normal(size=draws), rng.normal(size=(draws, n)), strict=True):
        d = 3.0 + np.sqrt(overlap) * common * spread + spread * own
        half = stats.t.isf(0.025, n - 1) * d.std(ddof=1) * np.sqrt(1 / n + overlap)
        found += abs(d.mean()) > half
    assert found / draws > study.POWER - tolerance.of_a_share(study.POWER, draws)
    assert study.experiments_to_decide(0.0, 1.0, 0.5)[1] == np.inf


def test_a_gain_that_no_number_of_experiments_decides_asks_for_clients_or_is_too_small():
    assert "times as many clients" in asked({"new": 0.01}, 8).next_step
    assert "too small" in asked({"new": 0.0005}, 8).next_step
    assert asked({"new": 0.2}, 8).next_step == ""


def test_the_answer_is_shown_with_names_that_are_escaped_and_says_the_metric():
    said = asked({"new": 0.1}, 6, names={"new": "<b>new</b>"})
    shown = said._repr_html_()
    assert "<b>new" not in shown and "ROC-AUC" in shown and "kunden.csv" in shown and "100 of 2 classes" in shown
    assert "best_on_test" not in str(asked({"best_on_test": 0.1}, 6).table.index)


def test_the_best_encoder_is_compared_with_counting_by_hand():
    rng = np.random.default_rng(0)
    here = sweep(2, train=120, test=80)
    target = here.target[0]
    strong = pd.DataFrame({"a": (target == "ja") + 0.1 * rng.normal(size=len(target))}, index=target.index)
    weak = pd.DataFrame({"x": rng.normal(size=len(target))}, index=target.index)
    here.embeddings = {(e, m): weak for e in range(2) for m in range(2)}
    index = pd.MultiIndex.from_product([range(2), range(2)], names=["experiment", "model"])
    runs = pd.DataFrame({"accuracy_validation": [0.5, 0.6, 0.6, 0.5], "accuracy_test": [0.1, 0.2, 0.3, 0.4]}, index)
    found = study.table_of_counting(here, strong, runs, classifier="logistic", metric="roc_auc")
    wide = found.pivot(index="experiment", columns="method", values="accuracy")
    assert wide["best"].tolist() == [0.2, 0.3] and (wide[list(study.COUNTED.values())] > 0.95).all(axis=None)


def test_pairs_are_taken_by_the_rules_of_the_recorded_decision(monkeypatch):
    """Four models, whose scores say which pair is which; without similarities only the two best are a rule."""
    index = pd.MultiIndex.from_product([[0, 1], range(4)], names=["experiment", "model"])
    valid = [0.4, 0.7, 0.6, 0.5, 0.7, 0.1, 0.2, 0.3]
    scores = pd.DataFrame({"accuracy_validation": valid, "accuracy_test": 0.5}, index)
    monkeypatch.setattr("helpers.studies.sweep.score_runs", lambda sweep, **scoring: scores)
    rows = [(e, a, b) for e in range(2) for a in range(4) for b in range(a + 1, 4)]
    pairs = pd.DataFrame(rows, columns=["experiment", "model_a", "model_b"])
    pairs["accuracy_concatenation"] = 0.01 * np.arange(len(pairs))
    pairs["cka"] = [0.9, 0.1, 0.8, 0.5, 0.4, 0.7, 0.6, 0.3, 0.8, 0.9, 0.2, 0.5]
    wide = study.table_of_pairs(None, pairs).pivot(index="experiment", columns="method", values="accuracy")
    expected = {
        "best": [0.5, 0.5],
        study.PAIRED["two best"]: [0.03, 0.08],
        study.PAIRED["best + least similar"]: [0.04, 0.07],
        study.PAIRED["least similar"]: [0.01, 0.10],
    }
    assert {name: wide[name].round(9).tolist() for name in wide} == expected
    unknown = study.table_of_pairs(None, pairs.assign(cka=np.nan))
    assert set(unknown["method"]) == {"best", study.PAIRED["two best"]}


def test_tables_of_maps_weightings_and_modalities_name_their_reference():
    maps = pd.DataFrame(
        {
            "experiment": 0,
            "penalty": ["none", "d", "d"],
            "keep": ["everything", "nothing", "labels"],
            "accuracy_y": 0.5,
            "accuracy_union": [0.6, 0.55, 0.65],
        }
    )
    assert study.table_of_maps(maps).set_index("method")["accuracy"].to_dict() == {
        "best": 0.5,
        study.MAPPED["both"]: 0.6,
        study.MAPPED["nothing"]: 0.55,
        study.MAPPED["labels"]: 0.65,
    }
    methods = pd.DataFrame(
        {
            "experiment": 0,
            "quality": ["equal", "validation", "rankme"],
            "combine": ["sum", "best", "sum"],
            "accuracy": [0.4, 0.5, 0.3],
        }
    )
    assert study.table_of_weightings(methods)["method"].tolist() == ["best", "mean"]
    columns = pd.MultiIndex.from_tuples([("transactions", "best single"), ("all", "mean")])
    scores = pd.DataFrame([[0.5, 0.6]], columns=columns)
    assert study.table_of_modalities(scores, "all")["method"].tolist() == ["best", "mean"]
    with pytest.raises(ValueError, match="against is 'best'"):
        study.judge_methods(study.table_of_maps(maps).query("method != 'best'"), overlap=0.5)


def test_a_page_that_trains_nothing_says_what_was_wrong_with_the_table_and_how_far_its_test_clients_reach():
    target = pd.Series(["ja"] * 90 + ["nein"] * 10 + [None] * 20)
    report = pd.DataFrame(
        {"found": [0, 3], "share": [0.0, 0.025], "done": ["-", "dropped"]}, index=["missing dates", "duplicates"]
    )
    clients = Clients(pd.DataFrame({"client": range(120)}), target, report)
    said = study.answer_of_table(clients, source="bank/kunden.csv", fractions=[0.5, 0.25, 0.25])
    assert "kunden.csv, 100 of 2 classes" in said.about and "ROC-AUC, guessing gives 0.50" in said.about
    assert said.table.loc["duplicates"].tolist() == ["3", "2.5%", "dropped"] and len(said.table) == 1
    assert "about 25 test clients" in said.next_step and f"±{98 / 5:.0f} points" in said.next_step
    fine = study.answer_of_table(Clients(clients.events, target, report[:1]), source="kunden.csv")
    assert "Nothing was found wrong" in fine.decided and "<table" not in fine._repr_html_()
    assert study.answer_of_table(clients, source="simulated") is None
