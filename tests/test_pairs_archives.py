"""Archives are read without unpacking, and refused in words where they are not whole."""

import gzip
import hashlib
import io
import lzma
import shutil
import subprocess
import tarfile
import zipfile

import pytest
from pair_packages import ar_of, deb_of, tar_of

from helpers.pairs.archives import archive_members, sha256_of_file

FILES = {"./usr/share/doc/b.txt": "вторая".encode(), "./usr/share/doc/a.txt": b"first, of odd length."}
PLAIN = [("usr/share/doc/a.txt", b"first, of odd length."), ("usr/share/doc/b.txt", "вторая".encode())]


@pytest.mark.parametrize("pack, ending", [(lzma.compress, ".xz"), (gzip.compress, ".gz"), (bytes, "")])
def test_a_debian_package_gives_its_files_in_the_order_of_their_names(tmp_path, pack, ending):
    path = tmp_path / "guide_1_all.deb"
    path.write_bytes(deb_of(FILES, pack, ending))
    assert list(archive_members(path)) == PLAIN
    assert list(archive_members(path, lambda name: name.endswith("b.txt"))) == PLAIN[1:]


@pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="dpkg-deb is not installed here")
def test_dpkg_reads_the_same_out_of_the_packages_that_tests_write(tmp_path):
    path = tmp_path / "guide_1_all.deb"
    path.write_bytes(deb_of(FILES))
    data = subprocess.run(["dpkg-deb", "--fsys-tarfile", path], capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        found = [(m.name.removeprefix("./"), archive.extractfile(m).read()) for m in archive if m.isreg()]
    assert sorted(found) == PLAIN


def test_wheels_and_tar_archives_are_read_too(tmp_path):
    with zipfile.ZipFile(tmp_path / "guide.whl", "w") as archive:
        for name, content in FILES.items():
            archive.writestr(name, content)
    (tmp_path / "guide.tar.gz").write_bytes(gzip.compress(tar_of(FILES)))
    for name in ("guide.whl", "guide.tar.gz"):
        assert list(archive_members(tmp_path / name)) == PLAIN


@pytest.mark.parametrize("cut", [4, 30, 100, -40, -1])
def test_a_truncated_package_is_refused_wherever_it_ends(tmp_path, cut):
    path = tmp_path / "guide_1_all.deb"
    path.write_bytes(deb_of({"./a.txt": bytes(range(256)) * 20, "./b.txt": b"x"})[:cut])
    with pytest.raises(ValueError, match=r"guide_1_all\.deb .*(truncated|no Debian package)"):
        list(archive_members(path))


def test_damage_inside_is_refused(tmp_path):
    path = tmp_path / "guide_1_all.deb"
    whole = bytearray(deb_of(FILES))
    whole[-30] ^= 0xFF
    path.write_bytes(whole)
    with pytest.raises(ValueError, match="truncated or damaged"):
        list(archive_members(path))
    path.write_bytes(ar_of({"debian-binary": b"2.0\n"}))
    with pytest.raises(ValueError, match="no member data.tar"):
        list(archive_members(path))
    inner = tar_of({"./a.txt": b"x" * 2000})[:1000]
    path.write_bytes(ar_of({"data.tar": inner}))
    with pytest.raises(ValueError, match="truncated"):
        list(archive_members(path))


@pytest.mark.parametrize("name", ["../evil.txt", "/etc/passwd", "a/../../evil.txt", "c:/evil.txt"])
def test_a_member_that_points_outside_is_refused_even_if_it_is_not_wanted(tmp_path, name):
    path = tmp_path / "guide_1_all.deb"
    path.write_bytes(deb_of({name: b"x", "./a.txt": b"y"}))
    with pytest.raises(ValueError, match="points outside the folder"):
        list(archive_members(path, lambda other: other == "a.txt"))
    with zipfile.ZipFile(tmp_path / "guide.zip", "w") as archive:
        archive.writestr(name, b"x")
    with pytest.raises(ValueError, match="points outside the folder"):
        list(archive_members(tmp_path / "guide.zip"))


def test_links_are_no_files_and_what_is_no_archive_is_refused(tmp_path):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        link = tarfile.TarInfo("./link.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    (tmp_path / "links.tar").write_bytes(stream.getvalue())
    assert list(archive_members(tmp_path / "links.tar")) == []
    (tmp_path / "page.html").write_text("<p>")
    with pytest.raises(ValueError, match="no archive that can be read"):
        list(archive_members(tmp_path / "page.html"))
    with pytest.raises(FileNotFoundError, match="there is no archive"):
        list(archive_members(tmp_path / "absent.deb"))


def test_the_digest_of_a_file_is_that_of_its_bytes(tmp_path):
    (tmp_path / "a").write_bytes(b"abc" * 500_000)
    assert sha256_of_file(tmp_path / "a") == hashlib.sha256(b"abc" * 500_000).hexdigest()
