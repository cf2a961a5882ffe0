"""The table of sources, and packages that are found in a folder or refused."""

import re
import sys
import zipfile

import pytest
from pair_packages import write_deb

from helpers.pairs import HEURISTICS, LIGHT, SOURCES, Package, fetch_packages, package_files, packages, sources_table
from helpers.pairs.archives import sha256_of_file
from helpers.pairs.readers import READERS


def test_every_source_names_a_reader_known_kinds_a_licence_and_digests():
    assert set(LIGHT) < set(SOURCES)
    for source in SOURCES.values():
        assert source.reader in READERS and set(source.kinds) <= set(HEURISTICS) and source.licence
        for package in source.packages:
            assert re.fullmatch("[0-9a-f]{64}", package.sha256) if package.client else not package.sha256


def test_the_table_has_a_row_for_each_package():
    table = sources_table()
    assert len(table) == sum(len(source.packages) for source in SOURCES.values())
    assert table.loc[table["ship"], "licence"].str.contains("CC-BY-SA|MPL").all()
    with pytest.raises(ValueError, match="no source 'nothing'; there are wiktionary, mythes"):
        sources_table(["mythes", "nothing"])
    with pytest.raises(ValueError, match="sources is empty"):
        sources_table([])


@pytest.mark.parametrize(
    "package, file, version",
    [
        (Package("guide-ru", "1:2.0-1", "x"), "guide-ru_1%3a2.0-1_all.deb", "1:2.0-1"),
        (Package("guide-ru", "1", "x"), "guide-ru_2_amd64.deb", "2"),
        (Package("guide", "1", "x"), "guide-ru_2_amd64.deb", None),
        (Package("wiki-ru", "1.0", "x", client="pip"), "wiki_ru-1.0.tar.gz", "1.0"),
        (Package("wiki-ru", "1.0", "x", client="pip"), "wiki_ru-1.1-py3-none-any.whl", "1.1"),
        (Package("Translation-ru", "", "", client=""), "Translation-ru", ""),
        (Package("Translation-ru", "", "", client=""), "Translation-ru.bz2", None),
    ],
)
def test_the_version_stands_in_the_name_of_a_file(package, file, version):
    assert package.version_of(file) == version


@pytest.fixture
def folder(tmp_path):
    path = write_deb(tmp_path, "guide-ru", "1:2.0-1", {"a.txt": "текст"})
    return tmp_path, Package("guide-ru", "1:2.0-1", sha256_of_file(path)), path


def test_a_package_with_its_version_and_digest_is_found(folder):
    place, package, path = folder
    assert package_files(place, [package]) == {"guide-ru": path}


def test_another_version_is_refused_unless_any_is_asked_for(folder):
    place, package, path = folder
    newer = Package("guide-ru", "3", package.sha256)
    with pytest.raises(ValueError, match="has guide-ru in version 1:2.0-1, the table names 3"):
        package_files(place, [newer])
    assert package_files(place, [newer], versions="any") == {"guide-ru": path}
    write_deb(place, "guide-ru", "3", {"a.txt": "другой"})
    with pytest.raises(ValueError, match="several files of guide-ru"):
        package_files(place, [package], versions="any")
    assert package_files(place, [package]) == {"guide-ru": path}
    with pytest.raises(ValueError, match="versions is 'new'"):
        package_files(place, [package], versions="new")


def test_another_digest_is_refused(folder):
    place, package, path = folder
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(ValueError, match=f"has SHA-256 {sha256_of_file(path)}, the table names {package.sha256}"):
        package_files(place, [package])


def test_all_missing_packages_are_named(folder):
    place, package, _ = folder
    absent = [Package("one", "1", "x"), package, Package("two", "2", "x", client="pip")]
    with pytest.raises(FileNotFoundError, match="lacks one 1, two 2; put the files there"):
        package_files(place, absent)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        package_files(place / "nowhere", [package])


def source_of(package):
    return packages.TextSource("guide", (package,), "MPL-2.0", "thesaurus", ("synonym",))


def test_what_lies_there_is_not_fetched_and_the_rest_comes_by_the_client_whole(tmp_path, monkeypatch):
    """The Python that runs stands in for the client: it writes the file that an index would send."""
    made = tmp_path / "index" / "guide-1.0-py3-none-any.whl"
    made.parent.mkdir()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("words.dat", "UTF-8\n")
    package = Package("guide", "1.0", sha256_of_file(made), client="pip")
    monkeypatch.setitem(SOURCES, "guide", source_of(package))
    runs = []

    def download(command, cwd, **_):
        runs.append(command)
        assert command[:5] == [sys.executable, "-m", "pip", "download", "--no-deps"] and command[-1] == "guide==1.0"
        (cwd if hasattr(cwd, "joinpath") else type(made)(cwd)).joinpath(made.name).write_bytes(made.read_bytes())
        return type("Done", (), {"returncode": 0, "stderr": "", "stdout": ""})()

    monkeypatch.setattr(packages.subprocess, "run", download)
    said = []
    for _ in range(2):
        assert fetch_packages(tmp_path / "kept", "guide", say=said.append) == [tmp_path / "kept" / made.name]
    assert len(runs) == 1 and said == ["guide 1.0"]
    assert [path.name for path in (tmp_path / "kept").iterdir()] == [made.name]


def test_a_file_with_a_wrong_digest_is_not_kept(tmp_path, monkeypatch):
    package = Package("guide", "1.0", "0" * 64, client="pip")
    monkeypatch.setitem(SOURCES, "guide", source_of(package))

    def download(command, cwd, **_):
        type(tmp_path)(cwd).joinpath("guide-1.0.tar.gz").write_bytes(b"something else")
        return type("Done", (), {"returncode": 0, "stderr": "", "stdout": ""})()

    monkeypatch.setattr(packages.subprocess, "run", download)
    with pytest.raises(ValueError, match="the table names 0000"):
        fetch_packages(tmp_path / "kept", "guide")
    assert list((tmp_path / "kept").iterdir()) == []


def test_without_a_client_it_is_said_which_file_is_needed(tmp_path, monkeypatch):
    monkeypatch.setitem(SOURCES, "guide", source_of(Package("guide", "1.0", "0" * 64)))
    monkeypatch.setattr(packages.shutil, "which", lambda name: None)
    with pytest.raises(OSError, match="no client here that fetches guide; put its file .version 1.0. into"):
        fetch_packages(tmp_path, "guide")
    monkeypatch.setattr(packages.shutil, "which", lambda name: "/usr/bin/apt-get")
    done = type("Done", (), {"returncode": 100, "stderr": "E: Unable to locate package guide", "stdout": ""})()
    monkeypatch.setattr(packages.subprocess, "run", lambda *_, **__: done)
    with pytest.raises(OSError, match="guide 1.0 cannot be fetched: E: Unable to locate"):
        fetch_packages(tmp_path, "guide")
