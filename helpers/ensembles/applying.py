"""A saved ensemble applied to new rows, in blocks."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from helpers.ensembles.representations import Representations
from helpers.ensembles.saving import load
from helpers.inputs import Inputs, read
from helpers.inputs._files import write_header

__all__ = ["apply"]


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

    Of the source only the representations with a part in the result are read, whatever else is there.

    Parameters
    ----------
    folder
        Of the ensemble, see :func:`helpers.ensembles.load`.
    source, **reading
        As :func:`helpers.inputs.read` takes them.
    out
        A file ``combined.npy``; beside it ``combined.ids.txt`` with an id (or number of row) a line if rows were
        aligned by ids or left out. Files appear as wholes.
    overwrite
        Replace a file that is there.
    progress
        Show the rows done and the time left.

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
        :func:`helpers.inputs.read` and :func:`helpers.ensembles.load` raise.

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

    out = Path(out).expanduser()
    if out.suffix != ".npy":
        raise ValueError(f"out is {str(out)!r}; a file whose name ends in .npy is written")
    if out.exists() and not overwrite:
        raise FileExistsError(f"{out} is there; pass overwrite=True to replace it")
    ensemble = load(folder)
    try:
        inputs = read(source, names=ensemble.used_, progress=progress, **reading)
    except ValueError as error:
        if str(error).startswith("names lists"):
            raise ValueError(f"the ensemble in {folder} needs {ensemble.used_}, by these names: {error}") from error
        raise
    representations = Representations(inputs.representations)
    blocks = list(representations.starts(sum(representations.widths)))
    ensemble.transform(representations[:1])  # refuses other widths before anything is written
    ids = out.with_suffix(".ids.txt")
    by_position = np.array_equal(inputs.ids, np.arange(len(inputs)))
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as folder:
        draft = Path(folder) / out.name
        with draft.open("wb") as file, tqdm(total=len(inputs), unit="row", disable=not progress) as bar:
            for start, stop in blocks:
                block = ensemble.transform(representations[start:stop])
                if start == 0:
                    write_header(file, len(inputs), block.dtype, block.shape[1:])
                file.write(np.ascontiguousarray(block).data)
                bar.update(len(block))
        if by_position:
            ids.unlink(missing_ok=True)
        else:
            (Path(folder) / ids.name).write_text("".join(f"{i}\n" for i in inputs.ids), encoding="utf-8")
            os.replace(Path(folder) / ids.name, ids)
        os.replace(draft, out)
    return inputs
