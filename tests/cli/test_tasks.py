"""Every task the whole way, train, evaluate and predict: against scikit-learn, and what each refuses."""

import json
import math

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn import metrics

import chainrule
from chainrule.report import read_record
from tests.cli.tables import COLUMNS, column_rows, text_rows, write_lists
from tests.samples import TELLING, command_line, make_rows, weights, write_rows

BOW = [
    "--learner", "bow", "--scale", "1", "--lr", "0.1", "--epochs", "15", "--patience", "15", "--batch-size", "16",
    "--ngrams", "1",
]  # fmt: skip
ADAM = [*BOW, "--optimizer", "adam"]

#: Probabilities below this count as this in a logarithm.
TINY = np.finfo(np.float32).tiny


def answers(run, model, file):
    """The objects that `predict --json` prints of a file."""
    result = run("predict", model, "--file", file, "--json")
    assert (result.code, result.error) == (0, "")
    return [json.loads(line) for line in result.out.splitlines()]


def evaluated(run, *words):
    """The object that `evaluate --json` prints, which `evaluate` prints for people too."""
    result = run("evaluate", *words, "--json")
    assert (result.code, result.error) == (0, "")
    content = json.loads(result.out)
    shown = run("evaluate", *words)
    assert (shown.code, shown.error) == (0, "")
    first, *lines = shown.out.split("\n\n")[0].splitlines()
    assert first.split() == ["examples", str(content["examples"])]
    values = [line.split("  ")[-1].split()[0] for line in lines]
    figures = [value for key, value in content.items() if isinstance(value, float) or value is None]
    figures += [content["without_labels"]] if content.get("without_labels") else []
    assert values == [
        "undefined" if value is None else str(value) if isinstance(value, int) else f"{value:.4f}" for value in figures
    ]
    return content


def check_table(content, truth, found, labels):
    """Precision, recall, F1 and support of each class, of bool arrays of shape (rows, classes)."""
    expected = np.array(metrics.precision_recall_fscore_support(truth, found, zero_division=0)).T
    for label, row in zip(labels, expected, strict=True):
        assert list(content[label].values()) == pytest.approx(row.tolist())


# Several labels a row


@pytest.fixture
def labelled(tmp_path):
    """Texts with sets of labels to learn from, and others: rows and the truth, bool of shape (rows, labels)."""
    rows, others = text_rows(150), text_rows(90, seed=1)
    names = sorted(TELLING)
    return rows, others, np.array([[name in labels for name in names] for _, labels in others]), names


def check_multi_label(run, model, table, label, truth, names, texts=None):
    """A model's evaluation and predictions against its own probabilities and scikit-learn."""
    loaded = chainrule.Model.load(model)
    content = evaluated(run, model, table, *label)
    found = answers(run, model, table)
    p = loaded.predict_probabilities(loaded.task.read(table, label=None)).astype(float)
    chosen = p > loaded.task.threshold
    assert [each["prediction"] for each in found] == [
        [name for name, x in zip(names, row, strict=True) if x] for row in chosen
    ]
    for each, row in zip(found, p, strict=True):
        assert each["probabilities"] == pytest.approx(dict(zip(names, row, strict=True)), abs=2e-6)
    if texts is not None:
        assert [each["text"] for each in found] == texts
    assert content["examples"] == len(truth)
    assert content["exact_match"] == pytest.approx(metrics.accuracy_score(truth, chosen))
    assert content["hamming_loss"] == pytest.approx(metrics.hamming_loss(truth, chosen))
    for average in ("micro", "macro"):
        score = metrics.f1_score(truth, chosen, average=average, zero_division=0)
        assert content[f"{average}_f1"] == pytest.approx(score)
    assert content["roc_auc"] == pytest.approx(metrics.roc_auc_score(truth, p, average="macro"))
    assert content["average_precision"] == pytest.approx(metrics.average_precision_score(truth, p, average="macro"))
    losses = -np.log(np.maximum(np.where(truth, p, 1 - p), TINY))
    assert content["loss"] == pytest.approx(losses.sum(axis=1).mean(), rel=1e-4)
    assert 0 <= content["calibration_error"] <= 1
    assert content["without_labels"] == (~truth.any(axis=1)).sum()
    assert list(content["labels"]) == names
    check_table(content["labels"], truth, chosen, names)
    assert (content["unlabelled"], content["empty"]) == (0, 0)
    shown = run("evaluate", model, table, *label).out.splitlines()
    start = shown.index("") + 1
    assert shown[start].split() == ["class", "precision", "recall", "F1", "support"]
    assert [line.split()[0] for line in shown[start + 1 :]] == names
    return content


