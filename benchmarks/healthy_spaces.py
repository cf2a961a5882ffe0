"""Records how strong each symptom is in healthy spaces: writes helpers/quality/_nulls.py.

    python benchmarks/healthy_spaces.py [OUT]

Takes about a minute on one core. Cells that a first run left in OUT.part are not drawn again.
"""

import json
import sys
from pathlib import Path

import numpy as np

OBJECTS, WIDTHS, DRAWS = (30, 100, 250, 500), (2, 8, 32, 128, 512), 239

#: What a module holds before anything is recorded, so that it can be imported.
EMPTY = '"""Recorded."""\nOBJECTS, WIDTHS, DRAWS, NULLS = {!r}, {!r}, {!r}, {{}}\n'


def main(out):
    out = Path(out)
    if not out.exists():
        out.write_text(EMPTY.format(OBJECTS, WIDTHS, DRAWS), encoding="utf-8")
    from helpers.quality.thresholds import null_of_shape

    part = out.with_suffix(".part")
    cells = json.loads(part.read_text()) if part.exists() else {}
    for n in OBJECTS:
        for p in WIDTHS:
            if f"{n} {p}" not in cells:
                rng = np.random.default_rng([2026, n, p])
                cells[f"{n} {p}"] = null_of_shape(n, p, n_draws=DRAWS, rng=rng)
                part.write_text(json.dumps(cells))
                print(n, p, flush=True)
    names = list(next(iter(cells.values())))
    lines = [
        '"""Median and largest value of each symptom over healthy spaces; written by benchmarks/healthy_spaces.py."""',
        "",
        f"OBJECTS = {OBJECTS}",
        f"WIDTHS = {WIDTHS}",
        f"DRAWS = {DRAWS}",
        "",
        "# fmt: off",
        "NULLS = {",
        f'    "symptoms": {json.dumps(names[:6])[:-1]},',
        f"                 {json.dumps(names[6:])[1:]},",
        '    "values": [',
    ]
    for n in OBJECTS:
        lines.append(f"        [  # {n} objects")
        for p in WIDTHS:
            pairs = [[round(v, 4) for v in cells[f"{n} {p}"][name]] for name in names]
            lines += [f"            [  # {p} features"]
            lines += [f"                {json.dumps(pairs[i : i + 5])[1:-1]}," for i in range(0, len(pairs), 5)]
            lines += ["            ],"]
        lines.append("        ],")
    lines += ["    ],", "}", "# fmt: on", ""]
    out.write_text("\n".join(lines), encoding="utf-8")
    part.unlink()


if __name__ == "__main__":
    main(*(sys.argv[1:] or [Path(__file__).parents[1] / "helpers" / "quality" / "_nulls.py"]))
