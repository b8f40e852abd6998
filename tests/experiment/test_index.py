"""The index of a study: what it holds, that it keeps up, and that it is made again where it is missing or damaged."""

from contextlib import closing

import pytest

from chainrule.errors import StorageError
from chainrule.experiment import StudyFolder, open_index
from chainrule.experiment.index import update_index
from tests.experiment.test_store import HEADER


def line(run, number, state="finished", accuracy=0.5):
    return {
        "kind": "run", "run": run, "number": number, "configuration": run[:3], "stage": "final", "seed": number,
        "part": 0, "task": {"name": "classify", "inputs": {"ngrams": 2}},
        "learner": {"name": "ffnn", "hidden": [64, 8]}, "training": {"learning_rate": None},
        "state": state, "reason": "", "seconds": 1.5,
        "valid": None if state == "failed" else {"accuracy": accuracy, "loss": 0.1},
    }  # fmt: skip


@pytest.fixture
def study(tmp_path):
    study = StudyFolder.begin(tmp_path / "study", HEADER)
    study.append(line("a", 0, accuracy=0.75))
    study.append(line("b", 1, "failed"))
    return study


def asked(study, question):
    with closing(open_index(study)) as runs:
        return runs.execute(question).fetchall()


ALL = "SELECT run, state, value FROM runs LEFT JOIN measures USING (run) WHERE ifnull(measure, 'accuracy') = 'accuracy'"


def test_it_holds_runs_measures_and_settings(study):
    assert asked(study, f"{ALL} ORDER BY number") == [("a", "finished", 0.75), ("b", "failed", None)]
    study.append({"kind": "test", "run": "a", "test": {"accuracy": 0.7, "roc_auc": None}})
    assert asked(study, "SELECT measure, value FROM measures WHERE rows = 'test' ORDER BY measure") == [
        ("accuracy", 0.7), ("roc_auc", None)
    ]  # fmt: skip
    held = dict(asked(study, "SELECT setting, value FROM settings WHERE configuration = 'a'"))
    assert held["task.inputs.ngrams"] == 2
    assert held["learner.hidden"] == "[64, 8]"
    assert held["training.learning_rate"] is None


def test_it_takes_up_what_is_new_and_what_was_tried_again(study):
    asked(study, ALL)
    study.append(line("b", 1, accuracy=0.5))
    study.append(line("c", 2, accuracy=0.25))
    assert asked(study, f"{ALL} ORDER BY number") == [
        ("a", "finished", 0.75), ("b", "finished", 0.5), ("c", "finished", 0.25)
    ]  # fmt: skip


@pytest.mark.parametrize("damage", ["missing", "no database", "other records", "another version", "cut short"])
def test_it_is_made_again(study, damage):
    expected = asked(study, ALL)
    path = study.place / "index.sqlite"
    if damage == "missing":
        path.unlink()
    elif damage == "no database":
        path.write_bytes(b"nothing of the kind " * 100)
    elif damage == "cut short":
        path.write_bytes(path.read_bytes()[:5000])
    elif damage == "another version":
        with closing(open_index(study)) as runs:
            runs.execute("PRAGMA user_version = 99")
    else:
        records = study.place / "runs.jsonl"
        records.write_text(records.read_text().replace("0.75", "0.25"))
        expected = [(run, state, value and 0.25) for run, state, value in expected]
    assert asked(StudyFolder(study.place), ALL) == expected


def test_where_it_cannot_be_written_the_study_is_none_the_worse(study):
    (study.place / "index.sqlite").mkdir()
    with pytest.raises(StorageError, match=r"cannot write .*index\.sqlite: "):
        open_index(study)
    update_index(study)
