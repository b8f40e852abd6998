"""Figures: where matplotlib is found, and how a picture is written."""

from __future__ import annotations

import io
import os
import warnings
from typing import Any

from chainrule.errors import ConfigurationError
from chainrule.files import write_file


def empty_figure(width: float, height: float) -> Any:
    """A figure of so many inches, that shows nothing yet.

    Raises:
        ConfigurationError: when matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ConfigurationError("drawing a curve needs matplotlib: pip install 'chainrule[report]'") from error
    return Figure(figsize=(width, height), layout="constrained")


def save(figure: Any, path: str | os.PathLike[str]) -> None:
    """Write a figure as the kind of picture that the ending of the path names.

    Raises:
        ConfigurationError: when the ending is not a kind of picture.
        StorageError: when it cannot be written.
    """
    kind = os.fspath(path).rpartition(".")[2].lower()
    if kind not in figure.canvas.get_supported_filetypes():
        raise ConfigurationError(f"{path}: expected a name that ends in .png, .svg or .pdf")
    picture = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # a file name in a script that the font lacks comes as boxes
        figure.savefig(picture, format=kind, dpi=144)
    write_file(path, picture.getvalue())
