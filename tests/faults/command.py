"""A command line in this process: whatever it is given, it answers, or says in one line what is wrong."""

from __future__ import annotations

import contextlib
import io
import signal
from dataclasses import dataclass

from chainrule.cli.main import main

#: Seconds in which any command on a small input must have answered, also on a machine that does other things too.
LIMIT = 120


@dataclass(frozen=True)
class Answer:
    """What a command came to."""

    code: int
    out: str
    error: str


def answer(*words):
    """Run a command line and require an answer: exit code 0, or 2 with a message of one error and no output of it.

    Raises:
        AssertionError: for any other end; an exception that the command line does not catch is handed on.
    """
    out, error = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error), _time_limit():
        try:
            code = main([str(word) for word in words])
        except SystemExit as end:  # argparse ends so
            code = end.code
    found = Answer(code, out.getvalue(), error.getvalue())
    assert code in (0, 2), found
    assert (code == 0) == ("error: " not in found.error), found
    assert "not enough memory" not in found.error, found
    return found


@contextlib.contextmanager
def _time_limit():
    def end(*_):
        raise TimeoutError(f"no answer within {LIMIT} seconds")

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(LIMIT)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
