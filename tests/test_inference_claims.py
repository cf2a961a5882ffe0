"""The rule for published claims: what it says, how often it errs, and how a table of claims is written."""

import math

import numpy as np
import pandas as pd
import pytest
import tolerance
from scipy import stats

from helpers.inference import (
    CLAIM_VERDICTS,
    PROOF,
    Claim,
    Finding,
    absent,
    claims_table,
    deduced,
    detectable_effect,
    exceeded_words,
    holm,
    judge,
    p_from_interval,
    paired_finding,
    share_finding,
    weakest,
)

YES, NO, OPEN = CLAIM_VERDICTS
MANY = 10**6  # units, so that Student's t is the normal distribution
Z = stats.norm.isf(0.025)


def verdict(claim, low, high, **more):
    found = Finding((low + high) / 2, low, high, more.pop("n", MANY), "tasks", **more)
    return judge({"c": claim}, {"c": found}).loc["c", "verdict"]


def normal(estimate, error=1.0):
    """The finding of a study whose estimate is normal with a known standard error."""
    return Finding(estimate, estimate - Z * error, estimate + Z * error, MANY, "tasks")


def above(rate, trials):
    """A rate that is hardly ever exceeded where the true one is at most ``rate``."""
    return rate + tolerance.of_a_share(rate, trials)


# The rule


@pytest.mark.parametrize(
    ("claim", "low", "high", "expected"),
    [
        (Claim("side"), 0.1, 0.5, YES),
        (Claim("side"), -0.5, -0.1, NO),
        (Claim("side"), -0.1, 0.5, OPEN),
        (Claim("side", side="less"), 0.1, 0.5, NO),
        (Claim("side", side="less"), -0.5, -0.1, YES),
        (Claim("number", published=2.0), -0.5, 0.5, NO),  # excludes the number
        (Claim("number", published=2.0), -0.5, 2.5, OPEN),  # leaves room for both
        (Claim("number", published=2.0), 0.5, 1.5, YES),  # the side is judged, and the size stands beside it
        (Claim("number", side="less", published=-2.0), -0.5, 0.5, NO),
        (Claim("at least", published=2.0, smallest=0.3), -0.5, 0.5, OPEN),  # the smallest effect of interest decides
        (Claim("at least", published=2.0, smallest=0.8), -0.5, 0.5, NO),
        (Claim("at least", published=2.0, smallest=0.8), 0.1, 0.5, NO),  # surely too small to count
        (Claim("at least", published=2.0, smallest=0.8), 0.1, 0.9, YES),
        (Claim("hard to beat", side="less", null=1.0), -0.5, 0.5, YES),
        (Claim("hard to beat", side="less", null=1.0), 0.5, 1.5, OPEN),
        (Claim("hard to beat", side="less", null=1.0), 1.5, 2.5, NO),
        (Claim("same", side="equal", margin=1.0), -0.5, 0.5, YES),
        (Claim("same", side="equal", margin=1.0), 0.5, 1.5, OPEN),
        (Claim("same", side="equal", margin=1.0), -2.5, -1.5, NO),
        (Claim("differs", side="two-sided"), -0.5, -0.1, YES),
        (Claim("differs", side="two-sided"), -0.1, 0.1, OPEN),
        (Claim("differs", side="two-sided", smallest=0.5), -0.1, 0.1, NO),
        (Claim("more often than not", null=0.5, published=0.88), 0.55, 0.8, YES),
        (Claim("more often than not", null=0.5, published=0.88), 0.4, 0.8, NO),
    ],
    ids=lambda value: value.text if isinstance(value, Claim) else str(value),
)
def test_the_rule_by_hand(claim, low, high, expected):
    assert verdict(claim, low, high) == expected


