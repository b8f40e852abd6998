"""Workers on a cluster: what those of all libraries share.

The folder of the study must be on a file system that all machines share. It is all that passes between them but for the
jobs and their lines: workers write the folders of runs there, and who asks reads from the records how runs go on. Who
asks holds a lock there, too, by which workers know that the experiment has not ended: the system lets go of it when the
process ends, however that ends.
"""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import time
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from chainrule.errors import ConfigurationError, StorageError, shortened
from chainrule.experiment.runner import Abandoned, Job, Runner
from chainrule.experiment.running.workers import Result, Workers, lost
from chainrule.experiment.store import FAILED, FOLDERS, STUDY, Line
from chainrule.files import Lock, is_locked
from chainrule.train.run_folder import RECORD, partial_of
from chainrule.train.trainer import Epoch
from chainrule.version import __version__

#: How often a job is given to another worker where the one that did it has died.
RETRIES = 2
#: Seconds from one look at how runs go on to the next, and from one look whether the experiment has ended.
INTERVAL, GLANCE = 0.5, 1.0
#: Seconds that a cluster may take to answer, may be without any worker, and that a folder may take to be seen.
ANSWER, WITHOUT_WORKERS, SEEN = 3.0, 30.0, 30.0


class WorkerLostError(Exception):
    """A worker ended in the middle of a job.

    Args:
        reason: what is known of it.
        times: how many workers the job has lost by now.
    """

    def __init__(self, reason: str, times: int = 1) -> None:
        super().__init__(reason)
        self.times = times


class Cluster(Workers):
    """Workers that are processes on machines of a cluster, or of one on this machine that ends with the experiment.

    A worker that dies has its run done by another, and a run that takes three with it is marked as failed.

    Raises:
        ConfigurationError: when the library is missing, or no cluster answers.
    """

    elsewhere: ClassVar[bool] = True
    #: The package that the library is.
    library: ClassVar[str]
    #: What addresses look like, and how to start a cluster.
    addresses: ClassVar[str]
    start: ClassVar[str]

    def __init__(
        self, runner: Runner, count: int | None, told: Callable[[Line], None], address: str | None = None
    ) -> None:
        super().__init__(runner, count, told, address)
        self.runner.threads = 1
        self.address = address
        self.limit = count
        self._told: dict[str, int] = {}
        self._with_workers = time.monotonic()
        self.connect()
        self.presence = Presence(runner.place.absolute())

    @classmethod
    def require(cls, address: str | None) -> None:
        """Find out, in a moment, whether the library is there, and whether anybody listens at the address.

        Raises:
            ConfigurationError: where they do not.
        """
        if importlib.util.find_spec(cls.library) is None:
            raise ConfigurationError(f"workers: {cls.name} needs a library: pip install 'chainrule[{cls.name}]'")
        if address is not None and not answers(address):
            raise cls.absent(address, "nobody answers there")

    @classmethod
    def absent(cls, address: str | None, reason: str) -> ConfigurationError:
        """What to say where there is no cluster."""
        return ConfigurationError(
            f"address: expected {cls.addresses}, got {shortened(address)}: {reason}; start one ({cls.start}), or leave "
            "the address out for workers on this machine"
        )

    @abstractmethod
    def connect(self) -> None:
        """Find the cluster, or start one, and send it the runner."""

    @abstractmethod
    def room(self) -> int:
        """How many jobs the cluster can do at once now."""

    @abstractmethod
    def give(self, job: Job) -> Any:
        """Have a worker do a job; what stands for that."""

    @abstractmethod
    def over(self, given: Sequence[Any], seconds: float) -> Sequence[Any]:
        """Those that are over, by so many seconds from now at the latest."""

    @abstractmethod
    def outcome(self, given: Any) -> Line | None:
        """What a job that is over came to.

        Raises:
            WorkerLostError: when its worker has died.
        """

    @abstractmethod
    def disconnect(self) -> None:
        """Let go of the cluster, and end one that was started for this."""

    def prepare(self, jobs: Sequence[Job]) -> None:
        """Nothing: each worker reads the rows as it needs them."""

    def results(self, jobs: Iterable[Job]) -> Iterator[Result]:
        """Do jobs."""
        waiting = iter(jobs)
        under_way: dict[Any, Job] = {}
        lost_by: dict[str, int] = {}
        while True:
            while len(under_way) < self._room() and (job := next(waiting, None)) is not None:
                under_way[self.give(job)] = job
            if not under_way:
                return
            for given in self.over(list(under_way), INTERVAL):
                job = under_way.pop(given)
                try:
                    line = self.outcome(given)
                except WorkerLostError as death:
                    lost_by[job.trial.name] = lost_by.get(job.trial.name, 0) + death.times
                    if lost_by[job.trial.name] <= RETRIES:
                        under_way[self.give(job)] = job
                        continue
                    line = lost(job, f"{lost_by[job.trial.name]} workers died of it; of the last: {death}")
                self._require_seen(line)
                yield job, line
            self._look(under_way.values())

    def at_once(self) -> int:
        """The workers that the cluster has now, as far as they are asked for; 1 while it has none."""
        room = self.room()
        return max(1, room if self.limit is None else min(room, self.limit))

    def _room(self) -> int:
        """How many jobs are to be under way.

        Raises:
            StorageError: when there has been no worker for a while.
        """
        now = time.monotonic()
        if self.room():
            self._with_workers = now
        elif now - self._with_workers > WITHOUT_WORKERS:
            raise self.without_workers()
        return self.at_once()

    def without_workers(self) -> StorageError:
        """What to say where there has been none for too long."""
        return StorageError(
            f"{self.name}: the cluster has had no worker for {WITHOUT_WORKERS:g} seconds; start some, and give the "
            "same command again to go on"
        )

    def _require_seen(self, line: Line | None) -> None:
        """Refuse a cluster whose workers write to another place than this machine reads from."""
        if line is None or line["kind"] != "run" or line["state"] == FAILED:
            return
        folders, started = self.runner.place / FOLDERS, time.monotonic()
        while not (folders / line["run"]).is_dir():
            if time.monotonic() - started > SEEN:
                raise StorageError(
                    f"{folders / line['run']}: a worker has written it, and it is not seen here; put the study on a "
                    "file system that all machines share"
                )
            time.sleep(INTERVAL)
            with suppress(OSError):
                os.listdir(folders)  # noqa: PTH208  (has a network file system look at the folder again)

    def _look(self, jobs: Iterable[Job]) -> None:
        """Tell how runs go on, by their records."""
        for job in jobs:
            if job.does != "train":
                continue
            name = job.trial.name
            path = partial_of(self.runner.place / FOLDERS / name) / RECORD
            with suppress(OSError, ValueError):  # it has its name by now, or the line is being written
                content = path.read_bytes()
                if len(content) == self._told.get(name):
                    continue
                self._told[name] = len(content)
                first, *rest = (json.loads(line) for line in content.splitlines())
                epochs = [Epoch.of_line(line, i) for i, line in enumerate(rest, start=1) if line["kind"] == "epoch"]
                told = {"run": name, "epoch": 0.0, "epochs": first["training"]["epochs"]}
                self.told({**told, "epoch": epochs[-1].epoch, "valid": epochs[-1].valid} if epochs else told)

    def close(self) -> None:
        """End: workers notice within a second or so, and leave what they train to be gone on with."""
        self.presence.end()
        self.disconnect()


