"""Arrays of files, mapped where they lie if that can be; .npy, .npz and .safetensors."""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from helpers.inputs._codes import SAMPLE, decoder_of, from_bfloat16
from helpers.inputs._files import ConversionCache, bounds, real_dtype
from helpers.inputs._leftovers import UnreadableError
from helpers.inputs._parted import Parted
from helpers.inputs.formats import endings


class Stored(NamedTuple):
    """Where the entries of an array lie, or how to get them."""

    path: Path
    offset: int
    shape: tuple[int, ...]
    dtype: np.dtype
    fortran: bool = False
    kind: str = ""  # "bfloat16" where ``dtype`` only holds its bits
    member: str = ""  # of a zip archive, if it is compressed
    source: Callable[[], Iterator[np.ndarray]] | None = None  # blocks of rows, where nothing can be mapped
    array: np.ndarray | None = None  # what a library has mapped
    note: str = ""  # on what was done, for the report

    def mapped(self) -> np.ndarray:
        if self.array is not None:
            return self.array
        order = "F" if self.fortran else "C"
        return np.memmap(self.path, self.dtype, "r", self.offset, self.shape, order)

    @property
    def end(self) -> int:
        return self.offset + int(np.prod(self.shape, dtype=object)) * self.dtype.itemsize


class Matrix(NamedTuple):
    """A matrix that was opened."""

    array: np.ndarray  # float32 or float64
    stored: str  # dtype in the file
    note: str


def stored(path: Path, file: str) -> dict[str, Stored]:
    """The arrays of a file by name."""
    return {".npy": _in_npy, ".npz": _in_npz, ".safetensors": _in_safetensors}[path.suffix.lower()](path, file)


def checked_names(found: dict[str, Stored], path: Path, file: str) -> dict[str, Stored]:
    """The arrays of a file; one vector for each name is a matrix, and the weights of a model are none."""
    if not found:
        raise UnreadableError(f"{file} holds no array")
    weights = [name for name in found if name.endswith((".weight", ".bias"))]
    if len(weights) > 2 and 2 * len(weights) > len(found):
        raise UnreadableError(
            f"{file} holds the weights of a model ({len(found)} arrays, such as {weights[0]!r}) and no embeddings; "
            "encode texts by the folder of the model: pass it as models (--model) with text"
        )
    vectors = {name: one for name, one in found.items() if len(one.shape) == 1 and (one.dtype.kind == "f" or one.kind)}
    arrays = [one for one in found.values() if one.shape]
    if len(vectors) < 3 or len(vectors) < len(arrays) or len({one.shape for one in vectors.values()}) > 1:
        return found
    width = next(iter(vectors.values())).shape[0]
    if width < 2:
        return found
    return _by_last_name(vectors, width, path)


def _by_last_name(vectors: dict[str, Stored], width: int, path: Path) -> dict[str, Stored]:
    """Vectors by the names of objects as a matrix; ``object/kind`` as one for each kind that all objects have."""
    split = {name: name.rpartition("/") for name in vectors}
    kinds = dict.fromkeys(last for _, _, last in split.values())
    objects = dict.fromkeys(first for first, _, _ in split.values())
    nested = len(objects) * len(kinds) == len(vectors) and len(objects) > 1 and "" not in objects
    groups = {kind: [f"{one}/{kind}" for one in objects] for kind in kinds} if nested else {path.stem: list(vectors)}
    ids = list(objects) if nested else list(vectors)
    out = {}
    for kind, names in groups.items():
        chosen = [vectors[name] for name in names]
        dtype = np.result_type(*(real_dtype(one.dtype if not one.kind else np.dtype(np.float32)) for one in chosen))
        note = f"one vector for each of {len(names)} names, which are the ids"
        shape, source = (len(names), width), _rows_of(chosen)
        out[kind] = Stored(path, 0, shape, dtype, source=source, note=note)
    return out | {"id": text_array(path, ids)}


