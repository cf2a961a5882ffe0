"""Assemble executed chapters into a tree that Jupyter Book renders, and check what it rendered."""

from __future__ import annotations

import ast
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import yaml
from nbformat import NotebookNode

from helpers.book.fingerprint import without_magics
from helpers.book.own_data import as_own_page, glued_names, is_own, without_absent
from helpers.book.runs import Run, read_parameters
from helpers.locations import ROOT

__all__ = [
    "DEFAULTS",
    "EDITIONS",
    "Edition",
    "build_book",
    "chapters",
    "executed_copies",
    "graft",
    "outside_loads",
    "pages_of_reference",
    "profile",
    "solutions_alone",
    "stage",
    "with_reference",
    "without_results",
    "without_solutions",
]

#: The profile in which every chapter runs at its defaults.
DEFAULTS = "pocket"


@dataclass(frozen=True)
class Edition:
    """A way to render the book.

    Attributes
    ----------
    folder
        Folder of its pages, below ``_build``.
    solutions
        Whether the exercises have their solutions, each below its exercise.
    appendix
        Whether the solutions stand in pages of their own, behind all others.
    answers
        Whether the questions of the exam have their answers.
    builder
        Sphinx's builder: ``html``, a page for each chapter, or ``singlehtml``, one page for all.
    """

    folder: str
    solutions: bool = True
    appendix: bool = False
    answers: bool = False
    builder: str = "html"


#: The editions of the book, by name.
EDITIONS = {
    "book": Edition("html"),
    "students": Edition("students", solutions=False),
    "teachers": Edition("teachers", answers=True),
    "print": Edition("print", solutions=False, builder="singlehtml"),
    "print-appendix": Edition("print-appendix", solutions=False, appendix=True, builder="singlehtml"),
}


def chapters(root: Path = ROOT) -> list[Path]:
    """Notebooks named by the table of contents, in reading order."""
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    paths = [root / f"{name}.ipynb" for name in _files(toc)]
    return [path for path in paths if path.exists()]


def profile(name: str | Path, root: Path = ROOT) -> dict[str, dict]:
    """Parameters of every chapter in a profile: chapter → parameter → value.

    A profile is a folder of YAML files, each named after a chapter and of the form that ``papermill -f`` takes. A file
    names what differs from the chapter's defaults; a chapter without a file runs at its defaults. The book has
    ``data/profiles/paper`` and ``smallest``; ``pocket`` is the defaults themselves, and has no folder.

    Raises
    ------
    ValueError
        If there is no such folder, or a file in it belongs to no chapter.
    """
    if name == DEFAULTS:
        return {}
    folder = next((path for path in (root / "data" / "profiles" / name, Path(name)) if path.is_dir()), None)
    if folder is None:
        known = sorted([DEFAULTS, *(path.name for path in (root / "data" / "profiles").iterdir())])
        raise ValueError(f"no profile {str(name)!r}; it is one of {known} or a folder of parameter files")
    names = [path.stem for path in chapters(root)]
    for path in sorted(folder.glob("*.y*ml")):
        if path.stem not in names:
            raise ValueError(f"{path} belongs to no chapter; chapters are {names}")
    return {stem: read_parameters(path) for stem in names if (path := folder / f"{stem}.yml").exists()}


def graft(source: NotebookNode, executed: NotebookNode) -> NotebookNode:
    """Present prose with earlier outputs: a corrected typo costs no new run.

    Both notebooks have the same code cells, except the one papermill injects, which is kept so that a reader sees the
    parameters of the run.

    Raises
    ------
    ValueError
        If the code differs.
    """
    ran = [cell for cell in executed.cells if cell.cell_type == "code"]
    cells = []
    for cell in source.cells:
        if cell.cell_type == "code":
            if not ran or ran[0].source != cell.source:
                raise ValueError(f"the code changed since the run: {cell.source.splitlines()[:1]}")
            twin = ran.pop(0)
            cell = _with(cell, outputs=twin.outputs, execution_count=twin.execution_count)
        cells.append(cell)
        while ran and "injected-parameters" in ran[0].metadata.get("tags", []):
            injected = ran.pop(0)
            if not _same_assignments(cells[-1].source, injected.source):
                cells.append(injected)
    return _with(source, cells=cells)