class Presence:
    """A file that who asks keeps locked.

    Args:
        place: the folder of the study.
    """

    def __init__(self, place: Path) -> None:
        for file in place.glob(".asks.*"):
            if not is_locked(file):  # of a process that was killed
                file.unlink(missing_ok=True)
        self.path = place / f".asks.{socket.gethostname()}.{os.getpid()}"
        self._lock = Lock(self.path)

    def end(self) -> None:
        """It has ended."""
        self.path.unlink(missing_ok=True)
        self._lock.release()


class Absence:
    """Whether who asks has ended. Where locks do not reach from there to here, nobody ever has.

    Args:
        path: that they keep locked.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known = is_locked(path)
        self._looked = time.monotonic()

    def __call__(self) -> bool:
        """Whether they have."""
        now = time.monotonic()
        if not self._known or now - self._looked < GLANCE:
            return False
        self._looked = now
        return not is_locked(self.path)


def do(runner: Runner, job: Job, asks: Path, version: str) -> Line | None:
    """Do a job on a machine of the cluster.

    Args:
        runner: does it.
        job: what there is to do.
        asks: the file that who asks keeps locked.
        version: of chainrule there.

    Raises:
        ConfigurationError: when another version is installed here.
        StorageError: when the study is not seen here.
    """
    here = socket.gethostname()
    if version != __version__:
        raise ConfigurationError(
            f"a worker on {here} has chainrule {__version__}, and the experiment {version}; install the same there"
        )
    if not (runner.place / STUDY).is_file():
        raise StorageError(
            f"{runner.place}: a worker on {here} does not see the study; put it on a file system that all machines "
            "share, under the same name"
        )
    try:
        return runner(job, _nobody, Absence(asks))
    except Abandoned:
        return None


def _nobody(line: Line) -> None:
    """Who asks reads the record."""


def answers(address: str) -> bool:
    """Whether anybody listens at HOST:PORT, with or without a scheme before it."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER).close()
    except (OSError, ValueError):
        return False
    return True
