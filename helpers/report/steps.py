"""Long work in steps: each is kept on disk, so that a stopped report goes on where it was, and says what is left."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from helpers.report.defaults import COMPARED
from helpers.report.evaluation import TargetEvaluation
from helpers.report.keeping.options import LARGEST

__all__ = ["StepProgress", "Steps", "expected_seconds"]


class StepProgress(NamedTuple):
    """What a report is at.

    ``state`` is ``"running"``, ``"done"``, ``"kept"`` (the step was done before) or ``"waiting"``, in which case
    ``step`` says for what. ``seconds_left`` is how long all steps that are left will take, or ``None`` where that is
    not known.
    """

    step: str
    state: str
    seconds_left: float | None = None


class Steps:
    """Calls functions by name and keeps what they give.

    Parameters
    ----------
    folder
        Folder in which results are kept; ``None`` keeps nothing.
    digest
        Digest of the input and of all settings: results of another digest are not used, and neither are those of
        another version of this package's code.
    expected
        Name of each step → seconds that it is expected to take.
    progress
        Called with a :class:`StepProgress` when a step begins, when it ends, and when it was kept.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     first = Steps(folder, "abc", {"sum": 1.0})("sum", lambda: 1 + 1)
    ...     again = Steps(folder, "abc", {"sum": 1.0})("sum", lambda: 1 / 0)
    >>> first, again
    (2, 2)
    """

    def __init__(
        self,
        folder: str | os.PathLike[str] | None = None,
        digest: str = "",
        expected: Mapping[str, float] | None = None,
        progress: Callable[[StepProgress], object] | None = None,
    ):
        self.folder = None if folder is None else Path(folder)
        self.key = hashlib.sha256(f"{digest} {_code()}".encode()).hexdigest()[:16]
        self.left = dict(expected or {})
        self.planned = self.spent = 0.0
        self.progress = progress

    def __call__(self, what: str, function: Callable[[], Any]) -> Any:
        """What ``function()`` gives, or gave before."""
        seconds = self.left.get(what, 1.0)
        place = None
        if self.folder is not None:
            place = self.folder / hashlib.sha256(f"{self.key} {what}".encode()).hexdigest()[:16]
            if (place / "value.json").is_file():
                self.left.pop(what, None)
                value = _loaded(place)
                self._tell(what, "kept")
                return value
        self._tell(what, "running")
        began = time.monotonic()
        value = function()
        self.planned, self.spent = self.planned + seconds, self.spent + time.monotonic() - began
        self.left.pop(what, None)
        if place is not None:
            _store(value, place)
        self._tell(what, "done")
        return value

    def remaining(self) -> float:
        """Seconds that the steps left will take, by what the steps so far took of what was expected of them."""
        pace = self.spent / self.planned if self.planned > 1 else 1.0
        return sum(self.left.values()) * pace

    def _tell(self, what: str, state: str) -> None:
        if self.progress is not None:
            self.progress(StepProgress(what, state, self.remaining()))


def expected_seconds(
    n: int,
    widths: Sequence[int],
    kind: str | None,
    folds: int,
    n_objects: int,
    what_to_keep: bool = False,
    versions: bool = False,
) -> dict[str, float]:
    """Seconds of each step of a report on two cores, roughly.

    Parameters
    ----------
    n, widths
        Objects, and features of each embedding.
    kind
        ``"labels"``, ``"pairs"``, ``"qrels"`` or ``None``.
    folds, n_objects
        Number of folds, and of objects on which embeddings are compared.
    what_to_keep
        Whether all subsets are tried.
    versions
        Whether two of the embeddings are compared as versions of one.
    """
    few, total, size = min(n, n_objects), sum(widths) / 1000, len(widths)
    out = {
        "what was read": 1 + 6 * few / 4000 * sum((w / 768) ** 2 for w in widths),
        "diagnosis": 0.5 + 0.3 * size,
        "similarity": 3 + (few / 4000) ** 2 * (5 * total + 0.3 * size**2),
        "which are redundant": 1 + 0.4 * size**2 * min(few, 2000) / 2000,
    }
    if versions:
        out["what changed between versions"] = 2 + 15 * min(n, COMPARED) / COMPARED * (max(widths) / 384) ** 1.5
    pass_over = n / 1e4 * total**2 * 0.3
    if kind == "labels":
        out["quality inside the training folds"] = (
            1 + pass_over + 0.25 * folds**2 / 2 * sum((w / 768) ** 3 for w in widths)
        )
    each = 0.5 + 0.3 * total**3 + 0.2 * pass_over if kind == "labels" else 1 + 4 * pass_over + total**3
    out |= {f"ensembles on fold {k + 1} of {folds}": each for k in range(folds if kind else 0)}
    out["the ensemble of all objects"] = 2 + pass_over + 0.15 * total**3
    if what_to_keep:
        most = sorted(widths)[-LARGEST:]  # of more no subsets are tried
        joined = [sum(some) / 1000 for k in range(len(most)) for some in itertools.combinations(most, k + 1)]
        out["what to keep"] = sum(0.1 + 4.5 * n / 1e4 * width**2 for width in joined)
    return out


def _code() -> str:
    """Changes whenever the code of this package does."""
    total = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        total.update(path.read_bytes())
    return total.hexdigest()


def _store(value: Any, place: Path) -> None:
    """Tables as Parquet, arrays as NumPy files, the rest as JSON; there as a whole or not at all."""
    place.parent.mkdir(parents=True, exist_ok=True)
    # Another process may be making the same report.
    draft = Path(tempfile.mkdtemp(prefix=f".{place.name}-", dir=place.parent))
    count = iter(range(10_000))

    def packed(part: Any) -> Any:
        import pandas as pd

        if isinstance(part, pd.DataFrame):
            name = f"{next(count)}.parquet"
            part.to_parquet(draft / name)
            return {"frame": name}
        if isinstance(part, np.ndarray):
            name = f"{next(count)}.npy"
            np.save(draft / name, part, allow_pickle=False)
            return {"array": name}
        if isinstance(part, TargetEvaluation):
            return {"evaluation": {f.name: packed(getattr(part, f.name)) for f in dataclasses.fields(part)}}
        if isinstance(part, dict):
            return {"dict": {name: packed(one) for name, one in part.items()}}
        return {"plain": part}

    (draft / "value.json").write_text(json.dumps(packed(value)), encoding="utf-8")
    try:
        draft.rename(place)
    except OSError:
        if not (place / "value.json").is_file():
            raise
        shutil.rmtree(draft, ignore_errors=True)


def _loaded(place: Path) -> Any:
    def unpacked(part: dict) -> Any:
        import pandas as pd

        ((kind, content),) = part.items()
        if kind == "frame":
            return pd.read_parquet(place / content)
        if kind == "array":
            return np.load(place / content, allow_pickle=False)
        if kind == "evaluation":
            return TargetEvaluation(**{name: unpacked(one) for name, one in content.items()})
        return {name: unpacked(one) for name, one in content.items()} if kind == "dict" else content

    return unpacked(json.loads((place / "value.json").read_text(encoding="utf-8")))
