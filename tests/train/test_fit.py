"""fit: from learner and tables to a saved model, whole or not at all, with the same bits every time."""

import json
import zlib

import numpy as np
import pytest

import chainrule
from chainrule.errors import ConfigurationError, DataError, DivergenceError, StorageError
from chainrule.models import Model
from chainrule.report import read_record
from chainrule.settings.file import read_settings_file
from chainrule.tasks import Codec
from chainrule.train.checkpoint import Checkpointer
from tests import samples
from tests.samples import LEARNERS, FullDisk, as_table, at_step, interrupt, make_rows, poison, timeless, weights

NAMES = list(LEARNERS)
FILES = ["model.json", "model.safetensors", "record.jsonl", "settings.toml", "vocabulary.txt"]


def names(folder):
    return sorted(file.name for file in folder.iterdir())


def test_ten_lines(tmp_path):
    """What a first program looks like."""
    texts = ["a warm and funny film", "dull from start to end", "lovely, lovely, lovely", "boring and flat"] * 10
    labels = ["good", "bad", "good", "bad"] * 10
    table = chainrule.Table.from_lists(texts, labels)
    train, test = table.split(80, 20, seed=0)
    training = chainrule.Training(epochs=5, learning_rate=0.1)
    run = chainrule.fit(chainrule.BagOfWords(), train, training=training, seed=0, folder=tmp_path / "model")
    model = chainrule.Model.load(tmp_path / "model")
    assert chainrule.evaluate(model, test).accuracy == 1
    assert model.predict(["funny", "flat"]) == ["good", "bad"]
    assert run.best.valid["accuracy"] == 1


@pytest.mark.parametrize("name", NAMES)
def test_a_run(two_classes, held_out, tmp_path, name):
    run = samples.fit(name, two_classes, held_out, seed=3, folder=str(tmp_path / "model"))
    assert names(tmp_path) == ["model"]
    assert names(tmp_path / "model") == FILES
    assert run.folder == tmp_path / "model"
    assert run.stopped == "all epochs done"
    assert not run.interrupted
    assert len(run.epochs) == 3
    assert run.best == min(run.epochs, key=lambda epoch: epoch.valid["loss"])
    evaluation = chainrule.evaluate(Model.load(run.folder), held_out)
    assert evaluation.loss == pytest.approx(run.best.valid["loss"])
    assert evaluation.accuracy == run.best.valid["accuracy"] > 0.85
    assert read_record(run.folder / "record.jsonl") == json.loads(json.dumps(run.record))


def test_what_a_run_was_made_with_is_kept(two_classes, held_out, tmp_path):
    """In the model, which knows it again when it is loaded, and in a settings file."""
    held = samples.setup("ffnn", optimizer="sgd", l2=0.01, clip=1.0, every=7)
    run = chainrule.fit(train=two_classes, valid=held_out, seed=3, folder=tmp_path / "model", engine="eager", **held)
    training = held["training"].resolved(held["learner"])
    for model in (run.model, Model.load(run.folder)):
        assert model.learner == held["learner"]
        assert model.task == held["task"]
        assert chainrule.Training(**model.training).resolved(model.learner) == training
    text = (run.folder / "settings.toml").read_text(encoding="utf-8")
    assert text == run.record[0]["settings"]
    settings = read_settings_file(run.folder / "settings.toml")
    assert (settings["seed"], settings["engine"]) == (3, "eager")
    assert settings["data"] == {"train": "two.csv", "valid": "held-out.csv"}
    for section in ("task", "learner", "training"):
        expected = json.loads(json.dumps(run.record[0][section]).replace("null", '"none"'))
        assert settings[section] == expected


def test_it_keeps_the_best_epoch_not_the_last(two_classes, held_out, tmp_path):
    """A learning rate that is much too high makes later epochs worse."""
    changes = {"epochs": 12, "patience": 2, "learning_rate": 0.3, "dropout": 0.0, "word_dropout": 0.0}
    run = samples.fit("ffnn", two_classes, held_out, seed=0, folder=tmp_path / "model", **changes)
    assert run.stopped == "no better validation loss for 2 epochs"
    assert run.best.epoch == len(run.epochs) - 2
    for model in (run.model, Model.load(run.folder)):
        assert chainrule.evaluate(model, held_out).loss == pytest.approx(run.best.valid["loss"])
    end = {"kind": "end", "reason": run.stopped, "best_epoch": run.best.epoch}
    assert end.items() <= run.record[-1].items()


