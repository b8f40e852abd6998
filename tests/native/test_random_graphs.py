"""Random graphs over all functions: compiled equals eager, values and gradients.

The test runs the same graphs every time. More, other ones each time (`make programs` does that, too):

    python -m tests.native.test_random_graphs --examples 5000
"""

import argparse
import contextlib

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

import chainrule
from chainrule import Key, Spec, Tensor, attend, blocks, grad
from chainrule.errors import ChainruleError
from chainrule.graph.order import topological_order

SIZES = [0, 1, 2, 3, 5, 17]
SPECIAL = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e30, -1e-30]
FLOATS = ["float32", "float64"]
ONE = (
    "absolute negative identity exp log log1p sqrt sigmoid tanh relu softplus sign stop_gradient sin cos tan erf floor "
    "ceil round expm1 exp2 log2 log10 rsqrt reciprocal square isnan isfinite logical_not elu celu selu gelu silu swish "
    "mish log_sigmoid softsign leaky_relu relu6 hard_tanh hard_sigmoid hard_swish"
).split()
GATED = "glu geglu reglu swiglu maxout sparsemax".split()
TWO = (
    "add subtract multiply divide power maximum minimum floor_divide remainder logical_and logical_or logical_xor"
).split()
COMPARISONS = "equal not_equal less less_equal greater greater_equal".split()
#: Functions of numbers that no rounding may come before, as a last place decides what they give.
STEPS = {
    *COMPARISONS, "sign", "argmax", "argmin", "cast", "max", "min", "maximum", "minimum", "relu", "absolute", "floor",
    "ceil", "round", "floor_divide", "remainder", "isnan", "isfinite", "logical_not", "logical_and", "logical_or",
    "logical_xor", "any", "all", "sin", "cos", "tan", "reciprocal", "rsqrt", "selu", "leaky_relu", "relu6", "hard_tanh",
    "hard_sigmoid", "hard_swish",
}  # fmt: skip


class Recipe:
    """A random function: what is applied to which of the tensors so far, arguments first.

    It is drawn on tensors without values, so that only shapes that fit are drawn.
    """

    def __init__(self, draw, dtype):
        self.draw, self.dtype = draw, dtype
        shapes = [self.shape() for _ in range(draw(st.integers(1, 3)))]
        self.nodes = [Tensor(Spec(shape, np.dtype(dtype))) for shape in shapes]
        self.leaves = len(self.nodes)
        self.steps = []
        self.used = []

    def shape(self, rank=None):
        return tuple(self.draw(st.sampled_from(SIZES)) for _ in range(self.integer(0, 3) if rank is None else rank))

    def integer(self, low, high):
        return self.draw(st.integers(low, high))

    def any(self, good=lambda x: True):
        """The number of a tensor that is good for something, made when there is none."""
        found = [i for i, x in enumerate(self.nodes) if good(x)]
        return self.draw(st.sampled_from(found)) if found else None

    def floating(self, good=lambda x: True):
        return self.any(lambda x: x.spec.floating and x.dtype == self.dtype and good(x))

    def exact(self):
        """A tensor whose elements were moved at most, and not computed."""
        return self.floating(lambda x: all(n.block is None or n.block.name in MOVES for n in topological_order([x])))

    def add(self, name, function, *operands):
        """Apply a function; one that refuses its inputs is left out."""
        if any(i is None for i in operands):
            return None
        try:
            node = function(*[self.nodes[i] for i in operands])
        except ChainruleError:
            return None
        if node.spec.size > 2000:
            return None
        self.nodes.append(node)
        self.steps.append((name, function, operands))
        self.used.append(name)
        return len(self.nodes) - 1

    def axis(self, i):
        rank = self.nodes[i].spec.rank
        return self.integer(0, rank - 1) if rank else 0

    def positions(self, count, limit, shape=None):
        """Drawn positions below a limit, as a constant."""
        draws = np.random.default_rng(self.integer(0, 99))
        dtype = self.draw(st.sampled_from(["int64", "int32"]))
        return draws.integers(0, limit, count if shape is None else shape).astype(dtype)

    def apply(self, *tensors):
        """Run the function: a scalar, the gradients of it, and some of the tensors on the way."""
        held = list(tensors)
        for _, function, operands in self.steps:
            held.append(function(*[held[i] for i in operands]))
        results = held[self.leaves :][-3:]
        loss = None
        for i, x in enumerate(held):
            if x.spec.floating and x.dtype == self.dtype:
                part = (x * float(np.cos(i))).mean() if x.spec.size else x.sum()
                loss = part if loss is None else loss + part
        return [loss, *grad(loss, list(tensors)), *results]

    def __repr__(self):
        lines = [f"{i}: {x.spec}" for i, x in enumerate(self.nodes[: self.leaves])]
        for i, (name, _, operands) in enumerate(self.steps, self.leaves):
            lines.append(f"{i}: {self.nodes[i].spec} = {self.nodes[i].block!r} by {name} of {operands}")
        return "\n".join(lines)


