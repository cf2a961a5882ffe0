"""Relatedness against SciPy and simulations, and what it says of words that it does not know."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from helpers.quality.words import WordVectors, relatedness

RNG = np.random.default_rng(0)
WORDS = [f"w{i}" for i in range(40)]
VECTORS = WordVectors(WORDS, RNG.normal(size=(40, 5)))


def made_pairs(n=100, rng=1):
    rng = np.random.default_rng(rng)
    left, right = rng.integers(0, 40, (2, n))
    return pd.DataFrame({"left": [WORDS[i] for i in left], "right": [WORDS[i] for i in right],
                         "score": rng.integers(0, 5, n)})  # fmt: skip


def test_the_correlation_is_that_of_scipy_and_no_score_counts_twice():
    pairs = made_pairs()
    x = VECTORS.x / np.linalg.norm(VECTORS.x, axis=1, keepdims=True)
    left, right = (VECTORS.rows(pairs[side]) for side in ("left", "right"))
    row = relatedness(VECTORS, pairs).iloc[0]
    assert row["spearman"] == pytest.approx(stats.spearmanr((x[left] * x[right]).sum(axis=1), pairs["score"])[0])
    assert row["ci_low"] < row["spearman"] < row["ci_high"]
    assert (row["pairs"], row["covered"], row["coverage"], row["unknown"]) == (100, 100, 1.0, 0)


def test_unknown_words_are_counted_named_and_never_dropped_in_silence():
    pairs = made_pairs(50)
    more = pd.concat([pairs, pd.DataFrame({"left": ["zebra", "w1"], "right": ["w1", "yak"], "score": [4.0, 0.0]})])
    table = relatedness(VECTORS, {"ours": more})
    row = table.loc["ours"]
    assert (row["pairs"], row["covered"], row["unknown"]) == (52, 50, 2)
    assert table.attrs["unknown"]["ours"] == ["yak", "zebra"]
    assert row["spearman"] == pytest.approx(relatedness(VECTORS, pairs)["spearman"].iloc[0])
    x = VECTORS.unit
    cosine = (x[VECTORS.rows(pairs["left"])] * x[VECTORS.rows(pairs["right"])]).sum(axis=1)
    filled = np.append(cosine, [cosine.mean()] * 2)
    assert row["spearman_all"] == pytest.approx(stats.spearmanr(filled, more["score"])[0])


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        (made_pairs(4), "4 pairs are covered"),
        (made_pairs().assign(score=1.0), "all scores"),
        (made_pairs().assign(right=lambda t: t["left"]), "all cosines"),
    ],
)
def test_a_correlation_that_is_not_defined_is_missing_with_the_reason(pairs, said):
    row = relatedness(VECTORS, pairs).iloc[0]
    assert math.isnan(row["spearman"]) and said in row["note"]


def test_a_level_out_of_range_and_no_set_are_refused():
    with pytest.raises(ValueError, match="confidence_level"):
        relatedness(VECTORS, made_pairs(), confidence_level=95)
    with pytest.raises(ValueError, match="at least one set"):
        relatedness(VECTORS, {})
