"""Tokens a second that a causal transformer writes, one text at a time, beside PyTorch with the same equations.

    python benchmarks/generation.py [--rounds 5] [--inner 256 512 1024] [--tokens 256]

4 layers, 256 wide, 4 heads, learned positions, norms first, 90 characters; drawn at temperature 1. Both keep the keys
and values of all tokens before: PyTorch, eagerly under `torch.inference_mode`, in arrays that are put together anew for
each token ("cat", what most people write) or that have room for all of them ("room"). Each system lives in a process of
its own that is bound to one core, and they take turns; the fastest rounds are shown. Peer: `pip install torch==2.13.0`.
"""

import argparse
import os
import time
from functools import partial
from itertools import product

try:
    from benchmarks.peers import turns
except ModuleNotFoundError:  # run as a file
    from peers import turns

LAYERS, SIZE, HEADS, ENTRIES, ROOM = 4, 256, 4, 90, 1024
PACKAGES = {"chainrule": "chainrule", "PyTorch, cat": "torch", "PyTorch, room": "torch"}


def chainrule_call(inner, tokens):
    """As `Model.generate` does, but on after the end of a text."""
    import numpy as np

    import chainrule
    from chainrule.models import Sampling
    from chainrule.models.generation import Decoder
    from chainrule.random import generator

    letters = [chr(ord("0") + i) for i in range(ENTRIES - 2)]
    text = "".join(letters) + "".join(np.random.default_rng(0).choice(letters, 1000))
    task = chainrule.Continue(context=64)
    learner = chainrule.Transformer(
        dim=SIZE, model_size=SIZE, heads=HEADS, inner_size=inner, layers=LAYERS, positions="learned",
        most_positions=ROOM,
    )  # fmt: skip
    task = task.resolved(learner.reads, learner.name)
    model, _ = chainrule.Model.untrained(learner, task, chainrule.Table.from_lists([text]), seed=0)
    sampling, draws = Sampling(), generator(0)

    def write():
        decoder, token = Decoder(model, "native"), 1
        for _ in range(tokens):
            decoder.read(token)
            token = sampling.draw(decoder.outputs, draws)
        decoder.end()

    return write


def torch_call(inner, tokens, *, room):
    """The same equations in PyTorch."""
    import torch
    from torch import nn

    torch.set_num_threads(1)
    torch.manual_seed(0)

    class Layer(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm, self.inner_norm = nn.LayerNorm(SIZE), nn.LayerNorm(SIZE)
            self.parts, self.output = nn.Linear(SIZE, 3 * SIZE), nn.Linear(SIZE, SIZE)
            self.inward, self.outward = nn.Linear(SIZE, inner), nn.Linear(inner, SIZE)

        def forward(self, x, kept, place):
            parts = self.parts(self.norm(x)).view(1, 1, 3, HEADS, SIZE // HEADS).transpose(1, 3).unbind(2)
            q, new = parts[0], parts[1:]
            if room:
                for held, each in zip(kept, new, strict=True):
                    held[:, :, place : place + 1] = each
                k, v = (held[:, :, : place + 1] for held in kept)
            else:
                k, v = kept = new if kept is None else [torch.cat(pair, 2) for pair in zip(kept, new, strict=True)]
            y = nn.functional.scaled_dot_product_attention(q, k, v)
            x = x + self.output(y.transpose(1, 2).reshape(1, 1, SIZE))
            return x + self.outward(torch.relu(self.inward(self.inner_norm(x)))), kept

    embedding, positions, first = nn.Embedding(ENTRIES, SIZE), nn.Embedding(ROOM, SIZE), nn.Linear(SIZE, SIZE)
    layers, norm, output = [Layer() for _ in range(LAYERS)], nn.LayerNorm(SIZE), nn.Linear(SIZE, ENTRIES)

    @torch.inference_mode()
    def write():
        shape = 1, HEADS, ROOM, SIZE // HEADS
        kept = [[torch.zeros(shape), torch.zeros(shape)] if room else None for _ in layers]
        token = torch.tensor([[1]])
        for place in range(tokens):
            x = first(embedding(token)) * SIZE**0.5 + positions.weight[place]
            for number, layer in enumerate(layers):
                x, kept[number] = layer(x, kept[number], place)
            token = torch.multinomial(torch.softmax(output(norm(x))[0, -1], -1), 1)[None]
            token.item()

    return write


def serve(name, cases):
    """The calls of a system, on one core."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-1:])
    made = chainrule_call if name == "chainrule" else partial(torch_call, room=name.endswith("room"))
    calls = {case: made(*case) for case in cases}
    for call in calls.values():
        call()
    return list(calls), calls, dict.fromkeys(calls, 1), one_round


def one_round(call, count):
    """Seconds a call, of this process alone."""
    started = time.process_time()
    for _ in range(count):
        call()
    return (time.process_time() - started) / count


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="of one text (default: %(default)s)")
    parser.add_argument("--inner", type=int, nargs="+", default=[256, 512, 1024], help="numbers inside layers")
    parser.add_argument("--tokens", type=int, nargs="+", default=[256], help="of a text (default: 256)")
    arguments = parser.parse_args()
    cases = list(product(arguments.inner, arguments.tokens))
    turns.prepare()
    turns.describe(["chainrule", "torch"])
    lines, calls = turns.started(partial(serve, cases=cases), PACKAGES)
    order = [(name, case) for case in cases for name in calls]
    found = {pair: min(rounds) for pair, rounds in turns.measured(lines, order, arguments.rounds).items()}
    print(f"{'tokens a second':24}" + "".join(f"{name:>22}" for name in calls))
    for inner, tokens in cases:
        seconds = [found[name, (inner, tokens)] for name in calls]
        shown = "".join(f"{tokens / x:14,.0f} {x / seconds[0]:6.2f}x" for x in seconds)
        print(f"{f'{inner} inside, {tokens} tokens':24}{shown}", flush=True)
    print(f"load {os.getloadavg()[0]:.2f}")


if __name__ == "__main__":
    main()
