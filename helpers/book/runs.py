"""Execute chapters and worker notebooks: one at a time, or many on a Dask cluster.

A *run* is a notebook plus parameters. Its executed copy carries the *key* of the run (see
:mod:`helpers.book.fingerprint`), so a run that is already there and still valid is not executed again, and one that is
out of date is never taken for valid. The rows that the notebook hands over (:func:`helpers.book.rows.keep_rows`) lie
beside it. A run is executed by one process at a time: another that wants it waits, and finds it done.
"""

from __future__ import annotations

import ast
import contextvars
import dataclasses
import hashlib
import itertools
import json
import logging
import os
import re
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import yaml

from helpers.book.fingerprint import key, parse_code
from helpers.book.own_data import SIMULATED, is_own
from helpers.book.records import provenance
from helpers.book.rows import ROWS
from helpers.waiting import NOTICE, alone

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Outcome",
    "Parameter",
    "Run",
    "execute",
    "execute_all",
    "glued",
    "grid",
    "parameters_of",
    "read_parameters",
    "results",
]


LARGEST_SEED = 2**32 - 1  # what the seeds of all libraries take


@dataclass(frozen=True)
class Parameter:
    """One line of a notebook's ``parameters`` cell."""

    name: str
    default: Any
    kind: str
    help: str

    def accepts(self, value: Any) -> bool:
        """Whether ``value`` has the declared kind; a whole number is a valid float, a bool is not a valid int."""
        kinds = [part.strip() for part in self.kind.split("|")]
        return any(_is_a(kind, value) for kind in kinds)

    def __str__(self) -> str:
        return f"{self.name} = {self.default!r} ({self.kind})" + f"  {self.help}" * bool(self.help)


@dataclass(frozen=True)
class Run:
    """One execution of ``notebook`` with ``parameters``, saved to ``output``.

    ``leaves`` are other files that the notebook writes, without which the run is not done.
    """

    notebook: Path
    output: Path
    parameters: Mapping[str, Any] = field(default_factory=dict)
    leaves: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        # A relative path means the folder of now, whatever folder a thread of the process changes to later.
        for name, value in (("notebook", Path(self.notebook)), ("output", Path(self.output))):
            object.__setattr__(self, name, value.absolute())
        object.__setattr__(self, "leaves", tuple(Path(path).absolute() for path in self.leaves))

    @cached_property
    def key(self) -> str:
        """Digest of everything that decides the outputs; see :func:`helpers.book.fingerprint.key`."""
        cells = nbformat.read(self.notebook, as_version=4).cells
        left_out = SIMULATED if self.is_own else None
        executed = [cell.source for cell in cells if cell.cell_type == "code" and left_out not in _tags(cell)]
        return key(executed, self.parameters)

    @cached_property
    def is_own(self) -> bool:
        """Whether it is about somebody's own data: cells that only teach about simulated ones are left out then."""
        known = parameters_of(self.notebook)
        return is_own(self.parameters, known["source"].default if "source" in known else None)

    @property
    def notice(self) -> Path:
        """The file that says what the run waits for, while it waits for another process."""
        return self.output.with_suffix(".waiting")

    @property
    def elsewhere(self) -> str:
        """Why a process waits that wants the run while another one is executing it."""
        return f"another process is executing {self.output.stem}"

    @property
    def rows(self) -> Path:
        """The folder of the rows that the run kept, a Parquet file for each table."""
        return self.output.with_suffix(".rows")

    def is_done(self) -> bool:
        """Whether ``output`` was executed to its end, nothing that decides it has changed, and no file is lost."""
        about = about_run(self.output)
        if about.get("key") != self.key or not all(path.exists() for path in self.leaves):
            return False
        return about.get("rows", {}) == (_digests(self.rows) if about.get("rows") else {})

    def check(self) -> None:
        """Refuse parameters that the notebook does not have, values of the wrong type, and seeds that are none.

        Raises
        ------
        ValueError
            The message names the parameter and lists those that the notebook takes.
        """
        known = parameters_of(self.notebook)
        listing = "".join(f"\n  {parameter}" for parameter in known.values()) or " none"
        for name, value in self.parameters.items():
            if name not in known:
                raise ValueError(f"{self.notebook.name} has no parameter {name!r}. It takes:{listing}")
            if not known[name].accepts(value):
                raise ValueError(
                    f"{self.notebook.name}: parameter {name} is {value!r} ({type(value).__name__}), "
                    f"where {known[name].kind} is expected. It takes:{listing}"
                )
            if name == "seed" and known[name].kind == "int" and not 0 <= value <= LARGEST_SEED:
                raise ValueError(
                    f"{self.notebook.name}: parameter seed is {value}, where a whole number from 0 to {LARGEST_SEED} "
                    f"is expected. It takes:{listing}"
                )


