"""What weights without labels say of the published finding that none of them helps."""

import numpy as np
import pandas as pd

from helpers.book.data import table
from helpers.inference import judge
from helpers.studies.label_free import PUBLISHED, claims, findings


def weighted_sums(gains, experiments=10):
    """Accuracies of the plain mean and of sums by each quality, which gain so many percent; and rows of other kinds."""
    rng, rows = np.random.default_rng(0), []
    for e in range(experiments):
        base = 0.6 + 0.01 * e
        rows.append((e, "equal", "sum", "none", np.nan, base))
        rows.append((e, "equal", "concat", "none", np.nan, 0.1))
        for name, gain in zip(PUBLISHED, gains, strict=True):
            value = base * (1 + (gain + 0.2 * rng.normal()) / 100)
            rows += [(e, name, "sum", "unit", 1.0, value), (e, name, "sum", "unit", 0.1, 0.1)]
            rows += [(e, name, "sum", "raw", 1.0, 0.1), (e, name, "concat", "unit", 1.0, 0.1)]
    return pd.DataFrame(rows, columns=["experiment", "quality", "combine", "scale", "lam", "accuracy"])


def test_not_to_help_is_to_gain_less_than_one_percent():
    published = table("published/client_unsupervised_weights.csv").set_index("quality")
    published = published.rename(index={"persistent_homology_h0": "persistence_h0"})
    asked = claims(published, {"rankme": "RankMe"})
    assert asked["rankme"].text == "Weights by RankMe do not help" and asked["rankme"].published == -3.07
    judged = judge(asked, findings(weighted_sums([-2.0, 0.0, 0.5, 1.0, 2.0]), asked, n_resamples=999))
    assert judged["verdict"].tolist() == [*["reproduced"] * 3, "not testable here", "not reproduced"]
    assert np.allclose(judged["estimate"], [-2.0, 0.0, 0.5, 1.0, 2.0], atol=0.2) and set(judged["n"]) == {10}
