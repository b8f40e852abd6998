"""Steps a second on an accelerator beside PyTorch and JAX: transformer, LSTM, text classifiers with large tables.

    python benchmarks/accelerator.py [--parts ...] [--seconds 480] [--rounds 5] [--device auto] [--check]

One script that prints everything: what the device's matrix products reach (its peak, as measured here), then each task
as every system trains it, and at last whether five trainings from one seed end with the same bits. "share" is the part
of the peak that the matrix products of a step would take, those of real tokens alone, in the precision that a system
computes in; "tensorfloat32" is float32 with products of fewer digits where the device has these. "÷" is a system's time
over that of chainrule in the same precision; real lengths are 20 to 100 % of the longest.

Every system lives in a process of its own. Those of a task get ready side by side and then take turns, one round after
another; medians are shown. One that cannot be measured says why, and the others go on. Peers: PyTorch as its experts
write it (fused Adam, autocast, compiled, padded texts of like length or flat ones, steps captured as CUDA graphs) and
optax's dense Adam in JAX. Without a device, smaller tasks run on processor cores, and the first line says so.
`--check` compares the losses of three steps with PyTorch's instead, without dropout, and measures nothing.
"""

import argparse
import dataclasses
import importlib.metadata
import importlib.util
import json
import math
import multiprocessing
import os
import pathlib
import statistics
import sys
import time

from peers import accelerated_worker
from peers.accelerated import tasks, without_dropout

READY_SECONDS = 150  # that systems of a task may take to get ready
OURS = ("chainrule", "accelerated_chainrule")
TORCH = ("torch", "accelerated_torch")
OPTAX = ("optax", "accelerated_jax")
PARTS = ("peak", "transformer", "classifier", "lstm", "bits", "table 500,000", "table 50,000", "wide lstm")


@dataclasses.dataclass(frozen=True)
class System:
    """One way of training: the package, the module in `peers`, its variant, and the cases it is for."""

    package: str
    module: str
    variant: str
    cases: tuple[str, ...] = ("equal", "real")
    device: bool = False  # whether it needs one

    @property
    def name(self):
        """For the table."""
        title = {"chainrule": "chainrule", "torch": "PyTorch", "optax": "JAX, optax dense Adam"}[self.package]
        words = self.variant
        if self.package == "torch":
            rest = [word for word in words.split() if word != "bfloat16"] or ["eager"]
            return f"{title}, {self.precision}, {', '.join(rest)}"
        return f"{title}, {words}" if words else title

    @property
    def precision(self):
        """Of its products."""
        if self.package == "chainrule":
            return self.variant
        return "bfloat16" if "bfloat16" in self.variant else "tensorfloat32"


OURS_ALL = [System(*OURS, precision) for precision in ("float32", "tensorfloat32", "bfloat16")]
SYSTEMS = {
    "transformer": [
        *OURS_ALL,
        System(*TORCH, "eager"),
        System(*TORCH, "compiled"),
        System(*TORCH, "bfloat16 eager"),
        System(*TORCH, "bfloat16 compiled"),
        System(*TORCH, "bfloat16 flat", ("real",)),
        System(*TORCH, "bfloat16 flat compiled", ("real",)),
    ],
    "lstm": [
        *OURS_ALL,
        System(*TORCH, "eager"),
        System(*TORCH, "packed", ("real",)),
        System(*TORCH, "graph", ("equal",), device=True),
        System(*TORCH, "bfloat16 eager"),
    ],
    "classifier": [
        System(*OURS, "float32", ("equal",)),
        System(*TORCH, "eager", ("equal",)),
        System(*TORCH, "compiled", ("equal",)),
        System(*TORCH, "graph", ("equal",), device=True),
        System(*OPTAX, "", ("equal",)),
    ],
    "table": [System(*OURS, "float32", ("equal",)), System(*OPTAX, "", ("equal",))],
}


class Worker:
    """A process with one system; it works only while it is asked."""

    def __init__(self, system, function, *arguments, environment=None):
        self.system = system
        self.line, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.Process(
            target=accelerated_worker.serve, args=(theirs, environment or {}, function, *arguments), daemon=True
        )
        self.process.start()
        theirs.close()
        self.rounds = {}

    def answer(self, deadline):
        """What the process says next, or an error's text."""
        if not self.line.poll(max(deadline - time.monotonic(), 0)):
            self.end()
            return "was not ready in time"
        try:
            return self.line.recv()
        except EOFError:
            self.process.join()
            return f"ended with exit code {self.process.exitcode}"

    def ask(self, what, deadline):
        """The answer of the process."""
        try:
            self.line.send(what)
        except OSError:
            return "has ended"
        return self.answer(deadline)

    def end(self):
        """Let the process go, and its memory with it."""
        self.line.close()
        self.process.terminate()
        self.process.join()


