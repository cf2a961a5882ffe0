"""What a folder, a list or a mapping offers: names, and files that are listed instead of read."""

import os

import numpy as np
import pytest
from embedding_files import N, as_csv, cut, lists, wide
from safetensors.numpy import save_file

from helpers.ensembles import ConcatPCA
from helpers.inputs import read as read_inputs


def test_names_come_from_files_and_arrays_in_natural_order(tmp_path, read, x):
    np.save(tmp_path / "gro\u0308ße.npy", x)
    np.savez(tmp_path / "both.npz", u=x, v=x, y=np.arange(N))
    lists(x, other=list(x), text=["s"] * N).to_parquet(tmp_path / "table.parquet")
    (tmp_path / "bert").mkdir()
    for layer in (10, 2):
        np.save(tmp_path / "bert" / f"layer {layer}.npy", x)
    inputs = read(tmp_path)
    names = ["bert/layer 2", "bert/layer 10", "both/u", "both/v", "größe", "table/other", "table/vector"]
    assert list(inputs.representations) == names == list(inputs.findings.index)
    assert list(read(tmp_path / "both.npz").representations) == ["u", "v"]
    assert list(read(tmp_path / "table.parquet").representations) == ["other", "vector"]
    assert list(read(tmp_path, names=["both/v", "bert/layer 10"]).representations) == ["both/v", "bert/layer 10"]
    chosen = read([tmp_path / "bert" / "layer 2.npy", tmp_path / "both.npz"])
    assert list(chosen.representations) == ["bert/layer 2", "both/u", "both/v"]
    said = inputs.ignored.set_index("file")["reason"]
    assert said["both.npz"] == "array 'y' has shape (40,) and is no matrix"
    assert said["table.parquet"] == "column 'text' holds text"


def test_what_is_no_file_is_listed_and_never_waited_for(tmp_path, read, x):
    np.save(tmp_path / "a.npy", x)
    os.mkfifo(tmp_path / "b.csv")
    os.symlink("nowhere", tmp_path / "c.npy")
    (tmp_path / "d.npy.part").write_bytes(b"x")
    said = read(tmp_path).ignored.set_index("file")["reason"]
    assert said["b.csv"] == "is a pipe or socket" and "is a link to a folder, or to nothing" in said["c.npy"]
    assert "did not come to its end" in said["d.npy.part"]


def test_files_of_other_formats_are_listed_and_never_opened(tmp_path, read, x):
    np.save(tmp_path / "a.npy", x)
    for name in ("b.pkl", "c.txt", ".hidden.npy", "labels.csv"):
        (tmp_path / name).write_bytes(b"cos\nsystem\n(S'touch pwned'\ntR.")
    said = read(tmp_path).ignored.set_index("file")["reason"]
    assert sorted(said.index) == ["b.pkl", "c.txt", "labels.csv"]
    assert "never loaded" in said["b.pkl"] and said["labels.csv"].endswith("to use it, pass it as labels")


UNREADABLE = {
    "pointer.npy": (
        lambda x, path: path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"),
        "is a pointer of Git LFS",
    ),
    "page.parquet": (lambda x, path: path.write_text("<!DOCTYPE html><html>404</html>"), "is a web page"),
    "cut.npy": (lambda x, path: (np.save(path, x), cut(path)), "is truncated: its header promises"),
    "cut.npz": (lambda x, path: (np.savez_compressed(path, x=x), cut(path)), "cannot be read, it is damaged"),
    "cut.parquet": (lambda x, path: (lists(x).to_parquet(path), cut(path)), "cannot be read, it is damaged"),
    "cut.safetensors": (lambda x, path: (save_file({"x": x}, path), cut(path)), "cannot be read, it is damaged"),
    "latin.csv": (lambda x, path: path.write_bytes(b"gr\xf6\xdfe,v\n1,2\n"), "is not UTF-8"),
    "empty.csv": (lambda x, path: path.write_text(""), "is empty"),
    "y.npy": (lambda x, path: np.save(path, x[:, 0]), "labels are passed as labels"),
    "pickle.npy": (lambda x, path: np.save(path, x.astype(object)), "pickles are never loaded"),
    "model.pt": (lambda x, path: path.write_bytes(b"x"), "pickles are never loaded"),
    "nowhere.npy": (lambda x, path: path.symlink_to("gone"), "is a link"),
}


def test_of_a_folder_every_file_is_read_or_listed_with_the_reason(tmp_path, read, x):
    for number, (name, (make, _)) in enumerate(UNREADABLE.items()):
        make(x, tmp_path / name)
        np.save(tmp_path / f"good{number}.npy", x + number)
    inputs = read(tmp_path)
    assert list(inputs.representations) == [f"good{i}" for i in range(len(UNREADABLE))]
    said = inputs.ignored.set_index("file")["reason"]
    assert set(said.index) == set(UNREADABLE)
    for name, (_, words) in UNREADABLE.items():
        assert words in said[name] and not said[name].startswith(name)
    assert list(read(tmp_path, names=["good3"]).representations) == ["good3"]


@pytest.mark.parametrize("name", [name for name in UNREADABLE if name not in ("model.pt", "nowhere.npy")])
def test_a_file_that_is_asked_for_must_be_readable(tmp_path, read, x, name):
    make, words = UNREADABLE[name]
    make(x, tmp_path / name)
    np.save(tmp_path / "good.npy", x)
    for source in (tmp_path / name, [tmp_path / name, tmp_path / "good.npy"], {"mine": tmp_path / name}):
        with pytest.raises(ValueError, match=words):
            read(source)
    with pytest.raises(ValueError, match=f"(?s)names lists|{words}"):
        read(tmp_path, names=[name.split(".")[0], "good"])


def test_what_was_written_beside_is_not_read_again(tmp_path, read, x):
    np.save(tmp_path / "a.npy", x)
    ConcatPCA(2).fit({"a": x}).save(tmp_path / "mine")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "report.json").write_text("{}")
    np.save(tmp_path / "out" / "combined.npy", x)
    as_csv(wide(x), tmp_path / "b.csv")
    for _ in range(2):
        inputs = read_inputs(tmp_path, work=tmp_path / "work", progress=False)
        assert list(inputs.representations) == ["a", "b"] and inputs.ignored.empty
    assert list(read(tmp_path / "out").representations) == ["combined"]


def test_arrays_and_files_mix_in_a_mapping(tmp_path, read, x):
    as_csv(wide(x, label=["u", "v"] * (N // 2)), tmp_path / "a.csv")
    torch = pytest.importorskip("torch")
    inputs = read(
        {"mine": x, "tensor": torch.ones(N, 2, dtype=torch.bfloat16), "file": tmp_path / "a.csv"}, labels="label"
    )
    assert list(inputs.representations) == ["mine", "tensor", "file"] and inputs.labels[1] == "v"
    np.testing.assert_array_equal(inputs.representations["file"], x)
    for wrong, error in (
        (np.eye(3), TypeError),
        ({}, ValueError),
        ("", ValueError),
        ("nowhere", FileNotFoundError),
        (7, TypeError),
    ):
        with pytest.raises(error, match="source"):
            read(wrong)
