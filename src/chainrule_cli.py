"""The command `chainrule` from its first moment: Ctrl-C while Python is still loading it ends it in one line."""

from __future__ import annotations

import sys


def main() -> int:
    """Load the command line and run it; its exit code, 130 after Ctrl-C."""
    try:
        from chainrule.cli.main import main as run

        return run()
    except KeyboardInterrupt:
        print("chainrule: interrupted", file=sys.stderr)  # noqa: T201  (a command line speaks so)
        return 130
