"""Which embeddings can go: copies of every kind are named, unlike embeddings are not, at a level that holds for all."""

import numpy as np
import pandas as pd
import pytest
import tolerance
from report_data import spaces
from scipy.stats import binom

from helpers.report import (
    decide,
    find_redundant,
    pairwise_similarity,
    redundancy_groups,
)
from helpers.report.relations import relation_of, sides_of
from helpers.report.sentences import redundancy_in_words
from helpers.similarity.cka import cka_unbiased
from helpers.similarity.dependence import distance_correlation_unbiased

P = 16


def unlike(n, seed):
    """Three embeddings of overlapping properties of the same objects, each with properties of its own."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(n, 16)) * 0.9 ** np.arange(16)

    def encoder(width):
        seen = np.c_[hidden[:, rng.permutation(16)[:11]], 0.6 * rng.normal(size=(n, 5))]
        bent = np.tanh(seen @ rng.normal(size=(16, 2 * width)) / 2.5)
        return bent @ rng.normal(size=(2 * width, width)) / np.sqrt(2 * width) + rng.normal(size=width)

    return {"x": encoder(P), "y": encoder(12), "z": encoder(20)}, rng


def suspects(n, seed):
    """Copies of x of every kind, and what is related to nothing."""
    found, rng = unlike(n, seed)
    x = found["x"]
    turn = np.linalg.qr(rng.normal(size=(P, P)))[0]
    spread = np.sqrt(x.var(axis=0).sum() / P)

    def noisy(share, x):
        return np.sqrt(1 - share) * x + np.sqrt(share) * spread * rng.normal(size=x.shape)

    def partly(share, x):
        x, rows = x.copy(), rng.choice(n, int(share * n), replace=False)
        x[rows] = x[rng.permutation(rows)]
        return x

    made = {
        "rotated": (3 * x @ turn + 1, "rotated copy"),
        "padded": (np.c_[x, np.zeros((n, 4))], "rotated copy"),
        "scaled": (2 * x + 1, "copy"),
        "first half": (x[:, : P // 2], "narrower copy"),
        "shuffled": (x[rng.permutation(n)], "noise"),
        "rotated and shuffled": ((x @ turn)[rng.permutation(n)], "noise"),
        "partly shuffled": (partly(0.3, x), "partial copy"),
        "rotated and partly shuffled": (partly(0.2, x @ turn), "partial copy"),
        "dice": (rng.normal(size=(n, 30)), "noise"),
        **{f"noisy {share}": (noisy(share, x), "noisy copy") for share in (0.1, 0.5, 0.78, 0.9)},
        "rotated and noisy": (noisy(0.6, x @ turn), "noisy copy"),
    }
    return found, made


def found_in(spaces):
    table = pairwise_similarity(spaces, n_objects=150, n_halves=3)
    return find_redundant(spaces, table).set_index("embedding")


def test_every_kind_of_copy_is_named_in_a_long_list():
    unlike_ones, made = suspects(500, 0)
    found = found_in(unlike_ones | {name: x for name, (x, _) in made.items()})
    assert found["finding"].to_dict() == {name: finding for name, (_, finding) in made.items()}
    assert set(found.loc[found["finding"] != "noise", "of"]) == {"x"}


@pytest.mark.parametrize("name", list(suspects(60, 0)[1]))
def test_every_kind_of_copy_is_named_among_unlike_embeddings(name):
    unlike_ones, made = suspects(500, 1)
    x, finding = made[name]
    found = found_in(unlike_ones | {name: x})
    assert found["finding"].to_dict() == {name: finding}


def test_unlike_embeddings_all_stay():
    for seed in range(6):
        assert not len(found_in(unlike(500, 100 + seed)[0])), seed


def test_no_telling_which_of_unrelated_embeddings_is_noise():
    x, rng = unlike(300, 0)[0]["x"], np.random.default_rng(1)
    found = found_in({"x": x, "dice": rng.normal(size=(300, 5)), "turned": x[:, ::-1]})
    assert found["finding"].to_dict() == {"turned": "rotated copy", "x": "unrelated", "dice": "unrelated"}


def test_relations_are_the_unbiased_measures():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(80, 5)), rng.normal(size=(80, 7))
    y[:, :3] += x[:, :3]
    expected = max(cka_unbiased(x, y), distance_correlation_unbiased(x, y))
    atol = 80**2 * float(np.finfo(np.float32).eps)  # entries are kept in single precision
    assert relation_of(sides_of(x), sides_of(y)).value == pytest.approx(expected, abs=atol)


@pytest.mark.parametrize("kind", ["two features", "many features", "heavy tails", "clusters", "one direction"])
def test_unrelated_embeddings_are_called_related_as_rarely_as_stated(kind):
    rng, n = np.random.default_rng(0), 50

    def embedding():
        return {
            "two features": lambda: rng.normal(size=(n, 2)),
            "many features": lambda: rng.normal(size=(n, 100)),
            "heavy tails": lambda: rng.standard_t(3, size=(n, 10)),
            "clusters": lambda: 3 * rng.normal(size=(4, 8))[rng.integers(0, 4, n)] + rng.normal(size=(n, 8)),
            "one direction": lambda: rng.normal(size=(n, 10)) * 10.0 ** -np.arange(10),
        }[kind]()

    count = 250
    p = [relation_of(sides_of(embedding()), sides_of(embedding())).p for _ in range(count)]
    for level in (0.05, 0.01):
        assert sum(one <= level for one in p) <= binom.isf(1e-4, count, level)


def test_the_level_holds_for_the_whole_list():
    """Of lists of five unrelated embeddings at most 5 % have a pair that is called related."""
    rng, count = np.random.default_rng(0), 100
    wrong = 0
    for _ in range(count):
        spaces = {f"e{i}": rng.normal(size=(60, 4)) for i in range(5)}
        pairs = [(a, b) for i, a in enumerate(spaces) for b in list(spaces)[i + 1 :]]
        columns = {"a": [a for a, _ in pairs] * 4, "b": [b for _, b in pairs] * 4}
        measures = np.repeat(["cka", "rsa", "jaccard", "distance_correlation"], len(pairs))
        table = pd.DataFrame(
            {**columns, "measure": measures, "value": 0.1, "ci_low": 0.0, "ci_high": 0.2, "chance": 0.1}
        )
        wrong += set(find_redundant(spaces, table)["finding"]) != {"unrelated"}
    assert wrong <= binom.isf(1e-4, count, 0.05)


def test_rotated_noisy_and_random_embeddings_are_named(suspects):
    found = suspects[2].set_index("embedding")
    assert found["finding"].to_dict() == {
        "dice": "noise",
        "turned": "rotated copy",
        "noisy": "noisy copy",
        "turned and noisy": "noisy copy",
    }
    assert (found.loc[["turned", "noisy", "turned and noisy"], "of"] == "x").all()
    x, noisy = suspects[0]["x"], suspects[0]["noisy"]
    share = np.sum((noisy - x).var(axis=0)) / np.sum(noisy.var(axis=0))
    off = share * tolerance.of_a_mean(np.sqrt(2), x.size)  # of a variance of so many entries
    assert found.loc["noisy", "noise"] == pytest.approx(share, abs=off)
    names = list(suspects[0])
    words = redundancy_in_words(names, suspects[2], decide(names, suspects[2]), [], 0.95)
    assert "**turned is a rotated copy of x**, or the other way round" in words and "what is left is x and y" in words


def test_groups_leave_out_noise_and_noisy_copies(suspects):
    assert redundancy_groups(list(suspects[0]), suspects[2]) == {"x": ["x", "turned"], "y": ["y"]}


def test_a_plain_copy_is_not_called_rotated():
    x = spaces()["x"]
    two = {"x": x, "again": 2 * x + 3}
    assert find_redundant(two, pairwise_similarity(two))["finding"].tolist() == ["copy"]


def test_a_rerun_is_the_yardstick_of_redundancy():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 6)) * 0.7 ** np.arange(6)
    runs = {name: np.tanh(x @ rng.normal(size=(6, 40))) for name in ("run 1", "run 2", "third")}
    found = runs | {"far": np.tanh(rng.normal(size=(200, 6)) + 0.3 * x)}
    table = pairwise_similarity(found)
    by_threshold = find_redundant(found, table, threshold=0.999)
    assert "third" not in set(by_threshold["embedding"])
    low = table.assign(ci_low=np.where((table["a"] == "run 1") & (table["b"] == "run 2"), 0.5, table["ci_low"]))
    by_same_model = find_redundant(found, low, same_model=["run 1", "run 2"])
    assert ("third", "redundant") in set(zip(by_same_model["embedding"], by_same_model["finding"], strict=True))
    assert "run 2" not in set(by_same_model.loc[by_same_model["of"] == "run 1", "embedding"])
    with pytest.raises(ValueError, match="same_model is .*two of the embeddings"):
        find_redundant(found, table, same_model=["run 1", "nobody"])
