"""What label-free numbers say of models that are scored: the rows of the calibration table.

Each row is a model on a data set: every quality that needs no label, of a sample of the objects, beside the score that
the model reaches with labels. Models that share an encoder say so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import check_count, integer_seed
from helpers.quality import QUALITIES, dropout_views, quality

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "FAMILIES",
    "GROUP_METHODS",
    "LABEL_FREE",
    "WIDTHS",
    "classical_rows",
    "client_rows",
    "group_rows",
    "label_free_values",
    "layer_rows",
    "layer_scores",
]

LABEL_FREE = tuple(name for name, entry in QUALITIES.items() if entry.needs != "labels")
"""Qualities that need no label, in the order of their registry."""

FAMILIES = {
    "pocket layers": "layers of the pocket encoders",
    "real layers": "layers of real encoders",
    "classical": "counts, projections and factorisations of words",
    "clients": "CoLES encoders of bank clients",
    "groups": "encoders of drawings, trained by groups",
}
"""Families of models in the table, and what they are."""

WIDTHS = (16, 64, 256)
"""Widths of the classical embeddings."""

GROUP_METHODS = (
    "untrained",
    "item-item, InfoNCE",
    "item-item, triplets",
    "group-group",
    "group-item",
    "group-group, medoids",
    "GroupFace",
    "Group Loss",
    "momentum grouping",
    "… no momentum",
    "… no teacher",
    "… not normalised",
)
"""Methods of :data:`helpers.studies.groups.METHODS` whose group vector is a mean of items."""

SIGNS = {"larger": lambda v: v, "smaller": lambda v: -v, "near 1": lambda v: -abs(v - 1)}


def label_free_values(
    models: Mapping[str, Any], names: Sequence[str] = LABEL_FREE, *, n_objects: int = 500, rng: int = 0
) -> pd.DataFrame:
    """Label-free qualities of several models of the same objects, turned so that larger counts as better.

    Parameters
    ----------
    models : mapping from names to arrays (n, p)
        Representations, row for row of the same objects; widths may differ.
    names
        Which of :data:`LABEL_FREE`. Views are stand-ins made of the embeddings
        (:func:`helpers.quality.dropout_views`); agreement is the mean linear CKA with the other models.
    n_objects
        Objects, drawn at random and the same for all models, of which everything is computed.
    rng
        Seed of the draw and of the stand-ins.

    Returns
    -------
    DataFrame
        Models × qualities, with the number of objects ``n`` and the ``width`` in front; NaN where a quality is not
        defined for a model.

    Raises
    ------
    ValueError
        If there is no model, a name is unknown, or models differ in their number of rows.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.studies.calibration import label_free_values
    >>> x = np.random.default_rng(0).normal(size=(100, 4))
    >>> found = label_free_values({"all": x, "one": x[:, :1] * np.ones(4)}, ["rankme", "agreement"])
    >>> found["rankme"].round(1).to_dict()
    {'all': 4.0, 'one': 1.0}
    """
    import pandas as pd

    from helpers.similarity.cka import cka

    seed, labels = integer_seed(rng), list(models)
    if not labels:
        raise ValueError("models is empty; at least one model is needed")
    if unknown := [name for name in names if name not in LABEL_FREE]:
        raise ValueError(f"names has {unknown[0]!r}; the label-free qualities are {', '.join(LABEL_FREE)}")
    n = len(models[labels[0]])
    if odd := [label for label in labels if len(models[label]) != n]:
        raise ValueError(f"model {odd[0]!r} has {len(models[odd[0]])} rows and {labels[0]!r} has {n}")
    which = np.arange(n)
    if check_count(n_objects, "n_objects", least=50) < n:
        which = np.sort(np.random.default_rng(seed).choice(n, n_objects, replace=False))
    arrays = {label: np.asarray(models[label])[which] for label in labels}
    own = [name for name in names if name != "agreement"]
    rows = {label: {"n": len(which), "width": x.shape[1]} for label, x in arrays.items()}
    for label, x in arrays.items():
        if own:
            views = dropout_views(x, rng=seed)
            options = {"metric": "cosine", "references": False, "n_halves": 2, "rng": seed}
            found = quality(x, views=views, names=own, **options)
            rows[label] |= {name: SIGNS[QUALITIES[name].better](found.loc[name, "value"]) for name in own}
    if "agreement" in names:
        alike = np.full((len(labels), len(labels)), np.nan)
        for i, a in enumerate(labels):
            for j, b in enumerate(labels[:i]):
                alike[i, j] = alike[j, i] = cka(arrays[a], arrays[b])
        for i, label in enumerate(labels):
            rows[label]["agreement"] = float(np.nanmean(alike[i])) if len(labels) > 1 else np.nan
    return pd.DataFrame.from_dict(rows, orient="index")[["n", "width", *names]].rename_axis("model")


# Texts


def layer_rows(
    encoder: str,
    source: str = "documentation",
    tasks: Sequence[str] = (),
    *,
    scores: pd.DataFrame | None = None,
    n_objects: int = 500,
    max_length: int = 128,
    dtype: str | None = None,
    size: int | None = None,
    rng: int = 0,
) -> pd.DataFrame:
    """The layers of an encoder on tasks: qualities of a sample of the texts of a task, and the score on its test split.

    Parameters
    ----------
    encoder, max_length, dtype
        Arguments of :func:`helpers.encoders.extraction.extract`; tokens are averaged.
    source, tasks, size
        Arguments of :func:`helpers.tasks.load_tasks`; no tasks are all of the source.
    scores
        Scores that are known already, as :func:`layer_scores` gives them. Layers of other tasks are scored here, which
        takes all texts of the test split; of known ones the sample is encoded alone.
    n_objects, rng
        Size and seed of the sample of texts.

    Returns
    -------
    DataFrame
        A row per layer and task: ``data``, ``type``, ``encoder``, ``model``, ``layer``, ``metric``, ``score``,
        ``chance``, ``scored`` (``"recorded"`` or ``"here"``), and the columns of :func:`label_free_values`.
    """
    import pandas as pd

    from helpers.encoders.extraction import extract
    from helpers.tasks import describe_tasks, digest_of_task, evaluate_task, load_tasks, texts

    parts, name = [], encoder.rstrip("/").rpartition("/")[2]
    options = {"max_length": max_length, "dtype": dtype, "progress": False}
    for task, loaded in load_tasks(source, list(tasks) or None, **({"size": size} if size else {})).items():
        wanted = texts(loaded, "test")
        sample = _drawn(wanted, n_objects, rng)
        known = None if scores is None else scores[(scores["encoder"] == encoder) & (scores["task"] == task)]
        if known is not None and len(known) and (known["data_sha256"] == digest_of_task(loaded)).all():
            reached, scored = known.set_index("representation")["score"], "recorded"
        else:
            layers, scored = extract(encoder, wanted, **options), "here"
            reached = {layer: evaluate_task(loaded, np.asarray(x)).score for layer, x in layers.items()}
        values = label_free_values(extract(encoder, sample, **options), n_objects=n_objects, rng=rng)
        about = describe_tasks({task: loaded}).loc[task]
        part = values.reset_index().assign(
            data=task, type=about["type"], encoder=name, metric=about["metric"], chance=about["chance"], scored=scored
        )
        part["layer"] = part["model"].str.removeprefix("layer ").astype(int)
        part["score"] = [float(reached[model]) for model in part["model"]]
        parts.append(part.assign(model=[f"{name}, {model}" for model in part["model"]]))
    return _ordered(pd.concat(parts, ignore_index=True))


def layer_scores(table: pd.DataFrame, about: pd.DataFrame) -> pd.DataFrame:
    """Scores of single layers on test splits in the recorded table of Part II, with the digest of their data.

    Parameters
    ----------
    table, about
        Recorded tables ``results/fusion.csv`` and ``results/fusion_tasks.csv``.

    Returns
    -------
    DataFrame
        Columns ``encoder``, ``task``, ``representation``, ``score``, ``data_sha256``.
    """
    single = table[(table["kind"] == "layer") & (table["split"] == "test") & (table["representation"] != "pooler")]
    found = single.merge(about[["source", "task", "data_sha256"]], on=["source", "task"], validate="many_to_one")
    return found[["encoder", "task", "representation", "score", "data_sha256"]].reset_index(drop=True)


def classical_rows(
    source: str = "documentation",
    tasks: Sequence[str] = (),
    *,
    widths: Sequence[int] = WIDTHS,
    names: Sequence[str] | None = None,
    n_objects: int = 500,
    size: int | None = None,
    rng: int = 0,
) -> pd.DataFrame:
    """Classical embeddings of several widths on tasks, fitted on the texts of the test split of each.

    Parameters
    ----------
    source, tasks, size
        Arguments of :func:`helpers.tasks.load_tasks`; no tasks are all of the source.
    widths, names
        Widths and names for :func:`helpers.encoders.classical.classical_embeddings`; a width that a kind does not reach
        gives no second row of the same model.
    n_objects, rng
        Size and seed of the sample of texts of which the qualities are.

    Returns
    -------
    DataFrame
        Columns as those of :func:`layer_rows`; ``encoder`` is the kind of embedding, and ``layer`` is missing.
    """
    import pandas as pd

    from helpers.encoders.classical import classical_embeddings
    from helpers.tasks import describe_tasks, evaluate_task, load_tasks, texts

    parts = []
    for task, loaded in load_tasks(source, list(tasks) or None, **({"size": size} if size else {})).items():
        wanted = texts(loaded, "test")
        made = {}
        for width in sorted(widths):
            for kind, x in classical_embeddings(wanted, width=width, names=names, rng=rng).items():
                if not any(known == kind and x.shape == other.shape for (known, _), other in made.items()):
                    made[kind, width] = x
        place = {text: row for row, text in enumerate(wanted)}
        rows = [place[text] for text in _drawn(wanted, n_objects, rng)]
        labelled = {f"{kind}, {width}": x for (kind, width), x in made.items()}
        values = label_free_values({label: x[rows] for label, x in labelled.items()}, n_objects=n_objects, rng=rng)
        about = describe_tasks({task: loaded}).loc[task]
        part = values.reset_index().assign(
            data=task, type=about["type"], metric=about["metric"], chance=about["chance"], scored="here", layer=np.nan
        )
        part["encoder"] = [kind for kind, _ in made]
        part["score"] = [evaluate_task(loaded, labelled[model]).score for model in part["model"]]
        parts.append(part)
    return _ordered(pd.concat(parts, ignore_index=True))


# Clients and groups


def client_rows(
    experiment: int, sweep: str = "coles", *, classifier: str = "logistic", n_objects: int = 500, rng: int = 0
) -> pd.DataFrame:
    """The models of one experiment of a sweep: qualities of training clients, accuracy on test clients.

    Parameters
    ----------
    experiment, sweep
        Number of the experiment, and the sweep that :func:`helpers.studies.sweep.read_sweep` reads.
    classifier
        What learns the classes from the embeddings of training clients; see :func:`helpers.clients.score`.
    n_objects, rng
        Size and seed of the sample of training clients of which the qualities are.

    Returns
    -------
    DataFrame
        Columns as those of :func:`layer_rows`; models of an experiment are trained apart, and each is its own
        ``encoder``.
    """
    from helpers.clients.scoring import score_splits
    from helpers.studies.sweep import read_sweep

    read = read_sweep(sweep, experiments=[experiment])
    target, parts = read.target[experiment], read.split[experiment]
    models = {f"model {model}": x for (_, model), x in read.embeddings.items()}
    train, test = ((parts == part).to_numpy() for part in ("train", "test"))
    values = label_free_values({name: x[train] for name, x in models.items()}, n_objects=n_objects, rng=rng)
    found = values.reset_index().assign(
        data=f"experiment {experiment}", type="Classification", metric="accuracy", scored="here", layer=np.nan
    )
    found["encoder"] = [f"experiment {experiment}, {model}" for model in models]
    found["score"] = [
        score_splits(x, target, parts, classifier=classifier, rng=rng)["test"].accuracy for x in models.values()
    ]
    found["chance"] = float(target[test].value_counts(normalize=True).max())
    return _ordered(found)


def group_rows(
    protocol: str,
    seed: int,
    source: str = "omniglot_small",
    *,
    methods: Sequence[str] = GROUP_METHODS,
    steps: int = 100,
    n_objects: int = 500,
    drawn: Mapping[str, Any] | None = None,
) -> pd.DataFrame:
    """Encoders of drawings on one division: qualities of the items held out, and how well they find their alphabet.

    Parameters
    ----------
    protocol, seed, methods, steps
        Division, weights and batches, ways to train and their steps, as in :func:`helpers.studies.groups.one_split`.
    source, drawn
        Arguments of :func:`helpers.groups.alphabets.load_alphabets`.
    n_objects
        Number of held-out drawings of which the qualities are.

    Returns
    -------
    DataFrame
        Columns as those of :func:`layer_rows`; the score is the mean over drawings of whether the nearest centroid of
        another group is one of their alphabet.
    """
    from helpers.groups.alphabets import groups_of, load_alphabets, rotated, split_alphabets, split_drawers
    from helpers.groups.evaluation import item_accuracy
    from helpers.studies.groups import method_encoder

    split = split_drawers if protocol == "drawers" else split_alphabets
    train, test = (rotated(part) for part in split(load_alphabets(source, **(drawn or {})), rng=seed))
    train_groups, test_groups = groups_of(train, rng=seed), groups_of(test, rng=seed)
    _, first, codes = np.unique(test_groups, return_index=True, return_inverse=True)
    models, reached = {}, {}
    for method in methods:
        encoder = method_encoder(method, random_state=seed, steps=steps).set_params(readout="centroid")
        z = encoder.fit(train.images, train.alphabet, train_groups).embed(test.images)
        vectors = encoder.read(z, test_groups)
        models[method] = z
        reached[method] = float(np.mean(item_accuracy(z, codes, vectors, test.alphabet[first])))
    found = label_free_values(models, n_objects=n_objects, rng=seed).reset_index()
    found = found.assign(data=f"{protocol}, division {seed}", type="Groups", metric="item accuracy", scored="here")
    found["encoder"], found["layer"] = found["model"], np.nan
    found["score"] = found["model"].map(reached)
    own = test.alphabet[first]
    found["chance"] = float(np.mean([(own == name).sum() - 1 for name in own]) / (len(own) - 1))
    return _ordered(found)


def _drawn(texts: Sequence[str], n_objects: int, rng: int) -> list[str]:
    """A sample of texts, in their order."""
    if len(texts) <= n_objects:
        return list(texts)
    rows = np.sort(np.random.default_rng(integer_seed(rng)).choice(len(texts), n_objects, replace=False))
    return [texts[row] for row in rows]


def _ordered(rows: pd.DataFrame) -> pd.DataFrame:
    """What a row is of before what it says."""
    about = ["data", "type", "encoder", "model", "layer", "width", "n", "metric", "score", "chance", "scored"]
    return rows[[*about, *LABEL_FREE]]
