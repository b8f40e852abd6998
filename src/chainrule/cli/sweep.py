"""`chainrule sweep`: search for the learner and the settings that are best on a table."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from chainrule.cli.compare import add_study_options, carry_out, read_parts, require_workers
from chainrule.cli.options import add_engine_option, add_setting, add_table_options, given_settings
from chainrule.cli.printing import say
from chainrule.cli.train import add_choosers, add_data_options, add_setting_options
from chainrule.errors import ConfigurationError, shortened

if TYPE_CHECKING:
    from chainrule.cli.configuration import Choice
    from chainrule.experiment import StudyPlan

EPILOG = """\
examples:
  chainrule sweep study.toml --out study                  (what varies, what is fixed and the rows, in a file)
  chainrule sweep reviews.csv --learners bow,ffnn --vary lr=0.003..0.3:log --trials 20 --out study
  chainrule sweep reviews.csv --learners ffnn --vary 'hidden=64,128|64' --vary dropout=0,0.5 --method grid --out study
  chainrule sweep reviews.csv --learners bow,cnn --vary lr@bow=0.1..2:log --vary lr@cnn=1e-4..1e-2:log --out study
  chainrule sweep houses.csv --task regress --numbers auto --learners mlp --vary l2=1e-6..1e-2:log --out study
  chainrule report study                    (the report, from what was written down)
  chainrule best study --out model          (the model that won)

what varies: NAME=VALUES, where NAME is a setting ("learner.dropout"), its name alone, or its option ("lr"), and VALUES
  0,0.2,0.5         choices; items of a list are separated by |, as in 64,128|64
  1e-4..1e-1:log    a range, which log has drawn by its logarithm
  1..9:log:5        the same, of which a grid takes 5 numbers
