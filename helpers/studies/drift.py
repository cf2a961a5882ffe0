"""The experiments of the chapter "Watching an embedding in use": silent changes, their search, pictures, claims."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import check_count, check_number, generator, unit_rows
from helpers.book.style import INK
from helpers.inference import Claim, Finding, paired, paired_finding, share_finding
from helpers.quality import Drift, draw_picture, drift, picture
from helpers.similarity import cka

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = [
    "CHANGES",
    "CLAIMS",
    "JUDGED_ON",
    "altered",
    "centroid_distance",
    "check_drift_choices",
    "detection",
    "detection_figure",
    "detection_table",
    "encode_runs",
    "encoded",
    "facts",
    "findings",
    "model_changes",
    "model_facts",
    "passages",
    "picture_facts",
    "pictures_figure",
    "recorded_facts",
    "search_facts",
    "show_model_changes",
    "story_figure",
    "watched",
]

CHANGES = ("none", "cut", "misspelt", "swapped")
"""What happens to the texts of some objects: nothing; all but five words lost; two letters of each word swapped; the
text of another of them."""

WORDS = 5
N_RERUNS, N_FULL = 3, 5  # second runs; runs besides the old version among which parts are dealt out
DROPOUT = 0.1
ENCODED = 64  # texts at a time

CLAIMS = {
    "centroid": Claim(
        "The Euclidean distance between centroids tells that embeddings drifted",
        "share of encoders in which it finds all silent changes of a tenth of the texts; by chance, at most 1 of 16",
        null=1 / 16,
        models="sentence encoders",
        source="dhinakaran2022drift",
        spec=".2f",
    ),
    "tsne": Claim(
        "t-SNE keeps neighbourhoods better than PCA",
        "trustworthiness gained by it",
        models="sentence encoders",
        source="vandermaaten2008visualizing",
        spec="+.2f",
    ),
}
"""What is said of ways to watch embeddings."""

JUDGED_ON = {"centroid": "gte-small and all-MiniLM-L6-v2", "tsne": "the pocket SimCSE"}
"""Whose embeddings the page judges each claim on."""


def altered(texts: Sequence[str], change: str) -> list[str]:
    """Texts after a change that nobody announced.

    Parameters
    ----------
    texts
        Texts of the objects; for ``"swapped"`` two at least.
    change
        One of :data:`CHANGES`.

    Returns
    -------
    list of str
        A text for each object. Swapped texts are each that of the next object.

    Raises
    ------
    ValueError
        If the change is unknown.

    Examples
    --------
    >>> from helpers.studies.drift import altered
    >>> altered(["One two three four five six.", "Short words."], "cut")
    ['One two three four five', 'Short words.']
    >>> altered(["Short words."], "misspelt")
    ['Sohrt wrods.']
    """
    if change not in CHANGES:
        raise ValueError(f"change is {change!r}; it must be one of {', '.join(map(repr, CHANGES))}")
    if change == "cut":
        return [" ".join(text.split()[:WORDS]) for text in texts]
    if change == "misspelt":
        return [" ".join(w[0] + w[2] + w[1] + w[3:] if len(w) > 3 else w for w in text.split()) for text in texts]
    return [*texts[1:], texts[0]] if change == "swapped" else list(texts)


def encode_runs(encoder: str, texts: Sequence[str], seeds: Sequence[int]) -> list[np.ndarray]:
    """Vectors of texts by several runs of one encoder, each with dropout of its own: the noise of the model itself.

    Parameters
    ----------
    encoder
        Name or folder, as :func:`helpers.encoders.extraction.resolve_model` takes it.
    texts
        Texts, none of them blank.
    seeds
        Seeds of the runs.

    Returns
    -------
    list of ndarray of shape (n, width), float32
        Means of the last hidden states over tokens, for each seed; a tenth of units and of attention is dropped.
    """
    import torch
    from transformers import AutoModel, AutoTokenizer

    from helpers.encoders.extraction import quiet, resolve_model

    folder = resolve_model(encoder)
    with quiet():
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        rates = dict.fromkeys(("hidden_dropout_prob", "attention_probs_dropout_prob"), DROPOUT)
        model = AutoModel.from_pretrained(folder, trust_remote_code=False, **rates).train()
    order = np.argsort([len(text) for text in texts], kind="stable")
    out = []
    for seed in seeds:
        vectors: Any = None
        with torch.random.fork_rng([]), torch.inference_mode():
            torch.manual_seed(seed)
            for start in range(0, len(texts), ENCODED):
                rows = order[start : start + ENCODED]
                batch = tokenizer([texts[row] for row in rows], padding=True, truncation=True, return_tensors="pt")
                batch = {name: batch[name] for name in ("input_ids", "attention_mask")}
                states = model(**batch).last_hidden_state
                mask = batch["attention_mask"][:, :, None]
                means = ((states * mask).sum(1) / mask.sum(1)).numpy()
                vectors = np.empty((len(texts), means.shape[1]), np.float32) if vectors is None else vectors
                vectors[rows] = means
        out.append(vectors)
    return out


def watched(
    full: Sequence[np.ndarray], change: str, rows: np.ndarray, changed: Any = None, **options: Any
) -> tuple[np.ndarray, Drift]:
    """A new version in which some rows were changed, and what :func:`~helpers.quality.drift` finds.

    Parameters
    ----------
    full
        Runs of the unchanged texts, of shape (n, p): the old version, the new one, and second runs if there are more.
    change
        One of :data:`CHANGES`.
    rows
        Rows that are changed in the new version.
    changed : ndarray of shape (n, p), optional
        A run of the changed texts, where texts are altered and do not only change places.
    options
        Options of :func:`~helpers.quality.drift`.

    Returns
    -------
    tuple of ndarray of shape (n, p) and Drift
        The new version; what was found.
    """
    old, new, *again = full
    new = new.copy()
    if change == "swapped":
        new[rows] = np.roll(new[rows], -1, axis=0)
    elif change != "none":
        new[rows] = changed[rows]
    return new, drift(old, new, rerun=again or None, **{"map": None} | options)


def check_drift_choices(
    *, encoder: str, other: str, n_texts: int, share: float, n_repeats: int, n_passages: int, n_resamples: int
) -> None:
    """Refuse what the page could not do.

    Parameters
    ----------
    encoder, other
        Two different encoders, as :func:`helpers.encoders.resolve_model` finds them.
    n_texts
        Sentences, at least 110, for a map from one model to the other.
    share
        Share of them that is changed: at least one of them, at most half.
    n_repeats
        Deals of runs and changed objects, at least 1.
    n_passages
        Objects whose passages are searched, at least 10.
    n_resamples
        Draws, at least 19.

    Raises
    ------
    FileNotFoundError, TypeError, ValueError
        If one of them is out of range, or there is no such encoder.
    """
    from helpers.encoders.extraction import resolve_model

    if resolve_model(encoder) == resolve_model(other):
        raise ValueError(f"other is {other!r}, as encoder is; another encoder is needed, for a change of the model")
    check_count(n_texts, "n_texts", least=110, why="(to fit and to judge a map between models)")
    check_number(share, "share", lambda s: 1 / n_texts <= s <= 0.5, f"a number between 1 / {n_texts} and 0.5")
    check_count(n_repeats, "n_repeats")
    check_count(n_passages, "n_passages", least=10)
    check_count(n_resamples, "n_resamples", least=19)


def centroid_distance(x: np.ndarray, y: np.ndarray) -> float:
    """Euclidean distance of the means of the rows of two versions."""
    return float(np.linalg.norm(x.mean(axis=0) - y.mean(axis=0)))


def encoded(encoder: str, texts: Sequence[str], *, rng: int = 0) -> tuple[list[np.ndarray], dict[str, Any]]:
    """Six runs of one encoder on texts, and a run on the texts after each change that alters them.

    Parameters
    ----------
    encoder, texts
        As in :func:`encode_runs`.
    rng
        Seed of the seeds of the runs.

    Returns
    -------
    tuple of list of ndarray and dict
        Runs of shape (n, width); for each of :data:`CHANGES` a run of that shape, or None where texts stay as they are
        or only change places.
    """
    seeds = [int(seed) for seed in np.random.default_rng(rng).integers(2**31, size=N_FULL + 1 + len(CHANGES))]
    full = encode_runs(encoder, texts, seeds[: N_FULL + 1])
    changed: dict[str, Any] = dict.fromkeys(CHANGES)
    for change, seed in zip(CHANGES, seeds[N_FULL + 1 :], strict=True):
        if change in ("cut", "misspelt"):
            (changed[change],) = encode_runs(encoder, altered(texts, change), [seed])
    return full, changed


def detection(
    full: Sequence[np.ndarray],
    changed: Mapping[str, Any],
    *,
    share: float = 0.1,
    n_repeats: int = 5,
    k: int = 10,
    rng: int | np.random.Generator = 0,
) -> pd.DataFrame:
    """How often silent changes are found, by which null, and what a dashboard of whole spaces would have said.

    Parameters
    ----------
    full
        Five runs or more of the unchanged texts, of shape (n, p), such as :func:`encoded` gives.
    changed
        For each change a run of the changed texts, or None.
    share
        Share of the objects that are changed, between 0 and 1.
    n_repeats
        How often runs are dealt out anew as old, new and second ones, and other objects are changed.
    k
        Number of nearest neighbours.
    rng
        Seed or generator of all draws.

    Returns
    -------
    DataFrame
        A row for each change, null (``"rerun"``, ``"common"``) and repeat: ``power``, the share of changed objects that
        were found (NaN without change); ``fdp``, the share of unchanged ones among the found, 0 if none is found;
        ``found``, their number; ``overlap``, mean overlap; ``cka``; ``centroid``, whether the distance of centroids is
        larger than of any two runs without change; ``cka_alarm``, whether CKA is smaller.
    """
    import pandas as pd

    check_number(share, "share", lambda value: 0 < value < 1, "a number between 0 and 1")
    rng, n = generator(rng), len(full[0])
    pairs = [(a, b) for place, a in enumerate(full) for b in full[:place]]
    usual = max(centroid_distance(a, b) for a, b in pairs), min(cka(a, b) for a, b in pairs)
    rows = []
    for change, moved in changed.items():
        for repeat in range(check_count(n_repeats, "n_repeats")):
            dealt = [full[i] for i in rng.permutation(len(full))[: 2 + N_RERUNS]]
            which = np.sort(rng.permutation(n)[: max(2, round(share * n))])
            real = set() if change == "none" else set(which.tolist())
            for null, runs in (("rerun", dealt), ("common", dealt[:2])):
                options = {"k": k, "n_resamples": 99, "rng": int(rng.integers(2**31))}
                new, found = watched(runs, change, which, moved, **options)
                named = set(found.moved)
                rows.append(
                    {
                        "change": change,
                        "null": null,
                        "repeat": repeat,
                        "power": len(named & real) / len(real) if real else np.nan,
                        "fdp": len(named - real) / max(len(named), 1),
                        "found": len(named),
                        "overlap": found.table.value["neighbour overlap"],
                        "cka": found.table.value["cka"],
                        "centroid": centroid_distance(dealt[0], new) > usual[0],
                        "cka_alarm": cka(dealt[0], new) < usual[1],
                    }
                )
    return pd.DataFrame(rows)


def detection_table(found: pd.DataFrame) -> pd.DataFrame:
    """Means over repeats of what :func:`detection` gives, a row for each encoder, if several, change and null."""
    by = [name for name in ("encoder", "change", "null") if name in found]
    columns = ["power", "fdp", "overlap", "cka", "centroid", "cka_alarm"]
    means = found.astype({"centroid": float, "cka_alarm": float}).groupby(by, sort=False)[columns].mean()
    return means.rename(columns={"centroid": "centroid alarm", "cka_alarm": "cka alarm"})


def model_changes(encoder: str, other: str, texts: Sequence[str], *, rng: int = 0) -> pd.DataFrame:
    """What changing the precision of an encoder, and changing the encoder, does to all objects.

    Parameters
    ----------
    encoder, other
        As :func:`helpers.encoders.extraction.extract` takes them.
    texts
        Texts of the objects.
    rng
        Seed of all draws.

    Returns
    -------
    DataFrame
        A row for each new version: ``new``, what it is; ``overlap``, ``ci_low``, ``ci_high``; ``cka``; ``moved``, the
        share of objects that moved beyond the common noise; ``kept``, ``kept_low``, ``kept_high``, the overlap of
        search in vectors that a map made of the old ones; ``stay``, that of search in the old ones.
    """
    import pandas as pd

    from helpers.encoders.extraction import extract

    def vectors(name: str, **options: Any) -> np.ndarray:
        layers = extract(name, texts, progress=False, **options)
        return np.asarray(layers[list(layers)[-1]])

    old, rows = vectors(encoder), []
    versions = {"bfloat16": vectors(encoder, dtype="bfloat16"), other.rpartition("/")[2]: vectors(other)}
    for name, new in versions.items():
        found = drift(old, new, map="low-rank", rng=rng)
        whole, kept = found.table.loc["neighbour overlap"], found.migration.table.loc["low-rank"]
        rows.append(
            {
                "new": name,
                "overlap": whole.value,
                "ci_low": whole.ci_low,
                "ci_high": whole.ci_high,
                "cka": found.table.value["cka"],
                "moved": found.objects["moved"].mean(),
                "kept": kept.overlap,
                "kept_low": kept.ci_low,
                "kept_high": kept.ci_high,
                "stay": found.migration.table.overlap["old model"],
            }
        )
    return pd.DataFrame(rows)


def model_facts(found: pd.DataFrame) -> dict[str, float]:
    """Of changes from one encoder to another, not of precision: least and largest share of neighbours that stay or that
    search in mapped vectors finds, and the least of what a change of precision keeps.

    Parameters
    ----------
    found
        Rows of :func:`model_changes`, of several encoders.
    """
    precision = found["new"] == "bfloat16"
    others = found[~precision]
    ends = {"low": others.min(numeric_only=True), "high": others.max(numeric_only=True)}
    out = {f"{what}_{end}": float(values[what]) for end, values in ends.items() for what in ("stay", "kept")}
    return out | {"precision_stay": float(found.loc[precision, "stay"].min())}


def show_model_changes(found: pd.DataFrame) -> Any:
    """The table of :func:`model_changes` for a page."""
    index = [name for name in ("encoder", "new") if name in found]
    columns = ["overlap", "cka", "moved", "stay", "kept", "kept_low", "kept_high"]
    return found.set_index(index)[columns].style.format("{:.2f}")


def passages(n: int, *, rng: int | np.random.Generator = 0) -> tuple[list[str], list[str], dict[int, list[int]]]:
    """Questions and passages of the documentation: the summary of an object asks for the paragraphs that follow it.

    Parameters
    ----------
    n
        Number of objects.
    rng
        Seed or generator of the draw.

    Returns
    -------
    tuple
        The summaries; the paragraphs of all objects; the numbers of an object's paragraphs by that of its summary.

    Raises
    ------
    TypeError, ValueError
        If ``n`` is no whole number of at least 1, or the documentation has fewer such objects.
    """
    from helpers.text import documentation

    table = documentation(unit="paragraph")
    table = table[table["text"].str.split().str.len().between(6, 60)].drop_duplicates("text")
    named = table["library"] + " " + table["module"] + " " + table["object"]
    summaries = table[table["part"] == "summary"].assign(name=named).drop_duplicates("name")
    bodies = table[table["part"] == "body"].assign(name=named).groupby("name", sort=False).head(3)
    summaries = summaries[summaries["name"].isin(bodies["name"])].sort_values("name")
    check_count(n, "n_passages", most=len(summaries), why="(objects that are documented in more than a summary)")
    taken = summaries.iloc[np.sort(generator(rng).permutation(len(summaries))[:n])]
    bodies = bodies[bodies["name"].isin(taken["name"])].sort_values("name", kind="stable").reset_index(drop=True)
    place = bodies.groupby("name").indices
    qrels = {row: place[name].tolist() for row, name in enumerate(taken["name"])}
    return taken["text"].tolist(), bodies["text"].tolist(), qrels


def story_figure(found: Drift, rows: Sequence[int], null: Drift) -> Figure:
    """Displacement against overlap of every object, without a change and with one; circles where objects were found.

    Parameters
    ----------
    found
        Drift between the old version and the changed one.
    rows
        Rows that were changed.
    null
        Drift between the old version and a run without change.
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(8.4, 3.6), sharex=True, sharey=True)
    for ax, one, changed, title in zip(
        axes, (null, found), ([], rows), ("another run, nothing changed", "a silent change"), strict=True
    ):
        table = one.objects.set_index("id").sort_index()
        jitter = np.random.default_rng(0).uniform(-0.3, 0.3, len(table)) / one.k
        real = np.isin(table.index, changed)
        height = table["overlap"] + jitter
        for mask, color, label in ((~real, "C0", "unchanged"), (real, "C1", "changed")):
            ax.scatter(table["displacement"][mask], height[mask], s=9, lw=0, color=color, label=label, alpha=0.8)
        moved = table["moved"].to_numpy()
        ax.scatter(
            table["displacement"][moved], height[moved], s=42, facecolor="none", edgecolor=INK, lw=0.8, label="found"
        )
        ax.set(xlabel="displacement", title=title)
    axes[0].set_ylabel("share of neighbours that stayed")
    axes[1].legend(loc="upper right")
    return figure


