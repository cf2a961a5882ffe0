"""A new chapter: its notebook, study, worker, plan, profile, test, and its places in the contents and the README."""

from __future__ import annotations

import keyword
import re
from pathlib import Path

import nbformat
import yaml

from helpers.book.render import chapters
from helpers.locations import ROOT

__all__ = ["new_chapter"]

KERNEL = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}

PARAMETERS = """\
n_objects = 500  # objects that both representations describe
n_features = 16  # features of each
n_resamples = 200  # bootstrap draws of the objects
seed = 0  # of everything that is random"""

OPENING = """\
# {title}

State the puzzle here: what is asked, and why the first answer that comes to mind is wrong.

:::{{admonition}} In this chapter
**You need** name the chapters and the mathematics that it rests on.

**You will be able to** say what a reader can do at the end.

**Reading:** about 5 minutes.
**Running:** about 10 seconds and 0.3 GB.
:::"""

SETUP = """\
import numpy as np

from helpers.book.pages import glue_facts
from helpers.book.style import use_book_style
from helpers.similarity import cka
from helpers.studies import {slug}

use_book_style()"""

IDEA = """\
## The idea by hand

Two representations of the same objects share half of their directions.
CKA compares their matrices of inner products."""

BY_HAND = """\
x, y = {slug}.{slug}_spaces(n_objects, n_features, rng=seed)
a, b = (z - z.mean(axis=0) for z in (x, y))
together, alone = a.T @ b, (a.T @ a, b.T @ b)
norms = [np.linalg.norm(product) for product in alone]
by_hand = np.linalg.norm(together) ** 2 / np.prod(norms)
assert np.isclose(by_hand, cka(x, y))
round(float(by_hand), 3)"""

FOUND = """\
## What the experiment says

Where half of the directions are common the similarity is {{glue:text}}`{slug}_half:.2f`.
By chance it is {{glue:text}}`{slug}_half_chance:.2f`.
The table has it at several shares, each with its interval over objects and its chance level."""

TABLE = """\
found = {slug}.table(n_objects, n_features, n_resamples=n_resamples, rng=seed)
found.round(3)"""

FACTS = """\
glue_facts("{slug}", {slug}.facts(found))"""

FIGURE = """\
{slug}.figure(found);"""

ALT = "Line with a band: similarity by the share of common directions, rising above the dotted chance level"
CAPTION = "CKA of two spaces by the share of directions that they have in common; band: 95 % interval; dotted: chance."

KEEP = """\
## What to keep

- Say the finding in one sentence that stands alone.
- Say where it fails.
- Say what to do with it.

## Exercises

★ follows from the page, ★★ takes a step of your own, ★★★ is a small study."""

EXERCISE = """\
:::{{exercise-start}} {grade} {name}
:label: ex-{slug}-{label}
:::
{text}
:::{{exercise-end}}
:::

:::{{solution-start}} ex-{slug}-{label}
:label: sol-{slug}-{label}
:class: dropdown
:::"""

END = ":::{solution-end}\n:::"

SOLUTIONS = (
    (
        "★",
        "itself",
        "The same space",
        "What is the similarity of a space with itself?",
        """\
assert np.isclose(cka(x, x), 1)""",
    ),
    (
        "★★",
        "turned",
        "A rotation",
        "Does it change when one space is rotated, and why?",
        """\
normal = np.random.default_rng(seed).normal(size=(n_features, n_features))
turn = np.linalg.qr(normal)[0]
assert np.isclose(cka(x, y @ turn), cka(x, y))""",
    ),
    (
        "★★★",
        "few",
        "Fewer objects",
        "Predict what a tenth of the objects does to the interval and to the chance level, then run it.",
        """\
fewer = max(n_objects // 10, 20)
few = {slug}.table(fewer, n_features, n_resamples=n_resamples, rng=seed)
assert few["chance"].mean() > found["chance"].mean()
few.round(3)""",
    ),
)

