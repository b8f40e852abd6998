"""chainrule train --help: the options of what is chosen, each with its default."""

import re
from dataclasses import replace

import pytest

from chainrule.models import LEARNERS
from chainrule.optim import OPTIMIZERS
from chainrule.train import Training
from tests.cli.kinds import CHOICES, KINDS, choosing, chosen, fitting, options


@pytest.fixture
def help_of(run):
    """The help of a command line of `train`, by the titles of its groups, each on one line."""

    def call(*words):
        result = run("train", *words, "--help")
        assert (result.code, result.error) == (0, "")
        assert result.out.startswith("usage: chainrule train ")
        groups = {}
        for part in result.out.split("\n\n")[1:]:
            title, _, content = part.partition("\n")
            groups[title.removesuffix(":")] = " ".join(content.split())
        return groups

    return call


def entry(group, option):
    """What a group says of an option."""
    found = re.search(rf"(?:^| ){option} (.*?)(?= --[a-z]|$)", group)
    assert found, f"{option} in: {group}"
    return found[1]


def test_groups_have_the_options_of_the_default(help_of):
    groups = help_of()
    assert list(groups)[2:10] == [
        "options", "reading the table", "task classify", "inputs of bow: text", "learner bow", "training",
        "optimizer sgd", "schedule linear",
    ]  # fmt: skip
    assert "--output" in groups["task classify"]
    assert "--ngrams" in groups["inputs of bow: text"]
    assert "--scale" in groups["learner bow"]
    assert "--batch-size" in groups["training"]
    assert "--momentum" in groups["optimizer sgd"]
    assert "--warmup" in groups["schedule linear"]
    assert "chainrule train reviews.csv --out model" in groups["examples"]


@pytest.mark.parametrize("names", CHOICES, ids="-".join)
def test_help_shows_what_is_chosen_with_its_defaults(help_of, names):
    """Each setting in the group of its kind and in no other, and no setting of anything else."""
    task, learner, optimizer = names
    groups = help_of(*choosing(*names))
    del groups["examples"]
    kinds = chosen(*names)
    titles = [
        f"task {task}", f"inputs of {learner}: {kinds[1].name}", f"learner {learner}", "training",
        f"optimizer {optimizer}", f"schedule {LEARNERS[learner].schedule_for(optimizer)}",
    ]  # fmt: skip
    training = Training(optimizer=optimizer, batch_size=None).resolved(LEARNERS[learner]())
    training = replace(training, batch_size=Training().batch_size)
    defaults = {Training: training, OPTIMIZERS[optimizer]: training.optimizer, kinds[5]: training.schedule}
    for title, kind in zip(titles, kinds, strict=True):
        assert (title in groups) == bool(options(kind))
        for x in options(kind):
            said = entry(groups[title], x.option)
            assert x.help in said
            default = getattr(defaults[kind], x.name) if kind in defaults else x.default
            if x.switch:
                assert said == (x.help if not x.default else f"turns off: {x.help}")
            else:
                assert said.endswith(f"(default: {x.text(default) or 'none'})")
                assert said.startswith(f"{x.metavar} ")
            for choice in x.declaration.choices or ():
                assert choice in said
            assert [name for name, group in groups.items() if re.search(rf"(^| ){x.option} ", group)] == [title]
    all_options = {x.option for kind in KINDS for x in options(kind)}
    own = {x.option for kind in kinds for x in options(kind)}
    everything = " ".join(groups.values())
    assert {option for option in all_options if re.search(rf"(^| |\[){option}[ \]]", everything)} == own


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_setting_of_every_kind_is_in_some_help(help_of, kind):
    groups = help_of(*fitting(kind))
    for x in options(kind):
        assert any(x.help in group and f"{x.option} " in group for group in groups.values())


def test_the_baseline_has_no_options_of_the_network(help_of):
    groups = help_of("--learner", "bow")
    assert re.findall("--[a-z-]+", groups["learner bow"]) == ["--scale"]
    assert "--dim" not in " ".join(content for title, content in groups.items() if title != "examples")
    assert "(here: bow)" in groups["options"]


def test_the_learning_rate_is_that_of_learner_and_optimizer(help_of):
    def rate(*words):
        return entry(help_of(*words)["training"], "--lr")

    assert rate("--learner", "bow").endswith("(default: 1.0)")
    assert rate("--model=bow").endswith("(default: 1.0)")
    assert rate("--learner", "ffnn", "--optimizer", "adam").endswith("(default: 0.0001)")
    assert rate("--learner", "bow", "--optimizer=adam").endswith("(default: 0.003)")


def test_the_settings_file_chooses_what_help_shows(help_of, refused, tmp_path):
    path = tmp_path / "settings.toml"
    path.write_text('[task]\nname = "regress"\n[learner]\nname = "linear"\n[training.optimizer]\nname = "sgd"\n')
    assert {"task regress", "inputs of linear: columns", "optimizer sgd"} <= set(help_of("--config", path))
    assert {"task regress", "learner mlp"} <= set(help_of("--config", path, "--learner", "mlp"))
    message = refused("train", "--config", tmp_path / "missing.toml", "--help")
    assert message.endswith("missing.toml: cannot be read: No such file or directory")


@pytest.mark.parametrize(
    "words", [["--learner", "svm"], ["--task", "regres"], ["--optimizer", "newton"], ["--schedule", "x"]]
)
def test_help_of_what_there_is_not_is_refused(refused, words):
    """And not the help of the default, with the default's options."""
    assert f"there is no {words[0][2:]} {words[1]!r}" in refused("train", *words, "--help")


def test_help_of_the_command_line_names_all_commands(run):
    result = run("--help")
    assert result.code == 0
    for command in (
        "train",
        "evaluate",
        "predict",
        "summary",
        "draw",
        "learners",
        "tasks",
        "optimizers",
        "schedules",
        "schedule",
    ):
        assert f"\n    {command} " in result.out.replace("\n              ", " ")


@pytest.mark.parametrize(
    ("words", "argument"),
    [
        (["train", "", "--out", "x"], "TABLE"),
        (["train", "t.csv", "--out", ""], "--out"),
        (["evaluate", "", "t.csv"], "MODEL"),
        (["evaluate", "model", ""], "TABLE"),
        (["predict", "", "a text"], "MODEL"),
        (["predict", "model", "--file", ""], "--file"),
        (["predict", "model", "a text", "--out", ""], "--out"),
        (["summary", ""], "MODEL"),
    ],
)
def test_empty_names(refused, words, argument):
    assert refused(*words).endswith(f"error: {argument} is empty; give the name of a file or folder")
