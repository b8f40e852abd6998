"""Attention by a kernel: with JAX's own equations in its place, it gives what the products of the engine give."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import chainrule
from chainrule.blocks.attention import Attend
from chainrule.blocks.attention_gradient import AttendGradient
from chainrule.graph.conversion import tensor
from chainrule.graph.spec import FLOAT32, Spec
from chainrule.graph.trace import trace
from chainrule.xla.compile import compile
from chainrule.xla.device import wide
from chainrule.xla.forms import Call, find_form, fused
from chainrule.xla.values import Value

ROUNDED = 12  # tokens, of which the last ones stand for nothing


@pytest.fixture
def kernel(monkeypatch):
    """On the processor, in float32."""
    monkeypatch.setattr(fused, "KERNELS", {"cpu": "xla"})
    monkeypatch.setattr(fused, "DTYPE", jnp.float32)
    monkeypatch.setattr(fused, "FOUND", {})
    with wide():
        yield


def rounded_up(x):
    """Rows of tokens, rounded up with NaN in what stands for nothing."""
    array = np.full((ROUNDED, x[0].size), np.nan, np.float32)
    array[: len(x)] = x.reshape(len(x), -1)
    return Value(jnp.asarray(array), jnp.arange(ROUNDED)[:, None] < len(x))


CASES = {  # heads, groups, causal, lengths of queries, lengths of keys or None
    "causal": (2, 2, True, [4, 0, 2, 5], None),
    "grouped": (4, 2, False, [6, 1, 3], None),
    "cross": (2, 1, False, [3, 2, 0, 4], [5, 0, 4, 1]),
}


@pytest.mark.usefixtures("kernel")
@pytest.mark.parametrize("name", CASES)
def test_results_and_gradients_are_those_of_the_other_engines(name):
    heads, groups, causal, lengths, others = CASES[name]
    draws, size, joint = np.random.default_rng(0), 8, others is None
    others = others or lengths
    counts = ((sum(lengths), heads), (sum(others), groups), (sum(others), groups), (sum(lengths), heads))
    q, k, v, g = (draws.normal(size=(*count, size)).astype(np.float32) for count in counts)
    offsets, keys = (np.concatenate([[0], np.cumsum(x)]) for x in (lengths, others))
    leaves = [tensor(x) for x in (q, k, v)]
    y = chainrule.attend(*leaves, offsets, None if joint else keys, causal=causal, scale=0.3)
    exact = [y, *chainrule.gradients((y * g).sum(), leaves)]

    ends = Value(jnp.asarray(offsets))
    inputs = *map(rounded_up, (q, k, v)), ends, ends if joint else Value(jnp.asarray(keys))
    columns = (heads + 2 * groups) * size
    blocks = Attend.of(heads, groups, 0.3, causal, 0.0), AttendGradient.of(heads, groups, 0.3, causal, 0.0, joint)
    specs = Spec((ROUNDED, heads * size), FLOAT32), Spec((ROUNDED, columns) if joint else (ROUNDED * columns,), FLOAT32)
    kept = {}

    def run():
        calls = [
            Call(block, spec, (None,), longest=[max(lengths), max(others)], kernel="xla", kept=kept)
            for block, spec in zip(blocks, specs, strict=True)
        ]
        y = find_form(blocks[0])(calls[0], *inputs)
        return y.array, find_form(blocks[1])(calls[1], rounded_up(g), y, *inputs).array

    found, packed = jax.jit(run)()
    assert len(kept) == 1  # the gradient does not compute the forward again
    cuts = np.cumsum([heads * size, groups * size])
    apart = np.split(packed, cuts, 1) if joint else [x.reshape(ROUNDED, -1) for x in np.split(packed, cuts * ROUNDED)]
    for a, b in zip([found, *apart], exact, strict=True):
        np.testing.assert_allclose(a[: len(b.numpy())], b.numpy().reshape(len(b.numpy()), -1), atol=2e-6)


def attended(offsets, **settings):
    """The node of an attention, and how long the longest text is."""
    spec = Spec((10, 2, settings.pop("size", 8)), FLOAT32)

    def function(q, at):
        return chainrule.attend(q, q, q, at, **settings)

    graph = trace(function, spec, Spec((offsets,), np.dtype(np.int64)))
    return next(x for x in graph.nodes() if isinstance(x.block, Attend)), {graph.inputs[1]: 4}


@pytest.mark.usefixtures("kernel")
def test_when_the_kernel_is_taken(monkeypatch):
    node, longest = attended(3, causal=True)
    assert fused.kernel_of(node, longest, "bfloat16") == "xla"
    assert fused.kernel_of(node, longest, "float32") is None
    assert fused.kernel_of(node, {}, "bfloat16") is None  # nobody knows a longest text
    for settings in ({"size": 12}, {"size": 136}, {"dropout": 0.5, "key": chainrule.Key.of(0)}):
        other, known = attended(3, **settings)
        assert fused.kernel_of(other, known, "bfloat16") is None
    monkeypatch.setattr(fused, "KERNELS", {"gpu": "cudnn"})
    assert fused.kernel_of(node, longest, "bfloat16") is None


def test_a_kernel_that_the_device_refuses_is_not_taken(monkeypatch):
    monkeypatch.setattr(fused, "KERNELS", {"cpu": "cudnn"})
    monkeypatch.setattr(fused, "FOUND", {})
    node, longest = attended(3)
    with wide():
        assert fused.kernel_of(node, longest, "bfloat16") is None
    ((asked, reason),) = fused.FOUND.items()
    assert asked == ("cudnn", 2, 2, 8, False)
    assert "cuDNN" in reason


@pytest.mark.usefixtures("kernel")
def test_a_compiled_function_takes_it():
    def function(x, offsets):
        loss = (chainrule.attend(x, x, x, offsets) ** 2).sum()
        return [loss, *chainrule.gradients(loss, [x])]

    run = compile(function, [("tokens", 0), ("", 1)], precision="bfloat16")
    x, offsets = np.random.default_rng(0).normal(size=(7, 1, 8)).astype(np.float32), np.array([0, 3, 3, 7])
    for a, b in zip(run(x, offsets), function(tensor(x), tensor(offsets)), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), atol=0.02, rtol=0.02)
    assert run.kernels == {"xla"}


@pytest.mark.usefixtures("kernel")
def test_calls_of_a_program_are_told_apart(monkeypatch):
    """By their seeds: XLA finds one of several calls that are alike, and sums in a fixed order only there."""
    seeds, function = [], fused._function

    def noted(*given):
        seeds.append(given[3])
        return function(*given)

    monkeypatch.setattr(fused, "_function", noted)
    monkeypatch.setattr(fused, "_try", lambda *_: None)

    def layers(x, offsets):
        once = chainrule.attend(x, x, x, offsets)
        loss = (chainrule.attend(once, once, once, offsets) ** 2).sum()
        return [loss, *chainrule.gradients(loss, [x])]

    x, offsets = np.random.default_rng(0).normal(size=(7, 1, 8)).astype(np.float32), np.array([0, 3, 3, 7])
    compile(layers, [("tokens", 0), ("", 1)], precision="bfloat16")(x, offsets)
    assert sorted(seeds) == [0, 1]
