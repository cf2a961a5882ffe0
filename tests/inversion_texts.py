"""Eight texts, an inverter that can write them, made once for all tests, and a language model that cannot yet."""

from functools import cache

from helpers.inversion import Inverter

TEXTS = [f"{what} {how} {when}." for what in ("oil", "gold") for how in ("falls", "rises") for when in ("now", "again")]
SMALL = {
    "width": 12,
    "n_heads": 2,
    "hidden": 64,
    "layers": 1,
    "vocabulary": 262,
    "length": 20,
    "warmup": 20,
    "learning_rate": 0.005,
    "dropout": 0.0,
}


@cache
def small_inverter() -> Inverter:
    """It writes each of the texts from its vector."""
    return Inverter(**SMALL, epochs=200).fit(TEXTS)


def save_language_model(folder):
    """Save a very small language model that nobody trained, with a tokenizer of the texts."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    from helpers.inversion.tokens import TokenTable

    names = {"eos_token": "<eos>", "bos_token": "<bos>", "pad_token": "<pad>"}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=TokenTable.train(TEXTS, 280).tokenizer, **names)
    tokenizer.save_pretrained(folder)
    sizes = {"n_embd": 48, "n_layer": 2, "n_head": 2, "n_positions": 40}
    ends = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        GPT2LMHeadModel(GPT2Config(vocab_size=len(tokenizer), **sizes, **ends)).save_pretrained(folder)
    return folder


def save_paraphraser(folder):
    """Save a very small T5 that nobody trained, with a tokenizer of the texts."""
    import torch
    from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

    from helpers.inversion.tokens import TokenTable

    names = {"eos_token": "<eos>", "pad_token": "<pad>"}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=TokenTable.train(TEXTS, 280).tokenizer, **names)
    tokenizer.save_pretrained(folder)
    sizes = {"d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 1, "num_heads": 2}
    ends = {"eos_token_id": 2, "pad_token_id": 0, "decoder_start_token_id": 0}
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        T5ForConditionalGeneration(T5Config(vocab_size=len(tokenizer), **sizes, **ends)).save_pretrained(folder)
    return folder
