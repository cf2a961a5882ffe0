"""Categorisation against scikit-learn, and words that are unknown or in several categories."""

import numpy as np
import pytest
from sklearn import metrics

from helpers.metrics import purity
from helpers.quality.words import WordVectors, categorisation

RNG = np.random.default_rng(0)
LABELS = np.repeat(["a", "b", "c"], 20)
CENTRES = {"a": [1, 0, 0, 0], "b": [0, 1, 0, 0], "c": [0, 0, 1, 0]}
WORDS = [f"w{i}" for i in range(60)]
APART = WordVectors(WORDS, np.array([CENTRES[label] for label in LABELS]) + 0.05 * RNG.normal(size=(60, 4)))
NOISE = WordVectors(WORDS, RNG.normal(size=(60, 4)))
SET = {label: [w for w, of in zip(WORDS, LABELS, strict=True) if of == label] for label in "abc"}


def test_categories_that_lie_apart_are_found_by_every_index_and_noise_gives_chance():
    found = categorisation(APART, SET)
    assert (found["value"].drop("silhouette") == 1).all()
    noise = categorisation(NOISE, SET)
    assert ((noise["ci_low"] < noise["chance"]) & (noise["chance"] < noise["ci_high"])).sum() >= 6
    assert noise.loc["purity", "chance"] > 1 / 3 and abs(noise.loc["adjusted_rand", "chance"]) < 0.1  # of 20 shuffles


def test_the_indices_are_those_of_scikit_learn_and_v_measure_is_nmi_by_another_name():
    found = categorisation(NOISE, SET)["value"]
    assert found["v_measure"] == pytest.approx(found["nmi"])
    h, c = found["homogeneity"], found["completeness"]
    assert found["v_measure"] == pytest.approx(2 * h * c / (h + c))
    x = NOISE.unit
    assert found["silhouette"] == pytest.approx(metrics.silhouette_score(x, LABELS, metric="cosine"))


def test_two_given_clusters_are_compared_with_three_categories_as_by_hand(monkeypatch):
    from helpers.quality.words import categories as module

    fixed = (np.arange(60) >= 20).astype(int)
    monkeypatch.setattr(module, "_clusters", lambda x, k, rng: fixed[: len(x)])
    found = categorisation(NOISE, SET, n_clusters=2)["value"]
    assert found["purity"] == purity(LABELS, fixed) == 40 / 60
    assert found["rand"] == pytest.approx(metrics.rand_score(LABELS, fixed))
    assert found["adjusted_rand"] == pytest.approx(metrics.adjusted_rand_score(LABELS, fixed))


def test_unknown_words_and_words_of_several_categories_are_counted():
    more = {"a": [*SET["a"], "zebra"], "b": [*SET["b"], "w0"], "c": SET["c"]}
    found = categorisation(APART, more)
    row = found.iloc[0]
    assert (row["words"], row["covered"], row["several"], row["clustered"], row["clusters"]) == (61, 60, 1, 59, 3)
    assert found.attrs["unknown"] == ["zebra"] and found.attrs["several"] == ["w0"]


def test_a_sample_of_the_words_is_clustered_where_there_are_more():
    assert categorisation(APART, SET, n_words=30).iloc[0]["clustered"] == 30


@pytest.mark.parametrize(
    ("given", "options", "said"),
    [
        ({"a": SET["a"]}, {}, "1 has words with a vector"),
        ({"a": SET["a"], "b": ["zebra"]}, {}, "1 are unknown"),
        ({"a": ["w0"], "b": ["w20"]}, {}, "n_clusters is 2 and 2 words are left"),
        (SET, {"n_clusters": 60}, "n_clusters is 60 and 60 words are left"),
        (SET, {"n_halves": 1}, "n_halves"),
    ],
)
def test_one_category_and_fewer_words_than_clusters_are_refused(given, options, said):
    with pytest.raises(ValueError, match=said):
        categorisation(APART, given, **options)


def test_limits_of_few_words_stay_within_what_an_index_can_be():
    few = {label: words[:4] for label, words in SET.items()}
    found = categorisation(NOISE, few, n_halves=4)
    assert (found["ci_high"].dropna() <= 1).all()
    low = found["ci_low"].drop(["adjusted_rand", "silhouette"])
    assert (low >= 0).all() and found.loc["adjusted_rand", "ci_low"] >= -0.5
