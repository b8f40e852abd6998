"""Changes of low rank, against the matrices that they stand for."""

import numpy as np
import pytest

import chainrule
from chainrule.errors import ConfigurationError, ShapeError
from chainrule.nn import Linear, LowRank, MultiHeadAttention, TransformerDecoderLayer, add_low_rank, merge_low_rank
from chainrule.optim import SGD
from chainrule.testing import check_gradient

DOUBLE = "float64"


def generator(seed=0):
    return np.random.default_rng(seed)


def changed(layer, rank=2, scale=3.0):
    """The layer with changes that are not 0."""
    add_low_rank(layer, rank, scale=scale, generator=generator(1))
    drawn = generator(2)
    for name, parameter in layer.named_parameters().items():
        if name.endswith("low_rank.outward"):
            parameter.assign(drawn.normal(size=parameter.shape))
    return layer


def test_the_equation_and_its_gradients():
    change = LowRank(5, 4, 2, scale=3.0, generator=generator(), dtype=DOUBLE)
    assert not change(np.ones((3, 5))).numpy().any()  # as B starts at 0
    assert np.abs(change.inward.numpy()).max() <= 5**-0.5
    change.outward.assign(generator(1).normal(size=(2, 4)))
    x = generator(2).normal(size=(3, 5))
    a, b = change.inward.numpy(), change.outward.numpy()
    assert change(x).numpy() == pytest.approx(3 / 2 * x @ a @ b)
    assert change(x, slice(1, 3)).numpy() == pytest.approx((3 / 2 * x @ a @ b)[:, 1:3])
    given = chainrule.tensor(generator(3).normal(size=(3, 4)), DOUBLE)
    of_a, of_b = chainrule.gradients((change(x) * given).sum(), change.parameters())
    assert of_a.numpy() == pytest.approx(3 / 2 * x.T @ (given.numpy() @ b.T))
    assert of_b.numpy() == pytest.approx(3 / 2 * (x @ a).T @ given.numpy())


def test_a_linear_map_with_a_change_is_that_of_the_sum_of_both():
    linear = Linear(5, 4, generator=generator(), dtype=DOUBLE)
    x, before, bias = generator(4).normal(size=(3, 5)), linear.weight.numpy().copy(), linear.bias.numpy()
    changed(linear)
    a, b = linear.low_rank.inward.numpy(), linear.low_rank.outward.numpy()
    assert linear(x).numpy() == pytest.approx(x @ (before + 3 / 2 * a @ b) + bias)
    assert linear.weight.numpy().tolist() == before.tolist()
    merge_low_rank(linear)
    assert linear.weight.numpy() == pytest.approx(before + 3 / 2 * a @ b)
    assert linear.low_rank is None
    assert linear(x).numpy() == pytest.approx(x @ (before + 3 / 2 * a @ b) + bias)


@pytest.mark.parametrize("engine", ["eager", "native"])
def test_all_maps_of_attention_have_changes_which_merge(engine):
    """Of the own text, of others, and token by token: those that are given all keys at once and those that are not."""
    layer = changed(TransformerDecoderLayer(8, 2, 12, generator=generator(), dtype=DOUBLE))
    named = layer.named_parameters()
    assert sum(name.endswith("low_rank.inward") for name in named) == 6  # 2 × (Q, K and V; W), and the small network
    x, others = (chainrule.tensor(generator(seed).normal(size=(5, 8)), DOUBLE) for seed in (5, 6))
    offsets, other_offsets = np.array([0, 3, 5]), np.array([0, 1, 5])
    run = chainrule.compile(layer) if engine == "native" else layer
    before = run(x, offsets, others, other_offsets).numpy().copy()
    plain = layer.attention.input_weight.numpy().copy()
    merge_low_rank(layer)
    assert not [name for name in layer.named_parameters() if "low_rank" in name]
    assert np.abs(layer.attention.input_weight.numpy() - plain).max() > 0.1
    after = chainrule.compile(layer) if engine == "native" else layer
    assert after(x, offsets, others, other_offsets).numpy() == pytest.approx(before)


def test_steps_token_by_token_have_the_changes_too():
    attention = changed(MultiHeadAttention(8, 2, causal=True, generator=generator(), dtype=DOUBLE))
    x = generator(7).normal(size=(3, 8))
    held = attention.start(1, 3)
    found = []
    for place in range(3):
        y, held = attention.step(chainrule.tensor(x[place : place + 1], DOUBLE), chainrule.tensor([place]), held)
        found.append(y.numpy()[0])
    assert np.array(found) == pytest.approx(attention(x, [0, 3]).numpy())


def test_gradients_of_what_a_map_reads():
    attention = changed(MultiHeadAttention(4, 2, generator=generator(), dtype=DOUBLE))
    check_gradient(lambda x: attention(x, [0, 2, 3]), generator(8).normal(size=(3, 4)))


def test_training_changes_nothing_but_the_change():
    """A map of rank 1 is found by a change of rank 1, beside a matrix that stays as it is."""
    linear = Linear(6, 5, generator=generator())
    wanted = linear.weight.numpy() + np.outer(generator(1).normal(size=6), generator(2).normal(size=5)) / 3
    before = linear.weight.numpy().copy()
    add_low_rank(linear, 1, scale=1.0, generator=generator(3))
    x = generator(4).normal(size=(64, 6)).astype("float32")
    trained, rule = linear.low_rank.parameters(), SGD(0.2)
    state = rule.start(trained)

    @chainrule.compile
    def step(x, y):
        loss = ((linear(x) - y) ** 2).mean()
        rule.step(trained, chainrule.gradients(loss, trained), state)
        return loss

    losses = [step(x, (x @ wanted).astype("float32")).item() for _ in range(500)]
    assert losses[-1] < 1e-4 < losses[0]
    assert linear.weight.numpy().tobytes() == before.tobytes()
    merge_low_rank(linear)
    assert linear.weight.numpy() == pytest.approx(wanted, abs=0.02)


@pytest.mark.parametrize(("sizes", "scale"), [((0, 3, 2), 1), ((3, 3, 0), 1), ((3, 3, 1.5), 1), ((3, 3, 1), 0)])
def test_sizes_that_are_none(sizes, scale):
    with pytest.raises(
        ConfigurationError, match="LowRank: expected sizes and a rank of at least 1, and a scale above 0"
    ):
        LowRank(*sizes, scale=scale, generator=generator())


def test_another_size():
    with pytest.raises(ShapeError, match=r"LowRank\(4 → 2 → 3\): expected size 4 on axis -1, got shape \(1, 5\)"):
        LowRank(4, 3, 2, generator=generator())(np.ones((1, 5)))
