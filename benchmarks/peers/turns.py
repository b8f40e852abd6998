"""Systems that take turns: each in a process of its own, which does a short round of a call whenever it is asked.

The two benchmarks of single calls, `call_overhead.py` and `eager.py`, are made of this.
"""

import importlib.metadata
import importlib.util
import multiprocessing
import os
import sys
import traceback

#: Of packages whose distribution has another name, that name.
DISTRIBUTIONS = {"dynet": "dynet38"}


def prepare():
    """One thread for all that is started from here on."""
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):  # some machines set them, and they slow OpenBLAS
        os.environ.pop(name, None)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NPROC"):  # NPROC: JAX's threads
        os.environ[name] = "1"
    multiprocessing.set_start_method("spawn")


def describe(packages):
    """Print which versions are compared; name what is not installed."""
    found = {name: importlib.util.find_spec(name) is not None for name in packages}
    versions = {name: importlib.metadata.version(DISTRIBUTIONS.get(name, name)) for name in found if found[name]}
    print(", ".join(f"{name} {version}" for name, version in versions.items()))
    for name in (name for name in found if not found[name]):
        print(f"{name} is not installed")
    print(f"load {os.getloadavg()[0]:.2f}, {os.cpu_count()} cores")


def started(serve, systems):
    """A line to the process of each system whose package is installed, and what it said first, by name."""
    lines, first = {}, {}
    for name, package in systems.items():
        if importlib.util.find_spec(package) is not None:
            lines[name], theirs = multiprocessing.Pipe()
            multiprocessing.Process(target=_serve, args=(theirs, serve, name), daemon=True).start()
            theirs.close()
            first[name] = _answer(lines[name])
    return lines, first


def measured(lines, calls, rounds):
    """What each round took, by system and call: all of them once, then all again."""
    found = {call: [] for call in calls}
    for _ in range(rounds):
        for (name, key), held in found.items():
            lines[name].send(key)
            held.append(_answer(lines[name]))
    for line in lines.values():
        line.close()
    return found


def _serve(line, serve, name):
    """What the process does: `serve(name)` gives what is said first, the calls, how many make a round, and a round."""
    try:
        first, calls, counts, one_round = serve(name)
        line.send(first)
        while True:
            key = line.recv()
            one_round(calls[key], max(1, counts[key] // 10))  # the others have emptied the caches
            line.send(one_round(calls[key], counts[key]))
    except EOFError:
        return
    except Exception:  # noqa: BLE001 - whatever it is, the parent shows it
        line.send(traceback.format_exc())


def _answer(line):
    held = line.recv()
    if isinstance(held, str):
        sys.exit(held)
    return held
