"""Codes of embeddings that are no floating-point numbers: int8 and uint8, packed bits, bits of bfloat16."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

SAMPLE = 2000  # rows that decide what codes are
LEAST = 100, 8  # rows and columns without which only the name decides
PACKED = {"binary", "ubinary", "packed", "packbits", "bits"}
WHOLE = {"int8", "uint8", "i8", "u8", "counts", "pixels"}
BRAIN = {"bf16", "bfloat16"}
#: Arrays beside codes by which these become numbers: (codes - zero point) * scale.
SCALES, ZEROS = ("scale", "scales"), ("zero_point", "zero_points", "zero")


class Decoder(NamedTuple):
    """How codes become numbers."""

    width: int
    note: str  # for the report
    decode: Callable[[np.ndarray, int], np.ndarray]  # a block and the number of its first row


def decoder_of(
    sample: np.ndarray, name: str, beside: Mapping[str, np.ndarray] | None = None, rows: int = 0
) -> Decoder | None:
    """How the codes of which these are the first rows become numbers; None if they are numbers.

    ``beside`` are arrays of the same file, which may hold ``scale`` and ``zero_point``.
    """
    words = set(re.split(r"[^a-z0-9]+", name.lower()))
    width = sample.shape[1]
    if sample.dtype == np.uint16:
        if words & BRAIN or _are_bfloat16(sample):
            return Decoder(width, "uint16 holds the bits of bfloat16, read as such", _from_bfloat16)
        return None
    if sample.dtype.kind == "f" and words & PACKED and _are_bytes(sample):  # numbers of a text format
        sample = sample.astype(np.int16)
        sample = sample.astype(np.int8 if sample.min() < 0 else np.uint8)
    if sample.dtype not in (np.int8, np.uint8):
        return None
    if sample.min() >= -1 and sample.max() <= 1:
        return None  # bits, one a byte
    if words & PACKED or (not words & WHOLE and _are_packed(sample)):
        note = (
            f"{width} bytes a row are {8 * width} packed bits, read as -1 and 1: cosine then orders pairs as the "
            f"Hamming distance does (if these are {sample.dtype} codes, call it by a name with {sample.dtype} in it)"
        )
        return Decoder(8 * width, note, _unpacked_signs)
    return _scaled(sample, beside or {}, rows)


def from_bfloat16(bits: np.ndarray) -> np.ndarray:
    """The float32 numbers whose upper halves are these bits."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def _from_bfloat16(block: np.ndarray, start: int) -> np.ndarray:
    return from_bfloat16(block)


def _unpacked_signs(block: np.ndarray, start: int) -> np.ndarray:
    whole = np.ascontiguousarray(block.astype(np.int16) & 0xFF).astype(np.uint8)
    return np.unpackbits(whole, axis=1).astype(np.float32) * 2 - 1


def _scaled(sample: np.ndarray, beside: Mapping[str, np.ndarray], rows: int) -> Decoder:
    """Quantised numbers times the scale that lies beside them, or as they are."""
    width, kind = sample.shape[1], sample.dtype
    found = {}
    for role, names in {"scale": SCALES, "zero": ZEROS}.items():
        for name in names:
            if name in beside and np.asarray(beside[name]).size in (1, width, rows):
                found[role] = name, np.asarray(beside[name], dtype=np.float64).ravel()
    centre = 128 if kind == np.uint8 and "zero" not in found and _about_128(sample) else 0
    if "scale" in found:
        words = " and ".join(f"{name!r}" for name, _ in found.values())
        note = f"{kind} codes, decoded by {words} of the same file"
    else:
        note = f"{kind} codes as they are: no scale lies beside them, which changes no cosine if there is one scale"
    note += "; 128 taken away, as int8 has it" * bool(centre)

    def decode(block: np.ndarray, start: int) -> np.ndarray:
        out = block.astype(np.float64) - centre
        for role, apply in (("zero", np.subtract), ("scale", np.multiply)):
            if role in found:
                values = found[role][1]
                by_row = values.size == rows != width and values.size != 1
                out = apply(out, values[start : start + len(block), None] if by_row else values)
        return out.astype(np.float32)

    return Decoder(width, note, decode)


def _are_packed(sample: np.ndarray) -> bool:
    """Whether bytes look like packed bits.

    Quantised numbers have one peak: most lie within 64 of the median of their column, 89 % of a normal distribution
    with a standard deviation of 40. Of eight independent fair bits half do, as the byte is uniform.
    """
    if len(sample) < LEAST[0] or sample.shape[1] < LEAST[1]:
        return False
    values = sample.astype(np.int16)
    return bool((np.abs(values - np.median(values, axis=0)) < 64).mean() < 0.75)


def _about_128(sample: np.ndarray) -> bool:
    medians = np.median(sample, axis=0)
    return bool(((medians > 64) & (medians < 192)).mean() > 0.9)


def _are_bytes(sample: np.ndarray) -> bool:
    whole = np.isfinite(sample).all() and (sample == np.round(sample)).all()
    return bool(whole and sample.min() >= -128 and sample.max() <= 255 and np.ptp(sample) <= 255)


def _are_bfloat16(sample: np.ndarray) -> bool:
    """Whether whole numbers of 16 bits read as bfloat16 are of ordinary size and of both signs.

    The exponents of 2^-24 to 2^10 are 34 of 256: counts, and numbers that are spread evenly, are not among them.
    """
    if sample.size < LEAST[0]:
        return False
    size = np.abs(from_bfloat16(sample))
    ordinary = ((size > 2.0**-24) & (size < 2.0**10)) | (size == 0)
    negative = (sample >> 15).mean()
    return bool(ordinary.mean() > 0.999 and 0.01 < negative < 0.99 and (size > 0).mean() > 0.5)
