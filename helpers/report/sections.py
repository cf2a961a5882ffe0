"""What stands in the sections of a report: prose, tables as they are shown, and figures."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from helpers.report.evaluation import BEST
from helpers.report.keeping import options_shown
from helpers.report.page import Drawing, Section, Shown
from helpers.report.recipes import PLAIN
from helpers.report.spaces import MEASURES
from helpers.report.versions import versions_shown

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["sections_of"]

LISTED = 30  # pairs of embeddings


READ = """
Rows that could not be aligned, or that were dropped, are *lost*; *missing* counts rows with an entry that is not a
number; *duplicates* are rows that equal an earlier one.
"""
READ_AS = "**What was done to read them:**"
NOT_READ = "**Not read, and why:**"
LEFT_OUT = "**Rows left out, and why** (all are in the table `left_out`):"
SPACES = """
*Norm* is the length of a row: its median and the range of the middle 90 %.
*Anisotropy* is the mean cosine of two objects: 0 for directions spread evenly, near 1 for a narrow cone.
The *effective rank* counts the directions in use; beside it stands what random numbers of the same shape have.
Both have 95 % intervals [low, high] for the choice of objects.
"""
DIAGNOSIS = """
Each symptom is compared with those of 239 healthy spaces of the same shape: cones, decaying spectra and groups
included, as real encoders have them.
A healthy space has a finding in at most one of twenty reports; the remedies were tried, and the numbers after them are
of this embedding.
"""
SIMILARITY = """
Four measures, each blind to something else: linear CKA and distance correlation compare all distances, RSA the order of
the dissimilarities, Jaccard only who is near.
"""
LIMITS = """
Each value with its 95 % interval and, after the bar, its chance level: the value once the rows of one of the two are
shuffled. With many embeddings only the most similar pairs by CKA are listed; the table `similarity` has all.
"""
REDUNDANCY = """
A space may be another one rotated, a part of another one, or another one with noise on top; or it may be related to
nothing.
Rotation leaves CKA at 1.
Noise on top leaves a remainder, once the best rotation of the other space is taken away, that is related to nothing.
Whether two spaces are related is tested for all pairs together, at the level 5 %.
What could go by these rules stays if the target says otherwise.
"""
ABOVE = """
*p* is the probability, were all scores at chance, that the best of them would lie as many standard errors above it;
where the report says *above chance*, it goes by p of at most 0.05.
"""
GAINS = """
Several ways to combine are tried at one width.
*Concatenation + PCA* is the plain one; *QP + selection + PCA* weights each embedding by its quality less its similarity
to the others; *one of each group* leaves out what was found redundant, with equal weights or those of the QP.
"""
DRIFT = """
The *overlap* of an object is the share of its nearest neighbours that are the same in both versions, its *displacement*
the distance of its new direction from its old one, turned into the new space by a rotation fitted without it.
An object moved if one of them is farther off than where nothing changed, at a bounded rate of false ones; the table
`drift_objects` has all objects.
"""
MOVED = "**Moved most:**"
MAPPED = """
**If only a part is embedded anew:** a map from old to new vectors, judged on objects that it was not fitted on by the
share of the new neighbours that are found (*overlap*), beside staying with the old model.
"""
OPTIONS = """
Axes, rotations, weights and quantisers are learnt from other items than those that judge. *int8* keeps a byte for each
number, *binary* a bit; the table `options` has every option.
"""
RULE = """
Each gain is the mean difference on the same held-out objects.
The intervals hold for all ensembles together, because the eye goes to the best of them: with m ensembles each has the
level 1 − 0.05 / m.
A verdict is *better* or *worse* only if the interval excludes 0 and p is at most 0.05 / m.
"""
WEIGHTS = "The weights, as means over the folds:"
WEIGHTS_ALONE = "The weights:"
COST = "An ensemble can never be cheaper than the encoders that it reads: each of them must run for each new object."
LEFT = """
The ensemble is fitted on all objects. Saved, it is arrays and JSON: files that hold no code.
"""
APPLY = """
New rows of the same embeddings are combined by one command, or by two lines:

```bash
python -m helpers apply {command} new_embeddings/ --out combined.npy{pool}
```

```python
ensemble = helpers.ensembles.load_ensemble({python})
combined = ensemble.transform({{{names}}})
```

