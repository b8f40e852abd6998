"""A training that was killed goes on to the same bits; one that is another training, or damaged, is refused."""

import errno
import importlib
import json
import math
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

import chainrule
from chainrule.array_file import ArrayFile, file_parts
from chainrule.errors import ModelError, StorageError
from chainrule.files import is_locked, write_file
from chainrule.models.folder import write_files
from chainrule.report import read_record
from chainrule.train import Trainer, checkpoint, run_folder
from chainrule.train.checkpoint import Checkpointer, read_content
from chainrule.train.record import Record
from chainrule.train.run_folder import RunFolder
from tests import samples
from tests.samples import LEARNERS, TELLING, as_table, at_step, interrupt, make_rows, timeless, weights

NAMES = list(LEARNERS)
EPOCHS = 5
STEPS = 10  # of two epochs: 80 texts in batches of 16
FILES = ["model.json", "model.safetensors", "record.jsonl", "settings.toml", "vocabulary.txt"]

#: The module, whose name in its package is the function's.
FIT = importlib.import_module("chainrule.train.fit")


class KilledError(BaseException):
    """Stands for the end of a process: nothing catches it."""


def kill_after(monkeypatch, step):
    """The process ends as soon as the checkpoint after this step is written."""

    class Killing(Checkpointer):
        def batch_ended(self, trainer, batch, sums):
            if trainer.state.step == step:
                self.write(trainer)
                raise KilledError

    monkeypatch.setattr(FIT, "Checkpointer", Killing)


@pytest.fixture
def often(monkeypatch):
    """Checkpoints after every step."""
    monkeypatch.setattr(checkpoint, "INTERVAL", 0.0)
    monkeypatch.setattr(checkpoint, "SHARE", math.inf)


def read_arrays(path):
    """The arrays of a checkpoint, but its seal."""
    with ArrayFile(path) as file:
        return {name: file.read(name) for name in file.shapes if name != "seal"}


@pytest.fixture
def texts():
    return as_table(make_rows(80), name="train.csv"), as_table(make_rows(40, seed=1), name="valid.csv")


def fit(name, texts, folder, **settings):
    return samples.fit(name, *texts, **{"seed": 2, "folder": folder, **settings})


def kill(*_):
    raise KilledError


def killed(monkeypatch, name, texts, folder, step=STEPS + 1, **settings):
    """The partial folder of a training that was killed after a step, with a checkpoint."""
    with monkeypatch.context() as patch:
        kill_after(patch, step)
        with pytest.raises(KilledError):
            fit(name, texts, folder, **settings)
    assert not folder.exists()
    return folder.with_name(f"{folder.name}.partial")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("optimizer", "step"), [("adam", 1), ("adam", 13), ("adam", 25), ("sgd", 8), ("adamw", 17)])
@pytest.mark.parametrize("engine", ["native", "eager"])
def test_killed_and_resumed_it_has_the_same_bits(texts, tmp_path, monkeypatch, name, optimizer, step, engine):
    """In the middle of an epoch, before the first validation, and after the last step."""
    settings = {"epochs": EPOCHS, "patience": EPOCHS, "optimizer": optimizer, "engine": engine}
    straight = fit(name, texts, tmp_path / "straight", **settings)
    left = killed(monkeypatch, name, texts, tmp_path / "model", step, **settings)
    assert sorted(file.name for file in left.iterdir()) == ["checkpoint.safetensors", "lock", "record.jsonl"]
    resumed = fit(name, texts, tmp_path / "model", resume=True, **settings)
    assert weights(resumed.folder) == weights(straight.folder)
    assert timeless(resumed.record) == timeless(straight.record)
    assert timeless(read_record(resumed.folder / "record.jsonl")) == timeless(straight.record)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["model", "straight"]
    for one, other in zip(sorted(resumed.folder.iterdir()), sorted(straight.folder.iterdir()), strict=True):
        assert one.name == other.name
        if one.name != "record.jsonl":
            assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize("name", ["cnn", "lstm", "transformer"])
def test_killed_with_sequences(texts, tmp_path, monkeypatch, name):
    settings = {"epochs": 2, "patience": 2, "optimizer": "adam"}
    straight = fit(name, texts, tmp_path / "straight", **settings)
    killed(monkeypatch, name, texts, tmp_path / "model", 7, **settings)
    resumed = fit(name, texts, tmp_path / "model", resume=True, **settings)
    assert weights(resumed.folder) == weights(straight.folder)


