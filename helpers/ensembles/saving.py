"""Fitted ensembles in a folder: arrays and JSON, no pickle."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import platform
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from helpers.locations import check_folder_free, swap_folder

__all__ = ["load_ensemble", "save_ensemble"]

FORMAT = 1
DESCRIPTION, ARRAYS = "ensemble.json", "arrays.npz"


def save_ensemble(
    ensemble: Any, folder: str | os.PathLike[str], *, overwrite: bool = False, digest: str | None = None
) -> Path:
    """Write a fitted ensemble to a folder that :func:`load_ensemble` reads, in this or another process.

    ``ensemble.json`` says what it is: format, class, parameters, names and widths of the representations in their
    order, weights, digest and number of the rows it was fitted on, versions and date. ``arrays.npz`` holds the arrays.

    Parameters
    ----------
    ensemble
        A fitted ensemble of :mod:`helpers.ensembles`.
    folder
        Made with its parents; appears as a whole or not at all.
    overwrite
        Replace a saved ensemble that is there. Any other folder that is not empty is never touched.
    digest
        Digest of the data that it was fitted on, such as ``Inputs.digest``. By default what ``fit`` took of evenly
        spaced rows, see :meth:`helpers.ensembles.Representations.digest`.

    Returns
    -------
    pathlib.Path
        Folder that was written.

    Raises
    ------
    sklearn.exceptions.NotFittedError
        If the ensemble is not fitted.
    TypeError
        If it is of a class that is not in :mod:`helpers.ensembles`.
    FileExistsError
        If the folder is there.

    Notes
    -----
    A parameter that is a function or a random generator is not saved: it is named in the description and has its
    default after loading. What was learnt by it is there.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from helpers.ensembles import MeanOfLayers, load_ensemble
    >>> layers = {"first": np.eye(3), "last": np.ones((3, 3))}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     loaded = load_ensemble(MeanOfLayers().fit(layers).save(f"{folder}/mean"))
    >>> loaded.transform(layers)[0].tolist()
    [1.0, 0.5, 0.5]
    """
    from sklearn.utils.validation import check_is_fitted

    check_is_fitted(ensemble, "mixing_")
    if _classes().get(type(ensemble).__name__) is not type(ensemble):
        raise TypeError(f"{type(ensemble).__qualname__} is not an ensemble of helpers.ensembles: {sorted(_classes())}")
    folder = Path(folder).expanduser().absolute()
    check_folder_free(folder, overwrite, holds=(DESCRIPTION,), what="saved ensemble")
    arrays: dict[str, np.ndarray] = {}
    parameters = ensemble.get_params(deep=False)
    unsaved = [name for name, value in parameters.items() if callable(value) or isinstance(value, np.random.Generator)]
    state = {name: value for name, value in vars(ensemble).items() if name not in parameters}
    description = {
        "format": FORMAT,
        "class": type(ensemble).__name__,
        "names": ensemble.names_,
        "widths": ensemble.widths_,
        "weights": ensemble.weights_.to_dict(),
        "fitted_on": {**ensemble.fitted_on_, "digest": digest or ensemble.fitted_on_["digest"]},
        "saved": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": _versions(),
        "unsaved": unsaved,
        "parameters": {n: _encoded(v, f"parameter {n}", arrays) for n, v in parameters.items() if n not in unsaved},
        "state": {name: _encoded(value, name, arrays) for name, value in state.items()},
    }
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        draft.chmod(0o755)
        with (draft / ARRAYS).open("wb") as file:
            np.savez(file, **arrays)
        description["arrays"] = _sha(draft / ARRAYS)
        text = json.dumps(description, indent=1, ensure_ascii=False, allow_nan=False)
        (draft / DESCRIPTION).write_text(text, encoding="utf-8")
        _replace(draft, folder, overwrite)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder


def load_ensemble(folder: str | os.PathLike[str]) -> Any:
    """The fitted ensemble that :func:`save_ensemble` wrote.

    Its ``transform`` gives what the saved one gives, and refuses representations of other names, widths or order. No
    code is read from the folder: arrays, numbers, strings, and the names of classes of :mod:`helpers.ensembles`.

    Raises
    ------
    FileNotFoundError
        If there is no saved ensemble.
    ValueError
        If the folder is damaged or was written by a newer version of this package.

    Examples
    --------
    See :func:`save_ensemble`.
    """
    folder = Path(folder).expanduser()
    if not (folder / DESCRIPTION).is_file():
        raise FileNotFoundError(f"{folder} is no saved ensemble: it has no {DESCRIPTION}")
    try:
        description = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        if description["format"] > FORMAT:
            raise ValueError(
                f"format {description['format']} is newer than {FORMAT}, which this version reads; update the package"
            )
        if description["class"] not in _classes():
            raise ValueError(f"class {description['class']!r} is not known; known are {sorted(_classes())}")
        if not (folder / ARRAYS).is_file() or _sha(folder / ARRAYS) != description["arrays"]:
            raise ValueError(
                f"{ARRAYS} is not the file that was saved; copy the folder again, or save the ensemble again"
            )
        with np.load(folder / ARRAYS, allow_pickle=False) as arrays:
            parameters = {n: _decoded(value, arrays) for n, value in description["parameters"].items()}
            state = {name: _decoded(value, arrays) for name, value in description["state"].items()}
        ensemble = _classes()[description["class"]](**parameters)
    except (ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile, zlib.error) as error:
        reason = f"lacks {error}" if isinstance(error, KeyError) else error
        raise ValueError(f"{folder} cannot be loaded: {reason}") from error
    vars(ensemble).update(state)
    return ensemble


def _classes() -> dict[str, type]:
    """The ensembles by name."""
    import helpers.ensembles as package

    found = {name: getattr(package, name) for name in package.__all__}
    return {
        name: value for name, value in found.items() if inspect.isclass(value) and issubclass(value, package.Ensemble)
    }


def _records() -> dict[str, type]:
    """The named tuples of which a fitted ensemble is made."""
    from helpers.ensembles.projection import Axes, Normalizer

    return {"Axes": Axes, "Normalizer": Normalizer}


def _encoded(value: Any, name: str, arrays: dict[str, np.ndarray]) -> Any:
    """``value`` for JSON; arrays go to ``arrays``, and what JSON has no word for becomes {kind: content}."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, (float, np.floating)):
        return float(value) if np.isfinite(value) else {"float": str(float(value))}
    if isinstance(value, np.generic):
        return value.item()
    if hasattr(value, "iloc"):
        index = [[str(label) for label in axis] for axis in value.axes]
        return {"pandas": [index, _encoded(value.to_numpy(), name, arrays)]}
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        arrays[name] = value
        return {"array": name}
    if (record := type(value).__name__) in _records():
        fields = {field: _encoded(getattr(value, field), f"{name}.{field}", arrays) for field in value._fields}
        return {"record": [record, fields]}
    if isinstance(value, Mapping):
        items = enumerate(value.items())
        return {"mapping": [[_encoded(k, "", arrays), _encoded(v, f"{name}.{i}", arrays)] for i, (k, v) in items]}
    if isinstance(value, (list, tuple)):
        items = [_encoded(item, f"{name}.{i}", arrays) for i, item in enumerate(value)]
        return items if isinstance(value, list) else {"tuple": items}
    raise TypeError(f"{name} is a {type(value).__name__}, which cannot be saved; numbers, strings and arrays can")


