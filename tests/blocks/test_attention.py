"""Attention against explicit computation for each text and against PyTorch's, compiled and eager."""

import tracemalloc
from itertools import pairwise

import numpy as np
import pytest

import chainrule
from chainrule import attend, compile, gradients, tensor
from chainrule.blocks.attention import Attend
from chainrule.blocks.segment_places import SegmentPlaces
from chainrule.errors import ChainruleError, ConfigurationError, ShapeError
from tests.oracle import torch

RNG = np.random.default_rng(0)


def offsets_of(*lengths):
    return np.concatenate([[0], np.cumsum(lengths)])


#: Offsets of queries and of keys: short texts, empty ones, texts of several tiles, others' keys.
OFFSETS = {
    "one token": (offsets_of(1), offsets_of(1)),
    "short": (offsets_of(3, 0, 70, 1), offsets_of(3, 0, 70, 1)),
    "long": (offsets_of(70, 600), offsets_of(70, 600)),
    "others": (offsets_of(3, 0, 70, 13, 1), offsets_of(5, 2, 0, 200, 9)),
    "more keys": (offsets_of(1, 65), offsets_of(64, 700)),
    "a query a text": (offsets_of(1, 0, 1, 1), offsets_of(700, 3, 30, 513)),
    "nothing": (offsets_of(0, 0), offsets_of(0, 0)),
}
#: Heads, heads of keys, dim, value dim.
SHAPES = [(1, 1, 4, 4), (4, 2, 8, 5), (3, 1, 5, 17), (2, 1, 19, 16)]


def drawn(offsets, key_offsets, heads, groups, dim, value_dim, dtype="float64"):
    shapes = (offsets[-1], heads, dim), (key_offsets[-1], groups, dim), (key_offsets[-1], groups, value_dim)
    return [RNG.normal(size=shape).astype(dtype) for shape in shapes]


def theirs(q, k, v, offsets, key_offsets, causal):
    """PyTorch's, text by text; the last query of a text stands at its last key."""
    each = q.shape[1] // k.shape[1]
    found = []
    for (start, end), (first, last) in zip(pairwise(offsets), pairwise(key_offsets), strict=True):
        queries, keys = end - start, last - first
        seen = torch.ones(queries, keys, dtype=torch.bool)
        seen = seen.tril(keys - queries) if causal else seen
        some = seen.any(1)  # PyTorch gives NaN for a query that sees no key
        text = [x.transpose(0, 1)[None] for x in (q[start:end][some], k[first:last], v[first:last])]
        text[1:] = [x.repeat_interleave(each, 1) for x in text[1:]]
        y = torch.zeros(queries, q.shape[1], v.shape[2], dtype=q.dtype)
        if some.any():
            rows = torch.nn.functional.scaled_dot_product_attention(*text, attn_mask=seen[some])[0].transpose(0, 1)
            y = y.index_put((some.nonzero()[:, 0],), rows)
        found.append(y)
    return torch.cat(found) + 0 * q.sum()  # it has a gradient without any token, too


def with_gradients(causal):
    """A function that gives attention and the gradients of its inputs for a given gradient."""

    def function(q, k, v, vector, offsets, key_offsets):
        y = attend(q, k, v, offsets, key_offsets, causal=causal)
        return [y, *gradients(y, [q, k, v], vector)]

    return function


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("shapes", SHAPES)
@pytest.mark.parametrize("name", OFFSETS)
def test_value_and_gradients(name, shapes, causal):
    offsets, key_offsets = OFFSETS[name]
    arrays = drawn(offsets, key_offsets, *shapes)
    leaves = [torch.tensor(x, requires_grad=True) for x in arrays]
    expected = theirs(*leaves, offsets, key_offsets, causal)
    vector = np.cos(np.arange(expected.numel())).reshape(expected.shape)
    (expected * torch.tensor(vector)).sum().backward()
    wanted = [expected.detach(), *(torch.zeros_like(x) if x.grad is None else x.grad for x in leaves)]
    for dtype, tolerance in (("float64", 1e-11), ("float32", 2e-5)):
        given = [tensor(x, dtype) for x in (*arrays, vector)]
        found = [with_gradients(causal)(*given, tensor(offsets), tensor(key_offsets))]
        found += [compile(with_gradients(causal), threads=n)(*given, offsets, key_offsets) for n in (1, 2)]
        for ours in found:
            for x, y in zip(ours, wanted, strict=True):
                np.testing.assert_allclose(x.numpy(), y.numpy(), rtol=tolerance, atol=tolerance)
        for one, two in zip(*found[1:], strict=True):
            assert (one.numpy() == two.numpy()).all(), "another number of threads gave other bits"


