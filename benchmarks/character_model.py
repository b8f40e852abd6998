"""A character language model beside PyTorch: tokens a second in training, and the loss, from the same weights.

    python benchmarks/character_model.py [--steps 2000] [--threads 1] [--text FILE ...]

A causal transformer (4 layers, 128 wide, 4 heads, 512 inside, learned positions, norms first, no dropout) over contexts
of 64 characters, 12 in a mini-batch, with Adam at 0.001. Both begin with the same weights and take the same
mini-batches in the same order, of the pages in docs/ unless told otherwise. Each system lives in a process of its own,
and they take turns of 50 steps; tokens a second are those of the process's own time, all steps together, and of the
fastest turn. The loss is the mean of the last 100 steps. Peer: `pip install torch==2.13.0`.
"""

import argparse
import os
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path

try:
    from benchmarks.peers import turns
except ModuleNotFoundError:  # run as a file
    from peers import turns

LAYERS, SIZE, HEADS, INNER, CONTEXT, BATCH, RATE, TURN = 4, 128, 4, 512, 64, 12, 0.001, 50
PACKAGES = {"chainrule": "chainrule", "PyTorch": "torch"}


def prepared(texts, steps, folder):
    """Write the first weights and all mini-batches, shape (steps, contexts, tokens + 1), for both."""
    import numpy as np

    model, examples = chainrule_model(texts)
    ids = examples.fields["ids"]
    whole = ids.ids[ids.offsets[:-1][ids.lengths == CONTEXT + 1][:, None] + np.arange(CONTEXT + 1)]
    draws = np.random.default_rng(0)
    rows = np.concatenate([draws.permutation(len(whole)) for _ in range(1 + steps * BATCH // len(whole))])
    np.save(folder / "batches.npy", whole[rows[: steps * BATCH]].reshape(steps, BATCH, CONTEXT + 1))
    np.savez(folder / "weights.npz", **{name: x.numpy() for name, x in model.network.named_parameters().items()})
    return len(whole)


def chainrule_model(texts):
    """The model, untrained, and the contexts of the texts."""
    import chainrule

    learner = chainrule.Transformer(
        dim=SIZE, model_size=SIZE, heads=HEADS, inner_size=INNER, layers=LAYERS, positions="learned", dropout=0.0,
        inner_dropout=0.0, most_positions=CONTEXT + 1,
    )  # fmt: skip
    task = chainrule.Continue(context=CONTEXT).resolved(learner.reads, learner.name)
    return chainrule.Model.untrained(learner, task, chainrule.Table.from_lists(texts), seed=0)


def chainrule_step(texts, threads):
    """A step of the trainer on a mini-batch."""
    import numpy as np

    import chainrule
    from chainrule.data import Examples, Ragged
    from chainrule.train.trainer import Trainer

    model, examples = chainrule_model(texts)
    training = chainrule.Training(batch_size=BATCH, learning_rate=RATE, optimizer="adam", epochs=1)
    trainer = Trainer(model, training, examples, examples, seed=0, threads=threads)
    offsets = np.arange(BATCH + 1) * (CONTEXT + 1)

    def step(ids):
        found = trainer.run_batch(Examples({"ids": Ragged(ids.reshape(-1), offsets)}))
        return found["loss"] / found["weight"]

    return step


def torch_step(folder, threads):
    """The same equations in PyTorch."""
    import numpy as np
    import torch
    from torch import nn

    torch.set_num_threads(threads)
    held = {name: torch.tensor(x) for name, x in np.load(folder / "weights.npz").items()}
    entries = len(held["embeddings.table"])

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding, self.positions = nn.Embedding(entries, SIZE), nn.Embedding(CONTEXT + 1, SIZE)
            self.first, self.norm, self.output = nn.Linear(SIZE, SIZE), nn.LayerNorm(SIZE), nn.Linear(SIZE, entries)
            self.layers = nn.ModuleList(
                nn.TransformerEncoderLayer(SIZE, HEADS, INNER, dropout=0.0, batch_first=True, norm_first=True)
                for _ in range(LAYERS)
            )
            self.mask = nn.Transformer.generate_square_subsequent_mask(CONTEXT)

        def forward(self, ids):
            x = self.first(self.embedding(ids)) * SIZE**0.5 + self.positions.weight[:CONTEXT]
            for layer in self.layers:
                x = layer(x, src_mask=self.mask, is_causal=True)
            return self.output(self.norm(x))

    model = Model()

    def take(module, name):
        module.weight.data.copy_(held[f"{name}.weight"].T)
        module.bias.data.copy_(held[f"{name}.bias"])

    model.embedding.weight.data.copy_(held["embeddings.table"])
    model.positions.weight.data.copy_(held["encoder.positions.embedding.table"])
    take(model.first, "encoder.input")
    take(model.output, "output")
    for number, layer in enumerate(model.layers):
        place = f"encoder.layers.{number}"
        layer.self_attn.in_proj_weight.data.copy_(held[f"{place}.attention.input_weight"].T)
        layer.self_attn.in_proj_bias.data.copy_(held[f"{place}.attention.input_bias"])
        take(layer.self_attn.out_proj, f"{place}.attention.output")
        take(layer.linear1, f"{place}.inward")
        take(layer.linear2, f"{place}.outward")
    # Norms begin with ones and zeros in both.
    optimizer = torch.optim.Adam(model.parameters(), RATE, fused=True)

    def step(ids):
        ids = torch.tensor(ids).long()
        loss = nn.functional.cross_entropy(model(ids[:, :-1]).reshape(-1, entries), ids[:, 1:].reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def serve(name, texts, folder, threads):
    """One call: some steps, for each of which it gives the loss."""
    import numpy as np

    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-threads:])
    batches = iter(np.load(folder / "batches.npy"))
    step = chainrule_step(texts, threads) if name == "chainrule" else torch_step(folder, threads)
    return [name], {"turn": step}, {"turn": TURN}, partial(one_round, batches)


def one_round(batches, step, count):
    """Losses of some steps, and seconds of this process a step; the rounds that only warm up are left out."""
    if count != TURN:
        return None
    clock = time.process_time if os.environ["OMP_NUM_THREADS"] == "1" else time.perf_counter
    started = clock()
    losses = [step(next(batches)) for _ in range(count)]
    return losses, (clock() - started) / count


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=2000, help="a multiple of 50 (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--text", nargs="+", type=Path, default=sorted((Path(__file__).parents[1] / "docs").glob("*.md"))
    )
    given = parser.parse_args()
    texts = ["\n".join(path.read_text("utf-8") for path in given.text)]
    turns.prepare()
    os.environ["OMP_NUM_THREADS"] = str(given.threads)
    turns.describe(["chainrule", "torch"])
    with tempfile.TemporaryDirectory() as folder:
        count = prepared(texts, given.steps, Path(folder))
        print(f"{len(texts[0]):,} characters, {count:,} contexts, {given.steps:,} steps, {given.threads} threads")
        started = partial(serve, texts=texts, folder=Path(folder), threads=given.threads)
        lines, _ = turns.started(started, PACKAGES)
        found = turns.measured(lines, [(name, "turn") for name in lines], given.steps // TURN)
    speeds = {}
    for (name, _), rounds in found.items():
        losses = [loss for held, _ in rounds for loss in held]
        seconds = [each for _, each in rounds[1:] or rounds]  # the first one compiles
        tokens = BATCH * CONTEXT
        speeds[name] = tokens / statistics.mean(seconds)
        fastest, loss = tokens / min(seconds), statistics.mean(losses[-100:])
        print(f"{name:12} {speeds[name]:10,.0f} tokens a second, fastest {fastest:10,.0f}; loss {loss:.4f}")
    if len(speeds) == 2:
        print(
            f"chainrule is {speeds['chainrule'] / speeds['PyTorch']:.2f} times as fast; load {os.getloadavg()[0]:.2f}"
        )


if __name__ == "__main__":
    main()
