"""Files that are parts of one: numbered shards, folders called key=value, saved data sets, one vector for each file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from helpers.inputs import _raw
from helpers.inputs._files import Place, natural
from helpers.inputs._leftovers import UnreadableError
from helpers.inputs._parted import Parted
from helpers.inputs._readers import batches, stored_in
from helpers.inputs._tables import column_kind
from helpers.inputs.formats import SUFFIXES, endings

OF = re.compile(r"(?P<stem>.*?)[-_. ]?(?<!\d)(?P<number>\d+)-of-(?P<total>\d+)(?P<rest>.*)", re.IGNORECASE)
NUMBERED = re.compile(
    r"(?P<stem>.*?)(?<![a-z])(part|shard|chunk|batch|piece|slice|rank|worker)[-_. ]?(?P<number>\d+)(?P<rest>.*)",
    re.IGNORECASE,
)
WRITERS = re.compile(
    r"[-_.]?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22,}|[-_.]c\d+|\.(snappy|gz|zstd|lz4)(?=\.|$)", re.IGNORECASE
)
UNNAMED = re.compile(r"(data|part|[0-9a-f-]{32,})?[-_.]?\d*", re.IGNORECASE)  # of files in folders key=value
KEY = re.compile(r"([A-Za-z_]\w*)=(.+)")
#: Keys of folders that tell embeddings apart; others divide the rows.
EMBEDDINGS = {"model", "encoder", "embedding", "embeddings", "representation", "layer", "pooling", "checkpoint"}
EMBEDDINGS |= {"ckpt", "epoch", "step", "method", "view", "seed", "name"}
DESCRIBED = (".dat", ".raw", ".mmap", ".memmap", ".bin")  # raw numbers, whose shape a file beside them tells
STORES = (".zarr", ".lance")  # folders with a recipe of their own
OF_MODELS = {"config.json", "modules.json", "vocab.txt", "vocab.json", "merges.txt", "added_tokens.json"}
OF_MODELS |= {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "generation_config.json"}
OF_MODELS |= {"config_sentence_transformers.json", "sentence_bert_config.json", "model.safetensors.index.json"}
WEIGHTS = re.compile(r"(model|pytorch_model|adapter_model)[-\w]*\.(safetensors|bin)")
VECTORS = 3  # files that make an embedding of one vector each


def place_of(source: Any, ids: str | None) -> Place:
    """The folder and the files of the source, with the parts of one file as one."""
    place = Place.of(source, ids)
    folder = _saved(place.base) if place.searched else None
    if folder is not None:
        files, keys = folder
        path = Parted.of(_called(place.base, "", ".arrow", place.base.parent), files, keys)
        return place._replace(base=place.base.parent, files=[path], single=True)
    if place.single:
        return place
    files = _stores(place.files, place.base)
    files = _without_descriptions(files)
    files = _data_sets(files, place.base)
    files = _numbered(files, place.base)
    files = _one_vector_each(files, place.base)
    return place._replace(
        files=sorted(files, key=lambda p: natural(str(p.with_suffix("")))) if place.searched else files
    )


def _called(folder: Path, name: str, suffix: str, base: Path) -> Path:
    """The path of a file that is not there: in the folder by its name, or called as the folder."""
    if name:
        return folder / f"{name}{suffix}"
    return folder / f"{folder.name}{suffix}" if folder == base else folder.parent / f"{folder.name}{suffix}"


def _stores(files: list[Path], base: Path) -> list[Path]:
    """Files with each folder that is a store of another library, or that holds a model, as one."""
    names: dict[Path, set[str]] = {}
    for path in files:
        names.setdefault(path.parent, set()).add(path.name)
    models = {
        folder for folder, there in names.items() if "config.json" in there and there & (OF_MODELS - {"config.json"})
    }
    found: dict[Path, None] = {}
    for path in files:
        above = [folder for folder in path.parents if folder.is_relative_to(base)]
        store = next((folder for folder in above if folder.suffix.lower() in STORES), path)
        part = (
            path.parent != base and path.parent in models and (path.name in OF_MODELS or WEIGHTS.fullmatch(path.name))
        )
        found[path.parent if part else store] = None
    return list(found)


def _without_descriptions(files: list[Path]) -> list[Path]:
    """Files but for those that tell the shape of raw numbers."""
    told = {_raw.description_of(path) for path in files if path.suffix.lower() in DESCRIBED}
    return [path for path in files if path not in told]


def _saved(folder: Path) -> tuple[list[Path], list[dict[str, str]]] | None:
    """The files of a folder that ``datasets`` saved, in their order, and the split of each."""
    try:
        if (folder / "dataset_dict.json").is_file():
            splits = json.loads((folder / "dataset_dict.json").read_text(encoding="utf-8"))["splits"]
            found = {split: _saved(folder / split) for split in splits}
            files = [(file, {"split": split}) for split, one in found.items() if one for file in one[0]]
            return [file for file, _ in files], [keys for _, keys in files]
        if not (folder / "state.json").is_file() or not (folder / "dataset_info.json").is_file():
            return None
        listed = json.loads((folder / "state.json").read_text(encoding="utf-8"))["_data_files"]
        files = [folder / one["filename"] for one in listed]
    except (ValueError, KeyError, TypeError) as error:
        raise UnreadableError(f"{folder.name} is no complete data set that datasets saved: {error!r}") from error
    if absent := [file.name for file in files if not file.is_file()]:
        raise UnreadableError(f"{folder.name} is a saved data set that lacks {absent[0]}, which its state.json lists")
    return files, [{}] * len(files)


def _data_sets(files: list[Path], base: Path) -> list[Path]:
    """Files with each folder that ``datasets`` saved as one."""
    folders = {path.parent for path in files if path.name in ("state.json", "dataset_dict.json")} - {base}
    saved = {folder: one for folder in folders if (one := _saved(folder)) is not None}
    inner = {folder for folder in saved if not saved.keys().isdisjoint(folder.parents)}
    out = [path for path in files if saved.keys().isdisjoint(path.parents)]
    for folder in saved.keys() - inner:
        out.append(Parted.of(_called(folder, "", ".arrow", base), *saved[folder]))
    return out


def _numbered(files: list[Path], base: Path) -> list[Path]:
    """Files with numbered parts, and those in folders called key=value, as one."""
    out, groups = [], {}
    for path in files:
        suffix = endings(path.name)[1]
        key = None if isinstance(path, Parted) or not _is_read(path) else _group_of(path, base)
        if key is None:
            out.append(path)
        else:
            groups.setdefault((*key[:2], suffix), []).append((key[3], path, key[2], key[4]))
    for (folder, name, suffix), found in groups.items():
        found.sort(key=lambda one: (natural(json.dumps(one[2])), one[0], natural(one[1].name)))
        members, keys = [path for _, path, _, _ in found], [keys for _, _, keys, _ in found]
        if len(members) == 1 and not keys[0] and found[0][3] is None and folder == members[0].parent:
            out.append(members[0])
            continue
        path = Parted.of(_called(folder, name, suffix, base), members, keys)
        path.problem = _gap([(number, total) for number, _, _, total in found], members, bool(keys[0]))
        out.append(path)
    return out


def _is_read(path: Path) -> bool:
    return endings(path.name)[1] in SUFFIXES and not re.search(r"\.ids\.(npy|txt)$", path.name)


def _group_of(path: Path, base: Path) -> tuple[Path, str, dict[str, str], int, int | None] | None:
    """Where the whole of a part would lie, its name, what its folders tell, its number, and of how many it is."""
    stem = Path(endings(path.name)[0]).name
    match = OF.fullmatch(stem) or NUMBERED.fullmatch(stem)
    folders, keys, apart = [], {}, ""
    for part in path.parent.relative_to(base).parts:
        told = KEY.fullmatch(part)
        if told is None:
            folders.append(part)
        elif told[1].lower() in EMBEDDINGS:
            folders.append(told[2])
            apart = told[2]
        else:
            keys[told[1]] = told[2]
    if match is None and not keys and not apart:
        return None
    folder = base.joinpath(*folders)
    if match is None:
        name = "" if UNNAMED.fullmatch(stem) else stem
        return folder, name, keys, 0, None
    rest = WRITERS.sub("", match["rest"])
    name = f"{match['stem']}{rest}".strip("-_. ")
    total = match.groupdict().get("total")
    return folder, name, keys, int(match["number"]), None if total is None else int(total)


def _gap(numbers: list[tuple[int, int | None]], members: list[Path], divided: bool) -> str:
    """What is wrong with the numbers of the parts, in words."""
    there, total = {number for number, _ in numbers}, numbers[0][1]
    first = min(there)
    wanted = range(first, first + total) if total is not None else range(min(first, 1), max(there) + 1)
    lacking = [number for number in wanted if number not in there]
    if divided or not (lacking or first > 1 or len({total for _, total in numbers}) > 1):
        return ""
    shown = ", ".join(path.name for path in members[:3]) + ", …" * (len(members) > 3)
    what = f"part {lacking[0]} is not there" if lacking else "their numbers are not those of one"
    return f"looks like parts of one embedding ({shown}), but {what}; complete them, or give the files other names"


def _one_vector_each(files: list[Path], base: Path) -> list[Path]:
    """Files with those of a folder as one where each holds the vector of one object."""
    groups: dict[tuple[Path, str], list[Path]] = {}
    for path in files:
        if not isinstance(path, Parted) and path.suffix.lower() in (".npy", ".pt", ".pth", ".safetensors", ".json"):
            if not re.search(r"\.ids\.npy$", path.name):
                groups.setdefault((path.parent, path.suffix.lower()), []).append(path)
    out = list(files)
    for (folder, suffix), found in groups.items():
        if len(found) >= VECTORS and (_all_of_one_object(found) if suffix == ".json" else _all_vectors(found)):
            ids = [Path(endings(path.name)[0]).name for path in found]
            out = [path for path in out if path not in found]
            out.append(Parted.of(_called(folder, "", suffix, base), found, ids=ids))
    return out


def _all_of_one_object(files: Iterable[Path]) -> bool:
    """Whether each file is a table of one row with a vector, with the same columns in all."""
    known = None
    for path in files:
        try:
            first = next(batches(path, None, 2), None)
        except (ValueError, OSError):
            return False  # said where the file is read
        if first is None or len(first) != 1 or first.schema.names != (known or first.schema.names):
            return False
        if not any(column_kind(column)[0] == "vectors" for column in first.columns):
            return False
        known = first.schema.names
    return True


def _all_vectors(files: Iterable[Path]) -> bool:
    """Whether each file holds vectors, of the same lengths in all."""
    known = None
    for path in files:
        try:
            arrays = [one for one in stored_in(path, path.name).values() if one.shape]
        except (ValueError, OSError):
            return False  # said where the file is read
        shapes = [tuple(size for size in one.shape if size > 1) for one in arrays]
        vectors = all(
            len(shape) == 1 and one.shape[0] in (1, *shape) for shape, one in zip(shapes, arrays, strict=True)
        )
        if (
            not arrays
            or not vectors
            or any(one.dtype.kind not in "fiu" for one in arrays)
            or shapes != (known or shapes)
        ):
            return False
        known = shapes
    return True
