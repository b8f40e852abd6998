"""Learners, tasks and optimizers by name: lists of them, near names for wrong ones, and options that agree."""

from collections import Counter, defaultdict
from itertools import combinations

import pytest

from chainrule.cli.main import make_parser
from chainrule.data.layout import ROW
from chainrule.models import LEARNERS
from chainrule.nn import ACTIVATIONS, INITIALIZERS, LOSSES
from chainrule.optim import OPTIMIZERS, SCHEDULES
from chainrule.tasks import TASKS, Units
from tests.cli.kinds import CHOICES, EVERY_PAIR, KINDS, choosing, chosen, options
from tests.samples import make_rows, write_rows

REGISTRIES = {
    "learners": LEARNERS, "tasks": TASKS, "optimizers": OPTIMIZERS, "schedules": SCHEDULES, "activations": ACTIVATIONS,
    "losses": LOSSES, "initializers": INITIALIZERS,
}  # fmt: skip


@pytest.mark.parametrize("command", REGISTRIES)
def test_a_list_has_a_line_for_each(run, command):
    result = run(command)
    assert (result.code, result.error) == (0, "")
    lines = result.out.splitlines()
    kinds = REGISTRIES[command]
    assert [line.split()[0] for line in lines] == list(kinds)
    for line, kind in zip(lines, kinds.values(), strict=True):
        assert line.endswith(kind.__doc__.splitlines()[0])
        assert line.endswith(".")
        assert len(line) <= 120


@pytest.mark.parametrize("command", REGISTRIES)
def test_a_list_has_help_and_takes_nothing_else(run, refused, command):
    result = run(command, "--help")
    assert result.code == 0
    assert result.out.startswith(f"usage: chainrule {command} ")
    assert "unrecognized arguments: extra" in refused(command, "extra")


# Near names


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--learner", "linaer"], "--learner: there is no learner 'linaer'; did you mean 'linear'?"),
        (["--model", "fnn"], "there is no learner 'fnn'; did you mean 'ffnn' or 'rnn'?"),
        (["--task", "clasify"], "--task: there is no task 'clasify'; did you mean 'classify'?"),
        (["--task", "multilabel"], "--task: there is no task 'multilabel'; did you mean 'multi-label'?"),
        (["--optimizer", "adm"], "--optimizer: there is no optimizer 'adm'; did you mean 'adam' or 'radam'?"),
        (["--engine", "natve"], "there is no engine 'natve'; did you mean 'native'?"),
        (
            ["--output", "sigmod"],
            "--output must be one of softmax, sigmoid, tanh, got 'sigmod'; did you mean 'sigmoid'?",
        ),
        (["--learner", "ffnn", "--activation", "rellu"], "got 'rellu'; did you mean 'relu' or 'relu6'?"),
        (["--learner", "mlp", "--initializer", "he_norml"], "got 'he_norml'; did you mean 'he_normal'"),
        (["--bach-size", "3"], "unrecognized arguments: --bach-size 3; did you mean '--batch-size'?"),
        (["--bach-size=3"], "unrecognized arguments: --bach-size=3; did you mean '--batch-size'?"),
        (["--keep-cse"], "unrecognized arguments: --keep-cse; did you mean '--keep-case'"),
        (["--lable", "stars"], "unrecognized arguments: --lable stars; did you mean '--label'"),
        (["--learner", "mlp", "--mising", "mean"], "--mising mean; did you mean '--missing'?"),
        (["--optimizer", "sgd", "--momentun", "0.5"], "--momentun 0.5; did you mean '--momentum'?"),
        (["--optimizer", "adamw", "--weight-decy", "0.1"], "--weight-decy 0.1; did you mean '--weight-decay' or"),
        (["--task", "multi-label", "--threshhold", "0.3"], "--threshhold 0.3; did you mean '--threshold'?"),
    ],
)
def test_a_misspelt_name_is_told_the_near_ones(refused, csv_file, tmp_path, words, message):
    found = refused("train", csv_file, "--out", tmp_path / "model", *words)
    assert message in found
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("words", [["--colour", "red"], ["--lrx", "3"]])
def test_a_far_name_is_told_no_other(refused, csv_file, words):
    """The dashes that all options begin with make none of them near."""
    message = refused("train", csv_file, "--out", "model", *words)
    assert message.startswith(f"chainrule: error: unrecognized arguments: {' '.join(words)}")
    assert "'--out'" not in message


def test_other_commands_tell_near_names_too(refused, saved, csv_file):
    assert "--jsno; did you mean '--json'?" in refused("evaluate", saved["bow"], csv_file, "--jsno")
    assert "--jsno; did you mean '--json'?" in refused("predict", saved["bow"], "good", "--jsno")
    assert "there is no engine 'eagre'; did you mean 'eager'?" in refused(
        "evaluate", saved["bow"], csv_file, "--engine", "eagre"
    )
    assert "invalid choice: 'learner'" in refused("learner")


