"""What the processes of `accelerator.py` do: train and measure, compare losses and bits, find the device's peak."""

import hashlib
import importlib
import math
import os
import time
import traceback

#: How long a round is, about.
ROUND_SECONDS = 0.5
#: Steps before anything is measured.
WARM_UP = 80


def serve(line, environment, function, arguments):
    """What a worker's process does: it gets ready, then answers until the line is closed."""
    os.environ.update(environment)
    try:
        for answer in globals()[function](line, **arguments):
            line.send(answer)
    except (EOFError, BrokenPipeError):
        return
    except Exception:  # noqa: BLE001 - whatever it is, the parent shows it
        line.send(traceback.format_exc())


def train(line, module, task, variant, cases):
    """Compile each case; then a round of the case that is asked for, in milliseconds a step."""
    make = importlib.import_module(f"peers.{module}").make
    runs, counts = {}, {}
    for case in cases:
        run = runs[case] = make(task, case, variant)
        for _ in range(-(-WARM_UP // task.batches)):
            run(task.batches)  # compiles every size, and what a rule's later steps do otherwise than the first
        started = time.perf_counter()
        run(task.batches)
        each = (time.perf_counter() - started) / task.batches
        counts[case] = max(1, round(ROUND_SECONDS / each / task.batches)) * task.batches
    yield {case: run.kernels() for case, run in runs.items() if hasattr(run, "kernels")}
    while True:
        case = line.recv()
        runs[case](task.batches)
        started = time.perf_counter()
        runs[case](counts[case])
        yield 1000 * (time.perf_counter() - started) / counts[case]


def losses(line, module, task, variant, case, steps):  # noqa: ARG001 - as all that workers do
    """The losses of the first steps."""
    run = importlib.import_module(f"peers.{module}").make(task, case, variant)
    yield [run(1) for _ in range(steps)]


def peak(line, device):  # noqa: ARG001
    """Tera-operations a second of a large matrix product, by precision."""
    import torch

    where, size = ("cuda", 8192) if device else ("cpu", 1024)
    found = {}
    for name, dtype, allowed in (
        ("bfloat16", torch.bfloat16, "high"),
        ("tensorfloat32", torch.float32, "high"),
        ("float32", torch.float32, "highest"),
    ):
        torch.set_float32_matmul_precision(allowed)
        a, b = (torch.randn(size, size, device=where).to(dtype) for _ in range(2))
        best = math.inf
        for _ in range(6 if device else 2):
            started = time.perf_counter()
            for _ in range(5):
                c = a @ b
            float(c[0, 0])  # waits
            best = min(best, (time.perf_counter() - started) / 5)
        found[name] = 2 * size**3 / best / 1e12
    name = torch.cuda.get_device_name() if device else "processor cores"
    yield {"device": name, "peak": found}


def bits(line, task, variant, trainings, steps):  # noqa: ARG001
    """A digest of the weights after each of several trainings, each from the start."""
    make = importlib.import_module("peers.accelerated_chainrule").make
    found = []
    for _ in range(trainings):
        run = make(task, "real", variant)
        run(steps)
        digest = hashlib.sha256()
        for parameter in run.parameters:
            digest.update(parameter.numpy().tobytes())
        found.append(digest.hexdigest()[:12])
    yield found
