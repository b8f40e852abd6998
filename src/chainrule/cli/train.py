"""`chainrule train`: from a table of labelled text to a saved classifier."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import Any

from chainrule.cli.options import add_eager_option, add_table_options, whole_numbers
from chainrule.errors import ChainruleError, ConfigurationError, DivergenceError

#: Options that set a hyper-parameter of a learner: option, hyper-parameter, settings of the argument, help.
HYPERPARAMETERS: tuple[tuple[str, str, dict[str, Any], str], ...] = (
    ("--dim", "dim", {"type": int, "metavar": "N"}, "numbers that stand for one token"),
    ("--hidden", "hidden", {"type": whole_numbers, "metavar": "N,N"}, "sizes of the hidden layers, '' for none"),
    ("--activation", "activation", {"metavar": "NAME"}, "between layers: relu, tanh, sigmoid, softplus, identity"),
    (
        "--dropout",
        "dropout",
        {"type": float, "metavar": "RATE"},
        "probability of dropping a number after a hidden layer",
    ),
    ("--word-dropout", "word_dropout", {"type": float, "metavar": "RATE"}, "probability of leaving out a token"),
    ("--ngrams", "ngrams", {"type": int, "metavar": "N"}, "longest n-gram with an entry of its own"),
    ("--min-count", "minimum_count", {"type": int, "metavar": "N"}, "how often a token must occur"),
    ("--min-ngram-count", "minimum_ngram_count", {"type": int, "metavar": "N"}, "how often an n-gram must occur"),
    ("--max-vocabulary", "maximum_size", {"type": int, "metavar": "N"}, "most entries of the vocabulary"),
    ("--keep-case", "lowercase", {"action": "store_const", "const": False}, "tell upper from lower case"),
    ("--optimizer", "optimizer", {"choices": ("adam", "sgd")}, "update rule"),
    ("--lr", "learning_rate", {"type": float, "metavar": "RATE"}, "learning rate"),
    ("--batch-size", "batch_size", {"type": int, "metavar": "N"}, "texts in a mini-batch"),
    ("--epochs", "epochs", {"type": int, "metavar": "N"}, "passes over the training texts, at most"),
    (
        "--patience",
        "patience",
        {"type": int, "metavar": "N"},
        "epochs without a better validation loss before stopping",
    ),
)

EPILOG = """\
examples:
  chainrule train reviews.csv --out model
  chainrule train reviews.tsv --text review --label stars --model bow --out model
  chainrule train train.jsonl --valid valid.jsonl --hidden 128,64 --seed 3 --out model