def test_killed_with_parameter_groups(texts, tmp_path, monkeypatch):
    """Each group has a state of its own, and rows of the table that wait."""
    settings = {
        "epochs": EPOCHS,
        "patience": EPOCHS,
        "optimizer": "adamw",
        "groups": ("embeddings=adam+0.5x", "*bias=frozen"),
    }
    straight = fit("ffnn", texts, tmp_path / "straight", **settings)
    assert straight.record[0]["training"]["groups"] == list(settings["groups"])
    killed(monkeypatch, "ffnn", texts, tmp_path / "model", 13, **settings)
    resumed = fit("ffnn", texts, tmp_path / "model", resume=True, **settings)
    assert weights(resumed.folder) == weights(straight.folder)
    assert timeless(resumed.record) == timeless(straight.record)


@pytest.mark.parametrize(
    "averaged", [{"average": 0.9}, {"average": "mean", "average_from": 2}, {"average": "mean", "average_from": 4}]
)
def test_killed_with_averages_of_weights(texts, tmp_path, monkeypatch, averaged):
    settings = {"epochs": EPOCHS, "patience": EPOCHS, "optimizer": "adam", **averaged}
    straight = fit("ffnn", texts, tmp_path / "straight", **settings)
    plain = fit("ffnn", texts, tmp_path / "plain", **{**settings, "average": None})
    assert weights(straight.folder) != weights(plain.folder)
    killed(monkeypatch, "ffnn", texts, tmp_path / "model", 13, **settings)
    resumed = fit("ffnn", texts, tmp_path / "model", resume=True, **settings)
    assert weights(resumed.folder) == weights(straight.folder)
    assert timeless(resumed.record) == timeless(straight.record)


def test_killed_with_a_rate_that_validation_halves(texts, tmp_path, monkeypatch):
    settings = {"epochs": 8, "patience": 8, "optimizer": "adam", "schedule": "plateau", "learning_rate": 0.3}
    straight = fit("bow", texts, tmp_path / "straight", **settings)
    rates = [epoch.learning_rate for epoch in straight.epochs]
    assert rates[-1] < rates[0]
    halved = next(i for i, rate in enumerate(rates) if rate < rates[0])
    killed(monkeypatch, "bow", texts, tmp_path / "model", 5 * halved + 2, **settings)
    resumed = fit("bow", texts, tmp_path / "model", resume=True, **settings)
    assert weights(resumed.folder) == weights(straight.folder)
    assert [epoch.learning_rate for epoch in resumed.epochs] == rates


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_killed_in_the_middle_of_a_schedule(texts, tmp_path, monkeypatch, optimizer):
    """Between two validations within a pass, as the learning rate falls: to the same bits, and the same rates."""
    settings = {"epochs": EPOCHS, "patience": 99, "every": 3, "schedule": "linear", "optimizer": optimizer}
    straight = fit("ffnn", texts, tmp_path / "straight", **settings)
    killed(monkeypatch, "ffnn", texts, tmp_path / "model", 4, **settings)
    resumed = fit("ffnn", texts, tmp_path / "model", resume=True, **settings)
    assert weights(resumed.folder) == weights(straight.folder)
    assert timeless(resumed.record) == timeless(straight.record)
    rates = [epoch.learning_rate for epoch in resumed.epochs]
    assert rates == sorted(rates, reverse=True)
    assert len(set(rates)) == len(rates) > 4


@pytest.mark.parametrize("step", [3, 12])
def test_killed_before_and_after_vectors_begin_to_change(texts, tmp_path, monkeypatch, step):
    """Step 12 is in the third epoch, before which vectors of the file are frozen."""
    words = sorted({word for text in texts[0].texts for word in text.split()})[::2]
    draws = np.random.default_rng(0)
    chainrule.vectors.Vectors(words, draws.normal(size=(len(words), 4))).save(tmp_path / "v.txt")
    learner = chainrule.FeedForward(vectors=str(tmp_path / "v.txt"), vectors_training="2", hidden=(4,))
    training = chainrule.Training(epochs=4, batch_size=16)
    whole = chainrule.fit(learner, *texts, training=training, folder=tmp_path / "whole")
    with monkeypatch.context() as patched:
        kill_after(patched, step)
        with pytest.raises(KilledError):
            chainrule.fit(learner, *texts, training=training, folder=tmp_path / "killed")
    resumed = chainrule.fit(learner, *texts, training=training, folder=tmp_path / "killed", resume=True)
    assert weights(whole.folder) == weights(resumed.folder)


def test_killed_again_and_again(texts, tmp_path, monkeypatch):
    settings = {"epochs": EPOCHS, "patience": EPOCHS}
    straight = fit("ffnn", texts, tmp_path / "straight", **settings)
    for step in (1, 2, 5, 6, 14, 25):
        killed(monkeypatch, "ffnn", texts, tmp_path / "model", step, resume=step > 1, **settings)
    resumed = fit("ffnn", texts, tmp_path / "model", resume=True, **settings)
    assert weights(resumed.folder) == weights(straight.folder)
    assert timeless(resumed.record) == timeless(straight.record)


