"""Tests of :mod:`helpers.inversion.decoders`."""

import pytest
import torch

from helpers.inversion.decoders import DECODERS, make_decoder
from helpers.inversion.tokens import BOS, EOS, MASK, PAD

CAUSAL = ("autoregressive", "prefix", "mamba", "delta")


def made(name, **options):
    torch.manual_seed(0)
    settings = {"vocabulary": 30, "hidden": 64, "layers": 2, "length": 9} | options
    return make_decoder(name, 6, **settings).eval()


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(4, 30, (5, 8), generator=generator)
    tokens[:, 7] = EOS
    tokens[2, 4:] = torch.tensor([EOS, PAD, PAD, PAD])
    return torch.randn(5, 6, generator=generator), tokens


@pytest.mark.parametrize("name", DECODERS)
def test_weights_that_are_not_kept_are_those_that_never_act(name, batch):
    decoder = made(name)
    decoder.losses(*batch).sum().backward()
    never = {weight for weight, value in decoder.named_parameters() if value.grad is None}
    assert never == {weight for weight, _ in decoder.named_parameters() if weight.startswith(decoder.idle or ("-",))}


@pytest.mark.parametrize("name", CAUSAL)
@pytest.mark.parametrize("n_slots", [1, 3])
def test_no_token_is_said_with_knowledge_of_itself_or_of_later_ones(name, n_slots, batch):
    vectors, tokens = batch
    decoder = made(name, n_slots=n_slots)
    changed = tokens.clone()
    changed[:, 3:] = (changed[:, 3:] + 1) % 26 + 4
    before, after = decoder.logits(vectors, tokens), decoder.logits(vectors, changed)
    # Rounding of products of another order of summation; logits are below 10.
    assert torch.allclose(before[:, :4], after[:, :4], atol=10 * 64 * 2**-23)
    assert not torch.allclose(before[:, 4:], after[:, 4:], atol=1e-3)


@pytest.mark.parametrize("name", DECODERS)
def test_what_is_said_depends_on_the_vector(name, batch):
    vectors, tokens = batch
    decoder = made(name)
    vectors.requires_grad_(True)
    decoder.losses(vectors, tokens).sum().backward()
    assert (vectors.grad.abs().sum(1) > 0).all()


@pytest.mark.parametrize("name", (*CAUSAL, "one_pass"))
def test_losses_are_those_of_the_tokens_that_are_no_padding(name, batch):
    vectors, tokens = batch
    decoder = made(name)
    real = tokens != PAD
    wanted = -decoder.logits(vectors, tokens).log_softmax(-1).gather(-1, tokens[..., None])[..., 0][real]
    # Logits below 10, sums of 64 terms in single precision.
    assert torch.allclose(decoder.losses(vectors, tokens), wanted, atol=1e-5)
    assert len(wanted) == real.sum()


@pytest.mark.parametrize("name", CAUSAL)
def test_the_likeliest_token_each_time_is_what_greedy_search_writes(name, batch):
    vectors, _ = batch
    decoder = made(name, n_slots=2)
    with torch.inference_mode():
        written = decoder.write(vectors, beams=1, length=6)
        tokens = torch.full((5, 6), PAD)
        for place in range(6):
            tokens[:, place] = decoder.logits(vectors, tokens)[:, place].argmax(-1)
    for row, other in zip(written.tolist(), tokens.tolist(), strict=True):
        end = other.index(EOS) + 1 if EOS in other else 6
        assert row[:end] == other[:end]
        assert all(token == PAD for token in row[end:])


@pytest.mark.parametrize("name", CAUSAL)
def test_many_beams_find_what_is_at_least_as_likely(name, batch):
    vectors, _ = batch
    decoder = made(name)

    def likelihood(rows):
        rows = torch.nn.functional.pad(rows, (0, 6 - rows.shape[1]), value=PAD)
        chances = decoder.logits(vectors, rows).log_softmax(-1).gather(-1, rows[..., None])[..., 0]
        return (chances * (rows != PAD)).sum(1)

    with torch.inference_mode():
        few = likelihood(decoder.write(vectors, beams=1, length=6))
        many = likelihood(decoder.write(vectors, beams=40, length=6, length_penalty=0.0))
    assert (many >= few - 1e-4).all()


def test_a_few_passes_decide_every_token(batch):
    vectors, _ = batch
    decoder = made("iterative")
    for passes in (1, 3, 9, 50):
        with torch.inference_mode():
            assert not (decoder.write(vectors, beams=1, length=9, passes=passes) == MASK).any()


def test_one_iterative_pass_is_the_likeliest_token_at_each_place(batch):
    vectors, _ = batch
    decoder = made("iterative")
    with torch.inference_mode():
        hidden = torch.full((5, 9), MASK)
        scores = decoder.logits(vectors, hidden)
        scores[..., [PAD, BOS, MASK]] = -torch.inf
        assert torch.equal(decoder.write(vectors, beams=1, length=9, passes=1), scores.argmax(-1))


def test_texts_are_shifted_by_their_beginning(batch):
    from helpers.inversion.decoders import shifted

    _, tokens = batch
    assert (shifted(tokens)[:, 0] == BOS).all()
    assert torch.equal(shifted(tokens)[:, 1:], tokens[:, :-1])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"hidden": 47}, "hidden is 47; an even number"),
        ({"length": 0}, "length"),
        ({"n_slots": 0}, "n_slots"),
    ],
)
def test_what_makes_no_decoder_is_refused(options, words):
    with pytest.raises(ValueError, match=words):
        made("autoregressive", **options)


@pytest.mark.parametrize("name", ["mamba", "delta"])
@pytest.mark.parametrize("rank", [1, 3])
def test_the_first_state_of_a_layer_has_the_rank_that_was_asked_for(name, rank, batch):
    start = made(name, rank=rank).start(batch[0])
    assert (torch.linalg.matrix_rank(start) == rank).all()


@pytest.mark.parametrize("name", ["mamba", "delta"])
def test_a_first_state_reaches_the_end_of_a_text(name, batch):
    vectors, tokens = batch
    vectors.requires_grad_(True)
    long = tokens[:1].repeat(1, 4)
    grads = []
    for rate in (None, 16.0):
        decoder = made(name, length=40)
        for weight, decay in decoder.net.named_parameters():
            if weight.endswith("A_log") and rate:
                decay.data.fill_(rate).log_()
        grads.append(torch.autograd.grad(decoder.logits(vectors[:1], long)[0, -1].square().sum(), vectors)[0].norm())
    assert grads[0] > grads[1]  # the last token still depends on the vector, and less so if heads forget faster


def test_an_unknown_decoder_is_told_which_there_are():
    with pytest.raises(ValueError, match="decoder is 'gpt'; it is one of autoregressive, prefix"):
        made("gpt")


@pytest.mark.parametrize("name", CAUSAL)
def test_of_words_that_are_dropped_the_decoder_sees_nothing(name, batch):
    vectors, tokens = batch
    decoder, real = made(name), batch[1] != PAD
    dropped = decoder.losses(vectors, tokens, word_dropout=1 - 1e-9)  # all of them
    blank = decoder.said(decoder.states(vectors, torch.full_like(tokens, MASK)))[real]
    wanted = torch.nn.functional.cross_entropy(blank, tokens[real], reduction="none")
    # Sums over 64 numbers in single precision, of other paddings.
    assert torch.allclose(dropped, wanted, rtol=1e-4)
    assert not torch.allclose(dropped, decoder.losses(vectors, tokens))
