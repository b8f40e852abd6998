"""What is folded away until it is asked for, such as an answer: the directive `dropdown`."""

from docutils import nodes
from sphinx.util.docutils import SphinxDirective


class Dropdown(SphinxDirective):
    """HTML's own element for it, which needs no script; its one argument is what is seen."""

    has_content = True
    required_arguments = 1
    final_argument_whitespace = True

    def run(self):
        """The nodes."""
        title, messages = self.parse_inline(self.arguments[0])
        summary = nodes.inline("", "", *title)
        return [
            nodes.raw("", "<details><summary>", format="html"),
            summary,
            nodes.raw("", "</summary>", format="html"),
            *self.parse_content_to_nodes(),
            nodes.raw("", "</details>", format="html"),
            *messages,
        ]


def setup(app):
    """Add the directive."""
    app.add_directive("dropdown", Dropdown)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
