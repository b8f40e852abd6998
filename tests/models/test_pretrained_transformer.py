"""Fine-tuning: a small encoder, made on the spot, that is trained on in every way, for every task."""

import importlib
import json
import math
import shutil
from dataclasses import replace

import numpy as np
import pytest

import chainrule
from chainrule import PretrainedTransformer
from chainrule.data import Ragged
from chainrule.encoders import read_model
from chainrule.errors import ConfigurationError, DataError, ModelError
from chainrule.models import Model
from chainrule.models.ahead import Ahead
from chainrule.tasks.piece_inputs import fingerprint
from chainrule.train import Trainer, checkpoint, memory
from chainrule.train.checkpoint import Checkpointer
from tests.encoders.small import PIECES, encoder_folder
from tests.samples import timeless, weights

GOOD, BAD = ("good", "fun", "warm", "clever"), ("bad", "dull", "cold", "silly")
TRAINING = chainrule.Training(epochs=4, learning_rate=0.01, batch_size=8)
LONG = replace(TRAINING, epochs=25, learning_rate=0.003)
#: The module, whose name in its package is the function's.
FIT = importlib.import_module("chainrule.train.fit")
ENDS = [PIECES.index(piece) for piece in ("[CLS]", "[SEP]")]


def sentences(count, seed=0):
    """Texts with a word that tells, and whether it is a good one."""
    drawn = np.random.default_rng(seed)
    told = [int(drawn.integers(2)) for _ in range(count)]
    ends = [str(drawn.choice(GOOD if good else BAD)) for good in told]
    return [f"{drawn.choice(['a', 'the', 'so'])} {drawn.choice(['film', 'story'])} , {end}" for end in ends], told


def table_of(task):
    """A small table that a task can learn."""
    texts, told = sentences(64)
    if task == "tag":
        words = [text.split() for text in texts]
        tags = [["good" if x in GOOD else "bad" if x in BAD else "none" for x in row] for row in words]
        return chainrule.Table.from_lists(words, tags)
    if task == "multi-label":
        labels = [["good"] * good + ["film"] * ("film" in text) for text, good in zip(texts, told, strict=True)]
        return chainrule.Table.from_lists(texts, labels)
    labels = [3.0 * good - 7 for good in told] if task == "regress" else ["neg pos".split()[good] for good in told]
    return chainrule.Table.from_lists(texts, labels)


