"""Vectors of the words of a corpus against loops over its words."""

import math

import numpy as np
import pytest
from tolerance import apart

from helpers.quality.words import corpus_vectors
from helpers.quality.words.corpora import cooccurrences, positive_information, split_words

LETTERS = np.array(list("abcdefghijkl"))


def made_texts(n=60, rng=0):
    rng = np.random.default_rng(rng)
    return [" ".join(rng.choice(LETTERS, rng.integers(1, 9), p=np.arange(12, 0, -1) / 78)) for _ in range(n)]


def counted(texts, window, min_count):
    """Weighted neighbours, word by word."""
    found = [split_words(text) for text in texts]
    words = {word for text in found for word in text if sum(t.count(word) for t in found) >= min_count}
    out = {}
    for text in found:
        text = [word for word in text if word in words]
        for i, word in enumerate(text):
            for j, other in enumerate(text):
                if 0 < abs(i - j) <= window:
                    out[word, other] = out.get((word, other), 0) + 1 / abs(i - j)
    return out


@pytest.mark.parametrize(("window", "min_count"), [(1, 1), (3, 20), (20, 2)])
def test_neighbours_are_counted_as_a_loop_over_words_counts_them(window, min_count):
    texts = made_texts()
    words, counts = cooccurrences(texts, window=window, min_count=min_count)
    expected = counted(texts, window, min_count)
    found = {(words[i], words[j]): v for i, j, v in zip(*counts.tocoo().coords, counts.tocoo().data, strict=True)}
    assert found.keys() == expected.keys()
    assert all(math.isclose(found[key], expected[key]) for key in found)


def test_words_are_in_order_of_frequency_then_of_the_alphabet():
    assert cooccurrences(["b a c b", "c d"], min_count=1)[0] == ["b", "c", "a", "d"]


@pytest.mark.parametrize(("smoothing", "shift"), [(1.0, 1.0), (0.75, 1.0), (0.75, 3.0)])
def test_information_is_what_its_formula_says(smoothing, shift):
    _, counts = cooccurrences(made_texts(), min_count=1)
    n = counts.toarray()
    of_context = n.sum(axis=0) ** smoothing
    with np.errstate(divide="ignore"):
        value = np.log(n / n.sum(axis=1, keepdims=True) / (of_context / of_context.sum())) - np.log(shift)
    found = positive_information(counts, smoothing=smoothing, shift=shift)
    np.testing.assert_allclose(found.toarray(), np.maximum(value, 0), atol=apart(12, condition=10))  # logs up to 10


def test_all_features_give_back_the_squared_matrix_and_few_are_the_first_of_them():
    texts = made_texts()
    matrix = positive_information(cooccurrences(texts, min_count=1)[1]).toarray()
    whole = corpus_vectors(texts, width=12, min_count=1, power=1.0)
    size = np.linalg.norm(matrix) ** 2
    np.testing.assert_allclose(whole.x @ whole.x.T, matrix @ matrix.T, rtol=0, atol=size * apart(12, "float32"))
    few = corpus_vectors(texts, width=3, min_count=1, power=1.0)
    np.testing.assert_allclose(few.x, whole.x[:, :3], rtol=0, atol=size * apart(12, "float32"))


def test_words_in_the_same_places_have_the_same_direction():
    texts = ["the cat eats fish", "the dog eats fish", "the cat sees fish", "the dog sees fish"] * 2
    vectors = corpus_vectors(texts, width=3, min_count=1, window=1)
    cosine = vectors.unit @ vectors.unit.T
    i, j, k = vectors.rows(["cat", "dog", "eats"])
    assert cosine[i, j] > 1 - apart(3, "float32") > cosine[i, k]


@pytest.mark.parametrize(
    ("texts", "options", "said"),
    [
        ("one string", {}, "single string"),
        (["a b", 3], {}, r"texts\[1\] is a int"),
        (["a b"], {"min_count": 2}, "0 words that occur 2 times"),
        (["a", "b"], {"min_count": 1}, "no two words"),
        (["a b"], {"min_count": 1, "smoothing": 0}, "smoothing"),
        (["a b"], {"min_count": 1, "shift": 0.5}, "shift"),
        (["a b"], {"min_count": 1, "width": 0}, "width"),
    ],
)
def test_too_little_text_and_options_out_of_range_are_refused(texts, options, said):
    with pytest.raises((TypeError, ValueError), match=said):
        corpus_vectors(texts, **options)


def test_a_word_without_any_neighbour_is_left_out_and_counted():
    vectors = corpus_vectors(["a b", "a b", "c"], width=2, min_count=1)
    assert "c" not in vectors and vectors.left_out == {"no information": 1}
