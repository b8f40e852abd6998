"""The command `chainrule` from its first moment: Ctrl-C while Python is still loading it ends it in one line.

SIGTERM, by which a system asks a process to end, is answered as Ctrl-C is: what is worth keeping is saved.
"""

from __future__ import annotations

import gc
import signal
import sys
from typing import NoReturn

#: How many new objects Python looks through for cycles at once. Nearly all that a command makes lives as long as
#: it does: looking after each 700, as Python does by itself, is a tenth of the time of a short command. It begins when
#: the modules of the command are loaded, which never go.
COLLECTED_AFTER = (100_000, 10, 10)
INTERRUPTED = 130  # by convention, 128 and the number of the signal


def main() -> int:
    """Load the command line and run it; its exit code, 130 after Ctrl-C and 143 after SIGTERM."""
    received: list[int] = []
    gc.disable()
    gc.set_threshold(*COLLECTED_AFTER)

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
    gc.freeze()  # the memory goes back with the process
    return 128 + received[0] if code == INTERRUPTED and received else code
