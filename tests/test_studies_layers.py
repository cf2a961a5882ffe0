"""Layers compared with each other: intervals, chance levels, agreement of measures, blocks."""

import numpy as np
import pandas as pd
import pytest
import tolerance

from helpers.inference import judge
from helpers.similarity import MEASURES, similarity_matrices
from helpers.studies.layers import (
    CLAIMS,
    VIEWS,
    LayerStudy,
    as_similarities,
    basic_interval,
    block_fit,
    block_name,
    block_test,
    blocks_finding,
    claimed_partitions,
    compare_layers,
    contiguous_partitions,
    cut_tree,
    drifting_layers,
    findings,
    measure_agreement,
    pooler_finding,
    rank_ends,
    rank_partitions,
    similarity_rows,
)

SMALL = {"k": 5, "rtd_batch": 25, "rtd_trials": 3, "halves": 6}


@pytest.fixture(scope="module")
def chain():
    return drifting_layers(np.random.default_rng(0).normal(size=(120, 12)) * 0.8 ** np.arange(12), 5, 0.8)


@pytest.fixture(scope="module")
def found(chain):
    return compare_layers(chain, **SMALL)


def two_blocks(size=6, at=2, noise=0.0):
    """Similarity 0.9 within the first ``at`` layers and within the others, 0.2 between."""
    same = np.equal.outer(np.arange(size) < at, np.arange(size) < at)
    wobble = np.random.default_rng(1).normal(size=(size, size)) * noise
    return np.where(same, 0.9, 0.2) + (wobble + wobble.T) * (1 - np.eye(size))


def test_the_matrices_are_those_of_the_measures(chain, found):
    direct = similarity_matrices(chain, options={"jaccard": {"k": 5}}, progress=False)
    for name, matrix in direct.items():
        pd.testing.assert_frame_equal(found.matrices[name], matrix, check_exact=False, rtol=tolerance.apart(60))
    assert set(found.matrices) == set(found.draws) == set(found.chance) == set(VIEWS)


def test_chance_lies_below_every_pair_of_a_slow_chain_and_the_draws_about_the_value(found):
    for name, matrix in found.matrices.items():
        above = np.triu_indices(len(matrix), 1)
        value, chance = matrix.to_numpy()[above], found.chance[name].to_numpy()[above]
        sign = 1 if MEASURES[name].orientation == "similarity" else -1
        assert (sign * value > sign * chance).all(), name
        assert found.draws[name].shape == (6, 6, 6)
        assert np.isfinite(found.draws[name]).all()


def test_the_intervals_hold_the_values_and_the_table_has_every_pair(found):
    table = similarity_rows(found)
    assert len(table) == len(VIEWS) * 15
    assert (table["ci_low"] <= table["value"]).all() and (table["value"] <= table["ci_high"]).all()


def test_an_interval_turns_skewed_draws_around():
    low, high = basic_interval(0.5, [0.0, 0.1, 0.1, 0.8], confidence_level=1.0)
    assert low == pytest.approx(0.5 - 0.55) and high == pytest.approx(0.5 + 0.25)


def test_a_part_of_a_study_is_the_study_of_some_layers(found):
    part = found.of(["layer 1", "layer 4"])
    assert part.matrices["rsa"].iat[0, 1] == found.matrices["rsa"].loc["layer 1", "layer 4"]
    assert np.array_equal(part.draws["rtd"][:, 1, 0], found.draws["rtd"][:, 4, 1])


def test_a_layer_that_stands_apart_makes_the_largest_step():
    matrix = two_blocks(at=1)
    table = rank_ends(
        LayerStudy({"cka": pd.DataFrame(matrix)}, {"cka": matrix[None]}, {"cka": pd.DataFrame(matrix)}), ["cka"]
    )
    assert table["rank"].tolist() == [1, 2] and table["step"].tolist() == pytest.approx([0.8, 0.1])
    assert table["support"].tolist() == [1.0, 1.0]


def test_the_claims_fit_the_number_of_layers():
    assert (
        set(claimed_partitions(7)) == {"centre and two ends"}
        and block_name(claimed_partitions(7)["centre and two ends"]) == "[0] [1–5] [6]"
    )


def test_a_distance_becomes_the_share_below_chance(found):
    matrix, draws = as_similarities(found, "rtd")
    assert np.allclose(np.diag(matrix), 1) and np.allclose(np.diagonal(draws, axis1=1, axis2=2), 1)
    assert as_similarities(found, "cka")[0] is not matrix and np.allclose(
        as_similarities(found, "cka")[0], found.matrices["cka"]
    )


