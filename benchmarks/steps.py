"""Milliseconds of one training step, beside peers, with Adam: text classifier, small and wide perceptron.

    python benchmarks/steps.py [--task text small wide] [--vocabulary 5000 50000 500000] [--threads 1] [--rounds 11]

Each system lives in a process of its own that is bound to as many cores as there are threads. The systems take turns,
one round after another, and the table shows the median round, the fastest and the slowest. "÷" is a system's time
divided by chainrule's. "CPU" is the processor time that a system got for each second that passed, in its best round:
when it is below 100 % a thread, something else was running, or it waited. Rounds in which a system got a tenth less
than in its best are left out; "rounds" are those that remain.

First all systems train for three steps from the same weights, without dropout: those that compute the same must have
the same losses, or nothing is measured. That is so among the dense ones, whose embedding table changes in every row in
every step, as Adam's equations say, and among the lazy ones, which update the rows that the batch read, another
algorithm. Peers: `pip install torch==2.13.0 jax==0.10.2 fasttext-community`; one that is not installed is named.
"""

import argparse
import dataclasses
import importlib
import importlib.metadata
import importlib.util
import multiprocessing
import os
import statistics
import sys
import time
import traceback

ROUND_SECONDS = 0.2
VOCABULARIES = (5_000, 50_000, 500_000)
#: Relative difference of losses in float32.
TOLERANCE = 1e-4


@dataclasses.dataclass(frozen=True)
class System:
    """One way of training, and where it is written down.

    Attributes:
        name: for the table.
        package: what is to be installed.
        module: in `peers`; what it imports, and "_steps".
        variant: see the module.
        semantics: of the update of the embedding table.
        chunk: numbers of steps are multiples of it.
        round_seconds: how long a round is at least.
    """

    name: str
    package: str
    module: str
    variant: str
    semantics: str = "dense"
    chunk: int = 1
    round_seconds: float = ROUND_SECONDS

    @property
    def installed(self):
        """Whether it can be measured here."""
        return importlib.util.find_spec(self.module.removesuffix("_steps")) is not None


NETWORK = [
    System("chainrule", "chainrule", "chainrule_steps", "dense"),
    System("PyTorch, Adam as most write it", "torch", "torch_steps", "default"),
    System("PyTorch, Adam fused", "torch", "torch_steps", "fused"),
    System("JAX, jitted step", "jax", "jax_steps", "step"),
    System("JAX, 50 steps in one scan", "jax", "jax_steps", "scan", chunk=50),
]
TEXT = [
    *NETWORK,
    System("chainrule, lazy=True", "chainrule", "chainrule_steps", "lazy", "lazy"),
    System("PyTorch, SparseAdam + Adam fused", "torch", "torch_steps", "lazy", "lazy"),
    System("JAX, jitted step, rows by hand", "jax", "jax_steps", "lazy step", "lazy"),
    System("JAX, 50 steps in one scan, rows by hand", "jax", "jax_steps", "lazy scan", "lazy", chunk=50),
    System("fastText, no hidden layer", "fasttext-community", "fasttext_steps", "", "SGD", round_seconds=3.0),
]


class Worker:
    """A process with one system; it works only while it is asked."""

    def __init__(self, system, task):
        self.system = system
        self.line, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=serve, args=(theirs, system, task), daemon=True)
        self.process.start()
        theirs.close()
        self.rounds = []

    def ask(self, what):
        """The answer of the process, or SystemExit with what went wrong there."""
        self.line.send(what)
        try:
            answer = self.line.recv()
        except EOFError:
            answer = f"ended with exit code {self.process.join() or self.process.exitcode}"
        if isinstance(answer, str):
            sys.exit(f"{self.system.name}: {answer}")
        return answer

    @property
    def quiet(self):
        """Milliseconds a step of the rounds that nothing disturbed."""
        return [x for x, share in self.rounds if share >= 0.9 * self.share]

    @property
    def share(self):
        """Of the time, in the best round."""
        return max(share for _, share in self.rounds)

    def end(self):
        """Let the process go, and its memory with it."""
        self.line.close()
        self.process.join()


def serve(line, system, task):
    """What a worker's process does: first the losses, then a round whenever it is asked, until the line is closed."""
    try:
        bind(task.threads)
        make = importlib.import_module(f"peers.{system.module}").make
        line.recv()
        line.send(first_losses(make, system, dataclasses.replace(task, rate=0.0)))
        line.recv()
        run = make(task, system.variant)
        count = calibrate(run, system)
        while True:
            line.send(one_round(run, system, count))
            line.recv()
    except EOFError:
        return
    except Exception:  # noqa: BLE001 - whatever it is, the parent shows it
        line.send(traceback.format_exc())


