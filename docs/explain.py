"""Makes the pictures of docs/explain.md, by the library itself: python docs/explain.py."""

import random
from pathlib import Path

import chainrule

PICTURES = Path(__file__).with_name("pictures") / "explain"
GOOD, BAD = ["good", "funny", "clever", "warm"], ["bad", "dull", "flat", "loud"]
TEXT = "the plot is not dull and the end is good"


def reviews(rows=2000):
    """Sentences of two judgements, each of which a "not" may turn; praise where more is said for than against."""
    draws = random.Random(0)
    texts, labels = [], []
    while len(texts) < rows:
        parts, score = [], 0
        for what in draws.sample(["the plot", "the end", "the film", "it"], 2):
            good, turned = draws.random() < 0.5, draws.random() < 0.4
            word = draws.choice(GOOD if good else BAD)
            parts.append(f"{what} is {'not ' if turned else ''}{word}")
            score += 1 if good != turned else -1
        if score:
            texts.append(" and ".join(parts))
            labels.append("praise" if score > 0 else "blame")
    return chainrule.Table.from_lists(texts, labels)


def main():
    """Train a small transformer, and draw what it looks at."""
    table = reviews()
    learner = chainrule.Transformer(dim=16, model_size=16, heads=2, inner_size=32, layers=1, dropout=0.1)
    training = chainrule.Training(learning_rate=0.005, epochs=30)
    model = chainrule.fit(learner, table, table, training=training, seed=0).model
    found = chainrule.explain(model, TEXT)
    print(found)  # noqa: T201
    PICTURES.mkdir(parents=True, exist_ok=True)
    found.save(PICTURES / "negation.svg")


if __name__ == "__main__":
    main()
