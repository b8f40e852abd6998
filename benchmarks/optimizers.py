"""Milliseconds of one update of a million float32 parameters, by every elementwise optimizer, beside PyTorch's.

    python benchmarks/optimizers.py [--rounds 30] [--size 1000000]

chainrule's update is compiled; PyTorch's is its fused form where there is one for CPUs, else the foreach form. Each
system lives in a process of its own that is bound to one core, and they take turns, a short round each; medians are
shown. "Copy" is the time of copying as many bytes as the update reads and writes (parameter, gradient and what is
remembered; all but the gradient are written), at the bandwidth that copying arrays of this size reaches on this
machine: an update can hardly be faster. Peer: `pip install torch==2.13.0`.
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

ROUND_SECONDS = 0.03
#: chainrule's rule with its settings, PyTorch's class and settings, and how many arrays are remembered.
RULES = {
    "sgd": ("SGD", {}, "SGD", {"fused": True}, 0),
    "sgd, momentum": ("SGD", {"momentum": 0.9}, "SGD", {"momentum": 0.9, "fused": True}, 1),
    "adagrad": ("Adagrad", {}, "Adagrad", {"fused": True}, 1),
    "adadelta": ("Adadelta", {}, "Adadelta", {"foreach": True}, 2),
    "rmsprop": ("RMSprop", {}, "RMSprop", {"foreach": True}, 1),
    "rmsprop, momentum": ("RMSprop", {"momentum": 0.9}, "RMSprop", {"momentum": 0.9, "foreach": True}, 2),
    "adam": ("Adam", {}, "Adam", {"fused": True}, 2),
    "adamw": ("AdamW", {}, "AdamW", {"fused": True}, 2),
    "amsgrad": ("AMSGrad", {}, "Adam", {"amsgrad": True, "fused": True}, 3),
    "nadam": ("NAdam", {}, "NAdam", {"foreach": True}, 2),
    "radam": ("RAdam", {}, "RAdam", {"foreach": True}, 2),
    "adamax": ("Adamax", {}, "Adamax", {"foreach": True}, 2),
    "lion": ("Lion", {"weight_decay": 0.1}, None, {}, 1),
}


def chainrule_calls(size):
    """An update of each rule, compiled, on arrays of its own."""
    import numpy as np

    import chainrule

    draws = np.random.default_rng(0)
    values, slopes = draws.normal(size=(2, size)).astype(np.float32)

    def update(name, settings):
        weight, gradient = chainrule.Parameter.of(values), chainrule.Mutable.of(slopes)
        rule = getattr(chainrule, name)(learning_rate=1e-4, **settings)
        state = rule.start([weight])
        return chainrule.compile(lambda: rule.step([weight], [gradient], state) or [], threads=1)

    return {key: update(name, settings) for key, (name, settings, *_) in RULES.items()}


def torch_calls(size):
    """An update of each of PyTorch's optimizers."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)

    def update(name, settings):
        weight = torch.randn(size, requires_grad=True)
        weight.grad = torch.randn(size)
        return getattr(torch.optim, name)([weight], lr=1e-4, **settings).step

    return {key: update(name, settings) for key, (_, _, name, settings, _) in RULES.items() if name}


def copy_calls(size):
    """Copying as many bytes as an update reads and writes."""
    import numpy as np

    def copy(remembered):
        count = size * (2 * remembered + 3) // 2  # numbers that are read, and as many that are written
        source, target = np.ones(count, np.float32), np.zeros(count, np.float32)
        return partial(np.copyto, target, source)

    return {key: copy(remembered) for key, (*_, remembered) in RULES.items()}


SYSTEMS = {"chainrule": chainrule_calls, "torch": torch_calls, "copy": copy_calls}
PACKAGES = {"chainrule": "chainrule", "torch": "torch", "copy": "numpy"}


def serve(name, size):
    """The calls of a system, on one core."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-1:])
    calls = SYSTEMS[name](size)
    counts = {}
    for key, call in calls.items():
        one_round(call, 2)
        counts[key] = max(2, round(1e3 * ROUND_SECONDS / one_round(call, 3)))
    return list(calls), calls, counts, one_round


def one_round(call, count):
    """Milliseconds a call."""
    started = time.perf_counter()
    for _ in range(count):
        call()
    return 1e3 * (time.perf_counter() - started) / count


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30, help="of 30 ms for each update (default: %(default)s)")
    parser.add_argument("--size", type=int, default=1_000_000, help="parameters (default: %(default)s)")
    arguments = parser.parse_args()
    turns.prepare()
    turns.describe(["chainrule", "torch"])
    lines, calls = turns.started(partial(serve, size=arguments.size), PACKAGES)
    # By rule, not by system, so that systems take turns on the same one.
    order = [(name, key) for key in RULES for name in calls if key in calls[name]]
    found = {pair: statistics.median(rounds) for pair, rounds in turns.measured(lines, order, arguments.rounds).items()}
    print(f"{'ms an update':22}{'chainrule':>10}{'PyTorch':>10}{'copy':>10}{'to PyTorch':>12}{'to copy':>10}")
    for key in RULES:
        ours, theirs, copied = (found.get((name, key)) for name in ("chainrule", "torch", "copy"))
        peer = f"{theirs:10.3f}" if theirs else f"{'-':>10}"
        times = f"{theirs / ours:11.2f}x" if theirs else f"{'-':>12}"
        print(f"{key:22}{ours:10.3f}{peer}{copied:10.3f}{times}{ours / copied:9.2f}x")
    print(f"load {os.getloadavg()[0]:.2f}")


if __name__ == "__main__":
    main()
