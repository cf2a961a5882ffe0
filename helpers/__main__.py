"""Execute the chapters of the book, sweep a notebook over many parameters, render the pages, report on embeddings."""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers.errors import ArgumentError
from helpers.locations import ROOT
from helpers.waiting import reason

if TYPE_CHECKING:
    from helpers.book.plans import Plan
    from helpers.book.runs import Outcome, Run

EXECUTED = (ROOT or Path()) / "_build" / "executed"
#: Commands that need no checkout; their options are those of library functions.
EVERYWHERE = ("apply", "drift", "leak", "migrate", "report")


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status: 0 if all went well, 1 if a run failed, 2 if the call was wrong."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    parser, commands = _parser(next((word for word in arguments if not word.startswith("-")), ""))
    args = parser.parse_args(arguments)
    try:
        if args.command in EVERYWHERE:
            from helpers.inversion import command as inversion
            from helpers.migration import command as migration
            from helpers.quality import drift_command
            from helpers.report import command

            calls = {
                "apply": command.run_apply,
                "drift": drift_command.run_drift,
                "leak": inversion.run_leak,
                "migrate": migration.run_migrate,
                "report": command.run_report,
            }
            return calls[args.command](args)
        if ROOT is None:
            raise ValueError(
                f"this command needs a checkout of the book; from a package there are {', '.join(EVERYWHERE)}"
            )
        return COMMANDS[args.command](args)
    except ArgumentError as error:
        from helpers.report.command import spelling

        words = error.told(spelling(commands[args.command]))
        print(f"python -m helpers {args.command}: {words}", file=sys.stderr)
        return 2
    except (ValueError, OSError) as error:
        print(f"python -m helpers {args.command}: {error}", file=sys.stderr)
        return 2
    except RuntimeError as error:
        print(f"python -m helpers {args.command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped; what was done is kept, and the same command goes on from there", file=sys.stderr)
        return 130


def _parser(called: str) -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """The parser, and those of the commands; of apply and report the options are only read if they are called."""
    parser = argparse.ArgumentParser(prog="python -m helpers", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    run = commands.add_parser("run", help="execute chapters, all by default; those that are up to date are kept")
    run.add_argument(
        "chapters", nargs="*", type=Path, metavar="CHAPTER", help="a notebook or its name, such as 01_measures"
    )
    run.add_argument("--profile", default="pocket", help="pocket (default), paper, or a folder of parameter files")
    run.add_argument(
        "-p",
        "--parameter",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "VALUE"),
        help="set one parameter; overrides the profile",
    )
    run.add_argument("-f", "--file", type=Path, help="YAML file of parameters; overrides the profile")
    run.add_argument("-o", "--out", type=Path, default=EXECUTED, help="folder of the executed copies")
    run.add_argument(
        "--resource",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "AMOUNT"),
        help="share of a resource that each run takes, such as GPU 0.5",
    )
    run.add_argument("--dry-run", action="store_true", help="only say what would run, and with which parameters")
    run.add_argument("--record", action="store_true", help="write seconds and memory to data/results/chapters.csv")

    sweep = commands.add_parser("sweep", help="execute one notebook over a grid of parameters")
    sweep.add_argument("plan", type=Path, help="YAML: notebook, parameters, grid, resources, tables")
    sweep.add_argument("-o", "--out", type=Path, help="folder of the executed copies and of results.csv")

    for command in (run, sweep):
        command.add_argument(
            "-j", "--jobs", dest="n_jobs", type=int, default=os.cpu_count() or 1, help="number of runs at a time"
        )
        command.add_argument("--retries", type=int, default=0, help="how often a failed run is started again")
        command.add_argument("--force", action="store_true", help="execute also what is up to date")

    build = commands.add_parser("build", help="render the executed chapters to _build/html")
    build.add_argument("--executed", type=Path, default=EXECUTED, help="folder of the executed copies")
    build.add_argument("--students", action="store_true", help="the edition without solutions, to _build/students")
    build.add_argument("--allow-stale", action="store_true", help="render chapters without a valid run unexecuted")
    build.add_argument("-q", "--quiet", action="store_true", help="show only what goes wrong")

    editions = _add_editions(commands)
    _add_unusual(commands)

    new = commands.add_parser("new", help="begin a chapter: notebook, study, worker, plan, profiles, test, entries")
    new.add_argument("what", choices=("chapter",), help="what to begin")
    new.add_argument("name", metavar="NAME", help="name of the notebook: number and topic, such as 19_hubs")
    new.add_argument("--title", default="", help="title of the page (default: made from the name)")
    new.add_argument("--part", default="", help="beginning of the caption of its part (default: the last part)")

    named = {"run": run, "sweep": sweep, "build": build}
    return parser, named | editions | _add_everywhere(commands, called)


