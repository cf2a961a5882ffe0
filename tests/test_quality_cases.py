"""Every quality has a definition and a made case in which it rates the worse space higher."""

import pytest

from helpers.quality import QUALITIES
from helpers.quality.cases import QUALITY_CASES, judge_quality


@pytest.mark.parametrize("name", QUALITIES)
def test_every_quality_has_a_formula_and_is_fooled_by_the_case_that_it_names(name):
    entry = QUALITIES[name]
    assert entry.formula.count("{") == entry.formula.count("}") and "$" not in entry.formula
    for seed in range(3):
        found = judge_quality(name, entry.fooled, rng=seed)
        assert found.fooled and found.accuracy_good > found.accuracy_bad + 0.15, found
        turned = {"larger": 1, "smaller": -1}.get(entry.better)
        if turned:
            assert turned * found.bad > turned * found.good


def test_every_case_is_used_and_an_unknown_one_is_refused():
    assert {entry.fooled for entry in QUALITIES.values()} == set(QUALITY_CASES)
    with pytest.raises(KeyError, match="no case is called 'bent'; there are noise"):
        judge_quality("rankme", "bent")
