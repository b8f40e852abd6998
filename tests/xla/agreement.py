"""The same training on each engine, in float64 and float32: how far the losses of its steps lie apart."""

import warnings
from itertools import cycle, islice

import numpy as np

import chainrule
from chainrule.engines import ENGINES
from chainrule.errors import PerformanceWarning
from chainrule.graph.spec import Spec
from chainrule.models import LEARNERS
from chainrule.random import generator
from chainrule.train.trainer import Trainer
from tests.onnx.models import model_of

#: How far losses may lie apart, as a share of the loss, and of 1 where that is less.
TOLERANCE = {"float64": 1e-9, "float32": 1e-4}
#: A task for each learner, and for some a second one that other equations serve.
LEARNED = [
    ("bow", "classify"), ("bow", "regress"), ("cnn", "multi-label"), ("ffnn", "classify"), ("gru", "continue"),
    ("linear", "regress"), ("lstm", "tag"), ("lstm", "classify"), ("mlp", "classify"), ("pretrained", "classify"),
    ("rnn", "tag"), ("seq2seq", "transduce"), ("transformer", "regress"), ("transformer", "continue"),
    ("transformer", "transduce"),
]  # fmt: skip
assert {name for name, _ in LEARNED} == set(LEARNERS)
#: The learning rate, and that of learners whose training at it enlarges every rounding ten thousandfold in 100 steps.
RATE, LOWER = 0.01, {"pretrained": 0.001}


class Widened(Trainer):
    """A trainer whose data are float64 where they are numbers."""

    def loss(self, batch, key):
        """The loss and the task's sums."""
        return super().loss({k: x.astype("float64") if x.spec.floating else x for k, x in batch.items()}, key)


def widen(model):
    """Have all numbers of a model be float64."""
    for leaf in model.network.named_tensors().values():
        if leaf.spec.floating:
            array = leaf.numpy().astype(np.float64)
            leaf.spec = Spec(leaf.shape, array.dtype)
            leaf.value = array


def losses(name, task, dtype, engine, steps):
    """The losses of so many steps on mini-batches of different lengths."""
    model, examples = model_of(name, task)
    if dtype == "float64":
        widen(model)
    training = chainrule.Training(batch_size=5, epochs=steps, learning_rate=LOWER.get(name, RATE))
    trainer = (Widened if dtype == "float64" else Trainer)(model, training, examples, examples, seed=3, engine=engine)
    # The same mini-batches in each pass: three sizes at most, which XLA compiles for.
    batches = list(trainer.shuffled(examples, generator(3, "order")))
    found = []
    for batch in islice(cycle(batches), steps):
        sums = trainer.run_batch(batch)
        found.append(sums["loss"] / sums["weight"])
    assert {x.numpy().dtype.name for x in trainer.parameters} == {dtype}
    return np.array(found)


def furthest(name, task, dtype, steps):
    """How far the losses of the engines lie apart at most."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PerformanceWarning)  # mini-batches of a few texts have any size
        each = [losses(name, task, dtype, engine, steps) for engine in ENGINES]
    assert len(np.unique(each[0])) > steps // 2  # the losses change: something is learned
    return max(float((np.abs(one - each[0]) / np.maximum(np.abs(each[0]), 1)).max()) for one in each[1:])
