"""A folder of a report is the own one or is not touched."""

import pytest

from helpers.report.folder import prepare


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
