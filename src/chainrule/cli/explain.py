"""`chainrule explain`: which words of a text moved a model's answer, and what its attention looked at."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from chainrule.cli.predict import require_text
from chainrule.cli.printing import show
from chainrule.errors import ConfigurationError, shortened

EPILOG = """\
examples:
  chainrule explain model "A warm and funny film."
  chainrule explain model "A warm and funny film." "Dull from start to end." --out why.html
  chainrule explain model "Dull from start to end." --answer positive

Each word has a number: what it added to the score of the answer, compared with an unknown word. That is gradient ×
input, with the mean of gradients on the way from a text of unknown words to this one; --steps 0 takes the gradient of
the text itself. The score of a label is its output minus that of the likeliest other one.
"""


def add_parser(subparsers: Any, arguments: list[str]) -> None:  # noqa: ARG001
    """The options of the command."""
    parser = subparsers.add_parser(
        "explain",
        help="show which words of a text moved a model's answer",
        description="Which words of a text moved the answer of a model, and what its attention looked at.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", help="folder of a trained model of texts")
    parser.add_argument("texts", nargs="+", metavar="TEXT", help="texts to explain the answers for")
    parser.add_argument("--answer", metavar="LABEL", help="the label to explain (default: the likeliest)")
    parser.add_argument(
        "--against", metavar="LABEL", help="what it is compared with (default: the likeliest other one)"
    )
    parser.add_argument("--word", help="of a model that tags, the word whose tag is explained, or its place from 0")
    parser.add_argument(
        "--steps", type=int, metavar="N",
        help="points at which gradients are taken; 0 for the text itself alone (default: 64)",
    )  # fmt: skip
    parser.add_argument("--out", metavar="FILE", help="new file: .html (a page), or .svg (a picture of one text)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Explain, and print or draw.

    Raises:
        ChainruleError: for a model, a text, a label or a file that cannot be used.
    """
    from chainrule.explanation import explain, save_explanations
    from chainrule.explanation.explanation import require_page
    from chainrule.models import Model

    for text in arguments.texts:
        require_text(text)
    if arguments.out is not None:
        require_page(arguments.out, len(arguments.texts))
        require_free(arguments.out)
    model = Model.load(arguments.model)
    given = {name: getattr(arguments, name) for name in ("answer", "against", "word", "steps")}
    found = explain(model, arguments.texts, **{name: x for name, x in given.items() if x is not None})
    if arguments.out is None:
        show("\n\n".join(map(str, found)))
    else:
        show(f"explanation: {save_explanations(found, arguments.out)}")


def require_free(path: str) -> None:
    """Refuse a file that is there, before anything is computed."""
    if Path(path).exists():
        raise ConfigurationError(f"--out {shortened(path)}: the file exists; choose another name, or remove it")
