"""The loop language: what it prints, when two kernels share code, and what a loop body may do."""

import numpy as np
import pytest

import chainrule
from chainrule import Elementwise, Parameter, Spec, gradients, trace
from chainrule.native.loops.expression import Expression, Functions, call, constant, rotation
from chainrule.native.loops.kernel import Kernel
from chainrule.native.loops.steps import Loop
from chainrule.native.lowering.lower import lower
from chainrule.optim import SGD

F4, F8, I4, I8, U4, B = (np.dtype(name) for name in ("f4", "f8", "i4", "i8", "u4", "?"))
XP = Functions()


def kernels(function, *specs):
    return [step.kernel for step in lower(trace(function, *specs)) if isinstance(step, Loop)]


def variable(name, dtype=F4):
    return Expression("variable", (name,), dtype)


def test_the_listing_of_a_layer():
    layer = chainrule.compile(lambda x, w, b: chainrule.relu(x @ w + b).sum(1))
    layer(np.ones((4, 3)), np.ones((3, 5)), np.ones(5))
    assert layer.listing() == (
        """\
# step 0: 120 floating-point operations, 108 bytes read, 80 bytes written
product float32(4, 5) = x: float32(4, 3) @ w: float32(3, 5)

# step 1: 60 floating-point operations, 100 bytes read, 16 bytes written
kernel reduce(b0: float32[4], b1: float32[4, 5], b2: float32[4, 5], b: float32[5])
  for i0 in 0 .. size(b1, 0)
    v1: float32 = 0
    for i2 in 0 .. size(b1, 1)
      v1 = (v1 + maximum((b2[i0, i2] + b[i2]), 0))
    b0[i0] = v1

# all steps: 180 floating-point operations, 208 bytes read, 96 bytes written"""
    )


def test_the_listing_of_a_step_with_rows():
    table = Parameter.of(np.ones((6, 2)), name="table")
    rule = SGD(0.5)
    state = rule.start([table])

    def step(ids):
        loss = chainrule.gather(table, ids).sum()
        rule.step([table], gradients(loss, [table]), state)
        return loss

    compiled = chainrule.compile(step)
    compiled(np.array([1, 1, 5]))
    listing = compiled.listing()
    # Positions are checked before anything reads by them, and the table is written last, where there is a row.
    assert listing.index("kernel check") < listing.index("kernel reduce") < listing.index("kernel update")
    assert "refuse" in listing
    *_, update, count = listing.split("kernel update")
    assert "int64[1]" in count
    assert "float32[6, 2]" in update
    assert "when (" in update
    assert update.count("prefetch") == 1  # the table; plain SGD remembers nothing
    assert listing.count("# step") == compiled.stats()["steps"]


def test_a_kernel_prints_all_it_can_do():
    kernel = Kernel("all")
    out, flags = kernel.buffer("out", Spec((4, 1), F4)), kernel.buffer("flags", Spec((4,), B))
    total = kernel.declare(kernel.number(0.1, F8))

    def body(i):
        root = call("sqrt", call("astype", total.get(), F4))
        kernel.assign(total, total.get() + root.__class__("cast", (root * root,), F8))
        kernel.when(~flags((i,)), lambda: out.store(kernel, (i, 0), -root, accumulate=True))
        out.prefetch(kernel, (i + 1, 0))
        kernel.refuse(i >= 9, i)
        kernel.nest((2, 1, i), lambda index: out.store(kernel, index[:2], kernel.choose(flags((i,)), 1, 2)))

    kernel.loop(out.shape[0], body, 1)
    assert str(kernel) == (
        """\
kernel all(out: float32[4, 1], flags: bool[4])
  v0: float64 = 0.10000000000000001
  for i1 in 1 .. size(out, 0)
    let t0 = sqrt(float32(v0))
    v0 = (v0 + float64((t0 * t0)))
    when ~flags[i1]
      out[i1, 0] += -sqrt(float32(v0))
    prefetch out[(i1 + 1), 0]
    refuse i1 if (i1 >= 9)
    for i2 in 0 .. 2
      for i3 in 0 .. i1
        out[i2, 0] = float32(where(flags[i1], 1, 2))"""
    )


def test_sizes_share_a_kernel_but_those_of_1_and_0_do_not():
    def keys(*shapes):
        (kernel,) = kernels(lambda x, y: x + y, *[Spec(shape) for shape in shapes])
        return kernel.key

    assert keys((4, 3), (3,)) == keys((90, 7), (7,))
    others = [((4, 1), (1,)), ((4, 3), (1,)), ((1, 3), (3,)), ((0, 3), (3,)), ((4, 3), ()), ((4, 3), (4, 3))]
    assert len({keys(*shapes) for shapes in [((4, 3), (3,)), *others]}) == len(others) + 1


def test_kernels_of_other_data_types_do_not_share_code():
    def picked(dtype):
        a, b = (np.array(x, dtype) for x in (2_000_000_000, 1))
        return lambda c: (chainrule.where(c, a, b) * 2).astype("float64")

    keys = {kernels(picked(dtype), Spec((3,), B))[0].key for dtype in (I4, I8, U4)}
    assert len(keys) == 3
    for dtype in (I4, I8, U4):
        c = np.array([True, False])
        expected = (np.where(c, dtype.type(2_000_000_000), dtype.type(1)) * dtype.type(2)).astype(F8)
        assert chainrule.compile(picked(dtype))(c).value.tolist() == expected.tolist()


