"""`chainrule export`: a model, or the records of a study, for other tools."""

from __future__ import annotations

import argparse
import importlib
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

from chainrule.cli.printing import say
from chainrule.errors import ConfigurationError, shortened

#: The formats of studies, and how to look at what is written; `chainrule.report.exports` has what makes them.
FORMATS = {
    "tensorboard": "tensorboard --logdir {}",
    "mlflow": "mlflow ui --backend-store-uri sqlite:///{}",
}


class ModelFormat(NamedTuple):
    """A format of models.

    Attributes:
        ending: of the names of its files; "" where it writes folders.
        module: that has what writes it.
        function: which does, from a model and a place.
        use: how to use what is written.
    """

    ending: str
    module: str
    function: str
    use: str


MODEL_FORMATS = {
    "onnx": ModelFormat(".onnx", "chainrule.onnx", "export_model", "onnxruntime.InferenceSession('{}')"),
    "torch": ModelFormat(
        ".safetensors",
        "chainrule.models",
        "Model.save_torch",
        "module.load_state_dict(safetensors.torch.load_file('{}'))",
    ),
    "transformers": ModelFormat(
        "", "chainrule.models.transformers_folder", "write_transformers", "transformers.pipeline(model='{}')"
    ),
}


def add_parser(subparsers: Any, arguments: list[str]) -> None:  # noqa: ARG001
    """The options of the command."""
    parser = subparsers.add_parser(
        "export",
        help="write a model for other tools, or the records of a study for TensorBoard or MLflow",
        description="Write a model for other tools, or the records of a study: hyper-parameters and figures of each "
        "run.",
    )
    parser.add_argument("place", metavar="PLACE", help="folder of a model or of a study")
    parser.add_argument("file", metavar="FILE", nargs="?", help="where to: model.onnx, say; the same as --out")
    models, studies = ", ".join(MODEL_FORMATS), ", ".join(FORMATS)
    parser.add_argument(
        "--format",
        metavar="NAME",
        help=f"of a model: {models} (or what the name of FILE ends in); of a study: {studies}",
    )
    parser.add_argument(
        "--out",
        metavar="PLACE",
        help="new file or folder; of event files for TensorBoard, an SQLite file for MLflow",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Write, and say how to look at it."""
    if arguments.file is not None and arguments.out is not None:
        raise ConfigurationError(f"--out: the place is given already: {shortened(arguments.file)}; leave one out")
    out = arguments.file if arguments.out is None else arguments.out
    by_ending = {kind.ending: name for name, kind in MODEL_FORMATS.items() if kind.ending}
    name = arguments.format or (by_ending.get(Path(out).suffix) if out else None)
    if name not in FORMATS and name not in MODEL_FORMATS:
        expected = " or ".join([*FORMATS, *MODEL_FORMATS])
        got = "none" if name is None else shortened(name)
        raise ConfigurationError(f"--format: expected {expected}, got {got}; or a FILE such as model.onnx")
    if out is None:
        raise ConfigurationError("--out: expected a new place for the export; add --out PLACE")
    if name in MODEL_FORMATS:
        _export_model(arguments.place, MODEL_FORMATS[name], out)
    else:
        _export_study(arguments.place, name, out)


def _export_model(place: str, kind: ModelFormat, out: str) -> None:
    from chainrule.files import refuse_existing
    from chainrule.models import Model

    refuse_existing(Path(out))
    attrgetter(kind.function)(importlib.import_module(kind.module))(Model.load(place), out)
    files = Path(out).iterdir() if Path(out).is_dir() else [Path(out)]
    say(f"{out}: {sum(file.stat().st_size for file in files):,} bytes; {kind.use.format(out)}")


def _export_study(place: str, name: str, out: str) -> None:
    from chainrule.report.exports import EXPORTS
    from chainrule.report.study import read_study

    study = read_study(place)
    EXPORTS[name](study, out)
    say(f"{len(study.runs)} runs: {FORMATS[name].format(out)}")