MOVES = {
    "reshape", "transpose", "broadcast", "slice", "unslice", "concatenate", "gather", "take_along_axis", "identity",
    "stop_gradient", "negative",
}  # fmt: skip


def one(r, name):
    i = r.exact() if name in STEPS else r.floating()
    if name in ("exp", "softplus") or r.integer(0, 1):
        r.add(name, getattr(chainrule, name), i)
    else:
        r.add(name, lambda x: getattr(chainrule, name)(x * 0.5), i)


def gated(r, name):
    i = r.exact()
    if i is not None:
        axis, function = r.axis(i), getattr(chainrule, name)
        settings = {} if name == "maxout" else {"axis": axis}
        r.add(name, lambda x: function(chainrule.concatenate([x, -x], axis), **settings), i)


def learned_slope(r, _):
    r.add("prelu", chainrule.prelu, r.exact(), r.exact())


def two(r, name):
    choose = r.exact if name in STEPS else r.floating
    i, j = choose(), choose()
    if r.integer(0, 3) == 0:
        number = r.draw(st.sampled_from([0, 1, -1, 2, 0.5, 3]))
        r.add(name, lambda x: getattr(chainrule, name)(x, number), i)
    else:
        r.add(name, getattr(chainrule, name), i, j)


def clamped(r, _):
    r.add("clamp", lambda x: chainrule.clamp(x, -0.5, 0.7), r.exact())
    r.add("clamp", lambda x, low: chainrule.clamp(x, low), r.exact(), r.exact())


def compare(r, name):
    r.add(name, getattr(chainrule, name), r.exact(), r.exact())
    condition = r.any(lambda x: x.dtype == np.bool_)
    r.add("where", chainrule.where, condition, r.floating(), r.floating())
    r.add("where", lambda c, x: chainrule.where(c, x, 1.5), condition, r.floating())
    dtype = r.draw(st.sampled_from(["int64", "int32", "float32", "float64", "uint32"]))
    r.add("cast", lambda c: c.astype(dtype), condition)


def cast(r, _):
    i = r.floating()
    r.add("cast", lambda x: (x.astype("float64") * 2).astype(r.dtype), i)
    r.add("cast", lambda x: x.astype(r.dtype), r.any(lambda x: not x.spec.floating))
    r.add("sum", chainrule.sum, r.any(lambda x: not x.spec.floating))
    r.add("power", lambda x: x**3, r.any(lambda x: x.dtype == np.int64))


