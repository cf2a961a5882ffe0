"""The study of the chapter "How good is it?"."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from helpers.inference import judge
from helpers.quality.words import WordVectors
from helpers.quality.words.documentation import WordSets
from helpers.studies import quality_page

RNG = np.random.default_rng(0)
WORDS = [f"w{i}" for i in range(200)]
CENTRES = RNG.normal(size=(10, 12))
SPACE = WordVectors(WORDS, np.repeat(CENTRES, 20, axis=0) + 0.4 * RNG.normal(size=(200, 12)), "made")
SHUFFLED = WordVectors([WORDS[i] for i in RNG.permutation(200)], SPACE.x, "shuffled")


def made_sets():
    left, right = RNG.integers(0, 200, (2, 150))
    score = (left // 20 == right // 20) + 0.1 * RNG.random(150)
    pairs = pd.DataFrame({"left": [WORDS[i] for i in left], "right": [WORDS[i] for i in right], "score": score})
    categories = pd.DataFrame({"word": WORDS, "category": [f"c{i // 20}" for i in range(200)]})
    rows = [("k", *(WORDS[i] for i in RNG.permutation(200)[:4])) for _ in range(20)]
    return WordSets(pairs, categories, pd.DataFrame(rows, columns=["category", "a", "b", "c", "d"]))


def test_a_space_with_meaning_is_beyond_chance_and_the_same_vectors_shuffled_are_not():
    found = quality_page.word_tests({"made": SPACE, "shuffled": SHUFFLED}, made_sets(), SPACE, n_questions=50)
    at = found.set_index(["test", "space"])
    for test in ("relatedness", "categories"):
        assert at.loc[(test, "made"), "ci_low"] > at.loc[(test, "made"), "chance"]
        assert at.loc[(test, "shuffled"), "ci_low"] < at.loc[(test, "shuffled"), "chance"] < 0.5
    facts = quality_page.tests_facts(found)
    assert "analogies_all_words_allowed_made" in facts and facts["relatedness_made"].startswith("0.")
    plt.figure()
    assert quality_page.tests_figure(found).get_yticklabels()[0].get_text() == "relatedness"


def test_sentences_come_with_the_next_one_and_with_two_words_exchanged():
    table, counts = quality_page.sentence_triples(30, ["numpy"])
    assert len(table) == 30 and counts["tried"] == 30 + counts["unchanged"]
    assert (table["text"] != table["exchanged"]).all() and table.notna().all(axis=None)
    with pytest.raises(ValueError, match="n is 10000000"):
        quality_page.sentence_triples(10**7, ["numpy"])


def test_a_mean_of_words_is_the_same_in_every_order():
    letters = WordVectors(["a", "b", "c"], RNG.normal(size=(3, 4)))
    means = quality_page.sentence_means(letters, ["a b c", "c b a", "b unknown"])
    assert np.array_equal(means[0], means[1]) and np.array_equal(means[2], letters.unit[1])
    with pytest.raises(ValueError, match=r"texts\[0\] has no known word"):
        quality_page.sentence_means(letters, ["nothing"])


def recorded(gain):
    """A table of two spaces, and a narrow one that must not count, with ten categories of analogies."""
    rows = []
    for name in ("one", "two", "one, 5 wide"):
        off = 0.5 if "wide" in name else 0.0
        for k in range(11):
            part = "Google" if k == 10 else f"Google, {k}"
            values = {"3CosAdd": 0.3, "3CosMul": 0.3 + gain + 0.001 * k - off, "PairDirection": 0.1 + 0.001 * k + off,
                      "3CosAdd, nothing excluded": 0.01 + 0.001 * k + off}  # fmt: skip
            rows += [(name, "analogies", part, measure, value, 100, 90, 90) for measure, value in values.items()]
        rows.append((name, "intrusion", "judge", "found", 0.5 - off, 100, 90, 100))
        rows.append((name, "relatedness", "RW-STANFORD", "spearman", 0.2, 100, 10, 10))
    columns = ["vectors", "kind", "set", "measure", "value", "items", "covered", "questions"]
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(ci_low=table["value"] - 0.1, ci_high=table["value"] + 0.1)


def made_answers(add, kept, product, direction):
    """Questions of all pairs of 20 pairs, of which a share is right by each method."""
    rows = [(f"a{i}", f"b{i}", f"a{j}", f"b{j}") for i in range(20) for j in range(20) if i != j]
    table = pd.DataFrame(rows, columns=list("abcd"))
    shares = {"3CosAdd": add, "3CosAdd, nothing excluded": kept, "3CosMul": product, "PairDirection": direction}
    for name, share in shares.items():
        table[name] = np.where(np.arange(380) % 100 < 100 * share, table["d"], "wrong")
    return table


def test_claims_follow_what_was_found():
    x = RNG.normal(size=(60, 5))
    spaces = {"bert": {"text": x + 3, "related": x + 3.2, "exchanged": x + 3.0001}}
    spaces["simcse"] = {"text": x, "related": x + RNG.normal(size=x.shape), "exchanged": 1.0001 * x}
    picked = pd.DataFrame({"intruder": ["w"] * 90, "pick": ["w"] * 60 + ["v"] * 30})
    found = quality_page.quality_claim_findings(made_answers(0.6, 0.05, 0.9, 0.1), picked, spaces, n_resamples=200)
    assert [found[key].n for key in quality_page.CLAIMS] == [20, 20, 20, 90, 60, 60]
    assert found["product"].estimate == pytest.approx(100 * (0.9 * 300 + 80 - 0.6 * 300 - 60) / 380)
    assert (judge(quality_page.CLAIMS, found)["verdict"] == "reproduced").all()
    against = quality_page.quality_claim_findings(made_answers(0.6, 0.55, 0.2, 0.95), picked, {})
    verdicts = judge(quality_page.CLAIMS, against)["verdict"]
    assert (verdicts[["excluded", "product", "direction"]] == "not reproduced").all()
    assert verdicts["uniform"] == "not testable here"
    nothing = quality_page.quality_claim_findings(made_answers(0, 0, 0, 0), picked, {})
    assert judge(quality_page.CLAIMS, nothing).loc["excluded", "note"] == "3CosAdd completes no analogy"


def test_recorded_tables_show_coverage_beside_every_value():
    table = quality_page.public_relatedness(recorded(0.0), ["one", "two"])
    assert list(table.columns) == ["one", "two"] and table.loc["RW-STANFORD", "one"].endswith("10 %")
    analogies = quality_page.recorded_analogies(recorded(0.0))
    assert analogies.loc["one", "covered"] == 90 and analogies.loc["one", "3CosAdd"] == 30
    assert quality_page.public_facts(recorded(0.0))["rare"] == 10


def test_the_plane_has_a_dot_for_each_space():
    from helpers.quality.sentences import alignment_and_uniformity

    x, y = RNG.normal(size=(2, 40, 5))
    found = alignment_and_uniformity({"a": (x, x + 0.3 * y), "b": (x + 1, x + 1 + 0.3 * y)}, n_resamples=20)
    plt.figure()
    ax = quality_page.plane_figure(found)
    found_texts = {text.get_text() for text in ax.texts}
    plt.close()
    assert {"a", "b"} <= found_texts
