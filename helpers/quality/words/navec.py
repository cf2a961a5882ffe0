"""Word vectors in the archives of navec: product quantisation, a byte or two for each part of a vector."""

from __future__ import annotations

import gzip
import os
import tarfile
from pathlib import Path

import numpy as np

from helpers.locations import expand

__all__ = ["read_navec"]


def read_navec(path: str | os.PathLike[str]) -> tuple[list[str], np.ndarray]:
    """Words and vectors of an archive of navec :cite:`kukushkin2020navec`.

    Parameters
    ----------
    path
        Archive ``.tar`` with ``vocab.bin`` (packed by gzip: the number of words, a count of each, the words in lines)
        and ``pq.bin`` (four sizes, an index for each word and part, the parts); numbers are little-endian, of four
        bytes.

    Returns
    -------
    words : list of str
        The words; ``<unk>`` and ``<pad>`` stand for what is none.
    x : ndarray of shape (n_words, n_features)
        float32, a vector for each word, put together from its parts.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no such archive, or is truncated (what is wrong is named).
    """
    path = Path(expand(path))
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    parts = {}
    try:
        with tarfile.open(path) as archive:
            for name in ("vocab.bin", "pq.bin"):
                member = archive.extractfile(name)
                parts[name] = member.read() if member else b""
        told = gzip.decompress(parts["vocab.bin"])
    except (tarfile.TarError, KeyError, OSError, EOFError) as error:
        raise ValueError(f"{path} is no archive of navec: {error}") from None
    n, width, n_parts, n_values = (int(size) for size in np.frombuffer(parts["pq.bin"][:16].ljust(16, b"\0"), "<u4"))
    n_floats = width * n_values
    spent = len(parts["pq.bin"]) - 16 - 4 * n_floats
    size = spent // (n * n_parts) if n * n_parts else 0
    if not n_parts or width % n_parts or size not in (1, 2) or spent != size * n * n_parts:
        raise ValueError(
            f"{path}: pq.bin has {len(parts['pq.bin'])} bytes, which is not what {n} vectors of {width} features in "
            f"{n_parts} parts take; the archive may be truncated"
        )
    words = told[4 + 4 * n :].decode("utf-8").split("\n") if np.frombuffer(told[:4], "<u4").tolist() == [n] else []
    if len(words) != n:
        raise ValueError(f"{path}: vocab.bin has not the {n} words of pq.bin")
    index = np.frombuffer(parts["pq.bin"], f"<u{size}", n * n_parts, offset=16).reshape(n, n_parts)
    values = np.frombuffer(parts["pq.bin"], "<f4", n_floats, offset=16 + spent).reshape(n_parts, n_values, -1)
    if n and index.max() >= n_values:
        raise ValueError(f"{path}: pq.bin points to part {index.max()} of {n_values}")
    return words, values[np.arange(n_parts), index].reshape(n, width)
