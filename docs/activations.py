"""Writes docs/activations.md and its pictures from the activations themselves: python docs/activations.py."""

import inspect
import re
import runpy
from pathlib import Path

import numpy as np

import chainrule
from chainrule.drawing.plot import Panel, Series, plot
from chainrule.nn import ACTIVATIONS

TARGET = Path(__file__).with_name("activations.md")
PICTURES = Path(__file__).with_name("pictures") / "activations"
FACTS = runpy.run_path(str(Path(__file__).with_name("functions.py")))["facts"]
#: Where digits are counted: 8 numbers a factor of 2, of both signs.
SIZES = 2.0 ** np.linspace(-20, 7, 217)

START = """\
# Activations

The functions between linear maps. Each is a function over tensors (`chainrule.elu(x, alpha=2.0)`), a class
(`chainrule.nn.ELU(alpha=2.0)`), and a name, with its settings after a colon, wherever a name is taken: in Python, in
settings files and records, and on the command line (`chainrule train reviews.csv --activation elu:alpha=2.0 ...`).

```python
import chainrule
from chainrule.nn import ACTIVATIONS, LeakyReLU, activation

assert activation("leaky_relu:slope=0.25") == LeakyReLU(slope=0.25)
assert activation("leaky_relu:slope=0.25")([-2.0]).item() == -0.5
learner = chainrule.MultilayerPerceptron(hidden=(64,), activation=LeakyReLU(slope=0.02))
assert learner.activation == "leaky_relu:slope=0.02"
assert "swiglu" in ACTIVATIONS
```

The pictures show the function, its derivative and its second derivative, which the library's own autodiff computes. For
those of several numbers, one number goes from -6 to 6, and what is shown is named. Below each stands what it is good
and bad for, and where float32 loses digits, of which it has 7: from where on fewer than 3 are right, as measured at 434
numbers from ±10⁻⁶ to ±128. This page is written by `make docs`; a test keeps it true.
"""


def shown(name):
    """The function of one number that is drawn, and what it is."""
    made = ACTIVATIONS.make(name)

    def second_of_two(second):
        return lambda x: made(chainrule.stack([x, second + 0 * x], 1))[:, 0]

    def gate_of_one(x):
        return made(chainrule.stack([1 + 0 * x, x], 1))[:, 0]

    if made.reads > 1:
        if name == "maxout":
            return second_of_two(0), "y of (x, 0)"
        return gate_of_one, "y of (1, x): the gate"
    if name in ("softmax", "log_softmax", "sparsemax"):
        return second_of_two(0), "the first of y of (x, 0)"
    return made, ""


def derivatives(function, x):
    """The function at each x, and its first two derivatives, by autodiff."""
    y = function(x)
    first = chainrule.grad(y.sum(), x, unused="zeros")
    second = chainrule.grad(first.sum(), x, unused="zeros")
    return [part.numpy() for part in (y, first, second)]


def picture(name):
    """The picture of an activation."""
    x = np.arange(-600, 601, 4) / 100 + 0.001  # no kink is met
    parts = derivatives(shown(name)[0], chainrule.tensor(x, "float64"))
    names = ("function", "derivative", "second derivative")
    lines = [Series(each, x.tolist(), _without_jumps(y)) for each, y in zip(names, parts, strict=True)]
    return plot([Panel(name, lines, x_label="x")]) + "\n"


def _without_jumps(y):
    """The values of a curve that are shown; where it jumps it has a gap."""
    low, high, highest_step = -2.0, 4.0, 0.75
    jumps = np.abs(np.diff(y, prepend=y[0])) > highest_step
    return [float(each) if low <= each <= high and not jump else None for each, jump in zip(y, jumps, strict=True)]


def lost(name):
    """Where float32 loses digits, in words: the worst of value and derivative."""
    x = np.concatenate([-SIZES[::-1], SIZES]).astype(np.float32)
    function = shown(name)[0]
    exact = derivatives(function, chainrule.tensor(x.astype(np.float64), "float64"))
    found = derivatives(function, chainrule.tensor(x, "float32"))
    words = []
    for what, wanted, ours in zip(("value", "derivative"), exact, found, strict=False):
        known = np.isfinite(wanted) & (np.abs(wanted) >= np.finfo(np.float32).tiny)
        wrong = x[known][np.abs(ours - wanted)[known] > 1e-3 * np.abs(wanted)[known]]
        sides = [(wrong[wrong < 0].max(), "below")] if (wrong < 0).any() else []
        sides += [(wrong[wrong > 0].min(), "above")] if (wrong > 0).any() else []
        words += [f"fewer than 3 digits of the {what} are right {side} {place:.2g}" for place, side in sides]
    return "; ".join(words) or "no digits lost"


def section(name):
    """Equation, picture, and what is said of an activation."""
    kind = ACTIVATIONS[name]
    equation, gradient, torch, _ = FACTS(name)
    text = inspect.cleandoc(kind.__doc__)
    said = dict(re.findall(r"^(Good|Bad|Source): (.*?)\.?$", text, flags=re.MULTILINE))
    settings = [f"`{x.name}` ({x.help}; {x.text(x.default)})" for x in kind.declared()]
    drawn = shown(name)[1]
    rows = {
        "function": f"{equation}",
        "derivative": gradient,
        "settings": ", ".join(settings),
        "good for": said["Good"],
        "bad for": said["Bad"],
        "float32": lost(name),
        "PyTorch": "" if torch == "none" else f"`{torch}`",
        "source": "" if said["Source"] == "none" else said["Source"],
    }
    lines = [f"## `{name}`", "", text.partition("\n")[0], ""]
    lines += [f"![{name}{': ' + drawn if drawn else ''}](pictures/activations/{name}.svg)", ""]
    lines += ["| | |", "| --- | --- |"]
    lines += [f"| {key} | {_cell(value)} |" for key, value in rows.items() if value]
    return [*lines, ""]


def _cell(text):
    return text.replace("|", "\\|").replace("*", "\\*")


def text():
    """The page."""
    return "\n".join([START, *(line for name in ACTIVATIONS for line in section(name))]).rstrip("\n") + "\n"


if __name__ == "__main__":
    PICTURES.mkdir(parents=True, exist_ok=True)
    for each in ACTIVATIONS:
        (PICTURES / f"{each}.svg").write_text(picture(each), encoding="utf-8")
    TARGET.write_text(text(), encoding="utf-8")
