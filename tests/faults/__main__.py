"""Many faults: `make faults`, or some of them: `python -m tests.faults --seed 7 --count 50 folders tables`."""

from __future__ import annotations

import argparse
import secrets
import tempfile
import time
from pathlib import Path

from tests.faults.expressions import run_expressions
from tests.faults.folders import run_folders
from tests.faults.processes import run_kills, run_signals
from tests.faults.studies import run_study_kills, run_together
from tests.faults.tables import run_tables

FAULTS = {
    "kills": (100, run_kills),
    "signals": (100, run_signals),
    "studies": (100, run_study_kills),
    "together": (100, run_together),
    "folders": (500, run_folders),
    "tables": (500, run_tables),
    "expressions": (500, run_expressions),
}


def main() -> None:
    """Run the faults that are asked for, each from the same seed, which is printed first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"of {', '.join(FAULTS)} (default: all)")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32), help="of all draws (default: a new one)")
    parser.add_argument("--count", type=int, help="how many of each (default: as many as `make faults` runs)")
    arguments = parser.parse_args()
    if unknown := set(arguments.kinds) - set(FAULTS):
        parser.error(f"there is no kind {min(unknown)}; there are {', '.join(FAULTS)}")
    print(f"seed {arguments.seed}", flush=True)
    for kind in arguments.kinds or FAULTS:
        count, act = FAULTS[kind]
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as place:
            act(Path(place), arguments.count or count, arguments.seed)
        print(f"{kind}: {arguments.count or count} passed in {time.monotonic() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
