"""Steps a second of trainings at once in one process, beside one training alone on one thread.

    python benchmarks/trainings.py [--task text text300 small wide] [--trainings 4] [--threads 2] [--rounds 11]

Every training has its own network, and a Python thread that runs its compiled steps one after another; the process is
bound to as many cores as there are threads. Compared are, in turns: one training on one thread, one on all threads, and
all at once, where each may use one thread or all of them. Embeddings, of 100 or 300 dimensions, have the dense rule's
updates. The table shows the median round and what it is relative to one training on one thread. Rounds in which another
process had more than a tenth of a core are left out, where the system tells.
"""

import argparse
import os
import pathlib
import statistics
import threading
import time

SECONDS = 0.25


def throughput(runs):
    """Steps a second of trainings at once, together."""
    counts, ends = [0] * len(runs), [0.0] * len(runs)
    ready = threading.Barrier(len(runs) + 1)

    def work(number):
        ready.wait()
        end = time.perf_counter() + SECONDS
        while time.perf_counter() < end:
            runs[number](1)
            counts[number] += 1
        ends[number] = time.perf_counter()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(runs))]
    for thread in threads:
        thread.start()
    ready.wait()
    started = time.perf_counter()
    for thread in threads:
        thread.join()
    return sum(count / (end - started) for count, end in zip(counts, ends, strict=True))


def others(started=None):
    """Seconds of processor time that other processes had since a start, and a new start; None where nobody knows."""
    try:
        numbers = [int(x) for x in pathlib.Path("/proc/stat").read_text().split()[1:9]]
    except OSError:
        return None, None
    now = (sum(numbers) - numbers[3] - numbers[4]) / os.sysconf("SC_CLK_TCK") - time.process_time()
    return None if started is None else now - started, now


def compare(name, make, trainings, threads, rounds):
    """Measure the ways of training on one task and print its table."""
    settings = {
        "one training, one thread": (1, 1),
        f"one training, {threads} threads": (1, threads),
        f"{trainings} trainings, one thread each": (trainings, 1),
        f"{trainings} trainings, {threads} threads shared": (trainings, threads),
    }
    runs = {label: [make(each) for _ in range(count)] for label, (count, each) in settings.items()}
    for group in runs.values():
        throughput(group)  # compile
    found = {label: [] for label in runs}
    for _ in range(rounds):
        for label, group in runs.items():
            _, start = others()
            rate = throughput(group)
            disturbed, _ = others(start)
            found[label].append((rate, 0.0 if disturbed is None else disturbed / SECONDS))
    print(f"\n{name}")
    first = None
    for label, measured in found.items():
        quiet = [rate for rate, disturbed in measured if disturbed < 0.1] or [max(rate for rate, _ in measured)]
        median = statistics.median(quiet)
        first = first or median
        kept = sum(disturbed < 0.1 for _, disturbed in measured)
        print(f"{label:36}{median:12.1f} steps/s{median / first:8.2f}{kept:6} quiet rounds of {rounds}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = ("text", "text300", "small", "wide")
    parser.add_argument("--task", nargs="+", choices=names, default=names, help="what to train (default: all)")
    parser.add_argument("--trainings", type=int, default=4, help="at once (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=2, help="and cores (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=11, help="of which the median is shown (default: %(default)s)")
    arguments = parser.parse_args()
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):  # some machines set them, and they slow OpenBLAS
        os.environ.pop(name, None)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-arguments.threads :])
    from peers import chainrule_steps
    from peers.tasks import classifier, perceptron

    tasks = {
        "text": lambda threads: classifier(50_000, threads=threads),
        "text300": lambda threads: classifier(50_000, threads=threads, dim=300),
        "small": lambda threads: perceptron((64, 64, 10), 32, threads=threads),
        "wide": lambda threads: perceptron((512, 1024, 1024, 10), 256, threads=threads),
    }
    for name in arguments.task:
        task = tasks[name]

        def make(threads, task=task):
            return chainrule_steps.make(task(threads), "dense")

        compare(task(1).name, make, arguments.trainings, arguments.threads, arguments.rounds)


if __name__ == "__main__":
    main()