def without_solutions(notebook: NotebookNode) -> NotebookNode:
    """The students' edition: no cell between ``solution-start`` and ``solution-end``, none tagged ``solution``."""
    return _with(notebook, cells=[cell for cell, is_solution in _parted(notebook) if not is_solution])


def solutions_alone(notebook: NotebookNode, name: str) -> NotebookNode | None:
    """The solutions of a chapter as a page of its own; ``None`` if it has none.

    Parameters
    ----------
    notebook
        The chapter, with its outputs.
    name
        Name of the chapter, in whose folder the page will lie: numbers of the text are taken from there.
    """
    kept = []
    for cell, is_solution in _parted(notebook):
        if is_solution and cell.cell_type == "markdown":
            text = re.sub(r"^:class: dropdown\n", "", cell.source, flags=re.M)  # paper has nothing to click on
            text = re.sub(r"\{glue:text\}`(?!\S*::)", f"{{glue:text}}`{name}.ipynb::", text)
            cell = _with(cell, source=text)
        kept += [cell] * is_solution
    if not kept:
        return None
    texts = (cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    title = next(line for text in texts for line in text.splitlines() if line.startswith("# ")).removeprefix("# ")
    heading = nbformat.v4.new_markdown_cell(f"# Solutions: {title}", id="heading")
    return _with(notebook, cells=[heading, *kept])


def _parted(notebook: NotebookNode) -> Iterator[tuple[NotebookNode, bool]]:
    """Cells, and whether they belong to a solution; a text that goes on behind the end of one is cut in two."""
    inside = closing = False
    for cell in notebook.cells:
        if cell.cell_type != "markdown":
            yield cell, inside or "solution" in cell.metadata.get("tags", [])
            continue
        pieces: list[tuple[list[str], bool]] = [([], inside)]
        for line in cell.source.splitlines():
            if not inside and re.match(r"[:`]{3,}\{solution-start\}", line):
                inside = True
                pieces.append(([], True))
            closing = closing or inside and bool(re.match(r"[:`]{3,}\{solution-end\}", line))
            pieces[-1][0].append(line)
            if closing and re.match(r"[:`]{3,}\s*$", line):
                inside = closing = False
                pieces.append(([], False))
        texts = [("\n".join(lines).strip(), is_solution) for lines, is_solution in pieces]
        texts = [(text, is_solution) for text, is_solution in texts if text]
        for number, (text, is_solution) in enumerate(texts):
            name = {} if len(texts) == 1 else {"id": f"{cell.get('id', 'text')[:58]}-{number}"}
            yield _with(cell, source=text, **name), is_solution


_ROLE = re.compile(r"\{glue:text\}`(?:([^`]*/)?([^`/]+)\.ipynb::)?[^`]+`")
_SHOWN = re.compile(
    r"^(`{3,}|:{3,})\{glue:\w+\}[^\n]*\n(?:[^\n]*\n)*?:doc:[^\n]*?([^\s/]+)\.ipynb\n(?:[^\n]*\n)*?\1$", re.M
)


def without_results(text: str, missing: Mapping[str, Collection[str]], own: str = "") -> str:
    """A text in which a dash stands for every number, and a word for every table and figure, that no run has made.

    Parameters
    ----------
    text
        Text of a page in MyST markdown.
    missing
        Names of the chapters without a valid run → the names of their figures.
    own
        Name of the chapter that the text belongs to, if it does.

    Examples
    --------
    >>> from helpers.book.render import without_results
    >>> text = "CKA is {glue:text}`cka:.2f`, see {numref}`fig-cka` and {glue:text}`../notebooks/b.ipynb::n`."
    >>> without_results(text, {"a": ["fig-cka"]}, "a")
    'CKA is —, see *(a figure that was not made)* and {glue:text}`../notebooks/b.ipynb::n`.'
    """
    text = _ROLE.sub(lambda role: "—" if (role[2] or own) in missing else role[0], text)
    text = _SHOWN.sub(lambda shown: "*This table was not made.*" if shown[2] in missing else shown[0], text)
    figures = {figure for names in missing.values() for figure in names}
    word = "*(a figure that was not made)*"
    return re.sub(r"\{numref\}`([^`]+)`", lambda role: word if role[1] in figures else role[0], text)


def _unexecuted(notebook: NotebookNode, name: str, missing: Mapping[str, Collection[str]]) -> NotebookNode:
    """A chapter without a run: a banner below its title, and dashes for its numbers."""
    banner = (
        ":::{warning}\nThis chapter was not executed for this edition. Its text and its code are here, its tables and "
        f"figures are not, and a dash stands for each of its numbers. `python -m helpers run {name}` makes them.\n:::"
    )
    cells, is_shown = [], False
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            text = without_results(cell.source, missing, name)
            title = None if is_shown else re.search(r"^# .*$", text, re.M)
            if title:
                text, is_shown = f"{text[: title.end()]}\n\n{banner}{text[title.end() :]}", True
            cell = _with(cell, source=text)
        cells.append(cell)
    return _with(notebook, cells=cells)


def _figures(notebook: NotebookNode) -> list[str]:
    """Names of the figures that cells of code make."""
    about = [cell.metadata.get("mystnb", {}).get("figure", {}) for cell in notebook.cells]
    return [figure["name"] for figure in about if "name" in figure]


def pages_of_reference(root: Path = ROOT) -> dict[str, tuple[str, str]]:
    """Module of the package → the page of the reference that holds it, and the title of that page."""
    found = {}
    for path in sorted((root / "book" / "api").glob("*.md")):
        text = path.read_text(encoding="utf-8")
        title = text.splitlines()[0].removeprefix("# ")
        found |= {name: (path.stem, title) for name in re.findall(r"^\.\. automodule:: (\S+)$", text, re.M)}
    return found


def with_reference(notebook: NotebookNode, pages: Mapping[str, tuple[str, str]]) -> NotebookNode:
    """The chapter, and at its end links to the pages of the reference that describe what it imports."""
    imported: set[str] = set()
    for cell in notebook.cells:
        for node in ast.walk(ast.parse(without_magics(cell.source))) if cell.cell_type == "code" else ():
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "helpers":
                imported |= {node.module, *(f"{node.module}.{one.name}" for one in node.names)}
            elif isinstance(node, ast.Import):
                imported |= {one.name for one in node.names}
    used = {}
    for name in sorted(imported):
        while name and name not in pages:
            name = name.rpartition(".")[0]
        if name:
            used[pages[name][0]] = pages[name][1]
    if not used:
        return notebook
    links = "; ".join(f"[{title}](../book/api/{page}.md)" for page, title in used.items())
    cell = nbformat.v4.new_markdown_cell(f"*The functions of this chapter, in the reference*: {links}.", id="reference")
    return _with(notebook, cells=[*notebook.cells, cell])


def stage(root: Path, executed: Path, site: Path, *, edition: str = "book") -> list[Path]:
    """Bring ``site`` to the present state of pages and executed chapters; return the chapters that lack a valid run.

    Only files that differ are written, so that the renderer reads only these again.
    """
    kind = EDITIONS[edition]
    config = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))
    config["execute"] = {"execute_notebooks": "off"}  # "auto" would run again whatever has a silent cell
    if kind.answers:
        config.setdefault("sphinx", {}).setdefault("config", {})["exam_answers"] = True
    if kind.appendix:  # a solution that does not follow its exercise says which it belongs to
        config.get("sphinx", {}).get("config", {}).pop("exercise_style", None)
    wanted = {Path("_config.yml"): yaml.safe_dump(config, sort_keys=False).encode()}
    included = [*(root / "data" / "results").glob("*.csv"), *(root / "notebooks" / "runs").glob("*.yml")]
    for path in sorted([*(root / "book").rglob("*"), *included]):
        if path.is_file() and "__pycache__" not in path.parts:
            wanted[path.relative_to(root)] = path.read_bytes()
    sources = {chapter: nbformat.read(chapter, as_version=4) for chapter in chapters(root)}
    runs = {chapter: _valid(chapter, executed / chapter.name) for chapter in sources}
    missing = {chapter.stem: _figures(sources[chapter]) for chapter, ran in runs.items() if not ran}
    owned = {chapter.stem: glued_names(ran) for chapter, ran in runs.items() if ran and _is_own(ran)}
    appendix = []
    for chapter, ran in runs.items():
        notebook = graft(sources[chapter], ran) if ran else _unexecuted(sources[chapter], chapter.stem, missing)
        if chapter.stem in owned:
            notebook = as_own_page(notebook, chapter.stem)
        notebook = _without_absent(notebook, owned)
        if kind.appendix and (page := solutions_alone(notebook, chapter.stem)):
            place = chapter.relative_to(root).with_name(f"{chapter.stem}_solutions.ipynb")
            wanted[place] = nbformat.writes(page).encode()
            appendix.append(place.with_suffix("").as_posix())
        notebook = with_reference(notebook, pages_of_reference(root))
        text = nbformat.writes(notebook if kind.solutions else without_solutions(notebook))
        wanted[chapter.relative_to(root)] = text.encode()
    for name in [name for name in wanted if (missing or owned) and name.suffix == ".md"]:
        text = without_results(wanted[name].decode(), missing)
        wanted[name] = without_absent(text, owned).encode()
    wanted[Path("_toc.yml")] = _contents(root, appendix)
    for path in sorted(site.rglob("*")) if site.exists() else []:
        if path.is_file() and path.relative_to(site) not in wanted:
            path.unlink()
    for name, content in wanted.items():
        target = site / name
        if not target.exists() or target.read_bytes() != content:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
    return [chapter for chapter, ran in runs.items() if not ran]