def test_explicitly():
    """Without a library: the weights of each query are those of the softmax over its own text."""
    offsets = offsets_of(3, 2)
    q, k, v = drawn(offsets, offsets, 2, 2, 3, 3)
    found = attend(tensor(q, "float64"), tensor(k, "float64"), tensor(v, "float64"), offsets, scale=0.3).numpy()
    for start, end in pairwise(offsets):
        for i in range(start, end):
            for head in range(2):
                powers = np.exp([0.3 * q[i, head] @ k[j, head] for j in range(start, end)])
                expected = powers @ v[start:end, head] / powers.sum()
                np.testing.assert_allclose(found[i, head], expected, rtol=1e-12)


@pytest.mark.parametrize("causal", [False, True])
def test_a_text_alone_is_that_text_in_a_batch(causal):
    offsets = offsets_of(5, 90, 0, 700)
    arrays = drawn(offsets, offsets, 4, 2, 8, 8, "float32")
    function = compile(with_gradients(causal))
    vector = RNG.normal(size=arrays[0].shape).astype("float32")
    together = function(*arrays, vector, offsets, offsets)
    for start, end in pairwise(offsets):
        own = [x[start:end] for x in (*arrays, vector)]
        alone = function(*own, *[np.array([0, end - start])] * 2)
        for x, y in zip(alone, together, strict=True):
            np.testing.assert_allclose(x.numpy(), y.numpy()[start:end], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("scale", [300.0, -300.0])
def test_extreme_scores(scale):
    offsets = offsets_of(2, 600)
    q, k, v = (np.sign(x).astype("float32") for x in drawn(offsets, offsets, 2, 2, 1, 4))
    for run in (with_gradients(False), compile(with_gradients(False))):
        y, *slopes = run(*map(tensor, (q * scale, k, v, v)), tensor(offsets), tensor(offsets))
        assert all(np.isfinite(x.numpy()).all() for x in (y, *slopes))
        assert np.abs(y.numpy()).max() <= 1 + 1e-6


def test_one_trace_serves_all_sizes():
    traces = []

    def function(q, k, v, vector, offsets, key_offsets):
        traces.append(1)
        return with_gradients(True)(q, k, v, vector, offsets, key_offsets)

    compiled = compile(function, ragged=True)
    for draw in range(30):
        lengths = np.random.default_rng(draw).integers(2, 40, draw % 7 + 2)
        offsets = offsets_of(*lengths)
        arrays = drawn(offsets, offsets, 2, 1, 4, 4, "float32")
        vector = np.ones(arrays[0].shape, "float32")
        found = compiled(*arrays, vector, offsets, offsets)
        expected = with_gradients(True)(*map(tensor, (*arrays, vector, offsets, offsets)))
        for x, y in zip(found, expected, strict=True):
            np.testing.assert_allclose(x.numpy(), y.numpy(), rtol=1e-3, atol=1e-4)
    assert len(traces) < 15


def test_queries_keys_and_values_of_one_product_are_read_where_they_are():
    offsets = offsets_of(3, 4)
    x, w = tensor(RNG.normal(size=(7, 6))), tensor(RNG.normal(size=(6, 24)))

    def by_columns(x, w, offsets):
        mapped = x @ w
        q, k, v = (mapped[:, i : i + 8].reshape(7, 2, 4) for i in (0, 8, 16))
        return chainrule.reshape(attend(q, k, v, offsets), (7, 8)) @ w[:, :8].transpose()

    compiled = compile(by_columns)
    np.testing.assert_allclose(compiled(x, w, offsets).numpy(), by_columns(x, w, tensor(offsets)).numpy(), rtol=1e-5)
    steps = [step for step in compiled.explain("loops").split("\n") if step.startswith(("product", "attend", "map"))]
    assert [step.split()[0].split("(")[0] for step in steps if not step.startswith("map")] == [
        "product", "attend", "product"
    ]  # fmt: skip


def test_second_order():
    offsets = offsets_of(2, 0, 3)
    q, k, v = (tensor(x, "float64") for x in drawn(offsets, offsets, 2, 1, 2, 2))

    def function(q, k, v):
        slopes = gradients((attend(q, k, v, offsets, causal=True) ** 2).sum(), [q, k, v])
        return gradients(sum((x * x).sum() for x in slopes), [q, k, v])

    leaves = [torch.tensor(x.numpy(), requires_grad=True) for x in (q, k, v)]
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):  # the others have no second order
        loss = (theirs(*leaves, offsets, offsets, True) ** 2).sum()
    slopes = torch.autograd.grad(loss, leaves, create_graph=True)
    expected = torch.autograd.grad(sum((x * x).sum() for x in slopes), leaves)
    for found in (function(q, k, v), compile(function)(q, k, v)):
        for x, y in zip(found, expected, strict=True):
            np.testing.assert_allclose(x.numpy(), y.numpy(), rtol=1e-9, atol=1e-10)


