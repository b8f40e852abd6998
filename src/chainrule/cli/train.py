"""`chainrule train`: from a table to a saved model."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chainrule.cli.options import (
    TABLE_OPTIONS,
    add_engine_option,
    add_setting,
    add_table_options,
    given_settings,
    table_options,
)
from chainrule.cli.printing import counted, say, show
from chainrule.errors import ChainruleError, ConfigurationError, DivergenceError

if TYPE_CHECKING:
    from chainrule.cli.configuration import Choice
    from chainrule.data import Table
    from chainrule.models import Learner
    from chainrule.tasks import Task
    from chainrule.train import Run, Training

EPILOG = """\
examples:
  chainrule train reviews.csv --out model
  chainrule train reviews.tsv --text review --label stars --ngrams 3 --out model
  chainrule train train.jsonl --valid valid.jsonl --learner ffnn --hidden 128,64 --out model
  chainrule train houses.csv --task regress --label price --numbers auto --categories auto --out model
  chainrule train raw.tsv --quoting none --no-header --text 2 --label 1 --out model
  chainrule train 'reviews-*.csv.gz' --out model
  chainrule train reviews.csv --config settings.toml --out model
  chainrule train --learner ffnn --optimizer adam --help         (the options of these)
"""


def add_parser(subparsers: Any, arguments: list[str]) -> None:
    """The options of the command, which depend on the task, the learner and the optimizer that are chosen."""
    parser = subparsers.add_parser(
        "train",
        help="train a model from a table",
        description="Train a model from a table (CSV, TSV, JSON, Parquet, .xlsx or fastText's format).",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    if arguments[:1] != ["train"]:
        return
    parser.add_argument("--out", metavar="FOLDER", help="new folder for the model and its record")
    parser.add_argument("--resume", action="store_true", help="go on with a training that was killed")
    parser.add_argument("--dry-run", action="store_true", help="say what would happen, and stop")
    parser.add_argument("--no-diagnostics", action="store_true", help="do not look for what is wrong with the training")
    parser.add_argument("--quiet", action="store_true", help="no progress, and no remarks: the record has them")
    add_training_options(parser, arguments)
    add_rank_options(parser)  # last, as few need them


def add_rank_options(parser: argparse.ArgumentParser) -> None:
    """The options that say which of several processes this one is, which train one model together."""
    group = parser.add_argument_group("several processes or machines, with --engine xla; the same command on each")
    group.add_argument(
        "--coordinator", metavar="HOST:PORT",
        help="where rank 0 is, which listens at this port and the next (or CHAINRULE_COORDINATOR)",
    )  # fmt: skip
    group.add_argument("--rank", metavar="I", help="which this one is, from 0 (or CHAINRULE_RANK)")
    group.add_argument("--ranks", metavar="N", help="how many there are (or CHAINRULE_RANKS)")


def add_training_options(parser: argparse.ArgumentParser, arguments: list[str]) -> None:
    """What is trained on, and how: the options that `train` shares with the commands that try a training out."""
    from chainrule.cli.configuration import Choice
    from chainrule.models import LEARNERS

    choice = Choice.of(arguments[1:])
    add_data_options(parser)
    parser.add_argument(
        "--learner", "--model", metavar="NAME",
        help=f"family of networks: {', '.join(LEARNERS)} (here: {choice.kinds['learner'].name})",
    )  # fmt: skip
    add_choosers(parser, choice)
    parser.add_argument("--config", metavar="FILE", help="settings file (TOML); options go before it")
    parser.add_argument("--seed", metavar="N", help="of weights, order, dropout and split (default: 0)")
    add_engine_option(parser)
    parser.add_argument(
        "--threads", type=int, metavar="N", help="that work on a step; results do not depend on it (default: all cores)"
    )
    add_table_options(parser, weight=True)
    add_setting_options(parser, [choice])
    parser.set_defaults(choice=choice)


def add_data_options(parser: argparse.ArgumentParser) -> None:
    """Which rows are learned from."""
    parser.add_argument(
        "table", nargs="*", metavar="TABLE",
        help="rows to learn from: files (.csv, .tsv, .jsonl, .json, .parquet, .xlsx, .txt in fastText's format, any of "
        "them with .gz, .bz2, .xz or .zst), a pattern, - for standard input, or dataset:FOLDER_OR_NAME",
    )  # fmt: skip
    parser.add_argument(
        "--valid", metavar="FILE", action="append",
        help="rows to stop by (default: a tenth, by label; of fewer than 50, all); may be given several times",
    )  # fmt: skip


def add_choosers(parser: argparse.ArgumentParser, choice: Choice) -> None:
    """The options that choose task, optimizer and schedule."""
    from chainrule.optim import OPTIMIZERS, SCHEDULES
    from chainrule.tasks import TASKS

    kinds = {section: kind.name for section, kind in choice.kinds.items()}
    parser.add_argument("--task", metavar="NAME", help=f"what is asked: {', '.join(TASKS)} (here: {kinds['task']})")
    parser.add_argument(
        "--optimizer", metavar="NAME",
        help=f"update rule: {', '.join(OPTIMIZERS)} (here: {kinds['training.optimizer']})",
    )  # fmt: skip
    parser.add_argument(
        "--schedule", metavar="NAME",
        help=f"how the learning rate changes: {', '.join(SCHEDULES)} (here: {kinds['training.schedule']})",
    )  # fmt: skip


def add_setting_options(parser: argparse.ArgumentParser, choices: Sequence[Choice]) -> None:
    """The settings of what is chosen; an option of several choices is one."""
    from chainrule.train.configuration import SECTIONS

    titles = {
        "task": "task {task}",
        "task.inputs": "inputs of {learner}: {task.inputs}",
        "learner": "learner {learner}",
        "training": "training",
        "training.optimizer": "optimizer {training.optimizer}",
        "training.schedule": "schedule {training.schedule}",
    }
    for section in SECTIONS:
        declared = {x.option: (x, choice.default(section, x)) for choice in choices for x in choice.settings(section)}
        if declared:
            group = parser.add_argument_group(_named(titles[section], choices))
            for each, default in declared.values():
                add_setting(group, section, each, default)


def _named(title: str, choices: Sequence[Choice]) -> str:
    """A title with the names of what is chosen: "learner {learner}" becomes "learner bow, ffnn"."""
    return re.sub(r"\{(.+?)\}", lambda found: ", ".join(dict.fromkeys(x.kinds[found[1]].name for x in choices)), title)


def asked(arguments: argparse.Namespace) -> tuple[Task, Learner, Training]:
    """The task, with its inputs, the learner and the training that these options say.

    Raises:
        ConfigurationError: for what is unknown, is no value of its setting, or does not go together.
    """
    task, learner, training = arguments.choice.built(given_settings(arguments))
    learner.require(task.answers, task.name)
    return task.resolved(learner.reads, learner.name), learner, training


def run(arguments: argparse.Namespace) -> None:
    """Train, save, and say what came out."""
    from chainrule.native.threads import thread_count
    from chainrule.train.run_folder import require_free, what_is_kept
    from chainrule.xla.ranks import Place, together

    choice = arguments.choice
    task, learner, training = asked(arguments)
    seed, engine = choice.seed(arguments.seed), choice.engine(arguments.engine)
    threads = thread_count(arguments.threads)
    place = Place.given(arguments.coordinator, arguments.rank, arguments.ranks, os.environ)
    if place is not None and engine != "xla":
        raise ConfigurationError(f"--coordinator: ranks train together with --engine xla, and it is {engine}; add that")
    if arguments.out is None and not arguments.dry_run:
        table = arguments.table or choice.files("train")
        also = "" if table else "the table is missing; give the file to learn from, such as reviews.csv. "
        raise ConfigurationError(f"{also}--out: expected a new folder for the model; add --out FOLDER")
    if arguments.out is not None and (place is None or place.rank == 0):
        require_free(Path(arguments.out), resume=arguments.resume)
    try:
        train, valid = read_tables(arguments, task)
        if arguments.dry_run:
            from chainrule.cli.dry_run import describe

            describe(task, learner, training, train, valid, seed=seed, engine=engine, threads=threads)
            return
        running = {"task": task, "training": training, "seed": seed, "engine": engine, "threads": threads}
        if place is None:
            _train(learner, train, valid, arguments, **running)
        else:
            with together(place) as team:
                arguments.follows = team is not None and not team.leads
                _train(learner, train, valid, arguments, **running)
    except KeyboardInterrupt as stop:
        kept = "" if arguments.out is None else what_is_kept(Path(arguments.out))
        raise KeyboardInterrupt(kept) from stop


def _train(learner: Learner, train: Table, valid: Table | None, arguments: argparse.Namespace, **running: Any) -> None:
    """Train and report."""
    from chainrule.train import fit
    from chainrule.train.run_folder import has_ended, what_is_missing

    folder = Path(arguments.out)
    ended = arguments.resume and has_ended(folder)
    missing = what_is_missing(folder)
    if arguments.resume and not ended and missing:
        say(f"{missing}: training starts from the beginning")
    follows = getattr(arguments, "follows", False)  # another rank shows what comes out
    keeping = {"folder": folder, "resume": arguments.resume, "progress": not arguments.quiet and not follows}
    keeping["diagnostics"] = not arguments.no_diagnostics
    try:
        result = fit(learner, train, valid, **running, **keeping)
    except DivergenceError as error:
        if error.run is None:
            raise DivergenceError(f"{error}; no epoch had ended, so there is no model to keep") from error
        raise DivergenceError(
            f"{error}; the model of epoch {error.run.best.epoch:g} is kept in {arguments.out}"
        ) from error
    if ended:
        say(f"{folder} holds this training already, which ended: {result.stopped}")
    if not follows:
        _report(result, folder, remarks=not arguments.quiet)
    if result.interrupted and not ended:
        raise KeyboardInterrupt


def read_tables(arguments: argparse.Namespace, task: Any) -> tuple[Table, Table | None]:
    """The table to learn from, and the one to stop by, if there is one."""
    from chainrule.data.datasets import PREFIX, validation_place

    choice = arguments.choice
    path = arguments.table or choice.files("train")
    if path is None:
        raise ConfigurationError("the table is missing; give the file to learn from, such as reviews.csv")
    valid_path = arguments.valid
    if valid_path is None and not arguments.table:
        valid_path = choice.files("valid")
    place = path if isinstance(path, str) else path[0] if len(path) == 1 else ""
    if valid_path is None and place.startswith(PREFIX):
        valid_path = validation_place(place)
    train = read_one(arguments, task, path)
    return train, None if valid_path is None else read_other(arguments, task, valid_path, train, "validation")


def read_one(arguments: argparse.Namespace, task: Any, path: Any, further: Mapping[str, Any] | None = None) -> Table:
    """A table, read as the options, and what further is told, say; and what is to be said of it."""
    from chainrule.tasks import Text
    from chainrule.text import Tokenizer

    kinds = {name: bool if name == "header" else str for name in TABLE_OPTIONS}
    in_file = {name: arguments.choice.run_value(f"data.{name}", kind, None) for name, kind in kinds.items()}
    columns = {key: value for key, value in in_file.items() if value is not None} | table_options(arguments)
    table: Table = task.read(path, **{**columns, **(further or {})})
    report = table.report
    if report.unlabelled or report.empty:
        say(f"{table.name}: {report.unlabelled} unlabelled rows left out, {report.empty} empty texts kept")
    if report.weightless:
        say(f"{table.name}: {report.weightless} rows of weight 0 left out")
    worded = table.textual and isinstance(task.inputs, Text)
    controls, texts = Tokenizer().controls(table.texts) if worded else (0, 0)
    if controls:
        say(f"{table.name}: {controls} control characters (such as NUL) in {texts} texts are no part of any token")
    if report.without_labels:
        say(f"{table.name}: {report.without_labels} of {len(table)} rows have no label, and are kept")
    return table


def read_other(
    arguments: argparse.Namespace, task: Any, path: Any, train: Table, part: str,
    further: Mapping[str, Any] | None = None,
) -> Table:  # fmt: skip
    """A table to stop by, or to test on; and what is to be said of it beside the one to learn from."""
    from chainrule.tasks.labels import unseen_labels

    table = read_one(arguments, task, path, further)
    unseen = unseen_labels(table, train.label_names())
    if unseen:
        say(f"{table.name}: rows with labels that no training row has are wrong in {part}: {counted(unseen)}")
    if len(table) == len(train) and table.fingerprint() == train.fingerprint():
        stopping = ", and training will not stop in time" if part == "validation" else ""
        say(f"{table.name} holds what {train.name} holds: {part} tells nothing{stopping}")
    return table


def _report(result: Run, folder: Path, *, remarks: bool) -> None:
    """Say what came out of a training."""
    from chainrule.tasks.measures import TITLES

    for remark in (*result.remarks, *(found.sentence for found in result.findings)) if remarks else ():
        say(remark)
    best, watched = result.best, result.model.task.watched
    shown = watched[min(1, len(watched) - 1)]
    total = result.epochs[-1].epoch
    title = TITLES.get(shown, (shown.replace("_", " "), ""))[0]
    show(f"best epoch      {best.epoch:g} of {total:g}: validation {title} {best.valid[shown]:.4f}")
    for name in [x for x in best.valid if x not in watched]:
        show(f"{name:<15} {best.valid[name]:g} (best on the validation rows)")
    if result.transfer:
        sent, fetched = result.transfer["sent"], result.transfer["fetched"]
        show(f"transfer        {sent:,} bytes to the device, {fetched:,} bytes from it")
    show(f"model           {folder}")
    show(f"record          {folder / 'record.jsonl'}")
    show(f"learning curve  {_curve(folder)}")


def _curve(folder: Path) -> str:
    """Draw the learning curve, unless it is there; a model is worth keeping also where it cannot be drawn."""
    from chainrule.report import draw_curve, read_record

    path = folder / "curve.svg"
    if path.exists():
        return str(path)
    try:
        draw_curve(read_record(folder / "record.jsonl"), path)
    except ChainruleError as error:
        return f"none: {error}"
    return str(path)
