"""Word intrusion by people: a form as one file that needs no network, and what its answers say."""

from __future__ import annotations

import hashlib
import html
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import check_number, generator
from helpers.quality.words.intrusion import OPTIONS

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["intrusion_form", "read_answers", "score_answers"]

COLUMNS = ["form", "person", "question", "answer"]
SKIPPED = "(skipped)"

PAGE = """\
<!DOCTYPE html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; \
script-src 'unsafe-inline'">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 1.05rem/1.5 system-ui, sans-serif; max-width: 42rem; margin: 2rem auto; padding: 0 1rem; }}
fieldset {{ border: 1px solid #888; border-radius: .4rem; margin: 1rem 0; padding: .5rem 1rem; }}
legend {{ padding: 0 .4rem; }}
label {{ display: inline-block; margin: .2rem 1.2rem .2rem 0; padding: .2rem .3rem; }}
label:focus-within {{ outline: 3px solid #06c; outline-offset: 2px; border-radius: .3rem; }}
input[type=text], textarea {{ font: inherit; width: 100%; box-sizing: border-box; }}
button {{ font: inherit; padding: .4rem 1rem; }}
.open {{ border-color: #b00; border-width: 3px; }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p>{instruction}</p>
<p>Tab moves to the next question, the arrow keys choose an answer. Nothing is sent: your answers are saved as a file on
this computer.</p>
<form id="form">
<p><label for="person">Your name or a sign of your own</label>
<input id="person" type="text" required autocomplete="off"></p>
{questions}
<p id="state" role="status" aria-live="polite"></p>
<p><button type="submit">Save the answers</button></p>
<p hidden id="as-text"><label for="text">The same answers, to copy if no file was saved</label>
<textarea id="text" rows="6" readonly></textarea></p>
</form>
</main>
<script>
"use strict";
const about = {about};
const form = document.getElementById("form"), state = document.getElementById("state");
const sets = Array.from(form.querySelectorAll("fieldset"));
const chosen = set => set.querySelector("input:checked");
const quoted = text => '"' + text.replace(/"/g, '""') + '"';
form.addEventListener("change", () => {{
  sets.forEach(set => {{ if (chosen(set)) set.classList.remove("open"); }});
  state.textContent = sets.filter(chosen).length + " of " + sets.length + " answered";
}});
form.addEventListener("submit", event => {{
  event.preventDefault();
  const open = sets.filter(set => !chosen(set));
  open.forEach(set => set.classList.add("open"));
  if (open.length) {{
    state.textContent = open.length + " of " + sets.length + " questions have no answer yet";
    open[0].querySelector("input").focus();
    return;
  }}
  const person = document.getElementById("person").value.trim();
  const rows = sets.map(set => [about.form, quoted(person), set.dataset.question, quoted(chosen(set).value)].join(","));
  const text = ["form,person,question,answer"].concat(rows).join("\\n") + "\\n";
  document.getElementById("text").value = text;
  document.getElementById("as-text").hidden = false;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], {{type: "text/csv"}}));
  link.download = "answers-" + (person.replace(/[^A-Za-z0-9]+/g, "-") || "person") + ".csv";
  link.click();
  state.textContent = "Saved. Thank you.";
}});
</script>
</body>
</html>
"""

INSTRUCTION = (
    "Each question shows a word and three others. Choose the one that has least to do with the word and with the other "
    "two. If you do not know a word, say so."
)


def intrusion_form(
    questions: pd.DataFrame,
    path: str | os.PathLike[str],
    *,
    title: str = "Which word does not belong?",
    instruction: str = INSTRUCTION,
    language: str = "en",
    rng: int | np.random.Generator = 0,
) -> Path:
    """Write a questionnaire for people as one HTML file, which works without a network and with the keyboard alone.

    Parameters
    ----------
    questions
        Questions from :func:`~helpers.quality.words.intrusion_questions`; fifty are enough for one person. Keep the
        table: the answers are judged by it, and the file does not have them.
    path
        Where the file is written.
    title, instruction, language
        Heading, the task in words, and the code of their language.
    rng
        Seed or generator of the order in which options stand.

    Returns
    -------
    Path
        The file. What people save with it, :func:`read_answers` reads.

    Raises
    ------
    ValueError
        If a column is missing, or there is no question.
    """
    rng, questions = generator(rng), _checked(questions)
    parts = []
    for number, row in enumerate(questions.to_dict("records")):
        words = [row[OPTIONS[j]] for j in rng.permutation(3)]
        choices = [(word, html.escape(word)) for word in words] + [(SKIPPED, "I do not know one of these words")]
        inputs = "\n".join(
            f'<label><input type="radio" name="q{number}" value="{html.escape(value)}"> {shown}</label>'
            for value, shown in choices
        )
        legend = f"{number + 1}. <strong>{html.escape(row['target'])}</strong>: which word does not belong?"
        parts.append(f'<fieldset data-question="{number}">\n<legend>{legend}</legend>\n{inputs}\n</fieldset>')
    page = PAGE.format(
        title=html.escape(title),
        instruction=html.escape(instruction),
        language=html.escape(language),
        questions="\n".join(parts),
        about=json.dumps({"form": _digest(questions)}),
    )
    path = Path(path)
    path.write_text(page, encoding="utf-8")
    return path