It refuses embeddings of other names, widths or order, and says what it expected.
"""


def sections_of(report: Any) -> list[Section]:
    """All sections of a :class:`helpers.report.Report`, in the order of its page."""
    tables, words, judged = report.tables, report.sentences, report.evaluation is not None
    heat = Drawing(
        "similarity",
        "Similarity of all pairs by four measures. A rotated or rescaled space is the same to CKA, to distance "
        "correlation and to the neighbours; RSA, which correlates the features within a row, sees a little of the "
        "rotation.",
        "Four heat maps of pairwise similarity, one for each of CKA, RSA, Jaccard similarity of neighbours, and "
        "distance correlation.",
    )
    tree = Drawing(
        "dendrogram",
        "Groups of similar embeddings: average linkage of 1 − CKA. What joins near 0 is one space; what joins near 1 "
        "shares nothing linear.",
        "A dendrogram of the embeddings; similar ones join at small distances.",
    )
    points = Drawing(
        "scores",
        "The score of every embedding (grey) and of every ensemble (coloured) on held-out objects, with 95 % "
        "intervals. The dashed line is the chance level.",
        "Points with error bars, one line for each embedding and each ensemble, and a vertical dashed line at the "
        "chance level.",
    )
    gains = tables["gains"]
    if judged:  # the table has all, the page what a reader compares
        gains = gains[gains["against"].isin((BEST, PLAIN))]
    gained = (Shown(_plain_columns(gains.set_index(["against", "method"]).round(4))), RULE) if judged else ()
    weights = Shown(tables["weights"].round(3))
    names = ", ".join(f"{name!r}: ..." for name in report.ensemble.used_)
    by = report.about.get("pool_by", "")
    pool = "" if report.inputs.sizes is None else f" --pool-by {shlex.quote(by) if by and '(' not in by else 'COLUMN'}"
    place = f"{report.folder.name if report.folder else 'my_report'}/ensemble"
    apply = APPLY.format(command=shlex.quote(place), python=repr(place), names=names, pool=pool)
    content: dict[str, tuple[str, tuple]] = {
        "input": (
            "What was read",
            (
                Shown(read_shown(tables["read"])),
                READ,
                *_read_as(tables["read"]),
                words["input"],
                *left_shown(tables["not_read"], tables["left_out"]),
                Shown(spaces_shown(tables["spaces"])),
                SPACES,
            ),
        ),
        "diagnosis": (
            "Diagnosis",
            (DIAGNOSIS, words["diagnosis"], *diagnosis_shown(tables["diagnosis"])),
        ),
        "similarity": (
            "How similar they are",
            (SIMILARITY, heat, LIMITS, Shown(similarity_shown(tables["similarity"])), tree),
        ),
        "redundancy": ("Which of them can go", (REDUNDANCY, words["redundancy"])),
        "quality": (
            "What each is worth",
            (words["quality"], Shown(_plain_columns(tables["quality"].round(3))), *([ABOVE, points] if judged else [])),
        ),
        "gains": (
            "What combining them gains",
            (GAINS, words["verdict"], *gained, WEIGHTS if judged else WEIGHTS_ALONE, weights),
        ),
        "cost": ("What it costs", (Shown(_plain_columns(tables["cost"])), COST)),
        "ensemble": ("What you leave with", (LEFT, Shown(ensemble_shown(report)), apply)),
    }
    if report.versions is not None:
        content = {"drift": ("What changed between the versions", drift_parts(report))} | content
    if report.options is not None:
        content = {"options": ("What to keep", options_parts(report))} | content
    return [Section(name, heading, parts, report.figure) for name, (heading, parts) in content.items()]


def drift_parts(report: Any) -> tuple:
    """Words, picture and tables of :class:`helpers.report.versions.Versions`."""
    versions, words = report.versions, report.sentences["drift"]
    if versions.why:
        return (words,)
    scatter = Drawing(
        "drift",
        "Each dot an object: how far its direction moved, once the old space is turned into the new one, and how many "
        "of its neighbours stayed. Circles: moved beyond what no change looks like.",
        "A scatter plot of the objects by displacement and by share of neighbours that stayed; those that moved have "
        "circles.",
    )
    whole, moved = versions_shown(versions)
    listed = (MOVED, Shown(moved.set_index("id"))) if len(moved) else ()
    kept = (MAPPED, Shown(_plain_columns(versions.map.drop(columns="chosen").round(3)))) if len(versions.map) else ()
    return (DRIFT, words, scatter, Shown(whole), *listed, *kept)


def options_parts(report: Any) -> tuple:
    """Words, picture and front of :class:`helpers.report.keeping.Options`."""
    front = Drawing(
        "options",
        "Every option (grey), those that none beats in score, bytes and encoders at once (by encoders), everything "
        "side by side (square) and what to keep (star). The dashed line is the loss that is accepted.",
        "Scores of all options over their bytes of each object, on a logarithmic axis.",
    )
    return (report.sentences["options"], front, Shown(options_shown(report.options)), OPTIONS)


def _read_as(findings: pd.DataFrame) -> list[Any]:
    """What was done to read embeddings that are no plain matrices of numbers."""
    said = findings.loc[findings["read_as"] != "", ["read_as"]]
    return [READ_AS, Shown(said.rename(columns={"read_as": "read as"}))] if len(said) else []


def read_shown(findings: pd.DataFrame) -> pd.DataFrame:
    """What matters of the findings of :class:`helpers.inputs.Inputs`."""
    columns = ["rows", "lost", "missing", "width", "dtype", "constant_columns", "duplicates", "zero_rows"]
    return _plain_columns(findings[columns])


def left_shown(not_read: pd.DataFrame, left_out: pd.DataFrame) -> list[str | Shown]:
    """What lay there and was not read, and which rows were left out, each with the reason."""
    parts: list[str | Shown] = []
    if len(not_read):
        parts += [NOT_READ, Shown(not_read.rename(columns={"reason": "why"}).set_index("file"))]
    if len(left_out):
        rows = left_out.groupby(["input", "reason"], sort=False)["id"].agg(["size", "first"]).reset_index("reason")
        rows = rows.rename(columns={"reason": "why", "size": "rows", "first": "such as"})
        parts += [LEFT_OUT, Shown(rows[["rows", "why", "such as"]])]
    return parts


def spaces_shown(table: pd.DataFrame) -> pd.DataFrame:
    """The table of :func:`helpers.report.describe_spaces` with intervals beside the values."""
    import pandas as pd

    rows = {
        name: {
            "norm (middle 90 %)": f"{row['norm']:.3g} ({row['norm_q05']:.3g} to {row['norm_q95']:.3g})",
            "anisotropy": _around(row, "anisotropy", 2),
            "effective rank": _around(row, "effective_rank", 1),
            "of random numbers": f"{row['isotropic_rank']:.1f}",
        }
        for name, row in table.iterrows()
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("embedding")


def diagnosis_shown(table: pd.DataFrame) -> list[Shown]:
    """What was found, with the symptom before and after the remedy; nothing if nothing was found."""
    found = table[table["found"]].set_index(["embedding", "finding"])
    return [Shown(found[["symptom", "value", "healthy", "threshold", "after"]].round(3))] if len(found) else []


def similarity_shown(table: pd.DataFrame) -> pd.DataFrame:
    """The table of :func:`helpers.report.pairwise_similarity`, a row per pair, at most 30, and a column per measure."""
    shown = "{value:.2f} [{ci_low:.2f}, {ci_high:.2f}] | {chance:.2f}".format
    written = table.assign(
        shown=[_without_minus_zero(shown(**row)) for row in table.to_dict("records")],
        measure=table["measure"].map(MEASURES),
    )
    order = table[table["measure"] == "cka"].nlargest(LISTED, "value")
    wide = written.pivot(index=["a", "b"], columns="measure", values="shown").rename_axis(columns=None)
    return wide.loc[list(zip(order["a"], order["b"], strict=True)), list(MEASURES.values())]


def ensemble_shown(report: Any) -> pd.DataFrame:
    """What the ensemble of a report is, reads and was fitted on."""
    import pandas as pd

    label = report.decisions.ensemble
    lines = {
        "ensemble": label,
        "reads": ", ".join(report.ensemble.used_),
        "width": int(report.tables["cost"].loc[label, "width"]),
        "fitted on": f"{len(report.inputs)} objects, digest {report.inputs.digest[:16]}",
    }
    return pd.Series(lines, name="saved").to_frame()


def _plain_columns(table: pd.DataFrame) -> pd.DataFrame:
    names = {"ci_low": "low", "ci_high": "high"}
    return table.rename(columns=lambda name: names.get(name, name.replace("_", " ")))


def _around(row: Mapping[str, Any], name: str, digits: int) -> str:
    """A value with its interval."""
    value, low, high = (row[f"{name}{end}"] for end in ("", "_ci_low", "_ci_high"))
    return _without_minus_zero(f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]")


def _without_minus_zero(text: str) -> str:
    return text.replace("-0.00", "0.00")
