"""Extraction of layers beside the plain loop: ``python benchmarks/extraction.py``.

The plain loop takes fixed batches in the order of the texts, pads each to its longest text and passes it through the
model once for every layer. A second loop differs in one thing only: a single pass serves all layers. The texts are
docstrings of the installed packages, from a line to several hundred tokens, or those of ``--file``; the model is
``--model``, else gte-small in BOOK_MODELS, else a random BERT of the same shape. Every contestant has the model loaded
and once warmed up; ours is timed with its writing to the disk, into an empty store. The vectors must agree.
``--record`` writes data/results/extraction.csv, which the book shows.
"""

import argparse
import csv
import datetime
import importlib
import inspect
import platform
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
RECORD = ROOT / "data" / "results" / "extraction.csv"
sys.path.insert(0, str(ROOT))

from helpers.encoders import extraction  # noqa: E402


def docstrings(count: int) -> list[str]:
    """Distinct docstrings at random: their lengths are as mixed as documents are."""
    found = []
    warnings.simplefilter("ignore")  # of members that are on their way out
    for package in ("numpy", "scipy.stats", "sklearn.metrics", "torch", "pathlib", "collections", "argparse"):
        members = [member for _, member in inspect.getmembers(importlib.import_module(package))]
        members += [method for member in members if inspect.isclass(member) for _, method in inspect.getmembers(member)]
        found += [" ".join(doc.split()) for member in members if (doc := inspect.getdoc(member))]
    found = list(dict.fromkeys(text for text in found if text))
    return [found[i] for i in np.random.default_rng(0).permutation(len(found))[:count]]


def random_bert(folder: Path, texts: list[str]) -> Path:
    """A model as large as gte-small that knows nothing, with a tokenizer of words."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    tokenizer.train_from_iterator(texts, trainers.WordLevelTrainer(special_tokens=special))
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token"), special, strict=True))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names, model_max_length=512).save_pretrained(folder)
    shape = {"hidden_size": 384, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 1536}
    BertModel(BertConfig(vocab_size=tokenizer.get_vocab_size(), **shape)).save_pretrained(folder)
    return folder


def loop(encoder, texts: list[str], size: int, max_length: int, passes: int) -> list[np.ndarray]:
    """Fixed batches in input order, padded to the longest; one pass for each layer, or one for all."""
    import torch

    rows = [[] for _ in encoder.card["widths"]]
    for start in range(0, len(texts), size):
        options = {"padding": True, "truncation": True, "max_length": max_length, "return_tensors": "pt"}
        batch = encoder.tokenizer(texts[start : start + size], **options).to(encoder.device)
        mask = batch["attention_mask"][:, :, None]
        for layer in range(passes):
            with torch.inference_mode():
                states = encoder.model(**batch, output_hidden_states=True).hidden_states
            for wanted in [layer] if passes > 1 else range(len(rows)):
                rows[wanted].append(((states[wanted] * mask).sum(1) / mask.sum(1)).float().cpu().numpy())
    return [np.concatenate(row) for row in rows]


def timed(call) -> tuple[float, float, object]:
    """Seconds by the clock, seconds of the processor (all threads), value."""
    begin, work = time.perf_counter(), time.process_time()
    value = call()
    return time.perf_counter() - begin, time.process_time() - work, value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="name on the hub, or folder")
    parser.add_argument("--file", help="texts, one a line")
    parser.add_argument("--texts", type=int, default=128, help="how many (128)")
    parser.add_argument("--batch", type=int, default=32, help="texts in a batch of the loop (32)")
    parser.add_argument("--max-length", type=int, default=256, help="tokens of a text at most (256)")
    parser.add_argument("--record", action="store_true", help=f"write {RECORD.relative_to(ROOT)}")
    arguments = parser.parse_args()
    import torch

    texts = docstrings(arguments.texts)
    if arguments.file:
        lines = Path(arguments.file).read_text(encoding="utf8").splitlines()
        texts = list(dict.fromkeys(line for line in lines if line.strip()))[: arguments.texts]
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = "float32" if device == "cpu" else "float16"
    with tempfile.TemporaryDirectory() as scratch, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        given = arguments.model or ("gte-small" if isinstance(extraction.resolve_model("gte-small"), Path) else None)
        model = given or random_bert(Path(scratch) / "model", texts)
        encoder = extraction._Encoder(extraction._folder(model, None), dtype, device)
        extraction._Encoder = lambda *_: encoder  # the loop has its model loaded too
        options = {"max_length": arguments.max_length, "progress": False}
        lengths = [len(row["input_ids"]) for row in encoder.tokens(texts, arguments.max_length)[0]]
        print(
            f"{given or 'random BERT'}, {dtype} on {device}, {torch.get_num_threads()} threads: {len(texts)} texts of"
        )
        print(f"{min(lengths)} to {max(lengths)} tokens (median {np.median(lengths):.0f}, {sum(lengths)} in all)\n")
        extraction.extract(model, texts[:8], store=Path(scratch) / "warm", **options)
        contestants = {
            "ours": lambda: extraction.extract(model, texts, store=Path(scratch) / "store", **options),
            "loop, one pass for all layers": lambda: loop(encoder, texts, arguments.batch, arguments.max_length, 1),
            "loop, one pass a layer": lambda: loop(
                encoder, texts, arguments.batch, arguments.max_length, len(encoder.card["widths"])
            ),
        }
        first, rows = None, []
        about = {"model": Path(given).name if given else "random BERT", "dtype": dtype, "device": device}
        about |= {"threads": torch.get_num_threads(), "texts": len(texts), "tokens_least": min(lengths)}
        about |= {"tokens_median": int(np.median(lengths)), "tokens_most": max(lengths), "tokens": sum(lengths)}
        for name, call in contestants.items():
            seconds, work, vectors = timed(call)
            vectors = list(vectors.values()) if isinstance(vectors, extraction.Layers) else vectors
            first = first or (seconds, work, vectors)
            gap = max(float(np.abs(ours - theirs).max()) for ours, theirs in zip(first[2], vectors, strict=True))
            print(
                f"{name:32}{seconds:8.1f} s {seconds / first[0]:6.1f} x ours, processor {work:8.1f} s "
                f"{work / first[1]:6.1f} x, largest difference {gap:.1e}",
                flush=True,
            )
            cost = {
                "seconds": round(seconds, 2),
                "processor_seconds": round(work, 2),
                "largest_difference": f"{gap:.1e}",
            }
            rows.append(about | {"contestant": name} | cost)
    if arguments.record:
        machine = {"machine": platform.machine(), "date": datetime.date.today().isoformat()}
        RECORD.parent.mkdir(parents=True, exist_ok=True)
        with RECORD.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, [*rows[0], *machine], lineterminator="\n")
            writer.writeheader()
            writer.writerows(row | machine for row in rows)


if __name__ == "__main__":
    main()
