"""Microseconds that one call of a compiled function costs beside its work: a trivial one and a small training step.

    python benchmarks/call_overhead.py [--rounds 200]

For chainrule, "native" is the native part of the call by itself, and "Python" the rest. Peers do the same work, on
arrays of their own, by JAX's jitted call and PyTorch's eager one: what they show is the whole call, as they have no
part that could be timed alone. Each system lives in a process of its own that is bound to one core; they take turns,
many short rounds each, and the fastest and the median round are shown. A result is waited for only at the end of a
round, as a loop of training would. Peers: `pip install torch==2.13.0 jax==0.10.2`; one that is not installed is named.
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

ROUND_SECONDS = 0.01
SIZES, BATCH = (64, 64, 10), 32


def chainrule_calls():
    """Functions that call once, by name; of the native part alone, too."""
    import numpy as np

    import chainrule
    from chainrule.native.running.kernels import KERNELS
    from peers.chainrule_steps import make
    from peers.tasks import perceptron

    def native(compiled):
        (part,) = [table for _, _, table, _ in compiled._last._parts]  # noqa: SLF001 - a user has no use for it alone
        limited = KERNELS.limited
        return lambda: limited(part)

    double, numbers = chainrule.compile(lambda x: x * 2), np.ones(3, np.float32)
    double(numbers)
    run = make(perceptron(SIZES, BATCH), "dense")
    run(1)
    step = run.stats.__self__
    inputs, classes = (x[0] for x in perceptron(SIZES, BATCH).data())
    return {
        "x * 2": lambda: double(numbers),
        "x * 2, native": native(double),
        "step": lambda: step(inputs, classes),
        "step, native": native(step),
    }, lambda _: None


def jax_calls():
    """JAX returns before it is done; a round ends when it is."""
    import jax
    import jax.numpy as jnp

    from peers.jax_steps import make
    from peers.tasks import perceptron

    double, numbers = jax.jit(lambda x: x * 2), jnp.ones(3, jnp.float32)
    run = make(perceptron(SIZES, BATCH), "step")
    return {"x * 2": lambda: double(numbers), "step": Steps(run)}, jax.block_until_ready


def torch_calls():
    """Eager, the optimizer fused."""
    import torch

    from peers.tasks import perceptron
    from peers.torch_steps import make

    numbers = torch.ones(3)
    return {"x * 2": lambda: numbers * 2, "step": Steps(make(perceptron(SIZES, BATCH), "fused"))}, lambda _: None


class Steps:
    """A peer's training, which takes many steps by itself."""

    def __init__(self, run):
        self.run = run


SYSTEMS = {"chainrule": chainrule_calls, "jax": jax_calls, "torch": torch_calls}


def serve(name):
    """The calls of a system, on one core."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-1:])
    calls, wait = SYSTEMS[name]()
    counts = {key: calibrate(call, wait) for key, call in calls.items()}
    return list(calls), calls, counts, partial(one_round, wait=wait)


def one_round(call, count, wait):
    """Microseconds a call."""
    started = time.perf_counter()
    if isinstance(call, Steps):
        call.run(count)
    else:
        for _ in range(count):
            result = call()
        wait(result)
    return 1e6 * (time.perf_counter() - started) / count


def calibrate(call, wait):
    one_round(call, 10, wait)
    return max(10, round(1e6 * ROUND_SECONDS / one_round(call, 100, wait)))


def measure(rounds):
    """Rounds of every call of every installed system, in turns."""
    lines, calls = turns.started(serve, {name: name for name in SYSTEMS})
    return turns.measured(lines, [(name, key) for name in calls for key in calls[name]], rounds)


def show(found):
    print(f"{'µs a call':40}{'fastest':>10}{'median':>10}")
    for what, title in (
        ("x * 2", "x * 2 of 3 numbers"),
        ("step", f"training step, MLP {' → '.join(map(str, SIZES))}, batch {BATCH}, Adam"),
    ):
        print(title)
        for (name, key), rounds in found.items():
            if key == what:
                line(name, min(rounds), statistics.median(rounds))
        whole, native = (found["chainrule", key] for key in (what, f"{what}, native"))
        line("chainrule, native", min(native), statistics.median(native))
        rest = [a - b for a, b in zip(whole, native, strict=True)]  # of rounds that came one after the other
        line("chainrule, Python", min(whole) - min(native), statistics.median(rest))


def line(name, fastest, median):
    print(f"  {name:38}{fastest:10.2f}{median:10.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200, help="of 10 ms for each call (default: %(default)s)")
    arguments = parser.parse_args()
    turns.prepare()
    turns.describe(SYSTEMS)
    show(measure(arguments.rounds))
    print(f"load {os.getloadavg()[0]:.2f}")


if __name__ == "__main__":
    main()
