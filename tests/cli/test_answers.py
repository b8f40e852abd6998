"""What predict writes and evaluate says: files that read back, labels nobody has seen, thousands of them, terminals."""

import json
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

import chainrule
from chainrule.cli.main import main
from chainrule.shown import one_line
from tests.data.test_write import TEXTS, VALUES, as_text, read_back
from tests.samples import FullDisk, command_line, make_rows, write_rows

#: A window's title, a bell, ends of lines for some readers, a text from right to left, and more.
UNSAFE = "\x1b]0;title\x07\x08\x0b\x0c\x7f\x85\x9b\u2028\u2029\u202e"


def safe(text):
    """Whether nothing of it acts on a terminal, or ends a line but a line break."""
    return not {x for x in UNSAFE if not x.isprintable()} & set(text) and len(text.splitlines()) == text.count("\n")


@pytest.fixture(scope="module")
def numbered(tmp_path_factory):
    """A model of labels that are whole numbers."""
    place = tmp_path_factory.mktemp("numbered") / "model"
    table = chainrule.Table.from_lists(["good fun", "bad luck"] * 20, [1, -10] * 20)
    chainrule.fit(chainrule.BagOfWords(), table, table, folder=place, engine="eager")
    return place


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A model of 2,000 labels, untrained."""
    place = tmp_path_factory.mktemp("many") / "model"
    table = chainrule.Table.from_lists([f"word{i % 50}" for i in range(2000)], [f"label {i}" for i in range(2000)])
    model, _ = chainrule.Model.untrained(chainrule.BagOfWords(), chainrule.Classify(), table, seed=0)
    model.save(place)
    return place


@pytest.fixture
def rows(tmp_path):
    """A table with other columns than those a model reads."""
    columns = ("id", "text", "date", "label")
    return write_rows(
        tmp_path / "rows.csv", [(7, "good fun", "2026-01-02", "so-so"), (8, 'bad, "dull"', "", "")], columns
    )


# Where texts come from


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["good", "--file", "rows.csv"], "expected texts or --file, got both"),
        (["good", "--keep", "id"], "--keep names columns of a file, and there is none; add --file FILE"),
        (["good", "--top", "0"], "--top must be a whole number of 1 or more, got 0"),
        (["good", "--top", "some"], "argument --top: invalid int value: 'some'"),
        (["good", "--force"], "--force overwrites the file of --out, and there is none"),
        (["good", "--out", "a.xlsx"], "a.xlsx: unknown kind of file '.xlsx'; expected one of .csv, .tsv, .jsonl"),
        (["good", "--out", "a.jsonl", "--json"], "for JSON in a file, give --out FILE.jsonl"),
        (["good", "--out", "none/a.csv"], "there is no folder none; make it first"),
        (
            ["--file", "rows.csv", "--keep", "id,nope"],
            "no column 'nope'; the columns are 'id', 'text', 'date'",
        ),
        (["--file", "rows.csv", "--keep", "a\nb"], "--keep 'a\\nb': expected NAME,NAME: new-line character seen"),
        (["good", "--out", f"{'a' * 300}.csv"], "File name too long; what was there is unchanged"),
        (["--file", "lines.txt", "--keep", "id"], "--keep id: lines.txt holds a text a line, and no columns to keep"),
        (["--file", "rows.csv", "--out", "rows.csv", "--force"], "--out rows.csv: is the file that is read"),
    ],
)
def test_what_predict_refuses(refused, saved, rows, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lines.txt").write_text("good\n")
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    assert message in refused("predict", saved["bow"], *words)
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_the_likeliest_are_of_labels(refused, tmp_path):
    table = chainrule.Table.from_lists(["good", "bad"] * 10, [1.0, 2.0] * 10, target="number")
    chainrule.fit(chainrule.BagOfWords(), table, table, task=chainrule.Regress(), folder=tmp_path / "m", engine="eager")
    assert "--top: the task regress answers by something else" in refused("predict", tmp_path / "m", "good", "--top", 2)


# Files of answers


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_a_file_of_answers_keeps_the_columns(run, saved, rows, tmp_path, suffix):
    out = tmp_path / f"answers{suffix}"
    result = run("predict", saved["bow"], "--file", rows, "--out", out)
    assert (result.code, result.out, result.error) == (0, f"2 answers  {out}\n", "")
    model = chainrule.Model.load(saved["bow"])
    texts = ["good fun", 'bad, "dull"']
    found = read_back(out)
    kept = {"id": ["7", "8"], "text": texts, "date": ["2026-01-02", ""], "label": ["so-so", ""]}
    assert {name: found[name] for name in list(found)[:4]} == kept
    assert found["prediction"] == model.predict(texts)
    best = model.predict_probabilities(texts).max(axis=1)
    if suffix == ".jsonl":
        assert list(found) == [*kept, "prediction", "probabilities"]
        assert [max(each.values()) for each in found["probabilities"]] == pytest.approx(best.tolist(), abs=1e-6)
    else:
        assert list(found) == [*kept, "prediction", "probability"]
        assert list(map(float, found["probability"])) == pytest.approx(best.tolist(), abs=1e-6)
    chosen = tmp_path / f"chosen{suffix}"
    assert run("predict", saved["bow"], "--file", rows, "--keep", "date,id", "--out", chosen, "--top", 2).code == 0
    found = read_back(chosen)
    assert list(found)[:3] == ["date", "id", "prediction"]
    if suffix != ".jsonl":
        assert list(found)[3:] == ["probability", "top_1", "probability_1", "top_2", "probability_2"]
        assert found["top_1"] == found["prediction"]
        assert set(found["top_2"]) | set(found["top_1"]) == {"negative", "positive"}
    assert run("predict", saved["bow"], "--file", rows, "--keep", "none", "--out", chosen, "--force").code == 0
    assert next(iter(read_back(chosen))) == "prediction"


def test_columns_are_kept_as_they_are(run, saved, tmp_path):
    """Numbers, lists and objects of JSON, types of Parquet; and a column of an answer's name does not hide it."""
    objects = [
        {"n": 1, "text": "good", "tags": ["a"], "meta": {"x": None}, "mixed": 1, "prediction": "mine"},
        {"n": 2, "text": None, "tags": [], "meta": [1, "b"], "mixed": "a"},
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in objects))
    found = [json.loads(line) for line in run("predict", saved["bow"], "--file", path, "--json").out.splitlines()]
    answers = chainrule.Model.load(saved["bow"]).predict(["good", ""])
    assert [each.pop("prediction") for each in found] == answers
    assert all(set(each.pop("probabilities")) == {"negative", "positive"} for each in found)
    assert found == [
        {("prediction (file)" if key == "prediction" else key): each.get(key) for key in objects[0]} for each in objects
    ]
    frame = pl.DataFrame({"text": ["good"], "day": pl.Series(["2026-01-02"]).str.to_date(), "f": [0.1]})
    frame.write_parquet(tmp_path / "rows.parquet")
    run("predict", saved["bow"], "--file", tmp_path / "rows.parquet", "--out", tmp_path / "out.parquet")
    assert pl.read_parquet(tmp_path / "out.parquet").select(frame.columns).equals(frame)