@pytest.mark.parametrize("kind", [".jsonl", ".parquet", ".csv", ".tsv", ".txt"])
def test_multi_label_of_texts(run, tmp_path, labelled, kind):
    """Lists in JSON lines and Parquet, a separator in CSV and TSV, and several marks in fastText's format."""
    rows, others, truth, names = labelled
    train = write_lists(tmp_path / f"train{kind}", rows, columns=("text", "tags"))
    test = write_lists(tmp_path / f"test{kind}", others, columns=("text", "tags"))
    words = ["--task", "multi-label", "--label-separator", "|", "--label", "tags", *ADAM, "--quiet"]
    result = run("train", train, *words, "--out", tmp_path / "model")
    none = sum(not labels for _, labels in rows)
    assert result.code == 0
    assert result.error == f"chainrule: {train}: {none} of 150 rows have no label, and are kept\n"
    assert "validation exact match " in result.out
    threshold = chainrule.Model.load(tmp_path / "model").task.threshold
    assert f"\nthreshold       {threshold:g} (best on the validation rows)\n" in result.out
    content = evaluated(run, tmp_path / "model", test, "--label", "tags")
    if kind != ".txt":  # which `predict` reads line by line
        check_multi_label(
            run, tmp_path / "model", test, ["--label", "tags"], truth, names, [text for text, _ in others]
        )
    assert 0.5 < content["exact_match"] < 1
    assert content["examples"] == 90
    record = read_record(tmp_path / "model" / "record.jsonl")
    data = record[0]["data"]
    assert sum(data[part]["without_labels"] for part in ("train", "valid")) == none
    assert sum(data[part]["rows"] for part in ("train", "valid")) == 150
    assert {key for key in record[1] if key.startswith("valid_")} == {
        "valid_loss", "valid_exact_match", "valid_micro_f1", "valid_macro_f1", "valid_threshold"
    }  # fmt: skip
    plain = chainrule.fit(
        chainrule.BagOfWords(scale=1.0),
        chainrule.Table.from_lists([text for text, _ in rows], [labels for _, labels in rows]),
        task=chainrule.MultiLabel(label_separator="|", inputs=chainrule.Text(ngrams=1)),
        training=chainrule.Training(optimizer="adam", learning_rate=0.1, epochs=15, patience=15, batch_size=16),
        folder=tmp_path / "plain",
    )
    assert weights(tmp_path / "model") == weights(plain.folder)


def test_a_file_in_fasttexts_format_is_predicted_as_it_is_evaluated(run, tmp_path, labelled):
    """Its labels are no words of its texts, where the name of the file says what it is to `train` and `evaluate`."""
    rows, others, truth, names = labelled
    train, test = (write_lists(tmp_path / f"{i}.txt", part) for i, part in enumerate((rows, others)))
    words = ["--task", "multi-label", *ADAM, "--quiet"]
    assert run("train", train, *words, "--out", tmp_path / "model").code == 0
    found = answers(run, tmp_path / "model", test)
    assert [each["text"] for each in found] == [text for text, _ in others]
    chosen = np.array([[name in each["prediction"] for name in names] for each in found])
    content = evaluated(run, tmp_path / "model", test)
    assert content["exact_match"] == pytest.approx(metrics.accuracy_score(truth, chosen))


def test_multi_label_for_people(run, tmp_path, labelled):
    rows, *_ = labelled
    train = write_lists(tmp_path / "train.jsonl", rows)
    words = ["--task", "multi-label", "--threshold", "0.5", *ADAM, "--quiet"]
    assert run("train", train, *words, "--out", tmp_path / "model").code == 0
    model = chainrule.Model.load(tmp_path / "model")
    texts = ["good bad", "plain good", *(f"word{i}" for i in range(30))]
    result = run("predict", tmp_path / "model", *texts)
    assert (result.code, result.error) == (0, "")
    for line, text, labels, row in zip(
        result.out.splitlines(), texts, model.predict(texts), model.predict_probabilities(texts), strict=True
    ):
        shown = " ".join(f"{name}={p:.4f}" for name, p in zip(model.labels, row, strict=True))
        assert line == f"{', '.join(labels)}\t{shown}\t{text}"
    assert model.predict(texts[:1]) == [["negative", "positive"]]
    assert any(line.startswith("\t") for line in result.out.splitlines())  # a text without a label


def test_the_threshold_decides(run, tmp_path, labelled):
    rows, others, *_ = labelled
    train, test = (write_lists(tmp_path / f"{name}.jsonl", x) for name, x in (("train", rows), ("test", others)))
    counts = []
    for threshold in ("0.1", "0.5", "0.9"):
        out = tmp_path / threshold
        words = ["--task", "multi-label", "--threshold", threshold, *ADAM, "--quiet"]
        assert run("train", train, *words, "--out", out).code == 0
        found = answers(run, out, test)
        for each in found:
            chosen = [name for name, p in each["probabilities"].items() if p > float(threshold)]
            assert each["prediction"] == chosen
        counts.append(sum(len(each["prediction"]) for each in found))
    assert counts[0] > counts[1] > counts[2]


@pytest.mark.parametrize(
    ("cells", "labels"), [([[1, 2], [2], 2, []], [1, 2]), ([["a"], "a", [" b "], ["", "a"]], ["a", "b"])]
)
def test_labels_of_json_lists(run, tmp_path, cells, labels):
    """Numbers or texts. A cell that is no list is a list of one; blanks are no part of a label, and no label either."""
    path = tmp_path / "texts.jsonl"
    path.write_text("".join(json.dumps({"text": f"word{i % 4}", "label": cells[i % 4]}) + "\n" for i in range(40)))
    words = ["--task", "multi-label", *ADAM, "--quiet", "--out", tmp_path / "model"]
    assert run("train", path, *words).code == 0
    assert chainrule.Model.load(tmp_path / "model").labels == tuple(labels)


def test_one_label_that_rows_have_or_not(run, tmp_path):
    rows = [("good word1", ["yes"]), ("bad word2", [])] * 30
    path = write_lists(tmp_path / "texts.jsonl", rows)
    assert run("train", path, "--task", "multi-label", *ADAM, "--quiet", "--out", tmp_path / "model").code == 0
    (tmp_path / "new.txt").write_text("good\nbad\n")
    found = answers(run, tmp_path / "model", tmp_path / "new.txt")
    assert [each["prediction"] for each in found] == [["yes"], []]


