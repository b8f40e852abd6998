"""Scans: what goes step by step, against plain loops over one text after the other; and shifts within segments."""

from itertools import pairwise

import numpy as np
import pytest

import chainrule
from chainrule import compile, concatenate, grad, scan, segment_shift, segment_softmax, sigmoid, tanh, tensor, zeros
from chainrule.errors import ChainruleError, ConfigurationError, DTypeError, ShapeError

OFFSETS = np.array([0, 3, 3, 8, 9, 11])
TEXTS, TOKENS, INPUTS, HIDDEN = 5, 11, 2, 3
RNG = np.random.default_rng(0)
SHAPES = {
    "x": (TOKENS, INPUTS),
    "w": (INPUTS, HIDDEN),
    "u": (HIDDEN, HIDDEN),
    "h": (TEXTS, HIDDEN),
    "c": (TEXTS, HIDDEN),
}
DATA = {name: RNG.normal(size=shape) for name, shape in SHAPES.items()}
VECTORS = [RNG.normal(size=(TOKENS, HIDDEN)), RNG.normal(size=(TOKENS, HIDDEN)), RNG.normal(size=(TEXTS, HIDDEN))]


def body(states, row, u):
    """A state that is added up slowly, one with a product, and an output that is read from both."""
    h, c = states
    mixed = tanh(row + h @ u)
    c = sigmoid(mixed) * c + mixed
    return [tanh(c) * 0.5 + h * 0.3, c], [c * 2 + h, mixed]


def by_scan(x, w, u, h, c, offsets, *, backwards):
    (_, last), (first, second) = scan(
        lambda states, row: body(states, row @ w, u), [h, c], x, offsets=offsets, backwards=backwards
    )
    return first, second, last


def by_loops(x, w, u, h, c, *, backwards):
    outputs, last = [[None] * TOKENS, [None] * TOKENS], []
    for text in range(TEXTS):
        states = [h[text : text + 1], c[text : text + 1]]
        rows = range(OFFSETS[text], OFFSETS[text + 1])
        for i in reversed(rows) if backwards else rows:
            states, found = body(states, x[i : i + 1] @ w, u)
            outputs[0][i], outputs[1][i] = found
        last.append(states[1])
    return [concatenate(rows) for rows in (*outputs, last)]


def total(found):
    return sum((y * vector).sum() for y, vector in zip(found, VECTORS, strict=True))


@pytest.mark.parametrize("backwards", [False, True])
def test_a_scan_is_a_loop_over_texts(backwards):
    given = {name: tensor(x, "float64") for name, x in DATA.items()}
    found, expected = by_scan(**given, offsets=OFFSETS, backwards=backwards), by_loops(**given, backwards=backwards)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-12)
    first, reference = grad(total(found), given), grad(total(expected), given)
    for name in given:
        np.testing.assert_allclose(first[name].numpy(), reference[name].numpy(), rtol=1e-11, atol=1e-12)
    squares, others = (sum((x * x).sum() for x in found.values()) for found in (first, reference))
    second, reference = grad(squares, given), grad(others, given)
    for name in given:
        np.testing.assert_allclose(second[name].numpy(), reference[name].numpy(), rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("threads", [1, 2])
def test_compiled_is_eager(backwards, threads):
    def function(x, w, u, h, c, offsets):
        found = by_scan(x, w, u, h, c, offsets, backwards=backwards)
        return [*found, *grad(total(found), [x, w, u, h, c])]

    given = [tensor(x, "float64") for x in DATA.values()]
    compiled = compile(function, threads=threads)
    for a, b in zip(compiled(*given, OFFSETS), function(*given, tensor(OFFSETS)), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-11, atol=1e-12)
    assert "repeat float64" in compiled.explain("loops")
    assert "call NumPy" not in compiled.explain("loops")


def test_one_program_serves_batches_of_all_lengths():
    weights = [tensor(DATA[name], "float64") for name in "wu"]

    def function(x, offsets):
        texts = offsets.shape[0] - 1
        state = zeros((texts, HIDDEN), "float64")
        found = by_scan(x, *weights, state, state, offsets, backwards=False)
        return [*found, grad(found[0].sum() + found[2].sum(), weights[1])]

    compiled = compile(function, ragged=True, threads=1)
    rng = np.random.default_rng(1)
    for _ in range(40):
        offsets = np.concatenate([[0], np.cumsum(rng.integers(0, 9, 6))])
        x = tensor(rng.normal(size=(offsets[-1], INPUTS)), "float64")
        for a, b in zip(compiled(x, offsets), function(x, tensor(offsets)), strict=True):
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-11, atol=1e-12)
    assert compiled.stats()["programs"] < 20


def test_a_text_alone_is_the_text_in_any_batch():
    given = {name: tensor(x, "float64") for name, x in DATA.items()}
    outputs, _, last = by_scan(**given, offsets=OFFSETS, backwards=False)
    for text in range(TEXTS):
        rows = slice(OFFSETS[text], OFFSETS[text + 1])
        own = {**given, "x": given["x"][rows], **{name: given[name][text : text + 1] for name in "hc"}}
        alone, _, end = by_scan(**own, offsets=[0, rows.stop - rows.start], backwards=False)
        np.testing.assert_allclose(alone.numpy(), outputs.numpy()[rows], rtol=1e-12)
        np.testing.assert_allclose(end.numpy(), last.numpy()[text : text + 1], rtol=1e-12)


