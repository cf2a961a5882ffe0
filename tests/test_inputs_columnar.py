"""Parquet, Arrow and Feather as other libraries write them."""

import decimal

import foreign_files as ff
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import feather
from tolerance import unit

from helpers.inputs import read

X, IDS, N, P = ff.X, ff.IDS, ff.N, ff.P


def read_quietly(path, **options):
    return read(path, work=path.parent / "work", progress=False, **options)


def write(table, path):
    {".parquet": pq.write_table, ".arrow": feather.write_feather, ".ipc": lambda t, p: ff.stream(p, t)}[path.suffix](
        table, path
    )


@pytest.mark.parametrize("suffix", ["parquet", "arrow", "ipc"])
def test_vectors_in_records_are_found(tmp_path, suffix):
    records = [{"values": row.tolist(), "model": "m"} for row in X]
    write(pa.table({"id": IDS, "e": records, "kind": ["u", "v"] * (N // 2)}), tmp_path / f"a.{suffix}")
    inputs = read_quietly(tmp_path / f"a.{suffix}", labels="kind")
    np.testing.assert_array_equal(inputs.representations["a"].astype("f4"), X)
    assert inputs.ids.tolist() == IDS and inputs.ignored["reason"].tolist() == ["column 'e.model' holds text"]


@pytest.mark.parametrize("suffix", ["parquet", "ipc"])
def test_decimal_numbers_are_numbers(tmp_path, suffix):
    rounded = [[decimal.Decimal(f"{value:.4f}") for value in column] for column in X.T.tolist()]
    write(pa.table({f"f{i}": column for i, column in enumerate(rounded)}), tmp_path / f"a.{suffix}")
    got = read_quietly(tmp_path / f"a.{suffix}").representations["a"]
    # Arrow multiplies whole numbers by a power of ten, which is rounded, as the product is.
    np.testing.assert_allclose(got, np.array(rounded, dtype=float).T, rtol=2 * unit(), atol=0)


def test_categories_are_labels_and_ids_and_no_features(tmp_path):
    frame = ff.FRAME.assign(
        id=pd.Categorical(IDS), kind=pd.Categorical(["u", "v"] * (N // 2)), other=pd.Categorical([7] * N)
    )
    frame.to_feather(tmp_path / "a.feather")
    inputs = read_quietly(tmp_path / "a.feather", labels="kind")
    assert inputs.representations["a"].shape == (N, P) and inputs.labels.tolist() == ["u", "v"] * (N // 2)
    assert inputs.ids.tolist() == IDS and inputs.ignored["reason"].tolist() == ["column 'other' holds categories"]


def test_many_small_batches_of_a_stream_are_one_table(tmp_path):
    table = pa.table({"id": IDS, "v": list(X)})
    with pa.ipc.new_stream(str(tmp_path / "a.arrow"), table.schema) as writer:
        for batch in table.to_batches(max_chunksize=1):
            writer.write_batch(batch)
    inputs = read_quietly(tmp_path / "a.arrow")
    np.testing.assert_array_equal(inputs.representations["a"], X)
    assert inputs.ids.tolist() == IDS


def test_records_of_numpy_are_refused_with_a_recipe(tmp_path):
    np.save(tmp_path / "a.npy", np.rec.fromarrays([np.arange(N), X[:, 0]], names="n,u"))
    with pytest.raises(
        ValueError, match=r"a\.npy holds records with the fields \['n', 'u'\]; save them apart: np\.savez"
    ):
        read_quietly(tmp_path / "a.npy")
