"""A watchdog: when a rank ends early or gets stuck, all end within a minute, and say how to go on.

A process that waits for numbers of a rank that is no more waits for ever, inside XLA, where nothing can wake it. So a
thread of each rank says every second that it is alive and how many steps it has begun, hears the same of the others,
and ends its process where

- a line is closed without a farewell: the rank was killed, or its machine is gone,
- a rank said farewell for an error, `GRACE` seconds ago: time enough for a rank that ends by the same error to save,
- nothing is heard on a line for `SILENT` seconds: it is stopped, or the network is cut,
- a rank has not begun a step that another has begun `BEHIND` seconds ago, unless it says that it is busy, as while it
  compiles: it is stuck.
"""

from __future__ import annotations

import json
import os
import queue
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

#: Seconds from one sign of life to the next.
BEAT = 1.0
#: Seconds without one after which a rank is taken to be gone.
SILENT = 20.0
#: Seconds that a rank may be a step behind another.
BEHIND = 40.0
#: Seconds that a rank has to end by itself after another has ended by an error.
GRACE = 20.0
#: The exit code of a process that its watchdog ended: something that users can mend.
CODE = 2
#: The longest message between ranks, in bytes.
LONGEST = 2**24


class Line:
    """A connection to another rank: JSON objects, one a line.

    Attributes:
        heard: what was said on it but for signs of life.
        last: when something was last heard.
        step: how many steps the other rank has begun, and since when it says so.
        busy: whether it does something that may take long.
        over: when it was closed, or the other rank said farewell; None while it is open.
        reason: of the farewell, "" for a training that ended as it should; None without one.
        verdict: what rank 0 found to be wrong with another rank, for which all end.
    """

    def __init__(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection = connection
        self._stream = connection.makefile("rb")
        self._lock = threading.Lock()
        self._listens = False
        self.heard: queue.Queue[dict[str, Any]] = queue.Queue()
        self.last = time.monotonic()
        self.step = (0, self.last)
        self.busy = False
        self.over: float | None = None
        self.reason: str | None = None
        self.verdict: str | None = None

    def say(self, what: Mapping[str, Any]) -> None:
        """Send a message; on a line that is closed, nothing happens: whoever listens finds out."""
        with suppress(OSError), self._lock:
            self._connection.sendall(json.dumps(what).encode() + b"\n")

    def first(self, seconds: float) -> dict[str, Any] | None:
        """The first message; None where none comes in time, or it is no message."""
        self._connection.settimeout(seconds)
        try:
            said = json.loads(self._stream.readline(LONGEST))
        except (OSError, ValueError):
            said = None
        with suppress(OSError):
            self._connection.settimeout(None)
        return said if isinstance(said, dict) else None

    def refuse(self, reason: str) -> None:
        """Send away whoever is there."""
        self.say({"refused": reason})
        self.close()

    def listen(self) -> None:
        """Take in what is said until the line is closed."""
        self._listens = True
        try:
            while text := self._stream.readline(LONGEST):
                said = json.loads(text)
                self.last = time.monotonic()
                if "step" in said:
                    self.busy = said["busy"]
                    if said["step"] != self.step[0]:
                        self.step = said["step"], self.last
                elif "verdict" in said:
                    self.verdict = said["verdict"]
                elif "left" in said:
                    self.reason, self.over = said["left"], self.last
                    self.heard.put(said)
                else:
                    self.heard.put(said)
        except (OSError, ValueError):
            pass
        self._stream.close()
        self.over = self.over or time.monotonic()
        self.heard.put({"left": self.reason or "ended"})

    def close(self) -> None:
        """Close it."""
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()
        if not self._listens:
            self._stream.close()


def end_process(message: str) -> None:
    """End this process at once, with a message: its other threads may wait for ever."""
    with suppress(OSError, ValueError):
        sys.stderr.write(f"chainrule: error: {message}\n")
        sys.stderr.flush()
    os._exit(CODE)


class Watchdog:
    """Looks after the lines to the other ranks.

    Args:
        rank: of this process.
        lines: to the others; from rank 0 to all, from each of these to rank 0.
        end: what is done where one is gone; ends the process.
        beat, silent, behind, grace: seconds; see the top of this file.

    Attributes:
        step: how many steps this rank has begun, and since when.
        advice: what the user is told to do when all end.
    """

    def __init__(
        self,
        rank: int,
        lines: Mapping[int, Line],
        *,
        end: Callable[[str], None] = end_process,
        beat: float = BEAT,
        silent: float = SILENT,
        behind: float = BEHIND,
        grace: float = GRACE,
    ) -> None:
        self.rank, self.lines, self.end = rank, dict(lines), end
        self.beat, self.silent, self.behind, self.grace = beat, silent, behind, grace
        self.step = (0, time.monotonic())
        self.advice = ""
        self._busy = 0
        self._left: float | None = None
        self._over = threading.Event()

    def start(self) -> None:
        """Begin, in threads that end with the process."""
        for line in self.lines.values():
            line.last = time.monotonic()
            threading.Thread(target=line.listen, daemon=True).start()
        threading.Thread(target=self._watch, daemon=True).start()

    def begun(self) -> None:
        """Count a step that this rank begins."""
        self.step = self.step[0] + 1, time.monotonic()

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Meanwhile this rank may be behind the others: it compiles, or writes."""
        self._busy += 1
        try:
            yield
        finally:
            self._busy -= 1
            self.step = self.step[0], time.monotonic()

    def leave(self, reason: str) -> None:
        """Say farewell to all, with the error where the training ends by one.

        Then this process must end in time, too: JAX waits at its exit for ranks that may be no more.
        """
        if reason:
            self._left = time.monotonic()
        else:
            self._over.set()
        for line in self.lines.values():
            line.say({"left": reason})

    def _watch(self) -> None:
        """Say that this rank is alive, and look at the others, each second."""
        while not self._over.wait(self.beat):
            if self._left is not None:
                if time.monotonic() - self._left > self.grace:
                    self.end(self.advice or "the training ends in all ranks")
                    return
                continue
            sign = {"step": self.step[0], "busy": self._busy > 0}
            for line in self.lines.values():
                line.say(sign)
            problem = self.problem()
            if problem is not None and not self._over.is_set():
                self._over.set()
                for line in self.lines.values():  # rank 0 tells the others
                    line.say({"verdict": problem})
                self.end(f"{problem}; {self.advice or 'the training ends in all ranks'}")
                return

    def problem(self) -> str | None:
        """What is wrong with another rank; None where nothing is."""
        now = time.monotonic()
        steps = [self.step, *(line.step for line in self.lines.values())]
        furthest, since = max(steps, key=lambda step: (step[0], -step[1]))
        for rank, line in self.lines.items():
            if line.verdict is not None:
                return line.verdict
            if line.over is not None:
                if line.reason is None:
                    return f"rank {rank} was killed, or its machine is gone"
                if line.reason and now - line.over > self.grace:
                    return f"rank {rank} ended: {line.reason}"
                continue
            if now - line.last > self.silent:
                return f"rank {rank} has not answered for {self.silent:g} seconds"
            late = line.step[0] < furthest and now - max(since, line.step[1]) > self.behind
            if late and not line.busy and self.rank == 0:
                return f"rank {rank} is stuck after step {line.step[0]}, for {self.behind:g} seconds"
        if self.step[0] < furthest and not self._busy and now - max(since, self.step[1]) > self.behind:
            return f"rank {self.rank} is stuck after step {self.step[0]}, for {self.behind:g} seconds"
        return None