@pytest.mark.parametrize("seed", range(5))
def test_a_label_of_one_row_stops_no_training(run, tmp_path, seed):
    """Wherever the split by chance puts it: the table is the same, and so is what is known of its labels."""
    rows = [(f"word{i} x", ["often"]) for i in range(19)] + [("rare word", ["often", "rare"])]
    path = write_lists(tmp_path / "texts.jsonl", rows)
    words = ["--task", "multi-label", *command_line("bow", epochs=1), "--eager", "--seed", seed, "--quiet"]
    result = run("train", path, *words, "--out", tmp_path / "model")
    assert (result.code, result.error) == (0, "")


# Numbers


@pytest.mark.parametrize("kind", [".csv", ".jsonl", ".parquet"])
@pytest.mark.parametrize("loss", ["mse", "mae"])
def test_numbers_of_texts(run, tmp_path, kind, loss):
    rows, others = (
        [(text, 3 * (label == "positive") + len(text) / 40) for text, label in make_rows(120, seed=s)] for s in (0, 1)
    )
    train, test = (
        write_rows(tmp_path / f"{i}{kind}", part, ("text", "stars")) for i, part in enumerate((rows, others))
    )
    words = ["--task", "regress", "--loss", loss, "--label", "stars", *BOW, "--quiet", "--out", tmp_path / "model"]
    result = run("train", train, *words)
    assert (result.code, result.error) == (0, "")
    content = evaluated(run, tmp_path / "model", test, "--label", "stars")
    model = chainrule.Model.load(tmp_path / "model")
    texts, truth = [text for text, _ in others], np.array([number for _, number in others])
    found = np.array(model.predict(texts))
    assert content["r2"] > 0.5
    check_numbers(content, truth, found, model, loss)
    predicted = answers(run, tmp_path / "model", test)
    assert [each["prediction"] for each in predicted] == pytest.approx(found.tolist())
    assert [list(each) for each in predicted] == [["text", "stars", "prediction"]] * len(others)
    lines = run("predict", tmp_path / "model", "good fun", "awful\tday").out.splitlines()
    good, bad = model.predict(["good fun", "awful\tday"])
    assert lines == [f"{good:.6g}\tgood fun", f"{bad:.6g}\tawful\\tday"]


def check_numbers(content, truth, found, model, loss):
    scale = model.codec.targets
    difference = (found - truth) / scale.deviation
    expected = np.mean(difference**2) if loss == "mse" else np.abs(difference).mean()
    assert content["loss"] == pytest.approx(expected, rel=1e-4)
    assert content["r2"] == pytest.approx(metrics.r2_score(truth, found), abs=1e-5)
    assert content["mae"] == pytest.approx(metrics.mean_absolute_error(truth, found), rel=1e-5)
    assert content["rmse"] == pytest.approx(math.sqrt(metrics.mean_squared_error(truth, found)), rel=1e-5)
    assert content["spearman"] == pytest.approx(spearmanr(truth, found).statistic, abs=1e-6)


def test_a_measure_that_is_undefined_is_null(run, tmp_path):
    """R² of one row, in validation and evaluation."""
    path = write_rows(tmp_path / "few.csv", [(f"word{i}", i) for i in range(10)])
    result = run("train", path, "--task", "regress", *command_line("bow", epochs=1), "--out", tmp_path / "model")
    assert result.code == 0
    assert "NaN" not in (tmp_path / "model" / "record.jsonl").read_text()
    one = write_rows(tmp_path / "one.csv", [("word1", 3)])
    content = evaluated(run, tmp_path / "model", one)
    assert content["r2"] is None
    assert content["spearman"] is None
    assert content["mae"] == pytest.approx(content["rmse"])


# One output for two labels


@pytest.mark.parametrize("output", ["softmax", "sigmoid", "tanh"])
@pytest.mark.parametrize("learner", ["bow", "ffnn"])
def test_outputs_of_a_classifier_of_texts(run, tmp_path, learner, output):
    train, test = (write_rows(tmp_path / f"{seed}.csv", make_rows(120, seed=seed)) for seed in (0, 1))
    words = [*command_line(learner, lr="0.1", epochs=5), "--output", output, "--quiet", "--out", tmp_path / "model"]
    assert run("train", train, *words).code == 0
    content = check_classifier(run, tmp_path / "model", test, [], output, ["negative", "positive"])
    assert content["accuracy"] > 0.8
    assert chainrule.Model.load(tmp_path / "model").codec.sizes.outputs == (2 if output == "softmax" else 1)


