"""A training step of a convolutional network over pictures of the size of MNIST, beside PyTorch.

    python benchmarks/convolution.py [--rounds 5]

64 pictures of 28 × 28; convolutions of 5 × 5 with 16 and 32 filters, each with a ReLU and pooled by 2; a linear map to
10 classes; Adam (PyTorch's fused). One thread, each system in a process of its own. Prints the median of the rounds, in
each of which both are measured.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time

STEPS = 20


def ours():
    import numpy as np

    import chainrule
    from chainrule.nn import Conv2d, Linear, MaxPool2d, cross_entropy
    from chainrule.optim import Adam

    generator = np.random.default_rng(0)
    first = Conv2d(1, 16, width=5, padding=2, generator=generator)
    second = Conv2d(16, 32, width=5, padding=2, generator=generator)
    pool, output = MaxPool2d(2), Linear(7 * 7 * 32, 10, generator=generator)
    parameters = [x for layer in (first, second, output) for x in layer.parameters()]
    optimizer = Adam(0.001)
    state = optimizer.start(parameters)

    def step(x, y):
        hidden = pool(chainrule.relu(second(pool(chainrule.relu(first(x))))))
        loss = cross_entropy(output(chainrule.reshape(hidden, (-1, 7 * 7 * 32))), y)
        optimizer.step(parameters, chainrule.gradients(loss, parameters), state)
        return loss

    compiled = chainrule.compile(step, threads=1)
    x, y = generator.normal(size=(64, 28, 28, 1)).astype(np.float32), generator.integers(10, size=64)
    return lambda: compiled(x, y).item()


def torchs():
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(1, 16, 5, padding=2), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
        torch.nn.Conv2d(16, 32, 5, padding=2), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
        torch.nn.Flatten(), torch.nn.Linear(7 * 7 * 32, 10),
    )  # fmt: skip
    optimizer = torch.optim.Adam(network.parameters(), fused=True)
    x, y = torch.randn(64, 1, 28, 28), torch.randint(10, (64,))

    def step():
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(network(x), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


SYSTEMS = {"chainrule": ours, "torch": torchs}


def measured(name):
    """Milliseconds of a step: the median of some, after two that warm up."""
    step = SYSTEMS[name]()
    step(), step()
    times = []
    for _ in range(STEPS):
        started = time.perf_counter()
        step()
        times.append(time.perf_counter() - started)
    return 1000 * statistics.median(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--one", choices=SYSTEMS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(measured(arguments.one))
        return
    environment = {k: v for k, v in os.environ.items() if k not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}
    found = {name: [] for name in SYSTEMS}
    for _ in range(arguments.rounds):
        for name in SYSTEMS:
            command = [sys.executable, __file__, "--one", name]
            found[name].append(float(subprocess.run(command, env=environment, check=True, capture_output=True).stdout))
    medians = {name: statistics.median(times) for name, times in found.items()}
    for name, value in medians.items():
        print(f"{name:10} {value:8.1f} ms a step   {value / medians['chainrule']:.2f} times chainrule's")


if __name__ == "__main__":
    main()
