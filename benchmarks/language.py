"""Models of language: tokens a second of training and of writing, beside PyTorch, on one core.

    python benchmarks/language.py [--rounds 7] [--sizes 100,256] [--batch 32] [--context 64]

An LSTM over characters (90 of them, vectors of 64 numbers, no dropout), the same equations, mini-batches and numbers of
parameters on both sides; training steps are with Adam, writing is at batch 1, drawn at temperature 1, PyTorch eagerly
with its state kept and under `torch.inference_mode`. Systems take turns in one process each; medians are shown.
Peer: `pip install torch==2.13.0`.
"""

import argparse
import multiprocessing
import os
import statistics
import time

ENTRIES, DIM, WRITTEN = 90, 64, 400


def chainrule_calls(size, batch, context):
    import numpy as np

    import chainrule
    from chainrule.models import Sampling
    from chainrule.models.generation import Decoder
    from chainrule.random import generator
    from chainrule.train.trainer import Trainer

    draws = np.random.default_rng(0)
    letters = [chr(ord("0") + i) for i in range(ENTRIES - 2)]
    text = "".join(letters) + "".join(draws.choice(letters, batch * context * 4))
    table = chainrule.Table.from_lists([text])
    task = chainrule.Continue(context=context)
    learner = chainrule.LongShortTermMemory(dim=DIM, size=size, dropout=0.0)
    training = chainrule.Training(batch_size=batch, learning_rate=0.001, epochs=1)
    model, examples = chainrule.Model.untrained(learner, task.resolved(learner.reads, learner.name), table, seed=0)
    trainer = Trainer(model, training, examples, examples, seed=0, threads=1)
    mini_batch = next(model.task.batches(examples, batch, generator(0)))

    def step():
        trainer.run_batch(mini_batch)

    sampling, tokens = Sampling(), generator(0)

    def write():  # as `Model.generate` does, but on after the end of a text
        decoder, token = Decoder(model, "native"), 1
        for _ in range(WRITTEN):
            decoder.read(token)
            token = sampling.draw(decoder.outputs, tokens)
        decoder.end()

    return step, write


def torch_calls(size, batch, context):
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    embedding, lstm = torch.nn.Embedding(ENTRIES, DIM), torch.nn.LSTM(DIM, size, batch_first=True)
    output = torch.nn.Linear(size, ENTRIES)
    parameters = [x for layer in (embedding, lstm, output) for x in layer.parameters()]
    optimizer = torch.optim.Adam(parameters, 0.001, fused=True)
    ids = torch.randint(ENTRIES, (batch, context + 1))

    def step():
        z = output(lstm(embedding(ids[:, :-1]))[0])
        loss = torch.nn.functional.cross_entropy(z.reshape(-1, ENTRIES), ids[:, 1:].reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    @torch.inference_mode()
    def write():
        token, state, written = torch.tensor([[1]]), None, []
        for _ in range(WRITTEN):
            y, state = lstm(embedding(token), state)
            token = torch.multinomial(torch.softmax(output(y[:, -1]), -1), 1)
            written.append(token.item())

    return step, write


def serve(connection, calls, core, arguments):
    """Run and time what is asked for, in a process of its own."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})
    made = {}
    while (asked := connection.recv()) is not None:
        size, which, count = asked
        if size not in made:
            made[size] = calls(size, *arguments)
        start = time.perf_counter()
        for _ in range(count):
            made[size][which]()
        connection.send((time.perf_counter() - start) / count)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--sizes", default="100,256")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--context", type=int, default=64)
    given = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    core = max(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
    context, ends = multiprocessing.get_context("spawn"), {}
    for name, calls in (("chainrule", chainrule_calls), ("PyTorch", torch_calls)):
        ends[name], theirs = context.Pipe()
        process = context.Process(target=serve, args=(theirs, calls, core, (given.batch, given.context)), daemon=True)
        process.start()
    print("| LSTM | chainrule, tokens/s | PyTorch, tokens/s | times |\n| --- | --- | --- | --- |")
    for size in map(int, given.sizes.split(",")):
        for which, (what, tokens, count) in enumerate(
            [("training", given.batch * given.context, 5), ("writing", WRITTEN, 1)]
        ):
            seconds = {name: [] for name in ends}
            for number in range(given.rounds + 1):
                for name, end in ends.items():
                    end.send((size, which, count))
                    found = end.recv()
                    if number:  # the first round compiles
                        seconds[name].append(found)
            ours, theirs = (tokens / statistics.median(seconds[name]) for name in ends)
            print(f"| {DIM} → {size}, {what} | {ours:,.0f} | {theirs:,.0f} | {ours / theirs:.2f} × |", flush=True)
    for end in ends.values():
        end.send(None)


if __name__ == "__main__":
    main()
