"""What the page on one's own embeddings says of its report is what the report holds."""

import numpy as np

from helpers.report import BEST, build
from helpers.studies import own


def test_facts_are_those_of_the_report():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, size=150)
    words = np.eye(3)[labels] @ rng.normal(size=(3, 8)) + rng.normal(size=(150, 8))
    turned = words @ np.linalg.qr(rng.normal(size=(8, 8)))[0]
    made = {"words": words, "turned": turned, "dice": rng.normal(size=(150, 8))}
    report = build(made, labels=labels, folds=3, rng=0)
    facts = own.facts(report)
    gains = report.tables["gains"]
    row = gains[(gains["method"] == report.decisions.ensemble) & (gains["against"] == BEST)].iloc[0]
    assert (facts["gain"], facts["ci_low"], facts["ci_high"]) == (row["gain"], row["ci_low"], row["ci_high"])
    assert facts["findings"] == len(report.tables["redundant"]) > 0
    assert facts["named"] == own.named_findings(report.tables["redundant"])
    assert "turned (rotated copy of words)" in facts["named"] and " of )" not in facts["named"]
    assert facts["verdict"] == report.decisions.verdict
    assert facts["dice"] == report.tables["quality"].loc["dice", "score"]
