"""Drawing items by hashes, so that equal data give equal draws whatever their order."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

__all__ = ["SPLITS", "digest", "held_out", "nearest", "revision"]

SPLITS = ("train", "validation", "test")


def digest(*parts: str) -> str:
    """The SHA-256 of several strings."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def revision(data: Mapping[str, Any]) -> str:
    """Forty digits that tell the data of a task: all splits with every text and label, in their order."""

    def plain(part: Any) -> Any:
        if hasattr(part, "to_dict"):
            return part.to_dict()
        return {key: plain(value) for key, value in sorted(part.items())} if isinstance(part, Mapping) else part

    return digest(json.dumps(plain(data), ensure_ascii=False))[:40]


def held_out(texts: Sequence[str], labels: Sequence, tested: Sequence[str], n: int) -> tuple[list[int], list[int]]:
    """Rows of train that stay, and those that become validation: of each label as many, n in all at most.

    Rows whose text is among the tested ones, in whatever case, are in neither; equal texts stay together in train.
    """
    keys, taken = [text.strip().lower() for text in texts], {text.strip().lower() for text in tested}
    often: dict[str, int] = {}
    for key in keys:
        often[key] = often.get(key, 0) + 1
    by_label: dict = {}
    for row, (key, label) in enumerate(zip(keys, labels, strict=True)):
        if key not in taken and often[key] == 1:
            by_label.setdefault(label, []).append(row)
    each = n // max(1, len(by_label))
    chosen = {row for rows in by_label.values() for row in sorted(rows, key=lambda i: digest(texts[i]))[:each]}
    return [row for row, key in enumerate(keys) if key not in taken and row not in chosen], sorted(chosen)


def nearest(
    texts: Sequence[str], others: Sequence[str], forbidden: Callable[[int], np.ndarray], below: float = 1.0
) -> list[int]:
    """For each text the lexically nearest other, by the cosine of TF-IDF; −1 if all are forbidden.

    ``forbidden`` says for the text of a number, as an array of booleans, which others it may not have; nor may it have
    those with a cosine of ``below`` or more.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    weights = TfidfVectorizer(sublinear_tf=True, token_pattern=r"(?u)\b\w+\b").fit([*texts, *others])
    documents, found = weights.transform(others).T.tocsc(), []
    block = 256
    for start in range(0, len(texts), block):
        similarity = (weights.transform(texts[start : start + block]) @ documents).toarray().round(12)
        for i, row in enumerate(similarity, start):
            row[forbidden(i) | (row >= below)] = -1
            best = int(row.argmax())
            found.append(best if row[best] >= 0 else -1)
    return found
