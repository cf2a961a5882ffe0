"""The commands ``report`` and ``apply``: options, a bar, and errors that name options."""

from __future__ import annotations

import argparse
import inspect
import shlex
import signal
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from helpers.encoders.extraction import POOLINGS
from helpers.ensembles.applying import apply
from helpers.errors import Argument
from helpers.groups import READOUTS
from helpers.inputs import read
from helpers.inputs.formats import describe_formats
from helpers.report.building import build
from helpers.report.requirements import REQUIREMENTS, check_requirements, parse_requirement
from helpers.report.sentences import not_read_in_words
from helpers.report.steps import StepProgress

__all__ = ["Bar", "add_apply_options", "add_report_options", "run_apply", "run_report", "spelling"]


def add_report_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``report``; each stores in the argument of :func:`helpers.report.build` whose default it has."""
    option = _options(parser, build, read)
    _add_formats(parser)
    parser.add_argument("inputs", metavar="INPUT", nargs="*", help="folder, file or files with the embeddings")
    parser.add_argument(
        "-o", "--out", dest="folder", type=Path, required=True, help="folder for the report; empty, or not there yet"
    )
    option("--labels", help="column, file or file:column of labels or numbers to predict")
    option("--pairs", help="table of two ids and a score, instead of labels")
    option("--qrels", help="table of query, document and relevance, instead of labels")
    option("--groups", help="column or file: rows that belong together; alone: what is relevant to what")
    _add_reading_options(option)
    option("--names", nargs="+", help="which embeddings, in which order (default: all)")
    option("--min-class-size", type=int, metavar="N", help="leave out classes with fewer members than N")
    option("--same-model", nargs=2, metavar=("A", "B"), help="two embeddings that are one model trained twice")
    option(
        "--versions",
        nargs=2,
        metavar=("OLD", "NEW"),
        help="two embeddings that are an old and a new version of one (default: as names such as old and new tell)",
    )
    option("--rerun", action="append", metavar="NAME", help="embedding that is a second run of OLD; may be repeated")
    option("--threshold", type=float, help="similarity that counts as redundant (default: {default})")
    option("--width", type=int, help="width of the ensembles (default: that of the widest embedding)")
    option("--folds", type=int, help="number of folds of the cross-validation (default: {default})")
    option(
        "--normalize", type=_none, metavar="{unit,none}", help="scale rows to length 1 (unit, default), or leave them"
    )
    option("--allow-sums", action="store_true", help="for layers of one model: also ensembles that add them")
    option(
        "--sample", dest="n_objects", type=int, metavar="N", help="number of objects to compare on (default: {default})"
    )
    option("--what-to-keep", action="store_true", help="also judge all subsets, fusions, widths and storage: minutes")
    option("--margin", type=float, help="loss of score accepted for fewer bytes or encoders (default: {default})")
    option("--seed", dest="rng", type=int, help="seed of everything that is random (default: {default})")
    parser.add_argument(
        "--require",
        action="append",
        default=argparse.SUPPRESS,
        metavar="CONDITION",
        help=f"exit with 3 if it is not met: {', '.join(REQUIREMENTS)} or score>=NUMBER; repeatable",
    )
    option("--overwrite", action="store_true", help="replace a report that is there")


def add_apply_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``apply``; each stores in the argument of :func:`helpers.ensembles.applying.apply`."""
    option = _options(parser, apply, read)
    parser.add_argument("ensemble", type=Path, metavar="ENSEMBLE", help="folder of the saved ensemble, or map")
    _add_formats(parser)
    parser.add_argument("inputs", type=Path, metavar="INPUT", help="folder or file with the embeddings of the new rows")
    parser.add_argument("-o", "--out", type=Path, required=True, help="the file to write, such as combined.npy")
    _add_reading_options(option)
    option("--overwrite", action="store_true", help="replace the file if it is there")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress bar")


