"""A study of 15 runs beside PyTorch, what a second core brings, and what the study adds to its trainings.

    python benchmarks/study.py [TABLE] [--parts race throughput overhead] [--rounds 3] [--seeds 5] [--runs 100]

TABLE is a labelled table (default: .data/sentences.csv, 10,662 sentences of film reviews, from `make data`).

race: `chainrule compare` with bow, ffnn and cnn and so many seeds, and the same trainings in PyTorch, each a whole
command: reading, words, vocabulary, trainings with early stopping, the best weights, and the test. PyTorch has a pool
of two processes of one thread each, which share the arrays that their parent has made; `EmbeddingBag` (mean) and a
linear layer, the same with a hidden layer and dropout, and convolutions of 3, 4 and 5 words with maxima over time, on
batches that are padded to their longest text; fused Adam. Both have the same shares of rows, vocabulary rule, sizes,
batches, rate and patience; bow is smaller with us, a number a word and class.
throughput: the same command on one core and on two, by threads and by processes.
overhead: a study of trivial runs (`--runs`) less as many calls of `fit` that save their models, on rows that are
prepared once; beside it what loading those models and judging them on test rows takes, which is part of a study. All in
seconds of the processor, so that a busy machine does not count.
Rounds alternate; the least of each counts.
"""