TASKS = {
    "classify": (chainrule.Classify(), "accuracy", 0.9),
    "multi-label": (chainrule.MultiLabel(), "micro_f1", 0.9),
    "regress": (chainrule.Regress(), "r2", 0.5),
    "tag": (chainrule.Tag(), "accuracy", 0.9),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return encoder_folder(tmp_path_factory.mktemp("pretrained") / "encoder")


def learner(folder, **settings):
    return PretrainedTransformer(folder=str(folder), **settings)


def untrained(learner, table=None, task=None):
    return Model.untrained(learner, task or chainrule.Classify(), table or table_of("classify"), seed=0)


#: Settings of the learner; `folder` is that of the run here.
OWN = {x.name for x in PretrainedTransformer.declared()} - {"folder"}


def trained(encoder, task="classify", training=TRAINING, **given):
    """A run on a small table; settings of the learner are told from arguments of `fit`."""
    settings = {name: given.pop(name) for name in OWN & given.keys()}
    table = table_of(task)
    return chainrule.fit(learner(encoder, **settings), table, table, task=TASKS[task][0], training=training, **given)


@pytest.mark.parametrize("task", TASKS)
def test_every_task_is_learned_and_kept(folder, tmp_path, task):
    """The saved model answers the same, and needs nothing of the folder that it came from."""
    here = shutil.copytree(folder, tmp_path / "encoder")
    run = trained(here, task, folder=tmp_path / "model", dropout=0.0, training=LONG)
    shutil.rmtree(here)
    _, measure, least = TASKS[task]
    table = table_of(task)
    found = run.model.evaluate(table).measures
    assert found[measure] >= least
    again = Model.load(tmp_path / "model")
    assert again.evaluate(table).measures == found
    rows = table.texts.to_list()[:9]
    assert again.predict(rows) == run.model.predict(rows)
    eager = again.responses(again.encode(rows), engine="eager")
    assert again.responses(again.encode(rows)) == pytest.approx(eager, abs=1e-5)
    names = {file.name for file in (tmp_path / "model").iterdir()}
    assert {"config.json", "tokenizer.json", "model.safetensors", "model.json"} <= names


def test_texts_become_the_pieces_of_the_tokenizer(folder):
    _, examples = untrained(learner(folder), chainrule.Table.from_lists(["Good  films!", ""], ["a", "b"]))
    begin, end = ENDS
    row = [begin, PIECES.index("good"), PIECES.index("film"), PIECES.index("##s"), PIECES.index("[UNK]"), end]
    ids = examples.fields["ids"]
    assert [ids.ids[a:b].tolist() for a, b in zip(ids.offsets[:-1], ids.offsets[1:], strict=True)] == [
        row,
        [begin, end],
    ]


def test_the_first_piece_of_a_word_answers(folder):
    """Words of several pieces, of none, and those that were cut off, which the last piece of the text answers."""
    words = [["so", "films", "good"], ["\u200b", "storys"]]
    table = chainrule.Table.from_lists(words, [["x", "y", "x"], ["y", "x"]])
    for truncate, first in ((None, [1, 2, 4, 1, 2]), (4, [1, 2, 3, 1, 2])):
        task = chainrule.Tag(inputs=chainrule.Pieces(truncate=truncate))
        model, examples = untrained(learner(folder), table, task)
        assert isinstance(examples.fields["first"], Ragged)
        assert examples.fields["first"].ids.tolist() == first
        arrays = examples.arrays()
        outputs = model.network(*[arrays[name] for name in model.reads.arrays])
        pieces = model.network.encoder(arrays["pieces"], arrays["piece_offsets"]).numpy()
        starts = arrays["piece_offsets"][[0, 0, 0, 1, 1]]
        expected = model.network.head.output(pieces[starts + first]).numpy()
        assert outputs.numpy() == pytest.approx(expected, abs=1e-6)
    texts = ["so films", ["so", "films"], "so films, good"]
    assert [len(x) for x in model.predict([words[0], ["a"]])] == [3, 1]
    assert [len(x) for x in model.predict([texts[0]])] == [2]


def test_training_starts_from_the_weights_of_the_folder(folder):
    model, _ = untrained(learner(folder))
    opened = read_model(folder)
    for name, theirs in opened.encoder.named_tensors().items():
        assert model.network.encoder.named_tensors()[name].numpy().tolist() == theirs.numpy().tolist()
    assert model.network.head.dense.weight.numpy().tolist() == opened.head.dense.weight.numpy().tolist()
    texts = model.encode(table_of("classify").texts.to_list()).arrays()
    vectors = opened(texts["ids"], texts["offsets"])  # of its head without outputs
    expected = model.network.head.output(vectors).numpy()
    assert model.network(texts["ids"], texts["offsets"]).numpy() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("tune", ["all", "top:1", "none", "low_rank"])
@pytest.mark.parametrize("pooling", ["first", "mean"])
def test_what_is_frozen_keeps_its_bits(folder, tmp_path, tune, pooling):
    run = trained(folder, tune=tune, pooling=pooling, folder=tmp_path / "model")
    before = {f"encoder.{name}": x.numpy() for name, x in read_model(folder).encoder.named_tensors().items()}
    after = run.model.network.named_parameters()
    changed = {name for name in before if after[name].numpy().tobytes() != before[name].tobytes()}
    matrices = {name for name in before if name.startswith("encoder.layers") and "weight" in name}
    top = {name for name in before if name.startswith("encoder.layers.1.")}
    assert changed == {"all": set(before), "top:1": top, "none": set(), "low_rank": matrices}[tune]
    assert not [name for name in after if "low_rank" in name]
    assert Model.load(tmp_path / "model").network.named_parameters().keys() == after.keys()


def test_frozen_parameters_have_no_gradient_and_no_state(folder):
    table = table_of("classify")
    for tune, count in (("none", 4), ("top:1", 16 + 4 - 4), ("low_rank", 2 * 2 * 4 + 4)):
        model, examples = untrained(learner(folder, tune=tune), table)
        trainer = Trainer(model, TRAINING.resolved(model.learner, model.task, 64), examples, examples, seed=0)
        members = [parameter for group in trainer.members for parameter in group]
        assert len(members) == count
        free = sum(x.spec.size for x in members)
        held = sum(x.size for state in trainer.states for x in state.arrays().values() if x.ndim)
        assert held == 2 * free  # Adam's means of gradients and of their squares


@pytest.mark.parametrize(
    ("task", "pooling", "each"),  # what has a vector: a text, or a piece or a word
    [("classify", "first", ""), ("regress", "mean", ""), ("classify", "attention", "ids"), ("tag", "first", "first")],
)
def test_a_frozen_encoder_reads_each_text_once(folder, monkeypatch, task, pooling, each):
    """The weights are those of a training that has it read them in each step; its vectors are in what memory says."""
    training = replace(TRAINING, epochs=2, optimizer=chainrule.SGD(0.1))  # Adam doubles what rounding does
    run = trained(folder, task, training, tune="none", pooling=pooling, diagnostics=False, engine="eager")
    settings = learner(folder, tune="none", pooling=pooling)
    table = table_of(task)
    model, examples = untrained(settings, table, TASKS[task][0])
    resolved = training.resolved(settings, model.task, 64)
    trainer = Trainer(model, resolved, examples, examples, seed=0, engine="eager")
    trainer.run()
    for one, other in zip(run.epochs, trainer.history, strict=True):
        assert one.valid == pytest.approx(other.valid, rel=1e-4)
        assert one.train == pytest.approx(other.train, rel=1e-4)
    assert run.model.network.named_parameters().keys() == model.network.named_parameters().keys()
    ahead = Ahead.of(model, [examples])
    rows = len(examples.fields[each].ids) if each else 64
    assert (ahead.shape, ahead.bytes) == ((rows, 16), rows * 64)
    of = memory.memory_of(settings, model.task, resolved, model.codec.sizes)
    monkeypatch.setattr(memory, "free_memory", lambda: of.more + ahead.bytes - 1)
    with pytest.raises(ConfigurationError, match=r"vectors of the frozen encoder 0 MB, and for steps .* fewer rows"):
        trained(folder, task, training, tune="none", pooling=pooling)


@pytest.mark.parametrize("task", [chainrule.Classify, chainrule.MultiLabel, chainrule.Regress, chainrule.Tag])
def test_the_usual_recipe_is_that_of_every_task(folder, task):
    training = chainrule.Training(batch_size=32).resolved(learner(folder), task(), 32 * 100)
    assert training.optimizer == chainrule.AdamW(5e-5 * task.pace, weight_decay=0.01)
    assert (training.schedule.name, training.schedule.warmup, training.epochs) == ("linear", 0.1, 3)
    few = chainrule.Training(batch_size=32).resolved(learner(folder), task(), 32 * 10)
    assert few.epochs == 20  # of 10 steps each
    given = chainrule.Training(schedule="constant", optimizer="sgd").resolved(learner(folder), task(), 64)
    assert (given.schedule.name, given.optimizer.name) == ("constant", "sgd")


def test_lower_layers_learn_more_slowly(folder):
    model, examples = untrained(learner(folder, layer_decay=0.5))
    trainer = Trainer(model, TRAINING.resolved(model.learner, model.task, 64), examples, examples, seed=0)
    shares = {name: group.share for group in trainer.groups for name in group.names}
    assert shares["encoder.words.table"] == shares["encoder.norm.scale"] == 0.25
    assert shares["encoder.layers.0.inward.bias"] == 0.5
    assert shares["encoder.layers.1.inward.bias"] == shares["head.dense.weight"] == shares["head.output.bias"] == 1
    own = TRAINING.resolved(model.learner, model.task, 64)
    own = replace(own, groups=("encoder.layers.1=0.1x", "*.bias=weight_decay:0"))
    trainer = Trainer(model, own, examples, examples, seed=0)
    held = {name: group for group in trainer.groups for name in group.names}
    assert held["encoder.layers.1.inward.weight"].share == 0.1
    assert held["encoder.layers.0.inward.bias"].optimizer.weight_decay == 0
    assert held["encoder.layers.0.inward.weight"].optimizer.weight_decay == 0.01


def test_low_rank_changes_are_those_of_training(folder):
    """The model that is kept answers as the one in training did, and its matrices changed by the rank at most."""
    run = trained(folder, tune="low_rank", rank=2, dropout=0.0, training=LONG)
    assert run.best.valid["accuracy"] == run.model.evaluate(table_of("classify")).accuracy > 0.9
    for before, after in zip(read_model(folder).encoder.layers, run.model.network.encoder.layers, strict=True):
        change = after.inward.weight.numpy().astype(float) - before.inward.weight.numpy()
        assert np.linalg.svd(change)[1][:3] / np.linalg.svd(change)[1][0] == pytest.approx([1, 0.5, 0], abs=0.5)
        assert np.linalg.svd(change)[1][2] < 1e-5


@pytest.mark.parametrize("tune", ["all", "low_rank", "none"])
def test_the_same_seed_gives_the_same_bits(folder, tmp_path, tune):
    for name, threads in (("one", 1), ("two", 2)):
        trained(folder, tune=tune, folder=tmp_path / name, seed=3, threads=threads)
    assert weights(tmp_path / "one") == weights(tmp_path / "two")
    trained(folder, tune=tune, folder=tmp_path / "other", seed=4)
    assert weights(tmp_path / "one") != weights(tmp_path / "other")


def test_steps_on_both_engines_are_equal(folder):
    training = chainrule.Training(
        epochs=1, optimizer=chainrule.SGD(0.1), batch_size=16
    )  # Adam doubles what rounding does
    runs = [trained(folder, training=training, engine=engine) for engine in ("eager", "native")]
    for one, other in zip(*(run.model.network.parameters() for run in runs), strict=True):
        assert one.numpy() == pytest.approx(other.numpy(), abs=1e-5)


@pytest.mark.parametrize("tune", ["none", "low_rank"])
def test_a_training_that_was_killed_goes_on_to_the_same_bits(folder, tmp_path, monkeypatch, tune):
    class KilledError(BaseException):
        pass

    class Killing(Checkpointer):
        def batch_ended(self, trainer, batch, sums):
            if trainer.state.step == 13:
                self.write(trainer)
                raise KilledError

    trained(folder, tune=tune, folder=tmp_path / "whole")
    with monkeypatch.context() as patched:
        patched.setattr(checkpoint, "INTERVAL", 0.0)
        patched.setattr(checkpoint, "SHARE", math.inf)
        patched.setattr(FIT, "Checkpointer", Killing)
        with pytest.raises(KilledError):
            trained(folder, tune=tune, folder=tmp_path / "killed")
    run = trained(folder, tune=tune, folder=tmp_path / "killed", resume=True)
    assert weights(tmp_path / "killed") == weights(tmp_path / "whole")
    again = trained(folder, tune=tune, folder=tmp_path / "killed", resume=True)  # it has ended
    assert timeless(again.record)[0]["codec"] == timeless(run.record)[0]["codec"]


def test_the_record_tells_one_folder_from_another(folder, tmp_path):
    other = encoder_folder(tmp_path / "other", seed=7)
    assert fingerprint(other) != fingerprint(folder)
    run = trained(folder)
    assert run.record[0]["codec"]["encoder"] == fingerprint(folder)
    assert f"from {folder}: PretrainedEncoder(bert, 2 layers of 16); 5,378 of 5,378 weights are trained" in run.remarks


def test_texts_beyond_the_positions(folder):
    """They are refused, or cut where that is said, and counted."""
    texts = ["good " * 30, "bad " * 50, "a film", "bad " * 38]
    table = chainrule.Table.from_lists(texts * 2, ["p", "n", "p", "n"] * 2, name="rows")
    expected = (
        "rows: 2 of 8 texts have more pieces than the encoder reads, 40; shorten them, or have them cut: --truncate"
    )
    with pytest.raises(DataError, match=expected):
        untrained(learner(folder), table)
    for truncate, cut in ((40, 2), (32, 4), (5, 6)):
        task = chainrule.Classify(inputs=chainrule.Pieces(truncate=truncate))
        model, examples = untrained(learner(folder), table, task)
        assert examples.lengths.max() == truncate
        assert model.codec.inputs.remarks == (
            f"rows: {cut} of 8 texts have more than {truncate} pieces, and were cut (--truncate)",
        )
        ids = examples.fields["ids"]
        assert set(ids.ids[ids.offsets[1:] - 1].tolist()) == {ENDS[1]}
        assert len(model.predict(["good " * 100])) == 1
    with pytest.raises(DataError, match="texts: 1 of 1 texts have more pieces than the encoder reads, 40"):
        untrained(learner(folder))[0].predict(["good " * 100])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tune": "top:3"}, "pretrained: tune must be at most top:2, as the encoder has so many layers, got top:3"),
        ({"tune": "top:0"}, "pretrained: tune must be all, none, low_rank or top:N for the last N layers, got 'top:0'"),
        ({"tune": "most"}, "tune must be all, none, low_rank or top:N"),
        ({"layer_decay": 1.5}, "pretrained: layer_decay must be at most 1, got 1.5"),
        ({"layer_decay": 0}, "layer_decay must be a number above 0, got 0"),
        ({"rank": 0}, "rank must be a whole number of 1 or more, got 0"),
        ({"pooling": "sum"}, "pooling must be one of first, max"),
    ],
)
def test_settings_that_are_none(folder, settings, message):
    with pytest.raises(ConfigurationError, match=message):
        untrained(learner(folder, **settings))


