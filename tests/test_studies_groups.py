"""The study of groups: every method runs, tables are means of their rows, claims come from alphabets."""

import matplotlib
import numpy as np
import pandas as pd
import pytest

from helpers.groups.alphabets import draw_alphabets
from helpers.inference import judge
from helpers.studies import groups

matplotlib.use("Agg")


@pytest.fixture(scope="module")
def drawn():
    return draw_alphabets(4, characters=6, drawers=7, rng=0)


def test_every_method_is_judged_with_its_readouts(drawn):
    encoders, alphabets = groups.one_split(drawn, "alphabets", list(groups.METHODS), rng=0, steps=2, channels=2)
    learned = {"deep_sets", "attention", "set_transformer"}
    for method, rows in encoders.groupby("method"):
        assert set(rows["readout"]) in ({"centroid", "medoid"}, *({name} for name in learned)), method
    assert set(encoders["method"]) == set(groups.METHODS)
    assert encoders[["retrieval", "item_accuracy", "few_5"]].stack().between(0, 1).all()
    assert encoders["few_20"].isna().all()  # there are 12 characters
    means = alphabets.groupby(["method", "readout"])["ratio"].mean()
    np.testing.assert_allclose(
        encoders.set_index(["method", "readout"])["ratio"],
        means[list(means.index)].reindex(pd.MultiIndex.from_frame(encoders[["method", "readout"]])),
    )


def test_groupings_are_compared_on_the_same_held_out_drawers(drawn):
    found = groups.compare_groupings(drawn, ["untrained"], rng=0)
    assert found.index.tolist() == [(by, "untrained") for by in ("rotation", "drawers", "characters")]
    assert found.notna().all(axis=None)


@pytest.mark.parametrize("by", ["drawers", "characters"])
def test_groups_may_be_by_drawers_or_by_characters(by):
    drawn = draw_alphabets(4, characters=10, drawers=4, rng=0)
    encoders, _ = groups.one_split(drawn, "alphabets", ["group-item", "momentum grouping"], by=by, rng=0, steps=2)
    assert len(encoders) == 4


def test_an_unknown_protocol_or_method_names_the_known_ones(drawn):
    with pytest.raises(ValueError, match="protocol is 'years'; it is one of 'drawers', 'alphabets'"):
        groups.one_split(drawn, "years", ["untrained"])
    with pytest.raises(ValueError, match="method is 'k-means'; it is one of 'untrained'"):
        groups.one_split(drawn, "drawers", ["k-means"])


def rows(shift):
    """Rows by alphabet in which group-item tells items better by ``shift`` and its ratio is 5 % larger."""
    rng = np.random.default_rng(0)
    out = []
    for protocol in groups.PROTOCOLS:
        for seed in range(3):
            for alphabet in "abcdefgh":
                base = {"protocol": protocol, "seed": seed, "alphabet": alphabet, "readout": "centroid"}
                noise = rng.normal() / 1000
                for method in groups.METHODS:
                    better = method == "group-item"
                    value = {"item_accuracy": 0.5 + shift * better + noise, "ratio": 0.2 * (1.05 if better else 1)}
                    kept = method != "… never regrouped"
                    out.append(base | {"method": method, "rank": 2.0 + 8 * kept + noise} | value)
    return pd.DataFrame(out)


def test_claims_are_judged_over_alphabets_and_follow_the_rows():
    found = groups.findings(rows(0.1), n_resamples=999)
    assert set(found) == set(groups.CLAIMS)
    assert found["items"].n == 8 and found["items"].units == "alphabets"
    assert found["items"].estimate == pytest.approx(10)
    assert found["groups"].estimate == pytest.approx(5)
    assert found["collapse"].estimate == pytest.approx(8)
    assert set(judge(groups.CLAIMS, found)["verdict"]) == {"reproduced"}
    against = judge(groups.CLAIMS, groups.findings(rows(-0.1), n_resamples=999))["verdict"]
    assert against["items"] == against["items_new"] == "not reproduced"


def test_a_protocol_that_was_not_run_has_no_findings():
    kept = rows(0.1)
    found = groups.findings(kept[kept["protocol"] == "drawers"], n_resamples=999)
    assert set(found) == {"items", "groups", "collapse"}
    with pytest.raises(ValueError, match="no row of 'group-item' with protocol 'alphabets'"):
        groups.gains(kept[kept["protocol"] == "drawers"], "alphabets", ("group-item", "group-group"), "ratio")


def test_switches_are_compared_with_the_whole_of_momentum_grouping():
    found = groups.compare_switches(rows(0.1), column="rank", n_resamples=999)
    assert found.index.str.startswith("…").all()
    assert found.loc["… never regrouped", "difference"] == pytest.approx(-8)
    assert found.loc["… no teacher", "difference"] == 0


def test_tables_are_means_over_divisions_and_figures_are_drawn(drawn):
    split = [
        groups.one_split(drawn, "alphabets", ["untrained", "group-item"], rng=seed, steps=2, channels=2)[0]
        for seed in (0, 1)
    ]
    encoders = pd.concat([part.assign(seed=i, protocol="alphabets") for i, part in enumerate(split)])
    found = groups.summary(encoders, "alphabets")
    assert found.index.tolist() == ["untrained", "group-item"] and (found["n"] == 2).all()
    one = encoders[(encoders["method"] == "group-item") & (encoders["readout"] == "centroid")]
    assert found.loc["group-item", "ratio"] == pytest.approx(one["ratio"].mean())
    few = groups.few_shot_table(encoders)
    assert few.loc["prototypical networks, published"].tolist() == [0.988, 0.960]
    assert few.loc["group-item", "5 ways"] == pytest.approx(one["few_5"].mean())
    assert len(groups.show_methods(found).axes) == 2
    assert len(groups.show_alphabets(drawn).axes) == 4
