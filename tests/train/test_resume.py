"""A training that was killed goes on to the same bits; one that is another training, or damaged, is refused."""

import importlib
import json

import numpy as np
import pytest
import safetensors.numpy
from safetensors import safe_open

import chainrule
from chainrule.errors import ModelError, StorageError
from chainrule.models.folder import write_files
from chainrule.report import read_record
from chainrule.train import Trainer
from chainrule.train.checkpoint import Checkpointer, read_checkpoint
from tests.samples import LEARNERS, TELLING, as_table, bag_of_words, feed_forward, make_rows, timeless, weights

NAMES = list(LEARNERS)
EPOCHS = 5

#: The module, whose name in its package is the function's.
FIT = importlib.import_module("chainrule.train.fit")


class KilledError(BaseException):
    """Stands for the end of a process: nothing catches it."""


def kill_after(monkeypatch, epochs):
    """The process ends as soon as the checkpoint of this epoch is written."""

    class Killing(Checkpointer):
        def epoch_ended(self, trainer, epoch):
            super().epoch_ended(trainer, epoch)
            if epoch.epoch == epochs:
                raise KilledError

    monkeypatch.setattr(FIT, "Checkpointer", Killing)


@pytest.fixture
def texts():
    return as_table(make_rows(80), name="train.csv"), as_table(make_rows(40, seed=1), name="valid.csv")


def fit(learner, texts, folder, **settings):
    return chainrule.fit(learner, *texts, **{"seed": 2, "folder": folder, **settings})


def killed(monkeypatch, learner, texts, folder, epochs=2, **settings):
    """The partial folder of a training that was killed."""
    with monkeypatch.context() as patch:
        kill_after(patch, epochs)
        with pytest.raises(KilledError):
            fit(learner, texts, folder, **settings)
    assert not folder.exists()
    return folder.with_name(f"{folder.name}.partial")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("optimizer", "epochs"), [("adam", 1), ("adam", 3), ("adam", EPOCHS), ("sgd", 2)])
def test_killed_and_resumed_it_has_the_same_bits(texts, tmp_path, monkeypatch, name, optimizer, epochs):
    """Also after the last epoch, when only the model was still to be written."""
    learner = LEARNERS[name](epochs=EPOCHS, patience=EPOCHS, optimizer=optimizer)
    straight = fit(learner, texts, tmp_path / "straight")
    partial = killed(monkeypatch, learner, texts, tmp_path / "model", epochs)
    assert sorted(file.name for file in partial.iterdir()) == ["checkpoint.safetensors", "lock", "record.jsonl"]
    resumed = fit(learner, texts, tmp_path / "model", resume=True)
    assert weights(resumed.folder) == weights(straight.folder)
    assert timeless(resumed.record) == timeless(straight.record)
    assert timeless(read_record(resumed.folder / "record.jsonl")) == timeless(straight.record)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["model", "straight"]
    for one, other in zip(sorted(resumed.folder.iterdir()), sorted(straight.folder.iterdir()), strict=True):
        assert one.name == other.name
        if one.name != "record.jsonl":
            assert one.read_bytes() == other.read_bytes()


def test_killed_again_and_again(texts, tmp_path, monkeypatch):
    learner = feed_forward(epochs=EPOCHS, patience=EPOCHS)
    straight = fit(learner, texts, tmp_path / "straight")
    for epochs in range(1, EPOCHS + 1):
        killed(monkeypatch, learner, texts, tmp_path / "model", epochs, resume=epochs > 1)
    resumed = fit(learner, texts, tmp_path / "model", resume=True)
    assert weights(resumed.folder) == weights(straight.folder)
    assert timeless(resumed.record) == timeless(straight.record)


def test_early_stopping_remembers(texts, tmp_path, monkeypatch):
    """The best epoch, and how long ago it was, survive; so does the decision to stop."""
    learner = feed_forward(epochs=30, patience=2, learning_rate=0.3)
    straight = fit(learner, texts, tmp_path / "straight")
    last = len(straight.epochs)
    assert last < 30
    for epochs in (last - 1, last):
        killed(monkeypatch, learner, texts, tmp_path / f"model-{epochs}", epochs)
        resumed = fit(learner, texts, tmp_path / f"model-{epochs}", resume=True)
        assert resumed.stopped == straight.stopped == "no better validation loss for 2 epochs"
        assert len(resumed.epochs) == last
        assert weights(resumed.folder) == weights(straight.folder)


