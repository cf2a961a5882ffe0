"""Learning curves: the same test clients for all points, smaller sets in larger ones, ceilings beside them."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from helpers.clients import hand_made, score, simulate, split
from helpers.clients.simulator import bank
from helpers.studies import learning as study

TINY = study.SETTINGS | {"hidden": 8, "slices": 2, "shortest": 3, "longest": 6, "batch": 16}


@pytest.fixture(scope="module")
def curve():
    """Clients, parts, and a curve of two sizes and one number of epochs."""
    clients = simulate(160, model=bank(order=1), events=(8, 14), rng=0)
    parts = split(clients)
    options = {"epochs": [1], "at": 40, "most_epochs": 3, "patience": 1, "classifier": "logistic"}
    return (
        clients,
        parts,
        study.score_learning(clients, parts, [20, 40], settings=TINY, model={"order": 1}, n_ideal=20, **options),
    )


def test_every_size_and_number_of_epochs_has_a_row(curve):
    clients, parts, rows = curve
    assert rows["n_train"].tolist() == [20, 40, 40] and rows["stopped_by"].iloc[2] == "epochs"
    assert set(rows["stopped_by"].iloc[:2]) <= {"validation", "limit"}
    assert (
        rows["epochs"].iloc[2] == 1
        and rows["epochs"].max() <= 3
        and rows["loss"].notna().tolist() == [True, True, False]
    )
    assert (rows["n_test"] == (parts == "test").sum()).all()
    assert rows["ideal"].nunique() == 1 and 0.25 < rows["ideal"].iloc[0] <= 1
    first = parts.index[parts == "train"][:20]
    own = parts.where((parts != "train") | parts.index.isin(first), "not used")
    by_hand = score(hand_made(clients), clients.target, own, classifier="logistic")
    assert rows["hand_made_accuracy"].iloc[0] == pytest.approx(by_hand.by("accuracy"))
    assert rows["hand_made_accuracy"].iloc[1] == rows["hand_made_accuracy"].iloc[2]


@pytest.mark.parametrize(
    ("losses", "validation", "ended"),
    [
        (8, [9, 5, 4, 3, 2, 1, 2, 2, 2], "validation"),  # three epochs without a better loss
        (8, [9, 8, 7, 6, 5, 4, 3, 2, 1], "limit"),
        (8, [9, 8, 7, 6, 5, 4, 3, 3, 3], "limit"),  # two of the three epochs that patience asks for
        (8, [], "epochs"),
    ],
)
def test_a_training_says_what_ended_it(losses, validation, ended):
    found = SimpleNamespace(losses=[1.0] * losses, validation=validation)
    assert study._ended_by(found, int(np.argmin(validation)) if validation else losses, 3) == ended


def test_sizes_that_are_not_there_are_refused(curve):
    clients, parts, _ = curve
    with pytest.raises(ValueError, match="sizes is 5000"):
        study.score_learning(clients, parts, [5000])


def test_the_curve_is_drawn_and_told(curve):
    import matplotlib.pyplot as plt

    rows = pd.concat([curve[2].assign(experiment=e) for e in range(2)])
    left, right = study.figure_learning(rows)
    assert len(left.lines) == len(right.lines) == 3 * 2 + 2
    facts = study.facts_of_learning(rows.assign(hand_made_accuracy=2.0))
    assert facts["learning_level"] == "with none of these numbers" and facts["learning_most"] == "40"
    assert (
        facts["learning_last"] == f"{curve[2]['encoder_accuracy'].iloc[1]:.3f}" and facts["learning_experiments"] == "2"
    )
    assert study.facts_of_learning(rows.assign(encoder_accuracy=1.0))["learning_level"] == "from 20 training clients on"
    plt.close("all")


def test_where_no_curve_is_recorded_the_page_says_so(curve):
    import matplotlib.pyplot as plt

    none, some = study.facts_of_learning(None), study.facts_of_learning(curve[2].assign(experiment=0))
    assert set(none) == set(some) and set(none.values()) == {"–"}
    assert [text.get_text() for ax in study.figure_learning(None) for text in ax.texts] == ["not recorded"] * 2
    plt.close("all")


def test_level_is_where_the_encoder_stays_level():
    sizes = [100, 200, 400, 800]
    columns = {"encoder_accuracy": [0.6, 0.5, 0.6, 0.6], "hand_made_accuracy": 0.55, "both_accuracy": 0.6, "epochs": 9}
    rows = pd.DataFrame({"experiment": 0, "n_train": sizes, "stopped_by": "validation", "ideal": 0.8} | columns)
    facts = study.facts_of_learning(rows.assign(ideal_counts=0.7))
    assert (facts["learning_gap_first"], facts["learning_gap_last"]) == ("+5.0", "+5.0")
    limited = study.facts_of_learning(rows.assign(ideal_counts=0.7, stopped_by=["limit", *["validation"] * 3]))
    assert limited["learning_limited"] == "1 of 4" and limited["learning_fewest"] == "100"
    assert facts["learning_level"] == "from 400 training clients on" and facts["learning_counts"] == "0.700"
