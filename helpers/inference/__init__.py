"""Statistics for comparing methods: intervals, paired differences, ranks over many data sets.

Everywhere larger scores are better (turn losses around by a minus sign), a *table* has one row per cell (a data set, or
a model on a task) and one column per method, and rank 1 is the best.
"""

from helpers.inference.intervals import Interval, interval, with_limits
from helpers.inference.paired import VERDICTS, Paired, holm, paired
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
    "VERDICTS",
    "Friedman",
    "Interval",
    "Nemenyi",
    "Paired",
    "bootstrap_mean_ranks",
    "critical_difference",
    "critical_difference_diagram",
    "friedman",
    "holm",
    "interval",
    "mean_ranks",
    "nemenyi",
    "paired",
    "power",
    "ranks",
    "with_limits",
]
