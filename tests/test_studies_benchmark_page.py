"""What the page with our own table shows: counts, ranks, costs and verdicts of made-up cells, by hand."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from helpers.studies import benchmark_page as study
from helpers.studies import fusion

LAYERS = ("layer 0", "layer 1", "pooler")


def cell(encoder, task, gain=0.0, half=0.01):
    """Rows of one cell: method number i scores 0.5 + i·gain, and has intervals of ± half."""
    rows = []
    names = [(name, "layer") for name in LAYERS]
    names += [(name, "published" if name in fusion.PUBLISHED else "extra") for name in study.METHOD_NAMES]
    for i, (name, kind) in enumerate(names):
        place = i - len(LAYERS) if kind != "layer" else i
        score = 0.5 + place * gain
        row = {"encoder": encoder, "task": task, "type": "STS", "representation": name, "kind": kind, "score": score}
        row |= {"ci_low": score - 0.1, "ci_high": score + 0.1, "n_items": 40, "width": 8, "fit_seconds": 0.5}
        row |= {"seconds_per_1000": 0.002 * place, "weights": json.dumps([0.5, 0.5, 0] if i % 2 else [1, 0, 0])}
        rows.append(row | {"split": "validation"})
        for j, other in enumerate(("last", "best")):
            diff = (place - j) * gain
            row |= {f"diff_{other}": diff, f"diff_{other}_ci_low": diff - half, f"diff_{other}_ci_high": diff + half}
            row[f"diff_{other}_p"] = 0.01 if abs(diff) > half else 0.5
        rows.append(row | {"split": "test"})
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def ours():
    """Two cells in which methods win, one in which they lose, one in which all are equal."""
    made = [cell("e/a", "S", 0.02), cell("e/a", "T", 0.02), cell("e/b", "S", -0.02), cell("e/b", "T")]
    return pd.concat(made, ignore_index=True)


def found_of(table, quality):
    """A result of the experiment with that table, as far as the page looks at it."""
    layers = SimpleNamespace(tokens_lost=np.array([0, 2, 0]))
    return fusion.Fusion(table, None, pd.Series(quality, LAYERS), None, {}, {}, layers)


def test_the_shown_cell_is_the_one_in_which_most_methods_win(ours):
    found = {
        ("e/a", "S"): found_of(cell("e/a", "S", -0.02), [0.5, 0.6, 0.6]),
        ("e/a", "T"): found_of(cell("e/a", "T", 0.002), [0.5, 0.4, 0.3]),
        ("e/b", "S"): found_of(cell("e/b", "S", 0.02), [0.9, 0.9, 0.8]),
        ("e/b", "T"): found_of(cell("e/b", "T", 0.02), [0.9, 0.9, 0.8]),
    }
    assert study.telling_cell(found) == ("e/b", "S")
    facts = study.facts_of_table(found, ours)
    assert (facts["n_cells"], facts["n_texts"], facts["n_cut"]) == (4, 12, 4)
    assert facts["n_scores"] == len(ours) / 2
    joined = study.join_cells({("x", "S"): found_of(cell("e/a", "S"), [1, 2, 3])})
    assert set(joined["encoder"]) == {"x"} and len(joined) == len(ours) / 4


def test_a_cell_tells_how_many_methods_differ_from_its_last_layer():
    facts = study.facts_of_cell(("e/a", "S"), found_of(cell("e/a", "S", 0.02), [0.5, 0.6, 0.7]))
    assert facts["cell_width"] == pytest.approx(20) and facts["cell_four_paired"] == pytest.approx(2)
    assert (facts["cell_better"], facts["cell_worse"], facts["cell_methods"]) == (13, 0, 13)
    assert facts["cell_best"] == facts["cell_best_test"] == "pooler" and facts["cell_gap"] == 0


def test_wins_and_losses_are_counted_where_interval_and_test_agree(ours):
    n = len(fusion.PUBLISHED) - 1
    counts = study.count_outcomes(ours, "x")
    assert (counts["x_cells"], counts["x_all_last"], counts["x_all_best"]) == (4, 4 * n, 4 * (n - 1))
    assert (counts["x_better_last"], counts["x_worse_last"]) == (2 * n, n)
    assert (counts["x_better_best"], counts["x_worse_best"]) == (2 * (n - 1), n - 1)
    assert counts["x_luck"] == pytest.approx(0.025 * counts["x_all_best"])
    unsure = study.count_outcomes(ours.assign(diff_last_p=0.06), "x")
    assert unsure["x_better_last"] == unsure["x_worse_last"] == 0
    assert set(study.count_outcomes(ours[:0], "x").values()) == {0}
    shown = study.table_outcomes(ours)
    assert list(shown.index) == list(study.METHOD_NAMES.values())
    assert shown.loc["last layer", "against the last layer"].tolist() == ["—"] * 3
    assert shown.loc["QP", "against the last layer"].tolist() == [2, 1, 1]
    table = study.table_counts({"here": ours, "nowhere": ours[:0]})
    assert table.loc["here", ("against the chosen layer", "by luck")] == "0"
    assert table.loc["here", ("against the last layer", "better")] == 2 * n


def test_the_method_that_is_first_in_most_cells_has_the_best_mean_rank(ours):
    winning = ours[ours["encoder"] == "e/a"]
    ranks = study.table_mean_ranks(winning, n_resamples=50)
    facts = study.facts_of_mean_ranks(ranks, winning, "real_", agreement=True)
    assert facts["real_first"] == "masked QP" and facts["real_first_rank"] == 1
    assert facts["real_first_share"] == 100 and facts["real_kendall_w"] == pytest.approx(1)
    assert "kendall_w" not in study.facts_of_mean_ranks(ranks, winning)
    lone = study.table_mean_ranks(winning[winning["task"] == "S"], n_resamples=50)
    assert lone["mean rank"].equals(ranks["mean rank"]) and lone["ci_low"].isna().all()


def test_costs_are_means_over_cells_and_the_slowest_is_compared_with_the_reading(ours):
    methods = fusion.fusion_methods(3, lambdas=[0.1, 0.2], n_clusters=[2], n_selected=[2, 3])
    costs = study.table_costs(ours, methods)
    assert costs.loc["QP", "candidates"] == 2 and costs.loc["greedy", "candidates"] == 4
    assert costs.loc["last layer", "candidates"] == 0
    assert set(costs["layers used"]) == {1, 2} and set(costs["depth"]) == {0, 0.5}
    facts = study.facts_of_fusing_costs(costs, 2.6)
    assert facts["slowest"] == pytest.approx(26) and facts["slowest_share"] == pytest.approx(1)


def test_recorded_cells_are_of_three_parts_and_score_as_the_leaderboard_does():
    recorded = study.recorded_public()
    assert list(recorded) == ["real", "shipped", "full"]
    assert not recorded["real"]["encoder"].str.startswith("encoders/").any()
    anchors = study.check_leaderboard(recorded["real"])
    assert anchors["anchors"] == len(study.LEADERBOARD) and anchors["anchor_off"] <= 0.3
    facts = study.facts_of_public(recorded)
    assert 0 < facts["real_last_top"] <= facts["real_cells"]
    assert len(study.table_encoders(recorded.values())) == len(
        pd.concat(recorded.values())[["encoder", "source"]].drop_duplicates()
    )
    assert len(study.table_grids()) < len(study.table_task_data())


def test_nothing_is_testable_without_cells():
    judged = study.judge_fusion(pd.DataFrame(), "nothing")
    assert set(judged["verdict"]) == {"not testable here"}
    facts = study.facts_of_judged(judged.assign(detectable=[2.0] * len(judged)))
    assert (facts["decided"], facts["asked"], facts["finds_last"]) == (0, len(fusion.CLAIMS), 2)
    shown = study.table_documentation({"run": judged})
    assert len(shown) == len(judged)
    assert set(study.facts_of_documentation({"run": judged})) == {f"{key}_run" for key in fusion.CLAIMS}


def test_what_stands_alone_is_counted_and_one_task_has_no_interval():
    facts = study.facts_of_pooler({"S": 0.2, "T": -0.1, "U": 0.1})
    assert (facts["alone_share"], facts["alone_all"]) == (2, 3) and facts["alone"].startswith("+0.07 [")
    assert study.facts_of_pooler({"S": 0.2})["alone"] == "not known"
