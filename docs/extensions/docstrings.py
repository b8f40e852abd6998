"""The reference, from the docstrings themselves: the directive `docstrings`.

Docstrings here are plain text with a few forms: paragraphs; equations, indented by four; and sections such as `Args:`
and `Example:`, whose content is indented. Words between backticks are code.
"""

import importlib
import inspect
import re
import sys
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

from chainrule.graph.block import Block

SECTION = re.compile(r"^(Args|Attributes|Raises|Returns|Yields|Example|Examples|Source|Sources)( \(.*\))?:(.*)$")
ENTRY = re.compile(r"^(\S[^:]*): +(.*)$", flags=re.DOTALL)


def inline(text):
    """The nodes of a line of text, in which words between backticks are code."""
    parts = re.split(r"`([^`]+)`", " ".join(text.split()))
    return [nodes.literal(x, x) if i % 2 else nodes.Text(x) for i, x in enumerate(parts) if x]


def paragraphs(lines):
    """Paragraphs and, where lines are indented by four, what stands there as it is."""
    for group in re.split(r"\n\s*\n", inspect.cleandoc("x\n" + "\n".join(lines))[1:].strip("\n")):
        if not group.strip():
            continue
        if group.startswith("    "):
            yield literal(inspect.cleandoc(group), "text")
        else:
            yield nodes.paragraph("", "", *inline(group))


def literal(text, language):
    """A block of code."""
    return nodes.literal_block(text, text, language=language)


def entries(lines):
    """`name: what it is`, a line or more each."""
    listed = nodes.definition_list()
    content = inspect.cleandoc("\n" + "\n".join(lines))
    for group in re.split(r"\n(?=\S)", content):
        match = ENTRY.match(group)
        name, text = (match[1], match[2]) if match else ("", group)
        term = nodes.term("", "", nodes.literal(name, name)) if name else nodes.term()
        listed += nodes.definition_list_item("", term, nodes.definition("", nodes.paragraph("", "", *inline(text))))
    return listed


def document(text):
    """The nodes of a docstring."""
    lines, found = inspect.cleandoc(text).splitlines(), []
    while lines:
        heading = SECTION.match(lines[0])
        indented = heading is not None and not heading[3]  # its content is, and what is not comes after it
        ends = (i for i, x in enumerate(lines) if i and (SECTION.match(x) or (indented and re.match(r"\S", x))))
        end = next(ends, len(lines))
        body, lines = lines[int(heading is not None) : end], lines[end:]
        if heading is None:
            found += paragraphs(body)
            continue
        kind, note, rest = heading[1], heading[2] or "", heading[3].strip()
        if kind.startswith("Example"):
            found += [
                nodes.rubric("", "", *inline(kind + note)),
                literal(inspect.cleandoc("\n".join(["", *body])), "pycon"),
            ]
        elif kind in ("Args", "Attributes", "Raises") and not rest:
            found += [nodes.rubric("", kind + note), entries(body)]
        else:
            content = [nodes.strong("", f"{kind}{note}: "), *inline(" ".join([rest, *body]))]
            found.append(nodes.paragraph("", "", *content))
    return found


def signature(value):
    """How it is called; blocks are objects, called as their forward pass is."""
    found = inspect.signature(type(value).forward if isinstance(value, Block) else value)
    skipped = ("self", "xp") if isinstance(value, Block) else ()
    hidden = [x.replace(annotation=inspect.Parameter.empty) for x in found.parameters.values() if x.name not in skipped]
    return str(found.replace(parameters=hidden, return_annotation=inspect.Signature.empty))


def home(value):
    """The module that a class, a function or a block is from; of anything else none."""
    if isinstance(value, Block):
        return type(value).__module__
    return value.__module__ if inspect.isclass(value) or inspect.isfunction(value) else ""


def public(module, within=()):
    """(module, name, value) of what a module makes public, of that what is from some of its parts."""
    held = importlib.import_module(module)
    names = getattr(held, "__all__", None) or [x for x, value in vars(held).items() if home(value) == module]
    found = [(home(getattr(held, name)), name, getattr(held, name)) for name in names]
    parts = [f"{module}.{part}." for part in within] or ["chainrule."]
    return sorted((x for x in found if f"{x[0]}.".startswith(tuple(parts))), key=lambda x: x[:2])


class Docstrings(SphinxDirective):
    """Sections for what a module makes public, or for what of it is from the parts that are given, by its file."""

    has_content = True
    required_arguments = 1
    option_spec: ClassVar = {"by-file": directives.flag}

    def run(self):
        """A section for each name, in one for each file if asked for."""
        sections, files = [], {}
        for file, name, value in public(self.arguments[0], " ".join(self.content).split()):
            self.env.note_dependency(sys.modules[file].__file__)
            files.setdefault(file, []).append(section(self.arguments[0], name, value))
        for file, held in files.items():
            if "by-file" in self.options:
                heading = sys.modules[file].__doc__.partition("\n")[0].rstrip(".")
                held = [nodes.section("", nodes.title("", "", *inline(heading)), *held, ids=[file.rpartition(".")[2]])]
            sections += held
        return sections


def section(module, name, value):
    """The section of one name."""
    made = nodes.section("", nodes.title("", "", nodes.literal(name, name)), ids=[f"{module}.{name}"])
    if not (inspect.isclass(value) and issubclass(value, BaseException)):
        made += literal(f"{module}.{name}{signature(value)}", "python")
    made += document(value.__doc__ or "")
    return made


def setup(app):
    """Add the directive."""
    app.add_directive("docstrings", Docstrings)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
