"""Writes docs/puzzles.md and its pictures from the puzzles themselves: python docs/puzzles.py."""

import textwrap
from pathlib import Path

from chainrule.puzzles import PUZZLES

TARGET = Path(__file__).with_name("puzzles.md")
PICTURES = Path(__file__).with_name("pictures") / "puzzles"

START = """\
# Puzzles

Whoever has written a gradient once knows what a gradient is. A puzzle asks for something small, shows an example with
its shapes and numbers, gives a file to begin with, and checks what you make of it. The [course](course/index.md) has
what is needed: [the chain rule](course/09_chain_rule.md), [building blocks](course/11_building_blocks.md).

```console
$ chainrule puzzle list
block:
  square                  A square
  product                 A product
...
gradient:
  sum-gradient            Backward through a sum
...
function:
  perceptron              A perceptron of two layers
...
wrong gradient:
  wrong-activation        One of four activations
...
```

| kind | what is asked | how it is checked |
| --- | --- | --- |
| block | a class with `forward` and `backward` | values; `backward` by central differences |
| gradient | from the gradient of the output to those of the inputs, in NumPy | by central differences |
| function | a layer, a loss or a step of an optimizer | values; the gradient of layers and losses, too |
| wrong gradient | which of several blocks has a wrong `backward`, and the right one | the answer; all blocks |

The examples that solutions are checked by are not the one in the picture, and have other sizes.

## One of them

`show` tells the task, and writes a file to begin with and the picture; `--hint` says a little more.

```console
$ chainrule puzzle show square --start square.py --out square.svg
square: A square

Write the block Square: y = x². x and y have the same shape.

an example:
  x (...): ...
  y (...): ...
  g = ∂L/∂y (...): ...
  ∂L/∂x (...): ...

picture: square.svg

begin with square.py, then: chainrule puzzle check square square.py
$ chainrule puzzle check square square.py || true
forward: expected ..., got ...
```

The file computes something, but not that. Change its two lines:

```python
from pathlib import Path

text = Path("square.py").read_text()
text = text.replace("return x  #", "return x * x  #").replace("return (gradient,)", "return (gradient * x,)")
Path("square.py").write_text(text)
```

```console
$ chainrule puzzle check square square.py || true
backward: gradient with respect to x: at ... autodiff gives ..., central differences ...; allowed error ...
```

It says at which place which number was expected. The 2 is missing:

```python
Path("square.py").write_text(text.replace("gradient * x", "gradient * 2 * x"))
```

```console
$ chainrule puzzle check square square.py
square is solved
```

The exit code is 0 where the solution is right, and 1 where it is not. The file is run in a process of its own, which is
ended after 20 seconds (`--seconds`); what it prints is shown before the verdict. It is run as any Python program is:
check files that you trust.

## In Python

```python
from chainrule.puzzles import PUZZLES, check

puzzle = PUZZLES["linear-gradient"]
assert puzzle.kind == "gradient"
picture = puzzle.picture  # a notebook shows it
Path("solution.py").write_text(puzzle.start)
verdict = check("linear-gradient", "solution.py")
assert not verdict.solved
assert verdict.message.startswith("∂L/∂x: expected")
```

"""

#: What is said of a kind above its puzzles.
KINDS = {
    "block": "Write a block",
    "gradient": "Write a gradient",
    "function": "Write a layer, a loss, a step",
    "wrong gradient": "Find the wrong gradient",
}


def pictures():
    """The pictures of the page by their names."""
    return {name: f"{puzzle.picture}\n" for name, puzzle in PUZZLES.items()}


def section(puzzle):
    """What a puzzle asks, and its picture."""
    alt = f"An example of {puzzle.name}, with shapes and numbers"
    told = textwrap.fill(puzzle.text, 118)
    return f"### `{puzzle.name}`: {puzzle.title}\n\n{told}\n\n![{alt}](pictures/puzzles/{puzzle.name}.svg)\n"


def text():
    """The page."""
    parts = [START.rstrip("\n")]
    for kind, title in KINDS.items():
        asked = [puzzle for puzzle in PUZZLES.values() if puzzle.kind == kind]
        parts += [f"\n## {title}", *(f"\n{section(puzzle)}".rstrip("\n") for puzzle in asked)]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    PICTURES.mkdir(parents=True, exist_ok=True)
    for each, picture in pictures().items():
        (PICTURES / f"{each}.svg").write_text(picture, encoding="utf-8")
    TARGET.write_text(text(), encoding="utf-8")