def _add_formats(parser: argparse.ArgumentParser) -> None:
    """What is read, below the options."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = None if parser.description is None else "\n".join(textwrap.wrap(parser.description, 100))
    parser.epilog = f"files that are read:\n{textwrap.indent(describe_formats(90), '  ')}"


def _add_reading_options(option: Callable[..., None]) -> None:
    option("--ids", help="column of ids (default: id, if there is one), or '' to align rows by position")
    option(
        "--missing",
        choices=("raise", "drop"),
        help="rows with NaN or infinite entries: raise an error (default), or drop",
    )
    option("--model", dest="models", action="append", help="also encode --text with this model; may be repeated")
    option("--text", help="column of texts, or a file of them")
    option(
        "--pooling",
        choices=POOLINGS,
        help="one vector of the tokens of a text (default: what the model says, else mean)",
    )
    option("--layers", choices=("last", "all"), help="which layers of the models to read (default: {default})")
    option("--pool-by", metavar="COLUMN", help="rows are items: one object for each value of this column or file")
    option(
        "--readout",
        nargs="+",
        metavar="NAME",
        help=f"how items become one vector: {', '.join(READOUTS)}, several, or compare (default: {{default}})",
    )


def _options(parser: argparse.ArgumentParser, *functions: Callable) -> Callable[..., None]:
    """``add_argument`` for arguments of functions, with the default of the first function that has the argument."""
    defaults: dict[str, Any] = {}
    for function in reversed(functions):
        defaults |= {name: p.default for name, p in inspect.signature(function).parameters.items()}

    def option(flag: str, *, help: str, dest: str = "", **settings: Any) -> None:
        dest = dest or flag.removeprefix("--").replace("-", "_")
        words = help.format(default=defaults[dest]).replace("%", "%%")
        if not settings.keys() & {"choices", "metavar"} and settings.get("action") != "store_true":
            settings["metavar"] = flag.removeprefix("--").replace("-", "_").upper()
        parser.add_argument(flag, dest=dest, default=argparse.SUPPRESS, help=words, **settings)

    return option


def _none(word: str) -> str | None:
    return None if word == "none" else word


def run_report(args: argparse.Namespace) -> int:
    """The command ``report``."""
    given = {name: value for name, value in vars(args).items() if name != "command"}
    given["inputs"] = given["inputs"][0] if len(given["inputs"]) == 1 else given["inputs"] or ""
    if not given["inputs"] and "models" not in given:
        raise ValueError("name the folder or file of the embeddings, or models that read --text")
    wanted = given.pop("require", [])
    for name in wanted:
        parse_requirement(name)  # before hours of work
    with Bar() as bar:
        report = build(progress=bar, **given)
    for line in not_read_in_words(report.inputs):
        print(line)
    print(f"The report is at {report.folder / 'index.html'}")
    failed = [one for one in check_requirements(report, wanted) if not one.met]
    for one in failed:
        print(f"not met: {one.name} ({one.reason})", file=sys.stderr)
    return 3 if failed else 0


def run_apply(args: argparse.Namespace) -> int:
    """The command ``apply``."""
    given = {name: value for name, value in vars(args).items() if name not in ("command", "quiet")}
    from helpers.migration.command import apply_map, is_map

    combine = apply_map if is_map(given["ensemble"]) else apply
    inputs = combine(given.pop("ensemble"), given.pop("inputs"), given.pop("out"), progress=not args.quiet, **given)
    for line in not_read_in_words(inputs):
        print(line)
    print(f"{args.out}: {len(inputs)} rows")
    return 0


def spelling(parser: argparse.ArgumentParser) -> Callable[[Argument], str]:
    """How a parser spells an argument: ``Argument("missing", "drop")`` is ``--missing drop``.

    Examples
    --------
    >>> import argparse
    >>> from helpers.errors import Argument
    >>> parser = argparse.ArgumentParser()
    >>> _ = parser.add_argument("--sample", dest="n_objects", type=int)
    >>> spelling(parser)(Argument("n_objects", 100))
    '--sample 100'
    """
    flags: Mapping[str, argparse.Action] = {a.dest: a for a in parser._actions if a.option_strings}

    def spelled(argument: Argument) -> str:
        action = flags.get(argument.name)
        if action is None:
            return str(argument)
        flag = action.option_strings[-1]
        return flag if action.nargs == 0 else f"{flag} {shlex.quote(str(argument.value))}"

    return spelled


class Bar:
    """What a report is at, on the console: a bar on a terminal, else a line for each step.

    In the main thread an interruption is also remembered, and a step does not begin after it: an exception is lost if
    it comes while a compiled library calls back, as threadpoolctl's does.
    """

    def __init__(self) -> None:
        from tqdm import tqdm

        self.now = StepProgress("reading", "running")
        self.began = self.since = time.monotonic()
        self.over = threading.Event()
        self.interrupted, self.before = False, None
        form = "report |{bar:20}| {elapsed}{postfix}"
        self.bar = tqdm(total=100, bar_format=form, disable=None if sys.stderr.isatty() else True, leave=False)

    def __enter__(self) -> Bar:
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            with suppress(ValueError):  # only the main thread may
                self.before = signal.signal(signal.SIGINT, self._interrupt)
        if not self.bar.disable:
            threading.Thread(target=self._tick, daemon=True).start()
        return self

    def __exit__(self, *_: Any) -> None:
        if self.before is not None:
            signal.signal(signal.SIGINT, self.before)
        self.over.set()
        self.bar.close()

    def _interrupt(self, *_: Any) -> None:
        self.interrupted = True
        raise KeyboardInterrupt

    def __call__(self, progress: StepProgress) -> None:
        if self.interrupted:
            raise KeyboardInterrupt
        if progress.state not in ("running", "waiting"):
            return
        self.now, self.since = progress, time.monotonic()
        if self.bar.disable:
            print(f"{self._words(progress.seconds_left)} …", flush=True)

    def _words(self, left: float | None) -> str:
        if self.now.state == "waiting":
            return f"{self.now.step}; waiting for it"
        return self.now.step + ("" if left is None else f"; about {int(left) // 60}:{int(left) % 60:02d} left")

    def _tick(self) -> None:
        """Count down between the steps."""
        while not self.over.wait(0.5):
            left, at = self.now.seconds_left, time.monotonic()
            if left is not None:
                left = max(1.0, left - (at - self.since))
                spent = at - self.began
                self.bar.n = int(100 * spent / (spent + left))
            self.bar.set_postfix_str(self._words(left), refresh=True)
