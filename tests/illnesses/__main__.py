"""Many illnesses and healthy trainings: `make illnesses`, or `python -m tests.illnesses --seed 7 --count 32 NAME`."""

from __future__ import annotations

import argparse
import secrets
import sys

import numpy as np

from tests.illnesses.provoked import PROVOKED, healthy

#: Of a hundred illnesses so many are to be found, and of a hundred healthy trainings so many may be called ill.
FOUND, ALARMS = 0.95, 0.01


def main() -> int:
    """Provoke illnesses and run healthy trainings from one seed, which is printed first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(PROVOKED)}, healthy (default: all)")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32), help="of all draws (default: a new one)")
    parser.add_argument("--count", type=int, default=100, help="illnesses, and healthy trainings")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    names = [name for name in PROVOKED if not arguments.names or name in arguments.names]
    missed = 0
    for i in range(arguments.count if names else 0):
        name = names[i % len(names)]
        said = PROVOKED[name](np.random.default_rng([arguments.seed, i]), i)
        if name not in said:
            missed += 1
            print(f"{i}: {name} was not found; found were {said or 'none'}", flush=True)
    alarms = 0
    if not arguments.names or "healthy" in arguments.names:
        for i in range(arguments.count):
            said = healthy(np.random.default_rng([arguments.seed, i, 1]), i)
            alarms += bool(said)
            if said:
                print(f"{i}: healthy, and found were {said}", flush=True)
    print(
        f"{missed} of {arguments.count} illnesses missed, {alarms} false alarms in {arguments.count} healthy trainings"
    )
    return int(missed > (1 - FOUND) * arguments.count or alarms > ALARMS * arguments.count)


if __name__ == "__main__":
    sys.exit(main())
