"""The study of the chapter "What an encoder does not see"."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from helpers.inference import judge
from helpers.pairs import PairCorpus, made_pairs
from helpers.studies import pairs_page


@pytest.fixture(scope="module")
def sample():
    return pairs_page.corpus_of_language("ru")


def test_sentences_are_whole_and_stand_once(sample):
    found = pairs_page.sentences_of(sample)
    assert found["text"].is_unique and found["text"].str.endswith(".").all()
    assert found["text"].str.len().between(20, 140).all() and set(found["source"]) == set(sample.licences)
    few = pairs_page.sentences_of(sample, 50, rng=1)
    assert len(few) == 50 and set(few["text"]) <= set(found["text"])


def test_no_training_sees_the_other_source(sample):
    sentences = pairs_page.sentences_of(sample)
    part = pairs_page.half_and_others(sentences)
    others = set(sentences["source"][part == "others"])
    assert len(others) == 1 and not others & set(sentences["source"][part != "others"])
    alone = pairs_page.half_and_others(sentences[sentences["source"].isin(others)])
    assert set(alone) == {"train", "own", "others"}


@pytest.mark.parametrize("language", ["ru", "en"])
def test_each_bad_pair_is_refused_for_a_reason_of_its_own(language):
    kept, refused = pairs_page.refused_pairs(language)
    assert len(kept) == 1 and kept["left"].iloc[0] == pairs_page.BAD_PAIRS[language][0][0]
    assert refused[refused > 0].tolist() == [1, 1, 1, 1, 1]


@pytest.mark.parametrize("language", ["ru", "en"])
def test_the_story_has_roles_a_negation_and_an_order_of_clauses(language):
    texts = pairs_page.story_texts(language)
    assert set(texts) == {"roles", "negation", "clause order"}
    encode = lambda told: np.array([[text.count(c) for c in "аеиоthe"] for text in told], float)  # noqa: E731
    figure = pairs_page.changed_story_figure({"letters": encode, "again": encode}, language)
    assert len(figure.axes[0].get_yticklabels()) == 3
    plt.close(figure)


def test_negatives_that_were_trained_on_move_away_and_tables_say_so(sample):
    texts = pairs_page.sentences_of(sample, 120)["text"]
    made = made_pairs(list(texts), each=2)
    options = {"width": 16, "steps": 200}
    seen = {}
    for name, negatives in (("pairs", None), ("negatives", made)):
        model = pairs_page.vectors_by(pairs_page.train_on(sample, negatives, **options))
        seen |= pairs_page.seen_by({name: model}, made, n_resamples=19)
    assert seen["negatives"].loc["all negatives", "auc"] > seen["pairs"].loc["all negatives", "auc"]
    table = pairs_page.seen_table(seen)
    assert (
        "all negatives" in table.index and "synonyms" not in table.index and list(table)[1:] == ["pairs", "negatives"]
    )
    facts = pairs_page.facts({}, {"pairs": {"own": seen["pairs"]}})
    assert facts["pairs_own"] == pytest.approx(seen["pairs"].loc["all negatives", "auc"])
    figure = pairs_page.distributions_figure({"pairs": {"own": seen["pairs"]}}, {"own": made})
    assert len(figure.axes) == 1
    plt.close(figure)


def rows(gain, seeds=6):
    rng = np.random.default_rng(0)
    told = [
        (seed, training, part, kind, False, 100, 0.9, 0.4 + gain * (training != "pairs") + rng.normal(scale=0.01))
        for seed in range(seeds)
        for training in ("pairs", "pairs and negatives")
        for part in ("own", "others")
        for kind in ("negation", "all negatives")
    ]
    return pd.DataFrame(told, columns=["seed", "training", "part", "kind", "positive", "n", "cosine", "auc"])


@pytest.mark.parametrize("gain, verdict", [(0.3, "reproduced"), (-0.3, "not reproduced"), (0.0, "not testable here")])
def test_verdicts_follow_from_the_recorded_rows(gain, verdict):
    judged = judge(pairs_page.CLAIMS, pairs_page.findings(rows(gain)))
    assert (judged["verdict"] == verdict).all()
    mean = rows(gain).query("part == 'own' and training == 'pairs' and kind == 'negation'")["auc"].mean()
    shown = pairs_page.recorded_table(rows(gain))
    assert shown.loc[("own", "pairs"), "negation"] == f"{mean:.2f}"


def test_without_a_recorded_table_the_page_has_dashes_and_no_verdict():
    assert pairs_page.recorded_rows("results/no_such_table.csv") is None
    assert (pairs_page.recorded_table(None) == "—").all(axis=None)
    judged = judge(pairs_page.CLAIMS, pairs_page.findings(None))
    assert (judged["verdict"] == "not testable here").all() and (judged["note"] == "not recorded yet").all()


def test_recorded_rows_have_every_training_part_and_kind():
    sample = pairs_page.corpus_of_language("ru")
    small = PairCorpus(sample.paragraphs, sample.pairs, sample.refused, sample.licences)
    options = {"width": 8, "pieces": 600, "steps": 5, "batch": 8}
    found = pairs_page.seen_rows(small, n_sentences=150, without=("", "negation"), **options)
    trainings = {"none", "pairs", "pairs and negatives", "pairs and negatives without negation"}
    assert set(found["training"]) == trainings and set(found["part"]) == {"own", "others"}
    assert found.groupby(["training", "part"])["kind"].apply(lambda kinds: "all negatives" in set(kinds)).all()
    assert found["auc"].dropna().between(0, 1).all()


def test_bad_choices_are_refused():
    good = {"language": "ru", "n_sentences": 200, "width": 4, "steps": 10, "n_resamples": 19}
    pairs_page.check_pairs_choices(**good)
    for change in ({"language": "de"}, {"n_sentences": 199}, {"width": 3}, {"steps": 9}, {"n_resamples": 18}):
        with pytest.raises(ValueError, match=next(iter(change))):
            pairs_page.check_pairs_choices(**good | change)
