"""Writes docs/functions.md from the docstrings of all functions over tensors: python docs/functions.py."""

import inspect
import re
import sys
from pathlib import Path

from chainrule import Tensor, blocks
from chainrule.graph.block import Block

TARGET = Path(__file__).with_name("functions.md")
#: What every docstring says, besides the equation in its first paragraph.
COUNTERPARTS = re.compile(r"^Gradient: (.*?)\.\nPyTorch: (\S+)\. NumPy: (\S+)\.$", flags=re.MULTILINE | re.DOTALL)

START = """\
# Functions

All functions over tensors, with the names they have in PyTorch and NumPy. Each is `chainrule.NAME`; those with a •
are methods of tensors, too (`x.sum()`). They run eagerly and compiled, with their gradients, and
`help(chainrule.NAME)` says more: shapes, errors and an example. This page is written from their docstrings by `make
docs`; a test keeps it true.

```python
import chainrule

x = chainrule.tensor([[0.5, -1.0], [2.0, 0.0]])
low, high = chainrule.split(chainrule.sort(x.reshape(-1)), [2, 2])
assert chainrule.einsum("i,i->", low, high).item() == -0.5
assert chainrule.update_at(x, (x > 0) & (x < 1), 0).sum().item() == 1.0
compiled = chainrule.compile(lambda x: chainrule.sin(x).clamp(0, 1).cumsum())
assert compiled(x).shape == (2, 2)
```

The operators of tensors are `add` (+), `subtract` (-), `multiply` (*), `divide` (/), `floor_divide` (//), `remainder`
(%), `power` (**), `matmul` (@), the comparisons (== among them), of booleans `logical_and` (&), `logical_or` (|),
`logical_xor` (^) and `logical_not` (~), and `index` (brackets). Names are NumPy's where NumPy has the function; where
the two libraries mean different things by one name, the docstring says which is meant here. A gradient is what the
gradient of the result is multiplied by, unless it says otherwise.
"""


def facts(name):
    """The equation of a function, its gradient, and its names in PyTorch and NumPy."""
    text = inspect.cleandoc(getattr(blocks, name).__doc__ or "")
    found = COUNTERPARTS.search(text)
    if found is None:
        raise ValueError(f"{name}: its docstring has no lines 'Gradient: ...' and 'PyTorch: .... NumPy: ....'")
    equation = text.partition("\n\n")[0].replace("\n", " ")
    return equation.rstrip("."), found[1].replace("\n", " "), found[2], found[3]


def rooms():
    """The functions of each file, under the first line of the file."""
    files = {}
    for name in blocks.__all__:
        function = getattr(blocks, name)
        module = sys.modules[type(function).__module__ if isinstance(function, Block) else function.__module__]
        files.setdefault(module.__name__, (module.__doc__.partition("\n")[0].rstrip("."), []))[1].append(name)
    return sorted(files.values())


def text():
    """The page."""
    lines = [START]
    for title, names in rooms():
        lines += [
            f"## {title}",
            "",
            "| function | equation | gradient | PyTorch | NumPy |",
            "| --- | --- | --- | --- | --- |",
        ]
        for name in names:
            equation, gradient, torch, numpy = facts(name)
            method = " •" if hasattr(Tensor, name) else ""
            others = ["" if other == "none" else f"`{other}`" for other in (torch, numpy)]
            cells = [f"`{name}`{method}", equation, gradient, *others]
            lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("*", "\\*") for cell in cells) + " |")
        lines.append("")
    return "\n".join(lines).rstrip("\n") + "\n"


if __name__ == "__main__":
    TARGET.write_text(text(), encoding="utf-8")