def _decoded(value: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """What :func:`_encoded` made, back."""
    if isinstance(value, list):
        return [_decoded(item, arrays) for item in value]
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "float":
        return float(content)
    if kind == "array":
        return arrays[content]
    if kind == "tuple":
        return tuple(_decoded(content, arrays))
    if kind == "mapping":
        return {_decoded(key, arrays): _decoded(item, arrays) for key, item in content}
    if kind == "record":
        return _records()[content[0]](**{name: _decoded(item, arrays) for name, item in content[1].items()})
    if kind == "pandas":
        import pandas as pd

        return (pd.Series, pd.DataFrame)[len(content[0]) - 1](_decoded(content[1], arrays), *content[0])
    raise ValueError(f"{DESCRIPTION} has a value of the unknown kind {kind!r}")


def _replace(draft: Path, folder: Path, overwrite: bool) -> None:
    """Replace the folder by the draft."""
    check_folder_free(folder, overwrite, holds=(DESCRIPTION,), what="saved ensemble")
    swap_folder(draft, folder)


def _sha(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _versions() -> dict[str, str]:
    """What it was made with."""
    out = {"python": platform.python_version()}
    for name in ("comparing-representations", "numpy", "scipy", "scikit-learn"):
        try:
            out[name] = version(name)
        except PackageNotFoundError:
            out[name] = "not installed as a package"
    return out
