"""What the documentation tasks are made of: texts with their objects, divided, labelled and paired.

Objects (functions, methods and classes) are divided among train, validation and test by their simple name, so all that
is called ``sort`` lies in one split, for all tasks alike, and a text that documents objects of two splits is used by
none. Everything is chosen by hashes of names and texts, so equal versions of the libraries give equal tasks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from helpers.tasks._drawing import SPLITS, digest, nearest
from helpers.text import LIBRARIES as ALL_LIBRARIES
from helpers.text import documentation

__all__ = [
    "LIBRARIES",
    "NUMERIC",
    "SUBMODULES",
    "canonical",
    "counterparts",
    "descriptions",
    "duplicates",
    "functions",
    "labelled",
    "masked",
    "objects",
    "related",
    "split_of",
]

SHARES = {"train": 0.4, "validation": 0.6, "test": 1.0}  # upper ends of the parts of the names
SIZES = {"train": 0.8, "validation": 0.5, "test": 1.0}  # of the size that a task is asked for

FEW = ("dask", "distributed", "seaborn", "mteb", "sentence_transformers")  # with too few objects for a class
LIBRARIES = tuple(name for name in ALL_LIBRARIES if name not in FEW)
NUMERIC = ("numpy", "scipy", "pandas", "torch", "sympy", "sklearn", "dask", "python")  # whose functions are compared
SUBMODULES = {
    "scipy": ("stats", "optimize", "signal", "special", "sparse", "spatial", "interpolate", "linalg", "integrate"),
    "sympy": ("polys", "physics", "combinatorics", "geometry", "solvers", "matrices", "functions"),
    "sklearn": ("metrics", "linear_model", "preprocessing", "ensemble", "cluster", "decomposition", "model_selection"),
}
ALIASES = (
    "np sp pd nx plt mpl pyplot pylab scikit scikit-learn sklearns pytorch torchs libtorch aten jupyter ipython "
    "huggingface hugging cpython stdlib numpys scipys matlab"
).split()
MASK = "NAME"

# Names of one function in different libraries
SYNONYMS = {
    "absolute": "abs",
    "amax": "max",
    "amin": "min",
    "arccos": "acos",
    "arccosh": "acosh",
    "arcsin": "asin",
    "arcsinh": "asinh",
    "arctan": "atan",
    "arctan2": "atan2",
    "arctanh": "atanh",
    "clamp": "clip",
    "concat": "cat",
    "concatenate": "cat",
    "conjugate": "conj",
    "divide": "div",
    "inverse": "inv",
    "multiply": "mul",
    "negative": "neg",
    "power": "pow",
    "round_": "round",
    "subtract": "sub",
    "true_divide": "div",
    "variance": "var",
}
# Names that many classes give to something of their own
GENERIC = set(
    """
    t apply args array as_array axes axis base build call check clear close compile conftest configure contains convert
    create data deprecate deprecated device disable dispatch doprint dtype dtypes dump enable encode decode end execute
    export extend field fields find format get get_data has help id index info init initialize input is_valid item items
    key keys kind label length level list load loads main make map match mode name names new next number open optimize
    options order output parent parse plot print public query read register remove replace reset resolve result results
    root run save search set shape show show_versions signature size source start state step stop string table test time
    type unregister update use value values warn wrapper write
    """.split()
)
# Modules whose names come by chance or by copying, and parts of a library that are not for its users
INTERNAL = re.compile(
    r"numpy\.(?:testing|f2py|distutils|_utils|_build|_typing|conftest|ma|matlib|matrixlib|compat|_core\.(?:strings|"
    r"defchararray|records|_internal))|scipy\.(?:_lib|misc|conftest|odr|io|datasets|fftpack|sparse\._sputils)"
    r"|pandas\.(?:_|tests|compat|util|conftest|errors|core\.(?:dtypes|util|internals|computation|array_algos|apply))"
    r"|torch\.(?:_(?!torch_docs|tensor_docs|tensor$)|ao|fx|jit|onnx|distributed|testing|utils|backends|cuda|xpu|mps|"
    r"package|export|compiler|profiler|library|hub|overrides|monitor|mtia)"
    r"|sympy\.(?:testing|external|plotting|interactive|printing|utilities|parsing|codegen|conftest|multipledispatch|"
    r"strategies|assumptions|unify|liealgebras|diffgeom|categories)"
    r"|sklearn\.(?:utils|externals|_|conftest|callback|datasets|tests)|torch\.nn\.(?:utils|modules|init|attention)"
    r"|dask\.(?!array|dataframe)|python\.|(?!numpy|scipy|pandas|torch|sympy|sklearn|dask|statistics$|random$|operator$)"
)
OWNERS = (  # the classes whose methods count as functions of their library
    "DataFrame NDFrame Series IndexOpsMixin OpsMixin Index GroupBy BaseWindow Tensor ndarray MatrixBase MatrixCommon"
).split()
CLASSES = re.compile(r"sympy\.functions\.|torch\.distributions\.|scipy\.stats\._\w+_distns")  # that stand for functions


class Object(NamedTuple):
    """What documents one function, method or class."""

    package: str
    module: str
    name: str  # qualified
    kind: str
    split: str
    area: str
    sentences: tuple[str, ...]

    @property
    def simple(self) -> str:
        return self.name.rpartition(".")[2]


@cache
def split_of(name: str) -> str:
    """The split of all objects of a simple name; names of one function count as one."""
    share = int(digest(canonical(name))[:8], 16) / 16**8
    return next(split for split in SPLITS if share < SHARES[split])


def canonical(name: str) -> str:
    """A simple name without case, underscores around it and what libraries add to it, as the commonest of its synonyms.

    >>> canonical("arcsin"), canonical("Sort"), canonical("linalg_det")
    ('asin', 'sort', 'det')
    """
    name = _ADDED.sub("", name.strip("_").lower()) or name
    return SYNONYMS.get(name, name)


_ADDED = re.compile(r"^(?:special|linalg|fft)_|_gen$")


@cache
def area_of(module: str) -> str:
    """The library and its submodule, private and merely organising parts left out.

    >>> area_of("scipy.stats._stats_py"), area_of("numpy._core.fromnumeric"), area_of("pandas.core.frame")
    ('scipy.stats', 'numpy', 'pandas.frame')
    """
    library, *parts = module.split(".")
    public = []
    for part in parts:
        if part.startswith("_"):
            break
        if part not in ("core", "lib", "functional"):
            public.append(part)
    return ".".join([library, *public[:1]])


def masked(text: str, names: Iterable[str]) -> str:
    """A text in which every word, or chain of words with dots, that has one of the names is covered.

    >>> masked("Unlike numpy.sort, Sorting here is stable; sort copies.", ["numpy", "sort"])
    'Unlike NAME, Sorting here is stable; NAME copies.'
    """
    hidden = {name.lower() for name in names}
    return _WORD.sub(lambda m: MASK if any(p in hidden for p in re.split(r"[.\-]", m[0].lower())) else m[0], text)


_WORD = re.compile(r"\w+(?:[.\-]\w+)*")
_SENTENCE = re.compile(r"""[A-Z].*[a-z0-9)"'\]%][.!?]*$""")
_SIGNS = frozenset("\\{}<>|=_^#@$`[]")
_CODE = re.compile(r"::|://|\w\(|\.\.\.|\b[Aa]lias|[Dd]eprecated")


