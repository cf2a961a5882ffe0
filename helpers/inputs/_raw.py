"""Numbers without a header: memory maps with a shape beside them, and the vectors of benchmarks of search."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import numpy as np

from helpers.inputs._arrays import Stored
from helpers.inputs._leftovers import UnreadableError

KINDS = "f2 f4 f8 i1 u1 i2 u2 i4 u4 i8 u8 bool".split()
TYPES = {np.dtype(kind).name: f"<{kind}" if kind != "bool" else "?" for kind in KINDS} | {"bfloat16": "<u2"}
TYPES |= {"half": "<f2", "float": "<f4", "double": "<f8", "bf16": "<u2"} | {kind: f"<{kind}" for kind in KINDS[:-1]}
COUNTED = {".fbin": "<f4", ".u8bin": "u1", ".i8bin": "i1"}  # numbers of rows and columns come first
REPEATED = {".fvecs": "<f4", ".bvecs": "u1"}  # each row begins with its length


def stored(path: Path, file: str) -> dict[str, Stored]:
    """The matrix of a file."""
    suffix = path.suffix.lower()
    if suffix in COUNTED:
        with path.open("rb") as stream:
            rows, width = (int(number) for number in np.frombuffer(stream.read(8).ljust(8, b"\0"), "<u4"))
        found = Stored(path, 8, (rows, width), np.dtype(COUNTED[suffix]))
    elif suffix in REPEATED:
        return {path.stem: _repeated(path, file, np.dtype(REPEATED[suffix]))}
    else:
        found = _described(path, file)
    if found.end != path.stat().st_size:
        raise UnreadableError(
            f"{file} has {path.stat().st_size} bytes; shape {found.shape} of {found.dtype} needs {found.end}"
            + f" (with the first {found.offset} left out)" * bool(found.offset)
        )
    return {path.stem: found}


def description_of(path: Path) -> Path:
    """The file that tells the shape, whether it is there or not."""
    return path.with_name(f"{path.name}.json")


def described(path: Path) -> bool:
    """Whether shape and dtype of a file are told, beside it or in its name."""
    return os.path.isfile(description_of(path)) or _in_name(path) is not None


def _in_name(path: Path) -> dict | None:
    shape = re.search(r"(?<!\d)(\d+)x(\d+)(?!\d)", path.stem)
    words = [word for word in re.split(r"[^a-z0-9]+", path.stem.lower()) if word in TYPES]
    return {"dtype": words[0], "shape": [int(size) for size in shape.groups()]} if shape and len(words) == 1 else None


def _described(path: Path, file: str) -> Stored:
    """The matrix whose shape and dtype are told beside the file, or in its name."""
    beside = description_of(path)
    example = (
        f'{beside.name} beside it with {{"dtype": "float32", "shape": [1000, 768]}}, or a name such as '
        f"{path.stem}.1000x768.float32{path.suffix}"
    )
    if os.path.isfile(beside):
        try:
            told = json.loads(beside.read_text(encoding="utf-8"))
        except ValueError as error:
            raise UnreadableError(f"{file}: {beside.name} is not JSON: {error}") from error
    else:
        told = _in_name(path)
    if told is None:
        raise UnreadableError(
            f"{file} holds raw numbers, whose shape and dtype it does not tell; they are read from {example}"
        )
    shape, dtype = (told.get(key) if isinstance(told, dict) else None for key in ("shape", "dtype"))
    sizes = isinstance(shape, list) and len(shape) == 2 and all(isinstance(size, int) and size > 0 for size in shape)
    if not sizes or str(dtype) not in TYPES:
        raise UnreadableError(
            f"{file}: {beside.name} tells shape {shape} and dtype {dtype!r}; two numbers and one of "
            f"{', '.join(TYPES)} are needed, as in {example}"
        )
    order = str(told.get("order", "C"))
    offset, kind = int(told.get("offset", 0)), "bfloat16" if dtype in ("bfloat16", "bf16") else ""
    return Stored(path, offset, tuple(shape), np.dtype(TYPES[dtype]), order == "F", kind)


def _repeated(path: Path, file: str, dtype: np.dtype) -> Stored:
    """Rows each of which begins with its length as a whole number of 32 bits."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        width = int.from_bytes(stream.read(4), "little")
    step = 4 + width * dtype.itemsize
    if not width or size % step:
        raise UnreadableError(f"{file} has {size} bytes, which are not whole rows of {width} numbers")
    whole = np.memmap(path, np.uint8, "r", shape=(size // step, step))
    lengths = np.ascontiguousarray(whole[:, :4]).view("<i4")[:, 0]
    for row in np.flatnonzero(lengths != width):
        raise UnreadableError(f"{file}, row {row}: the vector has {lengths[row]} entries, the first one {width}")
    rows = np.ndarray((size // step, width), dtype, whole, 4, (step, dtype.itemsize))
    return Stored(path, 0, rows.shape, dtype, array=rows)
