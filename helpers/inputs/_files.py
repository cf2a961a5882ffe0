"""Where the files of one reading lie, and the work folder of what is converted."""

from __future__ import annotations

import csv
import errno
import hashlib
import json
import lzma
import os
import re
import shutil
import tempfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from helpers.errors import NoRoomError
from helpers.inputs._leftovers import UnreadableError
from helpers.inputs.formats import SUFFIXES, endings
from helpers.locations import cache_folder

WRITTEN = ("report.json", "ensemble.json")  # in folders that this package wrote
SAVED = 1  # of the converted arrays; part of every key


@dataclass(frozen=True, eq=False)
class Part:
    """A representation, or a column of values, as its file holds it."""

    name: str
    file: str
    array: np.ndarray
    ids: np.ndarray | None
    stored: str = ""
    columns: Sequence[str] | None = None
    path: Path | None = None
    key: str = ""
    note: str = ""  # on how it was read
    features: np.ndarray | None = None  # the columns of the array that count; None: all

    @property
    def named(self) -> bool:
        """Whether the columns have names in their file."""
        return self.key.startswith("numbers ")

    def column(self, index: int) -> str:
        """A column as messages name it."""
        return repr(self.columns[index]) if self.columns else str(index)

    def narrowed(self, features: np.ndarray) -> Part:
        """These columns alone."""
        names = [self.columns[at] if self.columns else str(at) for at in features]
        return replace(self, features=features, columns=names)


class Candidate(NamedTuple):
    """A representation that has not been opened yet."""

    name: str
    path: Path | None
    open: Callable[[], Part]


class Place(NamedTuple):
    """The folder and the files of the source, and where the ids are."""

    base: Path
    files: list[Path]
    single: bool
    by_position: bool = False
    id_name: str | None = None  # the column of ids; None: one called id or ids
    id_file: Path | None = None  # ids of arrays that have none
    id_column: str | None = None  # in that file
    searched: bool = False  # the files are those of a folder, not asked for one by one
    links: tuple[Path, ...] = ()  # in that folder, to what is no file; pipes and sockets

    @classmethod
    def of(cls, source: Any, ids: str | None) -> Place:
        if isinstance(source, Mapping):
            place = cls(Path().absolute(), [], False)
        elif isinstance(source, (str, os.PathLike)):
            path = Path(source).expanduser().absolute()
            if path.is_dir():
                own = {marker.parent for name in WRITTEN for marker in path.rglob(name)} - {path}
                found = [p for p in path.rglob("*") if not _hidden(p.relative_to(path)) and own.isdisjoint(p.parents)]
                files = [p for p in found if p.is_file()]
                links = tuple(p for p in found if not p.is_file() and (p.is_symlink() or not p.is_dir()))
                files.sort(key=lambda p: natural(str(p.with_suffix(""))))
                place = cls(path, files, False, searched=True, links=links)
            elif path.is_file():
                place = cls(path.parent, [path], True)
            else:
                raise FileNotFoundError(f"source is {str(source)!r}; there is no such file or folder")
        elif isinstance(source, Sequence) and all(isinstance(p, (str, os.PathLike)) for p in source) and source:
            files = [Path(p).expanduser().absolute() for p in source]
            for path in files:
                if not path.is_file():
                    raise FileNotFoundError(f"source lists {str(path)!r}; there is no such file")
            place = cls(Path(os.path.commonpath([p.parent for p in files])), files, False)
        else:
            raise TypeError(
                f"source is a {type(source).__name__}; a folder, a file, a list of files, or a mapping from names to "
                "arrays is needed"
            )
        if ids is not None and not isinstance(ids, str):
            raise TypeError(f"ids is a {type(ids).__name__}; the name of a column or of a file is needed")
        path, column = place.find(ids, "ids") if ids else (None, None)
        name = column if path is None else None
        return place._replace(by_position=ids == "", id_name=name, id_file=path, id_column=column)

    def find(self, spec: Any, role: str) -> tuple[Path | None, str | None]:
        """``"file"``, ``"file:column"`` or ``"column"`` as a file (None: those of the source) and a column."""
        spec = os.fspath(spec)
        path, _, column = spec.rpartition(":")
        for file, name in ((spec, None), (path, column)):
            for folder in (self.base, Path()):
                if file and (folder / file).is_file():
                    return (folder / file).absolute(), name
        if endings(path or spec)[1] in SUFFIXES:
            raise FileNotFoundError(f"{role} is {spec!r}; there is no such file in {self.base} or {Path().absolute()}")
        return None, spec

    def file(self, spec: Any, role: str) -> Path:
        """A file without a column."""
        path, column = self.find(spec, role)
        if path is None or column is not None:
            raise FileNotFoundError(f"{role} is {os.fspath(spec)!r}; there is no such file in {self.base} or here")
        return path

    def shown(self, path: Path) -> str:
        """A file as messages name it."""
        return str(path.relative_to(self.base)) if path.is_relative_to(self.base) else str(path)


