"""What encoders learn from: masked words, pairs of sentences, contrast; and the batches of a corpus for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from helpers.encoders.recipes import Recipe

__all__ = ["Task", "contrastive_loss", "mask", "sentence_pairs"]

#: Copies of the corpus with fixed masks that BERT is trained on, in turn; RoBERTa draws masks anew in every epoch.
COPIES = {"bert": 10, "roberta": None, "simcse": None}


def mask(
    ids: np.ndarray, draws: np.ndarray, swaps: np.ndarray, *, rate: float, mask_id: int, special: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Hide words for an encoder to find: 80 % become the mask, 10 % a random token, 10 % stay :cite:`devlin2019bert`.

    Parameters
    ----------
    ids
        Tokens, in an array of any shape.
    draws
        Uniform numbers, one for each token, in [0, 1): a token is chosen where its number is below ``rate``.
    swaps
        Random tokens, one for each token, of which some replace it.
    rate
        Share of the tokens to be chosen.
    mask_id
        The token that hides others.
    special
        ``special[t]`` is true for tokens that are never chosen.

    Returns
    -------
    inputs, chosen : numpy.ndarray
        What the encoder reads, and where it must predict ``ids``.

    Examples
    --------
    >>> import numpy as np
    >>> special = np.arange(9) < 5
    >>> inputs, chosen = mask(np.array([2, 7, 8, 6, 3]), np.array([0, 0.1, 0.17, 0.19, 0]), np.full(5, 5),
    ...                       rate=0.2, mask_id=4, special=special)
    >>> inputs.tolist(), chosen.tolist()
    ([2, 4, 5, 6, 3], [False, True, True, True, False])
    """
    import numpy as np

    chosen = (draws < rate) & ~special[ids]
    inputs = np.where(chosen & (draws < 0.8 * rate), mask_id, ids)
    return np.where(chosen & (draws >= 0.8 * rate) & (draws < 0.9 * rate), swaps, inputs), chosen