def test_early_stopping_remembers(texts, tmp_path, monkeypatch):
    """The best epoch, and how long ago it was, survive."""
    settings = {"epochs": 30, "patience": 2, "learning_rate": 0.3}
    straight = fit("ffnn", texts, tmp_path / "straight", **settings)
    last = len(straight.epochs)
    assert last < 30
    for step in (5 * last - 4, 5 * last):
        killed(monkeypatch, "ffnn", texts, tmp_path / f"model-{step}", step, **settings)
        resumed = fit("ffnn", texts, tmp_path / f"model-{step}", resume=True, **settings)
        assert resumed.stopped == straight.stopped == "no better validation loss for 2 epochs"
        assert len(resumed.epochs) == last
        assert weights(resumed.folder) == weights(straight.folder)


@pytest.mark.parametrize("place", ["write_files", "write_file", "move_folder"])
@pytest.mark.usefixtures("often")
def test_killed_between_the_last_checkpoint_and_the_end(texts, tmp_path, monkeypatch, place):
    """After the model was written, before its settings, or before the folder gets its name."""
    straight = fit("bow", texts, tmp_path / "straight")

    def killing(*arguments):
        if place == "write_files":
            write_files(*arguments)
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(run_folder, place, killing)
        with pytest.raises(KilledError):
            fit("bow", texts, tmp_path / "model")
    assert (tmp_path / "model.partial" / "model.json").exists()
    steps = []
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "run_batch", lambda *_: steps.append(1))
        resumed = fit("bow", texts, tmp_path / "model", resume=True)
    assert not steps  # nothing is trained again
    assert weights(resumed.folder) == weights(straight.folder)
    assert timeless(resumed.record) == timeless(straight.record)


def test_what_was_being_written_is_cleared_away(texts, tmp_path, monkeypatch):
    left = killed(monkeypatch, "bow", texts, tmp_path / "model")
    (left / ".checkpoint.safetensors.123.partial").write_bytes(b"half")
    with (left / "record.jsonl").open("a") as stream:
        stream.write('{"kind": "epo')
    straight = fit("bow", texts, tmp_path / "straight")
    run = fit("bow", texts, tmp_path / "model", resume=True)
    assert sorted(file.name for file in run.folder.iterdir()) == FILES
    assert timeless(read_record(run.folder / "record.jsonl")) == timeless(straight.record)
    assert weights(run.folder) == weights(straight.folder)


def test_killed_before_the_first_checkpoint(texts, tmp_path):
    """What a killed process leaves then: a record without epochs."""
    (tmp_path / "model.partial").mkdir()
    (tmp_path / "model.partial" / "record.jsonl").write_text('{"kind": "run"}\n')
    with pytest.raises(StorageError, match="holds a training that did not end"):
        fit("bow", texts, tmp_path / "model")
    straight = fit("bow", texts, tmp_path / "straight")
    resumed = fit("bow", texts, tmp_path / "model", resume=True)
    assert weights(resumed.folder) == weights(straight.folder)
    assert timeless(resumed.record) == timeless(straight.record)


def test_without_anything_to_go_on_with_it_starts(texts, tmp_path):
    run = fit("bow", texts, tmp_path / "model", resume=True)
    assert len(run.epochs) == 3
    assert weights(run.folder) == weights(fit("bow", texts, tmp_path / "straight").folder)


def test_an_unfinished_training_is_not_overwritten(texts, tmp_path, monkeypatch):
    left = killed(monkeypatch, "bow", texts, tmp_path / "model")
    before = (left / "checkpoint.safetensors").read_bytes()
    message = (
        r"model.partial holds a training that did not end; go on with it by --resume \(resume=True\), or remove it"
    )
    with pytest.raises(StorageError, match=message):
        fit("bow", texts, tmp_path / "model")
    assert (left / "checkpoint.safetensors").read_bytes() == before


def test_a_training_that_has_ended_is_given_back(texts, tmp_path, monkeypatch):
    """Without a step, and what a kill left beside the model is cleared away."""
    run = fit("bow", texts, tmp_path / "model")
    before = {file.name: file.read_bytes() for file in run.folder.iterdir()}
    for name in ("checkpoint.safetensors", "lock"):
        (run.folder / name).write_bytes(b"left by a kill")
    monkeypatch.setattr(Trainer, "__init__", kill)
    again = fit("bow", texts, tmp_path / "model", resume=True)
    assert {file.name: file.read_bytes() for file in run.folder.iterdir()} == before
    assert (again.best, again.epochs, again.stopped, again.folder) == (run.best, run.epochs, run.stopped, run.folder)
    assert again.record == run.record
    texts_again = ["good fun", "bad"]
    np.testing.assert_array_equal(
        again.model.predict_probabilities(texts_again), run.model.predict_probabilities(texts_again)
    )
    assert sorted(file.name for file in tmp_path.iterdir()) == ["model"]


