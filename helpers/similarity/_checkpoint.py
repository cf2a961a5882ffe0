"""A file that keeps the values of an unfinished matrix of topology."""

from __future__ import annotations

import json
import os
from pathlib import Path

__all__ = ["ValueLog"]


class ValueLog:
    """Values of an unfinished matrix: a line that tells what they are of, then a line for each."""

    def __init__(self, path: Path, digest: str) -> None:
        self.path = path
        self.values: list[tuple[int, int, int, float]] = []
        text = path.read_text() if path.exists() else ""
        # A run that was killed may have left half a line behind.
        whole = text[: text.rfind("\n") + 1]
        lines = whole.splitlines()
        if lines:
            try:
                found = json.loads(lines[0])["rtd_matrix"]
                self.values = [tuple(json.loads(line)) for line in lines[1:]]
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(f"checkpoint {path} is not a checkpoint of rtd_matrix; choose another file") from error
            if found != digest:
                raise ValueError(
                    f"checkpoint {path} belongs to other representations or options; choose another file or delete it"
                )
            if whole != text:
                os.truncate(path, len(whole.encode()))
        elif text and not text.startswith('{"rtd_matrix"'):
            raise ValueError(f"checkpoint {path} is not a checkpoint of rtd_matrix; choose another file")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps({"rtd_matrix": digest}) + "\n")

    def append(self, subset: int, i: int, j: int, value: float) -> None:
        with self.path.open("a") as file:
            file.write(json.dumps([subset, i, j, value]) + "\n")
