"""What a training is told, and what it tells."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from helpers.arrays import check_count

__all__ = ["Checkpoints", "Log", "Progress", "Trained", "Update", "Validation"]

BUDGETS = {"steps": "step", "epochs": "epoch", "tokens": "tokens", "minutes": "minutes"}
COUNTED = ("step", "epoch", "batch", "tokens", "minutes", "cpu_minutes")
SCHEDULES = ("constant", "linear", "cosine")
PRECISIONS = ("float32", "bfloat16", "auto")


@dataclass
class Progress:
    """How far a training has come.

    Attributes
    ----------
    step
        Updates of the weights so far.
    epoch
        Epochs that are finished.
    batch, batches
        Batches of the present epoch that are done, and how many it has; 0 where that is not known.
    tokens
        Tokens so far, as ``count`` of :func:`train` counts them; 0 without it.
    minutes, cpu_minutes
        Minutes of wall clock and of processor over all sittings, without the work that a kill has lost.
    """

    step: int = 0
    epoch: int = 0
    batch: int = 0
    batches: int = 0
    tokens: int = 0
    minutes: float = 0.0
    cpu_minutes: float = 0.0
    budget: dict[str, float] = field(default_factory=dict, repr=False)

    @property
    def share(self) -> float:
        """Share of the budget that is used, in [0, 1]; of several budgets the one nearest to its end."""
        within = self.batch / self.batches if self.batches else 0.0
        come = {"steps": self.step, "epochs": self.epoch + within, "tokens": self.tokens, "minutes": self.minutes}
        return min(1.0, max(come[name] / limit if limit else 1.0 for name, limit in self.budget.items()))


@dataclass(frozen=True)
class Update:
    """How a gradient becomes an update.

    Parameters
    ----------
    schedule
        What the learning rates of the optimiser are multiplied by: ``"constant"``; ``"linear"``, from 1 to 0, or
        ``"cosine"``, (1 + cos πs)/2, over the share s of the budget that is used; or a function of a
        :class:`Progress`, which replaces the warm-up too.
    warmup
        Steps over which the rates rise from 0, in proportion.
    clip
        Largest Euclidean norm of the gradient of all parameters; a longer one is shortened to it. None: not clipped.
    accumulate
        Batches whose mean gradient makes one update; the last update of an epoch may have fewer. Losses that compare
        the rows of a batch (contrastive ones) still see one batch at a time.
    precision
        ``"float32"``; ``"bfloat16"``: automatic casting on a GPU, and on a CPU :func:`bfloat16_products`; weights and
        optimiser stay in single precision. ``"auto"`` times both on the first batch and takes bfloat16 if it needs
        less than 90 % of the time; the choice is kept in the checkpoint.
    """

    schedule: str | Callable[[Progress], float] = "constant"
    warmup: int = 0
    clip: float | None = None
    accumulate: int = 1
    precision: str = "float32"

    def __post_init__(self):
        if not callable(self.schedule) and self.schedule not in SCHEDULES:
            raise ValueError(f"schedule is {self.schedule!r}; it is one of {', '.join(SCHEDULES)}, or a function")
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision is {self.precision!r}; it is one of {', '.join(PRECISIONS)}")
        check_count(self.warmup, "warmup", least=0)
        check_count(self.accumulate, "accumulate")
        if self.clip is not None and not 0 < self.clip < math.inf:
            raise ValueError(f"clip is {self.clip!r}; a norm above 0 is needed, or None")

    def factor(self, progress: Progress) -> float:
        """What the learning rates are multiplied by in the step to come."""
        if callable(self.schedule):
            return self.schedule(progress)
        factor = min(1.0, (progress.step + 1) / self.warmup) if self.warmup else 1.0
        if self.schedule == "linear":
            factor *= 1 - progress.share
        elif self.schedule == "cosine":
            factor *= (1 + math.cos(math.pi * progress.share)) / 2
        return factor


@dataclass(frozen=True)
class Validation:
    """What says how good the weights are, and when to stop.

    Parameters
    ----------
    function
        Without arguments; called without gradients and in evaluation mode. It gives the loss on held-out rows, less is
        better, or a dict with that as ``"loss"``; the other entries are logged.
    every
        Steps between two validations; None: after each epoch. One is made before the first step and one at the end.
    patience
        Number of validations in a row without a new least loss after which training stops. It goes back to the weights
        of the least one, also where the budget ends it. None: validations are only logged.
    """

    function: Callable[[], float | Mapping[str, float]]
    every: int | None = None
    patience: int | None = None

    def __post_init__(self):
        for name in ("every", "patience"):
            if getattr(self, name) is not None:
                check_count(getattr(self, name), name)


@dataclass(frozen=True)
class Checkpoints:
    """Where a training is kept, so that it can be stopped at any time.

    Parameters
    ----------
    path
        Folder of ``checkpoint.pt`` and ``log.jsonl``, made if need be.
    every
        Minutes between two checkpoints; 0 for one after each step.
    pause_after
        Minutes of this call after which it saves and returns, to be gone on with; None: to the end.
    about
        What else makes this run another one than others (data, loss, model), of plain values: going on with a
        different one is refused.
    """

    path: str | os.PathLike[str]
    every: float = 5.0
    pause_after: float | None = None
    about: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        for name in ("every", "pause_after"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise ValueError(f"{name} is {value!r}; minutes of at least 0 are needed")


@dataclass(frozen=True)
class Log:
    """What is reported.

    Parameters
    ----------
    every
        Steps between two rows; a validation makes a row too.
    call
        Called with each row, a dict, for instance ``print``.
    progress
        Whether a bar is shown, if standard error is a console.
    """

    every: int = 50
    call: Callable[[dict[str, Any]], Any] | None = None
    progress: bool = False

    def __post_init__(self):
        check_count(self.every, "every")


@dataclass(frozen=True)
class Trained:
    """What a training came to; the weights are those of the model that was given.

    Attributes
    ----------
    done
        Whether it has come to its end; if not, the same call goes on.
    stopped
        What stopped it: ``"steps"``, ``"epochs"``, ``"tokens"`` or ``"minutes"``, the budget that ended;
        ``"patience"``; for one to go on with, ``"pause"`` or ``"signal"``.
    step, epoch, batch, tokens, minutes, cpu_minutes
        Totals over all sittings, in the units of :class:`Progress`.
    resumed_at
        The step at which this call went on; 0 if it began.
    precision
        ``"float32"`` or ``"bfloat16"``.
    losses
        Means of the entries of the loss over the batches since the last row of the log that has them, or in that row if
        none came since.
    best
        The row of the log with the least validation loss; None without validation.
    log
        A dict for each row: ``step``, ``epoch``, ``tokens``, ``minutes``, ``cpu_minutes``, ``rate`` (learning rate of
        the first parameter group), ``loss`` and the other entries of the loss (means over the batches since the row
        before), and where it was validated ``validation`` and ``validation_NAME``.
    """

    done: bool
    stopped: str
    step: int
    epoch: int
    batch: int
    tokens: int
    minutes: float
    cpu_minutes: float
    resumed_at: int
    precision: str
    losses: dict[str, float]
    best: dict[str, Any] | None
    log: list[dict[str, Any]] = field(repr=False)
