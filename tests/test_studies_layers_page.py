"""What the page about layers shows: made-up layers that drift, with a pooler, and the recorded tables."""

import numpy as np
import pandas as pd
import pytest

from helpers.inference import judge
from helpers.similarity import cka
from helpers.studies import layers_page as study
from helpers.studies.layers import CLAIMS, VIEWS, compare_layers, drifting_layers, measure_agreement

SMALL = {"k": 5, "rtd_batch": 20, "rtd_trials": 2, "halves": 4, "rng": 0}


@pytest.fixture(scope="module")
def views():
    """Two encoders of six layers that drift, the second with a pooler that knows nothing of the sentences."""
    rng = np.random.default_rng(0)
    start, found = rng.normal(size=(60, 6)) + 1, {}
    for name in ("plain", "pooled"):
        layers = drifting_layers(start, 5, 0.8, rng=rng)
        found[name] = {layer.removeprefix("layer "): x + 0.5 for layer, x in layers.items()}
    found["pooled"]["pooler"] = rng.normal(size=(60, 3))
    return found


@pytest.fixture(scope="module")
def compared(views):
    return {name: compare_layers(x, **SMALL) for name, x in views.items()}


@pytest.fixture(scope="module")
def layers(compared):
    return study.without_pooler(compared) | {"drift": compared["plain"]}


@pytest.fixture(scope="module")
def agreements(layers):
    return {name: measure_agreement(found, n_permutations=9) for name, found in layers.items()}


def test_the_pooler_is_left_out_and_nothing_else(compared, layers):
    assert list(layers["pooled"].matrices["rtd"].index) == list("012345")
    assert layers["plain"].matrices["cka"].equals(compared["plain"].matrices["cka"])


def test_what_changes_with_depth_is_measured_on_the_same_sentence(views):
    path = study.changes_with_depth(views)
    assert len(path) == 12 and path["cosine with the layer before"].isna().sum() == 2
    x, y = views["plain"]["0"], views["plain"]["1"]
    cosines = np.sum(x * y, axis=1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)
    row = path.iloc[1]
    assert np.isclose(row["cosine with the layer before"], cosines.mean())
    assert np.isclose(row["length"], np.linalg.norm(y, axis=1).mean() / np.linalg.norm(x, axis=1).mean())
    facts = study.facts_of_depth(path)
    assert facts["aniso_ci_low"] <= facts["aniso_ci_high"] and facts["before"] <= cosines.mean()
    assert len(study.figure_depth(path)[0].lines) == 2


def test_the_scale_goes_from_chance_to_identity(compared):
    found = compared["plain"]
    maps = study.from_chance(found)
    for measure in VIEWS:
        value, chance = found.matrices[measure].iloc[0, 1], found.chance[measure].iloc[0, 1]
        wanted = 1 - value / chance if measure == "rtd" else (value - chance) / (1 - chance)
        assert np.isclose(maps[measure].iloc[0, 1], wanted)
        assert np.diag(maps[measure]).tolist() == [1] * 6


def test_similarity_falls_with_every_step_and_the_pooler_does_not_count():
    at = np.arange(5)
    falling = pd.DataFrame(1 - 0.1 * np.abs(at[:, None] - at), list("0123") + ["pooler"], list("0123") + ["pooler"])
    found = study.fall_with_depth({"a": {"cka": falling, "rtd": falling - 0.1}})
    assert np.allclose(found["with distance"], -1) and np.allclose(found["one layer apart"], [0.9, 0.8])
    facts = study.facts_of_falls(found)
    assert (facts["one_most"], facts["one_least"]) == ("CKA", "RTD") and np.isclose(facts["falls_ci_low"], -1)


def test_tables_have_a_row_for_each_measure_or_encoder(compared, layers, agreements, views):
    between = study.table_between(study.rows_of(compared), "0", "5")
    assert list(between) == ["plain", "pooled", "by chance"] and list(between.index) == list(study.NAMES.values())
    assert between.loc["CKA", "plain"].startswith(f"{cka(views['plain']['0'], views['plain']['5']):.2f} [")
    assert "-0.00" not in set(between["by chance"])
    fits = study.table_partitions(layers)
    assert fits["encoder"].tolist() == ["plain", "pooled", "drift"] and fits["partition"].nunique() == 1
    ends = study.table_ends(layers)
    assert ends["layer"].tolist() == ["0"] * 3 + ["5"] * 3
    assert np.isclose(ends["step"][0], 1 - cka(views["plain"]["0"], views["plain"]["1"]))
    shown = study.table_agreement(agreements["plain"])
    assert shown.data["measures"][0] == "CKA, RSA" and "nowrap" in shown.to_html()


