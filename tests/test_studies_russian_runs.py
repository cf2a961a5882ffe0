"""What is recorded for the chapters on a sentence encoder for Russian."""

import numpy as np
import pandas as pd
import pytest
import tolerance
from pair_packages import write_deb

from helpers.arrays import unit_rows
from helpers.encoders.kept_back import split_examples
from helpers.encoders.recipes import Recipe
from helpers.encoders.universal import LINES, Bag, example_losses
from helpers.pairs import SOURCES, EvaluationTexts, Package, TextSource
from helpers.pairs.archives import sha256_of_file
from helpers.similarity import cka
from helpers.studies import russian_runs

SMALL = {"width": 12, "pieces": 800, "steps": (4, 4, 4), "batch": 8, "rate": 5e-3, "examples": 16}


@pytest.fixture(scope="module")
def sample():
    return russian_runs.corpus_from()


def test_a_corpus_comes_without_a_folder_or_out_of_one(sample, tmp_path):
    assert sample.language == "ru" and russian_runs.corpus_from(language="en").language == "en"
    short = (sample.pairs["kind"] == "translation") & (sample.pairs["left"].str.split().str.len() < 4)
    assert not short.any()
    sample.save(tmp_path / "kept")
    assert russian_runs.corpus_from(str(tmp_path / "kept")).digest == sample.digest
    with pytest.raises(FileNotFoundError, match="neither a corpus nor the packages"):
        russian_runs.corpus_from(str(tmp_path))
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        russian_runs.corpus_from(str(tmp_path / "absent"))
    with pytest.raises(ValueError, match="language is 'de'"):
        russian_runs.corpus_from(language="de")


def test_plain_parameters_give_the_recipe_that_they_name():
    whole = russian_runs.recipe_from(**SMALL)
    assert whole.base == Bag(800, 12) and whole.steps == (4, 4, 4) and whole.without == ()
    deep = russian_runs.recipe_from(base="transformer", layers=[[1, 0.1]], width=64, language="ru")
    assert isinstance(deep.base, Recipe) and deep.base.word_pieces and not deep.base.strip_accents
    assert deep.base.language == "ru" and deep.base.heads == 2 and deep.base.stages == ((1, 0.1),)
    for line, change in LINES.items():
        assert all(getattr(russian_runs.recipe_from(line=line), name) == value for name, value in change.items())
    assert russian_runs.recipe_from(without="title").without == ("title",)
    with pytest.raises(ValueError, match="line is 'best'"):
        russian_runs.recipe_from(line="best")
    with pytest.raises(ValueError, match="base is 'tree'"):
        russian_runs.recipe_from(base="tree")


def test_tasks_of_the_corpus_are_reciprocal_ranks(sample):
    pairs = pd.DataFrame(
        {"kind": ["title"] * 4 + ["few"], "left": [*"abcd", "e"], "right": ["a a", "b b", "c c", "d d", "e e"]}
    )

    def encode(texts):
        return np.array([[text.count(c) for c in "abcde"] for text in texts], float)

    found = russian_runs.own_tasks(encode, pairs)
    assert found["task"].tolist() == ["find title", "mean"]
    assert found["published"].tolist() == [1, 1] and found["n"].tolist() == [4, 4]
    assert found["chance"].iloc[0] == pytest.approx((1 + 1 / 2 + 1 / 3 + 1 / 4) / 4)

    def worse(texts):
        return np.array(
            [[text.count(c) for c in "bcdae"] if " " in text else encode([text])[0] for text in texts], float
        )

    assert russian_runs.own_tasks(worse, pairs)["published"].iloc[0] < 1


def test_rows_of_a_line_have_its_tasks_and_what_it_took(sample, tmp_path):
    recipe = russian_runs.recipe_from(**SMALL)
    found = russian_runs.ablation_rows(sample, recipe, str(tmp_path), negatives=30)
    assert found["task"].iloc[-1] == "mean" and (found["steps"] == 12).all()
    trained = russian_runs.train_line(sample, recipe, str(tmp_path), negatives=30)
    encode = russian_runs.model_encoder(trained.model, trained.instruction)
    _, scoring = split_examples(sample.pairs, recipe.examples)
    told = scoring[scoring["kind"] == "title"]
    others = [*told["right"], *sample.pairs["right"][~sample.pairs["right"].isin(told["right"])].unique()]
    left, right = (unit_rows(encode(list(texts))) for texts in (told["left"], others))
    cosines = left @ right.T
    rank = [1 + sum(row[i] < other for k, other in enumerate(row) if k != i) for i, row in enumerate(cosines)]
    score = found.set_index("task").loc["find title"]
    assert score["honest"] == pytest.approx(np.mean(1 / np.array(rank))) and score["n"] == len(told)
    again = russian_runs.ablation_rows(sample, recipe, str(tmp_path), negatives=30)
    pd.testing.assert_frame_equal(found, again)


