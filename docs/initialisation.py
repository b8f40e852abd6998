"""Writes docs/initialisation.md and its pictures from the initializers themselves: python docs/initialisation.py."""

import functools
import inspect
import re
from pathlib import Path

import numpy as np

import chainrule
from chainrule.drawing.plot import Panel, Series, plot
from chainrule.nn import ACTIVATIONS, INITIALIZERS

TARGET = Path(__file__).with_name("initialisation.md")
PICTURES = Path(__file__).with_name("pictures") / "initialisation"
#: The networks that are looked at.
LAYERS, UNITS, ROWS = 20, 128, 256
#: What is compared, by what the pages call it.
CHOICES = {
    "too small": "normal:deviation=0.05",
    "too large": "normal:deviation=0.2",
    "Xavier": "xavier_normal:gain=1",
    "He": "he_normal:gain=1.4142135623730951",
    "orthogonal": "orthogonal",
}
#: The names of PyTorch, which knows gains as numbers alone.
TORCH = {
    "constant": "constant_", "zeros": "zeros_", "uniform": "uniform_", "normal": "normal_",
    "truncated_normal": "trunc_normal_", "xavier_uniform": "xavier_uniform_", "xavier_normal": "xavier_normal_",
    "he_uniform": "kaiming_uniform_", "he_normal": "kaiming_normal_",
    "lecun_uniform": 'kaiming_uniform_(nonlinearity="linear")',
    "lecun_normal": 'kaiming_normal_(nonlinearity="linear")',
    "orthogonal": "orthogonal_", "sparse": "sparse_", "identity": "eye_",
}  # fmt: skip

START = """\
# Initialisation

Before training, the weights of layers are drawn. Were all of them equal, the units of a layer would stay alike for
ever; are they too small or too large, activations and gradients shrink or grow from layer to layer, until nothing is
learned. An initializer is a class (`chainrule.nn.HeNormal()`) and a name, with its settings after a colon, in Python,
in settings files and records, and on the command line; `chainrule initializers` lists them.

```python
import numpy as np

import chainrule
from chainrule.nn import HeNormal, Linear, Orthogonal

linear = Linear(300, 100, generator=np.random.default_rng(0), initializer=HeNormal())
assert abs(linear.weight.numpy().std() - (2 / 300) ** 0.5) < 0.001
learner = chainrule.MultilayerPerceptron(hidden=(64, 64), activation="tanh", initializer=Orthogonal(gain=1.2))
assert learner.initializer == "orthogonal:gain=1.2"
```

```sh
chainrule train reviews.csv --learner ffnn --activation relu --initializer he_normal --epochs 1 --quiet --out model
```

In a learner, an initializer that takes a gain and is given none has that of the activation, and a gain of 1 for the
outputs, which no activation follows; it draws the weights of layers, and not embeddings. Without `--initializer`,
layers are drawn by `xavier_uniform:gain=1`. Biases begin at 0. The same seed gives the same weights, in float32 those
of float64, rounded. This page and its pictures are written by `make docs`; a test keeps them true.

"""

GAINS = """
## Gains of activations

An activation makes numbers smaller, which the gain of the weights before it makes up for. All others have a gain of 1,
SELU among them, whose own scale does the same for LeCun's weights.

| activation | gain |
| --- | --- |
"""

FIGURES = """\
## Layer by layer

{rows} rows of {units} numbers from N(0, 1) go through {layers} layers of {units} units, h ← f(h W), with biases of 0.
Then a gradient from N(0, 1) for each number of the last layer goes back. The pictures show the standard deviations of
h, and of the gradients of the numbers before each activation, computed by the library's own autodiff. Too small is
`normal:deviation=0.05`, too large `normal:deviation=0.2`; Xavier has a gain of 1 and He one of √2, whatever the
activation; orthogonal has the gain of the activation.
"""

TANH = """
![Standard deviations by layer with tanh](pictures/initialisation/tanh.svg)

With tanh, activations cannot grow beyond 1: weights too large show in saturated units, and in gradients, which explode.
Xavier's numbers shrink slowly, as the slope of tanh is below 1 away from 0. A gain of 5/3, that of the orthogonal
weights here, keeps activations, and lets gradients grow a little on their way back; one of √2 is between the two.
"""

RELU = """
![Standard deviations by layer with ReLU](pictures/initialisation/relu.svg)

With ReLU, half of the numbers become 0 in each layer. Xavier's weights do not know that, and lose a factor of √2 a
layer, which is {lost:,.0f} in all; He's keep both sizes, and so do orthogonal ones with the gain of ReLU, √2.
"""

MEASURED = """
| activation | weights | h, layer 1 | h, layer {layers} | gradient, layer 1 | gradient, layer {layers} |
| --- | --- | --- | --- | --- | --- |
"""

DEAD = """
## Dead rectifiers

A unit that is 0 for every row has no gradient, and stays so.

![Share of dead units by layer](pictures/initialisation/dead.svg)

The scale of weights does not matter to that, as ReLU(c x) = c ReLU(x) for c > 0: He's weights and those too small have
the very same units dead. Deep down there are more of them, as rows become more and more alike on the way: that is what
normalisation, skip connections and rectifiers that leak (`leaky_relu`, `elu`, `gelu`) are for. Most die in training:
the other lines are the network of He's weights after one step of gradient descent on a mean squared error, with a
learning rate of {low}, which changes little, and of {high}, which is too large. `chainrule train` says it where units
die: [diagnostics.md](diagnostics.md).

## All initializers

| name | weights | settings | good for | `torch.nn.init` | source |
| --- | --- | --- | --- | --- | --- |
"""
#: Learning rates of which the second kills rectifiers.
RATES = (0.01, 0.5)


