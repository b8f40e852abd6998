"""Exports read back: by a small reader of our own, and by the libraries that they are for, where installed."""

import sqlite3
import struct
import sys

import pytest

import chainrule
from chainrule.errors import ConfigurationError, StorageError
from chainrule.report.exports import write_mlflow, write_tensorboard
from chainrule.report.exports.tensorboard import crc32c
from chainrule.report.study import read_study


@pytest.fixture(scope="module")
def study(two_classes, tmp_path_factory):
    """Two learners with two seeds, of three epochs each, and one that fails."""
    folder = tmp_path_factory.mktemp("exports") / "study"
    learners = [chainrule.BagOfWords(), chainrule.FeedForward(dim=8)]
    chainrule.compare(two_classes, learners, folder=folder, seeds=2, training=chainrule.Training(epochs=3), jobs=1)
    return read_study(folder)


def expected(study, run):
    """The accuracies of validation in the record of a run."""
    return [line["valid_accuracy"] for line in study.epochs(run.name)]


def records(path):
    """The contents of an event file, each with its checksum checked."""
    data = path.read_bytes()
    while data:
        length, crc = struct.unpack("<QI", data[:12])
        assert crc == masked(data[:8])
        content = data[12 : 12 + length]
        assert struct.unpack("<I", data[12 + length : 16 + length])[0] == masked(content)
        data = data[16 + length :]
        yield content


def masked(data):
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def test_event_files_are_records_with_checksums(study, tmp_path):
    write_tensorboard(study, tmp_path / "events")
    folders = sorted(path.name for path in (tmp_path / "events").iterdir())
    assert folders == sorted(run.name for run in study.runs)
    for run in study.runs:
        (path,) = (tmp_path / "events" / run.name).iterdir()
        version, settings, *epochs, end = records(path)
        assert version.endswith(b"brain.Event:2")
        assert b"learner.name" in settings
        assert len(epochs) == 3 + 1  # the last is of the test rows
        assert all(b"valid/accuracy" in content for content in epochs[:3])
        assert b"test/accuracy" in epochs[3]
        assert b"session_end_info" in end


def test_tensorboard_reads_them(study, tmp_path):
    pytest.importorskip("tensorboard", reason="the library tensorboard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    write_tensorboard(study, tmp_path / "events")
    for run in study.runs:
        events = EventAccumulator(str(tmp_path / "events" / run.name))
        events.Reload()
        scalars = events.Scalars("valid/accuracy")
        assert [event.step for event in scalars] == [1, 2, 3]
        assert [event.value for event in scalars] == pytest.approx(expected(study, run))
        times = [event.wall_time for event in scalars]
        assert times == sorted(times)
        assert events.Scalars("test/accuracy")[0].value == pytest.approx(study.tests[run.name]["accuracy"])
        content = events.summary_metadata["_hparams_/session_start_info"].plugin_data.content
        held = HParamsPluginData.FromString(content).session_start_info
        assert held.hparams["learner.name"].string_value == run.learner_name
        assert held.hparams["seed"].number_value == run.seed
        assert held.hparams["task.inputs.lowercase"].bool_value
        assert held.group_name == run.configuration
        content = events.summary_metadata["_hparams_/session_end_info"].plugin_data.content
        assert HParamsPluginData.FromString(content).session_end_info.status == 1


@pytest.mark.filterwarnings("ignore")  # of what the library imports
def test_mlflow_reads_them(study, tmp_path):
    mlflow = pytest.importorskip(
        "mlflow", reason="the library mlflow is not installed (pip install 'chainrule[mlflow]')"
    )
    write_mlflow(study, tmp_path / "study.db")
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{tmp_path / 'study.db'}")
    experiment = client.get_experiment_by_name(study.name)
    found = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    assert set(found) == {run.name for run in study.runs}
    for run in study.runs:
        held = found[run.name]
        assert held.info.status == "FINISHED"
        assert held.data.params["learner.name"] == run.learner_name
        assert held.data.params["seed"] == str(run.seed)
        assert held.data.tags["configuration"] == run.configuration
        history = client.get_metric_history(held.info.run_id, "valid/accuracy")
        assert [(x.step, x.value) for x in history] == list(enumerate(expected(study, run), start=1))
        assert held.data.metrics["test/accuracy"] == study.tests[run.name]["accuracy"]
    with sqlite3.connect(tmp_path / "study.db") as database:
        assert database.execute("select count(*) from runs").fetchone() == (4,)


@pytest.mark.parametrize("write", [write_tensorboard, write_mlflow])
def test_a_place_that_is_taken(study, tmp_path, write):
    (tmp_path / "there").mkdir()
    with pytest.raises(StorageError, match="exists already"):
        write(study, tmp_path / "there")


def test_a_library_that_is_missing(study, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(
        ConfigurationError, match=r"export: mlflow needs the library: pip install 'chainrule\[mlflow\]'"
    ):
        write_mlflow(study, tmp_path / "study.db")
    assert not list(tmp_path.iterdir())


def test_the_command_line(study, tmp_path, run, refused):
    result = run("export", study.folder, "--format", "tensorboard", "--out", tmp_path / "events")
    assert (result.code, result.out) == (0, "")
    assert f"4 runs: tensorboard --logdir {tmp_path / 'events'}" in result.error
    assert len(list((tmp_path / "events").iterdir())) == 4
    assert "expected tensorboard or mlflow or transformers, got 'csv'" in refused(
        "export", study.folder, "--format", "csv"
    )
    assert "add --out PLACE" in refused("export", study.folder, "--format", "mlflow")
    assert "is no study" in refused("export", tmp_path, "--format", "mlflow", "--out", tmp_path / "study.db")
