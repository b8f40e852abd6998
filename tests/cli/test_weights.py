"""chainrule train: weights of rows and classes, label smoothing, labels with one row, few rows, learning nothing."""

import json
import re

import polars as pl
import pytest

import chainrule
from chainrule.report import read_record
from tests.cli.tables import column_rows
from tests.samples import command_line, make_rows, weights, write_rows

BOW = command_line("bow")


def weighted_rows(count=60, first="1.5"):
    return [(text, label, first if i == 0 else str(i % 3 + 1)) for i, (text, label) in enumerate(make_rows(count))]


@pytest.fixture
def weighted(tmp_path):
    return write_rows(tmp_path / "weighted.csv", weighted_rows(), columns=("text", "label", "w"))


def test_a_column_of_weights_is_what_fit_does(run, weighted, tmp_path):
    result = run("train", weighted, "--weight", "w", "--out", tmp_path / "model", *BOW)
    assert result.code == 0, result.error
    table = chainrule.read_table(weighted, weight="w")
    assert table.weights.to_list()[:4] == [1.5, 2.0, 3.0, 1.0]
    chainrule_model = chainrule.Model.load(tmp_path / "model")
    training = chainrule.Training(**chainrule_model.training)
    expected = chainrule.fit(chainrule_model.learner, table, task=chainrule_model.task, training=training)
    assert (chainrule_model.network.bias.numpy() == expected.model.network.bias.numpy()).all()
    run("train", weighted, "--out", tmp_path / "plain", *BOW)
    assert weights(tmp_path / "plain") != weights(tmp_path / "model")
    again = run("train", "--config", tmp_path / "model" / "settings.toml", "--out", tmp_path / "again", "--quiet")
    assert again.code == 0, again.error
    assert weights(tmp_path / "again") == weights(tmp_path / "model")


@pytest.mark.parametrize("kind", [".jsonl", ".parquet"])
def test_weights_of_every_kind_of_table(tmp_path, kind):
    path = tmp_path / f"t{kind}"
    frame = pl.DataFrame({"text": ["a", "b", "c"], "label": ["x", "y", "x"], "w": [1.0, 0.0, 2.5]})
    if kind == ".parquet":
        frame.write_parquet(path)
    else:
        path.write_text("\n".join(json.dumps(row) for row in frame.to_dicts()), encoding="utf-8")
    table = chainrule.read_table(path, weight="w")
    assert (table.texts.to_list(), table.weights.to_list()) == (["a", "c"], [1.0, 2.5])
    assert table.report.weightless == 1


def test_rows_of_weight_zero_are_counted(run, tmp_path):
    table = write_rows(tmp_path / "t.csv", weighted_rows(first="0"), columns=("text", "label", "w"))
    result = run("train", table, "--weight", "w", "--out", tmp_path / "model", *BOW)
    assert result.code == 0
    assert result.error.splitlines()[0] == f"chainrule: {table}: 1 rows of weight 0 left out"


@pytest.mark.parametrize("task", ["classify", "regress", "multi-label"])
def test_weights_of_rows_of_columns(run, tmp_path, task):
    table, words = column_rows(tmp_path, task)
    words[words.index("--numbers") + 1] = "auto"
    words += ["--weight", "b", "--learner", "linear", "--epochs", "2", "--quiet"]
    frame = pl.read_csv(table).with_columns(pl.col("b").abs())
    frame.write_csv(table)
    result = run("train", table, *words, "--out", tmp_path / "model")
    assert result.code == 0, result.error
    model = chainrule.Model.load(tmp_path / "model")
    assert "b" not in model.task.columns()["numbers"]
    assert "a" in model.task.columns()["numbers"]


@pytest.mark.parametrize("cell", ["-1", "", "heavy", "inf", "nan"])
def test_weights_that_cannot_be(refused, tmp_path, cell):
    table = write_rows(tmp_path / "t.csv", weighted_rows(first=cell), columns=("text", "label", "w"))
    message = refused("train", table, "--weight", "w", "--out", tmp_path / "model", *BOW)
    assert f"{table}: row 0 (the first is 0) of column 'w' holds" in message
    assert "expected a finite number of 0 or more" in message.replace("expected a finite number of\n", "")
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--weight", "v"], "no column 'v'; the columns are 'text', 'label', 'w'. Name the one that holds the"),
        (["--weight", "text"], "column 'text' is named in --text and --weight; give each column one role"),
        (["--class-weights", "heavy"], "--class-weights must be balanced, or a finite number above 0 for each"),
        (["--class-weights", "positive=-1"], "such as pos=2,neg=1; got 'positive=-1'"),
        (["--class-weights", "no=1"], "class_weights (--class-weights): there is no label 'no'; the labels are"),
        (["--label-smoothing", "1"], "--label-smoothing must be a number of 0 or more and below 1, got 1.0"),
        (["--label-smoothing", ".1", "--output", "tanh"], "--label-smoothing spreads probability, and the output tanh"),
    ],
)  # fmt: skip
def test_refusals(refused, weighted, tmp_path, words, message):
    assert message in refused("train", weighted, *words, "--out", tmp_path / "model", *BOW)
    assert [path.name for path in tmp_path.iterdir()] == ["weighted.csv"]


