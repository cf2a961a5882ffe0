"""Files inside packages, read without unpacking anything: Debian packages, wheels, zip and tar archives."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import os
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from helpers.locations import expand

__all__ = ["archive_members", "sha256_of_file"]

#: Bytes of the largest member that is read: what is larger is no text.
LARGEST = 200_000_000
_DAMAGED = (EOFError, OSError, lzma.LZMAError, zlib.error, tarfile.TarError, zipfile.BadZipFile)


def archive_members(
    path: str | os.PathLike[str], wanted: Callable[[str], bool] = lambda name: True
) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the regular files of an archive, in the order of their names.

    Parameters
    ----------
    path
        A Debian package (``.deb``), a wheel or ``.zip``, or a ``.tar`` that may be compressed (``.gz``, ``.bz2``,
        ``.xz``, ``.zst``). Links and devices do not count.
    wanted
        Says of a name whether its content is read.

    Yields
    ------
    tuple of str and bytes
        Name, with ``/`` between folders and without ``./`` in front, and content.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is no archive of these kinds, is truncated or damaged, or a member, wanted or not, points outside
        the folder into which the archive would be unpacked; the message names file and member.
    ImportError
        If the archive is compressed by Zstandard and nothing here reads that.

    Examples
    --------
    >>> import tempfile, zipfile
    >>> path = Path(tempfile.mkdtemp()) / "guide.zip"
    >>> with zipfile.ZipFile(path, "w") as archive:
    ...     archive.writestr("ru/page.html", "<p>Страница</p>")
    >>> [(name, data.decode()) for name, data in archive_members(path)]
    [('ru/page.html', '<p>Страница</p>')]
    """
    path = Path(expand(path))
    if not path.is_file():
        raise FileNotFoundError(f"there is no archive {path}")
    try:
        if path.suffix in (".whl", ".zip"):
            found = list(_zipped(path, wanted))
        else:
            found = list(_tarred(path, wanted))
    except _DAMAGED as error:
        raise ValueError(f"{path} is truncated or damaged: {error or type(error).__name__}") from error
    yield from sorted(found)


def sha256_of_file(path: str | os.PathLike[str]) -> str:
    """The SHA-256 of a file, as 64 hexadecimal digits."""
    found = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            found.update(block)
    return found.hexdigest()


def _zipped(path: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            name = _inside(info.filename, path)
            if not info.is_dir() and info.file_size <= LARGEST and wanted(name):
                yield name, archive.read(info)


def _tarred(path: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    if path.suffix == ".deb":
        inner = next(((name, data) for name, data in _ar(path) if name.startswith("data.tar")), None)
        if inner is None:
            raise ValueError(f"{path} is truncated, or no Debian package: it has no member data.tar")
        stream = io.BytesIO(_unpacked(inner[1], inner[0]))
    elif ".tar" in path.suffixes or path.suffix == ".tgz":
        stream = io.BytesIO(_unpacked(path.read_bytes(), path.name))
    else:
        raise ValueError(f"{path} is no archive that can be read; it ends with .deb, .whl, .zip, .tar or .tar.*")
    end = len(stream.getvalue())
    with tarfile.open(fileobj=stream, mode="r:") as archive:
        for member in archive:
            name = _inside(member.name, path)
            if member.isreg() and member.offset_data + member.size > end:
                raise ValueError(f"{path} is truncated: member {name!r} ends beyond the archive")
            if member.isreg() and member.size <= LARGEST and wanted(name):
                yield name, archive.extractfile(member).read()


def _inside(name: str, path: Path) -> str:
    """A member's name without ``./``, if it stays in the folder of the archive."""
    plain = PurePosixPath(name.replace("\\", "/"))
    if plain.is_absolute() or ".." in plain.parts or (plain.parts and ":" in plain.parts[0][1:2]):
        raise ValueError(f"{path}: member {name!r} points outside the folder of the archive")
    return plain.as_posix()


def _ar(path: Path) -> Iterator[tuple[str, bytes]]:
    """Members of an ar archive: 60 bytes of header each, contents padded to an even length."""
    with path.open("rb") as file:
        if file.read(8) != b"!<arch>\n":
            raise ValueError(f"{path} is no Debian package: it does not begin with '!<arch>'")
        while header := file.read(60):
            place = file.tell() - len(header)
            if len(header) < 60:
                raise ValueError(f"{path} is truncated: {len(header)} of 60 bytes of a header at byte {place}")
            size = header[48:58].strip()
            if header[58:] != b"`\n" or not size.isdigit():
                raise ValueError(f"{path} is damaged: no header of a member at byte {place}")
            data = file.read(int(size))
            file.read(int(size) % 2)
            if len(data) < int(size):
                raise ValueError(f"{path} is truncated: a member has {len(data)} of {int(size)} bytes")
            yield header[:16].decode("ascii", "replace").strip().rstrip("/"), data


def _unpacked(data: bytes, name: str) -> bytes:
    """Content that is compressed as the ending of its name says."""
    if name.endswith((".xz", ".lzma")):
        return lzma.decompress(data)
    if name.endswith((".gz", ".tgz")):
        return gzip.decompress(data)
    if name.endswith(".bz2"):
        return bz2.decompress(data)
    if name.endswith(".zst"):
        return _zstandard(data, name)
    return data


def _zstandard(data: bytes, name: str) -> bytes:
    try:
        from compression import zstd  # from Python 3.14 on
    except ImportError:
        try:
            import zstandard
        except ImportError as error:
            raise ImportError(f"{name} needs Python 3.14 or the package zstandard; Debian itself uses xz") from error
        return zstandard.ZstdDecompressor().stream_reader(data).read()
    return zstd.decompress(data)
