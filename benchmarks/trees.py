"""Trees a second in training: a binary TreeLSTM, chainrule beside DyNet's automatic batching and PyTorch by hand.

    python benchmarks/trees.py [--rounds 9] [--trees 640]

The network is that of Tai et al. (2015) with two children a node: 128 numbers a word and a state, five classes at the
root, cross-entropy and Adam, 64 trees a step. Trees are random, with 19 leaves on average, as in the Stanford Sentiment
Treebank; words are drawn by Zipf's law from 10,000. chainrule and DyNet are given a recursion over one tree. In PyTorch
the batching is written by hand: the nodes of all trees that have the same height are one step. All three have the trees
of the round seen before, in other batches.

Each system lives in a process of its own that is bound to one core, and they take turns. What counts is the processor's
time of the process, so that other work on the machine disturbs less; medians are shown. "scheduling" is what chainrule
takes to decide what is computed together, as a share of the step, and "first" the trees a second of an epoch of trees
that were never seen, which are recorded first. `--words all-different` has no word twice in a batch: equal words are
computed once by chainrule alone.
Peers: `pip install torch==2.13.0 dynet38==2.2`; one that is not installed is named and left out. `dynet38` is
DyNet as its makers wrote it, as wheels for newer versions of Python.
"""

import argparse
import os
import statistics
import time
from functools import partial

try:
    from benchmarks.peers import turns
except ModuleNotFoundError:  # run as a file
    from peers import turns

HIDDEN, WORDS, CLASSES, BATCH, LEARNING_RATE = 128, 10_000, 5, 64, 1e-3
PACKAGES = {"chainrule": "chainrule", "dynet": "dynet", "torch": "torch"}


def data(trees, words):
    """Trees as nested pairs of words, each with its class."""
    import numpy as np

    draws = np.random.default_rng(0)
    often = 1 / np.arange(1, WORDS + 1)
    leaves = np.maximum(2, draws.normal(19, 6, trees).astype(int))
    drawn = iter(draws.choice(WORDS, leaves.sum(), p=often / often.sum()).tolist())
    if words == "all-different":
        drawn = iter((np.arange(leaves.sum()) % WORDS).tolist())

    def tree(size):
        if size == 1:
            return next(drawn)
        left = int(draws.integers(1, size))
        return tree(left), tree(size - left)

    return [(tree(size), int(draws.integers(CLASSES))) for size in leaves.tolist()]


def epochs(examples, step):
    """A function that takes one epoch after another, each in another order, and returns the last loss."""
    import numpy as np

    draws = np.random.default_rng(1)

    def epoch():
        order = draws.permutation(len(examples)).tolist()
        for first in range(0, len(order) - BATCH + 1, BATCH):
            loss = step([examples[i] for i in order[first : first + BATCH]])
        return loss

    return epoch


def chainrule_step():
    """The step, and the batched function."""
    import numpy as np

    import chainrule
    from chainrule import nn

    generator = np.random.default_rng(0)
    words = nn.Embedding(WORDS, HIDDEN, generator=generator)
    tree = nn.TreeLSTM(HIDDEN, HIDDEN, generator=generator)
    output = nn.Linear(HIDDEN, CLASSES, generator=generator)

    def state(node):
        return tree(words(node)) if isinstance(node, int) else tree(None, state(node[0]), state(node[1]))

    def network(example):
        h, _ = state(example[0])
        return output(h), example[1]

    layers = words, tree, output
    parameters = [x for layer in layers for x in layer.parameters() if x is not tree.forget_weight]
    optimizer = chainrule.Adam(LEARNING_RATE)
    moments = optimizer.start(parameters)

    def learn(logits, classes):
        loss = nn.cross_entropy(logits, classes)
        optimizer.step(parameters, chainrule.gradients(loss, parameters), moments)
        return loss

    step = chainrule.batched(network, then=learn, threads=1)
    return lambda batch: step(batch).item(), step


