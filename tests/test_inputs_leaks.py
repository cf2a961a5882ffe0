"""Noise beside labels, groups, ids and texts in every place that these can stand: the features are the noise alone."""

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file

from helpers.__main__ import main
from helpers.inputs import read as read_inputs
from helpers.report import build, evaluate_by_labels

N, P = 240, 5
RNG = np.random.default_rng(7)
NOISE = {name: RNG.normal(size=(N, P)) for name in "abc"}
Y = RNG.permutation(np.arange(N) % 4) + 1
REAL = RNG.normal(size=N)
GROUPS = RNG.permutation(np.arange(N) % 60)
WORDS = np.array(["bad", "fair", "good", "very good"])[Y - 1]


@pytest.fixture
def read(tmp_path_factory):
    work = tmp_path_factory.mktemp("work")
    return lambda *args, **options: read_inputs(*args, work=work, progress=False, **options)


def frame(name, **columns):
    return pd.DataFrame(columns | {f"f{i}": column for i, column in enumerate(NOISE[name].T)})


def csvs(**columns):
    return lambda d: [frame(name, **columns).to_csv(d / f"{name}.csv", index=False) for name in NOISE]


def parquets(**columns):
    return lambda d: [frame(name, **columns).to_parquet(d / f"{name}.parquet") for name in NOISE]


def lists(**columns):
    return lambda d: [
        pd.DataFrame({"v": list(x)} | columns).to_parquet(d / f"{name}.parquet") for name, x in NOISE.items()
    ]


def npz(**arrays):
    return lambda d: [np.savez(d / f"{name}.npz", x=x, **arrays) for name, x in NOISE.items()]


def safetensors(**arrays):
    return lambda d: [save_file({"x": x, **arrays}, d / f"{name}.safetensors") for name, x in NOISE.items()]


def matrices(*columns, before=False):
    def make(d):
        for name, x in NOISE.items():
            np.save(d / f"{name}.npy", np.column_stack([*columns, x] if before else [x, *columns]))

    return make


def beside(make, file, table, by=pd.DataFrame.to_csv):
    def both(d):
        make(d)
        by(table, d / file, index=False)

    return both


ONE_HOT = np.eye(4)[Y - 1]
LABELS = {
    "a column of each table": (csvs(rating=Y), "rating"),
    "a column of each table, with a fraction": (csvs(rating=Y + 0.5), "rating"),
    "a column of truth values": (parquets(rating=Y > 2), "rating"),
    "a column of small integers": (parquets(rating=Y.astype("i1")), "rating"),
    "a column beside vectors": (lists(rating=Y), "rating"),
    "the labels as vectors of one entry": (lists(rating=list(Y[:, None].astype(float))), "a.parquet:code"),
    "the column of one of the tables": (csvs(rating=Y), "a.csv:rating"),
    "a column of words in one table": (lambda d: (csvs(Rating=Y)(d), csvs(rating=WORDS)(d)), "a.csv:rating"),
    "a file that repeats a column of the tables": (
        beside(csvs(rating=Y), "meta.csv", pd.DataFrame({"rating": Y})),
        "meta.csv",
    ),
    "a file with another name for it": (beside(csvs(rating=Y), "meta.csv", pd.DataFrame({"stars": Y})), "meta.csv"),
    "a file of words beside tables of codes": (
        beside(csvs(rating=Y), "meta.parquet", pd.DataFrame({"stars": WORDS}), pd.DataFrame.to_parquet),
        "meta.parquet:stars",
    ),
    "an array in a file of arrays": (npz(y=Y), "y"),
    "a matrix of one column in a file of arrays": (npz(y=Y[:, None].astype(float)), "y"),
    "one hot in a file of arrays": (safetensors(y=ONE_HOT), Y),
    "the array of one of the files": (npz(y=Y), "a.npz:y"),
    "an array, the files hold it": (csvs(rating=Y), Y),
    "words, the files hold codes": (csvs(rating=Y), WORDS),
    "codes, the files hold other codes": (csvs(rating=-7.0 * Y**2), Y),
    "a series with a name": (csvs(rating=Y + RNG.normal(size=N)), pd.Series(Y, name="rating")),
    "the last column of a matrix": (matrices(Y), Y),
    "the first column of a matrix": (matrices(Y / 10, before=True), WORDS),
    "one hot in a matrix": (matrices(ONE_HOT), Y),
    "one class against the others": (matrices(Y == 2), Y),
    "classes merged": (matrices(np.isin(Y, [1, 3]), before=True), list(WORDS)),
    "codes with a little noise": (csvs(score=Y + 1e-3 * RNG.normal(size=N)), Y),
    "one class with a little noise": (matrices((Y == 2) + 1e-3 * RNG.normal(size=N)), WORDS),
    "codes in a table that came as a frame": (csvs(rating=Y), pd.DataFrame({"stars": WORDS})),
    "numbers to predict": (matrices(REAL), REAL),
    "numbers to predict, with a little noise": (csvs(price=REAL + 1e-3 * RNG.normal(size=N)), REAL),
    "numbers to predict, in single precision": (matrices((3 * REAL - 2).astype("f4")), REAL),
    "numbers to predict, upside down": (csvs(price=-np.exp(REAL)), REAL),
    "numbers to predict, as ranks": (csvs(price=REAL.argsort().argsort()), REAL),
    "numbers to predict, rounded": (csvs(price=REAL.round(1)), REAL),
    "numbers to predict, above a limit": (csvs(price=REAL > 0.3), REAL),
    "numbers to predict, of a column": (csvs(price=REAL), "b.csv:price"),
}


