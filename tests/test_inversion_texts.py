"""Tests of :mod:`helpers.inversion.texts`."""

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from helpers.inversion.texts import near_duplicates, normalise, paraphrased_across, read_headlines, split_texts

WORDS = "oil gold shares bank deal falls rises says sees cuts for in amid over third day record year euro fed".split()


@pytest.fixture(scope="module")
def headlines():
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(WORDS, size=rng.integers(3, 9))) for _ in range(150)]
    return texts + [f"UPDATE {i}-{text} again" for i, text in enumerate(texts[:40])] + [t.upper() for t in texts[:10]]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("UPDATE 1-Oil falls", "Oil falls"),
        ("REFILE-UPDATE 3-Oil : falls", "Oil: falls"),
        ("Fed ’s ‘hawks’ — again …", "Fed 's 'hawks' - again..."),
        ("( Reuters ) pays $ 3 , not 4", "(Reuters) pays $3, not 4"),
        ("Updated rules", "Updated rules"),
        ("USD 11 . 3bn , up 0 . 75%", "USD 11.3bn, up 0.75%"),
        ("300 , 000 jobs in 2019 , 5 firms", "300,000 jobs in 2019, 5 firms"),
        ("J . C . Penney and the U . S .", "J.C. Penney and the U.S."),
        ("It is over . CEO says so . A day later", "It is over. CEO says so. A day later"),
        ("Plan B . A second one", "Plan B. A second one"),
        ("Already fine: 1.5% and 1,000 in the U.S. today", "Already fine: 1.5% and 1,000 in the U.S. today"),
    ],
)
def test_one_spelling_of_a_headline(text, wanted):
    assert normalise(text) == wanted


def test_groups_are_chains_of_cosines_as_a_brute_force_finds_them(headlines):
    x = TfidfVectorizer(token_pattern=r"\w+", sublinear_tf=True).fit_transform(headlines).toarray()
    near = x @ x.T >= 0.7 - 1e-6
    label = np.arange(len(x))
    for _ in range(len(x)):
        label = np.array([label[row].min() for row in near])
    first = {value: number for number, value in enumerate(dict.fromkeys(label.tolist()))}
    assert near_duplicates(headlines, block=37).tolist() == [first[value] for value in label.tolist()]


def test_no_near_duplicate_straddles_a_split_and_no_text_stands_twice(headlines):
    split = split_texts(headlines, validation=0.2, test=0.2)
    parts = [split.train, split.validation, split.test]
    groups = [set(split.groups[rows].tolist()) for rows in parts]
    assert not groups[0] & groups[1] and not groups[0] & groups[2] and not groups[1] & groups[2]
    assert sorted(np.concatenate([*parts, split.dropped]).tolist()) == list(range(len(headlines)))
    lower = [headlines[i].lower() for rows in parts for i in rows]
    assert len(set(lower)) == len(lower)
    largest = np.bincount(split.groups).max()
    for rows in (split.validation, split.test):
        assert abs(len(rows) - 0.2 * len(lower)) <= largest


def test_splits_differ_by_seed_and_by_nothing_else(headlines):
    assert np.array_equal(split_texts(headlines, rng=3).test, split_texts(headlines, rng=3).test)
    assert not np.array_equal(split_texts(headlines, rng=3).test, split_texts(headlines, rng=4).test)


def test_headlines_are_read_with_and_without_a_header(tmp_path):
    (tmp_path / "cnbc_headlines.csv").write_text('date,headlines\n2020-07-17,"A , b"\n2020-07-18,\n')
    (tmp_path / "reuters_headlines.csv").write_text("2020-07-18,NA\n")
    table = read_headlines(tmp_path, ("cnbc", "reuters"))
    assert table.values.tolist() == [["cnbc", "2020-07-17", "A, b"], ["reuters", "2020-07-18", "NA"]]
    assert table.attrs["blank"] == 1
    with pytest.raises(FileNotFoundError, match="guardian_headlines.csv is missing"):
        read_headlines(tmp_path)
    (tmp_path / "cnbc_headlines.csv").write_text("only text\n")
    with pytest.raises(ValueError, match="1 columns; date and headline"):
        read_headlines(tmp_path, ("cnbc",))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"validation": 0.5, "test": 0.5}, "nothing is left to train on"),
        ({"test": 1.0}, "test"),
        ({"least": 0.0}, "least"),
    ],
)
def test_shares_that_cannot_be_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        split_texts(["a b", "c d"], **options)


def test_natural_paraphrases_are_of_another_agency_the_same_day_and_in_other_words():
    import pandas as pd

    from helpers.inversion.texts import natural_paraphrases

    rows = [
        ("a", "2020-01-01", "Boeing halts 737 output after crash"),
        ("b", "2020-01-01", "Boeing to halt 737 output after second crash"),
        ("b", "2020-01-01", "Boeing halts 737 output after crash"),
        ("a", "2020-01-01", "Boeing stops 737 output after crash"),
        ("b", "2020-01-02", "Boeing halts output of 737 after crash"),
        ("b", "2020-01-01", "Oil falls"),
    ]
    table = pd.DataFrame(rows, columns=["agency", "date", "text"], index=[5, 3, 1, 0, 2, 4])
    found = natural_paraphrases(table, least=0.3)
    assert found[0] == ["Boeing to halt 737 output after second crash"]
    assert set(found[1]) == {rows[0][2], rows[3][2]}
    assert found[4] == found[5] == []
    assert max(map(len, natural_paraphrases(table, least=0.3, n=1))) == 1
    with pytest.raises(ValueError, match="agency is missing"):
        natural_paraphrases(table.drop(columns="agency"))
    with pytest.raises(ValueError, match="least is 0.95"):
        natural_paraphrases(table, least=0.95)


def test_headlines_of_one_event_in_both_parts_are_found_by_agency_and_day():
    rows = [
        ("a", "2020-01-01", "Boeing halts 737 output"),
        ("b", "2020-01-01", "Boeing to halt output of its 737"),
        ("a", "2020-01-01", "Boeing halts output of the 737"),
        ("b", "2020-01-02", "Boeing halts 737 output again"),
        ("b", "2020-01-01", "Oil falls"),
    ]
    table = pd.DataFrame(rows, columns=["agency", "date", "text"])
    test, others = table["text"][:1].str.upper(), table["text"]
    # another agency on that day; the same agency; another day
    found = [paraphrased_across(table, others[[row]], test, least=0.3).tolist() for row in (1, 2, 3)]
    assert found == [[True], [False], [False]]
    with pytest.raises(ValueError, match="least is 0"):
        paraphrased_across(table, others, test, least=0)
    with pytest.raises(ValueError, match="agency is missing"):
        paraphrased_across(table.drop(columns="agency"), others, test)
