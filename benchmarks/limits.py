"""How near compiled steps come to what bounds them: BLAS alone, and the memory of what is live.

    python benchmarks/limits.py [--rounds 15]

The first table has the matrix products of the wide MLP's training step, on one thread: the native part of a compiled
product beside SciPy's BLAS called by itself on the same matrices, in turns, medians of the rounds, in milliseconds. The
second has the bytes of the arena of each training step beside what lives in it at one time at most.
"""

import argparse
import os
import statistics
import sys
import time

SECONDS = 0.02


def products(rounds):
    """A line for each product of the step, and one for all."""
    import numpy as np
    from scipy.linalg.blas import sgemm

    import chainrule
    from chainrule.native.loops.steps import Product
    from chainrule.native.running.kernels import KERNELS
    from peers.chainrule_steps import make
    from peers.tasks import perceptron

    run = make(perceptron((512, 1024, 1024, 10), 256), "dense")
    run(1)
    totals = [0.0, 0.0]
    for step in run.stats.__self__._last.steps:  # noqa: SLF001 - a user has no use for it
        if not isinstance(step, Product):
            continue
        left, right = (np.random.default_rng(0).random(x.shape, np.float32) for x in (step.left, step.right))
        turned = step.left_transposed, step.right_transposed

        @chainrule.compile
        def multiply(a, b, turned=turned):
            return (a.T if turned[0] else a) @ (b.T if turned[1] else b)

        found = multiply(left, right).numpy()
        (table,) = [part[2] for part in multiply._last._parts]  # noqa: SLF001
        limited, out = KERNELS.limited, np.empty_like(found)

        def alone(a=left, b=right, turned=turned, out=out):
            # The transposed product is the same in BLAS's order of memory.
            sgemm(1, b.T, a.T, trans_a=turned[1], trans_b=turned[0], c=out.T, overwrite_c=1)

        alone()
        if not np.allclose(found, out, rtol=1e-4):
            sys.exit("the products differ")
        times = [[], []]
        for _ in range(rounds):
            for kept, call in zip(times, (lambda: limited(table), alone), strict=True):  # noqa: B023
                kept.append(measured(call))
        ours, blas = (statistics.median(x) * 1e3 for x in times)
        totals = [totals[0] + ours, totals[1] + blas]
        name = f"{step.output.shape} = {left.shape}{'ᵀ' * turned[0]} {right.shape}{'ᵀ' * turned[1]}"
        print(f"{name:50}{ours:10.3f}{blas:10.3f}{blas / ours:10.2f}")
    print(f"{'all':50}{totals[0]:10.3f}{totals[1]:10.3f}{totals[1] / totals[0]:10.2f}")


def measured(call):
    """Seconds of a call, the mean of as many as take a while."""
    count, started = 0, time.perf_counter()
    while (taken := time.perf_counter() - started) < SECONDS:
        call()
        count += 1
    return taken / count


def arenas():
    """A line for each training step."""
    from peers.chainrule_steps import make
    from peers.tasks import classifier, perceptron

    tasks = classifier(50_000), perceptron((64, 64, 10), 32), perceptron((512, 1024, 1024, 10), 256)
    for task, variant in ((tasks[0], "dense"), (tasks[0], "lazy"), (tasks[1], "dense"), (tasks[2], "dense")):
        run = make(task, variant)
        run(1)
        stats = run.stats()
        arena, live = stats["arena_bytes"], stats["live_bytes"]
        print(f"{f'{task.name}, {variant}':84}{arena:12,}{live:12,}{arena / live:8.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, help="of which the median is shown (default: %(default)s)")
    arguments = parser.parse_args()
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):  # some machines set them, and they slow OpenBLAS
        os.environ.pop(name, None)
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-1:])
    print(f"{'product':50}{'compiled':>10}{'BLAS':>10}{'share':>10}")
    products(arguments.rounds)
    print(f"\n{'training step':84}{'arena':>12}{'live':>12}{'ratio':>8}")
    arenas()


if __name__ == "__main__":
    main()
