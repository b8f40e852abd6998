"""Learners of texts and of columns in one study, each of which reads what suits it of one table."""

import csv
import json

import numpy as np
import pytest

import chainrule
from chainrule.data.beside import columns_beside
from chainrule.errors import DataError
from chainrule.experiment import Searching, StudyFolder, StudyPlan, rerun
from chainrule.report.study import read_study
from chainrule.tasks import Classify, Columns

DRAWS = np.random.default_rng(0)
NAMES = ["review", "price", "kind", "label"]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Reviews whose words, and less surely whose prices and kinds, tell the label; one row has no label."""
    rows = []
    for i in range(120):
        good = i % 2
        words = ["good", "fun", "film", "the"] if good else ["bad", "dull", "film", "the"]
        price = round(float(DRAWS.normal(2 * good)), 3)
        rows.append((" ".join(DRAWS.choice(words, 5)), price, "xy"[(good + DRAWS.integers(2)) % 2], "np"[good]))
    rows.insert(7, ("no label", 1.0, "x", ""))
    path = tmp_path_factory.mktemp("tables") / "films.csv"
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([NAMES, *rows])
    return path


TRAINING = chainrule.Training(epochs=2)


def read(path, keep=("price", "kind")):
    return chainrule.read_table(path, text="review", keep=keep)


def columns_of(study):
    """What the runs of each learner say that they read."""
    return {line["learner"]["name"]: line["task"]["inputs"]["name"] for line in study.ended().values()}


def test_columns_beside_texts_are_those_of_a_table_of_columns(path):
    table, alone = read(path), chainrule.read_table(path, numbers=["price"], categories=["kind"])
    for given in (("auto", "auto"), (["price"], ["kind"])):
        found = columns_beside(table, *given)
        assert found.columns.equals(alone.columns)
        assert found.labels.equals(alone.labels)
        assert (found.textual, len(found)) == (False, 120)
    everything = columns_beside(read(path, "all"), "auto", "auto")
    assert everything.columns.columns == ["price", "kind"]
    assert columns_beside(alone, "auto", "auto") is alone
    with pytest.raises(DataError, match="has texts, and no columns of numbers and categories; read it with numbers="):
        columns_beside(read(path, ()), "auto", "auto")
    with pytest.raises(DataError, match="no columns of numbers and categories"):
        chainrule.fit(chainrule.LinearModel(), read(path, ()))


def test_another_kept_column_is_another_table(path):
    prints = [read(path, keep).fingerprint() for keep in ((), ("price",), ("kind",), ("price", "kind"))]
    assert len(set(prints)) == 4
    assert prints[3] == read(path).fingerprint()


@pytest.mark.parametrize("workers", ["threads", "processes"])
def test_a_comparison_of_both_kinds(path, tmp_path, workers):
    options = {"seeds": 2, "training": TRAINING, "jobs": 2, "workers": workers}
    chainrule.compare(read(path), ["bow", "mlp", "linear"], folder=tmp_path / "both", **options)
    study = StudyFolder(tmp_path / "both")
    assert columns_of(study) == {"bow": "text", "mlp": "columns", "linear": "columns"}
    assert {line["state"] for line in study.ended().values()} == {"finished"}
    alone = chainrule.read_table(path, numbers=["price"], categories=["kind"])
    chainrule.compare(alone, ["mlp"], folder=tmp_path / "alone", **options)
    weights = {x["seed"]: x["weights"] for x in StudyFolder(tmp_path / "alone").ended().values()}
    found = {x["seed"]: x["weights"] for x in study.ended().values() if x["learner"]["name"] == "mlp"}
    assert found == weights  # the same rows, divided in the same way
    assert "winner" in read_study(tmp_path / "both").report("markdown")
    run = next(name for name in study.ended() if name.startswith("mlp"))
    assert rerun(study, run).same


def test_on_the_command_line(run, path, tmp_path):
    words = ["--text", "review", "--numbers", "price", "--categories", "kind", "--epochs", "2", "--seeds", "2"]
    for learners in ("bow,mlp", "mlp,bow"):
        folder = tmp_path / learners
        result = run("compare", path, *words, "--learners", learners, "--out", folder, "--quiet")
        assert result.code == 0, result.error
        assert columns_of(StudyFolder(folder)) == {"bow": "text", "mlp": "columns"}
    automatic = run(
        "compare", path, "--text", "review", "--learners", "bow,linear", *words[-4:], "--out", tmp_path / "a"
    )
    assert automatic.code == 0, automatic.error
    inputs = [
        x["task"]["inputs"] for x in StudyFolder(tmp_path / "a").ended().values() if "numbers" in x["task"]["inputs"]
    ]
    assert inputs
    name = next(name for name in StudyFolder(folder).ended() if name.startswith("mlp"))
    assert run("rerun", folder, name).code == 0
    assert run("best", folder, "--out", tmp_path / "model").code == 0
    refused = run("compare", path, *words, "--learners", "mlp", "--out", tmp_path / "refused")
    assert refused.code == 2
    assert "columns of numbers and categories are read here, and no texts" in refused.error


FILE = """
[search]
method = "grid"
finalists = 2
seeds = 1
[space]
learner = ["bow", "mlp"]
learning_rate = [0.01, 0.1]
[task.inputs]
numbers = ["price"]
categories = ["kind"]
[training]
epochs = 2
[data]
train = "PATH"
text = "review"
"""


def test_a_search_over_both_kinds(run, path, tmp_path):
    file = tmp_path / "study.toml"
    file.write_text(FILE.replace("PATH", str(path)))
    study = StudyPlan.read(file).experiment().run(tmp_path / "study")
    assert columns_of(study) == {"bow": "text", "mlp": "columns"}
    lines = study.ended().values()
    assert {line["state"] for line in lines} == {"finished"}
    assert next(x["task"]["inputs"]["numbers"] for x in lines if x["learner"]["name"] == "mlp") == ["price"]
    result = run("sweep", file, "--out", tmp_path / "again", "--quiet")
    assert result.code == 0, result.error
    assert {name: x["weights"] for name, x in StudyFolder(tmp_path / "again").ended().items()} == {
        name: x["weights"] for name, x in study.ended().items()
    }
    searching = Searching(method="grid", finalists=1, seeds=1)
    space, fixed = {"learner": ["bow", "linear"]}, {"epochs": 1}
    other = chainrule.sweep(read(path), space, fixed=fixed, searching=searching, folder=tmp_path / "python")
    assert columns_of(other) == {"bow": "text", "linear": "columns"}
    assert json.loads((tmp_path / "python" / "study.json").read_text())["data"]["columns"]["keep"] == ["price", "kind"]


def test_settings_of_columns_belong_to_the_trial(path, tmp_path):
    configurations = [
        (Classify(), chainrule.BagOfWords(), TRAINING),
        (Classify(inputs=Columns(numbers=("price",))), chainrule.LinearModel(), TRAINING),
    ]
    comparison = chainrule.experiment.Comparison(configurations, seeds=(0,))
    study = chainrule.experiment.Experiment(read(path), comparison, Classify()).run(tmp_path / "study")
    held = {x["learner"]["name"]: x["parameters"] for x in study.ended().values()}
    assert held["linear"] == 2 * (1 + 1)  # the price, and no kind
