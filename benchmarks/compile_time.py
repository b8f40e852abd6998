"""Seconds of the text classifier's first step, cold and warm, and of other hidden sizes after it, beside JAX.

    python benchmarks/compile_time.py [--vocabulary 50000] [--rounds 3]

Each line is a fresh process that takes the first step of a hidden size of 128, then of nine other hidden sizes: first
with an empty cache folder, then with the one that was left. The time of a first step is that of tracing, compiling or
loading, and running, with the modules that are imported on the way; importing the system, drawing weights and making
batches are not in it. Medians of fresh folders and processes; JAX keeps its compiled steps too. Behind the times stand
the kernels that LLVM compiled for each size.
"""

import argparse
import importlib
import multiprocessing
import os
import statistics
import tempfile
import time

from steps import TEXT, bind, prepare

HIDDEN = (128, 64, 96, 100, 144, 160, 192, 200, 256, 300)
#: Of the systems of `steps`, those that compile a step.
NAMES = ("chainrule", "chainrule, lazy=True", "JAX, jitted step", "JAX, jitted step, rows by hand")


def serve(line, system, vocabulary):
    """Seconds of the first step of every hidden size, and kernels compiled for it, where the system counts them."""
    from peers.tasks import classifier

    bind(1)
    make = importlib.import_module(f"peers.{system.module}").make
    for hidden in HIDDEN:
        run = make(classifier(vocabulary, hidden), system.variant)
        started = time.perf_counter()
        run(1)
        line.send((time.perf_counter() - started, run.stats()["kernels_compiled"] if hasattr(run, "stats") else None))


def first_steps(system, vocabulary):
    """What a fresh process says."""
    line, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=serve, args=(theirs, system, vocabulary), daemon=True)
    process.start()
    theirs.close()
    found = [line.recv() for _ in HIDDEN]
    process.join()
    return found


def show(name, runs):
    """A line: the first step, the slowest of the others, and kernels compiled; medians of the runs."""
    seconds = [statistics.median(step[0] for step in steps) for steps in zip(*runs, strict=True)]
    counts = [kernels for _, kernels in runs[-1]]
    new = [after - before for before, after in zip([0, *counts], counts, strict=False)] if None not in counts else []
    others = f"{statistics.median(seconds[1:]):8.3f} {max(seconds[1:]):8.3f}"
    print(f"{name:44} {seconds[0]:8.3f} {others}   {' '.join(map(str, new))}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vocabulary", type=int, default=50_000, help="rows of the table (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="fresh folders (default: %(default)s)")
    arguments = parser.parse_args()
    prepare(threads=1)
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"
    print(f"load {os.getloadavg()[0]:.2f}, {os.cpu_count()} cores; seconds; hidden sizes {', '.join(map(str, HIDDEN))}")
    print(f"{'':44} {'first':>8} {'others':>8} {'slowest':>8}   kernels compiled for each hidden size")
    for system in [system for system in TEXT if system.name in NAMES]:
        if not system.installed:
            print(f"{system.name:44} {system.package} is not installed")
            continue
        cold, warm = [], []
        for _ in range(arguments.rounds):
            with tempfile.TemporaryDirectory() as folder:
                os.environ["CHAINRULE_CACHE"] = os.environ["JAX_COMPILATION_CACHE_DIR"] = folder
                cold.append(first_steps(system, arguments.vocabulary))
                warm.append(first_steps(system, arguments.vocabulary))
        show(f"{system.name}, cold", cold)
        show(f"{system.name}, warm", warm)
    print(f"load {os.getloadavg()[0]:.2f}")


if __name__ == "__main__":
    main()
