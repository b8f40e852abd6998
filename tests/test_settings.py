"""Settings: declared once, checked wherever they come from, found by name."""

import pickle
from dataclasses import FrozenInstanceError, dataclass, field, replace
from typing import ClassVar

import numpy as np
import pytest

from chainrule.errors import ConfigurationError
from chainrule.settings import Registry, SettingError, Settings, setting, suggestion
from chainrule.settings.file import line_of, read_settings_file, toml_text


class Filling(Settings):
    """Something inside."""


FILLINGS = Registry("filling", Filling)


@FILLINGS.register
@dataclass(frozen=True, kw_only=True)
class Cheese(Filling):
    name: ClassVar[str] = "cheese"
    age: int = setting(12, "months it is old", least=1)


@dataclass(frozen=True, kw_only=True)
class Bread(Settings):
    name: ClassVar[str] = "bread"
    slices: int = setting(2, "how many", least=1)
    salt: float = setting(0.5, "grams", least=0, below=10)
    heat: float = setting(200.0, "degrees", above=0)
    limit: int | None = setting(None, "at most", least=2)
    flour: str = setting("wheat", "what it is made of", choices=("wheat", "rye", "spelt"))
    sizes: tuple[int, ...] = setting((1, 2), "of loaves", least=1, longest=3)
    seeds: tuple[str, ...] = setting((), "on top")
    toasted: bool = setting(True, "it is toasted", option="--untoasted")
    filling: Filling | None = setting(None, "what is inside", kinds=FILLINGS)
    spread: str | Filling = setting("cheese", "what is on it", kinds=FILLINGS)
    baker: object = field(default=None)  # no setting


def fault(**values):
    with pytest.raises(SettingError) as caught:
        Bread(**values)
    return caught.value


class Jam(Filling):
    name: ClassVar[str] = "jam"


def test_a_class_without_fields_inherits_all_of_a_frozen_dataclass():
    class Emmental(Cheese):
        name: ClassVar[str] = "emmental"

    assert Emmental(age=3) == Emmental(age=3) != Emmental()
    assert Emmental() != Cheese()
    assert hash(Emmental(age=3)) == hash(Emmental(age=3))
    assert Emmental(age=3).settings() == {"name": "emmental", "age": 3}
    assert replace(Emmental(), age=4).age == pickle.loads(pickle.dumps(Cheese(age=4))).age == 4
    with pytest.raises(SettingError):
        Emmental(age=0)
    for settings in (Emmental(), Cheese(), Jam()):
        for name in ("age", "aeg"):
            with pytest.raises(FrozenInstanceError, match=f"cannot assign to field '{name}'"):
                setattr(settings, name, 5)


def test_defaults_and_json():
    assert Bread().settings() == {
        "name": "bread",
        "slices": 2,
        "salt": 0.5,
        "heat": 200.0,
        "limit": None,
        "flour": "wheat",
        "sizes": [1, 2],
        "seeds": [],
        "toasted": True,
        "filling": None,
        "spread": "cheese",
    }
    assert Bread(filling=Cheese(age=3)).settings()["filling"] == {"name": "cheese", "age": 3}
    assert Bread(filling={"name": "cheese", "age": 3}).filling == Cheese(age=3)
    assert Bread(filling="cheese").filling == Cheese()
    assert Bread(spread="cheese").spread == "cheese"  # a name is chosen later
    assert Bread(spread=Cheese(age=4)).spread.age == 4


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"slices": 0}, "must be a whole number of 1 or more, got 0"),
        ({"slices": 1.5}, "must be a whole number of 1 or more, got 1.5"),
        ({"slices": True}, "must be a whole number of 1 or more, got True"),
        ({"slices": "2"}, "must be a whole number of 1 or more, got '2'"),
        ({"slices": None}, "must be a whole number of 1 or more, got None"),
        ({"salt": -0.1}, "must be a number of 0 or more and below 10, got -0.1"),
        ({"salt": 10}, "must be a number of 0 or more and below 10, got 10"),
        ({"salt": float("nan")}, "must be a number of 0 or more and below 10, got nan"),
        ({"heat": 0}, "must be a number above 0, got 0"),
        ({"heat": float("inf")}, "must be a number above 0, got inf"),
        ({"limit": 1}, "must be a whole number of 2 or more or None, got 1"),
        ({"flour": "rice"}, "must be one of wheat, rye, spelt, got 'rice'"),
        ({"flour": "spellt"}, "must be one of wheat, rye, spelt, got 'spellt'; did you mean 'spelt'?"),
        ({"flour": 3}, "must be one of wheat, rye, spelt, got 3"),
        ({"sizes": (1, 0)}, "must be whole numbers of 1 or more, such as (128, 64), got (1, 0)"),
        ({"sizes": 3}, "must be whole numbers of 1 or more, such as (128, 64), got 3"),
        ({"seeds": "poppy"}, "must be texts, such as ('a', 'b'), got 'poppy'"),
        ({"toasted": 1}, "must be True or False, got 1"),
        ({"slices": 2**63}, f"must be a whole number of 1 or more, and at most {2**63 - 1}, got {2**63}"),
        ({"slices": -(2**63)}, f"must be a whole number of 1 or more, and at most {2**63 - 1}, got {-(2**63)}"),
        ({"heat": 10**400}, f"must be a number above 0, got {str(10**400)[:77]}..."),
        (
            {"slices": 10**5000},
            f"must be a whole number of 1 or more, and at most {2**63 - 1}, got int of too many digits",
        ),
        ({"sizes": (1, 2, 3, 4)}, "must have up to 3 items, got 4"),
    ],
)
def test_values_outside_the_declaration_are_refused(values, reason):
    error = fault(**values)
    (name,) = values
    assert (error.kind, error.field, error.reason) == ("bread", name, reason)
    assert str(error) == f"bread: {name} {reason}"


