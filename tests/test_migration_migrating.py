"""A corpus changes its model: the map is chosen and judged on rows it has not seen, and the rest is mapped."""

import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from helpers.migration import load_map, migrate, migrate_files

RNG = np.random.default_rng(0)
MAP = RNG.normal(size=(12, 6))
OLD = RNG.normal(size=(400, 12)).astype(np.float32)
NEW = (OLD @ MAP + 0.5 * RNG.normal(size=(400, 6))).astype(np.float32)
IDS = np.array([f"doc {i:03}" for i in range(400)])


@pytest.fixture
def files(tmp_path):
    """Old vectors of all objects but the last five, new ones of every other object and of the last five."""
    for name, rows, x in (("old", np.arange(395), OLD), ("new", np.r_[np.arange(0, 395, 2), 395:400][::-1], NEW)):
        pd.DataFrame({"id": IDS[rows], "vector": list(x[rows])}).to_parquet(tmp_path / f"{name}.parquet")
    return tmp_path / "old.parquet", tmp_path / "new.parquet"


def test_an_affine_truth_is_found_and_beats_staying():
    found = migrate(OLD, NEW, ids=IDS)
    table = found.table
    assert found.rows == {"common": 400, "fitted": 280, "validated": 40, "judged": 80}
    assert table.ci_low[found.name] > table.ci_high["old model"]
    assert table.validation.idxmax() == found.name and table.chosen.sum() == 1
    assert set(found.objects.id) < set(IDS) and found.objects.overlap.is_monotonic_increasing
    assert f"{table.overlap[found.name]:.0%}" in found.conclusion()


def test_unrelated_spaces_are_said_to_be_at_chance():
    found = migrate(OLD, RNG.normal(size=(400, 6)), map="low-rank")
    assert found.table.ci_low["low-rank"] < found.chance < 1.5 * found.table.ci_high["low-rank"]


def test_what_is_judged_was_not_fitted():
    new = NEW.copy()
    first = migrate(OLD, new, map="low-rank")
    judged = first.objects.id.to_numpy()
    new[judged] = RNG.normal(size=(len(judged), 6))
    second = migrate(OLD, new, map="low-rank")
    np.testing.assert_array_equal(first.transform(OLD), second.transform(OLD))
    assert second.table.overlap["low-rank"] < first.table.ci_low["low-rank"]


def test_unfamiliar_objects_are_told_by_their_novelty():
    found = migrate(OLD[:, :] + 3, NEW, map="procrustes")
    assert found.novelty_of(OLD + 3).max() < found.novelty_of(-OLD - 3).min()


def test_all_objects_are_in_the_result_and_new_vectors_are_kept(files, tmp_path):
    found = migrate_files(*files, tmp_path / "out")
    made, objects = np.load(tmp_path / "out" / "migrated.npy"), pd.read_csv(tmp_path / "out" / "objects.csv")
    rows = np.r_[0:395, 399:394:-1]  # those of the new file alone come last, in its order
    assert objects.id.tolist() == IDS[rows].tolist() and len(made) == 400
    new = np.r_[np.arange(0, 395, 2), 395:400]
    assert (objects.vector == "new").to_numpy().nonzero()[0].tolist() == new.tolist()
    np.testing.assert_array_equal(made[new], NEW[rows[new]])
    rest = np.arange(1, 395, 2)
    length = np.median(np.linalg.norm(NEW[new[:-5]].astype(float), axis=1))
    # A product of two numbers in single precision, each rounded once.
    np.testing.assert_allclose(made[rest], found.transform(OLD[rest]) * length, rtol=2**-22)
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["rows"]["mapped"] == len(rest) and report["conclusion"] == found.conclusion()
    assert 0 <= report["unfamiliar"]["share_of_mapped_beyond"] <= 1