def check_classifier(run, model, table, label, output, names):
    loaded = chainrule.Model.load(model)
    content = evaluated(run, model, table, *label)
    found = answers(run, model, table)
    option = {"label": label[1]} if label else {}
    read = loaded.task.read(table, **option)
    truth = read.labels.to_list()
    p = loaded.predict_probabilities(read).astype(float)
    assert p.sum(axis=1) == pytest.approx(np.ones(len(p)), abs=1e-6)
    chosen = [names[i] for i in p.argmax(axis=1)]
    assert [each["prediction"] for each in found] == chosen
    for each, row in zip(found, p, strict=True):
        assert each["probabilities"] == pytest.approx(dict(zip(names, row, strict=True)), abs=2e-6)
    assert content["accuracy"] == pytest.approx(metrics.accuracy_score(truth, chosen))
    assert content["macro_f1"] == pytest.approx(metrics.f1_score(truth, chosen, average="macro"))
    positive = np.array([x == names[1] for x in truth])
    true = np.where(positive, p[:, 1], p[:, 0])
    assert content["log_loss"] == pytest.approx(-np.log(np.maximum(true, TINY)).mean(), rel=1e-5)
    hinge = np.maximum(0, 1 - np.where(positive, 1, -1) * (2 * p[:, 1] - 1)).mean()
    assert content["loss"] == pytest.approx(hinge if output == "tanh" else content["log_loss"], rel=1e-5)
    assert content["roc_auc"] == pytest.approx(metrics.roc_auc_score(positive, p[:, 1]))
    assert content["average_precision"] == pytest.approx(metrics.average_precision_score(positive, p[:, 1]))
    counts = metrics.confusion_matrix(truth, chosen, labels=names).tolist()
    assert content["confusion"] == {"labels": names, "counts": counts}
    return content


# Columns


@pytest.mark.parametrize("auto", [False, True])
@pytest.mark.parametrize("learner", ["linear", "mlp"])
@pytest.mark.parametrize("task", ["classify", "sigmoid", "tanh", "multi-label", "regress"])
def test_columns_the_whole_way(run, tmp_path, task, learner, auto):
    output, task = (task, "classify") if task in ("sigmoid", "tanh") else ("softmax", task)
    train, words = column_rows(tmp_path, task, "train.csv", count=150)
    test, _ = column_rows(tmp_path, task, "test.csv", count=90, seed=1)
    label = words[words.index("--label") : words.index("--label") + 2]
    if auto:
        train, test = (keep_columns(path, {"a", "b", "kind", label[1]}) for path in (train, test))
        words = [word for word in words if word not in ("--numbers", "a,b", "--categories", "kind")]
        words += ["--numbers", "auto", "--categories", "auto"]
    words += ["--learner", learner, "--lr", "0.05", "--epochs", 15, "--quiet"]
    words += ["--output", output] if task == "classify" else []
    result = run("train", train, *words, "--out", tmp_path / "model")
    assert result.code == 0
    loaded = chainrule.Model.load(tmp_path / "model")
    assert (loaded.task.inputs.numbers, loaded.task.inputs.categories) == (("a", "b"), ("kind",))
    names = {"classify": ["high", "low"], "multi-label": ["p", "q"]}.get(task)
    read = loaded.task.read(test, label=label[1])
    found = answers(run, tmp_path / "model", test)
    assert [(float(each["a"]), float(each["b"]), each["kind"]) for each in found] == list(read.columns.iter_rows())
    lines = run("predict", tmp_path / "model", "--file", test).out.splitlines()
    for line, (a, b, kind) in zip(lines, read.columns.iter_rows(), strict=True):
        assert line.endswith(f"\ta={a}, b={b}, kind={kind}")
    if task == "regress":
        content = evaluated(run, tmp_path / "model", test, *label)
        numbers = np.array(loaded.predict(read))
        check_numbers(content, read.labels.to_numpy(), numbers, loaded, "mse")
        assert content["r2"] > 0.7
        assert [each["prediction"] for each in found] == pytest.approx(numbers.tolist())
        assert [line.split("\t")[0] for line in lines] == [f"{number:.6g}" for number in numbers]
    elif task == "multi-label":
        truth = np.array([[name in labels for name in names] for labels in read.labels.to_list()])
        assert check_multi_label(run, tmp_path / "model", test, label, truth, names)["exact_match"] > 0.7
    else:
        content = check_classifier(run, tmp_path / "model", test, label, output, names)
        assert content["accuracy"] > 0.8
        assert [line.split("\t")[0] for line in lines] == [each["prediction"] for each in found]


def keep_columns(path, kept):
    """The file with these columns alone."""
    places = [i for i, name in enumerate(COLUMNS) if name in kept]
    lines = [line.split(",") for line in path.read_text().splitlines()]
    path.write_text("\n".join(",".join(line[i] for i in places) for line in lines) + "\n")
    return path


@pytest.mark.parametrize("kind", [".jsonl", ".parquet", ".tsv"])
def test_columns_of_other_formats(run, tmp_path, kind):
    """Numbers that are numbers, and a truth that is a category."""
    rows = [(i % 7 / 2, i % 3, bool(i % 2), "ab"[i % 2]) for i in range(60)]
    path = write_rows(tmp_path / f"rows{kind}", rows, ("x", "n", "true", "label"))
    words = ["--numbers", "auto", "--categories", "auto", "--learner", "mlp", "--epochs", 2, "--quiet"]
    assert run("train", path, *words, "--out", tmp_path / "model").code == 0
    assert chainrule.Model.load(tmp_path / "model").labels == ("a", "b")
    assert len(answers(run, tmp_path / "model", path)) == 60
    assert evaluated(run, tmp_path / "model", path)["examples"] == 60


