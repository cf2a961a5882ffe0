"""Rows of several embeddings aligned, completed and described."""

import numpy as np
import pandas as pd
import pytest
from embedding_files import N, P, as_csv, lists, wide


def test_rows_are_joined_by_ids_and_losses_are_listed(tmp_path, read, x):
    ids = np.array([f"d{i}" for i in range(N)])
    order = np.random.default_rng(1).permutation(N)
    as_csv(wide(x, id=ids), tmp_path / "a.csv")
    lists(x[order][:-3], id=ids[order][:-3]).to_parquet(tmp_path / "b.parquet")
    np.savez(tmp_path / "c.npz", x=x[5:], id=ids[5:])
    np.save(tmp_path / "d.npy", x[::-1])
    (tmp_path / "d.ids.txt").write_text("\n".join(ids[::-1]) + "\n")
    inputs = read(tmp_path)
    gone = {*ids[order][-3:], *ids[:5]}
    assert inputs.ids.tolist() == [i for i in ids if i not in gone]
    for got in inputs.representations.values():
        np.testing.assert_array_equal(got, x[[i not in gone for i in ids]])
    assert isinstance(inputs.representations["d"], np.memmap)
    lost = inputs.losses[inputs.losses["input"] == "a"].set_index("id")["reason"]
    assert set(lost.index) == gone and "b.parquet" in lost[ids[order][-1]]
    assert (
        inputs.findings["lost"].tolist() == [len(gone), len(gone) - 3, len(gone) - 5 + 0, len(gone)]
        or (inputs.findings["lost"] == inputs.findings["rows"] - len(inputs)).all()
    )


def test_labels_missing_for_some_ids_are_losses(tmp_path, read, x):
    np.savez(tmp_path / "a.npz", x=x, ids=np.arange(N))
    as_csv(pd.DataFrame({"id": range(10, N + 5), "kind": [i % 2 for i in range(N - 5)]}), tmp_path / "labels.csv")
    inputs = read(tmp_path, labels="labels.csv")
    assert inputs.ids.tolist() == [str(i) for i in range(10, N)] and inputs.labels.tolist()[:3] == [0, 1, 0]
    assert inputs.losses.groupby("input").size().to_dict() == {"a": 10, "labels": 5}


def test_findings_tell_what_is_odd(tmp_path, read, x):
    x[:, 2], x[:, 4], x[7], x[9] = 3.5, 0, x[8], 0
    x[9, 2] = 3.5
    x[9, [0, 1, 3, 5]] = 0
    as_csv(wide(x), tmp_path / "a.csv")
    np.save(tmp_path / "b.npy", np.zeros((N, 2)))
    found = read(tmp_path).findings
    a, b = found.loc["a"], found.loc["b"]
    assert (a["rows"], a["width"], a["constant_columns"], a["constant"], a["zero_columns"]) == (N, P, 2, "f2, f4", 1)
    assert (a["zero_rows"], a["duplicates"], a["missing"], a["file"], a["dtype"]) == (0, 1, 0, "a.csv", "float64")
    assert (b["zero_rows"], b["duplicates"], b["constant_columns"], b["norm_mean"]) == (N, N - 1, 2, 0)
    norms = np.linalg.norm(x, axis=1)
    assert a["norm_mean"] == pytest.approx(norms.mean()) and a["norm_std"] == pytest.approx(norms.std())


def test_missing_rows_are_listed_and_dropped_only_if_asked(tmp_path, read, x):
    bad = x.copy()
    bad[[3, 17], 1] = np.nan, np.inf
    np.save(tmp_path / "a.npy", bad)
    as_csv(wide(np.where(np.isinf(bad), np.nan, bad)), tmp_path / "b.csv")
    table = lists(x)
    table.loc[5, "vector"] = None
    table.to_parquet(tmp_path / "c.parquet")
    with pytest.raises(ValueError) as error:
        read(tmp_path)
    assert str(error.value) == (
        "a.npy: NaN or infinite entries in 2 of 40 rows (3, 17), the first in column 1; "
        "b.csv: NaN or infinite entries in 2 of 40 rows (3, 17), the first in column 'f1'; "
        "c.parquet: NaN or infinite entries in 1 of 40 rows (5), the first in column 0; "
        "fix them, or pass missing='drop' to leave these objects out"
    )
    inputs = read(tmp_path, missing="drop")
    keep = ~np.isin(np.arange(N), [3, 5, 17])
    for got in inputs.representations.values():
        np.testing.assert_array_equal(got, x[keep])
    assert inputs.findings["missing"].tolist() == [2, 2, 1] and inputs.findings["lost"].tolist() == [3, 3, 3]
    assert inputs.losses["id"].tolist() == [3, 17, 3, 17, 5] and inputs.ids.tolist() == np.flatnonzero(keep).tolist()


def test_of_a_folder_embeddings_of_other_objects_are_listed_and_left_out(tmp_path, read, x):
    for name, rows in {"a": N, "b": N, "c": N, "other": 7}.items():
        np.save(tmp_path / f"{name}.npy", x[:rows])
    inputs = read(tmp_path)
    assert list(inputs.representations) == ["a", "b", "c"]
    reason = "has 7 rows and no ids; 40 are needed, as many as 3 of 4 embeddings have"
    assert inputs.ignored.to_numpy().tolist() == [["other.npy", reason]]
    inputs = read(tmp_path, labels=[0, 1, 0, 1, 0, 1, 1])
    assert list(inputs.representations) == ["other"] and "as many as labels" in inputs.ignored["reason"].iloc[0]
    for options in ({"names": ["a", "other"]}, {"labels": [0, 1] * 4}):
        with pytest.raises(ValueError, match="numbers of rows differ and there are no ids"):
            read(tmp_path, **options)
    np.save(tmp_path / "b.npy", x[:7])
    with pytest.raises(ValueError, match="numbers of rows differ and there are no ids"):
        read(tmp_path)