@dataclass(frozen=True)
class Outcome:
    """How one run ended: ``done``, ``kept`` from an earlier time, or ``failed``."""

    run: Run
    status: str
    seconds: float = 0.0
    error: str = ""


def parameters_of(notebook: Path) -> dict[str, Parameter]:
    """Parameters of a notebook: the assignments of its cell tagged ``parameters``.

    The kind is the annotation if there is one (``n: int | None = None``), else the type of the default; the help is the
    comment at the end of the line.
    """
    cells = nbformat.read(notebook, as_version=4).cells
    source = next((c.source for c in cells if "parameters" in c.metadata.get("tags", [])), "")
    lines = source.splitlines()
    found = {}
    for statement in parse_code(source).body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            name, kind = statement.targets[0].id, None
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name) and statement.value:
            name, kind = statement.target.id, ast.unparse(statement.annotation)
        else:
            continue
        default = ast.literal_eval(statement.value)
        comment = lines[statement.end_lineno - 1].encode()[statement.end_col_offset :].decode()
        found[name] = Parameter(name, default, kind or type(default).__name__, comment.lstrip(" #"))
    return found


class _Numbers(yaml.SafeLoader):
    """YAML in which 1e-3 is a number, as it is in Python; to YAML 1.1 it is a word."""


_Numbers.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)


def yaml_value(text: str, kind: str = "") -> Any:
    """What a text says as YAML; for a parameter of the kind ``"str"`` the text itself, unless it is quoted.

    Raises
    ------
    yaml.YAMLError
        If it is not YAML.

    Examples
    --------
    >>> yaml_value("1e-3"), yaml_value("[1, 2e5]"), yaml_value("a: {b", "str"), yaml_value("'1'", "str")
    (0.001, [1, 200000.0], 'a: {b', '1')
    """
    if kind == "str" and text[:1] not in ("'", '"'):
        return text
    return yaml.load(text, _Numbers)


def read_parameters(path: Path) -> dict[str, Any]:
    """Parameters from a YAML (or JSON) file of the form that ``papermill -f`` takes: one mapping of names to values."""
    try:
        values = yaml_value(Path(path).read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict):
        raise ValueError(f"{path} holds a {type(values).__name__}; a mapping of parameter names to values is expected")
    return values


def execute(
    run: Run,
    *,
    force: bool = False,
    on_start: Callable[[Run], None] = lambda run: None,
    waits: Callable[[Run], bool] = lambda run: True,
) -> Outcome:
    """Execute one run in a fresh kernel; an error of the notebook is raised.

    The executed copy appears at ``run.output`` as it grows; only when it reaches its end it receives its key. If
    another process is executing the run, this one waits for it and keeps what it made.

    Parameters
    ----------
    run
        What to execute.
    force
        Execute also what is done already.
    on_start
        Called when the run begins; not if it is kept.
    waits
        Asked again and again while another process is executing the run: whether to wait any longer.

    Raises
    ------
    ValueError
        If a parameter is unknown or ill-typed. Papermill alone would run the notebook with its default instead.
    papermill.PapermillExecutionError
        If a cell fails; the executed copy with the traceback stays at ``run.output``.
    InterruptedError
        If ``waits`` says no.
    """
    run.check()
    run.output.parent.mkdir(parents=True, exist_ok=True)
    lock = run.output.with_name(f".{run.output.name}.lock")
    with alone(lock, run.elsewhere, waits=lambda: waits(run)):
        run = dataclasses.replace(run)  # its key is that of the code as it is now: it may have changed while it waited
        if run.is_done() and not force:
            return Outcome(run, "kept")
        on_start(run)
        return _execute(run)


