"""chainrule train --dry-run: what a training would be, without one step of it and without a trace."""

import re

import polars as pl
import pytest

import chainrule
from chainrule.report import read_record
from tests.cli.tables import column_rows, text_rows, write_lists
from tests.samples import NETWORK_OPTIONS, OPTIONS, command_line, make_rows, write_rows


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.fixture
def dry(run, tmp_path):
    """A dry run: its sections by title, each a list of lines without the indent; nothing was written."""

    def call(*words, remarks=()):
        before = names(tmp_path)
        result = run("train", *words, "--dry-run")
        assert result.code == 0, result.error
        assert result.error.splitlines() == list(remarks)
        assert names(tmp_path) == before
        *sections, end = result.out.removesuffix("\n").split("\n\n")
        assert end == "nothing was trained: leave --dry-run out to train"
        found = {}
        for section in sections:
            title, *lines = section.split("\n")
            found[title] = [line.removeprefix("  ") for line in lines]
        return found

    return call


def pairs(section):
    """The names and values of a section."""
    return dict(re.split(r" {2,}", line, maxsplit=1) for line in section)


def shapes(section):
    """The arrays of a mini-batch: shape and type by name."""
    assert section[0].split() == ["array", "shape", "type"]
    rows = [re.fullmatch(r"(\w+) +(\(.*\)) +(\w+)", line).groups() for line in section[1:]]
    return {name: (shape, kind) for name, shape, kind in rows}


def untrained(task, learner, table):
    train, _ = table.split(90, 10, seed=0)
    model, examples = chainrule.Model.untrained(learner, task, train, seed=0)
    return model, examples


def test_classify(dry, tmp_path):
    path = write_rows(tmp_path / "texts.csv", make_rows(60))
    found = dry(path, *command_line("bow"))
    assert list(found) == [
        "task", "data", "mini-batch of 16 rows", "learner", "network, for one text of one token", "training", "cost"
    ]  # fmt: skip
    inputs = chainrule.Text(ngrams=2, minimum_ngram_count=2, term_frequency="binary")
    model, examples = untrained(chainrule.Classify(inputs=inputs), chainrule.BagOfWords(), chainrule.read_table(path))
    assert pairs(found["task"]) == {
        "name": "classify", "inputs.name": "text", "inputs.lowercase": "True", "inputs.ngrams": "2",
        "inputs.minimum_count": "1", "inputs.minimum_ngram_count": "2", "inputs.maximum_size": "none",
        "inputs.hashed_ngrams": "none", "inputs.characters": "auto", "inputs.minimum_character_count": "2",
        "inputs.term_frequency": "binary", "output": "softmax", "class_weights": "none", "label_smoothing": "0.0",
        "criterion": "none",
    }  # fmt: skip
    lengths = examples.lengths
    data = pairs(found["data"])
    assert data["training rows"] == f"54 of {path}"
    assert data["validation rows"] == f"6 of {path}"
    assert data["entries"] == f"{model.codec.sizes.entries} tokens and n-grams"
    assert data["ids a text"].startswith(f"{lengths.mean():.1f} on average, median ")
    assert data["ids a text"].endswith(f", {lengths.max()} at most")
    assert re.fullmatch(r"2: (positive|negative) \d+, (positive|negative) \d+", data["labels"])
    assert sum(map(int, re.findall(r" (\d+)", data["labels"].partition(":")[2]))) == 54
    arrays = shapes(found["mini-batch of 16 rows"])
    batch = examples.slice(0, 16).arrays()
    assert arrays == {name: (str(x.shape), x.dtype.name) for name, x in batch.items()}
    assert list(arrays) == ["ids", "offsets", "classes"]
    assert arrays["offsets"][0] == "(17,)"
    assert pairs(found["learner"]) == {"name": "bow", "scale": "1.0"}
    assert [line.strip() for line in found["network, for one text of one token"]] == [
        line.strip() for line in model.summary().splitlines()
    ]
    training = pairs(found["training"])
    assert training["optimizer.name"] == "adam"
    assert (training["learning_rate"], training["batch_size"], training["clip"]) == ("0.03", "16", "none")
    cost = pairs(found["cost"])
    assert (cost["steps an epoch"], cost["steps at most"]) == ("4", "12")
    assert re.fullmatch(
        r"(about|at least) [\d,]+ floating-point operations, [\d,]+ bytes read, [\d,]+ bytes written", cost["a step"]
    )


