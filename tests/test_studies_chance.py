"""The study of the chapter "How much of it is chance?"."""

import itertools

import numpy as np
import pandas as pd
import pytest
import tolerance

from helpers.similarity import calibrate, cka
from helpers.studies import chance as study


def centred(k):
    h = np.eye(len(k)) - 1 / len(k)
    return h @ k @ h


def test_the_chance_level_of_a_cosine_is_the_mean_over_all_permutations():
    x, y = np.random.default_rng(0).normal(size=(2, 5, 3))
    values = [cka(x, y[list(order)]) for order in itertools.permutations(range(5))]
    expected = study.chance_of_cosine(centred(x @ x.T), centred(y @ y.T))
    assert np.mean(values) == pytest.approx(expected)


def test_the_effective_dimension_counts_equal_eigenvalues():
    assert study.effective_dimension(np.diag([2.0, 2, 2, 0])) == pytest.approx(3)


def test_the_chance_level_of_jaccard_is_exact_for_small_sets():
    # Two random pairs among three objects share one or two: 2/3 of 1/3, 1/3 of 1.
    assert study.chance_of_jaccard(4, 2) == pytest.approx(2 / 3 / 3 + 1 / 3)


def test_formulas_lie_on_the_means_of_independent_data():
    draws = study.independent_values([80], 8, n_seeds=20, rng=0)
    values = draws[draws["measure"] == "CCA"]["value"]
    wide = 4 * values.std() / np.sqrt(len(values))
    assert abs(values.mean() - study.chance_of_cca(8, 80)) < wide + 0.01  # the formula is for large n


def test_shuffled_values_tell_a_related_pair_from_an_independent_one():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 60, 4))
    options = {"n_resamples": 39, "rng": 0}
    related, unrelated = (study.shuffled_values(x, z, **options) for z in (x + 0.5 * y, y))
    assert (related["p"] == 1 / 40).all() and (unrelated["p"] > 1 / 40).any()
    assert related.loc["RTD", "value"] < related.loc["RTD", "edge"]
    assert related.loc["CKA", "value"] > related.loc["CKA", "edge"]


def test_halves_are_drawn_without_and_the_bootstrap_with_replacement():
    x = np.arange(10.0)[:, None]

    def distinct(a, _):
        return len(np.unique(a)) / len(a)

    rng = np.random.default_rng(0)
    assert set(study.halves(distinct, x, x, rng, 20)) == {1.0}
    assert study.bootstrap(distinct, x, x, rng, 20).mean() < 0.8


def test_intervals_from_halves_cover_and_their_shares_have_limits():
    n_worlds = 60
    found = study.coverage_of_intervals(n_worlds, n=100, p=4, n_resamples=60, rng=0)
    assert found.loc["unbiased CKA, halves", "covered"] > 0.95 - 4 * np.sqrt(0.95 * 0.05 / n_worlds)
    assert found.loc["CKA, bootstrap quantiles", "covered"] < found.loc["unbiased CKA, halves", "covered"]
    assert (found["ci_low"] <= found["covered"]).all() and (found["covered"] <= found["ci_high"]).all()
    facts = study.facts_of_coverage(found)
    assert facts["cover_boot_low"] == 100 * found.loc["CKA, bootstrap quantiles", "ci_low"]


def test_only_related_pairs_share_a_direction_and_the_rate_of_false_discoveries_is_kept():
    false = named = 0
    for seed in range(5):
        spaces = study.many_spaces(80, widths=(3, 5, 8, 40), related=((0, 0), (1, 2)), rng=seed)
        found = calibrate(spaces.first, "cka", against=spaces.second, n_permutations=399, rng=seed)
        rules = study.discoveries(found, spaces.related)
        assert rules["found"].sum() >= rules["false"].sum() and list(rules["found"])[0] == 2
        row = rules.loc["false discovery rate ≤ 0.05"]
        assert row["found"] - row["false"] + row["missed"] == 2
        false, named = false + row["false"], named + row["found"]
    assert named >= 8 and false <= 0.05 * named + named * tolerance.of_a_share(0.05, named)
    facts = study.facts_of_discoveries(found, spaces)
    assert facts["pairs"] == 16 and facts["top_value"] == found["value"].max()


def test_rules_count_what_is_false_and_what_is_missed():
    found = pd.DataFrame(
        {"x": ["a", "a", "b"], "y": ["c", "d", "c"], "value": [0.2, 0.9, 0.3]}
        | {"p": [0.01, 0.04, 0.5], "p_fdr": [0.03, 0.06, 0.5], "p_max": [0.2, 0.6, 0.9]}
    )
    rules = study.discoveries(found, [("a", "c")])
    assert rules["found"].tolist() == [1, 2, 1, 0]
    assert rules["false"].tolist() == [1, 1, 0, 0] and rules["missed"].tolist() == [1, 0, 0, 1]
