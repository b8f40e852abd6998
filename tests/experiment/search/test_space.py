"""Spaces: names of settings, what is drawn for which kinds, what is fixed, and what is refused."""

import re
from dataclasses import dataclass

import pytest

import chainrule
from chainrule.errors import ConfigurationError
from chainrule.experiment.search.domain import Choices, Range
from chainrule.experiment.search.place import Place
from chainrule.experiment.search.space import Space, Written, identity
from chainrule.models import LEARNERS
from chainrule.settings import setting


def first(dimension):
    listed = dimension.domain.listed()
    return dimension.domain.low if listed is None else listed[0]


def last(dimension):
    listed = dimension.domain.listed()
    return dimension.domain.high if listed is None else listed[-1]


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("hidden", "learner.hidden"),
        ("learner.hidden", "learner.hidden"),
        ("lr", "training.learning_rate"),
        ("learning_rate", "training.learning_rate"),
        ("training.learning_rate", "training.learning_rate"),
        ("batch-size", "training.batch_size"),
        ("ngrams", "task.inputs.ngrams"),
        ("task.inputs.ngrams", "task.inputs.ngrams"),
        ("momentum", "training.optimizer.momentum"),
        ("training.optimizer.momentum", "training.optimizer.momentum"),
        ("label_smoothing", "task.label_smoothing"),
        ("warmup", "training.schedule.warmup"),
    ],
)
def test_a_setting_is_called_by_its_path_its_name_or_its_option(name, path):
    values = {"learner.hidden": [[3], [4]], "training.batch_size": [8, 16], "task.inputs.ngrams": [1, 2]}
    space = Space({name: values.get(path, [0.1, 0.2])}, {"learner": "ffnn", "optimizer": "sgd", "schedule": "linear"})
    assert [dimension.path for dimension in space.dimensions] == [path]


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("learner", "learner"), ("model", "learner"), ("learner.name", "learner"), ("optimizer", "training.optimizer"),
        ("training.optimizer", "training.optimizer"), ("training.optimizer.name", "training.optimizer"),
        ("schedule", "training.schedule"),
    ],
)  # fmt: skip
def test_kinds_vary_too(name, path):
    names = {"learner": ["bow", "ffnn"], "training.optimizer": ["sgd", "adam"]}.get(path, ["constant", "linear"])
    (dimension,) = Space({name: names}).dimensions
    assert (dimension.path, dimension.domain) == (path, Choices(tuple(names)))


def test_what_a_kind_lacks_is_not_drawn_for_it():
    space = Space({
        "momentum": [0.0, 0.9], "dropout": [0.1, 0.2], "optimizer": ["sgd", "adam"], "learner": ["bow", "ffnn"]
    })  # fmt: skip

    def drawn(learner, rule):
        return set(space.walk(lambda x: {"learner": learner, "training.optimizer": rule}.get(x.path, 0)))

    found = [drawn(learner, rule) for learner in ("bow", "ffnn") for rule in ("sgd", "adam")]
    kinds, momentum, dropout = {"learner", "training.optimizer"}, "training.optimizer.momentum", "learner.dropout"
    assert found == [kinds | {momentum}, kinds, kinds | {momentum, dropout}, kinds | {dropout}]


def test_values_for_some_learners_or_optimizers_alone():
    space = Space({
        "learner": ["bow", "ffnn"], "optimizer": ["sgd", "adam"],
        "lr@sgd": Range(0.1, 1), "lr@adam": Range(0.001, 0.01), "epochs@bow": [3, 4], "l2@bow,ffnn": [0.0, 0.1],
    })  # fmt: skip
    task, learner, training = space.configuration(space.walk(first))
    assert (learner.name, training.optimizer.name, training.learning_rate, training.epochs) == ("bow", "sgd", 0.1, 3)
    task, learner, training = space.configuration(space.walk(last))
    assert (learner.name, training.optimizer.name, training.learning_rate) == ("ffnn", "adam", 0.01)
    assert (training.epochs, training.l2) == (None, 0.1)
    assert isinstance(task, chainrule.Classify)