def sentence_pairs(modules: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Pairs of paragraphs for next-sentence prediction: half follow one another, half come from two modules.

    Parameters
    ----------
    modules
        The module of each paragraph, paragraphs in the order of the text.
    rng
        Decides where pairs begin, and the unrelated.

    Returns
    -------
    numpy.ndarray of int, shape (pairs, 3)
        First paragraph, second paragraph, and 0 where the second follows the first in one module, 1 where it is
        unrelated (as ``transformers`` counts). Every module of two paragraphs or more takes part, and no paragraph is
        the first of two pairs.
    """
    import numpy as np

    modules = np.asarray(modules)
    starts = np.flatnonzero(np.r_[True, modules[1:] != modules[:-1]])
    place = np.arange(len(modules)) - np.repeat(starts, np.diff(np.r_[starts, len(modules)]))
    parity = np.repeat(rng.integers(0, 2, len(starts)), np.diff(np.r_[starts, len(modules)]))
    sizes = np.repeat(np.diff(np.r_[starts, len(modules)]), np.diff(np.r_[starts, len(modules)]))
    follows = np.r_[modules[1:] == modules[:-1], False]
    first = np.flatnonzero(follows & ((place % 2 == parity) | (sizes == 2)))
    second = first + 1
    label = np.zeros(len(first), dtype=int)
    label[rng.permutation(len(first))[: len(first) // 2]] = 1
    unrelated = rng.permutation(len(modules))[np.arange(len(first)) % len(modules)]
    for _ in range(100):
        same = (label == 1) & (modules[unrelated] == modules[first])
        if not same.any():
            break
        unrelated[same] = rng.integers(0, len(modules), same.sum())
    else:
        raise ValueError("the corpus is too small for next-sentence prediction: it has one module, or hardly more")
    return np.column_stack([first, np.where(label == 1, unrelated, second), label])


def contrastive_loss(
    anchors: torch.Tensor, positives: torch.Tensor, negatives: torch.Tensor, temperature: float = 0.05
) -> tuple[torch.Tensor, torch.Tensor]:
    """Loss of each anchor, in nats: its own positive against all positives and hard negatives :cite:`gao2021simcse`.

    Parameters
    ----------
    anchors, positives, negatives
        Vectors, of shape (n, d) each; they are compared by cosines.
    temperature
        What the cosines are divided by.

    Returns
    -------
    losses, right : torch.Tensor, shape (n,)
        Cross-entropy, and whether the own positive is the nearest of the 2n.

    Examples
    --------
    >>> import torch
    >>> losses, right = contrastive_loss(torch.eye(3), torch.eye(3), -torch.eye(3), temperature=1.0)
    >>> round(losses[0].item(), 4), right.tolist()
    (0.9581, [True, True, True])
    """
    import torch
    from torch.nn.functional import cross_entropy, normalize

    others = normalize(torch.cat([positives, negatives]), dim=-1)
    logits = normalize(anchors, dim=-1) @ others.T / temperature
    right = torch.arange(len(anchors))
    return cross_entropy(logits, right, reduction="none"), logits.argmax(1) == right


class Task:
    """A corpus in tokens, and the batches and the loss of one objective."""

    def __init__(self, recipe: Recipe, table: pd.DataFrame, tokenizer: PreTrainedTokenizerBase):
        import numpy as np

        self.recipe, self.tokenizer = recipe, tokenizer
        self.special = np.zeros(len(tokenizer), dtype=bool)
        self.special[tokenizer.all_special_ids] = True
        self.ordinary = np.flatnonzero(~self.special)
        self.table, self.test = table, _Paragraphs(table[table["held_out"]], tokenizer, recipe.length)
        shortest = {"bert": 4, "roberta": 1, "simcse": 4}[recipe.objective]
        if min(len(table) - len(self.test), len(self.test)) < shortest:
            raise ValueError(
                f"the corpus is too small: {len(table) - len(self.test)} paragraphs to train on and {len(self.test)} "
                f"held out; each part needs {shortest} or more"
            )

    @cached_property
    def train(self) -> _Paragraphs:
        return _Paragraphs(self.table[~self.table["held_out"]], self.tokenizer, self.recipe.length)

    def epoch(self, number: int, first: int = 0) -> _Epoch:
        """Batches of an epoch, as arrays, from the given one on; the same at every call."""
        import numpy as np

        from helpers.training import buckets

        recipe = self.recipe
        copies = COPIES[recipe.objective]
        seeds = [recipe.seed, number if copies is None else number % copies]
        rng = np.random.default_rng(seeds)
        rows = getattr(self, f"_{recipe.objective}")(self.train, rng)
        order = np.random.default_rng([recipe.seed, number, 1])
        widths = np.array([max(len(part) for part in row[0]) for row in rows])
        apiece = len(rows[0][0])
        noise = int(rng.integers(2**31))
        return _Epoch(self, rows, buckets(widths, recipe.batch // apiece, order)[first:], noise)

    def _bert(self, text: _Paragraphs, rng: np.random.Generator) -> list[tuple]:
        import numpy as np

        cls, sep, most = self.tokenizer.cls_token_id, self.tokenizer.sep_token_id, self.recipe.paragraph
        rows = []
        for i, j, label in sentence_pairs(text.modules, rng):
            a, b = text[i][:most], text[j][:most]
            ids = np.concatenate([[cls], a, [sep], b, [sep]])
            rows.append(((ids,), len(a) + 2, label, text.modules[i]))
        return rows

    def _roberta(self, text: _Paragraphs, rng: np.random.Generator) -> list[tuple]:
        import numpy as np

        cls, sep, most = [self.tokenizer.cls_token_id], [self.tokenizer.sep_token_id], self.recipe.paragraph
        return [((np.concatenate([cls, text[i][:most], sep]),), 0, 0, text.modules[i]) for i in range(len(text))]

    def _simcse(self, text: _Paragraphs, rng: np.random.Generator) -> list[tuple]:
        import numpy as np

        cls, sep, most = [self.tokenizer.cls_token_id], [self.tokenizer.sep_token_id], self.recipe.paragraph
        rows = []
        triplets = _triplets(text.modules, text.objects, rng)
        for triplet in triplets:
            ids = tuple(np.concatenate([cls, text[i][:most], sep]) for i in triplet)
            rows.append((ids, 0, 0, text.modules[triplet[0]]))
        return rows

    def _collate(self, rows: list[tuple], seeds: list[tuple[int, int]]) -> dict[str, Any]:
        import numpy as np

        parts = [part[k] for k in range(len(rows[0][0])) for part, *_ in rows]
        ids = np.full((len(parts), max(map(len, parts))), self.tokenizer.pad_token_id)
        kinds = np.zeros_like(ids)
        for row, part in enumerate(parts):
            ids[row, : len(part)] = part
        lengths = np.array([len(part) for part in parts])
        seen = np.arange(ids.shape[1]) < lengths[:, None]
        batch = {"ids": ids, "seen": seen, "kinds": kinds, "tokens": int(lengths.sum())}
        batch["modules"] = np.array([row[3] for row in rows])
        if self.recipe.objective == "simcse":
            return batch
        for row, (_, first, _, _) in enumerate(rows):
            kinds[row, first : lengths[row]] = int(first > 0)
        draws, swaps = np.ones(ids.shape), np.zeros(ids.shape, dtype=int)
        for row, seed in enumerate(seeds):
            rng = np.random.default_rng(seed)
            draws[row, : lengths[row]] = rng.random(lengths[row])
            swaps[row, : lengths[row]] = self.ordinary[rng.integers(0, len(self.ordinary), lengths[row])]
        batch["inputs"], batch["chosen"] = mask(
            ids,
            draws,
            swaps,
            rate=self.recipe.masking,
            mask_id=self.tokenizer.mask_token_id,
            special=self.special,
        )
        batch["labels"] = np.array([row[2] for row in rows])
        return batch

    def losses(self, model: PreTrainedModel, batch: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Loss of each predicted token or pair, whether it is right, and the second loss of the objective."""
        import torch
        from torch.nn.functional import cross_entropy

        base = model.base_model
        seen = torch.from_numpy(batch["seen"]).long()
        given = {} if self.recipe.objective == "roberta" else {"token_type_ids": torch.from_numpy(batch["kinds"])}
        ids = torch.from_numpy(batch["ids"])
        if self.recipe.objective == "simcse":
            parts = base(ids, attention_mask=seen, **given).pooler_output.chunk(3)
            return *contrastive_loss(*parts, self.recipe.temperature), torch.zeros(())
        chosen = torch.from_numpy(batch["chosen"])
        output = base(torch.from_numpy(batch["inputs"]), attention_mask=seen, **given)
        hidden, right = output.last_hidden_state[chosen], ids[chosen]
        if self.recipe.objective == "roberta":
            logits, second = model.lm_head(hidden), torch.zeros(())
        else:
            logits = model.cls.predictions(hidden)
            order = model.cls.seq_relationship(output.pooler_output)
            second = cross_entropy(order, torch.from_numpy(batch["labels"]))
        return cross_entropy(logits, right, reduction="none"), logits.argmax(1) == right, second

    def held_out(self, model: PreTrainedModel, sequences: int | None = None) -> tuple[np.ndarray, ...]:
        """Losses, hits and modules of held-out tokens or pairs, and how many sequences they come from."""
        import numpy as np
        import torch

        was, found, used = model.training, [], 0
        model.eval()
        with torch.inference_mode():
            for batch in self._held_out_batches():
                if sequences is not None and used >= sequences:
                    break
                losses, hits, _ = self.losses(model, batch)
                counts = batch["chosen"].sum(1) if "chosen" in batch else 1
                found.append((losses.numpy(), hits.numpy(), np.repeat(batch["modules"], counts)))
                used += len(batch["modules"])
        model.train(was)
        return *(np.concatenate(column) for column in zip(*found, strict=True)), used

    def _held_out_batches(self) -> Iterator[dict[str, Any]]:
        import numpy as np

        rng = np.random.default_rng([self.recipe.seed, 2])
        rows = getattr(self, f"_{self.recipe.objective}")(self.test, rng)
        order = rng.permutation(len(rows))
        for at in range(0, len(order), 32):
            batch = order[at : at + 32]
            if self.recipe.objective != "simcse" or len(batch) == 32 or len(order) < 32:
                yield self._collate([rows[i] for i in batch], [(self.recipe.seed, i) for i in batch])


class _Paragraphs:
    """Tokens of paragraphs one after the other, with the module and the object of each."""

    def __init__(self, table: pd.DataFrame, tokenizer: PreTrainedTokenizerBase, length: int):
        import numpy as np
        import pandas as pd

        texts = list(table["text"])
        ids = (
            tokenizer(texts, add_special_tokens=False, truncation=True, max_length=length)["input_ids"] if texts else []
        )
        self.flat = np.concatenate([np.zeros(0, dtype=np.int64), *map(np.asarray, ids)]).astype(np.int64)
        self.ends = np.cumsum([len(i) for i in ids], dtype=int)
        self.modules = pd.factorize(table["library"] + " " + table["module"])[0]
        self.objects = pd.factorize(table["library"] + " " + table["module"] + " " + table["object"])[0]

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, i: int) -> np.ndarray:
        return self.flat[self.ends[i - 1] if i else 0 : self.ends[i]]


