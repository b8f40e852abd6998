"""What may happen to a server, many times: `python -m tests.serve [--seed N] [--count 10000]`, or `make serving`.

Malformed requests, from a seed that is printed first, and then servers that are told to end with requests in flight. It
ends with code 1 where a server did, or showed a traceback, or lost a request.
"""

import argparse
import asyncio
import re
import secrets
import subprocess
import sys
from pathlib import Path

from tests.serve.attacks import attack, in_flight

MODEL = Path(__file__).parents[1] / "models" / "saved" / "0.2.0-bow"


def served(*words):
    """A server, and its port."""
    command = [sys.executable, "-m", "chainrule", "serve", str(MODEL), "--port", "0", *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    (port,) = re.findall(r":(\d+)/", process.stdout.readline())
    return process, int(port)


def main():
    """Do it, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1 << 32))
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--ends", type=int, default=10, help="servers that are told to end")
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    process, port = served()
    statuses, tracebacks = asyncio.run(attack(port, given.count, given.seed))
    runs = process.poll() is None
    process.terminate()
    _, errors = process.communicate(timeout=60)
    print(
        f"{given.count:,} malformed requests: {dict(statuses)}, {tracebacks} tracebacks; it ran on: {runs}; {errors!r}"
    )
    good = runs and not tracebacks and not errors and process.returncode == 0
    for _ in range(given.ends):
        process, port = served("--waiting", "100000")
        answered = asyncio.run(in_flight(port, process))
        _, errors = process.communicate(timeout=60)
        print(f"told to end with 20 requests in flight: {answered} answered, code {process.returncode}, {errors!r}")
        good &= answered == 20 and process.returncode == 0 and not errors
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
