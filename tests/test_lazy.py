"""What loads when it is first used: names of packages, and kinds of settings."""

import subprocess
import sys

import pytest

from chainrule.models import LEARNERS
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


@pytest.mark.parametrize("registry", [LEARNERS, TASKS, INPUTS], ids=lambda x: x.word)
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


@pytest.mark.parametrize("name", ["data", "models", "report", "tasks", "vectors"])
def test_every_public_name_of_a_package_is_there(name):
    package = sys.modules.get(f"chainrule.{name}") or __import__(f"chainrule.{name}", fromlist=["*"])
    assert all(getattr(package, public) is not None for public in package.__all__)
    with pytest.raises(AttributeError, match=f"module 'chainrule.{name}' has no attribute 'no_such_name'"):
        package.no_such_name  # noqa: B018


def test_a_command_loads_neither_the_others_nor_kinds_that_it_does_not_need():
    words = ["train", "--help"]
    found = subprocess.run(
        [sys.executable, "-c", LOADED_BY_HELP.format(words=words)], capture_output=True, text=True, check=True
    ).stdout
    loaded = set(found.splitlines()[-1].split())
    assert {"chainrule.cli.train", "chainrule.models.bag_of_words", "chainrule.tasks.classify"} <= loaded
    others = {"chainrule.cli.serve", "chainrule.models.transformer", "chainrule.tasks.tag"}
    assert not others & loaded