def reduce(r, name):
    i = r.exact() if name in STEPS else r.floating()
    if i is None:
        return
    function, axis, keepdims = getattr(chainrule, name), r.axis(i), bool(r.integer(0, 1))
    if name in ("softmax", "log_softmax", "argmax", "argmin", "cumsum"):
        r.add(name, lambda x: function(x, axis), i)
    elif name == "std":  # of numbers that are not all equal: there, the slope is that of rounding errors
        r.add("cumsum", lambda x: chainrule.cumsum(chainrule.full(x.shape, 0.37, x.dtype), axis) + x, i)
        r.add(name, lambda x: function(x, axis, keepdims), len(r.nodes) - 1)
    elif name == "prod":  # of numbers whose product is finite in any order
        r.add(name, lambda x: function(chainrule.clamp(x, -2, 2), axis, keepdims), i)
    elif name != "logsumexp" and r.integer(0, 2) == 0:
        rank = r.nodes[i].spec.rank
        axes = None if r.integer(0, 1) else [a for a in range(rank) if r.integer(0, 1)]
        r.add(name, lambda x: function(x, axes, keepdims), i)
    else:
        r.add(name, lambda x: function(x, axis, keepdims), i)


def move(r, name):
    i = r.any() if r.integer(0, 3) == 0 else r.floating()
    if i is None:
        return
    x, axis = r.nodes[i], r.axis(i)
    rank = x.spec.rank
    if name == "reshape":
        shape = r.draw(st.sampled_from([(-1,), (x.spec.size, 1), (1, -1), (*x.shape[:-2], -1), (*x.shape[::-1],)]))
        r.add(name, lambda x: chainrule.reshape(x, shape), i)
    elif name == "transpose":
        axes = r.draw(st.permutations(range(rank)))
        r.add(name, lambda x: chainrule.transpose(x, axes), i)
        r.add("swapaxes", lambda x: chainrule.swapaxes(x, axis, 0), i)
    elif name == "broadcast_to":
        shape = (*r.shape(r.integer(0, 1)), *[r.draw(st.sampled_from(SIZES)) if n == 1 else n for n in x.shape])
        r.add(name, lambda x: chainrule.broadcast_to(x, shape), i)
    elif name == "expand":
        r.add(name, lambda x: chainrule.expand(x, axis), i)
    elif name == "squeeze":
        if r.add(name, lambda x: chainrule.squeeze(x, axis), i) is None:
            r.add(name, lambda x: chainrule.squeeze(chainrule.expand(x, axis), axis), i)
    elif name == "index":
        ends = st.one_of(st.none(), st.integers(-4, 4))
        key = []
        for _ in range(rank):
            step = r.draw(st.sampled_from([None, 1, 2, -1, -2]))
            cut = slice(r.draw(ends), r.draw(ends), step)
            key.append(r.draw(st.sampled_from([cut, cut, slice(None), 0, -1])))
        key = tuple(key[: r.integer(0, rank)])
        r.add(name, lambda x: x[key], i)
    else:
        function = getattr(chainrule, name)
        j = r.any(lambda y: y.dtype == x.dtype and y.spec.rank == rank)
        r.add(name, lambda *xs: function(xs, axis), i, j, i)


def arrange(r, _):
    i = r.floating()
    if i is None:
        return
    x = r.nodes[i]
    rank, axis, count = x.spec.rank, r.axis(i), r.integer(0, 3)
    widths = [(r.integer(0, 2), r.integer(0, 2)) for _ in range(rank)]
    value = r.draw(st.sampled_from([0, 1.5]))
    r.add("pad", lambda x: chainrule.pad(x, widths, value), i)
    r.add("tile", lambda x: chainrule.tile(x, count), i)
    r.add("roll", lambda x: chainrule.roll(x, count, axis if rank else None), i)
    counts = r.positions(x.shape[axis], 3).tolist() if rank and r.integer(0, 1) else count
    r.add("repeat", lambda x: chainrule.repeat(x, counts, axis if rank else None), i)
    if rank and x.shape[axis]:
        r.add("split", lambda x: chainrule.split(x, max(count, 1), axis)[-1], i)
        r.add("unstack", lambda x: chainrule.unstack(x, axis)[0], i)
    for name in ("tril", "triu"):
        r.add(name, lambda x, name=name: getattr(chainrule, name)(x, count - 1), i)


