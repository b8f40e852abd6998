"""fastText: supervised learning on the same tokens, without hidden layer and mini-batches, by SGD.

A step is as many texts as the mini-batch of the others. The time of one epoch is subtracted, and with it that of
reading the vocabulary; fastText looks only every 0.1 s whether it is done, so a round has to be long.
"""

import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import fasttext


def make(task, variant):  # noqa: ARG001
    inputs, classes = task.data()
    texts = zip(inputs.reshape(-1, task.tokens), classes.reshape(-1), strict=True)
    content = "".join(f"__label__{label} {' '.join(map(str, ids))}\n" for ids, label in texts)

    def train(epochs):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "texts.txt"
            path.write_text(content, encoding="utf-8")
            started = time.perf_counter()
            fasttext.train_supervised(
                str(path), dim=task.sizes[0], epoch=epochs, minCount=1, bucket=0, thread=task.threads, verbose=0
            )
            return time.perf_counter() - started

    def seconds(count):
        epochs = -(-count // task.batches)
        return (train(1 + epochs) - train(1)) / epochs / task.batches * count

    return SimpleNamespace(seconds=seconds)
