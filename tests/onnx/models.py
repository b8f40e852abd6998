"""Small untrained models of every learner and task, with weights that are all drawn."""

import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl

import chainrule
from chainrule.models import LEARNERS, Model
from chainrule.tasks import TASKS
from tests.encoders.small import encoder_folder

TEXTS = ["so good film", "good fun", "", "bad luck of you all", "bad"] * 3
WORDS = [text.split() for text in TEXTS]
FRAME = pl.DataFrame(
    {"size": [1.0, 2.0, 3.0, 4.0] * 5, "color": list("abca") * 5, "price": [1.5, 2.5, 3.5, 4.5] * 5,
     "kind": list("xyxy") * 5}
)  # fmt: skip
COLUMNS = {"numbers": ["size"], "categories": ["color"]}
TABLES = {
    "classify": chainrule.Table.from_lists(TEXTS, list("ppnnp") * 3),
    "regress": chainrule.Table.from_lists(TEXTS, [1.0, 2.0, 3.0, 4.0, 5.0] * 3, target="number"),
    "multi-label": chainrule.Table.from_lists(TEXTS, [["a", "b"], ["a"], [], ["b"], ["b"]] * 3, target="labels"),
    "tag": chainrule.Table.from_lists(
        WORDS, [["long" if len(word) > 3 else "short" for word in text] for text in WORDS], target="tags"
    ),
    "continue": chainrule.Table.from_lists(TEXTS),
    "transduce": chainrule.Table.from_lists(
        ["a b", "b a", "a", "b", "a b c"] * 4, ["b a", "a b", "a", "b", "c"] * 4, target="text"
    ),
}
OF_COLUMNS = {
    "classify": chainrule.Table.from_frame(FRAME.drop("price"), **COLUMNS, label="kind"),
    "regress": chainrule.Table.from_frame(FRAME.drop("kind"), **COLUMNS, label="price", target="number"),
}
SMALL = {
    "bow": {},
    "cnn": {"dim": 6, "filters": 3},
    "ffnn": {"dim": 6, "hidden": (5,)},
    "gru": {"dim": 6, "size": 4},
    "linear": {},
    "lstm": {"dim": 6, "size": 4},
    "mlp": {"dim": 3, "hidden": (5,)},
    "pretrained": {},
    "rnn": {"dim": 6, "size": 4},
    "seq2seq": {"dim": 6, "size": 4},
    "transformer": {"dim": 6, "model_size": 8, "heads": 2, "inner_size": 12},
}
#: The tasks over texts that a learner does not do.
NOT_GIVEN = {"bow": ("tag", "continue"), "ffnn": ("tag", "continue"), "pretrained": ("continue",)}
#: Which tasks a learner does.
PAIRS = [(name, task) for name in LEARNERS for task in TASKS if (
    task in OF_COLUMNS if name in ("linear", "mlp")
    else task == "transduce" if name == "seq2seq"
    else task not in ("transduce", *NOT_GIVEN.get(name, ()))
)]  # fmt: skip


@cache
def pretrained_folder():
    """A small encoder with weights that are drawn, as transformers keeps one; there until the tests end."""
    held = tempfile.TemporaryDirectory()
    return held, encoder_folder(Path(held.name) / "encoder")


def model_of(name, task, scale=0.3, **settings):
    """A model and the examples of its table."""
    if name == "pretrained":
        settings["folder"] = str(pretrained_folder()[1])
    options = {key: settings.pop(key) for key in ("output", "crf") if key in settings}
    learner = LEARNERS[name](**{**SMALL[name], **settings})
    table = (OF_COLUMNS if name in ("linear", "mlp") else TABLES)[task]
    model, examples = Model.untrained(learner, TASKS[task](**options), table, seed=1)
    generator = np.random.default_rng(0)
    for x in model.network.parameters():
        x.assign(generator.normal(0, scale, x.shape))
    return model, examples
