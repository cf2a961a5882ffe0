"""Parts of one embedding in many files: joined, or refused with what they look like."""

import json

import datasets
import foreign_files as ff
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.numpy import save_file

from helpers.inputs import read

X, IDS, N, P = ff.X, ff.IDS, ff.N, ff.P


@pytest.fixture
def place(tmp_path):
    folder = tmp_path / "my.emb"
    folder.mkdir()
    return folder


def read_quietly(folder, **options):
    return read(folder, work=folder.parent / "work", progress=False, **options)


def table(rows, **columns):
    rows = list(rows)
    return pd.DataFrame({"id": [IDS[i] for i in rows], "v": list(X[rows])} | columns)


def same(inputs, name):
    """Whether an embedding is X, by ids where there are ids."""
    rows = [IDS.index(i) for i in inputs.ids] if isinstance(inputs.ids[0], str) else np.arange(N)
    np.testing.assert_array_equal(inputs.representations[name].astype("f4"), X[rows])
    assert len(inputs) == N
    return inputs.findings.loc[name, "read_as"]


def test_shards_are_joined_in_the_order_of_their_numbers(place):
    for k in range(3):
        np.save(place / f"emb-{k:05d}-of-00003.npy", X[14 * k : 14 * k + 14])
    for k in (1, 2):
        save_file({"x": X[20 * k - 20 : 20 * k]}, place / f"other-0000{k}-of-00002.safetensors")
    inputs = read_quietly(place)
    assert list(inputs.representations) == ["emb", "other"]
    assert "3 files, emb-00000-of-00003.npy to emb-00002-of-00003.npy, joined" in same(inputs, "emb")
    same(inputs, "other")


def test_numbered_parts_are_joined_and_two_embeddings_stay_two(place):
    for name in "ab":
        for k in range(11):
            np.save(place / f"{name}_chunk{k}.npy", X[4 * k : 4 * k + 4])
            (place / f"{name}_chunk{k}.ids.txt").write_text("\n".join(IDS[4 * k : 4 * k + 4]))
    inputs = read_quietly(place)
    assert list(inputs.representations) == ["a", "b"] and inputs.ids.tolist() == IDS
    same(inputs, "a")


def test_a_shard_that_was_asked_for_alone_is_read_alone(place):
    for k in range(2):
        np.save(place / f"emb-{k:05d}-of-00003.npy", X[14 * k : 14 * k + 14])
    inputs = read_quietly(place / "emb-00001-of-00003.npy")
    np.testing.assert_array_equal(inputs.representations["emb-00001-of-00003"], X[14:28])


def test_shards_are_joined_in_a_list_of_files_too(place):
    np.save(place / "b.npy", X)
    for k in range(2):
        np.save(place / f"emb-{k:05d}-of-00002.npy", X[20 * k : 20 * k + 20])
    files = [place / "emb-00001-of-00002.npy", place / "b.npy", place / "emb-00000-of-00002.npy"]
    same(read(files, work=place.parent / "work", progress=False), "emb")


def test_layers_and_other_numbers_are_no_parts(place):
    for k in (2, 10):
        np.save(place / f"layer_{k}.npy", X)
        np.save(place / f"bert block {k}.npy", X)
    assert list(read_quietly(place).representations) == ["bert block 2", "bert block 10", "layer_2", "layer_10"]


def test_parts_that_spark_wrote_are_called_as_their_folder(place):
    (place / "bert").mkdir()
    job = "3f1c2a5e-1b2c-4d5e-8f90-123456789abc-c000.snappy"
    for k in range(2):
        table(range(20 * k, 20 * k + 20)).to_parquet(place / "bert" / f"part-0000{k}-{job}.parquet")
    (place / "bert" / "_SUCCESS").write_text("")
    inputs = read_quietly(place)
    same(inputs, "bert")
    assert inputs.ignored["file"].tolist() == ["bert/_SUCCESS"]