class Benchmark:
    """The whole run: what there is time for, and what was found."""

    def __init__(self, arguments):
        self.arguments = arguments
        self.deadline = time.monotonic() + arguments.seconds
        self.device = arguments.device == "gpu" or (arguments.device == "auto" and has_device())
        self.found = {"device": self.device, "parts": {}}
        self.peaks = {}

    def worker(self, system, function, *, here=True, **arguments):
        """A process for a system, on the device if it is to be measured here, or off it."""
        environment = {} if self.device and here else {"JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": ""}
        return Worker(system, function, arguments, environment=environment)

    def ready_by(self):
        """When workers that start now must be ready."""
        return min(time.monotonic() + READY_SECONDS, self.deadline)

    def measure_peak(self):
        """The device and its peak."""
        if importlib.util.find_spec("torch") is None:
            print("peak: torch is not installed")
            return
        worker = self.worker(None, "peak", device=self.device)
        answer = worker.answer(self.ready_by())
        worker.end()
        if isinstance(answer, str):
            print(f"peak: {answer}")
            return
        self.peaks, self.found["peak"] = answer["peak"], answer
        print(f"{answer['device']}: " + ", ".join(f"{x:.3g} TFLOP/s in {name}" for name, x in self.peaks.items()))

    def measure(self, part, task, systems, *, here=True):
        """A task: every system gets ready, then they take turns."""
        print(f"\n{task.title}{'' if here else ', on processor cores'}")
        workers = []
        for system in systems:
            if importlib.util.find_spec(system.package) is None:
                print(f"  {system.name}: {system.package} is not installed")
            elif self.device or not system.device:
                arguments = {"module": system.module, "task": task, "variant": system.variant, "cases": system.cases}
                workers.append(self.worker(system, "train", here=here, **arguments))
        by, ready = self.ready_by(), []
        for worker in workers:
            answer = worker.answer(by)
            if isinstance(answer, str):
                print(f"  {worker.system.name}: {last_lines(answer)}")
            else:
                ready.append(worker)
                for case, kernels in answer.items():
                    if kernels is not None and part == "transformer":
                        print(f"  {worker.system.name}, {case} lengths: attention by {kernels}")
        for _ in range(self.arguments.rounds):
            for worker in ready:
                for case in worker.system.cases:
                    answer = worker.ask(case, self.deadline)
                    if not isinstance(answer, str):
                        worker.rounds.setdefault(case, []).append(answer)
                    elif answer != "has ended":
                        print(f"  {worker.system.name}: {last_lines(answer)}")
        for worker in ready:
            worker.end()
        for case in dict.fromkeys(case for worker in ready for case in worker.system.cases):
            self.show(part, task, case, [worker for worker in ready if worker.rounds.get(case)])

    def show(self, part, task, case, workers):
        """The table of a case."""
        medians = {worker.system: statistics.median(worker.rounds[case]) for worker in workers}
        ours = {system.precision: x for system, x in medians.items() if system.package == "chainrule"}
        print(f"{case + ' lengths':44}{'steps/s':>10}{'ms':>10}{'from':>10}{'to':>10}{'share':>8}{'÷':>8}")
        rows = []
        for worker in workers:
            system, rounds = worker.system, worker.rounds[case]
            median = medians[system]
            top = self.peaks.get(system.precision) if "processor" not in part else None
            share = task.operations(case) / (median / 1000) / 1e12 / top if top else math.nan
            ratio = median / ours.get(system.precision, next(iter(ours.values()), math.nan))
            print(
                f"  {system.name:42}{1000 / median:10.1f}{median:10.3f}{min(rounds):10.3f}{max(rounds):10.3f}"
                f"{100 * share:7.1f}%{ratio:8.2f}"
            )
            rows.append({"system": system.name, "milliseconds": rounds, "share": share, "ratio": ratio})
        self.found["parts"][f"{part}, {case}"] = rows

    def compare_bits(self, tasks):
        """Whether trainings from one seed end with the same bits."""
        print("\nsame bits: digests of the weights of 5 trainings from one seed, each compiled anew")
        workers = {}
        for part, variant in (("classifier", "float32"), ("transformer", "float32"), ("transformer", "bfloat16")):
            smaller = {"vocabulary": 5_000, "batches": 4} | ({"layers": 2} if part == "transformer" else {})
            task = dataclasses.replace(tasks[part], **smaller)
            variant = self.arguments.engine or variant
            if (part, variant) not in workers:
                given = {"task": task, "variant": variant, "trainings": 5, "steps": 80}
                workers[part, variant] = self.worker(None, "bits", **given)
        by = self.ready_by()
        for (part, variant), worker in workers.items():
            answer = worker.answer(by)
            worker.end()
            told = last_lines(answer) if isinstance(answer, str) else "same" if len(set(answer)) == 1 else "differ"
            print(f"  {part}, {variant}: {told} {'' if isinstance(answer, str) else ' '.join(answer)}")
            self.found["parts"][f"bits, {part}, {variant}"] = answer

    def systems(self, part):
        """The systems of a part; another engine in the place of XLA's where one is asked for."""
        name = part.split()[-1] if part == "wide lstm" else part.split()[0]
        found = SYSTEMS[name]
        if self.arguments.engine is None:
            return found
        first = dataclasses.replace(found[0], variant=self.arguments.engine)
        return [first, *(system for system in found if system.package != "chainrule")]

    def check(self, tasks):
        """Compare losses of three steps with those of PyTorch."""
        wrong = 0
        for part, task in tasks.items():
            if part.startswith("table"):
                continue
            cases = ("equal",) if part == "classifier" else ("equal", "real")
            task = without_dropout(task)
            for case in cases:
                found = {}
                for system in self.systems(part):
                    # Padded texts are sorted, so that their mini-batches are others; flat ones are not.
                    padded = system.package == "torch" and "flat" not in system.variant and case == "real"
                    if case not in system.cases or padded or "compiled" in system.variant or (
                        system.device and not self.device
                    ):  # fmt: skip
                        continue
                    given = {"module": system.module, "variant": system.variant, "steps": 3}
                    worker = self.worker(system, "losses", task=task, case=case, **given)
                    found[system] = worker.answer(self.ready_by())
                    worker.end()
                wrong += shown_losses(part, case, found)
        return wrong

    def run(self):
        """All parts there is time for; a number for the exit."""
        where = "a device" if self.device else "NO DEVICE: smaller tasks on processor cores, which say little of one"
        print(f"{where}; {versions()}; load {os.getloadavg()[0]:.2f}, {os.cpu_count()} cores", flush=True)
        wanted = tasks(self.device)
        if self.arguments.check:
            return self.check(wanted)
        for part in self.arguments.parts:
            if time.monotonic() > self.deadline - 20:
                print(f"\n{part}: left out, the time is over")
            elif part == "peak":
                self.measure_peak()
            elif part == "bits":
                self.compare_bits(wanted)
            elif part in wanted:
                self.measure(part, wanted[part], self.systems(part))
                if self.device and part.startswith("table"):
                    self.measure(f"{part}, on processor cores", wanted[part], self.systems(part), here=False)
            sys.stdout.flush()
            if self.arguments.json:
                pathlib.Path(self.arguments.json).write_text(json.dumps(self.found, indent=1))
        return 0


