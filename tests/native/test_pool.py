"""The pool: the same bits at any number of threads; idle workers, refusals, forks, exits, many programs at once."""

import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import chainrule
from chainrule.errors import ConfigurationError, IndexRangeError, ShapeError
from chainrule.native.pool import POOL
from chainrule.native.threads import thread_count
from chainrule.nn import EmbeddingBag, Linear, Sequential, cross_entropy

COUNTS = (1, 2, 3)


class Training:
    """A training whose large steps are cut into blocks, and a digest of what it came to."""

    def __init__(self, forward, parameters, batches, *, threads, ragged=False, lazy=False):
        self.forward, self.parameters, self.batches = forward, parameters, batches
        self.optimizer = chainrule.Adam(learning_rate=0.01, lazy=lazy)
        self.state = self.optimizer.start(parameters)
        self.step = chainrule.compile(self._step, threads=threads, ragged=ragged)

    def _step(self, *batch):
        loss = cross_entropy(self.forward(*batch[:-1]), batch[-1])
        self.optimizer.step(self.parameters, chainrule.gradients(loss, self.parameters), self.state)
        return loss

    def run(self):
        losses = [self.step(*batch).numpy().tobytes() for batch in self.batches]
        held = [*[x.numpy() for x in self.parameters], *self.state.arrays().values()]
        return b"".join([*losses, *[x.tobytes() for x in held]])


def perceptron(threads, seed=0):
    draws = np.random.default_rng(seed)
    sizes = [(512, 1024), (1024, 1024), (1024, 10)]
    layers = [Linear(n, m, generator=draws) for n, m in sizes]
    network = Sequential(layers[0], chainrule.relu, layers[1], chainrule.relu, layers[2])
    batches = [(draws.normal(size=(64, 512)).astype("f4"), draws.integers(0, 10, 64)) for _ in range(3)]
    return Training(network, network.parameters(), batches, threads=threads)


def classifier(threads, seed=0, *, lazy=False, ragged=False):
    draws = np.random.default_rng(seed)
    bag, last = EmbeddingBag(3000, 300, generator=draws), Linear(300, 5, generator=draws)
    batches = []
    for _ in range(8):
        lengths = draws.integers(0, 80 if ragged else 2, 64) + (0 if ragged else 40)
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        batches.append((draws.integers(0, 3000, offsets[-1]), offsets, draws.integers(0, 5, 64)))
    return Training(
        lambda ids, offsets: last(bag(ids, offsets)),
        [*bag.parameters(), *last.parameters()],
        batches,
        threads=threads,
        lazy=lazy,
        ragged=ragged,
    )


def blocks_of(program):
    """How many blocks each step has."""
    return [program.blocks(number) for number in range(len(program.steps))]


@pytest.mark.parametrize(
    "make",
    [
        perceptron,
        classifier,
        lambda threads: classifier(threads, lazy=True),
        lambda threads: classifier(threads, ragged=True),
        lambda threads: classifier(threads, ragged=True, lazy=True),
    ],
    ids=["perceptron", "dense", "lazy", "ragged", "ragged lazy"],
)
def test_the_same_bits_at_any_number_of_threads(make):
    trainings = {threads: make(threads) for threads in COUNTS}
    found = {threads: training.run() for threads, training in trainings.items()}
    assert found[2] == found[1]
    assert found[3] == found[1]
    assert sum(count > 1 for count in blocks_of(trainings[2].step._last)) >= 3  # there was something to share
    assert len(POOL.workers) >= 2


def test_programs_at_once_that_share_the_pool():
    makes = [lambda seed=seed: (classifier if seed % 4 else perceptron)(2, seed) for seed in range(8)]
    separate = [make().run() for make in makes]
    together = [make() for make in makes]
    found = [b""] * 8

    def work(number):
        found[number] = together[number].run()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == separate


def large(threads=2):
    """A function with one step of many blocks."""
    return chainrule.compile(lambda x: chainrule.exp(x) * 2, threads=threads)


def started():
    run = large(3)
    for _ in range(2):
        run(np.zeros((1000, 1000)))
    assert len(POOL.workers) >= 2
    return run


def test_workers_that_have_nothing_to_do_use_no_time():
    started()
    time.sleep(0.05)
    before = time.process_time()
    time.sleep(1.0)
    assert time.process_time() - before < 0.2


def test_small_programs_start_no_worker():
    code = (
        "import chainrule, numpy as np; from chainrule.native.pool import POOL\n"
        "run = chainrule.compile(lambda x: (x @ x).sum(), threads=4)\n"
        "for _ in range(3): run(np.ones((20, 20)))\n"
        "print(len(POOL.workers))\n"
        "chainrule.compile(lambda x: chainrule.exp(x), threads=4)(np.ones((1000, 1000)))\n"
        "print(len(POOL.workers))\n"
    )
    assert python(code).split() == ["0", "3"]


