"""Tensors that PyTorch saved, alone or in dictionaries and lists; nothing else of a pickle is ever loaded."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from helpers.inputs._arrays import Stored, single_value, text_array
from helpers.inputs._files import bounds
from helpers.inputs._leftovers import UnreadableError


def stored(path: Path, file: str) -> dict[str, Stored]:
    """The tensors of a file by name; ``a/b`` where dictionaries hold dictionaries."""
    import torch

    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        raise UnreadableError(
            f"{file} is damaged, or holds more than tensors, and pickles are never loaded; save tensors alone: "
            f"torch.save({{'x': x, 'id': list_of_words}}, '{path.name}')"
        ) from error
    except (PermissionError, MemoryError):
        raise
    except Exception as error:  # what the unpickler makes of other bytes may be any
        raise UnreadableError(f"{file} is damaged or no file of PyTorch: {error}") from error
    return dict(_arrays(loaded, path.stem, "", path, file))


def _arrays(value: Any, name: str, above: str, path: Path, file: str) -> Iterator[tuple[str, Stored]]:
    """The arrays in a tensor, a dictionary or a list, by name."""
    import torch

    if isinstance(value, torch.Tensor):
        yield above or name, _tensor(value.detach(), path, file)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _arrays(inner, name, f"{above}/{key}" if above else str(key), path, file)
    elif isinstance(value, (list, tuple)) and value:
        tensors = all(isinstance(one, torch.Tensor) for one in value)
        if tensors and len({one.shape for one in value}) == 1 and value[0].squeeze().ndim == 1:
            yield above or name, _tensor(torch.stack([one.detach().reshape(-1) for one in value]), path, file)
        elif all(isinstance(one, Mapping) for one in value) and len({tuple(one) for one in value}) == 1:
            columns = {key: [one[key] for one in value] for key in value[0]}  # records
            yield from _arrays(columns, name, above, path, file)
        elif all(isinstance(one, (str, int, float)) for one in value):
            words = [one if isinstance(one, str) else repr(one) for one in value]
            yield above or name, text_array(path, words)
        else:
            for position, inner in enumerate(value):
                yield from _arrays(inner, name, f"{above}/{position}" if above else str(position), path, file)
    else:
        yield above or name, single_value(path, value)


def _tensor(tensor: Any, path: Path, file: str) -> Stored:
    """A tensor as it lies in its file, or what makes numbers of it."""
    import torch

    if tensor.layout != torch.strided:
        from scipy import sparse

        from helpers.inputs._sparse import dense

        whole = tensor.to_sparse_coo().coalesce()
        if whole.ndim != 2:
            raise UnreadableError(f"{file} holds a sparse tensor of shape {tuple(whole.shape)}; a matrix is needed")
        entries = whole.values().float().numpy(), whole.indices().numpy()
        return dense(sparse.coo_matrix(entries, shape=tuple(whole.shape)), path, file)
    if tensor.is_quantized:
        tensor = tensor.dequantize()
    if tensor.dtype == torch.bfloat16:
        bits = tensor.view(torch.uint16).numpy()
        return Stored(path, 0, bits.shape, bits.dtype, kind="bfloat16", source=_floats(tensor), note="")
    array = tensor.numpy()
    if array.dtype == np.float16 or not array.flags.c_contiguous:
        return Stored(path, 0, array.shape, array.dtype, array=array)
    array = array.view()
    array.flags.writeable = False
    return Stored(path, 0, array.shape, array.dtype, array=array)


def _floats(tensor: Any) -> Callable[[], Iterator[np.ndarray]]:
    """Blocks of rows as float32."""

    def blocks() -> Iterator[np.ndarray]:
        if tensor.ndim != 2:
            yield tensor.float().numpy()
            return
        for start, stop in bounds(*tensor.shape):
            yield tensor[start:stop].float().numpy()

    return blocks
