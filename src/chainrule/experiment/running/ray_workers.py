"""Workers of a Ray cluster."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

from chainrule.errors import ChainruleError, ConfigurationError, shortened
from chainrule.experiment.runner import Job, Runner
from chainrule.experiment.running.cluster import Cluster, WorkerLostError, do
from chainrule.experiment.running.workers import register
from chainrule.experiment.store import Line
from chainrule.version import __version__


@register
class Ray(Cluster):
    """Actors on a Ray cluster: each has a processor core, and does one job at a time."""

    name: ClassVar[str] = "ray"
    library: ClassVar[str] = "ray"
    addresses: ClassVar[str] = "that of a Ray cluster, such as 10.0.0.1:6379 or ray://10.0.0.1:10001"
    start: ClassVar[str] = "ray start --head"

    def connect(self) -> None:
        """Find the cluster, or start one on this machine."""
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # leaves the variables of the user alone
        ray: Any = import_module(self.library)
        self._library = ray
        self._idle: list[Any] = []
        self._busy: dict[Any, Any] = {}
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}
        local: dict[str, Any] = {"address": "local", "num_cpus": self.count, "include_dashboard": False}
        self._shared = ray.is_initialized()  # by a program that has further use for it
        try:
            if not self._shared:
                ray.init(**quiet, **(local if self.address is None else {"address": self.address}))
        except Exception as error:
            if self.address is not None:
                raise self.absent(self.address, shortened(str(error))) from error
            raise ConfigurationError(f"workers: ray cannot start a cluster on this machine: {error}") from error
        self._runner = ray.put(self.runner)

    def room(self) -> int:
        """The processor cores of all machines."""
        return int(self._library.cluster_resources().get("CPU", 0))

    def give(self, job: Job) -> Any:
        """Have an actor do it; each is sent the rows once."""
        actor = self._idle.pop() if self._idle else self._library.remote(num_cpus=1)(_Actor).remote(self._runner)
        given = actor.do.remote(job, self.presence.path, __version__)
        self._busy[given] = actor
        return given

    def over(self, given: Sequence[Any], seconds: float) -> Sequence[Any]:
        """Those that are over."""
        over: Sequence[Any] = self._library.wait(list(given), num_returns=1, timeout=seconds)[0]
        return over

    def outcome(self, given: Any) -> Line | None:
        """The line, or the error."""
        actor = self._busy.pop(given)
        try:
            line: Line | None = self._library.get(given)
        except self._library.exceptions.RayActorError as error:
            raise WorkerLostError(shortened(str(error).partition("\n")[0])) from error
        except self._library.exceptions.RayTaskError as error:
            if isinstance(error.cause, ChainruleError):
                raise error.cause from error
            raise ConfigurationError(
                f"workers: a worker of the cluster failed: {type(error.cause).__name__}: {error.cause}; install the "
                "same chainrule there"
            ) from error
        self._idle.append(actor)
        return line

    def disconnect(self) -> None:
        """End all actors, and what was started for this."""
        for actor in [*self._idle, *self._busy.values()]:
            with suppress(Exception):
                self._library.kill(actor)
        if not self._shared:
            self._library.shutdown()


class _Actor:
    """A process of the cluster that has read the rows."""

    def __init__(self, runner: Runner) -> None:
        self.runner = runner

    def do(self, job: Job, asks: Path, version: str) -> Line | None:
        """Do a job."""
        return do(self.runner, job, asks, version)
