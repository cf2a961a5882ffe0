"""The loop itself."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import asdict
from itertools import islice
from typing import Any

import numpy as np
import torch

from helpers.arrays import check_count, check_not_negative
from helpers.training._keeping import Keeper, content_of, keeps_state, load_content, random_states, set_random_states
from helpers.training.batches import Batches
from helpers.training.precision import bfloat16_products
from helpers.training.settings import BUDGETS, COUNTED, Checkpoints, Log, Progress, Trained, Update, Validation

__all__ = ["train"]

UNFINISHED = ("pause", "signal")

PAYS = 0.9
"""Share of the time in single precision below which ``precision="auto"`` takes bfloat16."""


def train(
    model: torch.nn.Module,
    loss: Callable[[Any, int], torch.Tensor | Mapping[str, Any] | None],
    batches: Batches,
    *,
    steps: int | None = None,
    epochs: int | None = None,
    tokens: float | None = None,
    minutes: float | None = None,
    optimizer: torch.optim.Optimizer | None = None,
    update: Update = Update(),  # noqa: B008 (frozen)
    after_step: Callable[[int], Any] | None = None,
    validation: Validation | Callable[[], Any] | None = None,
    state: Mapping[str, Any] | None = None,
    count: Callable[[Any], int] | None = None,
    rng: int | np.random.Generator | None = 0,
    folder: str | os.PathLike[str] | Checkpoints | None = None,
    log: Log = Log(),  # noqa: B008 (frozen)
) -> Trained:
    """Train a model, in place, until a budget ends or validation stops improving.

    Parameters
    ----------
    model
        What is trained, on the device where it is; several modules as a :class:`torch.nn.ModuleDict`. It is in
        training mode while this lasts.
    loss
        Function of a batch and the number of updates so far, for instance for a temperature that falls. It gives a
        tensor without dimensions, or a dict with that as ``"loss"`` and other numbers to be logged, or None for a
        batch that has nothing to learn from.
    batches
        Function of a generator and the number of the epoch (from 0) that gives the batches of that epoch; see
        :func:`shuffled` and :func:`bucketed`. An interrupted epoch is made again, from the same random states, and
        its first batches are passed over, at no cost if it is a sequence. Batches that depend on the weights (mined
        negatives) are an object with ``state_dict`` and ``load_state_dict``: it keeps its place itself, and gives the
        rest of the epoch after loading.
    steps, epochs, tokens, minutes
        Budgets; the first to be used up ends the training. Minutes count over all sittings.
    optimizer
        Over all that is trained, with as many parameter groups as wanted; AdamW of rate 0.001 by default.
    update
        Schedule, warm-up, clipping, accumulation, precision.
    after_step
        Called with the number of updates after each of them, without gradients: for an average of the weights, a
        codebook, a queue.
    validation
        A function, which is only logged, or a :class:`Validation`, which can stop.
    state
        What else changes in training, by name: a teacher (a module), a sampler or anything else with ``state_dict``
        and ``load_state_dict``, or a NumPy generator. Modules among it return to the best weights with the model.
    count
        Tokens of a batch, for the log and the budget.
    rng
        Seed or generator for the order of the data and, while this lasts, for torch. None: torch's random state is
        used, and left, as it is.
    folder
        Folder for checkpoints and the log; None keeps neither, at no cost.
    log
        How often rows are logged, who is told, and whether a bar is shown.

    Returns
    -------
    Trained

    Raises
    ------
    ValueError, TypeError
        If no budget is given, an epoch has no batch, the loss is not one number, or the folder holds another run; the
        message names what differs.
    FloatingPointError
        If a loss or, before a checkpoint, a weight is not finite; the message names the step and the last checkpoint.
    RuntimeError
        If another process trains in the folder.

    Notes
    -----
    On a CPU, with as many threads, a run that was interrupted ends at the same bits as one that was not, whatever ended
    it; budgets of minutes, which time decides, and ``precision="auto"``, which is measured once, excepted. SIGINT and
    SIGTERM leave a checkpoint after the step that they meet (in the main thread, with a folder). A finished run in the
    folder is loaded, not repeated; it goes on if the budget has grown, unless patience ended it or its schedule falls
    with the budget. The loop itself costs some 10 µs a step on a CPU.
    """
    budget = _budget(steps=steps, epochs=epochs, tokens=tokens, minutes=minutes)
    if tokens is not None and count is None:
        raise ValueError("tokens is a budget, but count is missing: a function that gives the tokens of a batch")
    if not callable(loss) or not callable(batches):
        raise TypeError("loss and batches are functions: loss(batch, step) and batches(rng, epoch)")
    if validation is not None and not isinstance(validation, Validation):
        validation = Validation(validation)
    if folder is not None and not isinstance(folder, Checkpoints):
        folder = Checkpoints(folder)
    if optimizer is None:
        trainable = [weight for weight in model.parameters() if weight.requires_grad]
        if not trainable:
            raise ValueError("model has no parameter that can be trained")
        optimizer = torch.optim.AdamW(trainable, lr=1e-3)
    state = dict(state or {})
    for name, value in state.items():
        if not isinstance(value, np.random.Generator) and not keeps_state(value):
            raise TypeError(
                f"state[{name!r}] is a {type(value).__name__}; a NumPy generator, or something with state_dict and "
                "load_state_dict, is needed"
            )
    with ExitStack() as stack:
        run = Run(model, loss, batches, budget, optimizer, update, after_step, validation, state, count, folder, log)
        seed = run.seed_by(rng, stack)
        if run.keeper is not None:
            stack.enter_context(run.keeper.opened(seed))
        return run()


class Run:
    """The state of a training."""

    def __init__(
        self, model, loss, batches, budget, optimizer, update, after_step, validation, state, count, checkpoints, log
    ):
        self.model, self.loss, self.batches, self.optimizer = model, loss, batches, optimizer
        self.update, self.after_step, self.validation, self.state = update, after_step, validation, state
        self.count, self.log = count, log
        own = list(model.parameters())
        known = {id(weight) for weight in own}
        self.weights = own + [w for g in optimizer.param_groups for w in g["params"] if id(w) not in known]
        self.device = next((w.device for w in self.weights if w.requires_grad), torch.device("cpu"))
        self.on_cpu = self.device.type == "cpu"
        self.cuda = sorted({w.device for w in self.weights if w.device.type == "cuda"}, key=str)
        self.progress = Progress(budget=budget)
        extra = {f"state {name}": value for name, value in state.items() if isinstance(value, torch.nn.Module)}
        self.modules = {"model": model} | extra
        self.rows: list[dict[str, Any]] = []
        self.sums: dict[str, Any] = {}
        self.counts: dict[str, int] = {}
        self.losses: dict[str, float] = {}
        self.unchecked: list[tuple[int, torch.Tensor]] = []
        self.best: dict[str, Any] | None = None
        self.best_weights: dict[str, Any] | None = None
        self.worse, self.validated, self.logged, self.resumed_at = 0, -1, -1, 0
        self.seed, self.stopped, self.precision = 0, None, update.precision
        self.iterator: Iterator[Any] | None = None
        self.rng: np.random.Generator | None = None
        self.bar: Any = None
        self.before = (0.0, 0.0)
        self.began, self.cpu_began = time.perf_counter(), time.process_time()
        self.keeper = None if checkpoints is None else Keeper(self, checkpoints)

    def seed_by(self, rng: int | np.random.Generator | None, stack: ExitStack) -> int | None:
        """Seed torch while the stack lasts; the seed, None where its state is left as it is."""
        if rng is None:
            self.seed = torch.initial_seed()
            return None
        drawn = isinstance(rng, np.random.Generator)
        self.seed = int(rng.integers(2**63)) if drawn else check_count(rng, "rng", least=0)
        stack.enter_context(torch.random.fork_rng(self.cuda))
        torch.manual_seed(self.seed)
        return self.seed

    def __call__(self) -> Trained:
        modes = [(module, module.training) for module in self.model.modules()]
        self.model.train()
        for group in self.optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])
        try:
            if self.stopped is None:
                if self.precision == "auto":
                    self.precision = self._faster()
                with self._products(), self._shown():
                    self._go()
        finally:
            _set_modes(modes)
        done = self.stopped not in UNFINISHED
        if done and self.best_weights is not None:
            for name, module in self.modules.items():
                module.load_state_dict(self.best_weights[name])
        come = asdict(self.progress)
        return Trained(
            done,
            self.stopped,
            **{name: come[name] for name in COUNTED},
            resumed_at=self.resumed_at,
            precision=self.precision,
            losses=self._means() or self.losses,
            best=self.best,
            log=self.rows,
        )

    def _go(self) -> None:
        progress, validation, keeper = self.progress, self.validation, self.keeper
        if validation is not None and self.validated < 0:
            self._validate()
        while self.stopped is None:
            self.tick()
            self.stopped = self.used_up()
            if self.stopped is not None:
                break
            group = self._take()
            if not group:
                self._end_epoch()
                continue
            self._step(group)
            if validation is not None and validation.every and progress.step % validation.every == 0:
                self._validate()
            if progress.step % self.log.every == 0:
                self._row()
            if keeper is not None and self.stopped is None:
                self.stopped = keeper.after_step()
        if self.stopped in UNFINISHED:
            return
        if validation is not None and self.validated != progress.step:
            ended = self.stopped
            self._validate()
            self.stopped = ended
        self._row()
        if keeper is not None:
            keeper.save()

    def tick(self) -> None:
        """Read the clocks."""
        self.progress.minutes = self.before[0] + (time.perf_counter() - self.began) / 60
        self.progress.cpu_minutes = self.before[1] + (time.process_time() - self.cpu_began) / 60
        if self.bar is not None:
            self.bar.update(100 * self.progress.share - self.bar.n)

    def used_up(self) -> str | None:
        """The budget that is used up."""
        for name, limit in self.progress.budget.items():
            if getattr(self.progress, BUDGETS[name]) >= limit:
                return name
        return None

    def _take(self) -> list[Any]:
        """The batches of the next update; none where the epoch is over."""
        if self.iterator is None:
            self.rng = np.random.default_rng([self.seed, self.progress.epoch])
            self.begin_epoch()
        return list(islice(self.iterator, self.update.accumulate))

    def begin_epoch(self, done: int = 0) -> None:
        """Ask for the batches of the epoch, and pass over those that are done."""
        if self.keeper is not None:
            self.keeper.begin_epoch()
        if self.rng is None:
            self.rng = np.random.default_rng([self.seed, self.progress.epoch])
        epoch = self.batches(self.rng, self.progress.epoch)
        self.progress.batches = len(epoch) if hasattr(epoch, "__len__") else 0
        if isinstance(epoch, (Sequence, np.ndarray, torch.Tensor)):
            self.iterator = (epoch[number] for number in range(done, len(epoch)))
        else:
            self.iterator = iter(epoch)
            next(islice(self.iterator, done, done), None)

    def _end_epoch(self) -> None:
        progress = self.progress
        if not progress.batch:
            raise ValueError(f"batches gave no batch in epoch {progress.epoch}")
        progress.epoch, progress.batch, progress.batches = progress.epoch + 1, 0, 0
        self.iterator, self.rng = None, None
        if self.validation is not None and self.validation.every is None:
            self._validate()

    def _step(self, group: list[Any]) -> None:
        progress, update, optimizer = self.progress, self.update, self.optimizer
        if update.schedule != "constant" or update.warmup:
            factor = update.factor(progress)
            for one in optimizer.param_groups:
                one["lr"] = one["initial_lr"] * factor
        optimizer.zero_grad(set_to_none=True)
        learned = False
        for batch in group:
            with self._casting():
                value = self._loss_of(batch)
            if value is not None:
                (value if len(group) == 1 else value / len(group)).backward()
                learned = True
        if learned:
            if update.clip is not None:
                torch.nn.utils.clip_grad_norm_(self.weights, update.clip)
            optimizer.step()
        if self.count is not None:
            progress.tokens += sum(int(self.count(batch)) for batch in group)
        progress.step, progress.batch = progress.step + 1, progress.batch + len(group)
        if self.after_step is not None:
            with torch.no_grad():
                self.after_step(progress.step)

    def _loss_of(self, batch: Any) -> torch.Tensor | None:
        """The loss of a batch, noted for the log and checked."""
        found = self.loss(batch, self.progress.step)
        if found is None:
            return None
        parts = found if isinstance(found, Mapping) else {"loss": found}
        value = parts.get("loss")
        if not isinstance(value, torch.Tensor) or value.dim():
            what = f"a tensor of shape {tuple(value.shape)}" if isinstance(value, torch.Tensor) else repr(found)[:60]
            raise TypeError(f"loss gave {what}; a tensor without dimensions, or a dict with one as 'loss', is needed")
        for name, part in parts.items():
            if isinstance(part, torch.Tensor):
                part = part.item() if self.on_cpu else part.detach()
            if name == "loss":
                if self.on_cpu:
                    self.check_finite(self.progress.step, part)
                else:
                    self.unchecked.append((self.progress.step, part))
            self.sums[name] = self.sums.get(name, 0.0) + part
            self.counts[name] = self.counts.get(name, 0) + 1
        return value

    def check_finite(self, step: int, value: float, what: str = "loss") -> None:
        """Raise where a number tells that the training diverged."""
        if not math.isfinite(value):
            kept = f"; {self.keeper.path} holds step {self.keeper.step}" if self.keeper is not None else ""
            raise FloatingPointError(
                f"the training diverged: the {what} is {value} at step {step}{kept}; try a smaller learning rate"
            )

    def check_losses(self) -> None:
        """Check the losses that were left on an accelerator so as not to wait for each of them."""
        if self.unchecked:
            values = torch.stack([value for _, value in self.unchecked]).tolist()
            for (step, _), value in zip(self.unchecked, values, strict=True):
                self.check_finite(step, value)
            self.unchecked.clear()

    def _validate(self) -> None:
        self.check_losses()
        modes = [(module, module.training) for module in self.model.modules()]
        self.model.eval()
        try:
            with torch.no_grad(), self._casting():
                found = self.validation.function()
        finally:
            _set_modes(modes)
        parts = {name: float(v) for name, v in (found if isinstance(found, Mapping) else {"loss": found}).items()}
        if "loss" not in parts:
            raise TypeError(f"validation gave {sorted(parts)}; one entry must be 'loss'")
        self.check_finite(self.progress.step, parts["loss"], "validation loss")
        self.validated = self.progress.step
        self._row({"validation" if name == "loss" else f"validation_{name}": v for name, v in parts.items()})
        patience = self.validation.patience
        if self.best is None or parts["loss"] < self.best["validation"]:
            self.best, self.worse = self.rows[-1], 0
            if patience is not None:
                self.best_weights = {name: copied(module.state_dict()) for name, module in self.modules.items()}
        else:
            self.worse += 1
            if patience is not None and self.worse >= patience:
                self.stopped = "patience"

    def _row(self, found: Mapping[str, float] | None = None) -> None:
        """Log how far it has come, unless that is logged already."""
        self.check_losses()
        progress = self.progress
        if found is None and self.logged == progress.step:
            return
        self.tick()
        row: dict[str, Any] = {"step": progress.step, "epoch": progress.epoch}
        if self.count is not None:
            row["tokens"] = progress.tokens
        row |= {"minutes": round(progress.minutes, 4), "cpu_minutes": round(progress.cpu_minutes, 4)}
        row["rate"] = float(self.optimizer.param_groups[0]["lr"])
        if self.sums:
            self.losses = self._means()
            row |= self.losses
        row |= found or {}
        self.sums, self.counts, self.logged = {}, {}, progress.step
        self.rows.append(row)
        if self.keeper is not None:
            self.keeper.write(row)
        if self.log.call is not None:
            self.log.call(row)
        if self.bar is not None:
            self.bar.set_postfix({k: f"{row[k]:.4g}" for k in ("loss", "validation") if k in row}, refresh=False)

    def _means(self) -> dict[str, float]:
        return {name: float(total) / self.counts[name] for name, total in self.sums.items()}

    @contextmanager
    def _shown(self) -> Iterator[None]:
        """A bar, in percent of the budget, where there is a console for it."""
        if not self.log.progress:
            yield
            return
        from tqdm import tqdm

        form = "{l_bar}{bar}| {elapsed}<{remaining}{postfix}"
        with tqdm(total=100, bar_format=form, disable=None, initial=100 * self.progress.share) as self.bar:
            yield
        self.bar = None

    def _casting(self) -> AbstractContextManager:
        if self.precision == "bfloat16" and not self.on_cpu:
            return torch.autocast(self.device.type, torch.bfloat16)
        return nullcontext()

    @contextmanager
    def _products(self) -> Iterator[None]:
        with ExitStack() as stack:
            if self.precision == "bfloat16" and self.on_cpu:
                for module in self.modules.values():
                    stack.enter_context(bfloat16_products(module))
            yield

    def _faster(self) -> str:
        """The precision in which the first batch takes less time; nothing else changes."""
        before, states = copied(content_of(self)), random_states(self)
        batch = next(iter(self.batches(np.random.default_rng([self.seed, 0]), 0)), None)
        if batch is None:
            raise ValueError("batches gave no batch in epoch 0")
        took = {}
        for self.precision in ("float32", "bfloat16"):
            times = []
            with self._products():
                for _ in range(4):
                    began = time.perf_counter()
                    with self._casting():
                        value = self._loss_of(batch)
                    if value is not None:
                        value.backward()
                    if self.cuda:
                        torch.cuda.synchronize(self.device)
                    times.append(time.perf_counter() - began)
                    self.optimizer.zero_grad(set_to_none=True)
            took[self.precision] = min(times[1:])
        load_content(self, before)
        set_random_states(self, states)
        self.sums, self.counts, self.unchecked = {}, {}, []
        return "bfloat16" if took["bfloat16"] < PAYS * took["float32"] else "float32"


def _budget(**limits: float | None) -> dict[str, float]:
    given = {name: limit for name, limit in limits.items() if limit is not None}
    if not given:
        raise ValueError(f"the budget is unknown: give one of {', '.join(limits)}")
    for name, limit in given.items():
        if name in ("steps", "epochs"):
            check_count(limit, name, least=0)
        else:
            check_not_negative(limit, name)
    return given


def _set_modes(modes: list[tuple[torch.nn.Module, bool]]) -> None:
    for module, mode in modes:
        module.training = mode


def copied(value: Any) -> Any:
    """The same states with tensors of their own."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, Mapping):
        return {key: copied(part) for key, part in value.items()}
    return type(value)(map(copied, value)) if isinstance(value, (list, tuple)) else value
