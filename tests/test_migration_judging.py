"""How much of search is kept: against a count by hand, at chance for noise, and fair halves."""

import numpy as np
import pytest
from tolerance import of_a_mean

from helpers.migration import search_kept
from helpers.migration.judging import overlap_of_searches


def brute(new, mapped, k):
    new, mapped = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (new, mapped))
    overlap = []
    for i in range(len(new)):
        others = [j for j in range(len(new)) if j != i]
        truth = sorted(others, key=lambda j: -(new[i] @ new[j]))[:k]
        found = sorted(others, key=lambda j: -(new[i] @ mapped[j]))[:k]
        overlap.append(len(set(truth) & set(found)) / k)
    return overlap


def test_overlap_is_that_of_a_plain_count():
    rng = np.random.default_rng(0)
    new = rng.normal(size=(40, 6))
    mapped = new + rng.normal(size=(40, 6))
    found = search_kept(new, mapped, k=5)
    assert found.overlap.tolist() == brute(new, mapped, 5)
    assert found.mean.low <= found.mean.estimate == found.overlap.mean() <= found.mean.high


def test_noise_is_at_chance():
    rng = np.random.default_rng(1)
    found = search_kept(rng.normal(size=(600, 30)), rng.normal(size=(600, 30)), k=10)
    # Of k neighbours a hypergeometric number is met: variance below that of a binomial one.
    width = of_a_mean(np.sqrt(found.chance * (1 - found.chance) / 10), 600)
    assert abs(found.mean.estimate - found.chance) < width
    assert found.found_itself.mean() < 0.05


def test_a_perfect_map_loses_nothing_and_is_not_favoured():
    x = np.random.default_rng(2).normal(size=(500, 8))
    found = search_kept(x, x, k=10)
    assert found.overlap.min() == 1 and found.found_itself.all()
    # Which half an object is in is a fair draw: of 500 objects 250 ± the spread of the neighbours' hubness.
    assert abs(found.mapped_share - 0.5) < of_a_mean(0.5, 500)


def test_vectors_that_shrink_to_the_mean_crowd_out_true_ones():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(500, 20)) + 1
    mapped = x.mean(0) + 0.5 * (x - x.mean(0))
    assert search_kept(x, mapped, k=10).mapped_share > 0.5 + of_a_mean(0.5, 500)


def test_blocks_of_queries_change_nothing(monkeypatch):
    from helpers.migration import judging

    rng = np.random.default_rng(4)
    a, b = rng.normal(size=(50, 5)), rng.normal(size=(50, 7))
    whole = overlap_of_searches(a, b, k=4)
    monkeypatch.setattr(judging, "BLOCK", 7)
    assert overlap_of_searches(a, b, k=4).tolist() == whole.tolist()


def test_bad_input_is_named():
    x = np.random.default_rng(0).normal(size=(20, 4))
    with pytest.raises(ValueError, match="k is 20"):
        search_kept(x, x, k=20)
    with pytest.raises(ValueError, match="shape"):
        search_kept(x, x[:, :3])
    with pytest.raises(ValueError, match="mapped: row 3 is zero"):
        search_kept(x, np.where(np.arange(20)[:, None] == 3, 0, x))
