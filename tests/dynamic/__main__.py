"""Random graphs, many: `python -m tests.dynamic --count 1000`; see `graphs.py`."""

import argparse
import time

import numpy as np

from tests.dynamic.graphs import Network, batched_with_gradients, check, draw


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="graphs (default: %(default)s)")
    parser.add_argument("--batch", type=int, default=125, help="graphs a batch (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=None, help="of the draws (default: a new one)")
    arguments = parser.parse_args()
    seed = arguments.seed
    if seed is None:
        seed = int(np.random.default_rng().integers(2**31))
    print(f"seed {seed}")
    generator = np.random.default_rng(seed)
    network = Network(seed)
    engines = {engine: batched_with_gradients(network, engine) for engine in ("eager", "native")}
    for first in range(0, arguments.count, arguments.batch):
        examples = [draw(generator) for _ in range(min(arguments.batch, arguments.count - first))]
        for engine, batched in engines.items():
            started = time.perf_counter()
            check(network, examples, batched)
            print(
                f"{engine}: graphs {first} to {first + len(examples) - 1} agree, {time.perf_counter() - started:.1f} s"
            )


if __name__ == "__main__":
    main()
