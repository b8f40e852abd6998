"""The record: what stands in it, and that it can be read whatever happens."""

import json
import platform
from datetime import datetime

import numpy as np
import polars as pl
import pytest

import chainrule
from chainrule.errors import StorageError
from chainrule.report import read_record
from chainrule.train.record import Record, describe
from tests import samples
from tests.samples import FullDisk, as_table


def test_what_stands_in_it(two_classes, held_out, tmp_path):
    held = samples.setup("ffnn", epochs=2)
    run = chainrule.fit(train=two_classes, valid=held_out, seed=4, folder=tmp_path / "model", **held)
    text = (tmp_path / "model" / "record.jsonl").read_text(encoding="utf-8")
    assert text.endswith("\n")
    first, *epochs, last = [json.loads(line) for line in text.splitlines()]
    assert first["kind"] == "run"
    assert datetime.fromisoformat(first["time"]).tzinfo is not None
    assert first["versions"] == {
        "chainrule": chainrule.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "polars": pl.__version__,
    }
    assert first["seed"] == 4
    assert first["engine"] == "native"
    assert first["learner"] == json.loads(json.dumps(held["learner"].settings()))
    assert first["task"] == json.loads(json.dumps(held["task"].settings()))
    training = held["training"].resolved(held["learner"])
    assert first["training"] == json.loads(json.dumps(training.settings()))
    assert first["training"]["learning_rate"] == 0.03
    vocabulary = len(run.model.codec.inputs.vocabulary)
    assert first["codec"] == {"vocabulary": vocabulary, "rules": 2, "labels": ["negative", "positive"]}
    assert first["parameters"] == sum(x.spec.size for x in run.model.network.parameters())
    assert first["data"]["train"] == {
        "name": "two.csv",
        "rows": 240,
        "unlabelled": 0,
        "empty": 0,
        "labels": dict(zip(*np.unique(two_classes.labels.to_numpy(), return_counts=True), strict=True)),
        "fingerprint": two_classes.fingerprint(),
    }
    assert first["data"]["valid"]["fingerprint"] == held_out.fingerprint()
    assert [(line["kind"], line["epoch"], line["step"]) for line in epochs] == [("epoch", 1, 15), ("epoch", 2, 30)]
    assert epochs == [epoch.as_line() for epoch in run.epochs]
    for line, epoch in zip(epochs, run.epochs, strict=True):
        for part, measures in (("train", epoch.train), ("valid", epoch.valid)):
            assert {f"{part}_{name}": value for name, value in measures.items()}.items() <= line.items()
    assert set(epochs[0]) == {
        "kind", "epoch", "step", "train_loss", "train_accuracy", "valid_loss", "valid_accuracy", "valid_macro_f1",
        "learning_rate", "seconds", "examples_per_second", "observed",
    }  # fmt: skip
    assert {"gradients", "norm", "updates", "losses", "labels"} <= set(epochs[0]["observed"])
    assert last.pop("baseline")["accuracy"] == max(first["data"]["valid"]["labels"].values()) / len(held_out)
    assert last.pop("findings") == [found.as_line() for found in run.findings]
    assert last.pop("observed") is not None
    assert last == {"kind": "end", "reason": "all epochs done", "best_epoch": run.best.epoch, "remarks": []}


def test_it_is_there_line_by_line(tmp_path):
    path = tmp_path / "record.jsonl"
    record = Record([{"kind": "run"}], path)
    assert path.read_text() == '{"kind": "run"}\n'
    record.append({"kind": "epoch", "epoch": 1})
    assert path.read_text() == '{"kind": "run"}\n{"kind": "epoch", "epoch": 1}\n'
    assert read_record(path) == record.lines


@pytest.mark.parametrize("name", ["日本語.csv", "a\nb.csv", "caf\udce9.csv", '"quoted".csv', "🎉.csv"])
def test_any_file_name_can_be_written_and_read(tmp_path, name):
    """Also one that is no Unicode, as Python has it from a file system in another encoding."""
    path = tmp_path / "record.jsonl"
    record = Record([{"kind": "run", "data": describe(as_table([("a", "x")], name=name))}], path)
    record.append({"kind": "end", "reason": name})
    assert read_record(path) == record.lines


def test_what_json_has_not_is_refused(tmp_path):
    record = Record([{"kind": "run"}], tmp_path / "record.jsonl")
    with pytest.raises(ValueError, match="not JSON compliant"):
        record.append({"loss": float("nan")})
    assert (tmp_path / "record.jsonl").read_text() == '{"kind": "run"}\n'


def test_a_full_disk_is_told(tmp_path, monkeypatch):
    record = Record([{"kind": "run"}], tmp_path / "record.jsonl")
    FullDisk(monkeypatch, full_at=1)
    with pytest.raises(StorageError, match=r"cannot write .*record.jsonl: No space left on device"):
        record.append({"kind": "epoch"})
    assert read_record(tmp_path / "record.jsonl") == [{"kind": "run"}]


def test_a_table_without_labels_is_described_too():
    assert describe(chainrule.Table.from_lists(["a", ""]))["labels"] == {}
