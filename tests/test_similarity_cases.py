"""Every measure has a definition and a made case that fools it; the cases are what they say."""

import re

import numpy as np
import pytest

from helpers.similarity import MEASURES
from helpers.similarity.cases import CASES, judge_case

SLOW = {"geometry_score"}


@pytest.mark.parametrize("name", [*MEASURES])
def test_every_measure_has_a_formula_and_is_fooled_by_the_case_that_it_names(name):
    measure = MEASURES[name]
    assert measure.formula.count("{") == measure.formula.count("}") and "$" not in measure.formula
    verdicts = [judge_case(name, measure.fooled, rng=seed) for seed in range(1 if name in SLOW else 3)]
    assert all(verdict.fooled for verdict in verdicts), verdicts
    low, high = measure.range
    assert all(low <= value <= high for verdict in verdicts for value in (verdict.alike, verdict.unlike))


def test_every_case_fools_some_measure_and_spares_another():
    used = {measure.fooled for measure in MEASURES.values()}
    assert used == set(CASES)
    spared = {
        "stretched": "cka",
        "loud": "cca",
        "rearranged": "cka",
        "shuffled": "cka",
        "rotated": "cka",
        "scaled": "cka",
        "far": "cka",
        "ring": "cka",
        "wide": "cka_unbiased",
    }
    assert set(spared) == set(CASES)
    assert [case for case, measure in spared.items() if judge_case(measure, case).fooled] == []


@pytest.mark.parametrize("case", CASES.values(), ids=[*CASES])
def test_a_case_asks_a_question_and_has_two_pairs_of_the_same_objects(case):
    assert case.question.endswith("?") and case.alike and case.unlike
    for x, y in case.make(np.random.default_rng(0)):
        assert len(x) == len(y) == 120 and np.isfinite(x).all() and np.isfinite(y).all()


def test_a_difference_of_zero_counts_as_fooled_and_a_correct_order_does_not():
    assert judge_case("magnitude_difference", "shuffled").fooled  # 0, against a small difference
    found = judge_case("cka", "stretched")
    assert found.alike > found.unlike and not found.fooled


def test_an_unknown_case_is_refused_by_name():
    with pytest.raises(KeyError, match="no case is called 'bent'; there are stretched"):
        judge_case("cka", "bent")


def test_a_measure_cannot_be_registered_without_formula_and_case():
    from helpers.similarity.entry import Measure

    fields = {name: getattr(MEASURES["cka"], name) for name in Measure.__dataclass_fields__}
    for name in ("formula", "fooled"):
        with pytest.raises(TypeError, match=re.escape(name)):
            Measure(**{key: value for key, value in fields.items() if key != name})
