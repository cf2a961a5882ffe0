"""What the page with our own table shows: counts, ranks, costs and verdicts of made-up cells, by hand."""

import json
from functools import partial
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
    assert facts["real_first_share"] == "100" and facts["real_kendall_w"] == "1.00"
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


def sizes_of_tables():
    """One cell, one encoder on two tasks, two encoders on one task."""
    return {"cell": [("e/a", "S")], "tasks": [("e/a", "S"), ("e/a", "T")], "encoders": [("e/a", "S"), ("e/b", "S")]}


@pytest.mark.parametrize("few", sizes_of_tables().values(), ids=sizes_of_tables())
def test_a_table_of_one_or_two_cells_has_its_counts_ranks_and_verdicts(few):
    part = pd.concat([cell(*names, 0.02) for names in few], ignore_index=True)
    ranks = study.table_mean_ranks(part, n_resamples=50)
    facts = study.facts_of_mean_ranks(ranks, part, agreement=True)
    assert (facts["first"], facts["first_rank"]) == ("masked QP", 1)
    lone = len(few) == 1
    assert facts["first_share"] == ("—" if lone else "100")
    assert facts["kendall_w"] == ("—" if lone else "1.00") and (facts["friedman_p"] == "—") == lone
    assert ranks["ci_low"].isna().all() == lone
    counts = study.count_outcomes(part, "n")
    assert counts["n_cells"] == len(few) and counts["n_better_last"] == len(few) * (len(fusion.PUBLISHED) - 1)
    judged = study.judge_fusion(part, "few", n_resamples=50)
    one_task = len({task for _, task in few}) == 1
    assert (set(judged["verdict"]) == {"not testable here"}) == one_task
    assert len(study.table_documentation({"few": judged})) == len(fusion.CLAIMS)


def test_ranks_are_not_tested_where_all_methods_are_equal():
    equal = pd.concat([cell("e/a", "S"), cell("e/b", "S")], ignore_index=True)
    facts = study.facts_of_mean_ranks(study.table_mean_ranks(equal, n_resamples=20), equal, agreement=True)
    assert facts["friedman_p"] == facts["kendall_w"] == "—"


def test_choices_that_cannot_work_are_refused_before_a_task_is_loaded(tmp_path):
    def refused(error, match, poolings=None, n_fit=10, n_resamples=10, max_length=None, **grids):
        methods = partial(fusion.fusion_methods, **grids)
        reading = {"store": tmp_path, "progress": False, "max_length": max_length}
        poolings = {"encoders/bert": "mean"} if poolings is None else poolings
        with pytest.raises(error, match=match):
            study.check_choices(poolings, methods, n_fit=n_fit, n_resamples=n_resamples, **reading)

    refused(ValueError, "encoders is empty; at least one folder", poolings={})
    refused(ValueError, "n_fit is 9; it must be at least 10", n_fit=9)
    refused(ValueError, "n_resamples is 1; it must be at least 10", n_resamples=1)
    refused(TypeError, "n_fit is 10.5; a whole number is needed", n_fit=10.5)
    refused(ValueError, "max_length is 4096; .* tokens at most", max_length=4096)
    refused(FileNotFoundError, "there is no such folder", poolings={"./nowhere": "mean"})
    refused(ValueError, "n_clusters is empty or too large; it needs a value of at most", n_clusters=[400])
    refused(ValueError, "lambdas is empty", lambdas=[])
    refused(ValueError, "a value of lambdas is -1; a finite number of at least 0", lambdas=[-1])
    refused(ValueError, "a value of n_selected is 0; it must be at least 1", n_selected=[0])
    methods = partial(fusion.fusion_methods, lambdas=[0.1])
    study.check_choices({"encoders/bert": "mean"}, methods, n_fit=10, n_resamples=10, store=tmp_path, progress=False)
