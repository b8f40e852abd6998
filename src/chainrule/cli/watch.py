"""`chainrule watch`: the report of a study while its runs go on."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from chainrule.cli.printing import stream
from chainrule.errors import ConfigurationError

PORT = 8765


def add_parser(subparsers: Any, arguments: list[str]) -> None:  # noqa: ARG001
    """The options of the command."""
    parser = subparsers.add_parser(
        "watch",
        help="show the report of a study in a browser while its runs go on",
        description="Serve the report of a study to this machine alone, as a page that updates by itself.",
        epilog="example: chainrule watch study",
    )
    parser.add_argument("study", help="folder of a study, as chainrule compare writes it")
    parser.add_argument(
        "--port", default=str(PORT), metavar="N", help=f"where it listens; 0 for any that is free (default: {PORT})"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until Ctrl-C.

    Raises:
        ChainruleError: when there is no study, or the port cannot be used.
    """
    from chainrule.report.study.live import HERE, server

    if not (arguments.port.isascii() and arguments.port.isdigit() and int(arguments.port) < 65536):
        raise ConfigurationError(f"--port must be a whole number from 0 to 65535, got {arguments.port!r:.60}")
    with server(Path(arguments.study), int(arguments.port)) as serving:
        stream(f"http://{HERE}:{serving.server_address[1]}/ shows the study; Ctrl-C ends it\n")
        try:
            serving.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            stream("\n")
    return 0
