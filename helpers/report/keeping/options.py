"""The options that one has: subsets of the embeddings, ways to combine them, widths and kinds of storage."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from helpers.quantization import QUANTIZERS, bytes_of

__all__ = [
    "CONCATENATION",
    "FUSIONS",
    "LARGEST",
    "RANKS",
    "SCORES",
    "SINGLE",
    "TEXT",
    "Option",
    "list_options",
    "widths_of",
]

#: Embeddings of which all subsets are tried.
LARGEST = 6
SINGLE, CONCATENATION = "single", "concatenation"
#: Ways to make one vector of several.
FUSIONS = (CONCATENATION, "concatenation + PCA", "QP + PCA", "Procrustes mean")
#: Ways to combine what several searches found.
RANKS, SCORES = "reciprocal rank fusion", "score fusion"
#: What BM25 is called among the embeddings; it needs no encoder.
TEXT = "BM25"


@dataclass(frozen=True)
class Option:
    """One way to store and use some of the embeddings.

    Attributes
    ----------
    embeddings
        Names of those that are kept.
    fusion
        ``"single"``, one of :data:`FUSIONS`, or, for search, ``"reciprocal rank fusion"`` or ``"score fusion"``.
    width
        Numbers of each object's vector; of all its vectors, where searches are fused.
    storage
        ``"float32"``, ``"int8"`` or ``"binary"``.
    size
        Bytes of each object.
    """

    embeddings: tuple[str, ...]
    fusion: str
    width: int
    storage: str
    size: int

    @property
    def encoders(self) -> int:
        """How many encoders have to run."""
        return sum(name != TEXT for name in self.embeddings)

    def __str__(self) -> str:
        how = "" if self.fusion == SINGLE else f", {self.fusion}"
        return f"{' + '.join(self.embeddings)}{how}, {self.width} × {self.storage}"


def subsets(names: Sequence[str]) -> Iterable[tuple[str, ...]]:
    """All subsets but the empty one, the smaller first."""
    for size in range(1, len(names) + 1):
        yield from combinations(names, size)


def widths_of(full: int) -> list[int]:
    """The full width, half and a quarter of it."""
    return list(dict.fromkeys(max(1, full // part) for part in (1, 2, 4)))


def list_options(names: Sequence[str], widths: Sequence[int], *, most: int, text_bytes: int | None = None,
                 search: bool = False) -> list[Option]:  # fmt: skip
    """Every option for embeddings of these widths.

    Parameters
    ----------
    names, widths
        Names and numbers of features of the embeddings, at most 6.
    most
        Principal axes that the training rows allow.
    search
        Whether searches can be fused, too.
    text_bytes
        Bytes of each object in the index of BM25, if there are texts to search.

    Returns
    -------
    list of Option
        Single embeddings at their own width, half and a quarter of it; combinations at the width of the widest of all
        embeddings, half and a quarter of it; plain concatenation at its own width alone. All in every storage.

    Raises
    ------
    ValueError
        If there are more than 6 embeddings.

    Examples
    --------
    >>> from helpers.report.keeping import list_options
    >>> options = list_options(["a", "b"], [8, 4], most=100)
    >>> len(options), str(options[0])
    (48, 'a, 8 × float32')
    """
    if len(names) > LARGEST:
        raise ValueError(f"there are {len(names)} embeddings; all subsets are tried of {LARGEST} at most: name those")
    of = dict(zip(names, widths, strict=True))
    found = []

    def add(subset: tuple[str, ...], fusion: str, sizes: Iterable[int]) -> None:
        for width in sizes:
            found.extend(Option(subset, fusion, width, one, bytes_of(one, width)) for one in QUANTIZERS)

    for subset in subsets(names):
        total = sum(of[name] for name in subset)
        if len(subset) == 1:
            add(subset, SINGLE, [w for w in widths_of(total) if w == total or w <= most])
            continue
        add(subset, CONCATENATION, [total])
        full = min(max(widths), total, most)
        for fusion in FUSIONS[1:]:
            add(subset, fusion, widths_of(min(full, max(of[name] for name in subset)) if "mean" in fusion else full))
    return found + (_of_search(names, of, text_bytes) if search else [])


def _of_search(names: Sequence[str], of: dict[str, int], text_bytes: int | None) -> list[Option]:
    """Searches of which results are fused; with texts also those of BM25."""
    found = []
    more = [(), (TEXT,)] if text_bytes is not None else [()]
    if text_bytes is not None:
        found.append(Option((TEXT,), SINGLE, 0, "float32", text_bytes))
    for subset in subsets(names):
        for text in more:
            if len(subset) + len(text) < 2:
                continue
            for storage in QUANTIZERS:
                size = sum(bytes_of(storage, of[name]) for name in subset) + (text_bytes or 0) * len(text)
                width = sum(of[name] for name in subset)
                found.extend(Option((*subset, *text), fusion, width, storage, size) for fusion in (RANKS, SCORES))
    return found
