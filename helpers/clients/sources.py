"""Where clients come from: one name for simulated ones, files, and two public layouts."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from helpers.clients import _tables
from helpers.clients.data import Clients
from helpers.clients.options import GROUPS, as_group, place_of
from helpers.clients.reading import read
from helpers.clients.splitting import take

__all__ = ["load_clients", "read_age_groups", "read_berka"]


def load_clients(source: str | Path = "simulated", *, n_clients: int | None = None, rng=0, **options) -> Clients:
    """Clients by one parameter.

    Parameters
    ----------
    source
        ``"simulated"`` (see :func:`helpers.clients.simulate`); ``"berka"``, the folder that ``BOOK_DATA`` holds, or
        ``"berka:FOLDER"``; a folder with a ``transactions_train.csv``, or the name ``owner/data-set`` of one on the
        hub (:func:`read_age_groups`); or a CSV or Parquet file (:func:`helpers.clients.read`). A relative path is
        looked for here, in the top folder of the project, and below ``data/``.
    n_clients
        How many clients; all, or 2000 simulated ones, if None. Fewer than the source has are drawn at random, those
        with a target first.
    rng
        Seed, sequence of seeds or generator of the simulation and of the draw.
    options
        Options of the reader or of the simulation: of a file ``targets``, ``columns``, ``format``, ``handling`` and
        ``classes``; of the public layouts the same without ``targets``.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such source, an option is unknown, or the source is not as the reader expects.

    Examples
    --------
    >>> from helpers.clients import load_clients
    >>> len(load_clients("simulated", n_clients=5))
    5
    """
    name = str(source)
    if name == "simulated":
        from helpers.clients.simulator import simulate

        _need_options(options, simulate, name)
        return simulate(2000 if n_clients is None else n_clients, rng=rng, **options)
    path = _tables.place(name)
    if name == "berka" or name.startswith("berka:"):
        folder = name.partition(":")[2]
        reader, first = read_berka, _tables.place(folder) if folder else None
    elif path.is_file():
        reader, first = read, path
    elif path.is_dir() or (name.count("/") == 1 and not path.is_absolute() and not path.suffix):
        reader, first = read_age_groups, path if path.is_dir() else name
    else:
        raise FileNotFoundError(
            f"no source {name!r}; it can be 'simulated', 'berka', a CSV or Parquet file, a folder with a "
            "transactions_train.csv, or the name owner/data-set of such a folder on the hub"
        )
    _need_options(options, reader, name)
    return take(reader(first, **options), n_clients, rng=rng)


def read_age_groups(folder: str | Path = "dllllb/age-group-prediction", **options) -> Clients:
    """The public age-group data, or any folder of the same layout.

    Parameters
    ----------
    folder
        A folder, or the name of a data set on the hub, with ``transactions_train.csv`` (columns ``client_id``,
        ``trans_date``, ``small_group``, ``amount_rur``) and ``train_target.csv`` (``client_id``, ``bins``), each plain
        or as ``.csv.gz``. ``transactions_test.csv`` is read where it is there: clients without a target, on which
        encoders may be trained, but which are never scored; where ``test_target.csv`` is there too, they have one.
    options
        Groups of options of :func:`helpers.clients.read`; what a mapping does not name is as in this layout.

    Raises
    ------
    FileNotFoundError
        If a file is missing, or the hub cannot be reached; the message names both.
    """
    import pandas as pd

    files = {name: _find(folder, name) for name in ("transactions_train", "train_target")}
    for name, path in files.items():
        if path is None:
            raise FileNotFoundError(f"{folder} has neither {name}.csv nor {name}.csv.gz")
    files |= {name: _find(folder, name) for name in ("transactions_test", "test_target")}
    layout = {
        "columns": {
            "client": "client_id",
            "time": "trans_date",
            "category": "small_group",
            "amount": "amount_rur",
            "target": "bins",
            "target_client": "client_id",
        },
        "format": {"date_format": "days"},
    }
    asked = _completed(options, layout)
    present = [files[name] for name in ("transactions_train", "transactions_test") if files[name]]
    answers = [files[name] for name in ("train_target", "test_target") if files[name]]
    if len(present) == len(answers) == 1:
        return read(present[0], answers[0], **asked)
    columns = as_group("columns", asked["columns"])
    text = [columns.client, columns.target_client, *columns.categories()]
    format = as_group("format", asked["format"])
    both = [
        pd.concat([_tables.read_table(path, format, "", text=text)[0] for path in paths], ignore_index=True)
        for paths in (present, answers)
    ]
    return read(*both, **asked)


def read_berka(folder: str | Path | None = None, **options) -> Clients:
    """Accounts of a Czech bank of the nineties (PKDD 1999): the age group of each account's owner.

    Parameters
    ----------
    folder
        Folder with ``trans_test.csv`` (or ``trans.csv``), ``disp.csv`` and ``client.csv``; ``$BOOK_DATA/berka_feup``
        if None.
    options
        Groups of options of :func:`helpers.clients.read`; what a mapping does not name is as in these files. By default
        there are four classes of equally many accounts by date of birth, 0 for the youngest owners: another
        ``classes={"n_bins": …}`` makes more or fewer.

    Raises
    ------
    FileNotFoundError
        If a file is missing, or no folder is given and the variable ``BOOK_DATA`` names none.

    Notes
    -----
    The date of birth stands in the birth number, YYMMDD, where women have 50 added to the month. Categories are
    operation and purpose, channels the kind of transaction (money in, out, out in cash). The age shows only weakly in
    these transactions.
    """
    import pandas as pd

    if folder is None:
        if "BOOK_DATA" not in os.environ:
            raise FileNotFoundError(
                "no folder is given, and the variable BOOK_DATA names none; as a source write 'berka:FOLDER'"
            )
        folder = Path(os.environ["BOOK_DATA"]) / "berka_feup"
    folder = Path(folder)
    transactions = next(
        (p for p in (folder / "trans.csv", folder / "trans_test.csv") if p.is_file()), folder / "trans.csv"
    )
    layout = {
        "columns": {
            "client": "account_id",
            "time": "date",
            "category": ["operation", "k_symbol"],
            "amount": "amount",
            "channel": "type",
        },
        "format": {"date_format": "%y%m%d", "separator": ";"},
        "classes": {"n_bins": 4},
    }
    semicolons = as_group("format", {"separator": ";"})
    owners, where = _tables.read_table(folder / "disp.csv", semicolons, "")
    _tables.need_columns(owners, ["client_id", "account_id", "type"], where)
    people, where = _tables.read_table(folder / "client.csv", semicolons, "")
    _tables.need_columns(people, ["client_id", "birth_number"], where)
    owners = owners[owners["type"] == "OWNER"].merge(people, on="client_id", validate="many_to_one")
    number = owners["birth_number"].astype(str).str.zfill(6)
    month = number.str[2:4].astype(int) % 50
    born = pd.to_datetime("19" + number.str[:2] + month.astype(str).str.zfill(2) + number.str[4:], format="%Y%m%d")
    age = pd.Series((pd.Timestamp("2000-01-01") - born).dt.days.to_numpy(), index=owners["account_id"])
    return read(transactions, age, **_completed(options, layout))


def _completed(options: Mapping[str, Any], layout: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The groups of options of a layout, with what was asked for in place of its defaults."""
    found: dict[str, Any] = dict(options)
    for name, defaults in layout.items():
        given = options.get(name)
        if given is None or isinstance(given, Mapping):
            as_group(name, given)  # what it names is checked before it is completed
            found[name] = {**defaults, **(given or {})}
    return found


def _need_options(options: Mapping, reader: Callable, source: str) -> None:
    """Refuse what no reader of that source takes, and say where it is given today."""
    if reader in (read_berka, read_age_groups):
        takes = set(GROUPS)
    else:
        takes = set(inspect.signature(reader).parameters) - {"n_clients", "rng"}
        takes -= {"events"} if reader is read else set()
    for name in options:
        if name not in takes:
            advice = place_of(name) if takes & set(GROUPS) else ""
            known = f"for the source {source!r} there are {', '.join(sorted(takes))}"
            raise ValueError(f"options name {name!r}; {advice or known}")


def _find(folder: str | Path, name: str) -> Path | None:
    """A file of a folder or of a data set on the hub, plain or compressed."""
    folder = Path(folder)
    names = (f"{name}.csv", f"{name}.csv.gz")
    if folder.is_dir():
        return next((folder / file for file in names if (folder / file).is_file()), None)
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    for file in names:
        try:
            return Path(hf_hub_download(str(folder), file, repo_type="dataset"))
        except EntryNotFoundError:
            continue
        except Exception as error:
            raise FileNotFoundError(f"{folder} is not a folder here, and cannot be had from the hub: {error}") from None
    return None