STUDY = '''\
"""The experiment of the chapter "{title}": its data, table and figure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from helpers.arrays import check_count, generator
from helpers.book.style import INK
from helpers.similarity import cka

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["facts", "figure", "{slug}_spaces", "table"]


def {slug}_spaces(
    n: int, p: int, *, common: float = 0.5, rng: int | np.random.Generator = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Two representations of the same objects with some directions in common.

    Parameters
    ----------
    n, p
        Numbers of objects and of features.
    common
        Share of the features that both have, between 0 and 1.
    rng
        Seed or generator of all draws.

    Returns
    -------
    tuple of ndarray of shape (n, p)
        The features in common are equal and come first; all others are independent.

    Raises
    ------
    ValueError
        If ``n`` is less than 2, ``p`` less than 1, or ``common`` not between 0 and 1.
    """
    n, p = check_count(n, "n", least=2), check_count(p, "p")
    if not 0 <= common <= 1:
        raise ValueError(f"common is {{common}}; a share between 0 and 1 is needed")
    x, y = generator(rng).normal(size=(2, n, p))
    y[:, : round(common * p)] = x[:, : round(common * p)]
    return x, y


def table(
    n: int,
    p: int,
    *,
    shares: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75, 1.0),
    n_resamples: int = 200,
    rng: int | np.random.Generator = 0,
) -> pd.DataFrame:
    """CKA by the share of common directions, with its interval over objects and its chance level.

    Parameters
    ----------
    n, p
        Numbers of objects and of features.
    shares
        Shares of common features.
    n_resamples
        Random halves of the objects, for the intervals; shuffles of the rows, for the chance level.
    rng
        Seed or generator of all draws.

    Returns
    -------
    DataFrame
        Index ``common``; columns ``cka``, ``ci_low``, ``ci_high`` and ``chance``.
    """
    import pandas as pd

    from helpers.similarity import compare

    rng = generator(rng)
    rows = {{}}
    for share in shares:
        x, y = {slug}_spaces(n, p, common=share, rng=rng)
        options = {{"n_permutations": n_resamples, "interval": "subsample", "n_resamples": n_resamples, "rng": rng}}
        row = compare(x, y, ["cka"], **options).iloc[0]
        rows[share] = {{"cka": cka(x, y), **row[["ci_low", "ci_high", "chance"]].to_dict()}}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("common")


def facts(found: pd.DataFrame) -> dict[str, float]:
    """What the text of the page says in numbers: the similarity at half of the directions, and by chance."""
    half = found.loc[0.5]
    return {{"half": half["cka"], "half_chance": half["chance"]}}


def figure(found: pd.DataFrame) -> Axes:
    """The table as a line with a band for the interval, and the chance level dotted."""
    import matplotlib.pyplot as plt

    ax = plt.gca()
    ax.fill_between(found.index, found["ci_low"], found["ci_high"], alpha=0.3, lw=0)
    ax.plot(found.index, found["cka"])
    ax.plot(found.index, found["chance"], ls=":", color=INK)
    ax.set(xlabel="share of common directions", ylabel="CKA")
    return ax
'''

UNUSUAL = """
{name}:
  - {{n_features: 2, n_resamples: 20}}
  - {{n_objects: 1, says: "n is 1; it must be at least 2"}}
  - {{n_features: 0, says: "p is 0; it must be at least 1"}}
"""

WORKER = """\
# {title}, one run

A worker notebook of the chapter "{title}".
`python -m helpers sweep notebooks/runs/{slug}.yml` runs it over its grid and brings the rows into `data/results/`."""

WORKER_CODE = """\
from myst_nb import glue

from helpers.book.rows import in_front, keep_rows
from helpers.studies import {slug}

found = {slug}.table(n_objects, n_features, n_resamples=n_resamples, rng=seed)"""