def read_answers(paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> pd.DataFrame:
    """Answers that people saved with a form.

    Parameters
    ----------
    paths
        One file, several, or a folder whose ``.csv`` files are read.

    Returns
    -------
    DataFrame
        ``form``, ``person``, ``question`` (its number from 0) and ``answer``, in the order of the files.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no file, or one has other columns.
    """
    import pandas as pd

    if isinstance(paths, (str, os.PathLike)):
        top = Path(paths)
        files = sorted(top.glob("*.csv")) if top.is_dir() else [top]
    else:
        files = [Path(path) for path in paths]
    if not files:
        raise FileNotFoundError(f"paths: {paths} holds no .csv file with answers")
    tables = []
    for file in files:
        table = pd.read_csv(file, dtype=str, keep_default_na=False)
        if list(table.columns) != COLUMNS:
            raise ValueError(f"{file.name} has the columns {', '.join(table.columns)}; {', '.join(COLUMNS)} are needed")
        if bad := [row for row, number in enumerate(table["question"]) if not number.isdecimal()]:
            raise ValueError(
                f"{file.name}, row {bad[0]}: question is {table['question'][bad[0]]!r}; a number is needed"
            )
        tables.append(table.astype({"question": int}))
    return pd.concat(tables, ignore_index=True)


def score_answers(questions: pd.DataFrame, answers: pd.DataFrame, *, confidence_level: float = 0.95) -> pd.DataFrame:
    """How often people found the intruder, each of them and all together.

    Parameters
    ----------
    questions
        The table of which the form was made.
    answers
        Answers from :func:`read_answers`.
    confidence_level
        Level of the intervals.

    Returns
    -------
    DataFrame
        A row for each person, by name (Wilson's interval), then ``"all"`` if there are several, whose interval allows
        for another choice of questions and of people: ``found``, ``ci_low``, ``ci_high``, ``chance`` (1/3),
        ``answered`` and ``skipped`` (whatever has no answer counts as skipped). ``attrs["agreement"]`` is the
        chance-corrected agreement of two people on a question, 0 by chance and 1 if they always agree; NaN without a
        question that two answered.

    Raises
    ------
    ValueError
        If an answer is of another form, of no question, or none of its words; or a person answered a question twice.

    Notes
    -----
    Intervals of all: :func:`helpers.inference.crossed_mean`. Agreement: Brennan and Prediger (1981), Coefficient kappa,
    Educational and Psychological Measurement 41.
    """
    import pandas as pd
    from scipy import stats

    from helpers.inference import crossed_mean

    check_number(confidence_level, "confidence_level", lambda level: 0 < level < 1, "a number between 0 and 1")
    questions = _checked(questions)
    _check_answers(questions, answers)
    given = answers[answers["answer"] != SKIPPED]
    right = (given["answer"].to_numpy() == questions["intruder"].to_numpy()[given["question"]]).astype(float)
    rows: dict[str, dict[str, Any]] = {}
    for person in answers["person"].unique():
        own = right[(given["person"] == person).to_numpy()]
        row = {"found": np.nan, "ci_low": np.nan, "ci_high": np.nan, "chance": 1 / 3, "answered": len(own)}
        if len(own):
            limits = stats.binomtest(int(own.sum()), len(own)).proportion_ci(confidence_level, "wilson")
            row |= {"found": own.mean(), "ci_low": limits.low, "ci_high": limits.high}
        rows[person] = row | {"skipped": len(questions) - len(own)}
    if len(rows) > 1 and given["question"].nunique() > 1:
        found = crossed_mean(right, given["question"], given["person"], confidence_level=confidence_level)
        low, high = np.clip([found.low, found.high], 0, 1)
        row = {"found": found.difference, "ci_low": low, "ci_high": high, "chance": 1 / 3, "answered": len(right)}
        rows["all"] = row | {"skipped": len(rows) * len(questions) - len(right)}
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("person")
    table.attrs["agreement"] = _agreement(given)
    return table


def _checked(questions: pd.DataFrame) -> pd.DataFrame:
    columns = ["target", *OPTIONS]
    if missing := [column for column in columns if column not in questions]:
        raise ValueError(f"questions has no column {missing[0]!r}; {', '.join(columns)} are needed")
    if not len(questions):
        raise ValueError("questions is empty; at least one question is needed")
    return questions[columns].reset_index(drop=True)


def _digest(questions: pd.DataFrame) -> str:
    """What tells the questions of one form from those of another."""
    return hashlib.sha256(json.dumps(questions.to_numpy().tolist()).encode()).hexdigest()[:12]


def _check_answers(questions: pd.DataFrame, answers: pd.DataFrame) -> None:
    if missing := [column for column in COLUMNS if column not in answers]:
        raise ValueError(f"answers has no column {missing[0]!r}; {', '.join(COLUMNS)} are needed")
    if not len(answers):
        raise ValueError("answers is empty; at least one answer is needed")
    here = _digest(questions)
    words = questions[list(OPTIONS)].to_numpy()
    seen: set[tuple[str, int]] = set()
    for row, (form, person, number, answer) in enumerate(answers[COLUMNS].itertuples(index=False)):
        if form != here:
            raise ValueError(f"answers, row {row}: form {form} is not that of questions, {here}; pass its own table")
        if not 0 <= number < len(questions):
            raise ValueError(f"answers, row {row}: question is {number}; there are {len(questions)}, numbered from 0")
        if answer != SKIPPED and answer not in words[number]:
            raise ValueError(f"answers, row {row}: {answer!r} is none of {', '.join(words[number])}")
        if (person, number) in seen:
            raise ValueError(
                f"answers, row {row}: {person!r} answered question {number} twice; people need other names"
            )
        seen.add((person, number))


def _agreement(given: pd.DataFrame) -> float:
    """Share of pairs of people who gave one answer, beyond a third, over all that are beyond it."""
    same = pairs = 0
    for _, part in given.groupby("question"):
        n = len(part)
        counts = part["answer"].value_counts().to_numpy()
        same += int((counts * (counts - 1)).sum())
        pairs += n * (n - 1)
    return (same / pairs - 1 / 3) / (2 / 3) if pairs else float("nan")