def test_without_validation_data_a_tenth_is_taken(three_classes):
    run = samples.fit("bow", three_classes, seed=5)
    train, valid = three_classes.split(90, 10, seed=5)
    first = run.record[0]
    assert first["data"]["train"]["fingerprint"] == train.fingerprint()
    assert first["data"]["valid"]["fingerprint"] == valid.fingerprint()
    assert first["data"]["valid"]["rows"] == 24
    assert set(first["data"]["valid"]["labels"]) == set(three_classes.label_names())


@pytest.mark.parametrize("name", NAMES)
def test_same_seed_same_bits(two_classes, held_out, tmp_path, name):
    runs = [
        samples.fit(name, two_classes, held_out, seed=seed, folder=tmp_path / str(place))
        for place, seed in enumerate((7, 7, 8))
    ]
    first, again, other = (weights(run.folder) for run in runs)
    assert first == again
    assert first != other
    assert timeless(runs[0].record) == timeless(runs[1].record)
    assert timeless(runs[0].record) != timeless(runs[2].record)
    assert (runs[0].folder / "vocabulary.txt").read_bytes() == (runs[2].folder / "vocabulary.txt").read_bytes()


def test_threads_change_neither_bits_nor_record(two_classes, held_out, tmp_path):
    runs = [
        samples.fit("ffnn", two_classes, held_out, folder=tmp_path / str(threads), threads=threads, dim=200)
        for threads in (1, 3)
    ]
    assert weights(runs[0].folder) == weights(runs[1].folder)
    assert timeless(runs[0].record) == timeless(runs[1].record)


@pytest.mark.parametrize("threads", [0, 1.5, "2", True])
def test_threads_that_are_none(two_classes, threads):
    with pytest.raises(ConfigurationError, match="threads: expected a whole number of 1 or more, got"):
        samples.fit("bow", two_classes, threads=threads)


def test_the_global_random_state_has_no_part_in_it(two_classes, held_out):
    checksums = set()
    for state in (1, 2):
        np.random.seed(state)  # noqa: NPY002
        model = samples.fit("ffnn", two_classes, held_out, seed=0).model
        checksums.add(zlib.crc32(model.predict_probabilities(held_out.texts).tobytes()))
    assert len(checksums) == 1


@pytest.mark.parametrize("seed", [-1, 1.0, "3", True, None])
def test_a_seed_that_is_none(two_classes, seed):
    with pytest.raises(ConfigurationError) as caught:
        samples.fit("bow", two_classes, seed=seed)
    assert str(caught.value) == f"seed: expected a whole number of 0 or more, got {seed!r}"


def test_a_large_seed(two_classes, held_out):
    """No digit of it is lost."""
    runs = [samples.fit("bow", two_classes, held_out, seed=seed, epochs=1) for seed in (2**80, 2**80 + 1)]
    assert [run.record[0]["seed"] for run in runs] == [2**80, 2**80 + 1]
    one, other = (run.model.network.bias.numpy() for run in runs)
    assert not np.array_equal(one, other)


def test_resuming_needs_a_folder(two_classes):
    with pytest.raises(ConfigurationError, match="resume: expected the folder of the training to go on with, got none"):
        samples.fit("bow", two_classes, resume=True)


@pytest.mark.parametrize(
    ("train", "valid", "message"),
    [
        ([("a", "x"), ("b", "x")] * 5, None, "only the label 'x'; a classifier needs examples of at least two labels"),
        ([("", "x"), (" ", "y")] * 5, None, "the 10 texts hold no token"),
        ([("a", "x"), ("b", "y")], [], "none.csv: has no rows to validate on"),
        ([("a", "x"), ("b", "y")], [("a", "z")], "none.csv: none of the labels is known: they are 'z'"),
        ([("a", "x"), ("b", "y")], "unlabelled", "none.csv: has no labels"),
    ],
)
def test_data_that_cannot_be_learned_from(tmp_path, train, valid, message):
    if valid == "unlabelled":
        valid = chainrule.Table.from_lists(["a"], name="none.csv")
    elif valid is not None:
        valid = as_table(valid, name="none.csv")
    with pytest.raises(DataError) as caught:
        samples.fit("bow", as_table(train), valid, folder=tmp_path / "model")
    assert message in str(caught.value)
    assert names(tmp_path) == []