def test_a_long_value_is_cut_in_the_message():
    assert len(str(fault(flour="x" * 10_000))) < 200


def test_a_setting_error_survives_pickling():
    error = pickle.loads(pickle.dumps(fault(slices=0)))
    assert type(error) is SettingError
    assert (error.kind, error.field, error.reason) == ("bread", "slices", "must be a whole number of 1 or more, got 0")
    assert str(error) == "bread: slices must be a whole number of 1 or more, got 0"


def test_values_get_their_own_type():
    bread = Bread(slices=np.int64(3), salt=1, sizes=[np.int32(4)], heat=np.float32(2))
    assert (type(bread.slices), type(bread.salt), bread.sizes, type(bread.heat)) == (int, float, (4,), float)
    assert bread == Bread(slices=3, salt=1.0, sizes=(4,), heat=2.0)
    assert pickle.loads(pickle.dumps(bread)) == bread
    assert hash(bread) == hash(pickle.loads(pickle.dumps(bread)))


def test_a_registry_refuses_what_it_does_not_know():
    for name in ("chease", "CHEESE ", None, 3, ["cheese"]):
        with pytest.raises(ConfigurationError, match="there is no filling"):
            FILLINGS.make({"name": name})
    with pytest.raises(ConfigurationError, match=r"there is no filling 'chese'; did you mean 'cheese'\?"):
        FILLINGS.make("chese")
    with pytest.raises(ConfigurationError, match="there is no filling 'jam'; expected cheese"):
        FILLINGS.make("jam")
    with pytest.raises(ConfigurationError, match=r"filling cheese has no setting 'agee'; did you mean 'age'\?"):
        FILLINGS.make({"name": "cheese", "agee": 2})
    with pytest.raises(ConfigurationError, match="filling cheese has no setting 'x'; it has age"):
        FILLINGS.make({"name": "cheese", "x": 2})
    with pytest.raises(SettingError, match="cheese: age must be a whole number of 1 or more, got 0"):
        FILLINGS.make({"name": "cheese", "age": 0})


def test_a_name_is_given_once():
    with pytest.raises(ConfigurationError, match="the name 'cheese' is taken"):

        @FILLINGS.register
        class Other(Filling):
            name = "cheese"

    with pytest.raises(ConfigurationError, match="the name '' is missing"):

        @FILLINGS.register
        class Nameless(Filling):
            pass

    assert FILLINGS.register(Cheese) is Cheese  # a module that is imported anew


def test_suggestions():
    assert suggestion("ffn", ["bow", "ffnn"]) == "; did you mean 'ffnn'?"
    assert suggestion("lstm", ["bow", "ffnn"]) == ""
    assert suggestion(None, ["none"]) == ""


def test_a_settings_file_has_lines(tmp_path):
    path = tmp_path / "settings.toml"
    text = 'seed = 1\n\n# a remark\n[learner]\nname = "bow"\n[training.optimizer]\n"beta1" = 0.5\n'
    path.write_text(text)
    assert read_settings_file(path)["training"] == {"optimizer": {"beta1": 0.5}}
    places = ["seed", "learner.name", "training.optimizer.beta1", "learner.dim", "nothing"]
    assert [line_of(path, place) for place in places] == [1, 5, 7, 4, 1]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"seed = \n", "is not TOML: Invalid value .at line 1, column 8."),
        (b"seed = 1\nseed = 2\n", "is not TOML: Cannot overwrite a value"),
        (b"\xff", "is not UTF-8 at offset 0; save it as UTF-8"),
    ],
)
def test_a_broken_settings_file(tmp_path, data, message):
    path = tmp_path / "settings.toml"
    path.write_bytes(data)
    with pytest.raises(ConfigurationError, match=message):
        read_settings_file(path)
    with pytest.raises(ConfigurationError, match=r"none.toml: cannot be read: No such file"):
        read_settings_file(tmp_path / "none.toml")
    with pytest.raises(ConfigurationError, match="cannot be read: Is a directory"):
        read_settings_file(tmp_path)


def test_toml_holds_any_text(tmp_path):
    path = tmp_path / "settings.toml"
    held = {
        "a": 'quote " back\\slash\n\t\x7f\x00é日本🎉',
        "b c": [1, "x", True],
        "d": {"e": 1e-8, "f": -3, "g.h": {"i": []}},
    }
    path.write_text(toml_text(held), encoding="utf-8")
    assert read_settings_file(path) == held
