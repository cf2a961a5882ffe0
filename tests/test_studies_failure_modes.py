"""What the page about failures of measures shows: chance levels, curves, verdicts and pictures of made-up pairs."""

import warnings
from functools import partial

import numpy as np
import pandas as pd
import pytest

from helpers.similarity import cca, cka, cross_barcode, jaccard, rtd
from helpers.studies import failure_modes as study


def norm_of_difference(x, y):
    """A distance: 0 for identical representations."""
    return float(np.linalg.norm(x - y))


@pytest.fixture(scope="module")
def cloud():
    return np.random.default_rng(0).normal(size=(40, 3))


@pytest.fixture(scope="module")
def tables():
    """Tables of made-up values for every pair that is asked about: one measure is right about all, one about none."""
    found = {}
    for pair, _, answer in study.QUESTIONS:
        right = 0.9 if answer == "alike" else 0.1
        adjusted = [right, 1 - right, 0.5]
        found[pair] = pd.DataFrame({"adjusted": adjusted}, index=["right", "wrong", "between"])
    return found


def test_the_adjusted_value_is_one_for_identical_and_of_both_kinds_of_measure(cloud):
    measures = {"cka": cka, "difference": norm_of_difference}
    found = study.beside_chance(cloud, cloud, measures, distances=["difference"], n_shuffles=4, rng=3)
    assert np.allclose(found["adjusted"], 1)
    orders = [np.random.default_rng([3, i]).permutation(40) for i in range(4)]
    shuffled = [cka(cloud, cloud[order]) for order in orders]
    assert found.loc["cka", ["chance", "spread"]].tolist() == [np.mean(shuffled), np.std(shuffled)]
    again = study.beside_chance(cloud, cloud[orders[0]], measures, distances=["difference"], n_shuffles=4, rng=3)
    row = again.loc["difference"]
    assert row["adjusted"] == (row["value"] - row["chance"]) / (0 - row["chance"])


def test_a_distance_that_is_no_measure_is_named(cloud):
    with pytest.raises(ValueError, match=r"distances names \['rtd'\]; the measures are \['cka'\]"):
        study.beside_chance(cloud, cloud, {"cka": cka}, distances=["rtd"])


def test_values_shuffle_each_measure_anew_or_not_at_all(cloud):
    measures = {"first": lambda x, y: y[0, 0], "again": lambda x, y: y[0, 0]}
    assert study.values_of(cloud, cloud, measures).tolist() == [cloud[0, 0]] * 2
    rng = np.random.default_rng(1)
    found = study.values_of(cloud, cloud, measures, shuffle=np.random.default_rng(1))
    assert found.tolist() == [cloud[rng.permutation(40)[0], 0] for _ in "ab"]


def test_curves_give_each_pair_a_generator_of_its_own_and_do_not_warn_of_few_rows():
    def noise(width, generator):
        return generator.normal(size=(2, 12, width))

    with warnings.catch_warnings(action="error"):
        found = study.curves_over(noise, [2, 30], {"cca": cca}, n_repeats=2, rng=5)
    assert found["place"].tolist() == [2, 2, 30, 30] and found["repeat"].tolist() == [0, 1, 0, 1]
    assert found["value"][1] == cca(*np.random.default_rng([5, 0, 1]).normal(size=(2, 12, 2)))
    assert np.allclose(found["value"][2:], 1)  # as wide as there are objects
    assert len(study.figure_width(found.assign(measure="CCA"), 12).lines) == 2


def test_a_factor_of_one_changes_nothing_and_a_large_one_deceives_cka_but_not_cca():
    x = np.random.default_rng(0).normal(size=(80, 16))
    found = study.adjusted_by_factor(x, [1, 1000], {"CKA": cka, "CCA": cca}, n_shuffles=3)
    assert np.allclose(found.loc[1], 1) and np.isclose(found.loc[1000, "CCA"], 1)
    assert found.loc[1000, "CKA"] < 1 / 2  # of sixteen equal directions one is left: about 1 / 4
    assert len(study.figure_factor(found).lines) == 2


def test_jaccard_over_k_ends_where_all_are_neighbours(cloud):
    found = study.jaccard_by_k({"same": (cloud, cloud), "other": (cloud, cloud[::-1])}, [3, 39], rng=2)
    assert found["same"].tolist() == [1, 1] and found.loc[39].eq(1).all()
    order = np.random.default_rng(2).permutation(40)
    assert found.loc[3, "same, shuffled"] == jaccard(cloud, cloud[order], k=3, metric="euclidean")
    assert len(study.figure_neighbours(found, (4, 5)).lines) == 6


def test_bars_are_those_of_both_directions_and_the_longest_comes_last(cloud):
    other = cloud * [1, 0.3, 2]
    found = study.bars_of(cloud, other, batch=20, rng=1)
    both = [cross_barcode(*pair, batch=20, rng=1) for pair in ((cloud, other), (other, cloud))]
    assert sorted(found.tolist()) == sorted(np.vstack(both).tolist())
    lengths = np.diff(found).ravel()
    assert study.longest_bar(cloud, other, batch=20, rng=1) == lengths[-1] == lengths.max() > 0


def test_rtd_over_batches_and_outliers_is_rtd(cloud):
    other = cloud[::-1].copy()
    by_batch = study.rtd_by_batch(cloud, {"other": other}, [10, 20], trials=2, rng=3)
    assert by_batch.loc[20, "other"] == rtd(cloud, other, batch=20, trials=2, rng=3)
    by_outliers = study.rtd_by_outliers(cloud, other, [0, 6])
    assert by_outliers[0] == rtd(cloud, other, batch=40, trials=1)
    assert by_outliers[6] < by_outliers[0] / 4  # the unit is the distance of the outliers, by now
    left, right = study.figure_batch(by_batch.assign(more=1.0), by_outliers, 40)
    assert len(left.lines) == 2 and right.lines[0].get_xdata().tolist() == [0, 15]


