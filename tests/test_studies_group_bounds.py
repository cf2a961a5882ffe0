"""The study of the chapter "What a theorem promises": its constructions, random cases, and what training shows."""

import numpy as np
import pytest
from tolerance import inner, unit

from helpers.groups.alphabets import draw_alphabets
from helpers.groups.bounds import between_bounds, order_ratio, order_threshold, within_bounds
from helpers.inference import judge
from helpers.studies import group_bounds


@pytest.mark.parametrize("scale, fails", [(10.0, True), (7.0, True), (6.0, False), (1.0, False)])
def test_the_printed_theorem_fails_once_the_scale_is_above_six(scale, fails):
    # ‖c₁ - c₂‖ is the scale, the printed bound 2 · max(-2 scale, 3) = 6.
    assert group_bounds.printed_gap(scale) == scale - 6
    assert (group_bounds.printed_gap(scale) > 0) == fails


def test_the_printed_theorem_is_refuted_and_the_one_for_embeddings_proved():
    judged = judge(group_bounds.CLAIMS, group_bounds.findings())
    assert judged["verdict"].to_dict() == {"printed": "not reproduced", "embedded": "reproduced"}


def test_the_gap_zero_of_the_proof_is_attained_and_never_exceeded():
    attained = within_bounds([[0.0]], [[2.0]], [[1.0]])
    assert attained.distance - attained.printed == group_bounds.findings()["embedded"].estimate == 0
    cases = group_bounds.random_cases(300, rng=3)
    assert (cases["violated"] == 0).all() and (cases["cases"] > 50).all()
    assert (cases.loc["within", "extreme_ratio"] >= 1 - 1e-9).all()
    assert (cases.loc["between", "extreme_ratio"] <= 1 + 1e-9).all()


@pytest.mark.parametrize("k", [2, 7])
def test_corners_of_the_simplex_and_both_points_are_where_they_are_said_to_be(k):
    x, y, corners = group_bounds.simplex(k, 1.1)
    sides = np.linalg.norm(corners[:, None] - corners, axis=2)[np.triu_indices(k, 1)]
    rounding = inner(k + 2) + 8 * unit()  # a root and squares of coordinates that are rounded themselves
    np.testing.assert_allclose(sides, 1, rtol=rounding)
    np.testing.assert_allclose(np.linalg.norm(np.r_[x, y][:, None] - corners, axis=2), 1.1, rtol=rounding)
    assert np.linalg.norm(x - y) == 1 and order_ratio(np.r_[x, y], corners) == pytest.approx(1.1)
    with pytest.raises(ValueError, match="ratio is 0.5"):
        group_bounds.simplex(k, 0.5)


def test_order_fails_in_the_table_though_all_triplets_hold_and_not_beyond_the_threshold():
    found = group_bounds.order_table(ks=(2, 50), ratio=1.05)
    assert (found["triplets"] == 1).all() and (found["own"] > found["other"]).all()
    assert (found["certain_from"] > 1.05).all()
    beyond = group_bounds.order_table(ks=(2, 50), ratio=order_threshold() + 0.01)
    assert (beyond["own"] < beyond["other"]).all()


def test_the_centroid_of_the_ring_is_its_middle():
    middle, _, around = group_bounds.ring(7)
    found = between_bounds(middle, around)
    assert found.margin_a == pytest.approx(1) and found.distance < 1e-15 * 7


def test_training_is_followed_on_drawers_seen_and_unseen_and_every_bound_holds():
    drawings = draw_alphabets(3, characters=3, drawers=6, rng=0)
    found = group_bounds.follow(drawings, steps=30, every=15, classes=3, items=9, rng=0)
    assert found["step"].tolist() == [0, 0, 15, 15, 30, 30]
    assert set(found["drawings"]) == {"trained on", "unseen drawers"}
    upper = found[["within", "mean_distance", "tight", "loose", "printed"]].to_numpy()
    assert (np.diff(upper, axis=1) >= -1e-12).all()
    lower = found[["by_margin", "sharp", "between"]].to_numpy()
    assert (np.diff(lower, axis=1) >= -1e-12).all()
    seen = found[found["drawings"] == "trained on"].set_index("step")
    assert seen.loc[30, "share"] > seen.loc[0, "share"] and seen.loc[30, "between"] > seen.loc[0, "between"]
    again = group_bounds.follow(drawings, steps=30, every=15, classes=3, items=9, rng=0)
    assert again.equals(found)
