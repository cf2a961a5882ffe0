"""Reports for programs: every number in one JSON file, and conditions that fail a pipeline."""

import json

import numpy as np
import pandas as pd
import pytest

from helpers.report import build
from helpers.report.requirements import REQUIREMENTS, check_requirements, parse_requirement

RNG = np.random.default_rng(0)
Y = np.arange(120) % 2
X = RNG.normal(size=(120, 4)) + 2 * Y[:, None]


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    spaces = {"x": X, "turned": X[:, ::-1], "noise": RNG.normal(size=(120, 4))}
    return build(spaces, labels=Y, folder=tmp_path_factory.mktemp("place") / "report")


def test_the_json_file_has_every_decision_and_every_number(report):
    told = json.loads((report.folder / "report.json").read_text(), parse_constant=lambda name: pytest.fail(name))
    result = told["result"]
    assert result["decisions"]["redundant"] == report.decisions.redundant
    assert set(result["tables"]) == set(report.tables)
    gains = pd.DataFrame(result["tables"]["gains"])
    pd.testing.assert_frame_equal(gains, report.tables["gains"], check_dtype=False)
    assert result["summary"] == report.summary


def test_conditions_follow_from_the_report(report):
    low = report.tables["quality"].loc[report.decisions.use, "ci_low"]
    names = [*REQUIREMENTS, f"score>={low:.3f}", "score >= 1.5"]
    met = {one.name: one.met for one in check_requirements(report, names)}
    assert met["nothing-redundant"] is (not report.decisions.redundant)
    assert met["better"] is (report.decisions.verdict == "better")
    assert met["decided"] is (report.decisions.verdict != "not distinguishable")
    assert met["nothing-lost"] is True
    assert met["score >= 1.5"] is False
    assert met[f"score>={low:.3f}"] is bool(low >= float(f"{low:.3f}"))


def test_without_a_target_nothing_is_better_decided_or_scored():
    report = build({"x": X, "turned": X[:, ::-1]})
    reasons = {one.reason for one in check_requirements(report, ["better", "decided", "score>=0"])}
    assert reasons == {"there is no target"}


@pytest.mark.parametrize("name", ["cheap", "score>0.5", "score>=much", ""])
def test_an_unknown_condition_is_refused_with_those_there_are(name):
    with pytest.raises(ValueError, match="nothing-redundant, better, decided, nothing-lost, .* or score>=NUMBER"):
        parse_requirement(name)


def test_the_command_exits_with_3_and_says_what_was_not_met(tmp_path, capsys):
    from helpers.__main__ import main

    np.savez(tmp_path / "two.npz", x=X, turned=X[:, ::-1])
    words = ["report", str(tmp_path / "two.npz"), "-o", str(tmp_path / "out")]
    assert main([*words, "--require", "nothing-lost", "--require", "nothing-redundant"]) == 3
    assert "not met: nothing-redundant (turned can go)" in capsys.readouterr().err
    assert main([*words, "--require", "rich", "--overwrite"]) == 2
