"""Examples print what every machine prints: no last bits, no sign of a zero."""

import doctest
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NUMBER = re.compile(r"(?<![\w.])-?\d+\.?\d*(?:e[+-]?\d+)?")


def examples():
    """(file and line, output) of every example that is run and prints something."""
    for path in sorted((ROOT / "helpers").rglob("*.py")):
        for example in doctest.DocTestParser().get_examples(path.read_text(encoding="utf-8")):
            if example.want and not example.options.get(doctest.SKIP):
                yield f"{path.relative_to(ROOT)}:{example.lineno + 1}", example.want


@pytest.mark.parametrize(
    "number, wrong", [("0.6666666666666666", 1), ("-0.0", 1), ("-0", 1), ("0.6667", 0), ("-0.1", 0)]
)
def test_last_bits_and_signs_of_zero_are_recognised(number, wrong):
    assert len(bad(f"[1.0, {number}]")) == wrong


def bad(text):
    """Numbers with more than 12 significant digits, and negative zeros."""
    found = []
    for number in NUMBER.findall(text):
        digits = re.sub(r"e.*", "", number).strip("-").replace(".", "").lstrip("0")
        if ("." in number and len(digits) > 12) or (number.startswith("-") and float(number) == 0):
            found.append(number)
    return found


def test_no_example_prints_the_last_bit_or_the_sign_of_a_zero():
    told = list(examples())
    assert len(told) > 150
    assert {place: bad(want) for place, want in told if bad(want)} == {}
