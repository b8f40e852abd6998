"""Make the small model folders that every later version must keep loading.

    python tests/models/make_saved.py

writes `saved/VERSION-LEARNER` beside this file, a folder for each learner, and `saved/VERSION-LEARNER.json` with the
texts and the probabilities that the model gave them. Run it once a release, and never again for a version that is out:
folders that are there are left as they are. `test_saved.py` loads all of them.
"""

from __future__ import annotations

import json
from pathlib import Path

import chainrule

SAVED = Path(__file__).with_name("saved")

ROWS = [
    ("a good film, warm and fun", "positive, or so"),
    ("so much fun and never dull", "positive, or so"),
    ("a warm and clever story", "positive, or so"),
    ("good fun for everyone ❤️", "positive, or so"),
    ("a bad film, cold and dull", "negative"),
    ("never fun and so dull", "negative"),
    ("a cold and silly story", "negative"),
    ("bad luck for everyone", "negative"),
    ("a film for everyone", "1"),
    ("a story of luck", "1"),
    ("the story of a film", "1"),
    ("luck and so much story", "1"),
]
TEXTS = ["good fun", "so dull, so cold", "a story", "", "Unknown WORDS only", "everyone ❤️ a Film"]

LEARNERS = (
    chainrule.BagOfWords(
        lowercase=True,
        ngrams=2,
        minimum_count=1,
        minimum_ngram_count=2,
        maximum_size=40,
        optimizer="sgd",
        learning_rate=0.5,
        batch_size=4,
        epochs=10,
        patience=10,
    ),
    chainrule.FeedForward(
        lowercase=True,
        ngrams=2,
        minimum_count=1,
        minimum_ngram_count=2,
        maximum_size=40,
        optimizer="adam",
        learning_rate=0.02,
        batch_size=4,
        epochs=10,
        patience=10,
        dim=6,
        hidden=(5, 4),
        activation="tanh",
        dropout=0.1,
        word_dropout=0.1,
    ),
)


def main() -> None:
    table = chainrule.Table.from_lists([text for text, _ in ROWS], [label for _, label in ROWS])
    SAVED.mkdir(exist_ok=True)
    for learner in LEARNERS:
        folder = SAVED / f"{chainrule.__version__}-{learner.name}"
        model = chainrule.fit(learner, table, table, seed=1).model
        model.save(folder)
        expected = {
            "labels": model.labels,
            "texts": TEXTS,
            "probabilities": model.predict_probabilities(TEXTS).tolist(),
        }
        text = json.dumps(expected, indent=2, ensure_ascii=False)
        folder.with_name(f"{folder.name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
