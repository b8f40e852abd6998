"""Pictures that cells make stand in the page itself, so that each part of one says what it is when pointed at.

Other pictures are files, which a browser asks for when they come into view.
"""

import re
from pathlib import Path

from docutils import nodes
from myst_nb.sphinx_ext import OUTPUT_FOLDER
from sphinx.transforms.post_transforms import SphinxPostTransform


class PicturesInPlace(SphinxPostTransform):
    """Put the SVG of a cell's output in the place of the reference to its file."""

    default_priority = 20  # after the outputs of cells were chosen
    formats = ("html",)

    def run(self, **settings):
        """Replace each of them."""
        for count, image in enumerate(list(self.document.findall(nodes.image))):
            path = Path(self.env.srcdir, image["uri"])
            if OUTPUT_FOLDER in path.parts and path.suffix == ".svg":
                svg = in_page(path.read_text(encoding="utf-8"), f"picture-{count}-")
                container = nodes.container("", nodes.raw("", svg, format="html"), classes=["picture"])
                image.replace_self(container)


def in_page(svg, prefix):
    """A picture whose names are not those of the page's other pictures."""
    svg = re.sub(r"^<\?xml.*?\?>\s*", "", svg)
    return re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{prefix}", svg)


def look(app, pagename, templatename, context, doctree):
    """What is wider than a page is reached with the keys; pictures in files wait until they come into view."""
    body = context.get("body", "")
    body = body.replace("<pre>", '<pre tabindex="0">').replace("<img ", '<img loading="lazy" ')
    context["body"] = body.replace('<div class="table-wrapper', '<div tabindex="0" class="table-wrapper')
    if "furo_navigation_tree" in context:  # a heading says of which level it is
        tree = context["furo_navigation_tree"]
        context["furo_navigation_tree"] = tree.replace('role="heading"', 'role="heading" aria-level="2"')


def setup(app):
    """Add the transform."""
    app.add_post_transform(PicturesInPlace)
    app.connect("html-page-context", look, priority=900)  # after the theme has made its own
    return {"parallel_read_safe": True, "parallel_write_safe": True}
