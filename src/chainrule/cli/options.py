"""Options that several commands share, and types for them."""

from __future__ import annotations

import argparse


def add_table_options(parser: argparse.ArgumentParser, *, label: bool = True) -> None:
    """The options that say how to read a table."""
    group = parser.add_argument_group("reading the table")
    group.add_argument("--text", default="text", metavar="COLUMN", help="column with the texts (default: %(default)s)")
    if label:
        group.add_argument(
            "--label", default="label", metavar="COLUMN", help="column with the labels (default: %(default)s)"
        )
    group.add_argument(
        "--encoding", default="utf-8", help="character encoding of CSV, TSV and JSON lines (default: %(default)s)"
    )


def add_eager_option(parser: argparse.ArgumentParser) -> None:
    """The option that keeps everything on NumPy; None where it is not given."""
    parser.add_argument(
        "--eager",
        action="store_const",
        const=True,
        help="run block by block on NumPy, without compiling (slower with more than a few texts)",
    )


def whole_numbers(text: str) -> tuple[int, ...]:
    """Whole numbers separated by commas, such as 128,64; nothing for none."""
    try:
        return tuple(int(part) for part in text.split(",")) if text.strip() else ()
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected whole numbers separated by commas, such as 128,64; got {text!r}"
        ) from None
