"""Ensembles over modalities: each set by each method, nothing is chosen on test clients, differences are paired."""

import numpy as np
import pandas as pd
import pytest

from helpers.clients import split
from helpers.studies import modalities as m


@pytest.fixture(scope="module")
def spaces():
    rng = np.random.default_rng(0)
    target = pd.Series(np.tile([0, 1, 2], 200), name="target")
    parts = split(target, experiment=0)
    signs = np.eye(3)[target]
    views = {
        "a": 1.2 * signs + rng.normal(size=(600, 3)),
        "b": np.hstack([0.7 * signs, np.zeros((600, 2))]) + rng.normal(size=(600, 5)),
        "c": 0.7 * signs[:, ::-1] + rng.normal(size=(600, 3)),
    }
    return views, target, parts


SETS = {"a": ["a"], "all": ["a", "b", "c"]}


def studied(views, target, parts, **options):
    return m.compare_sets(views, target, parts, SETS, classifier="logistic", **options)


def test_a_study_has_a_row_for_each_set_and_method_and_one_for_a_single_space(spaces):
    found = studied(*spaces)
    assert found.table.groupby("set").size().to_dict() == {"a": 1, "all": len(m.METHODS)}
    accuracy = found.table.set_index(["set", "method"])["accuracy"]
    assert accuracy["all", "concatenation"] > accuracy["all", "best single"] == accuracy["a", "best single"]
    assert found.correct.mean().to_dict() == pytest.approx(accuracy.to_dict())
    assert found.table.set_index(["set", "method"]).loc[("all", "concatenation"), "width"] == 11
    assert set(found.table["width"]) <= {3, 5, 11}
    assert found.correct.index.tolist() == spaces[2].index[spaces[2] == "test"].tolist()


def test_test_targets_and_test_rows_decide_nothing(spaces):
    views, target, parts = spaces
    before = studied(views, target, parts)
    test = (parts == "test").to_numpy()
    wrong = target.copy()
    wrong[test] = np.random.default_rng(1).permutation(wrong[test])
    moved = {name: np.where(test[:, None], x[::-1] * 3, x) for name, x in views.items()}
    for after in (studied(views, wrong, parts), studied(moved, target, parts)):
        assert after.table["weights"].tolist() == before.table["weights"].tolist()
        assert after.quality.equals(before.quality)
        assert after.table["accuracy"].tolist() != before.table["accuracy"].tolist()


def test_clients_without_a_class_are_left_out(spaces):
    views, target, parts = spaces
    partly = target.astype(float).copy()
    partly.iloc[::7] = np.nan
    known = partly.notna().to_numpy()
    alone = studied({k: x[known] for k, x in views.items()}, target[known], parts[known])
    pd.testing.assert_frame_equal(studied(views, partly, parts).table, alone.table)


def test_wrong_sets_are_refused(spaces):
    views, target, split_ = spaces
    with pytest.raises(ValueError, match="the set 'x' is"):
        m.compare_sets(views, target, split_, {"x": ["d"]})


def test_differences_are_paired_and_corrected():
    rng = np.random.default_rng(0)
    base = rng.normal(size=17)
    jitter = rng.permutation(np.linspace(-0.1, 0.1, 17))
    scores = pd.DataFrame({"a": base + 0.5 + jitter, "b": base, "c": base + jitter})
    found = m.compare_columns(scores, {"a less b": ("a", "b"), "c less b": ("c", "b")})
    assert found["verdict"].tolist() == ["better", "not distinguishable"]
    assert found.loc["a less b", "p_holm"] == pytest.approx(2 * found.loc["a less b", "p"])
    assert found.loc["a less b", "wins"] == 1 and found.loc["a less b", "ci_low"] > 0.4