def test_a_folder_that_is_missing_or_is_none(folder, tmp_path):
    with pytest.raises(ConfigurationError, match=r"the folder of the pretrained encoder is missing; add --from FOLDER"):
        untrained(PretrainedTransformer())
    with pytest.raises(ModelError, match="there is no such folder"):
        untrained(learner(tmp_path / "nothing"))
    for name in ("config.json", "model.safetensors", "vocab.txt"):
        broken = shutil.copytree(folder, tmp_path / name)
        (broken / name).unlink()
        with pytest.raises(ModelError, match=f"{'tokenizer.json' if name == 'vocab.txt' else name} is missing"):
            untrained(learner(broken))
    with pytest.raises(ConfigurationError, match="truncate must be at most 40, the positions of the encoder, got 41"):
        untrained(learner(folder), task=chainrule.Classify(inputs=chainrule.Pieces(truncate=41)))
    with pytest.raises(ConfigurationError, match="pretrained gives one answer a row and one answer a token"):
        untrained(learner(folder), task=chainrule.Continue())


def test_a_vocabulary_of_another_size(folder, tmp_path):
    broken = shutil.copytree(folder, tmp_path / "broken")
    (broken / "vocab.txt").write_text("\n".join([*PIECES, "more", "words"]) + "\n")
    with pytest.raises(ModelError, match="a tokenizer of 30 ids, and the encoder beside it has 28"):
        untrained(learner(broken))


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
def test_a_saved_model_without_one_of_its_files(folder, tmp_path, name):
    model, _ = untrained(learner(folder))
    model.save(tmp_path / "model")
    (tmp_path / "model" / name).unlink()
    with pytest.raises(ModelError, match=f"{name} is missing"):
        Model.load(tmp_path / "model")


