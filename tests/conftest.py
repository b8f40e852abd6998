"""Tables, trained models and a command line for every test."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from dataclasses import dataclass

import pytest

from chainrule.cli.main import main
from tests import samples


def pytest_collection_finish(session):
    """All modules that are loaded now stay: Python's collector, which took a tenth of the time, need not visit them."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


@pytest.fixture(scope="session")
def two_classes():
    """240 texts of two classes."""
    return samples.as_table(samples.make_rows(240), name="two.csv")


@pytest.fixture(scope="session")
def held_out():
    """90 more texts of the same two classes."""
    return samples.as_table(samples.make_rows(90, seed=1), name="held-out.csv")


@pytest.fixture(scope="session")
def three_classes():
    """240 texts of three classes."""
    return samples.as_table(samples.make_rows(240, tuple(samples.TELLING)), name="three.csv")


@pytest.fixture(scope="session")
def models(two_classes, held_out):
    """A trained model of each learner, by its name."""
    return {name: samples.fit(name, two_classes, held_out, seed=0).model for name in samples.LEARNERS}


@pytest.fixture(scope="session")
def saved(models, tmp_path_factory):
    """The folder of each of these models, not to be changed."""
    place = tmp_path_factory.mktemp("models")
    for name, model in models.items():
        model.save(place / name)
    return {name: place / name for name in models}


@pytest.fixture
def csv_file(tmp_path):
    """A CSV file of 60 texts of two classes."""
    return samples.write_rows(tmp_path / "texts.csv", samples.make_rows(60))


@dataclass(frozen=True)
class Output:
    """What a command came to."""

    code: int
    out: str
    error: str


@pytest.fixture
def run(capsys):
    """Run a command line in this process."""

    def call(*words):
        try:
            code = main([str(word) for word in words])
        except SystemExit as end:  # argparse ends so
            code = end.code
        captured = capsys.readouterr()
        return Output(code, captured.out, captured.err)

    return call


@pytest.fixture
def refused(run):
    """Run a command line that is to be refused; the one message it gives."""

    def call(*words):
        result = run(*words)
        assert result.code == 2
        assert result.out == ""
        assert "Traceback" not in result.error
        *before, message = result.error.splitlines()
        assert "error: " in message
        assert all(line.startswith(("usage: ", " ", "chainrule: ")) for line in before), before
        return message

    return call


#: The command line, with a checkpoint after every step.
OFTEN = """
import math, sys
from chainrule.train import checkpoint
checkpoint.INTERVAL, checkpoint.SHARE = 0.0, math.inf
from chainrule_cli import main
sys.exit(main())
"""


@pytest.fixture
def start():
    """Start a command line in a process of its own; it is killed when the test ends.

    `often=True` has it write a checkpoint after every step.
    """
    started = []

    def call(*words, often=False, **settings):
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUTF8": "1"}
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        process = subprocess.Popen(
            [sys.executable, *(["-c", OFTEN] if often else ["-m", "chainrule"]), *map(str, words)],
            env=environment,
            **{**pipes, **settings},
        )
        started.append(process)
        return process

    yield call
    for process in started:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None and not pipe.closed:
                pipe.close()
