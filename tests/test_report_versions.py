"""Two versions of an embedding in a report: which they are, what changed, and what a program reads of it."""

import json

import numpy as np
import pytest

from helpers.__main__ import main
from helpers.quality import drift
from helpers.report import build
from helpers.report.requirements import check_requirements
from helpers.report.versions import VersionNames, check_versions, compare_versions, named_versions

RNG = np.random.default_rng(0)
OLD = RNG.normal(size=(240, 12)).astype(np.float32)
AGAIN, MORE = (OLD + 0.1 * RNG.normal(size=OLD.shape).astype(np.float32) for _ in range(2))
NEW = OLD + 0.1 * RNG.normal(size=OLD.shape).astype(np.float32)
MOVED = list(range(20))
NEW[MOVED] = RNG.normal(size=(20, 12))


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    spaces = {"docs-v1": OLD, "docs-v2": NEW, "docs-v1-rerun": AGAIN, "docs-v1-rerun-2": MORE}
    return build(spaces, folder=tmp_path_factory.mktemp("user") / "out")


@pytest.mark.parametrize(
    "names, told",
    [
        (["old", "new"], ("old", "new")),
        (["new", "old", "other"], ("old", "new")),
        (["after.minilm", "before.minilm"], ("before.minilm", "after.minilm")),
        (["e5-v1.5", "e5-v1"], ("e5-v1", "e5-v1.5")),
        (["current", "previous"], ("previous", "current")),
        (["bert", "roberta-v2"], None),
        (["bge-small-v1", "bge-large-v2"], None),
        (["x-v1", "x-v2", "x-v3"], None),
        (["x-v1", "x-v2", "y-old", "y-new"], None),
        (["older", "newer"], None),
        (["conv1", "conv2"], None),
    ],
)
def test_names_tell_one_pair_of_versions_or_none(names, told):
    found = named_versions(names)
    assert (found and found[:2]) == told


def test_second_runs_have_the_name_of_the_old_version():
    names = ["old", "new", "old_rerun", "old-again-2", "new rerun", "second thoughts"]
    assert named_versions(names).rerun == ("old_rerun", "old-again-2")
    assert check_versions(["a", "b", "a rerun"], ["a", "b"], None) == VersionNames("a", "b", ("a rerun",))
    assert check_versions(["a", "b", "c"], ["a", "b"], ["c"]) == VersionNames("a", "b", ("c",))
    assert check_versions(["old", "new", "c"], None, ["c"]).rerun == ("c",)
    assert check_versions(["old", "new"], [], None) is None


@pytest.mark.parametrize(
    "versions, rerun, message",
    [
        (["a", "z"], None, "versions has 'z'; the embeddings are a, b, c"),
        (["a"], None, r"versions is \['a'\]; the names of the old and of the new"),
        ("ab", None, "versions is 'ab'; the names"),
        (["a", "a"], None, "versions is"),
        (["a", "b"], ["b"], "rerun has 'b'; a second run is another embedding than the two versions: c"),
        (None, ["c"], "rerun is given without versions"),
        ([], ["c"], "rerun is given and versions is empty"),
    ],
)
def test_what_cannot_be_versions_is_refused_by_name(versions, rerun, message):
    with pytest.raises(ValueError, match=message):
        check_versions(["a", "b", "c"], versions, rerun)


def test_the_report_says_what_drift_finds_and_names_the_objects(report):
    rows = report.tables["drift_objects"]
    seed = int(np.random.default_rng(0).integers(2**31))
    found = drift(OLD, NEW, rerun=[AGAIN, MORE], map="low-rank", rng=seed)
    assert rows["id"][rows["moved"]].tolist() == found.moved and len(set(found.moved) & set(MOVED)) >= 15
    assert len(set(found.moved) - set(MOVED)) <= 5  # of which 0.05 are false on average
    assert report.tables["drift"]["value"].tolist() == found.table["value"].tolist()
    assert found.migration.conclusion() in report.sentences["drift"]
    assert report.summary[0].startswith(f"**{len(found.moved)} of 240 objects moved** from docs-v1 to docs-v2")
    assert report.sections[0].heading == "What changed between the versions"
    page = report.section("drift")._repr_html_()
    assert "Moved most" in page and "docs-v1-rerun" in page and "Their names tell" in page
    circles = report.figure("drift").axes[0].collections[1].get_offsets()
    assert len(circles) == len(found.moved)


def test_programs_read_it_from_the_folder(report):
    result = json.loads((report.folder / "report.json").read_text())["result"]
    about = result["drift"]
    assert (
        about["old"] == "docs-v1" and about["rerun"] == ["docs-v1-rerun", "docs-v1-rerun-2"] and about["told_by_names"]
    )
    assert about["moved"] == report.tables["drift_objects"]["moved"].sum() and about["null"] == "rerun"
    assert len(result["tables"]["drift_objects"]) == 240
    assert about["search_kept_by_a_map"]["overlap"] == report.tables["drift_map"].loc["low-rank", "overlap"]
    assert (report.folder / "tables" / "drift_map.csv").is_file()


def test_a_pipeline_may_require_that_nothing_moved(report):
    (moved,) = check_requirements(report, ["nothing-moved"])
    assert not moved.met and moved.reason.startswith(str(report.tables["drift_objects"]["moved"].sum()))
    for one, met in (({"old": OLD, "new": OLD, "old again": AGAIN}, True), ({"x": OLD, "y": NEW}, False)):
        (nothing,) = check_requirements(build(one, n_objects=60), ["nothing-moved"])
        assert nothing.met == met


def test_few_objects_have_no_map_and_zero_rows_and_the_rest_of_many_are_counted():
    few = {"a": OLD[:60].copy(), "b": NEW[:60]}
    few["a"][3] = 0
    found = compare_versions(few, VersionNames("a", "b"), n_objects=55)
    assert found["left_out"]["not drawn"] == 5 and found["left_out"]["zero"] in (0, 1)
    assert not len(found["map"]) and found["numbers"]["null"] == "common"
    assert len(found["objects"]) == 55 - found["left_out"]["zero"]
    least = {name: x[:49] for name, x in few.items()}
    with pytest.raises(ValueError, match="versions 'a' and 'b': 48 objects have a direction in both"):
        compare_versions(least, VersionNames("a", "b"))
    assert "at least 50" in compare_versions(least, VersionNames("a", "b", (), True))["why"]


def test_versions_that_names_tell_and_that_are_too_few_are_told_on_the_page():
    report = build({"old": OLD[:40], "new": NEW[:40]}, n_objects=40)
    assert "were not compared**: 40 objects" in report.summary[0] and report.result["drift"]["not_compared"]
    assert "were not compared" in report.section("drift")._repr_html_()
    with pytest.raises(KeyError, match="no figure 'drift'"):
        report.figure("drift")
    assert build({"old": OLD[:40], "new": NEW[:40]}, versions=()).versions is None


def test_the_command_takes_names_of_versions_and_of_second_runs(tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    for name, x in {"one": OLD, "two": NEW, "three": AGAIN, "four": MORE}.items():
        np.save(tmp_path / "mine" / f"{name}.npy", x)
    given = ["report", str(tmp_path / "mine"), "--versions", "one", "two", "--rerun", "three", "--rerun", "four"]
    assert main([*given, "--sample", "80", "-o", str(tmp_path / "out")]) == 0
    assert "what changed between versions" in capsys.readouterr().out
    about = json.loads((tmp_path / "out" / "report.json").read_text())["result"]["drift"]
    assert about["null"] == "rerun" and not about["told_by_names"] and about["moved"] >= 15
