"""Tests of :mod:`helpers.inversion.facts`."""

import pytest

from helpers.inversion.facts import FACTS, facts_kept, facts_of, learn_names


@pytest.mark.parametrize(
    ("text", "kind", "wanted"),
    [
        ("Profit of $1,200.50 million", "number", ["$1200.5m"]),
        ("3 pct, 3 percent and 3%", "number", ["3%", "3%", "3%"]),
        ("In 2020 a 5-year low", "number", ["2020", "5"]),
        ("3 months of 4 kings", "number", ["3", "4"]),
        ("Shares tumbled, then rallied; slipping again", "direction", ["down", "up", "down"]),
        ("Fed cuts rates, copper hikes gains", "direction", ["down", "up", "up"]),
        ("Rates stay where they are", "direction", []),
        ("It won't, cannot and did not; nobody denies it", "negation", ["not", "not", "not", "not"]),
        ("Knot and nothing", "negation", []),
        ("Boeing's deal with Air France", "name", ["boeing", "france"]),
    ],
)
def test_facts_are_found(text, kind, wanted):
    assert facts_of(text, {"boeing", "france"})[kind] == wanted


def test_names_are_words_with_a_capital_where_others_have_none():
    texts = ["The Fed sees Boeing fall", "Why Fed and Boeing agree", "Rise of the Fed: Prices rise", "A Rise in May"]
    assert learn_names(texts) == {"fed", "boeing"}


def test_facts_are_kept_changed_lost_and_invented():
    found = facts_kept(["Boeing rises 3% and 4%"], ["airbus falls 3% in 2020, not 5 7"], {"boeing", "airbus"})
    counts = found.set_index("kind")[["facts", "kept", "changed", "lost", "invented"]]
    assert counts.loc["number"].tolist() == [2, 1, 1, 0, 2]
    assert counts.loc["name"].tolist() == [1, 0, 1, 0, 0]
    assert counts.loc["direction"].tolist() == [1, 0, 1, 0, 0]
    assert counts.loc["negation"].tolist() == [0, 0, 0, 0, 1]


def test_every_fact_of_a_text_is_accounted_for():
    texts = ["Oil falls 3%", "No deal for Boeing", "Rates rise, stocks fall, 1 2 3", "quiet"]
    for written in (texts, texts[::-1], [""] * 4):
        found = facts_kept(texts, written, {"boeing", "oil"})
        assert (found["kept"] + found["changed"] + found["lost"] == found["facts"]).all()
        assert len(found) == len(texts) * len(FACTS)
    same = facts_kept(texts, texts, {"boeing", "oil"})
    assert (same["kept"] == same["facts"]).all() and not same["invented"].any()


def test_lists_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="texts has 1 entries and written 2"):
        facts_kept(["a"], ["a", "b"])