@pytest.mark.parametrize("epoch", [{"kind": "epoch"}, {"kind": "epoch", "epoch": 1, "valid_loss": None}])
def test_the_epochs_of_a_training_that_has_ended_are_damaged(texts, tmp_path, epoch):
    run = fit("bow", texts, tmp_path / "model")
    lines = [run.record[0], epoch, run.record[-1]]
    (run.folder / "record.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    with pytest.raises(ModelError, match=r"model: its record is not that of a whole training: "):
        fit("bow", texts, tmp_path / "model", resume=True)


def test_another_training_that_has_ended_is_not_given_back(texts, tmp_path):
    run = fit("bow", texts, tmp_path / "model")
    before = {file.name: file.read_bytes() for file in run.folder.iterdir()}
    with pytest.raises(ModelError, match=r"model/record.jsonl: the training to resume had another seed: 2, and now 3"):
        fit("bow", texts, tmp_path / "model", resume=True, seed=3)
    assert {file.name: file.read_bytes() for file in run.folder.iterdir()} == before


def test_a_model_that_no_training_left_is_not_resumed(texts, tmp_path):
    fit("bow", texts, None).model.save(tmp_path / "model")
    with pytest.raises(StorageError, match="exists already and is left as it is"):
        fit("bow", texts, tmp_path / "model", resume=True)


@pytest.mark.parametrize(
    "content", ["", "{}\n", "[]\n[]\n", '{"kind": "run"}\n', '{"kind": "run"}\n{"kind": "end"}\n', "{\n", "\xff"]
)
def test_the_record_of_a_training_that_has_ended_is_damaged(texts, tmp_path, content):
    run = fit("bow", texts, tmp_path / "model")
    (run.folder / "record.jsonl").write_text(content, encoding="latin-1")
    with pytest.raises(ModelError, match=r"record.jsonl: is not the record of a whole training: .*; train under anoth"):
        fit("bow", texts, tmp_path / "model", resume=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 3}, "had another seed: 2, and now 3"),
        ({"engine": "eager"}, "had another engine: 'native', and now 'eager'"),
        ({"learning_rate": 0.05}, "had another training: learning_rate: 0.03, and now 0.05"),
        ({"epochs": 9}, "had another training: epochs: 3, and now 9"),
        ({"every": 2}, "had another training: every: None, and now 2"),
        ({"clip": 1.0}, "had another training: clip: None, and now 1.0"),
        ({"optimizer": "sgd"}, "had another training: optimizer: name: 'adam', and now 'sgd'"),
        ({"ngrams": 1}, "had another task: inputs: ngrams: 2, and now 1"),
        ({"output": "sigmoid"}, "had another task: output: 'softmax', and now 'sigmoid'"),
        ({"train": make_rows(81)}, "had another data: train: rows: 80, and now 81"),
        ({"train": [*make_rows(79), ("other", "positive")]}, "had another data: train: fingerprint: '"),
        ({"valid": make_rows(40, seed=9)}, "had another data: valid: "),
        ({"train": make_rows(80, tuple(TELLING))}, "labels: "),
    ],
)
def test_another_training_is_not_resumed(texts, tmp_path, monkeypatch, changes, message):
    straight = fit("bow", texts, tmp_path / "straight")
    left = killed(monkeypatch, "bow", texts, tmp_path / "model")
    before = {file.name: file.read_bytes() for file in left.iterdir()}
    train, valid = (
        as_table(changes[part], name=table.name) if part in changes else table
        for part, table in zip(("train", "valid"), texts, strict=True)
    )
    others = {key: value for key, value in changes.items() if key not in ("train", "valid")}
    with pytest.raises(ModelError) as caught:
        fit("bow", (train, valid), tmp_path / "model", resume=True, **others)
    assert f"{left / 'checkpoint.safetensors'}: the training to resume " in str(caught.value)
    assert message in str(caught.value)
    assert "resume with the same data and settings, or remove the folder and train anew" in str(caught.value)
    assert {file.name: file.read_bytes() for file in left.iterdir()} == before
    assert weights(fit("bow", texts, tmp_path / "model", resume=True).folder) == weights(straight.folder)


def test_another_learner_is_not_resumed(texts, tmp_path, monkeypatch):
    killed(monkeypatch, "bow", texts, tmp_path / "model")
    with pytest.raises(ModelError, match="had another learner: name: 'bow', and now 'ffnn'"):
        fit("ffnn", texts, tmp_path / "model", resume=True)


def test_where_the_data_lay_does_not_matter(texts, tmp_path, monkeypatch):
    killed(monkeypatch, "bow", texts, tmp_path / "model")
    moved = as_table(make_rows(80), name="elsewhere/train.csv"), texts[1]
    run = fit("bow", moved, tmp_path / "model", resume=True)
    assert len(run.epochs) == 3
    assert weights(run.folder) == weights(fit("bow", texts, tmp_path / "straight").folder)