def test_configurations_are_those_of_the_command_line():
    """Defaults suit the learner, as without a search; fixed settings go to those that have them."""
    fixed = {"learner": {"dropout": 0.4}, "training": {"epochs": 7, "optimizer": {"momentum": 0.5}}}
    space = Space({"learner": ["bow", "ffnn"], "ngrams": [1]}, fixed)
    for choose, kind in ((first, chainrule.BagOfWords()), (last, chainrule.FeedForward(dropout=0.4))):
        task, learner, training = space.configuration(space.walk(choose))
        assert learner == kind
        assert task.inputs == chainrule.Text(ngrams=1)
        suited = chainrule.Training(epochs=7).resolved(kind, task)
        assert training.learning_rate == suited.learning_rate
        assert training.optimizer == chainrule.SGD(suited.learning_rate, momentum=0.5)
        assert training.resolved(kind, task).schedule == suited.schedule


def test_a_loss_that_varies_decides_the_optimizer():
    """Rates of SGD are tuned for losses whose gradient has a scale of its own."""
    space = Space({"loss": ["cross_entropy", "focal:gamma=3"], "momentum": [0.5]}, {"learner": "ffnn"})
    kinds = {x.name for reached in space.reachable for x in [reached["training.optimizer"]]}
    losses = {space.configuration(space.walk(x))[2].optimizer.name for x in (first, last)}
    assert kinds == losses


def test_tables_of_a_settings_file_and_names_are_the_same():
    nested = Space(
        {"training": {"learning_rate": {"low": 0.1, "high": 1.0}, "optimizer": {"momentum": [0.1]}}},
        {"learner": {"name": "ffnn", "dim": 5}, "task": {"inputs": {"ngrams": 1}}},
    )
    named = Space({"lr": Range(0.1, 1.0), "momentum": [0.1]}, {"learner": "ffnn", "dim": 5, "ngrams": 1})
    assert nested.content() == named.content()
    assert nested.fixed_content() == named.fixed_content()
    assert identity(nested.configuration(nested.walk(first))) == identity(named.configuration(named.walk(first)))


def test_content_makes_the_same_space():
    space = Space(
        {
            "learner": ["bow", "ffnn"], "hidden": [[], [4, 3]], "lr@bow": Range(0.1, 1, scale="log", count=3),
            "batch_size": ["all", 8], "vectors": ["none"],
        },
        {"patience": "none", "hashed_ngrams": "none", "task": {"class_weights": ["balanced"]}},
    )  # fmt: skip
    again = Space(space.content(), space.fixed_content())
    assert again.content() == space.content()
    assert again.fixed_content() == space.fixed_content()
    assert [x.domain for x in again.dimensions] == [x.domain for x in space.dimensions]
    assert space.content()["training.batch_size"] == ["all", 8]
    assert space.configuration(space.walk(first))[2].batch_size is None


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("1e-4..1e-1:log", Range(1e-4, 1e-1, scale="log")),
        ("0.5..1", Range(0.5, 1.0)),
        (".5..1.0:3", Range(0.5, 1.0, count=3)),
        ("1e-3..1e3:log:7", Range(1e-3, 1e3, scale="log", count=7)),
        ("1e-3..1e3:7:log", Range(1e-3, 1e3, scale="log", count=7)),
        ("0.1,0.2", Choices((0.1, 0.2))),
        ("0.1,auto,none", Choices((0.1, "auto", None))),
    ],
)
def test_what_the_command_line_writes(text, domain):
    (dimension,) = Space({"lr": Written(text)}).dimensions
    assert dimension.domain == domain