@pytest.mark.parametrize("place", ["write_files", "move_folder"])
def test_killed_between_the_last_checkpoint_and_the_end(texts, tmp_path, monkeypatch, place):
    straight = fit(bag_of_words(), texts, tmp_path / "straight")

    def kill(*arguments):
        if place == "write_files":
            write_files(*arguments)
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(FIT, place, kill)
        with pytest.raises(KilledError):
            fit(bag_of_words(), texts, tmp_path / "model")
    steps = []
    with monkeypatch.context() as patch:
        patch.setattr("chainrule.train.trainer.Trainer.step", lambda *_: steps.append(1))
        resumed = fit(bag_of_words(), texts, tmp_path / "model", resume=True)
    assert not steps  # nothing is trained again
    assert weights(resumed.folder) == weights(straight.folder)
    assert timeless(resumed.record) == timeless(straight.record)


def test_what_was_being_written_is_cleared_away(texts, tmp_path, monkeypatch):
    partial = killed(monkeypatch, bag_of_words(), texts, tmp_path / "model", 1)
    (partial / ".checkpoint.safetensors.123.partial").write_bytes(b"half")
    with (partial / "record.jsonl").open("a") as stream:
        stream.write('{"kind": "epo')
    run = fit(bag_of_words(), texts, tmp_path / "model", resume=True)
    assert len(list(run.folder.iterdir())) == 4
    assert [line["kind"] for line in read_record(run.folder / "record.jsonl")][-1] == "end"


def test_killed_before_the_first_checkpoint(texts, tmp_path):
    """What a killed process leaves then: a record without epochs."""
    (tmp_path / "model.partial").mkdir()
    (tmp_path / "model.partial" / "record.jsonl").write_text('{"kind": "run"}\n')
    with pytest.raises(StorageError, match="holds a training that did not end"):
        fit(bag_of_words(), texts, tmp_path / "model")
    straight = fit(bag_of_words(), texts, tmp_path / "straight")
    resumed = fit(bag_of_words(), texts, tmp_path / "model", resume=True)
    assert weights(resumed.folder) == weights(straight.folder)
    assert timeless(resumed.record) == timeless(straight.record)


def test_without_anything_to_go_on_with_it_starts(texts, tmp_path):
    run = fit(bag_of_words(), texts, tmp_path / "model", resume=True)
    assert len(run.epochs) == 3


def test_an_unfinished_training_is_not_overwritten(texts, tmp_path, monkeypatch):
    partial = killed(monkeypatch, bag_of_words(), texts, tmp_path / "model")
    before = (partial / "checkpoint.safetensors").read_bytes()
    message = (
        r"model.partial holds a training that did not end; go on with it by --resume \(resume=True\), or remove it"
    )
    with pytest.raises(StorageError, match=message):
        fit(bag_of_words(), texts, tmp_path / "model")
    assert (partial / "checkpoint.safetensors").read_bytes() == before


def test_a_finished_training_is_not_resumed(texts, tmp_path):
    fit(bag_of_words(), texts, tmp_path / "model")
    with pytest.raises(StorageError, match="exists already"):
        fit(bag_of_words(), texts, tmp_path / "model", resume=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 3}, "had another seed: 2, and now 3"),
        ({"learner": {"learning_rate": 0.05}}, "had another learner: learning_rate: 0.03, and now 0.05"),
        ({"learner": {"epochs": 9}}, "had another learner: epochs: 3, and now 9"),
        ({"train": make_rows(81)}, "had another data: train: rows: 80, and now 81"),
        ({"train": [*make_rows(79), ("other", "positive")]}, "had another data: train: fingerprint: '"),
        ({"valid": make_rows(40, seed=9)}, "had another data: valid: "),
        ({"train": make_rows(80, tuple(TELLING))}, "had another labels: ['negative', 'positive'], and"),
    ],
)
def test_another_training_is_not_resumed(texts, tmp_path, monkeypatch, changes, message):
    partial = killed(monkeypatch, bag_of_words(), texts, tmp_path / "model")
    before = {file.name: file.read_bytes() for file in partial.iterdir()}
    train, valid = (
        as_table(changes[part], name=table.name) if part in changes else table
        for part, table in zip(("train", "valid"), texts, strict=True)
    )
    learner = bag_of_words(**changes.get("learner", {}))
    with pytest.raises(ModelError) as caught:
        fit(learner, (train, valid), tmp_path / "model", resume=True, seed=changes.get("seed", 2))
    assert f"{partial / 'checkpoint.safetensors'}: the training to resume " in str(caught.value)
    assert message in str(caught.value)
    assert "resume with the same data and settings, or remove the folder and train anew" in str(caught.value)
    assert {file.name: file.read_bytes() for file in partial.iterdir()} == before
    assert len(fit(bag_of_words(), texts, tmp_path / "model", resume=True).epochs) == 3


