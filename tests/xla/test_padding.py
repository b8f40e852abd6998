"""Sizes that are rounded up: what is added is NaN here, and nothing of it is seen."""

import numpy as np
import pytest

import chainrule
from chainrule import nn
from chainrule.errors import PerformanceWarning
from chainrule.graph.autodiff import gradients
from chainrule.graph.conversion import tensor
from chainrule.graph.order import topological_order
from chainrule.graph.sparse import RowSparse
from chainrule.xla.compile import compile
from chainrule.xla.message import Message
from chainrule.xla.sizes import OWN, SHAPES, Shapes, rounded

DRAWS = np.random.default_rng(0)
WEIGHT = chainrule.Parameter.of(DRAWS.normal(size=(3, 4)), name="weight", dtype="float64")
TABLE = chainrule.Parameter.of(DRAWS.normal(size=(9, 4)), name="table", dtype="float64")
LSTM = nn.LSTM(3, 2, generator=DRAWS, dtype="float64")
BACK = nn.LSTM(3, 2, generator=DRAWS, dtype="float64", backwards=True)
for layer in (LSTM, BACK):
    for bias in (layer.input_bias, layer.state_bias):
        bias.assign(DRAWS.normal(size=bias.shape))


def means(x, ids, offsets):
    y = chainrule.tanh(x @ WEIGHT) + chainrule.gather(TABLE, ids)
    return (chainrule.segment_mean(y, offsets) ** 2).sum() + y.mean() + y.max() + (x @ WEIGHT + 1).sum(), y


def maxima(x, ids, offsets):
    y = chainrule.segment_softmax(x @ WEIGHT, offsets) + chainrule.segment_shift(
        chainrule.gather(TABLE, ids), offsets, 1
    )
    return (chainrule.segment_max(y, offsets) ** 2).sum() + chainrule.std(y), y


def recurrent(x, ids, offsets):
    y, last = LSTM(x, offsets)
    z, first = BACK(x, offsets)
    return (y * z).mean() + (last[0] * first[1]).sum(), chainrule.concatenate([y, z], 1)


def attention(x, ids, offsets):
    q = chainrule.reshape(x @ WEIGHT, (-1, 2, 2))
    key = chainrule.Key.of(7)
    y = chainrule.attend(q, q * 0.5, q + 1, offsets, causal=True, dropout=0.4, key=key)
    z = chainrule.attend(q, q, q, offsets)
    return (y * z).sum() + y.mean(), z


def dropped(x, ids, offsets):
    y = chainrule.dropout(x @ WEIGHT, 0.5, chainrule.Key.of(3))
    return (y * y).mean(), y


def case(lengths):
    count = sum(lengths)
    draws = np.random.default_rng(count)
    return draws.normal(size=(count, 3)), draws.integers(0, 9, count), np.concatenate([[0], np.cumsum(lengths)])


CASES = [case(x) for x in ([4, 0, 2, 5], [1, 3, 3, 2], [6, 1, 2, 3])]


@pytest.fixture
def filled(monkeypatch):
    """Numbers that are added are NaN, and added ids the last row."""
    added = Message.added

    def otherwise(self, x, position):
        return np.nan if x.dtype.kind == "f" else 8 if position == 1 else added(self, x, position)

    monkeypatch.setattr(Message, "added", otherwise)


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("function", [means, maxima, recurrent, attention, dropped])
def test_nothing_that_is_added_is_seen(function):
    trained = [WEIGHT, TABLE, *LSTM.parameters(), *BACK.parameters()]

    def both(x, ids, offsets):
        loss, y = function(x, ids, offsets)
        nodes = set(topological_order([loss]))
        read = [p for p in trained if p in nodes]
        found = gradients(loss, [x, *read])
        return [loss, y, *[g.dense() if isinstance(g, RowSparse) else g for g in found]]

    run = compile(both, [("tokens", 0), ("tokens", 0), ("", 1)])
    for x, ids, offsets in CASES:
        exact = both(tensor(x, "float64"), tensor(ids), tensor(offsets))
        found = run(tensor(x, "float64"), ids, offsets)
        for a, b in zip(found, exact, strict=True):
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-9, atol=1e-12)
    assert len(run.shapes.known) < len(CASES)


def test_sizes_are_rounded_to_a_short_list():
    assert len({rounded(x) for x in range(2000, 4000)}) <= 8
    assert all(rounded(x) <= max(1.12 * x + 8, 8) for x in range(1, 5000))


def test_sizes_that_come_again_are_taken_as_they_are():
    shapes = Shapes("step")
    assert [shapes.choose({"tokens": 100})["tokens"] for _ in range(3)] == [rounded(100), 100, 100]


def test_one_warning_for_each_compilation_beyond_a_few():
    shapes = Shapes("step")
    for k in range(SHAPES):
        shapes.choose({"tokens": 100 * 2**k})
    assert shapes.choose({"tokens": 150})["tokens"] == rounded(200)  # fits into one that there is
    with pytest.warns(PerformanceWarning, match="step is compiled once more, for 99,999 tokens, after 8 times"):
        shapes.choose({"tokens": 99_999})


def test_after_a_few_combinations_another_has_room_for_all():
    shapes = Shapes("step")
    for k in range(OWN):
        shapes.choose({"tokens": 1000 + 200 * k, "longest 1": 90 - 10 * k})
    room = {"tokens": rounded(1000 + 200 * (OWN - 1)), "longest 1": rounded(150)}
    assert shapes.choose({"tokens": 1100, "longest 1": 100}) == room
    assert shapes.choose({"tokens": 1790, "longest 1": 99}) == room
    assert len(shapes.known) == OWN + 1


def test_mini_batches_of_reviews_need_few_combinations_and_little_padding():
    """Lengths as of reviews: lognormal, some ten times as long as most."""
    draws = np.random.default_rng(0)
    lengths = np.minimum(np.exp(draws.normal(5.2, 0.65, 64_000)), 2500).astype(int)
    for texts in (64, 128):
        shapes = Shapes("step")
        for some in lengths.reshape(-1, texts):  # pytest makes a warning an error
            shapes.choose({"tokens": int(some.sum()), "longest 1": int(some.max())})
        assert len(shapes.known) <= SHAPES
        assert shapes.padding < 0.12