def test_an_answer_of_texts_has_the_texts(run, saved, tmp_path):
    assert run("predict", saved["bow"], "good", "a, b", "--out", tmp_path / "a.csv").code == 0
    assert read_back(tmp_path / "a.csv")["text"] == ["good", "a, b"]


def test_no_texts_make_a_file_without_rows(run, saved, tmp_path):
    (tmp_path / "lines.txt").write_text("")
    assert run("predict", saved["bow"], "--file", tmp_path / "lines.txt", "--out", tmp_path / "a.csv").code == 0
    assert (tmp_path / "a.csv").read_text() == "text,prediction,probability\n"


def test_a_file_that_is_there_stays_unless_it_is_to_be_overwritten(run, refused, saved, tmp_path):
    out = tmp_path / "a.csv"
    out.write_text("mine")
    assert "a.csv exists already and is left as it is" in refused("predict", saved["bow"], "good", "--out", out)
    assert out.read_text() == "mine"
    assert run("predict", saved["bow"], "good", "--out", out, "--force").code == 0
    assert read_back(out)["text"] == ["good"]


def test_a_full_disk_leaves_no_half_of_a_file(refused, saved, tmp_path, monkeypatch):
    FullDisk(monkeypatch, full_at=1)
    assert "No space left on device" in refused("predict", saved["bow"], "good", "--out", tmp_path / "a.csv")
    assert list(tmp_path.iterdir()) == []


