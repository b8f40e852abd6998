"""Polars in a forked process: its work is done by another process, which was not forked."""

from __future__ import annotations

import atexit
import functools
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import IO, ParamSpec, TypeVar

import chainrule.polars as pl
from chainrule.errors import ConfigurationError

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

_LENGTH = 8  # bytes that tell how long a message is
_SERVE = "import sys; sys.path[:] = {path!r}; from chainrule.data.helper import serve; serve()"


def uses_polars(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """A function that is called in a helping process where this one has lost the threads that Polars works with.

    Arguments, result and errors are pickled, so the function stands in a module or in a class of one.

    Raises:
        ConfigurationError: when there can be no such process; the message says what to do instead.
    """

    @functools.wraps(function)
    def call(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        return by_helper(call, *args, **kwargs) if pl.threads_lost() else function(*args, **kwargs)

    return call


def serve() -> None:
    """Do what is asked through standard input, until it ends."""
    asked, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    while True:
        message = _received(asked)
        if message is None:
            return
        try:
            function, args, kwargs = pickle.loads(message)
            answer = pickle.dumps((True, function(*args, **kwargs)))
        except BaseException as error:  # noqa: BLE001  (whatever it is, who asked raises it)
            answer = pickle.dumps((False, error))
        _send(answers, answer)


class _Helper:
    """The helping process of this process, which starts when it is first needed and ends with this one."""

    def __init__(self) -> None:
        self._owner = os.getpid()
        self._lock = threading.Lock()
        command = [sys.executable, "-c", _SERVE.format(path=sys.path)]
        # In a group of its own, so that Ctrl-C is for the processes that asked.
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0)
        atexit.register(self.close)

    def ask(self, message: bytes) -> bytes:
        """Its answer to a message."""
        with self._lock:
            if self._process.stdin is None or self._process.stdout is None:
                raise AssertionError("it was started with pipes")
            _send(self._process.stdin, message)
            answer = _received(self._process.stdout)
        if answer is None:
            raise EOFError("it ended")
        return answer

    def close(self) -> None:
        """End it, where this is the process that it helps and no fork of that."""
        if os.getpid() == self._owner:
            self._process.kill()
            self._process.communicate()


#: By the process that it helps, as this table is there in a fork too.
_helpers: dict[int, _Helper] = {}


def by_helper(function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
    """What the helping process gets of a function.

    Raises:
        ConfigurationError: when there can be no such process.
    """
    try:
        helper = _helpers.get(os.getpid()) or _helpers.setdefault(os.getpid(), _Helper())
        done, result = pickle.loads(helper.ask(pickle.dumps((function, args, kwargs))))
    except (OSError, EOFError, ValueError, TypeError, AttributeError, pickle.PickleError) as error:
        _helpers.pop(os.getpid(), None)
        raise ConfigurationError(
            f"this process was forked from one that had loaded Polars, whose threads it lacks, and no other process "
            f"could help out ({error}); start processes with multiprocessing.get_context('spawn'), or load chainrule "
            f"in each process after the fork"
        ) from error
    if not done:
        raise result
    return result  # type: ignore[no-any-return]


def _send(stream: IO[bytes], message: bytes) -> None:
    stream.write(len(message).to_bytes(_LENGTH, "little"))
    stream.write(message)
    stream.flush()


def _received(stream: IO[bytes]) -> bytes | None:
    """The next message; None at the end."""
    head = stream.read(_LENGTH)
    if len(head) < _LENGTH:
        return None
    return stream.read(int.from_bytes(head, "little"))
