"""chainrule on an accelerator: `--engine xla`, texts one after another.

A variant is a precision, or the name of another engine.
"""

import functools
import itertools

import numpy as np

import chainrule
from chainrule import nn
from chainrule.data import Examples, Ragged
from chainrule.engines import PRECISIONS, engine_named
from peers.accelerated import BETA1, BETA2, EPSILON, LEARNING_RATE, Bags, Encoder


def encoder(task, weights):
    """What gives the outputs of a mini-batch, and its parameters."""
    draws = np.random.default_rng(0)
    table = nn.Embedding(task.vocabulary, task.size, generator=draws)
    sizes = {"dropout": task.rate, "norm_first": True}
    layers = [
        nn.TransformerEncoderLayer(task.size, task.heads, task.inner, **sizes, generator=draws)
        for _ in range(task.layers)
    ]
    norm, classes = nn.LayerNorm(task.size), nn.Linear(task.size, task.classes, generator=draws)
    given = {"table": table.table, "classes": classes.weight}
    for number, layer in enumerate(layers):
        given |= {
            f"{number}.mix": layer.attention.input_weight, f"{number}.mixed": layer.attention.output.weight,
            f"{number}.inward": layer.inward.weight, f"{number}.outward": layer.outward.weight,
        }  # fmt: skip
    assign(given, weights)

    def outputs(ids, offsets, key):
        x = table(ids)
        for number, layer in enumerate(layers):
            x = layer(x, offsets, key and key.at(number))
        return classes(chainrule.segment_mean(norm(x), offsets))

    return outputs, [parameter for part in (table, *layers, norm, classes) for parameter in part.parameters()]


def recurrent(task, weights):
    """As of the encoder."""
    draws = np.random.default_rng(0)
    lstm = nn.LSTM(task.inputs, task.hidden, generator=draws)
    classes = nn.Linear(task.hidden, task.classes, generator=draws)
    given = {"input": lstm.input_weight, "state": lstm.state_weight, "classes": classes.weight}
    assign(given, weights)

    def outputs(x, offsets, key):  # noqa: ARG001
        return classes(chainrule.segment_mean(lstm(x, offsets)[0], offsets))

    return outputs, [*lstm.parameters(), *classes.parameters()]


def bags(task, weights):
    """As of the encoder."""
    draws = np.random.default_rng(0)
    bag = nn.EmbeddingBag(task.vocabulary, task.size, generator=draws)
    hidden = nn.Linear(task.size, task.hidden, generator=draws)
    dropout, classes = nn.Dropout(task.rate), nn.Linear(task.hidden, task.classes, generator=draws)
    assign({"table": bag.table, "hidden": hidden.weight, "classes": classes.weight}, weights)

    def outputs(ids, offsets, key):
        return classes(dropout(chainrule.relu(hidden(bag(ids, offsets))), key))

    return outputs, [bag.table, *hidden.parameters(), *classes.parameters()]


def assign(parameters, weights):
    """The weights of the task."""
    for name, parameter in parameters.items():
        parameter.assign(weights[name])


def make(task, case, variant):
    """See `accelerated`; `run.parameters` are those that are trained."""
    network = encoder if isinstance(task, Encoder) else bags if isinstance(task, Bags) else recurrent
    outputs, parameters = network(task, task.weights())
    optimizer = chainrule.Adam(LEARNING_RATE, BETA1, BETA2, EPSILON)
    state = optimizer.start(parameters)

    def step(x, offsets, classes, words):
        key = chainrule.Key(words) if task.rate else None
        loss = nn.cross_entropy(outputs(x, offsets, key), classes)
        optimizer.step(parameters, chainrule.gradients(loss, parameters), state)
        return loss

    compiled = compiled_by(variant, step, ragged=case == "real")
    calls = [compiled] * task.batches
    if isinstance(task, Encoder | Bags):
        calls = [functools.partial(compiled, **settings) for settings in on_device(task.data(case), variant)]
        batches = [(batch.ids.astype(np.int32), batch.offsets, batch.classes) for batch in task.data(case)]
    else:
        batches = [(task.tokens(batch), batch.offsets, batch.classes) for batch in task.data(case)]
    position = 0

    def run(count):
        nonlocal position
        for _ in range(count):
            number = position % len(batches)
            loss = calls[number](*batches[number], chainrule.Key.of(0, position).words)
            position += 1
        return loss.item()  # waits

    run.parameters = parameters
    run.kernels = lambda: attention_of(compiled)
    return run


def on_device(batches, variant):
    """What tells a step which rows on the device are a mini-batch, for each; as the trainer has it."""
    ids, lengths = (np.concatenate(parts) for parts in zip(*[(x.ids, x.lengths) for x in batches], strict=True))
    texts = Ragged(ids.astype(np.int32), np.concatenate([[0], np.cumsum(lengths)]))
    rows = Examples({"ids": texts, "classes": np.concatenate([batch.classes for batch in batches])})
    source = engine_named("xla" if variant in PRECISIONS else variant).source(rows)
    if source is None:
        return [{}] * len(batches)
    starts = np.cumsum([0, *(len(batch.classes) for batch in batches)])
    numbers = [np.arange(start, stop) for start, stop in itertools.pairwise(starts)]
    return [{"chosen": source.chosen(rows.take(some))} for some in numbers]


def attention_of(compiled):
    """What computes attention in what was compiled so far, in words; None for another engine."""
    if not hasattr(compiled, "kernels"):
        return None
    from chainrule.xla.forms.fused import FOUND

    refused = "".join(f" (kernel refused: {reason})" for reason in dict.fromkeys(FOUND.values()) if reason)
    return (", ".join(sorted(compiled.kernels)) or "products and a softmax, without a kernel") + refused


def compiled_by(variant, step, *, ragged):
    """The step as the engine of a variant runs it."""
    if variant not in PRECISIONS:
        return engine_named(variant).compile(step, ragged=ragged)
    # The tokens of a mini-batch vary; its texts do not, so that offsets and classes have a size, and a longest text.
    return engine_named("xla").compile(step, sizes=[("tokens", 0), ("", 1), None, None], precision=variant)
