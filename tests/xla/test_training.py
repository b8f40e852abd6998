"""Trainings on three engines: the same losses, step by step."""

import functools
import importlib.metadata
import json
import pickle
import subprocess
import sys

import numpy as np
import pytest

import chainrule
from chainrule.array_file import ArrayFile
from chainrule.cli.main import main
from chainrule.errors import ConfigurationError
from chainrule.models import LEARNERS, Model
from chainrule.optim import SGD, Adam, AdamW
from chainrule.train import checkpoint
from chainrule.train.observer import Observer
from chainrule.train.trainer import Trainer
from chainrule.xla.compile import compile
from tests.samples import at_step, make_rows, write_rows

WORDS = [f"w{i}" for i in range(40)]


def texts(rows):
    """Texts of one length, and mini-batches whose sizes are not rounded up: a step is compiled once."""
    draws = np.random.default_rng(rows)
    found = [list(draws.choice(WORDS, 8, replace=False)) for _ in range(rows)]
    labels = ["high" if sum(int(word[1:]) for word in text) > 20 * len(text) else "low" for text in found]
    return chainrule.Table.from_lists([" ".join(text) for text in found], labels)


class Losses(Observer):
    """The loss of each mini-batch."""

    def __init__(self):
        self.losses = []

    def batch_ended(self, trainer, batch, sums):
        self.losses.append(sums["loss"] / sums["weight"])


SMALL = {
    "bow": {},
    "ffnn": {"dim": 4, "hidden": (3,)},
    "rnn": {"dim": 4, "size": 3, "bidirectional": False},
    "transformer": {"dim": 4, "heads": 2, "layers": 1},
}
#: Without n-grams, whose number is another one in each mini-batch.
TASK = chainrule.Classify(inputs=chainrule.Text(ngrams=1))
#: By a rule of few equations, which compile soon; Adam's are those of MANY_STEPS.
FEW_EQUATIONS = {"optimizer": SGD(0.1)}
#: 70 steps, of which the last ones bring rows that wait up to date in closed form.
MANY_STEPS = {"optimizer": Adam(0.01), "epochs": 35}


@functools.cache
def trained(learner, engine, number=0, **settings):
    """The losses of a training, and the run; the same one where it was asked for before, by the same number."""
    rows, observer = texts(16), Losses()
    training = chainrule.Training(**{"batch_size": 8, "epochs": 3, **settings})
    learner = LEARNERS[learner](**SMALL[learner])
    run = chainrule.fit(
        learner,
        rows,
        rows,
        task=TASK,
        training=training,
        seed=2,
        engine=engine,
        observers=[observer],
        diagnostics=False,
    )
    return observer.losses, run


@pytest.mark.parametrize("learner", list(SMALL))
def test_losses_are_those_of_the_other_engines(learner):
    settings = MANY_STEPS if learner == "ffnn" else FEW_EQUATIONS
    exact, eager = trained(learner, "eager", **settings)
    found, run = trained(learner, "xla", **settings)
    np.testing.assert_allclose(found, exact, rtol=2e-4)
    rows = texts(5).texts.to_list()
    expected = eager.model.predict_probabilities(rows, engine="eager")
    np.testing.assert_allclose(run.model.predict_probabilities(rows, engine="eager"), expected, atol=2e-4)


