"""Memory: what is promised of a training before it starts, and the refusal of one that does not fit."""

import re

import pytest

import chainrule
from chainrule import errors
from chainrule.models import LEARNERS, Model
from chainrule.train import memory
from chainrule.train.memory import Memory, free_memory, in_words, memory_of
from tests.samples import command_line, make_rows, write_rows

TEXTS = chainrule.Table.from_lists(["good fun", "so good", "so bad", "dull and bad"] * 30, list("ppnn") * 30)


@pytest.mark.parametrize("optimizer", ["adam", chainrule.SGD(0.1), chainrule.SGD(0.1, momentum=0.9)])
@pytest.mark.parametrize("learner", [chainrule.BagOfWords(), chainrule.FeedForward(dim=7, hidden=(5, 3))])
def test_weights_and_what_is_remembered_are_those_of_the_network(learner, optimizer):
    training = chainrule.Training(optimizer=optimizer)
    promised = []
    task = chainrule.Classify().resolved(learner.reads, learner.name)
    model, _ = Model.untrained(
        learner, task, TEXTS, seed=0, before=lambda *made: promised.append(memory_of(made[0], task, training, made[1]))
    )
    parameters = list(model.network.named_parameters().values())
    state = training.resolved(learner).optimizer.start(parameters)
    assert promised[0].weights == promised[0].best == sum(x.numpy().nbytes for x in parameters)
    assert promised[0].optimizer == sum(x.nbytes for x in state.arrays().values())
    assert promised[0].peak > promised[0].held > 2**24


def test_columns_have_tables_of_categories():
    learner = LEARNERS["mlp"]()
    assert "mlp" in str(learner.name)
    sizes = chainrule.data.layout.Sizes(outputs=3, entries=1000, features=4, cardinalities=(990, 10))
    task = chainrule.Classify().resolved(learner.reads, learner.name)
    found = memory_of(learner, task, chainrule.Training(), sizes)
    exact = sum(
        x.numpy().nbytes
        for x in learner.network(sizes, task.answers, chainrule.random.generator(0)).named_parameters().values()
    )
    assert found.weights == exact


def test_peak():
    assert Memory(held=5, before=100, weights=10, optimizer=20, best=10, beside=3).peak == 100
    assert Memory(held=80, before=100, weights=10, optimizer=20, best=10, beside=3).peak == 123
    assert [in_words(x) for x in (0, 17_400_000, 1_250_000_000)] == ["0 MB", "17 MB", "1.25 GB"]


def test_a_training_that_does_not_fit_is_refused(run, tmp_path, monkeypatch):
    path = write_rows(tmp_path / "texts.csv", make_rows(60))
    monkeypatch.setattr(memory, "free_memory", lambda: memory.BESIDE + 1000)
    result = run("train", path, "--out", tmp_path / "model", *command_line("ffnn"))
    assert result.code == 2
    assert re.search(r"takes 210 MB of memory more than is held now, and 210 MB are free; .*optimizer", result.error)
    assert result.error.strip().endswith("or smaller ones (--dim 100 --hidden 64)")
    fits = int(re.search(r"take at most (\d+) entries \(--max-vocabulary \1,", result.error)[1])
    assert sorted(file.name for file in tmp_path.iterdir()) == ["texts.csv"]
    assert run("train", path, "--dry-run", *command_line("ffnn")).code == 2
    assert fits > 1
    result = run("train", path, "--out", tmp_path / "model", "--learner", "bow", "--hashed-ngrams", 5000)
    assert re.search(
        r"take at most \d+ entries and rows of hashed n-grams together \(.*: 5,000\)$", result.error.strip()
    )
    monkeypatch.setattr(memory, "free_memory", lambda: 1000)
    with pytest.raises(errors.ConfigurationError, match="take a smaller network, or a machine with more memory"):
        chainrule.fit(chainrule.BagOfWords(), TEXTS)
    monkeypatch.setattr(memory, "free_memory", lambda: None)  # the system does not tell
    assert run("train", path, "--out", tmp_path / "model", *command_line("ffnn")).code == 0


def test_a_network_that_does_not_fit_whatever_the_table(run, tmp_path):
    path = write_rows(tmp_path / "texts.csv", make_rows(60))
    result = run("train", path, "--out", tmp_path / "model", "--learner", "ffnn", "--dim", 10**12)
    assert result.code == 2
    assert re.search(r"even with 2 entries the network takes more memory than is free \(.*--dim 100", result.error)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["texts.csv"]


def test_progress_and_dry_run_say_what_it_takes(run, tmp_path):
    path = write_rows(tmp_path / "texts.csv", make_rows(60))
    size = r"[\d.]+ [MG]B"
    expected = f"at most {size}: {size} so far, weights 0 MB, what the optimizer remembers 0 MB, best weights 0 MB"
    assert re.search(f"memory          {expected}", run("train", path, "--dry-run", *command_line("ffnn")).out)
    result = run("train", path, "--out", tmp_path / "model", *command_line("ffnn"))
    assert re.match(f"memory: {expected}", result.error)


def test_free_memory_is_the_least_that_machine_and_groups_leave(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "GROUPS", ())
    machine = free_memory()
    assert machine is None or machine > 2**20
    for name, text in (("max", "9000000"), ("now", "5000000"), ("memory.stat", "anon 7\nfiles 1000000\n")):
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(memory, "GROUPS", ((tmp_path, "max", "now", "files"),))
    assert free_memory() == 5_000_000
    (tmp_path / "max").write_text("max")  # a group without a limit
    assert free_memory() == pytest.approx(machine, rel=0.5)
