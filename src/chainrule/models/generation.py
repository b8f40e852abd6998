"""Generation: a model of language writes, token by token."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from chainrule.engines import engine_named
from chainrule.errors import ConfigurationError, DataError, shortened
from chainrule.graph.leaves import Mutable
from chainrule.graph.spec import Array
from chainrule.graph.tensor import Tensor
from chainrule.graph.trace import assign
from chainrule.models.sampling import Sampling
from chainrule.models.sequence import SequenceNetwork
from chainrule.random import generator
from chainrule.shown import listing
from chainrule.tasks.unit_inputs import UnitsCodec
from chainrule.text.pieces import EDGE, UNSEEN

if TYPE_CHECKING:
    from chainrule.models.model import Model

#: A text has room for so many tokens at first, and for twice as many each time that it is full.
FIRST_ROOM = 256
#: Pieces of a prompt that are listed where they are unknown.
SHOWN = 5


class Stepper:
    """The step of a network for one text, with states that it keeps and, compiled, writes where they lie.

    Args:
        network: with steps.
        room: tokens that the states have room for.
        engine: "native" or "eager".

    Attributes:
        states: of the network, as leaves.
        run: from the id of a token, shape (1,), to the outputs, shape (1, outputs).
    """

    def __init__(self, network: SequenceNetwork, room: int, engine: str) -> None:
        self.states = states = [Mutable.of(state) for state in network.start(1, room)]

        def step(ids: Tensor) -> Tensor:
            outputs, after = network.step(ids, states)
            for state, new in zip(states, after, strict=True):
                assign(state, new)
            return outputs

        self.run: Callable[..., Tensor] = engine_named(engine).compile(step)  # type: ignore[assignment]  # as `step`

    def put(self, states: Sequence[Array]) -> None:
        """Go on from other states, which are copied."""
        for state, given in zip(self.states, states, strict=True):
            state.writable()[...] = given


class Decoder:
    """Goes through one text token by token, and holds what is known of those before.

    Args:
        model: of a network with steps.
        engine: "native" or "eager".

    Attributes:
        outputs: of the network for the token that comes next, after the first that was read; shape (outputs,).
            They are this object's own.
    """

    outputs: Array

    def __init__(self, model: Model, engine: str) -> None:
        self._model, self._engine = model, engine
        self._network: SequenceNetwork = model.network  # type: ignore[assignment]
        self._seen, self._room = 0, FIRST_ROOM
        shapes = [[x.shape for x in self._network.start(1, room)] for room in (1, 2)]
        self._keeps_all = shapes[0] != shapes[1]
        self._stepper = self._free_stepper()
        self._stepper.put([x.numpy() for x in self._network.start(1, self._room)])

    def read(self, token: int) -> None:
        """One more token of the text."""
        if self._keeps_all and self._seen == self._room:
            states = [x.numpy() for x in self._stepper.states]
            self.end()
            self._room *= 2
            self._stepper = self._free_stepper()
            self._stepper.put(self._network.with_room(states, self._room))
        self.outputs = self._stepper.run(np.array([token])).numpy()[0]
        self._seen += 1

    def end(self) -> None:
        """Leave the compiled step to another text."""
        self._free_steppers().append(self._stepper)

    def _free_stepper(self) -> Stepper:
        free = self._free_steppers()
        return free.pop() if free else Stepper(self._network, self._room, self._engine)

    def _free_steppers(self) -> list[Stepper]:
        """Those that no text uses now; they were traced, and so are kept with the model."""
        kept: list[Stepper] = self._model.kept(("steppers", self._room, self._engine), list)
        return kept


def generate(
    model: Model, prompt: str, length: int, sampling: Sampling, *, seed: int = 0, engine: str = "native"
) -> Iterator[str]:
    """How a model goes on after a prompt, in parts of the text as they come.

    Args:
        model: that was trained to continue texts.
        prompt: how the text begins; it may be empty.
        length: tokens that are written at most; it may end before.
        sampling: how tokens are drawn.
        seed: of the draws.
        engine: "native" or "eager".

    Raises:
        ConfigurationError: for a model of another task, or a length or a seed that is none.
        DataError: for a prompt with what the model has not learned.
    """
    inputs, network = model.codec.inputs, model.network
    if model.task.name != "continue" or not isinstance(inputs, UnitsCodec) or not isinstance(network, SequenceNetwork):
        raise ConfigurationError(
            f"a model that was trained to {model.task.name} does not write; train one with --task continue"
        )
    if isinstance(length, bool) or not isinstance(length, int) or length < 0:
        raise ConfigurationError(f"length: expected a whole number of 0 or more, got {shortened(length)}")
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ConfigurationError(f"seed: expected a whole number of 0 or more, got {shortened(seed)}")
    unseen = inputs.unseen(prompt)
    if unseen:
        raise DataError(
            f"the prompt holds {listing(unseen, SHOWN)}, which the model has not learned: its {inputs.pieces.unit} are "
            f"those of the training texts; leave them out, or train with --unit bytes"
        )
    tokens = [EDGE, *inputs.pieces.ids(prompt).tolist()]
    decoder = Decoder(model, engine)
    for token in tokens:
        decoder.read(token)
    return _written(decoder, inputs, length, sampling, generator(seed, "generate"))


def _written(
    decoder: Decoder, inputs: UnitsCodec, length: int, sampling: Sampling, draws: np.random.Generator
) -> Iterator[str]:
    """The parts of the text; a character whose bytes are several tokens comes with the last of them."""
    content, characters = inputs.pieces.content, codecs.getincrementaldecoder("utf-8")("replace")
    try:
        for written in range(length):
            outputs = decoder.outputs
            outputs[UNSEEN] = -np.inf  # it cannot be written
            token = sampling.draw(outputs, draws)
            if token == EDGE:
                break
            if part := characters.decode(content[token]):
                yield part
            if written + 1 < length:
                decoder.read(token)
    finally:
        decoder.end()
    if part := characters.decode(b"", final=True):
        yield part