def test_multi_label(dry, tmp_path):
    rows = text_rows(60)
    path = write_lists(tmp_path / "texts.jsonl", rows)
    none = sum(not labels for _, labels in rows)
    remark = f"chainrule: {path}: {none} of 60 rows have no label, and are kept"
    found = dry(path, "--task", "multi-label", "--learner", "ffnn", *NETWORK_OPTIONS, *OPTIONS, remarks=[remark])
    assert pairs(found["task"])["name"] == "multi-label"
    assert pairs(found["task"])["threshold"] == "auto"
    arrays = shapes(found["mini-batch of 16 rows"])
    assert list(arrays) == ["ids", "offsets", "targets"]
    assert arrays["targets"] == ("(16, 3)", "bool")
    data = pairs(found["data"])
    assert data["labels"].startswith("3: ")
    train, _ = chainrule.read_table(path, target="labels").split(90, 10, seed=0)
    counts = train.labels.explode().drop_nulls().value_counts()
    for label, count in counts.iter_rows():
        assert f"{label} {count}" in data["labels"]
    assert pairs(found["learner"])["hidden"] == "6"
    network = " ".join(found["network, for one text of one token"])
    assert "FeedForwardNetwork" in network
    assert "Linear(8 → 6)" in network
    assert "Linear(6 → 3)" in network


def test_regress(dry, tmp_path):
    path = write_rows(tmp_path / "texts.csv", [(text, i / 4) for i, (text, _) in enumerate(make_rows(60))])
    found = dry(path, "--task", "regress", *command_line("bow"), "--loss", "mae")
    assert pairs(found["task"])["criterion"] == "mae"
    assert shapes(found["mini-batch of 16 rows"])["targets"] == ("(16,)", "float32")
    train, _ = chainrule.read_table(path, target="number").split(90, 10, seed=0)
    low, high = train.labels.min(), train.labels.max()
    assert pairs(found["data"])["numbers to predict"] == f"mean {train.labels.mean():.4g}, from {low:.4g} to {high:.4g}"
    assert "labels" not in pairs(found["data"])


@pytest.mark.parametrize("task", ["classify", "multi-label", "regress"])
@pytest.mark.parametrize("learner", ["linear", "mlp"])
def test_columns(dry, tmp_path, task, learner):
    path, words = column_rows(tmp_path, task)
    remarks = []
    if task == "multi-label":
        none = chainrule.read_table(path, numbers="auto", label="tags", target="labels", label_separator="|")
        remarks = [f"chainrule: {path}: {none.report.without_labels} of 80 rows have no label, and are kept"]
    found = dry(path, *words, "--learner", learner, "--batch-size", 32, remarks=remarks)
    assert "network, for one row" in found
    told = pairs(found["task"])
    assert (told["name"], told["inputs.name"], told["inputs.missing"]) == (task, "columns", "refuse")
    assert (told["inputs.numbers"], told["inputs.categories"]) == ("a, b", "kind")
    data = pairs(found["data"])
    assert (data["numbers"], data["categories"]) == ("2: a, b", "1: kind")
    assert "entries" not in data
    arrays = shapes(found["mini-batch of 32 rows"])
    assert arrays.pop("numbers") == ("(32, 2)", "float32")
    assert arrays.pop("categories") == ("(32, 1)", "int64")
    target = {
        "classify": ("classes", ("(32,)", "int64")),
        "multi-label": ("targets", ("(32, 2)", "bool")),
        "regress": ("targets", ("(32,)", "float32")),
    }
    assert list(arrays.items()) == [target[task]]
    assert pairs(found["cost"])["steps an epoch"] == "3"


def test_columns_that_are_found_are_named(dry, tmp_path):
    path, _ = column_rows(tmp_path, "classify")
    found = dry(path, "--numbers", "auto", "--categories", "auto", "--missing", "mean")
    assert pairs(found["task"])["inputs.numbers"] == "a, b, price"
    assert pairs(found["task"])["inputs.categories"] == "kind, tags"
    assert pairs(found["data"])["numbers"] == "3: a, b, price"


def test_it_says_what_the_training_records(dry, run, tmp_path):
    path = write_rows(tmp_path / "texts.csv", make_rows(60))
    valid = write_rows(tmp_path / "valid.csv", make_rows(20, seed=1))
    words = [
        path,
        "--valid",
        valid,
        "--learner",
        "ffnn",
        "--optimizer",
        "sgd",
        "--nesterov",
        "--momentum",
        "0.9",
        "--hidden",
        "",
        "--dim",
        5,
    ]
    found = dry(*words, "--epochs", 2)
    assert run("train", *words, "--epochs", 2, "--out", tmp_path / "model", "--quiet").code == 0
    first = read_record(tmp_path / "model" / "record.jsonl")[0]
    assert pairs(found["data"])["training rows"] == f"60 of {path}"
    assert pairs(found["data"])["validation rows"] == f"20 of {valid}"

    def flat(content, prefix=""):
        rows = {}
        for key, value in content.items():
            rows |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
        return rows

    for section in ("task", "learner", "training"):
        shown = {
            key: ", ".join(map(str, value)) or "none"
            if isinstance(value, list)
            else "none"
            if value is None
            else str(value)
            for key, value in flat(first[section]).items()
        }
        assert pairs(found[section]) == shown


