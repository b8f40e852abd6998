"""The pool: the same bits at any number of threads; idle workers, refusals, forks, exits, many programs at once."""

import ctypes
import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import chainrule
from chainrule.errors import ConfigurationError, IndexRangeError, ShapeError
from chainrule.native.running import pool_memory
from chainrule.native.running.driver import ALONE, RUNS, RUNS_PER_PERIOD, TRIALS_PER_PERIOD
from chainrule.native.running.pool import POOL
from chainrule.native.threads import thread_count
from chainrule.nn import LSTM, EmbeddingBag, Linear, Sequential, cross_entropy

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


def recurrent(threads):
    draws = np.random.default_rng(0)
    layer, last = LSTM(64, 96, generator=draws), Linear(96, 3, generator=draws)
    offsets = np.arange(0, 41, 2)
    batches = [(draws.normal(size=(40, 64)).astype("f4"), offsets, draws.integers(0, 3, 20)) for _ in range(4)]
    forward = lambda x, offsets: last(layer(x, offsets)[1][0])  # noqa: E731
    return Training(forward, [*layer.parameters(), *last.parameters()], batches, threads=threads)


@pytest.mark.parametrize(
    "make", [perceptron, lambda threads: classifier(threads, ragged=True), recurrent], ids=["mlp", "ragged", "lstm"]
)
def test_the_number_of_threads_may_change_between_calls(make):
    changing, counts = make(1), []
    batches, changing.batches = changing.batches, []
    expected = make(1).run()
    losses = b""
    for number, batch in enumerate(batches):
        changing.step.use_threads(1 + number % 3)
        losses += changing.step(*batch).numpy().tobytes()
        counts.append(changing.step._last.threads)
    assert losses + changing.run() == expected
    assert counts == [1 + number % 3 for number in range(len(batches))]
    with pytest.raises(ConfigurationError, match="threads: expected a whole number of 1 or more, got 0"):
        changing.step.use_threads(0)


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


@pytest.fixture
def clock():
    """A clock for native code: a run takes as long as `spent(program's notes)` says."""

    class Clock:
        spent = staticmethod(lambda notes: 1)
        program = None
        now, calls = 10**15, 0

    def tell(_, place):
        Clock.calls += 1
        if Clock.calls % 2 == 0 and Clock.program is not None:
            Clock.now += Clock.spent(Clock.program._notes[0])
        place[0], place[1] = divmod(Clock.now, 10**9)
        return 0

    code = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_int32, ctypes.POINTER(ctypes.c_int64))(tell)
    word = ctypes.c_int64.from_address(POOL.address + 8 * pool_memory.CLOCK)
    kept, word.value = word.value, ctypes.cast(code, ctypes.c_void_p).value
    yield Clock
    word.value = kept


def with_help(notes):
    return bool(notes[ALONE]) == (notes[RUNS] % RUNS_PER_PERIOD >= RUNS_PER_PERIOD - TRIALS_PER_PERIOD)


def weighed(threads, clock):
    """A function that the clock knows, and its argument."""
    run, x = large(threads), np.linspace(-1, 1, 40_000).reshape(200, 200)
    run(x)  # only programs that have cut a step look at the clock
    clock.program = run._last
    return run, x


def test_a_program_does_without_help_for_as_long_as_that_is_faster(clock):
    def tickets():
        return ctypes.c_int64.from_address(POOL.address + 8 * pool_memory.TICKET).value >> 32

    run, x = weighed(2, clock)
    first = run(x).numpy().tobytes()
    for with_, without, threads in [(100, 90, 1), (100, 90, 1), (80, 90, 2), (80, 90, 2), (100, 90, 1)]:
        clock.spent = lambda notes, times=(with_, without): 1000 * times[not with_help(notes)]
        for _ in range(RUNS_PER_PERIOD - int(clock.program._notes[0][RUNS]) % RUNS_PER_PERIOD):
            assert run(x).numpy().tobytes() == first
        assert run.stats()["threads"] == threads
        before = tickets()
        run(x)
        assert tickets() - before == threads - 1  # steps that were shared