def test_at_how_many_threads_it_goes_on_does_not_matter(texts, tmp_path, monkeypatch):
    killed(monkeypatch, "ffnn", texts, tmp_path / "model", threads=1)
    run = fit("ffnn", texts, tmp_path / "model", resume=True, threads=2)
    assert weights(run.folder) == weights(fit("ffnn", texts, tmp_path / "straight").folder)


@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_checkpoint_is_refused(texts, tmp_path, monkeypatch, name):
    """Flipped and cut bytes anywhere, and it stays as it is."""
    left = killed(monkeypatch, name, texts, tmp_path / "model")
    path = left / "checkpoint.safetensors"
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
            read_content(path)
    for broken in (b"", b"text", data[:-1], data + b"x"):
        path.write_bytes(broken)
        with pytest.raises(ModelError, match="remove its folder and train anew"):
            fit(name, texts, tmp_path / "model", resume=True)
        assert path.read_bytes() == broken
    path.write_bytes(data)
    resumed = fit(name, texts, tmp_path / "model", resume=True)
    assert weights(resumed.folder) == weights(fit(name, texts, tmp_path / "straight").folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"first_line": None}, {"first_line": {}}, {"epochs": None}, {"epochs": [{}]}, {"best": 9}, {"best": "1"},
        {"position": []}, {"position": {"more": 1}}, {"array": "weights.bias"}, {"array": "optimizer.step"},
        {"array": "pauses.0.start"}, {"changed": {"more": np.zeros(2)}}, {"changed": {"weights.bias": np.zeros(2)}},
    ],
    ids=str,
)  # fmt: skip
def test_a_checkpoint_whose_seal_was_made_anew(texts, tmp_path, monkeypatch, changes):
    """The seal has no key: what it seals need not be a checkpoint."""
    path = killed(monkeypatch, "bow", texts, tmp_path / "model") / "checkpoint.safetensors"
    changes, arrays = dict(changes), read_arrays(path)
    lost, changed = changes.pop("array", None), changes.pop("changed", {})
    text = json.dumps({**read_content(path), **changes})
    arrays = {name: array for name, array in arrays.items() if name != lost} | changed
    write_file(path, file_parts(arrays, {"checkpoint": text}, sealed=True))
    with pytest.raises(ModelError, match=r"checkpoint.safetensors: (is not a whole checkpoint|the training to resume)"):
        fit("bow", texts, tmp_path / "model", resume=True)


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (4, "was written by a newer chainrule; install that version to resume"),
        (2, "was written by an older chainrule; resume with that, or remove its folder"),
    ],
)
def test_a_checkpoint_of_another_version(texts, tmp_path, monkeypatch, found, message):
    with monkeypatch.context() as patch:
        patch.setattr("chainrule.train.checkpoint.FORMAT", found)
        left = killed(monkeypatch, "bow", texts, tmp_path / "model")
    before = (left / "checkpoint.safetensors").read_bytes()
    with pytest.raises(ModelError, match=f"checkpoint.safetensors: {message}"):
        fit("bow", texts, tmp_path / "model", resume=True)
    assert (left / "checkpoint.safetensors").read_bytes() == before


