"""The set of words that a program makes from names, on a documentation small enough to check by eye."""

import pandas as pd
import pytest

from helpers.quality.words import documentation_word_sets
from helpers.quality.words.documentation import name_words, parameter_names, word_sets

BIRDS = "owls crows gulls larks finches robins thrush ravens".split()
TREES = "pines birches alders maples willows rowans larches poplar".split()
STARS = "vegas altair sirius deneb rigel capella antares mimosa".split()


def made_table():
    rows = []
    for library, part, words in (("wild", "birds", BIRDS), ("wild", "trees", TREES), ("sky", "stars", STARS)):
        for i, word in enumerate(words):
            for end in ("count", "mean", "list"):
                text = f"{word} and {word}s are seen. " * 3
                rows.append((library, f"{library}.{part}.inner", f"{word}_{end}", text))
            rows.append((library, f"{library}.{part}", f"{word}_{words[i - 1]}", "nothing to say"))
    return pd.DataFrame(rows, columns=["library", "module", "object", "text"])


def test_categories_are_the_submodules_that_have_words_of_their_own():
    sets = word_sets(made_table(), ["owls_pines"] * 2, min_count=3, n_pairs=5)
    found = sets.categories.groupby("category")["word"].apply(set).to_dict()
    assert found == {"wild.birds": set(BIRDS), "wild.trees": set(TREES), "sky.stars": set(STARS)}


def test_scores_are_what_names_say_and_there_are_equally_many_of_each():
    joint = ["owls_pines", "owls_pines", "crows_alders"]
    pairs = word_sets(made_table(), joint, min_count=3, n_pairs=5).pairs
    part = dict.fromkeys(BIRDS, "birds") | dict.fromkeys(TREES, "trees") | dict.fromkeys(STARS, "stars")
    assert pairs["score"].value_counts().nunique() == 1
    for left, right, score in pairs.itertuples(index=False):
        if score == 3:
            assert {left, right} == {"owls", "pines"}  # joined twice; neighbours in the list once
        elif score == 2:
            assert part[left] == part[right]
        else:
            assert part[left] != part[right] and (score == 0) == ("stars" in (part[left], part[right]))


def test_forms_are_of_words_that_occur():
    questions = word_sets(made_table(), ["owls_pines"] * 2, min_count=3, n_pairs=2).questions
    assert set(questions["category"]) == {"-s"}
    assert ((questions["a"] + "s" == questions["b"]) & (questions["c"] + "s" == questions["d"])).all()
    assert (questions["a"] != questions["c"]).all()


def test_names_fall_into_words():
    assert name_words("_GaussianKDEBase.set_bandwidth2") == ["gaussian", "base", "bandwidth"]


def test_too_few_names_are_refused():
    table = made_table()
    with pytest.raises(ValueError, match="no two submodules"):
        word_sets(table[table["library"] == "sky"])
    with pytest.raises(ValueError, match="four scores are needed"):
        word_sets(table[table["library"] == "wild"], min_count=3)


def test_the_installed_libraries_give_a_set_of_every_kind():
    sets = documentation_word_sets(["scipy", "networkx"], n_pairs=10)
    assert sets.pairs["score"].nunique() == 4 and sets.categories["category"].nunique() > 2
    assert len(sets.questions) > 100
    names = parameter_names(["networkx"])
    assert names.count("weight") > 20 and "Returns" not in names
