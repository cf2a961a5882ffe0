"""The questionnaire as people use it, in a browser too, and what their answers say."""

import re

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from helpers.book.browser import find_browser, open_tab
from helpers.quality.words import WordVectors, intrusion_form, intrusion_questions, read_answers, score_answers

RNG = np.random.default_rng(0)
WORDS = [f"w{i}" for i in range(199)] + ['<"odd">, & word']
QUESTIONS = intrusion_questions(WordVectors(WORDS, RNG.normal(size=(200, 9))), n_questions=12, ranks=(1, 2, 50))


def form_of(page):
    return re.search(r'"form": "(\w+)"', page.read_text("utf-8"))[1]


def answered(tmp_path, **people):
    """Answers of people, each given by the columns that they choose; a blank is skipped."""
    form = form_of(intrusion_form(QUESTIONS, tmp_path / "form.html"))
    for person, columns in people.items():
        rows = [
            (form, person, i, "(skipped)" if column == " " else QUESTIONS[column].iloc[i])
            for i, column in enumerate(columns)
        ]
        pd.DataFrame(rows, columns=["form", "person", "question", "answer"]).to_csv(
            tmp_path / f"{person}.csv", index=False
        )
    return read_answers(tmp_path)


def test_the_form_loads_nothing_and_tells_nobody_which_word_is_the_intruder(tmp_path):
    page = intrusion_form(QUESTIONS, tmp_path / "form.html").read_text("utf-8")
    assert not re.search(r"(?:src|href)=|https?:|intruder", page.replace("link.href = URL", ""))
    first = re.findall(r"<fieldset.*?</fieldset>", page, re.S)
    assert len(first) == 12 and all(part.count('type="radio"') == 4 for part in first)
    places = [re.findall(r'value="([^"]*)"', part).index(QUESTIONS["intruder"][i]) for i, part in enumerate(first)
              if "odd" not in part]  # fmt: skip
    assert len(set(places)) == 3


def test_everybody_has_a_row_and_all_together_allow_for_questions_and_people(tmp_path):
    good, poor = ["intruder"] * 12, ["intruder"] * 3 + ["near"] * 8 + [" "]
    answers = answered(tmp_path, ann=good, bob=poor)
    found = score_answers(QUESTIONS, answers)
    assert found["found"].tolist() == pytest.approx([1, 3 / 11, 15 / 23])
    assert found["answered"].tolist() == [12, 11, 23] and found["skipped"].tolist() == [0, 1, 1]
    exact = stats.binomtest(3, 11).proportion_ci(0.95, "wilson")
    assert found.loc["bob", ["ci_low", "ci_high"]].tolist() == pytest.approx([exact.low, exact.high])
    together = found.loc["all", "ci_high"] - found.loc["all", "ci_low"]
    blind = stats.binomtest(15, 23).proportion_ci(0.95, "wilson")
    assert together > blind.high - blind.low
    assert found.attrs["agreement"] == pytest.approx((3 / 11 - 1 / 3) / (2 / 3))


def test_one_person_has_no_agreement_and_no_row_of_all(tmp_path):
    found = score_answers(QUESTIONS, answered(tmp_path, ann=["intruder"] * 12))
    assert list(found.index) == ["ann"] and np.isnan(found.attrs["agreement"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"form": "0123"}, "row 0: form 0123 is not that of questions"),
        ({"question": 12}, "row 0: question is 12; there are 12"),
        ({"answer": "zebra"}, "row 0: 'zebra' is none of"),
        ({"question": 1, "answer": "(skipped)"}, "row 1: 'ann' answered question 1 twice"),
    ],
)
def test_answers_that_belong_to_no_question_are_named_by_row(tmp_path, change, said):
    answers = answered(tmp_path, ann=["intruder"] * 12)
    for column, value in change.items():
        answers.loc[0, column] = value
    with pytest.raises(ValueError, match=said):
        score_answers(QUESTIONS, answers)


def test_files_that_hold_no_answers_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="no .csv file"):
        read_answers(tmp_path)
    (tmp_path / "a.csv").write_text("person,answer\nann,w1\n")
    with pytest.raises(ValueError, match="a.csv has the columns person, answer"):
        read_answers(tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(find_browser() is None, reason="no browser is installed")
def test_the_form_can_be_filled_in_with_the_keyboard_alone(tmp_path):
    page = intrusion_form(QUESTIONS, tmp_path / "form.html")
    key = {"type": "keyDown", "windowsVirtualKeyCode": 9, "key": "Tab", "code": "Tab"}
    down = {"type": "keyDown", "windowsVirtualKeyCode": 40, "key": "ArrowDown", "code": "ArrowDown"}
    enter = {"type": "keyDown", "windowsVirtualKeyCode": 13, "key": "Enter", "code": "Enter", "text": "\r"}

    with open_tab() as tab:

        def press(event):
            tab.call("Input.dispatchKeyEvent", **event)
            tab.call("Input.dispatchKeyEvent", **{**event, "type": "keyUp"})

        tab.open(page.as_uri())
        press(key)
        tab.call("Input.insertText", text='Ann "A", B')
        press(key)
        press(enter)
        assert "have no answer yet" in tab.run("document.getElementById('state').textContent")
        tab.run("document.getElementById('person').focus()")
        for _ in range(12):
            press(key)
            press(down)
        press(key)
        press(enter)
        tab.wait("!document.getElementById('as-text').hidden", "answers")
        text = tab.run("document.getElementById('text').value")
    (tmp_path / "answers.csv").write_text(text, encoding="utf-8")
    answers = read_answers(tmp_path / "answers.csv")
    assert set(answers["person"]) == {'Ann "A", B'} and len(answers) == 12
    assert score_answers(QUESTIONS, answers)["answered"].iloc[0] == 12
