"""Classical embeddings: what each must satisfy, on made-up and on real sentences."""

import os
import subprocess
import sys

import numpy as np
import pytest
import tolerance
from scipy.spatial.distance import pdist
from sklearn.feature_extraction.text import TfidfVectorizer

from helpers.encoders.classical import EMBEDDINGS, classical_embeddings

SUBJECTS = "the cat|a dog|the old horse|my bird|our teacher|the doctor|a pilot|the river|a student|nobody".split("|")
VERBS = "sees|likes|follows|hears|paints|forgets".split("|")
OBJECTS = "the red house|a small garden|two boats|the sea|an open door|the music|this picture".split("|")
ENDS = ".|!| today.| again!| in the morning.| without a word.| (twice).|?".split("|")


def made_up(n):
    """Sentences in which some words are frequent and some are rare, so that no two singular values coincide."""
    rng = np.random.default_rng(0)
    parts = [rng.choice(part, n, p=(w := 1 / np.arange(1, len(part) + 1)) / w.sum()) for part in (SUBJECTS, VERBS)]
    parts += [rng.choice(part, n, p=(w := 1 / np.arange(1, len(part) + 1)) / w.sum()) for part in (OBJECTS, ENDS)]
    return [f"{s.capitalize()} {v} {o}{e}" for s, v, o, e in zip(*parts, strict=True)]


TEXTS = made_up(400)


@pytest.fixture(scope="module")
def spaces():
    return classical_embeddings(TEXTS, width=16)


@pytest.mark.parametrize("name", EMBEDDINGS)
def test_every_space_has_a_finite_row_for_every_text_and_none_of_zeros(spaces, name):
    space = spaces[name]
    assert space.dtype == np.float64
    assert space.shape[0] == len(TEXTS) and 1 < space.shape[1] <= 16
    assert np.isfinite(space).all()
    assert (np.linalg.norm(space, axis=1) > 0).all()
    assert np.linalg.matrix_rank(space) >= space.shape[1] - 4  # words that always go together add nothing


@pytest.mark.parametrize("name", ["words_svd", "presence_svd", "word_vectors_mean", "word_vectors_sif"])
def test_texts_without_a_known_word_get_the_mean_of_the_other_rows(name):
    unknown = ["Zymurgy!", "Quixotic xylophones."]
    space = classical_embeddings([*TEXTS, *unknown], width=16, names=[name])[name]
    rows, others = space[-2:], space[:-2]
    # The mean of n rows, whatever the order of the sum: n roundings of the longest of them.
    bound = len(others) * np.finfo(float).eps * np.abs(others).max()
    assert np.abs(rows - others.mean(axis=0)).max() <= bound


def test_no_two_spaces_are_the_same(spaces):
    distances = {name: pdist(space) for name, space in spaces.items()}
    for first in distances:
        for second in distances:
            if first != second:
                assert np.corrcoef(distances[first], distances[second])[0, 1] < 0.999, (first, second)


def near(space):
    """How far an embedding may be off: singular vectors by rounding over the gap of their values, lengths of columns.

    Of those without singular vectors the columns have lengths too, and no less far apart.
    """
    lengths = np.linalg.norm(space, axis=0)
    return {"rtol": 0, "atol": tolerance.apart(len(space), condition=tolerance.gap(lengths)) * np.abs(space).max()}


def test_one_name_alone_gives_the_same_as_among_all(spaces):
    for name in EMBEDDINGS:
        alone = classical_embeddings(TEXTS, width=16, names=[name])[name]
        np.testing.assert_allclose(alone, spaces[name], **near(alone))


def test_names_choose_and_order():
    assert list(classical_embeddings(TEXTS, width=4, names=["surface", "words_svd"])) == ["surface", "words_svd"]
    assert list(classical_embeddings(TEXTS, width=4, names="words_svd")) == ["words_svd"]


def test_full_width_lsa_keeps_all_inner_products_of_tfidf():
    space = classical_embeddings(TEXTS, width=500, names=["words_svd"])["words_svd"]
    vectors = TfidfVectorizer(token_pattern=r"\w+", min_df=2, sublinear_tf=True).fit_transform(TEXTS)
    off = tolerance.apart(vectors.shape[1]) * np.linalg.norm(vectors.toarray(), 2) ** 2
    np.testing.assert_allclose(space @ space.T, (vectors @ vectors.T).toarray(), rtol=0, atol=off)


def test_random_projection_nearly_keeps_distances():
    space = classical_embeddings(TEXTS, width=2000, names=["words_projected"])["words_projected"]
    vectors = TfidfVectorizer(token_pattern=r"\w+", min_df=2, sublinear_tf=True).fit_transform(TEXTS).toarray()
    ratio = pdist(space)[pdist(vectors) > 0.1] / pdist(vectors)[pdist(vectors) > 0.1]
    assert 0.8 < ratio.min() and ratio.max() < 1.2


def test_hashing_needs_no_other_text():
    few = classical_embeddings(TEXTS[:200], width=16, names=["words_hashed"])["words_hashed"]
    all_of_them = classical_embeddings(TEXTS, width=16, names=["words_hashed"])["words_hashed"]
    np.testing.assert_array_equal(few, all_of_them[:200])


