"""What the page about replaced coordinates shows: shares by hand, curves on a small table, the recorded tables."""

import numpy as np
import pandas as pd
import pytest

from helpers.book.data import table
from helpers.ensembles import GreedyReplacement
from helpers.studies import replacing_page as study


@pytest.fixture(scope="module")
def layers():
    rng = np.random.default_rng(0)
    common = rng.normal(size=(80, 5))
    return {str(i): common + (i + 0.5) * rng.normal(size=(80, 5)) for i in range(3)}


def curves():
    """Two experiments: without labels p = 0.1 gains a point a step, with quality α = 0.5 two points at p = 0.4."""
    rows = []
    for e in range(2):
        for p in (0.1, 0.4):
            for steps in range(3):
                at = {"experiment": e, "p": p, "steps": steps, "chosen": p == 0.4 and steps == e}
                plain = 0.5 + 0.01 * e + 0.01 * steps * (p == 0.1)
                rows.append(at | {"method": "replacement_tuned", "alpha": np.nan, "validation": plain})
                informed = 0.6 + 0.02 * steps * (p == 0.4)
                rows.append(at | {"method": "quality_replacement_tuned", "alpha": 0.5, "validation": informed})
    return pd.DataFrame(rows)


def recorded(gains, n=6):
    """A comparison in which each method gains so much on the best model, more in every later experiment."""
    rows = []
    for e in range(n):
        for method in ["best", *study.SHOWN_METHODS]:
            gain = gains.get(method, 0.0) * (1 + 0.1 * e)
            row = {"experiment": e, "method": method, "accuracy": 0.5 + gain, "validation": 0.62, "date": "2026-01-02"}
            rows.append(row | {"diff_best_ci_low": gain - 0.01, "diff_best_ci_high": gain + 0.01})
    about = {"models": 3, "n_train": 20, "n_validation": 10, "n_test": 30, "minutes": 0.5}
    return pd.DataFrame(rows).assign(**about)


def test_a_model_has_the_similarity_of_itself_to_itself(layers):
    shown = study.table_spaces(layers)
    assert shown["CKA with the first"].iloc[0] == pytest.approx(1)
    assert shown["columns"].tolist() == [5, 5, 5] and (shown["RankMe"] <= 5).all()
    found = study.facts(layers, 4)
    assert (found["models"], found["width"], found["together"], found["n_train"]) == (3, 5, 15, 80)
    least = shown["CKA with the first"].iloc[1:].min()
    assert found["alike"].startswith(f"{least:.2f} to ") and found["alike_chance"] < least


def test_the_start_keeps_the_share_of_columns_that_are_its_own(layers):
    plain, capped = (GreedyReplacement(p=0.4, gain=gain).fit(layers) for gain in ("complement", "inverse"))
    inverse = GreedyReplacement(p=0.4, gain="inverse", capped=False).fit(layers)
    found = study.facts_of_replacements(plain, inverse, capped)
    own = (plain.origins_.iloc[:, 0] == plain.start_).mean()
    assert found["kept_complement"] == pytest.approx(100 * own)
    assert found["kept_inverse"] < found["kept_capped"] and found["start"] == plain.start_


def test_bars_of_every_step_add_up_to_one(layers):
    import matplotlib.pyplot as plt

    fitted = GreedyReplacement(p=0.4).fit(layers)
    (ax,) = study.figure_replacements({"1 − CKA": fitted})
    heights = np.reshape([bar.get_height() for bar in ax.patches], (len(layers), -1))
    assert heights.shape[1] == len(fitted.steps_) + 1 and heights.sum(axis=0) == pytest.approx(1)
    plt.close("all")


def test_importance_follows_the_column_that_makes_the_class():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 5)) * [1, 2, 3, 4, 5]
    found = study.facts_of_importances(x, (x[:, 0] > 0).astype(int), "a")
    assert found["top_share"] > 90 and found["worth_variance"] < 0.5 and found["informed_start"] == "a"


