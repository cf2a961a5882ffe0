"""Every format that is read, and what is said about all others."""

import re
import sys
from pathlib import Path

import foreign_files as ff
import numpy as np
import pandas as pd
import pytest

from helpers.__main__ import main
from helpers.ensembles import ConcatPCA
from helpers.inputs import formats, read

ROOT = Path(__file__).parents[1]


def read_quietly(source, tmp_path, **options):
    return read(source, work=tmp_path / "work", progress=False, **options)


@pytest.mark.parametrize("file", ff.WAYS)
def test_a_file_of_each_format_is_read_as_what_was_written(tmp_path, file):
    (tmp_path / "in").mkdir()
    ff.WAYS[file](tmp_path / "in" / file)
    inputs = read_quietly(tmp_path / "in", tmp_path)
    ((name, got),) = inputs.representations.items()
    assert name == formats.endings(file)[0] and got.dtype in (np.float32, np.float64)
    np.testing.assert_array_equal(got[:, : ff.P].astype("f4"), ff.X)  # float32 comes back from text as it was
    if isinstance(inputs.ids[0], str):
        assert inputs.ids.tolist() in (ff.IDS, [str(i) for i in range(ff.N)])


@pytest.mark.parametrize("file", ff.CODES)
def test_files_of_codes_are_read_as_numbers(tmp_path, file):
    ff.CODES[file](tmp_path / file)
    ((_, got),) = read_quietly(tmp_path / file, tmp_path).representations.items()
    codes = np.arange(ff.N * ff.P) % 256
    centred = codes - 128 if "u8" in file or "b" == file[8] else np.where(codes > 127, codes - 256, codes)
    np.testing.assert_array_equal(np.ravel(got), centred)


def test_there_is_a_file_for_every_ending():
    written = {formats.endings(file)[1] for file in [*ff.WAYS, *ff.CODES]}
    assert written == set(formats.SUFFIXES)
    assert {Path(file).suffix for file in ff.WAYS} >= set(formats.COMPRESSED)


def test_numbers_that_lie_ready_are_mapped_and_not_copied(tmp_path):
    for file in ("numpy.npy", "safe.safetensors", "tensor.pt", "whole.h5", "seven.mat", "beside.raw", "vectors.fbin"):
        place = tmp_path / file / file
        place.parent.mkdir()
        ff.WAYS[file](place)
        work = tmp_path / "unused"
        ((_, got),) = read(place, work=work, progress=False).representations.items()
        assert not work.exists() and not got.flags.writeable, file


def test_every_format_goes_through_apply(tmp_path, capsys):
    (tmp_path / "in").mkdir()
    files = [file for file in ff.WAYS if file != "base64.json"]
    named = {file: f"{i}-{file}" for i, file in enumerate(files)}
    for file, name in named.items():
        ff.WAYS[file](tmp_path / "in" / name)
    arrays = {formats.endings(name)[0]: ff.X for name in named.values()}
    assert len(arrays) == len(files)
    saved = ConcatPCA(4).fit(arrays).save(tmp_path / "ensemble")
    out = tmp_path / "combined.npy"
    assert main(["apply", str(saved), str(tmp_path / "in"), "-o", str(out), "--ids", "", "-q"]) == 0
    want = ConcatPCA(4).fit(arrays).transform(arrays)
    error = ff.P * len(arrays) * np.finfo(np.float32).eps * np.abs(want).max()  # of sums of so many float32 products
    np.testing.assert_allclose(np.load(out), want, rtol=0, atol=error)
    assert "40 rows" in capsys.readouterr().out


