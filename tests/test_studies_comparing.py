"""Few units have a difference, and nothing that could be taken for more."""

import numpy as np
import pytest

from helpers.inference import paired
from helpers.studies.comparing import LEAST_UNITS, least_p, paired_or_open, paired_table


@pytest.mark.parametrize("n", [1, 2, 5, 6, 17])
def test_fewer_than_six_units_have_no_interval_and_are_never_told_apart(n):
    a = np.linspace(1.0, 1.1, n)
    found = paired_or_open(a, np.zeros(n))
    assert found.difference == pytest.approx(a.mean())
    if n < LEAST_UNITS:
        assert np.isnan([found.low, found.high]).all() and found.verdict == "not distinguishable"
        assert np.isnan(found.p) if n == 1 else found.p >= least_p(n)
    else:
        assert found == paired(a, np.zeros(n)) and found.verdict == "better"


def test_the_least_p_is_that_of_units_that_all_agree():
    for n in (3, 6, 9):
        assert paired(np.arange(1.0, n + 1), np.zeros(n)).p == pytest.approx(least_p(n))
    assert least_p(LEAST_UNITS) <= 0.05 < least_p(LEAST_UNITS - 1)


def test_units_of_one_group_count_as_one():
    a, groups = np.arange(12.0), np.repeat(np.arange(4), 3)
    assert np.isnan(paired_or_open(a, np.zeros(12), groups=groups).low)
    assert not np.isnan(paired_or_open(a, np.zeros(12)).low)


def test_a_table_of_few_units_has_p_and_no_limits():
    table = paired_table({"a": ([1, 2, 3], [0, 0, 0]), "b": ([1, 2, 4], [0, 0, 1])})
    assert table[["ci_low", "ci_high"]].isna().all(axis=None) and table["p_holm"].tolist() == [0.5, 0.5]
    assert f"{paired_or_open([1.0, 2.0], [0.0, 0.0]):.1f}" == "1.5"
