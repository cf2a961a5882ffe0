"""Checkpoints: what is kept of a training, and how it is gone on with."""

from __future__ import annotations

import io
import json
import math
import os
import random
import signal
import threading
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from helpers.training.settings import BUDGETS, COUNTED, SCHEDULES, Checkpoints, Progress

Run = Any  # of helpers.training.loop, which imports this module

NUMBERS = ("worse", "validated", "logged", "seed", "precision", "best", "counts", "losses")
"""Attributes of a run that are kept as they are, beside those with a state of their own."""

MISSING = object()


def progress_of(folder: str | os.PathLike[str]) -> Progress | None:
    """How far the training in a folder of :func:`train` has come at its last checkpoint; None if there is none.

    Examples
    --------
    >>> from helpers.training import progress_of
    >>> progress_of("no/such/folder") is None
    True
    """
    path = Path(folder) / "checkpoint.pt"
    if not path.exists():
        return None
    return Progress(**torch.load(path, weights_only=True, map_location="cpu", mmap=True)["progress"])


class Keeper:
    """The folder of a run."""

    def __init__(self, run: Run, checkpoints: Checkpoints):
        self.run, self.checkpoints = run, checkpoints
        self.path = Path(checkpoints.path) / "checkpoint.pt"
        self.log = Path(checkpoints.path) / "log.jsonl"
        self.at_start: dict[str, Any] | None = None
        self.step: int | None = None
        self.signal: int | None = None
        self.file: Any = None
        self.began = self.saved = time.perf_counter()

    @contextmanager
    def opened(self, rng: int | None) -> Iterator[None]:
        """Go on with what the folder holds, alone, and let signals wait for the end of a step."""
        from filelock import FileLock, Timeout

        lock = FileLock(self.path.with_name(".lock"), timeout=0)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout as error:
            raise RuntimeError(
                f"another process trains in {self.path.parent}; wait for it, or choose another folder"
            ) from error
        except OSError as error:
            raise OSError(
                f"folder is {str(self.path.parent)!r}, which cannot be written to ({error}); choose another one"
            ) from error
        self.about = _about(self.run, self.checkpoints, rng)
        try:
            self._resume()
            with self.log.open("ab") as self.file:
                if self.step is None:
                    self._check_loadable()
                    self.save()
                with self._deferred_signals():
                    yield
        finally:
            lock.release()

    @contextmanager
    def _deferred_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def note(number, frame):
            if self.signal is not None:  # the second one does not wait
                signal.signal(number, old[number])
                signal.raise_signal(number)
            self.signal = number

        numbers = [n for n in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(n) not in (signal.SIG_IGN, None)]
        old = {number: signal.signal(number, note) for number in numbers}
        try:
            yield
        finally:
            for number, handler in old.items():
                signal.signal(number, handler)
        if self.signal is not None:
            signal.raise_signal(self.signal)

    def begin_epoch(self) -> None:
        """Note the random states from which an interrupted epoch is made again."""
        self.at_start = random_states(self.run)

    def write(self, row: Mapping[str, Any]) -> None:
        """Append a row to the log."""
        self.file.write(json.dumps(row).encode() + b"\n")
        self.file.flush()

    def after_step(self) -> str | None:
        """Save if it is time to, or to stop; by what it is to be stopped."""
        now, pause, reason = time.perf_counter(), self.checkpoints.pause_after, None
        if self.signal is not None:
            reason = "signal"
        elif pause is not None and now - self.began >= 60 * pause and self.run.used_up() is None:
            reason = "pause"
        if reason is not None or now - self.saved >= 60 * self.checkpoints.every:
            self.save()
        return reason

    def save(self) -> None:
        """Write the state to a file that appears whole or not at all."""
        run = self.run
        run.check_losses()
        for weight in run.weights:
            if not torch.isfinite(weight.detach()).all():
                run.check_finite(run.progress.step, math.nan, "largest weight")
        run.tick()
        begun = run.iterator is not None
        content = content_of(run) | {
            "about": json.dumps(self.about),
            "progress": asdict(run.progress),
            "numbers": {name: getattr(run, name) for name in NUMBERS},
            "sums": {name: float(total) for name, total in run.sums.items()},
            "stopped": run.stopped,
            "best_weights": run.best_weights,
            "random": random_states(run),
            "at_start": self.at_start if begun else None,
            "rng": _plain(run.rng.bit_generator.state) if begun else None,
            "log": self.file.tell(),
        }
        draft = self.path.with_suffix(".tmp")
        with draft.open("wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, self.path)
        self.saved, self.step = time.perf_counter(), run.progress.step

    def _check_loadable(self) -> None:
        """A state that could not be read again is refused before hours of training depend on it."""
        content = content_of(self.run)
        parts = {f"state[{name!r}]": part for name, part in content.pop("state").items()} | content
        for name, part in parts.items():
            buffer = io.BytesIO()
            try:
                torch.save(part, buffer)
                buffer.seek(0)
                torch.load(buffer, weights_only=True)
            except Exception as error:
                raise TypeError(
                    f"the state_dict of {name} cannot be kept: it must hold tensors, numbers, strings, and lists and "
                    f"dicts of them ({str(error).strip().splitlines()[0][:200]})"
                ) from error

    def _resume(self) -> None:
        run = self.run
        if not self.path.exists():
            self.log.write_bytes(b"")
            return
        saved = torch.load(self.path, weights_only=True, map_location="cpu")
        self._check_same(json.loads(saved["about"]), saved["progress"])
        load_content(run, saved)
        for name, value in saved["numbers"].items():
            setattr(run, name, value)
        run.sums, run.best_weights = saved["sums"], saved["best_weights"]
        for name in COUNTED:
            setattr(run.progress, name, saved["progress"][name])
        run.before = run.progress.minutes, run.progress.cpu_minutes
        run.resumed_at = self.step = run.progress.step
        run.stopped = saved["stopped"]
        if run.stopped != "patience" and run.used_up() is None:
            run.stopped = None
        if run.stopped is None and saved["at_start"] is not None:
            self._remake_epoch(saved)
        set_random_states(run, saved["random"])
        self._cut_log(saved["log"])

    def _remake_epoch(self, saved: Mapping[str, Any]) -> None:
        run = self.run
        if keeps_state(run.batches):
            run.rng = np.random.default_rng()
            run.rng.bit_generator.state = _from_plain(saved["rng"])
            run.begin_epoch()
        else:
            set_random_states(run, saved["at_start"])
            run.begin_epoch(run.progress.batch)
            load_content(run, saved)
        self.at_start = saved["at_start"]

    def _cut_log(self, size: int) -> None:
        """Rows that were logged after the checkpoint will be logged again."""
        found = self.log.stat().st_size if self.log.exists() else 0
        if found < size:
            warnings.warn(f"{self.log} has lost rows from before step {self.run.progress.step}", stacklevel=2)
        elif found:
            os.truncate(self.log, size)
        if found:
            self.run.rows = [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines()]

    def _check_same(self, there: dict[str, Any], progress: Mapping[str, Any]) -> None:
        old, new = _flat(there), _flat(self.about)
        differ = [
            f"{name} is {old.get(name, 'missing')} there and {new.get(name, 'missing')} here"
            for name in [*old, *(name for name in new if name not in old)]
            if old.get(name, MISSING) != new.get(name, MISSING)
        ]
        if differ:
            more = f"; and {len(differ) - 5} more" if len(differ) > 5 else ""
            raise ValueError(
                f"{self.path.parent} holds another run: {'; '.join(differ[:5])}{more}. "
                "Choose another folder, or remove this one"
            )
        for name, limit in self.run.progress.budget.items():
            come = progress[BUDGETS[name]]
            if limit < come and progress["budget"].get(name) != limit:
                raise ValueError(
                    f"{name} is {limit:g}, but the run in {self.path.parent} has come to {come:g} {name} already"
                )


def content_of(run: Run) -> dict[str, Any]:
    """The states of everything in a run that has one."""
    return {
        "model": run.model.state_dict(),
        "optimizer": run.optimizer.state_dict(),
        "state": {name: value.state_dict() for name, value in run.state.items() if keeps_state(value)},
        "batches": run.batches.state_dict() if keeps_state(run.batches) else None,
    }


def load_content(run: Run, content: Mapping[str, Any]) -> None:
    """Set everything in a run that has a state to what :func:`content_of` gave."""
    run.model.load_state_dict(content["model"])
    run.optimizer.load_state_dict(content["optimizer"])
    for name, value in content["state"].items():
        run.state[name].load_state_dict(value)
    if content["batches"] is not None:
        run.batches.load_state_dict(content["batches"])


def keeps_state(value: Any) -> bool:
    """Whether something has a state that can be read and set."""
    return hasattr(value, "state_dict") and hasattr(value, "load_state_dict")


def random_states(run: Run) -> dict[str, Any]:
    """The states of all generators that a run may draw from."""
    generators = {name: v.bit_generator.state for name, v in run.state.items() if isinstance(v, np.random.Generator)}
    return {
        "torch": torch.get_rng_state(),
        "cuda": [torch.cuda.get_rng_state(device) for device in run.cuda],
        "numpy": _plain(np.random.get_state(legacy=False)),  # noqa: NPY002
        "python": json.dumps(random.getstate()),
        "generators": _plain(generators),
    }


def set_random_states(run: Run, states: Mapping[str, Any]) -> None:
    """Set all generators to what :func:`random_states` gave."""
    torch.set_rng_state(states["torch"])
    for device, value in zip(run.cuda, states["cuda"], strict=False):
        torch.cuda.set_rng_state(value, device)
    np.random.set_state(_from_plain(states["numpy"]))  # noqa: NPY002
    version, numbers, gauss = json.loads(states["python"])
    random.setstate((version, tuple(numbers), gauss))
    for name, value in _from_plain(states["generators"]).items():
        run.state[name].bit_generator.state = value


def _about(run: Run, checkpoints: Checkpoints, rng: int | None) -> dict[str, Any]:
    """What must be the same for a run to go on."""
    settings = {name: _named(value) for name, value in vars(run.update).items()}
    if run.update.schedule in SCHEDULES[1:]:
        settings["budget"] = dict(run.progress.budget)
    if run.validation is not None and run.validation.patience is not None:  # else it decides no weight
        settings |= {"validation every": run.validation.every, "patience": run.validation.patience}
    for number, group in enumerate(run.optimizer.param_groups):
        options = {name: _named(value) for name, value in group.items() if name not in ("params", "initial_lr")}
        settings[f"parameter group {number}"] = options | {"tensors": len(group["params"])}
    about = {
        "rng": rng,
        "optimizer": type(run.optimizer).__name__,
        **settings,
        "state": sorted(run.state),
        "parameter": {name: list(weight.shape) for name, weight in run.model.named_parameters()},
        "about": dict(checkpoints.about),
    }
    return json.loads(json.dumps(about, default=str))


def _named(value: Any) -> Any:
    return getattr(value, "__qualname__", type(value).__name__) if callable(value) else value


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, value in values.items():
        inside = isinstance(value, Mapping)
        out |= _flat(value, f"{prefix}{name} ") if inside else {f"{prefix}{name}": value}
    return out


def _plain(state: Any) -> str:
    """The state of NumPy generators as text, whole numbers of any size included."""
    return json.dumps(state, default=lambda value: {"array": value.tolist(), "dtype": value.dtype.str})


def _from_plain(text: str) -> Any:
    def revive(found: dict[str, Any]) -> Any:
        return np.array(found["array"], found["dtype"]) if set(found) == {"array", "dtype"} else found

    return json.loads(text, object_hook=revive)