@pytest.mark.parametrize("place", LABELS)
def test_labels_are_no_features_wherever_they_stand(tmp_path, read, place):
    make, labels = LABELS[place]
    if place == "the labels as vectors of one entry":
        make = beside(make, "a.parquet", pd.DataFrame({"v": list(NOISE["a"]), "code": Y}), pd.DataFrame.to_parquet)
    make(tmp_path)
    inputs = read(tmp_path, labels=labels)
    found = {name.split("/")[0]: x for name, x in inputs.representations.items() if not name.endswith("/rating")}
    assert list(found) == list(NOISE) == [name.split("/")[0] for name in inputs.representations]
    for name, x in found.items():
        np.testing.assert_array_equal(x, NOISE[name])


def test_noise_beside_labels_predicts_them_at_chance_and_with_them_it_would_not(tmp_path, read):
    csvs(rating=Y)(tmp_path)
    inputs = read(tmp_path, labels="a.csv:rating")
    chance = 1 / 4
    error = np.sqrt(chance * (1 - chance) / N)
    found = evaluate_by_labels(inputs.representations, inputs.labels, folds=3)
    assert (found.items.mean() < chance + 4 * error).all()
    leaky = {name: np.column_stack([x, Y]) for name, x in NOISE.items()}
    assert (evaluate_by_labels(leaky, Y, folds=3).items.mean() > chance + 4 * error).all()


@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize(
    "make, groups",
    [
        (csvs(patient=GROUPS), "patient"),
        (csvs(patient=GROUPS), "c.csv:patient"),
        (csvs(patient=GROUPS), GROUPS),
        (matrices(100 - GROUPS), [f"patient {i}" for i in GROUPS]),
    ],
)
def test_groups_are_no_features_wherever_they_stand(tmp_path, read, make, groups, alone):
    make(tmp_path)
    inputs = read(tmp_path, groups=groups, labels=None if alone else Y)
    for name, x in inputs.representations.items():
        np.testing.assert_array_equal(x, NOISE[name])


def test_what_the_members_of_a_group_share_stays_a_feature_where_labels_are_predicted(read):
    age = RNG.normal(size=60)[GROUPS]
    given = {name: np.column_stack([x, age]) for name, x in NOISE.items()}
    assert read(given, groups=GROUPS, labels=Y).representations["a"].shape == (N, P + 1)
    assert read(given, groups=GROUPS).representations["a"].shape == (N, P)


@pytest.mark.parametrize("ids", [None, "", "number"])
def test_ids_and_numbers_of_rows_are_no_features(tmp_path, read, ids):
    order = np.argsort(Y, kind="stable")
    numbers = np.arange(N) + (100 if ids == "number" else 1)
    for name in "ab":
        frame(name, number=numbers).iloc[order].assign(row=np.arange(N)).to_csv(tmp_path / f"{name}.csv", index=False)
    inputs = read(tmp_path, ids=ids, labels=Y[order])
    kept = [] if ids == "number" else ["number"]  # a shuffled number that is no id is a feature like another one
    for name, x in inputs.representations.items():
        expected = frame(name, **{column: numbers for column in kept}).iloc[order].to_numpy()
        np.testing.assert_array_equal(x, expected)


@pytest.mark.parametrize(
    "counted", [np.arange(1000, 1000 + N), 1.6e9 - 7200.0 * np.arange(N), 0.1 * np.arange(N).astype("f4")]
)
def test_times_and_numbers_at_regular_intervals_are_no_features(tmp_path, read, counted):
    labels = np.sort(Y)  # a table that is sorted by its labels
    for name in "ab":
        frame(name, number=counted).to_csv(tmp_path / f"{name}.csv", index=False)
    inputs = read(tmp_path, labels=labels)
    np.testing.assert_array_equal(inputs.representations["a"], NOISE["a"])
    assert inputs.ignored["reason"].str.contains("counts the rows").all() and len(inputs.ignored) == 2


def test_a_grid_of_numbers_is_an_embedding(read):
    grid = np.arange(40.0 * 6).reshape(40, 6)
    np.testing.assert_array_equal(read({"grid": grid, "a": NOISE["a"][:40]}).representations["grid"], grid)