@pytest.mark.parametrize("distance", russian_runs.DISTANCES)
def test_parents_are_merged_and_fused_in_all_ways(sample, tmp_path, distance):
    recipe = russian_runs.recipe_from(**SMALL)
    found = russian_runs.merging_rows(sample, recipe, distance, str(tmp_path), n_texts=60)
    methods = found.groupby("way")["method"].unique()
    assert set(methods["parameters"]) == set(russian_runs.MERGES)
    assert set(methods["vectors"]) == set(russian_runs.FUSIONS) and set(methods["parent"]) == {"parent 1", "parent 2"}
    by = found.drop_duplicates("method").set_index("method")
    assert (by.loc[list(russian_runs.MERGES), "encoders"] == 1).all() and by.loc["concatenation", "width"] == 24
    assert by["width"].drop("concatenation").eq(12).all() and found["cka"].nunique() == 1
    _, parents = russian_runs._parents(sample, recipe, distance, str(tmp_path), 0, 0)
    choosing, _ = split_examples(sample.pairs, recipe.examples)
    for number, model in enumerate(parents, 1):
        expected = example_losses(model, choosing, recipe, "ru")["loss"].mean()
        assert by.loc[f"parent {number}", "loss"] == pytest.approx(expected)
    assert by["loss"].notna().sum() == 2


def test_parents_are_farther_apart_the_less_they_share(sample, tmp_path):
    recipe = russian_runs.recipe_from(**SMALL)
    near = {}
    text = list(sample.paragraphs["text"])
    for distance in russian_runs.DISTANCES:
        _, parents = russian_runs._parents(sample, recipe, distance, str(tmp_path), 0, 0)
        near[distance] = cka(*(russian_runs.model_encoder(model)(text) for model in parents))
    assert near["same data"] > near["different base"] and near["different data"] > near["different base"]
    with pytest.raises(ValueError, match="distance is 'far'"):
        russian_runs.merging_rows(sample, recipe, "far")
    whole = russian_runs.recipe_from(**SMALL, line="without stage 1")
    with pytest.raises(ValueError, match="recipe has no two models of one stage 1"):
        russian_runs.merging_rows(sample, whole, "same data")


def test_the_mean_of_vectors_is_that_of_unit_rows(sample):
    def one(texts):
        return np.array([[len(text), 1.0] for text in texts])

    def other(texts):
        return np.array([[1.0, 3.0 * len(text)] for text in texts])

    texts = list(sample.paragraphs["text"][:20])
    fused = russian_runs._fused([one, other], [one(texts), other(texts)], np.array([0.5, 0.5]))
    assert set(fused) == set(russian_runs.FUSIONS)
    units = [encode(texts) / np.linalg.norm(encode(texts), axis=1, keepdims=True) for encode in (one, other)]
    np.testing.assert_allclose(fused["mean"](texts), sum(units) / 2, rtol=1e-6)  # float32 may be inside
    np.testing.assert_allclose(fused["concatenation"](texts), np.hstack(units))


def test_the_centred_mean_differs_from_the_procrustes_mean_by_the_rotation_alone():
    rng = np.random.default_rng(0)
    texts = [f"{i}" for i in range(50)]
    x = rng.normal(size=(50, 4)) + 1.0
    turn = np.linalg.qr(rng.normal(size=(4, 4)))[0]

    def fused_of(y):
        encoders = [lambda told: x[[int(text) for text in told]], lambda told: y[[int(text) for text in told]]]
        return russian_runs._fused(encoders, [x, y], np.array([0.5, 0.5]))

    same, turned = fused_of(x), fused_of(x @ turn)
    one, again = same["centred mean"](texts), same["Procrustes mean"](texts)
    bound = tolerance.apart(50, condition=tolerance.condition(unit_rows(x)) ** 2) * np.abs(one).max()
    np.testing.assert_allclose(one, again, atol=bound)  # the best rotation of a space onto itself turns nothing
    other = turned["Procrustes mean"](texts)
    np.testing.assert_allclose(other @ other.T, again @ again.T, atol=8 * bound * np.abs(one).max())  # 4 products twice
    for far in (same["mean"](texts), turned["centred mean"](texts)):
        assert np.abs(far - one).max() > 1000 * bound
    assert not set(russian_runs.CENTRED) - set(russian_runs.FUSIONS)


def test_task_arithmetic_is_not_the_plain_mean(sample, tmp_path):
    recipe = russian_runs.recipe_from(**SMALL)
    base, parents = russian_runs._parents(sample, recipe, "different data", str(tmp_path), 0, 0)
    merged = russian_runs._merged(base, parents, [1.0, 2.0], 0.2)
    weights = {name: model[0].embedding.weight.detach().numpy() for name, model in merged.items()}
    start, one, other = (model[0].embedding.weight.detach().numpy() for model in (base, *parents))
    rounding = tolerance.apart(4, "float32") * np.abs(start).max()
    np.testing.assert_allclose(weights["task_arithmetic"], one + other - start, atol=rounding)
    np.testing.assert_allclose(weights["linear"], (one + other) / 2, atol=rounding)
    assert np.abs(weights["task_arithmetic"] - weights["linear"]).max() > 100 * rounding


