"""What lies ready is mapped; what is converted is kept."""

import os

import numpy as np
from embedding_files import as_csv, wide
from safetensors.numpy import save_file

from helpers.inputs import read as read_inputs


def test_what_lies_ready_is_not_copied(tmp_path, x):
    np.save(tmp_path / "a.npy", x)
    save_file({"x": x.astype("f4")}, tmp_path / "b.safetensors")
    work = tmp_path.parent / "unused"
    read_inputs(tmp_path, work=work)
    assert not work.exists()


def test_a_conversion_is_used_again_until_the_file_changes(tmp_path, x):
    path, work = tmp_path / "a.csv", tmp_path / "work"
    as_csv(wide(x), path)

    def converted():
        got = read_inputs(path, work=work, progress=False).representations["a"]
        return got, {p: p.stat().st_ino for p in work.rglob("*.npy")}

    _, files = converted()
    assert converted()[1] == files and len(files) == 1
    as_csv(wide(2 * x), path)
    os.utime(path, ns=(0, 1))
    got, later = converted()
    np.testing.assert_array_equal(got, 2 * x)
    assert len(later) == 1 and not list(work.rglob("*.draft"))


def test_the_longest_name_of_a_file_is_converted_in_a_folder_with_a_name(tmp_path):
    name = "日" * 80 + "xxxxxxxxxxx"  # 251 bytes, and four of the ending
    np.save(tmp_path / f"{name}.npy", np.random.default_rng(0).normal(size=(9, 3)).astype(np.float16))
    assert list(read_inputs(tmp_path, work=tmp_path / "work", progress=False).representations) == [name]
