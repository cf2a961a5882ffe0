"""A folder of a report is the own one or is not touched."""

import json

import numpy as np
import pytest

from helpers.report import build
from helpers.report.folder import prepare


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_report_is_replaced_only_by_a_finished_one(tmp_path):
    x = np.random.default_rng(0).normal(size=(60, 4))
    mine, out = {"x": x, "turned": x[:, ::-1]}, tmp_path / "out"
    build(mine, labels=np.arange(60) % 2, folder=out, folds=3)
    (out / "notes.txt").write_text("mine")
    before = contents(out)
    for wrong in ({"labels": np.zeros(60)}, {"labels": np.arange(60) % 2, "folds": 2}, {"same_model": ["x", "y"]}):
        with pytest.raises(ValueError):
            build(mine, folder=out, overwrite=True, **wrong)
        assert contents(out) == before

    def interrupt(step):
        if step.step == "scores":
            raise KeyboardInterrupt

    other = {"labels": np.arange(60) % 3, "folder": out, "folds": 3}
    with pytest.raises(KeyboardInterrupt):
        build(mine, **other, overwrite=True, progress=interrupt)
    put_aside = contents(out / ".replaced")
    assert put_aside == {path: data for path, data in before.items() if path.name != "notes.txt"}
    kept = []
    build(mine, **other, progress=lambda step: kept.append(step.state))
    assert "kept" in kept and not (out / ".replaced").exists() and (out / "notes.txt").exists()
    assert json.loads((out / "report.json").read_text())["finished"]


def test_the_folder_is_refused_unless_it_is_empty_or_its_own_unfinished(tmp_path):
    out = prepare(tmp_path / "new", {"source": "a"})
    kept = out / ".steps" / "a step" / "value.json"
    kept.parent.mkdir()
    kept.touch()
    assert prepare(out, {"source": "a"}) == out and kept.exists()
    with pytest.raises(FileExistsError, match="unfinished report of another call.*overwrite=True"):
        prepare(out, {"source": "b"})
    prepare(out, {"source": "b"}, overwrite=True)
    assert not kept.exists()
    assert prepare(out, {"source": "c"}) == out, "nothing was kept of b"
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.tex").touch()
    with pytest.raises(FileExistsError, match="other files"):
        prepare(other, {})
    prepare(other, {}, overwrite=True)
    assert (other / "thesis.tex").exists()
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError, match="is a file"):
        prepare(tmp_path / "file", {})
    with pytest.raises(ValueError, match="cannot be written to"):
        prepare(tmp_path / "file" / "below", {})
