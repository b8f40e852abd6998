"""Writes docs/optimizers.md from the update rules and their docstrings: python docs/optimizers.py."""

import functools
import inspect
import re
from pathlib import Path

import numpy as np

import chainrule
from chainrule.drawing.plot import Panel, Series, plot
from chainrule.optim import OPTIMIZERS

TARGET = Path(__file__).with_name("optimizers.md")
PICTURES = Path(__file__).with_name("pictures") / "optimizers"
#: Rows of the problem that shows the three forms of gradient descent, passes over them, and the learning rate of all.
ROWS, PASSES, RATE = 256, 6, 0.1
FORMS = {"batch (all 256)": ROWS, "mini-batch (16)": 16, "stochastic (1)": 1}

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

![Loss of all rows by passes over them](pictures/optimizers/forms.svg)

The picture shows the loss of all 256 rows of a logistic regression after each step, drawn by the library itself, with
the same learning rate and order of rows for all three. In a pass over the rows, batch gradient descent takes one step,
always downhill. Stochastic gradient descent takes 256; it is far down after a fraction of the first pass, but stays
unsteady there, as each row pulls its own way. Mini-batches of 16 rows come down steadily, sooner than the batch:

| form | steps a pass | loss after {passes} passes | its spread in the last pass |
| --- | --- | --- | --- |
{forms}
A rate that falls ([training.md](training.md)) makes the unsteady ones settle. `--accumulate` makes steps of several
mini-batches, where a larger one would take too much memory.

## L-BFGS

Where all data fits into one loss of few parameters, such as logistic regression, `chainrule.optim.LBFGS` finds its
minimum in some tens of steps. It evaluates the loss several times a step (a line search by the strong Wolfe
conditions), so it is a loop of its own over a function of the loss, and refuses losses that vary, as those of
mini-batches and dropout do. In a training it needs all rows in each step and no dropout; what does not go with it, such
as clipping, is refused:

```sh
chainrule train reviews.csv --optimizer lbfgs --batch-size all --l2 0.001 --epochs 20 --out minimum --quiet
```

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

By `benchmarks/logistic.py`, on one thread of a busy machine, it comes to within 1e-6 of scikit-learn's optimum in 0.92
times the time of scikit-learn's own L-BFGS for 569 rows in 2 classes, where a step is Python more than products, in
0.66 times that time for 1,797 digits in 10 classes, and in 0.9 times for 20,000 rows in 5 classes. The first fit also
traces the loss, and compiles it where it was never compiled before.

## Rows without a gradient

A mini-batch reads few rows of an embedding table. Compiled steps leave the others behind, and bring a row up to date
when it is next read: to where the dense rule would have moved it ([deferred_updates.md](deferred_updates.md)). How that
is done depends on the rule. With `lazy` only rows of the batch are updated, and the others stay as they are: another
algorithm. Eager steps, and tables that are also read as a whole, are updated densely.
"""


@functools.cache
def descent(size):
    """The passes, and the loss of all rows of a logistic regression, at the start and after each step on so many."""
    draws = np.random.default_rng(3)
    x = draws.normal(size=(ROWS, 5))
    labels = (x @ [2.0, -1.0, 0.5, 0.0, 1.0] + draws.logistic(size=ROWS) > 0).astype(int)
    order = np.concatenate([draws.permutation(ROWS) for _ in range(PASSES)])
    weight = chainrule.Parameter.of(np.zeros((5, 2)))
    rule = chainrule.SGD(RATE)
    state = rule.start([weight])

    @chainrule.compile
    def loss(rows, classes):
        return chainrule.nn.cross_entropy(rows @ weight, classes)

    @chainrule.compile
    def step(rows, classes):
        found = chainrule.nn.cross_entropy(rows @ weight, classes)
        rule.step([weight], chainrule.gradients(found, [weight]), state)
        return found

    x = x.astype(np.float32)
    losses = [loss(x, labels).item()]
    for start in range(0, len(order), size):
        rows = order[start : start + size]
        step(x[rows], labels[rows])
        losses.append(loss(x, labels).item())
    return [i * size / ROWS for i in range(len(losses))], losses


def pictures():
    """The pictures of the page by their names."""
    lines = [Series(name, *descent(size)) for name, size in reversed(FORMS.items())]
    panel = Panel("Loss of all rows", lines, x_label="Passes over the rows")
    return {"forms": plot([panel], "Three forms of gradient descent") + "\n"}


def forms():
    """Rows of the table of forms."""
    lines = ""
    for name, size in FORMS.items():
        losses = descent(size)[1]
        last = losses[-ROWS // size :]
        lines += f"| {name} | {ROWS // size} | {losses[-1]:.3f} | {max(last) - min(last):.3f} |\n"
    return lines


def resting(kind):
    """What happens to rows of a table without a gradient, as the rule's own methods tell."""
    if kind.searches:
        return "dense: all parameters move together; `lazy` is refused"
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
    lines = [START.format(passes=PASSES, forms=forms()), "| optimizer | rows without a gradient |", "| --- | --- |"]
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
    PICTURES.mkdir(parents=True, exist_ok=True)
    for each, picture in pictures().items():
        (PICTURES / f"{each}.svg").write_text(picture, encoding="utf-8")
    TARGET.write_text(text(), encoding="utf-8")
