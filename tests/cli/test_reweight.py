"""chainrule reweight and chainrule augment: what they write and say, and what they refuse."""

import csv

import pytest


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture
def table(tmp_path):
    """Forty rows with a group."""
    path = tmp_path / "train.csv"
    lines = ["text,label,gender,count"]
    for k in range(40):
        gender = "fm"[k % 2]
        label = "yes" if (gender == "m") == (k % 8 != 0 and k % 5 != 0) else "no"
        lines.append(f"{'she' if gender == 'f' else 'he'} came {k},{label},{gender},{k % 3 + 1}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_weights_are_a_column_that_training_takes(run, table, tmp_path):
    out = tmp_path / "weighted.csv"
    result = run("reweight", table, "--groups", "gender", "--out", out)
    assert (result.code, result.error) == (0, "")
    assert f"table: {out} (40 rows, column 'weight')" in result.out
    rows = rows_of(out)
    assert list(rows[0]) == ["text", "label", "gender", "count", "weight"]
    shares = [
        sum(float(r["weight"]) for r in rows if r["gender"] == g and r["label"] == "yes")
        / sum(float(r["weight"]) for r in rows if r["gender"] == g)
        for g in "fm"
    ]
    assert shares[0] == pytest.approx(shares[1])
    words = ["--weight", "weight", "--out", tmp_path / "model", "--epochs", "1", "--quiet", "--eager"]
    assert run("train", out, *words).code == 0


def test_weights_that_are_there_are_multiplied(run, table, tmp_path):
    out = tmp_path / "weighted.csv"
    assert run("reweight", table, "--groups", "gender", "--weight", "count", "--out", out).code == 0
    assert list(rows_of(out)[0]) == ["text", "label", "gender", "count"]


def test_groups_by_words(run, table, tmp_path):
    out = tmp_path / "weighted.jsonl"
    result = run("reweight", table, "--lexicon", "en", "--out", out)
    assert [line.split()[0] for line in result.out.splitlines()[1:3]] == ["men", "women"]


def test_copies_are_of_rows_to_train_on_alone(run, table, tmp_path):
    out, rest = tmp_path / "augmented.csv", tmp_path / "rest.csv"
    result = run("augment", table, "--out", out, "--rest", rest, "--share", "0.25")
    assert result.code == 0, result.error
    train, held = rows_of(out), rows_of(rest)
    assert (len(train), len(held)) == (60, 10)
    texts = {row["text"] for row in train}
    assert len(texts) == 60
    swapped = {
        row["text"].replace("she ", "he ") if row["text"].startswith("she") else f"s{row['text']}" for row in held
    }
    assert not texts & swapped
    assert not texts & {row["text"] for row in held}
    copies = train[30:]
    originals = {row["text"]: row for row in train[:30]}
    for row in copies:
        text = row["text"].removeprefix("s") if row["text"].startswith("she") else f"s{row['text']}"
        assert {**row, "text": text} == originals[text]
    assert "not changed: texts without a word of the pairs" in result.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["reweight"], "groups: give one of --groups COLUMN and --lexicon LIST"),
        (
            ["reweight", "--groups", "gender", "--lexicon", "en"],
            "groups: give one of --groups COLUMN and --lexicon LIST",
        ),
        (["reweight", "--groups", "size"], "keeps no column 'size' to group by; it keeps 'text', 'label', 'gender'"),
        (["augment", "--share", "1"], "--share must be above 0 and below 1, got 1"),
        (["augment", "--swap", "fr"], "no text has a word of the pairs fr; take another list"),
    ],
)
def test_what_cannot_be_is_refused(refused, table, tmp_path, words, message):
    assert message in refused(words[0], table, *words[1:], "--out", tmp_path / "out.csv")


def test_files_that_are_there_and_other_kinds_are_refused(refused, table, tmp_path):
    assert "unknown kind of file '.txt'" in refused("augment", table, "--out", tmp_path / "out.txt")
    assert "the file exists" in refused("reweight", table, "--groups", "gender", "--out", table)
    assert "the file exists" in refused("augment", table, "--out", tmp_path / "out.csv", "--rest", table)


def test_a_column_of_weights_is_not_written_over(run, refused, table, tmp_path):
    out = tmp_path / "weighted.csv"
    run("reweight", table, "--groups", "gender", "--out", out)
    message = refused("reweight", out, "--groups", "gender", "--out", tmp_path / "again.csv")
    assert "has a column 'weight' already; name it with --weight weight, and it is multiplied" in message