def _is_own(ran: NotebookNode) -> bool:
    """Whether a chapter ran on somebody's own data."""
    return is_own(ran.metadata.get("papermill", {}).get("parameters", {}))


def _without_absent(notebook: NotebookNode, owned: Mapping[str, set[str]]) -> NotebookNode:
    """A chapter in whose text a dash stands for what runs on own data, of other chapters, have not made."""
    if not owned:
        return notebook
    texts = (cell.cell_type == "markdown" for cell in notebook.cells)
    cells = [
        _with(cell, source=without_absent(cell.source, owned)) if is_text else cell
        for cell, is_text in zip(notebook.cells, texts, strict=True)
    ]
    return _with(notebook, cells=cells)


def _contents(root: Path, appendix: Sequence[str]) -> bytes:
    """The table of contents, with the pages of an appendix as its last part."""
    text = (root / "_toc.yml").read_bytes()
    if not appendix:
        return text
    toc = yaml.safe_load(text)
    toc["parts"].append({"caption": "Solutions", "chapters": [{"file": name} for name in appendix]})
    return yaml.safe_dump(toc, sort_keys=False, allow_unicode=True).encode()


def executed_copies(root: Path, executed: Path) -> dict[str, NotebookNode]:
    """Executed copies that are complete and up to date: name of the chapter → notebook."""
    found = {path.stem: _valid(path, executed / path.name) for path in chapters(root)}
    return {name: ran for name, ran in found.items() if ran}