def test_gains_are_above_the_start_and_with_quality_at_the_middle_p():
    plain = study.gains_along_steps(curves(), "replacement_tuned")
    assert plain.loc[(1, 0.1)].tolist() == pytest.approx([0, 1, 2])
    assert plain.loc[(0, 0.4)].tolist() == pytest.approx([0, 0, 0])
    informed = study.gains_along_steps(curves(), "quality_replacement_tuned")
    assert informed.loc[(0, 0.5)].tolist() == pytest.approx([0, 2, 4])
    ended = curves().query("not (experiment == 1 and steps == 2)")
    assert study.gains_along_steps(ended, "replacement_tuned").loc[(1, 0.1)].tolist() == pytest.approx([0, 1, 1])


def test_steps_that_validation_took_are_counted():
    found = study.facts_of_steps_taken(recorded({}), curves())
    assert (found["steps_plain"], found["zero_plain"]) == (0.5, 1)
    assert found["peak_gain"] == pytest.approx(2) and found["peak_informed"] == pytest.approx(4)
    assert found["start_gap"] == pytest.approx(100 * (0.62 - 0.505))
    shown = study.show_steps_chosen(curves()).data
    assert shown["steps"].tolist() == [0, 1, 0, 1] and shown["method"].iloc[0] == "replacement, tuned"


def test_gains_on_the_best_model_and_on_pca_stand_side_by_side():
    rows = recorded({"replacement": 0.02, "concat_pca": 0.01})
    shown = study.table_recorded_gains(rows)
    assert list(shown.index) == list(study.SHOWN_METHODS.values())
    assert shown.loc["replacement", "experiments won"] == "6 of 6"
    assert shown.loc["replacement", "above the best model"].startswith("+2.50 [")
    assert shown.loc["replacement", "above concatenation + PCA"].startswith("+1.25 [")
    assert shown.loc["concatenation + PCA", "above concatenation + PCA"] == ""
    found = study.facts_of_won(rows, 4)
    assert found["replacement_difference"].startswith("+2.50 [") and found["best_accuracy"] == pytest.approx(50)
    assert found["hand_made_difference"].startswith("0.00 [") and found["replacement_pca"].startswith("+1.25 [")
    assert found["agreement_gain"].startswith("-2.50 [") and found["agreement_said"] == "worse"
    assert found["least_p"] == 0.125 and found["half_width"] == pytest.approx(1) and found["apart"] == 0


def test_starts_are_the_best_of_each_experiment_by_each_rule():
    starts = study.recorded_starts()
    models = table("results/clients_unlabelled_models.csv").query("experiment == 3").set_index("model")
    by_hand = [models.loc[models[name].idxmax(), "test"] for name in study.STARTS]
    assert starts.loc[3].tolist() == by_hand and list(starts) == list(study.STARTS.values())
    rows = recorded({"replacement": 0.02, "quality_replacement": 0.01})
    shown = study.table_starts(starts, rows)
    above, end = shown["start, above RankMe's"], shown["end of the steps, above the best model"]
    assert above["RankMe"] == "" and study.facts_of_starts(starts)["start_above"] == above["agreement"]
    assert end["RankMe"].startswith("+2.50 [") and end["validation labels"].startswith("+1.25 [")
    few = study.table_starts(starts, rows.query("method != 'replacement_agreement'"))
    assert few.loc["agreement", "end of the steps, above the best model"] == ""


def test_a_method_that_was_not_recorded_is_left_out_of_the_recorded_table():
    rows = recorded({"replacement": 0.02}).query("method != 'replacement_agreement'")
    assert "replacement, from agreement" not in study.table_recorded_gains(rows).index
    found = study.facts_of_won(rows, 6)
    assert found["replacement_agreement_difference"] == found["agreement_gain"] == "–"
    assert found["agreement_said"] == "not recorded"


def test_the_recorded_tables_fit_the_page():
    import matplotlib.pyplot as plt

    kept, along = table("results/clients_replacing.csv"), table("results/clients_replacing_curves.csv")
    assert (study.table_recorded_gains(kept)["above the best model"] != "").all()
    found = study.facts_of_steps_taken(kept, along)
    assert found["n_recorded"] == 17 and 0 <= found["zero_informed"] <= 17
    left, right = study.figure_step_gains(along)
    assert len(left.lines) == along["p"].nunique() + 1 and len(right.lines) == along["alpha"].nunique() + 1
    plt.close("all")
