"""Pictures that cells make stand in the page itself, so that each part of one says what it is when pointed at.

Other pictures are files, and so are films, which hold all of their frames: a browser asks for them when they come into
view.
"""

import re
from html import unescape
from pathlib import Path

from docutils import nodes
from myst_nb.sphinx_ext import OUTPUT_FOLDER
from sphinx.transforms.post_transforms import SphinxPostTransform

from chainrule.drawing.page import page, scoped

#: A part of a style sheet for dark screens.
DARK = re.compile(r"@media \(prefers-color-scheme:dark\)\{((?:[^{}]*\{[^{}]*\})*)\s*\}")
#: The name of a film, what it shows, and the size of its frames.
FILM = re.compile(r'id="([\w-]+)".*?aria-label="([^"]*)" viewBox="0 0 (\d+) (\d+)"', flags=re.DOTALL)
#: The room below a film for its buttons.
CONTROLS = 90


class PicturesInPlace(SphinxPostTransform):
    """Put the SVG of a cell's output in the place of the reference to its file."""

    default_priority = 20  # after the outputs of cells were chosen
    formats = ("html",)

    def run(self, **settings):
        """Replace each of them."""
        sheets = set()
        for count, image in enumerate(list(self.document.findall(nodes.image))):
            path = Path(self.env.srcdir, image["uri"])
            if path.suffix != ".svg" or not path.is_file():
                continue
            text = path.read_text(encoding="utf-8")
            if OUTPUT_FOLDER in path.parts:
                svg = in_page(text, f"picture-{count}-", sheets)
                container = nodes.container("", nodes.raw("", svg, format="html"), classes=["picture"])
                image.replace_self(container)
            elif DARK.search(text):
                image["classes"].append("own-dark")
        for node in list(self.document.findall(nodes.raw)):
            if 'class="chainrule-film"' in node.astext():
                node.replace_self(nodes.raw("", self.film(node.astext()), format="html"))

    def film(self, html):
        """A frame that shows a film, which becomes a file."""
        name, shown, width, height = FILM.search(html).groups()
        folder = Path(self.app.outdir, "_images")
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.html").write_text(page(unescape(shown), html), encoding="utf-8")
        way = "../" * self.env.docname.count("/")
        room = f'style="aspect-ratio:{width}/{int(height) + CONTROLS}"'
        return f'<iframe class="film" loading="lazy" title="{shown}" src="{way}_images/{name}.html" {room}></iframe>'


def in_page(svg, prefix, sheets):
    """A picture whose names and rules are not those of the page's other pictures; rules that it shares stand once."""
    svg = re.sub(r">\n\s*<", "><", re.sub(r"^<\?xml.*?\?>\s*", "", svg))
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{prefix}", svg)
    if found := re.search(r"<style>(.*?)</style>", svg, flags=re.DOTALL):
        sheet = themed(scoped(found[1], ".own-dark"))
        svg = svg.replace(found[0], "" if sheet in sheets else f"<style>{sheet}</style>", 1)
        svg = svg.replace("<svg ", '<svg class="own-dark" ', 1)
        sheets.add(sheet)
    return svg


def themed(sheet):
    """A style sheet whose part for dark screens follows the page's switch, too.

    Films, which come as HTML, ask the screen alone, as rules about what is around a copy do not reach into it: the site
    turns their colours round where its switch says otherwise.
    """
    dark = 'body[data-theme="dark"]', 'body:not([data-theme="light"])'

    def both(found):
        always, unless = (scoped(found[1], scope) for scope in dark)
        return f"{always}\n@media (prefers-color-scheme:dark){{{unless}}}"

    return DARK.sub(both, sheet)


def look(app, pagename, templatename, context, doctree):
    """What is wider than a page is reached with the keys; pictures in files wait until they come into view."""
    body = context.get("body", "")
    body = re.sub(r'<span class="w">( *)</span>', r"\1", body)
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
