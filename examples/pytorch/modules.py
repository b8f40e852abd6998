"""What learners are in PyTorch: modules whose `state_dict` has the weights of a model, and that give the same outputs.

Names in the modules are those of the weights; docs/pytorch.md has a list of them. A batch of texts is flat, as
everywhere here: all ids one after another, and offsets, where each text begins and the last one ends. The modules go
through texts one by one, so that nothing is padded: they are to be read, and to check others by.
"""

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812  (as everybody calls it)


def each(x, offsets):
    """The rows of each text."""
    return [x[start:end] for start, end in pairwise(offsets.tolist())]


class Combination(nn.Module):
    """How the embeddings of a text become one vector: "tfidf", "sum", "mean", "max", "learned" or "window"."""

    def __init__(self, kind, entries, length=1):
        super().__init__()
        self.kind, self.length = kind, length
        if kind == "learned":
            self.logarithms = nn.Parameter(torch.zeros(entries))
        else:
            self.register_buffer("idf" if kind == "tfidf" else "one", torch.ones(entries if kind == "tfidf" else 1))

    def forward(self, vectors, ids):
        if self.kind == "max":
            return vectors.max(0).values if len(ids) else vectors.new_zeros(vectors.shape[1])
        if self.kind == "window":
            return F.pad(vectors[: self.length], (0, 0, 0, max(0, self.length - len(ids)))).flatten()
        if self.kind in ("sum", "mean"):
            return vectors.sum(0) / (max(1, len(ids)) if self.kind == "mean" else 1)
        weights = self.idf[ids] if self.kind == "tfidf" else self.logarithms[ids].exp()
        norm = weights.norm()
        return (weights[:, None] * vectors).sum(0) / (norm if norm > 0 else 1)


class BagOfWords(nn.Module):
    """y = s Σ idfᵢ W[i] / ‖idf‖ + b over the distinct n-grams i of a text."""

    def __init__(self, entries, outputs, scale):
        super().__init__()
        self.scale, self.weights = scale, Combination("tfidf", entries)
        self.bag, self.bias = nn.Embedding(entries, outputs), nn.Parameter(torch.zeros(outputs))

    def forward(self, ids, offsets):
        texts = [self.weights(self.bag(text), text) for text in each(ids, offsets)]
        return self.scale * torch.stack(texts) + self.bias


class FeedForward(nn.Module):
    """y = layers(s combine(E[i]))."""

    def __init__(self, weights, embeddings, layers, scale):
        super().__init__()
        self.weights, self.embeddings, self.layers, self.scale = weights, embeddings, layers, scale

    def forward(self, ids, offsets):
        return self.layers(self.scale * torch.stack([self.weights(self.embeddings(x), x) for x in each(ids, offsets)]))


class LinearModel(nn.Module):
    """y = x W + Σⱼ T[cⱼ] + b over the columns j of categories."""

    def __init__(self, numbers, categories, outputs):
        super().__init__()
        self.numbers, self.categories, self.bias = numbers, categories, nn.Parameter(torch.zeros(outputs))

    def forward(self, numbers, categories):
        total = self.bias if self.numbers is None else self.bias + self.numbers(numbers)
        return total if self.categories is None else total + self.categories(categories).sum(1)


class Perceptron(nn.Module):
    """y = layers([x, E[c₁], ..., E[c_m]]), or with one-hot categories layers([x, Σⱼ onehot(cⱼ)])."""

    def __init__(self, embeddings, layers, entries):
        super().__init__()
        self.embeddings, self.layers, self.entries = embeddings, layers, entries

    def forward(self, numbers, categories):
        if not self.entries:
            return self.layers(numbers)
        hot = F.one_hot(categories, self.entries).sum(1) if self.embeddings is None else self.embeddings(categories)
        return self.layers(torch.cat([numbers, hot.flatten(1).to(numbers.dtype)], 1))


class Sequences(nn.Module):
    """y = pool(encode([E[ids], S])) W + b, and without pooling for each token."""

    def __init__(self, embeddings, speller, encoder, pooling, output):
        super().__init__()
        self.embeddings, self.speller, self.encoder = embeddings, speller, encoder
        self.pooling, self.output = pooling, output

    def forward(self, ids, offsets, *spelled):
        x = self.embeddings(ids)
        if self.speller is not None:
            x = torch.cat([x, self.speller(*spelled)], 1)
        found = [self.encoder(text) if len(text) else None for text in each(x, offsets)]
        if self.pooling is None:
            return self.output(torch.cat([x for x in found if x is not None]))
        empty = x.new_zeros(self.output.in_features)
        return self.output(torch.stack([empty if x is None else self.pooling(x) for x in found]))