def test_rows_are_those_of_all_files(run, saved, rows, tmp_path):
    other = write_rows(tmp_path / "other.csv", [("awful", "x")], ("text", "more"))
    out = tmp_path / "answers.csv"
    assert run("predict", saved["bow"], "--file", rows, "--file", other, "--out", out).code == 0
    found = read_back(out)
    assert found["text"] == ["good fun", 'bad, "dull"', "awful"]
    assert (found["id"], found["more"]) == (["7", "8", ""], ["", "", "x"])


LABELS = st.lists(TEXTS.map(str.strip).filter(bool), min_size=2, max_size=4, unique=True)


@settings(max_examples=30, deadline=None)
@given(
    LABELS,
    st.lists(st.fixed_dictionaries({"text": TEXTS, "other": VALUES}), min_size=1, max_size=4),
    TEXTS.filter(lambda name: name not in ("text", "other")),
    st.sampled_from([".csv", ".tsv", ".jsonl", ".parquet"]),
)
def test_what_predict_writes_reads_back_whatever_texts_labels_and_names_hold(labels, objects, name, suffix):
    objects = [{**each, name: "x"} for each in objects]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        table = chainrule.Table.from_lists(["good"] * len(labels), labels)
        if len(table.label_names()) < 2:  # what Polars strips is more than what Python does
            return
        model, _ = chainrule.Model.untrained(chainrule.BagOfWords(), chainrule.Classify(), table, seed=0)
        model.save(place / "model")
        (place / "rows.jsonl").write_text("".join(json.dumps(each) + "\n" for each in objects))
        words = ["predict", place / "model", "--file", place / "rows.jsonl", "--out", place / f"out{suffix}"]
        assert main(list(map(str, words))) == 0
        found = read_back(place / f"out{suffix}")
    texts = [each["text"] for each in objects]
    assert found["text"] == texts
    assert found["prediction"] == model.predict(texts)
    kept = name if name in found and name not in ("prediction", "probability", "probabilities") else f"{name} (file)"
    assert found[kept] == ["x"] * len(texts)
    values = [each["other"] for each in objects]
    if suffix in (".csv", ".tsv"):
        assert found["other"] == list(map(as_text, values))
    elif suffix == ".jsonl":
        assert found["other"] == values


# Labels that were numbers


def test_labels_that_were_numbers_come_back_as_numbers(run, numbered, tmp_path):
    model = chainrule.Model.load(numbered)
    assert model.labels == (-10, 1)
    assert model.predict(["good", "bad"]) == [1, -10]
    assert json.loads(run("predict", numbered, "good", "--json").out)["prediction"] == 1
    assert run("predict", numbered, "good").out.startswith("1\t-10=")
    run("predict", numbered, "bad", "--out", tmp_path / "a.parquet", "--top", 1)
    assert pl.read_parquet(tmp_path / "a.parquet")["prediction"].to_list() == [-10]
    assert pl.read_parquet(tmp_path / "a.parquet")["top_1"].dtype == pl.Int64
    path = write_rows(tmp_path / "test.csv", [("good", 1), ("bad", -10)])  # which are texts there
    assert json.loads(run("evaluate", numbered, path, "--json").out)["accuracy"] == 1


# Labels that the model does not know


