"""The study of the chapter "Where it stands"."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from helpers.book import data
from helpers.inference import judge
from helpers.studies import standing_page
from helpers.studies.russian_runs import corpus_from
from helpers.studies.standing import FLOORS as FLOOR_NAMES
from helpers.studies.standing import RECALLS


def rows(scores, *, errors=0.004, ms=None, tokens=1.0, honest=0.01):
    """Recorded rows: scores of seeds by (encoder, updates)."""
    told = []
    for (name, updates), seeds in scores.items():
        for seed, score in enumerate(seeds):
            about = {"encoder": name, "updates": updates, "seed": seed, "tokens": tokens * updates, "megabytes": 1.0}
            about |= {"per_second": 1000 / (ms or {}).get(name, 0.1), "n": np.nan, "chance": 0.2}
            about |= {"se_published": errors, "se_honest": errors}
            for task, value in (("mean S", score), ("mean CLF", score), ("mean S, one output", score - 0.02)):
                told.append(about | {"task": task, "published": value, "honest": value - honest})
            told += [about | {"task": f"recall@{k}", "n": 99, "published": 0.5, "honest": 0.5} for k in RECALLS]
            told += [about | {"task": task, "n": 4000, "published": score, "honest": score} for task in ("STS", "IC")]
    return pd.DataFrame(told)


FLOORS = {("hashed words, 300", 0): [0.4912], ("hashed words, 1000", 0): [0.5128], ("TF-IDF of words", 0): [0.55]}


def test_an_interval_has_the_texts_and_the_seeds_in_it():
    seeds = [0.60, 0.61, 0.62]
    table = standing_page.mean_scores_with_intervals(rows({("bag", 9): seeds, **FLOORS}))
    bag = table.loc[("bag", 9)]
    items, between = 0.004**2, np.var(seeds, ddof=1) / 3
    df = (items + between) ** 2 / (between**2 / 2)  # Welch and Satterthwaite; the texts have no end of degrees
    assert bag["se"] == pytest.approx(np.sqrt(items + between)) and bag["df"] == pytest.approx(df)
    assert bag["ci_high"] - bag["score"] == pytest.approx(stats.t.ppf(0.975, df) * bag["se"])
    assert bag["n"] == 8000 and bag["seeds"] == 3  # of the two tasks, once for all seeds
    floor = table.loc[("TF-IDF of words", 0)]
    assert floor["ci_high"] - floor["score"] == pytest.approx(stats.norm.ppf(0.975) * 0.004) and floor["seeds"] == 1


def test_the_front_is_open_where_intervals_overlap():
    ms = {"fast": 0.1, "slow and better": 1.0, "slow and alike": 1.0, "slow and worse": 1.0}
    scores = {("fast", 0): [0.55], ("slow and better", 0): [0.60], ("slow and alike", 0): [0.553]}
    scores[("slow and worse", 0)] = [0.50]
    shown = standing_page.quality_cost_table(rows(scores, ms=ms))
    told = shown.loc[list(ms), "front"].to_dict()
    assert told == {"fast": "on", "slow and better": "on", "slow and alike": "off", "slow and worse": "off"}
    alone = standing_page.quality_cost_table(rows({k: v for k, v in scores.items() if "better" not in k[0]}, ms=ms))
    assert alone.loc["slow and alike", "front"] == "open" and "[" in alone.loc["fast", "mean S"]


def test_verdicts_follow_from_rows_and_intervals():
    def verdicts(bag):
        found = standing_page.findings(rows({**FLOORS, ("bag", 9): bag}))
        return judge(standing_page.CLAIMS, found)["verdict"].to_dict()

    assert verdicts([0.65, 0.651, 0.649]) == {
        "hashed": "reproduced",
        "fasttext": "reproduced",
        "rungs": "reproduced",
        "user": "not testable here",
    }
    low = verdicts([0.57, 0.5705, 0.5695])
    assert low["fasttext"] == "not reproduced" and low["rungs"] == "reproduced"
    near = verdicts([0.552, 0.5525, 0.5515])
    assert near["rungs"] == "not testable here"
    assert verdicts([0.65])["fasttext"] == verdicts([0.65])["rungs"] == "not testable here"  # one seed says little
    far = standing_page.findings(rows({**FLOORS, ("hashed words, 300", 0): [0.52]}))
    assert judge(standing_page.CLAIMS, far).loc["hashed", "verdict"] == "not reproduced"
    assert far["fasttext"].why == "not recorded"


def test_the_most_trained_bag_counts_and_the_curve_has_them_all():
    found = rows({**FLOORS, ("bag", 20): [0.60, 0.61], ("bag", 10): [0.58, 0.57], ("bag", 40): [0.62]})
    assert standing_page.quality_cost_table(found).loc["bag", "mean S"].startswith("0.620")
    curve = standing_page.tokens_table(found)
    assert curve.index.tolist() == [10, 20, 40] and curve["gain"].tolist() == ["—", "+0.030", "+0.015"]
    assert curve["gain per doubling"].iloc[-1] == "+0.015" and curve["seeds"].tolist() == [2, 2, 1]
    facts = standing_page.standing_facts(found)
    assert facts["bag"].startswith("0.620") and facts["bag_flattered"] == "0.010"
    assert facts["best_rung_name"] == "TF-IDF of words" and facts["last_gain"] == "+0.015"
    for figure in (standing_page.quality_cost_figure(found), standing_page.tokens_figure(found)):
        plt.close(figure)


def test_a_page_measures_floors_and_a_bag_that_it_trains(tmp_path):
    corpus = corpus_from()
    live = standing_page.live_standing(corpus, str(tmp_path), width=8, steps=(5, 5, 5), n_resamples=19)
    shown = standing_page.shown_by_task(live)
    assert shown.index[-1] == "bag of 8" and set(FLOOR_NAMES) - {"navec"} <= set(shown.index)
    assert shown.columns.tolist() == [*(f"recall@{k}" for k in RECALLS), "sentences a second"]
    facts = standing_page.live_facts(live)
    assert facts["chance"] == pytest.approx(10 / facts["texts"]) and facts["titles"] >= 4
    assert int(facts["slowest"].replace(",", "")) > 0


def test_what_choosing_adds_is_told_beside_one_output():
    shown = standing_page.flattered_table(rows({("bag", 9): [0.6], **FLOORS}))
    assert shown.loc["bag"].tolist() == ["0.580", "0.600", "0.590", "0.010"]


def test_without_recorded_rows_there_are_dashes_and_published_encoders():
    shown = standing_page.quality_cost_table(None)
    assert shown.loc["not recorded", "mean S"] == "—" and shown.loc["USER", "mean S"] == "0.772"
    assert shown.loc["fastText on GeoWAC", "MB"] == "1910" and "measured" not in shown.loc["USER", "from"]
    for table in (
        standing_page.flattered_table(None),
        standing_page.tokens_table(None),
        standing_page.recall_table(None),
    ):
        assert table.index.tolist() == ["not recorded"] and (table == "—").all(axis=None)
    judged = judge(standing_page.CLAIMS, standing_page.findings(None))
    assert (judged["verdict"] == "not testable here").all()
    facts = standing_page.standing_facts(None)
    assert facts["bag"] == "—" and facts["fasttext"] == "0.617" and facts["published_n"] == "39"
    for figure in (standing_page.quality_cost_figure(None), standing_page.tokens_figure(None)):
        plt.close(figure)


def test_published_encoders_are_those_of_the_tables():
    told = standing_page.published_encoders()
    assert told.index[0] == "bge-m3 (dense)" and told.loc["USER", "million parameters"] == 85
    assert told.loc["mult-e5-base", "mean CLF"] == 0.849 and told.loc["USER", "mean CLF"] == 0.871
    listed = standing_page.published_speeds()
    assert listed.loc["rubert-tiny2"].tolist() == [0.704, 6.2, 111.4] and listed["score"].is_monotonic_decreasing


def test_bad_choices_are_refused(tmp_path, monkeypatch):
    monkeypatch.delenv("BOOK_MODELS", raising=False)
    good = {"language": "ru", "width": 4, "steps": [5, 5, 5], "n_resamples": 19}
    standing_page.check_standing_choices(**good, evaluation=str(tmp_path))
    for change in ({"language": "de"}, {"width": 3}, {"steps": [5, 5]}, {"n_resamples": 18}):
        with pytest.raises(ValueError, match=next(iter(change))):
            standing_page.check_standing_choices(**good | change)
    with pytest.raises(ValueError, match="asks in Russian"):
        standing_page.check_standing_choices(**good | {"language": "en", "evaluation": str(tmp_path)})
    for name in ("evaluation", "navec"):
        with pytest.raises(FileNotFoundError, match="there is no"):
            standing_page.check_standing_choices(**good, **{name: str(tmp_path / "absent")})


def test_the_recorded_bag_is_ahead_of_fasttext_and_of_every_floor_with_three_seeds():
    recorded = data.table("results/russian_standing.csv")
    verdicts = judge(standing_page.CLAIMS, standing_page.findings(recorded))["verdict"]
    assert verdicts[["hashed", "fasttext", "rungs"]].tolist() == ["reproduced"] * 3
    bag = standing_page.mean_scores_with_intervals(recorded).loc[("bag of 384", 6000)]
    assert bag["seeds"] >= 3 and bag["ci_low"] > 0.617 and bag["megabytes"] <= 12
    by_task = recorded[(recorded["updates"] == 6000)].groupby("task")["published"].mean()
    assert by_task["STS"] > 0.736 and by_task["PI"] > 0.563  # the prototype's bag of word pieces
