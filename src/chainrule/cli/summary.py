"""`chainrule summary`: what a saved model is made of."""

from __future__ import annotations

import argparse
from typing import Any


def add_parser(subparsers: Any) -> None:
    """The options of the command."""
    parser = subparsers.add_parser(
        "summary",
        help="print the layers, shapes and parameter counts of a model",
        description="The layers of a model, the shapes they give for one text, and their parameters.",
        epilog="example: chainrule summary model",
    )
    parser.add_argument("model", help="folder of a trained model")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Load and print."""
    from chainrule.models import TextClassifier

    model = TextClassifier.load(arguments.model)
    settings = ", ".join(f"{key}={value}" for key, value in model.learner.settings().items() if key != "name")
    print(f"learner     {model.learner.name} ({settings})")
    print(f"vocabulary  {len(model.vocabulary):,} entries")
    print(f"labels      {', '.join(map(repr, model.labels))}")
    print()
    print(model.summary())
