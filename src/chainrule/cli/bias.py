"""`chainrule bias`: whom a model treats how, by groups of rows and by swapped words."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from chainrule.cli.explain import require_free
from chainrule.cli.options import add_engine_option, add_table_options, table_options
from chainrule.cli.printing import json_text, say, show
from chainrule.errors import ConfigurationError, DataError

if TYPE_CHECKING:
    from chainrule.data import Table
    from chainrule.fairness import Groups
    from chainrule.models import Model

EPILOG = """\
examples:
  chainrule bias model test.csv --groups gender              (figures by group, and the gaps between groups)
  chainrule bias model test.csv --groups gender,age          (groups by both together)
  chainrule bias model test.csv --lexicon en                 (texts with words of men, and of women)
  chainrule bias model test.csv --swap en --out bias.html    (he is she, James is Mary: what changes?)
  chainrule bias model --templates en --swap en              (the same on sentences of templates)
  chainrule bias study test.csv --groups gender              (the models of a study, one a seed; its report tells of it)
  chainrule bias after test.csv --groups gender --before model        (what a measure against bias changed)

chainrule reweight and chainrule augment change the training rows; docs/bias.md says what they do, and what not.
"""


def add_parser(subparsers: Any, arguments: list[str]) -> None:  # noqa: ARG001
    """The options of the command."""
    parser = subparsers.add_parser(
        "bias",
        help="ask a model whom it treats how: figures by group, and swapped words",
        description="Figures of a model by groups of rows, gaps between groups with intervals, and how answers change "
        "when words such as he and she, or names, are swapped.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", help="folder of a trained model, or of a study")
    parser.add_argument(
        "table", nargs="*", metavar="TABLE",
        help="rows that it was not trained on, labelled for --groups and --lexicon: files as train reads them",
    )  # fmt: skip
    group = parser.add_argument_group("what to look at")
    group.add_argument("--groups", metavar="COLUMN", help="a column with the group of each row; or several, as in a,b")
    group.add_argument("--lexicon", metavar="LIST", help="groups by the words of texts: en, fr or a file of lists")
    group.add_argument("--swap", metavar="LIST", action="append", help="pairs of words to swap: en, fr or a file")
    group.add_argument(
        "--templates", metavar="LIST", help="swap words in these sentences: en, fr or a file of templates"
    )
    group.add_argument("--positive", metavar="LABEL", help="the label to look at (default: all; of two, the second)")
    group.add_argument(
        "--also", metavar="MODEL", action="append",
        help="the same learner trained with another seed; may come several times",
    )  # fmt: skip
    group.add_argument("--before", metavar="MODEL", help="a model to compare with: how gaps and accuracy changed since")
    group.add_argument(
        "--told", type=int, default=5, metavar="N", help="texts to show, those that change most (default: 5)"
    )
    group.add_argument("--seed", type=int, default=0, metavar="N", help="of what is drawn for intervals (default: 0)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    parser.add_argument("--out", metavar="FILE", help="new file: .html (a page with pictures) or .json (all figures)")
    add_engine_option(parser)
    add_table_options(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Ask, and print or write.

    Raises:
        ChainruleError: for a model, a table, a list or an option that cannot be used.
    """
    from chainrule.fairness.output import require_output, save, together
    from chainrule.fairness.study import is_study, models_of, note

    _require_question(arguments)
    if arguments.out is not None:
        require_output(arguments.out)
        require_free(arguments.out)
    models, remark = models_of(arguments.model)
    if remark:
        say(remark)
    models += [model for place in arguments.also or () for model in models_of(place)[0]]
    found = _found(arguments, models)
    if is_study(arguments.model):
        for each in found:
            note(arguments.model, each.as_dict())
    if arguments.json:
        show(json_text(_record(found)))
    elif arguments.out is None:
        show("\n\n".join(map(str, found)))
    if arguments.out is not None:
        path = save(arguments.out, lambda: together([each.document() for each in found]), lambda: _record(found))
        if not arguments.json:
            show("\n".join([*(each.document().answer for each in found), f"bias: {path}"]))


def _record(found: list[Any]) -> dict[str, Any]:
    return {"found": [each.as_dict() for each in found]}


def _require_question(arguments: argparse.Namespace) -> None:
    """Refuse a command that asks nothing, or lacks what it asks about.

    Raises:
        ConfigurationError: saying what is missing.
    """
    if arguments.groups is not None and arguments.lexicon is not None:
        raise ConfigurationError("--groups and --lexicon: both make groups; give one of them")
    if arguments.templates is not None and not arguments.swap:
        raise ConfigurationError(
            f"--templates {arguments.templates!r:.40}: words of sentences are swapped; add --swap en"
        )
    grouped = arguments.groups is not None or arguments.lexicon is not None
    if not grouped and not arguments.swap:
        raise ConfigurationError("nothing to look at: add --groups COLUMN, --lexicon en, or --swap en")
    if not arguments.table and (grouped or arguments.templates is None):
        raise ConfigurationError("the table is missing; give rows that the model was not trained on, such as test.csv")
    if arguments.before is not None and not grouped:
        raise ConfigurationError("--before: gaps between groups are compared; add --groups COLUMN or --lexicon en")


def _found(arguments: argparse.Namespace, models: list[Model]) -> list[Any]:
    """What each question came to."""
    from chainrule.fairness import by_group, change, counterfactual

    found: list[Any] = []
    grouped = arguments.groups is not None or arguments.lexicon is not None
    engine = arguments.engine or "native"
    asked = {"positive": arguments.positive, "seed": arguments.seed, "engine": engine}
    table = _table(arguments, models[0], grouped) if arguments.table else None
    if grouped and table is not None:
        groups = _groups(arguments, table)
        found.append(by_group(models, table, groups, **asked))
        if arguments.before is not None:
            from chainrule.fairness.study import models_of

            before, _ = models_of(arguments.before)
            found.append(change(before, models, table, groups, positive=arguments.positive, engine=engine))
    if arguments.swap:
        from functools import reduce
        from operator import add

        from chainrule.fairness.pairs import Pairs, filled, read_templates

        pairs = reduce(add, map(Pairs.read, arguments.swap))
        alike = None
        texts, name = ([], "") if table is None else (table.texts.to_list(), table.name)
        if arguments.templates is not None:
            sentences = [filled([template], pairs) for template in read_templates(arguments.templates)]
            texts, name = [text for each in sentences for text in each], f"templates {arguments.templates}"
            alike = [number for number, each in enumerate(sentences) for _ in each]
        found.append(counterfactual(models, texts, pairs, name=name, alike=alike, told=arguments.told, **asked))
    return found


def _table(arguments: argparse.Namespace, model: Model, labelled: bool) -> Table:
    from chainrule.data.datasets import TEST

    options = table_options(arguments) if labelled else table_options(arguments, label=None)
    try:
        return model.task.read(arguments.table, splits=TEST, keep=_columns(arguments), **options)
    except DataError as error:
        raise DataError(str(error).replace("--keep", "--groups")) from error


def _columns(arguments: argparse.Namespace) -> list[str]:
    return [name.strip() for name in (arguments.groups or "").split(",") if name.strip()]


def _groups(arguments: argparse.Namespace, table: Table) -> Groups:
    from chainrule.fairness import Groups

    if arguments.lexicon is not None:
        return Groups.by_words(table.texts.to_list(), arguments.lexicon)
    return Groups.by_columns(table, _columns(arguments))