def test_the_folder_must_be_free(two_classes, tmp_path):
    (tmp_path / "model").write_text("mine")
    with pytest.raises(StorageError, match="exists already and is left as it is"):
        samples.fit("bow", two_classes, folder=tmp_path / "model")
    with pytest.raises(StorageError, match=r"there is no folder .*missing"):
        samples.fit("bow", two_classes, folder=tmp_path / "missing" / "model")
    with pytest.raises(StorageError, match="File name too long"):
        samples.fit("bow", two_classes, folder=tmp_path / ("x" * 300))
    assert names(tmp_path) == ["model"]
    assert (tmp_path / "model").read_text() == "mine"


@pytest.mark.parametrize("resume", [False, True])
def test_a_partial_folder_of_someone_else_is_left_alone(two_classes, tmp_path, resume):
    (tmp_path / "model.partial").mkdir()
    (tmp_path / "model.partial" / "thesis.txt").write_text("mine")
    expected = "holds 'thesis.txt', which no training wrote" if resume else "holds a training that did not end"
    with pytest.raises(StorageError, match=expected):
        samples.fit("bow", two_classes, folder=tmp_path / "model", resume=resume)
    assert names(tmp_path / "model.partial") == ["thesis.txt"]


def test_a_file_where_the_partial_folder_should_be(two_classes, tmp_path):
    (tmp_path / "model.partial").write_text("mine")
    with pytest.raises(StorageError, match=r"cannot make .*model.partial: File exists"):
        samples.fit("bow", two_classes, folder=tmp_path / "model", resume=True)
    assert (tmp_path / "model.partial").read_text() == "mine"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("step", [None, 5])
def test_a_full_disk_at_a_write(tmp_path, monkeypatch, name, step):
    """Before the first checkpoint nothing is left; after it, training goes on to the same bits."""
    written = []

    def write_at_step(checkpointer, trainer, batch, sums):
        if trainer.state.step == step:
            checkpointer.write(trainer)
            written.append(disk.writes)

    monkeypatch.setattr(Checkpointer, "batch_ended", write_at_step)
    monkeypatch.setenv("CHAINRULE_CACHE", "")  # kernels are kept on the disk too, if there is room
    train, valid = as_table(make_rows(60)), as_table(make_rows(20, seed=1))

    def fit(resume=False):
        return samples.fit(name, train, valid, folder=tmp_path / "model", resume=resume, epochs=2)

    with monkeypatch.context() as patch:
        disk = FullDisk(patch)
        run = fit()
    expected = weights(run.folder)
    run.folder.rename(tmp_path / "whole")
    writes = disk.writes
    kept_from = written[0] if written else writes
    for write in {*range(1, writes, 4), kept_from, min(kept_from + 1, writes), writes}:
        with monkeypatch.context() as patch:
            disk = FullDisk(patch, full_at=write)
            with pytest.raises(StorageError, match="No space left on device") as caught:
                fit()
        assert not (tmp_path / "model").exists()
        kept = write > kept_from
        assert names(tmp_path) == (["model.partial", "whole"] if kept else ["whole"])
        assert ("go on by --resume" in str(caught.value)) == kept
        assert weights(fit(resume=True).folder) == expected
        assert timeless(read_record(tmp_path / "model" / "record.jsonl")) == timeless(run.record)
        assert names(tmp_path / "model") == FILES
        (tmp_path / "model").rename(tmp_path / f"done-{write}")
        for done in tmp_path.glob("done-*"):
            for file in done.iterdir():
                file.unlink()
            done.rmdir()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_divergence_in_the_first_epoch_leaves_nothing(two_classes, held_out, tmp_path):
    changes = {"optimizer": "sgd", "learning_rate": 1e30, "epochs": 5, "dropout": 0.0}
    with pytest.raises(DivergenceError, match=r"became (nan|inf) .*step \d+ \(epoch 1\); lower the learning") as caught:
        samples.fit("ffnn", two_classes, held_out, folder=tmp_path / "model", **changes)
    assert caught.value.run is None
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", NAMES)
def test_divergence_later_keeps_the_last_good_weights(two_classes, held_out, tmp_path, monkeypatch, name):
    one_epoch = samples.fit(name, two_classes, held_out, folder=tmp_path / "one", epochs=1)
    at_step(monkeypatch, 20, poison)
    with pytest.raises(DivergenceError, match=r"the loss became nan at step 20 \(epoch 2\)") as caught:
        samples.fit(name, two_classes, held_out, folder=tmp_path / "model", epochs=5)
    run = caught.value.run
    assert run.best.epoch == 1
    assert run.folder == tmp_path / "model"
    assert weights(run.folder) == weights(one_epoch.folder)
    record = read_record(run.folder / "record.jsonl")
    assert [line["kind"] for line in record] == ["run", "epoch", "end"]
    assert record[-1]["reason"] == str(caught.value)
    assert names(tmp_path) == ["model", "one"]


