"""Test accuracy of the learners, with their defaults, beside their peers, on the same splits of the same table.

    python benchmarks/accuracy.py [TABLE] [--seeds 5]

The table is split 80/10/10 by label, once a seed. chainrule stops early on the validation tenth; scikit-learn and
fastText have nothing to stop, so they train on the first 80 alone, as chainrule's weights do, and a second time on all
90, as their users would. TABLE is a labelled table (default: .data/sentences.csv, from `make data`).
"""

import argparse
import random
import statistics
import tempfile
import time
from pathlib import Path

import fasttext
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import chainrule


def learner(make):
    def run(train, valid, test, seed):
        trained = chainrule.fit(make(), train, valid, seed=seed)
        return chainrule.evaluate(trained.model, test).accuracy

    return run


def logistic_regression(ngrams, with_valid):
    def run(train, valid, test, seed):
        vectorizer = TfidfVectorizer(ngram_range=(1, ngrams))
        model = make_pipeline(vectorizer, LogisticRegression(max_iter=1000, random_state=seed))
        texts, labels = columns(train, valid) if with_valid else columns(train)
        return model.fit(texts, labels).score(*columns(test))

    return run


def fasttext_bigrams(with_valid):
    def run(train, valid, test, seed):
        tokenizer = chainrule.text.Tokenizer()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "train.txt"
            texts, labels = columns(train, valid) if with_valid else columns(train)
            tokens = tokenizer(texts).to_list()
            lines = [f"__label__{label} {' '.join(words)}\n" for label, words in zip(labels, tokens, strict=True)]
            random.Random(seed).shuffle(lines)  # fastText reads in the order of the file
            path.write_text("".join(lines), encoding="utf-8")
            model = fasttext.train_supervised(
                str(path), wordNgrams=2, epoch=5, lr=0.5, dim=100, thread=1, seed=seed, verbose=0
            )
        texts, labels = columns(test)
        found, _ = model.predict([" ".join(words) for words in tokenizer(texts).to_list()])
        return statistics.fmean(label[0] == f"__label__{true}" for label, true in zip(found, labels, strict=True))

    return run


def columns(*tables):
    return [x for t in tables for x in t.texts.to_list()], [y for t in tables for y in t.labels.to_list()]


SYSTEMS = {
    "chainrule bow": learner(chainrule.BagOfWords),
    "chainrule ffnn": learner(chainrule.FeedForward),
    "scikit-learn TF-IDF + log. regr.": logistic_regression(1, with_valid=False),
    "scikit-learn TF-IDF + log. regr., on 90 %": logistic_regression(1, with_valid=True),
    "scikit-learn TF-IDF, bigrams + log. regr.": logistic_regression(2, with_valid=False),
    "fastText, bigrams": fasttext_bigrams(with_valid=False),
    "fastText, bigrams, on 90 %": fasttext_bigrams(with_valid=True),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", nargs="?", default=".data/sentences.csv")
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds, from 0 (default: %(default)s)")
    arguments = parser.parse_args()
    table = chainrule.read_table(arguments.table)
    accuracies = {name: [] for name in SYSTEMS}
    seconds = {name: [] for name in SYSTEMS}
    for seed in range(arguments.seeds):
        train, valid, test = table.split(80, 10, 10, seed=seed)
        for name, system in SYSTEMS.items():
            started = time.perf_counter()
            accuracies[name].append(100 * system(train, valid, test, seed))
            seconds[name].append(time.perf_counter() - started)
    print(
        f"{table.name}: {len(table):,} texts, test accuracy in %, mean ± standard deviation of {arguments.seeds} seeds"
    )
    for name, values in accuracies.items():
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        shown = " ".join(f"{value:.1f}" for value in values)
        mean = f"{statistics.fmean(values):5.2f} ± {spread:4.2f}"
        print(f"{name:44} {mean}   {statistics.median(seconds[name]):6.1f} s   ({shown})")


if __name__ == "__main__":
    main()
