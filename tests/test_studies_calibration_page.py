"""The page about label-free numbers: families, choices, few models; each on models whose truth is made."""

import matplotlib
import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from helpers.book.data import table
from helpers.studies import calibration_page as page

matplotlib.use("Agg")
NAMES = ["rankme", "hubness", "uniformity", "alpha_req", "lidar"]


@pytest.fixture(scope="module")
def made():
    """Layers whose RankMe follows the score and whose hubness opposes it; of classical embeddings it is the reverse."""
    rng, rows = np.random.default_rng(0), []
    encoders = {"pocket layers": ["a", "b", "c"], "real layers": ["d", "e"], "classical": ["f", "g", "h", "i"]}
    for family, names in encoders.items():
        sign = -1 if family == "classical" else 1
        for data in ("one", "two", "three", "four"):
            for encoder in names:
                for layer in range(6):
                    score = rng.normal()
                    row = {"rankme": sign * score + 0.1 * rng.normal(), "hubness": -sign * score + 0.1 * rng.normal()}
                    row |= {name: rng.normal() for name in NAMES[2:]}
                    about = {"family": family, "data": data, "encoder": encoder, "model": f"{encoder}, {layer}"}
                    layers = {"layer": np.nan if family == "classical" else layer, "width": 2**layer, "n": 100}
                    rows.append(about | layers | {"score": score} | row)
    recorded = pd.DataFrame(rows)
    clients = pd.DataFrame({"experiment": np.repeat(np.arange(4), 5), "model": np.tile(np.arange(5), 4)})
    clients = clients.assign(n_train=80, test=rng.normal(size=20), **{name: rng.normal(size=20) for name in NAMES[:4]})
    return page.all_models(recorded, clients)


@pytest.fixture(scope="module")
def found(made):
    return page.calibrate_families(made, NAMES, n_resamples=200)


def test_a_quality_may_rank_one_family_and_mislead_in_another(found):
    rows = found.set_index(["family", "quality"])
    assert (
        rows.loc[("real layers", "rankme"), "spearman"] > 0.8 and rows.loc[("classical", "rankme"), "spearman"] < -0.8
    )
    assert (
        rows.loc[("pocket layers", "rankme"), "p_holm"] < 0.05 and rows.loc[("classical", "hubness"), "p_holm"] < 0.05
    )
    assert rows.loc[("clients", "lidar"), "cells"] == 0  # it was not recorded for them
    assert rows.loc[("pocket layers", "rankme"), "cells"] == 12 and rows.loc[("classical", "rankme"), "cells"] == 4
    assert ("classical", "depth") not in rows.index and rows.loc[("pocket layers", "depth"), "cells"] == 12


def test_families_are_counted_with_what_their_models_share(made):
    shown = page.table_families(made)
    assert shown["models"].to_dict() == {
        "pocket layers": 18, "real layers": 12, "classical": 24, "clients": 20, page.TOGETHER: 54
    }  # fmt: skip
    assert shown.loc["pocket layers", "encoders"] == 3 and shown.loc["clients", "models share"] == "nothing"


def test_the_quality_chosen_elsewhere_is_judged_where_it_was_not_seen(made):
    chosen = page.chosen_elsewhere(made, NAMES)
    by_family = {family: set(part["chosen"]) for family, part in chosen.groupby("family")}
    assert by_family["real layers"] == {"rankme"} and by_family["classical"] == {"hubness"}
    cell = made[(made["family"] == "classical") & (made["data"] == "two")]
    row = chosen[(chosen["family"] == "classical") & (chosen["data"] == "two")].iloc[0]
    assert row["spearman"] == pytest.approx(spearmanr(cell["hubness"], cell["score"]).statistic)
    assert (chosen["best"] >= chosen["spearman"] - 1e-12).all() and len(page.table_choices(chosen, n_resamples=50))
    assert "lidar" not in by_family["clients"]