def test_the_command_line_from_folder_to_answers(run, folder, tmp_path):
    """Trained, looked at, evaluated and asked."""
    texts, told = sentences(60)
    table = tmp_path / "reviews.csv"
    rows = [f'"{text}",{"neg pos".split()[good]}' for text, good in zip(texts, told, strict=True)]
    table.write_text("text,label\n" + "\n".join(rows) + "\n")
    long = tmp_path / "long.csv"
    long.write_text(f'text,label\n"{"so , " * 9}",pos\ngood,pos\n')
    words = ["train", table, "--learner", "pretrained", "--from", folder, "--out", tmp_path / "model", "--quiet"]
    words += ["--epochs", 8, "--lr", 0.01, "--batch-size", 8, "--truncate", 7, "--layer-decay", 0.9]
    found = run(*words)
    assert (found.code, found.error) == (0, "")
    assert float(found.out.splitlines()[0].rpartition(" ")[2]) > 0.9
    settings = (tmp_path / "model" / "settings.toml").read_text()
    for line in (f'folder = "{folder}"', "truncate = 7", "warmup = 0.1", 'name = "adamw"', 'name = "linear"'):
        assert line in settings
    answers = run("predict", tmp_path / "model", "so film , good", "a film , cold", "--json")
    assert [json.loads(line)["prediction"] for line in answers.out.splitlines()] == ["pos", "neg"]
    assert "accuracy" in run("evaluate", tmp_path / "model", table).out
    assert "MultiHeadAttention(16, 2 heads)" in run("summary", tmp_path / "model").out
    found = run("explain", tmp_path / "model", "so good films")
    shown = [line.split()[1] for line in found.out.splitlines()[1:7]]
    assert (found.code, shown) == (0, ["[CLS]", "so", "good", "film", "##s", "[SEP]"])
    for words in (
        ["predict", tmp_path / "model", "so , so , so , good", "good"],
        ["evaluate", tmp_path / "model", long],
    ):
        assert run(*words).error == "chainrule: 1 of 2 texts have more than 7 pieces, and were cut (--truncate)\n"