NAME@bow,sgd=VALUES is for these learners or optimizers alone.
"""


def add_parser(subparsers: Any, arguments: list[str]) -> None:
    """The options of the command: those of all learners that may be chosen."""
    parser = subparsers.add_parser(
        "sweep",
        help="search for the best settings and learner",
        description="Search for the learner and the settings that are best on a table: trials, several at once, and at "
        "the end the best with several seeds, which are judged on test rows. The same command again goes on with a "
        "study that was interrupted.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    if arguments[:1] != ["sweep"]:
        return
    from chainrule.experiment.search.sweep import Searching
    from chainrule.models import LEARNERS

    choices = _choices(arguments[1:])
    add_data_options(parser)
    parser.add_argument(
        "--learners",
        metavar="NAME,NAME",
        help=f"what may be chosen of {', '.join(LEARNERS)}; the same as --vary learner=",
    )
    parser.add_argument(
        "--vary", metavar="NAME=VALUES", action="append", default=[], help="a setting that varies; see below"
    )
    add_choosers(parser, choices[0])
    group = parser.add_argument_group("search")
    for declared in Searching.declared():
        add_setting(group, "search", declared, declared.default)
    add_study_options(parser)
    add_engine_option(parser)
    add_table_options(parser, weight=True)
    add_setting_options(parser, choices)
    parser.set_defaults(choices=choices, choice=choices[0])


def run(arguments: argparse.Namespace) -> None:
    """Search, and say what came out."""
    from chainrule.experiment import StudyFolder
    from chainrule.experiment.search.grid import GridSearch

    require_workers(arguments)
    plan = planned(arguments)
    for option in ("valid", "test"):
        if getattr(arguments, option) is None and not arguments.table:
            given = plan.data.get(option)
            setattr(arguments, option, [given] if isinstance(given, str) else given)
    if not arguments.table and "train" in plan.data:
        arguments.table = plan.data["train"]
    search = plan.sweep().search()
    if isinstance(search, GridSearch):
        for reason, count in search.left_out.items():
            all_of = (search.trials or 0) + sum(search.left_out.values())
            say(f"{count} of {all_of} combinations {'is' if count == 1 else 'are'} left out: {reason}")
    carry_out(plan.experiment(*read_parts(arguments, plan.space.tasks)), arguments)
    lines = StudyFolder(arguments.out).ended().values()
    if not any(line["stage"] == "final" for line in lines):
        say("no trial has finished, so that there are no finalists: see why in the messages above, or in runs.jsonl")


def planned(arguments: argparse.Namespace) -> StudyPlan:
    """What is asked for, in the settings file and by options, which go before it.

    Raises:
        ConfigurationError: for what is unknown or is no value of its setting; the message has the option or the line.
    """
    from chainrule.cli.configuration import with_values
    from chainrule.experiment import StudyPlan
    from chainrule.experiment.division import Division
    from chainrule.experiment.search.place import Place
    from chainrule.experiment.search.space import Written
    from chainrule.experiment.search.sweep import Searching

    choice = arguments.choice
    arguments.table = [name for name in arguments.table if name != choice.file]
    declared = {"search": Searching.declared(), "division": Division.declared()}
    for each in arguments.choices:
        for section in each.kinds:
            declared[section] = (*declared.get(section, ()), *each.settings(section))
    given = given_settings(arguments)
    options = {
        f"{section}.{x.name}": x.option
        for section, held in declared.items()
        for x in held
        if choice.file is None or x.name in given.get(section, {})
    }
    vary, named, places = _given(vars(arguments))
    content = with_values(choice.content, named)
    content = with_values(content, {x: {k: Written(text) for k, text in held.items()} for x, held in given.items()})
    if vary:
        content = with_values(content, {"space": vary})
    if arguments.measure is not None:
        content["measure"], options["measure"] = arguments.measure, "--measure"
    if choice.file is None:
        options["space"] = "--vary"
    return StudyPlan.of(content, place=Place(choice.file, {**options, **places}))


def _given(arguments: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, Any]], dict[str, str]]:
    """What the command line says of kinds and of what varies.

    Returns:
        What varies by its keys, the names of kinds by section, and the options that gave all of these.
    """
    from chainrule.experiment.search.space import Written

    vary: dict[str, Any] = {}
    places: dict[str, str] = {}
    if arguments.get("learners") is not None:
        vary["learner"], places["space.learner"] = Written(arguments["learners"]), "--learners"
    for given in arguments.get("vary") or []:
        name, equals, values = given.partition("=")
        if not equals or not name:
            raise ConfigurationError(f"--vary: expected NAME=VALUES, such as dropout=0,0.5, got {shortened(given)}")
        if name in vary:
            raise ConfigurationError(f"--vary {name}: is given twice; give all its values once")
        vary[name], places[f"space.{name}"] = Written(values), f"--vary {name}"
    named: dict[str, dict[str, Any]] = {}
    for section in ("task", "training.optimizer", "training.schedule"):
        option = section.rpartition(".")[2]
        if arguments.get(option) is not None:
            named[section] = {"name": arguments[option]}
            places[f"{section}.name"] = f"--{option}"
    return vary, named, places


def _choices(arguments: Sequence[str]) -> list[Choice]:
    """The kinds that may be chosen together, by the settings file and the command line."""
    from chainrule.cli.configuration import Choice, scanned, with_values
    from chainrule.experiment.plan import FIXED, SPACE
    from chainrule.experiment.search.place import Place
    from chainrule.experiment.search.space import Written, choosing
    from chainrule.settings.file import read_settings_file

    file = next((x for before, x in zip(("", *arguments), arguments, strict=False) if _is_plan(before, x)), None)
    content = {} if file is None else read_settings_file(file)
    scanner = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    scanner.add_argument("--learners")
    scanner.add_argument("--vary", action="append", default=[])
    try:
        found = vars(scanner.parse_known_args(list(arguments))[0])
    except argparse.ArgumentError:  # a value is missing, which the parser that follows will say
        found = {}
    others = scanned(arguments)
    vary, named, places = _given({**found, **{name: others[name] for name in ("task", "optimizer", "schedule")}})
    told: dict[str, dict[str, Any]] = {}
    for option, section, name in TELLING:
        if others[option] is not None:
            told.setdefault(section, {})[name] = Written(others[option])
            places[f"{section}.{name}"] = f"--{option}"
    whole = with_values(with_values(with_values(content, named), told), {SPACE: vary})
    fixed = {key: whole[key] for key in FIXED if isinstance(whole.get(key), Mapping)}
    reachable = choosing(whole[SPACE], fixed, place=Place(file, places))
    return [Choice(kinds, file, content) for kinds in reachable]


#: Options that say something of kinds that are not chosen, and their settings.
TELLING = (
    ("loss", "task", "criterion"), ("numbers", "task.inputs", "numbers"), ("categories", "task.inputs", "categories"),
    ("unit", "task.inputs", "unit"),
)  # fmt: skip


def _is_plan(before: str, word: str) -> bool:
    """Whether a word of the command line is the settings file, and no folder to write to."""
    return word.endswith(".toml") and before != "--out" and not word.startswith("-")