@pytest.mark.parametrize("task", ["classify", "multi-label", "regress"])
def test_summary_of_columns(run, tmp_path, task):
    train, words = column_rows(tmp_path, task)
    assert run("train", train, *words, "--learner", "mlp", "--epochs", 1, "--quiet", "--out", tmp_path / "m").code == 0
    result = run("summary", tmp_path / "m")
    assert (result.code, result.error) == (0, "")
    lines = result.out.splitlines()
    told = {
        "classify": "(output=softmax, class_weights=None, label_smoothing=0.0, criterion=None)",
        "multi-label": "(label_separator=|, threshold={threshold}, label_smoothing=0.0, criterion=None)",
        "regress": "(criterion=None)",
    }
    threshold = getattr(chainrule.Model.load(tmp_path / "m").task, "threshold", None)
    assert lines[0] == f"task        {task} {told[task].format(threshold=threshold)}"
    assert lines[1] == (
        "inputs      columns (numbers=['a', 'b'], categories=['kind'], missing=refuse, minimum_category_count=1)"
    )
    assert lines[2].startswith("learner     mlp (hidden=[100], ")
    assert lines[4] == "categories  4 entries"
    labels = {"classify": "labels      'high', 'low'", "multi-label": "labels      'p', 'q'", "regress": ""}
    assert lines[5] == labels[task]
    assert result.out.endswith(chainrule.Model.load(tmp_path / "m").summary() + "\n")


@pytest.mark.parametrize("names", [("prediction", "x"), ("label", "x"), ("probabilities", "prediction (file)")])
@pytest.mark.parametrize("task", ["classify", "multi-label", "regress"])
def test_a_column_does_not_hide_the_answer(run, tmp_path, names, task):
    """Whatever it is called: what `predict --json` says of a row is what the model says."""
    rows = [(i % 7, i % 3, {"regress": i % 7 + 0.5}.get(task, "yn"[i % 7 > 3])) for i in range(60)]
    path = write_rows(tmp_path / "rows.csv", rows, (*names, "target"))
    words = ["--task", task, "--numbers", ",".join(names), "--categories", "", "--label", "target", "--epochs", 3]
    assert run("train", path, *words, "--learner", "linear", "--quiet", "--out", tmp_path / "model").code == 0
    model = chainrule.Model.load(tmp_path / "model")
    found = answers(run, tmp_path / "model", path)
    expected = model.predict(model.task.read(path, label="target"))
    assert [each["prediction"] for each in found] == (pytest.approx(expected) if task == "regress" else expected)
    if task != "regress":
        assert all(isinstance(each["probabilities"], dict) for each in found)
    hidden = {"prediction"} if task == "regress" else {"prediction", "probabilities"}
    beside = {name: f"{name} (file)" if name in hidden else name for name in names}
    assert [[each[beside[name]] for name in names] for each in found] == [[str(a), str(b)] for a, b, _ in rows]


def test_a_column_without_a_name(run, tmp_path):
    """Such as the numbers of rows that pandas writes first."""
    rows = [(i, i % 7, "yn"[i % 7 > 3]) for i in range(40)]
    path = write_rows(tmp_path / "rows.csv", rows, ("", "a", "label"))
    assert run("train", path, "--numbers", "auto", "--epochs", 2, "--quiet", "--out", tmp_path / "model").code == 0
    assert evaluated(run, tmp_path / "model", path)["examples"] == 40
    assert len(answers(run, tmp_path / "model", path)) == 40


# Missing cells, and categories that are not known


def missing_rows():
    """Rows of which every fifth lacks its number and every seventh its category."""
    rows = []
    for i in range(70):
        number, kind = str(i % 9) if i % 5 else "", "pq"[i % 2] if i % 7 else ""
        rows.append((number, kind, i % 4, "yn"[i % 9 > 4]))
    return rows


@pytest.mark.parametrize("learner", ["linear", "mlp"])
def test_missing_cells_are_refused_unless_it_is_said_what_becomes_of_them(run, refused, tmp_path, learner):
    path = write_rows(tmp_path / "rows.csv", missing_rows(), ("n", "kind", "m", "label"))
    words = ["--numbers", "n,m", "--categories", "kind", "--learner", learner, "--epochs", 2, "--valid", path]
    message = refused("train", path, *words, "--out", tmp_path / "model")
    assert message.startswith(f"chainrule: error: {path}: row 0 (the first is 0) of column 'n' is empty, and so are 14")
    assert "train with --missing mean or --missing indicator" in message
    assert not (tmp_path / "model").exists()
    for missing, features in (("mean", 2), ("indicator", 3)):
        out = tmp_path / missing
        assert run("train", path, *words, "--missing", missing, "--quiet", "--out", out).code == 0
        model = chainrule.Model.load(out)
        assert model.codec.sizes.features == features
        assert model.codec.sizes.cardinalities == (4,)
        found = answers(run, out, path)
        assert [found[0][name] for name in ("n", "m", "kind")] == ["", "0", ""]
        assert evaluated(run, out, path)["examples"] == 70


@pytest.mark.parametrize("missing", ["refuse", "mean", "indicator"])
def test_a_cell_that_is_missing_when_predicting(run, refused, tmp_path, missing):
    """Where no cell was missing in training."""
    path, words = column_rows(tmp_path, "classify")
    words += ["--missing", missing, "--epochs", 2, "--quiet", "--out", tmp_path / "model"]
    assert run("train", path, *words).code == 0
    new = write_rows(tmp_path / "new.csv", [(1, 2, "x"), ("", 2, "x"), (1, 2, "")], ("a", "b", "kind"))
    if missing == "refuse":
        message = refused("predict", tmp_path / "model", "--file", new)
        assert "new.csv: row 1 (the first is 0) of column 'a' is empty" in message
        return
    found = answers(run, tmp_path / "model", new)
    assert [(each["a"], each["kind"]) for each in found] == [("1", "x"), ("", "x"), ("1", "")]
    assert len(run("predict", tmp_path / "model", "--file", new).out.splitlines()) == 3