OTHERS = [{}, {"pooling": "mean"}, {"pooling": "last"}, {"tune": "low_rank"}, {"task": "tag"}]


@pytest.mark.parametrize("settings", OTHERS, ids=str)
def test_mini_batches_of_other_lengths_are_not_traced_anew(folder, settings):
    """Three traces serve all, as the number of tokens is no number in the equations."""
    settings = dict(settings)
    task = settings.pop("task", "classify")
    table, drawn = table_of(task), np.random.default_rng(5)
    texts, labels = table.texts.to_list(), table.labels.to_list()
    for row, times in enumerate(drawn.integers(1, 5, len(texts)).tolist()):
        words = texts[row] * times if task == "tag" else " ".join([texts[row]] * times)
        texts[row], labels[row] = words, labels[row] * times if task == "tag" else labels[row]
    model, examples = untrained(learner(folder, **settings), chainrule.Table.from_lists(texts, labels), TASKS[task][0])
    trainer = Trainer(model, TRAINING.resolved(model.learner, model.task, 64), examples, examples, seed=0)
    lengths = set()
    for batch in trainer.shuffled(examples, np.random.default_rng(0)):
        trainer.run_batch(batch)
        lengths.add(int(batch.lengths.sum()))
    assert len(lengths) > 5
    assert trainer.native_step.stats()["programs"] == 3