def _rows_of(chosen: list[Stored]) -> Callable[[], Iterator[np.ndarray]]:
    """Blocks of rows, each the whole of an array."""

    def blocks() -> Iterator[np.ndarray]:
        for start in range(0, len(chosen), 1024):
            yield np.stack([values_in(one).reshape(-1) for one in chosen[start : start + 1024]])

    return blocks


def text_array(path: Path, words: list[str]) -> Stored:
    """Words as an array of a file."""
    values = np.array(words, dtype=str)
    return Stored(path, 0, values.shape, values.dtype, array=values)


def single_value(path: Path, value: Any) -> Stored:
    """Something that is no array, listed as what it is."""
    return Stored(path, 0, (), np.dtype(str), array=np.array(str(value)))


def stacked(path: Parted, found: list[dict[str, Stored]]) -> dict[str, Stored]:
    """The arrays of all parts of a file, one part below the other."""
    found = [{name: one for name, one in arrays.items() if one.shape} for arrays in found]
    single = all(len(arrays) == 1 for arrays in found)
    names = [endings(path.name)[0]] if single else list(found[0])
    out = {}
    for name in names:
        chosen = []
        for member, arrays in zip(path.members, found, strict=True):
            if not single and name not in arrays:
                raise UnreadableError(
                    f"{member.name} has no array {name!r}, which {path.members[0].name} has; parts of one need the same"
                )
            chosen.append(next(iter(arrays.values())) if single else arrays[name])
        rest = chosen[0].shape if path.ids is not None else chosen[0].shape[1:]
        rest = tuple(size for size in rest if size > 1) if path.ids is not None else rest
        for member, one in zip(path.members, chosen, strict=True):
            own = tuple(size for size in one.shape if size > 1) if path.ids is not None else one.shape[1:]
            if own != rest:
                raise UnreadableError(
                    f"{member.name} has shape {one.shape} and {path.members[0].name} {chosen[0].shape}; parts of one "
                    "need rows of one length"
                )
        number = all(one.dtype.kind in "biuf" for one in chosen)
        kinds = [one.dtype if not one.kind else np.dtype(np.float32) for one in chosen]
        dtype = np.result_type(*kinds) if number else np.dtype(str)
        rows = len(chosen) if path.ids is not None else sum(one.shape[0] for one in chosen if one.shape)
        source = _rows_of(chosen) if path.ids is not None else _chained(chosen)
        out[name] = Stored(path, 0, (rows, *rest), dtype, source=source, note=path.note)
    return out | ({"id": text_array(path, list(path.ids))} if path.ids is not None else {})


def _chained(chosen: list[Stored]) -> Callable[[], Iterator[np.ndarray]]:
    return lambda: (block for one in chosen for block in blocks_of(one))


def blocks_of(stored: Stored) -> Iterator[np.ndarray]:
    """The entries in blocks of rows."""
    if stored.source is not None:
        yield from stored.source()
    elif len(stored.shape) != 2:
        yield values_in(stored)
    elif stored.member and not stored.fortran:
        with zipfile.ZipFile(stored.path) as archive, archive.open(stored.member) as stream:
            _npy_header(stream, stored.member)
            for start, stop in bounds(*stored.shape):
                data = stream.read((stop - start) * stored.shape[1] * stored.dtype.itemsize)
                block = np.frombuffer(data, stored.dtype).reshape(stop - start, -1)
                yield from_bfloat16(block) if stored.kind else block
    else:
        source = _unpacked(stored) if stored.member else stored.mapped()
        for start, stop in bounds(*stored.shape):
            yield from_bfloat16(source[start:stop]) if stored.kind else source[start:stop]


def values_in(stored: Stored) -> np.ndarray:
    """All entries of an array that is small."""
    if stored.source is not None:
        return np.concatenate(list(stored.source()))
    if stored.member:
        with np.load(stored.path, allow_pickle=False) as archive:
            return archive[stored.member.removesuffix(".npy")]
    values = np.array(stored.mapped())
    return from_bfloat16(values) if stored.kind else values