def test_another_learner_is_not_resumed(texts, tmp_path, monkeypatch):
    killed(monkeypatch, bag_of_words(), texts, tmp_path / "model")
    with pytest.raises(ModelError, match="had another learner: name: 'bow', and now 'ffnn'"):
        fit(feed_forward(), texts, tmp_path / "model", resume=True)


def test_where_the_data_lay_does_not_matter(texts, tmp_path, monkeypatch):
    killed(monkeypatch, bag_of_words(), texts, tmp_path / "model")
    moved = as_table(make_rows(80), name="elsewhere/train.csv"), texts[1]
    assert len(fit(bag_of_words(), moved, tmp_path / "model", resume=True).epochs) == 3


@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_checkpoint_is_refused(texts, tmp_path, monkeypatch, name):
    """Flipped and cut bytes anywhere, and it stays as it is."""
    partial = killed(monkeypatch, LEARNERS[name](), texts, tmp_path / "model")
    path = partial / "checkpoint.safetensors"
    data = path.read_bytes()
    draws = np.random.default_rng(0)
    for i in range(45):
        broken = bytearray(data)
        if i % 3 == 0:
            del broken[draws.integers(len(data)) :]
        else:
            place = draws.integers(len(data) if i % 3 == 1 else 5000)  # the header is in front
            broken[place] ^= 1 << int(draws.integers(8))
        path.write_bytes(broken)
        with pytest.raises(ModelError, match=r"checkpoint.safetensors: (is not a whole|was changed|was written)"):
            read_checkpoint(path)
    for broken in (b"", b"text", data[:-1], data + b"x"):
        path.write_bytes(broken)
        with pytest.raises(ModelError, match="remove its folder and train anew"):
            fit(LEARNERS[name](), texts, tmp_path / "model", resume=True)
        assert path.read_bytes() == broken
    path.write_bytes(data)
    fit(LEARNERS[name](), texts, tmp_path / "model", resume=True)


def test_a_checkpoint_of_a_newer_version(texts, tmp_path, monkeypatch):
    monkeypatch.setattr("chainrule.train.checkpoint.FORMAT", 2)
    partial = killed(monkeypatch, bag_of_words(), texts, tmp_path / "model")
    monkeypatch.setattr("chainrule.train.checkpoint.FORMAT", 1)
    with pytest.raises(ModelError, match="was written by a newer chainrule; install that version to resume"):
        fit(bag_of_words(), texts, tmp_path / "model", resume=True)
    assert partial.is_dir()


def test_a_safetensors_file_that_is_no_checkpoint(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    for metadata in (None, {"checkpoint": "{}"}, {"checkpoint": "[]", "seal": ""}, {"checkpoint": "{", "seal": ""}):
        path.write_bytes(safetensors.numpy.save({"a": np.zeros(3)}, metadata))
        with pytest.raises(ModelError, match="is not a whole checkpoint"):
            read_checkpoint(path)
    with pytest.raises(ModelError, match="is not a whole checkpoint"):
        read_checkpoint(tmp_path / "missing")


def test_a_checkpoint_holds_it_all(texts, tmp_path, monkeypatch):
    partial = killed(monkeypatch, feed_forward(), texts, tmp_path / "model", 2)
    with safe_open(partial / "checkpoint.safetensors", framework="numpy") as stream:
        content = json.loads(stream.metadata()["checkpoint"])
        names = set(stream.keys())
        assert stream.get_tensor("optimizer.step") == 10  # two epochs of five steps
    assert [line["epoch"] for line in content["epochs"]] == [1, 2]
    assert content["first_line"]["seed"] == 2
    assert {"weights.0", "best.0", "optimizer.0.mean", "optimizer.0.square"} <= names


def test_two_trainings_do_not_share_a_folder(texts, tmp_path, monkeypatch):
    """The second is refused and changes nothing; the first goes on to the same bits."""
    learner = bag_of_words(epochs=EPOCHS, patience=EPOCHS)
    straight = fit(learner, texts, tmp_path / "straight")
    killed(monkeypatch, learner, texts, tmp_path / "model")
    run_epoch, refusals = Trainer.run_epoch, []

    def meanwhile(trainer):
        with pytest.raises(StorageError, match=r"model.partial: another process is training there; wait for its end"):
            fit(learner, texts, tmp_path / "model", resume=True)
        refusals.append(len(trainer.history))
        return run_epoch(trainer)

    monkeypatch.setattr(Trainer, "run_epoch", meanwhile)
    resumed = fit(learner, texts, tmp_path / "model", resume=True)
    assert refusals == list(range(2, EPOCHS))
    assert weights(resumed.folder) == weights(straight.folder)
    assert not (resumed.folder / "lock").exists()