def test_what_depth_says_is_gone_when_depth_is_held_fixed(made):
    rng = np.random.default_rng(1)
    layers = made[made["family"].isin(["pocket layers", "real layers"])].copy()
    layers["score"] = layers["depth"] + 2 * rng.normal(size=len(layers))
    layers["rankme"] = layers["depth"] + 2 * rng.normal(size=len(layers))
    layers["hubness"] = layers["score"] + 0.1 * rng.normal(size=len(layers))
    beyond = page.told_beyond(layers, ["rankme", "hubness"])
    assert beyond.loc["rankme", "ci_low"] < 0 < beyond.loc["rankme", "ci_high"]
    assert beyond.loc["hubness", "ci_low"] > 0.2 and beyond.loc["hubness", "p_holm"] < 0.05


def test_studies_of_few_models_scatter_and_the_best_of_many_numbers_is_high_by_chance(made):
    few = page.best_of_few(made, NAMES[:3], n_draws=300)
    chance = page.best_of_few(made, NAMES[:3], n_draws=300, shuffled=True)
    assert (few["best"] == few.drop(columns="best").max(axis=1)).all() and len(few) == 300
    # Without relation, correlations of eight have variance 1/7; the mean of 300 lies within four standard errors.
    assert abs(chance["rankme"].mean()) < 4 / np.sqrt(7 * 300)
    assert chance["rankme"].var() == pytest.approx(1 / 7, rel=0.35)
    assert chance["best"].mean() > 0.2
    with pytest.raises(ValueError, match="size is 500; no data set has so many"):
        page.best_of_few(made, NAMES, size=500)


def test_claims_are_judged_on_layers_and_the_absent_one_is_not_testable(found):
    judged = page.calibration_judged(found)
    assert judged.loc["flows", "verdict"] == "not testable here" and "eight embedders" in judged.loc["flows", "note"]
    rows = found[found["family"] == "real layers"].set_index("quality")
    assert judged.loc["hubness", "estimate"] == rows.loc["hubness", "spearman"]
    assert judged.index[~judged["transfer"]].tolist() == ["flows"]
    assert set(judged["verdict"]) <= {"reproduced", "not reproduced", "not testable here"}


def test_figures_and_tables_show_every_family_and_facts_are_plain(made, found):
    chosen = page.chosen_elsewhere(made, NAMES)
    few, chance = (page.best_of_few(made, NAMES[:3], n_draws=50, shuffled=shuffled) for shuffled in (False, True))
    axes = page.figure_calibration(found)
    assert [ax.get_title() for ax in axes] == ["pocket layers", "real layers", "classical", "clients", page.TOGETHER]
    assert len(page.figure_few(few, chance)) == 2
    shown = page.calibration_table(found)
    assert list(shown) == [ax.get_title() for ax in axes] and shown.loc["RankMe", "real layers"].endswith("*")
    facts = page.calibration_facts(made, found, chosen, few, chance)
    assert facts["n_models"] == 18 + 12 + 24 + 20 and "RankMe" in facts["both_signs"]
    assert all(isinstance(value, (int, float, str)) for value in facts.values())


def test_the_recorded_table_has_models_enough_and_live_rows_take_the_place_of_theirs():
    tables = table("results/quality_models.csv"), table("results/clients_unlabelled_models.csv")
    models = page.all_models(*tables)
    shown = page.table_families(models)
    assert shown.drop(index=page.TOGETHER, errors="ignore")["models"].sum() >= 150
    assert {"clients", "groups"} <= set(shown.index) <= set(page.DESIGNS)
    layer = tables[0].iloc[:1].assign(encoder="bert", data="one", model="bert, layer 3", layer=3)
    both = page.all_models(layer.assign(family="pocket layers", score=0.1), tables[1], live=layer.assign(score=0.9))
    assert both.loc[both["family"] == "pocket layers", "score"].tolist() == [0.9]


def test_what_the_page_cannot_do_is_refused_by_name():
    least = {"n_objects": 50, "n_resamples": 2, "n_draws": 2}
    page.check_calibration_choices(["bert", "simcse"], [], **least)
    with pytest.raises(ValueError, match="at least two different names is needed"):
        page.check_calibration_choices(["bert", "bert"], [], **least)
    with pytest.raises(ValueError, match=r"tasks is \['one'\]; a list of at least two"):
        page.check_calibration_choices(["bert", "simcse"], ["one"], **least)
    for name, value in least.items():
        with pytest.raises(ValueError, match=f"{name} is {value - 1}; it must be at least {value}"):
            page.check_calibration_choices(["bert", "simcse"], [], **least | {name: value - 1})