@pytest.mark.parametrize(
    ("claim", "low", "high", "expected"),
    [
        (Claim("number", published=2.0), 2.1, 3.0, f"{YES}, and exceeded"),
        (Claim("number", published=2.0), 1.9, 3.0, YES),  # the published number is in the interval
        (Claim("number", side="less", published=-2.0), -3.0, -2.1, f"{YES}, and exceeded"),
        (Claim("side alone"), 5.0, 6.0, YES),  # there is no size to exceed
        (Claim("at least", published=2.0, smallest=0.8), 2.1, 3.0, YES),  # the smallest effect is what is claimed
        (Claim("half", side="equal", null=0.5, margin=0.25, better="greater"), 0.8, 0.9, f"{NO}, but exceeded"),
        (Claim("half", side="equal", null=0.5, margin=0.25, better="greater"), 0.1, 0.2, NO),
        (Claim("half", side="equal", null=0.5, margin=0.25), 0.8, 0.9, NO),  # neither side is better
        (Claim("half", side="equal", null=0.5, margin=0.25, better="greater"), 0.6, 0.9, OPEN),
        (Claim("loses", side="less", published=-2.0, better="greater"), 0.5, 1.5, f"{NO}, but exceeded"),
        (Claim("loses", side="less", published=-2.0, better="greater"), -1.5, 0.5, f"{NO}, but exceeded"),
        (Claim("loses", side="less", published=-2.0, better="greater"), -1.5, -0.5, YES),  # it does lose, only less
        (Claim("loses", side="less", published=-2.0, better="greater"), -2.5, 0.5, OPEN),
    ],
    ids=lambda value: value.text if isinstance(value, Claim) else str(value),
)
def test_what_is_better_than_claimed_is_exceeded(claim, low, high, expected):
    found = Finding((low + high) / 2, low, high, MANY, "tasks")
    judged = judge({"c": claim}, {"c": found})
    assert exceeded_words(judged.loc["c"]) == expected == claims_table(judged).loc[claim.text, "verdict"]
    assert verdict(claim, low, high) == expected.split(",")[0]


def test_to_exceed_takes_the_test_of_the_published_number_too():
    claim = Claim("number", published=2.0)
    for p_effect, exceeded in ((0.06, False), (0.05, True)):
        found = judge({"c": claim}, {"c": Finding(2.5, 2.1, 2.9, MANY, "tasks", p_effect=p_effect)}).loc["c"]
        assert found["verdict"] == YES and found["exceeded"] == exceeded
        assert found["note"] == "larger than published"


def test_what_is_better_lies_on_the_other_side_of_the_claim():
    with pytest.raises(ValueError, match="is 'greater', and so is what is better"):
        judge({"c": Claim("c", better="greater")}, {})
    with pytest.raises(ValueError, match="better of claim 'c' is 'more'"):
        judge({"c": Claim("c", better="more")}, {})


def test_a_p_value_that_the_test_can_give_no_smaller_is_at_most_that():
    claims = {name: Claim(name) for name in "ab"}
    found = {"a": Finding(0.3, 0.1, 0.5, 9, "tasks", 0.002, p_floor=0.002)}
    found["b"] = Finding(0.3, 0.1, 0.5, 9, "tasks", 0.02, p_floor=0.002)
    judged = judge(claims, found)
    assert judged["p_at_most"].tolist() == [True, False]
    assert claims_table(judged)["p"].tolist() == ["≤ 0.004", "0.020"]


def test_interval_and_test_have_to_agree():
    claim = Claim("number", published=2.0)
    assert verdict(claim, 0.1, 0.5, p=0.06) == OPEN and verdict(claim, 0.1, 0.5, p=0.05) == YES
    assert verdict(claim, -0.5, 0.5, p_effect=0.06) == OPEN and verdict(claim, -0.5, 0.5, p_effect=0.05) == NO
    found = judge({"c": claim}, {"c": Finding(0.3, 0.1, 0.5, 4, "tasks", p=0.125)})
    assert found.loc["c", "note"] == "the corrected test does not agree (p = 0.125)"
    small = judge({"c": Claim("c", smallest=1.0)}, {"c": Finding(0.3, 0.1, 0.5, MANY, "tasks")}).loc["c"]
    assert (small["verdict"], small["note"]) == (NO, "too small to count")


def test_a_claim_turned_around_has_the_same_verdict():
    rng = np.random.default_rng(0)
    for _ in range(300):
        effect, middle, half = rng.exponential(), rng.normal(), rng.exponential()
        there = verdict(Claim("c", published=effect), middle - half, middle + half)
        back = verdict(Claim("c", side="less", published=-effect), -middle - half, -middle + half)
        assert there == back


def test_units_of_the_number_change_no_verdict():
    rng = np.random.default_rng(0)
    for _ in range(200):
        null, effect, middle, half = rng.normal(), rng.exponential(), rng.normal(), rng.exponential()
        there = verdict(Claim("c", null=null, published=null + effect), middle - half, middle + half)
        scaled = Claim("c", null=100 * null, published=100 * (null + effect))
        assert there == verdict(scaled, 100 * (middle - half), 100 * (middle + half))


def test_an_interval_shorter_than_the_claimed_effect_always_decides():
    rng = np.random.default_rng(0)
    for _ in range(300):
        middle, length = rng.normal(), 0.999 * rng.uniform()
        low, high = middle - length / 2, middle + length / 2
        assert verdict(Claim("c", published=1.0), low, high, p=0.0, p_effect=0.0) in (YES, NO)