@pytest.mark.parametrize("learner", [["linear"], ["mlp"], ["mlp", "--category-encoding", "one-hot"]])
def test_a_category_that_is_not_known_is_answered(run, tmp_path, learner):
    path, words = column_rows(tmp_path, "classify")
    words += ["--learner", *learner, "--epochs", 2, "--quiet", "--out", tmp_path / "model"]
    assert run("train", path, *words).code == 0
    new = write_rows(tmp_path / "new.csv", [(1, 2, "never seen"), (1, 2, "nor this"), (1, 2, "x")], ("a", "b", "kind"))
    first, second, third = answers(run, tmp_path / "model", new)
    assert (first["kind"], first["prediction"] in ("high", "low")) == ("never seen", True)
    assert first["probabilities"] == second["probabilities"] != third["probabilities"]


def test_a_rare_category_counts_as_one_that_is_not_known(run, tmp_path):
    rows = [(i % 7, "often" if i else "rare", "yn"[i % 7 > 3]) for i in range(40)]
    path = write_rows(tmp_path / "rows.csv", rows, ("n", "kind", "label"))
    words = ["--numbers", "n", "--categories", "kind", "--min-category-count", 2, "--epochs", 2, "--quiet"]
    assert run("train", path, *words, "--valid", path, "--out", tmp_path / "model").code == 0
    new = write_rows(tmp_path / "new.csv", [(1, "rare"), (1, "unknown"), (1, "often")], ("n", "kind"))
    rare, unknown, often = answers(run, tmp_path / "model", new)
    assert rare["probabilities"] == unknown["probabilities"] != often["probabilities"]


# Refusals


@pytest.fixture
def train_refused(refused, tmp_path):
    """Refused, and nothing new in the folder."""

    def call(*words):
        before = sorted(tmp_path.iterdir())
        message = refused("train", *words, "--out", tmp_path / "model")
        assert sorted(tmp_path.iterdir()) == before
        return message

    return call


def test_numbers_that_do_not_differ(train_refused, tmp_path):
    path = write_rows(tmp_path / "texts.csv", [(f"word{i}", 5) for i in range(20)])
    message = train_refused(path, "--task", "regress", "--learner", "bow")
    assert message.endswith("rows have the number 5; expected numbers that differ, to learn what they depend on")
    assert f"{path}: all " in message


def test_no_row_with_a_number(train_refused, tmp_path):
    path = write_rows(tmp_path / "texts.csv", [(f"word{i}", "") for i in range(20)])
    message = train_refused(path, "--task", "regress", "--learner", "bow")
    assert "none of the 20 rows has a number in column 'label'; name another with --label NAME" in message


@pytest.mark.parametrize("cell", ["many", "1,5", "inf", "-Infinity", "0x10", "12 %"])
@pytest.mark.parametrize("kind", [".csv", ".tsv"])
def test_what_is_no_number(train_refused, tmp_path, cell, kind):
    rows = [*((f"word{i}", i) for i in range(20)), ("odd", cell)]
    path = write_rows(tmp_path / f"texts{kind}", rows)
    message = train_refused(path, "--task", "regress", "--learner", "bow")
    assert message == (
        f"chainrule: error: {path}: row 20 (the first is 0) of column 'label' holds {cell!r}; expected a finite "
        "number; the task regress needs numbers: for labels, train with --task classify"
    )


@pytest.mark.parametrize("cell", [" 3.5 ", "1e3", "-2", "+4", "7.0"])
def test_what_is_a_number(run, tmp_path, cell):
    rows = [*((f"word{i}", i) for i in range(20)), ("odd", cell)]
    path = write_rows(tmp_path / "texts.csv", rows)
    assert run("train", path, "--task", "regress", "--dry-run", "--learner", "bow").code == 0


def test_rows_without_a_number_are_left_out(run, tmp_path):
    rows = [*((f"word{i}", i) for i in range(20)), ("a", ""), ("b", "NA"), ("c", "nan"), ("d", " ")]
    path = write_rows(tmp_path / "texts.csv", rows)
    result = run("train", path, "--task", "regress", "--dry-run", "--learner", "bow")
    assert result.code == 0
    assert result.error.startswith(f"chainrule: {path}: 4 unlabelled rows left out, 0 empty texts kept\n")


def test_one_label_is_none_to_choose_from(train_refused, tmp_path):
    rows = [(i, "x") for i in range(20)]
    path = write_rows(tmp_path / "rows.csv", rows, ("a", "label"))
    message = train_refused(path, "--numbers", "a")
    assert "only the label 'x'; a classifier needs examples of at least two labels" in message


@pytest.mark.parametrize("output", ["sigmoid", "tanh"])
def test_one_output_for_three_labels(train_refused, tmp_path, output):
    path = write_rows(tmp_path / "texts.csv", make_rows(60, tuple(TELLING)))
    message = train_refused(path, "--output", output, "--learner", "bow")
    assert message.endswith(f"{path}: 3 labels, and one output ({output}) tells two apart; use softmax")


