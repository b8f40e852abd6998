"""Forks while other threads run, compile or load: the child computes the same, and never waits for a thread it lacks.

Each test runs in a process of its own, with a time limit; so does each child.
"""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks exist on POSIX systems")

START = """
import gc, os, signal, threading, time, warnings
import numpy as np
import chainrule
warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of forks beside threads

def work_until_stopped():
    while not stop.is_set():
        work()

def in_a_child(check):
    child = os.fork()
    if child == 0:
        signal.alarm(30)  # ends a child that hangs
        os._exit(0 if check() else 3)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

def forked_beside(check, pauses):
    thread = threading.Thread(target=work_until_stopped)
    thread.start()
    found = []
    for pause in pauses:
        time.sleep(pause)
        found.append(in_a_child(check))
    stop.set()
    thread.join()
    print(*found)

stop = threading.Event()
"""


def children(code):
    """The exit codes of the children of a process that runs this code."""
    environment = {**os.environ, "CHAINRULE_CACHE": "", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", START + code], capture_output=True, text=True, timeout=120, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return [int(word) for word in done.stdout.split()]


@pytest.mark.parametrize("threads", [1, 2])
def test_while_a_compiled_function_runs(threads):
    code = f"""
def function(x):
    return [chainrule.exp(chainrule.tanh(x)).sum(1), x[:300, :300] @ x[:300, :300].T]

run = chainrule.compile(function, threads={threads})
x = np.random.default_rng(0).normal(size=(2000, 1000)).astype(np.float32)
expected = [y.numpy().tobytes() for y in run(x)]
work = lambda: run(x)
forked_beside(lambda: [y.numpy().tobytes() for y in run(x)] == expected, [0.03] * 6)
assert [y.numpy().tobytes() for y in run(x)] == expected
"""
    assert children(code) == [0] * 6


def test_memory_that_a_call_leaves_half_done_is_not_used():
    """The loops that give slots to distinct values work on memory that must be clear before and is left so."""
    code = """
from chainrule.blocks.slots import first_slots
ids = np.random.default_rng(0).integers(0, 500_000, 400_000)
run = chainrule.compile(lambda ids: first_slots(ids, 500_000), threads=1)
expected = run(ids).numpy().tobytes()
work = lambda: run(ids)
forked_beside(lambda: all(run(ids).numpy().tobytes() == expected for _ in range(2)), [0.011] * 8)
"""
    assert children(code) == [0] * 8


@pytest.mark.parametrize("before", ["", "chainrule.compile(lambda x: x + 1)(np.ones(2))"])
def test_while_another_thread_compiles(before):
    """From the first moment on, when modules and LLVM are still being loaded; and once they are."""
    code = f"""
{before}
number = 0
def work():
    global number
    number += 1
    chainrule.compile(lambda x, n=number: x * n + 1.5)(np.ones(3))

def check():
    return chainrule.compile(lambda x: x @ (x * 77.5))(np.ones((3, 3))).numpy()[0, 0] == 232.5

forked_beside(check, [0.002, 0.01, 0.03, 0.05, 0.1, 0.15])
assert number > 1
"""
    assert children(code) == [0] * 6


def test_while_another_thread_drops_what_it_compiled():
    code = """
from chainrule.native.running import kernels
kernels.CODES_KEPT = 1
number = 0
def work():
    global number
    number = (number + 1) % 5
    chainrule.compile(lambda x, n=number: x * n + 1.5)(np.ones(3))
    gc.collect()

forked_beside(lambda: chainrule.compile(lambda x: x * 77.5)(np.ones(3)).numpy()[0] == 77.5, [0.5] + [0.04] * 6)
"""
    assert children(code) == [0] * 7


def test_inside_a_compiled_function():
    """The thread that forks has the lock itself, in the child too."""
    code = """
inside = []
def function(x):
    inside.append(os.fork())
    return x * 2
result = chainrule.compile(function)(np.ones(3)).numpy().tolist()
if inside[0] == 0:
    os._exit(0 if result == [2, 2, 2] else 3)
print(os.waitstatus_to_exitcode(os.waitpid(inside[0], 0)[1]))
assert result == [2, 2, 2]
"""
    assert children(code) == [0]


def test_blas_has_its_threads_again():
    """A product runs with BLAS at one thread. A child that was born meanwhile has as many as there were before."""
    code = """
from chainrule.native.running import blas
run = chainrule.compile(lambda x: x @ x, threads=1)
x = np.ones((700, 700), np.float32)
run(x)
library = blas._library()
library.set_num_threads(2)
work = lambda: run(x)
forked_beside(lambda: library.get_num_threads() == 2 and run(x).numpy()[0, 0] == 700, [0.02] * 5)
assert library.get_num_threads() == 2
"""
    assert children(code) == [0] * 5


def test_two_threads_fork_at_once():
    code = """
run = chainrule.compile(lambda x: x * 2)
run(np.ones(3))
def check():
    other = chainrule.compile(lambda x: x * 2)
    return run(np.ones(3)).numpy().tolist() == other(np.ones(3)).numpy().tolist() == [2, 2, 2]
found = []
def work():
    found.append(in_a_child(check))
threads = [threading.Thread(target=work) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(*found)
"""
    assert children(code) == [0] * 4
