"""The setup of the playground: all that a picture depends on, and the address that spells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar, Self
from urllib.parse import parse_qsl, urlencode

from chainrule.dataclasses import dataclass
from chainrule.engines import ENGINES
from chainrule.errors import ConfigurationError, SettingError, shortened
from chainrule.nn import ACTIVATIONS, INITIALIZERS, Activation, Initializer
from chainrule.optim import OPTIMIZERS, Optimizer
from chainrule.settings import Settings, setting, suggestion

#: Data that is drawn from a seed, by name, and what it is.
DATA = {
    "moons": "two half circles that reach into each other",
    "circles": "a disc inside a ring",
    "spirals": "two arms of a spiral",
    "xor": "four quarters, of which opposite ones are alike",
    "blobs": "three clouds of points",
    "waves": "a surface of hills and valleys: a number for each point",
}
#: A table of one's own.
OWN = "own"
#: What the network may read of a point.
INPUTS = ("x", "y", "x²", "y²", "xy", "sin x", "sin y")
#: Steps that a training may have, numbers that one unit may read in the place of one, and letters of an address.
MOST_STEPS, MOST_READ, LONGEST = 10_000, 4, 1_500
#: What an address holds beside the settings.
STEP, UNIT = "step", "unit"
#: Settings that are lists.
LISTED = ("inputs", "hidden")


@dataclass(frozen=True, kw_only=True)
class Setup(Settings):
    """What is trained on what: with the number of a step it determines a picture to the last bit.

    Attributes:
        data: the name of what points are drawn, or "own" for those of a table.
        points: how many are drawn.
        noise: the deviation of normal numbers that are added to both coordinates of a point, or to its number.
        train_share: the share of the points that is trained on; the others are the test points.
        inputs: what the network reads of a point.
        hidden: the units of each hidden layer; none for a linear model.
        activation: after each hidden layer; see `chainrule.nn.ACTIVATIONS`.
        initializer: how first weights are drawn; None for what `chainrule train --learner mlp` takes.
        optimizer: a rule that takes steps, alone or with settings, as in "sgd:momentum=0.9".
        learning_rate: of every step.
        l1: λ of the penalty λ Σ |w| that is added to the loss of training.
        l2: λ of the penalty λ / 2 Σ w².
        batch_size: points of a step; None for all of them.
        seed: of all that is drawn: points, noise, first weights, the order of points.
        engine: "native" or "eager".

    Raises:
        SettingError: for a value that a setting may not take.

    Example:
        >>> setup = Setup(data="xor", hidden=(2,))
        >>> Setup.of_address(setup.address()) == setup
        True
        >>> Setup(hidden=(9,))
        Traceback (most recent call last):
        chainrule.errors.SettingError: playground: hidden must be whole numbers of 1 or more and below 9, such as ...
    """

    name: ClassVar[str] = "playground"

    data: str = setting("moons", "what points there are", choices=(*DATA, OWN))
    points: int = setting(200, "points that are drawn", least=20, below=501)
    noise: float = setting(0.1, "deviation of what is added to points", least=0, below=2)
    train_share: float = setting(0.5, "share of the points that is trained on", above=0, below=1)
    inputs: tuple[str, ...] = setting(("x", "y"), "what the network reads of a point", choices=INPUTS)
    hidden: tuple[int, ...] = setting((4, 2), "units of each hidden layer", least=1, below=9, longest=4)
    activation: str | Activation = setting("tanh", "function of each hidden unit", spelled=ACTIVATIONS)
    initializer: str | Initializer | None = setting(
        None, "how first weights are drawn; none for xavier_uniform", spelled=INITIALIZERS
    )
    optimizer: str | Optimizer = setting("adam", "update rule", spelled=OPTIMIZERS)
    learning_rate: float = setting(0.03, "size of a step", above=0)
    l1: float = setting(0.0, "penalty on the sizes of weights", least=0)
    l2: float = setting(0.0, "penalty on the squares of weights", least=0)
    batch_size: int | None = setting(10, "points of a step; all of them for full batches", least=1, none="all")
    seed: int = setting(0, "of all that is drawn", least=0)
    engine: str = setting("native", "what runs a step: compiled, or block by block", choices=ENGINES)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.inputs or len(set(self.inputs)) < len(self.inputs):
            raise SettingError(self.name, "inputs", f"must be one or more, each once, got {shortened(self.inputs)}")
        if ACTIVATIONS.make(self.activation).reads > MOST_READ:
            limit = f"must read up to {MOST_READ} numbers for each of its own"
            raise SettingError(self.name, "activation", f"{limit}, got {shortened(self.activation)}")
        if OPTIMIZERS.make(self.optimizer).searches:
            others = ", ".join(name for name, kind in OPTIMIZERS.items() if not kind.searches)
            raise SettingError(self.name, "optimizer", f"must take steps of one size, as {others}; got a search")

    @property
    def rule(self) -> Optimizer:
        """The optimizer at the learning rate."""
        return replace(OPTIMIZERS.make(self.optimizer), learning_rate=self.learning_rate)

    def address(self, **further: object) -> str:
        """All settings, and what else is given, as the query of an address."""
        held = [(x.name, x.text(getattr(self, x.name))) for x in self.declared()]
        return urlencode([*held, *((name, str(value)) for name, value in further.items())], safe=",:")

    @classmethod
    def of_address(cls, query: str) -> Self:
        """The setup that a query spells; what is left out keeps its default, and step and unit are no settings.

        Raises:
            ConfigurationError: for a query that is too long, a name twice, or an unknown setting.
            SettingError: for a value that a setting may not take.
        """
        declared = {x.name: x for x in cls.declared()}
        given = {name: text for name, text in parsed(query).items() if name not in (STEP, UNIT)}
        for name in given:
            if name not in declared:
                near = suggestion(name, declared) or f"; it has {', '.join(declared)}"
                raise ConfigurationError(f"playground has no setting {shortened(name)}{near}")
        return cls(**{name: declared[name].parsed(cls.name, text) for name, text in given.items()})


def parsed(query: str) -> Mapping[str, str]:
    """Names and texts of a query; a list may come in parts, as a form has a field for each.

    Raises:
        ConfigurationError: for one that is too long, is no text in UTF-8, or has the name of what is no list twice.
    """
    if len(query) > LONGEST:
        raise ConfigurationError(f"address: expected up to {LONGEST:,} letters, got {len(query):,}")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query), errors="strict")
    except ValueError:
        raise ConfigurationError(f"address: expected name=value&name=value, got {shortened(query)}") from None
    given: dict[str, str] = {}
    for name, text in pairs:
        if name in given and name not in LISTED:
            raise ConfigurationError(f"address: expected {shortened(name)} once")
        given[name] = ",".join(filter(None, (given.get(name), text)))
    return given


def step_of(query: str) -> int:
    """The number of the step in a query; 0 where there is none.

    Raises:
        SettingError: for what is no number of a step.
    """
    text = parsed(query).get(STEP, "0")
    if not (text.isascii() and text.isdigit() and len(text) < 9 and int(text) <= MOST_STEPS):
        raise SettingError("playground", STEP, f"must be a whole number from 0 to {MOST_STEPS}, got {shortened(text)}")
    return int(text)