def test_what_the_command_line_writes_of_other_types():
    space = Space(
        {
            "hidden": Written("64,128|64"), "activation": Written("relu,hard_tanh:low=-2,high=2,elu"),
            "mixup": Written("true,false"), "epochs": Written("2..4"), "learner": Written("ffnn,mlp"),
        },
        {"dropout": Written("0.3")},
    )  # fmt: skip
    found = {x.path: x.domain.listed() for x in space.dimensions}
    assert found == {
        "learner": ("ffnn", "mlp"), "learner.hidden": ((64,), (128, 64)), "training.epochs": (2, 3, 4),
        "learner.activation": ("relu", "hard_tanh:low=-2.0,high=2.0", "elu"), "learner.mixup": (True, False),
    }  # fmt: skip
    assert space.fixed == {("learner", "dropout"): 0.3}


REFUSED = [
    ({"hiden": [[3]]}, {"learner": "ffnn"}, "space.hiden: no setting is called 'hiden'; did you mean 'hidden'?"),
    ({"hiden": [[3]]}, {}, "space.hiden: no setting is called 'hiden'; did you mean 'hidden'?"),
    ({"hidden": [[3]]}, {}, "space.hidden: hidden belongs to learner ffnn, mlp; here the learner is bow"),
    ({"wait": [3]}, {}, "wait belongs to schedule plateau; here the schedule is linear"),
    ({"learner.hiden": [[3]]}, {"learner": "ffnn"}, "learner ffnn has no setting 'hiden'; did you mean 'hidden'?"),
    ({"training.optimizer.q": [3]}, {}, "optimizer sgd has no setting 'q'; it has lazy, momentum, nesterov"),
    ({"train.epochs": [3]}, {}, "there is no section 'train' of settings; did you mean 'training'?"),
    ({"a.b": [3]}, {}, "there is no section 'a' of settings; expected task, task.inputs, learner, training"),
    ({"learner": ["bow", "fnn"]}, {}, "space.learner: there is no learner 'fnn'; did you mean 'ffnn' or 'rnn'?"),
    ({"learner": Range(0, 1)}, {}, "space.learner: expected names such as ['bow', 'cnn'], got a range"),
    ({"learner": []}, {}, "space.learner: there is nothing to choose from"),
    ({"learner": "bow"}, {}, "space.learner: expected choices such as"),
    ({"task": ["classify"]}, {}, "space.task: a study is about one task, which does not vary"),
    ({"task.inputs": ["text"]}, {}, "a study is about one task.inputs, which does not vary"),
    ({"learner": ["bow"]}, {"learner": "ffnn"}, "space.learner: learner.name is fixed, as 'ffnn', and varies"),
    ({"epochs": [3]}, {"epochs": 4}, "space.epochs: training.epochs is fixed, as 4, and varies; leave one of them out"),
    ({"epochs": [3], "training.epochs": [4]}, {}, "training.epochs has values for bow with sgd already; leave one of"),
    ({"lr": [3], "lr@sgd": [4]}, {}, "training.learning_rate has values for bow with sgd already"),
    ({"lr@bow": [3], "lr@sgd": [4]}, {}, "training.learning_rate@bow has values for bow with sgd already"),
    ({"lr@adam": [3]}, {}, "'adam' is no learner and no optimizer of this study; there is bow, sgd"),
    ({"lr@sdg": [3]}, {}, "'sdg' is no learner and no optimizer of this study; did you mean 'sgd'?"),
    ({"learner": ["bow", "ffnn"], "hidden@bow": [[3]]}, {}, "space.hidden@bow: bow has no setting hidden"),
    ({"epochs": []}, {}, "space.epochs: there is nothing to choose from"),
    ({"epochs": [0, 3]}, {}, "space.epochs: must be a whole number of 1 or more or none, got 0"),
    ({"epochs": {"low": 0, "high": 3}}, {}, "space.epochs: must be a whole number of 1 or more or none, got 0"),
    ({"epochs": {"low": 1.5, "high": 3}}, {}, "space.epochs: must be a whole number of 1 or more or none, got 1.5"),
    ({"epochs": {"low": 3, "high": 1}}, {}, "space.epochs: low must be below high, got low 3 and high 1"),
    ({"epochs": [3, 3.0]}, {}, "3.0 is listed twice"),
    ({"proximal": Range(0, 1)}, {}, "space.proximal: proximal is True or False, and no range of numbers; list choices"),
    ({"hidden": Range(0, 1)}, {"learner": "mlp"}, "space.hidden: hidden is a list, and no range of numbers"),
    ({"hidden": Written("1..4")}, {"learner": "mlp"}, "hidden is a list, and no range of numbers"),
    ({"lr": Written("0..1:log:log")}, {}, "0..1:log:log says its scale twice; say it once"),
    ({"lr": Written("")}, {}, "space.lr: there is nothing to choose from"),
    ({"lr": Written("1e-3..x")}, {}, "space.lr: must be a number above 0 or 'auto' or none, got '1e-3..x'"),
    ({"lr": [0.1]}, {"dropout": 0.1}, "dropout: dropout belongs to learner cnn"),
    ({"lr": [0.1]}, {"learner": {"name": "ffnn", "dropout": 2}}, "learner.dropout: must be a number of 0 or more"),
    ({"lr": [0.1]}, {"learner": {"name": "fnn"}}, "learner.name: there is no learner 'fnn'; did you mean 'ffnn'"),
    ({"lr": [0.1]}, {"task": "tag", "learner": "bow"}, "learner.name: bow gives one answer a row, and tag needs one a"),
    ({"learner": ["lstm", "bow"]}, {"task": "tag"}, "space.learner: bow gives one answer a row, and tag needs one a"),
    ({"lr": [0.1]}, {"learner": "linear", "task": {"inputs": {"name": "text"}}},
     "task.inputs.name: the learner linear reads columns, not text"),
]  # fmt: skip