class Speller(nn.Module):
    """The largest number of each filter over the characters of a token."""

    def __init__(self, embeddings, convolution):
        super().__init__()
        self.embeddings, self.convolution = embeddings, convolution

    def forward(self, characters, lengths):
        tokens = torch.split(self.embeddings(characters), lengths.tolist())
        none = characters.new_zeros(self.convolution.out_channels, dtype=torch.float32)
        return torch.stack([convolved(self.convolution, x).max(0).values if len(x) else none for x in tokens])


def convolved(layer, x, *, causal=False):
    """An output for each token, with zeros beyond the ends."""
    (width,) = layer.kernel_size
    before = width - 1 if causal else (width - 1) // 2
    return layer(F.pad(x.T, (before, width - 1 - before))[None])[0].T


class Convolutions(nn.Module):
    """Filters of several widths, side by side."""

    def __init__(self, convolutions, activation, *, causal):
        super().__init__()
        self.convolutions, self.activation, self.causal = nn.ModuleList(convolutions), activation, causal

    def forward(self, x):
        return self.activation(torch.cat([convolved(layer, x, causal=self.causal) for layer in self.convolutions], 1))


class Recurrence(nn.Module):
    """Recurrent layers one over the other: `nn.RNN`, `nn.GRU` or `nn.LSTM`, of one direction or of both."""

    def __init__(self, layers):
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x[None])[0][0]
        return x


class Block(nn.Module):
    """`nn.TransformerEncoderLayer`, or with `cross` `nn.TransformerDecoderLayer`; and rotary positions, if asked."""

    def __init__(self, size, heads, inner, activation, *, norm_first, causal, rotary, cross=False):
        super().__init__()
        self.norm_first, self.causal, self.rotary, self.activation = norm_first, causal, rotary, activation
        self.self_attn = nn.MultiheadAttention(size, heads, batch_first=True)
        self.linear1, self.linear2 = nn.Linear(size, inner), nn.Linear(inner, size)
        self.norm1, self.norm2 = nn.LayerNorm(size), nn.LayerNorm(size)
        if cross:
            self.multihead_attn, self.norm3 = nn.MultiheadAttention(size, heads, batch_first=True), nn.LayerNorm(size)

    def added(self, x, part, norm):
        return x + part(norm(x)) if self.norm_first else norm(x + part(x))

    def forward(self, x, others=None):
        x = self.added(x, lambda x: self.attend(self.self_attn, x, x, causal=self.causal), self.norm1)
        if others is not None:
            x = self.added(x, lambda x: self.attend(self.multihead_attn, x, others), self.norm2)
        last = self.norm2 if others is None else self.norm3
        return self.added(x, lambda x: self.linear2(self.activation(self.linear1(x))), last)

    def attend(self, layer, x, others, *, causal=False):
        """What `layer(x, others, others)` gives, with queries and keys turned by their places."""
        parts = zip(layer.in_proj_weight.chunk(3), layer.in_proj_bias.chunk(3), (x, others, others), strict=True)
        q, k, v = (F.linear(x, w, b).unflatten(1, (layer.num_heads, -1)).transpose(0, 1) for w, b, x in parts)
        if self.rotary and x is others:
            q, k = turned(q), turned(k)
        y = F.scaled_dot_product_attention(q[None], k[None], v[None], is_causal=causal)[0]
        return layer.out_proj(y.transpose(0, 1).flatten(1))


def turned(x):
    """Rotary positions: the halves a, b of each head become [a cos θ - b sin θ, b cos θ + a sin θ]."""
    half = x.shape[2] // 2
    rates = 10_000 ** (-torch.arange(half, dtype=torch.float64) / half)
    angles = (torch.arange(x.shape[1])[:, None] * rates).to(x.dtype)
    (a, b), c, s = x.split(half, 2), angles.cos(), angles.sin()
    return torch.cat([a * c - b * s, b * c + a * s], 2)