def test_few_units_decide_less_than_many():
    claim = Claim("c", published=2.0)
    assert verdict(claim, -1.9, 1.9, n=MANY) == NO and verdict(claim, -1.9, 1.9, n=4) == OPEN
    assert verdict(claim, 0.2, 2.2, n=MANY) == YES and verdict(claim, 0.2, 2.2, n=4) == OPEN


def test_a_proof_reproduces_a_claim_and_one_counterexample_refutes_it_whatever_else_is_asked():
    claims = {name: Claim(name, side="equal", margin=1e-9) for name in ("proved", "refuted")}
    claims["noisy"] = Claim("noisy")
    found = {"proved": deduced(0.0, PROOF), "refuted": deduced(4.0, "counterexample")}
    judged = judge(claims, found | {"noisy": Finding(0.1, -0.1, 0.3, 9, "tasks", p=0.4)})
    assert judged["verdict"].to_dict() == {
        "proved": "reproduced",
        "refuted": "not reproduced",
        "noisy": "not testable here",
    }
    shown = claims_table(judged, detail=True)[["here", "p", "units", "finds"]]
    assert shown.loc["proved"].tolist() == ["—", "—", "proof", "—"]
    assert shown.loc["refuted"].tolist() == ["+4.0", "—", "1 counterexample", "—"]
    assert "—" not in shown.loc["noisy"].tolist()


def test_what_is_absent_is_not_testable_and_takes_part_in_no_correction():
    claims = {"bert": Claim("about BERT"), "other": Claim("about another"), "left out": Claim("about a third")}
    found = judge(claims, {"bert": absent("no BERT here"), "other": Finding(0.3, 0.1, 0.5, 30, "tasks", p=0.04)})
    assert found["verdict"].tolist() == [OPEN, YES, OPEN]
    assert found["note"].tolist() == ["no BERT here", "", "not asked here"]
    assert found.loc["other", "p"] == 0.04


def test_one_unit_decides_nothing():
    claim = Claim("c", published=1.0)
    found = judge({"c": claim}, {"c": paired_finding(claim, [3.0], [1.0], "tasks")}).loc["c"]
    assert found["estimate"] == 2.0 and found["verdict"] == OPEN and found["note"] == "no interval from 1 tasks"


def test_p_values_of_a_family_are_corrected_together():
    p = [0.001, 0.02, 0.03]
    claims = {str(i): Claim("c", published=5.0) for i in range(3)}
    found = judge(claims, {str(i): Finding(1.0, 0.5, 1.5, 50, "tasks", p=one, p_effect=one) for i, one in enumerate(p)})
    assert found["p"].tolist() == found["p_effect"].tolist() == holm(p).tolist()
    assert found["verdict"].tolist() == [YES, YES, YES]
    more = judge(claims, {str(i): Finding(1.0, 0.5, 1.5, 50, "tasks", p=0.03) for i in range(3)})
    assert set(more["verdict"]) == {OPEN}


@pytest.mark.parametrize(
    ("claim", "error", "message"),
    [
        (Claim("c", side="up"), ValueError, "side of claim 'c' is 'up'"),
        (Claim("c", published=-1.0), ValueError, "'greater' than 0.0, and its effect is -1.0"),
        (Claim("c", side="less", smallest=1.0), ValueError, "'less' than 0.0, and its effect is 1.0"),
        (Claim("c", side="equal"), ValueError, "its margin is nan"),
    ],
)
def test_claims_that_make_no_sense_are_refused(claim, error, message):
    with pytest.raises(error, match=message):
        judge({"c": claim}, {})


def test_findings_that_make_no_sense_are_refused():
    with pytest.raises(KeyError, match="'d', which is no claim; claims are c"):
        judge({"c": Claim("c")}, {"d": normal(1.0)})
    with pytest.raises(ValueError, match="p of a finding is 1.5"):
        judge({"c": Claim("c")}, {"c": Finding(1.0, 0.5, 1.5, 50, "tasks", p=1.5)})


# How often it errs


@pytest.mark.parametrize("size", [1, 8])
def test_without_effects_some_claim_of_the_family_is_reproduced_at_the_level_at_most(size):
    rng, trials = np.random.default_rng(1), 500
    claims = {str(i): Claim("c", published=4.0) for i in range(size)}
    wrong = sum(YES in _verdicts(claims, rng.normal(size=size)) for _ in range(trials))
    assert wrong / trials <= above(0.05, trials)


