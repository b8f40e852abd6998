"""Loops on vectors: the numbers of one iteration after the other, at any width, and only where that is possible."""

import ctypes
import operator
from functools import reduce

import numpy as np
import pytest
from llvmlite import ir

from chainrule import Spec
from chainrule.native.llvm import emit, vector
from chainrule.native.llvm.emit import add_kernel
from chainrule.native.llvm.machine import OK_STATUS, load, object_code
from chainrule.native.llvm.vector import Body, Plan, planned
from chainrule.native.loops.expression import Functions, cast
from chainrule.native.loops.kernel import Kernel
from chainrule.native.loops.statements import loops_of

F4, F8, I4, I8, U4, B = (np.dtype(name) for name in ("f4", "f8", "i4", "i8", "u4", "?"))
XP = Functions()
#: Bytes of a vector, and whether a mask can leave out some of its lanes.
MACHINES = {"wide with masks": (64, True), "wide": (64, False), "middle": (32, False), "narrow": (16, False)}
SIZES = (*range(20), 31, 32, 33, 63, 64, 65, 100, 257)


@pytest.fixture(params=MACHINES.values(), ids=MACHINES)
def machine(request, monkeypatch):
    width, masked = request.param
    monkeypatch.setattr(vector, "width", lambda: width)
    monkeypatch.setattr(vector, "masked", lambda: masked)
    return request.param


def compiled(kernel):
    """A function of the kernel's arrays, in order; its status."""
    module = ir.Module()
    add_kernel(module, "kernel", kernel)
    (address,), engine = load(object_code(module), ["kernel"])
    code = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)(address)

    def run(*arrays):
        sizes = [size for array in arrays for size in array.shape]
        table = np.array([*(array.ctypes.data for array in arrays), *sizes], np.int64)
        return code(table.ctypes.data, 0, 1)

    run.engine = engine
    return run


def one_by_one(kernel, monkeypatch):
    """As `compiled`, without vectors."""
    with monkeypatch.context() as patch:
        patch.setattr(emit, "planned", lambda *_: None)
        return compiled(kernel)


def loop(body, *specs, parallel=False):
    """A kernel that runs a body for each element of its first buffer."""
    kernel = Kernel("test")
    buffers = [kernel.buffer(f"b{number}", spec) for number, spec in enumerate(specs)]
    kernel.loop(buffers[0].shape[0], lambda i: body(kernel, i, *buffers), parallel=parallel)
    return kernel


def the_plan(kernel, *, read_soon=False):
    *_, innermost = loops_of(kernel.body)
    shapes = {name: spec.shape for name, spec in kernel.buffers.items()}

    def addressing(name, index):
        return [i for i, size in zip(index, shapes[name], strict=True) if size != 1]

    return planned(Body(innermost), addressing, read_soon)


