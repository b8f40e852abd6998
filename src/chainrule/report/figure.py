"""Pictures of records: panels of lines, written as SVG."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from chainrule.drawing.plot import Panel, plot
from chainrule.errors import ConfigurationError
from chainrule.files import write_file


def require_svg(path: str | os.PathLike[str]) -> None:
    """Refuse a name of another kind of picture.

    Raises:
        ConfigurationError: for a name that does not end in .svg.
    """
    if Path(path).suffix.lower() != ".svg":
        raise ConfigurationError(
            f"{path}: expected a name that ends in .svg; browsers show it, and programs such as rsvg-convert make "
            "other kinds of pictures of it"
        )


def draw(panels: Sequence[Panel], title: str, path: str | os.PathLike[str]) -> None:
    """Write panels below each other as an SVG picture.

    Raises:
        ConfigurationError: for a name that does not end in .svg.
        StorageError: when the picture cannot be written.
    """
    require_svg(path)
    write_file(path, plot(panels, title) + "\n")
