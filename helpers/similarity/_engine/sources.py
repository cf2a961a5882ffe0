"""Representations wherever they live: in memory, in a memory-mapped file, in a tensor, on a Dask cluster."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from array_api_compat import is_dask_array, is_torch_array

from helpers.arrays import check_row_labels

__all__ = ["Source", "common_dtype", "open_sources"]


@dataclass
class Source:
    """A checked matrix whose rows are read block by block."""

    name: str
    data: Any
    kind: str  # "numpy", "torch" or "dask"
    dtype: str  # what it is computed in by itself
    factor: float = 1.0  # a power of two that keeps the squares of float64 entries finite

    @property
    def shape(self) -> tuple[int, int]:
        """Objects and features."""
        return tuple(int(size) for size in self.data.shape)

    @property
    def device(self) -> Any:
        """The CUDA device that holds the data, or None."""
        return self.data.device if self.kind == "torch" and self.data.is_cuda else None

    def rows(self, start: int, stop: int, dtype: str) -> np.ndarray:
        """Rows ``start`` to ``stop`` as a NumPy array of ``dtype``; a view where nothing must be converted."""
        block = self.data[start:stop]
        if self.kind == "dask":
            block = np.asarray(block.compute())
        elif self.kind == "torch":
            block = self.tensor_rows(start, stop, dtype).cpu().numpy()
        return self.finished(block, dtype)

    def finished(self, block: np.ndarray, dtype: str) -> np.ndarray:
        """A block in ``dtype``, times the factor."""
        block = np.asarray(block).astype(dtype, copy=False)
        return block if self.factor == 1 else block * self.factor

    def tensor_rows(self, start: int, stop: int, dtype: str, device: Any = None) -> Any:
        """The same as a torch tensor, on the device of the data or on ``device``."""
        import torch

        if self.kind == "torch":
            block = self.data[start:stop].detach().to(device=device, dtype=getattr(torch, dtype))
            return block if self.factor == 1 else block * self.factor
        return torch.as_tensor(self.rows(start, stop, dtype)).to(device)

    def resident(self, kernels: str) -> bool:
        """Whether kernels of this name can work on the data as they are, without a copy."""
        if self.factor != 1 or str(self.data.dtype).removeprefix("torch.") not in ("float32", "float64"):
            return False
        if self.kind == "numpy" and kernels == "numpy":
            return self.data.flags.c_contiguous and self.data.flags.writeable and self.data.dtype.isnative
        return self.kind == "torch" and (kernels == "torch" or (self.device is None and self.data.is_contiguous()))

    def take(self, rows: np.ndarray, dtype: str) -> np.ndarray:
        """Chosen rows, in ascending order, as a new NumPy array of ``dtype``."""
        if self.kind == "torch":
            return self.take_tensor(rows, dtype).cpu().numpy()
        block = self.data[rows]
        return np.ascontiguousarray(self.finished(block.compute() if self.kind == "dask" else block, dtype))

    def take_tensor(self, rows: np.ndarray, dtype: str, device: Any = None) -> Any:
        """The same as a torch tensor, on the device of the data or on ``device``."""
        import torch

        if self.kind != "torch":
            return torch.as_tensor(self.take(rows, dtype)).to(device)
        block = self.data[torch.as_tensor(rows, device=self.data.device)].detach()
        block = block.to(device=device, dtype=getattr(torch, dtype))
        return block if self.factor == 1 else block * self.factor

    def whole(self) -> Any:
        """The whole matrix as a measure of two arrays takes it."""
        if self.kind == "torch":
            return self.data.detach()
        return np.asarray(self.data.compute() if self.kind == "dask" else self.data)


def open_sources(representations: Any) -> list[Source]:
    """Open and check all representations of a mapping or a sequence.

    Raises
    ------
    TypeError, ValueError
        As the public functions document: fewer than one representation, a type or shape that is not a matrix of real
        numbers, a file that is not there, is no ``.npy`` file or is shorter than its header says, different rows.
    """
    named = list(_named(representations))
    check_row_labels(dict(named))
    sources = [_open(name, x) for name, x in named]
    first = sources[0]
    for other in sources[1:]:
        if other.shape[0] != first.shape[0]:
            raise ValueError(
                f"{first.name} has {first.shape[0]} rows and {other.name} has {other.shape[0]}; "
                "all representations must describe the same objects"
            )
    devices = {str(source.device): source.name for source in sources if source.device is not None}
    if len(devices) > 1:
        where = " and ".join(f"{name} is on {device}" for device, name in devices.items())
        raise ValueError(f"{where}; all must be on one CUDA device")
    return sources


def common_dtype(sources: Iterable[Source]) -> str:
    """float32 if all are float32 or half precision, else float64 for all."""
    return "float32" if all(source.dtype == "float32" for source in sources) else "float64"


def _named(representations: Any) -> list[tuple[str, Any]]:
    if isinstance(representations, Mapping):
        pairs = [(str(name), x) for name, x in representations.items()]
    elif isinstance(representations, Sequence) and not isinstance(representations, (str, bytes)):
        pairs = [(str(number), x) for number, x in enumerate(representations)]
    elif isinstance(representations, np.ndarray) and representations.ndim == 3:
        pairs = [(str(number), x) for number, x in enumerate(representations)]
    else:
        raise TypeError(
            f"representations is a {type(representations).__name__}; a mapping from names to matrices, or a list of "
            "matrices, is needed"
        )
    if not pairs:
        raise ValueError("representations is empty; at least one matrix is needed")
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise ValueError(f"representations has two entries named {next(n for n in names if names.count(n) > 1)!r}")
    return pairs


def _open(name: str, x: Any) -> Source:
    if isinstance(x, (str, os.PathLike)):
        x = _open_file(name, Path(x))
    if is_torch_array(x):
        import torch

        if x.is_complex():
            raise TypeError(f"{name} has dtype {x.dtype}; real numbers are needed")
        single = x.dtype in (torch.float16, torch.bfloat16, torch.float32)
        source = Source(name, x, "torch", "float32" if single else "float64")
    else:
        kind = "dask" if is_dask_array(x) else "numpy"
        x = x if kind == "dask" or isinstance(x, np.ndarray) else np.asarray(x)
        if x.dtype.kind not in "biuf":
            raise TypeError(f"{name} has dtype {x.dtype}; real numbers are needed")
        if isinstance(x, np.memmap):
            _check_mapping(name, x)
        single = x.dtype.kind == "f" and x.dtype.itemsize <= 4
        source = Source(name, x, kind, "float32" if single else "float64")
    if x.ndim != 2:
        raise ValueError(f"{name} has shape {tuple(x.shape)}; a representation has shape (n_objects, n_features)")
    if any(size != size for size in x.shape):
        raise ValueError(f"{name} is a Dask array of unknown shape; call its compute_chunk_sizes() first")
    if x.shape[1] == 0:
        raise ValueError(f"{name} has shape {tuple(x.shape)}; at least one feature is needed")
    if x.shape[0] < 2:
        raise ValueError(f"{name} has {x.shape[0]} rows; at least 2 are needed")
    return source


def _open_file(name: str, path: Path) -> np.ndarray:
    if not path.is_file():
        raise FileNotFoundError(f"{name}: there is no file {path}")
    try:
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, dtype = read(file)
            start = file.tell()
    except ValueError as error:
        raise ValueError(f"{name}: {path} is not a complete .npy file ({error})") from error
    if not dtype.hasobject:
        needed = start + int(np.prod(shape, dtype=object)) * dtype.itemsize
        if path.stat().st_size < needed:
            raise ValueError(
                f"{name}: {path} is truncated: its header promises {needed} bytes (shape {shape}, {dtype}), the file "
                f"has {path.stat().st_size}"
            )
        return np.load(path, mmap_mode="r")
    raise TypeError(f"{name} has dtype {dtype}; real numbers are needed")


def _check_mapping(name: str, x: np.memmap) -> None:
    """Reading beyond the end of a file that has shrunk would end the process."""
    if x.filename is None or not os.path.exists(x.filename):
        return
    size = os.path.getsize(x.filename)
    if size < x.offset + x.nbytes:
        raise ValueError(
            f"{name}: {x.filename} is truncated: the memory map needs {x.offset + x.nbytes} bytes, the file has {size}"
        )
