"""What is the same for all pages is computed once."""

import functools

from docutils import nodes
from sphinx import addnodes
from sphinx.search.en import SearchEnglish


def titles(tocs):
    """Of each page's table of contents the title and the pages below it, without its headings."""
    found = {}
    for name, whole in tocs.items():
        below = [node.deepcopy() for node in whole.findall(addnodes.toctree)]
        found[name] = nodes.bullet_list()
        for entry in whole.children[:1]:
            found[name] += nodes.list_item("", entry[0].deepcopy())
            if below:
                found[name][0] += nodes.bullet_list("", *below)
    return found


class Navigation:
    """The tree of all pages, which stands beside each: of headings, which are many, it shows none."""

    def __init__(self):
        self.titles = None

    def __call__(self, app, pagename, templatename, context, doctree):
        """Have the theme's tree made of titles alone."""
        made, env = context["toctree"], app.env
        if self.titles is None:
            self.titles = titles(env.tocs)

        def of_titles(**settings):
            whole, env.tocs = env.tocs, self.titles
            try:
                return made(**settings)
            finally:
                env.tocs = whole

        context["toctree"] = of_titles


def setup(app):
    """Put both in their places."""
    SearchEnglish.stem = functools.cache(SearchEnglish.stem)
    app.connect("html-page-context", Navigation(), priority=400)  # before the theme asks for it
    return {"parallel_read_safe": True, "parallel_write_safe": True}