def create(r, _):
    shape = r.shape()
    r.add("zeros", lambda: chainrule.zeros(shape, r.dtype))
    i = r.add("ones", lambda: chainrule.ones(shape, r.dtype))
    r.add("full", lambda x: x * chainrule.full(shape, 0.3, r.dtype), i)
    r.add("arange", lambda: chainrule.arange(1, 4, 0.7, dtype=r.dtype))


def sort(r, _):
    i = r.exact()
    if i is None or not r.nodes[i].spec.rank:
        return
    axis, descending = r.axis(i), bool(r.integer(0, 1))
    k = min(2, r.nodes[i].shape[axis])
    r.add("sort", lambda x: chainrule.sort(x, axis, descending), i)
    r.add("argsort", lambda x: chainrule.argsort(x, axis, descending), i)
    r.add("topk", lambda x: chainrule.topk(x, k, axis, descending)[0], i)


def select(r, _):
    i = r.floating(lambda x: x.spec.rank > 1 and 0 not in x.shape[:2])
    if i is None:
        return
    x = r.nodes[i]
    rows = r.positions(4, 2 * x.shape[0]) - x.shape[0]
    columns = r.positions(4, 2 * x.shape[1]) - x.shape[1]
    key = r.draw(
        st.sampled_from([(rows, columns), (rows[:, None], columns), (slice(None), columns), (rows, ..., None)])
    )
    r.add("index", lambda x: x[key], i)
    r.add("index", lambda x, rows, columns: x[rows, columns], i, r.add("cast", lambda: chainrule.tensor(rows) + 0),
          r.add("cast", lambda: chainrule.tensor(columns) + 0))  # fmt: skip
    r.add("update_at", lambda x: chainrule.update_at(x, key, 0.5), i)
    r.add("update_at", lambda x: chainrule.update_at(x, (slice(1), rows[:2] % 2), x[:1, :1]), i)
    r.add("einsum", lambda x: chainrule.einsum("ab...,cb...->ca...", x, x), i)
    r.add("einsum", lambda x: chainrule.einsum("ab...->b", x), i)


def product(r, _):
    i, j = r.floating(lambda x: x.spec.rank > 0), r.floating(lambda x: x.spec.rank > 0)
    if i is None or j is None:
        return
    if r.add("matmul", chainrule.matmul, i, j) is None:
        r.add("matmul", lambda a: a @ a.transpose(*range(a.spec.rank - 2), -1, -2), i)
        r.add("matmul", lambda a: chainrule.transpose(a) @ a, i)


def position(r, _):
    i = r.floating(lambda x: x.spec.rank > 0 and x.shape[0] > 0)
    if i is None:
        return
    x = r.nodes[i]
    rows, axis = x.shape[0], r.axis(i)
    ids = r.positions(r.draw(st.sampled_from(SIZES)), rows)
    r.add("gather", lambda x: chainrule.gather(x, ids), i)
    if r.integer(0, 1):
        size = r.draw(st.sampled_from([1, 4, 9]))
        into = r.positions(rows, size + 1)  # the last stands for no row
        r.add("scatter_add", lambda x: chainrule.scatter_add(x, into, size), i)
    if x.shape[axis]:
        shape = (*x.shape[:axis], r.draw(st.sampled_from(SIZES)), *x.shape[axis + 1 :])
        along = r.positions(0, x.shape[axis], shape)
        r.add("take_along_axis", lambda x: chainrule.take_along_axis(x, along, axis), i)


