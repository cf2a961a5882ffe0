"""Files opened through their compression, and libraries that are asked for only when a file needs them."""

from __future__ import annotations

import io
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from helpers.inputs._leftovers import UnreadableError


def opened_binary(path: Path) -> BinaryIO:
    """The content of a file, unpacked where its name ends in .gz, .bz2, .xz or .zst."""
    suffix = path.suffix.lower()
    if suffix == ".gz":
        import gzip

        return gzip.open(path)
    if suffix == ".bz2":
        import bz2

        return bz2.open(path)
    if suffix == ".xz":
        import lzma

        return lzma.open(path)
    if suffix == ".zst":
        import pyarrow as pa

        return pa.input_stream(path, compression="zstd", buffer_size=1 << 20)
    return path.open("rb")


def opened_text(path: Path) -> TextIO:
    """The content of a file of text in UTF-8, unpacked, without a byte order mark and with line ends as they are."""
    return io.TextIOWrapper(opened_binary(path), encoding="utf-8-sig", newline="")


def library(name: str, path: Path) -> Any:
    """A module that is not always installed."""
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        package = name.partition(".")[0]
        raise UnreadableError(
            f"{path.name} is read by {package}, which is not installed; install it: pip install {package}"
        ) from error