def test_a_safetensors_file_that_is_no_checkpoint(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    for metadata in (None, {"checkpoint": "{}"}, {"checkpoint": "[]"}, {"checkpoint": "{"}, {"checkpoint": "[" * 9999}):
        path.write_bytes(safetensors.numpy.save({"a": np.zeros(3)}, metadata))
        with pytest.raises(ModelError, match="is not a whole checkpoint"):
            read_content(path)
    with pytest.raises(ModelError, match="is not a whole checkpoint"):
        read_content(tmp_path / "missing")


def test_a_checkpoint_holds_it_all(texts, tmp_path, monkeypatch):
    """Each array under the name of its parameter; and which rows of the table are behind, and how far."""
    path = killed(monkeypatch, "ffnn", texts, tmp_path / "model", STEPS + 2) / "checkpoint.safetensors"
    content, arrays = read_content(path), read_arrays(path)
    assert arrays["optimizer.step"] == STEPS + 2
    assert [line["epoch"] for line in content["epochs"]] == [1, 2]
    assert content["first_line"]["seed"] == 2
    assert content["format"] == 3
    position = content["position"]
    assert (position["passes"], position["batches"], position["read"]) == (2, 2, 32)
    assert (position["steps"], position["rows"], position["sums"]["weight"]) == (2, 32, 32)
    straight = fit("ffnn", texts, tmp_path / "straight", epochs=2)
    parameters = straight.model.network.named_parameters()
    layers = [f"layers.layers.{place}.{part}" for place in (0, 3) for part in ("weight", "bias")]
    assert list(parameters) == ["embeddings.table", *layers]
    expected = {f"{part}.{name}" for part in ("weights", "best") for name in parameters}
    expected |= {f"optimizer.{name}/{slot}" for name in parameters for slot in ("mean", "square")}
    pauses = {name: array for name, array in arrays.items() if name.startswith("pauses.0.")}
    assert set(arrays) == {*expected, *pauses, "optimizer.step"}
    assert pauses["pauses.0.start"] == STEPS  # validation brought all rows up to date
    written = pauses["pauses.0.written.0"]
    assert len(written) == len(arrays["weights.embeddings.table"])
    assert set(written) == {0, 1, 2, 3}  # never, before validation, and after each of two steps
    for name, parameter in parameters.items():
        for part in ("weights.{}", "best.{}", "optimizer.{}/mean", "optimizer.{}/square"):
            assert arrays[part.format(name)].shape == parameter.shape
            assert arrays[part.format(name)].dtype == parameter.dtype
        np.testing.assert_array_equal(arrays[f"best.{name}"], parameter.numpy())


def test_two_trainings_do_not_share_a_folder(texts, tmp_path, monkeypatch):
    """The second is refused and changes nothing; the first goes on to the same bits."""
    settings = {"epochs": EPOCHS, "patience": EPOCHS}
    straight = fit("bow", texts, tmp_path / "straight", **settings)
    killed(monkeypatch, "bow", texts, tmp_path / "model", **settings)
    run_epoch, refusals = Trainer.run_epoch, []

    def meanwhile(trainer):
        with pytest.raises(StorageError, match=r"model.partial: another process is training there; wait for its end"):
            fit("bow", texts, tmp_path / "model", resume=True, **settings)
        refusals.append(len(trainer.history))
        return run_epoch(trainer)

    monkeypatch.setattr(Trainer, "run_epoch", meanwhile)
    resumed = fit("bow", texts, tmp_path / "model", resume=True, **settings)
    assert refusals == list(range(2, EPOCHS))
    assert weights(resumed.folder) == weights(straight.folder)
    assert not (resumed.folder / "lock").exists()


def test_the_folder_is_locked_until_it_has_its_name(texts, tmp_path, monkeypatch):
    """A second training is told so at any time, with and without resume, and the first ends well."""
    real, refusals = run_folder.move_folder, []

    def meanwhile(source, target):
        for resume in (False, True):
            with pytest.raises(StorageError) as caught:
                fit("bow", texts, tmp_path / "model", resume=resume)
            refusals.append(str(caught.value))
        real(source, target)
        assert is_locked(target / "lock")

    monkeypatch.setattr(run_folder, "move_folder", meanwhile)
    run = fit("bow", texts, tmp_path / "model")
    busy = f"{tmp_path / 'model.partial'}: another process is training there; wait for its end, or choose another name"
    assert refusals == [busy, busy]
    assert sorted(file.name for file in run.folder.iterdir()) == FILES


@pytest.mark.parametrize("resume", [False, True])
def test_another_training_ends_while_this_one_begins(texts, tmp_path, monkeypatch, resume):
    """It had the folder when this one looked, and gives it its name before this one has made its own."""
    run = fit("bow", texts, tmp_path / "elsewhere")
    take = RunFolder._take

    def late(place, resume):
        run.folder.rename(tmp_path / "model")
        take(place, resume)

    monkeypatch.setattr(RunFolder, "_take", late)
    if resume:
        assert fit("bow", texts, tmp_path / "model", resume=True).epochs == run.epochs
    else:
        with pytest.raises(StorageError, match="exists already"):
            fit("bow", texts, tmp_path / "model")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["model"]
    assert sorted(file.name for file in (tmp_path / "model").iterdir()) == FILES


def test_another_training_begins_at_the_same_moment(texts, tmp_path, monkeypatch):
    """Between the look at the folder and the making of it."""
    take = RunFolder._take

    def late(place, resume):
        place.partial.mkdir()
        take(place, resume)

    monkeypatch.setattr(RunFolder, "_take", late)
    with pytest.raises(StorageError, match="another process is training there"):
        fit("bow", texts, tmp_path / "model")
    assert (tmp_path / "model.partial").exists()


@pytest.mark.usefixtures("often")
def test_a_folder_that_cannot_get_its_name(texts, tmp_path, monkeypatch):
    """A disk that became read-only, say: what a checkpoint holds is not lost."""
    straight = fit("bow", texts, tmp_path / "straight")

    def refuse(path, target):
        raise OSError(errno.EROFS, "Read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", refuse)
        with pytest.raises(StorageError) as caught:
            fit("bow", texts, tmp_path / "model")
    left = tmp_path / "model.partial"
    assert str(caught.value) == (
        f"cannot rename {left} to {tmp_path / 'model'}: Read-only file system; mend that and go on by --resume "
        f"(resume=True)"
    )
    resumed = fit("bow", texts, tmp_path / "model", resume=True)
    assert weights(resumed.folder) == weights(straight.folder)


# Ctrl-C after the first epoch


SAVING = ["write_files", "write_file", "move_folder"]


@pytest.mark.parametrize("place", SAVING)
def test_ctrl_c_while_the_model_is_saved(texts, tmp_path, monkeypatch, place):
    """It is saved all the same."""
    straight, real = fit("bow", texts, tmp_path / "straight"), getattr(run_folder, place)
    presses = iter([interrupt])
    monkeypatch.setattr(run_folder, place, lambda *arguments: next(presses, real)(*arguments))
    with pytest.raises(KeyboardInterrupt) as caught:
        fit("bow", texts, tmp_path / "model")
    assert str(caught.value) == f"the best model so far is saved in {tmp_path / 'model'}"
    assert weights(tmp_path / "model") == weights(straight.folder)
    assert timeless(read_record(tmp_path / "model" / "record.jsonl")) == timeless(straight.record)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["model", "straight"]
    assert timeless(fit("bow", texts, tmp_path / "model", resume=True).record) == timeless(straight.record)


@pytest.mark.parametrize("place", SAVING)
def test_ctrl_c_again_and_again_before_the_first_checkpoint(texts, tmp_path, monkeypatch, place):
    monkeypatch.setattr(run_folder, place, interrupt)
    with pytest.raises(KeyboardInterrupt) as caught:
        fit("bow", texts, tmp_path / "model")
    assert str(caught.value) == ""
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("place", SAVING)
@pytest.mark.usefixtures("often")
def test_ctrl_c_again_and_again_while_the_model_is_saved(texts, tmp_path, monkeypatch, place):
    """What is there is told, and going on gives the same model."""
    straight = fit("bow", texts, tmp_path / "straight")
    with monkeypatch.context() as patch:
        patch.setattr(run_folder, place, interrupt)
        with pytest.raises(KeyboardInterrupt) as caught:
            fit("bow", texts, tmp_path / "model")
    left = tmp_path / "model.partial"
    assert str(caught.value) == f"{left} holds the training so far; go on with it by --resume (resume=True)"
    resumed = fit("bow", texts, tmp_path / "model", resume=True)
    assert weights(resumed.folder) == weights(straight.folder)


def test_ctrl_c_when_the_folder_has_its_name(texts, tmp_path, monkeypatch):
    straight = fit("bow", texts, tmp_path / "straight")
    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "_clear", interrupt)
        with pytest.raises(KeyboardInterrupt) as caught:
            fit("bow", texts, tmp_path / "model")
    assert str(caught.value) == f"the best model so far is saved in {tmp_path / 'model'}"
    assert weights(tmp_path / "model") == weights(straight.folder)
    resumed = fit("bow", texts, tmp_path / "model", resume=True)
    assert sorted(file.name for file in resumed.folder.iterdir()) == FILES


