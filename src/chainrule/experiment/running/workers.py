"""Workers: what does several jobs at once."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import ClassVar, Self

from chainrule.errors import ConfigurationError, shortened
from chainrule.experiment.runner import Job, Runner, failure
from chainrule.experiment.store import Line
from chainrule.settings import suggestion

#: What a job came to: its line for the study, or None where another process has its run in hand.
Result = tuple[Job, Line | None]


class Workers(ABC):
    """What does the jobs of an experiment, so many at once. It is used in a `with`, and ended by that.

    Args:
        runner: does a job.
        count: how many jobs are done at once; None for as many as there is room for.
        told: is given what is said of runs while they train; it is called from one thread at a time.
        address: of the cluster that they are on, which `require` has found; None for this machine.
    """

    #: What they are called on the command line.
    name: ClassVar[str]
    #: Whether they may be on other machines.
    elsewhere: ClassVar[bool] = False

    def __init__(
        self,
        runner: Runner,
        count: int | None,
        told: Callable[[Line], None],
        address: str | None = None,  # noqa: ARG002
    ) -> None:
        self.runner = runner
        self.count = count or cores()
        self.share(self.count)
        self.told = told

    @classmethod
    def require(cls, address: str | None) -> None:
        """Find out, in a moment, whether there can be such workers.

        Raises:
            ConfigurationError: where there cannot.
        """
        if address is not None and not cls.elsewhere:
            names = " or ".join(f"--workers {name}" for name, kind in WORKERS.items() if kind.elsewhere)
            raise ConfigurationError(
                f"address: workers of the kind {cls.name} are on this machine; leave the address out, or take {names}"
            )

    def at_once(self) -> int:
        """How many jobs are done at once, where there are as many."""
        return self.count

    @abstractmethod
    def results(self, jobs: Iterable[Job]) -> Iterator[Result]:
        """Do jobs, and give what each came to as it ends. No job is taken before a worker is free for it."""

    def share(self, jobs: int) -> None:
        """Have the cores shared by so many jobs: while all workers are busy, one each; of the last ones, several."""
        self.runner.threads = max(1, cores() // max(1, jobs))

    def prepare(self, jobs: Sequence[Job]) -> None:
        """Read the rows as the jobs that come need them, once for all of them."""
        if self.runner.prepare(jobs):
            self.renew()

    def renew(self) -> None:  # noqa: B027  (most have nothing to do)
        """The runner has read other rows: have the jobs that come done with those."""

    def close(self) -> None:  # noqa: B027
        """End: what is being trained is left as it is, to be gone on with."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


WORKERS: dict[str, type[Workers]] = {}


def register(kind: type[Workers]) -> type[Workers]:
    """Add a kind of workers under its name; for use as a decorator."""
    WORKERS[kind.name] = kind
    return kind


def workers_named(name: object) -> type[Workers]:
    """The kind of workers of this name.

    Raises:
        ConfigurationError: when there is none; the message names the near ones.
    """
    if not isinstance(name, str) or name not in WORKERS:
        near = suggestion(name, WORKERS) or f"; expected {' or '.join(WORKERS)}"
        raise ConfigurationError(f"workers: there are none called {shortened(name)}{near}")
    return WORKERS[name]


def lost(job: Job, reason: str) -> Line:
    """The line of a job that ended with the process that did it."""
    if job.does == "test":
        return {"kind": "test", "run": job.trial.name, "test": None, "reason": reason}
    return failure(job, reason)


def cores() -> int:
    """The processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
