"""Alphabets: drawn ones are what their truth says, Omniglot is read as published, groups and splits share nothing."""

import zipfile

import numpy as np
import pytest
from PIL import Image

from helpers.groups.alphabets import (
    draw_alphabets,
    groups_of,
    load_alphabets,
    read_omniglot,
    rotated,
    split_alphabets,
    split_drawers,
)


@pytest.fixture(scope="module")
def drawn():
    return draw_alphabets(4, characters=5, drawers=6, rng=0)


def test_every_drawer_draws_every_character_once(drawn):
    assert drawn.images.shape == (4 * 5 * 6, 28, 28) and drawn.images.dtype == np.float32
    pairs = set(zip(drawn.character.tolist(), drawn.drawer.tolist(), strict=True))
    assert len(pairs) == len(drawn) == 120
    assert all(c.rpartition("/")[0] == a for c, a in zip(drawn.character, drawn.alphabet, strict=True))


def test_ink_lies_between_paper_and_black_and_every_drawing_has_some_of_both(drawn):
    assert drawn.images.min() == 0 and drawn.images.max() == 1
    ink = drawn.images.mean(axis=(1, 2))
    assert ink.min() > 0 and ink.max() < 0.5


def test_the_same_seed_draws_the_same_and_another_one_does_not(drawn):
    again, other = (draw_alphabets(4, characters=5, drawers=6, rng=rng) for rng in (0, 1))
    np.testing.assert_array_equal(drawn.images, again.images)
    assert not np.array_equal(drawn.images, other.images)


def test_without_an_unsteady_hand_drawers_of_one_style_draw_the_same():
    steady = draw_alphabets(1, characters=2, drawers=2, jitter=0.0, rng=0)
    one, other = steady.images[:2]
    assert not np.array_equal(one, other)  # two drawers have two styles
    jittered = draw_alphabets(1, characters=2, drawers=2, jitter=0.05, rng=0)
    assert not np.array_equal(steady.images, jittered.images)


def test_ink_covers_the_strokes_that_the_truth_names():
    drawn = draw_alphabets(3, characters=4, drawers=5, jitter=0.0, rng=3)
    style = drawn.truth["style"]
    for i, strokes in enumerate(drawn.truth["strokes"]):
        for j, (slant, scale, aspect, turn, right, up, *_) in enumerate(style):
            x, y = strokes[:, [0, -1], 0].ravel(), strokes[:, [0, -1], 1].ravel()  # ends lie on every curve
            x, y = (x + slant * y) * scale * np.sqrt(aspect), y * scale / np.sqrt(aspect)
            x, y = np.cos(turn) * x - np.sin(turn) * y + right, np.sin(turn) * x + np.cos(turn) * y + up
            inside = (np.abs(x) < 0.5) & (np.abs(y) < 0.5)
            column, row = ((x + 0.5) * 28).astype(int), ((0.5 - y) * 28).astype(int)
            # The nearest pixel is at most half a diagonal, 0.71 / 28, away: less than pen and edge, 0.015 + 1 / 28.
            assert (drawn.images[i * 5 + j][row[inside], column[inside]] > 0).all()


def test_curvature_bends_the_strokes_that_the_polygon_would_draw():
    from helpers.groups.alphabets import _blend

    corners = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 1.0], [1.0, 0.0]])
    polygon, curve = (_blend(c) @ corners for c in (0.0, 1.0))
    np.testing.assert_allclose(_blend(0.3).sum(axis=1), 1)
    # A few roundings of weights that sum to 1.
    np.testing.assert_allclose(polygon[[0, -1]], corners[[0, -1]], atol=1e-15)
    np.testing.assert_allclose(curve[[0, -1]], corners[[0, -1]], atol=1e-15)
    assert polygon[:, 1].max() == pytest.approx(1)
    assert curve[:, 1].max() <= 0.75  # of a Bézier curve with these corners, at its middle


@pytest.mark.parametrize("options, words", [({"alphabets": 0}, "alphabets is 0"), ({"jitter": -1}, "jitter is -1")])
def test_numbers_that_draw_nothing_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        draw_alphabets(**({"characters": 1, "drawers": 1} | options))


def picture(path, shade):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((105, 105), shade, dtype=np.uint8)).convert("1").save(path)


@pytest.fixture
def extracted(tmp_path):
    """Two alphabets in the layout that torchvision leaves behind."""
    for alphabet, n in (("Greek", 2), ("Latin", 1)):
        for character in range(1, n + 1):
            for drawer in (1, 2, 20):
                name = f"{alphabet}/character{character:02d}/{100 + character:04d}_{drawer:02d}.png"
                picture(tmp_path / "omniglot-py" / "images_background" / name, 0 if drawer == 20 else 255)
    return tmp_path