def test_the_slower_and_the_hardly_faster_way_are_only_tried(clock):
    for with_, without in [(90, 100), (100, 95), (100, 100)]:
        run, x = weighed(2, clock)
        clock.spent = lambda notes, times=(with_, without): 1000 * times[not with_help(notes)]
        tried = []
        for _ in range(2 * RUNS_PER_PERIOD):
            tried.append(with_help(clock.program._notes[0]))
            run(x)
        assert tried.count(False) == 2 * TRIALS_PER_PERIOD
        assert run.stats()["threads"] == 2


def test_one_slow_run_does_not_decide(clock):
    run, x = weighed(2, clock)
    clock.spent = lambda notes: 10**9 if notes[RUNS] % RUNS_PER_PERIOD == RUNS_PER_PERIOD - 4 else 1000
    for _ in range(RUNS_PER_PERIOD):
        run(x)
    assert run.stats()["threads"] == 2


def test_times_are_relative_to_the_work(clock):
    # Batches during the trials are a tenth as large, and take a fifth of the time: on one thread that is slower.
    many, few, others = (np.zeros((size, 200)) for size in (2000, 200, 1000))
    run = chainrule.compile(lambda x: chainrule.exp(x) * 2, threads=2, ragged=True)
    for x in (many, few, others, many, few):
        run(x)
    clock.program = program = run._last
    clock.spent = lambda notes: 1000 if with_help(notes) else 200
    for _ in range(2 * RUNS_PER_PERIOD):
        run(many if with_help(program._notes[0]) else few)
        assert run._last is program
    assert run.stats()["threads"] == 2


def test_programs_of_one_thread_or_of_small_steps_do_not_look_at_the_clock(clock):
    run, x = weighed(1, clock)
    small = chainrule.compile(lambda x: chainrule.exp(x) * 2, threads=2)
    before = clock.calls
    for _ in range(3):
        run(x)
        small(np.zeros((3, 3)))
    assert clock.calls == before
    assert run.stats()["threads"] == 1


@pytest.mark.filterwarnings("ignore:compile. block")
def test_a_block_in_numpy_is_no_part_that_threads_help_with():
    class Doubled(chainrule.Block):
        differentiable = False

        def infer(self, x):
            return x

        def forward(self, xp, x):
            return x * 2

    run = chainrule.compile(lambda x: chainrule.exp(Doubled()(chainrule.exp(x))), threads=2)
    run(np.zeros(3))
    assert run.stats()["threads"] == 2
    for _, call, _, notes in run._last._parts:
        if call is None:
            notes[ALONE] = 1
    assert run.stats()["threads"] == 1


def test_workers_that_have_nothing_to_do_use_no_time():
    started()
    time.sleep(0.05)
    before = time.process_time()
    time.sleep(1.0)
    assert time.process_time() - before < 0.2


def test_small_programs_start_no_worker():
    code = (
        "import chainrule, numpy as np; from chainrule.native.running.pool import POOL\n"
        "run = chainrule.compile(lambda x: (x @ x).sum(), threads=4)\n"
        "for _ in range(3): run(np.ones((20, 20)))\n"
        "print(len(POOL.workers))\n"
        "chainrule.compile(lambda x: chainrule.exp(x), threads=4)(np.ones((1000, 1000)))\n"
        "print(len(POOL.workers))\n"
    )
    assert python(code).split() == ["0", "3"]


def test_programs_run_on_one_thread_where_the_system_has_no_posix_threads():
    code = (
        "import chainrule, numpy as np; from chainrule.native.running.pool import POOL\n"
        "POOL._routines, POOL._startable = [], False\n"
        "POOL.forget()\n"
        "run, x = chainrule.compile(lambda x: chainrule.exp(x) * 2, threads=4), np.ones((200, 200))\n"
        "print(len({run(x).numpy().tobytes() for _ in range(300)}), run._last.blocks(0), len(POOL.workers))\n"
    )
    assert python(code).split() == ["1", "2", "0"]


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
        "import os, sys, chainrule, numpy as np; from chainrule.native.running.pool import POOL\n"
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
        "import chainrule, numpy as np; from chainrule.native.running.pool import POOL\n"  # closes its pool before that
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
    assert len(POOL.workers) >= 2


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
