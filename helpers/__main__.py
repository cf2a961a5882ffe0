"""Execute the chapters of the book, sweep a notebook over many parameters, render the pages, report on embeddings."""

from __future__ import annotations

import argparse
import os
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import yaml

from helpers.book import render
from helpers.book.plans import Plan, read_plan, summary
from helpers.book.runs import Outcome, Run, execute_all, parameters_of, read_parameters, results
from helpers.waiting import reason

EXECUTED = render.ROOT / "_build" / "executed"


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status: 0 if all went well, 1 if a run failed, 2 if the call was wrong."""
    args = _parser().parse_args(arguments)
    try:
        return {"run": _run, "sweep": _sweep, "build": _build, "apply": _apply, "report": _report}[args.command](args)
    except (ValueError, OSError) as error:
        print(f"python -m helpers {args.command}: {_in_options(str(error))}", file=sys.stderr)
        return 2
    except RuntimeError as error:
        print(f"python -m helpers {args.command}: {_in_options(str(error))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped; what was done is kept, and the same command goes on from there", file=sys.stderr)
        return 130


def _in_options(words: str) -> str:
    """A message that names parameters of Python, for the command line: ``overwrite=True`` becomes ``--overwrite``."""

    def option(match: re.Match) -> str:
        flag = "--target" if match[1] == "labels" else f"--{match[1].replace('_', '-')}"
        return flag if match[2] in ("", "True") else f"{flag} {match[2]}"

    names = "ids|labels|groups|pairs|judgements|text|drop_missing|drop_rare|overwrite"
    return re.sub(rf"\b({names})=('[^']*'|\w*)", option, words)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m helpers", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    run = commands.add_parser("run", help="execute chapters, all by default; those that are up to date are kept")
    run.add_argument(
        "chapters", nargs="*", type=Path, metavar="CHAPTER", help="notebooks/01_measures.ipynb, or 01_measures"
    )
    run.add_argument("--profile", default="pocket", help="pocket (default), paper, or a folder of parameter files")
    run.add_argument(
        "-p",
        "--parameter",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "VALUE"),
        help="overrides the profile",
    )
    run.add_argument("-f", "--file", type=Path, help="YAML file of parameters; overrides the profile")
    run.add_argument("-o", "--out", type=Path, default=EXECUTED, help="folder of the executed copies")
    run.add_argument("--resource", nargs=2, action="append", default=[], metavar=("NAME", "AMOUNT"), help="GPU 0.5")
    run.add_argument("--dry-run", action="store_true", help="only say what would run, and with which parameters")
    run.add_argument("--record", action="store_true", help="write seconds and memory to data/results/chapters.csv")

    sweep = commands.add_parser("sweep", help="execute one notebook over a grid of parameters")
    sweep.add_argument("plan", type=Path, help="YAML: notebook, parameters, grid, resources, tables")
    sweep.add_argument("-o", "--out", type=Path, help="folder of the executed copies and of results.csv")

    for command in (run, sweep):
        command.add_argument(
            "-j", "--jobs", dest="n_jobs", type=int, default=os.cpu_count() or 1, help="runs at a time"
        )
        command.add_argument("--retries", type=int, default=0, help="how often a failed run is started again")
        command.add_argument("--force", action="store_true", help="execute also what is up to date")

    build = commands.add_parser("build", help="render the executed chapters to _build/html")
    build.add_argument("--executed", type=Path, default=EXECUTED, help="folder of the executed copies")
    build.add_argument("--students", action="store_true", help="the edition without solutions, to _build/students")
    build.add_argument("--allow-stale", action="store_true", help="render chapters without a valid run unexecuted")
    build.add_argument("-q", "--quiet", action="store_true", help="show only what goes wrong")

    apply = commands.add_parser("apply", help="combine new rows of embeddings by a saved ensemble")
    apply.add_argument("ensemble", type=Path, metavar="ENSEMBLE", help="folder of the saved ensemble")
    apply.add_argument("input", type=Path, metavar="INPUT", help="folder or file with the embeddings of the new rows")
    apply.add_argument("-o", "--out", type=Path, required=True, help="the file to write, such as combined.npy")
    apply.add_argument("--ids", help="column of ids (default: id, if there is one), or '' to align rows by position")
    apply.add_argument("--drop-missing", action="store_true", help="leave out rows with NaN or infinite entries")
    apply.add_argument("--model", action="append", default=[], help="also encode --text by this model; repeatable")
    apply.add_argument("--text", help="column of texts, or a file of them")
    apply.add_argument("--layers", default="last", choices=("last", "all"), help="of the models")
    apply.add_argument("--overwrite", action="store_true", help="replace the file if it is there")
    apply.add_argument("-q", "--quiet", action="store_true", help="no progress bar")

    report = commands.add_parser(
        "report",
        help="how alike several embeddings are, which can go, what combining the rest gains",
        description="Run the chapter 'Your own embeddings' on your files and leave a folder: a page (index.html), "
        "tables as CSV, the fitted ensemble, the combined embedding. Stopped, the same command goes on where it was.",
    )
    report.add_argument("input", metavar="INPUT", nargs="?", default="", help="folder or file with the embeddings")
    report.add_argument("-o", "--out", type=Path, required=True, help="the folder to leave; empty or not there")
    report.add_argument("--target", dest="labels", metavar="LABELS", help="column, file or file:column of labels")
    report.add_argument("--pairs", help="table of two ids and a score, instead of a target")
    report.add_argument("--judgements", help="table of query, document and grade, instead of a target")
    report.add_argument("--groups", help="column or file: rows that belong together; alone: what is relevant to what")
    report.add_argument("--ids", help="column of ids (default: id, if there is one), or '' to align rows by position")
    report.add_argument("--names", nargs="+", help="which embeddings, in which order (default: all)")
    report.add_argument("--model", dest="models", action="append", help="also encode --text by this one; repeatable")
    report.add_argument("--text", help="column of texts, or a file of them")
    report.add_argument("--layers", default="last", choices=("last", "all"), help="of the models")
    report.add_argument("--rerun", nargs=2, metavar=("A", "B"), help="two embeddings that are one model trained twice")
    report.add_argument("--threshold", type=float, help="similarity that counts as redundant (default: 0.95)")
    report.add_argument("--width", type=int, help="of the ensembles (default: of the widest embedding)")
    report.add_argument("--folds", type=int, help="of the cross-validation (default: 5)")
    report.add_argument("--normalize", choices=("unit", "none"), help="rows to length 1 (default), or as they are")
    report.add_argument("--added", action="store_true", help="layers of one model: also ensembles that add them up")
    report.add_argument("--drop-missing", action="store_true", help="leave out rows with NaN or infinite entries")
    report.add_argument("--drop-rare", type=int, metavar="N", help="leave out classes with fewer members than N")
    report.add_argument("--objects", dest="n_objects", type=int, help="on which likeness is measured (default: 4000)")
    report.add_argument("--seed", type=int, help="of everything that is random (default: 0)")
    report.add_argument("--overwrite", action="store_true", help="replace a report that is there")
    return parser


def _run(args: argparse.Namespace) -> int:
    paths = [_chapter(name) for name in args.chapters] or render.chapters()
    profile = render.profile(args.profile)
    given = (read_parameters(args.file) if args.file else {}) | {n: yaml.safe_load(v) for n, v in args.parameter}
    known = {path: parameters_of(path) for path in paths}
    # One file may serve more chapters than are asked for now; what none of the book has is a mistake.
    others = {name for path in render.chapters() for name in parameters_of(path)} if args.file else set()
    others -= {name for name, _ in args.parameter}
    for name in given:
        if name not in others and not any(name in parameters for parameters in known.values()):
            listing = "".join(f"\n{path.stem}: {', '.join(parameters)}" for path, parameters in known.items())
            raise ValueError(f"no chapter has a parameter {name!r}. Known are{listing}")
    runs = []
    for path in paths:
        chosen = profile.get(path.stem, {}) | {name: value for name, value in given.items() if name in known[path]}
        runs.append(Run(path, args.out / path.name, chosen))
    for run in runs:
        run.check()
    if args.dry_run:
        for run in runs:
            print(f"{'kept' if run.is_done() else 'to do':6} {run.notebook.name} {dict(run.parameters)}")
        return 0
    resources = {name: float(amount) for name, amount in args.resource}
    if args.record:
        from helpers.book.costs import record, update_table

        record(runs)
        update_table()
        return 0
    outcomes = list(_execute(runs, args, what="chapters", **resources))
    return 1 if any(outcome.status == "failed" for outcome in outcomes) else 0


def _sweep(args: argparse.Namespace) -> int:
    plan = read_plan(args.plan)
    runs = plan.runs(args.out)
    plan.check(runs)
    outcomes: list[Outcome] = []
    try:
        with closing(_execute(runs, args, what="runs", **plan.resources)) as ended:
            for outcome in ended:
                outcomes.append(outcome)
                if outcome.status == "done":
                    plan.check_rows(outcome.run)
    except KeyboardInterrupt:
        _merge(plan, runs, outcomes)
        raise
    _merge(plan, runs, outcomes)
    order = {run.output: position for position, run in enumerate(runs)}
    table = results(sorted(outcomes, key=lambda outcome: order[outcome.run.output]))
    out = runs[0].output.parent
    out.mkdir(parents=True, exist_ok=True)
    table.to_csv(out / "results.csv", index=False)
    print(f"{out / 'results.csv'}: one row per run")
    return 1 if any(outcome.status == "failed" for outcome in outcomes) else 0


def _merge(plan: Plan, runs: list[Run], outcomes: list[Outcome]) -> None:
    """Bring the rows of the runs that are done into the tables of the plan, and say what came from where."""
    for line in summary(plan.merge(runs), outcomes):
        print(line)


def _build(args: argparse.Namespace) -> int:
    page = render.build(
        render.ROOT, args.executed, strict=not args.allow_stale, solutions=not args.students, quiet=args.quiet
    )
    print(f"The book is at {page}")
    return 0


def _apply(args: argparse.Namespace) -> int:
    from helpers.ensembles.applying import apply

    options = {"ids": args.ids, "models": args.model, "text": args.text, "layers": args.layers}
    options |= {"drop_missing": args.drop_missing, "overwrite": args.overwrite, "progress": not args.quiet}
    inputs = apply(args.ensemble, args.input, args.out, **options)
    for name, lost in inputs.losses.groupby("input", sort=False):
        print(f"{name}: {len(lost)} rows left out, such as {lost['id'].iloc[0]} ({lost['reason'].iloc[0]})")
    print(f"{args.out}: {len(inputs)} rows")
    return 0


def _report(args: argparse.Namespace) -> int:
    from helpers.report.command import make

    apart = ("command", "input", "out", "overwrite")
    chosen = {name: value for name, value in vars(args).items() if name not in apart and value is not None}
    if not args.input and not args.models:
        raise ValueError("name the folder or file of the embeddings, or models that read --text")
    page = make(args.input, args.out, {"n_objects": 4000} | chosen, overwrite=args.overwrite)
    print(f"The report is at {page}")
    return 0


def _chapter(name: Path) -> Path:
    """A notebook by its path, its name or the beginning of its name."""
    if name.is_file():
        return name.resolve()
    found = [path for path in render.chapters() if path.stem == name.stem or path.stem.startswith(f"{name}_")]
    if not found:
        raise ValueError(f"no chapter {str(name)!r}; chapters are {[path.stem for path in render.chapters()]}")
    return found[0]


def _execute(runs: list[Run], args: argparse.Namespace, what: str, **resources: float) -> Iterator[Outcome]:
    """Execute with a bar that names what runs and tells how long the rest will take."""
    counts: Counter[str] = Counter()
    with _Bar(runs, what, args.n_jobs) as bar:
        for outcome in execute_all(
            runs,
            n_jobs=args.n_jobs,
            retries=args.retries,
            force=args.force,
            on_start=bar.started,
            on_wait=bar.waits,
            **resources,
        ):
            counts[outcome.status] += 1
            bar.ended(outcome)
            yield outcome
    print(f"{what}: " + ", ".join(f"{count} {status}" for status, count in sorted(counts.items())))


class _Bar:
    """Progress in expected seconds: of earlier runs of the same chapters where there are any, else of the average."""

    def __init__(self, runs: list[Run], what: str, n_jobs: int):
        from tqdm import tqdm

        from helpers.book.costs import expected_seconds

        self.left = {run.output: expected_seconds(run) for run in runs}
        self.total, self.count, self.n_jobs = len(runs), 0, max(1, n_jobs)
        self.running: dict[Path, tuple[float, Run]] = {}
        self.waiting: dict[Path, str] = {}
        self.held: dict[Path, str] = {}  # runs that another process is executing
        self.lock = threading.Lock()
        self.began = time.monotonic()
        self.tqdm = tqdm
        form = what + " {n_fmt}/{total_fmt} |{bar:20}| {elapsed}{postfix}"
        self.bar = tqdm(total=self.total, bar_format=form, disable=None if sys.stderr.isatty() else True, leave=False)
        self.over = threading.Event()

    def __enter__(self):
        threading.Thread(target=self._tick, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.bar.close()

    def started(self, run: Run) -> None:
        with self.lock:
            self.held.pop(run.output, None)
            self.running[run.output] = time.monotonic(), run
        if self.bar.disable:
            print(f"{run.output.stem} …", flush=True)

    def waits(self, run: Run) -> None:
        """Another process is executing the run."""
        with self.lock:
            self.held[run.output] = run.elsewhere

    def ended(self, outcome: Outcome) -> None:
        with self.lock:
            self.running.pop(outcome.run.output, None)
            self.held.pop(outcome.run.output, None)
            self.left.pop(outcome.run.output, None)
            self.count += 1
        self.bar.update(1)
        if outcome.status != "kept":
            position = f"[{self.count}/{self.total}]"
            words = f"{position} {outcome.run.output.stem}: {outcome.status} in {outcome.seconds:.0f} s"
            if outcome.error:
                words = f"{position} {outcome.run.output.stem}: FAILED, {outcome.error}\n    see {outcome.run.output}"
            if self.bar.disable:
                rest = self.remaining()
                print(words + f"; about {rest:.0f} s left" * (rest > 0), flush=True)
            else:
                self.tqdm.write(words, file=sys.stderr)

    def remaining(self) -> float:
        """Seconds that the rest will take, as far as earlier runs tell."""
        now = time.monotonic()
        with self.lock:
            spent = {output: now - began for output, (began, _) in self.running.items()}
            rest = [max(left - spent.get(output, 0), 1.0) for output, left in self.left.items()]
        return max(max(rest, default=0.0), sum(rest) / self.n_jobs)

    def _tick(self) -> None:
        while not self.over.wait(0.5):
            with self.lock:
                waiting = {path: reason(run.notice) for path, (_, run) in self.running.items()}
                waiting |= self.held
                names = [path.stem + f" ({why}; waiting for it)" * bool(why) for path, why in waiting.items()]
            for path, why in waiting.items():
                if self.bar.disable and why and why != self.waiting.get(path):
                    print(f"{path.stem}: {why}; waiting for it", flush=True)
            self.waiting = waiting
            rest = int(self.remaining())
            self.bar.set_postfix_str(f"about {rest // 60}:{rest % 60:02d} left; now {', '.join(names)}", refresh=True)


if __name__ == "__main__":
    raise SystemExit(main())
