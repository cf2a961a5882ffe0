"""Items pooled into one object for each group: vectors, labels, names, reports and what is refused."""

import re
import tempfile

import numpy as np
import pandas as pd
import pytest

from helpers.__main__ import main
from helpers.ensembles.applying import apply
from helpers.groups import READOUTS
from helpers.inputs import read as read_inputs
from helpers.report import build

CLIENTS, PER = 60, 5


@pytest.fixture(scope="module")
def items():
    """Transactions of clients: an embedding that tells the class of the client, and one that does not."""
    rng = np.random.default_rng(0)
    client = rng.permutation(np.repeat(np.arange(CLIENTS), PER))
    label = client % 3
    x = rng.normal(size=(len(client), 4)) + 2 * rng.normal(size=(3, 4))[label]
    frame = pd.DataFrame({"client": [f"c{i:02d}" for i in client], "risk": label, "id": np.arange(len(client))})
    return {"events": x, "dice": rng.normal(size=x.shape)}, frame


@pytest.fixture(scope="module")
def mine(items, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bank")
    (folder / "items").mkdir()
    found, frame = items
    for name, x in found.items():
        table = frame.assign(vector=[" ".join(map(repr, row)) for row in x.tolist()])
        table.to_csv(folder / "items" / f"{name}.csv", index=False)
    return folder


def read(*args, **options):
    with tempfile.TemporaryDirectory() as work:
        return read_inputs(*args, work=work, progress=False, **options)


@pytest.mark.parametrize("readout", READOUTS)
def test_an_object_is_the_readout_of_its_items_with_its_name_as_id(items, readout):
    found, frame = items
    inputs = read(found, pool_by=frame["client"], readout=readout, labels=frame["risk"], groups=frame["risk"])
    expected = READOUTS[readout](found["events"], frame["client"].to_numpy(str))
    name = "events" if readout == "centroid" else f"events ({readout})"
    np.testing.assert_array_equal(inputs.representations[name], expected.vectors)
    assert inputs.ids.tolist() == expected.names.tolist() == sorted(frame["client"].unique())
    assert inputs.labels.tolist() == inputs.groups.tolist() == [i % 3 for i in range(CLIENTS)]
    assert inputs.sizes.tolist() == [PER] * CLIENTS
    assert inputs.findings.loc[name, ["rows", "lost"]].tolist() == [CLIENTS * PER, 0]


def test_files_give_what_arrays_give_and_single_precision_stays(items, mine):
    found, frame = items
    options = {"readout": "compare", "labels": "risk"}
    from_files = read(mine / "items", pool_by="client", **options)
    half = {name: x.astype(np.float32) for name, x in found.items()}
    arrays = read(half, pool_by=frame["client"], readout="compare", labels=frame["risk"])
    assert set(from_files.representations) == set(arrays.representations)
    assert len(arrays.representations) == 2 * len(READOUTS)
    for name, x in arrays.representations.items():
        assert x.dtype == np.float32
        # Single precision, and a geometric median that stops within its own tolerance.
        np.testing.assert_allclose(x, from_files.representations[name], rtol=0, atol=1e-5 * np.abs(x).max())
    assert from_files.ids.tolist() == arrays.ids.tolist()


def test_names_choose_embeddings_or_single_vectors_in_their_order(items):
    found, frame = items
    some = read(found, pool_by=frame["client"], readout="compare", names=["dice (medoid)", "events (centroid)"])
    assert list(some.representations) == ["dice (medoid)", "events (centroid)"]
    all_of_one = read(found, pool_by=frame["client"], readout=["medoid", "centroid"], names=["dice"])
    assert list(all_of_one.representations) == ["dice (medoid)", "dice (centroid)"]
    plain = read(found, pool_by=frame["client"], names=["events"])
    np.testing.assert_array_equal(plain.representations["events"], some.representations["events (centroid)"])
    with pytest.raises(ValueError, match="names lists .'nobody'."):
        read(found, pool_by=frame["client"], names=["nobody (medoid)"])


def test_pairs_and_relevance_are_of_groups():
    x = {"x": np.arange(12.0).reshape(6, 2)}
    pairs = pd.DataFrame({"left": ["a", "b"], "right": ["b", "c"], "score": [1.0, 0.0]})
    inputs = read(x, pool_by=["a", "a", "b", "b", "c", "c"], pairs=pairs)
    assert inputs.pairs[["left", "right"]].to_numpy().tolist() == [[0, 1], [1, 2]]


def test_a_group_of_one_item_is_that_item_whatever_the_readout():
    x = np.array([[1.0, 2.0], [3.0, 5.0], [7.0, 7.0]])
    inputs = read({"x": x}, pool_by=["one", "two", "two"], readout="compare")
    for name, found in inputs.representations.items():
        assert found[0, :2].tolist() == [1, 2], name
    assert inputs.sizes.tolist() == [1, 2]


def test_rows_with_nan_are_refused_or_dropped_and_a_group_without_items_is_said_to_be_lost():
    x = np.array([[1.0], [np.nan], [3.0], [np.nan], [5.0]])
    groups = ["a", "a", "b", "gone", "b"]
    with pytest.raises(ValueError, match=r"x: NaN or infinite entries in 2 of 5 rows \(1, 3\).*missing='drop'"):
        read({"x": x}, pool_by=groups)
    inputs = read({"x": x}, pool_by=groups, missing="drop")
    assert inputs.representations["x"].tolist() == [[1.0], [4.0]] and inputs.ids.tolist() == ["a", "b"]
    assert ["pool_by", "gone", "no item is left"] in inputs.losses.to_numpy().tolist()
    assert inputs.findings.loc["x", ["rows", "lost", "missing"]].tolist() == [5, 2, 2]


def test_small_classes_are_counted_in_groups_not_in_items():
    x, groups = {"x": np.arange(10.0)[:, None]}, list("aabbccddee")
    labels = ["one"] * 4 + ["two"] * 4 + ["alone"] * 2
    with pytest.raises(ValueError, match=r"with one member: alone \(e\)"):
        read(x, pool_by=groups, labels=labels)
    inputs = read(x, pool_by=groups, labels=labels, min_class_size=2)
    assert inputs.ids.tolist() == ["a", "b", "c", "d"] and inputs.representations["x"][3].tolist() == [6.5]
    assert inputs.sizes.tolist() == [2, 2, 2, 2]


def test_labels_that_are_few_among_items_and_many_among_groups_are_numbers():
    x, groups = {"x": np.arange(40.0)[:, None]}, np.repeat(np.arange(8), 5)
    assert read(x, pool_by=groups, labels=groups * 10).labels.dtype == np.float64
    assert read(x, pool_by=groups, labels=groups % 2).labels.dtype == np.int64


@pytest.mark.parametrize(
    "options, words",
    [
        ({"pool_by": ["a", "a", "b", "b"], "labels": [0, 1, 0, 0]}, "labels: group 'a' of pool_by has 0 (item 0)"),
        ({"pool_by": ["a", "a", "b", "b"], "groups": ["u", "u", "u", "v"]}, "groups: group 'b' of pool_by has u"),
        ({"pool_by": ["a", None, "b", "b"]}, "no pool_by in 1 of 4 rows (1)"),
        ({"pool_by": ["a", "a", "b"]}, "pool_by has 3"),
        ({"pool_by": "client"}, "pool_by is 'client'; no file of the source has such a column"),
        ({"pool_by": list("aabb"), "readout": "mode"}, "readout is 'mode'; it can be 'centroid', 'medoid'"),
        ({"pool_by": list("aabb"), "readout": ["medoid", "medoid"]}, "one name or more are needed, each once"),
        ({"readout": "medoid"}, "readout is 'medoid', of which groups? Say it, as in pool_by='client'"),
    ],
)
def test_bad_input_is_named(options, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        read({"x": np.eye(4)}, **options)


def test_labels_of_mixed_types_name_no_groups():
    with pytest.raises(TypeError, match=r"pool_by\[0\] is 1 \(number\) and pool_by\[1\] is 'a' \(text\)"):
        read({"x": np.eye(4)}, pool_by=[1, "a", 1, "a"])


def test_the_report_compares_readouts_and_its_ensemble_pools_new_items(items, mine, monkeypatch, capsys):
    monkeypatch.chdir(mine)
    few = ["centroid", "medoid", "moments"]
    options = ["--pool-by", "client", "--labels", "risk", "--folds", "3", "--sample", "60", "--readout", *few]
    assert main(["report", "items", "--names", "events", "--out", "out", *options]) == 0
    capsys.readouterr()
    quality = pd.read_csv("out/tables/quality.csv", index_col=0)
    assert quality.index[: len(few)].tolist() == [f"events ({name})" for name in few]
    assert quality.loc["events (centroid)", "score"] > 0.8 > quality.loc["events (medoid)", "ci_low"]
    assert (quality["ci_low"] <= quality["score"]).all() and (quality["score"] <= quality["ci_high"]).all()
    page = (mine / "out" / "index.html").read_text()
    assert "Each object is a group of items, 300 in all, 5 each. Folds" in page
    assert "--out combined.npy --pool-by client" in page
    assert main(["apply", "out/ensemble", "items", "--out", "applied.npy", "--pool-by", "client", "-q"]) == 0
    np.testing.assert_array_equal(np.load("applied.npy"), np.load("out/combined.npy"))
    assert (mine / "applied.ids.txt").read_text().splitlines() == sorted(items[1]["client"].unique())


def test_build_takes_arrays_of_items_and_one_embedding_is_enough_where_readouts_are_compared(items, tmp_path):
    found, frame = items
    report = build({"events": found["events"]}, pool_by=frame["client"], readout=["centroid", "medoid"],
                   labels=frame["risk"], folds=3, n_objects=60)  # fmt: skip
    assert len(report.inputs) == CLIENTS and set(report.inputs.representations) == {
        "events (centroid)",
        "events (medoid)",
    }
    report.ensemble.save(tmp_path / "kept")
    inputs = apply(tmp_path / "kept", {"events": found["events"]}, tmp_path / "new.npy", pool_by=frame["client"],
                   progress=False)  # fmt: skip
    assert len(inputs) == CLIENTS == len(np.load(tmp_path / "new.npy"))


def test_the_command_refuses_a_label_that_varies_within_a_group(mine, capsys, tmp_path):
    table = pd.read_csv(mine / "items" / "events.csv")
    table.loc[7, "risk"] = (table.loc[7, "risk"] + 1) % 3
    table.to_csv(tmp_path / "odd.csv", index=False)
    call = ["report", str(tmp_path / "odd.csv"), "--pool-by", "client", "--labels", "risk", "--readout", "compare"]
    assert main([*call, "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert f"labels: group {table.loc[7, 'client']!r} of pool_by has" in said and said.count("\n") == 1
