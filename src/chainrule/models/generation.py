"""Generation: a model of language writes, token by token."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from chainrule.errors import ConfigurationError, DataError, shortened
from chainrule.graph.spec import INT64, Array, Spec
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.models.sampling import Sampling
from chainrule.models.sequence import SequenceNetwork
from chainrule.random import generator
from chainrule.shown import listing
from chainrule.tasks.unit_inputs import UnitsCodec
from chainrule.text.pieces import EDGE, UNSEEN

if TYPE_CHECKING:
    from chainrule.models.model import Model

#: After so many tokens, no state that grows with them has a size of 0 or 1, which programs are made for by themselves.
GROWN = 2
#: Pieces of a prompt that are listed where they are unknown.
SHOWN = 5


class Decoder:
    """Goes through one text token by token, and holds what is known of those before.

    Args:
        network: with steps.
        step: that of the network, as an engine runs it: see `stepping`.
        most: tokens that will be read, at most; states that grow with them are prepared for.

    Attributes:
        outputs: of the network for the token that comes next, after the first that was read; shape (outputs,).
            They are this object's own.
    """

    outputs: Array

    def __init__(self, network: SequenceNetwork, step: Callable[..., Sequence[Tensor]], most: int) -> None:
        self._states: Sequence[Tensor] = network.start(1)
        self._step = step
        self._most = most
        self._seen = 0

    def read(self, token: int) -> None:
        """One more token of the text."""
        before = self._states
        outputs, *self._states = self._step(np.array([token]), *before)
        self.outputs = outputs.numpy()[0]
        self._seen += 1
        if self._seen == GROWN:
            self._prepare(before)

    def _prepare(self, before: Sequence[Tensor]) -> None:
        """Have a native step traced for states that grow with each token, up to the largest that will come.

        Sizes between those that were traced are not traced any more.
        """
        trace_for = getattr(self._step, "trace_for", None)
        shapes = [(held.shape, now.shape) for held, now in zip(before, self._states, strict=True)]
        if trace_for is None or all(held == now for held, now in shapes):
            return
        for more in (0, (self._most - GROWN) // 2, self._most - GROWN):
            specs = [
                Spec(tuple(n + more * (n - m) for m, n in zip(held, now, strict=True)), state.dtype)
                for (held, now), state in zip(shapes, self._states, strict=True)
            ]
            trace_for(Spec((1,), INT64), *specs)


def stepping(model: Model, engine: str) -> Callable[..., Sequence[Tensor]]:
    """The step of a model's network as an engine runs it: from ids and states to outputs and states, in a list."""

    def step(ids: Tensor, *states: TensorLike) -> list[Tensor]:
        outputs, after = model.network.step(ids, states)  # type: ignore[attr-defined]  # a network of sequences
        return [outputs, *after]

    return model.compiled("step", step, engine)


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
    decoder = Decoder(network, stepping(model, engine), len(tokens) + length)
    for token in tokens:
        decoder.read(token)
    return _written(decoder, inputs, length, sampling, generator(seed, "generate"))


def _written(
    decoder: Decoder, inputs: UnitsCodec, length: int, sampling: Sampling, draws: np.random.Generator
) -> Iterator[str]:
    """The parts of the text; a character whose bytes are several tokens comes with the last of them."""
    content, characters = inputs.pieces.content, codecs.getincrementaldecoder("utf-8")("replace")
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
    if part := characters.decode(b"", final=True):
        yield part
