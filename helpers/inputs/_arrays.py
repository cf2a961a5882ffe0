"""Matrices in .npy, .npz and .safetensors files, mapped where they lie if that can be."""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from helpers.inputs._files import ConversionCache, bounds, real_dtype
from helpers.inputs._leftovers import UnreadableError


class Stored(NamedTuple):
    """Where the entries of an array lie."""

    path: Path
    offset: int
    shape: tuple[int, ...]
    dtype: np.dtype
    fortran: bool = False
    kind: str = ""  # "bfloat16" where ``dtype`` only holds its bits
    member: str = ""  # of a zip archive, if it is compressed

    def mapped(self) -> np.ndarray:
        order = "F" if self.fortran else "C"
        return np.memmap(self.path, self.dtype, "r", self.offset, self.shape, order)

    @property
    def end(self) -> int:
        return self.offset + int(np.prod(self.shape, dtype=object)) * self.dtype.itemsize


def stored_in(path: Path, file: str) -> dict[str, Stored]:
    """The arrays of a file by name."""
    found = {".npy": _in_npy, ".npz": _in_npz, ".safetensors": _in_safetensors}[path.suffix.lower()](path, file)
    if not found:
        raise UnreadableError(f"{file} holds no array")
    return found


def _in_npy(path: Path, file: str) -> dict[str, Stored]:
    with path.open("rb") as stream:
        shape, fortran, dtype = _npy_header(stream, file)
        stored = Stored(path, stream.tell(), shape, dtype, fortran)
    _check_length(stored, path.stat().st_size, file)
    return {path.stem: stored}


def _in_npz(path: Path, file: str) -> dict[str, Stored]:
    out = {}
    with zipfile.ZipFile(path) as archive, path.open("rb") as raw:
        for info in archive.infolist():
            if info.is_dir() or not info.filename.endswith(".npy"):
                continue
            name = info.filename.removesuffix(".npy")
            with archive.open(info) as stream:
                shape, fortran, dtype = _npy_header(stream, f"{file}, array {name!r}")
                header = stream.tell()
            raw.seek(info.header_offset + 26)
            lengths = np.frombuffer(raw.read(4), "<u2")
            offset = info.header_offset + 30 + int(lengths.sum()) + header
            member = "" if info.compress_type == zipfile.ZIP_STORED else info.filename
            out[name] = Stored(path, offset, shape, dtype, fortran, member=member)
            _check_length(out[name], info.file_size + offset - header, f"{file}, array {name!r}")
    return out


def _in_safetensors(path: Path, file: str) -> dict[str, Stored]:
    from safetensors import safe_open

    with safe_open(path, framework="np") as archive:  # checks the header
        names = list(archive.keys())
    with path.open("rb") as stream:
        size = int.from_bytes(stream.read(8), "little")
        header = json.loads(stream.read(size))
    known = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "BOOL": "?"}
    known |= {f"{kind}{8 * size}": f"<{kind.lower()}{size}" for kind in "IU" for size in (1, 2, 4, 8)}
    out = {}
    for name in names:
        kind, start = header[name]["dtype"], header[name]["data_offsets"][0]
        if kind not in known:
            raise UnreadableError(f"{file}, array {name!r} has dtype {kind}; {', '.join(known)} are read")
        shape = tuple(header[name]["shape"])
        stored = Stored(path, 8 + size + start, shape, np.dtype(known[kind]), kind="bfloat16" * (kind == "BF16"))
        out[name] = stored
    return out


def check_matrix(shape: tuple[int, ...], dtype: np.dtype, where: str) -> None:
    """Complain unless these are the shape and the dtype of a matrix of real numbers."""
    if len(shape) != 2 and not dtype.hasobject:
        hint = {1: "; labels are passed as labels, ids as ids", 3: "; save each layer as an array of its own"}
        hint = hint.get(len(shape), "")
        raise UnreadableError(f"{where} has shape {tuple(shape)}; (n_objects, n_features) is needed{hint}")
    if 0 in shape:
        raise UnreadableError(f"{where} has shape {tuple(shape)}; at least one row and one column are needed")
    if dtype.hasobject:
        raise UnreadableError(
            f"{where} holds Python objects (dtype {dtype}), pickled; pickles are never loaded: save numbers, as in "
            "np.save(file, np.asarray(x, dtype=np.float32)), which needs rows of equal length"
        )
    if dtype.kind not in "biuf":
        raise UnreadableError(f"{where} has dtype {dtype}; real numbers are needed")


def matrix_of(stored: Stored, where: str, conversions: ConversionCache) -> tuple[np.ndarray, str]:
    """A checked float32 or float64 matrix, mapped where it lies if that can be, and its dtype in the file."""
    check_matrix(stored.shape, stored.dtype, where)
    kind, real = stored.kind or str(stored.dtype), np.dtype(np.float32) if stored.kind else real_dtype(stored.dtype)
    if not stored.member and stored.dtype == real and not stored.offset % stored.dtype.itemsize:
        return stored.mapped(), kind
    rows, width = stored.shape

    def blocks() -> Iterator[list[np.ndarray]]:
        source = _unpacked(stored, conversions) if stored.member else stored.mapped()
        for start, stop in bounds(rows, width):
            block = source[start:stop]
            block = (block.astype(np.uint32) << 16).view(np.float32) if stored.kind else block
            yield [block.astype(real)]

    return conversions.streamed(stored.path, [f"array {where} {stored.offset}"], blocks, rows)[0], kind


def _npy_header(stream: Any, file: str) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, whether columns come first, and dtype."""
    try:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(stream)
    except ValueError as error:
        raise UnreadableError(f"{file} is not a complete .npy file: {error}") from error
    return shape, fortran, dtype


def _check_length(stored: Stored, size: int, file: str) -> None:
    if stored.end > size and not stored.dtype.hasobject:
        raise UnreadableError(
            f"{file} is truncated: its header promises {stored.end} bytes (shape {stored.shape}, {stored.dtype}), "
            f"there are {size}"
        )


def _unpacked(stored: Stored, conversions: ConversionCache) -> np.ndarray:
    """A compressed member of an archive, mapped from a nameless temporary file."""
    with tempfile.TemporaryFile(dir=conversions.folder(stored.path)) as temporary:
        with zipfile.ZipFile(stored.path) as archive, archive.open(stored.member) as stream:
            _npy_header(stream, stored.member)
            shutil.copyfileobj(stream, temporary, 1 << 20)
        temporary.flush()
        return np.memmap(temporary, stored.dtype, "r", 0, stored.shape, "F" if stored.fortran else "C")
