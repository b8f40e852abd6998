"""Writes docs/optimizers.md from the update rules and their docstrings: python docs/optimizers.py."""

import inspect
import re
from pathlib import Path

from chainrule.optim import OPTIMIZERS

TARGET = Path(__file__).with_name("optimizers.md")

START = """\
# Optimizers

An optimizer is its equations in blocks: `init` (what is remembered of a parameter), `coefficients` (the numbers of a
step) and `update`. Each is a class of `chainrule.optim`, a name for `chainrule train --optimizer NAME`, and has
settings of its own ([settings.md](settings.md)). This page is written from their docstrings by `make docs`; a test
keeps it true.

```python
import chainrule

weight = chainrule.Parameter.of([1.0, 2.0])
optimizer = chainrule.RMSprop(0.1, momentum=0.5)
state = optimizer.start([weight])
for _ in range(3):
    loss = (weight * weight).sum()
    optimizer.step([weight], chainrule.gradients(loss, [weight]), state)
assert abs(weight.value).max() < 1
training = chainrule.Training(optimizer=optimizer, batch_size=32)
```

```sh
chainrule train reviews.csv --optimizer rmsprop --lr 0.001 --momentum 0.5 --epochs 2 --out model --quiet
chainrule train reviews.csv --optimizer sgd --lr 1 --batch-size all --epochs 2 --out batch --quiet
```

g is the gradient, θ the parameter, η the learning rate and t the number of the step; all operations are by element
where nothing else is said.

## Three forms of gradient descent

They are a matter of `--batch-size`, and of nothing else:

| form | option | a step takes the gradient of |
| --- | --- | --- |
| batch gradient descent | `--batch-size all` | the loss of all training rows: an exact direction, one step a pass |
| stochastic gradient descent | `--batch-size 1` | one row: a rough direction, as many steps a pass as there are rows |
| mini-batch gradient descent | `--batch-size N` | N rows: in between, and what matrix products are fast at |

## L-BFGS

Where all data fits into one loss of few parameters, such as logistic regression, `chainrule.optim.LBFGS` finds its
minimum in some tens of steps. It evaluates the loss several times a step (a line search by the strong Wolfe
conditions), so it is a loop of its own over a function of the loss, and refuses losses that vary, as those of
mini-batches and dropout do.

```python
import numpy as np

import chainrule
from chainrule.optim import LBFGS

draws = np.random.default_rng(0)
x = draws.normal(size=(200, 3))
labels = (x @ [1.0, -2.0, 0.5] + draws.normal(size=200) > 0).astype(int)
weight = chainrule.Parameter.of(np.zeros((3, 2)), dtype="float64")
data = chainrule.tensor(x, "float64")
found = LBFGS().minimize(lambda: chainrule.nn.cross_entropy(data @ weight, labels) + (weight**2).sum() / 400, [weight])
assert found.steps < 30
```

## Rows without a gradient

A mini-batch reads few rows of an embedding table. Compiled steps leave the others behind, and bring a row up to date
when it is next read: to where the dense rule would have moved it ([deferred_updates.md](deferred_updates.md)). How that
is done depends on the rule. With `lazy` only rows of the batch are updated, and the others stay as they are: another
algorithm. Eager steps, and tables that are also read as a whole, are updated densely.
"""


def resting(kind):
    """What happens to rows of a table without a gradient, as the rule's own methods tell."""
    rule = kind(momentum=0.9) if kind.name == "sgd" else kind()
    if not rule.rowwise:
        return "dense: every step changes every row, in time that follows the size of the table; `lazy` is refused"
    if rule.row_updates:
        return "nothing: they stay as they are, and only rows of the batch are updated, lazily or not"
    begins = rule.closed_form_from()
    if begins is None:
        return "its equations are run for each step that a row rested"
    exact = "a closed form, from the first step on"
    late = f"a closed form from step {begins} on; before, its equations are run for each step that a row rested"
    plain = "; without momentum nothing: they stay as they are" if kind.name == "sgd" else ""
    return (late if begins else exact) + plain


def part(text, begin):
    """The paragraph of a docstring that begins with a word, on one line."""
    found = re.search(rf"^{begin} ?(.*?)(?=\n\n|\Z)", text, flags=re.MULTILINE | re.DOTALL)
    return None if found is None else found[1].replace("\n", " ")


def section(kind):
    """What a docstring says of a rule: what it is, its equations, remarks and its source."""
    text = inspect.cleandoc(kind.__doc__)
    about = text.partition("\n\nAttributes:")[0]
    lines = [f"### `{kind.name}`: {kind.__name__}", "", *about.split("\n"), ""]
    settings = [f"{x.option} ({x.text(x.default)})" for x in kind.declared()]
    rate = next(x for x in inspect.signature(kind).parameters.values() if x.name == "learning_rate").default
    given = ", ".join(f"`{x}`" for x in [f"--lr ({rate:g})", *settings])
    return [*lines, f"Settings: {given}.", "", f"Source: {part(text, 'Source:')}", ""]


def text():
    """The page."""
    lines = [START, "| optimizer | rows without a gradient |", "| --- | --- |"]
    lines += [f"| `{name}` | {resting(kind)} |" for name, kind in OPTIMIZERS.items()]
    lines += [
        "",
        "The steps are those of the default settings. A closed form is exact up to rounding; where β is such that none",
        "is exact enough, the equations are run instead. Deferred is compared with dense for each of them in",
        "`tests/optim/test_deferred.py`.",
        "",
        "## Update rules",
        "",
    ]
    for kind in OPTIMIZERS.values():
        lines += section(kind)
    return "\n".join(lines).rstrip("\n") + "\n"


if __name__ == "__main__":
    TARGET.write_text(text(), encoding="utf-8")
