"""HDF5: arrays of any group, AnnData, and MATLAB's version 7.3."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from helpers.inputs._arrays import Stored, text_array
from helpers.inputs._files import bounds
from helpers.inputs._leftovers import UnreadableError
from helpers.inputs._streams import library

CACHE = 64 << 20  # bytes of chunks that are kept while rows are read


def stored(path: Path, file: str) -> dict[str, Stored]:
    """The arrays of a file by name; of AnnData the embeddings, and the columns of what is known of the objects."""
    h5py = library("h5py", path)
    with h5py.File(path) as archive:
        if "obs" in archive and ("X" in archive or "obsm" in archive):
            return _anndata(archive, path, file)
        found: dict[str, Any] = {}
        archive.visititems(lambda name, item: found.__setitem__(name, item) if hasattr(item, "shape") else None)
        if any("pandas_type" in item.attrs for item in archive.values()):
            raise UnreadableError(
                f"{file} is a table that pandas wrote by to_hdf, with pickles in it; save it as Parquet: "
                "pandas.read_hdf(FILE).to_parquet('x.parquet')"
            )
        called = {name: _text(item.attrs.get("original_id", name)) for name, item in found.items()}
        unique = len(set(called.values())) == len(called)
        return {called[name] if unique else name: _array(item, path) for name, item in found.items()}


def unread(path: Path) -> list[str]:
    """What of AnnData is not read."""
    h5py = library("h5py", path)
    with h5py.File(path) as archive:
        if "obs" not in archive or not archive.get("obsm"):
            return []
        there = [name for name in ("X", "layers", "raw") if archive.get(name)]
    return [f"{name!r} is not read beside the embeddings in 'obsm'" for name in there]


def stored_by_matlab(path: Path, file: str) -> dict[str, Stored]:
    """The variables of a file of version 7.3, whose dimensions come in the other order."""
    h5py = library("h5py", path)
    out = {}
    with h5py.File(path) as archive:
        for name, item in archive.items():
            kind = _text(item.attrs.get("MATLAB_class", ""))
            if name.startswith("#") or kind == "function_handle":
                continue
            if kind == "cell":
                words = [_letters(archive[reference][()]) for reference in np.ravel(item[()])]
                out[name] = text_array(path, words)
            elif "MATLAB_sparse" in item.attrs:
                out[name] = _sparse(item, (int(item.attrs["MATLAB_sparse"]), len(item["jc"]) - 1), True, path, file)
            elif hasattr(item, "shape") and kind != "char":
                out[name] = _turned(_array(item, path))
    return out


def _anndata(archive: Any, path: Path, file: str) -> dict[str, Stored]:
    """The matrices of ``obsm``, else ``X``, with the columns of ``obs``; its index are the ids."""
    if not hasattr(archive["obs"], "keys"):
        raise UnreadableError(
            f"{file} has an old form of AnnData; save it anew: anndata.read_h5ad(FILE).write('{path.name}')"
        )
    obs, out = archive["obs"], {}
    items = dict(archive["obsm"]) if "obsm" in archive else {}
    for name, item in (items or {"X": archive["X"]}).items():
        if hasattr(item, "shape"):
            out[name] = _array(item, path)
        elif (encoding := _text(item.attrs.get("encoding-type", item.attrs.get("h5sparse_format", ""))))[:2] == "cs":
            shape = tuple(int(size) for size in item.attrs.get("shape", item.attrs.get("h5sparse_shape")))
            out[name] = _sparse(item, shape, encoding.startswith("csc"), path, file)
        elif "column-order" in item.attrs:
            columns = [_array(item[_text(column)], path) for column in item.attrs["column-order"]]
            out[name] = _side_by_side(columns, path)
    index = _text(obs.attrs.get("_index", "_index"))
    for name, item in obs.items():
        key = "id" if name == index else name
        if hasattr(item, "shape"):
            out[key] = _array(item, path)
        elif "codes" in item:
            categories = [_text(value) for value in item["categories"][()]]
            codes = item["codes"][()]
            out[key] = text_array(path, [categories[code] if code >= 0 else "" for code in codes])
    return out


def _array(item: Any, path: Path) -> Stored:
    """An array as it lies in its file, or the blocks that are read of it."""
    h5py = library("h5py", path)
    shape, dtype, name = item.shape or (), item.dtype, item.name
    if h5py.check_string_dtype(dtype) is not None or dtype.kind in "SO":
        values = [] if item.shape is None else np.ravel(item[()])
        words = text_array(path, [_text(value) for value in values])
        return words._replace(shape=shape, array=words.array.reshape(shape)) if words.array.size else words
    offset = item.id.get_offset() if item.id.get_create_plist().get_nfilters() == 0 else None
    if offset is not None and len(shape) == 2 and 0 not in shape and dtype.kind in "biuf":
        mapped = Stored(path, offset, shape, dtype)
        if mapped.end <= path.stat().st_size and np.array_equal(mapped.mapped()[-1], item[-1], equal_nan=True):
            return mapped
    return Stored(path, 0, shape, dtype, source=_blocks(path, name, shape, item.chunks))


def _blocks(path: Path, name: str, shape: tuple[int, ...], chunks: Any) -> Callable[[], Iterator[np.ndarray]]:
    """Blocks of rows of a dataset, whole chunks at a time if these are small."""

    def blocks() -> Iterator[np.ndarray]:
        h5py = library("h5py", path)
        with h5py.File(path, rdcc_nbytes=CACHE) as archive:
            if len(shape) != 2:
                yield np.asarray(archive[name][()])
                return
            first, last = next(iter(bounds(*shape)), (0, 1))
            step = max(last - first, min(chunks[0], CACHE // (8 * shape[1]))) if chunks else last - first
            for start in range(0, shape[0], step):
                yield archive[name][start : start + step]

    return blocks


def _turned(array: Stored) -> Stored:
    """An array with its dimensions in MATLAB's order, and rows or columns of one as vectors."""
    shape = array.shape[::-1]
    if len(shape) == 2 and 1 in shape:
        values = np.ravel(array.mapped() if array.source is None else np.concatenate(list(array.source())))
        return Stored(array.path, 0, values.shape, values.dtype, array=values)
    if array.source is None:
        return array._replace(shape=shape, fortran=True, array=None if array.array is None else array.array.T)

    def blocks() -> Iterator[np.ndarray]:  # of columns: turned as a whole
        whole = np.concatenate(list(array.source())).T
        for start, stop in bounds(*shape):
            yield whole[start:stop]

    return array._replace(shape=shape, source=blocks if len(shape) == 2 else array.source)


def _sparse(group: Any, shape: tuple[int, int], by_columns: bool, path: Path, file: str) -> Stored:
    """A compressed sparse matrix in a group."""
    from scipy import sparse

    from helpers.inputs._sparse import dense

    names = ("data", "ir", "jc") if "ir" in group else ("data", "indices", "indptr")
    parts = tuple(group[name][()] for name in names) if names[0] in group else ([], [], np.zeros(shape[1] + 1))
    return dense((sparse.csc_matrix if by_columns else sparse.csr_matrix)(parts, shape=shape), path, file)


def _side_by_side(columns: list[Stored], path: Path) -> Stored:
    """The columns of a data frame as a matrix."""
    values = [np.concatenate(list(c.source())) if c.source else np.asarray(c.mapped()) for c in columns]
    matrix = np.stack(values, axis=1)
    return Stored(path, 0, matrix.shape, matrix.dtype, array=matrix)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _letters(codes: np.ndarray) -> str:
    return "".join(chr(int(code)) for code in np.ravel(codes))
