"""What people wait for: seconds and resident memory of fresh processes.

    python benchmarks/startup.py [TABLE]

Imports, beside those of peers (one that is not installed is named); then, from Enter, `chainrule --help`, `chainrule
predict MODEL TEXT`, and `chainrule train TABLE` up to the first epoch's progress (default: .data/sentences.csv, from
`make data`). Each is a process of its own, several times; medians, of wall clock and of processor time. Modules are
compiled to bytecode and kernels are kept, as after the first use, whose time stands beside (it compiles the kernels of
a training).
"""

import argparse
import importlib.util
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import chainrule

CODE = """
import time
start = time.perf_counter()
import {module}
seconds = time.perf_counter() - start
import resource, sys
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
print(seconds, peak)
"""
MODULES = ("chainrule", "numpy", "chainrule.cli.main", "chainrule.train", "sklearn.linear_model", "torch", "jax")
RUNS = 7
#: Python compiles modules anew in each process where this is set.
BYTECODE = "PYTHONDONTWRITEBYTECODE"


def until(words, seen, environment):
    """From starting a command until it has printed something (None: until it has ended): seconds, and CPU seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    command = [sys.executable, "-m", "chainrule", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment) as process:
        found = b""
        while piece := os.read(process.stdout.fileno(), 1 << 16):
            found += piece
            if seen is not None and seen in found:
                process.kill()
                break
        seconds = time.perf_counter() - started
    if seen is not None and seen not in found:
        raise SystemExit(found.decode())
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def commands(table):
    """Print how long commands take."""
    with tempfile.TemporaryDirectory() as place:
        environment = {**os.environ, "CHAINRULE_CACHE": f"{place}/cache"}
        environment.pop(BYTECODE, None)
        rows, training = chainrule.read_table(table), chainrule.Training(epochs=1)
        for learner in (chainrule.BagOfWords(), chainrule.FeedForward()):
            chainrule.fit(learner, rows, training=training, seed=0).model.save(f"{place}/{learner.name}")
        waits = {"chainrule --help": (["--help"], None)}
        for name in ("bow", "ffnn"):
            waits[f"chainrule predict {name} TEXT"] = (["predict", f"{place}/{name}", "so good a film"], None)
        for name in ("bow", "ffnn"):
            words = ["train", table, "--learner", name, "--out"]
            waits[f"chainrule train, {name}, epoch 1"] = (words, b"epoch 1")
        print(f"\n{'command':34} {'first':>8} {'seconds':>8} {'CPU':>6}   (then medians of {RUNS})")
        for what, (words, seen) in waits.items():
            seconds = []
            for number in range(1 + RUNS):
                out = [f"{place}/{words[-2]}-{number}"] if seen else []
                seconds.append(until([*words, *out], seen, environment))
            (first, _), *rest = seconds
            wall, processor = (statistics.median(column) for column in zip(*rest, strict=True))
            print(f"{what:34} {first:8.2f} {wall:8.2f} {processor:6.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", nargs="?", default=".data/sentences.csv")
    table = parser.parse_args().table
    environment = {name: value for name, value in os.environ.items() if name != BYTECODE}
    there = [module for module in MODULES if importlib.util.find_spec(module.partition(".")[0])]
    figures = {module: [] for module in there}
    for _ in range(RUNS):
        for module in there:
            run = subprocess.run(
                [sys.executable, "-c", CODE.format(module=module)],
                capture_output=True, text=True, check=True, env=environment,
            )  # fmt: skip
            figures[module].append([float(x) for x in run.stdout.split()])
    print(f"{'import':24} {'seconds':>8} {'MB':>6}   (median of {RUNS} fresh processes)")
    for module, runs in figures.items():
        seconds, peak = (statistics.median(column) for column in zip(*runs, strict=True))
        print(f"{module:24} {seconds:8.3f} {peak / 1e6:6.0f}")
    for module in MODULES:
        if module not in there:
            print(f"{module:24} not installed")
    if Path(table).is_file():
        commands(table)
    else:
        print(f"{table} is not there: `make data` makes the film sentences")


if __name__ == "__main__":
    main()