def test_folders_called_key_and_value_are_one_table_with_a_column(place):
    frame = pa.Table.from_pandas(table(range(N)).assign(lang=["a", "b"] * (N // 2)))
    pq.write_to_dataset(frame, str(place), partition_cols=["lang"])
    inputs = read_quietly(place)
    assert "divided by lang" in same(inputs, "my.emb")
    labels = read_quietly(place, labels="lang").labels
    assert labels.tolist() == ["a"] * (N // 2) + ["b"] * (N // 2)


def test_folders_that_tell_models_apart_are_embeddings(place):
    for model in ("bert", "mini"):
        (place / f"model={model}").mkdir()
        for k in (0, 1):
            table(range(20 * k, 20 * k + 20)).to_parquet(place / f"model={model}" / f"part-{k}.parquet")
    inputs = read_quietly(place)
    assert list(inputs.representations) == ["bert", "mini"]
    same(inputs, "mini")


def test_labels_of_parts_are_joined_with_them(place):
    for k in range(2):
        frame = pd.DataFrame(X[20 * k : 20 * k + 20]).add_prefix("f").assign(kind=["u", "v"] * 10)
        frame.to_csv(place / f"t.part{k}.csv.gz", index=False)
    inputs = read_quietly(place, labels="kind")
    same(inputs, "t")
    assert inputs.labels.tolist() == ["u", "v"] * 20


def test_a_saved_data_set_is_one_embedding_with_its_columns(place):
    data = datasets.Dataset.from_dict({"id": IDS, "v": X.tolist(), "kind": [0, 1] * (N // 2)})
    data.save_to_disk(str(place / "mine"), num_shards=3)
    for folder, name in ((place, "mine"), (place / "mine", "mine")):
        inputs = read_quietly(folder, labels="kind")
        assert list(inputs.representations) == [name] and inputs.labels.tolist() == [0, 1] * (N // 2)
        same(inputs, name)
    (place / "mine" / "data-00001-of-00003.arrow").unlink()
    with pytest.raises(ValueError, match=r"mine is a saved data set that lacks data-00001-of-00003\.arrow"):
        read_quietly(place)


def test_the_splits_of_a_data_set_are_joined_and_their_names_are_a_column(place):
    splits = {"train": range(30), "test": range(30, N)}
    made = {s: datasets.Dataset.from_pandas(table(rows), preserve_index=False) for s, rows in splits.items()}
    datasets.DatasetDict(made).save_to_disk(str(place))
    inputs = read_quietly(place, labels="split")
    assert "divided by split" in same(inputs, "my.emb")
    assert inputs.labels.tolist() == ["train"] * 30 + ["test"] * 10
    assert len(read_quietly(place / "test")) == 10


def test_one_vector_for_each_file_is_an_embedding_with_the_names_as_ids(place):
    for kind in ("esm", "rows"):
        (place / kind).mkdir()
    for name, row in zip(IDS, X, strict=True):
        torch.save({"label": name, "mean_representations": {33: torch.tensor(row)}}, place / "esm" / f"{name}.pt")
        np.save(place / "rows" / f"{name}.npy", row[None])
    inputs = read_quietly(place)
    assert list(inputs.representations) == ["esm", "rows"] and inputs.ids.tolist() == IDS
    assert "each with the vector of one object" in same(inputs, "esm")
    same(inputs, "rows")


def test_one_answer_of_an_api_for_each_file_is_an_embedding(place):
    for name, row in zip(IDS, X, strict=True):
        (place / f"{name}.json").write_text(json.dumps(ff.answer(row[None])))
    inputs = read_quietly(place)
    assert list(inputs.representations) == ["my.emb"] and inputs.ids.tolist() == IDS
    assert "each with the vector of one object" in same(inputs, "my.emb")


def test_three_matrices_are_no_vectors_of_objects(place):
    for name in "abc":
        np.save(place / f"{name}.npy", X)
    assert list(read_quietly(place).representations) == ["a", "b", "c"]


def test_parts_that_changed_are_converted_anew(place):
    for k in range(2):
        (place / f"x-part-{k}.jsonl").write_text(ff.text_of(X[20 * k : 20 * k + 20].tolist()))
    same(read_quietly(place), "x")
    (place / "x-part-1.jsonl").write_text(ff.text_of((2.0 * X[20:]).tolist()))
    got = read_quietly(place).representations["x"]
    np.testing.assert_array_equal(got.astype("f4"), np.concatenate([X[:20], 2 * X[20:]]))


BAD = {
    "a shard is not there": (
        lambda d: [np.save(d / f"emb-{k:05d}-of-00003.npy", X) for k in (0, 2)],
        r"emb\.npy looks like parts of one embedding \(emb-00000-of-00003\.npy, .*but part 1 is not there",
    ),
    "the last shard is not there": (
        lambda d: [np.save(d / f"emb-{k:05d}-of-00003.npy", X) for k in (0, 1)],
        r"but part 2 is not there",
    ),
    "a part is not there": (
        lambda d: [np.save(d / f"chunk_{k}.npy", X) for k in (0, 2)],
        r"looks like parts of one embedding \(chunk_0\.npy, chunk_2\.npy\), but part 1 is not there",
    ),
    "parts of other widths": (
        lambda d: [np.save(d / f"x-part-{k}.npy", X[:, : P - k]) for k in (0, 1)],
        r"x-part-1\.npy has shape \(40, 5\) and x-part-0\.npy \(40, 6\); parts of one need rows of one length",
    ),
    "parts of other columns": (
        lambda d: [ff.FRAME.add_prefix("g" * k).to_csv(d / f"x-part-{k}.csv", index=False) for k in (0, 1)],
        r"x-part-1\.csv has the columns \['gf0'.*x-part-0\.csv has \['f0'",
    ),
    "parts without a name of parts": (
        lambda d: [table(range(20 * k, 20 * k + 20)).to_parquet(d / f"emb_{k}.parquet") for k in (0, 1)],
        r"no id is in all of .*all have one width: parts of one embedding are joined if they are called x-part-0",
    ),
    "a row for each token": (
        lambda d: [np.save(d / f"doc{k}.npy", np.ones((k + 2, 5))) for k in range(4)],
        r"numbers of rows differ.*of files with a row for each token, save the means of their rows",
    ),
    "weights of a model": (
        lambda d: save_file({f"{k}.weight": X.copy() for k in range(4)}, d / "model.safetensors"),
        r"model\.safetensors holds the weights of a model \(4 arrays, such as '0\.weight'\) and no embeddings",
    ),
    "a data set whose state is damaged": (
        lambda d: [(d / "state.json").write_text(json.dumps({})), (d / "dataset_info.json").write_text("{}")],
        r"my\.emb is no complete data set that datasets saved",
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_what_cannot_be_one_is_refused_with_what_it_looks_like(place, what):
    make, words = BAD[what]
    make(place)
    with pytest.raises(ValueError, match=words):
        read_quietly(place)
