"""How long a study takes to be opened, ranked and reported, and how large its page is.

python benchmarks/study_report.py [--runs 2000] [--small 200]
"""

from __future__ import annotations

import argparse
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
#: In a process of its own, as a user has it: seconds until the ranking is there, and of the report; by the clock and of
#: a processor, which say the same where nothing else runs.
ONCE = """
import sys, time
clocks = time.perf_counter, time.process_time
started = [clock() for clock in clocks]
import chainrule
study = chainrule.read_study(sys.argv[1])
ranking = study.ranking()
ranked = [clock() for clock in clocks]
page = study.report()
done = [clock() for clock in clocks]
print(*(b - a for a, b in zip(started, ranked)), *(b - a for a, b in zip(ranked, done)), len(page.encode()))
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
            opened, opened_work, reported, reported_work, size = (min(x) for x in zip(*measured, strict=True))
            runs = (folder / "runs.jsonl").read_text().count('"kind": "run"')
            print(f"{runs:,} runs, {folder.name} (the least of {REPEATS} processes):")
            print(f"  opened and ranked in {opened:.2f} s ({opened_work:.2f} s of a processor)")
            print(f"  reported in {reported:.2f} s more ({reported_work:.2f} s); the page has {size / 1e6:.2f} MB")
        started = time.perf_counter()
        command = [sys.executable, "-m", "chainrule", "report", str(searched), "--out", str(Path(place) / "page.html")]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        print(f"chainrule report of the first, as a command: {time.perf_counter() - started:.2f} s")


def once(folder):
    """Seconds until the ranking and of the report, each by the clock and of a processor, and bytes of the page."""
    done = subprocess.run([sys.executable, "-c", ONCE, str(folder)], check=True, capture_output=True, text=True)
    return [float(x) for x in done.stdout.split()]


if __name__ == "__main__":
    main()
