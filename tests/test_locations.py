"""Where files are looked for, in a checkout and without one."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

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
