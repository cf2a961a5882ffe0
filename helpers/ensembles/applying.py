"""A saved ensemble applied to new rows, in blocks."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from helpers.ensembles.base import Ensemble
from helpers.ensembles.representations import Representations
from helpers.ensembles.saving import load_ensemble
from helpers.errors import Argument, OutputExistsError
from helpers.inputs import Inputs, read

__all__ = ["apply", "draft_of", "free_output", "write_row_ids", "write_transformed"]


def apply(
    folder: str | os.PathLike[str],
    source: Any,
    out: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    progress: bool = True,
    **reading: Any,
) -> Inputs:
    """Combine new rows by a saved ensemble and write them to a ``.npy`` file.

    Of the source only the representations with a part in the result are read, whatever else is there; of tables of
    numbers, the columns that the ensemble of a report was fitted on, by their names.

    Parameters
    ----------
    folder
        Folder of a saved ensemble, as :func:`helpers.ensembles.load_ensemble` takes it.
    source, **reading
        Arguments of :func:`helpers.inputs.read`.
    out
        A file such as ``combined.npy``; beside it ``combined.ids.txt`` with an id (or number of row) a line if rows
        were aligned by ids or left out. Files appear as wholes.
    overwrite
        Whether to replace a file that is there.
    progress
        Whether to show the rows done and the time left.

    Returns
    -------
    Inputs
        What was read.

    Raises
    ------
    FileExistsError
        If ``out`` is there.
    TypeError, ValueError
        If the source lacks a representation or it has another width (the message says what is expected), or as
        :func:`helpers.inputs.read` and :func:`helpers.ensembles.load_ensemble` raise.

    Notes
    -----
    Memory: a block of rows. The entries are those that ``transform`` gives for all rows at once.

    Examples
    --------
    >>> import tempfile
    >>> from helpers.ensembles import MeanOfLayers
    >>> from helpers.ensembles.applying import apply
    >>> with tempfile.TemporaryDirectory() as place:
    ...     saved = MeanOfLayers().fit({"a": np.eye(3), "b": np.ones((3, 3))}).save(f"{place}/mean")
    ...     inputs = apply(saved, {"b": np.zeros((2, 3)), "a": np.ones((2, 3))}, f"{place}/out.npy")
    ...     np.load(f"{place}/out.npy").tolist()
    [[0.5, 0.5, 0.5], [0.5, 0.5, 0.5]]
    """
    from tqdm import tqdm

    out = free_output(out, overwrite)
    ensemble = load_ensemble(folder)
    try:
        inputs = read(source, names=ensemble.used_, features=ensemble.features_, progress=progress, **reading)
    except ValueError as error:
        if str(error).startswith("names lists"):
            raise ValueError(f"the ensemble in {folder} needs {ensemble.used_}, by these names: {error}") from error
        raise
    representations = Representations(inputs.representations)
    ensemble.transform(representations[:1])  # refuses other widths before anything is written
    out.parent.mkdir(parents=True, exist_ok=True)
    with tqdm(total=len(inputs), unit="row", disable=not progress) as bar:
        write_transformed(ensemble, representations, out, bar.update)
    write_row_ids(out, inputs.ids)
    return inputs


def free_output(out: str | os.PathLike[str], overwrite: bool) -> Path:
    """The ``.npy`` file to write, refused if it has another ending, or is there and is not to be replaced."""
    out = Path(out).expanduser()
    if out.suffix != ".npy":
        raise ValueError(f"out is {str(out)!r}; a file whose name ends in .npy is written")
    if out.exists() and not overwrite:
        raise OutputExistsError(f"{out} is there; to replace it, pass ", Argument("overwrite", True))
    return out


def write_row_ids(out: Path, ids: np.ndarray) -> None:
    """Write ``NAME.ids.txt`` beside ``NAME.npy``, an id a line, unless rows are numbered from 0 in their order."""
    path = out.with_suffix(".ids.txt")
    if np.array_equal(ids, np.arange(len(ids))):
        path.unlink(missing_ok=True)
        return
    with draft_of(path) as file:
        file.write("".join(f"{name}\n" for name in ids).encode())


def write_transformed(
    ensemble: Ensemble, representations: Any, out: Path, done: Callable[[int], object] | None = None
) -> None:
    """Write what ``ensemble.transform`` gives for all rows to a ``.npy`` file, a block of rows at a time.

    Parameters
    ----------
    ensemble
        A fitted ensemble.
    representations
        Representations that ``ensemble.transform`` accepts.
    out
        The file that was written; it appears as a whole, and replaces one that is there.
    done
        Called with the number of rows of each block that was written.
    """
    rows = Representations(representations)
    with draft_of(out) as file:
        for start, stop in rows.starts(sum(rows.widths)):
            block = ensemble.transform(rows[start:stop])
            if start == 0:
                described = {"descr": np.lib.format.dtype_to_descr(block.dtype), "fortran_order": False}
                np.lib.format.write_array_header_1_0(file, described | {"shape": (len(rows), *block.shape[1:])})
            file.write(np.ascontiguousarray(block).data)
            if done is not None:
                done(len(block))


@contextmanager
def draft_of(path: Path) -> Iterator[BinaryIO]:
    """A file that takes its place once it is complete."""
    with tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as folder:
        with (Path(folder) / path.name).open("wb") as file:
            yield file
        os.replace(file.name, path)