@pytest.mark.parametrize("size", [1, 8])
def test_with_the_claimed_effects_some_claim_is_not_reproduced_at_the_level_at_most(size):
    rng, trials = np.random.default_rng(2), 500
    claims = {str(i): Claim("c", published=4.0) for i in range(size)}
    wrong = sum(NO in _verdicts(claims, 4.0 + rng.normal(size=size)) for _ in range(trials))
    assert wrong / trials <= above(0.05, trials)


def test_with_the_claimed_effects_some_claim_is_called_exceeded_or_not_reproduced_at_the_level_at_most():
    rng, trials = np.random.default_rng(4), 500
    claims = {str(i): Claim("c", published=4.0) for i in range(5)}
    wrong = 0
    for _ in range(trials):
        found = {key: normal(value) for key, value in zip(claims, 4.0 + rng.normal(size=5), strict=True)}
        judged = judge(claims, found)
        wrong += bool(judged["exceeded"].any() or (judged["verdict"] == NO).any())
    assert wrong / trials <= above(0.05, trials)


def test_at_the_edge_of_the_margin_equality_is_reproduced_at_the_level_at_most():
    rng, trials = np.random.default_rng(3), 600
    claims = {"c": Claim("c", side="equal", margin=4.0)}
    wrong = sum(YES in _verdicts(claims, 4.0 + rng.normal(size=1)) for _ in range(trials))
    assert wrong / trials <= above(0.025, trials)


def test_a_claim_is_found_as_often_as_the_detectable_effect_says():
    rng, trials = np.random.default_rng(4), 600
    effect = detectable_effect(-Z, Z)
    claims = {"c": Claim("c")}
    found = sum(YES in _verdicts(claims, effect + rng.normal(size=1)) for _ in range(trials))
    assert abs(found / trials - 0.8) <= tolerance.of_a_share(0.8, trials)


@pytest.mark.parametrize("n", [6, 17])
def test_bootstrap_intervals_of_few_units_err_at_the_level_at_most(n):
    rng, trials = np.random.default_rng(n), 300
    claim, wrong = Claim("c", published=1.0), {0.0: 0, 1.0: 0}
    for trial in range(trials):
        noise = 0.5 * rng.normal(size=n)
        for effect in wrong:
            found = paired_finding(claim, effect + noise, np.zeros(n), "tasks", n_resamples=299, rng=trial)
            wrong[effect] += judge({"c": claim}, {"c": found}).loc["c", "verdict"] == (NO if effect else YES)
    assert max(wrong.values()) / trials <= above(0.025, trials)


def test_the_best_of_several_is_called_so_at_the_level_at_most_and_missed_at_the_level_at_most():
    rng, trials = np.random.default_rng(5), 400
    claim = Claim("the first is better than each of the others")
    errors = {"tied with one": (np.array([0.0, 6.0, 6.0, 6.0]), YES), "best by nothing": (np.zeros(4), NO)}
    for gains, wrong in errors.values():
        count = 0
        for _ in range(trials):
            own, others = rng.normal(), rng.normal(size=4)
            parts = [normal(gain + own - other, math.sqrt(2)) for gain, other in zip(gains, others, strict=True)]
            count += judge({"c": claim}, {"c": weakest(claim, parts)}).loc["c", "verdict"] == wrong
        assert count / trials <= above(0.05, trials)


def _verdicts(claims, estimates):
    return set(judge(claims, dict(zip(claims, map(normal, estimates), strict=True)))["verdict"])


# Findings


def test_the_weakest_part_decides_and_exceptions_are_spared():
    claim = Claim("each", published=1.0)
    parts = [normal(value, 0.1) for value in (3.0, 2.0, -1.0)]
    found = weakest(claim, parts)
    assert found.estimate == -1.0 and found.low == parts[2].low and found.p == 1.0
    wider = stats.norm.isf(0.025 / 3) / Z
    assert np.isclose(found.high, -1.0 + wider * Z * 0.1)
    assert judge({"c": claim}, {"c": found}).loc["c", "verdict"] == NO
    spared = weakest(claim, parts, spare=1)
    assert spared.estimate == 2.0 and judge({"c": claim}, {"c": spared}).loc["c", "verdict"] == YES
    turned = weakest(Claim("each", side="less", published=-1.0), [normal(-part.estimate, 0.1) for part in parts])
    assert np.allclose([-turned.estimate, -turned.high, -turned.low], found[:3]) and turned[3:] == found[3:]
    assert weakest(claim, [*parts, absent("no such model")]).why == "no such model"


def test_a_weakest_part_needs_parts_and_a_side():
    with pytest.raises(ValueError, match="parts has 1 findings, of which 1 may be exceptions"):
        weakest(Claim("c"), [normal(1.0)], spare=1)
    with pytest.raises(ValueError, match="only claims that are 'greater' or 'less'"):
        weakest(Claim("c", side="equal", margin=1.0), [normal(1.0)])