def test_loudness_sees_one_direction_and_one_row():
    flat = np.vstack([np.eye(4), -np.eye(4)])
    loud, row = flat * [3, 1, 1, 1], np.vstack([flat, [[0, 0, 0, 100]]])
    found = study.loudness({"flat": flat, "loud": loud, "row": row})
    assert np.allclose(found.loc["flat"], [1 / 4, 1 / 4, 1 / 8])
    assert np.allclose(found.loc["loud"].iloc[:2], [9 / 12, 81 / 84])
    assert found.loc["row", "variance in the top 1 % of rows"] > 0.8
    texts = ["x" * (10 + n) for n in (3, 0, 0, 0, -3, 0, 0, 0)]
    facts = study.facts_of_loudest(found, "loud", loud, texts)
    assert np.allclose([facts["letters_share"], facts["letters_length"]], [75, 1])


def test_a_measure_is_fooled_by_the_thirds(tables):
    adjusted, verdict = study.verdicts_of(tables)
    assert verdict["between"].eq(1).all()
    other = verdict.index == "stretched [unlike]"  # the table of this pair is made for its other question
    assert verdict.loc[~other, "right"].eq(0).all() and verdict.loc[~other, "wrong"].eq(2).all()
    assert verdict.loc[other, ["right", "wrong"]].to_numpy().tolist() == [[2, 0]]
    assert len(verdict) == len(study.QUESTIONS) and list(adjusted) == ["right", "wrong", "between"]
    assert verdict.index[0] == "wide noise [unlike]"
    ax = study.figure_verdicts(adjusted, verdict)
    assert len(ax.texts) == 3 * len(study.QUESTIONS) and not any(text.get_text() == "-0.00" for text in ax.texts)
    assert "wide noise" in study.show_questions().to_html()


def test_facts_are_read_from_the_tables():
    rows = ["RSA Pearson", "RSA Spearman", "Jaccard"]
    table = pd.DataFrame({"value": [1.0, 0.5, 0.2], "chance": [0.0, 0.0, 0.1]}, index=rows)
    groups = study.facts_of_groups({"shared outliers": table, "shared clusters": 2 * table})
    assert (groups["outliers_spearman"], groups["clusters_jaccard"], groups["clusters_chance"]) == (0.5, 0.4, 0.2)
    rings = study.facts_of_rings(pd.DataFrame({"cut": [0.3, 0.2]}, index=["RTD", "longest bar"]))
    assert rings == {"ring_cut_rtd": 0.3, "ring_cut_longest": 0.2}
    leading = pd.DataFrame({"CKA": [0.9, 0.4, 0.3]}, index=[0, 1, 4])
    assert study.facts_of_leading(leading, 2 * leading)["weighted_1"] == 0.8
    damage = pd.DataFrame({"words, characters": [1, 2, 3]}, index=["CKA", "RSA Spearman", "Jaccard"])
    damage = damage.assign(**{"both broken": [4, 5, 6], "words, words broken": [7, 8, 9]})
    assert study.facts_of_broken(damage)["broken_1_spearman"] == 5
    columns = ["words, whitened words", "words, characters", "few, shuffled"]
    few = pd.DataFrame(np.arange(9).reshape(3, 3), index=["CCA", "Jaccard", "dCor"], columns=columns)
    facts = {"whitened_jaccard": 3, "few_cca": 2, "all_cca": 1, "few_dcor": 8}
    assert study.facts_of_whitening(few) == facts


def test_pictures_show_every_panel_and_every_measure(cloud):
    import matplotlib.pyplot as plt

    plane = cloud[:, :2]
    assert len(study.figure_stretch(plane, plane * [1, 9], 4)) == 2
    shared = pd.DataFrame({"place": [0, 0.5], "repeat": 0, "measure": "CKA", "value": [0.1, 0.9]})
    assert len(study.figure_shared(shared, 8).lines) == 2
    path = study.values_along({0: (cloud, cloud), 1: (cloud, cloud**3)}, {"CKA": cka, "CCA": cca})
    assert path.loc[0].round(9).eq(1).all() and path.loc[1, "CKA"] == cka(cloud, cloud**3)
    assert [len(ax.lines) for ax in study.figure_moved({"one": path, "two": path})] == [2, 2]
    assert [len(ax.lines) for ax in study.figure_leading({"plain": path, "weighted": path})] == [2, 2]
    clusters = np.arange(40) % 4
    names = ("shared outliers", "shared clusters")
    values = pd.DataFrame({"value": [0.9, 0.8]}, index=["RSA Pearson", "RSA Spearman"])
    axes = study.figure_clouds(
        dict.fromkeys(names, (cloud, cloud)), dict.fromkeys(names, values), dict.fromkeys(names, clusters)
    )
    assert [ax.get_title() for ax in axes] == ["shared outliers: Pearson 0.90", "shared clusters: Spearman 0.80"]
    assert len(study.figure_rearranged(plane, plane, clusters)[0].texts) == 4
    angle = 2 * np.pi * np.arange(20) / 20
    circle, cut = (np.column_stack([np.cos(a), np.sin(a)]) for a in (angle, 0.9 * angle))
    assert len(study.figure_bars(cut, circle)) == 3
    bars = partial(study.bars_of, batch=20)
    table = pd.DataFrame({"cut": [0.98, 0.3]}, index=["CKA", "RTD"])
    axes = study.figure_rings({"cut": cut}, {"cut": bars(circle, cut)}, table)
    titles = [ax.get_title() for ax in axes.ravel()]
    assert titles == ["cut: CKA 0.980", "RTD 0.30"]
    plt.close("all")