def shown_losses(part, case, found):
    """Print losses beside the first system's; how many systems differ."""
    (first, expected), *others = found.items()
    print(f"{part}, {case} lengths: {first.name} {expected if isinstance(expected, list) else last_lines(expected)}")
    wrong = int(not isinstance(expected, list))
    for system, got in others:
        if not isinstance(got, list):
            print(f"  {system.name}: {last_lines(got)}")
            continue
        limit = 3e-2 if system.precision == "bfloat16" else 1e-3
        far = max(abs(a - b) / abs(b) for a, b in zip(got, expected, strict=True)) if not wrong else math.nan
        wrong += not far < limit
        print(f"  {system.name}: largest relative difference {far:.1e}{'' if far < limit else ', TOO MUCH'}")
    return wrong


def last_lines(text):
    """The end of an error's text."""
    return text if len(text) < 300 else "... " + text[-300:].strip().replace("\n", " | ")


def has_device():
    """Whether there is an accelerator; a process of its own finds out, as asking takes a part of its memory."""
    line, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=look, args=(theirs,), daemon=True)
    process.start()
    found = line.recv() if line.poll(120) else False
    process.terminate()
    return bool(found)


def look(line):
    """Ask JAX, or PyTorch."""
    try:
        import jax

        line.send(any(device.platform != "cpu" for device in jax.devices()))
    except Exception:  # noqa: BLE001 - no JAX, or one that does not fit
        line.send(False)


def versions():
    """Of what is compared."""
    names = [name for name in ("chainrule", "torch", "jax", "optax") if importlib.util.find_spec(name)]
    found = []
    for name in names:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:  # run from a checkout
            found.append(name)
    return ", ".join(found)


def main():
    """See the top of this file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="what to measure (default: all)")
    parser.add_argument("--seconds", type=float, default=480, help="that all may take (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="of which the median is shown (default: %(default)s)")
    parser.add_argument("--device", choices=("auto", "gpu", "cpu"), default="auto", help="where (default: %(default)s)")
    parser.add_argument("--engine", help="another engine in the place of xla, such as native")
    parser.add_argument("--json", metavar="FILE", help="write what was found there, too")
    parser.add_argument("--check", action="store_true", help="compare losses with PyTorch's, and measure nothing")
    arguments = parser.parse_args()
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):  # some machines set them, and they slow OpenBLAS
        os.environ.pop(name, None)
    os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"  # processes share the device
    multiprocessing.set_start_method("spawn")
    sys.exit(1 if Benchmark(arguments).run() else 0)


if __name__ == "__main__":
    main()
