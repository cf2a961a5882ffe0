"""What the page about difference and gain shows: by hand on small tables of pairs."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from helpers.studies import difference_page as study
from helpers.studies.gain_correlations import PUBLISHED_NAMES, gain_correlations
from helpers.studies.pair_gains import COMBINATIONS

NAMES = ("cka", "angular_shape", "distance_correlation")


@pytest.fixture(scope="module")
def correlations():
    """Correlations of three measures with each gain; those with the product are zero and say nothing."""
    rows = []
    for how in COMBINATIONS:
        for i, name in enumerate(NAMES):
            value = 0.0 if how == "product" else (0.3 if name == "angular_shape" else -0.4 - 0.1 * i)
            row = {"combination": how, "measure": name, "pearson": value, "spearman": value / 2}
            row |= {f"{kind}_ci_low": value - 0.1 for kind in ("pearson", "spearman")}
            row |= {f"{kind}_ci_high": value + 0.1 for kind in ("pearson", "spearman")}
            rows.append(
                row
                | {
                    "toward": abs(value),
                    "p": 0.001,
                    "p_floor": 0.001 if how == "sum" else 0.0005,
                    "p_holm": 0.5 if how == "product" else 0.01,
                }
            )
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def judged():
    """Verdicts on three measures and on stability, and what was published of the measures."""
    columns = {
        "verdict": ["reproduced", "not reproduced", "not testable here", "reproduced"],
        "estimate": [-0.4, 0.3, -0.1, 0.1],
        "ci_low": [-0.5, 0.2, -0.3, 0.0],
        "ci_high": [-0.3, 0.4, 0.1, 0.2],
    }
    one = pd.DataFrame(columns, index=[*NAMES, "stable"])
    asked = {name: SimpleNamespace(published=value) for name, value in zip(NAMES, (-0.45, -0.3, -0.2), strict=True)}
    return one, asked


def test_a_correlation_is_said_without_a_negative_zero_and_without_limits_that_it_has_not():
    row = pd.Series({"pearson": -0.001, "pearson_ci_low": np.nan, "pearson_ci_high": np.nan})
    assert study.correlation_words(row) == "+0.00"
    row = pd.Series({"spearman": -0.5, "spearman_ci_low": -0.6, "spearman_ci_high": -0.004})
    assert study.correlation_words(row, "spearman").split("\N{NO-BREAK SPACE}")[-1] == "+0.00]"


def test_the_recorded_pairs_and_few_others_give_the_noise_of_the_recorded_ones():
    recorded, runs = study.recorded_pairs()
    tables = {"this page": recorded.head(4), "recorded": recorded}
    noise = study.table_noise(tables)
    assert set(noise.index.get_level_values(0)) == {"recorded"}
    facts = study.facts_of_pair_gains(tables, noise, runs)
    assert facts["share_here"] == "an unknown part" and (facts["n_pairs"], facts["n_recorded"]) == (4, len(recorded))
    assert facts["gain_sum"] == pytest.approx(100 * recorded["gain_sum"].mean())
    assert facts["wins_sum"] == pytest.approx(100 * (recorded["gain_sum"] > 0).mean())
    assert set(PUBLISHED_NAMES.values()) <= set(study.finite_measures(recorded))
    assert "cka" not in study.finite_measures(recorded.assign(cka=np.nan))


def test_the_accuracies_explain_all_of_what_is_linear_in_them_and_nothing_of_the_rest():
    rng = np.random.default_rng(0)
    pairs = pd.DataFrame(rng.uniform(0.4, 0.6, size=(30, 2)), columns=["accuracy_a", "accuracy_b"])
    accuracy = pairs[["accuracy_a", "accuracy_b"]]
    linear = 2 - accuracy.min(axis=1) + 3 * accuracy.max(axis=1)
    design = np.column_stack([np.ones(30), accuracy.min(axis=1), accuracy.max(axis=1)])
    rest = rng.normal(size=30)
    rest -= design @ np.linalg.lstsq(design, rest, rcond=None)[0]
    eps = 1e3 * np.finfo(float).eps  # some hundred operations on numbers of size 1
    assert study.explained_by_accuracies(pairs, linear) == pytest.approx(1, abs=eps)
    assert study.explained_by_accuracies(pairs, rest) == pytest.approx(0, abs=eps)


def test_too_few_pairs_have_a_reason_in_place_of_correlations(correlations):
    pairs = study.recorded_pairs()[0].head(3)
    live, why = study.try_correlations(pairs, n_resamples=20, n_permutations=20)
    assert live is None and why
    facts = study.facts_of_correlations(correlations, live, pairs)
    assert (facts["n_live"], facts["live_cka"], facts["undefined"]) == (0, "not measured", "none")


def test_measures_are_counted_that_point_the_way_in_which_difference_pays(correlations):
    pairs = pd.DataFrame()
    pairs.attrs["undefined"] = {(0, "svcca"): "why", (1, "svcca"): "why"}
    facts = study.facts_of_correlations(correlations, correlations, pairs)
    assert (facts["significant_sum"], facts["significant_product"], facts["n_measures"]) == (3, 0, 3)
    assert (facts["toward_sum"], facts["toward_product"]) == (3, 0)
    assert facts["best"] == "distance_correlation" and facts["undefined"] == "svcca"
    assert facts["cka"] == facts["live_cka"] and facts["p_cka_holm"] == "= 0.0100"
    shown = study.table_correlations(correlations.set_index("measure"))
    assert list(shown.columns) == ["pearson [95 %]", "spearman [95 %]", "p", "p (Holm)"]
    assert len(shown) == len(correlations)


def test_published_correlations_are_counted_by_verdict_sign_and_size(judged):
    one, asked = judged
    counts = study.table_verdict_counts({"sum": one}, asked).loc["sum"]
    assert counts.tolist() == [1, 1, 1, 2, 2, 3]
    facts = study.facts_of_published({"sum": one}, asked)
    assert (facts["sum_yes"], facts["sum_no"], facts["sum_open"], facts["n_published"]) == (1, 1, 1, 3)
    assert facts["sign_sum"] == 2 and facts["cka_published"] == -0.45
    assert study.table_by_combination({"sum": one})["sum"].tolist() == one["verdict"].tolist()[:3]


def test_stability_says_the_place_and_who_is_ahead():
    columns = {"least": [0.3, 0.1], "most_stable": [0.9, 0.1]}
    stable = pd.DataFrame(columns, index=["rank_similarity", "cka"])
    facts = study.facts_of_stability(stable, -0.2)
    assert (facts["cka_place"], facts["stable_first"], facts["stable_lead"]) == (2, "rank similarity", "-0.20")
    assert facts["cka_share"] == 10


def test_a_p_value_at_the_floor_is_said_to_be_at_most_that(correlations):
    shown = study.table_correlations(correlations)
    at_floor = (correlations["combination"] == "sum").to_numpy()
    assert (shown.loc[at_floor, "p"] == "≤ 0.0010").all() and (shown.loc[at_floor, "p (Holm)"] == "≤ 0.0100").all()
    assert (shown.loc[~at_floor, "p"] == "0.0010").all()
    floor = correlations.assign(p_floor=correlations["p"])
    assert study.facts_of_correlations(floor, None, pd.DataFrame())["p_cka"] == "≤ 0.0010"


def test_slopes_are_those_of_each_experiment_and_the_picture_has_a_line_for_each():
    import matplotlib.pyplot as plt

    recorded = study.recorded_pairs()[0]
    few = recorded[recorded["experiment"] < 3]
    alone = study.slopes_within(few)
    one = few["experiment"] == 1
    left = study.residual_gains(few)[one]
    assert alone.loc[1, "correlation"] == pytest.approx(np.corrcoef(left, few.loc[one, "cka"])[0, 1])
    assert alone.loc[1, "slope"] == pytest.approx(np.polyfit(few.loc[one, "cka"], left, 1)[0])
    gains, rest = study.figure_pairs(few)
    assert len(gains.collections[0].get_offsets()) == len(few) and len(rest.lines) == 3 + 2
    plt.close("all")


def test_correlations_within_experiments_stand_beside_those_of_all_pairs():
    recorded = study.recorded_pairs()[0]
    few = recorded[recorded["experiment"] < 6]
    names, settings = ["cka", "angular_shape"], {"combinations": ["concatenation"], "n_resamples": 50}
    pooled, within = (
        gain_correlations(few, names, within=inside, n_permutations=99, **settings).set_index("measure")
        for inside in (False, True)
    )
    shown = study.table_within(pooled, within, names)
    assert shown.index.tolist() == ["cka", "angular shape"]
    assert shown.iloc[0, 0] == study.correlation_words(pooled.loc["cka"])
    assert shown.iloc[1, 1] == study.correlation_words(within.loc["angular_shape"])
    facts = study.facts_within(few, within, names)
    assert 0 <= facts["within_sign"] <= 6 and facts["within_lowest"] <= facts["within_highest"]
    assert facts["within_cka"] == shown.iloc[0, 1] and 0 <= facts["within_significant"] <= facts["within_toward"] <= 2


def test_the_truth_of_a_pair_is_what_both_sets_of_features_tell_together():
    index = pd.MultiIndex.from_tuples([(0, 0), (0, 1), (0, 2)], names=["experiment", "model"])
    runs = pd.DataFrame({"features": ["category", "amount", "category + amount"]}, index)
    ideal = pd.Series({"category": 0.5, "amount": 0.4, "category + amount": 0.7})
    pairs = pd.DataFrame({"experiment": 0, "model_a": [0, 0], "model_b": [1, 2], "cka": [0.2, 0.9]})
    truth = study.add_truth(pairs, runs, ideal)
    assert truth["ideal_gain"].tolist() == pytest.approx([0.2, 0.0])
    assert truth["shared_features"].tolist() == [0, 0.5]
    limits = {"pearson": 0.5, "pearson_ci_low": 0.4, "pearson_ci_high": 0.6}
    told = pd.DataFrame({("concatenation", name): limits for name in ("ideal_gain", "shared_features")}).T
    facts = study.facts_of_truth(truth, told)
    assert [facts[f"{name}_versus_cka"] for name in ("ideal", "shared")] == pytest.approx([-1, 1])
    assert facts["ideal_gain"].startswith("+0.50")


def test_experiments_that_are_needed_lie_between_the_sizes_that_were_tried():
    power = pd.DataFrame({0.1: [0.1, 0.2], 0.2: [0.6, 1.0], 0.3: [0.8, 1.0]}, index=[4, 8])
    facts = study.facts_of_detection(power, 4, 8)
    assert (facts["needed_1"], facts["needed_2"], facts["needed_3"]) == ("more than 8", "about 6", "at most 4")
    assert (facts["power_here"], facts["power_there"]) == (80, 100)


def test_figures_show_every_pair_measure_and_curve(correlations, judged):
    import matplotlib.pyplot as plt

    recorded = study.recorded_pairs()[0]
    axes = study.figure_pair_gains({"this page": recorded.head(7), "recorded": recorded})
    assert [len(points.get_offsets()) for points in axes[0].collections] == [7, 7, 7]
    one, asked = judged
    for live, lines in ((None, 9), (correlations, 15)):
        ax = study.figure_forest(one, asked, live)
        assert len(ax.lines) == lines + 2 and len(ax.get_yticks()) == 3
    nulls = {"models": np.linspace(-1, 1, 50), "pairs": np.linspace(-0.5, 0.5, 50)}
    assert [text.get_text() for text in study.figure_null(-0.7, nulls).get_legend().texts] == [
        "models shuffled",
        "pairs shuffled",
    ]
    facts = study.facts_of_null(-0.7, nulls, -0.5, 0.4)
    assert facts["foretold"] == 40 and facts["null_models"] == pytest.approx(2 * facts["null_pairs"])
    power = pd.DataFrame({0.1: [0.1, 0.2], 0.3: [0.8, 1.0]}, index=[4, 8])
    assert len(study.figure_detection(power).lines) == 3
    plt.close("all")
