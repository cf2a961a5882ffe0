"""False alarms and power of helpers.quality.diagnose: writes data/results/diagnosis.csv.

    python benchmarks/diagnosis.py [HEALTHY] [CASES] [OUT]

HEALTHY healthy spaces (default 400) and CASES spaces of each fault (default 40) are drawn, of 60 to 3000 objects and 8
to 800 features (faults: from 150 objects and 24 features on, below which hubs do not form). None of the draws, and
almost none of the shapes, is among those that thresholds come from. About a minute on one core.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from helpers.quality import DAMAGES, damaged_space, diagnose, healthy_space

HEALTHY = "none"


def drawn_shape(rng, objects, widths):
    return [int(np.exp(rng.uniform(*np.log(limits)))) for limits in (objects, widths)]


def cases(fault, count, rng):
    """Findings of each of so many spaces with a fault, or with none."""
    for _ in range(count):
        if fault == HEALTHY:
            yield diagnose(healthy_space(*drawn_shape(rng, (60, 3000), (8, 800)), rng=rng), rng=rng).findings
        else:
            x = healthy_space(*drawn_shape(rng, (150, 2000), (24, 512)), rng=rng)
            x = damaged_space(x, fault, rng=rng)
            yield diagnose(x, metric="dot" if fault == "wrong metric" else None, rng=rng).findings


def main(healthy=400, count=40, out=Path(__file__).parents[1] / "data" / "results" / "diagnosis.csv"):
    rows = []
    for i, fault in enumerate([HEALTHY, *DAMAGES]):
        found = list(cases(fault, int(healthy if fault == HEALTHY else count), np.random.default_rng([7, i])))
        want = [] if fault == HEALTHY else [fault]
        right = sum(names == want for names in found)
        interval = stats.binomtest(right, len(found)).proportion_ci(0.95)
        others = pd.Series([name for names in found for name in names if name not in want], dtype=object).value_counts()
        rows.append({
            "fault": fault, "cases": len(found), "right": right / len(found), "ci_low": interval.low,
            "ci_high": interval.high, "named": sum(set(want) <= set(names) for names in found) / len(found),
            "others": ", ".join(f"{name} {times}" for name, times in others.items()),
        })  # fmt: skip
        print(rows[-1], flush=True)
    pd.DataFrame(rows).round(4).to_csv(out, index=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
