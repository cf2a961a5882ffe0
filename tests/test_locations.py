"""Where files are looked for, in a checkout and without one."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from helpers import locations

SAY = "from helpers.locations import DATA, ROOT; print(ROOT, DATA)"


def test_a_checkout_has_its_data():
    assert locations.ROOT == Path(__file__).parents[1] and (locations.DATA / "results").is_dir()


def test_an_installed_package_takes_nothing_beside_itself_for_the_book(tmp_path):
    (tmp_path / "site" / "helpers").mkdir(parents=True)
    (tmp_path / "site" / "data").mkdir()
    (tmp_path / "site" / "helpers" / "__init__.py").touch()
    shutil.copy(locations.__file__, tmp_path / "site" / "helpers")
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "site"), "XDG_DATA_HOME": str(tmp_path / "xdg")}
    command = [sys.executable, "-c", SAY]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["None", str(tmp_path / "xdg" / "comparing-representations")], done.stderr


def test_data_sets_are_read_from_a_folder_that_has_them(tmp_path, monkeypatch):
    (tmp_path / "owner" / "name").mkdir(parents=True)
    monkeypatch.setenv("BOOK_DATA", str(tmp_path))
    assert locations.resolve("owner/name") == str(tmp_path / "owner" / "name")
    assert locations.resolve("owner/other") == "owner/other"
