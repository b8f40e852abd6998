"""What loads when it is first used: names of packages, and kinds of settings."""

import subprocess
import sys

import pytest

from chainrule.models import LEARNERS
from chainrule.nn import ACTIVATIONS
from chainrule.optim import OPTIMIZERS, SCHEDULES
from chainrule.settings import Registry, Settings
from chainrule.tasks import INPUTS, TASKS

LOADED_BY_HELP = """
import sys
from chainrule.cli.main import main
try:
    main({words!r})
except SystemExit:
    pass
print(*[name for name in sys.modules if name.startswith("chainrule.")])
"""


@pytest.mark.parametrize(
    "registry", [LEARNERS, TASKS, INPUTS, OPTIMIZERS, SCHEDULES, ACTIVATIONS], ids=lambda x: x.word
)
def test_a_registry_names_the_modules_that_register_its_kinds(registry):
    assert all(kind.name == name and issubclass(kind, registry.base) for name, kind in registry.items())
    assert {**registry} == dict(registry)
    assert len(registry) == len(list(registry))


def test_a_module_that_does_not_register_what_is_looked_for_is_named():
    registry = Registry("sauce", Settings, {"pesto": "chainrule.version"})
    assert "pesto" in registry
    assert "ketchup" not in registry
    with pytest.raises(KeyError, match=r"chainrule\.version has no sauce pesto"):
        registry["pesto"]


def test_a_name_is_taken_before_its_module_is_loaded():
    """In a process of its own, in which nothing has loaded the learner of that name."""
    code = """
from chainrule.errors import ConfigurationError
from chainrule.models.learner import LEARNERS, Learner
class Mine(Learner):
    name = "transformer"
try:
    LEARNERS.register(Mine)
except ConfigurationError as error:
    print(error)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "the name 'transformer' is taken" in said


@pytest.mark.parametrize("name", ["blocks", "data", "models", "nn", "optim", "report", "tasks", "vectors"])
def test_every_public_name_of_a_package_is_there(name):
    package = sys.modules.get(f"chainrule.{name}") or __import__(f"chainrule.{name}", fromlist=["*"])
    assert all(getattr(package, public) is not None for public in package.__all__)
    with pytest.raises(AttributeError, match=f"module 'chainrule.{name}' has no attribute 'no_such_name'"):
        package.no_such_name  # noqa: B018


def test_names_are_listed_and_suggested_before_their_modules_are_loaded():
    code = """
import sys
import chainrule.nn, chainrule.blocks, chainrule.optim
for package in (chainrule, chainrule.nn, chainrule.blocks, chainrule.optim):
    assert {*package.__all__} <= {*dir(package)}
assert "chainrule.nn.recurrent" not in sys.modules
chainrule.nn.LSTMs
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).stderr
    assert said.endswith("module 'chainrule.nn' has no attribute 'LSTMs'. Did you mean: 'LSTM'?\n")


def test_a_command_loads_neither_the_others_nor_kinds_that_it_does_not_need():
    words = ["train", "--help"]
    found = subprocess.run(
        [sys.executable, "-c", LOADED_BY_HELP.format(words=words)], capture_output=True, text=True, check=True
    ).stdout
    loaded = set(found.splitlines()[-1].split())
    assert {"chainrule.cli.train", "chainrule.models.bag_of_words", "chainrule.tasks.classify"} <= loaded
    others = {
        "chainrule.cli.serve", "chainrule.models.transformer", "chainrule.tasks.tag", "chainrule.blocks.gated",
        "chainrule.nn.transformer", "chainrule.optim.rules.muon",
    }  # fmt: skip
    assert not others & loaded


def test_operators_and_operations_find_their_modules():
    """In a process of its own, in which no block has been loaded."""
    code = """
import sys
import numpy as np
import chainrule
x = chainrule.tensor([4.0, 9.0])
print((x * 2 + 1).sum().item(), np.sqrt(x).numpy().tolist(), "chainrule.blocks.gated" in sys.modules)
print(chainrule.scan.__module__, chainrule.einsum.__module__, chainrule.nn.summary.__module__, chainrule.glu(x).item())
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    first, second = said.splitlines()
    assert first == "28.0 [2.0, 3.0] False"
    assert second.startswith("chainrule.blocks.stepwise chainrule.blocks.einsum chainrule.nn.summary 3.99")
