"""Steps are kept, and say what is left."""

import time

import numpy as np
import pandas as pd
import pytest
from report_data import halves

from helpers.report import (
    StepProgress,
    Steps,
    evaluate_by_labels,
    score_spaces,
)


def test_steps_are_kept_and_go_on_where_they_were(tmp_path):
    found, labels = halves(90)
    ran = []

    def step_of(steps):
        return lambda what, function: steps(what, lambda: (ran.append(what), function())[1])

    def stopped(what, function):
        if "fold 2" in what:
            raise KeyboardInterrupt
        return step_of(Steps(tmp_path, "a"))(what, function)

    with pytest.raises(KeyboardInterrupt):
        evaluate_by_labels(found, labels, width=3, folds=3, step=stopped)
    assert len(ran) == 2
    resumed = evaluate_by_labels(found, labels, width=3, folds=3, step=step_of(Steps(tmp_path, "a")))
    assert len(ran) == 4, "the steps before the stop ran once"
    whole = evaluate_by_labels(found, labels, width=3, folds=3)
    assert np.array_equal(resumed.items, whole.items) and resumed.folds.equals(whole.folds)
    evaluate_by_labels(found, labels, width=3, folds=3, step=step_of(Steps(tmp_path, "another input")))
    assert len(ran) == 8
    table = Steps(tmp_path, "a")("scores", lambda: score_spaces(whole))
    again = Steps(tmp_path, "a")("scores", lambda: None)
    pd.testing.assert_frame_equal(table, again)
    evaluation = Steps(tmp_path, "a")("all", lambda: whole)
    loaded = Steps(tmp_path, "a")("all", lambda: None)
    assert loaded.metric == evaluation.metric and loaded.items.equals(evaluation.items)


def test_steps_say_what_they_do_and_what_is_left(tmp_path):
    said = []
    steps = Steps(tmp_path, "a", {"first": 10.0, "second": 10.0}, said.append)
    steps("first", lambda: time.sleep(0.2))
    assert 0.1 < steps.remaining() < 1
    assert said[0] == StepProgress("first", "running", 20.0) and said[1] == StepProgress(
        "first", "done", steps.remaining()
    )
    Steps(tmp_path, "a", {}, said.append)("first", lambda: 1 / 0)
    assert [state for _, state, _ in said] == ["running", "done", "kept"]