def _add_everywhere(commands: argparse._SubParsersAction, called: str) -> dict[str, argparse.ArgumentParser]:
    """Commands that need no checkout; their options are only read if one of them is called."""
    apply = commands.add_parser("apply", help="combine new rows of embeddings by a saved ensemble, or map them")
    drift = commands.add_parser(
        "drift",
        help="which objects moved between two versions of an embedding",
        description="Compare two versions of an embedding of the same objects: which objects moved beyond what second "
        "runs of the old model, or all objects, did; how much of search stayed; what a map from old to new keeps.",
    )
    leak = commands.add_parser(
        "leak",
        help="how much of their texts embeddings give away",
        description="Train a decoder on embeddings with their texts, and read texts that it never saw from their "
        "vectors: words, numbers and names that come back, beside what another text's vector and the mean vector give. "
        "Stopped, the same command goes on where it was.",
    )
    migrate = commands.add_parser(
        "migrate",
        help="bring a corpus to a new embedding model without embedding it again",
        description="Fit a map from the vectors of an old model to those of a new one on objects that both have, say "
        "how much of the new model's search it keeps, and map the rest. Leaves a folder: migrated.npy, objects.csv, "
        "held_out.csv, table.csv, report.json, and the map, which apply takes for more rows.",
    )
    report = commands.add_parser(
        "report",
        help="how similar several embeddings are, which can go, what combining the rest gains",
        description="Report on embeddings and leave a folder: a page (index.html), tables as CSV, the fitted ensemble, "
        "the combined embedding. Stopped, the same command goes on where it was.",
    )
    if called in EVERYWHERE:  # a second of imports, which the other commands are spared
        from helpers.inversion.command import add_leak_options
        from helpers.migration.command import add_migrate_options
        from helpers.quality.drift_command import add_drift_options
        from helpers.report.command import add_apply_options, add_report_options

        add_drift_options(drift)
        add_leak_options(leak)
        add_migrate_options(migrate)
        add_apply_options(apply)
        add_report_options(report)
    return {"apply": apply, "drift": drift, "leak": leak, "migrate": migrate, "report": report}


def _add_unusual(commands: argparse._SubParsersAction) -> None:
    """The command that tries unusual values of parameters."""
    unusual = commands.add_parser(
        "unusual", help="execute chapters with unusual values of their parameters, and say which do not do as expected"
    )
    unusual.add_argument("chapters", nargs="*", type=Path, metavar="CHAPTER", help="chapters to try; all by default")
    unusual.add_argument("--table", type=Path, help="YAML file of the values (default: notebooks/unusual.yml)")
    unusual.add_argument("-o", "--out", type=Path, help="folder of the executed copies (default: _build/unusual)")
    unusual.add_argument("--refused", action="store_true", help="only values that have to be refused, which is quick")
    unusual.add_argument("-j", "--jobs", dest="n_jobs", type=int, default=1, help="number of runs at a time")
    unusual.add_argument("--force", action="store_true", help="execute also what is up to date")


def _add_editions(commands: argparse._SubParsersAction) -> dict[str, argparse.ArgumentParser]:
    """Commands that serve or make the book in other forms."""
    live = commands.add_parser("live", help="serve the built book on this machine, each chapter with a form to run it")
    live.add_argument("--port", type=int, default=8899, help="port on 127.0.0.1; if it is taken, the next free one")
    live.add_argument("--no-browser", action="store_true", help="only say the address")
    live.add_argument(
        "-j", "--jobs", dest="n_jobs", type=int, default=os.cpu_count() or 1, help="number of runs at a time"
    )

    students = commands.add_parser(
        "students", help="the edition without solutions, as pages or as notebooks; --teachers: with all answers"
    )
    students.add_argument("--notebooks", type=Path, metavar="DIR", help="write working notebooks into this folder")
    students.add_argument("--teachers", action="store_true", help="keep solutions, and answer the exam's questions")
    students.add_argument("--outputs", action="store_true", help="keep the outputs of the notebooks")
    students.add_argument("-q", "--quiet", action="store_true", help="show only what goes wrong")

    slides = commands.add_parser("slides", help="slides of a chapter: headings, figures, takeaways; one file")
    slides.add_argument("chapter", type=Path, metavar="CHAPTER", help="a notebook or its name, such as 01_measures")
    slides.add_argument("-o", "--out", type=Path, help="the file (default: _build/slides/CHAPTER.html)")

    printed = commands.add_parser("print", help="the book as one PDF, _build/book.pdf; needs Chromium or Chrome")
    printed.add_argument(
        "--solutions",
        choices=("none", "appendix"),
        default="none",
        help="where the solutions of exercises are printed: nowhere (default), or in an appendix",
    )
    printed.add_argument("--allow-stale", action="store_true", help="print chapters without a valid run unexecuted")

    for command in (students, slides, printed):
        command.add_argument("--executed", type=Path, default=EXECUTED, help="folder of the executed copies")
    return {"live": live, "students": students, "slides": slides, "print": printed}


