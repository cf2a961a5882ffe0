"""Vectors of words: text of word2vec, GloVe, fastText and graph embeddings, and word2vec's binary form."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from helpers.inputs._cells import is_number
from helpers.inputs._files import short
from helpers.inputs._leftovers import UnreadableError
from helpers.inputs._streams import opened_binary, opened_text
from helpers.inputs.formats import endings

COLUMNS = ["word", "vector"]
HEADER = re.compile(rb"(\d+)[ \t]+(\d+)[ \t]*\r?\n")
FASTTEXT = (793712314).to_bytes(4, "little")  # how a model of fastText begins


def names(path: Path) -> list[str]:
    """The two columns: the word is the id."""
    return list(COLUMNS)


def batches(path: Path, columns: Sequence[str] | None, rows: int) -> Iterator[Any]:
    """The words and their vectors in record batches."""
    import pyarrow as pa

    columns = COLUMNS if columns is None else list(columns)
    read = _in_binary if endings(path.name)[1] == ".bin" else _in_text
    for words, vectors in read(path, rows, "vector" in columns):
        made = {"word": pa.array([_shown(word) for word in words], pa.string())}
        if vectors is not None:
            flat = pa.array(vectors.ravel())
            made["vector"] = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
        yield pa.RecordBatch.from_arrays([made[name] for name in columns], names=columns)


def recognized_binary(path: Path, start: bytes) -> bool:
    """Whether a file that begins so is word2vec's binary form; a model of fastText is refused."""
    if start.startswith(FASTTEXT):
        raise UnreadableError(
            f"{path.name} is a model of fastText and no vectors; save these: "
            "np.save('x.npy', fasttext.load_model(FILE).get_input_matrix()), or download the .vec file"
        )
    return HEADER.match(start) is not None


def recognized_text(path: Path) -> str | None:
    """The reader of a .txt file: vectors of words, a plain matrix, or none, as it holds lines of text."""
    with opened_text(path) as file:
        try:
            lines = [line.split() for line in islice(file, 20)]
        except UnicodeDecodeError:
            return None
    if len(lines) > 1 and len(lines[0]) == 2 and all(word.isdecimal() for word in lines[0]):
        width = int(lines[0][1])
        return "_words" if len(lines[1]) > width > 1 and all(map(is_number, lines[1][-width:])) else None
    widths = [_numbers_at_end(line) for line in lines if line]
    if len(widths) < 2 or min(map(len, filter(None, lines))) < 2:
        return None
    width = int(np.median(widths))
    if width < 2 or 2 * sum(size == width for size in widths) < len(widths):
        return None
    plain = all(len(line) == width + 1 and is_number(line[0]) for line in lines if line)
    return "_delimited" if plain else "_words"


def _numbers_at_end(words: list[str]) -> int:
    """How many of the words after the first are numbers, from the end."""
    return next((i for i, word in enumerate(reversed(words[1:])) if not is_number(word)), len(words) - 1)


def _in_text(path: Path, rows: int, wanted: bool) -> Iterator[tuple[list[str], np.ndarray | None]]:
    """Words and vectors of a text, in blocks; a header with numbers of words and entries may come first."""
    with opened_text(path) as file:
        first = file.readline()
        if not first:
            raise UnreadableError(f"{path.name} is empty")
        header = HEADER.fullmatch(first.encode())
        promised, width = (int(number) for number in header.groups()) if header else (None, 0)
        lines = file if header else _after(first, file)
        start = 0
        while block := [line for line in islice(lines, rows) if line.strip()]:
            width = width or _width(block, path)
            parts = [line.rstrip().rsplit(None, width) for line in block]
            if any(len(part) <= width for part in parts):
                row = next(row for row, part in enumerate(parts) if len(part) <= width)
                blank = re.fullmatch(r"\s+\S.*", block[row].rstrip("\r\n"), re.DOTALL)
                if not (blank and len(parts[row]) == width):  # the word may be a space of some kind
                    found = len(parts[row]) - 1
                    raise UnreadableError(
                        f"{path.name}, row {start + row}: the vector has {found} entries, and {width} are needed "
                        f"({short(block[row].strip())})"
                    )
                parts = [_with_blank(part, line, width) for part, line in zip(parts, block, strict=True)]
            yield [part[0] for part in parts], _entries(parts, start, path) if wanted else None
            start += len(block)
    if promised is not None and start != promised:
        raise UnreadableError(f"{path.name} is truncated: its first line promises {promised} words, there are {start}")


def _after(first: str, file: Any) -> Iterator[str]:
    yield first
    yield from file


def _with_blank(part: list[str], line: str, width: int) -> list[str]:
    """A line whose word is white space, in parts."""
    return part if len(part) > width else [line[: len(line) - len(line.lstrip())][:-1] or " ", *part]


def _width(block: list[str], path: Path) -> int:
    """The number of entries of a vector, by which the first lines agree."""
    widths = [_numbers_at_end(line.split()) for line in block[:20]]
    width = int(np.median(widths))
    if width < 2:
        raise UnreadableError(f"{path.name}, row 0: {short(block[0].strip())} is no word with a vector")
    return width


def _entries(parts: list[list[str]], start: int, path: Path) -> np.ndarray:
    """The numbers of a block of lines."""
    try:
        return np.array([part[1:] for part in parts], dtype=np.float32)
    except ValueError:
        for row, part in enumerate(parts):
            for word in part[1:]:
                if not is_number(word):
                    raise UnreadableError(f"{path.name}, row {start + row}: {short(word)} is not a number") from None
        raise


def _in_binary(path: Path, rows: int, wanted: bool) -> Iterator[tuple[list[str], np.ndarray | None]]:
    """Words and vectors of word2vec's binary form, in blocks."""
    with opened_binary(path) as file:
        header = HEADER.fullmatch(file.readline(64))
        if header is None:
            raise UnreadableError(f"{path.name} is no binary file of word2vec: it begins with no two numbers")
        count, width = (int(number) for number in header.groups())
        for start in range(0, count, rows):
            words, vectors = [], []
            for row in range(start, min(start + rows, count)):
                word = _word(file)
                data = file.read(4 * width)
                if not word or len(data) < 4 * width:
                    raise UnreadableError(
                        f"{path.name} is truncated: its first line promises {count} words of {width} entries, row "
                        f"{row} is not complete"
                    )
                words.append(word.decode("utf-8", "backslashreplace"))
                vectors.append(data)
            yield words, np.frombuffer(b"".join(vectors), "<f4").reshape(-1, width) if wanted else None


def _word(file: BinaryIO) -> bytes:
    """The bytes before the next space, without the line end of the vector before."""
    out = bytearray()
    while (letter := file.read(1)) not in (b" ", b""):
        out += letter
    return bytes(out.lstrip(b"\n"))


def _shown(word: str) -> str:
    """A word as an id, which must not be blank."""
    return word if word.strip() else ascii(word)[1:-1].replace(" ", "\\x20")
