"""Where files are looked for, in a checkout and without one."""

import errno
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from helpers import errors, locations
from helpers.locations import allocate, cache_folder

SAY = "from helpers.locations import DATA, ROOT; print(ROOT, DATA)"


def test_a_checkout_has_its_data():
    assert locations.ROOT == Path(__file__).parents[1] and (locations.DATA / "results").is_dir()


def test_an_installed_package_takes_nothing_beside_itself_for_the_book(tmp_path):
    (tmp_path / "site" / "helpers").mkdir(parents=True)
    (tmp_path / "site" / "data").mkdir()
    (tmp_path / "site" / "helpers" / "__init__.py").touch()
    for module in (locations, errors):
        shutil.copy(module.__file__, tmp_path / "site" / "helpers")
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "site"), "XDG_DATA_HOME": str(tmp_path / "xdg")}
    command = [sys.executable, "-c", SAY]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.stdout.split() == ["None", str(tmp_path / "xdg" / "comparing-representations")], done.stderr


def test_data_sets_are_read_from_a_folder_that_has_them(tmp_path, monkeypatch):
    (tmp_path / "owner" / "name").mkdir(parents=True)
    monkeypatch.setenv("BOOK_DATA", str(tmp_path))
    assert locations.resolve("owner/name") == str(tmp_path / "owner" / "name")
    assert locations.resolve("owner/other") == "owner/other"


def test_a_variable_in_a_path_stands_for_its_folder_wherever_a_path_is_taken(tmp_path, monkeypatch):
    from helpers.book import fingerprint
    from helpers.clients import load_clients
    from helpers.encoders.extraction import resolve_model
    from helpers.tasks import task_names
    from helpers.text import read_texts

    monkeypatch.setenv("MINE", str(tmp_path))
    (tmp_path / "a.txt").write_text("One sentence.\n")
    (tmp_path / "model").mkdir()
    assert locations.expand("$MINE/a.txt") == tmp_path / "a.txt"
    assert read_texts("$MINE/a.txt") == ["One sentence."]
    assert resolve_model("${MINE}/model") == tmp_path / "model"
    assert "STSBenchmark" in task_names("$MINE")
    (tmp_path / "t.csv").write_text("client,time,category,amount\n" + "1,2024-01-01,a,1\n" * 10)
    assert len(load_clients("$MINE/t.csv")) == 1
    keys = []
    for text in ("One sentence.\n", "Another one.\n"):
        (tmp_path / "a.txt").write_text(text)
        keys.append(fingerprint.key(["1"], {"source": "$MINE/a.txt"}))
    assert keys[0] != keys[1]


def test_a_variable_that_is_not_set_is_named(monkeypatch):
    from helpers.tasks import load_tasks

    monkeypatch.delenv("MINE", raising=False)
    with pytest.raises(ValueError, match="'\\$MINE/x' begins with an environment variable that is not set"):
        load_tasks("$MINE/x")


def test_a_home_that_cannot_be_written_to_is_replaced_by_a_folder_for_temporary_files(tmp_path, monkeypatch):
    (tmp_path / "home").write_text("a file")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    place = cache_folder("layers")
    assert place.is_dir() and place.is_relative_to(tmp_path / "temporary") and cache_folder("layers") == place
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert cache_folder("layers").is_relative_to(tmp_path / "cache")


def test_a_full_disk_is_an_error_that_says_how_much_is_missing(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with (
        (tmp_path / "big").open("w+b") as file,
        pytest.raises(OSError, match="vectors needs 1e.09 GB .* missing"),
    ):
        allocate(file, 10**18, "vectors")


def test_a_file_system_that_cannot_reserve_is_written_to(tmp_path, monkeypatch):
    def cannot(*_):
        raise OSError(errno.EOPNOTSUPP, "not here")

    monkeypatch.setattr(os, "posix_fallocate", cannot)
    with (tmp_path / "file").open("w+b") as file:
        allocate(file, 3 << 20, "vectors")
        assert os.fstat(file.fileno()).st_size == 3 << 20


def test_no_memory_map_is_made_of_a_file_whose_room_is_not_reserved():
    """A map of a file with holes dies of SIGBUS when the disk is full."""
    for path in Path(locations.__file__).parent.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        maps = len(re.findall(r"open_memmap\(|np\.memmap\([^\n]*\"w\+\"", text))
        assert text.count("allocate(") >= maps, path


FULL = """
import resource, signal, sys
import numpy as np
from helpers.inputs import read
np.save(sys.argv[1] + "/a.npy", np.random.default_rng(0).normal(size=(4096, 256)).astype(np.float16))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
read(sys.argv[1], work=sys.argv[1] + "/work")
"""


def test_a_conversion_that_runs_out_of_room_ends_in_a_sentence_and_leaves_nothing(tmp_path):
    done = subprocess.run([sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True)
    said = done.stderr.strip().splitlines()[-1]
    assert (
        done.returncode == 1
        and said.startswith("helpers.errors.NoRoomError: a.npy is converted in ")
        and "may not be so large" in said
    )
    assert not [file for file in (tmp_path / "work").rglob("*") if file.is_file() and file.stat().st_size > 1 << 16]


def test_room_that_a_limit_on_files_does_not_give_is_asked_for_in_vain(tmp_path):
    code = (
        "import resource, signal; from helpers.locations import allocate\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20)); allocate(open('f', 'w+b'), 1 << 24, 'vectors')"
    )
    home = str(Path(locations.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": home},
    )
    assert done.returncode == 1 and "vectors needs a file of 0.0168 GB" in done.stderr.splitlines()[-1]


def test_a_disk_that_is_full_is_said_before_a_memory_map_meets_it(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no small disk can be made here")
    try:
        with (disk / "big").open("w+b") as file, pytest.raises(OSError, match="vectors needs 0.0168 GB .* are missing"):
            allocate(file, 1 << 24, "vectors")
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_folder_is_free_if_empty_or_if_it_holds_a_result_that_may_go(tmp_path):
    from helpers.locations import check_folder_free

    kind = {"holds": ("a.json", "b.csv"), "what": "result"}
    check_folder_free(tmp_path / "new", False, **kind)
    check_folder_free(tmp_path, False, **kind)
    (tmp_path / "a.json").touch()
    with pytest.raises(FileExistsError, match="is no result; name a folder that is empty"):
        check_folder_free(tmp_path, True, **kind)
    with pytest.raises(FileExistsError, match="is no result"):
        check_folder_free(tmp_path / "a.json", True, **kind)
    (tmp_path / "b.csv").touch()
    with pytest.raises(FileExistsError, match="to replace it, pass overwrite=True"):
        check_folder_free(tmp_path, False, **kind)
    check_folder_free(tmp_path, True, **kind)