def test_names_do_not_matter_to_the_code():
    one, other = (kernels(function, Spec((3,)))[0] for function in (lambda x: x + 1, lambda y: y + 1))
    assert one.key == other.key
    renamed = Kernel("other", one.buffers, one.body)
    assert (renamed.key, str(renamed).partition("(")[0]) == (one.key, "kernel other")


def test_index_arithmetic_with_0_and_1_is_left_out():
    i = Expression("index", ("i",), I8)
    for same in (i + 0, 0 + i, i * 1, 1 * i, i - 0, i // 1):
        assert same is i
    for number, expected in ((i * 0, 0), (0 * i, 0), (i % 1, 0)):
        assert (number.operation, number.operands) == ("constant", (expected,))
    x = variable("x")
    for kept in (x + 0, x * 1, x * 0):  # -0.0 + 0 is not -0.0, and NaN times 0 not 0
        assert kept.operation in ("add", "mul")


def test_operands_take_the_dtype_they_meet():
    x, i, flag = variable("x"), Expression("index", ("i",), I8), variable("f", B)
    assert (x * 2).operands[1].dtype == F4
    assert [part.dtype for part in (x * i).operands] == [F8, F8]
    assert [part.dtype for part in (flag + 1).operands] == [I8, I8]
    assert (flag & True).dtype == B
    assert (x < 1).dtype == B
    assert (1 - x).operands[0].operands == (1.0,)


def test_functions_of_sizes_alone_are_numbers():
    assert (XP.maximum(3, 0), XP.minimum(2, 5)) == (3, 2)
    a = variable("a")
    assert XP.where(True, a, 0) is a
    assert XP.where(False, a, 0).operands == (0.0,)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (lambda xp, x: x if x > 0 else -x, "cannot branch on a value"),
        (lambda xp, x: xp.cbrt(x), r"a loop body may call .* it called cbrt"),
        (lambda xp, x: xp.where(x > 0, 1, 0), "expected an expression on at least one side"),
    ],
)
def test_what_a_loop_body_may_not_do(body, message):
    class Wrong(Elementwise):
        def forward(self, xp, x):
            return body(xp, x) if isinstance(xp, Functions) else x

        def backward(self, gradient, output, x):
            return (gradient,)

    with pytest.raises((TypeError, AttributeError), match=message):
        chainrule.compile(lambda x: Wrong()(x))([1.0])


def test_an_expression_shows_what_it_is():
    assert repr(constant(1, I8) + variable("x", I8)) == "Expression(add, int64)"


def test_deep_expressions():
    def deep(x):
        for _ in range(400):
            x = x * 0.5 + 1
        for _ in range(400):
            x = chainrule.reshape(chainrule.expand(x, 0).T, -1)
        return x

    compiled = chainrule.compile(deep)
    assert compiled([3.0]).item() == 2.0
    assert compiled.stats()["steps"] < 40


def test_draws_at_all_sites_share_a_kernel():
    def mask(x, words, site):
        return chainrule.dropout(x, 0.5, chainrule.Key(words, site))

    x, words = np.ones((3, 40), np.float32), chainrule.Key.of(seed=0).words
    sites = 7, 1, 0, 2**32 - 1
    found = [
        kernels(lambda x, words, site=site: mask(x, words, site), Spec((3, 40), F4), Spec((2,), U4)) for site in sites
    ]
    first, one, zero, last = (each[0].key for each in found)
    assert first == last
    assert len({first, one, zero}) == 3  # numbers of 0 and 1 are written into kernels, as sizes of 0 and 1 are
    for site in sites:
        run = chainrule.compile(lambda x, words, site=site: mask(x, words, site))
        np.testing.assert_array_equal(run(x, words).numpy(), mask(x, words, site).numpy())


@pytest.mark.parametrize("bits", [1, 13, 16, 31])
def test_a_rotation_is_one_instruction(bits):
    class Rotated(Elementwise):
        differentiable = False

        def forward(self, xp, x):
            return (x << bits) | (x >> (32 - bits))

        def backward(self, gradient, output, x):
            return (None,)

    x = np.random.default_rng(bits).integers(2**32, size=37).astype(np.uint32)
    run = chainrule.compile(Rotated())
    np.testing.assert_array_equal(run(x).numpy(), (x << bits) | (x >> (32 - bits)))
    text = run.explain("llvm")
    assert "llvm.fshl" in text
    assert "shl <" not in text


def test_what_is_no_rotation():
    x, y = variable("x", U4), variable("y", U4)
    assert rotation((x << 3) | (x >> 29))[0] is x
    assert rotation(x) is None
    others = [
        (x << 3) | (x >> 28),
        (x << 3) | (y >> 29),
        (x >> 29) | (x << 3),
        (x << 0) | (x >> 32),
        (x << y) | (x >> 29),
    ]
    assert [rotation(each) for each in others] == [None] * 5
    signed = variable("x", I4)
    assert rotation((signed << 3) | (signed >> 29)) is None
