"""The study of the chapter "Watching an embedding in use"."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from helpers.book.data import table
from helpers.inference import judge
from helpers.quality import picture
from helpers.studies import drift

RNG = np.random.default_rng(0)
BASE = RNG.normal(size=(120, 8)).astype(np.float32)
RUNS = [BASE + 0.1 * RNG.normal(size=BASE.shape).astype(np.float32) for _ in range(6)]
ALTERED = {"none": None, "cut": RNG.normal(size=BASE.shape).astype(np.float32), "swapped": None}


@pytest.fixture(scope="module")
def detected():
    return drift.detection(RUNS, ALTERED, n_repeats=2)


def test_changes_do_what_their_names_say():
    texts = ["One two three four five six seven.", "Words of one."]
    assert drift.altered(texts, "none") == texts
    assert drift.altered(texts, "cut")[0] == "One two three four five"
    assert drift.altered(texts, "swapped") == texts[::-1]
    assert all(len(a) == len(b) and a != b for a, b in zip(texts, drift.altered(texts, "misspelt"), strict=True))
    with pytest.raises(ValueError, match="change is 'lost'"):
        drift.altered(texts, "lost")


def test_objects_of_other_vectors_are_found_and_centroids_do_not_see_swaps(detected):
    by = detected.groupby(["change", "null"])
    assert (by["power"].mean()[["cut", "swapped"]] > 0.8).all() and by["power"].mean()["none"].isna().all()
    assert not detected["centroid"][detected["change"] == "swapped"].any()
    assert (detected["found"][detected["change"] == "none"] <= 3).all()
    shown = drift.detection_table(detected)
    assert shown.loc[("swapped", "rerun"), "centroid alarm"] == 0 and len(shown) == 6


def test_the_changed_version_differs_in_the_changed_rows_alone():
    rows = np.array([3, 8, 9])
    new, _ = drift.watched(RUNS[:3], "swapped", rows, n_resamples=9)
    rest = np.setdiff1d(np.arange(120), rows)
    np.testing.assert_array_equal(new[rest], RUNS[1][rest])
    np.testing.assert_array_equal(new[rows], RUNS[1][[8, 9, 3]])
    assert drift.centroid_distance(new, RUNS[1]) == pytest.approx(0, abs=1e-6)  # single precision


def test_facts_and_claims_follow_from_the_rows(detected):
    facts = drift.recorded_facts(detected)
    assert facts["repeats"] == 2 and facts["centroid_swapped"] == 0
    assert facts["power_rerun_swapped"] > 0.8
    pictures = {method: picture(BASE, method=method, k=5, n_resamples=9) for method in ("pca", "tsne")}
    about = drift.picture_facts(pictures)
    assert about["trustworthiness_pca"] == pytest.approx(pictures["pca"].table.value["trustworthiness"])
    always = detected.assign(centroid=True)
    missed = always.assign(centroid=always.index != always.index[always["change"] == "cut"][0])
    rows = pd.concat([always.assign(encoder="a"), missed.assign(encoder="b")], ignore_index=True)
    found = drift.findings(rows, pictures, n_resamples=99)
    judged = judge(drift.CLAIMS, found)
    assert judged.loc["centroid", "n"] == 2 and judged.loc["tsne", "n"] == 120
    assert judged.loc["centroid", "units"] == "encoders"
    assert found["centroid"].estimate == 0.5  # one miss, and an encoder does not count


def test_facts_of_model_changes_are_of_other_encoders_and_not_of_precision():
    rows = [("bfloat16", 0.99, 0.98), ("b", 0.4, 0.5), ("bfloat16", 0.97, 0.9), ("a", 0.3, 0.6)]
    found = drift.model_facts(pd.DataFrame(rows, columns=["new", "stay", "kept"]))
    expected = {"stay_low": 0.3, "stay_high": 0.4, "kept_low": 0.5, "kept_high": 0.6, "precision_stay": 0.97}
    assert found == expected


def test_recorded_changes_of_real_encoders_hold_the_bound_and_answer_the_claim_on_centroids():
    rows = table("results/drift.csv")
    facts = drift.recorded_facts(rows)
    assert rows["encoder"].nunique() == 2 and set(rows["change"]) == set(drift.CHANGES)
    runs = rows[rows["null"] == "rerun"]
    assert runs["fdp"].mean() <= 0.05 + 2 * runs["fdp"].std() / np.sqrt(len(runs))
    assert facts["power_rerun_swapped"] > facts["power_rerun_cut"]
    assert set(drift.JUDGED_ON) == set(drift.CLAIMS)
    assert set(drift.model_facts(table("results/drift_models.csv"))) >= {"stay_low", "kept_high"}


def test_figures_show_what_was_found(detected):
    rows = np.arange(20)
    new, found = drift.watched(RUNS[:5], "swapped", rows, n_resamples=9)
    _, null = drift.watched(RUNS[:5], "none", rows, n_resamples=9)
    figure = drift.story_figure(found, rows, null)
    circles = figure.axes[1].collections[-1].get_offsets()
    assert len(circles) == len(found.moved) and len(figure.axes) == 2
    facts = drift.facts(found, rows.tolist(), RUNS[0], new)
    assert facts["right"] + facts["wrong"] == facts["found"] == len(found.moved) and facts["changed"] == 20
    bars = drift.detection_figure(detected).axes[0].patches
    assert len(bars) == 4  # two changes, two nulls
    _, pictures = drift.pictures_figure(BASE, ["pca"])
    assert pictures["pca"].method == "pca"
    plt.close("all")


def test_runs_of_the_pocket_encoder_differ_by_dropout_and_are_the_same_again():
    texts = ["Returns the sum of all entries.", "Opens a file."]
    first, second, third = drift.encode_runs("encoders/simcse", texts, [0, 1, 0])
    np.testing.assert_array_equal(first, third)
    assert first.shape == (2, 128) and not np.allclose(first, second)


def test_a_summary_asks_for_the_paragraphs_of_its_object():
    questions, texts, qrels = drift.passages(5, rng=0)
    assert len(questions) == 5 and sorted(row for rows in qrels.values() for row in rows) == list(range(len(texts)))
    pd.testing.assert_index_equal(pd.Index(qrels), pd.Index(range(5)))