def test_rows_with_unseen_labels_are_wrong_and_told(run, saved, tmp_path):
    rows = [("good", "positive"), ("lovely", "odd"), ("bad", "negative"), ("dull", "so-so"), ("fun", "odd"), ("x", "")]
    path = write_rows(tmp_path / "test.csv", rows)
    result = run("evaluate", saved["bow"], path)
    assert (result.code, result.error) == (0, "")
    line = "unseen labels      odd 2, so-so 1; counted as wrong, and left out of the losses"
    assert line in result.out.splitlines()
    content = json.loads(run("evaluate", saved["bow"], path, "--json").out)
    assert content["unseen"] == {"odd": 2, "so-so": 1}
    assert content["examples"] == 5
    truth, found = (
        [label for _, label in rows[:5]],
        chainrule.Model.load(saved["bow"]).predict([x for x, _ in rows[:5]]),
    )
    assert found[:3] == ["positive", "positive", "negative"]
    assert content["accuracy"] == metrics.accuracy_score(truth, found)
    assert content["balanced_accuracy"] == pytest.approx(metrics.balanced_accuracy_score(truth, found))
    assert content["macro_f1"] == pytest.approx(metrics.f1_score(truth, found, average="macro", zero_division=0))
    known = write_rows(tmp_path / "known.csv", [row for row in rows if row[1] in ("positive", "negative")])
    alone = json.loads(run("evaluate", saved["bow"], known, "--json").out)
    assert content["log_loss"] == alone["log_loss"]
    assert content["confusion"] == alone["confusion"]
    model = chainrule.Model.load(saved["bow"])
    assert model.unseen_labels(chainrule.read_table(path)) == {"odd": 2, "so-so": 1}
    assert model.evaluate(chainrule.read_table(path)).unseen_rows == 3


@pytest.mark.parametrize("output", ["softmax", "sigmoid", "tanh"])
def test_unseen_labels_in_validation_are_wrong_and_told(run, csv_file, tmp_path, output):
    path = write_rows(tmp_path / "valid.csv", [*make_rows(20), ("odd one", "odd"), ("more", "odd")])
    words = ["--valid", path, "--out", tmp_path / "model", "--output", output, *command_line("bow"), "--quiet"]
    result = run("train", csv_file, *words)
    assert result.code == 0
    assert result.error == (
        f"chainrule: {path}: rows with labels that no training row has are wrong in validation: odd 2\n"
    )
    assert json.loads(run("evaluate", tmp_path / "model", path, "--json").out)["accuracy"] <= 20 / 22


# Thousands of labels


def test_thousands_of_labels_are_told_in_a_few_lines(run, many, tmp_path):
    rows = [(f"word{i % 50}", f"label {i % 2000}") for i in range(2500)]
    path = write_rows(tmp_path / "test.csv", rows)
    result = run("evaluate", many, path)
    assert result.code == 0
    lines = result.out.splitlines()
    assert len(lines) < 90
    assert len(result.out) < 8000
    assert "the 30 of 2,000 classes with the most rows" in lines
    (title,) = (line for line in lines if " commonest of " in line)
    evaluation = chainrule.Model.load(many).evaluate(chainrule.read_table(path))
    assert title == f"the 30 commonest of {len(evaluation.confusions()):,} confusions"
    content = json.loads(run("evaluate", many, path, "--json").out)
    assert "confusion" not in content
    pairs = {(each["true"], each["predicted"]): each["count"] for each in content["confusions"]}
    assert sum(pairs.values()) == round(2500 * (1 - content["accuracy"]))
    counts = evaluation.confusion - np.diag(np.diag(evaluation.confusion))
    for (true, predicted), count in pairs.items():
        assert counts[evaluation.labels.index(true), evaluation.labels.index(predicted)] == count
    assert counts.sum() == sum(pairs.values())
    assert list(pairs.values()) == sorted(pairs.values(), reverse=True)


def test_of_thousands_of_labels_the_likeliest_are_told(run, many):
    p = chainrule.Model.load(many).predict_probabilities(["word1"])[0]
    order = np.argsort(-p, kind="stable")
    labels = chainrule.Model.load(many).labels
    content = json.loads(run("predict", many, "word1", "--json").out)
    assert list(content["probabilities"]) == [labels[i] for i in order[:5]]
    assert run("predict", many, "word1").out.count("=") == 5
    content = json.loads(run("predict", many, "word1", "--json", "--top", 7).out)
    assert list(content["probabilities"]) == [labels[i] for i in order[:7]]
    assert run("summary", many).out.count("'label ") == 30


