"""`chainrule generate`: a model of language writes."""

from __future__ import annotations

import argparse
from typing import Any

from chainrule.cli.options import add_engine_option
from chainrule.cli.printing import json_text, show, stream
from chainrule.errors import ConfigurationError

EPILOG = """\
examples:
  chainrule generate model "It was a dark "
  chainrule generate model "The film " --length 500 --temperature 0.7 --top-p 0.95 --seed 3
  chainrule generate model --temperature 0          (always the likeliest token)

The model is one of --task continue. What it writes comes out as it is written, after the prompt; the same seed writes
the same.
"""


def add_parser(subparsers: Any, arguments: list[str]) -> None:  # noqa: ARG001
    """The options of the command."""
    parser = subparsers.add_parser(
        "generate",
        help="let a model of language write",
        description="How a model that was trained to continue texts goes on after a prompt, token by token.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", help="folder of a trained model")
    parser.add_argument("prompt", nargs="?", default="", metavar="PROMPT", help="how the text begins (default: empty)")
    parser.add_argument("--length", metavar="N", default="200", help="tokens to write, at most (default: 200)")
    parser.add_argument(
        "--temperature", metavar="T", default="1",
        help="below 1 likely tokens come more often, above 1 less often, at 0 the likeliest alone (default: 1)",
    )  # fmt: skip
    parser.add_argument("--top-k", metavar="K", help="the K likeliest tokens alone (default: all)")
    parser.add_argument(
        "--top-p", metavar="P", help="the likeliest tokens alone, which have the probability P together (default: all)"
    )
    parser.add_argument("--seed", metavar="N", default="0", help="of the draws (default: 0)")
    parser.add_argument("--json", action="store_true", help="print one JSON object at the end")
    add_engine_option(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Write."""
    temperature = _number("--temperature", arguments.temperature)
    top_k = None if arguments.top_k is None else _whole("--top-k", arguments.top_k)
    top_p = None if arguments.top_p is None else _number("--top-p", arguments.top_p)
    length, seed = _whole("--length", arguments.length), _whole("--seed", arguments.seed)
    from chainrule.engines import engine_named
    from chainrule.models import Model
    from chainrule.models.generation import generate
    from chainrule.models.sampling import Sampling

    sampling = Sampling(temperature=temperature, top_k=top_k, top_p=top_p)
    engine = engine_named(arguments.engine or "native").name
    parts = generate(Model.load(arguments.model), arguments.prompt, length, sampling, seed=seed, engine=engine)
    if arguments.json:
        show(json_text({"prompt": arguments.prompt, "text": "".join(parts)}))
        return
    stream(arguments.prompt)
    for part in parts:
        stream(part)
    show()


def _number(option: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ConfigurationError(f"{option}: expected a number, got {text!r:.80}") from None


def _whole(option: str, text: str) -> int:
    if not text.isdecimal() or len(text) > 18:
        raise ConfigurationError(f"{option}: expected a whole number of 0 or more, got {text!r:.80}")
    return int(text)
