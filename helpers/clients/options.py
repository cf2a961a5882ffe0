"""What the reader of transactions may be told, in four groups: columns, format, handling, classes.

Each group is given as its class or as a mapping of the same names, so that a file of parameters says the same as
Python: ``columns: {client: account, time: day}`` is ``Columns(client="account", time="day")``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from helpers.arrays import check_count

__all__ = ["Classes", "Columns", "Format", "Handling", "as_group", "place_of"]


@dataclass(frozen=True)
class Columns:
    """Which column of the tables holds what; each column serves for one thing.

    Attributes
    ----------
    client, time, amount : str
        Columns of the events: whose transaction it is, when it was, and how much money it moved.
    category : str or sequence of str
        Column of the events that says what was bought. Several columns are joined by ``" / "``.
    channel : str or None
        Column of the events that says how it was paid; None if there is none.
    target : str
        Column of the targets, or of the events if there are no targets, with the class of each client.
    target_client : str or None
        Column of the targets with the clients; None if it has the same name as in the events.
    """

    client: str = "client"
    time: str = "time"
    category: str | Sequence[str] = "category"
    amount: str = "amount"
    channel: str | None = None
    target: str = "target"
    target_client: str | None = None

    def categories(self) -> list[str]:
        """The columns of the category, one or several."""
        return [self.category] if isinstance(self.category, str) else list(self.category)

    def roles(self) -> dict[str, str]:
        """Columns of the events by what they hold."""
        parts = self.categories()
        found = {"client": self.client, "time": self.time, "amount": self.amount}
        found |= {f"category[{i}]" if len(parts) > 1 else "category": name for i, name in enumerate(parts)}
        return found | ({"channel": self.channel} if self.channel else {})


@dataclass(frozen=True)
class Format:
    """How a file is written.

    Attributes
    ----------
    separator : str or None
        Character or characters between the columns of a CSV file; None finds it out among comma, semicolon, tab and
        bar.
    encoding : str
        Encoding of a CSV file, such as ``"cp1252"``.
    decimal, thousands : str
        Marks in the numbers of a CSV file, such as ``","`` and ``"."``; no mark of thousands if that is empty.
    date_format : str or None
        Form of the dates as for ``strptime``, such as ``"%y%m%d"``; ``"days"`` for numbers of days, counted from
        2000-01-03, a Monday (the public data hide the true origin, so that their weekdays are weekdays up to a shift);
        ``"seconds"`` or ``"milliseconds"`` for those since 1970. With None dates are recognised, and numbers taken for
        days. Offsets from UTC are ignored: times are those of the clock on the wall.
    """

    separator: str | None = None
    encoding: str = "utf-8"
    decimal: str = "."
    thousands: str = ""
    date_format: str | None = None

    def __post_init__(self):
        if self.thousands == self.decimal:
            raise ValueError(f"decimal and thousands are both {self.decimal!r}; two different marks are needed")


@dataclass(frozen=True)
class Handling:
    """What is done about rows and clients that are not as they should be.

    ``"drop"`` leaves them out, ``"raise"`` is an error that says where the first one is. A date or an amount that
    cannot be read is always refused.

    Attributes
    ----------
    missing_dates, missing_amounts : str
        ``"drop"`` or ``"raise"``.
    missing_categories : str
        ``"keep"`` (as the category ``"missing"``), ``"drop"`` or ``"raise"``; a missing channel is always kept so.
    negative_amounts : str
        ``"keep"`` (money that comes in, or a refund), ``"absolute"``, ``"drop"`` or ``"raise"``.
    known_categories : sequence or None
        The categories that are known; None for all that occur.
    unknown_categories : str
        What is done about those that are not among ``known_categories``: ``"other"`` (they become the category of that
        name), ``"drop"`` or ``"raise"``.
    duplicates : str
        What is done about rows that equal an earlier one in all columns: ``"keep"`` (where only days are recorded, two
        equal purchases look the same), ``"drop"`` or ``"raise"``.
    min_events : int
        Least number of events of a client, after all else.
    few_events : str
        What is done about clients with fewer events: ``"drop"`` or ``"raise"``.
    """

    missing_dates: str = "drop"
    missing_amounts: str = "drop"
    missing_categories: str = "keep"
    negative_amounts: str = "keep"
    known_categories: Sequence | None = None
    unknown_categories: str = "other"
    duplicates: str = "keep"
    min_events: int = 10
    few_events: str = "drop"

    def __post_init__(self):
        for name, known in HANDLING.items():
            if (value := getattr(self, name)) not in known:
                raise ValueError(f"{name} is {value!r}; it can be {' or '.join(map(repr, known))}")
        if isinstance(self.known_categories, str):
            raise ValueError(f"known_categories is {self.known_categories!r}; a list of categories is needed")
        check_count(self.min_events, "min_events")


HANDLING = {
    "missing_dates": ("drop", "raise"),
    "missing_amounts": ("drop", "raise"),
    "missing_categories": ("keep", "drop", "raise"),
    "negative_amounts": ("keep", "absolute", "drop", "raise"),
    "unknown_categories": ("other", "drop", "raise"),
    "duplicates": ("keep", "drop", "raise"),
    "few_events": ("drop", "raise"),
}


@dataclass(frozen=True)
class Classes:
    """How the target of a client becomes a class.

    Attributes
    ----------
    n_bins : int
        Number of bins of equally many clients into which a target of numbers or dates is cut, 0 for the smallest
        values; with ``n_bins=0`` the values of the target are the classes.
    min_class_size : int
        Least number of clients of a class. The clients of smaller ones are as those without a target: otherwise a class
        could be missing in training, or have fewer clients than a classifier has folds.
    """

    n_bins: int = 0
    min_class_size: int = 10

    def __post_init__(self):
        check_count(self.n_bins, "n_bins", least=0)
        check_count(self.min_class_size, "min_class_size")


GROUPS: dict[str, type] = {"columns": Columns, "format": Format, "handling": Handling, "classes": Classes}
RENAMED = {"categories": "known_categories", "target_groups": "n_bins", "min_class": "min_class_size"}


def as_group(name: str, value: Any) -> Any:
    """One of the four groups, from its class, from a mapping, or from None for its defaults.

    Parameters
    ----------
    name
        ``"columns"``, ``"format"``, ``"handling"`` or ``"classes"``.
    value
        An object of the class of that name, a mapping of its attributes, or None.

    Raises
    ------
    ValueError
        If the mapping has a name that is not of this group, or a value is not accepted; the message says what is.
    TypeError
        If ``value`` is something else.

    Examples
    --------
    >>> from helpers.clients.options import as_group
    >>> as_group("classes", {"n_bins": 4})
    Classes(n_bins=4, min_class_size=10)
    """
    kind = GROUPS[name]
    if value is None or isinstance(value, kind):
        return value or kind()
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} is {value!r}; a mapping or {kind.__name__}(…) is needed")
    known = [field.name for field in fields(kind)]
    for option in value:
        if option not in known:
            place = place_of(option)
            raise ValueError(f"{name} names {option!r}; " + (place or f"it can name {', '.join(known)}"))
    try:
        return kind(**value)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name}.{error}") from None


def place_of(option: str) -> str:
    """Where an option is given, as advice; empty if there is no such option.

    >>> place_of("separator")
    'separator is an option of format: write format: {separator: …}'
    """
    new = RENAMED.get(option, option)
    for name, kind in GROUPS.items():
        if new in [field.name for field in fields(kind)]:
            return f"{new} is an option of {name}: write {name}: {{{new}: …}}"
    return ""