@pytest.mark.parametrize("line", [2, 3, 4])
def test_ctrl_c_while_a_line_of_the_record_is_written(texts, tmp_path, monkeypatch, line):
    """Half of it may be on the disk: the record of the model is whole all the same."""
    real, appended = Record.append, []

    def append(record, content):
        appended.append(content)
        if len(appended) == line:
            with record.path.open("a") as stream:
                stream.write('{"kind": "ep')
            raise KeyboardInterrupt
        real(record, content)

    with monkeypatch.context() as patch:
        patch.setattr(Record, "append", append)
        if line == 4:  # the last, which says why training ended
            with pytest.raises(KeyboardInterrupt, match="the best model so far is saved in"):
                fit("bow", texts, tmp_path / "model")
        else:
            assert fit("bow", texts, tmp_path / "model").interrupted
    run = fit("bow", texts, tmp_path / "model", resume=True)
    record = read_record(run.folder / "record.jsonl")
    epochs = [each["epoch"] for each in record if each["kind"] == "epoch"]
    assert epochs == list(range(1, min(line, 3) + 1))
    assert record[-1]["best_epoch"] == run.best.epoch
    assert record == list(run.record)


def steps_of(monkeypatch):
    """The numbers of the steps that are taken from now on."""
    taken, run_batch = [], Trainer.run_batch

    def watched(trainer, batch):
        taken.append(trainer.state.step + 1)
        return run_batch(trainer, batch)

    monkeypatch.setattr(Trainer, "run_batch", watched)
    return taken


