"""PyTorch on an accelerator, as its experts write it: fused Adam, autocast, compiled, and texts padded or flat.

A variant is words of: "bfloat16" (autocast; else float32 with products in TensorFloat-32 where the device has them),
"compiled", "flat" (attention over texts one after another, without padding), "packed" (the same for an LSTM), "graph"
(a whole step captured as a CUDA graph, and played back). Padded texts are sorted by length before they are cut into
mini-batches.
"""

import contextlib

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from peers.accelerated import BETA1, BETA2, EPSILON, LEARNING_RATE, Bags, Encoder, Recurrent

ADAM = {"lr": LEARNING_RATE, "betas": (BETA1, BETA2), "eps": EPSILON, "fused": True}
#: Padded texts are as long as a multiple of this.
MULTIPLE = 32


def device():
    """The accelerator, or the processor."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


class Layer(nn.Module):
    """A layer of an encoder, norms first; texts are padded, (texts, tokens, size), or flat, (tokens, size)."""

    def __init__(self, task):
        super().__init__()
        self.heads, self.rate = task.heads, task.rate
        self.mix, self.mixed = nn.Linear(task.size, 3 * task.size), nn.Linear(task.size, task.size)
        self.inward, self.outward = nn.Linear(task.size, task.inner), nn.Linear(task.inner, task.size)
        self.first, self.second = nn.LayerNorm(task.size), nn.LayerNorm(task.size)

    def forward(self, x, places):  # noqa: D102
        x = x + functional.dropout(self.mixed(self.attention(self.mix(self.first(x)), places)), self.rate)
        inner = functional.dropout(functional.relu(self.inward(self.second(x))), self.rate)
        return x + functional.dropout(self.outward(inner), self.rate)

    def attention(self, mixed, places):
        """Between the tokens of each text."""
        q, k, v = mixed.unflatten(-1, (3, self.heads, -1)).unbind(-3)
        if "offsets" not in places:
            heads = [x.transpose(1, 2) for x in (q, k, v)]
            found = functional.scaled_dot_product_attention(*heads, attn_mask=places.get("mask"))
            return found.transpose(1, 2).flatten(2)
        offsets, longest = places["offsets"], places["longest"]
        if q.is_cuda and q.dtype == torch.bfloat16:
            from torch.nn.attention.varlen import varlen_attn

            return varlen_attn(q, k, v, offsets, offsets, longest, longest).flatten(1)
        jagged = [
            torch.nested.nested_tensor_from_jagged(x.contiguous(), offsets, max_seqlen=longest, min_seqlen=1)
            for x in (q, k, v)
        ]
        found = functional.scaled_dot_product_attention(*[x.transpose(1, 2) for x in jagged])
        return found.transpose(1, 2).contiguous().values().flatten(1)


class EncoderNetwork(nn.Module):
    """The whole encoder, with weights of the task."""

    def __init__(self, task):
        super().__init__()
        self.table = nn.Embedding(task.vocabulary, task.size)
        self.layers = nn.ModuleList(Layer(task) for _ in range(task.layers))
        self.norm, self.classes = nn.LayerNorm(task.size), nn.Linear(task.size, task.classes)

    def forward(self, ids, places):  # noqa: D102
        x = self.table(ids)
        for layer in self.layers:
            x = layer(x, places)
        x = self.norm(x)
        lengths = places["lengths"][:, None]
        if "offsets" in places:
            totals = x.new_zeros(len(lengths), x.shape[1]).index_add(0, places["texts"], x)
        else:
            totals = (x * places["valid"][:, :, None]).sum(1)
        return self.classes(totals / lengths)

    @torch.no_grad()
    def assign(self, weights):
        """The weights of the task; biases begin at 0."""
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear):
                module.bias.zero_()
                module.weight.copy_(torch.from_numpy(weights[name.removeprefix("layers.")].T))
        self.table.weight.copy_(torch.from_numpy(weights["table"]))


class RecurrentNetwork(nn.Module):
    """LSTM by cuDNN, and the mean of its outputs."""

    def __init__(self, task):
        super().__init__()
        self.lstm = nn.LSTM(task.inputs, task.hidden, batch_first=True)
        self.classes = nn.Linear(task.hidden, task.classes)

    def forward(self, x, places):  # noqa: D102
        y, _ = self.lstm(x)
        if "packed" in places:
            y, _ = nn.utils.rnn.pad_packed_sequence(y, batch_first=True)
        totals = (y * places["valid"][:, : y.shape[1], None]).sum(1)
        return self.classes(totals / places["lengths"][:, None])

    @torch.no_grad()
    def assign(self, weights):
        """The bias of the forget gate begins at 1."""
        held = {name: torch.from_numpy(x.T.copy()) for name, x in weights.items()}
        hidden = self.lstm.hidden_size
        self.lstm.weight_ih_l0.copy_(held["input"])
        self.lstm.weight_hh_l0.copy_(held["state"])
        self.lstm.bias_ih_l0.zero_()[hidden : 2 * hidden] = 1
        self.lstm.bias_hh_l0.zero_()
        self.classes.weight.copy_(held["classes"])
        self.classes.bias.zero_()


class BagNetwork(nn.Module):
    """The mean of embeddings and a perceptron."""

    def __init__(self, task):
        super().__init__()
        self.rate = task.rate
        self.table = nn.EmbeddingBag(task.vocabulary, task.size, mode="mean")
        self.hidden, self.classes = nn.Linear(task.size, task.hidden), nn.Linear(task.hidden, task.classes)

    def forward(self, ids, places):  # noqa: ARG002, D102
        return self.classes(functional.dropout(functional.relu(self.hidden(self.table(ids))), self.rate))

    @torch.no_grad()
    def assign(self, weights):
        """Biases begin at 0."""
        self.table.weight.copy_(torch.from_numpy(weights["table"]))
        for name, module in (("hidden", self.hidden), ("classes", self.classes)):
            module.weight.copy_(torch.from_numpy(weights[name].T))
            module.bias.zero_()


NETWORKS = {Encoder: EncoderNetwork, Recurrent: RecurrentNetwork, Bags: BagNetwork}


def inputs_of(task, case, words):
    """What the network reads of each mini-batch, on the device, and the classes."""
    found = []
    for batch in task.data(case, alike="flat" not in words and not isinstance(task, Bags)):
        lengths, texts = batch.lengths, len(batch.lengths)
        row = np.repeat(np.arange(texts), lengths)
        place = np.arange(len(batch.ids)) - batch.offsets[row]
        if isinstance(task, Bags):  # all texts are equally long
            x, places = batch.ids.reshape(texts, -1), {}
        elif "flat" in words:
            x = batch.ids
            places = {"offsets": batch.offsets.astype(np.int32), "texts": row, "lengths": lengths.astype(np.float32)}
        else:
            width = -(-int(lengths.max()) // MULTIPLE) * MULTIPLE if case == "real" else int(lengths.max())
            valid = np.zeros((texts, width), bool)
            valid[row, place] = True
            given = batch.ids if isinstance(task, Encoder) else task.tokens(batch)
            x = np.zeros((texts, width, *given.shape[1:]), given.dtype)
            x[row, place] = given
            places = {"valid": valid, "lengths": lengths.astype(np.float32)}
            if case == "real":  # with a mask, attention takes a slower kernel
                places["mask"] = valid[:, None, None]
        held = {name: torch.from_numpy(np.ascontiguousarray(array)).to(device()) for name, array in places.items()}
        x = torch.from_numpy(np.ascontiguousarray(x)).to(device())
        if "flat" in words:
            held["longest"] = task.longest
        if "packed" in words:
            x = nn.utils.rnn.pack_padded_sequence(x, torch.from_numpy(lengths), batch_first=True, enforce_sorted=False)
            held["packed"] = True
        found.append((x, held, torch.from_numpy(batch.classes).to(device())))
    return found


def make(task, case, variant):
    """See `accelerated`."""
    words = variant.split()
    torch.manual_seed(0)
    torch.set_float32_matmul_precision("high")
    network = NETWORKS[type(task)](task)
    network.assign(task.weights())
    network.to(device())
    captured = "graph" in words
    optimizer = torch.optim.Adam(network.parameters(), **ADAM, capturable=captured)
    called = torch.compile(network, dynamic=case == "real") if "compiled" in words else network
    half = torch.autocast(device().type, torch.bfloat16) if "bfloat16" in words else contextlib.nullcontext()
    batches = inputs_of(task, case, words)

    def step(x, places, classes):
        optimizer.zero_grad()
        with half:
            loss = functional.cross_entropy(called(x, places), classes)
        loss.backward()
        optimizer.step()
        return loss

    if captured:
        step = as_graph(step, batches[0], network, optimizer, task)
    position = 0

    def run(count):
        nonlocal position
        for _ in range(count):
            loss = step(*batches[position])
            position = (position + 1) % len(batches)
        return loss.item()  # waits

    return run


def as_graph(step, example, network, optimizer, task):
    """The step, captured after the warm-up that PyTorch asks for, with the first weights again."""
    x, places, classes = example[0].clone(), example[1], example[2].clone()
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step(x, places, classes)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        loss = step(x, places, classes)
    network.assign(task.weights())
    for held in optimizer.state.values():
        for tensor in held.values():
            tensor.zero_()

    def play(new, _, new_classes):
        x.copy_(new)
        classes.copy_(new_classes)
        graph.replay()
        return loss

    return play
