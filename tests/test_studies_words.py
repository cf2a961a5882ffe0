"""What is recorded of vectors of words, from small public sets and texts."""

import numpy as np
import pytest

from helpers.quality.words import WordVectors
from helpers.studies import words

NAMES = [f"w{i}" for i in range(130)]
SPACE = WordVectors(NAMES, np.random.default_rng(0).normal(size=(130, 6)), "space")
OTHER = WordVectors(NAMES, np.random.default_rng(1).normal(size=(130, 6)), "other")


@pytest.fixture
def folder(tmp_path):
    for name in ("word_similarity", "google_analogies", "semcat/Categories", "wikitext2", "financial_headlines"):
        (tmp_path / name).mkdir(parents=True)
    pairs = "".join(f"w{i}\tw{i + 1}\t{i % 7}\n" for i in range(20)) + "zebra\tw1\t3\n"
    (tmp_path / "word_similarity" / "EN-MADE.txt").write_text(pairs)
    questions = ": family\nw1 w2 w3 w4\n: gram1\nw5 w6 w7 w8\nw5 w6 w7 yak\n"
    (tmp_path / "google_analogies" / "questions-words.txt").write_text(questions)
    for i, name in enumerate(("birds-20", "trees-20")):
        (tmp_path / "semcat/Categories" / f"{name}.txt").write_text("\n".join(NAMES[40 * i : 40 * i + 20]) + "\n")
    (tmp_path / "wikitext2" / "test.txt").write_text("the cat sat on the mat and slept\n" * 10)
    (tmp_path / "financial_headlines" / "cnbc_headlines.csv").write_text(
        "date,headlines\n2020,the dog ate stocks\n" * 5
    )
    (tmp_path / "financial_headlines" / "guardian_headlines.csv").write_text("2020,the dog sold bonds\n" * 5)
    return tmp_path


def test_rows_say_what_was_covered_in_every_kind_of_test(folder):
    found = words.public_table(SPACE, OTHER, words.public_sets(str(folder)))
    assert set(found["kind"]) == {"relatedness", "analogies", "categories", "intrusion"}
    row = found[found["set"] == "MADE"].iloc[0]
    assert (row["items"], row["covered"]) == (21, 20) and row["ci_low"] < row["value"] < row["ci_high"]
    covered = found[found["measure"] == "3CosAdd"].set_index("set")["covered"]
    assert covered.to_dict() == {"Google": 2, "Google, family": 1, "Google, gram1": 1}
    assert not found.duplicated(["kind", "set", "measure"]).any()


def test_vectors_are_of_the_text_that_the_name_says_and_as_wide(folder):
    public = words.source_vectors("news and articles", width=4, text_of=str(folder))
    assert {"cat", "dog"} <= set(public.words) and public.x.shape[1] == 4
    assert words.source_vectors("encoders/bert").name == "encoders/bert"


def test_a_folder_that_lacks_a_set_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="word_similarity is not in"):
        words.public_sets(str(tmp_path))