def _execute(run: Run) -> Outcome:
    import papermill
    from traitlets.config import Config

    key = run.key  # before it runs: the code may be edited while a long run goes on
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="run-") as folder:
        # Unix sockets of its own: parallel kernels would race for TCP ports, and with the default name they would all
        # share one socket.
        ipc = {"transport": "ipc", "ip": f"{folder}/kernel"} if os.name == "posix" else {}
        rows = Path(folder) / "rows"
        try:
            # An empty context: Jupyter keeps its event loop in a context variable, which threads of Dask inherit.
            executed = contextvars.Context().run(
                papermill.execute_notebook,
                str(run.notebook),
                str(run.output),
                parameters=dict(run.parameters),
                progress_bar=False,
                **({"skip_cells_with_tag": SIMULATED} if run.is_own else {}),
                config=Config({"KernelManager": ipc}),
                **_manager({NOTICE: str(run.notice), ROWS: str(rows)}, run.notebook.parent),
            )
        finally:
            run.notice.unlink(missing_ok=True)  # of a kernel that was killed while it waited
        seconds = time.perf_counter() - began
        shutil.rmtree(run.rows, ignore_errors=True)
        if rows.exists():
            shutil.copytree(rows, run.rows)
    about = {"key": key, "seconds": round(seconds, 1), "rows": _digests(run.rows), "provenance": provenance(seconds)}
    executed.metadata["book"] = about
    partial = run.output.with_suffix(".part")
    nbformat.write(executed, partial)
    partial.replace(run.output)
    return Outcome(run, "done", seconds)


