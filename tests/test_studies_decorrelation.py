"""What fronts say of the published claims about maps that only lower dependence."""

import numpy as np
import pandas as pd
import pytest

from helpers.inference import judge
from helpers.studies.decorrelation import CLAIMS, findings

MAIN = "modified_distance_correlation"


def fronts(alone, union, experiments=8):
    """Rows of X as it is and of two maps, of which the first keeps nothing."""
    rng, rows = np.random.default_rng(0), []
    for e in range(experiments):
        base, noise = 0.6 + 0.01 * e, 0.002 * rng.normal(size=3)
        rows.append((e, "none", "everything", 0.7 + noise[0], base, base + 0.02))
        rows.append(
            (e, MAIN, "nothing", 0.05 if e else np.nan, base + alone + noise[1], base + 0.02 + union + noise[2])
        )
        rows.append((e, MAIN, "labels", 0.2, base, base + 0.02))
    columns = ["experiment", "penalty", "keep", "distance_correlation_unbiased", "accuracy", "accuracy_union"]
    return pd.DataFrame(rows, columns=columns)


def test_the_map_that_keeps_nothing_is_compared_with_what_it_was_given():
    table = fronts(alone=-0.2, union=0.01)
    found = findings(table, n_resamples=999)
    judged = judge(CLAIMS, found)
    assert judged["verdict"].tolist() == ["reproduced", "reproduced", "not reproduced"]
    assert judged["n"].tolist() == [8, 8, 8]
    before, after = (table[table["keep"] == keep].reset_index() for keep in ("everything", "nothing"))
    assert np.isclose(found["alone"].estimate, 100 * (after["accuracy"] - before["accuracy"]).mean())
    fallen = after["distance_correlation_unbiased"].fillna(0) - before["distance_correlation_unbiased"]
    assert np.isclose(found["dependence"].estimate, fallen.mean())  # a constant depends on nothing


def test_another_scorer_takes_the_experiments_that_it_has_scored():
    table = fronts(alone=-0.2, union=-0.01)
    for name in ("accuracy", "accuracy_union"):
        table[f"{name}_fast"] = table[name].where(table["experiment"] < 5) + 0.1
    assert [one.n for one in findings(table, classifier="fast", n_resamples=99).values()] == [5, 5, 5]


def test_a_table_without_one_row_of_each_is_refused():
    table = fronts(alone=-0.2, union=-0.01)
    with pytest.raises(ValueError, match="table has 8 rows of X and 0 of 'cka'"):
        findings(table, penalty="cka")
    with pytest.raises(ValueError, match="table has 16 rows of X and 16 of"):
        findings(pd.concat([table, table]))
