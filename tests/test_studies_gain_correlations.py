"""What pairs gain and how similar they are: correlations, their test and intervals under simulation, power."""

import numpy as np
import pandas as pd
import pytest
import tolerance
from scipy import stats

from helpers.inference import holm, judge
from helpers.studies import gain_correlations
from helpers.studies.gain_correlations import detection_power
from helpers.studies.gain_correlations import gain_correlations as correlate_gains


def made_up(rng, experiments=17, models=6, relation=0.0, collinear=False):
    """A table of pairs in which every model brings something to all of its pairs: to the gain, and to the measure."""
    here, there = np.triu_indices(models, 1)
    accuracy, brings, likeness = rng.normal(size=(3, experiments, models))
    if collinear:  # good models are alike
        likeness = likeness + 2 * accuracy
    like = likeness[:, here] + likeness[:, there] + rng.normal(size=(experiments, len(here)))
    gain = brings[:, here] + brings[:, there] + rng.normal(size=like.shape)
    gain = gain - 0.8 * np.maximum(accuracy[:, here], accuracy[:, there]) + relation * like
    return pd.DataFrame(
        {
            "experiment": np.repeat(np.arange(experiments), len(here)),
            "model_a": np.tile(here, experiments),
            "model_b": np.tile(there, experiments),
            "accuracy_a": accuracy[:, here].ravel(),
            "accuracy_b": accuracy[:, there].ravel(),
            "gain_sum": gain.ravel(),
            "error_sum": 0.1,
            "cka": like.ravel(),
        }
    )


def test_the_correlation_is_that_of_the_residual_of_the_regression():
    pairs = made_up(np.random.default_rng(0))
    found = correlate_gains(pairs, ["cka"], combinations=["sum"], n_resamples=50, n_permutations=50).iloc[0]
    accuracies = pairs[["accuracy_a", "accuracy_b"]]
    design = np.column_stack([np.ones(len(pairs)), accuracies.min(axis=1), accuracies.max(axis=1)])
    left = pairs["gain_sum"] - design @ np.linalg.lstsq(design, pairs["gain_sum"], rcond=None)[0]
    assert np.isclose(found["pearson"], stats.pearsonr(left, pairs["cka"])[0])
    assert np.isclose(found["spearman"], stats.spearmanr(left, pairs["cka"])[0])
    assert found["toward"] == -found["pearson"] and found["n_pairs"] == 255 and found["n_experiments"] == 17


def test_within_experiments_what_is_common_to_all_pairs_of_one_counts_for_nothing():
    pairs = made_up(np.random.default_rng(3), experiments=5)
    moved = pairs.assign(gain_sum=pairs["gain_sum"] + pairs["experiment"], cka=pairs["cka"] - 3 * pairs["experiment"])
    settings = {"combinations": ["sum"], "n_resamples": 50, "n_permutations": 50}
    one, two = (correlate_gains(table, ["cka"], within=True, **settings) for table in (pairs, moved))
    assert np.isclose(one["pearson"], two["pearson"]).all() and np.isclose(one["p"], two["p"]).all()
    pooled = correlate_gains(moved, ["cka"], **settings)
    assert abs(pooled["pearson"].item() - one["pearson"].item()) > 0.2


def test_counting_an_experiment_twice_is_having_it_twice():
    pairs = made_up(np.random.default_rng(1), experiments=4).round(1)  # with ties
    weights = np.array([[2.0, 0.0, 1.0, 1.0]])
    data = gain_correlations._arranged(pairs, ["cka"], ["sum"], False)
    weighted = [float(kind[0, 0, 0]) for kind in gain_correlations._weighted(data, weights)]
    twice = pd.concat([pairs[pairs["experiment"] != 1], pairs[pairs["experiment"] == 0].assign(experiment=9)])
    data = gain_correlations._arranged(twice, ["cka"], ["sum"], False)
    plain = [float(kind[0, 0, 0]) for kind in gain_correlations._weighted(data, np.ones((1, 4)))]
    # Of what is left of rounded numbers, some are tied but for rounding, which places them anew in both.
    assert np.allclose(weighted, plain, rtol=0, atol=1e-3) and np.isclose(weighted[0], plain[0])


def test_relabelling_moves_whole_models():
    """With three models each relabelling of a table of distinct values is a permutation of its three pairs."""
    data = gain_correlations._arranged(made_up(np.random.default_rng(2), 3, 3), ["cka"], ["sum"], False)
    moved = gain_correlations._relabelled(data, 200, np.random.default_rng(0))
    assert {tuple(sorted(row)) for row in moved[:, :3].tolist()} == {(0, 1, 2)}
    assert len({tuple(row) for row in moved[:, :3].tolist()}) == 6
    assert (moved[:, :3] + 3 != moved[:, 3:6]).any(axis=1).mean() > 0.7  # each experiment on its own
    data = gain_correlations._arranged(made_up(np.random.default_rng(2), 1, 4), ["cka"], ["sum"], False)
    moved = gain_correlations._relabelled(data, 300, np.random.default_rng(0))
    assert len({tuple(row) for row in moved.tolist()}) == 24  # of 720 permutations of six pairs
    for row in moved:  # pairs that share no model still share none
        opposite = dict(zip(range(6), [5, 4, 3, 2, 1, 0], strict=True))
        assert all(opposite[row[i]] == row[opposite[i]] for i in range(6))


