"""How the site is made of these pages: make site, or python -m sphinx docs dist/site."""

import hashlib
import os
import re
import sys
from pathlib import Path

DOCS = Path(__file__).parent
SOURCE = DOCS.parent / "src" / "chainrule"
sys.path[:0] = [str(DOCS / "extensions"), str(DOCS.parent / "src")]

project = "chainrule"
extensions = ["myst_nb", "mathml", "pictures", "dropdown", "docstrings", "concepts", "kernels", "quick"]
root_doc = "index"
nitpicky = True
show_warning_types = True

# Markdown: headings have anchors as on a page of a repository; `$…$` is mathematics; `:::` opens a directive.
myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 4
myst_dmath_double_inline = True

# Pages are run when they have changed, or chainrule has.
nb_execution_mode = "cache"
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_execution_in_temp = True
nb_execution_show_tb = True
nb_merge_streams = True
nb_code_prompt_show = "Show the code"
nb_code_prompt_hide = "Hide the code"
_code = b"".join(path.read_bytes() for path in sorted(SOURCE.rglob("*.py")))
nb_execution_cache_path = str(DOCS.parent / "dist" / "executed" / hashlib.sha256(_code).hexdigest()[:16])

# The looks: nothing of it comes from elsewhere, and without JavaScript only the search and the switch to dark are gone.
html_theme = "furo"
html_title = "chainrule"
html_math_renderer = "mathml"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_theme_options = {"top_of_page_buttons": []}
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"
html_show_copyright = False
html_domain_indices = False
html_use_index = False
exclude_patterns = ["*.py", "extensions", "static"]

#: Pages of the repository beside docs/, which the site has, too.
ELSEWHERE = {"contributing": Path("../CONTRIBUTING.md"), "papers": Path("../examples/papers/README.md")}


def _read(app, docname, source):
    """Links lead to files as they stand in the repository, where pages are read, too; here, to the site's pages."""
    shown = ELSEWHERE.get(docname)
    text = (DOCS / shown).read_text(encoding="utf-8") if shown else source[0]
    folder = (shown or Path(app.env.doc2path(docname, base=False))).parent

    def link(match):
        path = Path(os.path.relpath(DOCS / folder / match[2], DOCS))
        if (DOCS / path).is_dir():
            return match[1]
        page = next((Path(f"{name}.md") for name, file in ELSEWHERE.items() if file == path), path)
        target = os.path.relpath(DOCS / page, (DOCS / docname).parent)
        return f"[{match[1]}]({target}{match[3] or ''})"

    source[0] = re.sub(r"(?<!!)\[([^][]+)\]\((?!https?:|#)([^)#\s]+)(#[^)]*)?\)", link, text)


def _lighten(app, pagename, templatename, context, doctree):
    """Leave the style sheet for notebooks away; site.css has what is needed of it."""
    context["css_files"] = [x for x in context["css_files"] if "mystnb" not in str(getattr(x, "filename", x))]


def _play(app, exception):
    """The page of the playground, with the states of its examples, beside the pages."""
    if exception is None and app.builder.format == "html":
        from chainrule.playground import write

        write(Path(app.outdir) / "playground")


def setup(app):
    """Called by Sphinx."""
    app.connect("build-finished", _play)
    app.connect("source-read", _read)
    app.connect("html-page-context", _lighten)
