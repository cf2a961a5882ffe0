"""A language model that exists reads a vector: a learned map turns it into soft prompts in front of the text."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from helpers.arrays import check_count, single_precision
from helpers.inversion._given import REACH, learned_from, warn_of_far
from helpers.inversion.inverter import checked_texts

__all__ = ["PromptedDecoder"]

BUDGETS = ("folder", "epochs", "minutes")
"""Parameters that may be others when a training goes on."""


class PromptedDecoder(BaseEstimator):
    """A pretrained causal language model that writes the text of a vector.

    The vector is mapped to a few states in front of the text, as if it were words. The map is trained; the model is
    frozen, or trained in low-rank updates of its matrices :cite:`hu2022lora`.

    Parameters
    ----------
    model
        Folder of a causal language model, or its name on the hub; its own tokenizer is used.
    n_prompts
        States that a vector becomes.
    lora
        Rank of the updates of the model's linear layers; None: the model stays as it is. It needs the package peft.
    length
        Most tokens of a text, its end included; longer texts are truncated.
    learning_rate
        Rate of AdamW after a warm-up; it falls to 0 along a cosine.
    warmup
        Steps over which the rate rises.
    batch_tokens
        Most tokens of a batch, with padding.
    epochs, minutes
        Budgets of training; the first to be used up ends it.
    folder
        Where training is kept, so that it goes on after an interruption; None: nowhere.
    random_state
        Seed of weights and batches.

    Attributes
    ----------
    network_ : torch.nn.ModuleDict
        ``"map"`` and ``"model"``.
    truncated_ : ndarray of int
        Rows of training texts that were longer than ``length``.
    log_ : list of dict
        Rows of :class:`helpers.training.Trained`.
    """

    def __init__(
        self,
        model: str | os.PathLike[str],
        *,
        n_prompts: int = 4,
        lora: int | None = None,
        length: int = 48,
        learning_rate: float = 0.001,
        warmup: int = 50,
        batch_tokens: int = 1024,
        epochs: int | None = None,
        minutes: float | None = None,
        folder: str | os.PathLike[str] | None = None,
        random_state: int = 0,
    ):
        self.model = model
        self.n_prompts = n_prompts
        self.lora = lora
        self.length = length
        self.learning_rate = learning_rate
        self.warmup = warmup
        self.batch_tokens = batch_tokens
        self.epochs = epochs
        self.minutes = minutes
        self.folder = folder
        self.random_state = random_state

    def fit(self, texts: Sequence[str], y: Any = None, *, vectors: Any) -> PromptedDecoder:
        """Train the map, and the updates if there are any, on texts and their vectors.

        Parameters
        ----------
        texts
            Strings, none of them blank.
        y
            Ignored; there for the manner of scikit-learn.
        vectors : array_like of shape (n, p)
            A vector for each text.

        Raises
        ------
        ImportError
            If updates are asked for and peft is not installed.
        OSError, ValueError
            If the folder is no causal language model with a tokenizer, or has too few positions for prompts and texts;
            if lengths differ, a text is blank, a vector is not finite, or no budget is given.

        Warns
        -----
        UserWarning
            If texts were truncated; the warning counts them.
        """
        import torch

        from helpers.training import Checkpoints, Update, bucketed, train

        texts = checked_texts(texts, "texts")
        x = single_precision(vectors, "vectors", rows=1)
        if len(x) != len(texts):
            raise ValueError(f"vectors has {len(x)} rows, and there are {len(texts)} texts; a row for each is needed")
        for value, name in ((self.n_prompts, "n_prompts"), (self.batch_tokens, "batch_tokens")):
            check_count(value, name)
        check_count(self.length, "length", least=2)
        if self.epochs is None and self.minutes is None:
            raise ValueError("neither epochs nor minutes are given; pass one, such as minutes=3")
        self.centre_ = x.mean(0, dtype=np.float64).astype(np.float32)
        self.spread_ = float(np.sqrt(np.mean((x - self.centre_) ** 2))) or 1.0
        self.reach_ = float(np.quantile(np.linalg.norm(x - self.centre_, axis=1), REACH))
        self._build(x.shape[1])
        rows = self._rows(texts)
        if self.truncated_.size:
            warnings.warn(
                f"{len(self.truncated_)} of {len(texts)} texts are longer than {self.length} tokens and were "
                f"truncated, the first of them texts[{self.truncated_[0]}]; pass a larger length to read them whole",
                stacklevel=2,
            )
        z = torch.from_numpy((x - self.centre_) / np.float32(self.spread_))
        trained = [weight for weight in self.network_.parameters() if weight.requires_grad]
        folder = None if self.folder is None else Checkpoints(self.folder, about=self._about(texts, x))
        found = train(
            self.network_,
            lambda batch, step: self._loss(z[batch], [rows[i] for i in batch]),
            bucketed([len(row) for row in rows], self.batch_tokens),
            epochs=self.epochs,
            minutes=self.minutes,
            optimizer=torch.optim.AdamW(trained, lr=self.learning_rate, weight_decay=0.01),
            update=Update("cosine", warmup=self.warmup, clip=1.0),
            rng=self.random_state,
            folder=folder,
        )
        self.log_ = found.log
        self.network_.eval()
        return self

    def decode(self, vectors: Any, *, beams: int = 1, batch: int = 64, **options: Any) -> list[str]:
        """The text of each vector.

        Parameters
        ----------
        vectors : array_like of shape (n, p)
            Vectors like those of training.
        beams
            Beams of the search; 1: always the likeliest token.
        batch
            Vectors that are decoded at a time.
        options
            What else ``generate`` of transformers takes.

        Warns
        -----
        UserWarning
            If a vector lies outside the cloud of training; the warning says how far.
        """
        import torch

        from helpers.encoders.extraction import quiet

        check_is_fitted(self, "network_")
        x = single_precision(vectors, "vectors", rows=1)
        if x.shape[1] != len(self.centre_):
            raise ValueError(f"vectors have {x.shape[1]} columns; this decoder reads vectors of {len(self.centre_)}")
        warn_of_far(x, self.centre_, self.reach_)
        z = torch.from_numpy((x - self.centre_) / np.float32(self.spread_))
        out: list[str] = []
        given = {"num_beams": check_count(beams, "beams"), "max_new_tokens": self.length, "do_sample": False}
        given |= {"pad_token_id": self._end, "eos_token_id": self._end, **options}
        with torch.inference_mode(), quiet():
            for at in range(0, len(z), check_count(batch, "batch")):
                prompts = self._prompts(z[at : at + batch])
                mask = torch.ones(prompts.shape[:2], dtype=torch.long)
                found = self.network_["model"].generate(inputs_embeds=prompts, attention_mask=mask, **given)
                out += self.tokenizer_.batch_decode(found, skip_special_tokens=True)
        return [text.strip() for text in out]

    def _build(self, width: int) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        from helpers.encoders.extraction import quiet, resolve_model
        from helpers.encoders.model_folders import check_all_loaded, model_files, position_limit
        from helpers.encoders.sentence_folders import loading

        folder = resolve_model(self.model)
        if isinstance(folder, Path):
            model_files(folder)
        options = {"dtype": torch.float32, "use_safetensors": True, "output_loading_info": True}
        with loading(Path(folder)), quiet(), torch.random.fork_rng([]):
            torch.manual_seed(self.random_state)
            self.tokenizer_ = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
            net, found = AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=False, **options)
            check_all_loaded(folder, net, found["missing_keys"], ())
            limit, wanted = position_limit(net), self.n_prompts + self.length
            if limit is not None and limit < wanted:
                raise ValueError(
                    f"length {self.length} and {self.n_prompts} prompts need {wanted} positions; it has {limit}"
                )
            table = net.get_input_embeddings().weight
            net.requires_grad_(False)
            if self.lora is not None:
                from peft import LoraConfig, get_peft_model

                rank = check_count(self.lora, "lora")
                net = get_peft_model(net, LoraConfig(r=rank, target_modules="all-linear", task_type="CAUSAL_LM"))
            made = torch.nn.Linear(width, self.n_prompts * table.shape[1])
            with torch.no_grad():
                # Prompts begin with the spread of the words of the model, so that it takes them for words.
                made.weight.normal_(std=float(table.std()) * width**-0.5)
        self._end = self.tokenizer_.eos_token_id
        if self._end is None:
            raise ValueError(f"the tokenizer of {self.model} has no token for the end of a text")
        self.network_ = torch.nn.ModuleDict({"map": made, "model": net}).eval()

    def _rows(self, texts: Sequence[str]) -> list[np.ndarray]:
        found = self.tokenizer_(list(texts), add_special_tokens=False)["input_ids"]
        self.truncated_ = np.flatnonzero([len(ids) >= self.length for ids in found])
        return [np.array([*ids[: self.length - 1], self._end], dtype=np.int64) for ids in found]

    def _prompts(self, z: Any) -> Any:
        return self.network_["map"](z).unflatten(1, (self.n_prompts, -1))

    def _loss(self, z: Any, rows: list[np.ndarray]) -> Any:
        import torch

        from helpers.inversion.tokens import padded

        tokens = padded(rows, fill=self._end)
        real = torch.arange(tokens.shape[1])[None] < torch.tensor([[len(row)] for row in rows])
        model = self.network_["model"]
        seen = torch.cat([self._prompts(z), model.get_input_embeddings()(tokens)], 1)
        scores = model(inputs_embeds=seen, use_cache=False).logits[:, self.n_prompts - 1 : -1]
        return torch.nn.functional.cross_entropy(scores[real], tokens[real])

    def _about(self, texts: Sequence[str], x: np.ndarray) -> dict[str, Any]:
        from helpers.inversion.training import digest_of_weights

        settings = {name: str(value) for name, value in self.get_params().items() if name not in BUDGETS}
        return settings | learned_from(texts, x) | {"weights of the model": digest_of_weights(self.network_["model"])}