@pytest.mark.parametrize("names", CHOICES, ids="-".join)
def test_an_option_of_another_kind_says_to_which_it_belongs(refused, csv_file, names):
    """A third of the options that what is chosen does not have, another one for each choice."""
    own = {x.option for kind in chosen(*names) for x in options(kind)}
    if LEARNERS[names[1]].reads in Units.layouts:
        own.add("--unit")  # it chooses the inputs that have it
    registries = {"--task": TASKS, "--learner": LEARNERS, "--optimizer": OPTIMIZERS, "--schedule": SCHEDULES}
    belongs = defaultdict(lambda: defaultdict(set))
    for other in EVERY_PAIR:
        for kind in chosen(*other):
            chooser, name = chooser_of(kind, other)
            for x in options(kind):
                belongs[x.option][chooser].add(name)
    for chooser, registry in registries.items():
        for name, kind in registry.items():
            for x in options(kind):
                belongs[x.option][chooser].add(name)
    for option, places in list(belongs.items())[CHOICES.index(names) % 3 :: 3]:
        if option in own:
            continue
        message = refused("train", csv_file, "--out", "model", *choosing(*names), f"{option}=1")
        ((chooser, held),) = places.items()
        assert message.endswith(
            f"unrecognized arguments: {option}=1; {option} belongs to {chooser} "
            f"{' or '.join(name for name in registries[chooser] if name in held)}"
        )


def chooser_of(kind, names):
    """The option that chooses a kind, and what it is given."""
    task, learner, optimizer = names
    if kind is TASKS[task]:
        return "--task", task
    if kind is OPTIMIZERS[optimizer]:
        return "--optimizer", optimizer
    if kind in SCHEDULES.values():
        return "--schedule", kind.name
    return "--learner", learner


# Options agree


def test_a_field_of_the_same_name_means_the_same_in_every_kind():
    meanings = defaultdict(list)
    for kind in KINDS:
        for x in kind.declared():
            meanings[x.name].append((kind, x))
    assert len(meanings["dim"]) > 1
    for held in meanings.values():
        for (one, x), (other, y) in combinations(held, 2):
            turned = x.switch and x.default != y.default  # then one option turns on what the other turns off
            assert x.help.split(";")[0] == y.help.split(";")[0], f"help of {x.name} in {one} and {other}"
            for what in ("type", "listed", "metavar", *([] if turned else ["option"])):
                assert getattr(x, what) == getattr(y, what), f"{what} of {x.name} in {one} and {other}"
            # Each task has losses of its own, and each kind of inputs units.
            same = (x.declaration.spelled, x.declaration.choices) == (y.declaration.spelled, y.declaration.choices)
            assert x.range().removesuffix(" or None") == y.range().removesuffix(" or None") or not same, (
                f"{x.name} in {one} and {other}"
            )


def test_an_option_stands_for_fields_of_one_name():
    names = defaultdict(set)
    for kind in KINDS:
        for x in options(kind):
            names[x.option].add(x.name)
    assert {option: held for option, held in names.items() if len(held) > 1} == {}


@pytest.mark.parametrize("names", CHOICES, ids="-".join)
def test_no_two_settings_that_meet_share_an_option(names):
    """Nor does a setting have the option of something else, such as the table's."""
    words = ["train", *choosing(*names)]
    parser = next(iter(make_parser(words)._subparsers._group_actions[0].choices.items()))[1]
    counts = Counter(option for action in parser._actions for option in action.option_strings)
    assert set(counts.values()) == {1}
    settings = Counter(x.option for kind in chosen(*names) for x in options(kind))
    assert set(settings.values()) == {1}
    assert settings.keys() <= counts.keys()
    assert not settings.keys() & {
        action.option_strings[0] for action in parser._actions if action.option_strings and ":" not in action.dest
    }
    destinations = Counter(action.dest for action in parser._actions if action.dest not in ("engine", "help"))
    assert set(destinations.values()) == {1}


def test_settings_have_a_help_without_a_full_stop():
    for kind in KINDS:
        for x in kind.declared():
            assert x.help
            assert not x.help.endswith(".")
            assert x.option.startswith("--")


def test_every_default_is_a_value_that_may_be_given():
    for kind in KINDS:
        for x in options(kind):
            assert x.parsed(kind.name, x.text(x.default)) == x.default


def test_what_is_tuned_are_settings_of_the_optimizer():
    for learner in LEARNERS.values():
        assert {"adam", "adamw", "sgd"} <= set(learner.tuned) <= set(OPTIMIZERS)
        for optimizer, tuned in learner.tuned.items():
            names = {x.name for x in OPTIMIZERS[optimizer].declared()}
            assert "learning_rate" in tuned
            assert tuned.keys() - {"learning_rate"} <= names


# A task that a learner cannot do


@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
def test_a_task_that_the_learner_cannot_do(refused, csv_file, tmp_path, monkeypatch, dry):
    monkeypatch.setattr(LEARNERS["bow"], "gives", frozenset({"token"}))
    words = ["train", csv_file, "--out", tmp_path / "model", *dry]
    message = refused(*words, "--learner", "bow")
    others = " or ".join(name for name in LEARNERS if ROW in LEARNERS[name].gives)
    assert message == f"chainrule: error: bow gives one answer a token, and classify needs one a row: use {others}"
    assert not (tmp_path / "model").exists()


def test_a_task_that_no_learner_can_do(refused, csv_file, tmp_path, monkeypatch):
    monkeypatch.setattr(TASKS["classify"], "answers", "sequence")
    message = refused("train", csv_file, "--out", tmp_path / "model", "--learner", "bow")
    assert "classify needs one a sequence: no learner gives them" in message


def test_a_learner_of_texts_is_told_of_those_of_columns(refused, tmp_path):
    path = write_rows(tmp_path / "rows.csv", make_rows(20), columns=("a", "label"))
    message = refused("train", path, "--out", tmp_path / "model", "--learner", "bow", "--numbers", "a")
    assert message.endswith("unrecognized arguments: --numbers a; --numbers belongs to --learner linear or mlp")
