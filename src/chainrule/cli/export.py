"""`chainrule export`: the weights of a model, or the records of a study, for other tools."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from chainrule.cli.printing import say
from chainrule.errors import ConfigurationError, shortened

#: The formats that there are, and how to look at what is written; `chainrule.report.exports` has what makes them.
FORMATS = {
    "tensorboard": "tensorboard --logdir {}",
    "mlflow": "mlflow ui --backend-store-uri sqlite:///{}",
}

#: The format of weights.
TORCH = "torch"


def add_parser(subparsers: Any, arguments: list[str]) -> None:  # noqa: ARG001
    """The options of the command."""
    parser = subparsers.add_parser(
        "export",
        help="write weights for PyTorch, or the records of a study for TensorBoard or MLflow",
        description="Write the weights of a model for PyTorch, or the records of a study for other tools: "
        "hyper-parameters and figures of each run.",
    )
    parser.add_argument("place", metavar="PLACE", help="folder of a model or of a study")
    parser.add_argument("file", metavar="FILE", nargs="?", help="where to; the same as --out")
    parser.add_argument("--format", metavar="NAME", help=f"of a model: {TORCH}; of a study: {', '.join(FORMATS)}")
    parser.add_argument(
        "--out",
        metavar="PLACE",
        help="new folder of event files for TensorBoard, new SQLite file for MLflow, or new .safetensors file",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Write, and say how to look at it."""
    out = arguments.file if arguments.out is None else arguments.out
    if arguments.format not in (*FORMATS, TORCH):
        expected = " or ".join((*FORMATS, TORCH))
        raise ConfigurationError(f"--format: expected {expected}, got {shortened(arguments.format)}")
    if out is None:
        raise ConfigurationError("--out: expected a new place for the export; add --out PLACE")
    if arguments.format == TORCH:
        _export_weights(arguments.place, Path(out))
        return
    from chainrule.report.exports import EXPORTS
    from chainrule.report.study import read_study

    study = read_study(arguments.place)
    EXPORTS[arguments.format](study, out)
    say(f"{len(study.runs)} runs: {FORMATS[arguments.format].format(out)}")


def _export_weights(place: str, out: Path) -> None:
    """Write the weights of a model as the `state_dict` of its module; see docs/pytorch.md."""
    from chainrule.files import refuse_existing
    from chainrule.models import Model

    refuse_existing(out)
    Model.load(place).save_torch(out)
    say(f"{out}: {out.stat().st_size:,} bytes; module.load_state_dict(safetensors.torch.load_file('{out}'))")