def _run(args: argparse.Namespace) -> int:
    from helpers.book import render
    from helpers.book.runs import Run, parameters_of, read_parameters

    paths = [_chapter(name) for name in args.chapters] or render.chapters()
    profile = render.profile(args.profile)
    known = {path: parameters_of(path) for path in paths}
    given = read_parameters(args.file) if args.file else {}
    given |= {name: _value(name, text, known.values()) for name, text in args.parameter}
    given = _found_from_here(given)
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
    _check_tables([run for run in runs if args.dry_run or args.force or not run.is_done()])
    if args.dry_run:
        for run in runs:
            print(f"{'kept' if run.is_done() else 'to do':6} {run.notebook.name} {dict(run.parameters)}")
        return 0
    resources = {name: float(amount) for name, amount in args.resource}
    if args.record:
        from helpers.book.costs import record_costs, update_table

        record_costs(runs)
        update_table()
        return 0
    outcomes = list(_execute(runs, args, what="chapters", **resources))
    return 1 if any(outcome.status == "failed" for outcome in outcomes) else 0


def _found_from_here(given: dict[str, Any]) -> dict[str, Any]:
    """Parameters in which a file or folder that lies below the folder of the call has its whole path.

    Kernels work elsewhere; what the top folder of the project or its data hold they find by themselves.
    """
    from helpers.locations import DATA, expand

    def whole(value: Any) -> Any:
        kind, mark, rest = value.partition(":") if isinstance(value, str) else ("", "", "")
        if kind == "berka" and mark:
            return f"berka:{whole(rest)}"
        if not isinstance(value, str) or not value or expand(value).is_absolute():
            return value
        known = any((folder / value).exists() for folder in (ROOT, DATA))
        return str(Path(value).resolve()) if Path(value).exists() and not known else value

    found = {name: whole(value) if name == "source" else value for name, value in given.items()}
    options = found.get("options")
    if isinstance(options, dict) and "targets" in options:
        found["options"] = options | {"targets": whole(options["targets"])}
    return found


def _check_tables(runs: Sequence[Run]) -> None:
    """Read each table of clients that runs are about once, and say what it holds; a mistake in it is raised at once."""
    from helpers.book.runs import parameters_of
    from helpers.clients.checking import check_source

    names = ("source", "n_clients", "options", "fractions", "binary_from", "seed")
    tables = []
    for run in runs:
        if run.is_own:
            default = {name: one.default for name, one in parameters_of(run.notebook).items()}
            table = {name: (default | dict(run.parameters))[name] for name in names if name in default}
            tables += [table] * (table not in tables)
    for table in tables:
        seed = table.pop("seed", 0)
        print("\n".join(check_source(**table, rng=seed)), flush=True)


def _value(name: str, text: str, known: Iterable[Mapping[str, Any]]) -> Any:
    """The value of a parameter as it was typed, by its kind in the chapters that have it."""
    import yaml

    from helpers.book.runs import yaml_value

    kinds = {parameters[name].kind for parameters in known if name in parameters}
    try:
        return yaml_value(text, kinds.pop() if len(kinds) == 1 else "")
    except yaml.YAMLError as error:
        raise ValueError(f"-p {name} {text!r} is not YAML: {' '.join(str(error).split())}") from None


def _sweep(args: argparse.Namespace) -> int:
    from helpers.book.plans import read_plan
    from helpers.book.runs import results

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
    from helpers.book.plans import summary

    for line in summary(plan.merge(runs), outcomes):
        print(line)


def _build(args: argparse.Namespace) -> int:
    from helpers.book import render

    edition = "students" if args.students else "book"
    page = render.build_book(ROOT, args.executed, strict=not args.allow_stale, edition=edition, quiet=args.quiet)
    print(f"The book is at {page}")
    return 0