"""


def add_parser(subparsers: Any) -> None:
    """The options of the command."""
    parser = subparsers.add_parser(
        "train",
        help="train a text classifier from a table",
        description="Train a text classifier from a table of labelled text (CSV, TSV, JSON lines or Parquet).",
        epilog=EPILOG,
        formatter_class=_WithDefaults,
    )
    parser.add_argument("table", help="the labelled texts to learn from: .csv, .tsv, .jsonl or .parquet")
    parser.add_argument("--out", required=True, metavar="FOLDER", help="new folder for the model and its record")
    parser.add_argument("--valid", metavar="FILE", help="labelled texts to stop by (default: a tenth, by label)")
    parser.add_argument("--model", choices=("bow", "ffnn"), default="ffnn", help="learner (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of weights, order, dropout and split (default: 0)")
    parser.add_argument("--resume", action="store_true", help="go on with a training that was killed")
    add_eager_option(parser)
    parser.add_argument(
        "--threads", type=int, metavar="N", help="that work on a step; results do not depend on it (default: all cores)"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress")
    add_table_options(parser)
    group = parser.add_argument_group("hyper-parameters (defaults chosen on validation data)")
    for option, field, settings, text in HYPERPARAMETERS:
        group.add_argument(option, dest=field, help=text, **settings)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Train, save, and say what came out."""
    from chainrule.data import read_table
    from chainrule.models import LEARNERS
    from chainrule.models.learner import HyperparameterError, learner_from
    from chainrule.train import fit

    given = {field: getattr(arguments, field) for _, field, _, _ in HYPERPARAMETERS}
    given = {field: value for field, value in given.items() if value is not None}
    _refuse_foreign(arguments.model, given)
    try:
        learner = learner_from(LEARNERS, {"name": arguments.model, **given})
    except HyperparameterError as error:
        option = next(option for option, field, _, _ in HYPERPARAMETERS if field == error.field)
        raise ConfigurationError(f"{option} {error.reason}") from error
    columns = {"text": arguments.text, "label": arguments.label, "encoding": arguments.encoding}
    train = read_table(arguments.table, **columns)
    valid = None if arguments.valid is None else read_table(arguments.valid, **columns)
    for table in (train, valid):
        if table is not None and (table.report.unlabelled or table.report.empty):
            report = table.report
            say(f"{table.name}: {report.unlabelled} unlabelled rows left out, {report.empty} empty texts kept")
    if valid is not None and valid.fingerprint() == train.fingerprint():
        say(f"{valid.name} holds what {train.name} holds: validation tells nothing, and training will not stop in time")
    if arguments.resume and not Path(f"{arguments.out}.partial").exists():
        say(f"there is no {arguments.out}.partial to go on with: training starts from the beginning")
    try:
        result = fit(
            learner,
            train,
            valid,
            seed=arguments.seed,
            folder=arguments.out,
            resume=arguments.resume,
            progress=not arguments.quiet,
            eager=bool(arguments.eager),
            threads=arguments.threads,
        )
    except DivergenceError as error:
        if error.run is None:
            raise DivergenceError(f"{error}; no epoch had ended, so there is no model to keep") from error
        raise DivergenceError(
            f"{error}; the model of epoch {error.run.best.epoch} is kept in {arguments.out}"
        ) from error
    if result.interrupted:
        say("interrupted: the best model so far is kept")
    best, folder = result.best, Path(arguments.out)
    print(f"best epoch      {best.epoch} of {len(result.epochs)}: validation accuracy {best.valid_accuracy:.4f}")
    print(f"model           {folder}")
    print(f"record          {folder / 'record.jsonl'}")
    print(f"learning curve  {_curve(folder)}")
    if result.interrupted:
        raise KeyboardInterrupt


def _curve(folder: Path) -> str:
    """Draw the learning curve; a model is worth keeping also where it cannot be drawn."""
    from chainrule.report import draw_curve, read_record

    path = folder / "curve.png"
    try:
        draw_curve(read_record(folder / "record.jsonl"), path)
    except ChainruleError as error:
        return f"none: {error}"
    return str(path)


def _refuse_foreign(model: str, given: dict[str, Any]) -> None:
    from chainrule.models import LEARNERS

    fields = {field.name for field in dataclasses.fields(LEARNERS[model])}
    for option, field, _, _ in HYPERPARAMETERS:
        if field in given and field not in fields:
            others = " or ".join(name for name, kind in LEARNERS.items() if name != model and hasattr(kind, field))
            raise ConfigurationError(
                f"{option} does not apply to --model {model}; leave it out, or use --model {others}"
            )


class _WithDefaults(argparse.RawDescriptionHelpFormatter):
    """Help that tells the default each learner has for a hyper-parameter; learners load only when help is asked for."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if all(action.dest != field for _, field, _, _ in HYPERPARAMETERS):
            return action.help
        from chainrule.models import LEARNERS

        if action.dest == "learning_rate":
            rates = [
                f"{r:g} for {name} with {o}" for name, kind in LEARNERS.items() for o, r in kind.learning_rates.items()
            ]
            return f"{action.help} (default: {', '.join(rates)})"
        held = {name: getattr(kind, action.dest) for name, kind in LEARNERS.items() if hasattr(kind, action.dest)}
        values = {name: _shown(value) for name, value in held.items()}
        if len(values) == len(LEARNERS) and len(set(values.values())) == 1:
            return f"{action.help} (default: {next(iter(values.values()))})"
        return f"{action.help} (default: {', '.join(f'{value} for {name}' for name, value in values.items())})"


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or "none"
    if value is None:
        return "no limit"
    return "no" if value is True else str(value)  # the one switch, --keep-case, turns something off


def say(message: str) -> None:
    """A remark for the user, beside the output."""
    print(f"chainrule: {message}", file=sys.stderr)