def dropping(causal, rate=0.4):
    """Attention that drops probabilities, and the gradients of its inputs for a given gradient."""

    def function(q, k, v, vector, offsets, key_offsets, words):
        y = attend(q, k, v, offsets, key_offsets, causal=causal, dropout=rate, key=chainrule.Key(words, 3))
        return [y, *gradients(y, [q, k, v], vector)]

    return function


def factors_of(words, tokens, heads, keys, rate=0.4):
    """What probabilities are multiplied by: of the words of the key and the query comes a word, and of it one a key."""
    draw = chainrule.blocks.chance.Threefry().forward
    low = np.arange(tokens * heads, dtype=np.uint32).reshape(tokens, heads, 1)
    rows = draw(np, low, np.array([3], np.uint32), words[:1], words[1:])
    found = draw(np, np.arange(keys, dtype=np.uint32), rows, words[:1], words[1:])
    return np.where(found >= np.uint32(round(rate * 2**32)), 1 / (1 - rate), 0.0)


def explicitly(q, k, v, offsets, key_offsets, causal, factors):
    """PyTorch, head by head and text by text, with the probabilities multiplied by factors."""
    each = q.shape[1] // k.shape[1]
    y = torch.zeros(len(q), q.shape[1], v.shape[2], dtype=q.dtype) + 0 * (q.sum() + k.sum() + v.sum())
    for (start, end), (first, last) in zip(pairwise(offsets), pairwise(key_offsets), strict=True):
        for head in range(q.shape[1]):
            scores = q[start:end, head] @ k[first:last, head // each].T / q.shape[2] ** 0.5
            seen = torch.ones(end - start, last - first, dtype=torch.bool)
            seen = seen.tril(last - first - end + start) if causal else seen
            p = torch.softmax(scores.masked_fill(~seen, -1e30), 1) * seen
            p = p * torch.tensor(factors[start:end, head, first:last])
            y = y.index_put((torch.arange(start, end), torch.tensor(head)), p @ v[first:last, head // each])
    return y


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("name", OFFSETS)
def test_dropout_of_probabilities(name, causal):
    """What is drawn is the same eagerly, compiled and at any number of threads, and that of the explicit equation."""
    offsets, key_offsets = OFFSETS[name]
    words = np.array([7, 2**32 - 5], np.uint32)
    arrays = drawn(offsets, key_offsets, 4, 2, 8, 5)
    leaves = [torch.tensor(x, requires_grad=True) for x in arrays]
    factors = factors_of(words, offsets[-1], 4, key_offsets[-1])
    expected = explicitly(*leaves, offsets, key_offsets, causal, factors)
    vector = np.cos(np.arange(expected.numel())).reshape(expected.shape)
    (expected * torch.tensor(vector)).sum().backward()
    wanted = [expected.detach(), *(x.grad for x in leaves)]
    for dtype, tolerance in (("float64", 1e-11), ("float32", 5e-5)):
        given = [tensor(x, dtype) for x in (*arrays, vector)]
        found = [dropping(causal)(*given, tensor(offsets), tensor(key_offsets), tensor(words))]
        found += [compile(dropping(causal), threads=n)(*given, offsets, key_offsets, words) for n in (1, 2)]
        for ours in found:
            for x, y in zip(ours, wanted, strict=True):
                np.testing.assert_allclose(x.numpy(), y.numpy(), rtol=tolerance, atol=tolerance)
        for one, two in zip(*found[1:], strict=True):
            assert (one.numpy() == two.numpy()).all(), "another number of threads gave other bits"


def test_dropout_drops_its_share_and_needs_a_key():
    """With equal scores and the identity as values, the results are the probabilities themselves."""
    offsets, values = np.array([0, 300]), np.eye(300, dtype=np.float32)[:, None]
    q = np.zeros((300, 1, 4), np.float32)
    seen = [attend(q, q, values, offsets, dropout=0.3, key=chainrule.Key.of(seed)).numpy() for seed in (0, 0, 1)]
    assert (seen[0] == seen[1]).all()
    assert (seen[0] != seen[2]).any()
    np.testing.assert_allclose(np.unique(seen[0]), [0, 1 / 300 / 0.7], rtol=1e-5)
    assert abs((seen[0] == 0).mean() - 0.3) < 4 * (0.3 * 0.7 / 90_000) ** 0.5
    with pytest.raises(ConfigurationError, match=r"expected a key to drop at a rate of 0\.3"):
        attend(q, q, values, offsets, dropout=0.3)
    with pytest.raises(ConfigurationError, match="attend: expected a rate of at least 0 and below 1, got 1"):
        attend(q, q, values, offsets, dropout=1.0, key=chainrule.Key.of(0))
    with pytest.raises(ShapeError, match="expected random words"):
        Attend(1, 1, 1.0, False, 0.3)(*[np.ones((3, 2), np.float32)] * 3, [0, 3], [0, 3], [[1.0]], [1, 2])


def test_a_text_of_20_000_tokens_that_drops():
    """What is dropped of all its scores is never kept: 400 MB as bytes."""
    offsets, words = np.array([0, 20_000]), np.array([1, 2], np.uint32)
    q, v = np.zeros((20_000, 1, 4), np.float32), np.ones((20_000, 1, 4), np.float32)
    compiled = compile(dropping(True))
    tracemalloc.start()
    y, *slopes = compiled(q, q, v, v, offsets, offsets, words)
    assert tracemalloc.get_traced_memory()[1] < 64 * 2**20
    tracemalloc.stop()
    assert abs(y.numpy()[1000:].mean() - 1) < 0.01
    np.testing.assert_allclose(slopes[2].numpy().sum(), y.numpy().sum(), rtol=1e-3)


def test_a_text_of_20_000_tokens():
    """All its scores would be 6.4 GB; the program takes a hundredth of that."""
    offsets = np.array([0, 20_000])
    q, k, v = (RNG.normal(size=(20_000, 1, 4)).astype("float32") for _ in range(3))
    compiled = compile(with_gradients(True))
    tracemalloc.start()
    y, *slopes = compiled(q, k, v, np.ones_like(v), offsets, offsets)
    assert tracemalloc.get_traced_memory()[1] < 64 * 2**20
    tracemalloc.stop()
    np.testing.assert_allclose(y.numpy()[0], v[0], rtol=1e-5)
    np.testing.assert_allclose(slopes[2].numpy().sum(), 4 * 20_000, rtol=1e-4)  # of each query all of its gradient
    last = np.exp((q[-1, 0] @ k[:, 0].T / 2).astype("float64"))
    np.testing.assert_allclose(y.numpy()[-1, 0], last @ v[:, 0] / last.sum(), rtol=1e-3, atol=1e-4)


ONES = np.ones((3, 2, 4), np.float32)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ((ONES, ONES, ONES, [0, 2]), ShapeError, "offsets must rise from 0 to the number of tokens, 3"),
        ((ONES, ONES, ONES, [0, 3], [0, 1, 3]), ShapeError, "offsets of the same texts"),
        ((ONES, ONES[:2], ONES[:1], [0, 3]), ShapeError, "a value for each key"),
        ((ONES, ONES[:, :, :3], ONES, [0, 3]), ShapeError, "keys as wide as the queries"),
        ((ONES[0], ONES, ONES, [0, 3]), ShapeError, "of shape \\(tokens, heads, dim\\)"),
        ((ONES[:, :1], ONES, ONES, [0, 3]), ConfigurationError, "a multiple of those of the keys"),
    ],
)
def test_messages(given, error, message):
    with pytest.raises(error, match=message):
        attend(*given)


@pytest.mark.parametrize("wrong", [[0, 4, 3], [1, 2, 3], [0, 1, 2], [0, -1, 3]])
def test_compiled_attention_refuses_offsets_that_do_not_fit(wrong):
    compiled = compile(with_gradients(False))
    given = [ONES] * 4
    compiled(*given, np.array([0, 1, 3]), np.array([0, 1, 3]))
    for offsets in ((np.array(wrong), np.array([0, 1, 3])), (np.array([0, 1, 3]), np.array(wrong))):
        with pytest.raises(ChainruleError, match="offsets must rise from 0"):
            compiled(*given, *offsets)


def test_places_in_texts():
    offsets = np.array([0, 2, 2, 5])
    for run in (SegmentPlaces(3), compile(lambda o, x: SegmentPlaces(3)(o, x))):
        assert run(offsets, np.ones(5)).numpy().tolist() == [0, 1, 0, 1, 2]
        with pytest.raises(ShapeError, match=r"text 2 of the batch, counted from 0, has 4 tokens, and there are 3"):
            run(np.array([0, 1, 1, 5]), np.ones(5))


def additively(q, k, v, weight, vector, offsets, key_offsets):
    """Additive attention, and the gradients of its inputs for a given gradient."""
    y = chainrule.attend_additively(q, k, v, weight, offsets, key_offsets)
    return [y, *gradients(y, [q, k, v, weight], vector)]


@pytest.mark.parametrize("name", [name for name in OFFSETS if name != "long"])
def test_additive_attention_against_pytorch(name):
    offsets, key_offsets = OFFSETS[name]
    shapes = (offsets[-1], 19), (key_offsets[-1], 19), (key_offsets[-1], 5), (19,), (offsets[-1], 5)
    arrays = [RNG.normal(size=shape) for shape in shapes]
    *leaves, vector = (torch.tensor(x, requires_grad=True) for x in arrays)
    q, k, v, w = leaves
    parts = []
    for (start, end), (first, last) in zip(pairwise(offsets), pairwise(key_offsets), strict=True):
        scores = torch.tanh(q[start:end, None] + k[first:last]) @ w
        parts.append(torch.softmax(scores, 1) @ v[first:last] if first < last else 0 * q[start:end, :5])
    expected = torch.cat(parts) + 0 * (q.sum() + k.sum() + v.sum() + w.sum())
    (expected * vector).sum().backward()
    wanted = [expected.detach(), *(x.grad for x in leaves)]
    for dtype, tolerance in (("float64", 1e-11), ("float32", 1e-4)):
        given = [tensor(x, dtype) for x in arrays]
        found = [additively(*given, tensor(offsets), tensor(key_offsets))]
        found += [compile(additively, threads=n)(*given, offsets, key_offsets) for n in (1, 2)]
        for ours in found:
            for x, y in zip(ours, wanted, strict=True):
                np.testing.assert_allclose(x.numpy(), y.numpy(), rtol=tolerance, atol=tolerance)
        for one, two in zip(*found[1:], strict=True):
            assert (one.numpy() == two.numpy()).all(), "another number of threads gave other bits"


@pytest.mark.parametrize("native", [False, True])
def test_additive_attention_refuses_what_does_not_fit(native):
    x = np.ones((3, 2), np.float32)
    run = compile(chainrule.attend_additively) if native else chainrule.attend_additively
    for offsets in ([0, 2], [0, 4], [1, 3], [0, 4, 3]):
        with pytest.raises(ShapeError, match="attend_additively: offsets must rise from 0 to the number of tokens"):
            run(x, x, x, x[0], np.array(offsets))
    with pytest.raises(ShapeError, match="expected queries and keys of one size, a weight for each of its numbers"):
        run(x, x[:, :1], x, x[0], np.array([0, 3]))


def test_programs_of_additive_attention_serve_all_sizes():
    """Pairs of a query and a key are more than any of the arrays has rows; none is traced anew for them."""
    draws = np.random.default_rng(0)  # its own: how many programs there are depends on the sizes
    run, eager = compile(additively, ragged=True, threads=1), additively
    for _ in range(25):
        lengths, others = draws.integers(2, 9, 4), draws.integers(2, 9, 4)
        offsets, key_offsets = offsets_of(*lengths), offsets_of(*others)
        shapes = (offsets[-1], 3), (key_offsets[-1], 3), (key_offsets[-1], 2), (3,), (offsets[-1], 2)
        given = [draws.normal(size=shape).astype("float32") for shape in shapes]
        for x, y in zip(
            run(*given, offsets, key_offsets), eager(*map(tensor, given), offsets, key_offsets), strict=True
        ):
            np.testing.assert_allclose(x.numpy(), y.numpy(), rtol=1e-4, atol=1e-5)
    assert run.stats()["programs"] < 20