def test_a_folder_as_torchvision_extracts_it_is_read(extracted):
    found = read_omniglot(extracted)
    assert len(found) == 9 and found.images.shape == (9, 28, 28)
    assert found.character[:3].tolist() == ["Greek/character01"] * 3 and found.drawer[:3].tolist() == [1, 2, 20]
    np.testing.assert_array_equal(found.images[found.drawer == 20], 1)  # black pixels are ink
    np.testing.assert_array_equal(found.images[found.drawer != 20], 0)


def test_zip_files_are_read_and_a_drawing_that_is_in_both_counts_once(extracted, tmp_path):
    folder = tmp_path / "zips"
    folder.mkdir()
    for number, wanted in (("1", ("Greek", "Latin")), ("2", ("Latin",))):
        with zipfile.ZipFile(folder / f"small{number}.zip", "w") as file:
            for path in extracted.rglob("*.png"):
                if path.parts[-3] in wanted:
                    file.write(path, f"small{number}/" + "/".join(path.parts[-3:]))
    zipped, plain = read_omniglot(folder), read_omniglot(extracted / "omniglot-py")
    np.testing.assert_array_equal(zipped.images, plain.images)
    assert zipped.character.tolist() == plain.character.tolist()
    assert len(read_omniglot(folder / "small2.zip")) == 3


def test_a_folder_without_drawings_says_what_is_needed(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"ALPHABET/CHARACTER/NUMBER_DRAWER\.png"):
        read_omniglot(tmp_path)


def test_an_unknown_source_names_the_known_ones():
    with pytest.raises(FileNotFoundError, match="'drawn' or 'omniglot'"):
        load_alphabets("no-such-alphabets")


def test_a_folder_of_the_data_is_found_by_name(extracted, monkeypatch):
    monkeypatch.setenv("BOOK_DATA", str(extracted))
    assert len(load_alphabets("omniglot-py")) == 9


def test_four_quarter_turns_come_back(drawn):
    turned = rotated(rotated(drawn[:3], [90]), [270])
    np.testing.assert_array_equal(turned.images, drawn.images[:3])
    assert turned.rotation.tolist() == [0, 0, 0]
    with pytest.raises(ValueError, match="multiples of 90"):
        rotated(drawn, [45])


def test_groups_by_rotation_hold_the_same_drawings(drawn):
    turned = rotated(drawn)
    groups = groups_of(turned, "rotation")
    assert len(set(groups)) == 16
    one, other = (turned[groups == f"alphabet 0/{angle}"] for angle in (0, 90))
    np.testing.assert_array_equal(np.rot90(one.images, axes=(1, 2)), other.images)


@pytest.mark.parametrize("by, what", [("drawers", "drawer"), ("characters", "character")])
def test_groups_by_drawers_or_characters_share_none(drawn, by, what):
    groups = groups_of(drawn, by, n_groups=3, rng=0)
    assert len(set(groups)) == 12
    of = {}
    for name, alphabet, value in zip(groups, drawn.alphabet, getattr(drawn, what), strict=True):
        assert name.startswith(f"{alphabet}/")
        of.setdefault((alphabet, value), set()).add(name)
    assert all(len(found) == 1 for found in of.values())


def test_more_groups_than_characters_are_refused(drawn):
    with pytest.raises(ValueError, match="n_groups is 6, and there are 5 characters of 'alphabet 0'"):
        groups_of(drawn, "characters", n_groups=6)


def test_held_out_drawers_and_alphabets_are_not_in_training(drawn):
    train, held = split_drawers(drawn, 0.3, rng=1)
    assert not set(train.drawer) & set(held.drawer) and len(train) + len(held) == len(drawn)
    assert len(set(held.drawer)) == 2
    train, held = split_alphabets(drawn, rng=1)
    assert not set(train.alphabet) & set(held.alphabet) and len(set(held.alphabet)) == 2


def test_pairs_of_splits_hold_out_every_alphabet_once(drawn):
    for pair in (0, 2, 4):
        held = [set(split_alphabets(drawn, rng=pair + i)[1].alphabet) for i in (0, 1)]
        assert held[0] | held[1] == set(drawn.alphabet) and not held[0] & held[1]


def test_a_split_that_leaves_nothing_to_learn_from_is_refused(drawn):
    with pytest.raises(ValueError, match="none is left"):
        split_alphabets(drawn[drawn.alphabet == "alphabet 0"])
    with pytest.raises(ValueError, match="share is 1"):
        split_drawers(drawn, 1)
