"""Rankings of the page about weights without labels: by hand on made-up models, and the recorded ones."""

import numpy as np
import pandas as pd
import pytest

from helpers.quality import QUALITIES
from helpers.studies import label_free_ranking as study
from helpers.studies.label_free import FURTHER, PUBLISHED
from helpers.studies.label_free_page import recorded_weightings

NAMES = ["rankme", "nesum", "stable_rank", "mean_cosine", "alignment", "lidar", "alignment_halves", "lidar_halves"]
FEW = {"n_resamples": 999, "rng": 0}


@pytest.fixture(scope="module")
def models():
    """Twelve experiments of six models: RankMe is right, the stable rank and the mean cosine say the same."""
    rng, rows = np.random.default_rng(0), []
    for e in range(12):
        test = rng.permutation(6) / 10
        noise = rng.normal(size=(6, len(NAMES)))
        values = dict(zip(NAMES, noise.T, strict=True)) | {"rankme": test**2, "alignment_halves": test + 1}
        values |= {"mean_cosine": np.exp(values["stable_rank"]), "columns": test.round(), "validation": test}
        rows.append(pd.DataFrame(values | {"experiment": e, "test": test, "half_a": test, "half_b": test}))
    return pd.concat(rows, ignore_index=True)


@pytest.fixture(scope="module")
def ranking(models):
    return study.rank_qualities(models, NAMES, **FEW)


def test_a_quality_that_is_right_ranks_perfectly_and_is_the_top(ranking):
    assert ranking.top in ("rankme", "alignment_halves") and ranking.reliability == pytest.approx(1)
    assert ranking.qualities.loc["rankme", ["spearman", "top"]].tolist() == pytest.approx([1, 1])
    assert list(ranking.known.index) == ["columns", "validation"]
    assert list(ranking.all.index) == [*NAMES, "columns", "validation"] and ranking.all["p_holm"].isna().sum() == 2


def test_a_run_is_ranked_only_where_there_is_something_to_rank(models):
    found = study.rank_run(models, [*NAMES, "unknown"], **FEW)
    assert list(found.index) == NAMES
    assert study.rank_run(models[models["experiment"] == 0], NAMES, **FEW).empty
    assert study.rank_run(models.assign(test=0.5), NAMES, **FEW).empty
    assert study.rank_run(models.groupby("experiment").head(2), NAMES, **FEW).empty


def test_what_ranks_and_what_does_not_is_listed(ranking, models):
    found = study.facts_of_ranking(ranking, models)
    assert found["n_qualities"] == len(NAMES) and found["rank_chance"] == pytest.approx(100 / 6)
    assert found["rank_top_said"].startswith("1.00") and found["rank_validation_said"].startswith("1.00")
    assert "RankMe" in found["rank_good"] and found["rank_bad"] == "none" and found["n_good"] == 2
    assert found["rank_picks_top"] == 100


def test_views_are_compared_with_their_stand_ins_and_dashes_stand_where_there_are_none(ranking, models):
    found = study.facts_of_views(ranking, models, **FEW)
    assert found["alignment_halves"].startswith("+1.00") and found["alignment_verdict"] == "better"
    shown = study.table_views(ranking, models, **FEW)
    assert list(shown.index) == ["alignment", "LiDAR"] and shown.loc["alignment", "verdict"] == "better"
    bare = models.drop(columns=["lidar_halves"])
    assert study.experiments_seen_twice(models) == 12 and study.experiments_seen_twice(bare) == 0
    assert set(study.facts_of_views(ranking, bare).values()) == {"—"}


def test_what_a_quality_says_beyond_the_columns_is_partial(ranking, models):
    fixed = study.held_fixed(models, NAMES, **FEW)
    assert fixed.loc["rankme", "difference"] > 0.9
    found = study.facts_of_columns(ranking, models, fixed, **FEW)
    assert found["family"] == "stable rank, mean cosine" and found["family_size"] == 2
    assert found["family_least"] == pytest.approx(1) and "RankMe" in found["left"]
    shown = study.table_given_columns(ranking, fixed)
    assert len(shown) == len(NAMES) and shown.index[0] in ("RankMe", "alignment (halves)")


def test_tables_have_a_row_for_each_quality(ranking):
    shown = study.table_ranking(ranking)
    assert shown.loc["RankMe", "its best is the best"] == "100%" and shown.loc["validation labels", "p, Holm"] == ""
    entries = study.table_quality_entries()
    assert len(entries) == len(PUBLISHED + FURTHER) and set(study.CALLED) >= set(QUALITIES)


def test_figures_show_each_quality_and_the_run_hollow(ranking, models):
    import matplotlib.pyplot as plt

    ax = study.figure_ranking(ranking, models, study.rank_run(models, ["rankme"], **FEW))
    assert len(ax.get_yticks()) == len(NAMES) + 2
    assert sum(line.get_markerfacecolor() == "none" for line in ax.lines) == 1
    axes = study.figure_quality_ranks(models, ["rankme", "validation"])
    assert len(axes[0].lines[0].get_xdata()) == len(models) and axes[1].get_xlabel() == "rank by validation labels"
    plt.close("all")


def test_the_recorded_models_can_be_ranked():
    models = recorded_weightings().models
    assert study.experiments_seen_twice(models) == models["experiment"].nunique() == 17
    assert models["columns"].between(1, 10).all()