class _Epoch(Sequence):
    """Batches that are made when they are asked for."""

    def __init__(self, task: Task, rows: list[tuple], groups: list[np.ndarray], noise: int):
        self.task, self.rows, self.groups, self.noise = task, rows, groups, noise

    def __len__(self) -> int:
        return len(self.groups)

    def __getitem__(self, number: int) -> dict[str, Any]:
        group = self.groups[number]
        return self.task._collate([self.rows[i] for i in group], [(self.noise, i) for i in group])


def _triplets(modules: np.ndarray, objects: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Anchor and positive of one object, hard negative of another object of the same module."""
    import numpy as np

    found = []
    starts = np.flatnonzero(np.r_[True, modules[1:] != modules[:-1]])
    for begin, end in zip(starts, [*starts[1:], len(modules)], strict=True):
        inside = objects[begin:end]
        for name in np.unique(inside):
            own = begin + np.flatnonzero(inside == name)
            other = begin + np.flatnonzero(inside != name)
            if len(own) < 2 or not len(other):
                continue
            own = rng.permutation(own)
            for a, b in zip(own[::2], own[1::2], strict=False):
                found.append((a, b, rng.choice(other)))
    if not found:
        raise ValueError("the corpus is too small: no module has two objects, one of them with two paragraphs")
    return np.array(found)
