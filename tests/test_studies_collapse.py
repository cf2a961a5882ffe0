"""The laboratory of collapse: each collapse happens and is found, remedies that do not apply say why."""

import numpy as np
import pandas as pd
import pytest

from helpers.book.data import table
from helpers.quality import diagnose
from helpers.studies import collapse, collapse_page, collapse_sweeps
from helpers.studies.collapse_tables import click_log, word_language, word_pairs
from helpers.studies.collapse_views import effective_directions, latent_objects, readable


@pytest.mark.parametrize("name", collapse.COLLAPSES)
def test_each_collapse_happens_and_the_diagnosis_names_it(name):
    found = collapse.try_remedy(name)
    assert found.kept < 0.35
    assert collapse_page.FINDING[name] in diagnose(found.x, codes=found.codes, n_codes=found.n_codes).findings


@pytest.mark.parametrize("name", ["complete", "token", "crossed fields"])
def test_without_its_cause_a_space_keeps_more_and_can_be_read(name):
    lost, whole = (collapse.try_remedy(name, remedy) for remedy in ("nothing", "cause removed"))
    assert whole.kept > 2 * lost.kept and whole.task > lost.task + 0.5


def test_every_remedy_applies_to_every_collapse_or_says_why_not():
    for name, given in collapse.APPLIED.items():
        assert set(given) | {"nothing"} == set(collapse.REMEDIES), name
        assert all(isinstance(one, dict) or len(one.split()) > 2 for one in given.values())
    with pytest.raises(
        ValueError, match="'k-means start' does not apply to the complete collapse: nothing is quantised"
    ):
        collapse.try_remedy("complete", "k-means start")
    with pytest.raises(ValueError, match="collapse is 'total'"):
        collapse.try_remedy("total")
    with pytest.raises(ValueError, match="remedy is 'hope'"):
        collapse.try_remedy("complete", "hope")


FEW = ("nothing", "k-means start", "whitening")


@pytest.fixture(scope="module")
def rows():
    return collapse.laboratory(remedies=FEW, steps=4).assign(seed=0)


def test_the_laboratory_has_a_row_for_each_pair(rows):
    assert len(rows) == len(collapse.COLLAPSES) * len(FEW)
    applied = rows[rows["applies"]]
    assert applied[["kept", "task", "seconds", "parameters"]].notna().all(axis=None)
    assert (applied["kept"].between(0, 1 + 1e-6)).all() and (applied["task"] <= 1).all()
    assert (rows[~rows["applies"]]["why"].str.len() > 0).all()


def test_tables_say_what_does_not_apply(rows):
    for column in ("kept", "task", "found"):
        shown = collapse_page.remedy_table(rows, column)
        assert list(shown.index) == list(collapse.REMEDIES)
        assert shown.loc["k-means start", "complete"] == "does not apply"
        assert shown.loc["nothing"].str.contains("apply").sum() == 0
        assert set(shown.loc["VICReg"]) == {"not tried"}
    reasons = collapse_page.reasons_table(rows)
    assert reasons.loc["k-means start", "why"] == "nothing is quantised"
    assert reasons.loc["k-means start", "collapse"] == "complete, dimensional, cluster, token, crossed fields"


def test_costs_are_seconds_and_sizes_over_that_of_doing_nothing(rows):
    spent = rows[rows["applies"]]
    shown = collapse_page.cost_table(spent)
    assert shown.loc["nothing"].str.endswith(" s, 1.0 × size").all()
    assert shown.loc["k-means start", "token"] == "does not apply"
    larger = spent.assign(parameters=spent["parameters"] * np.where(spent["remedy"] == "whitening", 3, 1))
    assert collapse_page.cost_table(larger).loc["whitening", "complete"].endswith(" s, 3.0 × size")


