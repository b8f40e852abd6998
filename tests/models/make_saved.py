"""Make the small model folders that every later version must keep loading.

    python -m tests.models.make_saved VERSION

writes `saved/VERSION-LEARNER` beside this file, a folder for each learner (`saved/VERSION-TASK-LEARNER` of tasks whose
answers are tokens), and `saved/VERSION-LEARNER.json` with rows and what the model says of them. Run it once a release,
and never again for a version that is out: folders that are there are left as they are. `test_saved.py` loads all of
them.
"""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
from pathlib import Path

import chainrule
from chainrule.data.layout import ROW
from tests.encoders.small import encoder_folder

SAVED = Path(__file__).resolve().with_name("saved")

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

COLUMNS = {
    "rooms, all": [1, 2, 3, 4, 5, 6, 2, 3, 4, 5, None, 1],
    "m²": [30.5, 45.0, 70.25, 95.0, 120.0, 150.5, 50.0, 65.0, 88.0, 110.0, 60.0, 28.0],
    "where": ["north", "south", "north", None, "south", "é 🎉", "north", "south", "é 🎉", "north", "south", "north"],
    "kind": ["a", "b", "b", "a", "b", "b", "a", "a", "b", "a", "b", "c"],
}
PRICES = [90.0, 140.0, 200.0, 260.0, 350.0, 420.0, 150.0, 190.0, 240.0, 300.0, 185.0, 85.0]
TAGS = ["new", "new, lift", "lift", "", "new,garden", "lift,garden", "new", "", "lift", "new, lift", "", "new"]
NUMBERS, CATEGORIES = ("rooms, all", "m²"), ("where", "kind")
NEW = {
    "rooms, all": [2, None, 6],
    "m²": [48.0, 100.0, 10.0],
    "where": ["north", "nowhere", None],
    "kind": ["b", "c", ""],
}

INPUTS = chainrule.Text(
    lowercase=True, ngrams=2, minimum_count=1, minimum_ngram_count=2, maximum_size=40, term_frequency="binary"
)
GIVEN = chainrule.Columns(numbers=NUMBERS, categories=CATEGORIES, missing="indicator", minimum_category_count=1)
RUNNING = {
    "batch_size": 4,
    "epochs": 10,
    "patience": 10,
    "clip": 5.0,
    "l2": 0.001,
    "every": None,
    "schedule": "constant",
}

SEQUENCE = {"dim": 5, "pooling": "attention", "dropout": 0.1, "word_dropout": 0.1}
RECURRENT = {**SEQUENCE, "size": 4, "layers": 1, "bidirectional": True}
ATTENDING = {
    **SEQUENCE,
    "pooling": "mean",
    "model_size": 6,
    "heads": 2,
    "inner_size": 8,
    "layers": 1,
    "inner_dropout": 0.1,
    "positions": "learned",
    "most_positions": 20,
    "norm_first": True,
    "causal": False,
    "activation": "relu",
}