WORKER_ROWS = """\
rows = in_front(found.reset_index(), n_objects=n_objects, n_features=n_features, seed=seed)
keep_rows(similarities=rows)
glue("cka_half", float(found.loc[0.5, "cka"]), display=False)"""

PLAN = """\
# The experiment of the chapter "{title}" over seeds: makes data/results/{slug}.csv.
notebook: notebooks/runs/{slug}.ipynb
grid:
  seed: [0, 1, 2]
tables:
  similarities:
    file: data/results/{slug}.csv
    key: [n_objects, n_features, seed, common]
    replace: [n_objects, n_features, seed]
    digits: 5
    versions: [numpy]
"""

SMALLEST = "n_objects: 100\nn_resamples: 10\n"
PAPER = "n_objects: 10000\nn_resamples: 2000\n"

TEST = '''\
"""The study of the chapter "{title}"."""

import pytest

from helpers.studies import {slug}


def test_the_same_space_is_similar_to_itself_and_independent_ones_are_not_beyond_chance():
    found = {slug}.table(200, 8, shares=(0.0, 1.0), n_resamples=20, rng=0)
    assert found.loc[1.0, "cka"] == pytest.approx(1)
    assert found.loc[0.0, "cka"] < 3 * found.loc[0.0, "chance"]


def test_a_share_beyond_one_is_refused():
    with pytest.raises(ValueError, match="common is 2"):
        {slug}.{slug}_spaces(10, 2, common=2)
'''


def new_chapter(name: str, *, title: str = "", part: str = "", root: Path = ROOT) -> list[Path]:
    """Write a chapter that runs, to be changed into the one that is meant.

    Parameters
    ----------
    name
        Name of the notebook: a number and what the chapter is about, such as ``"19_hubs"``; without a number too.
    title
        Title of the page; by default what the chapter is about, with a capital.
    part
        Beginning of the caption in ``_toc.yml`` under which the chapter comes last; by default the last part that has
        numbered chapters.
    root
        Top of the repository.

    Returns
    -------
    list of Path
        The notebook, the study, the worker and its plan, the profiles and the test, then ``_toc.yml`` and
        ``README.md``, which have a line more, and the table of unusual values, which has an entry more.

    Raises
    ------
    ValueError
        If the name is no plain name in lower case, or no part has that caption.
    FileExistsError
        If there is a chapter, study, worker or plan of that name.
    """
    match = re.fullmatch(r"(?:\d+_)?([a-z][a-z0-9_]*)", name)
    if not match or keyword.iskeyword(match[1]):
        raise ValueError(
            f"name is {name!r}; lower-case words joined by _ are needed, with or without a number in front"
        )
    slug = match[1]
    title = title or slug.replace("_", " ").capitalize()
    words = {"slug": slug, "title": title}
    texts = {
        root / "helpers" / "studies" / f"{slug}.py": STUDY.format(**words),
        root / "notebooks" / "runs" / f"{slug}.yml": PLAN.format(**words),
        root / "data" / "profiles" / "smallest" / f"{name}.yml": SMALLEST,
        root / "data" / "profiles" / "paper" / f"{name}.yml": PAPER,
        root / "tests" / f"test_studies_{slug}.py": TEST.format(**words),
    }
    notebook, worker = root / "notebooks" / f"{name}.ipynb", root / "notebooks" / "runs" / f"{slug}.ipynb"
    for path in (notebook, worker, *texts):
        if path.exists():
            raise FileExistsError(f"{path} is there already; choose another name")
    contents = _contents(root / "_toc.yml", name, part)
    row = _row(root, name, title)
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    nbformat.write(_chapter(words), notebook)
    nbformat.write(_worker(words), worker)
    (root / "_toc.yml").write_text(contents, encoding="utf-8")
    (root / "README.md").write_text(row, encoding="utf-8")
    unusual = root / "notebooks" / "unusual.yml"
    with unusual.open("a", encoding="utf-8") as file:
        file.write(UNUSUAL.format(name=name))
    return [notebook, worker, *texts, root / "_toc.yml", root / "README.md", unusual]