def readable(text: str, shortest: int = 4, longest: int = 40) -> bool:
    """Whether a sentence is prose from its beginning, of a moderate length."""
    if not shortest <= text.count(" ") + 1 <= longest or not _SIGNS.isdisjoint(text):
        return False
    return bool(_SENTENCE.match(text)) and not _CODE.search(text)


@cache
def objects(libraries: tuple[str, ...] = (*LIBRARIES, "dask")) -> tuple[Object, ...]:
    """The public functions, methods and classes of the libraries, with their sentences in order."""
    table = documentation(libraries, unit="sentence", distinct=False)
    table = table[(table.kind != "module") & ~table.object.str.contains(r"<locals>|(?:^|\.)_")]
    table = table[~table.module.str.contains(r"(?:^|\.)(?:conftest|_?testing)")]
    found: dict[tuple, list] = {}
    columns = (table[name] for name in ("library", "module", "object", "kind", "text"))
    for library, module, name, kind, text in zip(*columns, strict=True):
        found.setdefault((library, module, name, kind), []).append(text)
    return tuple(
        Object(*key, split_of(key[2].rpartition(".")[2]), area_of(key[1]), tuple(dict.fromkeys(sentences)))
        for key, sentences in found.items()
    )


def _least(items: Iterable, n: int, key: Callable[[Any], str]) -> list:
    """The n items whose keys have the smallest hashes: a sample, part of every larger one."""
    return sorted(items, key=lambda item: digest(key(item)))[:n]


@cache
def owners(things: tuple[Object, ...]) -> dict[str, set[str]]:
    """For each sentence, without case, the splits of the objects that it documents."""
    found: dict[str, set[str]] = {}
    for thing in things:
        for sentence in thing.sentences:
            found.setdefault(sentence.lower(), set()).add(thing.split)
    return found


# Classification