def test_a_file_that_gives_a_role_stays_an_embedding_and_everything_left_out_is_listed(tmp_path, read):
    csvs(rating=Y, group=GROUPS, text="a text")(tmp_path)
    inputs = read(tmp_path, labels="a.csv:rating", groups="b.csv:group")
    assert list(inputs.representations) == ["a", "b", "c"]
    assert inputs.ignored.to_numpy().tolist() == [
        ["a.csv", "column 'group' is called like the groups"],
        ["a.csv", "column 'text' holds text"],
        ["b.csv", "column 'rating' is called like the labels"],
        ["b.csv", "column 'text' holds text"],
        ["c.csv", "column 'rating' is called like the labels"],
        ["c.csv", "column 'group' is called like the groups"],
        ["c.csv", "column 'text' holds text"],
    ]
    given = read({"a": NOISE["a"], "b": np.column_stack([NOISE["b"], Y])}, labels=Y)
    reason = "has one value in each class of what is to be predicted (labels)"
    assert given.ignored.to_numpy().tolist() == [["b", f"column {P} {reason}"]]


def test_an_embedding_of_labels_alone_is_refused_by_name_or_listed(tmp_path, read):
    matrices()(tmp_path)
    np.save(tmp_path / "y.npy", np.eye(6)[Y])
    inputs = read(tmp_path, labels=Y)
    assert list(inputs.representations) == ["a", "b", "c"] and "nothing in it but" in inputs.ignored["reason"].iloc[-1]
    with pytest.raises(ValueError, match="y: nothing in it but what is given; column 1 has one value in each class"):
        read(tmp_path, labels=Y, names=["a", "y"])


def test_features_that_only_happen_to_fit_stay(read):
    few = np.arange(10) % 2
    x = np.random.default_rng(0).normal(size=(10, 30)).round()
    x[:, 3] = few  # 1 of 252 orders of five ones and five zeros: no wonder among 30 columns
    assert read({"a": x, "b": x}, labels=few).representations["a"].shape == (10, 30)
    # The classes of 6 objects lie far apart by chance in 2 of 20 orders.
    tiny = np.array([0, 0, 0, 1, 1, 1.0]) + 1e-4 * np.arange(6)
    kept = read({"a": np.column_stack([tiny, np.arange(6)[::-1] ** 2]), "b": NOISE["b"][:6]}, labels=np.arange(6) // 3)
    assert kept.representations["a"].shape == (6, 2)
    apart = RNG.normal(size=(N, 3)) + 12 * Y[:, None]  # classes that are easy, as they are in good embeddings
    assert read({"a": apart, "b": NOISE["b"]}, labels=Y).representations["a"].shape == (N, 3)
    words = (RNG.random((N, 200)) < 0.02).astype(float)
    assert read({"a": words, "b": words[:, ::-1]}, labels=Y).representations["a"].shape == (N, 200)


def test_new_rows_are_combined_by_the_names_of_the_features_whatever_stands_beside_them(tmp_path, capsys):
    mine, new, out = tmp_path / "mine", tmp_path / "new", tmp_path / "out"
    for folder in (mine, new):
        folder.mkdir()
    csvs(rating=Y)(mine)
    report = build(mine, labels="rating", folder=out, folds=3)
    for name in NOISE:
        table = frame(name, unknown=np.full(N, np.nan), rating=np.full(N, np.nan))
        table.iloc[:9, ::-1].to_csv(new / f"{name}.csv", index=False)
    assert main(["apply", str(out / "ensemble"), str(new), "-o", str(tmp_path / "new.npy"), "-q"]) == 0
    terms = 3 * P  # products of unit rows with unit axes
    atol = terms * np.finfo(float).eps
    np.testing.assert_allclose(np.load(tmp_path / "new.npy"), report.combined[:9], rtol=0, atol=atol)
    assert "column 'rating' is no feature of the embedding" in capsys.readouterr().out
    table[["f0", "f1"]].to_csv(new / f"{report.ensemble.used_[0]}.csv", index=False)
    assert main(["apply", str(out / "ensemble"), str(new), "-o", str(tmp_path / "no.npy"), "-q"]) == 2
    assert "has no column 'f2', one of the features" in capsys.readouterr().err


def test_the_command_says_what_gives_the_labels_away(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "mine").mkdir()
    matrices(Y)(tmp_path / "mine")
    pd.DataFrame({"y": WORDS}).to_csv(tmp_path / "y.csv", index=False)
    out = tmp_path / "out"
    assert main(["report", str(tmp_path / "mine"), "--labels", str(tmp_path / "y.csv"), "-o", str(out)]) == 0
    said = capsys.readouterr().out
    assert "not read: a.npy, b.npy and c.npy (a.npy: column 5 has one value in each class" in said
    assert (pd.read_csv(out / "tables" / "quality.csv")["ci_low"] < 1 / 4).all()


def test_where_every_embedding_tells_what_is_given_and_nothing_else_the_error_says_why(tmp_path, read):
    for name in "abcd":
        pd.DataFrame({f"f{i}": GROUPS * (i + 2) + 1 for i in range(3)}).to_csv(tmp_path / f"{name}.csv", index=False)
    with pytest.raises(
        ValueError, match="no embedding is left, since each tells .*one to one with the groups.* 1 more"
    ):
        read(tmp_path, groups=GROUPS, labels=RNG.integers(0, 2, N))
    np.save(tmp_path / "noise.npy", NOISE["a"])
    found = read(tmp_path, groups=GROUPS, labels=RNG.integers(0, 2, N))
    assert list(found.representations) == ["noise"] and len(found.ignored) >= 4
