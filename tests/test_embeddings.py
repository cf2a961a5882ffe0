"""Classical embeddings are deterministic, without zero rows, and say what is wrong with their input."""

import numpy as np
import pytest

from helpers.embeddings import CLASSICAL, classical_embeddings

WORDS = "red green blue car boat plane river road sky fast slow old new big small".split()


@pytest.fixture(scope="module")
def texts():
    rng = np.random.default_rng(0)
    return [" ".join(rng.choice(WORDS, size=rng.integers(3, 9))) + "." for _ in range(60)]


def test_all_are_made_with_the_asked_width_and_repeat_exactly(texts):
    first, second = (classical_embeddings(texts, width=6, seed=3) for _ in range(2))
    assert list(first) == list(CLASSICAL)
    for name, z in first.items():
        assert z.shape == (60, 8 if name == "surface" else 6) and z.dtype == np.float64
        assert np.isfinite(z).all() and z.any(axis=1).all()
        np.testing.assert_array_equal(z, second[name])


def test_equal_sentences_have_equal_rows(texts):
    for name, z in classical_embeddings([*texts, texts[0]], width=6).items():
        np.testing.assert_allclose(z[-1], z[0], atol=1e-10, err_msg=name)


def test_word_lsa_reconstructs_the_best_low_rank_gram_matrix(texts):
    from sklearn.feature_extraction.text import TfidfVectorizer

    full = TfidfVectorizer(sublinear_tf=True, token_pattern=r"(?u)\b\w+\b").fit_transform(texts).toarray()
    u, s, _ = np.linalg.svd(full)
    z = classical_embeddings(texts, width=6, names=["word LSA"])["word LSA"]
    np.testing.assert_allclose(z @ z.T, (u[:, :6] * s[:6] ** 2) @ u[:, :6].T, atol=1e-6)


def test_weighted_words_have_lost_their_common_direction(texts):
    z = classical_embeddings(texts, width=6, names=["weighted words"])["weighted words"]
    assert np.linalg.svd(z, compute_uv=False)[-1] < 1e-10


def test_a_sentence_without_a_word_gets_the_mean_of_the_others(texts):
    z = classical_embeddings([*texts, "?!"], width=6, names=["word LSA"])["word LSA"]
    np.testing.assert_allclose(z[-1], z[:-1].mean(axis=0))


@pytest.mark.parametrize(
    ("texts", "options", "error", "match"),
    [
        ("one string", {}, TypeError, "sequence of strings"),
        (["a b", 3], {}, TypeError, "sequence of strings"),
        (["a b"] * 9, {"width": 9}, ValueError, "9 texts are too few for width 9; at least 10"),
        (["a b"] * 99, {"width": 9}, ValueError, "2 different words; width 9 needs at least 10"),
        (["a b"] * 99, {"names": ["bert"]}, ValueError, "no embedding 'bert'; there are"),
    ],
)
def test_wrong_input_is_named(texts, options, error, match):
    with pytest.raises(error, match=match):
        classical_embeddings(texts, **options)
