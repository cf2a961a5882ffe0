"""Statistics for comparing methods: intervals, paired differences, ranks over many data sets, published claims.

Everywhere larger scores are better (turn losses around by a minus sign), a *table* has one row per cell (a data set, or
a model on a task) and one column per method, and rank 1 is the best.
"""

from helpers.inference.claims import (
    CLAIM_VERDICTS,
    PROOF,
    Claim,
    Finding,
    absent,
    claims_table,
    deduced,
    detectable_effect,
    exceeded_words,
    judge,
    p_from_interval,
    paired_finding,
    share_finding,
    weakest,
)
from helpers.inference.crossed import crossed_mean
from helpers.inference.intervals import Interval, format_interval, format_p, interval
from helpers.inference.paired import VERDICTS, Paired, holm, paired, verdict_of
from helpers.inference.power import power
from helpers.inference.ranks import (
    Friedman,
    Nemenyi,
    bootstrap_mean_ranks,
    critical_difference,
    critical_difference_diagram,
    friedman,
    mean_ranks,
    nemenyi,
    ranks,
)

__all__ = [
    "CLAIM_VERDICTS",
    "PROOF",
    "VERDICTS",
    "Claim",
    "Finding",
    "Friedman",
    "Interval",
    "Nemenyi",
    "Paired",
    "absent",
    "bootstrap_mean_ranks",
    "claims_table",
    "deduced",
    "critical_difference",
    "critical_difference_diagram",
    "crossed_mean",
    "detectable_effect",
    "exceeded_words",
    "format_p",
    "friedman",
    "holm",
    "interval",
    "judge",
    "mean_ranks",
    "nemenyi",
    "p_from_interval",
    "paired",
    "paired_finding",
    "power",
    "ranks",
    "share_finding",
    "verdict_of",
    "weakest",
    "format_interval",
]