def dynet_step():
    """DyNet, with automatic batching."""
    import dynet_config

    dynet_config.set(mem=1024, autobatch=1, random_seed=1)
    import dynet as dy

    model = dy.ParameterCollection()
    trainer = dy.AdamTrainer(model, LEARNING_RATE)
    words = model.add_lookup_parameters((WORDS, HIDDEN))
    input_weight, bias = model.add_parameters((3 * HIDDEN, HIDDEN)), model.add_parameters(3 * HIDDEN)
    state_weight, state_bias = model.add_parameters((5 * HIDDEN, 2 * HIDDEN)), model.add_parameters(5 * HIDDEN)
    weight, last = model.add_parameters((CLASSES, HIDDEN)), model.add_parameters(CLASSES)

    def part(x, number, count=1):
        return dy.pick_range(x, number * HIDDEN, (number + count) * HIDDEN)

    def state(node):
        if isinstance(node, int):
            gates = dy.affine_transform([bias, input_weight, words[node]])
            opened = dy.logistic(part(gates, 0, 2))
            c = dy.cmult(part(opened, 0), dy.tanh(part(gates, 2)))
        else:
            (left, c_left), (right, c_right) = state(node[0]), state(node[1])
            gates = dy.affine_transform([state_bias, state_weight, dy.concatenate([left, right])])
            opened = dy.logistic(part(gates, 0, 4))
            c = dy.cmult(part(opened, 0), dy.tanh(part(gates, 4)))
            c += dy.cmult(part(opened, 2), c_left) + dy.cmult(part(opened, 3), c_right)
        return dy.cmult(part(opened, 1), dy.tanh(c)), c

    def step(batch):
        dy.renew_cg()
        outputs = [dy.affine_transform([last, weight, state(tree)[0]]) for tree, _ in batch]
        losses = [dy.pickneglogsoftmax(x, answer) for x, (_, answer) in zip(outputs, batch, strict=True)]
        loss = dy.esum(losses) / len(batch)
        value = loss.value()
        loss.backward()
        trainer.update()
        return value

    step.model = model  # the trainer does not keep it alive
    return step


def levels(tree):
    """The words of a tree's leaves; and of its inner nodes the height and both children, as numbers of its nodes."""
    words, inner = [], []

    def visit(node):
        if isinstance(node, int):
            words.append(node)
            return 0, ("leaf", len(words) - 1)
        left, right = visit(node[0]), visit(node[1])
        inner.append((1 + max(left[0], right[0]), left[1], right[1]))
        return inner[-1][0], ("inner", len(inner) - 1)

    visit(tree)
    count = len(words)
    place = {"leaf": 0, "inner": count}
    return words, [(h, *(place[kind] + i for kind, i in (left, right))) for h, left, right in inner]