def p_value(pairs, permutations=99, seed=0):
    data = gain_correlations._arranged(pairs, ["cka"], ["sum"], False)
    basis = gain_correlations._basis(data.accuracies)
    left = gain_correlations._without(data.gains[:, 0], basis)
    moved = gain_correlations._relabelled(data, permutations, np.random.default_rng(seed))
    return gain_correlations._relabelling_p(left, data.measures[:, 0], basis, moved)


def test_the_distribution_under_relabelling_by_hand():
    """What the regression leaves of the measure is relabelled, regressed again, and correlated; both tails count."""
    pairs = made_up(np.random.default_rng(11), 3, 4, collinear=True)
    data = gain_correlations._arranged(pairs, ["cka"], ["sum"], False)
    basis = gain_correlations._basis(data.accuracies)
    moved = gain_correlations._relabelled(data, 60, np.random.default_rng(0))
    accuracies = pairs[["accuracy_a", "accuracy_b"]]
    design = np.column_stack([np.ones(len(pairs)), accuracies.min(axis=1), accuracies.max(axis=1)])

    def residual(values):
        return values - design @ np.linalg.lstsq(design, values, rcond=None)[0]

    gain, own = residual(pairs["gain_sum"].to_numpy()), residual(pairs["cka"].to_numpy())
    assert not np.allclose(own, pairs["cka"] - pairs["cka"].mean(), rtol=0, atol=0.1)  # the accuracies tell much of it
    expected = np.array([stats.pearsonr(gain, residual(own[rows]))[0] for rows in moved])
    left, values = gain_correlations._without(data.gains[:, 0], basis), data.measures[:, 0]
    seen, drawn = gain_correlations._null(left, values, basis, moved)
    assert np.isclose(seen, stats.pearsonr(gain, own)[0]) and np.allclose(drawn, expected)
    p = (1 + np.sum(np.abs(expected) >= abs(seen))) / 61
    assert np.isclose(gain_correlations._relabelling_p(left, values, basis, moved), p)
    assert np.isclose(gain_correlations._relabelling_p(left, -values, basis, moved), p)


def test_no_p_value_is_below_what_so_many_relabellings_can_tell():
    for relation in (2.0, -2.0):
        assert p_value(made_up(np.random.default_rng(4), relation=relation), permutations=199) == 1 / 200


def test_more_relabellings_are_drawn_where_they_decide():
    n, alpha = 199, 0.05
    p = np.array([1, 1, 10, 100]) / 200  # limits 0.0125, 0.0167, 0.025, 0.05
    assert gain_correlations._unsettled(p, n, alpha).tolist() == [False, False, True, False]
    few = np.array([1, 12]) / 20  # 19 relabellings cannot give less than 0.05, and the first limit is 0.025
    assert gain_correlations._unsettled(few, 19, alpha).tolist() == [True, False]
    pairs = made_up(np.random.default_rng(4), relation=2.0)
    pairs["rsa"] = np.random.default_rng(5).normal(size=len(pairs))
    asked = {"combinations": ["sum"], "n_permutations": 19, "n_resamples": 10}
    found = correlate_gains(pairs, ["cka", "rsa"], **asked).set_index("measure")
    assert found.loc["cka", "p"] == found.loc["cka", "p_floor"] == 1 / 191
    same = correlate_gains(pairs, ["cka", "rsa"], n_deciding=19, **asked).set_index("measure")
    assert same.loc["cka", "p"] == same.loc["cka", "p_floor"] == 1 / 20


def test_limits_are_quantiles_of_student_on_the_scale_of_the_normal():
    draws = stats.norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    step = 0.5 / 20_000  # how far the probabilities of the draws are from those of their ranks
    assert np.allclose(
        gain_correlations._limits(draws, 10**6, 0.95), [-1.95996, 1.95996], atol=step / stats.norm.pdf(1.96)
    )
    half = stats.t.ppf(0.975, 16) * np.sqrt(17 / 16)  # 2.185
    assert np.allclose(gain_correlations._limits(draws, 17, 0.95), [-half, half], atol=step / stats.norm.pdf(half))


