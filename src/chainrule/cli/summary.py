"""`chainrule summary`: what a saved model, or a pretrained folder, is made of."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from chainrule.cli.printing import listed, show
from chainrule.shown import listing

#: Labels that are shown.
LABELS = 30


def add_parser(subparsers: Any, arguments: list[str]) -> None:  # noqa: ARG001
    """The options of the command."""
    parser = subparsers.add_parser(
        "summary",
        help="print the settings, layers, shapes and parameter counts of a model",
        description="The settings of a model, its layers, the shapes they give for one row, and their parameters.",
        epilog="example: chainrule summary model",
    )
    parser.add_argument("model", help="folder of a trained model, or of a pretrained one of transformers")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Load and print."""
    from chainrule.models import Model
    from chainrule.models.folder import DESCRIPTION

    place = Path(arguments.model)
    if (place / "config.json").is_file() and not (place / DESCRIPTION).is_file():
        _show_pretrained(arguments.model)
        return
    model = Model.load(arguments.model)
    inputs = model.task.inputs
    rows = [
        ("task", _shown(model.task.settings())),
        ("inputs", "" if inputs is None else _shown(inputs.settings())),
        ("learner", _shown(model.learner.settings())),
        ("training", _shown({"name": "", **model.training})),
    ]
    sizes = model.codec.sizes
    if sizes.entries:
        shared = f", {sizes.hashed:,} rows of hashed n-grams" if sizes.hashed else ""
        entries = f"{sizes.entries - sizes.hashed:,} entries{shared}"
        rows.append(("categories" if sizes.cardinalities else "vocabulary", entries))
    labels = getattr(model.codec.targets, "values", None)
    if labels is not None:
        rows.append(("labels", listing(labels, LABELS)))
    show(listed(rows))
    show()
    show(model.summary())


def _show_pretrained(folder: str) -> None:
    """Print what a pretrained folder holds."""
    from chainrule.encoders import load_pretrained

    found = load_pretrained(folder)
    show(listed(found.described()))
    show()
    show(found.summary())


def _shown(settings: dict[str, Any]) -> str:
    """A name, and in brackets the settings."""
    held = {key: value for key, value in settings.items() if key not in ("name", "inputs")}
    inner = ", ".join(f"{key}={_shown(value) if isinstance(value, dict) else value}" for key, value in held.items())
    name = settings.get("name", "")
    return f"{name} ({inner})".strip() if name and inner else name or inner
