"""One vector per text from every layer of any encoder or decoder that ``transformers`` loads, each text encoded once.

:func:`extract` reads all layers in one forward pass and keeps them in a store of memory-mapped files, so that a killed
run goes on where it stopped, and a text that was encoded before costs nothing, in whatever list it comes again.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from helpers.encoders.model_folders import TOKENIZER, WEIGHTS, check_all_loaded, model_files, position_limit
from helpers.encoders.sentence_folders import (
    SentenceRecipe,
    foreign_code,
    loading,
    needed_files,
    recipe_of,
    suited,
    vocabulary_of,
)
from helpers.locations import DATA, allocate, cache_folder, expand
from helpers.waiting import alone

__all__ = ["POOLINGS", "Layers", "extract", "resolve_model", "vectors_of"]

POOLINGS = ("mean", "cls", "last", "pooler", "sentence")
ONE_VECTOR = ("pooler", "sentence")  # rather than one for each layer
SAVE_EVERY = 5.0  # seconds between two moments at which what was encoded becomes safe
PROBED = 8  # tokens on which a model is tried
FORMAT = 1  # of the store; part of every key
SENTENCE = ("modules.json", "sentence_bert_config.json", "config_sentence_transformers.json")


def extract(
    model: str | os.PathLike[str],
    texts: Iterable[str],
    *,
    pooling: str | Sequence[str] = "mean",
    max_length: int | None = None,
    batch_tokens: int | None = None,
    dtype: Any = None,
    device: str | None = None,
    revision: str | None = None,
    store: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> Layers:
    """For every layer of a model an array with one vector per text.

    Parameters
    ----------
    model
        Name on the hub or folder, as in :func:`resolve_model`; weights in safetensors. Of an encoder with a decoder
        (T5) the encoder is read.
    texts
        Strings, none of them blank. Equal texts are encoded once.
    pooling
        What makes one vector of the tokens: ``"mean"`` over the tokens, by the attention mask; ``"cls"``, the first
        token; ``"last"``, the last token, special ones included; ``"pooler"``, the model's own output of that name,
        which is one representation rather than one per layer. Several at a time share the forward pass. Alone stands
        ``"sentence"``: the one vector that the folder of a sentence encoder describes in ``modules.json``, by its
        pooling, dense layers, scaling, prompt and length.
    max_length
        Tokens that are read of a text, special ones included; by default as many as the model can read. Longer texts
        are truncated, which is counted in ``tokens_lost`` and warned of.
    batch_tokens
        Tokens of a batch, padding included: 2048 by default on a CPU, 32768 on a GPU. Less needs less memory. Texts are
        batched by their length, the longest first.
    dtype
        ``"float32"``, ``"float16"`` or ``"bfloat16"``, in which the model computes: by default float16 on a GPU and
        float32 on a CPU, whatever the file holds. Pooling and the result are float32.
    device
        Torch's name of the device that computes; the GPU by default if there is one.
    revision
        Branch, tag or commit of a model on the hub; its main branch by default.
    store
        Folder in which vectors are kept; by default one below the user's cache folder. They are found again by the
        SHA-256 of configuration, tokenizer and weights, by pooling, ``max_length`` and ``dtype``, and by the text: 4
        bytes for each feature.
    progress
        Whether to show the texts done and the time left.

    Returns
    -------
    Layers
        A mapping from ``"layer 0"`` (the embedding layer), ``"layer 1"``, … to arrays of shape (n_texts, width), in the
        order of ``texts``, and ``"pooler"`` behind them if it is asked for; or ``"sentence"`` alone. Two or three
        of the poolings of tokens at a time are told apart as ``"mean layer 0"``, ``"cls layer 0"``.

    Raises
    ------
    TypeError
        If ``texts`` is a string, or one of them is no string (named by its position).
    FileNotFoundError
        If the model, its configuration, tokenizer or weights are not there.
    ValueError
        If there are no texts, a text is blank or has no token, a file of weights is truncated or lacks weights, the
        model has no hidden states, no pooler or no ``modules.json``, is Python code of its folder (which is never run)
        or cannot be read as an encoder of texts, an option is unknown, or a vector is not finite.
    OSError
        If the disk has no room for the vectors, or the hub cannot be reached.

    Notes
    -----
    What was encoded is safe every 5 seconds and whenever a call ends, be it by an error: the same call goes on from
    there after a kill. A second process that needs texts of the same model waits for the first (silently, unless
    ``progress`` is set), then takes from the store what that one encoded. Memory: the model, the tokens and one batch.

    Examples
    --------
    >>> layers = extract("thenlper/gte-small", ["One is odd.", "Two is even."])  # doctest: +SKIP
    >>> layers["layer 12"].shape  # doctest: +SKIP
    (2, 384)
    """
    import torch

    texts, poolings = _checked_texts(texts), _checked_poolings(pooling)
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    dtype = str(dtype or ("float32" if torch.device(device).type == "cpu" else "float16")).removeprefix("torch.")
    if dtype not in ("float32", "float16", "bfloat16"):
        raise ValueError(f"dtype is {dtype!r}; it is 'float32', 'float16' or 'bfloat16'")
    for name, value in (("max_length", max_length), ("batch_tokens", batch_tokens)):
        if value is not None and (isinstance(value, bool) or value != int(value) or value < 1):
            raise ValueError(f"{name} is {value!r}; it is a whole number of tokens, at least 1, or None")
    folder = _folder(model, revision)
    recipe = recipe_of(folder, needed=True) if "sentence" in poolings else None
    if recipe is not None:
        folder, max_length = folder / recipe.model, max_length or recipe.max_length
        texts = [recipe.prompt + (text.lower() if recipe.lower else text) for text in texts]
    files = _digests(folder)
    digest = hashlib.sha256(json.dumps([FORMAT, sorted(files.items())]).encode()).hexdigest()
    home = (cache_folder("layers") if store is None else Path(store).expanduser()) / digest[:32]

    encoder = None
    if not (home / "model.json").exists():
        encoder = _Encoder(folder, dtype, device)
        home.mkdir(parents=True, exist_ok=True)
        draft = home / f"model-{os.getpid()}"
        draft.write_text(json.dumps({"name": str(model), "files": files, **encoder.card}, indent=1))
        os.replace(draft, home / "model.json")
    card = json.loads((home / "model.json").read_text())
    if recipe is not None:
        card["sentence"] = recipe.width(card["widths"][-1])
        max_length = min(max_length, card["limit"]) if max_length and card["limit"] else max_length
    if "pooler" in poolings and card["pooler"] is None:
        raise ValueError(f"{model} has no pooler output, or no weights for it; use another pooling: {POOLINGS[:3]}")
    if max_length is not None and card["limit"] is not None and max_length > card["limit"]:
        raise ValueError(f"max_length is {max_length}; {model} reads {card['limit']} tokens at most")
    max_length = max_length or card["max_length"]

    keys = _keys(texts)
    wanted = dict(zip(keys, texts, strict=True))
    made = "" if recipe is None else f"-{recipe.digest[:16]}"
    spaces = {pooling: home / f"{pooling}{made}-{max_length}-{dtype}" for pooling in poolings}
    found = {pooling: _rows(space, wanted)[0] for pooling, space in spaces.items()}
    encoded = 0
    if any(len(rows) < len(wanted) for rows in found.values()):
        with alone(home / "lock", f"another process is encoding texts by {model}", progress=progress):
            encoder = encoder or _Encoder(folder, dtype, device)
            encoder.recipe, encoder.card = recipe, card
            budget = batch_tokens or (2048 if torch.device(device).type == "cpu" else 32768)
            encoded = _encode(encoder, wanted, spaces, max_length, int(budget), progress)
        found = {pooling: _rows(space, wanted)[0] for pooling, space in spaces.items()}
    layers = Layers(str(model), files, poolings, max_length, dtype, encoded, _arrays(found, keys, card), home)
    if count := np.count_nonzero(layers.tokens_lost):
        warnings.warn(
            f"{count} of {len(texts)} texts are longer than {max_length} tokens; they were truncated by "
            f"{layers.tokens_lost.sum()} tokens in all",
            stacklevel=2,
        )
    return layers


def vectors_of(model: str | os.PathLike[str], pooling: str | None, layers: bool) -> tuple[str, str]:
    """The pooling that suits a model, and in words what it does and why.

    Parameters
    ----------
    model
        Name on the hub or folder, as for :func:`extract`.
    pooling
        What was asked for; ``None`` leaves it to the folder.
    layers
        Whether vectors of all layers are wanted, which a folder's description of its one vector does not cover.
    """
    folder = _folder(model, None)
    recipe = recipe_of(folder)
    used, words = suited(recipe, pooling, layers)
    return used, "; ".join([words, *foreign_code(folder if recipe is None else folder / recipe.model)])


class Layers(Mapping):
    """Representations of the same texts by name, opened when they are read.

    An array is a read-only memory map of the store where the texts lie there in the order asked for, else a memory map
    of a temporary file with the rows brought into that order, which goes when the array does.

    Attributes
    ----------
    model : str
        Name or folder that was asked for.
    files : dict of str to str
        SHA-256 of the configuration, the tokenizer and the weights.
    pooling : tuple of str
        What made one vector of the tokens of a text.
    max_length : int
        Tokens that were read of a text.
    dtype : str
        The type in which the model computed.
    encoded : int
        Distinct texts that this call passed through the model; the others were in the store.
    tokens_lost : numpy.ndarray of shape (n_texts,)
        Tokens of each text beyond ``max_length``.
    """

    def __init__(self, model, files, pooling, max_length, dtype, encoded, arrays, home):
        self.model, self.files, self.pooling, self.max_length = model, files, pooling, max_length
        self.dtype, self.encoded = dtype, encoded
        self._places, self._home, self._opened = arrays, home, {}
        self.tokens_lost = np.array(self._gathered("lost", next(iter(arrays.values()))[1]))

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._opened:
            self._opened[name] = self._gathered(*self._places[name])
        return self._opened[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def about(self) -> dict[str, Any]:
        """How the texts were read, a value for each column of a recorded table.

        Returns
        -------
        dict
            ``weights_sha256`` (of several files joined by ``+``), ``layers`` (how many representations), ``pooling``
            (joined likewise), ``max_length``, ``dtype``, ``n_texts``, of which ``truncated``, and ``encoded``, the
            distinct texts that passed through the model rather than came from the store.
        """
        weights = [digest for name, digest in sorted(self.files.items()) if name.endswith(".safetensors")]
        return {
            "weights_sha256": "+".join(weights),
            "layers": len(self),
            "pooling": "+".join(self.pooling),
            "max_length": self.max_length,
            "dtype": self.dtype,
            "n_texts": len(self.tokens_lost),
            "truncated": int(np.count_nonzero(self.tokens_lost)),
            "encoded": self.encoded,
        }

    def __repr__(self) -> str:
        names = list(self)
        return f"Layers({self.model!r}: {len(self.tokens_lost)} texts, {names[0]!r} … {names[-1]!r})"

    def _gathered(self, file: str, places: list[tuple[Path, np.ndarray, np.ndarray]]) -> np.ndarray:
        """The rows of a file of several segments in the order of the texts."""
        total = sum(len(rows) for _, rows, _ in places)
        sources = [_opened(segment, file) for segment, _, _ in places]
        if len(places) == 1 and (np.diff(places[0][1]) == 1).all():
            return sources[0][places[0][1][0] :][:total]
        with tempfile.TemporaryFile(dir=self._home if os.access(self._home, os.W_OK) else None) as temporary:
            shape, dtype = (total, *sources[0].shape[1:]), sources[0].dtype
            allocate(temporary, int(np.prod(shape)) * dtype.itemsize, f"{file} of {total} texts in their order")
            out = np.memmap(temporary, dtype, "r+", shape=shape)
        for source, (_, rows, positions) in zip(sources, places, strict=True):
            for start in range(0, len(rows), 4096):
                out[positions[start : start + 4096]] = source[rows[start : start + 4096]]
        out.flags.writeable = False
        return out


def resolve_model(name: str | os.PathLike[str]) -> Path | str:
    """The folder of a model, or its name on the hub.

    A folder is taken as it is, or as it lies below the book's ``data/``, such as ``"encoders/bert"``. Else
    ``$BOOK_MODELS/<name>``, or that of the last part of ``owner/name``, stands for the hub where it is a folder.

    Raises
    ------
    FileNotFoundError
        If ``name`` is a path, or begins with ``encoders/`` as those of the book do, and there is no such folder.

    Examples
    --------
    >>> resolve_model("owner/a-model-nobody-has")
    'owner/a-model-nobody-has'
    """
    text = os.fspath(name)
    folder = expand(text)
    if folder.is_dir():
        return folder
    if "/" in text and (folder := DATA / text).is_dir():
        return folder
    if not isinstance(name, str) or text.count("/") > 1 or text[:1] in ("", ".", "/", "~"):
        raise FileNotFoundError(f"model is {text!r}; there is no such folder, and it cannot be a name on the hub")
    if text.startswith("encoders/") and (there := sorted((DATA / "encoders").glob("*/config.json"))):
        names = ", ".join(f"encoders/{path.parent.name}" for path in there)
        raise FileNotFoundError(f"model is {text!r}; the encoders of the book are {names}")
    for stand_in in (text, text.split("/")[-1]) if os.environ.get("BOOK_MODELS") else ():
        if (folder := Path(os.environ["BOOK_MODELS"]) / stand_in).is_dir():
            return folder
    return text


# What is asked for


def _checked_texts(texts: Iterable[str]) -> list[str]:
    if isinstance(texts, (str, bytes)):
        raise TypeError("texts is a single string; pass a list of texts")
    texts = list(texts)
    if not texts:
        raise ValueError("texts is empty; at least one text is needed")
    for position, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"texts[{position}] is a {type(text).__name__}; a string is needed")
        if not text.strip():
            raise ValueError(f"texts[{position}] is blank; leave blank texts out")
    return texts


def _checked_poolings(pooling: str | Sequence[str]) -> tuple[str, ...]:
    poolings = tuple(dict.fromkeys([pooling] if isinstance(pooling, str) else pooling))
    if not poolings or any(name not in POOLINGS for name in poolings):
        raise ValueError(f"pooling is {pooling!r}; it is one of {', '.join(POOLINGS)}, or several of them")
    if "sentence" in poolings and len(poolings) > 1:
        raise ValueError(f"pooling is {pooling!r}; 'sentence' has a length and a prompt of its own and stands alone")
    return tuple(sorted(poolings, key=lambda name: name == "pooler"))


def _folder(model: str | os.PathLike[str], revision: str | None) -> Path:
    """Where the files lie, fetched from the hub if need be."""
    found = resolve_model(model)
    if isinstance(found, Path):
        return found
    from huggingface_hub import snapshot_download

    try:
        patterns = ["config.json", *SENTENCE, *WEIGHTS, *TOKENIZER]
        here = snapshot_download(found, revision=revision, allow_patterns=patterns, ignore_patterns="*/*")
        if below := needed_files(Path(here)):
            here = snapshot_download(found, revision=revision, allow_patterns=below)
        return Path(here)
    except (OSError, ValueError) as error:
        error.add_note(
            f"model is {found!r}: no folder of that name, here or in BOOK_MODELS, and it did not come from the hub"
        )
        raise


def _digests(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file that decides the vectors."""
    files = sorted(model_files(folder))
    return {path.name: _digest(path, path.stat().st_size, path.stat().st_mtime_ns) for path in files}


