"""What the options say, in sentences and as a table to show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from helpers.report.keeping.judging import Options
from helpers.report.keeping.options import CONCATENATION, SINGLE

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["options_in_words", "options_shown"]

LISTED = 20


def options_in_words(options: Options) -> str:
    """What to keep, what it saves and what it costs; then each embedding left out by itself. Markdown."""
    table, reference = options.table, options.table.loc[options.reference]
    chosen = table.loc[options.chosen]
    lines = [
        f"Options are compared with everything side by side ({options.reference}): {options.metric} "
        f"{reference.score:.3f}, {int(reference.bytes)} bytes of each object, {_encoders(reference.encoders)}. "
        "The question is what is shown to lose little; what is shown to gain is another one."
    ]
    allowed = f"If a loss of {options.margin:g} is acceptable"
    others = table.drop(options.reference)
    if not others["kept"].any():
        closest = others["ci_low"].idxmax()
        lines.append(
            f"**{allowed}, keep everything side by side**: nothing smaller is shown to lose so little. Of the others "
            f"least can be lost with {closest} ({_gain(table.loc[closest])}); more labelled data would decide."
        )
    elif options.chosen == options.reference:
        lines.append(f"**{allowed}, keep everything side by side**: nothing smaller is shown to lose so little.")
    else:
        lines.append(f"**{allowed}, keep {options.chosen}**: {_gain(chosen)}; {_saved(chosen, reference, options.n)}.")
        if options.smallest != options.chosen:
            least = table.loc[options.smallest]
            lines.append(f"Fewest bytes: {options.smallest}: {_gain(least)}; {_saved(least, reference, options.n)}.")
    names = options.names
    for name in names if len(names) > 1 else ():
        rest = " + ".join(other for other in names if other != name)
        fusion = SINGLE if len(names) == 2 else CONCATENATION
        rows = table[(table.embeddings == rest) & (table.fusion == fusion) & (table.storage == "float32")]
        row = rows.loc[rows["width"].idxmax()]
        lines.append(f"Leave {name} out: {_gain(row)}; {_saved(row, reference, options.n)}.")
    lines.append(
        f"Intervals hold for all {len(table)} options at once, so that one may take the best of them; a loss is "
        f"acceptable if the interval lies above −{options.margin:g}."
    )
    return "\n\n".join([*lines, *options.notes])


def options_shown(options: Options) -> pd.DataFrame:
    """The front: what no other option beats in score, bytes and encoders at once; at most 20 rows, the best first."""
    table = options.table
    rows = table[table["front"] | (table.index == options.chosen) | (table.index == options.reference)]
    rows = rows.sort_values(["score", "bytes"], ascending=[False, True], kind="stable").head(LISTED)
    shown = rows[["encoders", "bytes", "score"]].round({"score": 3})
    shown.insert(3, "gain over everything", [_gain(row) for row in rows.itertuples()])
    shown["within margin"] = ["yes" if kept else "no" for kept in rows["kept"]]
    return shown


def _gain(row: pd.Series) -> str:
    return f"{row.gain:+.3f} [{row.ci_low:+.3f}, {row.ci_high:+.3f}]".replace("-", "−")


def _saved(row: pd.Series, reference: pd.Series, n: int) -> str:
    fewer = int(reference.encoders - row.encoders)
    share = 1 - row.bytes / reference.bytes
    if share > 0:
        words = f"saves {share:.0%} of the bytes ({_bytes((reference.bytes - row.bytes) * n)} for {n} objects)"
    else:
        words = f"takes {-share:.0%} more bytes" if share < 0 else "saves no bytes"
    return words + (f" and {_encoders(fewer)}" if fewer else "")


def _encoders(count: float) -> str:
    return f"{int(count)} encoder{'s' * (int(count) != 1)}"


def _bytes(size: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"