def test_the_command_says_what_is_kept_and_apply_maps_more_rows(files, tmp_path):
    def call(*words):
        command = [sys.executable, "-m", "helpers", *map(str, words)]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)

    done = call("migrate", *files, "-o", "out", "--map", "low-rank")
    assert done.returncode == 0, done.stderr
    assert "of the 10 nearest neighbours" in done.stdout and "Worst mapped" in done.stdout
    again = call("migrate", *files, "-o", "out")
    assert again.returncode == 2 and "pass --overwrite" in again.stderr
    np.save(tmp_path / "more.npy", OLD[:7])
    applied = call("apply", "out/map", "more.npy", "-o", "mapped.npy")
    assert applied.returncode == 0, applied.stderr
    np.testing.assert_array_equal(
        np.load(tmp_path / "mapped.npy"), load_map(tmp_path / "out" / "map").transform(OLD[:7])
    )


def test_what_cannot_be_matched_is_said(files, tmp_path):
    old, new = files
    np.save(tmp_path / "bare.npy", NEW[:90])
    with pytest.raises(ValueError, match="old has ids and new has none; .*ids='id'"):
        migrate_files(old, tmp_path / "bare.npy", tmp_path / "out")
    np.save(tmp_path / "all.npy", OLD)
    with pytest.raises(ValueError, match="old has 400 rows and new 90, and neither has ids"):
        migrate_files(tmp_path / "all.npy", tmp_path / "bare.npy", tmp_path / "out")
    pd.DataFrame({"id": [f"x{i}" for i in range(90)], "vector": list(NEW[:90])}).to_parquet(tmp_path / "other.parquet")
    with pytest.raises(ValueError, match="share 0 of 395 and 90 ids .old begins with 'doc 000', new with 'x0'"):
        migrate_files(old, tmp_path / "other.parquet", tmp_path / "out")
    zero = OLD.copy()
    zero[[3, 5]] = 0
    np.save(tmp_path / "zero.npy", zero)
    np.save(tmp_path / "new.npy", NEW)
    with pytest.raises(ValueError, match="old: 2 of 400 rows are zero .* the first is 3"):
        migrate_files(tmp_path / "zero.npy", tmp_path / "new.npy", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"map": "magic"}, "map is 'magic'"),
        ({"held_out": 0.9}, "held_out is 0.9"),
        ({"k": 60}, "both models have 400 objects; at least 610 are needed .* for k = 60"),
        ({"held_out": 0.02}, "held_out is 0.02, 8 objects; more than k = 10 are needed"),
        ({"ids": IDS[:9]}, "ids has 9 entries and old 400 rows"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        migrate(OLD, NEW, **arguments)


def test_frames_in_another_order_and_entries_that_are_no_numbers_are_named():
    old, new = (pd.DataFrame(x, index=IDS) for x in (OLD, NEW))
    assert migrate(old, new, map="low-rank").table.equals(migrate(OLD, NEW, map="low-rank").table)
    with pytest.raises(ValueError, match="old and new carry the same row labels in another order"):
        migrate(old, new[::-1])
    broken = NEW.copy()
    broken[321, 4] = np.inf
    with pytest.raises(ValueError, match=r"new\[321, 4\] is inf"):
        migrate(OLD, broken)
    with pytest.raises(ValueError, match=r"old has shape \(400,\)"):
        migrate(OLD[:, 0], NEW)


def test_too_few_common_objects_are_refused():
    with pytest.raises(ValueError, match="both models have 49 objects; at least 50"):
        migrate(OLD[:49], NEW[:49], k=3)
    assert migrate(OLD[:50], NEW[:50], k=3, map="procrustes").rows["judged"] == 10


def test_rows_that_files_without_ids_drop_do_not_shift_the_others(tmp_path):
    old, new = OLD.copy(), NEW.copy()
    old[3, 0], new[[40, 41], 0] = np.nan, np.nan
    np.save(tmp_path / "old.npy", old)
    np.save(tmp_path / "new.npy", new)
    found = migrate_files(tmp_path / "old.npy", tmp_path / "new.npy", tmp_path / "out", missing="drop", map="low-rank")
    whole = migrate(OLD, NEW, map="low-rank")
    assert found.rows["common"] == 397
    # Rows that are out of step would share no neighbours beyond chance.
    assert found.table.overlap["low-rank"] > whole.table.ci_low["low-rank"] - 0.1


def test_a_folder_of_something_else_is_never_touched(files, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "work.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="is no migration"):
        migrate_files(*files, tmp_path / "mine", overwrite=True)
    assert (tmp_path / "mine" / "work.txt").read_text() == "mine"
