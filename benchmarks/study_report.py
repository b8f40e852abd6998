"""How long a study takes to be opened, ranked and reported, and how large its page is.

python benchmarks/study_report.py [--runs 2000] [--small 200]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.report.study.folders import Folder

LEARNERS = ("bow", "ffnn", "cnn", "lstm", "transformer")
SEEDS = 5
REPEATS = 5
#: In a process of its own, as a user has it: seconds from its start until the ranking is there, and the report.
ONCE = """
import sys, time
started = time.perf_counter()
import chainrule
study = chainrule.read_study(sys.argv[1])
ranking = study.ranking()
ranked = time.perf_counter()
page = study.report()
print(ranked - started, time.perf_counter() - ranked, len(page.encode()))
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2000, help="of a search")
    parser.add_argument("--small", type=int, default=200, help="of a comparison without a search")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        trials = arguments.runs - len(LEARNERS) * (SEEDS - 1)
        searched = Folder(Path(place) / "searched", LEARNERS, seeds=SEEDS, trials=trials, rows=1000, epochs=20).write()
        seeds = arguments.small // len(LEARNERS)
        compared = Folder(Path(place) / "compared", LEARNERS, seeds=seeds, rows=1000, epochs=20).write()
        for folder in (searched, compared):
            measured = [once(folder) for _ in range(REPEATS)]
            opened, reported, size = (statistics.median(column) for column in zip(*measured, strict=True))
            runs = (folder / "runs.jsonl").read_text().count('"kind": "run"')
            print(
                f"{runs:,} runs, {folder.name}: opened and ranked in {opened:.2f} s, reported in {reported:.2f} s more;"
            )
            print(f"  the page has {size / 1e6:.2f} MB (medians of {REPEATS} processes)")
        started = time.perf_counter()
        command = [sys.executable, "-m", "chainrule", "report", str(searched), "--out", str(Path(place) / "page.html")]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        print(f"chainrule report of the first, as a command: {time.perf_counter() - started:.2f} s")


def once(folder):
    """Seconds until the ranking, seconds of the report, and bytes of the page."""
    done = subprocess.run([sys.executable, "-c", ONCE, str(folder)], check=True, capture_output=True, text=True)
    return [float(x) for x in done.stdout.split()]


if __name__ == "__main__":
    main()
