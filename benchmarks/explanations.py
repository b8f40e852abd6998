"""How well contributions tell what each word does: python benchmarks/explanations.py [TABLE].

For each word of held-out sentences, the score is compared with that of the sentence in which the word is an unknown
one. Shown are the rank correlation (Spearman's) of these differences with the contributions, and milliseconds a text,
by points at which gradients are taken. Models are trained for a few epochs on 3,000 film-review sentences (make data).
"""

import sys
import time

import numpy as np
from scipy.stats import spearmanr

import chainrule

SENTENCES, LENGTHS, UNKNOWN = 40, range(8, 26), "zzzqx"
STEPS = (0, 16, 64)
EPOCHS = 4
LEARNERS = {
    "bow": chainrule.BagOfWords(),
    "ffnn": chainrule.FeedForward(dim=32),
    "cnn": chainrule.ConvolutionalNetwork(dim=32, filters=32),
    "lstm": chainrule.LongShortTermMemory(dim=32, size=32),
    "transformer": chainrule.Transformer(dim=32, model_size=32, inner_size=64),
}


def differences(model, explanation):
    """How much the score falls when each word is taken for an unknown one."""
    words = list(explanation.words)
    texts = [" ".join([*words[:i], UNKNOWN, *words[i + 1 :]]) for i in range(len(words))]
    arrays = model.encode(texts).arrays()
    outputs = model.network(*[arrays[name] for name in model.reads.arrays]).numpy().astype(np.float64)
    return explanation.score - explanation.decision.constant - outputs @ explanation.decision.weights


def main(table=".data/sentences.csv"):
    """Train each learner and compare."""
    train, _, test = chainrule.read_table(table).split(36, 44.5, 19.5, seed=0)
    texts = [text for text in test.texts.to_list() if len(text.split()) in LENGTHS][:SENTENCES]
    for name, learner in LEARNERS.items():
        training = chainrule.Training(epochs=EPOCHS)
        model = chainrule.fit(learner, train, test, training=training, seed=0).model
        line = [f"{name}: accuracy {model.evaluate(test).accuracy:.3f}"]
        for steps in STEPS:
            start = time.perf_counter()
            found = chainrule.explain(model, texts, steps=steps)
            took = 1000 * (time.perf_counter() - start) / len(texts)
            ranks = [spearmanr(x.contributions, differences(model, x))[0] for x in found]
            line.append(f"{steps} steps {np.nanmean(ranks):.3f} ({took:.0f} ms)")
        print("; ".join(line), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
