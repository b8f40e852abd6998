"""chainrule: the whole step compiled; a variant "lazy" updates only the rows of the table that were read.

The variant "eager" compiles nothing: every operation runs when its line does.
"""

import functools

import numpy as np

import chainrule
from chainrule.nn import Dropout, EmbeddingBag, Linear, Sequential, cross_entropy
from peers.tasks import BETA1, BETA2, EPSILON, LEARNING_RATE


def make(task, variant):
    """See `peers`; `run.stats()` is the compiled step's."""
    generator = np.random.default_rng(0)
    layers = []
    for inputs, outputs in zip(task.sizes, task.sizes[1:], strict=False):
        layers += [chainrule.relu, Dropout(task.rate)] if layers else []
        layers.append(Linear(inputs, outputs, generator=generator))
    network = Sequential(*layers)
    parameters = network.parameters()
    if task.vocabulary:
        bag = EmbeddingBag(task.vocabulary, task.sizes[0], generator=generator)
        parameters = [bag.table, *parameters]
    for parameter, value in zip(parameters, task.weights(), strict=True):
        parameter.assign(value)
    optimizer = chainrule.Adam(LEARNING_RATE, BETA1, BETA2, EPSILON, lazy=variant == "lazy")
    state = optimizer.start(parameters)

    def learn(logits, classes):
        loss = cross_entropy(logits, classes)
        optimizer.step(parameters, chainrule.gradients(loss, parameters), state)
        return loss

    compiled = functools.partial(chainrule.compile, threads=task.threads) if variant != "eager" else lambda step: step
    inputs, classes = task.data()
    if task.vocabulary:
        offsets = np.arange(0, task.batch * task.tokens + 1, task.tokens)
        batches = [(ids.reshape(-1), offsets, labels) for ids, labels in zip(inputs, classes, strict=True)]

        @compiled
        def step(ids, offsets, classes, words):
            return learn(network(bag(ids, offsets), key=chainrule.Key(words)), classes)
    else:
        batches = list(zip(inputs, classes, strict=True))

        @compiled
        def step(inputs, classes):
            return learn(network(inputs), classes)

    position = 0

    def run(count):
        nonlocal position
        for _ in range(count):
            batch = batches[position]
            position = (position + 1) % len(batches)
            loss = step(*batch, chainrule.Key.of(0, state.step).words) if task.vocabulary else step(*batch)
        return loss.item()

    if variant != "eager":
        run.stats = step.stats
    return run
