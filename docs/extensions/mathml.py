"""Mathematics as MathML, made when the site is: browsers show it by themselves, without a script and without fonts."""

import re
from html import escape, unescape

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.util import logging

LOGGER = logging.getLogger(__name__)
#: LaTeX that the converter knows by another name.
NAMES = {r"{aligned}": r"{split}", r"\arg\max": r"\operatorname{arg\,max}", r"\arg\min": r"\operatorname{arg\,min}"}
#: The name of a function, and the parenthesis after it, if any.
FUNCTION = re.compile(r"<mi>(log|ln|exp|sin|cos|tan|sinh|cosh|tanh)</mi>(?=(<mo[^>]*>\()?)")


def spaced(converted):
    """MathML in which the name of a function stands apart from what it is of, as in y log p."""
    return FUNCTION.sub(lambda x: f'<mo lspace="0.17em" rspace="{"0" if x[2] else "0.17em"}">{x[1]}</mo>', converted)


def mathml(node, display):
    """A formula as MathML; a command that the converter does not know is a warning."""
    text = re.sub(r"(?<!\\)\\\n", r"\\ ", node.astext())  # a space at the end of a line
    for name, known in NAMES.items():
        text = text.replace(name, known)
    converted = convert(text, xmlns="", display=display).replace(' xmlns=""', "")
    converted = re.sub(r"&#x[0-9A-Fa-f]+;", lambda sign: escape(unescape(sign[0])), converted)
    converted = converted.replace(r"\_", "_")  # of names, in \text
    if "\\" in converted:
        LOGGER.warning("a formula with an unknown command: %s", text, location=node, type="mathml")
    return spaced(converted)


def _inline(translator, node):
    translator.body.append(mathml(node, "inline"))
    raise nodes.SkipNode


def _block(translator, node):
    identifier = f' id="{node["ids"][0]}"' if node["ids"] else ""
    number = f'<span class="eqno">({node["number"]})</span>' if node["number"] else ""
    formula = mathml(node, "block")
    translator.body.append(f'<div class="math" tabindex="0"{identifier}>{number}{formula}</div>\n')
    raise nodes.SkipNode


def setup(app):
    """Add the renderer `mathml`."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