@pytest.mark.parametrize("offsets", [[0], [0, 0], [0, 0, 0]])
def test_without_tokens_states_stay(offsets):
    state = tensor(np.ones((len(offsets) - 1, 2)))
    for function in (lambda x, h, o: scan(lambda s, row: (s + row, [s]), h, x, offsets=o),):
        last, (outputs,) = function(tensor(np.zeros((0, 2))), state, tensor(offsets))
        assert outputs.shape == (0, 2)
        np.testing.assert_array_equal(last.numpy(), state.numpy())


def test_own_blocks_work_in_a_body():
    class Twice(chainrule.Block):
        def infer(self, x):
            return x

        def forward(self, xp, x):
            return 2 * x

        def backward(self, gradient, output, x):
            return (gradient * 2,)

    def function(x, offsets):
        last, _ = scan(lambda s, row: (Twice()(s) * 0.5 + row, []), zeros((2, 1)), x, offsets=offsets)
        return last

    x = np.array([[1.0], [2.0], [4.0]], np.float32)
    assert function(tensor(x), tensor([0, 2, 3])).value.tolist() == [[3.0], [4.0]]
    with pytest.warns(chainrule.errors.PerformanceWarning, match="no loop body"):
        assert compile(function)(x, np.array([0, 2, 3])).value.tolist() == [[3.0], [4.0]]


X = np.ones((3, 2), np.float32)


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (
            lambda: scan(lambda s, x: (s, []), zeros((2, 2)), X, offsets=[0, 1, 4]),
            ShapeError,
            "offsets must rise from 0",
        ),
        (
            lambda: scan(lambda s, x: (s, []), zeros((3, 2)), X, offsets=[0, 1, 3]),
            ShapeError,
            "expected a state a text, 2",
        ),
        (
            lambda: scan(lambda s, x: (s, []), zeros((2, 2)), X, X[:2], offsets=[0, 1, 3]),
            ShapeError,
            "a row a token, 3",
        ),
        (
            lambda: scan(lambda s, x: (s, []), np.array([[1], [2]]), X, offsets=[0, 1, 3]),
            DTypeError,
            "states of one dtype",
        ),
        (lambda: scan(lambda s, x: (s, []), [], X, offsets=[0, 3]), ConfigurationError, "a state and a sequence"),
        (
            lambda: scan(lambda s, x: s, zeros((2, 2)), X, offsets=[0, 1, 3]),
            ConfigurationError,
            "the new state and a list",
        ),
        (
            lambda: scan(lambda s, x: (s[:, :1], []), zeros((2, 2)), X, offsets=[0, 1, 3]),
            ShapeError,
            "returned float32",
        ),
        (
            lambda: scan(lambda s, x: (s + x.sum(0), []), zeros((2, 2)), X, offsets=[0, 1, 3]),
            ConfigurationError,
            "treat each row by itself",
        ),
        (
            lambda: scan(
                lambda s, x: (s + chainrule.random_normal(chainrule.Key.of(seed=0), s.shape), []),
                zeros((2, 2)),
                X,
                offsets=[0, 1, 3],
            ),
            ConfigurationError,
            "make it outside, one row a token",
        ),
    ],
)
def test_messages(function, error, message):
    with pytest.raises(error, match=message):
        function()


def test_compiled_scans_refuse_offsets_that_do_not_fit():
    compiled = compile(lambda x, o: scan(lambda s, row: (s + row, [s]), zeros((2, 2)), x, offsets=o)[1])
    compiled(X, np.array([0, 1, 3]))
    with pytest.raises(ChainruleError, match="offsets must rise from 0"):
        compiled(X, np.array([0, 4, 3]))


@pytest.mark.parametrize("by", [-3, -1, 0, 1, 2, 20])
def test_shifts_stay_in_their_segment(by):
    x = np.arange(1.0, TOKENS + 1)
    expected = np.zeros(TOKENS)
    for start, end in pairwise(OFFSETS):
        for i in range(start, end):
            expected[i] = x[i + by] if start <= i + by < end else 0
    for shift in (segment_shift, lambda *given: compile(lambda x, o: segment_shift(x, o, by))(*given[:2])):
        np.testing.assert_array_equal(shift(tensor(x, "float64"), OFFSETS, by).numpy(), expected)


def test_softmax_of_segments():
    x = tensor(RNG.normal(size=(TOKENS, 2)) * 50, "float64")
    found = segment_softmax(x, OFFSETS).numpy()
    for start, end in (pair for pair in pairwise(OFFSETS) if pair[0] < pair[1]):
        np.testing.assert_allclose(found[start:end], chainrule.softmax(x[start:end], 0).numpy(), rtol=1e-12)
