"""The study of the chapter "When are two representations the same?"."""

import numpy as np
import pytest
from spaces import five_layers

from helpers.similarity import MEASURES, cka
from helpers.studies import measures as study

TEXTS = [f"the {a} {b} {c} again" for a in "red blue old".split() for b in "cat dog".split() for c in "sat ran".split()]


@pytest.fixture(scope="module")
def pair():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 6)) + 0.5
    return x, x @ rng.normal(size=(6, 8)) + rng.normal(size=(60, 8))


def test_the_pair_that_both_pages_follow_is_among_the_spaces_of_the_first():
    spaces = study.word_spaces(TEXTS, 4)
    x, y = study.two_spaces(TEXTS, 4)
    assert np.array_equal(x, spaces[study.Roles().word]) and np.array_equal(y, spaces[study.Roles().letter])
    assert set(study.Roles()) <= set(spaces)


def test_nearest_sentences_are_those_of_the_largest_cosine_and_never_the_sentence_itself(pair):
    x, y = pair
    texts = [str(i) for i in range(60)]
    table, agreed = study.nearest_sentences(texts, x, y, 20)
    cosines = [z @ z.T / np.outer(*2 * [np.linalg.norm(z, axis=1)]) - 2 * np.eye(60) for z in (x, y)]
    expected = [c[:20].argmax(axis=1) for c in cosines]
    assert agreed == np.sum(expected[0] == expected[1])
    for row in table.itertuples(index=False):
        assert [int(row[1]), int(row[2])] == [found[int(row[0])] for found in expected]
    assert study.nearest_sentences(texts, x, x, 20)[1] == 20


def test_gaussian_cka_is_compared_at_equal_numbers_of_objects():
    spaces = {name: z[:, :4] for name, z in five_layers().items() if z.shape[1] >= 4}
    tables = study.core_tables(spaces, n_few=30, k=5, rtd_batch=20, rtd_trials=1)
    first, second, *_ = spaces
    few = {name: z[:30] for name, z in spaces.items()}
    assert tables["CKA, few"].loc[first, second] == pytest.approx(cka(few[first], few[second]))
    assert tables["CKA, Gaussian"].loc[first, second] == pytest.approx(MEASURES["cka_rbf"](few[first], few[second]))
    assert tables["CKA"].loc[first, second] == pytest.approx(cka(spaces[first], spaces[second]))
    together = study.agreement(tables)
    assert "CKA, few" not in together and np.allclose(np.diag(together), 1)


def test_distances_are_turned_before_rankings_are_compared():
    import pandas as pd

    table = pd.DataFrame([[0, 1, 2], [1, 0, 3], [2, 3, 0.0]])
    assert study.agreement({"CKA": -table, "RTD": table}).loc["CKA", "RTD"] == pytest.approx(1)


def test_common_neighbours_follow_from_the_similarity():
    found = study.shared_neighbours(1 / 3, 10, 101)  # 5 of 10: 5 / 15
    assert found == pytest.approx({"jaccard_common": 5, "jaccard_random": 1})


def test_the_invariance_table_shows_what_registered_measures_claim(pair):
    x, y = pair
    found = study.invariance_table(x, y, rng=0)
    kept = {
        "rotation": "rotation",
        "permutation": "permutation",
        "scale": "isotropic scale",
        "translation": "translation",
    }
    for label, name in (("CCA", "cca"), ("CKA", "cka"), ("Jaccard", "jaccard"), ("dCor", "distance_correlation")):
        row = found.loc[label]
        for column, invariance in kept.items():
            assert study.same_value(row[column], row["before"]) == (invariance in MEASURES[name].invariances)
        assert study.same_value(row["objects"], row["before"])


def test_cca_does_not_see_a_stretch_and_cka_does(pair):
    curves = study.stretching(pair[0], n_seeds=2, rng=0)
    assert np.allclose(curves["CCA"], 1, atol=1e-6)  # condition numbers up to 1e5 cost ten of sixteen digits
    assert curves["CKA"].iloc[0] == pytest.approx(1) and curves["CKA"].iloc[-1] < 0.9
    facts = study.facts_of_stretching(curves)
    assert facts["cka_10"] == curves["CKA"].loc[10] and facts["cca_least"] == curves["CCA"].min()


def test_the_longest_bar_is_the_merger_of_two_clusters():
    bars = study.barcode_of_clusters()
    lengths = bars[:, 1] - bars[:, 0]
    assert np.all(np.diff(lengths) >= 0) and lengths[-1] > 2 * lengths[-2]
