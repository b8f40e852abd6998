"""What `import chainrule` costs, beside its peers: seconds and resident memory of a fresh process.

    python benchmarks/startup.py

Each import runs in a process of its own, in turn, several times; medians. A peer that is not installed is named.
"""

import importlib.util
import statistics
import subprocess
import sys

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


def main():
    there = [module for module in MODULES if importlib.util.find_spec(module.partition(".")[0])]
    figures = {module: [] for module in there}
    for _ in range(RUNS):
        for module in there:
            run = subprocess.run(
                [sys.executable, "-c", CODE.format(module=module)], capture_output=True, text=True, check=True
            )
            figures[module].append([float(x) for x in run.stdout.split()])
    print(f"{'import':24} {'seconds':>8} {'MB':>6}   (median of {RUNS} fresh processes)")
    for module, runs in figures.items():
        seconds, peak = (statistics.median(column) for column in zip(*runs, strict=True))
        print(f"{module:24} {seconds:8.3f} {peak / 1e6:6.0f}")
    for module in MODULES:
        if module not in there:
            print(f"{module:24} not installed")


if __name__ == "__main__":
    main()
