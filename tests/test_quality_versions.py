"""Two versions of an embedding: objects that moved are named, others are not, and the whole is beside chance."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom
from tolerance import FALSE_ALARM, of_rounded

from helpers.__main__ import main
from helpers.quality import drift
from helpers.quality._moving import IDENTITY, displaced, neighbour_lists, rank_p, turned
from helpers.quality.drift_command import drift_of_files
from helpers.similarity import cka, mutual_knn

RNG = np.random.default_rng(0)
OLD = RNG.normal(size=(240, 12))
TURN = np.linalg.qr(RNG.normal(size=(12, 12)))[0]


def run_of(old, rng, noise=0.2):
    return old @ TURN + noise * rng.normal(size=old.shape)


NEW = run_of(OLD, np.random.default_rng(1))
RERUNS = [OLD + 0.2 * np.random.default_rng(seed).normal(size=OLD.shape) for seed in (2, 3, 4)]
MOVED = np.arange(20)
CHANGED = NEW.copy()
CHANGED[MOVED] = np.random.default_rng(5).normal(size=(20, 12))
LIGHT = {"map": None, "k": 5, "n_resamples": 20}


@pytest.mark.parametrize("rerun", [None, RERUNS], ids=["common noise", "second runs"])
def test_objects_that_were_replaced_are_found_and_no_more_others_than_the_rate_allows(rerun):
    found = drift(OLD, CHANGED, rerun=rerun, **LIGHT)
    named = set(found.moved)
    assert len(named & set(MOVED)) >= 15
    # A binomial number of the found is wrong, with the rate as its mean.
    assert len(named - set(MOVED)) <= binom.ppf(1 - FALSE_ALARM, len(named), found.fdr)
    assert found.objects["p"].is_monotonic_increasing and found.null == ("common" if rerun is None else "rerun")
    assert f"{len(named)} of 240" in found.sentences[0]


@pytest.mark.parametrize("kind", ["second runs", "common noise", "factors that differ"])
def test_where_nothing_changed_hardly_ever_any_object_is_found(kind):
    runs, alarms, small = 60, 0, []
    for seed in range(runs):
        rng = np.random.default_rng([7, seed])
        old = rng.normal(size=(100, 8))
        factor = np.exp(0.3 * rng.normal(size=(3, 100, 1))) if kind == "factors that differ" else np.ones((3, 1, 1))
        new, *again = old + 0.2 * factor * rng.normal(size=(3, *old.shape))
        found = drift(old, new, rerun=again if kind == "second runs" else None, n_draws=20, rng=seed, **LIGHT)
        alarms += bool(found.moved)
        small.append(np.mean(found.objects["p"] <= 0.05))
    assert alarms <= binom.ppf(1 - FALSE_ALARM, runs, 0.05)
    # Objects of one run share a rotation and neighbours: runs are the independent units.
    assert np.mean(small) - 3 * np.std(small) / np.sqrt(runs) <= 0.05


def test_the_p_value_counts_itself_and_objects_as_far_off_by_either_number():
    rng = np.random.default_rng(0)
    apart, shared = rng.integers(0, 5, 9) / 5, rng.integers(0, 4, 9) / 3
    null = rng.integers(0, 5, 12) / 5, rng.integers(0, 4, 12) / 3
    found = rank_p(apart, shared, *null)
    for i in range(9):
        a, s = np.append(null[0], apart[i]), np.append(null[1], shared[i])
        rank = np.minimum([np.sum(a >= x) for x in a], [np.sum(s <= x) for x in s])
        assert found[i] >= np.mean(rank <= rank[-1]) - 1e-12  # equal values count against the object


def test_the_p_value_is_exact_without_equal_values():
    rng = np.random.default_rng(1)
    apart, shared, *null = rng.random(30), rng.random(30), rng.random(50), rng.random(50)
    found = rank_p(apart, shared, *null)
    for i in range(30):
        a, s = np.append(null[0], apart[i]), np.append(null[1], shared[i])
        rank = np.minimum([np.sum(a >= x) for x in a], [np.sum(s <= x) for x in s])
        assert found[i] == pytest.approx(np.mean(rank <= rank[-1]))


def test_a_rotation_moves_nothing_and_costs_no_neighbour():
    found = drift(OLD, OLD @ TURN, **LIGHT)
    assert not found.moved and found.table.value["neighbour overlap"] == 1
    assert found.table.value["cka"] == pytest.approx(1, abs=1e-5)  # single precision
    assert (found.objects["displacement"] == 0).all()


def test_widths_may_differ():
    wide = np.hstack([OLD, np.zeros((240, 4))]) @ np.linalg.qr(RNG.normal(size=(16, 16)))[0]
    for old, new in ((OLD, wide), (wide, OLD)):
        value = drift(old, new, **LIGHT).table.value["displacement"]
        # Of products in single precision of p terms, rotated twice; the rotation stays in place by a millionth.
        assert value < of_rounded(16, "float32", condition=2) + 12 * IDENTITY


def test_the_table_agrees_with_the_measures_of_whole_spaces():
    found = drift(OLD, NEW, rerun=RERUNS, **LIGHT)
    value = found.table["value"]
    assert value["neighbour overlap"] == pytest.approx(mutual_knn(OLD, NEW, k=5))
    directions = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (OLD, NEW)]
    assert value["cka"] == pytest.approx(cka(*directions), rel=1e-4)  # single precision
    assert found.table.chance["neighbour overlap"] == 5 / 239
    assert found.table.p["neighbour overlap"] > 0.001 and np.isnan(found.table.p["cka"])
    lower = drift(OLD, run_of(OLD, np.random.default_rng(1), 0.8), rerun=RERUNS, **LIGHT).table
    assert lower.p["neighbour overlap"] < 0.05 and lower.value["neighbour overlap"] < value["neighbour overlap"]


def test_rotations_are_fitted_without_the_object():
    old, new = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (OLD[:60], NEW[:60]))
    before = turned(old, new, np.random.default_rng(0))
    new[7] = -new[7]
    np.testing.assert_array_equal(before[7], turned(old, new, np.random.default_rng(0))[7])


def test_neighbours_are_those_of_the_corpus_without_the_object():
    x = OLD[:30] / np.linalg.norm(OLD[:30], axis=1, keepdims=True)
    corpus = np.arange(0, 30, 2)
    found = neighbour_lists(x, np.arange(30), corpus, 3)
    for row in range(30):
        order = [j for j in np.argsort(-(x @ x[row])) if j % 2 == 0 and j != row]
        assert found[row].tolist() == order[:3]
    assert displaced(x, -x) == pytest.approx(np.full(30, 2.0))


def test_ids_match_rows_and_objects_of_one_version_are_counted():
    names = [f"doc {i}" for i in range(240)]
    order = np.random.default_rng(0).permutation(240)[:230]
    new_ids = [names[i] for i in order] + ["other"]
    found = drift(OLD, np.vstack([CHANGED[order], OLD[:1]]), ids=names, new_ids=new_ids, **LIGHT)
    assert found.rows == {"common": 230, "old only": 10, "new only": 1}
    assert set(found.moved) <= set(names) and "10 objects are in the old version alone" in str(found)


def test_a_map_is_judged_by_the_search_that_it_keeps():
    found = drift(OLD, NEW, k=5, n_resamples=20)
    assert found.migration.table.overlap["low-rank"] > found.migration.chance
    assert found.migration.conclusion() in str(found)


def test_so_few_objects_cannot_be_found_and_it_is_said():
    found = drift(OLD, CHANGED, rerun=RERUNS[:1], **LIGHT)
    assert found.least == 20  # 1 / fdr objects share the smallest p-value of one second run
    assert "fewer than 20 cannot be found" in found.sentences[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"fdr": 1}, "fdr is 1"),
        ({"k": 240}, "k is 240"),
        ({"ids": ["a"] * 240}, "ids: 'a' is there 240 times"),
        ({"ids": ["a"]}, r"ids has shape \(1,\)"),
        ({"new_ids": range(240)}, "new_ids is given without ids"),
        ({"rerun": OLD[1:]}, "rerun has 239 rows"),
        ({"rerun": [OLD, OLD[1:]]}, r"rerun\[1\] has 239 rows"),
        ({"ids": range(240), "new_ids": range(230, 470)}, "10 objects are in both versions"),
    ],
)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        drift(OLD, NEW, **LIGHT | arguments)


def test_a_space_of_one_direction_and_too_few_objects_for_a_map_are_named():
    line = np.outer(np.arange(1, 241), np.ones(4))
    for sides, name in (((line, NEW), "old"), ((OLD, line), "new")):
        with pytest.raises(ValueError, match=f"{name}: all 240 rows have one direction"):
            drift(*sides, **LIGHT)
    with pytest.raises(ValueError, match="rerun.0.: all 240 rows have one direction"):
        drift(OLD, NEW, rerun=line, **LIGHT)
    with pytest.raises(
        ValueError, match="109 objects are in both versions; .* from 110 on; without one, pass map=None"
    ):
        drift(OLD[:109], NEW[:109])


def test_rows_without_direction_and_other_numbers_of_rows_are_named():
    zero = NEW.copy()
    zero[3] = 0
    with pytest.raises(ValueError, match="new: row 3 is zero"):
        drift(OLD, zero, **LIGHT)
    with pytest.raises(ValueError, match="old has 240 rows and new 239"):
        drift(OLD, NEW[1:], **LIGHT)


@pytest.fixture
def files(tmp_path):
    for name, x in {"old": OLD, "new": CHANGED[::-1], "rerun": RERUNS[0]}.items():
        ids = [f"doc {i:03}" for i in range(240)][:: -1 if name == "new" else 1]
        pd.DataFrame({"id": ids, "vector": list(x.astype(np.float32))}).to_parquet(tmp_path / f"{name}.parquet")
    return tmp_path


def test_the_command_leaves_tables_and_a_report_and_its_status_tells_whether_too_many_moved(files, capsys):
    call = ["drift", str(files / "old.parquet"), str(files / "new.parquet"), "--map", "none", "--k", "5"]
    assert main([*call, "--out", str(files / "out"), "--fail-beyond", "0.01"]) == 3
    shown = capsys.readouterr().out
    assert "moved farther than" in shown and "status 3" in shown
    report = json.loads((files / "out" / "report.json").read_text())
    objects = pd.read_csv(files / "out" / "objects.csv")
    assert report["moved"] == objects["moved"].sum() and report["rows"]["common"] == len(objects) == 240
    assert set(objects["id"][objects["moved"]]) & {f"doc {i:03}" for i in MOVED}
    assert main([*call, "--fail-beyond", "0.5"]) == 0
    assert main([*call, "--out", str(files / "out")]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert main([*call, "--out", str(files / "out"), "--overwrite"]) == 0


def test_second_runs_in_files_are_brought_into_order_and_must_have_all_objects(files):
    paths = files / "old.parquet", files / "new.parquet"
    found = drift_of_files(*paths, rerun=[files / "rerun.parquet"], **LIGHT)
    assert found.null == "rerun"
    pd.read_parquet(files / "rerun.parquet").iloc[:-1].to_parquet(files / "short.parquet")
    with pytest.raises(ValueError, match="rerun 1 lacks 1 of 240 objects of old, such as 'doc 239'"):
        drift_of_files(*paths, rerun=[files / "short.parquet"], **LIGHT)