def test_every_format_goes_through_report(tmp_path, capsys):
    (tmp_path / "in").mkdir()
    files = {formats.format_of(file).title: file for file in reversed(ff.WAYS)}
    for at, file in enumerate(files.values()):
        ff.WAYS[file](tmp_path / "in" / f"{at}-{file}")
    (tmp_path / "in" / "note.pkl").write_bytes(b"cos\nsystem\n.")
    assert len(files) == len(formats.FORMATS)
    command = ["report", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--ids", "", "--sample", "40"]
    assert main(command) == 0
    assert "not read: " in capsys.readouterr().out
    page = (tmp_path / "out" / "index.html").read_text()
    assert "note.pkl" in page and "may be pickled, and pickles are never loaded" in page
    for at, file in enumerate(files.values()):
        assert formats.endings(f"{at}-{file}")[0] in page


def test_the_page_says_what_was_done_to_read(tmp_path):
    for file in ("names.npz", "sparse.mat"):
        ff.WAYS[file](tmp_path / file)
    files = [str(tmp_path / file) for file in ("names.npz", "sparse.mat")]
    assert main(["report", *files, "-o", str(tmp_path / "out"), "--ids", ""]) == 0
    page = (tmp_path / "out" / "index.html").read_text()
    assert "one vector for each of 40 names, which are the ids" in page and "filled with zeros" in page


ROLES = {
    "jsonl": lambda frame, path: frame.to_json(path, orient="records", lines=True),
    "json": lambda frame, path: frame.to_json(path, orient="records"),
    "xlsx": lambda frame, path: frame.to_excel(path, index=False),
    "feather": lambda frame, path: frame.to_feather(path),
    "csv.gz": lambda frame, path: frame.to_csv(path, index=False),
}


@pytest.mark.parametrize("suffix", ROLES)
def test_labels_and_pairs_come_in_every_format_of_tables(tmp_path, suffix):
    ff.LISTS.to_parquet(tmp_path / "a.parquet")
    kinds = pd.DataFrame({"id": ff.IDS[::-1], "kind": ["u", "v"] * (ff.N // 2)})
    pairs = pd.DataFrame({"left": ff.IDS[:3], "right": ff.IDS[3:6], "score": [0.5, 1.0, 2.5]})
    ROLES[suffix](kinds, tmp_path / f"kinds.{suffix}")
    ROLES[suffix](pairs, tmp_path / f"scores.{suffix}")
    inputs = read_quietly(tmp_path, tmp_path, labels=f"kinds.{suffix}", pairs=f"scores.{suffix}")
    assert list(inputs.representations) == ["a"] and inputs.labels.tolist() == ["v", "u"] * (ff.N // 2)
    assert inputs.pairs.to_numpy().tolist() == [[0, 3, 0.5], [1, 4, 1.0], [2, 5, 2.5]]


def half(path):
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2 - 1])


@pytest.mark.parametrize("file", [file for file in [*ff.WAYS, *ff.CODES] if not file.endswith(".csv")])
def test_half_a_file_is_refused_with_its_name(tmp_path, file):
    path = tmp_path / file
    (ff.WAYS | ff.CODES)[file](path)
    half(path)
    if file in ("wide.tsv", "matrix.txt", "lines.ndjson", "lines.jsonl", "glove.txt"):
        data = path.read_text()
        path.write_text(data[: data.rindex("\n") + 5])  # half a line
    with pytest.raises(ValueError, match=re.escape(file)):
        read_quietly(path, tmp_path)


@pytest.mark.parametrize("package, file", [("h5py", "whole.h5"), ("h5py", "seven.mat"), ("openpyxl", "book.xlsx")])
def test_a_library_that_is_not_there_is_asked_for_by_its_name(tmp_path, monkeypatch, package, file):
    ff.WAYS[file](tmp_path / file)
    ff.WAYS["numpy.npy"](tmp_path / "a.npy")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ValueError, match=rf"{file} is read by {package}.*pip install {package}"):
        read_quietly(tmp_path / file, tmp_path)
    inputs = read_quietly(tmp_path, tmp_path)
    assert list(inputs.representations) == ["a"] and f"pip install {package}" in inputs.ignored["reason"][0]


@pytest.mark.parametrize("suffix", [*formats.RECIPES, ".npy.gz", ".xyz", ""])
def test_whatever_is_not_read_has_a_recipe(tmp_path, suffix):
    ff.WAYS["numpy.npy"](tmp_path / "a.npy")
    (tmp_path / f"b{suffix}").write_bytes(b"\x80\x04\x95")
    said = read_quietly(tmp_path, tmp_path).ignored.set_index("file")["reason"]
    words = r"save|unpack|run it|read are|ending"
    assert list(said.index) == [f"b{suffix}"] and re.search(words, said.iloc[0])


def test_a_store_in_a_folder_is_one_line_of_what_was_not_read(tmp_path):
    ff.WAYS["numpy.npy"](tmp_path / "a.npy")
    (tmp_path / "deep" / "b.zarr" / "x").mkdir(parents=True)
    for chunk in ("x/0.0", "x/0.1", "zarr.json"):
        (tmp_path / "deep" / "b.zarr" / chunk).write_text("{}")
    ignored = read_quietly(tmp_path, tmp_path).ignored
    assert ignored["file"].tolist() == ["deep/b.zarr"] and "zarr.open" in ignored["reason"][0]


def test_the_folder_of_a_model_beside_embeddings_is_listed_and_no_embedding(tmp_path):
    ff.WAYS["numpy.npy"](tmp_path / "a.npy")
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text('{"hidden_size": 768, "layers": 12, "architectures": ["BertModel"]}')
    (model / "modules.json").write_text('[{"idx": 0, "name": "0", "path": ""}, {"idx": 1, "name": "1", "path": "p"}]')
    (model / "tokenizer.json").write_text('{"model": {"vocab": {"a": 0, "b": 1}, "merges": [["a", "b"]]}, "added": []}')
    (model / "vocab.txt").write_text("[PAD]\n[UNK]\nthe\n")
    (model / "merges.txt").write_text("#version: 0.2\na b\nc d\n")
    ff.save_file({"a.weight": ff.X}, model / "model.safetensors")
    inputs = read_quietly(tmp_path, tmp_path)
    assert list(inputs.representations) == ["a"]
    assert inputs.ignored["file"].tolist() == ["model"] and "pass it as models" in inputs.ignored["reason"][0]


def test_tables_and_records_about_the_embeddings_are_no_embeddings(tmp_path):
    ff.WAYS["numpy.npy"](tmp_path / "a.npy")
    (tmp_path / "config.json").write_text('{"model": "m", "width": 6, "layers": [1, 2], "sizes": {"a": 1}}')
    (tmp_path / "texts about.csv").write_text("doc_id,words\n1,u\n2,v\n")
    inputs = read_quietly(tmp_path, tmp_path, labels=[0, 1] * 20)
    assert list(inputs.representations) == ["a"]
    assert set(inputs.ignored["file"]) == {"config.json", "texts about.csv"}


def test_a_pickle_is_never_loaded_whatever_its_ending(tmp_path):
    bomb = b"cposix\nsystem\n(S'touch " + str(tmp_path / "pwned").encode() + b"'\ntR."
    ff.WAYS["numpy.npy"](tmp_path / "a.npy")
    for suffix in [*formats.SUFFIXES, *formats.RECIPES]:
        (tmp_path / f"bomb{suffix}").write_bytes(bomb)
    inputs = read_quietly(tmp_path, tmp_path)
    assert list(inputs.representations) == ["a"] and not (tmp_path / "pwned").exists()
    assert len(set(inputs.ignored["file"])) == len({*formats.SUFFIXES, *formats.RECIPES})


def test_the_table_of_formats_is_the_registry(capsys):
    assert formats.describe_formats() in (ROOT / "README.md").read_text()
    for command in ("report", "apply"):
        with pytest.raises(SystemExit):
            main([command, "--help"])
        listed = capsys.readouterr().out
        assert all(suffix in listed for suffix in formats.SUFFIXES)
