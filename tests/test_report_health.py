"""The diagnosis of a report: what was found in each embedding, and sentences that agree with the decisions."""

import re

import numpy as np
import pandas as pd
import pytest
from test_report_decisions import made_findings, made_target, names_in

from helpers.quality import FINDINGS, damaged_space, diagnose
from helpers.report import build, decide, diagnose_spaces
from helpers.report.health import COLLAPSES, COLUMNS, diagnosis_in_words
from helpers.report.requirements import check_requirements

RNG = np.random.default_rng(0)
X = RNG.normal(size=(240, 48)) * np.arange(1, 49) ** -0.3


def made_diagnosis(names, rng):
    """A table such as diagnose_spaces gives, with findings drawn at random."""
    rows = []
    for name in names:
        if rng.random() < 0.1:
            rows.append([name, "", False, *[""] * 7, "Not looked at: x has one feature."])
            continue
        for finding in FINDINGS:
            found = bool(rng.random() < 0.08)
            rows.append([name, finding, found, "s", 1.0, 0.0, 0.5, "r", 0.2, "c", f"{finding} is here." * found])
    return pd.DataFrame(rows, columns=["embedding", *COLUMNS])


@pytest.mark.parametrize("seed", range(10))
def test_what_is_found_never_disagrees_with_what_is_decided(seed):
    rng, ends = np.random.default_rng(seed), set()
    for _ in range(100):
        names = [f"e{i}" for i in range(rng.integers(2, 7))]
        judged = rng.random() < 0.8
        target = made_target(names, rng) if judged else ()
        decisions = decide(names, made_findings(names, rng), "labels" if judged else None, *target)
        table = made_diagnosis(names, rng)
        said = diagnosis_in_words(table, decisions)
        sick = set(table.loc[table["found"], "embedding"])
        collapsed = set(table.loc[table["found"] & table["finding"].isin(COLLAPSES), "embedding"])
        assert set(re.findall(r"\*\*(e\d)\*\*: (?!Not)", said)) == sick
        assert ("**Nothing was found**" in said) <= (not sick)
        healthy = re.findall(r"Nothing was found in (.*)\.", said)
        assert not set(names_in("".join(healthy))) & sick
        used = re.search(r"\n\n?(.*) (?:is|are) used all the same", said)
        needed = set(decisions.reads or decisions.representatives)
        assert set(names_in(used[1] if used else "")) == collapsed & needed
        assert not set(names_in(used[1] if used else "")) & set(decisions.redundant)
        assert not re.search(r"can go|Stay with|Take the ensemble|is left", said)
        ends.add("used" if used else "other")
    assert ends == {"used", "other"}


def test_each_embedding_has_its_findings_and_what_cannot_be_looked_at_says_why():
    spaces = {"x": X, "rogue": damaged_space(X, "rogue dimensions"), "thin": X[:, :1]}
    table = diagnose_spaces(spaces)
    assert table.loc[table["found"], ["embedding", "finding"]].values.tolist() == [["rogue", "rogue dimensions"]]
    assert "two features" in table.loc[table["embedding"] == "thin", "sentence"].item()
    assert (table.groupby("embedding", sort=False).size() == [len(FINDINGS), len(FINDINGS), 1]).all()
    found = diagnose(spaces["rogue"]).table.loc["rogue dimensions"]
    row = table[table["found"]].iloc[0]
    assert (row["value"], row["after"]) == (found["value"], found["after"])


@pytest.fixture(scope="module")
def report():
    y = np.arange(240) % 2
    good = X + 2 * y[:, None]
    return build({"good": good, "point": 1 + 1e-6 * X, "rogue": damaged_space(good, "rogue dimensions")}, labels=y)


def test_a_report_has_the_section_the_numbers_and_the_conditions(report):
    assert {"complete collapse", "rogue dimensions"} <= set(report.result["tables"]["diagnosis"]["finding"])
    page = report.to_html()
    assert "Diagnosis" in page and "Complete collapse: all objects are at one point" in page and "Try: " in page
    assert report.section("diagnosis").heading == "Diagnosis"
    collapse, findings = check_requirements(report, ["no-collapse", "no-findings"])
    assert not collapse.met and collapse.reason == "complete collapse of point"
    assert not findings.met and "rogue dimensions of rogue" in findings.reason


def test_a_report_on_healthy_embeddings_meets_the_conditions():
    report = build({"x": X, "turned": X[:, ::-1]})
    assert [one.met for one in check_requirements(report, ["no-collapse", "no-findings"])] == [True, True]
    assert report.sentences["diagnosis"] == (
        "**Nothing was found** beyond what healthy spaces of the same shape have."
    )  # fmt: skip
