"""Sentence encoders in folders: in half precision, in one file of weights or in several, read in single precision."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from helpers.locations import DATA, expand

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

__all__ = ["load_sentence_encoder", "save_sentence_encoder"]

PARTS = "parts.json"  # which files hold the rows of the vectors of a bag


def save_sentence_encoder(
    model: SentenceTransformer, folder: str | os.PathLike[str], *, card: str = "", largest: float | None = None
) -> Path:
    """Write a sentence encoder in half precision.

    Parameters
    ----------
    model
        A bag of word pieces or a transformer with mean pooling.
    folder
        Folder that is made if need be; an encoder in it is replaced.
    card
        Text of ``README.md``.
    largest
        Largest size of a file of weights in megabytes: a bag is divided into several files, which
        :func:`load_sentence_encoder` reads; None to write what ``SentenceTransformer`` itself reads.

    Returns
    -------
    Path
        The folder that was written.

    Raises
    ------
    ValueError
        If ``largest`` is given for a transformer.
    """
    from safetensors.torch import save_file

    place = Path(expand(folder))
    place.mkdir(parents=True, exist_ok=True)
    half = copy.deepcopy(model).half()
    for old in [*place.glob("*.safetensors"), place / PARTS]:
        old.unlink(missing_ok=True)
    half.save(str(place), create_model_card=False)
    if largest is not None:
        if not hasattr(half[0], "embedding"):
            raise ValueError("largest is given; only the vectors of a bag are divided into files")
        rows = half[0].embedding.weight.detach()
        n = -(-rows.numel() * rows.element_size() // int(1e6 * largest))
        names = [f"model-{i + 1:05}-of-{n:05}.safetensors" for i in range(n)]
        for name, some in zip(names, rows.tensor_split(n), strict=True):
            save_file({"embedding.weight": some.contiguous()}, place / name)
        (place / "model.safetensors").unlink()
        (place / PARTS).write_text(json.dumps({"parts": names}, indent=1) + "\n", encoding="utf-8")
    if card:
        (place / "README.md").write_text(card, encoding="utf-8")
    return place


def load_sentence_encoder(folder: str | os.PathLike[str], *, length: int = 64) -> SentenceTransformer:
    """A sentence encoder of a folder in single precision, in evaluation mode; nothing is downloaded.

    Parameters
    ----------
    folder
        What :func:`save_sentence_encoder` wrote, a folder of sentence-transformers, or that of a transformer, which
        gets mean pooling; as it is, or as it lies below the book's ``data/``, such as ``"sentence_encoders/russian"``.
    length
        Tokens of a text that such a transformer reads, at most.

    Returns
    -------
    SentenceTransformer
        The encoder, on the processor.

    Raises
    ------
    FileNotFoundError
        If there is no model in the folder, or a file of its weights is missing.
    """
    from safetensors.torch import load_file
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer

    from helpers.encoders.stages import transformer_encoder

    place = Path(expand(folder))
    if not place.is_dir() and (DATA / place).is_dir():
        place = DATA / place
    if (place / PARTS).is_file():
        import torch

        names = json.loads((place / PARTS).read_text(encoding="utf-8"))["parts"]
        if absent := [name for name in names if not (place / name).is_file()]:
            raise FileNotFoundError(f"{place} has no {absent[0]}; all {len(names)} files of its weights are needed")
        rows = torch.cat([load_file(place / name)["embedding.weight"] for name in names])
        tokenizer = Tokenizer.from_file(str(place / "tokenizer.json"))
        model = SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_weights=rows.float())], device="cpu")
    elif (place / "modules.json").is_file():
        model = SentenceTransformer(str(place), device="cpu", local_files_only=True)
    else:
        model = transformer_encoder(place, length=length)
    return model.float().eval()