#: Every learner, with its task and training: all of their settings are given, and no optimizer twice but Adam.
TRAININGS = (
    (
        chainrule.BagOfWords(scale=1.0),
        chainrule.Classify(inputs=INPUTS, output="softmax"),
        chainrule.Training(optimizer=chainrule.SGD(0.5, momentum=0.9), **RUNNING),
    ),
    (
        chainrule.FeedForward(dim=6, hidden=(5, 4), activation="tanh", dropout=0.1, word_dropout=0.1, scale=10.0),
        chainrule.Classify(inputs=INPUTS, output="softmax"),
        chainrule.Training(optimizer=chainrule.Adam(0.02), **RUNNING),
    ),
    (
        chainrule.LinearModel(),
        chainrule.Regress(inputs=GIVEN, criterion="mse"),
        chainrule.Training(optimizer=chainrule.Adam(0.1), **RUNNING),
    ),
    (
        chainrule.MultilayerPerceptron(
            dim=3, hidden=(5, 4), activation="softplus", dropout=0.1, category_encoding="embedding"
        ),
        chainrule.MultiLabel(inputs=GIVEN, label_separator=",", threshold=0.4),
        chainrule.Training(optimizer=chainrule.AdamW(0.02, weight_decay=0.01), **RUNNING),
    ),
    *(
        (
            learner,
            chainrule.Classify(inputs=INPUTS, output="softmax"),
            chainrule.Training(optimizer=optimizer, **RUNNING),
        )
        for learner, optimizer in (
            (
                chainrule.ConvolutionalNetwork(
                    **{**SEQUENCE, "pooling": "max"}, widths=(1, 2), filters=4, activation="relu"
                ),
                chainrule.RMSprop(0.02),
            ),
            (chainrule.RecurrentNetwork(**RECURRENT), chainrule.Adam(0.05)),
            (chainrule.LongShortTermMemory(**RECURRENT), chainrule.Adamax(0.1)),
            (chainrule.Transformer(**ATTENDING), chainrule.RAdam(0.02)),
        )
    ),
    (
        chainrule.GatedRecurrentNetwork(**RECURRENT),
        chainrule.Continue(inputs=chainrule.Units(unit="words", minimum_count=2, maximum_size=30), context=8),
        chainrule.Training(optimizer=chainrule.Adam(0.05), **RUNNING),
    ),
    (
        chainrule.SequenceToSequence(
            dim=5, cell="gru", size=6, layers=1, bidirectional=True, attention="luong", tie_embeddings=False,
            dropout=0.1,
        ),
        chainrule.Transduce(
            inputs=chainrule.Source(source_unit="words", fold_case=False, minimum_count=1, maximum_size=40),
            target_unit="characters", target_minimum_count=1, target_maximum_size=40, label_smoothing=0.1, beam=2,
            length_normalization=0.8, longest=30,
        ),
        chainrule.Training(optimizer=chainrule.RAdam(0.05), **RUNNING),
    ),
    (
        chainrule.GatedRecurrentNetwork(**RECURRENT, character_filters=3),
        chainrule.Tag(inputs=INPUTS, crf=True),
        chainrule.Training(optimizer=chainrule.NAdam(0.05), **RUNNING),
    ),
    (
        chainrule.PretrainedTransformer(
            folder="encoder", tune="low_rank", rank=2, rank_scale=4.0, layer_decay=1.0, pooling="first", dropout=0.1
        ),
        chainrule.Classify(inputs=chainrule.Pieces(truncate=12), output="softmax"),
        chainrule.Training(optimizer=chainrule.Lion(0.02), **RUNNING),
    ),
)  # fmt: skip


def table_for(task: chainrule.tasks.Task) -> chainrule.Table:
    """The rows that a task learns from."""
    if task.target == "text":
        return chainrule.Table.from_lists([text for text, _ in ROWS], [text.upper() for text, _ in ROWS], target="text")
    if task.target == "tags":
        words = [text.split() for text, _ in ROWS]
        return chainrule.Table.from_lists(words, [[word[:1].upper() for word in text] for text in words])
    if task.target == "label":
        return chainrule.Table.from_lists([text for text, _ in ROWS], [label for _, label in ROWS])
    import polars as pl

    frame = pl.DataFrame({**COLUMNS, "label": PRICES if task.target == "number" else TAGS})
    return chainrule.Table.from_frame(frame, numbers=NUMBERS, categories=CATEGORIES, target=task.target)


def encoded(model: chainrule.Model, rows: list[str] | dict[str, list[object]]) -> chainrule.data.Examples:
    """The arrays of rows that a model responds to; where it responds to texts as they are written, of one text."""
    if model.task.target != "text":
        return model.encode(rows)
    table = chainrule.Table.from_lists(rows, ["A GOOD FILM"] * len(rows), target="text")
    return model.codec.encode(table, targets=True)


def said(model: chainrule.Model, rows: list[str] | dict[str, list[object]]) -> dict[str, object]:
    """What a model says of rows, as JSON can hold it."""
    responses = model.responses(encoded(model, rows))
    return {"rows": rows, "answers": model.predict(rows), "responses": responses.tolist()}


def named(learner: chainrule.models.Learner, task: chainrule.tasks.Task) -> str:
    """What the folder of a learner is called, after the version: for other answers than one a row with the task."""
    return learner.name if task.answers == ROW else f"{task.name}-{learner.name}"


def main(version: str) -> None:
    SAVED.mkdir(exist_ok=True)
    for learner, task, training in TRAININGS:
        folder = SAVED / f"{version}-{named(learner, task)}"
        if folder.exists():
            continue
        table = table_for(task)
        with tempfile.TemporaryDirectory() as place, contextlib.chdir(place):
            encoder_folder(Path("encoder"), layers=1)  # that a pretrained learner starts from
            model = chainrule.fit(learner, table, table, task=task, training=training, seed=1).model
        model.save(folder)
        expected = said(model, TEXTS if table.textual else NEW)
        text = json.dumps(expected, indent=2, ensure_ascii=False)
        folder.with_name(f"{folder.name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
