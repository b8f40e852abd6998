"""Agreement of the engines, at length: 100 steps of each learner in float64 and float32, and random graphs on XLA.

`make xla` runs all; `python -m tests.xla --steps 20 --graphs 50 lstm` less, of some learners.
"""

import argparse
import sys
import time

from chainrule.engines import engine_named
from tests.native.test_random_graphs import run
from tests.xla.agreement import LEARNED, TOLERANCE, furthest


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("learners", nargs="*", help="which (default: all)")
    parser.add_argument("--steps", type=int, default=100, help="of each training (default: %(default)s)")
    parser.add_argument("--graphs", type=int, default=300, help="random ones (default: %(default)s)")
    arguments = parser.parse_args()
    trainings = [
        (name, task, dtype)
        for name, task in LEARNED
        for dtype in TOLERANCE
        if not arguments.learners or name in arguments.learners
    ]
    agreeing = 0
    for name, task, dtype in trainings:
        started = time.perf_counter()
        apart = furthest(name, task, dtype, arguments.steps)
        agrees = apart <= TOLERANCE[dtype]
        agreeing += agrees
        seconds = time.perf_counter() - started
        print(f"{'' if agrees else 'NOT '}{name} {task} {dtype}: {apart:.1e} apart, {seconds:.0f} s", flush=True)
    print(f"{agreeing} of {len(trainings)} trainings agree")
    if arguments.graphs:
        run(arguments.graphs, compile=engine_named("xla").compile)  # raises where one does not agree
        print(f"{arguments.graphs} random graphs agree")
    return int(agreeing < len(trainings))


if __name__ == "__main__":
    sys.exit(main())
