"""Numbers and vectors as text."""

from __future__ import annotations

import base64
import binascii
import re

import numpy as np

MISSING = ["", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "-nan", "NULL", "null", "None", "none"]  # numbers
SEPARATORS = str.maketrans(dict.fromkeys("[](){},;|", " "))
COMMA = re.compile(r"\s*[-+]?\d*,\d+([eE][-+]?\d+)?\s*")  # 0,5
THOUSANDS = re.compile(r"\s*[-+]?\d{1,3}(,\d{3})+\s*")  # 1,234
SPARSE = re.compile(r"\{([^{}]*)\}/(\d+)")  # {1:0.5,3:2}/4, positions from 1


def is_number(text: str) -> bool:
    """Whether a cell reads as a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def with_commas(cells: list[str]) -> bool:
    """Whether the numbers of a column have a decimal comma; those that could be thousands alone do not tell."""
    cells = [cell for cell in cells if cell.strip() not in MISSING]
    numbers = all(COMMA.fullmatch(cell) or cell.strip().lstrip("+-").isdecimal() for cell in cells)
    return numbers and any(COMMA.fullmatch(cell) and not THOUSANDS.fullmatch(cell) for cell in cells)


def with_points(values: list) -> list:
    """Numbers as text with decimal points; other values as they are."""
    text = [value for value in values if isinstance(value, str)]
    if not text or not with_commas(text):
        return list(values)
    return [value.replace(",", ".") if isinstance(value, str) else value for value in values]


def vector_of(text: str) -> np.ndarray | None:
    """The numbers of a vector in text, or None if it is no vector."""
    stripped = text.strip()
    if "(" in stripped:  # as Python prints arrays and their entries
        stripped = re.sub(r"(np\.float\d+|array|tensor)\(|\)|dtype=[\w.]+", " ", stripped).strip()
    if sparse := SPARSE.fullmatch(stripped):
        return _sparse(*sparse.groups())
    bracketed = stripped.startswith(("[", "(", "{"))
    inner = stripped.strip("[](){} ")
    words = re.split(r"[\s;|]+", inner)
    if len(words) > 1 and all(map(COMMA.fullmatch, filter(None, words))):  # 0,1 0,2 or 0,1; 0,2
        parts = [word.replace(",", ".") for word in words if word]
    else:
        parts = stripped.translate(SEPARATORS).split()
    if not bracketed and (len(parts) < 2 or re.fullmatch(r"[^\s;,]+,[^\s;,]+", stripped)):
        return _encoded(stripped)  # a number, be it with a decimal comma, or bytes
    try:
        return np.array(parts, dtype=np.float64)
    except ValueError:
        return None


def _sparse(entries: str, width: str) -> np.ndarray | None:
    """A sparse vector as pgvector writes it."""
    out = np.zeros(int(width))
    try:
        for entry in filter(None, entries.split(",")):
            position, value = entry.split(":")
            out[int(position) - 1] = float(value)
    except (ValueError, IndexError):
        return None
    return out


def _encoded(text: str) -> np.ndarray | None:
    """The float32 numbers that an API sends as base64; at least eight, and none of them out of the ordinary."""
    if len(text) < 44 or len(text) % 4 or " " in text:
        return None
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return float32_of(data)


def float32_of(data: bytes) -> np.ndarray | None:
    """Bytes as float32 numbers, or None if some are out of the ordinary."""
    if len(data) % 4:
        return None
    numbers = np.frombuffer(data, "<f4")
    size = np.abs(numbers[numbers != 0])
    return numbers.astype(np.float64) if np.isfinite(size).all() and ((size > 1e-9) & (size < 1e6)).all() else None
