"""Words with their vectors: looked up, read from what others have, refused where they cannot be used."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from helpers.quality.words import WordVectors, as_word_vectors

X = np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 4.0]])
WORDS = ["cat", "Dog", "dog"]


def test_a_word_is_found_as_it_is_spelled_then_without_case_else_not_at_all():
    vectors = WordVectors(WORDS, X)
    assert vectors.rows(["dog", "Dog", "DOG", "CAT", "cow"]).tolist() == [2, 1, 1, 0, -1]
    assert "Cat" in vectors and "cow" not in vectors


@pytest.mark.parametrize(
    "source",
    [
        dict(zip(WORDS, X, strict=True)),
        pd.DataFrame(X, index=WORDS),
        SimpleNamespace(index_to_key=WORDS, vectors=X),
        (WORDS, X),
        WordVectors(WORDS, X),
    ],
)
def test_words_come_from_mappings_frames_objects_of_gensim_and_pairs(source):
    vectors = as_word_vectors(source)
    assert vectors.words == tuple(WORDS) and np.array_equal(vectors.x, X)


@pytest.mark.parametrize("header", ["", "3 2\n"])
def test_words_come_from_files_of_glove_and_word2vec(tmp_path, header):
    path = tmp_path / "small.txt"
    path.write_text(header + "cat 1 0\nDog 0 2\ndog 3 4\n")
    vectors = as_word_vectors(str(path))
    assert vectors.words == tuple(WORDS) and vectors.name == "small" and np.array_equal(vectors.x, X)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ((["a", "a"], [[1.0], [2.0]]), "'a' twice"),
        ((["a", ""], [[1.0], [2.0]]), r"words\[1\]"),
        ((["a"], [[1.0], [2.0]]), "1 entries and x 2 rows"),
        ((["a", "b"], [[1.0], [0.0]]), "of 'b', is zero"),
        ((["a", "b"], [[1.0], [np.nan]]), "x"),
        ({"a": [1.0], "b": [1.0, 2.0]}, "'b' has 2 entries and that of 'a' 1"),
    ],
)
def test_words_that_are_there_twice_or_empty_and_vectors_without_direction_are_refused_by_name(source, said):
    with pytest.raises(ValueError, match=said):
        as_word_vectors(source)


def test_what_holds_no_words_is_refused():
    with pytest.raises(TypeError, match="source is a int"):
        as_word_vectors(7)


def test_words_that_are_dropped_are_counted_by_the_reason():
    vectors = as_word_vectors((["a", "b", "c"], [[1.0], [0.0], [np.inf]]), drop=True)
    assert vectors.words == ("a",) and vectors.left_out == {"not finite": 1, "zero": 1}


def test_the_first_words_and_features_are_what_is_asked_for():
    assert np.array_equal(WordVectors(WORDS, X).first(1, width=1).x, X[:1, :1])