@pytest.mark.parametrize(("vary", "fixed", "message"), REFUSED)
def test_what_is_no_space(vary, fixed, message):
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        Space(vary, fixed)


@dataclass(frozen=True, kw_only=True)
class Mine(chainrule.BagOfWords):
    """A learner of one's own with a setting that is called as one of the inputs."""

    name = "mine"
    ngrams: int = setting(1, "of its own", least=1)


def test_a_name_that_several_have_is_to_be_written_whole(monkeypatch):
    monkeypatch.setitem(LEARNERS, "mine", Mine)
    with pytest.raises(
        ConfigurationError, match=r"ngrams is a setting of several: write task\.inputs\.ngrams or learner\.n"
    ):
        Space({"ngrams": [1, 2]}, {"learner": "mine"})
    assert Space({"learner.ngrams": [1, 2]}, {"learner": "mine"}).dimensions[0].section == "learner"
    assert Space({"ngrams": [1, 2]}, {"learner": "bow"}).dimensions[0].section == "task.inputs"


def test_faults_have_the_line_or_the_option(tmp_path):
    file = tmp_path / "study.toml"
    file.write_text('[space]\nlearner = ["bow"]\n"lr@sgd" = [-1.0]\n[training]\nepochs = 0\n', encoding="utf-8")
    vary, fixed = {"learner": ["bow"], "lr@sgd": [-1.0]}, {"training": {"epochs": 0}}
    with pytest.raises(ConfigurationError, match=r"study\.toml, line 5: training\.epochs: must be a whole number"):
        Space(vary, fixed, place=Place(str(file)))
    with pytest.raises(ConfigurationError, match=r"study\.toml, line 3: space\.lr@sgd: must be a number above 0"):
        Space(vary, {}, place=Place(str(file)))
    with pytest.raises(ConfigurationError, match=r"^--vary lr@sgd: must be a number above 0"):
        Space(vary, {}, place=Place(str(file), {"space.lr@sgd": "--vary lr@sgd"}))


def test_settings_that_do_not_go_together():
    space = Space({"proximal": [True], "l1": [0.0, 0.1]})
    with pytest.raises(ConfigurationError, match="needs an l1 above 0"):
        space.configuration(space.walk(first))
    assert space.configuration(space.walk(last))[2].proximal
    space = Space({"optimizer": ["lbfgs"], "batch_size": [8, "all"]}, {"learner": "ffnn"})
    with pytest.raises(ConfigurationError, match="batch_size must be all"):
        space.configuration(space.walk(first))