@pytest.mark.parametrize("given", ["balanced", "positive=2,negative=0.5", "none"])
def test_weights_of_classes_and_smoothing_repeat(run, csv_file, tmp_path, given):
    words = ["--class-weights", given, "--label-smoothing", "0.1", *BOW]
    assert run("train", csv_file, *words, "--out", tmp_path / "model").code == 0
    model = chainrule.Model.load(tmp_path / "model")
    assert model.task.label_smoothing == 0.1
    expected = {"balanced": ("balanced",), "none": None}.get(given, ("positive=2.0", "negative=0.5"))
    assert model.task.class_weights == expected
    again = run("train", "--config", tmp_path / "model" / "settings.toml", "--out", tmp_path / "again", "--quiet")
    assert again.code == 0, again.error
    assert weights(tmp_path / "again") == weights(tmp_path / "model")
    evaluation = model.evaluate(chainrule.read_table(csv_file))
    assert evaluation.loss != evaluation.log_loss


def test_a_label_with_one_row(run, tmp_path):
    table = write_rows(tmp_path / "t.csv", [*make_rows(60), ("a word of its own", "once")])
    remark = f"{table}: the label 'once' has one row, which is learned from and not validated on"
    dry = run("train", table, *BOW, "--dry-run")
    assert (dry.code, dry.error) == (0, f"chainrule: {remark}\n")
    result = run("train", table, *BOW, "--out", tmp_path / "model")
    assert result.code == 0
    assert f"chainrule: {remark}\n" in result.error
    assert chainrule.Model.load(tmp_path / "model").labels == ("negative", "once", "positive")
    first = read_record(tmp_path / "model" / "record.jsonl")[0]
    assert first["remarks"] == [remark]
    assert first["data"]["train"]["labels"]["once"] == 1
    assert "once" not in first["data"]["valid"]["labels"]


def test_few_rows_are_learned_and_it_is_said(run, tmp_path):
    table = write_rows(tmp_path / "t.csv", [(f"u{i} v{i}", "yes" if i % 2 else "no") for i in range(6)])
    result = run("train", table, "--out", tmp_path / "model")
    assert result.code == 0
    assert re.match(r"best epoch +100 of 100: validation accuracy 1\.0000\n", result.out)
    said = [line for line in result.error.splitlines() if line.startswith("chainrule: ")]
    assert said[0].startswith(f"chainrule: {table}: has 6 rows, too few to keep some to validate on (50 are enough): ")
    assert [line.partition(": the")[0] for line in said[1:]] == ["chainrule: converged"]
    assert "1.0000" in run("evaluate", tmp_path / "model", table).out


@pytest.mark.parametrize("learner", ["ffnn", "mlp"])
def test_a_learning_rate_of_ten_billion_ends_in_plain_words(run, tmp_path, learner):
    """Where the loss stays finite, the figures of the model and of the commonest label are said; exit code 0."""
    if learner == "ffnn":  # one text in five has another label, and nothing in it says so
        texts = [text for text, _ in make_rows(200)]
        rows = [(text, "seldom" if number % 5 == 0 else "often") for number, text in enumerate(texts)]
        table, words = write_rows(tmp_path / "t.csv", rows), []
    else:
        table, words = column_rows(tmp_path, "classify", count=200)
    words += ["--learner", learner, "--lr", "1e10", "--epochs", "3", "--seed", "1"]
    result = run("train", table, *words, "--out", tmp_path / "model")
    assert result.code == 0
    end = read_record(tmp_path / "model" / "record.jsonl")[-1]
    said = re.search(
        r"chainrule: the model is no better than .+: validation (accuracy|loss) (\S+) against (\S+); try another "
        r"learning rate \(this was 1e\+10\), more epochs or more rows\n", result.error
    )  # fmt: skip
    assert said is not None, result.error
    model, constant = float(said[2]), float(said[3])
    assert constant == pytest.approx(end["baseline"][said[1]], rel=1e-3)
    assert model <= constant if said[1] == "accuracy" else model >= constant
    assert any(remark in result.error for remark in end["remarks"])
