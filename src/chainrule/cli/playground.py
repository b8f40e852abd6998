"""`chainrule playground`: a small network over a plane, on a page of this machine."""

from __future__ import annotations

import argparse
from typing import Any

from chainrule.cli.printing import show, stream
from chainrule.errors import ConfigurationError, shortened

PORT = 8766

EPILOG = """\
examples:
  chainrule playground
  chainrule playground flowers.csv --numbers length,width --label kind
  chainrule playground --write site/playground

The address of the page holds all settings and the step: whoever opens it sees the same picture. It listens to this
machine alone; Ctrl-C and SIGTERM end it.
"""


def add_parser(subparsers: Any, arguments: list[str]) -> None:  # noqa: ARG001
    """The options of the command."""
    parser = subparsers.add_parser(
        "playground",
        help="see a small network learn points of a plane, unit by unit, in a browser",
        description="Serve a page to this machine alone, on which a small network learns points of a plane.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("table", nargs="?", help="points of one's own: two columns of numbers and a label")
    parser.add_argument("--numbers", metavar="X,Y", help="the two columns (default: the only two columns of numbers)")
    parser.add_argument("--label", metavar="COLUMN", help="column of what is to be answered (default: label)")
    parser.add_argument("--target", metavar="KIND", help="what it holds: label or number (default: label)")
    parser.add_argument("--port", metavar="N", help=f"0 for any that is free (default: {PORT})")
    parser.add_argument("--no-browser", action="store_true", help="open no browser")
    parser.add_argument("--write", metavar="FOLDER", help="write the examples as pages of a site, and end")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Serve until Ctrl-C or SIGTERM, or write a folder.

    Raises:
        ChainruleError: for a port or a table that cannot be used.
    """
    if arguments.write is not None:
        _write(arguments)
        return
    port = str(PORT) if arguments.port is None else arguments.port
    if not (port.isascii() and port.isdigit() and int(port[:9]) < 65536):
        raise ConfigurationError(f"--port must be a whole number from 0 to 65535, got {shortened(port)}")
    options = {name: given for name in ("label", "target") if (given := getattr(arguments, name)) is not None}
    if arguments.table is None and (options or arguments.numbers is not None):
        raise ConfigurationError("--numbers, --label and --target are about a table; name one")
    from chainrule.playground import serve, server
    from chainrule.playground.table import points_of_table

    table = None
    if arguments.table is not None:
        numbers = [] if arguments.numbers is None else arguments.numbers.split(",")
        table = points_of_table(arguments.table, numbers=numbers, **options)
    with server(int(port), table) as serving:
        address = f"http://{serving.server_address[0]!s}:{serving.server_address[1]}/"

        def ready() -> None:
            stream(f"{address} is the playground; Ctrl-C ends it\n")
            if not arguments.no_browser:
                import webbrowser

                webbrowser.open(address)

        serve(serving, ready)


def _write(arguments: argparse.Namespace) -> None:
    """Write the examples."""
    given = [f"--{name}" for name in ("numbers", "label", "target", "port") if getattr(arguments, name) is not None]
    if arguments.table is not None or given:
        raise ConfigurationError(f"--write writes the examples; leave {' and '.join(given) or 'the table'} out")
    if not arguments.write:
        raise ConfigurationError("--write is empty; give the name of a folder")
    from chainrule.playground import write

    for path in write(arguments.write):
        show(str(path))