def test_a_checkpoint_is_read_where_rows_of_tables_are_behind(tmp_path, monkeypatch):
    """A step is traced before, as only then it is known what there is to be behind; nothing is compiled."""
    monkeypatch.setattr(checkpoint, "INTERVAL", 0.0)
    monkeypatch.setattr(checkpoint, "SHARE", np.inf)
    rows, learner = texts(16), LEARNERS["bow"]()
    given = {"task": TASK, "training": chainrule.Training(batch_size=4, optimizer=Adam(0.01)), "seed": 2}
    with monkeypatch.context() as patch:
        at_step(patch, 4, lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            chainrule.fit(learner, rows, rows, engine="native", folder=tmp_path / "m", diagnostics=False, **given)
    path = tmp_path / "m.partial" / "checkpoint.safetensors"
    model, examples = Model.untrained(learner, TASK.resolved(learner.reads, learner.name), rows, seed=2)
    trainer = Trainer(model, given["training"], examples, examples, seed=2, engine="xla")
    checkpoint.restore(trainer, path, checkpoint.read_content(path)["first_line"])
    (deferral,) = trainer.state.deferrals
    assert (trainer.state.step, deferral.behind, deferral.steps_since) == (3, True, 3)
    with ArrayFile(path) as file:
        for name, array in deferral.arrays().items():
            np.testing.assert_array_equal(array, file.read(f"pauses.0.{name}"), err_msg=name)


def test_two_tables_are_brought_up_to_date_by_the_same_terms():
    """After a hundred steps, in which most rows waited: each table by a program that reads what the other one reads."""
    found = []
    for engine in (chainrule.compile, compile):
        tables = [chainrule.Parameter.of(np.random.default_rng(seed).normal(size=(30, 3))) for seed in (1, 2)]
        rule = AdamW(0.01, weight_decay=0.1)
        state = rule.start(tables)

        def step(ids, tables=tables, rule=rule, state=state):
            loss = sum((chainrule.gather(table, ids) ** 2).sum() for table in tables)
            rule.step(tables, chainrule.gradients(loss, tables), state)
            return loss

        run = engine(step)
        for number in range(100):
            run(np.array([number % 3, 3]))
        found.append([table.numpy().copy() for table in tables])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)


def test_the_same_seed_gives_the_same_bits():
    (first, one), (second, other) = [trained("bow", "xla", number, **FEW_EQUATIONS) for number in range(2)]
    assert first == second
    for a, b in zip(one.model.network.parameters(), other.model.network.parameters(), strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_what_goes_to_the_device_is_counted_and_shown(tmp_path, capsys):
    table, folder = write_rows(tmp_path / "texts.csv", make_rows(20)), tmp_path / "model"
    words = ["--learner", "bow", "--engine", "xla", "--epochs", "1", "--batch-size", "16", "--quiet"]
    assert main(["train", str(table), "--out", str(folder), *words]) in (0, None)
    end = json.loads((folder / "record.jsonl").read_text().splitlines()[-1])
    sent, fetched = end["transfer"]["sent"], end["transfer"]["fetched"]
    assert sent > 0
    assert fetched > 0
    assert f"transfer        {sent:,} bytes to the device, {fetched:,} bytes from it\n" in capsys.readouterr().out


def test_products_of_bfloat16():
    few = {"optimizer": SGD(0.01)}  # so that what is rounded in a step does not grow in the next ones
    exact, _ = trained("ffnn", "eager", **few)
    found, run = trained("ffnn", "xla", precision="bfloat16", **few)
    assert found != exact
    np.testing.assert_allclose(found, exact, rtol=2e-2)
    assert {x.numpy().dtype.name for x in run.model.network.parameters()} == {"float32"}


@pytest.mark.parametrize("engine", ["native", "eager"])
def test_other_engines_have_no_bfloat16(engine):
    with pytest.raises(ConfigurationError, match="precision: 'bfloat16' is for --engine xla"):
        trained("bow", engine, precision="bfloat16")


def test_a_value_on_a_device_is_brought_back_by_who_reads_it():
    weight = chainrule.Parameter.of([1.0, 2.0], name="weight")
    step = compile(lambda x: [chainrule.assign(weight, weight * x), weight * 1][1:])
    assert step(2.0)[0].numpy().tolist() == [2.0, 4.0]
    assert weight.held is not None
    assert weight.copied().tolist() == [2.0, 4.0]
    assert weight.held is not None
    weight.value[0] = 7.0  # it may be written now
    assert weight.held is None
    assert step(1.0)[0].numpy().tolist() == [7.0, 4.0]
    assert pickle.loads(pickle.dumps(weight)).numpy().tolist() == [7.0, 4.0]


@pytest.mark.parametrize("missing", ["jax", "jax==0.1.0"])
def test_without_jax(missing, monkeypatch):
    def version(name):
        if missing == "jax":
            raise importlib.metadata.PackageNotFoundError(name)
        return "0.1.0"

    monkeypatch.setattr("importlib.metadata.version", version)
    with pytest.raises(ConfigurationError, match=r"pip install .*'chainrule\[xla\]'"):
        chainrule.engines.engine_named("xla").compile(lambda x: x)


def test_jax_is_not_loaded_before_it_is_needed():
    code = "import sys, chainrule, chainrule.cli.train; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