class Positions(nn.Module):
    """A row of a table for each place, or without a table sines and cosines of it."""

    def __init__(self, size, embedding=None):
        super().__init__()
        self.size, self.embedding = size, embedding

    def forward(self, x):
        places = torch.arange(len(x))
        if self.embedding is not None:
            return x + self.embedding(places)
        columns = torch.arange(self.size, dtype=torch.float64)
        angles = places[:, None] * 10_000 ** (-(columns // 2 * 2) / self.size)
        return x + torch.where(columns % 2 == 1, angles.cos(), angles.sin()).to(x.dtype)


class Blocks(nn.Module):
    """norm(layers(√size (x W + b) + p))."""

    def __init__(self, input, positions, layers, norm):
        super().__init__()
        self.input, self.positions, self.layers, self.norm = input, positions, nn.ModuleList(layers), norm

    def forward(self, x, *others):
        x = self.input(x) * self.input.out_features**0.5
        x = x if self.positions is None else self.positions(x)
        for layer in self.layers:
            x = layer(x, *others)
        return x if self.norm is None else self.norm(x)


class Pooling(nn.Module):
    """The vector of a text from those of its tokens: "max", "k_max", "mean", "last" or "attention"."""

    def __init__(self, kind, size, k=3):
        super().__init__()
        self.kind, self.k = kind, k
        if kind == "attention":
            self.vector = nn.Parameter(torch.zeros(size, 1))

    def forward(self, x):
        match self.kind:
            case "max":
                return x.max(0).values
            case "mean":
                return x.mean(0)
            case "last":
                return x[-1]
            case "attention":
                return (torch.softmax(x @ self.vector, 0) * x).sum(0)
        places = x.topk(min(self.k, len(x)), 0).indices.sort(0).values
        return F.pad(x.gather(0, places), (0, 0, 0, max(0, self.k - len(x)))).flatten()


def before(ids):
    """What stands before each unit of a text: the end, 0, before the first."""
    return F.pad(ids[:-1], (1, 0))


class EncoderDecoder(nn.Module):
    """Two recurrent networks, of which one reads and the other writes, looking back at what was read."""

    def __init__(self, source, target, encoder, bridges, decoder, keys, queries, scored, combine, output, outputs):
        super().__init__()
        self.source, self.target, self.keys, self.queries = source, target, keys, queries
        self.encoder, self.decoder = nn.ModuleList(encoder), nn.ModuleList(decoder)
        self.bridges = nn.ModuleList(map(nn.ModuleList, bridges))
        self.score = nn.Parameter(torch.zeros(scored)) if scored else None
        self.combine, self.output, self.bias = combine, output, nn.Parameter(torch.zeros(outputs))

    def forward(self, ids, offsets, target_ids, target_offsets):
        pairs = zip(each(ids, offsets), each(target_ids, target_offsets), strict=True)
        return torch.cat([self.one(read, written) for read, written in pairs])

    def one(self, read, written):
        m, x = self.source(read), self.target(before(written))
        for layer, bridges, writer in zip(self.encoder, self.bridges, self.decoder, strict=True):
            m, last = layer(m[None])
            m, last = m[0], last if isinstance(last, tuple) else (last,)
            first = [torch.tanh(bridge(h.flatten()))[None, None] for bridge, h in zip(bridges, last, strict=True)]
            x = writer(x[None], tuple(first) if len(first) > 1 else first[0])[0][0]
        if self.keys is not None:
            x = torch.cat([x, torch.softmax(self.scores(x, self.keys(m)), 1) @ m], 1)
        x = torch.tanh(self.combine(x))
        return (x @ self.target.weight.T if self.output is None else self.output(x)) + self.bias

    def scores(self, x, keys):
        if self.queries is None:
            return x @ keys.T
        return torch.tanh(self.queries(x)[:, None] + keys[None]) @ self.score


class TransformerPair(nn.Module):
    """The transformer of Vaswani et al.: layers that read, and layers that write and look at what was read."""

    def __init__(self, source, target, encoder, decoder, output):
        super().__init__()
        self.source, self.target, self.encoder = source, target, encoder
        self.decoder, self.output = decoder, output

    def forward(self, ids, offsets, target_ids, target_offsets):
        pairs = zip(each(ids, offsets), each(target_ids, target_offsets), strict=True)
        found = [self.decoder(self.target(before(y)), self.encoder(self.source(x))) for x, y in pairs]
        return self.output(torch.cat(found))


class Maxout(nn.Module):
    """The largest of some numbers that stand side by side."""

    def __init__(self, pieces):
        super().__init__()
        self.pieces = pieces

    def forward(self, x):
        return x.unflatten(-1, (-1, self.pieces)).max(-1).values


class Gated(nn.Module):
    """A half times what a function makes of the other half."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        a, b = x.chunk(2, -1)
        return a * self.function(b)