def test_no_labels_at_all(train_refused, tmp_path):
    path = write_lists(tmp_path / "texts.csv", [(f"word{i}", []) for i in range(20)])
    message = train_refused(path, "--task", "multi-label", "--learner", "bow")
    assert f"{path}: no row has a label; expected labels to learn" in message


@pytest.mark.parametrize("kind", [".jsonl", ".parquet", ".txt"])
def test_several_labels_for_a_task_that_takes_one(train_refused, tmp_path, kind):
    path = write_lists(tmp_path / f"texts{kind}", text_rows(20))
    for task, advice in (
        ("classify", "one label a row: for several, train with --task multi-label"),
        ("regress", "expected numbers"),
    ):
        message = train_refused(path, "--task", task, "--learner", "bow")
        assert f"{path}: column 'label' holds List(String)" in message
        assert advice in message


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--numbers", "a", "--text", "a"], "--text a: columns of numbers and categories are read here, and no texts"),
        (["--numbers", "a,a"], "column 'a' is named twice in --numbers; give each column one role"),
        (["--numbers", "a", "--categories", "kind,kind"], "column 'kind' is named twice in --categories; give each"),
        (["--numbers", "a,kind", "--categories", "kind"], "column 'kind' is named in --numbers and --categories; give"),
        (["--numbers", "a,label"], "column 'label' is named in --label and --numbers; give each column one role"),
        (["--categories", "price", "--label", "price"], "column 'price' is named in --label and --categories; give"),
        (["--numbers", "a,nope"], "no column 'nope'; the columns are 'a', 'b', 'kind', 'label', 'price', 'tags'. It"),
        (
            ["--categories", "nope"],
            "no column 'nope'; the columns are 'a', 'b', 'kind', 'label', 'price', 'tags'. It is wanted as one",
        ),
        (
            ["--numbers", "kind"],
            "row 0 (the first is 0) of column 'kind' holds 'x'; expected a finite number; a column",
        ),
        (["--numbers", "", "--categories", ""], "--numbers and categories must not both be empty"),
        (["--missing", "men"], "--missing must be one of refuse, mean, indicator, got 'men'; did you mean 'mean'?"),
        (["--min-category-count", "0"], "--min-category-count must be a whole number of 1 or more, got 0"),
    ],
)
def test_columns_that_cannot_be(train_refused, tmp_path, words, message):
    path, _ = column_rows(tmp_path, "classify")
    assert message in train_refused(path, "--learner", "mlp", *words)


def test_a_column_of_texts_is_none_of_numbers(train_refused, csv_file):
    text = csv_file.read_text().splitlines()[1].partition(",")[0]
    message = train_refused(csv_file, "--numbers", "text")
    assert message.startswith(
        f"chainrule: error: {csv_file}: row 0 (the first is 0) of column 'text' holds {text!r}; exp"
    )
    assert "a column of categories is named in --categories when training" in message


def test_no_columns_are_no_texts_either(train_refused, csv_file):
    """A learner of columns does not take a text for one category."""
    assert "--numbers and categories must not both be empty" in train_refused(
        csv_file, "--learner", "mlp", "--numbers", "", "--categories", ""
    )


def test_fasttexts_format_has_no_columns(train_refused, tmp_path):
    path = write_lists(tmp_path / "texts.txt", text_rows(20))
    message = train_refused(path, "--numbers", "a", "--task", "multi-label")
    assert "fastText's format has texts and labels alone; --numbers a is not in it" in message


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--label-separator", ""], "--label-separator"),
        (["--threshold", "0"], "--threshold must be a number above 0 and below 1 or 'auto', got 0.0"),
        (["--threshold", "1"], "--threshold must be a number above 0 and below 1 or 'auto', got 1.0"),
        (["--threshold", "half"], "--threshold must be a number above 0 and below 1 or 'auto', got 'half'"),
    ],
)
def test_settings_of_multi_label_that_cannot_be(train_refused, csv_file, words, message):
    assert message in train_refused(csv_file, "--task", "multi-label", "--learner", "bow", *words)