@pytest.mark.parametrize("threads", COUNTS)
def test_the_first_refusal_in_order_is_said(threads):
    table = chainrule.Parameter.of(np.ones((50, 4)), name="table")
    read = chainrule.compile(lambda ids: chainrule.gather(table, ids), threads=threads)
    ids = np.zeros(800_000, np.int64)
    assert read(ids).shape == (800_000, 4)
    assert max(blocks_of(read._last)[:1]) > 2  # the check
    for _ in range(20):
        ids[[799_999, 300_000, 17_000]] = 77, 66, 55
        with pytest.raises(IndexRangeError, match="55"):
            read(ids)
        ids[17_000] = 0
        with pytest.raises(IndexRangeError, match="66"):
            read(ids)
        ids[[799_999, 300_000]] = 0
        assert read(ids).numpy().all()


@pytest.mark.parametrize("threads", COUNTS)
def test_offsets_that_fall_are_refused(threads):
    total = chainrule.compile(chainrule.segment_sum, threads=threads)
    values, offsets = np.ones((20_000, 64), np.float32), np.arange(0, 20_001, 20)
    total(values, offsets)
    assert max(blocks_of(total._last)) > 2
    offsets[700] = 0
    with pytest.raises(ShapeError, match="offsets must rise"):
        total(values, offsets)


def test_a_child_has_workers_of_its_own():
    code = (
        "import os, sys, chainrule, numpy as np; from chainrule.native.pool import POOL\n"
        "run = chainrule.compile(lambda x: chainrule.exp(x).sum(1), threads=2)\n"
        "x = np.random.default_rng(0).normal(size=(1000, 1000))\n"
        "expected = [run(x).numpy().tobytes() for _ in range(3)]\n"
        "assert len(POOL.workers) == 1\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    found = [run(x).numpy().tobytes() for _ in range(3)]\n"
        "    os._exit(0 if found == expected and len(POOL.workers) == 1 else 1)\n"
        "assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0\n"
        "assert [run(x).numpy().tobytes() for _ in range(3)] == expected and len(POOL.workers) == 1\n"
        "print('fine')\n"
    )
    assert python("import warnings; warnings.simplefilter('error')\n" + code).strip() == "fine"


@pytest.mark.parametrize("end", ["", "sys.exit(0)", "raise SystemExit", "import gc; gc.collect()"])
def test_the_interpreter_exits_with_workers(end):
    code = (
        "import sys, atexit\n"
        "atexit.register(lambda: print(run(np.zeros((1000, 1000))).numpy().sum(), len(POOL.workers)))\n"
        "import chainrule, numpy as np; from chainrule.native.pool import POOL\n"  # closes its pool before that
        "run = chainrule.compile(lambda x: chainrule.exp(x), threads=3)\n"
        "run(np.zeros((1000, 1000)))\n"
        "assert len(POOL.workers) == 2\n"
    )
    assert python(code + end).split() == ["1e+06", "0"]


def test_a_program_works_without_threads_to_be_had(monkeypatch):
    POOL.close()
    assert not POOL.workers

    def refuse(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    monkeypatch.setattr(POOL, "_startable", True)
    run = large()
    for _ in range(3):
        assert (run(np.zeros((1000, 1000))).numpy() == 2).all()
    assert not POOL.workers


def test_a_closed_pool_opens_again():
    run = started()
    POOL.close()
    assert not POOL.workers
    for _ in range(3):
        run(np.zeros((1000, 1000)))
    assert len(POOL.workers) == 2


def test_closing_while_programs_run():
    run, ended = started(), threading.Event()
    x = np.random.default_rng(0).normal(size=(500, 1000))
    expected, failed = run(x).numpy(), []

    def work():
        while not ended.is_set():
            if not np.array_equal(run(x).numpy(), expected):
                failed.append(1)

    thread = threading.Thread(target=work)
    thread.start()
    for _ in range(50):
        POOL.close()
        time.sleep(0.002)
    ended.set()
    thread.join()
    assert not failed


@pytest.mark.parametrize("threads", [0, -1, True, 1.0, "2"])
def test_threads_that_are_no_number(threads):
    with pytest.raises(ConfigurationError, match=r"threads: expected a whole number of 1 or more, got"):
        chainrule.compile(lambda x: x, threads=threads)


def test_by_default_a_thread_for_each_core_that_may_be_used():
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert thread_count(None) == chainrule.compile(lambda x: x).threads == allowed
    assert thread_count(5) == 5


def python(code):
    """What a process prints that runs this code."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout
