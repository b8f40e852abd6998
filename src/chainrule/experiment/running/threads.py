"""Workers that are threads of this process, which share the rows that they learn from."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from queue import SimpleQueue
from typing import ClassVar

from chainrule.experiment.runner import Abandoned, Job, Runner
from chainrule.experiment.running.workers import Result, Workers, register
from chainrule.experiment.store import Line


@register
class Threads(Workers):
    """Threads: compiled steps run without the interpreter's lock, so several trainings go on at once.

    What ends the process, such as too little memory, ends all of them.
    """

    name: ClassVar[str] = "threads"

    def __init__(
        self, runner: Runner, count: int | None, told: Callable[[Line], None], address: str | None = None
    ) -> None:
        super().__init__(runner, count, told, address)
        self._telling = threading.Lock()
        self._asked: SimpleQueue[Job | None] = SimpleQueue()
        self._done: SimpleQueue[tuple[Job, Line | None, BaseException | None]] = SimpleQueue()
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(self.count)]
        for thread in self._threads:
            thread.start()

    def _work(self) -> None:
        while (job := self._asked.get()) is not None:
            try:
                self._done.put((job, self.runner(job, self._tell, self._ended.is_set), None))
            except Abandoned:
                return
            except BaseException as error:  # noqa: BLE001  (whoever waits for the result raises it)
                self._done.put((job, None, error))

    def _tell(self, line: Line) -> None:
        with self._telling:
            self.told(line)

    def results(self, jobs: Iterable[Job]) -> Iterator[Result]:
        """Do jobs."""
        waiting, under_way = iter(jobs), 0
        while True:
            while under_way < self.count and (job := next(waiting, None)) is not None:
                self._asked.put(job)
                under_way += 1
            if not under_way:
                return
            self.share(under_way)
            job, line, error = self._done.get()
            under_way -= 1
            if error is not None:
                raise error
            yield job, line

    def close(self) -> None:
        """End the threads: each after the step that it is at."""
        self._ended.set()
        for _ in self._threads:
            self._asked.put(None)
        for thread in self._threads:
            thread.join()