def test_a_steady_drift_makes_measures_agree_but_not_beyond_depth(found):
    table = measure_agreement(found, ["cka", "rsa", "distance_correlation"], n_permutations=99)
    assert (table["spearman"] > 0.9).all() and (table["p"] == 0.01).all()
    assert (table["beyond_depth"] < table["spearman"]).all()
    assert (table["ci_low"] <= table["spearman"]).all() and (table["ci_high"] <= 1).all()
    assert (table["ci_low_layers"] < table["spearman"]).all() and (table["spearman"] < table["ci_high_layers"]).all()


def test_a_distance_counts_with_its_sign_turned(found):
    row = measure_agreement(found, ["cka", "rtd"], n_permutations=9).iloc[0]
    assert row["spearman"] > 0.5 and row["ci_low"] <= row["spearman"] <= row["ci_high"]


def test_unrelated_matrices_do_not_agree():
    rng = np.random.default_rng(3)
    pair = {}
    for name in ("cka", "rsa"):
        half = rng.normal(size=(8, 8))
        pair[name] = pd.DataFrame(half + half.T)
    draws = {name: np.repeat(matrix.to_numpy()[None], 2, axis=0) for name, matrix in pair.items()}
    row = measure_agreement(LayerStudy(pair, draws, pair), ["cka", "rsa"], n_permutations=199).iloc[0]
    assert row["p"] > 0.05 and row["ci_low_layers"] < 0 < row["ci_high_layers"]


def test_contiguous_partitions_are_counted_by_the_binomial():
    ways = contiguous_partitions(13, 4)
    assert len(ways) == 220 and len(np.unique(ways, axis=0)) == 220
    assert (np.diff(ways, axis=1) >= 0).all() and (ways[:, -1] == 3).all()
    assert contiguous_partitions(3, 1).tolist() == [[0, 0, 0]]
    with pytest.raises(ValueError, match="count"):
        contiguous_partitions(3, 4)


def test_true_blocks_fit_perfectly_and_best_of_all():
    truth = [0, 0, 1, 1, 1, 1]
    assert block_fit(two_blocks(), truth) == pytest.approx(1)
    assert block_test(two_blocks(noise=0.02), truth)[1] == 1 / 5
    assert block_test(two_blocks(noise=0.02), truth, beyond_depth=True)[1] == 1 / 5
    assert cut_tree(two_blocks(noise=0.02), 2).tolist() == truth


def test_a_matrix_that_knows_only_depth_has_no_blocks_beyond_it():
    place = np.arange(6)
    band = 0.9 ** np.abs(place[:, None] - place)
    assert block_fit(band, [0, 0, 0, 1, 1, 1]) > 0.5
    assert np.isnan(block_fit(band, [0, 0, 0, 1, 1, 1], beyond_depth=True))
    assert block_test(band, [0, 0, 0, 1, 1, 1], beyond_depth=True)[1] == 1


def test_the_fit_is_the_correlation_over_pairs():
    matrix, groups = two_blocks(noise=0.1), np.array([0, 1, 1, 2, 2, 2])
    i, j = np.triu_indices(6, 1)
    assert block_fit(matrix, groups) == pytest.approx(np.corrcoef(matrix[i, j], groups[i] == groups[j])[0, 1])


def test_blocks_report_the_partition_that_is_there():
    full = pd.DataFrame(two_blocks(noise=0.01))
    draws = np.stack([two_blocks(noise=0.01)] * 3)
    row = rank_partitions(
        LayerStudy({"cka": full}, {"cka": draws}, {"cka": full * 0}), {"two": [0, 0, 1, 1, 1, 1]}, ["cka"]
    ).iloc[0]
    assert row["best"] == row["tree"] == row["blocks"] == "[0–1] [2–5]" and row["tree_support"] == 1


def test_blocks_are_written_with_their_gaps():
    assert block_name([0, 1, 0, 2, 2]) == "[0, 2] [1] [3–4]"


def test_drift_forgets_at_the_rate_it_is_told():
    x = np.random.default_rng(0).normal(size=(4000, 3))
    layers = drifting_layers(x, 2, 0.49)
    kept = np.corrcoef(layers["layer 0"][:, 0], layers["layer 1"][:, 0])[0, 1]
    assert kept == pytest.approx(0.7, abs=tolerance.of_a_mean(1 - 0.49, 4000))  # deviation of a correlation: 1 - r²
    with pytest.raises(ValueError, match="keep"):
        drifting_layers(x, 2, 1.5)


# Claims


def on_a_line(places, run="one", half=0.005):
    """Similarities of layers that lie on a line, each with limits, beside a pooler that is no layer."""
    places = np.asarray(places, float)
    rows = [
        ("cka", f"layer {j}", f"layer {i}", np.exp(-abs(places[i] - places[j])), run)
        for i in range(len(places))
        for j in range(i + 1, len(places))
    ]
    rows.append(("cka", "pooler", "layer 0", 0.9, run))
    rows.append(("rsa", "layer 0", "layer 1", 0.9, run))
    table = pd.DataFrame(rows, columns=["measure", "layer_a", "layer_b", "value", "run"])
    return table.assign(ci_low=table["value"] - half, ci_high=table["value"] + half)