def labelled(
    things: tuple[Object, ...], label: Callable[[Object], str | None], hidden: Iterable[str], size: int
) -> dict[str, list[tuple[str, str, str]]]:
    """For each split texts with label and name of object, as many of each label; at most two sentences of an object."""
    splits, hidden = owners(things), set(hidden)
    things = [thing for thing in things if label(thing)]
    labels = sorted({label(thing) for thing in things})
    limits = {split: max(1, int(size * SIZES[split]) // len(labels)) for split in SPLITS}
    limits["train"] = max(8, limits["train"])  # what MTEB's classification draws of each label
    rows: dict[str, list] = {split: [] for split in SPLITS}
    seen, taken = set(), dict.fromkeys(((split, name) for split in SPLITS for name in labels), 0)
    for thing in sorted(things, key=lambda thing: digest(thing.module, thing.name)):
        split, name = thing.split, label(thing)
        own = [*thing.name.split("."), *(part.strip("_") for part in thing.module.split("."))]
        cover = hidden.union(part for part in own if len(part) > 1)
        if taken[split, name] >= limits[split]:
            continue
        usable = [s for s in thing.sentences if readable(s, 6) and len(splits[s.lower()]) == 1]
        for text in (masked(sentence, cover) for sentence in _least(usable, 2, str)):
            if taken[split, name] < limits[split] and text.lower() not in seen and _left(text):
                seen.add(text.lower())
                taken[split, name] += 1
                rows[split].append((text, name, canonical(thing.simple)))
    return {split: sorted(rows[split], key=lambda row: digest(row[0])) for split in SPLITS}


def _left(text: str) -> bool:
    """Whether at least five words stand beside what is covered."""
    return len(_WORD.findall(text)) - text.count(MASK) >= 5


# The same function in two libraries


class Function(NamedTuple):
    """A function of a numeric library with its first sentence and the beginning of its documentation."""

    package: str
    area: str
    name: str  # canonical
    split: str
    text: str
    longer: str


@cache
def functions() -> tuple[Function, ...]:
    """One function, or method of a principal class, for each name in each numeric library; no text twice."""
    return tuple(chosen_functions(objects()))


def chosen_functions(things: tuple[Object, ...]) -> list[Function]:
    """As :func:`functions`, among some objects."""
    libraries = re.compile(rf"\b(?:{'|'.join(LIBRARIES)}|dask|tensors? ?flow|jax)\b", re.I)
    candidates: dict[tuple[str, str], tuple] = {}
    public = {module: not INTERNAL.match(module) for module in {thing.module for thing in things}}
    for thing in things:
        owner, _, simple = thing.name.rpartition(".")
        if thing.package not in NUMERIC or not public[thing.module] or canonical(simple) in GENERIC:
            continue
        if thing.kind == "class":
            if not CLASSES.match(thing.module):
                continue
        elif thing.kind != "function" and owner not in OWNERS:
            continue
        if simple.endswith("_") or len(simple) < 2:
            continue
        first = (s for s in thing.sentences[:2] if readable(s, 3) and not libraries.search(s) and not _ASIDE.match(s))
        text = next(first, None)
        if text is None or re.match("[Aa]lias", thing.sentences[0]):
            continue
        more = [s for s in thing.sentences if s != text and readable(s, 3)]
        longer = " ".join(" ".join([text, *more]).split()[:50])
        function = Function(thing.package, thing.area, canonical(simple), thing.split, text, longer)
        rank = (thing.kind != "function", canonical(simple) != simple, thing.module.count("."), thing.module)
        key = thing.package, function.name
        if key not in candidates or rank < candidates[key][0]:
            candidates[key] = rank, function
    splits, names = owners(things), {}
    for _, function in sorted(candidates.values(), key=lambda candidate: candidate[1]):
        names.setdefault(function.text.lower(), []).append(function)
    unique = (found[0] for found in names.values() if len({function.name for function in found}) == 1)
    return sorted(function for function in unique if len(splits[function.text.lower()]) == 1)


_ASIDE = re.compile(  # sentences that do not say what a function does
    r"(?:See|This|That|These|It|Its|If|When|Whether|No|Not|Note|For|Refer|Only|Same|Equivalent|Allows|However|Use|Used|"
    r"Helper|Internal|By|Can|Must|Should|Will|May|Default|Defaults|Please|You|We|In|On|True|False|None)\b"
)


def same_functions(found: Iterable[Function]) -> list[tuple[Function, Function]]:
    """Pairs of functions of one name in two libraries."""
    by_name: dict[str, list[Function]] = {}
    for function in found:
        by_name.setdefault(function.name, []).append(function)
    return [
        (a, b)
        for group in by_name.values()
        for i, a in enumerate(group)
        for b in group[i + 1 :]
        if a.text.lower() != b.text.lower()
    ]


def related(found: Sequence[Function], size: int) -> dict[str, list[tuple[str, str, int, str]]]:
    """Pairs of texts with the grade of their relatedness and the name of the first, which has a partner of each grade
    where there is one."""
    rows: dict[str, list] = {}
    for split in SPLITS:
        here = [f for f in found if f.split == split]
        pairs = _least(same_functions(here), int(size * SIZES[split]) // 4, lambda p: p[0].text + p[1].text)
        for a, b in pairs:
            a, b = sorted((a, b), key=lambda f: digest(f.text, b.text))
            others = [f for f in here if f.name != a.name]
            pools = {
                2: [f for f in others if f.area == a.area],
                1: [f for f in others if f.package == a.package and f.area != a.area],
                0: [f for f in others if f.package != a.package],
            }
            rows.setdefault(split, []).append((a.text, b.text, 3, a.name))
            for grade, pool in pools.items():
                if pool:
                    chosen = pool[int(digest(a.text, b.text, str(grade))[:12], 16) % len(pool)]
                    rows[split].append((a.text, chosen.text, grade, a.name))
    return {split: list(dict.fromkeys(rows.get(split, []))) for split in SPLITS}


def duplicates(found: Sequence[Function], size: int) -> dict[str, list[tuple[str, str, int, str]]]:
    """Pairs of texts with the name of the first: the same function in two libraries (1); for each of the two the
    lexically nearest text of another function in the other's library (0)."""
    rows = {}
    for split in SPLITS:
        here = [f for f in found if f.split == split]
        pairs = _least(same_functions(here), int(size * SIZES[split]) // 3, lambda p: p[0].text + p[1].text)
        if not pairs:
            rows[split] = []
            continue
        sides = [side for a, b in pairs for side in ((a, b), (b, a))]
        library, name = (np.array([getattr(f, field) for f in here]) for field in ("package", "name"))
        index = nearest(
            [a.text for a, _ in sides],
            [f.text for f in here],
            lambda i, sides=sides, library=library, name=name: (
                (library != sides[i][1].package) | (name == sides[i][0].name)
            ),
        )
        negatives = [(a.text, here[j].text, 0, a.name) for (a, _), j in zip(sides, index, strict=True) if j >= 0]
        rows[split] = list(dict.fromkeys([*((a.text, b.text, 1, a.name) for a, b in pairs), *negatives]))
    return rows


# Retrieval: queries, corpus, which documents answer a query, and the names of the objects of the queries

Searches = tuple[dict[str, str], dict[str, str], dict[str, dict[str, int]], list[str]]  # last, names of the queries


def descriptions(things: tuple[Object, ...], size: int, words: int = 50) -> dict[str, Searches]:
    """First sentence of a docstring → the beginning of the rest of it; neither is of another object."""
    splits, pairs, often = owners(things), [], {}
    for thing in things:
        first = thing.sentences[0]
        if len(thing.sentences) > 1 and readable(first) and len(splits[first.lower()]) == 1:
            rest = [sentence for sentence in thing.sentences[1:] if readable(sentence, 3)]
            text = " ".join(" ".join(rest).split()[:words])
            if text.count(" ") >= 12:
                pairs.append((first, text, thing))
                for part in (first, text):
                    often[part.lower()] = often.get(part.lower(), 0) + 1
    alone = [pair for pair in pairs if often[pair[0].lower()] == often[pair[1].lower()] == 1]
    found = {}
    for split in SPLITS:
        here = [row for row in alone if row[2].split == split]
        here = _least(here, int(size * SIZES[split]), lambda row: row[0])
        found[split] = (
            {f"q{i:05d}": a for i, (a, _, _) in enumerate(here)},
            {f"d{i:05d}": b for i, (_, b, _) in enumerate(here)},
            {f"q{i:05d}": {f"d{i:05d}": 1} for i in range(len(here))},
            [canonical(thing.simple) for _, _, thing in here],
        )
    return found


def counterparts(found: Sequence[Function], size: int) -> dict[str, Searches]:
    """First sentence of a function → the documentation of the functions of that name in the other libraries.

    What documents the query itself is in the corpus under the name of the query, for MTEB to leave out.
    """
    searches = {}
    for split in SPLITS:
        limit = int(size * SIZES[split])
        by_name: dict[str, list[Function]] = {}
        for function in found:
            if function.split == split:
                by_name.setdefault(function.name, []).append(function)
        shared = [f for group in by_name.values() if len(group) > 1 for f in group]
        asked = _least(shared, limit, lambda f: f.text)
        answers = dict.fromkeys(f for query in asked for f in by_name[query.name])
        others = [f for group in by_name.values() for f in group if f not in answers]
        documents = [*answers, *_least(others, max(0, limit - len(answers)), lambda f: f.text)]
        ids = {f: f"{f.package}:{f.name}" for f in documents}
        searches[split] = (
            {ids[f]: f.text for f in asked},
            {ids[f]: f.longer for f in documents},
            {ids[f]: {ids[g]: 1 for g in by_name[f.name] if g != f} for f in asked},
            [f.name for f in asked],
        )
    return searches
