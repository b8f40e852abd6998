"""Two ranks train one model; one is killed or stopped; the other ends, and the training goes on, on one rank or two.

    python -m tests.machines [--count 3]

Prints what each case took. It is a failure when the rank that is left has not ended within 60 seconds, or when the
training does not go on from its checkpoint to its end. First, 100 steps of Adam on two processes, and on one process
with four devices, are compared with those of one device.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.xla.test_machines import found, started
from tests.xla.test_ranks import free_port

#: A rank: a training that writes a checkpoint every 16 mini-batches, and takes its time.
RANK = """
import sys, time
from chainrule.train import checkpoint
from chainrule.train.trainer import Trainer
checkpoint.INTERVAL, checkpoint.SHARE = 0.0, 1.0
pause, taken = float(sys.argv.pop(1)), Trainer.run_batch
def run_batch(self, batch):
    time.sleep(pause)
    return taken(self, batch)
Trainer.run_batch = run_batch
from chainrule.cli.main import main
sys.exit(main(sys.argv[1:]))
"""
MOST_SECONDS = 60


def table(folder):
    """Texts with two labels."""
    words = "good fun nice bad dull poor film plot actor scene".split()
    rows = [f"{words[i % 3 + 3 * (i % 2)]} {words[6 + i % 4]} {words[6 + i % 3]},{'pn'[i % 2]}" for i in range(2000)]
    (folder / "table.csv").write_text("text,label\n" + "\n".join(rows) + "\n")


def ranks(folder, count, *, pause, resume=False):
    """So many ranks of a training."""
    at = f"127.0.0.1:{free_port()}"
    given = (
        "train table.csv --learner ffnn --optimizer adam --engine xla --epochs 2 --batch-size 16 --no-diagnostics "
        "--out model --quiet"
    )
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(
            str(Path(x).resolve()) for x in os.environ.get("PYTHONPATH", "").split(os.pathsep) if x
        ),
        "JAX_PLATFORMS": "cpu",
    }
    started = []
    for rank in range(count):
        more = [] if count == 1 else ["--coordinator", at, "--rank", str(rank), "--ranks", str(count)]
        command = [sys.executable, "-c", RANK, str(pause), *given.split(), *more, *["--resume"] * resume]
        started.append(
            subprocess.Popen(
                command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
            )
        )
    return started


def compare():
    """Steps on several devices and processes with those on one; rows of the table are left behind."""
    at, adam = f"127.0.0.1:{free_port()}", {"more": ["adam"]}
    processes = [started(0, 1, **adam), started(0, 1, devices=4, **adam)]
    processes += [started(rank, 2, at, **adam) for rank in range(2)]
    exact, *others = [found(process)["losses"] for process in processes]
    apart = max(abs(a - b) for losses in others for a, b in zip(losses, exact, strict=True))
    print(f"{len(exact)} steps of Adam on four devices and on two processes: {apart:.1e} from one device", flush=True)
    if not apart <= 1e-6:
        sys.exit("that is too much")


def case(sent, left):
    """One rank gets a signal; the training goes on, on so many ranks."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table(folder)
        processes = ranks(folder, 2, pause=0.2)
        checkpoint = folder / "model.partial" / "checkpoint.safetensors"
        until = time.monotonic() + 300
        while not checkpoint.exists() and time.monotonic() < until and processes[0].poll() is None:
            time.sleep(0.2)
        if not checkpoint.exists():
            sys.exit(f"there is no checkpoint: {processes[0].communicate()[0] if processes[0].poll() else ''}")
        begun = time.monotonic()
        processes[1].send_signal(sent)
        try:
            said, _ = processes[0].communicate(timeout=MOST_SECONDS)
        except subprocess.TimeoutExpired:
            sys.exit(f"{sent.name}: rank 0 has not ended within {MOST_SECONDS} seconds")
        finally:
            for process in processes:
                process.kill()
        seconds = time.monotonic() - begun
        if processes[0].returncode != 2:
            sys.exit(f"{sent.name}: rank 0 ended with exit code {processes[0].returncode}: {said}")
        print(f"{sent.name}: ended after {seconds:.1f} seconds: {said.strip().splitlines()[-1]}", flush=True)
        for process in (again := ranks(folder, left, pause=0.0, resume=True)):
            answer, _ = process.communicate(timeout=400)
            if process.returncode != 0:
                sys.exit(f"{sent.name}: on {left} ranks it does not go on: {answer}")
        if not (folder / "model" / "model.safetensors").exists():
            sys.exit(f"{sent.name}: there is no model: {again}")
        print(f"{sent.name}: went on to the end on {left} rank{'s' * (left > 1)}", flush=True)


def main():
    """See the top of this file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1, help="of each case (default: %(default)s)")
    count = parser.parse_args().count
    compare()
    for _ in range(count):
        case(signal.SIGKILL, 1)
        case(signal.SIGSTOP, 2)


if __name__ == "__main__":
    main()
