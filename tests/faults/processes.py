"""Trainings in processes of their own that get a signal at one of the moments when they touch a file.

Python tells an audit hook of every file that is opened, renamed or removed. The hook counts those of the training's
folder and sends the signal at the one that was chosen, or a moment after it. So there is no waiting for a file that is
there for a millisecond, and the same seed finds the same moment.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from chainrule.models import Model
from chainrule.report import read_record
from tests.samples import command_line, make_rows, timeless, weights, write_rows

LIMIT = 300  # seconds in which a training of a moment must have ended
PROGRAM = """
import os, signal, sys, threading, time

folder, number, name, delay, often = sys.argv[1], int(sys.argv[2]), sys.argv[3], float(sys.argv[4]), int(sys.argv[5])
del sys.argv[1:6]
seen = 0

def send():
    time.sleep(delay)
    os.kill(os.getpid(), getattr(signal, name))

def look(event, arguments):
    global seen
    if event not in ("open", "os.rename", "os.remove", "os.mkdir", "os.listdir", "os.scandir", "shutil.rmtree"):
        return
    if not any(isinstance(x, (str, os.PathLike)) and os.fspath(x).startswith(folder) for x in arguments):
        return
    seen += 1
    if seen == number:
        threading.Thread(target=send, daemon=True).start() if delay else send()

sys.addaudithook(look)
from chainrule.train import checkpoint
if often:
    checkpoint.INTERVAL, checkpoint.SHARE = 0.0, float("inf")
from chainrule_cli import main
code = main()
if not number:
    print(f"events: {seen}")
sys.exit(code)
"""


class Trainings:
    """The same training again and again, each time with another fault, and one that ran through.

    Args:
        place: a folder for it.
        often: whether a checkpoint is written after every step; else there is none, as it takes less than a minute.
    """

    def __init__(self, place: Path, *, often: bool) -> None:
        self.place = place
        self.often = often
        self.out = place / "run" / "model"
        table = write_rows(place / "texts.csv", make_rows(60))
        self.words = ["train", table, "--out", self.out, *command_line("ffnn")]
        straight = self._run(0, "SIGTERM", 0)
        assert straight.returncode == 0, straight.stderr
        self.events = int(straight.stdout.rpartition("events: ")[2])
        self.weights, self.record = weights(self.out), timeless(read_record(self.out / "record.jsonl"))
        self.files = self._files()

    def kill(self, moment: int, delay: float = 0) -> None:
        """Kill it: with `--resume` it ends with the same bits as if it had not been killed."""
        self._run(moment, "SIGKILL", delay)
        self._resume()

    def stop(self, moment: int, name: str, delay: float = 0) -> None:
        """Send it a signal: it ends with its best model saved, or says how to go on."""
        done = self._run(moment, name, delay)
        ended = {"SIGINT": 130, "SIGTERM": 143}[name]
        assert done.returncode in (0, ended), done
        assert "Traceback" not in done.stderr, done.stderr
        partial = self.out.with_name("model.partial")
        if self.out.exists():
            assert not partial.exists()
            assert read_record(self.out / "record.jsonl")[-1]["kind"] == "end"
            assert len(Model.load(self.out).predict(["good fun"])) == 1
            assert done.returncode == 0 or f"the best model so far is saved in {self.out}" in done.stderr, done.stderr
            again = self._run(0, name, 0, "--resume", keep=True)
            assert (again.returncode, self._files()) == (0, self.files), again
        elif partial.exists():
            told = "go on with it by --resume" in done.stderr
            assert told or not (partial / "checkpoint.safetensors").exists(), done.stderr
            self._resume()
        else:  # nothing was worth keeping
            assert "epoch 1:" not in done.stderr, done.stderr

    def _resume(self) -> None:
        done = self._run(0, "SIGTERM", 0, "--resume", keep=True)
        assert done.returncode == 0, done.stderr
        assert weights(self.out) == self.weights
        assert timeless(read_record(self.out / "record.jsonl")) == self.record
        assert self._files() == self.files

    def _files(self) -> list[str]:
        return sorted(str(path.relative_to(self.out.parent)) for path in self.out.parent.rglob("*"))

    def _run(self, moment, name, delay, *more, keep=False):
        if not keep:
            shutil.rmtree(self.out.parent, ignore_errors=True)
            self.out.parent.mkdir()
        words = [sys.executable, "-c", PROGRAM, self.out, moment, name, delay, int(self.often), *self.words, *more]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        return subprocess.run(
            list(map(str, words)), env=environment, capture_output=True, text=True, timeout=LIMIT, check=False
        )


def moments(events: int, count: int, seed: int) -> list[tuple[int, float]]:
    """Moments that cover all events evenly, every other one some milliseconds after its event."""
    draws = np.random.default_rng(seed)
    numbers = (np.arange(count) + draws.random(count)) * events / count
    delays = np.where(np.arange(count) % 2, draws.random(count) * 0.05, 0)
    return [(1 + int(number), round(float(delay), 4)) for number, delay in zip(numbers, delays, strict=True)]


def run_kills(place: Path, count: int, seed: int) -> None:
    """Kill a training at so many moments: with a checkpoint after every step, and, a few times, without any."""
    for trainings, moment, delay in _chosen(place, count, seed):
        with described(f"killed at event {moment} of {trainings.events}, {delay} s after it"):
            trainings.kill(moment, delay)


def run_signals(place: Path, count: int, seed: int) -> None:
    """Send a training a signal at so many moments: with and without checkpoints, as `run_kills`."""
    for number, (trainings, moment, delay) in enumerate(_chosen(place, count, seed)):
        name = ("SIGINT", "SIGTERM")[number // 2 % 2]
        with described(f"{name} at event {moment} of {trainings.events}, {delay} s after it"):
            trainings.stop(moment, name, delay)


def _chosen(place: Path, count: int, seed: int) -> Iterator[tuple[Trainings, int, float]]:
    """Trainings and moments; a third of them without checkpoints."""
    without = count // 3
    for often, part in ((True, count - without), (False, without)):
        folder = place / ("often" if often else "never")
        folder.mkdir()
        trainings = Trainings(folder, often=often)
        for moment, delay in moments(trainings.events, part, seed):
            yield trainings, moment, delay


class described:  # noqa: N801  (read as a statement)
    """Adds to a failure what was done."""

    def __init__(self, what: str) -> None:
        self.what = what

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind, error, trace) -> None:
        if error is not None:
            error.add_note(self.what)
