"""Rules that choose a pair: each sees what it says, fitted ones nothing of their own experiment."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from helpers.book.data import table
from helpers.inference import holm, paired
from helpers.studies import pair_decisions as study


def made(worth=0.1, n=12, rng=None):
    """Experiments of four encoders in which a pair is as good as its better half, plus what it has in difference."""
    rng = rng or np.random.default_rng(0)
    quality = rng.permuted(np.tile([0.50, 0.55, 0.58, 0.60], (n, 1)), axis=1)
    runs = pd.DataFrame(
        [(e, m, quality[e, m], quality[e, m]) for e in range(n) for m in range(4)],
        columns=["experiment", "model", "accuracy_validation", "accuracy_test"],
    )
    rows = []
    for e in range(n):
        for a, b in combinations(range(4), 2):
            cka = rng.random()
            rows.append((e, a, b, max(quality[e, a], quality[e, b]) + worth * (1 - cka), cka))
    return pd.DataFrame(rows, columns=["experiment", "model_a", "model_b", "accuracy_concatenation", "cka"]), runs


def test_rules_choose_by_what_they_know():
    pairs, runs = made()
    found = study.chosen_by_rules(pairs, runs)
    assert list(found) == list(study.RULES) and (found["best single"] == 0.6).all()
    for experiment, here in pairs.groupby("experiment"):
        quality = runs[runs["experiment"] == experiment].set_index("model")["accuracy_validation"]
        first, second = quality.nlargest(2).index
        two = here[here[["model_a", "model_b"]].isin([first, second]).all(axis=1)].iloc[0]
        with_best = here[here[["model_a", "model_b"]].eq(first).any(axis=1)]
        row = found.loc[experiment]
        assert row["two best"] == two["accuracy_concatenation"]
        assert row["best + least similar"] == with_best.loc[with_best["cka"].idxmin(), "accuracy_concatenation"]
        assert row["least similar"] == here.loc[here["cka"].idxmin(), "accuracy_concatenation"]
        assert row["best pair in hindsight"] == here["accuracy_concatenation"].max()


def test_a_rule_that_may_use_similarity_finds_the_best_pair_where_similarity_decides():
    found = study.chosen_by_rules(*made())
    assert np.allclose(found["fitted to qualities and similarity"], found["best pair in hindsight"])
    facts = study.decision_facts(found)
    assert facts["worth"].startswith("+") and facts["worth_verdict"] == "better" and facts["choices"] > 0


def test_a_distance_is_turned_round():
    pairs, runs = made()
    turned = pairs.assign(procrustes=1 - pairs["cka"])
    assert study.chosen_by_rules(turned, runs, measure="procrustes").equals(study.chosen_by_rules(pairs, runs))


def test_fitted_rules_learn_nothing_from_their_own_experiment():
    pairs, runs = made()
    spoilt = pairs.copy()
    own = spoilt["experiment"] == 0
    spoilt.loc[own, "accuracy_concatenation"] = np.arange(own.sum()) / 10
    before, after = study.chosen_by_rules(pairs, runs), study.chosen_by_rules(spoilt, runs)
    rule = "fitted to qualities and similarity"
    taken = pairs.index[own & (pairs["accuracy_concatenation"] == before.loc[0, rule])][0]
    assert after.loc[0, rule] == spoilt.loc[taken, "accuracy_concatenation"]


def test_the_table_compares_with_one_rule_by_experiments():
    found = study.decision_table(study.chosen_by_rules(*made()), against="best single")
    untested = {"best single", study.HINDSIGHT}
    assert found["verdict"].isna().tolist() == [rule in untested for rule in study.RULES]
    assert found.loc[study.HINDSIGHT, "difference"] > 0 and np.isnan(found.loc[study.HINDSIGHT, "p"])
    with pytest.raises(ValueError, match="against is 'worst'; it can be 'best single'"):
        study.decision_table(study.chosen_by_rules(*made()), against="worst")


def test_tests_are_corrected_for_the_rules_that_somebody_could_follow_and_that_choose_otherwise():
    accuracies = study.chosen_by_rules(*made())
    accuracies["fitted to qualities"] = accuracies["two best"]
    found = study.decision_table(accuracies)
    assert found.loc["fitted to qualities", "verdict"] == study.SAME and found["p"].notna().sum() == 4
    tested = found.index[found["p"].notna()]
    plain = [paired(100 * accuracies[rule], 100 * accuracies["two best"]).p for rule in tested]
    assert np.allclose(found.loc[tested, "p"].astype(float), holm(plain))


def test_decisions_are_shown_in_words_and_the_text_has_the_verdicts_of_the_table():
    accuracies = study.chosen_by_rules(*made())
    decided = study.decision_table(accuracies)
    shown = study.shown_decisions(decided)
    assert shown.loc["two best"].tolist()[1:4] == ["–"] * 3 and shown.columns[1] == "above the two best [95 %]"
    best = decided.loc[study.HINDSIGHT]
    assert shown.loc[study.HINDSIGHT].iloc[1].startswith(f"{best['difference']:+.2f} [")
    facts = study.decision_facts(accuracies)
    for key, rule in {"alone": "best single", "worth": "fitted to qualities and similarity"}.items():
        difference = 100 * (accuracies[rule] - accuracies["two best"]).mean()
        assert facts[key].startswith(f"{difference:+.2f} [") and facts[f"{key}_verdict"] == shown.loc[rule, "verdict"]
    with_it, plain = accuracies["fitted to qualities and similarity"], accuracies["two best"]
    assert facts["choices"] == (with_it != plain).sum() and facts["experiments"] == len(accuracies)


def test_what_cannot_be_chosen_from_is_refused():
    pairs, runs = made()
    with pytest.raises(ValueError, match="measure is 'rsa'; the table of pairs has no such column"):
        study.chosen_by_rules(pairs, runs, measure="rsa")
    with pytest.raises(ValueError, match="combination is 'accuracy_sum'"):
        study.chosen_by_rules(pairs, runs, combination="sum")
    with pytest.raises(ValueError, match="model 2 of experiment 3 has no run"):
        study.chosen_by_rules(pairs, runs[(runs["experiment"] != 3) | (runs["model"] != 2)])
    with pytest.raises(ValueError, match="measure is 'cka', which row 7 of the table of pairs has not"):
        study.chosen_by_rules(pairs.assign(cka=pairs["cka"].where(pairs.index != 7)), runs)
    with pytest.raises(ValueError, match="model 2 of experiment 3 has two runs"):
        study.chosen_by_rules(pairs, pd.concat([runs, runs[(runs["experiment"] == 3) & (runs["model"] == 2)]]))
    alone = pd.DataFrame({"experiment": [5], "model": [9], "accuracy_validation": [1.0], "accuracy_test": [1.0]})
    with pytest.raises(ValueError, match="model 9 of experiment 5, .* is in no pair"):
        study.chosen_by_rules(pairs, pd.concat([runs, alone]))
    with pytest.raises(ValueError, match="there are 2 experiments"):
        study.chosen_by_rules(pairs[pairs["experiment"] < 2], runs)


def test_the_recorded_tables_belong_together_and_are_drawn():
    found = study.chosen_by_rules(table("results/clients_difference.csv"), table("results/clients_runs.csv"))
    assert found.shape == (17, len(study.RULES)) and found.notna().all(axis=None)
    assert len(study.decisions_figure(found).lines) == 18