def _in_npy(path: Path, file: str) -> dict[str, Stored]:
    with path.open("rb") as stream:
        shape, fortran, dtype, kind = _npy_header(stream, file)
        stored = Stored(path, stream.tell(), shape, dtype, fortran, kind)
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
                shape, fortran, dtype, kind = _npy_header(stream, f"{file}, array {name!r}")
                header = stream.tell()
            raw.seek(info.header_offset + 26)
            lengths = np.frombuffer(raw.read(4), "<u2")
            offset = info.header_offset + 30 + int(lengths.sum()) + header
            member = "" if info.compress_type == zipfile.ZIP_STORED else info.filename
            out[name] = Stored(path, offset, shape, dtype, fortran, kind, member)
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
    if dtype.names is not None:
        fields = ", ".join(f"{name}=a[{name!r}]" for name in dtype.names[:4])
        raise UnreadableError(
            f"{where} holds records with the fields {list(dtype.names)[:20]}; save them apart: "
            f"np.savez('x.npz', {fields})"
        )
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


def matrix_of(
    stored: Stored, name: str, where: str, conversions: ConversionCache, beside: Mapping[str, Stored] | None = None
) -> Matrix:
    """A checked matrix, mapped where it lies if that can be.

    Codes of embeddings are decoded, see :func:`helpers.inputs._codes.decoder_of`, by the arrays ``beside`` if need be.
    """
    check_matrix(stored.shape, stored.dtype, where)
    kind, real = stored.kind or str(stored.dtype), np.dtype(np.float32) if stored.kind else real_dtype(stored.dtype)
    as_it_lies = not stored.member and stored.source is None
    if as_it_lies and stored.dtype == real and not stored.offset % stored.dtype.itemsize:
        return Matrix(stored.mapped(), kind, stored.note)
    rows, decoder = stored.shape[0], None
    if stored.dtype in (np.int8, np.uint8, np.uint16) and not stored.kind:
        sample = next(blocks_of(stored))[:SAMPLE]
        few = {key: values_in(one) for key, one in (beside or {}).items() if len(one.shape) < 2 or 1 in one.shape}
        decoder = decoder_of(sample, f"{where} {name}", few, rows)

    def blocks() -> Iterator[list[np.ndarray]]:
        start = 0
        for block in blocks_of(stored):
            yield [decoder.decode(block, start) if decoder else block.astype(real)]
            start += len(block)

    note = "; ".join(filter(None, (stored.note, decoder.note if decoder else "")))
    array = conversions.streamed(stored.path, [f"array {where} {stored[1:5]} {note}"], blocks, rows)[0]
    return Matrix(array, kind, note)


def _npy_header(stream: Any, file: str) -> tuple[tuple[int, ...], bool, np.dtype, str]:
    """Shape, whether columns come first, dtype, and "bfloat16" where that only holds its bits."""
    try:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(stream)
    except ValueError as error:
        raise UnreadableError(f"{file} is not a complete .npy file: {error}") from error
    if dtype.kind == "V" and dtype.itemsize == 2 and dtype.names is None:  # as JAX and ml_dtypes save it
        return shape, fortran, np.dtype("<u2"), "bfloat16"
    return shape, fortran, dtype, ""


def _check_length(stored: Stored, size: int, file: str) -> None:
    if stored.end > size and not stored.dtype.hasobject:
        raise UnreadableError(
            f"{file} is truncated: its header promises {stored.end} bytes (shape {stored.shape}, {stored.dtype}), "
            f"there are {size}"
        )


def _unpacked(stored: Stored) -> np.ndarray:
    """A compressed member of an archive, column by column, mapped from a nameless temporary file."""
    with tempfile.TemporaryFile() as temporary:
        with zipfile.ZipFile(stored.path) as archive, archive.open(stored.member) as stream:
            _npy_header(stream, stored.member)
            shutil.copyfileobj(stream, temporary, 1 << 20)
        temporary.flush()
        return np.memmap(temporary, stored.dtype, "r", 0, stored.shape, "F" if stored.fortran else "C")
