"""What crosses from one process to another: models, settings and errors."""

import copy
import importlib
import multiprocessing
import os
import pickle
import pkgutil
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest

import chainrule
from chainrule.errors import ChainruleError, DivergenceError
from chainrule.models import Model
from chainrule.settings import SettingError, Settings
from tests import samples
from tests.models.elsewhere import predict, train
from tests.models.failing import fail, raised
from tests.samples import LEARNERS


def everything():
    """All modules of the package."""
    names = [module.name for module in pkgutil.walk_packages(chainrule.__path__, "chainrule.")]
    return [importlib.import_module(name) for name in names if not name.endswith("__main__")]


def below(kind):
    """A class and all that derive from it."""
    return {kind}.union(*map(below, kind.__subclasses__()))


#: Every class of errors of the package, private ones and those that are no `ChainruleError` included.
MODULES = everything()
ERRORS = {kind for kind in below(ChainruleError) if kind.__module__.startswith("chainrule.")} | {
    kind
    for module in MODULES
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, BaseException) and kind.__module__.startswith("chainrule.")
}
ERRORS = sorted(ERRORS, key=lambda kind: f"{kind.__module__}.{kind.__qualname__}")


def test_the_walk_finds_errors_of_every_kind():
    names = {kind.__name__ for kind in ERRORS}
    assert {"ChainruleError", "DataError", "SettingError", "DivergenceError", "StorageError"} <= names
    assert SettingError in ERRORS
    assert len(MODULES) > 100


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__qualname__)
@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])
def test_errors_survive_with_message_and_attributes(kind, duplicate):
    error = raised(kind)
    again = duplicate(error)
    assert type(again) is kind
    assert str(again) == str(error) != ""
    assert again.args == error.args
    assert vars(again) == vars(error)
    assert isinstance(again, ChainruleError) == issubclass(kind, ChainruleError)


def test_a_setting_error_says_which_setting():
    with pytest.raises(SettingError) as caught:
        chainrule.FeedForward(dim=0)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.kind, again.field) == ("ffnn", "dim")
    assert again.reason == "must be a whole number of 1 or more, got 0"
    assert str(again) == "ffnn: dim must be a whole number of 1 or more, got 0"
    nameless = pickle.loads(pickle.dumps(SettingError("", "dim", "is missing")))
    assert (nameless.kind, str(nameless)) == ("", "dim is missing")


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_diverged_training_takes_its_run_along(two_classes, held_out, monkeypatch):
    samples.at_step(monkeypatch, 20, samples.poison)
    with pytest.raises(DivergenceError) as caught:
        samples.fit("bow", two_classes, held_out, epochs=5)
    run = pickle.loads(pickle.dumps(caught.value)).run
    assert run.best == caught.value.run.best
    np.testing.assert_array_equal(
        run.model.predict_probabilities(held_out), caught.value.run.model.predict_probabilities(held_out)
    )


@pytest.mark.parametrize("name", list(LEARNERS))
def test_settings_of_every_kind_survive(name):
    for settings in samples.setup(name, optimizer=chainrule.AdamW(0.5, weight_decay=0.25)).values():
        assert isinstance(settings, Settings)
        for again in (copy.deepcopy(settings), pickle.loads(pickle.dumps(settings))):
            assert again == settings
            assert again.settings() == settings.settings()


@pytest.fixture(scope="module")
def pool():
    """Processes that share nothing with this one."""
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as processes:
        yield processes


@pytest.mark.parametrize("engine", ["native", "eager"])
def test_a_model_predicts_the_same_in_other_processes(pool, saved, held_out, engine):
    for name, folder in saved.items():
        model = Model.load(folder)
        expected = model.predict_probabilities(held_out, engine=engine)  # it has native code now, which stays here
        calls = [pool.submit(predict, model, held_out.texts, engine) for _ in range(4)]
        for call in calls:
            process, probabilities, labels = call.result()
            assert process != os.getpid()
            np.testing.assert_array_equal(probabilities, expected, err_msg=name)
            assert labels == model.predict(held_out, engine=engine)


def test_trainings_run_in_other_processes(pool, two_classes, held_out):
    """Learners, tables and settings go there, and whole runs come back: to the same bits as here."""
    calls = {name: pool.submit(train, name, two_classes, held_out) for name in LEARNERS}
    for name, call in calls.items():
        process, run = call.result()
        assert process != os.getpid()
        here = train(name, two_classes, held_out)[1]
        assert samples.timeless(run.record) == samples.timeless(here.record)
        for one, other in zip(run.model.network.parameters(), here.model.network.parameters(), strict=True):
            np.testing.assert_array_equal(one.numpy(), other.numpy())


def test_errors_come_back_from_other_processes():
    """Of one that cannot be unpickled, a pool never gives the message: it breaks."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        for kind in ERRORS:
            with pytest.raises(kind) as caught:
                pool.submit(fail, kind).result()
            assert str(caught.value) == str(raised(kind))
            assert caught.value.told == ["more"], kind
