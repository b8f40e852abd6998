"""Workers of a Dask cluster."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from importlib import import_module
from queue import Empty, SimpleQueue
from typing import Any, ClassVar

from chainrule.errors import ChainruleError, ConfigurationError, StorageError, shortened
from chainrule.experiment.runner import Job
from chainrule.experiment.running import cluster
from chainrule.experiment.running.cluster import Cluster, WorkerLostError, do
from chainrule.experiment.running.workers import register
from chainrule.experiment.store import Line
from chainrule.version import __version__

#: What the state of a job that is over is called.
OVER = ("finished", "error", "cancelled", "lost")
#: Seconds that a scheduler may take to greet, where somebody listens.
HANDSHAKE = 10.0
#: Seconds that the workers on this machine may take to end.
CLOSING = 20.0


@register
class Dask(Cluster):
    """Threads of the workers of a Dask cluster: each does one job at a time.

    On a cluster that is there, its scheduler gives a job to other workers where the first ones die, as often as it is
    set to (three times).
    """

    name: ClassVar[str] = "dask"
    library: ClassVar[str] = "distributed"
    addresses: ClassVar[str] = "that of the scheduler of a Dask cluster, such as tcp://10.0.0.1:8786"
    start: ClassVar[str] = "dask scheduler"

    def connect(self) -> None:
        """Find the cluster, or start one process a job on this machine."""
        dask: Any = import_module("dask")
        distributed: Any = import_module(self.library)
        self._library = distributed
        self._cluster: Any = None
        logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what matters is in the outcome of jobs
        if self.address is None:
            with dask.config.set({"distributed.scheduler.allowed-failures": 0}):
                self._cluster = distributed.LocalCluster(
                    n_workers=self.count, threads_per_worker=1, processes=True, memory_limit=0,
                    dashboard_address="127.0.0.1:0", silence_logs=logging.CRITICAL,
                )  # fmt: skip
        self._client = self._greeted(distributed.Client, self.address if self._cluster is None else self._cluster)
        self._runner: Any = None

    def _greeted(self, client: Any, asked: Any) -> Any:
        """A client of a scheduler; the library itself waits without end for one that says nothing."""
        answer: SimpleQueue[Any] = SimpleQueue()

        def greet() -> None:
            try:
                answer.put(client(asked, timeout=HANDSHAKE, set_as_default=False))
            except Exception as error:  # noqa: BLE001  (whoever waits for the answer raises it)
                answer.put(error)

        threading.Thread(target=greet, daemon=True).start()
        try:
            answered = answer.get(timeout=HANDSHAKE)
        except Empty:
            answered = TimeoutError("what listens there says nothing")
        if isinstance(answered, Exception):
            raise self.absent(self.address, shortened(str(answered))) from answered
        return answered

    def room(self) -> int:
        """The threads of all workers."""
        with self._asking():
            return sum(self._client.nthreads().values())

    def give(self, job: Job) -> Any:
        """Have it done; the rows are sent to each worker once."""
        with self._asking():
            if self._runner is None or self._runner.status != "finished":
                try:
                    self._runner = self._client.scatter(
                        self.runner, broadcast=True, hash=False, timeout=cluster.WITHOUT_WORKERS
                    )
                except TimeoutError as error:  # all are dead, and no other has come
                    raise self.without_workers() from error
            return self._client.submit(do, self._runner, job, self.presence.path, __version__, pure=False)

    def over(self, given: Sequence[Any], seconds: float) -> Sequence[Any]:
        """Those that are over."""
        with self._asking(), self._client.as_current(), suppress(TimeoutError, CancelledError):
            self._library.wait(given, timeout=seconds, return_when="FIRST_COMPLETED")
        return [future for future in given if future.status in OVER]

    def outcome(self, given: Any) -> Line | None:
        """The line, or the error."""
        if given.status in ("cancelled", "lost"):
            if self._client.status != "running":
                raise self._gone()
            raise WorkerLostError("the rows that it had were lost with it")
        error = given.exception()
        if error is None:
            line: Line | None = given.result()
            return line
        if isinstance(error, self._library.scheduler.KilledWorker):
            raise WorkerLostError(f"{error.last_worker.address} is gone", error.allowed_failures + 1)
        if isinstance(error, ChainruleError):
            raise error
        raise ConfigurationError(
            f"workers: a worker of the cluster failed: {type(error).__name__}: {error}; install the same chainrule "
            "there"
        ) from error

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Ask the scheduler something; it may be gone."""
        try:
            yield
        except (OSError, RuntimeError, UnboundLocalError) as error:  # the last is how the library cancels a question
            raise self._gone() from error

    def _gone(self) -> StorageError:
        return StorageError(
            f"the Dask cluster {self.address or 'on this machine'} does not answer any more; give the same command "
            "again to go on"
        )

    def disconnect(self) -> None:
        """Let go of all jobs."""
        with suppress(OSError, RuntimeError):
            self._client.close(timeout=HANDSHAKE)
        if self._cluster is not None:
            with suppress(TimeoutError):  # its processes end with this one
                self._cluster.close(timeout=CLOSING)