def test_rows_that_are_left_out_are_counted(dry, tmp_path):
    path = write_rows(tmp_path / "texts.csv", [*make_rows(60), ("lost", ""), ("lost too", " ")])
    remark = f"chainrule: {path}: 2 unlabelled rows left out, 0 empty texts kept"
    found = dry(path, *command_line("bow"), remarks=[remark])
    assert pairs(found["data"])["unlabelled rows"] == "2 left out"


def test_many_labels_are_not_all_shown(dry, tmp_path):
    path = write_rows(tmp_path / "texts.csv", [(f"word{i % 13}", f"label\n{i % 13}") for i in range(130)])
    told = pairs(dry(path, *command_line("bow"))["data"])["labels"]
    assert told.startswith("13: label\\n")
    assert told.endswith(", and 3 more")


COUNTS = ("steps an epoch", "steps at most", "memory")


def test_the_eager_engine_counts_no_cost(dry, csv_file):
    assert list(pairs(dry(csv_file, *command_line("bow"), "--eager")["cost"])) == [*COUNTS]


def test_a_settings_file_is_followed(dry, csv_file, tmp_path):
    path = tmp_path / "settings.toml"
    path.write_text('[learner]\nname = "bow"\n[training]\nbatch_size = 7\n')
    assert "mini-batch of 7 rows" in dry(csv_file, "--config", path)
    assert "mini-batch of 9 rows" in dry(csv_file, "--config", path, "--batch-size", 9)


def test_a_place_is_not_made(dry, csv_file, tmp_path):
    dry(csv_file, *command_line("bow"), "--out", tmp_path / "model")


REFUSED = [
    ["{texts}", "--out", "{folder}/model", "--learner", "svm"],
    ["{texts}", "--out", "{folder}/model", "--epochs", "0"],
    ["{texts}", "--out", "{folder}/model", "--seed", "-1"],
    ["{texts}", "--out", "{folder}/model", "--engine", "jit"],
    ["{texts}", "--out", "{folder}/model", "--threads", "0"],
    ["{texts}", "--out", "{folder}/model", "--threads", "0", "--eager"],
    ["{texts}", "--out", "{folder}/model", "--min-count", "1000"],
    ["{texts}", "--out", "{folder}/model", "--learner", "ffnn", "--dim", str(10**15)],
    ["{texts}", "--out", "{folder}/model", "--text", "nope"],
    ["{texts}", "--out", "{folder}/model", "--task", "regress"],
    ["{texts}", "--out", "{folder}/model", "--numbers", "text"],
    ["{texts}", "--out", "{folder}/model", "--valid", "{folder}/missing.csv"],
    ["{texts}", "--out", "{folder}/model", "--valid", "{unknown}"],
    ["{one}", "--out", "{folder}/model"],
    ["{folder}/missing.csv", "--out", "{folder}/model"],
    ["{folder}", "--out", "{folder}/model"],
    ["--out", "{folder}/model"],
    ["{texts}", "--out", "{texts}"],
    ["{texts}", "--out", "{folder}"],
    ["{texts}", "--out", "{folder}/missing/model"],
    ["{texts}", "--out", "{folder}/killed"],
]


@pytest.mark.parametrize("words", REFUSED, ids=" ".join)
def test_what_the_training_refuses_is_refused(refused, csv_file, tmp_path, words):
    """With the same words, before anything is trained."""
    (tmp_path / "killed.partial").mkdir()
    (tmp_path / "killed.partial" / "record.jsonl").write_text("")
    places = {
        "texts": csv_file,
        "folder": tmp_path,
        "unknown": write_rows(tmp_path / "unknown.csv", [("good", "so-so")]),
        "one": write_rows(tmp_path / "one.csv", [("good", "a"), ("fun", "a")]),
    }
    words = [word.format(**places) for word in words]
    expected = refused("train", *words)
    before = names(tmp_path)
    assert refused("train", *words, "--dry-run") == expected
    assert names(tmp_path) == before


def test_parquet(dry, tmp_path):
    path = tmp_path / "texts.parquet"
    pl.DataFrame({"text": ["good", "bad"] * 30, "label": ["a", "b"] * 30}).write_parquet(path)
    assert pairs(dry(path, *command_line("bow"))["data"])["labels"] == "2: a 27, b 27"
