"""Descriptions and similarities of spaces have intervals and chance levels."""

import numpy as np
import pytest

from helpers.report import (
    describe_spaces,
    matrix_of,
    pairwise_similarity,
)


def test_similarities_have_intervals_and_chance(suspects):
    table = suspects[1]
    assert (table["ci_low"] <= table["value"]).all() and (table["value"] <= table["ci_high"]).all()
    apart = table[(table["b"] == "dice") & (table["measure"] == "cka")]
    assert np.allclose(apart["value"], apart["chance"], atol=0.03)  # as wide as their intervals
    cka = matrix_of(table, "cka")
    assert np.allclose(cka, cka.T) and (np.diag(cka) == 1).all()
    with pytest.raises(ValueError, match="only one embedding"):
        pairwise_similarity({"x": suspects[0]["x"]})


def test_what_was_read_is_described():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 5)).astype(np.float32)
    table = describe_spaces({"even": x, "cone": x + 9})
    assert table.loc["cone", "anisotropy"] > 0.9 > 0.1 > abs(table.loc["even", "anisotropy"])
    even = table.loc["even"]
    spread = 2 * (even["effective_rank"] - even["effective_rank_ci_low"])  # four standard deviations
    assert even["effective_rank"] == pytest.approx(even["isotropic_rank"], abs=spread) and spread < 0.1
    assert (table["effective_rank_ci_low"] <= table["effective_rank"]).all()
