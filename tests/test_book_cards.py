"""The generated pages have a card for everything registered, with numbers that the code computes."""

import re
import sys
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import pandas as pd
import pytest

from helpers.book import cards
from helpers.book.cards import PAGES, curve_picture, page_text, share_picture
from helpers.ensembles.registry import ENSEMBLES
from helpers.quality import QUALITIES
from helpers.quality.cases import judge_quality
from helpers.similarity import MEASURES
from helpers.similarity.cases import judge_case

ROOT = Path(__file__).parents[1]
QUICK = ("cca", "jaccard", "magnitude_difference")


@pytest.mark.parametrize("name", QUICK)
def test_the_card_of_a_measure_says_all_that_is_known_of_it_and_computes_its_case(name):
    measure, card = MEASURES[name], cards.measure_card(name)
    assert card.startswith(f"### `{name}`\n") and measure.formula in card and measure.summary in card
    for key in ("Kind", "Unchanged by", "Order", "Cost", "Chance level", "Source", "Fooled"):
        assert f"- **{key}:** " in card
    assert all(invariance in card for invariance in measure.invariances)
    assert f"{{cite:t}}`{measure.reference}`" in card and f'MEASURES["{name}"](x, y)' in card
    found = judge_case(name, measure.fooled)
    assert f"It says {cards._number(found.alike)} of " in card and f"and {cards._number(found.unlike)} of " in card


def test_cards_of_a_quality_and_of_an_ensemble_compute_their_cases():
    found, card = judge_quality("rankme", QUALITIES["rankme"].fooled), cards.quality_card("rankme")
    assert f"It says {found.good:.2f} of " in card and "{cite:t}`garrido2023rankme`" in card
    card = cards.ensemble_card("QP")
    assert "- **Labels:** for the qualities" in card and "QP().fit(layers, quality=quality)" in card


@pytest.mark.parametrize(
    ("page", "card", "names"),
    [
        ("measures", "measure_card", [*MEASURES]),
        ("qualities", "quality_card", [*QUALITIES]),
        ("ensembles", "ensemble_card", [*ENSEMBLES]),
    ],
)
def test_a_page_has_a_card_for_everything_that_is_registered(monkeypatch, page, card, names):
    monkeypatch.setattr(cards, card, lambda name: f"### `{name}`")
    found = re.findall(r"^### `(\w+)`$", page_text(page), re.MULTILINE)
    assert sorted(found) == sorted(names)


def test_every_family_of_measures_has_a_heading():
    assert {measure.module.rpartition(".")[2] for measure in MEASURES.values()} == set(cards.KINDS)


def test_published_scores_are_all_there_as_printed():
    scores, text = pd.read_csv(ROOT / "data" / "published" / "layer_fusion.csv"), page_text("published")
    cells = re.findall(r"(?<=\| )\**(0\.\d{3})\**(?= \|)", text)
    assert sorted(cells) == sorted(f"{score:.3f}" for score in scores["score"])
    assert [f"## `{model}`" in text for model in scores["model"].unique()] == [True] * 3
    assert text.count("**") // 2 >= 18


def test_a_drawing_is_valid_described_and_has_the_colour_of_the_text():
    for picture in (curve_picture([[1, 0.5], [0, 1]], 'a < "b"', level=0.2), share_picture({"a": 0.3, "b": 1.0}, "x")):
        drawing = ElementTree.fromstring(picture)[0]
        assert drawing.attrib["role"] == "img" and drawing.attrib["aria-label"]
        colours = {part.attrib.get("stroke", part.attrib.get("fill")) for part in drawing}
        assert colours == {"currentColor"}


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (1e-15, "0"), (-0.5, "−0.50"), (0.0123, "0.012"), (174.3, "174"), (1e6, "1000000")]
)
def test_numbers_are_short(value, text):
    assert cards._number(value) == text


def test_a_text_is_kept_until_the_code_changes(tmp_path, monkeypatch):
    first = page_text("published", tmp_path)
    (kept,) = tmp_path.iterdir()
    kept.write_text("kept", encoding="utf-8")
    assert page_text("published", tmp_path) == "kept"
    monkeypatch.setattr(cards, "digest_of_sources", lambda: "another")
    assert page_text("published", tmp_path) == first
    with pytest.raises(KeyError, match="no page is made of 'cards'; there are measures"):
        page_text("cards")


def test_the_pages_name_the_place_where_their_cards_go(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(ROOT / "book" / "_ext")
    import generated_pages

    monkeypatch.setattr(generated_pages, "page_text", lambda name, cache: f"the cards of {name}")
    for name in PAGES:
        source = [(ROOT / "book" / f"{name}.md").read_text(encoding="utf-8")]
        generated_pages.fill(SimpleNamespace(doctreedir=tmp_path), f"book/{name}", source)
        assert source[0].count(f"the cards of {name}") == 1 and "<!--" not in source[0]
    sys.modules.pop("generated_pages")