def computed_position(r, _):
    """Positions that are computed: distinct rows as an optimizer finds them, and the place of the largest."""
    i = r.exact()
    if i is None or not r.nodes[i].spec.rank:
        return
    x = r.nodes[i]
    best = r.add("argmax", lambda x: chainrule.argmax(x, 0), i)
    r.add("gather", chainrule.gather, i, best)
    r.add("one_hot", lambda p: chainrule.one_hot(p, 4), best)
    wide = r.positions(5, x.shape[0] + 2) - 1  # no row before the first, and after the last
    r.add("gather_or_zero", lambda x: chainrule.gather_or_zero(x, wide), i)
    ids = r.positions(x.shape[0], 7)
    slots = r.add("first_slots", lambda: chainrule.first_slots(ids, 8))
    r.add("scatter_add", lambda x, slots: chainrule.scatter_add(x, slots, ids.size), i, slots)
    r.add("distinct", lambda slots: chainrule.distinct(ids, slots, 8), slots)


def segment(r, name):
    i = r.floating(lambda x: x.spec.rank > 0)
    if i is None:
        return
    count, segments = r.nodes[i].shape[0], r.integer(1, 5)
    inner = np.sort(r.positions(segments - 1, count + 1))
    offsets = np.concatenate([[0], inner, [count]]).astype(inner.dtype)
    if name == "segment_ids":
        r.add(name, lambda x: chainrule.segment_ids(offsets, x), i)
    elif name == "segment_shift":
        by = r.integer(-2, 2)
        r.add(name, lambda x: chainrule.segment_shift(x, offsets, by), i)
    elif name == "scan":
        state = chainrule.zeros((segments, *r.nodes[i].shape[1:]), r.nodes[i].dtype)
        backwards = bool(r.integer(0, 1))

        def total(s, row):
            return s * 0.5 + chainrule.tanh(row), [s]

        r.add(name, lambda x: chainrule.scan(total, state, x, offsets=offsets, backwards=backwards)[0], i)
        r.add(name, lambda x: chainrule.scan(total, state, x, offsets=offsets, backwards=backwards)[1][0], i)
    elif name == "attend":
        causal = bool(r.integer(0, 1))

        def to_itself(x):
            rows = chainrule.tanh(chainrule.reshape(x, (x.shape[0], 1, x.spec.size // x.shape[0])))
            return attend(chainrule.concatenate([rows, rows * 0.5], 1), rows, rows, offsets, causal=causal)

        if r.nodes[i].spec.size:
            r.add(name, to_itself, i)
    elif name == "attend_additively":

        def by_a_network(x):
            rows = chainrule.tanh(chainrule.reshape(x, (x.shape[0], x.spec.size // x.shape[0])))
            return chainrule.attend_additively(rows, rows * 0.5, rows, chainrule.tanh(rows[0]), offsets)

        if r.nodes[i].spec.size:
            r.add(name, by_a_network, i)
    else:
        r.add(name, lambda x: getattr(chainrule, name)(x, offsets), i)


def chance(r, _):
    key, shape, dtype = Key.of(seed=r.integer(0, 9)), r.shape(), np.dtype(r.dtype)
    r.add("dropout", lambda x: chainrule.dropout(x, 0.4, key), r.floating(lambda x: x.dtype == np.float32))
    r.add("random_uniform", lambda: chainrule.random_uniform(key, shape).astype(dtype))
    r.add("random_normal", lambda: chainrule.random_normal(key, shape).astype(dtype))
    r.add("random_integers", lambda: chainrule.random_integers(key, shape, -3, 9))
    r.add("shuffle", lambda x: chainrule.shuffle(x, key), r.floating(lambda x: x.spec.rank > 0))
    words = r.add("iota", lambda: chainrule.iota(shape))
    r.add("threefry", lambda low: chainrule.threefry(low, np.uint32(1), np.uint32(2), np.uint32(3)), words)


REDUCTIONS = "sum mean max min logsumexp softmax log_softmax argmax argmin any all var std prod cumsum".split()
KINDS = [
    *[(one, name) for name in ONE],
    *[(gated, name) for name in GATED],
    *[(two, name) for name in TWO],
    *[(compare, name) for name in COMPARISONS],
    *[(reduce, name) for name in REDUCTIONS],
    *[(move, name) for name in "reshape transpose broadcast_to expand squeeze index concatenate stack".split()],
    *[(segment, name) for name in "segment_sum segment_mean segment_max segment_argmax segment_ids".split()],
    *[(segment, name) for name in "segment_shift segment_softmax scan attend attend_additively".split()],
    *[(add, "") for add in (cast, product, product, product, position, position, position, chance, chance)],
    *[(add, "") for add in (computed_position, computed_position)],
    *[(add, "") for add in (arrange, create, sort, select, clamped, learned_slope)],
]


@st.composite
def cases(draw, wanted=frozenset()):
    """A function that applies those of these names first, its arguments, in either order of memory."""
    recipe = Recipe(draw, draw(st.sampled_from(FLOATS)))
    seed = draw(st.integers(0, 2**32 - 1))  # drawn one by one, most graphs would be of the same few functions
    order = np.random.default_rng(seed).permutation(len(KINDS))
    if wanted:  # kinds without a name apply one of several functions
        order = sorted(order, key=lambda kind: KINDS[kind][1] not in {*wanted, ""})
    for kind in order[: draw(st.integers(4, 11))]:
        add, name = KINDS[kind]
        add(recipe, name)
    draws = np.random.default_rng(draw(st.integers(0, 99)))
    arrays = []
    for x in recipe.nodes[: recipe.leaves]:
        array = draws.uniform(-2, 2, x.shape)
        if draw(st.integers(0, 9)) == 0:
            array = np.where(draws.random(x.shape) < 0.2, draws.choice(SPECIAL, x.shape), array)
        arrays.append(np.array(array, x.dtype, order=draw(st.sampled_from("CF"))))
    return recipe, arrays


def check(recipe, arrays, compile=chainrule.compile):
    """Compiled equals eager: the same infinities and NaN, and numbers that are as close as rounding lets them be."""
    inputs = [Tensor(Spec(x.shape, x.dtype), x) for x in arrays]
    try:
        expected = recipe.apply(*inputs)
    except ChainruleError:
        return
    compiled = compile(recipe.apply)
    for again in range(2):
        found = compiled(*inputs)
        for position, (x, y) in enumerate(zip(found, expected, strict=True)):
            text = f"result {position}, call {again}"
            assert x.spec == y.spec, text
            a, b = x.numpy(), y.numpy()
            if b.dtype.kind != "f":
                np.testing.assert_array_equal(a, b, err_msg=text)
                continue
            np.testing.assert_array_equal(np.isnan(a), np.isnan(b), err_msg=text)
            np.testing.assert_array_equal(np.isinf(a), np.isinf(b), err_msg=text)
            finite = np.isfinite(b)
            scale = float(np.abs(b[finite]).max(initial=1.0))
            tolerance = 200 * np.finfo(b.dtype).eps  # 3,000 graphs needed 20: some functions enlarge the error before
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * scale, err_msg=text)


def run(examples, number=None, compile=chainrule.compile, wanted=frozenset()):
    """Check that many random cases, the same for a number; the names of all functions that were applied.

    Functions that are wanted are applied in each.
    """
    used = set()

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=list(Phase) if number is None else [Phase.explicit, Phase.generate],
    )
    @given(cases(wanted))
    def compiled_equals_eager(case):
        used.update(case[0].used)
        check(*case, compile)

    if number is not None:
        compiled_equals_eager = seed(number)(compiled_equals_eager)
    with contextlib.suppress(KeyboardInterrupt):
        compiled_equals_eager()
    return used


def test_compiled_equals_eager():
    drawn = set(blocks.__all__) - {"debug", "check_finite"}  # which return what they are given
    used = run(10, number=0)
    for number in range(1, 41):  # some functions are rarely drawn
        if drawn - used:
            used |= run(4, number, wanted=drawn - used)
    assert drawn <= used, f"functions that no graph used: {sorted(drawn - used)}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=5000)
    run(parser.parse_args().examples)
