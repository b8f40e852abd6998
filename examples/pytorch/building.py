"""From a layer or a network of chainrule to its module in PyTorch, with the same names of weights.

model.save_torch("weights.safetensors")
made = module(model.network)
made.load_state_dict(safetensors.torch.load_file("weights.safetensors"))
"""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812  (as everybody calls it)

from examples.pytorch import modules

#: By the name of an activation, its module, from its settings.
ACTIVATIONS = {
    "identity": lambda _: nn.Identity(), "relu": lambda _: nn.ReLU(), "relu6": lambda _: nn.ReLU6(),
    "leaky_relu": lambda x: nn.LeakyReLU(x.slope), "elu": lambda x: nn.ELU(x.alpha), "celu": lambda x: nn.CELU(x.alpha),
    "selu": lambda _: nn.SELU(), "hard_sigmoid": lambda _: nn.Hardsigmoid(), "hard_tanh": lambda _: nn.Hardtanh(),
    "hard_swish": lambda _: nn.Hardswish(), "sigmoid": lambda _: nn.Sigmoid(), "log_sigmoid": lambda _: nn.LogSigmoid(),
    "tanh": lambda _: nn.Tanh(), "softplus": lambda _: nn.Softplus(), "softsign": lambda _: nn.Softsign(),
    "silu": lambda _: nn.SiLU(), "gelu": lambda x: nn.GELU(x.approximate), "mish": lambda _: nn.Mish(),
    "softmax": lambda _: nn.Softmax(-1), "log_softmax": lambda _: nn.LogSoftmax(-1),
    "maxout": lambda x: modules.Maxout(x.pieces), "glu": lambda _: nn.GLU(), "reglu": lambda _: modules.Gated(F.relu),
    "geglu": lambda _: modules.Gated(F.gelu), "swiglu": lambda _: modules.Gated(F.silu),
}  # fmt: skip


def module(layer):
    """The module of a layer or a network, for evaluation; its weights are still to be loaded.

    Raises:
        KeyError: for a layer that PyTorch does not have.
    """
    if layer is None:
        return None
    if getattr(layer, "name", None) in ACTIVATIONS:
        return ACTIVATIONS[layer.name](layer)
    return MODULES[type(layer).__name__](layer).eval()


def _linear(layer):
    return nn.Linear(*layer.weight.shape, bias=layer.bias is not None)


def _embeddings(layer):
    made = nn.Embedding(*layer.table.shape)
    if hasattr(layer, "free"):  # which rows may be trained
        made.register_buffer("free", torch.ones(layer.free.shape))
    return made


def _combination(layer):
    kinds = {"TermWeights": "tfidf", "LearnedWeights": "learned", "Largest": "max"}
    kind = type(layer).__name__
    entries = next(iter(layer.named_tensors().values())).shape[0]
    return modules.Combination(kinds.get(kind, kind.lower()), entries, getattr(layer, "length", 1))


def _recurrent(layer, *, bidirectional=False):
    inputs = layer.input_weight.shape[0]
    kind = getattr(nn, type(layer).__name__)
    return kind(inputs, layer.hidden, bidirectional=bidirectional, batch_first=True)


def _block(layer, *, cross=False):
    size, inner = layer.inward.weight.shape
    return modules.Block(
        size, layer.attention.heads, inner, module(layer.activation), norm_first=layer.norm_first,
        causal=layer.attention.causal, rotary=layer.attention.rotary is not None, cross=cross,
    )  # fmt: skip


def _pair(network):
    return modules.EncoderDecoder(
        module(network.source), module(network.target), map(module, network.encoder),
        [map(module, bridges) for bridges in network.bridges], map(module, network.decoder), module(network.keys),
        module(network.queries), 0 if network.score is None else network.score.shape[0], module(network.combine),
        module(network.output), network.bias.shape[0],
    )  # fmt: skip