BODIES = {
    "arithmetic": (lambda x, c, i: x * c + cast(i, F4), F4, F4),
    "division": (lambda x, c, i: x / c - x, F4, F4),
    "functions": (lambda x, c, i: XP.exp(-x) + XP.tanh(c * x), F4, F4),
    "choice": (lambda x, c, i: XP.where((x > c) & (i > 3), x, -c), F4, F4),
    "doubles": (lambda x, c, i: XP.power(x, c), F8, F8),
    "doubles from floats": (lambda x, c, i: cast(x, F8) * c, F4, F8),
    "truth": (lambda x, c, i: (x > c) | (i > 7), F4, B),
    "untruth": (lambda x, c, i: ~x, B, B),
    "whole numbers": (lambda x, c, i: (x // 8) * 3 + x % 16 - i, I8, I8),
    "signs": (lambda x, c, i: cast(x, I8) - cast(cast(x, U4), I8) + XP.absolute(cast(x, I8)), I4, I8),
    "bits": (lambda x, c, i: ((x << 13) | (x >> 19)) ^ cast(i, U4), U4, U4),
}


@pytest.mark.parametrize("name", BODIES)
def test_vectors_give_the_bits_of_one_pass_after_the_other(name, machine, monkeypatch):
    body, source, target = BODIES[name]

    def write(kernel, i, y, x, c):
        y.store(kernel, (i,), body(x((i,)), c(()), i))

    kernel = loop(write, Spec((2,), target), Spec((2,), source), Spec((), source))
    assert the_plan(kernel) is not None
    fast, slow = compiled(kernel), one_by_one(kernel, monkeypatch)
    generator = np.random.default_rng(0)
    for size in SIZES:
        x = 4 * generator.normal(size=size) + 1
        x = (x.astype(I8) if source == U4 else x).astype(source)  # a cast of a negative float to uint32 is undefined
        c = np.array(2, source)
        got, expected = (np.full(size + 64, 77, target) for _ in range(2))
        assert fast(got[:size], x, c) == slow(expected[:size], x, c) == OK_STATUS
        np.testing.assert_array_equal(got.view(np.uint8), expected.view(np.uint8))  # nothing behind the end either


def test_what_lies_anywhere_is_gathered_where_it_pays(machine, monkeypatch):
    def write(kernel, i, y, x, p, t):
        y.store(kernel, (i,), XP.exp(x((p((i,)), 1))) / t((i, p((0,)))))

    kernel = loop(write, Spec((2,)), Spec((2, 2)), Spec((2,), I4), Spec((2, 2)))
    assert the_plan(kernel) is not None
    fast, slow = compiled(kernel), one_by_one(kernel, monkeypatch)
    generator = np.random.default_rng(0)
    for size in SIZES:
        x, t = generator.normal(size=(9, 3)).astype(F4), generator.normal(size=(size, 9)).astype(F4)
        p = generator.integers(0, 9, size, dtype=I4)
        got, expected = np.zeros(size, F4), np.zeros(size, F4)
        assert fast(got, x, p, t) == slow(expected, x, p, t) == OK_STATUS
        np.testing.assert_array_equal(got, expected)


SUMS = {
    "add": (operator.add, 0),
    "mul": (operator.mul, 1),
    "maximum": (np.maximum, -100),
    "minimum": (np.minimum, 100),
    "and": (operator.and_, -1),
    "or": (operator.or_, 0),
    "xor": (operator.xor, 0),
}
BITS = ("and", "or", "xor")


@pytest.mark.parametrize(
    ("name", "dtype"),
    [(name, dtype) for name in SUMS for dtype in (F4, F8, I4, I8, U4) if dtype.kind != "f" or name not in BITS],
)
def test_sums_are_those_of_numpy(name, dtype, machine):
    function, start = SUMS[name]
    start = np.array(start, I8).astype(dtype)
    kernel = Kernel("sum")
    y, x = kernel.buffer("b0", Spec((), dtype)), kernel.buffer("b1", Spec((2,), dtype))
    held = kernel.declare(cast_of(start.item(), dtype))
    combine = getattr(XP, name) if name in ("maximum", "minimum") else function
    kernel.loop(x.shape[0], lambda i: kernel.assign(held, combine(held.get(), x((i,)))))
    y.store(kernel, (), held.get())
    assert the_plan(kernel) is not None
    run = compiled(kernel)
    for size in SIZES:
        values = np.random.default_rng(size).integers(0, 9, size)
        values = (values % 2 + 1 if name == "mul" else values).astype(dtype)
        if name == "mul":
            values[40:] = 1
        got = np.zeros((), dtype)
        assert run(got, values) == OK_STATUS
        assert got == reduce(function, values, start)  # of whole numbers so small, in floats too


def cast_of(value, dtype):
    return Kernel("test").number(value, dtype)


def test_rows_that_are_written_again_and_again(machine, monkeypatch):
    kernel = Kernel("test")
    y, x = kernel.buffer("b0", Spec((2, 2))), kernel.buffer("b1", Spec((2, 2)))

    def row(i):
        kernel.loop(y.shape[1], lambda j: y.store(kernel, (i, j), x((i, j))))
        kernel.loop(3, lambda _: kernel.loop(y.shape[1], lambda j: y.store(kernel, (i, j), y((i, j)) * 2 + x((i, j)))))

    kernel.loop(y.shape[0], row)
    assert the_plan(kernel) is not None
    fast, slow = compiled(kernel), one_by_one(kernel, monkeypatch)
    for size in SIZES:
        x = np.random.default_rng(size).normal(size=(3, size)).astype(F4)
        got, expected = np.zeros_like(x), np.zeros_like(x)
        assert fast(got, x) == slow(expected, x) == OK_STATUS
        np.testing.assert_array_equal(got, expected)


def test_iterations_that_need_the_one_before_run_one_by_one(machine):
    kernel = loop(lambda k, i, y: y.store(k, (i + 1,), y((i,)) + 1), Spec((2,)))
    assert the_plan(kernel) is None
    y = np.zeros(101, F4)
    assert compiled(kernel)(y[:100]) == OK_STATUS
    np.testing.assert_array_equal(y, np.arange(101))


def scattered(k, i, y, x, p):
    y.store(k, (p((i,)),), x((i,)))


def gathered(k, i, y, x, p):
    y.store(k, (i,), x((p((i,)),)))


def guarded(k, i, y, x, p):
    k.when(p((i,)) > 0, lambda: y.store(k, (i,), x((i,))))


def divided(k, i, y, x, p):
    y.store(k, (i,), cast(p((i,)) // p((i,)), F4))


def one_place(k, i, y, x, p):
    y.store(k, (0,), y((0,)) + x((i,)))


@pytest.mark.parametrize("body", [scattered, gathered, guarded, divided, one_place])
def test_what_does_not_run_on_vectors(body, machine, monkeypatch):
    kernel = loop(body, Spec((2,)), Spec((2,)), Spec((2,), I8))
    assert the_plan(kernel) is None
    y, x, p = np.zeros(7, F4), np.arange(7, dtype=F4), np.array([6, 5, 4, 3, 2, 1, 1])
    assert compiled(kernel)(y, x, p) == OK_STATUS
    expected = {
        scattered: [0, 6, 4, 3, 2, 1, 0],
        gathered: [6, 5, 4, 3, 2, 1, 1],
        guarded: x,
        divided: np.ones(7),
        one_place: [21, 0, 0, 0, 0, 0, 0],
    }[body]
    np.testing.assert_array_equal(y, expected)


def test_other_rows_of_a_buffer_never_alias_where_constants_say_so(machine):
    other = loop(lambda k, i, y, x: y.store(k, (0, i), y((1, i)) + x((i,))), Spec((2, 2)), Spec((2,)))
    assert the_plan(other) is not None
    perhaps = loop(lambda k, i, y, x: y.store(k, (x((0,)), i), y((1, i))), Spec((2, 2)), Spec((2,), I8))
    assert the_plan(perhaps) is None


def test_nothing_is_read_for_a_loop_without_iterations_or_behind_a_refusal(machine):
    """An element so far away that to read it would end the process."""
    far, value = np.array(2**50), np.ones(1, F4)

    def body(kernel, i, y, x, p):
        y.store(kernel, (i,), x((p(()),)))

    def refused(kernel, i, y, x, p):
        kernel.refuse(i >= 0, i + 5)
        body(kernel, i, y, x, p)

    specs = Spec((2,)), Spec((2,)), Spec((), I8)
    assert compiled(loop(body, *specs))(np.zeros(0, F4), value, far) == OK_STATUS
    assert compiled(loop(refused, *specs))(np.zeros(3, F4), value, far) == 5


def test_plans(monkeypatch):
    def plans(body, spec, *, read_soon=False):
        kernel = loop(lambda k, i, y: y.store(k, (i,), body(y((i,)))), spec)
        found = []
        for width, masked in MACHINES.values():
            monkeypatch.setattr(vector, "width", lambda width=width: width)
            monkeypatch.setattr(vector, "masked", lambda masked=masked: masked)
            found.append(the_plan(kernel, read_soon=read_soon))
        return found

    row = Spec((2,))
    plain = [Plan(((16, 1),), 16), Plan(((16, 1),), 0), Plan(((8, 1),), 0), Plan(((4, 1),), 0)]
    assert plans(lambda x: x + 1, row) == plain
    assert plans(lambda x: 1 / x, row)[0] == Plan(((16, 1),), 8)
    assert plans(XP.exp, row) == [Plan((), 16), *plain[1:]]
    assert plans(lambda x: x + 1, row, read_soon=True)[:2] == [Plan(((16, 1), (4, 1)), 0)] * 2
    assert plans(lambda x: x + 1, Spec((2,), F8))[-1] == Plan(((2, 1),), 0)
    assert plans(lambda x: ~x, Spec((2,), B))[0] == Plan(((32, 1),), 32)
