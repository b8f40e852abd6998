"""PyTorch as the oracle of recurrent layers on packed sequences, and of convolution, with their gradients."""

from itertools import pairwise

import numpy as np
import pytest

from chainrule import compile, gradients, tensor
from chainrule.nn import GRU, LSTM, RNN, AttentionPooling, Bidirectional, Convolution, LastPooling, from_torch
from tests.oracle import torch

OFFSETS = np.array([0, 4, 5, 11, 13])
LENGTHS = np.diff(OFFSETS)
INPUTS, HIDDEN = 3, 5
RNG = np.random.default_rng(0)
X = RNG.normal(size=(OFFSETS[-1], INPUTS))
LAYERS = {RNN: torch.nn.RNN, GRU: torch.nn.GRU, LSTM: torch.nn.LSTM}


def packed(x):
    texts = [x[start:end] for start, end in pairwise(OFFSETS)]
    return torch.nn.utils.rnn.pack_sequence(texts, enforce_sorted=False)


def unpacked(y):
    padded, lengths = torch.nn.utils.rnn.pad_packed_sequence(y, batch_first=True)
    return torch.cat([text[:length] for text, length in zip(padded, lengths, strict=True)])


@pytest.mark.parametrize("kind", LAYERS)
def test_a_layer(kind):
    theirs = LAYERS[kind](INPUTS, HIDDEN).double()
    ours = kind(INPUTS, HIDDEN, generator=RNG, dtype="float64")
    ours.assign(from_torch(ours, {name: x.detach().numpy() for name, x in theirs.state_dict().items()}))
    x, leaf = tensor(X, "float64"), torch.tensor(X, requires_grad=True)
    outputs, states = ours(x, OFFSETS)
    expected, last = theirs(packed(leaf))
    expected, last = unpacked(expected), last if kind is LSTM else (last,)
    np.testing.assert_allclose(outputs.numpy(), expected.detach().numpy(), rtol=1e-12)
    for state, other in zip(states, last, strict=True):
        np.testing.assert_allclose(state.numpy(), other[0].detach().numpy(), rtol=1e-12)
    vectors = np.cos(np.arange(outputs.spec.size)).reshape(outputs.shape), RNG.normal(size=states[-1].shape)
    loss = (outputs * vectors[0]).sum() + (states[-1] * vectors[1]).sum()
    other = (expected * torch.tensor(vectors[0])).sum() + (last[-1][0] * torch.tensor(vectors[1])).sum()
    wanted = torch.autograd.grad(other, [leaf, *theirs.parameters()])
    ours_wanted = [x, ours.input_weight, ours.state_weight, ours.input_bias, ours.state_bias]
    for a, b, turned in zip(gradients(loss, ours_wanted), wanted, [False, True, True, False, False], strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy().T if turned else b.numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("kind", LAYERS)
def test_both_directions(kind):
    theirs = LAYERS[kind](INPUTS, HIDDEN, bidirectional=True).double()
    forward = kind(INPUTS, HIDDEN, generator=RNG, dtype="float64")
    backward = kind(INPUTS, HIDDEN, backwards=True, generator=RNG, dtype="float64")
    arrays = {name: x.detach().numpy() for name, x in theirs.state_dict().items()}
    forward.assign(from_torch(forward, arrays))
    backward.assign(from_torch(backward, {name.removesuffix("_reverse"): x for name, x in sorted(arrays.items())}))
    outputs, states = Bidirectional(forward, backward)(tensor(X, "float64"), OFFSETS)
    expected, last = theirs(packed(torch.tensor(X)))
    np.testing.assert_allclose(outputs.numpy(), unpacked(expected).detach().numpy(), rtol=1e-12)
    last = (last if kind is LSTM else (last,))[-1].detach().numpy()
    np.testing.assert_allclose(states[-1].numpy(), np.concatenate(list(last), axis=1), rtol=1e-12)


@pytest.mark.parametrize(("width", "causal"), [(1, False), (3, False), (4, False), (3, True)])
def test_convolution(width, causal):
    theirs = torch.nn.Conv1d(INPUTS, HIDDEN, width).double()
    ours = Convolution(INPUTS, HIDDEN, width=width, causal=causal, generator=RNG, dtype="float64")
    ours.assign({"weight": theirs.weight.detach().numpy().transpose(1, 2, 0), "bias": theirs.bias.detach().numpy()})
    x, leaf = tensor(X, "float64"), torch.tensor(X, requires_grad=True)
    before = width - 1 if causal else (width - 1) // 2
    texts = [leaf[start:end].T for start, end in pairwise(OFFSETS)]
    padded = [torch.nn.functional.pad(text, (before, width - 1 - before)) for text in texts]
    expected = torch.cat([theirs(text).T for text in padded])
    found = ours(x, OFFSETS)
    np.testing.assert_allclose(found.numpy(), expected.detach().numpy(), rtol=1e-11, atol=1e-12)
    vector = np.cos(np.arange(found.spec.size)).reshape(found.shape)
    wanted = torch.autograd.grad(expected, [leaf, theirs.weight, theirs.bias], torch.tensor(vector))
    for a, b in zip(gradients(found, [x, ours.weight, ours.bias], tensor(vector, "float64")), wanted, strict=True):
        b = b.numpy()
        np.testing.assert_allclose(a.numpy(), b.transpose(1, 2, 0) if b.ndim == 3 else b, rtol=1e-10, atol=1e-11)


def test_attention_pooling():
    pooling = AttentionPooling(INPUTS, generator=RNG, dtype="float64")
    found = pooling(tensor(X, "float64"), OFFSETS).numpy()
    vector = torch.tensor(pooling.vector.numpy())
    for text, (start, end) in enumerate(pairwise(OFFSETS)):
        rows = torch.tensor(X[start:end])
        np.testing.assert_allclose(found[text], (torch.softmax(rows @ vector, 0) * rows).sum(0).numpy(), rtol=1e-12)


def test_the_last_token_of_an_empty_text_is_zero():
    pooled = LastPooling(1, generator=RNG)([[1.0], [2.0]], [0, 0, 2])
    assert pooled.value.tolist() == [[0.0], [2.0]]


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("kind", [RNN, LSTM])
def test_masks_of_states(kind, backwards):
    """Of each text the state is multiplied by its mask before it is mapped, in all steps; outputs are not."""
    cell = {RNN: torch.nn.RNNCell, LSTM: torch.nn.LSTMCell}[kind](INPUTS, HIDDEN).double()
    ours = kind(INPUTS, HIDDEN, backwards=backwards, generator=RNG, dtype="float64")
    held = {f"{name}_l0": x.detach().numpy() for name, x in cell.named_parameters()}
    ours.assign(from_torch(ours, held))
    masks = RNG.integers(0, 2, (len(LENGTHS), HIDDEN)) * 1.5
    leaf, rows = torch.tensor(X, requires_grad=True), [None] * len(X)
    for (start, end), mask in zip(pairwise(OFFSETS), torch.tensor(masks), strict=True):
        state = [torch.zeros(1, HIDDEN, dtype=torch.float64)] * 2
        for i in reversed(range(start, end)) if backwards else range(start, end):
            h = state[0] * mask
            state = cell(leaf[i : i + 1], (h, state[1])) if kind is LSTM else [cell(leaf[i : i + 1], h)]
            rows[i] = state[0]
    expected = torch.cat(rows)
    vector = np.cos(np.arange(expected.numel())).reshape(expected.shape)
    wanted = torch.autograd.grad((expected * torch.tensor(vector)).sum(), [leaf, *cell.parameters()])

    def step(x, offsets, masks):
        outputs, _ = ours(x, offsets, state_mask=masks)
        leaves = [x, ours.input_weight, ours.state_weight, ours.input_bias, ours.state_bias]
        return [outputs, *gradients((outputs * vector).sum(), leaves)]

    given = tensor(X, "float64"), OFFSETS, tensor(np.repeat(masks, LENGTHS, axis=0), "float64")
    turned = [expected.detach(), *(x.T if x.ndim == 2 and i else x for i, x in enumerate(wanted))]
    for found in (step(*given), compile(step)(*given)):
        for x, y in zip(found, turned, strict=True):
            np.testing.assert_allclose(x.numpy(), y.numpy(), rtol=1e-9, atol=1e-11)
