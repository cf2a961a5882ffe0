"""Alphabets as groups of drawings: drawn from strokes with everything known, or read from the Omniglot data set.

>>> import numpy as np
>>> from helpers.groups.alphabets import draw_alphabets
>>> drawn = draw_alphabets(2, characters=3, drawers=4, rng=0)
>>> drawn.images.shape, drawn.images.dtype.name, np.unique(drawn.alphabet).tolist()
((24, 28, 28), 'float32', ['alphabet 0', 'alphabet 1'])
"""

from __future__ import annotations

import io
import os
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from helpers.arrays import check_count, generator
from helpers.locations import cache_folder

__all__ = [
    "GROUPINGS",
    "Drawings",
    "draw_alphabets",
    "groups_of",
    "load_alphabets",
    "read_omniglot",
    "rotated",
    "split_alphabets",
    "split_drawers",
]

SIDE = 28
"""Pixels of an image, in each direction."""

GROUPINGS = ("rotation", "drawers", "characters")
"""What may tell two groups of one alphabet apart."""

ARCHIVES = "https://github.com/brendenlake/omniglot/raw/master/python/{}.zip"
PARTS = ("images_background", "images_evaluation")
POINTS = 40  # of a stroke as it is drawn: closer together than pixels


@dataclass(frozen=True)
class Drawings:
    """Drawings of characters.

    Attributes
    ----------
    images : ndarray of shape (n, 28, 28), float32
        Ink in [0, 1]; 0 is paper.
    alphabet, character : ndarray of shape (n,), str
        What was drawn; the name of a character begins with that of its alphabet.
    drawer : ndarray of shape (n,), int
        Who drew it.
    rotation : ndarray of shape (n,), int
        Degrees by which the drawing was turned afterwards, anticlockwise.
    truth : dict of str to ndarray
        What drawn alphabets are made of: see :func:`draw_alphabets`; empty where nobody knows it.
    """

    images: np.ndarray
    alphabet: np.ndarray
    character: np.ndarray
    drawer: np.ndarray
    rotation: np.ndarray
    truth: dict[str, np.ndarray] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, rows: Any) -> Drawings:
        """The drawings of some rows (a mask, or numbers of rows)."""
        columns = ("images", "alphabet", "character", "drawer", "rotation")
        return replace(self, **{name: getattr(self, name)[rows] for name in columns})


def draw_alphabets(
    alphabets: int = 8,
    *,
    characters: int = 16,
    drawers: int = 10,
    jitter: float = 0.03,
    rng: int | np.random.Generator = 0,
) -> Drawings:
    r"""Alphabets drawn from strokes: every drawer draws every character of every alphabet once.

    An alphabet has a manner: how many strokes a character has, how curved they are, how long, how much they lean to
    a grid of directions, and where on the paper they begin. Its characters are strokes in that manner, so that a
    character which was never seen can be told by its alphabet. A drawer has a style: slant, scale, aspect, turn, shift,
    width of the pen, and an unsteady hand.

    Parameters
    ----------
    alphabets, characters, drawers
        How many; characters are those of each alphabet.
    jitter
        Standard deviation of every control point of every drawing, in sides of the paper; the hands of the drawers
        are unsteady by half to one and a half times that.
    rng
        Seed or generator of all draws.

    Returns
    -------
    Drawings
        In the order of alphabets, characters, drawers. ``truth`` has ``manner`` (alphabets, 5): strokes on average,
        curvature in [0, 1] (0 is a polygon, 1 a Bézier curve), length, directions of the grid, and its angle;
        ``style`` (drawers, 8): slant, scale, aspect, turn, two shifts, width of the pen, unsteadiness; and ``strokes``,
        an array of objects: of each character an array (strokes, 4, 2) of control points.

    Raises
    ------
    TypeError, ValueError
        If a number is no whole number of at least 1, or ``jitter`` is negative.

    Notes
    -----
    A stroke is :math:`(1 - c)\,L(t) + c\,B(t)` with the polygon L through its four control points, the Bézier curve B
    that they define, and the curvature c of its alphabet. Some 5000 drawings take a second.

    Examples
    --------
    >>> from helpers.groups.alphabets import draw_alphabets
    >>> drawn = draw_alphabets(1, characters=1, drawers=2, rng=0)
    >>> drawn.character.tolist(), drawn.drawer.tolist()
    (['alphabet 0/0', 'alphabet 0/0'], [0, 1])
    >>> drawn.truth["style"].shape
    (2, 8)
    """
    for name, value in (("alphabets", alphabets), ("characters", characters), ("drawers", drawers)):
        check_count(value, name)
    if not jitter >= 0:
        raise ValueError(f"jitter is {jitter!r}; a standard deviation of at least 0 is needed")
    rng = generator(rng)
    style = _styles(drawers, rng)
    manner = _manners(alphabets, rng)
    images, strokes = [], []
    for one in manner:
        for _ in range(characters):
            strokes.append(_character(one, rng))
            images.append(_drawn(strokes[-1], one[1], style, jitter, rng))
    kept = np.empty(len(strokes), dtype=object)
    kept[:] = strokes
    which = np.repeat(np.arange(alphabets), characters)
    digits = len(str(characters - 1))
    names = [f"alphabet {i}/{j:0{digits}d}" for i in range(alphabets) for j in range(characters)]
    return Drawings(
        np.concatenate(images),
        np.repeat([f"alphabet {i}" for i in which], drawers),
        np.repeat(names, drawers),
        np.tile(np.arange(drawers), len(strokes)),
        np.zeros(len(strokes) * drawers, dtype=np.int64),
        {"manner": manner, "style": style, "strokes": kept},
    )