def torch_step(examples):
    """PyTorch, batched by hand: all nodes of one height together."""
    import numpy as np
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    words, leaf = torch.nn.Embedding(WORDS, HIDDEN), torch.nn.Linear(HIDDEN, 3 * HIDDEN)
    inner, output = torch.nn.Linear(2 * HIDDEN, 5 * HIDDEN), torch.nn.Linear(HIDDEN, CLASSES)
    parameters = [x for layer in (words, leaf, inner, output) for x in layer.parameters()]
    optimizer = torch.optim.Adam(parameters, LEARNING_RATE, fused=True)
    known = {}
    for tree, _ in examples:  # what does not change from epoch to epoch is found out once
        leaves, nodes = levels(tree)
        known[id(tree)] = np.array(leaves), np.array(nodes).reshape(-1, 3)

    def step(batch):
        found = [known[id(tree)] for tree, _ in batch]
        counts = np.array([len(leaves) for leaves, _ in found])
        total, first_leaf = counts.sum(), np.cumsum(counts) - counts
        first_inner = total + first_leaf - np.arange(len(batch))  # a tree has one inner node less than leaves
        nodes = np.concatenate([nodes for _, nodes in found])
        of = np.repeat(np.arange(len(batch)), counts - 1)
        children = nodes[:, 1:]
        children = children + np.where(
            children < counts[of, None], first_leaf[of, None], (first_inner - counts)[of, None]
        )
        order = np.argsort(nodes[:, 0], kind="stable")
        rank = np.arange(total + len(order))
        rank[total + order] = total + np.arange(len(order))
        children = torch.from_numpy(rank[children[order]])
        roots = torch.from_numpy(rank[first_inner + counts - 2])
        sizes = np.bincount(nodes[:, 0])[1:]

        i, o, u = leaf(words(torch.from_numpy(np.concatenate([leaves for leaves, _ in found])))).chunk(3, 1)
        c = torch.sigmoid(i) * torch.tanh(u)
        every = torch.cat([torch.sigmoid(o) * torch.tanh(c), c], 1)
        start = 0
        for size in sizes.tolist():
            rows = children[start : start + size]
            left, right = every[rows[:, 0]], every[rows[:, 1]]
            gates = inner(torch.cat([left[:, :HIDDEN], right[:, :HIDDEN]], 1))
            i, o, f, g = torch.sigmoid(gates[:, : 4 * HIDDEN]).chunk(4, 1)
            c = i * torch.tanh(gates[:, 4 * HIDDEN :]) + f * left[:, HIDDEN:] + g * right[:, HIDDEN:]
            every = torch.cat([every, torch.cat([o * torch.tanh(c), c], 1)])
            start += size
        classes = torch.tensor([answer for _, answer in batch])
        loss = torch.nn.functional.cross_entropy(output(every[roots, :HIDDEN]), classes)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def serve(name, trees, words):
    """See `turns`: what is said first are the loss after two epochs, and the trees a second of the first."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-1:])
    examples = data(trees, words)
    calls = {}
    if name == "chainrule":
        step, batched = chainrule_step()
        step(data(2 * BATCH, words)[-BATCH:])  # compiles
        calls["scheduling"] = epochs(examples, lambda batch: len(batched.schedule(batch).arrays))
    else:
        step = dynet_step() if name == "dynet" else torch_step(examples)
        if name == "torch":
            step(examples[:BATCH])
    calls["training"] = epochs(examples, step)
    first = one_round(calls["training"], 1) / (trees // BATCH * BATCH)
    return (calls["training"](), 1 / first), calls, dict.fromkeys(calls, 1), one_round


def one_round(call, count):
    """Seconds of the processor for so many epochs."""
    started = time.process_time()
    for _ in range(count):
        call()
    return (time.process_time() - started) / count


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help="of an epoch (default: %(default)s)")
    parser.add_argument("--trees", type=int, default=640, help="in an epoch (default: %(default)s)")
    parser.add_argument("--words", choices=["zipf", "all-different"], default="zipf")
    arguments = parser.parse_args()
    turns.prepare()
    turns.describe(["chainrule", "dynet", "torch"])
    lines, first = turns.started(partial(serve, trees=arguments.trees, words=arguments.words), PACKAGES)
    order = [*((name, "training") for name in lines), ("chainrule", "scheduling")]
    rounds = turns.measured(lines, order, arguments.rounds)
    found = {pair: statistics.median(seconds) for pair, seconds in rounds.items()}
    count = arguments.trees // BATCH * BATCH
    ours = found["chainrule", "training"]
    print(f"{'':12}{'trees/s':>10}{'first':>10}{'loss':>8}{'chainrule is':>15}")
    for name in lines:
        loss, fresh = first[name]
        times = found[name, "training"] / ours
        print(f"{name:12}{count / found[name, 'training']:10.0f}{fresh:10.0f}{loss:8.3f}{times:14.2f}x")
    print(f"scheduling: {found['chainrule', 'scheduling'] / ours:.1%} of a step")
    print(f"load {os.getloadavg()[0]:.2f}")


if __name__ == "__main__":
    main()
