"""`chainrule find-rate`: which learning rate suits, from one short training at rates that rise."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from chainrule.cli.printing import json_text, listed, say, show
from chainrule.cli.train import add_training_options, asked, read_tables
from chainrule.errors import ConfigurationError, shortened

EPILOG = """\
examples:
  chainrule find-rate reviews.csv
  chainrule find-rate reviews.csv --learner bow --optimizer adam --picture rates.svg
  chainrule train reviews.csv --lr auto --out model          (find it, and train with it)
"""


def add_parser(subparsers: Any, arguments: list[str]) -> None:
    """The options of the command: those of `train` that say what is trained, and how."""
    parser = subparsers.add_parser(
        "find-rate",
        help="find a learning rate by a short training at rates that rise",
        description="The learning-rate range test: train for some steps at rates that rise exponentially, and suggest "
        "the one at which the loss falls fastest. No model is kept.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    if arguments[:1] != ["find-rate"]:
        return
    parser.add_argument("--lowest", metavar="RATE", help="learning rate of the first step (default: 1e-07)")
    parser.add_argument("--highest", metavar="RATE", help="learning rate of the last step (default: 100)")
    parser.add_argument("--steps", metavar="N", help="from one to the other (default: 450)")
    parser.add_argument("--picture", metavar="FILE", help="draw the loss by learning rate (.svg)")
    parser.add_argument("--json", action="store_true", help="print one JSON object, with all rates and losses")
    add_training_options(parser, arguments)


def run(arguments: argparse.Namespace) -> None:
    """Try rates, and say which suits."""
    from chainrule.native.threads import thread_count
    from chainrule.report import draw_range_test
    from chainrule.train import find_rate
    from chainrule.train.fit import VALIDATION
    from chainrule.train.range_test import HIGHEST, LOWEST, STEPS
    from chainrule.train.validation import parted

    choice = arguments.choice
    task, learner, training = asked(arguments)
    seed, engine = choice.seed(arguments.seed), choice.engine(arguments.engine)
    tried = {
        "lowest": _number("--lowest", arguments.lowest, LOWEST),
        "highest": _number("--highest", arguments.highest, HIGHEST),
        "steps": int(_number("--steps", arguments.steps, STEPS, whole=True)),
    }
    train, valid = read_tables(arguments, task)
    if valid is None:
        train, _, _ = parted(train, VALIDATION, seed, task)
    running = {"engine": engine, "threads": thread_count(arguments.threads)}
    found = find_rate(learner, train, task=task, training=training, seed=seed, **tried, **running)  # type: ignore[arg-type]
    if arguments.json:
        show(json_text(found.as_line()))
    else:
        rate = "no clear range" if found.suggestion is None else f"{found.suggestion:.2g}"
        rows = [("learning rate", rate), ("why", found.reason)]
        tried_rates = f"{found.rates[0]:.2g} to {found.rates[-1]:.2g}" if found.rates else "none"
        rows += [("tried", f"{tried_rates} in {len(found.rates)} steps: {found.ended}")]
        rows += [("seconds", f"{found.seconds:.1f}")]
        show(listed(rows))
    if arguments.picture is not None:
        draw_range_test(found.as_line(), Path(arguments.picture))
        say(f"the loss by learning rate is drawn in {arguments.picture}")


def _number(option: str, text: str | None, default: float, *, whole: bool = False) -> float:
    """The number of an option.

    Raises:
        ConfigurationError: when it is none.
    """
    if text is None:
        return default
    try:
        return int(text) if whole else float(text)
    except ValueError:
        what = "a whole number" if whole else "a number"
        raise ConfigurationError(f"{option}: expected {what}, got {shortened(text)}") from None