def detection_figure(found: pd.DataFrame) -> Figure:
    """Share of changed objects that are found (bars), and of unchanged ones among the found (dots), by change."""
    import matplotlib.pyplot as plt

    encoders = list(dict.fromkeys(found["encoder"])) if "encoder" in found else [""]
    figure, axes = plt.subplots(1, len(encoders), figsize=(4.2 * len(encoders), 3.2), sharey=True, squeeze=False)
    changes = [change for change in dict.fromkeys(found["change"]) if change != "none"]
    for ax, encoder in zip(axes[0], encoders, strict=True):
        part = found[found["encoder"] == encoder] if encoder else found
        for number, null in enumerate(("rerun", "common")):
            mean = part[part["null"] == null].groupby("change")[["power", "fdp"]].mean().loc[changes]
            at = np.arange(len(changes)) + 0.36 * (number - 0.5)
            ax.bar(at, mean["power"], 0.34, color=f"C{number}", label=null)
            ax.plot(at, mean["fdp"], "o", color=INK, ms=4)
        ax.set(xticks=range(len(changes)), xticklabels=changes, title=encoder, ylim=(0, 1.05))
        ax.axhline(0.05, color=INK, lw=0.8, ls=":")
    axes[0, 0].set_ylabel("share found; wrong among the found")
    axes[0, -1].legend()
    return figure