import argparse
import functools
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RATE, BATCH, EPOCHS, PATIENCE = 0.003, 64, 10, 2
DIM, HIDDEN, FILTERS, WIDTHS, DROPOUT = 100, 128, 100, (3, 4, 5), 0.5
LEARNERS = (
    f"bow,ffnn:dim={DIM},hidden={HIDDEN},dropout={DROPOUT},word_dropout=0,"
    f"cnn:dim={DIM},filters={FILTERS},dropout={DROPOUT},word_dropout=0"
)
POOLS = ("POLARS_MAX_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def compared(table, out, seeds, jobs, workers):
    """The command line of the study."""
    return [
        sys.executable, "-m", "chainrule", "compare", str(table), "--learners", LEARNERS, "--seeds", str(seeds),
        "--ngrams", "1", "--optimizer", "adam", "--lr", str(RATE), "--schedule", "constant", "--epochs", str(EPOCHS),
        "--patience", str(PATIENCE), "--batch-size", str(BATCH), "--jobs", str(jobs), "--workers", workers, "--quiet",
        "--out", str(out),
    ]  # fmt: skip


def run_torch(table, seeds):
    """The same trainings in PyTorch; prints the test accuracies of each learner."""
    import csv
    from multiprocessing import get_context

    import numpy as np
    import torch

    with Path(table).open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    texts = [re.findall(r"\w+|[^\w\s]", row["text"].lower()) for row in rows]
    names = sorted({row["label"] for row in rows})
    labels = np.array([names.index(row["label"]) for row in rows])
    order = np.random.default_rng(0).permutation(len(rows))
    tenth = len(rows) // 10
    places = {"test": order[:tenth], "valid": order[tenth : 2 * tenth], "train": order[2 * tenth :]}
    known = {}
    for row in places["train"]:
        for word in texts[row]:
            known.setdefault(word, len(known) + 1)  # 0 is padding
    ids = [torch.tensor([known[word] for word in text if word in known] or [0]) for text in texts]
    parts = {name: ([ids[row] for row in rows], torch.from_numpy(labels[rows])) for name, rows in places.items()}
    _SHARED.update(parts=parts, size=len(known) + 1, classes=len(names))
    asked = [(name, seed) for seed in range(seeds) for name in ("bow", "ffnn", "cnn")]
    with get_context("fork").Pool(2) as pool:
        found = pool.starmap(_trained, asked, chunksize=1)
    accuracies = {}
    for (name, _), accuracy in zip(asked, found, strict=True):
        accuracies.setdefault(name, []).append(accuracy)
    print(json.dumps(accuracies))


_SHARED = {}


def _network(name, size, classes):
    from torch import nn

    class Convolutions(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Embedding(size, DIM, padding_idx=0)
            self.convolutions = nn.ModuleList(nn.Conv1d(DIM, FILTERS, width) for width in WIDTHS)
            self.last = nn.Sequential(nn.Dropout(DROPOUT), nn.Linear(FILTERS * len(WIDTHS), classes))

        def forward(self, texts):
            import torch

            padded = nn.utils.rnn.pad_sequence(texts, batch_first=True)
            if padded.shape[1] < max(WIDTHS):
                padded = nn.functional.pad(padded, (0, max(WIDTHS) - padded.shape[1]))
            x = self.table(padded).transpose(1, 2)
            return self.last(torch.cat([c(x).relu().amax(dim=2) for c in self.convolutions], dim=1))

    class Bag(nn.Module):
        def __init__(self, *layers):
            super().__init__()
            self.table, self.layers = nn.EmbeddingBag(size, DIM, mode="mean"), nn.Sequential(*layers)

        def forward(self, texts):
            import torch

            offsets = torch.tensor([0, *map(len, texts[:-1])]).cumsum(0)
            return self.layers(self.table(torch.cat(texts), offsets))

    if name == "cnn":
        return Convolutions()
    if name == "bow":
        return Bag(nn.Linear(DIM, classes))
    return Bag(nn.Linear(DIM, HIDDEN), nn.ReLU(), nn.Dropout(DROPOUT), nn.Linear(HIDDEN, classes))


def _trained(name, seed):
    """The test accuracy of one training."""
    import copy

    import torch
    from torch.nn.functional import cross_entropy

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    network = _network(name, _SHARED["size"], _SHARED["classes"])
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE, fused=True)
    texts, labels = _SHARED["parts"]["train"]

    def judged(part):
        network.eval()
        texts, labels = _SHARED["parts"][part]
        with torch.inference_mode():
            answers = torch.cat([network(texts[i : i + 256]) for i in range(0, len(texts), 256)])
            return cross_entropy(answers, labels).item(), (answers.argmax(1) == labels).float().mean().item()

    best, kept, waited = float("inf"), None, 0
    for _ in range(EPOCHS):
        network.train()
        order = torch.randperm(len(texts))
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            optimizer.zero_grad(set_to_none=True)
            cross_entropy(network([texts[row] for row in rows.tolist()]), labels[rows]).backward()
            optimizer.step()
        loss, _ = judged("valid")
        if loss < best:
            best, kept, waited = loss, copy.deepcopy(network.state_dict()), 0
        else:
            waited += 1
            if waited == PATIENCE:
                break
    network.load_state_dict(kept)
    return judged("test")[1]


def run_trivial(runs):
    """Seconds of so many calls of `fit`, of judging their models, and of a study of the same trainings."""
    import chainrule
    from chainrule.experiment import Comparison, Division, Experiment
    from chainrule.train.prepared import Prepared

    words = [["good", "fun", "clever", "warm"], ["bad", "dull", "flat", "loud"]]
    texts = [f"{words[i % 2][i // 2 % 4]} word{i % 17} word{i % 5}" for i in range(400)]
    table = chainrule.Table.from_lists(texts, ["pn"[i % 2] for i in range(400)])
    task, learner, training = chainrule.Classify(), chainrule.BagOfWords(), chainrule.Training(epochs=1)
    part = Division().divided(table)[0]
    prepared = Prepared.of(learner, task, part.train, part.valid)
    chainrule.fit(learner, prepared, training=training)  # kernels are compiled, or read, once
    found = {}
    with tempfile.TemporaryDirectory() as place:
        started = time.process_time()
        for seed in range(runs):
            folder = Path(place) / str(seed)
            chainrule.fit(learner, prepared, training=training, seed=seed, folder=folder, threads=1)
        found["fit"] = time.process_time() - started
        started = time.process_time()
        for seed in range(runs):
            chainrule.Model.load(Path(place) / str(seed)).evaluate(part.test)
        found["test"] = time.process_time() - started
        compared = Comparison([(task, learner, training)], tuple(range(runs)))
        started = time.process_time()
        Experiment(table, compared, task).run(Path(place) / "study", jobs=1)
        found["study"] = time.process_time() - started
    print(json.dumps(found))


def timed(words, threads="1", cores=None):
    """The seconds of a command on so many cores (None: all), and what it printed."""
    here = sorted(os.sched_getaffinity(0))
    bound = functools.partial(os.sched_setaffinity, 0, here[:cores])
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OPENBLAS_")}
    started = time.perf_counter()
    done = subprocess.run(
        words, env={**kept, **dict.fromkeys(POOLS, threads)}, capture_output=True, text=True, check=False,
        preexec_fn=bound,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(done.stderr)
    return time.perf_counter() - started, done.stdout


def studied(table, seeds, jobs, workers):
    """The seconds of a study with so many runs at once on as many cores, and its test accuracies."""
    with tempfile.TemporaryDirectory() as place:
        seconds, _ = timed(compared(table, Path(place) / "study", seeds, jobs, workers), cores=jobs)
        lines = [json.loads(line) for line in (Path(place) / "study" / "runs.jsonl").read_text().splitlines()]
    accuracies = {}
    for line in lines:
        if line["kind"] == "test":
            accuracies.setdefault(line["run"].partition("-")[0], []).append(line["test"]["accuracy"])
    return seconds, accuracies


def race(table, rounds, seeds):
    ours, theirs = [], []
    for _ in range(rounds):
        seconds, accuracies = studied(table, seeds, 2, "threads")
        ours.append(seconds)
        seconds, printed = timed([sys.executable, __file__, str(table), "--torch", str(seeds)])
        theirs.append(seconds)
        for name, found in (("chainrule", accuracies), ("PyTorch", json.loads(printed))):
            shown = ", ".join(f"{key} {sum(x) / len(x):.3f}" for key, x in found.items())
            print(
                f"  {name}: {(ours if name == 'chainrule' else theirs)[-1]:.1f} s; test accuracy: {shown}", flush=True
            )
    print(f"race, {3 * seeds} runs: chainrule {min(ours):.1f} s, PyTorch {min(theirs):.1f} s: "
          f"{min(theirs) / min(ours):.2f} times")  # fmt: skip


def throughput(table, rounds, seeds):
    seconds = {(workers, jobs): [] for workers in ("threads", "processes") for jobs in (1, 2)}
    for _ in range(rounds):
        for (workers, jobs), held in seconds.items():
            held.append(studied(table, seeds, jobs, workers)[0])
    for workers in ("threads", "processes"):
        one, two = (min(seconds[workers, jobs]) for jobs in (1, 2))
        print(f"throughput, {workers}: one core {one:.1f} s, two {two:.1f} s: {one / two:.2f} times")


def overhead(rounds, runs):
    held = [json.loads(timed([sys.executable, __file__, "--trivial", str(runs)])[1]) for _ in range(rounds)]
    fit, test, study = (min(found[name] for found in held) for name in ("fit", "test", "study"))
    rest = study - fit - test
    print(f"overhead, {runs} runs, seconds of the processor: study {study:.2f}, fit alone {fit:.2f}, judging "
          f"{test:.2f}, the rest {rest:.2f}, {rest / fit:.1%} of fit")  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", nargs="?", default=".data/sentences.csv")
    parser.add_argument("--parts", nargs="+", default=["race", "throughput", "overhead"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--torch", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--trivial", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.torch:
        run_torch(arguments.table, arguments.torch)
    elif arguments.trivial:
        run_trivial(arguments.trivial)
    else:
        if "race" in arguments.parts:
            race(arguments.table, arguments.rounds, arguments.seeds)
        if "throughput" in arguments.parts:
            throughput(arguments.table, arguments.rounds, arguments.seeds)
        if "overhead" in arguments.parts:
            overhead(arguments.rounds, arguments.runs)


if __name__ == "__main__":
    main()
