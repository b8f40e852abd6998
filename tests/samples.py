"""Small tables that can be learned, learners that learn them in a moment, and ways to break files."""

from __future__ import annotations

import csv
import errno
import json
from pathlib import Path

import numpy as np
import polars as pl

import chainrule
from chainrule.train.trainer import Trainer

#: Words that tell a class, and words that tell nothing.
TELLING = {
    "negative": ["bad", "dull", "awful", "boring", "flat"],
    "neutral": ["plain", "usual", "average", "medium", "common"],
    "positive": ["good", "fun", "lovely", "clever", "warm"],
}
FILLERS = [f"word{i}" for i in range(30)]

#: Every setting is given, so that no default matters to a test.
TEXT = {
    "lowercase": True, "ngrams": 2, "minimum_count": 1, "minimum_ngram_count": 2, "maximum_size": None,
    "term_frequency": "binary",
}  # fmt: skip
TRAINING = {
    "optimizer": "adam", "learning_rate": 0.03, "schedule": "constant", "batch_size": 16, "epochs": 3, "patience": 3
}  # fmt: skip
NETWORK = {"dim": 8, "hidden": (6,), "activation": "relu", "dropout": 0.2, "word_dropout": 0.1, "scale": 10.0}
LEARNERS = {"bow": (chainrule.BagOfWords, {"scale": 1.0}), "ffnn": (chainrule.FeedForward, NETWORK)}
#: Those, and others that only some tests train.
MORE_LEARNERS = {
    **LEARNERS,
    "cnn": (chainrule.ConvolutionalNetwork, {"dim": 6, "filters": 3, "widths": (1, 2, 3)}),
    "lstm": (chainrule.LongShortTermMemory, {"dim": 6, "size": 4}),
    "transformer": (chainrule.Transformer, {"dim": 6, "model_size": 8, "heads": 2, "inner_size": 12}),
}

#: The same for the command line.
OPTIONS = [
    "--ngrams", "2", "--min-count", "1", "--min-ngram-count", "2", "--max-vocabulary", "none",
    "--term-frequency", "binary", "--optimizer", "adam", "--lr", "0.03",
    "--schedule", "constant", "--batch-size", "16", "--epochs", "3", "--patience", "3",
]  # fmt: skip
NETWORK_OPTIONS = [
    "--dim", "8", "--hidden", "6", "--activation", "relu", "--dropout", "0.2", "--word-dropout", "0.1",
    "--scale", "10",
]  # fmt: skip


def setup(name, **changes):
    """Learner, task and training as `fit` takes them, with some settings of any of them changed."""
    kind, network = MORE_LEARNERS[name]
    inputs, training = {k: changes.pop(k, v) for k, v in TEXT.items()}, {**TRAINING}
    training |= {x.name: changes.pop(x.name) for x in chainrule.Training.declared() if x.name in changes}
    task = {x.name: changes.pop(x.name) for x in chainrule.Classify.declared() if x.name in changes}
    return {
        "learner": kind(**{**network, **changes}),
        "task": chainrule.Classify(**{"inputs": chainrule.Text(**inputs), **task}),
        "training": chainrule.Training(**training),
    }


def fit(name, train, valid=None, **settings):
    """Train as `setup` says; arguments of `fit` that are no settings are handed on."""
    running = ("seed", "folder", "resume", "progress", "engine", "threads", "diagnostics")
    further = {key: settings.pop(key) for key in running if key in settings}
    return chainrule.fit(train=train, valid=valid, **setup(name, **settings), **further)


def command_line(learner, **changes):
    """The options of a learner for `chainrule train`, some of them changed: `epochs=5` for `--epochs 5`."""
    words = ["--learner", learner, *OPTIONS, *(NETWORK_OPTIONS if learner == "ffnn" else ["--scale", "1"])]
    for name, value in changes.items():
        words += [f"--{name.replace('_', '-')}", str(value)]
    return words


def make_rows(count, labels=("negative", "positive"), seed=0):
    """Texts of three to eight words, two of which tell the label; one text in twenty has a wrong label."""
    draws = np.random.default_rng(seed)
    rows = []
    for i in range(count):
        label = labels[i % len(labels)]
        words = [*draws.choice(FILLERS, draws.integers(1, 7)), *draws.choice(TELLING[label], 2)]
        wrong = draws.random() < 0.05
        rows.append((" ".join(draws.permutation(words)), str(draws.choice(labels)) if wrong else label))
    return rows


def as_table(rows, name="list"):
    return chainrule.Table.from_lists([text for text, _ in rows], [label for _, label in rows], name=name)


def write_rows(path, rows, columns=("text", "label")):
    """Write a table in the format of the path's suffix; the path."""
    path = Path(path)
    if path.suffix == ".parquet":
        pl.DataFrame(rows, schema=list(columns), orient="row").write_parquet(path)
    elif path.suffix == ".jsonl":
        lines = [json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False) for row in rows]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    else:
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, delimiter="\t" if path.suffix == ".tsv" else ",")
            writer.writerows([columns, *rows])
    return path


def weights(folder):
    """The bytes of a model's weights."""
    return (Path(folder) / "model.safetensors").read_bytes()


def timeless(record):
    """A record without what differs between two runs of the same training."""
    return [
        {key: value for key, value in line.items() if key not in {"time", "seconds", "examples_per_second"}}
        for line in record
    ]


class FullDisk:
    """Counts writes to files, and has the disk full at one of them: half of what is to be written gets there."""

    def __init__(self, monkeypatch, full_at=None):
        self.writes = 0
        self.full_at = full_at
        real_open = Path.open

        def open_watched(path, mode="r", *arguments, **settings):
            stream = real_open(path, mode, *arguments, **settings)
            return _Watched(stream, self) if set(mode) & set("wax+") else stream

        monkeypatch.setattr(Path, "open", open_watched)


class _Watched:
    def __init__(self, stream, disk):
        self.stream = stream
        self.disk = disk

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.stream.close()

    def __getattr__(self, name):
        return getattr(self.stream, name)

    def write(self, data):
        self.disk.writes += 1
        if self.disk.writes == self.disk.full_at:
            self.stream.write(data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        return self.stream.write(data)


def at_step(monkeypatch, number, act):
    """Do something to the trainer before its step of this number."""
    real = Trainer.run_batch

    def run_batch(self, batch):
        if self.state.step + 1 == number:
            act(self)
        return real(self, batch)

    monkeypatch.setattr(Trainer, "run_batch", run_batch)


def poison(trainer):
    """Weights that are no numbers, so that the loss is none."""
    trainer.parameters[-1].assign(np.full(trainer.parameters[-1].shape, np.nan))


def interrupt(*_):
    """What Ctrl-C does."""
    raise KeyboardInterrupt
