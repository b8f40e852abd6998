"""chainrule evaluate: its numbers against scikit-learn, and what it refuses."""

import json

import pytest
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    balanced_accuracy_score,
    confusion_matrix,
    f1_score,
    log_loss,
    precision_recall_fscore_support,
    roc_auc_score,
)

import chainrule
from tests.samples import TELLING, as_table, fit, make_rows, write_rows


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """A model of three classes, trained too little to be always right."""
    place = tmp_path_factory.mktemp("three") / "model"
    table = as_table(make_rows(60, tuple(TELLING)))
    fit("bow", table, table, epochs=1, folder=place)
    return place


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write_rows(tmp_path_factory.mktemp("table") / "test.csv", make_rows(100, tuple(TELLING), seed=3))


#: Lines that `evaluate` prints of a classifier before its tables: the number of rows, and the measures.
MEASURES = 10


def test_json(run, three, table):
    result = run("evaluate", three, table, "--json")
    assert (result.code, result.error) == (0, "")
    assert result.out.count("\n") == 1
    content = json.loads(result.out)
    read = chainrule.read_table(table)
    truth, found = read.labels.to_list(), chainrule.Model.load(three).predict(read.texts)
    labels = sorted(TELLING)
    assert 0 < content["accuracy"] < 1
    assert content["accuracy"] == pytest.approx(accuracy_score(truth, found))
    assert content["macro_f1"] == pytest.approx(f1_score(truth, found, average="macro"))
    assert content["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(truth, found))
    assert content["micro_f1"] == pytest.approx(f1_score(truth, found, average="micro"))
    probabilities = chainrule.Model.load(three).predict_probabilities(read.texts).astype(float)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    assert content["roc_auc"] == pytest.approx(roc_auc_score(truth, probabilities, multi_class="ovr"))
    assert content["loss"] == content["log_loss"] == pytest.approx(log_loss(truth, probabilities, labels=labels))
    each = [average_precision_score([x == label for x in truth], probabilities[:, i]) for i, label in enumerate(labels)]
    assert content["average_precision"] == pytest.approx(sum(each) / 3)
    assert 0 < content["calibration_error"] < 1
    assert content["confusion"] == {"labels": labels, "counts": confusion_matrix(truth, found, labels=labels).tolist()}
    expected = precision_recall_fscore_support(truth, found, labels=labels)
    for i, label in enumerate(labels):
        numbers = content["classes"][label]
        assert list(numbers) == ["precision", "recall", "f1", "support"]
        assert list(numbers.values()) == pytest.approx([column[i] for column in expected])
    assert content["examples"] == 100
    assert content["unlabelled"] == content["empty"] == 0


def test_eager_gives_the_same(run, three, table):
    outputs = [run("evaluate", three, table, *more).out for more in ((), ("--eager",), ("--engine", "eager"))]
    assert outputs[0] == outputs[1] == outputs[2] != ""


def test_tables(run, three, table):
    result = run("evaluate", three, table)
    assert (result.code, result.error) == (0, "")
    evaluation = chainrule.evaluate(chainrule.Model.load(three), chainrule.read_table(table))
    lines = result.out.splitlines()
    assert lines[:MEASURES] == [
        "examples           100",
        f"accuracy           {evaluation.accuracy:.4f}",
        f"balanced accuracy  {evaluation.balanced_accuracy:.4f}",
        f"macro-F1           {evaluation.macro_f1:.4f}",
        f"micro-F1           {evaluation.micro_f1:.4f}",
        f"ROC-AUC            {evaluation.roc_auc:.4f}",
        f"average precision  {evaluation.average_precision:.4f}",
        f"log loss           {evaluation.log_loss:.4f} nats",
        f"calibration error  {evaluation.calibration_error:.4f}",
        f"loss               {evaluation.loss:.4f}",
    ]
    assert lines[MEASURES] == ""
    classes, matrix = lines[MEASURES + 1 : MEASURES + 5], lines[MEASURES + 6 :]
    assert classes[0].split() == ["class", "precision", "recall", "F1", "support"]
    for i, label in enumerate(evaluation.labels):
        shown = [f"{column[i]:.4f}" for column in (evaluation.precision, evaluation.recall, evaluation.f1)]
        assert classes[1 + i].split() == [label, *shown, str(evaluation.support[i])]
        assert matrix[2 + i].split() == [label, *map(str, evaluation.confusion[i])]
    assert lines[MEASURES + 5] == ""
    assert matrix[0] == "confusion matrix (rows: true class, columns: predicted class)"
    assert matrix[1].split() == list(evaluation.labels)
    assert len(matrix) == 5


def test_unlabelled_rows_are_told(run, saved, tmp_path):
    path = write_rows(tmp_path / "test.csv", [*make_rows(10), ("lost", ""), ("", "positive")])
    assert run("evaluate", saved["bow"], path).out.startswith("examples           11 (1 unlabelled rows left out)\n")
    content = json.loads(run("evaluate", saved["bow"], path, "--json").out)
    assert (content["examples"], content["unlabelled"], content["empty"]) == (11, 1, 1)


def test_columns_and_kinds(run, saved, tmp_path):
    path = write_rows(tmp_path / "test.jsonl", make_rows(10), columns=("review", "stars"))
    assert run("evaluate", saved["bow"], path, "--text", "review", "--label", "stars").code == 0


STRANGE = ["a, b", 'say "x"', "two\nlines", "🎉👩‍👩‍👧", "tab\there", "=1+1"]


@pytest.mark.parametrize("kind", [".csv", ".jsonl"])
def test_strange_labels_survive_the_whole_way(run, tmp_path, kind):
    rows = [(f"w{i % 6} filler", STRANGE[i % 6]) for i in range(120)]
    path = write_rows(tmp_path / f"texts{kind}", rows)
    options = ["--model", "bow", "--lr", 0.2, "--epochs", 5, "--ngrams", 1, "--quiet"]
    assert run("train", path, "--out", tmp_path / "model", *options).code == 0
    content = json.loads(run("evaluate", tmp_path / "model", path, "--json").out)
    assert content["accuracy"] == 1
    assert set(content["classes"]) == set(STRANGE)
    tables = run("evaluate", tmp_path / "model", path)
    assert tables.code == 0
    assert "two\\nlines" in tables.out
    assert "tab\\there" in tables.out
    assert len(tables.out.splitlines()) == MEASURES + 1 + 7 + 1 + 1 + 7
    found = [json.loads(line) for line in run("predict", tmp_path / "model", "--file", path, "--json").out.splitlines()]
    assert [each["prediction"] for each in found] == [label for _, label in rows]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "test.csv: no such file"),
        ("", "test.csv: is empty"),
        ("text,label\n", "test.csv: has a header but no rows"),
        ("text\ngood\n", "no column 'label'; the columns are 'text'. Name the one that holds the labels with --label"),
        ("text,label\ngood,\n", "none of the 1 rows has a label in column 'label'"),
        (
            "text,label\ngood,great\n",
            "none of the labels is known: they are 'great', and the model knows 'negative', 'positive'. Name",
        ),
    ],
)
def test_tables_that_cannot_be_evaluated(refused, saved, tmp_path, data, message):
    path = tmp_path / "test.csv"
    if data is not None:
        path.write_text(data)
    assert message in refused("evaluate", saved["bow"], path)
    assert message in refused("evaluate", saved["bow"], path, "--json")


def test_a_model_is_needed(refused, table, tmp_path):
    assert "missing: there is no such folder; expected one written by chainrule" in refused(
        "evaluate", tmp_path / "missing", table
    )
