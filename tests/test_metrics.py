"""Metrics: as SciPy and scikit-learn have them, ties included; a sample by counts is the sample with repeated items."""

import itertools
import subprocess
import sys

import numpy as np
import pytest
import tolerance
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata, spearmanr
from sklearn.metrics import average_precision_score, ndcg_score
from sklearn.metrics.pairwise import paired_cosine_distances

from helpers import metrics

#: A score here is a quotient of sums of at most 2000 products, none of them negative but for correlations, whose ranks
#: are centred exactly: its error is that of an inner product.
CLOSE = {"rel": tolerance.inner(2000), "abs": tolerance.inner(2000)}

#: Values with many ties, labels, and how often each item is in a sample: of everything equally many.
SAMPLES = st.integers(2, 12).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(-3, 3), min_size=n, max_size=n),
        st.lists(st.integers(-3, 3), min_size=n, max_size=n),
        st.lists(st.integers(0, 1), min_size=n, max_size=n),
        st.lists(st.integers(0, 3), min_size=n, max_size=n),
    )
)


def drawn(n, samples=30, ties=True, seed=0):
    """Two sides with or without ties, labels, and counts of samples of n items."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(2, n))
    if ties:
        x, y = np.round(x), np.round(y + x)
    counts = rng.multinomial(n, np.full(n, 1 / n), samples)
    return x, y, rng.random(n) < 0.3, counts


# Ranks and their correlation


@settings(deadline=None, max_examples=60)
@given(SAMPLES)
def test_ranks_of_a_sample_by_counts_are_those_of_its_repeated_items(sample):
    x, _, _, counts = map(np.array, sample)
    found = metrics.average_ranks(x, counts=counts)
    assert np.array_equal(np.repeat(found, counts), rankdata(np.repeat(x, counts)))


@settings(deadline=None, max_examples=60)
@given(SAMPLES)
def test_ranks_of_many_rows_are_those_of_each(sample):
    x, y, _, counts = map(np.array, sample)
    rows, weights = np.stack([x, y]), np.stack([counts, counts[::-1]])
    found = metrics.average_ranks(rows, counts=weights)
    for row, weight, ranks in zip(rows, weights, found, strict=True):
        assert np.array_equal(ranks, metrics.average_ranks(row, counts=weight))
    assert np.array_equal(metrics.average_ranks(rows), rankdata(rows, axis=1))
    together = metrics.average_ranks(rows[:, None], counts=weights)
    assert together.shape == (2, 2, len(x)) and np.array_equal(together[0, 0], found[0])


@settings(deadline=None, max_examples=60)
@given(SAMPLES)
def test_ranks_add_up_to_those_of_any_order_and_are_turned_by_a_change_of_sign(sample):
    x, _, _, counts = map(np.array, sample)
    total = counts.sum()
    ranks = metrics.average_ranks(x, counts=counts)
    assert counts @ ranks == total * (total + 1) / 2
    assert np.array_equal(metrics.average_ranks(-x, counts=counts)[counts > 0], (total + 1 - ranks)[counts > 0])


def test_an_item_that_a_sample_has_not_stands_between_the_others():
    assert metrics.average_ranks([1, 2, 3], counts=[1, 0, 1]).tolist() == [1, 1.5, 2]


@pytest.mark.parametrize("ties", [True, False])
@pytest.mark.parametrize("n", [2, 7, 400])
def test_spearman_is_that_of_scipy_for_the_whole_and_for_every_sample(n, ties):
    x, y, _, counts = drawn(n, ties=ties)
    if np.ptp(x) and np.ptp(y):
        assert metrics.spearman(x, y) == pytest.approx(spearmanr(x, y).statistic, **CLOSE)
    found = metrics.spearman(x, y, counts=counts)
    for value, count in zip(found, counts, strict=True):
        a, b = np.repeat(x, count), np.repeat(y, count)
        if np.ptp(a) and np.ptp(b):
            assert value == pytest.approx(spearmanr(a, b).statistic, **CLOSE)
        else:
            assert np.isnan(value)


@settings(deadline=None, max_examples=60)
@given(SAMPLES)
def test_spearman_does_not_depend_on_sides_order_or_increasing_maps(sample):
    x, y, _, counts = map(np.array, sample)
    value = metrics.spearman(x, y, counts=counts)
    same = {"abs": tolerance.inner(len(x)), "nan_ok": True}
    assert metrics.spearman(y, x, counts=counts) == pytest.approx(value, **same)
    assert metrics.spearman(x[::-1], y[::-1], counts=counts[::-1]) == pytest.approx(value, **same)
    assert metrics.spearman(np.exp(x), y**3, counts=counts) == pytest.approx(value, **same)
    assert metrics.spearman(-x, y, counts=counts) == pytest.approx(-value, **same)
    varies = len(set(np.repeat(x, counts).tolist())) > 1
    assert metrics.spearman(x, x, counts=counts) == pytest.approx(1 if varies else np.nan, **same)


def test_spearman_of_rows_is_computed_at_once_and_broadcasts():
    x, y = np.random.default_rng(0).integers(0, 9, (2, 5, 40))
    found = metrics.spearman(x[:, None], y)
    assert found.shape == (5, 5) and found[1, 3] == metrics.spearman(x[1], y[3])


def test_weights_need_not_be_whole_and_only_their_proportions_count():
    x, y, _, counts = drawn(60)
    for score in (metrics.spearman, metrics.average_precision, metrics.purity):
        whole = score(x > 0, y, counts=counts)
        assert score(x > 0, y, counts=counts / 7) == pytest.approx(whole, **CLOSE)
        assert score(x > 0, y, counts=3 * counts) == pytest.approx(whole, **CLOSE)


def test_a_constant_side_has_no_correlation_whatever_the_weights():
    weights = np.random.default_rng(0).random((50, 30))
    x = np.arange(30)
    for counts in (None, weights, np.ones(30, int)):
        assert np.isnan(metrics.spearman(x, np.full(30, 0.1), counts=counts)).all()
        assert np.all(metrics.spearman(x, np.full(30, 0.1), counts=counts, undefined=0.0) == 0)
    assert np.isnan(metrics.spearman(x, x, counts=np.eye(30)[:1])).all()  # a sample of one item


# Average precision


@pytest.mark.parametrize("dtype", [np.int64, np.float32, np.float64, np.uint8])
@pytest.mark.parametrize(("n", "ties"), [(5, True), (40, True), (400, True), (400, False)])
def test_average_precision_is_that_of_scikit_learn_for_the_whole_and_for_every_sample(n, ties, dtype):
    _, scores, labels, counts = drawn(n, ties=ties)
    labels[0] = True
    assert metrics.average_precision(labels, scores) == pytest.approx(average_precision_score(labels, scores), **CLOSE)
    found = metrics.average_precision(labels, scores, counts=counts.astype(dtype))
    for value, count in zip(found, counts, strict=True):
        if (labels * count).any():
            expected = average_precision_score(np.repeat(labels, count), np.repeat(scores, count))
            assert value == pytest.approx(expected, **CLOSE)
        else:
            assert np.isnan(value)


@settings(deadline=None, max_examples=60)
@given(SAMPLES)
def test_average_precision_by_its_definition(sample):
    _, scores, labels, counts = map(np.array, sample)
    value = metrics.average_precision(labels, scores, counts=counts)
    positive = counts[labels == 1].sum()
    if not positive:
        assert np.isnan(value)
        return
    expected = 0.0
    for level in np.unique(scores):
        above = scores >= level
        precision = counts[above & (labels == 1)].sum() / max(counts[above].sum(), 1)
        expected += counts[(scores == level) & (labels == 1)].sum() / positive * precision
    assert value == pytest.approx(expected, abs=tolerance.inner(len(scores))) and 0 < value <= 1
    assert metrics.average_precision(labels[::-1], scores[::-1], counts=counts[::-1]) == pytest.approx(
        value, abs=tolerance.inner(len(scores))
    )


def test_average_precision_counts_beyond_what_single_precision_can():
    counts = np.float32([2**24, 2**24, 1, 1])
    expected = metrics.average_precision([0, 1, 1, 0], [4, 3, 2, 1], counts=counts.astype(np.float64))
    assert metrics.average_precision([0, 1, 1, 0], [4, 3, 2, 1], counts=counts) == expected


# Graded relevance


@pytest.mark.parametrize("k", [1, 3, 10, 50])
def test_ndcg_is_that_of_scikit_learn_ties_included(k):
    rng = np.random.default_rng(0)
    grades, scores = rng.integers(0, 4, (20, 30)), rng.integers(0, 6, (20, 30))
    grades[:, 0] = 1  # there a query without any relevant document has the value 0
    expected = [ndcg_score(g[None], s[None], k=k) for g, s in zip(grades, scores, strict=True)]
    assert metrics.ndcg(grades, scores, k=k) == pytest.approx(expected, **CLOSE)
    assert metrics.ndcg(grades[0], scores[0], k=k) == pytest.approx(expected[0], **CLOSE)


def test_ties_gain_the_mean_over_all_their_orders():
    grades, scores = np.array([3, 0, 1, 2, 0]), np.array([1.0, 2, 1, 1, 2])
    orders = [np.lexsort((list(order), -scores)) for order in itertools.permutations(range(5))]
    values = [metrics.ndcg_of_ranking(grades[None, order], [grades], k=4)[0] for order in orders]
    assert metrics.ndcg(grades, scores, k=4) == pytest.approx(np.mean(values), **CLOSE)
    assert np.ptp(values) > 0.1


def test_a_given_ranking_has_the_ndcg_of_scores_that_rank_so():
    rng = np.random.default_rng(1)
    grades, scores = rng.integers(0, 3, (9, 25)), rng.permuted(np.tile(np.arange(25), (9, 1)), axis=1)
    grades[0] = 0
    top = metrics.top_k(scores, 10)
    found = metrics.ndcg_of_ranking(np.take_along_axis(grades, top, axis=1), list(grades), k=10)
    assert found == pytest.approx(metrics.ndcg(grades, scores, k=10), **CLOSE, nan_ok=True)
    assert np.isnan(found[0]) and not np.isnan(found[1:]).any()


def test_what_was_not_found_counts_in_the_best_ranking():
    assert metrics.ndcg_of_ranking([[1, 0]], [[1, 1, 1]], k=2)[0] == pytest.approx(1 / (1 + 1 / np.log2(3)))
    assert metrics.ndcg_of_ranking([[2.0]], [[2, 1]], k=10)[0] == pytest.approx(2 / (2 + 1 / np.log2(3)))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(-3, 3), min_size=1, max_size=12), st.data())
def test_the_top_k_are_a_sorted_list_cut_off_with_ties_by_the_order_given(scores, data):
    k = data.draw(st.integers(1, len(scores)))
    order = data.draw(st.permutations(range(len(scores))))
    expected = sorted(range(len(scores)), key=lambda i: (-scores[i], order[i]))[:k]
    assert metrics.top_k(scores, k, order=order).tolist() == expected
    assert metrics.top_k([scores, scores], k, order=order).tolist() == [expected, expected]
    by_column = sorted(range(len(scores)), key=lambda i: (-scores[i], i))[:k]
    assert metrics.top_k(scores, k).tolist() == by_column


def test_the_top_k_leave_excluded_documents_behind():
    assert metrics.top_k([[-np.inf, 1.0, 2.0]], 2).tolist() == [[2, 1]]


# Clusters


@settings(deadline=None, max_examples=60)
@given(SAMPLES)
def test_purity_by_its_definition_and_by_repeated_items(sample):
    labels, clusters, _, counts = map(np.array, sample)
    value = metrics.purity(labels, clusters, counts=counts)
    if not counts.any():
        assert np.isnan(value)
        return
    a, b = np.repeat(labels, counts), np.repeat(clusters, counts)
    expected = sum(max((a[b == c] == name).sum() for name in a) for c in np.unique(b)) / len(a)
    assert value == pytest.approx(expected, abs=tolerance.inner(len(a)))
    assert metrics.purity(a, b) == pytest.approx(expected, abs=tolerance.inner(len(a)))
    assert metrics.purity(a, np.arange(len(a))) == 1


def test_one_cluster_has_the_share_of_the_most_frequent_label():
    assert metrics.purity(list("aaab"), np.zeros(4)) == 0.75
    assert metrics.purity(list("aaab"), np.zeros(4), counts=[[1, 1, 1, 1], [0, 0, 1, 2]]).tolist() == [0.75, 2 / 3]


# Pairs of rows


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_cosines_of_pairs_are_those_of_scikit_learn_and_exactly_one_for_copies(dtype):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 50, 20)).astype(dtype)
    y[:10] = x[:10]
    found = metrics.pair_cosines(x, y)
    assert found.dtype == np.float64 and (found[:10] == 1).all()
    # Both divide by two lengths, each a sum of 20 products, and differ from the cosine by no more than these do.
    bound = 4 * tolerance.inner(20, dtype)
    assert found == pytest.approx(1 - paired_cosine_distances(x, y).astype(float), abs=bound)


def test_a_zero_row_has_the_cosine_zero():
    assert metrics.pair_cosines([[0, 0], [0, 0], [1, 0]], [[0, 0], [1, 0], [-2, 0]]).tolist() == [0, 0, -1]


# Bad input


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.average_ranks([1, np.nan]), r"values\[1\] is NaN"),
        (lambda: metrics.average_ranks([[1, 2], [np.nan, 1]]), r"values\[1, 0\] is NaN"),
        (lambda: metrics.average_ranks(["a", "b"]), "values has shape"),
        (lambda: metrics.average_ranks(3), r"values has shape \(\)"),
        (lambda: metrics.average_ranks([1, 2], counts=[1, -1]), "negative or not finite"),
        (lambda: metrics.average_ranks([1, 2], counts=[1, np.inf]), "negative or not finite"),
        (lambda: metrics.average_ranks([1, 2], counts=[1, np.nan]), "negative or not finite"),
        (lambda: metrics.average_ranks([1, 2], counts=[1, 2, 3]), r"\(\.\.\., 2\) numbers are needed"),
        (lambda: metrics.spearman([1, 2, 3], [1, 2]), "x has 3 items and y 2"),
        (lambda: metrics.spearman([1], [1]), "two at least"),
        (lambda: metrics.average_precision([0, 2], [1, 2]), "labels have the value"),
        (lambda: metrics.average_precision([0, 1, 1], [1, 2]), "one of each item"),
        (lambda: metrics.average_precision([0, 1], [1, np.nan]), r"scores\[1\] is NaN"),
        (lambda: metrics.ndcg([0, 1], [1, 2, 3]), "must be the same"),
        (lambda: metrics.ndcg([0, -1], [1, 2]), "grades are not negative"),
        (lambda: metrics.ndcg([0, 1], [1, 2], k=0), "k is 0"),
        (lambda: metrics.ndcg_of_ranking([[1, 2]], [[1], [2]]), "for 2 queries"),
        (lambda: metrics.ndcg_of_ranking([[1.0]], [[np.nan]]), r"judged\[0\]\[0\] is NaN"),
        (lambda: metrics.discounted_gain([np.nan]), r"gains\[0\] is NaN"),
        (lambda: metrics.top_k([[1, 2]], 3), "k is 3"),
        (lambda: metrics.top_k([[1, 2], [np.nan, 1]], 1), "NaN in row 1, column 0"),
        (lambda: metrics.purity([], []), "one of each item"),
        (lambda: metrics.purity([1, 2], [1]), "one of each item"),
        (lambda: metrics.pair_cosines([[1, 2]], [[1]]), "two matrices of one shape"),
    ],
)
def test_bad_input_is_refused_and_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_metrics_load_nothing_heavy():
    code = (
        "import sys, helpers.metrics; print([m for m in ('torch', 'sklearn', 'pandas', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