def bind(threads):
    """Let this process use so many cores, where the system can do that."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-threads:])


def first_losses(make, system, task):
    run = make(task, system.variant)
    return [run(1) for _ in range(3)] if callable(run) else []


def calibrate(run, system):
    """How many steps a round takes."""
    count, seconds = system.chunk, 0.0
    while seconds < system.round_seconds / 3:
        seconds_of(run, count)  # the first time it is compiled
        seconds = seconds_of(run, count)
        if seconds < system.round_seconds / 3:
            count *= 2
    return max(1, round(count * system.round_seconds / seconds / system.chunk)) * system.chunk


def one_round(run, system, count):
    """Milliseconds a step, and the share of the time that the process had a core."""
    if callable(run):
        run(max(1, count // 10 // system.chunk) * system.chunk)  # the others have emptied the caches
    wall, cpu = time.perf_counter(), time.process_time()
    seconds = seconds_of(run, count)
    share = (time.process_time() - cpu) / (time.perf_counter() - wall)
    return 1000 * seconds / count, share


def seconds_of(run, count):
    if not callable(run):
        return run.seconds(count)
    started = time.perf_counter()
    run(count)
    return time.perf_counter() - started


def compare(systems, task, rounds):
    """Measure all systems on a task and print its table."""
    print(f"\n{task.name}, Adam, {task.threads} thread{'s' * (task.threads > 1)}")
    workers = [Worker(system, task) for system in systems if system.installed]
    for semantics in dict.fromkeys(system.semantics for system in systems):
        check(semantics, [(x.system, x.ask("losses")) for x in workers if x.system.semantics == semantics])
    for _ in range(rounds):
        for worker in workers:
            worker.rounds.append(worker.ask("round"))
    for worker in workers:
        worker.end()
    show(systems, workers, task)


def check(semantics, found):
    """Refuse systems that do not compute the same."""
    found = [(system, losses) for system, losses in found if losses]
    if len(found) < 2:
        return
    (first, expected), *others = found
    differences = {
        system.name: max(abs(a - b) / abs(b) for a, b in zip(losses, expected, strict=True))
        for system, losses in others
    }
    name, largest = max(differences.items(), key=lambda item: item[1])
    print(f"losses of 3 steps, {semantics}: largest relative difference from {first.name} {largest:.1e} ({name})")
    if not largest < TOLERANCE:
        sys.exit(f"{name} does not compute what {first.name} does: {{system.name: losses for system, losses in found}}")


def show(systems, workers, task):
    medians = {worker.system: statistics.median(worker.quiet) for worker in workers}
    ours = [system for system in systems if system.package == "chainrule"]
    text = bool(task.vocabulary)
    ratios = "".join(f"{'÷ ' + (x.semantics if text else 'chainrule'):>12}" for x in ours)
    print(f"{'':44}{'table':>7}{'ms':>10}{'from':>10}{'to':>10}{ratios}{'CPU':>7}{'rounds':>8}")
    for system in systems:
        semantics = system.semantics if text else ""
        if system not in medians:
            print(f"{system.name:44}{semantics:>7}   {system.package} is not installed")
            continue
        worker = next(worker for worker in workers if worker.system == system)
        figures = "".join(f"{x:10.4f}" for x in (medians[system], min(worker.quiet), max(worker.quiet)))
        ratios = "".join(f"{medians[system] / medians[x]:12.2f}" for x in ours)
        print(f"{system.name:44}{semantics:>7}{figures}{ratios}{100 * worker.share:6.0f}%{len(worker.quiet):8}")


def prepare(threads):
    """Settings of the environment that the workers inherit.

    Some machines set two that slow OpenBLAS, and one that keeps Python from keeping the bytecode that an installed
    package has beside it.
    """
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "PYTHONDONTWRITEBYTECODE"):
        os.environ.pop(name, None)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NPROC"):  # NPROC: JAX's threads
        os.environ[name] = str(threads)
    multiprocessing.set_start_method("spawn")


def versions():
    packages = dict.fromkeys(system.package for system in TEXT if system.installed)
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = ("text", "small", "wide")
    parser.add_argument("--task", nargs="+", choices=names, default=names, help="what to measure (default: all)")
    parser.add_argument("--vocabulary", type=int, nargs="+", default=VOCABULARIES, help="rows of the text task's table")
    parser.add_argument("--threads", type=int, default=1, help="that each system may use (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=11, help="of which the median is shown (default: %(default)s)")
    arguments = parser.parse_args()
    prepare(arguments.threads)
    from peers.tasks import classifier, perceptron  # NumPy, under the settings above

    print(f"{versions()}\nload {os.getloadavg()[0]:.2f}, {os.cpu_count()} cores")
    threads = arguments.threads
    if "text" in arguments.task:
        for vocabulary in arguments.vocabulary:
            compare(TEXT, classifier(vocabulary, threads=threads), arguments.rounds)
    if "small" in arguments.task:
        compare(NETWORK, perceptron((64, 64, 10), 32, threads=threads), arguments.rounds)
    if "wide" in arguments.task:
        compare(NETWORK, perceptron((512, 1024, 1024, 10), 256, threads=threads), arguments.rounds)
    print(f"\nload {os.getloadavg()[0]:.2f}")


if __name__ == "__main__":
    main()