@pytest.mark.parametrize("collinear", [False, True])
def test_without_a_relation_the_permutation_test_holds_its_level(collinear):
    """Though models bring something to all of their pairs, which makes a test of single pairs reject far too often."""
    rng = np.random.default_rng(3)
    studies = [made_up(rng, experiments=8, collinear=collinear) for _ in range(400)]
    p = np.array([p_value(pairs, seed=i) for i, pairs in enumerate(studies)])
    for level in (0.05, 0.2):
        error = np.sqrt(level * (1 - level) / len(p))
        assert (p <= level).mean() < level + 3 * error
    assert (p <= 0.2).mean() > 0.1  # and is not idle
    if not collinear:
        naive = [stats.pearsonr(pairs["gain_sum"], pairs["cka"])[1] for pairs in studies]
        assert np.mean(np.array(naive) <= 0.05) > 0.1


def test_the_permutation_test_finds_a_planted_relation():
    rng = np.random.default_rng(4)
    p = [p_value(made_up(rng, relation=0.3), seed=i) for i in range(60)]
    assert np.mean(np.array(p) <= 0.05) > 0.8


@pytest.mark.parametrize(("experiments", "relation"), [(17, 0.0), (17, 0.4), (6, 0.0)])
def test_intervals_over_resampled_experiments_cover_at_their_level(experiments, relation):
    rng = np.random.default_rng(5)
    truth = 0.0
    if relation:
        many = made_up(rng, experiments=2000, relation=relation)
        data = gain_correlations._arranged(many, ["cka"], ["sum"], False)
        truth = float(gain_correlations._weighted(data, np.ones((1, 2000)))[0][0, 0, 0])
    hits = []
    for _ in range(250):
        data = gain_correlations._arranged(made_up(rng, experiments, relation=relation), ["cka"], ["sum"], False)
        low, high = gain_correlations._limits(
            gain_correlations._draws(data, 299, rng, by_ranks=False)[0][:, 0, 0], experiments, 0.95
        )
        hits.append(low <= truth <= high)
    assert 0.90 < np.mean(hits) < 0.995  # three standard errors of 250


def test_many_measures_are_corrected_together_and_few_experiments_have_no_limits():
    rng = np.random.default_rng(6)
    pairs = made_up(rng, experiments=2)
    pairs["rsa"], pairs["procrustes"] = rng.normal(size=(2, len(pairs)))
    found = correlate_gains(pairs, ["cka", "rsa", "procrustes"], combinations=["sum"], n_permutations=99)
    assert np.allclose(found["p_holm"], holm(found["p"]))
    assert found["pearson_ci_low"].isna().all() and found["orientation"].tolist()[2] == "distance"
    assert found["toward"].iloc[2] == found["pearson"].iloc[2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(index=3), "experiment 0 has 14 rows for 6 models; each pair once"),
        (lambda t: t.assign(cka=t["cka"].where(t.index != 4)), "row 4 of the pairs, column 'cka': nan is not finite"),
        (lambda t: t.assign(gain_sum=t["accuracy_a"] + t["accuracy_b"]), "nothing is left of it"),
        (lambda t: t.head(1).assign(first=0, second=1), "there are 1 pairs; at least 5"),
    ],
)
def test_tables_that_do_not_serve_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        correlate_gains(change(made_up(np.random.default_rng(0))), ["cka"], combinations=["sum"], n_permutations=9)
    with pytest.raises(KeyError, match="no column 'rsa'"):
        correlate_gains(made_up(np.random.default_rng(0)), ["rsa"], combinations=["sum"])


# Verdicts, stability, power


def test_published_correlations_are_judged_by_side_and_size():
    names = ["CKA", "RSA", "JaccardSimilarity", "RSMNormDifference"]
    found = pd.DataFrame(
        {
            "combination": "sum",
            "measure": [gain_correlations.PUBLISHED_NAMES[name] for name in names],
            "pearson": [-0.3, 0.0, -0.1, -0.2],
            "pearson_ci_low": [-0.4, -0.1, -0.4, -0.3],
            "pearson_ci_high": [-0.2, 0.1, 0.2, -0.1],
            "p": [0.001, 0.9, 0.5, 0.001],
            "n_experiments": 17,
        }
    )
    published = pd.DataFrame({"measure": names, "correlation": [-0.34, -0.3, -0.3, 0.33]})
    asked = gain_correlations.claims(published)

    def judged(found, published=published):
        return judge(
            gain_correlations.claims(published), gain_correlations.findings(found, published, combination="sum")
        )

    table = judged(found).drop("stable")
    assert table["verdict"].tolist() == ["reproduced", "not reproduced", "not testable here", "not reproduced"]
    assert np.allclose(table["p"], holm(found["p"]))  # corrected for the published ones
    assert [asked[name].side for name in table.index] == ["less", "less", "less", "greater"]
    smaller = published.assign(correlation=[-0.1, -0.3, -0.3, 0.33])
    assert judged(found, smaller).loc["cka", ["verdict", "note"]].tolist() == ["reproduced", "larger than published"]
    assert judged(found.assign(p=0.9), smaller).loc["cka", "verdict"] == "not testable here"
    wide = found.assign(pearson_ci_low=-0.6, pearson_ci_high=0.01)
    assert set(judged(wide)["verdict"].iloc[:3]) == {"not testable here"}
    with pytest.raises(ValueError, match="cka, rsa, jaccard, rsm_norm_difference of the published"):
        gain_correlations.findings(found, published)


