"""The study of the chapter "What an encoder does not see"."""

import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from helpers.encoders.stages import learn_pieces
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


def sentences_by(**sizes):
    rows = [(name, f"{name} {i}") for name, n in sizes.items() for i in range(n)]
    return pd.DataFrame(rows, columns=["source", "text"])


def test_no_training_sees_the_other_source(sample):
    sentences = pairs_page.sentences_of(sample)
    part = pairs_page.half_and_others(sentences)
    others = set(sentences["source"][part == "others"])
    assert len(others) == 1 and not others & set(sentences["source"][part != "others"])
    assert (part == "others").sum() == sentences["source"].isin(others).sum() >= 100
    alone = pairs_page.half_and_others(sentences[sentences["source"].isin(others)])
    assert set(alone) == {"train", "own", "others"}


def test_the_other_source_is_the_smallest_that_is_large_and_one_for_all_seeds():
    sentences = sentences_by(dictionary=9000, game=4000, manual=1500, faq=61)
    assert pairs_page.held_out_source(sentences) == "manual"
    assert pairs_page.held_out_source(sentences, 6000) == "game"  # of the manual a draw has 600
    parts = [pairs_page.half_and_others(sentences, rng=seed) for seed in range(3)]
    assert all((part[sentences["source"] == "manual"] == "others").all() for part in parts)
    assert all((part == "others").sum() == 1500 for part in parts) and not parts[0].equals(parts[1])
    assert pairs_page.held_out_source(sentences_by(help=159, game=137, faq=3)) == "game"  # none is large
    assert pairs_page.held_out_source(sentences_by(help=10)) == ""
    with pytest.raises(ValueError, match="other is 'nobody'; no sentence is of this source, there are 'help'"):
        pairs_page.half_and_others(sentences_by(help=10), "nobody")


@pytest.mark.parametrize(
    "train, others, says",
    [
        ("Кошка спит.", "Да, и это так.", r"no changes of the 1 sentences of part 'others' \(faq\)"),
        ("Кошка спит.", "Собака спит.", r"no changes that keep the sense of the 1 sentences of part 'others' \(faq\)"),
        ("Кошка спит.", "Врача вызвали.", r"no negatives of the 1 sentences of part 'others' \(faq\); take more"),
        (
            "Да, и это так.",
            "Врача вызвали ночью.",
            r"no negatives of the 1 sentences of part 'train' \(help\); take more",
        ),
        ("Кошка спит.", "Врача вызвали ночью.", ""),
    ],
)
def test_a_part_without_changes_or_positives_is_named(train, others, says):
    texts = [train, "Если идёт дождь, мы сидим дома.", "Кошка спит на диване.", others]
    sentences = pd.DataFrame({"source": ["help"] * 3 + ["faq"], "text": texts})
    part = pd.Series(["train", "own", "own", "others"])
    if says:
        with pytest.raises(ValueError, match=says):
            pairs_page.made_parts(sentences, part, "ru")
    else:
        assert pairs_page.made_parts(sentences, part, "ru")["others"]["positive"].tolist() == [False, True]


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


def test_a_vocabulary_that_was_learned_once_trains_the_same_bag(sample):
    texts = [*sample.paragraphs["text"], *sample.pairs["left"]]
    told = [pairs_page.train_on(sample, None, width=8, steps=5, pieces=p) for p in (300, learn_pieces(texts, 300))]
    np.testing.assert_array_equal(*(model.encode(texts[:20]) for model in told))


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
    found = pd.DataFrame(told, columns=["seed", "training", "part", "kind", "positive", "n", "cosine", "auc"])
    return found.assign(ci_low=found["auc"] - 0.05, ci_high=found["auc"] + 0.05)


@pytest.mark.parametrize("gain, verdict", [(0.3, "reproduced"), (-0.3, "not reproduced"), (0.0, "not testable here")])
def test_verdicts_follow_from_the_recorded_rows(gain, verdict):
    judged = judge(pairs_page.CLAIMS, pairs_page.findings(rows(gain)))
    assert (judged["verdict"] == verdict).all()
    mean = rows(gain).query("part == 'own' and training == 'pairs' and kind == 'negation'")["auc"].mean()
    shown = pairs_page.recorded_table(rows(gain))
    mean_and_ends = [float(end) for end in re.findall(r"\d\.\d+", shown.loc[("own", "pairs"), "negation"])]
    assert mean_and_ends[0] == round(mean, 2) and mean_and_ends[1] <= mean_and_ends[0] <= mean_and_ends[2]


def test_one_seed_has_the_interval_over_texts_in_the_table():
    one = rows(0.1, seeds=1).assign(ci_low=0.31, ci_high=0.62)
    assert pairs_page.recorded_table(one).loc[("own", "pairs"), "negation"].endswith("[0.31, 0.62]")
    nothing = pairs_page.recorded_table(one.assign(auc=np.nan))
    assert (nothing == "—").all(axis=None)


@pytest.mark.parametrize("gain", [0.2, -0.1])
def test_what_other_negatives_teach_of_negation_has_an_interval_over_seeds(gain):
    table = rows(0.3)
    unseen = table.query("training == 'pairs'").assign(training="pairs and negatives without negation")
    rng = np.random.default_rng(1)
    unseen["auc"] += gain + rng.normal(scale=0.005, size=len(unseen))
    both = pd.concat([table, unseen])
    found = pairs_page.negation_unseen(both)
    for part in ("own", "others"):
        kept = both[(both["kind"] == "negation") & (both["part"] == part)].groupby("training")["auc"].mean()
        expected = kept["pairs and negatives without negation"] - kept["pairs"]
        assert found[part].estimate == pytest.approx(expected) and found[part].n == 6
        assert found[part].low < gain < found[part].high and found[part].low * found[part].high > 0
    facts = pairs_page.recorded_pair_facts(both)
    assert facts["unseen_own"].startswith(f"{found['own'].estimate:+.2f} [")
    alone = pairs_page.recorded_pair_facts(table)  # no training without negation
    assert alone["unseen_own"] == "0 of seeds recorded; two at least are needed"
    assert pairs_page.recorded_pair_facts(None)["unseen_others"] == "not recorded yet"


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
    others = found[found["part"] == "others"]
    assert (found["held_out"] == "cataclysm").all() and (found["corpus_pairs"] == len(small.pairs)).all()
    counted = others[others["kind"] != "all negatives"].groupby(["training", "positive"])["n"].sum()
    assert (
        others["negatives"].iloc[0] == counted["none", False] and others["positives"].iloc[0] == counted["none", True]
    )


def test_bad_choices_are_refused():
    good = {"language": "ru", "n_sentences": 200, "width": 4, "steps": 10, "n_resamples": 19}
    pairs_page.check_pairs_choices(**good)
    for change in ({"language": "de"}, {"n_sentences": 199}, {"width": 3}, {"steps": 9}, {"n_resamples": 18}):
        with pytest.raises(ValueError, match=next(iter(change))):
            pairs_page.check_pairs_choices(**good | change)
