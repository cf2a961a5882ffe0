"""What the page about learning to disagree shows: changes, fronts and halves of made-up maps, by hand."""

import math

import numpy as np
import pandas as pd
import pytest

from helpers.book.data import table
from helpers.studies import decorrelation_page as study
from helpers.studies.sweep import Sweep

MAPS = [
    ("none", "everything", math.nan, 0.70, 0.60, 0.65),
    (study.MAIN, "nothing", 0.0, 0.01, 0.40, 0.64),
    (study.MAIN, "reconstruction", 0.1, 0.02, 0.55, 0.66),
    (study.MAIN, "reconstruction", math.inf, 0.60, 0.60, 0.65),
    (study.MAIN, "labels", 0.1, 0.03, 0.50, 0.64),
    (study.MAIN, "labels", math.inf, 0.50, 0.60, 0.64),
    ("cka", "nothing", 0.0, 0.04, 0.45, 0.64),
    ("cka", "labels", 0.1, 0.05, 0.50, 0.64),
]
COLUMNS = ["penalty", "keep", "mu", study.DEPENDENCE, "accuracy", "accuracy_union"]


@pytest.fixture(scope="module")
def maps():
    """Ten experiments in which every map changes the same, but for a little noise; one map is missing in the last."""
    tables, rng = [], np.random.default_rng(0)
    for e in range(10):
        one = pd.DataFrame(MAPS, columns=COLUMNS).assign(experiment=e, accuracy_y=0.62, halved="", classifier="fast")
        one[["accuracy", "accuracy_union"]] += 1e-3 * rng.normal(size=(len(one), 2))
        one = one.assign(cka=0.5, cca=0.4, chance_cca=0.2, n_train=100, n_test=50, minutes=0.5, date="2026-01-01")
        tables.append(one.assign(**{f"chance_{study.DEPENDENCE}": 0.001}, epochs=3, x=1, y=2))
    extra = tables[0].iloc[[1]].assign(penalty="distance_correlation")
    return pd.concat([*tables, extra], ignore_index=True)


@pytest.fixture(scope="module")
def found(maps):
    return study.map_effects(maps, n_resamples=200)


def test_changes_are_those_to_x_as_it_is_and_maps_that_miss_an_experiment_are_left_out(maps, found):
    assert len(found) == len(MAPS) - 1 and "distance_correlation" not in set(found["penalty"])
    row = found.iloc[0]
    wide = maps.pivot_table(index="experiment", columns=["penalty", "keep", "mu"], values="accuracy", dropna=False)
    before = maps[maps["penalty"] == "none"].set_index("experiment")["accuracy"]
    assert row["alone"] == pytest.approx(100 * (wide[(study.MAIN, "nothing", 0.0)] - before).mean())
    assert row["level"] == pytest.approx(0.01) and row["dependence"] == pytest.approx(-0.69)
    assert row["n"] == 10 and row["alone_ci_low"] < row["alone"] < row["alone_ci_high"]
    assert (found["union_holm"] >= found["union_p"]).all()


def test_a_map_is_on_the_front_if_none_is_lower_in_dependence_and_higher_in_mean(found):
    maps = found[found["penalty"] == study.MAIN]
    on = [not study.is_beaten(row, maps, "alone") for _, row in maps.iterrows()]
    assert on[:2] == [True, True] and on[3] is False and study.front_price(found) == 0.1
    facts = study.facts_of_front(found)
    assert facts["front_size"] == sum(on) and (facts["maps"], facts["n_designs"]) == (5, 7)
    assert (facts["price"], facts["least_price"]) == ("0.1", "0.1")
    assert facts["best_keep"] == "reconstruction" and facts["best_mu"] == "0.1"
    assert facts["union_better"] >= 1 and facts["union_worse"] >= 1
    assert facts["labels_alone"] == facts["labels_few"] and facts["labels_level"] == pytest.approx(0.03)


def test_tables_show_changes_with_their_intervals_and_x_as_it_is(maps, found):
    shown = study.table_effects({"this run": found, "recorded": found})
    assert list(shown.loc["recorded"].index) == ["modified distance correlation", "CKA"]
    assert shown.iloc[0, 0].startswith("-0.69 [")
    kept = study.table_kept(found)
    assert kept.index.names == ["lowered", "kept", "μ"] and len(kept) == 5
    assert ("modified distance correlation", "labels", "inf") in kept.index
    first = study.table_first_maps(maps)
    assert first.loc["X as it is", "μ"] == "" and len(first) == len(MAPS) + 1
    seen = study.table_dependence(found, maps)
    assert seen.index[0] == "X as it is" and seen["modified dCor"].iloc[0] == pytest.approx(0.7)
    assert len(seen) == 6 and seen["μ"].tolist()[0] == ""


