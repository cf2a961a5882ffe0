"""Files with sets of words: what is read of them, and the line that is named where they are broken."""

import os
from pathlib import Path

import pandas as pd
import pytest

from helpers.quality.words import read_categories, read_questions, read_scored_pairs
from helpers.quality.words.sets import as_categories, as_questions, as_scored_pairs

PUBLIC = Path(os.environ.get("BOOK_DATA", "nowhere"))


@pytest.mark.parametrize(
    "text",
    [
        "cat\tdog\t9\nsun\tsea\t1.5\n",
        "# a comment\n# Word 1\tWord 2\tHuman\ncat\tdog\t9\nsun\tsea\t1.5\n",
        "word1,word2,score\ncat,dog,9\nsun,sea,1.5\n",
        "cat;dog;9\r\nsun;sea;1.5\r\n",
        "\ufeffcat dog 9\n\nsun sea 1.5",
    ],
)
def test_pairs_are_read_whatever_separates_them(tmp_path, text):
    (tmp_path / "pairs.txt").write_bytes(text.encode())
    assert read_scored_pairs(tmp_path / "pairs.txt").values.tolist() == [["cat", "dog", 9.0], ["sun", "sea", 1.5]]


def test_columns_are_named_by_number_or_by_the_first_line(tmp_path):
    (tmp_path / "simlex.txt").write_text("word1\tword2\tPOS\tSimLex999\nold\tnew\tA\t1.58\n")
    expected = [["old", "new", 1.58]]
    path = tmp_path / "simlex.txt"
    assert read_scored_pairs(path, columns=("word1", "word2", "SimLex999")).values.tolist() == expected
    assert read_scored_pairs(path, columns=(0, 1, 3)).values.tolist() == expected
    with pytest.raises(ValueError, match="columns has 'score'; the first line of simlex.txt has word1"):
        read_scored_pairs(path, columns=("word1", "word2", "score"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cat dog 9\nsun sea\n", "line 2: 2 columns, and 3 are needed"),
        ("cat\tdog\tn\t9\n", "line 1: 4 columns, and 3 are needed"),
        ("cat dog 9\nsun sea much\n", "line 2: the score is 'much'"),
        ("# nothing\n", "no line with a pair"),
        ("word1 word2 score\n", "no line with a pair"),
    ],
)
def test_a_line_with_other_columns_or_no_score_is_named(tmp_path, text, said):
    (tmp_path / "pairs.txt").write_text(text)
    with pytest.raises(ValueError, match=said):
        read_scored_pairs(tmp_path / "pairs.txt")


def test_a_file_that_is_not_there_is_named(tmp_path):
    for reader in (read_scored_pairs, read_questions, read_categories):
        with pytest.raises(FileNotFoundError, match="nothing"):
            reader(tmp_path / "nothing.txt")


def test_questions_have_the_category_above_them(tmp_path):
    path = tmp_path / "questions.txt"
    path.write_text(": capitals\nAthens Greece Oslo Norway\n: family\nboy girl king queen\n")
    assert read_questions(path).values.tolist() == [
        ["capitals", "Athens", "Greece", "Oslo", "Norway"],
        ["family", "boy", "girl", "king", "queen"],
    ]
    path.write_text("Athens Greece Oslo\n")
    with pytest.raises(ValueError, match="line 1: 3 words, and 4 are needed"):
        read_questions(path)


def test_categories_are_files_of_a_folder_or_the_second_column(tmp_path):
    (tmp_path / "birds-2.txt").write_text("owl\ncrow\n")
    (tmp_path / "colours-1.txt").write_text("red\n")
    expected = [["owl", "birds"], ["crow", "birds"], ["red", "colours"]]
    assert read_categories(tmp_path).values.tolist() == expected
    (tmp_path / "table.csv").write_text("word,category\nowl,birds\ncrow,birds\nred,colours\n")
    assert read_categories(tmp_path / "table.csv").values.tolist() == expected
    (tmp_path / "table.csv").write_text("owl,birds\ncrow\n")
    with pytest.raises(ValueError, match="line 2: 1 columns, and 2 are needed"):
        read_categories(tmp_path / "table.csv")


@pytest.mark.parametrize(
    ("check", "given", "said"),
    [
        (as_scored_pairs, [("a", "b", 1), ("a", "b")], r"pairs\[1\] has 2 entries"),
        (as_scored_pairs, [("a", "b", float("nan"))], "row 0: the score is nan"),
        (as_scored_pairs, [("a", 3, 1.0)], "row 0, column 'right': 3 is no word"),
        (as_scored_pairs, pd.DataFrame({"left": ["a"], "right": ["b"]}), "no column 'score'"),
        (as_scored_pairs, [], "empty"),
        (as_questions, [("a", "b", "c")], r"questions\[0\] has 3 entries"),
        (as_categories, {"birds": ["owl", None]}, "row 1, column 'word': None is no word"),
    ],
)
def test_sets_in_memory_are_checked_by_row_and_column(check, given, said):
    with pytest.raises(ValueError, match=said):
        check(given)


@pytest.mark.skipif(not (PUBLIC / "word_similarity").is_dir(), reason="BOOK_DATA has no word_similarity")
def test_public_sets_have_their_published_sizes():
    sizes = {"WS-353-ALL": 353, "SIMLEX-999": 999, "MEN-TR-3k": 3000, "RG-65": 65, "RW-STANFORD": 2034}
    folder = PUBLIC / "word_similarity"
    assert {name: len(read_scored_pairs(folder / f"EN-{name}.txt")) for name in sizes} == sizes
    assert len(read_scored_pairs(folder / "gensim_simlex999.txt")) == 999
    questions = read_questions(PUBLIC / "google_analogies" / "questions-words.txt")
    assert len(questions) == 19544 and questions["category"].nunique() == 14
    assert read_categories(PUBLIC / "semcat" / "Categories")["category"].nunique() >= 100