# A model of one task, and a table of another


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model of each task, of texts and of columns, by both names; and the tables."""
    place = tmp_path_factory.mktemp("trained")
    tables = {"text": {}, "columns": {}}
    rows = make_rows(60)
    tables["text"]["classify"] = write_rows(place / "classify.csv", rows)
    tables["text"]["regress"] = write_rows(place / "regress.csv", [(text, i / 2) for i, (text, _) in enumerate(rows)])
    tables["text"]["multi-label"] = write_lists(place / "multi-label.jsonl", text_rows(60))
    for task in ("classify", "multi-label", "regress"):
        tables["columns"][task], _ = column_rows(place, task)
    models = {}
    kinds = {"classify": chainrule.Classify, "regress": chainrule.Regress, "multi-label": chainrule.MultiLabel}
    labels = {"classify": "label", "regress": "price", "multi-label": "tags"}
    for task, kind in kinds.items():
        training = chainrule.Training(epochs=1)
        text = kind(inputs=chainrule.Text())
        table = text.read(tables["text"][task])
        out = place / f"text-{task}"
        chainrule.fit(chainrule.BagOfWords(), table, task=text, training=training, folder=out, engine="eager")
        inputs = chainrule.Columns(numbers=("a", "b"), categories=("kind",))
        columns = kind(inputs=inputs, **({"label_separator": "|"} if task == "multi-label" else {}))
        table = columns.read(tables["columns"][task], label=labels[task])
        chainrule.fit(
            chainrule.LinearModel(), table, task=columns, training=training, folder=place / f"columns-{task}",
            engine="eager",
        )  # fmt: skip
        models |= {("text", task): out, ("columns", task): place / f"columns-{task}"}
    return models, tables


@pytest.mark.parametrize(
    ("model", "table", "message"),
    [
        (
            "classify",
            "regress",
            "none of the labels is known: they are '0.0', '0.5', '1.0', ",
        ),
        ("classify", "multi-label", "column 'label' holds List(String); expected text"),
        (
            "multi-label",
            "regress",
            "none of the labels is known: they are '0.0', '0.5', '1.0', ",
        ),
        ("regress", "classify", "row 0 (the first is 0) of column 'label' holds 'negative'; expected a finite number"),
        ("regress", "multi-label", "column 'label' holds List(String); expected numbers"),
    ],
)
@pytest.mark.parametrize("json", [[], ["--json"]])
def test_a_table_of_another_task_cannot_be_evaluated(refused, trained, model, table, message, json):
    models, tables = trained
    found = refused("evaluate", models["text", model], tables["text"][table], *json)
    assert f"{tables['text'][table]}: {message}" in found
    assert model in found.partition(f"{tables['text'][table]}: ")[2]  # the task of the model


@pytest.mark.parametrize("command", ["evaluate", "predict"])
def test_texts_for_a_model_of_columns_and_the_other_way_round(refused, trained, command):
    """What is missing is said, and advice is of options that the command has."""
    models, tables = trained
    for task in ("classify", "multi-label", "regress"):
        file = ["--file"] if command == "predict" else []
        message = refused(command, models["text", task], *file, tables["columns"][task])
        assert "no column 'text'; the columns are 'a', 'b', 'kind', 'label', 'price', 'tags'. Name the one" in message
        message = refused(command, models["columns", task], *file, tables["text"][task])
        assert f"{tables['text'][task]}" in message
        assert "no column 'a'; the columns are 'text', 'label'" in message
        assert "--numbers" not in message


def test_a_model_of_columns_needs_a_table(refused, trained):
    models, _ = trained
    model = models["columns", "classify"]
    assert refused("predict", model).endswith("the model reads columns of a table; give a file: --file rows.csv")
    assert refused("predict", model, "a text").endswith(
        "the model reads columns of a table; give a file: --file rows.csv"
    )
    assert "missing.csv: no such file" in refused("predict", model, "--file", "missing.csv")
    assert "lines: no such file" in refused("predict", model, "--file", "lines")


def test_a_column_that_is_missing_is_named_with_those_there_are(refused, trained, tmp_path):
    models, _ = trained
    path = write_rows(tmp_path / "new.csv", [(1, "x")], ("a", "kind"))
    assert "new.csv: no column 'b'; the columns are 'a', 'kind'" in refused(
        "predict", models["columns", "regress"], "--file", path
    )
    path = write_rows(tmp_path / "new.csv", [(1, 2, "x"), (3, "many", "x")], ("a", "b", "kind"))
    assert "new.csv: row 1 (the first is 0) of column 'b' holds 'many'; expected a finite number" in refused(
        "predict", models["columns", "regress"], "--file", path
    )


def test_columns_that_the_model_does_not_read_are_passed_over(run, trained, tmp_path):
    models, _ = trained
    path = write_rows(tmp_path / "new.csv", [("x", "?", 2, 1, "")], ("kind", "other", "b", "a", "empty"))
    (found,) = answers(run, models["columns", "classify"], path)
    assert list(found.values())[:5] == ["x", "?", "2", "1", ""]
    assert list(found) == ["kind", "other", "b", "a", "empty", "prediction", "probabilities"]


def test_labels_that_are_not_known_to_a_model_of_several(run, refused, trained, tmp_path):
    """A row with one has not just the labels that it should have; measures are those over all labels."""
    models, _ = trained
    rows = [("good", ["positive"]), ("odd", ["neutral", "so-so"]), ("bad", ["odd", "so-so"]), ("dull", [])]
    path = write_lists(tmp_path / "new.jsonl", rows)
    content = json.loads(run("evaluate", models["text", "multi-label"], path, "--json").out)
    assert content["unseen"] == {"so-so": 2, "odd": 1}
    names = [*sorted(TELLING), "so-so", "odd"]
    truth = np.array([[name in labels for name in names] for _, labels in rows])
    found = [each["prediction"] for each in answers(run, models["text", "multi-label"], path)]
    predicted = np.array([[name in labels for name in names] for labels in found])
    assert content["exact_match"] == metrics.accuracy_score(truth, predicted)
    assert content["hamming_loss"] == pytest.approx(metrics.hamming_loss(truth, predicted))
    for average in ("micro", "macro"):
        score = metrics.f1_score(truth, predicted, average=average, zero_division=0)
        assert content[f"{average}_f1"] == pytest.approx(score)
    assert content["without_labels"] == 1
    shown = run("evaluate", models["text", "multi-label"], path).out.splitlines()
    assert "unseen labels      so-so 2, odd 1; counted as wrong, and left out of the losses" in shown
    path = write_lists(tmp_path / "other.jsonl", [("odd", ["so-so"]), ("dull", [])])
    message = refused("evaluate", models["text", "multi-label"], path)
    assert "other.jsonl: none of the labels is known: they are 'so-so', and the model knows 'negative', 'neu" in message