def test_the_p_value_of_an_interval_is_that_of_the_t_test():
    rng = np.random.default_rng(0)
    for n in (3, 10, 200):
        values = rng.normal(0.3, 1, size=n)
        half = Z * values.std() / math.sqrt(n)  # an interval of the normal distribution, as a bootstrap would give it
        ours = p_from_interval(values.mean(), values.mean() - half, values.mean() + half, 0.1, n=n)
        assert np.isclose(ours, stats.ttest_1samp(values, 0.1).pvalue)
    assert p_from_interval(1.0, 1.0, 1.0) == 0.0 and p_from_interval(1.0, 1.0, 1.0, 1.0) == 1.0
    assert math.isnan(p_from_interval(1.0, 0.0, 2.0, n=1)) and math.isnan(p_from_interval(1.0, math.nan, 2.0))


def test_a_paired_finding_is_tested_against_null_and_effect():
    claim = Claim("c", null=1.0, published=3.0)
    a = np.array([2.1, 1.8, 2.4, 2.0, 1.7, 2.2, 1.9])
    found = paired_finding(claim, a, np.zeros(7), "tasks")
    assert found.n == 7 and np.isclose(found.estimate, a.mean()) and found.low < a.mean() < found.high
    assert found.p == found.p_effect == 2 / 2**7  # all above 1, and all below 3
    assert judge({"c": claim}, {"c": found}).loc["c", "verdict"] == YES


def test_a_share_is_tested_exactly():
    claim = Claim("c", null=0.5, published=0.88)
    found = share_finding(claim, 8, 17, "experiments")
    limits = stats.binomtest(8, 17).proportion_ci(0.95)
    assert found[:3] == (8 / 17, limits.low, limits.high)
    assert found.p == stats.binomtest(8, 17, 0.5).pvalue and found.p_effect == stats.binomtest(8, 17, 0.88).pvalue
    assert judge({"c": claim}, {"c": found}).loc["c", "verdict"] == NO


def test_an_equality_is_tested_at_the_nearer_end_of_its_margin():
    claim = Claim("half", side="equal", null=0.5, margin=0.2)
    found = share_finding(claim, 60, 100, "experiments")
    assert found.p == found.p_effect == stats.binomtest(60, 100, 0.7).pvalue
    a = np.array([0.1, -0.2, 0.05, 0.15, -0.1, 0.02])
    same = Claim("same", side="equal", margin=1.0)
    assert paired_finding(same, a, np.zeros(6), "tasks").p == 2 / 2**6  # all below 1
    interval = Finding(0.0, -0.5, 0.5, MANY, "tasks")
    assert np.isclose(judge({"c": same}, {"c": interval}).loc["c", "p"], 2 * stats.norm.sf(2 * Z))


# The table


def test_a_table_of_claims_is_written_in_words():
    claims = {
        "a": Claim("A gains", published=2.0),
        "b": Claim("B wins", null=0.5, spec=".0%"),
        "c": Claim("C is the same", side="equal", margin=1.0),
        "d": Claim("D is hard to beat", side="less", null=1.0),
    }
    found = {"a": normal(1.0, 0.25), "b": share_finding(claims["b"], 15, 17, "experiments"), "d": absent("no D")}
    judged = judge(claims, found, on="small models")
    table = claims_table(judged)
    assert table.columns.tolist() == ["verdict", "here", "published", "p", "units", "on", "note"]
    assert table.loc["A gains"].tolist() == [
        YES,
        "+1.0 [+0.5, +1.5]",
        "+2.0",
        "< 0.001",
        f"{MANY} tasks",
        "small models",
        "smaller than published",
    ]
    assert table["published"].tolist() == ["+2.0", "> 50%", "0 ± 1.0", "< +1.0"]
    assert table.loc["D is hard to beat"].tolist() == [OPEN, "—", "< +1.0", "—", "—", "small models", "no D"]
    both = pd.concat([judged, judge(claims, {}, on="large models", transfer=True)])
    assert claims_table(both)["on"].unique().tolist() == ["small models", "transfer: large models"]
    detailed = claims_table(judge(claims, found), detail=True)
    assert detailed.columns.tolist() == ["verdict", "here", "published", "p", "units", "finds", "note"]
    assert detailed.loc["A gains", "finds"] == f"{detectable_effect(-Z / 4, Z / 4):.1f}"
    assert detailed.loc["D is hard to beat", "note"] == "no D"