def _manners(n: int, rng: np.random.Generator) -> np.ndarray:
    """Of each alphabet the mean number of strokes, curvature, length, directions of its grid and their angle."""
    spread = (rng.permutation(n) + rng.uniform(size=n)) / n  # curvatures all over [0, 1], so that alphabets differ
    columns = [
        rng.uniform(1.5, 4.0, n),
        spread,
        rng.uniform(0.25, 0.6, n),
        rng.choice([3, 4, 6, 8], n).astype(float),
        rng.uniform(0, np.pi / 4, n),
    ]
    return np.column_stack(columns)


def _styles(n: int, rng: np.random.Generator) -> np.ndarray:
    """Of each drawer slant, scale, aspect, turn, shift to the right and up, width of the pen, unsteadiness."""
    columns = [
        rng.normal(0, 0.2, n),
        rng.uniform(0.75, 1.1, n),
        np.exp(rng.normal(0, 0.12, n)),
        rng.normal(0, 0.12, n),
        rng.normal(0, 0.05, n),
        rng.normal(0, 0.05, n),
        rng.uniform(0.015, 0.03, n),
        rng.uniform(0.5, 1.5, n),
    ]
    return np.column_stack(columns)


def _character(manner: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Control points (strokes, 4, 2) on paper from -1/2 to 1/2."""
    count = int(np.clip(1 + rng.poisson(manner[0] - 1), 1, 5))
    begin = rng.uniform(-0.35, 0.35, (count, 1, 2))
    turns = rng.integers(-1, 2, (count, 3))
    turns[:, 0] = rng.integers(0, int(manner[3]), count)
    angle = manner[4] + 2 * np.pi / manner[3] * np.cumsum(turns, axis=1)
    step = manner[2] * rng.uniform(0.5, 1.2, (count, 3))
    path = begin + np.cumsum(step[..., None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1), axis=1)
    points = np.concatenate([begin, path], axis=1)
    points -= (points.max(axis=(0, 1)) + points.min(axis=(0, 1))) / 2
    return points * 0.75 / max(np.ptp(points, axis=(0, 1)).max(), 0.4)


def _drawn(
    strokes: np.ndarray, curvature: float, style: np.ndarray, jitter: float, rng: np.random.Generator
) -> np.ndarray:
    """One character by each drawer, (drawers, 28, 28)."""
    slant, scale, aspect, turn, right, up, width, unsteady = style.T
    points = strokes + jitter * unsteady[:, None, None, None] * rng.normal(size=(len(style), *strokes.shape))
    x, y = points[..., 0], points[..., 1]
    by = [value[:, None, None] for value in (slant, scale * np.sqrt(aspect), scale / np.sqrt(aspect))]
    x, y = (x + by[0] * y) * by[1], y * by[2]
    c, s = np.cos(turn)[:, None, None], np.sin(turn)[:, None, None]
    points = np.stack([c * x - s * y + right[:, None, None], s * x + c * y + up[:, None, None]], axis=-1)
    ink = np.einsum("tk,dskc->dstc", _blend(curvature), points).reshape(len(style), -1, 2).astype(np.float32)
    centre = ((np.arange(SIDE) + 0.5) / SIDE - 0.5).astype(np.float32)
    # Squared distances of pixels from points on the strokes: columns and rows apart, then the least sum.
    to_x = (centre[None, :, None] - ink[:, None, :, 0]) ** 2
    to_y = (centre[None, ::-1, None] - ink[:, None, :, 1]) ** 2
    nearest = np.sqrt((to_y[:, :, None] + to_x[:, None]).min(axis=-1))
    edge = 1 / SIDE
    return np.clip((width[:, None, None] + edge - nearest) / edge, 0, 1).astype(np.float32)


def _blend(curvature: float) -> np.ndarray:
    """Weights (points, 4) of the control points along a stroke."""
    t = np.linspace(0, 1, POINTS)[:, None]
    curve = np.hstack([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3])
    polygon = np.maximum(0, 1 - np.abs(3 * t - np.arange(4)))
    return (1 - curvature) * polygon + curvature * curve


def read_omniglot(source: str | os.PathLike[str]) -> Drawings:
    """Drawings of the Omniglot data set in a folder, images shrunk from 105 to 28 pixels by averaging.

    Parameters
    ----------
    source
        A folder that holds ``.../ALPHABET/CHARACTER/NUMBER_DRAWER.png`` at any depth, as torchvision extracts them, or
        zip files that do, as they are published; or one such zip file.

    Returns
    -------
    Drawings
        Sorted by alphabet, character and drawer. A drawing that is there twice, as those of alphabets in both small
        background sets are, is taken once.

    Raises
    ------
    FileNotFoundError
        If there is no such drawing.

    Notes
    -----
    Lake, Salakhutdinov and Tenenbaum (2015), Human-level concept learning through probabilistic program induction,
    Science 350. Some 2000 drawings are read a second.
    """
    from PIL import Image

    source = Path(source)
    found: dict[tuple[str, str, int], np.ndarray] = {}
    for name, content in _pictures(source):
        alphabet, character, file = name.split("/")[-3:]
        key = (alphabet, character, int(file[:-4].rpartition("_")[2]))
        if key not in found:
            picture = Image.open(io.BytesIO(content)).convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
            found[key] = 1 - np.asarray(picture, dtype=np.float32) / 255
    if not found:
        raise FileNotFoundError(
            f"{source} has no drawing; ALPHABET/CHARACTER/NUMBER_DRAWER.png is needed there, at any depth, or zip "
            "files that hold them"
        )
    keys = sorted(found)
    return Drawings(
        np.stack([found[key] for key in keys]),
        np.array([alphabet for alphabet, _, _ in keys]),
        np.array([f"{alphabet}/{character}" for alphabet, character, _ in keys]),
        np.array([drawer for _, _, drawer in keys]),
        np.zeros(len(keys), dtype=np.int64),
    )


def _pictures(source: Path) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the drawings of a folder or a zip file."""
    named = re.compile(r"(.*/)?[^/]+/[^/]+/[^/]*_\d+\.png")
    if source.is_dir():
        for path in sorted(source.rglob("*.png")):
            if named.fullmatch(path.as_posix()):
                yield path.as_posix(), path.read_bytes()
    archives = sorted(source.glob("*.zip")) if source.is_dir() else [source] * source.is_file()
    for archive in archives:
        with zipfile.ZipFile(archive) as file:
            for name in sorted(file.namelist()):
                if named.fullmatch(name) and not name.startswith("__MACOSX"):
                    yield name, file.read(name)


def load_alphabets(source: str = "drawn", **drawn: Any) -> Drawings:
    """Alphabets by name.

    Parameters
    ----------
    source
        ``"drawn"``: those of :func:`draw_alphabets`; ``"omniglot"``: all 1623 characters, from the folder
        ``$BOOK_DATA/omniglot`` if there is one, else downloaded once (15 MB) into the user's cache; or a folder in
        ``$BOOK_DATA``, or anywhere, for :func:`read_omniglot`; environment variables are replaced.
    drawn
        Arguments of :func:`draw_alphabets`.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.

    Examples
    --------
    >>> from helpers.groups.alphabets import load_alphabets
    >>> len(load_alphabets("drawn", alphabets=2, characters=3, drawers=2))
    12
    """
    from helpers.locations import expand, resolve

    if source == "drawn":
        return draw_alphabets(**drawn)
    folder = expand(resolve(source))
    if folder.exists():
        return read_omniglot(folder)
    if source != "omniglot":
        raise FileNotFoundError(
            f"source is {source!r}: no folder here or in $BOOK_DATA; it can also be 'drawn' or 'omniglot'"
        )
    return read_omniglot(_downloaded())


def _downloaded() -> Path:
    """Folder of the two published archives; fetched if need be."""
    import shutil
    from urllib.request import urlopen

    folder = cache_folder("omniglot")
    folder.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        path = folder / f"{part}.zip"
        if not path.exists():
            draft = path.with_suffix(".part")
            with urlopen(ARCHIVES.format(part)) as answer, draft.open("wb") as file:  # noqa: S310
                shutil.copyfileobj(answer, file)
            draft.replace(path)
    return folder


def rotated(drawings: Drawings, degrees: Sequence[int] = (0, 90, 180, 270)) -> Drawings:
    """Copies of drawings turned anticlockwise, one below the other.

    Parameters
    ----------
    drawings
        Drawings to be turned.
    degrees
        Multiples of 90, each of which gives a copy.

    Raises
    ------
    ValueError
        If an angle is no multiple of 90, or there is none.

    Examples
    --------
    >>> from helpers.groups.alphabets import draw_alphabets, rotated
    >>> turned = rotated(draw_alphabets(1, characters=1, drawers=1), (0, 180))
    >>> bool((turned.images[0, ::-1, ::-1] == turned.images[1]).all()), turned.rotation.tolist()
    (True, [0, 180])
    """
    degrees = list(degrees)
    if not degrees or any(angle % 90 for angle in degrees):
        raise ValueError(f"degrees is {degrees}; multiples of 90 are needed, at least one")
    copies = len(degrees)
    return replace(
        drawings,
        images=np.concatenate([np.rot90(drawings.images, angle // 90, axes=(1, 2)) for angle in degrees]),
        alphabet=np.tile(drawings.alphabet, copies),
        character=np.tile(drawings.character, copies),
        drawer=np.tile(drawings.drawer, copies),
        rotation=np.concatenate([(drawings.rotation + angle) % 360 for angle in degrees]),
    )


def groups_of(
    drawings: Drawings, by: str = "rotation", *, n_groups: int = 4, rng: int | np.random.Generator = 0
) -> np.ndarray:
    """Which group each drawing is of: disjoint groups of one alphabet each.

    Parameters
    ----------
    drawings
        Drawings to be grouped.
    by
        ``"rotation"``: drawings of an alphabet that are turned alike, so that groups hold the same drawings (make them
        by :func:`rotated`); ``"drawers"``: those by a share of the drawers, the same for all alphabets;
        ``"characters"``: those of a share of the characters of the alphabet.
    n_groups
        Groups of each alphabet, for drawers and characters.
    rng
        Seed or generator that deals them out.

    Returns
    -------
    ndarray of shape (n,), str
        Names such as ``"Greek/90"``: the alphabet and the number of the group in it.

    Raises
    ------
    ValueError
        If ``by`` is unknown, or there are more groups than drawers, or than characters of an alphabet.

    Examples
    --------
    >>> from helpers.groups.alphabets import draw_alphabets, groups_of
    >>> drawn = draw_alphabets(1, characters=2, drawers=2)
    >>> sorted(groups_of(drawn, "characters", n_groups=2).tolist())
    ['alphabet 0/0', 'alphabet 0/0', 'alphabet 0/1', 'alphabet 0/1']
    """
    if by not in GROUPINGS:
        raise ValueError(f"by is {by!r}; it is one of {', '.join(map(repr, GROUPINGS))}")
    rng = generator(rng)
    if by == "rotation":
        number = drawings.rotation
    elif by == "drawers":
        number = _dealt(drawings.drawer, check_count(n_groups, "n_groups"), rng, "drawers")
    else:
        number = np.zeros(len(drawings), dtype=np.int64)
        for name in np.unique(drawings.alphabet).tolist():
            rows = drawings.alphabet == name
            what = f"characters of {name!r}"
            number[rows] = _dealt(drawings.character[rows], check_count(n_groups, "n_groups"), rng, what)
    return np.strings.add(np.strings.add(drawings.alphabet, "/"), number.astype(str))


def _dealt(labels: np.ndarray, n_groups: int, rng: np.random.Generator, what: str) -> np.ndarray:
    """Labels dealt out to groups as evenly as possible; the number of the group of each row."""
    names, codes = np.unique(labels, return_inverse=True)
    if n_groups > len(names):
        raise ValueError(f"n_groups is {n_groups}, and there are {len(names)} {what}; at most that many are possible")
    return rng.permutation(np.arange(len(names)) % n_groups)[codes]


def split_drawers(
    drawings: Drawings, share: float = 0.3, *, rng: int | np.random.Generator = 0
) -> tuple[Drawings, Drawings]:
    """Drawings to learn from, and those of drawers who are not among them.

    Parameters
    ----------
    drawings
        Drawings to be divided.
    share
        Share of the drawers that are held out, at least one.
    rng
        Seed or generator that chooses them.

    Raises
    ------
    ValueError
        If ``share`` is not between 0 and 1, or nobody would be left on one side.
    """
    names = np.unique(drawings.drawer)
    held = _held(len(names), share, "drawers")
    out = np.isin(drawings.drawer, generator(rng).permutation(names)[:held])
    return drawings[~out], drawings[out]


def split_alphabets(drawings: Drawings, share: float = 0.5, *, rng: int = 0) -> tuple[Drawings, Drawings]:
    """Drawings to learn from, and those of alphabets that are not among them.

    Parameters
    ----------
    drawings
        Drawings to be divided.
    share
        Share of the alphabets that are held out, at least one.
    rng
        Whole number of the split. With a share of one half an odd number holds out what the even one before it keeps,
        so that over pairs of numbers every alphabet is held out once.

    Raises
    ------
    ValueError
        If ``share`` is not between 0 and 1, or no alphabet would be left on one side.

    Examples
    --------
    >>> from helpers.groups.alphabets import draw_alphabets, split_alphabets
    >>> drawn = draw_alphabets(4, characters=1, drawers=1)
    >>> held = [split_alphabets(drawn, rng=rng)[1].alphabet.tolist() for rng in (0, 1)]
    >>> sorted(sum(held, [])) == sorted(drawn.alphabet)
    True
    """
    rng = check_count(rng, "rng", least=0)
    names = np.unique(drawings.alphabet)
    held = _held(len(names), share, "alphabets")
    order = np.random.default_rng(rng // 2).permutation(names)
    out = np.isin(drawings.alphabet, order[-held:] if rng % 2 else order[:held])
    return drawings[~out], drawings[out]


def _held(n: int, share: float, what: str) -> int:
    if not isinstance(share, (int, float)) or not 0 < share < 1:
        raise ValueError(f"share is {share!r}; a number between 0 and 1 is needed")
    held = max(1, round(share * n))
    if held >= n:
        raise ValueError(f"there are {n} {what}; with a share of {share:g} held out none is left to learn from")
    return held
