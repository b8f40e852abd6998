"""`chainrule compare`: several learners on one table, each with several seeds, and a report of what came out."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chainrule.cli.options import add_engine_option, add_setting, add_table_options, given_settings
from chainrule.cli.report import write_page
from chainrule.cli.train import add_choosers, add_data_options, add_setting_options, read_one, read_other
from chainrule.errors import ConfigurationError, shortened

if TYPE_CHECKING:
    from chainrule.cli.configuration import Choice
    from chainrule.experiment import Division
    from chainrule.models import Learner
    from chainrule.tasks import Task
    from chainrule.train import Training

EPILOG = """\
examples:
  chainrule compare reviews.csv --learners bow,ffnn,cnn --out study
  chainrule compare reviews.csv --learners bow,ffnn:hidden=128,ffnn:hidden=256,dropout=0.3 --seeds 10 --out study
  chainrule compare houses.csv --task regress --numbers auto --learners linear,mlp --folds 5 --out study
  chainrule compare train.csv --valid valid.csv --test test.csv --learners bow,lstm --epochs 10 --out study
  chainrule report study                    (the report again, from what was written down)
  chainrule best study --out model          (the model that won)
"""


def add_parser(subparsers: Any, arguments: list[str]) -> None:
    """The options of the command: those of all learners that are compared."""
    parser = subparsers.add_parser(
        "compare",
        help="train several learners with several seeds, and report which is best",
        description="Train several learners with several seeds on one table, several at once, judge them on the same "
        "test rows, and write a report. The same command again goes on with a study that was interrupted.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    if arguments[:1] != ["compare"]:
        return
    from chainrule.models import LEARNERS

    parser.add_argument(
        "--learners", metavar="NAME,NAME",
        help=f"what is compared: of {', '.join(LEARNERS)}, with settings where they are not the usual ones, as in "
        "bow,ffnn:hidden=128,dropout=0.3 (default: bow,ffnn, or linear,mlp for columns)",
    )  # fmt: skip
    parser.add_argument("--seeds", metavar="N", help="runs of each, or their seeds as in 1,2,3 (default: 5)")
    choices = _choices(arguments[1:])
    add_data_options(parser)
    add_choosers(parser, choices[0])
    add_study_options(parser)
    add_engine_option(parser)
    add_table_options(parser, weight=True)
    add_setting_options(parser, choices)
    parser.set_defaults(choices=choices, choice=choices[0])


def add_study_options(parser: argparse.ArgumentParser) -> None:
    """The options of all commands that make a study."""
    from chainrule.experiment.division import Division
    from chainrule.experiment.experiment import KEEP
    from chainrule.experiment.running import WORKERS

    parser.add_argument("--out", metavar="FOLDER", help="folder of the study: a new one, or one to go on with")
    parser.add_argument(
        "--test", metavar="FILE", action="append", help="rows for the test (default: a tenth, by label)"
    )
    parser.add_argument("--measure", metavar="NAME", help="of validation, that decides (default: that of the task)")
    parser.add_argument("--jobs", type=int, metavar="N", help="trainings at once (default: one on each core)")
    parser.add_argument("--workers", metavar="NAME", help=f"what does them: {', '.join(WORKERS)} (default: threads)")
    parser.add_argument(
        "--address", metavar="ADDRESS",
        help="of the cluster, for --workers dask (tcp://HOST:PORT) or ray (default: workers on this machine)",
    )  # fmt: skip
    parser.add_argument("--keep", metavar="NAME", help=f"models to keep: {' or '.join(KEEP)} (default: winner)")
    parser.add_argument("--quiet", action="store_true", help="show nothing while it runs")
    group = parser.add_argument_group("dividing the table")
    for declared in Division.declared():
        add_setting(group, "division", declared, declared.default)


def _choices(arguments: Sequence[str]) -> list[Choice]:
    """What the command line chooses, for each learner."""
    from chainrule.cli.configuration import Choice

    scanner = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    scanner.add_argument("--learners")
    try:
        found, rest = scanner.parse_known_args(list(arguments))
    except argparse.ArgumentError:  # a value is missing, which the parser that follows will say
        found, rest = argparse.Namespace(learners=None), list(arguments)
    if found.learners is None:
        usual = Choice.of(rest)
        names = [usual.kinds["learner"].name, *RIVALS.get(usual.kinds["learner"].name, ())]
    else:
        names = [spelled.partition(":")[0] for spelled in spelled_learners(found.learners)]
    return [Choice.of([*rest, "--learner", name]) for name in names]


#: What the usual learner of a task is compared with, where no learners are named.
RIVALS = {"bow": ("ffnn",), "ffnn": ("bow",), "linear": ("mlp",), "mlp": ("linear",)}


def spelled_learners(text: str) -> list[str]:
    """The learners that a list names: a comma before "name=value" goes on with the settings of the one before.

    Raises:
        ConfigurationError: for an empty name, or settings of no learner.
    """
    found: list[str] = []
    for piece in (x.strip() for x in text.split(",")):
        if "=" in piece.partition(":")[0]:
            if not found or ":" not in found[-1]:
                raise ConfigurationError(
                    f"--learners: {shortened(piece)} belongs to no learner; write settings as in "
                    "ffnn:hidden=128,dropout=0.3"
                )
            found[-1] += f",{piece}"
        elif piece:
            found.append(piece)
        else:
            raise ConfigurationError(f"--learners: expected names such as bow,ffnn, got {shortened(text)}")
    return found


def run(arguments: argparse.Namespace) -> None:
    """Compare, and say what came out."""
    from chainrule.experiment import Comparison, Experiment
    from chainrule.experiment.comparison import listed_seeds

    require_workers(arguments)
    configurations = _configurations(arguments)
    task = configurations[0][0]
    table, valid, test = read_parts(arguments, [task for task, _, _ in configurations])
    division = division_of(arguments)
    plan = Comparison(configurations, listed_seeds(seeds_of(arguments)), division.parts)
    experiment = Experiment(table, plan, task, division, arguments.measure, valid, test)
    carry_out(experiment, arguments)


def require_workers(arguments: argparse.Namespace) -> None:
    """Refuse workers that there cannot be, before anything is read.

    Raises:
        ConfigurationError: such as for a cluster that does not answer.
    """
    from chainrule.experiment.running import workers_named

    workers_named(arguments.workers or "threads").require(arguments.address)


def carry_out(experiment: Any, arguments: argparse.Namespace) -> None:
    """Run an experiment, show how it goes on, and say what came out."""
    from chainrule.experiment.measure import Measure
    from chainrule.experiment.progress import Board, Nobody

    if arguments.out is None:
        raise ConfigurationError("--out: expected a folder for the study; add --out FOLDER")
    board = Board(Measure.of(experiment.task, experiment.measure))
    try:
        experiment.run(
            arguments.out, jobs=arguments.jobs, workers=arguments.workers or "threads", address=arguments.address,
            keep=arguments.keep or "winner", engine=arguments.choice.engine(arguments.engine),
            onlooker=Nobody() if arguments.quiet else board, command=arguments.command_line,
        )  # fmt: skip
    except KeyboardInterrupt as stop:
        raise KeyboardInterrupt(f"{arguments.out} holds what has ended; the same command goes on with it") from stop
    write_page(Path(arguments.out))


def _configurations(arguments: argparse.Namespace) -> list[tuple[Task, Learner, Training]]:
    """Task, learner and training of each that is compared."""
    given = given_settings(arguments)
    spelled = None if arguments.learners is None else spelled_learners(arguments.learners)
    found = []
    for number, choice in enumerate(arguments.choices):
        own = {
            section: {
                name: text for name, text in held.items() if any(x.name == name for x in choice.settings(section))
            }
            for section, held in given.items()
            if section != "division"
        }
        task, learner, training = choice.built(own)
        if spelled is not None and ":" in spelled[number]:
            learner = _with(learner, spelled[number])
        learner.require(task.answers, task.name)
        found.append((task.resolved(learner.reads, learner.name), learner, training))
    return found


def _with(learner: Learner, spelled: str) -> Learner:
    """A learner with the settings that are spelled after its name."""
    from dataclasses import replace

    from chainrule.models import LEARNERS

    try:
        made = LEARNERS.make(spelled)
    except ConfigurationError as error:
        raise ConfigurationError(f"--learners: {error}") from error
    names = re.findall(r"[:,]\s*(\w+)\s*=", spelled)
    return replace(learner, **{name: getattr(made, name) for name in names})


def division_of(arguments: argparse.Namespace) -> Division:
    """How the table is divided, by the options."""
    from chainrule.experiment import Division
    from chainrule.settings import SettingError

    given = given_settings(arguments).get("division", {})
    try:
        return Division(**{x.name: x.parsed("division", given[x.name]) for x in Division.declared() if x.name in given})
    except SettingError as error:
        option = next(x.option for x in Division.declared() if x.name == error.field)
        raise ConfigurationError(f"{option} {error.reason.replace(' or None', ' or none')}") from error


def seeds_of(arguments: argparse.Namespace) -> int | tuple[int, ...]:
    """How many seeds, or which.

    Raises:
        ConfigurationError: for something else.
    """
    text = arguments.seeds or "5"
    if not re.fullmatch("[0-9]{1,9}(,[0-9]{1,9})*", text):
        raise ConfigurationError(
            f"--seeds: expected how many, such as 5, or which, such as 1,2,3; got {shortened(text)}"
        )
    numbers = tuple(map(int, text.split(",")))
    return numbers if "," in text else numbers[0]


def read_parts(arguments: argparse.Namespace, tasks: Sequence[Task]) -> tuple[Any, Any, Any]:
    """The table, and the rows to stop by and for the test, where these are files of their own.

    Where some tasks read texts and others columns, the table is of texts and keeps the columns.
    """
    from chainrule.experiment.reading import reading_of

    if not arguments.table:
        raise ConfigurationError("the table is missing; give the file to learn from, such as reviews.csv")
    if arguments.out is not None and Path(arguments.out).is_file():
        raise ConfigurationError(f"--out {arguments.out}: is a file; give the name of a folder")
    task, further = reading_of(tasks)
    table = read_one(arguments, task, arguments.table, further)
    files = {"validation": arguments.valid, "the test": arguments.test}
    valid, test = (
        None if x is None else read_other(arguments, task, x, table, part, further) for part, x in files.items()
    )
    return table, valid, test