def build_book(root: Path, executed: Path, *, strict: bool = True, edition: str = "book", quiet: bool = False) -> Path:
    """Render an edition of the book from executed chapters and return its first page.

    The book goes to ``_build/html``, the edition without solutions to ``_build/students``. Nothing is rendered when
    nothing changed since the last time. Warnings are errors if ``strict``.

    Raises
    ------
    SystemExit
        If ``strict`` and a chapter was not executed, or its run is out of date; or if rendering fails.
    """
    kind = EDITIONS[edition]
    work, html = root / "_build" / "render" / edition, root / "_build" / kind.folder
    site, stamp = work / "site", work / "rendered"
    missing = stage(root, executed, site, edition=edition)
    if missing and strict:
        names = ", ".join(path.name for path in missing)
        raise SystemExit(f"not executed, or out of date: {names}. Run `python -m helpers run` first.")
    digest = _digest(site)
    if html.joinpath("index.html").exists() and stamp.exists() and stamp.read_text() == digest:
        return html / "index.html"
    if strict and not stamp.exists():
        # Pages that an earlier, tolerant or failed, rendering has kept would not warn a second time.
        shutil.rmtree(work / "_build", ignore_errors=True)
    stamp.unlink(missing_ok=True)
    jupyter_book = Path(sys.executable).with_name("jupyter-book")  # 1.x has no `python -m`
    command = [jupyter_book, "build", site, "--path-output", work, "--keep-going", "--builder", kind.builder]
    command += ["-W", "-n"] * strict + ["-q"] * quiet
    environment = os.environ | {"NO_COLOR": "1"}
    log = work / "render.log"
    if quiet:
        with log.open("wb") as file:
            code = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, env=environment).returncode
        problems = [line for line in log.read_text().splitlines() if re.search(r"WARNING|ERROR|rror:", line)]
    else:
        code, problems = subprocess.run(command, env=environment).returncode, []
    rendered = work / "_build" / kind.builder
    if code or not rendered.joinpath("index.html").exists():
        raise SystemExit("\n".join(["the book does not render without warnings:", *problems[:20], f"log: {log}"]))
    shutil.rmtree(html, ignore_errors=True)
    shutil.copytree(rendered, html)
    if kind.builder == "singlehtml":  # the one page has the name of the first, but loads its styles as if it lay on top
        html.joinpath(f"{_root(root)}.html").replace(html / "index.html")
    if strict:
        stamp.write_text(digest)
    return html / "index.html"


