"""What a report shows and leaves behind."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
from report_data import LEFT


def test_a_notebook_shows_the_same_sections_as_the_page(built):
    report = built[0]
    shown = report._repr_html_()
    for section in report.sections:
        assert report.section(section.name)._repr_html_().removesuffix("</div>").split(">", 1)[1] in shown
        assert section.heading in shown
    with pytest.raises(KeyError, match="no section 'nothing'; there are .*'input'"):
        report.section("nothing")
    said = repr(report)
    assert "**" not in said and "dice and turned can go" in said and max(map(len, said.splitlines())) <= 88


def test_a_saved_report_holds_everything_and_is_not_overwritten(built, tmp_path):
    report = built[0]
    page = report.save(tmp_path / "out")
    assert page == tmp_path / "out" / "index.html" and {path.name for path in page.parent.iterdir()} == LEFT
    assert np.array_equal(np.load(tmp_path / "out" / "combined.npy"), report.combined)
    read_csv = partial(pd.read_csv, float_precision="round_trip")
    tables = {path.stem: read_csv(path) for path in (tmp_path / "out" / "tables").iterdir()}
    assert {name for name, table in report.tables.items() if len(table)} == set(tables)
    assert np.array_equal(tables["gains"]["gain"], report.tables["gains"]["gain"])
    with pytest.raises(FileExistsError, match="finished report.*overwrite=True"):
        report.save(tmp_path / "out")
    report.save(tmp_path / "out", overwrite=True)
