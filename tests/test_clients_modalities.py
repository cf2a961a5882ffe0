"""Text and graph of clients follow their model, ceilings are calibrated, nothing is learnt from test clients."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import tolerance
from scipy import stats

from helpers.clients import bank, ideal_accuracy, read, simulate, split
from helpers.clients import modalities as m
from helpers.clients.modalities import graph as graph_of
from helpers.clients.modalities import texts as texts_of
from helpers.clients.simulator import LIFESTYLES


@pytest.fixture(scope="module")
def clients():
    return simulate(1500, rng=3)


@pytest.fixture(scope="module")
def made(clients):
    return m.make_modalities(clients, rng=3)


def p_of_table(table, expected):
    """p of a chi-squared test of counts against probabilities, row by row."""
    counts, sizes = table.to_numpy(dtype=float), table.sum(axis=1).to_numpy()[:, None]
    terms = (counts - sizes * expected) ** 2 / (sizes * expected)
    return stats.chi2.sf(terms.sum(), counts.shape[0] * (counts.shape[1] - 1))


# Text


def style_of(messages):
    return messages.groupby("client")["style"].first()


@pytest.mark.parametrize(("strength", "holds"), [(1.0, True), (0.0, False)])
def test_topics_follow_the_lifestyle_and_styles_the_age(clients, strength, holds):
    messages = m.write_messages(clients, strength=strength, rng=3)
    topics, styles = texts_of._text_tables(1.0)
    lifestyle = messages["client"].map(clients.latents["lifestyle"].astype(object))
    by_topic = pd.crosstab(lifestyle, messages["topic"]).reindex(index=list(LIFESTYLES), columns=list(texts_of.TOPICS))
    by_style = pd.crosstab(clients.latents["age"], style_of(messages)).reindex(columns=list(texts_of.STYLES))
    assert (p_of_table(by_topic, topics) > tolerance.FALSE_ALARM) == holds
    assert (p_of_table(by_style, styles) > tolerance.FALSE_ALARM) == holds


def test_a_client_quotes_own_purchases_in_one_style(clients, made):
    own = set(zip(clients.events["client"], clients.events["category"], strict=True))
    assert set(zip(made.messages["client"], made.messages["category"], strict=True)) <= own
    assert made.messages.groupby("client")["style"].nunique().max() == 1
    assert all(str(row.category).lower() in row.text.lower() for row in made.messages.head(200).itertuples())
    assert made.texts.index.equals(clients.target.index) and made.texts.str.len().min() > 0
    assert made.messages.groupby("client").size().between(2, 6).all()


def test_draws_of_one_number_differ_from_those_of_the_simulator():
    clients = simulate(4000, rng=0, events=(1, 2))
    style = style_of(m.write_messages(clients, strength=0, rng=0)).cat.codes
    assert stats.chi2_contingency(pd.crosstab(clients.latents["age"], style)).pvalue > tolerance.FALSE_ALARM


def test_one_seed_gives_one_text_and_one_graph(clients, made):
    again, other = m.make_modalities(clients, rng=3), m.make_modalities(clients, rng=4)
    assert again.texts.equals(made.texts) and again.payments.equals(made.payments)
    assert not other.texts.equals(made.texts) and not other.payments.equals(made.payments)


# Graph


def test_payments_between_blocks_are_as_many_as_the_model_expects(clients, made):
    block, activity = graph_of._blocks(clients), made.activity.to_numpy()
    affinity = graph_of._affinity(1.0)
    size = len(affinity)
    mass = np.bincount(block, activity, minlength=size)
    toward = affinity * mass / (affinity @ mass)[:, None]
    expected = 6.0 * mass[:, None] * toward
    selfs = np.bincount(block, activity**2, minlength=size) * np.diag(affinity) / (affinity @ mass) * 6.0
    expected[np.diag_indices(size)] -= selfs
    found = np.zeros((size, size))
    number = made.payments["payments"].to_numpy()
    np.add.at(found, (block[made.payments["payer"]], block[made.payments["payee"]]), number)
    flat = 6.0 * np.outer(mass, mass) / mass.sum()
    many = (expected > 5) & (flat > 5)

    def p_of(rates):
        return stats.chi2.sf(((found - rates)[many] ** 2 / rates[many]).sum(), many.sum())

    assert many.sum() > 200 and p_of(expected) > tolerance.FALSE_ALARM and p_of(flat) < 1e-12  # by no chance
    assert (made.payments["payer"] != made.payments["payee"]).all()


def test_the_evidence_of_a_graph_is_that_of_the_whole_likelihood():
    clients = simulate(25, rng=1)
    made = m.make_modalities(clients, payments=3.0, strength=0.7, rng=1)
    block, theta, affinity = graph_of._blocks(clients), made.activity.to_numpy(), graph_of._affinity(0.7)
    counts = np.zeros((25, 25))
    counts[made.payments["payer"], made.payments["payee"]] = made.payments["payments"]
    other = ~np.eye(25, dtype=bool)

    def likelihood(blocks):
        rate = theta[None] * affinity[np.ix_(blocks, blocks)]
        rate = 3.0 * theta[:, None] * rate / rate.sum(axis=1, keepdims=True)
        return stats.poisson.logpmf(counts, rate)[other].sum()

    found = graph_of.graph_evidence(clients, made).transpose(0, 2, 1).reshape(25, -1)
    for client in (0, 7, 24):
        whole = [likelihood(np.where(np.arange(25) == client, g, block)) for g in range(24)]
        near = tolerance.apart(25 * 24) * np.abs(whole).max()  # sums over pairs of clients
        np.testing.assert_allclose(found[client] - found[client, 0], np.array(whole) - whole[0], rtol=0, atol=near)


# Ceilings


@pytest.fixture(scope="module")
def found(clients, made):
    return m.ceilings(clients, made)


def test_ceilings_are_calibrated(clients, found):
    error = np.sqrt(found["accuracy"] * (1 - found["accuracy"]) / len(clients))
    assert (abs(found["hits"] - found["accuracy"]) < 4 * error).all()


def test_the_ceiling_of_transactions_is_that_of_the_simulator(clients, found):
    ideal = ideal_accuracy(n_clients=1500, rng=3)
    assert found.loc["transactions", "accuracy"] == pytest.approx(ideal, abs=tolerance.apart(1500))


def test_every_modality_adds_evidence(found):
    assert (found["accuracy"] > 0.35).all()
    for name in m.KINDS:
        without = " + ".join(kind for kind in m.KINDS if kind != name)
        assert found.loc["transactions + text + graph", "accuracy"] > found.loc[without, "accuracy"] + 0.005


def test_a_graph_without_homophily_adds_nothing(clients):
    made = m.make_modalities(clients, strength={"graph": 0}, rng=3)
    found = m.ceilings(clients, made)
    assert found.loc["graph", "accuracy"] == pytest.approx(0.25)
    assert found.loc["text + graph", "accuracy"] == pytest.approx(found.loc["text", "accuracy"])


def test_without_evidence_anywhere_the_ceiling_is_chance():
    blind = bank(strength=0)
    clients = simulate(200, model=blind, rng=0)
    made = m.make_modalities(clients, strength=0, rng=0)
    table = m.ceilings(clients, made, model=blind)
    assert table.loc[["transactions", "text", "transactions + text", "graph"], "accuracy"].to_numpy() == pytest.approx(
        0.25
    )


def test_ceilings_need_simulated_clients(clients):
    with pytest.raises(ValueError, match="no latents"):
        m.ceilings(replace(clients, latents=None), m.make_modalities(clients))


# Other sources


def bought(n_clients=60, *, rare=True):
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"client": np.repeat(np.arange(n_clients), 12), "time": np.tile(np.arange(12), n_clients)})
    rows["category"] = rng.choice(["food", "rent", "fun"], len(rows))
    if rare:
        rows.loc[rows["time"] == 0, "category"] = [f"club {i // 2}" for i in range(n_clients)]
    rows["amount"] = 1.0
    return read(rows.assign(target=rows["client"] % 3))


def test_a_table_of_transactions_gets_text_and_graph_of_its_categories():
    clients = bought()
    made = m.make_modalities(clients)
    assert made.texts.index.equals(clients.target.index) and "club 3" in made.texts[6]
    pairs = set(zip(made.payments["payer"], made.payments["payee"], strict=True))
    assert pairs == {(i, i ^ 1) for i in range(60)}
    assert "made of the transactions" in made.origin["text"] and "60 of 60" in made.origin["graph"]


def test_a_graph_that_cannot_be_made_is_said_to_be_absent():
    made = m.make_modalities(bought(rare=False))
    assert made.payments is None and made.origin["graph"].startswith("absent")


def test_no_target_decides_text_or_graph(clients, made):
    shuffled = replace(clients, target=clients.target.sample(frac=1, random_state=0).set_axis(clients.target.index))
    again = m.make_modalities(shuffled, rng=3)
    assert again.texts.equals(made.texts) and again.payments.equals(made.payments)
    source = bought()
    other = m.make_modalities(replace(source, target=source.target * 0))
    assert other.texts.equals(m.make_modalities(source).texts) and other.payments.equals(
        m.make_modalities(source).payments
    )


# Embeddings


@pytest.fixture(scope="module")
def parts(clients):
    return split(clients, experiment=0)


def test_texts_of_other_clients_do_not_change_what_is_learnt(made, parts):
    before = m.embed_texts(made.texts, parts)
    spoiled = made.texts.where(parts != "test", "nothing that anybody else says")
    after = m.embed_texts(spoiled, parts)
    kept = (parts != "test").to_numpy()
    assert before.shape == (1500, 32) and np.array_equal(before[kept], after[kept])
    assert not np.allclose(before[~kept], after[~kept])


def test_text_embeddings_are_latent_semantic_analysis(made, parts):
    found = m.embed_texts(made.texts, parts, width=8)
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline

    counter = TfidfVectorizer(token_pattern=r"(?u)\b\w+\b", sublinear_tf=True, min_df=2)
    theirs = make_pipeline(counter, TruncatedSVD(9, algorithm="arpack"))
    theirs.fit(made.texts[parts == "train"])
    expected, sizes = theirs.transform(made.texts)[:, :8], theirs[-1].singular_values_
    # Single precision of what is stored; before, rounding of squares over the smallest gap that sets an axis apart.
    gap = abs(np.diff(sizes**2)).min() / sizes[0] ** 2
    rounding = {"rtol": 2 * tolerance.unit("float32"), "atol": tolerance.inner(len(made.texts)) / gap}
    np.testing.assert_allclose(abs(found), abs(expected), **rounding)


def test_a_spectral_embedding_by_hand():
    few = simulate(80, rng=1)
    paid = m.make_modalities(few, payments=8, rng=1).payments
    found = m.embed_graph(paid, few.target.index, width=5).to_numpy()
    links = np.zeros((80, 80))
    links[paid["payer"], paid["payee"]] = paid["payments"]
    links = np.log1p(links + links.T)
    scale = 1 / np.sqrt(links.sum(axis=1) + links.sum(axis=1).mean())
    values, vectors = np.linalg.eigh(scale[:, None] * links * scale)
    by_hand = vectors[:, ::-1][:, :5] * values[::-1][:5]
    by_hand /= np.linalg.norm(by_hand, axis=1, keepdims=True)
    # Single precision of what is stored; before, rounding over the smallest gap that sets an axis apart.
    gap = abs(np.diff(values[::-1][:6])).min() / values[-1]
    rounding = {"rtol": 2 * tolerance.unit("float32"), "atol": tolerance.inner(80) * np.sqrt(80) / gap}
    np.testing.assert_allclose(abs(found), abs(by_hand), **rounding)


def test_a_client_without_a_link_has_zeros(made):
    alone = m.embed_graph(made.payments, range(1502), width=4)
    assert (alone.iloc[1500:] == 0).all().all() and np.allclose(np.linalg.norm(alone.iloc[:1500], axis=1).max(), 1)


def test_out_of_sample_uses_no_link_among_the_others(clients, made, parts):
    train = parts.index[parts == "train"]
    seen = made.payments["payer"].isin(train) | made.payments["payee"].isin(train)
    assert 0 < (~seen).sum() < len(seen)
    before = m.embed_graph(made.payments, clients.target.index, seen=train)
    after = m.embed_graph(made.payments[seen], clients.target.index, seen=train)
    np.testing.assert_array_equal(before, after)
    everybody = m.embed_graph(made.payments, clients.target.index, seen=clients.target.index)
    np.testing.assert_array_equal(everybody, m.embed_graph(made.payments, clients.target.index))


def test_the_graph_tells_lifestyles_apart_only_if_there_is_homophily(clients, made):
    def within(payments):
        x = m.embed_graph(payments, clients.target.index).to_numpy()
        same = clients.latents["lifestyle"].cat.codes.to_numpy()
        alike = same[:, None] == same
        cosines = x @ x.T
        return cosines[alike].mean() - cosines[~alike].mean()

    blind = m.make_modalities(clients, strength=0, rng=3)
    assert within(made.payments) > 0.05 > 0.01 > abs(within(blind.payments))


def test_an_encoder_takes_the_place_of_the_words(monkeypatch):
    def extract(model, texts, *, progress, max_length=None):
        assert model == "an encoder" and not progress and max_length == 8
        return {f"layer {i}": np.full((len(texts), 3), float(i)) for i in range(3)}

    monkeypatch.setattr("helpers.encoders.extraction.extract", extract)
    texts = pd.Series(["one card was refused", "two cards", "the app is slow"], index=[4, 5, 6])
    parts = pd.Series("train", index=texts.index)
    found = m.embed_texts(texts, parts, model="an encoder", max_length=8)
    assert found.shape == (3, 3) and found.index.tolist() == [4, 5, 6] and (found == 2).all().all()
    assert (m.embed_texts(texts, parts, model="an encoder", layer="layer 1", max_length=8) == 1).all().all()
    with pytest.raises(ValueError, match="layer is 'top'; an encoder has layer 0, layer 1"):
        m.embed_texts(texts, parts, model="an encoder", layer="top", max_length=8)


def test_numbers_out_of_range_are_refused(clients, made, parts):
    with pytest.raises(ValueError, match="strength is 2"):
        m.write_messages(clients, strength=2)
    with pytest.raises(ValueError, match="strength names 'words'"):
        m.make_modalities(clients, strength={"words": 1})
    with pytest.raises(ValueError, match="messages is"):
        m.write_messages(clients, messages=(0, 1))
    with pytest.raises(ValueError, match="payments is 0"):
        m.make_payments(clients, payments=0)
    with pytest.raises(ValueError, match="rare is 2"):
        m.link_rare_categories(clients, rare=2)
    with pytest.raises(ValueError, match="1499 is not among the clients"):
        m.embed_graph(made.payments, clients.target.index[:1499])
    with pytest.raises(ValueError, match="with no link"):
        m.embed_graph(made.payments[:0], clients.target.index)
    with pytest.raises(ValueError, match="text of client 0 is blank"):
        m.embed_texts(made.texts.where(made.texts.index > 0, " "), parts)
