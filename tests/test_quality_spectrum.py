"""Qualities of the spectrum: special cases that can be worked out, definitions by hand, bad input."""

import numpy as np
import pytest
import tolerance
from scipy.stats import ortho_group

from helpers import quality
from helpers.quality import QUALITIES, mean_cosine, rankme, stable_rank


@pytest.fixture(scope="module")
def x():
    rng = np.random.default_rng(0)
    return rng.normal(size=(60, 5)) @ np.diag([3.0, 2.0, 1.0, 1.0, 0.5]) + 1


def test_pseudo_condition_number_is_of_the_singular_values_that_are_not_zero():
    assert quality.pseudo_condition_number(np.diag([6.0, 3.0, 2.0])) == pytest.approx(3)
    assert quality.pseudo_condition_number(np.diag([6.0, 3.0, 0.0])) == pytest.approx(2)
    lost = np.outer(np.arange(1.0, 6), [1.0, 2.0]).astype(np.float32)  # rank one, but for rounding
    assert quality.pseudo_condition_number(lost) == pytest.approx(1)
    x = np.diag([1.0, 1e-8])
    assert quality.pseudo_condition_number(x) == 1 and quality.pseudo_condition_number(x, tolerance=0) > 1e7
    square = np.random.default_rng(0).normal(size=(6, 6))
    assert quality.pseudo_condition_number(square) == pytest.approx(np.linalg.cond(square))


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0, 2.0])
def test_alpha_req_reads_the_exponent_of_a_power_law(alpha):
    values = np.arange(1, 21) ** (-alpha / 2)
    u = ortho_group.rvs(20, random_state=0)
    x = np.vstack([np.diag(values), -np.diag(values)]) @ u + 7
    # A logarithm moves by the relative error, which of the smallest square is the squared condition.
    near = tolerance.apart(40, condition=(tolerance.offset(x) * values[0] / values[-1]) ** 2)
    assert quality.alpha_req(x) == pytest.approx(alpha, abs=near)
    assert quality.alpha_req(x, first=3, last=9) == pytest.approx(alpha, abs=near)
    assert QUALITIES["alpha_req"](x) == pytest.approx(-abs(alpha - 1), abs=near)


def test_alpha_req_weighs_by_one_over_the_rank(x):
    spectrum = np.linalg.eigvalsh(np.cov(x.T))[::-1]
    k = np.arange(1, 6)
    design = np.column_stack([-np.log(k), np.ones(5)])
    w = np.diag(1 / k)
    slope = np.linalg.solve(design.T @ w @ design, design.T @ w @ np.log(spectrum))[0]
    near = tolerance.apart(60, condition=tolerance.condition(x) ** 2)
    assert quality.alpha_req(x) == pytest.approx(slope, abs=near)


def test_nesum_is_the_stable_rank_of_the_centred_and_counts_white_directions(x):
    spectrum = np.linalg.eigvalsh(np.cov(x.T))
    assert quality.nesum(x) == pytest.approx(spectrum.sum() / spectrum.max())
    assert quality.nesum(x) == pytest.approx(quality.stable_rank(x - x.mean(axis=0)))
    assert quality.nesum(np.vstack([np.eye(4), -np.eye(4)])) == pytest.approx(4)


def test_leverage_is_one_for_equals_and_n_over_r_for_a_row_of_its_own(x):
    assert quality.leverage(np.vstack([np.eye(3)] * 4)) == pytest.approx(1)
    alone = np.vstack([[100.0, 0], np.tile([0.0, 1], (9, 1))])
    assert quality.leverage(alone) == pytest.approx(10 / 2)
    hat = x @ np.linalg.solve(x.T @ x, x.T)
    assert quality.leverage(x) == pytest.approx(60 / 5 * np.diag(hat).max())
    assert quality.leverage(np.hstack([x, x])) == pytest.approx(quality.leverage(x))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: quality.pseudo_condition_number(np.zeros((3, 2))), "zero everywhere"),
        (lambda: quality.pseudo_condition_number(np.eye(3), tolerance=1), "tolerance is 1"),
        (lambda: quality.alpha_req(np.ones((4, 3))), "every feature is constant"),
        (lambda: quality.alpha_req(np.arange(4.0)[:, None]), "1 that are not zero; two are the least"),
        (lambda: quality.nesum([[1.0, np.nan], [0.0, 1.0]]), r"x\[0, 1\] is NaN"),
    ],
)
def test_bad_input_is_refused_and_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_qualities_without_labels_by_hand():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(9000, 7)) * np.arange(1, 8)
    values = np.linalg.svd(x, compute_uv=False)
    share = values / values.sum()
    near = tolerance.long_sum(9000) * 4 * values[0] / values[-1]  # nine thousand rows in blocks
    assert rankme(x, epsilon=0) == pytest.approx(np.exp(-np.sum(share * np.log(share))), rel=near)
    assert rankme(3 * x) == pytest.approx(rankme(x)) and 1 <= rankme(x) <= 7
    assert stable_rank(x) == pytest.approx(np.sum(values**2) / values[0] ** 2)
    small = x[:50]
    unit = small / np.linalg.norm(small, axis=1, keepdims=True)
    assert mean_cosine(small) == pytest.approx((unit @ unit.T)[np.triu_indices(50, 1)].mean())
    assert rankme(np.outer(np.arange(1, 5), np.ones(3)), epsilon=0) == pytest.approx(1)
    with pytest.raises(ValueError, match="zero everywhere"):
        rankme(np.zeros((3, 3)))
    with pytest.raises(ValueError, match="row 1 is zero"):
        mean_cosine([[1.0, 2.0], [0.0, 0.0]])
