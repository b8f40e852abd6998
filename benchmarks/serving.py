"""How many requests a second a server of a small model bears, and what becomes of those beyond.

    python benchmarks/serving.py [--seconds 5] [--rates 1000 2000 3000 4000] [--connections 64] [--cores 1 0]

The server is `chainrule serve` with a bag of words over texts of five words, and the requests come from another
process, each process on a core of its own. They come at the times of a Poisson process, whether or not those before
them were answered, and the time of each is counted from when it was due: a server that stalls is not asked less.
"late" is by how much the sender itself was behind at most, which is in these times, too; "CPU µs" is the processor
time of the server for a request. The last line of figures is of twice the highest rate that was borne, that is, with
nothing rejected and 99 % answered within 5 ms.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

SLOWEST = 0.005
WORDS = "a warm clever film with a dull end and much good fun for everyone".split()


def made(folder):
    """A model of films, in a folder."""
    import chainrule

    generator = random.Random(0)
    texts = [" ".join(generator.choices(WORDS, k=5)) for _ in range(400)]
    table = chainrule.Table.from_lists(texts, ["good" if "good" in x or "fun" in x else "bad" for x in texts])
    chainrule.fit(chainrule.BagOfWords(), table, table).model.save(folder)


def served(folder, core, *further):
    """A server of the model, on a core of its own, and its port."""
    command = [sys.executable, "-m", "chainrule", "serve", str(folder), "--port", "0", *further]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(process.pid, {core})
    (port,) = re.findall(r":(\d+)/", process.stdout.readline())
    return process, int(port)


def request(body, path="/predict"):
    """The bytes of a request."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


class Line(asyncio.Protocol):
    """A connection, which is asked one thing after another."""

    def __init__(self, sender):
        self.sender, self.rest, self.due, self.length = sender, b"", None, None

    def connection_made(self, transport):
        """It may be used."""
        self.transport = transport
        self.sender.free.append(self)

    def ask(self, content, due):
        """Send what was due at a time."""
        self.due = due
        self.transport.write(content)

    def data_received(self, data):
        """Look whether an answer is there."""
        self.rest += data
        while True:
            if self.length is None:
                head, end, _ = self.rest.partition(b"\r\n\r\n")
                if not end:
                    return
                self.length = len(head) + 4 + int(re.search(rb"(?i)content-length: (\d+)", head)[1])
            if len(self.rest) < self.length:
                return
            answer, self.rest, self.length = self.rest[: self.length], self.rest[self.length :], None
            self.sender.answered(self, int(answer[9:12]))

    def connection_lost(self, exc):  # noqa: ARG002
        """It is used no more."""
        with suppress(ValueError):
            self.sender.free.remove(self)


class Sender:
    """Sends requests when they are due, on whichever connection is free."""

    def __init__(self, contents):
        self.contents, self.free, self.waiting = contents, [], []
        self.times, self.statuses, self.late, self.broken = [], [], 0.0, 0

    async def send(self, port, rate, seconds, connections):
        """Send at a rate, and wait for the answers."""
        loop = asyncio.get_running_loop()
        for _ in range(connections):
            await loop.create_connection(lambda: Line(self), "127.0.0.1", port)
        generator = random.Random(1)
        due, end, number = loop.time() + 0.1, loop.time() + 0.1 + seconds, 0
        while due < end:
            now = loop.time()
            if due > now:
                await asyncio.sleep(due - now)
                now = loop.time()
            self.late = max(self.late, now - due)
            while due <= now and due < end:
                content = self.contents[number % len(self.contents)]
                number += 1
                if self.free:
                    self.free.pop().ask(content, due)
                else:
                    self.waiting.append((content, due))
                due += generator.expovariate(rate)
            await asyncio.sleep(0)
        until = loop.time() + 5
        while len(self.times) < number and loop.time() < until:
            await asyncio.sleep(0.01)
        self.broken += number - len(self.times)

    def answered(self, line, status):
        """Note an answer, and ask what waits."""
        self.times.append(asyncio.get_running_loop().time() - line.due)
        self.statuses.append(status)
        if self.waiting:
            line.ask(*self.waiting.pop(0))
        else:
            self.free.append(line)


def sending(pipe, core, port, rate, seconds, connections):
    """What the process that sends does."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})
    generator = random.Random(2)
    texts = [" ".join(generator.choices(WORDS, k=5)) for _ in range(1000)]
    sender = Sender([request(json.dumps({"text": text}).encode()) for text in texts])
    run(sender.send(port, rate, seconds, connections))
    pipe.send((sender.times, sender.statuses, sender.late, sender.broken))


def run(coroutine):
    """On the quicker loop, where it is installed."""
    try:
        import uvloop

        uvloop.run(coroutine)
    except ImportError:
        asyncio.run(coroutine)


def best(rounds, *arguments):
    """The round with the quickest answers: whatever else the machine does makes them slower, and never quicker."""
    found = [measured(*arguments) for _ in range(rounds)]
    return min(found, key=lambda x: (x[0] > 0, x[1]))


def used(process):
    """Seconds of processor time that a process has used; not a number where the system does not tell."""
    try:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except OSError:
        return float("nan")


def measured(server, core, port, rate, seconds, connections):
    """Send at a rate from a process of its own; print a line, and give how many failed, and the slowest 1 %."""
    ours, theirs = multiprocessing.Pipe()
    before = used(server)
    process = multiprocessing.Process(target=sending, args=(theirs, core, port, rate, seconds, connections))
    process.start()
    times, statuses, late, broken = ours.recv()
    process.join()
    each = (used(server) - before) / max(1, len(times))
    good = sorted(x for x, status in zip(times, statuses, strict=True) if status == 200)
    rejected = statuses.count(503)
    figures = [good[min(len(good) - 1, int(len(good) * x))] for x in (0.5, 0.99, 0.999)] if good else [float("nan")] * 3
    shown = "".join(f"{1e3 * x:9.2f}" for x in (*figures, late))
    print(
        f"{rate:8,} {len(good) / seconds:9,.0f} {rejected / len(times):9.1%} {shown} {1e6 * each:8.0f} {broken:7}",
        flush=True,
    )
    return len(times) - len(good) + broken, figures[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rates", type=int, nargs="+", default=[500, 1000, 2000, 3000, 4000, 5000, 6000])
    parser.add_argument("--rounds", type=int, default=1, help="of each rate, of which the best counts")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--cores", type=int, nargs=2, default=[1, 0], help="of the server and of the sender")
    given = parser.parse_args()
    core, other = given.cores
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "model"
        made(folder)
        process, port = served(folder, core)
        print("asked/s  answered  rejected   p50 ms      p99    p99.9     late   CPU µs    lost")
        measured(process, other, port, 300, 1, given.connections)  # which warms it
        print("---")
        borne = None
        for rate in given.rates:
            failed, slowest = best(given.rounds, process, other, port, rate, given.seconds, given.connections)
            if failed or slowest > SLOWEST:
                break
            borne = rate, slowest
        if borne is not None:
            _, slowest = min(
                (
                    measured(process, other, port, 2 * borne[0], given.seconds, given.connections)
                    for _ in range(given.rounds)
                ),
                key=lambda x: x[1],
            )
            print(f"twice {borne[0]:,}: the slowest 1 % of those that are answered take {slowest / borne[1]:.1f} times")
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
        print(f"ended with {process.returncode}, and said {errors!r}")
    print(f"load {os.getloadavg()[0]:.2f}")


if __name__ == "__main__":
    main()
