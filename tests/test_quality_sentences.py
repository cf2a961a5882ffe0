"""Sentences with two words exchanged, and the plane of alignment and uniformity."""

import re
from collections import Counter

import numpy as np
import pytest
from tolerance import apart, of_a_share

from helpers.quality import alignment, uniformity
from helpers.quality.sentences import FUNCTION_WORDS, alignment_and_uniformity, exchanged_words, word_order
from helpers.text import sentences

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(2, 80, 6))


def words_of(text):
    return re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)?", text)


def test_an_exchange_keeps_the_words_and_moves_two_of_them():
    texts = sentences(200, libraries=["numpy", "networkx"])
    table = exchanged_words(texts)
    changed = table[table["exchanged"].notna()]
    assert len(changed) > 100 and len(changed) + table.attrs["unchanged"] == 200
    for row in changed.itertuples():
        before, after = words_of(row.text), words_of(row.exchanged)
        assert Counter(before) == Counter(after) and before[0] == after[0]
        moved = [i for i, (a, b) in enumerate(zip(before, after, strict=True)) if a != b]
        assert len(moved) == 2 and {before[i] for i in moved} == {row.first, row.second}
        assert not {row.first.lower(), row.second.lower()} & FUNCTION_WORDS
        assert re.sub(r"[\w']", "", row.text) == re.sub(r"[\w']", "", row.exchanged)


@pytest.mark.parametrize(
    "text",
    [
        "It has rows and columns.",  # joined by and
        "It is the sparse matrix.",  # side by side
        "Rows of it are the same.",  # one word begins the sentence
        "It was sorted by their columns.",  # ends differ
        "The array is an array.",  # the same word
        "",
    ],
)
def test_words_that_stand_together_end_differently_or_are_the_same_stay_where_they_are(text):
    table = exchanged_words([text])
    assert table["exchanged"].isna().all() and table.attrs["unchanged"] == 1


def test_what_is_no_text_is_refused_by_its_place():
    with pytest.raises(TypeError, match="single string"):
        exchanged_words("one")
    with pytest.raises(TypeError, match=r"texts\[1\] is a int"):
        exchanged_words(["one", 2])


def test_the_order_of_words_is_judged_by_cosines_and_ties_are_a_half():
    x = np.eye(4)
    related = np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [1, 0, 0, 0]], float)
    exchanged = np.array([[1, 2, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 1, 1]], float)
    row = word_order(x, exchanged, related).iloc[0]
    assert row["related_nearer"] == (1 + 0 + 0.5 + 0) / 4 and row["identical"] == 2 and row["n"] == 4
    assert row["cosine_related"] == pytest.approx((np.sqrt(0.5) * 2 + 1 + 0) / 4)
    assert row["ci_low"] <= row["related_nearer"] <= row["ci_high"]


def test_noise_finds_the_related_sentence_nearer_in_half_of_the_cases():
    x, exchanged, related = np.random.default_rng(1).normal(size=(3, 600, 5))
    row = word_order(x, exchanged, related).iloc[0]
    assert abs(row["related_nearer"] - 0.5) < of_a_share(0.5, 600)


def test_matrices_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match="related has shape"):
        word_order(X, Y, Y[:-1])
    with pytest.raises(ValueError, match="pairs is empty"):
        alignment_and_uniformity({})
    with pytest.raises(ValueError, match="weight"):
        alignment_and_uniformity({"x": (X, Y)}, weight=-1)


@pytest.mark.parametrize(("power", "t"), [(2.0, 2.0), (1.0, 0.5)])
def test_the_plane_has_the_two_numbers_their_sum_and_what_random_pairs_give(power, t):
    near = X + 0.3 * Y
    row = alignment_and_uniformity({"x": (X, near)}, power=power, t=t, weight=0.5).loc["x"]
    assert row["alignment"] == pytest.approx(alignment([X, near], power=power))
    assert row["uniformity"] == pytest.approx(uniformity(X, t=t))
    assert row["sum"] == pytest.approx(row["alignment"] + 0.5 * row["uniformity"])
    for name in ("alignment", "uniformity", "sum"):
        assert row[f"{name}_low"] < row[name] < row[f"{name}_high"]
    u, v = (z / np.linalg.norm(z, axis=1, keepdims=True) for z in (X, near))
    distances = np.linalg.norm(u[:, None] - v[None], axis=2) ** power
    mean = distances[~np.eye(80, dtype=bool)].mean()
    # 20 of 79 shifts, each with all rows: the mean of a quarter of the pairs
    assert row["random"] == pytest.approx(mean, rel=5 * distances.std() / mean / np.sqrt(20 * 80))
    assert row["aligned"] == pytest.approx(1 - row["alignment"] / row["random"])


def test_equal_views_are_aligned_and_draws_of_one_space_are_those_of_another():
    table = alignment_and_uniformity({"a": (X, X), "b": (X, X)}, n_resamples=20)
    assert abs(table.loc["a", "alignment"]) < apart(6)
    assert table.loc["a"].equals(table.loc["b"])


def test_intervals_of_the_plane_contain_the_values_of_the_population_as_often_as_they_say():
    rng, n = np.random.default_rng(5), 150
    population = rng.normal(size=(3000, 3))
    true = np.array([alignment([population, np.roll(population, 1, axis=1)]), uniformity(population)])
    held = np.zeros(2)
    for _ in range(n):
        x = population[rng.permutation(3000)[:100]]
        row = alignment_and_uniformity({"x": (x, np.roll(x, 1, axis=1))}, n_resamples=100, rng=rng).loc["x"]
        low, high = row[["alignment_low", "uniformity_low"]], row[["alignment_high", "uniformity_high"]]
        held += (low.to_numpy() <= true) & (true <= high.to_numpy())
    # percentiles of 100 draws of 100 pairs: three points below the level at most
    assert (held / n > 0.95 - 0.03 - of_a_share(0.95, n)).all()
