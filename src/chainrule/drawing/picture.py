"""Picture: the text of an SVG, which notebooks show as what it draws."""

from __future__ import annotations

from pathlib import Path

from chainrule.errors import ConfigurationError
from chainrule.files import write_file


class Picture(str):
    """The text of an SVG; a notebook shows what it draws, `save` writes it.

    Example:
        >>> from chainrule.drawing.plot import Panel, Series, plot
        >>> picture = plot([Panel("Loss", [Series("training", [1, 2], [0.7, 0.5])])])
        >>> picture[:4], picture._repr_svg_() == picture
        ('<svg', True)
    """

    __slots__ = ()

    def _repr_svg_(self) -> str:
        return str(self)

    def save(self, path: str | Path) -> Path:
        """Write the SVG to a file, whole or not at all, and return its path.

        Raises:
            ConfigurationError: for a name that does not end in .svg.
            StorageError: when the folder does not exist, the path is one, or it cannot be written.
        """
        if Path(path).suffix.lower() != ".svg":
            raise ConfigurationError(f"{path}: expected a name that ends in .svg")
        write_file(path, self + "\n")
        return Path(path)
