"""Pages of HTML that need nothing else: for light and dark screens, and for phones."""

from __future__ import annotations

import html
import re

from chainrule.drawing.plot import INK, PAPER
from chainrule.drawing.text import printable


def page(title: str, body: str, head: str = "") -> str:
    """A whole page.

    Args:
        title: of it, as text.
        body: HTML.
        head: HTML, after the title.
    """
    colours = [f"body{{background:{PAPER[screen]};color:{INK[screen]}}}" for screen in (0, 1)]
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escaped(title)}</title>\n<style>body{{margin:0}}{colours[0]}"
        f"@media (prefers-color-scheme:dark){{{colours[1]}}}</style>\n{head}{body}</html>\n"
    )


def escaped(text: str) -> str:
    """Text as HTML shows it, in attributes, too."""
    return html.escape(printable(text), quote=True)


def scoped(sheet: str, scope: str) -> str:
    """A style sheet whose rules hold inside of an element alone."""
    return re.sub(
        r"([^{}@]+)\{([^{}]*)\}",
        lambda rule: ",".join(f"{scope} {x.strip()}" for x in rule[1].split(",")) + f"{{{rule[2]}}}",
        sheet,
    )