def _live(args: argparse.Namespace) -> int:
    from helpers.book.live_server import serve

    serve(ROOT, port=args.port, n_jobs=args.n_jobs, open_browser=not args.no_browser)
    return 0


def _students(args: argparse.Namespace) -> int:
    if args.notebooks is None:
        if args.outputs:
            raise ValueError("--outputs is about notebooks; pass --notebooks DIR too")
        from helpers.book import render

        edition = "teachers" if args.teachers else "students"
        page = render.build_book(ROOT, args.executed, edition=edition, quiet=args.quiet)
        print(f"The edition is at {page}")
        return 0
    from helpers.book.working import write_notebooks

    written = write_notebooks(args.notebooks, ROOT, args.executed, solutions=args.teachers, outputs=args.outputs)
    print(f"{len(written)} notebooks are in {args.notebooks}")
    return 0


def _slides(args: argparse.Namespace) -> int:
    from helpers.book.slides import write_slides

    print(f"The slides are at {write_slides(_chapter(args.chapter).stem, args.out, ROOT, args.executed)}")
    return 0


def _print(args: argparse.Namespace) -> int:
    from helpers.book.printing import print_book

    page = print_book(ROOT, args.executed, solutions=args.solutions, strict=not args.allow_stale)
    print(f"The printed book is at {page}")
    return 0


def _unusual(args: argparse.Namespace) -> int:
    """Say case by case what became of it; the status is 1 if anything did not do as expected."""
    from helpers.book.unusual import read_cases, try_cases

    wanted = {_chapter(name).stem for name in args.chapters}
    cases = [case for case in read_cases(args.table) if not wanted or case.chapter.stem in wanted]
    cases = [case for case in cases if case.says or not args.refused]
    for case in (case for case in cases if case.missing):
        print(f"left out    {case}: there is no {case.missing}")
    cases = [case for case in cases if not case.missing]
    faults = 0
    for verdict in try_cases(cases, args.out, n_jobs=args.n_jobs, force=args.force):
        faults += bool(verdict.fault)
        words = (
            f"UNEXPECTED  {verdict.case}: {verdict.fault}; it " if verdict.fault else f"as expected {verdict.case}: "
        )
        print(words + verdict.told, flush=True)
    print(f"{len(cases)} cases, of which {faults} did not do as expected")
    return 1 if faults else 0


def _new(args: argparse.Namespace) -> int:
    from helpers.book.scaffold import new_chapter

    for path in new_chapter(args.name, title=args.title, part=args.part):
        print(path.relative_to(ROOT))
    print(f"It runs as it is: python -m helpers run {args.name}; measure its costs with --record")
    return 0


def _chapter(name: Path) -> Path:
    """A notebook by its path, its name or the beginning of its name."""
    from helpers.book import render

    if name.is_file():
        return name.resolve()
    found = [path for path in render.chapters() if path.stem == name.stem or path.stem.startswith(f"{name}_")]
    if not found:
        raise ValueError(f"no chapter {str(name)!r}; chapters are {[path.stem for path in render.chapters()]}")
    return found[0]


def _execute(runs: list[Run], args: argparse.Namespace, what: str, **resources: float) -> Iterator[Outcome]:
    """Execute with a bar that names what runs and tells how long the rest will take."""
    from helpers.book.runs import execute_all

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
    """Progress in expected seconds: of the last time of a run, else the mean of other runs of its notebook, else as
    recorded for its chapter."""

    def __init__(self, runs: list[Run], what: str, n_jobs: int):
        from tqdm import tqdm

        from helpers.book.costs import last_seconds, recorded_seconds

        last = [(run, last_seconds(run)) for run in runs]
        self.left = {run.output: seconds or recorded_seconds(run) for run, seconds in last}
        self.unknown = {run.output: run.notebook for run, seconds in last if not seconds}
        self.took: dict[Path, list[float]] = {}  # seconds of runs whose time is known, by notebook
        for run, seconds in last:
            if seconds:
                self._learn(run.notebook, seconds)
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
            if outcome.status == "done":
                self._learn(outcome.run.notebook, outcome.seconds)
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

    def _learn(self, notebook: Path, seconds: float) -> None:
        took = self.took.setdefault(notebook, [])
        took.append(seconds)
        for output in self.left:
            if self.unknown.get(output) == notebook:
                self.left[output] = sum(took) / len(took)

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


COMMANDS = {"run": _run, "sweep": _sweep, "build": _build, "live": _live, "new": _new, "unusual": _unusual}
COMMANDS |= {"students": _students, "slides": _slides, "print": _print}


if __name__ == "__main__":
    raise SystemExit(main())