def _hidden(path: Path) -> bool:
    """Whether a file is none of the user's."""
    return any(part.startswith((".", "__")) for part in path.parts)


def natural(text: str) -> list:
    """Key that sorts "layer 2" before "layer 10"."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", text)]


class Role(NamedTuple):
    """What a column is for besides being a feature, which it therefore is nowhere."""

    name: str  # of the parameter
    column: str
    path: Path | None = None  # where it is read; None: in every file that has it


class Roles(NamedTuple):
    """The columns and files that are for something else, in whatever file such a column is."""

    columns: Sequence[Role] = ()
    files: frozenset[Path] = frozenset()  # nothing else is read of them
    encoded: bool = False  # whether texts are
    features: Mapping[str, Sequence[str]] = {}  # of a representation by its name: the columns of its table

    def of(self, column: str) -> Role | None:
        """What a column of this name is for."""
        return next((role for role in self.columns if same_name(role.column) == same_name(column)), None)

    def given_by(self, path: Path) -> list[Role]:
        """What a file gives."""
        return [role for role in self.columns if role.path == path]

    def beside(self, path: Path, names: Iterable[str]) -> bool:
        """Whether the columns of a file, or the file by name, hold texts that are to be encoded."""
        texts = [role for role in self.columns if role.name == "text"] if self.encoded else []
        return any(role.path == path or role.path is None and role.column in names for role in texts)


def same_name(name: str) -> str:
    """What two names have in common that a reader takes for one."""
    return unicodedata.normalize("NFKC", name).strip().casefold()


class ConversionCache:
    """The work folder, where what was converted of a file lies until the file changes."""

    def __init__(self, work: Any, progress: bool):
        self.work, self.progress = work, progress

    def holds(self, path: Path) -> bool:
        """Whether a file lies in the work folder."""
        return self.work is not None and path.is_relative_to(Path(self.work).expanduser().absolute())

    def folder(self, path: Path) -> Path:
        """The folder of one file; emptied when the file is another than before."""
        if self.work is None:
            self.work = cache_folder("inputs")
        states = [(file.name, file.stat()) for file in getattr(path, "members", ()) or (path,)]
        path = path.resolve()
        stamp = json.dumps([SAVED, str(path), *((name, at.st_size, at.st_mtime_ns) for name, at in states)])
        stem = path.stem.encode("utf-8", "surrogateescape")[:120].decode(
            errors="ignore"
        )  # names have 255 bytes at most
        folder = Path(self.work).expanduser() / f"{stem}-{sha(str(path))[:12]}"
        if folder.exists() and (not (folder / "stamp").exists() or (folder / "stamp").read_text() != stamp):
            shutil.rmtree(folder)
        if not folder.exists():
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "stamp").write_text(stamp)
        return folder

    def streamed(
        self, path: Path, keys: Sequence[str], blocks: Callable[[], Iterator[Sequence[np.ndarray]]], rows: int | None
    ) -> list[np.ndarray]:
        """Matrices that arrive in blocks of rows, one for each key, as memory maps; written once."""
        from tqdm import tqdm

        folder = self.folder(path)
        targets = [folder / f"{sha(key)[:24]}.npy" for key in keys]
        if not all(target.exists() for target in targets):
            drafts = [tempfile.NamedTemporaryFile(dir=folder, suffix=".draft", delete=False) for _ in targets]
            try:
                with (
                    _room_for(folder, path.name),
                    tqdm(total=rows, desc=path.name, unit="row", delay=1, disable=not self.progress) as bar,
                ):
                    _fill(drafts, blocks(), path.name, bar.update)
                for draft, target in zip(drafts, targets, strict=True):
                    os.replace(draft.name, target)
            finally:
                for draft in drafts:
                    with suppress(OSError):  # what is left in a buffer finds no room either
                        draft.close()
                    Path(draft.name).unlink(missing_ok=True)
        return [np.load(target, mmap_mode="r") for target in targets]


def _fill(drafts: Sequence[Any], blocks: Iterable[Sequence[np.ndarray]], file: str, done: Callable[[int], Any]) -> None:
    """Write blocks of rows to .npy files, one for each matrix, and close them."""
    count, kinds = 0, None
    for group in blocks:
        if kinds is None:
            kinds = [(block.dtype, block.shape[1:]) for block in group]
            for draft, kind in zip(drafts, kinds, strict=True):
                write_header(draft, 0, *kind)
        for draft, block in zip(drafts, group, strict=True):
            draft.write(np.ascontiguousarray(block).data)
        count += len(group[0])
        done(len(group[0]))
    if kinds is None:
        raise UnreadableError(f"{file} has no rows")
    for draft, kind in zip(drafts, kinds, strict=True):
        draft.seek(0)
        write_header(draft, count, *kind)
        draft.close()


@contextmanager
def _room_for(folder: Path, file: str) -> Iterator[None]:
    """A full disk, told with what it was for."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        free = shutil.disk_usage(folder).free
        raise NoRoomError(
            error.errno,
            f"{file} is converted in {folder}, "
            + ("where files may not be so large" if error.errno == errno.EFBIG else "whose disk is full")
            + f" ({free / 1e9:.3g} GB are free); free some, or pass another folder as work",
        ) from error