class Ticking:
    """A clock that goes on by itself, so many seconds a step, and by what a checkpoint takes."""

    def __init__(self, monkeypatch, seconds, writing=0.0):
        self.now = 0.0
        run_batch, real = Trainer.run_batch, checkpoint.write_file

        def slow_step(trainer, batch):
            self.now += seconds
            return run_batch(trainer, batch)

        def slow_disk(path, parts):
            self.now += writing
            real(path, parts)

        monkeypatch.setattr(Trainer, "run_batch", slow_step)
        monkeypatch.setattr(checkpoint, "write_file", slow_disk)
        monkeypatch.setattr(FIT, "Checkpointer", partial(Checkpointer, clock=lambda: self.now))


@pytest.mark.parametrize(("name", "every"), [("bow", 2), ("ffnn", 3), ("ffnn", None)])
def test_killed_at_every_step_it_goes_on_from_the_last_checkpoint(texts, tmp_path, monkeypatch, name, every):
    """To the same bits, measures and record."""
    settings = {"epochs": 2, "patience": STEPS, "every": every}
    straight = fit(name, texts, tmp_path / "straight", **settings)
    validated = [epoch.step for epoch in straight.epochs]
    for step in range(1, STEPS + 1):
        folder = tmp_path / "model"
        with monkeypatch.context() as patch:
            Ticking(patch, 25)  # a checkpoint each third step
            at_step(patch, step, kill)
            with pytest.raises(KilledError):
                fit(name, texts, folder, **settings)
        path = folder.with_name("model.partial") / "checkpoint.safetensors"
        before = (step - 1) // 3 * 3
        assert path.exists() == bool(before)
        if before:
            content = read_content(path)
            assert read_arrays(path)["optimizer.step"] == before
            assert (content["position"]["passes"], content["position"]["batches"]) in (
                divmod(before, 5),
                (before // 5 - 1, 5),
            )
            assert len(content["epochs"]) == sum(each < before for each in validated)
        with monkeypatch.context() as patch:
            taken = steps_of(patch)
            resumed = fit(name, texts, folder, resume=True, **settings)
        assert taken == list(range(before + 1, STEPS + 1))
        assert weights(resumed.folder) == weights(straight.folder)
        assert timeless(resumed.record) == timeless(straight.record)
        assert resumed.best.number == straight.best.number
        shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("seconds", "writing", "expected"),
    [
        (5.9, 0.0, []),  # a training of less than a minute
        (20.0, 0.0, [3, 6, 9]),
        (30.0, 1.5, [2, 4, 6, 8, 10]),  # 3 % of a minute, at most
        (30.0, 3.0, [2, 6, 10]),  # of 100 seconds
        (30.0, 60.0, [2]),
    ],
)
def test_when_checkpoints_come(texts, tmp_path, monkeypatch, seconds, writing, expected):
    """Each minute, or so seldom that they take 3 % of the time."""
    Ticking(monkeypatch, seconds, writing)
    taken, real = [], Checkpointer.write

    def write(checkpointer, trainer):
        taken.append(trainer.state.step)
        real(checkpointer, trainer)

    monkeypatch.setattr(Checkpointer, "write", write)
    fit("bow", texts, tmp_path / "model", epochs=2)
    assert taken == expected


def test_the_first_checkpoint_of_a_large_model_comes_later(texts, tmp_path, monkeypatch):
    """As if a slow disk wrote it: 150 seconds, of which it takes 3 %."""
    taken = []
    with monkeypatch.context() as patch:
        patch.setattr(FIT, "Checkpointer", partial(Checkpointer, clock=lambda: 0.0))
        patch.setattr(Checkpointer, "training_ended", lambda *given: taken.append(given), raising=False)
        fit("bow", texts, tmp_path / "straight", epochs=2)
    checkpointer, trainer = taken[0]
    size = checkpointer._cost * checkpoint.SLOW_DISK
    parameters = sum(x.numpy().nbytes for x in trainer.parameters)
    assert size == 4 * parameters + 8  # weights, two numbers of Adam for each, the best weights; the count of steps
    Ticking(monkeypatch, 50.0)
    monkeypatch.setattr(checkpoint, "SLOW_DISK", size / 4.5)
    written = []
    monkeypatch.setattr(Checkpointer, "write", lambda _, trainer: written.append(trainer.state.step))
    fit("bow", texts, tmp_path / "model", epochs=2)
    assert written[0] == 3


def test_checkpoints_leave_the_weights_as_they_are(texts, tmp_path, monkeypatch):
    """They come when the clock says so: rows that are behind are written as they are."""
    settings = {"epochs": EPOCHS, "patience": EPOCHS}
    straight = fit("ffnn", texts, tmp_path / "straight", **settings)
    Ticking(monkeypatch, 70.0)
    run = fit("ffnn", texts, tmp_path / "model", **settings)
    assert weights(run.folder) == weights(straight.folder)
    assert timeless(run.record) == timeless(straight.record)
