"""`chainrule animate`: films of optimizers on a surface, and of the decision regions of a network in training."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chainrule.cli.options import given_settings
from chainrule.cli.printing import show
from chainrule.cli.train import add_training_options, read_tables
from chainrule.errors import ConfigurationError, shortened

if TYPE_CHECKING:
    from chainrule.drawing.film import Film
    from chainrule.optim import Optimizer

EPILOG = """\
examples:
  chainrule animate descent "x**2 + 25*y**2" --lr 0.002 0.03 0.0395 --start "[-2, 0.8]" --out rates.html
  chainrule animate descent "(1-x)**2 + 100*(y-x**2)**2" --optimizers sgd:momentum=0.9 adam --lr 0.001 \\
    --start "[-1.2, 1]" --steps 200 --out valley.svg
  chainrule animate regions points.csv --numbers x,y --hidden 32,32 --epochs 50 --out regions.html
"""


def add_parser(subparsers: Any, arguments: list[str]) -> None:
    """The options of the command and of its parts."""
    parser = subparsers.add_parser(
        "animate",
        help="see it learn: optimizers on a surface, decision regions in training",
        description="Films of how networks learn: an HTML page with a player, or an SVG picture that moves.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parts = parser.add_subparsers(title="what to see", metavar="WHAT", required=True)
    if arguments[:1] != ["animate"]:
        return
    down = _part(parts, "descent", descent, "optimizers on a surface z = f(x, y), and z by step")
    down.add_argument("function", metavar="FUNCTION", help='of x and y, as `chainrule draw` reads it: "x**2 + 25*y**2"')
    down.add_argument(
        "--optimizers", nargs="+", default=["sgd"], metavar="NAME",
        help="update rules, with settings after a colon (sgd:momentum=0.9); `chainrule optimizers` lists them "
        "(default: sgd)",
    )  # fmt: skip
    down.add_argument("--lr", nargs="+", metavar="RATE", help="learning rates, for each of them (default: its own)")
    down.add_argument("--start", default="[1, 1]", metavar="[X,Y]", help="x and y at first (default: [1, 1])")
    down.add_argument("--steps", default="50", metavar="N", help="that each takes (default: 50)")
    seen = _part(parts, "regions", regions, "what a network of two inputs answers where, while it trains")
    seen.add_argument("--frames", default="40", metavar="N", help="pictures, at most (default: 40)")
    if arguments[1:2] == ["regions"]:
        add_training_options(seen, arguments[1:])


def _part(parts: Any, name: str, run: Any, help: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = parts.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}.")
    parser.add_argument("--out", required=True, metavar="FILE", help="new file: .html (a player) or .svg (moves)")
    parser.add_argument("--title", metavar="TEXT", help="above the pictures")
    parser.set_defaults(run=run)
    return parser


def descent(arguments: argparse.Namespace) -> None:
    """Make the film of a descent."""
    from chainrule.animate import descent as film_of
    from chainrule.drawing.expression import parse_function, parse_number

    out = _free(arguments.out)
    start = parse_number(arguments.start)
    if start.shape != (2,):
        raise ConfigurationError(f"--start: expected two numbers, such as [1, 1], got {shortened(arguments.start)}")
    film = film_of(
        parse_function(arguments.function, ["x", "y"]),
        [each for name in arguments.optimizers for each in _optimizers(name, arguments.lr)],
        start=tuple(start.tolist()),
        steps=_whole("--steps", arguments.steps),
        title=arguments.title or f"Descent on {' '.join(arguments.function.split())}",
    )
    _save(film, out)


def regions(arguments: argparse.Namespace) -> None:
    """Train, and make the film of its decision regions; no model is kept."""
    from chainrule.animate import Regions
    from chainrule.native.threads import thread_count
    from chainrule.train import fit

    out = _free(arguments.out)
    choice = arguments.choice
    task, learner, training = choice.built(given_settings(arguments))
    task = task.resolved(learner.reads, learner.name)
    learner.require(task.answers, task.name)
    running = {"seed": choice.seed(arguments.seed), "engine": choice.engine(arguments.engine)}
    train, valid = read_tables(arguments, task)
    title = arguments.title or f"{learner.name} on {Path(train.name).name}"
    seen = Regions.of_table(train, frames=_whole("--frames", arguments.frames), title=title)
    threads = thread_count(arguments.threads)
    fit(learner, train, valid, task=task, training=training, threads=threads, observers=[seen], **running)
    _save(seen.film(), out)


def _free(path: str) -> Path:
    """The file to write, refused before anything is computed."""
    from chainrule.drawing.film import require_film

    require_film(path)
    if Path(path).exists():
        raise ConfigurationError(f"--out {shortened(path)}: the file exists; choose another name, or remove it")
    return Path(path)


def _optimizers(name: str, rates: list[str] | None) -> list[Optimizer]:
    """An optimizer with each of the learning rates."""
    from chainrule.optim import OPTIMIZERS

    if rates is None:
        return [OPTIMIZERS.make(name)]
    try:
        return [OPTIMIZERS.make(name, learning_rate=float(rate)) for rate in rates]
    except ValueError as error:
        if isinstance(error, ConfigurationError):
            raise
        raise ConfigurationError(f"--lr: expected numbers, got {shortened(' '.join(rates))}") from None


def _whole(option: str, text: str) -> int:
    """The whole number of an option."""
    try:
        return int(text)
    except ValueError:
        raise ConfigurationError(f"{option}: expected a whole number, got {shortened(text)}") from None


def _save(film: Film, out: Path) -> None:
    show(f"film: {film.save(out)} ({len(film)} frames)")
