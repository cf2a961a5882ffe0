"""Tables of transactions are read as they are written; what is wrong is counted, handled or refused, with its place."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from helpers.clients import (
    Classes,
    Clients,
    Columns,
    Format,
    Handling,
    load_clients,
    read,
    read_age_groups,
    simulate,
    split,
    take,
)

ROWS = pd.DataFrame(
    {
        "who": [1, 1, 1, 2, 2, 2],
        "when": ["2024-01-03", "2024-01-01", None, "2024-02-01", "2024-02-02", "2024-02-02"],
        "what": ["food", None, "fuel", "food", "rent", "rent"],
        "sum": [10.0, -5.0, 7.0, 3.0, 400.0, 400.0],
    }
)
NAMES = {"client": "who", "time": "when", "category": "what", "amount": "sum"}
ALL = {"columns": NAMES, "handling": {"min_events": 1}, "classes": {"min_class_size": 1}}


def asked(**options):
    """All rows and classes of such a table are kept, except for what the options say."""
    return ALL | {group: ALL.get(group, {}) | names for group, names in options.items()}


def test_what_is_found_is_counted_handled_and_placed():
    found = read(ROWS, **ALL)
    assert found.events["amount"].tolist() == [-5.0, 10.0, 3.0, 400.0, 400.0]
    assert found.events["category"].tolist() == ["missing", "food", "food", "rent", "rent"]
    report = found.report
    assert report["found"].to_dict() == {
        "rows": 6,
        "duplicates": 1,
        "missing clients": 0,
        "missing dates": 1,
        "missing categories": 1,
        "unknown categories": 0,
        "missing amounts": 0,
        "negative amounts": 1,
        "unsorted": 1,
        "clients with few events": 0,
        "clients without target": 2,
        "targets without client": 0,
        "clients of rare classes": 0,
    }
    assert report.loc["missing dates", "where"] == "row 2, column 'when'"
    assert report.loc["duplicates", "done"] == "kept" and report.loc["missing dates", "done"] == "dropped"


def test_each_handling_does_what_it_says():
    assert len(read(ROWS, **asked(handling={"duplicates": "drop"})).events) == 4
    assert len(read(ROWS, **asked(handling={"negative_amounts": "drop"})).events) == 4
    assert read(ROWS, **asked(handling={"negative_amounts": "absolute"})).events["amount"].min() == 3
    assert "missing" not in set(read(ROWS, **asked(handling={"missing_categories": "drop"})).events["category"])
    other = read(ROWS, **asked(handling={"known_categories": ["food", "fuel"]}))
    assert other.events["category"].value_counts().to_dict() == {"food": 2, "other": 2, "missing": 1}
    assert len(read(ROWS, **asked(handling={"known_categories": ["food"], "unknown_categories": "drop"})).events) == 3
    few = read(ROWS, **asked(handling={"min_events": 3}))
    assert few.target.index.tolist() == [2] and few.report.loc["clients with few events", "found"] == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"handling": {"missing_dates": "raise"}},
            "row 2, column 'when': found missing dates in 1 row .missing_dates=",
        ),
        ({"handling": {"negative_amounts": "raise"}}, "row 1, column 'sum': found negative amounts in 1 row"),
        ({"handling": {"duplicates": "raise"}}, "the events table, row 5: found duplicates in 1 row"),
        (
            {"handling": {"known_categories": ["food"], "unknown_categories": "raise"}},
            "row 4, column 'what': found unknown categories in 2 rows .unknown_categories='raise'",
        ),
        (
            {"handling": {"min_events": 3, "few_events": "raise"}},
            "1 clients have fewer than 3 events, the first is 1 with 2",
        ),
        ({"handling": {"min_events": 9}}, "no client with at least 9 valid events is left of 6 rows"),
        ({"columns": {"amount": "price"}}, "no column 'price'; its columns are 'who', 'when', 'what', 'sum'"),
        (
            {"columns": {"amount": "what", "category": "sum"}},
            "row 0, column 'what': 'food' is not a number; 5 values are not",
        ),
        ({"columns": {"time": "what", "category": "when"}}, "row 0, column 'what': 'food' is not a date"),
        ({"columns": {"target": "sum"}}, "amount and target are both column 'sum'; name a column for each"),
        ({"columns": {"category": ["what", "when"]}}, r"time and category\[1\] are both column 'when'"),
        ({"columns": {"separator": ";"}}, r"columns names 'separator'; .* write format: {separator: …}"),
        ({"columns": {"colour": "red"}}, "columns names 'colour'; it can name client, time, category, amount"),
        ({"handling": {"missing_dates": "keep"}}, "handling.missing_dates is 'keep'; it can be 'drop' or 'raise'"),
        ({"handling": {"min_events": 0}}, "handling.min_events is 0; it must be at least 1"),
        ({"handling": {"known_categories": "food"}}, "known_categories is 'food'; a list of categories is needed"),
        ({"format": {"decimal": ",", "thousands": ","}}, "format.decimal and thousands are both ','"),
        ({"classes": {"n_bins": -1}}, "classes.n_bins is -1; it must be at least 0"),
    ],
)
def test_errors_name_the_option_or_the_place(options, message):
    with pytest.raises(ValueError, match=message):
        read(ROWS, **asked(**options))


def test_a_group_of_options_is_a_mapping_or_its_class():
    same = read(
        ROWS,
        columns=Columns(client="who", time="when", category="what", amount="sum"),
        handling=Handling(min_events=1),
        classes=Classes(min_class_size=1),
        format=Format(),
    )
    pd.testing.assert_frame_equal(same.events, read(ROWS, **ALL).events)
    with pytest.raises(TypeError, match=r"columns is 'who'; a mapping or Columns\(…\) is needed"):
        read(ROWS, columns="who")
    with pytest.raises(TypeError, match="handling.min_events is '3'; a whole number is needed"):
        read(ROWS, **asked(handling={"min_events": "3"}))


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("client", r"columns: \{client: …\}"),
        ("date_format", r"format: \{date_format: …\}"),
        ("missing_dates", r"handling: \{missing_dates: …\}"),
        ("categories", r"handling: \{known_categories: …\}"),
        ("target_groups", r"classes: \{n_bins: …\}"),
        ("min_class", r"classes: \{min_class_size: …\}"),
    ],
)
@pytest.mark.parametrize("source", ["events.csv", ".", "berka:nowhere"])
def test_an_option_outside_of_its_group_is_refused_with_its_place(tmp_path, source, name, place):
    ROWS.to_csv(tmp_path / "events.csv", index=False)
    source = source if ":" in source else tmp_path / source
    with pytest.raises(ValueError, match=rf"options name '{name}'; .* write {place}"):
        load_clients(source, **{name: "x"})


def test_the_layout_of_public_data_keeps_what_an_option_does_not_name(tmp_path):
    public_layout(tmp_path)
    options = {"columns": {"category": ["small_group"]}, "classes": {"min_class_size": 1}}
    pd.testing.assert_frame_equal(
        load_clients(tmp_path, **options).events, load_clients(tmp_path, classes=options["classes"]).events
    )
    with pytest.raises(ValueError, match="format names 'colour'; it can name separator, encoding"):
        load_clients(tmp_path, format={"colour": "red"})


def test_a_csv_file_is_read_as_the_table_it_holds_and_errors_name_its_lines(tmp_path):
    path = tmp_path / "events.csv"
    ROWS.to_csv(path, sep=";", index=False)
    ROWS.drop_duplicates("who")[["who"]].assign(target=["old", "young"]).to_csv(tmp_path / "t.csv", index=False)
    found = read(path, tmp_path / "t.csv", **ALL)
    pd.testing.assert_frame_equal(found.events, read(ROWS, **ALL).events)
    assert found.target.tolist() == ["old", "young"]
    with pytest.raises(ValueError, match="events.csv, line 4, column 'when'"):
        read(path, **asked(handling={"missing_dates": "raise"}))
    path.write_text(path.read_text().replace("7.0", "seven"))
    with pytest.raises(ValueError, match="events.csv, line 4, column 'sum': 'seven' is not a number"):
        load_clients(path, **ALL)
    with pytest.raises(FileNotFoundError, match="no file"):
        read(tmp_path / "none.csv")


def test_parquet_and_numbers_of_days_and_the_target_beside_the_events(tmp_path):
    table = ROWS.assign(when=[3, 1, 2, 9, 8, 7], group=[0, 0, 0, 1, 1, 1])
    table.to_parquet(tmp_path / "events.parquet")
    found = load_clients(tmp_path / "events.parquet", **asked(columns={"target": "group"}))
    assert found.events["time"].dt.dayofweek.tolist() == [1, 2, 3, 0, 1, 2]  # day 0 is a Monday
    assert found.target.to_dict() == {1: 0, 2: 1}


def public_layout(folder, gz=".gz"):
    simulated = simulate(40, events=(10, 12), rng=1)
    days = (simulated.events["time"] - pd.Timestamp("2025-01-01")).dt.days
    table = pd.DataFrame(
        {
            "client_id": simulated.events["client"],
            "trans_date": days,
            "small_group": simulated.events["category"].cat.codes,
            "amount_rur": simulated.events["amount"],
        }
    )
    first = table["client_id"] < 30
    table[first].to_csv(folder / f"transactions_train.csv{gz}", index=False)
    table[~first].to_csv(folder / "transactions_test.csv", index=False)
    target = simulated.target.iloc[:30].rename("bins").rename_axis("client_id")
    target.to_csv(folder / "train_target.csv")
    return simulated


def test_the_public_layout_is_read_with_clients_whose_target_is_hidden(tmp_path):
    simulated = public_layout(tmp_path)
    found = load_clients(tmp_path, classes={"min_class_size": 1})
    assert len(found) == 40 and found.target.notna().sum() == 30
    assert found.events["amount"].tolist() == simulated.events["amount"].tolist()
    assert set(split(found)[found.target.isna()]) == {"train"}
    (tmp_path / "train_target.csv").unlink()
    with pytest.raises(FileNotFoundError, match="neither train_target.csv nor train_target.csv.gz"):
        read_age_groups(tmp_path)


@pytest.mark.skipif(not Path(os.environ.get("BOOK_DATA", ""), "berka_feup").is_dir(), reason="needs BOOK_DATA")
def test_real_accounts_are_read_and_their_owners_fall_into_four_groups_of_age():
    found = load_clients("berka")
    assert len(found) == 353 and len(found.events) > 30000
    assert set(found.target) == {0, 1, 2, 3} and found.target.value_counts().between(88, 89).all()
    assert found.report.loc["clients with few events", "found"] == 1
    assert {"interest credited", "remittance to another bank / household"} <= set(found.events["category"])
    assert found.events["time"].dt.year.between(1993, 1998).all()


def test_a_date_written_as_a_number_is_not_taken_for_days():
    table = ROWS.assign(when=[20240103, 20240101, 20240102, 20240201, 20240202, 20240203])
    with pytest.raises(ValueError, match="row 0, column 'when': 20240103 is not a plausible number of days"):
        read(table, **ALL)
    assert read(table, **asked(format={"date_format": "%Y%m%d"})).events["time"].dt.month.tolist() == [1, 1, 1, 2, 2, 2]


def test_dates_as_people_write_them():
    def times(values):
        found = read(ROWS.assign(when=values), **ALL).events["time"]
        return found.dt.strftime("%Y-%m-%d %H:%M").tolist()

    dotted = ["03.02.2024", "01.02.2024", "02.02.2024", "11.02.2024", "12.02.2024", "10.02.2024"]
    assert times(dotted)[0] == "2024-02-01 00:00" and times(dotted)[-1] == "2024-02-12 00:00"
    mixed = ["2024-01-03T10:00:00.5", "2024-01-01", "2024-01-02T09:30:00"] * 2
    assert times(mixed)[:3] == ["2024-01-01 00:00", "2024-01-02 09:30", "2024-01-03 10:00"]
    summer = ["2024-03-30T10:00:00+01:00", "2024-03-31T10:00:00+02:00", "2024-04-01T10:00:00Z"] * 2
    assert times(summer)[:3] == ["2024-03-30 10:00", "2024-03-31 10:00", "2024-04-01 10:00"]
    with pytest.raises(ValueError, match="'soon' is not a date; format.date_format names the form of the dates"):
        times(["soon", *dotted[1:]])


def test_decimal_commas_and_other_encodings_are_named_and_read(tmp_path):
    table = ROWS.assign(what=["café", None, "fuel", "food", "rent", "rent"])
    table.to_csv(tmp_path / "e.csv", sep=";", decimal=",", encoding="cp1252", index=False)
    found = read(tmp_path / "e.csv", **asked(format={"decimal": ",", "encoding": "cp1252"}))
    assert found.events["amount"].tolist() == [-5.0, 10.0, 3.0, 400.0, 400.0] and "café" in set(
        found.events["category"]
    )
    with pytest.raises(ValueError, match="e.csv is not utf-8; name its encoding, such as 'cp1252'"):
        read(tmp_path / "e.csv", **ALL)
    with pytest.raises(
        ValueError,
        match="line 2, column 'sum': '10,0' is not a number.*format.decimal and format.thousands name the marks",
    ):
        read(tmp_path / "e.csv", **asked(format={"encoding": "cp1252"}))


def test_a_class_may_be_missing_in_some_rows_and_clients_that_do_not_match_are_told():
    some = ROWS.assign(target=["old", None, None, None, "young", "young"])
    assert read(some, **ALL).target.to_dict() == {1: "old", 2: "young"}
    with pytest.raises(ValueError, match="none of the 2 clients .* look like 1, those of the targets like '1'"):
        read(ROWS, pd.Series(["old", "young"], index=["1", "2"]), **ALL)


def test_clients_and_categories_are_what_is_written(tmp_path):
    """Leading zeros, long numbers beside gaps and spaces neither merge clients nor part them."""
    path, events = tmp_path / "e.csv", ROWS.assign(what=["0742", "742", None, "0742", "9", "9"])

    def read_names(names, targets=None):
        events.assign(who=names, when="2024-01-03").to_csv(path, index=False)
        return read(path, targets, **ALL)

    found = read_names(["007", "007", "7", "7", "7", "7"])
    assert found.target.index.tolist() == ["007", "7"] and {"0742", "742"} <= set(found.events["category"])
    assert read_names(["7", "7.0", "7", "8", "8", "8"]).target.index.tolist() == [7, 8]
    assert read_names(["A 1", "A 1 ", "A 1", "B", "B", "B"]).target.index.tolist() == ["A 1", "B"]
    long = ["9007199254740993", "9007199254740992", "", *["9007199254740992"] * 3]
    assert read_names(long).target.index.tolist() == [2**53, 2**53 + 1]
    pd.DataFrame({"who": [7, 8], "target": ["old", "young"]}).to_csv(tmp_path / "t.csv", index=False)
    assert read_names(["7", "7", "7", "C8", "C8", "C8"], tmp_path / "t.csv").target.tolist()[0] == "old"
    assert len(read(ROWS.assign(who=pd.array([1, 1, None, 2, 2, 2], dtype="Int64")), **ALL)) == 2
    mixed = read(ROWS.assign(who=[1, 1, 1, "b", "b", "b"]), **ALL).target.index
    assert mixed.tolist() == ["1", "b"]


def test_a_target_of_numbers_is_cut_into_groups_and_as_many_classes_as_clients_are_refused(tmp_path):
    table = pd.concat([ROWS.dropna().assign(who=i, age=float(70 - 3 * i)) for i in range(12)])
    age = {"columns": NAMES | {"target": "age"}}
    with pytest.raises(
        ValueError, match="'age' has 12 values among 12 clients; classes are needed, and classes.n_bins"
    ):
        read(table, **asked(**age))
    found = read(table, **asked(**age, classes={"n_bins": 3}))
    assert found.target.tolist() == [2] * 4 + [1] * 4 + [0] * 4
    some = table.assign(age=table["age"].where(table["who"] > 3))
    some = read(some, **asked(**age, classes={"n_bins": 2})).target
    assert some.isna().sum() == 4 and some.value_counts().to_dict() == {0: 4, 1: 4}
    with pytest.raises(ValueError, match="classes.n_bins is 2, but the target 'age' holds no numbers or dates"):
        read(table.assign(age="old"), **asked(**age, classes={"n_bins": 2}))


def test_clients_of_rare_classes_are_counted_and_not_scored():
    table = pd.concat([ROWS.dropna().assign(who=i, kind="often" if i < 20 else "now and then") for i in range(32)])
    table.loc[table["who"] == 5, "kind"] = "once"
    found = read(table, **asked(columns={"target": "kind"}, classes={"min_class_size": 10}))
    assert found.target.value_counts().to_dict() == {"often": 19, "now and then": 12} and found.target.isna()[5]
    assert found.report.loc["clients of rare classes"].tolist() == [
        1,
        1 / 32,
        "not scored (fewer than 10)",
        "class once",
    ]
    with pytest.raises(
        ValueError, match="no class has 20 clients, the largest, 'often', has 19; classes.min_class_size"
    ):
        read(table, **asked(columns={"target": "kind"}, classes={"min_class_size": 20}))


def test_dates_that_can_be_read_in_two_ways_are_refused_and_one_that_tells_decides():
    def months(values, **format):
        return read(ROWS.assign(when=values), **asked(format=format)).events["time"].dt.month.tolist()

    either = ["03/04/2024", "05/06/2024", "07/08/2024", "01/02/2024", "02/02/2024", "03/02/2024"]
    with pytest.raises(ValueError, match="row 0, column 'when': '03/04/2024' can be read in more than one way"):
        months(either)
    assert months(either, date_format="%d/%m/%Y") == [4, 6, 8, 2, 2, 2]
    assert months([*either[:5], "30/02/2024".replace("02", "03")]) == [4, 6, 8, 2, 2, 3]
    assert months([*either[:5], "03/30/2024"]) == [3, 5, 7, 1, 2, 3]
    with pytest.raises(ValueError, match="more than one way"):  # the year may stand in front
        months([f"24/01/{day:02d}" for day in (3, 4, 5, 6, 7, 8)])
    late = ["2024-01-03T23:00:00", "2024-01-01T10:00:00+03:00", "2024-01-02T10:00:00Z"] * 2
    assert months(late) == [1] * 6
    stamps = [1704240000 + 86400 * day for day in (3, 1, 2, 9, 8, 7)]
    with pytest.raises(ValueError, match="1704499200 is not a plausible number of days; .* or 'seconds'"):
        months(stamps)
    assert months(stamps, date_format="seconds") == months([1000 * s for s in stamps], date_format="milliseconds")


def test_marks_in_numbers_are_named_and_never_guessed(tmp_path):
    path = tmp_path / "e.csv"

    def amounts(values, **format):
        ROWS.assign(sum=values, when="2024-01-03").to_csv(path, sep=";", index=False)
        return read(path, **asked(format=format)).events["amount"].tolist()

    german = ["1.234,5", "-5", "7,25", "3", "400", "10.000"]
    assert amounts(german, decimal=",", thousands=".") == [1234.5, -5, 7.25, 3, 400, 10000]
    with pytest.raises(
        ValueError, match="'1.234,5' is not a number; 2 values are not; format.decimal and format.thousands name"
    ):
        amounts(german, decimal=",")
    assert amounts(["1 234", "5", "7\N{NO-BREAK SPACE}000", "3", "4", "\N{MINUS SIGN}10"], thousands=" ")[2] == 7000
    with pytest.raises(ValueError, match="'£5' is not a number"):
        amounts(["1", "£5", "7", "3", "4", "10"])


def test_files_that_are_no_table_are_told(tmp_path):
    path = tmp_path / "e.csv"
    text = ROWS.to_csv(index=False)
    lines = text.splitlines()
    path.write_text("\n".join([lines[0], *(line + ",more" for line in lines[1:])]))
    with pytest.raises(ValueError, match="e.csv cannot be read as a table: rows have more fields than the heading"):
        read(path, **ALL)
    path.write_text("\n".join([lines[0], *(line + "," for line in lines[1:])]))
    assert len(read(path, **ALL)) == 2  # a separator at the end of each row says nothing
    path.write_text(text.replace(",", "~"))
    with pytest.raises(ValueError, match="no column 'who'; .*; format.separator names the character between columns"):
        read(path, **ALL)
    assert len(read(path, **asked(format={"separator": "~"}))) == 2
    path.write_text(text.replace(",", "::"))
    assert len(read(path, **asked(format={"separator": "::"}))) == 2
    for content in ("", "\n\n"):
        path.write_text(content)
        with pytest.raises(ValueError, match="e.csv cannot be read as a table"):
            read(path, **ALL)
    with pytest.raises(ValueError, match="encoding is 'klingon', which is unknown"):
        read(path, **asked(format={"encoding": "klingon"}))
    (tmp_path / "e.parquet").write_text("no")
    with pytest.raises(ValueError, match="e.parquet cannot be read as a table"):
        read(tmp_path / "e.parquet", **ALL)
    (tmp_path / "e.xlsx").write_text("no")
    with pytest.raises(ValueError, match="e.xlsx is a spreadsheet; save it as CSV or Parquet"):
        read(tmp_path / "e.xlsx", **ALL)
    with pytest.raises(ValueError, match="has 2 columns 'sum'; each name is needed once"):
        read(pd.concat([ROWS, ROWS[["sum"]]], axis=1), **ALL)
    with pytest.raises(ValueError, match="is left of 6 rows; dropped were 1 missing dates, 5 missing amounts"):
        read(ROWS.assign(sum=np.nan), **ALL)
    with pytest.raises(ValueError, match="options name 'colour'; for the source 'simulated' there are days, events"):
        load_clients("simulated", colour="red")


def test_relative_paths_start_here_or_at_the_top_of_the_project(tmp_path, monkeypatch):
    from helpers import locations
    from helpers.book.fingerprint import key

    ROWS.to_csv(tmp_path / "mine.csv", index=False)
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    with pytest.raises(FileNotFoundError, match="no source 'mine.csv'"):
        load_clients("mine.csv", **ALL)
    monkeypatch.setattr(locations, "ROOT", tmp_path)
    assert len(load_clients("mine.csv", **ALL)) == 2
    # A table that options name counts by its contents.
    keys = []
    for text in ("a", "b"):
        (tmp_path / "answers.csv").write_text(text)
        keys.append(key(["1"], {"options": {"targets": str(tmp_path / "answers.csv")}}))
    assert keys[0] != keys[1]


def test_an_unknown_source_is_named():
    with pytest.raises(FileNotFoundError, match="no source 'simulate'"):
        load_clients("simulate")


def test_fewer_clients_are_drawn_with_targets_first():
    simulated = simulate(20, events=(3, 3), rng=0)
    half = Clients(simulated.events, simulated.target.where(simulated.target.index < 5), latents=simulated.latents)
    assert take(half, 5, rng=1).target.index.tolist() == [0, 1, 2, 3, 4]
    some = take(simulated, 7, rng=1)
    assert len(some) == 7 and set(some.events["client"]) == set(some.target.index) == set(some.latents.index)
