"""The chapter "Trained in stages": the recipe of a sentence encoder, what each stage gives, and its ablation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import check_count
from helpers.book.style import INK
from helpers.encoders.encoder_folders import load_sentence_encoder
from helpers.encoders.kept_back import corpus_without, split_examples
from helpers.encoders.stages import stage_groups
from helpers.encoders.universal import LINES, StagedRecipe, TrainedEncoder, example_losses
from helpers.inference import Claim, Finding, absent, paired
from helpers.pairs import HUB_COLUMNS, PUBLISHED_SETS
from helpers.studies.pairs_page import seed_finding
from helpers.studies.russian_runs import ablation_rows, check_staged_choices, recipe_from

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from helpers.pairs import PairCorpus

__all__ = [
    "LOST",
    "STAGE_CLAIMS",
    "ablation_facts",
    "ablation_figure",
    "ablation_table",
    "angles",
    "check_stages_choices",
    "heuristics_lost",
    "kinds_figure",
    "live_ablation",
    "losses_by_hand",
    "lost_by_line",
    "show_stages",
    "stage_findings",
    "stage_losses",
]

#: What the published encoder loses of its mean score without a part of the recipe: table of the ablation.
LOST = {
    "without instructions": 0.003,
    "without AnglE": 0.013,
    "without splitting and merging": 0.029,
    "without stage 1": 0.033,
    "without pre-training": 0.061,
}

_WORDS = {
    "without instructions": "Instructions before the texts help",
    "without AnglE": "The order of angles helps",
    "without splitting and merging": "Two models that are merged are better than one on all pairs",
    "without stage 1": "A first stage of contrast helps",
    "without pre-training": "Masked words before everything help",
}
STAGE_CLAIMS = {
    line: Claim(
        text,
        "mean score lost " + line,
        published=LOST[line],
        models="sentence encoders for Russian",
        source="deepvk2024user",
        spec="+.3f",
    )
    for line, text in _WORDS.items()
} | {
    "order": Claim(
        "The parts matter in the published order",
        "rank correlation of what is lost without each with the published losses",
        models="sentence encoders for Russian",
        source="deepvk2024user",
        spec="+.2f",
    )
}
"""What the published ablation says of the parts of the recipe; it has one run a line and no interval."""

NOT_YET = "not recorded yet"


def check_stages_choices(*, language: str, width: int, steps: Sequence[int], n_seeds: int) -> None:
    """Refuse what the page could not do.

    Parameters
    ----------
    language
        ``"ru"`` or ``"en"``.
    width
        Features of the encoders, an even number of at least 4: angles take them two by two.
    steps
        Updates of stage 1, the symmetric and the asymmetric model: three numbers of at least 5.
    n_seeds
        Seeds of the ablation, at least 2.

    Raises
    ------
    TypeError, ValueError
        If one of them is out of range.
    """
    check_staged_choices(language, width, steps)
    if width % 2:
        raise ValueError(f"width is {width}; an even number is needed, since angles take features two by two")
    check_count(n_seeds, "n_seeds", least=2)


def show_stages(recipe: StagedRecipe, corpus: PairCorpus) -> pd.DataFrame:
    """The stages of a recipe: what each learns from, how many pairs, its losses, and whether it is told.

    ``left out`` counts pairs of these kinds that are kept back, or too few of one source for a batch.
    """
    import pandas as pd

    left = corpus_without(corpus, *split_examples(corpus.pairs, recipe.examples)).pairs
    learned = {name: stage_groups(left, stage).query("learned") for name, stage in recipe.stages().items()}
    counts = {name: int(one["pairs"].sum()) for name, one in learned.items()}
    rows = {
        name: {
            "kinds of pairs": ", ".join(kind for kind in stage.kinds if kind in set(learned[name]["kind"])),
            "pairs": counts[name],
            "left out": int(corpus.pairs["kind"].isin(stage.kinds).sum()) - counts[name],
            "losses": " + ".join(stage.losses),
            "instructions": "yes" if stage.instructions else "no",
            "updates": recipe.budget(name).get("steps", ""),
        }
        for name, stage in recipe.stages().items()
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("stage")


def stage_losses(trained: TrainedEncoder, corpus: PairCorpus, recipe: StagedRecipe) -> pd.DataFrame:
    """Losses on the pairs that score, by model (rows) and kind of pair, and chance: no weight was chosen by them.

    Parameters
    ----------
    trained
        What a recipe with splitting and merging left.
    corpus, recipe
        What it was trained on, and how.
    """
    import pandas as pd

    examples = split_examples(corpus.pairs, recipe.examples)[1]
    models = {name: load_sentence_encoder(place) for name, place in trained.stages["folder"].items()}
    models["merged"] = trained.model
    losses = {name: example_losses(model, examples, recipe, corpus.language) for name, model in models.items()}
    rows = {name: one["loss"] for name, one in losses.items()}
    rows["chance"] = np.log(losses["merged"]["n"])
    return pd.DataFrame(rows).T.assign(mean=lambda table: table.mean(axis=1)).rename_axis("model")


def kinds_figure(losses: pd.DataFrame) -> Figure:
    """Loss on each kind of pair after each stage: lines from model to model, chance dotted."""
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(7.2, 3.4))
    models = [name for name in losses.index if name != "chance"]
    for number, kind in enumerate(name for name in losses if name != "mean"):
        ax.plot(models, losses.loc[models, kind] / losses.loc["chance", kind], "o-", color=f"C{number}", label=kind)
    ax.plot(models, losses.loc[models, "mean"] / losses.loc["chance", "mean"], "s-", color=INK, lw=2.4, label="mean")
    ax.axhline(1, color=INK, lw=0.8, ls=":")
    ax.set_ylabel("loss over that of chance")
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


# Ablation


def live_ablation(
    corpus: PairCorpus,
    folder: str,
    *,
    width: int,
    steps: Sequence[int],
    n_seeds: int,
    negatives: int = 50,
    rng: int = 0,
) -> pd.DataFrame:
    """The lines of the ablation that a bag of word pieces has, on the half of the kept-back pairs that chose nothing.

    Parameters
    ----------
    corpus
        Pairs to train on, some of which are kept back.
    folder
        Folder in which stages are kept, so that lines share them.
    width, steps
        Features; updates of the three stages.
    n_seeds
        Seeds, from ``rng`` on.
    negatives
        Paragraphs that are changed on purpose.

    Returns
    -------
    DataFrame
        A row for each line, seed and task, as :func:`helpers.studies.russian_runs.ablation_rows` gives; a bag has no
        pre-training, and no line without it.
    """
    import pandas as pd

    parts = []
    for seed in range(rng, rng + n_seeds):
        for line in LINES:
            if line == "without pre-training":
                continue
            made = {"line": line, "language": corpus.language, "width": width, "steps": tuple(steps)}
            recipe = recipe_from(base="bag", pieces=1500, batch=8, rate=5e-3, examples=24, **made)
            rows = ablation_rows(corpus, recipe, folder, negatives=negatives, rng=seed)
            parts.append(rows.assign(line=line, without="nothing", seed=seed))
    return pd.concat(parts, ignore_index=True)


def _means(found: pd.DataFrame, rule: str = "honest") -> pd.DataFrame:
    """Mean score of each line (columns) and seed (rows), of lines without a left-out kind."""
    one = found[found["without"].fillna("nothing").isin(["nothing", ""])]
    mean = one[one["task"].isin(["mean S", "mean"])]
    return mean.pivot_table(index="seed", columns="line", values=rule)


def lost_by_line(found: pd.DataFrame | None, rule: str = "honest") -> pd.DataFrame:
    """What is lost of the mean score without each part, paired by seed, beside the published loss.

    Parameters
    ----------
    found
        Rows of :func:`live_ablation`, or recorded ones; None where nothing is recorded.
    rule
        Rule of choice of the scores.

    Returns
    -------
    DataFrame
        By line: ``score``, ``lost`` with ``ci_low`` and ``ci_high`` (Student's t over seeds), ``p``, ``seeds``,
        ``published``; NaN where a line is not recorded.
    """
    import pandas as pd

    rows = {}
    means = pd.DataFrame() if found is None else _means(found, rule)
    for line in LINES:
        row = {"score": np.nan, "lost": np.nan, "ci_low": np.nan, "ci_high": np.nan, "p": np.nan, "seeds": 0}
        if line in means:
            row |= {"score": float(means[line].mean()), "seeds": int(means[line].notna().sum())}
            both = means[["whole", line]].dropna() if line != "whole" else means[[line]][:0]
            if len(both) > 1:
                one = paired(both["whole"].to_numpy(), both[line].to_numpy(), overlap=0.0)
                row |= {"lost": one.difference, "ci_low": one.low, "ci_high": one.high, "p": one.p}
        rows[line] = row | {"published": LOST.get(line, np.nan)}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("line")


def ablation_table(lost: pd.DataFrame) -> pd.DataFrame:
    """:func:`lost_by_line` in words: dashes where nothing is recorded."""
    import pandas as pd

    def said(row: pd.Series) -> str:
        return "—" if np.isnan(row["lost"]) else f"{row['lost']:+.3f} [{row['ci_low']:+.3f}, {row['ci_high']:+.3f}]"

    return pd.DataFrame(
        {
            "score": ["—" if np.isnan(value) else f"{value:.3f}" for value in lost["score"]],
            "lost": [said(row) for _, row in lost.iterrows()],
            "p": ["—" if np.isnan(value) else f"{value:.3f}" for value in lost["p"]],
            "seeds": lost["seeds"],
            "published loss": ["—" if np.isnan(value) else f"{value:.3f}" for value in lost["published"]],
        },
        index=lost.index,
    )


def ablation_figure(lost: pd.DataFrame) -> Figure:
    """What each part is worth, with its interval, beside what was published (crosses)."""
    import matplotlib.pyplot as plt

    some = lost.drop(index="whole")
    figure, ax = plt.subplots(figsize=(6.8, 2.8))
    at = np.arange(len(some))[::-1]
    known = some["lost"].notna().to_numpy()
    here = some["lost"].to_numpy()
    if known.any():
        ends = np.abs(np.vstack([here - some["ci_low"], some["ci_high"] - here]))
        ax.errorbar(here[known], at[known], xerr=ends[:, known], fmt="o", color="C0", label="here")
    ax.plot(some["published"], at, "x", color="C1", label="published")
    ax.axvline(0, color=INK, lw=0.8, ls=":")
    ax.set(yticks=at, yticklabels=some.index, xlabel="mean score lost")
    ax.legend()
    return figure


def heuristics_lost(found: pd.DataFrame | None, rule: str = "honest") -> pd.DataFrame:
    """What each task loses without one kind of pairs, for a bag of word pieces: mean over seeds, with a star if sure.

    Parameters
    ----------
    found
        Recorded rows of the ablation; None where nothing is recorded.
    rule
        Rule of choice of the scores.

    Returns
    -------
    DataFrame
        By left-out kind (rows) and task. A star: p of Student's t over seeds, corrected by Holm's method for all cells
        of the table, is 0.05 at most.
    """
    import pandas as pd

    from helpers.inference import holm

    whole = None if found is None else found[(found["line"] == "whole") & (found["base"] == "bag")]
    if whole is None or whole["without"].nunique() < 2:
        return pd.DataFrame({"all tasks": ["—"]}, index=pd.Index([NOT_YET], name="without"))
    wide = whole.pivot_table(index=["seed", "task"], columns="without", values=rule)
    lost, p = {}, {}
    for kind in (name for name in wide if name != "nothing"):
        for task, part in wide[["nothing", kind]].dropna().groupby(level="task", sort=False):
            lost[kind, task] = float((part["nothing"] - part[kind]).mean())
            if len(part) > 1:
                p[kind, task] = paired(part["nothing"].to_numpy(), part[kind].to_numpy(), overlap=0.0).p
    sure = dict(zip(p, holm(np.array([*p.values()])) <= 0.05, strict=True)) if p else {}
    table: dict[str, dict[str, str]] = {}
    for (kind, task), value in lost.items():
        table.setdefault(kind, {})[task] = f"{value:+.3f}" + ("*" if sure.get((kind, task)) else "")
    return pd.DataFrame.from_dict(table, orient="index").fillna("—").rename_axis("without")


def stage_findings(found: pd.DataFrame | None, rule: str = "honest") -> dict[str, Finding]:
    """What recorded seeds say of :data:`STAGE_CLAIMS`."""
    from helpers.metrics import spearman

    if found is None or "whole" not in (means := _means(found, rule)):
        return dict.fromkeys(STAGE_CLAIMS, absent(NOT_YET))
    out = {}
    for line in LOST:
        if line in means:
            both = means[["whole", line]].dropna()
            out[line] = seed_finding(STAGE_CLAIMS[line], both["whole"], both[line])
        else:
            out[line] = absent(NOT_YET)
    lines = list(LOST)
    if all(line in means for line in lines) and len(means.dropna()) > 1:
        lost = means.dropna()[lines].rsub(means.dropna()["whole"], axis=0).to_numpy()
        ranks = [float(spearman(row, np.array(list(LOST.values())))) for row in lost]
        out["order"] = seed_finding(STAGE_CLAIMS["order"], ranks, np.zeros(len(ranks)))
    else:
        out["order"] = absent(NOT_YET)
    return out


def ablation_facts(
    lost: pd.DataFrame, losses: pd.DataFrame, corpus: PairCorpus, recipe: StagedRecipe
) -> dict[str, Any]:
    """What the text says in numbers: widths of intervals, the mean loss of each model, numbers of pairs, what is
    published."""
    import pandas as pd

    half = ((lost["ci_high"] - lost["ci_low"]) / 2).dropna()
    out: dict[str, Any] = {"half_width": float(half.mean()) if len(half) else 0.0}
    out |= {f"loss_{name.replace(' ', '_')}": float(value) for name, value in losses["mean"].items()}
    kept = split_examples(corpus.pairs, recipe.examples)
    left = corpus_without(corpus, *kept).pairs
    groups = pd.concat([stage_groups(left, stage) for stage in recipe.stages().values()])
    out["learned"] = int(groups[groups["learned"]].drop_duplicates(["source", "kind"])["pairs"].sum())
    for name, part in zip(("chose", "scored"), kept, strict=True):
        sizes = part["kind"].value_counts()
        out[name] = int(sizes[sizes > 1].sum())  # a pair alone has no other to be told from
    out |= {"sets": len(PUBLISHED_SETS), "sets_known": len(HUB_COLUMNS)}
    told = {"published_least": min(LOST.values()), "published_most": max(LOST.values())}
    return out | told | {"seeds": int(lost["seeds"].max())}


def losses_by_hand(model: Any, batch: Mapping[str, Sequence[str]], temperature: float) -> tuple[float, float]:
    """Contrast and angles of a batch, by their formulas, with each left side beside the next right side as negatives.

    Parameters
    ----------
    model
        Encoder of both sides.
    batch
        ``left`` and ``right`` sides of pairs.
    temperature
        Temperature of the cosines.
    """
    x, y = (np.asarray(model.encode(list(batch[side])), np.float64) for side in ("left", "right"))
    u, v = (z / np.linalg.norm(z, axis=1, keepdims=True) for z in (x, y))
    logits = u @ v.T / temperature

    def cross_entropy(scores: np.ndarray) -> float:
        return float(np.mean(np.log(np.exp(scores - scores.max()).sum(axis=1)) + scores.max() - np.diag(scores)))

    contrast = (cross_entropy(logits) + cross_entropy(logits.T)) / 2
    near, far = angles(x, y), angles(x, np.roll(y, -1, axis=0))
    gaps = 20.0 * (far[:, None] - near[None, :])
    return contrast, float(np.log1p(np.exp(gaps).sum()))


def angles(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """How near two vectors are by the angle of their features, which are complex numbers: halves are parts."""
    half = x.shape[1] // 2
    z, w = (v[:, :half] + 1j * v[:, half:] for v in (x, y))
    turned = z * w.conj() / (np.linalg.norm(z, axis=1) * np.linalg.norm(w, axis=1))[:, None]
    return np.abs((turned.real + turned.imag).sum(axis=1))
