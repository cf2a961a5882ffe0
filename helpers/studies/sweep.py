"""The sweep of models that embed clients: its runs, their files, their scores."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import check_count, integer_seed
from helpers.book.runs import Run, execute_all, grid, parameters_of, results
from helpers.clients.checking import check_source
from helpers.clients.coles import SPACE, Embedded
from helpers.clients.data import binary_target
from helpers.clients.scoring import METRIC_NAMES, score_splits
from helpers.locations import DATA, ROOT, expand

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "IN_WORKER",
    "WORKER",
    "Sweep",
    "check_sweep",
    "read_sweep",
    "save_run",
    "score_runs",
    "sweep_runs",
    "train_sweep",
]


WORKER = (ROOT or Path()) / "notebooks" / "runs" / "coles.ipynb"


IN_WORKER = (
    "helpers.clients.coles:embed",
    "helpers.clients.coles:draw",
    "helpers.clients:load_clients",
    "helpers.clients:split",
)
"""What the worker does: named here so that the key of a chapter that sweeps covers it."""


@dataclass(frozen=True)
class Sweep:
    """Finished runs of a sweep.

    Attributes
    ----------
    runs : DataFrame
        One row per run, indexed by ``experiment`` and ``model``: settings, seed, losses, seconds, versions.
    embeddings : dict
        ``(experiment, model)`` → DataFrame of shape (clients, hidden), float32.
    split, target : dict
        ``experiment`` → Series over its clients, in the order of the rows of its embeddings.
    """

    runs: pd.DataFrame
    embeddings: dict[tuple[int, int], pd.DataFrame]
    split: dict[int, pd.Series]
    target: dict[int, pd.Series]

    def metric(self, asked: str = "") -> str:
        """The metric that is asked for, or the one that suits the classes.

        Parameters
        ----------
        asked
            One of :data:`helpers.clients.SCORE_METRICS`, or empty.

        Returns
        -------
        str
            The metric that is asked for. Where none is, ``"accuracy"`` if in every experiment there are more than two
            classes, none of which has less than half of an equal share; otherwise ``"roc_auc"``, since naming the most
            frequent of two or of very unequal classes is often right and says nothing.

        Raises
        ------
        ValueError
            If there is no such metric.
        """
        if asked == "":
            shares = [target.value_counts(normalize=True) for target in self.target.values()]
            even = all(len(share) > 2 and share.min() * len(share) >= 0.5 for share in shares)
            return "accuracy" if even else "roc_auc"
        if asked not in METRIC_NAMES:
            raise ValueError(f"metric is {asked!r}; it can be {', '.join(map(repr, METRIC_NAMES))}, or empty")
        return asked

    def setting(self, metric: str = "", binary_from: str = "") -> dict[str, str]:
        """What is scored on a page, and by which metric, in words.

        Parameters
        ----------
        metric
            Metric as in :meth:`metric`.
        binary_from
            Class from which on the target is 1, or empty.

        Returns
        -------
        dict of str to str
            ``metric`` and ``target``.
        """
        n_classes = max(target.nunique() for target in self.target.values())
        words = f"two classes, from {binary_from} on or below" if binary_from != "" else f"{n_classes} classes"
        return {"metric": METRIC_NAMES[self.metric(metric)], "target": words}


def sweep_runs(
    experiments: int | Sequence[int], models: int | Sequence[int], *, out: str = "coles", **parameters
) -> list[Run]:
    """The runs of a sweep, to be executed by :func:`helpers.book.runs.execute_all` (or see :func:`train_sweep`).

    Parameters
    ----------
    experiments, models
        Numbers of the experiments and of the models, or how many there are.
    out
        Name of the sweep: its notebooks go to ``_build/runs/NAME``, its embeddings to ``_build/embeddings/NAME``.
    parameters
        Parameters of the worker ``notebooks/runs/coles.ipynb``, the same for all runs. Those that are what the worker
        does by default are left out, so that a chapter that names them and one that does not share their runs.

    Returns
    -------
    list of Run
        The same runs as those of ``python -m helpers sweep`` with a plan of the name ``out`` that names what is not the
        default, so that neither repeats the other.

    Examples
    --------
    >>> from helpers.studies.sweep import sweep_runs
    >>> [run.output.name for run in sweep_runs(1, 2)]
    ['experiment=0_model=0.ipynb', 'experiment=0_model=1.ipynb']
    """

    _check_name(out)
    axes = {"experiment": experiments, "model": models}
    points = grid(**{name: list(range(n)) if isinstance(n, int) else list(n) for name, n in axes.items()})
    given = {name: list(value) if isinstance(value, tuple) else value for name, value in parameters.items()}
    default = {name: known.default for name, known in parameters_of(WORKER).items()}
    shared = {k: value for k, value in given.items() if k not in default or value != default[k]} | {"out": out}
    folder = ROOT / "_build" / "runs" / out
    return [Run(WORKER, folder / f"experiment={p['experiment']}_model={p['model']}.ipynb", shared | p) for p in points]


def train_sweep(
    experiments: int | Sequence[int],
    models: int | Sequence[int],
    *,
    out: str = "coles",
    n_jobs: int = 0,
    scheduler=None,
    least_models: int = 1,
    **parameters,
) -> pd.DataFrame:
    """Execute the runs of a sweep that are not done yet.

    Runs that another process is executing are left to it and waited for (the console says so).

    Parameters
    ----------
    experiments, models, out, parameters
        Same meaning as in :func:`sweep_runs`.
    n_jobs
        Runs at a time; as many as there are cores, at most 4, if 0.
    scheduler
        Scheduler of Dask, as for :func:`helpers.book.runs.execute_all`.
    least_models
        Number of models in each experiment that a page needs: fewer are refused before anything is trained.

    Returns
    -------
    DataFrame
        One row per run, in order: parameters, ``status`` (``done``, ``kept`` or ``failed``), ``error``, seconds. The
        embeddings of those that did not fail are read by :func:`read_sweep`.

    Raises
    ------
    TypeError, ValueError, FileNotFoundError
        If there is no experiment, or fewer models than ``least_models``; if there is no such source, the fractions are
        not three shares of at least one client, there are fewer than 40 clients, or ``space`` names no setting; and as
        :func:`helpers.clients.checking.check_source` raises of a table, which is read before anything is trained.
    """

    assert IN_WORKER
    check_sweep(experiments, models, out=out, least_models=least_models, **parameters)
    planned = [
        replace(run, leaves=(_embeddings(out, run.parameters["experiment"], run.parameters["model"]),))
        for run in sweep_runs(experiments, models, out=out, **parameters)
    ]
    if parameters.get("source", "simulated") != "simulated" and not all(run.is_done() for run in planned):
        table = {
            name: parameters[name] for name in ("source", "n_clients", "options", "fractions") if name in parameters
        }
        check_source(**table, rng=parameters.get("seed", 0))  # once, here, and not first in every training
    order = {run.output: position for position, run in enumerate(planned)}
    n_jobs = n_jobs or min(4, os.cpu_count() or 1)
    outcomes = list(execute_all(planned, scheduler, n_jobs=n_jobs))
    return results(sorted(outcomes, key=lambda outcome: order[outcome.run.output]))


def check_sweep(
    experiments: int | Sequence[int],
    models: int | Sequence[int],
    *,
    out: str = "coles",
    least_models: int = 1,
    source: str = "simulated",
    n_clients: int = 0,
    fractions: Sequence[float] = (0.5, 0.2, 0.3),
    space: Mapping[str, Sequence] | None = None,
    **others: Any,
) -> None:
    """Refuse at once what every run of a sweep would refuse after it has started.

    Parameters
    ----------
    experiments, models, out, least_models
        Same meaning as in :func:`train_sweep`.
    source, n_clients, fractions, space
        Parameters of the worker.
    others
        Further parameters of the worker, which are not looked at.

    Raises
    ------
    TypeError, ValueError, FileNotFoundError
        In the same cases as :func:`train_sweep`.
    """
    _check_name(out)
    check_count(experiments if isinstance(experiments, int) else len(experiments), "experiments", least=1)
    why = "" if least_models == 1 else "(what is combined or compared here are models of one experiment)"
    check_count(models if isinstance(models, int) else len(models), "models", least=least_models, why=why)
    if n_clients:
        check_count(n_clients, "n_clients", least=40, why="(or 0 for all that the source has)")
    if len(fractions) != 3 or min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-8:
        raise ValueError(f"fractions is {list(fractions)}; three numbers above 0 that sum to 1 are needed")
    for name, values in (space or {}).items():
        if name not in ("features", *SPACE):
            raise ValueError(f"space has {name!r}; it can have {', '.join(SPACE)}, features")
        if not values:
            raise ValueError(f"space has no value of {name!r}; at least one is needed")
    named = source == "simulated" or source.partition(":")[0] == "berka"
    on_hub = re.fullmatch(r"[\w-]+(\.[\w-]+)*/[\w.-]+", source) and not source.endswith((".csv", ".parquet"))
    there = any((folder / expand(source)).exists() for folder in (Path(), ROOT or Path(), DATA))
    if not (named or on_hub or there):
        raise FileNotFoundError(
            f"source is {source!r}; there is no such file or folder, and it is neither 'simulated' nor 'berka' nor a "
            "name owner/data-set of the hub"
        )


def save_run(
    embedded: Embedded | None,
    split: pd.Series,
    target: pd.Series,
    *,
    experiment: int,
    model: int,
    out: str = "coles",
    **about: Any,
) -> Path:
    """Write one run to one Parquet file: a row per client, everything about the run in the file's metadata.

    Parameters
    ----------
    embedded
        What :func:`helpers.clients.coles.embed` gave. None removes what an earlier run of these numbers left.
    split, target
        Parts and classes of all clients.
    experiment, model, out
        Numbers of the experiment and the model, and name of the sweep.
    about
        What else to record: settings, seeds.

    Returns
    -------
    Path
        The file. It appears whole or not at all.
    """
    import json

    import pyarrow as pa
    import pyarrow.parquet as pq

    from helpers.book.records import versions

    path = _embeddings(out, experiment, model)
    if embedded is None:
        path.unlink(missing_ok=True)
        return path
    table = embedded.embeddings.assign(split=split, target=target)
    facts = {"experiment": experiment, "model": model, "losses": embedded.losses}
    facts |= {f"{step}_seconds": took for step, took in embedded.seconds.items()} | about
    facts["versions"] = versions("numpy", "torch", "pytorch-lifestream", "pytorch-lightning")
    written = pa.Table.from_pandas(table.rename_axis("client").reset_index(), preserve_index=False)
    written = written.replace_schema_metadata(written.schema.metadata | {b"run": json.dumps(facts).encode()})
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    pq.write_table(written, partial, compression="zstd")
    partial.replace(path)
    return path


def read_sweep(
    out: str | Path = "coles",
    only: pd.DataFrame | None = None,
    *,
    experiments: Sequence[int] | None = None,
    binary_from: str = "",
) -> Sweep:
    """The finished runs of a sweep.

    Parameters
    ----------
    out
        Name of the sweep, or a folder of such files.
    only
        What :func:`train_sweep` returned: runs that are not in it, or that failed, are left out. All files by default.
    experiments
        Numbers of those to read; all by default.
    binary_from
        Class from which on the target is 1, and 0 below: see :func:`helpers.clients.binary_target`. Empty: all classes.

    Raises
    ------
    FileNotFoundError
        If there is none.
    ValueError
        If the runs of one experiment do not have the same clients, parts and targets.
    """
    import json

    import pandas as pd
    import pyarrow.parquet as pq

    folder = Path(out) if isinstance(out, Path) or "/" in str(out) else ROOT / "_build" / "embeddings" / str(out)
    wanted = None
    if only is not None:
        fine = only[only["status"] != "failed"]
        fine = fine if experiments is None else fine[fine["experiment"].isin(list(experiments))]
        wanted = set(zip(fine["experiment"], fine["model"], strict=True))
    facts, embeddings, splits, target = [], {}, {}, {}
    names = ["*"] if experiments is None else experiments
    for path in sorted(path for name in names for path in folder.glob(f"experiment={name}_model=*.parquet")):
        read = pq.read_table(path)
        about = json.loads(read.schema.metadata[b"run"])
        run = about["experiment"], about["model"]
        if wanted is not None and run not in wanted:
            continue
        facts.append(about)
        table = read.to_pandas().set_index("client")
        here = table.pop("split"), table.pop("target")
        embeddings[run] = table
        for known, column in zip((splits, target), here, strict=True):
            if not known.setdefault(run[0], column).equals(column):
                raise ValueError(f"{path.name} has other clients, parts or targets than earlier runs of its experiment")
    missing = sorted(wanted - set(embeddings)) if wanted is not None else []
    if missing or not facts:
        failed = only[only["status"] == "failed"] if only is not None else ()
        why = f"; all runs failed, the first by {failed['error'].iloc[0]}" if len(failed) and not wanted else ""
        raise FileNotFoundError(f"no embeddings in {folder}" + f" of the runs {missing}" * bool(missing) + why)
    runs_ = pd.DataFrame(facts).set_index(["experiment", "model"]).sort_index()
    if binary_from != "":
        target = {experiment: binary_target(classes, binary_from) for experiment, classes in target.items()}
    return Sweep(runs_, dict(sorted(embeddings.items())), splits, target)


def _embeddings(out: str, experiment: int, model: int) -> Path:
    """Where the embeddings of a run are."""
    _check_name(out)
    return ROOT / "_build" / "embeddings" / out / f"experiment={experiment}_model={model}.parquet"


def _check_name(out: str) -> None:
    if not out or set(out) & set("/\\") or out.startswith("."):
        raise ValueError(f"out is {out!r}; it is a plain name, the folder is made below _build")


def score_runs(
    sweep: Sweep,
    *,
    classifier: str = "fast",
    on: Sequence[str] = ("validation", "test"),
    runs: Sequence[tuple[int, int]] | None = None,
    confidence_level: float = 0.95,
    rng: int | np.random.Generator = 0,
    timeout: int = 60,
    threads: int = 1,
    metric: str = "accuracy",
) -> pd.DataFrame:
    """The accuracy of every run of a sweep, or another score, with its interval.

    Parameters
    ----------
    sweep
        Sweep from :func:`helpers.studies.sweep.read_sweep`.
    classifier, rng, timeout, threads, metric
        Same meaning as in :func:`helpers.clients.score`.
    on
        Parts to score on, by one classifier.
    runs
        Runs to score, as (experiment, model); all by default.
    confidence_level
        Confidence level of the interval over the clients of the part, Wilson's for the accuracy, for other metrics that
        of a normal mean of what the clients contribute. It speaks of other clients, not of another training.

    Returns
    -------
    DataFrame
        Index ``experiment``, ``model``; for each part its ``accuracy_PART``, or the score by the metric, its limits
        ``ci_low_PART`` and ``ci_high_PART``, and the number of clients ``n_PART``; and ``seconds`` of training and
        scoring.
    """
    import pandas as pd
    from scipy.stats import binomtest, norm

    seed = integer_seed(rng)
    rows = {}
    for run in list(sweep.embeddings) if runs is None else runs:
        target, parts = sweep.target[run[0]], sweep.split[run[0]]
        row: dict[str, float] = {}
        options = {"classifier": classifier, "on": on, "rng": seed, "timeout": timeout, "threads": threads}
        options |= {"metric": metric}
        for part, found in score_splits(sweep.embeddings[run], target, parts, **options).items():
            if metric == "accuracy":
                right = binomtest(int(found.correct.sum()), len(found.correct))
                low, high = right.proportion_ci(confidence_level, method="wilson")
            else:
                each = found.contributions
                reach = norm.isf((1 - confidence_level) / 2) * each.std(ddof=1) / np.sqrt(len(each))
                low, high = max(0.0, found.value - reach), min(1.0, found.value + reach)
            limits = {f"ci_low_{part}": low, f"ci_high_{part}": high}
            row |= {f"accuracy_{part}": found.value, **limits, f"n_{part}": len(found.correct)}
        rows[run] = row | {"seconds": found.seconds}
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index = pd.MultiIndex.from_tuples(rows, names=["experiment", "model"])
    return table