def agreements(lowest, run="one", half=0.005):
    rows = [("cka", "rsa", lowest), ("cka", "jaccard", 0.97), ("cka", "rtd", 0.1)]
    table = pd.DataFrame(rows, columns=["measure_a", "measure_b", "spearman"]).assign(run=run)
    return table.assign(ci_low=table["spearman"] - half, ci_high=table["spearman"] + half)


def test_a_layer_that_stands_apart_is_ahead_of_all_other_steps_but_one():
    places = [0, 1, 1.1, 1.2, 1.3, 1.4]
    found = findings(on_a_line(places), agreements(0.95), {"one": 500})
    assert np.isclose(found["first"].estimate, np.exp(-0.1) - np.exp(-1)) and found["first"].n == 500
    assert np.isclose(found["first"].low, found["first"].estimate - 0.01)  # both similarities may err together
    assert np.isclose(found["last"].estimate, 0)
    assert found["agree"].estimate == 0.95  # RTD is left out
    verdicts = judge(CLAIMS, found)["verdict"]
    assert verdicts["first"] == verdicts["agree"] == "reproduced" and verdicts["last"] == "not testable here"


def test_a_claim_about_all_encoders_fails_where_one_surely_does_not_have_it():
    apart, not_apart = on_a_line([0, 1, 1.1, 1.2, 2.2]), on_a_line([0, 0.1, 1.1, 2.1, 2.2], run="two")
    both = pd.concat([apart, not_apart]), pd.concat([agreements(0.95), agreements(0.85, run="two")])
    alone = judge(CLAIMS, findings(apart, both[1][both[1]["run"] == "one"], {"one": 500}))["verdict"]
    together = judge(CLAIMS, findings(*both, {"one": 500, "two": 300}))
    for key in ("first", "last", "agree"):
        assert alone[key] == "reproduced" and together.loc[key, "verdict"] == "not reproduced"
    assert set(together.loc[["first", "last"], "n"]) == {300}


def test_a_steady_drift_has_no_central_block_and_far_ends_make_one():
    steady = findings(on_a_line(np.arange(7) / 5), agreements(0.95), {"one": 500})["centre"]
    assert np.isclose(steady.estimate, 0) and steady.low < 0 < steady.high
    far = findings(on_a_line([0, 1, 1.1, 1.2, 1.3, 2.3]), agreements(0.95), {"one": 500})
    assert far["centre"].estimate > 0.3 and judge(CLAIMS, far).loc["centre", "verdict"] == "reproduced"


def made_of(matrix, n_draws=12):
    """A study of nothing but a CKA matrix, whose draws wobble about it."""
    wobble = 0.01 * np.random.default_rng(0).normal(size=(n_draws, *matrix.shape))
    draws = matrix + (wobble + wobble.transpose(0, 2, 1)) * (1 - np.eye(len(matrix)))
    return LayerStudy({"cka": pd.DataFrame(matrix)}, {"cka": draws}, {"cka": pd.DataFrame(matrix)})


def test_claimed_blocks_have_to_fit_better_than_nearly_all_others():
    there, elsewhere = (blocks_finding(made_of(two_blocks(at=at)), 500, [0, 0, 1, 1, 1, 1]) for at in (2, 4))
    assert (
        abs(there.estimate) < tolerance.inner(15) and elsewhere.high < 0
    )  # of five partitions it can only be the best itself
    twenty = made_of(two_blocks(size=24, at=9))
    right = blocks_finding(twenty, 500, [0] * 9 + [1] * 15)
    assert right.low > 0 and judge({"blocks": CLAIMS["blocks"]}, {"blocks": right}).loc["blocks", "p"] < 0.05


def test_a_pooler_of_its_own_joins_the_tree_above_the_cut_into_four():
    near = np.exp(-np.abs(np.subtract.outer(np.arange(7), np.arange(7))) / 5)
    far = near.copy()
    far[-1, :-1] = far[:-1, -1] = 0.1
    near[-1, -2] = near[-2, -1] = 0.99
    own, one_of_many = (pooler_finding(made_of(matrix), 500) for matrix in (far, near))
    assert own.low > 0 and one_of_many.estimate <= 0
    for matrix, finding in ((far, own), (near, one_of_many)):
        groups = cut_tree(matrix, 4)
        assert (np.sum(groups == groups[-1]) == 1) == (finding.estimate > 0)


def test_encoders_of_few_layers_speak_to_agreement_alone():
    found = findings(on_a_line([0, 1, 2]), agreements(0.95), {"one": 500})
    assert list(found) == ["agree"]
    assert pooler_finding(made_of(np.eye(4)), 500).why == "fewer than five representations to cut into four groups"
