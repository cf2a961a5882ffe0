"""Parameters of encoders are merged: by hand compared, and refused where shapes or weights are wrong."""

import numpy as np
import pytest
import tolerance
import torch

from helpers.encoders.merging import cocktail_weights, greedy_soup, merge_encoders, merge_states

WORDS = ["[PAD]", "[UNK]", "кот", "дом", "лес", "река", "стол"]


def encoder(seed, width=6, words=WORDS):
    """A static encoder: the mean of the vectors of its words."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    weights = np.random.default_rng(seed).normal(size=(len(words), width)).astype(np.float32)
    return SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_weights=weights)], device="cpu")


def weight(model):
    (values,) = model.state_dict().values()
    return values.numpy().astype(np.float64)


SINGLE = tolerance.apart(6, "float32")


def close(found, expected, widest=1.0):
    np.testing.assert_allclose(found, expected, rtol=0, atol=SINGLE * widest * np.abs(expected).max())


def test_the_mean_of_two_encoders_is_that_of_their_parameters():
    one, two = encoder(1), encoder(2)
    before = weight(one).copy()
    merged = merge_encoders([one, two], weights=[0.25, 0.75])
    close(weight(merged), 0.25 * weight(one) + 0.75 * weight(two))
    assert (weight(one) == before).all() and merged.encode(["кот дом"]).shape == (1, 6)
    close(
        weight(merge_encoders([one, two, encoder(3)])), np.mean([weight(encoder(seed)) for seed in (1, 2, 3)], axis=0)
    )


def test_losses_give_the_weights_of_a_cocktail():
    one, two = encoder(1), encoder(2)
    share = 1 / (1 + np.exp(-(2.0 - 1.0) / 0.5))
    close(
        weight(merge_encoders([one, two], losses=[1.0, 2.0], temperature=0.5)),
        share * weight(one) + (1 - share) * weight(two),
    )


def test_a_sphere_keeps_the_length_between_two_vectors_of_one_length():
    one, two = encoder(1), encoder(2)
    with torch.no_grad():
        for model in (one, two):
            (values,) = model.parameters()
            values /= values.norm(dim=-1, keepdim=True)
    merged = weight(merge_encoders([one, two], "slerp", weights=[0.5, 0.5]))
    a, b = weight(one).ravel(), weight(two).ravel()
    angle = np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    expected = np.sin(angle / 2) / np.sin(angle) * (a + b)
    rows = np.stack([x + y for x, y in zip(weight(one), weight(two), strict=True)])
    cosines = np.sum(weight(one) * weight(two), axis=1)
    by_row = rows / np.sqrt(2 * (1 + cosines))[:, None]
    # mergekit turns either the whole tensor or each row, by its version
    distances = [np.abs(merged.ravel() - expected).max(), np.abs(merged - by_row).max()]
    assert min(distances) <= 10 * SINGLE / np.sin(angle)


def test_task_vectors_are_differences_from_the_base():
    one, two, base = encoder(1), encoder(2), encoder(3)
    merged = merge_encoders([one, two], "task_arithmetic", weights=[0.5, 2.0], base=base)
    expected = weight(base) + 0.5 * (weight(one) - weight(base)) + 2 * (weight(two) - weight(base))
    close(weight(merged), expected, widest=8)


def test_ties_keeps_the_sign_that_most_of_the_differences_have():
    base, one, two = encoder(3), encoder(1), encoder(2)
    merged = weight(merge_encoders([one, two], "ties", base=base, density=1.0))
    first, second = weight(one) - weight(base), weight(two) - weight(base)
    sign = np.sign(first + second)
    kept = [np.where(np.sign(each) == sign, each, 0.0) for each in (first, second)]
    counts = sum((np.sign(each) == sign).astype(int) for each in (first, second))
    mean = weight(base) + sum(kept) / np.maximum(counts, 1)
    close(merged, mean, widest=8)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"method": "best"}, "method is 'best'; it is one of 'linear'"),
        ({"weights": [0.5, 0.6]}, "weights sum to 1.1; they have to sum to 1"),
        ({"weights": [1.0]}, "one finite number for each of 2 models"),
        ({"weights": [0.5, 0.5], "losses": [1, 2]}, "weights and losses are both given"),
        ({"losses": [1.0]}, "there are 1 losses for 2 models"),
        ({"method": "ties"}, "method 'ties' needs a base"),
        ({"base": 0}, "method 'linear' takes no base"),
        ({"method": "slerp", "weights": [0.2, 0.2]}, "weights sum to 0.4"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        merge_encoders([encoder(1), encoder(2)], **arguments)


def test_shapes_that_differ_are_named():
    with pytest.raises(ValueError, match=r"embedding.weight has the shape \(7, 6\) in model 0 and \(7, 5\) in model 1"):
        merge_encoders([encoder(1), encoder(2, width=5)])
    with pytest.raises(ValueError, match="1 models are given; two at least"):
        merge_encoders([encoder(1)])
    with pytest.raises(ValueError, match="merges 2 models, and 3 are given"):
        merge_encoders([encoder(i) for i in range(3)], "slerp")
    with pytest.raises(ValueError, match="model 1 has no parameter b"):
        merge_states([{"a": torch.ones(2), "b": torch.ones(1)}, {"a": torch.ones(2)}])
    with pytest.raises(ValueError, match="n is of type torch.int64 and differs"):
        merge_states([{"n": torch.tensor([1])}, {"n": torch.tensor([2])}])


def test_means_of_states_keep_their_type():
    states = [{"w": torch.full((2,), value, dtype=torch.float16), "n": torch.tensor([3])} for value in (1.0, 2.0)]
    merged = merge_states(states, [0.5, 0.5])
    assert merged["w"].dtype == torch.float16 and merged["w"].tolist() == [1.5, 1.5] and merged["n"].tolist() == [3]


def test_weights_by_losses_do_not_depend_on_a_shift_and_favour_the_lowest():
    weights = cocktail_weights([3.0, 2.0, 5.0])
    assert np.argmax(weights) == 1 and weights.sum() == pytest.approx(1)
    assert weights == pytest.approx(cocktail_weights([1003.0, 1002.0, 1005.0]))
    assert cocktail_weights([1.0, 2.0], temperature=1e-3).tolist() == [1.0, 0.0]
    for bad in ([], [np.nan], [[1.0]]):
        with pytest.raises(ValueError, match="losses are"):
            cocktail_weights(bad)
    with pytest.raises(ValueError, match="temperature is 0"):
        cocktail_weights([1.0], temperature=0)


def test_a_greedy_soup_never_scores_below_its_best_model():
    rng = np.random.default_rng(0)
    for _ in range(20):
        models = list(rng.normal(size=(5, 3)))
        soup, chosen = greedy_soup(models, lambda x: -float(np.linalg.norm(x)), lambda some: np.mean(some, axis=0))
        assert np.linalg.norm(soup) <= min(map(np.linalg.norm, models)) and chosen[0] == np.argmin(
            [np.linalg.norm(model) for model in models]
        )
        # a soup of one is that model; of several their mean, whose last bits depend on the order of the sum
        assert soup == pytest.approx(np.mean([models[i] for i in chosen], axis=0))
    with pytest.raises(ValueError, match="models is empty"):
        greedy_soup([], len, len)
