"""PyTorch as the oracle of multi-head attention and of layers of transformers, with their gradients, text by text."""

from itertools import pairwise

import numpy as np
import pytest

import chainrule
from chainrule import gradients, tensor
from chainrule.errors import ConfigurationError, ShapeError
from chainrule.nn import (
    LearnedPositions,
    MultiHeadAttention,
    RotaryPositions,
    SinusoidalPositions,
    TransformerDecoderLayer,
    TransformerEncoderLayer,
    from_torch,
    to_torch,
)
from tests.oracle import torch

OFFSETS, OTHERS = np.array([0, 4, 5, 11]), np.array([0, 2, 7, 10])
SIZE, HEADS, INNER = 12, 3, 20
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(11, SIZE)), RNG.normal(size=(10, SIZE))
DOUBLE = {"generator": RNG, "dtype": "float64"}


def copied(ours, theirs):
    """The layer with PyTorch's weights, all of them drawn anew, and back again."""
    with torch.no_grad():
        for x in theirs.parameters():
            x.copy_(torch.tensor(RNG.normal(size=x.shape) * 0.3))
    arrays = {name: x.detach().numpy() for name, x in theirs.state_dict().items()}
    ours.assign(from_torch(ours, arrays))
    back = to_torch(ours)
    assert {name: x.shape for name, x in back.items()} == {name: x.shape for name, x in arrays.items()}
    assert all((back[name] == arrays[name]).all() for name in arrays)
    return ours


def unseen(length):
    """PyTorch's mask: true for what is not seen."""
    return ~torch.ones(length, length, dtype=torch.bool).tril()


