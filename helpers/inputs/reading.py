"""Embeddings as people have them, in arrays, tables or by the name of a model, as matrices of the same objects."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from helpers.arrays import check_row_labels
from helpers.errors import Argument, ArgumentError
from helpers.inputs._candidates import candidates_of, chosen_of, opened
from helpers.inputs._columns import (
    Related,
    columns_of,
    large_classes,
    one_column,
    roles_of,
    table_of,
    texts_in,
    values_of,
)
from helpers.inputs._files import Candidate, ConversionCache, Part, sha
from helpers.inputs._json import forgetting
from helpers.inputs._leaks import features_of, without_leaks
from helpers.inputs._leftovers import Leftovers
from helpers.inputs._parts import place_of
from helpers.inputs._pooling import PLAIN, Pool, Pooling
from helpers.inputs._rows import aligned, complete, finite_rows, of_one_length, present, selected, survey

PAIRS, QRELS = ("left", "right", "score"), ("query", "document", "relevance")

#: What may be done about objects that miss something.
MISSING = ("raise", "drop")


@dataclass(frozen=True, eq=False)
class Inputs:
    """What :func:`read` found: representations of the same n objects, and what is known of the objects.

    Attributes
    ----------
    representations : dict of str to numpy.ndarray
        Matrices (n, p_i), float32 or float64, in the order of names asked for; read-only memory maps where they come
        from files.
    ids : numpy.ndarray of shape (n,)
        Strings where rows are aligned by ids, else the numbers of the rows in the files.
    labels, groups : numpy.ndarray of shape (n,), or None
        Whole numbers if all are (and half as many values as objects at most), else numbers if all are, else strings.
    texts : numpy.ndarray of shape (n,), or None
        Texts of the rows, as strings.
    pairs : pandas.DataFrame, or None
        ``left`` and ``right``, row numbers of ``representations``, and ``score``.
    qrels : pandas.DataFrame, or None
        ``query`` and ``document``, row numbers of ``representations``, and ``relevance``.
    losses : pandas.DataFrame
        Each row that costs an object or has no partner: ``input``, ``id`` (or number of the row) and ``reason``.
    findings : pandas.DataFrame
        One row for each representation: ``file``; ``rows`` there, ``lost`` of them and how many have ``missing`` (NaN
        or infinite) entries; and of the n that are left: ``width``, ``dtype`` as stored, ``constant_columns`` and which
        these are (``constant``), ``zero_columns``, ``zero_rows``, ``duplicates`` (rows equal to an earlier one),
        ``norm_mean`` and ``norm_std``; ``read_as`` says in words what was done to read it, if anything was.
    ignored : pandas.DataFrame
        ``file`` and ``reason`` of what lay there and is no part of a representation: files, arrays and columns.
    features : dict of str to list of str
        For each representation of a table of numbers the columns that it is made of.
    encoded : dict of str to str
        For each model that read the texts, in words, how its vectors were made.
    digest : str
        SHA-256 of names, ids and all entries, and of labels, groups, pairs and qrels.
    sizes : numpy.ndarray of shape (n,), or None
        Numbers of the items of each object, where items were pooled.
    """

    representations: dict[str, np.ndarray]
    ids: np.ndarray
    labels: np.ndarray | None
    groups: np.ndarray | None
    texts: np.ndarray | None
    pairs: Any
    qrels: Any
    losses: Any
    findings: Any
    ignored: Any
    features: dict[str, list[str]]
    encoded: dict[str, str]
    digest: str
    sizes: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        widths = ", ".join(f"{name!r}: {x.shape[1]}" for name, x in self.representations.items())
        return f"Inputs({len(self)} objects, {{{widths}}})"


@forgetting
def read(
    source: Any,
    *,
    names: Sequence[str] | None = None,
    ids: str | None = None,
    labels: Any = None,
    groups: Any = None,
    pairs: Any = None,
    qrels: Any = None,
    models: str | Sequence[str] = (),
    text: str | None = None,
    layers: str = "last",
    pooling: str | None = None,
    pool_by: Any = None,
    readout: str | Sequence[str] = PLAIN,
    missing: str = "raise",
    min_class_size: int = 0,
    features: Mapping[str, Sequence[str]] | None = None,
    work: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> Inputs:
    """Read several embeddings of the same objects, and what is known of these objects.

    Parameters
    ----------
    source
        - a folder with files of the formats in :data:`helpers.inputs.formats.FORMATS` (NumPy, safetensors, PyTorch,
          HDF5 and AnnData, MATLAB, Parquet, Arrow, CSV, JSON, word vectors, Excel, raw numbers), searched with its
          subfolders; hidden files, reports and saved ensembles are passed over, other formats are listed in
          ``ignored``;
        - one such file, a list of files, or a folder that ``datasets`` saved;
        - a mapping from names to arrays (n, p) or to files; empty (or ``""``) if ``models`` are all there is.

        Representations are called by their files (``a.npy`` is ``a``, ``sub/a.npy`` is ``sub/a``); several of one file
        by file and array or column (``file/array``), or by array or column alone if ``source`` is that one file. They
        come in natural order (``layer 2`` before ``layer 10``).

        In a table each column of vectors is a representation: a list column, or text such as ``[0.1, 0.2]`` or
        ``0.1 0.2``. Without such a column all columns of numbers are together one representation; columns of text, of
        no name, or with a name like a label are not part of it and listed in ``ignored``; so are all of a table whose
        texts are encoded. Of a file of arrays all matrices are read. Files called ids, labels,
        groups, pairs, judgements, qrels or texts are only read if a parameter names them.

        Parts of one embedding are one representation: numbered shards (``a-00000-of-00002``, ``a-part-0``), the files
        in folders called ``key=value``, whose key becomes a column unless it tells embeddings apart, as ``model`` and
        ``layer`` do, and files with one vector each, whose names are the ids. Parts that lack one are refused.

        Whole numbers of 8 bits are codes: packed bits become -1 and 1, other codes numbers, with the ``scale`` of
        their file if there is one; ``findings["read_as"]`` says which.

        A column or array that one of the parameters names is no feature in any file, and neither is a column from which
        the labels can be read off: one that has one value in each class, or rises or falls throughout with numbers to
        predict; nor one that is one to one with the groups, or equal to the ids or the numbers of the rows. All are
        listed in ``ignored``. So are files of a folder that cannot be read, or without ids have another number of rows
        than the labels or than most; where a file was asked for, this is an error.
    names
        Names of the representations to read, in this order; all by default.
    ids
        What aligns rows: the name of a column or of an array of ids, or a file that gives ids to arrays without them.
        The objects kept are those that all inputs have, in the order of the first. By default a column or array called
        ``id`` or ``ids``, else the files ``a.ids.npy`` or ``a.ids.txt`` (an id a line) beside ``a.npy``, else none:
        rows are aligned by position and must be equally many. ``""`` aligns by position whatever is there.
    labels, groups
        A column of the tables (or an array in the files); or a file, ``"labels.csv"``, if it has one column besides
        ids, or ``"labels.csv:column"``; or an array (n,) in the order of the first representation. Paths are relative
        to the folder of ``source`` or to the current folder.
    pairs
        A table, as a file or a data frame, with two columns of ids (row numbers where there are no ids) and a score;
        by the names ``left``, ``right``, ``score`` if it has more than three columns.
    qrels
        A table, as for ``pairs``, with the ids of a query and of a document and, optionally, a relevance (1 by
        default); by the names ``query``, ``document``, ``relevance`` if it has more than three columns.
    models, text, layers
        Encode ``text`` (a column of the tables, or a file as for ``labels``) by these models, see
        :func:`helpers.encoders.extraction.extract`: the ``"last"`` layer, called by the last
        part of the name of the model, or ``"all"``, called ``model/layer 0`` and so on. They come after the
        embeddings of ``source``.
        Without ``text`` the texts are those that ``pairs`` or ``qrels`` hold instead of ids.
    pool_by
        What makes one object of many items, such as the client of each transaction: a column, a file or an array, as
        for ``labels``. Then the rows of the embeddings are items, the objects are their groups, in ascending order and
        with their names as ids, and a label, or an entry of ``groups``, must be the same for all items of a group.
        ``pairs`` and ``qrels`` name groups; texts are only encoded.
    readout
        How the vectors of a group's items become one, of ``pool_by`` only: a name in
        :data:`helpers.groups.READOUTS`, several, or ``"compare"`` for all. The centroid alone keeps the name of the
        embedding; other vectors are called ``name (readout)``, each a representation of its own. ``names`` may name
        these, or embeddings.
    pooling
        What makes one vector of the tokens of a text, as for :func:`helpers.encoders.extraction.extract`; by default
        what the folder of a sentence encoder says, else the mean. ``Inputs.encoded`` says which it was.
    missing
        What is done about objects that have a NaN or infinite entry in a representation, or no label, group or text:
        ``"raise"`` an error that lists them, or ``"drop"`` them.
    min_class_size
        Leave out the objects of classes with fewer members than this. At 0 a class with one member is an error.
    features
        For a representation, by its name, the columns of numbers of its table that it is made of, in this order,
        whatever else is there; as ``Inputs.features`` gives them.
    work
        Folder for what is converted or encoded; by default folders below the user's cache folder. It is used again
        until the file changes, and may be deleted at any time.
    progress
        Show a bar where a file takes long to convert.

    Returns
    -------
    Inputs

    Raises
    ------
    FileNotFoundError
        If there is no such file, or no file that can be read.
    ValueError
        If a file is damaged, truncated or holds pickled objects (which are never loaded); an array is not a matrix of
        real numbers; a vector has another length than the first; a number cannot be read; rows are not equally many
        and there are no ids; an id is missing or there twice; two representations have one name; a column is empty;
        values are missing; every representation holds nothing but what is given; there is one class, or a class with
        one member; items of one group differ in label. The message names file, row (from 0, headers not counted) and
        column, and what is accepted.

    Notes
    -----
    float32 and float64 are mapped as they lie in ``.npy``, ``.safetensors``, PyTorch and raw files, in uncompressed
    ``.npz`` files and in HDF5 where an array lies in one piece (copied if they are not aligned there). float16,
    bfloat16, bool and whole numbers up to 16 bits become float32; other whole numbers and numbers in text become
    float64. Whatever must be converted, extracted or brought into another order is streamed to a ``.npy`` file in the
    work folder and mapped from there, so that memory holds blocks of rows and some 100 bytes for each object; beside
    them a ``.json`` file that is one value, sparse matrices and MATLAB files before version 7.3, which are read as
    wholes. Cost: all entries are read twice, to find what is missing and to
    describe it.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.inputs import read
    >>> inputs = read({"a": np.eye(4), "b": np.ones((4, 2))}, labels=["x", "y", "x", "y"])
    >>> inputs
    Inputs(4 objects, {'a': 4, 'b': 2})
    >>> inputs.findings[["width", "constant_columns", "duplicates"]].to_numpy().tolist()
    [[4, 0, 0], [2, 2, 3]]

    Items into one object for each group:

    >>> read({"a": np.eye(4)}, pool_by=["y", "x", "y", "x"], readout=["centroid", "medoid"]).representations
    {'a (centroid)': array([[0. , 0.5, 0. , 0.5],
           [0.5, 0. , 0.5, 0. ]]), 'a (medoid)': array([[0., 1., 0., 0.],
           [1., 0., 0., 0.]])}
    """
    models = [models] if isinstance(models, (str, os.PathLike)) else list(models)
    source = {} if isinstance(source, str) and not source else source
    pairs, qrels = (None if isinstance(spec, str) and not spec else spec for spec in (pairs, qrels))
    given = {"labels": labels, "groups": groups, "text": text, "pool_by": pool_by}
    labels, groups, text, pool_by = (one_column(spec, role) for role, spec in given.items())
    known = {"labels": labels, "groups": groups, "text": text, "pool_by": pool_by, "pairs": pairs, "qrels": qrels}
    _check_arguments(source, models, known, readout, layers, missing)
    grouping = None if pool_by is None else Pooling(readout, names)
    names = names if grouping is None else grouping.of_items(names)
    place = place_of(source, ids)
    tables = [
        Related.of(role, spec, columns, place)
        for role, spec, columns in (("pairs", pairs, PAIRS), ("qrels", qrels, QRELS))
        if spec is not None
    ]
    wanted = {"labels": labels, "groups": groups, "texts": text, "pool_by": pool_by}
    wanted = {role: spec for role, spec in wanted.items() if spec is not None}
    specs = {role: place.find(spec, role) for role, spec in wanted.items() if isinstance(spec, (str, os.PathLike))}
    roles = roles_of(specs, wanted, tables, place, bool(models))._replace(features=features or {})
    conversions = ConversionCache(work, progress)

    candidates, leftovers = candidates_of(source, place, roles, conversions)
    files = dict.fromkeys([path for path in [*place.files, *(candidate.path for candidate in candidates)] if path])
    series = [part for role, spec in wanted.items() for part in columns_of(role, spec, specs.get(role), place, files)]
    series += [texts_in(tables)] if models and text is None else []
    asked = chosen_of(candidates, names, models, place, leftovers)
    parts = opened(asked, names is not None, place, leftovers)
    parts = of_one_length(parts, series, leftovers) if leftovers.searched and names is None else parts
    joined, rows, losses = aligned(parts, series)
    total = len(parts[0].array) if parts and parts[0].ids is None else None

    whole = [finite_rows(part) for part in _slowly("checking", parts, progress)]
    whole += [present(part.array) for part in series]
    keep, lost = complete(parts + series, whole, rows, joined, missing == "drop")
    losses, joined, rows = losses + lost, joined[keep], [r[keep] for r in rows]
    if not len(joined):
        name, last, reason = losses[-1]
        raise ValueError(f"no object is left: each of {len(keep)} misses something, such as {last} in {name}: {reason}")
    before = [part.array for part in series if part.name == "pool_by"]
    values = values_of(series, rows[len(parts) :], joined)
    texts, objects, pool = values.pop("texts", None), joined, None
    if grouping is not None:
        pool = Pool.of(values, joined)
        values, objects, losses = pool.values, pool.names, losses + pool.emptied(np.concatenate(before))
    if "labels" in values:
        keep, lost = large_classes(values["labels"], objects, min_class_size)
        losses, objects, values = losses + lost, objects[keep], {role: one[keep] for role, one in values.items()}
        keep = keep if pool is None else pool.only(keep)
        joined, rows, texts = joined[keep], [r[keep] for r in rows], None if texts is None else texts[keep]

    absent = {part.name: int((~finite).sum()) for part, finite in zip(parts, whole, strict=False)}
    known = values if pool is None else pool.of_items()
    parts, rows = without_leaks(parts, rows, known, joined, names is not None, leftovers, alone=not models)
    arrays = {part.name: selected(part, chosen, conversions) for part, chosen in zip(parts, rows, strict=False)}
    how: dict[str, str] = {}
    for model in models:
        encoded, how[str(model)] = _encoded(model, texts, layers, pooling, arrays, work, progress)
        arrays |= encoded
        parts += [Part(name, str(model), x, None, stored="float32") for name, x in encoded.items()]
    arrays = _in_order(arrays, names, candidates)
    shown = {name: (name, x) for name, x in arrays.items()} if pool is None else grouping.vectors(arrays, pool)
    arrays = {name: x for name, (_, x) in shown.items()}
    surveys = _surveys(shown, parts, absent, len(joined), progress)
    if pool is None and texts is not None:
        values["texts"] = texts
    found = {}
    for table in tables:
        found[table.role], lost = table_of(table, objects, total if pool is None else None)
        losses += lost
    gathered = _gathered(arrays, objects, values, found, losses, surveys, leftovers, features_of(parts), how)
    return gathered if pool is None else replace(gathered, sizes=pool.members.counts)


def read_one(source: Any, role: str, *, progress: bool = False, **reading: Any) -> Inputs:
    """Read a source that holds one embedding.

    Parameters
    ----------
    source, progress, **reading
        Arguments of :func:`read`.
    role
        What the source is, as a message says it.

    Returns
    -------
    Inputs
        With one representation.

    Raises
    ------
    ValueError
        If there are several, or as :func:`read`.
    """
    inputs = read(source, progress=progress, **reading)
    if len(inputs.representations) != 1:
        raise ValueError(
            f"{role} holds the embeddings {list(inputs.representations)}; a file with one of them is needed"
        )
    return inputs


def _check_arguments(
    source: Any, models: list, known: Mapping[str, Any], readout: Any, layers: str, missing: str
) -> None:
    """What can be refused before anything is read."""
    if layers not in ("last", "all"):
        raise ValueError(f"layers is {layers!r}; it must be 'last' or 'all'")
    if missing not in MISSING:
        raise ValueError(f"missing is {missing!r}; it can be {' or '.join(map(repr, MISSING))}")
    if known["pool_by"] is None and readout != PLAIN:
        raise ArgumentError(f"readout is {readout!r}, of which groups? Say it, as in ", Argument("pool_by", "client"))
    if models and all(known[name] is None for name in ("text", "pairs", "qrels")):
        raise ArgumentError(
            "models are given without text; name the column of texts, as in ", Argument("text", "sentence")
        )
    if isinstance(source, Mapping) and not source and not models:
        raise ValueError("source is empty; a folder, a file, a list of files, or a mapping to arrays is needed")
    given = {f"source[{name!r}]": x for name, x in source.items()} if isinstance(source, Mapping) else {}
    check_row_labels(given | {name: known[name] for name in ("labels", "groups", "text", "pool_by")})


def _surveys(
    shown: dict[str, tuple[str, np.ndarray]], parts: list[Part], missing: dict[str, int], rows: int, progress: bool
) -> dict[str, dict[str, Any]]:
    """What is odd about each representation, of which a part gave so many rows."""
    of = {part.name: part for part in parts}
    return {
        name: survey(of[one], x, missing.get(one, 0), rows)
        for name, (one, x) in _slowly("describing", shown.items(), progress)
    }


def _slowly(what: str, items: Iterable[Any], progress: bool) -> Iterable[Any]:
    """Items of a loop with a bar, if it takes longer than a second."""
    from tqdm import tqdm

    return tqdm(items, desc=what, delay=1, disable=not progress)


def _in_order(
    arrays: dict[str, np.ndarray], names: Sequence[str] | None, candidates: list[Candidate]
) -> dict[str, np.ndarray]:
    """The representations asked for, in their order."""
    if names is None:
        return arrays
    if absent := [name for name in names if name not in arrays]:
        there = dict.fromkeys([*(candidate.name for candidate in candidates), *arrays])
        raise ValueError(f"names lists {absent}; there are {list(there)}")
    return {name: arrays[name] for name in names}


def _gathered(
    arrays: dict[str, np.ndarray],
    ids: np.ndarray,
    values: dict[str, np.ndarray],
    tables: dict[str, Any],
    losses: list[tuple],
    surveys: dict[str, dict[str, Any]],
    leftovers: Leftovers,
    features: dict[str, list[str]],
    encoded: dict[str, str],
) -> Inputs:
    """What was read, with the digest of all of it."""
    import pandas as pd

    content = [[name, str(x.dtype), x.shape, surveys[name].pop("digest")] for name, x in arrays.items()]
    content += [[role, _digest(column)] for role, column in {"ids": ids, **values}.items()]
    content += [[f"{role} {name}", _digest(table[name].to_numpy())] for role, table in tables.items() for name in table]
    return Inputs(
        representations=arrays,
        ids=ids,
        **{role: values.get(role) for role in ("labels", "groups", "texts")},
        **{role: tables.get(role) for role in ("pairs", "qrels")},
        losses=pd.DataFrame(losses, columns=["input", "id", "reason"]),
        findings=pd.DataFrame([surveys[name] for name in arrays], index=pd.Index(list(arrays), name="representation")),
        ignored=pd.DataFrame(list(leftovers), columns=["file", "reason"]),
        features=features,
        encoded=encoded,
        digest=hashlib.sha256(json.dumps(content).encode()).hexdigest(),
    )


def _encoded(
    model: Any,
    texts: np.ndarray,
    layers: str,
    pooling: str | None,
    taken: Iterable[str],
    work: Any,
    progress: bool,
) -> tuple[dict[str, np.ndarray], str]:
    """Representations of the texts by a model, and in words how its vectors were made."""
    from helpers.encoders.extraction import extract, vectors_of

    used, words = vectors_of(model, pooling, layers == "all")
    store = None if work is None else Path(work) / "layers"
    found = extract(model, list(texts), pooling=used, store=store, progress=progress)
    name = Path(str(model)).name
    last = list(found)[-1]
    arrays = {name: found[last]} if layers == "last" else {f"{name}/{layer}": x for layer, x in found.items()}
    for name in arrays:
        if name in taken:
            raise ValueError(f"two representations are called {name!r}; rename the file, or the folder of the model")
    lost = np.count_nonzero(found.tokens_lost)
    cut = f"; {lost} of {len(texts)} texts were longer and truncated" * bool(lost)
    return arrays, f"{words}; at most {found.max_length} tokens{cut}"


def _digest(column: np.ndarray) -> str:
    return sha(json.dumps([str(value) for value in column]))