def write_header(file: Any, rows: int, dtype: np.dtype, rest: tuple[int, ...]) -> None:
    """Header of a .npy file that can be written again with another number of rows."""
    # NumPy leaves room for 21 digits of rows, so that the header can be written again with their final number.
    description = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": (rows, *rest)}
    np.lib.format.write_array_header_1_0(file, description)


def sha(text: str) -> str:
    """SHA-256 of a text."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


@contextmanager
def reading(file: str) -> Iterator[None]:
    """Errors of the libraries that read files, named by the file."""
    import pyarrow as pa
    from safetensors import SafetensorError

    try:
        yield
    except UnicodeDecodeError as error:
        raise UnreadableError(
            f"{file} is not UTF-8 text ({error.reason} at byte {error.start}); save it as UTF-8"
        ) from error
    except (
        *(pa.ArrowException, SafetensorError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, csv.Error),
        *(EOFError, OSError),
    ) as error:
        if isinstance(error, OSError) and error.errno is not None:  # of the system, not of Parquet
            raise
        raise UnreadableError(f"{file} cannot be read, it is damaged or no {Path(file).suffix}: {error}") from error


def real_dtype(dtype: np.dtype) -> np.dtype:
    """The floating-point type in which entries of this type are exact."""
    small = dtype.kind == "f" and dtype.itemsize <= 4 or dtype.kind in "iu" and dtype.itemsize <= 2 or dtype.kind == "b"
    return np.dtype(np.float32 if small else np.float64)


def bounds(rows: int, width: int) -> Iterable[tuple[int, int]]:
    """Blocks of about 2 MB in float64."""
    step = max(1, (1 << 18) // width)
    return ((start, min(start + step, rows)) for start in range(0, rows, step))


def short(text: str) -> str:
    """The text in quotes, cut if it is long."""
    return repr(text if len(text) <= 40 else f"{text[:37]}...")
