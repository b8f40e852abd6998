"""Workers that are processes, forked from this one, so that they share the rows that it has read."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from multiprocessing import connection, get_all_start_methods, get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from multiprocessing.sharedctypes import RawValue
from typing import Any, ClassVar

from chainrule.errors import ConfigurationError
from chainrule.experiment.runner import Abandoned, Job, Runner
from chainrule.experiment.running.workers import Result, Workers, lost, register
from chainrule.experiment.store import Line


@register
class Processes(Workers):
    """Forked processes. One that dies takes the run that it trains with it, and no other.

    Raises:
        ConfigurationError: where the system does not fork processes.
    """

    name: ClassVar[str] = "processes"

    def __init__(
        self, runner: Runner, count: int | None, told: Callable[[Line], None], address: str | None = None
    ) -> None:
        self._threads = RawValue("i", 1)  # which the processes see
        super().__init__(runner, count, told, address)
        if "fork" not in get_all_start_methods():
            raise ConfigurationError("workers: this system forks no processes; take threads (--workers threads)")
        self._idle: list[tuple[BaseProcess, Connection]] = []
        self._busy: dict[Connection, tuple[BaseProcess, Job]] = {}

    def results(self, jobs: Iterable[Job]) -> Iterator[Result]:
        """Do jobs."""
        waiting = iter(jobs)
        while True:
            while len(self._busy) < self.count and (job := next(waiting, None)) is not None:
                self._give(job)
            if not self._busy:
                return
            self.share(len(self._busy))
            for held in connection.wait(list(self._busy)):
                if isinstance(held, Connection):
                    yield from self._heard(held)

    def share(self, jobs: int) -> None:
        """Tell the processes how many threads each has."""
        super().share(jobs)
        self._threads.value = self.runner.threads

    def renew(self) -> None:
        """Have jobs that come done by new processes, which know what this one has read meanwhile."""
        for _, pipe in self._idle:
            pipe.close()  # a process ends when it hears no more
        for process, _ in self._idle:
            process.join()
        self._idle.clear()

    def _give(self, job: Job) -> None:
        process, pipe = self._idle.pop() if self._idle else self._forked()
        pipe.send(job)
        self._busy[pipe] = process, job

    def _forked(self) -> tuple[BaseProcess, Connection]:
        context = get_context("fork")
        here, there = context.Pipe()
        # It must not hold the ends of others, which are told by them that this process is gone.
        ends = [here, *(pipe for _, pipe in self._idle), *self._busy]
        process = context.Process(target=_serve, args=(self.runner, self._threads, there, ends), daemon=True)
        process.start()
        there.close()
        return process, here

    def _heard(self, pipe: Connection) -> Iterator[Result]:
        """What a process says: how its run goes on, or what it came to."""
        process, job = self._busy[pipe]
        try:
            kind, content = pipe.recv()
        except (EOFError, OSError):
            del self._busy[pipe]
            process.join()
            yield job, lost(job, _reason(process.exitcode))
            return
        if kind == "told":
            self.told(content)
            return
        del self._busy[pipe]
        self._idle.append((process, pipe))
        if kind == "error":
            raise content
        yield job, content

    def close(self) -> None:
        """End all processes at once."""
        for process, _ in self._busy.values():
            process.kill()
        for pipe, (process, _) in self._busy.items():
            process.join()
            pipe.close()
        self._busy.clear()
        self.renew()


def _serve(runner: Runner, threads: Any, pipe: Connection, ends: list[Connection]) -> None:
    """Do what is asked, until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that asks, which ends this one
    for end in ends:
        end.close()
    parent = os.getppid()

    def ended() -> bool:
        runner.threads = threads.value
        return os.getppid() != parent

    while True:
        try:
            job = pipe.recv()
        except EOFError:
            os._exit(0)
        try:
            done = runner(job, lambda line: pipe.send(("told", line)), ended)
            answer: tuple[str, object] = ("done", done)
        except (Abandoned, BrokenPipeError):
            os._exit(1)
        except BaseException as error:  # noqa: BLE001  (whoever waits for the result raises it)
            answer = ("error", error)
        with suppress(BrokenPipeError):
            pipe.send(answer)


def _reason(code: int | None) -> str:
    """Why a process is gone that was in the middle of a job."""
    if code is None or code >= 0:
        return f"its process ended with code {code}"
    known = signal.Signals(-code)
    memory = ", as the system does where memory is short" if known == signal.SIGKILL else ""
    return f"its process was killed by {known.name}{memory}"