def test_ctrl_c_before_the_first_epoch_ends(two_classes, held_out, tmp_path, monkeypatch):
    at_step(monkeypatch, 1, interrupt)
    with pytest.raises(KeyboardInterrupt):
        samples.fit("bow", two_classes, held_out, folder=tmp_path / "model")
    with pytest.raises(KeyboardInterrupt):
        samples.fit("bow", two_classes, held_out)
    assert names(tmp_path) == []


def test_ctrl_c_while_the_texts_are_encoded(two_classes, held_out, tmp_path, monkeypatch):
    monkeypatch.setattr(Codec, "encode", lambda *_, targets: interrupt())
    with pytest.raises(KeyboardInterrupt):
        samples.fit("bow", two_classes, held_out, folder=tmp_path / "model")
    assert names(tmp_path) == []


def test_ctrl_c_later_keeps_the_best_so_far(two_classes, held_out, tmp_path, monkeypatch):
    one_epoch = samples.fit("bow", two_classes, held_out, folder=tmp_path / "one", epochs=1)
    at_step(monkeypatch, 20, interrupt)
    run = samples.fit("bow", two_classes, held_out, folder=tmp_path / "model", epochs=5)
    assert run.interrupted
    assert run.best.epoch == 1
    assert weights(run.folder) == weights(one_epoch.folder)
    end = {"kind": "end", "reason": "interrupted", "best_epoch": 1}
    assert end.items() <= run.record[-1].items()
    assert names(tmp_path) == ["model", "one"]


def test_unlabelled_and_empty_rows_are_counted(tmp_path):
    rows = [*make_rows(40), ("", "positive"), ("   ", "negative"), ("no label", "")]
    run = samples.fit("bow", as_table(rows), as_table(make_rows(10)), folder=tmp_path / "model")
    train = run.record[0]["data"]["train"]
    assert (train["rows"], train["unlabelled"], train["empty"]) == (42, 1, 2)


TABLE = as_table([("a", "x"), ("b", "y")])


@pytest.mark.parametrize(
    ("arguments", "settings", "message"),
    [
        ((chainrule.FeedForward, None), {}, "expected a learner such as FeedForward(), got <class"),
        ((None, TABLE), {}, "expected a learner such as FeedForward(), got None"),
        ((chainrule.FeedForward(), "a.csv"), {}, "expected train as a Table (read_table makes one), got 'a.csv'"),
        ((chainrule.FeedForward(), None, "a.csv"), {}, "expected train as a Table (read_table makes one), got None"),
        (
            (chainrule.FeedForward(), TABLE, "a.csv"),
            {},
            "expected valid as a Table (read_table makes one), got 'a.csv'",
        ),
        ((chainrule.FeedForward(), TABLE), {"task": "classify"}, "expected task as a task such as Classify(), got 'cl"),
        ((chainrule.FeedForward(), TABLE), {"task": chainrule.Text()}, "expected task as a task such as Classify()"),
        ((chainrule.FeedForward(), TABLE), {"training": 5}, "training as settings such as Training(epochs=5), got 5"),
        ((chainrule.FeedForward(), TABLE), {"engine": "jit"}, "there is no engine 'jit'; expected native or eager"),
        ((chainrule.FeedForward(), TABLE), {"engine": None}, "there is no engine None; expected native or eager"),
        (
            (chainrule.LinearModel(), TABLE),
            {"task": chainrule.Classify(inputs=chainrule.Text())},
            "linear reads numbers and categories, and text inputs give bags of tokens",
        ),
    ],
)
def test_fit_says_what_it_takes(tmp_path, arguments, settings, message):
    with pytest.raises(ConfigurationError) as caught:
        chainrule.fit(*arguments, folder=tmp_path / "model", **settings)
    assert message in str(caught.value)
    assert names(tmp_path) == []