@cache
def _digest(path: Path, size: int, changed: int) -> str:
    """The SHA-256 of a file; once, unless its size or its time changes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _keys(texts: list[str]) -> list[bytes]:
    """What a text is known by in the store."""
    try:
        return [hashlib.sha256(text.encode()).digest()[:16] for text in texts]
    except UnicodeEncodeError as error:
        position = next(i for i, text in enumerate(texts) if text == error.object)
        raise ValueError(f"texts[{position}] is not valid Unicode: {error}") from None


# The model


class _Encoder:
    """A model with its tokenizer; ``card`` is what one knows of it without loading it again."""

    def __init__(self, folder: Path, dtype: str, device: str):
        import torch
        from safetensors import SafetensorError, safe_open
        from transformers import AutoModel, AutoTokenizer

        for path in folder.glob(WEIGHTS[0]):
            try:
                with safe_open(path, "np"):
                    pass
            except SafetensorError as error:
                raise ValueError(f"{path} is truncated or no safetensors file: {error}") from None
        for words in foreign_code(folder):
            warnings.warn(words, stacklevel=3)
        self.recipe: SentenceRecipe | None = None
        with quiet(), loading(folder):
            self.tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
            kind = {"dtype": getattr(torch, dtype), "use_safetensors": True, "trust_remote_code": False}
            model, info = AutoModel.from_pretrained(folder, output_loading_info=True, **kind)
        absent = sorted(info["missing_keys"])
        # Such as T5, whose encoder alone may be in the file; the parts of Funnel that are called so are no models.
        two = hasattr(model, "decoder") and hasattr(getattr(model, "encoder", None), "get_input_embeddings")
        unread = ("pooler.", "decoder.") if two else ("pooler.",)
        check_all_loaded(folder, model, absent, unread)
        model = model.get_encoder() if two else getattr(model, "text_model", model)
        model.config.use_cache = False
        self.model, self.folder, self.device = model.eval().to(device), folder, device
        self.inputs = inspect.signature(model.forward).parameters
        with loading(folder, type(model).__name__):
            self.vocabulary = vocabulary_of(model)
            states, pooled, _ = self._states({"input_ids": torch.zeros((1, PROBED), dtype=torch.long)})
        if any(state.shape[:2] != (1, PROBED) for state in states):
            raise ValueError(f"the hidden states of {type(model).__name__} in {folder} are not one vector per token")
        limit = position_limit(self.model)
        default = min(self.tokenizer.model_max_length, limit or 10**9)
        self.card = {
            "widths": [state.shape[-1] for state in states],
            "pooler": None if pooled is None or absent else pooled.shape[-1],
            "limit": limit,
            "max_length": default if default < 10**9 else 512,
        }

    def _states(self, batch: dict[str, Any]) -> tuple[Sequence[Any], Any, Any]:
        """The hidden states of all layers, the output of the pooler, and the output of the model."""
        import torch

        batch = {name: tensor.to(self.device) for name, tensor in batch.items()}
        batch.setdefault("attention_mask", torch.ones_like(batch["input_ids"]))
        with torch.inference_mode():
            output = self.model(**batch, output_hidden_states=True, return_dict=True)
        states = getattr(output, "hidden_states", None)
        if not states:
            raise ValueError(f"{type(self.model).__name__} in {self.folder} gives no hidden states")
        return states, getattr(output, "pooler_output", None), getattr(output, "last_hidden_state", states[-1])

    def tokens(self, texts: list[str], max_length: int) -> tuple[list[dict[str, np.ndarray]], np.ndarray]:
        """What the model reads of each text, and how many tokens are cut off."""
        options = {"return_attention_mask": False, "verbose": False}
        if max_length <= (special := self.tokenizer.num_special_tokens_to_add()):
            raise ValueError(f"max_length is {max_length}; {special} special tokens alone take as many")
        read, lost = [], np.zeros(len(texts), np.int32)
        for start in range(0, len(texts), 4096):
            part = texts[start : start + 4096]
            batch = self.tokenizer(part, truncation=False, **options)
            batch = {name: batch[name] for name in batch if name in self.inputs}
            lengths = np.array([len(ids) for ids in batch["input_ids"]])
            for i in np.flatnonzero(lengths > max_length):
                cut = self.tokenizer(part[i], truncation=True, max_length=max_length, **options)
                lost[start + i] = lengths[i] - len(cut["input_ids"])
                for name in batch:
                    batch[name][i] = cut[name]
            for i, row in enumerate(zip(*batch.values(), strict=True)):
                read.append({name: np.array(ids, np.int32) for name, ids in zip(batch, row, strict=True)})
                ids = read[-1]["input_ids"]
                if not len(ids):
                    raise ValueError(f"the tokenizer makes no token of the text {part[i]!r}")
                if self.vocabulary is not None and ids.max() >= self.vocabulary:
                    raise ValueError(
                        f"the tokenizer in {self.folder} gives token {ids.max()}, the model knows {self.vocabulary}; "
                        "they do not belong together"
                    )
        return read, lost

    def vectors(self, batch: list[dict[str, np.ndarray]], poolings: Iterable[str]) -> dict[str, np.ndarray]:
        """For each pooling the vectors of all layers side by side, as float32, from one forward pass."""
        import torch

        lengths = torch.tensor([len(row["input_ids"]) for row in batch])
        inputs = {}
        for name in batch[0]:
            rows = [torch.from_numpy(row[name]).long() for row in batch]
            fill = self.tokenizer.pad_token_id if name == "input_ids" else None
            inputs[name] = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=fill or 0)
        inputs["attention_mask"] = (torch.arange(int(lengths.max())) < lengths[:, None]).long()
        states, pooler, output = self._states(inputs)
        lengths, mask = lengths.to(self.device), inputs["attention_mask"].to(self.device)
        share = (mask / lengths[:, None])[:, None]
        every = torch.arange(len(batch), device=self.device)
        pools = {
            "mean": lambda: [torch.bmm(share, state.float())[:, 0] for state in states],
            "cls": lambda: [state[:, 0].float() for state in states],
            "last": lambda: [state[every, lengths - 1].float() for state in states],
            "pooler": lambda: [pooler.float()],
            "sentence": lambda: [self.recipe.pooled(output.float(), mask)],
        }
        with torch.inference_mode():
            out = {pooling: torch.cat(pools[pooling](), dim=1) for pooling in poolings}
            if not all(bool(block.isfinite().all()) for block in out.values()):
                dtype = self.model.dtype
                raise ValueError(f"a vector is not finite in {dtype}; pass dtype='bfloat16' or dtype='float32'")
        return {pooling: block.cpu().numpy() for pooling, block in out.items()}


@contextmanager
def quiet() -> Iterator[None]:
    """Without the progress bar and the report of loading: what matters of it is checked."""
    from transformers.utils import logging

    level, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bar:
            logging.enable_progress_bar()


def _encode(
    encoder: _Encoder, wanted: dict[bytes, str], spaces: dict[str, Path], max_length: int, budget: int, progress: bool
) -> int:
    """Pass the texts that a space lacks through the model and store their vectors; how many texts these were."""
    from tqdm import tqdm

    places = {pooling: _rows(space, wanted) for pooling, space in spaces.items()}
    missing = [key for key in wanted if any(key not in done for done, _ in places.values())]
    if not missing:
        return 0
    read, lost = encoder.tokens([wanted[key] for key in missing], max_length)
    lengths = np.array([len(row["input_ids"]) for row in read])
    slots: dict[str, dict[int, tuple[Path, int]]] = {}
    for pooling, (done, allotted) in places.items():
        lacking = [i for i, key in enumerate(missing) if key not in done]
        fresh = [i for i in lacking if missing[i] not in allotted]
        if fresh:
            files = _files(pooling, encoder.card)
            segment = _allot(spaces[pooling], [missing[i] for i in fresh], lost[fresh], files)
            allotted.update({missing[i]: (segment, row) for row, i in enumerate(fresh)})
        slots[pooling] = {i: allotted[missing[i]] for i in lacking}
    writers: dict[Path, _Writer] = {}
    saved = time.monotonic()
    with tqdm(total=int(lengths.sum()), unit="token", unit_scale=True, disable=not progress) as bar:
        try:
            texts = 0
            for batch in _batches(lengths, budget):
                for pooling, vectors in encoder.vectors([read[i] for i in batch], spaces).items():
                    for segment in {slots[pooling][i][0] for i in batch if i in slots[pooling]}:
                        here = [at for at, i in enumerate(batch) if slots[pooling].get(i, (None,))[0] == segment]
                        rows = [slots[pooling][batch[at]][1] for at in here]
                        if segment not in writers:
                            writers[segment] = _Writer(segment, _files(pooling, encoder.card))
                        writers[segment].put(rows, vectors[here])
                texts += len(batch)
                bar.set_postfix_str(f"{texts}/{len(missing)} texts", refresh=False)
                bar.update(int(lengths[batch].sum()))
                if time.monotonic() - saved >= SAVE_EVERY:
                    for writer in writers.values():
                        writer.save()
                    saved = time.monotonic()
        except RuntimeError as error:
            error.add_note(f"{texts} of {len(missing)} texts are stored; if memory ran out, pass a lower batch_tokens")
            raise
        finally:
            for writer in writers.values():
                writer.save()
    return len(missing)


def _batches(lengths: np.ndarray, budget: int) -> Iterator[np.ndarray]:
    """Texts of about equal length, the longest first, so that memory does not run out late."""
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        stop = start + max(1, budget // int(lengths[order[start]]))
        yield order[start:stop]
        start = stop


# The store: a folder per model; in it one per pooling, length and dtype; in it segments, each with a file per layer and
# the digests of its texts, the tokens that they lost and which rows are done. A segment has its size from the outset,
# rows are filled in any order, and a row counts only when it is marked, after all its vectors are on the disk.


def _files(pooling: str, card: dict[str, Any]) -> dict[str, int]:
    """The files of a segment and their widths."""
    if pooling in ONE_VECTOR:
        return {pooling: card[pooling]}
    return {f"layer {i}": width for i, width in enumerate(card["widths"])}


def _rows(space: Path, wanted: Mapping[bytes, Any]) -> tuple[dict[bytes, tuple[Path, int]], ...]:
    """Where the texts lie that are done, and where those for which there is only room."""
    places: tuple[dict, dict] = {}, {}
    for segment in sorted(space.glob("[0-9]*")):
        digests, done = _opened(segment, "texts").tobytes(), _opened(segment, "done")
        for row, marked in enumerate(done.tolist()):
            key = digests[16 * row : 16 * row + 16]
            if key in wanted:
                places[not marked][key] = segment, row
    return places


def _allot(space: Path, keys: list[bytes], lost: np.ndarray, files: dict[str, int]) -> Path:
    """A new segment with room for the texts, there as a whole or not at all."""
    space.mkdir(exist_ok=True)
    needed, free = 4 * len(keys) * sum(files.values()), shutil.disk_usage(space).free
    if needed > free:
        raise OSError(
            f"the vectors of {len(keys)} texts need {needed / 1e9:.3g} GB in {space}; {free / 1e9:.3g} are free"
        )
    draft = space / "draft"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    np.save(draft / "texts.npy", np.frombuffer(b"".join(keys), np.uint8).reshape(-1, 16))
    np.save(draft / "lost.npy", lost)
    np.save(draft / "done.npy", np.zeros(len(keys), bool))
    for name, width in files.items():
        path = draft / f"{name}.npy"
        np.lib.format.open_memmap(path, "w+", np.float32, (len(keys), width))
        with path.open("r+b") as file:
            allocate(file, path.stat().st_size, f"{name} of {len(keys)} texts")
    number = max((int(segment.name) for segment in space.glob("[0-9]*")), default=-1) + 1
    return draft.rename(space / f"{number:06d}")


class _Writer:
    """A segment being filled."""

    def __init__(self, segment: Path, files: dict[str, int]):
        self.layers = [_opened(segment, name, "r+") for name in files]
        self.ends = np.cumsum(list(files.values()))[:-1]
        self.done, self.rows = _opened(segment, "done", "r+"), []

    def put(self, rows: list[int], vectors: np.ndarray) -> None:
        """Write a batch, all layers side by side."""
        for layer, part in zip(self.layers, np.split(vectors, self.ends, axis=1), strict=True):
            layer[rows] = part
        self.rows += rows

    def save(self) -> None:
        """Mark what was written, once it is on the disk."""
        if self.rows:
            for layer in self.layers:
                layer.flush()
            self.done[self.rows] = True
            self.done.flush()
            self.rows = []


def _opened(segment: Path, name: str, mode: str = "r") -> np.ndarray:
    try:
        return np.load(segment / f"{name}.npy", mmap_mode=mode)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"the store is damaged: {segment / name}.npy: {error}; delete {segment}, and its texts are encoded again"
        ) from error


def _arrays(found: dict[str, dict], keys: list[bytes], card: dict[str, Any]) -> dict[str, tuple[str, list]]:
    """For every name of the mapping the file, and where in which segments the texts lie, in their order."""
    several = sum(pooling not in ONE_VECTOR for pooling in found) > 1
    out = {}
    for pooling, rows in found.items():
        by_segment: dict[Path, list[tuple[int, int]]] = {}
        for position, key in enumerate(keys):
            segment, row = rows[key]
            by_segment.setdefault(segment, []).append((row, position))
        places = [(segment, *np.array(pairs).T) for segment, pairs in by_segment.items()]
        for file in _files(pooling, card):
            out[f"{pooling} {file}" if several and pooling not in ONE_VECTOR else file] = file, places
    return out
