"""Runner: trains and tests trials, one after another, in whatever thread, process or machine it is called."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from chainrule.data import Examples
from chainrule.dataclasses import dataclass
from chainrule.errors import ChainruleError, StorageError
from chainrule.experiment.division import Part
from chainrule.experiment.store import FAILED, FINISHED, FOLDERS, STOPPED, TEST, Line
from chainrule.experiment.trial import Trial
from chainrule.files import is_locked, write_file
from chainrule.models import Model
from chainrule.models.folder import DESCRIPTION, WEIGHTS
from chainrule.shown import json_line
from chainrule.train.fit import Run, fit
from chainrule.train.prepared import Prepared
from chainrule.train.run_folder import LOCK, partial_of
from chainrule.train.trainer import Epoch, Observer, Trainer

#: What a runner says of a run while it trains.
Told = Callable[[Line], None]
#: Ways of reading the rows that a process of its own keeps, as nobody tells it which of them are still needed.
KEPT = 4
#: Digits after the point of the scores of rows.
DIGITS = 6
#: What a reason begins with that says that a run was stopped as it had no hope; see `chainrule.experiment.search`.
HOPELESS = "hopeless"


class Abandoned(BaseException):
    """The experiment has ended, and with it this training: what it has so far is left to go on from."""


@dataclass(frozen=True)
class Job:
    """What there is to do for a trial: to train it, or to judge the trained model on test rows.

    Attributes:
        trial: what is trained.
        number: of the trial in its experiment.
        stage: "search" for a trial of a search, "final" for one whose model is judged on test rows.
        does: "train" or "test".
        watching: what looks on beside the experiment, and may stop the training.
    """

    trial: Trial
    number: int
    stage: str = "final"
    does: Literal["train", "test"] = "train"
    watching: tuple[Observer, ...] = ()


class Runner:
    """Trains and tests the trials of an experiment.

    Args:
        place: the folder of the study.
        parts: the divisions of the table.
        engine: see `fit`.
        threads: that work on a step of one training; who runs several at once changes it as they come and go.
    """

    def __init__(self, place: Path, parts: Sequence[Part], *, engine: str = "native", threads: int = 1) -> None:
        self.place = place
        self.parts = parts
        self.engine = engine
        self.threads = threads
        #: Ways of reading the rows that are kept; None for all that `prepare` was asked for.
        self.kept: int | None = None
        self._prepared: dict[tuple[object, ...], Prepared] = {}
        self._tests: dict[tuple[object, ...], Examples] = {}
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        """What another process takes over, maybe on another machine: it reads the rows itself, as they are needed."""
        made: dict[str, Any] = {"_prepared": {}, "_tests": {}, "_lock": None}
        return {**vars(self), "place": self.place.absolute(), "kept": KEPT, **made}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        vars(self).update(state, _lock=threading.Lock())

    def prepare(self, jobs: Sequence[Job]) -> bool:
        """Read the rows as these trainings need them, and forget other ways; whether any was new."""
        needed = {self._key(job.trial): job.trial for job in jobs if job.does == "train"}
        self._prepared = {key: held for key, held in self._prepared.items() if key in needed}
        new = [trial for key, trial in needed.items() if key not in self._prepared]
        for trial in new:
            try:
                self.prepared(trial)
            except ChainruleError:  # each of its runs fails by it, and says so
                continue
        return bool(new)

    def prepared(self, trial: Trial) -> Prepared:
        """The rows as the learner of a trial reads them, which all that read the same share."""
        key = self._key(trial)
        with self._lock:
            held = self._prepared.pop(key, None)
            if held is None:
                part = self.parts[trial.part]
                held = Prepared.of(trial.learner, trial.task, part.train, part.valid)
            self._prepared[key] = held  # the last of them, as it was used last
            while self.kept is not None and len(self._prepared) > self.kept:
                del self._prepared[next(iter(self._prepared))]
            return held

    def _key(self, trial: Trial) -> tuple[object, ...]:
        return json_line(trial.task.settings()), trial.learner.layout(trial.task.answers), trial.part

    def __call__(self, job: Job, told: Told, ended: Callable[[], bool]) -> Line | None:
        """Do a job.

        Args:
            job: what there is to do.
            told: is given a line an epoch, for those who look on.
            ended: whether the experiment has ended, so that this is in vain.

        Returns:
            The line of it for the study; None where another process has the run in hand.
        """
        return self._tested(job) if job.does == "test" else self._trained(job, told, ended)

    def _trained(self, job: Job, told: Told, ended: Callable[[], bool]) -> Line | None:
        trial = job.trial
        folder = self.place / FOLDERS / trial.name
        if is_locked(partial_of(folder) / LOCK):
            return None
        watch = _Watch(trial.name, told, ended, lambda: self.threads)
        started = time.perf_counter()
        try:
            run = fit(
                trial.learner, self.prepared(trial), training=trial.training, seed=trial.seed, folder=folder,
                resume=True, engine=self.engine, threads=self.threads, observers=(watch, *job.watching),
            )  # fmt: skip
        except Exception as error:  # noqa: BLE001  (whatever it is, it is about this run, and the others go on)
            if isinstance(error, StorageError) and (is_locked(partial_of(folder) / LOCK) or folder.exists()):
                return None  # another process was faster
            return failure(job, reason_of(error))
        return {**_begun(job), **_outcome(run, folder, time.perf_counter() - started), "time": _now()}

    def _tested(self, job: Job) -> Line:
        """Judge the model of a run on the test rows, and write down how."""
        trial, folder = job.trial, self.place / FOLDERS / job.trial.name
        line = {"kind": "test", "run": trial.name}
        try:
            model = Model.load(folder)
            test = self._test_rows(trial.part, folder, model)
            evaluation = model.task.judge(model, test, self.engine)
            confidence = evaluation.confidence
            content = {
                "rows": test.rows,
                "evaluation": evaluation.as_dict(),
                "score": evaluation.score,
                "scores": _rounded(evaluation.scores),
                "confidence": None if confidence is None else _rounded(confidence),
            }
            write_file(folder / TEST, json_line(content) + "\n")
        except ChainruleError as error:
            return {**line, "test": None, "reason": str(error)}
        measures = {name: value if np.isfinite(value) else None for name, value in evaluation.measures.items()}
        return {**line, "test": measures}

    def _test_rows(self, part: int, folder: Path, model: Model) -> Examples:
        """The test rows as a model reads them, which all that were told the same of the rows to learn from share.

        What a model was told is in its folder, beside the weights; it may be of another process, or an earlier version.
        """
        description = json.loads((folder / DESCRIPTION).read_bytes())
        files = {name: digest for name, digest in description["sha256"].items() if name != WEIGHTS}
        told = {"task": description["task"], "codec": description["codec"], "files": files}
        key = part, json_line(told), model.reads
        with self._lock:
            examples = self._tests.pop(key, None)
            if examples is None:
                examples = model.codec.encode(self.parts[part].test, targets=True)
            self._tests[key] = examples  # the last of them, as it was used last
            while len(self._tests) > KEPT:
                del self._tests[next(iter(self._tests))]
            return examples


def failure(job: Job, reason: str) -> Line:
    """The line of a run that failed."""
    return {**_begun(job), "state": FAILED, "reason": reason, "valid": None, "time": _now()}


def _begun(job: Job) -> Line:
    trial = job.trial
    named = {"run": trial.name, "number": job.number, "configuration": trial.configuration, "stage": job.stage}
    return {"kind": "run", **named, **trial.settings()}


def reason_of(error: Exception) -> str:
    """Why a run failed, in a line."""
    if isinstance(error, ChainruleError):
        return str(error)
    if isinstance(error, MemoryError):
        return f"not enough memory: {error}".removesuffix(": ")
    return f"{type(error).__name__}: {error}"


class _Watch(Observer):
    """Tells how a run goes on, gives it the threads that others have left, and ends it with its experiment."""

    turn: ClassVar[int] = Observer.SHOWS

    def __init__(self, run: str, told: Told, ended: Callable[[], bool], threads: Callable[[], int]) -> None:
        self.run = run
        self.told = told
        self.ended = ended
        self.threads = threads

    def training_started(self, trainer: Trainer) -> None:
        """It has begun."""
        self.told({"run": self.run, "epoch": 0.0, "epochs": trainer.epochs})

    def batch_ended(self, trainer: Trainer, batch: object, sums: object) -> None:  # noqa: ARG002
        """End it where the experiment has ended."""
        if self.ended():
            raise Abandoned
        trainer.use_threads(self.threads())

    def epoch_ended(self, trainer: Trainer, epoch: Epoch) -> None:
        """Tell how far it is."""
        self.told({"run": self.run, "epoch": epoch.epoch, "epochs": trainer.epochs, "valid": epoch.valid})


def _outcome(run: Run, folder: Path, seconds: float) -> Line:
    """What a run came to."""
    hopeless = run.stopped.startswith(HOPELESS)
    return {
        "state": STOPPED if hopeless else FINISHED,
        "reason": run.stopped,
        "valid": {name: value if np.isfinite(value) else None for name, value in run.best.valid.items()},
        "epochs": run.epochs[-1].epoch,
        "best_epoch": run.best.epoch,
        "seconds": round(max(seconds, sum(epoch.seconds for epoch in run.epochs)), 4),
        "parameters": run.record[0]["parameters"],
        "memory": run.record[0].get("memory"),
        "findings": [found.sentence for found in run.findings],
        "weights": weights_of(folder),
    }


def weights_of(folder: Path) -> str:
    """The SHA-256 of the weights of a model: two runs of the same bits have the same."""
    digest: str = json.loads((folder / DESCRIPTION).read_bytes())["sha256"][WEIGHTS]
    return digest


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(value), DIGITS) for value in values]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