def test_the_least_correlation_is_below_zero_where_signs_differ():
    by_hand = np.array([[-0.5, 0.3, 0.2], [-0.4, -0.1, 0.2], [-0.6, 0.4, 0.2]])  # combinations × measures
    assert np.allclose(gain_correlations._least(by_hand), [0.4, -0.1, 0.2])
    assert np.allclose(gain_correlations._least(np.stack([by_hand, -by_hand])), [[0.4, -0.1, 0.2]] * 2)


def test_a_measure_that_is_related_to_every_combination_is_the_most_stable():
    rng = np.random.default_rng(7)
    pairs = made_up(rng)
    pairs["rsa"] = rng.normal(size=len(pairs))
    pairs["gain_sum"] -= 2 * pairs["cka"]
    pairs["gain_product"] = pairs["gain_sum"] - 2 * pairs["rsa"]
    found = gain_correlations.stability(pairs, ["rsa", "cka"], combinations=["sum", "product"], n_resamples=200)
    assert found.index.tolist() == ["cka", "rsa"] and found.loc["cka", "most_stable"] > 0.95
    assert (
        found.loc["rsa", "least"] < found.loc["cka", "ci_low"] and found.loc["cka", "range"] < found.loc["rsa", "range"]
    )
    options = {"combinations": ["sum", "product"], "n_resamples": 200}
    ahead, behind = (
        gain_correlations.stability_finding(pairs, ["rsa", "cka"], name, **options) for name in ("cka", "rsa")
    )
    assert np.isclose(ahead.estimate, found["least"]["cka"] - found["least"]["rsa"])
    assert np.allclose([-behind.estimate, -behind.high, -behind.low], ahead[:3])
    claim = gain_correlations.claims(pd.DataFrame({"measure": [], "correlation": []}))
    assert judge(claim, {"stable": ahead}).loc["stable", "verdict"] == "reproduced"
    assert judge(claim, {"stable": behind}).loc["stable", "verdict"] == "not reproduced"
    few = gain_correlations.stability_finding(pairs[pairs["experiment"] < 2], ["rsa", "cka"], "cka", **options)
    assert np.isnan(few.low) and few.n == 2


def test_power_grows_with_experiments_and_is_the_level_without_a_relation():
    pairs = made_up(np.random.default_rng(8))
    found = detection_power(pairs, "cka", [0.0, 0.35], [3, 17], combination="sum", studies=150, n_permutations=99)
    assert found.loc[17, 0.0] < 0.05 + tolerance.of_a_share(0.05, 150)
    assert found.loc[3, 0.35] < found.loc[17, 0.35] and found.loc[17, 0.35] > 0.8
    related = made_up(np.random.default_rng(8), relation=1.0)  # which is broken before one of known size is planted
    nothing = detection_power(related, "cka", [0.0], [17], combination="sum", studies=150, n_permutations=99)
    assert nothing.loc[17, 0.0] < 0.05 + tolerance.of_a_share(0.05, 150)
    fewer = detection_power(pairs, "cka", [0.35], [8], combination="sum", models=3, studies=150, n_permutations=99)
    more = detection_power(pairs, "cka", [0.35], [8], combination="sum", studies=150, n_permutations=99)
    assert fewer.loc[8, 0.35] < more.loc[8, 0.35]
    with pytest.raises(ValueError, match="models is 9; the smallest experiment of the table has 6"):
        detection_power(pairs, "cka", [0.3], [3], combination="sum", models=9)


def test_noise_is_a_share_of_what_the_regression_leaves():
    rng = np.random.default_rng(9)
    pairs = made_up(rng, experiments=200)
    found = gain_correlations.noise_share(pairs, combinations=["sum"]).loc["sum"]
    left = np.sqrt(3)  # of two models and the pair, each of variance 1
    here, there = np.triu_indices(6, 1)
    brings = (np.arange(6) == here[:, None]) * 1.0 + (np.arange(6) == there[:, None])
    covariance = brings @ brings.T + np.eye(15)  # of the gains of one experiment
    off = tolerance.of_a_mean(np.sqrt(2 * np.sum(covariance**2)) / 15, 200)  # of their mean square, which is 3
    assert abs(found["spread"] ** 2 - left**2) < off and abs(0.01 / found["share"] - 3) < off
    assert 0.99 < found["ceiling"] < 1