def test_facts_tell_what_is_known_before_any_map_and_what_is_left(maps, found):
    facts = study.facts_of_maps(maps)
    assert (facts["rec_experiments"], facts["rec_train"], facts["rec_minutes"]) == (10, 100, 5)
    assert facts["level_before"] == pytest.approx(0.7) and facts["accuracy_y"] == pytest.approx(62)
    by_hand = table("results/clients_hand_made.csv").query("classifier == 'fast' and experiment < 10")["accuracy_test"]
    assert facts["hand_made"].startswith(f"{100 * (by_hand.mean() - 0.62):+.1f} [")
    nothing = study.facts_of_nothing(found)
    assert nothing["nothing_dependence"].startswith("-0.69 [") and nothing["nothing_alone"].startswith("-20.0 [")
    left = study.facts_of_dependence(found, maps)
    assert left["quiet_share"] == pytest.approx(100 * 0.03 / 0.7) and left["quiet_cca_before"] == pytest.approx(0.4)
    penalties = study.facts_of_other_penalties(found)
    assert (penalties["penalty_ci_low"], penalties["penalty_ci_high"]) == ("modified distance correlation", "CKA")


def test_the_other_half_gains_the_difference_of_the_two_unions(maps):
    moved = maps["accuracy_union"] + 0.02 * (maps["keep"] == "labels")
    both = [maps.assign(halved="same"), maps.assign(halved="other", accuracy_union=moved)]
    halves = pd.concat([part[part["penalty"].isin(["none", study.MAIN])] for part in both])
    effects = study.half_effects(halves, n_resamples=200)
    assert effects.loc[("labels", "0.1"), "gain"].difference == pytest.approx(2)
    assert effects.loc[("nothing", "0"), "gain"].difference == pytest.approx(0)
    facts = study.facts_of_halves(effects, 0.1)
    assert (facts["halves_labels"], facts["halves_sure"], facts["halves_n"]) == (2, 2, 5)
    assert facts["halves_gain"].startswith("+2.00 [") and facts["halves_better"] >= 2
    assert study.table_halves(effects).loc[("labels", "0.1"), "Holm, gain"] <= 0.05


def test_the_two_best_models_of_each_experiment_that_has_two_are_mapped():
    rng = np.random.default_rng(1)
    target = pd.Series(rng.integers(0, 2, 60))
    parts = pd.Series(["train", "validation", "test"] * 20)
    models = {
        (e, m): pd.DataFrame(target.to_numpy()[:, None] + rng.normal(size=(60, 2))) for e in (0, 1) for m in (0, 1)
    }
    del models[1, 1]
    index = pd.MultiIndex.from_tuples(models, names=["experiment", "model"])
    sweep = Sweep(pd.DataFrame(index=index), models, {0: parts, 1: parts}, {0: target, 1: target})
    found = study.score_sweep_maps(sweep, [0.5], [study.MAIN], classifier="logistic", epochs=1)
    assert set(found["experiment"]) == {0} and {found["x"].iloc[0], found["y"].iloc[0]} == {0, 1}
    assert found["keep"].tolist() == ["everything", "nothing", *["reconstruction"] * 2, *["labels"] * 2]


def test_the_recorded_maps_are_of_one_sweep_and_halves_stand_apart():
    recorded, halves = study.recorded_decorrelators()
    assert recorded["sweep"].nunique() == 1 and set(halves["halved"]) == {"same", "other"}
    assert (recorded["halved"] == "").all()


def test_figures_have_a_mark_for_each_map(maps, found):
    import matplotlib.pyplot as plt

    axes = study.figure_front(found, maps)
    marks = [line for line in axes[0].lines if line.get_marker() in ("X", "o", "s")]
    assert len(marks) == 5
    ax = study.figure_penalties(found, maps)
    labels = [text.get_text() for text in ax.get_legend().texts]
    assert labels == ["modified distance correlation", "CKA"]
    plt.close("all")