@functools.cache
def drawn(initializer):
    """The weights of the network."""
    generator = np.random.default_rng(0)
    return [chainrule.tensor(initializer((UNITS, UNITS), generator, "float64"), "float64") for _ in range(LAYERS)]


def rows():
    """What goes in, and what comes back."""
    return np.random.default_rng(1).standard_normal((2, ROWS, UNITS))


def passed(activation, weights):
    """What each layer gives before its activation, and after it."""
    h = chainrule.tensor(rows()[0], "float64")
    given = []
    for weight in weights:
        before = h @ weight
        h = activation(before)
        given.append((before, h))
    return given


@functools.cache
def sizes(activation, choice):
    """The standard deviations of activations and of gradients, layer by layer."""
    function = ACTIVATIONS.make(activation)
    initializer = INITIALIZERS.make(CHOICES[choice]).with_gain(function.gain)
    given = passed(function, drawn(initializer))
    back = chainrule.tensor(rows()[1], "float64")
    gradients = chainrule.grad((given[-1][1] * back).sum(), [before for before, _ in given])
    return [h.numpy().std() for _, h in given], [gradient.numpy().std() for gradient in gradients]


def dead(weights):
    """The share of units that are 0 for every row, layer by layer."""
    relu = ACTIVATIONS.make("relu")
    return [float((h.numpy() == 0).all(0).mean()) for _, h in passed(relu, weights)]


def stepped(weights, rate):
    """The weights after one step of gradient descent on a mean squared error."""
    wanted = chainrule.tensor(rows()[1], "float64")
    loss = ((passed(ACTIVATIONS.make("relu"), weights)[-1][1] - wanted) ** 2).mean()
    slopes = chainrule.grad(loss, weights)
    return [weight - rate * slope for weight, slope in zip(weights, slopes, strict=True)]


def pictures():
    """The pictures by name."""
    layers, made = list(range(1, LAYERS + 1)), {}
    for activation in ("tanh", "relu"):
        lines = {choice: sizes(activation, choice) for choice in CHOICES}
        panels = [
            Panel(
                f"Standard deviation of {what}, {activation}",
                [Series(choice, layers, found[index]) for choice, found in lines.items()],
                x_label="Layer", whole=True, logarithmic=True,
            )
            for index, what in enumerate(("activations", "gradients"))
        ]  # fmt: skip
        made[activation] = plot(panels) + "\n"
    he = drawn(INITIALIZERS.make("he_normal"))
    shares = {
        "He, or any scale": dead(he),
        "orthogonal": dead(drawn(INITIALIZERS.make("orthogonal").with_gain(ACTIVATIONS.make("relu").gain))),
        **{f"He, after a step of {rate:g}": dead(stepped(he, rate)) for rate in RATES},
    }
    lines = [Series(name, layers, [100 * share for share in found]) for name, found in shares.items()]
    made["dead"] = plot([Panel("Dead units, in per cent", lines, x_label="Layer", whole=True)]) + "\n"
    return made


def row(name):
    """The line of an initializer."""
    kind = INITIALIZERS[name]
    text = inspect.cleandoc(kind.__doc__)
    said = dict(re.findall(r"^(Good|Source): (.*?)\.?\n(?=\w+:|\n|$)", text + "\n", flags=re.MULTILINE | re.DOTALL))
    settings = [f"`{x.name}` ({x.help.partition(';')[0]}; {x.text(x.default)})" for x in kind.declared()]
    source = "" if said["Source"] == "none" else " ".join(said["Source"].split())
    cells = [f"`{name}`", text.partition("\n")[0].rstrip("."), ", ".join(settings), " ".join(said["Good"].split())]
    return _line([*cells, f"`{TORCH[name]}`", source])


def _line(cells):
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def text():
    """The page."""
    gains = {name: ACTIVATIONS.make(name).gain for name in ACTIVATIONS}
    listed = [_line([f"`{name}`", f"{gain:.4g}"]) for name, gain in gains.items() if gain != 1]
    lost = sizes("relu", "He")[0][-1] / sizes("relu", "Xavier")[0][-1]
    measured = ""
    for activation in ("tanh", "relu"):
        for choice in CHOICES:
            ends = [found[place] for found in sizes(activation, choice) for place in (0, -1)]
            measured += _line([f"`{activation}`", choice, *(f"{end:.2g}" for end in ends)])
    page = START + FIGURES.format(rows=ROWS, units=UNITS, layers=LAYERS) + TANH + RELU.format(lost=lost)
    page += MEASURED.format(layers=LAYERS) + measured
    page += GAINS + "".join(listed)
    return page + DEAD.format(low=RATES[0], high=RATES[1]) + "".join(map(row, INITIALIZERS))


if __name__ == "__main__":
    PICTURES.mkdir(parents=True, exist_ok=True)
    for each, picture in pictures().items():
        (PICTURES / f"{each}.svg").write_text(picture, encoding="utf-8")
    TARGET.write_text(text(), encoding="utf-8")
