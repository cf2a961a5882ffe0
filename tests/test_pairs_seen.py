"""Which changes an encoder sees, as a table with intervals."""

import numpy as np
import pandas as pd
import pytest

from helpers.pairs import changes_seen

N = 60


def table():
    """Texts whose positives are as near as they, negatives of one kind too, and those of another far."""
    rows = []
    for i in range(N):
        rows += [
            (f"текст {i}", f"то же {i}", "synonyms", True),
            (f"текст {i}", f"не то {i}", "negation", False),
            (f"текст {i}", f"другой {i}", "numbers", False),
        ]
    return pd.DataFrame(rows, columns=["text", "changed", "kind", "positive"])


def encode(texts):
    rng = np.random.default_rng(0)
    base = rng.normal(size=(N, 16))
    shift = {"текст": 0.0, "то": 0.3, "не": 0.3, "другой": 3.0}
    out = []
    for text in texts:
        first, number = text.split()[0], int(text.split()[-1])
        noise = np.random.default_rng([number, *first.encode()]).normal(size=16)
        out.append(base[number] + shift[first] * noise)
    return np.array(out)


def test_a_change_that_is_not_seen_has_half_the_area_and_one_that_is_seen_all():
    found = changes_seen(encode, table())
    assert found.index.tolist() == ["synonyms", "negation", "numbers", "all negatives"]
    assert found["n"].tolist() == [N, N, N, 2 * N] and found["positive"].tolist() == [True, False, False, False]
    assert found.loc["negation", "ci_low"] < 0.5 < found.loc["negation", "ci_high"]
    assert found.loc["numbers", "auc"] > 0.99 and np.isnan(found.loc["synonyms", "auc"])
    both = found.loc[["negation", "numbers"], "auc"].mean()
    assert found.loc["all negatives", "auc"] == pytest.approx(both)  # of equally many pairs
    assert (found["low"] <= found["cosine"]).all() and (found["cosine"] <= found["high"]).all()


def test_cosines_are_those_of_the_pairs():
    made = table()
    found = changes_seen(encode, made).attrs["cosines"]
    one, two = encode([made["text"][4]])[0], encode([made["changed"][4]])[0]
    assert found[4] == pytest.approx(one @ two / np.linalg.norm(one) / np.linalg.norm(two))


def test_without_positives_there_is_nothing_to_compare_with():
    found = changes_seen(encode, table().query("not positive"))
    assert found["auc"].isna().all()


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="made has no kind"):
        changes_seen(encode, pd.DataFrame({"text": ["a"], "changed": ["b"]}))
    with pytest.raises(ValueError, match="made has no rows"):
        changes_seen(encode, table().iloc[:0])
    with pytest.raises(ValueError, match=r"shape \(1, 2\) for 240 texts"):
        changes_seen(lambda texts: np.zeros((1, 2)), table())
    with pytest.raises(ValueError, match="confidence_level is 2"):
        changes_seen(encode, table(), confidence_level=2)
