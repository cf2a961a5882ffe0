"""The Russian benchmark from a folder: its rules, honest ones, and its published floor."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tolerance
from scipy.stats import spearmanr
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from task_data import by_mteb, encode, write_encodechka

from helpers.tasks import describe_tasks, evaluate_task
from helpers.tasks.encodechka import ENCODECHKA, encodechka_scores, load_encodechka, mean_scores

REAL = Path(os.environ.get("BOOK_DATA", "nowhere"), "encodechka")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_encodechka(tmp_path_factory.mktemp("encodechka"))


def test_the_eight_tasks_are_tasks_of_mteb_that_say_what_they_are(folder):
    tasks = load_encodechka(folder)
    assert list(tasks) == list(ENCODECHKA) and all(task.data_loaded for task in tasks.values())
    table = describe_tasks(tasks)
    assert table["test"].tolist() == [60] * 8 and table.loc["TI", "chance"] == 0.5 and table.loc["STS", "chance"] == 0
    assert table.loc["IC", "chance"] == pytest.approx(1 / 4) and table.loc["NLI", "chance"] == pytest.approx(1 / 3)


@pytest.mark.parametrize("name", ENCODECHKA)
def test_the_scores_are_those_that_mteb_is_given_on_the_same_vectors(folder, name):
    task = load_encodechka(folder, name)[name]
    found = evaluate_task(task, encode)
    # vectors of whole numbers; the same code scores them, and probes may differ by the order of sums
    assert found.score == pytest.approx(by_mteb(task), abs=4 * tolerance.inner(60))
    table = encodechka_scores(encode, folder, name)
    assert table.loc[name, "published"] == pytest.approx(found.score, abs=4 * tolerance.inner(60))
    draws = found.bootstrap(n=50)
    assert draws.shape == (50,) and draws.min() < found.score < draws.max() or found.score in (0.0, 1.0)


def test_pairs_are_scored_by_hand(folder):
    tasks = load_encodechka(folder, ["STS", "PI"])
    for task in tasks.values():
        data = task.dataset["test"]
        one, two = (encode(list(data[side])) for side in ("sentence1", "sentence2"))
        cosine = (one * two).sum(1) / np.linalg.norm(one, axis=1) / np.linalg.norm(two, axis=1)
        expected = spearmanr(cosine.round(9), data["score"]).statistic
        # cosines that are equal in exact arithmetic may differ in the last bits, and then no longer share a rank
        assert evaluate_task(task, encode).score == pytest.approx(expected, abs=0.02)


def test_classification_is_scored_by_hand(folder):
    data = load_encodechka(folder, "TI")["TI"].dataset
    x, z = (encode(list(data[split]["text"])) for split in ("train", "test"))
    x, z = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in (x, z))
    model = LogisticRegression(max_iter=10_000).fit(x, data["train"]["label"])
    expected = roc_auc_score(data["test"]["label"], model.predict_proba(z)[:, 1])
    assert encodechka_scores(encode, folder, "TI").loc["TI", "published"] == pytest.approx(
        expected, abs=0.01
    )  # near ties


def test_intents_across_languages_are_learned_from_the_english_column(folder):
    data = load_encodechka(folder, "ICX")["ICX"].dataset
    assert all(" en " in f" {text} " for text in data["train"]["text"])
    assert not any(" en " in f" {text} " for text in data["test"]["text"])


def noise(seed):
    def of(texts):
        return np.stack([np.random.default_rng([seed, *text.encode()]).normal(size=8) for text in texts])

    return of


def test_the_published_rule_flatters_an_encoder_of_many_outputs(folder):
    """Of ten outputs that are all noise the best on the test part seems to know something, an honest choice not."""
    table = encodechka_scores({str(seed): noise(seed) for seed in range(10)}, folder)
    assert (table["published"] >= table["honest"]).all()
    above = table[["published", "honest"]].sub(table["chance"], axis=0).mean()
    # the largest of ten of 60 pairs or texts: 1.5 of their deviations, which are 0.06 (shares) to 0.13 (correlations)
    assert above["published"] > 0.05 > above["honest"]
    assert set(table["chosen_published"].str.split(" · ").str[0]) <= {str(seed) for seed in range(10)}


def test_with_one_output_only_classifiers_are_chosen(folder):
    table = encodechka_scores(encode, folder)
    pairs = ["STS", "PI", "NLI", "TI", "IA"]
    assert (table.loc[pairs, "published"] == table.loc[pairs, "honest"]).all()
    assert set(table.loc[["SA", "IC", "ICX"], "chosen_honest"]) <= {"logistic regression", "3 neighbours"}


def test_means_are_those_of_the_benchmark(folder):
    table = encodechka_scores(encode, folder, choice="published")
    means = mean_scores(table)
    assert means.loc["mean S", "published"] == pytest.approx(table["published"].mean())
    assert means.loc["mean CLF", "published"] == pytest.approx(table.loc[["TI", "SA", "IA"], "published"].mean())
    assert mean_scores(table.drop("ICX"))["published"].isna().tolist() == [True, False]


@pytest.mark.parametrize(
    "file, old, new, message",
    [
        ("stsb_dev.csv", b"5.0", b"5.5", "stsb_dev.csv, row 3: similarity_score is '5.5'; a number from 0 to 5"),
        (
            "xnli_ru.csv",
            b"neutral",
            b"nothing",
            "xnli_ru.csv, row 3: gold_label is 'nothing'; it is one of contradiction",
        ),
        ("toxic_train.csv", b",1\r\n", b",yes\r\n", "toxic_train.csv, row 2: toxic is 'yes'; it is 0 or 1"),
        ("intents_test.csv", b"label", b"intent", "intents_test.csv has no column 'label'"),
    ],
)
def test_bad_files_are_refused_with_row_and_column(folder, tmp_path, file, old, new, message):
    import shutil

    place = shutil.copytree(folder, tmp_path / "copy")
    content = (place / file).read_bytes()
    assert old in content
    (place / file).write_bytes(content.replace(old, new, 1))
    with pytest.raises(ValueError, match=message):
        load_encodechka(place)


def test_bad_arguments_are_refused(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        load_encodechka(tmp_path / "absent")
    with pytest.raises(FileNotFoundError, match="needs stsb_dev.csv below"):
        load_encodechka(tmp_path, "STS")
    with pytest.raises(ValueError, match="no task 'NER'; there are STS, PI"):
        load_encodechka(folder, "NER")
    with pytest.raises(ValueError, match="choice is 'best'"):
        load_encodechka(folder, choice="best")
    with pytest.raises(ValueError, match=r"gave an array of shape \(2, 3\) for"):
        encodechka_scores(lambda texts: np.zeros((2, 3)), folder, "STS")
    with pytest.raises(ValueError, match="'b' gave NaN or infinity"):
        encodechka_scores({"b": lambda texts: np.full((len(texts), 3), np.nan)}, folder, "STS")
    with pytest.raises(ValueError, match="encode has no outputs"):
        encodechka_scores({}, folder, "STS")


@pytest.mark.skipif(not REAL.is_dir(), reason="BOOK_DATA has no encodechka")
@pytest.mark.parametrize("words, published", [(1000, 0.513), (300, 0.491)])
def test_hashed_words_reach_the_published_mean(words, published):
    hashing = HashingVectorizer(norm="l2", n_features=words)
    table = encodechka_scores(hashing.transform, REAL, choice="published")
    assert mean_scores(table).loc["mean S", "published"] == pytest.approx(published, abs=0.0005)  # three decimals


def test_standard_errors_are_those_of_the_textbook(folder):
    """Of an accuracy √(a (1 − a) / n)."""
    found = encodechka_scores(encode, folder, ["NLI", "SA", "IC", "ICX"], n_resamples=2000)
    for rule in ("published", "honest"):
        expected = np.sqrt(found[rule] * (1 - found[rule]) / found["n"])
        # a spread of 2000 samples errs by 1 / √4000 of itself: four times that; 0 is 0 up to rounding
        np.testing.assert_allclose(found[f"se_{rule}"], expected, rtol=4 / np.sqrt(2 * 2000), atol=1e-12)
    means = mean_scores(encodechka_scores(encode, folder, n_resamples=20))
    assert set(means) == {"published", "honest", "se_published", "se_honest"}


def test_errors_of_tasks_about_the_same_texts_add_up():
    """Seven errors of 0.01 of which one counts twice: √(6 · 0.01² + 0.02²) / 8."""
    scores = pd.DataFrame({"published": 0.5, "se_published": 0.01}, index=list(ENCODECHKA))
    found = mean_scores(scores)
    assert found.loc["mean S", "se_published"] == pytest.approx(0.01 * np.sqrt(6 + 4) / 8)
    assert found.loc["mean CLF", "se_published"] == pytest.approx(0.01 / np.sqrt(3))