@pytest.fixture
def guide(tmp_path, monkeypatch):
    """A folder with the packages of the only source that there is."""
    texts = {
        "view": ("Вид окна", "Здесь выбирают, что показывает окно программы.", "Кнопки внизу можно убрать совсем."),
        "file": ("Открытие файла", "Файл открывают через меню или двойным щелчком.", "Новый файл не имеет имени."),
    }
    twins = {
        "view": ("View", "Here one chooses what the program window shows.", "The lower buttons can be removed."),
        "file": ("Opening a file", "A file is opened by the menu or a double click.", "A new file has no name."),
    }
    found = []
    for language, pages in (("ru", texts), ("en", twins)):
        told = {
            f"doc/{language}/{name}.html": "<h1>{}</h1><p>{}</p><p>{}</p>".format(*page) for name, page in pages.items()
        }
        path = write_deb(tmp_path / "packages", f"guide-{language}", "1", told)
        found.append(Package(f"guide-{language}", "1", sha256_of_file(path)))
    places = {"packages": ("guide-ru",), "twins": ("guide-en",), "where": "^doc/ru/", "there": "^doc/en/"}
    source = TextSource("guide", tuple(found), "MPL-2.0", "twins", ("title", "neighbour"), {"parser": "html", **places})
    monkeypatch.setattr(russian_runs, "SOURCES", {"guide": source})
    monkeypatch.setitem(SOURCES, "guide", source)
    return tmp_path / "packages", texts


def asked_in(folder, *texts):
    folder.mkdir()
    (folder / "asked.txt").write_text("\n".join(texts), encoding="utf-8")
    return str(folder)


def texts_of(corpus):
    return {*corpus.paragraphs["text"], *corpus.pairs["left"], *corpus.pairs["right"]}


def test_a_corpus_that_was_kept_for_other_evaluations_is_not_taken_for_this_one(guide, tmp_path):
    packages, texts = guide
    view, file = texts["view"][1], texts["file"][1]
    one = russian_runs.corpus_from(str(packages), asked=asked_in(tmp_path / "one", view))
    other = russian_runs.corpus_from(str(packages), asked=asked_in(tmp_path / "other", file))
    none = russian_runs.corpus_from(str(packages))
    assert view not in texts_of(one) and file in texts_of(one)
    assert file not in texts_of(other) and view in texts_of(other)
    assert {view, file} <= texts_of(none)
    assert len(list(packages.glob("corpus-*"))) == 3
    again = russian_runs.corpus_from(str(packages), asked=str(tmp_path / "one"))
    assert again.digest == one.digest and len(list(packages.glob("corpus-*"))) == 3
    (tmp_path / "one" / "more.txt").write_text(file, encoding="utf-8")
    both = russian_runs.corpus_from(str(packages), asked=str(tmp_path / "one"))
    assert not {view, file} & texts_of(both)


def test_a_package_that_comes_later_and_code_that_cleans_otherwise_make_a_corpus_anew(guide, tmp_path, monkeypatch):
    packages, _ = guide
    first = russian_runs.corpus_from(str(packages))
    page = "<h1>{}</h1><p>{}</p><p>{}</p>".format("Печать", "Печатают через меню программы.", "Бумага лежит в лотке.")
    told = write_deb(packages, "late-ru", "1", {"doc/ru/late.html": page})
    twin = write_deb(packages, "late-en", "1", {"doc/en/late.html": page})
    late = [Package(path.name.split("_")[0], "1", sha256_of_file(path)) for path in (told, twin)]
    places = {"packages": ("late-ru",), "twins": ("late-en",), "where": "^doc/ru/", "there": "^doc/en/"}
    source = TextSource("late", tuple(late), "MPL-2.0", "twins", ("title",), {"parser": "html", **places})
    monkeypatch.setitem(SOURCES, "late", source)
    monkeypatch.setitem(russian_runs.SOURCES, "late", source)
    more = russian_runs.corpus_from(str(packages))
    assert "Печатают через меню программы." in texts_of(more) - texts_of(first)
    monkeypatch.setattr(russian_runs, "code_of_cleaning", lambda: "other code")
    russian_runs.corpus_from(str(packages))
    assert len(list(packages.glob("corpus-*"))) == 3


def test_a_saved_corpus_and_the_sample_lose_the_texts_of_an_evaluation_too(sample, tmp_path):
    sample.save(tmp_path / "kept")
    text = sample.paragraphs["text"].iloc[3]
    asked = asked_in(tmp_path / "asked", text.upper())
    for source in (str(tmp_path / "kept"), ""):
        found = russian_runs.corpus_from(source, asked=asked)
        assert text in texts_of(sample) and text not in texts_of(found)
        assert found.refused["paragraphs: same as an evaluation text"] == 1
    kept = sample.pairs["left"].isin(found.pairs["left"]) & sample.pairs["right"].isin(found.pairs["right"])
    find = EvaluationTexts([text]).find
    assert all(find(left) or find(right) for left, right in sample.pairs.loc[~kept, ["left", "right"]].to_numpy())