def pictures_figure(
    x: np.ndarray, methods: Sequence[str], *, k: int = 10, rng: int = 0
) -> tuple[Figure, dict[str, Any]]:
    """Pictures of one space side by side, with the misplaced objects crossed, and what is to be believed of them.

    Parameters
    ----------
    x : ndarray of shape (n, p)
        The space, one object a row.
    methods
        Some of :data:`helpers.quality.PICTURES`.
    k, rng
        As in :func:`helpers.quality.picture`.
    """
    import matplotlib.pyplot as plt

    found = {method: picture(x, method=method, k=k, rng=rng) for method in methods}
    figure, axes = plt.subplots(1, len(found), figsize=(4.2 * len(found), 3.6), squeeze=False)
    shade = (unit_rows(x) @ unit_rows(x.mean(axis=0, keepdims=True)).T)[:, 0]
    for ax, one in zip(axes[0], found.values(), strict=True):
        draw_picture(one, values=shade, ax=ax)
    return figure, found


def findings(recorded: pd.DataFrame, pictures: Mapping[str, Any], *, n_resamples: int = 9999) -> dict[str, Finding]:
    """What the studies found of each of :data:`CLAIMS`.

    Parameters
    ----------
    recorded
        Rows of :func:`detection` with a column ``encoder``; encoders are the units of the claim on centroids.
    pictures
        ``"pca"`` and ``"tsne"`` as :func:`pictures_figure` gives them, of the same objects.
    n_resamples
        Draws of the interval and test of the pictures.
    """
    one = recorded[recorded["null"] == "rerun"]
    in_place = one[one["change"].isin(["cut", "misspelt"])]
    whole = in_place.groupby("encoder")["centroid"].all()  # its repeats share runs, and are no units
    gained = [pictures[method].objects["trustworthiness"] for method in ("tsne", "pca")]
    return {
        "centroid": share_finding(CLAIMS["centroid"], int(whole.sum()), len(whole), "encoders"),
        "tsne": paired_finding(CLAIMS["tsne"], *gained, units="sentences", n_resamples=n_resamples),
    }