def _chapter(words: dict[str, str]) -> nbformat.NotebookNode:
    exercises = []
    for grade, label, name, text, solution in SOLUTIONS:
        task = EXERCISE.format(grade=grade, label=label, name=name, text=text, **words)
        exercises += [(f"ex-{label}", task, None), (f"sol-{label}", solution.format(**words), {})]
        exercises.append((f"ex-{label}-end", END, None))
    image = {"mystnb": {"image": {"alt": ALT}, "figure": {"caption": CAPTION, "name": f"fig-{words['slug']}"}}}
    return _notebook(
        ("title", OPENING.format(**words), None),
        ("parameters", PARAMETERS, {"tags": ["parameters"]}),
        ("setup", SETUP.format(**words), {}),
        ("idea", IDEA, None),
        ("by-hand", BY_HAND.format(**words), {}),
        ("found", FOUND.format(**words), None),
        ("table", TABLE.format(**words), {}),
        ("facts", FACTS.format(**words), {"tags": ["remove-cell"]}),
        ("figure", FIGURE.format(**words), image),
        ("keep", KEEP, None),
        *exercises,
    )


def _worker(words: dict[str, str]) -> nbformat.NotebookNode:
    return _notebook(
        ("title", WORKER.format(**words), None),
        ("parameters", PARAMETERS, {"tags": ["parameters"]}),
        ("study", WORKER_CODE.format(**words), {}),
        ("rows", WORKER_ROWS, {}),
    )


def _notebook(*cells: tuple[str, str, dict | None]) -> nbformat.NotebookNode:
    """Cells as (id, source, metadata); markdown where the metadata are None."""
    v4 = nbformat.v4
    made = [
        v4.new_markdown_cell(source, id=name) if about is None else v4.new_code_cell(source, id=name, metadata=about)
        for name, source, about in cells
    ]
    return v4.new_notebook(cells=made, metadata=KERNEL)


def _contents(path: Path, name: str, part: str) -> str:
    """The table of contents with the chapter as the last of its part; every other line stays as it is."""
    text = path.read_text(encoding="utf-8")
    parts = yaml.safe_load(text)["parts"]
    captions = [
        entry["caption"] for entry in parts if entry["caption"].startswith(part) and (part or "numbered" in entry)
    ]
    if not captions:
        raise ValueError(f"part is {part!r}; captions in {path.name} are {[entry['caption'] for entry in parts]}")
    lines = text.splitlines()
    begun = [i for i, line in enumerate(lines) if line.lstrip().startswith("- caption:")]
    start = next(i for i in begun if yaml.safe_load(lines[i])[0]["caption"] == captions[-1])  # quoted or not
    end = next((i for i in range(start + 1, len(lines)) if lines[i].lstrip().startswith("- caption:")), len(lines))
    last = max(i for i in range(start, end) if lines[i].lstrip().startswith("- file:"))
    indent = lines[last][: len(lines[last]) - len(lines[last].lstrip())]
    lines.insert(last + 1, f"{indent}- file: notebooks/{name}")
    return "\n".join(lines) + "\n"


def _row(root: Path, name: str, title: str) -> str:
    """The README with a row for the chapter behind the last numbered one; its costs are yet to be measured."""
    lines = (root / "README.md").read_text(encoding="utf-8").splitlines()
    known = {path.stem for path in chapters(root)}
    rows = [
        i for i, line in enumerate(lines) if (m := re.search(r"\(notebooks/(\w+)\.ipynb\)", line)) and m[1] in known
    ]
    numbered = [i for i in rows if re.search(r"\(notebooks/\d", lines[i])]
    at = (numbered or rows or [len(lines) - 1])[-1] + 1
    lines.insert(at, f"| [{title}](notebooks/{name}.ipynb) | say in one line what it teaches | – | – |")
    return "\n".join(lines) + "\n"
