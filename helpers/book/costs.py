"""What executing a chapter costs: recorded seconds and peak memory, and the estimate for the next run."""

from __future__ import annotations

import csv
import datetime
import os
import platform
import re
import threading
import time
from pathlib import Path

from helpers.book.runs import Outcome, Run, execute_all
from helpers.locations import DATA

__all__ = [
    "RECORD",
    "expected_seconds",
    "last_seconds",
    "read_costs",
    "record_costs",
    "recorded_seconds",
    "update_table",
]

#: One row per chapter: what ``python -m helpers run --record`` measured last.
RECORD = DATA / "results" / "chapters.csv"
_FIELDS = ["chapter", "seconds", "peak_mb", "cores", "machine", "date"]


def read_costs(path: Path = RECORD) -> dict[str, dict[str, str]]:
    """The recorded costs: chapter → row; empty if nothing was recorded yet."""
    if not path.exists():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        return {row["chapter"]: row for row in csv.DictReader(file)}


def expected_seconds(run: Run, default: float = 30.0) -> float:
    """How long a run will take: as long as its last time here, else as recorded for its chapter, else ``default``."""
    return last_seconds(run) or recorded_seconds(run, default)


def last_seconds(run: Run) -> float:
    """How long a run took the last time here; 0 if it never ran."""
    from helpers.book.runs import about_run

    return float(about_run(run.output).get("seconds") or 0)


def recorded_seconds(run: Run, default: float = 30.0) -> float:
    """How long the chapter of a run takes by the record, else ``default``."""
    return float(read_costs().get(run.notebook.stem, {}).get("seconds") or default)


def record_costs(runs: list[Run], path: Path = RECORD) -> None:
    """Execute each run alone and write its seconds and the peak memory of its processes.

    Raises
    ------
    RuntimeError
        If a run fails; what was measured before is kept.
    """
    rows = read_costs(path)
    for run in runs:
        with _PeakMemory() as peak:
            (outcome,) = execute_all([run], force=True)
        if outcome.status == "failed":
            raise RuntimeError(f"{run.notebook.name}: {outcome.error}")
        rows[run.notebook.stem] = _row(outcome, peak.megabytes)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, _FIELDS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(sorted(rows.values(), key=lambda row: row["chapter"]))
        print(f"{run.notebook.stem}: {outcome.seconds:.0f} s, {peak.megabytes:.0f} MB")


def update_table(page: Path = RECORD.parents[2] / "README.md", path: Path = RECORD) -> None:
    """Write the recorded minutes and megabytes into the last two columns of the README's table of chapters."""
    rows = read_costs(path)

    def cells(match: re.Match) -> str:
        row = rows.get(match["chapter"])
        if row is None:
            return match[0]
        return f"{match['before']} {float(row['seconds']) / 60:.1f} | {row['peak_mb']} MB |"

    text = page.read_text(encoding="utf-8")
    pattern = r"(?P<before>^\|[^|\n]*\(notebooks/(?P<chapter>\w+)\.ipynb\)[^|\n]*\|[^|\n]*\|)[^|\n]*\|[^|\n]*\|"
    page.write_text(re.sub(pattern, cells, text, flags=re.MULTILINE), encoding="utf-8")


def _row(outcome: Outcome, megabytes: float) -> dict[str, str]:
    return {
        "chapter": outcome.run.notebook.stem,
        "seconds": f"{outcome.seconds:.0f}",
        "peak_mb": f"{megabytes:.0f}",
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "machine": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "date": datetime.date.today().isoformat(),
    }


class _PeakMemory:
    """The largest resident memory of all child processes together, sampled five times a second."""

    def __enter__(self):
        self.megabytes, self._over = 0.0, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        import psutil

        me = psutil.Process()
        while not self._over.is_set():
            total = 0
            for child in me.children(recursive=True):
                try:
                    total += child.memory_info().rss
                except psutil.Error:
                    pass
            self.megabytes = max(self.megabytes, total / 1e6)
            time.sleep(0.2)
