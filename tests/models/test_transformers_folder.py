"""Fine-tuned models as folders of transformers: opened there, with equal logits."""

import json

import numpy as np
import pytest

import chainrule
from chainrule.errors import ConfigurationError
from chainrule.models import Model
from chainrule.models.transformers_folder import write_transformers
from tests.encoders.folders import saved, torch, transformers
from tests.encoders.small import PIECES, encoder_folder
from tests.models.test_pretrained_transformer import sentences, table_of
from tests.samples import as_table, fit, make_rows

TEXTS = ["so good , the film", "a cold story", "films"]
TASKS = {
    "classify": chainrule.Classify(),
    "sigmoid": chainrule.Classify(output="sigmoid"),
    "tanh": chainrule.Classify(output="tanh"),
    "multi-label": chainrule.MultiLabel(),
    "regress": chainrule.Regress(),
    "tag": chainrule.Tag(),
}


def tuned(folder, name, **settings):
    """A model after one epoch."""
    table = table_of(name if name in ("multi-label", "regress", "tag") else "classify")
    learner = chainrule.PretrainedTransformer(folder=str(folder), **settings)
    training = chainrule.Training(epochs=1, learning_rate=0.01)
    return chainrule.fit(learner, table, table, task=TASKS[name], training=training).model


def logits_of(folder, texts, token=False):
    """What transformers says of texts, one by one."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    kind = "TokenClassification" if token else "SequenceClassification"
    model = getattr(transformers, f"AutoModelFor{kind}").from_pretrained(folder).eval()
    with torch.no_grad():
        return model, [model(**tokenizer(text, return_tensors="pt")).logits[0].numpy() for text in texts]


@pytest.mark.parametrize("task", ["classify", "sigmoid", "tanh", "multi-label", "regress"])
def test_transformers_gives_equal_answers(tmp_path, task):
    model = tuned(encoder_folder(tmp_path / "encoder"), task)
    write_transformers(model, tmp_path / "folder")
    theirs, logits = logits_of(tmp_path / "folder", TEXTS)
    z = np.array(logits, np.float64)
    if task == "regress":
        assert z[:, 0] == pytest.approx(model.predict(TEXTS), abs=1e-4)
        assert theirs.config.problem_type == "regression"
        return
    names = [theirs.config.id2label[place] for place in range(2)]
    assert names == list(model.labels)
    p = 1 / (1 + np.exp(-z)) if task == "multi-label" else np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    assert model.predict_probabilities(TEXTS) == pytest.approx(p, abs=1e-5)
    problem = "multi_label_classification" if task == "multi-label" else "single_label_classification"
    assert theirs.config.problem_type == problem


def test_tags(tmp_path):
    model = tuned(encoder_folder(tmp_path / "encoder"), "tag")
    write_transformers(model, tmp_path / "folder")
    theirs, logits = logits_of(tmp_path / "folder", TEXTS, token=True)
    assert [theirs.config.id2label[place] for place in range(3)] == list(model.codec.targets.names)
    for text, found in zip(TEXTS[:2], logits[:2], strict=True):  # of one piece a word
        outputs = model.responses(model.encode([text.split()]))
        z = np.exp(found[1:-1].astype(np.float64))
        assert outputs == pytest.approx(z / z.sum(axis=1, keepdims=True), abs=1e-5)


@pytest.mark.parametrize(
    ("family", "tune"),
    [
        *((family, "all") for family in ("bert", "distilbert", "electra", "roberta")),
        *((family, "low_rank") for family in ("bert", "distilbert")),  # which name their layers in two ways
    ],
)
def test_every_family(tmp_path, family, tune):
    """Trained from a folder of transformers, and given back to it."""
    saved(tmp_path / "encoder", family, vocab_size=len(PIECES))
    (tmp_path / "encoder" / "vocab.txt").write_text("\n".join(PIECES) + "\n")
    model = tuned(tmp_path / "encoder", "classify", tune=tune)
    write_transformers(model, tmp_path / "folder")
    theirs = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path / "folder").eval()
    for text in TEXTS:
        ids = torch.tensor(model.encode([text]).fields["ids"].ids.astype(np.int64))[None]
        with torch.no_grad():
            expected = torch.softmax(theirs(input_ids=ids).logits, 1)[0].numpy()
        assert model.predict_probabilities([text])[0] == pytest.approx(expected, abs=1e-5)


def test_the_command_line(run, refused, tmp_path):
    model = tuned(encoder_folder(tmp_path / "encoder"), "classify")
    model.save(tmp_path / "model")
    found = run("export", tmp_path / "model", tmp_path / "folder", "--format", "transformers")
    assert found.code == 0
    assert f"transformers.pipeline(model='{tmp_path / 'folder'}')" in found.error
    names = {file.name for file in (tmp_path / "folder").iterdir()}
    assert names == {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
    assert json.loads((tmp_path / "folder" / "config.json").read_text())["label2id"] == {"neg": 0, "pos": 1}
    answers = transformers.pipeline("text-classification", model=str(tmp_path / "folder"))(TEXTS)
    assert [answer["label"] for answer in answers] == model.predict(TEXTS)
    again = run(
        "train", _table(tmp_path), "--learner", "pretrained", "--from", tmp_path / "folder", "--out", tmp_path / "b"
    )
    assert again.code == 0  # what was written is a pretrained folder, too
    message = refused("export", tmp_path / "model", tmp_path / "folder", "--format", "transformers")
    assert str(tmp_path / "folder") in message
    assert "expected tensorboard or mlflow or" in refused(
        "export", tmp_path / "model", tmp_path / "x", "--format", "gguf"
    )


def _table(folder):
    texts, told = sentences(60)
    rows = [f'"{text}",{"neg pos".split()[good]}' for text, good in zip(texts, told, strict=True)]
    (folder / "t.csv").write_text("text,label\n" + "\n".join(rows) + "\n")
    return folder / "t.csv"


def test_what_transformers_has_no_class_for(tmp_path):
    folder = encoder_folder(tmp_path / "encoder")
    rows = table_of("classify")
    for settings, task, table, message in (
        (
            {"pooling": "mean"},
            chainrule.Classify(),
            rows,
            "answers by the mean of a text's tokens; train with --pooling",
        ),
        ({}, chainrule.Tag(crf=True), table_of("tag"), r"scores of pairs of tags \(--crf\); train without"),
        ({}, chainrule.Regress(criterion="poisson"), _counts(), "as the loss poisson does"),
    ):
        learner = chainrule.PretrainedTransformer(folder=str(folder), **settings)
        model, _ = Model.untrained(learner, task, table, seed=0)
        with pytest.raises(ConfigurationError, match=message):
            write_transformers(model, tmp_path / "folder")
        assert not (tmp_path / "folder").exists()
    with pytest.raises(ConfigurationError, match="this is a model of the learner bow; write it as ONNX"):
        write_transformers(fit("bow", as_table(make_rows(60))).model, tmp_path / "folder")


def _counts():
    return chainrule.Table.from_lists(["good", "bad", "a film", "so"] * 4, [1.0, 2.0, 3.0, 4.0] * 4)
