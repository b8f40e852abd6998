"""`chainrule import`: weights of PyTorch in the place of a model's own."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from chainrule.cli.printing import show


def add_parser(subparsers: Any, arguments: list[str]) -> None:  # noqa: ARG001
    """The options of the command."""
    parser = subparsers.add_parser(
        "import",
        help="give a model weights that PyTorch has trained",
        description="A model with the weights of a safetensors file, by the names that chainrule export gives them.",
        epilog="example: chainrule import model weights.safetensors --out new-model",
    )
    parser.add_argument("model", help="folder of a trained model")
    parser.add_argument("weights", metavar="FILE", help="state_dict of the model's module, as a safetensors file")
    parser.add_argument("--out", metavar="FOLDER", required=True, help="new folder for the model with these weights")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Load both, and write the model.

    Raises:
        ChainruleError: for a model or a file that does not fit, or a folder that is there.
    """
    from chainrule.files import refuse_existing
    from chainrule.models import Model

    refuse_existing(Path(arguments.out))
    model = Model.load(arguments.model)
    model.load_torch(arguments.weights)
    model.save(arguments.out)
    show(f"model: {arguments.out}")
