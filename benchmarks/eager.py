"""Microseconds of define-by-run: operations on small tensors, a gradient, and a small network, beside PyTorch.

    python benchmarks/eager.py [--rounds 100]

Nothing is compiled: an operation runs when its line does, and what it computed is there to look at. A training step of
the multi-layer perceptron is its loss, the gradients of all parameters and Adam's update. First each system computes
everything once from the same numbers, and all must agree. Each lives in a process of its own on one thread; they take
turns, many short rounds each, and the median round is shown, with the fastest. A time is the processor's, so that what
else runs disturbs it little. "÷" is PyTorch's time divided by chainrule's. Peer: `pip install torch==2.13.0`.
"""

import argparse
import os
import statistics
import sys
import time

try:
    from benchmarks.peers import turns
except ModuleNotFoundError:  # run as a file
    from peers import turns

ROUND_SECONDS = 0.01
SIZES, BATCH = (64, 64, 10), 32
NUMBERS = [1.0, 2.0, 3.0]
#: Relative difference of results in float32.
TOLERANCE = 1e-4
CALLS = {
    "a + b": "a + b of 3 numbers",
    "x * 2 + 1": "x * 2 + 1 of 3 numbers",
    "gradient": "(x * 2 + 1).sum() and its gradient",
    "forward": f"forward, MLP {' → '.join(map(str, SIZES))}, batch {BATCH}",
    "step": "training step of it, Adam",
}


def chainrule_calls(task):
    """Functions that call once, by name."""
    import numpy as np

    import chainrule
    from chainrule.nn import Linear, Sequential
    from peers.chainrule_steps import make

    inputs, hidden, outputs = task.sizes
    generator = np.random.default_rng(0)
    first, second = Linear(inputs, hidden, generator=generator), Linear(hidden, outputs, generator=generator)
    network, batch = Sequential(first, chainrule.relu, second), chainrule.tensor(task.data()[0][0])
    for parameter, value in zip(network.parameters(), task.weights(), strict=True):
        parameter.assign(value)
    a, x = chainrule.tensor(NUMBERS), chainrule.tensor(NUMBERS)
    step = make(task, "eager")
    return {
        "a + b": lambda: a + x,
        "x * 2 + 1": lambda: x * 2 + 1,
        "gradient": lambda: chainrule.grad((x * 2 + 1).sum(), x),
        "forward": lambda: network(batch),
        "step": lambda: step(1),
    }


def torch_calls(task):
    """The same; operations alone record no graph here, of which no gradient could be asked."""
    import torch

    from peers.torch_steps import Network, make

    network, batch = Network(task, sparse=False), torch.from_numpy(task.data()[0][0])
    network.assign(task.weights())
    a, x = torch.tensor(NUMBERS), torch.tensor(NUMBERS)
    step = make(task, "default")
    return {
        "a + b": lambda: a + x,
        "x * 2 + 1": lambda: x * 2 + 1,
        "forward": lambda: network(batch),
        "step": lambda: step(1),
    }


def torch_calls_with_graph(task):
    """Operations that record a graph, as chainrule's always do, and the gradient; the step with the fused Adam."""
    import torch

    from peers.torch_steps import make

    a, x = torch.tensor(NUMBERS), torch.tensor(NUMBERS, requires_grad=True)
    step = make(task, "fused")
    return {
        "a + b": lambda: a + x,
        "x * 2 + 1": lambda: x * 2 + 1,
        "gradient": lambda: torch.autograd.grad((x * 2 + 1).sum(), x)[0],
        "step": lambda: step(1),
    }


SYSTEMS = {
    "chainrule": ("chainrule", chainrule_calls),
    "PyTorch": ("torch", torch_calls),
    "PyTorch, requires_grad, fused": ("torch", torch_calls_with_graph),
}


def serve(name):
    """The calls of a system; what it says first is what each of them computes."""
    from peers.tasks import perceptron

    calls = SYSTEMS[name][1](perceptron(SIZES, BATCH))
    results = {key: as_numbers(call()) for key, call in calls.items()}
    return results, calls, {key: calibrate(call) for key, call in calls.items()}, one_round


def as_numbers(result):
    import numpy as np

    return np.array(result.detach() if hasattr(result, "detach") else result)


def one_round(call, count):
    """Microseconds a call."""
    started = time.process_time()
    for _ in range(count):
        call()
    return 1e6 * (time.process_time() - started) / count


def calibrate(call):
    one_round(call, 10)
    return max(3, round(1e6 * ROUND_SECONDS / one_round(call, 100)))


def measure(rounds):
    """Rounds of every call of every installed system, in turns."""
    import numpy as np

    lines, results = turns.started(serve, {name: package for name, (package, _) in SYSTEMS.items()})
    for name, computed in results.items():
        for key, result in computed.items():
            expected = results["chainrule"][key]
            if not np.allclose(result, expected, rtol=TOLERANCE, atol=TOLERANCE):
                sys.exit(f"{name} does not compute what chainrule does: {key} gives {result}, not {expected}")
    return turns.measured(lines, [(name, key) for name in results for key in results[name]], rounds)


def show(found):
    print(f"{'µs a call':44}{'median':>10}{'fastest':>10}{'÷':>8}")
    for key, title in CALLS.items():
        print(title)
        ours = statistics.median(found["chainrule", key])
        for (name, called), rounds in found.items():
            if called == key:
                median = statistics.median(rounds)
                print(f"  {name:42}{median:10.2f}{min(rounds):10.2f}{median / ours:8.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=100, help="of 10 ms for each call (default: %(default)s)")
    arguments = parser.parse_args()
    turns.prepare()
    turns.describe(dict.fromkeys(package for package, _ in SYSTEMS.values()))
    show(measure(arguments.rounds))
    print(f"load {os.getloadavg()[0]:.2f}")


if __name__ == "__main__":
    main()
