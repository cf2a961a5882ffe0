"""Token tables of the encoders of the book as vectors of words."""

import numpy as np
import pytest

from helpers.locations import DATA
from helpers.quality.words import token_vectors

ENCODERS = pytest.mark.parametrize("name", ["bert", "roberta"])


@ENCODERS
def test_words_that_are_one_token_have_the_row_of_the_table(name):
    from transformers import AutoModel, AutoTokenizer

    folder = DATA / "encoders" / name
    vectors = token_vectors(f"encoders/{name}")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    table = AutoModel.from_pretrained(folder).get_input_embeddings().weight.detach().float().numpy()
    assert vectors.name == name and len(vectors) > 3000 and all(word.isalpha() for word in vectors.words)
    for word in ("the", "array", "function"):
        (token,) = tokenizer(" " + word, add_special_tokens=False)["input_ids"]
        assert np.array_equal(vectors.x[vectors.rows([word])[0]], table[token])
    composed = token_vectors(folder, ["arrays", "multidimensional"])
    pieces = tokenizer(" multidimensional", add_special_tokens=False)["input_ids"]
    assert np.array_equal(composed.x[1], table[pieces].mean(axis=0))


def test_words_that_the_tokenizer_does_not_know_are_left_out_and_counted():
    vectors = token_vectors("encoders/bert", ["array", "ᚠᚢᚦ"])
    assert vectors.words == ("array",) and vectors.left_out["unknown"] == 1


def test_no_words_and_a_single_string_are_refused():
    with pytest.raises(ValueError, match="words is empty"):
        token_vectors("encoders/bert", [])
    with pytest.raises(ValueError, match="single string"):
        token_vectors("encoders/bert", "array")