def _stack(encoder):
    return modules.Blocks(
        *(module(x) for x in (encoder.input, encoder.positions)), map(module, encoder.layers), module(encoder.norm)
    )


def _attention(layer):
    return nn.MultiheadAttention(layer.size, layer.heads, batch_first=True)


#: By the class of a layer or a network.
MODULES = {
    "Linear": _linear,
    "Embedding": _embeddings, "EmbeddingBag": _embeddings, "PartlyFrozenBag": _embeddings,
    "LearnedSlope": lambda x: nn.PReLU(x.slope.shape[0]),
    "Dropout": lambda x: nn.Dropout(x.rate), "TextDropout": lambda x: nn.Dropout(x.rate),
    "GaussianNoise": lambda _: nn.Identity(),
    "Sequential": lambda x: nn.Sequential(*map(module, x.layers)),
    "BatchNorm": lambda x: nn.BatchNorm1d(x.scale.shape[0], x.epsilon, x.momentum),
    "LayerNorm": lambda x: nn.LayerNorm(x.scale.shape[0], x.epsilon),
    "RMSNorm": lambda x: nn.RMSNorm(x.scale.shape[0], x.epsilon),
    "GroupNorm": lambda x: nn.GroupNorm(x.groups, x.scale.shape[0], x.epsilon),
    "WeightNorm": lambda x: nn.utils.parametrizations.weight_norm(
        nn.Linear(*x.direction.shape, bias=x.bias is not None)
    ),
    "Convolution": lambda x: nn.Conv1d(x.weight.shape[0], x.weight.shape[2], x.width),
    "RNN": _recurrent, "GRU": _recurrent, "LSTM": _recurrent,
    "Bidirectional": lambda x: _recurrent(x.forward, bidirectional=True),
    "MultiHeadAttention": _attention,
    "TransformerEncoderLayer": _block, "TransformerDecoderLayer": lambda x: _block(x, cross=True),
    "SinusoidalPositions": lambda x: modules.Positions(x.size),
    "LearnedPositions": lambda x: modules.Positions(x.size, module(x.embedding)),
    "MaxPooling": lambda x: modules.Pooling("max", x.size), "MeanPooling": lambda x: modules.Pooling("mean", x.size),
    "LastPooling": lambda x: modules.Pooling("last", x.size),
    "AttentionPooling": lambda x: modules.Pooling("attention", x.size),
    "KMaxPooling": lambda x: modules.Pooling("k_max", x.size, x.k),
    "Speller": lambda x: modules.Speller(module(x.embeddings), module(x.convolution)),
    **dict.fromkeys(("TermWeights", "LearnedWeights", "Sum", "Mean", "Largest", "Window"), _combination),
    "ConvolutionalEncoder": lambda x: modules.Convolutions(
        map(module, x.convolutions), module(x.activation), causal=x.convolutions[0].causal
    ),
    "RecurrentEncoder": lambda x: modules.Recurrence(map(module, x.layers)),
    "TransformerEncoder": _stack, "TransformerDecoder": _stack,
    "BagOfWordsNetwork": lambda x: modules.BagOfWords(*x.bag.table.shape, x.scale),
    "FeedForwardNetwork": lambda x: modules.FeedForward(*map(module, (x.weights, x.embeddings, x.layers)), x.scale),
    "LinearNetwork": lambda x: modules.LinearModel(module(x.numbers), module(x.categories), x.bias.shape[0]),
    "PerceptronNetwork": lambda x: modules.Perceptron(module(x.embeddings), module(x.layers), x.entries),
    "SequenceNetwork": lambda x: modules.Sequences(
        *map(module, (x.embeddings, x.speller, x.encoder, x.pooling, x.output))
    ),
    "EncoderDecoder": _pair,
    "TransformerPair": lambda x: modules.TransformerPair(
        *map(module, (x.source, x.target, x.encoder, x.decoder, x.output))
    ),
}  # fmt: skip
