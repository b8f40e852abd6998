"""Milliseconds of a training step of sequence models, forward and backward, on texts of equal and of varied lengths.

    python benchmarks/sequences.py [--rounds 11] [--layers lstm gru cnn transformer] [--lengths equal varied long]

The layers are an LSTM and a GRU (100 → 128), a text CNN (100 filters of each of the widths 3, 4 and 5, ReLU, the
largest answer of each), over 64 texts of 100 numbers a token, and a transformer (2 layers, 128 wide, 4 heads, 512
inside, norms first), over 64 texts of 128; the gradient is that of the weights and of the tokens.
"equal" texts have 50 tokens, "varied" ones between 10 and 50, "long" ones between 40 and 200. chainrule takes tokens
flat; PyTorch takes texts padded to the longest (what most people write), and recurrent ones also as a packed sequence.
Each system lives in a process of its own that is bound to one core, and they take turns; medians are shown, and under
"ideal" what padding costs at least: tokens with padding over tokens. Peer: `pip install torch==2.13.0`.
"""

import argparse
import os
import statistics
import time
from functools import partial
from itertools import pairwise, product

try:
    from benchmarks.peers import turns
except ModuleNotFoundError:  # run as a file
    from peers import turns

TEXTS, INPUTS, HIDDEN, WIDTHS, FILTERS = 64, 100, 128, (3, 4, 5), 100
#: The least and the greatest length of texts, the longest of which has the greatest.
LENGTHS = {"equal": (50, 50), "varied": (10, 50), "long": (40, 200)}
TRANSFORMER = {"size": 128, "heads": 4, "inner": 512}
LAYERS = ("lstm", "gru", "cnn", "transformer")


def data(layer, lengths):
    """Where texts begin and the last one ends, their tokens, and the gradient of the outputs."""
    import numpy as np

    draws = np.random.default_rng(0)
    least, most = LENGTHS[lengths]
    sizes = draws.integers(least, most + 1, TEXTS)
    sizes[0] = most
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    return offsets, draws.normal(size=(offsets[-1], TRANSFORMER["size"] if layer == "transformer" else INPUTS)).astype(
        np.float32
    )


def chainrule_call(layer, lengths):
    """A compiled step."""
    import numpy as np

    import chainrule
    from chainrule import nn

    generator = np.random.default_rng(0)
    offsets, x = data(layer, lengths)
    if layer == "cnn":
        parts = [nn.Convolution(INPUTS, FILTERS, width=width, generator=generator) for width in WIDTHS]

        def forward(x, offsets):
            answers = chainrule.concatenate([part(x, offsets) for part in parts], 1)
            return chainrule.segment_max(chainrule.relu(answers), offsets)
    elif layer == "transformer":
        parts = [nn.TransformerEncoderLayer(**TRANSFORMER, dropout=0.0, generator=generator) for _ in range(2)]

        def forward(x, offsets):
            for part in parts:
                x = part(x, offsets)
            return x
    else:
        parts = [getattr(nn, layer.upper())(INPUTS, HIDDEN, generator=generator)]

        def forward(x, offsets):
            return parts[0](x, offsets)[0]

    parameters = [parameter for part in parts for parameter in part.parameters()]

    def step(x, offsets):
        y = forward(x, offsets)
        loss = (y * y).sum()
        return [loss, *chainrule.grad(loss, [x, *parameters])]

    compiled = chainrule.compile(step, threads=1)
    return partial(compiled, x, offsets)


def torch_call(layer, lengths, packed):
    """A step as PyTorch runs it."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    offsets, x = data(layer, lengths)
    texts = [torch.tensor(x[a:b], requires_grad=True) for a, b in pairwise(offsets)]
    if packed:
        given = torch.nn.utils.rnn.pack_sequence([text.detach() for text in texts], enforce_sorted=False)
        tokens = given.data.requires_grad_()
        given = given._replace(data=tokens)
    else:
        given = tokens = torch.nn.utils.rnn.pad_sequence([x.detach() for x in texts], batch_first=True).requires_grad_()
    sizes = torch.tensor(offsets[1:] - offsets[:-1])
    valid = torch.arange(int(sizes.max()))[None] < sizes[:, None]
    if layer == "cnn":
        module = torch.nn.ModuleList([torch.nn.Conv1d(INPUTS, FILTERS, width, padding="same") for width in WIDTHS])
        missing = ~valid[:, None]
    elif layer == "transformer":
        size, heads, inner = TRANSFORMER.values()
        module = torch.nn.Sequential(
            *[
                torch.nn.TransformerEncoderLayer(size, heads, inner, dropout=0.0, batch_first=True, norm_first=True)
                for _ in range(2)
            ]
        )
        unseen = None if valid.all() else ~valid  # with a mask, PyTorch takes a slower way
    else:
        module = getattr(torch.nn, layer.upper())(INPUTS, HIDDEN, batch_first=True)

    def step():
        if layer == "cnn":
            turned = tokens.transpose(1, 2)
            answers = torch.cat([torch.relu(part(turned)) for part in module], 1)
            y = answers.masked_fill(missing, 0).amax(2)
        elif layer == "transformer":
            y = tokens
            for part in module:
                y = part(y, src_key_padding_mask=unseen)
            y = y * valid[:, :, None]
        else:
            y = module(given)[0]
            y = y.data if packed else y * valid[:, :, None]
        tokens.grad = None
        module.zero_grad()
        (y * y).sum().backward()

    return step


def calls_of(name, cases):
    """The calls of a system."""
    if name == "chainrule":
        return {case: chainrule_call(*case) for case in cases}
    packed = name == "packed"
    return {case: torch_call(*case, packed) for case in cases if not (packed and case[0] in ("cnn", "transformer"))}


PACKAGES = {"chainrule": "chainrule", "padded": "torch", "packed": "torch"}


def serve(name, cases):
    """The calls of a system, on one core."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-1:])
    calls = calls_of(name, cases)
    for call in calls.values():
        one_round(call, 3)
    return list(calls), calls, dict.fromkeys(calls, 3), one_round


def one_round(call, count):
    """Milliseconds a call."""
    started = time.perf_counter()
    for _ in range(count):
        call()
    return 1e3 * (time.perf_counter() - started) / count


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=11, help="of 3 steps (default: %(default)s)")
    parser.add_argument("--layers", nargs="+", choices=LAYERS, default=LAYERS)
    parser.add_argument("--lengths", nargs="+", choices=LENGTHS, default=list(LENGTHS))
    arguments = parser.parse_args()
    cases = list(product(arguments.layers, arguments.lengths))
    turns.prepare()
    turns.describe(["chainrule", "torch"])
    lines, calls = turns.started(partial(serve, cases=cases), PACKAGES)
    order = [(name, case) for case in cases for name in calls if case in calls[name]]
    found = {pair: statistics.median(rounds) for pair, rounds in turns.measured(lines, order, arguments.rounds).items()}
    print(f"{'ms a step':20}{'chainrule':>10}{'padded':>17}{'packed':>17}{'ideal':>8}")
    for case in cases:
        ours = found["chainrule", case]
        peers = [found.get((name, case)) for name in ("padded", "packed")]
        shown = "".join(f"{'-':>17}" if x is None else f"{x:9.1f} {x / ours:6.2f}x" for x in peers)
        offsets = data(*case)[0]
        ideal = TEXTS * max(offsets[1:] - offsets[:-1]) / offsets[-1]
        print(f"{' '.join(case):20}{ours:10.1f}{shown}{ideal:7.2f}x")
    print(f"load {os.getloadavg()[0]:.2f}")


if __name__ == "__main__":
    main()
