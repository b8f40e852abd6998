"""Studies that are killed at one of the moments when they touch a file, and several processes that make one together.

A study that is killed and begun again by the same command ends with the same bits, and repeats no run that had ended.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from chainrule.experiment import StudyFolder
from tests.faults.processes import LIMIT, PROGRAM, described, moments
from tests.samples import command_line, make_rows, write_rows

#: Runs that several processes make together, for each kill.
RUNS = 10
#: Those processes.
TOGETHER = 4


class Studies:
    """The same study again and again, each time killed at another moment, and one that ran through.

    Args:
        place: a folder for it.
        workers: what does the runs.
        often: whether each run writes a checkpoint after every step; else there is none, as it takes a moment.
    """

    def __init__(self, place: Path, workers: str, *, often: bool) -> None:
        self.out = place / "study"
        self.often = often
        table = write_rows(place / "texts.csv", make_rows(60))
        options = command_line("bow")[2:-2]  # without the learner and its scale
        self.words = [
            "compare", table, "--learners", "bow,ffnn:dim=8,hidden=6", "--seeds", "2", "--jobs", "2", "--quiet",
            "--workers", workers, "--out", self.out, *options,
        ]  # fmt: skip
        straight = self._run(0, 0)
        assert straight.returncode == 0, straight.stderr
        self.events = int(straight.stdout.rpartition("events: ")[2])
        self.outcome = outcome(self.out)

    def kill(self, moment: int, delay: float) -> None:
        """Kill it, and give the same command again."""
        shutil.rmtree(self.out)
        self._run(moment, delay)
        before, ended = _lines(self.out), _records(self.out)
        self._again()
        if any(line["state"] == "failed" for line in StudyFolder(self.out).ended().values()):
            self._again()  # a worker was killed, and the study went on without its run, which is tried again now
        assert outcome(self.out) == self.outcome
        after = _lines(self.out)
        assert after[: len(before)] == before, "a line is lost"
        assert {name: held for name, held in _records(self.out).items() if name in ended} == ended, "a run is repeated"

    def _again(self) -> None:
        done = self._run(0, 0)
        assert done.returncode == 0, done.stderr

    def _run(self, moment: int, delay: float):
        words = [sys.executable, "-c", PROGRAM, self.out, moment, "SIGKILL", delay, int(self.often), *self.words]
        return subprocess.run(
            list(map(str, words)), env=_environment(), capture_output=True, text=True, timeout=LIMIT, check=False
        )


def outcome(place: Path) -> dict[str, object]:
    """What a study came to, bit for bit; each run that ended has one line, one folder and one test."""
    study = StudyFolder(place)
    ended = [line for line in study.lines() if line["kind"] == "run" and line["state"] == "finished"]
    tested = [line for line in study.lines() if line["kind"] == "test"]
    names = [line["run"] for line in ended]
    folders = sorted(path.name for path in (place / "runs").iterdir())
    assert len(set(names)) == len(names), "a run has two lines"
    assert sorted(names) == folders == sorted(line["run"] for line in tested)
    return {
        "runs": {line["run"]: (line["number"], line["weights"], line["valid"], line["epochs"]) for line in ended},
        "tests": {line["run"]: line["test"] for line in tested},
        "judged": {name: (place / "runs" / name / "test.json").read_bytes() for name in names},
        "winner": json.loads((place / "winner.json").read_bytes()),
        "models": sorted(path.parent.name for path in place.glob("runs/*/model.safetensors")),
    }


def _lines(place: Path) -> list[dict[str, object]]:
    return list(StudyFolder(place).lines()) if (place / "study.json").exists() else []


def _records(place: Path) -> dict[str, bytes]:
    """The records of the runs that have ended; times are in them, so that another training writes others."""
    return {path.parent.name: path.read_bytes() for path in place.glob("runs/*[!l]/record.jsonl")}


def run_study_kills(place: Path, count: int, seed: int) -> None:
    """Kill studies at so many moments: half with threads and half with processes, half of each with checkpoints."""
    kinds = [("threads", True), ("processes", False), ("threads", False), ("processes", True)]
    for number, (workers, often) in enumerate(kinds):
        part = len(range(number, count, len(kinds)))
        if part:
            folder = place / f"{workers}-{'often' if often else 'never'}"
            folder.mkdir()
            studies = Studies(folder, workers, often=often)
            for moment, delay in moments(studies.events, part, seed):
                with described(f"{folder.name}: killed at event {moment} of {studies.events}, {delay} s after it"):
                    studies.kill(moment, delay)


def run_together(place: Path, count: int, seed: int) -> None:
    """Have four processes make one study of trivial runs, kill one of them so many times, and begin that anew."""
    draws = np.random.default_rng(seed)
    table = write_rows(place / "texts.csv", make_rows(60))
    words = [
        sys.executable, "-m", "chainrule", "compare", table, "--learners", "bow", "--seeds", RUNS * count,
        "--epochs", "1", "--jobs", "1", "--quiet", "--keep", "all", "--out",
    ]  # fmt: skip

    def begun(out: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(list(map(str, [*words, place / out])), env=_environment(), stderr=subprocess.PIPE)

    straight = begun("straight")
    _, said = straight.communicate(timeout=LIMIT + 3 * RUNS * count)
    assert straight.returncode == 0, said
    processes = [begun("study") for _ in range(TOGETHER)]
    ended: list[subprocess.Popen[bytes]] = []
    try:
        share = 1 / (count + 1)
        for number in range(1, count + 1):
            _wait_for(place / "study", RUNS * count * share * number, processes)
            time.sleep(float(draws.random()) * 0.1)
            chosen = int(draws.integers(TOGETHER))
            os.kill(processes[chosen].pid, signal.SIGKILL)
            ended.append(processes[chosen])
            processes[chosen] = begun("study")
        for process in processes:
            _, said = process.communicate(timeout=LIMIT + 3 * RUNS * count)
            assert process.returncode == 0, said
    finally:
        for process in [*processes, *ended]:
            process.kill()
            process.communicate()
    assert outcome(place / "study") == outcome(place / "straight")


def _wait_for(study: Path, runs: float, processes: list[subprocess.Popen[bytes]]) -> None:
    """Wait until so many runs have ended, and as long as somebody makes them."""
    while not (study / "runs.jsonl").exists() or (study / "runs.jsonl").read_bytes().count(b'"kind": "run"') < runs:
        for process in processes:
            if process.poll() not in (None, 0):
                raise AssertionError(process.stderr.read() if process.stderr else process.returncode)
        time.sleep(0.02)


def _environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1"}