def _digests(folder: Path) -> dict[str, str]:
    """SHA-256 of each file of kept rows."""
    return {path.stem: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*.parquet"))}


def execute_all(
    runs: Iterable[Run],
    scheduler=None,
    *,
    n_jobs: int = 1,
    retries: int = 0,
    force: bool = False,
    on_start=lambda run: None,
    on_wait=lambda run: None,
    **resources: float,
) -> Iterator[Outcome]:
    """Execute runs, many at once, and yield each outcome as it ends.

    A run that fails does not stop the others. One that another process is executing is put off until the rest is under
    way, then waited for and ``kept``: processes that are given the same runs share the work. Runs that are done already
    are yielded first, as ``kept``. If the caller is interrupted, or closes this iterator, every kernel that it started
    is ended at once; the runs that were under way are executed again next time, all others are kept.

    Parameters
    ----------
    runs
        What to execute. All are checked (see :meth:`Run.check`) before the first one starts.
    scheduler
        A ``dask.distributed.Client``. By default the scheduler named by ``DASK_SCHEDULER_ADDRESS`` if that is set, else
        this process with ``n_jobs`` threads: each run has a kernel process of its own anyway.
    n_jobs
        Runs at a time in the default, embedded case.
    retries
        How often a failed run is started again.
    force
        Execute also what is done already.
    on_start
        Called with each run when it begins (embedded case only).
    on_wait
        Called with each run that has to wait for another process (embedded case only).
    resources
        What one run occupies, such as ``GPU=0.5``. In the embedded case this machine has one of each.

    Raises
    ------
    ValueError
        If a run has an unknown or ill-typed parameter, if two runs would write to one file, or if a resource is asked
        for that no worker of the cluster declares in that amount.
    """
    runs = list(runs)
    outputs = [run.output.resolve() for run in runs]  # two names may be one file by a link
    for run in runs:
        run.check()
        if outputs.count(run.output.resolve()) > 1:
            raise ValueError(f"two runs would write to {run.output}")
    pending = [run for run in runs if force or not run.is_done()]
    for run in runs:
        if run not in pending:
            yield Outcome(run, "kept")
    if not pending:
        return

    import dask
    import matplotlib.font_manager  # noqa: F401 - lists the fonts once, here: a kernel would say so on its page
    from dask.distributed import Client, as_completed

    where = dask.config.get("scheduler-address", None)
    with _no_kernel_left(), _session(scheduler, where, Client, n_jobs, resources) as session:
        _check_resources(session, resources)

        local = scheduler is None and not where
        token, stopped = time.time_ns(), threading.Event()
        if local:
            _SESSIONS[token] = (on_start, on_wait, stopped)

        def submit(position: int, run: Run, waits: bool):
            return session.submit(
                _execute_here,
                run,
                force,
                waits,
                token,
                key=f"{run.output.stem}-{run.key}-{token}{'-again' * waits}",
                pure=False,
                retries=retries,
                resources=resources or None,
                priority=-position - len(pending) * waits,
            )

        futures = {submit(position, run, waits=False): position for position, run in enumerate(pending)}
        ended = as_completed(futures, raise_errors=False)
        try:
            for future in ended:
                position = futures[future]
                if future.status != "finished":
                    yield Outcome(pending[position], "failed", error=_one_line(future.exception()))
                elif future.result() is not None:
                    yield future.result()
                else:
                    again = submit(position, pending[position], waits=True)
                    futures[again] = position
                    ended.add(again)
        finally:
            stopped.set()
            session.cancel(list(futures))
            _SESSIONS.pop(token, None)


#: Hooks of the sessions that live in this process, which Dask could not send to it:
#: token → (on_start, on_wait, stopped).
_SESSIONS: dict[int, tuple] = {}


def _execute_here(run: Run, force: bool, waits: bool, token: int) -> Outcome | None:
    """The outcome of a run; None if another process is executing it and this one is not to wait."""
    nothing = (lambda run: None, lambda run: None, threading.Event())
    on_start, on_wait, stopped = _SESSIONS.get(token, nothing)
    met = []

    def goes_on(run: Run) -> bool:
        if waits and not met:
            on_wait(run)
        met.append(run)
        return waits and not stopped.is_set()

    if stopped.is_set():
        raise InterruptedError("stopped before it began")
    try:
        return execute(run, force=force, on_start=on_start, waits=goes_on)
    except InterruptedError:
        if met and not waits:
            return None
        raise


def glued(notebook: Path) -> dict[str, Any]:
    """Numbers and strings that an executed notebook glued, and the parameters that it ran with.

    Together over many runs they are a tidy table: ``pd.DataFrame(map(glued, paths))``.
    """
    executed = nbformat.read(notebook, as_version=4)
    row = dict(executed.metadata.get("papermill", {}).get("parameters", {}))
    for cell in executed.cells:
        for output in cell.get("outputs", []):
            name = output.get("metadata", {}).get("scrapbook", {}).get("name")
            if name:
                mime = output.data
                text = mime.get("text/plain") or mime.get("application/papermill.record/text/plain", "")
                row[name] = _literal(text)
    return row


def results(outcomes: Iterable[Outcome]) -> pd.DataFrame:
    """One row per run: parameters, what it glued, status, seconds, error, path."""
    import pandas as pd

    rows = []
    for outcome in outcomes:
        known = glued(outcome.run.output) if outcome.status != "failed" else {}
        seconds = about_run(outcome.run.output).get("seconds", outcome.seconds)
        about = {"status": outcome.status, "seconds": seconds, "error": outcome.error}
        rows.append({**outcome.run.parameters, **known, **about, "notebook": str(outcome.run.output)})
    return pd.DataFrame(rows)


def grid(**axes: Iterable[Any]) -> list[dict[str, Any]]:
    """Every combination of the axes, the last axis varying fastest.

    >>> grid(seed=[0, 1], lr=[0.1])
    [{'seed': 0, 'lr': 0.1}, {'seed': 1, 'lr': 0.1}]
    """
    return [dict(zip(axes, point, strict=True)) for point in itertools.product(*axes.values())]


def _manager(variables: Mapping[str, str], folder: Path) -> dict[str, Any]:
    """Options of papermill for a kernel in ``folder`` with environment variables, not interrupted when it is idle.

    Papermill's own option would change the folder of the whole process, under the feet of its other threads.

    Jupyter interrupts a kernel before it asks it to end. One that is about to become idle would report that on its
    standard error, which is ours; one that is in the middle of a cell has to be interrupted.
    """
    from jupyter_client import AsyncKernelManager

    busy = threading.Event()

    class Manager(AsyncKernelManager):
        async def _async_pre_start_kernel(self, **options: Any) -> Any:
            environment = {**options.pop("env", os.environ), **variables}
            return await super()._async_pre_start_kernel(env=environment, **{**options, "cwd": str(folder)})

        async def _async_interrupt_kernel(self) -> None:
            if busy.is_set() or not self.shutting_down:
                await super()._async_interrupt_kernel()

    hooks = {"on_cell_execute": lambda **_: busy.set(), "on_cell_executed": lambda **_: busy.clear()}
    return {"kernel_manager_class": Manager, **hooks}


def _tags(cell: Any) -> list[str]:
    return cell.metadata.get("tags", [])


def _is_a(kind: str, value: Any) -> bool:
    kind = kind.partition("[")[0].lower()
    if kind in ("none", "nonetype"):
        return value is None
    types = {"int": int, "float": (int, float), "str": str, "bool": bool, "dict": dict}
    if isinstance(value, bool):
        return kind in ("bool", "any")
    return kind == "any" or isinstance(value, types.get(kind, (list, tuple)))


def about_run(output: Path) -> dict[str, Any]:
    """What the executed copy says of itself; nothing if it is absent, cut short or not a notebook."""
    try:
        return json.loads(output.read_text(encoding="utf-8"))["metadata"].get("book", {})
    except (OSError, ValueError, KeyError, AttributeError):
        return {}


@contextmanager
def _session(scheduler, where, make, n_jobs: int, resources: Mapping[str, float]):
    """The given client, one of the cluster at ``where``, or one that lives in this process."""
    if scheduler is not None:
        yield scheduler
    elif where:
        with make(where) as own:
            yield own
    else:
        share = str(max(1, (os.cpu_count() or 1) // n_jobs))
        before = {name: os.environ.get(name) for name in _THREADS}
        os.environ.update(dict.fromkeys(_THREADS, share))  # kernels that fight for cores are slower than one at a time
        # An interrupted session would report every task that it drops.
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        own = make(
            n_workers=1,
            processes=False,
            threads_per_worker=n_jobs,
            dashboard_address=":0",  # any free port: two sessions at a time would warn of a taken one
            memory_limit=0,
            resources=dict.fromkeys(resources, 1),
        )
        try:
            yield own
        finally:
            _end_kernels()  # first: the client waits for threads, and these wait for their kernels
            own.close(timeout=5)
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


def _check_resources(session, resources: Mapping[str, float]) -> None:
    workers = session.scheduler_info(n_workers=-1)["workers"].values()
    for name, amount in resources.items():
        most = max((worker.get("resources", {}).get(name, 0) for worker in workers), default=0)
        if workers and most < amount:
            raise ValueError(
                f"each run asks for {name}={amount:g}, but no worker declares more than {most:g}; "
                f"start the workers with `dask worker … --resources {name}=1`"
            )


_KERNELS_BEFORE: list[int] = []
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@contextmanager
def _no_kernel_left():
    """End, on the way out, every process that was started inside; SIGTERM counts as an interruption."""
    import psutil

    _KERNELS_BEFORE[:] = [child.pid for child in psutil.Process().children(recursive=True)]
    in_main_thread = _set_sigterm(lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    try:
        yield
    finally:
        _end_kernels()
        if in_main_thread is not None:
            signal.signal(signal.SIGTERM, in_main_thread)


def _set_sigterm(handler):
    try:
        return signal.signal(signal.SIGTERM, handler)
    except ValueError:  # only the main thread may
        return None


def _end_kernels() -> None:
    import psutil

    for child in psutil.Process().children(recursive=True):
        try:
            if child.pid not in _KERNELS_BEFORE and any("ipykernel" in word for word in child.cmdline()):
                for process in [*child.children(recursive=True), child]:
                    process.kill()
        except psutil.Error:
            pass


def _one_line(error: BaseException) -> str:
    import papermill

    if isinstance(error, papermill.PapermillExecutionError):
        first = next((line for line in error.source.splitlines() if line.strip()), "")
        return f"cell {error.cell_index} `{first.strip()}`: {error.ename}: {error.evalue}".split("\n")[0]
    return f"{type(error).__name__}: {error}".splitlines()[0]


def _literal(text: str) -> Any:
    text = re.sub(r"^np\.\w+\((.*)\)$", r"\1", text.strip())
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text.strip("'\"")