def test_a_pooler_that_knows_nothing_is_alone(compared):
    found = study.table_pooler(compared)
    assert found["encoder"].unique().tolist() == ["pooled"] and len(found) == len(VIEWS)
    assert found.loc[found["measure"] == "CKA", "alone"].item() == "yes"
    assert study.table_pooler({"plain": compared["plain"]}).empty


def test_agreement_beyond_depth_is_summed_up_with_and_without_rtd(agreements):
    beyond = study.table_beyond(agreements)
    facts = study.facts_of_beyond(beyond)
    rtd = [name for name in beyond.index if "RTD" in name]
    assert len(rtd) == 4 and np.isclose(facts["beyond_rtd"], beyond.loc[rtd, ["plain", "pooled"]].to_numpy().mean())
    assert np.isclose(facts["beyond_rest_drift"], beyond["drift"].drop(rtd).mean())
    lowest = study.facts_of_agreement(agreements)
    four = agreements["plain"][(agreements["plain"][["measure_a", "measure_b"]] != "rtd").all(axis=1)]
    assert lowest["drift_ci_low"] == four["spearman"].min() >= lowest["trained_ci_low"]
    spread = study.facts_of_spread(agreements)
    assert spread["lowest"] <= lowest["trained_ci_low"] and 0 < spread["width"] and 0 < spread["width_layers"]


def test_claims_about_a_network_that_is_not_here_are_not_testable(compared, agreements):
    found = study.own_findings(compared, agreements, 60)
    assert set(found) == set(CLAIMS)
    verdicts = judge(CLAIMS, found, on="made-up layers")["verdict"]
    assert verdicts["blocks"] == "not testable here" and verdicts["pooler"] == "reproduced"
    name = "sup-simcse-bert-base-uncased"
    bare = study.own_findings({name: compared["plain"]}, {name: agreements["plain"]}, 60)
    assert judge(CLAIMS, bare, on="made-up layers")["verdict"][["blocks", "pooler"]].eq("not testable here").all()


def test_every_run_says_by_itself_what_all_say_together(layers, agreements):
    leads = study.leads_of(layers, agreements, 60)
    assert leads["run"].tolist() == ["plain", "pooled", "drift"]
    assert leads.loc[0, "first"].estimate == leads.loc[2, "first"].estimate  # the same layers
    shown = study.table_by_run(leads)
    assert list(shown) == ["run", "agreement", "first", "last", "central block"]
    assert shown.loc[0, "agreement"].startswith(f"{leads.loc[0, 'agree'].estimate:.2f} [")
    tiny = leads.loc[0, "first"]._replace(estimate=-0.001, low=-0.002, high=0.003)
    shown = study.table_by_run(leads.assign(first=[tiny, None, None]))
    assert shown["first"].tolist() == ["0.00 [0.00, 0.00]", "—", "—"]


def test_recorded_runs_are_encoders_times_corpora_and_the_weakest_decides():
    leads, found = study.recorded_leads(), study.recorded_findings()
    facts = study.facts_of_leads(leads)
    about = study.table_recorded()
    assert facts["encoders"] * facts["corpora"] == len(leads) == len(about)
    assert found["first"].estimate == min(one.estimate for one in leads["first"])
    for end in ("first", "last"):
        assert facts[f"{end}_apart"] + facts[f"{end}_not"] <= facts["encoders"]
    maps = study.recorded_maps()
    assert list(maps) == about["encoder"].unique().tolist()
    for name, one in maps.items():
        assert len(one["cka"]) == about.loc[about["encoder"] == name, "layers"].iloc[0]
        assert np.allclose(one["rsa"], one["rsa"].T)


def test_pictures_have_a_panel_for_each_encoder(compared, agreements):
    import matplotlib.pyplot as plt

    maps = {name: study.from_chance(found) for name, found in compared.items()}
    axes = study.figure_heat(maps, ["cka", "rtd"])
    assert axes.shape == (2, 2) and axes[0, 1].get_title() == "pooled" and axes[1, 0].get_ylabel() == "RTD"
    assert [label.get_text() for label in axes[0, 1].get_xticklabels()] == ["0", "4", "P"]
    axes = study.figure_trees(compared)
    assert axes.shape == (2, 2) and axes[1, 0].get_ylabel() == "1 − CKA"
    ax = study.figure_agreement(agreements)
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert len(labels) == 10 and "CKA, RTD" in labels
    plt.close("all")