# Terminals


def test_nothing_that_is_read_acts_on_the_terminal(run, tmp_path, monkeypatch):
    """Texts, labels and the names of columns, files and folders, in all that the commands print."""
    monkeypatch.chdir(tmp_path)
    text, label, column = f"text{UNSAFE}", f"label{UNSAFE}x", f"column{UNSAFE}"
    records = [{column: f"good {text} word{i % 7}", "label": (label, "b")[i % 2], "id": UNSAFE} for i in range(40)]
    path = Path(f"rows{UNSAFE}.jsonl")
    path.write_text("".join(json.dumps(each) + "\n" for each in records))
    model = f"model{UNSAFE}"
    train = ["train", path, "--text", column, "--learner", "bow", "--epochs", 1]
    outputs = [
        run(*train, "--out", model),
        run(*train, "--dry-run"),
        run("summary", model),
        run("evaluate", model, path, "--text", column),
        run("evaluate", model, path, "--text", column, "--json"),
        run("predict", model, text),
        run("predict", model, text, "--json"),
        run("predict", model, "--file", path, "--text", column, "--keep", "id"),
        run("predict", model, "--file", path, "--text", column, "--json"),
        run("predict", model, "--file", path, "--text", column, "--out", f"out{UNSAFE}.csv"),
    ]
    for result in outputs:
        assert result.code == 0, result.error
        assert result.out
        assert safe(result.out)
        assert safe(result.error)
    assert json.loads(outputs[6].out)["text"] == text
    assert outputs[5].out.endswith(f"\t{one_line(text, 1000)}\n")
    assert len(Path(model, "record.jsonl").read_text().splitlines()) == 3


@pytest.mark.parametrize(
    "words",
    [
        ["predict", "model", f"there{UNSAFE}"],
        ["predict", "model", "--file", f"missing{UNSAFE}.csv"],
        ["predict", "model", "--file", f"there{UNSAFE}", "--encoding", UNSAFE],
        ["predict", f"model{UNSAFE}", "good"],
        ["evaluate", "model", f"missing{UNSAFE}.csv"],
        ["train", f"missing{UNSAFE}.csv", "--out", "x"],
        ["train", "missing.csv", "--learner", UNSAFE],
        ["train", "missing.csv", "--config", UNSAFE],
        ["draw", f"x{UNSAFE}"],
        ["draw", "x", "--at", f"x={UNSAFE}"],
        [UNSAFE],
        ["predict", f"--{UNSAFE}"],
    ],
    ids=range(12),
)
def test_no_message_acts_on_the_terminal(run, saved, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    Path(f"there{UNSAFE}").write_text("good\n")
    result = run(*(saved["bow"] if word == "model" else word for word in words))
    assert result.code == 2
    assert "error: " in result.error
    assert safe(result.out + result.error)
    assert len(result.error.splitlines()[-1]) < 1000


LONG = "long" * 10_000


@pytest.mark.parametrize(
    "words",
    [
        ["evaluate", "model", "other.csv"],
        ["predict", "model", "--encoding", LONG],
        ["predict", "model", "--file", "other.csv", "--keep", LONG],
        ["train", "other.csv", "--out", "x", "--learner", LONG],
        ["train", "other.csv", "--out", "x", "--task", "regress"],
        ["train", "other.csv", "--out", "x", "--label", LONG],
    ],
    ids=range(6),
)
def test_a_message_shows_little_of_a_long_value(run, saved, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    write_rows(tmp_path / "other.csv", [(f"good {i}", f"{LONG}{i}") for i in range(40)])
    result = run(*(saved["bow"] if word == "model" else word for word in words))
    assert result.code == 2
    assert len(result.error.splitlines()[-1]) < 2000
