"""The command `chainrule` from its first moment: Ctrl-C while Python is still loading it ends it in one line.

SIGTERM, by which a system asks a process to end, is answered as Ctrl-C is: what is worth keeping is saved.
"""

from __future__ import annotations

import signal
import sys
from typing import NoReturn

INTERRUPTED = 130  # by convention, 128 and the number of the signal


def main() -> int:
    """Load the command line and run it; its exit code, 130 after Ctrl-C and 143 after SIGTERM."""
    received: list[int] = []

    def stop(number: int, _frame: object) -> NoReturn:
        received.append(number)
        raise KeyboardInterrupt

    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:  # a parent may have it ignored
        signal.signal(signal.SIGTERM, stop)
    try:
        from chainrule.cli.main import main as run

        code = run()
    except KeyboardInterrupt:
        print("chainrule: interrupted", file=sys.stderr)  # noqa: T201  (a command line speaks so)
        code = INTERRUPTED
    return 128 + received[0] if code == INTERRUPTED and received else code