def test_costs_are_of_every_pair_that_applies_and_no_first_training_pays_for_what_is_loaded(rows):
    spent = collapse.costs(remedies=FEW, steps=4)
    applied = rows.loc[rows["applies"], ["collapse", "remedy", "parameters"]].reset_index(drop=True)
    pd.testing.assert_frame_equal(spent[["collapse", "remedy", "parameters"]], applied)
    recorded = table("results/collapse_costs.csv")
    cells = recorded.groupby(["collapse", "remedy"])["seconds"]
    assert (cells.size() == recorded["seed"].nunique()).all() and set(collapse.COLLAPSES) == set(recorded["collapse"])
    for name, given in collapse.APPLIED.items():
        wanted = {"nothing"} | {remedy for remedy, one in given.items() if isinstance(one, dict)}
        assert set(recorded.loc[recorded["collapse"] == name, "remedy"]) == wanted


@pytest.mark.parametrize("name", ["codebook", "crossed fields"])
def test_losses_of_two_views_do_not_apply_where_there_are_no_two_views(name):
    recorded = table("results/collapse.csv")
    shown = collapse_page.remedy_table(recorded, "task")
    for remedy in ("Barlow Twins", "VICReg", "stop-gradient"):
        with pytest.raises(ValueError, match="does not apply"):
            collapse.try_remedy(name, remedy)
        assert shown.loc[remedy, name] == "does not apply"


def test_sweeps_have_a_row_for_each_setting_and_claims_a_finding_for_each():
    contrast = pd.concat(
        [collapse_sweeps.contrast_sweep((0.3, 3.0), (0.1, 1.0), steps=3, rng=s).assign(seed=s) for s in (0, 1)]
    )
    codes = pd.concat([collapse_sweeps.codes_sweep(n_codes=16, steps=3, rng=s).assign(seed=s) for s in (0, 1)])
    assert len(contrast) == 2 * 2 * 2 * 3 and len(codes) == 2 * 16
    assert collapse_page.codes_table(codes).shape == (8, 2)
    rng, made = np.random.default_rng(0), []
    for seed in (0, 1):
        for name, given in collapse.APPLIED.items():
            for remedy in collapse.REMEDIES:
                applies = not isinstance(given.get(remedy), str)
                kept, task = rng.random(2) if applies else (np.nan, np.nan)
                made.append([seed, name, remedy, applies, kept, task, ""])
    tried = pd.DataFrame(made, columns=["seed", "collapse", "remedy", "applies", "kept", "task", "findings"])
    found = collapse_page.claim_findings(tried, contrast, codes)
    assert set(found) == set(collapse_page.CLAIMS) and all(
        one.low <= one.estimate <= one.high for one in found.values()
    )
    by_hand = tried[tried["collapse"] == "complete"].pivot_table(index="seed", columns="remedy", values="kept")
    assert found["stop"].estimate == pytest.approx(float((by_hand["stop-gradient"] - by_hand["nothing"]).mean()))
    assert {"seeds", "whitened", "straight_again"} <= set(collapse_page.facts(tried, contrast, codes))


def test_the_interval_of_a_mean_over_seeds_is_students():
    from scipy import stats

    values = [0.1, 0.3, 0.2, 0.5]
    found = collapse_page.mean_finding(collapse_page.CLAIMS["stop"], values)
    peer = stats.ttest_1samp(values, 0)
    assert found.p == pytest.approx(peer.pvalue)
    assert (found.low, found.high) == pytest.approx(tuple(peer.confidence_interval()))


def test_what_is_read_ignores_differences_far_below_the_length_of_rows():
    given = latent_objects(400, rng=0)
    assert readable(given.x, given.latents) > 0.9
    assert readable(1 + 1e-4 * given.x, given.latents) < 0.1
    directions, values = effective_directions(np.eye(5))
    assert directions == pytest.approx(4) and values[0] == 1


def test_made_data_are_what_they_say():
    language = word_language(0)
    assert np.allclose(language.together.sum(axis=1), 1) and np.bincount(language.topics).tolist() == [25] * 20
    pairs = word_pairs(language, 4000, rare=0.25, rng=1)
    rare = np.mean(pairs[:, 0] >= 400)
    # A share of n draws is off by sqrt(p (1 - p) / n); five of these.
    assert rare == pytest.approx(0.25, abs=5 * np.sqrt(0.25 * 0.75 / 4000)) and pairs[:, 1].max() < 400
    log = click_log(3000, small=(2, 3), rng=0)
    assert log.values.shape == (3000, 4) and set(log.clicks) == {0, 1} and log.values[:, 3].max() == 2
