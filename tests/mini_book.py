"""A book of one page and two tiny chapters, with what chapters have: numbers, a table, a figure, boxes, an exercise."""

import shutil
from pathlib import Path

import nbformat

ROOT = Path(__file__).parents[1]
v4 = nbformat.v4

OPENING = """# Means of numbers

How far is a mean from what it stands for?
It is {glue:text}`lines_mean:.2f` here, see {numref}`fig-lines` and {doc}`02_slow`.

:::{admonition} In this chapter
**You need** sums; no other chapter.

**You will be able to** take a mean and say how far it is off.

**Reading:** about 1 minute.
**Running:** about 1 second and 0.1 GB.
:::"""
LEARNT = """## The mean lies in the middle

:::{prf:definition} Mean
:label: def-lines-mean

The *mean* of $n$ numbers $x_i \\in \\R$ is

$$
m = \\frac1n \\sum_{i=1}^n x_i .
$$ (eq-lines-mean)
:::

By {eq}`eq-lines-mean` and {prf:ref}`def-lines-mean` it is {glue:text}`lines_mean:.1f`,
of {glue:text}`lines_n` numbers {cite}`someone2020mean`."""
KEEP = """## What to keep

The mean of $n$ numbers is their sum, divided by their number.
It says nothing of their spread.

## Exercises

:::{exercise-start} Twice as many
:label: ex-lines-twice
:::
Take twice as many numbers.
:::{exercise-end}
:::

:::{solution-start} ex-lines-twice
:class: dropdown
:::
The secret answer: {glue:text}`lines_twice:.1f`."""
SETUP = """import time

import matplotlib.pyplot as plt
import pandas as pd
from myst_nb import glue"""
FIGURE = """figure, axis = plt.subplots(figsize=(3, 2))
axis.plot(numbers)
plt.show()"""


PARAMETERS = """n = 4  # numbers that are drawn
scale = 1.0  # of the numbers
word = 'mean'"""
FACTS = """glue('lines_mean', sum(numbers) / n, display=False)
glue('lines_twice', scale * (2 * n - 1) / 2, display=False)
glue('lines_n', n, display=False)"""
SLOW = """# A chapter that takes its time

:::{admonition} In this chapter
**You need** means ({doc}`01_lines`).
:::"""

EXAM = """- chapter: 01_lines
  question: What is the mean of $1, 2, 3$?
  answer: It is the number two, which is kept secret.
"""
TEACHING = """# Teach

```{lesson-goals}
```

```{lesson-graph}
```

```{lesson-times}
```

```{exam} exam.yml
```
"""


def code(source, name, *tags, **metadata):
    return v4.new_code_cell(source, id=name, metadata={"tags": list(tags)} | metadata if tags else metadata)


def text(source, name):
    return v4.new_markdown_cell(source, id=name)


def write_chapter(path, *cells):
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(v4.new_notebook(cells=list(cells), metadata=kernel), path)


def make_book(folder):
    """Write the book into a folder, with the settings, extensions and styles of this one; nothing is executed."""
    for name in ("_config.yml", "book/_ext", "book/_static", "book/_templates"):
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    entry = "@article{someone2020mean, author={Someone, A. and Other, B.}, title={Means}, journal={Numbers}, year=2020}"
    (folder / "book" / "references.bib").write_text(entry)
    (folder / "book" / "intro.md").write_text("# Welcome\n\nTwo chapters on means.\n")
    (folder / "book" / "sources.md").write_text("# Sources\n\n```{bibliography}\n```\n")
    (folder / "book" / "exam.yml").write_text(EXAM)
    (folder / "book" / "teaching.md").write_text(TEACHING)
    (folder / "_toc.yml").write_text(
        "format: jb-book\nroot: book/intro\nparts:\n  - caption: One\n    numbered: true\n    chapters:\n"
        "      - file: notebooks/01_lines\n      - file: notebooks/02_slow\n"
        "  - caption: Two\n    chapters:\n      - file: book/sources\n      - file: book/teaching\n"
    )
    (folder / "notebooks").mkdir(exist_ok=True)
    caption = {"figure": {"name": "fig-lines", "caption": "The numbers."}, "image": {"alt": "A rising line."}}
    write_chapter(
        folder / "notebooks" / "01_lines.ipynb",
        text(OPENING, "opening"),
        code(PARAMETERS, "parameters", "parameters"),
        code(SETUP, "setup", "hide-input"),
        text(LEARNT, "learnt"),
        code("numbers = [scale * i for i in range(n)]\nassert n > 1, 'n has to be 2 or more'", "draw"),
        code(FACTS, "facts", "remove-cell"),
        code("pd.Series({word: sum(numbers) / n}, name='value').to_frame()", "table"),
        code(FIGURE, "figure", mystnb=caption),
        text(KEEP, "keep"),
        code("sum([scale * i for i in range(2 * n)]) / (2 * n)", "answer", "solution"),
        text(":::{solution-end}\n:::", "end"),
    )
    write_chapter(
        folder / "notebooks" / "02_slow.ipynb",
        text(SLOW, "opening"),
        code("seconds = 0.1  # how long it takes", "parameters", "parameters"),
        code("import time\n\ntime.sleep(seconds)\nseconds", "sleep"),
    )
    return folder
