"""Compiled code touches no memory but its own: the same tests between guards, in a process that may die of it."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

import chainrule
from chainrule import gradients
from chainrule.nn import EmbeddingBag, Linear, cross_entropy
from chainrule.optim import SGD, Adam, clip_by_norm
from tests.guards import SIDES

guarded = pytest.mark.skipif(os.name != "posix", reason="guards take POSIX's mmap and mprotect")

#: By the side of the guards: of every block one sample, forward and backward, and training steps; `make memory` takes
#: all samples, on both sides.
TRAINING = "tests/native/test_memory.py::test_training"
SAMPLE = {"after": ["tests/native/one_sample.py", TRAINING], "before": [TRAINING]}

#: With this ε no gradient is so small that its rounding decides a whole step.
RULES = {
    "dense": SGD(0.05, momentum=0.9),
    "deferred": Adam(1e-2, epsilon=1e-3),
    "lazy": Adam(1e-2, epsilon=1e-3, lazy=True),
}


class Training:
    """A classifier of texts whose sizes are no multiples of a vector's, some too large for one thread."""

    def __init__(self, rule, *, dense, compiled, ragged=False):
        draws = np.random.default_rng(0)
        self.bag = EmbeddingBag(2003, 67, generator=draws)
        self.hidden = Linear(67, 2051, generator=draws)
        self.last = Linear(2051, 3, generator=draws)
        self.parameters = [x for layer in (self.bag, self.hidden, self.last) for x in layer.parameters()]
        self.dense, self.rule, self.state = dense, rule, rule.start(self.parameters)
        self.run = chainrule.compile(self.step, threads=2, ragged=ragged) if compiled else self.step

    def step(self, ids, offsets, labels):
        scores = self.last(chainrule.relu(self.hidden(self.bag(ids, offsets))))
        loss = cross_entropy(scores, labels)
        if self.dense:  # a gradient in every row
            loss = loss + (self.bag.parameters()[0] ** 2).sum() * 1e-3
        clipped, _ = clip_by_norm(gradients(loss, self.parameters), 1.0)
        self.rule.step(self.parameters, clipped, self.state)
        return loss


def batches(ragged):
    """Eight batches of 37 texts, some of them empty: of the same number of tokens, or each of another."""
    draws = np.random.default_rng(1)
    for _ in range(8):
        tokens = draws.integers(300, 700) if ragged else 531
        offsets = np.concatenate([[0], np.sort(draws.integers(0, tokens + 1, 36)), [tokens]])
        yield draws.integers(0, 2003, tokens), offsets, draws.integers(0, 3, 37)


@pytest.mark.parametrize("ragged", [False, True], ids=["same sizes", "ragged"])
@pytest.mark.parametrize("name", RULES)
def test_training(name, ragged):
    eager, compiled = (
        Training(RULES[name], dense=name == "dense", compiled=compiled, ragged=ragged and compiled)
        for compiled in (False, True)
    )
    for batch in batches(ragged):
        np.testing.assert_allclose(compiled.run(*batch).item(), eager.run(*batch).item(), rtol=1e-5)
    behind = any(x.behind for x in compiled.state.deferrals)
    assert behind == (name == "deferred")
    for x, y in zip(compiled.parameters, eager.parameters, strict=True):
        np.testing.assert_allclose(x.numpy(), y.numpy(), rtol=1e-5, atol=1e-6)
    program = compiled.run._last
    assert max(program.blocks(number) for number in range(len(program.steps))) > 1  # both threads had something to do


def python(*words):
    """Run Python in a process of its own."""
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=600, check=False)


@guarded
@pytest.mark.parametrize("side", SIDES)
def test_nothing_is_touched_beside_arrays(side):
    # Without conftest.py, that is with the compiled kernels of this process.
    settings = ["-v", "--noconftest", "-p", "no:cacheprovider", "-p", "tests.guards", "--guards", side]
    found = python("-m", "pytest", *settings, *SAMPLE[side])
    end = "\n".join(found.stdout.splitlines()[-40:])
    assert found.returncode == 0, (
        f"with guards {side} each array, the tests ended with {found.returncode}; {-signal.SIGSEGV} is of a step that "
        f"touched memory beside an array, in the last test named here:\n{end}\n{found.stderr}"
    )


#: y = exp(x), whose table then says that one of them lies elsewhere.
MOVED = """
import faulthandler, sys
import numpy as np
from tests.guards import guard
side, name, where = sys.argv[1:]
guard(side)
import chainrule
faulthandler.enable()
x = np.zeros(1031, np.float32)
run = chainrule.compile(lambda x: chainrule.exp(x))
assert run(x).numpy().all()
program = run._last
(leaf,), (result,) = program.graph.inputs, program.graph.outputs
(place,) = np.flatnonzero(program.tables == program.arrays[leaf if name == "x" else result].ctypes.data)
if where == "freed":
    freed = np.zeros_like(x)
    program.tables[place] = freed.ctypes.data
    del freed
else:
    program.tables[place] += int(where)
run(x)
"""


@guarded
@pytest.mark.parametrize("name", ["x", "y"])
@pytest.mark.parametrize(("side", "where"), [("after", "4"), ("before", "-4"), ("after", "freed"), ("after", "0")])
def test_guards_end_a_step_that_goes_beside_its_arrays(side, where, name):
    found = python("-c", MOVED, side, name, where)
    assert found.returncode == (0 if where == "0" else -signal.SIGSEGV), found.stderr
    assert ("Segmentation fault" in found.stderr) == (where != "0")