def compare(found, expected, inputs, leaves, ours, theirs):
    """Values, and the gradients of inputs and of all parameters."""
    np.testing.assert_allclose(found.numpy(), expected.detach().numpy(), rtol=1e-10, atol=1e-11)
    vector = np.cos(np.arange(found.spec.size)).reshape(found.shape)
    names = [name for name, _ in theirs.named_parameters()]
    wanted = torch.autograd.grad(expected, [*leaves, *theirs.parameters()], torch.tensor(vector))
    slopes = gradients(found, [*inputs, *ours.parameters()], tensor(vector, "float64"))
    for x, y in zip(slopes, wanted[: len(leaves)], strict=False):
        np.testing.assert_allclose(x.numpy(), y.numpy(), rtol=1e-8, atol=1e-9)
    by_name = dict(zip(names, wanted[len(leaves) :], strict=True))
    own = from_torch(ours, {name: x.numpy() for name, x in by_name.items()})
    for name, x in zip(ours.named_parameters(), slopes[len(inputs) :], strict=True):
        np.testing.assert_allclose(x.numpy(), own[name], rtol=1e-8, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("causal", [False, True])
def test_self_attention(causal):
    theirs = torch.nn.MultiheadAttention(SIZE, HEADS, batch_first=True).double()
    ours = copied(MultiHeadAttention(SIZE, HEADS, causal=causal, **DOUBLE), theirs)
    x, leaf = tensor(X, "float64"), torch.tensor(X, requires_grad=True)
    expected = [
        theirs(text, text, text, attn_mask=unseen(len(text)) if causal else None, need_weights=False)[0]
        for text in (leaf[start:end] for start, end in pairwise(OFFSETS))
    ]
    compare(ours(x, OFFSETS), torch.cat(expected), [x], [leaf], ours, theirs)


def test_cross_attention():
    theirs = torch.nn.MultiheadAttention(SIZE, HEADS, batch_first=True).double()
    ours = copied(MultiHeadAttention(SIZE, HEADS, **DOUBLE), theirs)
    inputs, leaves = ([make(z) for z in (X, Y)] for make in (lambda z: tensor(z, "float64"), torch.tensor))
    leaves = [leaf.requires_grad_() for leaf in leaves]
    expected = [
        theirs(leaves[0][a:b], leaves[1][c:d], leaves[1][c:d], need_weights=False)[0]
        for (a, b), (c, d) in zip(pairwise(OFFSETS), pairwise(OTHERS), strict=True)
    ]
    compare(ours(inputs[0], OFFSETS, inputs[1], OTHERS), torch.cat(expected), inputs, leaves, ours, theirs)


def test_grouped_queries_are_heads_with_the_same_keys():
    ours = MultiHeadAttention(SIZE, 6, groups=2, **DOUBLE)
    full = MultiHeadAttention(SIZE, 6, **DOUBLE)
    dim = SIZE // 6
    weight = ours.input_weight.numpy()
    parts = [weight[:, :SIZE]]
    for start in (SIZE, SIZE + 2 * dim):
        heads = [weight[:, start + g * dim : start + (g + 1) * dim] for g in range(2)]
        parts += [heads[h // 3] for h in range(6)]
    output = {f"output.{name}": x.numpy() for name, x in ours.output.named_parameters().items()}
    full.assign({"input_weight": np.concatenate(parts, 1), "input_bias": np.zeros(3 * SIZE), **output})
    found, expected = (layer(tensor(X, "float64"), OFFSETS).numpy() for layer in (ours, full))
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_a_layer_of_an_encoder(norm_first, causal, activation):
    settings = {"norm_first": norm_first, "dropout": 0.0, "activation": activation}
    theirs = torch.nn.TransformerEncoderLayer(SIZE, HEADS, INNER, batch_first=True, **settings).double()
    ours = copied(TransformerEncoderLayer(SIZE, HEADS, INNER, causal=causal, **settings, **DOUBLE), theirs)
    x, leaf = tensor(X, "float64"), torch.tensor(X, requires_grad=True)
    texts = [leaf[start:end][None] for start, end in pairwise(OFFSETS)]
    expected = [theirs(text, src_mask=unseen(text.shape[1]) if causal else None)[0] for text in texts]
    compare(ours(x, OFFSETS), torch.cat(expected), [x], [leaf], ours, theirs)


@pytest.mark.parametrize("norm_first", [False, True])
def test_a_layer_of_a_decoder(norm_first):
    settings = {"norm_first": norm_first, "dropout": 0.0}
    theirs = torch.nn.TransformerDecoderLayer(SIZE, HEADS, INNER, batch_first=True, **settings).double()
    ours = copied(TransformerDecoderLayer(SIZE, HEADS, INNER, **settings, **DOUBLE), theirs)
    inputs = [tensor(z, "float64") for z in (X, Y)]
    leaves = [torch.tensor(z, requires_grad=True) for z in (X, Y)]
    expected = [
        theirs(leaves[0][a:b][None], leaves[1][c:d][None], tgt_mask=unseen(b - a))[0]
        for (a, b), (c, d) in zip(pairwise(OFFSETS), pairwise(OTHERS), strict=True)
    ]
    compare(ours(inputs[0], OFFSETS, inputs[1], OTHERS), torch.cat(expected), inputs, leaves, ours, theirs)


def test_compiled_layers_learn_as_eager_ones():
    layer = TransformerDecoderLayer(SIZE, HEADS, INNER, dropout=0.2, attention_dropout=0.3, rotary=True, generator=RNG)
    key = chainrule.Key.of(seed=1)

    def step(x, y, offsets, others, key):
        found = layer(x, offsets, y, others, key)
        return [found, *gradients((found * found).sum(), [x, y, *layer.parameters()])]

    given = [X.astype("float32"), Y.astype("float32"), OFFSETS, OTHERS]
    expected = step(*map(tensor, given), key)
    for x, y in zip(chainrule.compile(step)(*given, key), expected, strict=True):
        np.testing.assert_allclose(x.numpy(), y.numpy(), rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("rates", [{"dropout": 0.5}, {"dropout": 0.0, "attention_dropout": 0.5}])
def test_dropout_needs_a_key(rates):
    layer = TransformerEncoderLayer(SIZE, HEADS, INNER, **rates, generator=RNG)
    x = X.astype("float32")
    assert (layer(x, OFFSETS).numpy() == layer(x, OFFSETS).numpy()).all()
    one, again, other = (layer(x, OFFSETS, chainrule.Key.of(seed=seed)).numpy() for seed in (1, 1, 2))
    assert (one == again).all()
    assert (one != other).any()


def test_sinusoidal_positions():
    found = SinusoidalPositions(6)(np.zeros((5, 6)), [0, 3, 5]).numpy()
    for row, place in enumerate([0, 1, 2, 0, 1]):
        angles = place / 10000 ** (np.arange(3) / 3)
        np.testing.assert_allclose(found[row], np.stack([np.sin(angles), np.cos(angles)], 1).ravel(), atol=1e-6)


def test_learned_positions_may_begin_behind_other_rows():
    positions = LearnedPositions(3, 2, first=2, generator=RNG)
    table = positions.embedding.table.numpy()
    assert (table.shape, repr(positions)) == ((5, 2), "LearnedPositions(3 × 2)")
    for layer in (positions, chainrule.compile(lambda x, offsets: positions(x, offsets))):
        np.testing.assert_array_equal(layer(np.zeros((4, 2)), np.array([0, 3, 4])).numpy(), table[[2, 3, 4, 2]])
        with pytest.raises(ShapeError, match=r"has 4 tokens.* 3 learned positions"):
            layer(np.zeros((4, 2)), np.array([0, 4]))
    for wrong in ({"count": 0}, {"count": 3, "first": -1}):
        with pytest.raises(ConfigurationError, match="expected 1 place or more from row 0 or later on"):
            LearnedPositions(size=2, generator=RNG, **wrong)


def test_the_epsilon_of_norms_and_the_dropout_inside():
    settings = {"norm_first": False, "dropout": 0.0}
    theirs = torch.nn.TransformerEncoderLayer(SIZE, HEADS, INNER, batch_first=True, layer_norm_eps=0.1, **settings)
    ours = TransformerEncoderLayer(SIZE, HEADS, INNER, epsilon=0.1, inner_dropout=0.5, **settings, **DOUBLE)
    copied(ours, theirs.double())
    x = tensor(X, "float64")
    np.testing.assert_allclose(ours(x, [0, 11]).numpy(), theirs(torch.tensor(X)[None])[0].detach().numpy(), rtol=1e-10)
    key = chainrule.Key.of(seed=0)
    assert (ours(x, [0, 11], key).numpy() != ours(x, [0, 11]).numpy()).any()
    plain = TransformerEncoderLayer(SIZE, HEADS, INNER, dropout=0.5, inner_dropout=0.0, **DOUBLE)
    assert (plain.network(x, key).numpy() == plain.network(x, None).numpy()).all()


def test_learned_positions_have_an_end():
    positions = LearnedPositions(3, 2, generator=RNG)
    table = positions.embedding.table.numpy()
    run = chainrule.compile(lambda x, offsets: positions(x, offsets))
    for layer in (positions, run):
        np.testing.assert_array_equal(layer(np.zeros((5, 2)), np.array([0, 3, 5])).numpy(), table[[0, 1, 2, 0, 1]])
        with pytest.raises(
            ShapeError, match=r"text 1 of the batch.* has 4 tokens.* 3 learned positions; cut such texts"
        ):
            layer(np.zeros((5, 2)), np.array([0, 1, 5]))


def test_rotary_positions_leave_scores_that_depend_on_distances():
    rotary = RotaryPositions(8)
    q, k = (np.repeat(RNG.normal(size=(1, 2, 8)), 20, 0) for _ in range(2))
    turned = [rotary(tensor(x, "float64"), [0, 20]).numpy() for x in (q, k)]
    scores = np.einsum("ihd,jhd->hij", *turned)
    for distance in range(-5, 6):
        lines = [np.diagonal(head, distance) for head in scores]
        np.testing.assert_allclose(lines, np.broadcast_to(np.array(lines)[:, :1], np.shape(lines)), rtol=1e-9)
    np.testing.assert_allclose(turned[0][0], q[0])
    np.testing.assert_allclose(np.linalg.norm(turned[0], axis=2), np.linalg.norm(q, axis=2))


def test_layers_of_a_wrong_form():
    for make in (
        lambda: MultiHeadAttention(10, 3, generator=RNG),
        lambda: MultiHeadAttention(12, 4, groups=3, generator=RNG),
        lambda: MultiHeadAttention(12, 0, generator=RNG),
        lambda: MultiHeadAttention(9, 3, rotary=True, generator=RNG),
        lambda: SinusoidalPositions(0),
        lambda: RotaryPositions(3),
    ):
        with pytest.raises(ConfigurationError, match="expected"):
            make()
    attention = MultiHeadAttention(SIZE, HEADS, generator=RNG)
    with pytest.raises(ShapeError, match=r"MultiHeadAttention\(12, 3 heads\): expected tokens of shape \(tokens, 12\)"):
        attention(np.ones((3, 5)), [0, 3])
    with pytest.raises(ShapeError, match="offsets of the others"):
        attention(np.ones((3, 12)), [0, 3], np.ones((3, 12)))