def test_the_order_of_words_changes_no_count_and_letter_case_only_the_surface():
    turned = [" ".join(reversed(text.rstrip(".!").split())) for text in TEXTS]
    plain = [text.rstrip(".!") for text in TEXTS]
    names = ["words_svd", "presence_svd", "words_projected", "words_hashed"]
    before, after = (classical_embeddings(texts, width=8, names=names) for texts in (plain, turned))
    for name in names:
        np.testing.assert_allclose(before[name], after[name], **near(before[name]))
    mixed = [text.title() if i % 2 else text.upper() for i, text in enumerate(plain)]
    shouted = classical_embeddings(mixed, width=8, names=[*names, "surface"])
    for name in names:
        np.testing.assert_allclose(before[name], shouted[name], **near(before[name]))
    assert not np.allclose(shouted["surface"], classical_embeddings(plain, width=8, names="surface")["surface"])


def test_words_in_like_company_get_like_vectors():
    company = ["{} eats fresh grass daily", "{} runs across green fields", "farmers feed {} every morning"]
    tools = ["{} drives long steel nails", "{} hangs above wooden benches", "carpenters sharpen {} each evening"]
    texts = [c.format(w) for c in company for w in ("sheep", "goats")]
    texts += [c.format(w) for c in tools for w in ("hammers", "chisels")]
    probes = ["sheep", "goats", "hammers", "chisels"]
    space = classical_embeddings(texts + probes, width=6, names=["word_vectors_mean"])["word_vectors_mean"][-4:]
    space = space / np.linalg.norm(space, axis=1, keepdims=True)
    cosine = space @ space.T
    assert min(cosine[0, 1], cosine[2, 3]) > 0.95
    assert np.abs(cosine[:2, 2:]).max() < 0.3


def test_the_weighted_word_vectors_have_lost_their_common_direction(spaces):
    plain, space = spaces["word_vectors_mean"], spaces["word_vectors_sif"]
    assert np.linalg.matrix_rank(space, tol=1e-8) == np.linalg.matrix_rank(plain, tol=1e-8) - 1

    def share(x):
        return np.linalg.norm(x.mean(axis=0)) ** 2 / (x**2).sum(axis=1).mean()

    assert share(space) < 0.1 < share(plain)


def test_a_text_without_known_words_gets_the_mean_of_the_others():
    texts = [*TEXTS[:100], "Zyxwv!"]
    for name in ("words_svd", "presence_svd", "words_projected", "words_hashed", "word_vectors_mean"):
        space = classical_embeddings(texts, width=8, names=[name])[name]
        off = tolerance.apart(100) * np.abs(space).max()
        np.testing.assert_allclose(space[-1], space[:-1].mean(axis=0), rtol=0, atol=off)


def test_equal_in_processes_that_hash_differently(spaces, tmp_path):
    code = (
        "import sys, numpy; from helpers.encoders.classical import classical_embeddings\n"
        "texts = open(sys.argv[1], encoding='utf8').read().splitlines()\n"
        "numpy.savez(sys.argv[2], **classical_embeddings(texts, width=16))"
    )
    (tmp_path / "texts").write_text("\n".join(TEXTS), encoding="utf8")
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    env = {**os.environ, "PYTHONHASHSEED": "4711", "PYTHONPATH": root}
    subprocess.run([sys.executable, "-c", code, tmp_path / "texts", tmp_path / "out.npz"], env=env, check=True)
    with np.load(tmp_path / "out.npz") as found:
        assert list(found) == list(spaces)
        for name in spaces:
            np.testing.assert_allclose(found[name], spaces[name], **near(spaces[name]))


def test_the_seed_changes_the_projection_and_nothing_else():
    first, second = (classical_embeddings(TEXTS, width=16, rng=seed) for seed in (0, 1))
    for name in EMBEDDINGS:
        assert np.allclose(first[name], second[name], **near(first[name])) == (name != "words_projected")


def test_lsa_is_the_exact_truncated_svd(spaces):
    vectors = TfidfVectorizer(token_pattern=r"\w+", min_df=2, sublinear_tf=True).fit_transform(TEXTS).toarray()
    u, s, _ = np.linalg.svd(vectors, full_matrices=False)
    one = tolerance.apart(max(vectors.shape)) * s[0]  # how far any singular value may be off
    np.testing.assert_allclose(np.linalg.norm(spaces["words_svd"], axis=0), s[:16], rtol=0, atol=one)
    exact, cut = (u * s)[:, :16], s[15] - s[16]
    found = spaces["words_svd"] @ spaces["words_svd"].T
    np.testing.assert_allclose(found, exact @ exact.T, rtol=0, atol=one * s[0] * s[0] / cut)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"texts": "one string"}, TypeError, "single string"),
        ({"texts": ["a", None]}, TypeError, r"texts\[1\] is a NoneType"),
        ({"texts": ["a b", "  ", "c"]}, ValueError, r"texts\[1\] is blank"),
        ({"texts": ["alone"]}, ValueError, "1 texts; at least 2"),
        ({"texts": ["one two", "three four"], "names": ["words_svd"]}, ValueError, "no word occurs in two"),
        ({"texts": ["same", "same"], "names": ["surface"]}, ValueError, "do not differ in form"),
        ({"texts": ["ab", "ab"], "names": ["word_vectors_mean"]}, ValueError, "no two words stand beside"),
        ({"texts": TEXTS, "width": 0}, ValueError, "width is 0"),
        ({"texts": TEXTS, "width": 2.5}, ValueError, "width is 2.5"),
        ({"texts": TEXTS, "names": ["word2vec"]}, ValueError, "unknown embedding 'word2vec'; there are words_svd"),
    ],
)
def test_bad_input_is_named(arguments, error, message):
    with pytest.raises(error, match=message):
        classical_embeddings(arguments.pop("texts"), **arguments)
