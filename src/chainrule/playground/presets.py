"""Examples of the playground: each shows one thing, at one step."""

from __future__ import annotations

from chainrule.dataclasses import dataclass
from chainrule.playground.setup import Setup


@dataclass(frozen=True)
class Preset:
    """An example.

    Attributes:
        name: of its file.
        title: what it is about.
        lesson: what is to be seen.
        setup: what is trained on what.
        step: at which it is to be seen.
        unit: whose function is to be looked at; "" for the answers.
    """

    name: str
    title: str
    lesson: str
    setup: Setup
    step: int
    unit: str = ""


PRESETS = (
    Preset(
        "bend", "A line that bends",
        "Each of the four units of the first layer is a slope across the plane; the next two combine them, and the "
        "answers get a border that bends around the moons.",
        Setup(noise=0.12), 300,
    ),
    Preset(
        "line", "One line is not enough",
        "Without hidden units the answers change along one direction only. Opposite quarters are alike here, so that "
        "no line tells them apart: the loss stays where it is without a look at the points.",
        Setup(data="xor", hidden=()), 300,
    ),
    Preset(
        "product", "The right input makes it easy",
        "The same points, and still no hidden unit: but now the network reads the product of x and y, whose sign tells "
        "the colours apart.",
        Setup(data="xor", hidden=(), inputs=("x", "y", "xy")), 300,
    ),
    Preset(
        "three", "Three lines around a disc",
        "Three rectifiers are each flat on one side of a line and rise on the other; together they fence in the disc.",
        Setup(data="circles", hidden=(3,), activation="relu", noise=0.05, seed=3), 600,
    ),
    Preset(
        "spirals", "Two arms of a spiral",
        "Two layers of eight units follow the arms; the units of the second layer are less simple than those of the "
        "first.",
        Setup(data="spirals", hidden=(8, 8), activation="swish", noise=0.03, points=300, learning_rate=0.02), 2000,
    ),
    Preset(
        "dead", "Dead units",
        "The learning rate is far too high for rectifiers. Some units have become flat for every training point: no "
        "gradient passes through them, and they stay as they are.",
        Setup(data="circles", hidden=(6, 4), activation="relu", learning_rate=0.2), 300,
    ),
    Preset(
        "overfitting", "Learned by heart",
        "Few training points, much noise, many units: the training loss falls to next to nothing, and the test loss "
        "rises. The border winds around single points.",
        Setup(points=60, noise=0.45, hidden=(6, 4), train_share=0.4), 1500,
    ),
    Preset(
        "penalty", "The same with a penalty on weights",
        "L2 keeps weights small: the border is smooth, single points are let go, and the test loss is lower than "
        "without it.",
        Setup(points=60, noise=0.45, hidden=(6, 4), train_share=0.4, l2=0.02), 1500,
    ),
    Preset(
        "same", "All units the same",
        "All weights began at the same number, so all units of a layer get the same gradients and stay the same for "
        "ever: four units do what one would do. That is why first weights are drawn at random.",
        Setup(data="circles", activation="tanh", hidden=(4,), initializer="constant:value=0.5"), 300,
    ),
    Preset(
        "vanishing", "Gradients that vanish",
        "Four layers of sigmoids pass on a gradient that gets smaller from layer to layer on its way back, so that the "
        "first layer hardly learns.",
        Setup(data="circles", activation="sigmoid", hidden=(4, 4, 4, 4), optimizer="sgd", learning_rate=0.1), 600,
    ),
    Preset(
        "three-colours", "Three colours",
        "Of more than two colours, each has an output, and the answers are the probabilities of all three, which add "
        "up to 1.",
        Setup(data="blobs", hidden=(4,), noise=0.15), 300,
    ),
    Preset(
        "hills", "Hills and valleys",
        "Here each point has a number, and the network answers numbers: the surface is put together of the functions "
        "of eight units.",
        Setup(data="waves", hidden=(8,), noise=0.05, points=300, learning_rate=0.05), 1500,
    ),
)  # fmt: skip


def steps_of(preset: Preset) -> list[int]:
    """The steps whose states are written: nearer to each other at the start, the last one that of the lesson.

    Example:
        >>> steps_of(PRESETS[0])
        [0, 1, 3, 7, 14, 25, 45, 75, 120, 200, 300]
    """
    return [step for step in STEPS if step < preset.step] + [preset.step]


STEPS = (0, 1, 3, 7, 14, 25, 45, 75, 120, 200, 300, 420, 560, 750, 1000, 1400)