def outside_loads(html: Path) -> list[tuple[Path, str]]:
    """What a browser would fetch from elsewhere when it opens the pages below ``html``: (file, address) pairs.

    Links that a reader may click do not count; scripts, styles, images, fonts, frames and preloads do.
    """
    found = []
    for path in sorted(html.rglob("*")):
        if path.suffix == ".html":
            parser = _Loads()
            parser.feed(path.read_text(encoding="utf-8"))
            found += [(path, address) for address in parser.addresses]
        elif path.suffix == ".css":
            text = re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
            urls = re.findall(r"url\(\s*['\"]?((?:https?:)?//[^'\")]+)|@import\s+['\"]((?:https?:)?//[^'\"]+)", text)
            found += [(path, first or second) for first, second in urls]
    return found


class _Loads(HTMLParser):
    """Addresses on other hosts that a page loads by itself."""

    _LOADING_LINKS = {"stylesheet", "preload", "prefetch", "icon", "modulepreload", "preconnect", "dns-prefetch"}

    def __init__(self):
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        candidates = [attributes.get("src"), attributes.get("srcset"), attributes.get("poster")]
        if tag == "link" and self._LOADING_LINKS & set((attributes.get("rel") or "").split()):
            candidates.append(attributes.get("href"))
        if tag == "object":
            candidates.append(attributes.get("data"))
        self.addresses += [c for c in candidates if c and re.match(r"(https?:)?//", c.strip())]


def _root(root: Path) -> str:
    """The first page that the table of contents names."""
    return next(_files(yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))))


def _files(node) -> Iterator[str]:
    """Every ``file``, and the ``root``, of a table of contents, in order."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name in ("file", "root"):
                yield value
            else:
                yield from _files(value)
    elif isinstance(node, list):
        for value in node:
            yield from _files(value)


def _valid(chapter: Path, done: Path) -> NotebookNode | None:
    """The executed copy, if it is complete and nothing that decides it has changed since."""
    try:
        ran = nbformat.read(done, as_version=4)
        run = Run(chapter, done, dict(ran.metadata.papermill.parameters))
    except (OSError, ValueError, AttributeError):
        return None
    return ran if run.is_done() else None


def _same_assignments(defaults: str, injected: str) -> bool:
    """Whether the injected cell only repeats the defaults, and so tells a reader nothing."""
    import ast

    def values(source: str) -> dict[str, str]:
        body = [s for s in ast.parse(source).body if isinstance(s, (ast.Assign, ast.AnnAssign))]
        names = [(s.targets[0] if isinstance(s, ast.Assign) else s.target, s.value) for s in body]
        return {ast.unparse(name): ast.dump(value) for name, value in names}

    return values(injected).items() <= values(defaults).items()


def _digest(folder: Path) -> str:
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "_build" not in path.relative_to(folder).parts and "__pycache__" not in path.parts:
            total.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes())
    return total.hexdigest()


def _with(node: NotebookNode, **changes: object) -> NotebookNode:
    return nbformat.from_dict({**node, **changes})
