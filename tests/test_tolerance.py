"""Tolerances: the bounds hold for what they are of, and no test has a width that is neither derived nor explained."""

import ast
from pathlib import Path

import numpy as np
import pytest
import tolerance

WIDTHS = {"abs", "rel", "atol", "rtol"}
NEARBY = 4  # lines above a statement in which a comment may say why


def is_number(node):
    """Made of numbers alone, and not 0."""
    parts = list(ast.walk(node))
    return not any(isinstance(part, ast.Name | ast.Attribute | ast.Call) for part in parts) and any(
        isinstance(part, ast.Constant) and isinstance(part.value, float | int) and part.value for part in parts
    )


def widths_in(statement):
    """Widths that are given as numbers: arguments of comparisons, and what a difference is to be smaller than."""
    for node in ast.walk(statement):
        if isinstance(node, ast.Call):
            yield from (each.value for each in node.keywords if each.arg in WIDTHS and is_number(each.value))
        if isinstance(node, ast.Compare) and isinstance(node.ops[-1], ast.Lt | ast.LtE):
            last = node.comparators[-1]
            if is_number(last) and isinstance(last, ast.Constant) and last.value <= 1e-4:
                yield last


def unexplained(text):
    """Numbers of the lines on which a width stands without a comment at it or shortly above."""
    lines = text.splitlines()
    for statement in ast.walk(ast.parse(text)):
        if isinstance(statement, ast.Assert | ast.Expr | ast.Assign | ast.Return):
            around = lines[max(0, statement.lineno - 1 - NEARBY) : statement.end_lineno]
            if not any("# " in line for line in around):
                yield from (width.lineno for width in widths_in(statement))


def test_every_width_is_derived_or_says_why():
    found = {
        f"{file.name}:{line}"
        for file in Path(__file__).parent.glob("*.py")
        for line in unexplained(file.read_text(encoding="utf-8"))
    }
    assert not found, f"widths that tests/tolerance.py should derive, or a comment explain: {sorted(found)}"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("assert a == approx(b, abs=1e-9)", [1]),
        ("assert a == approx(b, abs=1e-9)  # half a unit", []),
        ("# half a unit\nassert a == approx(b, abs=1e-9)", []),
        ("assert a == approx(b, abs=near)\nassert abs(a - b) < 1e-9", [2]),
        ("np.testing.assert_allclose(a, b, rtol=0, atol=2 * 1e-9)", [1]),
        ("np.testing.assert_allclose(a, b, rtol=0, atol=inner(9))", []),
    ],
)
def test_a_bare_number_is_found(text, lines):
    assert list(unexplained(text)) == lines


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_inner_products_and_long_sums_stay_within_their_bounds(dtype):
    rng = np.random.default_rng(0)
    for p in (3, 100, 3000):
        x, y = rng.normal(size=(2, 200, p)).astype(dtype)
        exact = np.einsum("ij,ij->i", x.astype(np.longdouble), y.astype(np.longdouble))
        one_by_one = np.zeros(200, dtype)
        for a, b in zip(x.T, y.T, strict=True):
            one_by_one += a * b
        lengths = np.linalg.norm(x.astype(float), axis=1) * np.linalg.norm(y.astype(float), axis=1)
        assert (abs(one_by_one - exact) <= tolerance.inner(p, dtype) * lengths).all()
        one_by_one = np.add.accumulate(abs(x), axis=1, dtype=dtype)[:, -1]
        exact = abs(x).sum(axis=1, dtype=np.longdouble)
        assert (abs(one_by_one - exact) <= tolerance.long_sum(p, dtype) * exact).mean() > 0.99


def test_vectors_move_by_the_gap_and_subspaces_by_the_condition():
    rng = np.random.default_rng(1)
    for _ in range(50):
        x = rng.normal(size=(40, 5)) * np.arange(1, 6)
        moved = x + 1e-6 * rng.normal(size=x.shape)
        size = np.linalg.norm(moved - x, 2) / np.linalg.norm(x, 2)
        (_, s, v), (_, _, w) = (np.linalg.svd(z, full_matrices=False) for z in (x, moved))
        turned = np.sqrt(np.maximum(1 - np.sum(v * w, axis=1) ** 2, 0))
        assert turned.max() <= 2 * tolerance.gap(s) * size
        a, b = (np.linalg.qr(z - z.mean(axis=0))[0] for z in (x, moved))
        assert np.linalg.norm(a - b @ (b.T @ a), 2) <= 2 * tolerance.condition(x) * size
        rounded = x.astype("f4").astype(float)
        assert np.linalg.norm(rounded - x, 2) <= tolerance.of_rounded(5, "float32") / 2 * np.linalg.norm(x, 2)


def test_offsets_are_the_length_of_rows_over_what_centring_leaves():
    x = np.array([[3.0, 1.0], [3.0, -1.0]])
    assert tolerance.offset(x) == pytest.approx(np.sqrt(10)) and tolerance.offset(x, x - [3.0, 0.0]) > 3
    assert tolerance.apart(2, condition=5.0) == 20 * tolerance.inner(2)
