"""The map of the course, from map.toml beside the page: the directive `concepts`."""

import tomllib
from pathlib import Path

from sphinx.util.docutils import SphinxDirective


class Concepts(SphinxDirective):
    """Each concept with a link to where it is explained, in the order of the alphabet."""

    required_arguments = 1

    def run(self):
        """A list."""
        path = Path(self.env.doc2path(self.env.docname)).with_name(self.arguments[0])
        self.env.note_dependency(str(path))
        pages = tomllib.loads(path.read_text(encoding="utf-8"))
        places = {name: f"{page}.md#{anchor}" for page, names in pages.items() for name, anchor in names.items()}
        lines = [f"- [{name}]({place})" for name, place in sorted(places.items(), key=lambda x: x[0].casefold())]
        return self.parse_text_to_nodes("\n".join(lines))


def setup(app):
    """Add the directive."""
    app.add_directive("concepts", Concepts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