def facts(found: Drift, rows: Sequence[int], old: np.ndarray, new: np.ndarray) -> dict[str, Any]:
    """What the text says in numbers of the change that was made on purpose."""
    named = set(found.moved)
    return {
        "n": found.rows["common"],
        "changed": len(rows),
        "found": len(named),
        "right": len(named & set(rows)),
        "wrong": len(named - set(rows)),
        "least": found.least,
        "cka": cka(old, new),
        "overlap": found.table.value["neighbour overlap"],
        "unchanged_overlap": found.table.unchanged["neighbour overlap"],
    }


def picture_facts(pictures: Mapping[str, Any]) -> dict[str, float]:
    """Trustworthiness, continuity and share of misplaced objects by method, and the chance level of the first."""
    numbers = ("trustworthiness", "continuity", "misplaced")
    found = {f"{what}_{method}": one.objects[what].mean() for method, one in pictures.items() for what in numbers}
    return found | {"chance": next(iter(pictures.values())).table["chance"]["trustworthiness"]}


def search_facts(before: Any, after: Any) -> dict[str, float]:
    """Recall before a change and by chance, and what is lost after it, with the interval of the difference."""
    table, lost = before.table, paired(*(one.queries["recall"] for one in (before, after)), n_resamples=999)
    found = {"recall": table.value["recall"], "chance": table.chance["recall"], "lost": lost.difference}
    return found | {"lost_low": lost.low, "lost_high": lost.high}


def recorded_facts(found: pd.DataFrame) -> dict[str, float]:
    """What the text says of many runs: power and false discoveries by null and change, alarms of whole spaces."""
    by = [name for name in ("encoder", "change", "null") if name in found]
    out: dict[str, float] = {"repeats": found.groupby(by).size().min()}
    for null, part in found.groupby("null"):
        by_change = part.groupby("change")
        out |= {f"power_{null}_{change}": one["power"].mean() for change, one in by_change if change != "none"}
        out[f"fdp_{null}"] = part["fdp"].mean()
        out[f"alarms_{null}"] = (part["found"][part["change"] == "none"] > 0).mean()
    changed = found[(found["null"] == "rerun") & (found["change"] != "none")]
    in_place = changed["change"] != "swapped"
    out["centroid_in_place"] = changed["centroid"][in_place].mean()
    out["centroid_swapped"] = changed["centroid"][~in_place].mean()
    out["cka_alarm"] = changed["cka_alarm"].mean()
    out["cka_least"] = changed["cka"].min()
    return out
